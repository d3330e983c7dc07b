//! Drawings of blocked graphs, and what they are made from: which regions a region is made of.

use aosx::{
    array::Access,
    cli::graph::{Example, Language, draw},
    grid::Grid,
    prelude::*,
    report::drawing::{Chains, Graph, Kind, NODES_MAX, svg},
    shape::{Region, Shape},
};
use clap::ValueEnum;
use std::{collections::BTreeSet, fs, path::Path};

fn region(start: &[u64], shape: &[u64]) -> Region {
    Region { start: start.to_vec(), shape: shape.into() }
}

fn ones(shape: &[u64], chunk: &[u64]) -> LazyArray {
    LazyArray::ones(shape, chunk, DType::F64).unwrap()
}

fn graph(example: Example) -> Graph {
    Graph::new(&example.arrays().unwrap(), Chains::AsWritten).unwrap()
}

/// The functions of all tasks, each with its number.
fn tasks(graph: &Graph) -> Vec<(String, usize)> {
    let mut out: Vec<(String, usize)> = Vec::new();
    for node in &graph.nodes {
        if let Kind::Task { functions, .. } = &node.kind {
            let name = functions.join(" ");
            match out.iter_mut().find(|(n, _)| *n == name) {
                Some((_, count)) => *count += 1,
                None => out.push((name, 1)),
            }
        }
    }
    out.sort();
    out
}

#[test]
fn the_five_pictures_have_the_blocks_tasks_and_arrows_of_the_talk() {
    for (example, blocks, made_by, arrows) in [
        (Example::Sum, 12, &[("merge", 3), ("sum", 9)][..], 21),
        (Example::Transpose, 27, &[("add", 9), ("transpose", 9)], 45),
        (Example::Dot, 36, &[("add", 9), ("dot", 9), ("transpose", 9)], 99),
        (
            Example::Mean,
            48,
            &[("add", 9), ("dot", 9), ("mean", 9), ("merge", 3), ("subtract", 9), ("transpose", 9)],
            147,
        ),
        (
            Example::Std,
            49,
            &[("add", 9), ("dot", 9), ("mean", 9), ("merge", 4), ("std", 9), ("subtract", 9), ("transpose", 9)],
            166,
        ),
    ] {
        let graph = graph(example);
        let drawn = graph.nodes.iter().filter(|n| matches!(n.kind, Kind::Block(_))).count();
        assert_eq!(drawn, blocks, "{example:?}");
        let want: Vec<(String, usize)> = made_by.iter().map(|(name, n)| (name.to_string(), *n)).collect();
        assert_eq!(tasks(&graph), want, "{example:?}");
        assert_eq!(graph.edges.len(), arrows, "{example:?}");
        for &(from, to) in &graph.edges {
            assert!(from < to && graph.nodes[from].row < graph.nodes[to].row, "{example:?}: {from} {to}");
        }
    }
}

#[test]
fn arrows_come_from_the_blocks_that_are_read() {
    let graph = graph(Example::Dot);
    let from = |to: usize| graph.edges.iter().filter(move |e| e.1 == to).map(|e| &graph.nodes[e.0]);
    let mut seen = 0;
    for (k, node) in graph.nodes.iter().enumerate() {
        let Kind::Task { functions, block } = &node.kind else { continue };
        if functions != &["dot"] {
            continue;
        }
        seen += 1;
        for input in from(k) {
            let Kind::Block(index) = &input.kind else { panic!("a dot of {input:?}") };
            match graph.arrays[input.array].name.as_str() {
                "x" => assert_eq!(index[0], block[0]),
                "x.T + 1" => assert_eq!(index[1], block[1]),
                other => panic!("a dot of {other}"),
            }
        }
        assert_eq!(from(k).count(), 6);
    }
    assert_eq!(seen, 9);
}

