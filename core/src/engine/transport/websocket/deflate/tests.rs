use std::{ops::ControlFlow, time::Duration};

use bytes::Bytes;
use http::{Method, Request, header::SEC_WEBSOCKET_EXTENSIONS};
use miniz_oxide::{
    DataFormat, MZFlush,
    deflate::{
        core::{CompressorOxide, create_comp_flags_from_zip_params},
        stream::deflate as miniz_deflate,
    },
    inflate::stream::{InflateState, inflate as miniz_inflate},
};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, DuplexStream};

use super::{Agreed, Compressed, PerMessageDeflate, flate::counted::COMPRESSIONS, inflate};
use crate::{
    SocketIo,
    engine::{
        Frame,
        transport::websocket::codec::{Decoder, Event, Opcode, Violation},
    },
};

const AGREED: Agreed = Agreed { window_bits: 15 };

/// A client's frame, its mask being 0.
fn client_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match u16::try_from(payload.len()).unwrap() {
        short @ 0..126 => frame.push(0x80 | u8::try_from(short).unwrap()),
        length => {
            frame.push(0xfe);
            frame.extend(length.to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// The messages that a client sent, as it was read in pieces.
fn read(wire: &[u8], piece: usize, max: usize) -> Result<Vec<String>, Violation> {
    let mut decoder = Decoder::new(max, Some(AGREED));
    let mut messages = Vec::new();
    for piece in wire.chunks(piece) {
        let _ = decoder.feed(&mut piece.to_vec(), |event| {
            messages.push(match event {
                Event::Binary(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                Event::Text(text) => text.to_owned(),
                other => format!("{other:?}"),
            });
            ControlFlow::Continue(())
        })?;
    }
    Ok(messages)
}

/// In one piece and byte by byte, which must be the same.
fn read_both_ways(wire: &[u8]) -> Result<Vec<String>, Violation> {
    let whole = read(wire, usize::MAX, 1000);
    assert_eq!(read(wire, 1, 1000), whole);
    whole
}

/// What another implementation makes of a message.
fn deflated_by_miniz(message: &[u8], level: i32) -> Vec<u8> {
    let flags = create_comp_flags_from_zip_params(level, -15, 0);
    let mut out = vec![0; message.len() * 2 + 1000];
    let mut state = CompressorOxide::new(flags);
    let result = miniz_deflate(&mut state, message, &mut out, MZFlush::Sync);
    assert_eq!(result.bytes_consumed, message.len());
    out.truncate(result.bytes_written);
    assert!(out.ends_with(&[0, 0, 0xff, 0xff]));
    out.truncate(out.len() - 4);
    out
}

fn inflated_by_miniz(payload: &[u8], length: usize) -> Vec<u8> {
    let mut out = vec![0; length + 1000];
    let mut state = InflateState::new_boxed(DataFormat::Raw);
    let payload = [payload, &[0, 0, 0xff, 0xff]].concat();
    let result = miniz_inflate(&mut state, &payload, &mut out, MZFlush::Sync);
    result.status.unwrap();
    out.truncate(result.bytes_written);
    out
}

/// The payload of a server's compressed frame.
fn payload(frame: &[u8]) -> &[u8] {
    assert_eq!(frame[0] & 0xf0, 0xc0, "a final, compressed frame");
    match frame[1] {
        126 => &frame[4..],
        127 => &frame[10..],
        _ => &frame[2..],
    }
}

/// Bytes that no compression makes fewer.
fn noise(length: usize) -> Vec<u8> {
    let next = |state: &u64| Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
    let states = std::iter::successors(Some(1_u64), next);
    states.map(|state| state.to_be_bytes()[0]).take(length).collect()
}

#[test]
fn the_messages_of_rfc_7692_are_read() {
    let hello: [(&str, &[&[u8]]); 5] = [
        ("7.2.3.1", &[&[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]]),
        ("7.2.3.1, fragmented", &[&[0xf2, 0x48, 0xcd], &[0xc9, 0xc9, 0x07, 0x00]]),
        (
            "7.2.3.3: not compressed",
            &[&[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00]],
        ),
        (
            "7.2.3.4: a last block",
            &[&[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00]],
        ),
        (
            "7.2.3.5: two blocks",
            &[&[
                0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00,
            ]],
        ),
    ];
    for (name, fragments) in hello {
        let mut wire = Vec::new();
        for (index, fragment) in fragments.iter().enumerate() {
            let first = if index == 0 { 0x41 } else { 0 } | if index + 1 == fragments.len() { 0x80 } else { 0 };
            wire.extend(client_frame(first, fragment));
        }
        assert_eq!(read_both_ways(&wire).unwrap(), ["Hello"], "{name}");
    }
    assert_eq!(
        read_both_ways(&client_frame(0xc1, &[0])).unwrap(),
        [""],
        "7.2.3.6: an empty one"
    );
}

#[test]
fn what_follows_a_last_block_may_refer_to_what_was_before_it() {
    // "Hello" in a last block; then five characters from five before, and the empty block.
    let payload = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x02, 0x13, 0x00, 0x00];
    assert_eq!(read_both_ways(&client_frame(0xc1, &payload)).unwrap(), ["HelloHello"]);
}

#[test]
fn a_message_that_ends_with_a_last_block_is_whole() {
    let payload = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    assert_eq!(read_both_ways(&client_frame(0xc1, &payload)).unwrap(), ["Hello"]);
}

#[test]
fn control_frames_come_between_the_fragments_of_a_compressed_message() {
    let wire = [
        client_frame(0x41, &[0xf2, 0x48, 0xcd]),
        client_frame(0x89, b"hi"),
        client_frame(0x80, &[0xc9, 0xc9, 0x07, 0x00]),
        client_frame(0x81, b"plain"),
    ];
    let messages = read_both_ways(&wire.concat()).unwrap();
    assert_eq!(messages, ["Ping([104, 105])", "Hello", "plain"]);
}

#[test]
fn a_message_that_refers_to_the_one_before_is_refused() {
    // §7.2.3.2, which takes over the context of another "Hello".
    let again = client_frame(0xc1, &[0xf2, 0x00, 0x11, 0x00, 0x00]);
    let hello = client_frame(0xc1, &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]);
    assert_eq!(read_both_ways(&[hello, again].concat()), Err(Violation::BadDeflate));
}

#[test]
fn compression_is_said_by_the_first_frame_of_a_message_and_nothing_else() {
    let begun = client_frame(0x41, &[0xf2, 0x48, 0xcd]);
    for (wire, violation) in [
        (client_frame(0xc9, &[]), Violation::StrayCompression(Opcode::Ping)),
        (client_frame(0xca, &[]), Violation::StrayCompression(Opcode::Pong)),
        (client_frame(0xc8, &[]), Violation::StrayCompression(Opcode::Close)),
        (
            [begun, client_frame(0xc0, &[0xc9, 0xc9, 0x07, 0x00])].concat(),
            Violation::StrayCompression(Opcode::Continuation),
        ),
        (client_frame(0xa1, &[]), Violation::ReservedBits(0x20)),
        (client_frame(0xd1, &[]), Violation::ReservedBits(0x50)),
    ] {
        assert_eq!(read_both_ways(&wire), Err(violation));
    }
    let mut plain = Decoder::new(1000, None);
    let refused = plain.feed(&mut client_frame(0xc1, &[0]), |_| ControlFlow::Continue(()));
    assert_eq!(refused, Err(Violation::ReservedBits(0x40)), "it was not agreed");
}

#[test]
fn compressed_text_is_utf_8() {
    let payload = deflated_by_miniz(b"\xff\xfe", 6);
    assert_eq!(read_both_ways(&client_frame(0xc1, &payload)), Err(Violation::BadText));
    assert!(read_both_ways(&client_frame(0xc2, &payload)).is_ok());
    // Compressed bytes look like text only by chance.
    let long = deflated_by_miniz("ä€😀".as_bytes(), 6);
    let fragments = [client_frame(0x41, &long[..3]), client_frame(0x80, &long[3..])];
    assert_eq!(read_both_ways(&fragments.concat()).unwrap(), ["ä€😀"]);
}

#[test]
fn a_bomb_is_refused_where_it_becomes_too_long() {
    let bomb = deflated_by_miniz(&vec![b'a'; 10_000_000], 9);
    assert!(bomb.len() < 20_000);
    for max in [0, 100, 300_000] {
        let refused = inflate(&bomb, max, |_| Ok(()));
        let Err(Violation::TooBig { at_least, .. }) = refused else {
            panic!("{refused:?}")
        };
        let most = max.max(64 * 1024) as u64 + 1;
        assert!(
            (max as u64 + 1..=most).contains(&at_least),
            "{max}: {at_least} were inflated"
        );
    }
    assert_eq!(inflate(&bomb, 10_000_000, |all| Ok(all.len())), Ok(10_000_000));
    let wire = client_frame(0xc2, &deflated_by_miniz(&[0; 1001], 9));
    assert_eq!(read(&wire, usize::MAX, 1000).unwrap_err().close_code(), 1009);
    assert_eq!(read(&wire, usize::MAX, 1001).unwrap().len(), 1);
}

#[test]
fn blocks_that_say_to_be_the_last_are_few() {
    let length = |blocks| inflate(&[3, 0].repeat(blocks), 10_000, |all| Ok(all.len()));
    assert_eq!(length(16), Ok(0));
    assert_eq!(length(18), Err(Violation::BadDeflate));
}

#[test]
fn a_message_that_is_cut_off_is_refused_nearly_wherever_that_was() {
    let message = (0..200).map(|i| (i * i).to_string()).collect::<Vec<_>>().join(" and ");
    let payload = deflated_by_miniz(message.as_bytes(), 6);
    let cuts = (0..payload.len()).map(|length| inflate(&payload[..length], 10_000, |_| Ok(())));
    let refused = cuts.filter(|cut| *cut == Err(Violation::BadDeflate)).count();
    assert!(refused >= payload.len() * 9 / 10, "{refused} of {}", payload.len());
}

#[test]
fn a_message_that_does_not_become_shorter_is_sent_as_it_is() {
    let settings = PerMessageDeflate::default();
    let plain = Frame::binary(&[], &noise(2000));
    assert_eq!(
        plain.compressible(settings).websocket(Some(AGREED)),
        plain.websocket(None)
    );
    for short in ["", "a"] {
        let plain = Frame::text(short);
        let compressible = plain.compressible(settings.threshold(0));
        assert_eq!(compressible.websocket(Some(AGREED)), plain.websocket(None));
    }
}

#[test]
fn messages_are_compressed_from_the_threshold_on_and_for_those_with_whom_it_is_agreed() {
    let settings = PerMessageDeflate::default();
    // With the packet's type.
    for (length, compressed) in [(1022, false), (1023, true)] {
        let plain = Frame::text(&"a".repeat(length));
        let frame = plain.compressible(settings);
        assert_eq!(frame.websocket(Some(AGREED))[0][0] == 0xc1, compressed);
        assert_eq!(frame.websocket(None), plain.websocket(None));
        assert_eq!(frame.packet(), plain.packet());
        assert_eq!(frame.len(), plain.len());
    }
    let binary = Frame::bytes(&Bytes::from_static(&[7; 5000])).compressible(settings);
    assert_eq!(binary.websocket(Some(AGREED))[0][0], 0xc2);
}

#[test]
fn who_compresses_nothing_pays_nothing() {
    // A pointer and its length, and what a frame knows besides: as without compression.
    assert_eq!(size_of::<Frame>(), 3 * size_of::<usize>());
    let without = [size_of::<usize>() * 5, size_of::<u64>()].iter().sum::<usize>();
    assert!(
        size_of::<Decoder>() <= without + size_of::<[usize; 7]>(),
        "{}",
        size_of::<Decoder>()
    );
}

#[test]
fn a_frame_is_compressed_once_for_each_window() {
    let frame = Frame::text(&"abc".repeat(1000)).compressible(PerMessageDeflate::default());
    let before = COMPRESSIONS.get();
    let [first, _] = frame.websocket(Some(AGREED));
    for clone in [frame.clone(), frame.clone()] {
        assert!(std::ptr::eq(clone.websocket(Some(AGREED))[0], first));
    }
    assert_eq!(COMPRESSIONS.get() - before, 1);
    for _ in 0..2 {
        frame.websocket(Some(Agreed { window_bits: 9 }));
    }
    assert_eq!(COMPRESSIONS.get() - before, 2);
}

#[test]
fn a_message_refers_no_further_back_than_was_agreed() {
    // What is near is alike, and so is what is 16,000 bytes away.
    let message: Vec<u8> = noise(2000).into_iter().flat_map(|byte| [byte; 8]).collect();
    let message = message.repeat(3);
    let lengths = [9, 13, 14, 15].map(|window_bits| {
        let compressed = Compressed::new(PerMessageDeflate::default());
        let frame = compressed.frame(Agreed { window_bits }, Opcode::Binary, &message);
        let payload = payload(frame.unwrap());
        assert_eq!(inflated_by_miniz(payload, message.len()), message);
        payload.len()
    });
    let [small, medium, large, largest] = lengths;
    assert!(small.min(medium) > 2 * large.max(largest), "{lengths:?}");
}

proptest! {
    #[test]
    fn what_is_sent_is_read_by_another_implementation(
        words in prop::collection::vec("[a-f]{1,8}", 1..400),
        level in 1..=9_u8,
        window_bits in 9..=15_u8,
    ) {
        let message = words.concat().repeat(3);
        let compressed = Compressed::new(PerMessageDeflate::default().level(level));
        if let Some(frame) = compressed.frame(Agreed { window_bits }, Opcode::Text, message.as_bytes()) {
            prop_assert!(payload(frame).len() < message.len());
            prop_assert_eq!(inflated_by_miniz(payload(frame), message.len()), message.as_bytes());
        } else {
            prop_assert!(message.len() < 200, "{} bytes became no shorter", message.len());
        }
    }

    #[test]
    fn what_another_implementation_sends_is_read(
        message in prop_oneof![".{0,300}".prop_map(String::into_bytes), prop::collection::vec(0..4_u8, 0..800)],
        level in 0..=9,
        cuts in prop::collection::vec(0..100_usize, 0..4),
        piece in 1..50_usize,
    ) {
        let mut payload = &deflated_by_miniz(&message, level)[..];
        let mut wire = Vec::new();
        let mut first = 0x42;
        for cut in cuts {
            let (fragment, rest) = payload.split_at(cut.min(payload.len()));
            wire.extend(client_frame(first, fragment));
            (first, payload) = (0, rest);
        }
        wire.extend(client_frame(0x80 | first, payload));
        let mut got = None;
        let mut decoder = Decoder::new(2000, Some(AGREED));
        for piece in wire.chunks(piece) {
            let fed = decoder.feed(&mut piece.to_vec(), |event| {
                let Event::Binary(bytes) = event else { panic!("{event:?}") };
                got = Some(bytes.to_vec());
                ControlFlow::Continue(())
            });
            prop_assert!(fed.is_ok(), "{:?}", fed);
        }
        prop_assert_eq!(got, Some(message));
    }

    #[test]
    fn whatever_is_inflated_stays_below_the_limit(payload in prop::collection::vec(any::<u8>(), 0..300), max in 0..500_usize) {
        let _ = inflate(&payload, max, |message| {
            assert!(message.len() <= max);
            Ok(())
        });
    }
}

/// A client that takes compressed messages, after its open packet.
async fn client(io: &SocketIo) -> DuplexStream {
    let request = Request::builder()
        .method(Method::GET)
        .uri("/socket.io/?EIO=4&transport=websocket")
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header(SEC_WEBSOCKET_EXTENSIONS, "permessage-deflate");
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let (response, ticket) = io.service().accept_websocket(parts).await.expect("a WebSocket");
    assert!(response.headers().contains_key(SEC_WEBSOCKET_EXTENSIONS));
    let (mut client, stream) = tokio::io::duplex(100_000);
    tokio::spawn(ticket.drive(stream));
    let open = next_frame(&mut client).await;
    assert_eq!(open[0], 0x81);
    tokio::io::AsyncWriteExt::write_all(&mut client, &client_frame(0x81, b"40"))
        .await
        .unwrap();
    assert_eq!(next_frame(&mut client).await[0], 0x81);
    client
}

async fn next_frame(client: &mut DuplexStream) -> Vec<u8> {
    let read = async {
        let mut frame = vec![client.read_u8().await.unwrap(), client.read_u8().await.unwrap()];
        let length = match frame[1] {
            126 => {
                let length = client.read_u16().await.unwrap();
                frame.extend(length.to_be_bytes());
                length
            }
            short => short.into(),
        };
        let mut payload = vec![0; length.into()];
        client.read_exact(&mut payload).await.unwrap();
        frame.extend(payload);
        frame
    };
    tokio::time::timeout(Duration::from_secs(60), read)
        .await
        .expect("a frame")
}

#[tokio::test(start_paused = true)]
async fn a_broadcast_is_compressed_once_for_all() {
    let io = SocketIo::builder()
        .per_message_deflate(PerMessageDeflate::default())
        .build();
    let mut clients = Vec::new();
    for _ in 0..50 {
        clients.push(client(&io).await);
    }
    let before = COMPRESSIONS.get();
    let news = "hello ".repeat(1000);
    io.emit("news", &news).unwrap();
    for client in &mut clients {
        let frame = next_frame(client).await;
        let text = inflate(payload(&frame), 10_000, |text| Ok(text.to_vec())).unwrap();
        assert_eq!(text, format!("42[\"news\",\"{news}\"]").into_bytes());
    }
    assert_eq!(COMPRESSIONS.get() - before, 1);
}
