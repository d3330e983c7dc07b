use super::{
    Columns, Identities, Reducers,
    formula::{Computed, Form, Formula, Kernel, Leaf, Meaning, Operand, Place, Program, Read, Reduced, Step, Values},
    lower::{Reduction, stored},
    reblock::Recut,
};
use crate::{
    array::{Along, Creation, Folding, LazyArray, MapOp, Operation, View, reshape},
    dtype::{ByteOrder, DType},
    error::{Error, Result},
    grid::Grid,
    kernels::{decode::Decode, elementwise, fold::Folds, window::Windows},
    source::Source,
};
use std::{collections::HashMap, sync::Arc};

/// Turns arrays into formulas: fuses elementwise chains, pushes views down to what they read, and computes equal parts
/// once.
pub struct Compiler<'a> {
    /// Which arrays are the same.
    pub ids: &'a mut Identities,
    /// Which are held, and where.
    pub held: &'a HashMap<usize, usize>,
    /// Which were put aside, and are read from there.
    pub aside: &'a HashMap<usize, Arc<dyn Source>>,
    /// Sources that are read in another form.
    pub recut: &'a Recut,
    sources: Vec<Read>,
    formulas: HashMap<usize, Arc<Formula>>,
    tails: Vec<usize>,
    folded: Vec<u64>,
    depth: usize,
}

/// Deeper expressions would exhaust the stack of a thread.
const DEPTH_MAX: usize = 2000;

