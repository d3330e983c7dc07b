//! Files in order, and what they are together: [`join`].

use super::{
    Broken, Combine, Findings, Many, Overlap,
    container::JoinedFiles,
    crowd,
    pool::Pool,
    scan::{self, Coordinate, Member, Reference, Scanned},
    source::{Files, Found, How},
};
use crate::{
    attrs::{Attrs, Value},
    cf::{decoding::ENCODING, references, time::TimeUnits},
    dataset::{output::lossless, scope},
    dtype::DType,
    error::{Error, Result},
    formats,
    source::{Container, Dimension, Group, StoredType, VarMeta},
};
use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

/// Files, one behind the other.
pub(super) struct Joined {
    pub files: JoinedFiles,
    pub paths: Vec<PathBuf>,
    /// The dimension whose positions are in no order so, and the order that they are to have.
    pub order: Option<(String, Vec<usize>)>,
}

/// Opens and orders files, checks that they go together, and says what they hold.
///
/// # Errors
/// As [`open_many`](super::open_many).
pub(super) fn join(paths: &[PathBuf], how: &Many, findings: &mut Findings) -> Result<Joined> {
    let (first, reference) = reference(paths, how, findings)?;
    let held = (reference.pool.most() / 4).min(HELD_MAX);
    let rest: Vec<&PathBuf> = paths.iter().skip_while(|p| **p != reference.path).collect();
    let mut scanned = Vec::with_capacity(rest.len());
    for result in crowd::each(rest.len(), |n| reference.scan(rest[n], n, n < held)) {
        match result {
            Ok(one) => scanned.push(one),
            Err(e) if how.broken == Broken::Skip => findings.skipped.push(e),
            Err(e) => return Err(e),
        }
    }
    for one in &mut scanned {
        findings.differences.append(&mut one.differences);
    }
    findings.converted = converted(&reference, &scanned);
    scanned.retain(|one| one.length > 0);
    if scanned.is_empty() {
        return Err(Error::usage("no file has anything along the dimension that is joined").in_file(&reference.path));
    }
    if let Some(coordinate) = &reference.coordinate {
        put_in_order(&mut scanned, coordinate, how, findings)?;
    }
    let lacking = lacking(&reference, &scanned);
    if let Some((path, file)) = lacking {
        findings.lacking.push(format!("variable '{path}' is left out: {} has none", file.display()));
    }
    let lacking = lacking.map(|(path, _)| path.to_string());
    let paths = scanned.iter().map(|one| one.door.path.clone()).collect();
    let order = match (&reference.coordinate, &reference.dim) {
        (Some(coordinate), Some(dim)) if how.overlap == Overlap::Sort => {
            step_by_step(&scanned, coordinate, findings)?.map(|order| (dim.clone(), order))
        }
        _ => None,
    };
    Ok(Joined { files: together(first, reference, scanned, how, lacking.as_deref())?, paths, order })
}

/// The bounds of the joined coordinate, where a file has none.
fn lacking<'a>(reference: &'a Reference, scanned: &'a [Scanned]) -> Option<(&'a str, &'a Path)> {
    let bounds = reference.coordinate.as_ref()?.bounds.as_deref()?;
    scanned.iter().find(|one| one.bounds.is_empty()).map(|one| (bounds, one.door.path.as_path()))
}

/// The order of the labels of all files; `None` where they stand in it. Looks for what no file has.
fn step_by_step(scanned: &[Scanned], coordinate: &Coordinate, findings: &mut Findings) -> Result<Option<Vec<usize>>> {
    let labels = scanned.iter().enumerate().flat_map(|(file, one)| one.values.iter().map(move |&x| (x, file)));
    let labels: Vec<(f64, usize)> = labels.collect();
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.sort_by(|&a, &b| labels[a].0.total_cmp(&labels[b].0));
    if let Some(pair) = order.windows(2).find(|pair| labels[pair[0]].0 == labels[pair[1]].0) {
        let [(label, a), (_, b)] = [labels[pair[0]], labels[pair[1]]];
        let [a, b] = [a, b].map(|file| &scanned[file].door.path);
        let label = shown(coordinate.units.as_ref(), label);
        let text = format!("{label} is in {} too; leave one out, or give --overlap keep", a.display());
        return Err(Error::usage(text).in_variable(&coordinate.path).in_file(b));
    }
    // Inside files steps may be longer than between them, as years where each has a month.
    let apart = |pair: &[usize]| labels[pair[1]].0 - labels[pair[0]].0;
    let step = median(order.windows(2).map(apart).collect());
    for pair in order.windows(2).filter(|pair| step.is_some_and(|step| apart(pair) > GAP * step)) {
        let [(end, a), (begin, b)] = [labels[pair[0]], labels[pair[1]]];
        if a != b {
            findings.gaps.push(gap(coordinate, (end, &scanned[a]), (begin, &scanned[b])));
        }
    }
    let is_there = order.is_sorted() || order.is_sorted_by(|a, b| a > b);
    Ok((!is_there).then_some(order))
}

