use super::*;
use crate::{
    dtype::{DType, Element},
    error::{Class, Problem},
    with_dtype,
};
use half::f16;

/// Small whole numbers, of which every partial sum is exact in every float type.
fn whole(count: usize, seed: u64) -> Vec<f64> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((state >> 33) % 5) as f64 - 2.0
    };
    (0..count).map(|_| next()).collect()
}

fn bytes_of<T: Element>(values: &[f64], bool: bool) -> Vec<T> {
    values.iter().map(|&x| T::from_f64(if bool { f64::from(x > 0.0) } else { x })).collect()
}

/// Row-major values laid out with strides, gaps of other numbers between them.
fn spread<T: Element>(values: &[T], rows: usize, cols: usize, strides: (usize, usize)) -> Vec<T> {
    let len = if values.is_empty() { 0 } else { (rows - 1) * strides.0 + (cols - 1) * strides.1 + 1 };
    let mut out = vec![T::from_f64(9.0); len];
    for (k, x) in values.iter().enumerate() {
        out[k / cols * strides.0 + k % cols * strides.1] = *x;
    }
    out
}

fn naive(a: &[f64], b: &[f64], c: &[f64], k: usize, n: usize) -> Vec<f64> {
    let mut out = c.to_vec();
    for (at, c) in out.iter_mut().enumerate() {
        let (i, j) = (at / n, at % n);
        *c += (0..k).map(|p| a[i * k + p] * b[p * n + j]).sum::<f64>();
    }
    out
}

fn case<T: Element>(dtype: DType, m: usize, k: usize, n: usize, update: Update) {
    let bool = dtype == DType::Bool;
    let (a, b, c) = (whole(m * k, 1), whole(k * n, 2), whole(m * n, 3));
    let (a, b, c) = (bytes_of::<T>(&a, bool), bytes_of::<T>(&b, bool), bytes_of::<T>(&c, bool));
    let wide = |x: &[T]| -> Vec<f64> { x.iter().map(|x| x.to_f64()).collect() };
    let start = if update == Update::Add { wide(&c) } else { vec![0.0; m * n] };
    // Wrapped results of unsigned types are compared modulo 2^bits; `whole` of them has no negative numbers.
    let expected = naive(&wide(&a), &wide(&b), &start, k, n);
    let expected: Vec<T> = bytes_of::<T>(&expected, bool);
    for (a_strides, b_strides) in [((k, 1), (n, 1)), ((1, m), (n, 1)), ((k, 1), (1, k)), ((k + 3, 1), (2, 2 * k + 1))] {
        let (x, y) = (spread(&a, m, k, a_strides), spread(&b, k, n, b_strides));
        let left = Matrix {
            bytes: bytemuck::cast_slice(&x),
            rows: m,
            cols: k,
            row_stride: a_strides.0,
            col_stride: a_strides.1,
        };
        let right = Matrix {
            bytes: bytemuck::cast_slice(&y),
            rows: k,
            cols: n,
            row_stride: b_strides.0,
            col_stride: b_strides.1,
        };
        let (mut out, mut again) = (c.clone(), c.clone());
        product(dtype, left, right, bytemuck::cast_slice_mut(&mut out), update);
        product(dtype, left, right, bytemuck::cast_slice_mut(&mut again), update);
        assert_eq!(out, expected, "{dtype} {m}x{k}x{n} {a_strides:?} {b_strides:?} {update:?}");
        assert_eq!(out, again);
    }
}

#[test]
fn products_of_every_type_and_ragged_size() {
    let sizes = [
        (0, 0, 0),
        (2, 0, 3),
        (0, 3, 2),
        (3, 2, 0),
        (1, 1, 1),
        (1, 70, 1),
        (1, 9, 40),
        (40, 9, 1),
        (5, 2, 7),
        (3, 300, 5),
        (67, 65, 130),
        (64, 64, 64),
        (1030, 3, 2),
        (2, 17, 129),
    ];
    for dtype in DType::ALL {
        for (m, k, n) in sizes {
            for update in [Update::Replace, Update::Add] {
                with_dtype!(dtype, T => case::<T>(dtype, m, k, n, update));
            }
        }
    }
}

#[test]
fn large_float_products_cross_panels() {
    for (m, k, n) in [(1100, 600, 70), (33, 1000, 500)] {
        case::<f64>(DType::F64, m, k, n, Update::Add);
        case::<f32>(DType::F32, m, k, n, Update::Replace);
    }
}

