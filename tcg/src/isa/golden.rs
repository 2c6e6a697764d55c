//! Checks of a disassembler against LLVM's, by golden files.
//!
//! `<isa>/llvm.txt` holds words of every row, and words one or two bits away from a row, with what
//! `llvm-mc` makes of them (`-` for nothing). The tests read the file, so they need no LLVM. With
//! `POLYVISOR_BLESS=1` they run `llvm-mc` on many more words, fail where it disagrees, and write
//! the file anew.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::{env, fs, thread};

use super::pattern::Pattern;

/// One instruction set under test.
pub(crate) struct Subject {
    /// Its name, also of the directory of the golden file.
    pub(crate) isa: &'static str,
    /// Arguments of `llvm-mc`: triple and features.
    pub(crate) llvm: &'static [&'static str],
    /// Its rows.
    pub(crate) patterns: &'static [Pattern],
    /// Row and text of a word of a width.
    pub(crate) disassemble: fn(u32, u8) -> Option<(usize, String)>,
    /// What LLVM prints, in our words; words on which LLVM is known to differ give `None`.
    pub(crate) translate: fn(u32, &str) -> Option<String>,
    /// Rows that LLVM does not know, and rows on which it accepts less, with the reason in the
    /// test.
    pub(crate) narrower: &'static [&'static str],
}

/// A small generator of random words (xorshift): tests repeat exactly.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn word(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as u32
    }
}

/// A word to disassemble: its bits and its width.
type Word = (u32, u8);

/// Words of every row: `own` of each, and `near` each that differ in one or two bits.
fn words(patterns: &[Pattern], own: usize, near: usize, seed: u64) -> BTreeSet<Word> {
    let mut random = Random(seed);
    let mut words = BTreeSet::new();
    for pattern in patterns {
        let (mut left, mut tries) = (own, 0);
        while left > 0 && tries < own * 200 {
            tries += 1;
            if let Some(word) = pattern.sample(random.word()) {
                words.insert((word, pattern.width));
                left -= 1;
            }
        }
        for _ in 0..near {
            let bit = |n: u32| 1 << (n % u32::from(pattern.width));
            let word = pattern.sample(random.word()).unwrap_or(pattern.bits);
            words.insert((word ^ bit(random.word()) | bit(random.word()), pattern.width));
        }
    }
    words
}

impl Subject {
    /// Compares with the golden file, or writes it.
    pub(crate) fn check(&self) {
        if env::var_os("POLYVISOR_BLESS").is_some() {
            self.bless();
        }
        let text = fs::read_to_string(self.path()).expect("the golden file is there");
        let mut seen = vec![false; self.patterns.len()];
        let mut wrong = Vec::new();
        for line in text.lines() {
            let (word, expected) = line.split_once(' ').expect("word and text");
            let width = 4 * word.len() as u8;
            let word = u32::from_str_radix(word, 16).expect("a hexadecimal word");
            if let Some((row, _)) = (self.disassemble)(word, width) {
                seen[row] = true;
            }
            wrong.extend(self.difference((word, width), expected));
        }
        assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
        for (pattern, seen) in self.patterns.iter().zip(seen) {
            let known = seen || self.narrower.contains(&pattern.name);
            assert!(known, "{} is not in the golden file: POLYVISOR_BLESS=1", pattern.name);
        }
    }

    fn path(&self) -> String {
        format!("{}/src/isa/{}/llvm.txt", env!("CARGO_MANIFEST_DIR"), self.isa)
    }

    /// What is wrong about our answer, if anything.
    fn difference(&self, (word, width): Word, expected: &str) -> Option<String> {
        let digits = usize::from(width / 4);
        let expected = match expected {
            "-" => None,
            text => Some((self.translate)(word, text)?),
        };
        let (row, ours) = (self.disassemble)(word, width).unzip();
        let narrower = row.is_some_and(|row| self.narrower.contains(&self.patterns[row].name));
        if ours == expected || narrower && expected.is_none() {
            return None;
        }
        let show = |text: Option<String>| text.unwrap_or_else(|| "nothing".into());
        Some(format!("{word:0digits$x}: {} but LLVM says {}", show(ours), show(expected)))
    }

    fn bless(&self) {
        let (mut wrong, mut per_row) = (Vec::new(), BTreeMap::new());
        let many = words(self.patterns, 300, 300, 0x5eed_5eed_0123_4567);
        let answers = self.llvm(&many);
        for word in &many {
            let answer = answers.get(word).map_or("-", String::as_str);
            let Some(difference) = self.difference(*word, answer) else { continue };
            let row = (self.disassemble)(word.0, word.1).map(|(row, _)| row);
            let count = per_row.entry(row).or_insert(0);
            *count += 1;
            if *count <= 3 || row.is_none() && *count <= 40 {
                wrong.push(difference);
            }
        }
        assert!(wrong.is_empty(), "differences in {}:\n{}", many.len(), wrong.join("\n"));
        let few = words(self.patterns, 5, 4, 0x600d_600d_0123_4567);
        let answers = self.llvm(&few);
        let mut golden = String::new();
        for word in few {
            let digits = usize::from(word.1 / 4);
            let answer = answers.get(&word).map_or("-", String::as_str);
            golden.push_str(&format!("{:0digits$x} {answer}\n", word.0));
        }
        fs::write(self.path(), golden).expect("the golden file can be written");
    }

    /// LLVM's answers.
    fn llvm(&self, words: &BTreeSet<Word>) -> BTreeMap<Word, String> {
        let program = env::var("LLVM_MC").unwrap_or_else(|_| "llvm-mc".into());
        let mut child = Command::new(&program)
            .args(["--disassemble", "-M", "no-aliases", "--show-encoding"])
            .args(self.llvm)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{program} cannot be run ({error}): install llvm"));
        let mut input = String::new();
        for (word, width) in words {
            // Brackets keep an invalid word from eating the next one.
            input.push('[');
            for byte in &word.to_le_bytes()[..usize::from(width / 8)] {
                input.push_str(&format!("0x{byte:02x} "));
            }
            input.push_str("]\n");
        }
        let mut stdin = child.stdin.take().expect("a pipe");
        let writer = thread::spawn(move || stdin.write_all(input.as_bytes()));
        let output = child.wait_with_output().expect("llvm-mc ends");
        writer.join().expect("no panic").expect("llvm-mc reads");
        String::from_utf8_lossy(&output.stdout).lines().filter_map(answer).collect()
    }
}

/// A line `text  # encoding: [0x01,...]`.
fn answer(line: &str) -> Option<(Word, String)> {
    let (text, encoding) = line.split_once("encoding: [")?;
    let text = text.trim_end_matches(['#', '/', ' ', '\t']).trim();
    let bytes: Vec<u8> = encoding
        .split(']')
        .next()?
        .split(',')
        .map(|byte| u8::from_str_radix(byte.trim_start_matches("0x"), 16))
        .collect::<Result<_, _>>()
        .ok()?;
    let word = bytes.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte));
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    Some(((word, 8 * bytes.len() as u8), text))
}
