//! Arrays in NumPy's words: what `numpy.array2string(a, separator=', ')` prints with its default options.

use super::number::Number;
use crate::{dtype::DType, shape::Shape};

const EDGE_ITEMS: u64 = 3;
const THRESHOLD: u64 = 1000;
const PRECISION: usize = 8;
const LINE_WIDTH: usize = 75;
const SEPARATOR: &str = ", ";

/// The array as NumPy prints it; of more than a thousand elements only the corners.
pub fn array2string(dtype: DType, shape: &Shape, data: &[u8]) -> String {
    let size = shape.elements().unwrap_or(0);
    if size == 0 {
        return "[]".into();
    }
    let printer = Printer { dtype, shape, strides: shape.strides(), data, summary: size > THRESHOLD };
    let mut shown = Vec::new();
    printer.visit(0, 0, &mut shown);
    let format = Format::of(dtype, &shown, shape.is_empty());
    printer.print(0, 0, " ".into(), LINE_WIDTH, &format)
}

struct Printer<'a> {
    dtype: DType,
    shape: &'a Shape,
    strides: Vec<u64>,
    data: &'a [u8],
    summary: bool,
}

impl Printer<'_> {
    fn number(&self, offset: u64) -> Option<Number> {
        Number::at(self.dtype, self.data, usize::try_from(offset).ok()?)
    }

    fn cut(&self, axis: usize) -> bool {
        self.summary && self.shape[axis] > 2 * EDGE_ITEMS
    }

    /// The positions along an axis that are shown.
    fn items(&self, axis: usize) -> Vec<u64> {
        let len = self.shape[axis];
        if self.cut(axis) { (0..EDGE_ITEMS).chain(len - EDGE_ITEMS..len).collect() } else { (0..len).collect() }
    }

    fn visit(&self, axis: usize, offset: u64, shown: &mut Vec<Number>) {
        if axis == self.shape.len() {
            shown.extend(self.number(offset));
            return;
        }
        for i in self.items(axis) {
            self.visit(axis + 1, offset + i * self.strides[axis], shown);
        }
    }

    /// The recursion of NumPy's `_formatArray`.
    fn print(&self, axis: usize, offset: u64, indent: String, width: usize, format: &Format) -> String {
        let left = self.shape.len() - axis;
        if left == 0 {
            return self.number(offset).map(|n| format.word(n)).unwrap_or_default();
        }
        let next_indent = format!("{indent} ");
        let mut words = Vec::new();
        for (k, i) in self.items(axis).into_iter().enumerate() {
            if self.cut(axis) && k as u64 == EDGE_ITEMS {
                words.push("...".into());
            }
            let next = offset + i * self.strides[axis];
            words.push(self.print(axis + 1, next, next_indent.clone(), width.saturating_sub(1), format));
        }
        if left > 1 {
            let between = format!("{}{}{indent}", SEPARATOR.trim_end(), "\n".repeat(left - 1));
            return format!("[{}]", words.join(&between));
        }
        format!("[{}]", wrap(&words, &indent, width.saturating_sub(1)).get(indent.len()..).unwrap_or_default())
    }
}

/// Words in lines of at most `width`, each line behind `indent`.
fn wrap(words: &[String], indent: &str, width: usize) -> String {
    let mut done = String::new();
    let mut line = indent.to_string();
    for (k, word) in words.iter().enumerate() {
        if line.len() + word.len() > width && line.len() > indent.len() {
            done.push_str(line.trim_end());
            done.push('\n');
            line = indent.to_string();
        }
        line.push_str(word);
        if k + 1 < words.len() {
            line.push_str(SEPARATOR);
        }
    }
    done + &line
}

/// How every element of one array is printed, so that columns align.
enum Format {
    Bool { scalar: bool },
    Integer { width: usize },
    Positional { left: usize, right: usize },
    Exponent { left: usize, digits: usize, exponent: usize },
}

impl Format {
    fn of(dtype: DType, shown: &[Number], scalar: bool) -> Format {
        if dtype == DType::Bool {
            return Format::Bool { scalar };
        }
        if !dtype.is_float() {
            return Format::Integer { width: shown.iter().map(|n| n.exact().len()).max().unwrap_or(0) };
        }
        let finite: Vec<Number> = shown.iter().copied().filter(|n| n.float().is_some_and(f64::is_finite)).collect();
        let exponent = wants_exponent(dtype, &finite);
        let parts: Vec<_> =
            finite.iter().map(|&n| if exponent { scientific_parts(n) } else { positional_parts(n) }).collect();
        let widest = |of: fn(&Parts) -> usize| parts.iter().map(of).max().unwrap_or(0);
        let (mut left, fraction, digits) =
            (widest(|p| p.whole.len()), widest(|p| p.fraction.len()), widest(|p| p.exponent.len()));
        // The sign is not a digit of the exponent.
        let digits = digits.saturating_sub(1);
        let right = if exponent { digits + 2 + fraction } else { fraction };
        for n in shown.iter().filter_map(|n| n.float()).filter(|x| !x.is_finite()) {
            let len = if n == f64::NEG_INFINITY { 4 } else { 3 };
            left = left.max(usize::saturating_sub(len, right + 1));
        }
        if exponent {
            Format::Exponent { left, digits: fraction, exponent: digits }
        } else {
            Format::Positional { left, right }
        }
    }

