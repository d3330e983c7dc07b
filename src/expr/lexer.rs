//! [`tokens`]: text to words, numbers and marks, each with its place.

use super::{ast::Span, diagnostic::Diagnostic};

/// The longest text that is read, in bytes.
pub const LENGTH_MAX: usize = 1 << 16;

/// A token.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Name(String),
    Int(u64),
    Float(f64),
    Text(String),
    /// An operator, a bracket, a separator or a reserved word, as it is written.
    Mark(&'static str),
    /// The end of a line, outside brackets.
    Newline,
    End,
}

/// Names that only backquotes make names of variables.
pub(super) const RESERVED: [&str; 9] = ["and", "or", "not", "true", "false", "True", "False", "None", "newaxis"];

/// Longer ones first.
const MARKS: [&str; 30] = [
    "...", "**", "//", "<<", ">>", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "@", "~", "|", "^", "&", "<", ">",
    "=", "(", ")", "[", "]", ",", ";", ":", ".",
];

/// What stands in other languages, or comes from a word processor, and what to write here. Longer ones first.
const FOREIGN: [(&str, &str); 31] = [
    ("**=", "write t = t ** x"),
    ("//=", "write t = t // x"),
    ("<<=", "write t = t << x"),
    (">>=", "write t = t >> x"),
    ("===", "write '=='"),
    ("!==", "write '!='"),
    ("&&", "write 'and'"),
    ("||", "write 'or'"),
    ("<>", "write '!='"),
    ("=>", "write '>='"),
    ("=<", "write '<='"),
    (":=", "write '='"),
    ("+=", "write t = t + x"),
    ("-=", "write t = t - x"),
    ("*=", "write t = t * x"),
    ("/=", "write t = t / x"),
    ("%=", "write t = t % x"),
    ("@=", "write t = t @ x"),
    ("&=", "write t = t & x"),
    ("|=", "write t = t | x"),
    ("^=", "write t = t ^ x"),
    ("\u{2212}", "write '-'"),
    ("\u{2013}", "write '-'"),
    ("\u{d7}", "write '*'"),
    ("\u{b7}", "write '*'"),
    ("\u{f7}", "write '/'"),
    ("\u{b2}", "write '**2'"),
    ("\u{b3}", "write '**3'"),
    ("\u{2264}", "write '<='"),
    ("\u{2265}", "write '>='"),
    ("\u{2260}", "write '!='"),
];

/// Whether `name` can be written without backquotes.
pub(super) fn is_plain_name(name: &str) -> bool {
    name.starts_with(starts_name) && name.chars().all(continues_name) && !RESERVED.contains(&name)
}

