//! Engine.IO protocol 3: `2:4a6:b4AQI=` as text, with lengths in UTF-16 code units; `\0 2 \xff 4a` as
//! bytes, with lengths in bytes; a type byte before the bytes of a message.
//!
//! Packets as text are those of [`eio4`], save that a client's heartbeat may carry data. Sources: the
//! Engine.IO protocol document, revision 3, and engine.io-parser 1.3 and 2.2, which the document
//! leaves to say how long text is in a payload of bytes. Pure; what a packet does to a connection
//! is [`conn`](super::super::conn)'s.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    Malformed, PayloadForm, Posted, Signal, eio4,
    frame::Frame,
    utf16::{self, MAX_DIGITS},
};

/// The type of a message, before its bytes.
const MESSAGE: u8 = 4;

/// What the lengths of a text payload count.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Counts {
    Utf16,
    Bytes,
}

const LENGTH: Malformed = Malformed("a payload whose lengths do not add up: expected `<length>:<packet>`");

/// One packet: a WebSocket text frame, or a text packet of a payload of text.
pub(crate) fn decode(packet: &str) -> Result<Signal<'_>, Malformed> {
    match packet.strip_prefix('b') {
        Some(base64) => decode_base64(base64),
        None => eio4::decode(packet),
    }
}

/// One packet: a WebSocket binary frame, or a binary packet of a payload.
pub(crate) fn decode_binary(packet: &[u8]) -> Result<Signal<'_>, Malformed> {
    match packet.split_first() {
        Some((&MESSAGE, bytes)) => Ok(Signal::Binary(bytes.into())),
        _ => Err(Malformed("a binary packet that does not begin with the type 4")),
    }
}

/// A text payload. Clients 1.x encode UTF-8 twice: each byte of it is a character up to U+00FF, and is
/// counted as such. Nothing tells them from those of 2.x but the text; what looks like theirs and is not
/// is what has been garbled in that very way before.
pub(crate) fn posted(payload: String) -> Posted {
    match decode_again(&payload) {
        Some(decoded) => Posted::CountedInBytes(decoded),
        None => Posted::Text(payload),
    }
}

/// Text that was encoded in UTF-8 twice; `None` where it was not, or is the same.
pub(crate) fn decode_again(text: &str) -> Option<String> {
    if text.is_ascii() {
        return None;
    }
    let bytes: Option<Vec<u8>> = text.chars().map(|byte| u8::try_from(byte).ok()).collect();
    String::from_utf8(bytes?).ok()
}

/// The packet that begins at that byte of a text payload, and where the next one does.
pub(crate) fn decode_next(payload: &str, at: usize, counts: Counts) -> Option<(Result<Signal<'_>, Malformed>, usize)> {
    if at >= payload.len() && at > 0 {
        return None;
    }
    Some(match split_text(&payload[at..], counts) {
        Some((packet, length)) => (decode(packet), at + length),
        None => (Err(LENGTH), payload.len().max(1)),
    })
}

/// `<length>:<packet>`, and how many bytes both take. A length that splits a surrogate pair is none.
fn split_text(payload: &str, counts: Counts) -> Option<(&str, usize)> {
    let colon = payload.bytes().take(MAX_DIGITS + 1).position(|byte| byte == b':')?;
    let length = utf16::number(
        payload
            .as_bytes()
            .get(..colon)?
            .iter()
            .map(|digit| digit.wrapping_sub(b'0')),
    )?;
    let packet = &payload[colon + 1..];
    let bytes = match counts {
        Counts::Utf16 => utf16::prefix(packet, length)?,
        Counts::Bytes => length,
    };
    Some((packet.get(..bytes)?, colon + 1 + bytes))
}

fn decode_base64(packet: &str) -> Result<Signal<'static>, Malformed> {
    let base64 = packet
        .strip_prefix('4')
        .ok_or(Malformed("a base64 packet that is no message: expected `b4`"))?;
    STANDARD
        .decode(base64)
        .map(|bytes| Signal::Binary(bytes.into()))
        .map_err(|_| Malformed("a binary packet that is not base64"))
}

/// The packet that begins at that byte of a binary payload, and where the next one does.
pub(crate) fn decode_next_binary(payload: &[u8], at: usize) -> Option<(Result<Signal<'_>, Malformed>, usize)> {
    if at >= payload.len() && at > 0 {
        return None;
    }
    Some(match split_binary(&payload[at..]) {
        Some((true, packet, length)) => {
            let text = std::str::from_utf8(packet).map_err(|_| Malformed("a text packet that is not UTF-8"));
            (text.and_then(eio4::decode), at + length)
        }
        Some((false, packet, length)) => (decode_binary(packet), at + length),
        None => (Err(LENGTH), payload.len().max(1)),
    })
}

