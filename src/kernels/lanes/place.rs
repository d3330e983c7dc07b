//! Where a quantile lies among values in order.
//!
//! The arithmetic is NumPy's (`numpy/lib/_function_base_impl.py`, `_QuantileMethods`), operation by operation, so that
//! results have its bits.

use super::statistic::Method;

/// Where a quantile lies among `n` values in order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Place {
    /// At a value.
    At(usize),
    /// Between two values; `weight` is that of the upper one.
    Between { low: usize, high: usize, weight: f64 },
}

impl Place {
    /// Of quantile `q` among `n` values, at least one.
    pub(super) fn of(method: Method, n: usize, q: f64) -> Place {
        let (count, last) = (n as f64, (n - 1) as f64);
        let at = |place: f64| Place::At((place.max(0.0) as usize).min(n - 1));
        match method {
            Method::InvertedCdf => at(step(count * q - 1.0, |_| true)),
            // Of two equally near ones the even one, counted from 1.
            Method::ClosestObservation => at(step(count * q - 1.0 - 0.5, |floor| floor.rem_euclid(2.0) == 1.0)),
            Method::Lower => at((last * q).floor()),
            Method::Higher => at((last * q).ceil()),
            Method::Nearest => at((last * q).round_ties_even()),
            Method::Linear => between(n, last * q, |gamma, _| gamma),
            Method::AveragedInvertedCdf => between(n, count * q - 1.0, |gamma, _| if gamma == 0.0 { 0.5 } else { 1.0 }),
            Method::Midpoint => {
                let place = 0.5 * ((last * q).floor() + (last * q).ceil());
                between(n, place, |_, place| if place % 1.0 == 0.0 { 0.0 } else { 0.5 })
            }
            Method::InterpolatedInvertedCdf => between(n, plotting(count, q, 0.0, 1.0), |gamma, _| gamma),
            Method::Hazen => between(n, plotting(count, q, 0.5, 0.5), |gamma, _| gamma),
            Method::Weibull => between(n, plotting(count, q, 0.0, 0.0), |gamma, _| gamma),
            Method::MedianUnbiased => between(n, plotting(count, q, 1.0 / 3.0, 1.0 / 3.0), |gamma, _| gamma),
            Method::NormalUnbiased => between(n, plotting(count, q, 3.0 / 8.0, 3.0 / 8.0), |gamma, _| gamma),
        }
    }

    /// The places whose values it needs.
    pub(super) fn needs(self) -> [usize; 2] {
        match self {
            Place::At(at) => [at, at],
            Place::Between { low, high, .. } => [low, high],
        }
    }
}

/// The place above, or the one at hand where it is whole and `stays`.
fn step(place: f64, stays: impl Fn(f64) -> bool) -> f64 {
    let floor = place.floor();
    if place - floor == 0.0 && stays(floor) { floor } else { floor + 1.0 }
}

/// Hyndman & Fan 1996, with the plotting positions `alpha` and `beta`.
fn plotting(n: f64, q: f64, alpha: f64, beta: f64) -> f64 {
    n * q + (alpha + q * (1.0 - alpha - beta)) - 1.0
}

fn between(n: usize, place: f64, weight: impl Fn(f64, f64) -> f64) -> Place {
    let (low, high, from) = if place >= (n - 1) as f64 {
        // NumPy calls the last value -1, and takes the weight from there.
        (n - 1, n - 1, -1.0)
    } else if place < 0.0 {
        (0, 0, 0.0)
    } else {
        (place.floor() as usize, place.floor() as usize + 1, place.floor())
    };
    Place::Between { low, high, weight: weight(place - from, place) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_among_the_values() {
        for method in Method::ALL {
            for n in 1..40 {
                for q in [0.0, 1e-9, 0.1, 0.25, 1.0 / 3.0, 0.5, 0.9, 1.0 - 1e-12, 1.0] {
                    let [low, high] = Place::of(method, n, q).needs();
                    assert!(low <= high && high < n && high - low <= 1, "{method} {n} {q}");
                }
            }
        }
    }

    #[test]
    fn a_place_between_two_has_the_weight_of_the_upper() {
        assert_eq!(Place::of(Method::Linear, 5, 0.375), Place::Between { low: 1, high: 2, weight: 0.5 });
        assert_eq!(Place::of(Method::InvertedCdf, 4, 0.5), Place::At(1));
        assert_eq!(Place::of(Method::ClosestObservation, 4, 0.375), Place::At(1));
        assert_eq!(Place::of(Method::Nearest, 4, 0.5), Place::At(2));
    }
}
