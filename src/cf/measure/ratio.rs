//! Numbers as quotients, so that 1/1000 and 5/9 are exact, and a conversion is rounded once.

/// A quotient of two numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ratio {
    pub over: f64,
    pub under: f64,
}

impl Ratio {
    pub const ZERO: Ratio = Ratio { over: 0.0, under: 1.0 };
    pub const ONE: Ratio = Ratio { over: 1.0, under: 1.0 };

    /// A power of ten.
    pub fn ten(exponent: i32) -> Ratio {
        let ten = Ratio { over: 10.0, under: 1.0 };
        ten.power(exponent)
    }

    /// A number as it is written: `273.15` is 27315 / 100.
    pub fn of_text(text: &str) -> Option<Ratio> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits: f64 = format!("{whole}{fraction}").parse().ok()?;
        let exponent = exponent.checked_sub(i32::try_from(fraction.len()).ok()?)?;
        let out = Ratio { over: digits, under: 1.0 }.times(Ratio::ten(exponent));
        (out.over.is_finite() && out.under.is_finite()).then_some(out)
    }

    pub fn value(self) -> f64 {
        self.over / self.under
    }

    pub fn times(self, other: Ratio) -> Ratio {
        Ratio { over: self.over * other.over, under: self.under * other.under }.shortened()
    }

    pub fn over(self, other: Ratio) -> Ratio {
        Ratio { over: self.over * other.under, under: self.under * other.over }.shortened()
    }

    pub fn minus(self, other: Ratio) -> Ratio {
        let over = self.over * other.under - other.over * self.under;
        Ratio { over, under: self.under * other.under }.shortened()
    }

    pub fn power(self, exponent: i32) -> Ratio {
        let n = exponent.saturating_abs();
        let (over, under) = (self.over.powi(n), self.under.powi(n));
        if exponent < 0 { Ratio { over: under, under: over } } else { Ratio { over, under } }
    }

    /// Without what divides both, where they are whole numbers that floats count exactly.
    fn shortened(self) -> Ratio {
        const EXACT: f64 = (1u64 << 53) as f64;
        let is_whole = |x: f64| x.fract() == 0.0 && x.abs() <= EXACT && x != 0.0;
        if !is_whole(self.over) || !is_whole(self.under) {
            return self;
        }
        let (mut a, mut b) = (self.over.abs() as u64, self.under.abs() as u64);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        Ratio { over: self.over / a as f64, under: self.under / a as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact_quotients() {
        let of = |text| Ratio::of_text(text).unwrap();
        assert_eq!(of("273.15"), Ratio { over: 5463.0, under: 20.0 });
        assert_eq!(of("1e-3"), Ratio { over: 1.0, under: 1000.0 });
        assert_eq!(of(".5").value(), 0.5);
        assert_eq!(of("273.15").times(Ratio { over: 9.0, under: 5.0 }).minus(of("459.67")).value(), 32.0);
        assert_eq!(Ratio::of_text("1e999"), None);
        assert_eq!(Ratio::of_text("e3"), None);
        assert_eq!(of("10").power(-2), Ratio { over: 1.0, under: 100.0 });
    }
}
