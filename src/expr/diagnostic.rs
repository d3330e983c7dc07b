//! [`Diagnostic`]: a mistake in an expression, shown with the line it stands in and a caret under the place.

use super::ast::Span;
use crate::error::{Error, Problem, closest_near};
use unicode_width::UnicodeWidthChar;

/// The widest piece of a line that is shown, in columns of the terminal.
const SHOWN_COLUMNS_MAX: usize = 100;
/// How much of a long line is shown before the place.
const BEFORE_COLUMNS_MAX: usize = 60;
/// A tab goes to the next multiple of this.
const TAB_COLUMNS: usize = 4;

/// A mistake in an expression and where it stands.
///
/// ```
/// use aosx::expr::{Diagnostic, Span};
/// let mistake = Diagnostic::new(Span { start: 4, end: 6 }, "no variable 'tt'").with_help("it has t");
/// assert_eq!(mistake.render("x = tt"), "no variable 'tt'; it has t\n  x = tt\n      ^^");
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnostic {
    /// The place.
    pub span: Span,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// Another place that the message speaks of, such as the bracket that is open.
    pub related: Option<Span>,
}

impl Diagnostic {
    /// What is wrong, and where.
    pub fn new(span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic { span, message: message.into(), help: None, related: None }
    }

    /// The same with what to do about it.
    pub fn with_help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }

    /// The same with another place that the message speaks of.
    pub fn with_related(mut self, place: Span) -> Diagnostic {
        self.related = Some(place);
        self
    }

    /// A name that does not exist: `no function 'maen'; did you mean mean?`, or what there is when that is little.
    pub fn unknown<'a>(span: Span, what: &str, name: &str, known: impl Iterator<Item = &'a str> + Clone) -> Diagnostic {
        let wrong = Diagnostic::new(span, format!("no {what} '{name}'"));
        if let Some(near) = closest_near(name, known.clone()) {
            return wrong.with_help(format!("did you mean {near}?"));
        }
        let all: Vec<&str> = known.take(13).collect();
        match all.len() {
            0 | 13 => wrong,
            _ => wrong.with_help(format!("there is {}", all.join(", "))),
        }
    }

    /// The message and the line of `source`, with `^` under the place and `-` under the related one.
    ///
    /// Lines have numbers when `source` has several. No line break at the end.
    pub fn render(&self, source: &str) -> String {
        let mut out = self.message.clone();
        if let Some(help) = &self.help {
            out += "; ";
            out += help;
        }
        let number_lines = source.trim_end().contains('\n');
        let inside = |span: Span| Span { start: span.start.min(source.len()), end: span.end.min(source.len()) };
        let mut marks = vec![(inside(self.span), '^')];
        marks.extend(self.related.map(|span| (inside(span), '-')));
        let mut lines: Vec<Line> = marks.iter().map(|(span, _)| Line::at(source, span.start)).collect();
        lines.sort_by_key(|line| line.number);
        lines.dedup_by_key(|line| line.number);
        let digits = lines.last().map_or(0, |line| line.number.to_string().len());
        for line in lines {
            let (text, under) = line.draw(&marks);
            let (gutter, blank) = match number_lines {
                true => (format!("{:>digits$} | ", line.number), format!("{:>digits$} | ", "")),
                false => (String::new(), String::new()),
            };
            out += &format!("\n  {gutter}{text}\n  {blank}{under}");
        }
        out
    }

    /// The error of a run, with what [`Diagnostic::render`] shows.
    pub fn in_source(self, source: &str) -> Error {
        let rendered = self.render(source);
        let line = Line::at(source, self.span.start);
        let before = line.text.char_indices().take_while(|(k, _)| line.start + k < self.span.start).count();
        Problem::Expression { rendered, message: self.message, line: line.number, column: before + 1 }.into()
    }
}

/// A line of the source.
struct Line<'a> {
    /// From 1.
    number: usize,
    /// Its first byte.
    start: usize,
    /// The byte of its line break.
    end: usize,
    text: &'a str,
}

/// A character as it is shown.
struct Cell {
    byte: usize,
    column: usize,
    shown: String,
}

