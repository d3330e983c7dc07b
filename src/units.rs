//! Numbers with a unit: bytes.

use std::{fmt, str::FromStr};

/// A number of bytes; reads and prints as `512MiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Bytes(pub u64);

const UNITS: [(&str, u64); 9] = [
    ("KIB", 1 << 10),
    ("MIB", 1 << 20),
    ("GIB", 1 << 30),
    ("TIB", 1 << 40),
    ("KB", 1000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("B", 1),
];

impl FromStr for Bytes {
    type Err = String;

    /// Reads `512MiB`, `1.5GB`, `64M` (binary), `1000`.
    fn from_str(text: &str) -> Result<Bytes, String> {
        let upper = text.trim().to_ascii_uppercase();
        let digits = upper.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(upper.len());
        let (number, unit) = (&upper[..digits], upper[digits..].trim());
        let factor = match unit {
            "" => 1,
            "K" => 1 << 10,
            "M" => 1 << 20,
            "G" => 1 << 30,
            "T" => 1 << 40,
            _ => UNITS
                .iter()
                .find(|u| u.0 == unit)
                .map(|u| u.1)
                .ok_or_else(|| format!("'{unit}' is not a unit of bytes; use MiB, GiB, MB or GB, as in 512MiB"))?,
        };
        let value: f64 = number.parse().map_err(|_| format!("'{text}' is not a size; write it as 512MiB"))?;
        let bytes = value * factor as f64;
        if !(0.0..=9e18).contains(&bytes) {
            return Err(format!("'{text}' is out of range"));
        }
        Ok(Bytes(bytes.ceil() as u64))
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, size) in [("TiB", 1u64 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
            if self.0 >= size {
                let whole = self.0 as f64 / size as f64;
                return if self.0.is_multiple_of(size) || whole >= 100.0 {
                    write!(f, "{}{name}", whole.ceil())
                } else {
                    write!(f, "{:.1}{name}", (whole * 10.0).ceil() / 10.0)
                };
            }
        }
        write!(f, "{}B", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_prints_sizes() {
        for (text, bytes) in
            [("512MiB", 512 << 20), ("1.5 GiB", 3 << 29), ("64m", 64 << 20), ("10kB", 10_000), ("7", 7)]
        {
            assert_eq!(text.parse::<Bytes>().unwrap(), Bytes(bytes), "{text}");
        }
        for text in ["", "MiB", "12 parsecs", "-3", "1e30TB"] {
            assert!(text.parse::<Bytes>().is_err(), "{text}");
        }
        assert_eq!(Bytes(512 << 20).to_string(), "512MiB");
        assert_eq!(Bytes((3 << 20) + 1).to_string(), "3.1MiB");
        assert_eq!(Bytes(12).to_string(), "12B");
    }

    /// What is printed as a requirement must be enough when typed back.
    #[test]
    fn printing_never_rounds_down() {
        for n in [1, 1023, 1025, 70_000_001, (5 << 30) + 3, 123_456_789_012] {
            assert!(Bytes(n).to_string().parse::<Bytes>().unwrap() >= Bytes(n), "{n}");
        }
    }
}