impl<'a> Compiler<'a> {
    /// One that knows what is there already.
    pub fn new(
        ids: &'a mut Identities,
        held: &'a HashMap<usize, usize>,
        aside: &'a HashMap<usize, Arc<dyn Source>>,
        recut: &'a Recut,
    ) -> Compiler<'a> {
        let (sources, formulas) = (Vec::new(), HashMap::new());
        Compiler { ids, held, aside, recut, sources, formulas, tails: Vec::new(), folded: Vec::new(), depth: 0 }
    }

    /// The formulas of arrays of one shape, computed in the blocks of `grid`.
    ///
    /// # Errors
    /// When an expression is too deep, or sizes overflow.
    pub fn computed(mut self, arrays: &[LazyArray], grid: Grid) -> Result<Computed> {
        let roots = arrays.iter().map(|a| self.formula(a)).collect::<Result<Vec<_>>>()?;
        Ok(Computed { roots, grid, sources: self.sources, tails: self.tails, folded: self.folded })
    }

    fn formula(&mut self, array: &LazyArray) -> Result<Arc<Formula>> {
        let id = self.ids.of(array);
        if let Some(known) = self.formulas.get(&id) {
            let known = known.clone();
            self.mention(&known);
            return Ok(known);
        }
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            let what = format!("an expression of more than {DEPTH_MAX} operations one inside the other; use hold()");
            return Err(Error::usage(what));
        }
        let there = self.held.contains_key(&id) || self.aside.contains_key(&id);
        let form = if there { self.program(array)? } else { self.form(array)? };
        self.depth -= 1;
        let formula = Arc::new(Formula { form, dtype: array.dtype(), shape: array.shape().clone() });
        self.formulas.insert(id, formula.clone());
        Ok(formula)
    }

    fn form(&mut self, array: &LazyArray) -> Result<Form> {
        Ok(match array.operation() {
            Operation::Reshape { input } => {
                let groups = if array.size() == 0 { Vec::new() } else { reshape::groups(input.shape(), array.shape()) };
                Form::Reshape { input: self.formula(input)?, groups }
            }
            Operation::Concat { inputs, axis } => {
                let mut at = 0;
                let mut parts = Vec::new();
                for input in inputs {
                    parts.push((at, self.formula(input)?));
                    at += input.shape()[*axis];
                }
                Form::Concat { parts, axis: *axis }
            }
            Operation::Take { input, axis, index } => {
                Form::Take { input: self.formula(input)?, axis: *axis, index: index.clone() }
            }
            Operation::TakeAlong { input, axis, index } => {
                Form::TakeAlong { input: self.formula(input)?, index: self.formula(index)?, axis: *axis }
            }
            Operation::Lanes { input, axis, op } if op.is_cumulative() => Form::Cumulative {
                slab: slab(input, *axis),
                tail: self.tail(),
                input: self.formula(input)?,
                axis: *axis,
                op: op.clone(),
            },
            Operation::Lanes { input, axis, op } => {
                Form::Lanes { input: self.formula(input)?, axis: *axis, op: op.clone() }
            }
            Operation::Rolling { input, axis, window, op, options } => Form::Rolling {
                windows: Box::new(Windows::new(
                    *op,
                    input.dtype(),
                    *options,
                    window.reach().map(|n| n.min(input.shape()[*axis])),
                )),
                slab: slab(input, *axis),
                tail: self.tail(),
                input: self.formula(input)?,
                axis: *axis,
            },
            Operation::MatMul { a, b } => Form::MatMul {
                tiles: Grid::new(array.shape().clone(), array.chunk().clone())?,
                panel: LazyArray::panel(a, b),
                a: self.formula(a)?,
                b: self.formula(b)?,
            },
            Operation::Blocks { inputs, function, overlap } => {
                let grid = Grid::new(array.shape().clone(), array.chunk().clone())?;
                let mut with_grids = Vec::new();
                for input in inputs {
                    // A padded input has the blocks of the result, each wider by the overlap.
                    let of = if overlap.is_empty() {
                        Grid::new(input.shape().clone(), input.chunk().clone())?
                    } else {
                        grid.clone()
                    };
                    with_grids.push((self.formula(input)?, of));
                }
                Form::Blocks { inputs: with_grids, function: function.clone(), grid, overlap: overlap.clone() }
            }
            Operation::Source(_)
            | Operation::Decode { .. }
            | Operation::Create(_)
            | Operation::Map { .. }
            | Operation::View { .. }
            | Operation::Rechunk { .. }
            | Operation::Hold { .. } => self.program(array)?,
            Operation::Reduce { .. } | Operation::Fold { .. } | Operation::Grouped { .. } => match Reduction::of(array)
            {
                Some(reduction) if reduction.is_within_blocks() => {
                    Form::Reduce(Box::new(self.within(reduction, array.dtype().size())?))
                }
                _ => return Err(Error::unsupported("a reduction that is not held")),
            },
        })
    }

    /// A reduction along axes that lie within a block of what is reduced.
    fn within(&mut self, reduction: Reduction<'_>, size: usize) -> Result<Reduced> {
        let Reduction { input, reduced, how, .. } = reduction;
        let grid = Grid::new(input.shape().clone(), input.chunk().clone())?;
        let as_stored = stored(input).filter(|s| *s.grid() == grid && !self.recut.contains_key(&s.origin()));
        let (values, decode) = match as_stored {
            Some(source) => (Values::Stored(self.read(&source)), input.meaning()),
            None => (Values::Computed(self.formula(input)?), Decode::plain(input.dtype(), ByteOrder::NATIVE)),
        };
        let op = how.op();
        let reducer = match how {
            Folding::Op { op, options } => Reducers::Folds(Folds::new(&[op], &decode, options)),
            Folding::Own(reducer) => Reducers::Custom(reducer),
        };
        let columns = Columns::new(&grid, reduced)?;
        self.folded.push(columns.kept().chunk().bytes(size)? as u64);
        let at = self.folded.len() - 1;
        Ok(Reduced { values, decode, grid, columns, reducer, op, at })
    }

    fn program(&mut self, array: &LazyArray) -> Result<Form> {
        let mut fusion = Fusion { compiler: self, operands: Vec::new(), steps: Vec::new(), known: HashMap::new() };
        let result = fusion.value(array, &View::identity(array.shape()))?;
        let (operands, steps) = (fusion.operands, fusion.steps);
        Ok(Form::Program(with_registers(operands, steps, result)))
    }

    /// What is named at another place is computed for other regions there, and so keeps what it keeps once more.
    fn mention(&mut self, formula: &Arc<Formula>) {
        if self.tails.is_empty() {
            return;
        }
        let mut seen = Vec::new();
        let mut todo: Vec<&Formula> = vec![formula];
        while let Some(next) = todo.pop() {
            let address: *const Formula = next;
            if seen.contains(&address) {
                continue;
            }
            seen.push(address);
            if let Form::Rolling { tail, .. } | Form::Cumulative { tail, .. } = &next.form {
                self.tails[*tail] += 1;
            }
            todo.extend(next.inputs());
        }
    }

    /// A place for what a form keeps from one region to the next.
    fn tail(&mut self) -> usize {
        self.tails.push(1);
        self.tails.len() - 1
    }

    /// The place of a source among those that are read; each mention keeps one more of its chunks.
    fn read(&mut self, source: &Arc<dyn Source>) -> usize {
        let same = |r: &Read| Arc::ptr_eq(&r.source, source) || r.source.origin() == source.origin();
        if let Some(at) = self.sources.iter().position(same) {
            self.sources[at].kept += 1;
            return at;
        }
        self.sources.push(Read { source: source.clone(), kept: 1 });
        self.sources.len() - 1
    }
}

