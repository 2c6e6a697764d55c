//! Random encodings, read by this decoder and by iced-x86.

use iced_x86::{
    Code as IcedCode, CpuidFeature, Decoder as Iced, DecoderOptions, Instruction, OpKind, Register,
};

use super::*;
use crate::isa::x86_64::{Feature, Op, sample};

fn generator(mut state: u64) -> impl FnMut() -> u64 {
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

/// What every processor of 64 bits has, and hints.
const BASE: &[CpuidFeature] = &[
    CpuidFeature::INTEL8086,
    CpuidFeature::INTEL186,
    CpuidFeature::INTEL286,
    CpuidFeature::INTEL386,
    CpuidFeature::INTEL486,
    CpuidFeature::X64,
    CpuidFeature::CMOV,
    CpuidFeature::CPUID,
    CpuidFeature::FPU,
    CpuidFeature::FPU287,
    CpuidFeature::FPU387,
    CpuidFeature::FXSR,
    CpuidFeature::MSR,
    CpuidFeature::MULTIBYTENOP,
    CpuidFeature::PAUSE,
    CpuidFeature::PREFETCHW,
    CpuidFeature::PREFETCHWT1,
    CpuidFeature::RDPMC,
    CpuidFeature::SEP,
    CpuidFeature::SMM,
    CpuidFeature::SYSCALL,
    CpuidFeature::TSC,
];

/// Instructions that iced-x86 knows and the maps do not have.
fn out_of_scope(instruction: &Instruction) -> bool {
    use CpuidFeature as F;
    let known = [
        F::ADX,
        F::AES,
        F::AVX,
        F::AVX2,
        F::BMI1,
        F::BMI2,
        F::CLFLUSHOPT,
        F::CLFSH,
        F::CLWB,
        F::CMPXCHG16B,
        F::CX8,
        F::F16C,
        F::FMA,
        F::FSGSBASE,
        F::INVPCID,
        F::LZCNT,
        F::MMX,
        F::MONITOR,
        F::MOVBE,
        F::PCLMULQDQ,
        F::PKU,
        F::POPCNT,
        F::RDPID,
        F::RDRAND,
        F::RDSEED,
        F::RDTSCP,
        F::SHA,
        F::SMAP,
        F::SSE,
        F::SSE2,
        F::SSE3,
        F::SSE4_1,
        F::SSE4_2,
        F::SSSE3,
        F::VAES,
        F::VPCLMULQDQ,
        F::XSAVE,
        F::XSAVEC,
        F::XSAVEOPT,
        F::XSAVES,
    ];
    instruction.cpuid_features().iter().any(|f| !known.contains(f) && !BASE.contains(f))
        || matches!(instruction.code(), IcedCode::INVALID)
        || instruction.memory_index().is_vector_register()
}

fn register(register: Register) -> Operand {
    let number = register.number() as u8;
    if register.is_gpr8() {
        return match register {
            Register::AH | Register::CH | Register::DH | Register::BH => {
                Operand::High((register as u32 - Register::AH as u32) as u8)
            }
            _ => Operand::Gpr(register.full_register().number() as u8, Width::B),
        };
    }
    match register {
        r if r.is_gpr16() => Operand::Gpr(number, Width::W),
        r if r.is_gpr32() => Operand::Gpr(number, Width::D),
        r if r.is_gpr64() => Operand::Gpr(number, Width::Q),
        r if r.is_xmm() => Operand::Xmm(number),
        r if r.is_ymm() => Operand::Ymm(number),
        r if r.is_mm() => Operand::Mm(number),
        r if r.is_st() => Operand::St(number),
        r if r.is_cr() => Operand::Control(number),
        r if r.is_dr() => Operand::Debug(number),
        r if r.is_segment_register() => {
            Segment::new(number).map_or(Operand::None, Operand::Segment)
        }
        _ => Operand::None,
    }
}

/// FS or GS if that is the segment, else none: without a base they are all alike.
fn based(segment: Register) -> Option<Segment> {
    match segment {
        Register::FS => Some(Segment::Fs),
        Register::GS => Some(Segment::Gs),
        _ => None,
    }
}

fn memory(instruction: &Instruction, next: u64) -> Mem {
    let (base, index) = (instruction.memory_base(), instruction.memory_index());
    let rip = matches!(base, Register::RIP | Register::EIP);
    let disp = instruction.memory_displacement64();
    let addr32 = [base, index].iter().any(|r| r.is_gpr32() || *r == Register::EIP);
    let stack = matches!(base.full_register(), Register::RSP | Register::RBP);
    let default = if stack { Segment::Ss } else { Segment::Ds };
    Mem {
        base: match base {
            Register::None => None,
            _ if rip => Some(Mem::RIP),
            base => Some(base.full_register().number() as u8),
        },
        index: (index != Register::None).then(|| {
            let scale = instruction.memory_index_scale().trailing_zeros() as u8;
            (index.full_register().number() as u8, scale)
        }),
        disp: match rip {
            true if addr32 => i64::from(disp.wrapping_sub(next) as i32),
            true => disp.wrapping_sub(next) as i64,
            false => disp as i64,
        },
        segment: based(instruction.memory_segment()).unwrap_or(default),
        addr32,
    }
}

/// Whether the row's feature is among those that iced-x86 names.
fn same_feature(insn: &Insn, iced: &Instruction) -> bool {
    let ours = format!("{:?}", insn.feature()).to_uppercase();
    let theirs: Vec<String> =
        iced.cpuid_features().iter().map(|f| format!("{f:?}").replace('_', "")).collect();
    match insn.feature() {
        Feature::Base => iced.cpuid_features().iter().all(|f| BASE.contains(f)) || hint(insn.op()),
        _ => theirs.contains(&ours),
    }
}

/// What differs between the two readings of the same bytes.
fn differs(ours: &Decoded, iced: &Instruction) -> Option<String> {
    let insn = &ours.insn;
    if usize::from(ours.len) != iced.len() {
        return Some(format!("length {} for {}", ours.len, iced.len()));
    }
    let name = insn.to_string();
    let name = name.trim_start_matches("lock ").trim_start_matches("rep ");
    let name = name.trim_start_matches("repe ").trim_start_matches("repne ");
    let name = name.trim_start_matches("fs ").trim_start_matches("gs ");
    let name = name.split(' ').next().unwrap_or_default();
    let theirs = format!("{:?}", iced.mnemonic()).to_lowercase();
    if !same_mnemonic(name, &theirs, insn) {
        return Some(format!("mnemonic {name} for {theirs}"));
    }
    if !same_feature(insn, iced) {
        return Some(format!("{:?} for {:?}", insn.feature(), iced.cpuid_features()));
    }
    if insn.lock != iced.has_lock_prefix() {
        return Some("lock".into());
    }
    if insn.row().string() {
        let rep = (iced.has_rep_prefix() || iced.has_repe_prefix(), iced.has_repne_prefix());
        let expected = (insn.rep == Rep::Rep, insn.rep == Rep::Repne);
        return (rep != expected).then(|| "repeat prefix".into());
    }
    if implicit_operands(insn.op()) {
        return None;
    }
    let count = insn.operands.iter().filter(|operand| **operand != Operand::None).count();
    if count != iced.op_count() as usize {
        return Some(format!("{count} operands for {}", iced.op_count()));
    }
    (0..count).find_map(|index| operand_differs(ours, iced, index))
}

fn operand_differs(ours: &Decoded, iced: &Instruction, index: usize) -> Option<String> {
    let operand = ours.insn.operands[index];
    let same = match iced.op_kind(index as u32) {
        OpKind::Register => {
            same_register(operand, register(iced.op_register(index as u32)), &ours.insn)
        }
        OpKind::Memory => match operand {
            Operand::Mem(bytes) => {
                let (mem, theirs) = (ours.insn.mem, memory(iced, u64::from(ours.len)));
                let size = iced.memory_size().size();
                let addressed = Mem { addr32: theirs.addr32, ..mem } == theirs
                    || mem.addr32
                        && mem.disp as u32 == theirs.disp as u32
                        && Mem { disp: 0, addr32: theirs.addr32, ..mem }
                            == Mem { disp: 0, ..theirs };
                let no_registers = mem.base.is_none() && mem.index.is_none();
                let sized = bytes == 0 || usize::from(bytes) == size || size == 0;
                if !sized {
                    return Some(format!("{bytes} bytes of memory for {size}"));
                }
                addressed && (no_registers || mem.addr32 == theirs.addr32)
            }
            _ => false,
        },
        OpKind::NearBranch64 => {
            operand == Operand::Rel
                && iced.near_branch64() == (ours.insn.imm as u64).wrapping_add(ours.len.into())
        }
        _ => {
            let mask = match operand {
                Operand::Imm(width) => u64::MAX >> (64 - (8 << width as u32)),
                Operand::Imm2 | Operand::One => 0xff,
                _ => return Some(format!("operand {index}")),
            };
            ours.insn.value(operand) as u64 & mask == iced.immediate(index as u32) & mask
        }
    };
    (!same).then(|| format!("operand {index}: {operand:?} {:x?}", ours.insn.mem))
}

/// iced-x86 shows selectors as registers of the operand size, and results that are zero-extended
/// from 32 bits or less as 64-bit registers under REX.W.
fn same_register(ours: Operand, theirs: Operand, insn: &Insn) -> bool {
    match (ours, theirs) {
        (Operand::Gpr(number, Width::W), Operand::Gpr(other, _))
            if insn.row().text().contains("Ew") =>
        {
            number == other
        }
        (Operand::Gpr(number, Width::D), Operand::Gpr(other, Width::Q)) => {
            number == other
                && ["Gd", "Rd", "Ed"].iter().any(|code| insn.row().text().contains(code))
        }
        _ => ours == theirs,
    }
}

fn same_mnemonic(ours: &str, theirs: &str, insn: &Insn) -> bool {
    let wide = insn.width == Width::Q;
    match insn.op() {
        Op::Nop => theirs == "nop" || theirs == "reservednop",
        Op::Sysret | Op::Sysexit if wide => theirs.strip_suffix('q') == Some(ours),
        _ => ours == theirs,
    }
}

/// Operands that iced-x86 shows and the maps do not.
fn implicit_operands(op: Op) -> bool {
    matches!(op, Op::Xlatb | Op::Maskmovq | Op::Maskmovdqu | Op::Vmaskmovdqu)
}

/// Hints that a processor without the feature executes as another instruction, and calls to a
/// hypervisor, which is there or not.
fn hint(op: Op) -> bool {
    use Op::{Endbr32, Endbr64, Nop, Vmcall, Vmmcall, Wbinvd};
    matches!(op, Nop | Wbinvd | Endbr32 | Endbr64 | Vmcall | Vmmcall)
}

/// Compares the readings of `bytes`; what is wrong, if anything.
fn compare(bytes: &[u8]) -> Option<String> {
    let ours = decode(bytes);
    let mut decoder = Iced::with_ip(64, bytes, 0, DecoderOptions::NONE);
    let iced = decoder.decode();
    match ours {
        Err(_) if out_of_scope(&iced) => None,
        Err(error) => Some(format!("{bytes:02x?} {iced}: {error}")),
        Ok(ours) if iced.is_invalid() => {
            Some(format!("{bytes:02x?} is invalid, not {}", ours.insn))
        }
        Ok(ours) if out_of_scope(&iced) && hint(ours.insn.op()) => None,
        // f3 41 90: processors exchange (tried on Zen), and so does LLVM.
        Ok(ours) if iced.code() == IcedCode::Pause && ours.insn.op() == Op::Xchg => None,
        Ok(ours) => {
            differs(&ours, &iced).map(|what| format!("{bytes:02x?} {iced}: {}: {what}", ours.insn))
        }
    }
}

fn report(wrong: Vec<String>) {
    let count = wrong.len();
    let shown: Vec<String> = wrong.into_iter().take(60).collect();
    assert!(shown.is_empty(), "{count} differ:\n{}", shown.join("\n"));
}

#[test]
fn every_row_is_read_as_iced_reads_it() {
    let mut random = generator(7);
    let mut wrong = Vec::new();
    for row in 0..ROWS.len() as u16 {
        let mut found = 0;
        let mut bad = None;
        for _ in 0..1000 {
            let Some(bytes) = sample(row, &mut random) else { continue };
            found += 1;
            bad = bad.or_else(|| compare(&bytes));
            if found == 100 {
                break;
            }
        }
        if found == 0 {
            wrong.push(format!("row {} was never made", ROWS[usize::from(row)].text()));
        }
        wrong.extend(bad);
    }
    report(wrong);
}

#[test]
fn random_bytes_are_read_as_iced_reads_them() {
    let mut random = generator(11);
    let wrong = (0..200_000).filter_map(|_| {
        let mut bytes = [0; MAX_LEN];
        for chunk in bytes.chunks_mut(8) {
            let length = chunk.len();
            chunk.copy_from_slice(&random().to_le_bytes()[..length]);
        }
        // Prefixes and escapes are rare in random bytes.
        let mut at = 0;
        for prefix in [0x66, 0xf2, 0xf3, 0x67, 0xf0, 0x65] {
            if random() >> 16 & 15 == 0 {
                bytes[at] = prefix;
                at += 1;
            }
        }
        if random() >> 16 & 3 == 0 {
            bytes[at] = 0x40 | bytes[at] & 15;
            at += 1;
        }
        match random() >> 16 & 7 {
            0..=2 => bytes[at] = 0x0f,
            3 => bytes[at..at + 2].copy_from_slice(&[0x0f, 0x38]),
            4 => bytes[at..at + 2].copy_from_slice(&[0x0f, 0x3a]),
            5 => bytes[at] = 0xc4 | bytes[at] & 1,
            _ => {}
        }
        compare(&bytes)
    });
    report(wrong.collect());
}

fn text(bytes: &[u8]) -> String {
    decode(bytes).expect("an instruction").insn.to_string()
}

#[test]
fn instructions_print_in_intel_syntax() {
    assert_eq!(text(&[0x48, 0x01, 0xd8]), "add rax, rbx");
    assert_eq!(text(&[0x88, 0xe5]), "mov ch, ah");
    assert_eq!(text(&[0x40, 0x88, 0xe5]), "mov bpl, spl");
    assert_eq!(text(&[0xf0, 0x0f, 0xb1, 0x0c, 0x91]), "lock cmpxchg dword ptr [rcx+rdx*4], ecx");
    assert_eq!(text(&[0x65, 0x48, 0x8b, 0x04, 0x25, 40, 0, 0, 0]), "mov rax, qword ptr gs:[0x28]");
    assert_eq!(text(&[0x48, 0x8d, 0x05, 0xf0, 0xff, 0xff, 0xff]), "lea rax, [rip-0x10]");
    assert_eq!(text(&[0x75, 0xfe]), "jne $next-0x2");
    assert_eq!(text(&[0xf3, 0x48, 0xa5]), "rep movsq");
    assert_eq!(text(&[0xf2, 0xae]), "repne scasb");
    assert_eq!(text(&[0xc5, 0xf5, 0xfe, 0xc2]), "vpaddd ymm0, ymm1, ymm2");
    assert_eq!(text(&[0xdd, 0xd9]), "fstp st(1)");
    assert_eq!(text(&[0xc8, 0x10, 0, 2]), "enter 0x10, 0x2");
    assert_eq!(text(&[0x67, 0xe3, 0]), "jecxz $next+0x0");
}

#[test]
fn ends_of_the_bytes_are_told_apart() {
    let whole = [0x66, 0x43, 0x81, 0x84, 0xe5, 1, 2, 3, 4, 5, 6];
    assert!(decode(&whole).is_ok());
    for length in 0..whole.len() {
        assert_eq!(decode(&whole[..length]), Err(DecodeError::Truncated));
    }
    let mut long = [0x66; 16];
    long[14] = 0x90;
    assert_eq!(decode(&long).map(|decoded| decoded.len), Ok(15));
    long[14] = 0x66;
    assert_eq!(decode(&long), Err(DecodeError::TooLong));
    assert_eq!(decode(&[0x06]), Err(Undefined));
}

#[test]
fn what_is_no_instruction_is_refused() {
    for bytes in [
        &[0xf0, 0x01, 0xc0][..],      // LOCK without memory
        &[0xf0, 0x8b, 0x00],          // LOCK of a load
        &[0xf0, 0x39, 0x00],          // LOCK of a comparison
        &[0x8e, 0xc8],                // CS as destination
        &[0x8c, 0xf0],                // no such segment register
        &[0x8d, 0xc0],                // LEA of a register
        &[0x66, 0xc5, 0xf8, 0x58, 0], // 66 and VEX
        &[0x48, 0xc5, 0xf8, 0x58, 0], // REX and VEX
        &[0xc5, 0xf0, 0x28, 0x00],    // VEX.vvvv without an operand in it
        &[0x0f, 0x20, 0xc8],          // CR1
    ] {
        assert_eq!(decode(bytes), Err(Undefined), "{bytes:02x?}");
    }
}

#[test]
fn features_depend_on_the_vector_length() {
    let feature = |bytes: &[u8]| decode(bytes).expect("an instruction").insn.feature();
    assert_eq!(feature(&[0xc5, 0xf1, 0xfe, 0xc2]), Feature::Avx);
    assert_eq!(feature(&[0xc5, 0xf5, 0xfe, 0xc2]), Feature::Avx2);
    assert_eq!(feature(&[0xc5, 0xf4, 0x58, 0xc2]), Feature::Avx);
    assert_eq!(feature(&[0x66, 0x0f, 0xfe, 0xc2]), Feature::Sse2);
    assert_eq!(feature(&[0x90]), Feature::Base);
}
