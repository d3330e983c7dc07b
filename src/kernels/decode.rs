//! The numeric side of CF decoding: stored bytes to numbers that kernels compute in, a [`Segment`] at a time.

use super::shuffle;
use crate::dtype::{ByteOrder, DType, Element, NumberKind};
use crate::with_dtype;
use half::f16;
use std::ops::BitOr;

/// A value as written in metadata.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// An integer of any type.
    Int(i128),
    /// A number with a fraction, an infinity or NaN.
    Float(f64),
}

/// The types that kernels compute in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Work {
    F32,
    F64,
    I64,
    U64,
}

/// How stored numbers become values.
#[derive(Debug, Clone, PartialEq)]
pub struct Decode {
    /// The type in the file.
    pub stored: DType,
    /// The order of its bytes.
    pub order: ByteOrder,
    /// The type of the same size that the stored integers are read as (`_Unsigned`).
    pub unsigned: Option<DType>,
    /// Values that mean "missing", compared exactly in the stored (reinterpreted) type.
    ///
    /// One that this type cannot hold never matches; NaN matches NaN. Only for a floating point `result`.
    pub missing: Vec<Number>,
    /// The range of stored values, ends included, outside which they are missing. Only for a floating point `result`.
    pub valid: Option<(Number, Number)>,
    /// A factor, applied in the type of `result`.
    pub scale: Option<f64>,
    /// What is added after that, in the type of `result`.
    pub offset: Option<f64>,
    /// The type of the values. Floating point wherever anything can be missing or scaled; else the stored (or
    /// reinterpreted) type.
    pub result: DType,
}

impl Decode {
    /// Values as they are stored; half precision becomes single.
    pub fn plain(stored: DType, order: ByteOrder) -> Decode {
        let result = if stored == DType::F16 { DType::F32 } else { stored };
        Decode { stored, order, unsigned: None, missing: vec![], valid: None, scale: None, offset: None, result }
    }

    /// The type that kernels compute in.
    pub fn work(&self) -> Work {
        match (self.result, self.result.kind()) {
            (DType::F64, _) => Work::F64,
            (_, NumberKind::Float) => Work::F32,
            (_, NumberKind::Signed) => Work::I64,
            (_, NumberKind::Unsigned | NumberKind::Bool) => Work::U64,
        }
    }

    /// The type that the stored bytes are read as.
    pub fn read_as(&self) -> DType {
        self.unsigned.filter(|u| u.size() == self.stored.size()).unwrap_or(self.stored)
    }
}

/// A type that kernels compute in: f32, f64, i64 or u64.
pub trait Value: Element + Default {
    /// Its run-time name.
    const WORK: Work;
    /// Whether a value can be missing at all.
    const FLOAT: bool;
    /// What a search for the smallest starts with: nothing is larger.
    const LARGEST: Self;
    /// What a search for the largest starts with: nothing is smaller.
    const SMALLEST: Self;
    /// What "missing" is written as; zero for integers, which are never missing.
    const MISSING: Self;
    /// The floating point type that holds the shift of a one-pass variance.
    type Shift: Value;
    /// As a shift.
    fn shift(self) -> Self::Shift;
    /// Holds [`missing_bits`](Value::missing_bits), as wide as the value, so that a loop over both is vectorised.
    type Bits: Copy + Default + PartialEq + BitOr<Output = Self::Bits>;
    /// Not zero for a missing value.
    fn missing_bits(self) -> Self::Bits;
    /// Exactly, for integers; floats are cut to integers.
    fn to_i128(self) -> i128;
    /// Exactly, for stored integers of at most 32 bits.
    fn to_i64(self) -> i64;
    /// `self * scale + offset`, each step rounded.
    fn scaled(self, scale: Self, offset: Self) -> Self;

    /// Whether it is missing: NaN.
    #[inline(always)]
    #[allow(clippy::eq_op)]
    fn is_missing(self) -> bool {
        self != self
    }
}

