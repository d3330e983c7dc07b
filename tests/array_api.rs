//! NumPy's language on lazy arrays against NumPy's own answers (fixtures/array_api/make.py), in blocks of several shapes.

use aosx::{
    array::{Closeness, Contract, MatrixNorm},
    kernels::{elementwise::Lookup, lanes::Order},
    prelude::*,
};
use serde_json::Value;
use std::{collections::HashMap, process::Command};

/// How long the blocks of the inputs are along each axis, as a function of its length.
/// The length of a block along an axis, from the axis's.
type Length = fn(u64) -> u64;

const BLOCKS: [(&str, Length); 4] = [("whole", |n| n.max(1)), ("of 1", |_| 1), ("of 2", |_| 2), ("of 3", |_| 3)];

const EDGES: [f64; 6] = [-3.0, -1.0, 0.0, 0.5, 0.5, 4.0];

fn session() -> Session {
    Session::new().memory("512MiB".parse().unwrap()).threads(2)
}

struct Golden {
    dtype: DType,
    shape: Vec<u64>,
    values: Vec<f64>,
}

fn golden(json: &Value) -> Golden {
    let dtype = json["dtype"].as_str().unwrap();
    Golden {
        dtype: DType::ALL.into_iter().find(|d| d.name() == dtype).unwrap(),
        shape: json["shape"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect(),
        values: json["values"].as_array().unwrap().iter().map(number).collect(),
    }
}

fn number(json: &Value) -> f64 {
    json.as_f64().unwrap_or_else(|| json.as_str().unwrap().parse().unwrap())
}

fn expected() -> (HashMap<String, Golden>, HashMap<String, Golden>) {
    let json: Value = serde_json::from_str(include_str!("../fixtures/array_api/expected.json")).unwrap();
    let of = |part: &str| json[part].as_object().unwrap().iter().map(|(k, v)| (k.clone(), golden(v))).collect();
    (of("arrays"), of("cases"))
}

/// The inputs, in blocks.
struct Inputs {
    arrays: HashMap<String, LazyArray>,
}

impl Inputs {
    fn new(arrays: &HashMap<String, Golden>, block: fn(u64) -> u64) -> Inputs {
        let lazy = |g: &Golden| {
            let chunk: Vec<u64> = g.shape.iter().map(|&n| block(n)).collect();
            LazyArray::from_slice(&g.values, &g.shape, chunk.as_slice()).unwrap().astype(g.dtype)
        };
        Inputs { arrays: arrays.iter().map(|(k, g)| (k.clone(), lazy(g))).collect() }
    }

    fn get(&self, name: &str) -> LazyArray {
        self.arrays[name].clone()
    }
}

fn check(name: &str, blocks: &str, array: &LazyArray, want: &Golden) {
    assert_eq!(**array.shape(), *want.shape, "{name}, blocks {blocks}: shape");
    assert_eq!(array.dtype(), want.dtype, "{name}, blocks {blocks}: type");
    let got = session().compute(&array.astype(DType::F64)).unwrap_or_else(|e| panic!("{name}, blocks {blocks}: {e}"));
    let got = got.to_vec::<f64>().unwrap();
    let within = match want.dtype {
        DType::F32 => 2e-5,
        DType::F64 => 1e-11,
        _ => 0.0,
    };
    for (k, (x, y)) in got.iter().zip(&want.values).enumerate() {
        let close = x == y || (x.is_nan() && y.is_nan()) || (x - y).abs() <= within * (1.0 + y.abs());
        assert!(close, "{name}, blocks {blocks}: value {k} is {x}, not {y}\n{got:?}\n{:?}", want.values);
    }
}

fn slice(start: Option<i64>, stop: Option<i64>, step: i64) -> Index {
    Index::Slice { start, stop, step }
}

fn products(name: &str, of: &Inputs) -> Option<Result<LazyArray>> {
    let a = |n: &str| of.get(n);
    let es = |s: &str, names: &[&str]| {
        let arrays: Vec<LazyArray> = names.iter().map(|n| a(n)).collect();
        LazyArray::einsum(s, &arrays.iter().collect::<Vec<_>>())
    };
    Some(match name {
        "dot number" => a("m").dot(&a("number")),
        "dot vectors" => a("v").dot(&a("v")),
        "dot matrix vector" => a("m").dot(&a("v")),
        "dot vector matrix" => a("w").dot(&a("m")),
        "dot stack vector" => a("b").dot(&a("v")),
        "dot stack matrix" => a("b").dot(&a("n")),
        "dot stack stack" => a("b").dot(&a("c")),
        "dot integers" => a("i").dot(&a("j")),
        "dot empty" => a("flat").transpose().dot(&a("m").transpose().get_along(1, ..0).unwrap()),
        "dot over nothing" => a("flat").dot(&LazyArray::zeros(&[0, 3], &[1, 2], DType::F64).unwrap()),
        "dot one" => a("one").dot(&a("one")),
        "inner" => a("m").inner(&a("square")),
        "inner stack" => a("b").inner(&a("v")),
        "vecdot" => a("m").vecdot(&a("v"), -1),
        "vecdot axis" => a("m").vecdot(&a("m"), 0),
        "vecdot integers" => a("i").vecdot(&a("i"), -1),
        "vecdot empty" => a("flat").vecdot(&a("flat"), -1),
        "outer" => a("v").outer(&a("i")),
        "outer empty" => a("v").outer(&a("flat")),
        "kron" => a("x").kron(&a("n")),
        "kron ranks" => a("v").kron(&a("x")),
        "cross" => a("x").cross(&a("x").flip(&[0]).unwrap(), -1),
        "tensordot 2" => a("b").tensordot(&a("b").moveaxis(&[0], &[2]).unwrap(), 2),
        "tensordot 0" => a("v").tensordot(&a("w"), 0),
        "tensordot 1 float32" => a("h").tensordot(&a("m").transpose(), 1),
        "tensordot axes" => a("b").tensordot(&a("c"), (&[0, 2], &[0, 1])),
        "tensordot all" => a("b").tensordot(&a("b"), Contract::Last(3)),
        "tensordot empty" => a("down").tensordot(&a("m").transpose(), 1),
        "einsum product" => es("ij,jk->ik", &["m", "n"]),
        "einsum implied" => es("ba,ca", &["m", "square"]),
        "einsum sum of products" => es("ij,ij->", &["m", "h"]),
        "einsum batch" => es("bij,bjk->bik", &["b", "c"]),
        "einsum batch last" => es("bij,bjk->kib", &["b", "c"]),
        "einsum rows" => es("ij,ij->i", &["m", "m"]),
        "einsum outer" => es("i,j->ji", &["v", "w"]),
        "einsum transpose" => es("ijk->kij", &["b"]),
        "einsum trace" => es("ii", &["square"]),
        "einsum diagonal" => es("ii->i", &["square"]),
        "einsum sum" => es("ij->j", &["i"]),
        "einsum three" => LazyArray::einsum("ij,jk,k->i", &[&a("m"), &a("n"), &a("n").get_along(0, 0).unwrap()]),
        "einsum drops" => es("ij,kl->il", &["m", "n"]),
        "einsum diagonal of an operand" => es("ii,ij->j", &["square", "n"]),
        "einsum number" => es(",ij->ji", &["number", "m"]),
        "einsum empty" => {
            LazyArray::einsum("ij,jk->ik", &[&a("flat"), &LazyArray::zeros(&[0, 2], &[1, 1], DType::F64).unwrap()])
        }
        "einsum integers" => es("ij,jk->ik", &["i", "j"]),
        "trace" => a("m").trace(0, 0, 1),
        "trace offset" => a("m").trace(2, 0, 1),
        "trace axes" => a("b").trace(-1, 0, 2),
        "trace integers" => a("i").trace(0, 0, 1),
        "trace beyond" => a("m").trace(9, 0, 1),
        "norm of all" => a("i").vector_norm(2.0, &[0, 1]),
        "norm of holes" => a("holes").vector_norm(2.0, &[0]),
        "norm of nothing" => a("flat").vector_norm(2.0, &[1]),
        "matrix norm fro" => a("b").matrix_norm(MatrixNorm::Frobenius),
        "matrix norm 1" => a("b").matrix_norm(MatrixNorm::Columns),
        "matrix norm inf" => a("b").matrix_norm(MatrixNorm::Rows),
        "qr q" => rows(&a("m")).qr().map(|f| f.0),
        "qr r" => rows(&a("m")).qr().map(|f| f.1),
        "qr one" => rows(&a("one")).qr().map(|f| f.1),
        "qr float32" => rows(&a("h")).qr().map(|f| f.1),
        "qr wide r" => a("m").transpose().qr().map(|f| f.1),
        "svd s" => rows(&a("m")).svd().map(|f| f.1),
        "svd wide s" => rows(&a("m")).transpose().svd().map(|f| f.1),
        name if name.starts_with("norm ") => a("m").vector_norm(name[5..].parse().unwrap(), &[1]),
        _ => return None,
    })
}

/// In blocks of whole rows.
fn rows(x: &LazyArray) -> LazyArray {
    x.rechunk(&[x.chunk()[0], x.shape()[1]]).unwrap()
}

fn assignments(name: &str, of: &Inputs) -> Option<Result<LazyArray>> {
    let a = |n: &str| of.get(n);
    let nine = LazyArray::scalar(9);
    Some(match name {
        "set slice" => a("m").set(&[(1..5).into(), (2..4).into()], &a("number")),
        "set broadcast" => a("m").set(&[(2..).into()], &a("v")),
        "set stepped" => {
            let value = a("n").get(&[(..2).into(), (..3).into()]).unwrap();
            a("m").set(&[slice(Some(1), None, 3), slice(None, None, -2)], &value)
        }
        "set backwards" => a("w").set(&[slice(None, None, -1)], &LazyArray::arange(0, 7, 1, &[3]).unwrap()),
        "set integer" => a("m").set(&[(-2).into()], &a("v")),
        "set column" => a("m").set(&[Index::Ellipsis, 1.into()], &a("w")),
        "set one" => a("m").set(&[3.into(), 3.into()], &a("number")),
        "set new axis" => a("m").set(&[Index::NewAxis, (1..3).into()], &a("number")),
        "set nothing" => a("m").set(&[(5..5).into()], &a("number")),
        "set all" => a("m").set(&[Index::Ellipsis], &a("v")),
        "set integers" => a("i").set(&[slice(None, None, 2), (1..).into()], &(a("x").get_along(0, ..3).unwrap() * 3.0)),
        "set stack" => a("b").set(&[slice(None, None, 2), (1..3).into(), slice(None, None, 3)], &nine),
        "set where" => a("m").set_where(&a("mask"), &LazyArray::scalar(0)),
        _ => return None,
    })
}

fn counts(name: &str, of: &Inputs) -> Option<Result<LazyArray>> {
    let a = |n: &str| of.get(n);
    let scalars = |values: &[i64]| values.iter().map(|&v| Scalar::Int(v)).collect::<Vec<_>>();
    Some(match name {
        "histogram" => a("m").histogram(&EDGES),
        "histogram holes" => a("holes").histogram(&EDGES),
        "histogram integers" => a("i").histogram(&[-5.0, -2.0, 0.0, 5.0]),
        "histogram weighted" => a("m").histogram_weighted(&EDGES, &a("m").square().unwrap()),
        "histogram nothing" => a("flat").histogram(&EDGES),
        "histogram number" => a("number").histogram(&EDGES),
        "bincount" => a("u").bincount(8),
        "digitize" => a("m").digitize(&[Scalar::Float(-1.0), 0.0.into(), 2.0.into()], Lookup::SearchRight),
        "digitize right" => a("i").digitize(&scalars(&[-1, 0, 2]), Lookup::SearchLeft),
        "digitize down" => a("i").digitize(&scalars(&[2, 0, -1]), Lookup::SearchRight),
        "topk" => a("m").topk(2, 1),
        "argtopk" => a("m").argtopk(3, 0),
        "sort" => a("holes").sort(Order::Ascending, 0),
        "argsort" => a("i").argsort(Order::Ascending, 1),
        "cummax" => a("holes").cummax(1),
        "cummin" => a("i").cummin(0),
        "nancumsum" => with_holes(of).nancumsum(0),
        "nancumprod" => with_holes(of).nancumprod(1),
        "cumulative sum" => a("m").cumulative_sum_from_zero(1),
        "cumulative prod" => a("i").cumulative_prod_from_one(0),
        "cumulative sum of nothing" => a("flat").cumulative_sum_from_zero(1),
        "meshgrid" => LazyArray::meshgrid(&[a("v"), a("w")]).map(|g| g[1].clone()),
        "swapaxes" => a("b").swapaxes(0, -1),
        _ => return None,
    })
}

fn with_holes(of: &Inputs) -> LazyArray {
    of.get("m").set_where(&of.get("mask"), &LazyArray::scalar(f64::NAN)).unwrap()
}

fn derived(name: &str, of: &Inputs) -> Option<Result<LazyArray>> {
    let a = |n: &str| of.get(n);
    let (m, h, holes, down) = (a("m"), a("h"), a("holes"), a("down"));
    let (places, heights) = ([-2.0, -0.5, 0.0, 1.0, 3.0], [1.0, 4.0, -2.0, 0.5, 7.0]);
    let default = Closeness::default();
    let turned = holes.flip(&[0]).unwrap();
    Some(match name {
        "clip low" => holes.clip_low(-1),
        "clip high" => a("i").clip_high(2),
        "nan to num" => holes.nan_to_num(0.0, None, None),
        "nan to num given" => holes.nan_to_num(-1.0, Some(5.0), Some(-5.0)),
        "isclose" => holes.isclose(&(&holes * (1.0 + 1e-6)), default),
        "isclose nan" => holes.isclose(&turned, Closeness { rtol: 0.5, atol: 0.1, equal_nan: true }),
        "allclose" => m.allclose(&(&m + 1e-9), default),
        "allclose not" => holes.allclose(&holes, default),
        "allclose nothing" => a("flat").allclose(&a("flat"), default),
        "interp" => holes.interp(&places, &heights),
        "interp integers" => a("i").interp(&places, &heights),
        "gradient" => m.gradient(0.5, 0),
        "gradient float32" => h.gradient(1.0, 1),
        "gradient of two" => m.get_along(0, ..2).unwrap().gradient(1.0, 0),
        "gradient coordinates" => m.gradient([0.0, 1.0, 1.5, 3.0, 7.0].as_slice(), 1),
        "gradient integers" => a("i").gradient(1.0, 0),
        "cov" => m.get_along(1, 0).unwrap().cov(&m.get_along(1, 1).unwrap(), &[0], 1.0),
        "cov axes" => m.cov(&h, &[1], 1.0),
        "corrcoef" => m.corrcoef(&h, &[0]),
        "average" => m.average(&a("w").expand_dims(&[1]).unwrap(), &[0]),
        "average holes" => holes.average(&a("v"), &[1]),
        "average integers" => {
            a("i").average(&LazyArray::arange(0, 24, 1, &[5]).unwrap().reshape(&[6, 4]).unwrap(), &[0])
        }
        "count nonzero" => {
            let zero =
                LazyArray::select(&holes.greater(&LazyArray::scalar(0.0)).unwrap(), &LazyArray::scalar(0.0), &holes);
            zero.unwrap().count_nonzero(&[0])
        }
        "sum of nothing" => down.sum(&[0]),
        "prod of nothing" => down.prod(&[0]),
        "mean of nothing" => down.mean(&[0]),
        "var of nothing" => down.var(&[0], 0.0),
        "any of nothing" => down.any(&[0]),
        "all of nothing" => down.all(&[0]),
        "min of nobody" => down.min(&[1]),
        "argmax of nobody" => down.argmax(Some(1)),
        "std correction" => m.std(&[0], 1.0),
        "var number" => a("number").var(&[], 0.0),
        _ => return None,
    })
}

#[test]
fn numpy_agrees() {
    let (arrays, cases) = expected();
    let mut wrong = Vec::new();
    for (blocks, length) in BLOCKS {
        let of = Inputs::new(&arrays, length);
        for (name, want) in &cases {
            let made = products(name, &of)
                .or_else(|| assignments(name, &of))
                .or_else(|| counts(name, &of))
                .or_else(|| derived(name, &of))
                .unwrap_or_else(|| panic!("no case '{name}'"));
            let check = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| match made {
                Ok(array) => check(name, blocks, &array, want),
                Err(e) => panic!("{name}, blocks {blocks}: {e}"),
            }));
            if check.is_err() {
                wrong.push(format!("{name}, blocks {blocks}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn nothing_has_no_least_value() {
    let none = LazyArray::zeros(&[0, 3], &[1, 3], DType::F64).unwrap();
    for (name, of) in [
        ("min", none.min(&[0])),
        ("max", none.max(&[0, 1])),
        ("ptp", none.ptp(&[0])),
        ("nanmin", none.nanmin(&[0])),
        ("argmin", none.argmin(Some(0))),
        ("argmax", none.argmax(None)),
    ] {
        let error = of.expect_err(name).to_string();
        assert!(error.contains("of no values"), "{error}");
    }
    assert_eq!(**none.max(&[1]).unwrap().shape(), [0]);
}

/// `a = q r` and the like, whatever the blocks; and the same factors.
#[test]
fn factors_multiply_to_the_matrix() {
    let x = |chunk: u64| {
        let normal = Distribution::Normal { mean: 0.0, std: 1.0 };
        LazyArray::random(normal, 5, &[53, 6], &[chunk, 6], DType::F64).unwrap()
    };
    let session = session();
    let values = |a: &LazyArray| session.compute(a).unwrap().to_vec::<f64>().unwrap();
    let near = |a: &[f64], b: &[f64]| a.len() == b.len() && a.iter().zip(b).all(|(x, y)| (x - y).abs() < 1e-12);
    let identity = values(&LazyArray::eye(6, 6, 0, &[6, 6], DType::F64).unwrap());
    let mut first: Option<Vec<Vec<f64>>> = None;
    for chunk in [53, 10, 7, 6, 2] {
        let x = x(chunk);
        let (q, r) = x.qr().unwrap();
        let (u, s, vt) = x.svd().unwrap();
        assert!(near(&values(&q.matmul(&r).unwrap()), &values(&x)), "blocks of {chunk}");
        assert!(near(&values(&q.transpose().matmul(&q).unwrap()), &identity), "blocks of {chunk}");
        assert!(near(&values(&(&u * &s).matmul(&vt).unwrap()), &values(&x)), "blocks of {chunk}");
        assert!(near(&values(&u.transpose().matmul(&u).unwrap()), &identity), "blocks of {chunk}");
        let got = vec![values(&q), values(&r), values(&u), values(&s), values(&vt)];
        let want = first.get_or_insert_with(|| got.clone());
        assert!(got.iter().zip(want).all(|(a, b)| near(a, b)), "blocks of {chunk}");
    }
}

#[test]
fn a_matrix_of_low_rank_is_compressed() {
    let normal = Distribution::Normal { mean: 0.0, std: 1.0 };
    let random =
        |seed, shape: &[u64], chunk: &[u64]| LazyArray::random(normal, seed, shape, chunk, DType::F64).unwrap();
    let x = random(1, &[60, 4], &[20, 4]).matmul(&random(2, &[4, 45], &[4, 15])).unwrap();
    let x = x.rechunk(&[25, 13]).unwrap();
    let (u, s, vt) = x.svd_compressed(4, 1, 7).unwrap();
    assert_eq!((&**u.shape(), &**s.shape(), &**vt.shape()), ([60, 4].as_slice(), [4].as_slice(), [4, 45].as_slice()));
    let back = (&u * &s).matmul(&vt).unwrap();
    let off = (back - &x).abs().unwrap().max(&[0, 1]).unwrap();
    assert!(session().compute(&off).unwrap().item::<f64>().unwrap() < 1e-11);
    let exact = x.rechunk(&[60, 45]).unwrap().svd().unwrap().1.get_along(0, ..4).unwrap();
    let off = (exact - s).abs().unwrap().max(&[0]).unwrap();
    assert!(session().compute(&off).unwrap().item::<f64>().unwrap() < 1e-11);
}

#[test]
fn factors_of_nothing_and_of_too_many_blocks() {
    let shapes = |parts: &[&LazyArray]| parts.iter().map(|a| a.shape().to_vec()).collect::<Vec<_>>();
    for (m, n) in [(0u64, 0u64), (4, 0), (0, 4)] {
        let x = LazyArray::zeros(&[m, n], &[2, 4], DType::F64).unwrap();
        let (q, r) = x.qr().unwrap();
        assert_eq!(shapes(&[&q, &r]), [[m, 0], [0, n]]);
        let (u, s, vt) = x.svd().unwrap();
        assert_eq!(shapes(&[&u, &s, &vt]), [vec![m, 0], vec![0], vec![0, n]]);
        session().compute_all(&[&q, &r, &u, &s, &vt]).unwrap();
        let (u, s, vt) = x.svd_compressed(3, 1, 0).unwrap();
        session().compute_all(&[&u, &s, &vt]).unwrap();
    }
    let error = LazyArray::zeros(&[9, 4], &[3, 2], DType::F64).unwrap().qr().unwrap_err().to_string();
    assert!(error.contains("rechunk"), "{error}");
    let nan = LazyArray::full(&[9, 4], &[3, 4], f64::NAN, DType::F64).unwrap();
    let error = session().compute(&nan.svd().unwrap().1).err().unwrap().to_string();
    assert!(error.contains("svd"), "{error}");
}

#[test]
fn assignment_says_what_does_not_fit() {
    let x = LazyArray::zeros(&[4, 3], &[2, 2], DType::F32).unwrap().with_dims(&["y", "x"]).unwrap();
    let value = LazyArray::arange(0, 2, 1, &[2]).unwrap();
    assert!(x.set(&[(..2).into()], &value).is_err());
    assert!(x.set(&[9.into()], &LazyArray::scalar(1)).is_err());
    assert!(x.set_where(&LazyArray::from_bools(&[true; 5], &[5], &[5]).unwrap(), &value).is_err());
    let y = x.set(&[Index::ALL, (1..).into()], &value).unwrap();
    assert_eq!((y.dtype(), y.dims(), y.chunk()), (DType::F32, x.dims(), x.chunk()));
}

/// Each example checks what it prints.
#[test]
fn examples_run() {
    for example in ["talk", "anomaly", "map_overlap", "custom_fold"] {
        let run = Command::new(env!("CARGO"))
            .args(["run", "--quiet", "--release", "--example", example])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        let (out, err) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
        assert!(run.status.success() && !out.is_empty(), "{example}: {out}{err}");
    }
}
