use super::{
    Outcome, Run,
    eval::Evaluator,
    lock, of_source,
    pieces::{Finished, is_written},
};
use crate::{
    block::Block,
    codec::Scratch,
    error::{Error, Result},
    kernels::{
        cast::{cast, to_native},
        strided::{copy_part, copy_shared},
    },
    plan::{Input, Map, Output, Runs},
    shape::{ChunkIndex, Region},
    source::Source,
    sync::Mutex,
};

/// Computes arrays tile by tile, or copies a variable as it is stored, and writes it piece by piece.
pub fn run(map: &Map, run: &Run<'_>) -> Result<()> {
    let runs = map.runs(run.crew.workers);
    let job = Job { map, run, runs, next: Mutex::new(0), outcome: Outcome::new(&run.executor.stop) };
    run.crew.run(|| job.work());
    job.outcome.result()
}

struct Job<'a> {
    map: &'a Map,
    run: &'a Run<'a>,
    runs: Runs<'a>,
    /// The run of tiles that nobody has taken yet.
    next: Mutex<u64>,
    outcome: Outcome<'a>,
}

/// What one worker holds from beginning to end.
struct Worker<'a> {
    scratch: Scratch,
    evaluator: Option<Evaluator<'a>>,
    /// Chunks as stored.
    chunks: Block,
    /// A block of values, then the tile of each array that is made of them, a tile as it is stored, and one piece of it.
    block: Block,
    tiles: Vec<Block>,
    converted: Block,
    cut: Block,
}

impl<'a> Job<'a> {
    fn work(&self) {
        let outcome = (|| {
            let mut worker = self.worker()?;
            while let Some(run) = self.next()? {
                self.runs.run(run).try_for_each(|tile| self.step(&tile, &mut worker))?;
            }
            Ok(())
        })();
        if let Err(error) = outcome {
            self.outcome.fail(error);
        }
    }

