//! Laws of reductions, for random arrays in random chunks: what is stored how, computed by how many threads in how
//! much memory and written as what changes nothing, and the values are those of the definition.

mod common;

use aosx::{
    attrs::Value,
    budget::Budget,
    dataset::Computation,
    dtype::{DType, Element},
    engine::{Executor, MemorySink},
    events::Silent,
    formats::{self, OutputFormat, whole::read_all},
    kernels::fold::{FoldOptions, Op},
    plan::{self, Target},
    prelude::{Axes, Bytes, Dataset, Reduction, Session},
    source::{Dimension, Sink},
    with_dtype,
};
use common::FORMATS;
use proptest::prelude::*;
use std::{collections::BTreeMap, path::Path, sync::Arc};

/// One random array, and one random wish.
#[derive(Debug, Clone)]
struct Case {
    lengths: Vec<u64>,
    chunk: Vec<u64>,
    grows: bool,
    dtype: DType,
    format: OutputFormat,
    file: &'static str,
    contiguous: bool,
    /// Of a hundred values, how many are missing; integers then declare a fill value.
    missing: u64,
    /// Added to floats: the mean over the deviation is what breaks variances.
    offset: f64,
    reduced: Vec<bool>,
    options: FoldOptions,
    seed: u64,
}

fn case() -> impl Strategy<Value = Case> {
    let axes = prop_oneof![
        prop::collection::vec((1u64..9, 1u64..10, any::<bool>()), 1..5),
        prop::collection::vec((30u64..90, 3u64..40, any::<bool>()), 1..3),
    ];
    let options =
        (prop_oneof![Just(0.0), Just(1.0), Just(2.5)], any::<bool>(), prop_oneof![3 => Just(0u64), 1 => 1u64..9])
            .prop_map(|(ddof, keep_missing, min_count)| FoldOptions { ddof, keep_missing, min_count });
    let stored = (prop::sample::select(DType::ALL.to_vec()), prop::sample::select(FORMATS.to_vec())).prop_filter(
        "a type that the format has",
        |(dtype, (format, _))| {
            common::holds(*format, *dtype) && (*dtype != DType::Bool || common::holds(*format, DType::F16))
        },
    );
    let values = (prop_oneof![2 => Just(0u64), 1 => Just(10u64), 1 => Just(60u64)], prop_oneof![Just(0.0), Just(1e4)]);
    (axes, stored, options, values, any::<[bool; 3]>(), any::<u64>()).prop_map(
        |(axes, (dtype, (format, file)), options, (missing, offset), [grows, contiguous, all], seed)| {
            let mut reduced: Vec<bool> = axes.iter().map(|a| a.2 || all).collect();
            if !reduced.contains(&true) {
                reduced[0] = true;
            }
            Case {
                lengths: axes.iter().map(|a| a.0).collect(),
                chunk: axes.iter().map(|a| a.1).collect(),
                missing: if dtype == DType::Bool { 0 } else { missing },
                offset: if dtype == DType::F64 { offset * 1e3 } else { offset },
                grows,
                dtype,
                format,
                file,
                contiguous,
                reduced,
                options,
                seed,
            }
        },
    )
}

/// What a value is before it is stored.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Number {
    Missing,
    Integer(i128),
    Float(f64),
}

impl Number {
    fn as_f64(self) -> f64 {
        match self {
            Number::Missing => f64::NAN,
            Number::Integer(x) => x as f64,
            Number::Float(x) => x,
        }
    }
}

impl Case {
    fn fill(&self) -> Option<i128> {
        (self.missing > 0 && !self.dtype.is_float()).then_some(if self.dtype == DType::I8 { -100 } else { 100 })
    }

