//! Random arrays and expressions, each from a list of numbers: shorter lists and smaller numbers give simpler ones.

use aosx::{
    array::{Anchor, Boundary, Folding, Groups, Index, LazyArray, MapOp, Operation, Rolling},
    dtype::{DType, Scalar},
    error::Result,
    kernels::{
        elementwise::{Binary, Lookup, Unary},
        fold::{FoldOptions, Op},
        lanes::{LaneOp, LaneOptions, Method, Order, OrderStatistic, Quantiles},
        random::Distribution,
    },
    with_dtype,
};

/// The numbers that decide everything; zeros when they are used up.
pub struct Draw<'a>(pub &'a [u32]);

impl Draw<'_> {
    pub fn below(&mut self, n: u64) -> u64 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        // The small numbers of a list that shrinks stay small.
        u64::from(first) % n.max(1)
    }

    pub fn one_of<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize].clone()
    }

    fn order_statistic(&mut self, a: &LazyArray) -> Result<LazyArray> {
        let method = self.one_of(&Method::ALL[..]);
        let quantile = |at: Quantiles| OrderStatistic::Quantile { at, method };
        let statistics = [
            quantile(Quantiles::new(0.9)?),
            quantile(Quantiles::new([0.5, 0.0, 0.3])?),
            OrderStatistic::Median,
            OrderStatistic::Mad,
            OrderStatistic::Iqr,
            OrderStatistic::NUnique,
            OrderStatistic::Mode,
        ];
        let options = LaneOptions { keep_missing: self.flag(), min_count: self.one_of(&[0, 0, 2]) };
        a.order_statistic(self.one_of(&statistics), &self.axes(a), options)
    }

    pub fn flag(&mut self) -> bool {
        self.below(2) == 1
    }

    fn signed(&mut self, most: i64) -> i64 {
        let n = self.below(2 * most as u64 + 1) as i64;
        if n % 2 == 0 { n / 2 } else { -(n + 1) / 2 }
    }

    fn axis(&mut self, array: &LazyArray) -> i64 {
        let rank = array.ndim() as u64;
        let at = self.below(rank.max(1)) as i64;
        if self.below(4) == 3 { at - rank as i64 } else { at }
    }

    fn rolling(&mut self, a: &LazyArray) -> Result<LazyArray> {
        let options = FoldOptions {
            ddof: self.one_of(&[0.0, 1.0]),
            keep_missing: self.flag(),
            min_count: self.one_of(&[0, 1, 2, 5]),
        };
        let anchor = self.one_of(&[Anchor::Last, Anchor::Center]);
        let axis = self.below(a.ndim().max(1) as u64) as usize;
        a.rolling(axis, Rolling { length: 1 + self.below(9), anchor }, self.one_of(&Op::ALL[..]), options)
    }

    fn axes(&mut self, array: &LazyArray) -> Vec<i64> {
        (0..array.ndim() as i64).filter(|_| self.below(3) != 2).collect()
    }

    fn chunk(&mut self, shape: &[u64]) -> Vec<u64> {
        shape.iter().map(|&n| 1 + self.below(n + 1)).collect()
    }

    fn shape(&mut self) -> Vec<u64> {
        let lengths = [3u64, 4, 5, 1, 2, 6, 7, 5, 4, 3, 4, 5, 2, 7, 6, 1, 3, 4, 5, 2];
        match self.below(40) {
            // Several segments of a program, in blocks that cut them.
            39 => vec![2000 + self.below(2500)],
            38 => vec![1 + self.below(4), 700 + self.below(1000)],
            37 => vec![0, 3],
            36 => vec![self.one_of(&lengths), 0, self.one_of(&lengths)],
            n => {
                (0..[1usize, 2, 3, 2, 3, 4, 2, 3, 1, 2, 3, 0][n as usize % 12]).map(|_| self.one_of(&lengths)).collect()
            }
        }
    }

    fn dtype(&mut self) -> DType {
        let all = [&[DType::F64, DType::I64, DType::F32], &DType::ALL[..]].concat();
        self.one_of(&all)
    }

    fn scalar(&mut self) -> Scalar {
        match self.below(9) {
            0 | 1 => Scalar::Int(self.signed(4)),
            2 | 3 => Scalar::Float(self.signed(8) as f64 / 2.0),
            4 => Scalar::Bool(self.flag()),
            5 => Scalar::Float(self.one_of(&[f64::NAN, f64::INFINITY, -0.0, 1e300, -1e-310, 0.1])),
            6 => Scalar::Int(self.one_of(&[i64::MAX, i64::MIN, 300, -129, 65536])),
            7 => Scalar::UInt(self.one_of(&[u64::MAX, 3, 1 << 63])),
            _ => Scalar::Int(2),
        }
    }

    pub fn bytes(&mut self, dtype: DType, count: u64) -> Vec<u8> {
        let mood = self.below(4);
        let mut state = (self.below(1 << 32) << 1) | 1;
        let mut next = move |n: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) % n
        };
        let mut out = Vec::new();
        for _ in 0..count {
            let x = match (mood, next(8)) {
                (1 | 3, 0) => Scalar::Float(f64::NAN),
                (3, 1) => Scalar::Float([f64::INFINITY, f64::NEG_INFINITY, -0.0, 1e30, 6e4, 1e-40][next(6) as usize]),
                (3, 2) => Scalar::Int([i64::MAX, i64::MIN, i64::MAX - 1, 1 << 40][next(4) as usize]),
                (3, 3) => Scalar::UInt(u64::MAX - next(2)),
                (2, _) => Scalar::Int(next(3) as i64),
                _ if dtype.is_float() => {
                    Scalar::Float((next(81) as f64 - 40.0) / 8.0 + if mood == 1 { 1000.0 } else { 0.0 })
                }
                _ => Scalar::Int(next(21) as i64 - 7),
            };
            out.extend_from_slice(&x.bytes(dtype)[..dtype.size()]);
        }
        out
    }

    /// Values in memory of this shape.
    fn data(&mut self, shape: &[u64], dtype: DType) -> Result<LazyArray> {
        let bytes = self.bytes(dtype, shape.iter().product());
        let chunk = self.chunk(shape);
        LazyArray::from_bytes(&bytes, shape, chunk.as_slice(), dtype)
    }

    /// An array that is made of no others.
    pub fn leaf(&mut self) -> Result<LazyArray> {
        let which = self.below(10);
        let shape = self.shape();
        let dtype = self.dtype();
        let chunk = self.chunk(&shape);
        let chunk = chunk.as_slice();
        let seed = self.below(100);
        match which {
            0..=4 => self.data(&shape, dtype),
            5 => {
                let distribution = match (dtype.is_float(), self.flag()) {
                    (true, true) => Distribution::Uniform { low: -1.0, high: 3.0 },
                    (true, false) => Distribution::Normal { mean: 10.0, std: 2.0 },
                    (false, _) => Distribution::Integers { low: 0, high: 2 },
                };
                LazyArray::random(distribution, seed, &shape, chunk, dtype)
            }
            6 => {
                let (start, count) = (self.signed(9), self.below(60) as i64);
                let each = self.one_of(&[7u64, 1, 60]);
                if self.flag() {
                    LazyArray::arange(start, start + count, self.one_of(&[1, 3, -1]), &[each])
                } else {
                    LazyArray::arange(start as f64, (start + count) as f64, self.one_of(&[0.5, 2.0, 0.1]), &[each])
                }
            }
            7 => LazyArray::linspace(self.signed(4) as f64, 1.0, self.below(30), &[4]),
            8 => {
                let (m, n) = (1 + self.below(7), 1 + self.below(7));
                let chunk = self.chunk(&[m, n]);
                LazyArray::eye(m, n, self.signed(3), chunk.as_slice(), dtype)
            }
            _ => LazyArray::full(&shape, chunk, self.scalar(), dtype),
        }
    }

    fn index(&mut self) -> Index {
        match self.below(9) {
            0 => Index::At(self.signed(3)),
            1 => Index::NewAxis,
            2 => Index::Ellipsis,
            3 => Index::ALL,
            _ => {
                let mut end = || if self.below(3) == 0 { None } else { Some(self.signed(8)) };
                let (start, stop) = (end(), end());
                Index::Slice { start, stop, step: self.one_of(&[1, 1, 2, -1, -2, 3, -3, i64::MAX, i64::MIN + 1]) }
            }
        }
    }

    /// An array that broadcasts with `a`.
    fn partner(&mut self, a: &LazyArray, pool: &[LazyArray]) -> Result<LazyArray> {
        Ok(match self.below(8) {
            0 => pool[self.below(pool.len() as u64) as usize].clone(),
            1 | 2 => {
                let mut shape = a.shape().to_vec();
                shape.drain(..self.below(shape.len() as u64 + 1) as usize);
                shape.iter_mut().for_each(|n| *n = if self.below(4) == 3 { 1 } else { *n });
                let dtype = self.dtype();
                self.data(&shape, dtype)?
            }
            3 => {
                let axis = self.axis(a);
                a.reduce(Op::Max, &[axis], FoldOptions::default())?.expand_dims(&[axis])?
            }
            4 => a.mean(&a.all_axes())?,
            5 => a.flip(&[self.axis(a)])?,
            6 => a.transpose(),
            _ => a.get_along(self.axis(a), 0..1)?,
        })
    }

    fn boundary(&mut self) -> Boundary {
        match self.below(4) {
            0 => Boundary::Nearest,
            1 => Boundary::Reflect,
            2 => Boundary::Periodic,
            _ => Boundary::Constant(self.one_of(&[0.0, -3.0, 1.5, f64::NAN])),
        }
    }

    /// One operation more.
    pub fn grown(&mut self, pool: &[LazyArray]) -> Result<LazyArray> {
        let back = self.below(3).min(pool.len() as u64 - 1) as usize;
        let a = &pool[pool.len() - 1 - back];
        match self.below(46) {
            0..=2 => a.unary(self.one_of(Unary::ALL)),
            3..=7 => {
                let b = self.partner(a, pool)?;
                let op = self.one_of(Binary::ALL);
                if self.flag() { a.binary(op, &b) } else { b.binary(op, a) }
            }
            8 | 9 => {
                let (op, number) = (self.one_of(Binary::ALL), self.scalar());
                if self.flag() { a.binary_scalar(op, number) } else { LazyArray::scalar_binary(number, op, a) }
            }
            10 => {
                let (b, c) = (self.partner(a, pool)?, self.partner(a, pool)?);
                LazyArray::select(&b, a, &c)
            }
            11 => match self.below(3) {
                0 => a.where_else(&self.partner(a, pool)?, self.scalar()),
                1 => a.clip(self.scalar(), self.scalar()),
                _ => {
                    let table: Vec<Scalar> = (0..self.below(5)).map(|_| self.scalar()).collect();
                    if self.flag() {
                        return a.isin(&table);
                    }
                    a.searchsorted(&table, self.one_of(&[Lookup::SearchLeft, Lookup::SearchRight]))
                }
            },
            12 => Ok(a.astype(self.dtype())),
            13..=15 => {
                let parts: Vec<Index> = (0..self.below(a.ndim() as u64 + 2)).map(|_| self.index()).collect();
                a.get(&parts)
            }
            16 => {
                let axis = self.axis(a);
                let positions: Vec<i64> = (0..self.below(9)).map(|_| self.signed(3)).collect();
                a.take(&positions, axis)
            }
            17 => {
                let axis = self.axis(a);
                let n = a.shape().get(axis.rem_euclid(a.ndim().max(1) as i64) as usize).copied().unwrap_or(0);
                let mask: Vec<bool> = (0..n).map(|_| self.flag()).collect();
                a.compress(&mask, axis)
            }
            18 => {
                let axis = self.axis(a);
                let index = a.lanes(LaneOp::ArgTopK { k: 1 + self.below(4), order: Order::Ascending }, axis)?;
                a.take_along_axis(&if self.flag() { index } else { index.add_scalar(-1)? }, axis)
            }
            19 => match self.below(4) {
                0 => Ok(a.transpose()),
                1 => {
                    let mut order = a.all_axes();
                    for k in (1..order.len()).rev() {
                        order.swap(k, self.below(k as u64 + 1) as usize);
                    }
                    a.permute_dims(&order)
                }
                2 => a.moveaxis(&[self.axis(a)], &[self.axis(a)]),
                _ => a.matrix_transpose(),
            },
            20 | 21 => {
                let mut rest = a.size();
                let mut shape = Vec::new();
                while rest > 1 && shape.len() < 4 {
                    let divisors: Vec<u64> = (1..=rest).filter(|d| rest.is_multiple_of(*d)).collect();
                    let d = self.one_of(&divisors);
                    shape.push(d as i64);
                    rest /= d;
                }
                shape.push(rest as i64);
                if a.size() > 0 && self.below(4) == 3 {
                    let k = self.below(shape.len() as u64) as usize;
                    shape[k] = -1;
                }
                a.reshape(&shape)
            }
            22 => match self.below(4) {
                0 => a.ravel(),
                1 => {
                    let ones: Vec<i64> = (0..a.ndim()).filter(|&k| a.shape()[k] == 1).map(|k| k as i64).collect();
                    a.squeeze(&ones)
                }
                2 => a.expand_dims(&[self.signed(a.ndim() as i64)]),
                _ => a.flip(&self.axes(a)),
            },
            23 => {
                let axes = self.axes(a);
                let shifts: Vec<i64> = axes.iter().map(|_| self.signed(9)).collect();
                a.roll(&shifts, &axes)
            }
            24 => {
                let mut shape: Vec<u64> =
                    a.shape().iter().map(|&n| if n == 1 { 1 + self.below(4) } else { n }).collect();
                if self.flag() {
                    shape.insert(0, self.below(4));
                }
                a.broadcast_to(&shape)
            }
            25 | 26 => {
                let b = match self.below(3) {
                    0 => a.clone(),
                    1 => self.data(a.shape(), self.0.first().map_or(DType::F64, |x| DType::ALL[*x as usize % 12]))?,
                    _ => a.get_along(self.axis(a), 1..)?,
                };
                let axis = self.axis(a);
                if self.flag() {
                    LazyArray::concat(&[a.clone(), b.clone(), a.clone()], axis)
                } else {
                    LazyArray::stack(&[a.clone(), b], axis)
                }
            }
            27 => {
                if self.flag() {
                    a.repeat(self.below(4), self.axis(a))
                } else {
                    let times: Vec<u64> = (0..self.below(a.ndim() as u64 + 2)).map(|_| self.below(4)).collect();
                    a.tile(&times)
                }
            }
            28 => {
                let boundary = self.boundary();
                let widths: Vec<(u64, u64)> = (0..a.ndim()).map(|_| (self.below(3), self.below(4))).collect();
                a.pad(&widths, boundary)
            }
            29 => a.rechunk(&self.chunk(a.shape())),
            30 => {
                let (p, q) = (self.axis(a), self.axis(a));
                a.diagonal(self.signed(3), p, q)
            }
            31 => {
                let k = self.signed(3);
                if self.flag() { a.tril(k) } else { a.triu(k) }
            }
            32 => a.diff(1 + self.below(2), self.axis(a)),
            33 | 34 => {
                let order = self.one_of(&[Order::Ascending, Order::Descending]);
                let k = self.below(5);
                let ops = [
                    LaneOp::CumSum,
                    LaneOp::CumProd,
                    LaneOp::NanCumSum,
                    LaneOp::NanCumProd,
                    LaneOp::CumMax,
                    LaneOp::CumMin,
                    LaneOp::Sort { order },
                    LaneOp::ArgSort { order },
                    LaneOp::TopK { k, order },
                    LaneOp::ArgTopK { k, order },
                    LaneOp::Rank,
                ];
                match self.below(4) {
                    0 | 1 => self.rolling(a),
                    2 => self.order_statistic(a),
                    _ => a.lanes(self.one_of(&ops), self.axis(a)),
                }
            }
            35 | 36 | 40..=43 => {
                let op = self.one_of(&Op::ALL[..]);
                let options = FoldOptions {
                    ddof: self.one_of(&[0.0, 1.0, 2.5]),
                    keep_missing: self.flag(),
                    min_count: self.one_of(&[0, 0, 2]),
                };
                a.reduce(op, &self.axes(a), options)
            }
            37 => {
                let b = match self.below(4) {
                    0 => a.matrix_transpose()?,
                    1 => a.get_along(-1, 0)?,
                    2 => pool[self.below(pool.len() as u64) as usize].clone(),
                    _ => {
                        let (k, n) = (a.shape().last().copied().unwrap_or(1), 1 + self.below(7));
                        let dtype = self.dtype();
                        self.data(&[k, n], dtype)?
                    }
                };
                a.matmul(&b)
            }
            38 => match self.below(3) {
                0 => a.map_blocks(
                    "twice and one",
                    0,
                    |x: ndarray::ArrayViewD<'_, i32>, mut out: ndarray::ArrayViewMutD<'_, i32>| {
                        out.zip_mut_with(&x, |y, x| *y = x.wrapping_mul(2).wrapping_add(1));
                    },
                ),
                1 => a.map_blocks(
                    "half",
                    100,
                    |x: ndarray::ArrayViewD<'_, f64>, mut out: ndarray::ArrayViewMutD<'_, f32>| {
                        out.zip_mut_with(&x, |y, x| *y = (x / 2.0) as f32);
                    },
                ),
                _ => {
                    let axis = self.axis(a).rem_euclid(a.ndim().max(1) as i64) as usize;
                    let depth: Vec<u64> = (0..a.ndim()).map(|k| u64::from(k == axis)).collect();
                    let boundary = self.boundary();
                    a.map_overlap(
                        "three points",
                        &depth,
                        boundary,
                        0,
                        move |x: ndarray::ArrayViewD<'_, f64>, mut out: ndarray::ArrayViewMutD<'_, f64>| {
                            if x.ndim() == 0 {
                                out.assign(&x);
                                return;
                            }
                            let n = out.shape()[axis];
                            let part = |from: usize| x.slice_axis(ndarray::Axis(axis), (from..from + n).into());
                            out.assign(&(&part(0) * 0.25 + &part(1) * 0.5 + &part(2) * 0.25));
                        },
                    )
                }
            },
            44 | 45 => self.grouped(a),
            _ => Ok(a.hold()),
        }
    }

    fn grouped(&mut self, a: &LazyArray) -> Result<LazyArray> {
        let (axes, also): (Vec<i64>, Vec<i64>) = self.axes(a).into_iter().partition(|_| self.below(3) != 2);
        let positions: u64 = axes.iter().map(|&k| a.shape()[k as usize]).product();
        let count = self.below(6) as u32;
        let labels = (0..positions).map(|_| self.below(u64::from(count) + 1) as u32);
        let labels = labels.map(|g| if g < count { g } else { Groups::NONE }).collect();
        let options = FoldOptions { ddof: 0.0, keep_missing: self.flag(), min_count: self.one_of(&[0, 0, 2]) };
        let fold = Folding::Op { op: self.one_of(&Op::ALL[..]), options };
        a.grouped_by(fold, &axes, &Groups::new(labels, count)?, &also)
    }

    /// Arrays made of `leaves` and of each other.
    pub fn pool(&mut self, mut pool: Vec<LazyArray>, most: u64) -> Vec<LazyArray> {
        let steps = 1 + self.below(most);
        for _ in 0..steps {
            if let Ok(fresh) = self.grown(&pool)
                && fresh.size() <= 9000
            {
                pool.push(fresh);
            }
        }
        pool
    }

    /// Pieces in which a result is written, often others than its blocks.
    pub fn pieces(&mut self, array: &LazyArray) -> aosx::shape::Shape {
        if self.flag() { array.chunk().clone() } else { self.chunk(array.shape()).into() }
    }
}

