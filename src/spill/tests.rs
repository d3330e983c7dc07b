use super::*;
use crate::{attrs::Attrs, dtype::DType, source::StoredType};
use proptest::prelude::*;
use std::os::unix::fs::FileExt;

fn meta(shape: &[u64]) -> VarMeta {
    VarMeta {
        path: "t".into(),
        stored: StoredType::native(DType::F32),
        shape: shape.into(),
        dims: (0..shape.len()).map(|k| format!("d{k}")).collect(),
        dims_named: true,
        attrs: Attrs::new(),
        fill: None,
        storage: Default::default(),
    }
}

fn folder(codec: SpillCodec, limit: Option<Bytes>) -> Arc<SpillFolder> {
    Arc::new(SpillFolder::new(std::env::temp_dir(), codec, limit))
}

/// The numbers of the elements of a region, as values.
fn values(shape: &Shape, region: &Region) -> Vec<f32> {
    let strides = shape.strides();
    let inner = Grid::new(region.shape.clone(), region.shape.iter().map(|_| 1).collect()).unwrap();
    let at = |n| inner.index(n).iter().zip(&region.start).zip(&strides).map(|((i, s), d)| (i + s) * d).sum::<u64>();
    (0..inner.chunks()).map(|n| at(n) as f32).collect()
}

fn scratch(size: ScratchSize) -> Scratch {
    Scratch::new(size, Budget::new(Bytes(u64::MAX)).lease(size.bytes(), "test").unwrap())
}

fn fill(spilled: &Spilled, folder: &Arc<SpillFolder>, budget: &Budget) -> Result<()> {
    fill_beside(spilled, folder, budget, 0)
}

fn fill_beside(spilled: &Spilled, folder: &Arc<SpillFolder>, budget: &Budget, idle: u64) -> Result<()> {
    spilled.open(folder, budget, idle)?;
    let mut scratch = scratch(spilled.put_scratch());
    let mut cut = vec![0; spilled.cut_bytes()];
    for n in 0..spilled.slabs().chunks() {
        let slab = spilled.slabs().index(n);
        let data = values(&spilled.meta.shape, &spilled.slabs().region(&slab));
        spilled.put(&slab, bytemuck::cast_slice(&data), &mut cut, &mut scratch)?;
    }
    Ok(())
}

fn read(spilled: &Spilled, index: &ChunkIndex) -> Result<Vec<f32>> {
    let mut block = Block::new(spilled.chunk_bytes(), Budget::new(Bytes(u64::MAX)).lease(1 << 30, "test").unwrap());
    spilled.read(index, &mut scratch(spilled.scratch()), block.bytes_mut())?;
    let region = spilled.grid().region(index);
    let mut clipped = vec![0f32; region.shape.elements().unwrap() as usize];
    let start = vec![0; region.start.len()];
    let out = bytemuck::cast_slice_mut(&mut clipped);
    extract(block.bytes(), spilled.grid().chunk(), &start, out, &region.shape, 4);
    Ok(clipped)
}

fn axis() -> impl Strategy<Value = (u64, u64, u64)> {
    (1u64..12).prop_flat_map(|n| (Just(n), 1..=n, 1..=n))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_read_is_what_was_written(
        axes in prop::collection::vec(axis(), 0..4),
        disk: bool,
        idle in prop::sample::select(vec![0, 300, 2000, 1 << 20]),
        codec in prop::sample::select(vec![SpillCodec::Lz4, SpillCodec::Zstd(1), SpillCodec::None]),
    ) {
        let of = |f: fn(&(u64, u64, u64)) -> u64| axes.iter().map(f).collect::<Shape>();
        let keep = if disk { Keep::Disk } else { Keep::Memory };
        let shape = of(|a| a.0);
        let spilled = Spilled::new(0, meta(&shape), of(|a| a.1), of(|a| a.2), keep).unwrap();
        let (folder, budget) = (folder(codec, None), Budget::new(Bytes(1 << 30)));
        fill_beside(&spilled, &folder, &budget, idle).unwrap();
        prop_assert!(budget.held().0 <= spilled.memory() + idle);
        for n in 0..spilled.grid().chunks() {
            let index = spilled.grid().index(n);
            prop_assert_eq!(read(&spilled, &index).unwrap(), values(&shape, &spilled.grid().region(&index)));
        }
        if let Some(Held::Disk { frames, .. }) = lock(&spilled.held).as_deref() {
            let frames: Vec<Frame> = frames.iter().flat_map(|f| lock(f).clone()).collect();
            prop_assert!(frames.len() as u64 <= spilled.frames());
            let in_file = frames.iter().filter(|f| matches!(f.place, Place::File { .. }));
            prop_assert_eq!(folder.used().0, in_file.map(|f| u64::from(f.bytes)).sum::<u64>());
        }
        spilled.clear();
        prop_assert_eq!((folder.used(), budget.held()), (Bytes(0), Bytes(0)));
    }
}

