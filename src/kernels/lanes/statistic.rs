//! Statistics that need the order of a lane's values: [`OrderStatistic`].

use crate::{
    dtype::{DType, NumberKind},
    error::{Error, Result, closest},
};
use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

/// One value (or one for each quantile) for all values of a lane, which depends on their order.
///
/// NaN is no value; -0.0 is 0.0.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum OrderStatistic {
    /// Values below which given parts of all values lie.
    Quantile {
        /// Which.
        at: Quantiles,
        /// How a place between two values is read.
        method: Method,
    },
    /// The value in the middle, or the mean of the two.
    Median,
    /// The median distance from the median, not scaled (`scipy.stats.median_abs_deviation`).
    Mad,
    /// The distance from the quartile below to the quartile above (`scipy.stats.iqr`).
    Iqr,
    /// How many different values there are (`pandas.Series.nunique`).
    NUnique,
    /// The most frequent value, and the smallest of those that are equally frequent (`scipy.stats.mode`).
    Mode,
}

/// What becomes of missing values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct LaneOptions {
    /// One missing value makes the result missing.
    pub keep_missing: bool,
    /// Results of fewer values than this are missing.
    pub min_count: u64,
}

impl OrderStatistic {
    /// The names of all.
    pub const NAMES: [&str; 6] = ["quantile", "median", "mad", "iqr", "nunique", "mode"];

    /// Its name.
    pub const fn name(&self) -> &'static str {
        match self {
            OrderStatistic::Quantile { .. } => "quantile",
            OrderStatistic::Median => "median",
            OrderStatistic::Mad => "mad",
            OrderStatistic::Iqr => "iqr",
            OrderStatistic::NUnique => "nunique",
            OrderStatistic::Mode => "mode",
        }
    }

    /// The type of the result: that of the input for the mode, int64 for a number of values, and else that of the input
    /// where it is floating, or float64.
    pub fn result_dtype(&self, input: DType) -> DType {
        match self {
            OrderStatistic::NUnique => DType::I64,
            OrderStatistic::Mode => input,
            _ if input.kind() == NumberKind::Float => input,
            _ => DType::F64,
        }
    }

    /// Whether values can count in different degrees.
    ///
    /// # Errors
    /// For a number of different values, and for quantiles by other methods than the linear one.
    pub fn has_weights(&self) -> Result<()> {
        match self {
            OrderStatistic::Quantile { method, .. } if *method != Method::Linear => {
                Err(Error::usage(format!("no quantile by the method '{method}' with weights; there is 'linear'")))
            }
            OrderStatistic::NUnique => Err(Error::usage("no nunique with weights: a value is one, whatever it counts")),
            _ => Ok(()),
        }
    }

    /// How many results there are for a lane.
    pub fn result_len(&self) -> u64 {
        match self {
            OrderStatistic::Quantile { at, .. } => at.len() as u64,
            _ => 1,
        }
    }
}

impl fmt::Display for OrderStatistic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One quantile, or a list of them: each a part of all values, from 0 to 1.
///
/// # Example
/// ```
/// use aosx::kernels::lanes::Quantiles;
/// assert!(Quantiles::new(0.9)?.is_scalar());
/// assert_eq!(Quantiles::new([0.1, 0.9])?.values(), [0.1, 0.9]);
/// assert!(Quantiles::new([90.0]).is_err());
/// # Ok::<(), aosx::error::Error>(())
/// ```
#[derive(Clone)]
pub struct Quantiles {
    values: Arc<[f64]>,
    scalar: bool,
}

/// What [`Quantiles`] can be made of: a number, which gives results without a dimension for it, or a list.
#[derive(Debug, Clone, PartialEq)]
pub enum OneOrMany {
    /// One.
    One(f64),
    /// Several, or a list of one.
    Many(Vec<f64>),
}

impl From<f64> for OneOrMany {
    fn from(q: f64) -> OneOrMany {
        OneOrMany::One(q)
    }
}

impl From<&[f64]> for OneOrMany {
    fn from(qs: &[f64]) -> OneOrMany {
        OneOrMany::Many(qs.to_vec())
    }
}

impl From<Vec<f64>> for OneOrMany {
    fn from(qs: Vec<f64>) -> OneOrMany {
        OneOrMany::Many(qs)
    }
}

