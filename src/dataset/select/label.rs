//! Labels to positions: `850`, `30:60`, `Zurich`, and what is near them.

use super::{Inexact, times::Times};
use crate::error::{Error, Result};

/// The labels of a dimension.
pub(super) enum Labels {
    /// Numbers; `single` where they have the precision of 32 bits.
    Numbers { values: Vec<f64>, single: bool, circle: bool },
    /// Dates.
    Times(Times),
    /// Words.
    Texts(Vec<String>),
}

/// The positions that labels mean.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Found {
    pub positions: Vec<u64>,
    /// Whether it is one, so that the dimension goes.
    pub is_one: bool,
    /// By how much each position's label is moved, where some are: by whole circles.
    pub moved: Vec<f64>,
}

/// How labels are looked for that are not there.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Near {
    pub inexact: Option<Inexact>,
    pub tolerance: Option<f64>,
}

/// A label that is typed in decimals is another number than its neighbour in 32 bits.
const SLACK: f64 = 1e-6;

/// Whole circles of longitude are the same place.
pub(in crate::dataset) const CIRCLE: f64 = 360.0;

impl Labels {
    /// The positions that `text` means: one label, several with commas, or a range with a colon.
    ///
    /// # Errors
    /// When the text says no labels of this kind, or none of them is there.
    pub fn find(&self, text: &str, near: Near) -> Result<Found> {
        match self {
            Labels::Texts(all) => words(all, text),
            Labels::Times(times) => times.find(text, near),
            Labels::Numbers { values, single, circle } => {
                let shown = |x: f64| if *single { (x as f32).to_string() } else { x.to_string() };
                Numbers { values, slack: SLACK, circle: *circle, near, shown: &shown }.find(text)
            }
        }
    }
}

fn words(all: &[String], text: &str) -> Result<Found> {
    let at = |word: &str| {
        let word = word.trim();
        all.iter().position(|w| w.trim_end() == word).map(|k| k as u64).ok_or_else(|| {
            let near = crate::error::closest(word, all.iter().map(String::as_str));
            let shown = near.iter().take(5).map(|w| w.trim_end()).collect::<Vec<_>>().join(", ");
            Error::usage(format!("there is no '{word}'; there are {shown}{}", if all.len() > 5 { " ..." } else { "" }))
        })
    };
    if let Ok(one) = at(text) {
        return Ok(Found { positions: vec![one], is_one: true, moved: Vec::new() });
    }
    if text.contains(',') {
        let positions = text.split(',').map(at).collect::<Result<Vec<u64>>>()?;
        return Ok(Found { positions, ..Found::default() });
    }
    let Some((from, to)) = text.split_once(':') else { return Err(at(text).err().unwrap_or_else(|| nothing(text))) };
    let from = if from.is_empty() { 0 } else { at(from)? };
    let to = if to.is_empty() { (all.len() as u64).saturating_sub(1) } else { at(to)? };
    if from > to {
        return Err(Error::usage(format!("'{text}' is the wrong way round")));
    }
    Ok(Found { positions: (from..=to).collect(), ..Found::default() })
}

fn nothing(text: &str) -> Error {
    Error::usage(format!("nothing is selected by '{text}'"))
}

/// Numbers to look for others in.
pub(super) struct Numbers<'a> {
    pub values: &'a [f64],
    /// The part of a number by which it may be off and still be the same.
    pub slack: f64,
    /// Whether 360 is 0.
    pub circle: bool,
    pub near: Near,
    /// A number as people read it.
    pub shown: &'a dyn Fn(f64) -> String,
}

