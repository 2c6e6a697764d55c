//! Compiles the programs of the tests, and runs them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use polyvisor_tests::{polyvisor, root};

/// How a program is linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    Static,
    Dynamic,
}

/// The folder with the libraries of Debian's cross compiler.
pub(crate) const SYSROOT: &str = "/usr/riscv64-linux-gnu";

/// A folder of its own for what one test makes.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("polyvisor-user-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("a temporary folder");
        Self(path)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left is left in the folder for temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Compiles `tests/user/c/NAME.c` for riscv64.
pub(crate) fn compile(folder: &Folder, name: &str, link: Link) -> PathBuf {
    compile_with("riscv64-linux-gnu-gcc", folder, name, link)
}

/// The same with any compiler.
pub(crate) fn compile_with(gcc: &str, folder: &Folder, name: &str, link: Link) -> PathBuf {
    let source = root().join("tests/user/c").join(format!("{name}.c"));
    let program = folder.file(name);
    let mut compiler = Command::new(gcc);
    compiler.args(["-O1", "-Wall", "-Werror", "-pthread", "-o"]).arg(&program).arg(source);
    if link == Link::Static {
        compiler.arg("-static");
    }
    let status = compiler.status().expect("the compiler is there: ./x test installs it");
    assert!(status.success(), "{name}.c does not compile");
    program
}

/// `polyvisor user` with some options and a program.
pub(crate) fn user(options: &[&str], program: &Path) -> Command {
    let mut command = Command::new(polyvisor());
    command.arg("user").args(options).arg("--").arg(program);
    command.stdin(Stdio::null());
    command
}

/// Runs a command to its end; gives what it printed on standard output and how it ended.
pub(crate) fn run(mut command: Command) -> Output {
    command.output().expect("polyvisor starts")
}

/// What was printed.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
