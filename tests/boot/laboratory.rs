//! What stock kernels show under a KVM that runs them, in a laboratory.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use api::{AccelSpec, BackendKind, BackendSpec, BoardSpec, CharKind, Firmware, Isa, MachineSpec};
use polyvisor_tests::in_laboratory;
use vmm::{Machine, Outcome};

use crate::run::*;

const TWO: Engine = Engine { tcg: "jit", cpus: 2 };

/// Whether this host is none, which is told.
fn elsewhere() -> bool {
    if !in_laboratory() {
        println!("left out: KVM with stock guests, which './x lab' tests");
    }
    !in_laboratory()
}

/// Bytes that compress badly and repeat late.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9u32;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    })
    .take(len)
    .collect()
}

/// Half of the disk is copied to the other, flushed, and read back from there.
#[test]
fn a_disk_is_written_and_read_back() {
    if elsewhere() {
        return;
    }
    let folder = Folder::new("disk");
    let disk = folder.file("disk.img");
    let half = noise(8 << 20);
    fs::write(&disk, [&half[..], &vec![0; half.len()]].concat()).unwrap();
    let text = "h() { dd if=/dev/vda bs=64k skip=$1 count=128 2>/dev/null | sha256sum; }\n\
                dd if=/dev/vda of=/dev/vda bs=64k count=128 seek=128 conv=fsync 2>/dev/null\n\
                echo 3 >/proc/sys/vm/drop_caches; [ \"$(h 0)\" = \"$(h 128)\" ] && echo same";
    let mut command = kernel(TWO, &script(text));
    command.arg("--disk").arg(format!("path={}", disk.display()));
    let mut machine = start(command);
    expect(&mut machine, "same");
    expect_power_off(&mut machine);
    let bytes = fs::read(disk).unwrap();
    assert!(bytes[..half.len()] == half && bytes[half.len()..] == half, "the disk is another");
}

/// A program that KVM gives up on ends the run as a failure of Polyvisor's side, with a report.
#[test]
fn what_kvm_cannot_go_on_with_is_reported() {
    if elsewhere() {
        return;
    }
    let (program, words) = match isa() {
        // mov ebx, 0xd0000000; fld tbyte [rbx]; jmp $: KVM's emulator has no such load.
        "x86_64" => {
            let code = vec![0xbb, 0, 0, 0, 0xd0, 0xdb, 0x2b, 0xeb, 0xfe];
            (code, ["rbx=d0000000", "rip=", ": db 2b eb fe"])
        }
        // ldp x0, x1, [x2]; b .: at address 0 is no memory, and the processor does not tell KVM
        // which registers are loaded.
        "aarch64" => {
            let code = [0xa940_0440u32, 0x1400_0000].map(u32::to_le_bytes).concat();
            (code, ["KVM cannot take apart", "pc=", ": 40 04 40 a9 00 00 00 14"])
        }
        // jr zero, in an Image: nothing is there.
        "riscv64" => {
            let mut image = vec![0; 64];
            image[..4].copy_from_slice(&0x0000_0067u32.to_le_bytes());
            image[16..24].copy_from_slice(&0x1000u64.to_le_bytes());
            image[48..53].copy_from_slice(b"RISCV");
            image[56..60].copy_from_slice(b"RSC\x05");
            (image, ["KVM cannot run the vCPU", "x11=", "there is no memory at 0x0"])
        }
        other => panic!("no laboratory is {other}"),
    };
    let folder = Folder::new("stuck");
    let file = folder.file("program");
    fs::write(&file, program).unwrap();
    let mut command = command(TWO);
    command.args(["--accel", "kvm", "--memory", "64M", "--kernel"]).arg(&file);
    if isa() != "riscv64" {
        command.args(["--firmware", "none"]);
    }
    let mut machine = start(command);
    let status = machine.finish(PATIENCE).unwrap_or_else(|error| panic!("{error}"));
    let text = machine.console();
    println!("{text}");
    assert_eq!(status.code(), Some(1), "{text}");
    let beginning = "polyvisor: the accelerator failed: it cannot go on with the guest: vCPU 0: ";
    assert!(text.starts_with(beginning), "{text}");
    for word in words {
        assert!(text.contains(word), "{word}: {text}");
    }
}

/// Refused before anything runs, not when the first handover comes.
#[test]
fn a_handover_that_cannot_be_is_refused() {
    if elsewhere() {
        return;
    }
    if isa() != "aarch64" {
        println!("left out: machines of {} can be handed over", isa());
        return;
    }
    let mut command = kernel(TWO, "");
    command.args(["--handover-every", "1s"]);
    let mut machine = start(command);
    let status = machine.finish(PATIENCE).unwrap_or_else(|error| panic!("{error}"));
    let text = machine.console();
    assert_eq!((status.code(), text.lines().count()), (Some(2), 1), "{text}");
    assert!(text.contains("kvm cannot save the interrupt controllers"), "{text}");
}

/// What sha256sum(1) says of bytes.
fn sha256(bytes: &[u8]) -> String {
    let mut child = Command::new("sha256sum")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("sha256sum is there");
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap().trim().to_owned()
}

#[test]
fn a_download_arrives_whole() {
    if elsewhere() {
        return;
    }
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let bytes = noise(16 << 20);
    let expected = sha256(&bytes);
    // It ends with its connection, or with the test.
    std::thread::spawn(move || server.accept().map(|(mut to, _)| to.write_all(&bytes)));
    let text = format!("echo sum $(nc 10.0.2.2 {port} </dev/null | sha256sum)");
    let mut command = kernel(TWO, &format!("polyvisor.net {}", script(&text)));
    command.args(["--net", "user"]);
    let mut machine = start(command);
    assert_eq!(expect(&mut machine, "sum "), expected.replace("  ", " "));
    expect_power_off(&mut machine);
}

