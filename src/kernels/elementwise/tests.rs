//! Golden values of NumPy (`fixtures/elementwise`), and the laws of scalars and segments.

use super::*;
use crate::{
    dtype::{Element, Scalar},
    error::{Class, Result},
    kernels::cast::cast,
    with_dtype,
};
use ::half::f16;
use proptest::prelude::*;

const CASES: &str = include_str!("../../../fixtures/elementwise/cases.txt");
const VALUES: &[u8] = include_bytes!("../../../fixtures/elementwise/values.bin");
const TYPES: &str = "?bhilBHILefd";

/// The cases of a kind, each by its fields.
fn cases(kind: &str) -> impl Iterator<Item = Vec<&'static str>> {
    let found: Vec<_> = CASES.lines().map(|l| l.split(' ').collect::<Vec<_>>()).filter(|l| l[0] == kind).collect();
    assert!(!found.is_empty(), "cases of {kind}");
    found.into_iter().map(|mut fields| fields.split_off(1))
}

fn dtype(c: char) -> Option<DType> {
    TYPES.chars().position(|t| t == c).map(|at| DType::ALL[at])
}

fn dtype_of(field: &str) -> DType {
    dtype(field.chars().next().unwrap()).unwrap()
}

/// Elements in memory that is aligned for any type.
#[derive(Clone)]
struct Array {
    words: Vec<u64>,
    len: usize,
}

impl Array {
    fn new(len: usize) -> Array {
        Array { words: vec![0xAAAA_AAAA_AAAA_AAAA; len.div_ceil(8)], len }
    }

    fn of(bytes: &[u8]) -> Array {
        let mut array = Array::new(bytes.len());
        array.bytes_mut().copy_from_slice(bytes);
        array
    }

    fn golden(fields: &[&str]) -> Array {
        let (offset, len): (usize, usize) = (fields[0].parse().unwrap(), fields[1].parse().unwrap());
        Array::of(&VALUES[offset..][..len])
    }

    fn bytes(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.len]
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut bytemuck::cast_slice_mut(&mut self.words)[..self.len]
    }

    fn cast(&self, from: DType, to: DType) -> Array {
        let mut out = Array::new(self.len / from.size() * to.size());
        cast(self.bytes(), from, out.bytes_mut(), to);
        out
    }
}

fn run1(op: Unary, input: DType, x: &Array) -> (DType, Array) {
    let types = op.signature(input).unwrap();
    let x = x.cast(input, types.computes);
    let mut out = Array::new(x.len / types.computes.size() * types.gives.size());
    unary(op, types.computes, x.bytes(), out.bytes_mut());
    (types.gives, out)
}

fn run2(op: Binary, input: DType, a: &Array, b: &Array) -> (DType, Array) {
    let types = op.signature(input, input).unwrap();
    let (a, b) = (a.cast(input, types.computes), b.cast(input, types.computes));
    let mut out = Array::new(a.len / types.computes.size() * types.gives.size());
    binary(op, types.computes, Operand::Values(a.bytes()), Operand::Values(b.bytes()), out.bytes_mut());
    (types.gives, out)
}

/// How many numbers apart two are; all NaN are one.
trait Steps: Element {
    fn steps(self, other: Self) -> u64;
}

macro_rules! steps {
    (floats $($t:ident $signed:ident),*) => {$(impl Steps for $t {
        fn steps(self, other: $t) -> u64 {
            let order = |x: $t| {
                let bits = x.to_bits() as $signed;
                i128::from(if bits < 0 { <$signed>::MIN - bits - 1 } else { bits })
            };
            if self.is_nan() && other.is_nan() { 0 } else { (order(self) - order(other)).unsigned_abs() as u64 }
        }
    })*};
    (integers $($t:ident),*) => {$(impl Steps for $t {
        fn steps(self, other: $t) -> u64 { u64::from(self != other) * u64::MAX }
    })*};
}
steps!(floats f16 i16, f32 i32, f64 i64);
steps!(integers i8, i16, i32, i64, u8, u16, u32, u64);

