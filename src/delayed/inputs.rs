//! What a task takes: one handle, a tuple of handles, or a slice of them, and how its function sees their values.

use std::{any::Any, fmt, marker::PhantomData, slice, sync::Arc, vec};

/// Any Rust value, as it goes from task to task.
pub type Value = Arc<dyn Any + Send + Sync>;

/// The handle of one value that will exist: a [`Task`](super::Task) of a graph or a [`Future`](crate::engine::Future).
pub trait Handle {
    /// The type of the value.
    type Value: Send + Sync + 'static;
    /// How the owner of the handle knows it.
    type Id;

    /// Which one.
    fn id(&self) -> Self::Id;
}

/// Handles that a task takes, all of one owner: `()`, `&a`, `(&a, &b)`, `&vec_of_handles`, and tuples of these.
///
/// | handles | the function's argument | what [`Session::run`](crate::session::Session::run) gives |
/// |---|---|---|
/// | `()` | `()` | `()` |
/// | `&a` | `&A` | `Arc<A>` |
/// | `(&a, &b)`, up to eight | `(&A, &B)` | `(Arc<A>, Arc<B>)` |
/// | `&[a, b]`, `&vec`, a slice | [`Values`] of `A` | `Vec<Arc<A>>` |
pub trait Inputs<Id> {
    /// The same without lifetimes.
    type Kind: Kind;

    /// Adds the ids to `ids`, and says how to read the values of as many.
    fn gather(&self, ids: &mut Vec<Id>) -> Self::Kind;
}

/// How values are read that came for [`Inputs`].
pub trait Kind: Copy + Send + Sync + 'static {
    /// What a function is given.
    type Args<'v>;
    /// What the caller of a run is given.
    type Results;

    /// The next values, borrowed.
    fn read<'v>(&self, values: &mut slice::Iter<'v, Value>) -> Self::Args<'v>;

    /// The next values, to keep.
    fn own(&self, values: &mut vec::IntoIter<Value>) -> Self::Results;
}

/// One value.
pub struct One<T>(PhantomData<fn() -> T>);

/// So many values of one type.
pub struct Many<T> {
    len: usize,
    of: PhantomData<fn() -> T>,
}

impl<T> Clone for One<T> {
    fn clone(&self) -> One<T> {
        *self
    }
}
impl<T> Copy for One<T> {}
impl<T> Clone for Many<T> {
    fn clone(&self) -> Many<T> {
        *self
    }
}
impl<T> Copy for Many<T> {}

/// Values of one type, as a reduction sees them.
///
/// # Example
/// ```
/// use aosx::prelude::*;
///
/// let mut graph = Graph::new();
/// let parts: Vec<_> = (1..=4).map(|n| graph.value("part", f64::from(n))).collect();
/// let mean = graph.task("mean", &parts, |parts| Ok(parts.iter().sum::<f64>() / parts.len() as f64));
/// assert_eq!(*Session::new().run(&graph, &mean)?, 2.5);
/// # Ok::<(), Error>(())
/// ```
pub struct Values<'v, T> {
    values: &'v [Value],
    of: PhantomData<&'v T>,
}

impl<T> Clone for Values<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Values<'_, T> {}

impl<'v, T: 'static> Values<'v, T> {
    /// How many.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The value at a place, if there are so many.
    pub fn get(&self, place: usize) -> Option<&'v T> {
        self.values.get(place).map(typed)
    }

    /// The values in the order of their handles.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'v T> + DoubleEndedIterator + use<'v, T> {
        self.values.iter().map(typed)
    }
}

impl<'v, T: 'static> IntoIterator for Values<'v, T> {
    type Item = &'v T;
    type IntoIter = std::iter::Map<slice::Iter<'v, Value>, fn(&'v Value) -> &'v T>;

    fn into_iter(self) -> Self::IntoIter {
        self.values.iter().map(typed)
    }
}

