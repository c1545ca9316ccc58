//! Engine.IO protocol 4: `4hello`, payloads joined by U+001E, base64 behind `b`.
//!
//! Source: the Engine.IO protocol document, revision 4. Pure; what a packet does to a
//! connection is [`conn`](super::super::conn)'s.

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use super::{Malformed, Signal, frame::Frame};

/// Between two packets of a polling payload.
const SEPARATOR: char = '\x1e';

/// The type of a text message, the byte in front of it.
pub(crate) const MESSAGE: u8 = b'4';

/// One packet: a WebSocket text frame, or what stands between two separators of a payload.
pub(crate) fn decode(packet: &str) -> Result<Signal<'_>, Malformed> {
    let kind = packet.chars().next().ok_or(Malformed("an empty packet"))?;
    let data = &packet[kind.len_utf8()..];
    Ok(match kind {
        '0' => Signal::Open,
        '1' => Signal::Close,
        '2' => Signal::Ping(data),
        '3' => Signal::Pong(data),
        '4' => Signal::Text(data),
        '5' => Signal::Upgrade,
        '6' => Signal::Noop,
        'b' => STANDARD
            .decode(data)
            .map(|bytes| Signal::Binary(bytes.into()))
            .map_err(|_| Malformed("a binary packet that is not base64"))?,
        _ => return Err(Malformed("an unknown packet type: expected 0 to 6 or b")),
    })
}

/// What an open packet of a client says.
pub(crate) fn opening(packet: &str) -> Option<&str> {
    packet.strip_prefix('0')
}

/// The session that it names.
pub(crate) fn session(data: &str) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Data<'a> {
        #[serde(borrow)]
        sid: Cow<'a, str>,
    }
    serde_json::from_str(data).ok().map(|data: Data<'_>| data.sid)
}

/// The packet that begins at that byte of a polling payload, and where the next one does.
pub(crate) fn decode_next(payload: &str, at: usize) -> Option<(Result<Signal<'_>, Malformed>, usize)> {
    let packet = payload.get(at..)?.split(SEPARATOR).next().unwrap_or_default();
    Some((decode(packet), at + packet.len() + SEPARATOR.len_utf8()))
}

/// A packet for a client that reads no bytes (`forceBase64`).
pub(crate) fn as_text(frame: &Frame) -> Frame {
    if !frame.is_binary() {
        return frame.clone();
    }
    let written: Result<_, std::convert::Infallible> = Frame::write_packet(b'b', |out| {
        out.extend_from_slice(STANDARD.encode(frame.packet()).as_bytes());
        Ok(())
    });
    let Ok(((), text)) = written;
    text
}

/// Frames as one polling payload.
pub(crate) fn encode_payload<'a>(frames: impl Iterator<Item = &'a Frame> + Clone) -> Vec<u8> {
    let length = |frame: &Frame| 2 + frame.packet().len() * if frame.is_binary() { 4 } else { 3 } / 3;
    let mut body = Vec::with_capacity(frames.clone().map(length).sum());
    for frame in frames {
        if !body.is_empty() {
            body.push(SEPARATOR as u8);
        }
        if frame.is_binary() {
            body.push(b'b');
            let start = body.len();
            body.resize(
                start + base64::encoded_len(frame.packet().len(), true).expect("a payload in memory"),
                0,
            );
            STANDARD
                .encode_slice(frame.packet(), &mut body[start..])
                .expect("room for the whole of it");
        } else {
            body.extend_from_slice(frame.packet());
        }
    }
    body
}

/// The first packet of a connection, with what the client must know of it.
pub(crate) fn open(data: &impl Serialize) -> Frame {
    let written = Frame::write_packet(b'0', |out| serde_json::to_writer(out, data));
    let ((), frame) = written.expect("text and numbers are JSON");
    frame
}