#[test]
fn integers_wrap() {
    let a = [i8::MAX, i8::MAX, -128, 1];
    let a = Matrix::by_rows(bytemuck::cast_slice(&a), 2, 2);
    let mut c = [0i8; 4];
    product(DType::I8, a, a, bytemuck::cast_slice_mut(&mut c), Update::Replace);
    let wrap = |x: i64| x as i8;
    assert_eq!(c, [wrap(127 * 127 - 128 * 127), wrap(127 * 127 + 127), wrap(-128 * 127 - 128), wrap(-128 * 127 + 1)]);
    let x = [u64::MAX, 3];
    let (row, column) =
        (Matrix::by_rows(bytemuck::cast_slice(&x), 1, 2), Matrix::by_rows(bytemuck::cast_slice(&x), 2, 1));
    let mut c = [10u64];
    product(DType::U64, row, column, bytemuck::cast_slice_mut(&mut c), Update::Add);
    assert_eq!(c, [20]);
    let x = [65535u16];
    let x = Matrix::by_rows(bytemuck::cast_slice(&x), 1, 1);
    let mut c = [0u16];
    product(DType::U16, x, x, bytemuck::cast_slice_mut(&mut c), Update::Replace);
    assert_eq!(c, [1]);
}

fn special<T: Element>(dtype: DType) {
    for size in [1, 2, 5, 40, 100] {
        let mut a = vec![T::from_f64(1.0); size * size];
        let mut b = vec![T::from_f64(0.0); size * size];
        (a[0], b[size * size - 1]) = (T::from_f64(f64::NAN), T::from_f64(f64::INFINITY));
        let (left, right) = (bytemuck::cast_slice(&a), bytemuck::cast_slice(&b));
        let mut c = vec![T::from_f64(f64::NAN); size * size];
        let (left, right) = (Matrix::by_rows(left, size, size), Matrix::by_rows(right, size, size));
        product(dtype, left, right, bytemuck::cast_slice_mut(&mut c), Update::Replace);
        for (at, x) in c.iter().enumerate() {
            let (i, j, x) = (at / size, at % size, x.to_f64());
            match (i == 0, j == size - 1) {
                (true, _) => assert!(x.is_nan(), "{dtype} {size}: NaN times anything"),
                (_, true) => assert_eq!(x, f64::INFINITY, "{dtype} {size}"),
                _ => assert_eq!(x, 0.0, "{dtype} {size}: what was there is not read"),
            }
        }
        product(dtype, right, right, bytemuck::cast_slice_mut(&mut c), Update::Replace);
        let corner = if size == 1 { f64::INFINITY } else { f64::NAN };
        let got = c[size - 1].to_f64();
        assert!(got == corner || got.is_nan() == corner.is_nan(), "{dtype} {size}: zero times infinity is {got}");
    }
}

#[test]
fn nan_and_infinity_propagate() {
    special::<f64>(DType::F64);
    special::<f32>(DType::F32);
    special::<f16>(DType::F16);
}

#[test]
fn float16_sums_in_float32() {
    // 2048 + 1 is 2048 in float16: a sum in float16 would stop there.
    let (ones, mut c) = (vec![f16::ONE; 4096], [f16::ZERO]);
    let bytes = bytemuck::cast_slice(&ones);
    let c_bytes = bytemuck::cast_slice_mut(&mut c);
    product(DType::F16, Matrix::by_rows(bytes, 1, 4096), Matrix::by_rows(bytes, 4096, 1), c_bytes, Update::Replace);
    assert_eq!(c[0].to_f64(), 4096.0);
}

#[test]
#[should_panic(expected = "as long as its strides say")]
fn a_matrix_that_leads_outside_is_a_bug() {
    let (x, mut c) = ([1f64; 6], [0f64; 4]);
    let a = Matrix { bytes: bytemuck::cast_slice(&x), rows: 2, cols: 3, row_stride: 4, col_stride: 1 };
    product(DType::F64, a, a.transposed(), bytemuck::cast_slice_mut(&mut c), Update::Replace);
}

/// The formula of `fixtures/linalg/make.py`.
fn matrix(rows: usize, cols: usize) -> Vec<f64> {
    let value = |i: usize, j: usize| ((i * 7 + j * 13 + i * j * 5) % 23) as f64 - 11.0;
    (0..rows * cols).map(|at| value(at / cols, at % cols) / 4.0).collect()
}

fn multiply(a: &[f64], b: &[f64], m: usize, k: usize, n: usize) -> Vec<f64> {
    naive(a, b, &vec![0.0; m * n], k, n)
}

