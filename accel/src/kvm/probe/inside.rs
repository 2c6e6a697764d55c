//! The probe's guest in a machine that is meant for another: its first vCPU runs it before it runs
//! what it was made for. Memory and registers are as before afterwards.
//!
//! Nobody watches for a guest that hangs: a KVM that interprets is found out by the short loops,
//! and one that does not executes the rest by itself.

use std::sync::atomic::{AtomicBool, Ordering::*};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::{Guest, INTERPRETED_MIPS, mark, mips_of_short, verdict};
use crate::choice::Verdict;
use crate::kvm::memory::Memory;
use crate::kvm::{Handled, KvmVcpuArch};
use crate::{Error, Exit, GuestIo, PowerRequest};

/// Where a machine's accesses go: to the notes of its probe, and then to the machine.
pub(in super::super) struct Switch {
    probing: AtomicBool,
    marks: Mutex<Vec<(u8, Instant)>>,
    io: Arc<dyn GuestIo>,
}

impl Switch {
    /// For a machine that is yet to be probed.
    pub(in super::super) fn new(io: Arc<dyn GuestIo>) -> Self {
        Self { probing: AtomicBool::new(true), marks: Mutex::default(), io }
    }

    fn marks(&self) -> Vec<(u8, Instant)> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes a mark, if that is what an access is.
    fn take(&self, data: &[u8]) -> bool {
        let probing = self.probing.load(Relaxed);
        if probing {
            let mark = (data.first().copied().unwrap_or(0), Instant::now());
            self.marks.lock().unwrap_or_else(PoisonError::into_inner).push(mark);
        }
        probing
    }

    /// Whether nothing more is to be learnt.
    fn is_over(&self, last: u8) -> bool {
        let marks = self.marks();
        let reached = marks.last().map_or(0, |(mark, _)| *mark);
        reached == last || reached == mark::SHORT_END && mips_of_short(&marks) < INTERPRETED_MIPS
    }

    /// Runs the probe's guest by `step`, in `memory`; its registers are set already.
    pub(in super::super) fn judge<A: KvmVcpuArch>(
        &self,
        guest: &Guest<A>,
        memory: &Memory,
        step: &mut dyn FnMut() -> Result<Handled, Error>,
    ) -> Result<Verdict, Error> {
        let mut saved = vec![0; guest.extent];
        if memory.read(guest.gpa, &mut saved) < saved.len() {
            return Err(Error::NoMemory(guest.gpa));
        }
        let mut image = vec![0; guest.extent];
        for (at, bytes) in &guest.image {
            image[*at..at + bytes.len()].copy_from_slice(bytes);
        }
        memory.write(guest.gpa, &image).ok_or(Error::NoMemory(guest.gpa))?;
        let last = mark::LONG_END + guest.tried.len() as u8;
        let ended = loop {
            match step()? {
                Handled::GoOn if self.is_over(last) => break Ok(Exit::Kicked),
                Handled::GoOn => {}
                Handled::Return(exit) => break Ok(exit),
                Handled::Stuck(why) => break Err(Error::Stuck(why)),
            }
        };
        memory.write(guest.gpa, &saved).ok_or(Error::NoMemory(guest.gpa))?;
        self.probing.store(false, Relaxed);
        Ok(verdict(&self.marks(), guest.tried, &ended))
    }
}

impl GuestIo for Switch {
    fn read(&self, gpa: u64, data: &mut [u8]) {
        self.io.read(gpa, data);
    }

    fn write(&self, gpa: u64, data: &[u8]) {
        if !self.take(data) {
            self.io.write(gpa, data);
        }
    }

    fn port_read(&self, port: u16, data: &mut [u8]) {
        self.io.port_read(port, data);
    }

    fn port_write(&self, port: u16, data: &[u8]) {
        if !self.take(data) {
            self.io.port_write(port, data);
        }
    }

    fn watched(&self, gpa: u64, len: usize) {
        self.io.watched(gpa, len);
    }

    fn firmware_put(&self, byte: u8) {
        self.io.firmware_put(byte);
    }

    fn firmware_get(&self) -> Option<u8> {
        self.io.firmware_get()
    }

    fn power(&self, request: PowerRequest) {
        self.io.power(request);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts what reaches the machine.
    #[derive(Default)]
    struct Machine(Mutex<Vec<u8>>);

    impl GuestIo for Machine {
        fn read(&self, _: u64, _: &mut [u8]) {}
        fn write(&self, _: u64, data: &[u8]) {
            self.0.lock().unwrap().extend_from_slice(data);
        }
        fn port_read(&self, _: u16, _: &mut [u8]) {}
        fn port_write(&self, _: u16, data: &[u8]) {
            self.0.lock().unwrap().extend_from_slice(data);
        }
        fn watched(&self, _: u64, _: usize) {}
        fn firmware_put(&self, _: u8) {}
        fn firmware_get(&self) -> Option<u8> {
            None
        }
        fn power(&self, _: PowerRequest) {}
    }

    #[test]
    fn the_machine_hears_nothing_of_its_probe() {
        let machine = Arc::new(Machine::default());
        let switch = Switch::new(machine.clone());
        switch.port_write(0x10, &[mark::START]);
        switch.write(0x1000, &[mark::LONG_END]);
        assert!(switch.is_over(mark::LONG_END) && !switch.is_over(mark::LONG_END + 1));
        assert!(machine.0.lock().unwrap().is_empty());
        switch.probing.store(false, Relaxed);
        switch.port_write(0x3f8, b"x");
        assert_eq!(*machine.0.lock().unwrap(), b"x");
    }

    #[test]
    fn slow_loops_end_it() {
        let switch = Switch::new(Arc::new(Machine::default()));
        let slow = std::time::Duration::from_millis(2);
        let start = Instant::now();
        // The marks before the first loop cost nothing, the short loops two milliseconds each.
        let marks = (mark::START..=mark::SHORT_END).map(|mark| {
            let loops = u32::from(mark.saturating_sub(mark::SHORT_START));
            (mark, start + slow * loops)
        });
        *switch.marks.lock().unwrap() = marks.collect();
        assert!(switch.is_over(mark::LONG_END));
    }
}
