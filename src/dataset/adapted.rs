//! A computation as a format can hold it.

use super::{
    Computation, Dataset, LeftOut, TextFrom, Wanted, Why,
    encoded::{attribute_as, can_be},
};
use crate::{
    array::LazyArray,
    attrs::Value,
    cf::{decoding::reinterpreted, encoding::Cast},
    dtype::DType,
    error::Result,
    formats::OutputFormat,
    source::{Dimension, Group, Storage, StoredType, VarMeta},
};
use std::sync::Arc;

impl Computation {
    /// The same, as `format` can hold it: numbers of types that it lacks get one that holds their values. Where there are no
    /// strings, they are characters; those to be copied are read from `inputs`. A `_FillValue` that no value of the variable
    /// can be, as NaN among integers, marks nothing, and is left out, since formats refuse it.
    ///
    /// The older classic form has neither unsigned nor 64-bit integers: they become wider ones, and doubles where not
    /// known to fit. No NetCDF has half precision. Classic files have one unlimited dimension, the first of a variable.
    ///
    /// # Errors
    /// When sizes overflow, or strings cannot be read.
    pub fn adapted(&self, format: OutputFormat, inputs: &[Dataset]) -> Result<Computation> {
        let mut out = self.clone();
        without_idle_fills(&mut out.schema);
        if matches!(format, OutputFormat::Zarr2 | OutputFormat::Zarr3) {
            return Ok(out);
        }
        for wanted in &mut out.wanted {
            let Some(meta) = var_mut(&mut out.schema, &wanted.path) else { continue };
            let Some(dtype) = meta.stored.dtype() else { continue };
            let held = held(dtype, format, wanted);
            if held == dtype {
                continue;
            }
            if wanted.array.is_stored() {
                // A copy is written as it is stored, unless it is computed.
                wanted.array = exactly(wanted, held)?;
            }
            wanted.stored = held;
            meta.stored = StoredType::native(held);
            meta.fill = None;
            if let Some(Value::I64(fill)) = meta.attrs.get("_FillValue") {
                let fill = fill.iter().map(|&n| n as f64).collect();
                meta.attrs.set("_FillValue", Value::F64(fill));
            }
        }
        if format != OutputFormat::NetCdf4 {
            one_unlimited(&mut out.schema);
            out.spell_texts(inputs)?;
        }
        Ok(out)
    }

    fn spell_texts(&mut self, inputs: &[Dataset]) -> Result<()> {
        for text in std::mem::take(&mut self.texts) {
            let read = match text.from {
                TextFrom::Said(texts) => Some(texts),
                TextFrom::Input { input, path } => {
                    inputs.get(input).map(|dataset| dataset.texts(&path)).transpose()?.inspect(|_| {
                        // xarray takes characters for bytes unless they say that they are text.
                        let said = |meta: &mut VarMeta| meta.attrs.set("_Encoding", "utf-8");
                        var_mut(&mut self.schema, &text.path).into_iter().for_each(said);
                    })
                }
            };
            match read.filter(|_| !text.path.contains('/')) {
                Some(texts) => self.spell(text.path, &texts)?,
                None => {
                    remove(&mut self.schema, &text.path);
                    self.left_out.push(LeftOut { path: text.path, why: Why::NoType });
                }
            }
        }
        Ok(())
    }

    /// Makes a variable of strings one of characters, as long as the longest of them (CF 6.1).
    fn spell(&mut self, path: String, texts: &[String]) -> Result<()> {
        let length = texts.iter().map(String::len).max().unwrap_or(0).max(1);
        let mut bytes = vec![0u8; texts.len() * length];
        bytes
            .chunks_exact_mut(length)
            .zip(texts)
            .for_each(|(to, text)| to[..text.len()].copy_from_slice(text.as_bytes()));
        let mut name = format!("{path}_strlen");
        while self.schema.dims.iter().any(|dim| dim.name == name) {
            name.push('_');
        }
        let Some(meta) = var_mut(&mut self.schema, &path) else { return Ok(()) };
        meta.stored = StoredType::Char;
        meta.storage = Storage::default();
        meta.attrs.remove("_FillValue");
        meta.dims.push(name.clone());
        meta.shape.0.push(length as u64);
        let shape = meta.shape.to_vec();
        self.schema.dims.push(Dimension { name, len: length as u64, unlimited: false });
        let whole: Vec<u64> = shape.iter().map(|n| (*n).max(1)).collect();
        let array = LazyArray::from_slice(&bytes, &shape, &*whole)?;
        let (ones, stored) = (vec![false; shape.len()], array.dtype());
        self.wanted.push(Wanted { path, array, ones, stored });
        Ok(())
    }
}

fn without_idle_fills(group: &mut Group) {
    for meta in &mut group.vars {
        rewrite_reinterpreted(meta);
        let is_idle = |fill: &Value| match &meta.stored {
            StoredType::Number { dtype, .. } => !can_be(fill, *dtype),
            StoredType::Char => fill.text().is_none_or(|text| text.len() > 1),
            _ => fill.text().is_none(),
        };
        if meta.attrs.get("_FillValue").is_some_and(is_idle) {
            meta.attrs.remove("_FillValue");
        }
    }
    group.groups.iter_mut().for_each(without_idle_fills);
}

/// A fill value among the numbers that integers are read as, and not among those that are stored, as the stored one: 255
/// where bytes are unsigned, but stored as signed ones, is -1.
fn rewrite_reinterpreted(meta: &mut VarMeta) {
    let Some((stored, read_as)) = meta.stored.dtype().and_then(|d| Some((d, reinterpreted(d, &meta.attrs)?))) else {
        return;
    };
    let Some(fill) = meta
        .attrs
        .get("_FillValue")
        .filter(|fill| fill.number().is_some() && !can_be(fill, stored) && can_be(fill, read_as))
    else {
        return;
    };
    let is_so = fill.dtype() == Some(read_as);
    let read = if is_so { Some(fill.clone()) } else { attribute_as(fill, read_as) };
    // The same bits, read in the other way.
    if let Some(bits) = read.as_ref().and_then(Value::bytes) {
        meta.attrs.set("_FillValue", Value::of_bytes(stored, bits));
    }
}

