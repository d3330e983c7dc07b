//! Coordinates on the sphere: which are latitudes and longitudes, where cells end, and how large they are.
//!
//! Areas are those of the unit sphere, and coordinates are in degrees, unless it is said otherwise.

use crate::{
    attrs::Attrs,
    error::{Error, Result},
};

/// What an area is multiplied by to get square metres: the square of the Earth's radius, which is CDO's.
pub const EARTH_RADIUS_SQUARED: f64 = 6_371_000.0 * 6_371_000.0;

const NORTH: [&str; 6] = ["degrees_north", "degree_north", "degree_N", "degrees_N", "degreeN", "degreesN"];
const EAST: [&str; 6] = ["degrees_east", "degree_east", "degree_E", "degrees_E", "degreeE", "degreesE"];

/// Whether a variable of that name holds latitudes (CF 4.1).
pub fn is_latitude(name: &str, attrs: &Attrs) -> bool {
    is_direction(name, attrs, &NORTH, "latitude", "Y", &["lat", "latitude"])
}

/// Whether a variable of that name holds longitudes (CF 4.2).
pub fn is_longitude(name: &str, attrs: &Attrs) -> bool {
    is_direction(name, attrs, &EAST, "longitude", "X", &["lon", "longitude"])
}

fn is_direction(name: &str, attrs: &Attrs, units: &[&str], standard: &str, axis: &str, names: &[&str]) -> bool {
    let (unit, is) = (attrs.text("units").map(str::trim), attrs.text("standard_name").map(str::trim));
    if is.is_some() {
        // A rotated pole has latitudes of its own, and some give them true units.
        return is == Some(standard);
    }
    let plain = unit.is_some_and(|u| ["degrees", "degree", "deg"].contains(&u));
    unit.is_some_and(|u| units.contains(&u))
        || unit.is_none() && names.contains(&name)
        || plain && (names.contains(&name) || attrs.text("axis") == Some(axis))
}

/// Coordinates in degrees, whatever their units.
pub fn degrees(values: Vec<f64>, attrs: &Attrs) -> Vec<f64> {
    match attrs.text("units") {
        Some(units) if units.trim().starts_with("rad") => values.into_iter().map(f64::to_degrees).collect(),
        _ => values,
    }
}

/// Ends of the cells around latitudes, halfway between them and as far beyond the last ones, though not beyond the poles.
/// Where less than half a row is left up to a pole, as on Gaussian grids, the last row goes up to it.
///
/// # Errors
/// When there are not two latitudes, in order.
pub fn latitude_bounds(lat: &[f64]) -> Result<Vec<[f64; 2]>> {
    let mut bounds = halfway(lat, "latitude")?;
    let last = bounds.len() - 1;
    for (row, end, inner) in [(0, 0, 1), (last, 1, last - 1)] {
        let edge = bounds[row][end];
        let half = (lat[row] - lat[inner]).abs() / 2.0;
        if edge.abs() > 90.0 || 90.0 - edge.abs() < half {
            bounds[row][end] = 90f64.copysign(edge);
        }
    }
    Ok(bounds)
}

/// Ends of the cells around longitudes, halfway between them and as far beyond the last ones. One alone is a whole circle.
///
/// # Errors
/// When they are not in order; they may go on at 0 behind 360.
pub fn longitude_bounds(lon: &[f64]) -> Result<Vec<[f64; 2]>> {
    if let [one] = lon {
        return Ok(vec![[one - 180.0, one + 180.0]]);
    }
    let mut straight = lon.to_vec();
    for k in 1..lon.len() {
        straight[k] = straight[k - 1] + turn(lon[k] - lon[k - 1]);
    }
    halfway(&straight, "longitude")
}

/// A difference of longitudes, from -180 to 180.
fn turn(degrees: f64) -> f64 {
    let turned = degrees.rem_euclid(360.0);
    if turned > 180.0 { turned - 360.0 } else { turned }
}