macro_rules! value {
    ($($t:ident $work:ident $shift:ident $float:literal $largest:expr, $smallest:expr, $missing:expr, $bits:ty;)*) => {$(
        impl Value for $t {
            const WORK: Work = Work::$work;
            const FLOAT: bool = $float;
            const LARGEST: $t = $largest;
            const SMALLEST: $t = $smallest;
            const MISSING: $t = $missing;
            type Shift = $shift;
            type Bits = $bits;
            #[inline(always)]
            fn shift(self) -> $shift {
                self as $shift
            }
            #[inline(always)]
            fn to_i64(self) -> i64 {
                self as i64
            }
            #[inline(always)]
            #[allow(clippy::eq_op)]
            fn missing_bits(self) -> $bits {
                (self != self) as $bits
            }
            #[inline(always)]
            fn to_i128(self) -> i128 {
                self as i128
            }
            #[inline(always)]
            fn scaled(self, scale: $t, offset: $t) -> $t {
                if $float { self * scale + offset } else { self }
            }
        }
    )*};
}
value! {
    f32 F32 f32 true f32::INFINITY, f32::NEG_INFINITY, f32::NAN, u32;
    f64 F64 f64 true f64::INFINITY, f64::NEG_INFINITY, f64::NAN, u64;
    i64 I64 f64 false i64::MAX, i64::MIN, 0, u64;
    u64 U64 f64 false u64::MAX, u64::MIN, 0, u64;
}

/// A stored type that becomes a value.
trait Stored<W>: Element {
    fn value(self) -> W;
}

