//! Parts of a dataset by labels and positions: [`Selection`], and what is left then.

mod label;
mod mask;
mod part;
mod resolve;
mod times;

use super::{Dataset, Order, encoded::flags_as, output::lossless, scope};
use crate::{
    array::LazyArray,
    attrs::{Attrs, Value},
    cf::{
        decoding::{self, ENCODING, ValidRange},
        names::Conventions,
        references,
    },
    dtype::DType,
    error::{Error, Result},
    source::{Group, Storage, StoredType, VarMeta},
};
pub(super) use label::CIRCLE;
use mask::Mask;
pub(super) use part::Part;
use part::pick;
use std::collections::{BTreeSet, HashMap};

/// How labels are found that a coordinate does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inexact {
    /// The nearest one.
    Nearest,
    /// The one before it along the dimension (`ffill` in xarray).
    Before,
    /// The one behind it along the dimension (`bfill` in xarray).
    Behind,
}

/// What is wanted of one dimension or coordinate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Want {
    /// Labels, as they are written on the command line: `850`, `850,500`, `30:60`, `Zurich`.
    Labels(String),
    /// Positions by Python's rules: `3`, `-1`, `0,2,5`, `0:10:2`.
    Positions(String),
}

/// Which parts of a dataset's dimensions are wanted.
///
/// A single label or position takes its dimension away and leaves a scalar coordinate, as in xarray. Ranges of labels
/// hold both ends, whichever is given first. Longitudes go round: a range over the edge of the coordinate is put
/// together, and the coordinate is what was asked for. A coordinate of two dimensions selects the smallest region that
/// holds what is inside; what is outside is missing there. Bounds and all other variables along a dimension follow.
///
/// # Example
/// ```no_run
/// use aosx::{dataset::Selection, prelude::*};
///
/// let europe = Selection::new().sel("lat", "30:60").sel("lon", "-10:40").isel("time", "0:10");
/// let part = Dataset::open("in.nc")?.select(&europe)?;
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Selection {
    wants: Vec<(String, Want)>,
    inexact: Option<Inexact>,
    tolerance: Option<f64>,
    variables: Vec<String>,
    orders: Vec<(String, Order)>,
}

impl Selection {
    /// Everything.
    pub fn new() -> Selection {
        Selection::default()
    }

    /// The same with labels of one more dimension or coordinate.
    pub fn sel(mut self, name: &str, labels: &str) -> Selection {
        self.wants.push((name.to_string(), Want::Labels(labels.to_string())));
        self
    }

    /// The same with positions along one more dimension.
    pub fn isel(mut self, name: &str, positions: &str) -> Selection {
        self.wants.push((name.to_string(), Want::Positions(positions.to_string())));
        self
    }

    /// The same with a rule for single labels that are not there, and how far from them it may go.
    pub fn inexact(mut self, how: Inexact, tolerance: Option<f64>) -> Selection {
        (self.inexact, self.tolerance) = (Some(how), tolerance);
        self
    }

    /// The same with one more dimension in another order.
    pub(super) fn in_order(mut self, name: &str, order: &Order) -> Selection {
        self.orders.push((name.to_string(), order.clone()));
        self
    }

    /// The same for these variables: where groups have dimensions of one name, those of other variables stay as they are.
    pub fn of(mut self, variables: &[String]) -> Selection {
        self.variables = variables.to_vec();
        self
    }

    /// What it says of the dimensions and coordinates that a dataset has; all of it where `datasets` have a name
    /// nowhere, so that it is a mistake there.
    pub fn within(&self, dataset: &Dataset, datasets: &[Dataset]) -> Selection {
        let has = |dataset: &Dataset, name: &str| {
            dataset
                .root()
                .all_vars()
                .iter()
                .any(|v| v.name() == name || v.path == name || v.dims.iter().any(|d| d == name))
        };
        let mut out = self.clone();
        out.wants.retain(|(name, _)| has(dataset, name) || !datasets.iter().any(|d| has(d, name)));
        out
    }

    /// Whether it is everything.
    pub fn is_empty(&self) -> bool {
        self.wants.is_empty() && self.orders.is_empty()
    }
}

/// A dimension: the group that declares it, its name and its length.
type DimKey = (Option<String>, String, u64);

/// Parts of a dataset.
pub(super) struct Selected {
    of: Dataset,
    root: Group,
    parts: HashMap<DimKey, Part>,
    masks: Vec<Mask>,
    /// Variables whose values are not those of the dataset: coordinates that went round.
    given: HashMap<String, Vec<f64>>,
}

impl Selected {
    /// What `selection` leaves of a dataset.
    ///
    /// # Errors
    /// When there is no such dimension or coordinate, or nothing in it is what is asked for.
    pub fn new(of: &Dataset, selection: &Selection) -> Result<Selected> {
        let resolved = resolve::resolve(of, selection)?;
        let mut out = Selected {
            of: of.clone(),
            root: Group::default(),
            parts: resolved.parts,
            masks: resolved.masks,
            given: HashMap::new(),
        };
        for (path, moved) in resolved.moved {
            out.move_labels(&path, &moved)?;
        }
        let mut root = of.root().clone();
        out.cut(&mut root, "", &scope::coordinates(of.root()));
        out.root = root;
        Ok(out)
    }

