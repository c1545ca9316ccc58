//! Reads the URL of a request: what the client wants, or why it cannot have it.
//!
//! Knows what stands in a path and all of a query's parameters, and nothing of what becomes of them.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::{
    codec::{PayloadForm, Reader},
    config::EngineConfig,
    generation::Generation,
    refusal::ConnectionErrorKind,
    sid::Sid,
    transport::{
        Transport,
        dress::{Dress, Function, Script, Wrapping},
    },
};

/// What a request says about itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route {
    ByQuery(ByQuery),
    ByPath(ByPath),
}

/// A request of Engine.IO: one path for all, the query says the rest.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ByQuery {
    pub(super) transport: Transport,
    /// `None`: the number is of no generation that this server speaks.
    pub(super) generation: Option<Generation>,
    pub(super) session: Session,
    pub(super) dress: Dress,
    pub(super) reader: Reader,
}

/// A request of Socket.IO 0.9: `/1/`, `/1/xhr-polling/<session>`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ByPath {
    pub(super) generation: Generation,
    pub(super) wish: Wish,
    pub(super) dress: Dress,
}

/// What such a request wants.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// A protocol of another number.
    Unsupported,
    Handshake,
    /// To carry that session from now on, or to send to it. `None`: none of this server's.
    Carry {
        session: Option<Sid>,
        transport: Option<Transport>,
    },
    /// The end of that session.
    Leave {
        session: Option<Sid>,
    },
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

impl Route {
    /// `tail` is what follows the endpoint's path.
    pub(super) fn read(tail: &str, query: Option<&str>, config: &EngineConfig) -> Result<Self, ConnectionErrorKind> {
        let query = query.unwrap_or_default();
        match ByPath::read(tail, query, config) {
            Some(route) => Ok(Self::ByPath(route)),
            None => ByQuery::read(query, config).map(Self::ByQuery),
        }
    }

    /// Whether it belongs to no session yet.
    pub(super) fn begins_connection(&self) -> bool {
        match self {
            Self::ByQuery(route) => route.session == Session::New,
            Self::ByPath(route) => route.wish == Wish::Handshake,
        }
    }
}

impl ByQuery {
    fn read(query: &str, config: &EngineConfig) -> Result<Self, ConnectionErrorKind> {
        let said = Said::read(query);
        let transport = said
            .transport
            .and_then(|name| Transport::named(&name, &Transport::IN_QUERY))
            .filter(|transport| config.transports.contains(transport))
            .ok_or(ConnectionErrorKind::TransportUnknown)?;
        let session = match said.sid {
            None => Session::New,
            Some(id) if id.is_empty() => Session::New,
            Some(id) => Sid::parse(&id).map_or(Session::Impossible, Session::Known),
        };
        let generation = Generation::from_query(said.protocol.as_deref());
        let dress = Self::dress(said.script, said.b64, config.jsonp)?;
        Ok(Self {
            transport,
            generation: Some(generation).filter(|generation| config.generations.contains(generation)),
            session,
            dress,
            reader: Reader {
                form: dress.form,
                decodes_twice: said.protocol.is_some_and(|protocol| protocol == "2"),
            },
        })
    }

    fn dress(
        script: Option<Cow<'_, str>>,
        b64: Option<Cow<'_, str>>,
        allows_jsonp: bool,
    ) -> Result<Dress, ConnectionErrorKind> {
        let wrapping = match script {
            None => Wrapping::None,
            Some(_) if !allows_jsonp => return Err(ConnectionErrorKind::TransportUnknown),
            Some(digits) => Wrapping::Script(Script {
                function: Function::Eio,
                index: index(&digits).ok_or(ConnectionErrorKind::InvalidIndex)?,
            }),
        };
        let reads_text_only = wrapping != Wrapping::None || b64.is_some_and(|b64| !b64.is_empty());
        let form = if reads_text_only {
            PayloadForm::Text
        } else {
            PayloadForm::Any
        };
        Ok(Dress { form, wrapping })
    }
}

/// What a query says to Engine.IO, the first value of each: read in one pass, as each poll and POST has one.
#[derive(Default)]
struct Said<'a> {
    transport: Option<Cow<'a, str>>,
    sid: Option<Cow<'a, str>>,
    protocol: Option<Cow<'a, str>>,
    script: Option<Cow<'a, str>>,
    b64: Option<Cow<'a, str>>,
}

impl<'a> Said<'a> {
    fn read(query: &'a str) -> Self {
        let mut said = Self::default();
        for (name, value) in parameters(query) {
            let first = match &*name {
                "transport" => &mut said.transport,
                "sid" => &mut said.sid,
                "EIO" => &mut said.protocol,
                "j" => &mut said.script,
                "b64" => &mut said.b64,
                _ => continue,
            };
            first.get_or_insert(value);
        }
        said
    }
}

