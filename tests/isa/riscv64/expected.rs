//! What integer instructions give, written down a second time from the manual, one line each.

/// The result in rd of a 32-bit word of the row `name`, from the values of rs1 and rs2; `None` for
/// rows that are not simple. `pc` is the instruction's address.
pub(crate) fn result(name: &str, word: u32, a: u64, b: u64, pc: u64) -> Option<u64> {
    let (aw, bw) = (a as u32, b as u32);
    let (sa, sb) = (a as i64, b as i64);
    let (saw, sbw) = (a as i32, b as i32);
    let imm = i64::from(word as i32 >> 20) as u64;
    let shift = word >> 20 & 63;
    let upper = i64::from((word & 0xffff_f000) as i32) as u64;
    let bit = 1u64 << (b & 63);
    let bit_imm = 1u64 << shift;
    let w = |v: u32| i64::from(v as i32) as u64;
    let is = u64::from;
    Some(match name {
        // [Unpriv §2.4], [Unpriv §4.2]
        "lui" => upper,
        "auipc" => pc.wrapping_add(upper),
        "addi" => a.wrapping_add(imm),
        "slti" => is(sa < imm as i64),
        "sltiu" => is(a < imm),
        "xori" => a ^ imm,
        "ori" => a | imm,
        "andi" => a & imm,
        "slli" => a << shift,
        "srli" => a >> shift,
        "srai" => (sa >> shift) as u64,
        "add" => a.wrapping_add(b),
        "sub" => a.wrapping_sub(b),
        "sll" => a << (b & 63),
        "slt" => is(sa < sb),
        "sltu" => is(a < b),
        "xor" => a ^ b,
        "srl" => a >> (b & 63),
        "sra" => (sa >> (b & 63)) as u64,
        "or" => a | b,
        "and" => a & b,
        "addiw" => w(aw.wrapping_add(imm as u32)),
        "slliw" => w(aw << (shift & 31)),
        "srliw" => w(aw >> (shift & 31)),
        "sraiw" => w((saw >> (shift & 31)) as u32),
        "addw" => w(aw.wrapping_add(bw)),
        "subw" => w(aw.wrapping_sub(bw)),
        "sllw" => w(aw << (bw & 31)),
        "srlw" => w(aw >> (bw & 31)),
        "sraw" => w((saw >> (bw & 31)) as u32),
        // [Unpriv §13.1], [Unpriv §13.2]
        "mul" => a.wrapping_mul(b),
        "mulh" => ((i128::from(sa) * i128::from(sb)) >> 64) as u64,
        "mulhsu" => ((i128::from(sa) * i128::from(b)) >> 64) as u64,
        "mulhu" => ((u128::from(a) * u128::from(b)) >> 64) as u64,
        "div" if b == 0 => u64::MAX,
        "div" => sa.wrapping_div(sb) as u64,
        "divu" if b == 0 => u64::MAX,
        "divu" => a / b,
        "rem" if b == 0 => a,
        "rem" => sa.wrapping_rem(sb) as u64,
        "remu" if b == 0 => a,
        "remu" => a % b,
        "mulw" => w(aw.wrapping_mul(bw)),
        "divw" if bw == 0 => u64::MAX,
        "divw" => w(saw.wrapping_div(sbw) as u32),
        "divuw" if bw == 0 => u64::MAX,
        "divuw" => w(aw / bw),
        "remw" if bw == 0 => w(aw),
        "remw" => w(saw.wrapping_rem(sbw) as u32),
        "remuw" if bw == 0 => w(aw),
        "remuw" => w(aw % bw),
        // [Unpriv §28.4.1]
        "add.uw" => b.wrapping_add(u64::from(aw)),
        "sh1add" => b.wrapping_add(a << 1),
        "sh2add" => b.wrapping_add(a << 2),
        "sh3add" => b.wrapping_add(a << 3),
        "sh1add.uw" => b.wrapping_add(u64::from(aw) << 1),
        "sh2add.uw" => b.wrapping_add(u64::from(aw) << 2),
        "sh3add.uw" => b.wrapping_add(u64::from(aw) << 3),
        "slli.uw" => u64::from(aw) << shift,
        // [Unpriv §28.4.2]
        "andn" => a & !b,
        "orn" => a | !b,
        "xnor" => !(a ^ b),
        "clz" => u64::from(a.leading_zeros()),
        "clzw" => u64::from(aw.leading_zeros()),
        "ctz" => u64::from(a.trailing_zeros()),
        "ctzw" => u64::from(aw.trailing_zeros()),
        "cpop" => u64::from(a.count_ones()),
        "cpopw" => u64::from(aw.count_ones()),
        "max" => sa.max(sb) as u64,
        "maxu" => a.max(b),
        "min" => sa.min(sb) as u64,
        "minu" => a.min(b),
        "sext.b" => i64::from(a as i8) as u64,
        "sext.h" => i64::from(a as i16) as u64,
        "zext.h" => a & 0xffff,
        "rol" => a.rotate_left(b as u32 & 63),
        "rolw" => w(aw.rotate_left(bw & 31)),
        "ror" => a.rotate_right(b as u32 & 63),
        "rori" => a.rotate_right(shift),
        "rorw" => w(aw.rotate_right(bw & 31)),
        "roriw" => w(aw.rotate_right(shift & 31)),
        "orc.b" => u64::from_le_bytes(a.to_le_bytes().map(|byte| if byte == 0 { 0 } else { 255 })),
        "rev8" => a.swap_bytes(),
        // [Unpriv §28.4.4]
        "bclr" => a & !bit,
        "bclri" => a & !bit_imm,
        "bext" => is(a & bit != 0),
        "bexti" => is(a & bit_imm != 0),
        "binv" => a ^ bit,
        "binvi" => a ^ bit_imm,
        "bset" => a | bit,
        "bseti" => a | bit_imm,
        // [Unpriv §12]
        "czero.eqz" => {
            if b == 0 {
                0
            } else {
                a
            }
        }
        "czero.nez" => {
            if b != 0 {
                0
            } else {
                a
            }
        }
        _ => return None,
    })
}
