use std::io::{Read, Write};
use std::os::fd::OwnedFd;

use super::*;

#[test]
fn specs_are_parsed_and_printed() {
    for words in ["stdio", "pty", "none", "file=/tmp/a=b"] {
        assert_eq!(words.parse::<CharSpec>().unwrap().to_string(), words);
    }
    for words in ["", "file", "file=", "stdio=1", "tcp:1"] {
        let error = words.parse::<CharSpec>().unwrap_err().to_string();
        assert!(error.contains("choose stdio, file=PATH, pty or none"), "{error}");
    }
}

#[test]
fn a_file_takes_the_output() {
    let path = std::env::temp_dir().join(format!("polyvisor-char-{}", std::process::id()));
    std::fs::write(&path, "from an earlier run, and longer").unwrap();
    let mut backend = CharSpec::File(path.clone()).open().unwrap();
    backend.sink.write(b"one ");
    backend.sink.write(b"two");
    assert!(backend.reader.is_none());
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(text, "one two");
}

#[test]
fn a_file_that_cannot_be_created_is_named() {
    let spec = CharSpec::File("/nonexistent-directory/log".into());
    let error = spec.open().err().unwrap().to_string();
    assert!(error.contains("/nonexistent-directory/log"), "{error}");
}

#[test]
fn a_pty_passes_bytes_both_ways_unchanged() {
    let mut backend = CharSpec::Pty.open().unwrap();
    let mut user =
        File::options().read(true).write(true).open(backend.path.as_ref().unwrap()).unwrap();
    backend.sink.write(b"login:\r\n\x03");
    let mut seen = [0; 9];
    user.read_exact(&mut seen).unwrap();
    assert_eq!(&seen, b"login:\r\n\x03");

    user.write_all(b"root\n").unwrap();
    let mut typed = [0; 5];
    backend.reader.as_mut().unwrap().read_exact(&mut typed).unwrap();
    assert_eq!(&typed, b"root\n");
}

#[test]
fn a_pty_without_a_user_does_not_block_the_guest() {
    let mut backend = CharSpec::Pty.open().unwrap();
    for _ in 0..1_000 {
        backend.sink.write(&[b'x'; 1_000]);
    }
    // The end of the output half is the end of the terminal.
    drop(backend.sink);
    let mut reader = backend.reader.unwrap();
    assert_eq!(reader.read(&mut [0; 8]).unwrap(), 0);
}

#[test]
fn a_sink_whose_reader_left_drops_its_output() {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let mut sink = FdSink::new(OwnedFd::from(writer).into(), "a pipe".into());
    sink.write(b"lost");
    sink.write(b"lost too");
}

#[test]
fn a_reader_reads_to_the_end_of_the_stream() {
    let (reader, mut writer) = io::pipe().unwrap();
    writer.write_all(b"ls\n").unwrap();
    drop(writer);
    let mut text = String::new();
    CharReader::new(reader.into()).read_to_string(&mut text).unwrap();
    assert_eq!(text, "ls\n");
}
