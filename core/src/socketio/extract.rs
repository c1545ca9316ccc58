//! What handlers ask for by their parameters' types, taken from where they run.
//!
//! An extractor is made before the handler's future, from borrowed bytes; a failure is a
//! [`Rejection`] and the handler does not run.

use std::fmt;

use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::{
    ack::{AckSender, OpenAck},
    args::{FromArgs, RawArgs},
    namespace::Registration,
    reason::DisconnectReason,
    socket::Socket,
};
use crate::{engine::Transport, error::Rejection, handshake::Handshake};

/// Something that a handler can ask for, in the context `C` it runs in: [`ConnectContext`],
/// [`EventContext`] or [`DisconnectContext`].
///
/// | extractor | is | where |
/// |---|---|---|
/// | [`Socket`] | the client in this namespace | everywhere |
/// | [`Handshake`] | the request that its connection began with | everywhere |
/// | [`Auth<T>`](Auth) | what it sent as `auth` | everywhere |
/// | [`State<T>`](State) | a value of the server's | everywhere |
/// | [`Extension<T>`](Extension) | a value that middleware put on the request | everywhere |
/// | [`Transport`] | the transport at this moment | everywhere |
/// | [`Recovered`] | whether it came back | everywhere |
/// | [`Param<T>`](crate::Param) | what stands for a parameter of its namespace's pattern | everywhere |
/// | [`Data<T>`](Data) | the event's arguments | events |
/// | [`RawArgs`] | the same, undecoded | events |
/// | [`AckSender`] | answers later | events |
/// | [`EventName`] | the event's name | events |
/// | [`DisconnectReason`] | why it left | disconnections |
///
/// Extractors run before the handler's future is made. When one fails, the handler does not run,
/// [`on_error`](crate::Namespace::on_error) is told, and so is the client, by its ack or by
/// `connect_error`.
///
/// Write your own from those:
///
/// ```
/// use tower_socketio::{Context, Extract, Rejection, SocketIo};
///
/// struct Language(String);
///
/// impl<C: Context> Extract<C> for Language {
///     fn extract(context: &C) -> Result<Self, Rejection> {
///         let language = context.socket().handshake().headers().get("accept-language");
///         Ok(Self(language.unwrap_or("en").to_owned()))
///     }
/// }
///
/// let io = SocketIo::builder().build();
/// io.of("/").on_connect(async |Language(language): Language| println!("{language}"));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be extracted here",
    label = "not an extractor of this kind of handler",
    note = "everywhere: `Socket`, `Handshake`, `State<T>`, `Extension<T>`, `Auth<T>`, `Transport`",
    note = "of an event also: `Data<T>`, `RawArgs`, `AckSender`, `EventName`; of a disconnect: `DisconnectReason`"
)]
pub trait Extract<C>: Sized {
    /// Takes it from the context. It must not block. The [trait](Self) has an example.
    ///
    /// # Errors
    /// When the context does not have it: the handler does not run.
    fn extract(context: &C) -> Result<Self, Rejection>;

    /// Called when the handler is registered, to find mistakes early.
    #[doc(hidden)]
    fn check(_registration: &Registration<'_>) {}
}

/// Where a handler runs: what all contexts have. [`Extract`] shows how an extractor for any of them
/// is written.
///
/// ```
/// use tower_socketio::Context;
///
/// fn namespace(context: &impl Context) -> String {
///     context.socket().namespace().path().to_owned()
/// }
/// ```
pub trait Context {
    /// The socket it runs for. While a client asks to connect, it is not let in yet.
    ///
    /// ```
    /// use tower_socketio::{Context, ConnectContext};
    ///
    /// fn is_in(context: &ConnectContext<'_>) -> bool {
    ///     context.socket().is_connected()
    /// }
    /// ```
    fn socket(&self) -> &Socket;
}

/// A client asks to connect: where middleware and connect handlers run.
///
/// ```
/// use tower_socketio::{ConnectContext, Context, Extract, Rejection};
///
/// struct HasAuth(bool);
///
/// impl Extract<ConnectContext<'_>> for HasAuth {
///     fn extract(context: &ConnectContext<'_>) -> Result<Self, Rejection> {
///         Ok(Self(context.socket().auth_json().is_some()))
///     }
/// }
/// ```
#[derive(Debug)]
pub struct ConnectContext<'a> {
    pub(crate) socket: &'a Socket,
}

