//! An open store: its tree, and what each array needs to be read.

use super::{
    array::{ArrayMeta, Chain},
    keys::Keys,
    source::ZarrSource,
    text,
    tree::{self, Content},
};
use crate::{
    error::{Error, Problem, Result},
    formats::whole::texts_of_chars,
    source::{Container, Dimension, Group, Source, Storage, StoredType, VarMeta},
};
use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::Arc,
};

/// Chunk files whose sizes are looked up when a store is opened, and when one array of it is.
const FILES_AT_OPEN: usize = 20_000;
const FILES_AT_SOURCE: usize = 20_000;

/// One array: its metadata, and the folder of its keys.
#[derive(Debug)]
pub(super) struct StoredArray {
    pub(super) meta: ArrayMeta,
    pub(super) folder: String,
}

impl StoredArray {
    pub(super) fn key(&self, name: &str) -> String {
        if self.folder.is_empty() { name.to_string() } else { format!("{}/{name}", self.folder) }
    }
}

#[derive(Debug)]
pub(super) struct ZarrStore {
    path: PathBuf,
    keys: Arc<Keys>,
    root: Group,
    arrays: HashMap<String, Arc<StoredArray>>,
    format: String,
}

impl ZarrStore {
    pub(super) fn open(path: &Path) -> Result<ZarrStore> {
        ZarrStore::of(Keys::open(path)?, path)
    }

    /// The store of `keys`, which lie at `path`.
    pub(super) fn of(keys: Keys, path: &Path) -> Result<ZarrStore> {
        let keys = Arc::new(keys);
        let mut arrays = HashMap::new();
        let (mut root, mut known) = (Group::default(), HashSet::new());
        let mut version = 0;
        let mut budget = FILES_AT_OPEN;
        for node in tree::nodes(&keys)? {
            match node.content {
                Content::Group(attrs) => group_at(&mut root, &node.path, &mut known).attrs = attrs,
                Content::Array(meta) => {
                    version = version.max(meta.version);
                    let folder = node.path;
                    let path = if folder.is_empty() { name_of_store(path) } else { folder.clone() };
                    let array = Arc::new(StoredArray { meta: *meta, folder });
                    let var = variable(&path, &array, &keys, &mut budget);
                    group_at(&mut root, var.group(), &mut known).vars.push(var);
                    arrays.insert(path, array);
                }
            }
        }
        if version == 0 {
            version = if keys.document("zarr.json")?.is_some() { 3 } else { 2 };
        }
        declare_dims(&mut root, &[]);
        let zip = if matches!(*keys, Keys::Zip { .. }) { " in zip" } else { "" };
        let format = format!("Zarr v{version}{zip}");
        Ok(ZarrStore { path: path.to_path_buf(), keys, root, arrays, format })
    }

    fn array(&self, variable: &str) -> Result<(&VarMeta, &Arc<StoredArray>)> {
        let found = self.root.var(variable).and_then(|var| Some((var, self.arrays.get(&var.path)?)));
        found.ok_or_else(|| {
            let known = self.root.all_vars().iter().map(|v| v.path.clone()).collect();
            Error::from(Problem::NoSuchVariable { name: variable.into(), known }).in_file(&self.path)
        })
    }

    fn source_of(&self, variable: &str) -> Result<ZarrSource> {
        let (var, array) = self.array(variable)?;
        let mut budget = FILES_AT_SOURCE;
        let sizes = self.keys.sizes(&array.folder, &mut budget);
        ZarrSource::new(self.path.clone(), self.keys.clone(), array.clone(), var.clone(), sizes)
            .map_err(|e| e.in_variable(&var.path).in_file(&self.path))
    }
}

impl Container for ZarrStore {
    fn root(&self) -> &Group {
        &self.root
    }

    fn format(&self) -> &str {
        &self.format
    }

