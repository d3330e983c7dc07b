//! Values to stored numbers: [`Pack`] into integers with scale and offset, [`Cast`] into another type, [`BitRound`].
//!
//! All are functions of one array, element by element.

use crate::{
    array::{BlockFunction, BlockInfo, BlockInput},
    dtype::{DType, Element},
    error::{Error, Problem, Result},
    with_dtype,
};
use half::f16;

/// Packs floating-point values: `(x - offset) / scale`, in float64, rounded half to even. NaN becomes `fill`.
#[derive(Debug, Clone, PartialEq)]
pub struct Pack {
    /// The variable, for errors.
    pub variable: String,
    /// The integer type that is stored.
    pub stored: DType,
    /// `scale_factor`
    pub scale: f64,
    /// `add_offset`
    pub offset: f64,
    /// `_FillValue`, which no other value may become.
    pub fill: i64,
}

/// Makes values another type's: floats become integers rounded half to even, and others the nearest number.
///
/// What the type cannot hold is an error: integers out of its range, finite numbers that would become infinite, and
/// integers that float64 does not hold exactly. To shorter floats all are rounded to the nearest.
#[derive(Debug, Clone, PartialEq)]
pub struct Cast {
    /// The variable, for errors.
    pub variable: String,
    /// The type that is stored.
    pub stored: DType,
    /// What NaN becomes in an integer type, and no other value may become; `None` where the input has no NaN.
    pub fill: Option<i64>,
}

/// Rounds floats to `keep_bits` bits of their mantissas, half to even, so that they compress better.
///
/// Zender 2016; Klöwer et al. 2021; the same bits as numcodecs' `BitRound`, but NaN and infinities stay as they are.
#[derive(Debug, Clone, PartialEq)]
pub struct BitRound {
    /// How many bits stay: at most 10, 23 or 52, by the type.
    pub keep_bits: u32,
    /// Numbers that stay as they are: those that mean "missing".
    pub missing: Vec<f64>,
}

/// The bits of a floating-point type's mantissa; `None` for integers.
pub const fn mantissa_bits(dtype: DType) -> Option<u32> {
    match dtype {
        DType::F16 => Some(10),
        DType::F32 => Some(23),
        DType::F64 => Some(52),
        _ => None,
    }
}

/// The least and the largest number of an integer type; `None` for floats.
pub fn integer_range(dtype: DType) -> Option<(i128, i128)> {
    Some(match dtype {
        DType::Bool => (0, 1),
        DType::I8 => (i8::MIN.into(), i8::MAX.into()),
        DType::I16 => (i16::MIN.into(), i16::MAX.into()),
        DType::I32 => (i32::MIN.into(), i32::MAX.into()),
        DType::I64 => (i64::MIN.into(), i64::MAX.into()),
        DType::U8 => (0, u8::MAX.into()),
        DType::U16 => (0, u16::MAX.into()),
        DType::U32 => (0, u32::MAX.into()),
        DType::U64 => (0, u64::MAX.into()),
        DType::F16 | DType::F32 | DType::F64 => return None,
    })
}

/// The numbers of an integer type that are free for values: all but `fill`, if that is at an end.
fn free_range(dtype: DType, fill: Option<i64>) -> (i128, i128) {
    let (low, high) = integer_range(dtype).unwrap_or((i64::MIN.into(), i64::MAX.into()));
    match fill.map(i128::from) {
        Some(fill) if fill == low => (low + 1, high),
        Some(fill) if fill == high => (low, high - 1),
        _ => (low, high),
    }
}

/// Scale, offset and fill that spread values from `low` to `high` over an integer type.
///
/// The fill is the least number of a signed type and the largest of an unsigned one. Both ends of the range become
/// ends of the rest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Packing {
    /// `scale_factor`
    pub scale: f64,
    /// `add_offset`
    pub offset: f64,
    /// `_FillValue`
    pub fill: i64,
}

