//! Packets of Socket.IO 0.9 (protocol 1): `5:7+:/nsp:{"name":"…","args":[…]}`.
//!
//! Reads them into the neutral words, and writes them from the text of protocol 5 (`sio`), which every
//! packet of the server is encoded as first: a broadcast is serialised once, and its arguments are
//! copied where a client of 0.9 is among the recipients. Source: socket.io-client 0.9.17's `parser.js`.
//! The engine's own packets never come here.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{INVALID_NAMESPACE, query_as_json, scan, sio};
use crate::socketio::packet::{Body, Kind, Packet, PacketError, is_reserved};

/// The event as which what clients `send` arrives, text or JSON, and as which they are sent it.
const MESSAGE: &str = "message";

/// Reads the text of a packet.
pub(crate) fn decode(text: &str) -> Result<Packet<'_>, PacketError> {
    let kind = text.chars().next().ok_or(PacketError::Empty)?;
    let (id, rest) = text
        .strip_prefix(kind)
        .and_then(|rest| rest.strip_prefix(':')?.split_once(':'))
        .ok_or(PacketError::Payload {
            expected: "`type:id:endpoint:data`",
        })?;
    let (endpoint, data) = match rest.split_once(':') {
        Some((endpoint, data)) => (endpoint, Some(data)),
        None => (rest, None),
    };
    let (nsp, query) = match endpoint.split_once('?') {
        Some((nsp, query)) => (nsp, Some(query)),
        None => (endpoint, data.map(|data| data.strip_prefix('?').unwrap_or(data))),
    };
    if nsp.len() > sio::MAX_NSP {
        return Err(PacketError::NamespaceTooLong { max: sio::MAX_NSP });
    }
    let nsp = if nsp.is_empty() { "/" } else { nsp };
    let data = data.unwrap_or_default();
    let (kind, body) = match kind {
        '0' => (Kind::Disconnect, Body::None),
        '1' => (Kind::Connect, connect(query.unwrap_or_default())?),
        '3' => (Kind::Event, message(Cow::Owned(json_string(data)))),
        '4' if data.is_empty() => (Kind::Event, message(Cow::Borrowed(""))),
        '4' => (Kind::Event, message(scan::value(data)?)),
        '5' => (Kind::Event, event(data)?),
        '6' => return ack(nsp, data),
        other => return Err(PacketError::UnknownKind(other)),
    };
    let wants_data = id.ends_with('+');
    let id = number(id.strip_suffix('+').unwrap_or(id))?.filter(|_| kind == Kind::Event);
    let (id, receipt) = if wants_data { (id, None) } else { (None, id) };
    Ok(Packet {
        kind,
        attachments: 0,
        nsp,
        id,
        receipt,
        body,
    })
}

fn connect(query: &str) -> Result<Body<'static>, PacketError> {
    if query.len() > sio::MAX_NSP_QUERY {
        return Err(PacketError::NamespaceTooLong {
            max: sio::MAX_NSP_QUERY,
        });
    }
    Ok(if query.is_empty() {
        Body::None
    } else {
        Body::Object(query_as_json(query).into())
    })
}

fn message(args: Cow<'_, str>) -> Body<'_> {
    Body::Event {
        name: Cow::Borrowed(MESSAGE),
        args,
    }
}

/// `{"name":"…","args":[…]}`.
fn event(data: &str) -> Result<Body<'_>, PacketError> {
    #[derive(Deserialize)]
    struct Event<'a> {
        #[serde(borrow)]
        name: Cow<'a, str>,
        #[serde(borrow, default)]
        args: Option<&'a RawValue>,
    }

    fn read(json: &str) -> Result<(Cow<'_, str>, Cow<'_, str>), PacketError> {
        let Event { name, args } = serde_json::from_str(json).map_err(|_| PacketError::Payload {
            expected: "an object with the event's `name`, and `args` in an array",
        })?;
        let args = args.map(RawValue::get).map_or(Ok(Cow::Borrowed("")), scan::array)?;
        Ok((name, args))
    }

    let (name, args) = match scan::value(data)? {
        Cow::Borrowed(json) => read(json)?,
        Cow::Owned(json) => {
            let (name, args) = read(&json)?;
            (Cow::Owned(name.into_owned()), Cow::Owned(args.into_owned()))
        }
    };
    if is_reserved(&name) {
        return Err(PacketError::ReservedName(name.into_owned()));
    }
    Ok(Body::Event { name, args })
}