/// Asserts that results are at most so many numbers away from the golden ones, and says where they are not.
fn check(what: &str, dtype: DType, got: &Array, want: &Array, ulps: u64, inputs: &[&Array], input: DType) {
    assert_eq!(got.len, want.len, "{what}");
    with_dtype!(dtype, T => {
        let (got, want): (&[T], &[T]) = (bytemuck::cast_slice(got.bytes()), bytemuck::cast_slice(want.bytes()));
        let wrong: Vec<String> = (0..got.len())
            .filter(|&k| got[k].steps(want[k]) > ulps)
            .map(|k| {
                let of: Vec<f64> = inputs.iter().map(|x| number(x, input, k)).collect();
                format!("{what}{of:?} = {:?}, not {:?}", got[k], want[k])
            })
            .collect();
        assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
    });
}

fn number(x: &Array, dtype: DType, k: usize) -> f64 {
    with_dtype!(dtype, T => bytemuck::cast_slice::<u8, T>(x.bytes())[k].to_f64())
}

/// How far from the exact result, rounded once: 0 for all that is rounded exactly.
fn ulps1(op: Unary) -> u64 {
    use Unary::*;
    match op {
        Cbrt | Exp | Exp2 | Expm1 | Log | Log1p | Log2 | Log10 | Sin | Cos | Tan | Asin | Acos | Atan => 1,
        Sinh | Cosh | Tanh | Asinh | Acosh | Atanh => 2,
        _ => 0,
    }
}

fn ulps2(op: Binary) -> u64 {
    match op {
        Binary::Pow | Binary::Atan2 | Binary::Hypot => 1,
        Binary::Logaddexp => 2,
        _ => 0,
    }
}

#[test]
fn unary_operations_give_numpys_values() {
    let mut seen = std::collections::HashSet::new();
    for case in cases("unary") {
        let (op, input) = (Unary::from_name(case[0]).unwrap(), dtype_of(case[1]));
        let x = Array::golden(&cases("input").find(|i| i[0] == case[1]).unwrap()[1..]);
        let (gives, got) = run1(op, input, &x);
        let what = format!("{} of {input}", case[0]);
        assert_eq!(gives, dtype_of(case[2]), "{what}");
        check(&what, gives, &got, &Array::golden(&case[3..]), ulps1(op), &[&x], input);
        seen.insert(op);
    }
    assert_eq!(seen.len(), Unary::ALL.len(), "every operation is tried");
}

#[test]
fn binary_operations_give_numpys_values() {
    let mut seen = std::collections::HashSet::new();
    for case in cases("binary") {
        let (op, input) = (Binary::from_name(case[0]).unwrap(), dtype_of(case[1]));
        let pairs = cases("pairs").find(|i| i[0] == case[1]).unwrap();
        let (a, b) = (Array::golden(&pairs[1..3]), Array::golden(&pairs[3..5]));
        let (gives, mut got) = run2(op, input, &a, &b);
        let what = format!("{} of {input}", case[0]);
        assert_eq!(gives, dtype_of(case[2]), "{what}");
        let mut want = Array::golden(&case[3..]);
        if matches!(op, Binary::Maximum | Binary::Minimum | Binary::Fmax | Binary::Fmin) && gives.is_float() {
            // Which of 0.0 and -0.0 is the larger depends on NumPy's processor.
            (got, want) = (without_signed_zeros(gives, &got), without_signed_zeros(gives, &want));
        }
        check(&what, gives, &got, &want, ulps2(op), &[&a, &b], input);
        seen.insert(op);
    }
    assert_eq!(seen.len(), Binary::ALL.len(), "every operation is tried");
}

fn without_signed_zeros(dtype: DType, x: &Array) -> Array {
    let mut out = x.clone();
    let zero = Operand::Scalar([0; 8]);
    let mut mask = Array::new(x.len / dtype.size());
    binary(Binary::Equal, dtype, Operand::Values(x.bytes()), zero, mask.bytes_mut());
    select(dtype, mask.bytes(), zero, Operand::Values(x.bytes()), out.bytes_mut());
    out
}

