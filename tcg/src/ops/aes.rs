//! The rounds of AES `[FIPS-197 §5]` on a state of 16 bytes, column after column.

use std::sync::LazyLock;

/// Product with x in the field of AES.
const fn double(v: u8) -> u8 {
    v << 1 ^ if v >= 0x80 { 0x1b } else { 0 }
}

/// Product in the field of AES.
const fn product(a: u8, b: u8) -> u8 {
    let (mut sum, mut a, mut b) = (0, a, b);
    while b != 0 {
        if b & 1 != 0 {
            sum ^= a;
        }
        a = double(a);
        b >>= 1;
    }
    sum
}

/// SubBytes and its inverse: the multiplicative inverse, then an affine map.
static BOXES: LazyLock<[[u8; 256]; 2]> = LazyLock::new(|| {
    let mut boxes = [[0; 256]; 2];
    for v in 0..=255u8 {
        let inverse = (0..=255).find(|&i| product(v, i) == 1).unwrap_or(0);
        let turned = |by| inverse.rotate_left(by);
        let s = inverse ^ turned(1) ^ turned(2) ^ turned(3) ^ turned(4) ^ 0x63;
        boxes[0][usize::from(v)] = s;
        boxes[1][usize::from(s)] = v;
    }
    boxes
});

/// SubBytes and ShiftRows, or their inverses.
pub(super) fn substitute(state: u128, inverse: bool) -> u128 {
    let (from, table) = (state.to_le_bytes(), &BOXES[usize::from(inverse)]);
    u128::from_le_bytes(std::array::from_fn(|at| {
        let (column, row) = (at / 4, at % 4);
        let source = if inverse { column + 4 - row } else { column + row } % 4;
        table[usize::from(from[4 * source + row])]
    }))
}

/// MixColumns, or its inverse.
pub(super) fn mix(state: u128, inverse: bool) -> u128 {
    let factors = if inverse { [14, 11, 13, 9] } else { [2, 3, 1, 1] };
    let from = state.to_le_bytes();
    u128::from_le_bytes(std::array::from_fn(|at| {
        let (column, row) = (at / 4, at % 4);
        (0..4).fold(0, |sum, i| sum ^ product(from[4 * column + i], factors[(i + 4 - row) % 4]))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_and_their_inverses() {
        assert_eq!((BOXES[0][0], BOXES[0][0x53]), (0x63, 0xed));
        let state = 0x0123_4567_89ab_cdef_fedc_ba98_7654_3210;
        assert_eq!(substitute(substitute(state, false), true), state);
        assert_eq!(mix(mix(state, false), true), state);
        // A column of the example in the standard.
        assert_eq!(mix(0x305d_bfd4, false) as u32, 0xe581_6604);
    }
}
