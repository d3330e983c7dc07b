//! Anomalies of a file's variable: `cargo run --release --example anomaly -- in.nc air time`

use aosx::{
    cf::decoding::{ValidRange, decoding},
    prelude::*,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let air = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/air.nc");
    let (path, variable, dimension) = match args[..] {
        [path, variable, dimension] => (path, variable, dimension),
        _ => (air, "air", "time"),
    };

    // The variable with its missing values, scale and offset: nothing is read yet.
    let dataset = Dataset::open(path)?;
    let source = dataset.source(variable)?;
    let decode = decoding(source.meta(), source.layout(), ValidRange::Ignore)?;
    let t = LazyArray::from_source(source)?.decode(decode);

    // Means broadcast by the names of their dimensions. The file is read twice, never held.
    let axis = t.dim(dimension)?;
    let anomaly = &t - t.nanmean(&[axis])?;
    let standardized = &anomaly / t.nanstd(&[axis], 0.0)?;

    let everything = standardized.all_axes();
    let (mean, spread) = (standardized.nanmean(&everything)?, standardized.nanstd(&everything, 0.0)?);
    let largest = anomaly.abs()?.nanmax(&everything)?;
    let session = Session::new().memory("256MiB".parse()?);
    let found =
        session.compute_all(&[&mean.astype(DType::F64), &spread.astype(DType::F64), &largest.astype(DType::F64)])?;
    let found = found.iter().map(|v| v.item::<f64>()).collect::<Result<Vec<_>>>()?;
    println!("{t:?}: mean {:.6}, spread {:.6}, largest anomaly {:.3}", found[0], found[1], found[2]);
    assert!(found[0].abs() < 1e-5 && (found[1] - 1.0).abs() < 1e-5);
    Ok(())
}
