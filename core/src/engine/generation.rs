//! The generations of the protocol: which one a client speaks, which codec that means, and the table of
//! what else differs. Chosen once, at the handshake; elsewhere code asks the [`Profile`].

use std::fmt;

use super::codec::{Malformed, PayloadForm, Posted, Signal, eio3, eio4, frame::Frame};

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
    /// Engine.IO 3 and Socket.IO 4: clients 1.x and 2.x.
    Eio3,
    /// Engine.IO 4 and Socket.IO 5: clients 3.x and 4.x.
    Eio4,
}

/// What differs between generations beyond their codecs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Profile {
    pub(crate) heartbeat: Asks,
    pub(crate) root: Root,
    pub(crate) socket_id: SocketId,
}

/// Who begins a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asks {
    Server,
    Client,
}

/// How a client comes to be in the main namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Root {
    OnRequest,
    /// The server puts it there when the connection begins.
    AtOnce,
}

/// What the id of a client's socket in a namespace is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SocketId {
    Fresh,
    /// The connection's, behind the namespace's name unless that is the main one.
    OfConnection,
}

impl Generation {
    /// All that this server speaks.
    pub(crate) const ALL: [Self; 2] = [Self::Eio3, Self::Eio4];

    /// Reads the `EIO` parameter of a URL. As the reference: anything but 4 is 3.
    pub(crate) fn from_query(eio: Option<&str>) -> Self {
        match eio {
            Some("4") => Self::Eio4,
            _ => Self::Eio3,
        }
    }

    pub(crate) const fn profile(self) -> Profile {
        match self {
            Self::Eio3 => Profile {
                heartbeat: Asks::Client,
                root: Root::AtOnce,
                socket_id: SocketId::OfConnection,
            },
            Self::Eio4 => Profile {
                heartbeat: Asks::Server,
                root: Root::OnRequest,
                socket_id: SocketId::Fresh,
            },
        }
    }

    /// One packet: a WebSocket text frame.
    pub(super) fn decode(self, packet: &str) -> Result<Signal<'_>, Malformed> {
        match self {
            Self::Eio3 | Self::Eio4 => eio4::decode(packet),
        }
    }

    /// One packet: a WebSocket binary frame.
    pub(super) fn decode_binary(self, packet: &[u8]) -> Result<Signal<'_>, Malformed> {
        match self {
            Self::Eio3 => eio3::decode_binary(packet),
            Self::Eio4 => Ok(Signal::Binary(packet.into())),
        }
    }

    /// Whether clients post payloads of bytes.
    pub(super) const fn posts_bytes(self) -> bool {
        match self {
            Self::Eio3 => true,
            Self::Eio4 => false,
        }
    }

    /// The packet of a payload that begins at that byte, and where the next one does; `None` at its end.
    pub(crate) fn decode_next(self, payload: &Posted, at: usize) -> Option<(Result<Signal<'_>, Malformed>, usize)> {
        match (self, payload) {
            (Self::Eio3, Posted::Text(text)) => eio3::decode_next(text, at),
            (Self::Eio3, Posted::Binary(bytes)) => eio3::decode_next_binary(bytes, at),
            (Self::Eio4, Posted::Text(text)) => eio4::decode_next(text, at),
            (Self::Eio4, Posted::Binary(_)) => None,
        }
    }

    /// Frames as one polling payload.
    pub(super) fn encode_payload<'a>(
        self,
        frames: impl Iterator<Item = &'a Frame> + Clone,
        form: PayloadForm,
    ) -> Vec<u8> {
        match self {
            Self::Eio3 => eio3::encode_payload(frames, form),
            Self::Eio4 => eio4::encode_payload(frames),
        }
    }

    /// The media type of such a payload.
    pub(super) const fn payload_type(self, form: PayloadForm) -> &'static str {
        match (self, form) {
            (Self::Eio3, PayloadForm::Any) => "application/octet-stream",
            (Self::Eio3, PayloadForm::Text) | (Self::Eio4, _) => "text/plain; charset=UTF-8",
        }
    }

    /// The first packet of a connection, with what the client must know of it.
    pub(super) fn open(self, data: &serde_json::Value) -> Frame {
        match self {
            Self::Eio3 | Self::Eio4 => eio4::open(data),
        }
    }

    /// A packet that the server sends of itself.
    pub(super) fn control(self, signal: &Signal<'_>) -> Frame {
        match self {
            Self::Eio3 | Self::Eio4 => eio4::control(signal),
        }
    }

    /// A binary message.
    pub(crate) fn binary(self, bytes: &[u8]) -> Frame {
        match self {
            Self::Eio3 => eio3::binary(bytes),
            Self::Eio4 => Frame::binary(&[], bytes),
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
            Self::Eio3 => 3,
            Self::Eio4 => 4,
        }
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Engine.IO {}", self.protocol())
    }
}
