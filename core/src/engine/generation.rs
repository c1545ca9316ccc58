//! The generations of the protocol: which one a client speaks, which codec that means, and the table of
//! what else differs. Chosen once, at the handshake; elsewhere code asks the [`Profile`].

use std::fmt;

use bytes::Bytes;
use serde::Serialize;

use super::codec::{Malformed, PayloadForm, Posted, Signal, eio3, eio4, frame::Frame, v0_9};
use super::sid::Sid;

/// A generation of the protocol, named by what users know.
///
/// ```
/// use tower_socketio::Generation;
///
/// assert_eq!(Generation::Eio4.to_string(), "Engine.IO 4");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Generation {
    /// Socket.IO 0.9 and what came before it (protocol 1): clients 0.7 to 0.9.
    V0_9,
    /// Engine.IO 3 and Socket.IO 4: clients 1.x and 2.x.
    Eio3,
    /// Engine.IO 4 and Socket.IO 5: clients 3.x and 4.x.
    Eio4,
}

/// What differs between generations beyond their codecs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Profile {
    pub(crate) heartbeat: Asks,
    pub(crate) switch: Switch,
    pub(crate) root: Root,
    pub(crate) strays: Strays,
    pub(crate) socket_id: SocketId,
    pub(crate) binary: Binary,
    pub(crate) recovery: Recovery,
}

/// What a client says first where the URL does not tell what it wants.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Greeting {
    New,
    /// To take that session over.
    Known(Sid),
}

/// Who begins a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asks {
    Server,
    Client,
    /// The server, but for a client that polls, who shows by that that it is alive.
    ServerUnlessPolled,
}

/// How a client changes its transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Switch {
    /// Once, to a duplex stream that has proved that it works.
    Probe,
    /// At any time: the newest request carries it.
    Newest,
}

/// How a client comes to be in the main namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Root {
    OnRequest,
    /// The server puts it there when the connection begins.
    AtOnce,
    /// As [`AtOnce`](Self::AtOnce), without a word; who leaves it ends the connection.
    IsConnection,
}

/// What becomes of packets for a namespace that the client is not in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strays {
    EndConnection,
    /// The client cannot know: it does not wait to be let in, or is not told that it was not.
    Ignored,
}

/// What the id of a client's socket in a namespace is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SocketId {
    Fresh,
    /// The connection's, behind the namespace's name unless that is the main one.
    OfConnection,
    /// The connection's, in all namespaces.
    IsConnections,
}

/// Whether messages may be bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binary {
    Sent,
    Refused,
}

/// Whether a client that has lost its connection can come back as the socket that it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recovery {
    Known,
    Unknown,
}

impl Generation {
    /// All that this server speaks.
    pub(crate) const ALL: [Self; 3] = [Self::V0_9, Self::Eio3, Self::Eio4];
    /// Those whose messages are an application's own, without Socket.IO.
    pub(super) const OF_THE_ENGINE: [Self; 2] = [Self::Eio3, Self::Eio4];

    /// What clients over WebTransport speak.
    pub(super) const OF_WEBTRANSPORT: Self = Self::Eio4;

    /// Reads the `EIO` parameter of a URL. As the reference: anything but 4 is 3.
    pub(crate) fn from_query(eio: Option<&str>) -> Self {
        match eio {
            Some("4") => Self::Eio4,
            _ => Self::Eio3,
        }
    }

    pub(crate) const fn profile(self) -> Profile {
        match self {
            Self::V0_9 => Profile {
                heartbeat: Asks::ServerUnlessPolled,
                switch: Switch::Newest,
                root: Root::IsConnection,
                strays: Strays::Ignored,
                socket_id: SocketId::IsConnections,
                binary: Binary::Refused,
                recovery: Recovery::Unknown,
            },
            Self::Eio3 => Profile {
                heartbeat: Asks::Client,
                switch: Switch::Probe,
                root: Root::AtOnce,
                strays: Strays::EndConnection,
                socket_id: SocketId::OfConnection,
                binary: Binary::Sent,
                recovery: Recovery::Unknown,
            },
            Self::Eio4 => Profile {
                heartbeat: Asks::Server,
                switch: Switch::Probe,
                root: Root::OnRequest,
                strays: Strays::EndConnection,
                socket_id: SocketId::Fresh,
                binary: Binary::Sent,
                recovery: Recovery::Known,
            },
        }
    }