    /// The named variables, and what describes them.
    ///
    /// # Errors
    /// When there is none of a name.
    pub fn variables(of: &Dataset, names: &[String]) -> Result<Selected> {
        let kept = scope::with_describing(of.root(), names.iter().map(|name| of.variable(name)))?;
        let mut root = of.root().clone();
        retain(&mut root, &kept);
        Ok(Selected { of: of.clone(), root, parts: HashMap::new(), masks: Vec::new(), given: HashMap::new() })
    }

    /// What it is a part of.
    pub fn of(&self) -> &Dataset {
        &self.of
    }

    /// What it holds.
    pub fn root(&self) -> &Group {
        &self.root
    }

    /// The values of a variable of it as stored.
    ///
    /// # Errors
    /// When its chunks cannot be read.
    pub fn array(&self, meta: &VarMeta) -> Result<LazyArray> {
        if let Some(values) = self.given.get(&meta.path) {
            let whole = meta.shape.iter().map(|n| (*n).max(1)).collect::<Vec<u64>>();
            let array = LazyArray::from_slice(values, &meta.shape, &*whole)?;
            let names: Vec<&str> = meta.dims.iter().map(String::as_str).collect();
            return array.astype(meta.stored.dtype().unwrap_or(DType::F64)).with_dims(&names);
        }
        let base = self.of.variable(&meta.path)?;
        let mask = self.mask_of(base);
        let mut array = match mask {
            None => self.of.array(&meta.path)?,
            Some(_) => self.of.decoded(&meta.path, ValidRange::Ignore)?,
        };
        for axis in (0..base.dims.len()).rev() {
            if let Some(part) = self.part(base, axis) {
                array = part.take(&array, axis)?;
            }
        }
        mask.map_or(Ok(array.clone()), |mask| mask.over(&array))
    }

    /// The strings of a variable of it.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn texts(&self, meta: &VarMeta) -> Result<Vec<String>> {
        let base = self.of.variable(&meta.path)?;
        let parts = self.parts_of(base);
        let texts = self.of.texts(&meta.path)?;
        let rank = scope::rank(base);
        Ok(pick(&texts, &base.shape[..rank], &parts[..rank]))
    }

    /// The decoded numbers of a small variable of it.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn numbers(&self, meta: &VarMeta) -> Result<Vec<f64>> {
        if let Some(values) = self.given.get(&meta.path) {
            return Ok(values.clone());
        }
        let base = self.of.variable(&meta.path)?;
        Ok(pick(&self.of.numbers(&meta.path)?, &base.shape, &self.parts_of(base)))
    }

    fn part(&self, base: &VarMeta, axis: usize) -> Option<&Part> {
        self.parts.get(&key(self.of.root(), base, axis))
    }

    fn parts_of(&self, base: &VarMeta) -> Vec<Option<&Part>> {
        (0..base.dims.len()).map(|k| self.part(base, k)).collect()
    }

    /// The mask that a variable is under: data along both dimensions of a coordinate.
    fn mask_of(&self, base: &VarMeta) -> Option<&Mask> {
        base.stored.dtype()?;
        let root = self.of.root();
        let has = |wanted: &DimKey| (0..base.dims.len()).filter(|&k| key(root, base, k) == *wanted).count() == 1;
        self.masks.iter().find(|m| m.dims.iter().all(has) && !m.spared.contains(&base.path))
    }

    /// A coordinate, and its bounds, whose labels are others by whole circles.
    fn move_labels(&mut self, path: &str, moved: &[f64]) -> Result<()> {
        let of = self.of.clone();
        let coordinate = of.variable(path)?;
        let bounds = coordinate.attrs.text("bounds").and_then(|b| scope::variable(of.root(), coordinate.group(), b));
        for meta in std::iter::once(coordinate).chain(bounds.filter(|b| b.dims.first() == coordinate.dims.first())) {
            if meta.stored.dtype().is_none() {
                continue;
            }
            let mut values = pick(&of.numbers(&meta.path)?, &meta.shape, &self.parts_of(meta));
            let each = (values.len() / moved.len().max(1)).max(1);
            values.chunks_mut(each).zip(moved).for_each(|(row, by)| row.iter_mut().for_each(|x| *x += by));
            self.given.insert(meta.path.clone(), values);
        }
        Ok(())
    }

    /// Makes a tree of the whole one of the part.
    fn cut(&self, group: &mut Group, path: &str, coordinates: &BTreeSet<String>) {
        let of = |name: &str, len: u64| self.parts.get(&(Some(path.to_string()), name.to_string(), len));
        group.dims.retain_mut(|dim| match of(&dim.name, dim.len) {
            Some(part) => part.len().is_some_and(|len| {
                dim.len = len;
                true
            }),
            None => true,
        });
        group.vars.iter_mut().for_each(|var| self.cut_variable(var, coordinates));
        for inner in &mut group.groups {
            let path = if path.is_empty() { inner.name.clone() } else { format!("{path}/{}", inner.name) };
            self.cut(inner, &path, coordinates);
        }
    }

    fn cut_variable(&self, var: &mut VarMeta, coordinates: &BTreeSet<String>) {
        let base = var.clone();
        let root = self.of.root();
        let parts = self.parts_of(&base);
        if let Some(dtype) = self.mask_of(&base).and_then(|_| masked_type(&base)) {
            become_computed(var, dtype);
        }
        if self.given.contains_key(&base.path) {
            let packed = decoding::is_packed(&base.attrs);
            let dtype = base.stored.dtype().filter(|_| !packed).unwrap_or(DType::F64);
            // Where something is missing it is said by NaN.
            let is_plain = base.attrs.get("_FillValue").is_none() && base.attrs.get("missing_value").is_none();
            become_given(var, if is_plain || dtype.is_float() { dtype } else { DType::F64 });
        }
        if parts.iter().all(Option::is_none) {
            return;
        }
        let kept = |k: &usize| parts[*k].is_none_or(|p| p.len().is_some());
        let lengths: Vec<u64> =
            (0..base.dims.len()).filter(kept).map(|k| parts[k].and_then(Part::len).unwrap_or(base.shape[k])).collect();
        let chunk = base.storage.chunk.as_ref().map(|chunk| {
            let along = (0..base.dims.len()).filter(kept).zip(&lengths);
            along.map(|(k, n)| chunk[k].min((*n).max(1))).collect()
        });
        var.dims = (0..base.dims.len()).filter(kept).map(|k| base.dims[k].clone()).collect();
        let is_scalar = lengths.is_empty();
        if is_scalar && base.dims == [base.name()] {
            Conventions::of(&root.attrs).auxiliary(&mut var.attrs);
        }
        var.shape = lengths.into();
        var.storage = Storage {
            chunk: chunk.filter(|_| !is_scalar),
            codecs: if is_scalar { Vec::new() } else { lossless(&var.storage.codecs) },
            shard: None,
            stored_bytes: None,
            kind: if is_scalar { "contiguous" } else { var.storage.kind },
        };
        if coordinates.contains(&base.path) {
            return;
        }
        let mut named = references::named(&var.attrs, "coordinates");
        let before = named.len();
        for k in (0..base.dims.len()).filter(|k| !kept(k)) {
            let scalar = scope::coordinate(root, base.group(), &base.dims[k]).map(VarMeta::name);
            if let Some(name) = scalar.filter(|name| !named.iter().any(|n| n == name)) {
                named.push(name.to_string());
            }
        }
        if named.len() > before {
            var.attrs.set("coordinates", named.join(" "));
        }
    }
}

