//! Compressed messages (`permessage-deflate`, RFC 7692): its settings, what is agreed with a client,
//! and messages compressed once for all who may read them.
//!
//! No context is ever taken over from one message to the next, in either direction: a client costs no
//! memory, a thread's one compressor and one inflater serve all of its clients, and a broadcast's
//! compressed bytes are everybody's. The header's grammar is `offer`'s, the bytes are `flate`'s.

use std::sync::OnceLock;

use http::{HeaderMap, HeaderValue, header::SEC_WEBSOCKET_EXTENSIONS};

use super::codec::{MAX_HEADER, Opcode, put_compressed_header_before};

mod flate;
mod offer;

pub(crate) use self::flate::inflate;
pub(super) use self::offer::Malformed;

/// The windows that zlib has, as exponents of two. RFC 7692 knows 2^8 bytes, too: an offer of it is declined.
const WINDOWS: std::ops::RangeInclusive<u8> = 9..=15;

/// How messages to clients are compressed over WebSockets: given to
/// [`per_message_deflate`](crate::SocketIoBuilder::per_message_deflate). The defaults are the reference
/// server's, once it is turned on there.
///
/// It is agreed with the clients that offer it, as browsers do. Each message is compressed by
/// itself (`server_no_context_takeover`, `client_no_context_takeover`), so that a client costs no
/// memory beyond what it costs without, and a broadcast is compressed once. A thread that has compressed
/// keeps about 300 KB for it.
///
/// A message that does not become shorter is sent as it is.
///
/// ```
/// use tower_socketio::{PerMessageDeflate, SocketIo};
///
/// let deflate = PerMessageDeflate::default().threshold(4096).level(3);
/// let io = SocketIo::builder().per_message_deflate(deflate).build();
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PerMessageDeflate {
    threshold: usize,
    level: u8,
    window_bits: u8,
}

impl Default for PerMessageDeflate {
    fn default() -> Self {
        Self {
            threshold: 1024,
            level: 6,
            window_bits: *WINDOWS.end(),
        }
    }
}

impl PerMessageDeflate {
    /// How long a message must be to be compressed, in bytes, with what the protocol puts before it.
    /// Default 1,024.
    ///
    /// ```
    /// let everything = tower_socketio::PerMessageDeflate::default().threshold(0);
    /// ```
    #[must_use]
    pub fn threshold(mut self, bytes: usize) -> Self {
        self.threshold = bytes;
        self
    }

    /// How hard it is tried, from 1, the fastest, to 9, the shortest. Default 6.
    ///
    /// # Panics
    /// When it is another number.
    ///
    /// ```
    /// let fast = tower_socketio::PerMessageDeflate::default().level(1);
    /// ```
    #[must_use]
    pub fn level(mut self, level: u8) -> Self {
        assert!((1..=9).contains(&level), "the level {level} must be from 1 to 9");
        self.level = level;
        self
    }

    /// How far back a message to a client may refer to itself: 2 to the power of this many bytes, which
    /// the client keeps. From 9 to 15; default 15, which is 32 KB. A client that offers less gets less.
    ///
    /// (`serverMaxWindowBits` of the reference server.)
    ///
    /// # Panics
    /// When it is another number.
    ///
    /// ```
    /// // For clients with little memory.
    /// let small = tower_socketio::PerMessageDeflate::default().window_bits(10);
    /// ```
    #[must_use]
    pub fn window_bits(mut self, bits: u8) -> Self {
        assert!(WINDOWS.contains(&bits), "the window bits {bits} must be from 9 to 15");
        self.window_bits = bits;
        self
    }

    /// Whether a message of that many bytes is worth it.
    pub(crate) fn covers(self, length: usize) -> bool {
        length >= self.threshold
    }

    /// What is agreed with a client that sent these headers, and the header that tells it so.
    pub(crate) fn agree(self, headers: &HeaderMap) -> Result<Option<(Agreed, HeaderValue)>, Malformed> {
        let lines = headers.get_all(SEC_WEBSOCKET_EXTENSIONS).iter();
        let Some(offer) = offer::find(lines.map(HeaderValue::as_bytes))? else {
            return Ok(None);
        };
        let window_bits = offer.server_window_bits.unwrap_or(15).min(self.window_bits);
        let window = if offer.server_window_bits.is_some() || window_bits < 15 {
            format!("; server_max_window_bits={window_bits}")
        } else {
            String::new()
        };
        let answer = format!("permessage-deflate; server_no_context_takeover; client_no_context_takeover{window}");
        let answer = HeaderValue::try_from(answer).expect("words and a number are a header's value");
        Ok(Some((Agreed { window_bits }, answer)))
    }
}

/// That a client may be sent compressed messages, and may send them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Agreed {
    /// How far back a message to it may refer.
    window_bits: u8,
}

/// A message's compressed WebSocket frames: each made when the first client needs it, for all that
/// follow.
#[derive(Debug)]
pub(crate) struct Compressed {
    level: u8,
    /// One for each of [`WINDOWS`]; nothing where it became no shorter.
    by_window: [OnceLock<Option<Box<[u8]>>>; 7],
}

impl Compressed {
    pub(crate) fn new(settings: PerMessageDeflate) -> Self {
        Self {
            level: settings.level,
            by_window: Default::default(),
        }
    }

    /// The frame of a packet, for a client with whom that was agreed.
    pub(crate) fn frame(&self, agreed: Agreed, opcode: Opcode, packet: &[u8]) -> Option<&[u8]> {
        let Agreed { window_bits } = agreed;
        let slot = &self.by_window[usize::from(window_bits - WINDOWS.start())];
        let frame = slot.get_or_init(|| {
            flate::compress(packet, self.level, window_bits, MAX_HEADER, |buffer| {
                let start = put_compressed_header_before(buffer, MAX_HEADER, opcode);
                Box::from(&buffer[start..])
            })
        });
        frame.as_deref()
    }
}

#[cfg(test)]
mod tests;
