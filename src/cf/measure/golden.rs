//! Against UDUNITS-2, by way of cf-units: `fixtures/measure`.

use super::Unit;
use serde_json::Value;

fn told() -> Value {
    serde_json::from_str(include_str!("../../../fixtures/measure/expected.json")).unwrap()
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().unwrap().iter().map(|v| v.as_str().unwrap())
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

#[test]
fn conversions_are_those_of_udunits() {
    let told = told();
    let values = numbers(&told["values"]);
    let cases = told["cases"].as_array().unwrap();
    assert!(cases.len() > 150);
    let mut wrong = Vec::new();
    for case in cases {
        let (from, to) = (case[0].as_str().unwrap(), case[1].as_str().unwrap());
        let map = match (Unit::parse(from), Unit::parse(to)) {
            (Ok(a), Ok(b)) => a.conversion_to(&b),
            (Err(e), _) | (_, Err(e)) => Err(e),
        };
        let Ok(map) = map else {
            wrong.push(format!("{from} {to}: {map:?}"));
            continue;
        };
        for (x, expected) in values.iter().zip(numbers(&case[2])) {
            let got = map.apply(*x);
            // What is added and cancels has its own last bits.
            let scale = expected.abs().max(map.offset.abs());
            if (got - expected).abs() > 1e-14 * scale {
                wrong.push(format!("{x} {from} is {got} {to}, and {expected} to UDUNITS"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn what_is_no_unit_is_an_error() {
    let told = told();
    assert!(texts(&told["wrong"]).count() >= 35);
    for text in texts(&told["wrong"]).chain(texts(&told["refused"])) {
        let read = Unit::parse(text);
        let e = read.expect_err(text).to_string();
        assert!(e.starts_with(&format!("units '{text}': ")) && e.len() > text.len() + 12, "{e}");
    }
}

#[test]
fn units_of_other_dimensions_are_apart() {
    let told = told();
    let all: Vec<Unit> = texts(&told["apart"]).map(|t| Unit::parse(t).unwrap()).collect();
    for (i, a) in all.iter().enumerate() {
        for (k, b) in all.iter().enumerate() {
            let numbers = a.base == [0; 7] && b.base == [0; 7];
            assert_eq!(a.conversion_to(b).is_ok(), i == k || numbers, "{a} {b}");
        }
    }
}

#[test]
fn zero_celsius_is_exact() {
    let at =
        |a: &str, b: &str, x: f64| Unit::parse(a).unwrap().conversion_to(&Unit::parse(b).unwrap()).unwrap().apply(x);
    assert_eq!(at("degC", "K", 0.0), 273.15);
    assert_eq!(at("K", "degC", 273.15), 0.0);
    assert_eq!(at("degC", "degF", 0.0), 32.0);
    assert_eq!(at("degF", "degC", -40.0), -40.0);
    assert_eq!(at("hPa", "Pa", 1013.25), 101_325.0);
    assert_eq!(at("m s-1", "km/h", 10.0), 36.0);
    assert_eq!(at("kg m-2 s-1", "kg m-2 day-1", 1.0), 86_400.0);
}
