//! How a dataset lies in its file, and through which filters.

use super::{
    id::{Id, check, forget},
    types::{self, Typed},
};
use crate::{
    attrs::Value,
    codec::{BitShuffleInner, Codec},
    dtype::{ByteOrder, DType, swap_in_place},
    error::{Error, Result},
    shape::Shape,
    source::{CodecMeta, Storage, StoredType},
};
use hdf5_sys::{
    h5d::{
        H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS, H5D_fill_value_t, H5D_layout_t, H5Dget_create_plist, H5Dget_storage_size,
    },
    h5p::{
        H5Pfill_value_defined, H5Pget_chunk, H5Pget_chunk_opts, H5Pget_external_count, H5Pget_fill_value,
        H5Pget_filter2, H5Pget_layout, H5Pget_nfilters,
    },
};
use std::ffi::CStr;

/// What a dataset's creation properties say.
#[derive(Debug, Clone, Default)]
pub(super) struct Stored {
    pub storage: Storage,
    pub filters: Vec<Filter>,
    /// One element as it would be stored where nothing was written; empty where it has no fixed size.
    pub fill: Vec<u8>,
    /// The same as a value, where the file declares it.
    pub fill_value: Option<Value>,
    /// Chunks that reach over the edge are stored without filters.
    pub is_edge_raw: bool,
}

/// A filter with its client data.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Filter {
    pub id: i32,
    pub name: String,
    pub data: Vec<u32>,
}

/// Client data of one filter has fewer numbers than this, except a broken one's.
const DATA_MAX: usize = 1 << 16;

/// Describes the storage of an open dataset.
pub(super) fn describe(dataset: &Id, kind: &Id, typed: &Typed, rank: usize) -> Result<Stored> {
    // SAFETY: the handles are open, and `chunk` has the rank's length.
    unsafe {
        let plist = Id::new(H5Dget_create_plist(dataset.get()), "creation properties")?;
        let mut storage = Storage { stored_bytes: Some(H5Dget_storage_size(dataset.get())), ..Storage::default() };
        let mut is_edge_raw = false;
        storage.kind = match H5Pget_layout(plist.get()) {
            H5D_layout_t::H5D_CHUNKED => {
                let mut chunk = vec![0; rank];
                check(H5Pget_chunk(plist.get(), rank as i32, chunk.as_mut_ptr()), "chunk shape")?;
                let mut options = 0;
                H5Pget_chunk_opts(plist.get(), &mut options);
                is_edge_raw = options & H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS != 0;
                storage.chunk = Some(Shape(chunk));
                "chunked"
            }
            H5D_layout_t::H5D_COMPACT => "compact",
            H5D_layout_t::H5D_VIRTUAL => "virtual",
            _ if H5Pget_external_count(plist.get()) > 0 => "external",
            _ => "contiguous",
        };
        let filters = filters(&plist)?;
        storage.codecs = filters.iter().map(Filter::meta).collect();
        let (fill, fill_value) = fill(&plist, kind, typed);
        forget();
        Ok(Stored { storage, filters, fill, fill_value, is_edge_raw })
    }
}

fn fill(plist: &Id, kind: &Id, typed: &Typed) -> (Vec<u8>, Option<Value>) {
    let Some(size) = typed.stored.element_bytes() else { return (Vec::new(), None) };
    let mut bytes = vec![0u8; size];
    let mut status = H5D_fill_value_t::H5D_FILL_VALUE_DEFAULT;
    let memory = match typed.stored {
        StoredType::Number { dtype, .. } if !typed.is_direct => types::native(dtype),
        _ => kind.get(),
    };
    // SAFETY: the buffer has the size of the type asked for.
    let got = unsafe {
        H5Pfill_value_defined(plist.get(), &mut status) >= 0
            && status == H5D_fill_value_t::H5D_FILL_VALUE_USER_DEFINED
            && H5Pget_fill_value(plist.get(), memory, bytes.as_mut_ptr().cast()) >= 0
    };
    if !got {
        return (vec![0; size], None);
    }
    let value = match typed.stored {
        StoredType::Number { dtype, order } => {
            let mut native = bytes.clone();
            if order != ByteOrder::NATIVE {
                swap_in_place(&mut native, size);
            }
            Some(crate::attrs::Value::of_bytes(dtype, &native))
        }
        _ => None,
    };
    (bytes, value)
}

/// What netCDF fills in where a variable is shorter than its dimension, and declares no fill value.
pub(super) fn netcdf_default(dtype: DType, order: ByteOrder) -> Vec<u8> {
    let mut bytes = match dtype {
        DType::Bool | DType::F16 => vec![0; dtype.size()],
        DType::I8 => (-127i8).to_ne_bytes().to_vec(),
        DType::U8 => vec![255],
        DType::I16 => (-32767i16).to_ne_bytes().to_vec(),
        DType::U16 => u16::MAX.to_ne_bytes().to_vec(),
        DType::I32 => (-2147483647i32).to_ne_bytes().to_vec(),
        DType::U32 => u32::MAX.to_ne_bytes().to_vec(),
        DType::I64 => (-9223372036854775806i64).to_ne_bytes().to_vec(),
        DType::U64 => 18446744073709551614u64.to_ne_bytes().to_vec(),
        DType::F32 => 9.969_21e36_f32.to_ne_bytes().to_vec(),
        DType::F64 => 9.969_209_968_386_869e36_f64.to_ne_bytes().to_vec(),
    };
    if order != ByteOrder::NATIVE {
        swap_in_place(&mut bytes, dtype.size());
    }
    bytes
}

