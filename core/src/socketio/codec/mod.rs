//! Wire text and bytes <-> the words of [`super::packet`]; one file a format, all pure. Here is what
//! depends on the client's generation.
//!
//! `sio` reads and writes the packets of protocol 5 (and of the 1.x and 2.x clients, whose packets
//! look the same), `v0_9` those of the clients before; `scan` is the one pass over incoming JSON;
//! `placeholder`, `binary_ser` and `binary_de` keep bytes beside that JSON.

pub(crate) mod binary_de;
pub(crate) mod binary_ser;
pub(crate) mod placeholder;
pub(crate) mod scan;
pub(crate) mod sio;
mod v0_9;

use bytes::Bytes;

use super::packet::{Body, Kind, Packet, PacketError};
use crate::engine::{Frame, Generation, query_parameters};

/// What a client is told that asks for a namespace that is not there.
pub(crate) const INVALID_NAMESPACE: &str = "Invalid namespace";

/// Reads the text of a packet.
pub(crate) fn decode(generation: Generation, text: &str, max_attachments: usize) -> Result<Packet<'_>, PacketError> {
    match generation {
        Generation::V0_9 => v0_9::decode(text),
        Generation::Eio3 => {
            let mut packet = sio::decode(text, max_attachments)?;
            if let (Kind::Connect, Some((nsp, query))) = (packet.kind, packet.nsp.split_once('?')) {
                packet.nsp = nsp;
                packet.body = Body::Object(query_as_json(query).into());
            }
            Ok(packet)
        }
        Generation::Eio4 => sio::decode(text, max_attachments),
    }
}

/// Whether packets without attachments look as `sio` writes them.
pub(crate) fn is_as_written(generation: Generation) -> bool {
    match generation {
        Generation::V0_9 => false,
        Generation::Eio3 | Generation::Eio4 => true,
    }
}

/// A packet that `sio` wrote, as that generation has it; nothing where its clients are not told or
/// cannot be.
pub(crate) fn recode(generation: Generation, head: &Frame, attachments: &[Bytes]) -> Box<[Frame]> {
    match generation {
        Generation::V0_9 if attachments.is_empty() => {
            let packet = std::str::from_utf8(&head.packet()[1..]).unwrap_or_default();
            let recoded = v0_9::from_sio(packet).and_then(|packet| generation.text(&packet));
            recoded.into_iter().collect()
        }
        Generation::V0_9 => Box::default(),
        Generation::Eio3 | Generation::Eio4 => {
            let binary = attachments.iter().filter_map(|bytes| generation.binary(bytes));
            std::iter::once(head.clone()).chain(binary).collect()
        }
    }
}

/// The query that clients before 3.0 append to a namespace stands for what later ones send as `auth`.
fn query_as_json(query: &str) -> String {
    let mut object = serde_json::Map::new();
    for (name, value) in query_parameters(query) {
        object.entry(name).or_insert_with(|| value.into_owned().into());
    }
    serde_json::Value::Object(object).to_string()
}

/// Appends the server's CONNECT.
pub(crate) fn write_connect(generation: Generation, out: &mut Vec<u8>, nsp: &str, sid: &str) {
    match generation {
        Generation::V0_9 | Generation::Eio3 => sio::write_connect(out, nsp, None),
        Generation::Eio4 => sio::write_connect(out, nsp, Some(sid)),
    }
}

/// Appends the refusal of a CONNECT. `data` is JSON.
pub(crate) fn write_connect_error(
    generation: Generation,
    out: &mut Vec<u8>,
    nsp: &str,
    message: &str,
    data: Option<&str>,
) {
    match generation {
        // As the reference: this one refusal is an object here, too.
        Generation::Eio3 if message == INVALID_NAMESPACE => sio::write_connect_error(out, nsp, message, data),
        Generation::Eio3 => sio::write_error(out, nsp, message, data),
        Generation::V0_9 | Generation::Eio4 => sio::write_connect_error(out, nsp, message, data),
    }
}
