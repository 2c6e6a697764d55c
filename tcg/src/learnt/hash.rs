//! The hash by which pages are known, and which shows that a file is as it was written.
//!
//! Fast rather than strong: who makes two pages with one hash gains that a block is translated
//! earlier than it should be.

const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
const LANES: [u64; 4] =
    [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344, 0xa409_3822_299f_31d0, 0x082e_fa98_ec4e_6c89];

/// Both halves of a product.
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

fn word(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

/// The hash of `bytes`, the same on every host.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    let mut lanes = LANES;
    // Four lanes, so that one multiplication need not wait for another.
    let mut mix = |chunk: &[u8]| {
        for (at, lane) in lanes.iter_mut().enumerate() {
            let (a, b) = (word(chunk, 16 * at), word(chunk, 16 * at + 8));
            *lane = fold(a ^ *lane, b ^ FACTOR).wrapping_add(lane.rotate_left(23));
        }
    };
    let mut chunks = bytes.chunks_exact(64);
    chunks.by_ref().for_each(&mut mix);
    let rest = chunks.remainder();
    if !rest.is_empty() {
        let mut last = [0; 64];
        last[..rest.len()].copy_from_slice(rest);
        mix(&last);
    }
    lanes.iter().fold(bytes.len() as u64 ^ FACTOR, |sum, lane| {
        fold(sum ^ lane, FACTOR).wrapping_add(lane.rotate_left(31))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_bit_and_the_length_count() {
        let mut page = vec![0; 4096];
        let mut seen = HashSet::from([hash(&page)]);
        for at in 0..page.len() * 8 {
            page[at / 8] ^= 1 << (at % 8);
            assert!(seen.insert(hash(&page)), "bit {at}");
            page[at / 8] = 0;
        }
        for len in 0..4096 {
            assert!(seen.insert(hash(&page[..len])), "{len} bytes");
        }
    }
}
