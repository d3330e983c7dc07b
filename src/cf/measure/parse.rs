//! Reads units in the grammar of UDUNITS-2.

use super::{EXPONENT_MAX, OUT_OF_RANGE, Unit, ratio::Ratio, table};

/// No unit is longer, in characters.
const LENGTH_MAX: usize = 256;
/// Nor deeper in parentheses.
const DEPTH_MAX: usize = 16;

/// Reads one; the error says why that is none.
pub(super) fn unit(text: &str) -> Result<Unit, String> {
    let text = text.trim();
    if text.chars().count() > LENGTH_MAX {
        return Err(format!("longer than {LENGTH_MAX} characters"));
    }
    let Some((left, right, counts_time)) = shifted(text) else { return product(text) };
    if left.is_empty() {
        return Err("no unit stands before what it counts from".into());
    }
    let unit = product(left)?;
    let is_time = unit.base == [0, 0, 1, 0, 0, 0, 0];
    if is_time || counts_time {
        if !is_time || !right.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+')) {
            return Err("it counts from an instant, and is no unit of time with a date behind it".into());
        }
        return Ok(Unit { reference: Some(right.to_string()), ..unit });
    }
    let (sign, digits) = right.strip_prefix('-').map_or((1.0, right), |digits| (-1.0, digits));
    let shift = Ratio::of_text(digits).ok_or_else(|| format!("'{right}' is no number to count from"))?;
    let shift = Ratio { over: sign * shift.over, ..shift };
    Ok(Unit { shift, zero: unit.zero.minus(Ratio { over: -shift.over, ..shift }), ..unit })
}

/// What stands before and behind the word for "counted from", and whether it is one for time.
fn shifted(text: &str) -> Option<(&str, &str, bool)> {
    if let Some((left, right)) = text.split_once('@') {
        return Some((left.trim(), right.trim(), false));
    }
    let mut at = 0;
    for word in text.split_whitespace() {
        let start = at + text[at..].find(word)?;
        at = start + word.len();
        let lower = word.to_ascii_lowercase();
        if start > 0 && ["since", "after", "from", "ref"].contains(&lower.as_str()) {
            return Some((text[..start].trim(), text[at..].trim(), lower == "since"));
        }
    }
    None
}

/// Units beside one another, with or without signs between them.
fn product(text: &str) -> Result<Unit, String> {
    if text.is_empty() {
        return Ok(Unit::one());
    }
    let mut reader = Reader { chars: text.chars().collect(), at: 0, depth: 0 };
    let out = reader.product()?;
    match reader.peek() {
        None => Ok(out),
        Some(c) => Err(format!("'{c}' is not expected there")),
    }
}

struct Reader {
    chars: Vec<char>,
    at: usize,
    depth: usize,
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn behind(&self, n: usize) -> Option<char> {
        self.chars.get(self.at + n).copied()
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    fn take_while(&mut self, keep: impl Fn(char) -> bool) -> String {
        let from = self.at;
        while self.peek().is_some_and(&keep) {
            self.at += 1;
        }
        self.chars[from..self.at].iter().collect()
    }

    fn product(&mut self) -> Result<Unit, String> {
        self.skip_space();
        let mut out = self.power()?;
        loop {
            self.skip_space();
            let divides = match self.peek() {
                None | Some(')') => return Ok(out),
                Some('/') => true,
                Some('*' | '.' | '·' | '⋅') => false,
                Some('p') if self.chars[self.at..].starts_with(&['p', 'e', 'r', ' ']) => {
                    self.at += 2;
                    true
                }
                Some('+' | '-') => return Err("an exponent stands next to its unit, as s-1".into()),
                Some(_) => {
                    // What follows without a sign begins at once.
                    self.at -= 1;
                    false
                }
            };
            self.at += 1;
            self.skip_space();
            let next = self.power()?;
            let joined = if divides { out.divide(&next) } else { out.multiply(&next) };
            out = joined.map_err(|_| OUT_OF_RANGE)?;
        }
    }

    fn power(&mut self) -> Result<Unit, String> {
        let basic = self.basic()?;
        match self.exponent()? {
            None => Ok(basic),
            Some(n) => Ok(basic.power(n).map_err(|_| OUT_OF_RANGE)?),
        }
    }

    fn basic(&mut self) -> Result<Unit, String> {
        match self.peek() {
            None => Err("a unit is missing at its end".into()),
            Some('(') => {
                if self.depth == DEPTH_MAX {
                    return Err("too many parentheses".into());
                }
                self.depth += 1;
                self.at += 1;
                let inner = self.product()?;
                self.depth -= 1;
                if self.peek() != Some(')') {
                    return Err("a parenthesis is open".into());
                }
                self.at += 1;
                Ok(inner)
            }
            Some(c) if c.is_ascii_digit() || c == '.' => self.number(),
            Some(c) if is_letter(c) || SIGNS.contains(&c) => {
                let name = self.name();
                table::find(&name)
            }
            Some(c) => Err(format!("'{c}' is not expected there")),
        }
    }

    fn number(&mut self) -> Result<Unit, String> {
        let mut text = self.take_while(|c| c.is_ascii_digit());
        if self.peek() == Some('.') && self.behind(1).is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
            text = format!("{text}.{}", self.take_while(|c| c.is_ascii_digit()));
        }
        let signed = matches!(self.behind(1), Some('+' | '-'));
        let digit = self.behind(if signed { 2 } else { 1 });
        if matches!(self.peek(), Some('e' | 'E')) && digit.is_some_and(|c| c.is_ascii_digit()) {
            let from = self.at;
            self.at += if signed { 2 } else { 1 };
            self.take_while(|c| c.is_ascii_digit());
            text.extend(&self.chars[from..self.at]);
        }
        let number = Ratio::of_text(&text).filter(|n| n.value().is_normal());
        let number = number.ok_or_else(|| format!("'{text}' is no number that a unit can have"))?;
        Ok(Unit { number, scale: number, ..Unit::one() })
    }

