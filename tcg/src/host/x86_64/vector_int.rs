//! Instruction selection for integer lanes and their moves. Only the last instruction of a
//! sequence writes the target, which may be one of the operands.

use super::asm::{self, D, Form, Q, form::*};
use super::emit::Emit;
use super::fp::{F, Low};
use super::regs::*;
use super::vector::{Source, X0, X1};
use super::vector_table::Soft;
use crate::builder::{self, Width, X2, XImm};
use crate::guest::Guest;
use Width::*;

/// The one instruction that does an operation.
fn direct(op: X2, w: Width) -> Option<Form> {
    let by = |b: Option<Form>, h: Option<Form>, s: Option<Form>, d: Option<Form>| match w {
        W8 => b,
        W16 => h,
        W32 => s,
        W64 => d,
    };
    let all = |b, h, s, d| by(Some(b), Some(h), Some(s), Some(d));
    let three = |b, h, s| by(Some(b), Some(h), Some(s), None);
    let two = |b, h| by(Some(b), Some(h), None, None);
    let words = |h| by(None, Some(h), None, None);
    match op {
        X2::Add => all(VPADDB_VX_HX_WX, VPADDW_VX_HX_WX, VPADDD_VX_HX_WX, VPADDQ_VX_HX_WX),
        X2::Sub => all(VPSUBB_VX_HX_WX, VPSUBW_VX_HX_WX, VPSUBD_VX_HX_WX, VPSUBQ_VX_HX_WX),
        X2::Mul => by(None, Some(VPMULLW_VX_HX_WX), Some(VPMULLD_VX_HX_WX), None),
        X2::MulHighS => words(VPMULHW_VX_HX_WX),
        X2::MulHighU => words(VPMULHUW_VX_HX_WX),
        X2::MulWideS => by(None, None, None, Some(VPMULDQ_VX_HX_WX)),
        X2::MulWideU => by(None, None, None, Some(VPMULUDQ_VX_HX_WX)),
        X2::MulPairsS => by(None, None, Some(VPMADDWD_VX_HX_WX), None),
        X2::SumDiffU => by(None, None, None, Some(VPSADBW_VX_HX_WX)),
        X2::And => Some(VPAND_VX_HX_WX),
        X2::Or => Some(VPOR_VX_HX_WX),
        X2::Xor => Some(VPXOR_VX_HX_WX),
        X2::Eq => all(VPCMPEQB_VX_HX_WX, VPCMPEQW_VX_HX_WX, VPCMPEQD_VX_HX_WX, VPCMPEQQ_VX_HX_WX),
        X2::GtS => all(VPCMPGTB_VX_HX_WX, VPCMPGTW_VX_HX_WX, VPCMPGTD_VX_HX_WX, VPCMPGTQ_VX_HX_WX),
        X2::MinS => three(VPMINSB_VX_HX_WX, VPMINSW_VX_HX_WX, VPMINSD_VX_HX_WX),
        X2::MinU => three(VPMINUB_VX_HX_WX, VPMINUW_VX_HX_WX, VPMINUD_VX_HX_WX),
        X2::MaxS => three(VPMAXSB_VX_HX_WX, VPMAXSW_VX_HX_WX, VPMAXSD_VX_HX_WX),
        X2::MaxU => three(VPMAXUB_VX_HX_WX, VPMAXUW_VX_HX_WX, VPMAXUD_VX_HX_WX),
        X2::AddSatS => two(VPADDSB_VX_HX_WX, VPADDSW_VX_HX_WX),
        X2::AddSatU => two(VPADDUSB_VX_HX_WX, VPADDUSW_VX_HX_WX),
        X2::SubSatS => two(VPSUBSB_VX_HX_WX, VPSUBSW_VX_HX_WX),
        X2::SubSatU => two(VPSUBUSB_VX_HX_WX, VPSUBUSW_VX_HX_WX),
        X2::AvgU => two(VPAVGB_VX_HX_WX, VPAVGW_VX_HX_WX),
        X2::Shl => by(None, None, Some(VPSLLVD_VX_HX_WX), Some(VPSLLVQ_VX_HX_WX)),
        X2::Shr => by(None, None, Some(VPSRLVD_VX_HX_WX), Some(VPSRLVQ_VX_HX_WX)),
        X2::Sar => by(None, None, Some(VPSRAVD_VX_HX_WX), None),
        X2::ZipLow => {
            all(VPUNPCKLBW_VX_HX_WX, VPUNPCKLWD_VX_HX_WX, VPUNPCKLDQ_VX_HX_WX, VPUNPCKLQDQ_VX_HX_WX)
        }
        X2::ZipHigh => {
            all(VPUNPCKHBW_VX_HX_WX, VPUNPCKHWD_VX_HX_WX, VPUNPCKHDQ_VX_HX_WX, VPUNPCKHQDQ_VX_HX_WX)
        }
        X2::UnzipEven => by(None, None, None, Some(VPUNPCKLQDQ_VX_HX_WX)),
        X2::UnzipOdd => by(None, None, None, Some(VPUNPCKHQDQ_VX_HX_WX)),
        X2::PackSS => by(None, Some(VPACKSSWB_VX_HX_WX), Some(VPACKSSDW_VX_HX_WX), None),
        X2::PackSU => by(None, Some(VPACKUSWB_VX_HX_WX), Some(VPACKUSDW_VX_HX_WX), None),
        X2::Shuffle => Some(VPSHUFB_VX_HX_WX),
        X2::AesEncryptLast if has_aes() => Some(VAESENCLAST_VX_HX_WX),
        X2::AesDecryptLast if has_aes() => Some(VAESDECLAST_VX_HX_WX),
        _ => None,
    }
}

