//! This codec and somebody else's, frame by frame: tungstenite as the client that we serve, and as
//! another server that must judge what clients send as we do.
//!
//! Where tungstenite has no opinion, or another one, `frame_sequences` leaves the case out and says
//! why.

use std::{
    io::{self, Cursor, Read, Write},
    ops::ControlFlow,
};

use proptest::prelude::*;
use tungstenite::{
    Error, Message, WebSocket,
    client::IntoClientRequest as _,
    handshake::server::create_response,
    protocol::{
        Role, WebSocketConfig,
        frame::{
            Frame,
            coding::{Data, OpCode},
        },
    },
};

use super::{
    codec::{Decoder, Event, MAX_HEADER, Opcode, control_frame, put_header_before},
    handshake::Opening,
};

const MAX_MESSAGE: usize = 1000;

/// A stream in memory: tungstenite reads what we give and would block after it; what it writes is
/// collected.
struct Wire {
    to_read: Cursor<Vec<u8>>,
    written: Vec<u8>,
}

impl Read for Wire {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.to_read.read(buf)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            read => Ok(read),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.written.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn tungstenite(role: Role, to_read: Vec<u8>) -> WebSocket<Wire> {
    // One limit for frames and for messages, as ours.
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE));
    let wire = Wire {
        to_read: Cursor::new(to_read),
        written: Vec::new(),
    };
    WebSocket::from_raw_socket(wire, role, Some(config))
}

/// What tungstenite's client puts on the wire.
fn sent_by_client(messages: impl IntoIterator<Item = Message>) -> Vec<u8> {
    let mut client = tungstenite(Role::Client, Vec::new());
    for message in messages {
        client.send(message).unwrap();
    }
    client.get_mut().written.split_off(0)
}

/// What tungstenite reads, up to a close, and how it ends: `None` when there is nothing left to
/// read.
fn read_by_tungstenite(role: Role, wire: Vec<u8>) -> (Vec<Message>, Option<Error>) {
    let mut socket = tungstenite(role, wire);
    let mut got = Vec::new();
    loop {
        match socket.read() {
            Ok(message) => {
                let closed = message.is_close();
                got.push(message);
                if closed {
                    return (got, None);
                }
            }
            Err(Error::Io(e)) if e.kind() == io::ErrorKind::WouldBlock => return (got, None),
            Err(e) => return (got, Some(e)),
        }
    }
}

/// What we read, in tungstenite's words, and the close code that a violation earns.
fn read_by_us(wire: &[u8], piece: usize) -> (Vec<Message>, Option<u16>) {
    let mut decoder = Decoder::new(MAX_MESSAGE, None);
    let mut got = Vec::new();
    for piece in wire.chunks(piece) {
        let fed = decoder.feed(&mut piece.to_vec(), |event| {
            got.push(match event {
                Event::Text(text) => Message::text(text),
                Event::Binary(bytes) => Message::binary(bytes.to_vec()),
                Event::Ping(payload) => Message::Ping(payload.to_vec().into()),
                Event::Pong => Message::Pong(Vec::new().into()),
                Event::Close(frame) => Message::Close(frame.map(|frame| tungstenite::protocol::CloseFrame {
                    code: frame.code.into(),
                    reason: frame.reason.into(),
                })),
            });
            ControlFlow::Continue(())
        });
        if let Err(violation) = fed {
            return (got, Some(violation.close_code()));
        }
    }
    (got, None)
}

/// We do not look at what a pong carries.
fn without_pong_payloads(messages: Vec<Message>) -> Vec<Message> {
    let blank = |message| match message {
        Message::Pong(_) => Message::Pong(Vec::new().into()),
        other => other,
    };
    messages.into_iter().map(blank).collect()
}

fn fragment(opcode: u8, last: bool, payload: &[u8]) -> Message {
    let opcode = match opcode {
        0 => Data::Continue,
        1 => Data::Text,
        _ => Data::Binary,
    };
    Message::Frame(Frame::message(payload.to_vec(), OpCode::Data(opcode), last))
}

/// One of our whole frames.
fn our_frame(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut buf = [&[0; MAX_HEADER], payload].concat();
    let start = put_header_before(&mut buf, MAX_HEADER, opcode);
    buf.split_off(start)
}

/// A frame as a client might write it, right or wrong.
#[derive(Clone, Debug)]
struct ClientFrame {
    first: u8,
    masked: bool,
    payload: Vec<u8>,
}

