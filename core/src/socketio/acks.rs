//! One question to many clients, and their answers.
//!
//! The event has one ack id for all. Every socket that is asked holds an [`Asker`] among its open acks, which
//! is a sender of one channel: when the last is gone, all have answered or left, and the stream ends.

use std::{
    fmt,
    marker::PhantomData,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::Stream;
use tokio::{
    sync::{
        mpsc::{self, UnboundedReceiver, UnboundedSender},
        oneshot,
    },
    time::{Sleep, sleep},
};

use super::{
    args::{FromArgs, RawArgs},
    socket::{Socket, WeakSocket},
};
use crate::{engine::Sid, error::AckError};

/// What a client answered; `None`: it will not.
type Answer = (Sid, Option<RawArgs>);

/// Who waits for a client's ack.
pub(crate) enum Asker {
    /// An event for that client alone.
    One(oneshot::Sender<RawArgs>),
    /// A broadcast.
    Many(UnboundedSender<Answer>),
}

impl Asker {
    pub(crate) fn tell(self, from: &Sid, answer: Option<RawArgs>) {
        // Who has given up waiting is told nothing.
        match (self, answer) {
            (Self::One(asker), Some(args)) => drop(asker.send(args)),
            // The drop tells.
            (Self::One(_), None) => {}
            (Self::Many(asker), answer) => drop(asker.send((from.clone(), answer))),
        }
    }
}

/// A broadcast that asks.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    id: u64,
    answers: UnboundedSender<Answer>,
    asked: Arc<Asked>,
}

/// Who was asked; `None` once nobody wants an answer any more.
type Asked = Mutex<Option<Vec<WeakSocket>>>;

impl Question {
    /// A question with that ack id, and its answers.
    pub(crate) fn new<T>(id: u64, timeout: Option<Duration>) -> (Self, AckStream<T>) {
        let (sender, answers) = mpsc::unbounded_channel();
        let asked = Arc::new(Mutex::new(Some(Vec::new())));
        let stream = AckStream {
            id,
            answers,
            asked: asked.clone(),
            timeout: timeout.map(|timeout| Box::pin(sleep(timeout))),
            is_late: false,
            answer: PhantomData,
        };
        let question = Self {
            id,
            answers: sender,
            asked,
        };
        (question, stream)
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// For a socket to keep; `None`: nobody wants an answer any more.
    pub(crate) fn ask(&self, socket: &Socket) -> Option<(u64, Asker)> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.as_mut()?.push(socket.downgrade());
        Some((self.id, Asker::Many(self.answers.clone())))
    }
}

/// Answers of many clients to one event, as they come: what
/// [`Broadcast::emit_with_ack`](crate::Broadcast::emit_with_ack) returns. The event has been sent already;
/// dropping this gives up waiting.
///
/// A [`Stream`] of who and what: an answer, or why there is none. A client that leaves comes as
/// [`AckError::Disconnected`] when it does, and those who have not answered in time as [`AckError::Timeout`] at the
/// end. It ends when everybody has come.
///
/// ```
/// use std::time::Duration;
/// use tower_socketio::{EncodeError, SocketIo};
///
/// # async fn ask(io: &SocketIo) -> Result<(), EncodeError> {
/// let mut votes = io.to("voters").timeout(Duration::from_secs(10)).emit_with_ack::<bool>("poll", "tea?")?;
/// while let Some((id, vote)) = votes.next().await {
///     match vote {
///         Ok(vote) => println!("{id}: {vote}"),
///         Err(error) => println!("{id}: {error}"),
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "the answers come to nobody else"]
pub struct AckStream<T> {
    id: u64,
    answers: UnboundedReceiver<Answer>,
    asked: Arc<Asked>,
    /// `None` also once it has passed.
    timeout: Option<Pin<Box<Sleep>>>,
    is_late: bool,
    answer: PhantomData<fn() -> T>,
}

/// Answers of many clients, all at once: see [`AckStream::collect_all`].
///
/// ```
/// use tower_socketio::Acks;
///
/// fn all_agree(votes: &Acks<bool>) -> bool {
///     votes.missing.is_empty() && votes.answers.iter().all(|(_, vote)| *vote)
/// }
/// ```
#[derive(Debug)]
pub struct Acks<T> {
    /// What they answered, in the order in which the answers came.
    pub answers: Vec<(Sid, T)>,
    /// Who was asked and did not answer, or not with a `T`, and why.
    pub missing: Vec<(Sid, AckError)>,
}

impl<T: FromArgs> AckStream<T> {
    /// The next to answer, or to answer no more; `None` after the last.
    ///
    /// ```
    /// # use tower_socketio::{AckStream, AckError};
    /// async fn first(mut answers: AckStream<String>) -> Option<String> {
    ///     while let Some((_, answer)) = answers.next().await {
    ///         if let Ok(answer) = answer {
    ///             return Some(answer);
    ///         }
    ///     }
    ///     None
    /// }
    /// ```
    pub async fn next(&mut self) -> Option<(Sid, Result<T, AckError>)> {
        std::future::poll_fn(|cx| self.poll(cx)).await
    }

    /// Waits for all of them.
    ///
    /// The reference's promise is rejected unless everybody answers: here that is for the application to say, by
    /// what is [missing](Acks::missing).
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_socketio::{EncodeError, SocketIo};
    ///
    /// # async fn ask(io: &SocketIo) -> Result<(), EncodeError> {
    /// let votes = io.timeout(Duration::from_secs(10)).emit_with_ack::<bool>("poll", "tea?")?.collect_all().await;
    /// println!("{} answers, {} did not answer", votes.answers.len(), votes.missing.len());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn collect_all(mut self) -> Acks<T> {
        let (mut answers, mut missing) = (Vec::new(), Vec::new());
        while let Some((id, answer)) = self.next().await {
            match answer {
                Ok(answer) => answers.push((id, answer)),
                Err(error) => missing.push((id, error)),
            }
        }
        Acks { answers, missing }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<(Sid, Result<T, AckError>)>> {
        loop {
            match (self.answers.poll_recv(cx), &mut self.timeout) {
                (Poll::Ready(answer), _) => return Poll::Ready(answer.map(|(id, args)| (id, self.read(args)))),
                (Poll::Pending, None) => return Poll::Pending,
                (Poll::Pending, Some(timeout)) => {
                    ready!(timeout.as_mut().poll(cx));
                    self.timeout = None;
                    self.is_late = true;
                    self.give_up();
                }
            }
        }
    }

    fn read(&self, args: Option<RawArgs>) -> Result<T, AckError> {
        match args {
            Some(args) => args.read().map_err(AckError::Decode),
            None if self.is_late => Err(AckError::Timeout),
            None => Err(AckError::Disconnected),
        }
    }
}

impl<T> AckStream<T> {
    /// Those who still hold the question are told, and then are those who have not answered.
    fn give_up(&mut self) {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner).take();
        if self.answers.sender_strong_count() > 0 {
            for socket in asked.into_iter().flatten().filter_map(|socket| socket.upgrade()) {
                socket.forget_ack(self.id);
            }
        }
        self.answers.close();
    }
}

impl<T: FromArgs> Stream for AckStream<T> {
    type Item = (Sid, Result<T, AckError>);

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll(cx)
    }
}

impl<T> Drop for AckStream<T> {
    fn drop(&mut self) {
        self.give_up();
    }
}

impl<T> fmt::Debug for AckStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AckStream").finish_non_exhaustive()
    }
}
