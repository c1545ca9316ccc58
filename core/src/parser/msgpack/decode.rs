//! MessagePack to JSON and attachments.
//!
//! Lengths that a client announces are but counted down: nothing is made room for. What is nested is read by
//! recursion, to a depth that the JSON may not have anyway.

use std::borrow::Cow;

use bytes::Bytes;
use rmp::Marker;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Packet, ParserError};
use crate::{date, parser::PacketKind, socketio::codec::scan::MAX_DEPTH};

/// The extension type as which notepack.io writes what MessagePack lacks: `undefined` where its length is fixed to 1, a
/// date where it is fixed to 8, and an `ArrayBuffer` where it is not fixed.
const OF_JAVASCRIPT: i8 = 0;

/// Reads a binary message.
pub(super) fn packet(bytes: &[u8], max_attachments: usize) -> Result<Packet<'_>, ParserError> {
    let mut reader = Reader { rest: bytes };
    let mut json = Json {
        text: Vec::new(),
        attachments: Vec::new(),
        max_attachments,
    };
    let (mut kind, mut namespace, mut id, mut data) = (None, None, None, None);
    let Head::Map(fields) = reader.head()? else {
        return Err(ParserError::new(
            "packet is no map; the client needs the msgpack parser, too",
        ));
    };
    for _ in 0..fields {
        match &*reader.key()? {
            "type" => kind = reader.unsigned()?,
            "nsp" => namespace = Some(reader.namespace()?),
            "id" => id = reader.unsigned()?,
            "data" => {
                json.text.clear();
                json.attachments.clear();
                let is_there = reader.value(&mut json, 0)?;
                data = (is_there && json.text != b"null").then_some(());
            }
            _ => reader.skip()?,
        }
    }
    if !reader.rest.is_empty() {
        let trailing = reader.rest.len();
        return Err(ParserError::new(format_args!(
            "{trailing} bytes follow the packet; send one in a message"
        )));
    }
    let mut packet = Packet::new(
        self::kind(kind)?,
        namespace.ok_or_else(|| ParserError::new("packet has no `nsp`, a namespace"))?,
    )
    .with_id(id);
    if let Some(()) = data {
        let text = String::from_utf8(json.text).map_err(ParserError::new)?;
        packet = packet.with_data(text).with_attachments(json.attachments);
    }
    Ok(packet)
}

