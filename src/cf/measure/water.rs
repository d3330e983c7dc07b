//! Water by its mass, `kg m-2 s-1`, and by its depth, `mm day-1`: what attributes say is water is converted between them.

use super::{Conversion, Unit};
use crate::{
    attrs::Attrs,
    error::{Error, Result},
};

/// Of liquid water: 1 kg of it on a square metre is 1 mm deep.
const DENSITY: &str = "1000 kg m-3";

/// What water is called by its mass, and by its depth (CF standard name table; `lwe` is the equivalent of liquid water).
const NAMES: [(&str, &str); 14] = [
    ("precipitation_flux", "lwe_precipitation_rate"),
    ("convective_precipitation_flux", "lwe_convective_precipitation_rate"),
    ("large_scale_precipitation_flux", "lwe_large_scale_precipitation_rate"),
    ("stratiform_precipitation_flux", "lwe_stratiform_precipitation_rate"),
    ("rainfall_flux", "rainfall_rate"),
    ("convective_rainfall_flux", "convective_rainfall_rate"),
    ("snowfall_flux", "lwe_snowfall_rate"),
    ("convective_snowfall_flux", "lwe_convective_snowfall_rate"),
    ("water_evapotranspiration_flux", "lwe_water_evaporation_rate"),
    ("precipitation_amount", "lwe_thickness_of_precipitation_amount"),
    ("rainfall_amount", "thickness_of_rainfall_amount"),
    ("snowfall_amount", "lwe_thickness_of_snowfall_amount"),
    ("surface_snow_amount", "lwe_thickness_of_surface_snow_amount"),
    ("water_evapotranspiration_amount", "lwe_thickness_of_water_evaporation_amount"),
];

/// How values of what attributes describe are converted; where water becomes a depth or a mass, its standard name is the
/// other one then.
///
/// # Errors
/// As [`Unit::conversion_to`].
pub fn conversion(attrs: &mut Attrs, from: &Unit, to: &Unit) -> Result<Conversion> {
    let refused = match from.conversion_to(to) {
        Err(refused) => refused,
        found => return found,
    };
    let density = Unit::parse(DENSITY)?;
    let as_depth = from.divide(&density).and_then(|depth| depth.conversion_to(to));
    let as_mass = from.multiply(&density).and_then(|mass| mass.conversion_to(to));
    let (name, found) = (attrs.text("standard_name").unwrap_or_default().to_string(), as_depth.is_ok());
    let Ok(conversion) = as_depth.or(as_mass) else { return Err(refused) };
    let other = NAMES.iter().find_map(|(mass, depth)| match found {
        true => (*mass == name).then_some(*depth),
        false => (*depth == name).then_some(*mass),
    });
    let Some(other) = other else {
        let why = "1 kg m-2 is 1 mm of water alone, and its standard_name does not say that it is, as precipitation_flux does";
        return Err(Error::usage(format!("{refused}; {why}")));
    };
    attrs.set("standard_name", other);
    Ok(conversion)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attrs::texts;

    fn converted(name: &str, from: &str, to: &str) -> Result<(f64, String)> {
        let mut attrs = texts(&[("standard_name", name)]);
        let [from, to] = [from, to].map(|text| Unit::parse(text).unwrap());
        let factor = conversion(&mut attrs, &from, &to)?.apply(1.0);
        Ok((factor, attrs.text("standard_name").unwrap_or_default().to_string()))
    }

    #[test]
    fn a_kilogram_is_a_millimetre() {
        let same = |name, from, to, wanted: (f64, &str)| {
            let (factor, name) = converted(name, from, to).unwrap();
            assert_eq!((factor, name.as_str()), wanted);
        };
        same("precipitation_flux", "kg m-2 s-1", "mm/day", (86400.0, "lwe_precipitation_rate"));
        same("lwe_precipitation_rate", "mm day-1", "kg m-2 day-1", (1.0, "precipitation_flux"));
        same("surface_snow_amount", "kg m-2", "m", (0.001, "lwe_thickness_of_surface_snow_amount"));
        same("precipitation_flux", "kg m-2 s-1", "kg m-2 day-1", (86400.0, "precipitation_flux"));
    }

    #[test]
    fn what_is_no_water_has_no_depth() {
        let says = |name, from, to| converted(name, from, to).unwrap_err().to_string();
        assert!(says("", "kg m-2 s-1", "mm/day").contains("1 kg m-2 is 1 mm of water alone"));
        assert!(says("surface_upward_mass_flux_of_carbon_dioxide", "kg m-2 s-1", "m s-1").contains("of water alone"));
        assert!(says("lwe_precipitation_rate", "kg m-2 s-1", "mm/day").contains("of water alone"));
        assert!(!says("precipitation_flux", "kg m-2 s-1", "K").contains("water"));
    }
}
