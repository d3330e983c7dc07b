use super::lock;
use crate::{
    block::Block,
    budget::Budget,
    error::Result,
    kernels::cast::place,
    plan::Plan,
    shape::{Region, Shape},
    sync::{Mutex, PoisonError},
};

/// Results of earlier stages, which later ones read.
#[derive(Default)]
pub struct Finished(Vec<Option<(Block, Shape)>>);

impl Finished {
    /// Frees what no stage after `n` reads.
    pub fn free(&mut self, plan: &Plan, n: usize) {
        for (_, slot) in plan.held.iter().zip(&mut self.0).filter(|(held, _)| held.until <= n) {
            *slot = None;
        }
        plan.spills.iter().filter(|spill| spill.until == n).for_each(|spill| spill.spilled.clear());
    }

    /// The values in a slot, row-major.
    ///
    /// # Panics
    /// When no stage has left any there, which the plan's order excludes.
    pub fn values(&self, slot: usize) -> &[u8] {
        match self.0.get(slot) {
            Some(Some((block, _))) => block.bytes(),
            _ => unreachable!("slot {slot} is read before it is written"),
        }
    }

    /// The shape of what is in a slot.
    ///
    /// # Panics
    /// When no stage has left any there, which the plan's order excludes.
    pub fn shape(&self, slot: usize) -> &Shape {
        match self.0.get(slot) {
            Some(Some((_, shape))) => shape,
            _ => unreachable!("slot {slot} is read before it is written"),
        }
    }
}

/// Results that the running stage leaves for later ones.
pub struct Unfinished(Vec<Option<(Mutex<Block>, Shape)>>);

impl Unfinished {
    /// Room for the results of stage `n`.
    ///
    /// # Errors
    /// When it does not fit.
    pub fn of(plan: &Plan, n: usize, budget: &Budget) -> Result<Unfinished> {
        let mut slots: Vec<Option<(Mutex<Block>, Shape)>> = (0..plan.held.len()).map(|_| None).collect();
        for destination in plan.stages[n].destinations() {
            if let Some(slot) = destination.slot()
                && slots[slot].is_none()
            {
                let held = &plan.held[slot];
                let lease = budget.lease(held.bytes(), "a result that later steps need")?;
                slots[slot] = Some((Mutex::new(Block::new(held.bytes() as usize, lease)), held.shape.clone()));
            }
        }
        Ok(Unfinished(slots))
    }

    /// Puts a region where it belongs.
    pub fn put(&self, slot: usize, region: &Region, data: &[u8], element: usize) {
        if let Some((block, shape)) = &self.0[slot] {
            place(data, &region.shape, lock(block).bytes_mut(), shape, &region.start, element);
        }
    }

    /// Hands the results to later stages.
    pub fn finish(self, plan: &Plan, finished: &mut Finished) {
        finished.0.resize_with(plan.held.len(), || None);
        for (slot, result) in self.0.into_iter().enumerate() {
            if let Some((block, shape)) = result {
                let block = block.into_inner().unwrap_or_else(PoisonError::into_inner);
                finished.0[slot] = Some((block, shape));
            }
        }
    }
}
