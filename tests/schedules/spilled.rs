//! What is cut anew: slabs are put and chunks are read by several threads.

use super::check;
use aosx::{
    attrs::Attrs,
    block::Block,
    budget::Budget,
    codec::{Scratch, ScratchSize},
    dtype::DType,
    error::Result,
    source::{Source, StoredType, VarMeta},
    spill::{Keep, SpillCodec, SpillFolder, Spilled},
    sync::{Arc, Mutex, thread},
    units::Bytes,
};

const SCHEDULES: usize = 200;
const SHAPE: [u64; 2] = [6, 4];

fn spilled(keep: Keep) -> Spilled {
    let meta = VarMeta {
        path: "t".into(),
        stored: StoredType::native(DType::F32),
        shape: SHAPE[..].into(),
        dims: vec!["y".into(), "x".into()],
        dims_named: true,
        attrs: Attrs::new(),
        fill: None,
        storage: Default::default(),
    };
    Spilled::new(0, meta, vec![2, 4].into(), vec![3, 2].into(), keep).unwrap()
}

fn scratch(size: ScratchSize, budget: &Budget) -> Scratch {
    Scratch::new(size, budget.lease(size.bytes(), "a test").unwrap())
}

/// Rows of numbers that tell where they belong.
fn slab(n: u64) -> Vec<f32> {
    (8 * n..8 * (n + 1)).map(|k| k as f32).collect()
}

/// Two threads put slabs, each the next that nobody has.
fn put_all(spilled: &Spilled, budget: &Budget) -> Result<()> {
    let next = Mutex::new(0);
    let outcomes = Mutex::new(Vec::new());
    let write = || {
        let mut scratch = scratch(spilled.put_scratch(), budget);
        let bytes = spilled.cut_bytes();
        let mut cut = Block::new(bytes, budget.lease(bytes as u64, "a test").unwrap());
        loop {
            let n = {
                let mut next = next.lock().unwrap();
                *next += 1;
                *next - 1
            };
            if n >= spilled.slabs().chunks() {
                return;
            }
            let put =
                spilled.put(&spilled.slabs().index(n), bytemuck::cast_slice(&slab(n)), cut.bytes_mut(), &mut scratch);
            outcomes.lock().unwrap().push(put);
        }
    };
    thread::scope(|scope| {
        scope.spawn(write);
        write();
    });
    outcomes.into_inner().unwrap().into_iter().collect()
}

fn read_all(spilled: &Spilled, budget: &Budget) {
    let read = |from: u64| {
        let mut scratch = scratch(spilled.scratch(), budget);
        let bytes = spilled.chunk_bytes();
        let mut out = Block::new(bytes, budget.lease(bytes as u64, "a test").unwrap());
        // Each chunk by both, in different orders.
        for k in 0..4 {
            let index = spilled.grid().index((from + k) % 4);
            spilled.read(&index, &mut scratch, out.bytes_mut()).unwrap();
            let region = spilled.grid().region(&index);
            let at = |r: u64, c: u64| ((region.start[0] + r) * SHAPE[1] + region.start[1] + c) as f32;
            let want: Vec<f32> = (0..3).flat_map(|r| (0..2).map(move |c| (r, c))).map(|(r, c)| at(r, c)).collect();
            assert_eq!(bytemuck::cast_slice::<u8, f32>(out.bytes()), want);
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| read(2));
        read(0);
    });
}

#[test]
fn slabs_from_two_threads_are_read_by_two() {
    // Some frames fit the idle memory.
    for (keep, idle) in [(Keep::Memory, 0), (Keep::Disk, 0), (Keep::Disk, 600)] {
        check(SCHEDULES, move || {
            let budget = Budget::new(Bytes(1 << 30));
            let folder = Arc::new(SpillFolder::new(std::env::temp_dir(), SpillCodec::Lz4, None));
            let spilled = spilled(keep);
            spilled.open(&folder, &budget, idle).unwrap();
            assert!(budget.held() > Bytes(0) && budget.held() <= Bytes(spilled.memory() + idle));
            put_all(&spilled, &budget).unwrap();
            read_all(&spilled, &budget);
            spilled.clear();
            assert_eq!((budget.held(), folder.used()), (Bytes(0), Bytes(0)));
        });
    }
}

#[test]
fn a_full_folder_is_an_error_and_nothing_stays() {
    check(SCHEDULES, || {
        let budget = Budget::new(Bytes(1 << 30));
        // Room for some of the frames.
        let folder = Arc::new(SpillFolder::new(std::env::temp_dir(), SpillCodec::None, Some(Bytes(60))));
        let spilled = spilled(Keep::Disk);
        spilled.open(&folder, &budget, 0).unwrap();
        assert!(put_all(&spilled, &budget).is_err());
        spilled.clear();
        assert_eq!((budget.held(), folder.used()), (Bytes(0), Bytes(0)));
    });
}
