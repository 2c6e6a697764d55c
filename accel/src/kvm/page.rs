//! The page that a vCPU shares with KVM: why guest code was left, and the data of an access
//! `[KVM-API 5]`.
#![expect(unsafe_code, reason = "reads a structure of unions that the kernel writes")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::AtomicU8;

#[cfg(target_arch = "x86_64")]
use kvm_bindings::kvm_debug_exit_arch;
use kvm_bindings::kvm_run;
use kvm_ioctls::VcpuFd;

use super::kick::Kick;

/// `_IO(KVMIO, 0x80)`.
const KVM_RUN: libc::c_ulong = 0xae80;

/// A vCPU's descriptor together with its page. All accesses go through one raw pointer, because
/// another thread may set `immediate_exit` meanwhile.
pub(super) struct Page {
    run: NonNull<kvm_run>,
    /// Bytes of the mapping.
    #[cfg(target_arch = "x86_64")]
    len: usize,
    /// Whose kicks go to this page.
    aimed: Option<Arc<Kick>>,
    /// Keeps the mapping.
    pub(super) fd: VcpuFd,
}

#[cfg(target_arch = "x86_64")]
/// An access to an I/O port: `count` elements of `size` bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct PortAccess {
    pub(super) write: bool,
    pub(super) port: u16,
    pub(super) size: usize,
    pub(super) count: usize,
    offset: usize,
}

/// An access to memory that no slot covers.
#[derive(Clone, Copy, Debug)]
pub(super) struct MmioAccess {
    pub(super) gpa: u64,
    pub(super) len: usize,
    pub(super) write: bool,
    pub(super) data: [u8; 8],
}

#[cfg(target_arch = "x86_64")]
/// A model-specific register that KVM leaves to us.
#[derive(Clone, Copy, Debug)]
pub(super) struct MsrAccess {
    pub(super) number: u32,
    pub(super) value: u64,
}

/// A call to firmware that KVM leaves to us.
#[cfg(target_arch = "riscv64")]
#[derive(Clone, Copy, Debug)]
pub(super) struct SbiCall {
    pub(super) extension: u64,
    pub(super) function: u64,
    pub(super) args: [u64; 6],
}

/// Details of an internal error or of a failed entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failure {
    pub(super) code: u64,
    pub(super) data: [u64; 4],
}

macro_rules! field {
    ($page:expr, $($path:tt)*) => {
        // SAFETY: the page is mapped as long as `fd` lives, its fields are integers, valid with
        // any bytes, and the vCPU is not in KVM while its thread is here.
        unsafe { (&raw const (*$page.run.as_ptr()).$($path)*).read_volatile() }
    };
}

macro_rules! set_field {
    ($page:expr, $value:expr, $($path:tt)*) => {
        // SAFETY: as in `field!`; `&mut self` makes it the only access from this side.
        unsafe { (&raw mut (*$page.run.as_ptr()).$($path)*).write_volatile($value) }
    };
}

impl Drop for Page {
    fn drop(&mut self) {
        if let Some(kick) = &self.aimed {
            kick.leave();
        }
    }
}

impl Page {
    /// `len`: bytes that KVM maps for a vCPU.
    pub(super) fn new(mut fd: VcpuFd, len: usize) -> Self {
        let run = NonNull::from(fd.get_kvm_run());
        debug_assert!(len >= size_of::<kvm_run>(), "KVM tells how long it is");
        Self {
            run,
            #[cfg(target_arch = "x86_64")]
            len,
            aimed: None,
            fd,
        }
    }

    /// Kicks of `kick` come here, and to the calling thread, as long as the page lives.
    pub(super) fn aim(&mut self, kick: &Arc<Kick>) {
        self.aimed = Some(kick.clone());
        // SAFETY: the page is not `Send`, so it is dropped before its thread ends, which ends the
        // aim before the mapping goes; the byte is accessed atomically only.
        unsafe { kick.aim(self.immediate_exit()) };
    }

    /// A second descriptor of the vCPU, for requests from other threads.
    pub(super) fn duplicate(&self) -> io::Result<OwnedFd> {
        // SAFETY: the descriptor is open as long as `self`, which outlives the borrow.
        unsafe { BorrowedFd::borrow_raw(self.fd.as_raw_fd()) }.try_clone_to_owned()
    }

    /// The flag that makes [`Page::enter`] come back at once.
    pub(super) fn immediate_exit(&self) -> NonNull<u8> {
        // SAFETY: the field is inside the mapping, so its address is not null.
        unsafe { NonNull::new_unchecked(&raw mut (*self.run.as_ptr()).immediate_exit) }
    }

    /// The same, to be set and cleared.
    pub(super) fn immediate_exit_flag(&self) -> &AtomicU8 {
        // SAFETY: the byte is mapped as long as `self` lives and accessed atomically only.
        unsafe { AtomicU8::from_ptr(self.immediate_exit().as_ptr()) }
    }