/// Which variables some files have in other units, in words.
fn converted(reference: &Reference, scanned: &[Scanned]) -> Vec<String> {
    let mut counts: BTreeMap<(usize, &str), (u64, &Path)> = BTreeMap::new();
    for one in scanned {
        for (member, units) in &one.in_units {
            counts.entry((*member, units)).or_insert((0, &one.door.path)).0 += 1;
        }
    }
    let said = |((member, units), (count, path)): ((usize, &str), (u64, &Path))| {
        let meta = &reference.members[member].meta;
        let to = meta.attrs.text("units").unwrap_or_default();
        let where_ = match count {
            1 => path.display().to_string(),
            n => format!("{n} files, as {}", path.display()),
        };
        format!("variable '{}': converted from {units} to {to} in {where_}", meta.path)
    };
    counts.into_iter().map(said).collect()
}

/// Containers that are held open after they were looked at.
const HELD_MAX: usize = 64;

/// The first file that opens, and what the others are compared with.
fn reference(paths: &[PathBuf], how: &Many, findings: &mut Findings) -> Result<(Arc<dyn Container>, Reference)> {
    let mut opened = Vec::new();
    let wanted = if how.combine == Combine::ByCoords { 2.min(paths.len()) } else { 1 };
    for path in paths {
        match formats::open(path) {
            Ok(container) => opened.push((path, container)),
            // What is broken behind the first is found when all are looked at.
            Err(e) if how.broken == Broken::Skip && opened.is_empty() => findings.skipped.push(e),
            Err(_) if how.broken == Broken::Skip => {}
            Err(e) => return Err(e),
        }
        if opened.len() == wanted {
            break;
        }
    }
    let mut opened = opened.into_iter();
    let Some((path, first)) = opened.next() else { return Err(Error::usage("none of the files can be opened")) };
    let root = first.root();
    let dim = match (&how.combine, opened.next()) {
        (Combine::New(_), _) => None,
        (Combine::Time, _) => Some(scan::time_dimension(root).map_err(|e| e.in_file(path))?),
        (Combine::ByCoords, None) => Some(scan::time_dimension(root).map_err(|e| e.in_file(path))?),
        (Combine::ByCoords, Some((_, second))) => Some(scan::differing(first.as_ref(), second.as_ref())?),
    };
    let coordinate = match (&dim, &how.combine) {
        (Some(dim), _) => scan::coordinate(root, dim),
        (None, Combine::New(name)) => scan::label(root, name),
        (None, _) => Ok(None),
    };
    let coordinate = coordinate.map_err(|e| e.in_file(path))?;
    let members = members(root, dim.as_deref(), coordinate.as_ref(), how);
    if members.is_empty() {
        return Err(Error::usage("it has no variable to join").in_file(path));
    }
    let grid = scan::grid(first.as_ref(), dim.as_deref()).map_err(|e| e.in_file(path))?;
    let ahead = ahead(&members, coordinate.as_ref(), how);
    let (path, root, pool) = (path.clone(), root.clone(), Pool::new());
    let reference = Reference { path, root, dim, coordinate, members, grid, ahead, pool };
    Ok((first, reference))
}

