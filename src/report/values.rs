//! The values of a result: abbreviated as xarray and NumPy show them ([`repr`]), or all of them ([`json`], [`csv`]).

use super::{
    json::{plain, string},
    number::Number,
    numpy::array2string,
    text::{abbreviate, attribute, escape},
};
use crate::{
    attrs::Attrs,
    cf::{decoding::is_packed, time::TimeUnits},
    dtype::DType,
    shape::Shape,
};
use std::io::{Result, Write};

/// A result in memory.
pub struct Printed<'a> {
    /// The variable's name.
    pub name: &'a str,
    /// The names of its dimensions.
    pub dims: &'a [String],
    /// Their lengths.
    pub shape: &'a Shape,
    /// The type of its values.
    pub dtype: DType,
    /// Its attributes.
    pub attrs: &'a Attrs,
    /// Its values, row-major in this machine's byte order.
    pub data: &'a [u8],
    /// A dimension's name and the label of each position along it, for the dimensions that have coordinates.
    pub coords: &'a [(String, Vec<String>)],
}

impl Printed<'_> {
    /// The labels along dimension `axis`: its coordinate's, or `None` where it has none of the right length.
    fn labels(&self, axis: usize) -> Option<&[String]> {
        let (name, len) = (self.dims.get(axis)?, *self.shape.get(axis)?);
        self.coords.iter().find(|(n, l)| n == name && l.len() as u64 == len).map(|(_, l)| l.as_slice())
    }

    /// The number of elements that are there.
    fn len(&self) -> u64 {
        let held = (self.data.len() / self.dtype.size()) as u64;
        self.shape.elements().map_or(0, |n| n.min(held))
    }

    fn number(&self, n: u64) -> Option<Number> {
        Number::at(self.dtype, self.data, usize::try_from(n).ok()?)
    }
}

/// Name, dimensions and type, then the values in NumPy's words, coordinates and attributes.
///
/// # Errors
/// When `w` refuses.
pub fn repr(w: &mut dyn Write, p: &Printed) -> Result<()> {
    let dims: Vec<String> = p.dims.iter().zip(p.shape.iter()).map(|(d, n)| format!("{}: {n}", escape(d))).collect();
    let units = p.attrs.get("units").map(|u| format!(" units: {}", attribute(u))).unwrap_or_default();
    writeln!(w, "<{} ({}) {}>{units}", escape(p.name), dims.join(", "), p.dtype)?;
    writeln!(w, "{}", array2string(p.dtype, p.shape, p.data))?;
    if !p.coords.is_empty() {
        writeln!(w, "Coordinates:")?;
        let width = p.coords.iter().map(|(name, _)| escape(name).chars().count()).max().unwrap_or(0);
        for (name, labels) in p.coords {
            let (mark, of) =
                if p.dims.contains(name) { ('*', format!("({})", escape(name))) } else { (' ', "()".into()) };
            let labels: Vec<String> = labels.iter().map(|l| escape(l)).collect();
            writeln!(w, "  {mark} {:<width$}  {of} {}", escape(name), abbreviate(&labels, 4, " "))?;
        }
    }
    if !p.attrs.is_empty() {
        writeln!(w, "Attributes:")?;
        for (name, value) in p.attrs.iter() {
            writeln!(w, "    {}: {}", escape(name), attribute(value))?;
        }
    }
    Ok(())
}

/// Everything as one JSON object: `{"name", "dims", "shape", "dtype", "attrs", "coords", "data"}`.
///
/// *Missing*: NaN is `null`, infinities are strings. `data` is nested as the dimensions are, a scalar is bare.
///
/// # Errors
/// When `w` refuses.
pub fn json(w: &mut dyn Write, p: &Printed) -> Result<()> {
    let dims: Vec<String> = p.dims.iter().map(|d| string(d)).collect();
    let lengths: Vec<String> = p.shape.iter().map(u64::to_string).collect();
    write!(w, "{{\"name\":{},\"dims\":[{}],\"shape\":[{}]", string(p.name), dims.join(","), lengths.join(","))?;
    let attrs: serde_json::Map<_, _> = p.attrs.iter().map(|(n, v)| (n.to_string(), plain(v))).collect();
    write!(w, ",\"dtype\":\"{}\",\"attrs\":{}", p.dtype, serde_json::Value::Object(attrs))?;
    let coords: serde_json::Map<_, _> = p.coords.iter().map(|(n, l)| (n.clone(), l.clone().into())).collect();
    write!(w, ",\"coords\":{},\"data\":", serde_json::Value::Object(coords))?;
    nested(w, p, 0, &mut 0)?;
    writeln!(w, "}}")
}