macro_rules! stored {
    ($($t:ident)*) => {$(
        impl Stored<f32> for $t { #[inline(always)] fn value(self) -> f32 { self as f32 } }
        impl Stored<f64> for $t { #[inline(always)] fn value(self) -> f64 { self as f64 } }
        impl Stored<i64> for $t { #[inline(always)] fn value(self) -> i64 { self as i64 } }
        impl Stored<u64> for $t { #[inline(always)] fn value(self) -> u64 { self as u64 } }
    )*};
}
stored!(i8 i16 i32 i64 u8 u16 u32 u64 f32 f64);

impl Stored<f32> for f16 {
    /// Exact, and without the branches that keep `half`'s own from being vectorised.
    #[inline(always)]
    fn value(self) -> f32 {
        let bits = u32::from(self.to_bits());
        // 2^112 makes up for the difference of the exponents' biases; subnormals come out right too.
        let finite = f32::from_bits((bits & 0x7fff) << 13) * f32::from_bits(0x7780_0000);
        let special = if bits & 0x7c00 == 0x7c00 { 0x7f80_0000 } else { 0 };
        f32::from_bits(finite.to_bits() | special | (bits & 0x8000) << 16)
    }
}
impl Stored<f64> for f16 {
    #[inline(always)]
    fn value(self) -> f64 {
        f64::from(Stored::<f32>::value(self))
    }
}
impl Stored<i64> for f16 {
    #[inline(always)]
    fn value(self) -> i64 {
        f32::from(self) as i64
    }
}
impl Stored<u64> for f16 {
    #[inline(always)]
    fn value(self) -> u64 {
        f32::from(self) as u64
    }
}

/// Elements that are decoded and folded together, while they are in the first-level cache.
pub const SEGMENT: usize = 2048;

/// One worker's buffers for decoded values.
pub struct Segment {
    values: Box<Lines>,
    gathered: Box<Lines>,
}

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Lines([u8; SEGMENT * 8]);

impl Segment {
    /// Bytes that one takes.
    pub const BYTES: usize = 2 * size_of::<Lines>();

    /// An empty one.
    pub fn new() -> Segment {
        let lines = || Box::new(Lines([0; SEGMENT * 8]));
        Segment { values: lines(), gathered: lines() }
    }
}

impl Default for Segment {
    fn default() -> Segment {
        Segment::new()
    }
}

/// Stored elements, in one of two ways.
#[derive(Debug, Clone, Copy)]
pub enum Elements<'a> {
    /// One behind the other.
    InTurn(&'a [u8]),
    /// As shuffling leaves those of a whole chunk: all their first bytes, then all their second ones, and so on.
    Planes {
        /// All bytes of the chunk.
        planes: &'a [u8],
        /// The chunk's element that counts as the first one here.
        first: usize,
    },
}

impl<'a> From<&'a [u8]> for Elements<'a> {
    fn from(bytes: &'a [u8]) -> Elements<'a> {
        Elements::InTurn(bytes)
    }
}

impl Elements<'_> {
    /// How many there are, of `size` bytes each.
    pub(crate) fn len(&self, size: usize) -> usize {
        match self {
            Elements::InTurn(bytes) => bytes.len() / size,
            Elements::Planes { planes, first } => (planes.len() / size).saturating_sub(*first),
        }
    }
}

/// A [`Decode`] made ready: its values turned into the stored type.
#[derive(Debug, Clone)]
pub(crate) struct Decoder {
    read: DType,
    swap: bool,
    /// Bits of the missing values in the type that is read.
    missing: Vec<u64>,
    valid: Option<Valid>,
    scale: Option<(f64, f64)>,
}

#[derive(Debug, Clone, Copy)]
enum Valid {
    Between(u64, u64),
    Never,
}

/// Values, and whether any is missing.
pub(crate) struct Decoded<'a, W> {
    pub values: &'a [W],
    pub missing: bool,
}

impl Decoder {
    pub(crate) fn new(decode: &Decode) -> Decoder {
        let read = decode.read_as();
        let float = decode.result.is_float();
        let numbers: &[Number] = if float { &decode.missing } else { &[] };
        let scaled = float && (decode.scale.is_some() || decode.offset.is_some());
        Decoder {
            read,
            swap: read.size() > 1 && decode.order != ByteOrder::NATIVE,
            missing: with_dtype!(read, T => numbers.iter().filter_map(|&n| exactly::<T>(n)).map(to_bits).collect()),
            valid: decode.valid.filter(|_| float).and_then(|v| with_dtype!(read, T => valid_range::<T>(v))),
            // Adding -0.0 changes nothing, not even the sign of a zero.
            scale: scaled.then(|| (decode.scale.unwrap_or(1.0), decode.offset.unwrap_or(-0.0))),
        }
    }

    /// Bytes of one stored element.
    pub(crate) fn element(&self) -> usize {
        self.read.size()
    }

    /// The values of `len` (at most [`SEGMENT`]) elements, `stride` elements apart, from element `start` on.
    #[inline]
    pub(crate) fn decode<'a, W: Value>(
        &self,
        elements: impl Into<Elements<'a>>,
        start: usize,
        stride: usize,
        len: usize,
        segment: &'a mut Segment,
    ) -> Decoded<'a, W> {
        let size = self.element();
        let out = &mut bytemuck::cast_slice_mut::<u8, W>(&mut segment.values.0)[..len];
        let gathered = &mut segment.gathered.0[..len * size];
        let raw = match elements.into() {
            Elements::InTurn(bytes) if stride == 1 || len <= 1 => &bytes[start * size..(start + len) * size],
            Elements::InTurn(bytes) => {
                gather(&bytes[start * size..], stride, size, gathered);
                gathered
            }
            Elements::Planes { planes, first } => {
                shuffle::pick(size, planes, first + start, if len <= 1 { 1 } else { stride }, gathered);
                gathered
            }
        };
        if let Some(values) = self.as_they_are::<W>(raw) {
            return Decoded { values, missing: W::FLOAT && any_missing(values) };
        }
        let missing = self.decode_run(raw, out);
        Decoded { values: out, missing }
    }

    fn as_they_are<'a, W: Value>(&self, raw: &'a [u8]) -> Option<&'a [W]> {
        let plain = self.read == W::DTYPE
            && !self.swap
            && self.missing.is_empty()
            && self.scale.is_none()
            && self.valid.is_none();
        if plain { bytemuck::try_cast_slice(raw).ok() } else { None }
    }

    fn decode_run<W: Value>(&self, raw: &[u8], out: &mut [W]) -> bool {
        macro_rules! from {
            ($w:ident: $($d:ident $t:ident)*) => {{
                // W is $w where this is called.
                let out = bytemuck::cast_slice_mut::<W, $w>(out);
                match self.read {
                    $(DType::$d => self.decode_from::<$t, $w>(raw, out),)*
                    #[allow(unreachable_patterns)]
                    other => unreachable!("{other} does not become {}", W::DTYPE),
                }
            }};
        }
        match W::WORK {
            Work::F32 => {
                from!(f32: Bool u8 U8 u8 I8 i8 I16 i16 U16 u16 I32 i32 U32 u32 I64 i64 U64 u64 F16 f16 F32 f32 F64 f64)
            }
            Work::F64 => {
                from!(f64: Bool u8 U8 u8 I8 i8 I16 i16 U16 u16 I32 i32 U32 u32 I64 i64 U64 u64 F16 f16 F32 f32 F64 f64)
            }
            Work::I64 => from!(i64: Bool u8 U8 u8 I8 i8 I16 i16 U16 u16 I32 i32 U32 u32 I64 i64),
            Work::U64 => from!(u64: Bool u8 U8 u8 U16 u16 U32 u32 U64 u64),
        }
    }

    fn decode_from<S: Stored<W>, W: Value>(&self, raw: &[u8], out: &mut [W]) -> bool {
        let (scale, offset) = self.scale.unwrap_or((1.0, -0.0));
        let (scale, offset) = (W::from_f64(scale), W::from_f64(offset));
        let first = self.missing.first().map(|&bits| from_bits::<S>(bits));
        let mut any = match (first, self.scale.is_some(), self.swap) {
            (None, false, false) => plain::<S, W, false>(raw, out),
            (None, false, true) => plain::<S, W, true>(raw, out),
            (None, true, false) => scaled::<S, W, false>(raw, out, scale, offset),
            (None, true, true) => scaled::<S, W, true>(raw, out, scale, offset),
            (Some(m), _, false) => masked::<S, W, false>(raw, out, m, scale, offset),
            (Some(m), _, true) => masked::<S, W, true>(raw, out, m, scale, offset),
        };
        for &bits in self.missing.iter().skip(1) {
            let m = from_bits::<S>(bits);
            any |= self.mask(raw, out, [m, m], true);
        }
        match self.valid {
            None => {}
            Some(Valid::Never) => {
                out.fill(W::MISSING);
                any |= !out.is_empty();
            }
            Some(Valid::Between(low, high)) => {
                any |= self.mask(raw, out, [from_bits::<S>(low), from_bits(high)], false)
            }
        }
        any
    }

    /// Makes missing what lies between the ends, if `inside`, else what does not.
    fn mask<S: Stored<W>, W: Value>(&self, raw: &[u8], out: &mut [W], ends: [S; 2], inside: bool) -> bool {
        if self.swap { mask::<S, W, true>(raw, out, ends, inside) } else { mask::<S, W, false>(raw, out, ends, inside) }
    }
}

