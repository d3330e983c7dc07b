use crate::{
    block::Block,
    budget::Budget,
    codec::{Scratch, ScratchSize},
    error::{Error, Problem, Result},
    grid::Grid,
    kernels::cast::place,
    shape::ChunkIndex,
    source::{Group, Sink, VarMeta},
    sync::{Arc, Mutex, PoisonError},
};
use std::collections::HashMap;

use super::{Values, lock};

/// A sink that keeps results in memory, to print them.
pub struct MemorySink {
    held: Arc<Held>,
}

/// What a [`MemorySink`] has taken so far; it outlives the sink.
pub struct Held {
    variables: HashMap<String, Variable>,
}

struct Variable {
    meta: VarMeta,
    grid: Grid,
    data: Mutex<Block>,
    texts: Mutex<Vec<String>>,
}

impl MemorySink {
    /// A sink for what `root` declares. All of it is leased at once.
    ///
    /// # Errors
    /// When it does not fit.
    pub fn new(root: &Group, budget: &Budget) -> Result<MemorySink> {
        let mut variables = HashMap::new();
        for meta in root.all_vars() {
            let bytes = meta.decoded_bytes().unwrap_or(0);
            let lease = budget.try_lease(bytes).ok_or_else(|| {
                let what = "holding the result to print it (write it with -o instead)".to_string();
                let need = crate::units::Bytes(bytes);
                Error::from(Problem::BudgetTooSmall { what, need, limit: budget.limit() }).in_variable(&meta.path)
            })?;
            let chunk = meta.storage.chunk.clone().unwrap_or_else(|| meta.shape.iter().map(|&n| n.max(1)).collect());
            let variable = Variable {
                meta: meta.clone(),
                grid: Grid::new(meta.shape.clone(), chunk)?,
                data: Mutex::new(Block::new(bytes as usize, lease)),
                texts: Mutex::default(),
            };
            variables.insert(meta.path.clone(), variable);
        }
        Ok(MemorySink { held: Arc::new(Held { variables }) })
    }

    /// The values of each variable of numbers, by name; the sink is full then.
    pub fn into_values(self) -> HashMap<String, Values> {
        let Ok(held) = Arc::try_unwrap(self.held) else { return HashMap::new() };
        let values = held.variables.into_iter().filter_map(|(name, variable)| {
            let dtype = variable.meta.stored.dtype()?;
            let block = variable.data.into_inner().unwrap_or_else(PoisonError::into_inner);
            Some((name, Values::new(dtype, variable.meta.shape, block)))
        });
        values.collect()
    }

    /// What it will have taken.
    pub fn held(&self) -> Arc<Held> {
        self.held.clone()
    }
}

impl Held {
    /// The values of a variable, row-major in native byte order.
    pub fn values(&self, variable: &str) -> Option<Vec<u8>> {
        self.variables.get(variable).map(|v| lock(&v.data).bytes().to_vec())
    }

    /// The values of a variable of strings.
    pub fn texts(&self, variable: &str) -> Option<Vec<String>> {
        self.variables.get(variable).map(|v| lock(&v.texts).clone())
    }

    fn get(&self, variable: &str) -> Result<&Variable> {
        let known = || self.variables.keys().cloned().collect();
        self.variables
            .get(variable)
            .ok_or_else(|| Problem::NoSuchVariable { name: variable.to_string(), known: known() }.into())
    }
}

impl Sink for MemorySink {
    fn grid(&self, variable: &str) -> Result<&Grid> {
        Ok(&self.held.get(variable)?.grid)
    }

    fn scratch(&self, _: &str) -> Result<ScratchSize> {
        Ok(ScratchSize::default())
    }

    fn write(&self, variable: &str, chunk: &ChunkIndex, data: &[u8], _: &mut Scratch) -> Result<()> {
        let variable = self.held.get(variable)?;
        let region = variable.grid.region(chunk);
        let element = variable.meta.stored.element_bytes().unwrap_or(1);
        place(data, &region.shape, lock(&variable.data).bytes_mut(), &variable.meta.shape, &region.start, element);
        Ok(())
    }

    fn write_texts(&self, variable: &str, values: &[String]) -> Result<()> {
        *lock(&self.held.get(variable)?.texts) = values.to_vec();
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}