fn filters(plist: &Id) -> Result<Vec<Filter>> {
    let mut out = Vec::new();
    // SAFETY: buffers are passed with their lengths.
    unsafe {
        let count = check(H5Pget_nfilters(plist.get()), "filters")?;
        for k in 0..count as u32 {
            let (mut flags, mut config) = (0, 0);
            let mut name = [0u8; 64];
            let mut data = vec![0u32; 64];
            let mut id;
            loop {
                let mut len = data.len();
                let (room, text) = (name.len() - 1, name.as_mut_ptr().cast());
                id = H5Pget_filter2(plist.get(), k, &mut flags, &mut len, data.as_mut_ptr(), room, text, &mut config);
                check(id, "filter")?;
                if len <= data.len() {
                    data.truncate(len);
                    break;
                }
                if len > DATA_MAX {
                    return Err(Error::corrupt("filter", format!("it has {len} numbers of client data")));
                }
                data.resize(len, 0);
            }
            let name = CStr::from_bytes_until_nul(&name).unwrap_or_default().to_string_lossy().into_owned();
            out.push(Filter { id, name, data });
        }
    }
    Ok(out)
}

const COMPRESSORS: [&str; 6] = ["blosclz", "lz4", "lz4hc", "snappy", "zlib", "zstd"];

impl Filter {
    fn at(&self, k: usize) -> u32 {
        self.data.get(k).copied().unwrap_or(0)
    }

    /// As `info` shows it.
    pub fn meta(&self) -> CodecMeta {
        let meta = |name: &str, level: Option<u32>, detail: String| CodecMeta {
            name: name.into(),
            level: level.map(|n| n as i32),
            detail,
        };
        match self.id {
            1 => meta("deflate", Some(self.at(0)), String::new()),
            2 => meta("shuffle", None, String::new()),
            3 => meta("fletcher32", None, String::new()),
            4 => meta("szip", None, format!("pixels_per_block={}", self.at(1))),
            5 => meta("nbit", None, String::new()),
            6 => meta("scaleoffset", None, format!("factor={}", self.at(1) as i32)),
            307 => meta("bzip2", Some(self.at(0)), String::new()),
            32000 => meta("lzf", None, String::new()),
            32001 => {
                let cname = COMPRESSORS.get(self.at(6) as usize).copied().unwrap_or("?");
                meta("blosc", Some(self.at(4)), format!("cname={cname} shuffle={}", self.at(5)))
            }
            32004 => meta("lz4", None, String::new()),
            32008 => {
                let inner = ["", "cname=lz4", "cname=zstd"].get(self.at(4) as usize).copied().unwrap_or_default();
                meta("bitshuffle", None, inner.into())
            }
            32015 => meta("zstd", Some(self.at(0)), String::new()),
            id => {
                let name = if self.name.is_empty() { format!("filter {id}") } else { self.name.clone() };
                meta(&name, None, format!("id={id}"))
            }
        }
    }

    /// Whether it only prepared values when they were written, so that there is nothing to undo: BitGroom and granular
    /// bit rounding.
    pub fn is_written_only(&self) -> bool {
        matches!(self.id, 32022 | 32023)
    }

    /// The codec that undoes it on elements of `element` bytes.
    pub fn codec(&self, element: usize) -> Result<Codec> {
        let level = self.at(0).min(255) as u8;
        let bytes = |n: u32| if n == 0 { element } else { n as usize };
        Ok(match self.id {
            1 => Codec::Deflate { level },
            2 => Codec::Shuffle { element: bytes(self.at(0)) },
            3 => Codec::Fletcher32,
            4 if self.data.len() >= 4 => Codec::Szip {
                mask: self.at(0),
                pixels_per_block: self.at(1),
                bits_per_pixel: self.at(2),
                pixels_per_scanline: self.at(3),
            },
            5 => Codec::Nbit(self.data.clone()),
            6 => Codec::ScaleOffset(self.data.clone()),
            307 => Codec::Bzip2 { level },
            32000 => Codec::Lzf,
            32001 => Codec::Blosc {
                cname: COMPRESSORS.get(self.at(6) as usize).copied().unwrap_or("blosclz").into(),
                level: self.at(4).min(9) as u8,
                shuffle: self.at(5).min(2) as u8,
                element: bytes(self.at(2)),
            },
            32004 => Codec::Lz4Hdf5,
            32008 => Codec::BitShuffle {
                element: bytes(self.at(2)),
                block: self.at(3) as usize,
                inner: match self.at(4) {
                    0 => BitShuffleInner::None,
                    2 => BitShuffleInner::Lz4,
                    3 => BitShuffleInner::Zstd,
                    n => return Err(Error::unsupported(format!("bitshuffle with compressor {n}"))),
                },
            },
            32015 => Codec::Zstd { level: self.at(0) as i32 },
            id => {
                let name = if self.name.is_empty() { String::new() } else { format!(" ({})", self.name) };
                return Err(Error::unsupported(format!("HDF5 filter {id}{name}")));
            }
        })
    }
}
