//! Programs in C.

use tcg::guest::aarch64::Aarch64;

use crate::user::{Build, check};

fn build(name: &'static str, flags: &'static [&'static str]) {
    check::<Aarch64>(&Build {
        name,
        compiler: "aarch64-linux-gnu-gcc",
        flags,
        judge: &["qemu-aarch64", "-cpu", "max"],
    });
}

#[test]
fn optimized() {
    build("user_aarch64_o2", &["-O2", "-mno-outline-atomics"]);
}

#[test]
fn small() {
    build("user_aarch64_os", &["-Os", "-mno-outline-atomics"]);
}

#[test]
fn unoptimized() {
    build("user_aarch64_o0", &["-O0", "-mno-outline-atomics"]);
}

#[test]
fn with_atomics_and_later_extensions() {
    build("user_aarch64_v8_5", &["-O3", "-march=armv8.5-a"]);
}
