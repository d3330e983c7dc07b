//! How fast the kernels fold, beside a plain loop over native f32 that does the same: `cargo bench --bench kernels`.
//!
//! Each case is checked before it is timed. Figures are stored bytes a second, in one thread, the best of several.

use aosx::{
    dtype::{ByteOrder, DType},
    kernels::{
        decode::{Decode, Number, Segment},
        fold::{ChunkView, FoldOptions, Folds, Op, Role, ViewDim},
    },
};
use std::{hint::black_box, time::Instant};

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// Chunks of one shape, one after the other.
struct Data {
    name: &'static str,
    shape: [usize; 3],
    reduced: [bool; 3],
    chunks: Vec<Vec<Line>>,
    decode: Decode,
}

const FILL: f32 = 1e20;
/// About half of the values are above.
const HALF: f32 = 1500.0;

fn number(n: usize) -> f32 {
    ((n * 7919) % 10007) as f32 * 0.5 - 1000.0
}

impl Data {
    fn new(name: &'static str, shape: [usize; 3], reduced: [bool; 3], decode: Decode) -> Data {
        let elements: usize = shape.iter().product();
        let size = decode.stored.size();
        let chunk = |k: usize| {
            let mut lines = vec![Line([0; 64]); (elements * size).div_ceil(64)];
            for n in 0..elements {
                let x = number(n + k * 31);
                let x = if name.ends_with("half missing") && x > HALF { FILL } else { x };
                let raw: [u8; 4] = match (decode.stored, decode.order) {
                    (DType::I16, _) => (((x as i16) as u16) as u32).to_le_bytes(),
                    (_, ByteOrder::Big) => x.to_be_bytes(),
                    (_, ByteOrder::Little) => x.to_le_bytes(),
                };
                let at = n * size;
                lines[at / 64].0[at % 64..at % 64 + size].copy_from_slice(&raw[..size]);
            }
            lines
        };
        Data { name, shape, reduced, chunks: (0..8).map(chunk).collect(), decode }
    }

    fn bytes(&self, k: usize) -> &[u8] {
        let len = self.shape.iter().product::<usize>() * self.decode.stored.size();
        // SAFETY: lines are bytes, and there are at least len of them.
        unsafe { std::slice::from_raw_parts(self.chunks[k].as_ptr().cast(), len) }
    }

    fn cells(&self) -> usize {
        (0..3).filter(|&k| !self.reduced[k]).map(|k| self.shape[k]).product()
    }

    fn dims(&self) -> Vec<ViewDim> {
        let mut dims = vec![];
        let (mut stride, mut cells, mut indices) = (1, 1, 1);
        for k in (0..3).rev() {
            let len = self.shape[k];
            let role = if self.reduced[k] {
                Role::Reduced { index_stride: indices }
            } else {
                Role::Kept { cell_stride: cells }
            };
            dims.insert(0, ViewDim { len, stride, role });
            stride *= len;
            if self.reduced[k] { indices *= len as u64 } else { cells *= len }
        }
        dims
    }

    /// What the values decode to, for the check.
    fn value(&self, chunk: usize, n: usize) -> Option<f64> {
        let x = number(n + chunk * 31);
        let missing = (self.decode.valid.is_some() || self.name.ends_with("half missing")) && x > HALF;
        (!missing).then(|| match self.decode.stored {
            DType::I16 => f64::from((x as i16) as f32 * 0.01 + 273.15),
            _ => f64::from(x),
        })
    }

    fn check(&self, op: Op, state: &[u8], folds: &Folds) {
        let (cells, elements) = (self.cells(), self.shape.iter().product::<usize>());
        let per_cell = 8 * elements / cells;
        let mut out = vec![0; cells * 4];
        folds.finish(op, state, cells, per_cell as u64, &mut out).unwrap();
        for cell in (0..cells).step_by(1 + cells / 50) {
            let of_cell = |n: &usize| {
                let at = [n / (self.shape[1] * self.shape[2]), n / self.shape[2] % self.shape[1], n % self.shape[2]];
                cell == (0..3).filter(|&k| !self.reduced[k]).fold(0, |c, k| c * self.shape[k] + at[k])
            };
            let places: Vec<usize> = (0..elements).filter(of_cell).collect();
            let x: Vec<f64> = (0..8).flat_map(|k| places.iter().filter_map(move |&n| self.value(k, n))).collect();
            if x.is_empty() {
                continue;
            }
            let mean = x.iter().sum::<f64>() / x.len() as f64;
            let want = match op {
                Op::Mean => mean,
                Op::Std => (x.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / x.len() as f64).sqrt(),
                _ => x.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            };
            let got = f64::from(f32::from_ne_bytes(out[cell * 4..][..4].try_into().unwrap()));
            assert!((got - want).abs() < 1e-6 * 5000.0, "{} {op}: got {got}, want {want}", self.name);
        }
    }

