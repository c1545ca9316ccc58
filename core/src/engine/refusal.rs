//! Why a request is refused: the reference server's codes, messages and contexts.
//!
//! What the client is answered is [`http`](super::http)'s.

use std::{borrow::Cow, fmt};

use http::{header::ORIGIN, request::Parts};
use serde_json::{Value, json};

use super::{generation::Generation, route::parameter, transport::Transport};

/// A request that the server refused, as [`on_connection_error`](crate::SocketIoBuilder::on_connection_error)
/// is told of it.
///
/// ```
/// use tower_socketio::{ConnectionErrorKind, SocketIo};
///
/// let io = SocketIo::builder()
///     .on_connection_error(|error| match &error.kind {
///         ConnectionErrorKind::SessionUnknown => println!("behind the balancer, is its route sticky?"),
///         _ => println!("{} refused: {} {}", error.request.uri, error.code(), error.context()),
///     })
///     .build();
/// ```
#[non_exhaustive]
pub struct ConnectionError<'a> {
    /// The request's head.
    pub request: &'a Parts,
    /// Why it was refused.
    pub kind: ConnectionErrorKind,
}

/// Why a request was refused.
///
/// | code | message | kinds |
/// |---|---|---|
/// | 0 | `Transport unknown` | [`TransportUnknown`](Self::TransportUnknown) |
/// | 1 | `Session ID unknown` | [`SessionUnknown`](Self::SessionUnknown) |
/// | 2 | `Bad handshake method` | [`BadHandshakeMethod`](Self::BadHandshakeMethod) |
/// | 3 | `Bad request` | the others |
/// | 4 | `Forbidden`, or the application's | [`OriginForbidden`](Self::OriginForbidden), [`Forbidden`](Self::Forbidden) |
/// | 5 | `Unsupported protocol version` | [`UnsupportedProtocol`](Self::UnsupportedProtocol) |
///
/// ```
/// use tower_socketio::ConnectionErrorKind;
///
/// assert_eq!(ConnectionErrorKind::SessionUnknown.code(), 1);
/// assert_eq!(ConnectionErrorKind::SessionUnknown.message(), "Session ID unknown");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionErrorKind {
    /// The transport that it names is none, or is not among those of the server.
    TransportUnknown,
    /// The session that it names has ended, was never there, or is another server's.
    SessionUnknown,
    /// Sessions begin with a GET.
    BadHandshakeMethod,
    /// The requests of a session are GET and POST.
    BadMethod,
    /// Several `Origin` headers, or one that is none.
    InvalidOrigin,
    /// The session is carried by another transport.
    TransportMismatch {
        /// The one that carries it.
        previous: Transport,
    },
    /// The session is of another generation of the protocol.
    ProtocolMismatch {
        /// The session's.
        previous: Generation,
    },
    /// It is not what opens such a transport.
    TransportHandshake,
    /// The index of its JSONP function is no number.
    InvalidIndex,
    /// The id that [`generate_id`](crate::SocketIoBuilder::generate_id) made cannot be used: why.
    IdGeneration(String),
    /// The page's origin may not connect: see [`Cors`](crate::Cors).
    OriginForbidden,
    /// [`allow_request`](crate::SocketIoBuilder::allow_request) refused it: what the client is told.
    Forbidden(Cow<'static, str>),
    /// The client speaks a generation that is not served.
    UnsupportedProtocol,
}

