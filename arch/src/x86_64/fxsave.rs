//! The image of FXSAVE: the x87 and SSE units in 512 bytes. [SDM-1 §10.5.1]

use super::Cpu;

/// Bytes of an image.
pub const BYTES: usize = 512;
/// The bits that MXCSR has.
pub const MXCSR_MASK: u64 = 0xffff;

/// Where things are, in words of 8 bytes.
const ST: usize = 4;
const XMM: usize = 20;

impl Cpu {
    /// The image, in words; what it does not define is zero.
    pub fn fxsave_image(&self) -> [u64; BYTES / 8] {
        let mut image = [0; BYTES / 8];
        image[0] = self.fcw | self.fsw << 16 | self.ftw << 32 | self.fop << 48;
        (image[1], image[2]) = (self.fip, self.fdp);
        image[3] = self.mxcsr | MXCSR_MASK << 32;
        let vectors = self.st.iter().map(|st| st & ((1 << 80) - 1)).chain(self.xmm);
        for (n, value) in vectors.enumerate() {
            image[ST + 2 * n] = value as u64;
            image[ST + 2 * n + 1] = (value >> 64) as u64;
        }
        image
    }

    /// Takes the registers from an image; false, and nothing is changed, if it sets bits that
    /// MXCSR does not have.
    pub fn set_fxsave_image(&mut self, image: &[u64; BYTES / 8]) -> bool {
        let mxcsr = image[3] & 0xffff_ffff;
        if mxcsr & !MXCSR_MASK != 0 {
            return false;
        }
        let vector = |n: usize| u128::from(image[n + 1]) << 64 | u128::from(image[n]);
        self.fcw = image[0] & 0xffff;
        self.fsw = image[0] >> 16 & 0xffff;
        self.ftw = image[0] >> 32 & 0xff;
        self.fop = image[0] >> 48;
        (self.fip, self.fdp, self.mxcsr) = (image[1], image[2], mxcsr);
        self.st = std::array::from_fn(|n| vector(ST + 2 * n) & ((1 << 80) - 1));
        self.xmm = std::array::from_fn(|n| vector(XMM + 2 * n));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_come_back() {
        let mut cpu = Cpu::new();
        cpu.st = std::array::from_fn(|n| (n as u128) << 70 | 5);
        cpu.xmm = std::array::from_fn(|n| u128::MAX - n as u128);
        (cpu.fsw, cpu.ftw, cpu.mxcsr) = (0x3800, 0x81, 0x9fc0);
        let image = cpu.fxsave_image();
        let mut other = Cpu::new();
        assert!(other.set_fxsave_image(&image));
        assert_eq!(other, cpu);
        let mut bad = image;
        bad[3] |= 1 << 16;
        assert!(!other.set_fxsave_image(&bad));
        assert_eq!(other, cpu);
    }
}