fn transpose(a: &[f64], rows: usize, cols: usize) -> Vec<f64> {
    (0..rows * cols).map(|at| a[at % rows * cols + at / rows]).collect()
}

fn near(a: &[f64], b: &[f64], within: f64, what: &str) {
    assert_eq!(a.len(), b.len(), "{what}");
    for (x, y) in a.iter().zip(b) {
        assert!((x - y).abs() <= within, "{what}: {x} is not {y} within {within}");
    }
}

fn identity(n: usize) -> Vec<f64> {
    (0..n * n).map(|at| f64::from(at / n == at % n)).collect()
}

fn narrow<T: Element>(a: &[f64]) -> Vec<T> {
    a.iter().map(|&x| T::from_f64(x)).collect()
}

fn wide<T: Element>(a: &[T]) -> Vec<f64> {
    a.iter().map(|x| x.to_f64()).collect()
}

fn qr_in<T: Element>(a: &[f64], rows: usize, cols: usize) -> (Vec<f64>, Vec<f64>) {
    let min = rows.min(cols);
    let (a, mut q, mut r) = (narrow::<T>(a), narrow::<T>(&vec![7.0; rows * min]), narrow::<T>(&vec![7.0; min * cols]));
    let (q_bytes, r_bytes) = (bytemuck::cast_slice_mut(&mut q), bytemuck::cast_slice_mut(&mut r));
    qr(T::DTYPE, bytemuck::cast_slice(&a), rows, cols, q_bytes, r_bytes).unwrap();
    (wide(&q), wide(&r))
}

fn svd_in<T: Element>(a: &[f64], rows: usize, cols: usize) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let min = rows.min(cols);
    let (a, mut s) = (narrow::<T>(a), narrow::<T>(&vec![7.0; min]));
    let (mut u, mut vt) = (narrow::<T>(&vec![7.0; rows * min]), narrow::<T>(&vec![7.0; min * cols]));
    let (u_bytes, s_bytes) = (bytemuck::cast_slice_mut(&mut u), bytemuck::cast_slice_mut(&mut s));
    svd(T::DTYPE, bytemuck::cast_slice(&a), rows, cols, u_bytes, s_bytes, bytemuck::cast_slice_mut(&mut vt)).unwrap();
    (wide(&u), wide(&s), wide(&vt))
}

fn check_factors<T: Element>(a: &[f64], rows: usize, cols: usize, epsilon: f64) {
    let min = rows.min(cols);
    let scale = a.iter().map(|x| x * x).sum::<f64>().sqrt().max(1.0);
    let within = 10.0 * epsilon * (rows + cols) as f64;
    let (q, r) = qr_in::<T>(a, rows, cols);
    near(&multiply(&transpose(&q, rows, min), &q, min, rows, min), &identity(min), within, "q'q");
    near(&multiply(&q, &r, rows, min, cols), a, within * scale, "qr");
    assert!((0..min * cols).all(|at| at % cols >= at / cols || r[at] == 0.0), "zero under the diagonal");
    let (u, s, vt) = svd_in::<T>(a, rows, cols);
    near(&multiply(&transpose(&u, rows, min), &u, min, rows, min), &identity(min), within, "u'u");
    near(&multiply(&vt, &transpose(&vt, min, cols), min, cols, min), &identity(min), within, "v'v");
    assert!(s.windows(2).all(|w| w[0] >= w[1]) && s.iter().all(|&x| x >= 0.0), "{s:?} descends");
    let us: Vec<f64> = u.iter().enumerate().map(|(at, x)| x * s[at % min]).collect();
    near(&multiply(&us, &vt, rows, min, cols), a, within * scale, "usv");
    for k in 0..min {
        let column: Vec<f64> = u.iter().skip(k).step_by(min).copied().collect();
        assert!(column.iter().copied().fold(0.0, f64::max) >= -column.iter().copied().fold(0.0, f64::min));
    }
    assert_eq!((qr_in::<T>(a, rows, cols), svd_in::<T>(a, rows, cols)), ((q, r), (u, s, vt)), "the same bits again");
}