fn starts_name(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

fn continues_name(c: char) -> bool {
    c.is_alphabetic() || c.is_ascii_digit() || c == '_'
}

/// The tokens of a text; the last one is [`Token::End`].
///
/// # Errors
/// The first place that is no token.
pub(super) fn tokens(source: &str) -> Result<Vec<(Token, Span)>, Diagnostic> {
    if source.len() > LENGTH_MAX {
        let wrong = format!("the expression has {} bytes, and may have {LENGTH_MAX}", source.len());
        return Err(Diagnostic::new(Span::default(), wrong).with_help("split it into several runs"));
    }
    let mut lexer = Lexer { source, at: 0, open: 0 };
    let mut out = Vec::new();
    loop {
        lexer.skip_blank();
        let start = lexer.at;
        let token = lexer.next()?;
        let done = token == Token::End;
        out.push((token, (start..lexer.at).into()));
        if done {
            return Ok(out);
        }
    }
}

struct Lexer<'a> {
    source: &'a str,
    at: usize,
    /// Brackets that are open.
    open: usize,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.source[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// The length of what `belongs` accepts, from byte `from` of the rest.
    fn run(&self, from: usize, belongs: impl Fn(char) -> bool) -> usize {
        let rest = &self.rest()[from..];
        rest.find(|c| !belongs(c)).unwrap_or(rest.len())
    }

    /// A mistake in the next `length` bytes.
    fn wrong(&self, length: usize, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new((self.at..self.at + length).into(), message)
    }

    /// Spaces, comments, and the line breaks inside brackets or behind a backslash.
    fn skip_blank(&mut self) {
        loop {
            let inside = self.open > 0;
            self.at += self.run(0, |c| (c.is_whitespace() && c != '\n') || (inside && c == '\n') || c == '\u{feff}');
            if self.peek() == Some('#') {
                self.at += self.run(0, |c| c != '\n');
            } else if let Some(broken) = ["\\\n", "\\\r\n"].iter().find(|b| self.rest().starts_with(**b)) {
                self.at += broken.len();
            } else {
                return;
            }
        }
    }

    fn next(&mut self) -> Result<Token, Diagnostic> {
        let Some(first) = self.peek() else { return Ok(Token::End) };
        let second = self.rest()[first.len_utf8()..].chars().next();
        match first {
            '\n' => {
                self.at += 1;
                Ok(Token::Newline)
            }
            '\'' | '"' => self.text(first),
            '`' => self.quoted_name(),
            '0'..='9' => self.number(),
            '.' if second.is_some_and(|c| c.is_ascii_digit()) => self.number(),
            c if starts_name(c) => Ok(self.word()),
            _ => self.mark(first),
        }
    }

    fn word(&mut self) -> Token {
        let length = self.run(0, continues_name);
        let word = &self.rest()[..length];
        let token = match RESERVED.iter().find(|r| **r == word) {
            Some(reserved) => Token::Mark(reserved),
            None => Token::Name(word.to_string()),
        };
        self.at += length;
        token
    }

    fn mark(&mut self, first: char) -> Result<Token, Diagnostic> {
        let rest = self.rest();
        if let Some((foreign, help)) = FOREIGN.iter().find(|(foreign, _)| rest.starts_with(foreign)) {
            return Err(self.wrong(foreign.len(), format!("there is no '{foreign}'")).with_help(*help));
        }
        let Some(mark) = MARKS.iter().find(|mark| rest.starts_with(**mark)) else {
            return Err(self.no_token(first));
        };
        match *mark {
            "(" | "[" => self.open += 1,
            ")" | "]" => self.open = self.open.saturating_sub(1),
            _ => {}
        }
        self.at += mark.len();
        Ok(Token::Mark(mark))
    }

    fn no_token(&self, c: char) -> Diagnostic {
        let length = c.len_utf8();
        match c {
            '!' => self.wrong(length, "there is no '!'").with_help("write 'not'"),
            '\u{2018}'..='\u{201f}' | '\u{ab}' | '\u{bb}' => {
                self.wrong(length, format!("'{c}' is no quote here")).with_help("write ' or \"")
            }
            '\\' => self.wrong(length, "a backslash stands only at the end of a line"),
            '{' | '}' => self.wrong(length, format!("there is no '{c}'")).with_help("lists stand in [ ]"),
            c if c.is_control() => self.wrong(length, format!("the character U+{:04X} cannot stand here", c as u32)),
            c => self
                .wrong(length, format!("'{c}' cannot stand here"))
                .with_help("a name with such characters stands in backquotes"),
        }
    }

    /// Text in quotes, with the escapes of Python that it needs.
    fn text(&mut self, quote: char) -> Result<Token, Diagnostic> {
        let open = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            match self.peek() {
                None | Some('\n') => {
                    let wrong = Diagnostic::new((open..open + 1).into(), format!("this {quote} is not closed"));
                    return Err(wrong.with_help(format!("end the text with {quote} in the same line")));
                }
                Some(c) if c == quote => {
                    self.at += 1;
                    return Ok(Token::Text(text));
                }
                Some('\\') => text.push(self.escape()?),
                Some(c) => {
                    text.push(c);
                    self.at += c.len_utf8();
                }
            }
        }
    }

    fn escape(&mut self) -> Result<char, Diagnostic> {
        let next = self.rest()[1..].chars().next();
        let (c, length) = match next {
            Some('n') => ('\n', 2),
            Some('t') => ('\t', 2),
            Some('r') => ('\r', 2),
            Some(c @ ('\\' | '\'' | '"')) => (c, 2),
            Some('u') => {
                let digits = self.rest().get(2..6).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
                let code = digits.and_then(|d| u32::from_str_radix(d, 16).ok()).and_then(char::from_u32);
                let wrong =
                    || self.wrong(2, "\\u takes four hexadecimal digits of a character").with_help("as \\u00b0");
                (code.ok_or_else(wrong)?, 6)
            }
            other => {
                let length = 1 + other.filter(|c| *c != '\n').map_or(0, char::len_utf8);
                let wrong = self.wrong(length, format!("there is no escape '{}'", &self.rest()[..length]));
                return Err(wrong.with_help("there are \\n \\t \\r \\\\ \\' \\\" \\uXXXX; a backslash itself is \\\\"));
            }
        };
        self.at += length;
        Ok(c)
    }

    /// A name in backquotes, in which two are one.
    fn quoted_name(&mut self) -> Result<Token, Diagnostic> {
        let open = self.at;
        self.at += 1;
        let mut name = String::new();
        loop {
            match self.peek() {
                Some('`') if self.rest().starts_with("``") => {
                    name.push('`');
                    self.at += 2;
                }
                Some('`') => {
                    self.at += 1;
                    break;
                }
                Some(c) if !c.is_control() => {
                    name.push(c);
                    self.at += c.len_utf8();
                }
                _ => {
                    let wrong = Diagnostic::new((open..open + 1).into(), "this ` is not closed");
                    return Err(wrong.with_help("end the name with ` in the same line"));
                }
            }
        }
        match name.is_empty() {
            true => Err(Diagnostic::new((open..self.at).into(), "a name has at least one character")),
            false => Ok(Token::Name(name)),
        }
    }

    fn number(&mut self) -> Result<Token, Diagnostic> {
        for (prefix, radix) in [("0x", 16), ("0X", 16), ("0b", 2), ("0B", 2), ("0o", 8), ("0O", 8)] {
            if self.rest().starts_with(prefix) {
                return self.radix(radix);
            }
        }
        let digit = |c: char| c.is_ascii_digit() || c == '_';
        let mut length = self.run(0, digit);
        let whole = length;
        let byte = |k: usize| self.rest().as_bytes().get(k).copied().unwrap_or(0);
        if byte(length) == b'.' {
            length += 1 + self.run(length + 1, digit);
        }
        let sign = usize::from(matches!(byte(length + 1), b'+' | b'-'));
        if matches!(byte(length), b'e' | b'E') && byte(length + 1 + sign).is_ascii_digit() {
            length += 1 + sign;
            length += self.run(length, digit);
        }
        let tail = self.run(length, continues_name);
        if tail > 0 || byte(length) == b'.' {
            return Err(self.no_number(length + self.run(length, |c| continues_name(c) || c == '.')));
        }
        let written = &self.rest()[..length];
        let lone =
            |k: usize| byte(k) == b'_' && !(byte(k + 1).is_ascii_digit() && k > 0 && byte(k - 1).is_ascii_digit());
        if (0..length).any(lone) {
            return Err(self.wrong(length, format!("'{written}' is no number")));
        }
        let plain = written.replace('_', "");
        let token = if length == whole { self.whole(&plain)? } else { self.floating(&plain)? };
        self.at += length;
        Ok(token)
    }

    fn no_number(&self, length: usize) -> Diagnostic {
        let written = &self.rest()[..length];
        let wrong = self.wrong(length, format!("'{written}' is no number"));
        match written.split_once('.') {
            Some((file, variable)) if variable.starts_with(starts_name) => wrong
                .with_help(format!("a file's name that begins with a digit stands in backquotes: `{file}`.{variable}")),
            Some(_) => wrong,
            None => wrong.with_help(format!("a name that begins with a digit stands in backquotes: `{written}`")),
        }
    }

    fn radix(&mut self, radix: u32) -> Result<Token, Diagnostic> {
        let length = 2 + self.run(2, continues_name);
        let digits = &self.rest()[2..length];
        let Ok(value) = u64::from_str_radix(digits, radix) else {
            let wrong = format!("'{}' is no number in base {radix} of up to 64 bits", &self.rest()[..length]);
            return Err(self.wrong(length, wrong));
        };
        self.at += length;
        Ok(Token::Int(value))
    }

    fn whole(&self, written: &str) -> Result<Token, Diagnostic> {
        if written.len() > 1 && written.starts_with('0') && written.bytes().any(|b| b != b'0') {
            let wrong = self.wrong(written.len(), "a number does not begin with 0");
            return Err(wrong.with_help("a date stands in quotes: \"1991-07\""));
        }
        let too_large = || {
            let wrong = self.wrong(written.len(), "the whole number is larger than 64 bits hold");
            wrong.with_help(format!("as a floating number it is {written}.0"))
        };
        written.parse().map(Token::Int).map_err(|_| too_large())
    }

    fn floating(&self, written: &str) -> Result<Token, Diagnostic> {
        let value: f64 = written.parse().map_err(|_| self.wrong(written.len(), format!("'{written}' is no number")))?;
        match value.is_finite() {
            true => Ok(Token::Float(value)),
            false => Err(self
                .wrong(written.len(), "the number is larger than double precision holds")
                .with_help("write inf")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lex(source: &str) -> Vec<Token> {
        let mut out: Vec<Token> = tokens(source).unwrap().into_iter().map(|(token, _)| token).collect();
        assert_eq!(out.pop(), Some(Token::End));
        out
    }

    fn wrong(source: &str) -> String {
        let e = tokens(source).unwrap_err();
        assert!(e.span.end <= source.len() && source.get(e.span.start..e.span.end).is_some(), "{e:?}");
        let help = e.help.map(|help| format!("; {help}")).unwrap_or_default();
        format!("{}{help} [{}]", e.message, &source[e.span.start..e.span.end])
    }

    #[test]
    fn numbers() {
        for (written, value) in
            [("0", 0), ("00", 0), ("12", 12), ("1_000", 1000), ("0xff", 255), ("0b101", 5), ("0o17", 15)]
        {
            assert_eq!(lex(written), [Token::Int(value)], "{written}");
        }
        assert_eq!(lex("18446744073709551615"), [Token::Int(u64::MAX)]);
        for (written, value) in
            [("1.5", 1.5), ("1.", 1.0), (".5", 0.5), ("1e-3", 1e-3), ("2E+4", 2e4), ("1.5e1_0", 1.5e10)]
        {
            assert_eq!(lex(written), [Token::Float(value)], "{written}");
        }
        assert_eq!(lex("t[0:10]").len(), 6);
        for (written, message) in [
            ("2m", "'2m' is no number; a name that begins with a digit stands in backquotes: `2m` [2m]"),
            ("1.2.3", "'1.2.3' is no number [1.2.3]"),
            (
                "1990.t",
                "'1990.t' is no number; a file's name that begins with a digit stands in backquotes: `1990`.t [1990.t]",
            ),
            ("1e", "'1e' is no number; a name that begins with a digit stands in backquotes: `1e` [1e]"),
            ("1__0", "'1__0' is no number [1__0]"),
            ("1_", "'1_' is no number [1_]"),
            ("0x", "'0x' is no number in base 16 of up to 64 bits [0x]"),
            ("0b12", "'0b12' is no number in base 2 of up to 64 bits [0b12]"),
            ("1991-07", "a number does not begin with 0; a date stands in quotes: \"1991-07\" [07]"),
            ("1e999", "the number is larger than double precision holds; write inf [1e999]"),
        ] {
            assert_eq!(wrong(written), message);
        }
        assert!(wrong("18446744073709551616").contains("18446744073709551616.0"));
    }

    #[test]
    fn text_and_names() {
        assert_eq!(lex(r#"'a"b' "a'b""#), [Token::Text("a\"b".into()), Token::Text("a'b".into())]);
        assert_eq!(lex(r#""\n\t\r\\\'\"\u00b0""#), [Token::Text("\n\t\r\\'\"°".into())]);
        assert_eq!(lex("`group/sub/t` `2m``x`"), [Token::Name("group/sub/t".into()), Token::Name("2m`x".into())]);
        assert_eq!(lex("θ _x1 température"), ["θ", "_x1", "température"].map(|n| Token::Name(n.into())));
        assert_eq!(lex("and nota"), [Token::Mark("and"), Token::Name("nota".into())]);
        assert_eq!(wrong("x = \"K"), "this \" is not closed; end the text with \" in the same line [\"]");
        assert_eq!(wrong("`a\n`"), "this ` is not closed; end the name with ` in the same line [`]");
        assert_eq!(wrong("``"), "a name has at least one character [``]");
        assert!(wrong(r"'\q'").starts_with(r"there is no escape '\q'; "));
        assert!(wrong("'\\u12é4'").starts_with("\\u takes four"));
        assert!(wrong("'\\ud800'").starts_with("\\u takes four"), "half of a pair");
        assert!(wrong("'a\\\n'").starts_with(r"there is no escape '\'"));
    }

    #[test]
    fn line_breaks_count_outside_brackets_only() {
        assert_eq!(lex("a\nb"), [Token::Name("a".into()), Token::Newline, Token::Name("b".into())]);
        assert_eq!(lex("(\n)"), [Token::Mark("("), Token::Mark(")")]);
        assert_eq!(lex("a # b ; c\n"), [Token::Name("a".into()), Token::Newline]);
        assert_eq!(lex("a \\\nb"), [Token::Name("a".into()), Token::Name("b".into())]);
        assert_eq!(lex("\u{feff}a\r\n"), [Token::Name("a".into()), Token::Newline]);
        assert_eq!(lex(")\na").len(), 3, "a bracket too many closes nothing");
    }

    #[test]
    fn marks_of_other_languages_say_what_to_write() {
        assert_eq!(wrong("a && b"), "there is no '&&'; write 'and' [&&]");
        assert_eq!(wrong("t += 1"), "there is no '+='; write t = t + x [+=]");
        assert_eq!(wrong("!a"), "there is no '!'; write 'not' [!]");
        assert_eq!(wrong("a − b"), "there is no '−'; write '-' [−]");
        assert_eq!(wrong("u²"), "there is no '²'; write '**2' [²]");
        assert_eq!(wrong("x = “K”"), "'“' is no quote here; write ' or \" [“]");
        assert_eq!(wrong("a \\ b"), "a backslash stands only at the end of a line [\\]");
        assert_eq!(wrong("a \u{7} b"), "the character U+0007 cannot stand here [\u{7}]");
        assert_eq!(lex("a<-1").len(), 4);
        assert_eq!(lex("f(x=-1)").len(), 7);
    }

    #[test]
    fn length_is_bounded() {
        assert!(tokens(&" ".repeat(LENGTH_MAX)).is_ok());
        assert!(tokens(&" ".repeat(LENGTH_MAX + 1)).unwrap_err().message.contains("may have 65536"));
    }
}
