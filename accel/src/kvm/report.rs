//! What is told when a vCPU cannot go on.

use std::fmt::Write as _;

use arch::CpuState;
use arch::state::Group;

use super::memory::Memory;

/// Bytes shown at the program counter.
const CODE_BYTES: usize = 16;

/// Registers in a line.
const PER_LINE: usize = 4;

/// Why, the registers that are not zero, and the bytes at the program counter, if that is known
/// to be at guest-physical address `at`.
pub(super) fn text<S: CpuState>(
    vcpu: u32,
    why: &str,
    state: &S,
    at: Option<u64>,
    memory: &Memory,
) -> String {
    let mut text = format!("vCPU {vcpu}: {why}");
    let wanted = |group| matches!(group, Group::General | Group::System | Group::Internal);
    let shown = S::REGS.iter().filter(|reg| wanted(reg.group));
    let values = shown.map(|reg| (reg.name, state.get(reg))).filter(|(_, value)| *value != 0);
    for (number, (name, value)) in values.enumerate() {
        text.push_str(if number % PER_LINE == 0 { "\n " } else { "" });
        let _ = write!(text, " {name}={value:x}");
    }
    let mut code = [0; CODE_BYTES];
    let len = at.map_or(0, |gpa| memory.read(gpa, &mut code));
    match at {
        Some(gpa) if len > 0 => {
            let _ = write!(text, "\n  code at {gpa:#x}:");
            for byte in &code[..len] {
                let _ = write!(text, " {byte:02x}");
            }
        }
        Some(gpa) => {
            let _ = write!(text, "\n  there is no memory at {gpa:#x}, where the code should be");
        }
        None => text.push_str("\n  where its code is cannot be found out"),
    }
    text
}
