//! Bits on their way out.

/// Bits on their way, the first one lowest.
pub(super) struct Bits<'a> {
    out: &'a mut [u8],
    at: usize,
    waiting: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(out: &'a mut [u8]) -> Bits<'a> {
        Bits { out, at: 0, waiting: 0, count: 0 }
    }

    /// How many whole bytes are written.
    pub(super) fn written(&self) -> usize {
        self.at
    }

    #[inline]
    pub(super) fn put(&mut self, value: u32, bits: u32) {
        self.waiting |= (value as u64) << self.count;
        self.count += bits;
    }

    /// A code, and its bits in the upper half.
    #[inline]
    pub(super) fn put_code(&mut self, packed: u32) {
        self.put(packed & 0xffff, packed >> 16);
    }

    /// Writes the whole bytes among those that wait, which are fewer than 64 bits.
    #[inline]
    pub(super) fn flush(&mut self) {
        self.out[self.at..self.at + 8].copy_from_slice(&self.waiting.to_le_bytes());
        self.at += (self.count / 8) as usize;
        self.waiting >>= self.count & !7;
        self.count &= 7;
    }

    /// Goes on at the next whole byte.
    pub(super) fn align(&mut self) {
        self.count = self.count.next_multiple_of(8);
        self.flush();
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.out[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }

    /// A block as it is, of fewer than 2^16 bytes.
    pub(super) fn stored(&mut self, block: &[u8], is_last: bool) {
        self.put(is_last as u32, 3);
        self.align();
        let length = block.len() as u16;
        self.bytes(&length.to_le_bytes());
        self.bytes(&(!length).to_le_bytes());
        self.bytes(block);
    }
}
