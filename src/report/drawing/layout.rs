//! Where nodes stand: rows from the bottom up, few crossings, and what belongs together one above the other.
//!
//! The steps are those of layered drawing (Sugiyama, Tagawa and Toda 1981): arrows that pass rows get a place in each
//! row, rows are ordered by the mean position of their neighbours, and are then moved as near to their neighbours as
//! the distances between them allow.

use super::Graph;
use std::{collections::BTreeMap, ops::Range};

/// Sweeps up and down over the rows, for the order and for the positions.
const SWEEPS: usize = 24;
/// How much nearer the places of one passing arrow, and two nodes that have but each other, are drawn together.
const STRAIGHT: f64 = 8.0;
/// Between neighbours in a row.
const GAP: f64 = 12.0;
/// An arrow that passes a row takes so much of it.
const PASSING: f64 = 10.0;

/// What stands in a row: a node, or an arrow on its way through.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// The node; an arrow has none.
    pub node: Option<usize>,
    /// In which row, from below.
    pub row: usize,
    /// Where its middle is, from the left.
    pub x: f64,
    width: f64,
}

/// Places of a graph's nodes and arrows.
pub struct Layout {
    /// The nodes in their order, then passing arrows.
    pub places: Vec<Place>,
    /// From one place to one in the next row, sorted. All arrows from a node go together as long as they can.
    pub links: Vec<(usize, usize)>,
    /// The right end.
    pub width: f64,
}

/// What is linked to each place: below, and above.
type Neighbours = [Vec<Vec<usize>>; 2];

impl Layout {
    /// Where the nodes of a graph stand when each is as wide as said.
    pub fn new(graph: &Graph, widths: &[f64]) -> Layout {
        let node = |(k, n): (usize, &super::Node)| Place { node: Some(k), row: n.row, x: 0.0, width: widths[k] };
        let mut places: Vec<Place> = graph.nodes.iter().enumerate().map(node).collect();
        let mut links = Vec::new();
        let mut passing: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        for &(from, to) in &graph.edges {
            let mut last = from;
            for row in graph.nodes[from].row + 1..graph.nodes[to].row {
                let next = *passing.entry((from, row)).or_insert_with(|| {
                    places.push(Place { node: None, row, x: 0.0, width: PASSING });
                    places.len() - 1
                });
                links.push((last, next));
                last = next;
            }
            links.push((last, to));
        }
        links.sort_unstable();
        links.dedup();
        let mut layout = Layout { places, links, width: 0.0 };
        let rows = layout.ordered(graph.rows());
        layout.position(&rows);
        layout
    }

    fn neighbours(&self) -> Neighbours {
        let mut out = [vec![Vec::new(); self.places.len()], vec![Vec::new(); self.places.len()]];
        for &(from, to) in &self.links {
            out[0][to].push(from);
            out[1][from].push(to);
        }
        out
    }

    /// The rows, each from the left, in the order with the fewest crossings that was found.
    fn ordered(&self, count: usize) -> Vec<Vec<usize>> {
        let mut rows: Vec<Vec<usize>> = vec![Vec::new(); count];
        self.places.iter().enumerate().for_each(|(k, p)| rows[p.row].push(k));
        let neighbours = self.neighbours();
        let mut best = rows.clone();
        let mut fewest = self.crossings(&rows);
        for sweep in 0..SWEEPS {
            let up = sweep % 2 == 0;
            let order: Vec<usize> =
                if up { (1..count).collect() } else { (0..count.saturating_sub(1)).rev().collect() };
            for row in order {
                let at = ranks(&rows, self.places.len());
                let of = &neighbours[usize::from(!up)];
                let mean = |k: usize| match of[k].len() {
                    0 => at[k],
                    n => of[k].iter().map(|&q| at[q]).sum::<f64>() / n as f64,
                };
                rows[row].sort_by(|&a, &b| mean(a).total_cmp(&mean(b)));
            }
            let crossings = self.crossings(&rows);
            if crossings < fewest {
                (fewest, best) = (crossings, rows.clone());
            }
        }
        best
    }

