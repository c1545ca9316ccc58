//! What a client of each generation sends and reads, by the server's own codecs wherever both sides
//! write alike.

use std::time::Duration;

use bytes::Bytes;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{error::Told, wire};
use crate::{
    engine::{
        Binary, Frame, Generation, PayloadForm, Reader,
        codec::{Malformed, Signal},
    },
    parser::{self, PacketKind},
    server::SocketIo,
    socketio::{
        args::EncodeError,
        codec::{self, Form, own, sio},
        frames::OwnParser,
        packet::{self, Body, Kind, PacketError},
    },
};

/// What a client is like unless it is told.
pub(super) const NEWEST: Generation = Generation::Eio4;

/// What a text frame of the server says.
#[derive(Debug)]
pub(super) enum Heard<'a> {
    /// The connection is open, and what the client must know of it.
    Open(&'a str),
    /// The server asks whether the client is there.
    Heartbeat,
    Packet(&'a str),
    Nothing,
    End,
}

pub(super) fn hear(generation: Generation, packet: &[u8]) -> Result<Heard<'_>, Malformed> {
    let text = std::str::from_utf8(packet).map_err(|_| Malformed("text that is not UTF-8"))?;
    Ok(match (generation, text) {
        (Generation::V0_9, "1::") => Heard::Open(""),
        (Generation::V0_9, _) if text.starts_with("7:") => Heard::Packet(text),
        _ => match (generation.decode(text)?, generation) {
            (Signal::Open, _) => Heard::Open(&text[1..]),
            (Signal::Close, _) => Heard::End,
            // Before 1.0 question and answer are the same.
            (Signal::Ping(_), _) | (Signal::Pong(_), Generation::V0_9) => Heard::Heartbeat,
            (Signal::Text(packet), _) => Heard::Packet(packet),
            (Signal::Pong(_) | Signal::Noop | Signal::Upgrade | Signal::Binary(_), _) => Heard::Nothing,
        },
    })
}

/// The attachment in a binary frame of the server.
pub(super) fn attachment(generation: Generation, payload: &[u8]) -> Result<Bytes, Malformed> {
    match generation.decode_binary(payload)? {
        Signal::Binary(bytes) => Ok(Bytes::from(bytes.into_owned())),
        _ => Err(Malformed("a binary frame that is no message")),
    }
}

/// The answer to the server's heartbeat.
pub(super) fn heartbeat_answer(generation: Generation) -> Vec<u8> {
    wire::frame(
        wire::TEXT,
        match generation {
            Generation::V0_9 => b"2::",
            Generation::Eio3 | Generation::Eio4 => b"3",
        },
    )
}

/// The heartbeat of a client that asks itself.
pub(super) fn heartbeat() -> Vec<u8> {
    wire::frame(wire::TEXT, b"2")
}

/// What the server's first packet says.
pub(super) struct Greeting {
    /// The session's id, in generations where it was not known before.
    pub(super) session: Option<String>,
    /// How often the client has to ask, in generations where it does.
    pub(super) heartbeat: Option<Duration>,
}

pub(super) fn greeting(generation: Generation, packet: &[u8]) -> Option<Greeting> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Open {
        sid: String,
        ping_interval: u64,
    }

    let Ok(Heard::Open(json)) = hear(generation, packet) else {
        return None;
    };
    let open: Option<Open> = serde_json::from_str(json).ok();
    let asks = open.as_ref().filter(|_| generation == Generation::Eio3);
    Some(Greeting {
        heartbeat: asks.map(|open| Duration::from_millis(open.ping_interval)),
        session: open.map(|open| open.sid),
    })
}

/// The URI of the request by which a client gets a session before it has a transport, in generations where
/// it does.
pub(super) fn reservation(generation: Generation, endpoint: &str, query: &str) -> Option<String> {
    match generation {
        Generation::V0_9 => Some(format!("{endpoint}/1/?{query}")),
        Generation::Eio3 | Generation::Eio4 => None,
    }
}

/// The URI of the WebSocket, with the id of such a session.
pub(super) fn websocket(generation: Generation, endpoint: &str, session: &str, query: &str) -> String {
    match generation {
        Generation::V0_9 => format!("{endpoint}/1/websocket/{session}?{query}"),
        Generation::Eio3 | Generation::Eio4 => {
            let protocol = generation.protocol();
            format!("{endpoint}/?EIO={protocol}&transport=websocket&{query}")
        }
    }
}

/// `name=value&…`, of what older clients send as a query. Values that are no strings are sent as JSON.
pub(super) fn query<'a>(pairs: impl IntoIterator<Item = (&'a String, &'a Value)>) -> String {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let pairs = pairs.into_iter().map(|(name, value)| match value {
        Value::String(text) => format!("{}={}", encode(name), encode(text)),
        other => format!("{}={}", encode(name), encode(&other.to_string())),
    });
    pairs.collect::<Vec<_>>().join("&")
}

/// The parser of the server, if clients of that generation have it.
pub(super) fn own_parser(io: &SocketIo, generation: Generation) -> OwnParser<'_> {
    io.parser().filter(|_| own::is_for(generation))
}

