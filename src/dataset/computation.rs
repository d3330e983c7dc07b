//! What the engine is to compute, and the schema that it fills: [`Computation`].

use crate::{array::LazyArray, attrs::Attrs, dtype::DType, source::Group};

/// An output variable that is computed or copied by the engine.
#[derive(Clone)]
pub struct Wanted {
    /// Its path in the output.
    pub path: String,
    /// What it holds.
    pub array: LazyArray,
    /// Where the output has axes of length 1 that the array does not have.
    pub ones: Vec<bool>,
    /// The type that it is stored in.
    pub stored: DType,
}

/// A reduced coordinate: its scalar is the middle, its bounds are the ends, of what it covered.
#[derive(Clone)]
pub struct Range {
    /// The coordinate in the output.
    pub path: String,
    /// Its bounds in the output.
    pub bounds: String,
    /// The values to take the range of: the input's bounds, or its coordinate.
    pub array: LazyArray,
}

/// A variable of strings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// Its path in the output.
    pub path: String,
    /// Where the strings come from.
    pub from: TextFrom,
}

/// Where strings come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextFrom {
    /// They are copied.
    Input {
        /// Which of the inputs has them.
        input: usize,
        /// Their path there.
        path: String,
    },
    /// They are these.
    Said(Vec<String>),
}

/// Why the output lacks a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It describes what is reduced, or was not asked for.
    LostDimension,
    /// The output has no type for its values.
    NoType,
}

/// A variable that the output lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Its path in the input.
    pub path: String,
    /// Why.
    pub why: Why,
}

/// A schema, and what fills it.
#[derive(Clone)]
pub struct Computation {
    /// What the output declares.
    pub schema: Group,
    /// What the engine computes or copies.
    pub wanted: Vec<Wanted>,
    /// Reduced coordinates.
    pub ranges: Vec<Range>,
    /// Variables of strings.
    pub texts: Vec<Text>,
    /// The results asked for, to be shown first.
    pub results: Vec<String>,
    /// Variables that the output lacks.
    pub left_out: Vec<LeftOut>,
    /// Results that come from packed variables, with those variables' attributes: a [`Layout`](super::Layout) packs
    /// them likewise.
    pub packed: Vec<(String, Attrs)>,
}

impl Computation {
    /// A schema that nothing fills yet.
    pub fn new(schema: Group) -> Computation {
        Computation {
            schema,
            wanted: Vec::new(),
            ranges: Vec::new(),
            texts: Vec::new(),
            results: Vec::new(),
            left_out: Vec::new(),
            packed: Vec::new(),
        }
    }
}