/// A copy in another type, which holds all of its numbers or is an error.
fn exactly(wanted: &Wanted, held: DType) -> Result<LazyArray> {
    let array = &wanted.array;
    if held != DType::F64 {
        return Ok(array.astype(held));
    }
    let cast = Cast { variable: wanted.path.clone(), stored: held, fill: None };
    LazyArray::blocks(std::slice::from_ref(array), Arc::new(cast), array.shape(), array.chunk(), held)
}

/// The type that a format holds such numbers in.
fn held(dtype: DType, format: OutputFormat, wanted: &Wanted) -> DType {
    match dtype {
        DType::F16 => DType::F32,
        _ if format != OutputFormat::NetCdf3 => dtype,
        DType::U8 => DType::I16,
        DType::U16 => DType::I32,
        DType::I64 | DType::U64 if wanted.array.counts_below(i32::MAX as u64) => DType::I32,
        DType::U32 | DType::I64 | DType::U64 => DType::F64,
        _ => dtype,
    }
}

fn one_unlimited(schema: &mut Group) {
    let first: Vec<String> = schema.all_vars().iter().filter_map(|v| v.dims.first().cloned()).collect();
    let later: Vec<String> = schema.all_vars().iter().flat_map(|v| v.dims.iter().skip(1).cloned()).collect();
    let mut unlimited = 0;
    for dim in &mut schema.dims {
        dim.unlimited &= unlimited == 0 && first.contains(&dim.name) && !later.contains(&dim.name);
        unlimited += usize::from(dim.unlimited);
    }
}

pub(super) fn var_mut<'a>(group: &'a mut Group, path: &str) -> Option<&'a mut VarMeta> {
    if let Some(at) = group.vars.iter().position(|v| v.path == path) {
        return group.vars.get_mut(at);
    }
    group.groups.iter_mut().find_map(|inner| var_mut(inner, path))
}

fn remove(group: &mut Group, path: &str) {
    group.vars.retain(|v| v.path != path);
    group.groups.iter_mut().for_each(|inner| remove(inner, path));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{attrs::Attrs, shape::Shape};

    #[test]
    fn a_fill_value_that_no_value_can_be_is_left_out() {
        let is_kept = |stored: StoredType, fill: Value| {
            let mut attrs = Attrs::new();
            attrs.set("_FillValue", fill);
            let (path, shape) = ("v".to_string(), Shape::default());
            let (dims, storage) = (vec![], Default::default());
            let meta = VarMeta { path, stored, shape, dims, dims_named: true, attrs, fill: None, storage };
            let mut group = Group { groups: vec![Group { vars: vec![meta], ..Group::default() }], ..Group::default() };
            without_idle_fills(&mut group);
            !group.groups[0].vars[0].attrs.is_empty()
        };
        let number = StoredType::native;
        assert!(is_kept(number(DType::I16), Value::I32(vec![-9999])));
        assert!(is_kept(number(DType::I16), Value::F64(vec![-9999.0])));
        assert!(is_kept(number(DType::U64), Value::I64(vec![1 << 60])));
        assert!(is_kept(number(DType::F32), Value::F64(vec![1e20])));
        assert!(is_kept(number(DType::F32), Value::F64(vec![f64::NAN])));
        assert!(is_kept(StoredType::Char, "x".into()) && is_kept(StoredType::Text, "none".into()));
        assert!(!is_kept(number(DType::I16), Value::F64(vec![f64::NAN])));
        assert!(!is_kept(number(DType::I16), Value::F64(vec![0.5])));
        assert!(!is_kept(number(DType::I8), Value::I16(vec![256])));
        assert!(!is_kept(number(DType::F32), Value::F64(vec![1e300])));
        assert!(!is_kept(number(DType::I32), "-1".into()) && !is_kept(number(DType::I32), Value::I32(vec![])));
        assert!(!is_kept(StoredType::Char, Value::I8(vec![0])) && !is_kept(StoredType::Char, "none".into()));
    }

    #[test]
    fn a_fill_value_is_written_as_it_is_stored() {
        let rewritten = |stored: DType, unsigned: &str, fill: Value| {
            let mut attrs = Attrs::new();
            attrs.set("_Unsigned", unsigned);
            attrs.set("_FillValue", fill);
            let (path, stored, shape) = ("v".to_string(), StoredType::native(stored), Shape::default());
            let (dims, storage) = (vec![], Default::default());
            let mut meta = VarMeta { path, stored, shape, dims, dims_named: true, attrs, fill: None, storage };
            rewrite_reinterpreted(&mut meta);
            meta.attrs.remove("_FillValue").unwrap()
        };
        assert_eq!(rewritten(DType::I8, "true", Value::I16(vec![255])), Value::I8(vec![-1]));
        assert_eq!(rewritten(DType::I8, "true", Value::I16(vec![-1])), Value::I16(vec![-1]));
        assert_eq!(rewritten(DType::U16, "false", Value::I16(vec![-2])), Value::U16(vec![65534]));
        assert_eq!(rewritten(DType::I64, "true", Value::U64(vec![u64::MAX])), Value::I64(vec![-1]));
        assert_eq!(rewritten(DType::I8, "false", Value::I16(vec![255])), Value::I16(vec![255]));
        assert_eq!(rewritten(DType::I8, "true", Value::I16(vec![256])), Value::I16(vec![256]));
    }
}
