use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;

use super::*;
use crate::{parser::PacketKind, socketio::codec::sio};
use bytes::Bytes;

/// A packet as this parser has it, and as the default one has.
#[derive(Deserialize)]
struct Vector {
    hex: String,
    text: String,
    attachments: Vec<String>,
}

fn vectors(file: &str) -> Vec<Vector> {
    let lines = file.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

fn from_hex(hex: &str) -> Vec<u8> {
    let bytes = hex.as_bytes().chunks(2);
    let bytes = bytes.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap());
    bytes.collect()
}

impl Vector {
    fn packet(&self) -> Packet<'_> {
        let parts = sio::parts(&self.text, usize::MAX).unwrap();
        let kind = parts.kind as usize;
        let kind = [0, 1, 2, 3, 4, 2, 3][kind];
        let attachments = self.attachments.iter().map(|hex| Bytes::from(from_hex(hex)));
        let mut packet = Packet::new(PacketKind::from_code(kind).unwrap(), parts.nsp).with_id(parts.id);
        packet.attachments = attachments.collect::<Vec<_>>().into();
        if !parts.payload.is_empty() {
            packet.data = Some(parts.payload.into());
        }
        packet
    }
}

fn encode(packet: &Packet<'_>) -> Vec<u8> {
    let mut messages = Vec::new();
    let sent = MsgPack.encode(packet, &mut |message| match message {
        Message::Binary(bytes) => messages.push(bytes.to_vec()),
        Message::Text(text) => panic!("{text:?} is text"),
    });
    assert_eq!((sent, messages.len()), (Ok(()), 1));
    messages.remove(0)
}

fn decode(bytes: &[u8]) -> Result<Packet<'_>, ParserError> {
    let packet = MsgPack.decoder(10).decode(Message::Binary(bytes))?;
    Ok(packet.expect("a packet in each message"))
}

fn event(data: &str) -> Packet<'_> {
    Packet::new(PacketKind::Event, "/").with_data(data)
}

/// What of an event's first argument is written, and what is read of that.
fn there_and_back(argument: &str) -> (Vec<u8>, String) {
    let data = format!("[{argument}]");
    let bytes = encode(&event(&data));
    let read = decode(&bytes).unwrap().data.unwrap().into_owned();
    let before = b"\x83\xa4type\x02\xa4data\x91".len();
    let value = bytes[before..bytes.len() - b"\xa3nsp\xa1/".len()].to_vec();
    (value, read[1..read.len() - 1].to_owned())
}

#[test]
fn packets_are_written_and_read_as_the_npm_package_does() {
    let vectors = vectors(include_str!("../../../testdata/msgpack/written.jsonl"));
    assert!(vectors.len() > 60);
    for vector in &vectors {
        assert_eq!(encode(&vector.packet()), from_hex(&vector.hex), "{}", vector.text);
        assert_eq!(
            decode(&from_hex(&vector.hex)).unwrap(),
            vector.packet(),
            "{}",
            vector.hex
        );
    }
}

#[test]
fn what_json_lacks_is_read_as_the_default_parser_would_have_been_sent_it() {
    let vectors = vectors(include_str!("../../../testdata/msgpack/read.jsonl"));
    assert!(vectors.len() > 40);
    for vector in &vectors {
        assert_eq!(
            decode(&from_hex(&vector.hex)).unwrap(),
            vector.packet(),
            "{}",
            vector.hex
        );
    }
}

#[test]
fn whole_numbers_are_integers_and_integers_are_exact() {
    for (argument, hex, read) in [
        ("1.0", "01", "1"),
        ("-0.0", "00", "0"),
        ("-0", "00", "0"),
        ("1e3", "cd03e8", "1000"),
        ("-1.0e0", "ff", "-1"),
        ("9007199254740993", "cf0020000000000001", "9007199254740993"),
        ("18446744073709551615", "cfffffffffffffffff", "18446744073709551615"),
        ("-9223372036854775808", "d38000000000000000", "-9223372036854775808"),
        ("1e19", "cf8ac7230489e80000", "10000000000000000000"),
        ("18446744073709551616", "cb43f0000000000000", "1.8446744073709552e+19"),
        ("-9223372036854775809", "d38000000000000000", "-9223372036854775808"),
        ("-1e300", "cbfe37e43c8800759c", "-1e+300"),
        ("1.5", "cb3ff8000000000000", "1.5"),
    ] {
        assert_eq!(there_and_back(argument), (from_hex(hex), read.to_owned()), "{argument}");
    }
}

