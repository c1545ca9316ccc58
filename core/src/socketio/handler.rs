//! Closures as handlers: their parameters are extractors, their return values answers.
//!
//! The traits here are implemented for async closures and functions of up to eight extractors;
//! what runs the futures they make is [`dispatch`](super::dispatch).

use std::pin::Pin;

use super::{
    ack::{Ack, AckSender},
    args::EmitArgs,
    extract::{ConnectContext, DisconnectContext, EventContext, Extract},
    namespace::Registration,
};
use crate::error::{EventError, FailureKind, Refusal, Rejection};

/// A handler's future, with what is to be reported.
pub(crate) type HandlerFuture = Pin<Box<dyn Future<Output = Result<(), FailureKind>> + Send>>;

/// A handler of an event: an async closure or function whose parameters can be [extracted](Extract)
/// from an [`EventContext`] and whose output is an [`EventResponse`]. Up to eight parameters.
///
/// It is `Fn`, and its future `Send + 'static`: it borrows nothing that it captures. Share data by
/// [`State`](crate::State), or clone it into an `async move` block.
///
/// ```
/// use std::sync::{Arc, atomic::{AtomicU32, Ordering}};
/// use tower_socketio::{Ack, Data, SocketIo, Socket};
///
/// async fn say(socket: Socket, Data(text): Data<String>) {
///     println!("{}: {text}", socket.id());
/// }
///
/// let calls = Arc::new(AtomicU32::new(0));
/// let io = SocketIo::builder().build();
/// io.of("/").on("say", say).on("count", move || {
///     let calls = calls.clone();
///     async move { Ack(calls.fetch_add(1, Ordering::Relaxed)) }
/// });
/// ```
#[diagnostic::on_unimplemented(
    message = "this is not a handler of an event",
    label = "not a handler",
    note = "a handler is an async closure or function of up to eight extractors (`Socket`, `Data<T>`, `State<T>`, …)",
    note = "it returns nothing, `Ack(…)`, or a `Result` of one of them; it may borrow nothing that it captures"
)]
pub trait EventHandler<A>: Send + Sync + 'static {
    #[doc(hidden)]
    fn call(&self, context: &EventContext<'_>) -> Result<HandlerFuture, Rejection>;
    #[doc(hidden)]
    fn check(registration: &Registration<'_>);
}

/// A handler of connections: like an [`EventHandler`], of a [`ConnectContext`] and with a
/// [`ConnectResponse`].
///
/// ```
/// use tower_socketio::{Handshake, Refusal, SocketIo};
///
/// async fn welcome(handshake: Handshake) -> Result<(), Refusal> {
///     handshake.query_value("room").map(drop).ok_or(Refusal::new("which room?"))
/// }
///
/// let io = SocketIo::builder().build();
/// io.of("/").on_connect(welcome);
/// ```
#[diagnostic::on_unimplemented(
    message = "this is not a handler of connections",
    label = "not a handler",
    note = "a handler is an async closure or function of up to eight extractors (`Socket`, `Handshake`, `Auth<T>`, …)",
    note = "it returns nothing or a `Result<(), Refusal>`; it may borrow nothing that it captures"
)]
pub trait ConnectHandler<A>: Send + Sync + 'static {
    #[doc(hidden)]
    const MAY_REFUSE: bool;
    #[doc(hidden)]
    fn call(&self, context: &ConnectContext<'_>) -> Result<ConnectFuture, Rejection>;
    #[doc(hidden)]
    fn check(registration: &Registration<'_>);
}

/// A handler of disconnections: like an [`EventHandler`], of a [`DisconnectContext`]; its output
/// is nothing or a `Result` of it.
///
/// ```
/// use tower_socketio::{DisconnectReason, SocketIo, Socket};
///
/// async fn goodbye(socket: Socket, why: DisconnectReason) {
///     println!("{} left: {why}", socket.id());
/// }
///
/// let io = SocketIo::builder().build();
/// io.of("/").on_disconnect(goodbye);
/// ```
#[diagnostic::on_unimplemented(
    message = "this is not a handler of disconnections",
    label = "not a handler",
    note = "a handler is an async closure or function of up to eight extractors (`Socket`, `DisconnectReason`, …)",
    note = "it returns nothing or a `Result<(), EventError>`; it may borrow nothing that it captures"
)]
pub trait DisconnectHandler<A>: Send + Sync + 'static {
    #[doc(hidden)]
    fn call(&self, context: &DisconnectContext<'_>) -> Result<HandlerFuture, Rejection>;
    #[doc(hidden)]
    fn check(registration: &Registration<'_>);
}

/// The future of a connect handler.
pub(crate) type ConnectFuture = Pin<Box<dyn Future<Output = Result<(), Refusal>> + Send>>;

/// What a handler of an event may return: nothing, [`Ack`], or a `Result` of one of them with an
/// error that converts into [`EventError`].
///
/// A client that asked for an ack gets the value of `Ack`, or the error, as [`EventError`] says. From
/// a handler that returns nothing it gets nothing: it should set a timeout.
///
/// ```
/// use tower_socketio::{Ack, Data, EventError, SocketIo};
///
/// let io = SocketIo::builder().build();
/// io.of("/")
///     .on("log", async |Data(line): Data<String>| println!("{line}"))
///     .on("one", async || Ack(1))
///     .on("parse", async |Data(text): Data<String>| Ok::<_, EventError>(Ack(text.parse::<u8>()?)));
/// ```
#[diagnostic::on_unimplemented(
    message = "a handler of an event cannot return `{Self}`",
    label = "not an answer",
    note = "return nothing, `Ack(value)`, or `Result<_, EventError>` of one of them"
)]
pub trait EventResponse: Send {
    #[doc(hidden)]
    fn respond(self, ack: Option<AckSender>) -> Result<(), FailureKind>;
}

