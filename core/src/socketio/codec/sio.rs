//! Socket.IO packets as text: `2/nsp,7["name",…]`,
//! `51-/nsp,7["name",{"_placeholder":true,"num":0}]`.
//!
//! Owns the header of protocol 5 (clients 3.x, 4.x), which is also that of clients 1.x and 2.x, and
//! which payload each kind may have. Never looks into arguments (`scan.rs` has, in one pass) and
//! never waits for attachments: the namespace layer collects them and then calls
//! `placeholder::check_placeholders`. Facts: the protocol document and socket.io-parser 4.2.7, with
//! its loose ends refused: an event without payload, spaces in front of it, an ack without id.

use std::{borrow::Cow, fmt::Display, io::Write as _};

use bytes::Bytes;
use serde::Serialize;

use super::scan::{self, Event};
use crate::{
    engine::Frame,
    socketio::{
        args::{EmitArgs, EncodeError},
        packet::{Body, Kind, Packet, PacketError, is_reserved},
    },
};

/// Longest name of a namespace, in bytes: names are kept for each socket and appear in logs. The
/// reference has no limit.
pub(crate) const MAX_NSP: usize = 256;

/// Longest name together with the `?query` that clients 1.x and 2.x append when they connect, which
/// is where their tokens travel; as much as HTTP servers commonly take for a URL.
pub(crate) const MAX_NSP_QUERY: usize = 8192;

/// Reads the text of a packet. A binary kind may announce up to `max_attachments`.
pub(crate) fn decode(text: &str, max_attachments: usize) -> Result<Packet<'_>, PacketError> {
    let Parts {
        kind,
        attachments,
        nsp,
        id,
        payload,
    } = parts(text, max_attachments)?;
    let body = body(kind, id, payload)?;
    Ok(Packet {
        kind,
        attachments,
        nsp,
        id,
        receipt: None,
        body,
    })
}

/// A packet whose payload is not looked into.
pub(crate) struct Parts<'a> {
    pub(crate) kind: Kind,
    attachments: usize,
    pub(crate) nsp: &'a str,
    pub(crate) id: Option<u64>,
    pub(crate) payload: &'a str,
}

/// Takes the text of a packet apart.
pub(crate) fn parts(text: &str, max_attachments: usize) -> Result<Parts<'_>, PacketError> {
    let first = text.chars().next().ok_or(PacketError::Empty)?;
    let kind = match first {
        '0' => Kind::Connect,
        '1' => Kind::Disconnect,
        '2' => Kind::Event,
        '3' => Kind::Ack,
        '4' => Kind::ConnectError,
        '5' => Kind::BinaryEvent,
        '6' => Kind::BinaryAck,
        other => return Err(PacketError::UnknownKind(other)),
    };
    let rest = &text[1..];
    let (attachments, rest) = match kind {
        Kind::BinaryEvent | Kind::BinaryAck => attachment_count(rest, max_attachments)?,
        _ => (0, rest),
    };
    let (nsp, rest) = namespace(rest)?;
    let (id, payload) = packet_id(rest)?;
    Ok(Parts {
        kind,
        attachments,
        nsp,
        id,
        payload,
    })
}

/// Appends an event. `attachments` must be empty; if it is not afterwards, they must follow as
/// binary messages.
///
/// After an error both are as they were.
pub(crate) fn write_event(
    out: &mut Vec<u8>,
    nsp: &str,
    id: Option<u64>,
    name: &str,
    args: &(impl EmitArgs + ?Sized),
    attachments: &mut Vec<Bytes>,
) -> Result<(), EncodeError> {
    if is_reserved(name) {
        return Err(EncodeError::ReservedEvent(name.to_owned()));
    }
    or_restore(out, attachments, |out, attachments| {
        let start = out.len();
        header(out, b'2', nsp, id);
        out.push(b'[');
        json(out, name);
        let end = out.len();
        out.push(b',');
        args.write(out, attachments)?;
        if out.len() == end + 1 {
            out.truncate(end);
        }
        out.push(b']');
        announce(out, start, b'5', attachments.len());
        Ok(())
    })
}

/// Appends an ack, under the rules of [`write_event`].
pub(crate) fn write_ack(
    out: &mut Vec<u8>,
    nsp: &str,
    id: u64,
    args: &(impl EmitArgs + ?Sized),
    attachments: &mut Vec<Bytes>,
) -> Result<(), EncodeError> {
    or_restore(out, attachments, |out, attachments| {
        let start = out.len();
        header(out, b'3', nsp, Some(id));
        out.push(b'[');
        args.write(out, attachments)?;
        out.push(b']');
        announce(out, start, b'6', attachments.len());
        Ok(())
    })
}

