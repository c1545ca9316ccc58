//! The HTTP that opens a WebSocket: reads the request (RFC 6455 §4.2, RFC 8441 §5), writes the
//! answer's head.
//!
//! Owns that one exchange. It never looks at the path, the session or the origin (they are decided
//! before). Extensions are `deflate`'s, what comes after the answer is `codec`'s.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Version,
    header::{
        CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
    },
    request::Parts,
};
use sha1::{Digest as _, Sha1};

/// A request that may become a WebSocket.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// An HTTP/1.1 upgrade, with the value for `Sec-WebSocket-Accept`.
    Upgrade { accept: HeaderValue },
    /// An extended CONNECT of HTTP/2 (RFC 8441) or HTTP/3 (RFC 9220), which has no key.
    Connect,
}

impl Opening {
    /// Reads a request; `None` when it is plain HTTP. `extended_connect` says that its `:protocol`
    /// is `websocket`: frameworks keep that in places of their own.
    pub(crate) fn read(parts: &Parts, extended_connect: bool) -> Result<Option<Self>, Refusal> {
        let headers = &parts.headers;
        if !asks(parts, extended_connect) {
            return Ok(None);
        }
        if extended_connect {
            if parts.method != Method::CONNECT {
                return Err(Refusal::Method {
                    expected: Method::CONNECT,
                });
            }
            check_version(headers)?;
            return Ok(Some(Self::Connect));
        }
        if parts.method != Method::GET {
            return Err(Refusal::Method { expected: Method::GET });
        }
        if parts.version != Version::HTTP_11 {
            return Err(Refusal::HttpVersion(parts.version));
        }
        if !has_token(headers, &CONNECTION, b"upgrade") {
            return Err(Refusal::Connection);
        }
        check_version(headers)?;
        let key = single(headers, &SEC_WEBSOCKET_KEY)
            .filter(|key| is_key(key))
            .ok_or(Refusal::Key)?;
        Ok(Some(Self::Upgrade {
            accept: accept_for(key),
        }))
    }

    /// The answer that opens the WebSocket.
    pub(crate) fn response(self) -> Response<()> {
        let mut response = Response::new(());
        // An extended CONNECT is answered 200 and nothing else (RFC 8441 §5).
        if let Self::Upgrade { accept } = self {
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            let headers = response.headers_mut();
            headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
        }
        response
    }
}

/// Whether a request asks for a WebSocket, rightly or not.
pub(crate) fn asks(parts: &Parts, extended_connect: bool) -> bool {
    extended_connect || has_token(&parts.headers, &UPGRADE, b"websocket")
}

/// What is wrong with a request that asks for a WebSocket. Its text is the body for the answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Method { expected: Method },
    HttpVersion(Version),
    Connection,
    WebSocketVersion,
    Key,
}

impl Refusal {
    /// The refusing answer's head: 400, as the reference server has it, with the version to come
    /// back with where that was the trouble (RFC 6455 §4.4).
    pub(crate) fn response(&self) -> Response<()> {
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::BAD_REQUEST;
        if *self == Self::WebSocketVersion {
            response
                .headers_mut()
                .insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        }
        response
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Method { expected } => write!(f, "wrong method for a websocket: use {expected}"),
            Self::HttpVersion(version) => {
                write!(
                    f,
                    "websocket upgrade over {version:?}: use HTTP/1.1, or extended CONNECT"
                )
            }
            Self::Connection => f.write_str("upgrade is not named by connection: send `Connection: Upgrade`"),
            Self::WebSocketVersion => {
                f.write_str("missing or unknown sec-websocket-version: send `Sec-WebSocket-Version: 13`")
            }
            Self::Key => f.write_str("missing or malformed sec-websocket-key: send 16 random bytes as base64"),
        }
    }
}

impl std::error::Error for Refusal {}

fn check_version(headers: &HeaderMap) -> Result<(), Refusal> {
    single(headers, &SEC_WEBSOCKET_VERSION)
        .filter(|v| *v == "13")
        .map(drop)
        .ok_or(Refusal::WebSocketVersion)
}

