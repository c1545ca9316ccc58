//! What clients may and must not send, in every split, and what of it is held in memory.

use proptest::prelude::*;

use super::*;

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// `Event`, owned.
#[derive(Clone, Debug, PartialEq)]
enum Got {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong,
    Close(Option<(u16, String)>),
}

impl From<Event<'_>> for Got {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Text(text) => Self::Text(text.into()),
            Event::Binary(bytes) => Self::Binary(bytes.into()),
            Event::Ping(payload) => Self::Ping(payload.into()),
            Event::Pong => Self::Pong,
            Event::Close(frame) => Self::Close(frame.map(|f| (f.code, f.reason.into()))),
        }
    }
}

fn text(text: &str) -> Got {
    Got::Text(text.into())
}

/// A masked frame; `first` is its first byte: the last-fragment bit 0x80 and the opcode.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let (header, size) = frame::header(Opcode::Text, payload.len());
    let mut bytes = header[..size].to_vec();
    bytes[0] = first;
    bytes[1] |= 0x80;
    bytes.extend(MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// Feeds `wire` in pieces of these lengths, over and over; breaks after every `break_every`th
/// event.
fn feed_all(decoder: &mut Decoder, wire: &[u8], pieces: &[usize], break_every: usize) -> (Vec<Got>, Option<Violation>) {
    let mut got = Vec::new();
    let mut rest = wire;
    let mut lengths = pieces.iter().cycle();
    while !rest.is_empty() {
        let (piece, later) = rest.split_at(rest.len().min(*lengths.next().unwrap()));
        rest = later;
        let mut piece = piece.to_vec();
        loop {
            let fed = decoder.feed(&mut piece, |event| {
                got.push(Got::from(event));
                if got.len() % break_every == 0 {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            });
            match fed {
                Err(violation) => return (got, Some(violation)),
                Ok(flow) => assert!(flow.is_break() || !decoder.has_backlog()),
            }
            if !decoder.has_backlog() {
                break;
            }
            piece.clear();
        }
    }
    (got, None)
}

fn decode_with_limit(wire: &[u8], max_message: usize) -> (Vec<Got>, Option<Violation>) {
    let whole = feed_all(&mut Decoder::new(max_message, None), wire, &[usize::MAX], usize::MAX);
    let bytewise = feed_all(&mut Decoder::new(max_message, None), wire, &[1], usize::MAX);
    assert_eq!(whole, bytewise, "how the bytes are split must not matter");
    whole
}

fn decode(wire: &[u8]) -> (Vec<Got>, Option<Violation>) {
    decode_with_limit(wire, 1 << 20)
}

/// Bytes of memory held.
fn held(decoder: &Decoder) -> usize {
    decoder.kept.capacity() + decoder.message.as_ref().map_or(0, |message| message.bytes.capacity())
}

#[test]
fn decoder_is_small_and_an_idle_one_holds_nothing() {
    assert!(size_of::<Decoder>() <= 96, "{}", size_of::<Decoder>());
    let mut decoder = Decoder::new(1 << 20, None);
    assert_eq!(held(&decoder), 0);
    let wire = masked(0x82, &vec![7; 100_000]);
    assert_eq!(
        feed_all(&mut decoder, &wire, &[4096], usize::MAX).0,
        [Got::Binary(vec![7; 100_000])]
    );
    assert_eq!(held(&decoder), 0);
}

#[test]
fn whole_frame_is_lent_from_the_input() {
    let mut decoder = Decoder::new(100, None);
    let mut wire = [masked(0x81, b"one"), masked(0x82, b"two"), masked(0x89, b"three")].concat();
    let input = wire.as_ptr_range();
    let mut events = 0;
    let fed = decoder.feed(&mut wire, |event| {
        let payload = match event {
            Event::Text(text) => text.as_bytes(),
            Event::Binary(bytes) | Event::Ping(bytes) => bytes,
            other => panic!("{other:?}"),
        };
        assert!(input.contains(&payload.as_ptr()));
        events += 1;
        ControlFlow::Continue(())
    });
    assert_eq!((fed, events, held(&decoder)), (Ok(ControlFlow::Continue(())), 3, 0));
}

#[test]
fn frame_after_a_cut_header_is_lent_from_the_input() {
    let mut decoder = Decoder::new(100, None);
    let mut wire = [masked(0x81, b"one"), masked(0x81, b"two")].concat();
    let (start, rest) = wire.split_at_mut(3);
    assert_eq!(
        decoder.feed(start, |_| panic!("nothing is whole yet")),
        Ok(ControlFlow::Continue(()))
    );
    let input = rest.as_ptr_range();
    let mut lent = Vec::new();
    let fed = decoder.feed(rest, |event| {
        let Event::Text(text) = event else { panic!("{event:?}") };
        lent.push((text.to_owned(), input.contains(&text.as_ptr())));
        ControlFlow::Continue(())
    });
    assert_eq!(fed, Ok(ControlFlow::Continue(())));
    assert_eq!(lent, [("one".to_owned(), true), ("two".to_owned(), true)]);
}

#[test]
fn what_clients_may_send_is_handed_on() {
    let long = "x".repeat(70_000);
    let cases = [
        ("empty text", vec![masked(0x81, b"")], vec![text("")]),
        (
            "16-bit length",
            vec![masked(0x82, &[1; 126])],
            vec![Got::Binary(vec![1; 126])],
        ),
        ("64-bit length", vec![masked(0x81, long.as_bytes())], vec![text(&long)]),
        (
            "fragments with control frames in between",
            vec![
                masked(0x01, b"a"),
                masked(0x89, b"p"),
                masked(0x00, b"b"),
                masked(0x8a, b""),
                masked(0x80, b"c"),
            ],
            vec![Got::Ping(b"p".into()), Got::Pong, text("abc")],
        ),
        (
            "empty fragments around all of the payload",
            vec![
                masked(0x02, b""),
                masked(0x00, b""),
                masked(0x00, b"all"),
                masked(0x80, b""),
            ],
            vec![Got::Binary(b"all".into())],
        ),
        (
            "a character cut by a fragment, with a ping in the cut",
            vec![masked(0x01, b"\xf0\x9f"), masked(0x89, b""), masked(0x80, b"\x98\x80")],
            vec![Got::Ping(vec![]), text("😀")],
        ),
        (
            "longest ping",
            vec![masked(0x89, &[9; 125])],
            vec![Got::Ping(vec![9; 125])],
        ),
        ("close without a code", vec![masked(0x88, b"")], vec![Got::Close(None)]),
        (
            "close with a reason, in the midst of a message",
            vec![masked(0x01, b"a"), masked(0x88, b"\x03\xe8bye")],
            vec![Got::Close(Some((1000, "bye".into())))],
        ),
        (
            "anything after a close is discarded",
            vec![masked(0x88, b"\x0b\xb8"), masked(0x81, b"late"), vec![0xff; 40]],
            vec![Got::Close(Some((3000, String::new())))],
        ),
    ];
    for (what, frames, expected) in cases {
        assert_eq!(decode(&frames.concat()), (expected, None), "{what}");
    }
}

fn assert_refused<const N: usize>(cases: [(&str, Vec<u8>, Violation); N]) {
    for (what, wire, violation) in cases {
        assert_eq!(decode(&wire).1, Some(violation), "{what}");
        let wire = [masked(0x81, b"fine"), wire].concat();
        assert_eq!(decode(&wire), (vec![text("fine")], Some(violation)), "{what}, second");
    }
}

#[test]
fn malformed_headers_are_refused() {
    use Violation as V;
    assert_refused([
        ("unmasked text", b"\x81\x02hi".into(), V::Unmasked),
        ("unmasked ping", b"\x89\x00".into(), V::Unmasked),
        ("rsv1", masked(0xc1, b"x"), V::ReservedBits(0x40)),
        ("rsv2", masked(0xa1, b"x"), V::ReservedBits(0x20)),
        ("rsv3", masked(0x91, b"x"), V::ReservedBits(0x10)),
        ("rsv on a ping", masked(0xf9, b"x"), V::ReservedBits(0x70)),
        ("data opcode 3", masked(0x83, b""), V::ReservedOpcode(3)),
        ("data opcode 7", masked(0x87, b""), V::ReservedOpcode(7)),
        ("control opcode 11", masked(0x8b, b""), V::ReservedOpcode(11)),
        ("control opcode 15", masked(0x8f, b""), V::ReservedOpcode(15)),
        ("fragmented ping", masked(0x09, b""), V::FragmentedControl(Opcode::Ping)),
        (
            "fragmented close",
            masked(0x08, b""),
            V::FragmentedControl(Opcode::Close),
        ),
        (
            "ping of 126 bytes",
            masked(0x89, &[0; 126]),
            V::LongControl(Opcode::Ping),
        ),
        (
            "close of 70,000 bytes",
            masked(0x88, &vec![0; 70_000]),
            V::LongControl(Opcode::Close),
        ),
    ]);
}

#[test]
fn lengths_in_a_wrong_form_are_refused() {
    let announced = |length: &[u8]| [&[0x82], length, &MASK].concat();
    let largest = [0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    assert_refused([
        (
            "125 in 16 bits",
            announced(&[0xfe, 0, 125]),
            Violation::PaddedLength(125),
        ),
        (
            "65,535 in 64 bits",
            announced(&[0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff]),
            Violation::PaddedLength(65_535),
        ),
        (
            "the top bit",
            announced(&[0xff, 0x80, 0, 0, 0, 0, 0, 0, 1]),
            Violation::LengthTopBit((1 << 63) | 1),
        ),
        (
            "the largest length there is",
            announced(&largest),
            Violation::TooBig {
                at_least: u64::MAX >> 1,
                max: 1 << 20,
            },
        ),
    ]);
}

#[test]
fn fragments_out_of_order_are_refused() {
    use Violation as V;
    assert_refused([
        ("continuation of nothing", masked(0x80, b"x"), V::LoneContinuation),
        ("first fragment of nothing", masked(0x00, b"x"), V::LoneContinuation),
        (
            "text inside a fragmented text",
            [masked(0x01, b"a"), masked(0x81, b"b")].concat(),
            V::UnfinishedMessage,
        ),
        (
            "binary fragment inside a fragmented text",
            [masked(0x01, b"a"), masked(0x02, b"b")].concat(),
            V::UnfinishedMessage,
        ),
    ]);
}

#[test]
fn bad_text_and_bad_closes_are_refused() {
    use Violation as V;
    assert_refused([
        ("bad text", masked(0x81, b"\xce\xba\xff"), V::BadText),
        ("text that ends within a character", masked(0x81, b"\xce"), V::BadText),
        ("surrogate", masked(0x81, b"\xed\xa0\x80"), V::BadText),
        (
            "fragments that end within a character",
            [masked(0x01, b"\xf0\x9f"), masked(0x80, b"\x98")].concat(),
            V::BadText,
        ),
        (
            "an empty last fragment after a cut character",
            [masked(0x01, b"\xce"), masked(0x80, b"")].concat(),
            V::BadText,
        ),
        ("close of 1 byte", masked(0x88, b"\x03"), V::ShortClose),
        ("close reason", masked(0x88, b"\x03\xe8\xff"), V::BadCloseReason),
    ]);
}

#[test]
fn bad_text_is_refused_before_its_message_ends() {
    let fragments: [&[&[u8]]; 4] = [
        &[b"\xce\xba\xe1\xbd\xb9", b"\xf4\x90"],
        &[b"\xf4", b"\x90"],
        &[b"\xe0", b"", b"\x80"],
        &[b"ok", b"\x80"],
    ];
    for fragments in fragments {
        let mut first = 0x01;
        let mut decoder = Decoder::new(1000, None);
        let (last, fine) = fragments.split_last().unwrap();
        for fragment in fine {
            assert_eq!(
                feed_all(&mut decoder, &masked(first, fragment), &[3], 1),
                (vec![], None)
            );
            first = 0;
        }
        let refused = feed_all(&mut decoder, &masked(first, last), &[usize::MAX], 1).1;
        assert_eq!(refused, Some(Violation::BadText), "{fragments:?}");
    }
    // Also within one frame that is still on its way.
    let wire = masked(0x81, b"\xf4\x90\x80\x80 and more");
    let refused = Decoder::new(1000, None).feed(&mut wire[..8].to_vec(), |_| ControlFlow::Continue(()));
    assert_eq!(refused, Err(Violation::BadText));
}

#[test]
fn close_codes_are_those_that_may_be_sent() {
    for code in 0..=u16::MAX {
        let allowed = match code {
            0..=999 | 1004..=1006 | 1015..=2999 | 5000.. => false,
            1000..=1003 | 1007..=1014 | 3000..=4999 => true,
        };
        let mut wire = masked(0x88, &code.to_be_bytes());
        let mut closed = None;
        let fed = Decoder::new(0, None).feed(&mut wire, |event| {
            closed = Some(Got::from(event));
            ControlFlow::Continue(())
        });
        assert_eq!(fed.err(), (!allowed).then_some(Violation::BadCloseCode(code)));
        assert_eq!(closed, allowed.then_some(Got::Close(Some((code, String::new())))));
    }
}

#[test]
fn oversize_is_refused_from_the_header_alone() {
    assert_eq!(decode_with_limit(&masked(0x81, b"0123456789"), 10).1, None);
    let header = &masked(0x82, &[0; 11])[..6];
    let too_big = Violation::TooBig { at_least: 11, max: 10 };
    assert_eq!(decode_with_limit(header, 10).1, Some(too_big));
    let fragments = [masked(0x02, &[0; 6]), masked(0x89, &[0; 20]), masked(0x80, &[0; 5])].concat();
    assert_eq!(
        decode_with_limit(&fragments[..fragments.len() - 5], 10),
        (vec![Got::Ping(vec![0; 20])], Some(too_big))
    );
}

#[test]
fn endless_fragments_are_refused() {
    for fragment in [&b""[..], b"x"] {
        let mut wire = masked(0x02, fragment);
        for _ in 1..MAX_FRAGMENTS {
            wire.extend(masked(0x00, fragment));
        }
        let mut decoder = Decoder::new(1 << 20, None);
        assert_eq!(feed_all(&mut decoder, &wire, &[4096], 1), (vec![], None));
        assert!(held(&decoder) <= 2 * MAX_FRAGMENTS as usize);
        assert_eq!(
            feed_all(&mut decoder, &masked(0x00, fragment), &[4096], 1).1,
            Some(Violation::TooManyFragments { max: MAX_FRAGMENTS })
        );
        assert_eq!(held(&decoder), 0);
    }
}

#[test]
fn memory_follows_what_arrived_and_grows_in_few_steps() {
    const LEN: usize = 1 << 20;
    let wire = masked(0x82, &vec![5; LEN]);
    let mut decoder = Decoder::new(usize::MAX, None);
    let mut steps = vec![0];
    for (i, piece) in wire[..wire.len() - 1].chunks(1000).enumerate() {
        assert_eq!(feed_all(&mut decoder, piece, &[1000], 1), (vec![], None));
        assert!(held(&decoder) <= (2 * 1000 * (i + 1)).min(LEN));
        if steps.last() != Some(&held(&decoder)) {
            steps.push(held(&decoder));
        }
    }
    assert!(steps.len() <= 13, "{steps:?}");
}

#[test]
fn break_keeps_the_rest_for_later() {
    let wire = [
        masked(0x81, b"one"),
        masked(0x01, b"t"),
        masked(0x80, b"wo"),
        masked(0x89, b"3"),
    ]
    .concat();
    let mut decoder = Decoder::new(100, None);
    let mut got = Vec::new();
    let mut one = |decoder: &mut Decoder, input: &[u8]| {
        let fed = decoder.feed(&mut input.to_vec(), |event| {
            got.push(Got::from(event));
            ControlFlow::Break(())
        });
        (fed.unwrap().is_break(), decoder.has_backlog())
    };
    assert_eq!(one(&mut decoder, &wire), (true, true));
    assert_eq!(one(&mut decoder, &masked(0x8a, b"")), (true, true));
    assert_eq!(one(&mut decoder, &[]), (true, true));
    assert_eq!(one(&mut decoder, &[]), (true, false));
    assert_eq!(one(&mut decoder, &[]), (false, false));
    assert_eq!(held(&decoder), 0);
    assert_eq!(got, [text("one"), text("two"), Got::Ping(b"3".into()), Got::Pong]);
}

#[test]
fn break_at_a_close_leaves_no_backlog() {
    let wire = [
        masked(0x81, b"a"),
        masked(0x81, b"b"),
        masked(0x88, b""),
        masked(0x81, b"late"),
    ]
    .concat();
    let mut decoder = Decoder::new(100, None);
    let (got, violation) = feed_all(&mut decoder, &wire, &[usize::MAX], 1);
    assert_eq!((got, violation), (vec![text("a"), text("b"), Got::Close(None)], None));
    assert_eq!((decoder.has_backlog(), held(&decoder)), (false, 0));
}

#[test]
fn nothing_is_decoded_after_a_violation() {
    let mut decoder = Decoder::new(100, None);
    let wire = [masked(0x01, b"start"), masked(0x81, b"")].concat();
    assert_eq!(
        feed_all(&mut decoder, &wire, &[usize::MAX], 1).1,
        Some(Violation::UnfinishedMessage)
    );
    assert_eq!(held(&decoder), 0);
    assert_eq!(
        feed_all(&mut decoder, &masked(0x81, b"late"), &[usize::MAX], 1),
        (vec![], None)
    );
}

/// Any byte, but often one that headers are made of.
fn likely_byte() -> impl Strategy<Value = u8> {
    prop_oneof![any::<u8>(), Just(0x82), Just(0xfe), Just(0)]
}

/// Mostly valid frames, with now and then a broken one: whatever they are, splits must not matter.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let payload = prop_oneof![
        3 => any::<String>().prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..300),
    ];
    let message = (payload, prop::collection::vec(0..40usize, 0..5), any::<bool>(), 0..4u8);
    let messages = prop::collection::vec(message, 1..6).prop_map(|messages| {
        let mut wire = Vec::new();
        for (payload, cuts, as_text, control) in messages {
            let mut opcode = if as_text { 1 } else { 2 };
            let mut rest = &payload[..];
            for cut in cuts {
                let (piece, later) = rest.split_at(cut.min(rest.len()));
                wire.extend(masked(opcode, piece));
                if control > 0 {
                    wire.extend(masked(if control == 1 { 0x89 } else { 0x8a }, &[control; 30]));
                }
                (opcode, rest) = (0, later);
            }
            wire.extend(masked(0x80 | opcode, rest));
        }
        wire
    });
    (
        messages,
        prop::option::weighted(0.3, any::<(prop::sample::Index, u8)>()),
    )
        .prop_map(|(mut wire, damage)| {
            if let Some((at, byte)) = damage {
                let at = at.index(wire.len());
                wire[at] = byte;
            }
            wire
        })
}

