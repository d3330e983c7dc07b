use super::{
    Columns, Destination, Fold, Form, Formula, Input, Leaf, Map, Narrowing, Output, Plan, Program, Reducers, Stage,
    Values,
};
use crate::{
    error::Result,
    kernels::decode::Decode,
    source::{Sink, Source},
    spill::{Keep, Spilled},
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
    for (n, stage) in plan.stages.iter().enumerate() {
        let need = stage.need(sink)?;
        let held = plan.held_during(n);
        let least = need.least().saturating_add(held);
        peak = peak.max(need.with(workers, 1).saturating_add(held).min(limit.0).max(least));
        // Writing to a String cannot fail.
        let _ = match stage {
            Stage::Fold(fold) => write_fold(&mut out, plan, fold),
            Stage::Map(map) => write_map(&mut out, plan, map),
            Stage::Narrow(narrowing) => write_narrowing(&mut out, plan, narrowing),
        };
    }
    let cost = plan.cost();
    let reads = |s: &&Stage| s.input().sources().iter().any(|source| !source.is_spilled());
    let passes = plan.stages.iter().filter(reads).map(Stage::passes);
    let (least, most) = passes.fold((0u64, 0u64), |(a, b), (least, most)| (a + least, b.saturating_add(most)));
    let passes = if least == most { counted(most) } else { format!("{} (or up to {most})", counted(least)) };
    let _ = writeln!(
        out,
        "cost: {} in {} chunks read in {passes}, {} decoded, {} written, {}; peak memory of data {}, least {}, limit {limit}",
        Bytes(cost.stored),
        cost.chunks,
        Bytes(cost.decoded),
        Bytes(cost.written),
        spilled(plan),
        Bytes(peak),
        plan.least(sink)?.map_or(Bytes(0), |(bytes, _)| bytes),
    );
    Ok(out)
}

fn spilled(plan: &Plan) -> String {
    let disk = plan.spills.iter().filter(|s| s.spilled.keep() == Keep::Disk);
    match disk.map(|s| s.spilled.bytes()).fold(0, u64::saturating_add) {
        0 => "nothing spilled".to_string(),
        bytes => format!("{} spilled before compression", Bytes(bytes)),
    }
}

fn counted(passes: u64) -> String {
    format!("{passes} pass{}", if passes == 1 { "" } else { "es" })
}

fn write_fold(out: &mut String, plan: &Plan, fold: &Fold) -> std::fmt::Result {
    for output in fold.outputs() {
        write_output(out, plan, output)?;
    }
    let over = reduced(&fold.input, &fold.columns);
    let ops: Vec<String> = fold.parts.iter().flat_map(|p| ops(&p.reducer)).collect();
    let (columns, chunks) = (fold.columns.kept().chunks(), fold.columns.chunks());
    let state = Bytes(fold.state_bytes(fold.columns.cells()) as u64);
    write!(out, "└─ fold {} over {over}", ops.join(", "))?;
    match &fold.grouping {
        None => writeln!(
            out,
            ": {columns} columns of {chunks} blocks, {} runs each; a state of {state}",
            fold.columns.runs()
        )?,
        Some(grouping) => {
            let (open, reads) = (grouping.open(), grouping.reads());
            writeln!(
                out,
                " by {} groups: {columns} columns of {chunks} blocks, {} passes that read {reads} of them; \
                 {} states in a run, {} with its column's, each of {state}",
                grouping.groups().count(),
                grouping.blocks(),
                open.run,
                open.column,
            )?;
        }
    }
    write_decoded(out, plan, &fold.input, &fold.parts[0].decode)
}

/// The axes that are reduced.
fn reduced(input: &Input, columns: &Columns) -> String {
    let names: Vec<String> = match input {
        Input::Stored(source) => source.meta().dims.clone(),
        Input::Computed(computed) => (0..computed.grid.shape().len()).map(|k| format!("axis {k}")).collect(),
    };
    let axes: Vec<&str> = names.iter().zip(columns.reduced()).filter(|(_, r)| **r).map(|(d, _)| d.as_str()).collect();
    if axes.is_empty() { "nothing".to_string() } else { axes.join(", ") }
}

/// What is folded or looked through.
fn write_decoded(out: &mut String, plan: &Plan, input: &Input, decode: &Decode) -> std::fmt::Result {
    match input {
        Input::Stored(source) => write_read(out, source.as_ref(), decode, "", "   "),
        Input::Computed(_) => write_computed(out, plan, input, "   "),
    }
}