    /// Values that the stored type holds exactly.
    fn values(&self, small: bool) -> Vec<Number> {
        let mut state = self.seed | 1;
        let mut random = move |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) % below
        };
        let count: u64 = self.lengths.iter().product();
        (0..count)
            .map(|_| {
                if random(100) < self.missing {
                    return Number::Missing;
                }
                let signed = !matches!(self.dtype, DType::Bool | DType::U8 | DType::U16 | DType::U32 | DType::U64);
                let n = match (small, self.dtype.size()) {
                    (true, _) => i128::from(random(40) == 0) + i128::from(random(300) != 0),
                    (false, 1) => random(90).into(),
                    (false, 2) => random(1200).into(),
                    (false, 4) => random(1 << 30).into(),
                    _ => random(1 << 44).into(),
                };
                let n = if signed && !small { n - i128::from(random(2)) * n * 2 } else { n };
                match self.dtype {
                    DType::Bool => Number::Integer(n % 2),
                    DType::F16 => Number::Float(half::f16::from_f64(n as f64 / 16.0).to_f64()),
                    DType::F32 => Number::Float(f64::from(((n % 10_000) as f64 / 64.0 + self.offset) as f32)),
                    DType::F64 => Number::Float((n % 1_000_000_000) as f64 / 1e5 + self.offset),
                    _ => Number::Integer(if Some(n) == self.fill() { n - 1 } else { n }),
                }
            })
            .collect()
    }

    fn dims(&self) -> Vec<Dimension> {
        let dim = |(k, &len): (usize, &u64)| Dimension {
            unlimited: k == 0 && self.grows,
            ..common::dim(&format!("d{k}"), len)
        };
        self.lengths.iter().enumerate().map(dim).collect()
    }

    fn write(&self, path: &Path, format: OutputFormat, values: &[Number], chunk: Option<&[u64]>) {
        let mut var = common::var("v", self.dtype, &self.dims(), chunk);
        if let Some(fill) = self.fill() {
            var.attrs.set("_FillValue", attribute(self.dtype, fill as f64));
        }
        let stored = |x: &Number| match (x, self.fill()) {
            (Number::Missing, Some(fill)) => fill as f64,
            (x, _) => x.as_f64(),
        };
        let bytes = if self.dtype == DType::Bool {
            values.iter().map(|x| stored(x) as u8).collect()
        } else {
            with_dtype!(self.dtype, T => values
                .iter()
                .flat_map(|x| bytemuck::bytes_of(&<T as Element>::from_f64(stored(x))).to_vec())
                .collect())
        };
        common::create(path, format, &self.dims(), &[(var, bytes)]);
    }

    /// The array twice, once turned around and in single precision, with a coordinate and a variable to be copied.
    fn write_several(&self, path: &Path) {
        let mut dims = self.dims();
        // In the classic formats only a variable's first dimension grows.
        dims[0].unlimited &= !matches!(self.format, OutputFormat::NetCdf3 | OutputFormat::NetCdf5);
        let turned: Vec<Dimension> = dims.iter().rev().cloned().collect();
        let chunk: Vec<u64> = self.chunk.iter().rev().map(|c| c + 1).collect();
        let numbers = |dims: &[Dimension]| -> Vec<f32> {
            (0..dims.iter().map(|d| d.len).product()).map(|n: u64| ((n * 37 + self.seed % 50) % 101) as f32).collect()
        };
        let single = |name: &str, dims: &[Dimension], chunk: Option<&[u64]>| {
            let bytes: Vec<u8> = numbers(dims).iter().flat_map(|x| x.to_ne_bytes()).collect();
            (common::var(name, DType::F32, dims, chunk), bytes)
        };
        let other = [common::dim("other", 11)];
        let all: Vec<Dimension> = dims.iter().chain(&other).cloned().collect();
        let vars = [
            single("v", &dims, (!self.contiguous).then_some(&self.chunk)),
            single("turned", &turned, Some(&chunk)),
            single("d0", &dims[..1], None),
            single("copied", &other, Some(&[4])),
        ];
        common::create(path, self.format, &all, &vars);
    }

    fn request(&self, ops: &[Op]) -> Reduction {
        let names = (0..self.reduced.len()).filter(|&k| self.reduced[k]).map(|k| format!("d{k}")).collect();
        let mut request = Reduction::new(ops, Axes::Named(names)).var("v");
        request.options = self.options;
        request
    }

    /// The values that go into each cell, row-major over the reduced axes.
    fn cells(&self, values: &[Number]) -> Vec<Vec<Number>> {
        let mut cells: BTreeMap<Vec<u64>, Vec<Number>> = BTreeMap::new();
        for (n, x) in values.iter().enumerate() {
            let mut at = vec![0; self.lengths.len()];
            let mut n = n as u64;
            for k in (0..at.len()).rev() {
                at[k] = n % self.lengths[k];
                n /= self.lengths[k];
            }
            let kept = (0..at.len()).filter(|&k| !self.reduced[k]).map(|k| at[k]).collect();
            cells.entry(kept).or_default().push(*x);
        }
        cells.into_values().collect()
    }
}

