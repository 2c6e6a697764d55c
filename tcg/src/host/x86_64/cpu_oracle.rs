//! The host's own processor, as the judge of the x86-64 guest's instructions.
//!
//! [`Oracle::run`] executes one instruction with given registers, flags, and state of the
//! floating-point units. Compiled for tests on
//! x86_64 hosts only. What must not be run on it: instructions that fault, that leave the
//! instruction stream but by a relative branch, or that change more than [`Registers`], the direction
//! flag and the memory at [`Oracle::window`]; with exceptions of floating point unmasked, any.
#![expect(unsafe_code, reason = "executes instructions made at run time")]

mod comparison;
mod sequences;

use std::ptr::NonNull;

use super::asm::Sink;
use crate::jit::codebuf::CodeBuf;

/// Bytes that memory operands may reach.
pub(super) const WINDOW: usize = 0x1000;
const PAGE: usize = 0x1000;
/// Where a taken branch goes, from the instruction behind it.
pub(super) const TAKEN: i32 = 0x40;

/// What FXSAVE saves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(super) struct Units {
    pub(super) xmm: [u128; 16],
    /// From the stack's top.
    pub(super) st: [u128; 8],
    pub(super) mxcsr: u64,
    pub(super) fcw: u64,
    pub(super) fsw: u64,
    pub(super) ftw: u64,
}

impl Default for Units {
    fn default() -> Self {
        Self { xmm: [0; 16], st: [0; 8], mxcsr: MXCSR, fcw: 0x37f, fsw: 0, ftw: 0 }
    }
}

/// All exceptions masked.
const MXCSR: u64 = 0x1f80;
/// Bytes of FXSAVE's image.
const IMAGE: usize = 512;
/// Its place behind the registers, and behind it that of our own MXCSR.
const IMAGE_AT: usize = 0x400;

impl Units {
    fn image(&self) -> [u8; IMAGE] {
        let mut image = [0; IMAGE];
        image[0..2].copy_from_slice(&self.fcw.to_le_bytes()[..2]);
        image[2..4].copy_from_slice(&self.fsw.to_le_bytes()[..2]);
        image[4] = self.ftw as u8;
        image[24..28].copy_from_slice(&self.mxcsr.to_le_bytes()[..4]);
        for (n, value) in self.st.iter().chain(&self.xmm).enumerate() {
            image[32 + 16 * n..][..16].copy_from_slice(&value.to_le_bytes());
        }
        image
    }

    fn from_image(image: &[u8]) -> Self {
        let word = |at: usize| u64::from(u16::from_le_bytes([image[at], image[at + 1]]));
        let vector = |n: usize| {
            image[32 + 16 * n..][..16].iter().rev().fold(0, |v, b| v << 8 | u128::from(*b))
        };
        Self {
            xmm: std::array::from_fn(|n| vector(8 + n)),
            st: std::array::from_fn(|n| vector(n) & ((1 << 80) - 1)),
            mxcsr: word(24) | word(26) << 16,
            fcw: word(0),
            fsw: word(2),
            ftw: word(4) & 0xff,
        }
    }
}

/// Registers in hardware order, and flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(super) struct Registers {
    pub(super) gpr: [u64; 16],
    pub(super) rflags: u64,
    /// The branch was taken.
    pub(super) taken: u64,
    host_rsp: u64,
    pub(super) units: Units,
}

/// See the module.
pub(super) struct Oracle {
    code: CodeBuf,
    /// A page for [`Registers`], then the window: below 2 GiB, so that absolute addresses work.
    low: NonNull<u8>,
}

