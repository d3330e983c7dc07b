use super::{Drawn, Graph, Kind, Node, layout::Layout};
use crate::grid::Grid;
use std::fmt::Write;

/// Fill and stroke of an array's blocks, one array after the other.
const COLOURS: [(&str, &str); 8] = [
    ("#dbe9f6", "#2f6ea5"),
    ("#dcf0dc", "#3c8a3f"),
    ("#fde4cf", "#c2691c"),
    ("#e8def2", "#7a4fa3"),
    ("#d5efee", "#1f8a87"),
    ("#f9dbe5", "#b8456f"),
    ("#eeeecb", "#85851f"),
    ("#e3e3e3", "#666666"),
];
const MARGIN: f64 = 16.0;
/// The side of an array's small grid.
const MINIATURE: f64 = 30.0;
/// One array's label needs so much height.
const LABEL: f64 = 42.0;
/// Small grids show no more blocks than this along an axis.
const CELLS_MAX: u64 = 12;
/// Longer names are cut on circles.
const NAME_CHARS_MAX: usize = 14;
/// A circle shows so many functions at most.
const LINES_MAX: usize = 4;
/// Of small text; what a character of it takes is an average of common sans-serif fonts.
const SMALL: f64 = 10.0;
const CHAR: f64 = 0.58;
/// From one line on a circle to the next.
const LINE: f64 = 11.0;
const STYLE: &str = "text{font-family:Helvetica,Arial,sans-serif;font-size:10px;text-anchor:middle;\
fill:#222}.l{text-anchor:start}.n{font-weight:bold;font-size:12px}.s{fill:#666}\
.t{fill:#fffdf5;stroke:#8a6d1d}.a{fill:none;stroke:#8d8d8d}.e{marker-end:url(#head)}";

/// The graph as a picture: a complete SVG document that needs nothing else.
///
/// Rows go from the bottom up. At the left of a row of blocks stand the names, shapes and blocks of its arrays. The
/// same graph gives the same bytes.
pub fn svg(graph: &Graph) -> String {
    Picture::new(graph).document()
}

struct Picture<'a> {
    graph: &'a Graph,
    layout: Layout,
    sizes: Vec<(f64, f64)>,
    /// The middle of each row, from the top.
    rows: Vec<f64>,
    /// The height of each row.
    heights: Vec<f64>,
    /// What the labels take at the left.
    left: f64,
    height: f64,
}

impl<'a> Picture<'a> {
    fn new(graph: &'a Graph) -> Picture<'a> {
        let radius = graph.nodes.iter().map(radius).fold(16.0, f64::max);
        let sizes: Vec<(f64, f64)> = graph.nodes.iter().map(|n| size(graph, n, radius)).collect();
        let layout = Layout::new(graph, &sizes.iter().map(|s| s.0).collect::<Vec<_>>());
        let collapsed = graph.nodes.iter().any(|n| n.kind == Kind::Whole);
        let label = |a: &Drawn| 8.0 + MINIATURE + text_width(&a.name, 12.5).max(text_width(&extent(&a.grid), SMALL));
        let left = if collapsed { 0.0 } else { graph.arrays.iter().map(label).fold(0.0, f64::max) + 20.0 };
        let mut heights = vec![0.0f64; graph.rows()];
        for (node, size) in graph.nodes.iter().zip(&sizes) {
            heights[node.row] = heights[node.row].max(size.1);
        }
        if !collapsed {
            for (row, height) in heights.iter_mut().enumerate() {
                *height = height.max(LABEL * labelled(graph, row).len() as f64);
            }
        }
        // The farther arrows go sideways, the more room they need to be told apart.
        let mut gaps = vec![0.0f64; graph.rows()];
        for &(a, b) in &layout.links {
            let (a, b) = (&layout.places[a], &layout.places[b]);
            gaps[a.row] = gaps[a.row].max((a.x - b.x).abs());
        }
        let mut height = MARGIN;
        let mut rows = vec![0.0; heights.len()];
        for row in (0..heights.len()).rev() {
            height += if row + 1 < heights.len() { (0.14 * gaps[row]).clamp(24.0, 120.0).round() } else { 0.0 };
            rows[row] = height + heights[row] / 2.0;
            height += heights[row];
        }
        Picture { graph, layout, sizes, rows, heights, left, height: height + MARGIN }
    }

    fn document(&self) -> String {
        let (width, height) = ((2.0 * MARGIN + self.left + self.layout.width).ceil(), self.height.ceil());
        let name = self.graph.arrays.last().map(|a| a.name.as_str()).unwrap_or_default();
        let tasks = self.graph.nodes.iter().filter(|n| n.is_task()).count();
        let desc = format!(
            "Blocked graph of {}: {} blocks (squares), {tasks} tasks (circles) and {} arrows, from the bottom up",
            name,
            self.graph.nodes.len() - tasks,
            self.graph.edges.len()
        );
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
             height=\"{height}\" role=\"img\">\n<title>{}</title>\n<desc>{}</desc>\n<style>{STYLE}</style>\n\
             <defs><marker id=\"head\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"6\" markerHeight=\"6\" \
             orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#6f6f6f\"/></marker></defs>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
            escaped(name),
            escaped(&desc)
        );
        self.arrows(&mut out);
        (0..self.graph.nodes.len()).for_each(|k| self.node(&mut out, k));
        if self.left > 0.0 {
            (0..self.rows.len()).for_each(|row| self.labels(&mut out, row));
        }
        out + "</svg>\n"
    }