/// The packets that the server sends of itself, each a whole WebSocket frame.
pub(crate) fn control(signal: &Signal<'_>) -> Frame {
    Frame::control(match signal {
        Signal::Close => &b"\x81\x011"[..],
        Signal::Ping(_) => b"\x81\x012",
        Signal::Pong("probe") => b"\x81\x063probe",
        Signal::Pong(_) => b"\x81\x013",
        Signal::Noop => b"\x81\x016",
        Signal::Open | Signal::Text(_) | Signal::Binary(_) | Signal::Upgrade => {
            unreachable!("not a control packet of this server: {signal:?}")
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode_payload(body: &str) -> Vec<Result<Signal<'_>, Malformed>> {
        let mut signals = Vec::new();
        let mut at = 0;
        while let Some((signal, next)) = decode_next(body, at) {
            signals.push(signal);
            at = next;
        }
        signals
    }

    #[test]
    fn packets_are_read_as_the_protocol_document_writes_them() {
        let table: [(&str, Result<Signal<'_>, ()>); 16] = [
            ("0", Ok(Signal::Open)),
            ("1", Ok(Signal::Close)),
            ("2", Ok(Signal::Ping(""))),
            ("2probe", Ok(Signal::Ping("probe"))),
            ("3", Ok(Signal::Pong(""))),
            ("3probe", Ok(Signal::Pong("probe"))),
            ("4hello", Ok(Signal::Text("hello"))),
            ("4", Ok(Signal::Text(""))),
            ("5", Ok(Signal::Upgrade)),
            ("6", Ok(Signal::Noop)),
            ("bAQIDBA==", Ok(Signal::Binary(vec![1, 2, 3, 4].into()))),
            ("b", Ok(Signal::Binary(vec![].into()))),
            ("b*", Err(())),
            ("", Err(())),
            ("abc", Err(())),
            ("é4", Err(())),
        ];
        for (packet, signal) in table {
            assert_eq!(decode(packet).map_err(drop), signal, "{packet:?}");
        }
    }

    #[test]
    fn an_open_packet_of_a_client_may_name_a_session() {
        assert_eq!(opening("0"), Some(""));
        assert_eq!(opening(r#"0{"sid":"abc"}"#), Some(r#"{"sid":"abc"}"#));
        assert_eq!(opening("2probe"), None);
        for (data, sid) in [
            (r#"{"sid":"abc"}"#, Some("abc")),
            (r#"{"x":[1],"sid":"a\u0062c"}"#, Some("abc")),
            ("{}", None),
            (r#"{"sid":1}"#, None),
            ("abc", None),
        ] {
            assert_eq!(session(data).as_deref(), sid, "{data}");
        }
    }

    #[test]
    fn payloads_hold_several_packets_and_base64() {
        let body = "4hello\x1e2\x1e4€\x1ebAQIDBA==";
        let signals: Result<Vec<_>, _> = decode_payload(body).into_iter().collect();
        assert_eq!(
            signals,
            Ok(vec![
                Signal::Text("hello"),
                Signal::Ping(""),
                Signal::Text("€"),
                Signal::Binary(vec![1, 2, 3, 4].into()),
            ])
        );
        for body in ["", "4a\x1e", "\x1e4a", "b*", "4a\x1ebAQ=I", "{}"] {
            assert!(
                decode_payload(body).into_iter().any(|signal| signal.is_err()),
                "{body:?}"
            );
        }
    }

    #[test]
    fn control_packets_are_whole_websocket_frames() {
        for (signal, packet) in [
            (Signal::Close, "1"),
            (Signal::Ping(""), "2"),
            (Signal::Pong("probe"), "3probe"),
            (Signal::Pong(""), "3"),
            (Signal::Noop, "6"),
        ] {
            let frame = control(&signal);
            assert_eq!(frame.packet(), packet.as_bytes());
            assert_eq!(
                frame.websocket(None).concat(),
                [&[0x81, u8::try_from(packet.len()).unwrap()], packet.as_bytes()].concat()
            );
        }
    }

    #[test]
    fn bytes_are_text_for_clients_that_read_none() {
        let bytes = as_text(&Frame::binary(&[], &[1, 2, 3, 4]));
        assert_eq!((bytes.packet(), bytes.is_binary()), (&b"bAQIDBA=="[..], false));
        assert_eq!(as_text(&Frame::text("hello")).packet(), b"4hello");
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded_again(messages in prop::collection::vec(
            prop_oneof!["[^\x1e]*".prop_map(Ok), any::<Vec<u8>>().prop_map(Err)], 1..9,
        )) {
            let frames: Vec<_> = messages.iter().map(|message| match message {
                Ok(text) => Frame::text(text),
                Err(bytes) => Frame::binary(&[], bytes),
            }).collect();
            let body = String::from_utf8(encode_payload(frames.iter())).unwrap();
            let decoded: Result<Vec<_>, _> = decode_payload(&body).into_iter().collect();
            let expected: Vec<_> = messages.iter().map(|message| match message {
                Ok(text) => Signal::Text(text),
                Err(bytes) => Signal::Binary(bytes.into()),
            }).collect();
            prop_assert_eq!(decoded, Ok(expected));
        }

        #[test]
        fn arbitrary_bodies_never_panic(body in any::<String>()) {
            let held: usize = decode_payload(&body)
                .into_iter()
                .filter_map(Result::ok)
                .map(|signal| match signal { Signal::Binary(bytes) => bytes.len(), _ => 0 })
                .sum();
            prop_assert!(held <= body.len());
        }
    }
}