#[inline(always)]
fn stored<S: Element, const SWAP: bool>(bytes: &[u8]) -> S {
    let x: S = bytemuck::pod_read_unaligned(bytes);
    if SWAP { x.swapped() } else { x }
}

vectorised! {
    fn any_missing[W: Value](values: &[W]) -> bool {
        // Blocks, so that the search can stop early without a branch an element.
        let none = W::Bits::default();
        values.chunks(512).any(|block| block.iter().fold(none, |bad, x| bad | x.missing_bits()) != none)
    }
}

vectorised! {
    fn plain[S: Stored<W>, W: Value; const SWAP: bool](raw: &[u8], out: &mut [W]) -> bool {
        let mut bad = W::Bits::default();
        for (y, x) in out.iter_mut().zip(raw.chunks_exact(size_of::<S>())) {
            *y = stored::<S, SWAP>(x).value();
            bad = bad | y.missing_bits();
        }
        bad != W::Bits::default()
    }
}

vectorised! {
    fn scaled[S: Stored<W>, W: Value; const SWAP: bool](raw: &[u8], out: &mut [W], scale: W, offset: W) -> bool {
        let mut bad = W::Bits::default();
        for (y, x) in out.iter_mut().zip(raw.chunks_exact(size_of::<S>())) {
            *y = stored::<S, SWAP>(x).value().scaled(scale, offset);
            bad = bad | y.missing_bits();
        }
        bad != W::Bits::default()
    }
}

vectorised! {
    fn masked[S: Stored<W>, W: Value; const SWAP: bool](raw: &[u8], out: &mut [W], missing: S, scale: W, offset: W) -> bool {
        let mut bad = W::Bits::default();
        for (y, x) in out.iter_mut().zip(raw.chunks_exact(size_of::<S>())) {
            let x = stored::<S, SWAP>(x);
            let value = x.value().scaled(scale, offset);
            *y = if x == missing { W::MISSING } else { value };
            bad = bad | y.missing_bits();
        }
        bad != W::Bits::default()
    }
}

vectorised! {
    fn mask[S: Stored<W>, W: Value; const SWAP: bool](raw: &[u8], out: &mut [W], ends: [S; 2], inside: bool) -> bool {
        let mut bad = W::Bits::default();
        for (y, x) in out.iter_mut().zip(raw.chunks_exact(size_of::<S>())) {
            let x = stored::<S, SWAP>(x);
            let between = (x >= ends[0]) & (x <= ends[1]);
            *y = if between == inside { W::MISSING } else { *y };
            bad = bad | y.missing_bits();
        }
        bad != W::Bits::default()
    }
}