/// One program in the making. Its registers are numbered as they are written, and shared afterwards.
struct Fusion<'b, 'a> {
    compiler: &'b mut Compiler<'a>,
    operands: Vec<Operand>,
    steps: Vec<Step>,
    known: HashMap<(usize, View), Place>,
}

impl Fusion<'_, '_> {
    /// The value of an array at each place of the program, as `view` shows it.
    fn value(&mut self, array: &LazyArray, view: &View) -> Result<Place> {
        if let Operation::Create(Creation::Full(bytes)) = array.operation() {
            return Ok(Place::Scalar(*bytes));
        }
        let key = (self.compiler.ids.of(array), view.clone());
        if let Some(place) = self.known.get(&key) {
            return Ok(*place);
        }
        self.compiler.depth += 1;
        if self.compiler.depth > DEPTH_MAX {
            let what = format!("an expression of more than {DEPTH_MAX} operations one inside the other; use hold()");
            return Err(Error::usage(what));
        }
        let place = self.fresh(array, view, key.0)?;
        self.compiler.depth -= 1;
        self.known.insert(key, place);
        Ok(place)
    }

    fn fresh(&mut self, array: &LazyArray, view: &View, id: usize) -> Result<Place> {
        if let Some(&slot) = self.compiler.held.get(&id) {
            return Ok(self.operand(Leaf::Held(slot), array, view));
        }
        if let Some(source) = self.compiler.aside.get(&id) {
            return self.stored(&source.clone(), Decode::plain(array.dtype(), ByteOrder::NATIVE), array, view);
        }
        match array.operation() {
            Operation::View { input, view: inner } => self.value(input, &view.of(inner)),
            Operation::Rechunk { input } | Operation::Hold { input } => self.value(input, view),
            Operation::Source(source) => {
                self.stored(source, Decode::plain(array.dtype(), source.layout().order), array, view)
            }
            Operation::Decode { input, decode } => match input.operation() {
                Operation::Source(source) => self.stored(source, decode.clone(), array, view),
                _ => Err(Error::unsupported("decoding what is not a variable")),
            },
            Operation::Create(creation) => {
                Ok(self.operand(Leaf::Made(creation.clone(), array.shape().clone()), array, view))
            }
            // What is repeated is computed once, and its result repeated.
            Operation::Map { .. } if array.ndim() > 0 && repeats(view) => {
                let formula = self.compiler.formula(array)?;
                Ok(self.operand(Leaf::Formula(formula), array, view))
            }
            Operation::Map { op, inputs } => self.step(op, inputs, array, view),
            _ => {
                let formula = self.compiler.formula(array)?;
                Ok(self.operand(Leaf::Formula(formula), array, view))
            }
        }
    }