impl Oracle {
    pub(super) fn new() -> Self {
        let code = CodeBuf::new(PAGE).expect("memory for code");
        // SAFETY: a fresh private mapping; the result is checked.
        let low = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                PAGE + WINDOW,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_32BIT,
                -1,
                0,
            )
        };
        assert_ne!(low, libc::MAP_FAILED, "low memory for the window");
        Self { code, low: NonNull::new(low.cast()).expect("not mapped at zero") }
    }

    /// Address of the window; guests have theirs at the same one.
    pub(super) fn window(&self) -> u64 {
        self.low.as_ptr() as u64 + PAGE as u64
    }

    /// The memory that operands reach.
    pub(super) fn memory(&mut self) -> &mut [u8] {
        // SAFETY: mapped by `new`, WINDOW bytes behind the first page, borrowed with `self`.
        unsafe { std::slice::from_raw_parts_mut(self.low.as_ptr().add(PAGE), WINDOW) }
    }

    /// Executes `insn`; see the module for what that may be.
    pub(super) fn run(&mut self, insn: &[u8], registers: &mut Registers) {
        let code = self.trampoline(insn);
        self.code.write(0, &code);
        // SAFETY: the first page of the mapping is for the registers, and aligned.
        let area = unsafe { &mut *self.low.as_ptr().cast::<Registers>() };
        *area = *registers;
        area.taken = 0;
        // SAFETY: behind the registers, in the first page of the mapping.
        let image =
            unsafe { std::slice::from_raw_parts_mut(self.low.as_ptr().add(IMAGE_AT), IMAGE + 4) };
        image[..IMAGE].copy_from_slice(&registers.units.image());
        image[IMAGE..].copy_from_slice(&MXCSR.to_le_bytes()[..4]);
        // SAFETY: the trampoline saves what the calling convention wants kept, and restores the
        // stack pointer; the caller answers for the instruction.
        unsafe {
            let run: extern "sysv64" fn() =
                std::mem::transmute(self.code.exec_address(0) as *const ());
            run();
        }
        // SAFETY: as above.
        *registers = unsafe { *self.low.as_ptr().cast::<Registers>() };
        // SAFETY: as above.
        let image = unsafe { std::slice::from_raw_parts(self.low.as_ptr().add(IMAGE_AT), IMAGE) };
        registers.units = Units::from_image(image);
    }

    fn place(&self, offset: usize) -> [u8; 4] {
        let address = self.low.as_ptr() as usize + offset;
        u32::try_from(address).expect("the window is low").to_le_bytes()
    }

    /// `op reg, [address]` with an absolute address.
    fn absolute(&self, code: &mut Vec<u8>, op: u8, reg: u8, offset: usize) {
        code.put(&[0x48 | (reg >> 3) << 2, op, (reg & 7) << 3 | 4, 0x25]);
        code.put(&self.place(offset));
    }

    fn trampoline(&self, insn: &[u8]) -> Vec<u8> {
        use std::mem::offset_of;
        const LOAD: u8 = 0x8b;
        const STORE: u8 = 0x89;
        const RSP: u8 = 4;
        let gpr = |r: u8| offset_of!(Registers, gpr) + usize::from(r) * 8;
        let host_rsp = offset_of!(Registers, host_rsp);
        let rflags = self.place(offset_of!(Registers, rflags));
        let mut code = Vec::new();
        // push rbx, rbp, r12 to r15; push the flags, popfq.
        code.put(&[0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57]);
        code.put(&[0xff, 0x34, 0x25]);
        code.put(&rflags);
        code.put(&[0x9d]);
        self.absolute(&mut code, STORE, RSP, host_rsp);
        // fxrstor64
        code.put(&[0x48, 0x0f, 0xae, 0x0c, 0x25]);
        code.put(&self.place(IMAGE_AT));
        for r in 0..16 {
            self.absolute(&mut code, LOAD, r, gpr(r));
        }
        code.put(insn);
        let behind = code.len();
        // jmp over the place where taken branches arrive.
        let over = TAKEN as usize + 12;
        code.put(&[0xe9]);
        code.put(&(over as u32 - 5).to_le_bytes());
        code.resize(behind + TAKEN as usize, 0xcc);
        // mov qword [taken], 1
        code.put(&[0x48, 0xc7, 0x04, 0x25]);
        code.put(&self.place(offset_of!(Registers, taken)));
        code.put(&1u32.to_le_bytes());
        debug_assert_eq!(code.len(), behind + over);
        for r in 0..16 {
            self.absolute(&mut code, STORE, r, gpr(r));
        }
        self.absolute(&mut code, LOAD, RSP, host_rsp);
        // fxsave64; fninit; ldmxcsr
        code.put(&[0x48, 0x0f, 0xae, 0x04, 0x25]);
        code.put(&self.place(IMAGE_AT));
        code.put(&[0xdb, 0xe3, 0x0f, 0xae, 0x14, 0x25]);
        code.put(&self.place(IMAGE_AT + IMAGE));
        // pushfq; pop the flags; cld; pop what was pushed; ret.
        code.put(&[0x9c, 0x8f, 0x04, 0x25]);
        code.put(&rflags);
        code.put(&[0xfc, 0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x41, 0x5c, 0x5d, 0x5b, 0xc3]);
        code
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        // SAFETY: mapped by `new` with this length, and used by nobody any more.
        unsafe { libc::munmap(self.low.as_ptr().cast(), PAGE + WINDOW) };
    }
}
