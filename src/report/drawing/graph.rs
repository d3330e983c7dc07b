use super::{
    Chains,
    arrays::{Arrays, Entry},
};
use crate::{
    array::{LazyArray, Operation},
    error::{Error, Result},
    grid::Grid,
    plan::Columns,
    shape::ChunkIndex,
};
use std::collections::HashMap;

/// Graphs of more blocks and tasks are drawn with one grid for each array and one circle for each kind of task.
pub const NODES_MAX: u64 = 400;
/// So are those of more arrows.
const EDGES_MAX: usize = 2000;

/// Blocks of arrays, the tasks that make them, and arrows from one to the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    /// The arrays, inputs before what is made of them.
    pub arrays: Vec<Drawn>,
    /// Blocks and tasks, each behind all that it depends on.
    pub nodes: Vec<Node>,
    /// From which node to which; sorted.
    pub edges: Vec<(usize, usize)>,
}

/// An array of a drawing.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawn {
    /// What it is called: as it was given, or its formula.
    pub name: String,
    /// Its shape and blocks.
    pub grid: Grid,
}

/// A block or a task.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The place among [`Graph::arrays`] of the array that it belongs to, or that the task makes.
    pub array: usize,
    /// In which row it stands, from below.
    pub row: usize,
    /// What it is.
    pub kind: Kind,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// A block.
    Block(ChunkIndex),
    /// What makes a block, or part of one.
    Task {
        /// Its functions, in the order in which they are applied.
        functions: Vec<String>,
        /// The block.
        block: ChunkIndex,
    },
    /// All blocks of an array.
    Whole,
    /// All tasks of a kind that make an array.
    Tasks {
        /// The functions of each, in the order in which they are applied.
        functions: Vec<String>,
        /// How many there are.
        count: u64,
    },
}

impl Graph {
    /// The graph of the arrays given and of all that they are made of; those given have the names given.
    ///
    /// Numbers are not drawn, nor are arrays that only decode, hold, rename or repeat another one's elements: what
    /// uses them is drawn to use the other array. Equal arrays are one. A fold is drawn as it runs: a task for each
    /// run of blocks, and one that merges the runs' partial results.
    ///
    /// # Errors
    /// When nothing is given, or sizes overflow.
    pub fn new(given: &[(String, LazyArray)], chains: Chains) -> Result<Graph> {
        if given.is_empty() {
            return Err(Error::usage("there is no array to draw"));
        }
        let arrays = Arrays::new(given, chains)?;
        let mut nodes = 0u64;
        for (place, entry) in arrays.0.iter().enumerate().filter(|(_, e)| e.drawn) {
            let tasks = Stage::of(&arrays, place)?.into_iter().map(|s| s.count);
            nodes = tasks.fold(nodes.saturating_add(entry.grid.chunks()), u64::saturating_add);
        }
        if nodes <= NODES_MAX {
            let graph = Builder::new(&arrays).blocks()?;
            if graph.edges.len() <= EDGES_MAX {
                return Ok(graph);
            }
        }
        Builder::new(&arrays).collapsed()
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.nodes.iter().map(|n| n.row + 1).max().unwrap_or(0)
    }
}

impl Node {
    /// Whether it is a task, not a block.
    pub fn is_task(&self) -> bool {
        matches!(self.kind, Kind::Task { .. } | Kind::Tasks { .. })
    }
}

/// Tasks of one kind that make an array.
struct Stage {
    functions: Vec<String>,
    count: u64,
}

impl Stage {
    /// What makes an array, first things first. A source has none.
    fn of(arrays: &Arrays, place: usize) -> Result<Vec<Stage>> {
        let entry = &arrays.0[place];
        if entry.functions.is_empty() {
            return Ok(Vec::new());
        }
        let functions = entry.functions.clone();
        let Some(columns) = columns(arrays, entry)? else {
            return Ok(vec![Stage { functions, count: entry.grid.chunks() }]);
        };
        let kept = columns.kept().chunks();
        let mut out = vec![Stage { functions, count: kept.saturating_mul(columns.runs()) }];
        if columns.runs() > 1 {
            out.push(Stage { functions: vec!["merge".to_string()], count: kept });
        }
        Ok(out)
    }
}

/// How a fold goes through its input.
fn columns(arrays: &Arrays, entry: &Entry) -> Result<Option<Columns>> {
    match entry.array.operation() {
        Operation::Reduce { reduced, .. } | Operation::Fold { reduced, .. } => {
            Columns::new(&arrays.0[entry.inputs[0]].grid, reduced).map(Some)
        }
        _ => Ok(None),
    }
}

struct Builder<'a> {
    arrays: &'a Arrays,
    /// The place among the drawn ones.
    drawn: HashMap<usize, usize>,
    /// The row of each drawn array's blocks, by its place among all.
    rows: HashMap<usize, usize>,
    nodes: Vec<Node>,
    edges: Vec<(usize, usize)>,
}