    /// The middle of a place.
    fn at(&self, place: usize) -> (f64, f64) {
        let place = &self.layout.places[place];
        (MARGIN + self.left + place.x, self.rows[place.row])
    }

    fn arrows(&self, out: &mut String) {
        out.push_str("<g class=\"a\">\n");
        for &(from, to) in &self.layout.links {
            let ((x, y), (u, v)) = (self.at(from), self.at(to));
            let half = |place: usize| match self.layout.places[place].node {
                Some(node) => self.sizes[node].1 / 2.0,
                None => self.heights[self.layout.places[place].row] / 2.0,
            };
            let (start, end) = (y - half(from), v + half(to));
            let passes = self.layout.places[from].node.is_none();
            let class = if self.layout.places[to].node.is_some() { " class=\"e\"" } else { "" };
            let begin = if passes {
                format!("M{} {}V{}", short(x), short(y + half(from)), short(start))
            } else {
                format!("M{} {}", short(x), short(start))
            };
            let rest = if (x - u).abs() < 0.05 {
                format!("V{}", short(end))
            } else {
                let middle = short((start + end) / 2.0);
                format!("C{} {middle} {} {middle} {} {}", short(x), short(u), short(u), short(end))
            };
            put(out, format_args!("<path{class} d=\"{begin}{rest}\"/>"));
        }
        out.push_str("</g>\n");
    }

    fn node(&self, out: &mut String, k: usize) {
        let node = &self.graph.nodes[k];
        let array = &self.graph.arrays[node.array];
        let ((x, y), (width, height)) = (self.at(k), self.sizes[k]);
        let (fill, stroke) = COLOURS[node.array % COLOURS.len()];
        let (left, top) = (x - width / 2.0, y - height / 2.0);
        let corner = format!("x=\"{}\" y=\"{}\" width=\"{width}\" height=\"{height}\"", short(left), short(top));
        let title = escaped(&words(array, &node.kind));
        put(out, format_args!("<g><title>{title}</title>"));
        match &node.kind {
            Kind::Block(index) => {
                put(out, format_args!("<rect {corner} rx=\"2\" fill=\"{fill}\" stroke=\"{stroke}\"/>"));
                line(out, x, y + 3.5, &place_words(index));
            }
            Kind::Whole => {
                put(out, format_args!("<rect {corner} rx=\"3\" fill=\"#fff\" stroke=\"{stroke}\"/>"));
                label(out, array, node.array, left + 8.0, y);
            }
            Kind::Task { .. } | Kind::Tasks { .. } => {
                let (x, radius) = (short(x), short(width / 2.0));
                put(out, format_args!("<circle class=\"t\" cx=\"{x}\" cy=\"{}\" r=\"{radius}\"/>", short(y)));
                let lines = lines(node);
                let first = y + 3.5 - (lines.len() as f64 - 1.0) * LINE / 2.0;
                lines.iter().enumerate().for_each(|(k, text)| line(out, x, first + k as f64 * LINE, text));
            }
        }
        put(out, format_args!("</g>"));
    }

    /// The arrays of a row, one below the other.
    fn labels(&self, out: &mut String, row: usize) {
        let arrays = labelled(self.graph, row);
        let first = self.rows[row] - LABEL * (arrays.len() as f64 - 1.0) / 2.0;
        for (k, array) in arrays.into_iter().enumerate() {
            label(out, &self.graph.arrays[array], array, MARGIN, first + LABEL * k as f64);
        }
    }
}

/// One line of text around `x`.
fn line(out: &mut String, x: f64, y: f64, text: &str) {
    put(out, format_args!("<text x=\"{}\" y=\"{}\">{}</text>", short(x), short(y), escaped(text)));
}

/// A block's place, as short as it can be said.
fn place_words(index: &[u64]) -> String {
    index.iter().map(u64::to_string).collect::<Vec<_>>().join(",")
}

/// A small grid, and beside it what the array is; `y` is the middle.
fn label(out: &mut String, array: &Drawn, number: usize, x: f64, y: f64) {
    miniature(out, &array.grid, number, x, y - MINIATURE / 2.0);
    let x = short(x + MINIATURE + 8.0);
    put(
        out,
        format_args!(
            "<text class=\"l n\" x=\"{x}\" y=\"{}\">{}</text><text class=\"l s\" x=\"{x}\" y=\"{}\">{}</text>",
            short(y - 2.0),
            escaped(&array.name),
            short(y + 12.0),
            extent(&array.grid)
        ),
    );
}