impl Packing {
    /// The packing for values from `low` to `high`; NaN for both where there is no value.
    ///
    /// With `precision` [`DType::F32`], scale and offset are such numbers, if those are fine enough.
    ///
    /// # Errors
    /// When `stored` is no integer type of at most 32 bits, or an end is infinite.
    pub fn spread(low: f64, high: f64, stored: DType, precision: DType) -> Result<(Packing, DType)> {
        let fill = default_fill(stored)?;
        if low.is_infinite() || high.is_infinite() {
            return Err(Error::usage("infinite values cannot be packed"));
        }
        let (least, most) = free_range(stored, Some(fill));
        let (least, steps) = (least as f64, (most - least) as f64);
        if low.is_nan() || high.is_nan() || low == high {
            let offset = if low.is_nan() { 0.0 } else { low };
            return Ok((Packing { scale: 1.0, offset, fill }, if exact_f32(offset) { precision } else { DType::F64 }));
        }
        // Each end divided by itself: their difference may overflow.
        let scale = high / steps - low / steps;
        let offset = low - least * scale;
        // A range finer than numbers are has no steps.
        let scale = if scale > 0.0 && scale.is_normal() { scale } else { f64::MIN_POSITIVE };
        if precision == DType::F32 {
            let scale32 = f64::from(next_above(scale));
            let offset32 = f64::from((low - least * scale32) as f32);
            let end = |x: f64| ((x - offset32) / scale32).round_ties_even();
            if scale32.is_normal() && end(low) >= least && end(high) <= most as f64 && offset32.is_finite() {
                return Ok((Packing { scale: scale32, offset: offset32, fill }, DType::F32));
            }
        }
        Ok((Packing { scale, offset, fill }, DType::F64))
    }
}

fn exact_f32(x: f64) -> bool {
    f64::from(x as f32) == x
}

/// The least `f32` that is not below `x`.
fn next_above(x: f64) -> f32 {
    let near = x as f32;
    if f64::from(near) < x { near.next_up() } else { near }
}

/// The number of an integer type that stands for missing values where no other is named.
///
/// # Errors
/// When it is no integer type of at most 32 bits.
pub fn default_fill(stored: DType) -> Result<i64> {
    match (stored, integer_range(stored)) {
        (DType::I8 | DType::I16 | DType::I32, Some((low, _))) => Ok(low as i64),
        (DType::U8 | DType::U16 | DType::U32, Some((_, high))) => Ok(high as i64),
        _ => Err(Error::usage(format!("values cannot be packed into {stored}; there are i8, u8, i16, u16, i32, u32"))),
    }
}

/// The one input, with as many elements as the output.
fn only<'a>(inputs: &[BlockInput<'a>], out: &[u8], size: usize) -> Result<BlockInput<'a>> {
    match inputs {
        [one] if one.bytes.len() / one.dtype.size() == out.len() / size => Ok(*one),
        _ => Err(Error::usage("a value map takes one array of the result's shape")),
    }
}

impl Pack {
    fn does_not_fit(&self, x: f64) -> Error {
        let (low, high) = free_range(self.stored, Some(self.fill));
        let ends = [low, high].map(|n| n as f64 * self.scale + self.offset);
        let stored = match (self.scale, self.offset) {
            (1.0, 0.0) => self.stored.to_string(),
            (scale, offset) => format!("{} with scale {scale} and offset {offset}", self.stored),
        };
        let (low, high) = (ends[0].min(ends[1]).to_string(), ends[0].max(ends[1]).to_string());
        let advice = "pack it into a wider type, or with another scale and offset";
        Error::from(Problem::DoesNotFit { value: x.to_string(), stored, low, high, advice }).in_variable(&self.variable)
    }
}

impl BlockFunction for Pack {
    fn name(&self) -> &str {
        "pack"
    }

    fn any_region(&self) -> bool {
        true
    }