impl Numbers<'_> {
    fn find(&self, text: &str) -> Result<Found> {
        let number = |word: &str| {
            word.trim().parse::<f64>().ok().filter(|x| x.is_finite()).ok_or_else(|| {
                Error::usage(format!("'{word}' is no number; labels are as 850, a range 30:60, a list 850,500"))
            })
        };
        if let Some((from, to)) = text.split_once(':') {
            let end = |word: &str| if word.trim().is_empty() { Ok(None) } else { number(word).map(Some) };
            return self.range(end(from)?, end(to)?);
        }
        let all = text.split(',').map(number).collect::<Result<Vec<f64>>>()?;
        let each = all.iter().map(|&x| self.one(x)).collect::<Result<Vec<_>>>()?;
        let moved: Vec<f64> = each.iter().map(|e| e.1).collect();
        let moved = if moved.iter().any(|m| *m != 0.0) { moved } else { Vec::new() };
        Ok(Found { positions: each.into_iter().map(|e| e.0).collect(), is_one: all.len() == 1, moved })
    }

    fn slack(&self, x: f64) -> f64 {
        if x.is_finite() { x.abs() * self.slack } else { 0.0 }
    }

    /// Everything between two ends, which count, in whatever order they are given.
    fn range(&self, from: Option<f64>, to: Option<f64>) -> Result<Found> {
        let (mut low, mut high) = (from.unwrap_or(f64::NEG_INFINITY), to.unwrap_or(f64::INFINITY));
        if self.circle && low > high {
            // Eastwards over the edge.
            high += CIRCLE * ((low - high) / CIRCLE).ceil();
        } else if low > high {
            (low, high) = (high, low);
        }
        let (below, above) = (low - self.slack(low), high + self.slack(high));
        let inside = |x: f64| x >= below && x <= above;
        let mut pieces: Vec<(f64, Vec<u64>)> = Vec::new();
        let mut used = vec![false; self.values.len()];
        // What is inside as it is stays so; what is only inside a circle further is taken from there.
        for turn in if self.circle && low.is_finite() && high.is_finite() { TURNS.as_slice() } else { &[0.0] } {
            let moved = turn * CIRCLE;
            let fits = |k: &usize| !used[*k] && inside(self.values[*k] + moved);
            let here: Vec<usize> = (0..self.values.len()).filter(fits).collect();
            here.iter().for_each(|&k| used[k] = true);
            if !here.is_empty() {
                pieces.push((moved, here.into_iter().map(|k| k as u64).collect()));
            }
        }
        if pieces.is_empty() {
            let shown = |x: f64| self.shown(x);
            let ends = match (from, to) {
                (Some(a), Some(b)) => format!("between {} and {}", shown(a), shown(b)),
                (Some(a), None) => format!("from {} on", shown(a)),
                (None, Some(b)) => format!("up to {}", shown(b)),
                (None, None) => "at all".to_string(),
            };
            return Err(Error::usage(format!("nothing lies {ends}; {}", self.extent())));
        }
        let is_down = self.values.len() > 1 && self.values[0] > self.values[self.values.len() - 1];
        pieces.sort_by(|a, b| if is_down { b.0.total_cmp(&a.0) } else { a.0.total_cmp(&b.0) });
        let is_moved = pieces.iter().any(|p| p.0 != 0.0);
        let moved = pieces.iter().flat_map(|(by, at)| vec![*by; at.len()]).collect();
        let positions = pieces.into_iter().flat_map(|p| p.1).collect();
        Ok(Found { positions, is_one: false, moved: if is_moved { moved } else { Vec::new() } })
    }

    /// The position of one number, and by how much its label is moved.
    ///
    /// # Errors
    /// When it is not there, nor anything that is near enough.
    pub fn one(&self, wanted: f64) -> Result<(u64, f64)> {
        let off = |x: f64| {
            let turns = if self.circle { ((wanted - x) / CIRCLE).round() } else { 0.0 };
            (turns * CIRCLE, wanted - x - turns * CIRCLE)
        };
        let allowed = |far: f64, least: f64| far <= self.near.tolerance.unwrap_or(least);
        let exact = self.nearest(off).filter(|k| off(self.values[*k]).1.abs() <= self.slack(wanted));
        let found = match (exact, self.near.inexact) {
            (Some(k), _) => Some(k),
            (None, None) => None,
            (None, Some(Inexact::Nearest)) => self.nearest(off),
            (None, Some(how)) => self.neighbour(wanted, how)?,
        };
        let found = found.filter(|k| exact.is_some() || allowed(off(self.values[*k]).1.abs(), f64::INFINITY));
        found.map(|k| (k as u64, off(self.values[k]).0)).ok_or_else(|| self.missing(wanted))
    }

    /// The nearest number; of two equally near the larger, as pandas does it.
    fn nearest(&self, off: impl Fn(f64) -> (f64, f64)) -> Option<usize> {
        let known = (0..self.values.len()).filter(|&k| !self.values[k].is_nan());
        known.min_by(|&a, &b| {
            let (p, q) = (off(self.values[a]).1, off(self.values[b]).1);
            p.abs().total_cmp(&q.abs()).then(p.total_cmp(&q)).then(a.cmp(&b))
        })
    }

    /// What comes before a number along the dimension, or behind it.
    fn neighbour(&self, wanted: f64, how: Inexact) -> Result<Option<usize>> {
        let up = self.values.windows(2).all(|w| w[0] < w[1]);
        if !up && !self.values.windows(2).all(|w| w[0] > w[1]) {
            return Err(Error::usage("its labels are not sorted, and nothing comes before or behind one"));
        }
        let is_before = |x: f64| if up { x <= wanted } else { x >= wanted };
        let count = self.values.iter().take_while(|x| is_before(**x)).count();
        Ok(match how {
            Inexact::Before => count.checked_sub(1),
            _ => Some(count).filter(|k| *k < self.values.len()),
        })
    }

    fn missing(&self, wanted: f64) -> Error {
        let below = self.values.iter().copied().filter(|x| *x < wanted).max_by(f64::total_cmp);
        let above = self.values.iter().copied().filter(|x| *x > wanted).min_by(f64::total_cmp);
        let near = match (below, above) {
            (Some(a), Some(b)) => format!("its neighbours are {} and {}", self.shown(a), self.shown(b)),
            _ => self.extent(),
        };
        let advice = match (self.near.inexact, self.near.tolerance) {
            (None, _) => "; give --sel-method nearest to take what is near".to_string(),
            (Some(_), Some(tolerance)) => format!("; nothing is within --tolerance {tolerance}"),
            (Some(Inexact::Before), None) => "; nothing comes before it".to_string(),
            (Some(_), None) => "; nothing comes behind it".to_string(),
        };
        Error::usage(format!("there is no {}; {near}{advice}", self.shown(wanted)))
    }

    fn extent(&self) -> String {
        let known = || self.values.iter().copied().filter(|x| !x.is_nan());
        match (known().min_by(f64::total_cmp), known().max_by(f64::total_cmp)) {
            (Some(low), Some(high)) => format!("it goes from {} to {}", self.shown(low), self.shown(high)),
            _ => "it has no labels".to_string(),
        }
    }

    fn shown(&self, x: f64) -> String {
        (self.shown)(x)
    }
}

