//! What can go wrong in an application: who is at fault, and what each side is told.

use std::{borrow::Cow, error::Error, fmt};

use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    handshake::Handshake,
    socketio::{
        args::{ArgsError, EncodeError},
        call::Occasion,
        socket::Socket,
    },
};

type BoxError = Box<dyn Error + Send + Sync>;

/// Why a handler failed, as it returns it.
///
/// A client that waits for an ack is told `{"error":{"message":…,"data":…}}` as its first
/// argument; also when the handler panics, does not take the arguments that the client sent
/// (then with a `"name"` of `"invalid_method_args"`), or is denied to it by an [`Acl`](crate::Acl)
/// (`"method_access_denied"`); unless it has been answered already, by an
/// [`AckSender`](crate::AckSender). Of an error that came by `?` it is told only `internal error`:
/// what went wrong inside is the server's, and reaches [`on_error`](crate::Namespace::on_error).
/// That goes for text too: `Err("text")?` does not show it to the client, [`EventError::new`] does.
///
/// It does not implement [`std::error::Error`], so that every error that does can become one by `?`.
///
/// ```
/// use tower_socketio::EventError;
///
/// fn parse(text: &str) -> Result<u8, EventError> {
///     if text.is_empty() {
///         return Err(EventError::new("say a number").with_data(&1));
///     }
///     Ok(text.parse()?)
/// }
/// assert_eq!(parse("").unwrap_err().to_string(), "say a number");
/// assert_eq!(parse("x").unwrap_err().message(), "internal error");
/// ```
#[derive(Debug)]
pub struct EventError(Reason);

/// What the client is told of a failure that is not its business.
const INTERNAL: &str = "internal error";

/// What an application says went wrong: to the client, and what it keeps to itself.
#[derive(Debug)]
struct Reason {
    message: Cow<'static, str>,
    data: Option<Box<RawValue>>,
    source: Option<BoxError>,
}

impl Reason {
    fn told(message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            message: message.into(),
            data: None,
            source: None,
        }
    }

    fn internal(source: impl Into<BoxError>) -> Self {
        Self {
            source: Some(source.into()),
            ..Self::told(INTERNAL)
        }
    }

    fn with_data(self, data: &(impl Serialize + ?Sized)) -> Self {
        let data = serde_json::value::to_raw_value(data)
            .inspect_err(|error| tracing::warn!("the data of an error cannot be written as json: {error}"))
            .ok();
        Self { data, ..self }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Some(source) => source.fmt(f),
            None => f.write_str(&self.message),
        }
    }
}

impl EventError {
    /// An error whose message the client may read.
    ///
    /// ```
    /// use tower_socketio::EventError;
    ///
    /// let error = EventError::new(format!("no room called {:?}", "attic"));
    /// assert_eq!(error.message(), r#"no room called "attic""#);
    /// ```
    pub fn new(message: impl Into<Cow<'static, str>>) -> Self {
        Self(Reason::told(message))
    }

    /// Adds data for the client. Data that cannot be written as JSON is left out, and the log is
    /// told.
    ///
    /// ```
    /// use tower_socketio::EventError;
    ///
    /// let error = EventError::new("too many rooms").with_data(&serde_json::json!({ "max": 8 }));
    /// ```
    #[must_use]
    pub fn with_data(self, data: &(impl Serialize + ?Sized)) -> Self {
        Self(self.0.with_data(data))
    }

    /// What the client is told.
    ///
    /// ```
    /// use tower_socketio::EventError;
    ///
    /// assert_eq!(EventError::from(std::fmt::Error).message(), "internal error");
    /// ```
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The error that came by `?`. `None` for one made by [`new`](Self::new).
    ///
    /// ```
    /// use tower_socketio::EventError;
    ///
    /// let error = EventError::from(std::fmt::Error);
    /// assert!(error.source().is_some_and(|source| source.is::<std::fmt::Error>()));
    /// ```
    pub fn source(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.0.source.as_deref()
    }
}

impl<E: Into<BoxError>> From<E> for EventError {
    fn from(error: E) -> Self {
        Self(Reason::internal(error))
    }
}

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a client is told of a failure: by `connect_error`, or as an [`ErrorAck`].
#[derive(Serialize)]
pub(crate) struct Told<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<&'static str>,
    pub(crate) message: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) data: Option<&'a RawValue>,
}

impl Told<'static> {
    pub(crate) fn internal() -> Self {
        Self {
            name: None,
            message: INTERNAL.into(),
            data: None,
        }
    }
}

/// The argument of an ack that tells of a failure.
#[derive(Serialize)]
pub(crate) struct ErrorAck<'a> {
    pub(crate) error: Told<'a>,
}

