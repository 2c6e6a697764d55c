use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use super::*;

/// How a process ends; set for the child that this test starts of itself.
const WAY: &str = "POLYVISOR_TEST_TERMINAL_END";

fn modes(fd: BorrowedFd<'_>) -> [libc::tcflag_t; 4] {
    let t = attributes(fd).unwrap();
    [t.c_iflag, t.c_oflag, t.c_cflag, t.c_lflag]
}

/// A pseudo-terminal as a shell leaves it: line by line, with echo.
fn cooked() -> Pty {
    let pty = open_pty().unwrap();
    let mut mode = attributes(pty.slave.as_fd()).unwrap();
    mode.c_iflag |= libc::ICRNL | libc::IXON;
    mode.c_oflag |= libc::OPOST | libc::ONLCR;
    mode.c_lflag |= libc::ICANON | libc::ECHO | libc::ISIG | libc::IEXTEN;
    set_attributes(pty.slave.as_raw_fd(), &mode).unwrap();
    pty
}

/// The child's part: goes into raw mode and ends as it is told.
fn end(way: &str) {
    let stdin = io::stdin();
    let before = modes(stdin.as_fd());
    let guard = RawTerminal::enter(stdin.as_fd()).unwrap().expect("a terminal");
    let raw = modes(stdin.as_fd());
    assert_ne!(before, raw);
    assert_eq!(raw[3] & (libc::ICANON | libc::ECHO | libc::ISIG), 0);
    assert_eq!(raw[1], before[1], "output is left alone");
    assert!(RawTerminal::enter(stdin.as_fd()).is_err(), "one at a time");
    match way {
        "drop" => {
            drop(guard);
            assert_eq!(modes(stdin.as_fd()), before);
            let again = RawTerminal::enter(stdin.as_fd()).unwrap();
            assert!(again.is_some());
        }
        "exit" => std::process::exit(7),
        "panic" => panic!("as the test wants"),
        "abort" => std::process::abort(),
        "CONT" => {
            set_attributes(stdin.as_fd().as_raw_fd(), &cooked_mode()).unwrap();
            signal_self("CONT");
            let start = std::time::Instant::now();
            while modes(stdin.as_fd()) != raw {
                assert!(start.elapsed().as_secs() < 10, "raw mode did not come back");
                std::thread::yield_now();
            }
        }
        signal => {
            signal_self(signal);
            loop {
                std::thread::park();
            }
        }
    }
}

fn cooked_mode() -> termios {
    attributes(cooked().slave.as_fd()).unwrap()
}

fn signal_self(signal: &str) {
    let kill = format!("kill -{signal} {}", std::process::id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
}

/// Runs itself once for every way of ending, on a terminal that is looked at afterwards.
#[test]
fn the_terminal_is_restored_however_the_process_ends() {
    if let Ok(way) = std::env::var(WAY) {
        end(&way);
        return;
    }
    let name = "host::terminal::tests::the_terminal_is_restored_however_the_process_ends";
    let ways = [
        ("drop", Ok(0)),
        ("exit", Ok(7)),
        ("panic", Ok(101)),
        ("CONT", Ok(0)),
        ("abort", Err(libc::SIGABRT)),
        ("TERM", Err(libc::SIGTERM)),
        ("INT", Err(libc::SIGINT)),
        ("HUP", Err(libc::SIGHUP)),
        ("QUIT", Err(libc::SIGQUIT)),
    ];
    for (way, expected) in ways {
        let pty = cooked();
        let before = modes(pty.slave.as_fd());
        // Whoever runs the tests may ignore signals, and children inherit that.
        let output = Command::new("env")
            .arg("--default-signal")
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", name, "--test-threads=1"])
            .env(WAY, way)
            .stdin(Stdio::from(pty.slave.try_clone().unwrap()))
            .output()
            .unwrap();
        let ended = output.status.code().ok_or(output.status.signal().unwrap_or(0));
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(ended, expected, "{way}: {text}");
        assert_eq!(modes(pty.slave.as_fd()), before, "{way}");
    }
}

#[test]
fn what_is_no_terminal_is_left_alone() {
    let file = File::open("/dev/null").unwrap();
    assert!(RawTerminal::enter(file.as_fd()).unwrap().is_none());
}

#[test]
fn a_pty_has_a_name_that_opens() {
    let pty = open_pty().unwrap();
    let user = File::open(&pty.path).unwrap();
    assert!(user.is_terminal());
    assert!(is_writable(pty.master.as_fd()));
}
