//! Order statistics against NumPy, SciPy, pandas and bottleneck, and against their definition.

use super::{bytes_of, dtype_of, is_the_same_apart, lanes_last, run, run_typed, same, some_bytes};
use crate::{
    dtype::{DType, Element},
    kernels::lanes::*,
};
use proptest::prelude::*;
use serde_json::Value;

const EXPECTED: &str = include_str!("../../../../fixtures/order/expected.json");

const OMIT: LaneOptions = LaneOptions { keep_missing: false, min_count: 0 };
const PROPAGATE: LaneOptions = LaneOptions { keep_missing: true, min_count: 0 };

fn quantile(at: impl Into<OneOrMany>, method: Method) -> OrderStatistic {
    OrderStatistic::Quantile { at: Quantiles::new(at).unwrap(), method }
}

fn of(statistic: OrderStatistic, options: LaneOptions) -> LaneOp {
    LaneOp::Statistic { statistic, options }
}

/// The same bits, or both NaN, or both zero: which of two zeros stands first is nobody's rule.
fn agree(dtype: DType, a: &[u8], b: &[u8]) -> bool {
    let positive = |x: &[u8]| -> Vec<u8> {
        match dtype {
            DType::F16 => x.chunks(2).flat_map(|x| if x == [0, 0x80] { [0; 2] } else { [x[0], x[1]] }).collect(),
            DType::F32 => typed::<f32>(x).iter().flat_map(|x| (x + 0.0).to_ne_bytes()).collect(),
            DType::F64 => typed::<f64>(x).iter().flat_map(|x| (x + 0.0).to_ne_bytes()).collect(),
            _ => x.to_vec(),
        }
    };
    same(dtype, &positive(a), &positive(b))
}

fn typed<T: bytemuck::AnyBitPattern>(bytes: &[u8]) -> Vec<T> {
    bytes.chunks_exact(size_of::<T>()).map(bytemuck::pod_read_unaligned).collect()
}

#[test]
#[cfg(target_endian = "little")]
fn quantiles_have_the_bits_of_numpy() {
    let expected: Value = serde_json::from_str(EXPECTED).unwrap();
    let qs: Vec<f64> = expected["qs"].as_array().unwrap().iter().map(|q| q.as_f64().unwrap()).collect();
    let mut seen = 0;
    for case in expected["cases"].as_array().unwrap() {
        let (dtype, src) = (dtype_of(&case["dtype"]), bytes_of(&case["src"]));
        let shape = [2, case["n"].as_u64().unwrap() as usize, 2];
        for method in Method::ALL {
            for (rule, options) in [("omit", OMIT), ("propagate", PROPAGATE)] {
                let want = &case["results"]["quantile"][method.name()][rule];
                let all = quantile(qs.clone(), method);
                let result = all.result_dtype(dtype);
                let all = run(of(all, options), dtype, &src, shape);
                for (k, want) in want.as_array().into_iter().flatten().enumerate() {
                    let one = run(of(quantile(qs[k], method), options), dtype, &src, shape);
                    let what = format!("{} {method} {} of {dtype} {shape:?}", qs[k], rule);
                    assert!(agree(result, &one, &bytes_of(want)), "{what}: {one:?} {want}");
                    // The same among several: [outer, quantile, inner].
                    let half = one.len() / 2;
                    let among: Vec<u8> =
                        all.chunks(qs.len() * half).flat_map(|outer| outer[k * half..][..half].to_vec()).collect();
                    assert_eq!(one, among, "{what}");
                    seen += 1;
                }
            }
        }
    }
    assert_eq!(seen, 13 * 7 * (18 + 3));
}