    fn stored(&mut self, source: &Arc<dyn Source>, decode: Decode, array: &LazyArray, view: &View) -> Result<Place> {
        let source = self.compiler.recut.get(&source.origin()).unwrap_or(source);
        let decode = Decode { order: source.layout().order, ..decode };
        let at = self.compiler.read(source);
        let half = decode.stored == DType::F16 && decode.result == DType::F32 && array.dtype() == DType::F16;
        if half {
            // As an array it stays half, though a reduction computes in single.
            let plain = Decode { result: DType::F16, ..decode };
            return Ok(self.operand(Leaf::Stored(at, Meaning::new(plain)), array, view));
        }
        Ok(self.operand(Leaf::Stored(at, Meaning::new(decode)), array, view))
    }

    fn operand(&mut self, leaf: Leaf, array: &LazyArray, view: &View) -> Place {
        self.operands.push(Operand { leaf, view: view.clone(), dtype: array.dtype() });
        Place::Operand(self.operands.len() - 1)
    }

    fn step(&mut self, op: &MapOp, inputs: &[LazyArray], array: &LazyArray, view: &View) -> Result<Place> {
        let mut places = Vec::with_capacity(inputs.len());
        for input in inputs {
            if input.ndim() == 0 && array.ndim() > 0 {
                let everywhere = View { shape: view.shape.clone(), axes: Vec::new() };
                places.push(self.value(input, &everywhere)?);
            } else {
                places.push(self.value(input, view)?);
            }
        }
        let computes = inputs[0].dtype();
        let kernel = match (op, &*places) {
            (MapOp::Unary(op), &[x]) => Kernel::Unary(*op, computes, x),
            (MapOp::Binary(op), &[a, b]) => Kernel::Binary(*op, computes, a, b),
            (MapOp::Where, &[mask, a, b]) => Kernel::Select(array.dtype(), [mask, a, b]),
            (MapOp::Cast, &[x]) => Kernel::Cast(computes, array.dtype(), x),
            (MapOp::Lookup { how, table }, &[x]) => Kernel::Lookup(*how, computes, table.clone(), x),
            _ => return Err(Error::unsupported(format!("{} of {} arrays", op.name(), places.len()))),
        };
        if let Some(bytes) = kernel.constant(array.dtype()) {
            return Ok(Place::Scalar(bytes));
        }
        self.steps.push(Step { kernel, to: self.steps.len(), dtype: array.dtype() });
        Ok(Place::Register(self.steps.len() - 1))
    }
}

/// How many rows of an array are computed at once: whole blocks, several where those are small.
fn slab(array: &LazyArray, axis: usize) -> u64 {
    let block = array.chunk();
    let elements = block.iter().fold(1u64, |a, &n| a.saturating_mul(n)).max(1);
    block[axis].saturating_mul(SLAB_ELEMENTS.div_ceil(elements)).clamp(1, array.shape()[axis].max(1))
}

/// Fewer at once would cost more to ask for than to compute.
const SLAB_ELEMENTS: u64 = 1 << 14;

/// Whether a view shows elements more than once.
fn repeats(view: &View) -> bool {
    let used = |k: usize| view.axes.iter().any(|along| matches!(along, Along::Axis { axis, .. } if *axis == k));
    (0..view.shape.len()).any(|k| view.shape[k] > 1 && !used(k))
}

impl Kernel {
    /// The places that it reads.
    pub fn reads(&self) -> Vec<Place> {
        match self {
            Kernel::Unary(_, _, x) | Kernel::Cast(_, _, x) | Kernel::Lookup(_, _, _, x) => vec![*x],
            Kernel::Binary(_, _, a, b) => vec![*a, *b],
            Kernel::Select(_, places) => places.to_vec(),
        }
    }

