//! Generates decoders and lowering dispatch from the instruction tables, and says by the name
//! `translator` whether there is one for the host's processor.

use std::path::{Path, PathBuf};
use std::{env, fs, process};

use tcg_meta::isas::{self, ISAS};
use tcg_meta::x86;

fn main() {
    let root = Path::new("src/isa");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    for isa in ISAS {
        for path in isa.paths(root) {
            println!("cargo::rerun-if-changed={}", path.display());
        }
        let output = isas::generate(isa, root).unwrap_or_else(fail);
        write(&out.join(format!("{}.rs", isa.name)), &output.isa);
        write(&out.join(format!("{}_lower.rs", isa.name)), &output.lower);
    }
    for path in x86::paths(root) {
        println!("cargo::rerun-if-changed={}", path.display());
    }
    for (name, text) in x86::generate(root).unwrap_or_else(fail) {
        write(&out.join(name), &text);
    }
    println!("cargo::rustc-check-cfg=cfg(translator)");
    let host = env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    if Path::new("src/host").join(host).is_dir() {
        println!("cargo::rustc-cfg=translator");
    }
}

fn write(path: &Path, text: &str) {
    if let Err(error) = fs::write(path, text) {
        fail(format!("{} cannot be written: {error}", path.display()))
    }
}

fn fail<T>(error: impl std::fmt::Display) -> T {
    println!("cargo::error={error}");
    process::exit(1)
}
