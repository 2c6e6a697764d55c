//! What is learnt about code in one run is used in the next, and changes nothing but the time.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::build::{Folder, Link, compile, run, text, user};

/// A program, and a cache folder of its own.
struct Case {
    folder: Folder,
    program: PathBuf,
}

impl Case {
    fn new(name: &str) -> Self {
        let folder = Folder::new(name);
        let program = compile(&folder, "learnt", Link::Static);
        Self { folder, program }
    }

    fn cache(&self) -> PathBuf {
        self.folder.file("cache")
    }

    /// The command with learning, though tests are run without.
    fn learning(&self, mut command: Command) -> Command {
        command.env_remove("POLYVISOR_NO_LEARN").env("POLYVISOR_CACHE", self.cache());
        command
    }

    fn run(&self, options: &[&str], args: &[&str]) -> String {
        let mut command = self.learning(user(options, &self.program));
        command.args(args);
        printed(&run(command))
    }

    /// The file that was written, if one was.
    fn kept(&self) -> Option<PathBuf> {
        let learnt = fs::read_dir(self.cache().join("learnt")).ok()?;
        let mut files = learnt.map(|entry| entry.expect("an entry of a folder").path());
        files.find(|path| path.extension().is_some_and(|end| end == "learnt"))
    }
}

fn printed(output: &Output) -> String {
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success() && err.is_empty(), "{:?}\n{out}{err}", output.status);
    out
}

/// A file that is replaced is another one.
fn identity(path: &Path) -> (u64, Vec<u8>) {
    let data = fs::metadata(path).expect("the file is there");
    (data.ino(), fs::read(path).expect("it can be read"))
}

#[test]
fn the_second_run_knows_what_the_first_has_learnt() {
    let case = Case::new("learnt");
    let expected = printed(&run(user(&[], &case.program)));
    assert!(!case.cache().exists());
    assert_eq!(case.run(&[], &[]), expected);
    let file = case.kept().expect("the first run keeps what it has learnt");
    let first = identity(&file);
    assert!(first.1.len() > 200, "{} bytes", first.1.len());
    // Nothing is new: the file stays.
    assert_eq!(case.run(&[], &[]), expected);
    assert_eq!(identity(&file), first);
    // Garbage is replaced, whatever it is.
    let mut changed = first.1.clone();
    changed[first.1.len() / 2] ^= 1;
    for garbage in [&b""[..], b"garbage", &changed, &first.1[..first.1.len() - 1]] {
        fs::write(&file, garbage).expect("it can be written");
        assert_eq!(case.run(&[], &[]), expected);
        let replaced = fs::read(&file).expect("it is there");
        assert!(replaced.len() > 200 && replaced.starts_with(b"PVlearn"), "{replaced:?}");
        assert_ne!(replaced, garbage);
    }
}

#[test]
fn off_leaves_the_folder_alone() {
    let case = Case::new("learnt-off");
    let expected = case.run(&["--no-learn"], &[]);
    assert!(!case.cache().exists());
    assert_eq!(case.run(&["--tcg", "interp"], &[]), expected);
    assert!(!case.cache().exists());
    let mut command = case.learning(user(&[], &case.program));
    command.env("POLYVISOR_NO_LEARN", "1");
    assert_eq!(printed(&run(command)), expected);
    assert!(!case.cache().exists());
    // Without a home there is no place.
    let mut command = case.learning(user(&[], &case.program));
    command.env_remove("POLYVISOR_CACHE").env_remove("XDG_CACHE_HOME").env_remove("HOME");
    assert_eq!(printed(&run(command)), expected);
}

#[test]
fn processes_that_split_keep_it_too() {
    let case = Case::new("learnt-fork");
    let expected = case.run(&["--no-learn"], &["fork"]);
    for _ in 0..3 {
        assert_eq!(case.run(&[], &["fork"]), expected);
    }
    assert!(case.kept().is_some());
}

#[test]
fn a_folder_that_is_full_or_read_only_is_borne() {
    let case = Case::new("learnt-full");
    let expected = case.run(&["--no-learn"], &[]);
    // Files have a limit, if one that code memory is below: the kernel signals who goes beyond.
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -f 300000; exec \"$@\"", "sh"]);
    let command = user(&[], &case.program);
    limited.arg(command.get_program()).args(command.get_args());
    assert_eq!(printed(&run(case.learning(limited))), expected);
    assert!(case.kept().is_none());
    // A file where the folder should be.
    fs::write(case.cache(), b"").expect("a file");
    assert_eq!(case.run(&[], &[]), expected);
    // Nobody can write there.
    let mut command = case.learning(user(&[], &case.program));
    command.env("POLYVISOR_CACHE", "/proc");
    assert_eq!(printed(&run(command)), expected);
}
