//! Every form with random operands, read back by iced-x86.

use iced_x86::{Decoder, DecoderOptions, Instruction, OpKind, Register};

use super::*;

/// xorshift64: reproducible, and good enough for operands.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: u8) -> u8 {
        (self.next() >> 20) as u8 % end
    }

    fn disp(&mut self) -> i32 {
        let any = self.next() as i32;
        match self.below(4) {
            0 => 0,
            1 => any % 128,
            2 => [-129, -128, 127, 128][usize::from(self.below(4))],
            _ => any,
        }
    }

    fn mem(&mut self) -> Mem {
        let disp = self.disp();
        let index = loop {
            let index = self.below(16);
            if index != 4 {
                break (index, self.below(4));
            }
        };
        match self.below(8) {
            0 => Mem { base: None, index: None, disp },
            1 => Mem { base: None, index: Some(index), disp },
            2 => Mem::rip(disp),
            3 | 4 => Mem::indexed(self.below(16), index.0, index.1, disp),
            _ => Mem::base(self.below(16), disp),
        }
    }
}

/// What one operand of the row should read back as.
#[derive(Debug, PartialEq)]
enum Expect {
    Register(Register),
    Memory(Mem),
    Immediate(i64),
    Near(u64),
}

const CC: [&str; 16] =
    ["o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g"];

fn gpr(number: u8, bits: u32) -> Register {
    let number = u32::from(number);
    match bits {
        8 if number >= 4 => Register::SPL + (number - 4),
        8 => Register::AL + number,
        16 => Register::AX + number,
        32 => Register::EAX + number,
        _ => Register::RAX + number,
    }
}

fn bits(w: Width) -> u32 {
    8 << w as u32
}

/// The operands chosen for one trial, and what they should read back as.
struct Trial {
    form: Form,
    w: Width,
    ymm: bool,
    reg: u8,
    vvvv: u8,
    rm: Option<Rm>,
    low: u8,
    imm: i64,
    expected: Vec<Expect>,
}

impl Trial {
    fn new(form: Form, codes: &[&str], random: &mut Random) -> Trial {
        let flags = form.flags;
        let w = if flags & SIZE_V != 0 {
            [Width::W, Width::D, Width::Q][usize::from(random.below(3))]
        } else if flags & SIZE_Y != 0 {
            [Width::D, Width::Q][usize::from(random.below(2))]
        } else if flags & D64 != 0 {
            [Width::W, Width::Q][usize::from(random.below(2))]
        } else {
            Width::Q
        };
        let both = codes.iter().any(|c| {
            "VHWU".contains(&c[..1]) && ["x", "ps", "pd", "/2", "/4", "/8", "dd"].contains(&&c[1..])
        });
        let ymm = flags & VEX != 0 && (flags & L1 != 0 || both && random.below(2) == 0);
        let form = if ymm { form.ymm() } else { form };
        let mut trial = Trial {
            form,
            w,
            ymm,
            reg: random.below(16),
            vvvv: random.below(16),
            rm: None,
            low: random.below(15) + 1,
            imm: random.next() as i64,
            expected: Vec::new(),
        };
        for code in codes {
            let expected = trial.operand(code, random);
            trial.expected.extend(expected);
        }
        trial
    }

    fn vector(&self, number: u8, kind: &str) -> Register {
        let wide = self.ymm && ["x", "ps", "pd", "qq", "dd"].contains(&kind);
        (if wide { Register::YMM0 } else { Register::XMM0 }) + u32::from(number)
    }

    fn size(&self, kind: &str) -> u32 {
        match kind {
            "b" => 8,
            "w" => 16,
            "d" => 32,
            "y" => bits(self.w).max(32),
            "z" if self.w == Width::Q => 32,
            "v" | "z" if self.form.flags & (SIZE_V | SIZE_Y | D64) != 0 => bits(self.w),
            _ => 64,
        }
    }