    fn source(&self, variable: &str) -> Result<Arc<dyn Source>> {
        let (var, _) = self.array(variable)?;
        if var.stored.element_bytes().is_none() {
            let problem = Problem::NotNumeric { dtype: var.stored.to_string() };
            return Err(Error::from(problem).in_variable(&var.path).in_file(&self.path));
        }
        Ok(Arc::new(self.source_of(variable)?))
    }

    fn texts(&self, variable: &str) -> Result<Vec<String>> {
        let (var, array) = self.array(variable)?;
        let failed = |e: Error| e.in_variable(&var.path).in_file(&self.path);
        match var.stored {
            StoredType::Text => text::variable(&self.keys, array).map_err(failed),
            StoredType::FixedText(_) => {
                self.source_of(variable).and_then(|s| text::fixed(&s, &array.meta.element)).map_err(failed)
            }
            StoredType::Char => {
                self.source_of(variable).and_then(|s| texts_of_chars(&s, text::BYTES_MAX)).map_err(failed)
            }
            _ => Err(failed(Error::usage(format!("{} is no text", var.stored)))),
        }
    }
}

/// The name of an array that is a store of its own: the file's without its extensions.
fn name_of_store(path: &Path) -> String {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let name = real.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let name = name.strip_suffix(".zip").unwrap_or(&name);
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    if stem.is_empty() { "data".into() } else { stem.to_string() }
}

/// The group at a path; those that are missing on the way are made. `known` has the paths of those that are there.
fn group_at<'a>(root: &'a mut Group, path: &str, known: &mut HashSet<String>) -> &'a mut Group {
    let mut group = root;
    let mut here = String::new();
    for name in path.split('/').filter(|p| !p.is_empty()) {
        here = format!("{here}/{name}");
        if known.insert(here.clone()) {
            group.groups.push(Group { name: name.to_string(), ..Group::default() });
        }
        // What comes next in a store is most often in the group that came last.
        let at = group.groups.iter().rposition(|g| g.name == name).unwrap_or_default();
        group = &mut group.groups[at];
    }
    group
}

fn variable(path: &str, array: &StoredArray, keys: &Keys, budget: &mut usize) -> VarMeta {
    let meta = &array.meta;
    let names = meta.dims.clone().unwrap_or_else(|| vec![None; meta.shape.len()]);
    let dims_named = names.iter().all(Option::is_some);
    let dims = names.into_iter().enumerate().map(|(k, n)| n.unwrap_or_else(|| format!("dim_{k}"))).collect();
    let (chunk, shard) = match &meta.chain {
        Chain::Shard { inner, .. } => (inner.clone(), Some(meta.chunk.clone())),
        _ => (meta.chunk.clone(), None),
    };
    let stored_bytes = keys.sizes(&array.folder, budget).map(|s| s.total);
    VarMeta {
        path: path.to_string(),
        stored: meta.element.stored(),
        shape: meta.shape.clone(),
        dims,
        dims_named,
        attrs: meta.attrs.clone(),
        fill: meta.fill.clone(),
        storage: Storage { chunk: Some(chunk), shard, codecs: meta.codecs.clone(), stored_bytes, kind: "chunked" },
    }
}

/// Gives each group the named dimensions of its arrays that no group above has with the same length.
fn declare_dims(group: &mut Group, above: &[Dimension]) {
    let mut dims: Vec<Dimension> = Vec::new();
    for var in group.vars.iter().filter(|v| v.dims_named) {
        for (name, len) in var.dims.iter().zip(var.shape.iter()) {
            let seen = above.iter().rev().find(|d| d.name == *name).is_some_and(|d| d.len == *len);
            if !seen && !dims.iter().any(|d| d.name == *name) {
                dims.push(Dimension { name: name.clone(), len: *len, unlimited: false });
            }
        }
    }
    let all: Vec<Dimension> = above.iter().chain(&dims).cloned().collect();
    group.dims = dims;
    for inner in &mut group.groups {
        declare_dims(inner, &all);
    }
}
