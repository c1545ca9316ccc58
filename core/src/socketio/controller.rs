//! A namespace as a type: one value of it for each socket, its methods the handlers.
//!
//! `#[namespace]` (`tower-socketio-macros`) writes the registrations; this is what they need beyond
//! what closures have.

use std::{any::type_name, fmt, ops::Deref, sync::Arc};

use super::{
    extract::{ConnectContext, Context, DisconnectContext, EventContext, Extract},
    handler::{EventHandler, EventResponse, HandlerFuture},
    namespace::{Namespace, Registration},
    socket::Socket,
};
use crate::error::{Refusal, Rejection};

/// A namespace as a type, made by [`#[namespace]`](crate::namespace) on an `impl` block. One value
/// of it lives for each connected socket; its fields are the socket's own state.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a namespace",
    label = "not a namespace",
    note = "write `#[namespace]` above the `impl` block that has its `#[event]` methods"
)]
pub trait Controller: Send + Sync + Sized + 'static {
    /// Registers its methods as handlers, as [`Namespace::serve`] asks.
    fn register(namespace: &Namespace);
}

/// The namespace's value that belongs to the socket: an extractor, for handlers of closures in a namespace
/// that is [served](Namespace::serve) by a type. Methods have it as `self`.
///
/// ```
/// use tower_socketio::{SocketIo, This, namespace};
///
/// #[derive(Debug, Default)]
/// struct Counter(std::sync::atomic::AtomicU32);
///
/// #[namespace]
/// impl Counter {
///     #[event]
///     async fn count(&self) {
///         self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
///     }
/// }
///
/// let io = SocketIo::builder().build();
/// io.of("/").serve::<Counter>().on("print", async |counter: This<Counter>| println!("{:?}", counter.0));
/// ```
pub struct This<T>(pub Arc<T>);

// Not where a client connects: the value is made there.
impl<T: Controller> Extract<EventContext<'_>> for This<T> {
    fn extract(context: &EventContext<'_>) -> Result<Self, Rejection> {
        Self::of(context.socket())
    }
}

impl<T: Controller> Extract<DisconnectContext<'_>> for This<T> {
    fn extract(context: &DisconnectContext<'_>) -> Result<Self, Rejection> {
        Self::of(context.socket())
    }
}

impl<T: Controller> This<T> {
    fn of(socket: &Socket) -> Result<Self, Rejection> {
        let object = socket.object();
        object.map(Self).ok_or(Rejection::MissingObject(type_name::<T>()))
    }
}

impl<T> Deref for This<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> Clone for This<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: fmt::Debug> fmt::Debug for This<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("This").field(&self.0).finish()
    }
}

/// What a `#[connect]` method may return: the value, or a `Result` of it.
#[diagnostic::on_unimplemented(
    message = "a `#[connect]` method of `{T}` cannot return `{Self}`",
    label = "neither `Self` nor a `Result` of it",
    note = "return `Self` or `Result<Self, Refusal>`"
)]
pub trait Connected<T>: Send {
    #[doc(hidden)]
    fn into_object(self) -> Result<T, Refusal>;
}

impl<T: Controller> Connected<T> for T {
    fn into_object(self) -> Result<T, Refusal> {
        Ok(self)
    }
}

impl<T: Controller, E: Into<Refusal> + Send> Connected<T> for Result<T, E> {
    fn into_object(self) -> Result<T, Refusal> {
        self.map_err(Into::into)
    }
}

/// A namespace whose value needs nothing to be made.
#[diagnostic::on_unimplemented(
    message = "nothing makes a `{Self}` for a socket that connects",
    label = "no `#[connect]` method, and not `Default`",
    note = "add `#[connect] async fn connect(…) -> Self` (or `Result<Self, Refusal>`), or `#[derive(Default)]`"
)]
pub trait MadeByDefault: Sized {
    #[doc(hidden)]
    fn make() -> Self;
}

impl<T: Default> MadeByDefault for T {
    fn make() -> Self {
        T::default()
    }
}

/// Only what can be extracted where a client asks to connect has this.
pub fn in_connect<T: for<'a> Extract<ConnectContext<'a>>>() {}

/// Only what can be extracted from an event has this.
pub fn in_event<T: for<'a> Extract<EventContext<'a>>>() {}

/// Only what can be extracted when a client has left has this.
pub fn in_disconnect<T: for<'a> Extract<DisconnectContext<'a>>>() {}

/// What a method returns, if that is an answer.
pub fn answer(response: impl EventResponse) -> impl EventResponse {
    response
}

/// Gives a socket the value that was made for it.
///
/// # Errors
/// The client is not let in.
pub fn keep<T: Controller>(socket: &Socket, made: impl Connected<T>) -> Result<(), Refusal> {
    socket.keep_object(Arc::new(made.into_object()?));
    Ok(())
}

/// Gives a socket a value, unless it has kept one from before its connection was lost.
///
/// # Errors
/// None: as [`keep`].
pub fn keep_or_make<T: Controller>(socket: &Socket, make: impl FnOnce() -> T) -> Result<(), Refusal> {
    match socket.object::<T>() {
        Some(_) => Ok(()),
        None => keep(socket, make()),
    }
}

/// Handlers of `message` for text and for anything else: those that `#[message]` and `#[json]` name.
pub fn text_or_json<Text, Json>(text: Text, json: Json) -> TextOrJson<Text, Json> {
    TextOrJson { text, json }
}

/// See [`text_or_json`].
#[derive(Debug)]
pub struct TextOrJson<Text, Json> {
    text: Text,
    json: Json,
}

impl<A, B, Text: EventHandler<A>, Json: EventHandler<B>> EventHandler<(A, B, ())> for TextOrJson<Text, Json> {
    fn call(&self, context: &EventContext<'_>) -> Result<HandlerFuture, Rejection> {
        // The arguments' text, without the brackets around them.
        if context.args.trim_start().starts_with('"') {
            self.text.call(context)
        } else {
            self.json.call(context)
        }
    }

    fn check(registration: &Registration<'_>) {
        Text::check(registration);
        Json::check(registration);
    }
}