impl ClientFrame {
    fn write(&self, wire: &mut Vec<u8>) {
        const MASK: [u8; 4] = [1, 0x80, 0xff, 7];
        let ours = our_frame(Opcode::Text, &self.payload);
        let header = &ours[..ours.len() - self.payload.len()];
        wire.extend([self.first, header[1] | if self.masked { 0x80 } else { 0 }]);
        wire.extend(&header[2..]);
        let mask = if self.masked { MASK } else { [0; 4] };
        wire.extend(&mask[..if self.masked { 4 } else { 0 }]);
        wire.extend(
            self.payload
                .iter()
                .zip(mask.iter().cycle())
                .map(|(byte, mask)| byte ^ mask),
        );
    }
}

/// Pieces of characters: some sequences of them make text, others do not.
const PIECES: &[&[u8]] = &[
    b"\xf0\x9f",
    b"\x98\x80",
    b"\xe2",
    b"\x82",
    b"\xac",
    b"\xed\xa0",
    b"\xc3",
];

/// Sequences of frames, most of them in order, some not. Left out, as tungstenite judges otherwise
/// or not at all:
/// - lengths in more bytes than needed: it accepts them, §5.2 forbids them;
/// - close codes: it hands a bad one on as 1002, and takes 1014, registered since, for bad;
/// - more fragments than our cap: it has none;
/// - frames cut off at the end: it judges only whole frames, we judge at the first bad byte.
fn frame_sequences() -> impl Strategy<Value = Vec<ClientFrame>> {
    let payload = prop_oneof![
        12 => "[a-zé€😀]{0,6}".prop_map(String::into_bytes),
        1 => prop::sample::select(PIECES).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..140),
        1 => (100..1100usize).prop_map(|len| vec![b'x'; len]),
    ];
    let kind = prop_oneof![
        30 => prop::sample::select(&[1, 2][..]).prop_map(Kind::Data),
        10 => prop::sample::select(&[0x89, 0x8a][..]).prop_map(Kind::Control),
        1 => any::<u8>().prop_map(Kind::Any),
    ];
    let frame = (kind, any::<bool>(), prop::bool::weighted(0.99), payload);
    prop::collection::vec(frame, 1..20).prop_map(|frames| {
        let mut in_message = false;
        let in_order = frames.into_iter().map(|(kind, last, masked, mut payload)| {
            let first = match kind {
                Kind::Data(opcode) => {
                    let first = if in_message { 0 } else { opcode } | if last { 0x80 } else { 0 };
                    in_message = !last;
                    first
                }
                Kind::Control(first) | Kind::Any(first) => first,
            };
            if first & 0x0f == 8 && payload.len() > 1 {
                payload[..2].copy_from_slice(&1001u16.to_be_bytes());
            }
            ClientFrame { first, masked, payload }
        });
        in_order.collect()
    })
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// A frame of a message: this opcode, or a continuation where one is due.
    Data(u8),
    /// This first byte.
    Control(u8),
    /// This first byte, which is rarely right.
    Any(u8),
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_sequence_of_frames_is_judged_as_tungstenite_judges_it(
        frames in frame_sequences(),
        piece in 1..300usize,
    ) {
        let mut wire = Vec::new();
        for frame in &frames {
            frame.write(&mut wire);
        }
        let (ours, refused) = read_by_us(&wire, piece);
        let (theirs, error) = read_by_tungstenite(Role::Server, wire);
        prop_assert_eq!(ours, without_pong_payloads(theirs));
        prop_assert_eq!(refused.is_some(), error.is_some(), "{:?} against {:?}", refused, error);
    }

    #[test]
    fn what_its_client_sends_is_what_we_read(
        text in any::<String>(),
        bytes in prop::collection::vec(any::<u8>(), 0..1000),
        cut in any::<prop::sample::Index>(),
        piece in 1..300usize,
    ) {
        prop_assume!(text.len() <= MAX_MESSAGE);
        let (start, end) = bytes.split_at(cut.index(bytes.len() + 1));
        let ping = Message::Ping(b"are you there".to_vec().into());
        let wire = sent_by_client([
            Message::text(text.clone()),
            fragment(2, false, start),
            ping.clone(),
            fragment(0, true, end),
            Message::Close(None),
        ]);
        let whole = Message::binary(bytes.clone());
        let expected = vec![Message::text(text), ping, whole, Message::Close(None)];
        prop_assert_eq!(read_by_us(&wire, piece), (expected, None));
    }

    #[test]
    fn what_we_send_is_what_its_client_reads(
        text in any::<String>(),
        bytes in prop::collection::vec(any::<u8>(), 0..1000),
        echoed in prop::collection::vec(any::<u8>(), 0..=125),
        reason in "\\PC{0,30}",
    ) {
        prop_assume!(text.len() <= MAX_MESSAGE);
        let wire = [
            our_frame(Opcode::Text, text.as_bytes()),
            our_frame(Opcode::Binary, &bytes),
            control_frame(Opcode::Ping, &echoed),
            control_frame(Opcode::Pong, &echoed),
            control_frame(Opcode::Close, &[b"\x03\xf1", reason.as_bytes()].concat()),
        ]
        .concat();
        let (got, error) = read_by_tungstenite(Role::Client, wire);
        prop_assert!(error.is_none(), "{:?}", error);
        let [first, second, ping, pong, Message::Close(Some(close))] = &got[..] else {
            return Err(TestCaseError::fail(format!("{got:?}")));
        };
        prop_assert_eq!(first, &Message::text(text));
        prop_assert_eq!(second, &Message::binary(bytes));
        prop_assert_eq!(ping, &Message::Ping(echoed.clone().into()));
        prop_assert_eq!(pong, &Message::Pong(echoed.into()));
        prop_assert_eq!(u16::from(close.code), 1009);
        prop_assert_eq!(close.reason.as_str(), reason);
    }
}

