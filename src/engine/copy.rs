use super::{Crew, Executor, Outcome, lock, read};
use crate::{
    block::Block,
    codec::Scratch,
    error::{Error, Result},
    events::Event,
    kernels::cast::{place, to_native},
    plan::Copy,
    shape::{ChunkIndex, Region},
    source::Sink,
    units::Bytes,
};
use std::sync::Mutex;

/// Writes one variable as it is stored, piece by piece of the sink.
pub fn run(copy: &Copy, executor: &Executor, sink: &dyn Sink, crew: Crew) -> Result<()> {
    let job = Job { copy, executor, sink, crew, next: Mutex::new(0), outcome: Outcome::new(&executor.stop) };
    crew.run(|| job.work());
    job.outcome.result()
}

struct Job<'a> {
    copy: &'a Copy,
    executor: &'a Executor,
    sink: &'a dyn Sink,
    crew: Crew,
    next: Mutex<u64>,
    outcome: Outcome<'a>,
}

/// What one worker holds from beginning to end.
struct Worker {
    scratch: Scratch,
    /// The chunk as stored.
    chunk: Block,
    /// The chunk in native order, then the piece.
    native: Block,
    piece: Block,
}

impl Job<'_> {
    fn work(&self) {
        let outcome = (|| {
            let mut worker = self.worker()?;
            while let Some(piece) = self.next()? {
                self.step(&piece, &mut worker)?;
            }
            Ok(())
        })();
        if let Err(error) = outcome {
            self.outcome.fail(error);
        }
    }

    fn worker(&self) -> Result<Worker> {
        let need = &self.crew.need;
        let mut lease = self.executor.budget.lease(need.per_worker(1), "a worker")?;
        let scratch = Scratch::new(need.worker, lease.split(need.worker.bytes()));
        let chunk = Block::new(need.chunk as usize, lease.split(need.chunk));
        let native = Block::new(need.chunk as usize, lease.split(need.chunk));
        let piece = lease.bytes() as usize;
        Ok(Worker { scratch, chunk, native, piece: Block::new(piece, lease) })
    }

    fn next(&self) -> Result<Option<ChunkIndex>> {
        self.outcome.check()?;
        let mut next = lock(&self.next);
        if *next >= self.copy.pieces.chunks() {
            return Ok(None);
        }
        *next += 1;
        Ok(Some(self.copy.pieces.index(*next - 1)))
    }

    fn step(&self, piece: &ChunkIndex, worker: &mut Worker) -> Result<()> {
        let source = self.copy.source.as_ref();
        let meta = source.meta();
        let element = meta
            .stored
            .element_bytes()
            .ok_or_else(|| Error::unsupported(format!("copying {}", meta.stored)).in_variable(&meta.path))?;
        let region = self.copy.pieces.region(piece);
        let bytes = region.shape.bytes(element)?;
        for chunk in source.grid().overlapping(&region) {
            read(source, &chunk, &mut worker.scratch, worker.chunk.bytes_mut())?;
            let from = source.grid().region(&chunk);
            let native = &mut worker.native.bytes_mut()[..from.shape.bytes(element)?];
            let layout = source.layout();
            to_native(
                worker.chunk.bytes(),
                layout.order,
                &layout.axes,
                source.grid().chunk(),
                &from.shape,
                element,
                native,
            );
            self.place(native, &from, &mut worker.piece.bytes_mut()[..bytes], &region, element)?;
            self.executor.observer.on(&Event::Chunk {
                stored: Bytes(source.stored_bytes() / source.grid().chunks().max(1)),
                decoded: Bytes(worker.chunk.bytes().len() as u64),
                held: self.executor.budget.held(),
            });
        }
        self.sink.write(&self.copy.variable, piece, &worker.piece.bytes()[..bytes], &mut worker.scratch)
    }

    /// Puts what a chunk and a piece share where it belongs.
    fn place(&self, native: &[u8], from: &Region, piece: &mut [u8], region: &Region, element: usize) -> Result<()> {
        let Some(shared) = from.intersect(region) else { return Ok(()) };
        if shared == *from {
            let at = offset(&shared, region);
            place(native, &from.shape, piece, &region.shape, &at, element);
            return Ok(());
        }
        // Only where the grids differ: cut row by row of the last axis.
        let rows = crate::grid::Grid::new(shared.shape.clone(), last_axis(&shared))?;
        for n in 0..rows.chunks() {
            let row = rows.region(&rows.index(n));
            let row =
                Region { start: row.start.iter().zip(&shared.start).map(|(a, b)| a + b).collect(), shape: row.shape };
            let (src, dst) = (linear(&row, from), linear(&row, region));
            let n = row.shape.bytes(element)?;
            piece[dst * element..dst * element + n].copy_from_slice(&native[src * element..src * element + n]);
        }
        Ok(())
    }
}

fn offset(inner: &Region, outer: &Region) -> Vec<u64> {
    inner.start.iter().zip(&outer.start).map(|(a, b)| a - b).collect()
}

fn linear(inner: &Region, outer: &Region) -> usize {
    offset(inner, outer).iter().zip(outer.shape.strides()).map(|(at, stride)| at * stride).sum::<u64>() as usize
}

fn last_axis(region: &Region) -> crate::shape::Shape {
    let rank = region.shape.len();
    (0..rank).map(|k| if k + 1 == rank { region.shape[k].max(1) } else { 1 }).collect()
}
