//! A machine in a child process: an emulator whose console is its standard output.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// Processor time of a process, all its threads together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CpuTime {
    /// In its own code.
    pub user_ms: u64,
    /// In the kernel on its behalf.
    pub system_ms: u64,
}

impl CpuTime {
    /// What process `pid` has used so far, in steps of 10 ms; `None` when there is no such
    /// process.
    pub fn of(pid: u32) -> Option<Self> {
        Self::from_stat(&pid.to_string(), 14)
    }

    /// What the children of this process that have ended had used, and theirs.
    pub fn of_children() -> std::io::Result<Self> {
        Self::from_stat("self", 16).ok_or_else(|| std::io::Error::other("/proc is not there"))
    }

    /// From two fields of proc(5)'s `stat`, in ticks of 1/100 s; the name in field 2 may hold
    /// blanks.
    fn from_stat(process: &str, user: usize) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        let fields: Vec<&str> = stat[stat.rfind(')')? + 1..].split_whitespace().collect();
        let ticks = |n: usize| fields.get(n - 3)?.parse::<u64>().ok();
        Some(Self { user_ms: ticks(user)? * 10, system_ms: ticks(user + 1)? * 10 })
    }

    /// What was used since `earlier`.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            user_ms: self.user_ms.saturating_sub(earlier.user_ms),
            system_ms: self.system_ms.saturating_sub(earlier.system_ms),
        }
    }
}

/// Resident memory of process `pid` in KiB, without files in memory and what huge pages are asked
/// for, which are the two kinds of guest memory; `None` when there is no such process.
pub fn private_memory_kib(pid: u32) -> Option<u64> {
    // proc(5): of each mapping its addresses and name, fields, and flags at last.
    let maps = std::fs::read_to_string(format!("/proc/{pid}/smaps")).ok()?;
    let (mut total, mut resident, mut shared) = (0, 0, false);
    for line in maps.lines() {
        let (name, value) = line.split_once(':')?;
        match name {
            "Rss" => resident = value.trim().strip_suffix(" kB")?.parse().ok()?,
            "VmFlags" if shared || value.split_whitespace().any(|flag| flag == "hg") => {}
            "VmFlags" => total += resident,
            // The first line of a mapping has blanks before its first colon.
            _ if name.contains(' ') => shared = line.contains("/memfd:"),
            _ => {}
        }
    }
    Some(total)
}

/// A line of the console.
#[derive(Debug, Clone)]
pub struct Line {
    /// Its text, without line break and carriage return.
    pub text: String,
    /// When it was complete.
    pub at: Instant,
    /// What the machine's process had used by then.
    pub cpu: CpuTime,
}

/// Why a machine did not do what was expected of it.
#[derive(Debug)]
pub struct MachineError {
    /// What went wrong.
    pub what: String,
    /// The last lines of the console.
    pub tail: String,
}

impl fmt::Display for MachineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}. The console's last lines:\n{}", self.what, self.tail)
    }
}

impl std::error::Error for MachineError {}

/// A running machine; it ends with its owner.
#[derive(Debug)]
pub struct Machine {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Line>,
    console: Vec<String>,
    /// When its process was started.
    pub started: Instant,
}

