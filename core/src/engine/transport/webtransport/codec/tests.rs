use proptest::prelude::*;

use super::*;
use crate::engine::generation::Generation;

const PIECES: [usize; 5] = [1, 2, 3, 7, 1 << 20];

fn text(text: &str) -> (bool, Vec<u8>) {
    (false, text.as_bytes().to_vec())
}

fn written(frame: &Frame) -> Vec<u8> {
    Decoder::new(0).parts(frame).flatten().copied().collect()
}

/// A message as the reference's parser writes it.
fn wire(binary: bool, message: &[u8]) -> Vec<u8> {
    let mut wire = match message.len() {
        short @ 0..126 => vec![u8::try_from(short).unwrap()],
        medium @ 126..=0xffff => [&[126][..], &u16::try_from(medium).unwrap().to_be_bytes()].concat(),
        long => [&[127][..], &(long as u64).to_be_bytes()].concat(),
    };
    wire[0] |= u8::from(binary) << 7;
    [wire, message.to_vec()].concat()
}

#[test]
fn messages_are_read_as_the_reference_writes_them() {
    let long = "4".repeat(300);
    for size in PIECES {
        let wire = [
            wire(false, b"0"),
            wire(true, &[1, 2, 3]),
            wire(false, "4é😀".as_bytes()),
            wire(true, &[]),
            wire(false, long.as_bytes()),
        ]
        .concat();
        let messages = vec![
            text("0"),
            (true, vec![1, 2, 3]),
            text("4é😀"),
            (true, vec![]),
            text(&long),
        ];
        assert_eq!(read_in_pieces(&wire, size), (messages, None), "{size}");
    }
}

#[test]
fn frames_are_written_as_the_reference_reads_them() {
    for len in [0, 1, 124, 125, 126, 65_534, 65_535, 65_536, 70_000] {
        let message = "x".repeat(len);
        let packet = format!("4{message}");
        assert_eq!(written(&Frame::text(&message)), wire(false, packet.as_bytes()), "{len}");
        if len > 0 {
            let frame = Frame::binary(&[], message.as_bytes());
            assert_eq!(written(&frame), wire(true, message.as_bytes()), "{len}");
        }
    }
    let ping = Generation::OF_WEBTRANSPORT.control(&crate::engine::codec::Signal::Ping(""));
    assert_eq!(written(&ping), b"\x012");
}

#[test]
fn bytes_of_no_length_are_written_as_base64_since_clients_refuse_a_length_of_0() {
    assert_eq!(written(&Frame::binary(&[], &[])), b"\x01b");
}

#[test]
fn a_text_of_no_bytes_is_refused_after_what_came_before() {
    for size in PIECES {
        assert_eq!(
            read_in_pieces(b"\x012\x00\x012", size),
            (vec![text("2")], Some(Violation::Empty))
        );
    }
}

#[test]
fn a_message_that_is_too_big_is_refused_by_its_header() {
    let max = 64 * 1024;
    let header = |len: u64| [&[127][..], &len.to_be_bytes()].concat();
    for len in [max as u64 + 1, 1 << 53, u64::MAX] {
        for size in PIECES {
            let violation = Violation::TooBig { len, max };
            assert_eq!(read_in_pieces(&header(len), size), (vec![], Some(violation)));
        }
    }
    assert_eq!(read_in_pieces(&header(max as u64), 4), (vec![], None));
    let mut decoder = Decoder::new(3);
    let fed = decoder.feed(&mut [4], |_| ControlFlow::Continue(()));
    assert_eq!(fed, Err(Violation::TooBig { len: 4, max: 3 }));
}

#[test]
fn text_is_utf8() {
    assert_eq!(
        read_in_pieces(b"\x024\xff", 2),
        (vec![], Some(Violation::BadText)),
        "the reference replaces it, but no client can send it"
    );
}

#[test]
fn nothing_is_held_once_all_is_read() {
    let mut decoder = Decoder::new(1000);
    let mut wire = wire(true, &[7; 500]);
    let (first, rest) = wire.split_at_mut(400);
    let mut ignore = |_: Event<'_>| ControlFlow::Continue(());
    assert!(decoder.feed(first, &mut ignore).is_ok());
    assert_eq!(decoder.kept.len(), 400);
    assert!(decoder.feed(rest, &mut ignore).is_ok());
    assert_eq!(decoder.kept.capacity(), 0);
}

#[test]
fn violations_tell_what_to_do() {
    let too_big = Violation::TooBig { len: 5, max: 4 };
    assert_eq!(too_big.to_string(), "a message of 5 bytes: send at most 4");
}

proptest! {
    #[test]
    fn what_is_written_is_read_again_in_pieces_of_any_size(
        messages in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 1..400)), 0..9),
        size in 1..300_usize,
    ) {
        let messages: Vec<_> = messages
            .into_iter()
            .map(|(binary, bytes)| {
                let mask = if binary { 0xff } else { 0x7f };
                (binary, bytes.iter().map(|byte| byte & mask).collect::<Vec<_>>())
            })
            .collect();
        let wire: Vec<_> = messages.iter().flat_map(|(binary, bytes)| wire(*binary, bytes)).collect();
        prop_assert_eq!(read_in_pieces(&wire, size), (messages, None));
    }

    #[test]
    fn the_size_of_reads_changes_nothing(wire in any::<Vec<u8>>(), size in 1..20_usize) {
        prop_assert_eq!(read_in_pieces(&wire, size), read_in_pieces(&wire, 1 << 20));
    }
}