/// Copies every `stride`th element of `size` bytes to `out`.
fn gather(bytes: &[u8], stride: usize, size: usize, out: &mut [u8]) {
    fn each<const N: usize>(bytes: &[u8], stride: usize, out: &mut [u8]) {
        let (out, _) = out.as_chunks_mut::<N>();
        if stride == 0 {
            out.fill(bytes[..N].try_into().expect("N bytes"));
            return;
        }
        for (y, x) in out.iter_mut().zip(bytes.chunks(stride * N)) {
            y.copy_from_slice(&x[..N]);
        }
    }
    match size {
        1 => each::<1>(bytes, stride, out),
        2 => each::<2>(bytes, stride, out),
        4 => each::<4>(bytes, stride, out),
        _ => each::<8>(bytes, stride, out),
    }
}

fn to_bits<T: Element>(x: T) -> u64 {
    let mut bits = [0; 8];
    bits[..size_of::<T>()].copy_from_slice(bytemuck::bytes_of(&x));
    u64::from_ne_bytes(bits)
}

fn from_bits<T: Element>(bits: u64) -> T {
    bytemuck::pod_read_unaligned(&bits.to_ne_bytes()[..size_of::<T>()])
}

/// The value of `T` that is exactly `number`; NaN never is, for it is missing anyway.
fn exactly<T: Element>(number: Number) -> Option<T> {
    match number {
        Number::Int(i) if T::DTYPE.is_float() => {
            let x = T::from_f64(i as f64);
            (x.to_f64().is_finite() && x.to_f64() as i128 == i).then_some(x)
        }
        Number::Int(i) => integer(i),
        Number::Float(f) if T::DTYPE.is_float() => Some(T::from_f64(f)).filter(|x| x.to_f64() == f),
        Number::Float(f) => (f.fract() == 0.0).then(|| integer(f as i128)).flatten(),
    }
}

fn integer<T: Element>(i: i128) -> Option<T> {
    let (low, high) = integer_range(T::DTYPE);
    // The low bytes of a number that fits are the number, whatever its sign.
    (low..=high).contains(&i).then(|| {
        let bytes = i.to_le_bytes();
        let x: T = bytemuck::pod_read_unaligned(&bytes[..size_of::<T>()]);
        if cfg!(target_endian = "big") { x.swapped() } else { x }
    })
}

fn integer_range(dtype: DType) -> (i128, i128) {
    let bits = 8 * dtype.size() as u32;
    match dtype.kind() {
        NumberKind::Signed => (-(1 << (bits - 1)), (1 << (bits - 1)) - 1),
        _ => (0, (1 << bits) - 1),
    }
}

/// The part of `T` that lies in the range; `None` where that is all of it.
fn valid_range<T: Element>((low, high): (Number, Number)) -> Option<Valid> {
    if T::DTYPE.is_float() {
        // Rounding an end to T must not let a value in: step inwards where it moved outwards.
        let float = |n| match n {
            Number::Int(i) => i as f64,
            Number::Float(f) => f,
        };
        let (low, high) = (float(low), float(high));
        let (mut l, mut h) = (T::from_f64(low), T::from_f64(high));
        if l.to_f64() < low {
            l = step(l, true);
        }
        if h.to_f64() > high {
            h = step(h, false);
        }
        let l = if low.is_nan() { T::from_f64(f64::NEG_INFINITY) } else { l };
        let h = if high.is_nan() { T::from_f64(f64::INFINITY) } else { h };
        return Some(Valid::Between(to_bits(l), to_bits(h)));
    }
    let (min, max) = integer_range(T::DTYPE);
    let low = match low {
        Number::Int(i) => i,
        Number::Float(f) if f.is_nan() => min,
        Number::Float(f) => f.ceil() as i128,
    };
    let high = match high {
        Number::Int(i) => i,
        Number::Float(f) if f.is_nan() => max,
        Number::Float(f) => f.floor() as i128,
    };
    if low <= min && high >= max {
        return None;
    }
    let ends = integer::<T>(low.max(min)).zip(integer::<T>(high.min(max)));
    Some(ends.map_or(Valid::Never, |(l, h)| Valid::Between(to_bits(l), to_bits(h))))
}

