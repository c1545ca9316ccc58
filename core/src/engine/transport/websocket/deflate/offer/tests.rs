use http::{HeaderMap, HeaderValue, header::SEC_WEBSOCKET_EXTENSIONS};
use proptest::prelude::*;

use crate::PerMessageDeflate;

const ANSWER: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/// What is answered to an offer; `None` where it is declined.
fn answer(settings: PerMessageDeflate, offers: &[&str]) -> Option<String> {
    let mut headers = HeaderMap::new();
    for offer in offers {
        headers.append(SEC_WEBSOCKET_EXTENSIONS, HeaderValue::from_str(offer).unwrap());
    }
    let agreed = settings.agree(&headers).expect("well-formed");
    agreed.map(|(_, answer)| answer.to_str().unwrap().to_owned())
}

#[test]
fn offers_are_accepted_without_context_takeover() {
    for offer in [
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate;client_max_window_bits=10",
        "permessage-deflate; client_max_window_bits=\"10\"",
        "permessage-deflate ; server_no_context_takeover ; client_no_context_takeover",
        "Permessage-Deflate; Client_Max_Window_Bits",
        "x-webkit-deflate-frame, permessage-deflate",
        ", permessage-deflate,",
        "other; text=\"a\\b\"; more, permessage-deflate",
    ] {
        assert_eq!(
            answer(PerMessageDeflate::default(), &[offer]).as_deref(),
            Some(ANSWER),
            "{offer}"
        );
    }
    assert_eq!(
        answer(PerMessageDeflate::default(), &["other", "permessage-deflate"]).as_deref(),
        Some(ANSWER)
    );
}

#[test]
fn the_smaller_window_is_agreed_upon() {
    for (bits, offer, agreed) in [
        (15, "permessage-deflate; server_max_window_bits=15", 15),
        (15, "permessage-deflate; server_max_window_bits=10", 10),
        (12, "permessage-deflate; server_max_window_bits=15", 12),
        (12, "permessage-deflate; server_max_window_bits=\"9\"", 9),
        (12, "permessage-deflate", 12),
    ] {
        let answer = answer(PerMessageDeflate::default().window_bits(bits), &[offer]);
        assert_eq!(
            answer,
            Some(format!("{ANSWER}; server_max_window_bits={agreed}")),
            "{offer}"
        );
    }
}

#[test]
fn offers_that_cannot_be_kept_are_declined_and_the_next_is_taken() {
    for offer in [
        "",
        "permessage-bzip2",
        "permessage-deflate; unknown",
        "permessage-deflate; unknown=1",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; client_no_context_takeover=true",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=8",
        "permessage-deflate; server_max_window_bits=7",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=010",
        "permessage-deflate; server_max_window_bits=1000000000000000000000",
        "permessage-deflate; client_max_window_bits=7",
        "permessage-deflate; client_max_window_bits=16",
        "permessage-deflate; client_max_window_bits; client_max_window_bits",
        "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10",
    ] {
        assert_eq!(answer(PerMessageDeflate::default(), &[offer]), None, "{offer}");
        let second = format!("{offer}, permessage-deflate; server_no_context_takeover");
        assert_eq!(
            answer(PerMessageDeflate::default(), &[&second]).as_deref(),
            Some(ANSWER),
            "{second}"
        );
    }
}

#[test]
fn a_header_against_its_grammar_is_malformed() {
    for header in [
        ";",
        "=",
        "permessage-deflate;",
        "permessage-deflate; =1",
        "permessage-deflate; server_max_window_bits=",
        "permessage-deflate; server_max_window_bits=\"",
        "permessage-deflate; server_max_window_bits=\"\"",
        "permessage-deflate; server_max_window_bits=\"10",
        "permessage-deflate; server_max_window_bits=\"1 0\"",
        "permessage-deflate; server_max_window_bits=\"10\\\"",
        "permessage-deflate; server_max_window_bits=\"\\\"\"",
        "permessage-deflate server_max_window_bits",
        "permessage-deflate, a b",
        "permessage-deflate; (comment)",
        "\u{e9}",
    ] {
        let mut headers = HeaderMap::new();
        headers.append(
            SEC_WEBSOCKET_EXTENSIONS,
            HeaderValue::from_bytes(header.as_bytes()).unwrap(),
        );
        assert!(PerMessageDeflate::default().agree(&headers).is_err(), "{header}");
    }
}

proptest! {
    #[test]
    fn no_header_is_a_trap(header in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(&b";,=\" \\a"[..])], 0..60)) {
        let _ = super::find([&header[..], b"permessage-deflate"].into_iter());
    }
}