    fn moved(&mut self, to: impl Fn(Place) -> Place) {
        match self {
            Kernel::Unary(_, _, x) | Kernel::Cast(_, _, x) | Kernel::Lookup(_, _, _, x) => *x = to(*x),
            Kernel::Binary(_, _, a, b) => (*a, *b) = (to(*a), to(*b)),
            Kernel::Select(_, places) => *places = places.map(to),
        }
    }

    /// Its result where all that it reads are numbers.
    fn constant(&self, gives: DType) -> Option<[u8; 8]> {
        let number = |place: &Place| match place {
            Place::Scalar(bytes) => Some(*bytes),
            _ => None,
        };
        let numbers: Vec<[u8; 8]> = self.reads().iter().map(number).collect::<Option<_>>()?;
        // Aligned for every type.
        let words: Vec<u64> = numbers.iter().map(|b| u64::from_ne_bytes(*b)).collect();
        let bytes = |k: usize, dtype: DType| &bytemuck::bytes_of(&words[k])[..dtype.size()];
        let mut out = 0u64;
        let result = &mut bytemuck::bytes_of_mut(&mut out)[..gives.size()];
        use elementwise::Operand::Values;
        match self {
            Kernel::Unary(op, dtype, _) => elementwise::unary(*op, *dtype, bytes(0, *dtype), result),
            Kernel::Binary(op, dtype, ..) => {
                elementwise::binary(*op, *dtype, Values(bytes(0, *dtype)), Values(bytes(1, *dtype)), result)
            }
            Kernel::Select(dtype, _) => {
                let (a, b) = (Values(bytes(1, *dtype)), Values(bytes(2, *dtype)));
                elementwise::select(*dtype, bytes(0, DType::Bool), a, b, result)
            }
            Kernel::Cast(from, to, _) => crate::kernels::cast::cast(bytes(0, *from), *from, result, *to),
            Kernel::Lookup(how, dtype, table, _) => {
                elementwise::lookup(*how, *dtype, bytes(0, *dtype), &aligned(table), result)
            }
        }
        Some(out.to_ne_bytes())
    }
}

fn aligned(table: &[u8]) -> Vec<u8> {
    table.to_vec()
}

/// Lets steps write where nobody reads any more.
fn with_registers(operands: Vec<Operand>, mut steps: Vec<Step>, result: Place) -> Program {
    let mut last: Vec<usize> = (0..steps.len()).collect();
    for (n, step) in steps.iter().enumerate() {
        for place in step.kernel.reads() {
            if let Place::Register(k) = place {
                last[k] = n;
            }
        }
    }
    if let Place::Register(k) = result {
        last[k] = usize::MAX;
    }
    let mut done: Vec<Vec<usize>> = vec![Vec::new(); steps.len()];
    (0..steps.len()).filter(|&k| last[k] < steps.len()).for_each(|k| done[last[k]].push(k));
    let mut home = vec![0; steps.len()];
    let mut free: Vec<usize> = Vec::new();
    let mut registers = 0;
    for n in 0..steps.len() {
        home[n] = free.pop().unwrap_or_else(|| {
            registers += 1;
            registers - 1
        });
        let moved = |place: Place| match place {
            Place::Register(k) => Place::Register(home[k]),
            other => other,
        };
        steps[n].to = home[n];
        steps[n].kernel.moved(moved);
        // Only after the step may what it read for the last time be written over: kernels do not work in place.
        free.extend(done[n].iter().map(|&k| home[k]));
    }
    let result = match result {
        Place::Register(k) => Place::Register(home[k]),
        other => other,
    };
    Program { operands, steps, registers, result }
}

impl Kernel {
    /// NumPy's name.
    pub fn name(&self) -> &'static str {
        match self {
            Kernel::Unary(op, ..) => op.name(),
            Kernel::Binary(op, ..) => op.name(),
            Kernel::Select(..) => "where",
            Kernel::Cast(_, to, _) => to.name(),
            Kernel::Lookup(..) => "lookup",
        }
    }
}