fn attribute(dtype: DType, x: f64) -> Value {
    let dtype = if matches!(dtype, DType::Bool | DType::F16) { DType::F64 } else { dtype };
    Value::of_numbers(dtype, &[x])
}

/// What a cell must be, and the size of the terms that it was made of.
struct Expected {
    value: f64,
    scale: f64,
}

/// The definition of an operation.
fn define(op: Op, cell: &[Number], floats: bool, options: FoldOptions) -> Expected {
    let valid: Vec<f64> =
        cell.iter().filter(|x| **x != Number::Missing && !x.as_f64().is_nan()).map(|x| x.as_f64()).collect();
    let n = valid.len() as f64;
    let exact = |value: f64| Expected { value, scale: 0.0 };
    let nothing = valid.len() < cell.len() && options.keep_missing;
    let order =
        |sign: f64| valid.iter().copied().reduce(|a, b| if sign * b > sign * a { b } else { a }).unwrap_or(f64::NAN);
    let (least, most) = (order(-1.0), order(1.0));
    let place = |x: f64| cell.iter().position(|y| y.as_f64() == x).map_or(-1.0, |at| at as f64);
    match op {
        Op::Count => return exact(n),
        Op::Any => return exact(f64::from(nothing || valid.iter().any(|x| *x != 0.0))),
        Op::All => return exact(f64::from(valid.iter().all(|x| *x != 0.0))),
        Op::ArgMin | Op::ArgMax if nothing || (floats && n < options.min_count as f64) => return exact(-1.0),
        Op::ArgMin => return exact(place(least)),
        Op::ArgMax => return exact(place(most)),
        _ => {}
    }
    if nothing || (floats && n < options.min_count as f64) {
        return exact(f64::NAN);
    }
    let sum = |term: &dyn Fn(f64) -> f64| valid.iter().map(|x| term(*x)).sum::<f64>();
    let mean = sum(&|x| x) / n;
    let size = sum(&f64::abs);
    let variance = || {
        let centred = sum(&|x| (x - mean) * (x - mean)) - sum(&|x| x - mean).powi(2) / n;
        if n - options.ddof <= 0.0 || n == 0.0 { f64::NAN } else { centred.max(0.0) / (n - options.ddof) }
    };
    let spread = (most - least) * (most - least) + 1e-16 * most.abs().max(least.abs());
    match op {
        Op::Sum => Expected { value: sum(&|x| x), scale: size },
        Op::Prod => {
            let value = valid.iter().product::<f64>();
            Expected { value, scale: value.abs() * n.max(1.0) }
        }
        Op::Mean => Expected { value: mean, scale: size / n },
        Op::Var => Expected { value: variance(), scale: spread * (n / (n - options.ddof)) },
        Op::Std => Expected { value: variance().sqrt(), scale: spread.sqrt() * n },
        Op::Range => Expected { value: most - least, scale: most - least },
        Op::Min => exact(least),
        Op::Max => exact(most),
        Op::First => exact(valid.first().copied().unwrap_or(f64::NAN)),
        _ => exact(valid.last().copied().unwrap_or(f64::NAN)),
    }
}

/// Results by operation: their type and bytes.
type Got = Vec<(DType, Vec<u8>)>;