    fn operand(&mut self, code: &str, random: &mut Random) -> Option<Expect> {
        let fixed = match code {
            "AL" => Some(Register::AL),
            "CL" => Some(Register::CL),
            "AX" => Some(Register::AX),
            "DX" => Some(Register::DX),
            "rAX" => Some(gpr(0, bits(self.w))),
            "eAX" => Some(gpr(0, bits(self.w).min(32))),
            "FS" => Some(Register::FS),
            "GS" => Some(Register::GS),
            "ST0" => Some(Register::ST0),
            "STi" => {
                self.low &= 7;
                self.rm = Some(Rm::Reg(self.low));
                Some(Register::ST0 + u32::from(self.low))
            }
            "1" => return Some(Expect::Immediate(1)),
            _ => None,
        };
        if let Some(register) = fixed {
            return Some(Expect::Register(register));
        }
        let kind = &code[1..];
        let register = match &code[..1] {
            "G" => gpr(self.reg, self.size(kind)),
            "B" => gpr(self.vvvv, self.size(kind)),
            "Z" => gpr(self.low, self.size(kind)),
            "V" => self.vector(self.reg, kind),
            "H" => self.vector(self.vvvv, kind),
            "L" => {
                let number = random.below(16);
                self.imm = i64::from(number) << 4;
                self.vector(number, kind)
            }
            "P" => {
                self.reg &= 7;
                Register::MM0 + u32::from(self.reg)
            }
            "S" => {
                self.reg %= 6;
                Register::ES + u32::from(self.reg)
            }
            "C" => Register::CR0 + u32::from(self.reg),
            "D" => {
                self.reg &= 7;
                Register::DR0 + u32::from(self.reg)
            }
            "X" | "Y" => return None,
            "N" if kind == "0" => return None,
            "I" => return Some(Expect::Immediate(self.immediate(kind))),
            "J" => {
                self.imm = if kind == "b" { self.imm as i8 as i64 } else { self.imm as i32 as i64 };
                return Some(Expect::Near(self.imm as u64));
            }
            method => return Some(self.modrm(method, kind, random)),
        };
        Some(Expect::Register(register))
    }

    fn modrm(&mut self, method: &str, kind: &str, random: &mut Random) -> Expect {
        let register_only = ["R", "U", "N"].contains(&method);
        if method == "M" || !register_only && random.below(2) == 0 {
            let mem = random.mem();
            self.rm = Some(Rm::Mem(mem));
            return Expect::Memory(mem);
        }
        let number = random.below(if ["N", "Q"].contains(&method) { 8 } else { 16 });
        self.rm = Some(Rm::Reg(number));
        Expect::Register(match method {
            "N" | "Q" => Register::MM0 + u32::from(number),
            "W" | "U" => self.vector(number, kind),
            _ => gpr(number, self.size(kind)),
        })
    }

    /// Narrows the immediate to what the row holds, and says how it reads back.
    fn immediate(&mut self, kind: &str) -> i64 {
        let size = bits(self.w);
        match kind {
            "b" if self.form.imm == Imm::Wb => self.imm >> 16 & 0xff,
            "b" => self.imm & 0xff,
            "bs" => i64::from(self.imm as i8) & (u64::MAX >> (64 - size)) as i64,
            "w" => self.imm & 0xffff,
            "v" if size == 64 => self.imm,
            _ if size == 16 => self.imm & 0xffff,
            _ if size == 32 => self.imm & 0xffff_ffff,
            _ => i64::from(self.imm as i32),
        }
    }