fn nested(w: &mut dyn Write, p: &Printed, axis: usize, next: &mut u64) -> Result<()> {
    let Some(&len) = p.shape.get(axis) else {
        let number = p.number(*next);
        *next += 1;
        return match number {
            Some(n) if n.float().is_some_and(f64::is_nan) => w.write_all(b"null"),
            Some(n) if n.float().is_some_and(f64::is_infinite) => {
                let minus = if n.float() < Some(0.0) { "-" } else { "" };
                write!(w, "\"{minus}Infinity\"")
            }
            Some(n) => w.write_all(n.exact().as_bytes()),
            None => w.write_all(b"null"),
        };
    };
    w.write_all(b"[")?;
    for k in 0..len {
        if *next >= p.len() && p.len() > 0 {
            break;
        }
        if k > 0 {
            w.write_all(b",")?;
        }
        nested(w, p, axis + 1, next)?;
    }
    w.write_all(b"]")
}

/// A header and one row an element: the label (or position) along each dimension, then the value.
///
/// Numbers have the fewest digits that read back as the same number; missing is `NaN`.
///
/// # Errors
/// When `w` refuses.
pub fn csv(w: &mut dyn Write, p: &Printed) -> Result<()> {
    let header: Vec<String> = p.dims.iter().map(String::as_str).chain([p.name]).map(field).collect();
    writeln!(w, "{}", header.join(","))?;
    let strides = p.shape.strides();
    let labels: Vec<Option<Vec<String>>> =
        (0..p.shape.len()).map(|k| p.labels(k).map(|l| l.iter().map(|t| field(t)).collect())).collect();
    for n in 0..p.len() {
        for (axis, labels) in labels.iter().enumerate() {
            let position = n / strides[axis].max(1) % p.shape[axis].max(1);
            match labels.as_ref().and_then(|l| l.get(position as usize)) {
                Some(label) => write!(w, "{label},")?,
                None => write!(w, "{position},")?,
            }
        }
        writeln!(w, "{}", p.number(n).map(Number::exact).unwrap_or_default())?;
    }
    Ok(())
}

/// One CSV field, quoted where RFC 4180 asks for it.
fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.into() }
}

/// The values of a coordinate as labels, exact; those of time as dates, where its attributes say which.
pub fn labels(attrs: &Attrs, dtype: DType, data: &[u8]) -> Vec<String> {
    let numbers = || (0..data.len() / dtype.size()).filter_map(|n| Number::at(dtype, data, n));
    dates(attrs, numbers()).unwrap_or_else(|| numbers().map(Number::exact).collect())
}

