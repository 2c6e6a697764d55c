//! Software floating point of the riscv64 guest against qemu-riscv64.
//!
//! `fp_oracle.c` executes the F and D instructions on random operands; each line that it prints
//! is executed here again. Wants `riscv64-linux-gnu-gcc` and `qemu-riscv64` on the path.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use tcg::builder::{FCond, Fmt, Fp2, Fp3, FpOp, IntTy, Sgn};
use tcg::guest::riscv64::fp;

/// Executions per instruction and rounding mode.
const COUNT: &str = "4000";
const SEED: &str = "2024";

/// What a mnemonic stands for.
#[derive(Clone, Copy)]
enum Operation {
    Arithmetic(FpOp, Fmt),
    Sign(Sgn, Fmt),
}

fn format(name: &str) -> Option<Fmt> {
    match name {
        "s" => Some(Fmt::S),
        "d" => Some(Fmt::D),
        _ => None,
    }
}

fn integer(name: &str) -> Option<IntTy> {
    match name {
        "w" => Some(IntTy::I32),
        "wu" => Some(IntTy::U32),
        "l" => Some(IntTy::I64),
        "lu" => Some(IntTy::U64),
        _ => None,
    }
}

fn operation(mnemonic: &str) -> Option<Operation> {
    let (name, types) = mnemonic.split_once('.')?;
    if name == "fcvt" {
        let (to, from) = types.split_once('.')?;
        let (op, fmt) = match (integer(to), integer(from)) {
            (Some(to), None) => (FpOp::ToInt(to), format(from)?),
            (None, Some(from)) => (FpOp::FromInt(from), format(to)?),
            _ => (FpOp::To(format(to)?), format(from)?),
        };
        return Some(Operation::Arithmetic(op, fmt));
    }
    let op = match name {
        "fadd" => FpOp::Two(Fp2::Add),
        "fsub" => FpOp::Two(Fp2::Sub),
        "fmul" => FpOp::Two(Fp2::Mul),
        "fdiv" => FpOp::Two(Fp2::Div),
        "fmin" => FpOp::Two(Fp2::Min),
        "fmax" => FpOp::Two(Fp2::Max),
        "fsqrt" => FpOp::Sqrt,
        "fmadd" => FpOp::Three(Fp3::Madd),
        "fmsub" => FpOp::Three(Fp3::Msub),
        "fnmsub" => FpOp::Three(Fp3::Nmsub),
        "fnmadd" => FpOp::Three(Fp3::Nmadd),
        "feq" => FpOp::Cmp(FCond::Eq),
        "flt" => FpOp::Cmp(FCond::Lt),
        "fle" => FpOp::Cmp(FCond::Le),
        "fclass" => FpOp::Class,
        "fsgnj" => return Some(Operation::Sign(Sgn::Copy, format(types)?)),
        "fsgnjn" => return Some(Operation::Sign(Sgn::Neg, format(types)?)),
        "fsgnjx" => return Some(Operation::Sign(Sgn::Xor, format(types)?)),
        _ => return None,
    };
    Some(Operation::Arithmetic(op, format(types)?))
}

/// Executes one line again; says what is wrong with it.
fn check(line: &str) -> Result<(), String> {
    let words: Vec<&str> = line.split(' ').collect();
    let [mnemonic, numbers @ ..] = words.as_slice() else {
        return Err("the line is empty".to_owned());
    };
    let operation = operation(mnemonic).ok_or("the instruction is unknown")?;
    let numbers: Vec<u64> = numbers
        .iter()
        .map(|word| u64::from_str_radix(word, 16).map_err(|error| format!("{word}: {error}")))
        .collect::<Result<_, _>>()?;
    let [rm, a, b, c, result, flags] = numbers[..] else {
        return Err(format!("there are {} numbers instead of 6", numbers.len()));
    };
    let got = match operation {
        Operation::Arithmetic(op, fmt) => fp::execute(op, fmt, rm as u8, a, b, c),
        Operation::Sign(how, fmt) => (fp::inject_sign(how, fmt, a, b), 0),
    };
    if (got.0, u64::from(got.1)) == (result, flags) {
        Ok(())
    } else {
        Err(format!("software gives {:x} {:x}", got.0, got.1))
    }
}

/// Compiles `fp_oracle.c` into `program`.
fn compile(program: &Path) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("isa/riscv64/fp_oracle.c");
    let status = Command::new("riscv64-linux-gnu-gcc")
        .args(["-O1", "-static", "-o"])
        .args([program, &source])
        .status()
        .expect("riscv64-linux-gnu-gcc (package gcc-riscv64-linux-gnu) must run");
    assert!(status.success(), "fp_oracle.c does not compile");
}

#[test]
fn software_floating_point_agrees_with_qemu() {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fp_oracle");
    compile(&program);
    let mut child = Command::new("qemu-riscv64")
        .arg(&program)
        .args([COUNT, SEED])
        .stdout(Stdio::piped())
        .spawn()
        .expect("qemu-riscv64 (package qemu-user) must run");
    let output = BufReader::new(child.stdout.take().expect("the output is piped"));
    let mut failures = Vec::new();
    let mut lines = 0;
    for line in output.lines() {
        let line = line.expect("qemu-riscv64 prints text");
        lines += 1;
        if let Err(what) = check(&line) {
            failures.push(format!("{line}: {what}"));
        }
    }
    assert!(child.wait().expect("qemu-riscv64 ends").success());
    assert!(lines > 1_000_000, "only {lines} lines");
    let shown = failures.iter().take(20).cloned().collect::<Vec<_>>().join("\n");
    assert!(failures.is_empty(), "{} of {lines} differ:\n{shown}", failures.len());
}
