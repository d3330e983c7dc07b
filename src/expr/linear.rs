//! Products, and arrays from nothing.

use super::{
    ast::{Expr, ExprKind, Span},
    attributes::Kept,
    bind::Binder,
    call::{Call, axes, axis, dtype, scalar},
    shaped::lengths,
    units,
    value::{At, Bound, Quantity, Val, float, integer, text, wrong},
};
use crate::{
    array::{Chunks, Contract, LazyArray},
    attrs::Attrs,
    dtype::{DType, Scalar},
    error::Result,
    kernels::{
        fold::{FoldOptions, Op},
        random::Distribution,
    },
};

/// NaN in, NaN out: a product with a hole in it is none.
const PROPAGATE: FoldOptions = FoldOptions { ddof: 0.0, keep_missing: true, min_count: 0 };

impl Binder<'_> {
    /// The matrix product.
    pub fn matmul(&self, a: Quantity, b: Quantity, span: Span) -> Bound<Val> {
        let [a, b] = self.places.together([&a, &b])?;
        let array = a.array.matmul(&b.array).at(span)?;
        let mut out = Quantity::of(array, Kept::Nothing, &[&a, &b]);
        units::say(&mut out.attrs, units::of_product(&a, &b));
        Ok(Val::Array(out))
    }

    /// Sums of products.
    pub fn linear(&mut self, call: &Call) -> Bound<Quantity> {
        let span = call.span;
        if call.name == "einsum" {
            return self.einsum(call);
        }
        let x = self.array(call.required("x")?)?;
        match call.name {
            "norm" => {
                if call.given("ord").map_or(Ok(2.0), |e| float(e, "ord"))? != 2.0 {
                    return wrong(span, "norm is available with ord=2 only");
                }
                let some = axes(&call.args.rest, &x)?;
                let some = if some.is_empty() { x.array.all_axes() } else { some };
                let norm = || x.array.abs()?.square()?.reduce(Op::Sum, &some, PROPAGATE)?.sqrt();
                if call.flag("keepdims", false)? {
                    return wrong(span, "norm is available without keepdims only");
                }
                return Ok(x.with(norm().at(span)?, Kept::Units));
            }
            "trace" => {
                let offset = call.given("offset").map_or(Ok(0), |e| integer(e, "offset"))?;
                let trace = || x.array.diagonal(offset, 0, 1)?.reduce(Op::Sum, &[-1], PROPAGATE);
                return Ok(x.with(trace().at(span)?, Kept::Units));
            }
            _ => {}
        }
        let y = self.array(call.required("y")?)?;
        let [x, y] = if call.name == "outer" { [x, y] } else { self.places.together([&x, &y])? };
        let array = match call.name {
            "matmul" => x.array.matmul(&y.array),
            "dot" if x.array.ndim() == 0 || y.array.ndim() == 0 => x.array.multiply(&y.array),
            "dot" if y.array.ndim() <= 2 => x.array.matmul(&y.array),
            "dot" => return wrong(span, "dot is available for a second array of up to 2 dimensions; use matmul"),
            "outer" => outer(&x.array, &y.array),
            "tensordot" => {
                let over = call.given("axes").map_or(Ok(Contract::Last(2)), |e| contract(e, &x, &y))?;
                x.array.tensordot(&y.array, over)
            }
            "vecdot" => {
                let both = x.array.multiply(&y.array).at(span)?;
                let product = Quantity::of(both, Kept::Nothing, &[&x, &y]);
                let at = call.given("axis").map_or(Ok(product.array.ndim() as i64 - 1), |e| axis(e, &product))?;
                product.array.reduce(Op::Sum, &[at], PROPAGATE)
            }
            name => return wrong(span, format!("{name} is not available")),
        };
        let mut out = Quantity::of(array.at(span)?, Kept::Nothing, &[&x, &y]);
        units::say(&mut out.attrs, units::of_product(&x, &y));
        Ok(out)
    }

    fn einsum(&mut self, call: &Call) -> Bound<Quantity> {
        let subscripts = text(call.required("subscripts")?, "subscripts")?;
        let mut all = call.args.rest.iter().map(|e| self.array(e)).collect::<Bound<Vec<_>>>()?;
        self.places.put_together(&mut all, None)?;
        let arrays: Vec<&LazyArray> = all.iter().map(|q| &q.array).collect();
        let array = LazyArray::einsum(&subscripts, &arrays).at(call.span)?;
        Ok(Quantity::of(array, Kept::Nothing, &all.iter().collect::<Vec<_>>()))
    }

    /// Arrays that no input holds.
    pub fn creation(&mut self, call: &Call) -> Bound<Quantity> {
        let span = call.span;
        let wanted = call.given("dtype").map(dtype).transpose()?;
        if call.name.ends_with("_like") {
            let x = self.array(call.required("x")?)?;
            let value = match call.name {
                "zeros_like" => Scalar::Int(0),
                "ones_like" => Scalar::Int(1),
                _ => scalar(call.required("value")?, "the value")?,
            };
            let array = x.array.full_like(value, wanted.unwrap_or(x.array.dtype()));
            return Ok(x.with(array, Kept::Links));
        }
        let chunks = call.given("chunks").map(lengths).transpose()?.map_or(Chunks::Auto, Chunks::Of);
        let array = match call.name {
            "zeros" | "ones" | "full" => {
                let value = match call.name {
                    "zeros" => Scalar::Float(0.0),
                    "ones" => Scalar::Float(1.0),
                    _ => scalar(call.required("value")?, "the value")?,
                };
                LazyArray::full(&lengths(call.required("shape")?)?, chunks, value, wanted.unwrap_or(value.dtype()))
            }
            "arange" => arange(call, chunks)?,
            "linspace" => linspace(call, chunks)?,
            "eye" => {
                let n = call.required("n").and_then(length)?;
                let m = call.given("m").map_or(Ok(n), length)?;
                let k = call.given("k").map_or(Ok(0), |e| integer(e, "k"))?;
                LazyArray::eye(n, m, k, chunks, wanted.unwrap_or(DType::F64))
            }
            "normal" | "uniform" | "integers" => {
                let shape = lengths(call.required("shape")?)?;
                let seed = call.given("seed").map_or(Ok(0), length)?;
                let (distribution, own) = distribution(call)?;
                LazyArray::random(distribution, seed, &shape, chunks, wanted.unwrap_or(own))
            }
            name => return wrong(span, format!("{name} is not available")),
        };
        let mut array = array.at(span)?;
        if let Some(wanted) = wanted {
            array = array.astype(wanted);
        }
        Ok(Quantity { array, attrs: Attrs::new(), from: Vec::new(), taken: Vec::new(), groups: Vec::new() })
    }
}

