# Debian's firmware for riscv64: OpenSBI, and U-Boot for supervisor and for machine mode.
# shellcheck shell=sh disable=SC2154 # the variables are fetch's

firmware_files="fw_dynamic.bin fw_jump.bin u-boot-s.bin u-boot-m.bin"

make_firmware() {
  note "$arch: fetching OpenSBI and U-Boot"
  download opensbi u-boot-qemu
  for package in opensbi u-boot-qemu; do dpkg-deb -x "$(deb_of $package)" "$work/firmware"; done
  lib=$work/firmware/usr/lib
  mv "$lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin" "$work/"
  mv "$lib/riscv64-linux-gnu/opensbi/generic/fw_jump.bin" "$work/"
  mv "$lib/u-boot/qemu-riscv64_smode/u-boot.bin" "$work/u-boot-s.bin"
  mv "$lib/u-boot/qemu-riscv64/u-boot.bin" "$work/u-boot-m.bin"
  rm -rf "$work/firmware"
  forget_downloads
}
