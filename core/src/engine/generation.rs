//! The generations of the protocol: which one a client speaks, and which codec that means. Chosen
//! once, at the handshake; nobody else asks.

use std::fmt;

use super::codec::{Malformed, Signal, eio4, frame::Frame};

/// A generation of the protocol, named by what users know. Clients of others are refused with
/// status 400 and `Unsupported protocol version`, as the reference server does.
///
/// ```
/// use tower_socketio::Generation;
///
/// assert_eq!(Generation::Eio4.to_string(), "Engine.IO 4");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Generation {
    /// Engine.IO 4 and Socket.IO 5: clients 3.x and 4.x.
    Eio4,
}

impl Generation {
    /// Reads the `EIO` parameter of a URL.
    pub(crate) fn from_query(eio: Option<&str>) -> Option<Self> {
        match eio {
            Some("4") => Some(Self::Eio4),
            _ => None,
        }
    }

    /// One packet: a WebSocket text frame.
    pub(super) fn decode(self, packet: &str) -> Result<Signal<'_>, Malformed> {
        match self {
            Self::Eio4 => eio4::decode(packet),
        }
    }

    /// The first packet of a polling payload, and how many bytes it and its separator take.
    pub(crate) fn decode_first(self, payload: &str) -> (Result<Signal<'_>, Malformed>, usize) {
        match self {
            Self::Eio4 => eio4::decode_first(payload),
        }
    }

    /// Frames as one polling payload.
    pub(super) fn encode_payload<'a>(self, frames: impl Iterator<Item = &'a Frame> + Clone) -> Vec<u8> {
        match self {
            Self::Eio4 => eio4::encode_payload(frames),
        }
    }

    /// The first packet of a connection, with what the client must know of it.
    pub(super) fn open(self, data: &serde_json::Value) -> Frame {
        match self {
            Self::Eio4 => eio4::open(data),
        }
    }

    /// A packet that the server sends of itself.
    pub(super) fn control(self, signal: &Signal<'_>) -> Frame {
        match self {
            Self::Eio4 => eio4::control(signal),
        }
    }

    /// The number that clients send as `EIO`.
    ///
    /// ```
    /// use tower_socketio::Generation;
    ///
    /// assert_eq!(Generation::Eio4.protocol(), 4);
    /// ```
    pub const fn protocol(self) -> u8 {
        match self {
            Self::Eio4 => 4,
        }
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Engine.IO {}", self.protocol())
    }
}
