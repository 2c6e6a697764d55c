//! KVM's structures as bytes, and the calls about them that `kvm-ioctls` lacks or leaves unsafe.
#![expect(unsafe_code, reason = "a union of register blocks, and areas whose size we vouch for")]

use std::os::fd::AsRawFd;

use kvm_bindings::{
    KVM_IRQCHIP_IOAPIC, KVM_IRQCHIP_PIC_MASTER, KVM_IRQCHIP_PIC_SLAVE, KVM_VCPU_TSC_CTRL,
    KVM_VCPU_TSC_OFFSET, kvm_clock_data, kvm_device_attr, kvm_irqchip, kvm_pit_channel_state,
    kvm_pit_state2, kvm_xsave,
};
use kvm_ioctls::{VcpuFd, VmFd};

use super::super::KvmError;

/// What saved controllers begin with: a name and a version.
const MAGIC: &[u8; 8] = b"kvmirq\0\x01";

/// Bytes of a controller's register block.
const CHIP_BYTES: usize = 512;
/// Bytes of a timer channel as we write it.
const CHANNEL_BYTES: usize = 24;

const CHIPS: [u32; 3] = [KVM_IRQCHIP_PIC_MASTER, KVM_IRQCHIP_PIC_SLAVE, KVM_IRQCHIP_IOAPIC];

/// Writes an XSAVE area without dynamic components: it is 4096 bytes long.
pub(super) fn set_xsave(fd: &VcpuFd, area: &kvm_xsave) -> Result<(), KvmError> {
    // SAFETY: without components that a process must ask permission for, and we ask for none,
    // KVM reads the 4096 bytes of the structure.
    unsafe { fd.set_xsave(area) }.map_err(KvmError::refused("floating-point registers"))
}

/// `_IOW(KVMIO, 0xe1, struct kvm_device_attr)` and the request after it.
const KVM_SET_DEVICE_ATTR: libc::c_ulong = 0x4018_aee1;
const KVM_GET_DEVICE_ATTR: libc::c_ulong = 0x4018_aee2;

/// What has to be added to the host's time stamp counter for the vCPU's.
pub(super) fn tsc_offset(fd: &VcpuFd) -> Result<u64, KvmError> {
    let mut offset = 0;
    offset_attr(fd, KVM_GET_DEVICE_ATTR, &mut offset)?;
    Ok(offset)
}

/// Sets it.
pub(super) fn set_tsc_offset(fd: &VcpuFd, mut offset: u64) -> Result<(), KvmError> {
    offset_attr(fd, KVM_SET_DEVICE_ATTR, &mut offset)
}

fn offset_attr(fd: &VcpuFd, call: libc::c_ulong, value: &mut u64) -> Result<(), KvmError> {
    let attr = kvm_device_attr {
        group: KVM_VCPU_TSC_CTRL,
        attr: KVM_VCPU_TSC_OFFSET.into(),
        addr: std::ptr::from_mut(value) as u64,
        flags: 0,
    };
    // SAFETY: the descriptor is a vCPU's, and KVM reads or writes the eight bytes at `addr`, which
    // are `value`'s.
    match unsafe { libc::ioctl(fd.as_raw_fd(), call, &raw const attr) } {
        0 => Ok(()),
        _ => Err(KvmError::Lacks("offsets of time stamp counters (KVM_VCPU_TSC_OFFSET)")),
    }
}

/// The two 8259, the I/O APIC, the 8254, and the paravirtual clock.
pub(super) fn save_chips(fd: &VmFd) -> Result<Vec<u8>, KvmError> {
    let mut saved = MAGIC.to_vec();
    for chip_id in CHIPS {
        let mut chip = kvm_irqchip { chip_id, ..kvm_irqchip::default() };
        fd.get_irqchip(&mut chip).map_err(KvmError::refused("a controller's registers"))?;
        // SAFETY: every member of the union is plain integers, and this one covers all of it.
        let block = unsafe { chip.chip.dummy };
        saved.extend(block.map(|byte| byte as u8));
    }
    let pit = fd.get_pit2().map_err(KvmError::refused("the timer's registers"))?;
    saved.extend(pit.flags.to_le_bytes());
    pit.channels.iter().for_each(|channel| saved.extend(channel_bytes(channel)));
    let clock = fd.get_clock().map_err(KvmError::refused("the clock"))?;
    saved.extend(clock.clock.to_le_bytes());
    Ok(saved)
}

