//! Weighted reductions: which [`Weights`] a variable has, and what becomes of it with them.

use super::{
    Dataset,
    areas::{Along, Horizontal, axes_in},
    reduced::Builder,
    reduction::{Chosen, Statistic},
    scope,
};
use crate::{
    array::AxisWeights,
    attrs::Attrs,
    cf::{
        cell_methods::{self, Repeated, Weighting},
        decoding::ValidRange,
        references,
    },
    error::{Error, Problem, Result, closest},
    kernels::fold::Op,
    source::VarMeta,
};
use std::fmt;

/// More weights than this are not read at once.
pub(crate) const KNOWN_MAX: u64 = 1 << 26;

/// What each value counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Weights {
    /// The cosine of its latitude.
    CosLat,
    /// The area of its cell: a measure that the variable names, what its coordinates' bounds enclose (parallels and
    /// meridians, or great circles between the corners of cells), or the rectangles around the coordinates of a regular or
    /// Gaussian grid, which end halfway between them and at the poles.
    Area,
    /// The measure of area that the variable names, and nothing else.
    CellMeasures,
    /// A variable of the file, along some of the dimensions of what is reduced.
    Variable(String),
}

impl Weights {
    /// By what the command line calls it: `cos-lat`, `area`, `cell_measures`, or a variable.
    ///
    /// # Errors
    /// When there is no name.
    pub fn from_name(name: &str) -> Result<Weights> {
        match name.trim() {
            "" => Err(Error::usage("which weights? give cos-lat, area, cell_measures, or a variable")),
            "cos-lat" | "cos_lat" | "coslat" => Ok(Weights::CosLat),
            "area" => Ok(Weights::Area),
            "cell_measures" | "cell-measures" => Ok(Weights::CellMeasures),
            path => Ok(Weights::Variable(path.to_string())),
        }
    }
}

impl fmt::Display for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Weights::CosLat => "cos-lat",
            Weights::Area => "area",
            Weights::CellMeasures => "cell_measures",
            Weights::Variable(path) => path,
        })
    }
}

/// The weights of one variable.
pub(crate) struct Found {
    pub weights: AxisWeights,
    /// The dimensions that they lie along.
    dims: Vec<String>,
    /// Its horizontal dimensions, where it counts by how much of the Earth.
    horizontal: Vec<String>,
    /// The units of the weights.
    units: Option<String>,
    /// What they are, in words.
    name: String,
}

impl Dataset {
    /// What each value of a variable counts.
    pub(crate) fn weights(&self, meta: &VarMeta, weights: &Weights) -> Result<Found> {
        let name = weights.to_string();
        match weights {
            Weights::CosLat => {
                let Along { values, axes, lengths } = Horizontal::of(self, meta)?.latitudes()?;
                if let Some(bad) = values.iter().find(|lat| lat.abs() > 90.0 + 1e-6) {
                    return Err(Error::usage(format!("{bad} is no latitude in degrees")));
                }
                let cosines = values.into_iter().map(|lat| lat.to_radians().cos()).collect();
                let weights = AxisWeights::new(cosines, &axes, &lengths)?;
                Ok(Found { weights, dims: names_of(meta, &axes), horizontal: Vec::new(), units: None, name })
            }
            Weights::Area => match self.measure_of_area(meta)? {
                Some(found) => Ok(found),
                None => {
                    let horizontal = Horizontal::of(self, meta)?;
                    let Along { values, axes, lengths } = horizontal.areas()?;
                    let weights = AxisWeights::new(values, &axes, &lengths)?;
                    let horizontal = names_of(meta, &horizontal.axes());
                    Ok(Found { weights, dims: names_of(meta, &axes), horizontal, units: Some("m2".to_string()), name })
                }
            },
            Weights::CellMeasures => self.measure_of_area(meta)?.ok_or_else(|| {
                Error::usage(match references::named(&meta.attrs, "cell_measures").is_empty() {
                    true => "it has no 'cell_measures'; give --weights area, or the name of a variable",
                    false => "its 'cell_measures' name no area that is in the file; give --weights area",
                })
            }),
            Weights::Variable(path) => {
                let v = scope::variable(self.root(), meta.group(), path);
                let v = match v {
                    Some(v) => v,
                    None => self.variable(path)?,
                };
                self.named(v, meta)
            }
        }
    }

    /// The area that the variable names as a measure of its cells, if that is in the file.
    fn measure_of_area(&self, meta: &VarMeta) -> Result<Option<Found>> {
        let name = references::measure(&meta.attrs, "area");
        let Some(v) = name.and_then(|name| scope::variable(self.root(), meta.group(), &name)) else { return Ok(None) };
        let found = self.named(v, meta)?;
        Ok(Some(Found { horizontal: names_of(meta, found.weights.axes()), ..found }))
    }