/// The value of a header that must come once (§11.3).
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// Whether a comma-separated header holds a token, in any case. Linear in the header's length.
fn has_token(headers: &HeaderMap, name: &HeaderName, token: &[u8]) -> bool {
    let mut tokens = headers
        .get_all(name)
        .iter()
        .flat_map(|value| value.as_bytes().split(|b| *b == b','));
    tokens.any(|candidate| candidate.trim_ascii().eq_ignore_ascii_case(token))
}

/// The subprotocol that is agreed: the first one that the client offers, as the reference has it. What it
/// means is the client's own business, but clients that offer some give a WebSocket up that has none.
pub(crate) fn subprotocol(headers: &HeaderMap) -> Option<HeaderValue> {
    let offers = headers.get(SEC_WEBSOCKET_PROTOCOL)?.as_bytes();
    let first = offers.split(|byte| *byte == b',').next()?.trim_ascii();
    let is_token = !first.is_empty()
        && first
            .iter()
            .all(|byte| byte.is_ascii_graphic() && !b"()<>@;:\\\"/[]?={}".contains(byte));
    is_token.then(|| HeaderValue::from_bytes(first).ok())?
}

/// 16 bytes in base64. The key is never decoded (§4.2.2), so its last character's spare bits may be
/// anything, as in the reference server.
fn is_key(key: &HeaderValue) -> bool {
    key.as_bytes()
        .strip_suffix(b"==")
        .is_some_and(|key| key.len() == 22 && key.iter().all(|b| b.is_ascii_alphanumeric() || b"+/".contains(b)))
}