fn dates(attrs: &Attrs, numbers: impl Iterator<Item = Number>) -> Option<Vec<String>> {
    let units = TimeUnits::of(attrs).ok()?.filter(|_| !is_packed(attrs))?;
    let date = |number: Number| {
        let at = match number {
            Number::Int(n) => Some(units.decode_i64(i64::try_from(n).ok()?).ok()?),
            other => units.decode(other.float()?).ok()?,
        };
        Some(at.map_or_else(|| "NaT".to_string(), |at| units.calendar().date(at).to_string()))
    };
    numbers.map(date).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(run: fn(&mut dyn Write, &Printed) -> Result<()>, p: &Printed) -> String {
        let mut out = Vec::new();
        run(&mut out, p).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_three_forms_of_one_result() {
        let data: Vec<u8> =
            [0.1f32, f32::NAN, -2.5, f32::INFINITY, 1e10, 0.0].iter().flat_map(|x| x.to_ne_bytes()).collect();
        let mut attrs = Attrs::new();
        attrs.set("units", "K");
        let dims = ["lat".to_string(), "x,y".to_string()];
        let coords = [("lat".to_string(), vec!["-45.5".to_string(), "45.5".into()])];
        let shape = vec![2, 3].into();
        let p = Printed {
            name: "t",
            dims: &dims,
            shape: &shape,
            dtype: DType::F32,
            attrs: &attrs,
            data: &data,
            coords: &coords,
        };
        assert_eq!(
            text(repr, &p),
            "<t (lat: 2, x,y: 3) float32> units: K\n\
             [[ 1.0e-01,      nan, -2.5e+00],\n [     inf,  1.0e+10,  0.0e+00]]\n\
             Coordinates:\n  * lat  (lat) -45.5 45.5\nAttributes:\n    units: K\n"
        );
        assert_eq!(
            text(json, &p),
            "{\"name\":\"t\",\"dims\":[\"lat\",\"x,y\"],\"shape\":[2,3],\"dtype\":\"float32\",\"attrs\":{\"units\":\"K\"},\
             \"coords\":{\"lat\":[\"-45.5\",\"45.5\"]},\"data\":[[0.1,null,-2.5],[\"Infinity\",10000000000.0,0.0]]}\n"
        );
        assert_eq!(
            text(csv, &p),
            "lat,\"x,y\",t\n-45.5,0,0.1\n-45.5,1,NaN\n-45.5,2,-2.5\n45.5,0,inf\n45.5,1,10000000000.0\n45.5,2,0.0\n"
        );
    }

    #[test]
    fn labels_of_time_are_dates() {
        let of = |units: &str, calendar: &str, hours: &[f64]| {
            let mut attrs = Attrs::new();
            attrs.set("units", units);
            attrs.set("calendar", calendar);
            labels(&attrs, DType::F64, bytemuck::cast_slice(hours))
        };
        let since = "hours since 2000-02-28";
        assert_eq!(
            of(since, "standard", &[24.0, f64::NAN, 48.5]),
            ["2000-02-29T00:00:00", "NaT", "2000-03-01T00:30:00"]
        );
        assert_eq!(of(since, "noleap", &[24.0]), ["2000-03-01T00:00:00"]);
        assert_eq!(of("hours", "standard", &[24.0]), ["24.0"], "a duration");
        assert_eq!(of("hours since then", "standard", &[24.0]), ["24.0"]);
        let mut attrs = Attrs::new();
        attrs.set("units", "nanoseconds since 1970-01-01");
        let day = (86_400_000_000_000i64).to_ne_bytes();
        assert_eq!(labels(&attrs, DType::I64, &day), ["1970-01-02T00:00:00"]);
        attrs.set("scale_factor", crate::attrs::Value::F64(vec![0.5]));
        assert_eq!(labels(&attrs, DType::I64, &day), ["86400000000000"], "what is packed is no time yet");
    }

    #[test]
    fn scalars_and_nothing() {
        let attrs = Attrs::new();
        let data = 5i64.to_ne_bytes();
        let shape = Shape::default();
        let p =
            Printed { name: "n", dims: &[], shape: &shape, dtype: DType::I64, attrs: &attrs, data: &data, coords: &[] };
        assert_eq!(text(repr, &p), "<n () int64>\n5\n");
        assert_eq!(text(csv, &p), "n\n5\n");
        assert!(text(json, &p).ends_with("\"data\":5}\n"));
        let (dims, shape) = (["a".to_string(), "b".into()], vec![2, 0].into());
        let p = Printed { dims: &dims, shape: &shape, data: &[], ..p };
        assert_eq!(text(repr, &p), "<n (a: 2, b: 0) int64>\n[]\n");
        assert_eq!(text(csv, &p), "a,b,n\n");
        assert!(text(json, &p).ends_with("\"data\":[[],[]]}\n"));
    }
}
