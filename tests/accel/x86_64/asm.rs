//! A few instructions of 64-bit x86, as bytes.

/// A program under construction.
#[derive(Default)]
pub(super) struct Asm {
    pub(super) bytes: Vec<u8>,
}

impl Asm {
    pub(super) fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend(bytes);
        self
    }

    fn imm32(self, value: u32) -> Self {
        self.raw(&value.to_le_bytes())
    }

    /// `mov eax, value`
    pub(super) fn eax(self, value: u32) -> Self {
        self.raw(&[0xb8]).imm32(value)
    }

    /// `mov rax, value`
    pub(super) fn rax(self, value: u64) -> Self {
        self.raw(&[0x48, 0xb8]).raw(&value.to_le_bytes())
    }

    /// `mov rbx, value`
    pub(super) fn rbx(self, value: u64) -> Self {
        self.raw(&[0x48, 0xbb]).raw(&value.to_le_bytes())
    }

    /// `mov rcx, value`
    pub(super) fn rcx(self, value: u64) -> Self {
        self.raw(&[0x48, 0xb9]).raw(&value.to_le_bytes())
    }

    /// `mov rsi, value`
    pub(super) fn rsi(self, value: u64) -> Self {
        self.raw(&[0x48, 0xbe]).raw(&value.to_le_bytes())
    }

    /// `mov dx, port`
    pub(super) fn dx(self, port: u16) -> Self {
        self.raw(&[0x66, 0xba]).raw(&port.to_le_bytes())
    }

    /// Stores the low `size` bytes of RAX to `[rbx + offset]`.
    pub(super) fn store(self, size: usize, offset: u8) -> Self {
        let opcode: &[u8] = match size {
            1 => &[0x88],
            2 => &[0x66, 0x89],
            4 => &[0x89],
            _ => &[0x48, 0x89],
        };
        self.raw(opcode).raw(&[0x43, offset])
    }

    /// Loads the low `size` bytes of RAX from `[rbx + offset]`.
    pub(super) fn load(self, size: usize, offset: u8) -> Self {
        let opcode: &[u8] = match size {
            1 => &[0x8a],
            2 => &[0x66, 0x8b],
            4 => &[0x8b],
            _ => &[0x48, 0x8b],
        };
        self.raw(opcode).raw(&[0x43, offset])
    }

    /// `out dx, al/ax/eax`
    pub(super) fn out(self, size: usize) -> Self {
        self.raw(match size {
            1 => &[0xee],
            2 => &[0x66, 0xef],
            _ => &[0xef],
        })
    }

    /// `in al/ax/eax, dx`
    pub(super) fn input(self, size: usize) -> Self {
        self.raw(match size {
            1 => &[0xec],
            2 => &[0x66, 0xed],
            _ => &[0xed],
        })
    }

    /// `cld; rep outsb`
    pub(super) fn rep_outsb(self) -> Self {
        self.raw(&[0xfc, 0xf3, 0x6e])
    }

    /// `1: jmp 1b`
    pub(super) fn forever(self) -> Self {
        self.raw(&[0xeb, 0xfe])
    }

    /// `sti; 1: hlt; jmp 1b`
    pub(super) fn sleep(self) -> Self {
        self.raw(&[0xfb, 0xf4, 0xeb, 0xfd])
    }

    /// Ends the run.
    pub(super) fn end(self) -> Self {
        self.dx(super::machine::END).out(1).forever()
    }
}
