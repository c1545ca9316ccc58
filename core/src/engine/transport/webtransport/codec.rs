//! Messages in a stream of WebTransport, as the reference's parser has them: a length of 7 bits, or 126
//! and 16 bits, or 127 and 64 bits, whose first bit says that the message is bytes; then the message.
//!
//! That is a server's frame of RFC 6455 without its first byte, so the one encoding of a message serves
//! here, too. Holds no memory while nothing is incomplete.

use std::{fmt, ops::ControlFlow};

use bytes::{Buf as _, BytesMut};

use crate::engine::{
    codec::frame::Frame,
    reason::CloseReason,
    transport::{
        Transport,
        duplex::{Event, Framing},
    },
};

const BINARY: u8 = 0x80;

/// Decodes what a client sends.
#[derive(Debug)]
pub(crate) struct Decoder {
    max_message: usize,
    /// Bytes as they came: the start of one message, or all that followed a `Break`.
    kept: BytesMut,
    /// `kept` may hold whole messages.
    paused: bool,
}

/// What is wrong with what a client sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Violation {
    /// A text message of no bytes: it is no packet.
    Empty,
    TooBig {
        len: u64,
        max: usize,
    },
    BadText,
}

/// The length that a message begins with.
struct Header {
    binary: bool,
    /// Where the message begins: 1, 3 or 9.
    size: usize,
    len: usize,
}

impl Decoder {
    /// A decoder for one stream, that refuses messages of more than `max_message` bytes.
    pub(crate) fn new(max_message: usize) -> Self {
        Self {
            max_message,
            kept: BytesMut::new(),
            paused: false,
        }
    }

    /// Completes what was kept with as much of `input` as that needs.
    fn complete(&mut self, input: &mut &[u8]) -> Result<(), Violation> {
        while !self.kept.is_empty() && !self.paused {
            let missing = match Header::read(&self.kept, self.max_message)? {
                Some(header) => header.size + header.len,
                None => header_size(self.kept[0]),
            } - self.kept.len();
            if missing == 0 {
                break;
            }
            let Some(next) = input
                .split_off(..missing.min(input.len()))
                .filter(|next| !next.is_empty())
            else {
                break;
            };
            self.kept.extend_from_slice(next);
        }
        Ok(())
    }

    /// Decodes `bytes` until they end, the rest is no whole message, or `sink` breaks. Returns how
    /// many are done with.
    fn decode(
        &self,
        bytes: &[u8],
        sink: &mut impl FnMut(Event<'_>) -> ControlFlow<()>,
    ) -> Result<(usize, ControlFlow<()>), Violation> {
        let mut used = 0;
        let mut flow = ControlFlow::Continue(());
        while flow.is_continue()
            && let Some(header) = Header::read(&bytes[used..], self.max_message)?
            && let Some(message) = bytes[used + header.size..].get(..header.len)
        {
            used += header.size + header.len;
            flow = sink(if header.binary {
                Event::Binary(message)
            } else {
                Event::Text(str::from_utf8(message).or(Err(Violation::BadText))?)
            });
        }
        Ok((used, flow))
    }
}

impl Framing for Decoder {
    type Violation = Violation;

    const TRANSPORT: Transport = Transport::WebTransport;
    // As the reference, whose parser hands on a packet that is none.
    const VIOLATED: CloseReason = CloseReason::ParseError;

