//! Sums of products over common axes: `einsum`, `tensordot` and their kin, by matrix products where that is one.

use super::LazyArray;
use crate::{
    dtype::DType,
    error::{Error, Result},
};

/// Which axes `tensordot` sums over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contract {
    /// So many of the last axes of the first array with as many of the first axes of the second.
    Last(usize),
    /// These of the first with these of the second, pair by pair.
    Axes(Vec<i64>, Vec<i64>),
}

impl From<usize> for Contract {
    fn from(count: usize) -> Contract {
        Contract::Last(count)
    }
}

impl<const N: usize> From<(&[i64; N], &[i64; N])> for Contract {
    fn from((a, b): (&[i64; N], &[i64; N])) -> Contract {
        Contract::Axes(a.to_vec(), b.to_vec())
    }
}

/// An array whose axes have labels: equal labels are one index.
#[derive(Clone)]
struct Labelled {
    array: LazyArray,
    labels: Vec<usize>,
}

impl LazyArray {
    /// Sums of products over pairs of axes; the other axes of this array come first, then those of `other`.
    ///
    /// # Errors
    /// When there are not as many axes on both sides, or lengths differ.
    pub fn tensordot(&self, other: &LazyArray, axes: impl Into<Contract>) -> Result<LazyArray> {
        let (a, b) = match axes.into() {
            Contract::Last(n) if n > self.ndim() || n > other.ndim() => {
                let (p, q) = (self.ndim(), other.ndim());
                return Err(Error::usage(format!("tensordot over {n} axes of arrays of {p} and {q} dimensions")));
            }
            Contract::Last(n) => ((self.ndim() - n..self.ndim()).collect(), (0..n).collect()),
            Contract::Axes(a, b) => (self.axes(&a)?, other.axes(&b)?),
        };
        if a.len() != b.len() {
            return Err(Error::usage(format!("tensordot over {} axes on one side, {} on the other", a.len(), b.len())));
        }
        let first: Vec<usize> = (0..self.ndim()).collect();
        let mut second: Vec<usize> = (self.ndim()..self.ndim() + other.ndim()).collect();
        a.iter().zip(&b).for_each(|(&k, &l)| second[l] = k);
        let out: Vec<usize> = first.iter().filter(|k| !a.contains(k)).copied().collect();
        let rest = (0..other.ndim()).filter(|l| !b.contains(l)).map(|l| second[l]);
        let out: Vec<usize> = out.into_iter().chain(rest).collect();
        let dtype = self.dtype().promote(other.dtype());
        let (x, y) = (Labelled::new(self, first, dtype)?, Labelled::new(other, second, dtype)?);
        x.contract(&y, &out)?.laid_out(&out)
    }

    /// Sums of products by Einstein's rule, as `einsum("bij,bjk->bik", &[&a, &b])`: each letter is an index, and what
    /// the result does not name is summed over. Without `->`, the result has the letters that come once, in
    /// alphabetical order. A letter that comes twice in one array is its diagonal.
    ///
    /// Arrays are taken from left to right, two at a time. Integers wrap in their own type. There is no `...`.
    ///
    /// # Errors
    /// When the subscripts are not as the arrays, or lengths under one letter differ; the error names the subscript.
    ///
    /// # Example
    /// ```
    /// use aosx::prelude::*;
    ///
    /// let x = LazyArray::arange(0, 6, 1, &[6])?.reshape(&[2, 3])?;
    /// let squares = LazyArray::einsum("ij,ij->i", &[&x, &x])?;
    /// assert_eq!(Session::new().compute(&squares)?.to_vec::<i64>()?, [5, 50]);
    /// # Ok::<(), aosx::error::Error>(())
    /// ```
    pub fn einsum(subscripts: &str, arrays: &[&LazyArray]) -> Result<LazyArray> {
        let (inputs, out) = parse(subscripts)?;
        let wrong = |what: String| Error::usage(format!("einsum '{subscripts}': {what}"));
        if inputs.len() != arrays.len() {
            return Err(wrong(format!("{} subscripts for {} arrays", inputs.len(), arrays.len())));
        }
        let mut lengths = [None; 128];
        for (labels, array) in inputs.iter().zip(arrays) {
            let name: String = labels.iter().map(|&l| l as u8 as char).collect();
            if labels.len() != array.ndim() {
                return Err(wrong(format!("'{name}' for an array of {} dimensions", array.ndim())));
            }
            for (&label, &n) in labels.iter().zip(array.shape().iter()) {
                let have = *lengths[label].get_or_insert(n);
                if have != n {
                    return Err(wrong(format!("'{}' has lengths {have} and {n}", label as u8 as char)));
                }
            }
        }
        if let Some(&label) = out.iter().find(|&&l| lengths[l].is_none()) {
            return Err(wrong(format!("'{}' of the result is in no array", label as u8 as char)));
        }
        let dtype = arrays.iter().fold(DType::Bool, |d, a| d.promote(a.dtype()));
        let mut parts = Vec::new();
        for (labels, array) in inputs.into_iter().zip(arrays) {
            parts.push(Labelled::new(array, labels, dtype)?);
        }
        let mut parts = parts.into_iter();
        let mut left = parts.next().ok_or_else(|| wrong("no arrays".to_string()))?;
        while let Some(right) = parts.next() {
            let wanted: Vec<usize> = parts.as_slice().iter().flat_map(|p| &p.labels).chain(&out).copied().collect();
            left = left.contract(&right, &wanted)?;
        }
        left.summed(&out)?.laid_out(&out)
    }
}

