//! A message as it leaves the server: encoded once, shared by every recipient.
//!
//! The bytes begin with the header of a WebSocket frame, for which the encoder leaves room, so
//! that a WebSocket writes them as they are and a poll takes what follows the header. Servers do
//! not mask, hence one buffer serves all.

use std::{cell::Cell, sync::Arc};

use super::eio4;
use crate::engine::transport::websocket::{
    codec::{MAX_HEADER, Opcode, put_header_before},
    deflate::{Agreed, Compressed, PerMessageDeflate},
};

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
    Plain(Arc<[u8]>),
    /// One that may be sent compressed.
    Compressible(Arc<Compressible>),
}

#[derive(Debug)]
struct Compressible {
    plain: Arc<[u8]>,
    compressed: Compressed,
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

    fn new(wire: &[u8], header: usize, binary: bool) -> Self {
        Self {
            wire: Wire::Plain(wire.into()),
            header: u8::try_from(header).expect("a header and a control frame are short"),
            binary,
        }
    }

    /// The same message, to be sent compressed where that is agreed, if it is long enough. Its clones
    /// share what is made of it.
    pub(crate) fn compressible(&self, settings: PerMessageDeflate) -> Self {
        let wire = match &self.wire {
            Wire::Plain(plain) if settings.covers(self.packet().len()) => Wire::Compressible(Arc::new(Compressible {
                plain: plain.clone(),
                compressed: Compressed::new(settings),
            })),
            wire => wire.clone(),
        };
        Self { wire, ..*self }
    }

    /// The whole WebSocket frame, as it is sent to a client with whom that is agreed.
    pub(crate) fn websocket(&self, deflate: Option<Agreed>) -> &[u8] {
        if let (Wire::Compressible(frame), Some(agreed)) = (&self.wire, deflate) {
            let opcode = if self.binary { Opcode::Binary } else { Opcode::Text };
            if let Some(compressed) = frame.compressed.frame(agreed, opcode, self.packet()) {
                return compressed;
            }
        }
        self.plain()
    }

    fn plain(&self) -> &[u8] {
        match &self.wire {
            Wire::Plain(plain) => plain,
            Wire::Compressible(frame) => &frame.plain,
        }
    }

    /// The packet without its framing: text, or raw bytes when [`is_binary`](Self::is_binary).
    pub(crate) fn packet(&self) -> &[u8] {
        &self.plain()[usize::from(self.header)..]
    }

    pub(crate) fn is_binary(&self) -> bool {
        self.binary
    }

    /// Bytes on a WebSocket that does not compress.
    pub(crate) fn len(&self) -> usize {
        self.plain().len()
    }
}