/// Why a client may not connect to a namespace. Its `connect_error` tells it message and data
/// (Socket.IO protocol 5).
///
/// An error that came by `?` refuses with `internal error`; what it was reaches
/// [`on_error`](crate::Namespace::on_error).
///
/// ```
/// use tower_socketio::Refusal;
///
/// let refusal = Refusal::new("unauthorized").with_data(&serde_json::json!({ "code": "E_AUTH" }));
/// assert_eq!(refusal.message(), "unauthorized");
/// ```
#[derive(Debug)]
pub struct Refusal(Reason);

impl Refusal {
    /// A refusal with that message.
    ///
    /// ```
    /// use tower_socketio::Refusal;
    ///
    /// assert_eq!(Refusal::new("unauthorized").to_string(), "unauthorized");
    /// ```
    pub fn new(message: impl Into<Cow<'static, str>>) -> Self {
        Self(Reason::told(message))
    }

    /// Adds data for the client, which finds it as `error.data`. Data that cannot be written as
    /// JSON is left out, and the log is told.
    ///
    /// ```
    /// use tower_socketio::Refusal;
    ///
    /// let refusal = Refusal::new("full").with_data(&serde_json::json!({ "retry": 30 }));
    /// ```
    #[must_use]
    pub fn with_data(self, data: &(impl Serialize + ?Sized)) -> Self {
        Self(self.0.with_data(data))
    }

    /// What the client is told.
    ///
    /// ```
    /// use tower_socketio::Refusal;
    ///
    /// assert_eq!(Refusal::from(std::fmt::Error).message(), "internal error");
    /// ```
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The error that came by `?`.
    ///
    /// ```
    /// use tower_socketio::Refusal;
    ///
    /// assert!(Refusal::new("unauthorized").source().is_none());
    /// assert!(Refusal::from("the database is down").source().is_some());
    /// ```
    pub fn source(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.0.source.as_deref()
    }
}

impl<E: Into<BoxError>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self(Reason::internal(error))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why an extractor of a handler could not be made. The handler does not run.
///
/// A client at fault is told the text of this error: in its ack, if it asked for one, as
/// [`EventError`] says, or by `connect_error`. Otherwise it is told `internal error`.
///
/// ```
/// use tower_socketio::Rejection;
///
/// let rejection = Rejection::MissingExtension("User");
/// assert!(!rejection.is_clients_fault());
/// assert!(rejection.to_string().contains("carries no `User`"));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Rejection {
    /// The client sent other arguments than the handler takes.
    Args(ArgsError),
    /// The client's auth payload is not what the handler takes.
    Auth(serde_json::Error),
    /// Middleware of the application did not leave that value on the request.
    MissingExtension(&'static str),
    /// The namespace is not [served](crate::Namespace::serve) by that type.
    MissingObject(&'static str),
    /// An extractor of the application's own did not like what it found: the client is told so.
    Custom(Cow<'static, str>),
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Args(error) => write!(f, "invalid arguments: {error}"),
            Self::Auth(error) => write!(f, "invalid auth payload: {error}"),
            Self::MissingExtension(name) => {
                write!(
                    f,
                    "the request carries no `{name}`; is the middleware that sets it missing?"
                )
            }
            Self::MissingObject(name) => write!(f, "the socket has no `{name}`; is its namespace served by that type?"),
            Self::Custom(message) => f.write_str(message),
        }
    }
}

impl Error for Rejection {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Args(error) => Some(error),
            Self::Auth(error) => Some(error),
            Self::MissingExtension(_) | Self::MissingObject(_) | Self::Custom(_) => None,
        }
    }
}

impl Rejection {
    /// Whether it was the client that sent something wrong, rather than the application that
    /// lacks something.
    ///
    /// ```
    /// use tower_socketio::{RawArgs, Rejection};
    ///
    /// let error = RawArgs::encode("text")?.read::<u8>().unwrap_err();
    /// assert!(Rejection::Args(error).is_clients_fault());
    /// # Ok::<(), tower_socketio::EncodeError>(())
    /// ```
    pub fn is_clients_fault(&self) -> bool {
        match self {
            Self::Args(_) | Self::Auth(_) | Self::Custom(_) => true,
            Self::MissingExtension(_) | Self::MissingObject(_) => false,
        }
    }

    /// What the client may know of it.
    pub(crate) fn message_for_client(&self) -> String {
        if self.is_clients_fault() {
            self.to_string()
        } else {
            INTERNAL.to_owned()
        }
    }
}

