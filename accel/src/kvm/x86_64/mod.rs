//! An x86-64 host.

mod clock;
mod cpuid;
mod debug;
mod irqchip;
mod msr;
mod ports;
mod probe;
mod state;
mod structs;

use arch::x86_64::{Cpu, Model, X86_64};
use kvm_bindings::{
    KVM_EXIT_DEBUG, KVM_EXIT_IO, KVM_EXIT_IOAPIC_EOI, KVM_EXIT_X86_RDMSR, KVM_EXIT_X86_WRMSR,
};
use kvm_ioctls::{VcpuFd, VmFd};

use self::cpuid::Table;
use self::irqchip::Chips;
use super::page::Page;
use super::probe::Guest;
use super::vm::Shared;
use super::{Handled, Kvm, KvmArch, KvmError, KvmVcpuArch};
use crate::{Error, Exit, IrqChip, IrqChips, Stops, VmConfig};

/// Three pages that KVM needs on processors of Intel's that cannot run real mode, and one for its
/// page table: below the flash memory that boards have at the end of the first 4 GiB.
const TSS_ADDRESS: usize = 0xfffb_d000;
const IDENTITY_MAP_ADDRESS: u64 = 0xfffb_c000;

/// What a machine has beside memory and vCPUs.
pub struct Machine {
    table: Table,
    /// State components that XCR0 may name.
    xcr0: u64,
    /// Places in [`arch::x86_64::msr::MSRS`] of those that this KVM has.
    msrs: Vec<usize>,
    /// The highest bits of exceptions' state are told.
    payload: bool,
    triple_fault: bool,
    chips: Chips,
}

/// What a vCPU has beside its descriptor.
pub struct VcpuExtra {
    /// No registers have been set yet: those that KVM starts with need not be.
    fresh: bool,
}

impl KvmArch for X86_64 {
    type Vm = Machine;
    type Vcpu = VcpuExtra;

    const SAVES_IRQCHIPS: bool = true;

    fn irqchips() -> &'static [IrqChips] {
        &[IrqChips::Accelerator, IrqChips::Split, IrqChips::Machine]
    }

    fn model(host: &Kvm, asked: &Model) -> Result<Model, Error> {
        // What KVM can give is a table of its own; nothing can be missing from it if all that is
        // asked for is that.
        if *asked != Model::default() {
            Table::new(host, asked)?;
            clock::check(host, asked)?;
        }
        Ok(asked.clone())
    }

    fn machine_type(_: &Kvm) -> u64 {
        0
    }

    fn vm(host: &Kvm, fd: &VmFd, config: &VmConfig<Self>) -> Result<Machine, Error> {
        let mut table = Table::new(host, &config.model)?;
        fd.set_tss_address(TSS_ADDRESS).map_err(KvmError::refused("pages for real mode"))?;
        fd.set_identity_map_address(IDENTITY_MAP_ADDRESS)
            .map_err(KvmError::refused("a page for real mode"))?;
        msr::leave_to_us(fd)?;
        Ok(Machine {
            xcr0: table.xcr0(),
            table,
            msrs: msr::known(host)?,
            payload: state::enable_payload(fd),
            triple_fault: state::enable_triple_fault(fd),
            chips: Chips::new(fd, config.irqchips)?,
        })
    }
}

impl KvmVcpuArch for X86_64 {
    const HAS_DEBUG: bool = true;
    /// No firmware call reports a failure here.
    const SHUTDOWN_FAILURE: u64 = u64::MAX;

    type Moment = clock::Moment;

    fn stop_time(shared: &Shared<Self>, vcpus: &[VcpuFd]) -> Result<clock::Moment, KvmError> {
        clock::stop(&shared.fd, vcpus)
    }

    fn start_time(
        shared: &Shared<Self>,
        vcpus: &[VcpuFd],
        moment: &clock::Moment,
    ) -> Result<(), KvmError> {
        clock::start(&shared.fd, vcpus, moment)
    }

    fn vcpu(shared: &Shared<Self>, page: &mut Page, index: u32) -> Result<VcpuExtra, Error> {
        let table = shared.arch.table.of_vcpu(index, shared.config.vcpus)?;
        page.fd.set_cpuid2(&table).map_err(KvmError::refused("the processor's features"))?;
        clock::set(&page.fd, &shared.config.model)?;
        Ok(VcpuExtra { fresh: true })
    }

    fn renew(vcpu: &mut VcpuExtra) {
        vcpu.fresh = true;
    }

    fn set_state(
        shared: &Shared<Self>,
        page: &mut Page,
        vcpu: &mut VcpuExtra,
        state: &Cpu,
        parked: bool,
    ) -> Result<(), Error> {
        let fresh = std::mem::replace(&mut vcpu.fresh, false);
        state::set(shared, &page.fd, state, parked, fresh)
    }

    fn state(shared: &Shared<Self>, page: &mut Page, _: &mut VcpuExtra) -> Result<Cpu, Error> {
        state::get(shared, &page.fd)
    }

    fn parked(page: &mut Page) -> Result<bool, Error> {
        state::parked(&page.fd)
    }

    fn exit(
        shared: &Shared<Self>,
        page: &mut Page,
        _: &mut VcpuExtra,
        reason: u32,
    ) -> Result<Handled, Error> {
        match reason {
            KVM_EXIT_IO => ports::access(&*shared.config.io, page),
            KVM_EXIT_X86_RDMSR => msr::read(page),
            KVM_EXIT_X86_WRMSR => msr::write(page),
            KVM_EXIT_DEBUG => return Ok(Handled::Return(Exit::Debug(debug::stop(&page.debug())))),
            // Nobody outside KVM waits for the end of an interrupt.
            KVM_EXIT_IOAPIC_EOI => {
                tracing::trace!("end of interrupt {:#x}", page.eoi_vector());
            }
            other => return Ok(Handled::Stuck(format!("KVM leaves the guest by exit {other}"))),
        }
        Ok(Handled::GoOn)
    }

    /// The pins of a processor are its local APIC's.
    fn set_pin(_: &Shared<Self>, vcpu: u32, pin: u32, _: bool) {
        tracing::debug!("pin {pin} of vCPU {vcpu} is driven, which leads nowhere");
    }

    fn irqchip(shared: &Shared<Self>) -> Option<&dyn IrqChip> {
        (shared.config.irqchips != IrqChips::Machine).then_some(shared as &dyn IrqChip)
    }

    fn pc_gpa(_: &Shared<Self>, page: &mut Page, state: &Cpu) -> Option<u64> {
        let address = state.segment_base(arch::x86_64::state::seg::CS).wrapping_add(state.rip);
        let translated = page.fd.translate_gva(address).ok()?;
        (translated.valid != 0).then_some(translated.physical_address)
    }

    fn probe() -> Guest<Self> {
        probe::guest()
    }

    fn set_stops(page: &mut Page, stops: &Stops) -> Result<(), Error> {
        debug::set(&page.fd, stops)
    }
}
