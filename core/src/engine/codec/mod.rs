//! Wire units to [`Signal`]s and back, a file a generation; outgoing messages as [`frame`]s. Pure: no
//! I/O, no clock, no locks.
//!
//! Which codec a connection speaks is decided once, at its handshake, by
//! [`Generation`](super::generation::Generation).

use std::borrow::Cow;

pub(crate) mod eio3;
pub(crate) mod eio4;
pub(crate) mod frame;
mod utf16;
pub(crate) mod v0_9;

/// What one packet of the engine means, the same words for every generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Signal<'a> {
    Open,
    Close,
    /// A heartbeat's question, or the probe of an upgrade when it carries `probe`.
    Ping(&'a str),
    /// Its answer, with what was asked.
    Pong(&'a str),
    Text(&'a str),
    Binary(Cow<'a, [u8]>),
    Upgrade,
    Noop,
}

/// What a client posted: a payload of several packets.
#[derive(Debug)]
pub(crate) enum Posted {
    Text(String),
    /// Text whose lengths count bytes.
    CountedInBytes(String),
    Binary(Vec<u8>),
}

impl Posted {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Text(text) | Self::CountedInBytes(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }
}

/// What a poll's answer may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PayloadForm {
    Any,
    /// The client reads no bytes.
    Text,
}

/// What a client said of itself when it shook hands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reader {
    pub(crate) form: PayloadForm,
    /// It encodes all text in UTF-8 twice but in payloads of bytes, and so decodes it: clients 1.0.
    pub(crate) decodes_twice: bool,
}

/// A packet or payload that is none of its generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}
