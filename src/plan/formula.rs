use super::{Columns, Reducers};
use crate::{
    array::{Along, BlockFunction, Creation, Picks, View, reshape},
    dtype::DType,
    grid::Grid,
    kernels::{
        decode::{Decode, Decoder, SEGMENT},
        elementwise::{Binary, Lookup, Unary},
        fold::Op,
        lanes::LaneOp,
        window::Windows,
    },
    shape::{ChunkIndex, Region, Shape},
    source::Source,
};
use std::sync::Arc;

/// An expression made ready to be evaluated over any region of its shape, and what it reads.
pub struct Computed {
    /// What is computed, each for the same region.
    pub roots: Vec<Arc<Formula>>,
    /// The blocks in which it is computed.
    pub grid: Grid,
    /// What is read, and how many chunks of each one worker keeps at once.
    pub sources: Vec<Read>,
    /// What is kept from one region to the next: for each form that asks, how many times, which is how many places name
    /// it.
    pub tails: Vec<usize>,
    /// The bytes of a block of each [`Reduced`].
    pub folded: Vec<u64>,
}

/// A source that an expression reads.
pub struct Read {
    /// The source.
    pub source: Arc<dyn Source>,
    /// How many of its chunks one worker keeps: as many as places where the expression names it.
    pub kept: usize,
}

/// One node of an expression: fused arithmetic, or something that moves or gathers values.
pub struct Formula {
    /// What it is.
    pub form: Form,
    /// The type of its values.
    pub dtype: DType,
    /// Its whole shape.
    pub shape: Shape,
}

/// What a [`Formula`] can be.
pub enum Form {
    /// Elementwise functions, casts, views and decoding, fused: run segment by segment while values are in cache.
    Program(Program),
    /// Row-major order under another shape.
    Reshape {
        /// Whose values.
        input: Arc<Formula>,
        /// Which axes become which.
        groups: Vec<reshape::Group>,
    },
    /// Parts one behind the other.
    Concat {
        /// Where along the axis each begins.
        parts: Vec<(u64, Arc<Formula>)>,
        /// The axis.
        axis: usize,
    },
    /// Positions along an axis.
    Take {
        /// Whose values.
        input: Arc<Formula>,
        /// The axis.
        axis: usize,
        /// The positions.
        index: Arc<[u64]>,
    },
    /// Positions along an axis, computed too.
    TakeAlong {
        /// Whose values.
        input: Arc<Formula>,
        /// The positions.
        index: Arc<Formula>,
        /// The axis.
        axis: usize,
    },
    /// A function of whole lanes.
    Lanes {
        /// Whose values.
        input: Arc<Formula>,
        /// The axis.
        axis: usize,
        /// The function.
        op: LaneOp,
    },
    /// A fold of the window around each position.
    Rolling {
        /// Whose values.
        input: Arc<Formula>,
        /// The axis.
        axis: usize,
        /// The windows.
        windows: Box<Windows>,
        /// How many rows of the input are computed at once: whole blocks.
        slab: u64,
        /// Its place in [`Computed::tails`]: the last rows of the input.
        tail: usize,
    },
    /// A running result.
    Cumulative {
        /// Whose values.
        input: Arc<Formula>,
        /// The axis.
        axis: usize,
        /// The function.
        op: LaneOp,
        /// How many rows of the input are computed at once: whole blocks.
        slab: u64,
        /// Its place in [`Computed::tails`]: the last row of the result.
        tail: usize,
    },
    /// A reduction along axes that lie within a block.
    Reduce(Box<Reduced>),
    /// A matrix product in tiles.
    MatMul {
        /// `[..., m, k]`
        a: Arc<Formula>,
        /// `[..., k, n]`
        b: Arc<Formula>,
        /// The tiles of the result; each is computed whole, so that its bits do not depend on who asks.
        tiles: Grid,
        /// How much of the common axis is multiplied at once.
        panel: u64,
    },
    /// A user's function of whole blocks.
    Blocks {
        /// Its inputs, and their blocks.
        inputs: Vec<(Arc<Formula>, Grid)>,
        /// The function.
        function: Arc<dyn BlockFunction>,
        /// The blocks of the result.
        grid: Grid,
        /// By how much an input's block is wider, to each side.
        overlap: Vec<u64>,
    },
}