/// An expression, in words.
pub fn describe(array: &LazyArray, depth: usize) -> String {
    let what = match array.operation() {
        Operation::Source(source) => source.meta().path.clone(),
        Operation::Decode { .. } => "decode".into(),
        Operation::Create(aosx::array::Creation::Data(data)) => {
            let text = with_dtype!(array.dtype(), T => {
                let values: Vec<f64> = data.bytes().chunks_exact(size_of::<T>())
                    .map(|x| aosx::dtype::Element::to_f64(bytemuck::pod_read_unaligned::<T>(x))).collect();
                format!("{:?}", &values[..values.len().min(40)])
            });
            format!("data {text}")
        }
        Operation::Create(creation) => format!("{creation:?}"),
        Operation::Map { op: MapOp::Unary(op), .. } => op.name().into(),
        Operation::Map { op, .. } => format!("{op:?}"),
        Operation::View { view, .. } => format!("{view:?}"),
        Operation::Reshape { .. } => "reshape".into(),
        Operation::Concat { axis, .. } => format!("concat {axis}"),
        Operation::Take { axis, index, .. } => format!("take {axis} {index:?}"),
        Operation::TakeAlong { axis, .. } => format!("take along {axis}"),
        Operation::Lanes { axis, op, .. } => format!("{op:?} along {axis}"),
        Operation::Rolling { axis, window, op, options, .. } => {
            format!("rolling {op} of {window:?} along {axis} {options:?}")
        }
        Operation::MatMul { .. } => "matmul".into(),
        Operation::Blocks { function, overlap, .. } => format!("{} {overlap:?}", function.name()),
        Operation::Rechunk { .. } => "rechunk".into(),
        Operation::Reduce { op, reduced, options, .. } => format!("{op} {reduced:?} {options:?}"),
        Operation::Fold { reducer, .. } => reducer.name().into(),
        Operation::Grouped { fold, groups, grouped, reduced, .. } => {
            format!("grouped {} {grouped:?} {reduced:?} {:?}", fold.name(), groups.labels())
        }
        Operation::Hold { .. } => "hold".into(),
    };
    let mut out = format!("\n{}{what}: {array:?}", "  ".repeat(depth));
    if depth < 40 {
        array.inputs().iter().for_each(|i| out += &describe(i, depth + 1));
    }
    out
}
