//! The walk through a file: groups, datasets and the dimension scales among them, as netCDF-4 reads them.

use super::{
    attributes::{self, Broken},
    id::{Id, c_name, check, failed, forget},
    lengths::{self, Holder, Limits},
    storage::{self, Stored},
    types::{self, Typed},
};
use crate::{
    attrs::{Attrs, Value},
    error::{Error, Result},
    source::StoredType,
};
use hdf5_sys::{
    h5::{H5_index_t, H5_iter_order_t::H5_ITER_INC},
    h5a::{H5Aget_space, H5Aget_type, H5Aopen, H5Aread},
    h5d::{H5Dget_space, H5Dget_type},
    h5g::H5Gget_create_plist,
    h5i::hid_t,
    h5l::{H5L_info2_t, H5Literate2},
    h5o::{H5O_INFO_BASIC, H5O_info2_t, H5O_type_t, H5Oget_info3, H5Oopen},
    h5p::{H5P_CRT_ORDER_TRACKED, H5P_DEFAULT, H5Pget_link_creation_order},
    h5s::{
        H5S_UNLIMITED, H5S_class_t, H5Sget_simple_extent_dims, H5Sget_simple_extent_ndims,
        H5Sget_simple_extent_npoints, H5Sget_simple_extent_type,
    },
    h5t::{self, H5T_class_t, hvl_t},
};
use std::{
    collections::HashMap,
    ffi::{CStr, CString, c_char, c_int, c_void},
};

/// A reference to an object.
const REFERENCE_BYTES: usize = 8;
/// Groups in groups.
const DEPTH_MAX: usize = 128;
/// How often one group is shown that hard links put in several places.
const VISITS_MAX: u32 = 16;
/// What marks a scale that is a dimension and no variable.
const NO_VARIABLE: &str = "This is a netCDF dimension but not a netCDF variable";
/// What netCDF puts before the name of a variable that is called as a dimension, but is not its coordinate.
const NON_COORDINATE: &str = "_nc4_non_coord_";

/// An object of a file: which file, and where in it.
pub(super) type Key = (u64, u64);

/// A group as found.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub name: String,
    pub attrs: Attrs,
    pub dims: Vec<Scale>,
    pub vars: Vec<Var>,
    pub groups: Vec<Node>,
}

/// A dimension: a scale of the file, or one made up.
#[derive(Debug, Clone)]
pub(super) struct Scale {
    pub id: i64,
    pub name: String,
    pub len: u64,
    pub unlimited: bool,
    /// `None` for one made up.
    pub key: Option<Key>,
}

/// A dataset as found.
#[derive(Debug)]
pub(super) struct Var {
    pub name: String,
    /// The path of links that leads to it.
    pub link: CString,
    pub key: Key,
    pub typed: Typed,
    pub extent: Vec<u64>,
    pub unlimited: Vec<bool>,
    pub attrs: Attrs,
    pub stored: Stored,
    pub axes: Axes,
    /// The dimensions once they are found, one an axis.
    pub dims: Vec<Option<i64>>,
}

impl Var {
    /// A dataset that the library cannot describe: it is shown, with the reason for its type.
    fn unreadable(key: Key, link: &CStr, path: &[u8], reason: &Error) -> Var {
        let stored = StoredType::Other(format!("unreadable ({reason})"));
        Var {
            name: link.to_string_lossy().into_owned(),
            link: c_name(path),
            key,
            typed: Typed { stored, is_direct: false, in_netcdf: false },
            extent: Vec::new(),
            unlimited: Vec::new(),
            attrs: Attrs::new(),
            stored: Stored::default(),
            axes: Axes::Unnamed,
            dims: Vec::new(),
        }
    }
}

/// What the file says about a variable's dimensions.
#[derive(Debug)]
pub(super) enum Axes {
    /// It is a scale itself: the coordinate of this dimension.
    Coordinate(i64),
    /// Their numbers.
    Numbers(Vec<i64>),
    /// The scales attached to each axis.
    Scales(Vec<Option<Key>>),
    /// Nothing.
    Unnamed,
}

/// The walk's state.
pub(super) struct Walk {
    pub file_bytes: u64,
    /// The number of the next dimension.
    pub next: i64,
    /// Whether the file has netCDF-4's own attributes, and those of its classic model.
    pub is_netcdf: bool,
    pub is_classic_model: bool,
    visits: HashMap<Key, u32>,
}

impl Walk {
    pub fn new(file_bytes: u64) -> Walk {
        Walk { file_bytes, next: 0, is_netcdf: false, is_classic_model: false, visits: HashMap::new() }
    }

    /// Walks from an open file.
    pub fn root(&mut self, file: &Id) -> Result<Node> {
        let (group, key, _) = open(file, c"/")?;
        let names = attributes::names(&group);
        self.is_classic_model = names.iter().any(|n| n.as_c_str() == c"_nc3_strict");
        self.is_netcdf |= self.is_classic_model || names.iter().any(|n| n.as_c_str() == c"_NCProperties");
        self.group(&group, "", b"", &mut vec![key])
    }