/// What `tensordot` sums over: so many dimensions, or those of two lists, as [[time], [time]].
fn contract(expr: &Expr, x: &Quantity, y: &Quantity) -> Bound<Contract> {
    let listed = |expr: &Expr, of: &Quantity| match &expr.kind {
        ExprKind::List(items) => axes(&items.iter().collect::<Vec<_>>(), of),
        _ => axes(&[expr], of),
    };
    match &expr.kind {
        ExprKind::List(pair) => match pair.as_slice() {
            [of_x, of_y] => Ok(Contract::Axes(listed(of_x, x)?, listed(of_y, y)?)),
            _ => wrong(expr.span, "axes are a number, or two lists of dimensions, as [[time], [time]]"),
        },
        _ => match usize::try_from(integer(expr, "a number of dimensions")?) {
            Ok(n) => Ok(Contract::Last(n)),
            Err(_) => wrong(expr.span, "a number of dimensions is not negative"),
        },
    }
}

fn outer(x: &LazyArray, y: &LazyArray) -> Result<LazyArray> {
    let (x, y) = (x.ravel()?, y.ravel()?);
    let names = x.dims().zip(y.dims()).map(|(a, b)| [a[0].clone(), b[0].clone()]);
    let plain = x.expand_dims(&[1])?.multiply(&y.expand_dims(&[0])?)?;
    match names {
        Some([a, b]) if a != b => plain.with_dims(&[&a, &b]),
        _ => Ok(plain),
    }
}

fn length(expr: &Expr) -> Bound<u64> {
    let n = integer(expr, "this")?;
    u64::try_from(n).map_or_else(|_| wrong(expr.span, "this is not negative"), Ok)
}

fn arange(call: &Call, chunks: Chunks) -> Bound<Result<LazyArray>> {
    let first = scalar(call.required("start")?, "start")?;
    let step = call.given("step").map_or(Ok(Scalar::Int(1)), |e| scalar(e, "step"))?;
    let (start, stop) = match call.given("stop") {
        Some(stop) => (first, scalar(stop, "stop")?),
        None => (Scalar::Int(0), first),
    };
    Ok(LazyArray::arange(start, stop, step, chunks))
}

fn linspace(call: &Call, chunks: Chunks) -> Bound<Result<LazyArray>> {
    let (start, stop) = (float(call.required("start")?, "start")?, float(call.required("stop")?, "stop")?);
    let num = call.given("num").map_or(Ok(50), length)?;
    // Without its end it is what a longer one begins with.
    let stop = if call.flag("endpoint", true)? || num == 0 { stop } else { stop - (stop - start) / num as f64 };
    Ok(LazyArray::linspace(start, stop, num, chunks))
}

fn distribution(call: &Call) -> Bound<(Distribution, DType)> {
    let value = |name: &'static str, default: f64| call.given(name).map_or(Ok(default), |e| float(e, name));
    Ok(match call.name {
        "normal" => (Distribution::Normal { mean: value("loc", 0.0)?, std: value("scale", 1.0)? }, DType::F64),
        "uniform" => (Distribution::Uniform { low: value("low", 0.0)?, high: value("high", 1.0)? }, DType::F64),
        _ => {
            let (low, high) = (integer(call.required("low")?, "low")?, integer(call.required("high")?, "high")?);
            (Distribution::Integers { low: low.into(), high: high.into() }, DType::I64)
        }
    })
}
