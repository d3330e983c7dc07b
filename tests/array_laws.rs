//! Laws of lazy arrays, for random expressions over random blocks: they are what naive code makes of whole arrays, and
//! the same bits whatever the threads and the memory.

#[path = "common/weighted.rs"]
mod definition;
#[path = "array_laws/golden.rs"]
mod golden;
#[path = "array_laws/grouped.rs"]
mod grouped;
#[path = "array_laws/narrow.rs"]
mod narrow;
#[path = "array_laws/random.rs"]
mod random;
#[path = "array_laws/reblock.rs"]
mod reblock;
#[path = "array_laws/reference.rs"]
mod reference;
#[path = "array_laws/rolling.rs"]
mod rolling;
#[path = "array_laws/run.rs"]
mod run;
#[path = "array_laws/sources.rs"]
mod sources;
#[path = "array_laws/statistics.rs"]
mod statistics;

mod common;

use aosx::{
    array::LazyArray,
    events::Silent,
    kernels::{
        elementwise::Binary,
        fold::{FoldOptions, Op, erased},
    },
    prelude::Session,
};
use proptest::prelude::*;
use random::{Draw, describe};
use reference::{Reference, Whole};
use run::{needed, own_pieces, plenty, run};
use std::sync::Arc;

/// How many cases: a few seconds' worth, or what `AOSX_LAWS` says.
fn cases(default: u32) -> ProptestConfig {
    let cases = std::env::var("AOSX_LAWS").ok().and_then(|n| n.parse().ok()).unwrap_or(default);
    ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 3000, ..ProptestConfig::default() }
}

fn numbers() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(prop_oneof![0u32..100, any::<u32>()], 60..400)
}

/// Panics become failures with the expression in them.
fn about(what: &str, arrays: &[&LazyArray], law: impl FnOnce() -> Result<(), String>) -> Result<(), TestCaseError> {
    let told = || arrays.iter().map(|a| describe(a, 0)).collect::<String>();
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(law)) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(why)) => Err(TestCaseError::fail(format!("{what}: {why}{}", told()))),
        Err(panic) => {
            let why = panic.downcast_ref::<String>().cloned();
            let why = why.or_else(|| panic.downcast_ref::<&str>().map(|s| s.to_string())).unwrap_or_default();
            Err(TestCaseError::fail(format!("{what}: panic: {why}{}", told())))
        }
    }
}