    fn worker(&self) -> Result<Worker<'a>> {
        let need = &self.run.crew.need;
        let batch = self.run.crew.batch as u64;
        let mut lease = self.run.executor.budget.lease(need.per_worker(batch), "a worker")?;
        let scratch = need.scratch(batch);
        let scratch = Scratch::new(scratch, lease.split(scratch.bytes()));
        let evaluator = self.run.evaluator(&self.map.input, &self.map.region(), &mut lease);
        let mut of = |bytes: u64| Block::new(bytes as usize, lease.split(bytes));
        let chunks = of(need.chunk * batch);
        let buffers = self.map.buffers()?;
        let [block, converted, cut] = [buffers.block, buffers.converted, buffers.cut].map(&mut of);
        let tiles = buffers.tiles.into_iter().map(of).collect();
        Ok(Worker { scratch, evaluator, chunks, block, tiles, converted, cut })
    }

    fn next(&self) -> Result<Option<u64>> {
        self.outcome.check()?;
        let mut next = lock(&self.next);
        if *next >= self.runs.count() {
            return Ok(None);
        }
        *next += 1;
        Ok(Some(*next - 1))
    }

    fn step(&self, tile: &ChunkIndex, worker: &mut Worker<'a>) -> Result<()> {
        let region = self.map.tiles.region(tile);
        let is_there = |o: &Output| is_written(&o.destination, &o.pieces, &region, self.run.sink);
        let wanted: Vec<usize> = (0..self.map.outputs.len()).filter(|&k| !is_there(&self.map.outputs[k])).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let mut blocks = self.map.input.grid().overlapping(&region);
        match &self.map.input {
            Input::Stored(source) => loop {
                let chunks: Vec<ChunkIndex> = blocks.by_ref().take(self.run.crew.batch).collect();
                if chunks.is_empty() {
                    break;
                }
                self.outcome.check()?;
                self.copy(source.as_ref(), &chunks, &region, worker)?;
            },
            Input::Computed(computed) => {
                for block in blocks {
                    self.outcome.check()?;
                    let Some(shared) = computed.grid.region(&block).intersect(&region) else { continue };
                    for &root in &wanted {
                        self.compute(root, &shared, &region, worker)?;
                    }
                }
            }
        }
        wanted.into_iter().try_for_each(|root| self.write(root, &region, worker))
    }

    /// Computes what a block and a tile share of one array.
    fn compute(&self, root: usize, shared: &Region, tile: &Region, worker: &mut Worker<'a>) -> Result<()> {
        let Worker { scratch, evaluator: Some(evaluator), block, tiles, .. } = worker else { return Ok(()) };
        let out = tiles[root].bytes_mut();
        if shared == tile {
            return evaluator.evaluate(root, tile, out, scratch);
        }
        evaluator.evaluate(root, shared, block.bytes_mut(), scratch)?;
        copy_shared(block.bytes(), shared, out, tile, self.map.outputs[root].dtype.size());
        Ok(())
    }

    /// Writes a tile of one array.
    fn write(&self, root: usize, region: &Region, worker: &mut Worker<'a>) -> Result<()> {
        let Output { destination, pieces, dtype, stored, .. } = &self.map.outputs[root];
        let Worker { scratch, tiles, converted, cut, .. } = worker;
        let mut data = &tiles[root].bytes()[..region.shape.bytes(dtype.size())?];
        if stored != dtype {
            let out = &mut converted.bytes_mut()[..region.shape.bytes(stored.size())?];
            cast(data, *dtype, out, *stored);
            data = out;
        }
        let finished = Finished { destination, pieces, region, data, element: stored.size() };
        finished.write(self.run, cut.bytes_mut(), scratch)
    }

    /// Puts what chunks and a tile share where it belongs, in native byte order.
    fn copy(&self, source: &dyn Source, chunks: &[ChunkIndex], tile: &Region, worker: &mut Worker<'a>) -> Result<()> {
        let meta = source.meta();
        let element = meta
            .stored
            .element_bytes()
            .ok_or_else(|| Error::unsupported(format!("copying {}", meta.stored)).in_variable(&meta.path))?;
        let (layout, whole, bytes) = (source.layout(), source.grid().chunk(), source.chunk_bytes());
        let is_native = layout.is_native(element);
        let Worker { scratch, tiles, chunks: raw, block, .. } = worker;
        let tile_bytes = tiles[0].bytes_mut();
        // A chunk that is one run of the tile is read where it belongs; those runs lie in the order of the chunks.
        let regions: Vec<Region> = chunks.iter().map(|chunk| source.grid().region(chunk)).collect();
        let run = |from: &Region| from.run_in(tile).filter(|_| is_native && from.shape == *whole);
        let (mut rest, mut at) = (&mut *tile_bytes, 0);
        let mut raws = raw.bytes_mut().chunks_exact_mut(bytes.max(1));
        let mut outs = Vec::with_capacity(chunks.len());
        for from in &regions {
            let out = match run(from) {
                Some(first) => {
                    let first = first as usize * element;
                    let (here, after) = std::mem::take(&mut rest)[first - at..].split_at_mut(bytes);
                    (rest, at) = (after, first + bytes);
                    here
                }
                None => raws.next().unwrap_or_default(),
            };
            outs.push(out);
        }
        let read = source.read_together(false, chunks, scratch, &mut outs);
        read.map_err(|e| of_source(source, e))?;
        let apart = regions.iter().filter(|from| run(from).is_none());
        for (from, raw) in apart.zip(raw.bytes().chunks_exact(bytes.max(1))) {
            if is_native {
                let whole = Region { start: from.start.clone(), shape: whole.clone() };
                // What is behind a chunk that is cut short is not of the array.
                copy_part(raw, &whole, from, tile_bytes, tile, element);
            } else {
                let native = &mut block.bytes_mut()[..from.shape.bytes(element)?];
                to_native(raw, layout.order, &layout.axes, whole, &from.shape, element, native);
                copy_shared(native, from, tile_bytes, tile, element);
            }
        }
        if !source.is_spilled() {
            self.run.executor.tell(source, chunks.len());
        }
        Ok(())
    }
}
