//! The header and the encoders against golden vectors (`testdata/sio5`), hostile text, and their
//! own inverse.

use std::{fs, path::Path};

use indexmap::IndexMap;
use proptest::prelude::*;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use super::*;
use crate::socketio::{
    args::{Args, FromArgs, RawArgs},
    codec::placeholder::check_placeholders,
};

/// A line of `accepted.jsonl`.
#[derive(Debug, Deserialize)]
struct Accepted {
    wire: String,
    kind: String,
    #[serde(default = "root")]
    nsp: String,
    id: Option<u64>,
    name: Option<String>,
    args: Option<String>,
    payload: Option<String>,
    #[serde(default)]
    attachments: usize,
    /// Whether it is written so, too; clients have some freedom.
    #[serde(default = "yes")]
    canonical: bool,
}

/// A line of `refused.jsonl`, which also says why it is there and whether the reference accepts it.
#[derive(Debug, Deserialize)]
struct Refused {
    wire: String,
    error: String,
}

fn root() -> String {
    "/".to_owned()
}

fn yes() -> bool {
    true
}

fn vectors<T: DeserializeOwned>(file: &str) -> Vec<T> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/sio5").join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect()
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Connect => "connect",
        Kind::Disconnect => "disconnect",
        Kind::Event => "event",
        Kind::Ack => "ack",
        Kind::ConnectError => "connect_error",
        Kind::BinaryEvent => "binary_event",
        Kind::BinaryAck => "binary_ack",
    }
}

/// What the server writes for a packet; `None` where only clients write such packets.
fn encode(packet: &Packet<'_>) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sid {
        sid: String,
    }
    #[derive(Deserialize)]
    struct Reason<'a> {
        message: String,
        #[serde(borrow)]
        data: Option<&'a RawValue>,
    }
    let raw = |args: &str| RawArgs::from_wire(args, &vec![Bytes::new(); packet.attachments]);
    let (mut out, mut attachments) = (Vec::new(), Vec::new());
    match (&packet.body, packet.kind) {
        (Body::Event { name, args }, _) => {
            write_event(&mut out, packet.nsp, packet.id, name, &raw(args), &mut attachments).unwrap();
        }
        (Body::Args(args), _) => {
            write_ack(&mut out, packet.nsp, packet.id.unwrap(), &raw(args), &mut attachments).unwrap();
        }
        (Body::Object(object), _) => {
            let sid: Sid = serde_json::from_str(object).ok()?;
            write_connect(&mut out, packet.nsp, Some(&sid.sid));
        }
        (Body::Reason(reason), _) => {
            let Reason { message, data } = serde_json::from_str(reason).ok()?;
            write_connect_error(&mut out, packet.nsp, &message, data.map(RawValue::get));
        }
        (Body::None, Kind::Disconnect) => write_disconnect(&mut out, packet.nsp),
        (Body::None, _) => return None,
    }
    assert_eq!(attachments.len(), packet.attachments);
    Some(String::from_utf8(out).unwrap())
}

#[test]
fn golden_packets_are_read() {
    for vector in vectors::<Accepted>("accepted.jsonl") {
        let packet = decode(&vector.wire, 10).unwrap_or_else(|error| panic!("{vector:?}: {error}"));
        let (mut name, mut args, mut payload) = (None, None, None);
        match &packet.body {
            Body::None => {}
            Body::Object(text) | Body::Reason(text) => payload = Some(text.to_string()),
            Body::Args(text) => args = Some(text.to_string()),
            Body::Event { name: n, args: a } => {
                (name, args) = (Some(n.to_string()), Some(a.to_string()));
            }
        }
        assert_eq!(kind_name(packet.kind), vector.kind, "{vector:?}");
        assert_eq!((packet.nsp, packet.id), (&*vector.nsp, vector.id), "{vector:?}");
        assert_eq!(packet.attachments, vector.attachments, "{vector:?}");
        assert_eq!(
            (&name, &args, &payload),
            (&vector.name, &vector.args, &vector.payload),
            "{vector:?}"
        );
    }
}

