//! Reads the query of a request: what the client wants, or why it cannot have it.
//!
//! Knows all of a URL's parameters, and none of what becomes of them.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::{codec::PayloadForm, config::EngineConfig, generation::Generation, sid::Sid, transport::Transport};

/// What a request says about itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) transport: Transport,
    /// `None`: the number is of no generation that this server speaks.
    pub(super) generation: Option<Generation>,
    pub(super) session: Session,
    pub(super) dress: Dress,
}

/// What a poll is answered with, and a POST sent in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dress {
    pub(super) form: PayloadForm,
    /// The index of the page's function for it.
    pub(super) jsonp: Option<u64>,
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
    pub(super) fn read(query: Option<&str>, config: &EngineConfig) -> Result<Self, Refusal> {
        let query = query.unwrap_or_default();
        let transport = parameter(query, "transport")
            .and_then(|name| Transport::from_name(&name))
            .filter(|transport| config.transports.contains(transport))
            .ok_or(Refusal::TransportUnknown)?;
        let session = match parameter(query, "sid") {
            None => Session::New,
            Some(id) if id.is_empty() => Session::New,
            Some(id) => Sid::parse(&id).map_or(Session::Impossible, Session::Known),
        };
        let generation = Generation::from_query(parameter(query, "EIO").as_deref());
        Ok(Self {
            transport,
            generation: Some(generation).filter(|generation| config.generations.contains(generation)),
            session,
            dress: Dress::read(query, config.jsonp)?,
        })
    }
}

impl Dress {
    fn read(query: &str, allows_jsonp: bool) -> Result<Self, Refusal> {
        let jsonp = match parameter(query, "j") {
            None => None,
            Some(_) if !allows_jsonp => return Err(Refusal::TransportUnknown),
            // Not all that parses as a number: it becomes part of a script.
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(digits.parse().map_err(|_| Refusal::BadRequest)?)
            }
            Some(_) => return Err(Refusal::BadRequest),
        };
        let reads_text_only = jsonp.is_some() || parameter(query, "b64").is_some_and(|b64| !b64.is_empty());
        let form = if reads_text_only {
            PayloadForm::Text
        } else {
            PayloadForm::Any
        };
        Ok(Self { form, jsonp })
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

    const ANY: Dress = Dress {
        form: PayloadForm::Any,
        jsonp: None,
    };

    fn read(query: &str) -> Result<Route, Refusal> {
        Route::read(Some(query), &EngineConfig::default())
    }

    fn read_where_jsonp_is_allowed(query: &str) -> Result<Route, Refusal> {
        let config = EngineConfig {
            jsonp: true,
            ..EngineConfig::default()
        };
        Route::read(Some(query), &config)
    }

    #[test]
    fn a_handshake_and_a_session_are_told_apart() {
        let id = Sid::random();
        assert_eq!(
            read("EIO=4&transport=polling&t=abc"),
            Ok(Route {
                transport: Transport::Polling,
                generation: Some(Generation::Eio4),
                session: Session::New,
                dress: ANY,
            })
        );
        assert_eq!(
            read(&format!("t=1&sid={id}&transport=websocket&EIO=3")),
            Ok(Route {
                transport: Transport::WebSocket,
                generation: Some(Generation::Eio3),
                session: Session::Known(id),
                dress: ANY,
            })
        );
        assert_eq!(
            read("EIO=4&transport=polling&sid=__proto__").unwrap().session,
            Session::Impossible
        );
    }

    #[test]
    fn generations_are_four_and_otherwise_three_where_it_is_served() {
        let only = EngineConfig {
            generations: vec![Generation::Eio4],
            ..EngineConfig::default()
        };
        for query in [
            "transport=polling",
            "EIO=3&transport=polling",
            "EIO=abc&transport=polling",
            "EIO=44&transport=polling",
        ] {
            assert_eq!(read(query).unwrap().generation, Some(Generation::Eio3), "{query}");
            assert_eq!(Route::read(Some(query), &only).unwrap().generation, None, "{query}");
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
            assert_eq!(read(query), Err(Refusal::TransportUnknown), "{query}");
        }
        let only = EngineConfig {
            transports: vec![Transport::WebSocket],
            ..EngineConfig::default()
        };
        assert_eq!(
            Route::read(Some("EIO=4&transport=polling"), &only),
            Err(Refusal::TransportUnknown)
        );
        assert_eq!(Route::read(None, &only), Err(Refusal::TransportUnknown));
    }

    #[test]
    fn clients_say_that_they_read_text_only() {
        let text = Dress {
            form: PayloadForm::Text,
            jsonp: None,
        };
        for (query, dress) in [("&b64=1", text), ("&b64=", ANY), ("&b64", ANY), ("", ANY)] {
            assert_eq!(read(&format!("EIO=3&transport=polling{query}")).unwrap().dress, dress);
        }
    }

    #[test]
    fn jsonp_is_refused_unless_allowed_and_its_index_is_a_number() {
        assert_eq!(read("EIO=3&transport=polling&j=0"), Err(Refusal::TransportUnknown));
        for (index, result) in [("0", Ok(Some(0))), ("17", Ok(Some(17)))].into_iter().chain(
            ["", "a", "0)//", "-1", "+1", "1e3", "99999999999999999999", "%30%29"]
                .map(|j| (j, Err(Refusal::BadRequest))),
        ) {
            let route = read_where_jsonp_is_allowed(&format!("EIO=3&transport=polling&j={index}"));
            assert_eq!(
                route
                    .as_ref()
                    .map(|route| route.dress.jsonp)
                    .map_err(|refusal| *refusal),
                result,
                "{index}"
            );
            assert!(route.is_err() || route.unwrap().dress.form == PayloadForm::Text);
        }
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