fn first_difference(a: &Whole, b: &Whole) -> String {
    let (x, y) = (a.numbers(), b.numbers());
    let at = (0..x.len()).find(|&k| x[k].to_bits() != y[k].to_bits() && !(x[k].is_nan() && y[k].is_nan()));
    format!("{} {} at {at:?}: {x:?} and {y:?}", a.dtype, a.shape)
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn every_expression_is_what_naive_code_makes_of_it(numbers in numbers()) {
        let mut draw = Draw(&numbers);
        let (Ok(first), Ok(second)) = (draw.leaf(), draw.leaf()) else { return Ok(()) };
        let pool = draw.pool(vec![second, first], 8);
        let last = &pool[pool.len() - 1];
        about("reference", &[last], || {
            let engine = |a: &LazyArray| plenty(&[a], 2).map(|mut ran| ran.values.remove(0));
            let got = engine(last);
            let want = Reference { engine: &engine, known: Vec::new() }.of(last);
            match (&got, &want) {
                (Ok(got), Ok(want)) if got.same(want) => Ok(()),
                (Ok(got), Ok(want)) => Err(format!("engine and reference: {}", first_difference(got, want))),
                (_, Err(_)) => Ok(()),
                (Err(e), Ok(_)) => Err(e.to_string()),
            }
        })?;
    }

    #[test]
    fn threads_and_memory_change_no_bit(numbers in numbers()) {
        let mut draw = Draw(&numbers);
        let (Ok(first), Ok(second)) = (draw.leaf(), draw.leaf()) else { return Ok(()) };
        let pool = draw.pool(vec![second, first], 8);
        let last = &pool[pool.len() - 1];
        let middle = &pool[draw.below(pool.len() as u64) as usize];
        let arrays = if draw.flag() { vec![last] } else { vec![last, middle, last] };
        about("memory", &arrays, || {
            let Ok(want) = plenty(&arrays, 1) else {
                return if plenty(&arrays, 3).is_err() { Ok(()) } else { Err("an error depends on the threads".into()) };
            };
            let pieces: Vec<_> = arrays.iter().map(|a| draw.pieces(a)).collect();
            let quiet = || Arc::new(Silent);
            let mut limits = vec![];
            let least = match run(&arrays, &pieces, 1, 0, quiet()) {
                Ok(_) if arrays.iter().all(|a| a.size() == 0) => 0,
                Ok(_) => return Err("something in no memory".into()),
                Err(e) => needed(&e).ok_or_else(|| e.to_string())?,
            };
            limits.extend([least, least + 1 + draw.below(300), least * 3 / 2, least * 4, 1 << 30]);
            for (n, limit) in limits.into_iter().enumerate() {
                let threads = 1 + (n + draw.below(3) as usize) % 3;
                let own;
                let pieces = if n % 2 == 0 { &pieces } else { own = own_pieces(&arrays); &own };
                let mut limit = limit;
                let mut ran = run(&arrays, pieces, threads, limit, quiet());
                if let Err(need) = ran.as_ref().map_err(needed) {
                    limit = need.ok_or_else(|| "a run with plenty went well".to_string())?;
                    ran = run(&arrays, pieces, threads, limit, quiet());
                }
                let ran = ran.map_err(|e| format!("what was asked for does not do, {limit}: {e}"))?;
                if ran.peak > limit {
                    return Err(format!("{} of {limit} bytes", ran.peak));
                }
                for (got, want) in ran.values.iter().zip(&want.values) {
                    if got.bytes() != want.bytes() {
                        return Err(format!("{threads} threads in {limit}: {}", first_difference(got, want)));
                    }
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn what_is_reduced_within_blocks_is_as_held(numbers in numbers()) {
        let mut draw = Draw(&numbers);
        let Ok(leaf) = draw.leaf() else { return Ok(()) };
        let pool = draw.pool(vec![leaf], 3);
        let a = &pool[pool.len() - 1];
        let axes: Vec<i64> = (0..a.ndim() as i64).filter(|_| draw.flag()).collect();
        // Whole along those axes, and in several blocks along the others.
        let length = |k: usize| if axes.contains(&(k as i64)) { a.shape()[k].max(1) } else { 1 + a.shape()[k] / 3 };
        let Ok(a) = a.rechunk(&(0..a.ndim()).map(length).collect::<Vec<_>>()) else { return Ok(()) };
        let options = FoldOptions { keep_missing: draw.flag(), ..FoldOptions::default() };
        let reduced = match draw.below(3) {
            0 => a.reduction(erased(grouped::Squares), &axes),
            _ => a.reduce(draw.one_of(&Op::ALL[..]), &axes, options),
        };
        let Ok(reduced) = reduced else { return Ok(()) };
        let against = |reduced: &LazyArray| {
            let less = a.binary(Binary::Subtract, &reduced.expand_dims(&axes)?)?;
            Ok::<_, aosx::error::Error>((less.reduce(Op::Std, &axes, options)?, less))
        };
        let (Ok(within), Ok(held)) = (against(&reduced), against(&reduced.hold())) else { return Ok(()) };
        about("within", &[&within.0], || {
            let all = |(folded, less): &(LazyArray, LazyArray)| [plenty(&[folded], 2), plenty(&[less, folded], 3)];
            for (within, held) in all(&within).into_iter().zip(all(&held)) {
                let (Ok(within), Ok(held)) = (&within, &held) else {
                    return if within.is_err() && held.is_err() { Ok(()) } else { Err("one of them is an error".into()) };
                };
                for (got, want) in within.values.iter().zip(&held.values) {
                    if got.bytes() != want.bytes() {
                        return Err(first_difference(got, want));
                    }
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn together_is_as_each_alone(numbers in numbers()) {
        let mut draw = Draw(&numbers);
        let (Ok(first), Ok(second)) = (draw.leaf(), draw.leaf()) else { return Ok(()) };
        let pool = draw.pool(vec![second, first], 10);
        let arrays: Vec<&LazyArray> = pool.iter().collect();
        about("together", &arrays, || {
            let session = Session::new().memory("1GiB".parse().unwrap()).threads(1 + draw.below(3) as usize);
            let alone: Vec<_> = arrays.iter().map(|a| session.compute(a)).collect();
            if alone.iter().any(Result::is_err) {
                return Ok(());
            }
            let all = session.compute_all(&arrays).map_err(|e| e.to_string())?;
            for ((together, alone), array) in all.iter().zip(alone.into_iter().flatten()).zip(&arrays) {
                if (together.dtype(), together.shape()) != (array.dtype(), array.shape()) {
                    return Err(format!("{array:?} came as {} {}", together.dtype(), together.shape()));
                }
                if together.bytes() != alone.bytes() {
                    return Err(format!("{array:?} differs"));
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn by_name_is_by_position_after_transposing(numbers in numbers()) {
        let mut draw = Draw(&numbers);
        let Ok(a) = draw.leaf() else { return Ok(()) };
        let names: Vec<String> = (0..a.ndim()).map(|k| format!("d{k}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let Ok(named) = a.with_dims(&names) else { return Ok(()) };
        // Some of the axes, in another order.
        let mut order: Vec<usize> = (0..a.ndim()).filter(|_| draw.below(3) != 0).collect();
        for k in (1..order.len()).rev() {
            order.swap(k, draw.below(k as u64 + 1) as usize);
        }
        let shape: Vec<u64> = order.iter().map(|&k| a.shape()[k]).collect();
        let chunk: Vec<u64> = shape.iter().map(|&n| 1 + draw.below(n + 1)).collect();
        let count = shape.iter().product::<u64>();
        let values: Vec<f64> = (0..count).map(|k| k as f64 * 0.5 - 3.0).collect();
        let b = LazyArray::from_slice(&values, &shape, chunk.as_slice()).unwrap();
        let there: Vec<&str> = order.iter().map(|&k| names[k]).collect();
        let by_name = named.binary(Binary::Add, &b.with_dims(&there).unwrap());
        // To a's order, then new axes where b has none.
        let mut sorted: Vec<usize> = (0..order.len()).collect();
        sorted.sort_by_key(|&k| order[k]);
        let turned = b.permute_dims(&sorted.iter().map(|&k| k as i64).collect::<Vec<_>>()).unwrap();
        let new: Vec<i64> = (0..a.ndim()).filter(|k| !order.contains(k)).map(|k| k as i64).collect();
        let by_place = a.binary(Binary::Add, &turned.expand_dims(&new).unwrap());
        let (Ok(by_name), Ok(by_place)) = (by_name, by_place) else {
            return Err(TestCaseError::fail("one of them is an error"));
        };
        about("names", &[&by_name, &by_place], || {
            let both = plenty(&[&by_name, &by_place], 2).map_err(|e| e.to_string())?;
            if !both.values[0].same(&both.values[1]) {
                return Err(first_difference(&both.values[0], &both.values[1]));
            }
            Ok(())
        })?;
    }
}