    fn encode(&self, codes: &[&str]) -> Vec<u8> {
        let mut out = Vec::new();
        let Trial { form, w, reg, vvvv, imm, .. } = *self;
        let has = |letters: &str| codes.iter().any(|code| letters.contains(&code[..1]));
        let (imm_operand, reg_operand) = (has("IL"), form.modrm == MODRM_REG);
        match self.rm {
            _ if has("J") => form.j(&mut out, imm as i32),
            Some(rm) if has("HB") && imm_operand => {
                form.vrmi(&mut out, w, reg, vvvv, rm, imm);
            }
            Some(rm) if has("HB") => form.vrm(&mut out, w, reg, vvvv, rm),
            Some(rm) if reg_operand && imm_operand => form.rmi(&mut out, w, reg, rm, imm),
            Some(rm) if reg_operand => form.rm(&mut out, w, reg, rm),
            Some(rm) if imm_operand => form.mi(&mut out, w, rm, imm),
            Some(rm) => form.m(&mut out, w, rm),
            None if has("Z") && imm_operand => form.oi(&mut out, w, self.low, imm),
            None if has("Z") => form.o(&mut out, w, self.low),
            None if imm_operand => form.i(&mut out, w, imm),
            None if form.flags & (SIZE_V | D64) != 0 => form.nw(&mut out, w),
            None => form.n(&mut out),
        }
        out
    }
}

fn read_memory(instruction: &Instruction, next: u64) -> Mem {
    let number = |register: Register| (register as u32 - Register::RAX as u32) as u8;
    let index = match instruction.memory_index() {
        Register::None => None,
        index => Some((number(index), instruction.memory_index_scale().trailing_zeros() as u8)),
    };
    let disp = instruction.memory_displacement64();
    match instruction.memory_base() {
        Register::RIP => Mem::rip(disp.wrapping_sub(next) as i32),
        Register::None => Mem { base: None, index, disp: disp as i32 },
        base => Mem { base: Some(number(base)), index, disp: disp as i32 },
    }
}

fn read_operand(instruction: &Instruction, index: u32, next: u64) -> Expect {
    match instruction.op_kind(index) {
        OpKind::Register => Expect::Register(instruction.op_register(index)),
        OpKind::Memory => Expect::Memory(read_memory(instruction, next)),
        OpKind::NearBranch64 => Expect::Near(instruction.near_branch64().wrapping_sub(next)),
        OpKind::Immediate32 | OpKind::Immediate8to32 => {
            Expect::Immediate((instruction.immediate(index) & 0xffff_ffff) as i64)
        }
        OpKind::Immediate8to16 | OpKind::Immediate16 => {
            Expect::Immediate((instruction.immediate(index) & 0xffff) as i64)
        }
        _ => Expect::Immediate(instruction.immediate(index) as i64),
    }
}

fn mnemonic(text: &str, cc: Option<u8>, w: Width) -> String {
    if let Some(cc) = cc {
        return format!("{text}{}", CC[usize::from(cc)]);
    }
    match text {
        "sysret" | "sysexit" if w == Width::Q => format!("{text}q"),
        _ => text.into(),
    }
}

fn full_registers(operands: &mut [Expect]) {
    for operand in operands {
        if let Expect::Register(register) = operand {
            *register = register.full_register();
        }
    }
}

/// One trial of the row `text`; what went wrong.
fn check(text: &str, random: &mut Random) -> Result<(), String> {
    let (name, operands) = text.split_once(' ').unwrap_or((text, ""));
    let codes: Vec<&str> = operands.split(',').filter(|code| !code.is_empty()).collect();
    let (_, form) = form::ALL.iter().find(|row| row.0 == text).expect("a row");
    let cc = ["j", "set", "cmov"].contains(&name).then(|| random.below(16));
    let form = cc.map_or(*form, |cc| form.with_cc(cc));
    let mut trial = Trial::new(form, &codes, random);
    if name == "mov" && codes.iter().any(|code| ["Cy", "Dy"].contains(code)) {
        trial.rm = trial.rm.map(|_| Rm::Reg(trial.low));
        trial.reg = 2;
        trial.expected = codes
            .iter()
            .map(|code| {
                Expect::Register(match &code[..1] {
                    "C" => Register::CR2,
                    "D" => Register::DR2,
                    _ => gpr(trial.low, 64),
                })
            })
            .collect();
    }
    if name == "mov" && codes[0] == "Sw" {
        trial.reg = 3;
        trial.expected[0] = Expect::Register(Register::DS);
    }
    let bytes = trial.encode(&codes);
    let mut decoder = Decoder::with_ip(64, &bytes, 0, DecoderOptions::NONE);
    let instruction = decoder.decode();
    let context = format!("{text} {:?} {bytes:02x?}: {instruction}", trial.w);
    let require = |holds: bool| if holds { Ok(()) } else { Err(context.clone()) };
    require(instruction.len() == bytes.len())?;
    let string = codes.iter().any(|code| "XY".contains(&code[..1]));
    let read = format!("{:?}", instruction.mnemonic()).to_lowercase();
    if string {
        let suffix = if codes.iter().any(|c| ["Xb", "Yb"].contains(c)) { "b" } else { "wdq" };
        let rest = read.strip_prefix(name);
        return require(rest.is_some_and(|rest| rest.len() == 1 && suffix.contains(rest)));
    }
    require(read == mnemonic(name, cc, trial.w))?;
    if ["maskmovq", "maskmovdqu", "vmaskmovdqu", "xlatb"].contains(&name) {
        return Ok(());
    }
    let mut read: Vec<Expect> = (0..instruction.op_count())
        .map(|index| read_operand(&instruction, index, bytes.len() as u64))
        .collect();
    if codes.contains(&"Ew") && !name.starts_with("mov") || codes.starts_with(&["Sw"]) {
        // Selectors: iced-x86 shows the register of the operand size, the row the 16 bits used.
        full_registers(&mut read);
        full_registers(&mut trial.expected);
    }
    if read == trial.expected {
        return Ok(());
    }
    Err(format!("{context}: read {read:?}, expected {:?}", trial.expected))
}

