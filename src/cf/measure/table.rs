//! The units that are known, with their prefixes.

use super::{Base, Unit, ratio::Ratio};
use crate::error::closest_near;
use std::f64::consts::PI;

/// One unit: its names, which are read in any case and in the plural, its symbols, and what it is in base units.
struct Row {
    names: &'static [&'static str],
    symbols: &'static [&'static str],
    over: f64,
    under: f64,
    base: Base,
    /// What is added before scaling, in hundredths.
    zero: f64,
}

const fn row(
    names: &'static [&'static str],
    symbols: &'static [&'static str],
    over: f64,
    under: f64,
    base: Base,
) -> Row {
    Row { names, symbols, over, under, base, zero: 0.0 }
}

const NUMBER: Base = [0; 7];
const LENGTH: Base = [1, 0, 0, 0, 0, 0, 0];
const AREA: Base = [2, 0, 0, 0, 0, 0, 0];
const VOLUME: Base = [3, 0, 0, 0, 0, 0, 0];
const MASS: Base = [0, 1, 0, 0, 0, 0, 0];
const TIME: Base = [0, 0, 1, 0, 0, 0, 0];
const CURRENT: Base = [0, 0, 0, 1, 0, 0, 0];
const TEMPERATURE: Base = [0, 0, 0, 0, 1, 0, 0];
const SPEED: Base = [1, 0, -1, 0, 0, 0, 0];
const FORCE: Base = [1, 1, -2, 0, 0, 0, 0];
const PRESSURE: Base = [-1, 1, -2, 0, 0, 0, 0];
const ENERGY: Base = [2, 1, -2, 0, 0, 0, 0];
const POWER: Base = [2, 1, -3, 0, 0, 0, 0];

