//! The order in which a decoder looks at bits.

use super::table::{Row, ones};

/// What the decoder does.
#[derive(Debug)]
pub(super) enum Node {
    /// Switch on `len` bits from bit `lo`.
    Switch { lo: u32, len: u32, arms: Vec<(u32, Node)> },
    /// Try rows in order; `known` are the bits already looked at.
    Rows { rows: Vec<usize>, known: u32 },
}

/// Widest switch.
const MAX_BITS: u32 = 8;

/// The tree for `candidates` (indices into `rows`, in order).
pub(super) fn build(rows: &[Row], candidates: Vec<usize>, known: u32) -> Node {
    let Some((lo, len)) = best_window(rows, &candidates, known) else {
        return Node::Rows { rows: candidates, known };
    };
    let window = ones(len) << lo;
    let mut arms = Vec::new();
    for value in 0..1 << len {
        let matching: Vec<usize> = candidates
            .iter()
            .copied()
            .filter(|&row| (rows[row].bits ^ value << lo) & rows[row].mask & window == 0)
            .collect();
        if !matching.is_empty() {
            arms.push((value, build(rows, matching, known | window)));
        }
    }
    Node::Switch { lo, len, arms }
}

/// The window that leaves the fewest candidates to a row on average, at the price of few copies.
fn best_window(rows: &[Row], candidates: &[usize], known: u32) -> Option<(u32, u32)> {
    if candidates.len() < 2 {
        return None;
    }
    let mut best = None;
    let mut best_score = candidates.len() as f64 * 0.999;
    for len in 1..=MAX_BITS {
        for lo in 0..=32 - len {
            let window = ones(len) << lo;
            if window & known != 0 {
                continue;
            }
            let copies: usize = candidates
                .iter()
                .map(|&row| 1usize << (window & !rows[row].mask).count_ones())
                .sum();
            if copies > candidates.len() * 3 / 2 + 1 {
                continue;
            }
            let mut counts = vec![0usize; 1 << len];
            for &row in candidates {
                for (value, count) in counts.iter_mut().enumerate() {
                    let differs = (rows[row].bits ^ (value as u32) << lo) & rows[row].mask;
                    *count += usize::from(differs & window == 0);
                }
            }
            let mean = counts.iter().map(|n| n * n).sum::<usize>() as f64 / copies as f64;
            let score = mean * (copies as f64 / candidates.len() as f64);
            // A wider switch must be worth its table.
            if score < best_score * 0.999 {
                best_score = score;
                best = Some((lo, len));
            }
        }
    }
    best
}
