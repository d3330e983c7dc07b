//! What a store holds: from its consolidated metadata, or by walking its folders.

use super::{
    array::ArrayMeta,
    json::{self, Json},
    keys::Keys,
    v2, v3,
};
use crate::{
    attrs::Attrs,
    error::{Error, Problem, Result},
};
use std::path::PathBuf;

/// Folders looked into before a store without consolidated metadata is given up.
const FOLDERS_MAX: usize = 200_000;
/// The same while nothing of Zarr has been found: the user may have named any folder.
const FOLDERS_BEFORE_FIRST_MAX: usize = 4_000;
const DEPTH_MAX: usize = 64;

/// One array or group.
#[derive(Debug)]
pub(super) struct Node {
    /// From the root, without a leading slash.
    pub(super) path: String,
    pub(super) content: Content,
}

#[derive(Debug)]
pub(super) enum Content {
    Array(Box<ArrayMeta>),
    Group(Attrs),
}

/// All nodes of a store, outer ones first.
pub(super) fn nodes(keys: &Keys) -> Result<Vec<Node>> {
    if let Some(root) = document(keys, "zarr.json")? {
        let consolidated = root.get("consolidated_metadata").and_then(|c| c.get("metadata"));
        if let Some(metadata) = consolidated.and_then(Json::as_object) {
            let mut nodes = vec![node_v3("", &root)?];
            for (path, document) in metadata {
                nodes.push(node_v3(checked(path)?, document)?);
            }
            return Ok(nodes);
        }
    } else if let Some(document) = document(keys, ".zmetadata")? {
        return consolidated_v2(&document);
    }
    let mut walk = Walk { keys, nodes: Vec::new(), folders: 0, above: Vec::new() };
    walk.folder("", false)?;
    if walk.nodes.is_empty() {
        let folders = keys.folders("")?;
        let has = |name: &str| folders.iter().any(|f| f == name);
        if has("snapshots") && has("manifests") {
            return Err(Error::unsupported("an Icechunk repository"));
        }
        if keys.document("attributes.json")?.is_some() {
            return Err(Error::unsupported("an N5 container"));
        }
        let found = "it has neither zarr.json nor .zgroup nor .zarray".to_string();
        return Err(Problem::NotAFormat { found }.into());
    }
    Ok(walk.nodes)
}

fn document(keys: &Keys, key: &str) -> Result<Option<Json>> {
    let Some(bytes) = keys.document(key)? else { return Ok(None) };
    let json = json::parse(&bytes, "Zarr metadata").map_err(|e| e.in_file(keys.path(key)))?;
    if !json.is_object() {
        return Err(Error::corrupt("Zarr metadata", "it is no JSON object").in_file(keys.path(key)));
    }
    Ok(Some(json))
}

/// A path that stays in its store.
fn checked(path: &str) -> Result<&str> {
    let bad = |part: &str| part.is_empty() || part == "." || part == ".." || part.contains('\0');
    if !path.is_empty() && path.split('/').any(bad) {
        return Err(Error::corrupt("consolidated metadata", format!("path {path:?}")));
    }
    Ok(path)
}

/// An error of the node at a path. The root has no name.
fn at_node(e: Error, path: &str) -> Error {
    if path.is_empty() { e } else { e.in_variable(path) }
}

fn array(path: &str, meta: Result<ArrayMeta>) -> Result<Node> {
    let meta = meta.map_err(|e| at_node(e, path))?;
    Ok(Node { path: path.into(), content: Content::Array(Box::new(meta)) })
}

fn group(path: &str, attributes: &Json) -> Node {
    Node { path: path.into(), content: Content::Group(v2::attrs(attributes)) }
}

fn node_v3(path: &str, document: &Json) -> Result<Node> {
    if let Some(version) = document.get("zarr_format").filter(|version| **version != 3) {
        // Drafts of version 3 have an address here, and other documents than this.
        return Err(at_node(Error::unsupported(format!("Zarr version {version} in zarr.json")), path));
    }
    match document.get("node_type").and_then(Json::as_str) {
        Some("array") => array(path, v3::array(document)),
        Some("group") => Ok(group(path, document.get("attributes").unwrap_or(&Json::Null))),
        Some(other) => Err(at_node(Error::corrupt("zarr.json", format!("node_type '{other}'")), path)),
        None => Err(at_node(Error::corrupt("zarr.json", "it has no node_type"), path)),
    }
}

fn consolidated_v2(document: &Json) -> Result<Vec<Node>> {
    if document.get("record_size").is_some() {
        return Err(Error::unsupported("a folder of references to chunks in other files (kerchunk)"));
    }
    let metadata = document.get("metadata").and_then(Json::as_object);
    let metadata = metadata.ok_or_else(|| Error::corrupt(".zmetadata", "it has no metadata"))?;
    let mut nodes = Vec::new();
    for (key, document) in metadata {
        let (path, name) = key.rsplit_once('/').unwrap_or(("", key));
        let beside = if path.is_empty() { ".zattrs".to_string() } else { format!("{path}/.zattrs") };
        let attributes = metadata.get(&beside).unwrap_or(&Json::Null);
        match name {
            ".zarray" => nodes.push(array(checked(path)?, v2::array(document, attributes))?),
            ".zgroup" => nodes.push(group(checked(path)?, attributes)),
            _ => {}
        }
    }
    Ok(nodes)
}

struct Walk<'a> {
    keys: &'a Keys,
    nodes: Vec<Node>,
    folders: usize,
    /// The real places of the folders above, so that links among them end.
    above: Vec<PathBuf>,
}

impl Walk<'_> {
    fn folder(&mut self, path: &str, in_group: bool) -> Result<()> {
        self.folders += 1;
        let max = if self.nodes.is_empty() { FOLDERS_BEFORE_FIRST_MAX } else { FOLDERS_MAX };
        if self.above.len() > DEPTH_MAX || self.folders > max {
            return Ok(());
        }
        let at = |name: &str| if path.is_empty() { name.to_string() } else { format!("{path}/{name}") };
        let found = if let Some(json) = document(self.keys, &at("zarr.json"))? {
            Some(node_v3(path, &json)?)
        } else if let Some(json) = document(self.keys, &at(".zarray"))? {
            let attributes = document(self.keys, &at(".zattrs"))?.unwrap_or(Json::Null);
            Some(array(path, v2::array(&json, &attributes))?)
        } else if document(self.keys, &at(".zgroup"))?.is_some() {
            let attributes = document(self.keys, &at(".zattrs"))?.unwrap_or(Json::Null);
            Some(group(path, &attributes))
        } else {
            None
        };
        let is_array = matches!(found, Some(Node { content: Content::Array(_), .. }));
        let explicit = found.is_some();
        self.nodes.extend(found);
        if is_array {
            return Ok(());
        }
        self.inside(path, explicit || in_group)
    }

    fn inside(&mut self, path: &str, in_group: bool) -> Result<()> {
        if let Keys::Folder { root, .. } = self.keys {
            let Ok(real) = root.join(path).canonicalize() else { return Ok(()) };
            if self.above.contains(&real) {
                return Ok(());
            }
            self.above.push(real);
        } else {
            self.above.push(PathBuf::new());
        }
        let names = match self.keys.folders(path) {
            Ok(names) => names,
            Err(e) if in_group => return Err(e),
            Err(_) => Vec::new(),
        };
        for name in names {
            let inner = if path.is_empty() { name } else { format!("{path}/{name}") };
            self.folder(&inner, in_group)?;
        }
        self.above.pop();
        Ok(())
    }
}