fn numbers(dtype: DType, bytes: &[u8]) -> Vec<f64> {
    with_dtype!(dtype, T => bytes
        .chunks_exact(size_of::<T>())
        .map(|b| Element::to_f64(bytemuck::pod_read_unaligned::<T>(b)))
        .collect())
}

fn collect(path: &Path, request: &Reduction) -> aosx::error::Result<Got> {
    let dataset = Dataset::open(path)?;
    let computation = request.of(&dataset)?;
    let results = Session::new().threads(2).collect(&dataset, &computation)?;
    let one = |path: &String| (results.variable(path).unwrap().stored.dtype().unwrap(), results.values(path).unwrap());
    Ok(computation.results.iter().map(one).collect())
}

/// The same with as much memory for data as said, or the least that does; and how much that was.
fn run(computation: &Computation, threads: usize, memory: Option<u64>) -> (Got, u64) {
    let sized = |limit: u64| {
        let budget = Budget::new(Bytes(limit));
        let sink = MemorySink::new(&computation.schema, &budget).unwrap();
        let one = |w: &aosx::dataset::Wanted| Target {
            variable: w.path.clone(),
            array: w.array.clone(),
            pieces: sink.grid(&w.path).unwrap().clone(),
            ones: w.ones.clone(),
            stored: w.stored,
        };
        let plan = plan::lower(computation.wanted.iter().map(one).collect(), Bytes(1 << 30)).unwrap();
        (budget, sink, plan)
    };
    let limit = memory.unwrap_or_else(|| {
        let (budget, sink, plan) = sized(1 << 30);
        budget.held().0 + plan.least(Some(&sink)).unwrap().unwrap().0.0
    });
    let (budget, sink, plan) = sized(limit);
    let (observer, stop, spill) = (Arc::new(Silent), Arc::default(), Arc::default());
    let executor = Executor { budget: budget.clone(), threads, observer, stop, spill };
    executor.run(&plan, &sink).unwrap();
    assert!(budget.peak().0 <= limit);
    let held = sink.held();
    let of = |path: &String| computation.wanted.iter().find(|w| w.path == *path).unwrap();
    let got = computation.results.iter().map(|path| (of(path).stored, held.values(path).unwrap())).collect();
    (got, limit)
}

/// The same through a file.
fn written(path: &Path, out: &Path, format: OutputFormat, request: &Reduction) -> Got {
    let dataset = Dataset::open(path).unwrap();
    let computation = request.of(&dataset).unwrap();
    Session::new().threads(2).write(&dataset, &computation, out, format).unwrap();
    let container = formats::open(out).unwrap();
    let one = |path: &String| {
        let source = container.source(path).unwrap();
        let dtype = source.meta().stored.dtype().unwrap();
        (dtype, read_all(&*source, &Budget::new(Bytes(1 << 24))).unwrap().bytes().to_vec())
    };
    computation.results.iter().map(one).collect()
}

fn ops_but_prod() -> Vec<Op> {
    Op::ALL.into_iter().filter(|op| *op != Op::Prod).collect()
}

/// The same bytes, or the same numbers where the format has not the type.
fn assert_same(a: &Got, b: &Got, ops: &[Op], what: &str) {
    assert_eq!(a.len(), b.len(), "{what}");
    for ((a, b), op) in a.iter().zip(b).zip(ops.iter().cycle()) {
        if a.0 == b.0 {
            assert_eq!(a.1, b.1, "{what}: {op} {}", a.0);
        } else {
            assert_eq!(numbers(a.0, &a.1), numbers(b.0, &b.1), "{what}: {op} {} {}", a.0, b.0);
        }
    }
}