    fn crossings(&self, rows: &[Vec<usize>]) -> u64 {
        let at = ranks(rows, self.places.len());
        let mut by_row: Vec<Vec<(f64, f64)>> = vec![Vec::new(); rows.len()];
        self.links.iter().for_each(|&(a, b)| by_row[self.places[a].row].push((at[a], at[b])));
        let crossed = |links: &Vec<(f64, f64)>| {
            let pairs = links.iter().enumerate().flat_map(|(k, a)| links[..k].iter().map(move |b| (a, b)));
            pairs.filter(|(a, b)| (a.0 - b.0) * (a.1 - b.1) < 0.0).count() as u64
        };
        by_row.iter().map(crossed).sum()
    }

    /// Moves each row to where its neighbours are, as near as the distances allow.
    fn position(&mut self, rows: &[Vec<usize>]) {
        for row in rows {
            let mut x = 0.0;
            for (k, &place) in row.iter().enumerate() {
                x += if k == 0 { 0.0 } else { self.apart(row[k - 1], place) };
                self.places[place].x = x;
            }
        }
        let neighbours = self.neighbours();
        for sweep in 0..SWEEPS {
            let up = sweep % 2 == 0;
            for k in 0..rows.len() {
                let row = if up { k } else { rows.len() - 1 - k };
                // At first only what lies behind the sweep, which is placed already; at last both sides.
                let last = sweep + 8 >= SWEEPS;
                let sides = if last { 0..2 } else { usize::from(!up)..usize::from(!up) + 1 };
                self.settle(&rows[row], &neighbours, sides);
            }
        }
        let left = self.places.iter().map(|p| p.x - p.width / 2.0).fold(f64::INFINITY, f64::min);
        for place in &mut self.places {
            // Tenths of a unit are fine enough, and short to write.
            place.x = ((place.x - left) * 10.0).round() / 10.0;
            self.width = self.width.max(place.x + place.width / 2.0);
        }
    }

    fn apart(&self, a: usize, b: usize) -> f64 {
        (self.places[a].width + self.places[b].width) / 2.0 + GAP
    }

    /// Least squares under order and distance: pool adjacent violators (Barlow et al. 1972).
    fn settle(&mut self, row: &[usize], neighbours: &Neighbours, sides: Range<usize>) {
        // Each pool: weight, weighted sum of wishes, members.
        let mut pools: Vec<(f64, f64, usize)> = Vec::new();
        let mut shift = 0.0;
        let mut shifts = Vec::with_capacity(row.len());
        for (k, &place) in row.iter().enumerate() {
            shift += if k == 0 { 0.0 } else { self.apart(row[k - 1], place) };
            shifts.push(shift);
            let (weight, wish) = self.wish(place, neighbours, sides.clone());
            pools.push((weight, weight * (wish - shift), 1));
            while let [.., a, b] = pools[..]
                && a.1 / a.0 > b.1 / b.0
            {
                pools.truncate(pools.len() - 2);
                pools.push((a.0 + b.0, a.1 + b.1, a.2 + b.2));
            }
        }
        let settled = pools.iter().flat_map(|p| std::iter::repeat_n(p.1 / p.0, p.2));
        for ((&place, shift), x) in row.iter().zip(shifts).zip(settled) {
            self.places[place].x = x + shift;
        }
    }

    /// How much a place wants to be where.
    fn wish(&self, place: usize, neighbours: &Neighbours, sides: Range<usize>) -> (f64, f64) {
        let [below, above] = neighbours;
        let (mut weight, mut sum) = (0.0, 0.0);
        let alone = |place: usize, next: usize| {
            let (low, high) =
                if self.places[place].row < self.places[next].row { (place, next) } else { (next, place) };
            above[low].len() == 1 && below[high].len() == 1
        };
        for &next in neighbours[sides].iter().flat_map(|side| &side[place]) {
            let both_pass = self.places[place].node.is_none() && self.places[next].node.is_none();
            let by = if both_pass || alone(place, next) { STRAIGHT } else { 1.0 };
            weight += by;
            sum += by * self.places[next].x;
        }
        // What has no neighbours there stays, if nothing pushes it.
        if weight == 0.0 { (0.1, self.places[place].x) } else { (weight, sum / weight) }
    }
}

/// The position of each place in its row.
fn ranks(rows: &[Vec<usize>], count: usize) -> Vec<f64> {
    let mut out = vec![0.0; count];
    rows.iter().for_each(|row| row.iter().enumerate().for_each(|(at, &k)| out[k] = at as f64));
    out
}
