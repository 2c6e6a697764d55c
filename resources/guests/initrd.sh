# The initial RAM disk: busybox, modules and our init, not compressed, so that no guest spends
# time on unpacking it.
# shellcheck shell=sh disable=SC2154 # the variables are fetch's

make_initrd() {
  note "$arch: making the initrd"
  root=$work/root
  mkdir -p "$root/bin" "$root/dev" "$root/etc" "$root/modules" "$root/proc" "$root/root" \
    "$root/run" "$root/sys" "$root/tmp" "$root/mnt"
  cp "$dir/busybox" "$root/bin/busybox"
  ln -s busybox "$root/bin/sh"
  cp "$dir"/modules/* "$root/modules/"
  cp "$recipes/init" "$root/init"
  cp "$recipes/udhcpc.script" "$root/etc/udhcpc.script"
  echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
  echo 'root:x:0:' >"$root/etc/group"
  chmod 755 "$root/init" "$root/bin/busybox" "$root/etc/udhcpc.script"
  find "$root" -exec touch -h -d @0 {} +
  (cd "$root" && find . | sort |
    cpio --quiet --reproducible -o -H newc -R 0:0) >"$work/initrd"
  rm -rf "$root"
}
