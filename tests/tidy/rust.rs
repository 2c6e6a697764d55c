//! Rules about Rust code.

use crate::report;
use crate::source::{Source, lines_with_word, rust_code};

/// The files that may hold unsafe code, and why each of them must. Beside these, everything is
/// safe Rust.
const UNSAFE: &[(&str, &str)] = &[
    ("accel/src/kvm/event.rs", "duplicates a descriptor and takes it over by number"),
    ("accel/src/kvm/kick.rs", "signals, and one byte of the page shared with KVM"),
    ("accel/src/kvm/memory.rs", "gives host memory to the kernel as the guest's, and reads it"),
    ("accel/src/kvm/page.rs", "the structure of unions through which KVM tells why it came back"),
    ("accel/src/kvm/probe/memory.rs", "gives a guest some pages of our own heap"),
    ("accel/src/kvm/ring.rs", "maps a ring that the kernel fills, and hands entries back"),
    ("accel/src/kvm/riscv64/pins.rs", "interrupts from threads that have the descriptor alone"),
    ("accel/src/kvm/time.rs", "takes a duplicate of a vCPU's descriptor over by number"),
    ("accel/src/kvm/x86_64/structs.rs", "a union of register blocks, and areas' sizes"),
    ("accel/src/lib.rs", "the contract that accelerators rest on when they map memory"),
    ("accel/src/tcg/mod.rs", "passes the memory's contract on to tcg"),
    ("cli/src/entry.rs", "the `main` of the C library"),
    ("devices/src/host/tap.rs", "attaching to a tap interface is an ioctl"),
    ("devices/src/host/terminal.rs", "termios, signals, ptys and poll"),
    ("devices/src/virtio/worker_poll.rs", "poll(2) on descriptors known by number"),
    ("disk/src/raw/io.rs", "preadv, pwritev and fallocate"),
    ("tcg/src/host/none.rs", "the promises that user mode gives to hosts with a translator"),
    ("tcg/src/host/x86_64/calls.rs", "enters generated code, and is called by it"),
    ("tcg/src/host/x86_64/context.rs", "changes the context that the kernel gave to a handler"),
    ("tcg/src/host/x86_64/cpu_oracle.rs", "runs instructions on the host's own processor in tests"),
    ("tcg/src/host/x86_64/direct.rs", "accesses addresses that a guest chose, in user mode"),
    ("tcg/src/host/x86_64/features.rs", "asks the C library what the processor has"),
    ("tcg/src/host/x86_64/fpu_oracle.rs", "asks the host's FPU, under another MXCSR"),
    ("tcg/src/host/x86_64/syscall.rs", "makes system calls that a guest asked for"),
    ("tcg/src/interp/fields.rs", "reads and writes the CPU state by byte offset"),
    ("tcg/src/jit/cell.rs", "hands out the one exclusive reference to a vCPU's core"),
    ("tcg/src/jit/codebuf.rs", "maps executable memory and patches code in it"),
    ("tcg/src/mmu/host.rs", "guest memory is raw memory shared with the guest"),
    ("user/src/host/call.rs", "makes system calls that a guest chose"),
    ("user/src/host/heap.rs", "settings of the C library's allocator"),
    ("user/src/host/identity.rs", "getauxval and getrandom"),
    ("user/src/host/signals.rs", "signal handlers and system calls"),
    ("user/src/host/thread.rs", "calls of the C library: fork, clone, exit, gettid"),
    ("user/src/host/time.rs", "clock_gettime"),
    ("vmm/src/memory/mapping.rs", "memfds, advice on memory, the promise to accelerators"),
];

/// Where the code depends on the host's processor.
const HOST_PROCESSOR: &[&str] = &["accel/", "tcg/src/host/"];

/// Where the code depends on the host's operating system.
const HOST_SYSTEM: &[&str] = &["accel/", "tcg/src/host/", "devices/src/host/", "user/src/host/"];

