//! Floating numbers of units to whole microseconds and back, to the last bit as cftime has them.

/// A value times a whole factor, to the nearest whole number; none beyond 64 bits.
///
/// cftime multiplies in x87's extended precision, of 64 bits, and rounds that to the nearest even integer. So do we,
/// in whole numbers. `value` is finite.
pub(super) fn scaled(value: f64, factor: u64, seconds_attract: bool) -> Option<i64> {
    let (mantissa, exponent) = parts(value);
    let product = u128::from(mantissa) * u128::from(factor);
    let (product, shift) = to_64_bits(product);
    let exponent = exponent + shift;
    let (down, rest) = match exponent {
        // Nothing that is shifted by more than this fits, unless it is zero.
        0.. if product == 0 => (0, Rest::None),
        0..=63 => (product << exponent, Rest::None),
        64.. => return None,
        -126..0 => split(product, -exponent as u32),
        _ => (0, if product == 0 { Rest::None } else { Rest::BelowHalf }),
    };
    let up = down + u128::from(rest != Rest::None);
    let nearest = match rest {
        Rest::None | Rest::BelowHalf => down,
        Rest::Half if down % 2 == 0 => down,
        Rest::Half | Rest::AboveHalf => up,
    };
    let signed = |magnitude: u128| {
        let magnitude = i128::try_from(magnitude).ok()?;
        i64::try_from(if value < 0.0 { -magnitude } else { magnitude }).ok()
    };
    let (nearest, low, high) = match value < 0.0 {
        true => (signed(nearest)?, signed(up), signed(down)),
        false => (signed(nearest)?, signed(down), signed(up)),
    };
    // cftime's issue 187: a microsecond beside a whole second is taken for noise.
    match nearest.rem_euclid(1_000_000) {
        1 if seconds_attract => low,
        999_999 if seconds_attract => high,
        _ => Some(nearest),
    }
}

/// `n / d` as the nearest float, as Python divides integers.
pub(super) fn ratio(n: i128, d: u64) -> f64 {
    let magnitude = n.unsigned_abs();
    if magnitude == 0 || d == 0 {
        return 0.0;
    }
    // The quotient keeps more bits than a float has, and its last one tells whether there is a rest; so one rounding
    // does it.
    let shift = magnitude.leading_zeros();
    let (wide, d) = (magnitude << shift, u128::from(d));
    let quotient = (wide / d) | u128::from(!wide.is_multiple_of(d));
    let nearest = quotient as f64 * 2f64.powi(-(shift as i32));
    if n < 0 { -nearest } else { nearest }
}

/// What a shift to the right drops, against half of what is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    None,
    BelowHalf,
    Half,
    AboveHalf,
}

fn split(value: u128, by: u32) -> (u128, Rest) {
    let rest = value & ((1 << by) - 1);
    let half = 1u128 << (by - 1);
    let rest = match rest {
        0 => Rest::None,
        r if r < half => Rest::BelowHalf,
        r if r == half => Rest::Half,
        _ => Rest::AboveHalf,
    };
    (value >> by, rest)
}

/// The nearest number of 64 bits and the power of two that it lacks.
fn to_64_bits(value: u128) -> (u128, i32) {
    let over = 64u32.saturating_sub(value.leading_zeros());
    if over == 0 {
        return (value, 0);
    }
    let (down, rest) = split(value, over);
    let up = rest == Rest::AboveHalf || (rest == Rest::Half && down % 2 == 1);
    (down + u128::from(up), over as i32)
}

/// The magnitude of a finite float as a whole number times a power of two.
fn parts(value: f64) -> (u64, i32) {
    let bits = value.to_bits();
    let (exponent, fraction) = (((bits >> 52) & 0x7ff) as i32, bits & ((1 << 52) - 1));
    match exponent {
        0 => (fraction, -1074),
        e => (fraction | (1 << 52), e - 1075),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_exact_and_halves_go_to_even() {
        assert_eq!(scaled(-3.0, 86_400_000_000, true), Some(-259_200_000_000));
        assert_eq!(
            (scaled(0.5, 1, false), scaled(1.5, 1, false), scaled(-2.5, 1, false)),
            (Some(0), Some(2), Some(-2))
        );
        assert_eq!((scaled(0.0, 1, true), scaled(-0.0, 1, true), scaled(5e-324, 1, true)), (Some(0), Some(0), Some(0)));
        assert_eq!(scaled(9_223_372_036_854_774_784.0, 1, false), Some(i64::MAX - 1023));
        assert_eq!(scaled(-9_223_372_036_854_775_808.0, 1, false), Some(i64::MIN));
        assert_eq!((scaled(9_223_372_036_854_775_808.0, 1, false), scaled(1e300, 1, false)), (None, None));
    }

    #[test]
    fn a_microsecond_beside_a_second_is_noise_but_for_small_units() {
        assert_eq!(
            (scaled(3.000_001_2, 1_000_000, true), scaled(3.000_001_2, 1_000_000, false)),
            (Some(3_000_001), Some(3_000_001))
        );
        assert_eq!(
            (scaled(3.000_000_8, 1_000_000, true), scaled(3.000_000_8, 1_000_000, false)),
            (Some(3_000_000), Some(3_000_001))
        );
        assert_eq!(
            (scaled(-3.000_000_8, 1_000_000, true), scaled(2.999_999_2, 1_000_000, true)),
            (Some(-3_000_000), Some(3_000_000))
        );
    }

    #[test]
    fn a_ratio_is_rounded_once() {
        assert_eq!((ratio(1, 3), ratio(-1, 3), ratio(0, 7)), (1.0 / 3.0, -1.0 / 3.0, 0.0));
        // Both the number and its float are beyond 53 bits: Python says 2 ** 62 / 3.
        assert_eq!(ratio(i128::from(i64::MAX), 3), 3_074_457_345_618_258_602.5_f64);
        assert_eq!(ratio(9_007_199_254_740_993, 9_007_199_254_740_993), 1.0);
    }
}
