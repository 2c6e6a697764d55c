# The kernel as Debian ships it, the modules that our guests need, and busybox.
# shellcheck shell=sh disable=SC2154 # the variables are fetch's

modules="virtio_mmio virtio_pci virtio_blk virtio_net virtio_rng virtio_console virtio_balloon
  vmw_vsock_virtio_transport virtiofs crc32c_generic ext4"
# A power button, and what programs see of it.
[ "$arch" != x86_64 ] || modules="$modules button evdev"

make_kernel() {
  note "$arch: fetching Debian's kernel and busybox"
  update
  image=$(apt_ cache depends "$kernel_package" | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' |
    head -n 1)
  [ -n "$image" ] || die "$kernel_package depends on no kernel image: the archive is not what it was"
  download "$image" busybox-static
  mkdir -p "$work/modules"
  dpkg-deb -x "$(deb_of "$image")" "$work/image"
  dpkg-deb -x "$(deb_of busybox-static)" "$work/box"
  mv "$work/box/usr/bin/busybox" "$work/busybox"
  mv "$work/image"/boot/vmlinu[xz]-* "$work/kernel"
  chmod 444 "$work/kernel"
  echo "${image#linux-image-}" >"$work/version"
  tree=$(echo "$work"/image/usr/lib/modules/*)
  [ -d "$tree" ] || tree=$(echo "$work"/image/lib/modules/*)
  for name in $modules; do
    closure=
    require "$name"
    [ -z "$closure" ] || echo "$name:$closure" >>"$work/modules/order"
  done
  rm -rf "$work/image" "$work/box"
  forget_downloads
}

# Adds module $1 and what it depends on to $closure, in the order to load them, and unpacks them.
require() {
  case " $closure " in *" $1 "*) return 0 ;; esac
  file=$(find "$tree/kernel" -name "$(echo "$1" | sed 's/_/[_-]/g').ko*" | head -n 1)
  if [ -z "$file" ]; then
    # Compiled in, or not made for this architecture.
    return 0
  fi
  case $file in
    *.xz) xz -dc "$file" ;;
    *.gz) gzip -dc "$file" ;;
    *) cat "$file" ;;
  esac >"$work/modules/$1.ko"
  for needed in $(tr '\0' '\n' <"$work/modules/$1.ko" | sed -n 's/^depends=//p' | tr ',-' ' _'); do
    require "$needed"
  done
  closure="$closure $1"
}