    /// The values of a variable as weights.
    fn named(&self, v: &VarMeta, meta: &VarMeta) -> Result<Found> {
        if v.stored.dtype().is_none() {
            return Err(Error::from(Problem::NotNumeric { dtype: v.stored.to_string() }).in_variable(&v.path));
        }
        let Some(axes) = axes_in(v, meta) else {
            let odd = v.dims.iter().find(|dim| !meta.dims.contains(dim));
            return Err(match odd {
                Some(dim) => {
                    let known = closest(dim, meta.dims.iter().map(String::as_str));
                    let problem = Problem::NoSuchDimension { name: dim.clone(), known };
                    Error::usage(format!("the weights '{}' have another dimension: {}", v.path, Error::from(problem)))
                }
                None => Error::usage(format!(
                    "the weights '{}' have shape {}, along {}, which does not fit {}",
                    v.path,
                    v.shape,
                    v.dims.join(", "),
                    meta.shape
                )),
            });
        };
        let units = v.attrs.text("units").and_then(told);
        let weights = if v.shape.elements()? <= KNOWN_MAX {
            AxisWeights::new(self.numbers(&v.path)?, &axes, &v.shape).map_err(|e| e.in_variable(&v.path))?
        } else {
            AxisWeights::lazy(self.decoded(&v.path, ValidRange::Ignore)?, &axes)?
        };
        Ok(Found { weights, dims: names_of(meta, &axes), horizontal: Vec::new(), units, name: v.path.clone() })
    }
}

/// Units that say something.
fn told(units: &str) -> Option<String> {
    Some(units.trim().to_string()).filter(|units| !["", "1"].contains(&units.as_str()))
}

fn names_of(meta: &VarMeta, axes: &[usize]) -> Vec<String> {
    axes.iter().map(|&k| meta.dims[k].clone()).collect()
}

impl Found {
    /// Those that an expression gives, along dimensions.
    pub(crate) fn computed(weights: AxisWeights, dims: &[String], name: String, units: Option<&str>) -> Found {
        Found { weights, dims: dims.to_vec(), horizontal: Vec::new(), units: units.and_then(told), name }
    }

    /// The same along other axes: `axes[k]` is what the axis `k` of the variable is now.
    ///
    /// # Errors
    /// When two are one.
    pub(crate) fn along(&self, axes: &[usize]) -> Result<Found> {
        let (dims, horizontal) = (self.dims.clone(), self.horizontal.clone());
        let (units, name) = (self.units.clone(), self.name.clone());
        Ok(Found { weights: self.weights.along(axes)?, dims, horizontal, units, name })
    }

    /// Rewrites a variable's attributes for its weighted windows along a dimension.
    pub(super) fn describe_windows(&self, attrs: &mut Attrs, op: Op, dims: &[String], window: &str) {
        let how = format!("{window}, weighted by {}", self.name);
        let weighting = Weighting { how: &how, along: &self.dims, units: self.units.as_deref() };
        cell_methods::weighted(attrs, op, dims, None, weighting);
    }

    /// Rewrites a variable's attributes for its weighted reduction over dimensions.
    pub(crate) fn describe(&self, attrs: &mut Attrs, statistic: &Statistic, reduced: &[String], of: Repeated<'_>) {
        // CF 7.3: `area` stands for the horizontal dimensions where it is areas that count.
        let both = !self.horizontal.is_empty() && self.horizontal.iter().all(|dim| reduced.contains(dim));
        let called = |all: &[String]| {
            let mut dims: Vec<String> = Vec::new();
            for dim in all {
                let name = if both && self.horizontal.contains(dim) { "area" } else { dim.as_str() };
                if dims.iter().all(|dim| dim != name) {
                    dims.push(name.to_string());
                }
            }
            dims
        };
        let (dims, along, how) = (called(reduced), called(&self.dims), format!("weighted by {}", self.name));
        match statistic {
            Statistic::Fold(op) => {
                let weighting = Weighting { how: &how, along: &along, units: self.units.as_deref() };
                cell_methods::weighted(attrs, *op, &dims, of, weighting);
            }
            Statistic::Order(order) => cell_methods::ordered(attrs, order, &dims, Some(&how)),
        }
    }
}

impl Builder<'_> {
    /// The weights of a variable, where the request has any and they have to do with it.
    pub(super) fn weights_of(&self, one: &Chosen) -> Result<Option<Found>> {
        let Some(weights) = &self.request.weights else { return Ok(None) };
        match self.dataset.weights(&one.meta, weights) {
            Err(_) if self.request.variables.is_empty() && self.is_untouched(one, weights) => Ok(None),
            found => found.map(Some),
        }
    }

    /// Whether all of its reduced dimensions are those of a variable that has weights, and these lie along others: a
    /// series of time beside maps. What has dimensions of its own may be a map whose latitudes are not known.
    fn is_untouched(&self, one: &Chosen, weights: &Weights) -> bool {
        let mut others = self.chosen.iter().filter_map(|path| self.dataset.root().var(path));
        others.any(|v| {
            let Ok(found) = self.dataset.weights(v, weights) else { return false };
            let is_free = |dim: &String| {
                let at = v.dims.iter().position(|d| d == dim);
                at.is_some_and(|at| !found.weights.axes().contains(&at))
            };
            one.axes.iter().all(|&k| is_free(&one.meta.dims[k]))
        })
    }
}
