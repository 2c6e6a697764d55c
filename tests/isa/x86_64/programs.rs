//! Programs in C.

use tcg::guest::x86_64::X86_64;

use crate::user::{Build, check};

fn build(name: &'static str, flags: &'static [&'static str]) {
    let here = std::env::consts::ARCH == "x86_64";
    check::<X86_64>(&Build {
        name,
        compiler: if here { "gcc" } else { "x86_64-linux-gnu-gcc" },
        flags,
        judge: if here { &[] } else { &["qemu-x86_64", "-cpu", "max"] },
    });
}

#[test]
fn optimized() {
    build("user_x86_64_o2", &["-O2"]);
}

#[test]
fn small() {
    build("user_x86_64_os", &["-Os"]);
}

#[test]
fn unoptimized() {
    build("user_x86_64_o0", &["-O0"]);
}

#[test]
fn with_bit_manipulation() {
    build(
        "user_x86_64_bmi",
        &["-O3", "-mbmi", "-mbmi2", "-mlzcnt", "-mpopcnt", "-mmovbe", "-madx"],
    );
}