#[test]
fn golden_packets_are_written() {
    let mut written = 0;
    for vector in vectors::<Accepted>("accepted.jsonl")
        .into_iter()
        .filter(|vector| vector.canonical)
    {
        let packet = decode(&vector.wire, 10).unwrap();
        if vector.nsp.contains('?') {
            continue;
        }
        if let Some(wire) = encode(&packet) {
            assert_eq!(wire, vector.wire);
            written += 1;
        }
    }
    assert!(written > 30, "{written}");
}

/// A line of `values.jsonl`: an event `e` with one argument, as the reference writes it.
#[derive(Debug, Deserialize)]
struct Written {
    text: String,
    attachments: Vec<String>,
    /// It is a number that the reference writes otherwise.
    #[serde(default)]
    number: bool,
}

/// Any value, as an application may have it.
#[derive(Debug, PartialEq, Deserialize, Serialize)]
#[serde(untagged)]
enum Any {
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Text(String),
    List(Vec<Any>),
    Map(IndexMap<String, Any>),
    Null,
    // It takes text and lists, too.
    Bytes(Bytes),
}

#[test]
fn values_are_read_and_written_as_the_reference_does() {
    let vectors = vectors::<Written>("values.jsonl");
    assert!(vectors.len() > 40);
    for Written {
        text,
        attachments,
        number,
    } in vectors
    {
        let packet = decode(&text, 10).unwrap();
        let sent: Vec<_> = attachments.iter().map(|hex| from_hex(hex)).collect();
        let Body::Event { name, args } = &packet.body else {
            panic!("{text}");
        };
        let value: Any = RawArgs::from_wire(args, &sent).read().unwrap();
        let (mut wire, mut attached) = (Vec::new(), Vec::new());
        write_event(&mut wire, packet.nsp, packet.id, name, &value, &mut attached).unwrap();
        let wire = String::from_utf8(wire).unwrap();
        if number {
            assert_eq!(
                decode(&wire, 10).map(|packet| number_in(&packet)),
                Ok(number_in(&packet)),
                "{wire}"
            );
        } else {
            // The reference keeps lone surrogates, which Rust's strings cannot.
            assert_eq!((wire, attached), (text.replace("\\ud83d,", "\u{fffd},"), sent));
        }
    }
}

fn number_in(packet: &Packet<'_>) -> f64 {
    let Body::Event { args, .. } = &packet.body else {
        panic!("{packet:?}");
    };
    args.parse().unwrap()
}

fn from_hex(hex: &str) -> Bytes {
    let digits: Vec<_> = hex.chars().map(|digit| digit.to_digit(16).unwrap()).collect();
    let bytes = digits
        .chunks(2)
        .map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap());
    bytes.collect()
}

#[test]
fn golden_refusals_are_refused_for_their_reason() {
    for vector in vectors::<Refused>("refused.jsonl") {
        let error = decode(&vector.wire, 10).expect_err(&vector.wire).to_string();
        assert!(error.contains(&vector.error), "{:?}: {error}", vector.wire);
    }
}

#[test]
fn deep_payload_is_refused() {
    for start in ["0", "2", "31", "4", "51-", "2[\"a\",", "0{\"a\":", "2[\"a\",{\"a\":"] {
        for unit in ["[", "{\"a\":"] {
            assert!(decode(&(start.to_owned() + &unit.repeat(100_000)), 10).is_err());
        }
    }
}

