//! Reductions that a user writes: [`CustomFold`] says one, and the engine runs it as a [`Reducer`].

use super::{
    ChunkView, HEADER, Header, padded,
    planes::Indices,
    push::{Take, push},
    values_per_cell,
};
use crate::{
    dtype::{DType, Element},
    error::Result,
    kernels::decode::{Decode, Decoded, Decoder, Segment, Value},
};
use std::{ops::Range, sync::Arc};

/// A reduction that a user writes: its state is plain bytes, so that partial results are ordinary blocks.
///
/// Values come as float64 (64-bit integers are rounded to the nearest), in an order that the shape of the chunks
/// decides, and any part of them may be folded apart and merged: the result must not depend on either by more than
/// rounding.
///
/// *Memory*: `size_of::<State>()` bytes for each cell of the result, and for each partial result that waits to be
/// merged.
///
/// # Example
/// ```
/// use aosx::kernels::fold::CustomFold;
///
/// /// The root of the mean square.
/// struct Rms;
///
/// impl CustomFold for Rms {
///     type State = [f64; 2];
///     type Out = f64;
///     fn name(&self) -> &str {
///         "rms"
///     }
///     fn init(&self) -> [f64; 2] {
///         [0.0, 0.0]
///     }
///     fn push(&self, [n, squares]: &mut [f64; 2], value: f64) {
///         *n += 1.0;
///         *squares += value * value;
///     }
///     fn merge(&self, into: &mut [f64; 2], later: &[f64; 2]) {
///         into[0] += later[0];
///         into[1] += later[1];
///     }
///     fn finish(&self, [n, squares]: &[f64; 2]) -> f64 {
///         (squares / n).sqrt()
///     }
/// }
///
/// let mut state = Rms.init();
/// Rms.push(&mut state, 3.0);
/// Rms.push(&mut state, 5.0);
/// assert_eq!(Rms.finish(&state), 17f64.sqrt());
/// ```
pub trait CustomFold: Send + Sync + 'static {
    /// What is kept for a cell: at least one byte, aligned to at most 64.
    type State: bytemuck::Pod;
    /// The type of a result.
    type Out: Element;
    /// Whether missing values (NaN, fill values, what lies outside the valid range) are skipped. Where not, they are
    /// pushed as NaN.
    const SKIP_MISSING: bool = true;

    /// What plans, errors and names of results call it.
    fn name(&self) -> &str;
    /// The state of no values.
    fn init(&self) -> Self::State;
    /// Adds a value.
    fn push(&self, state: &mut Self::State, value: f64);
    /// Adds what `later` has seen, which comes later in chunk order.
    fn merge(&self, into: &mut Self::State, later: &Self::State);
    /// The result.
    fn finish(&self, state: &Self::State) -> Self::Out;
}

/// A [`CustomFold`] with its types erased: what the engine runs.
///
/// The state of `cells` cells is plain bytes, aligned as a [`Block`](crate::block::Block) is.
pub trait Reducer: Send + Sync {
    /// What plans, errors and names of results call it.
    fn name(&self) -> &str;

    /// The type of the results for values of this type.
    ///
    /// # Errors
    /// When it does not take such values; those that [`erased`] gives take all.
    fn result_dtype(&self, input: DType) -> Result<DType>;

    /// Bytes of the state of `cells` cells.
    fn state_bytes(&self, cells: usize) -> usize;

    /// Makes `state` that of no values.
    ///
    /// # Panics
    /// When it is shorter than [`state_bytes`](Reducer::state_bytes), or not aligned as a block is.
    fn init(&self, state: &mut [u8], cells: usize);