    fn call(&self, _: &BlockInfo, inputs: &[BlockInput<'_>], out: &mut [u8]) -> Result<()> {
        let input = only(inputs, out, self.stored.size())?;
        let (low, high) = free_range(self.stored, Some(self.fill));
        let (low, high) = (low as f64, high as f64);
        let packed = |x: f64| {
            if x.is_nan() {
                return Ok(self.fill);
            }
            let n = ((x - self.offset) / self.scale).round_ties_even();
            match n >= low && n <= high && n as i64 != self.fill {
                true => Ok(n as i64),
                false => Err(self.does_not_fit(x)),
            }
        };
        with_dtype!(input.dtype, S => with_dtype!(self.stored, D => {
            for (y, x) in out.chunks_exact_mut(size_of::<D>()).zip(input.bytes.chunks_exact(size_of::<S>())) {
                let x: S = bytemuck::pod_read_unaligned(x);
                // The low bytes of a number in range are that number.
                let n = packed(x.to_f64())?;
                y.copy_from_slice(low_bytes(&n.to_ne_bytes(), size_of::<D>()));
            }
        }));
        Ok(())
    }
}

/// The bytes of a shorter integer of the same value.
fn low_bytes(wide: &[u8], size: usize) -> &[u8] {
    if cfg!(target_endian = "big") { &wide[wide.len() - size..] } else { &wide[..size] }
}

impl Cast {
    fn does_not_fit(&self, value: String) -> Error {
        let (low, high) = match (self.stored, integer_range(self.stored)) {
            (_, Some(_)) => {
                let (low, high) = free_range(self.stored, self.fill);
                (low.to_string(), high.to_string())
            }
            (DType::F16, _) => (f16::MIN.to_string(), f16::MAX.to_string()),
            (DType::F32, _) => (format!("{:e}", f32::MIN), format!("{:e}", f32::MAX)),
            _ => (format!("whole numbers from -{}", 1u64 << 53), (1u64 << 53).to_string()),
        };
        let advice = "choose a wider type";
        Error::from(Problem::DoesNotFit { value, stored: self.stored.to_string(), low, high, advice })
            .in_variable(&self.variable)
    }

    /// Floats and integers of at most 32 bits, which float64 holds all.
    fn of_float(&self, x: f64) -> Result<Bits> {
        let Some(_) = integer_range(self.stored) else {
            let (y, is_finite) = match self.stored {
                DType::F16 => (Bits::Half(f16::from_f64(x)), f16::from_f64(x).is_finite()),
                DType::F32 => (Bits::Single(x as f32), (x as f32).is_finite()),
                _ => (Bits::Double(x), x.is_finite()),
            };
            return if is_finite || !x.is_finite() { Ok(y) } else { Err(self.does_not_fit(format!("{x:e}"))) };
        };
        match (x.is_nan(), self.fill) {
            (true, Some(fill)) => Ok(Bits::Integer(fill.into())),
            // Beyond 2^100 no type holds it, and i128 still does.
            (false, _) if x.abs() < 1e30 => self.of_integer(x.round_ties_even() as i128),
            _ => Err(self.does_not_fit(x.to_string())),
        }
    }

    fn of_integer(&self, n: i128) -> Result<Bits> {
        let fits = match integer_range(self.stored) {
            Some((low, high)) => n >= low && n <= high && Some(n) != self.fill.map(i128::from),
            None => match self.stored {
                DType::F16 => f16::from_f64(n as f64).is_finite(),
                DType::F32 => true,
                _ => n as f64 as i128 == n,
            },
        };
        if !fits {
            return Err(self.does_not_fit(n.to_string()));
        }
        Ok(match self.stored {
            DType::F16 => Bits::Half(f16::from_f64(n as f64)),
            DType::F32 => Bits::Single(n as f32),
            DType::F64 => Bits::Double(n as f64),
            _ => Bits::Integer(n),
        })
    }
}

/// A number in the form that is stored.
enum Bits {
    Integer(i128),
    Half(f16),
    Single(f32),
    Double(f64),
}

impl Bits {
    fn put(&self, out: &mut [u8]) {
        match self {
            Bits::Integer(n) => out.copy_from_slice(low_bytes(&n.to_ne_bytes(), out.len())),
            Bits::Half(x) => out.copy_from_slice(&x.to_ne_bytes()),
            Bits::Single(x) => out.copy_from_slice(&x.to_ne_bytes()),
            Bits::Double(x) => out.copy_from_slice(&x.to_ne_bytes()),
        }
    }
}

impl BlockFunction for Cast {
    fn name(&self) -> &str {
        "cast"
    }