/// Something that went wrong while a client was served: what the hooks of a
/// [namespace](crate::Namespace::on_error) and of the [server](crate::SocketIo::on_error) are given.
/// Its text names the namespace, the event and what went wrong.
///
/// ```
/// use tower_socketio::{FailureKind, SocketIo};
///
/// let io = SocketIo::builder().build();
/// io.of("/").on_error(|failure| {
///     if let FailureKind::Panic(message) = failure.kind {
///         eprintln!("{:?} panicked: {message}", failure.event());
///         if let Some(socket) = failure.socket {
///             socket.close();
///         }
///     }
/// });
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Failure<'a> {
    /// The request that the client's connection began with.
    pub handshake: &'a Handshake,
    /// The path of the namespace; `None` where a packet could not be read.
    pub namespace: Option<&'a str>,
    /// The client in this namespace, if it got as far.
    pub socket: Option<&'a Socket>,
    /// What the application's code was called for, or would have been.
    pub occasion: Option<Occasion<'a>>,
    /// What went wrong.
    pub kind: &'a FailureKind,
}

impl<'a> Failure<'a> {
    /// The name of the event, unless it happened at another occasion.
    ///
    /// ```
    /// fn is_about_login(failure: &tower_socketio::Failure<'_>) -> bool {
    ///     failure.event() == Some("login")
    /// }
    /// ```
    pub fn event(&self) -> Option<&'a str> {
        self.occasion.and_then(Occasion::event)
    }
}

/// What went wrong. A variant may come at any time: match with a `_`.
///
/// ```
/// use tower_socketio::FailureKind;
///
/// assert_eq!(FailureKind::NoHandler.to_string(), "no handler for this event");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum FailureKind {
    /// The client sent a packet that is none, or one that is too large; its connection is closed.
    InvalidPacket(String),
    /// The client asked for a namespace that the server does not have.
    NoNamespace,
    /// The client asked for more namespaces than
    /// [`max_namespaces`](crate::SocketIoBuilder::max_namespaces).
    TooManyNamespaces,
    /// The client sent an event that nobody handles.
    NoHandler,
    /// The client sent an event that its [`Acl`](crate::Acl) denies.
    AccessDenied,
    /// The client sends faster than its [`RateLimit`](crate::RateLimit) allows.
    RateLimited,
    /// An extractor of the handler could not be made.
    Rejected(Rejection),
    /// The handler returned an error.
    Handler(EventError),
    /// The connect handler or middleware refused the client.
    Refused(Refusal),
    /// The handler's answer could not be encoded.
    Encode(EncodeError),
    /// A handler or job panicked, with this message.
    Panic(String),
    /// The handler went on for longer than `handler_grace` after its client was gone.
    GraceExceeded,
}