impl<'a> Line<'a> {
    /// The line that byte `at` stands in.
    fn at(source: &'a str, at: usize) -> Line<'a> {
        let at = at.min(source.len());
        let breaks = source.as_bytes()[..at].iter().filter(|b| **b == b'\n').count();
        let start = source.as_bytes()[..at].iter().rposition(|b| *b == b'\n').map_or(0, |k| k + 1);
        let text = source[start..].split('\n').next().unwrap_or("");
        Line { number: breaks + 1, start, end: start + text.len(), text: text.strip_suffix('\r').unwrap_or(text) }
    }

    fn cells(&self) -> (Vec<Cell>, usize) {
        let mut cells = Vec::new();
        let mut column = 0;
        for (k, c) in self.text.char_indices() {
            let shown = match c {
                '\t' => " ".repeat(TAB_COLUMNS - column % TAB_COLUMNS),
                c if c.is_control() || turns_text(c) => '\u{fffd}'.to_string(),
                c => c.to_string(),
            };
            let columns = shown.chars().map(|c| c.width().unwrap_or(0)).sum::<usize>();
            cells.push(Cell { byte: self.start + k, column, shown });
            column += columns;
        }
        (cells, column)
    }

    /// The line, cut to what fits, and the marks that belong under it.
    fn draw(&self, marks: &[(Span, char)]) -> (String, String) {
        let (cells, columns) = self.cells();
        let column_of = |byte: usize| cells.iter().find(|cell| cell.byte >= byte).map_or(columns, |cell| cell.column);
        let here = |span: &Span| (self.start..=self.end).contains(&span.start);
        let place = marks.iter().find(|(span, _)| here(span)).map_or(0, |(span, _)| column_of(span.start));
        let (mut from, mut to) = (0, columns);
        if columns > SHOWN_COLUMNS_MAX {
            let wanted = place.saturating_sub(BEFORE_COLUMNS_MAX);
            from = cells.iter().map(|cell| cell.column).find(|c| *c >= wanted).unwrap_or(0);
            to = columns.min(from + SHOWN_COLUMNS_MAX);
        }
        let (head, tail) = (if from > 0 { "..." } else { "" }, if to < columns { "..." } else { "" });
        let inside = cells.iter().filter(|cell| (from..to).contains(&cell.column));
        let text: String = inside.map(|cell| cell.shown.as_str()).collect();
        let mut under: Vec<char> = Vec::new();
        // The main mark comes last, so that it is the one seen where two overlap.
        for (span, mark) in marks.iter().rev().filter(|(span, _)| here(span)) {
            let first = column_of(span.start);
            let last = column_of(span.end.min(self.end)).max(first + 1);
            let first = first.max(from);
            for column in first..last.min(to.max(first + 1)) {
                let at = column - from + head.len();
                if under.len() <= at {
                    under.resize(at + 1, ' ');
                }
                under[at] = *mark;
            }
        }
        (format!("{head}{text}{tail}"), under.into_iter().collect())
    }
}

/// Whether a character changes the direction of the text that follows, and so would move it from its marks.
fn turns_text(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(source: &str, word: &str) -> String {
        let start = source.find(word).unwrap();
        let rendered = Diagnostic::new((start..start + word.len()).into(), "wrong").render(source);
        rendered.strip_prefix("wrong\n").unwrap().to_string()
    }

    #[test]
    fn marks_stand_under_the_place_by_display_column() {
        assert_eq!(mark("a = bad + 1", "bad"), "  a = bad + 1\n      ^^^");
        assert_eq!(mark("a\t= bad", "bad"), "  a   = bad\n        ^^^", "a tab");
        assert_eq!(mark("θ = bad", "bad"), "  θ = bad\n      ^^^", "two bytes, one column");
        assert_eq!(mark("温度 = bad", "bad"), "  温度 = bad\n         ^^^", "two columns each");
        assert_eq!(mark("x = 温度", "温度"), "  x = 温度\n      ^^^^");
        assert_eq!(mark("e\u{301} = bad", "bad"), "  e\u{301} = bad\n      ^^^", "a combining accent");
        assert_eq!(mark("\u{1b}[31m bad", "bad"), "  \u{fffd}[31m bad\n        ^^^", "no escape reaches the terminal");
    }

    #[test]
    fn the_right_one_of_several_lines_is_shown() {
        assert_eq!(mark("a = 1\nb = bad\nc = 2", "bad"), "  2 | b = bad\n    |     ^^^");
        assert_eq!(mark("a = 1\r\nb = bad\r\n", "bad"), "  2 | b = bad\n    |     ^^^");
        let long = "x = 1\n".repeat(9) + "y = bad";
        let both = Diagnostic::new((58..61).into(), "m").with_related((0..1).into()).render(&long);
        assert_eq!(both, "m\n   1 | x = 1\n     | -\n  10 | y = bad\n     |     ^^^");
    }

    #[test]
    fn the_end_of_the_text_can_be_marked() {
        assert_eq!(Diagnostic::new((5..5).into(), "m").render("x = 1"), "m\n  x = 1\n       ^");
        assert_eq!(Diagnostic::new((0..0).into(), "m").render(""), "m\n  \n  ^");
        assert_eq!(Diagnostic::new((7..99).into(), "m").render("x"), "m\n  x\n   ^", "a span outside does no harm");
    }

    #[test]
    fn long_lines_are_cut_round_the_place() {
        let source = "a + ".repeat(100) + "bad" + &" + a".repeat(100);
        let rendered = mark(&source, "bad");
        let [line, under] = rendered.split('\n').collect::<Vec<_>>()[..] else { panic!("{rendered}") };
        assert!(line.len() <= SHOWN_COLUMNS_MAX + 8, "{line}");
        let at = under.find('^').unwrap();
        assert_eq!(&line[at..at + 3], "bad");
        assert!(line.starts_with("  ...") && line.ends_with("..."));
    }

    #[test]
    fn a_slip_gets_the_name_that_was_meant() {
        let dims = ["time", "lat", "lon"];
        let say = |name| Diagnostic::unknown(Span::default(), "dimension", name, dims.into_iter()).render("x");
        assert!(say("tiem").starts_with("no dimension 'tiem'; did you mean time?\n"));
        assert!(say("pressure").starts_with("no dimension 'pressure'; there is time, lat, lon\n"));
    }

    #[test]
    fn as_an_error_it_is_the_users_turn() {
        let e = Diagnostic::new((6..9).into(), "wrong").in_source("a\nx = θ");
        assert_eq!(e.class(), crate::error::Class::Usage);
        assert_eq!(e.to_string(), "expression: wrong\n  2 | x = θ\n    |     ^");
        let Problem::Expression { line, column, message, .. } = e.problem() else { panic!("{e:?}") };
        assert_eq!((*line, *column, message.as_str()), (2, 5, "wrong"));
    }
}