/// `id`, or `id+[…]`.
fn ack<'a>(nsp: &'a str, data: &'a str) -> Result<Packet<'a>, PacketError> {
    let (id, args) = match data.split_once('+') {
        Some((id, args)) => (id, scan::array(args)?),
        None => (data, Cow::Borrowed("")),
    };
    Ok(Packet {
        kind: Kind::Ack,
        attachments: 0,
        nsp,
        id: Some(number(id)?.ok_or(PacketError::IdMissing)?),
        receipt: None,
        body: Body::Args(args),
    })
}

fn number(digits: &str) -> Result<Option<u64>, PacketError> {
    if digits.is_empty() {
        return Ok(None);
    }
    if !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(PacketError::Payload {
            expected: "an id of digits",
        });
    }
    digits.parse().map(Some).map_err(|_| PacketError::IdTooLarge)
}

/// A packet of this server in protocol 5, none of it binary, as this protocol has it; `None` for what
/// these clients are not told.
pub(crate) fn from_sio(packet: &str) -> Option<String> {
    let kind = packet.chars().next()?;
    let rest = &packet[kind.len_utf8()..];
    let (endpoint, rest) = match rest.starts_with('/').then(|| rest.split_once(',')) {
        Some(split) => split?,
        None => ("", rest),
    };
    let digits = rest.bytes().position(|byte| !byte.is_ascii_digit());
    let (id, payload) = rest.split_at(digits.unwrap_or(rest.len()));
    Some(match kind {
        // The main endpoint is connected by the engine.
        '0' if endpoint.is_empty() => return None,
        '0' => format!("1::{endpoint}"),
        '1' => format!("0::{endpoint}"),
        '2' => from_event(endpoint, id, payload)?,
        '3' => {
            let args = payload;
            if args == "[]" {
                format!("6::{endpoint}:{id}")
            } else {
                format!("6::{endpoint}:{id}+{}", one_line(args))
            }
        }
        // Of refusals they know one reason, `unauthorized`; an endpoint that is not there does not answer.
        '4' if payload == format!(r#"{{"message":"{INVALID_NAMESPACE}"}}"#) => return None,
        '4' => format!("7::{endpoint}:2"),
        _ => return None,
    })
}

/// `["name",args…]`.
fn from_event(endpoint: &str, id: &str, payload: &str) -> Option<String> {
    let elements = payload.strip_prefix('[')?.strip_suffix(']')?;
    let end = scan::string_end(elements.as_bytes(), 0);
    let (name, args) = elements.split_at(end);
    let args = args.strip_prefix(',').unwrap_or_default();
    let plus = if id.is_empty() { "" } else { "+" };
    let mut single = scan::split(args);
    if name == r#""message""#
        && let (Some(message), None) = (single.next(), single.next())
    {
        return Some(match serde_json::from_str::<String>(message) {
            Ok(text) if text.is_empty() => format!("3:{id}{plus}:{endpoint}"),
            Ok(text) => format!("3:{id}{plus}:{endpoint}:{text}"),
            Err(_) => format!("4:{id}{plus}:{endpoint}:{}", one_line(message)),
        });
    }
    let args = if args.is_empty() {
        String::new()
    } else {
        format!(r#","args":[{}]"#, one_line(args))
    };
    Some(format!(
        r#"5:{id}{plus}:{endpoint}:{{"name":{}{args}}}"#,
        one_line(name)
    ))
}

/// JSON without the line ends at which the client's patterns stop.
fn one_line(json: &str) -> Cow<'_, str> {
    if json.contains(['\u{2028}', '\u{2029}']) {
        json.replace('\u{2028}', "\\u2028")
            .replace('\u{2029}', "\\u2029")
            .into()
    } else {
        json.into()
    }
}

fn json_string(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

#[cfg(test)]
mod tests;