impl<T: 'static> std::ops::Index<usize> for Values<'_, T> {
    type Output = T;

    fn index(&self, place: usize) -> &T {
        typed(&self.values[place])
    }
}

impl<T: fmt::Debug + 'static> fmt::Debug for Values<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

fn typed<T: 'static>(value: &Value) -> &T {
    value.downcast_ref().expect("a handle has the type of its value")
}

impl<T: Send + Sync + 'static> Kind for One<T> {
    type Args<'v> = &'v T;
    type Results = Arc<T>;

    fn read<'v>(&self, values: &mut slice::Iter<'v, Value>) -> &'v T {
        typed(values.next().expect("as many values as handles"))
    }

    fn own(&self, values: &mut vec::IntoIter<Value>) -> Arc<T> {
        let value = values.next().expect("as many values as handles");
        value.downcast().unwrap_or_else(|_| panic!("a handle has the type of its value"))
    }
}

impl<T: Send + Sync + 'static> Kind for Many<T> {
    type Args<'v> = Values<'v, T>;
    type Results = Vec<Arc<T>>;

    fn read<'v>(&self, values: &mut slice::Iter<'v, Value>) -> Values<'v, T> {
        let (these, rest) = values.as_slice().split_at(self.len);
        *values = rest.iter();
        Values { values: these, of: PhantomData }
    }

    fn own(&self, values: &mut vec::IntoIter<Value>) -> Vec<Arc<T>> {
        let one = One::<T>(PhantomData);
        (0..self.len).map(|_| one.own(values)).collect()
    }
}

impl<H: Handle> Inputs<H::Id> for &H {
    type Kind = One<H::Value>;

    fn gather(&self, ids: &mut Vec<H::Id>) -> Self::Kind {
        ids.push(self.id());
        One(PhantomData)
    }
}

impl<H: Handle> Inputs<H::Id> for &[H] {
    type Kind = Many<H::Value>;

    fn gather(&self, ids: &mut Vec<H::Id>) -> Self::Kind {
        ids.extend(self.iter().map(Handle::id));
        Many { len: self.len(), of: PhantomData }
    }
}

impl<H: Handle> Inputs<H::Id> for &Vec<H> {
    type Kind = Many<H::Value>;

    fn gather(&self, ids: &mut Vec<H::Id>) -> Self::Kind {
        self.as_slice().gather(ids)
    }
}

impl<H: Handle, const N: usize> Inputs<H::Id> for &[H; N] {
    type Kind = Many<H::Value>;

    fn gather(&self, ids: &mut Vec<H::Id>) -> Self::Kind {
        self.as_slice().gather(ids)
    }
}

impl<Id> Inputs<Id> for () {
    type Kind = ();

    fn gather(&self, _: &mut Vec<Id>) {}
}

impl Kind for () {
    type Args<'v> = ();
    type Results = ();

    fn read<'v>(&self, _: &mut slice::Iter<'v, Value>) {}

    fn own(&self, _: &mut vec::IntoIter<Value>) {}
}

macro_rules! tuples {
    ($(($($part:ident $place:tt),*))*) => {$(
        impl<Id, $($part: Inputs<Id>),*> Inputs<Id> for ($($part,)*) {
            type Kind = ($($part::Kind,)*);

            fn gather(&self, ids: &mut Vec<Id>) -> Self::Kind {
                ($(self.$place.gather(ids),)*)
            }
        }

        impl<$($part: Kind),*> Kind for ($($part,)*) {
            type Args<'v> = ($($part::Args<'v>,)*);
            type Results = ($($part::Results,)*);

            fn read<'v>(&self, values: &mut slice::Iter<'v, Value>) -> Self::Args<'v> {
                ($(self.$place.read(values),)*)
            }

            fn own(&self, values: &mut vec::IntoIter<Value>) -> Self::Results {
                ($(self.$place.own(values),)*)
            }
        }
    )*};
}

tuples! {
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7)
}
