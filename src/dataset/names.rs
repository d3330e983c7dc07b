/// The names, those most like `wanted` first, and then in the order given.
pub fn closest<'a>(wanted: &str, known: impl Iterator<Item = &'a str>) -> Vec<String> {
    let wanted = wanted.to_lowercase();
    let mut all: Vec<(usize, String)> =
        known.map(|name| (distance(&wanted, &name.to_lowercase()), name.to_string())).collect();
    all.sort_by_key(|(far, name)| if *far * 3 <= name.len().max(wanted.len()) { *far } else { usize::MAX });
    all.into_iter().map(|(_, name)| name).collect()
}

/// Levenshtein's distance, by one row of its table.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_comes_first() {
        assert_eq!(distance("kitten", "sitting"), 3);
        let known = ["lat", "lon", "temperature", "time"];
        assert_eq!(closest("temprature", known.into_iter())[0], "temperature");
        assert_eq!(closest("zzz", known.into_iter()), known, "nothing is like it: the file's order");
    }
}