#[test]
fn a_maximum_and_a_minimum_clip() {
    for case in cases("clip") {
        let input = dtype_of(case[0]);
        let [x, low, high, want] = [1, 3, 5, 7].map(|k| Array::golden(&case[k..]));
        let raised = run2(Binary::Maximum, input, &x, &low).1;
        let got = run2(Binary::Minimum, input, &raised, &high).1;
        let (got, want) = (without_signed_zeros(input, &got), without_signed_zeros(input, &want));
        check("clip", input, &got, &want, 0, &[&x, &low, &high], input);
    }
}

/// Compares a row of types, of which `-` is an error.
fn check_types(what: &str, want: &str, got: impl Fn(DType, DType) -> Result<DType>) {
    let two = want.len() > DType::ALL.len();
    for (k, c) in want.chars().enumerate() {
        let (a, b) = if two { (DType::ALL[k / 12], DType::ALL[k % 12]) } else { (DType::ALL[k], DType::ALL[k]) };
        match got(a, b) {
            Ok(got) => assert_eq!(Some(got), dtype(c), "{what} of {a} and {b}"),
            Err(e) => {
                assert_eq!(c, '-', "{what} of {a} and {b}: {e}");
                assert_eq!(e.class(), Class::Usage);
            }
        }
    }
}

fn scalar(field: &str) -> Scalar {
    match field {
        "True" => true.into(),
        _ if field.contains('.') => field.parse::<f64>().unwrap().into(),
        _ => field.parse::<i64>().map_or_else(|_| field.parse::<u64>().unwrap().into(), Scalar::from),
    }
}

#[test]
fn types_are_numpys() {
    let promoted = cases("promote").next().unwrap();
    check_types("promotion", promoted[0], |a, b| Ok(a.promote(b)));
    for case in cases("scalars") {
        check_types(case[0], case[1], |a, _| a.promote_scalar(scalar(case[0])));
    }
    for case in cases("types1") {
        let op = Unary::from_name(case[0]).unwrap();
        check_types(case[0], case[2], |a, _| Ok(op.signature(a)?.gives));
        if op != Unary::Signbit {
            check_types(case[0], case[1], |a, _| Ok(op.signature(a)?.computes));
        }
    }
    for case in cases("types2") {
        let op = Binary::from_name(case[0]).unwrap();
        check_types(case[0], case[2], |a, b| Ok(op.signature(a, b)?.gives));
        check_types(case[0], case[1], |a, b| Ok(op.signature(a, b)?.computes));
    }
    for case in cases("typesn") {
        let op = Binary::from_name(case[0]).unwrap();
        let what = format!("{} with {}", case[0], case[1]);
        check_types(&what, case[2], |a, _| Ok(op.signature_scalar(a, scalar(case[1]))?.gives));
    }
}

#[test]
fn numbers_of_any_size_are_compared() {
    let compare = |op: Binary, dtype: DType, x: &Array, y: Scalar| {
        let types = op.signature_scalar(dtype, y).unwrap();
        let x = x.cast(dtype, types.computes);
        let mut out = Array::new(x.len / types.computes.size());
        let y = Operand::Scalar(y.bytes(types.computes));
        binary(op, types.computes, Operand::Values(x.bytes()), y, out.bytes_mut());
        out.bytes().to_vec()
    };
    let bytes = Array::of(&[0, 1, 255]);
    assert_eq!(compare(Binary::Less, DType::U8, &bytes, 300.into()), [1, 1, 1]);
    assert_eq!(compare(Binary::Less, DType::U8, &bytes, (-1).into()), [0, 0, 0]);
    assert_eq!(compare(Binary::Equal, DType::U8, &bytes, 255.into()), [0, 0, 1]);
    assert_eq!(compare(Binary::Equal, DType::I8, &bytes, 255.into()), [0, 0, 0]);
    let wide = Array::of(bytemuck::bytes_of(&[0u64, 1 << 53, (1 << 53) + 1, u64::MAX]));
    assert_eq!(compare(Binary::GreaterEqual, DType::U64, &wide, (-1).into()), [1; 4]);
    assert_eq!(compare(Binary::Greater, DType::U64, &wide, (1i64 << 53).into()), [0, 0, 1, 1]);
    assert_eq!(compare(Binary::Equal, DType::U64, &wide, u64::MAX.into()), [0, 0, 0, 1]);
}