impl ByPath {
    /// `None`: it is none of those. A path that begins with a number is.
    fn read(tail: &str, query: &str, config: &EngineConfig) -> Option<Self> {
        let generation = Generation::V0_9;
        let mut segments = tail.strip_prefix('/')?.split('/');
        let protocol = segments.next().filter(|number| index(number).is_some())?;
        if !config.generations.contains(&generation) {
            return None;
        }
        let transport = segments.next().unwrap_or_default();
        let session = segments.next().unwrap_or_default();
        let wish = if protocol != "1" {
            Wish::Unsupported
        } else if transport.is_empty() && session.is_empty() {
            Wish::Handshake
        } else if parameter(query, "disconnect").is_some() {
            Wish::Leave {
                session: Sid::parse(session),
            }
        } else {
            Wish::Carry {
                session: Sid::parse(session),
                transport: Transport::named(transport, &config.offered(&Transport::IN_PATH)),
            }
        };
        let wrapping = match (&wish, transport) {
            (_, "htmlfile") => Wrapping::Page,
            (_, "jsonp-polling") => Self::script(parameter(query, "i")),
            (Wish::Handshake, _) => parameter(query, "jsonp").map_or(Wrapping::None, |index| Self::script(Some(index))),
            _ => Wrapping::None,
        };
        let form = PayloadForm::Any;
        Some(Self {
            generation,
            wish,
            dress: Dress { form, wrapping },
        })
    }

    /// As the 0.9 server: an index that is none is 0.
    fn script(digits: Option<Cow<'_, str>>) -> Wrapping {
        Wrapping::Script(Script {
            function: Function::IoJ,
            index: digits.and_then(|digits| index(&digits)).unwrap_or(0),
        })
    }
}

/// Digits, and not all that parses as a number: they become part of a script.
fn index(digits: &str) -> Option<u64> {
    let are_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    are_digits.then(|| digits.parse().ok()).flatten()
}

/// The first value of a query parameter, decoded as forms are (`+` is a space).
pub(crate) fn parameter<'a>(query: &'a str, name: &str) -> Option<Cow<'a, str>> {
    parameters(query).find(|(key, _)| key == name).map(|(_, value)| value)
}

/// All query parameters in order, decoded.
pub(crate) fn parameters(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    let mut rest = query;
    // All at once, and not `any`, which looks at one byte after the other.
    let is_plain = !query.bytes().fold(false, |any, byte| any | matches!(byte, b'+' | b'%'));
    let decode = move |text| if is_plain { Cow::Borrowed(text) } else { decode(text) };
    let pairs = std::iter::from_fn(move || {
        let pair;
        (pair, rest) = (!rest.is_empty()).then(|| cut(rest, b'&'))?;
        Some(pair)
    });
    pairs.filter(|pair| !pair.is_empty()).map(move |pair| {
        let (key, value) = cut(pair, b'=');
        (decode(key), decode(value))
    })
}

/// What stands before and after the first of these ASCII characters. `split_once` looks for any character, which
/// takes longer than what is between two of a query.
fn cut(text: &str, at: u8) -> (&str, &str) {
    match text.bytes().position(|byte| byte == at) {
        Some(index) => (&text[..index], &text[index + 1..]),
        None => (text, ""),
    }
}

