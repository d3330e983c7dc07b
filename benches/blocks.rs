//! What a block costs beside its arithmetic: 10^7 blocks of one element, and the plan of 10^8.
//!
//! `cargo bench --bench blocks`; dask needs about 700 microseconds a block.

use aosx::prelude::*;
use std::time::Instant;

fn main() -> Result<(), Error> {
    let session = Session::new().memory("256MiB".parse().map_err(|_| Error::usage("a size"))?).threads(1);
    plan_of_many(&session)?;
    for (name, blocks, element) in [("elementwise, fused", 10_000_000, false), ("a user's function", 10_000_000, true)]
    {
        let x = LazyArray::ones(&[blocks], &[1], DType::F64)?;
        let y = if element {
            x.map_blocks("plus one", 0, |block: ndarray::ArrayViewD<'_, f64>, mut out| {
                out.zip_mut_with(&block, |y, x| *y = x + 1.0)
            })?
        } else {
            &x + 1.0
        };
        let before = cpu_seconds();
        let sum: f64 = session.compute(&y.sum(&[0])?)?.item()?;
        assert_eq!(sum, 2.0 * blocks as f64);
        let each = (cpu_seconds() - before) / blocks as f64;
        println!("{name}: {blocks} blocks of one element, {:.0} ns of processor time each", each * 1e9);
    }
    Ok(())
}

fn plan_of_many(session: &Session) -> Result<(), Error> {
    let x = LazyArray::ones(&[10_000, 10_000], &[1, 1], DType::F64)?;
    let y = (&x + x.transpose() - x.mean(&[0])?).std(&[0, 1], 0.0)?;
    let (before, start) = (resident_bytes(), Instant::now());
    let plan = session.plan(&[&y])?;
    let (bytes, elapsed) = (resident_bytes().saturating_sub(before), start.elapsed());
    assert_eq!(plan.stages.len(), 2);
    println!("10^8 blocks planned in {:.3} ms and {:.2} MB", elapsed.as_secs_f64() * 1e3, bytes as f64 / 1e6);
    Ok(())
}

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}

/// User and system time of this process.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<f64> = after_name.split_whitespace().filter_map(|f| f.parse().ok()).collect();
    // utime and stime, in ticks of 10 ms; the state, a letter, is no number and falls out.
    fields.get(10).zip(fields.get(11)).map_or(0.0, |(user, system)| (user + system) / 100.0)
}