#[test]
fn signed_and_unsigned_numbers_are_compared_exactly() {
    let types = Binary::Less.signature(DType::I64, DType::U64).unwrap();
    let a = Array::of(bytemuck::bytes_of(&[-1i64, 1 << 53, i64::MAX, 5])).cast(DType::I64, types.computes);
    let b = Array::of(bytemuck::bytes_of(&[0u64, (1 << 53) + 1, 4, u64::MAX])).cast(DType::U64, types.computes);
    let mut out = [9; 4];
    binary(Binary::Less, types.computes, Operand::Values(a.bytes()), Operand::Values(b.bytes()), &mut out);
    assert_eq!(out, [1, 1, 0, 1]);
}

#[test]
fn powers_take_numpys_short_cuts() {
    let x = [f64::NEG_INFINITY, -0.0, 0.1, 3.7, 1e200];
    let power = |exponent: f64| {
        let mut out = [0.0f64; 5];
        let exponent = Operand::Scalar(Scalar::from(exponent).bytes(DType::F64));
        let x = Operand::Values(bytemuck::bytes_of(&x));
        binary(Binary::Pow, DType::F64, x, exponent, bytemuck::bytes_of_mut(&mut out));
        out.map(f64::to_bits)
    };
    assert_eq!(power(2.0), x.map(|x| (x * x).to_bits()));
    assert_eq!(power(-1.0), x.map(|x| (1.0 / x).to_bits()));
    assert_eq!(power(1.0), x.map(f64::to_bits));
    let (got, want) = (power(0.5), x.map(f64::sqrt));
    assert!(f64::from_bits(got[0]).is_nan());
    assert_eq!(got[1..], want.map(f64::to_bits)[1..]);
    assert_eq!(power(3.0)[2], 0.1f64.powf(3.0).to_bits());
}

#[test]
fn errors_say_what_to_do() {
    let text = |e: crate::error::Error| e.to_string();
    let e = text(Binary::BitwiseAnd.signature(DType::F32, DType::I8).unwrap_err());
    assert_eq!(
        e,
        "bitwise_and needs integers or bools that have a common integer type, got float32 and int8; convert with astype \
         first, or use logical_and"
    );
    let e = text(Binary::Add.signature_scalar(DType::I8, 300.into()).unwrap_err());
    assert_eq!(e, "300 does not fit int8; convert the array to a wider type first, as with astype(int16)");
    let e = text(Unary::Negative.signature(DType::Bool).unwrap_err());
    assert_eq!(e, "negative of bool is not defined; use logical_not, or convert it with astype(int8) first");
}

#[test]
fn names_are_found() {
    for (name, op) in [("arcsin", Unary::Asin), ("absolute", Unary::Abs), ("rint", Unary::Round)] {
        assert_eq!(Unary::from_name(name), Some(op));
    }
    assert!(Unary::ALL.iter().all(|op| Unary::from_name(op.name()) == Some(*op)));
    assert!(Binary::ALL.iter().all(|op| Binary::from_name(op.name()) == Some(*op)));
    assert_eq!(Binary::from_name("power"), Some(Binary::Pow));
    assert_eq!((Binary::from_name("sin"), Unary::from_name("add")), (None, None));
}