impl ConnectionError<'_> {
    /// The reference server's code, 0 to 5: see [`ConnectionErrorKind`].
    ///
    /// ```
    /// use tower_socketio::{ConnectionError, SocketIo};
    ///
    /// fn log(error: &ConnectionError<'_>) {
    ///     eprintln!("refused with code {}", error.code());
    /// }
    /// let io = SocketIo::builder().on_connection_error(log).build();
    /// ```
    pub fn code(&self) -> u8 {
        self.kind.code()
    }

    /// What the client is told, save for an opening of a WebSocket that is malformed.
    ///
    /// ```
    /// use tower_socketio::{ConnectionError, SocketIo};
    ///
    /// fn log(error: &ConnectionError<'_>) {
    ///     eprintln!("refused: {}", error.message());
    /// }
    /// let io = SocketIo::builder().on_connection_error(log).build();
    /// ```
    pub fn message(&self) -> &str {
        self.kind.message()
    }

    /// What the reference server calls the context: the values at fault, for logs.
    ///
    /// ```
    /// use tower_socketio::{ConnectionError, SocketIo};
    ///
    /// fn log(error: &ConnectionError<'_>) {
    ///     eprintln!("refused: {}", error.context()); // such as {"sid":"abc"}
    /// }
    /// let io = SocketIo::builder().on_connection_error(log).build();
    /// ```
    pub fn context(&self) -> Value {
        use ConnectionErrorKind as Kind;

        let query = self.request.uri.query().unwrap_or_default();
        let protocol = || Generation::from_query(parameter(query, "EIO").as_deref()).protocol();
        let transport = || parameter(query, "transport");
        match &self.kind {
            Kind::TransportUnknown => json!({ "transport": transport() }),
            Kind::SessionUnknown => json!({ "sid": parameter(query, "sid") }),
            Kind::BadHandshakeMethod => json!({ "method": self.request.method.as_str() }),
            Kind::BadMethod => json!({ "name": "BAD_METHOD", "method": self.request.method.as_str() }),
            Kind::InvalidOrigin => {
                let origins = self.request.headers.get_all(ORIGIN).iter();
                let origins: Vec<_> = origins
                    .map(|origin| String::from_utf8_lossy(origin.as_bytes()))
                    .collect();
                json!({ "name": "INVALID_ORIGIN", "origin": origins.join(", ") })
            }
            Kind::TransportMismatch { previous } => json!({
                "name": "TRANSPORT_MISMATCH", "transport": transport(), "previousTransport": previous.as_str(),
            }),
            Kind::ProtocolMismatch { previous } => json!({
                "name": "PROTOCOL_MISMATCH", "protocol": protocol(), "previousProtocol": previous.protocol(),
            }),
            Kind::TransportHandshake => json!({ "name": "TRANSPORT_HANDSHAKE_ERROR" }),
            Kind::InvalidIndex => json!({ "name": "INVALID_INDEX", "j": parameter(query, "j") }),
            Kind::IdGeneration(error) => json!({ "name": "ID_GENERATION_ERROR", "error": error }),
            Kind::OriginForbidden | Kind::Forbidden(_) => json!({ "message": self.message() }),
            Kind::UnsupportedProtocol => json!({ "protocol": protocol() }),
        }
    }
}

impl std::error::Error for ConnectionError<'_> {}

/// Without the request's headers and query, which hold keys and passwords.
impl fmt::Debug for ConnectionError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionError")
            .field("method", &self.request.method)
            .field("path", &self.request.uri.path())
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for ConnectionError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.message(), self.context())
    }
}

impl ConnectionErrorKind {
    /// The reference server's code, 0 to 5.
    ///
    /// ```
    /// use tower_socketio::ConnectionErrorKind;
    ///
    /// assert_eq!(ConnectionErrorKind::OriginForbidden.code(), 4);
    /// ```
    pub fn code(&self) -> u8 {
        match self {
            Self::TransportUnknown => 0,
            Self::SessionUnknown => 1,
            Self::BadHandshakeMethod => 2,
            Self::OriginForbidden | Self::Forbidden(_) => 4,
            Self::UnsupportedProtocol => 5,
            _ => 3,
        }
    }

    /// The reference server's message.
    ///
    /// ```
    /// use tower_socketio::ConnectionErrorKind;
    ///
    /// assert_eq!(ConnectionErrorKind::BadHandshakeMethod.message(), "Bad handshake method");
    /// ```
    pub fn message(&self) -> &str {
        match self {
            Self::TransportUnknown => "Transport unknown",
            Self::SessionUnknown => "Session ID unknown",
            Self::BadHandshakeMethod => "Bad handshake method",
            Self::OriginForbidden => "Forbidden",
            Self::Forbidden(message) => message,
            Self::UnsupportedProtocol => "Unsupported protocol version",
            _ => "Bad request",
        }
    }
}
