//! The engine's share of Socket.IO 0.9 (protocol 1): `1::` opens, `2::` is the heartbeat, `8::` nothing,
//! `7:::1+0` the end; several packets are `\u{fffd}4\u{fffd}3:::a\u{fffd}4\u{fffd}3:::b`, with lengths in
//! UTF-16 code units. All other packets are messages, as they stand on the wire.
//!
//! Source: socket.io-client 0.9.17 and the socket.io 0.9.19 server. Pure; what a packet does to a
//! connection is [`conn`](super::super::conn)'s.

use super::{
    Malformed, Signal,
    frame::Frame,
    utf16::{self, MAX_DIGITS},
};

/// Before and after each length of a payload.
const MARK: char = '\u{fffd}';

/// The server's farewell: what follows it would make a client come back that was told not to.
const DISCONNECT: &[u8] = b"0::";

const LENGTH: Malformed =
    Malformed("a payload whose lengths do not add up: expected `\u{fffd}<length>\u{fffd}<packet>`");

/// One packet: a WebSocket text frame, or a part of a payload.
pub(crate) fn decode(packet: &str) -> Result<Signal<'_>, Malformed> {
    match packet.as_bytes() {
        [b'2', b':', ..] => Ok(Signal::Pong("")),
        // Errors are the server's to send.
        [b'7' | b'8', b':', ..] => Ok(Signal::Noop),
        [b'0'..=b'6', b':', ..] => Ok(Signal::Text(packet)),
        _ => Err(Malformed("an unknown packet type: expected 0 to 8 and a colon")),
    }
}

/// The packet that begins at that byte of a payload, and where the next one does. An empty payload has
/// none.
pub(crate) fn decode_next(payload: &str, at: usize) -> Option<(Result<Signal<'_>, Malformed>, usize)> {
    let rest = payload.get(at..).filter(|rest| !rest.is_empty())?;
    if at == 0 && !rest.starts_with(MARK) {
        return Some((decode(rest), payload.len()));
    }
    Some(match split(rest) {
        Some((packet, length)) => (decode(packet), at + length),
        None => (Err(LENGTH), payload.len()),
    })
}

/// `\u{fffd}<length>\u{fffd}<packet>`, and how many bytes it takes.
fn split(payload: &str) -> Option<(&str, usize)> {
    let rest = payload.strip_prefix(MARK)?;
    let digits = rest
        .bytes()
        .take(MAX_DIGITS + 1)
        .position(|byte| !byte.is_ascii_digit())?;
    let length = utf16::number(rest.as_bytes()[..digits].iter().map(|digit| digit - b'0'))?;
    let packet = rest[digits..].strip_prefix(MARK)?;
    let bytes = utf16::prefix(packet, length)?;
    let start = payload.len() - packet.len();
    Some((&packet[..bytes], start + bytes))
}

/// Frames as one payload: a single one as it is.
pub(crate) fn encode_payload<'a>(frames: impl Iterator<Item = &'a Frame> + Clone) -> Vec<u8> {
    let is_last = |frame: &Frame| frame.packet() == DISCONNECT;
    let told = frames.clone().take_while(|frame| !is_last(frame)).count() + 1;
    let frames = frames.take(told);
    let mut single = frames.clone();
    if let (Some(frame), None) = (single.next(), single.next()) {
        return frame.packet().to_vec();
    }
    let length = |frame: &Frame| frame.packet().len() + MAX_DIGITS + 2 * MARK.len_utf8();
    let mut body = Vec::with_capacity(frames.clone().map(length).sum());
    for frame in frames {
        body.extend_from_slice(format!("{MARK}{}{MARK}", utf16::units(frame.packet())).as_bytes());
        body.extend_from_slice(frame.packet());
    }
    body
}

/// A packet that is a message.
pub(crate) fn text(packet: &str) -> Option<Frame> {
    let (&kind, rest) = packet.as_bytes().split_first()?;
    let written: Result<_, std::convert::Infallible> = Frame::write_packet(kind, |out| {
        out.extend_from_slice(rest);
        Ok(())
    });
    let Ok(((), frame)) = written;
    Some(frame)
}

/// The packets that the server sends of itself, each a whole WebSocket frame.
pub(crate) fn control(signal: &Signal<'_>) -> Frame {
    Frame::control(match signal {
        Signal::Open => &b"\x81\x031::"[..],
        Signal::Ping(_) => b"\x81\x032::",
        // "Client not handshaken", and the advice to do so.
        Signal::Close => b"\x81\x077:::1+0",
        Signal::Noop => b"\x81\x038::",
        Signal::Pong(_) | Signal::Text(_) | Signal::Binary(_) | Signal::Upgrade => {
            unreachable!("not a control packet of this server: {signal:?}")
        }
    })
}