#[test]
fn factors_of_tall_wide_deficient_and_empty_matrices() {
    for (rows, cols) in
        [(1, 1), (4, 4), (40, 7), (7, 40), (300, 20), (20, 300), (90, 90), (0, 0), (0, 5), (5, 0), (1, 9), (9, 1)]
    {
        let a = matrix(rows, cols);
        check_factors::<f64>(&a, rows, cols, f64::EPSILON);
        check_factors::<f32>(&a, rows, cols, f64::from(f32::EPSILON));
    }
    let deficient: Vec<f64> = (0..60).map(|at| (at / 5) as f64 * [1.0, 2.0, 0.0, -1.0, 1.0][at % 5]).collect();
    check_factors::<f64>(&deficient, 12, 5, f64::EPSILON);
    check_factors::<f64>(&[0.0; 12], 4, 3, f64::EPSILON);
    let (_, s, _) = svd_in::<f64>(&deficient, 12, 5);
    assert!(s[0] > 1.0 && s[1] < 1e-13 * s[0]);
}

#[test]
fn singular_values_and_signs_of_r_are_numpys() {
    let text = include_str!("../../../fixtures/linalg/values.json");
    let cases: serde_json::Value = serde_json::from_str(text).unwrap();
    let list =
        |x: &serde_json::Value| -> Vec<f64> { x.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect() };
    for case in cases.as_array().unwrap() {
        let [rows, cols] = ["rows", "cols"].map(|name| case[name].as_u64().unwrap() as usize);
        let a = matrix(rows, cols);
        near(&svd_in::<f64>(&a, rows, cols).1, &list(&case["s"]), 1e-12, "s");
        let r = qr_in::<f64>(&a, rows, cols).1;
        let diagonal: Vec<f64> = r.iter().step_by(cols + 1).copied().collect();
        near(&diagonal, &list(&case["r_diagonal"]), 1e-12, "r");
    }
}

#[test]
fn oriented_factors_do_not_depend_on_blocks() {
    let a = matrix(40, 7);
    let (mut q, mut r) = qr_in::<f64>(&a, 40, 7);
    let halves: Vec<f64> =
        [&a[..19 * 7], &a[19 * 7..]].iter().flat_map(|part| qr_in::<f64>(part, part.len() / 7, 7).1).collect();
    let (mut q_of_halves, mut r_of_halves) = qr_in::<f64>(&halves, 14, 7);
    for (q, r) in [(&mut q, &mut r), (&mut q_of_halves, &mut r_of_halves)] {
        orient(DType::F64, bytemuck::cast_slice_mut(q), bytemuck::cast_slice_mut(r), 7, 7).unwrap();
    }
    assert!((0..7).all(|k| r[k * 8] > 0.0));
    near(&r, &r_of_halves, 1e-12, "r");
    near(&multiply(&q, &r, 40, 7, 7), &a, 1e-12, "qr");
    near(&multiply(&q_of_halves, &r_of_halves, 14, 7, 7), &halves, 1e-12, "qr");
}

#[test]
fn not_finite_and_not_float() {
    let mut a = matrix(6, 3);
    a[4] = f64::NAN;
    let (_, r) = qr_in::<f64>(&a, 6, 3);
    assert!(r.iter().any(|x| x.is_nan()), "as NumPy: {r:?}");
    let bytes = bytemuck::cast_slice(&a);
    let (mut u, mut s, mut vt) = (vec![0; 18 * 8], vec![0; 3 * 8], vec![0; 9 * 8]);
    for bad in [f64::NAN, f64::INFINITY] {
        let mut a = matrix(6, 3);
        a[17] = bad;
        let error = svd(DType::F64, bytemuck::cast_slice(&a), 6, 3, &mut u, &mut s, &mut vt).unwrap_err();
        assert!(matches!(error.problem(), Problem::NoDecomposition { op: "svd", .. }), "{error}");
        assert_eq!(error.class(), Class::Data);
    }
    let error = qr(DType::I64, bytes, 6, 3, &mut u, &mut vt).unwrap_err();
    assert_eq!(error.to_string(), "qr of int64 is not defined; convert it to float64 first");
    assert_eq!(svd(DType::F16, bytes, 6, 3, &mut u, &mut s, &mut vt).unwrap_err().class(), Class::Usage);
}

#[test]
fn scratch_grows_with_the_matrix() {
    assert_eq!(product_scratch_bytes(DType::I32), 0);
    assert!(product_scratch_bytes(DType::F64) <= 4 << 20);
    let copy = 1000 * 100 * 8;
    assert!((copy..8 * copy + (8 << 20)).contains(&qr_scratch_bytes(1000, 100, DType::F64)));
    assert!((copy..8 * copy + (8 << 20)).contains(&svd_scratch_bytes(1000, 100, DType::F64)));
}