/// A reduction along axes that lie within a block: each block of the result is that of one block of values, whatever
/// part of it is asked for, so that its bits are those of a fold. The last one is kept.
pub struct Reduced {
    /// What is reduced.
    pub values: Values,
    /// What its bytes mean.
    pub decode: Decode,
    /// Its whole shape, and the length of its blocks.
    pub grid: Grid,
    /// The axes that are reduced, and the blocks of the result: each column is one block.
    pub columns: Columns,
    /// How.
    pub reducer: Reducers,
    /// The operation, but for a user's fold.
    pub op: Option<Op>,
    /// Its place in [`Computed::folded`].
    pub at: usize,
}

/// The values of a [`Reduced`].
pub enum Values {
    /// Chunks of a source, by its place in [`Computed::sources`], as they are stored.
    Stored(usize),
    /// Those of a formula.
    Computed(Arc<Formula>),
}

impl Reduced {
    /// The values that the blocks of the result are made of which a region of it touches.
    pub fn around(&self, region: &Region) -> Region {
        let (mut start, mut shape) = (Vec::new(), Vec::new());
        let mut kept = 0;
        for (axis, &n) in self.grid.shape().iter().enumerate() {
            let (from, to) = if self.columns.reduced()[axis] {
                (0, n)
            } else {
                let block = self.columns.kept().chunk()[kept];
                let (from, length) = (region.start[kept], region.shape[kept]);
                kept += 1;
                (from / block * block, (from + length).next_multiple_of(block).min(n))
            };
            start.push(from);
            shape.push(to - from);
        }
        Region { start, shape: shape.into() }
    }

    /// Bytes of workspace for one block: its state, and its values where they are computed.
    fn work_bytes(&self, tails: &mut [u64]) -> u64 {
        let state = padded(self.reducer.state_bytes(self.columns.cells()) as u64);
        let values = match &self.values {
            Values::Stored(_) => 0,
            Values::Computed(input) => {
                let block = Extent::of(self.grid.chunk());
                block.bytes(input.dtype.size()).saturating_add(input.work_bytes(&block, tails))
            }
        };
        state.saturating_add(values)
    }
}

/// Fused arithmetic: a list of steps over operands, each step one kernel on a segment.
pub struct Program {
    /// What goes in.
    pub operands: Vec<Operand>,
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// How many intermediate segments are alive at once.
    pub registers: usize,
    /// What comes out.
    pub result: Place,
}

/// Something that a program reads.
pub struct Operand {
    /// Where its values come from.
    pub leaf: Leaf,
    /// Which of them stand at each place of the program.
    pub view: View,
    /// Their type.
    pub dtype: DType,
}

/// Where an operand's values come from.
pub enum Leaf {
    /// A source, by its place in [`Computed::sources`], and what its numbers mean.
    Stored(usize, Meaning),
    /// A result of an earlier stage, by its slot.
    Held(usize),
    /// Values that are made.
    Made(Creation, Shape),
    /// Another formula.
    Formula(Arc<Formula>),
}

/// What stored bytes mean.
pub struct Meaning {
    /// As it is said.
    pub decode: Decode,
    /// Made ready; `None` where the bytes are the values, but for their order.
    pub(crate) decoder: Option<Decoder>,
}

impl Meaning {
    /// The same, ready to run.
    pub fn new(decode: Decode) -> Meaning {
        let scaled = decode.scale.is_some() || decode.offset.is_some();
        let as_is = decode.missing.is_empty() && decode.valid.is_none() && !scaled && decode.result == decode.read_as();
        let decoder = (!as_is && decode.result.is_float()).then(|| Decoder::new(&decode));
        Meaning { decode, decoder }
    }
}

/// A value while a program runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Place {
    /// An operand.
    Operand(usize),
    /// An intermediate result.
    Register(usize),
    /// One number everywhere.
    Scalar([u8; 8]),
}

/// One kernel, from places to a register.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// What is run.
    pub kernel: Kernel,
    /// Where the result goes.
    pub to: usize,
    /// Its type.
    pub dtype: DType,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq)]