/// The members whose chunks are looked at while files are open: those that are named, or all where they are few.
fn ahead(members: &[Member], coordinate: Option<&Coordinate>, how: &Many) -> Vec<usize> {
    let is_label = |path: &str| coordinate.is_some_and(|c| c.path == path || c.bounds.as_deref() == Some(path));
    let is_data = |k: &usize| members[*k].meta.stored.dtype().is_some() && !is_label(&members[*k].meta.path);
    let named = |k: &usize| how.variables.iter().any(|name| name.trim_start_matches('/') == members[*k].meta.path);
    let all: Vec<usize> = (0..members.len()).filter(is_data).collect();
    match how.variables.is_empty() {
        true if all.len() <= AHEAD_MAX => all,
        true => Vec::new(),
        false => all.into_iter().filter(named).collect(),
    }
}

/// More variables than these are not all likely to be read.
const AHEAD_MAX: usize = 4;

/// The variables that are joined: those with the dimension, or all data where it is new, and what labels it.
fn members(root: &Group, dim: Option<&str>, coordinate: Option<&Coordinate>, how: &Many) -> Vec<Member> {
    let coordinates = scope::coordinates(root);
    let member = |v: &VarMeta, axis: Option<usize>| Member { meta: v.clone(), axis, result: scan::result_type(v) };
    let all = root.all_vars().into_iter();
    match dim {
        Some(dim) => all
            .filter(|v| !matches!(v.stored, StoredType::Other(_)))
            .filter_map(|v| Some(member(v, Some(v.dims.iter().position(|d| d == dim)?))))
            .collect(),
        None => {
            let is_label =
                |v: &VarMeta| coordinate.is_some_and(|c| c.path == v.path || c.bounds.as_ref() == Some(&v.path));
            let is_data = |v: &&VarMeta| v.stored.dtype().is_some() && (!coordinates.contains(&v.path) || is_label(v));
            debug_assert!(matches!(how.combine, Combine::New(_)));
            all.filter(is_data).map(|v| member(v, None)).collect()
        }
    }
}

/// Orders files by their first labels, and looks for what several have, and for what none has.
fn put_in_order(scanned: &mut [Scanned], coordinate: &Coordinate, how: &Many, findings: &mut Findings) -> Result<()> {
    let ends = |one: &Scanned| {
        let known = || one.values.iter().copied().filter(|x| !x.is_nan());
        (known().min_by(f64::total_cmp), known().max_by(f64::total_cmp))
    };
    for one in scanned.iter() {
        if ends(one).0.is_none() {
            return Err(Error::usage("it has no labels").in_variable(&coordinate.path).in_file(&one.door.path));
        }
    }
    let is_down = scanned.iter().any(|one| one.values.first() > one.values.last())
        && scanned.iter().all(|one| one.values.first() >= one.values.last());
    let first = |one: &Scanned| one.values.iter().copied().find(|x| !x.is_nan()).unwrap_or(f64::NAN);
    scanned.sort_by(|a, b| {
        let order = first(a).total_cmp(&first(b));
        if is_down { order.reverse() } else { order }
    });
    let step = usual_step(scanned);
    for pair in scanned.windows(2) {
        let ((a_low, a_high), (b_low, b_high)) = (ends(&pair[0]), ends(&pair[1]));
        let (end, begin) = if is_down { (a_low, b_high) } else { (a_high, b_low) };
        let (Some(end), Some(begin)) = (end, begin) else { continue };
        let apart = if is_down { end - begin } else { begin - end };
        let shown = |x: f64| shown(coordinate.units.as_ref(), x);
        let [a, b] = [&pair[0], &pair[1]].map(|one| one.door.path.display());
        if apart <= 0.0 {
            let text = format!("begins at {}, and {a} goes on to {}", shown(begin), shown(end));
            if how.overlap == Overlap::Refuse {
                let text = format!("it {text}; leave one out, or give --overlap keep, or sort");
                return Err(Error::usage(text).in_variable(&coordinate.path).in_file(&pair[1].door.path));
            }
            findings.overlaps.push(format!("{}: {b} {text}", coordinate.path));
        }
        // In order of steps, another file may have what lies between.
        if how.overlap != Overlap::Sort && step.is_some_and(|step| apart > GAP * step) {
            findings.gaps.push(gap(coordinate, (end, &pair[0]), (begin, &pair[1])));
        }
    }
    Ok(())
}

/// Steps this much longer than usual are a gap: months differ by less.
const GAP: f64 = 1.5;

