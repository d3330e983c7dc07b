//! Spells: how long something holds without a break, as the indices of ETCCDI count dry days and heat waves.

use super::custom::CustomFold;

/// What is asked of the runs of true values along an axis. Missing values are false: they end a run.
///
/// # Example
/// ```
/// use aosx::{kernels::fold::Spell, prelude::*};
///
/// let dry = LazyArray::from_bools(&[true, true, false, true, true, true], &[6], &[4])?;
/// let longest = dry.spells(Spell::Longest, 0)?;
/// assert_eq!(Session::new().compute(&longest)?.to_vec::<i64>()?, [3]);
/// # Ok::<(), aosx::error::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Spell {
    /// The length of the longest run; 0 where there is none.
    Longest,
    /// How many values lie in runs of at least this length.
    Days(u64),
    /// How many runs have at least this length.
    Count(u64),
}

impl Spell {
    /// What a run that has ended is worth.
    fn of(self, length: u64) -> u64 {
        match self {
            Spell::Longest => length,
            Spell::Days(least) => length * u64::from(length >= least),
            Spell::Count(least) => u64::from(length > 0 && length >= least),
        }
    }

    fn together(self, a: u64, b: u64) -> u64 {
        match self {
            Spell::Longest => a.max(b),
            Spell::Days(_) | Spell::Count(_) => a + b,
        }
    }
}

/// The runs of a part of an axis. Those at its ends may go on in its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Runs {
    /// How many values there were.
    seen: u64,
    /// The length of the run at the beginning.
    first: u64,
    /// The length of the run at the end.
    last: u64,
    /// What the runs between are worth.
    inner: u64,
}

impl Runs {
    fn is_one(&self) -> bool {
        self.first == self.seen
    }
}

impl CustomFold for Spell {
    type State = Runs;
    type Out = i64;
    const SKIP_MISSING: bool = false;

    fn name(&self) -> &str {
        match self {
            Spell::Longest => "longest_spell",
            Spell::Days(_) => "spells",
            Spell::Count(_) => "spell_count",
        }
    }

    fn init(&self) -> Runs {
        Runs { seen: 0, first: 0, last: 0, inner: 0 }
    }

    fn push(&self, state: &mut Runs, value: f64) {
        let holds = value != 0.0 && !value.is_nan();
        if holds {
            state.first += u64::from(state.is_one());
            state.last += 1;
        } else {
            if !state.is_one() {
                state.inner = self.together(state.inner, self.of(state.last));
            }
            state.last = 0;
        }
        state.seen += 1;
    }

    fn merge(&self, into: &mut Runs, later: &Runs) {
        let (a, b) = (*into, *later);
        into.seen += b.seen;
        match (a.is_one(), b.is_one()) {
            (true, true) => (into.first, into.last) = (a.seen + b.seen, a.seen + b.seen),
            (true, false) => *into = Runs { first: a.seen + b.first, seen: into.seen, ..b },
            (false, true) => into.last += b.seen,
            (false, false) => {
                let across = self.together(self.of(a.last + b.first), b.inner);
                into.inner = self.together(a.inner, across);
                into.last = b.last;
            }
        }
    }

    fn finish(&self, state: &Runs) -> i64 {
        let total = match state.is_one() {
            true => self.of(state.seen),
            false => self.together(self.together(self.of(state.first), state.inner), self.of(state.last)),
        };
        i64::try_from(total).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// By the lengths of all runs.
    fn naive(spell: Spell, values: &[f64]) -> i64 {
        let runs = values.split(|x| *x == 0.0 || x.is_nan()).map(|run| run.len() as i64).filter(|n| *n > 0);
        match spell {
            Spell::Longest => runs.max().unwrap_or(0),
            Spell::Days(least) => runs.filter(|n| *n >= least as i64).sum(),
            Spell::Count(least) => runs.filter(|n| *n >= least as i64).count() as i64,
        }
    }

    fn state(spell: Spell, values: &[f64]) -> Runs {
        let mut state = spell.init();
        values.iter().for_each(|x| spell.push(&mut state, *x));
        state
    }

    proptest! {
        /// Wherever the axis is cut, and in whatever order neighbours are merged.
        #[test]
        fn spells_are_those_of_all_runs(
            picks in prop::collection::vec(0u8..8, 0..40), a in 0usize..41, b in 0usize..41, least in 0u64..6,
        ) {
            let values: Vec<f64> = picks.iter().map(|p| [0.0, f64::NAN, 1.0, 1.0, 1.0, 2.0, 1.0, 1.0][usize::from(*p)]).collect();
            let (a, b) = (a.min(values.len()), b.min(values.len()));
            let (a, b) = (a.min(b), a.max(b));
            for spell in [Spell::Longest, Spell::Days(least), Spell::Count(least)] {
                let [first, second, third] = [&values[..a], &values[a..b], &values[b..]].map(|part| state(spell, part));
                let (mut left, mut right) = (first, second);
                spell.merge(&mut left, &second);
                spell.merge(&mut left, &third);
                spell.merge(&mut right, &third);
                let mut other = first;
                spell.merge(&mut other, &right);
                prop_assert_eq!(left, state(spell, &values));
                prop_assert_eq!(other, left);
                prop_assert_eq!(spell.finish(&left), naive(spell, &values));
            }
        }
    }
}