#[test]
fn unsafe_code_stays_in_the_listed_files() {
    let files = rust_code();
    let mut findings = Vec::new();
    for (source, code) in &files {
        let lines = lines_with_word(code, "unsafe");
        let listed = UNSAFE.iter().any(|(path, _)| *path == source.path);
        if !listed && !lines.is_empty() {
            findings
                .push(format!("{}:{} has unsafe code and is not listed", source.path, lines[0]));
        }
        if listed && lines.is_empty() {
            findings.push(format!("{} is listed and has no unsafe code", source.path));
        }
        if listed && !source.text.contains("[expect(unsafe_code") {
            findings.push(format!("{} lacks expect(unsafe_code, reason = ..)", source.path));
        }
    }
    for (path, reason) in UNSAFE {
        if !files.iter().any(|(source, _)| source.path == *path) {
            findings.push(format!("{path} is listed and not there"));
        }
        assert!(reason.len() > 10, "the list gives no reason for {path}");
    }
    report("Unsafe code belongs in the files of UNSAFE (tests/tidy/rust.rs):", &findings);
}

#[test]
fn the_host_is_named_only_where_it_is_met() {
    let mut findings = Vec::new();
    for (source, code) in rust_code() {
        for (word, places) in [("target_arch", HOST_PROCESSOR), ("target_os", HOST_SYSTEM)] {
            if !source.is_within(places) {
                let lines = lines_with_word(&code, word);
                findings.extend(lines.iter().map(|n| format!("{}:{n} {word}", source.path)));
            }
        }
    }
    report("Code that depends on the host belongs in the folders of HOST_*:", &findings);
}

#[test]
fn no_test_is_switched_off_and_nothing_sleeps() {
    let mut findings = Vec::new();
    for (source, code) in rust_code() {
        for (number, line) in code.lines().enumerate() {
            let packed: String = line.split_whitespace().collect();
            let found = ["#[ignore", "thread::sleep", "sleep_ms("];
            for word in found.iter().filter(|word| packed.contains(**word)) {
                findings.push(format!("{}:{} {word}", source.path, number + 1));
            }
        }
    }
    report("A test runs or goes; code waits for an event, not for time to pass:", &findings);
}

#[test]
fn every_lint_exception_states_its_reason() {
    let mut findings = Vec::new();
    for (source, code) in rust_code() {
        for (line, attribute) in lint_exceptions(&code) {
            if !attribute.contains("reason") {
                findings.push(format!("{}:{line} {attribute}", source.path));
            }
        }
    }
    report("These lint exceptions lack `reason = \"...\"`:", &findings);
}

/// The `allow(..)` and `expect(..)` attributes of `code`, with their lines.
fn lint_exceptions(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("#") {
        let rest = &code[at..];
        let Some(body) = rest.strip_prefix("#![").or_else(|| rest.strip_prefix("#[")) else {
            continue;
        };
        let attribute = bracketed(body);
        let packed: String = attribute.split_whitespace().collect();
        let excepts = ["allow(", "expect("].iter().any(|lint| {
            packed.starts_with(lint)
                || (packed.starts_with("cfg_attr(") && packed.contains(&format!(",{lint}")))
        });
        if excepts {
            found.push((1 + code[..at].matches('\n').count(), packed));
        }
    }
    found
}

/// The part of `body` up to the `]` that closes it.
fn bracketed(body: &str) -> &str {
    let mut depth = 0;
    for (at, c) in body.char_indices() {
        match c {
            '[' => depth += 1,
            ']' if depth == 0 => return &body[..at],
            ']' => depth -= 1,
            _ => {}
        }
    }
    body
}

#[test]
fn lint_exceptions_are_found() {
    let code = concat!(
        "#![allow(dead_code)]\n",
        "#[expect(\n  unused,\n  reason =  )]\n",
        "#[cfg_attr(test, allow(x))] #[cfg(a)] a.expect( );\n",
    );
    let found = lint_exceptions(code);
    let lines: Vec<usize> = found.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [1, 2, 5]);
    assert!(found[1].1.contains("reason"));
}

#[test]
fn folders_and_files_are_matched_as_such() {
    let source = Source { path: "accel/src/lib.rs".into(), text: String::new() };
    assert!(source.is_within(&["accel/"]));
    assert!(source.is_within(&["accel/src/lib.rs"]));
    assert!(!source.is_within(&["acc", "src/", "accel/src"]));
}