impl Machine {
    /// Starts `command`, whose standard output is the guest's console.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn start(mut command: Command) -> io::Result<Self> {
        let started = Instant::now();
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (sender, lines) = mpsc::channel();
        let pid = child.id();
        let outputs: [Option<Box<dyn Read + Send>>; 2] = [
            child.stdout.take().map(|pipe| Box::new(pipe) as _),
            child.stderr.take().map(|pipe| Box::new(pipe) as _),
        ];
        for output in outputs.into_iter().flatten() {
            let sender = sender.clone();
            thread::spawn(move || read_lines(output, pid, |line| sender.send(line).is_ok()));
        }
        let stdin = child.stdin.take();
        Ok(Self { child, stdin, lines, console: Vec::new(), started })
    }

    /// The machine's process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The console so far.
    pub fn console(&self) -> String {
        self.console.join("\n")
    }

    /// Types `text` on the console.
    ///
    /// # Errors
    /// When nobody reads it.
    pub fn type_in(&mut self, text: &str) -> io::Result<()> {
        let stdin = self.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        stdin.write_all(text.as_bytes())?;
        stdin.flush()
    }

    /// The next line; `None` when the console has ended.
    ///
    /// # Errors
    /// When none comes in time.
    pub fn line(&mut self, timeout: Duration) -> Result<Option<Line>, MachineError> {
        match self.lines.recv_timeout(timeout) {
            Ok(line) => {
                self.console.push(line.text.clone());
                Ok(Some(line))
            }
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => {
                Err(self.error(format!("nothing came for {} s", timeout.as_secs())))
            }
        }
    }

    /// The next line that begins with `prefix`.
    ///
    /// # Errors
    /// When it does not come in time, or the console ends before.
    pub fn wait_for(&mut self, prefix: &str, timeout: Duration) -> Result<Line, MachineError> {
        let deadline = Instant::now() + timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.line(left) {
                Ok(Some(line)) if line.text.starts_with(prefix) => return Ok(line),
                Ok(Some(_)) => {}
                Ok(None) => return Err(self.error(format!("the machine ended before '{prefix}'"))),
                Err(_) => {
                    let seconds = timeout.as_secs();
                    return Err(self.error(format!("'{prefix}' did not come within {seconds} s")));
                }
            }
        }
    }

    /// Reads the console to its end, and returns the process's exit status.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn finish(&mut self, timeout: Duration) -> Result<ExitStatus, MachineError> {
        let deadline = Instant::now() + timeout;
        while self.line(deadline.saturating_duration_since(Instant::now()))?.is_some() {}
        self.child.wait().map_err(|error| self.error(format!("no exit status: {error}")))
    }

    fn error(&self, what: String) -> MachineError {
        let from = self.console.len().saturating_sub(30);
        MachineError { what, tail: self.console[from..].join("\n") }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Both fail only when the process has ended and was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Hands over each line of `output` until its end, or until nobody wants more.
fn read_lines(output: impl Read, pid: u32, mut hand_over: impl FnMut(Line) -> bool) {
    let mut reader = BufReader::new(output);
    let mut bytes = Vec::new();
    while reader.read_until(b'\n', &mut bytes).is_ok_and(|n| n > 0) {
        let text = String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']).to_owned();
        let cpu = CpuTime::of(pid).unwrap_or_default();
        if !hand_over(Line { text, at: Instant::now(), cpu }) {
            return;
        }
        bytes.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    fn shell(script: &str) -> Machine {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Machine::start(command).expect("sh starts")
    }

    #[test]
    fn lines_and_status_come_through() {
        let mut machine = shell("echo one; echo two; read x; echo got $x; exit 3");
        assert_eq!(machine.wait_for("two", SOON).unwrap().text, "two");
        machine.type_in("word\n").unwrap();
        machine.wait_for("got word", SOON).unwrap();
        assert_eq!(machine.finish(SOON).unwrap().code(), Some(3));
        assert_eq!(machine.console(), "one\ntwo\ngot word");
    }

    #[test]
    fn the_end_and_silence_are_told_apart() {
        let error = shell("echo alone").wait_for("never", SOON).unwrap_err();
        assert!(error.to_string().contains("ended before 'never'"), "{error}");
        assert!(error.to_string().contains("alone"), "{error}");
        let error = shell("read x").wait_for("never", Duration::from_millis(20)).unwrap_err();
        assert!(error.to_string().contains("did not come"), "{error}");
    }

    #[test]
    fn memory_is_counted() {
        let kib = private_memory_kib(std::process::id()).unwrap();
        assert!((100..10_000_000).contains(&kib), "{kib}");
        assert_eq!(private_memory_kib(u32::MAX), None);
    }

    #[test]
    fn processor_time_is_counted() {
        let mut machine =
            shell("echo a; i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; echo b");
        let a = machine.wait_for("a", SOON).unwrap();
        let b = machine.wait_for("b", SOON).unwrap();
        assert!(b.cpu.since(a.cpu).user_ms >= 10, "{a:?} {b:?}");
    }
}