    /// Adds the values of chunks, one after the other, which are stored as `decode` says.
    ///
    /// Gives the same bits as a call for each of them.
    ///
    /// # Errors
    /// Those of the reduction; those that [`erased`] gives have none.
    ///
    /// # Panics
    /// When a view reaches beyond its bytes, its kept dimensions are not the cells, or `state` is too short.
    fn push(
        &self,
        state: &mut [u8],
        cells: usize,
        decode: &Decode,
        views: &[ChunkView<'_>],
        segment: &mut Segment,
    ) -> Result<()>;

    /// Adds what `from` has seen, which comes later in chunk order.
    ///
    /// # Errors
    /// As [`push`](Reducer::push).
    ///
    /// # Panics
    /// When a state is too short, or not aligned as a block is.
    fn merge(&self, into: &mut [u8], from: &[u8], cells: usize) -> Result<()>;

    /// The results, as native elements of the [`result_dtype`](Reducer::result_dtype).
    ///
    /// `per_cell` is how many values each cell should have had, missing ones included; those never pushed are missing.
    ///
    /// # Errors
    /// Those of the reduction; those that [`erased`] gives have none.
    ///
    /// # Panics
    /// When a buffer is too short.
    fn finish(&self, state: &[u8], cells: usize, per_cell: u64, out: &mut [u8]) -> Result<()>;
}

/// Erases the types of a fold.
pub fn erased<F: CustomFold>(fold: F) -> Arc<dyn Reducer> {
    const {
        assert!(size_of::<F::State>() > 0, "a fold has a state");
        assert!(align_of::<F::State>() <= crate::block::ALIGN, "a state is aligned as a block is, or less");
    }
    Arc::new(Erased(fold))
}

/// State: a [`Header`], then one `F::State` a cell.
struct Erased<F>(F);

impl<F: CustomFold> Erased<F> {
    fn split<'a>(&self, state: &'a mut [u8], cells: usize) -> (&'a mut Header, &'a mut [F::State]) {
        let (header, rest) = state[..self.state_bytes(cells)].split_at_mut(HEADER);
        (bytemuck::from_bytes_mut(header), bytemuck::cast_slice_mut(&mut rest[..cells * size_of::<F::State>()]))
    }

    fn split_shared<'a>(&self, state: &'a [u8], cells: usize) -> (&'a Header, &'a [F::State]) {
        let (header, rest) = state[..self.state_bytes(cells)].split_at(HEADER);
        (bytemuck::from_bytes(header), bytemuck::cast_slice(&rest[..cells * size_of::<F::State>()]))
    }
}

impl<F: CustomFold> Reducer for Erased<F> {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn result_dtype(&self, _: DType) -> Result<DType> {
        Ok(F::Out::DTYPE)
    }

    fn state_bytes(&self, cells: usize) -> usize {
        HEADER + padded(cells * size_of::<F::State>())
    }

    fn init(&self, state: &mut [u8], cells: usize) {
        let (header, states) = self.split(state, cells);
        *header = Header::default();
        states.fill(self.0.init());
    }

    fn push(
        &self,
        state: &mut [u8],
        cells: usize,
        decode: &Decode,
        views: &[ChunkView<'_>],
        segment: &mut Segment,
    ) -> Result<()> {
        let (header, states) = self.split(state, cells);
        header.pushed += views.iter().map(values_per_cell).sum::<u64>();
        let mut to = States { fold: &self.0, states };
        push(&Decoder::new(decode), decode.work(), views, cells, segment, &mut to);
        Ok(())
    }

    fn merge(&self, into: &mut [u8], from: &[u8], cells: usize) -> Result<()> {
        let (header, states) = self.split(into, cells);
        let (from_header, from_states) = self.split_shared(from, cells);
        header.pushed += from_header.pushed;
        states.iter_mut().zip(from_states).for_each(|(a, b)| self.0.merge(a, b));
        Ok(())
    }

    fn finish(&self, state: &[u8], cells: usize, per_cell: u64, out: &mut [u8]) -> Result<()> {
        let (header, states) = self.split_shared(state, cells);
        let never_came = if F::SKIP_MISSING { 0 } else { per_cell.saturating_sub(header.pushed) };
        let out = out[..cells * size_of::<F::Out>()].chunks_exact_mut(size_of::<F::Out>());
        for (y, state) in out.zip(states) {
            let mut state = *state;
            (0..never_came).for_each(|_| self.0.push(&mut state, f64::NAN));
            y.copy_from_slice(bytemuck::bytes_of(&self.0.finish(&state)));
        }
        Ok(())
    }
}

/// The states of all cells, while values are added to them.
struct States<'a, F: CustomFold> {
    fold: &'a F,
    states: &'a mut [F::State],
}

impl<F: CustomFold, W: Value> Take<W> for States<'_, F> {
    fn lane(&mut self, cells: Range<usize>, x: Decoded<'_, W>, _: u64) {
        let skip = F::SKIP_MISSING && x.missing;
        for (state, x) in self.states[cells].iter_mut().zip(x.values) {
            if !(skip && x.is_missing()) {
                self.fold.push(state, x.to_f64());
            }
        }
    }

    fn run(&mut self, cell: usize, x: Decoded<'_, W>, _: Indices<'_>) {
        let skip = F::SKIP_MISSING && x.missing;
        let state = &mut self.states[cell];
        for x in x.values {
            if !(skip && x.is_missing()) {
                self.fold.push(state, x.to_f64());
            }
        }
    }
}

#[cfg(test)]
mod tests;