    fn any_region(&self) -> bool {
        true
    }

    fn call(&self, _: &BlockInfo, inputs: &[BlockInput<'_>], out: &mut [u8]) -> Result<()> {
        let size = self.stored.size();
        let input = only(inputs, out, size)?;
        let cells = out.chunks_exact_mut(size);
        macro_rules! integers {
            ($t:ty) => {
                for (y, x) in cells.zip(input.bytes.chunks_exact(size_of::<$t>())) {
                    self.of_integer(bytemuck::pod_read_unaligned::<$t>(x).into())?.put(y);
                }
            };
        }
        match input.dtype {
            DType::I64 => integers!(i64),
            DType::U64 => integers!(u64),
            DType::I32 => integers!(i32),
            DType::U32 => integers!(u32),
            DType::I16 => integers!(i16),
            DType::U16 => integers!(u16),
            DType::I8 => integers!(i8),
            DType::U8 | DType::Bool => integers!(u8),
            floats => with_dtype!(floats, S => {
                for (y, x) in cells.zip(input.bytes.chunks_exact(size_of::<S>())) {
                    self.of_float(bytemuck::pod_read_unaligned::<S>(x).to_f64())?.put(y);
                }
            }),
        }
        Ok(())
    }
}

impl BlockFunction for BitRound {
    fn name(&self) -> &str {
        "bitround"
    }

    fn any_region(&self) -> bool {
        true
    }

