//! A computation whose results are rounded, packed or of another type before they are stored, as a layout says.

use super::{Computation, Layout, Packed, Pipeline, Wanted, adapted::var_mut};
use crate::{
    array::{BlockFunction, LazyArray},
    attrs::{Attrs, Value},
    cf::{
        decoding::{self, ENCODING, ValidRange},
        encoding::{BitRound, Cast, Pack, Packing, default_fill, integer_range, mantissa_bits},
    },
    dtype::{ByteOrder, DType, Element},
    error::{Error, Result},
    kernels::fold::{FoldOptions, Op},
    shape::Shape,
    source::{Layout as Order, Storage, StoredType, VarMeta},
    with_dtype,
};
use std::sync::Arc;

/// What has to be known of a result before it is packed: its least and its largest value.
#[derive(Clone)]
pub struct Measure {
    /// The result's path.
    pub path: String,
    /// The least value, and the largest one; NaN where there is none.
    pub ends: [LazyArray; 2],
}

/// The variable that says how values were rounded (CF 1.12, section 8.4).
const CONTAINER: &str = "quantization_info";

impl Computation {
    /// What has to be computed before [`encoded`](Computation::encoded).
    ///
    /// # Errors
    /// When a variable cannot be decoded.
    pub fn measures(&self, layout: &Layout) -> Result<Vec<Measure>> {
        let mut out = Vec::new();
        for wanted in &self.wanted {
            let Some(Change::Pack(packed)) = self.change(layout, wanted)? else { continue };
            let Some(meta) = self.schema.var(&wanted.path) else { continue };
            if packed.by.is_some() || self.own_packing(wanted, meta)?.is_some() || meta.shape.contains(&0) {
                continue;
            }
            let values = values(wanted, meta)?;
            let axes = values.all_axes();
            let end = |op: Op| values.reduce(op, &axes, FoldOptions::default());
            out.push(Measure { path: wanted.path.clone(), ends: [end(Op::Min)?, end(Op::Max)?] });
        }
        Ok(out)
    }

    /// The same with values rounded, packed or cast as `layout` says. `measured` has the ends of what
    /// [`measures`](Computation::measures) asks for; NaN stands for those that it lacks.
    ///
    /// # Errors
    /// When the layout names a variable that cannot be changed so.
    pub fn encoded(&self, layout: &Layout, measured: &[(String, [f64; 2])]) -> Result<Computation> {
        let mut out = self.clone();
        let mut rounded = Vec::new();
        for k in 0..out.wanted.len() {
            let wanted = out.wanted[k].clone();
            let Some(meta) = self.schema.var(&wanted.path) else { continue };
            let (mut wanted, mut meta) = (wanted, meta.clone());
            let path = meta.path.clone();
            match self.change(layout, &wanted)? {
                Some(Change::Pack(packed)) => {
                    let ends = measured.iter().find(|(path, _)| *path == wanted.path).map(|(_, ends)| *ends);
                    self.pack(packed, ends.unwrap_or([f64::NAN; 2]), &mut wanted, &mut meta)
                }
                Some(Change::Cast(dtype)) => cast(dtype, &mut wanted, &mut meta),
                None => Ok(()),
            }
            .map_err(|e: Error| e.in_variable(&path))?;
            if let Some(keep_bits) = self.keep_bits(layout, &wanted, &meta).map_err(|e| e.in_variable(&path))? {
                bit_round(keep_bits, &mut wanted, &mut meta)?;
                rounded.push(path.clone());
            }
            if let Some(slot) = var_mut(&mut out.schema, &path) {
                *slot = meta;
            }
            out.wanted[k] = wanted;
        }
        if !rounded.is_empty() {
            out.describe_rounding(&rounded)?;
        }
        Ok(out)
    }

    /// The same with results in the chunks and with the filters that `layout` asks for.
    ///
    /// # Errors
    /// When it names dimensions or variables that results do not have, or shards are no whole multiples of chunks.
    pub fn laid_out(mut self, layout: &Layout) -> Result<Computation> {
        layout.check_variables(self.results.iter().map(String::as_str))?;
        let mut known = Vec::new();
        for wanted in self.wanted.iter().filter(|wanted| self.results.contains(&wanted.path)) {
            let Some(meta) = var_mut(&mut self.schema, &wanted.path) else { continue };
            // Where lengths differ, the output has other names (`lat_1`) than those that are known.
            let own = wanted.array.dims().filter(|dims| dims.len() == meta.dims.len());
            let dims = own.unwrap_or(&meta.dims).to_vec();
            layout
                .change(&wanted.path, &mut meta.storage, &dims, &meta.shape)
                .map_err(|e| e.in_variable(&wanted.path))?;
            known.extend(dims);
        }
        layout.check_dimensions(known.into_iter())?;
        Ok(self)
    }