    /// Runs guest code until something ends it; the reason, or what interrupted it.
    pub(super) fn enter(&mut self) -> io::Result<u32> {
        // SAFETY: the descriptor is a vCPU's; the kernel writes to its page and, through the
        // slots, to guest memory, which is shared memory always.
        match unsafe { libc::ioctl(self.fd.as_raw_fd(), KVM_RUN, 0) } {
            0 => Ok(self.reason()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Why guest code was left last.
    pub(super) fn reason(&self) -> u32 {
        field!(self, exit_reason)
    }

    pub(super) fn mmio(&self) -> MmioAccess {
        let mmio = field!(self, __bindgen_anon_1.mmio);
        MmioAccess {
            gpa: mmio.phys_addr,
            len: (mmio.len as usize).min(8),
            write: mmio.is_write != 0,
            data: mmio.data,
        }
    }

    /// Answers a read.
    pub(super) fn set_mmio(&mut self, data: [u8; 8]) {
        set_field!(self, data, __bindgen_anon_1.mmio.data);
    }

    #[cfg(target_arch = "x86_64")]
    pub(super) fn port(&self) -> PortAccess {
        let io = field!(self, __bindgen_anon_1.io);
        PortAccess {
            write: io.direction != 0,
            port: io.port,
            size: usize::from(io.size),
            count: io.count as usize,
            offset: io.data_offset as usize,
        }
    }

    #[cfg(target_arch = "x86_64")]
    /// The data of a port access; empty if KVM says that it is outside the page.
    pub(super) fn port_data(&mut self, access: &PortAccess) -> &mut [u8] {
        let len = access.size.saturating_mul(access.count);
        if access.offset.checked_add(len).is_none_or(|end| end > self.len) {
            return &mut [];
        }
        // SAFETY: inside the mapping, as was checked, behind `kvm_run`; the kernel does not touch
        // it before the next entry, which needs `&mut self`.
        unsafe {
            let start = self.run.as_ptr().cast::<u8>().add(access.offset);
            std::slice::from_raw_parts_mut(start, len)
        }
    }

    #[cfg(target_arch = "x86_64")]
    pub(super) fn msr(&self) -> MsrAccess {
        let msr = field!(self, __bindgen_anon_1.msr);
        MsrAccess { number: msr.index, value: msr.data }
    }

    #[cfg(target_arch = "x86_64")]
    /// Answers a model-specific register's access; `None`: it does not exist.
    pub(super) fn set_msr(&mut self, value: Option<u64>) {
        set_field!(self, u8::from(value.is_none()), __bindgen_anon_1.msr.error);
        if let Some(value) = value {
            set_field!(self, value, __bindgen_anon_1.msr.data);
        }
    }

    #[cfg(target_arch = "riscv64")]
    pub(super) fn sbi(&self) -> SbiCall {
        let call = field!(self, __bindgen_anon_1.riscv_sbi);
        SbiCall { extension: call.extension_id, function: call.function_id, args: call.args }
    }

    /// Answers a call to firmware.
    #[cfg(target_arch = "riscv64")]
    pub(super) fn set_sbi(&mut self, error: i64, value: u64) {
        set_field!(self, [error as u64, value], __bindgen_anon_1.riscv_sbi.ret);
    }

    /// Type and data of a system event.
    pub(super) fn system_event(&self) -> (u32, u64) {
        let event = field!(self, __bindgen_anon_1.system_event);
        // SAFETY: both members of the union are integers.
        let data = unsafe { event.__bindgen_anon_1.data };
        (event.type_, if event.ndata > 0 { data[0] } else { 0 })
    }

    #[cfg(target_arch = "x86_64")]
    pub(super) fn debug(&self) -> kvm_debug_exit_arch {
        field!(self, __bindgen_anon_1.debug).arch
    }

    pub(super) fn internal_error(&self) -> Failure {
        let internal = field!(self, __bindgen_anon_1.internal);
        let count = (internal.ndata as usize).min(4);
        let mut data = [0; 4];
        data[..count].copy_from_slice(&internal.data[..count]);
        Failure { code: internal.suberror.into(), data }
    }

    pub(super) fn failed_entry(&self) -> Failure {
        let failed = field!(self, __bindgen_anon_1.fail_entry);
        Failure { code: failed.hardware_entry_failure_reason, data: [failed.cpu.into(), 0, 0, 0] }
    }

    pub(super) fn hardware_reason(&self) -> u64 {
        field!(self, __bindgen_anon_1.hw).hardware_exit_reason
    }

    #[cfg(target_arch = "x86_64")]
    /// Vector of an interrupt whose end the I/O APIC waits for.
    pub(super) fn eoi_vector(&self) -> u8 {
        field!(self, __bindgen_anon_1.eoi).vector
    }
}