#[test]
fn elements_are_looked_up() {
    // numpy.searchsorted([1, 2, 2, nan, nan], [nan, 3, 2, 0]) and numpy.isin
    let sorted = [1.0f64, 2.0, 2.0, f64::NAN, f64::NAN];
    let x = [f64::NAN, 3.0, 2.0, 0.0];
    let (sorted, x) = (bytemuck::bytes_of(&sorted), bytemuck::bytes_of(&x));
    let mut places = [9i64; 4];
    lookup(Lookup::SearchLeft, DType::F64, x, sorted, bytemuck::bytes_of_mut(&mut places));
    assert_eq!(places, [3, 3, 1, 0]);
    lookup(Lookup::SearchRight, DType::F64, x, sorted, bytemuck::bytes_of_mut(&mut places));
    assert_eq!(places, [5, 3, 3, 0]);
    let mut found = [9; 4];
    lookup(Lookup::IsIn, DType::F64, x, sorted, &mut found);
    assert_eq!(found, [0, 0, 1, 0]);
    lookup(Lookup::NotIn, DType::F64, x, sorted, &mut found);
    assert_eq!(found, [1, 1, 0, 1]);
    lookup(Lookup::IsIn, DType::Bool, &[0, 1, 1, 0], &[], &mut found);
    assert_eq!(found, [0; 4]);
}

#[test]
fn nothing_gives_nothing_wherever_it_is() {
    let bytes = [0u8; 9];
    let nothing = if (bytes.as_ptr() as usize).is_multiple_of(8) { &bytes[1..1] } else { &bytes[..0] };
    for dtype in DType::ALL {
        let types = Binary::Maximum.signature(dtype, dtype).unwrap();
        let none = Operand::Values(nothing);
        binary(Binary::Maximum, types.computes, none, Operand::Scalar([0; 8]), &mut []);
        unary(Unary::Abs, dtype, nothing, &mut []);
        select(dtype, nothing, none, none, &mut []);
        let (x, mut out) = (Array::new(dtype.size()), [9]);
        lookup(Lookup::IsIn, dtype, x.bytes(), nothing, &mut out);
        assert_eq!(out, [0]);
    }
}

#[test]
fn tables_of_any_length_are_searched() {
    for len in 0..40u32 {
        let table: Vec<u32> = (0..len).map(|k| k / 3 * 2).collect();
        let x: Vec<u32> = (0..40).collect();
        let mut places = vec![0i64; x.len()];
        for (how, right) in [(Lookup::SearchLeft, false), (Lookup::SearchRight, true)] {
            let (x, table) = (bytemuck::cast_slice(&x), bytemuck::cast_slice(&table));
            lookup(how, DType::U32, x, table, bytemuck::cast_slice_mut(&mut places));
            let table: &[u32] = bytemuck::cast_slice(table);
            let count = |x: u32| table.iter().filter(|y| **y < x || (right && **y == x)).count() as i64;
            assert_eq!(places, (0..40).map(count).collect::<Vec<_>>(), "{how:?} {len}");
        }
    }
}

#[test]
#[should_panic(expected = "as many elements in as out")]
fn lengths_are_compared() {
    binary(Binary::Add, DType::U8, Operand::Values(&[1, 2]), Operand::Values(&[1]), &mut [0, 0]);
}

/// Elements of a type from any bits.
fn elements(dtype: DType, bits: &[u64]) -> Array {
    let each = bits.iter().flat_map(|x| {
        let x = if dtype == DType::Bool { x & 1 } else { *x };
        with_dtype!(dtype, T => bytemuck::bytes_of::<T>(&bytemuck::cast_slice::<u64, T>(&[x])[0]).to_vec())
    });
    Array::of(&each.collect::<Vec<u8>>())
}

fn bits() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        (-9i64..9).prop_map(|x| x as u64),
        (-9..9i32).prop_map(|x| f64::from(x).to_bits()),
        (-9..9i16).prop_map(|x| u64::from(f32::from(x).to_bits())),
        (-9..9i8).prop_map(|x| u64::from(f16::from(x).to_bits())),
    ]
}