pub enum Kernel {
    /// A function of one value, in this type.
    Unary(Unary, DType, Place),
    /// Of two.
    Binary(Binary, DType, Place, Place),
    /// The second where the first is true, else the third.
    Select(DType, [Place; 3]),
    /// Another type.
    Cast(DType, DType, Place),
    /// A look at a sorted table.
    Lookup(Lookup, DType, Arc<[u8]>, Place),
}

/// An upper bound of the regions that something is evaluated over.
#[derive(Debug, Clone)]
pub struct Extent {
    /// The longest length along each axis.
    pub lengths: Shape,
    /// The most elements.
    pub elements: u64,
}

impl Extent {
    /// Of regions of one shape.
    pub fn of(shape: &[u64]) -> Extent {
        let elements = shape.iter().fold(1u64, |a, &n| a.saturating_mul(n));
        Extent { lengths: shape.into(), elements }
    }

    fn bytes(&self, element: usize) -> u64 {
        let whole = Extent::of(&self.lengths).elements;
        padded(whole.min(self.elements).saturating_mul(element as u64))
    }
}

/// Buffers begin at cache lines.
pub const fn padded(bytes: u64) -> u64 {
    bytes.saturating_add(63) & !63
}

impl Computed {
    /// Bytes that one worker needs to evaluate one block of each root, beside its result and the chunks: a workspace, and
    /// what is kept from one region to the next.
    pub fn work_bytes(&self, region: &[u64]) -> u64 {
        let (work, tails) = self.work_and_tails(region);
        self.tails.iter().zip(tails).fold(work, |all, (&ways, n)| all.saturating_add(n.saturating_mul(ways as u64)))
    }

    /// Bytes of each tail for regions of this shape, and no larger ones.
    pub fn tail_bytes(&self, region: &[u64]) -> Vec<u64> {
        self.work_and_tails(region).1
    }

    /// Bytes of the workspace alone, for regions of this shape, and no larger ones.
    pub fn scratch_bytes(&self, region: &[u64]) -> u64 {
        self.work_and_tails(region).0
    }

    fn work_and_tails(&self, region: &[u64]) -> (u64, Vec<u64>) {
        let (extent, mut tails) = (Extent::of(region), vec![0; self.tails.len()]);
        let work = self.roots.iter().map(|root| root.work_bytes(&extent, &mut tails)).max().unwrap_or(0);
        (work, tails)
    }

    /// Bytes of the chunks that one worker keeps, and of the blocks of reductions.
    pub fn kept_bytes(&self) -> u64 {
        let each = |r: &Read| padded(r.source.chunk_bytes() as u64).saturating_mul(r.kept as u64);
        let folded = self.folded.iter().map(|&bytes| padded(bytes));
        self.sources.iter().map(each).chain(folded).fold(0, u64::saturating_add)
    }

    /// Bytes of one element of each root.
    pub fn element_bytes(&self) -> u64 {
        self.roots.iter().map(|root| root.dtype.size() as u64).sum()
    }
}

impl Formula {
    /// The formulas that it is directly computed from, but for those in a program.
    pub fn inputs(&self) -> Vec<&Formula> {
        match &self.form {
            Form::Program(program) => program
                .operands
                .iter()
                .filter_map(|o| match &o.leaf {
                    Leaf::Formula(inner) => Some(inner.as_ref()),
                    _ => None,
                })
                .collect(),
            Form::Reshape { input, .. }
            | Form::Take { input, .. }
            | Form::Lanes { input, .. }
            | Form::Rolling { input, .. }
            | Form::Cumulative { input, .. } => vec![input],
            Form::Concat { parts, .. } => parts.iter().map(|(_, p)| p.as_ref()).collect(),
            Form::TakeAlong { input, index, .. } => vec![input, index],
            Form::Reduce(within) => match &within.values {
                Values::Stored(_) => Vec::new(),
                Values::Computed(input) => vec![input],
            },
            Form::MatMul { a, b, .. } => vec![a, b],
            Form::Blocks { inputs, .. } => inputs.iter().map(|(f, _)| f.as_ref()).collect(),
        }
    }