#[test]
fn fused_chains_are_one_task() {
    let x = ones(&[15, 15], &[5, 5]);
    let y = (x.transpose() + 1.0).sqrt().unwrap();
    let named = [("y".to_string(), y.clone()), ("s".to_string(), y.sum(&[1]).unwrap())];
    let graph = Graph::new(&named[1..], Chains::Fused).unwrap();
    assert_eq!(tasks(&graph), [("merge".to_string(), 3), ("transpose add sqrt sum".to_string(), 9)]);
    assert_eq!((graph.arrays.len(), graph.nodes.len(), graph.edges.len()), (2, 24, 21));
    // What is asked for, or used twice, is an array of its own.
    let graph = Graph::new(&named, Chains::Fused).unwrap();
    assert_eq!(tasks(&graph)[1..], [("sum".to_string(), 9), ("transpose add sqrt".to_string(), 9)]);
    let twice = [("d".to_string(), y.sum(&[0]).unwrap() + y.mean(&[0]).unwrap())];
    let graph = Graph::new(&twice, Chains::Fused).unwrap();
    assert!(tasks(&graph).contains(&("transpose add sqrt".to_string(), 9)), "{:?}", tasks(&graph));
}

#[test]
fn equal_arrays_are_drawn_once_and_numbers_never() {
    let x = || ones(&[10], &[5]);
    let graph = Graph::new(&[("y".to_string(), (x() * 2.0) + (x() * 2.0))], Chains::AsWritten).unwrap();
    let names: Vec<&str> = graph.arrays.iter().map(|a| a.name.as_str()).collect();
    assert_eq!(names, ["ones", "ones * 2", "y"]);
    assert!(Graph::new(&[], Chains::AsWritten).is_err());
}

#[test]
fn large_graphs_are_drawn_array_by_array() {
    let x = ones(&[1 << 20, 1 << 20], &[1 << 8, 1 << 8]);
    let y = (&x + x.transpose()).mean(&[0]).unwrap();
    let graph = Graph::new(&[("y".to_string(), y)], Chains::AsWritten).unwrap();
    assert!(graph.nodes.len() < 10 && graph.nodes.len() as u64 <= NODES_MAX);
    assert!(graph.nodes.iter().any(|n| n.kind == Kind::Tasks { functions: vec!["add".into()], count: 1 << 24 }));
    check_svg(&svg(&graph));
}

#[test]
fn corners_are_drawn() {
    let empty = ones(&[0, 5], &[1, 5]);
    let number = LazyArray::scalar(2.0);
    let named = [
        ("e".to_string(), empty.sum(&[0]).unwrap()),
        ("n".to_string(), number),
        ("<&\">\u{1}".to_string(), LazyArray::arange(0, 7, 1, &[3]).unwrap()),
    ];
    for chains in [Chains::AsWritten, Chains::Fused] {
        check_svg(&draw(&named, chains, Language::Svg).unwrap());
        check_dot(&draw(&named, chains, Language::Dot).unwrap());
    }
}

#[test]
fn pictures_are_sound_and_the_same_each_time() {
    let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pictures");
    for &example in Example::value_variants() {
        let named = example.arrays().unwrap();
        let of = |language| draw(&named, Chains::AsWritten, language).unwrap();
        let text = of(Language::Svg);
        check_svg(&text);
        assert_eq!(text, draw(&example.arrays().unwrap(), Chains::AsWritten, Language::Svg).unwrap());
        let name = example.to_possible_value().unwrap().get_name().to_string();
        let committed = fs::read_to_string(pictures.join(&name).with_extension("svg")).unwrap();
        assert!(committed == text, "docs/pictures/{name}.svg is old: run the example talk_pictures");
        let graph = graph(example);
        assert_eq!(check_dot(&of(Language::Dot)), (graph.nodes.len(), graph.edges.len()));
    }
}

#[test]
fn the_command_writes_and_prints() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("g.svg");
    let aosx = || assert_cmd::Command::cargo_bin("aosx").unwrap();
    aosx().args(["graph", "--example", "std", "-o"]).arg(&file).assert().success().stdout("");
    check_svg(&fs::read_to_string(&file).unwrap());
    let out = aosx().args(["graph", "--example", "mean", "--fused", "--dot"]).output().unwrap();
    assert!(out.status.success());
    check_dot(&String::from_utf8(out.stdout).unwrap());
    aosx().args(["graph", "--example", "median"]).assert().code(2);
}

