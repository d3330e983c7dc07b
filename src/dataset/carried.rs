//! What an output has beside its results: coordinates, and what describes the variables.

use super::{
    KeepDims, LeftOut, Range, Text, TextFrom, Wanted, Why, output,
    reduced::{Builder, dimension, key, native, writable},
    reduction::Chosen,
    scope,
};
use crate::{
    attrs::Attrs,
    cf::{
        decoding::{self, ValidRange},
        names::Conventions,
    },
    dtype::DType,
    error::Result,
    shape::Shape,
    source::{Dimension, VarMeta},
};
use std::collections::BTreeSet;

impl<'a> Builder<'a> {
    /// Adds the variables that are not computed: coordinates and what describes the results, or, where no variable
    /// was named, everything that the reduction leaves untouched.
    pub(super) fn carry_along(&mut self, chosen: &[Chosen]) -> Result<()> {
        let root = self.root();
        let chosen_paths: BTreeSet<&str> = chosen.iter().map(|c| c.meta.path.as_str()).collect();
        let mut along: BTreeSet<&str> = BTreeSet::new();
        if self.request.variables.is_empty() {
            along.extend(root.all_vars().iter().map(|v| v.path.as_str()));
        } else {
            let mut todo: Vec<&VarMeta> = chosen_paths.iter().filter_map(|p| root.var(p)).collect();
            while let Some(v) = todo.pop() {
                for next in scope::describing(root, v) {
                    // What loses a dimension is gone itself, and so is what only it names.
                    if along.insert(&next.path) && self.stays(next) {
                        todo.push(next);
                    }
                }
            }
        }
        for v in root.all_vars() {
            if !along.contains(v.path.as_str())
                || chosen_paths.contains(v.path.as_str())
                || self.is_reduced_coordinate(v)
            {
                continue;
            }
            if self.stays(v) && self.done.schema.var(&v.path).is_none() {
                self.carry(v).map_err(|e| e.in_variable(&v.path).in_file(self.dataset.path()))?;
            } else {
                let why = if writable(v) { Why::LostDimension } else { Why::NoType };
                self.done.left_out.push(LeftOut { path: v.path.clone(), why });
            }
        }
        Ok(())
    }

    fn carry(&mut self, v: &VarMeta) -> Result<()> {
        let mut meta = v.clone();
        self.retain(&mut meta.attrs, v.group());
        let dims: Vec<_> = (0..v.dims.len()).map(|k| dimension(self.root(), v, k)).collect();
        if v.stored.element_bytes().is_some() {
            let array = self.dataset.array(&v.path)?;
            if meta.storage.chunk.is_none() {
                meta.storage.chunk = Some(array.chunk().clone());
                meta.storage.kind = "contiguous";
            }
            let (ones, stored) = (vec![false; v.dims.len()], array.dtype());
            self.done.wanted.push(Wanted { path: v.path.clone(), array, ones, stored });
        } else {
            self.done
                .texts
                .push(Text { path: v.path.clone(), from: TextFrom::Input { input: 0, path: v.path.clone() } });
        }
        let root = self.root();
        output::insert(&mut self.done.schema, root, meta, &dims);
        Ok(())
    }

    /// Adds the reduced coordinates as scalars with bounds.
    pub(super) fn reduce_coordinates(&mut self, chosen: &[Chosen]) -> Result<()> {
        let mut done = BTreeSet::new();
        for one in chosen {
            for &k in &one.axes {
                let dim = key(self.root(), &one.meta, k);
                if !self.gone.contains(&dim) || self.is_grouped(&one.meta.dims[k]) || !done.insert(dim) {
                    continue;
                }
                if let Some(coordinate) = self.reducible_coordinate(one.meta.group(), &one.meta.dims[k]) {
                    self.reduce_coordinate(coordinate)
                        .map_err(|e| e.in_variable(&coordinate.path).in_file(self.dataset.path()))?;
                }
            }
        }
        Ok(())
    }

    /// The path of a name in a group, with underscores behind it while another variable has it (bounds may be reduced
    /// themselves).
    fn free_name(&self, group: &str, name: &str) -> String {
        let mut path = if group.is_empty() { name.to_string() } else { format!("{group}/{name}") };
        while self.done.schema.var(&path).is_some() {
            path.push('_');
        }
        path
    }

    fn reduce_coordinate(&mut self, coordinate: &'a VarMeta) -> Result<()> {
        let root = self.root();
        if self.done.schema.var(&coordinate.path).is_some() {
            return Ok(());
        }
        let old_bounds = ["bounds", "climatology"]
            .iter()
            .find_map(|a| scope::variable(root, coordinate.group(), coordinate.attrs.text(a)?))
            .filter(|b| {
                b.stored.dtype().is_some() && b.dims.len() == 2 && b.shape[1] == 2 && b.shape[0] == coordinate.shape[0]
            });
        let covered = old_bounds.unwrap_or(coordinate);
        let array = self.dataset.decoded(&covered.path, ValidRange::Ignore)?;

        let name = old_bounds.map_or_else(|| format!("{}_bnds", coordinate.name()), |b| b.name().to_string());
        let two = old_bounds.and_then(|b| b.dims.last().cloned()).unwrap_or_else(|| "bnds".to_string());
        let two = (None, Dimension { name: two, len: 2, unlimited: false });
        let dims = match self.request.keep_dims {
            KeepDims::No => Vec::new(),
            KeepDims::Yes => {
                let (home, dim) = dimension(root, coordinate, 0);
                vec![(home, Dimension { len: 1, unlimited: false, ..dim })]
            }
        };
        let mut attrs = coordinate.attrs.clone();
        decoding::ENCODING.iter().chain(&["climatology", "bounds"]).for_each(|n| drop(attrs.remove(n)));
        self.retain(&mut attrs, coordinate.group());
        let bounds = self.free_name(coordinate.group(), &name);
        attrs.set("bounds", bounds.rsplit('/').next().unwrap_or_default());
        if dims.is_empty() {
            Conventions::of(&root.attrs).auxiliary(&mut attrs);
        }
        let lead: Shape = dims.iter().map(|(_, d)| d.len).collect();
        let both: Shape = lead.iter().copied().chain([2]).collect();
        let path = coordinate.path.clone();
        output::insert(&mut self.done.schema, root, native(path.clone(), DType::F64, lead, attrs), &dims);
        let dims: Vec<_> = dims.into_iter().chain([two]).collect();
        output::insert(&mut self.done.schema, root, native(bounds.clone(), DType::F64, both, Attrs::new()), &dims);
        self.done.left_out.retain(|v| v.path != bounds);
        self.done.ranges.push(Range { path, bounds, array });
        Ok(())
    }
}