    fn group(&mut self, group: &Id, name: &str, path: &[u8], above: &mut Vec<Key>) -> Result<Node> {
        let mut node = Node { name: name.to_string(), ..Node::default() };
        node.attrs = attributes::visible(group, &attributes::names(group), self.file_bytes, Broken::Shown)?;
        let mut inner = Vec::new();
        for link in links(group)? {
            let Ok((object, key, kind)) = open(group, &link) else {
                // A link that leads nowhere.
                forget();
                continue;
            };
            let path = [path, b"/", link.to_bytes()].concat();
            match kind {
                H5O_type_t::H5O_TYPE_DATASET => {
                    if let Err(e) = self.dataset(&mut node, &object, key, &link, &path) {
                        forget();
                        node.vars.push(Var::unreadable(key, &link, &path, &e));
                    }
                }
                H5O_type_t::H5O_TYPE_GROUP => inner.push((object, key, link, path)),
                _ => {}
            }
        }
        for (object, key, link, path) in inner {
            let visits = self.visits.entry(key).or_default();
            *visits += 1;
            if above.contains(&key) || above.len() >= DEPTH_MAX || *visits > VISITS_MAX {
                continue;
            }
            above.push(key);
            match self.group(&object, &link.to_string_lossy(), &path, above) {
                Ok(found) => node.groups.push(found),
                Err(_) => {
                    forget();
                    node.groups.push(Node { name: link.to_string_lossy().into_owned(), ..Node::default() });
                }
            }
            above.pop();
        }
        Ok(node)
    }

    fn dataset(&mut self, node: &mut Node, dataset: &Id, key: Key, link: &CStr, path: &[u8]) -> Result<()> {
        let names = attributes::names(dataset);
        let has = |name: &CStr| names.iter().any(|n| n.as_c_str() == name);
        self.is_netcdf |= has(c"_Netcdf4Dimid");
        let (extent, unlimited, is_null) = extent(dataset)?;
        let shown = link.to_string_lossy();
        let text = |name: &CStr| match attributes::read(dataset, name, self.file_bytes) {
            Ok(Some(value)) => value.text().map(String::from),
            _ => {
                forget();
                None
            }
        };
        let mut axes = Axes::Unnamed;
        if has(c"_Netcdf4Coordinates")
            && let Ok(Some(value)) = attributes::read(dataset, c"_Netcdf4Coordinates", self.file_bytes)
            && let Some(numbers) = integers(&value)
            && numbers.len() == extent.len()
        {
            axes = Axes::Numbers(numbers);
        }
        if let (true, Some(&len)) =
            (has(c"CLASS") && text(c"CLASS").as_deref() == Some("DIMENSION_SCALE"), extent.first())
        {
            let given = has(c"_Netcdf4Dimid").then(|| attributes::read(dataset, c"_Netcdf4Dimid", self.file_bytes));
            let given =
                given.and_then(|v| integers(&v.ok()??)?.first().copied()).filter(|&n| (0..1 << 31).contains(&n));
            let id = given.unwrap_or(self.next);
            self.next = self.next.max(id + 1);
            node.dims.push(Scale { id, name: shown.to_string(), len, unlimited: unlimited[0], key: Some(key) });
            if has(c"NAME") && text(c"NAME").is_some_and(|n| n.starts_with(NO_VARIABLE)) {
                return Ok(());
            }
            if matches!(axes, Axes::Unnamed) {
                axes = Axes::Coordinate(id);
            }
        } else if matches!(axes, Axes::Unnamed) && has(c"DIMENSION_LIST") {
            axes = scales(dataset, key.0, extent.len(), self.file_bytes).unwrap_or(Axes::Unnamed);
        }
        // SAFETY: the dataset is open.
        let kind = Id::new(unsafe { H5Dget_type(dataset.get()) }, "type")?;
        let mut typed = types::describe(&kind)?;
        if is_null {
            typed.stored = StoredType::Other(format!("empty {}", typed.stored));
            typed.in_netcdf = false;
        }
        let mut attrs = attributes::visible(dataset, &names, self.file_bytes, Broken::Fails)?;
        if typed.stored.dtype().is_some() {
            attributes::set_flags(&mut attrs, &kind);
        }
        node.vars.push(Var {
            name: shown.strip_prefix(NON_COORDINATE).filter(|n| !n.is_empty()).unwrap_or(&shown).to_string(),
            link: c_name(path),
            key,
            attrs,
            stored: storage::describe(dataset, &kind, &typed, extent.len())?,
            typed,
            dims: vec![None; extent.len()],
            extent,
            unlimited,
            axes,
        });
        Ok(())
    }
}

