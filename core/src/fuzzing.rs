//! What a fuzzer calls: one function a parser, for any bytes. `core/fuzz` runs them with libFuzzer;
//! the tests below replay the corpus in `testdata/fuzz`.

use std::ops::ControlFlow;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header::SEC_WEBSOCKET_EXTENSIONS};

#[cfg(feature = "msgpack")]
use crate::socketio::read_own_packet;
use crate::{
    PerMessageDeflate,
    engine::{Decoder, Generation, Posted, read_route, read_webtransport},
    socketio::read_packet,
};

/// WebSocket frames, read in pieces of the size that the first byte says.
pub fn websocket(data: &[u8]) {
    read_frames(data, Decoder::new(64 * 1024, None));
}

/// The same, from a client that may send compressed messages, after its offer in a line.
pub fn deflate(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    let offer = HeaderValue::from_bytes(parts.next().unwrap_or_default());
    let headers = offer.map(|offer| HeaderMap::from_iter([(SEC_WEBSOCKET_EXTENSIONS, offer)]));
    let agreed = PerMessageDeflate::default().agree(&headers.unwrap_or_default());
    if let Ok(Some((agreed, _))) = agreed {
        read_frames(parts.next().unwrap_or_default(), Decoder::new(64 * 1024, Some(agreed)));
    }
}

fn read_frames(data: &[u8], mut decoder: Decoder) {
    let Some((&size, wire)) = data.split_first() else {
        return;
    };
    for piece in wire.chunks(usize::from(size).max(1)) {
        let mut piece = piece.to_vec();
        let fed = decoder.feed(&mut piece, |_| {
            if size % 2 == 0 {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        });
        while decoder.has_backlog() {
            if decoder.feed(&mut [], |_| ControlFlow::Continue(())).is_err() {
                return;
            }
        }
        if fed.is_err() {
            return;
        }
    }
}

/// Messages of WebTransport, read in pieces of the size that the first byte says: they are those of the
/// whole, and what is held is bounded.
pub fn webtransport(data: &[u8]) {
    if let Some((&size, wire)) = data.split_first() {
        read_webtransport(wire, usize::from(size).max(1));
    }
}

/// A polling payload, of every generation.
pub fn payload(data: &[u8]) {
    let text = std::str::from_utf8(data).ok();
    for generation in Generation::ALL {
        let text = text.map(|text| generation.posted(text.to_owned()));
        for payload in text.into_iter().chain([Posted::Binary(data.to_vec())]) {
            let mut at = 0;
            while let Some((_, next)) = generation.decode_next(&payload, at) {
                assert!(next > at || data.is_empty(), "no progress");
                if next == at {
                    break;
                }
                at = next;
            }
        }
    }
}

/// A Socket.IO packet, and what a handler then reads of it.
pub fn packet(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        read_packet(text, &[Bytes::from_static(b"a"), Bytes::from_static(b"b")]);
    }
}

/// A Socket.IO packet in MessagePack, what a handler then reads of it, and what is written of it.
#[cfg(feature = "msgpack")]
pub fn msgpack(data: &[u8]) {
    use crate::{
        engine::Message,
        parser::{MsgPack, Parser},
    };

    let decode = |message| MsgPack.decoder(10).decode(message).ok().flatten();
    if let Some(packet) = std::str::from_utf8(data)
        .ok()
        .and_then(|text| decode(Message::Text(text)))
    {
        read_own_packet(&packet);
    }
    let Some(packet) = decode(Message::Binary(data)) else {
        return;
    };
    read_own_packet(&packet);
    let mut written = Vec::new();
    let sent = MsgPack.encode(&packet, &mut |message| {
        if let Message::Binary(bytes) = message {
            written = bytes.to_vec();
        }
    });
    assert_eq!(sent, Ok(()));
    // Numbers, and objects that look like placeholders, may change, but once only.
    let again = decode(Message::Binary(&written)).expect("what was written is read");
    assert_eq!(again.kind, packet.kind);
    assert_eq!(again.id, packet.id);
}

/// The URL of a request: what follows the endpoint, and the query.
pub fn query(data: &[u8]) {
    if let Ok(query) = std::str::from_utf8(data) {
        read_route(query);
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    #[test]
    fn the_corpus_is_harmless() {
        type Target = fn(&[u8]);
        let targets: &[(&str, Target)] = &[
            ("websocket", websocket),
            ("deflate", deflate),
            ("webtransport", webtransport),
            ("payload", payload),
            ("packet", packet),
            #[cfg(feature = "msgpack")]
            ("msgpack", msgpack),
            ("query", query),
        ];
        for (name, target) in targets {
            let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/fuzz").join(name);
            let mut inputs = 0;
            for input in fs::read_dir(corpus).unwrap() {
                target(&fs::read(input.unwrap().path()).unwrap());
                inputs += 1;
            }
            assert!(inputs > 0, "{name} has no corpus");
        }
    }
}