/// Tags are closed in order, attributes are quoted, characters are allowed, and no two circles touch.
fn check_svg(text: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut circles: Vec<[f64; 3]> = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        let (between, tag) = rest.split_at(at);
        assert!(!between.contains('>'), "{between}");
        for (k, _) in between.match_indices('&') {
            assert!(["&lt;", "&gt;", "&amp;", "&quot;"].iter().any(|e| between[k..].starts_with(e)), "{between}");
        }
        let end = tag.find('>').unwrap();
        let (tag, after) = (&tag[1..end], &tag[end + 1..]);
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name));
            continue;
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        let name = tag.split([' ', '/']).next().unwrap();
        if name == "circle" {
            circles.push(["cx", "cy", "r"].map(|key| attribute(tag, key)));
        }
        if !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert!(open.is_empty() && rest.trim().is_empty(), "{open:?}");
    assert!(text.starts_with("<svg ") && text.contains("viewBox") && text.contains("<title>"));
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()) && !text.contains("NaN") && !text.contains("inf"));
    for (k, a) in circles.iter().enumerate() {
        for b in &circles[..k] {
            assert!((a[0] - b[0]).hypot(a[1] - b[1]) > a[2] + b[2], "{a:?} {b:?}");
        }
    }
}

fn attribute(tag: &str, key: &str) -> f64 {
    let value = tag.split(&format!(" {key}=\"")).nth(1).unwrap();
    value.split('"').next().unwrap().parse().unwrap()
}

/// The numbers of nodes and edges of a graph in the part of Graphviz's language that is written.
fn check_dot(text: &str) -> (usize, usize) {
    let body = text.strip_prefix("digraph aosx {\n").unwrap().strip_suffix("}\n").unwrap();
    let (mut nodes, mut edges) = (BTreeSet::new(), 0);
    for line in body.lines().skip(2) {
        let line = line.trim();
        let id = |text: &str| text.strip_prefix('n').and_then(|n| n.parse::<usize>().ok()).unwrap();
        if let Some((from, to)) = line.split_once(" -> ") {
            assert!(nodes.contains(&id(from)) && nodes.contains(&id(to)), "{line}");
            edges += 1;
        } else {
            let (name, attributes) = line.split_once(" [").unwrap();
            assert!(nodes.insert(id(name)));
            let attributes = attributes.strip_suffix(']').unwrap().replace("\\\\", "").replace("\\\"", "");
            assert_eq!(attributes.matches('"').count() % 2, 0, "{line}");
            assert!(attributes.starts_with("shape=box, label=\"") || attributes.starts_with("shape=circle, label=\""));
        }
    }
    (nodes.len(), edges)
}