/// The answer to a handshake.
pub(crate) fn handshake(sid: &str, silence_seconds: u64, transports: &str) -> String {
    format!("{sid}:{silence_seconds}:{silence_seconds}:{transports}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(payload: &str) -> Vec<Result<Signal<'_>, Malformed>> {
        let mut signals = Vec::new();
        let mut at = 0;
        while let Some((signal, end)) = decode_next(payload, at) {
            signals.push(signal);
            at = end;
        }
        signals
    }

    fn write(packets: &[&str]) -> String {
        let frames: Vec<_> = packets.iter().filter_map(|packet| text(packet)).collect();
        String::from_utf8(encode_payload(frames.iter())).unwrap()
    }

    #[test]
    fn signals_of_the_engine_are_told_from_messages() {
        assert_eq!(decode("2::"), Ok(Signal::Pong("")));
        assert_eq!(decode("8::"), Ok(Signal::Noop));
        assert_eq!(decode("7:::1+0"), Ok(Signal::Noop));
        for packet in ["0::", "0::/chat", "1::/chat", "3:::a", "4:1::{}", "5:1+::{}", "6:::1"] {
            assert_eq!(decode(packet), Ok(Signal::Text(packet)));
        }
        for packet in ["", "3", "9::", "::", "a::", "\u{fffd}", "é::", "33::"] {
            assert!(decode(packet).is_err(), "{packet:?}");
        }
    }

    #[test]
    fn packets_of_the_server_are_what_clients_know() {
        let sent = [Signal::Open, Signal::Ping(""), Signal::Close, Signal::Noop]
            .map(|signal| String::from_utf8(control(&signal).packet().to_vec()).unwrap());
        assert_eq!(sent, ["1::", "2::", "7:::1+0", "8::"]);
        for signal in [Signal::Open, Signal::Ping(""), Signal::Close, Signal::Noop] {
            let frame = control(&signal);
            assert_eq!(frame.websocket(None)[0][1] as usize, frame.packet().len());
        }
        assert_eq!(
            handshake("abc", 45, "websocket,xhr-polling"),
            "abc:45:45:websocket,xhr-polling"
        );
    }

    #[test]
    fn a_single_packet_is_not_framed_and_several_are() {
        for (payload, packets) in [
            ("3:::a", &["3:::a"][..]),
            ("3:::\u{fffd}3\u{fffd}", &["3:::\u{fffd}3\u{fffd}"]),
            ("\u{fffd}5\u{fffd}3:::a\u{fffd}5\u{fffd}3:::b", &["3:::a", "3:::b"]),
            ("\u{fffd}6\u{fffd}3:::😀\u{fffd}5\u{fffd}3:::é", &["3:::😀", "3:::é"]),
            (
                "\u{fffd}7\u{fffd}3:::\u{fffd}5\u{fffd}\u{fffd}5\u{fffd}3:::b",
                &["3:::\u{fffd}5\u{fffd}", "3:::b"],
            ),
        ] {
            let signals: Vec<_> = packets.iter().map(|packet| Ok(Signal::Text(packet))).collect();
            assert_eq!(read(payload), signals, "{payload}");
            assert_eq!(write(packets), payload);
        }
        assert_eq!(read("\u{fffd}5\u{fffd}3:::a"), [Ok(Signal::Text("3:::a"))]);
        assert_eq!(read(""), []);
    }

    #[test]
    fn nothing_follows_the_farewell() {
        assert_eq!(write(&["0::", "7:::1+0"]), "0::");
        assert_eq!(write(&["3:::a", "0::", "7:::1+0"]), write(&["3:::a", "0::"]));
        assert_eq!(
            write(&["0::/chat", "7:::1+0"]),
            "\u{fffd}8\u{fffd}0::/chat\u{fffd}7\u{fffd}7:::1+0"
        );
    }

    #[test]
    fn lengths_that_lie_end_the_payload() {
        for payload in [
            "\u{fffd}",
            "\u{fffd}\u{fffd}",
            "\u{fffd}5",
            "\u{fffd}5\u{fffd}",
            "\u{fffd}\u{fffd}3:::a",
            "\u{fffd}6\u{fffd}3:::a",
            "\u{fffd}0\u{fffd}",
            "\u{fffd}-5\u{fffd}3:::a",
            "\u{fffd}+5\u{fffd}3:::a",
            "\u{fffd}5.0\u{fffd}3:::a",
            "\u{fffd}5\u{fffd}3:::😀",
            "\u{fffd}99999999999\u{fffd}3:::a",
            "\u{fffd}18446744073709551616\u{fffd}3:::a",
            "\u{fffd}18446744073709551615\u{fffd}3:::a",
            "\u{fffd}٥\u{fffd}3:::a",
        ] {
            let read = read(payload);
            assert!(matches!(read[..], [Err(_)]), "{payload:?}: {read:?}");
        }
        for payload in [
            "\u{fffd}5\u{fffd}3:::a3:::b",
            "\u{fffd}5\u{fffd}3:::a\u{fffd}",
            "\u{fffd}4\u{fffd}3:::a",
        ] {
            let read = read(payload);
            assert!(matches!(read[..], [Ok(_), Err(_)]), "{payload:?}: {read:?}");
        }
    }

    proptest! {
        #[test]
        fn payloads_are_read_as_they_were_written(data in prop::collection::vec(any::<String>(), 1..5)) {
            let packets: Vec<_> = data.iter().map(|data| format!("3:::{data}")).collect();
            let packets: Vec<_> = packets.iter().map(String::as_str).collect();
            let written = write(&packets);
            prop_assert!(read(&written).into_iter().eq(packets.iter().map(|packet| Ok(Signal::Text(packet)))));
        }

        #[test]
        fn any_payload_ends(payload in r"[\u{fffd}0-9:a😀]{0,30}") {
            prop_assert!(read(&payload).len() <= payload.len());
        }
    }
}
