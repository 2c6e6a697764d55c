use super::*;

fn number(value: f64) -> Extended {
    from_double(value.to_bits(), &mut Control::new())
}

fn double(value: Extended) -> f64 {
    f64::from_bits(to_double(value, &mut Control::new()))
}

#[test]
fn small_integers_are_exact() {
    let mut c = Control::new();
    for a in -20..20i64 {
        for b in -20..20i64 {
            let (x, y) = (from_int(a), from_int(b));
            assert_eq!(to_int(add(x, y, &mut c), 64, Rounding::NearestEven, &mut c), a + b);
            assert_eq!(to_int(sub(x, y, &mut c), 64, Rounding::NearestEven, &mut c), a - b);
            assert_eq!(to_int(mul(x, y, &mut c), 64, Rounding::NearestEven, &mut c), a * b);
            if b != 0 {
                let rest = remainder(x, y, false, &mut c).value;
                assert_eq!(to_int(rest, 64, Rounding::NearestEven, &mut c), a % b, "{a} % {b}");
            }
        }
    }
    assert_eq!(c.flags, Flags::NONE);
    for a in 0..2000i64 {
        assert_eq!(sqrt(from_int(a * a), &mut c), from_int(a));
    }
    assert_eq!(c.flags, Flags::NONE);
}

/// Rounded to 53 bits, sums, products, quotients and roots are those of doubles.
#[test]
fn with_the_precision_of_doubles_it_computes_as_doubles_do() {
    let mut state = 0x1234_5678_9abc_def1u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        f64::from_bits((state & !(0x7ff << 52)) | (1023 + (state >> 3 & 31)) << 52)
    };
    let mut c = Control { precision: 53, ..Control::new() };
    for _ in 0..20_000 {
        let (x, y) = (next(), next());
        let (a, b) = (number(x), number(y));
        assert_eq!(double(add(a, b, &mut c)), x + y);
        assert_eq!(double(sub(a, b, &mut c)), x - y);
        assert_eq!(double(mul(a, b, &mut c)), x * y);
        assert_eq!(double(div(a, b, &mut c)), x / y);
        assert_eq!(double(sqrt(number(x.abs()), &mut c)), x.abs().sqrt());
    }
}

/// A quiet NaN is preferred to a signaling one, so an operand in memory must not be made quiet
/// before the choice [SDM-1 §4.8.3.5].
#[test]
fn a_signaling_operand_in_memory_yields_to_a_quiet_one() {
    let mut c = Control::new();
    let quiet = Extended { high: 0xffff, sig: 3 << 62 };
    let single = operand_from_single(0xff80_ffff, &mut c);
    let double = operand_from_double(0x7ff0_0000_0001_0000, &mut c);
    assert!(single.is_signaling() && double.is_signaling() && c.flags == Flags::NONE);
    for operand in [single, double] {
        c.flags = Flags::NONE;
        assert_eq!(mul(quiet, operand, &mut c), quiet);
        assert_eq!(c.flags, Flags::INVALID);
    }
    let larger = Extended { high: 0xffff, sig: 0x9aa1_eaf6_56d1_22d4 };
    let made_quiet = Extended { sig: larger.sig | 1 << 62, ..larger };
    assert_eq!(add(larger, single, &mut c), made_quiet);
    c.flags = Flags::NONE;
    assert!(!from_single(0xff80_ffff, &mut c).is_signaling() && c.flags == Flags::INVALID);
}

#[test]
fn elementary_functions_are_those_of_doubles() {
    let near = |a: f64, b: f64| (a - b).abs() <= 1e-15 * b.abs().max(1e-300);
    let c = &mut Control::new();
    for n in 1..2000 {
        let x = f64::from(n) * 0.0137;
        let a = number(x);
        let y = double(log2_times(a, Extended::ONE, false, c));
        assert!(near(y, x.log2()), "log2 {x}: {y}");
        let (sine, cosine) = sine_cosine(a, c).expect("a small angle");
        assert!((double(sine) - x.sin()).abs() < 1e-15, "sin {x}");
        assert!((double(cosine) - x.cos()).abs() < 1e-15, "cos {x}");
        let z = double(arctangent(a, number(3.0), c));
        assert!(near(z, x.atan2(3.0)), "atan {x}: {z}");
        let z = double(arctangent(a, number(-3.0), c));
        assert!(near(z, x.atan2(-3.0)), "atan {x}: {z}");
        let part = x / 28.0;
        let z = double(exp2_minus_1(number(-part), c));
        assert!(near(z, (-part * core::f64::consts::LN_2).exp_m1()), "2^-{part}: {z}");
    }
}

/// The sine of a small number is a little smaller, also of one whose significand a double cannot hold.
#[test]
fn sines_of_small_numbers_are_rounded_as_control_says() {
    let x = Extended { high: 0x3fc3, sig: u64::MAX };
    let below = Extended { sig: u64::MAX - 1, ..x };
    for (rounding, expected) in
        [(Rounding::NearestEven, x), (Rounding::Up, x), (Rounding::Down, below)]
    {
        let c = &mut Control { rounding, ..Control::new() };
        let (sine, cosine) = sine_cosine(x, c).expect("a small angle");
        assert_eq!(sine, expected, "{rounding:?}");
        let one_down = Extended { high: 0x3ffe, sig: u64::MAX };
        let rounds_down = rounding == Rounding::Down;
        assert_eq!(cosine, if rounds_down { one_down } else { Extended::ONE }, "{rounding:?}");
    }
}

#[test]
fn decimal_digits_come_back() {
    let c = &mut Control::new();
    for value in [0, 1, -1, 99, -1234567890123456, 999_999_999_999_999_999] {
        assert_eq!(from_bcd(to_bcd(from_int(value), c)), from_int(value), "{value}");
    }
    assert_eq!(to_bcd(from_int(i64::MAX), c), 0xffff_c000_0000_0000_0000);
}
