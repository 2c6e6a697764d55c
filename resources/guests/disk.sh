# The disk image: a minimal Debian with apt and gcc, in an ext4 file system. Nothing of the guest
# can run here, so packages are unpacked, noted as installed in dpkg's database, and the few
# results of their scripts that matter are made by this recipe.
# shellcheck shell=sh disable=SC2154 # the variables are fetch's

disk_packages="?essential apt busybox-static ca-certificates iproute2 gcc libc6-dev netbase"
disk_size=2G

make_disk() {
  note "$arch: fetching a minimal Debian with apt and gcc"
  root=$work/root
  mkdir -p "$root/var/lib/dpkg/info" "$root/var/lib/dpkg/updates" "$root/var/lib/dpkg/alternatives"
  # Format 1: the files of packages for several architectures are called NAME:ARCH.
  echo 1 >"$root/var/lib/dpkg/info/format"
  # shellcheck disable=SC2086 # a list of words
  download_all $disk_packages >"$work/debs"
  note "$arch: unpacking $(wc -l <"$work/debs") packages"
  # base-files first: it brings the links /bin, /lib and /sbin.
  grep /base-files_ "$work/debs" >"$work/order"
  grep -v /base-files_ "$work/debs" >>"$work/order"
  : >"$work/owners"
  while read -r deb; do unpack_package "$deb"; done <"$work/order"
  rm -rf "$root"/usr/share/doc/* "$root"/usr/share/man/* "$root"/usr/share/locale/* \
    "$root"/usr/share/info/* "$root"/usr/share/lintian/*
  configure_triggers
  configure_base
  configure_alternatives
  configure_apt
  configure_boot
  make_image
  rm -rf "$root" "$work/debs" "$work/order" "$work/owners"
  forget_downloads
}

# unpack_package DEB: its files, and what dpkg would have noted about it.
unpack_package() {
  dpkg-deb --fsys-tarfile "$1" | tar -x -C "$root" -p --no-same-owner --keep-directory-symlink
  name=$(dpkg-deb -f "$1" Package)
  [ "$(dpkg-deb -f "$1" Multi-Arch)" != same ] || name=$name:$debian
  info=$root/var/lib/dpkg/info/$name
  dpkg-deb -e "$1" "$work/control"
  dpkg-deb --fsys-tarfile "$1" | tar -t | sed -e 's#^\.##' -e 's#\(.\)/$#\1#' -e 's#^$#/.#' \
    -e 's#^/$#/.#' >"$info.list"
  dpkg-deb --fsys-tarfile "$1" | tar -tv --numeric-owner | grep -v ' 0/0 ' >>"$work/owners" || true
  {
    sed -n '1,/^Package:/p' "$work/control/control"
    echo 'Status: install ok installed'
    sed '1,/^Package:/d' "$work/control/control"
    if [ -f "$work/control/conffiles" ]; then
      echo Conffiles:
      while read -r file; do
        case $file in
          /*) echo " $file $(md5sum <"$root$file" | cut -d ' ' -f 1)" ;;
        esac
      done <"$work/control/conffiles"
    fi
    echo
  } >>"$root/var/lib/dpkg/status"
  for file in "$work/control"/*; do
    case ${file##*/} in control) ;; *) mv "$file" "$info.${file##*/}" ;; esac
  done
  rm -rf "$work/control"
}