/// The letters of each array, and of the result, as ASCII codes.
fn parse(subscripts: &str) -> Result<(Vec<Vec<usize>>, Vec<usize>)> {
    let wrong = |what: String| Error::usage(format!("einsum '{subscripts}': {what}"));
    let text: String = subscripts.chars().filter(|c| *c != ' ').collect();
    let (left, right) = text.split_once("->").map_or((text.as_str(), None), |(l, r)| (l, Some(r)));
    let letters = |part: &str| -> Result<Vec<usize>> {
        let letter = |c: char| match c {
            c if c.is_ascii_alphabetic() => Ok(c as usize),
            '.' => Err(wrong("'...' is not supported; name each axis by a letter".to_string())),
            other => Err(wrong(format!("'{other}' is no letter"))),
        };
        part.chars().map(letter).collect()
    };
    let inputs = left.split(',').map(letters).collect::<Result<Vec<_>>>()?;
    let out = match right {
        Some(right) => letters(right)?,
        None => {
            let times = |l: usize| inputs.iter().flatten().filter(|&&k| k == l).count();
            (0..128).filter(|&l| times(l) == 1).collect()
        }
    };
    if let Some((_, &twice)) = out.iter().enumerate().find(|(k, l)| out[..*k].contains(l)) {
        return Err(wrong(format!("'{}' comes twice in the result", twice as u8 as char)));
    }
    Ok((inputs, out))
}

impl Labelled {
    /// With each label once: those that come twice are diagonals.
    fn new(array: &LazyArray, mut labels: Vec<usize>, dtype: DType) -> Result<Labelled> {
        let bare = super::View::identity(array.shape());
        let mut array = array.astype(dtype).viewed(bare, None, array.chunk().clone());
        while let Some((first, second)) = twice(&labels) {
            array = array.diagonal(0, first as i64, second as i64)?;
            let label = labels.remove(second);
            labels.remove(first);
            labels.push(label);
        }
        Ok(Labelled { array, labels })
    }

    /// The sum over the labels that are not wanted.
    fn summed(&self, wanted: &[usize]) -> Result<Labelled> {
        let gone = |k: &usize| !wanted.contains(&self.labels[*k]);
        let axes: Vec<i64> = (0..self.labels.len()).filter(gone).map(|k| k as i64).collect();
        if axes.is_empty() {
            return Ok(self.clone());
        }
        let labels = self.labels.iter().filter(|l| wanted.contains(l)).copied().collect();
        Ok(Labelled { array: self.array.sum(&axes)?.astype(self.array.dtype()), labels })
    }

    /// The axes in the order of `labels`.
    fn laid_out(&self, labels: &[usize]) -> Result<LazyArray> {
        let place = |l: &usize| self.labels.iter().position(|k| k == l).map_or(0, |k| k as i64);
        self.array.permute_dims(&labels.iter().map(place).collect::<Vec<_>>())
    }

