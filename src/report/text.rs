//! Text from files, made safe for a terminal and short enough for a line.

use super::number;
use crate::attrs::Value;
pub use crate::error::escape;
use std::fmt::Display;

/// Says something that is no error, on a line of its own.
pub fn note(text: impl Display) {
    eprintln!("aosx: note: {}", escape(&text.to_string()));
}

/// Escaped text of at most about `chars_max` characters; what was cut is said.
pub fn short(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        None => escape(text),
        Some((at, _)) => format!("{}... ({} characters)", escape(&text[..at]), text.chars().count()),
    }
}

/// Words in a line; of more than `2 * edge + 1` only `edge` at each end.
pub fn abbreviate(words: &[String], edge: usize, separator: &str) -> String {
    if words.len() <= 2 * edge + 1 {
        return words.join(separator);
    }
    let (head, tail) = (&words[..edge], &words[words.len() - edge..]);
    format!("{}{separator}...{separator}{}", head.join(separator), tail.join(separator))
}

/// The value of an attribute in a line.
pub fn attribute(value: &Value) -> String {
    let list = |words: Vec<String>| match words.len() {
        1 => words.into_iter().next().unwrap_or_default(),
        n if n > 12 => format!("[{}] ({n} values)", abbreviate(&words, 5, ", ")),
        _ => format!("[{}]", words.join(", ")),
    };
    match value {
        Value::Text(t) | Value::Json(t) => short(t, 400),
        Value::Texts(t) => list(t.iter().map(|t| format!("'{}'", short(t, 80))).collect()),
        numbers => list(number::of_value(numbers).into_iter().map(|n| n.exact()).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_cannot_drive_the_terminal() {
        assert_eq!(escape("a\x1b[2Jb\nc\u{9b}é\u{202e}"), "a\\u{1b}[2Jb\\nc\\u{9b}é\\u{202e}");
        assert_eq!(short("äöü", 2), "äö... (3 characters)");
        assert_eq!(short("äöü", 3), "äöü");
    }

    #[test]
    fn long_lists_show_their_ends() {
        let words: Vec<String> = (0..8).map(|n| n.to_string()).collect();
        assert_eq!(abbreviate(&words, 3, " "), "0 1 2 ... 5 6 7");
        assert_eq!(abbreviate(&words[..7], 3, " "), "0 1 2 3 4 5 6");
        assert_eq!(attribute(&Value::F32(vec![0.1])), "0.1");
        assert_eq!(attribute(&Value::I16(vec![1, -2])), "[1, -2]");
        assert_eq!(attribute(&Value::I32((0..40).collect())), "[0, 1, 2, 3, 4, ..., 35, 36, 37, 38, 39] (40 values)");
        assert_eq!(attribute(&Value::I32(vec![])), "[]");
    }
}
