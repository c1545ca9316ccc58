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
    socket: Socket,
    occasion: OwnedOccasion,
    ack: Option<OpenAck>,
    future: Option<Caught>,
    _running: Running,
}

/// A handler that has ended.
pub(crate) struct Done {
    pub(crate) socket: Socket,
    pub(crate) occasion: OwnedOccasion,
    /// The ack to answer if the handler failed.
    pub(crate) ack: Option<OpenAck>,
    pub(crate) result: Result<(), FailureKind>,
}

impl Task {
    pub(crate) fn new(socket: Socket, occasion: OwnedOccasion, future: HandlerFuture, running: Running) -> Self {
        let future = meter::in_span(&socket, occasion.as_occasion(), future);
        Self {
            _running: running,
            socket,
            occasion,
            ack: None,
            future: Some(Caught::new(future)),
        }
    }

    /// Names the ack that is to be answered if the handler fails.
    pub(crate) fn acked_by(self, ack: Option<OpenAck>) -> Self {
        Self { ack, ..self }
    }

    /// Drops the handler where it stands.
    pub(crate) fn abort(&mut self) {
        let future = self.future.take();
        // It is the application's code that drops what its handler holds.
        let _ = contain(|| drop(future));
    }

    pub(crate) fn belongs_to(&self, socket: &Socket) -> bool {
        self.socket.is(socket)
    }
}

impl Future for Task {
    type Output = Done;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Done> {
        let result = match &mut self.future {
            None => Err(FailureKind::GraceExceeded),
            Some(future) => ready!(Pin::new(future).poll(cx)),
        };
        Poll::Ready(Done {
            socket: self.socket.clone(),
            occasion: self.occasion.clone(),
            ack: self.ack.clone(),
            result,
        })
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