/// As they are first; then from a circle to the west, and to the east.
const TURNS: [f64; 5] = [0.0, -1.0, 1.0, -2.0, 2.0];

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(values: &[f64]) -> Labels {
        Labels::Numbers { values: values.to_vec(), single: false, circle: false }
    }

    fn near(inexact: Inexact, tolerance: Option<f64>) -> Near {
        Near { inexact: Some(inexact), tolerance }
    }

    fn at(labels: &Labels, text: &str) -> (Vec<u64>, bool) {
        let found = labels.find(text, Near::default()).unwrap();
        (found.positions, found.is_one)
    }

    fn says(labels: &Labels, text: &str, near: Near) -> String {
        labels.find(text, near).unwrap_err().to_string()
    }

    #[test]
    fn ranges_go_either_way_and_hold_their_ends() {
        let down = numbers(&[90.0, 60.0, 30.0, 0.0]);
        for text in ["30:60", "60:30", "30:89"] {
            assert_eq!(at(&down, text), (vec![1, 2], false), "{text}");
        }
        assert_eq!(at(&down, "30:").0, [0, 1, 2]);
        assert_eq!(at(&down, ":30").0, [2, 3]);
        assert_eq!(at(&down, ":").0, [0, 1, 2, 3]);
        let single = numbers(&[f64::from(0.1f32), f64::from(0.2f32), f64::from(0.3f32)]);
        assert_eq!(at(&single, "0.1:0.2").0, [0, 1], "what is typed is not what 32 bits hold");
        assert_eq!(at(&single, "0.3"), (vec![2], true));
        let e = says(&down, "100:120", Near::default());
        assert_eq!(e, "nothing lies between 100 and 120; it goes from 0 to 90");
    }

    #[test]
    fn one_label_is_there_or_its_neighbours_are_named() {
        let levels = numbers(&[1000.0, 850.0, 500.0]);
        assert_eq!(at(&levels, "850"), (vec![1], true));
        assert_eq!(at(&levels, "500,1000"), (vec![2, 0], false));
        let e = says(&levels, "860", Near::default());
        assert_eq!(
            e,
            "there is no 860; its neighbours are 850 and 1000; give --sel-method nearest to take what is near"
        );
        assert!(says(&levels, "10", Near::default()).contains("it goes from 500 to 1000"));
        let one = |how: Inexact, text: &str| levels.find(text, near(how, None)).map(|f| f.positions[0]);
        assert_eq!(one(Inexact::Nearest, "860").unwrap(), 1);
        assert_eq!(one(Inexact::Nearest, "925").unwrap(), 0, "the larger of two");
        assert_eq!(one(Inexact::Before, "860").unwrap(), 0, "before it along the dimension");
        assert_eq!(one(Inexact::Behind, "860").unwrap(), 1);
        assert!(one(Inexact::Behind, "400").is_err() && one(Inexact::Before, "1100").is_err());
        let e = says(&levels, "860", near(Inexact::Nearest, Some(5.0)));
        assert!(e.contains("nothing is within --tolerance 5"), "{e}");
        assert!(says(&levels, "high", Near::default()).contains("'high' is no number"));
        let mixed = numbers(&[1.0, 3.0, 2.0]);
        assert!(says(&mixed, "2.5", near(Inexact::Before, None)).contains("not sorted"));
    }

    #[test]
    fn longitudes_go_round() {
        let east = |values: &[f64]| Labels::Numbers { values: values.to_vec(), single: false, circle: true };
        let whole = east(&[0.0, 90.0, 180.0, 270.0]);
        let found = whole.find("-100:100", Near::default()).unwrap();
        assert_eq!((found.positions, found.moved), (vec![3, 0, 1], vec![-360.0, 0.0, 0.0]));
        let found = whole.find("200:400", Near::default()).unwrap();
        assert_eq!((found.positions, found.moved), (vec![3, 0], vec![0.0, 360.0]));
        let found = whole.find("270:90", Near::default()).unwrap();
        assert_eq!((found.positions, found.moved), (vec![3, 0, 1], vec![0.0, 360.0, 360.0]));
        let found = whole.find("-180:180", Near::default()).unwrap();
        assert_eq!(found.positions, [3, 0, 1, 2], "each once");
        assert!(whole.find("0:180", Near::default()).unwrap().moved.is_empty());
        let signed = east(&[-180.0, -90.0, 0.0, 90.0]);
        let found = signed.find("80:200", Near::default()).unwrap();
        assert_eq!((found.positions, found.moved), (vec![3, 0], vec![0.0, 360.0]));
        let found = signed.find("270", Near::default()).unwrap();
        assert_eq!((found.positions, found.moved, found.is_one), (vec![1], vec![360.0], true));
        let down = east(&[270.0, 180.0, 90.0, 0.0]);
        let found = down.find("-100:100", Near::default()).unwrap();
        assert_eq!((found.positions, found.moved), (vec![2, 3, 0], vec![0.0, 0.0, -360.0]), "monotone downwards");
        let near = whole.find("-5", near(Inexact::Nearest, None)).unwrap();
        assert_eq!(near.positions, [0]);
    }

    #[test]
    fn words_are_found_as_they_are() {
        let names = Labels::Texts(["Bern", "Zurich  ", "a:b"].map(String::from).to_vec());
        assert_eq!(at(&names, "Zurich"), (vec![1], true));
        assert_eq!(at(&names, "a:b"), (vec![2], true));
        assert_eq!(at(&names, "Zurich,Bern"), (vec![1, 0], false));
        assert_eq!(at(&names, "Bern:Zurich"), (vec![0, 1], false));
        let e = says(&names, "Zuric", Near::default());
        assert!(e.starts_with("there is no 'Zuric'; there are Zurich"), "{e}");
    }
}