    /// What is asked for a variable: for all of them, or for it by name.
    fn change(&self, layout: &Layout, wanted: &Wanted) -> Result<Option<Change>> {
        let Some(meta) = self.schema.var(&wanted.path) else { return Ok(None) };
        let Some(stored) = meta.stored.dtype() else { return Ok(None) };
        let is_result = self.results.contains(&wanted.path);
        let has_fractions = stored.is_float() || (is_stored(wanted) && decoding::is_packed(&meta.attrs));
        if let Some(Pipeline { pack: Some(packed), .. }) = layout.own_of(&wanted.path) {
            return Ok(Some(Change::Pack(*packed)));
        }
        let packed = layout.pipeline_of(&wanted.path).pack;
        match (packed, layout.dtype) {
            (Some(packed), _) if is_result && has_fractions => Ok(Some(Change::Pack(packed))),
            // What counts or names things stays as it is among floats.
            (None, Some(dtype)) if is_result && (has_fractions || !dtype.is_float()) => Ok(Some(Change::Cast(dtype))),
            _ => Ok(None),
        }
    }

    fn keep_bits(&self, layout: &Layout, wanted: &Wanted, meta: &VarMeta) -> Result<Option<u32>> {
        let is_own = layout.own_of(&wanted.path).is_some();
        let Some(keep_bits) = layout.pipeline_of(&wanted.path).keep_bits else { return Ok(None) };
        let mantissa = meta.stored.dtype().and_then(mantissa_bits);
        match mantissa {
            None if is_own => Err(Error::usage("integers are not rounded; leave bitround out, or give --dtype f32")),
            Some(all) if keep_bits > all && (is_own || self.results.contains(&wanted.path)) => {
                Err(Error::usage(format!("bitround:{keep_bits} of {}, which has {all} bits", meta.stored)))
            }
            Some(_) if is_own || self.results.contains(&wanted.path) => Ok(Some(keep_bits)),
            _ => Ok(None),
        }
    }

    /// The scale and offset that a variable has, or the one that it comes from, with their type.
    fn own_packing(&self, wanted: &Wanted, meta: &VarMeta) -> Result<Option<(f64, f64, DType)>> {
        let attrs = match self.packed.iter().find(|(path, _)| *path == wanted.path) {
            Some((_, attrs)) => attrs,
            None if is_stored(wanted) => &meta.attrs,
            None => return Ok(None),
        };
        let number = |name: &str| match attrs.get(name) {
            None => Ok(None),
            Some(value) => match (value.number(), value.dtype()) {
                (Some(x), Some(dtype)) => Ok(Some((x, dtype))),
                _ => Err(Error::corrupt("attribute", format!("{name} is not one number")).in_variable(&meta.path)),
            },
        };
        let (scale, offset) = (number("scale_factor")?, number("add_offset")?);
        let wide = |x: Option<(f64, DType)>| x.is_none_or(|(_, dtype)| dtype == DType::F32);
        let dtype = if wide(scale) && wide(offset) { DType::F32 } else { DType::F64 };
        if scale.is_none() && offset.is_none() {
            return Ok(None);
        }
        Ok(Some((scale.map_or(1.0, |s| s.0), offset.map_or(0.0, |o| o.0), dtype)))
    }

    fn pack(&self, packed: Packed, ends: [f64; 2], wanted: &mut Wanted, meta: &mut VarMeta) -> Result<()> {
        let own = self.own_packing(wanted, meta)?;
        let stored = packed.stored;
        if packed.by.is_none() && own.is_some() && is_stored(wanted) && meta.stored.dtype() == Some(stored) {
            return Ok(());
        }
        let values = values(wanted, meta)?;
        let origin = self.packed.iter().find(|(path, _)| *path == wanted.path).map_or(&meta.attrs, |(_, attrs)| attrs);
        let own_fill = origin.get("_FillValue").and_then(Value::number).filter(|x| holds(stored, *x));
        let fallback = default_fill(stored)?;
        let (packing, precision) = match (packed.by, own) {
            (Some((scale, offset)), _) => (Packing { scale, offset, fill: fallback }, DType::F64),
            (None, Some((scale, offset, dtype))) => {
                (Packing { scale, offset, fill: own_fill.map_or(fallback, |x| x as i64) }, dtype)
            }
            (None, None) => Packing::spread(ends[0], ends[1], stored, values.dtype())?,
        };
        let Packing { scale, offset, fill } = packing;
        if !scale.is_normal() || !offset.is_finite() {
            return Err(Error::usage(format!("scale {scale} and offset {offset} cannot pack anything")));
        }
        let function = Pack { variable: meta.path.clone(), stored, scale, offset, fill };
        wanted.array = map(&values, Arc::new(function), stored)?;
        forget_encoding(&mut meta.attrs);
        meta.attrs.set("scale_factor", Value::of_numbers(precision, &[scale]));
        meta.attrs.set("add_offset", Value::of_numbers(precision, &[offset]));
        meta.attrs.set("_FillValue", Value::of_numbers(stored, &[fill as f64]));
        is_now(stored, wanted, meta);
        Ok(())
    }

