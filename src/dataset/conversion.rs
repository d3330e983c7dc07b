//! What `aosx convert` computes: a whole file, or some of its variables, as it is.

use super::{
    Computation, Dataset, Layout, LeftOut, Text, TextFrom, Wanted, Why,
    encoded::{attribute_as, retype},
    output,
    reduced::dimension,
    scope,
};
use crate::{
    attrs::Attrs,
    dtype::DType,
    error::Result,
    formats::OutputFormat,
    source::{Group, StoredType, VarMeta},
};
use std::collections::BTreeSet;

/// A request for a file in another format, or in the same one stored in another way.
///
/// Values are copied as they are stored, and so are attributes, dimensions, chunks and filters where the format has
/// them; a sink chooses the nearest filters that its format has. Groups, attributes and dimensions without variables are copied too, unless variables are named.
///
/// # Example
/// ```no_run
/// use aosx::{dataset::Conversion, prelude::*};
///
/// let dataset = Dataset::open("in.nc")?;
/// let copy = Conversion::to(OutputFormat::Zarr3).of(&dataset)?;
/// Session::new().write(&dataset, &copy, "out.zarr".as_ref(), OutputFormat::Zarr3)?;
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Conversion {
    /// Paths of variables, which take those along that describe them; none means all.
    pub variables: Vec<String>,
    /// How data variables are stored, where that is not to follow the input. Coordinates keep their chunks and types.
    pub layout: Layout,
    /// What it becomes.
    pub format: OutputFormat,
}

impl Conversion {
    /// A file as it is.
    pub fn to(format: OutputFormat) -> Conversion {
        Conversion { variables: Vec::new(), layout: Layout::default(), format }
    }

    /// What this means for a dataset. Values that the layout rounds or packs are still as they were:
    /// [`Computation::encoded`] changes them.
    ///
    /// # Errors
    /// When a variable or dimension is not there, or shards do not fit chunks.
    pub fn of(&self, dataset: &Dataset) -> Result<Computation> {
        let root = dataset.root();
        let chosen = self.choose(dataset)?;
        let coordinates = scope::coordinates(root);
        let mut done = Computation::new(self.tree(root));
        for v in root.all_vars().into_iter().filter(|v| chosen.contains(&v.path)) {
            if matches!(v.stored, StoredType::Other(_)) {
                done.left_out.push(LeftOut { path: v.path.clone(), why: Why::NoType });
                continue;
            }
            let is_named = self.variables.iter().any(|name| name.trim_start_matches('/') == v.path);
            if v.stored.dtype().is_some() && (is_named || !coordinates.contains(&v.path)) {
                done.results.push(v.path.clone());
            }
            self.copy(dataset, v, &mut done).map_err(|e| e.in_variable(&v.path).in_file(dataset.path()))?;
        }
        let of_results = done.wanted.iter().filter_map(|w| root.var(&w.path)).flat_map(|v| v.dims.clone());
        self.layout.check_dimensions(of_results)?;
        self.layout.check_variables(done.wanted.iter().map(|w| w.path.as_str()))?;
        if self.is_from_json(dataset) {
            typed_attributes(&mut done.schema);
        }
        Ok(done)
    }

    /// The paths of the variables that are copied.
    fn choose(&self, dataset: &Dataset) -> Result<BTreeSet<String>> {
        let root = dataset.root();
        if self.variables.is_empty() {
            return Ok(root.all_vars().into_iter().map(|v| v.path.clone()).collect());
        }
        scope::with_describing(root, self.variables.iter().map(|name| dataset.variable(name)))
    }

    /// The groups of the output with their attributes and dimensions, without variables. Where variables are named,
    /// what they need is added with them.
    fn tree(&self, root: &Group) -> Group {
        if !self.variables.is_empty() {
            return Group { attrs: root.attrs.clone(), ..Group::default() };
        }
        let mut out = root.clone();
        without_variables(&mut out);
        out
    }

    /// Whether attributes come without types, and the output has them.
    fn is_from_json(&self, dataset: &Dataset) -> bool {
        !matches!(self.format, OutputFormat::Zarr2 | OutputFormat::Zarr3) && dataset.format().starts_with("Zarr")
    }

    fn copy(&self, dataset: &Dataset, v: &VarMeta, done: &mut Computation) -> Result<()> {
        let root = dataset.root();
        let mut meta = v.clone();
        if self.is_from_json(dataset) {
            meta.attrs = shorter_integers(&meta.attrs);
            if let Some(dtype) = v.stored.dtype() {
                // What the type does not hold stays as it is.
                let _ = retype(&mut meta.attrs, dtype);
            }
        }
        meta.storage.codecs = output::lossless(&v.storage.codecs);
        if self.format != OutputFormat::Zarr3 {
            meta.storage.shard = None;
        }
        let dims: Vec<_> = (0..v.dims.len()).map(|k| dimension(root, v, k)).collect();
        if v.stored.element_bytes().is_none() {
            done.texts.push(Text { path: v.path.clone(), from: TextFrom::Input { input: 0, path: v.path.clone() } });
            output::insert(&mut done.schema, root, meta, &dims);
            return Ok(());
        }
        let array = dataset.array(&v.path)?;
        if meta.storage.chunk.is_none() {
            meta.storage.chunk = Some(array.chunk().clone());
            meta.storage.kind = "contiguous";
        }
        if done.results.contains(&v.path) {
            self.layout.change(&v.path, &mut meta.storage, &v.dims, &v.shape)?;
        } else if !v.shape.is_empty() {
            self.layout.compress(&v.path, &mut meta.storage);
        }
        let (ones, stored) = (vec![false; v.dims.len()], array.dtype());
        done.wanted.push(Wanted { path: v.path.clone(), array, ones, stored });
        output::insert(&mut done.schema, root, meta, &dims);
        Ok(())
    }
}

fn without_variables(group: &mut Group) {
    group.vars.clear();
    group.groups.iter_mut().for_each(without_variables);
}

fn typed_attributes(group: &mut Group) {
    group.attrs = shorter_integers(&group.attrs);
    group.groups.iter_mut().for_each(typed_attributes);
}

/// Integers without a type of their own as `int32`, where that holds them: NetCDF's usual one.
fn shorter_integers(attrs: &Attrs) -> Attrs {
    let mut out = Attrs::new();
    for (name, value) in attrs.iter() {
        let short = (value.dtype() == Some(DType::I64)).then(|| attribute_as(value, DType::I32)).flatten();
        out.set(name, short.unwrap_or_else(|| value.clone()));
    }
    out
}
