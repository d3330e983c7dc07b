//! The five pictures of the classic talk about blocked arrays: `cargo run --release --example talk_pictures -- docs/pictures`

use aosx::{
    prelude::*,
    report::drawing::{Chains, Graph, svg},
};
use std::{fs, path::Path};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: talk_pictures FOLDER")?;
    fs::create_dir_all(&folder)?;

    let x = LazyArray::ones(&[15, 15], &[5, 5], DType::F64)?;
    let product = x.matmul(&(x.transpose() + 1.0))?;
    let difference = &product - x.mean(&[0])?;
    let pictures = [
        ("sum", "x.sum(axis=1)", x.sum(&[1])?),
        ("transpose", "x + x.T", &x + x.transpose()),
        ("dot", "x.dot(x.T + 1)", product),
        ("mean", "x.dot(x.T + 1) - x.mean(axis=0)", difference.clone()),
        ("std", "(x.dot(x.T + 1) - x.mean(axis=0)).std()", difference.std(&[0, 1], 0.0)?),
    ];
    for (file, name, result) in pictures {
        // Arrays are drawn with all that they are made of; those given have a name.
        let graph = Graph::new(&[("x".into(), x.clone()), (name.into(), result)], Chains::AsWritten)?;
        fs::write(Path::new(&folder).join(file).with_extension("svg"), svg(&graph))?;
    }
    Ok(())
}
