//! Reads the query of a request: what the client wants, or why it cannot have it.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::{generation::Generation, sid::Sid, transport::Transport};

/// What a request says about itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) transport: Transport,
    /// `None`: the number is of no generation that this server speaks.
    pub(super) generation: Option<Generation>,
    pub(super) session: Session,
}

/// Which session a request belongs to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Session {
    /// None yet: it is a handshake.
    New,
    Known(Sid),
    /// An id that no server of this kind hands out.
    Impossible,
}

/// Why a request is refused: the reference server's codes and messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    TransportUnknown,
    SessionUnknown,
    BadHandshakeMethod,
    BadRequest,
    Forbidden,
    UnsupportedProtocol,
}

impl Route {
    pub(super) fn read(query: Option<&str>, transports: &[Transport]) -> Result<Self, Refusal> {
        let query = query.unwrap_or_default();
        let transport = parameter(query, "transport")
            .and_then(|name| Transport::from_name(&name))
            .filter(|transport| transports.contains(transport))
            .ok_or(Refusal::TransportUnknown)?;
        let session = match parameter(query, "sid") {
            None => Session::New,
            Some(id) if id.is_empty() => Session::New,
            Some(id) => Sid::parse(&id).map_or(Session::Impossible, Session::Known),
        };
        let generation = Generation::from_query(parameter(query, "EIO").as_deref());
        Ok(Self {
            transport,
            generation,
            session,
        })
    }
}

impl Refusal {
    pub(super) const fn code(self) -> u8 {
        self as u8
    }

    pub(super) const fn message(self) -> &'static str {
        match self {
            Self::TransportUnknown => "Transport unknown",
            Self::SessionUnknown => "Session ID unknown",
            Self::BadHandshakeMethod => "Bad handshake method",
            Self::BadRequest => "Bad request",
            Self::Forbidden => "Forbidden",
            Self::UnsupportedProtocol => "Unsupported protocol version",
        }
    }
}

/// The first value of a query parameter, decoded as forms are (`+` is a space).
pub(crate) fn parameter<'a>(query: &'a str, name: &str) -> Option<Cow<'a, str>> {
    query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .find(|(key, _)| decode(key) == name)
        .map(|(_, value)| decode(value))
}

/// All query parameters in order, decoded.
pub(crate) fn parameters(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(key), decode(value))
    })
}

fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains(['+', '%']) {
        return text.into();
    }
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [Transport; 2] = [Transport::Polling, Transport::WebSocket];

    #[test]
    fn a_handshake_and_a_session_are_told_apart() {
        let id = Sid::random();
        let route = |query: &str| Route::read(Some(query), &BOTH).unwrap();
        assert_eq!(
            route("EIO=4&transport=polling&t=abc"),
            Route {
                transport: Transport::Polling,
                generation: Some(Generation::Eio4),
                session: Session::New,
            }
        );
        assert_eq!(
            route(&format!("t=1&sid={id}&transport=websocket&EIO=4")),
            Route {
                transport: Transport::WebSocket,
                generation: Some(Generation::Eio4),
                session: Session::Known(id),
            }
        );
        assert_eq!(
            route("EIO=4&transport=polling&sid=__proto__").session,
            Session::Impossible
        );
        for query in [
            "transport=polling",
            "EIO=abc&transport=polling",
            "EIO=44&transport=polling",
        ] {
            assert_eq!(route(query).generation, None, "{query}");
        }
    }

    #[test]
    fn transports_that_are_none_or_not_configured_are_unknown() {
        for query in [
            "",
            "EIO=4",
            "EIO=4&transport=abc",
            "EIO=4&transport=__proto__",
            "EIO=4&transport",
        ] {
            assert_eq!(
                Route::read(Some(query), &BOTH),
                Err(Refusal::TransportUnknown),
                "{query}"
            );
        }
        let only = [Transport::WebSocket];
        assert_eq!(
            Route::read(Some("EIO=4&transport=polling"), &only),
            Err(Refusal::TransportUnknown)
        );
        assert_eq!(Route::read(None, &BOTH), Err(Refusal::TransportUnknown));
    }

    #[test]
    fn parameters_are_decoded() {
        let query = "a=1+2&b%20c=%C3%A9&d&a=3&e=%ff";
        assert_eq!(parameter(query, "a").unwrap(), "1 2");
        assert_eq!(parameter(query, "b c").unwrap(), "é");
        assert_eq!(parameter(query, "d").unwrap(), "");
        assert_eq!(parameter(query, "x"), None);
        assert_eq!(parameters(query).count(), 5);
    }
}
