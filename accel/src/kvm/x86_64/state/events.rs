//! Exceptions and interrupts on their way into the processor `[KVM-API 4.31]`.

use arch::x86_64::Cpu;
use arch::x86_64::state::event;
use kvm_bindings::{
    KVM_VCPUEVENT_VALID_NMI_PENDING, KVM_VCPUEVENT_VALID_PAYLOAD, KVM_VCPUEVENT_VALID_SHADOW,
    KVM_VCPUEVENT_VALID_SIPI_VECTOR, KVM_VCPUEVENT_VALID_TRIPLE_FAULT, kvm_vcpu_events,
};

const HAS_ERROR: u64 = 1 << 32;
const INTERRUPT: u64 = 1 << 8;
const SOFT: u64 = 1 << 9;
const NMI_INJECTED: u64 = 1;
const NMI_MASKED: u64 = 2;
const NMI_PENDING_SHIFT: u32 = 8;

/// `payload`, `triple_fault`: what this KVM tells.
pub(super) fn to_kvm(state: &Cpu, payload: bool, triple_fault: bool) -> kvm_vcpu_events {
    let events = &state.events;
    let bit = |value: u64, flag: u64| u8::from(value & flag != 0);
    let mut out = kvm_vcpu_events {
        flags: KVM_VCPUEVENT_VALID_NMI_PENDING
            | KVM_VCPUEVENT_VALID_SIPI_VECTOR
            | KVM_VCPUEVENT_VALID_SHADOW,
        sipi_vector: events[event::SIPI_VECTOR] as u32,
        ..kvm_vcpu_events::default()
    };
    let kind = events[event::EXCEPTION];
    out.exception.injected = u8::from(kind == 1 || kind == 2 && !payload);
    out.exception.nr = events[event::EXCEPTION_VECTOR] as u8;
    out.exception.has_error_code = bit(events[event::EXCEPTION_ERROR], HAS_ERROR);
    out.exception.error_code = events[event::EXCEPTION_ERROR] as u32;
    if payload {
        out.flags |= KVM_VCPUEVENT_VALID_PAYLOAD;
        out.exception.pending = u8::from(kind == 2);
        out.exception_has_payload = events[event::EXCEPTION_HAS_PAYLOAD] as u8 & 1;
        out.exception_payload = events[event::EXCEPTION_PAYLOAD];
    }
    let interrupt = events[event::INTERRUPT];
    out.interrupt.injected = bit(interrupt, INTERRUPT);
    out.interrupt.nr = interrupt as u8;
    out.interrupt.soft = bit(interrupt, SOFT);
    out.interrupt.shadow = events[event::SHADOW] as u8;
    let nmi = events[event::NMI];
    out.nmi.injected = bit(nmi, NMI_INJECTED);
    out.nmi.masked = bit(nmi, NMI_MASKED);
    out.nmi.pending = (nmi >> NMI_PENDING_SHIFT) as u8;
    if triple_fault {
        out.flags |= KVM_VCPUEVENT_VALID_TRIPLE_FAULT;
        out.triple_fault.pending = events[event::TRIPLE_FAULT] as u8 & 1;
    }
    out
}

pub(super) fn from_kvm(state: &mut Cpu, events: &kvm_vcpu_events) {
    let bit = |on: u8, flag: u64| if on != 0 { flag } else { 0 };
    let to = &mut state.events;
    let exception = &events.exception;
    to[event::EXCEPTION] = match (exception.injected, exception.pending) {
        (0, 0) => 0,
        (0, _) => 2,
        _ => 1,
    };
    if to[event::EXCEPTION] != 0 {
        to[event::EXCEPTION_VECTOR] = exception.nr.into();
        to[event::EXCEPTION_ERROR] =
            bit(exception.has_error_code, HAS_ERROR | u64::from(exception.error_code));
        to[event::EXCEPTION_HAS_PAYLOAD] = bit(events.exception_has_payload, 1);
        to[event::EXCEPTION_PAYLOAD] =
            bit(events.exception_has_payload, u64::MAX) & events.exception_payload;
    }
    let interrupt = &events.interrupt;
    to[event::INTERRUPT] =
        bit(interrupt.injected, INTERRUPT | u64::from(interrupt.nr) | bit(interrupt.soft, SOFT));
    to[event::SHADOW] = interrupt.shadow.into();
    to[event::NMI] = bit(events.nmi.injected, NMI_INJECTED)
        | bit(events.nmi.masked, NMI_MASKED)
        | u64::from(events.nmi.pending) << NMI_PENDING_SHIFT;
    to[event::SIPI_VECTOR] = events.sipi_vector.into();
    to[event::SMI] = u64::from(events.smi.smm)
        | u64::from(events.smi.pending) << 1
        | u64::from(events.smi.smm_inside_nmi) << 2
        | u64::from(events.smi.latched_init) << 3;
    to[event::TRIPLE_FAULT] = bit(events.triple_fault.pending, 1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_back() {
        let mut state = Cpu::default();
        state.events[event::EXCEPTION] = 2;
        state.events[event::EXCEPTION_VECTOR] = 14;
        state.events[event::EXCEPTION_ERROR] = HAS_ERROR | 5;
        state.events[event::EXCEPTION_HAS_PAYLOAD] = 1;
        state.events[event::EXCEPTION_PAYLOAD] = 0xffff_8000_1234_5678;
        state.events[event::INTERRUPT] = INTERRUPT | 0x31;
        state.events[event::SHADOW] = 1;
        state.events[event::NMI] = NMI_MASKED | 1 << NMI_PENDING_SHIFT;
        state.events[event::SIPI_VECTOR] = 0x9a;
        state.events[event::TRIPLE_FAULT] = 1;
        let mut back = Cpu::default();
        from_kvm(&mut back, &to_kvm(&state, true, true));
        assert_eq!(back, state);
    }
}
