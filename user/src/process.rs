//! What the threads of a guest process share.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use crate::executable::Executable;
use crate::host::signals;
use crate::limits::Limits;
use crate::loader::Loaded;
use crate::signal::Actions;
use crate::space::Space;
use crate::{Isa, Mem, Options};

/// A program as it was loaded, and how it is run.
#[derive(Debug)]
pub struct Image {
    /// How it is run.
    pub options: Options,
    /// Where its parts are.
    pub loaded: Loaded,
    /// Path of its file on the host.
    pub exe: Vec<u8>,
    /// The process that it was loaded into.
    pub pid: u32,
}

/// A guest process: this one.
pub struct Process<G: Isa> {
    /// Runs its code.
    pub machine: Arc<tcg::Machine<G>>,
    /// Its address space.
    pub space: Arc<Space>,
    /// Its memory.
    pub mem: Mem,
    /// Its program.
    pub image: Arc<Image>,
    /// What runs the programs that it starts.
    pub(crate) executable: Executable,
    /// Limits that it has set for itself.
    pub limits: Limits,
    /// What it does with signals.
    pub(crate) actions: Arc<Actions>,
    /// Its threads.
    pub(crate) threads: AtomicU32,
    /// The memory is another process's, which goes on afterwards.
    borrows: bool,
}

impl<G: Isa> Process<G> {
    /// A process without threads, whose faults are answered already (`host::signals::install`).
    /// `own_fd` is [`Start::own_fd`](crate::Start::own_fd).
    pub fn new(
        machine: Arc<tcg::Machine<G>>,
        space: Arc<Space>,
        image: Image,
        own_fd: Option<i32>,
    ) -> Arc<Self> {
        let engine = Arc::downgrade(&machine);
        space.set_drop_code(Box::new(move |start, len| {
            if let Some(engine) = engine.upgrade() {
                engine.written(start, len as usize);
            }
        }));
        Arc::new(Self {
            machine,
            space,
            mem: Mem,
            image: Arc::new(image),
            executable: Executable::new(own_fd),
            limits: Limits::default(),
            actions: Arc::default(),
            threads: AtomicU32::new(0),
            borrows: false,
        })
    }

    /// Another process in the same memory, without threads; the actions are those of this one, or
    /// a copy.
    pub(crate) fn beside(&self, shares_actions: bool) -> Arc<Self> {
        let actions =
            if shares_actions { self.actions.clone() } else { Arc::new(self.actions.copy()) };
        Arc::new(Self {
            machine: self.machine.clone(),
            space: self.space.clone(),
            mem: self.mem,
            image: self.image.clone(),
            executable: self.executable.clone(),
            limits: self.limits.clone(),
            actions,
            threads: AtomicU32::new(0),
            borrows: true,
        })
    }

    /// How the program is run.
    pub fn options(&self) -> &Options {
        &self.image.options
    }

    /// Where handlers of signals return to, unless they say so themselves.
    pub(crate) fn sigreturn(&self) -> u64 {
        self.image.loaded.vdso.sigreturn
    }

    /// At the end, before another program or none: keeps what was learnt about its code, and what
    /// translating it has taken.
    pub(crate) fn leave(&self) {
        if self.borrows {
            return;
        }
        self.machine.keep_learnt();
        if let Some(file) = self.options().stats.as_ref().filter(|_| self.is_first())
            && let Err(error) = fs::write(file, stats(self.machine.translated()))
        {
            eprintln!("polyvisor: cannot write {}: {error}", file.display());
        }
    }

    /// No child, which has the same options.
    fn is_first(&self) -> bool {
        self.image.pid == std::process::id()
    }

    /// Ends the process, with the status of exit(2).
    pub fn exit(&self, status: i32) -> ! {
        self.leave();
        crate::host::thread::exit_process(status)
    }

    /// Ends the process by a signal.
    pub(crate) fn die(&self, signal: i32) -> ! {
        self.leave();
        signals::die(signal)
    }
}

/// As JSON, with the most memory that was resident.
fn stats(of: tcg::Translated) -> String {
    let tcg::Translated { blocks, insns, code_bytes, nanoseconds } = of;
    let peak = peak_kib().map_or_else(|| "null".to_owned(), |kib| kib.to_string());
    format!(
        "{{\"blocks\": {blocks}, \"instructions\": {insns}, \"code_bytes\": {code_bytes}, \
         \"translation_ns\": {nanoseconds}, \"peak_kib\": {peak}}}\n"
    )
}

/// Where there is a `/proc`.
fn peak_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}