/// The next value of a floating point type upwards or downwards.
fn step<T: Element>(x: T, up: bool) -> T {
    let bits = to_bits(x);
    let sign = 1u64 << (8 * size_of::<T>() - 1);
    from_bits(match (bits & !sign == 0, (bits & sign != 0) == up) {
        (true, _) => 1 | if up { 0 } else { sign },
        (false, true) => bits - 1,
        (false, false) => bits + 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<W: Value>(decode: &Decode, raw: &[u8]) -> (Vec<W>, bool) {
        let mut segment = Segment::new();
        let n = raw.len() / decode.stored.size();
        let out = Decoder::new(decode).decode::<W>(raw, 0, 1, n, &mut segment);
        (out.values.to_vec(), out.missing)
    }

    #[test]
    fn every_half_is_right() {
        let raw: Vec<u8> = (0..=u16::MAX).flat_map(|x| x.to_ne_bytes()).collect();
        let plain = Decode::plain(DType::F16, ByteOrder::NATIVE);
        for (block, first) in raw.chunks(2 * SEGMENT).zip((0u16..).step_by(SEGMENT)) {
            for (k, x) in run::<f32>(&plain, block).0.into_iter().enumerate() {
                let want = f16::from_bits(first + k as u16).to_f32();
                assert!(x.to_bits() == want.to_bits() || (x.is_nan() && want.is_nan()), "{x} {want}");
            }
        }
    }

    #[test]
    fn missing_values_are_compared_exactly() {
        let base = Decode { result: DType::F32, ..Decode::plain(DType::I8, ByteOrder::NATIVE) };
        let missing = |numbers: &[Number]| run::<f32>(&Decode { missing: numbers.to_vec(), ..base.clone() }, &[1, 255]);
        assert_eq!(missing(&[Number::Int(255)]), (vec![1.0, -1.0], false));
        assert_eq!(missing(&[Number::Float(1.5)]), (vec![1.0, -1.0], false));
        assert!(missing(&[Number::Float(-1.0)]).0[1].is_nan());
        assert!(missing(&[Number::Int(9), Number::Int(1)]).0[0].is_nan());
        let unsigned = Decode { unsigned: Some(DType::U8), missing: vec![Number::Int(255)], ..base };
        assert!(run::<f32>(&unsigned, &[1, 255]).1);
        let float = Decode { missing: vec![Number::Float(0.1)], ..Decode::plain(DType::F32, ByteOrder::NATIVE) };
        assert!(!run::<f32>(&float, &0.1f32.to_ne_bytes()).1, "f32 0.1 is not f64 0.1");
    }

    #[test]
    fn ranges_include_their_ends() {
        let valid = |stored, low, high, raw: &[u8]| {
            let plain = Decode::plain(stored, ByteOrder::NATIVE);
            run::<f64>(&Decode { valid: Some((low, high)), result: DType::F64, ..plain }, raw).0
        };
        let infinite = Number::Float(f64::INFINITY);
        let got = valid(DType::U8, Number::Float(1.5), Number::Int(3), &[1, 2, 3, 4]);
        assert!(got[0].is_nan() && got[1..3] == [2.0, 3.0] && got[3].is_nan());
        assert!(valid(DType::U8, Number::Int(300), infinite, &[1, 255]).iter().all(|x| x.is_nan()));
        // As f32, 0.1 is more than the f64, and just outside.
        let got = valid(DType::F32, Number::Float(f64::NEG_INFINITY), Number::Float(0.1), &0.1f32.to_ne_bytes());
        assert!(got[0].is_nan());
        let got = valid(DType::F32, Number::Float(0.1), infinite, &0.1f32.to_ne_bytes());
        assert_eq!(got, [f64::from(0.1f32)]);
    }

    #[test]
    fn each_step_rounds_in_the_type_of_the_result() {
        let packed = Decode {
            scale: Some(0.01),
            offset: Some(273.15),
            result: DType::F32,
            ..Decode::plain(DType::I16, ByteOrder::Big)
        };
        let (got, missing) = run::<f32>(&packed, &1234i16.to_be_bytes());
        assert_eq!((got[0].to_bits(), missing), ((1234f32 * 0.01f32 + 273.15f32).to_bits(), false));
        let zero = Decode { scale: Some(1.0), ..Decode::plain(DType::F32, ByteOrder::NATIVE) };
        assert!(run::<f32>(&zero, &(-0.0f32).to_ne_bytes()).0[0].is_sign_negative());
    }

    #[test]
    fn unaligned_and_strided_elements() {
        let mut raw = vec![0u8];
        raw.extend((0..6).flat_map(|k| (k as f64).to_ne_bytes()));
        let decoder = Decoder::new(&Decode::plain(DType::F64, ByteOrder::NATIVE));
        let mut segment = Segment::new();
        assert_eq!(decoder.decode::<f64>(&raw[1..], 1, 1, 3, &mut segment).values, [1.0, 2.0, 3.0]);
        assert_eq!(decoder.decode::<f64>(&raw[1..], 1, 2, 3, &mut segment).values, [1.0, 3.0, 5.0]);
    }
}
