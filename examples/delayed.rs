//! Graphs by hand, dask.delayed's part: `cargo run --release --example delayed`
//!
//! Branches are decided while the graph is built; then a reduction over all. The same again with futures.

use aosx::prelude::*;

fn f(a: f64, b: f64) -> f64 {
    a + b
}

fn g(a: f64, b: f64) -> f64 {
    a * b
}

fn main() -> Result<()> {
    let pairs = [(1.0, 2.0), (4.0, 3.0), (2.0, 5.0), (6.0, 6.0)];
    let session = Session::new();

    // Nothing runs here. Memory is declared where a task takes much of it: the limit holds for all together.
    let mut graph = Graph::new();
    let mut parts = Vec::new();
    for (a, b) in pairs {
        let (x, y) = (graph.value("a", a), graph.value("b", b));
        parts.push(match a < b {
            true => graph.task(named("f").memory(Bytes(1 << 20)).retries(2), (&x, &y), |(a, b)| Ok(f(*a, *b))),
            false => graph.task("g", (&x, &y), |(a, b)| Ok(g(*a, *b))),
        });
    }
    let h = graph.task("h", &parts, |parts| Ok(parts.iter().sum::<f64>()));
    let h = session.run(&graph, &h)?;
    println!("h = {h}");
    assert_eq!(*h, 58.0);

    // Futures begin at once, and come back as they end.
    let client = session.client()?;
    let sums = pairs.map(|(a, b)| client.submit("f", (), move |()| Ok(f(a, b))));
    let total: f64 = as_completed(sums).map(|sum| sum.result().map(|x| *x)).sum::<Result<f64>>()?;
    println!("total = {total}");
    Ok(())
}