#[test]
fn attachment_limit_is_the_callers() {
    assert!(decode(r#"511-["a"]"#, 11).is_ok());
    let error = decode(r#"51-["a"]"#, 0).unwrap_err();
    assert_eq!(error, PacketError::TooManyAttachments { max: 0 });
}

#[test]
fn longest_namespace_passes() {
    let name = "/".to_owned() + &"n".repeat(MAX_NSP - 1);
    assert_eq!(decode(&format!("2{name},[\"a\"]"), 10).unwrap().nsp, name);
    let query = format!("{name}?{}", "q".repeat(MAX_NSP_QUERY - MAX_NSP - 1));
    assert_eq!(decode(&format!("0{query},"), 10).unwrap().nsp, query);
}

#[test]
fn largest_id_passes() {
    let text = format!("2{}[\"a\"]", u64::MAX);
    assert_eq!(decode(&text, 10).unwrap().id, Some(u64::MAX));
}

#[test]
fn arguments_are_borrowed_from_the_message() {
    let text = r#"2/chat,7["say","caf\u00e9",{"a":1}]"#;
    let Body::Event {
        name: Cow::Borrowed("say"),
        args: Cow::Borrowed(args),
    } = decode(text, 10).unwrap().body
    else {
        panic!("copied");
    };
    assert!(text.as_bytes().as_ptr_range().contains(&args.as_ptr()));
}

#[test]
fn bytes_make_the_packet_binary() {
    let (mut out, mut attachments) = (b"kept".to_vec(), Vec::new());
    let args = Args((1, Bytes::from_static(b"x"), [Bytes::from_static(b"y")]));
    write_event(&mut out, "/n", Some(3), "a", &args, &mut attachments).unwrap();
    let expected = r#"kept52-/n,3["a",1,{"_placeholder":true,"num":0},[{"_placeholder":true,"num":1}]]"#;
    assert_eq!(String::from_utf8(out).unwrap(), expected);
    assert_eq!(attachments, ["x", "y"]);

    let (mut out, mut attachments) = (Vec::new(), Vec::new());
    write_ack(&mut out, "/", 3, &Bytes::from_static(b"x"), &mut attachments).unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        r#"61-3[{"_placeholder":true,"num":0}]"#
    );
}

#[test]
fn reserved_name_is_not_written() {
    let mut out = b"kept".to_vec();
    let error = write_event(&mut out, "/", None, "disconnect", "x", &mut Vec::new()).unwrap_err();
    assert!(matches!(error, EncodeError::ReservedEvent(name) if name == "disconnect"));
    assert_eq!(out, b"kept");
}

#[test]
fn failed_write_leaves_nothing() {
    struct Fails;
    impl Serialize for Fails {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("no"))
        }
    }
    let args = Args((Bytes::from_static(b"x"), "written", Fails));
    let (mut out, mut attachments) = (b"kept".to_vec(), Vec::new());
    assert!(write_event(&mut out, "/", None, "a", &args, &mut attachments).is_err());
    assert!(write_ack(&mut out, "/", 1, &args, &mut attachments).is_err());
    assert_eq!((&*out, attachments.len()), (&b"kept"[..], 0));
}

#[test]
fn refusal_carries_data() {
    let mut object = Vec::new();
    write_connect_error(&mut object, "/a", "no \"way\"", Some("[1]"));
    assert_eq!(object, br#"4/a,{"message":"no \"way\"","data":[1]}"#);
}

fn nsp() -> impl Strategy<Value = String> {
    prop_oneof![Just("/".to_owned()), "/[^,?]{0,20}", "/[a-z/]{1,20}"]
}

fn free_name() -> impl Strategy<Value = String> {
    any::<String>().prop_filter("reserved", |name| !is_reserved(name))
}

type Given = Args<(String, Option<Bytes>, Vec<(i64, String, Bytes)>)>;

fn given() -> impl Strategy<Value = Given> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..9).prop_map(Bytes::from);
    let list = prop::collection::vec((any::<i64>(), any::<String>(), bytes()), 0..4);
    (any::<String>(), prop::option::of(bytes()), list).prop_map(Args)
}