proptest! {
    #[test]
    fn a_scalar_is_its_value_repeated(
        op in prop::sample::select(Binary::ALL), dtype in prop::sample::select(&DType::ALL[..]),
        x in prop::collection::vec(bits(), 0..600), y in bits(), mask in any::<u64>(),
    ) {
        let (x, one) = (elements(dtype, &x), elements(dtype, &[y]));
        let repeated = elements(dtype, &vec![y; x.len / dtype.size()]);
        if let Ok(types) = op.signature(dtype, dtype) {
            let [x, one, repeated] = [&x, &one, &repeated].map(|a| a.cast(dtype, types.computes));
            let mut scalar = [0; 8];
            scalar[..one.len].copy_from_slice(one.bytes());
            let scalar = Operand::Scalar(scalar);
            let len = x.len / types.computes.size() * types.gives.size();
            let compare = |what, a, b, want_a, want_b| {
                let (mut got, mut want) = (Array::new(len), Array::new(len));
                binary(op, types.computes, a, b, got.bytes_mut());
                binary(op, types.computes, want_a, want_b, want.bytes_mut());
                check(&format!("{what} {op}"), types.gives, &got, &want, 0, &[], dtype);
            };
            let (x, repeated) = (Operand::Values(x.bytes()), Operand::Values(repeated.bytes()));
            let short_cut = op == Binary::Pow && types.computes.is_float();
            if !(short_cut && [-1.0, 0.5, 1.0, 2.0].contains(&number(&one, types.computes, 0))) {
                compare("right", x, scalar, x, repeated);
                compare("both", scalar, scalar, repeated, repeated);
            }
            compare("left", scalar, x, repeated, x);
        }
        let mut scalar = [0; 8];
        scalar[..one.len].copy_from_slice(one.bytes());
        let mask: Vec<u8> = (0..x.len / dtype.size()).map(|k| (mask >> (k % 64) & 1) as u8).collect();
        for (a, b) in [(0, 1), (1, 0), (1, 1)] {
            let (mut got, mut want) = (Array::new(x.len), Array::new(x.len));
            let one = [Operand::Values(x.bytes()), Operand::Scalar(scalar)];
            let many = [one[0], Operand::Values(repeated.bytes())];
            select(dtype, &mask, one[a], one[b], got.bytes_mut());
            select(dtype, &mask, many[a], many[b], want.bytes_mut());
            prop_assert_eq!(got.bytes(), want.bytes());
        }
    }

    #[test]
    fn segments_together_are_one_call(
        op in prop::sample::select(Binary::ALL), single in prop::sample::select(Unary::ALL),
        dtype in prop::sample::select(&DType::ALL[..]),
        pairs in prop::collection::vec((bits(), bits()), 0..700), cut in any::<prop::sample::Index>(),
    ) {
        let (a, b): (Vec<u64>, Vec<u64>) = pairs.into_iter().unzip();
        let cut = cut.index(a.len() + 1);
        let parts = [(0, cut), (cut, a.len())];
        let (a, b) = (elements(dtype, &a), elements(dtype, &b));
        if let Ok(types) = op.signature(dtype, dtype) {
            let (s, g) = (types.computes.size(), types.gives.size());
            let [a, b] = [&a, &b].map(|x| x.cast(dtype, types.computes));
            let mut whole = Array::new(a.len / s * g);
            let mut pieces = whole.clone();
            binary(op, types.computes, Operand::Values(a.bytes()), Operand::Values(b.bytes()), whole.bytes_mut());
            for (from, to) in parts {
                let [a, b] = [&a, &b].map(|x| Operand::Values(&x.bytes()[from * s..to * s]));
                binary(op, types.computes, a, b, &mut pieces.bytes_mut()[from * g..to * g]);
            }
            check(&format!("{op}"), types.gives, &pieces, &whole, 0, &[], dtype);
        }
        if let Ok(types) = single.signature(dtype) {
            let (s, g) = (types.computes.size(), types.gives.size());
            let x = a.cast(dtype, types.computes);
            let mut whole = Array::new(x.len / s * g);
            let mut pieces = whole.clone();
            unary(single, types.computes, x.bytes(), whole.bytes_mut());
            for (from, to) in parts {
                unary(single, types.computes, &x.bytes()[from * s..to * s], &mut pieces.bytes_mut()[from * g..to * g]);
            }
            check(&format!("{single}"), types.gives, &pieces, &whole, 0, &[], dtype);
        }
    }
}