    /// Adds the variable that says how values were rounded, and names it in those that were.
    fn describe_rounding(&mut self, rounded: &[String]) -> Result<()> {
        let mut path = CONTAINER.to_string();
        while self.schema.var(&path).is_some() {
            path.push('_');
        }
        for name in rounded {
            if let Some(meta) = var_mut(&mut self.schema, name) {
                meta.attrs.set("quantization", path.as_str());
            }
        }
        let mut attrs = Attrs::new();
        attrs.set("algorithm", "bitround");
        attrs.set("implementation", concat!("aosx version ", env!("CARGO_PKG_VERSION")));
        let stored = DType::I32;
        self.schema.vars.push(VarMeta {
            path: path.clone(),
            stored: StoredType::native(stored),
            shape: Shape::default(),
            dims: Vec::new(),
            dims_named: true,
            attrs,
            fill: None,
            storage: Storage { kind: "contiguous", ..Storage::default() },
        });
        let array = LazyArray::scalar(0).astype(stored);
        self.wanted.push(Wanted { path, array, ones: Vec::new(), stored });
        Ok(())
    }
}

/// What becomes of the values of one variable.
enum Change {
    Pack(Packed),
    Cast(DType),
}

/// Whether a variable is copied from a file as it is stored there.
fn is_stored(wanted: &Wanted) -> bool {
    wanted.array.is_stored()
}

/// The decoded values of a variable.
pub(super) fn values(wanted: &Wanted, meta: &VarMeta) -> Result<LazyArray> {
    if !is_stored(wanted) {
        return Ok(wanted.array.clone());
    }
    let order = Order::row_major(ByteOrder::NATIVE, meta.shape.len());
    Ok(wanted.array.decode(decoding::decoding(meta, &order, ValidRange::Ignore)?))
}

fn map(array: &LazyArray, function: Arc<dyn BlockFunction>, dtype: DType) -> Result<LazyArray> {
    LazyArray::blocks(std::slice::from_ref(array), function, array.shape(), array.chunk(), dtype)
}

pub(super) fn forget_encoding(attrs: &mut Attrs) {
    ENCODING.iter().for_each(|name| drop(attrs.remove(name)));
}

pub(super) fn is_now(stored: DType, wanted: &mut Wanted, meta: &mut VarMeta) {
    meta.stored = StoredType::native(stored);
    meta.fill = None;
    wanted.stored = stored;
}

/// Whether an integer type holds a number.
fn holds(dtype: DType, x: f64) -> bool {
    let range = integer_range(dtype);
    x.fract() == 0.0 && range.is_some_and(|(low, high)| x >= low as f64 && x <= high as f64)
}

/// Whether a value of a type can be any number of an attribute.
pub(super) fn can_be(value: &Value, dtype: DType) -> bool {
    let can = |x: &f64| match dtype {
        DType::F16 | DType::F32 => !x.is_finite() || (*x as f32).is_finite(),
        DType::F64 => true,
        DType::Bool => *x == 0.0 || *x == 1.0,
        _ => holds(dtype, *x),
    };
    match value {
        Value::Bool(_) => dtype == DType::Bool,
        _ => value.numbers().is_some_and(|numbers| numbers.iter().any(can)),
    }
}