impl<'a> Builder<'a> {
    fn new(arrays: &'a Arrays) -> Builder<'a> {
        let drawn = (0..arrays.0.len()).filter(|&p| arrays.0[p].drawn).enumerate().map(|(k, p)| (p, k)).collect();
        Builder { arrays, drawn, rows: HashMap::new(), nodes: Vec::new(), edges: Vec::new() }
    }

    fn places(&self) -> Vec<usize> {
        (0..self.arrays.0.len()).filter(|&p| self.arrays.0[p].drawn).collect()
    }

    /// Each array stands above all that it is made of, its tasks between; what is made of nothing stands right below
    /// what uses it first.
    fn set_rows(&mut self) -> Result<()> {
        let mut first_use: HashMap<usize, usize> = HashMap::new();
        for place in self.places() {
            let made_of = self.arrays.made_of(place);
            let stages = Stage::of(self.arrays, place)?.len();
            let base = made_of.iter().map(|p| self.rows[p] + 1).max().unwrap_or(0);
            self.rows.insert(place, base + stages);
            for of in made_of {
                let first = first_use.entry(of).or_insert(base);
                *first = base.min(*first);
            }
        }
        for (place, base) in first_use {
            if self.arrays.0[place].inputs.is_empty() {
                self.rows.insert(place, base - 1);
            }
        }
        Ok(())
    }

    fn node(&mut self, place: usize, row: usize, kind: Kind) -> usize {
        self.nodes.push(Node { array: self.drawn[&place], row, kind });
        self.nodes.len() - 1
    }

    fn finish(mut self) -> Graph {
        self.edges.sort_unstable();
        self.edges.dedup();
        let places = self.places();
        let arrays = places.into_iter().map(|p| {
            let entry = &self.arrays.0[p];
            Drawn { name: entry.name.clone(), grid: entry.grid.clone() }
        });
        Graph { arrays: arrays.collect(), nodes: self.nodes, edges: self.edges }
    }

    fn blocks(mut self) -> Result<Graph> {
        self.set_rows()?;
        let mut known: HashMap<(usize, u64), usize> = HashMap::new();
        for place in self.places() {
            let entry = &self.arrays.0[place];
            let stages = Stage::of(self.arrays, place)?;
            let columns = columns(self.arrays, entry)?;
            let row = self.rows[&place];
            for number in 0..entry.grid.chunks() {
                let block = entry.grid.index(number);
                let task = |functions: &[String]| Kind::Task { functions: functions.to_vec(), block: block.clone() };
                let mut last = Vec::new();
                if let (Some(columns), Some(stage)) = (&columns, stages.first()) {
                    for run in 0..columns.runs() {
                        let part = self.node(place, row - stages.len(), task(&stage.functions));
                        let input = entry.inputs[0];
                        for chunk in columns.run(&block, run) {
                            let region = self.arrays.0[input].grid.region(&chunk);
                            let from = self.arrays.reach(input, &region);
                            self.edges.extend(from.iter().map(|b| (known[b], part)));
                        }
                        last.push(part);
                    }
                } else if let Some(stage) = stages.first() {
                    let made = self.node(place, row - 1, task(&stage.functions));
                    let from = self.arrays.sources(place, &entry.grid.region(&block));
                    self.edges.extend(from.iter().map(|b| (known[b], made)));
                    last.push(made);
                }
                if let [_, merge] = &stages[..] {
                    let merge = self.node(place, row - 1, task(&merge.functions));
                    self.edges.extend(last.drain(..).map(|part| (part, merge)));
                    last.push(merge);
                }
                let made = self.node(place, row, Kind::Block(block));
                self.edges.extend(last.into_iter().map(|task| (task, made)));
                known.insert((place, number), made);
            }
        }
        Ok(self.finish())
    }

    fn collapsed(mut self) -> Result<Graph> {
        self.set_rows()?;
        let mut known: HashMap<usize, usize> = HashMap::new();
        for place in self.places() {
            let row = self.rows[&place];
            let stages = Stage::of(self.arrays, place)?;
            let mut from: Vec<usize> = self.arrays.made_of(place).iter().map(|p| known[p]).collect();
            for (k, stage) in stages.iter().enumerate() {
                let kind = Kind::Tasks { functions: stage.functions.clone(), count: stage.count };
                let tasks = self.node(place, row + k - stages.len(), kind);
                self.edges.extend(from.drain(..).map(|n| (n, tasks)));
                from.push(tasks);
            }
            let whole = self.node(place, row, Kind::Whole);
            self.edges.extend(from.into_iter().map(|n| (n, whole)));
            known.insert(place, whole);
        }
        Ok(self.finish())
    }
}
