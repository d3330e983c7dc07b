//! Group results back at the positions that they came from.

use super::{Groups, LazyArray};
use crate::{
    dtype::DType,
    error::{Error, Result},
    shape::Shape,
};

impl LazyArray {
    /// For each position of some `groups`, the value of its group: what takes the results of a reduction by groups back
    /// to the positions, so that they can be set against the values there. The axis along the groups becomes one along
    /// the positions, of the name `dim` where axes have names.
    ///
    /// *Missing*: a position that is in no group has NaN, for which integers become float64.
    ///
    /// # Errors
    /// When there is no such axis, or it is not as long as there are groups.
    ///
    /// # Example
    /// ```
    /// use aosx::{array::Groups, kernels::fold::{FoldOptions, Op}, prelude::*};
    ///
    /// let x = LazyArray::from_slice(&[1.0, 5.0, 3.0, 6.0], &[4], &[2])?;
    /// let groups = Groups::new(vec![0, 1, 0, 1], 2)?;
    /// let means = x.grouped(Op::Mean, &[0], &groups, FoldOptions::default())?;
    /// let anomaly = x.subtract(&means.spread(&groups, 0, "x")?)?;
    /// assert_eq!(Session::new().compute(&anomaly)?.to_vec::<f64>()?, [-1.0, -0.5, 1.0, 0.5]);
    /// # Ok::<(), aosx::error::Error>(())
    /// ```
    pub fn spread(&self, groups: &Groups, axis: i64, dim: &str) -> Result<LazyArray> {
        let at = self.axis(axis)?;
        let (n, count) = (self.shape()[at], u64::from(groups.count()));
        if n != count {
            return Err(Error::usage(format!("an axis of length {n} for {count} groups")));
        }
        let labels = groups.labels();
        let place = |label: &u32| if *label == Groups::NONE { 0 } else { i64::from(*label) };
        // Blocks of one do not change those of what it meets.
        let with_ones = |array: &LazyArray| {
            let mut chunk = array.chunk().clone();
            chunk.0[at] = 1;
            array.with_blocks(chunk)
        };
        let mut out = match count {
            0 => {
                let mut shape: Shape = self.shape().clone();
                shape.0[at] = labels.len() as u64;
                LazyArray::full(&shape, &vec![1; shape.len()][..], f64::NAN, DType::F64)?.astype(with_missing(self))
            }
            _ => with_ones(&self.take(&labels.iter().map(place).collect::<Vec<i64>>(), axis)?),
        };
        if labels.contains(&Groups::NONE) && count > 0 {
            let there: Vec<bool> = labels.iter().map(|label| *label != Groups::NONE).collect();
            let mut shape = vec![1; self.ndim()];
            shape[at] = labels.len() as u64;
            let there = LazyArray::from_bools(&there, &shape, &vec![1; self.ndim()][..])?;
            out = out.astype(with_missing(self)).where_else(&there, f64::NAN)?;
        }
        match self.dims() {
            Some(dims) => {
                let mut dims: Vec<&str> = dims.iter().map(String::as_str).collect();
                dims[at] = dim;
                out.with_dims(&dims)
            }
            None => Ok(out),
        }
    }
}

fn with_missing(array: &LazyArray) -> DType {
    if array.dtype().is_float() { array.dtype() } else { DType::F64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_and_names_are_those_of_positions() {
        let x = LazyArray::zeros(&[3, 2], &[3, 2], DType::I16).unwrap().with_dims(&["month", "lat"]).unwrap();
        let groups = Groups::new(vec![0, 2, 1, 0], 3).unwrap();
        let out = x.spread(&groups, 0, "time").unwrap();
        assert_eq!((out.dims().unwrap().join(" ").as_str(), out.shape().0.as_slice()), ("time lat", &[4, 2][..]));
        assert_eq!((out.dtype(), out.chunk().0.as_slice()), (DType::I16, &[1, 2][..]));
        let some = Groups::new(vec![0, Groups::NONE], 3).unwrap();
        assert_eq!(x.spread(&some, 0, "time").unwrap().dtype(), DType::F64, "something must say that there is none");
        assert!(x.spread(&groups, 1, "time").unwrap_err().to_string().contains("an axis of length 2 for 3 groups"));
    }
}
