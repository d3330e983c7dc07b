use super::{Plan, Stage};
use crate::{
    error::Result,
    source::{Sink, Source},
    units::Bytes,
};
use std::fmt::Write;

/// The plan as a tree, and what it will cost with `workers` threads under `limit`.
///
/// # Errors
/// When a stage's sizes overflow.
pub fn explain(plan: &Plan, sink: Option<&dyn Sink>, workers: u64, limit: Bytes) -> Result<String> {
    let mut out = String::new();
    let mut peak = 0;
    for stage in &plan.stages {
        let need = stage.need(stage.sink_scratch(sink)?)?;
        peak = peak.max(need.with(workers, 1).min(limit.0).max(need.least()));
        // Writing to a String cannot fail.
        let _ = match stage {
            Stage::Fold(_) => write_fold(&mut out, stage, need.state),
            Stage::Copy(copy) => {
                writeln!(out, "copy {} as stored\n└─ {}", copy.variable, read_line(copy.source.as_ref()))
            }
        };
    }
    let cost = plan.cost();
    let _ = writeln!(
        out,
        "cost: {} in {} chunks read in 1 pass, {} decoded, {} written; peak memory of data {}, least {}, limit {limit}",
        Bytes(cost.stored),
        cost.chunks,
        Bytes(cost.decoded),
        Bytes(cost.written),
        Bytes(peak),
        plan.least(sink)?.map_or(Bytes(0), |(bytes, _)| bytes),
    );
    Ok(out)
}

fn write_fold(out: &mut String, stage: &Stage, state: u64) -> std::fmt::Result {
    let Stage::Fold(fold) = stage else { return Ok(()) };
    let meta = fold.source.meta();
    let axes: Vec<&str> =
        meta.dims.iter().zip(fold.columns.reduced()).filter(|(_, r)| **r).map(|(d, _)| d.as_str()).collect();
    for output in &fold.outputs {
        writeln!(
            out,
            "write {}: {} {} in pieces of {}",
            output.variable,
            output.stored,
            output.pieces.shape(),
            output.pieces.chunk()
        )?;
    }
    let ops: Vec<&str> = fold.folds.ops().iter().map(|op| op.name()).collect();
    writeln!(
        out,
        "└─ fold {} over {}: {} columns of {} chunks, {} runs each; a state of {}",
        ops.join(", "),
        axes.join(", "),
        fold.columns.kept().chunks(),
        fold.columns.chunks(),
        fold.columns.runs(),
        Bytes(state),
    )?;
    writeln!(out, "   └─ decode to {}{}, fused", fold.decode.result, meaning(&fold.decode))?;
    writeln!(out, "      └─ {}", read_line(fold.source.as_ref()))
}

fn meaning(decode: &crate::kernels::decode::Decode) -> String {
    let mut words = String::new();
    if !decode.missing.is_empty() || decode.valid.is_some() {
        words += ", missing to NaN";
    }
    if let Some(scale) = decode.scale {
        words += &format!(", times {scale}");
    }
    if let Some(offset) = decode.offset {
        words += &format!(", plus {offset}");
    }
    words
}

fn read_line(source: &dyn Source) -> String {
    let meta = source.meta();
    let codecs: Vec<&str> = meta.storage.codecs.iter().map(|c| c.name.as_str()).collect();
    format!(
        "read {} {} {} ({}) in {} chunks of {}{}: {} stored, {} decoded",
        source.origin().file.display(),
        meta.path,
        meta.stored,
        meta.dims.join(", "),
        source.grid().chunks(),
        source.grid().chunk(),
        if codecs.is_empty() { String::new() } else { format!(" [{}]", codecs.join(", ")) },
        Bytes(source.stored_bytes()),
        Bytes(meta.decoded_bytes().unwrap_or(0)),
    )
}
