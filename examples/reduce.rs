//! The main job through the library: `cargo run --release --example reduce -- in.nc t time out.nc`
//!
//! Mean and standard deviation of one variable along one dimension, in 256 MiB.

use aosx::prelude::*;
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [input, variable, dimension, output] = args.as_slice() else {
        return Err("usage: reduce IN VARIABLE DIMENSION OUT".into());
    };

    let session = Session::new().memory("256MiB".parse()?);
    let dataset = Dataset::open(input)?;

    // Nothing is read yet: this says what will be computed, and what it will cost.
    let axes = Axes::Named(vec![dimension.clone()]);
    let computation = Reduction::new([Op::Mean, Op::Std], axes).var(variable).of(&dataset)?;
    print!("{}", session.explain(&computation)?);

    // Both results come from one pass over the file.
    session.write(&dataset, &computation, Path::new(output), OutputFormat::NetCdf4)?;
    println!("wrote {output}");
    Ok(())
}