/// Whether it is text, the packet, and how many bytes it takes with its length.
fn split_binary(payload: &[u8]) -> Option<(bool, &[u8], usize)> {
    let (&kind, rest) = payload.split_first().filter(|(kind, _)| **kind <= 1)?;
    let end = rest.iter().take(MAX_DIGITS + 1).position(|byte| *byte == 0xff)?;
    let length = utf16::number(rest[..end].iter().copied())?;
    let start = end + 1;
    let packet = rest.get(start..start.checked_add(length)?)?;
    Some((kind == 0, packet, 1 + start + length))
}

/// Frames as one polling payload: as bytes, which serve the most clients, unless text is asked for.
pub(crate) fn encode_payload<'a>(frames: impl Iterator<Item = &'a Frame> + Clone, form: PayloadForm) -> Vec<u8> {
    let length = |frame: &Frame| frame.packet().len() + MAX_DIGITS + 2;
    let mut body = Vec::with_capacity(frames.clone().map(length).sum());
    for frame in frames {
        match form {
            PayloadForm::Any => write_binary(&mut body, frame),
            PayloadForm::Text => write_text(&mut body, frame),
        }
    }
    body
}

fn write_binary(body: &mut Vec<u8>, frame: &Frame) {
    body.push(frame.is_binary().into());
    let length = frame.packet().len().to_string();
    body.extend(length.bytes().map(|digit| digit - b'0'));
    body.push(0xff);
    body.extend_from_slice(frame.packet());
}

fn write_text(body: &mut Vec<u8>, frame: &Frame) {
    let frame = as_text(frame);
    let units = utf16::units(frame.packet());
    body.extend_from_slice(format!("{units}:").as_bytes());
    body.extend_from_slice(frame.packet());
}

/// A binary packet as base64, any other as it is.
pub(crate) fn as_text(frame: &Frame) -> Frame {
    if !frame.is_binary() {
        return frame.clone();
    }
    let written: Result<_, std::convert::Infallible> = Frame::write_packet(b'b', |out| {
        out.push(b'4');
        out.extend_from_slice(STANDARD.encode(&frame.packet()[1..]).as_bytes());
        Ok(())
    });
    let Ok(((), text)) = written;
    text
}

