//! Shows what the generator makes of the instruction tables.
//!
//! `tcg-meta show <isa>` prints the Rust, `tcg-meta lower <isa>` the lowering dispatch,
//! `tcg-meta docs <isa>` writes `docs/isa/<isa>.md`.

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

use tcg_meta::decode;
use tcg_meta::isas::{self, Isa};

const USAGE: &str = "usage: tcg-meta show|lower|docs <isa>";

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[&str]) -> Result<(), String> {
    let [command, name] = args else { return Err(USAGE.into()) };
    let isa = Isa::by_name(name).ok_or_else(|| format!("There is no table for {name}."))?;
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.join("../src/isa");
    match *command {
        "show" => print!("{}", isas::generate(isa, &root).map_err(|e| e.to_string())?.isa),
        "lower" => print!("{}", isas::generate(isa, &root).map_err(|e| e.to_string())?.lower),
        "docs" => {
            let table = isa.table(&root).map_err(|e| e.to_string())?;
            let path = here.join("../../docs/isa").join(format!("{name}.md"));
            fs::write(&path, decode::docs(&table, name))
                .map_err(|e| format!("{} cannot be written: {e}.", path.display()))?;
        }
        _ => return Err(USAGE.into()),
    }
    Ok(())
}