impl FailureKind {
    /// What the client may know of it.
    pub(crate) fn told(&self) -> Told<'_> {
        let (message, data) = match self {
            Self::Handler(EventError(reason)) | Self::Refused(Refusal(reason)) => {
                (Cow::Borrowed(&*reason.message), reason.data.as_deref())
            }
            Self::Rejected(rejection) => (rejection.message_for_client().into(), None),
            Self::AccessDenied | Self::RateLimited => (Cow::Owned(self.to_string()), None),
            _ => (INTERNAL.into(), None),
        };
        let name = matches!(
            self,
            Self::AccessDenied | Self::RateLimited | Self::Rejected(Rejection::Args(_))
        )
        .then(|| self.name());
        Told { name, message, data }
    }

    /// Its name, for logs, metrics and clients. The first five are gevent-socketio's.
    ///
    /// | name | kind |
    /// |---|---|
    /// | `invalid_packet` | [`InvalidPacket`](Self::InvalidPacket) |
    /// | `no_such_namespace` | [`NoNamespace`](Self::NoNamespace) |
    /// | `too_many_namespaces` | [`TooManyNamespaces`](Self::TooManyNamespaces) |
    /// | `no_such_method` | [`NoHandler`](Self::NoHandler) |
    /// | `method_access_denied` | [`AccessDenied`](Self::AccessDenied) |
    /// | `invalid_method_args` | [`Rejected`](Self::Rejected), because of the arguments |
    /// | `rate_limited` | [`RateLimited`](Self::RateLimited) |
    /// | `rejected` | [`Rejected`](Self::Rejected), because of anything else |
    /// | `handler_error` | [`Handler`](Self::Handler) |
    /// | `refused` | [`Refused`](Self::Refused) |
    /// | `encode_error` | [`Encode`](Self::Encode) |
    /// | `panic` | [`Panic`](Self::Panic) |
    /// | `grace_exceeded` | [`GraceExceeded`](Self::GraceExceeded) |
    ///
    /// ```
    /// use tower_socketio::FailureKind;
    ///
    /// assert_eq!(FailureKind::AccessDenied.name(), "method_access_denied");
    /// ```
    pub fn name(&self) -> &'static str {
        match self {
            Self::InvalidPacket(_) => "invalid_packet",
            Self::NoNamespace => "no_such_namespace",
            Self::TooManyNamespaces => "too_many_namespaces",
            Self::NoHandler => "no_such_method",
            Self::AccessDenied => "method_access_denied",
            Self::RateLimited => "rate_limited",
            Self::Rejected(Rejection::Args(_)) => "invalid_method_args",
            Self::Rejected(_) => "rejected",
            Self::Handler(_) => "handler_error",
            Self::Refused(_) => "refused",
            Self::Encode(_) => "encode_error",
            Self::Panic(_) => "panic",
            Self::GraceExceeded => "grace_exceeded",
        }
    }

    pub(crate) const NAMES: [&str; 13] = [
        "invalid_packet",
        "no_such_namespace",
        "too_many_namespaces",
        "no_such_method",
        "method_access_denied",
        "invalid_method_args",
        "rate_limited",
        "rejected",
        "handler_error",
        "refused",
        "encode_error",
        "panic",
        "grace_exceeded",
    ];

    /// Whether it was the client that sent something wrong, rather than the application that
    /// failed. An error made by [`EventError::new`] blames the client; one that came by `?` does not.
    ///
    /// ```
    /// use tower_socketio::{EventError, FailureKind};
    ///
    /// assert!(FailureKind::NoHandler.is_clients_fault());
    /// assert!(FailureKind::Handler(EventError::new("say a number")).is_clients_fault());
    /// assert!(!FailureKind::Handler(std::fmt::Error.into()).is_clients_fault());
    /// ```
    pub fn is_clients_fault(&self) -> bool {
        match self {
            Self::InvalidPacket(_)
            | Self::NoNamespace
            | Self::TooManyNamespaces
            | Self::NoHandler
            | Self::AccessDenied
            | Self::RateLimited => true,
            Self::Rejected(rejection) => rejection.is_clients_fault(),
            // A message meant for the client blames it; what came by `?` is the application's.
            Self::Handler(error) => error.source().is_none(),
            Self::Refused(refusal) => refusal.source().is_none(),
            Self::Encode(_) | Self::Panic(_) | Self::GraceExceeded => false,
        }
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidPacket(why) => write!(f, "invalid packet: {why}"),
            Self::NoNamespace => f.write_str("no such namespace"),
            Self::TooManyNamespaces => f.write_str("too many namespaces"),
            Self::NoHandler => f.write_str("no handler for this event"),
            Self::AccessDenied => f.write_str("the client may not call this event"),
            Self::RateLimited => f.write_str("the client sends faster than it may"),
            Self::Rejected(rejection) => rejection.fmt(f),
            Self::Handler(error) => error.fmt(f),
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Encode(error) => error.fmt(f),
            Self::Panic(message) => write!(f, "panicked: {message}"),
            Self::GraceExceeded => f.write_str("the handler did not end in time after its client was gone"),
        }
    }
}

impl fmt::Display for Failure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(namespace) = self.namespace {
            write!(f, "{}: ", namespace.escape_debug())?;
        }
        if let Some(occasion) = self.occasion {
            write!(f, "{occasion}: ")?;
        }
        self.kind.fmt(f)
    }
}

/// Why an ack did not come.
///
/// ```
/// use tower_socketio::AckError;
///
/// assert_eq!(AckError::Timeout.to_string(), "the client did not acknowledge in time");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum AckError {
    /// The client did not answer in the time set by `timeout`.
    Timeout,
    /// The client left before it answered.
    Disconnected,
    /// The event could not be sent: its arguments are at fault.
    Encode(EncodeError),
    /// The client answered something else than was asked for.
    Decode(ArgsError),
}

impl fmt::Display for AckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("the client did not acknowledge in time"),
            Self::Disconnected => f.write_str("the client left before it acknowledged"),
            Self::Encode(error) => error.fmt(f),
            Self::Decode(error) => write!(f, "the client acknowledged something else: {error}"),
        }
    }
}

impl Error for AckError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Timeout | Self::Disconnected => None,
            Self::Encode(error) => Some(error),
            Self::Decode(error) => Some(error),
        }
    }
}

pub(crate) type ErrorHook = dyn Fn(&Failure<'_>) + Send + Sync;

/// Tells the hook, or the log where there is none.
pub(crate) fn report(hook: Option<&ErrorHook>, failure: &Failure<'_>) {
    match hook {
        Some(hook) => {
            let hook = std::panic::AssertUnwindSafe(|| hook(failure));
            if std::panic::catch_unwind(hook).is_err() {
                tracing::error!("an on_error hook panicked");
            }
        }
        None if failure.kind.is_clients_fault() => tracing::debug!("{failure}"),
        None => tracing::error!("{failure}"),
    }
}
