//! Steps of SHA-1 and SHA-256 on vectors of words `[ARM-ARM SHAhashupdate]`, `[FIPS-180-4 §6]`.

use super::soft::Soft;

fn words(v: u128) -> [u32; 4] {
    std::array::from_fn(|i| (v >> (32 * i)) as u32)
}

fn vector(words: [u32; 4]) -> u128 {
    words.iter().rev().fold(0, |v, &word| v << 32 | u128::from(word))
}

fn choose(x: u32, y: u32, z: u32) -> u32 {
    (y ^ z) & x ^ z
}

fn majority(x: u32, y: u32, z: u32) -> u32 {
    x & y | (x | y) & z
}

/// Four rounds of SHA-1.
pub(super) fn hash_1(op: Soft, state: u128, e: u128, w: u128) -> u128 {
    let ([mut a, mut b, mut c, mut d], mut e) = (words(state), e as u32);
    for w in words(w) {
        let mixed = match op {
            Soft::Sha1c => choose(b, c, d),
            Soft::Sha1m => majority(b, c, d),
            _ => b ^ c ^ d,
        };
        let new = a.rotate_left(5).wrapping_add(mixed).wrapping_add(e).wrapping_add(w);
        (e, d, c, b, a) = (d, c, b.rotate_left(30), a, new);
    }
    vector([a, b, c, d])
}

/// The first half of four words of SHA-1's schedule.
pub(super) fn schedule_1_first(d: u128, a: u128, b: u128) -> u128 {
    (d >> 64 | a << 64) ^ d ^ b
}

/// The second half.
pub(super) fn schedule_1_second(d: u128, a: u128) -> u128 {
    let mut t = words(d ^ a >> 32).map(|w| w.rotate_left(1));
    let first = t[0];
    t[3] ^= first.rotate_left(1);
    vector(t)
}

/// Four rounds of SHA-256 on both halves of the state; gives the first one or the second.
pub(super) fn hash_256(x: u128, y: u128, w: u128, first: bool) -> u128 {
    let ([mut a, mut b, mut c, mut d], [mut e, mut f, mut g, mut h]) = (words(x), words(y));
    for w in words(w) {
        let big_1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let big_0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let t = h.wrapping_add(big_1).wrapping_add(choose(e, f, g)).wrapping_add(w);
        let new = t.wrapping_add(big_0).wrapping_add(majority(a, b, c));
        (h, g, f, e) = (g, f, e, d.wrapping_add(t));
        (d, c, b, a) = (c, b, a, new);
    }
    vector(if first { [a, b, c, d] } else { [e, f, g, h] })
}

/// The first half of four words of SHA-256's schedule.
pub(super) fn schedule_256_first(d: u128, a: u128) -> u128 {
    let small = |v: u32| v.rotate_right(7) ^ v.rotate_right(18) ^ v >> 3;
    let next = words(d >> 32 | a << 96);
    let d = words(d);
    vector(std::array::from_fn(|i| d[i].wrapping_add(small(next[i]))))
}

/// The second half.
pub(super) fn schedule_256_second(d: u128, a: u128, b: u128) -> u128 {
    let small = |v: u32| v.rotate_right(17) ^ v.rotate_right(19) ^ v >> 10;
    let (d, b, between) = (words(d), words(b), words(a >> 32 | b << 96));
    let mut t = [0; 4];
    for i in 0..4 {
        let from = if i < 2 { b[i + 2] } else { t[i - 2] };
        t[i] = d[i].wrapping_add(small(from)).wrapping_add(between[i]);
    }
    vector(t)
}
