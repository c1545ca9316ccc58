//! A message as it leaves the server: encoded once, shared by every recipient.
//!
//! The bytes begin with the header of a WebSocket frame, for which the encoder leaves room, so
//! that a WebSocket writes them as they are and a poll takes what follows the header. Servers do
//! not mask, hence one buffer serves all. Long bytes are not copied: their header lies apart.

use std::{cell::Cell, sync::Arc};

use bytes::Bytes;

use super::eio4;
use crate::engine::transport::websocket::{
    codec::{MAX_HEADER, Opcode, header, put_header_before},
    deflate::{Agreed, Compressed, PerMessageDeflate},
};

/// Bytes from this length on are not copied behind their header: that costs more than a second slice to write.
const SPLIT_FROM: usize = 4096;

/// Scratch buffers that grew beyond this are not kept.
const KEPT_SCRATCH: usize = 64 * 1024;

/// One encoded message or control packet. Cloning shares the bytes.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    wire: Wire,
    /// How long the WebSocket header is, at the start of it.
    header: u8,
    binary: bool,
}

/// Whole WebSocket frames.
#[derive(Debug, Clone)]
enum Wire {
    /// Not `Bytes`, which allocates once more when it is first cloned.
    Whole(Arc<[u8]>),
    /// Behind a pointer of its own, so that a frame is no larger for it.
    Other(Arc<Other>),
}

#[derive(Debug)]
enum Other {
    /// Long bytes, and what stands before them.
    Split(Head, Bytes),
    /// One that may be sent compressed.
    Compressible(Wire, Compressed),
}

/// The header of a WebSocket frame, at the start.
type Head = [u8; MAX_HEADER];

impl Wire {
    /// The frame, not compressed: its header and what follows, or all in one.
    fn plain(&self, header: usize) -> [&[u8]; 2] {
        match self {
            Self::Whole(whole) => [whole, &[]],
            Self::Other(other) => match &**other {
                Other::Split(head, body) => [&head[..header], body],
                Other::Compressible(wire, _) => wire.plain(header),
            },
        }
    }
}

impl Frame {
    /// A text message.
    pub(crate) fn text(text: &str) -> Self {
        let written: Result<_, std::convert::Infallible> = Self::write_text(|out| {
            out.extend_from_slice(text.as_bytes());
            Ok(())
        });
        let Ok(((), frame)) = written;
        frame
    }

    /// A text message that `write` appends to the buffer it is given (which is not empty).
    pub(crate) fn write_text<T, E>(write: impl FnOnce(&mut Vec<u8>) -> Result<T, E>) -> Result<(T, Self), E> {
        Self::write_packet(eio4::MESSAGE, write)
    }

    /// A text packet of that type.
    ///
    /// The buffer is a scratch of the thread: the frame costs one allocation of its exact size.
    pub(crate) fn write_packet<T, E>(
        kind: u8,
        write: impl FnOnce(&mut Vec<u8>) -> Result<T, E>,
    ) -> Result<(T, Self), E> {
        thread_local! {
            static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
        }
        let mut scratch = SCRATCH.take();
        scratch.clear();
        scratch.resize(MAX_HEADER, 0);
        scratch.push(kind);
        let written = write(&mut scratch);
        let frame = written.map(|value| {
            let start = put_header_before(&mut scratch, MAX_HEADER, Opcode::Text);
            (value, Self::new(&scratch[start..], MAX_HEADER - start, false))
        });
        if scratch.capacity() <= KEPT_SCRATCH {
            SCRATCH.set(scratch);
        }
        frame
    }

    /// A binary message, with what its generation puts before the bytes.
    pub(crate) fn binary(prefix: &[u8], bytes: &[u8]) -> Self {
        let mut buffer = Vec::with_capacity(MAX_HEADER + prefix.len() + bytes.len());
        buffer.resize(MAX_HEADER, 0);
        buffer.extend_from_slice(prefix);
        buffer.extend_from_slice(bytes);
        let start = put_header_before(&mut buffer, MAX_HEADER, Opcode::Binary);
        Self::new(&buffer[start..], MAX_HEADER - start, true)
    }