/// An event came: where its handler runs.
///
/// ```
/// use tower_socketio::{Data, EventContext, Extract, Rejection, SocketIo};
///
/// struct Trimmed(String);
///
/// impl Extract<EventContext<'_>> for Trimmed {
///     fn extract(context: &EventContext<'_>) -> Result<Self, Rejection> {
///         let Data(text) = Data::<String>::extract(context)?;
///         Ok(Self(text.trim().to_owned()))
///     }
/// }
///
/// let io = SocketIo::builder().build();
/// io.of("/").on("say", async |Trimmed(text): Trimmed| println!("{text}"));
/// ```
pub struct EventContext<'a> {
    pub(crate) socket: &'a Socket,
    pub(crate) name: &'a str,
    pub(crate) args: &'a str,
    pub(crate) attachments: &'a [Bytes],
    pub(crate) ack: Option<OpenAck>,
}

/// A client has left: where the disconnect handler runs.
///
/// ```
/// use tower_socketio::{DisconnectContext, DisconnectReason, Extract, Rejection};
///
/// struct OnPurpose(bool);
///
/// impl Extract<DisconnectContext<'_>> for OnPurpose {
///     fn extract(context: &DisconnectContext<'_>) -> Result<Self, Rejection> {
///         let reason = DisconnectReason::extract(context)?;
///         Ok(Self(reason == DisconnectReason::ClientNamespaceDisconnect))
///     }
/// }
/// ```
#[derive(Debug)]
pub struct DisconnectContext<'a> {
    pub(crate) socket: &'a Socket,
    pub(crate) reason: DisconnectReason,
}

impl Context for ConnectContext<'_> {
    fn socket(&self) -> &Socket {
        self.socket
    }
}

impl Context for EventContext<'_> {
    fn socket(&self) -> &Socket {
        self.socket
    }
}

impl fmt::Debug for EventContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventContext")
            .field("socket", self.socket)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Context for DisconnectContext<'_> {
    fn socket(&self) -> &Socket {
        self.socket
    }
}

impl<C: Context> Extract<C> for Socket {
    fn extract(context: &C) -> Result<Self, Rejection> {
        Ok(context.socket().clone())
    }
}

impl<C: Context> Extract<C> for Handshake {
    fn extract(context: &C) -> Result<Self, Rejection> {
        Ok(context.socket().handshake().clone())
    }
}

/// The transport at this moment.
impl<C: Context> Extract<C> for Transport {
    fn extract(context: &C) -> Result<Self, Rejection> {
        Ok(context.socket().transport())
    }
}

/// Whether the client had lost its connection and came back: [`Socket::recovered`].
///
/// ```
/// use tower_socketio::{Recovered, Socket, SocketIo};
///
/// let io = SocketIo::builder().build();
/// io.of("/").on_connect(async |socket: Socket, Recovered(recovered): Recovered| {
///     if !recovered {
///         socket.join("lobby");
///     }
/// });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovered(pub bool);

impl<C: Context> Extract<C> for Recovered {
    fn extract(context: &C) -> Result<Self, Rejection> {
        Ok(Self(context.socket().recovered()))
    }
}

/// The first argument of an event, or several as [`Args`](crate::Args).
///
/// Arguments of another type do not reach the handler: the client is told by its ack, if it asked
/// for one, as [`Rejection::Args`] says.
///
/// ```
/// use tower_socketio::{Args, Data, SocketIo};
///
/// let io = SocketIo::builder().build();
/// io.of("/")
///     .on("say", async |Data(text): Data<String>| println!("{text}"))
///     .on("move", async |Data(Args((x, y))): Data<Args<(f64, f64)>>| println!("{x} {y}"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Data<T>(pub T);

impl<T: FromArgs> Extract<EventContext<'_>> for Data<T> {
    fn extract(context: &EventContext<'_>) -> Result<Self, Rejection> {
        T::from_args(context.args, context.attachments)
            .map(Self)
            .map_err(Rejection::Args)
    }
}