fn halfway(at: &[f64], what: &str) -> Result<Vec<[f64; 2]>> {
    let n = at.len();
    if n < 2 {
        return Err(Error::usage(format!("cells around one {what} have no ends; it needs bounds")));
    }
    let rises = at[1] > at[0];
    // A missing one is in no order.
    let follows = |k: usize| if rises { at[k] > at[k - 1] } else { at[k] < at[k - 1] };
    if let Some(k) = (1..n).find(|&k| !follows(k)) {
        return Err(Error::usage(format!("{what}s are not in order at position {k}; cells around them need bounds")));
    }
    let edge = |k: usize| match k {
        0 => at[0] - (at[1] - at[0]) / 2.0,
        _ if k == n => at[n - 1] + (at[n - 1] - at[n - 2]) / 2.0,
        _ => (at[k - 1] + at[k]) / 2.0,
    };
    Ok((0..n).map(|k| [edge(k), edge(k + 1)]).collect())
}

/// The area between two latitudes, all around.
///
/// # Errors
/// When one is no latitude.
pub fn cap([from, to]: [f64; 2]) -> Result<f64> {
    if let Some(bad) = [from, to].into_iter().find(|lat| !(-90.0 - 1e-6..=90.0 + 1e-6).contains(lat)) {
        return Err(Error::usage(format!("{bad} is no latitude in degrees")));
    }
    // sin b - sin a without the loss of small differences.
    let (a, b) = (from.to_radians(), to.to_radians());
    Ok(2.0 * std::f64::consts::TAU * (((a + b) / 2.0).cos() * ((b - a) / 2.0).sin()).abs())
}

/// The part of the whole circle between two longitudes, of `cells` that share it. Bounds may be on both sides of where
/// longitudes begin anew: from 359.5 to 0.5.
pub fn part_of_circle([from, to]: [f64; 2], cells: usize) -> f64 {
    let width = (to - from).abs();
    let width = if cells > 1 && width > 180.0 { turn(to - from).abs() } else { width };
    width / 360.0
}

/// The area of a cell with these corners, `[lat, lon]` one after the other, joined by great circles. Corners that are
/// NaN are not there.
pub fn polygon(corners: impl Iterator<Item = [f64; 2]>) -> f64 {
    let mut points = corners.filter(|c| !c[0].is_nan() && !c[1].is_nan()).map(on_sphere);
    let (Some(first), Some(mut last)) = (points.next(), points.next()) else { return 0.0 };
    let mut area = 0.0;
    for next in points {
        area += triangle(first, last, next);
        last = next;
    }
    area.abs()
}

fn on_sphere([lat, lon]: [f64; 2]) -> [f64; 3] {
    let ((sin, cos), (east, north)) = (lat.to_radians().sin_cos(), lon.to_radians().sin_cos());
    [cos * north, cos * east, sin]
}