    /// Bytes of workspace that evaluating it over regions within `extent` needs, beside the result.
    ///
    /// The engine takes its buffers in the same order; this is their sum along the deepest path. What is kept from one
    /// region to the next comes beside it: `tails` is raised to what each form asks for.
    pub fn work_bytes(&self, extent: &Extent, tails: &mut [u64]) -> u64 {
        if self.shape.contains(&0) {
            // Nothing of it is ever evaluated.
            return 0;
        }
        let add = u64::saturating_add;
        let own_size = self.dtype.size();
        let own = extent.bytes(own_size);
        match &self.form {
            Form::Program(program) => program.work_bytes(extent, tails),
            Form::Reshape { input, groups } => {
                let old = groups.iter().flat_map(|g| g.old.iter().map(|&n| n.min(extent.elements)));
                let boxes = Extent { lengths: old.collect(), elements: extent.elements };
                add(own, input.work_bytes(&boxes, tails))
            }
            Form::Concat { parts, .. } => {
                add(own, parts.iter().map(|(_, p)| p.work_bytes(extent, tails)).max().unwrap_or(0))
            }
            Form::Take { input, axis, .. } => {
                let mut inner = extent.clone();
                inner.lengths.0[*axis] = inner.lengths[*axis].min(input.shape[*axis]);
                add(own, input.work_bytes(&inner, tails))
            }
            Form::TakeAlong { input, index, axis } => {
                let whole = across(extent, *axis, input.shape[*axis]);
                let buffers = add(whole.bytes(self.dtype.size()), extent.bytes(8));
                add(buffers, input.work_bytes(&whole, tails).max(index.work_bytes(extent, tails)))
            }
            Form::Lanes { input, axis, op } => {
                let n = input.shape[*axis];
                let whole = across(extent, *axis, n);
                let result = across(extent, *axis, self.shape[*axis]);
                let buffers = add(whole.bytes(input.dtype.size()), result.bytes(self.dtype.size()));
                let scratch = padded(op.scratch_bytes(input.dtype, n as usize) as u64);
                add(buffers, input.work_bytes(&whole, tails).max(scratch))
            }
            Form::Rolling { input, axis, windows, slab, tail } => {
                // Where regions end inside a block, the rest of it is computed too and kept.
                let rows = extent.lengths[*axis];
                let whole = windows.reach()[1] == 0 && rows.is_multiple_of(*slab);
                let ahead = if whole { 0 } else { slab - 1 };
                let rows = rows.saturating_add(windows.length() - 1).saturating_add(ahead).min(input.shape[*axis]);
                let kept = across(extent, *axis, rows);
                tails[*tail] = tails[*tail].max(kept.bytes(input.dtype.size()));
                let once = across(extent, *axis, rows.min(*slab));
                let turned = match outer(extent, *axis) {
                    1 => 0,
                    _ => {
                        once.bytes(input.dtype.size()).max(across(extent, *axis, extent.lengths[*axis]).bytes(own_size))
                    }
                };
                let cells = across(extent, *axis, 1).elements as usize;
                add(turned, input.work_bytes(&once, tails).max(padded(windows.scratch_bytes(cells) as u64)))
            }
            Form::Cumulative { input, axis, slab, tail, .. } => {
                let row = across(extent, *axis, 1);
                tails[*tail] = tails[*tail].max(row.bytes(own_size));
                let once = across(extent, *axis, extent.lengths[*axis].min(*slab));
                add(once.bytes(input.dtype.size()), input.work_bytes(&once, tails))
            }
            Form::Reduce(within) => within.work_bytes(tails),
            Form::MatMul { a, b, tiles, panel } => {
                let (tile, rank) = (tiles.chunk(), tiles.chunk().len());
                let with = |rows: u64, columns: u64| Extent::of(&[vec![1; rank - 2], vec![rows, columns]].concat());
                let (of_a, of_b) = (with(tile[rank - 2], *panel), with(*panel, tile[rank - 1]));
                let buffers = [Extent::of(tile), of_a.clone(), of_b.clone()].map(|e| e.bytes(self.dtype.size()));
                let library = crate::kernels::linalg::product_scratch_bytes(self.dtype);
                let inner = a.work_bytes(&of_a, tails).max(b.work_bytes(&of_b, tails)).max(library);
                buffers.into_iter().fold(inner, add)
            }
            Form::Blocks { inputs, function, .. } if function.any_region() => {
                let buffers = inputs.iter().map(|(f, _)| extent.bytes(f.dtype.size()));
                let inner = inputs.iter().map(|(f, _)| f.work_bytes(extent, tails)).max().unwrap_or(0);
                let shapes = vec![extent.lengths.clone(); inputs.len()];
                buffers.fold(inner.max(function.memory(&shapes)), add)
            }
            Form::Blocks { inputs, function, grid, overlap } => {
                let wide = |grid: &Grid| -> Shape {
                    let by = overlap.iter().copied().chain(std::iter::repeat(0));
                    grid.chunk().iter().zip(by).map(|(c, o)| c + 2 * o).collect()
                };
                let shapes: Vec<Shape> = inputs.iter().map(|(_, g)| wide(g)).collect();
                let buffers = inputs.iter().zip(&shapes).map(|((f, _), s)| Extent::of(s).bytes(f.dtype.size()));
                let inner = inputs.iter().zip(&shapes).map(|((f, _), s)| f.work_bytes(&Extent::of(s), tails)).max();
                let result = Extent::of(grid.chunk()).bytes(self.dtype.size());
                buffers.fold(add(result, inner.unwrap_or(0).max(function.memory(&shapes))), add)
            }
        }
    }
}