#[test]
fn every_form_reads_back() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let wrong: Vec<String> = form::ALL
        .iter()
        .filter_map(|(text, _)| (0..64).find_map(|_| check(text, &mut random).err()))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn hex(build: impl Fn(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    build(&mut out);
    out.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn byte_registers_are_the_low_ones() {
    assert_eq!(hex(|out| form::MOV_EB_GB.rm(out, Width::B, 4, Rm::Reg(0))), "4088e0");
    assert_eq!(hex(|out| form::MOV_EB_GB.rm(out, Width::B, 3, Rm::Reg(0))), "88d8");
    assert_eq!(hex(|out| form::MOVZX_GV_EB.rm(out, Width::D, 5, Rm::Reg(7))), "400fb6ef");
    assert_eq!(hex(|out| form::SETCC_EB.with_cc(4).m(out, Width::B, Rm::Reg(6))), "400f94c6");
}

#[test]
fn displacements_are_the_shortest() {
    let lea = |mem| hex(|out| form::LEA_GV_M.rm(out, Width::Q, 0, Rm::Mem(mem)));
    assert_eq!(lea(Mem::base(3, 0)), "488d03");
    assert_eq!(lea(Mem::base(5, 0)), "488d4500");
    assert_eq!(lea(Mem::base(13, 0)), "498d4500");
    assert_eq!(lea(Mem::base(4, -128)), "488d442480");
    assert_eq!(lea(Mem::base(12, 128)), "498d842480000000");
    assert_eq!(lea(Mem::indexed(13, 12, 3, 0)), "4b8d44e500");
    assert_eq!(lea(Mem { base: None, index: None, disp: 16 }), "488d042510000000");
}

#[test]
fn prefixes_are_added() {
    let mem = Rm::Mem(Mem::base(0, 0));
    assert_eq!(hex(|out| form::CMPXCHG_EV_GV.locked().rm(out, Width::Q, 1, mem)), "f0480fb108");
    assert_eq!(hex(|out| form::MOVS_YV_XV.rep().nw(out, Width::Q)), "f348a5");
    assert_eq!(hex(|out| form::CMPXCHG16B_MDQ.locked().m(out, Width::Q, mem)), "f0480fc708");
}

#[test]
fn nops_fill_any_length() {
    for count in 0..40 {
        let mut out = Vec::new();
        nops(&mut out, count);
        assert_eq!(out.len(), count);
        let decoder = Decoder::with_ip(64, &out, 0, DecoderOptions::NONE);
        assert!(decoder.into_iter().all(|insn| insn.mnemonic() == iced_x86::Mnemonic::Nop));
    }
}
