//! [`Layout`]: how outputs are stored where that is not to follow the inputs.

use crate::{
    dtype::DType,
    error::{Error, Problem, Result, closest},
    shape::Shape,
    source::{CodecMeta, Storage},
};

/// How long chunks are along a dimension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChunkLength {
    /// As long as the dimension.
    All,
    /// So long, or as long as the dimension where that is shorter.
    Of(u64),
}

/// An integer type that values are packed into.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Packed {
    /// The type.
    pub stored: DType,
    /// `scale_factor` and `add_offset`; `None` takes those of the input, or where it is not packed such as its values
    /// need.
    pub by: Option<(f64, f64)>,
}

/// What becomes of values on their way into the file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Pipeline {
    /// How many bits of a float's mantissa stay.
    pub keep_bits: Option<u32>,
    /// Whether values are packed.
    pub pack: Option<Packed>,
    /// The filters; an empty list compresses nothing.
    pub codecs: Option<Vec<CodecMeta>>,
}

/// How outputs are to be stored, where that is not to follow the inputs.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Layout {
    /// The length of chunks along dimensions by name.
    pub chunks: Vec<(String, ChunkLength)>,
    /// The length of shards: whole multiples of the chunks'. Where a dimension is not named, that of the chunks.
    pub shards: Vec<(String, ChunkLength)>,
    /// Of every variable without one of its own.
    pub pipeline: Pipeline,
    /// Of variables by path.
    pub own: Vec<(String, Pipeline)>,
    /// The type that results are stored in.
    pub dtype: Option<DType>,
}

impl Layout {
    /// The pipeline that a variable has of its own, by its path.
    pub fn own_of(&self, variable: &str) -> Option<&Pipeline> {
        self.own.iter().find(|(name, _)| name.trim_start_matches('/') == variable).map(|(_, p)| p)
    }

    /// The pipeline of a variable.
    pub fn pipeline_of(&self, variable: &str) -> &Pipeline {
        self.own_of(variable).unwrap_or(&self.pipeline)
    }

    /// Whether values are rounded, packed or cast.
    pub fn changes_values(&self) -> bool {
        let changes = |p: &Pipeline| p.keep_bits.is_some() || p.pack.is_some();
        self.dtype.is_some() || changes(&self.pipeline) || self.own.iter().any(|(_, p)| changes(p))
    }

    /// Whether every dimension with a length asked for is one of `known`.
    ///
    /// # Errors
    /// When one is not.
    pub fn check_dimensions(&self, known: impl Iterator<Item = String>) -> Result<()> {
        let mut known: Vec<String> = known.collect();
        known.sort_unstable();
        known.dedup();
        match self.chunks.iter().chain(&self.shards).find(|(name, _)| !known.contains(name)) {
            Some((name, _)) => {
                let known = closest(name, known.iter().map(String::as_str));
                Err(Problem::NoSuchDimension { name: name.clone(), known }.into())
            }
            None => Ok(()),
        }
    }

    /// Whether every variable with a pipeline of its own is one of `known`.
    ///
    /// # Errors
    /// When one is not.
    pub fn check_variables<'a>(&self, known: impl Iterator<Item = &'a str>) -> Result<()> {
        let known: Vec<&str> = known.collect();
        match self.own.iter().find(|(name, _)| !known.contains(&name.trim_start_matches('/'))) {
            Some((name, _)) => {
                let known = closest(name, known.into_iter());
                Err(Problem::NoSuchVariable { name: name.clone(), known }.into())
            }
            None => Ok(()),
        }
    }

    /// Changes how a result is stored by itself to what is asked for.
    ///
    /// # Errors
    /// When shards are no whole multiples of chunks.
    pub fn change(&self, variable: &str, storage: &mut Storage, dims: &[String], shape: &Shape) -> Result<()> {
        if shape.is_empty() {
            return Ok(());
        }
        self.compress(variable, storage);
        let Some(chunk) = &mut storage.chunk else { return Ok(()) };
        for (k, dim) in dims.iter().enumerate() {
            if let Some(length) = length(&self.chunks, dim) {
                storage.kind = "chunked";
                chunk.0[k] = match length {
                    ChunkLength::All => shape[k].max(1),
                    ChunkLength::Of(n) => n.min(shape[k].max(1)),
                };
            }
        }
        if dims.iter().any(|dim| length(&self.shards, dim).is_some()) {
            storage.kind = "chunked";
            storage.shard = Some(self.shard(chunk, dims, shape)?);
        } else if storage.shard.as_ref().is_some_and(|s| s.iter().zip(chunk.iter()).any(|(s, c)| s % c != 0)) {
            storage.shard = None;
        }
        Ok(())
    }

    /// Changes the filters to those asked for.
    pub fn compress(&self, variable: &str, storage: &mut Storage) {
        if let Some(codecs) = &self.pipeline_of(variable).codecs {
            storage.codecs.clone_from(codecs);
            if !codecs.is_empty() {
                storage.kind = "chunked";
            } else if self.chunks.is_empty() && self.shards.is_empty() {
                storage.kind = "contiguous";
            }
        }
    }

    fn shard(&self, chunk: &Shape, dims: &[String], shape: &Shape) -> Result<Shape> {
        let one = |k: usize| -> Result<u64> {
            let (dim, chunk) = (&dims[k], chunk[k]);
            let whole = shape[k].max(1).next_multiple_of(chunk);
            match length(&self.shards, dim) {
                None => Ok(chunk),
                Some(ChunkLength::All) => Ok(whole),
                Some(ChunkLength::Of(n)) if n.is_multiple_of(chunk) => Ok(n.min(whole)),
                Some(ChunkLength::Of(n)) => Err(Error::usage(format!(
                    "a shard of {n} along '{dim}' is no whole number of chunks of {chunk}; give a multiple, as --shards {dim}={}",
                    n.next_multiple_of(chunk)
                ))),
            }
        };
        (0..dims.len()).map(one).collect()
    }
}

fn length(lengths: &[(String, ChunkLength)], dim: &str) -> Option<ChunkLength> {
    lengths.iter().find(|(name, _)| name == dim).map(|(_, length)| *length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_whole_chunks() {
        let dims = ["time".to_string(), "lat".to_string()];
        let of = |chunks: &[(&str, u64)], shards: &[(&str, ChunkLength)]| {
            let layout = Layout {
                chunks: chunks.iter().map(|(d, n)| (d.to_string(), ChunkLength::Of(*n))).collect(),
                shards: shards.iter().map(|(d, n)| (d.to_string(), *n)).collect(),
                ..Layout::default()
            };
            let mut storage = Storage { chunk: Some(vec![1, 4].into()), ..Storage::default() };
            layout.change("t", &mut storage, &dims, &vec![100, 7].into()).map(|()| storage.shard)
        };
        assert_eq!(of(&[("time", 7)], &[("time", ChunkLength::Of(70))]).unwrap(), Some(vec![70, 4].into()));
        assert_eq!(of(&[("time", 7)], &[("time", ChunkLength::All)]).unwrap(), Some(vec![105, 4].into()));
        assert_eq!(of(&[("time", 7)], &[("lat", ChunkLength::Of(80))]).unwrap(), Some(vec![7, 8].into()));
        assert_eq!(of(&[("time", 7)], &[]).unwrap(), None);
        let error = of(&[("time", 7)], &[("time", ChunkLength::Of(10))]).unwrap_err().to_string();
        assert!(error.contains("no whole number of chunks of 7") && error.contains("time=14"), "{error}");
    }
}