#[test]
#[cfg(target_endian = "little")]
fn other_statistics_are_those_of_numpy_scipy_pandas_and_bottleneck() {
    let expected: Value = serde_json::from_str(EXPECTED).unwrap();
    for case in expected["cases"].as_array().unwrap() {
        let (dtype, src) = (dtype_of(&case["dtype"]), bytes_of(&case["src"]));
        let shape = [2, case["n"].as_u64().unwrap() as usize, 2];
        use OrderStatistic::*;
        for op in [Median, Mad, Iqr, NUnique, Mode].map(|s| of(s, OMIT)).into_iter().chain([LaneOp::Rank]) {
            let want = bytes_of(&case["results"][op.name()]);
            let got = run(op.clone(), dtype, &src, shape);
            let result = op.result_dtype(dtype).unwrap();
            assert!(agree(result, &got, &want), "{op} of {dtype} {shape:?}: {got:?} {want:?}");
        }
    }
}

/// Hyndman & Fan 1996, as their paper writes it: `m` of each method, and a weight from the rest of `n q + m`.
fn naive(sorted: &[f64], q: f64, method: Method) -> f64 {
    let n = sorted.len() as f64;
    let at = |k: f64| sorted[(k.max(1.0).min(n)) as usize - 1];
    let m = match method {
        Method::InvertedCdf | Method::AveragedInvertedCdf | Method::InterpolatedInvertedCdf => 0.0,
        Method::ClosestObservation => -0.5,
        Method::Hazen => 0.5,
        Method::Weibull => q,
        Method::MedianUnbiased => q / 3.0 + 1.0 / 3.0,
        Method::NormalUnbiased => q / 4.0 + 3.0 / 8.0,
        _ => 1.0 - q,
    };
    let place = n * q + m;
    // A quarter is never nearly a whole number by rounding: those that should be whole are.
    let place = if (place - place.round()).abs() < 1e-9 { place.round() } else { place };
    let (j, g) = (place.floor(), place - place.floor());
    let weight = match method {
        Method::InvertedCdf => f64::from(u8::from(g > 0.0)),
        Method::AveragedInvertedCdf => {
            if g > 0.0 {
                1.0
            } else {
                0.5
            }
        }
        Method::ClosestObservation => f64::from(u8::from(g > 0.0 || j % 2.0 != 0.0)),
        Method::Lower => 0.0,
        Method::Higher => f64::from(u8::from(g > 0.0)),
        Method::Midpoint => {
            if g > 0.0 {
                0.5
            } else {
                0.0
            }
        }
        Method::Nearest => f64::from(u8::from(g > 0.5 || g == 0.5 && (j - 1.0) % 2.0 != 0.0)),
        _ => g,
    };
    at(j) * (1.0 - weight) + at(j + 1.0) * weight
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn quantiles_are_what_the_definition_says(
        values in prop::collection::vec(prop_oneof![
            4 => -50.0..50.0f64, 2 => (-3..3i32).prop_map(f64::from), 1 => Just(f64::NAN)
        ], 1..90),
        eighths in prop::collection::vec(0..=8u8, 1..5),
        method in prop::sample::select(Method::ALL.to_vec()),
    ) {
        let qs: Vec<f64> = eighths.iter().map(|q| f64::from(*q) / 8.0).collect();
        let mut sorted: Vec<f64> = values.iter().copied().filter(|x| !x.is_nan()).collect();
        sorted.sort_by(f64::total_cmp);
        let n = values.len();
        let got: Vec<f64> = run_typed(of(quantile(qs.clone(), method), OMIT), &values, [1, n, 1]);
        for (q, got) in qs.iter().zip(&got) {
            let want = if sorted.is_empty() { f64::NAN } else { naive(&sorted, *q, method) };
            prop_assert!((got - want).abs() < 1e-9 || got.is_nan() && want.is_nan(), "{q} {method}: {got} {want}");
        }
        let strict: Vec<f64> = run_typed(of(quantile(qs, method), PROPAGATE), &values, [1, n, 1]);
        for (a, b) in got.iter().zip(&strict) {
            prop_assert_eq!(sorted.len() < n, b.is_nan() && !a.is_nan() || sorted.is_empty());
            prop_assert!(b.is_nan() || a == b);
        }
    }

    #[test]
    fn an_axis_is_the_same_wherever_it_is(
        shape in (1..4usize, prop_oneof![0..9usize, 9..300usize], prop_oneof![1..5usize, 60..150usize]),
        dtype in prop::sample::select(DType::ALL.to_vec()),
        which in 0..7usize,
        keep_missing in any::<bool>(),
        min_count in 0..12u64,
        seed in any::<u64>(),
    ) {
        let (outer, n, inner) = shape;
        use OrderStatistic::*;
        let several = quantile([0.9, 0.1, 0.5, 0.1], Method::Linear);
        let all = [several, quantile(0.3, Method::Nearest), Median, Mad, Iqr, NUnique, Mode];
        let op = of(all[which].clone(), LaneOptions { keep_missing, min_count });
        prop_assert!(is_the_same_apart(op, dtype, seed, [outer, n, inner]));
    }

    #[test]
    fn ranks_are_counts_of_smaller_and_half_of_equal_ones(
        shape in [1..3usize, 1..60usize, 1..70usize],
        dtype in prop::sample::select(DType::ALL.to_vec()),
        seed in any::<u64>(),
    ) {
        let [outer, n, inner] = shape;
        let src = some_bytes(seed, dtype, outer * n * inner);
        let got = typed::<f64>(&lanes_last(&run(LaneOp::Rank, dtype, &src, shape), 8, shape));
        let values: Vec<f64> = crate::with_dtype!(dtype, T => {
            typed::<T>(&lanes_last(&src, dtype.size(), shape)).iter().map(|x| x.to_f64()).collect()
        });
        for (values, ranks) in values.chunks(n).zip(got.chunks(n)) {
            for (x, rank) in values.iter().zip(ranks) {
                let smaller = values.iter().filter(|y| *y < x).count() as f64;
                let equal = values.iter().filter(|y| *y == x).count() as f64;
                prop_assert_eq!(x.is_nan(), rank.is_nan());
                prop_assert!(x.is_nan() || *rank == smaller + (equal + 1.0) / 2.0);
            }
        }
    }
}

