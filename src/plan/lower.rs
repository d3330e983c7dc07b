use super::{Columns, Copy, Fold, Output, Plan, Stage};
use crate::{
    array::{LazyArray, Operation},
    dtype::DType,
    error::{Error, Result},
    grid::Grid,
    kernels::fold::{FoldOptions, Folds, Op},
    shape::Shape,
};

/// An array and the variable that it becomes.
pub struct Target {
    /// The variable in the sink.
    pub variable: String,
    /// What it will hold.
    pub array: LazyArray,
    /// The pieces that the sink takes, of the variable's own rank.
    pub pieces: Grid,
    /// For each axis of the variable, whether it is a reduced one that is kept with length 1.
    pub ones: Vec<bool>,
    /// The type that the sink stores.
    pub stored: DType,
}

/// Turns arrays into passes over sources. Reductions of the same array over the same axes become one pass.
///
/// # Errors
/// When an array is of a form that no stage computes.
pub fn lower(targets: Vec<Target>) -> Result<Plan> {
    let mut passes: Vec<Pass> = Vec::new();
    let mut stages = Vec::new();
    for target in targets {
        match target.array.operation().clone() {
            Operation::Source(source) => {
                let Target { variable, pieces, .. } = target;
                stages.push(Stage::Copy(Copy { source, variable, pieces }));
            }
            Operation::Decode { .. } => return Err(Error::unsupported("writing a decoded array without a reduction")),
            Operation::Reduce { input, op, reduced, options } => {
                let same = |p: &&mut Pass| p.input.is(&input) && p.reduced == reduced && p.options == options;
                match passes.iter_mut().find(same) {
                    Some(pass) => pass.targets.push((op, target)),
                    None => passes.push(Pass { input, reduced, options, targets: vec![(op, target)] }),
                }
            }
        }
    }
    for pass in passes {
        stages.push(Stage::Fold(Box::new(fold(pass)?)));
    }
    Ok(Plan { stages })
}

/// Reductions that share one pass.
struct Pass {
    input: LazyArray,
    reduced: Vec<bool>,
    options: FoldOptions,
    targets: Vec<(Op, Target)>,
}

fn fold(pass: Pass) -> Result<Fold> {
    let Pass { input, reduced, options, targets } = pass;
    let source = match input.operation() {
        Operation::Source(source) => source.clone(),
        Operation::Decode { input, .. } => match input.operation() {
            Operation::Source(source) => source.clone(),
            _ => return Err(Error::unsupported("decoding what is not a variable")),
        },
        Operation::Reduce { .. } => return Err(Error::unsupported("reducing a reduction")),
    };
    let decode = input.meaning();
    let columns = Columns::new(source.grid(), &reduced)?;
    let ops: Vec<Op> = targets.iter().map(|(op, _)| *op).collect();
    let folds = Folds::new(&ops, &decode, options);
    let mut outputs = Vec::new();
    for (op, target) in targets {
        let keep = |lengths: &[u64]| -> Shape {
            lengths.iter().zip(&target.ones).filter(|(_, one)| !**one).map(|(n, _)| *n).collect()
        };
        let pieces = Grid::new(keep(target.pieces.shape()), keep(target.pieces.chunk()))?;
        outputs.push(Output { op, variable: target.variable, pieces, ones: target.ones, stored: target.stored });
    }
    let tiles = tiles(&columns, &outputs)?;
    Ok(Fold { source, decode, folds, columns, tiles, outputs })
}

/// The smallest blocks of the output that are whole columns and whole pieces of every sink variable.
fn tiles(columns: &Columns, outputs: &[Output]) -> Result<Grid> {
    let shape = columns.kept().shape().clone();
    let tile = (0..shape.len())
        .map(|k| {
            let steps = outputs.iter().map(|o| o.pieces.chunk()[k]);
            let common = steps.fold(columns.kept().chunk()[k], least_common_multiple);
            common.min(shape[k].max(1))
        })
        .collect();
    Grid::new(shape, tile)
}

fn least_common_multiple(a: u64, b: u64) -> u64 {
    let (mut x, mut y) = (a.max(1), b.max(1));
    while y != 0 {
        (x, y) = (y, x % y);
    }
    (a.max(1) / x).saturating_mul(b.max(1))
}
