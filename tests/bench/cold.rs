//! Cold code: a program so large that translating it is the work. Each of its functions runs two
//! to six times.

use std::fmt::Write;

const FUNCTIONS: u64 = 20_000;

/// The program's C source, always the same.
pub(crate) fn source() -> String {
    let mut random = Random(41);
    let mut text = String::from("#include \"bench.h\"\nstatic uint64_t m[64];\n");
    for number in 0..FUNCTIONS {
        let _ = writeln!(
            text,
            "static __attribute__((noinline)) uint64_t f{number}(uint64_t a, uint64_t b) {{\n\
             uint64_t c = a ^ {}u, d = b + {}u;",
            random.below(1 << 30),
            random.below(1 << 30)
        );
        for _ in 0..14 {
            statement(&mut text, &mut random);
        }
        text.push_str("return a + b * 3 + (c ^ d);\n}\n");
    }
    // Called through tables, so that no compiler can merge or drop anything.
    text.push_str("static uint64_t (*const table[])(uint64_t, uint64_t) = {");
    for number in 0..FUNCTIONS {
        let _ = write!(text, "f{number},");
    }
    text.push_str(
        "};\nint main(void) {\nuint64_t seed = 43, sum = 0;\n\
         for (size_t i = 0; i < sizeof table / sizeof *table; i++)\n\
         for (int n = 2 + i % 5; n > 0; n--) sum = sum * 31 + table[i](next_random(&seed), sum);\n\
         for (int i = 0; i < 64; i++) sum = sum * 3 + m[i];\nresult(sum);\n}\n",
    );
    text
}

/// One statement on the function's four variables.
fn statement(text: &mut String, random: &mut Random) {
    let variable = |random: &mut Random| ["a", "b", "c", "d"][random.below(4) as usize];
    let (x, y, z) = (variable(random), variable(random), variable(random));
    let number = random.below(1 << 12) + 1;
    let shift = random.below(31) + 1;
    let slot = random.below(64);
    let line = match random.below(10) {
        0 => format!("{x} += {y} ^ {number};"),
        1 => format!("{x} = ({y} << {shift}) - {z};"),
        2 => format!("{x} ^= {y} >> {shift} & {z};"),
        3 => format!("if ({x} > {y}) {z} += {number}; else {z} ^= {x};"),
        4 => format!("m[{slot}] += {x}; {y} ^= m[{}];", 63 - slot),
        5 => format!("{x} = {y} * {number} + {z};"),
        6 => format!("if ({x} & {}) {y} -= {z} | {number};", 1 << (number % 16)),
        7 => format!("{x} = (uint32_t){y} + (int32_t){z};"),
        8 => format!("m[({x} >> {shift}) & 63] ^= {y};"),
        _ => format!("for (int i = 0; i < {}; i++) {x} = {x} * 5 + m[i];", 1 + number % 2),
    };
    text.push_str(&line);
    text.push('\n');
}

/// The generator of bench.h.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }
}
