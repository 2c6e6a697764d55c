//! How a program is run.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::sysroot::Sysroot;

/// What the command line chose, the same for the programs that this one starts.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Where the guest's system is.
    pub sysroot: Sysroot,
    /// Print system calls.
    pub strace: bool,
    /// Interpret everything.
    pub interpret: bool,
    /// Addresses are not random.
    pub fixed: bool,
    /// The folder in which what is learnt about code is kept, if it is to be.
    pub learnt: Option<PathBuf>,
    /// The processor's model.
    pub cpu: Option<String>,
    /// The file that says at the end what translating has taken, by this program alone.
    pub stats: Option<PathBuf>,
}

impl Options {
    /// The command line that chooses them again: what comes between `polyvisor user` and the
    /// program.
    pub fn command_line(&self) -> Vec<OsString> {
        let mut line = Vec::new();
        if let Some(root) = self.sysroot.root() {
            line.extend(["--sysroot".into(), root.into()]);
        }
        if self.strace {
            line.push("--strace".into());
        }
        if self.interpret {
            line.extend(["--tcg".into(), "interp".into()]);
        }
        if self.fixed {
            line.push("--no-aslr".into());
        }
        if self.learnt.is_none() {
            line.push("--no-learn".into());
        }
        if let Some(cpu) = &self.cpu {
            line.extend(["--cpu".into(), cpu.into()]);
        }
        line
    }
}
