//! Wire text and bytes <-> the words of [`super::packet`]; one file a format, all pure. Here is what
//! depends on the client's generation.
//!
//! `sio` reads and writes the packets of protocol 5 (and of the 1.x and 2.x clients, whose packets
//! look the same), `v0_9` those of the clients before, `own` those of a server with a parser of its own; `scan` is the one pass over incoming JSON;
//! `placeholder`, `binary_ser` and `binary_de` keep bytes beside that JSON.

pub(crate) mod binary_de;
pub(crate) mod binary_ser;
pub(crate) mod own;
pub(crate) mod placeholder;
pub(crate) mod scan;
pub(crate) mod sio;
mod v0_9;

use std::fmt::Write as _;

use bytes::Bytes;

use super::packet::{Body, Kind, Packet, PacketError};
use crate::engine::{Frame, Generation, PayloadForm, Reader, query_parameters};

/// What a client is told that asks for a namespace that is not there.
pub(crate) const INVALID_NAMESPACE: &str = "Invalid namespace";

/// Reads the text of a packet.
pub(crate) fn decode(generation: Generation, text: &str, max_attachments: usize) -> Result<Packet<'_>, PacketError> {
    match generation {
        Generation::V0_9 => v0_9::decode(text),
        Generation::Eio3 | Generation::Eio4 => Ok(query_as_auth(generation, sio::decode(text, max_attachments)?)),
    }
}

/// The query that clients before 3.0 append to a namespace stands for what later ones send as `auth`.
fn query_as_auth(generation: Generation, mut packet: Packet<'_>) -> Packet<'_> {
    if let (Generation::Eio3, Kind::Connect) = (generation, packet.kind)
        && let Some((nsp, query)) = packet.nsp.split_once('?')
    {
        packet.nsp = nsp;
        packet.body = Body::Object(query_as_json(query).into());
    }
    packet
}

/// How packets look on the wire: a generation's way, or one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    V0_9,
    Eio3,
    /// As [`Eio3`](Self::Eio3), with all of the JSON in ASCII: clients 1.x decode UTF-8 twice where a
    /// payload is text, and nothing tells them from those of 2.x; those of 1.0 always do.
    Eio3InAscii,
    /// As `sio` writes them.
    Eio4,
}

impl Form {
    pub(crate) const ALL: [Self; 4] = [Self::V0_9, Self::Eio3, Self::Eio3InAscii, Self::Eio4];

    pub(crate) fn of(generation: Generation, reader: Reader) -> Self {
        match generation {
            Generation::V0_9 => Self::V0_9,
            Generation::Eio3 if reader.decodes_twice || reader.form == PayloadForm::Text => Self::Eio3InAscii,
            Generation::Eio3 => Self::Eio3,
            Generation::Eio4 => Self::Eio4,
        }
    }

    /// Whether packets without attachments look as `sio` writes them.
    pub(crate) fn is_as_written(self) -> bool {
        matches!(self, Self::Eio3 | Self::Eio4)
    }

    /// Whether packets of an own parser look as `own` writes them.
    pub(crate) fn is_as_parsed(self) -> bool {
        matches!(self, Self::Eio4)
    }

    /// A packet that `own` wrote, in this form; `None` where its clients have packets of their own.
    pub(crate) fn recode_own(self, frames: &[Frame]) -> Option<Box<[Frame]>> {
        let in_eio3 = |frame: &Frame| {
            let binary = frame.is_binary().then(|| Generation::Eio3.binary(frame.packet()));
            binary.unwrap_or_else(|| Some(frame.clone()))
        };
        match self {
            Self::V0_9 => None,
            Self::Eio3 | Self::Eio3InAscii => Some(frames.iter().filter_map(in_eio3).collect()),
            Self::Eio4 => Some(frames.into()),
        }
    }

    /// Whether clients are told the offsets by which they can come back.
    pub(crate) fn has_offsets(self) -> bool {
        self == Self::Eio4
    }

    /// A packet that `sio` wrote, in this form; nothing where its clients are not told or cannot be.
    pub(crate) fn recode(self, head: &Frame, attachments: &[Bytes]) -> Box<[Frame]> {
        match self {
            Self::V0_9 if attachments.is_empty() => {
                let packet = std::str::from_utf8(&head.packet()[1..]).unwrap_or_default();
                let recoded = v0_9::from_sio(packet).and_then(|packet| Generation::V0_9.text(&packet));
                recoded.into_iter().collect()
            }
            Self::V0_9 => Box::default(),
            Self::Eio3 => with(head.clone(), Generation::Eio3, attachments),
            Self::Eio3InAscii => with(in_ascii(head), Generation::Eio3, attachments),
            Self::Eio4 => with(head.clone(), Generation::Eio4, attachments),
        }
    }
}

fn with(head: Frame, generation: Generation, attachments: &[Bytes]) -> Box<[Frame]> {
    let binary = attachments.iter().filter_map(|bytes| generation.bytes(bytes));
    std::iter::once(head).chain(binary).collect()
}

fn in_ascii(head: &Frame) -> Frame {
    let text = std::str::from_utf8(head.packet()).unwrap_or_default();
    if text.is_ascii() {
        return head.clone();
    }
    let (before, json) = text.split_at(sio::payload_start(text));
    let mut ascii = before[1..].to_owned();
    for unit in json.encode_utf16() {
        match u8::try_from(unit).map(char::from) {
            Ok(character) if character.is_ascii() => ascii.push(character),
            _ => {
                let _ = write!(ascii, "\\u{unit:04x}");
            }
        }
    }
    Frame::text(&ascii)
}

fn query_as_json(query: &str) -> String {
    let mut object = serde_json::Map::new();
    for (name, value) in query_parameters(query) {
        object.entry(name).or_insert_with(|| value.into_owned().into());
    }
    serde_json::Value::Object(object).to_string()
}

/// Appends the server's CONNECT. `pid` is for clients that can come back.
pub(crate) fn write_connect(generation: Generation, out: &mut Vec<u8>, nsp: &str, sid: &str, pid: Option<&str>) {
    match generation {
        Generation::V0_9 | Generation::Eio3 => sio::write_connect(out, nsp, None),
        Generation::Eio4 => {
            sio::write_connect(out, nsp, Some(sid));
            if let Some(pid) = pid {
                sio::append_pid(out, pid);
            }
        }
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
