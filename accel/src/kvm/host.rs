//! `/dev/kvm`.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use kvm_ioctls::Cap;

use super::vm::KvmVm;
use super::{KvmError, KvmVcpuArch};
use crate::{Accelerator, Error, IrqChips, Vm, VmConfig};

/// The version of the interface, for ever `[KVM-API 4.1]`.
const API_VERSION: i32 = 12;

/// KVM of this host.
#[derive(Clone)]
pub struct Kvm {
    pub(super) fd: Arc<kvm_ioctls::Kvm>,
    /// Bytes that a vCPU's page and what follows it take.
    pub(super) page_len: usize,
    /// Entries of each vCPU's dirty ring; 0 for the bitmap.
    pub(super) ring_entries: u32,
    /// The next machine's first vCPU runs the probe before it runs its guest.
    pub(super) on_probation: Option<Arc<AtomicBool>>,
}

/// Why there is no KVM to use, and what helps against it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// No device.
    #[error(
        "there is no /dev/kvm; load its module (`modprobe kvm_intel`, `kvm_amd` or `kvm`) and \
         switch virtualization on in the host's firmware"
    )]
    NoDevice,
    /// No permission.
    #[error(
        "this user may not open /dev/kvm; add it to the group that owns the device (`sudo usermod \
         -aG kvm $USER`, then log in again)"
    )]
    NoPermission,
    /// Something else.
    #[error("/dev/kvm cannot be used: {0}; look for it in the host's kernel log")]
    Unusable(String),
    /// It lacks what we need.
    #[error("this kernel's KVM has no {0}, which Polyvisor needs; use a newer kernel")]
    Old(&'static str),
}

impl Kvm {
    /// Opens it, and looks whether everything that we need is there.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn open() -> Result<Self, Missing> {
        let fd = kvm_ioctls::Kvm::new().map_err(|error| {
            let error: io::Error = error.into();
            match error.raw_os_error() {
                Some(libc::ENOENT | libc::ENXIO | libc::ENODEV) => Missing::NoDevice,
                Some(libc::EACCES | libc::EPERM) => Missing::NoPermission,
                _ => Missing::Unusable(error.to_string()),
            }
        })?;
        if fd.get_api_version() != API_VERSION {
            return Err(Missing::Old("interface of version 12"));
        }
        let needed = [
            (Cap::UserMemory, "memory slots (KVM_CAP_USER_MEMORY)"),
            (Cap::ImmediateExit, "immediate exits (KVM_CAP_IMMEDIATE_EXIT)"),
            (Cap::ReadonlyMem, "read-only memory (KVM_CAP_READONLY_MEM)"),
            (Cap::Ioeventfd, "doorbells (KVM_CAP_IOEVENTFD)"),
        ];
        if let Some((_, name)) = needed.iter().find(|(cap, _)| !fd.check_extension(*cap)) {
            return Err(Missing::Old(name));
        }
        let page_len =
            fd.get_vcpu_mmap_size().map_err(|error| Missing::Unusable(error.to_string()))?;
        Ok(Self { fd: Arc::new(fd), page_len, ring_entries: 0, on_probation: None })
    }

    /// Has the next machine prove that it is worth using, before it runs its guest; otherwise its
    /// first vCPU ends with [`Error::Unusable`].
    #[must_use]
    pub fn on_probation(&self) -> Self {
        Self { on_probation: Some(Arc::new(AtomicBool::new(true))), ..self.clone() }
    }

    /// Has vCPUs log written pages in rings of so many entries (a power of two) instead of a
    /// bitmap.
    ///
    /// # Errors
    /// This KVM has no rings, or none that long.
    pub fn with_dirty_ring(mut self, entries: u32) -> Result<Self, Error> {
        let bytes = entries.saturating_mul(super::ring::ENTRY_BYTES);
        if bytes > super::ring::longest(&self.fd) || !entries.is_power_of_two() {
            return Err(
                KvmError::Lacks("dirty ring of that length (KVM_CAP_DIRTY_LOG_RING)").into()
            );
        }
        self.ring_entries = entries;
        Ok(self)
    }
}

impl<A: KvmVcpuArch> Accelerator<A> for Kvm {
    fn name(&self) -> &'static str {
        "kvm"
    }

    fn model(&self, asked: &A::Model) -> Result<A::Model, Error> {
        A::model(self, asked)
    }

    fn irqchips(&self) -> &'static [IrqChips] {
        A::irqchips()
    }

    fn saves(&self, irqchips: IrqChips) -> bool {
        irqchips == IrqChips::Machine || A::SAVES_IRQCHIPS
    }

    fn create_vm(&self, config: VmConfig<A>) -> Result<Box<dyn Vm<A>>, Error> {
        Ok(Box::new(KvmVm::new(self, config)?))
    }
}