#[test]
fn long_frames_are_read_by_its_client() {
    for len in [125, 126, 65_535, 65_536, 300_000] {
        let wire = our_frame(Opcode::Binary, &vec![3; len]);
        let wire = Wire {
            to_read: Cursor::new(wire),
            written: Vec::new(),
        };
        let mut client = WebSocket::from_raw_socket(wire, Role::Client, None);
        assert_eq!(client.read().unwrap(), Message::binary(vec![3; len]));
    }
}

#[test]
fn one_fault_is_the_same_fault_to_both() {
    let frame = |first, masked, payload: &[u8]| ClientFrame {
        first,
        masked,
        payload: payload.into(),
    };
    let cases = [
        ("unmasked", 1002, vec![frame(0x81, false, b"x")]),
        ("rsv1", 1002, vec![frame(0xc1, true, b"x")]),
        ("rsv2 and rsv3", 1002, vec![frame(0xb1, true, b"x")]),
        ("data opcode", 1002, vec![frame(0x83, true, b"x")]),
        ("control opcode", 1002, vec![frame(0x8b, true, b"x")]),
        ("fragmented ping", 1002, vec![frame(0x09, true, b"x")]),
        ("long ping", 1002, vec![frame(0x89, true, &[b'x'; 126])]),
        ("continuation of nothing", 1002, vec![frame(0x80, true, b"x")]),
        (
            "message inside a message",
            1002,
            vec![frame(0x01, true, b"x"), frame(0x81, true, b"x")],
        ),
        ("close of 1 byte", 1002, vec![frame(0x88, true, b"x")]),
        ("bad text", 1007, vec![frame(0x81, true, b"\xff")]),
        (
            "bad text over fragments",
            1007,
            vec![frame(0x01, true, b"\xe2\x82"), frame(0x00, true, b"x")],
        ),
        (
            "unfinished text",
            1007,
            vec![frame(0x01, true, b"\xe2"), frame(0x80, true, b"\x82")],
        ),
        ("bad close reason", 1007, vec![frame(0x88, true, b"\x03\xe8\xff")]),
        ("big frame", 1009, vec![frame(0x82, true, &[0; MAX_MESSAGE + 1])]),
        (
            "big message",
            1009,
            vec![frame(0x02, true, &[0; MAX_MESSAGE]), frame(0x80, true, &[0])],
        ),
    ];
    for (what, code, frames) in cases {
        let mut wire = Vec::new();
        for frame in frames {
            frame.write(&mut wire);
        }
        assert_eq!(read_by_us(&wire, 7), (vec![], Some(code)), "{what}");
        let theirs = match read_by_tungstenite(Role::Server, wire).1 {
            Some(Error::Protocol(_)) => 1002,
            Some(Error::Utf8(_)) => 1007,
            Some(Error::Capacity(_)) => 1009,
            other => panic!("{what}: {other:?}"),
        };
        assert_eq!(theirs, code, "{what}");
    }
}

#[test]
fn its_handshake_is_answered_as_its_server_would() {
    let request = "ws://localhost/socket.io/?EIO=4&transport=websocket"
        .into_client_request()
        .unwrap();
    let theirs = create_response(&request).unwrap();
    let (parts, ()) = request.into_parts();
    let ours = Opening::read(&parts, false).unwrap().unwrap().response();
    assert_eq!((ours.status(), ours.headers()), (theirs.status(), theirs.headers()));
}
