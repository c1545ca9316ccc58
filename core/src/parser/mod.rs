//! How a server's packets look on the wire: the default parser's text needs nothing of this module;
//! [`MsgPack`] is that of the package `socket.io-msgpack-parser`, and [`Parser`] is for one's
//! own.
//!
//! A server has one parser for all of its clients, given to
//! [`SocketIoBuilder::parser`](crate::SocketIoBuilder::parser), and its clients must be given the same as their option
//! `parser`. Clients before 1.0 know of none: they are served as always.
//!
//! An own parser, whose packets are JSON and in which integers beyond 2<sup>53</sup>, which JavaScript would round, are
//! strings like `"9007199254740993n"`:
//!
//! ```
#![doc = include_str!("../../docs/parser.rs")]
//!
//! # fn main() {
//! use tower_socketio::SocketIo;
//!
//! let io = SocketIo::builder().parser(BigIntegers).build();
//! # }
//! ```
//!
//! And the same for its JavaScript clients, `io({ parser })`:
//!
//! ```js
#![doc = include_str!("../../docs/parser.mjs")]
//! ```

#[cfg(feature = "msgpack")]
mod msgpack;

use std::{borrow::Cow, error::Error, fmt};

use bytes::Bytes;

#[cfg(feature = "msgpack")]
pub use self::msgpack::MsgPack;
use crate::engine::Message;

/// How packets look on the wire. The [module](self) has a complete example.
///
/// Both halves are called by the tasks of the clients: they must not block.
///
/// ```
/// use tower_socketio::{SocketIo, parser::Parser};
///
/// fn server(parser: impl Parser) -> SocketIo {
///     SocketIo::builder().parser(parser).build()
/// }
/// ```
pub trait Parser: Send + Sync + 'static {
    /// Writes a packet, as one message or more, each given to `send`. Called once a packet, however many clients it
    /// is for; the messages of one packet follow each other without others between. The [module](self) has an example.
    ///
    /// # Errors
    /// A packet that cannot be written: then nothing of it is sent, and whoever emitted is told.
    fn encode(&self, packet: &Packet<'_>, send: &mut dyn FnMut(Message<'_>)) -> Result<(), ParserError>;

    /// What reads the messages of one connection, made when the first comes. A packet with more than `max_attachments`
    /// is [refused](crate::SocketIoBuilder::max_attachments), and need not be read to its end. The [module](self) has
    /// an example.
    fn decoder(&self, max_attachments: usize) -> Box<dyn Decoder>;
}

/// Reads the packets of one connection. The [module](self) has a complete example.
///
/// ```
/// use tower_socketio::{
///     engine::Message,
///     parser::{Decoder, Packet, PacketKind, ParserError},
/// };
///
/// /// Every message is an event `message` of the namespace `/`.
/// struct Messages;
///
/// impl Decoder for Messages {
///     fn decode<'a>(&mut self, message: Message<'a>) -> Result<Option<Packet<'a>>, ParserError> {
///         let Message::Text(text) = message else {
///             return Err(ParserError::new("bytes, where this parser has text only"));
///         };
///         let data = serde_json::json!(["message", text]);
///         Ok(Some(Packet::new(PacketKind::Event, "/").with_data(data.to_string())))
///     }
/// }
///
/// let packet = Messages.decode(Message::Text("hi")).unwrap().unwrap();
/// assert_eq!(packet.data.as_deref(), Some(r#"["message","hi"]"#));
/// ```
pub trait Decoder: Send + 'static {
    /// Takes a message; returns the packet that is complete with it, or `None` while more messages belong to it.
    ///
    /// What it returns is checked as packets of the default parser are: it need not be. A message is at most
    /// [`max_payload`](crate::SocketIoBuilder::max_payload) bytes long; a client that leaves a packet incomplete for 30 s
    /// is disconnected. What it keeps of incomplete packets, it must bound itself. The [trait](Self) has an example.
    ///
    /// # Errors
    /// What no client sends. Its connection is closed, and
    /// [`on_error`](crate::SocketIo::on_error) is told.
    fn decode<'a>(&mut self, message: Message<'a>) -> Result<Option<Packet<'a>>, ParserError>;
}

/// What a packet asks for.
///
/// ```
/// use tower_socketio::parser::PacketKind;
///
/// assert_eq!(PacketKind::Event.code(), 2);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PacketKind {
    /// To be let into a namespace, or that the client is.
    Connect,
    /// To leave it.
    Disconnect,
    /// An event.
    Event,
    /// The answer to an event that has an id.
    Ack,
    /// That the client is not let in.
    ConnectError,
}