/// Puts back what [`save_chips`] gave.
pub(super) fn restore_chips(fd: &VmFd, saved: &[u8]) -> Result<(), KvmError> {
    let mut rest = Bytes(saved);
    if rest.take::<8>()? != *MAGIC {
        return Err(KvmError::State("its interrupt controllers were saved by something else"));
    }
    for chip_id in CHIPS {
        let mut chip = kvm_irqchip { chip_id, ..kvm_irqchip::default() };
        chip.chip.dummy = rest.take::<CHIP_BYTES>()?.map(|byte| byte as _);
        fd.set_irqchip(&chip).map_err(KvmError::refused("a controller's registers"))?;
    }
    let mut pit =
        kvm_pit_state2 { flags: u32::from_le_bytes(rest.take()?), ..kvm_pit_state2::default() };
    for channel in &mut pit.channels {
        *channel = channel_of(&rest.take::<CHANNEL_BYTES>()?);
    }
    fd.set_pit2(&pit).map_err(KvmError::refused("the timer's registers"))?;
    let clock = u64::from_le_bytes(rest.take()?);
    let clock = kvm_clock_data { clock, ..kvm_clock_data::default() };
    fd.set_clock(&clock).map_err(KvmError::refused("the clock"))?;
    match rest.0 {
        [] => Ok(()),
        _ => Err(KvmError::State("there is more than its interrupt controllers")),
    }
}

/// What is left of saved bytes.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], KvmError> {
        let (first, rest) = self
            .0
            .split_first_chunk()
            .ok_or(KvmError::State("its interrupt controllers are cut short"))?;
        self.0 = rest;
        Ok(*first)
    }
}

fn channel_bytes(channel: &kvm_pit_channel_state) -> [u8; CHANNEL_BYTES] {
    let mut bytes = [0; CHANNEL_BYTES];
    bytes[..4].copy_from_slice(&channel.count.to_le_bytes());
    bytes[4..6].copy_from_slice(&channel.latched_count.to_le_bytes());
    bytes[6..16].copy_from_slice(&[
        channel.count_latched,
        channel.status_latched,
        channel.status,
        channel.read_state,
        channel.write_state,
        channel.write_latch,
        channel.rw_mode,
        channel.mode,
        channel.bcd,
        channel.gate,
    ]);
    bytes[16..].copy_from_slice(&channel.count_load_time.to_le_bytes());
    bytes
}

fn channel_of(bytes: &[u8; CHANNEL_BYTES]) -> kvm_pit_channel_state {
    let [c0, c1, c2, c3, l0, l1, rest @ ..] = bytes;
    let [count_latched, status_latched, status, read_state, write_state, write_latch, rest @ ..] =
        rest;
    let [rw_mode, mode, bcd, gate, time @ ..] = rest;
    kvm_pit_channel_state {
        count: u32::from_le_bytes([*c0, *c1, *c2, *c3]),
        latched_count: u16::from_le_bytes([*l0, *l1]),
        count_latched: *count_latched,
        status_latched: *status_latched,
        status: *status,
        read_state: *read_state,
        write_state: *write_state,
        write_latch: *write_latch,
        rw_mode: *rw_mode,
        mode: *mode,
        bcd: *bcd,
        gate: *gate,
        count_load_time: i64::from_le_bytes(*time),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_comes_back() {
        let bytes: [u8; CHANNEL_BYTES] = std::array::from_fn(|n| n as u8 + 1);
        assert_eq!(channel_bytes(&channel_of(&bytes)), bytes);
    }

    #[test]
    fn what_is_cut_short_is_refused() {
        let mut rest = Bytes(&[1, 2, 3]);
        assert_eq!(rest.take::<2>().unwrap(), [1, 2]);
        assert!(rest.take::<2>().is_err());
    }
}
