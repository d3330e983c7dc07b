//! A reduction of one's own, the geometric mean: `cargo run --release --example custom_fold`

use aosx::prelude::*;

/// The geometric mean, from the sum of logarithms.
struct GeometricMean;

impl CustomFold for GeometricMean {
    type State = [f64; 2]; // how many, and the sum
    type Out = f64;
    fn name(&self) -> &str {
        "geometric mean"
    }
    fn init(&self) -> [f64; 2] {
        [0.0, 0.0]
    }
    fn push(&self, [n, sum]: &mut [f64; 2], value: f64) {
        *n += 1.0;
        *sum += value.ln();
    }
    fn merge(&self, into: &mut [f64; 2], later: &[f64; 2]) {
        into[0] += later[0];
        into[1] += later[1];
    }
    fn finish(&self, [n, sum]: &[f64; 2]) -> f64 {
        (sum / n).exp()
    }
}

fn main() -> Result<()> {
    // Growth of 1 to 5 percent, in two blocks.
    let growth = LazyArray::arange(1, 6, 1, &[3])? / 100.0 + 1.0;
    let mean = growth.reduction(erased(GeometricMean), &[0])?;
    let mean = Session::new().compute(&mean)?.item::<f64>()?;
    assert!((mean.powi(5) - 1.01 * 1.02 * 1.03 * 1.04 * 1.05).abs() < 1e-12);
    println!("five years' growth is as {:.4} percent each year", (mean - 1.0) * 100.0);
    Ok(())
}
