//! The commands that only print.

use std::process::Command;

fn prints(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_polyvisor")).args(args).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn info_says_what_there_is_and_why_not() {
    let text = prints(&["info"]);
    for words in ["tcg", "riscv64", "virtio-blk", "raw", "aarch64", "not here:"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let json: serde_json::Value = serde_json::from_str(&prints(&["info", "--json"])).unwrap();
    let names = ["kvm", "tcg"].map(serde_json::Value::from);
    let listed = json["accelerators"].as_array().unwrap();
    assert_eq!(names, [&listed[0]["name"], &listed[1]["name"]].map(Clone::clone));
    assert!(listed[1].get("missing").is_none());
    let list = prints(&["run", "--accel", "list"]);
    assert!(list.lines().count() == 2 && list.contains("tcg"), "{list}");
    assert!(json["guests"][0].get("missing").is_none());
    assert!(json["guests"][1]["missing"].is_string());
}

#[test]
fn completions_for_every_shell() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        assert!(prints(&["completions", shell]).contains("initrd"), "{shell}");
    }
}

#[test]
fn the_manual_page_has_every_command_and_the_exit_statuses() {
    let page = prints(&["man"]);
    for words in [".TH polyvisor-run", ".TH polyvisor-info", "Exit status", "POLYVISOR_CACHE"] {
        assert!(page.contains(words), "{words}");
    }
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    for args in [&["info"][..], &["man"], &["completions", "bash"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_polyvisor"));
        let status = command.args(args).stdout(writer.try_clone().unwrap()).status().unwrap();
        assert!(status.success(), "{args:?}");
    }
}
