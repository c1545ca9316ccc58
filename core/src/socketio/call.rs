//! A call of an application's code: what it is for, and what may be wrapped around it.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use super::{handler::HandlerFuture, packet_middleware::Screening, socket::Socket, task::Caught};
use crate::error::FailureKind;

/// What application code is called for.
///
/// ```
/// use tower_socketio::Occasion;
///
/// assert_eq!(Occasion::Event("say").to_string(), "event \"say\"");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Occasion<'a> {
    /// A client asks to connect: its middleware and its connect handler, together.
    Connect,
    /// A client sent that event.
    Event(&'a str),
    /// A client has left.
    Disconnect,
    /// A job that was [spawned](Socket::spawn) on the socket.
    Job,
}

impl<'a> Occasion<'a> {
    pub(crate) fn event(self) -> Option<&'a str> {
        match self {
            Self::Event(name) => Some(name),
            Self::Connect | Self::Disconnect | Self::Job => None,
        }
    }
}

impl fmt::Display for Occasion<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect => f.write_str("connect"),
            Self::Event(name) => write!(f, "event {name:?}"),
            Self::Disconnect => f.write_str("disconnect"),
            Self::Job => f.write_str("job"),
        }
    }
}

/// Which call a wrapper is wrapped around: see [`Namespace::wrap`](crate::Namespace::wrap).
///
/// ```
/// use tower_socketio::SocketIo;
///
/// let io = SocketIo::builder().build();
/// io.of("/chat").wrap(|call, next| async move {
///     println!("{} of {} begins", call.occasion(), call.socket().id());
///     next.await
/// });
/// ```
#[derive(Debug, Clone)]
pub struct Call {
    socket: Socket,
    occasion: OwnedOccasion,
}

/// An [`Occasion`] that borrows nothing.
#[derive(Debug, Clone)]
pub(crate) enum OwnedOccasion {
    Connect,
    Event(Arc<str>),
    /// Middleware has that event.
    Packet(Arc<Screening>),
    Disconnect,
    Job,
}

impl OwnedOccasion {
    pub(crate) fn as_occasion(&self) -> Occasion<'_> {
        match self {
            Self::Connect => Occasion::Connect,
            Self::Event(name) => Occasion::Event(name),
            Self::Packet(screening) => Occasion::Event(&screening.event),
            Self::Disconnect => Occasion::Disconnect,
            Self::Job => Occasion::Job,
        }
    }
}

impl Call {
    pub(crate) fn new(socket: &Socket, occasion: OwnedOccasion) -> Self {
        let socket = socket.clone();
        Self { socket, occasion }
    }

    /// The socket it runs for.
    ///
    /// ```
    /// fn namespace(call: &tower_socketio::Call) -> String {
    ///     call.socket().namespace().path().to_owned()
    /// }
    /// ```
    pub fn socket(&self) -> &Socket {
        &self.socket
    }

    /// What it is for.
    ///
    /// ```
    /// use tower_socketio::{Call, Occasion};
    ///
    /// fn is_job(call: &Call) -> bool {
    ///     call.occasion() == Occasion::Job
    /// }
    /// ```
    pub fn occasion(&self) -> Occasion<'_> {
        self.occasion.as_occasion()
    }
}

/// The call itself, for a wrapper to await: see [`Namespace::wrap`](crate::Namespace::wrap). A panic
/// inside is its error.
///
/// ```
/// use tower_socketio::{FailureKind, Next};
///
/// async fn panicked(next: Next) -> bool {
///     matches!(next.await, Err(FailureKind::Panic(_)))
/// }
/// ```
#[must_use = "the call is not made unless this is awaited"]
pub struct Next(Caught);

impl Next {
    pub(crate) fn new(call: HandlerFuture) -> Self {
        Self(Caught::new(call))
    }
}

impl Future for Next {
    type Output = Result<(), FailureKind>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl fmt::Debug for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next").finish_non_exhaustive()
    }
}

/// What a wrapper makes of a call.
pub(crate) type Wrapper = dyn Fn(Call, Next) -> HandlerFuture + Send + Sync;
