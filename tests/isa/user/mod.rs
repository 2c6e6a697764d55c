//! Programs at user level on machines of one vCPU: memory, system calls, and a judge.
//!
//! `programs/` holds C sources that need no library. They are compiled here with several sets of
//! flags, run in every engine, and by the judge: the host, or qemu-user. All print the same.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tcg::absent::{NoDevices, NoTime};
use tcg::guest::Guest;
use tcg::mmu::host::{Anonymous, HostRange};
use tcg::mmu::ram::Slot;
use tcg::vcpu::request;
use tcg::{Config, Machine, Mode, Stop, Vcpu, testing};

/// Longer than any program takes.
const TIMEOUT: Duration = Duration::from_secs(120);

/// The ways of executing guest code.
pub(crate) const ENGINES: [(&str, Mode); 4] = [
    ("the interpreter", Mode::Interpreter),
    ("Eval", Mode::Eval),
    ("the translator", Mode::Jit { threshold: 0 }),
    ("interpreter and translator in turn", Mode::Jit { threshold: 3 }),
];

/// Stops a run that does not end.
struct Watchdog {
    orders: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    fn new<G: Guest>(machine: Arc<Machine<G>>) -> Self {
        let (orders, received) = channel();
        let thread = std::thread::spawn(move || {
            // A message when a run begins, another when it has ended.
            while received.recv().is_ok() {
                if received.recv_timeout(TIMEOUT) == Err(RecvTimeoutError::Timeout) {
                    machine.signals(0).raise(request::KICK);
                }
            }
        });
        Self { orders: Some(orders), thread: Some(thread) }
    }

    fn pat(&self) {
        let sent = self.orders.as_ref().is_some_and(|orders| orders.send(()).is_ok());
        assert!(sent, "the watchdog is there");
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.orders = None;
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// A guest whose exceptions stop the vCPU.
pub(crate) trait UserGuest: Guest {
    /// The state of a program at its start.
    fn start(entry: u64, stack: u64) -> Self::State;
    /// The exception that stopped the vCPU.
    fn take_exception(local: &mut Self::Local) -> Option<Self::Exception>;
    /// The system call that the exception is, if it is one: number and three arguments. The
    /// program goes on behind it.
    fn system_call(state: &mut Self::State, e: Self::Exception) -> Option<[u64; 4]>;
    /// Stores the result of a system call.
    fn answer(state: &mut Self::State, value: u64);
    /// Numbers of `write` and `exit`.
    const CALLS: (u64, u64);
}

/// A machine of one vCPU.
pub(crate) struct User<G: UserGuest> {
    pub(crate) machine: Arc<Machine<G>>,
    vcpu: Vcpu<G>,
    watchdog: Watchdog,
}

impl<G: UserGuest> User<G> {
    /// With memory at these addresses.
    pub(crate) fn new(mode: Mode, regions: &[(u64, usize)]) -> Self {
        let machine = Machine::<G>::new(Config {
            vcpus: 1,
            mode,
            code_bytes: 16 << 20,
            io: Arc::new(NoDevices),
            clock: Arc::new(NoTime),
            firmware_calls: false,
            learning: None,
        })
        .expect("memory for code");
        for &(gpa, len) in regions {
            let host = HostRange::new(Arc::new(Anonymous::new(len)));
            machine.map(Slot { gpa, host, readonly: false }).expect("regions do not overlap");
        }
        let vcpu = machine.vcpu(0, G::start(0, 0), false).expect("the first vCPU");
        let watchdog = Watchdog::new(machine.clone());
        Self { machine, vcpu, watchdog }
    }

    pub(crate) fn state(&mut self) -> &mut G::State {
        &mut self.vcpu.core().state
    }

    pub(crate) fn write(&mut self, at: u64, bytes: &[u8]) {
        testing::write_memory(&self.machine, at, bytes);
    }

    pub(crate) fn read(&mut self, at: u64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        testing::read_memory(&self.machine, at, &mut bytes);
        bytes
    }

    /// Runs to the next exception.
    pub(crate) fn run(&mut self) -> G::Exception {
        self.watchdog.pat();
        let stop = self.vcpu.run();
        self.watchdog.pat();
        assert_eq!(stop, Stop::Kicked);
        let exception = G::take_exception(&mut self.vcpu.core().local);
        exception.unwrap_or_else(|| panic!("the run does not end: {:x?}", self.state()))
    }

    /// Runs a program to its `exit`; gives what it wrote.
    fn program(&mut self, path: &Path) -> String {
        let file = std::fs::read(path).expect("the compiler has written it");
        let entry = self.load(&file);
        *self.state() = G::start(entry, REGION.0 + REGION.1 as u64);
        let mut output = Vec::new();
        loop {
            let exception = self.run();
            let Some(call) = G::system_call(self.state(), exception) else {
                panic!("{}: {exception:?} in {:x?}", path.display(), self.state());
            };
            let [number, _, at, len] = call;
            if number == G::CALLS.1 {
                return String::from_utf8(output).expect("it prints text");
            }
            assert_eq!(number, G::CALLS.0, "the programs know only write and exit");
            output.extend(self.read(at, len as usize));
            G::answer(self.state(), len);
        }
    }

    /// Copies the segments of an executable; gives its entry. `[ELF §5]`
    fn load(&mut self, file: &[u8]) -> u64 {
        let number = |at: usize, len: usize| {
            let mut bytes = [0; 8];
            bytes[..len].copy_from_slice(&file[at..at + len]);
            u64::from_le_bytes(bytes)
        };
        let (headers, size, count) = (number(32, 8), number(54, 2), number(56, 2));
        for header in (0..count).map(|n| (headers + n * size) as usize) {
            const LOAD: u64 = 1;
            if number(header, 4) == LOAD {
                let (offset, va) = (number(header + 8, 8) as usize, number(header + 16, 8));
                let len = number(header + 32, 8) as usize;
                self.write(va, &file[offset..offset + len]);
            }
        }
        number(24, 8)
    }
}

/// Where programs and their stacks are.
const REGION: (u64, usize) = (0x40_0000, 0x40_0000);

/// A compiler and the flags of one build.
pub(crate) struct Build {
    /// Its name, unique among the builds of an architecture.
    pub(crate) name: &'static str,
    pub(crate) compiler: &'static str,
    pub(crate) flags: &'static [&'static str],
    /// Runs the program; empty: it runs by itself.
    pub(crate) judge: &'static [&'static str],
}