#[test]
fn a_changed_byte_is_an_error_and_no_value() {
    for codec in [SpillCodec::Lz4, SpillCodec::Zstd(1), SpillCodec::None] {
        let spilled = Spilled::new(0, meta(&[40, 30]), vec![1, 30].into(), vec![40, 6].into(), Keep::Disk).unwrap();
        fill(&spilled, &folder(codec, None), &Budget::new(Bytes(1 << 20))).unwrap();
        let index = ChunkIndex(vec![0, 2]);
        read(&spilled, &index).unwrap();
        if let Some(Held::Disk { file, frames, .. }) = lock(&spilled.held).as_deref() {
            let frame = lock(&frames[2])[7].clone();
            let Place::File { offset, .. } = frame.place else { panic!("no memory was idle") };
            let mut byte = [0];
            let at = offset + u64::from(frame.bytes) / 2;
            file.file().read_exact_at(&mut byte, at).unwrap();
            file.file().write_all_at(&[byte[0] ^ 0x10], at).unwrap();
        }
        let text = read(&spilled, &index).unwrap_err().to_string();
        assert!(text.starts_with("a frame of the spill file is corrupt: "), "{text}");
        read(&spilled, &ChunkIndex(vec![0, 3])).unwrap();
    }
}

#[test]
fn frames_go_to_idle_memory_first() {
    let spilled = Spilled::new(0, meta(&[100, 100]), vec![1, 100].into(), vec![100, 100].into(), Keep::Disk).unwrap();
    let (folder, budget) = (folder(SpillCodec::None, None), Budget::new(Bytes(1 << 20)));
    // Each frame has 400 bytes and costs some more.
    fill_beside(&spilled, &folder, &budget, 10 * (400 + MEMORY_FRAME_BYTES) + 100).unwrap();
    assert_eq!(folder.used(), Bytes(90 * 400));
    let index = ChunkIndex(vec![0, 0]);
    assert_eq!(read(&spilled, &index).unwrap(), values(&spilled.meta.shape, &spilled.grid().region(&index)));
    spilled.clear();
    assert_eq!((folder.used(), budget.held()), (Bytes(0), Bytes(0)));
}

#[test]
fn a_limit_that_is_reached_says_which() {
    let spilled = Spilled::new(0, meta(&[100, 100]), vec![1, 100].into(), vec![100, 1].into(), Keep::Disk).unwrap();
    let error = fill(&spilled, &folder(SpillCodec::None, Some(Bytes(1000))), &Budget::new(Bytes(1 << 20))).unwrap_err();
    assert!(error.to_string().contains("more than --spill-limit 1000"), "{error}");
}

#[test]
fn a_folder_that_is_not_there_is_an_error() {
    let gone = Arc::new(SpillFolder::new("/nonexistent/folder", SpillCodec::Lz4, None));
    let spilled = Spilled::new(0, meta(&[4]), vec![1].into(), vec![4].into(), Keep::Disk).unwrap();
    let text = spilled.open(&gone, &Budget::new(Bytes(1 << 20)), 0).unwrap_err().to_string();
    assert!(text.contains("/nonexistent/folder") && text.contains("--spill-dir"), "{text}");
}

#[test]
fn what_does_not_shrink_is_kept_as_it_is() {
    let spilled = Spilled::new(0, meta(&[64]), vec![64].into(), vec![64].into(), Keep::Disk).unwrap();
    let (folder, budget) = (folder(SpillCodec::Lz4, None), Budget::new(Bytes(1 << 20)));
    spilled.open(&folder, &budget, 0).unwrap();
    let mut state = 1u64;
    let noise: Vec<u8> = (0..256)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        })
        .collect();
    let mut block = Block::new(256, budget.lease(256, "test").unwrap());
    block.bytes_mut().copy_from_slice(&noise);
    let mut scratch = scratch(spilled.scratch());
    spilled.put(&ChunkIndex(vec![0]), block.bytes(), &mut [], &mut scratch).unwrap();
    assert_eq!(folder.used(), Bytes(256), "the elements, as they are");
    let mut out = Block::new(256, budget.lease(256, "test").unwrap());
    spilled.read(&ChunkIndex(vec![0]), &mut scratch, out.bytes_mut()).unwrap();
    assert_eq!(out.bytes(), noise);
}