/// Reads a text message: as version 2 of the npm package has clients connect and leave.
pub(super) fn text(text: &str) -> Result<Packet<'_>, ParserError> {
    #[derive(Deserialize)]
    struct Fields<'a> {
        r#type: u64,
        #[serde(borrow)]
        nsp: Cow<'a, str>,
        id: Option<u64>,
        #[serde(borrow)]
        data: Option<&'a RawValue>,
    }

    let Fields { r#type, nsp, id, data } = serde_json::from_str(text).map_err(|error| {
        ParserError::new(format_args!(
            "text is no packet: {error}; the client needs the msgpack parser, too"
        ))
    })?;
    let mut packet = Packet::new(kind(Some(r#type))?, nsp).with_id(id);
    packet.data = data.map(|data| data.get().into());
    Ok(packet)
}

/// Version 2 of the npm package, and so clients 1.x and 2.x, say of an event and an ack if they have bytes.
fn kind(code: Option<u64>) -> Result<PacketKind, ParserError> {
    match code {
        Some(5) => Some(PacketKind::Event),
        Some(6) => Some(PacketKind::Ack),
        Some(code) => u8::try_from(code).ok().and_then(PacketKind::from_code),
        None => None,
    }
    .ok_or_else(|| ParserError::new("packet's `type` is not an integer from 0 to 6"))
}

/// What is written.
struct Json {
    text: Vec<u8>,
    attachments: Vec<Bytes>,
    max_attachments: usize,
}

impl Json {
    fn string(&mut self, text: &str) {
        let _infallible = serde_json::to_writer(&mut self.text, text);
    }

    fn display(&mut self, value: impl std::fmt::Display) {
        self.text.extend_from_slice(value.to_string().as_bytes());
    }

    fn float(&mut self, number: f64) {
        // What is not finite is null, as JavaScript writes it.
        let _infallible = serde_json::to_writer(&mut self.text, &number);
    }

    fn attachment(&mut self, bytes: &[u8]) -> Result<(), ParserError> {
        let num = self.attachments.len();
        if num == self.max_attachments {
            return Err(ParserError::new(format_args!("packet has more than {num} attachments")));
        }
        self.attachments.push(Bytes::copy_from_slice(bytes));
        self.display(format_args!(r#"{{"_placeholder":true,"num":{num}}}"#));
        Ok(())
    }
}

/// A value, or how many values are in it.
enum Head<'a> {
    Nil,
    Boolean(bool),
    Unsigned(u64),
    Negative(i64),
    Float(f64),
    String(&'a [u8]),
    Bytes(&'a [u8]),
    Undefined,
    /// In milliseconds.
    Date(i64),
    Extension(i8, &'a [u8]),
    Array(u32),
    Map(u32),
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Writes a value; `false`, and nothing, for `undefined`.
    fn value(&mut self, json: &mut Json, depth: u32) -> Result<bool, ParserError> {
        // The arguments' array does not count.
        if depth > MAX_DEPTH + 1 {
            return Err(ParserError::new(format_args!(
                "value nests deeper than {MAX_DEPTH} levels"
            )));
        }
        match self.head()? {
            Head::Nil => json.display("null"),
            Head::Boolean(value) => json.display(value),
            Head::Unsigned(value) => json.display(value),
            Head::Negative(value) => json.display(value),
            Head::Float(value) => json.float(value),
            Head::String(bytes) => json.string(&String::from_utf8_lossy(bytes)),
            Head::Bytes(bytes) => json.attachment(bytes)?,
            Head::Undefined => return Ok(false),
            Head::Date(milliseconds) => match date::to_iso(milliseconds) {
                Some(date) => json.string(&date),
                None => json.display("null"),
            },
            Head::Extension(kind, bytes) => {
                json.display(format_args!("[{kind},"));
                json.attachment(bytes)?;
                json.text.push(b']');
            }
            Head::Array(length) => {
                json.text.push(b'[');
                for index in 0..length {
                    if index > 0 {
                        json.text.push(b',');
                    }
                    if !self.value(json, depth + 1)? {
                        json.display("null");
                    }
                }
                json.text.push(b']');
            }
            Head::Map(length) => {
                json.text.push(b'{');
                let first = json.text.len();
                for _ in 0..length {
                    let entry = json.text.len();
                    if entry > first {
                        json.text.push(b',');
                    }
                    json.string(&self.key()?);
                    json.text.push(b':');
                    if !self.value(json, depth + 1)? {
                        json.text.truncate(entry);
                    }
                }
                json.text.push(b'}');
            }
        }
        Ok(true)
    }

    /// A key of a map, as JavaScript and Python's `json` have it.
    fn key(&mut self) -> Result<Cow<'a, str>, ParserError> {
        Ok(match self.head()? {
            Head::String(bytes) => String::from_utf8_lossy(bytes),
            Head::Unsigned(value) => value.to_string().into(),
            Head::Negative(value) => value.to_string().into(),
            Head::Boolean(value) => value.to_string().into(),
            Head::Nil => "null".into(),
            _ => return Err(ParserError::new("a key of a map is neither a string nor an integer")),
        })
    }

    fn namespace(&mut self) -> Result<Cow<'a, str>, ParserError> {
        match self.head()? {
            Head::String(bytes) => Ok(String::from_utf8_lossy(bytes)),
            _ => Err(ParserError::new("packet's `nsp` is no string")),
        }
    }

    /// `None` for nil and `undefined`.
    fn unsigned(&mut self) -> Result<Option<u64>, ParserError> {
        match self.head()? {
            Head::Unsigned(value) => Ok(Some(value)),
            Head::Nil | Head::Undefined => Ok(None),
            _ => Err(ParserError::new("packet's `type` or `id` is not an integer from 0 on")),
        }
    }

    fn skip(&mut self) -> Result<(), ParserError> {
        let mut values = 1_u64;
        while values > 0 {
            values -= 1;
            match self.head()? {
                Head::Array(length) => values += u64::from(length),
                Head::Map(length) => values += 2 * u64::from(length),
                _ => {}
            }
        }
        Ok(())
    }

    fn head(&mut self) -> Result<Head<'a>, ParserError> {
        let [marker] = self.bytes()?;
        Ok(match Marker::from_u8(marker) {
            Marker::Null => Head::Nil,
            Marker::False => Head::Boolean(false),
            Marker::True => Head::Boolean(true),
            Marker::FixPos(value) => Head::Unsigned(value.into()),
            Marker::U8 => Head::Unsigned(self.u8()?.into()),
            Marker::U16 => Head::Unsigned(self.u16()?.into()),
            Marker::U32 => Head::Unsigned(self.u32()?.into()),
            Marker::U64 => Head::Unsigned(u64::from_be_bytes(self.bytes()?)),
            Marker::FixNeg(value) => signed(value.into()),
            Marker::I8 => signed(i8::from_be_bytes(self.bytes()?).into()),
            Marker::I16 => signed(i16::from_be_bytes(self.bytes()?).into()),
            Marker::I32 => signed(i32::from_be_bytes(self.bytes()?).into()),
            Marker::I64 => signed(i64::from_be_bytes(self.bytes()?)),
            Marker::F32 => Head::Float(f32::from_be_bytes(self.bytes()?).into()),
            Marker::F64 => Head::Float(f64::from_be_bytes(self.bytes()?)),
            Marker::FixStr(length) => Head::String(self.take(length.into())?),
            Marker::Str8 => self
                .u8()
                .and_then(|length| self.take(length.into()))
                .map(Head::String)?,
            Marker::Str16 => self
                .u16()
                .and_then(|length| self.take(length.into()))
                .map(Head::String)?,
            Marker::Str32 => self.u32().and_then(|length| self.take(length)).map(Head::String)?,
            Marker::Bin8 => self.u8().and_then(|length| self.take(length.into())).map(Head::Bytes)?,
            Marker::Bin16 => self
                .u16()
                .and_then(|length| self.take(length.into()))
                .map(Head::Bytes)?,
            Marker::Bin32 => self.u32().and_then(|length| self.take(length)).map(Head::Bytes)?,
            Marker::FixArray(length) => Head::Array(length.into()),
            Marker::Array16 => Head::Array(self.u16()?.into()),
            Marker::Array32 => Head::Array(self.u32()?),
            Marker::FixMap(length) => Head::Map(length.into()),
            Marker::Map16 => Head::Map(self.u16()?.into()),
            Marker::Map32 => Head::Map(self.u32()?),
            Marker::FixExt1 => match self.extension(1)? {
                (OF_JAVASCRIPT, _) => Head::Undefined,
                extension => of_any(extension),
            },
            Marker::FixExt2 => self.extension(2).map(of_any)?,
            Marker::FixExt4 => self.extension(4).map(of_any)?,
            Marker::FixExt8 => match self.extension(8)? {
                (OF_JAVASCRIPT, bytes) => {
                    let bytes = bytes.first_chunk().ok_or_else(ends_early)?;
                    Head::Date(i64::from_be_bytes(*bytes))
                }
                extension => of_any(extension),
            },
            Marker::FixExt16 => self.extension(16).map(of_any)?,
            Marker::Ext8 => self.u8().and_then(|length| self.extension(length.into())).map(buffer)?,
            Marker::Ext16 => self
                .u16()
                .and_then(|length| self.extension(length.into()))
                .map(buffer)?,
            Marker::Ext32 => self.u32().and_then(|length| self.extension(length)).map(buffer)?,
            Marker::Reserved => return Err(ParserError::new("byte 0xc1, which msgpack does not use")),
        })
    }

    fn extension(&mut self, length: u32) -> Result<(i8, &'a [u8]), ParserError> {
        let kind = i8::from_be_bytes(self.bytes()?);
        Ok((kind, self.take(length)?))
    }

    fn u8(&mut self) -> Result<u8, ParserError> {
        self.bytes().map(u8::from_be_bytes)
    }

    fn u16(&mut self) -> Result<u16, ParserError> {
        self.bytes().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32, ParserError> {
        self.bytes().map(u32::from_be_bytes)
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], ParserError> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or_else(ends_early)?;
        self.rest = rest;
        Ok(*bytes)
    }

    fn take(&mut self, length: u32) -> Result<&'a [u8], ParserError> {
        let length = usize::try_from(length).map_err(|_| ends_early())?;
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or_else(ends_early)?;
        self.rest = rest;
        Ok(bytes)
    }
}

fn signed<'a>(value: i64) -> Head<'a> {
    u64::try_from(value).map_or(Head::Negative(value), Head::Unsigned)
}

fn of_any((kind, bytes): (i8, &[u8])) -> Head<'_> {
    Head::Extension(kind, bytes)
}

fn buffer((kind, bytes): (i8, &[u8])) -> Head<'_> {
    match kind {
        OF_JAVASCRIPT => Head::Bytes(bytes),
        _ => Head::Extension(kind, bytes),
    }
}

fn ends_early() -> ParserError {
    ParserError::new("packet ends in the middle of a value")
}