fn write_narrowing(out: &mut String, plan: &Plan, narrowing: &Narrowing) -> std::fmt::Result {
    for result in &narrowing.results {
        match &result.destination {
            Destination::Held(slot) => write_held(out, plan, *slot)?,
            Destination::Spill(spilled) => write_spill(out, plan, spilled)?,
            Destination::Sink { .. } => {}
        }
    }
    let ((least, most), [counts, keys]) = (narrowing.passes(), narrowing.room_bytes());
    let passes = if least == most { counted(most) } else { format!("{least} to {}", counted(most)) };
    let lanes = narrowing.columns.kept().shape().elements().unwrap_or(u64::MAX);
    writeln!(
        out,
        "└─ narrow down {} over {}: {lanes} lane{} of {} values, in {passes} that count in {} and \
         collect what is left where that takes no more than {}",
        narrowing.narrow,
        reduced(&narrowing.input, &narrowing.columns),
        if lanes == 1 { "" } else { "s" },
        narrowing.columns.per_cell(),
        Bytes(counts),
        Bytes(keys),
    )?;
    write_decoded(out, plan, &narrowing.input, &narrowing.decode)
}

fn ops(reducer: &Reducers) -> Vec<String> {
    match reducer {
        Reducers::Folds(folds) => folds.ops().iter().map(|op| op.name().to_string()).collect(),
        Reducers::Custom(reducer) => vec![reducer.name().to_string()],
    }
}

fn write_output(out: &mut String, plan: &Plan, output: &Output) -> std::fmt::Result {
    match &output.destination {
        Destination::Sink { variable, .. } => {
            let (stored, pieces) = (output.stored, &output.pieces);
            writeln!(out, "write {variable}: {stored} {} in pieces of {}", pieces.shape(), pieces.chunk())
        }
        Destination::Held(slot) => write_held(out, plan, *slot),
        Destination::Spill(spilled) => write_spill(out, plan, spilled),
    }
}

fn write_spill(out: &mut String, plan: &Plan, spilled: &Spilled) -> std::fmt::Result {
    let instead = plan.spills.iter().find(|s| *s.spilled == *spilled).map_or(1.0, |s| s.instead);
    let to = match spilled.keep() {
        Keep::Memory => "held in memory".to_string(),
        Keep::Disk => {
            format!("spilled in {} frames of up to {}", spilled.frames(), Bytes(spilled.frame_bytes() as u64))
        }
    };
    writeln!(
        out,
        "cut anew {} {} {} from {} to {}: {}, {to}; {instead:.1} times without",
        spilled.meta().path,
        spilled.meta().stored,
        spilled.meta().shape,
        spilled.slabs().chunk(),
        spilled.grid().chunk(),
        Bytes(spilled.bytes()),
    )
}

fn write_held(out: &mut String, plan: &Plan, slot: usize) -> std::fmt::Result {
    let held = &plan.held[slot];
    writeln!(out, "hold #{slot} {}: {} {}, {}", held.name, held.dtype, held.shape, Bytes(held.bytes()))
}

fn write_map(out: &mut String, plan: &Plan, map: &Map) -> std::fmt::Result {
    for output in &map.outputs {
        match (&map.input, &output.destination) {
            (Input::Stored(_), Destination::Sink { variable, .. }) => writeln!(out, "copy {variable} as stored")?,
            _ => write_output(out, plan, output)?,
        }
    }
    if let Input::Stored(source) = &map.input {
        return writeln!(out, "└─ {}", read_line(source.as_ref()));
    }
    let along = map.stream.map_or_else(String::new, |s| format!(", one after the other along axis {}", s.axis));
    writeln!(out, "└─ map: {} tiles of {}{along}", map.tiles.chunks(), map.tiles.chunk())?;
    write_computed(out, plan, &map.input, "   ")
}

fn write_computed(out: &mut String, plan: &Plan, input: &Input, indent: &str) -> std::fmt::Result {
    let Input::Computed(computed) = input else { return Ok(()) };
    writeln!(out, "{indent}└─ compute {} blocks of {}", computed.grid.chunks(), computed.grid.chunk())?;
    for root in &computed.roots {
        write_formula(out, plan, computed, root, &format!("{indent}   "), 0)?;
    }
    Ok(())
}

/// Formulas deeper than this are cut short: nobody reads on.
const DEPTH_SHOWN: usize = 12;