fn compile(build: &Build) -> PathBuf {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("isa/user/programs");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&sources)
        .expect("the sources are there")
        .map(|entry| entry.expect("it can be read").path())
        .filter(|path| path.extension().is_some_and(|e| e == "c"))
        .collect();
    files.sort();
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(build.name);
    let status = Command::new(build.compiler)
        .args(["-ffreestanding", "-nostdlib", "-static", "-mgeneral-regs-only"])
        .args(["-fno-stack-protector", "-fno-pic", "-no-pie", "-fwrapv"])
        .args(["-Wl,-Ttext-segment=0x400000", "-Wl,--build-id=none"])
        .args(build.flags)
        .args(files)
        .args(["-lgcc", "-o"])
        .arg(&out)
        .status()
        .unwrap_or_else(|error| panic!("{} must run: {error}", build.compiler));
    assert!(status.success(), "the programs do not compile");
    out
}

fn judge(build: &Build, program: &Path) -> String {
    let mut words = build.judge.iter();
    let mut command = match words.next() {
        Some(judge) => Command::new(judge),
        None => Command::new(program),
    };
    if !build.judge.is_empty() {
        command.args(words).arg(program);
    }
    let output = command.stderr(Stdio::inherit()).output().expect("the judge must run");
    assert!(output.status.success(), "{} fails: {}", program.display(), output.status);
    String::from_utf8(output.stdout).expect("it prints text")
}

/// Runs a build in every engine, and compares with the judge.
pub(crate) fn check<G: UserGuest>(build: &Build) {
    let program = compile(build);
    let expected = judge(build, &program);
    assert!(expected.lines().count() > 15, "{expected}");
    for (name, mode) in ENGINES {
        let begin = std::time::Instant::now();
        let output = User::<G>::new(mode, &[REGION]).program(&program);
        println!("{} in {name}: {:.2} s", build.name, begin.elapsed().as_secs_f64());
        assert_eq!(output, expected, "{} in {name}", build.name);
    }
}