/// The signed area of a triangle: Eriksson 1990, On the measure of solid angles, eq. 4.
fn triangle(a: [f64; 3], b: [f64; 3], c: [f64; 3]) -> f64 {
    let dot = |a: [f64; 3], b: [f64; 3]| a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
    let less = |a: [f64; 3], b: [f64; 3]| [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
    // a . (b x c), of the sides, so that small cells keep their digits.
    let (u, v) = (less(b, a), less(c, a));
    let cross = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
    2.0 * dot(a, cross).atan2(1.0 + dot(a, b) + dot(b, c) + dot(c, a))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attrs::texts as attrs;
    use proptest::prelude::*;
    use std::f64::consts::{PI, TAU};

    #[test]
    fn directions_are_what_conventions_say() {
        let lat = |name: &str, all: &[(&str, &str)]| is_latitude(name, &attrs(all));
        assert!(lat("y", &[("units", "degrees_north")]) && lat("clat", &[("standard_name", "latitude")]));
        assert!(lat("lat", &[]) && lat("j", &[("units", "degrees"), ("axis", "Y")]));
        assert!(!lat("rlat", &[("standard_name", "grid_latitude"), ("units", "degrees_north")]));
        assert!(!lat("y", &[("axis", "Y"), ("units", "m")]) && !lat("lat", &[("units", "m")]));
        assert!(is_longitude("x", &attrs(&[("units", "degrees_east")])) && !is_longitude("lat", &attrs(&[])));
        assert_eq!(degrees(vec![PI], &attrs(&[("units", "radian")])), [180.0]);
    }

    #[test]
    fn cells_end_halfway_and_at_the_poles() {
        assert_eq!(latitude_bounds(&[-90.0, 0.0, 90.0]).unwrap(), [[-90.0, -45.0], [-45.0, 45.0], [45.0, 90.0]]);
        // Nearer to the pole than half a row; a row away it stays.
        assert_eq!(latitude_bounds(&[86.0, 80.0]).unwrap(), [[90.0, 83.0], [83.0, 77.0]]);
        assert_eq!(latitude_bounds(&[88.0, 87.0]).unwrap(), [[88.5, 87.5], [87.5, 86.5]]);
        assert_eq!(longitude_bounds(&[350.0, 0.0, 10.0]).unwrap(), [[345.0, 355.0], [355.0, 365.0], [365.0, 375.0]]);
        assert_eq!(longitude_bounds(&[7.0]).unwrap(), [[-173.0, 187.0]]);
        assert!(latitude_bounds(&[0.0]).unwrap_err().to_string().contains("needs bounds"));
        assert!(latitude_bounds(&[0.0, 1.0, 1.0]).unwrap_err().to_string().contains("position 2"));
        assert!(latitude_bounds(&[0.0, f64::NAN]).is_err());
        assert_eq!([[0.0, 90.0], [359.5, 0.5], [10.0, -20.0]].map(|b| part_of_circle(b, 4) * 360.0), [90.0, 1.0, 30.0]);
        assert_eq!(part_of_circle([0.0, 360.0], 1), 1.0);
        assert!(cap([80.0, 91.0]).is_err() && cap([f64::NAN, 0.0]).is_err());
    }

    #[test]
    fn an_octant_is_an_eighth() {
        let octant = [[0.0, 0.0], [0.0, 90.0], [90.0, 0.0]];
        assert!((polygon(octant.into_iter()) - 4.0 * PI / 8.0).abs() < 1e-14);
        let gap = [[0.0, 0.0], [0.0, 90.0], [f64::NAN, f64::NAN], [90.0, 0.0], [90.0, 0.0]];
        assert!((polygon(gap.into_iter().rev()) - 4.0 * PI / 8.0).abs() < 1e-14);
        assert!((cap([-90.0, 90.0]).unwrap() - 2.0 * TAU).abs() < 1e-14);
    }

    proptest! {
        /// Any rows and columns share out the sphere.
        #[test]
        fn cells_fill_the_sphere(rows in 2usize..60, columns in 1usize..60) {
            let lat: Vec<f64> = (0..rows).map(|j| -90.0 + 180.0 / rows as f64 * (j as f64 + 0.5)).collect();
            let lon: Vec<f64> = (0..columns).map(|i| 360.0 / columns as f64 * i as f64).collect();
            let widths: Vec<f64> =
                longitude_bounds(&lon).unwrap().into_iter().map(|b| part_of_circle(b, columns)).collect();
            let all: f64 = latitude_bounds(&lat).unwrap().into_iter().map(|b| cap(b).unwrap()).sum();
            prop_assert!((all * widths.iter().sum::<f64>() - 2.0 * TAU).abs() < 1e-12);
        }

        /// A narrow cell between two parallels is nearly the polygon of its corners, to either side.
        #[test]
        fn polygons_are_nearly_cells(lat in -80f64..80.0, lon in -400f64..400.0, size in 0.001f64..0.01) {
            let [south, west] = [lat, lon];
            let corners = [[south, west], [south, west + size], [south + size, west + size], [south + size, west]];
            let cell = cap([south, south + size]).unwrap() * part_of_circle([west, west + size], 9);
            prop_assert!((polygon(corners.into_iter()) / cell - 1.0).abs() < 1e-6);
            prop_assert!((polygon(corners.into_iter().rev()) / cell - 1.0).abs() < 1e-6);
        }
    }
}