/// Numbers as an attribute of another type; `None` where that does not hold them.
pub(super) fn attribute_as(value: &Value, dtype: DType) -> Option<Value> {
    let numbers = value.numbers()?;
    let fits = |x: &f64| match dtype {
        DType::F16 | DType::F32 => !x.is_finite() || (*x as f32).is_finite(),
        DType::F64 => true,
        // Beyond 2^53 the number that is looked at is not the attribute's.
        _ => holds(dtype, *x) && (x.abs() <= (1u64 << 53) as f64 || value.dtype() == Some(dtype)),
    };
    if !numbers.iter().all(fits) || value.dtype() == Some(dtype) {
        return (value.dtype() == Some(dtype)).then(|| value.clone());
    }
    Some(Value::of_numbers(dtype, &numbers))
}

/// The attributes of [`ENCODING`] that are numbers of the stored type.
const OF_STORED_TYPE: [&str; 7] =
    ["_FillValue", "missing_value", "valid_min", "valid_max", "valid_range", "flag_values", "flag_masks"];

/// The attributes that are numbers of the variable's own type, in another one.
///
/// # Errors
/// With the name of one that the type does not hold.
pub(super) fn retype(attrs: &mut Attrs, dtype: DType) -> Result<(), &'static str> {
    for name in OF_STORED_TYPE {
        let Some(value) = attrs.get(name).filter(|v| v.dtype().is_some()) else { continue };
        match attribute_as(value, dtype) {
            Some(value) => attrs.set(name, value),
            None => return Err(name),
        }
    }
    Ok(())
}

/// Gives flags the type of their variable, as CF wants them, where it holds them.
pub(super) fn flags_as(attrs: &mut Attrs, dtype: DType) {
    for name in ["flag_values", "flag_masks"] {
        if let Some(value) = attrs.get(name).and_then(|v| attribute_as(v, dtype)) {
            attrs.set(name, value);
        }
    }
}

fn cast(stored: DType, wanted: &mut Wanted, meta: &mut VarMeta) -> Result<()> {
    let Some(from) = meta.stored.dtype() else { return Ok(()) };
    let is_packed = is_stored(wanted) && decoding::is_packed(&meta.attrs);
    if from == stored && !is_packed {
        return Ok(());
    }
    let variable = meta.path.clone();
    let mut attrs = meta.attrs.clone();
    let as_stored = !is_packed && from.is_float() <= stored.is_float() && retype(&mut attrs, stored).is_ok();
    if as_stored {
        // Fills go the way of all numbers.
        wanted.array = map(&wanted.array, Arc::new(Cast { variable, stored, fill: None }), stored)?;
        meta.attrs = attrs;
        is_now(stored, wanted, meta);
        return Ok(());
    }
    let values = values(wanted, meta)?;
    let own = meta.attrs.get("_FillValue").and_then(Value::number).filter(|x| holds(stored, *x));
    let fill = match integer_range(stored) {
        Some((low, _)) if !values.dtype().is_float() => own.map(|x| x as i64).or((low < 0).then_some(low as i64)),
        Some((low, high)) => {
            Some(own.map_or(if low < 0 { low } else { high.min(i64::MAX.into()) } as i64, |x| x as i64))
        }
        None => None,
    };
    let can_miss = values.dtype().is_float();
    let had_fill = meta.attrs.get("_FillValue").is_some();
    let function = Cast { variable, stored, fill: if can_miss { fill } else { None } };
    wanted.array = map(&values, Arc::new(function), stored)?;
    forget_encoding(&mut meta.attrs);
    match fill {
        Some(fill) if can_miss => meta.attrs.set("_FillValue", Value::of_numbers(stored, &[fill as f64])),
        None if had_fill => meta.attrs.set("_FillValue", Value::of_numbers(stored, &[f64::NAN])),
        _ => {}
    }
    flags_as(&mut meta.attrs, stored);
    is_now(stored, wanted, meta);
    Ok(())
}

fn bit_round(keep_bits: u32, wanted: &mut Wanted, meta: &mut VarMeta) -> Result<()> {
    let order = Order::row_major(ByteOrder::NATIVE, meta.shape.len());
    let dtype = wanted.array.dtype();
    let decode = decoding::decoding(meta, &order, ValidRange::Ignore)?;
    let near = |x: f64| with_dtype!(dtype, T => T::from_f64(x).to_f64());
    let missing = decode.missing.iter().map(|n| match n {
        crate::kernels::decode::Number::Int(n) => near(*n as f64),
        crate::kernels::decode::Number::Float(x) => near(*x),
    });
    let function = BitRound { keep_bits, missing: missing.collect() };
    wanted.array = map(&wanted.array, Arc::new(function), dtype)?;
    meta.attrs.set("quantization_nsb", Value::I32(vec![keep_bits as i32]));
    Ok(())
}