/// The block of an input that a block of the result is made of: that of the same place, or the only one.
pub fn input_block(grid: &Grid, index: &ChunkIndex, overlap: &[u64]) -> Region {
    let index: Vec<u64> = index.iter().zip(grid.counts()).map(|(&i, &n)| if n == 1 { 0 } else { i }).collect();
    let mut block = grid.region(&index);
    // The input is padded: its block begins where the result's does, and goes on by twice the overlap.
    block.shape.0.iter_mut().zip(overlap).for_each(|(n, o)| *n += 2 * o);
    block
}

/// The same with another length along one axis.
fn across(extent: &Extent, axis: usize, n: u64) -> Extent {
    let mut lengths = extent.lengths.clone();
    lengths.0[axis] = n.max(1);
    Extent::of(&lengths)
}

/// The most rows of what lies before an axis.
fn outer(extent: &Extent, axis: usize) -> u64 {
    extent.lengths[..axis].iter().product()
}

impl Program {
    fn work_bytes(&self, extent: &Extent, tails: &mut [u64]) -> u64 {
        let segments = (self.operands.len() + self.registers) as u64 * SEGMENT_BYTES;
        let mut held = segments;
        let mut most = 0u64;
        for operand in &self.operands {
            let (buffers, inner) = operand.work_bytes(extent, tails);
            held = held.saturating_add(buffers);
            most = most.max(inner);
        }
        held.saturating_add(most)
    }
}

/// One segment of the widest type.
pub const SEGMENT_BYTES: u64 = (SEGMENT * 8) as u64;

impl Operand {
    /// Bytes that stay for as long as the program runs, and those that only filling them needs.
    fn work_bytes(&self, extent: &Extent, tails: &mut [u64]) -> (u64, u64) {
        let region = crate::shape::Region { start: vec![0; extent.lengths.len()], shape: extent.lengths.clone() };
        let picks = self.view.picks(&region);
        // A diagonal takes more elements to fill a region than the region has.
        let once = (0..self.view.shape.len()).all(|k| {
            self.view.axes.iter().filter(|along| matches!(along, Along::Axis { axis, .. } if *axis == k)).count() <= 1
        });
        let elements = if once { extent.elements } else { u64::MAX };
        let picked = Extent { lengths: picks.count.clone(), elements };
        let size = match &self.leaf {
            Leaf::Stored(_, meaning) => meaning.decode.stored.size(),
            _ => self.dtype.size(),
        };
        // Turned round to the program's order where its innermost axis is another.
        let turned = picked.bytes(size);
        match &self.leaf {
            Leaf::Stored(..) | Leaf::Made(..) => (turned.saturating_add(picked.bytes(size)), 0),
            Leaf::Held(_) => (turned, 0),
            Leaf::Formula(formula) => {
                let bounds = bounds(&picks, &picked);
                let inner = formula.work_bytes(&bounds, tails);
                (turned.saturating_add(bounds.bytes(size)), inner)
            }
        }
    }
}

/// The regions that hold picked elements.
fn bounds(picks: &Picks, extent: &Extent) -> Extent {
    let steps = picks.step.iter().fold(1u64, |a, &s| a.saturating_mul(s));
    Extent { lengths: picks.bounds().shape, elements: extent.elements.saturating_mul(steps) }
}
