//! Standard streams that are closed, or that nobody reads.

use std::fs;
use std::process::Command;

use polyvisor_tests::polyvisor;

use crate::run::*;

#[test]
fn nobody_has_to_read_what_is_printed() {
    for words in [&["man"][..], &["completions", "bash"], &["info"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let status = Command::new(polyvisor()).args(words).stdout(writer).status();
        let status = status.expect("polyvisor starts");
        assert!(status.success(), "{words:?}: {status}");
    }
}

/// The console would be written into the disk.
#[test]
fn no_file_takes_the_place_of_a_closed_stream() {
    let folder = Folder::new("closed");
    let disk = folder.file("disk");
    let empty = vec![0; 1 << 20];
    fs::write(&disk, &empty).expect("the folder can be written");
    let run = kernel(JIT, &script("echo on the console"));
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$@\" <&- >&- 2>&-", "sh"]);
    command.arg(run.get_program()).args(run.get_args());
    command.arg("--disk").arg(format!("path={}", disk.display()));
    expect_success(&mut start(command));
    assert!(fs::read(&disk).expect("the disk is there") == empty, "it was written to");
}