fn decode(text: &str) -> Cow<'_, str> {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Dress = Dress {
        form: PayloadForm::Any,
        wrapping: Wrapping::None,
    };

    const READER: Reader = Reader {
        form: PayloadForm::Any,
        decodes_twice: false,
    };

    fn read(query: &str) -> Result<ByQuery, ConnectionErrorKind> {
        ByQuery::read(query, &EngineConfig::default())
    }

    fn with_jsonp() -> EngineConfig {
        EngineConfig {
            jsonp: true,
            ..EngineConfig::default()
        }
    }

    fn by_path(tail: &str, query: &str) -> Option<ByPath> {
        match Route::read(tail, Some(query), &with_jsonp()) {
            Ok(Route::ByPath(route)) => Some(route),
            Ok(Route::ByQuery(_)) | Err(_) => None,
        }
    }

    #[test]
    fn a_handshake_and_a_session_are_told_apart() {
        let id = Sid::random();
        assert_eq!(
            read("EIO=4&transport=polling&t=abc"),
            Ok(ByQuery {
                transport: Transport::Polling,
                generation: Some(Generation::Eio4),
                session: Session::New,
                dress: PLAIN,
                reader: READER,
            })
        );
        assert_eq!(
            read(&format!("t=1&sid={id}&transport=websocket&EIO=3")),
            Ok(ByQuery {
                transport: Transport::WebSocket,
                generation: Some(Generation::Eio3),
                session: Session::Known(id),
                dress: PLAIN,
                reader: READER,
            })
        );
        assert_eq!(
            read("EIO=4&transport=polling&sid=%2F").unwrap().session,
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
            assert_eq!(ByQuery::read(query, &only).unwrap().generation, None, "{query}");
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
            assert_eq!(read(query), Err(ConnectionErrorKind::TransportUnknown), "{query}");
        }
        let only = EngineConfig {
            transports: vec![Transport::WebSocket],
            ..EngineConfig::default()
        };
        assert_eq!(
            ByQuery::read("EIO=4&transport=polling", &only),
            Err(ConnectionErrorKind::TransportUnknown)
        );
        assert_eq!(Route::read("", None, &only), Err(ConnectionErrorKind::TransportUnknown));
    }

    #[test]
    fn clients_say_that_they_read_text_only() {
        let text = Dress {
            form: PayloadForm::Text,
            wrapping: Wrapping::None,
        };
        for (query, dress) in [("&b64=1", text), ("&b64=", PLAIN), ("&b64", PLAIN), ("", PLAIN)] {
            let route = read(&format!("EIO=3&transport=polling{query}")).unwrap();
            assert_eq!((route.dress, route.reader.form), (dress, dress.form));
            assert!(!route.reader.decodes_twice);
        }
        assert!(read("EIO=2&transport=polling").unwrap().reader.decodes_twice);
    }

    #[test]
    fn jsonp_is_refused_unless_allowed_and_its_index_is_a_number() {
        assert_eq!(
            read("EIO=3&transport=polling&j=0"),
            Err(ConnectionErrorKind::TransportUnknown)
        );
        let script = |index| Dress {
            form: PayloadForm::Text,
            wrapping: Wrapping::Script(Script {
                function: Function::Eio,
                index,
            }),
        };
        let refused = ["", "a", "0)//", "-1", "+1", "1e3", "99999999999999999999", "%30%29"];
        for (index, result) in [("0", Ok(script(0))), ("17", Ok(script(17)))]
            .into_iter()
            .chain(refused.map(|index| (index, Err(ConnectionErrorKind::InvalidIndex))))
        {
            let route = ByQuery::read(&format!("EIO=3&transport=polling&j={index}"), &with_jsonp());
            assert_eq!(route.map(|route| route.dress), result, "{index}");
        }
    }

    #[test]
    fn paths_that_begin_with_a_number_are_read_as_such() {
        let id = Sid::random();
        let session = || Some(id.clone());
        #[rustfmt::skip]
        let cases = [
            ("/1/".to_owned(), "t=1", Wish::Handshake),
            ("/1".to_owned(), "", Wish::Handshake),
            ("/1/".to_owned(), "disconnect=1", Wish::Handshake),
            ("/2/".to_owned(), "", Wish::Unsupported),
            ("/01/".to_owned(), "", Wish::Unsupported),
            (format!("/1/xhr-polling/{id}"), "t=2", Wish::Carry { session: session(), transport: Some(Transport::XhrPolling) }),
            (format!("/1/websocket/{id}/"), "", Wish::Carry { session: session(), transport: Some(Transport::WebSocket) }),
            (format!("/1/polling/{id}"), "", Wish::Carry { session: session(), transport: None }),
            (format!("/1/flashsocket/{id}"), "", Wish::Carry { session: session(), transport: None }),
            ("/1/htmlfile/@".to_owned(), "", Wish::Carry { session: None, transport: Some(Transport::HtmlFile) }),
            ("/1/htmlfile".to_owned(), "", Wish::Carry { session: None, transport: Some(Transport::HtmlFile) }),
            (format!("/1//{id}/"), "disconnect=1", Wish::Leave { session: session() }),
            (format!("/1/xhr-polling/{id}"), "t=1&disconnect=True", Wish::Leave { session: session() }),
        ];
        for (tail, query, wish) in cases {
            assert_eq!(
                by_path(&tail, query).map(|route| route.wish),
                Some(wish),
                "{tail}?{query}"
            );
        }
        for tail in ["", "/", "1/", "/a1/", "/1a/", "/socket.io.js", "//1/"] {
            assert_eq!(by_path(tail, ""), None, "{tail}");
        }
        let only = EngineConfig {
            generations: vec![Generation::Eio4],
            ..EngineConfig::default()
        };
        assert_eq!(
            Route::read("/1/", None, &only),
            Err(ConnectionErrorKind::TransportUnknown)
        );
    }

    #[test]
    fn scripts_by_path_are_polls_or_handshakes_and_their_index_a_number() {
        let script = |index| {
            Wrapping::Script(Script {
                function: Function::IoJ,
                index,
            })
        };
        for (tail, query, wrapping) in [
            ("/1/", "t=1&jsonp=3", script(3)),
            ("/1/", "jsonp=alert(1)//", script(0)),
            ("/1/", "i=3", Wrapping::None),
            ("/1/jsonp-polling/x", "i=2", script(2)),
            ("/1/jsonp-polling/x", "i=-2", script(0)),
            ("/1/jsonp-polling/x", "", script(0)),
            ("/1/xhr-polling/x", "i=2&jsonp=2", Wrapping::None),
            ("/1/htmlfile/x", "", Wrapping::Page),
        ] {
            assert_eq!(by_path(tail, query).unwrap().dress.wrapping, wrapping, "{tail}?{query}");
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