/// Appends an offset to the arguments of the event that ends the buffer, as the last of them.
pub(crate) fn append_offset(out: &mut Vec<u8>, offset: impl Display) {
    out.pop();
    let _infallible = write!(out, ",\"{offset}\"]");
}

/// Whether that is what [`append_offset`] has appended to the event.
pub(crate) fn ends_with_offset(message: &Frame, offset: &str) -> bool {
    let rest = message.packet().strip_suffix(b"\"]");
    let rest = rest.and_then(|rest| rest.strip_suffix(offset.as_bytes()));
    rest.is_some_and(|rest| rest.ends_with(b",\""))
}

/// An event to which [`append_offset`] has appended, without it.
pub(crate) fn without_offset(message: &Frame) -> Frame {
    let text = std::str::from_utf8(&message.packet()[1..]).unwrap_or_default();
    let end = text.rfind(',').unwrap_or(text.len());
    Frame::text(&format!("{}]", &text[..end]))
}

/// Appends the secret by which a client is recognised to the CONNECT that ends the buffer.
pub(crate) fn append_pid(out: &mut Vec<u8>, pid: &str) {
    out.pop();
    let _infallible = write!(out, ",\"pid\":\"{pid}\"}}");
}

/// Appends the server's CONNECT, with the socket's id for clients that are told it.
pub(crate) fn write_connect(out: &mut Vec<u8>, nsp: &str, sid: Option<&str>) {
    header(out, b'0', nsp, None);
    if let Some(sid) = sid {
        out.extend_from_slice(b"{\"sid\":");
        json(out, sid);
        out.push(b'}');
    }
}

/// Appends the ERROR by which clients 1.x and 2.x are refused: the data, else the message.
pub(crate) fn write_error(out: &mut Vec<u8>, nsp: &str, message: &str, data: Option<&str>) {
    header(out, b'4', nsp, None);
    match data {
        Some(data) => out.extend_from_slice(data.as_bytes()),
        None => json(out, message),
    }
}

/// Appends the refusal of a CONNECT. `data` is JSON.
pub(crate) fn write_connect_error(out: &mut Vec<u8>, nsp: &str, message: &str, data: Option<&str>) {
    header(out, b'4', nsp, None);
    out.extend_from_slice(b"{\"message\":");
    json(out, message);
    if let Some(data) = data {
        out.extend_from_slice(b",\"data\":");
        out.extend_from_slice(data.as_bytes());
    }
    out.push(b'}');
}

/// Appends the server's DISCONNECT.
pub(crate) fn write_disconnect(out: &mut Vec<u8>, nsp: &str) {
    header(out, b'1', nsp, None);
}

/// Where the payload of a packet begins that this file wrote, behind the type of its message.
pub(crate) fn payload_start(message: &str) -> usize {
    let named = message.find(|character: char| !character.is_ascii_digit() && character != '-');
    match named {
        Some(at) if message[at..].starts_with('/') => message[at..].find(',').map_or(message.len(), |comma| at + comma),
        Some(at) => at,
        None => message.len(),
    }
}

/// The name and the arguments of an event that this file wrote; `None` of any other packet. Looks into no argument.
pub(crate) fn split_event(packet: &str) -> Option<(String, &str)> {
    let Parts { kind, payload, .. } = parts(packet, usize::MAX).ok()?;
    if !matches!(kind, Kind::Event | Kind::BinaryEvent) {
        return None;
    }
    let json = payload.strip_prefix('[')?.strip_suffix(']')?;
    let mut names = serde_json::Deserializer::from_str(json).into_iter::<String>();
    let name = names.next()?.ok()?;
    let args = &json[names.byte_offset()..];
    Some((name, args.strip_prefix(',').unwrap_or(args)))
}

/// `51-`: the count after the kind. Digits only; the reference reads `1e0-` and ` 1-` too, but
/// nobody writes them.
fn attachment_count(text: &str, max: usize) -> Result<(usize, &str), PacketError> {
    let (digits, rest) = split_digits(text);
    let rest = rest.strip_prefix('-').ok_or(PacketError::AttachmentCount)?;
    if digits.bytes().all(|digit| digit == b'0') {
        return Err(PacketError::AttachmentCount);
    }
    // Digits that do not fit into a number are too many as well.
    match digits.parse() {
        Ok(count) if count <= max => Ok((count, rest)),
        _ => Err(PacketError::TooManyAttachments { max }),
    }
}

fn namespace(text: &str) -> Result<(&str, &str), PacketError> {
    if !text.starts_with('/') {
        return Ok(("/", text));
    }
    let (nsp, rest) = text.split_once(',').unwrap_or((text, ""));
    check_namespace(nsp)?;
    Ok((nsp, rest))
}