proptest! {
    #[test]
    fn splits_and_breaks_do_not_matter(
        wire in frames(),
        pieces in prop::collection::vec(1..200usize, 1..8),
        break_every in 1..5usize,
    ) {
        let whole = feed_all(&mut Decoder::new(1000, None), &wire, &[usize::MAX], usize::MAX);
        let mut decoder = Decoder::new(1000, None);
        prop_assert_eq!(&feed_all(&mut decoder, &wire, &pieces, usize::MAX), &whole);
        prop_assert_eq!(feed_all(&mut Decoder::new(1000, None), &wire, &pieces, break_every), whole);
    }

    #[test]
    fn arbitrary_bytes_never_panic_and_hold_little(
        wire in prop::collection::vec(likely_byte(), 1..600),
        pieces in prop::collection::vec(1..50usize, 1..8),
    ) {
        let mut decoder = Decoder::new(usize::MAX, None);
        let mut fed = 0;
        for (i, piece) in pieces.iter().cycle().scan(0, |at, piece| {
            let start = *at;
            *at = wire.len().min(start + piece);
            (start < wire.len()).then(|| &wire[start..*at])
        }).enumerate() {
            fed += piece.len();
            // Every third call breaks, so that backlogs grow.
            let _ = decoder.feed(&mut piece.to_vec(), |_| {
                if i % 3 == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            prop_assert!(held(&decoder) <= 3 * fed + 16, "{} held of {fed}", held(&decoder));
        }
    }
}
