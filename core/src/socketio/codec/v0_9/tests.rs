//! Golden vectors, written from the wire that socket.io-client 0.9.17 speaks, and what must hold for any.

use proptest::prelude::*;

use super::*;
use crate::socketio::args::{Args, EmitArgs, RawArgs};

/// A packet in one line: what it means.
fn read(text: &str) -> String {
    match decode(text) {
        Ok(packet) => {
            let Packet { nsp, id, receipt, .. } = packet;
            let body = match packet.body {
                Body::None => "nothing".to_owned(),
                Body::Object(json) => format!("object {json}"),
                Body::Event { name, args } => format!("{name:?} ({args})"),
                Body::Args(args) => format!("({args})"),
                Body::Reason(reason) => format!("reason {reason}"),
            };
            let id = id.map(|id| format!(" #{id}")).unwrap_or_default();
            let receipt = receipt.map(|id| format!(" receipt #{id}")).unwrap_or_default();
            format!("{:?} {nsp}{id}{receipt} {body}", packet.kind)
        }
        Err(error) => format!("! {error:?}"),
    }
}

#[test]
fn packets_of_clients_are_read() {
    #[rustfmt::skip]
    let vectors = [
        ("0::", "Disconnect / nothing"),
        ("0::/chat", "Disconnect /chat nothing"),
        ("1::", "Connect / nothing"),
        ("1::/chat", "Connect /chat nothing"),
        ("1::/chat:", "Connect /chat nothing"),
        ("1::/chat:?token=a%20b&token=c", r#"Connect /chat object {"token":"a b"}"#),
        ("1::/chat:token=a+b", r#"Connect /chat object {"token":"a b"}"#),
        ("1::/chat?token=x", r#"Connect /chat object {"token":"x"}"#),
        ("3:::hello", r#"Event / "message" ("hello")"#),
        ("3::", r#"Event / "message" ("")"#),
        ("3:::", r#"Event / "message" ("")"#),
        ("3:::a:b::c", r#"Event / "message" ("a:b::c")"#),
        ("3::/chat:\"\n\u{2028}\u{fffd}😀", "Event /chat \"message\" (\"\\\"\\n\u{2028}\u{fffd}😀\")"),
        ("3:1::hi", r#"Event / receipt #1 "message" ("hi")"#),
        ("3:1+:/chat:hi", r#"Event /chat #1 "message" ("hi")"#),
        ("4:::{\"a\":[1]}", r#"Event / "message" ({"a":[1]})"#),
        ("4:2:/chat:null", r#"Event /chat receipt #2 "message" (null)"#),
        ("4:2+::\"x\"", r#"Event / #2 "message" ("x")"#),
        ("4::", r#"Event / "message" ()"#),
        (r#"5:::{"name":"a"}"#, r#"Event / "a" ()"#),
        (r#"5:::{"name":"a","args":[]}"#, r#"Event / "a" ()"#),
        (r#"5:::{"name":"a","args":null}"#, r#"Event / "a" ()"#),
        (r#"5:::{"args":[1,"two",{"b":null}],"name":"a"}"#, r#"Event / "a" (1,"two",{"b":null})"#),
        (r#"5:7+:/chat:{"name":"a:b","args":["x"]}"#, r#"Event /chat #7 "a:b" ("x")"#),
        (r#"5:7::{"name":"a","args":["x"]}"#, r#"Event / receipt #7 "a" ("x")"#),
        (r#"5:::{"name":"\u0061","args":["\ud83d","\u0062"],"endpoint":""}"#, r#"Event / "a" ("\ufffd","\u0062")"#),
        ("6:::1", "Ack / #1 ()"),
        ("6:::1+[]", "Ack / #1 ()"),
        ("6:::1+[\"a\",[2]]", r#"Ack / #1 ("a",[2])"#),
        ("6::/chat:12+[\"a+b\"]", r#"Ack /chat #12 ("a+b")"#),
        ("6:::18446744073709551615", "Ack / #18446744073709551615 ()"),
    ];
    for (text, meaning) in vectors {
        assert_eq!(read(text), meaning, "{text}");
    }
}

#[test]
fn what_is_no_packet_is_refused_and_named() {
    let long = format!("1::/{}", "x".repeat(sio::MAX_NSP));
    let long_query = format!("1::/a:{}", "x".repeat(sio::MAX_NSP_QUERY + 1));
    let deep = format!(r#"5:::{{"name":"a","args":[{}]}}"#, "[".repeat(100_000));
    #[rustfmt::skip]
    let vectors = [
        ("", "Empty"),
        ("5", "Payload"),
        ("5:", "Payload"),
        ("9::", "UnknownKind"),
        ("2::", "UnknownKind"),
        ("é::", "UnknownKind"),
        ("5::", "Json"),
        ("5:::", "Json"),
        ("5:::{", "Json"),
        ("5:::[]", "Payload"),
        ("5:::{}", "Payload"),
        (r#"5:::{"name":1}"#, "Payload"),
        (r#"5:::{"name":"a","args":{}}"#, "Json"),
        (r#"5:::{"name":"a","args":"x"}"#, "Json"),
        (r#"5:::{"name":"a","name":"b"}"#, "Payload"),
        (r#"5:::{"name":"disconnect"}"#, "ReservedName"),
        (r#"5:-1+::{"name":"a"}"#, "Payload"),
        (r#"5:1++::{"name":"a"}"#, "Payload"),
        (r#"5:x::{"name":"a"}"#, "Payload"),
        (r#"5:18446744073709551616+::{"name":"a"}"#, "IdTooLarge"),
        ("4:::{", "Json"),
        ("4:::undefined", "Json"),
        ("6::", "IdMissing"),
        ("6:::", "IdMissing"),
        ("6:::+[1]", "IdMissing"),
        ("6:::-1", "Payload"),
        ("6:::1+", "Json"),
        ("6:::1+{}", "Json"),
        ("6:::1 [1]", "Payload"),
        ("6:::18446744073709551616", "IdTooLarge"),
        (&*long, "NamespaceTooLong"),
        (&*long_query, "NamespaceTooLong"),
        (&*deep, "Json"),
    ];
    for (text, error) in vectors {
        let shown = text.chars().take(60).collect::<String>();
        assert!(read(text).starts_with(&format!("! {error}")), "{shown}: {}", read(text));
    }
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> Option<String> {
    let mut packet = Vec::new();
    write(&mut packet);
    from_sio(std::str::from_utf8(&packet).unwrap())
}

fn event(nsp: &str, id: Option<u64>, name: &str, args: impl EmitArgs) -> String {
    written(|out| sio::write_event(out, nsp, id, name, &args, &mut Vec::new()).unwrap()).unwrap()
}

fn answer(nsp: &str, args: impl EmitArgs) -> String {
    written(|out| sio::write_ack(out, nsp, 7, &args, &mut Vec::new()).unwrap()).unwrap()
}

#[test]
fn packets_of_the_server_are_what_clients_know() {
    #[rustfmt::skip]
    let vectors = [
        (event("/", None, "a", Args(())), r#"5:::{"name":"a"}"#),
        (event("/", None, "a", Args((1, "é😀", [()]))), r#"5:::{"name":"a","args":[1,"é😀",[null]]}"#),
        (event("/chat", Some(7), "a\"[,", "x"), r#"5:7+:/chat:{"name":"a\"[,","args":["x"]}"#),
        (event("/", Some(7), "a", Args(())), r#"5:7+::{"name":"a"}"#),
        (event("/", None, "a\u{2028}", "b\u{2029}</script>"), r#"5:::{"name":"a\u2028","args":["b\u2029</script>"]}"#),
        (event("/", None, "message", "hi: é\u{2028}\u{fffd}"), "3:::hi: é\u{2028}\u{fffd}"),
        (event("/", None, "message", ""), "3::"),
        (event("/chat", Some(7), "message", "hi"), "3:7+:/chat:hi"),
        (event("/chat", Some(7), "message", ""), "3:7+:/chat"),
        (event("/", None, "message", [1, 2]), "4:::[1,2]"),
        (event("/", None, "message", ["\u{2028}"]), r#"4:::["\u2028"]"#),
        (event("/chat", Some(7), "message", ()), "4:7+:/chat:null"),
        (event("/", None, "message", Args(())), r#"5:::{"name":"message"}"#),
        (event("/", None, "message", Args(("a", 1))), r#"5:::{"name":"message","args":["a",1]}"#),
        (answer("/", Args(())), "6:::7"),
        (answer("/", Args((1, "a"))), r#"6:::7+[1,"a"]"#),
        (answer("/chat", "\u{2029}"), r#"6::/chat:7+["\u2029"]"#),
        (written(|out| sio::write_disconnect(out, "/")).unwrap(), "0::"),
        (written(|out| sio::write_disconnect(out, "/chat")).unwrap(), "0::/chat"),
        (written(|out| sio::write_connect(out, "/chat", None)).unwrap(), "1::/chat"),
        (written(|out| sio::write_connect_error(out, "/admin", "unauthorized", Some("{}"))).unwrap(), "7::/admin:2"),
        (written(|out| sio::write_connect_error(out, "/", "no", None)).unwrap(), "7:::2"),
    ];
    for (written, packet) in vectors {
        assert_eq!(written, packet);
    }
}

#[test]
fn what_these_clients_are_not_told_is_nothing() {
    assert_eq!(written(|out| sio::write_connect(out, "/", None)), None);
    let unknown = written(|out| sio::write_connect_error(out, "/x", INVALID_NAMESPACE, None));
    assert_eq!(unknown, None);
}

proptest! {
    #[test]
    fn events_are_read_as_they_were_written(
        nsp in "/|/[a-z#?é]{1,5}",
        name: String,
        args: (String, Option<i64>),
        id: Option<u64>,
    ) {
        prop_assume!(!is_reserved(&name) && !nsp.contains('?'));
        let text = event(&nsp, id, &name, Args(args.clone()));
        let Ok(Packet { nsp: read_nsp, id: read_id, body: Body::Event { name: read_name, args: read_args }, .. }) = decode(&text) else {
            return Err(TestCaseError::fail(text));
        };
        prop_assert_eq!((read_nsp, read_id, &*read_name), (&*nsp, id, &*name));
        let raw = RawArgs::from_wire(&read_args, &[]);
        prop_assert_eq!(raw.read::<Args<(String, Option<i64>)>>().unwrap().0, args);
        let has_line_ends = text.contains(['\u{2028}', '\u{2029}']);
        prop_assert!(!has_line_ends);
    }

    #[test]
    fn messages_are_read_as_they_were_written(message: String, id: Option<u64>) {
        let text = event("/", id, "message", &message);
        prop_assert!(text.starts_with('3'));
        let Ok(Packet { id: read_id, body: Body::Event { args, .. }, .. }) = decode(&text) else {
            return Err(TestCaseError::fail(text));
        };
        prop_assert_eq!(read_id, id);
        prop_assert_eq!(serde_json::from_str::<String>(&args).unwrap(), message);
    }

    #[test]
    fn any_text_is_a_packet_or_an_error(text in r#"[0-9]?[:+/?0-9a{}"\[\],é]{0,30}"#) {
        let _ = decode(&text);
        let _ = from_sio(&text);
    }
}