/// A dimension of a variable.
fn key(root: &Group, meta: &VarMeta, axis: usize) -> DimKey {
    let (name, len) = (&meta.dims[axis], meta.shape[axis]);
    (scope::declaring(root, meta.group(), name), name.clone(), len)
}

/// The type of a variable's values where some are missing.
fn masked_type(meta: &VarMeta) -> Option<DType> {
    let layout = crate::source::Layout::row_major(crate::dtype::ByteOrder::NATIVE, meta.shape.len());
    let result = decoding::decoding(meta, &layout, ValidRange::Ignore).ok()?.result;
    Some(mask::with_missing(result))
}

/// Values that are computed have no packing, and NaN for what is missing.
fn become_computed(var: &mut VarMeta, dtype: DType) {
    become_given(var, dtype);
    let fill = if dtype == DType::F32 { Value::F32(vec![f32::NAN]) } else { Value::F64(vec![f64::NAN]) };
    let mut attrs = Attrs::new();
    attrs.set("_FillValue", fill);
    var.attrs.iter().for_each(|(name, value)| attrs.set(name, value.clone()));
    flags_as(&mut attrs, dtype);
    var.attrs = attrs;
}

fn become_given(var: &mut VarMeta, dtype: DType) {
    ENCODING.iter().for_each(|name| drop(var.attrs.remove(name)));
    var.stored = StoredType::native(dtype);
    var.fill = None;
    var.storage.stored_bytes = None;
    var.storage.codecs = lossless(&var.storage.codecs);
}

/// Takes out of a tree all variables but these, and groups and dimensions that nobody has then.
fn retain(group: &mut Group, kept: &BTreeSet<String>) {
    group.vars.retain(|v| kept.contains(&v.path));
    group.groups.iter_mut().for_each(|inner| retain(inner, kept));
    group.groups.retain(|inner| !inner.vars.is_empty() || !inner.groups.is_empty());
    let used: BTreeSet<String> = group.all_vars().iter().flat_map(|v| v.dims.clone()).collect();
    group.dims.retain(|d| used.contains(&d.name));
}

/// What is asked of a name, with the file's own names that are like it.
fn no_dimension(root: &Group, name: &str) -> Error {
    let mut all: Vec<&str> = root.all_vars().iter().flat_map(|v| v.dims.iter().map(String::as_str)).collect();
    all.sort_unstable();
    all.dedup();
    let known = crate::error::closest(name, all.into_iter());
    crate::error::Problem::NoSuchDimension { name: name.to_string(), known }.into()
}