/// The median step inside files, or between them where they have single steps.
fn usual_step(scanned: &[Scanned]) -> Option<f64> {
    let apart = |w: &[f64]| (w[1] - w[0]).abs();
    let mut steps: Vec<f64> = scanned.iter().flat_map(|one| one.values.windows(2).map(apart)).collect();
    if steps.is_empty() {
        let firsts: Vec<f64> = scanned.iter().filter_map(|one| one.values.first().copied()).collect();
        steps = firsts.windows(2).map(apart).collect();
    }
    median(steps)
}

fn median(mut steps: Vec<f64>) -> Option<f64> {
    steps.retain(|x| x.is_finite());
    steps.sort_by(f64::total_cmp);
    steps.get(steps.len() / 2).copied()
}

/// Two labels with nothing between them, and the files that have them, in words.
fn gap(coordinate: &Coordinate, (end, a): (f64, &Scanned), (begin, b): (f64, &Scanned)) -> String {
    let shown = |x: f64| shown(coordinate.units.as_ref(), x);
    let (end, begin, [a, b]) = (shown(end), shown(begin), [a, b].map(|one| one.door.path.display()));
    format!("{}: a gap between {end} ({a}) and {begin} ({b})", coordinate.path)
}

fn shown(units: Option<&TimeUnits>, x: f64) -> String {
    match units.map(|u| (u, u.decode(x))) {
        Some((units, Ok(Some(at)))) => units.calendar().date(at).to_string(),
        _ => x.to_string(),
    }
}

/// What files are together.
fn together(
    first: Arc<dyn Container>,
    reference: Reference,
    scanned: Vec<Scanned>,
    how: &Many,
    lacking: Option<&str>,
) -> Result<JoinedFiles> {
    let length = scanned.iter().try_fold(0u64, |all, one| all.checked_add(one.length));
    let length = length.ok_or_else(|| Error::corrupt("dimension", "files are longer together than can be counted"))?;
    let mut root = reference.root.clone();
    let mut joined = HashMap::new();
    let new = if let Combine::New(name) = &how.combine { Some(name.as_str()) } else { None };
    for (n, member) in reference.members.iter().enumerate() {
        if lacking == Some(&member.meta.path) {
            remove(&mut root, &member.meta.path);
            let labels = reference.coordinate.as_ref().and_then(|c| var_mut(&mut root, &c.path));
            labels.into_iter().for_each(|labels| drop(labels.attrs.remove("bounds")));
            continue;
        }
        let others =
            scanned.iter().flat_map(|one| one.otherwise.iter().filter(|(k, _)| *k == n).map(|(_, result)| *result));
        let decoded = decoded_type(member, &others.collect::<Vec<_>>());
        let Some(meta) = var_mut(&mut root, &member.meta.path) else { continue };
        become_joined(meta, member, length, new, decoded);
        let axis = member.axis.unwrap_or(0);
        joined.insert(meta.path.clone(), How { axis, is_new: member.axis.is_none(), decoded });
    }
    let known = labels(&mut root, &reference, &scanned);
    match (&reference.dim, new) {
        (Some(dim), _) => lengthen(&mut root, dim, length),
        (None, Some(name)) => declare(&mut root, name, length)?,
        (None, None) => {}
    }
    let (mut doors, mut lengths) = (Vec::with_capacity(scanned.len()), Vec::with_capacity(scanned.len()));
    let mut ahead: Vec<Vec<Found>> = reference.ahead.iter().map(|_| Vec::with_capacity(scanned.len())).collect();
    for one in scanned {
        doors.push(one.door);
        lengths.push(one.length);
        ahead.iter_mut().zip(one.ahead).for_each(|(all, found)| all.push(found));
    }
    let names = reference.ahead.iter().map(|n| reference.members[*n].meta.path.clone());
    let ahead = Mutex::new(names.zip(ahead).collect());
    let files = Arc::new(Files { doors, lengths, pool: reference.pool });
    Ok(JoinedFiles { files, first, root, joined, known, ahead, made: Mutex::default() })
}

