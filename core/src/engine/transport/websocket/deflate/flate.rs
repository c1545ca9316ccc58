//! DEFLATE as RFC 7692 §7.2 has it: a message at a time, by what a thread keeps for all of its clients.
//!
//! Pure: bytes to bytes. zlib has no smaller way than its own to bound a window, so flate2's backend is
//! zlib's, in Rust (`zlib-rs`).

use std::cell::Cell;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::super::codec::Violation;

/// Output buffers that grew beyond this are not kept.
const KEPT: usize = 64 * 1024;

/// Blocks that say to be the last, in one message. One is usual; each costs the copy of a window.
const MOST_LAST_BLOCKS: u32 = 16;

/// How far back DEFLATE refers, at most.
const WINDOW: usize = 32 * 1024;

/// What a sender takes off the end of each message (§7.2.1), which is an empty block of no compression.
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// The tail and a last, empty block. Data that are cut off take it for something else, and seldom end
/// with it.
const END: [u8; 9] = [0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff];

struct Compressor {
    deflate: Compress,
    level: u8,
    window_bits: u8,
    out: Vec<u8>,
}

struct Inflater {
    inflate: Decompress,
    /// That the message has had.
    last_blocks: u32,
    out: Vec<u8>,
}

thread_local! {
    static COMPRESSOR: Cell<Option<Box<Compressor>>> = const { Cell::new(None) };
    static INFLATER: Cell<Option<Box<Inflater>>> = const { Cell::new(None) };
}

/// Compresses a message behind that many bytes of room; `None` where that makes it no shorter.
pub(super) fn compress<T>(
    message: &[u8],
    level: u8,
    window_bits: u8,
    room: usize,
    take: impl FnOnce(&mut [u8]) -> T,
) -> Option<T> {
    #[cfg(test)]
    counted::COMPRESSIONS.set(counted::COMPRESSIONS.get() + 1);
    let kept = COMPRESSOR.take();
    let mut compressor = kept
        .filter(|kept| (kept.level, kept.window_bits) == (level, window_bits))
        .unwrap_or_else(|| {
            Box::new(Compressor {
                deflate: Compress::new_with_window_bits(Compression::new(level.into()), false, window_bits),
                level,
                window_bits,
                out: Vec::new(),
            })
        });
    let taken = compressor.compress(message, room).map(take);
    shrink(&mut compressor.out);
    COMPRESSOR.set(Some(compressor));
    taken
}

impl Compressor {
    fn compress(&mut self, message: &[u8], room: usize) -> Option<&mut [u8]> {
        self.deflate.reset();
        self.out.clear();
        // Where this does not suffice nothing is gained.
        self.out.reserve(room + message.len() + TAIL.len());
        self.out.resize(room, 0);
        let flushed = self.deflate.compress_vec(message, &mut self.out, FlushCompress::Sync);
        let is_whole = flushed.is_ok()
            && self.deflate.total_in() == message.len() as u64
            && self.out.len() < self.out.capacity()
            && self.out.ends_with(&TAIL);
        self.out.truncate(self.out.len().saturating_sub(TAIL.len()));
        let is_shorter = self.out.len() < room + message.len();
        (is_whole && is_shorter).then_some(&mut self.out)
    }
}

/// Inflates a message of at most `max` bytes, and lends it.
pub(crate) fn inflate<T>(
    message: &[u8],
    max: usize,
    take: impl FnOnce(&[u8]) -> Result<T, Violation>,
) -> Result<T, Violation> {
    // One that is in use, as by a handler that drives another connection in memory, is replaced.
    let mut inflater = INFLATER.take().unwrap_or_else(|| {
        Box::new(Inflater {
            inflate: Decompress::new(false),
            last_blocks: 0,
            out: Vec::new(),
        })
    });
    let taken = inflater.inflate(message, max).and_then(|()| take(&inflater.out));
    shrink(&mut inflater.out);
    INFLATER.set(Some(inflater));
    taken
}

impl Inflater {
    fn inflate(&mut self, message: &[u8], max: usize) -> Result<(), Violation> {
        self.inflate.reset(false);
        self.last_blocks = 0;
        self.out.clear();
        if self.pass(message, max)? == Reached::LastBlock {
            // Not followed by the empty block that §7.2.1 asks for, and whole without it.
            return Ok(());
        }
        match self.pass(&END, max)? {
            Reached::LastBlock => Ok(()),
            Reached::EndOfInput => Err(Violation::BadDeflate),
        }
    }

    /// Inflates a part of a message.
    fn pass(&mut self, mut input: &[u8], max: usize) -> Result<Reached, Violation> {
        loop {
            self.grow(input.len(), max);
            let before = self.inflate.total_in();
            let status = self
                .inflate
                .decompress_vec(input, &mut self.out, FlushDecompress::None)
                .or(Err(Violation::BadDeflate))?;
            if self.out.len() > max {
                return Err(Violation::TooBig {
                    at_least: self.out.len() as u64,
                    max,
                });
            }
            let used = usize::try_from(self.inflate.total_in() - before).or(Err(Violation::BadDeflate))?;
            input = &input[used..];
            match status {
                Status::StreamEnd if input.is_empty() => return Ok(Reached::LastBlock),
                // A block that says to be the last need not be (§7.2.3.4).
                Status::StreamEnd => self.go_on()?,
                Status::Ok | Status::BufError if input.is_empty() && self.out.len() < self.out.capacity() => {
                    return Ok(Reached::EndOfInput);
                }
                Status::Ok | Status::BufError => {}
            }
        }
    }

    /// What follows a last block may refer to what was before it.
    fn go_on(&mut self) -> Result<(), Violation> {
        self.last_blocks += 1;
        if self.last_blocks > MOST_LAST_BLOCKS {
            return Err(Violation::BadDeflate);
        }
        self.inflate.reset(false);
        let window = &self.out[self.out.len().saturating_sub(WINDOW)..];
        if window.is_empty() {
            return Ok(());
        }
        self.inflate.set_dictionary(window).or(Err(Violation::BadDeflate))?;
        Ok(())
    }

    /// Makes room for more: doubled, and at most for one byte too many.
    fn grow(&mut self, input: usize, max: usize) {
        let free = self.out.capacity() - self.out.len();
        if free > 0 {
            return;
        }
        let wanted = (2 * self.out.capacity()).max(4 * input).max(256);
        let most = max.saturating_add(1).saturating_sub(self.out.len()).max(1);
        self.out.reserve_exact((wanted - self.out.len()).min(most));
    }
}

/// Where a part of a message has ended.
#[derive(PartialEq, Eq)]
enum Reached {
    EndOfInput,
    /// A block that says to be the last, and the input with it.
    LastBlock,
}

fn shrink(out: &mut Vec<u8>) {
    if out.capacity() > KEPT {
        *out = Vec::new();
    }
}

#[cfg(test)]
pub(super) mod counted {
    use std::cell::Cell;

    thread_local! {
        /// How often this thread has compressed.
        pub(crate) static COMPRESSIONS: Cell<usize> = const { Cell::new(0) };
    }
}
