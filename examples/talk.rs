//! The five expressions of Dask's talk, in blocks: `cargo run --release --example talk`

use aosx::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let session = Session::new().memory("256MiB".parse()?);
    // 15 x 15 ones, in blocks of 5 x 5. Nothing is computed before `compute`.
    let x = LazyArray::ones(&[15, 15], &[5, 5], DType::F64)?;

    let sums = x.sum(&[1])?;
    let symmetric = &x + x.transpose();
    let product = x.dot(&(x.transpose() + 1.0))?;
    let anomaly = &product - x.mean(&[0])?;
    let spread = anomaly.std(&[0, 1], 0.0)?;

    let expressions = [
        ("x.sum(axis=1)", &sums, 15.0),
        ("x + x.T", &symmetric, 2.0),
        ("x.dot(x.T + 1)", &product, 30.0),
        ("x.dot(x.T + 1) - x.mean(axis=0)", &anomaly, 29.0),
        ("(x.dot(x.T + 1) - x.mean(axis=0)).std()", &spread, 0.0),
    ];
    for (name, array, expected) in expressions {
        let values = session.compute(array)?.to_vec::<f64>()?;
        assert!(values.iter().all(|v| *v == expected), "{name}: {values:?}");
        println!("{name:41} {:8} all {expected}", array.shape().to_string());
    }

    // What they share is computed once; this is the plan for the last.
    print!("{}", session.explain_arrays(&[&spread])?);
    Ok(())
}