    /// One packet: a text message of a duplex stream.
    pub(crate) fn decode(self, packet: &str) -> Result<Signal<'_>, Malformed> {
        match self {
            Self::V0_9 => v0_9::decode(packet),
            Self::Eio3 => eio3::decode(packet),
            Self::Eio4 => eio4::decode(packet),
        }
    }

    /// The first packet over WebTransport; `None` for any other.
    pub(super) fn greeting(self, packet: &str) -> Option<Greeting> {
        match self {
            Self::V0_9 | Self::Eio3 => None,
            Self::Eio4 => match eio4::opening(packet)? {
                "" => Some(Greeting::New),
                data => eio4::session(data).and_then(|id| Sid::parse(&id)).map(Greeting::Known),
            },
        }
    }

    /// One packet: a binary message of such a stream.
    pub(crate) fn decode_binary(self, packet: &[u8]) -> Result<Signal<'_>, Malformed> {
        match self {
            Self::V0_9 => Err(Malformed("a binary message: this generation has none")),
            Self::Eio3 => eio3::decode_binary(packet),
            Self::Eio4 => Ok(Signal::Binary(packet.into())),
        }
    }

    /// Whether clients post payloads of bytes.
    pub(super) const fn posts_bytes(self) -> bool {
        match self {
            Self::Eio3 => true,
            Self::V0_9 | Self::Eio4 => false,
        }
    }

    /// A payload of text.
    pub(crate) fn posted(self, payload: String) -> Posted {
        match self {
            Self::Eio3 => eio3::posted(payload),
            Self::V0_9 | Self::Eio4 => Posted::Text(payload),
        }
    }

    /// Text of a client that encodes it twice; `None` where that makes no difference.
    pub(super) fn decode_again(self, packet: &str) -> Option<String> {
        match self {
            Self::Eio3 => eio3::decode_again(packet),
            Self::V0_9 | Self::Eio4 => None,
        }
    }

    /// The packet of a payload that begins at that byte, and where the next one does; `None` at its end.
    pub(crate) fn decode_next(self, payload: &Posted, at: usize) -> Option<(Result<Signal<'_>, Malformed>, usize)> {
        match (self, payload) {
            (Self::V0_9, Posted::Text(text)) => v0_9::decode_next(text, at),
            (Self::Eio3, Posted::Text(text)) => eio3::decode_next(text, at, eio3::Counts::Utf16),
            (Self::Eio3, Posted::CountedInBytes(text)) => eio3::decode_next(text, at, eio3::Counts::Bytes),
            (Self::Eio3, Posted::Binary(bytes)) => eio3::decode_next_binary(bytes, at),
            (Self::Eio4, Posted::Text(text)) => eio4::decode_next(text, at),
            (Self::V0_9 | Self::Eio4, Posted::CountedInBytes(_) | Posted::Binary(_)) => None,
        }
    }

    /// Frames as one polling payload.
    pub(crate) fn encode_payload<'a>(
        self,
        frames: impl Iterator<Item = &'a Frame> + Clone,
        form: PayloadForm,
    ) -> Vec<u8> {
        match self {
            Self::V0_9 => v0_9::encode_payload(frames),
            Self::Eio3 => eio3::encode_payload(frames, form),
            Self::Eio4 => eio4::encode_payload(frames),
        }
    }

    /// The media type of such a payload.
    pub(super) const fn payload_type(self, form: PayloadForm) -> &'static str {
        match (self, form) {
            (Self::Eio3, PayloadForm::Any) => "application/octet-stream",
            (Self::Eio3, PayloadForm::Text) | (Self::V0_9 | Self::Eio4, _) => "text/plain; charset=UTF-8",
        }
    }

    /// The answer to a handshake that comes before any transport.
    pub(super) fn handshake(self, sid: &Sid, silence_seconds: u64, transports: &str) -> String {
        match self {
            Self::V0_9 => v0_9::handshake(sid.as_str(), silence_seconds, transports),
            Self::Eio3 | Self::Eio4 => unreachable!("{self} shakes hands by its first transport"),
        }
    }

    /// What a client posts to leave, where that is a packet.
    pub(super) fn goodbye(self) -> Option<Posted> {
        match self {
            Self::V0_9 => Some(Posted::Text("0::".to_owned())),
            Self::Eio3 | Self::Eio4 => None,
        }
    }

    /// The first packet of a connection, with what the client must know of it.
    pub(super) fn open(self, data: &impl Serialize) -> Frame {
        match self {
            Self::V0_9 => v0_9::control(&Signal::Open),
            Self::Eio3 | Self::Eio4 => eio4::open(data),
        }
    }

    /// A packet that the server sends of itself.
    pub(super) fn control(self, signal: &Signal<'_>) -> Frame {
        match self {
            Self::V0_9 => v0_9::control(signal),
            Self::Eio3 | Self::Eio4 => eio4::control(signal),
        }
    }

    /// A text message; `None` for what can be none.
    pub(crate) fn text(self, text: &str) -> Option<Frame> {
        match self {
            Self::V0_9 => v0_9::text(text),
            Self::Eio3 | Self::Eio4 => Some(Frame::text(text)),
        }
    }

    /// A binary message, for generations that have them.
    pub(crate) fn binary(self, bytes: &[u8]) -> Option<Frame> {
        match self {
            Self::V0_9 => None,
            Self::Eio3 => Some(eio3::binary(bytes)),
            Self::Eio4 => Some(Frame::binary(&[], bytes)),
        }
    }

    /// As [`binary`](Self::binary), without a copy where they are many.
    pub(crate) fn bytes(self, bytes: &Bytes) -> Option<Frame> {
        match self {
            Self::V0_9 | Self::Eio3 => self.binary(bytes),
            Self::Eio4 => Some(Frame::bytes(bytes)),
        }
    }

    /// A packet for clients that read no bytes.
    pub(super) fn as_text(self, frame: &Frame) -> Frame {
        match self {
            Self::V0_9 => frame.clone(),
            Self::Eio3 => eio3::as_text(frame),
            Self::Eio4 => eio4::as_text(frame),
        }
    }

    /// How long the message in a packet is.
    pub(super) fn message_len(self, frame: &Frame) -> usize {
        let type_len = match self {
            Self::V0_9 => 0,
            Self::Eio3 => 1,
            Self::Eio4 => usize::from(!frame.is_binary()),
        };
        frame.packet().len() - type_len
    }

    /// The number that clients send: as `EIO`, or, those of 0.9, in the path.
    ///
    /// ```
    /// use tower_socketio::Generation;
    ///
    /// assert_eq!(Generation::Eio4.protocol(), 4);
    /// ```
    pub const fn protocol(self) -> u8 {
        match self {
            Self::V0_9 => 1,
            Self::Eio3 => 3,
            Self::Eio4 => 4,
        }
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V0_9 => f.write_str("Socket.IO 0.9"),
            Self::Eio3 | Self::Eio4 => write!(f, "Engine.IO {}", self.protocol()),
        }
    }
}
