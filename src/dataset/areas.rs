//! Where a variable's values lie on the sphere, and how large the cells around them are.

use super::{Dataset, scope};
use crate::{
    cf::{
        horizontal::{
            EARTH_RADIUS_SQUARED, cap, degrees, is_latitude, is_longitude, latitude_bounds, longitude_bounds,
            part_of_circle, polygon,
        },
        references,
    },
    error::{Error, Result},
    shape::Shape,
    source::VarMeta,
};

/// Numbers along some dimensions of a variable.
pub(super) struct Along {
    /// Row-major.
    pub values: Vec<f64>,
    /// Positions of the dimensions in the variable.
    pub axes: Vec<usize>,
    pub lengths: Vec<u64>,
}

/// A variable's coordinates on the sphere.
pub(super) struct Horizontal<'a> {
    dataset: &'a Dataset,
    pub latitude: &'a VarMeta,
    longitude: Option<&'a VarMeta>,
    /// Positions of the latitude's dimensions in the variable.
    latitude_axes: Vec<usize>,
    longitude_axes: Vec<usize>,
}

impl<'a> Horizontal<'a> {
    /// The coordinates of a variable that lie along dimensions of it.
    ///
    /// # Errors
    /// When it has no latitude.
    pub(super) fn of(dataset: &'a Dataset, meta: &VarMeta) -> Result<Horizontal<'a>> {
        let root = dataset.root();
        let along = |v: &&VarMeta| v.stored.dtype().is_some() && !v.dims.is_empty() && axes_in(v, meta).is_some();
        let own = meta.dims.iter().filter_map(|dim| scope::coordinate(root, meta.group(), dim));
        let named = references::named(&meta.attrs, "coordinates");
        let named = named.iter().filter_map(|name| scope::variable(root, meta.group(), name));
        let all: Vec<&VarMeta> = own.chain(named).filter(along).collect();
        let find = |is: fn(&str, &crate::attrs::Attrs) -> bool| all.iter().copied().find(|v| is(v.name(), &v.attrs));
        let Some(latitude) = find(is_latitude) else { return Err(no_latitude(meta)) };
        let longitude = find(is_longitude);
        let axes = |v: &VarMeta| axes_in(v, meta).unwrap_or_default();
        let latitude_axes = axes(latitude);
        let longitude_axes = longitude.map(axes).unwrap_or_default();
        Ok(Horizontal { dataset, latitude, longitude, latitude_axes, longitude_axes })
    }

    /// The axes of the variable that are horizontal.
    pub(super) fn axes(&self) -> Vec<usize> {
        let mut axes: Vec<usize> = self.latitude_axes.iter().chain(&self.longitude_axes).copied().collect();
        axes.sort_unstable();
        axes.dedup();
        axes
    }

    /// The latitudes, in degrees.
    pub(super) fn latitudes(&self) -> Result<Along> {
        let values = self.degrees(self.latitude, self.latitude)?;
        Ok(Along { values, axes: self.latitude_axes.clone(), lengths: self.latitude.shape.to_vec() })
    }

    /// The areas of cells in square metres: of bands where there are latitudes alone.
    pub(super) fn areas(&self) -> Result<Along> {
        match self.longitude {
            Some(longitude) if self.latitude_axes == self.longitude_axes => self.polygons(longitude),
            Some(longitude) if self.latitude.dims.len() == 1 && longitude.dims.len() == 1 => {
                let lon = self.ends(longitude, longitude_bounds)?;
                let widths: Vec<f64> = lon.iter().map(|&b| part_of_circle(b, lon.len())).collect();
                let bands = self.bands()?;
                let values = bands.iter().flat_map(|band| widths.iter().map(move |width| band * width)).collect();
                let axes = self.latitude_axes.iter().chain(&self.longitude_axes).copied().collect();
                Ok(Along { values, axes, lengths: vec![bands.len() as u64, widths.len() as u64] })
            }
            None if self.latitude.dims.len() == 1 => {
                let values = self.bands()?;
                Ok(Along { lengths: vec![values.len() as u64], values, axes: self.latitude_axes.clone() })
            }
            _ => Err(Error::usage(format!(
                "latitudes '{}' have no longitudes along the same dimensions, so that cells have no areas",
                self.latitude.path
            ))),
        }
    }

    /// The areas between latitudes, all around.
    fn bands(&self) -> Result<Vec<f64>> {
        let ends = self.ends(self.latitude, latitude_bounds)?;
        let area = |b| Ok(cap(b)? * EARTH_RADIUS_SQUARED);
        ends.into_iter().map(area).collect::<Result<_>>().map_err(|e: Error| self.located(e, self.latitude))
    }

    /// The ends of cells along one coordinate: its bounds, or halfway.
    fn ends(&self, v: &VarMeta, halfway: fn(&[f64]) -> Result<Vec<[f64; 2]>>) -> Result<Vec<[f64; 2]>> {
        match self.bounds(v) {
            Some(bounds) if bounds.shape.last() == Some(&2) => {
                let values = self.degrees(bounds, v)?;
                Ok(values.as_chunks::<2>().0.to_vec())
            }
            _ => halfway(&self.degrees(v, v)?).map_err(|e| self.located(e, v)),
        }
    }

    /// The areas of polygons, whose corners are the bounds.
    fn polygons(&self, longitude: &VarMeta) -> Result<Along> {
        let (Some(lat), Some(lon)) = (self.bounds(self.latitude), self.bounds(longitude)) else {
            let paths = format!("'{}' and '{}'", self.latitude.path, longitude.path);
            return Err(Error::usage(format!("cells around {paths} have no areas without bounds, their corners")));
        };
        let corners = *lat.shape.last().unwrap_or(&0) as usize;
        if lat.shape != lon.shape || lat.dims != lon.dims || corners < 3 {
            let (a, b) = (&lat.shape, &lon.shape);
            return Err(Error::usage(format!("corners of cells: '{}' has shape {a}, '{}' {b}", lat.path, lon.path)));
        }
        let (lat, lon) = (self.degrees(lat, self.latitude)?, self.degrees(lon, longitude)?);
        let cells = lat.chunks_exact(corners).zip(lon.chunks_exact(corners));
        let area = |(lat, lon): (&[f64], &[f64])| polygon(lat.iter().zip(lon).map(|(&a, &b)| [a, b]));
        let values = cells.map(|cell| area(cell) * EARTH_RADIUS_SQUARED).collect();
        Ok(Along { values, axes: self.latitude_axes.clone(), lengths: self.latitude.shape.to_vec() })
    }

    /// The bounds of a coordinate, if there are any that go with it.
    fn bounds(&self, v: &VarMeta) -> Option<&'a VarMeta> {
        let name = v.attrs.text("bounds")?.trim();
        let bounds = scope::variable(self.dataset.root(), v.group(), name)?;
        let rank = v.shape.len();
        let fits = bounds.shape.len() == rank + 1 && bounds.shape[..rank] == v.shape[..] && bounds.shape[rank] > 0;
        (fits && bounds.stored.dtype().is_some()).then_some(bounds)
    }