/// The type that values are decoded to where files store them in different ways.
fn decoded_type(member: &Member, others: &[Option<DType>]) -> Option<DType> {
    if others.is_empty() {
        return None;
    }
    let all = others.iter().copied().chain([member.result]).flatten();
    Some(all.reduce(DType::promote).filter(|dtype| *dtype == DType::F32).unwrap_or(DType::F64))
}

fn become_joined(meta: &mut VarMeta, member: &Member, length: u64, new: Option<&str>, decoded: Option<DType>) {
    match (member.axis, new) {
        (Some(axis), _) => meta.shape.0[axis] = length,
        (None, Some(name)) => {
            meta.shape.0.insert(0, length);
            meta.dims.insert(0, name.to_string());
            // What was one place is the coordinate of the dimension.
            references::retain(&mut meta.attrs, |attribute, named| attribute == "coordinates" && named == name);
            if let Some(chunk) = &mut meta.storage.chunk {
                chunk.0.insert(0, 1);
            }
        }
        (None, None) => {}
    }
    meta.storage.stored_bytes = None;
    meta.storage.shard = None;
    if let Some(dtype) = decoded {
        let fill = if dtype == DType::F32 { Value::F32(vec![f32::NAN]) } else { Value::F64(vec![f64::NAN]) };
        let mut attrs = Attrs::new();
        attrs.set("_FillValue", fill);
        let plain = meta.attrs.iter().filter(|(name, _)| !ENCODING.contains(name));
        plain.for_each(|(name, value)| attrs.set(name, value.clone()));
        meta.attrs = attrs;
        meta.stored = StoredType::native(dtype);
        meta.fill = None;
        meta.storage.codecs = lossless(&meta.storage.codecs);
    }
}

/// The joined coordinate and its bounds, whose values are known.
fn labels(root: &mut Group, reference: &Reference, scanned: &[Scanned]) -> HashMap<String, Vec<f64>> {
    let mut known = HashMap::new();
    let Some(coordinate) = &reference.coordinate else { return known };
    let is_alike = scanned.iter().all(|one| one.is_coordinate_alike);
    let values: Vec<f64> = scanned.iter().flat_map(|one| one.values.iter().copied()).collect();
    let bounds: Vec<f64> = scanned.iter().flat_map(|one| one.bounds.iter().copied()).collect();
    for (path, values) in [(Some(&coordinate.path), values), (coordinate.bounds.as_ref(), bounds)] {
        let Some(meta) = path.and_then(|path| var_mut(root, path)) else { continue };
        if meta.shape.elements().ok() != Some(values.len() as u64) {
            continue;
        }
        // Its own type holds what it held; decoded or converted numbers need the widest.
        let is_plain = ENCODING[..5].iter().all(|name| meta.attrs.get(name).is_none());
        let is_float = meta.stored.dtype().is_some_and(DType::is_float);
        if !is_alike || !(is_plain || (is_float && !crate::cf::decoding::is_packed(&meta.attrs))) {
            ENCODING.iter().for_each(|name| drop(meta.attrs.remove(name)));
            meta.stored = StoredType::native(DType::F64);
        } else {
            meta.stored = StoredType::native(meta.stored.dtype().unwrap_or(DType::F64));
        }
        known.insert(meta.path.clone(), values);
    }
    known
}

fn var_mut<'a>(group: &'a mut Group, path: &str) -> Option<&'a mut VarMeta> {
    crate::dataset::adapted::var_mut(group, path)
}

fn remove(group: &mut Group, path: &str) {
    group.vars.retain(|v| v.path != path);
    group.groups.iter_mut().for_each(|inner| remove(inner, path));
}

fn lengthen(group: &mut Group, dim: &str, length: u64) {
    group.dims.iter_mut().filter(|d| d.name == dim).for_each(|d| d.len = length);
    group.groups.iter_mut().for_each(|inner| lengthen(inner, dim, length));
}

fn declare(root: &mut Group, name: &str, length: u64) -> Result<()> {
    if root.all_vars().iter().any(|v| v.name() == name && v.dims != [name]) || root.dims.iter().any(|d| d.name == name)
    {
        return Err(Error::usage(format!("--combine new:{name}: the files have a '{name}' already")));
    }
    root.dims.insert(0, Dimension { name: name.to_string(), len: length, unlimited: false });
    Ok(())
}