    /// A name: letters, with digits inside.
    fn name(&mut self) -> String {
        if self.peek().is_some_and(|c| SIGNS.contains(&c)) {
            self.at += 1;
            return self.chars[self.at - 1].to_string();
        }
        let mut out = String::new();
        loop {
            out.push_str(&self.take_while(is_letter));
            let digits = self.chars[self.at..].iter().take_while(|c| c.is_ascii_digit()).count();
            match self.behind(digits) {
                Some(c) if digits > 0 && is_letter(c) => {
                    out.extend(&self.chars[self.at..self.at + digits]);
                    self.at += digits;
                }
                _ => return out,
            }
        }
    }

    /// An exponent next to a unit: `2`, `-1`, `^2`, `**-1`, `²`.
    fn exponent(&mut self) -> Result<Option<i32>, String> {
        const RAISED: &str = "⁰¹²³⁴⁵⁶⁷⁸⁹";
        let raised = self.take_while(|c| RAISED.contains(c) || matches!(c, '⁻' | '⁺'));
        if !raised.is_empty() {
            let plain = |c: char| RAISED.chars().position(|r| r == c).map_or(c.to_string(), |n| n.to_string());
            let text: String = raised.chars().map(plain).collect();
            return exponent(&text.replace('⁻', "-").replace('⁺', "")).map(Some);
        }
        let from = self.at;
        let mut is_said = false;
        self.skip_space();
        if self.peek() == Some('^') {
            self.at += 1;
            is_said = true;
        } else if self.peek() == Some('*') && self.behind(1) == Some('*') {
            self.at += 2;
            is_said = true;
        } else {
            self.at = from;
        }
        if is_said {
            self.skip_space();
        }
        let sign = self.take_while(|c| matches!(c, '+' | '-'));
        let digits = self.take_while(|c| c.is_ascii_digit());
        if is_said && self.peek() == Some('.') && self.behind(1).is_some_and(|c| c.is_ascii_digit()) {
            return Err("exponents are whole numbers".into());
        }
        match (digits.is_empty(), is_said || !sign.is_empty()) {
            (false, _) => exponent(&format!("{sign}{digits}")).map(Some),
            (true, true) => Err("an exponent is missing".into()),
            (true, false) => Ok(None),
        }
    }
}

fn exponent(text: &str) -> Result<i32, String> {
    let n = text.parse::<i32>().ok().filter(|n| n.abs() <= EXPONENT_MAX);
    n.ok_or_else(|| format!("'{text}' is no exponent: a whole number up to {EXPONENT_MAX}"))
}

/// Units of one character that is no letter.
const SIGNS: [char; 4] = ['%', '\'', '"', '‰'];

fn is_letter(c: char) -> bool {
    // Raised digits are numbers to Unicode, but ª and º are letters.
    c.is_alphabetic() || matches!(c, '_' | '°' | '℃')
}