/// Asks for a namespace.
pub(super) fn join(
    generation: Generation,
    parser: OwnParser<'_>,
    nsp: &str,
    auth: Option<&Map<String, Value>>,
) -> Result<Vec<u8>, EncodeError> {
    let query = |auth| format!("?{}", query(auth));
    let (name, payload) = match generation {
        Generation::V0_9 | Generation::Eio3 => (auth.map(query).unwrap_or_default(), String::new()),
        Generation::Eio4 => {
            let auth = auth.cloned().map(Value::Object);
            (String::new(), auth.map(|auth| auth.to_string()).unwrap_or_default())
        }
    };
    let named = if nsp == "/" {
        String::new()
    } else {
        format!("{nsp}{name},")
    };
    packet(generation, parser, |out, _| {
        out.extend_from_slice(format!("0{named}{payload}").as_bytes());
        Ok(())
    })
}

pub(super) fn leave(generation: Generation, parser: OwnParser<'_>, nsp: &str) -> Result<Vec<u8>, EncodeError> {
    packet(generation, parser, |out, _| {
        sio::write_disconnect(out, nsp);
        Ok(())
    })
}

/// A packet that `write` writes as protocol 5 has it, in the generation's form or the server's own parser's, and on the
/// wire.
pub(super) fn packet(
    generation: Generation,
    parser: OwnParser<'_>,
    write: impl FnOnce(&mut Vec<u8>, &mut Vec<Bytes>) -> Result<(), EncodeError>,
) -> Result<Vec<u8>, EncodeError> {
    let mut attachments = Vec::new();
    let ((), head) = Frame::write_text(|out| write(out, &mut attachments))?;
    if !attachments.is_empty() && generation.profile().binary == Binary::Refused {
        return Err(EncodeError::BinaryUnsupported);
    }
    let reader = Reader {
        form: PayloadForm::Any,
        decodes_twice: false,
    };
    let opcode = |frame: &Frame| if frame.is_binary() { wire::BINARY } else { wire::TEXT };
    let form = Form::of(generation, reader);
    let own = parser.map(|parser| own::encode(parser, &head, &attachments));
    let own = own.transpose().map_err(EncodeError::Parser)?;
    let recoded = own.and_then(|own| form.recode_own(&own));
    let recoded = recoded.unwrap_or_else(|| form.recode(&head, &attachments));
    let frames = recoded
        .iter()
        .flat_map(|frame| wire::frame(opcode(frame), frame.packet()));
    Ok(frames.collect())
}

/// A packet of the server.
#[derive(Debug)]
pub(super) struct Packet {
    pub(super) nsp: String,
    pub(super) says: Says,
    /// How many binary messages follow and belong to it.
    pub(super) attachments: usize,
}

#[derive(Debug)]
pub(super) enum Says {
    /// The client is in; with its socket's id, where it is told.
    Joined(Option<String>),
    Refused(Told),
    Left,
    Event {
        name: String,
        args: String,
        id: Option<u64>,
    },
    Ack {
        id: u64,
        args: String,
    },
}

pub(super) fn read(generation: Generation, text: &str) -> Result<Packet, PacketError> {
    if let Some((nsp, told)) = refusal(generation, text) {
        return Ok(Packet {
            nsp: nsp.to_owned(),
            says: Says::Refused(told),
            attachments: 0,
        });
    }
    read_neutral(codec::decode(generation, text, usize::MAX)?)
}

/// As [`read`], of what the server's own parser has read.
pub(super) fn read_own(generation: Generation, read: &parser::Packet<'_>) -> Result<Packet, PacketError> {
    if read.kind == PacketKind::ConnectError {
        return Ok(Packet {
            nsp: (*read.namespace).to_owned(),
            says: Says::Refused(Told::read(read.data.as_deref().unwrap_or_default())),
            attachments: 0,
        });
    }
    read_neutral(own::check(generation, read, usize::MAX)?)
}

fn read_neutral(packet: packet::Packet<'_>) -> Result<Packet, PacketError> {
    let says = match (packet.kind, packet.body) {
        (Kind::Connect, body) => Says::Joined(socket_id(&body)),
        (_, Body::Event { name, args }) => Says::Event {
            name: name.into_owned(),
            args: args.into_owned(),
            id: packet.id,
        },
        (_, Body::Args(args)) => Says::Ack {
            id: packet.id.ok_or(PacketError::IdMissing)?,
            args: args.into_owned(),
        },
        (_, Body::None | Body::Object(_) | Body::Reason(_)) => Says::Left,
    };
    Ok(Packet {
        nsp: packet.nsp.to_owned(),
        says,
        attachments: packet.attachments,
    })
}

fn socket_id(body: &Body<'_>) -> Option<String> {
    #[derive(Deserialize)]
    struct Connected {
        sid: String,
    }

    let Body::Object(json) = body else { return None };
    let connected: Connected = serde_json::from_str(json).ok()?;
    Some(connected.sid)
}

/// The namespace, and what is told of a refusal: the one packet that only servers write, of any JSON in
/// Engine.IO 3.
fn refusal(generation: Generation, text: &str) -> Option<(&str, Told)> {
    let (nsp, told) = match generation {
        Generation::V0_9 => text.strip_prefix("7::")?.split_once(':')?,
        Generation::Eio3 | Generation::Eio4 => match text.strip_prefix('4')? {
            named if named.starts_with('/') => named.split_once(',')?,
            root => ("", root),
        },
    };
    let told = match generation {
        // The one reason that this server gives, by its number.
        Generation::V0_9 => Told::message("unauthorized"),
        Generation::Eio3 | Generation::Eio4 => Told::read(told),
    };
    Some((if nsp.is_empty() { "/" } else { nsp }, told))
}
