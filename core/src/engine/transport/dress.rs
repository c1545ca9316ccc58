//! What a payload is wrapped in for pages that can do neither XHR across origins nor WebSocket: a
//! `<script>` that calls the page, an endless page of them; and the form that such a page posts.
//!
//! Sources: engine.io 6.6's `polling-jsonp.js`, socket.io-client 0.9.17's `jsonp-polling.js` and
//! `htmlfile.js`. The index is a number, so that nothing of the client's is a script.

use crate::engine::{codec::PayloadForm, route};

/// What a poll is answered with, and a POST sent in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dress {
    pub(crate) form: PayloadForm,
    pub(crate) wrapping: Wrapping,
}

/// What stands around a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrapping {
    None,
    Script(Script),
    /// A part of an endless page.
    Page,
}

/// A script that calls the page's function of that index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Script {
    pub(crate) function: Function,
    pub(crate) index: u64,
}

/// The client's list of functions, and how its forms are escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    /// `___eio[0]`: newlines are escaped, and what looks like an escaped one.
    Eio,
    /// `io.j[0]`: the payload is a JSON string, or, of the oldest clients, stands as it is.
    IoJ,
}

/// The beginning of an endless page. Browsers show nothing of a page before they have some of it.
pub(crate) const PAGE: &str = concat!(
    "<html><body><script>var _ = function (msg) { parent.s._(msg, document); };</script>",
    "                                                                                ",
    "                                                                                ",
    "                                                                                "
);

impl Wrapping {
    pub(crate) fn wrap(self, payload: &str) -> String {
        match self {
            Self::None => payload.to_owned(),
            Self::Script(script) => script.call(&string(payload)),
            // `</script>` would end the element.
            Self::Page => format!("<script>_({});</script>", string(payload).replace('/', "\\/")),
        }
    }

    /// The media type, where it is not the payload's own.
    pub(crate) const fn media_type(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Script(_) => Some("text/javascript; charset=UTF-8"),
            Self::Page => Some("text/html; charset=UTF-8"),
        }
    }

    /// The payload that a POST brings.
    pub(crate) fn unwrap(self, body: String) -> Option<String> {
        match self {
            Self::None | Self::Page => Some(body),
            Self::Script(script) => {
                let field = route::parameter(&body, "d")?;
                match script.function {
                    Function::Eio => Some(unescape(&field)),
                    Function::IoJ if field.starts_with('"') => serde_json::from_str(&field).ok(),
                    // As clients 0.7 write it; no payload begins with a quotation mark.
                    Function::IoJ => Some(field.into_owned()),
                }
            }
        }
    }
}

impl Script {
    /// A call with that expression.
    pub(crate) fn call(self, argument: &str) -> String {
        let function = match self.function {
            Function::Eio => "___eio",
            Function::IoJ => "io.j",
        };
        format!("{function}[{}]({argument});", self.index)
    }
}

/// Text as a string of a script.
pub(crate) fn string(text: &str) -> String {
    let string = serde_json::to_string(text).unwrap_or_default();
    // Older script engines end a line, and with it the string, at these.
    string.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

fn unescape(field: &str) -> String {
    let mut payload = String::with_capacity(field.len());
    let mut rest = field;
    while let Some(at) = rest.find("\\n") {
        match rest[..at].strip_suffix('\\') {
            Some(before) => payload.extend([before, "\\n"]),
            None => payload.extend([&rest[..at], "\n"]),
        }
        rest = &rest[at + 2..];
    }
    payload.push_str(rest);
    payload
}

#[cfg(test)]
mod tests {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;

    use super::*;

    fn script(function: Function, index: u64) -> Wrapping {
        Wrapping::Script(Script { function, index })
    }

    /// As engine.io-client's polling-jsonp.js does.
    fn posted_by_eio(payload: &str) -> String {
        let escaped = payload.replace("\\n", "\\\n").replace('\n', "\\n");
        format!("d={}", utf8_percent_encode(&escaped, NON_ALPHANUMERIC))
    }

    /// As socket.io-client 0.9's jsonp-polling.js and the browser do.
    fn posted_by_io_j(payload: &str) -> String {
        let string = serde_json::to_string(payload).unwrap();
        format!("d={}", utf8_percent_encode(&string, NON_ALPHANUMERIC)).replace("%20", "+")
    }

    #[test]
    fn payloads_are_strings_of_a_script() {
        assert_eq!(script(Function::Eio, 0).wrap(r#"2:4""#), r#"___eio[0]("2:4\"");"#);
        assert_eq!(
            script(Function::IoJ, 12).wrap("\u{2028}a\u{2029}é"),
            r#"io.j[12]("\u2028a\u2029é");"#
        );
    }

    #[test]
    fn nothing_in_a_payload_ends_the_element_it_is_in() {
        assert_eq!(
            Wrapping::Page.wrap("3:::</script>\u{2028}"),
            r#"<script>_("3:::<\/script>\u2028");</script>"#
        );
    }

    #[test]
    fn newlines_are_escaped_by_the_client() {
        let payload = "1:4\n2:4\\n";
        assert_eq!(
            script(Function::Eio, 0).unwrap(posted_by_eio(payload)).as_deref(),
            Some(payload)
        );
    }

    #[test]
    fn forms_without_a_payload_hold_none() {
        for function in [Function::Eio, Function::IoJ] {
            for form in ["x=1", ""] {
                assert_eq!(script(function, 0).unwrap(form.to_owned()), None);
            }
        }
        let unwrap = |function, form: &str| script(function, 0).unwrap(form.to_owned());
        assert_eq!(unwrap(Function::Eio, "d=1%3A6").as_deref(), Some("1:6"));
        assert_eq!(unwrap(Function::IoJ, "d=%222::%22").as_deref(), Some("2::"));
        assert_eq!(unwrap(Function::IoJ, "d=2%3A%3A").as_deref(), Some("2::"));
        assert_eq!(unwrap(Function::IoJ, "d=%222::"), None);
    }

    proptest! {
        #[test]
        fn posted_payloads_are_read_as_they_were(escaped in r"[\\n:a-c é]{0,20}", any: String) {
            prop_assert_eq!(script(Function::Eio, 0).unwrap(posted_by_eio(&escaped)), Some(escaped));
            prop_assert_eq!(script(Function::IoJ, 0).unwrap(posted_by_io_j(&any)), Some(any));
        }

        #[test]
        fn scripts_hold_the_payload_and_no_line_ends(payload: String) {
            let script = script(Function::Eio, 1).wrap(&payload);
            let string = script.strip_prefix("___eio[1](").and_then(|rest| rest.strip_suffix(");")).unwrap();
            prop_assert_eq!(serde_json::from_str::<String>(string).unwrap(), payload);
            let has_line_ends = script.contains(['\n', '\r', '\u{2028}', '\u{2029}']);
            prop_assert!(!has_line_ends);
        }
    }
}