    /// With axes of length 1 where it lacks a label.
    fn spread(&self, labels: &[usize]) -> Result<LazyArray> {
        let own: Vec<usize> = labels.iter().filter(|l| self.labels.contains(l)).copied().collect();
        let new: Vec<i64> = (0..labels.len()).filter(|&k| !own.contains(&labels[k])).map(|k| k as i64).collect();
        self.laid_out(&own)?.expand_dims(&new)
    }

    /// The axes of three groups, each as one axis after those that stay.
    fn grouped(&self, batch: &[usize], groups: [&[usize]; 2]) -> Result<LazyArray> {
        let order = [batch, groups[0], groups[1]].concat();
        let array = self.laid_out(&order)?;
        let length = |labels: &[usize]| labels.iter().map(|l| self.length(*l)).product::<u64>() as i64;
        let shape: Vec<i64> = batch.iter().map(|l| self.length(*l) as i64).chain(groups.map(length)).collect();
        array.reshape(&shape)
    }

    fn length(&self, label: usize) -> u64 {
        self.labels.iter().position(|l| *l == label).map_or(1, |k| self.array.shape()[k])
    }

    /// The product of both, summed over all labels that are not wanted.
    fn contract(&self, other: &Labelled, wanted: &[usize]) -> Result<Labelled> {
        let needed = |by: &Labelled| [wanted, by.labels.as_slice()].concat();
        let (a, b) = (self.summed(&needed(other))?, other.summed(&needed(self))?);
        let of = |of: &Labelled, both: &Labelled, shared: bool, kept: bool| -> Vec<usize> {
            let here = |l: &&usize| both.labels.contains(l) == shared && wanted.contains(l) == kept;
            of.labels.iter().filter(here).copied().collect()
        };
        let (batch, inner) = (of(&a, &b, true, true), of(&a, &b, true, false));
        let (rows, columns) = (of(&a, &b, false, true), of(&b, &a, false, true));
        // Without rows or columns there is nothing that a product of matrices would read again.
        if inner.is_empty() || (rows.is_empty() && columns.is_empty()) {
            let labels = [batch, rows, columns, inner].concat();
            let array = a.spread(&labels)?.multiply(&b.spread(&labels)?)?;
            return Labelled { array, labels }.summed(wanted);
        }
        let product = a.grouped(&batch, [&rows, &inner])?.matmul(&b.grouped(&batch, [&inner, &columns])?)?;
        let lengths = |of: &Labelled, labels: &[usize]| labels.iter().map(|l| of.length(*l) as i64).collect::<Vec<_>>();
        let shape = [lengths(&a, &batch), lengths(&a, &rows), lengths(&b, &columns)].concat();
        Ok(Labelled { array: product.reshape(&shape)?, labels: [batch, rows, columns].concat() })
    }
}

/// The first two places with one label.
fn twice(labels: &[usize]) -> Option<(usize, usize)> {
    let second = (0..labels.len()).find(|&k| labels[..k].contains(&labels[k]))?;
    Some((labels.iter().position(|l| *l == labels[second])?, second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subscripts_are_read_or_named() {
        let codes = |s: &str| s.bytes().map(usize::from).collect::<Vec<_>>();
        assert_eq!(parse("ij, jk").unwrap(), (vec![codes("ij"), codes("jk")], codes("ik")));
        assert_eq!(parse("ba").unwrap().1, codes("ab"));
        assert_eq!(parse(",i->").unwrap(), (vec![vec![], codes("i")], vec![]));
        for (bad, what) in [("i...", "'...'"), ("i1", "'1'"), ("ij->ii", "twice")] {
            assert!(parse(bad).unwrap_err().to_string().contains(what), "{bad}");
        }
    }

    #[test]
    fn mistakes_name_the_subscript() {
        let x = LazyArray::zeros(&[2, 3], &[2, 3], DType::F64).unwrap();
        for (bad, what) in [("ij,jk", "2 subscripts for 1"), ("i", "'i'"), ("ij->k", "'k'"), ("ii", "2 and 3")] {
            assert!(LazyArray::einsum(bad, &[&x]).unwrap_err().to_string().contains(what), "{bad}");
        }
    }
}