fn has_aes() -> bool {
    std::arch::is_x86_feature_detected!("aes")
}

fn has_carryless() -> bool {
    std::arch::is_x86_feature_detected!("pclmulqdq")
}

/// Left, right, and right with signs, by a constant.
fn shift(op: XImm, w: Width) -> Option<Form> {
    Some(match (op, w) {
        (XImm::Shl, W16) => VPSLLW_HX_UX_IB,
        (XImm::Shl, W32) => VPSLLD_HX_UX_IB,
        (XImm::Shl, W64) => VPSLLQ_HX_UX_IB,
        (XImm::Shr, W16) => VPSRLW_HX_UX_IB,
        (XImm::Shr, W32) => VPSRLD_HX_UX_IB,
        (XImm::Shr, W64) => VPSRLQ_HX_UX_IB,
        (XImm::Sar, W16) => VPSRAW_HX_UX_IB,
        (XImm::Sar, W32) => VPSRAD_HX_UX_IB,
        _ => return None,
    })
}

/// What is known of the upper part of a result.
fn result_low(op: X2, a: Low, b: Low) -> Low {
    match op {
        X2::Add | X2::Sub | X2::Or | X2::Xor | X2::MinS | X2::MaxS | X2::MaxU => a.min(b),
        X2::AddSatS | X2::AddSatU | X2::SubSatS | X2::SubSatU | X2::AvgU => a.min(b),
        X2::And | X2::MinU | X2::Mul | X2::MulWideU | X2::MulWideS => a.max(b),
        X2::AndNot | X2::Shl | X2::Shr => a,
        _ => Low::All,
    }
}

