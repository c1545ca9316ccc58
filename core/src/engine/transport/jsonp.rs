//! Polling by `<script>` and form, for pages that can do neither XHR across origins nor WebSocket: what
//! the answer to a poll and the body of a POST are wrapped in.
//!
//! Source: engine.io 6.6's `polling-jsonp.js`. The index is digits only, so that nothing of the
//! client's is a script.

use std::fmt::Write as _;

use crate::engine::route;

/// A payload as a script that calls the page's function of that index.
pub(crate) fn wrap(index: u64, payload: &str) -> String {
    let mut script = format!("___eio[{index}](");
    let string = serde_json::to_string(payload).unwrap_or_default();
    // Older script engines end a line, and with it the string, at these.
    for piece in string.split_inclusive(['\u{2028}', '\u{2029}']) {
        match piece.chars().next_back() {
            Some(end @ ('\u{2028}' | '\u{2029}')) => {
                script.push_str(&piece[..piece.len() - end.len_utf8()]);
                let _ = write!(script, "\\u{:04x}", u32::from(end));
            }
            _ => script.push_str(piece),
        }
    }
    script.push_str(");");
    script
}

/// The payload in a form's field `d`. Forms change newlines, so that clients escape them, and what
/// looks like an escaped one.
pub(crate) fn unwrap(form: &str) -> Option<String> {
    let field = route::parameter(form, "d")?;
    let mut payload = String::with_capacity(field.len());
    let mut rest = &*field;
    while let Some(at) = rest.find("\\n") {
        match rest[..at].strip_suffix('\\') {
            Some(before) => payload.extend([before, "\\n"]),
            None => payload.extend([&rest[..at], "\n"]),
        }
        rest = &rest[at + 2..];
    }
    payload.push_str(rest);
    Some(payload)
}

#[cfg(test)]
mod tests {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;

    use super::*;

    /// As engine.io-client's polling-jsonp.js does.
    fn as_the_client_posts(payload: &str) -> String {
        let escaped = payload.replace("\\n", "\\\n").replace('\n', "\\n");
        format!("d={}", utf8_percent_encode(&escaped, NON_ALPHANUMERIC))
    }

    #[test]
    fn payloads_are_strings_of_a_script() {
        assert_eq!(wrap(0, r#"2:4""#), r#"___eio[0]("2:4\"");"#);
        assert_eq!(wrap(12, "\u{2028}a\u{2029}é"), r#"___eio[12]("\u2028a\u2029é");"#);
    }

    #[test]
    fn newlines_are_escaped_by_the_client() {
        let payload = "1:4\n2:4\\n";
        assert_eq!(unwrap(&as_the_client_posts(payload)).as_deref(), Some(payload));
    }

    #[test]
    fn forms_without_a_payload_hold_none() {
        assert_eq!(unwrap("x=1"), None);
        assert_eq!(unwrap(""), None);
        assert_eq!(unwrap("d=1%3A6").as_deref(), Some("1:6"));
    }

    proptest! {
        #[test]
        fn posted_payloads_are_read_as_they_were(payload in r"[\\n:a-c é]{0,20}") {
            prop_assert_eq!(unwrap(&as_the_client_posts(&payload)), Some(payload));
        }

        #[test]
        fn scripts_hold_the_payload_and_no_line_ends(payload: String) {
            let script = wrap(1, &payload);
            let string = script.strip_prefix("___eio[1](").and_then(|rest| rest.strip_suffix(");")).unwrap();
            prop_assert_eq!(serde_json::from_str::<String>(string).unwrap(), payload);
            let has_line_ends = script.contains(['\n', '\r', '\u{2028}', '\u{2029}']);
            prop_assert!(!has_line_ends);
        }
    }
}