/// The grid of the last two axes.
fn miniature(out: &mut String, grid: &Grid, number: usize, x: f64, y: f64) {
    let (fill, stroke) = COLOURS[number % COLOURS.len()];
    let from_end = |k: usize| grid.counts().iter().rev().nth(k).copied().unwrap_or(1);
    let (columns, rows) = (from_end(0).clamp(1, CELLS_MAX), from_end(1).clamp(1, CELLS_MAX));
    let cell = (MINIATURE / columns.max(rows).max(2) as f64).floor();
    let (width, height) = (cell * columns as f64, cell * rows as f64);
    let (x, y) = (x + ((MINIATURE - width) / 2.0).floor(), y + ((MINIATURE - height) / 2.0).floor());
    let mut lines = String::new();
    let (left, top) = (short(x), short(y));
    for k in 1..columns {
        let _ = write!(lines, "M{} {top}v{height}", short(x + cell * k as f64));
    }
    for k in 1..rows {
        let _ = write!(lines, "M{left} {}h{width}", short(y + cell * k as f64));
    }
    put(
        out,
        format_args!(
            "<rect x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\" fill=\"{fill}\" \
             stroke=\"{stroke}\"/><path d=\"{lines}\" stroke=\"{stroke}\"/>"
        ),
    );
}

/// The arrays whose blocks stand in a row.
fn labelled(graph: &Graph, row: usize) -> Vec<usize> {
    let blocks = graph.nodes.iter().filter(|n| n.row == row && !n.is_task());
    let mut arrays: Vec<usize> = blocks.map(|n| n.array).collect();
    arrays.dedup();
    arrays
}

/// What a circle says, line by line.
fn lines(node: &Node) -> Vec<String> {
    let (functions, count) = match &node.kind {
        Kind::Task { functions, .. } => (functions, None),
        Kind::Tasks { functions, count } => (functions, Some(count)),
        Kind::Block(_) | Kind::Whole => return Vec::new(),
    };
    let cut = |name: &String| match name.chars().count() {
        n if n > NAME_CHARS_MAX => name.chars().take(NAME_CHARS_MAX - 1).chain(['…']).collect(),
        _ => name.clone(),
    };
    let mut out: Vec<String> = if functions.len() > LINES_MAX {
        let shown = functions[..LINES_MAX - 2].iter().chain(functions.last());
        let mut shown: Vec<String> = shown.map(cut).collect();
        shown.insert(LINES_MAX - 2, format!("{} more", functions.len() + 1 - LINES_MAX));
        shown
    } else {
        functions.iter().map(cut).collect()
    };
    out.extend(count.map(|n| format!("× {n}")));
    out
}

/// Of a circle around the lines.
fn radius(node: &Node) -> f64 {
    let lines = lines(node);
    let width = lines.iter().map(|l| text_width(l, SMALL)).fold(0.0, f64::max);
    let height = (lines.len() as f64 - 1.0).max(0.0) * LINE;
    ((width / 2.0).hypot(height / 2.0) + 4.0).ceil()
}

fn size(graph: &Graph, node: &Node, radius: f64) -> (f64, f64) {
    match &node.kind {
        Kind::Task { .. } | Kind::Tasks { .. } => (2.0 * radius, 2.0 * radius),
        Kind::Block(index) => ((text_width(&place_words(index), SMALL) + 12.0).max(26.0).ceil(), 26.0),
        Kind::Whole => {
            let array = &graph.arrays[node.array];
            let text = text_width(&array.name, 12.5).max(text_width(&extent(&array.grid), SMALL));
            ((text + MINIATURE + 26.0).ceil(), MINIATURE + 16.0)
        }
    }
}

/// What a pointer on the node is told.
fn words(array: &Drawn, kind: &Kind) -> String {
    match kind {
        Kind::Block(index) => {
            let region = array.grid.region(index);
            let along = region.start.iter().zip(region.shape.iter()).map(|(&s, &n)| format!("{s}:{}", s + n));
            format!("{} {index} = [{}]", array.name, along.collect::<Vec<_>>().join(", "))
        }
        Kind::Task { functions, block } => format!("{}: {} {block}", functions.join(", "), array.name),
        Kind::Whole => array.name.clone(),
        Kind::Tasks { functions, count } => format!("{}: {count} tasks for {}", functions.join(", "), array.name),
    }
}

/// `(15, 15) in 3 × 3 blocks`.
fn extent(grid: &Grid) -> String {
    if grid.shape().is_empty() { "one value".to_string() } else { format!("{} in {}", grid.shape(), counts(grid)) }
}

/// `3 × 3 blocks`.
pub(super) fn counts(grid: &Grid) -> String {
    let counts: Vec<String> = grid.counts().iter().map(u64::to_string).collect();
    format!("{} block{}", counts.join(" × "), if grid.chunks() == 1 { "" } else { "s" })
}

fn text_width(text: &str, size: f64) -> f64 {
    text.chars().count() as f64 * size * CHAR
}

/// A length with a tenth at most.
fn short(x: f64) -> f64 {
    // Adding 0 turns -0 into 0.
    (x * 10.0).round() / 10.0 + 0.0
}

fn put(out: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{line}");
}

/// Text between tags: what XML forbids becomes a space.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