impl EventResponse for () {
    fn respond(self, _: Option<AckSender>) -> Result<(), FailureKind> {
        Ok(())
    }
}

impl<T: EmitArgs + Send> EventResponse for Ack<T> {
    fn respond(self, ack: Option<AckSender>) -> Result<(), FailureKind> {
        match ack {
            Some(ack) => ack.send(self.0).map_err(FailureKind::Encode),
            None => Ok(()),
        }
    }
}

impl<T: EventResponse, E: Into<EventError> + Send> EventResponse for Result<T, E> {
    fn respond(self, ack: Option<AckSender>) -> Result<(), FailureKind> {
        match self {
            Ok(response) => response.respond(ack),
            Err(error) => Err(FailureKind::Handler(error.into())),
        }
    }
}

/// What a connect handler or middleware may return: nothing, or a `Result` whose error converts
/// into [`Refusal`].
///
/// ```
/// use tower_socketio::{Auth, Refusal, SocketIo, Socket};
///
/// let io = SocketIo::builder().build();
/// io.of("/")
///     .with(async |Auth(age): Auth<Option<u8>>| age.map(drop).ok_or(Refusal::new("how old are you?")))
///     .on_connect(async |socket: Socket| socket.join("lobby"));
/// ```
#[diagnostic::on_unimplemented(
    message = "a connect handler cannot return `{Self}`",
    label = "neither nothing nor a `Result`",
    note = "return nothing or `Result<(), Refusal>`"
)]
pub trait ConnectResponse: Send {
    #[doc(hidden)]
    const MAY_REFUSE: bool;
    #[doc(hidden)]
    fn into_result(self) -> Result<(), Refusal>;
}

impl ConnectResponse for () {
    const MAY_REFUSE: bool = false;

    fn into_result(self) -> Result<(), Refusal> {
        Ok(())
    }
}

impl<E: Into<Refusal> + Send> ConnectResponse for Result<(), E> {
    const MAY_REFUSE: bool = true;

    fn into_result(self) -> Result<(), Refusal> {
        self.map_err(Into::into)
    }
}

