//! JSON and attachments to MessagePack.
//!
//! Containers begin with their length there, so the JSON is walked twice: to count, then to write. It
//! is the server's own and not checked: of other text something is made that is no packet.

use bytes::Bytes;
use rmp::encode::{
    write_array_len, write_bin, write_bool, write_f64, write_map_len, write_nil, write_sint, write_str, write_uint,
};
use serde::Deserialize;

use super::{Packet, ParserError};
use crate::socketio::codec::scan::string_end;

/// The packet, its fields in the order in which the reference writes those of an event.
pub(super) fn packet(packet: &Packet<'_>) -> Result<Vec<u8>, ParserError> {
    let data = packet.data.as_deref();
    let attached: usize = packet.attachments.iter().map(Bytes::len).sum();
    let mut out = Out(Vec::with_capacity(64 + data.map_or(0, str::len) + attached));
    out.map_len(2 + usize::from(data.is_some()) + usize::from(packet.id.is_some()))?;
    out.string("type")?;
    out.unsigned(packet.kind.code().into());
    if let Some(data) = data {
        out.string("data")?;
        json(&mut out, data, &packet.attachments)?;
    }
    if let Some(id) = packet.id {
        out.string("id")?;
        out.unsigned(id);
    }
    out.string("nsp")?;
    out.string(&packet.namespace)?;
    Ok(out.0)
}

fn json(out: &mut Out, text: &str, attachments: &[Bytes]) -> Result<(), ParserError> {
    let mut lengths = lengths(text).into_iter();
    let mut tokens = Tokens { text, at: 0 };
    while let Some((at, token)) = tokens.next() {
        match token {
            Token::Array => out.array_len(lengths.next().unwrap_or_default())?,
            Token::Object => {
                let values = lengths.next().unwrap_or_default();
                match placeholder(&text[at..], attachments) {
                    Some((bytes, length)) => {
                        out.bytes(bytes)?;
                        tokens.at = at + length;
                    }
                    None => out.map_len(values / 2)?,
                }
            }
            Token::Close => {}
            Token::String(quoted) if quoted.contains('\\') => {
                let unescaped: String = serde_json::from_str(quoted).map_err(ParserError::new)?;
                out.string(&unescaped)?;
            }
            Token::String(quoted) => out.string(quoted.get(1..quoted.len() - 1).unwrap_or_default())?,
            Token::Word("null") => out.nil(),
            Token::Word("true") => out.boolean(true),
            Token::Word("false") => out.boolean(false),
            Token::Word(number) => out.number(number)?,
        }
    }
    Ok(())
}

/// How many values there are in each container (a key is one, too), in the order in which they open.
fn lengths(text: &str) -> Vec<usize> {
    let mut lengths: Vec<usize> = Vec::new();
    let mut open = Vec::new();
    for (_, token) in (Tokens { text, at: 0 }) {
        if let Token::Close = token {
            open.pop();
            continue;
        }
        if let Some(&container) = open.last() {
            lengths[container] += 1;
        }
        if let Token::Array | Token::Object = token {
            open.push(lengths.len());
            lengths.push(0);
        }
    }
    lengths
}

/// The attachment that the object stands for with which the text begins, and how long that object is.
fn placeholder<'a>(text: &str, attachments: &'a [Bytes]) -> Option<(&'a Bytes, usize)> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Placeholder {
        #[serde(rename = "_placeholder")]
        flag: bool,
        num: usize,
    }

    if attachments.is_empty() {
        return None;
    }
    let mut objects = serde_json::Deserializer::from_str(text).into_iter::<Placeholder>();
    let found = objects.next()?.ok().filter(|found| found.flag)?;
    Some((attachments.get(found.num)?, objects.byte_offset()))
}

enum Token<'a> {
    Array,
    Object,
    Close,
    /// With its quotes.
    String(&'a str),
    /// A number or literal.
    Word(&'a str),
}

/// The tokens of JSON, and where each begins. Commas and colons say nothing that they do not.
struct Tokens<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Iterator for Tokens<'a> {
    type Item = (usize, Token<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.text.as_bytes();
        let is_between = |byte: &u8| matches!(byte, b',' | b':' | b' ' | b'\n' | b'\r' | b'\t');
        while bytes.get(self.at).is_some_and(is_between) {
            self.at += 1;
        }
        let at = self.at;
        let (length, token) = match *bytes.get(at)? {
            b'[' => (1, Token::Array),
            b'{' => (1, Token::Object),
            b']' | b'}' => (1, Token::Close),
            b'"' => {
                let end = string_end(bytes, at);
                (end - at, Token::String(&self.text[at..end]))
            }
            _ => {
                let is_end = |byte: &u8| is_between(byte) || matches!(byte, b'[' | b'{' | b']' | b'}' | b'"');
                let rest = &self.text[at..];
                let length = rest.as_bytes().iter().position(is_end).unwrap_or(rest.len());
                (length, Token::Word(&rest[..length]))
            }
        };
        self.at += length;
        Some((at, token))
    }
}

/// Writing to memory does not fail, whatever `rmp` returns.
struct Out(Vec<u8>);

impl Out {
    fn nil(&mut self) {
        let _infallible = write_nil(&mut self.0);
    }

    fn boolean(&mut self, value: bool) {
        let _infallible = write_bool(&mut self.0, value);
    }

    fn unsigned(&mut self, value: u64) {
        let _infallible = write_uint(&mut self.0, value);
    }

    fn signed(&mut self, value: i64) {
        let _infallible = write_sint(&mut self.0, value);
    }

    /// As JavaScript has one kind of number, one that is whole is an integer, `1.0` and `-0.0`, too.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole and in range"
    )]
    fn number(&mut self, text: &str) -> Result<(), ParserError> {
        const TWO_TO_64: f64 = 18_446_744_073_709_551_616.0;
        const TWO_TO_63: f64 = TWO_TO_64 / 2.0;
        if let Ok(value) = text.parse() {
            self.unsigned(value);
            return Ok(());
        }
        if let Ok(value) = text.parse() {
            self.signed(value);
            return Ok(());
        }
        let number: f64 = text
            .parse()
            .map_err(|_| ParserError::new(format_args!("{text:?} is no json")))?;
        let is_whole = number.fract() == 0.0;
        if is_whole && (0.0..TWO_TO_64).contains(&number) {
            self.unsigned(number as u64);
        } else if is_whole && (-TWO_TO_63..0.0).contains(&number) {
            self.signed(number as i64);
        } else {
            let _infallible = write_f64(&mut self.0, number);
        }
        Ok(())
    }

    fn string(&mut self, text: &str) -> Result<(), ParserError> {
        let _infallible = length(text.len()).map(|_| write_str(&mut self.0, text))?;
        Ok(())
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), ParserError> {
        let _infallible = length(bytes.len()).map(|_| write_bin(&mut self.0, bytes))?;
        Ok(())
    }

    fn array_len(&mut self, values: usize) -> Result<(), ParserError> {
        let _infallible = write_array_len(&mut self.0, length(values)?);
        Ok(())
    }

    fn map_len(&mut self, entries: usize) -> Result<(), ParserError> {
        let _infallible = write_map_len(&mut self.0, length(entries)?);
        Ok(())
    }
}

fn length(length: usize) -> Result<u32, ParserError> {
    u32::try_from(length).map_err(|_| ParserError::new("a value is longer than 4 GB, which msgpack cannot say"))
}