/// Values as UDUNITS-2 has them.
const TABLE: &[Row] = &[
    row(&["meter", "metre"], &["m"], 1.0, 1.0, LENGTH),
    row(&["gram", "gramme"], &["g"], 1.0, 1e3, MASS),
    row(&["second", "sec"], &["s"], 1.0, 1.0, TIME),
    row(&["ampere", "amp"], &["A"], 1.0, 1.0, CURRENT),
    row(
        &["kelvin", "degree_kelvin", "degrees_kelvin", "degk", "degreek", "degreesk", "degree_k", "degrees_k", "deg_k"],
        &["K", "°K"],
        1.0,
        1.0,
        TEMPERATURE,
    ),
    row(&["mole"], &["mol"], 1.0, 1.0, [0, 0, 0, 0, 0, 1, 0]),
    row(&["candela"], &["cd"], 1.0, 1.0, [0, 0, 0, 0, 0, 0, 1]),
    // Numbers and angles.
    row(&["unitless", "dimensionless", "count"], &[], 1.0, 1.0, NUMBER),
    row(&["percent"], &["%"], 1.0, 100.0, NUMBER),
    row(&["permil", "permille"], &["‰"], 1.0, 1e3, NUMBER),
    row(&["psu"], &[], 1.0, 1e3, NUMBER),
    row(&["ppmv", "ppm"], &[], 1.0, 1e6, NUMBER),
    row(&["ppbv", "ppb"], &[], 1.0, 1e9, NUMBER),
    row(&["pptv", "ppt"], &[], 1.0, 1e12, NUMBER),
    row(&["radian"], &["rad"], 1.0, 1.0, NUMBER),
    row(&["steradian"], &["sr"], 1.0, 1.0, NUMBER),
    row(
        &[
            "degree",
            "angular_degree",
            "arc_degree",
            "arcdeg",
            "degree_north",
            "degrees_north",
            "degree_n",
            "degrees_n",
            "degreen",
            "degreesn",
            "degree_east",
            "degrees_east",
            "degree_e",
            "degrees_e",
            "degreee",
            "degreese",
            "degree_south",
            "degrees_south",
            "degree_s",
            "degrees_s",
            "degree_west",
            "degrees_west",
            "degree_w",
            "degrees_w",
            "degree_true",
            "degrees_true",
        ],
        &["°"],
        PI,
        180.0,
        NUMBER,
    ),
    row(&["arcminute", "arc_minute", "angular_minute", "arcmin"], &["'"], PI, 10_800.0, NUMBER),
    row(&["arcsecond", "arc_second", "angular_second", "arcsec"], &["\""], PI, 648_000.0, NUMBER),
    row(&["turn", "revolution", "cycle"], &[], 2.0 * PI, 1.0, NUMBER),
    // Temperature.
    Row {
        names: &[
            "celsius",
            "degree_celsius",
            "degrees_celsius",
            "degc",
            "degreec",
            "degreesc",
            "degree_c",
            "degrees_c",
            "deg_c",
            "degs_c",
        ],
        symbols: &["°C", "℃"],
        over: 1.0,
        under: 1.0,
        base: TEMPERATURE,
        zero: 27_315.0,
    },
    Row {
        names: &[
            "fahrenheit",
            "degree_fahrenheit",
            "degrees_fahrenheit",
            "degf",
            "degreef",
            "degreesf",
            "degree_f",
            "degrees_f",
            "deg_f",
        ],
        symbols: &["°F"],
        over: 5.0,
        under: 9.0,
        base: TEMPERATURE,
        zero: 45_967.0,
    },
    row(&["degree_rankine", "degrees_rankine", "degr"], &["°R"], 5.0, 9.0, TEMPERATURE),
    // Time.
    row(&["minute"], &["min"], 60.0, 1.0, TIME),
    row(&["hour"], &["h", "hr", "hrs"], 3600.0, 1.0, TIME),
    row(&["day"], &["d"], 86_400.0, 1.0, TIME),
    row(&["week"], &[], 604_800.0, 1.0, TIME),
    row(&["month"], &[], 31_556_925.974_7, 12.0, TIME),
    row(&["year", "yr", "tropical_year"], &[], 31_556_925.974_7, 1.0, TIME),
    row(&["common_year"], &[], 31_536_000.0, 1.0, TIME),
    row(&["hertz"], &["Hz"], 1.0, 1.0, [0, 0, -1, 0, 0, 0, 0]),
    row(&["becquerel"], &["Bq"], 1.0, 1.0, [0, 0, -1, 0, 0, 0, 0]),
    // Length, area, volume, speed.
    row(&["gpm", "geopotential_meter", "geopotential_metre"], &[], 1.0, 1.0, LENGTH),
    row(&["inch", "inches"], &["in"], 254.0, 1e4, LENGTH),
    row(&["foot", "feet", "international_foot", "international_feet"], &["ft"], 3048.0, 1e4, LENGTH),
    row(&["yard"], &["yd"], 9144.0, 1e4, LENGTH),
    row(&["mile", "international_mile"], &["mi"], 1_609_344.0, 1e3, LENGTH),
    row(&["nautical_mile", "nmile"], &[], 1852.0, 1.0, LENGTH),
    row(&["micron"], &[], 1.0, 1e6, LENGTH),
    row(&["angstrom"], &["Å"], 1.0, 1e10, LENGTH),
    row(&["are"], &[], 100.0, 1.0, AREA),
    row(&["hectare"], &["ha"], 1e4, 1.0, AREA),
    row(&["liter", "litre"], &["L", "l"], 1.0, 1e3, VOLUME),
    row(&["knot", "knot_international", "international_knot"], &["kt", "kts"], 1852.0, 3600.0, SPEED),
    row(&["sverdrup"], &[], 1e6, 1.0, [3, 0, -1, 0, 0, 0, 0]),
    // Mass.
    row(&["tonne", "metric_ton"], &["t"], 1e3, 1.0, MASS),
    row(&["pound", "avoirdupois_pound"], &["lb"], 45_359_237.0, 1e8, MASS),
    // Mechanics.
    row(&["newton"], &["N"], 1.0, 1.0, FORCE),
    row(&["dyne"], &[], 1.0, 1e5, FORCE),
    row(&["pascal"], &["Pa"], 1.0, 1.0, PRESSURE),
    row(&["bar"], &[], 1e5, 1.0, PRESSURE),
    row(&["atmosphere", "standard_atmosphere"], &["atm"], 101_325.0, 1.0, PRESSURE),
    row(
        &["millimeter_hg", "millimeters_hg", "millimeter_of_mercury", "torr"],
        &["mmHg", "mm_Hg", "mm_hg"],
        133_322_387_415.0,
        1e9,
        PRESSURE,
    ),
    row(&["inch_hg", "inches_hg", "inch_of_mercury"], &["inHg", "in_Hg", "in_hg"], 3_386_388_640_341.0, 1e9, PRESSURE),
    row(&["joule"], &["J"], 1.0, 1.0, ENERGY),
    row(&["calorie", "it_calorie"], &["cal"], 41_868.0, 1e4, ENERGY),
    row(&["erg"], &[], 1.0, 1e7, ENERGY),
    row(&["watt"], &["W"], 1.0, 1.0, POWER),
    row(&["poise"], &[], 1.0, 10.0, [-1, 1, -1, 0, 0, 0, 0]),
    row(&["sievert"], &[], 1.0, 1.0, [2, 0, -2, 0, 0, 0, 0]),
    row(&["gray"], &["Gy"], 1.0, 1.0, [2, 0, -2, 0, 0, 0, 0]),
    row(&["gal"], &["Gal"], 1.0, 100.0, [1, 0, -2, 0, 0, 0, 0]),
    row(&[], &["PVU"], 1.0, 1e6, [2, -1, -1, 0, 1, 0, 0]),
    // Electricity and light.
    row(&["volt"], &["V"], 1.0, 1.0, [2, 1, -3, -1, 0, 0, 0]),
    row(&["ohm"], &["Ω", "Ω"], 1.0, 1.0, [2, 1, -3, -2, 0, 0, 0]),
    row(&["siemens"], &["S"], 1.0, 1.0, [-2, -1, 3, 2, 0, 0, 0]),
    row(&["coulomb"], &["C"], 1.0, 1.0, [0, 0, 1, 1, 0, 0, 0]),
    row(&["farad"], &["F"], 1.0, 1.0, [-2, -1, 4, 2, 0, 0, 0]),
    row(&["weber"], &["Wb"], 1.0, 1.0, [2, 1, -2, -1, 0, 0, 0]),
    row(&["henry"], &["H"], 1.0, 1.0, [2, 1, -2, -2, 0, 0, 0]),
    row(&["tesla"], &["T"], 1.0, 1.0, [0, 1, -2, -1, 0, 0, 0]),
    row(&["lumen"], &["lm"], 1.0, 1.0, [0, 0, 0, 0, 0, 0, 1]),
    row(&["lux"], &["lx"], 1.0, 1.0, [-2, 0, 0, 0, 0, 0, 1]),
    row(&["katal"], &["kat"], 1.0, 1.0, [0, 0, -1, 0, 0, 1, 0]),
    // As UDUNITS: 446.2 micromoles a square metre.
    row(&["dobson"], &["DU"], 4462.0, 1e7, [-2, 0, 0, 0, 0, 1, 0]),
];

