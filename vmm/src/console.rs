//! The console between the host and the board's serial port: output that firmware shares with the
//! port, and the thread that brings input.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use devices::bus::{Shared, lock};
use devices::host::char::escape::{Command, EscapeFilter, HELP};
use devices::host::char::{CharReader, CharSink};
use devices::host::terminal;
use devices::serial::SerialPort;

use crate::machine::control::{Control, Event};

/// An output for several devices; clones are the same output.
#[derive(Clone)]
pub(crate) struct SharedSink(Arc<Mutex<Box<dyn CharSink>>>);

impl SharedSink {
    pub(crate) fn new(sink: Box<dyn CharSink>) -> Self {
        Self(Arc::new(Mutex::new(sink)))
    }

    /// Writes one byte.
    pub(crate) fn put(&self, byte: u8) {
        lock(&self.0).write(&[byte]);
    }
}

impl CharSink for SharedSink {
    fn write(&mut self, bytes: &[u8]) {
        lock(&self.0).write(bytes);
    }
}

/// Input kept for a guest that does not read, while the user may still want to quit.
const PENDING_MAX: usize = 64 << 10;

/// Input that waits for the machine to start: what came before a reset of the port would be lost.
pub(crate) struct ConsoleInput {
    pub(crate) reader: CharReader,
    /// Ctrl-A starts a command of the user's.
    pub(crate) escape: bool,
    pub(crate) uart: Shared<dyn SerialPort>,
    pub(crate) power_button: Option<PowerButton>,
}

/// Presses the machine's power button.
pub(crate) type PowerButton = Box<dyn Fn() + Send>;

/// The thread that brings input to the serial port.
pub(crate) struct InputThread {
    signal: Arc<Signal>,
    thread: Option<JoinHandle<()>>,
}

/// Wakes the thread: the port has room again, or it is to end.
struct Signal {
    writer: PipeWriter,
    /// There is a byte in the pipe: one is enough, so that nobody waits to write.
    raised: AtomicBool,
    end: AtomicBool,
}

impl Signal {
    fn raise(&self) {
        if !self.raised.swap(true, SeqCst) {
            // The reader's end is open as long as the thread runs.
            let _ = (&self.writer).write(&[0]);
        }
    }
}

impl InputThread {
    /// Starts it.
    pub(crate) fn start(input: ConsoleInput, control: Arc<Control>) -> io::Result<Self> {
        let ConsoleInput { reader, escape, uart, power_button } = input;
        let (woken, writer) = io::pipe()?;
        let (raised, end) = (AtomicBool::new(false), AtomicBool::new(false));
        let signal = Arc::new(Signal { writer, raised, end });
        let room = signal.clone();
        lock(&uart).set_ready(Box::new(move || room.raise()));
        let mut input = Input {
            reader,
            filter: escape.then(EscapeFilter::new),
            uart,
            power_button,
            control,
            pending: Vec::new(),
            signal: signal.clone(),
            woken,
        };
        let thread = std::thread::Builder::new().name("console".into()).spawn(move || {
            if let Err(error) = input.serve() {
                tracing::warn!("console input has ended: {error}");
            }
        })?;
        Ok(Self { signal, thread: Some(thread) })
    }
}

impl Drop for InputThread {
    fn drop(&mut self) {
        self.signal.end.store(true, SeqCst);
        self.signal.raise();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was printed when it happened.
            let _ = thread.join();
        }
    }
}

/// The thread's own.
struct Input {
    reader: CharReader,
    filter: Option<EscapeFilter>,
    uart: Shared<dyn SerialPort>,
    power_button: Option<PowerButton>,
    control: Arc<Control>,
    /// Read, and not yet taken by the port.
    pending: Vec<u8>,
    signal: Arc<Signal>,
    woken: PipeReader,
}

impl Input {
    fn serve(&mut self) -> io::Result<()> {
        loop {
            // A pipe's writer waits for a guest that does not read; a user at a terminal is
            // listened to always, for the sake of the escape key.
            let listen = self.pending.is_empty() || self.filter.is_some();
            if self.wait(listen)? && !self.read()? {
                return Ok(());
            }
            if self.signal.end.load(SeqCst) {
                return Ok(());
            }
            if !self.pending.is_empty() {
                let taken = lock(&self.uart).receive(&self.pending);
                self.pending.drain(..taken);
            }
        }
    }

    /// Waits for the signal, or for input if that is wanted; whether there is input.
    fn wait(&mut self, listen: bool) -> io::Result<bool> {
        let [input, signal] = if listen {
            terminal::wait_either(self.reader.as_fd(), self.woken.as_fd())?
        } else {
            terminal::wait_readable(self.woken.as_fd())?;
            [false, true]
        };
        if signal {
            self.woken.read_exact(&mut [0])?;
            // Before looking at what it is about, so that nothing is missed.
            self.signal.raised.store(false, SeqCst);
        }
        Ok(input)
    }

    /// Takes input in; false at its end, or after the user quit.
    fn read(&mut self) -> io::Result<bool> {
        let mut bytes = [0; 4096];
        let len = self.reader.read(&mut bytes)?;
        let Some(filter) = &mut self.filter else {
            self.pending.extend_from_slice(&bytes[..len]);
            return Ok(len > 0);
        };
        for command in filter.filter(&bytes[..len], &mut self.pending) {
            match command {
                Command::Quit => {
                    self.control.post(Event::Quit);
                    return Ok(false);
                }
                // A board without a button has nothing to press.
                Command::PowerButton => self.power_button.iter().for_each(|press| press()),
                // A terminal that cannot be written to has no use for help.
                Command::Help => drop(io::stderr().write_all(HELP.as_bytes())),
            }
        }
        self.pending.truncate(PENDING_MAX);
        Ok(len > 0)
    }
}