#[test]
fn regions_are_made_of_the_regions_that_are_read() {
    let x = LazyArray::arange(0, 60, 1, &[60]).unwrap().reshape(&[6, 10]).unwrap().rechunk(&[3, 5]).unwrap();
    let f = x.astype(DType::F64);
    let index = LazyArray::zeros(&[6, 2], &[6, 2], DType::I64).unwrap();
    let smooth = |a: ndarray::ArrayViewD<'_, f64>, mut out: ndarray::ArrayViewMutD<'_, f64>| {
        out.fill(a.sum());
    };
    let one = |r: Region| vec![(0, r)];
    for (name, array, of, want) in [
        ("add", &x + 1, region(&[1, 2], &[2, 3]), vec![(0, region(&[1, 2], &[2, 3])), (1, region(&[], &[]))]),
        ("astype", f.clone(), region(&[1, 2], &[2, 3]), one(region(&[1, 2], &[2, 3]))),
        ("transpose", x.transpose(), region(&[4, 1], &[3, 2]), one(region(&[1, 4], &[2, 3]))),
        (
            "every third, backwards",
            x.get(&[Index::At(2), Index::stepped(.., -3)]).unwrap(),
            region(&[1], &[2]),
            one(region(&[2, 3], &[1, 4])),
        ),
        (
            "broadcast",
            x.broadcast_to(&[4, 6, 10]).unwrap(),
            region(&[1, 2, 3], &[2, 1, 4]),
            one(region(&[2, 3], &[1, 4])),
        ),
        ("sum", x.sum(&[0]).unwrap(), region(&[2], &[3]), one(region(&[0, 2], &[6, 3]))),
        ("cumsum", x.cumsum(1).unwrap(), region(&[2, 3], &[1, 2]), one(region(&[2, 0], &[1, 5]))),
        (
            "reshape",
            x.reshape(&[60]).unwrap(),
            region(&[8], &[14]),
            vec![(0, region(&[0, 8], &[1, 2])), (0, region(&[1, 0], &[1, 10])), (0, region(&[2, 0], &[1, 2]))],
        ),
        (
            "concat",
            LazyArray::concat(&[x.clone(), f.astype(DType::I64)], 0).unwrap(),
            region(&[4, 1], &[5, 2]),
            vec![(0, region(&[4, 1], &[2, 2])), (1, region(&[0, 1], &[3, 2]))],
        ),
        (
            "take",
            x.take(&[9, 2, 3, 3, 0], 1).unwrap(),
            region(&[1, 1], &[2, 4]),
            vec![(0, region(&[1, 0], &[2, 1])), (0, region(&[1, 2], &[2, 2]))],
        ),
        (
            "take along",
            x.take_along_axis(&index, 1).unwrap(),
            region(&[3, 1], &[2, 1]),
            vec![(0, region(&[3, 0], &[2, 10])), (1, region(&[3, 1], &[2, 1]))],
        ),
        (
            "matmul",
            x.matmul(&x.transpose()).unwrap(),
            region(&[1, 2], &[2, 3]),
            vec![(0, region(&[1, 0], &[2, 10])), (1, region(&[0, 2], &[10, 3]))],
        ),
        (
            "overlap",
            f.map_overlap("smooth", &[1, 2], Boundary::Nearest, 0, smooth).unwrap(),
            region(&[4, 6], &[1, 1]),
            one(region(&[3, 5], &[5, 9])),
        ),
        ("nothing", x.sum(&[0]).unwrap(), region(&[2], &[0]), vec![]),
    ] {
        let got: Vec<(usize, Region)> = array.access(&of).into_iter().map(|a| (a.input, a.region)).collect();
        assert_eq!(got, want, "{name}");
    }
}

/// All blocks together are made of every element of every input, where the operation leaves none out.
#[test]
fn blocks_together_cover_the_inputs() {
    let x = ones(&[7, 10, 4], &[3, 4, 4]);
    let flat = x.reshape(&[70, 4]).unwrap();
    for array in [
        x.transpose(),
        &x + x.flip(&[1]).unwrap(),
        x.mean(&[0, 2]).unwrap(),
        x.std(&[0, 1, 2], 0.0).unwrap(),
        flat.clone(),
        flat.reshape(&[2, 5, 7, 4]).unwrap(),
        flat.transpose().matmul(&flat).unwrap(),
        x.roll(&[3], &[1]).unwrap(),
        x.rechunk(&[2, 5, 1]).unwrap(),
        x.cumsum(1).unwrap(),
        x.take(&[3, 0, 1, 2, 2], 2).unwrap(),
        x.subtract(&x.mean(&[0]).unwrap()).unwrap(),
        x.map_blocks("same", 0, |a: ndarray::ArrayViewD<'_, f64>, mut out| out.assign(&a)).unwrap(),
    ] {
        let grid = Grid::new(array.shape().clone(), array.chunk().clone()).unwrap();
        let mut seen: Vec<BTreeSet<Vec<u64>>> = vec![BTreeSet::new(); array.inputs().len()];
        for n in 0..grid.chunks() {
            for Access { input, region } in array.access(&grid.region(&grid.index(n))) {
                let each = Grid::new(region.shape.clone(), Shape(vec![1; region.shape.len()])).unwrap();
                for k in 0..each.chunks() {
                    seen[input].insert(each.index(k).iter().zip(&region.start).map(|(a, b)| a + b).collect());
                }
            }
        }
        for (input, seen) in array.inputs().iter().zip(seen) {
            assert_eq!(seen.len() as u64, input.size(), "{array:?} of {input:?}");
            let inside = |at: &Vec<u64>| at.iter().zip(input.shape().iter()).all(|(a, n)| a < n);
            assert!(seen.iter().all(inside), "{array:?} of {input:?}");
        }
    }
}