/// Prefixes: name, symbols, the power of ten.
const PREFIXES: [(&str, &[&str], i32); 20] = [
    ("yotta", &["Y"], 24),
    ("zetta", &["Z"], 21),
    ("exa", &["E"], 18),
    ("peta", &["P"], 15),
    ("tera", &["T"], 12),
    ("giga", &["G"], 9),
    ("mega", &["M"], 6),
    ("kilo", &["k"], 3),
    ("hecto", &["h"], 2),
    ("deka", &["da"], 1),
    ("deci", &["d"], -1),
    ("centi", &["c"], -2),
    ("milli", &["m"], -3),
    ("micro", &["u", "µ", "μ"], -6),
    ("nano", &["n"], -9),
    ("pico", &["p"], -12),
    ("femto", &["f"], -15),
    ("atto", &["a"], -18),
    ("zepto", &["z"], -21),
    ("yocto", &["y"], -24),
];

/// Symbols that mean one thing to UDUNITS and another to who writes them, and units that have no conversion of a factor
/// and an offset.
const REFUSED: [(&str, &str); 9] = [
    ("mb", "it is millibarn to UDUNITS; write mbar or hPa"),
    ("Sv", "it is sievert to UDUNITS; write sverdrup, or sievert"),
    ("dBZ", "logarithmic units are not known"),
    ("dB", "logarithmic units are not known"),
    ("B", "logarithmic units are not known"),
    ("bel", "logarithmic units are not known"),
    ("Np", "logarithmic units are not known"),
    ("lg", "logarithms of units are not known"),
    ("ln", "logarithms of units are not known"),
];

/// The unit of one name.
pub(super) fn find(name: &str) -> Result<Unit, String> {
    if let Some((_, why)) = REFUSED.iter().find(|(refused, _)| *refused == name) {
        return Err(format!("'{name}': {why}"));
    }
    let lower = name.to_lowercase();
    let exact = by_symbol(name).or_else(|| by_name(&lower)).map(|row| (row, 0));
    let (row, exponent) = exact.or_else(|| prefixed(name, &lower)).ok_or_else(|| unknown(name))?;
    Ok(Unit {
        terms: vec![(name.to_string(), 1)],
        scale: Ratio { over: row.over, under: row.under }.times(Ratio::ten(exponent)),
        base: row.base,
        zero: Ratio { over: row.zero, under: 100.0 }.times(Ratio::ten(-exponent)),
        ..Unit::one()
    })
}

fn by_symbol(symbol: &str) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.symbols.contains(&symbol))
}

fn by_name(lower: &str) -> Option<&'static Row> {
    let row = |name: &str| TABLE.iter().find(|row| row.names.contains(&name));
    row(lower).or_else(|| lower.strip_suffix('s').filter(|one| one.len() > 2).and_then(row))
}

fn prefixed(name: &str, lower: &str) -> Option<(&'static Row, i32)> {
    let by_name = |prefix: &str| lower.strip_prefix(prefix).and_then(by_name);
    let long = PREFIXES.iter().find_map(|(prefix, _, n)| by_name(prefix).map(|row| (row, *n)));
    long.or_else(|| {
        let short = PREFIXES.iter().flat_map(|(_, symbols, n)| symbols.iter().map(move |s| (*s, *n)));
        // Some have no symbol: mbar, kohm.
        let of = |rest: &str| by_symbol(rest).or_else(|| TABLE.iter().find(|row| row.names.contains(&rest)));
        short.filter_map(|(symbol, n)| Some((of(name.strip_prefix(symbol)?)?, n))).next()
    })
}

fn unknown(name: &str) -> String {
    let long = |n: &&str| n.len() > 3;
    let mut names = TABLE.iter().flat_map(|row| row.names).copied().filter(long);
    match Some(name).filter(long).and_then(|name| closest_near(name, &mut names)) {
        Some(near) => format!("no unit '{name}'; did you mean {near}?"),
        None => format!("no unit '{name}'"),
    }
}