#[test]
fn a_float_that_is_whole_is_read_as_one() {
    let read = decode(b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x92\xa1e\xcb\x3f\xf0\0\0\0\0\0\0").unwrap();
    assert_eq!(read.data.unwrap(), r#"["e",1.0]"#);
}

#[test]
fn lengths_are_written_in_as_few_bytes_as_hold_them() {
    let string = |length: usize| format!("{:?}", "x".repeat(length));
    let array = |length: usize| format!("[{}]", vec!["7"; length].join(","));
    let object = |length: usize| {
        let entries: Vec<_> = (0..length).map(|key| format!(r#""{key}":0"#)).collect();
        format!("{{{}}}", entries.join(","))
    };
    for (argument, head) in [
        (string(65_535), &b"\xda\xff\xff"[..]),
        (string(65_536), b"\xdb\0\x01\0\0"),
        (array(65_535), b"\xdc\xff\xff"),
        (array(65_536), b"\xdd\0\x01\0\0"),
        (object(65_535), b"\xde\xff\xff"),
        (object(65_536), b"\xdf\0\x01\0\0"),
    ] {
        let (bytes, read) = there_and_back(&argument);
        assert!(bytes.starts_with(head), "{:?}", &bytes[..8]);
        assert_eq!(read, argument);
    }
}

#[test]
fn a_placeholder_is_bytes_however_it_is_written_and_only_where_there_are_any() {
    let icon = vec![Bytes::from_static(b"png")];
    for placeholder in [
        r#"{"_placeholder":true,"num":0}"#,
        r#"{ "num" : 0 , "_placeholder" : true }"#,
    ] {
        let data = format!("[{placeholder},1]");
        let bytes = encode(&event(&data).with_attachments(icon.clone()));
        assert!(
            bytes.windows(7).any(|window| window == b"\x92\xc4\x03png\x01"),
            "{bytes:x?}"
        );
    }
    for object in [
        r#"{"_placeholder":true,"num":1}"#,
        r#"{"_placeholder":false,"num":0}"#,
        r#"{"num":0}"#,
    ] {
        let data = format!("[{object}]");
        let packet = event(&data).with_attachments(icon.clone());
        assert_eq!(decode(&encode(&packet)).unwrap(), event(&data), "{object}");
    }
    let plain = event(r#"[{"_placeholder":true,"num":0}]"#);
    assert_eq!(decode(&encode(&plain)).unwrap(), plain);
}

#[test]
fn what_is_no_packet_is_refused_with_the_reason() {
    for (bytes, why) in [
        (&b""[..], "ends in the middle"),
        (b"\x93\x02\x01\x01", "packet is no map"),
        (b"\xa11", "packet is no map"),
        (b"\x80", "`type` is not an integer"),
        (b"\x82\xa4type\x07\xa3nsp\xa1/", "`type` is not an integer from 0 to 6"),
        (b"\x82\xa4type\xff\xa3nsp\xa1/", "not an integer from 0 on"),
        (b"\x82\xa4type\xa12\xa3nsp\xa1/", "not an integer from 0 on"),
        (
            b"\x82\xa4type\xcd\x01\x00\xa3nsp\xa1/",
            "`type` is not an integer from 0 to 6",
        ),
        (b"\x81\xa4type\x01", "no `nsp`"),
        (b"\x82\xa4type\x01\xa3nsp\x01", "`nsp` is no string"),
        (b"\x83\xa4type\x02\xa3nsp\xa1/\xa2id\xff", "not an integer from 0 on"),
        (
            b"\x83\xa4type\x02\xa3nsp\xa1/\xa2id\xcb\x3f\xf8\0\0\0\0\0\0",
            "not an integer from 0 on",
        ),
        (b"\x82\xa4type\x01\xa3nsp\xa1/\x00", "1 bytes follow the packet"),
        (b"\x82\xa4type\x01\xa3nsp\xa1", "ends in the middle"),
        (b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\xc1", "0xc1"),
        (
            b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x91\x81\x90\x01",
            "a key of a map",
        ),
        (
            b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x91\x81\xc4\x01k\x01",
            "a key of a map",
        ),
        (
            b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x91\xc7\x05",
            "ends in the middle",
        ),
    ] {
        let error = decode(bytes).unwrap_err().to_string();
        assert!(error.contains(why), "{bytes:x?}: {error}");
    }
}

#[test]
fn text_is_a_packet_as_version_2_of_the_npm_package_writes_it() {
    let read = |text| MsgPack.decoder(10).decode(Message::Text(text)).map(Option::unwrap);
    let expected = Packet::new(PacketKind::Connect, "/admin?token=x");
    assert_eq!(read(r#"{"type":0,"nsp":"/admin?token=x"}"#), Ok(expected));
    let expected = Packet::new(PacketKind::Disconnect, "/");
    assert_eq!(
        read(r#"{"nsp":"/","type":1,"options":{"compress":true}}"#),
        Ok(expected)
    );
    for (text, why) in [
        (
            r#"2["message","of the default parser"]"#,
            "the client needs the msgpack parser, too",
        ),
        (r#"{"type":7,"nsp":"/"}"#, "`type` is not an integer from 0 to 6"),
        ("", "text is no packet"),
    ] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(why), "{text}: {error}");
    }
}

#[test]
fn events_and_acks_with_bytes_may_be_numbered_as_version_2_does() {
    let read = decode(b"\x83\xa4type\x05\xa4data\x92\xa1e\xc4\x01x\xa3nsp\xa1/").unwrap();
    assert_eq!(
        (read.kind, &*read.attachments),
        (PacketKind::Event, &[Bytes::from_static(b"x")][..])
    );
    let read = decode(b"\x84\xa4type\x06\xa4data\x91\xc4\x01x\xa2id\x03\xa3nsp\xa1/").unwrap();
    assert_eq!((read.kind, read.id), (PacketKind::Ack, Some(3)));
}

#[test]
fn nil_is_no_data_and_no_id() {
    let read = decode(b"\x84\xa4type\x01\xa4data\xc0\xa2id\xc0\xa3nsp\xa1/").unwrap();
    assert_eq!(read, Packet::new(PacketKind::Disconnect, "/"));
}

fn with_data(data: &[u8]) -> Vec<u8> {
    [&b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data"[..], data].concat()
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| with_data(&[&vec![0x91; depth][..], &[1]].concat());
    assert!(decode(&nested(128)).is_ok());
    let nested_maps = with_data(&[&b"\x81\xa1k".repeat(1_000)[..], &[1]].concat());
    for bytes in [nested(129 + 1), nested(1_000_000), nested_maps] {
        let error = decode(&bytes).unwrap_err().to_string();
        assert!(error.contains("deeper than 127"), "{error}");
    }
    // What is not looked into may be as deep as it likes.
    let ignored = [&b"\x83\xa4type\x01\xa3nsp\xa1/\xa1x"[..], &vec![0x91; 100_000], &[1]].concat();
    assert!(decode(&ignored).is_ok());
}

#[test]
fn an_announced_length_is_nothing_until_it_comes() {
    for head in [
        &b"\xdb\xff\xff\xff\xff"[..],
        b"\xc6\xff\xff\xff\xff",
        b"\xc9\xff\xff\xff\xff\x00",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xdd\xff\xff\xff\xff\xdd\xff\xff\xff\xff",
    ] {
        let error = decode(&with_data(head)).unwrap_err().to_string();
        assert!(error.contains("ends in the middle"), "{head:x?}: {error}");
        let skipped = [&b"\x81\xa1x"[..], head].concat();
        assert!(decode(&skipped).unwrap_err().to_string().contains("ends in the middle"));
    }
}

#[test]
fn attachments_are_counted_as_they_come() {
    let with = |count: u8| with_data(&[&[0x90 | count], &b"\xc4\0".repeat(count.into())[..]].concat());
    assert_eq!(decode(&with(10)).unwrap().attachments.len(), 10);
    let error = decode(&with(11)).unwrap_err().to_string();
    assert_eq!(error, "packet has more than 10 attachments");
}

/// JSON of whatever depth, with its bytes.
fn value() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>()
            .prop_filter("is written as an integer", |float| float.fract() != 0.0)
            .prop_map(Value::from),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number,
        any::<String>().prop_map(Value::from)
    ];
    leaf.prop_recursive(5, 64, 20, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..20).prop_map(Value::from),
            prop::collection::hash_map(any::<String>(), inner, 0..20)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        data in prop::collection::vec(value(), 0..5),
        id in any::<Option<u64>>(),
        nsp in "/[a-zé]{0,40}",
        bytes in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..5),
    ) {
        let mut data = data;
        data.extend((0..bytes.len()).map(|num| serde_json::json!({"_placeholder": true, "num": num})));
        let attachments: Vec<_> = bytes.into_iter().map(Bytes::from).collect();
        let packet = Packet::new(PacketKind::Event, nsp)
            .with_id(id)
            .with_data(Value::from(data).to_string())
            .with_attachments(attachments);
        let bytes = encode(&packet);
        prop_assert_eq!(decode(&bytes).unwrap(), packet);
    }

    #[test]
    fn any_bytes_are_a_packet_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let _ = decode(&bytes);
        if let Ok(packet) = decode(&with_data(&bytes)) {
            let again = encode(&packet);
            prop_assert_eq!(encode(&decode(&again).unwrap()), again);
        }
    }

    #[test]
    fn any_text_is_written_or_an_error(text in any::<String>(), json in "[\\[\\]{}\",:0-9truefalsn\\\\ue-]{0,40}") {
        for data in [&*text, &*json] {
            let _ = MsgPack.encode(&event(data), &mut |_| {});
            let _ = MsgPack.encode(&event(data).with_attachments(vec![Bytes::new()]), &mut |_| {});
        }
    }
}