impl<const N: usize> From<[f64; N]> for OneOrMany {
    fn from(qs: [f64; N]) -> OneOrMany {
        OneOrMany::Many(qs.to_vec())
    }
}

impl Quantiles {
    /// Checked ones.
    ///
    /// # Errors
    /// When there is none, or one lies outside 0..=1.
    pub fn new(wanted: impl Into<OneOrMany>) -> Result<Quantiles> {
        let (values, scalar) = match wanted.into() {
            OneOrMany::One(q) => (vec![q], true),
            OneOrMany::Many(qs) => (qs, false),
        };
        if values.is_empty() {
            return Err(Error::usage("no quantile is named; give one from 0 to 1"));
        }
        if let Some(q) = values.iter().find(|q| !(0.0..=1.0).contains(*q)) {
            let hint =
                if (0.0..=100.0).contains(q) { format!("; {q} percent is {}", q / 100.0) } else { String::new() };
            return Err(Error::usage(format!("quantile {q} is not from 0 to 1{hint}")));
        }
        // -0.0 as 0.0, so that equal ones are the same.
        Ok(Quantiles { values: values.into_iter().map(|q| q + 0.0).collect(), scalar })
    }

    /// The parts of all values, in the order given.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// How many.
    #[allow(clippy::len_without_is_empty)] // there is always one
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether it was one number, no list.
    pub fn is_scalar(&self) -> bool {
        self.scalar
    }

    fn bits(&self) -> impl Iterator<Item = u64> + '_ {
        self.values.iter().map(|q| q.to_bits())
    }
}

impl PartialEq for Quantiles {
    fn eq(&self, other: &Quantiles) -> bool {
        self.scalar == other.scalar && self.bits().eq(other.bits())
    }
}

impl Eq for Quantiles {}

impl Hash for Quantiles {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.scalar.hash(state);
        self.bits().for_each(|bits| bits.hash(state));
    }
}

impl fmt::Debug for Quantiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.scalar { write!(f, "{:?}", self.values[0]) } else { write!(f, "{:?}", self.values) }
    }
}

/// How a quantile is read where it falls between two values: NumPy's methods, of which the first nine are those of
/// Hyndman & Fan 1996 in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[allow(missing_docs)] // NumPy's names
pub enum Method {
    InvertedCdf,
    AveragedInvertedCdf,
    ClosestObservation,
    InterpolatedInvertedCdf,
    Hazen,
    Weibull,
    /// Between the two values beside it, by how near they are.
    #[default]
    Linear,
    MedianUnbiased,
    NormalUnbiased,
    /// The value below.
    Lower,
    /// The value above.
    Higher,
    /// The mean of the values below and above.
    Midpoint,
    /// The nearer of both; the even place where both are.
    Nearest,
}

impl Method {
    /// Every method.
    pub const ALL: [Method; 13] = [
        Method::InvertedCdf,
        Method::AveragedInvertedCdf,
        Method::ClosestObservation,
        Method::InterpolatedInvertedCdf,
        Method::Hazen,
        Method::Weibull,
        Method::Linear,
        Method::MedianUnbiased,
        Method::NormalUnbiased,
        Method::Lower,
        Method::Higher,
        Method::Midpoint,
        Method::Nearest,
    ];

    /// NumPy's name of it.
    pub const fn name(self) -> &'static str {
        match self {
            Method::InvertedCdf => "inverted_cdf",
            Method::AveragedInvertedCdf => "averaged_inverted_cdf",
            Method::ClosestObservation => "closest_observation",
            Method::InterpolatedInvertedCdf => "interpolated_inverted_cdf",
            Method::Hazen => "hazen",
            Method::Weibull => "weibull",
            Method::Linear => "linear",
            Method::MedianUnbiased => "median_unbiased",
            Method::NormalUnbiased => "normal_unbiased",
            Method::Lower => "lower",
            Method::Higher => "higher",
            Method::Midpoint => "midpoint",
            Method::Nearest => "nearest",
        }
    }

    /// The method of that name.
    ///
    /// # Errors
    /// With all names there are, nearest first.
    pub fn from_name(name: &str) -> Result<Method> {
        let name = name.trim().to_ascii_lowercase().replace('-', "_");
        Method::ALL.into_iter().find(|method| method.name() == name).ok_or_else(|| {
            let known = closest(&name, Method::ALL.into_iter().map(Method::name));
            Error::usage(format!("no method '{name}'; there are {}", known.join(", ")))
        })
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
