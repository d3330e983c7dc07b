//! What a session says that it needs does. Alone in its process, whose memory counts.

use aosx::{error::Problem, prelude::*};

fn needed(error: &Error) -> Bytes {
    match error.problem() {
        Problem::BudgetTooSmall { need, .. } => *need,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_a_session_asks_for_suffices() {
    let array = LazyArray::ones(&[2000, 2000], &[500, 1000], DType::F64).unwrap() * 2.0;
    let run = |memory: Bytes| Session::new().memory(memory).threads(2).compute(&array).map(drop);
    let mut refused = 0;
    for mebibytes in [1, 20, 30, 40, 50] {
        let Err(mut error) = run(Bytes(mebibytes << 20)) else { continue };
        refused += 1;
        if error.to_string().contains("the program itself") {
            // Nothing is known of the plan then.
            let Err(next) = run(needed(&error)) else { continue };
            error = next;
        }
        run(needed(&error)).unwrap();
    }
    assert!(refused > 2);
}