    fn call(&self, _: &BlockInfo, inputs: &[BlockInput<'_>], out: &mut [u8]) -> Result<()> {
        let dtype = inputs.first().map_or(DType::F64, |i| i.dtype);
        let input = only(inputs, out, dtype.size())?;
        macro_rules! rounded {
            ($t:ty, $bits:ty, $mantissa:literal) => {{
                let drop = ($mantissa as u32).saturating_sub(self.keep_bits);
                for (y, x) in out.chunks_exact_mut(size_of::<$t>()).zip(input.bytes.chunks_exact(size_of::<$t>())) {
                    let x: $t = bytemuck::pod_read_unaligned(x);
                    let stays = drop == 0 || !x.is_finite() || self.missing.contains(&x.to_f64());
                    let mut bits = x.to_bits();
                    if !stays {
                        // Adds just under a half, or a half where that makes the last bit even.
                        let half: $bits = (1 << (drop - 1)) - 1;
                        bits = bits.wrapping_add(((bits >> drop) & 1) + half) >> drop << drop;
                    }
                    y.copy_from_slice(&bits.to_ne_bytes());
                }
            }};
        }
        match dtype {
            DType::F16 => rounded!(f16, u16, 10),
            DType::F32 => rounded!(f32, u32, 23),
            DType::F64 => rounded!(f64, u64, 52),
            other => return Err(Error::usage(format!("{other} has no mantissa to round"))),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::{ChunkIndex, Region, Shape};

    fn call<S: Element, D: Element>(function: &dyn BlockFunction, values: &[S]) -> Result<Vec<D>> {
        let shape = Shape(vec![values.len() as u64]);
        let block = BlockInfo { index: ChunkIndex(vec![0]), region: Region::all(&shape) };
        let input = BlockInput { dtype: S::DTYPE, shape: &shape, bytes: bytemuck::cast_slice(values) };
        let mut out = vec![0; values.len() * size_of::<D>()];
        function.call(&block, &[input], &mut out)?;
        Ok(bytemuck::pod_collect_to_vec(&out))
    }

    #[test]
    fn ranges_are_spread_over_what_is_free() {
        let (packing, dtype) = Packing::spread(-1.0, 1.0, DType::I8, DType::F64).unwrap();
        assert_eq!((packing.scale, packing.offset, packing.fill, dtype), (2.0 / 254.0, 0.0, -128, DType::F64));
        let (packing, _) = Packing::spread(0.0, 254.0, DType::U8, DType::F64).unwrap();
        assert_eq!((packing.scale, packing.offset, packing.fill), (1.0, 0.0, 255));
        let (packing, dtype) = Packing::spread(3.0, 3.0, DType::I16, DType::F32).unwrap();
        assert_eq!((packing.scale, packing.offset, dtype), (1.0, 3.0, DType::F32), "constant");
        assert_eq!(Packing::spread(f64::NAN, f64::NAN, DType::I16, DType::F32).unwrap().0.offset, 0.0, "no value");
        assert!(Packing::spread(0.0, f64::INFINITY, DType::I16, DType::F64).is_err());
        assert!(Packing::spread(0.0, 1.0, DType::I64, DType::F64).is_err());
        // The largest range there is does not overflow.
        let (packing, _) = Packing::spread(f64::MIN, f64::MAX, DType::I16, DType::F64).unwrap();
        assert!(packing.scale.is_finite() && packing.offset.is_finite());
    }

    #[test]
    fn both_ends_fit_whatever_the_precision() {
        for (low, high) in [(250.0, 250.01), (-1e-30, 1e30), (1e5, 100_000.5), (1e-42, 3e-42), (0.1, 0.7)] {
            for precision in [DType::F32, DType::F64] {
                for stored in [DType::I8, DType::U8, DType::I16, DType::U16, DType::I32, DType::U32] {
                    let (Packing { scale, offset, fill }, _) = Packing::spread(low, high, stored, precision).unwrap();
                    let pack = Pack { variable: "t".into(), stored, scale, offset, fill };
                    let ends = [low, high, f64::NAN];
                    let packed = with_dtype!(stored, T => {
                        let all: Vec<T> = call(&pack, &ends).unwrap();
                        all.iter().map(|n| n.to_f64()).collect::<Vec<f64>>()
                    });
                    assert_eq!(packed[2], fill as f64);
                    let error = (packed[0] * scale + offset - low).abs().max((packed[1] * scale + offset - high).abs());
                    assert!(error <= 0.51 * scale + 1e-15 * high.abs(), "{low} {high} {stored} {precision}: {error}");
                }
            }
        }
    }

    #[test]
    fn casts_are_exact_or_errors() {
        let cast = |stored, fill| Cast { variable: "t".into(), stored, fill };
        let big = [i64::MIN, -1, i64::MAX];
        assert_eq!(call::<i64, i64>(&cast(DType::I64, None), &big).unwrap(), big);
        assert!(call::<i64, u64>(&cast(DType::U64, None), &big).is_err());
        assert!(call::<i64, f64>(&cast(DType::F64, None), &[(1 << 53) + 1]).is_err());
        assert_eq!(call::<i64, f64>(&cast(DType::F64, None), &[1 << 60]).unwrap(), [(1u64 << 60) as f64]);
        assert_eq!(call::<f64, i16>(&cast(DType::I16, Some(-1)), &[0.5, 1.5, f64::NAN]).unwrap(), [0, 2, -1]);
        assert!(call::<f64, i16>(&cast(DType::I16, Some(-1)), &[-1.0]).is_err(), "it would be missing");
        assert!(call::<f64, i16>(&cast(DType::I16, None), &[f64::NAN]).is_err());
        assert!(call::<f64, u64>(&cast(DType::U64, None), &[f64::INFINITY]).is_err());
        let floats = [0.1, f64::NAN, f64::NEG_INFINITY];
        let singles: Vec<f32> = call(&cast(DType::F32, None), &floats).unwrap();
        assert!(singles[0] == 0.1 && singles[1].is_nan() && singles[2] == f32::NEG_INFINITY);
        assert!(call::<f64, f16>(&cast(DType::F16, None), &[70000.0]).is_err());
    }

    #[test]
    fn missing_numbers_and_infinities_are_not_rounded() {
        let round = BitRound { keep_bits: 1, missing: vec![-999.0] };
        let values = [1.1f32, -999.0, f32::NAN, f32::INFINITY, 1.25, 1.75];
        let out: Vec<f32> = call(&round, &values).unwrap();
        assert_eq!((out[0], out[1], out[3], out[4], out[5]), (1.0, -999.0, f32::INFINITY, 1.0, 2.0));
        assert!(out[2].is_nan());
        assert!(call::<i32, i32>(&round, &[1]).is_err());
    }
}
