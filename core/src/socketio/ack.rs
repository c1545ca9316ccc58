//! Acks both ways: answering a client's, waiting for a client's.

use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::Stream as _;
use tokio::{
    sync::oneshot,
    time::{Sleep, sleep},
};

use super::{
    acks::AckStream,
    args::{EmitArgs, EncodeError, FromArgs, RawArgs},
    socket::Socket,
};
use crate::error::AckError;

/// What a handler returns to answer the client's ack: one value, or several as
/// [`Args`](crate::Args). A client that asked for none gets none.
///
/// ```
/// use tower_socketio::{Ack, Args, Data, SocketIo};
///
/// let io = SocketIo::builder().build();
/// io.of("/")
///     .on("sum", async |Data(Args((a, b))): Data<Args<(i64, i64)>>| Ack(a + b))
///     .on("pair", async || Ack(Args(("two", "arguments"))));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ack<T>(pub T);

/// Answers a client's ack at any time, from any task.
///
/// Dropped without an answer, or when the client did not ask for one, it sends nothing. A handler that fails
/// before it is used answers with the error; the first answer counts.
///
/// ```
/// use tower_socketio::{AckSender, SocketIo};
///
/// let io = SocketIo::builder().build();
/// io.of("/").on("later", async |ack: AckSender| {
///     tokio::spawn(async move { ack.send("done") });
/// });
/// ```
#[must_use = "the client waits for an answer"]
pub struct AckSender {
    socket: Socket,
    ack: Option<OpenAck>,
}

/// An ack that a client waits for. The first answer counts, whoever gives it.
#[derive(Debug, Clone)]
pub(crate) struct OpenAck(Arc<(u64, AtomicBool)>);

impl OpenAck {
    pub(crate) fn new(id: u64) -> Self {
        Self(Arc::new((id, AtomicBool::new(false))))
    }

    pub(crate) fn id(&self) -> u64 {
        self.0.0
    }

    /// `false`: it has been answered.
    pub(crate) fn take(&self) -> bool {
        !self.0.1.swap(true, Ordering::AcqRel)
    }
}

impl AckSender {
    pub(crate) fn new(socket: &Socket, ack: Option<OpenAck>) -> Self {
        let socket = socket.clone();
        Self { socket, ack }
    }

    /// Whether the client asked for an answer.
    ///
    /// ```
    /// use tower_socketio::{AckSender, SocketIo};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on("save", async |ack: AckSender| println!("{}", ack.is_wanted()));
    /// ```
    pub fn is_wanted(&self) -> bool {
        self.ack.is_some()
    }

    /// Answers. A client that has left, or did not ask, gets nothing.
    ///
    /// # Errors
    /// When the arguments cannot be written as JSON; the client then gets no answer.
    ///
    /// ```
    /// use tower_socketio::{AckSender, Args, SocketIo};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on("save", async |ack: AckSender| ack.send(Args(("saved", 3))));
    /// ```
    pub fn send(self, args: impl EmitArgs) -> Result<(), EncodeError> {
        match &self.ack {
            Some(ack) => self.socket.answer(ack, &args),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for AckSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AckSender")
            .field("ack", &self.ack)
            .finish_non_exhaustive()
    }
}

/// A client's ack, awaited. The event has been sent already; dropping this gives up waiting.
///
/// Its output is what the client answered, or an [`AckError`]. It must not be polled again after
/// that.
///
/// ```
/// use tower_socketio::{AckFuture, SocketIo, Socket};
///
/// let io = SocketIo::builder().build();
/// io.of("/").on("ask", async |socket: Socket| {
///     let answer: AckFuture<String> = socket.emit_with_ack("name?", "");
///     println!("{:?}", answer.await);
/// });
/// ```
#[must_use = "await it to get the client's answer"]
pub struct AckFuture<T> {
    state: Waiting<T>,
    timeout: Option<Pin<Box<Sleep>>>,
}

enum Waiting<T> {
    /// Nothing to wait for: it could not be sent, or is over.
    Over(Option<EncodeError>),
    /// Sent to a room of one.
    First(AckStream<T>),
    Sent {
        socket: Socket,
        id: u64,
        answer: oneshot::Receiver<RawArgs>,
    },
}

impl<T> AckFuture<T> {
    pub(crate) fn unsent(error: EncodeError) -> Self {
        Self {
            state: Waiting::Over(Some(error)),
            timeout: None,
        }
    }

    pub(crate) fn first(answers: AckStream<T>) -> Self {
        Self {
            state: Waiting::First(answers),
            timeout: None,
        }
    }

    pub(crate) fn sent(socket: Socket, id: u64, answer: oneshot::Receiver<RawArgs>, timeout: Option<Duration>) -> Self {
        Self {
            state: Waiting::Sent { socket, id, answer },
            timeout: timeout.map(|timeout| Box::pin(sleep(timeout))),
        }
    }
}

impl<T: FromArgs> Future for AckFuture<T> {
    type Output = Result<T, AckError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let over = match &mut this.state {
            Waiting::Over(error) => AckError::Encode(error.take().expect("polled after it was ready")),
            Waiting::First(answers) => {
                let first = ready!(Pin::new(answers).poll_next(cx));
                return Poll::Ready(first.map_or(Err(AckError::Disconnected), |(_, answer)| answer));
            }
            Waiting::Sent { answer, .. } => match (Pin::new(answer).poll(cx), &mut this.timeout) {
                (Poll::Ready(answer), _) => {
                    // Whoever answers takes the entry out himself.
                    this.state = Waiting::Over(None);
                    return Poll::Ready(match answer {
                        Ok(args) => args.read().map_err(AckError::Decode),
                        Err(_) => Err(AckError::Disconnected),
                    });
                }
                (Poll::Pending, Some(timeout)) => {
                    ready!(timeout.as_mut().poll(cx));
                    AckError::Timeout
                }
                (Poll::Pending, None) => return Poll::Pending,
            },
        };
        Poll::Ready(Err(over))
    }
}

impl<T> Drop for AckFuture<T> {
    fn drop(&mut self) {
        if let Waiting::Sent { socket, id, .. } = &self.state {
            socket.forget_ack(*id);
        }
    }
}

impl<T> fmt::Debug for AckFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AckFuture").finish_non_exhaustive()
    }
}
