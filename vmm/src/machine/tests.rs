//! Whole machines with bare programs: raw machine code, started as firmware would be.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use api::{
    AccelSpec, BackendKind, BackendSpec, BoardSpec, CharKind, DeviceKind, DeviceSpec, Firmware,
};

use super::*;

/// Prints `x` for ever.
const PRINTS: &[u32] = &[
    0x1000_0537, // lui a0, 0x10000
    0x0780_0593, // li a1, 'x'
    0x00b5_0023, // sb a1, 0(a0)
    0xffdf_f06f, // j .-4
];

/// Powers off.
const POWERS_OFF: &[u32] = &[
    0x0010_0537, // lui a0, 0x100
    0x0000_55b7, // lui a1, 5
    0x5555_859b, // addiw a1, a1, 0x555
    0x00b5_2023, // sw a1, 0(a0)
    0x0000_006f, // j .
];

/// Computes for a while on the first hart, prints eight bytes of result and powers off.
const COMPUTES: &[u32] = &[
    0xf140_2573, // csrr a0, mhartid
    0x0005_0463, // beqz a0, .+8
    0x0000_006f, // j .
    0x07d0_02b7, // lui t0, ROUNDS >> 12
    0x0010_0593, // li a1, 1
    0x0025_9613, // slli a2, a1, 2
    0x00c5_85b3, // add a1, a1, a2
    0x0015_8593, // addi a1, a1, 1
    0xfff2_8293, // addi t0, t0, -1
    0xfe02_98e3, // bnez t0, .-16
    0x1000_0537, // lui a0, 0x10000
    0x0080_0693, // li a3, 8
    0x00b5_0023, // sb a1, 0(a0)
    0x0085_d593, // srli a1, a1, 8
    0xfff6_8693, // addi a3, a3, -1
    0xfe06_9ae3, // bnez a3, .-12
    0x0010_0537, // lui a0, 0x100
    0x0000_55b7, // lui a1, 5
    0x5555_859b, // addiw a1, a1, 0x555
    0x00b5_2023, // sw a1, 0(a0)
    0x0000_006f, // j .
];
const ROUNDS: u32 = 0x7d00 << 12;

/// A folder for a machine's files, removed when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Relaxed);
        let name = format!("polyvisor-machine-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn console(&self) -> PathBuf {
        self.0.join("console")
    }

    /// A machine that runs `program` on two harts.
    fn spec(&self, program: &[u32]) -> MachineSpec {
        let code: Vec<u8> = program.iter().flat_map(|word| word.to_le_bytes()).collect();
        let kernel = self.0.join("program");
        std::fs::write(&kernel, code).unwrap();
        MachineSpec {
            isa: Isa::Riscv64,
            accel: AccelSpec::default(),
            board: BoardSpec {
                cpus: 2,
                cpu: None,
                memory: 16 << 20,
                kernel: Some(kernel),
                initrd: None,
                cmdline: None,
                firmware: Firmware::None,
                console: Some("console".into()),
            },
            devices: vec![DeviceSpec { id: "rng".into(), kind: DeviceKind::VirtioRng }],
            backends: vec![BackendSpec {
                id: "console".into(),
                kind: BackendKind::Char { to: CharKind::File(self.console()) },
            }],
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nothing depends on it.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn len(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap().len()
}

fn wait_until_longer(path: &Path, than: u64) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while len(path) <= than {
        assert!(Instant::now() < deadline, "the guest prints nothing more");
        std::thread::yield_now();
    }
}

#[test]
fn a_guest_that_powers_off_ends_its_machine() {
    let folder = Folder::new();
    let machine = Machine::start(&folder.spec(POWERS_OFF)).unwrap();
    // However often it is held up; in the end there is nothing to pause any more.
    while machine.pause() {
        machine.resume();
    }
    assert_eq!(machine.wait().unwrap(), Outcome::PoweredOff);
}

#[test]
fn a_guest_that_is_handed_over_does_not_notice() {
    let folder = Folder::new();
    let mut spec = folder.spec(COMPUTES);
    spec.accel.handover_ms = Some(5);
    let machine = Machine::start(&spec).unwrap();
    let control = machine.control.clone();
    assert_eq!(machine.wait().unwrap(), Outcome::PoweredOff);
    assert!(control.handovers() > 0);
    let result = (0..ROUNDS).fold(1u64, |x, _| x.wrapping_mul(5).wrapping_add(1));
    assert_eq!(std::fs::read(folder.console()).unwrap(), result.to_le_bytes());
}

#[test]
fn a_paused_guest_stands_still() {
    let folder = Folder::new();
    let machine = Machine::start(&folder.spec(PRINTS)).unwrap();
    wait_until_longer(&folder.console(), 0);
    for _ in 0..10 {
        assert!(machine.pause());
        let paused = len(&folder.console());
        (0..1000).for_each(|_| std::thread::yield_now());
        assert_eq!(len(&folder.console()), paused);
        machine.resume();
        wait_until_longer(&folder.console(), paused);
    }
    machine.quit();
    assert_eq!(machine.wait().unwrap(), Outcome::Quit);
}

#[test]
fn a_paused_machine_can_be_quit() {
    let folder = Folder::new();
    let machine = Machine::start(&folder.spec(PRINTS)).unwrap();
    assert!(machine.pause());
    machine.quit();
    assert_eq!(machine.wait().unwrap(), Outcome::Quit);
}

/// The error of a specification that was changed.
fn refused(change: impl FnOnce(&mut MachineSpec)) -> String {
    let folder = Folder::new();
    let mut spec = folder.spec(PRINTS);
    change(&mut spec);
    let error = Machine::start(&spec).err().expect("the specification is refused");
    assert!(error.is_input(), "{error}");
    error.to_string()
}

#[test]
fn back_ends_and_devices_must_match() {
    let says = |message: &str, words: &str| assert!(message.contains(words), "{message}");
    says(&refused(|spec| spec.backends.clear()), "no back end `console`");
    says(&refused(|spec| spec.board.console = None), "no device uses the back end `console`");
    says(&refused(|spec| spec.backends.push(spec.backends[0].clone())), "two back ends");
    says(&refused(|spec| spec.devices.push(spec.devices[0].clone())), "two devices");
    says(
        &refused(|spec| {
            let backend = "console".into();
            spec.devices[0].kind = DeviceKind::VirtioBlk { backend };
        }),
        "`console` is not a disk image",
    );
    says(&refused(|spec| spec.board.cpus = 9), "1 to 8 CPUs");
    says(&refused(|spec| spec.board.kernel = None), "nothing to boot");
    says(&refused(|spec| spec.isa = Isa::Aarch64), "aarch64");
}
