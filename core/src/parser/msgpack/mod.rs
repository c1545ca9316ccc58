//! The packets of the npm package `socket.io-msgpack-parser`: a map `{type, data, id, nsp}` each, in one binary
//! message. `encode` makes it of JSON, `decode` makes JSON of it; both pure, neither recurses without a limit.
//!
//! The wire is that of notepack.io 2.2, which that package uses, both ways; `decode` also takes what
//! clients in other languages write. What differs from JavaScript's own reading is said where it does.

mod decode;
mod encode;

use super::{Decoder, Packet, Parser, ParserError};
use crate::engine::Message;

/// The parser of the npm package `socket.io-msgpack-parser`: packets are MessagePack, and bytes are in
/// their place, not in messages of their own. Feature `msgpack`.
///
/// Handlers need not know: the same types are sent and received as with the default parser. In particular
/// - a whole number is sent as an integer, as JavaScript does, be it an `f64`; one from 2<sup>53</sup> on is exact, up to
///   that of a `u64`, though JavaScript clients round what they read;
/// - what JSON lacks is received as `JSON.stringify` writes it: a JavaScript `Date` as a string like
///   `2026-01-31T12:00:00.000Z`, `undefined` as null, or left out of an object, numbers that are not finite as null;
/// - keys of a map that are integers, booleans or nil are received as their text, others are refused;
/// - extension types are received as an array of the type and its bytes.
///
/// JavaScript clients 3.x and 4.x use version 3 of that package, clients 1.x and 2.x version 2; Python's are given
/// `serializer="msgpack"`.
///
/// ```
/// use tower_socketio::{SocketIo, parser::MsgPack};
///
/// let io = SocketIo::builder().parser(MsgPack).build();
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct MsgPack;

impl Parser for MsgPack {
    fn encode(&self, packet: &Packet<'_>, send: &mut dyn FnMut(Message<'_>)) -> Result<(), ParserError> {
        send(Message::Binary(&encode::packet(packet)?));
        Ok(())
    }

    fn decoder(&self, max_attachments: usize) -> Box<dyn Decoder> {
        Box::new(Unpack { max_attachments })
    }
}

struct Unpack {
    max_attachments: usize,
}

impl Decoder for Unpack {
    fn decode<'a>(&mut self, message: Message<'a>) -> Result<Option<Packet<'a>>, ParserError> {
        match message {
            Message::Binary(bytes) => decode::packet(bytes, self.max_attachments),
            Message::Text(text) => decode::text(text),
        }
        .map(Some)
    }
}

#[cfg(test)]
mod tests;