    fn feed(
        &mut self,
        input: &mut [u8],
        mut sink: impl FnMut(Event<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Violation> {
        let mut input = &*input;
        self.complete(&mut input)?;
        let mut flow = ControlFlow::Continue(());
        if !self.kept.is_empty() {
            let used;
            (used, flow) = self.decode(&self.kept, &mut sink)?;
            self.kept.advance(used);
            if self.kept.is_empty() {
                self.kept = BytesMut::new();
            }
        }
        if flow.is_continue() && self.kept.is_empty() {
            let used;
            (used, flow) = self.decode(input, &mut sink)?;
            input = &input[used..];
        }
        self.kept.extend_from_slice(input);
        self.paused = flow.is_break() && !self.kept.is_empty();
        Ok(flow)
    }

    fn has_backlog(&self) -> bool {
        self.paused
    }

    fn parts<'a>(&self, frame: &'a Frame) -> impl Iterator<Item = &'a [u8]> + Clone {
        let [head, body] = frame.websocket(None);
        let [_, length, rest @ ..] = head else {
            unreachable!("a frame has a header");
        };
        let parts: [&[u8]; 3] = match (frame.is_binary(), rest, body) {
            (false, ..) => [&head[1..], body, &[]],
            // The reference's client takes no length of 0, but does take base64.
            (true, [], []) => [b"\x01b", &[], &[]],
            (true, ..) => [&BINARY_LENGTHS[usize::from(*length)..][..1], rest, body],
        };
        parts.into_iter().filter(|part| !part.is_empty())
    }

    fn is_compressing(&self) -> bool {
        false
    }

    fn goodbye(_: Option<&Violation>) -> Option<Frame> {
        None
    }
}

/// First bytes of binary messages, to be lent.
const BINARY_LENGTHS: &[u8; 128] = &{
    let mut lengths = [BINARY; 128];
    let mut length = 0;
    while length < BINARY {
        lengths[length as usize] |= length;
        length += 1;
    }
    lengths
};

impl Header {
    /// Reads the header that `bytes` begin with; `None` when it is incomplete.
    fn read(bytes: &[u8], max: usize) -> Result<Option<Self>, Violation> {
        let Some(&first) = bytes.first() else {
            return Ok(None);
        };
        let size = header_size(first);
        let Some(header) = bytes.get(..size) else {
            return Ok(None);
        };
        let binary = first & BINARY != 0;
        let len = match header {
            [short] => u64::from(short & !BINARY),
            [_, a, b] => u64::from(u16::from_be_bytes([*a, *b])),
            [_, long @ ..] => long.iter().fold(0, |len, byte| len << 8 | u64::from(*byte)),
            [] => return Ok(None),
        };
        // The reference refuses bytes of this length, too, though its client sends them: an empty
        // attachment is one.
        if len == 0 && !binary {
            return Err(Violation::Empty);
        }
        match usize::try_from(len) {
            // So long that nothing can hold it, whatever the limit.
            Ok(len) if len <= max.min(isize::MAX as usize / 2) => Ok(Some(Self { binary, size, len })),
            _ => Err(Violation::TooBig { len, max }),
        }
    }
}

/// How long the header is that begins with that byte.
fn header_size(first: u8) -> usize {
    match first & !BINARY {
        126 => 3,
        127 => 9,
        _ => 1,
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a text message of no bytes: send a packet"),
            Self::TooBig { len, max } => write!(f, "a message of {len} bytes: send at most {max}"),
            Self::BadText => f.write_str("a text message that is not UTF-8"),
        }
    }
}

/// Reads `wire` in pieces, with a pause after every message where their size is odd, for the fuzzer;
/// what came, bytes marked as such.
#[cfg(any(fuzzing, test))]
pub(crate) fn read_in_pieces(wire: &[u8], size: usize) -> (Vec<(bool, Vec<u8>)>, Option<Violation>) {
    const MAX: usize = 64 * 1024;
    let mut decoder = Decoder::new(MAX);
    let mut messages = Vec::new();
    for piece in wire.chunks(size) {
        let mut piece = piece.to_vec();
        let mut input = &mut piece[..];
        loop {
            let fed = decoder.feed(input, |event| {
                messages.push(match event {
                    Event::Text(text) => (false, text.as_bytes().to_vec()),
                    Event::Binary(bytes) => (true, bytes.to_vec()),
                    Event::Control(_) | Event::Close(_) => unreachable!("there are only messages"),
                });
                if size.is_multiple_of(2) {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            });
            if let Err(violation) = fed {
                return (messages, Some(violation));
            }
            assert!(
                decoder.kept.len() <= MAX.max(size) + 9,
                "{} bytes are kept",
                decoder.kept.len()
            );
            if !decoder.has_backlog() {
                break;
            }
            input = &mut [];
        }
    }
    (messages, None)
}

#[cfg(test)]
mod tests;
