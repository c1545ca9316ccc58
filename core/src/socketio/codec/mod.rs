//! Wire text and bytes <-> the words of [`super::packet`]; one file a format, all pure. Here is what
//! depends on the client's generation.
//!
//! `sio` reads and writes the packets of protocol 5 (and of the 1.x and 2.x clients, whose packets
//! look the same); `scan` is the one pass over incoming JSON; `placeholder`, `binary_ser` and
//! `binary_de` keep bytes beside that JSON.

pub(crate) mod binary_de;
pub(crate) mod binary_ser;
pub(crate) mod placeholder;
pub(crate) mod scan;
pub(crate) mod sio;

use super::packet::{Body, Kind, Packet, PacketError};
use crate::engine::{Generation, query_parameters};

/// What a client is told that asks for a namespace that is not there.
pub(crate) const INVALID_NAMESPACE: &str = "Invalid namespace";

/// Reads the text of a packet.
pub(crate) fn decode(generation: Generation, text: &str, max_attachments: usize) -> Result<Packet<'_>, PacketError> {
    let mut packet = sio::decode(text, max_attachments)?;
    match generation {
        Generation::Eio3 => {
            if let (Kind::Connect, Some((nsp, query))) = (packet.kind, packet.nsp.split_once('?')) {
                packet.nsp = nsp;
                packet.body = Body::Object(query_as_json(query).into());
            }
        }
        Generation::Eio4 => {}
    }
    Ok(packet)
}

/// The query that clients 1.x and 2.x append to a namespace stands for what later ones send as `auth`.
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
        Generation::Eio3 => sio::write_connect(out, nsp, None),
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
        Generation::Eio4 => sio::write_connect_error(out, nsp, message, data),
    }
}