/// The names in a group, in their order of creation where it keeps that.
fn links(group: &Id) -> Result<Vec<CString>> {
    extern "C" fn each(_: hid_t, name: *const c_char, _: *const H5L_info2_t, found: *mut c_void) -> c_int {
        // SAFETY: the library hands in a valid name and our own `found`, both for this call.
        unsafe { (*found.cast::<Vec<CString>>()).push(CStr::from_ptr(name).to_owned()) };
        0
    }
    let mut found: Vec<CString> = Vec::new();
    // SAFETY: the group is open, and `each` gets `found` back, which outlives the iteration.
    unsafe {
        let plist = Id::new(H5Gget_create_plist(group.get()), "group")?;
        let mut flags = 0;
        check(H5Pget_link_creation_order(plist.get(), &mut flags), "group")?;
        let by =
            if flags & H5P_CRT_ORDER_TRACKED != 0 { H5_index_t::H5_INDEX_CRT_ORDER } else { H5_index_t::H5_INDEX_NAME };
        let mut status =
            H5Literate2(group.get(), by, H5_ITER_INC, std::ptr::null_mut(), Some(each), (&raw mut found).cast());
        if status < 0 && by == H5_index_t::H5_INDEX_CRT_ORDER {
            found.clear();
            forget();
            let by = H5_index_t::H5_INDEX_NAME;
            status =
                H5Literate2(group.get(), by, H5_ITER_INC, std::ptr::null_mut(), Some(each), (&raw mut found).cast());
        }
        check(status, "list a group")?;
    }
    Ok(found)
}

/// Opens an object, and says which one it is and what.
pub(super) fn open(at: &Id, name: &CStr) -> Result<(Id, Key, H5O_type_t)> {
    // SAFETY: `at` is open, `name` ends with a NUL, and the info is a plain record that the library fills.
    unsafe {
        let object = Id::new(H5Oopen(at.get(), name.as_ptr(), H5P_DEFAULT), "open object")?;
        let mut info: H5O_info2_t = std::mem::zeroed();
        check(H5Oget_info3(object.get(), &mut info, H5O_INFO_BASIC), "object")?;
        // The library's own files keep an object's address in its token, first byte lowest.
        let token: [u8; 16] = std::mem::transmute(info.token);
        let address = u64::from_le_bytes(token[..8].try_into().unwrap_or_default());
        Ok((object, (info.fileno as u64, address), info.type_))
    }
}

/// Lengths, which of them may grow, and whether there is no space at all.
fn extent(dataset: &Id) -> Result<(Vec<u64>, Vec<bool>, bool)> {
    // SAFETY: the dataset is open, and the arrays have the rank that the library says.
    unsafe {
        let space = Id::new(H5Dget_space(dataset.get()), "space")?;
        let rank = check(H5Sget_simple_extent_ndims(space.get()), "rank")? as usize;
        let (mut now, mut max) = (vec![0; rank], vec![0; rank]);
        if rank > 0 {
            check(H5Sget_simple_extent_dims(space.get(), now.as_mut_ptr(), max.as_mut_ptr()), "extent")?;
        }
        let is_null = H5Sget_simple_extent_type(space.get()) == H5S_class_t::H5S_NULL;
        Ok((now, max.into_iter().map(|n| n == H5S_UNLIMITED).collect(), is_null))
    }
}

/// Integers of an attribute, of any width.
fn integers(value: &Value) -> Option<Vec<i64>> {
    Some(value.numbers()?.into_iter().map(|x| x as i64).collect())
}

/// The scale attached to each axis: the last one, as netCDF has it. None at all if the first axis has none.
fn scales(dataset: &Id, file: u64, rank: usize, file_bytes: u64) -> Result<Axes> {
    // SAFETY: the attribute has `rank` elements of a variable-length type, whose members are object references; they
    // are read into a buffer of that many, and given back.
    unsafe {
        let list = Id::new(H5Aopen(dataset.get(), c"DIMENSION_LIST".as_ptr(), H5P_DEFAULT), "DIMENSION_LIST")?;
        let kind = Id::new(H5Aget_type(list.get()), "DIMENSION_LIST")?;
        let space = Id::new(H5Aget_space(list.get()), "DIMENSION_LIST")?;
        if h5t::H5Tget_class(kind.get()) != H5T_class_t::H5T_VLEN
            || H5Sget_simple_extent_npoints(space.get()) != rank as i64
        {
            return Err(Error::corrupt("DIMENSION_LIST", "it is no list of references"));
        }
        let member = Id::new(h5t::H5Tget_super(kind.get()), "DIMENSION_LIST")?;
        if h5t::H5Tequal(member.get(), *h5t::H5T_STD_REF_OBJ) <= 0 {
            return Err(failed("DIMENSION_LIST"));
        }
        let limits = Limits { member: REFERENCE_BYTES, file_bytes, all_bytes: file_bytes };
        lengths::check_all(Holder::Attribute(&list), &kind, rank, limits)?;
        let mut lists: Vec<hvl_t> = (0..rank).map(|_| hvl_t::default()).collect();
        check(H5Aread(list.get(), kind.get(), lists.as_mut_ptr().cast()), "DIMENSION_LIST")?;
        let found: Vec<Option<Key>> = lists
            .iter()
            .map(|list| {
                let last = list.len.checked_sub(1).filter(|_| !list.p.is_null())?;
                Some((file, list.p.cast::<u64>().add(last).read_unaligned()))
            })
            .collect();
        h5t::H5Treclaim(kind.get(), space.get(), H5P_DEFAULT, lists.as_mut_ptr().cast());
        let attached = found.first().is_some_and(Option::is_some);
        Ok(if attached { Axes::Scales(found) } else { Axes::Unnamed })
    }
}