/// Refuses a name, perhaps with a query, that is too long.
pub(crate) fn check_namespace(nsp: &str) -> Result<(), PacketError> {
    if nsp.len() > MAX_NSP_QUERY {
        return Err(PacketError::NamespaceTooLong { max: MAX_NSP_QUERY });
    }
    let name = nsp.split_once('?').map_or(nsp, |(name, _)| name);
    if name.len() > MAX_NSP {
        return Err(PacketError::NamespaceTooLong { max: MAX_NSP });
    }
    Ok(())
}

fn packet_id(text: &str) -> Result<(Option<u64>, &str), PacketError> {
    let (digits, rest) = split_digits(text);
    if digits.is_empty() {
        return Ok((None, rest));
    }
    let id = digits.parse().map_err(|_| PacketError::IdTooLarge)?;
    Ok((Some(id), rest))
}

fn split_digits(text: &str) -> (&str, &str) {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit());
    text.split_at(end.unwrap_or(text.len()))
}

/// What a packet carries.
pub(crate) fn body(kind: Kind, id: Option<u64>, payload: &str) -> Result<Body<'_>, PacketError> {
    let first = payload.bytes().next();
    match kind {
        Kind::Event | Kind::BinaryEvent => event(first, payload),
        Kind::Ack | Kind::BinaryAck if id.is_none() => Err(PacketError::IdMissing),
        Kind::Ack | Kind::BinaryAck => match first {
            Some(b'[') => Ok(Body::Args(scan::array(payload)?)),
            // As the reference reads it, and as Python's client for 1.x writes it.
            None => Ok(Body::Args(Cow::Borrowed(""))),
            _ => Err(PacketError::Payload {
                expected: "an array of arguments",
            }),
        },
        _ if id.is_some() => Err(PacketError::IdUnexpected),
        Kind::Disconnect if first.is_some() => Err(PacketError::Payload { expected: "nothing" }),
        Kind::Disconnect => Ok(Body::None),
        Kind::Connect | Kind::ConnectError => match (first, kind) {
            (None, _) => Ok(Body::None),
            (Some(b'{'), Kind::Connect) => Ok(Body::Object(scan::value(payload)?)),
            (Some(b'{' | b'"'), Kind::ConnectError) => Ok(Body::Reason(scan::value(payload)?)),
            (_, Kind::Connect) => Err(PacketError::Payload { expected: "an object" }),
            _ => Err(PacketError::Payload {
                expected: "an object or a string",
            }),
        },
    }
}

fn event(first: Option<u8>, payload: &str) -> Result<Body<'_>, PacketError> {
    if first != Some(b'[') {
        return Err(PacketError::Payload {
            expected: "an array that begins with the event's name",
        });
    }
    let Event { name, args } = scan::event(payload)?;
    let name: Cow<'_, str> = name.ok_or(PacketError::EventName)?;
    if is_reserved(&name) {
        return Err(PacketError::ReservedName(name.into_owned()));
    }
    Ok(Body::Event { name, args })
}

/// Kind, namespace unless it is `/`, id. A comma ends a namespace even where nothing follows, as
/// the reference writes it.
fn header(out: &mut Vec<u8>, kind: u8, nsp: &str, id: Option<u64>) {
    out.push(kind);
    if nsp != "/" {
        out.extend_from_slice(nsp.as_bytes());
        out.push(b',');
    }
    if let Some(id) = id {
        json(out, &id);
    }
}

/// A string or a number, neither of which can fail to be written to memory.
fn json(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    let _infallible = serde_json::to_writer(out, value);
}

/// Makes the packet that begins at `start` the binary `kind`, if it has attachments. They are known
/// only once the arguments are written, so that this moves them; few packets have any.
fn announce(out: &mut Vec<u8>, start: usize, kind: u8, attachments: usize) {
    if attachments > 0 {
        let count = format!("{}{attachments}-", char::from(kind));
        out.splice(start..=start, count.into_bytes());
    }
}

/// Runs `write`, and undoes what it appended if it fails.
fn or_restore(
    out: &mut Vec<u8>,
    attachments: &mut Vec<Bytes>,
    write: impl FnOnce(&mut Vec<u8>, &mut Vec<Bytes>) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    debug_assert!(
        attachments.is_empty(),
        "attachments of another packet would be renumbered"
    );
    let start = out.len();
    write(out, attachments).inspect_err(|_| {
        out.truncate(start);
        attachments.clear();
    })
}

#[cfg(test)]
mod tests;
