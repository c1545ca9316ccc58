//! The neutral words of Socket.IO: what a packet is, whichever codec read it.
//!
//! Owns [`Kind`], [`Packet`], [`Body`], the reserved event names and [`PacketError`]. Never reads
//! or writes a wire format: that is `codec`'s. Next: `codec/sio.rs`, then `namespace.rs` for what
//! happens to a packet.

use std::{borrow::Cow, fmt};

use super::codec::scan::ScanError;
use crate::parser::ParserError;

/// What a packet asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Connect,
    Disconnect,
    Event,
    Ack,
    ConnectError,
    BinaryEvent,
    BinaryAck,
}

/// One packet, borrowed from the message that it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packet<'a> {
    pub(crate) kind: Kind,
    /// How many binary messages follow and belong to it: 0 except for the binary kinds.
    pub(crate) attachments: usize,
    /// `/` when the packet names none. Clients 1.x and 2.x may append `?query` to it in CONNECT.
    pub(crate) nsp: &'a str,
    pub(crate) id: Option<u64>,
    /// The id of an event that the client wants acknowledged without the application.
    pub(crate) receipt: Option<u64>,
    pub(crate) body: Body<'a>,
}

/// What a packet carries. All of it is valid JSON, free of lone surrogates, and no deeper than
/// `serde_json` reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Body<'a> {
    None,
    /// CONNECT: an object.
    Object(Cow<'a, str>),
    /// EVENT: the decoded name, and the arguments after it, with commas between and no brackets
    /// around (`1,"a"`).
    Event {
        name: Cow<'a, str>,
        args: Cow<'a, str>,
    },
    /// ACK: the arguments, as in an event.
    Args(Cow<'a, str>),
    /// `CONNECT_ERROR`: an object or, to clients 1.x and 2.x, any string.
    Reason(Cow<'a, str>),
}

/// Names that mean something to the libraries at either end, so that no application may send them.
const RESERVED: [&str; 6] = [
    "connect",
    "connect_error",
    "disconnect",
    "disconnecting",
    "newListener",
    "removeListener",
];

/// Whether an event may not have this name.
pub(crate) fn is_reserved(name: &str) -> bool {
    // Most names differ in length from all of them.
    matches!(name.len(), 7 | 10 | 11 | 13 | 14) && RESERVED.contains(&name)
}

/// Why a client's packet is refused. The client is at fault, and its connection ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PacketError {
    Empty,
    UnknownKind(char),
    AttachmentCount,
    TooManyAttachments { max: usize },
    NamespaceTooLong { max: usize },
    IdTooLarge,
    IdMissing,
    IdUnexpected,
    Payload { expected: &'static str },
    EventName,
    ReservedName(String),
    Json(ScanError),
    Placeholder { attachments: usize },
    PlaceholderRepeated { num: usize },
    TextAmongAttachments,
    UnexpectedAttachment,
    Namespace,
    AttachmentsUnexpected,
    Parser(ParserError),
}

impl fmt::Display for PacketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("packet is empty; it must begin with a digit from 0 to 6"),
            Self::UnknownKind(first) => {
                write!(
                    f,
                    "packet begins with {first:?}; it must begin with a digit from 0 to 6"
                )
            }
            Self::AttachmentCount => {
                f.write_str("attachment count is missing or zero; a binary packet begins like `51-`")
            }
            Self::TooManyAttachments { max } => {
                write!(f, "packet announces more than {max} attachments")
            }
            Self::NamespaceTooLong { max } => {
                write!(f, "namespace is longer than {max} bytes")
            }
            Self::IdTooLarge => f.write_str("packet id does not fit into 64 bits"),
            Self::IdMissing => f.write_str("ack has no id"),
            Self::IdUnexpected => f.write_str("packet has an id; only an event and an ack may have one"),
            Self::Payload { expected } => write!(f, "payload is not what it must be: {expected}"),
            Self::EventName => f.write_str("first element of an event must be its name, a string"),
            Self::ReservedName(name) => {
                write!(f, "event name {name:?} is reserved; send another")
            }
            Self::Json(error) => write!(f, "payload is not acceptable json: {error}"),
            Self::Placeholder { attachments } => write!(
                f,
                "placeholder's num is not an integer below {attachments}, the number of attachments"
            ),
            Self::PlaceholderRepeated { num } => {
                write!(f, "attachment {num} is used by two placeholders; send it twice instead")
            }
            Self::TextAmongAttachments => f.write_str("text came where a binary packet's attachment was due"),
            Self::UnexpectedAttachment => f.write_str("binary came without a packet that announced it"),
            Self::Namespace => f.write_str("namespace does not begin with `/`, or has a `,`"),
            Self::AttachmentsUnexpected => f.write_str("packet has attachments; only an event and an ack may have any"),
            Self::Parser(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for PacketError {}

impl From<ScanError> for PacketError {
    fn from(error: ScanError) -> Self {
        Self::Json(error)
    }
}

impl From<ParserError> for PacketError {
    fn from(error: ParserError) -> Self {
        Self::Parser(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reserved_name_is_recognised() {
        for name in RESERVED {
            assert!(is_reserved(name), "{name}");
        }
    }

    #[test]
    fn other_names_are_free() {
        for name in [
            "",
            "error",
            "message",
            "Connect",
            "reconnect",
            "connecting",
            "disconnect ",
        ] {
            assert!(!is_reserved(name), "{name}");
        }
    }
}