/// A binary message, behind its type.
pub(crate) fn binary(bytes: &[u8]) -> Frame {
    Frame::binary(&[MESSAGE], bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Decoded<'a> = Vec<Result<Signal<'a>, Malformed>>;

    fn read<'a>(next: impl Fn(usize) -> Option<(Result<Signal<'a>, Malformed>, usize)>) -> Decoded<'a> {
        let mut signals = Vec::new();
        let mut at = 0;
        while let Some((signal, end)) = next(at) {
            signals.push(signal);
            at = end;
        }
        signals
    }

    fn text(payload: &str) -> Decoded<'_> {
        read(|at| decode_next(payload, at, Counts::Utf16))
    }

    fn bytes(payload: &[u8]) -> Decoded<'_> {
        read(|at| decode_next_binary(payload, at))
    }

    /// What engine.io-parser 2.2.1 writes.
    #[test]
    fn payloads_are_read_as_the_clients_write_them() {
        let expected = [
            Ok(Signal::Text("é😀")),
            Ok(Signal::Text("a")),
            Ok(Signal::Binary((&[1, 2][..]).into())),
        ];
        assert_eq!(text("4:4é😀2:4a6:b4AQI="), expected);
        let mut payload = b"\0\x07\xff4".to_vec();
        payload.extend("é😀".as_bytes());
        payload.extend(b"\0\x02\xff4a\x01\x03\xff\x04\x01\x02");
        assert_eq!(bytes(&payload), expected);
        let packets = [
            ("1:2", Signal::Ping("")),
            ("6:2probe", Signal::Ping("probe")),
            ("1:5", Signal::Upgrade),
            ("1:1", Signal::Close),
        ];
        for (payload, signal) in packets {
            assert_eq!(text(payload), [Ok(signal)]);
        }
    }

    /// What engine.io-parser 1.3.2 writes.
    #[test]
    fn text_that_is_encoded_twice_is_decoded_twice() {
        let garbled = |text: &str| text.bytes().map(char::from).collect::<String>();
        let Posted::CountedInBytes(payload) = posted(garbled("7:4é😀2:4a3:4é")) else {
            panic!("not told from text that is encoded once");
        };
        let signals = read(|at| decode_next(&payload, at, Counts::Bytes));
        assert_eq!(
            signals,
            [Ok(Signal::Text("é😀")), Ok(Signal::Text("a")), Ok(Signal::Text("é"))]
        );
        for once in ["2:4a", "2:4é", "3:4ü!", "4:4é😀", "3:4Ã¼é"] {
            assert!(matches!(posted(once.to_owned()), Posted::Text(_)), "{once}");
        }
        for lies in ["4:4é", "2:4é", "9:4é"] {
            let signals = read(|at| decode_next(lies, at, Counts::Bytes));
            assert!(signals.iter().any(Result::is_err), "{lies}: {signals:?}");
        }
    }

    #[test]
    fn payloads_are_written_as_the_clients_read_them() {
        let frames = [Frame::text("é😀"), Frame::text("a"), binary(&[1, 2]), binary(&[])];
        let payload = encode_payload(frames.iter(), PayloadForm::Text);
        assert_eq!(std::str::from_utf8(&payload), Ok("4:4é😀2:4a6:b4AQI=2:b4"));
        let payload = encode_payload(frames.iter(), PayloadForm::Any);
        let mut expected = b"\0\x07\xff4".to_vec();
        expected.extend("é😀".as_bytes());
        expected.extend(b"\0\x02\xff4a\x01\x03\xff\x04\x01\x02\x01\x01\xff\x04");
        assert_eq!(payload, expected);
        let long = encode_payload([Frame::text(&"x".repeat(1233))].iter(), PayloadForm::Any);
        assert!(long.starts_with(b"\0\x01\x02\x03\x04\xff4xx"));
    }

    #[test]
    fn binary_packets_begin_with_their_type() {
        assert_eq!(decode_binary(&[4, 1]), Ok(Signal::Binary((&[1][..]).into())));
        assert_eq!(decode_binary(&[4]), Ok(Signal::Binary((&[][..]).into())));
        for packet in [&[][..], &[2], &[0, 1], b"4a"] {
            assert!(decode_binary(packet).is_err(), "{packet:?}");
        }
        assert_eq!(binary(&[1, 2]).packet(), [4, 1, 2]);
    }

    #[test]
    fn lengths_that_lie_end_the_payload() {
        for payload in [
            "",
            "4",
            ":4a",
            "0:",
            "a:4a",
            "-1:4a",
            "+2:4a",
            " 2:4a",
            "2.0:4a",
            "3:4a",
            "2:4😀",
            "4:4😀",
            "99999999999:4a",
            "18446744073709551616:4a",
            "18446744073709551615:4a",
            "2",
            "١:4",
        ] {
            let read = text(payload);
            assert!(matches!(read[..], [Err(_)]), "{payload:?}: {read:?}");
        }
        assert!(matches!(text("2:4a9:4b")[..], [Ok(_), Err(_)]));
        assert!(matches!(text("2:4a!")[..], [Ok(_), Err(_)]));
        for payload in [
            &b""[..],
            b"\0",
            b"\0\xff",
            b"\0\x02",
            b"\0\x02\xff4",
            b"\x02\x02\xff4a",
            b"\0\x0a\xff4a",
            b"\xff",
            b"\0\x00\xff",
            b"\x01\x00\xff",
            b"\0\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\xff4a",
            b"\0\x02\xff4\xff",
            b"\x01\x02\xff\x05\x01",
        ] {
            let read = bytes(payload);
            assert!(matches!(read[..], [Err(_)]), "{payload:?}: {read:?}");
        }
    }

    fn frame() -> impl Strategy<Value = Frame> {
        prop_oneof![
            any::<String>().prop_map(|text| Frame::text(&text)),
            any::<Vec<u8>>().prop_map(|bytes| binary(&bytes))
        ]
    }

    fn as_signal(frame: &Frame) -> Result<Signal<'_>, Malformed> {
        if frame.is_binary() {
            decode_binary(frame.packet())
        } else {
            eio4::decode(std::str::from_utf8(frame.packet()).unwrap())
        }
    }

    proptest! {
        #[test]
        fn payloads_are_read_as_they_were_written(frames in prop::collection::vec(frame(), 1..5)) {
            let written = encode_payload(frames.iter(), PayloadForm::Text);
            let written = std::str::from_utf8(&written).unwrap();
            prop_assert!(text(written).into_iter().eq(frames.iter().map(as_signal)));
            let written = encode_payload(frames.iter(), PayloadForm::Any);
            prop_assert!(bytes(&written).into_iter().eq(frames.iter().map(as_signal)));
        }

        #[test]
        fn any_payload_ends(payload: String, raw: Vec<u8>) {
            prop_assert!(text(&payload).len() <= payload.len().max(1));
            prop_assert!(bytes(&raw).len() <= raw.len().max(1));
        }
    }
}
