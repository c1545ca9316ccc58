use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tower_socketio::{
    engine::Message,
    parser::{Decoder, Packet, PacketKind, Parser, ParserError},
};

/// Packets as JSON, in which integers that JavaScript would round are strings that end in `n`.
#[derive(Debug)]
pub struct BigIntegers;

/// A packet on the wire.
#[derive(Serialize, Deserialize)]
struct Wire<'a> {
    r#type: u8,
    nsp: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Value>,
}

impl Parser for BigIntegers {
    fn encode(&self, packet: &Packet<'_>, send: &mut dyn FnMut(Message<'_>)) -> Result<(), ParserError> {
        if !packet.attachments.is_empty() {
            return Err(ParserError::new("this parser has no binary; send bytes as base64"));
        }
        let data = packet.data.as_deref().map(serde_json::from_str).transpose();
        let wire = Wire {
            r#type: packet.kind.code(),
            nsp: Cow::Borrowed(&packet.namespace),
            id: packet.id,
            data: data.map_err(ParserError::new)?.map(|data| each_scalar(data, &to_text)),
        };
        let text = serde_json::to_string(&wire).map_err(ParserError::new)?;
        send(Message::Text(&text));
        Ok(())
    }

    fn decoder(&self, _max_attachments: usize) -> Box<dyn Decoder> {
        Box::new(Self)
    }
}

impl Decoder for BigIntegers {
    fn decode<'a>(&mut self, message: Message<'a>) -> Result<Option<Packet<'a>>, ParserError> {
        let Message::Text(text) = message else {
            return Err(ParserError::new("this parser has no binary; send bytes as base64"));
        };
        let wire: Wire<'_> = serde_json::from_str(text).map_err(ParserError::new)?;
        let kind = PacketKind::from_code(wire.r#type).ok_or_else(|| ParserError::new("type is not one of 0 to 4"))?;
        let mut packet = Packet::new(kind, wire.nsp.into_owned()).with_id(wire.id);
        packet.data = wire.data.map(|data| each_scalar(data, &from_text).to_string().into());
        Ok(Some(packet))
    }
}

const SAFE: u64 = 1 << 53;

fn to_text(value: Value) -> Value {
    match value.as_i64().map(i64::unsigned_abs).or(value.as_u64()) {
        Some(size) if size >= SAFE => format!("{value}n").into(),
        _ => value,
    }
}

fn from_text(value: Value) -> Value {
    let digits = value.as_str().and_then(|text| text.strip_suffix('n'));
    let signed = digits.and_then(|digits| digits.parse::<i64>().ok().map(Value::from));
    let number = signed.or_else(|| digits?.parse::<u64>().ok().map(Value::from));
    number.unwrap_or(value)
}

fn each_scalar(value: Value, change: &dyn Fn(Value) -> Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(|item| each_scalar(item, change)).collect(),
        Value::Object(entries) => {
            let entries = entries.into_iter();
            entries.map(|(name, item)| (name, each_scalar(item, change))).collect()
        }
        scalar => change(scalar),
    }
}
