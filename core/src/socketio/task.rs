//! A handler in progress: whose it is, and its panics caught.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll, ready},
};

use super::{
    ack::OpenAck,
    call::OwnedOccasion,
    handler::HandlerFuture,
    meter::{self, Running},
    socket::Socket,
};
use crate::error::FailureKind;

/// A handler's future. Ready when it has ended, panicked or been aborted.
pub(crate) struct Task {
    /// `None` once it has ended.
    called: Option<Called>,
    future: Option<Caught>,
    _running: Running,
}

/// Whose handler was called, and what for.
pub(crate) struct Called {
    pub(crate) socket: Socket,
    pub(crate) occasion: OwnedOccasion,
    /// The ack to answer if the handler fails.
    pub(crate) ack: Option<OpenAck>,
}

impl Task {
    pub(crate) fn new(called: Called, future: HandlerFuture, running: Running) -> Self {
        let future = meter::in_span(&called.socket, called.occasion.as_occasion(), future);
        Self {
            called: Some(called),
            future: Some(Caught::new(future)),
            _running: running,
        }
    }

    /// Drops the handler where it stands.
    pub(crate) fn abort(&mut self) {
        let future = self.future.take();
        // It is the application's code that drops what its handler holds.
        let _ = contain(|| drop(future));
    }

    pub(crate) fn belongs_to(&self, socket: &Socket) -> bool {
        self.called.as_ref().is_some_and(|called| called.socket.is(socket))
    }
}

impl Future for Task {
    type Output = (Called, Result<(), FailureKind>);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let result = match &mut self.future {
            None => Err(FailureKind::GraceExceeded),
            Some(future) => ready!(Pin::new(future).poll(cx)),
        };
        let called = self.called.take().expect("not polled again once it has ended");
        Poll::Ready((called, result))
    }
}

/// A future of the application's, whose panic is an error.
pub(crate) struct Caught(HandlerFuture);

impl Caught {
    pub(crate) fn new(future: HandlerFuture) -> Self {
        Self(future)
    }
}

impl Future for Caught {
    type Output = Result<(), FailureKind>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        contain(|| self.0.as_mut().poll(cx)).unwrap_or_else(|panic| Poll::Ready(Err(panic)))
    }
}

/// Runs an application's code; a panic is an error of its own.
pub(crate) fn contain<T>(code: impl FnOnce() -> T) -> Result<T, FailureKind> {
    catch_unwind(AssertUnwindSafe(code)).map_err(|panic| FailureKind::Panic(message(&*panic)))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a value that is no text")
        .to_owned()
}