/// Reads what was written, as the namespace layer does.
fn read(text: &str, attachments: &[Bytes], binary: Kind, plain: Kind) -> Result<Given, TestCaseError> {
    let packet = decode(text, 10).unwrap();
    prop_assert_eq!(packet.kind, if attachments.is_empty() { plain } else { binary });
    prop_assert_eq!(packet.attachments, attachments.len());
    let (Body::Event { args, .. } | Body::Args(args)) = packet.body else {
        return Err(TestCaseError::fail("no arguments"));
    };
    prop_assert!(check_placeholders(&args, attachments.len()).is_ok());
    Ok(Given::from_args(&args, attachments).unwrap())
}

proptest! {
    #[test]
    fn written_event_is_read(nsp in nsp(), id: Option<u64>, name in free_name(), args in given()) {
        let (mut out, mut attachments) = (Vec::new(), Vec::new());
        write_event(&mut out, &nsp, id, &name, &args, &mut attachments).unwrap();
        let text = String::from_utf8(out).unwrap();
        let packet = decode(&text, 10).unwrap();
        prop_assert_eq!((packet.nsp, packet.id), (&*nsp, id));
        let Body::Event { name: found, args: json } = &packet.body else {
            return Err(TestCaseError::fail("no event"));
        };
        prop_assert_eq!(found, &name);
        prop_assert_eq!(split_event(&text), Some((name, &**json)));
        prop_assert_eq!(read(&text, &attachments, Kind::BinaryEvent, Kind::Event)?, args);
    }

    #[test]
    fn written_ack_is_read(nsp in nsp(), id: u64, args in given()) {
        let (mut out, mut attachments) = (Vec::new(), Vec::new());
        write_ack(&mut out, &nsp, id, &args, &mut attachments).unwrap();
        let text = String::from_utf8(out).unwrap();
        let packet = decode(&text, 10).unwrap();
        prop_assert_eq!((packet.nsp, packet.id), (&*nsp, Some(id)));
        prop_assert_eq!(split_event(&text), None);
        prop_assert_eq!(read(&text, &attachments, Kind::BinaryAck, Kind::Ack)?, args);
    }

    #[test]
    fn written_control_packets_are_read(nsp in nsp(), sid: String, message: String) {
        let mut out = [const { Vec::new() }; 3];
        write_connect(&mut out[0], &nsp, Some(&sid));
        write_disconnect(&mut out[1], &nsp);
        write_connect_error(&mut out[2], &nsp, &message, Some("{}"));
        let body = [
            Body::Object(serde_json::json!({ "sid": sid }).to_string().into()),
            Body::None,
            Body::Reason(format!("{{\"message\":{},\"data\":{{}}}}", serde_json::json!(message)).into()),
        ];
        let kinds = [Kind::Connect, Kind::Disconnect, Kind::ConnectError];
        for ((out, body), kind) in out.iter().zip(body).zip(kinds) {
            let text = std::str::from_utf8(out).unwrap();
            let expected = Packet { kind, attachments: 0, nsp: &nsp, id: None, receipt: None, body };
            prop_assert_eq!(decode(text, 10).unwrap(), expected);
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text: String, kind in "[0-6]", header in "[0-9]{0,3}-?(/[a-z]{0,3},?)?[0-9]{0,3}") {
        let _ = decode(&text, 10);
        let _ = decode(&(kind.clone() + &text), 10);
        let _ = decode(&(kind + &header + &text), 10);
    }

    /// What is kept of a packet is never larger than the packet.
    #[test]
    fn packet_is_no_larger_than_its_text(pieces in prop::collection::vec(prop::sample::select(vec![
        "\"", "\\ud83d", "\\u00e9", "\\n", ",", "[", "]", "1", "\"a\"", "é",
    ]), 0..12)) {
        let text = format!("2[\"{}]", pieces.concat());
        if let Ok(Packet { body: Body::Event { name, args }, .. }) = decode(&text, 10) {
            prop_assert!(name.len() + args.len() <= text.len());
            let whole = format!("[{args}]");
            prop_assert!(serde_json::from_str::<serde_json::Value>(&whole).is_ok());
        }
    }
}
