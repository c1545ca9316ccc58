//! Transports that are one stream of bytes both ways: the task that carries a client by it
//! ([`carrier`]), bytes in and out ([`wire`]) and the upgrade from polling ([`probe`]). What the bytes
//! look like is a [`Framing`]: WebSocket's or WebTransport's.

use std::{fmt, ops::ControlFlow, pin::pin, time::Duration};

use futures_util::{
    FutureExt as _,
    future::{Either, OptionFuture, select},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};

use self::wire::End;
use super::Transport;
use crate::engine::{Shared, activity::Active, codec::frame::Frame, reason::CloseReason};

pub(super) mod carrier;
pub(crate) mod probe;
pub(super) mod wire;

/// How messages lie in a stream: the state of what is read, and how to write.
pub(super) trait Framing: Unpin {
    /// What a client must not send.
    type Violation: fmt::Display;

    /// Which transport it makes of a stream.
    const TRANSPORT: Transport;

    /// Why a connection ends whose client broke its rules.
    const VIOLATED: CloseReason;

    /// Takes bytes read from the stream, and hands every event to `sink`, in order. When that breaks,
    /// the rest is kept for the next call, which may have an empty `input`.
    fn feed(
        &mut self,
        input: &mut [u8],
        sink: impl FnMut(Event<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Self::Violation>;

    /// Whether bytes that followed a `Break` wait for the next call of `feed`.
    fn has_backlog(&self) -> bool;

    /// A frame as it is written.
    fn parts<'a>(&self, frame: &'a Frame) -> impl Iterator<Item = &'a [u8]> + Clone;

    /// Whether messages may be written compressed.
    fn is_compressing(&self) -> bool;

    /// What is written last, if anything is, to a client that may have broken the rules. The client
    /// then says goodbye, too.
    fn goodbye(violation: Option<&Self::Violation>) -> Option<Frame>;
}

/// What a client sent.
#[derive(Debug)]
pub(super) enum Event<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
    /// No message. The newest answer is written once there is room, older ones need not be.
    Control(Option<Frame>),
    /// Nothing follows; that is the answer.
    Close(Frame),
}

/// What a client does first, in that time and before the server closes.
pub(super) async fn in_time<T, V>(
    server: &Shared,
    patience: Duration,
    step: impl Future<Output = Result<T, End<V>>>,
) -> Result<T, End<V>> {
    match select(pin!(timeout(patience, step)), pin!(server.closing())).await {
        Either::Left((Ok(done), _)) => done,
        Either::Left((Err(_), _)) | Either::Right(_) => Err(End::Refused),
    }
}

/// Carries a client from its beginning, `None` where that failed, to its goodbye. Closing the server
/// waits for that.
pub(super) fn drive<IO, F>(
    active: Active,
    begin: impl Future<Output = Option<carrier::Carrier<IO, F>>>,
) -> impl Future<Output = ()>
where
    IO: AsyncRead + AsyncWrite + Unpin,
    F: Framing,
{
    // The future is as large as the largest of its stages, for as long as the client is
    // connected: all but the carrier are boxed.
    Box::pin(begin).then(OptionFuture::from).then(|gone| {
        Box::pin(async {
            if let Some((wire, end)) = gone.flatten() {
                wire.end(end).await;
            }
            drop(active);
        })
    })
}