macro_rules! impl_handlers {
    ($($extractor:ident)*) => {
        #[allow(non_snake_case, unused_variables, clippy::allow_attributes, reason = "one macro for any number")]
        impl<F, Fut, R, $($extractor,)*> EventHandler<($($extractor,)*)> for F
        where
            F: Fn($($extractor),*) -> Fut + Send + Sync + 'static,
            Fut: Future<Output = R> + Send + 'static,
            R: EventResponse,
            $(for<'a> $extractor: Extract<EventContext<'a>>,)*
        {
            fn call(&self, context: &EventContext<'_>) -> Result<HandlerFuture, Rejection> {
                $(let $extractor = $extractor::extract(context)?;)*
                let future = self($($extractor),*);
                let ack = context.ack.clone().map(|ack| AckSender::new(context.socket, Some(ack)));
                Ok(Box::pin(async move { future.await.respond(ack) }))
            }

            fn check(registration: &Registration<'_>) {
                $(<$extractor as Extract<EventContext<'_>>>::check(registration);)*
            }
        }

        #[allow(non_snake_case, unused_variables, clippy::allow_attributes, reason = "one macro for any number")]
        impl<F, Fut, R, $($extractor,)*> ConnectHandler<($($extractor,)*)> for F
        where
            F: Fn($($extractor),*) -> Fut + Send + Sync + 'static,
            Fut: Future<Output = R> + Send + 'static,
            R: ConnectResponse,
            $(for<'a> $extractor: Extract<ConnectContext<'a>>,)*
        {
            const MAY_REFUSE: bool = R::MAY_REFUSE;

            fn call(&self, context: &ConnectContext<'_>) -> Result<ConnectFuture, Rejection> {
                $(let $extractor = $extractor::extract(context)?;)*
                let future = self($($extractor),*);
                Ok(Box::pin(async move { future.await.into_result() }))
            }

            fn check(registration: &Registration<'_>) {
                $(<$extractor as Extract<ConnectContext<'_>>>::check(registration);)*
            }
        }

        #[allow(non_snake_case, unused_variables, clippy::allow_attributes, reason = "one macro for any number")]
        impl<F, Fut, R, $($extractor,)*> DisconnectHandler<($($extractor,)*)> for F
        where
            F: Fn($($extractor),*) -> Fut + Send + Sync + 'static,
            Fut: Future<Output = R> + Send + 'static,
            R: EventResponse,
            $(for<'a> $extractor: Extract<DisconnectContext<'a>>,)*
        {
            fn call(&self, context: &DisconnectContext<'_>) -> Result<HandlerFuture, Rejection> {
                $(let $extractor = $extractor::extract(context)?;)*
                let future = self($($extractor),*);
                Ok(Box::pin(async move { future.await.respond(None) }))
            }

            fn check(registration: &Registration<'_>) {
                $(<$extractor as Extract<DisconnectContext<'_>>>::check(registration);)*
            }
        }
    };
}

impl_handlers!();
impl_handlers!(A);
impl_handlers!(A B);
impl_handlers!(A B C);
impl_handlers!(A B C D);
impl_handlers!(A B C D E);
impl_handlers!(A B C D E G);
impl_handlers!(A B C D E G H);
impl_handlers!(A B C D E G H I);
impl_handlers!(A B C D E G H I J);

/// A handler whose parameters' types are forgotten.
pub(crate) trait AnyEventHandler: Send + Sync {
    fn call(&self, context: &EventContext<'_>) -> Result<HandlerFuture, Rejection>;
}

/// As [`AnyEventHandler`], of connections.
pub(crate) trait AnyConnectHandler: Send + Sync {
    fn may_refuse(&self) -> bool;
    fn call(&self, context: &ConnectContext<'_>) -> Result<ConnectFuture, Rejection>;
}

/// As [`AnyEventHandler`], of disconnections.
pub(crate) trait AnyDisconnectHandler: Send + Sync {
    fn call(&self, context: &DisconnectContext<'_>) -> Result<HandlerFuture, Rejection>;
}

/// Forgets the types `A` of a handler's parameters.
pub(crate) struct Erased<H, A>(H, std::marker::PhantomData<fn(A)>);

impl<H, A> Erased<H, A> {
    pub(crate) fn new(handler: H) -> Self {
        Self(handler, std::marker::PhantomData)
    }

    pub(crate) fn handler(&self) -> &H {
        &self.0
    }
}

impl<A, H: EventHandler<A>> AnyEventHandler for Erased<H, A> {
    fn call(&self, context: &EventContext<'_>) -> Result<HandlerFuture, Rejection> {
        self.0.call(context)
    }
}

impl<A, H: ConnectHandler<A>> AnyConnectHandler for Erased<H, A> {
    fn may_refuse(&self) -> bool {
        H::MAY_REFUSE
    }

    fn call(&self, context: &ConnectContext<'_>) -> Result<ConnectFuture, Rejection> {
        self.0.call(context)
    }
}

impl<A, H: DisconnectHandler<A>> AnyDisconnectHandler for Erased<H, A> {
    fn call(&self, context: &DisconnectContext<'_>) -> Result<HandlerFuture, Rejection> {
        self.0.call(context)
    }
}