impl Extract<EventContext<'_>> for RawArgs {
    fn extract(context: &EventContext<'_>) -> Result<Self, Rejection> {
        Ok(Self::from_wire(context.args, context.attachments))
    }
}

impl Extract<EventContext<'_>> for AckSender {
    fn extract(context: &EventContext<'_>) -> Result<Self, Rejection> {
        Ok(Self::new(context.socket, context.ack.clone()))
    }
}

/// The name of the event, for [`on_any`](crate::Namespace::on_any).
///
/// ```
/// use tower_socketio::{EventName, RawArgs, SocketIo};
///
/// let io = SocketIo::builder().build();
/// io.of("/").on_any(async |EventName(name): EventName, args: RawArgs| {
///     println!("{name} [{}]", args.json());
/// });
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventName(pub String);

impl Extract<EventContext<'_>> for EventName {
    fn extract(context: &EventContext<'_>) -> Result<Self, Rejection> {
        Ok(Self(context.name.to_owned()))
    }
}

impl Extract<DisconnectContext<'_>> for DisconnectReason {
    fn extract(context: &DisconnectContext<'_>) -> Result<Self, Rejection> {
        Ok(context.reason)
    }
}

/// What the client sent as `auth` when it connected to the namespace.
///
/// A client that sent none is read as `{}`, so that a struct says which field is missing, and if
/// that is none as `null`, so that an `Option` of a struct is `None`.
///
/// ```
/// use tower_socketio::{Auth, Refusal, SocketIo};
///
/// #[derive(serde::Deserialize)]
/// struct Token {
///     token: String,
/// }
///
/// let io = SocketIo::builder().build();
/// io.of("/admin").with(async |Auth(auth): Auth<Token>| {
///     if auth.token == "letmein" { Ok(()) } else { Err(Refusal::new("unauthorized")) }
/// });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Auth<T>(pub T);

impl<C: Context, T: DeserializeOwned> Extract<C> for Auth<T> {
    fn extract(context: &C) -> Result<Self, Rejection> {
        read_auth(context.socket().auth_json()).map(Self)
    }
}

pub(crate) fn read_auth<T: DeserializeOwned>(auth: Option<&str>) -> Result<T, Rejection> {
    let auth = match auth {
        Some(auth) => serde_json::from_str(auth),
        None => serde_json::from_str("{}").or_else(|error| serde_json::from_str("null").map_err(|_| error)),
    };
    auth.map_err(Rejection::Auth)
}

/// A value that the application gave to the server with
/// [`state`](crate::SocketIoBuilder::state), cloned: put what is large into an `Arc`.
///
/// A handler that asks for one that was not given panics when it is registered.
///
/// ```
/// use tower_socketio::{SocketIo, State};
///
/// #[derive(Clone)]
/// struct Greeting(&'static str);
///
/// let io = SocketIo::builder().state(Greeting("hello")).build();
/// io.of("/").on("hi", async |State(greeting): State<Greeting>| println!("{}", greeting.0));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State<T>(pub T);

impl<C: Context, T: Clone + Send + Sync + 'static> Extract<C> for State<T> {
    fn extract(context: &C) -> Result<Self, Rejection> {
        context
            .socket()
            .state::<T>()
            .map(Self)
            .ok_or(Rejection::MissingExtension(std::any::type_name::<T>()))
    }

    fn check(registration: &Registration<'_>) {
        registration.require_state::<T>();
    }
}

/// A value that middleware of the web framework put on the request that the connection began
/// with, cloned.
///
/// Where it is missing, the handler does not run: a connect handler that asks for one lets nobody
/// in who has none. The client is told `internal error`.
///
/// ```
/// use tower_socketio::{Extension, SocketIo};
///
/// #[derive(Clone)]
/// struct User(String);
///
/// let io = SocketIo::builder().build();
/// io.of("/").on_connect(async |Extension(user): Extension<User>| println!("{}", user.0));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extension<T>(pub T);

impl<C: Context, T: Clone + Send + Sync + 'static> Extract<C> for Extension<T> {
    fn extract(context: &C) -> Result<Self, Rejection> {
        let value = context.socket().handshake().extensions().get::<T>().cloned();
        value
            .map(Self)
            .ok_or(Rejection::MissingExtension(std::any::type_name::<T>()))
    }
}
