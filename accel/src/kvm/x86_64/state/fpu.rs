//! x87, SSE, AVX, AVX-512 and protection keys: the XSAVE area in its standard form
//! `[SDM-1 §13.4]`.

use arch::x86_64::Cpu;
use kvm_bindings::{kvm_xcr, kvm_xcrs, kvm_xsave};
use kvm_ioctls::VcpuFd;

use super::super::structs;
use crate::kvm::KvmError;

/// Components by their numbers in XCR0.
const AVX: u32 = 2;
const OPMASK: u32 = 5;
const ZMM_HIGH: u32 = 6;
const ZMM_UPPER: u32 = 7;
const PKRU: u32 = 9;

/// Places in the area.
const FCW: usize = 0;
const FSW: usize = 2;
const FTW: usize = 4;
const FOP: usize = 6;
const FIP: usize = 8;
const FDP: usize = 16;
const MXCSR: usize = 24;
const ST: usize = 32;
const XMM: usize = 160;
const XSTATE_BV: usize = 512;

/// x87 and SSE, which are written always.
const LEGACY: u64 = 3;

/// A component: number, offset and size.
type Part = (u32, usize, usize);

/// The area as bytes.
struct Area(Vec<u8>);

impl Area {
    fn get<const N: usize>(&self, at: usize) -> [u8; N] {
        let bytes = self.0.get(at..).and_then(|rest| rest.first_chunk());
        bytes.copied().unwrap_or([0; N])
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        if let Some(place) = self.0.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }

    fn word(&self, at: usize) -> u64 {
        u16::from_le_bytes(self.get(at)).into()
    }

    fn quad(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.get(at))
    }

    fn wide(&self, at: usize) -> u128 {
        u128::from_le_bytes(self.get(at))
    }

    fn put_wides(&mut self, at: usize, values: &[u128]) {
        for (n, value) in values.iter().enumerate() {
            self.put(at + 16 * n, &value.to_le_bytes());
        }
    }
}

pub(super) fn set(fd: &VcpuFd, state: &Cpu, parts: &[Part], xcr0: u64) -> Result<(), KvmError> {
    let mut area = Area(vec![0; size_of::<kvm_xsave>()]);
    legacy(&mut area, state);
    let mut used = LEGACY;
    for (number, at, _) in parts {
        if state.xinuse >> number & 1 == 0 {
            continue;
        }
        used |= 1 << number;
        match *number {
            AVX => area.put_wides(*at, &state.ymm_high),
            OPMASK => {
                for (n, mask) in state.k.iter().enumerate() {
                    area.put(at + 8 * n, &mask.to_le_bytes());
                }
            }
            ZMM_HIGH => area.put_wides(*at, &state.zmm_high),
            ZMM_UPPER => area.put_wides(*at, &state.zmm_upper),
            PKRU => area.put(*at, &(state.pkru as u32).to_le_bytes()),
            _ => {}
        }
    }
    area.put(XSTATE_BV, &used.to_le_bytes());
    let mut xsave = kvm_xsave::default();
    for (word, bytes) in xsave.region.iter_mut().zip(area.0.chunks_exact(4)) {
        *word = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    }
    // XCR0 first: the area may name no component beyond it.
    if state.xcr0 != 0 && xcr0 > 1 {
        let mut xcrs = kvm_xcrs { nr_xcrs: 1, ..kvm_xcrs::default() };
        xcrs.xcrs[0] = kvm_xcr { xcr: 0, reserved: 0, value: state.xcr0 & xcr0 | 1 };
        fd.set_xcrs(&xcrs).map_err(KvmError::refused("XCR0"))?;
    }
    structs::set_xsave(fd, &xsave)
}

fn legacy(area: &mut Area, state: &Cpu) {
    for (at, value) in [(FCW, state.fcw), (FSW, state.fsw), (FTW, state.ftw), (FOP, state.fop)] {
        area.put(at, &(value as u16).to_le_bytes());
    }
    area.put(FIP, &state.fip.to_le_bytes());
    area.put(FDP, &state.fdp.to_le_bytes());
    area.put(MXCSR, &(state.mxcsr as u32).to_le_bytes());
    area.put_wides(ST, &state.st);
    area.put_wides(XMM, &state.xmm);
}

pub(super) fn get(fd: &VcpuFd, state: &mut Cpu, parts: &[Part]) -> Result<(), KvmError> {
    let xsave = fd.get_xsave().map_err(KvmError::refused("floating-point registers"))?;
    let area = Area(xsave.region.iter().flat_map(|word| word.to_le_bytes()).collect());
    let used = area.quad(XSTATE_BV);
    state.xinuse = used;
    // Components that are not in use have their initial values, whatever the area holds.
    state.fcw = if used & 1 != 0 { area.word(FCW) } else { 0x37f };
    if used & 1 != 0 {
        (state.fsw, state.ftw, state.fop) = (area.word(FSW), area.word(FTW), area.word(FOP));
        (state.fip, state.fdp) = (area.quad(FIP), area.quad(FDP));
        // The register's 80 bits: what is above them is nobody's.
        state.st = std::array::from_fn(|n| area.wide(ST + 16 * n) & ((1 << 80) - 1));
    }
    state.mxcsr = u32::from_le_bytes(area.get(MXCSR)).into();
    if used & 2 != 0 {
        state.xmm = std::array::from_fn(|n| area.wide(XMM + 16 * n));
    }
    for (number, at, _) in parts.iter().filter(|(number, ..)| used >> number & 1 != 0) {
        match *number {
            AVX => state.ymm_high = std::array::from_fn(|n| area.wide(at + 16 * n)),
            OPMASK => state.k = std::array::from_fn(|n| area.quad(at + 8 * n)),
            ZMM_HIGH => state.zmm_high = std::array::from_fn(|n| area.wide(at + 16 * n)),
            ZMM_UPPER => state.zmm_upper = std::array::from_fn(|n| area.wide(at + 16 * n)),
            PKRU => state.pkru = u32::from_le_bytes(area.get(*at)).into(),
            _ => {}
        }
    }
    let xcrs = fd.get_xcrs().unwrap_or_default();
    let count = (xcrs.nr_xcrs as usize).min(xcrs.xcrs.len());
    let xcr0 = xcrs.xcrs[..count].iter().find(|xcr| xcr.xcr == 0);
    state.xcr0 = xcr0.map_or(1, |xcr| xcr.value);
    Ok(())
}