#[test]
fn too_few_values_are_missing() {
    let x = [f64::NAN, 3.0, 1.0, 2.0];
    let one = |statistic: OrderStatistic, keep_missing, min_count| -> f64 {
        run_typed::<f64, f64>(of(statistic, LaneOptions { keep_missing, min_count }), &x, [1, 4, 1])[0]
    };
    assert_eq!(one(OrderStatistic::Median, false, 3), 2.0);
    assert!(one(OrderStatistic::Median, false, 4).is_nan());
    assert!(one(OrderStatistic::Mode, true, 0).is_nan());
    let count = |options| run_typed::<f64, i64>(of(OrderStatistic::NUnique, options), &x, [1, 4, 1])[0];
    assert_eq!([count(OMIT), count(PROPAGATE)], [3, -1]);
    let none: Vec<f64> = run_typed::<i32, f64>(of(quantile([0.1, 0.2], Method::Linear), OMIT), &[], [1, 0, 1]);
    assert!(none.len() == 2 && none.iter().all(|x| x.is_nan()));
}

#[test]
fn requests_are_checked() {
    for bad in [f64::NAN, -0.1, 1.5] {
        assert!(Quantiles::new(bad).is_err(), "{bad}");
    }
    assert!(Quantiles::new([]).is_err());
    let hint = Quantiles::new([0.5, 95.0]).unwrap_err().to_string();
    assert_eq!(hint, "quantile 95 is not from 0 to 1; 95 percent is 0.95");
    assert_ne!(Quantiles::new(0.5).unwrap(), Quantiles::new([0.5]).unwrap());
    assert_eq!(format!("{:?}", Quantiles::new([0.5, 0.1]).unwrap()), "[0.5, 0.1]");
    assert_eq!(Method::from_name("Inverted-CDF").unwrap(), Method::InvertedCdf);
    assert!(Method::from_name("linaer").unwrap_err().to_string().starts_with("no method 'linaer'; there are linear,"));
}
