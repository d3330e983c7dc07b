//! A smoother on the globe, with a user's function: `cargo run --release --example map_overlap`
//!
//! Each point becomes the mean of the 3 x 3 points around it; longitude goes round, latitude ends.

use aosx::prelude::*;
use ndarray::{ArrayViewD, ArrayViewMutD, Axis, Ix2, Slice};

fn smooth(wide: ArrayViewD<'_, f64>, mut out: ArrayViewMutD<'_, f64>) {
    let (rows, columns) = (out.shape()[0], out.shape()[1]);
    out.fill(0.0);
    for (row, column) in (0..3).flat_map(|r| (0..3).map(move |c| (r, c))) {
        let mut part = wide.slice_axis(Axis(0), Slice::from(row..row + rows));
        part.slice_axis_inplace(Axis(1), Slice::from(column..column + columns));
        out.zip_mut_with(&part, |sum, x| *sum += x / 9.0);
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A wave along longitude, the same at each latitude, in blocks that the smoother has to look beyond.
    let longitude = LazyArray::arange(0, 360, 10, &[10])?;
    let wave = longitude.radians()?.cos()?.broadcast_to(&[18, 36])?.rechunk(&[5, 10])?;

    // The block comes with one point more on each side: from the other end in longitude, the edge's own in latitude.
    let padded = wave.pad(&[(1, 1), (0, 0)], Boundary::Nearest)?;
    let smoothed = padded.map_overlap("3 x 3 mean", &[1, 1], Boundary::Periodic, 0, smooth)?;
    let smoothed = smoothed.get_along(0, 1..)?.get_along(0, ..-1)?;

    let values = Session::new().compute(&smoothed)?;
    let values = values.view::<f64>()?.into_dimensionality::<Ix2>()?;
    let shrinks = (1.0 + 2.0 * 10f64.to_radians().cos()) / 3.0;
    for ((row, column), value) in values.indexed_iter() {
        let expected = shrinks * (column as f64 * 10.0).to_radians().cos();
        assert!((value - expected).abs() < 1e-12, "row {row}, column {column}: {value}, not {expected}");
    }
    println!("a wave of one cycle keeps {:.4} of its height, at the date line too", values[[0, 0]]);
    Ok(())
}