    /// Decoded, in degrees; bounds need not say their units again.
    fn degrees(&self, v: &VarMeta, coordinate: &VarMeta) -> Result<Vec<f64>> {
        let says = if v.attrs.text("units").is_some() { v } else { coordinate };
        Ok(degrees(self.dataset.numbers(&v.path)?, &says.attrs))
    }

    fn located(&self, error: Error, v: &VarMeta) -> Error {
        error.in_variable(&v.path).in_file(self.dataset.path())
    }
}

/// The positions of a variable's dimensions in another; `None` where that lacks one, or they are not the same.
pub(super) fn axes_in(v: &VarMeta, of: &VarMeta) -> Option<Vec<usize>> {
    let place = |(dim, len): (&String, &u64)| {
        let mut found = (0..of.dims.len()).filter(|&k| of.dims[k] == *dim && of.shape[k] == *len);
        found.next().filter(|_| found.next().is_none())
    };
    let axes: Vec<usize> = v.dims.iter().zip(v.shape.iter()).map(place).collect::<Option<_>>()?;
    let lengths: Shape = axes.iter().map(|&k| of.shape[k]).collect();
    let twice = axes.iter().enumerate().any(|(n, k)| axes[..n].contains(k));
    (lengths == v.shape && !twice).then_some(axes)
}

fn no_latitude(meta: &VarMeta) -> Error {
    let projection = match meta.attrs.text("grid_mapping") {
        Some(mapping) => format!(" (it is projected, as '{mapping}' says)"),
        None => String::new(),
    };
    Error::usage(format!(
        "no latitude lies along its dimensions{projection}: none is named in 'coordinates' or after a dimension, with \
         units 'degrees_north'; give --weights the name of a variable"
    ))
}