impl<G: Guest> Emit<'_, G> {
    pub(super) fn two_lanes_into(&mut self, op: X2, w: Width, a: F, b: F, to: Reg) {
        if op == X2::AndNot {
            // The host complements its first operand.
            let y = self.foperand(b);
            let x = self.source_of(a);
            let low = self.source_low(a, x);
            self.vvs(VPANDN_VX_HX_WX, to, y, x);
            return self.set_low(to, low);
        }
        let x = self.foperand(a);
        if let Some(form) = direct(op, w) {
            let y = self.source_of(b);
            let low = result_low(op, self.low(x), self.source_low(b, y));
            self.vvs(form, to, x, y);
            return self.set_low(to, low);
        }
        let y = self.foperand(b);
        let low = result_low(op, self.low(x), self.low(y));
        match (op, w) {
            (X2::Mul, W8) => self.multiply_bytes(x, y, to),
            (X2::GtU, W8 | W16 | W32) => {
                let (min, equal) = (direct(X2::MinU, w), direct(X2::Eq, w));
                if let (Some(min), Some(equal)) = (min, equal) {
                    self.vvv(min, X0, x, y);
                    self.vvv(equal, X0, X0, x);
                    self.ones(X1);
                    self.vvv(VPXOR_VX_HX_WX, to, X0, X1);
                }
            }
            (X2::GtU, W64) => {
                self.ones(X1);
                self.vshift(VPSLLQ_HX_UX_IB, X1, X1, 63);
                self.vvv(VPXOR_VX_HX_WX, X0, x, X1);
                self.vvv(VPXOR_VX_HX_WX, X1, y, X1);
                self.vvv(VPCMPGTQ_VX_HX_WX, to, X0, X1);
            }
            (X2::UnzipEven | X2::UnzipOdd, _) => self.unzip_into(op, w, x, y, to),
            (X2::PackUU, W16 | W32) => self.pack_unsigned(w, x, y, to),
            (X2::MulPolyWide, W64) if has_carryless() => {
                self.vvvi(VPCLMULQDQ_VX_HX_WX_IB, to, x, y, 0);
            }
            _ => return self.soft_vector(Soft::Two(op, w), &[x, y], to),
        }
        self.set_low(to, low);
    }

    /// Odd and even bytes in words.
    fn multiply_bytes(&mut self, x: Reg, y: Reg, to: Reg) {
        self.vshift(VPSRLW_HX_UX_IB, X0, x, 8);
        self.vshift(VPSRLW_HX_UX_IB, X1, y, 8);
        self.vvv(VPMULLW_VX_HX_WX, X0, X0, X1);
        self.vshift(VPSLLW_HX_UX_IB, X0, X0, 8);
        self.vvv(VPMULLW_VX_HX_WX, X1, x, y);
        self.vshift(VPSLLW_HX_UX_IB, X1, X1, 8);
        self.vshift(VPSRLW_HX_UX_IB, X1, X1, 8);
        self.vvv(VPOR_VX_HX_WX, to, X0, X1);
    }

    fn unzip_into(&mut self, op: X2, w: Width, x: Reg, y: Reg, to: Reg) {
        let odd = op == X2::UnzipOdd;
        let (left, right, pack, by) = match w {
            W32 => {
                let lanes = if odd { 0xdd } else { 0x88 };
                return self.vvvi(VSHUFPS_VX_HX_WX_IB, to, x, y, lanes);
            }
            W16 => (VPSLLD_HX_UX_IB, VPSRLD_HX_UX_IB, VPACKUSDW_VX_HX_WX, 16),
            _ => (VPSLLW_HX_UX_IB, VPSRLW_HX_UX_IB, VPACKUSWB_VX_HX_WX, 8),
        };
        let part = |e: &mut Self, from: Reg, into: Reg| {
            if odd {
                e.vshift(right, into, from, by);
            } else {
                e.vshift(left, into, from, by);
                e.vshift(right, into, into, by);
            }
        };
        part(self, x, X0);
        if x == y {
            return self.vvv(pack, to, X0, X0);
        }
        part(self, y, X1);
        self.vvv(pack, to, X0, X1);
    }

    /// The host packs signed lanes: the greatest result comes first.
    fn pack_unsigned(&mut self, w: Width, x: Reg, y: Reg, to: Reg) {
        let (right, by, min, pack) = match w {
            W16 => (VPSRLW_HX_UX_IB, 8, VPMINUW_VX_HX_WX, VPACKUSWB_VX_HX_WX),
            _ => (VPSRLD_HX_UX_IB, 16, VPMINUD_VX_HX_WX, VPACKUSDW_VX_HX_WX),
        };
        self.ones(X1);
        self.vshift(right, X1, X1, by);
        self.vvv(min, X0, x, X1);
        self.vvv(min, X1, y, X1);
        self.vvv(pack, to, X0, X1);
    }

    pub(super) fn one_into(&mut self, op: builder::X1, w: Width, a: F, to: Reg) {
        use builder::X1 as One;
        let x = self.foperand(a);
        let low = self.low(x);
        let mut result = Low::All;
        match (op, w) {
            (One::Not, _) => {
                self.ones(X1);
                self.vvv(VPXOR_VX_HX_WX, to, x, X1);
            }
            (One::Neg, _) => {
                self.zero(X1);
                if let Some(sub) = direct(X2::Sub, w) {
                    self.vvv(sub, to, X1, x);
                }
                result = low;
            }
            (One::Abs, W64) => {
                self.zero(X1);
                self.vvv(VPCMPGTQ_VX_HX_WX, X1, X1, x);
                self.vvv(VPXOR_VX_HX_WX, X0, x, X1);
                self.vvv(VPSUBQ_VX_HX_WX, to, X0, X1);
                result = low;
            }
            (One::Abs, _) => {
                self.vv([VPABSB_VX_WX, VPABSW_VX_WX, VPABSD_VX_WX][w as usize], to, x);
                result = low;
            }
            (One::WidenLowS, W8 | W16 | W32) => {
                self.vv([VPMOVSXBW_VX_WX, VPMOVSXWD_VX_WX, VPMOVSXDQ_VX_WX][w as usize], to, x);
            }
            (One::WidenLowU, W8 | W16 | W32) => {
                self.vv([VPMOVZXBW_VX_WX, VPMOVZXWD_VX_WX, VPMOVZXDQ_VX_WX][w as usize], to, x);
            }
            (One::WidenHighS, W8 | W16 | W32) => {
                VPSHUFD_VX_WX_IB.rmi(&mut self.asm, Q, X0, asm::Rm::Reg(x), 0xee_u8 as i8 as i64);
                self.vv([VPMOVSXBW_VX_WX, VPMOVSXWD_VX_WX, VPMOVSXDQ_VX_WX][w as usize], to, X0);
            }
            (One::WidenHighU, W8 | W16 | W32) => {
                self.zero(X1);
                if let Some(zip) = direct(X2::ZipHigh, w) {
                    self.vvv(zip, to, x, X1);
                }
            }
            (One::Narrow, W16 | W32 | W64) => {
                self.zero(X1);
                self.unzip_into(X2::UnzipEven, [W8, W8, W16, W32][w as usize], x, X1, to);
                result = Low::Double.max(low);
            }
            (One::LowHalf, _) => {
                if low == Low::All {
                    self.vv(VMOVQ_VX_WX, to, x);
                } else if to != x {
                    self.vv(VMOVAPS_VX_WX, to, x);
                }
                result = low.max(Low::Double);
            }
            (One::HighHalf, _) => {
                self.vshift(VPSRLDQ_HX_UX_IB, to, x, 8);
                result = Low::Double;
            }
            (One::AesMixInverse, _) if has_aes() => self.vv(VAESIMC_VX_WX, to, x),
            (One::AesMix, _) if has_aes() => {
                // What the last round of decryption undoes, a round of encryption does again.
                self.zero(X1);
                self.vvv(VAESDECLAST_VX_HX_WX, X0, x, X1);
                self.vvv(VAESENC_VX_HX_WX, to, X0, X1);
            }
            (One::Bswap, W16 | W32 | W64) => {
                let bytes = w.bits() / 8;
                let table: [u8; 16] = std::array::from_fn(|i| i as u8 ^ (bytes - 1) as u8);
                self.shuffle_by(table, x, to);
                result = low;
            }
            (One::Popcnt, W8) => self.count_ones(x, to),
            _ => return self.soft_vector(Soft::One(op, w), &[x], to),
        }
        self.set_low(to, result);
    }

    /// Chooses bytes by a constant.
    fn shuffle_by(&mut self, table: [u8; 16], x: Reg, to: Reg) {
        self.by_constant(VPSHUFB_VX_HX_WX, u128::from_le_bytes(table), x, to);
    }

    /// An instruction with a constant as its second source.
    fn by_constant(&mut self, form: Form, v: u128, x: Reg, to: Reg) {
        let source = match self.pool.place(self.buf, v) {
            Some(place) => Source::Constant(place),
            None => {
                self.constant_into(v, X1);
                Source::Reg(X1)
            }
        };
        self.vvs(form, to, x, source);
    }

    /// The number of ones in each byte: of its halves, by a table.
    fn count_ones(&mut self, x: Reg, to: Reg) {
        let table: [u8; 16] = std::array::from_fn(|i| i.count_ones() as u8);
        let low = u128::from_le_bytes([15; 16]);
        let table = u128::from_le_bytes(table);
        self.vshift(VPSRLW_HX_UX_IB, X0, x, 4);
        self.by_constant(VPAND_VX_HX_WX, low, X0, X0);
        let counts = self.xtemp();
        self.fp.hold(counts);
        self.constant_into(table, counts);
        self.vvv(VPSHUFB_VX_HX_WX, X0, counts, X0);
        self.constant_into(low, X1);
        self.vvv(VPAND_VX_HX_WX, X1, x, X1);
        self.vvv(VPSHUFB_VX_HX_WX, X1, counts, X1);
        self.vvv(VPADDB_VX_HX_WX, to, X0, X1);
    }

    pub(super) fn number_into(&mut self, op: XImm, w: Width, a: F, b: F, n: u8, to: Reg) {
        let x = self.foperand(a);
        let low = self.low(x);
        match op {
            XImm::Shl | XImm::Shr | XImm::Sar => {
                self.shift_into_vector(op, w, x, n, to);
                self.set_low(to, low);
            }
            XImm::Splat => {
                self.splat_into(w, x, n, to);
                self.set_low(to, Low::All);
            }
            XImm::Lane => {
                let y = self.foperand(b);
                self.lane_into(w, x, y, (n & 15, n >> 4), to);
                let end = (u32::from(n & 15) + 1) * w.bits();
                let low = if end <= 32 { low } else { low.min(Low::Double) };
                self.set_low(to, if end <= 64 { low } else { Low::All });
            }
            XImm::Extract => {
                let y = self.foperand(b);
                if n < 16 {
                    self.vvvi(VPALIGNR_VX_HX_WX_IB, to, y, x, n);
                } else {
                    self.vshift(VPSRLDQ_HX_UX_IB, to, y, n - 16);
                }
                self.set_low(to, Low::All);
            }
            XImm::Choose => {
                let y = self.foperand(b);
                if x == y {
                    let n = i64::from(n as i8);
                    VPSHUFD_VX_WX_IB.rmi(&mut self.asm, Q, to, asm::Rm::Reg(x), n);
                } else {
                    self.vvvi(VSHUFPS_VX_HX_WX_IB, to, x, y, n);
                }
                self.set_low(to, Low::All);
            }
        }
    }

    fn shift_into_vector(&mut self, op: XImm, w: Width, x: Reg, n: u8, to: Reg) {
        let bits = w.bits() as u8;
        let n = if op == XImm::Sar { n.min(bits - 1) } else { n };
        if n >= bits {
            return self.zero(to);
        }
        if let Some(form) = shift(op, w) {
            return self.vshift(form, to, x, n);
        }
        let of_bytes = |b: u8| u128::from_le_bytes([b; 16]);
        match (op, w) {
            (XImm::Shl, _) => {
                self.vshift(VPSLLW_HX_UX_IB, X0, x, n);
                self.by_constant(VPAND_VX_HX_WX, of_bytes(0xff << n), X0, to);
            }
            (XImm::Shr, _) => {
                self.vshift(VPSRLW_HX_UX_IB, X0, x, n);
                self.by_constant(VPAND_VX_HX_WX, of_bytes(0xff >> n), X0, to);
            }
            (_, W64) => {
                self.zero(X1);
                self.vvv(VPCMPGTQ_VX_HX_WX, X1, X1, x);
                self.vvv(VPXOR_VX_HX_WX, X0, x, X1);
                self.vshift(VPSRLQ_HX_UX_IB, X0, X0, n);
                self.vvv(VPXOR_VX_HX_WX, to, X0, X1);
            }
            _ if n == 7 => {
                self.zero(X1);
                self.vvv(VPCMPGTB_VX_HX_WX, to, X1, x);
            }
            _ => {
                // The sign bit, moved along, is added and taken away again.
                self.vshift(VPSRLW_HX_UX_IB, X0, x, n);
                self.by_constant(VPAND_VX_HX_WX, of_bytes(0xff >> n), X0, X0);
                self.constant_into(of_bytes(0x80 >> n), X1);
                self.vvv(VPXOR_VX_HX_WX, X0, X0, X1);
                self.vvv(VPSUBB_VX_HX_WX, to, X0, X1);
            }
        }
    }

    fn splat_into(&mut self, w: Width, x: Reg, n: u8, to: Reg) {
        let r = asm::Rm::Reg(x);
        let lanes = 128 / w.bits() as u8;
        let n = n & (lanes - 1);
        match (w, n) {
            (W8, 0) => self.vv(VPBROADCASTB_VX_WX, to, x),
            (W16, 0) => self.vv(VPBROADCASTW_VX_WX, to, x),
            (W32, _) => VPSHUFD_VX_WX_IB.rmi(&mut self.asm, Q, to, r, i64::from((n * 0x55) as i8)),
            (W64, _) => {
                let lanes = if n == 0 { 0x44 } else { 0xee_u8 as i8 as i64 };
                VPSHUFD_VX_WX_IB.rmi(&mut self.asm, Q, to, r, lanes);
            }
            (W8, _) => self.shuffle_by([n; 16], x, to),
            (W16, _) => self.shuffle_by(std::array::from_fn(|i| 2 * n + (i as u8 & 1)), x, to),
        }
    }

    /// Lane `j` of `y` into lane `i` of `x`.
    fn lane_into(&mut self, w: Width, x: Reg, y: Reg, (i, j): (u8, u8), to: Reg) {
        let lanes = 128 / w.bits() as u8;
        let (i, j) = (i & (lanes - 1), j & (lanes - 1));
        let through_rax = |e: &mut Self, get: Form, put: Form, by_rm: bool| {
            if by_rm {
                get.rmi(&mut e.asm, D, y, asm::Rm::Reg(RAX), j.into());
            } else {
                get.rmi(&mut e.asm, D, RAX, asm::Rm::Reg(y), j.into());
            }
            put.vrmi(&mut e.asm, D, to, x, asm::Rm::Reg(RAX), i.into());
        };
        match (w, i, j) {
            (W64, 0, 0) => self.vvvi(VPBLENDW_VX_HX_WX_IB, to, x, y, 0x0f),
            (W64, 1, 1) => self.vvvi(VPBLENDW_VX_HX_WX_IB, to, x, y, 0xf0),
            (W64, 1, _) => self.vvv(VPUNPCKLQDQ_VX_HX_WX, to, x, y),
            (W64, _, _) => self.vvvi(VSHUFPD_VX_HX_WX_IB, to, y, x, 3),
            (W32, _, _) => self.vvvi(VINSERTPS_VX_HX_WX_IB, to, x, y, j << 6 | i << 4),
            (W16, _, _) if i == j => self.vvvi(VPBLENDW_VX_HX_WX_IB, to, x, y, 1 << i),
            (W16, _, _) => through_rax(self, VPEXTRW_GD_UX_IB, VPINSRW_VX_HX_RD_IB, false),
            (W8, _, _) => through_rax(self, VPEXTRB_RD_VX_IB, VPINSRB_VX_HX_RD_IB, true),
        }
    }

    pub(super) fn select_vector_into(&mut self, m: F, a: F, b: F, to: Reg) {
        let (mask, x, y) = (self.foperand(m), self.foperand(a), self.foperand(b));
        let low = self.low(x).min(self.low(y));
        self.vvv(VPAND_VX_HX_WX, X0, mask, x);
        self.vvv(VPANDN_VX_HX_WX, X1, mask, y);
        self.vvv(VPOR_VX_HX_WX, to, X0, X1);
        self.set_low(to, low);
    }
}
