use super::{Graph, Kind};
use std::fmt::Write;

/// The graph in Graphviz's language.
pub fn dot(graph: &Graph) -> String {
    let mut out = String::from("digraph aosx {\n  rankdir=BT\n  node [fontname=\"sans-serif\", fontsize=11]\n");
    let mut line = |text: std::fmt::Arguments<'_>| {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "  {text}");
    };
    for (k, node) in graph.nodes.iter().enumerate() {
        let array = &graph.arrays[node.array];
        match &node.kind {
            Kind::Block(index) => {
                let words = format!("{} {index}", array.name);
                line(format_args!(
                    "n{k} [shape=box, label={}, tooltip={}]",
                    quoted(&index.to_string()),
                    quoted(&words)
                ));
            }
            Kind::Task { functions, .. } => {
                line(format_args!("n{k} [shape=circle, label={}]", quoted(&functions.join("\n"))));
            }
            Kind::Whole => {
                let (counts, of) = (super::svg::counts(&array.grid), array.grid.chunk());
                let words = format!("{} {}\n{counts} of {of}", array.name, array.grid.shape());
                line(format_args!("n{k} [shape=box, label={}]", quoted(&words)));
            }
            Kind::Tasks { functions, count } => {
                let words = format!("{}\n{count} times", functions.join("\n"));
                line(format_args!("n{k} [shape=circle, label={}]", quoted(&words)));
            }
        }
    }
    for (from, to) in &graph.edges {
        line(format_args!("n{from} -> n{to}"));
    }
    out + "}\n"
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out + "\""
}