# Who wants to know of which files: without these lists, dpkg would take everything for changed.
configure_triggers() {
  triggers=$root/var/lib/dpkg/triggers
  mkdir -p "$triggers"
  : >"$triggers/Unincorp"
  : >"$triggers/File"
  for list in "$root"/var/lib/dpkg/info/*.triggers; do
    package=$(basename "$list" .triggers)
    while read -r what name; do
      case $what in
        interest-noawait) waits=/noawait ;;
        interest | interest-await) waits= ;;
        *) continue ;;
      esac
      case $name in
        /*) echo "$name $package$waits" >>"$triggers/File" ;;
        *) echo "$package$waits" >>"$triggers/$name" ;;
      esac
    done <"$list"
  done
}

# What the scripts of base-files, base-passwd, libc-bin, passwd, libpam-runtime and debianutils do.
configure_base() {
  superuser=$root/root
  : >"$root/var/lib/dpkg/available"
  cp "$root/usr/share/base-passwd/passwd.master" "$root/etc/passwd"
  cp "$root/usr/share/base-passwd/group.master" "$root/etc/group"
  echo '_apt:x:42:65534::/nonexistent:/usr/sbin/nologin' >>"$root/etc/passwd"
  sed -i 's#^root:[^:]*:\(.*\)#root:x:\1#' "$root/etc/passwd"
  sed 's#^\([^:]*\):.*#\1:*:20000:0:99999:7:::#' "$root/etc/passwd" >"$root/etc/shadow"
  sed 's#^\([^:]*\):.*#\1:*::#' "$root/etc/group" >"$root/etc/gshadow"
  chmod 640 "$root/etc/shadow" "$root/etc/gshadow"
  printf '%s\n' '-rw-r----- 0/42 0 - - ./etc/shadow' '-rw-r----- 0/42 0 - - ./etc/gshadow' \
    'drwxrwsr-x 0/8 0 - - ./var/mail' >>"$work/owners"
  cp "$root/usr/share/libc-bin/nsswitch.conf" "$root/etc/nsswitch.conf"
  cp "$root/usr/share/debianutils/shells" "$root/etc/shells"
  printf '%s\n' /bin/bash /usr/bin/bash /bin/dash /usr/bin/dash >>"$root/etc/shells"
  cp "$root/usr/share/base-files/profile" "$root/etc/profile"
  cp "$root/usr/share/base-files/dot.profile" "$superuser/.profile"
  cp "$root/usr/share/base-files/dot.bashrc" "$superuser/.bashrc"
  ln -sf debian "$root/etc/dpkg/origins/default"
  for folder in mnt srv opt media etc/opt var/opt var/mail usr/local/bin usr/local/lib \
    usr/local/sbin usr/local/include usr/local/share etc/polyvisor; do
    mkdir -p "$root/$folder"
  done
  chmod 2775 "$root/var/mail"
  for link in run:/run lock:/run/lock; do
    rm -rf "$root/var/${link%%:*}"
    ln -s "${link#*:}" "$root/var/${link%%:*}"
  done
  ln -sf ../proc/self/mounts "$root/etc/mtab"
  for kind in auth account session password; do
    echo "$kind required pam_unix.so" >"$root/etc/pam.d/common-$kind"
  done
  cp "$root/etc/pam.d/common-session" "$root/etc/pam.d/common-session-noninteractive"
}

configure_alternatives() {
  alternative awk /usr/bin/mawk 5
  alternative nawk /usr/bin/mawk 5
  alternative which /usr/bin/which.debianutils 0
  alternative pager /usr/bin/more 50
  alternative cc /usr/bin/gcc 20
  alternative c89 /usr/bin/c89-gcc 20
  alternative c99 /usr/bin/c99-gcc 20
}

alternative() { # NAME PATH PRIORITY
  mkdir -p "$root/etc/alternatives"
  [ -e "$root$2" ] || [ -L "$root$2" ] || die "there is no $2 for the alternative $1"
  ln -s "$2" "$root/etc/alternatives/$1"
  ln -sf "/etc/alternatives/$1" "$root/usr/bin/$1"
  printf 'auto\n/usr/bin/%s\n\n%s\n%s\n\n' "$1" "$2" "$3" >"$root/var/lib/dpkg/alternatives/$1"
}

configure_apt() {
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $("$recipes/mirror") $suite main" \
    >"$root/etc/apt/sources.list"
  cp "$recipes/disk/90polyvisor" "$root/etc/apt/apt.conf.d/"
  # The guest reaches the archive the way that this system does.
  apt-config dump | grep -E '^Acquire::(https?::Proxy|Check-Date|Check-Valid-Until) "' \
    >>"$root/etc/apt/apt.conf.d/90polyvisor" || true
  (cd "$root/usr/share/ca-certificates" && find . -name '*.crt' | sed 's#^\./##' | sort) \
    >"$root/etc/ca-certificates.conf"
  mkdir -p "$root/etc/ssl/certs"
  while read -r certificate; do
    cat "$root/usr/share/ca-certificates/$certificate"
    name=$(basename "$certificate" .crt).pem
    ln -sf "/usr/share/ca-certificates/$certificate" "$root/etc/ssl/certs/$name"
  done <"$root/etc/ca-certificates.conf" >"$root/etc/ssl/certs/ca-certificates.crt"
}

configure_boot() {
  echo polyvisor >"$root/etc/hostname"
  printf '127.0.0.1\tlocalhost polyvisor\n::1\tlocalhost\n' >"$root/etc/hosts"
  echo '/dev/vda / ext4 defaults 0 1' >"$root/etc/fstab"
  : >"$root/etc/resolv.conf"
  cp "$recipes/disk/inittab" "$root/etc/inittab"
  cp "$recipes/disk/start" "$recipes/disk/console" "$recipes/udhcpc.script" "$root/etc/polyvisor/"
  chmod 755 "$root"/etc/polyvisor/*
  ln -s ../bin/busybox "$root/usr/sbin/init"
  for applet in poweroff reboot halt; do ln -sf ../bin/busybox "$root/usr/sbin/$applet"; done
}

make_image() {
  note "$arch: making the disk image"
  rm -f "$work/disk.img"
  truncate -s "$disk_size" "$work/disk.img"
  mke2fs -q -t ext4 -L debian -J size=16 -m 1 -E root_owner=0:0,lazy_itable_init=0 \
    -d "$root" "$work/disk.img" >&2
  # Everything belongs to root but what the packages say; whoever made the folder may be another.
  {
    [ "$(id -u)" = 0 ] || (cd "$root" && find . ! -name . -printf \
      'sif "%P" uid 0\nsif "%P" gid 0\n')
    sed -nE 's#^[^ ]+ +([0-9]+)/([0-9]+) +[^ ]+ [^ ]+ [^ ]+ \./(.*[^/])/?$#sif "\3" uid \1\nsif "\3" gid \2#p' \
      "$work/owners"
  } >"$work/commands"
  debugfs -w -f "$work/commands" "$work/disk.img" >"$work/debugfs.log" 2>&1
  e2fsck -fp "$work/disk.img" >"$work/e2fsck.log" 2>&1 || {
    cat "$work/e2fsck.log" >&2
    die "the new disk image is not consistent"
  }
  chmod 444 "$work/disk.img"
}