/// A word of a shell's, whatever is in it.
fn quoted(word: &std::ffi::OsStr) -> String {
    format!("'{}'", word.to_str().expect("paths are text").replace('\'', "'\\''"))
}

/// The same command on a terminal of its own, whose other end is this process's.
fn on_a_terminal(command: &Command, file: &Path) -> Command {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line = words.map(quoted).collect::<Vec<_>>().join(" ");
    fs::write(file, format!("#!/bin/sh\n{line}\necho status $?\n")).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
    let mut terminal = Command::new("socat");
    terminal.arg("-").arg(format!("EXEC:{},pty,setsid,ctty,echo=0,stderr", file.display()));
    terminal
}

/// Ctrl-A p presses the button; the guest hears of it through ACPI, as of any PC's.
#[test]
fn a_power_button_switches_off() {
    if elsewhere() {
        return;
    }
    if isa() != "x86_64" {
        println!("left out: the board of {} has no power button", isa());
        return;
    }
    let folder = Folder::new("button");
    let text = "for n in button evdev; do for m in $(sed -n \"s/^$n://p\" /modules/order); do\n\
                [ -e /sys/module/$m ] || insmod /modules/$m.ko; done; done\n\
                mkdir -p /etc/acpi/PWRF; cat >/etc/acpi/PWRF/00000080 <<E\n\
                #!/bin/sh\necho pressed\nkillall acpid\nE\nchmod +x /etc/acpi/PWRF/*\n\
                while [ ! -e /dev/input/event0 ]; do :; done\n\
                echo waiting; acpid -d; true";
    let command = kernel(TWO, &script(text));
    let mut machine = start(on_a_terminal(&command, &folder.file("machine.sh")));
    expect(&mut machine, "waiting");
    // It is not heard before acpid listens.
    let deadline = Instant::now() + PATIENCE;
    loop {
        machine.type_in("\x01p").unwrap();
        if machine.wait_for("pressed", Duration::from_secs(10)).is_ok() {
            break;
        }
        assert!(Instant::now() < deadline, "nothing is pressed:\n{}", machine.console());
    }
    expect(&mut machine, "polyvisor: exit 0");
    expect(&mut machine, "polyvisor: ready");
    expect(&mut machine, "status 0");
}

/// The uptimes on the console, which is a file, in seconds.
fn uptimes(console: &Path) -> Vec<f64> {
    let text = fs::read(console).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let text = text.unwrap_or_default();
    // The last line may not be whole yet.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().filter_map(|line| line.trim().strip_prefix("up ")?.parse().ok()).collect()
}

/// The next uptime that comes, and a time before it was there.
fn next_uptime(console: &Path) -> (Instant, f64) {
    let deadline = Instant::now() + PATIENCE;
    let mut before = Instant::now();
    let seen = uptimes(console).len();
    loop {
        assert!(before < deadline, "{:?}", fs::read_to_string(console));
        wait(Duration::from_millis(20));
        let now = Instant::now();
        if let Some(up) = uptimes(console).get(seen) {
            return (before, *up);
        }
        before = now;
    }
}

fn wait(time: Duration) {
    let (_kept, never) = mpsc::channel::<()>();
    assert!(never.recv_timeout(time).is_err());
}

/// Between what a guest says before a pause and after it, it has not aged by the pause.
#[test]
fn a_guest_does_not_age_in_a_pause() {
    if elsewhere() {
        return;
    }
    let folder = Folder::new("pause");
    let console = folder.file("console");
    let guest = this_guest();
    let text = "echo clock $(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)\n\
                while :; do read -r up _ </proc/uptime; echo up $up; sleep 0.1; done";
    let spec = MachineSpec {
        isa: Isa::ALL.into_iter().find(|isa_| isa_.name() == isa()).unwrap(),
        accel: AccelSpec::default(),
        board: BoardSpec {
            cpus: 2,
            cpu: None,
            memory: 256 << 20,
            kernel: Some(guest.kernel),
            initrd: Some(guest.initrd),
            cmdline: Some(format!("{} quiet {}", guest.cmdline, script(text))),
            firmware: Firmware::Builtin,
            console: Some("console".into()),
        },
        devices: Vec::new(),
        backends: vec![BackendSpec {
            id: "console".into(),
            kind: BackendKind::Char { to: CharKind::File(console.clone()) },
        }],
    };
    let machine = Machine::start(&spec).unwrap();
    for _ in 0..2 {
        let (before, first) = next_uptime(&console);
        assert!(machine.pause());
        let stopped = Instant::now();
        wait(Duration::from_secs(10));
        let paused = stopped.elapsed();
        machine.resume();
        let (_, second) = next_uptime(&console);
        let (aged, ran) = (second - first, (before.elapsed() - paused).as_secs_f64());
        println!("in {ran:.2} s and a pause of {paused:.2?} it has aged by {aged:.2} s");
        // It said so some time after it had looked, and a busy host makes that longer.
        let most = ran + paused.as_secs_f64() / 2.0;
        assert!(aged > 0.0 && aged < most, "{:?}", fs::read_to_string(&console));
    }
    machine.quit();
    assert_eq!(machine.wait().unwrap(), Outcome::Quit);
    let text = fs::read_to_string(&console).unwrap();
    println!("{}", text.lines().find(|line| line.starts_with("clock ")).unwrap_or_default());
    assert!(!text.contains("stall") && !text.contains("lockup"), "{text}");
}