/// Exactly, or within rounding of the terms where the operation rounds.
fn assert_defined(case: &Case, values: &[Number], got: &Got, ops: &[Op], what: &str) {
    let cells = case.cells(values);
    for ((dtype, bytes), op) in got.iter().zip(ops) {
        let floats = case.dtype.is_float() || case.missing > 0;
        let got = numbers(*dtype, bytes);
        assert_eq!(got.len(), cells.len(), "{what}: {op}");
        for (n, (cell, got)) in cells.iter().zip(got).enumerate() {
            let Expected { value, scale } = define(*op, cell, floats, case.options);
            let value = if *dtype == DType::F32 { f64::from(value as f32) } else { value };
            let tolerance = scale * if *dtype == DType::F32 { 1e-6 } else { 1e-12 };
            let same = got == value || (got.is_nan() && value.is_nan()) || (got - value).abs() <= tolerance;
            assert!(same, "{what}: {op} of {dtype}, cell {n}: {got} is not {value}; terms of {scale}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn chunks_change_nothing_and_values_are_those_of_the_definition(case in case()) {
        let dir = tempfile::tempdir().unwrap();
        let ops = ops_but_prod();
        let values = case.values(false);
        let chunked = dir.path().join("chunked").with_extension(case.file);
        let whole = dir.path().join("whole").with_extension(case.file);
        case.write(&chunked, case.format, &values, (!case.contiguous).then_some(&case.chunk));
        case.write(&whole, case.format, &values, Some(&case.lengths));
        let request = case.request(&ops);
        let (a, b) = (collect(&chunked, &request).unwrap(), collect(&whole, &request).unwrap());
        assert_defined(&case, &values, &a, &ops, "chunked");
        assert_defined(&case, &values, &b, &ops, "whole");
        for ((a, b), op) in a.iter().zip(&b).zip(&ops) {
            let rounds = matches!(op, Op::Mean | Op::Var | Op::Std) || (*op == Op::Sum && a.0.is_float());
            if !rounds {
                assert_eq!(a, b, "{op}");
            }
        }
    }

    #[test]
    fn threads_memory_and_format_change_no_bit(case in case(), several in any::<bool>()) {
        let dir = tempfile::tempdir().unwrap();
        let ops = ops_but_prod();
        let input = dir.path().join("in").with_extension(case.file);
        let mut request = case.request(&ops);
        if several {
            case.write_several(&input);
            request.variables.clear();
        } else {
            case.write(&input, case.format, &case.values(false), (!case.contiguous).then_some(&case.chunk));
        }
        let reference = collect(&input, &request).unwrap();
        prop_assert_eq!(reference.len(), ops.len() * if several { 2 } else { 1 });
        let computation = request.of(&Dataset::open(&input).unwrap()).unwrap();
        for threads in [1, 2, 7] {
            let (got, least) = run(&computation, threads, None);
            assert_same(&got, &reference, &ops, &format!("{threads} threads in {least} bytes"));
            for limit in [2 * least, 1 << 30] {
                let (got, _) = run(&computation, threads, Some(limit));
                assert_same(&got, &reference, &ops, &format!("{threads} threads in {limit} bytes"));
            }
        }
        for (format, extension) in FORMATS {
            let out = dir.path().join("out").with_extension(extension);
            assert_same(&reference, &written(&input, &out, format, &request), &ops, &format!("as {format:?}"));
        }
    }

    #[test]
    fn products_are_exact_or_said_to_overflow(case in case()) {
        let dir = tempfile::tempdir().unwrap();
        let input = dir.path().join("in").with_extension(case.file);
        let values = case.values(true);
        case.write(&input, case.format, &values, (!case.contiguous).then_some(&case.chunk));
        let got = collect(&input, &case.request(&[Op::Prod]));
        let exact = !case.dtype.is_float() && case.missing == 0;
        let magnitude = |cell: &Vec<Number>| cell.iter().map(|x| x.as_f64()).filter(|x| *x != 0.0).product::<f64>();
        let large = case.cells(&values).iter().map(magnitude).fold(0.0, f64::max);
        match got {
            Ok(got) => assert_defined(&case, &values, &got, &[Op::Prod], "prod"),
            Err(e) => assert!(exact && large >= 2f64.powi(63), "{e}: {large}"),
        }
    }
}