    /// A control packet that is a whole WebSocket frame with a header of two bytes.
    pub(crate) fn control(wire: &[u8]) -> Self {
        Self::new(wire, 2, false)
    }

    /// A control frame of the WebSocket itself, which is no packet.
    pub(crate) fn from_websocket(wire: &[u8]) -> Self {
        Self::new(wire, wire.len(), false)
    }

    /// A binary message without anything before the bytes, which are not copied where they are many.
    pub(crate) fn bytes(bytes: &Bytes) -> Self {
        if bytes.len() < SPLIT_FROM {
            return Self::binary(&[], bytes);
        }
        let (head, size) = header(Opcode::Binary, bytes.len());
        Self {
            wire: Wire::Other(Arc::new(Other::Split(head, bytes.clone()))),
            header: u8::try_from(size).expect("a header is short"),
            binary: true,
        }
    }

    fn new(wire: &[u8], header: usize, binary: bool) -> Self {
        Self {
            wire: Wire::Whole(wire.into()),
            header: u8::try_from(header).expect("a header and a control frame are short"),
            binary,
        }
    }

    /// The same message, to be sent compressed where that is agreed, if it is long enough. Its clones
    /// share what is made of it.
    pub(crate) fn compressible(&self, settings: PerMessageDeflate) -> Self {
        let mut wire = self.wire.clone();
        if self.compressed().is_none() && settings.covers(self.packet().len()) {
            wire = Wire::Other(Arc::new(Other::Compressible(wire, Compressed::new(settings))));
        }
        Self { wire, ..*self }
    }

    fn compressed(&self) -> Option<&Compressed> {
        match &self.wire {
            Wire::Other(other) => match &**other {
                Other::Compressible(_, compressed) => Some(compressed),
                Other::Split(..) => None,
            },
            Wire::Whole(_) => None,
        }
    }

    /// The WebSocket frame, in two parts of which the second may be empty, as it is sent to a client with whom that is
    /// agreed.
    pub(crate) fn websocket(&self, deflate: Option<Agreed>) -> [&[u8]; 2] {
        if let (Some(compressed), Some(agreed)) = (self.compressed(), deflate) {
            let opcode = if self.binary { Opcode::Binary } else { Opcode::Text };
            if let Some(compressed) = compressed.frame(agreed, opcode, self.packet()) {
                return [compressed, &[]];
            }
        }
        self.wire.plain(self.header.into())
    }

    /// The packet without its framing: text, or raw bytes when [`is_binary`](Self::is_binary).
    pub(crate) fn packet(&self) -> &[u8] {
        match self.wire.plain(self.header.into()) {
            [whole, []] => &whole[self.header.into()..],
            [_, body] => body,
        }
    }

    pub(crate) fn is_binary(&self) -> bool {
        self.binary
    }

    /// Bytes on a WebSocket that does not compress.
    pub(crate) fn len(&self) -> usize {
        usize::from(self.header) + self.packet().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_bytes_are_written_as_short_ones_are_and_not_copied() {
        for length in [0, 125, 126, SPLIT_FROM - 1, SPLIT_FROM, 70_000] {
            let bytes = Bytes::from(vec![7; length]);
            let (frame, copied) = (Frame::bytes(&bytes), Frame::binary(&[], &bytes));
            assert_eq!(frame.websocket(None).concat(), copied.websocket(None).concat());
            assert_eq!((frame.packet(), frame.len()), (copied.packet(), copied.len()));
            assert!(frame.is_binary());
            assert_eq!(
                frame.packet().as_ptr() == bytes.as_ptr(),
                length >= SPLIT_FROM,
                "{length}"
            );
        }
    }
}