/// §4.2.2: the proof that this is a WebSocket server.
fn accept_for(key: &HeaderValue) -> HeaderValue {
    const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    let digest = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    HeaderValue::from_str(&STANDARD.encode(digest)).expect("base64 is a valid header value")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The request and the accept value of RFC 6455 §1.3.
    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

    fn request(method: Method, version: Version, headers: &[(&'static str, &str)]) -> Parts {
        let mut builder = http::Request::builder().method(method).version(version);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        builder.body(()).unwrap().into_parts().0
    }

    /// A good HTTP/1.1 request, but for one header: changed, or left out when `value` is `None`.
    fn upgrade_with(name: &'static str, value: Option<&str>) -> Parts {
        let mut parts = request(
            Method::GET,
            Version::HTTP_11,
            &[
                ("upgrade", "websocket"),
                ("connection", "Upgrade"),
                ("sec-websocket-version", "13"),
                ("sec-websocket-key", KEY),
            ],
        );
        parts.headers.remove(name);
        if let Some(value) = value {
            parts.headers.insert(name, value.parse().unwrap());
        }
        parts
    }

    fn opens(parts: &Parts) -> bool {
        Opening::read(parts, false)
            == Ok(Some(Opening::Upgrade {
                accept: HeaderValue::from_static(ACCEPT),
            }))
    }

    #[test]
    fn upgrade_is_answered_with_the_proof() {
        let parts = upgrade_with("origin", None);
        let response = Opening::read(&parts, false).unwrap().unwrap().response();
        assert_eq!(response.status(), 101);
        assert_eq!(response.headers()["sec-websocket-accept"], ACCEPT);
        assert_eq!(response.headers()["upgrade"], "websocket");
        assert_eq!(response.headers()["connection"], "Upgrade");
        assert_eq!(response.headers().len(), 3);
    }

    #[test]
    fn extended_connect_is_answered_200_without_headers() {
        let parts = request(Method::CONNECT, Version::HTTP_2, &[("sec-websocket-version", "13")]);
        let response = Opening::read(&parts, true).unwrap().unwrap().response();
        assert_eq!((response.status(), response.headers().len()), (StatusCode::OK, 0));
        assert_eq!(
            Opening::read(&parts, false),
            Ok(None),
            "a plain CONNECT is no websocket"
        );
    }

    #[test]
    fn tokens_are_found_in_lists_and_in_any_case() {
        assert!(opens(&upgrade_with("connection", Some("keep-alive, Upgrade"))));
        assert!(opens(&upgrade_with("connection", Some("\tUPGRADE ,close"))));
        assert!(opens(&upgrade_with("upgrade", Some("h2c, WebSocket"))));
        let mut two_lines = upgrade_with("connection", Some("keep-alive"));
        two_lines
            .headers
            .append("connection", HeaderValue::from_static("upgrade"));
        assert!(opens(&two_lines));
    }

    #[test]
    fn request_without_upgrade_to_websocket_is_plain_http() {
        for upgrade in [None, Some("h2c"), Some(""), Some("websockets"), Some("web socket")] {
            assert_eq!(
                Opening::read(&upgrade_with("upgrade", upgrade), false),
                Ok(None),
                "{upgrade:?}"
            );
        }
    }

    #[test]
    fn broken_upgrade_is_refused() {
        let refusal = |parts: &Parts| Opening::read(parts, false).unwrap_err();
        for connection in [None, Some("keep-alive"), Some("upgraded"), Some("")] {
            assert_eq!(refusal(&upgrade_with("connection", connection)), Refusal::Connection);
        }
        for version in [None, Some("8"), Some("13, 8"), Some("013")] {
            assert_eq!(
                refusal(&upgrade_with("sec-websocket-version", version)),
                Refusal::WebSocketVersion
            );
        }
        let keys = [
            None,
            Some(""),
            Some("dGhlIHNhbXBsZSBub25jZQ"),
            Some("dGhlIHNhbXBsZSBub25jZQ="),
            Some("dGhlIHNhbXBsZSBub25jZ==="),
            Some("dGhlIHNhbXBsZSBub25j"),
            Some("dGhlIHNhbXBsZSBub25-_Q=="),
            Some("dGhlIHNhbXBsZSBub25jZSBhbmQ="),
        ];
        for key in keys {
            assert_eq!(
                refusal(&upgrade_with("sec-websocket-key", key)),
                Refusal::Key,
                "{key:?}"
            );
        }
        let mut two_keys = upgrade_with("sec-websocket-key", Some(KEY));
        two_keys
            .headers
            .append("sec-websocket-key", HeaderValue::from_static(KEY));
        assert_eq!(refusal(&two_keys), Refusal::Key);
        let mut parts = upgrade_with("origin", None);
        parts.method = Method::POST;
        assert_eq!(refusal(&parts), Refusal::Method { expected: Method::GET });
        parts.method = Method::GET;
        parts.version = Version::HTTP_10;
        assert_eq!(refusal(&parts), Refusal::HttpVersion(Version::HTTP_10));
    }

    #[test]
    fn broken_extended_connect_is_refused() {
        let parts = request(Method::GET, Version::HTTP_2, &[("sec-websocket-version", "13")]);
        assert_eq!(
            Opening::read(&parts, true),
            Err(Refusal::Method {
                expected: Method::CONNECT
            })
        );
        let parts = request(Method::CONNECT, Version::HTTP_2, &[]);
        assert_eq!(Opening::read(&parts, true), Err(Refusal::WebSocketVersion));
    }

    #[test]
    fn refusal_is_a_400_that_names_the_version_where_that_helps() {
        let response = Refusal::WebSocketVersion.response();
        assert_eq!(
            (response.status(), &response.headers()["sec-websocket-version"]),
            (StatusCode::BAD_REQUEST, &HeaderValue::from_static("13"))
        );
        assert!(Refusal::Key.response().headers().is_empty());
        assert_eq!(
            Refusal::Key.to_string(),
            "missing or malformed sec-websocket-key: send 16 random bytes as base64"
        );
    }

    #[test]
    fn extensions_and_protocols_are_ignored_however_broken() {
        let long = "a,".repeat(50_000);
        for name in ["sec-websocket-extensions", "sec-websocket-protocol"] {
            for value in [
                "permessage-deflate; client_max_window_bits",
                ";;=,\"",
                "constructor",
                &long,
            ] {
                assert!(opens(&upgrade_with(name, Some(value))));
            }
        }
    }
}
