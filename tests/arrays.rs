//! Lazy arrays against values worked out by hand, and laws: any blocks, threads and memory give the same bits.

use aosx::prelude::*;

fn session() -> Session {
    Session::new().memory("512MiB".parse().unwrap()).threads(2)
}

#[test]
fn the_five_pictures_of_the_talk() {
    let x = LazyArray::ones(&[15, 15], &[5, 5], DType::F64).unwrap();
    let of = |a: &LazyArray| session().compute(a).unwrap().to_vec::<f64>().unwrap();
    assert_eq!(of(&x.sum(&[1]).unwrap()), [15.0; 15]);
    assert_eq!(of(&(&x + x.transpose())), [2.0; 225]);
    let product = x.matmul(&(x.transpose() + 1.0)).unwrap();
    assert_eq!(of(&product), [30.0; 225]);
    let less = &product - x.mean(&[0]).unwrap();
    assert_eq!(of(&less), [29.0; 225]);
    assert_eq!(of(&less.std(&[0, 1], 0.0).unwrap()), [0.0]);
}

#[test]
fn numbers_that_differ() {
    let x = LazyArray::arange(0, 60, 1, &[7]).unwrap().reshape(&[3, 4, 5]).unwrap().rechunk(&[2, 3, 4]).unwrap();
    let of = |a: &LazyArray| session().compute(a).unwrap().to_vec::<i64>().unwrap();
    assert_eq!(of(&x), (0..60).collect::<Vec<_>>());
    let t = x.transpose();
    let want: Vec<i64> = (0..60).map(|n| (n % 3) * 20 + (n / 3 % 4) * 5 + n / 12).collect();
    assert_eq!(of(&t), want);
    let s = x.get(&[Index::stepped(.., -2), Index::At(1), Index::stepped(1.., 2)]).unwrap();
    assert_eq!(of(&s), [46, 48, 6, 8]);
    let m = &x - x.max(&[0]).unwrap();
    assert_eq!(of(&m), (0..60).map(|n| n / 20 * 20 - 40).collect::<Vec<i64>>());
    let r = x.roll(&[1], &[2]).unwrap();
    assert_eq!(of(&r)[..6], [4, 0, 1, 2, 3, 9]);
    let p = LazyArray::arange(0, 3, 1, &[2]).unwrap().pad(&[(2, 1)], Boundary::Reflect).unwrap();
    assert_eq!(of(&p), [2, 1, 0, 1, 2, 1]);
    assert_eq!(of(&x.sum(&[0, 2]).unwrap()), [330, 405, 480, 555]);
}

#[test]
fn arrays_are_tasks_and_tasks_are_arrays() {
    let session = session();
    let mut graph = Graph::new();
    let x = LazyArray::arange(0, 1000, 1, &[64]).unwrap();
    let mean = session.array_task(&mut graph, "mean", &x.mean(&[0]).unwrap()).unwrap();
    let all = session.array_task(&mut graph, "all", &(&x * 2)).unwrap();
    let above = graph.task("above", (&mean, &all), |(mean, all)| {
        let mean = mean.item::<f64>()?;
        let kept: Vec<i64> = all.to_vec::<i64>()?.into_iter().filter(|&n| n as f64 > mean).collect();
        LazyArray::from_slice(&kept, &[kept.len() as u64], Chunks::Auto)
    });
    let above = session.run(&graph, &above).unwrap();
    assert_eq!(above.shape().0, [750]);
    assert_eq!(session.compute(&above.min(&[0]).unwrap()).unwrap().item::<i64>().unwrap(), 500);
}