    fn time(&self, op: Op, batch: usize) -> f64 {
        let folds = Folds::new(&[op], &self.decode, FoldOptions::default());
        let (cells, dims) = (self.cells(), self.dims());
        let mut state = vec![Line([0; 64]); folds.state_bytes(cells).div_ceil(64)];
        // SAFETY: lines are bytes.
        let state = unsafe { std::slice::from_raw_parts_mut(state.as_mut_ptr().cast::<u8>(), state.len() * 64) };
        let views: Vec<ChunkView> =
            (0..8).map(|k| ChunkView { elements: self.bytes(k).into(), dims: &dims, first_index: 0 }).collect();
        let mut segment = Segment::new();
        folds.init(state, cells);
        views.chunks(batch).for_each(|v| folds.push(state, cells, v, &mut segment).unwrap());
        self.check(op, state, &folds);
        let bytes = 8 * self.bytes(0).len();
        best(bytes, || {
            for views in views.chunks(batch) {
                folds.push(state, cells, black_box(views), &mut segment).unwrap();
            }
        })
    }

    /// The least that anyone would write by hand, which knows that the values are native f32 and the fill value.
    fn by_hand(&self) -> f64 {
        let rows: usize = (0..3).filter(|&k| !self.reduced[k]).map(|k| self.shape[k]).product();
        let (mut sum, mut count) = (vec![0f64; rows], vec![0u32; rows]);
        best(8 * self.bytes(0).len(), || {
            for k in 0..8 {
                let data: &[f32] = bytemuck::cast_slice(black_box(self.bytes(k)));
                for lane in data.chunks_exact(rows) {
                    for ((x, s), k) in lane.iter().zip(&mut sum).zip(&mut count) {
                        let ok = *x != FILL && !x.is_nan();
                        *s += if ok { *x as f64 } else { 0.0 };
                        *k += ok as u32;
                    }
                }
            }
            black_box((&sum, &count));
        })
    }
}

/// GB/s of the best of many short passes: on a busy machine some are not interrupted.
fn best(bytes: usize, mut pass: impl FnMut()) -> f64 {
    let seconds = (0..60).map(|_| {
        let start = Instant::now();
        pass();
        start.elapsed().as_secs_f64()
    });
    bytes as f64 / seconds.fold(f64::INFINITY, f64::min) / 1e9
}

fn main() {
    let only = std::env::args().nth(1).filter(|a| !a.starts_with('-')).unwrap_or_default();
    let (map, cube) = ([1, 361, 720], [73, 46, 90]);
    let (time, lat, lon) = ([true, false, false], [false, true, false], [false, false, true]);
    let f32le = Decode::plain(DType::F32, ByteOrder::Little);
    let f32be = Decode::plain(DType::F32, ByteOrder::Big);
    let filled = Decode { missing: vec![Number::Float(FILL.into())], ..f32le.clone() };
    let valid = Decode { valid: Some((Number::Int(-2000), Number::Int(1500))), ..f32le.clone() };
    let packed = Decode {
        missing: vec![Number::Int(-32767)],
        scale: Some(0.01),
        offset: Some(273.15),
        result: DType::F32,
        ..Decode::plain(DType::I16, ByteOrder::Little)
    };
    let cases = [
        (Data::new("f32 map over time", map, time, f32le.clone()), vec![1, 4]),
        (Data::new("f32 map over time, fill value", map, time, filled.clone()), vec![1, 4]),
        (Data::new("f32 map over time, half missing", map, time, filled.clone()), vec![1, 4]),
        (Data::new("f32 map over time, valid range", map, time, valid), vec![1]),
        (Data::new("f32 big-endian map over time", map, time, f32be), vec![1, 4]),
        (Data::new("i16 packed map over time", map, time, packed), vec![1, 4]),
        (Data::new("f32 cube over time", cube, time, f32le.clone()), vec![1]),
        (Data::new("f32 cube over lat", cube, lat, f32le.clone()), vec![1]),
        (Data::new("f32 cube over lon", cube, lon, f32le.clone()), vec![1]),
        (Data::new("f32 map over lon", map, lon, f32le.clone()), vec![1]),
        (Data::new("f32 map over all", map, [true; 3], f32le.clone()), vec![1]),
    ];
    println!("{:<32} {:>5} {:>8} {:>8} {:>8}   GB/s stored", "", "batch", "mean", "std", "max");
    for (data, batches) in cases.iter().filter(|c| c.0.name.contains(&only)) {
        for &batch in batches {
            let [mean, std, max] = [Op::Mean, Op::Std, Op::Max].map(|op| data.time(op, batch));
            println!("{:<32} {batch:>5} {mean:>8.2} {std:>8.2} {max:>8.2}", data.name);
        }
    }
    let hand = cases.iter().map(|c| &c.0).filter(|d| d.reduced == time && d.decode == f32le);
    for data in hand {
        println!("{:<32} {:>5} {:>8.2}", format!("{} by hand", data.name), "", data.by_hand());
    }
}