fn write_formula(
    out: &mut String,
    plan: &Plan,
    computed: &super::Computed,
    formula: &Formula,
    indent: &str,
    depth: usize,
) -> std::fmt::Result {
    if depth > DEPTH_SHOWN {
        return writeln!(out, "{indent}└─ ...");
    }
    if let Form::Program(program) = &formula.form {
        return write_program(out, plan, computed, program, indent, depth);
    }
    writeln!(out, "{indent}└─ {} {} {}", describe(&formula.form), formula.dtype, formula.shape)?;
    let next = format!("{indent}   ");
    if let Form::Reduce(within) = &formula.form
        && let Values::Stored(at) = within.values
    {
        write_read(out, computed.sources[at].source.as_ref(), &within.decode, "", &next)?;
    }
    let inputs: Vec<&Formula> = formula.inputs();
    inputs.into_iter().try_for_each(|f| write_formula(out, plan, computed, f, &next, depth + 1))
}

fn describe(form: &Form) -> String {
    match form {
        Form::Program(_) => "fused".to_string(),
        Form::Reshape { .. } => "reshape".to_string(),
        Form::Concat { parts, axis } => format!("concat of {} along axis {axis}", parts.len()),
        Form::Take { index, axis, .. } => format!("take {} along axis {axis}", index.len()),
        Form::TakeAlong { axis, .. } => format!("take along axis {axis}"),
        Form::Lanes { op, axis, .. } => format!("{} along axis {axis}", op.name()),
        Form::Rolling { windows, axis, .. } => {
            let [before, after] = windows.reach();
            format!("rolling {} along axis {axis}, {before} before and {after} after", windows.op())
        }
        Form::Cumulative { op, axis, .. } => format!("{} along axis {axis}, carried on", op.name()),
        Form::Reduce(within) => {
            let columns = &within.columns;
            let axes = (0..columns.reduced().len()).filter(|&k| columns.reduced()[k]).map(|k| k.to_string());
            let (op, axes) = (ops(&within.reducer).join(", "), axes.collect::<Vec<_>>().join(", "));
            format!("{op} over axis {axes}, within each of {} blocks", columns.kept().chunks())
        }
        Form::MatMul { tiles, panel, .. } => {
            format!("matmul in {} tiles of {}, panels of {panel}", tiles.chunks(), tiles.chunk())
        }
        Form::Blocks { function, grid, .. } => {
            format!("{} on {} blocks of {}", function.name(), grid.chunks(), grid.chunk())
        }
    }
}

fn write_program(
    out: &mut String,
    plan: &Plan,
    computed: &super::Computed,
    program: &Program,
    indent: &str,
    depth: usize,
) -> std::fmt::Result {
    let mut rest = indent.to_string();
    if !program.steps.is_empty() {
        let steps: Vec<&str> = program.steps.iter().map(|s| s.kernel.name()).collect();
        writeln!(out, "{indent}└─ {}, fused", steps.join(", "))?;
        rest.push_str("   ");
    }
    for operand in &program.operands {
        let of = match &operand.leaf {
            Leaf::Stored(at, _) => &computed.sources[*at].source.meta().shape,
            Leaf::Held(slot) => &plan.held[*slot].shape,
            Leaf::Made(_, shape) => shape,
            Leaf::Formula(formula) => &formula.shape,
        };
        let seen = if operand.view.is_identity(of) { "" } else { ", seen through a view" };
        match &operand.leaf {
            Leaf::Stored(at, m) => {
                write_read(out, computed.sources[*at].source.as_ref(), &m.decode, seen, &rest)?;
            }
            Leaf::Held(slot) => writeln!(out, "{rest}└─ #{slot} {}{seen}", plan.held[*slot].name)?,
            Leaf::Made(creation, shape) => {
                let words = format!("{creation:?}");
                let name = words.split([' ', '(', '{']).next().unwrap_or_default().to_lowercase();
                writeln!(out, "{rest}└─ {name} {shape}{seen}")?;
            }
            Leaf::Formula(formula) => write_formula(out, plan, computed, formula, &rest, depth + 1)?,
        }
    }
    Ok(())
}

fn write_read(out: &mut String, source: &dyn Source, decode: &Decode, seen: &str, indent: &str) -> std::fmt::Result {
    writeln!(out, "{indent}└─ decode to {}{}{seen}, fused", decode.result, meaning(decode))?;
    writeln!(out, "{indent}   └─ {}", read_line(source))
}

fn meaning(decode: &Decode) -> String {
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
    if source.is_spilled() {
        let (grid, meta) = (source.grid(), source.meta());
        return format!("read {} cut anew, in {} blocks of {}", meta.path, grid.chunks(), grid.chunk());
    }
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