impl PacketKind {
    const ALL: [Self; 5] = [
        Self::Connect,
        Self::Disconnect,
        Self::Event,
        Self::Ack,
        Self::ConnectError,
    ];

    /// Its number in the protocol, from 0 to 4. Events and acks with bytes, which the protocol numbers 5 and 6, are
    /// events and acks here.
    ///
    /// ```
    /// use tower_socketio::parser::PacketKind;
    ///
    /// assert_eq!(PacketKind::Connect.code(), 0);
    /// ```
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The kind of that number, from 0 to 4.
    ///
    /// ```
    /// use tower_socketio::parser::PacketKind;
    ///
    /// assert_eq!(PacketKind::from_code(3), Some(PacketKind::Ack));
    /// assert_eq!(PacketKind::from_code(5), None);
    /// ```
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }
}

/// A packet, however it looks on the wire.
///
/// ```
/// use tower_socketio::parser::{Packet, PacketKind};
///
/// let packet = Packet::new(PacketKind::Event, "/chat").with_data(r#"["say","hello"]"#);
/// assert_eq!((&*packet.namespace, packet.id), ("/chat", None));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Packet<'a> {
    /// What it asks for.
    pub kind: PacketKind,
    /// The namespace's path; it begins with `/`. Clients 1.x and 2.x append `?` and a query when they connect.
    pub namespace: Cow<'a, str>,
    /// That of an event which is to be acknowledged, and of its ack. Others have none.
    pub id: Option<u64>,
    /// JSON: an object to connect (or nothing), an array of name and arguments for an event, an array of arguments for
    /// an ack, an object or a string for a refusal, nothing to leave.
    pub data: Option<Cow<'a, str>>,
    /// Bytes of an event or ack: in `data`, `{"_placeholder":true,"num":0}` stands for the first of them. Without
    /// any, such an object is but an object.
    pub attachments: Cow<'a, [Bytes]>,
}

impl<'a> Packet<'a> {
    /// A packet without id, data and attachments.
    ///
    /// ```
    /// use tower_socketio::parser::{Packet, PacketKind};
    ///
    /// let packet = Packet::new(PacketKind::Disconnect, "/");
    /// assert_eq!(packet.data, None);
    /// ```
    #[must_use]
    pub fn new(kind: PacketKind, namespace: impl Into<Cow<'a, str>>) -> Self {
        Self {
            kind,
            namespace: namespace.into(),
            id: None,
            data: None,
            attachments: Cow::default(),
        }
    }

    /// The same with that JSON as its data.
    ///
    /// ```
    /// use tower_socketio::parser::{Packet, PacketKind};
    ///
    /// let packet = Packet::new(PacketKind::Event, "/").with_data(r#"["hi"]"#);
    /// assert_eq!(packet.data.as_deref(), Some(r#"["hi"]"#));
    /// ```
    #[must_use]
    pub fn with_data(self, data: impl Into<Cow<'a, str>>) -> Self {
        Self {
            data: Some(data.into()),
            ..self
        }
    }

    /// The same with that id.
    ///
    /// ```
    /// use tower_socketio::parser::{Packet, PacketKind};
    ///
    /// let packet = Packet::new(PacketKind::Ack, "/").with_id(7).with_data("[]");
    /// assert_eq!(packet.id, Some(7));
    /// ```
    #[must_use]
    pub fn with_id(self, id: impl Into<Option<u64>>) -> Self {
        Self { id: id.into(), ..self }
    }

    /// The same with those attachments.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use tower_socketio::parser::{Packet, PacketKind};
    ///
    /// let data = r#"["icon",{"_placeholder":true,"num":0}]"#;
    /// let icon = vec![Bytes::from_static(b"png")];
    /// let packet = Packet::new(PacketKind::Event, "/").with_data(data).with_attachments(icon);
    /// assert_eq!(&*packet.attachments, ["png"]);
    /// ```
    #[must_use]
    pub fn with_attachments(self, attachments: impl Into<Cow<'a, [Bytes]>>) -> Self {
        Self {
            attachments: attachments.into(),
            ..self
        }
    }
}

/// Why a packet cannot be written or read.
///
/// ```
/// use tower_socketio::parser::ParserError;
///
/// assert_eq!(ParserError::new("packet is empty").to_string(), "packet is empty");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParserError(Box<str>);

impl ParserError {
    /// An error of that text.
    ///
    /// ```
    /// use tower_socketio::parser::ParserError;
    ///
    /// let error = "x".parse::<u8>().map_err(ParserError::new).unwrap_err();
    /// assert_eq!(error.to_string(), "invalid digit found in string");
    /// ```
    pub fn new(why: impl fmt::Display) -> Self {
        Self(why.to_string().into())
    }
}

impl fmt::Display for ParserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for ParserError {}