    fn word(&self, n: Number) -> String {
        let broken = match n.float() {
            Some(x) if x.is_nan() => Some("nan"),
            Some(f64::INFINITY) => Some("inf"),
            Some(f64::NEG_INFINITY) => Some("-inf"),
            _ => None,
        };
        match (self, broken) {
            (Format::Bool { scalar }, _) => match n {
                Number::Bool(true) if *scalar => "True".into(),
                Number::Bool(true) => " True".into(),
                _ => "False".into(),
            },
            (Format::Integer { width }, _) => format!("{:>width$}", n.exact()),
            (Format::Positional { left, right }, Some(word)) => format!("{word:>width$}", width = left + right + 1),
            (Format::Exponent { left, digits, exponent }, Some(word)) => {
                format!("{word:>width$}", width = left + digits + exponent + 3)
            }
            (Format::Positional { left, right }, None) => {
                let p = positional_parts(n);
                format!("{:>left$}.{:<right$}", p.whole, p.fraction)
            }
            (Format::Exponent { left, digits, exponent }, None) => {
                // Not the shortest digits with zeros behind them: NumPy goes on with the exact ones.
                let p = split_exponent(&format!("{:.digits$e}", n.float().unwrap_or(0.0)));
                let (sign, power) = p.exponent.split_at(1);
                format!("{:>left$}.{}e{sign}{power:0>exponent$}", p.whole, p.fraction)
            }
        }
    }
}

/// NumPy's choice: large, tiny or far apart.
fn wants_exponent(dtype: DType, finite: &[Number]) -> bool {
    let sizes = finite.iter().filter_map(|n| n.float()).filter(|&x| x != 0.0).map(f64::abs);
    let (min, max) = sizes.fold((f64::INFINITY, 0.0), |(lo, hi): (f64, f64), x| (lo.min(x), hi.max(x)));
    if max == 0.0 {
        return false;
    }
    // The cut-offs are compared in the array's own type.
    let (large, tiny, ratio) = match dtype {
        DType::F16 => (1e3, half::f16::from_f64(1e-4).into(), half::f16::from_f64(max / min).into()),
        DType::F32 => (1e6, f64::from(1e-4f32), f64::from((max / min) as f32)),
        _ => (1e8, 1e-4, max / min),
    };
    max >= large || min < tiny || ratio > 1000.0
}

struct Parts {
    whole: String,
    fraction: String,
    exponent: String,
}

/// At most [`PRECISION`] digits behind the point, and none that are not needed.
fn positional_parts(n: Number) -> Parts {
    let x = n.float().unwrap_or(0.0);
    let (mantissa, exponent) = shortest(n);
    let fraction = (mantissa.len() as i64 - 1 - exponent).clamp(0, PRECISION as i64) as usize;
    let text = format!("{x:.fraction$}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    Parts { whole: whole.into(), fraction: fraction.trim_end_matches('0').into(), exponent: String::new() }
}

/// At most [`PRECISION`] digits behind the first, and none that are not needed.
fn scientific_parts(n: Number) -> Parts {
    let x = n.float().unwrap_or(0.0);
    let (mantissa, _) = shortest(n);
    let text = match mantissa.len() {
        len if len > PRECISION + 1 => format!("{x:.PRECISION$e}"),
        _ => n.scientific().unwrap_or_default(),
    };
    let mut parts = split_exponent(&text);
    parts.fraction.truncate(parts.fraction.trim_end_matches('0').len());
    parts
}

/// `-1.25e-7` as `-1`, `25` and `-07`.
fn split_exponent(text: &str) -> Parts {
    let (digits, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let (sign, power) = exponent.strip_prefix('-').map_or(('+', exponent), |power| ('-', power));
    Parts { whole: whole.into(), fraction: fraction.into(), exponent: format!("{sign}{power:0>2}") }
}

/// The shortest digits that name the number in its own type, and the power of ten of the first.
fn shortest(n: Number) -> (String, i64) {
    let text = n.scientific().unwrap_or_default();
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    (digits.chars().filter(char::is_ascii_digit).collect(), exponent.parse().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each case of the fixture is a header line `dtype shape bytes-in-hex`, then what NumPy printed.
    #[test]
    fn prints_what_numpy_prints() {
        let cases = include_str!("../../fixtures/report/numpy.txt");
        let mut count = 0;
        for case in cases.split("=== ").skip(1) {
            let (head, expected) = case.split_once('\n').unwrap();
            let [name, lengths, hex] = head.split(' ').collect::<Vec<_>>()[..] else { panic!("{head}") };
            let dtype = DType::ALL.into_iter().find(|d| d.name() == name).unwrap();
            let shape: Shape =
                lengths.split('x').filter(|t| !t.is_empty()).map(|t| t.parse::<u64>().unwrap()).collect();
            let mut data: Vec<u8> =
                (0..hex.len() / 2).map(|k| u8::from_str_radix(&hex[2 * k..2 * k + 2], 16).unwrap()).collect();
            if cfg!(target_endian = "big") {
                crate::dtype::swap_in_place(&mut data, dtype.size());
            }
            // A case whose values run on is written by its first bytes only: the rest counts up.
            if data.is_empty() && !shape.contains(&0) {
                let n = shape.elements().unwrap();
                data = (0..n).flat_map(|k| (k as f64 / 4.0).to_ne_bytes()).collect();
            }
            assert_eq!(array2string(dtype, &shape, &data), expected.trim_end_matches('\n'), "{head}");
            count += 1;
        }
        assert!(count > 40, "{count} cases");
    }
}
