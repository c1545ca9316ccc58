//! A session as the one stream that its client opens: the first read waits for it, and to shut it down
//! closes the session, once all has been delivered.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use web_transport_quinn::{RecvStream, SendStream, Session, SessionError};

pub(crate) struct Stream {
    session: Session,
    state: State,
}

enum State {
    Opening(Opening),
    Open(SendStream, RecvStream),
    Closing(Pin<Box<dyn Future<Output = ()> + Send>>),
}

type Opening = Pin<Box<dyn Future<Output = Result<(SendStream, RecvStream), SessionError>> + Send>>;

impl Stream {
    pub(crate) fn new(session: Session) -> Self {
        let opening = session.clone();
        Self {
            session,
            state: State::Opening(Box::pin(async move { opening.accept_bi().await })),
        }
    }

    fn sender(&mut self) -> io::Result<Pin<&mut SendStream>> {
        match &mut self.state {
            State::Open(send, _) => Ok(Pin::new(send)),
            State::Opening(_) | State::Closing(_) => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let state = &mut self.get_mut().state;
        if let State::Opening(opening) = state {
            let (send, recv) = ready!(opening.as_mut().poll(cx)).map_err(io::Error::other)?;
            *state = State::Open(send, recv);
        }
        match state {
            State::Open(_, recv) => Pin::new(recv).poll_read(cx, buffer),
            State::Opening(_) | State::Closing(_) => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().sender()?.poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // QUIC writes what it has been given.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { session, state } = self.get_mut();
        if !matches!(state, State::Closing(_)) {
            let closing = close(
                session.clone(),
                std::mem::replace(state, State::Closing(Box::pin(async {}))),
            );
            *state = State::Closing(Box::pin(closing));
        }
        match state {
            State::Closing(closing) => closing.as_mut().poll(cx).map(Ok),
            State::Opening(_) | State::Open(..) => Poll::Ready(Ok(())),
        }
    }
}

async fn close(session: Session, mut state: State) {
    if let State::Open(send, _) = &mut state
        && send.finish().is_ok()
    {
        let _ = send.stopped().await;
    }
    session.close(0, b"");
    session.closed().await;
    // Not before: to drop the other half is to refuse what the client still sends.
    drop(state);
}

impl Drop for Stream {
    /// A session lives on without its streams.
    fn drop(&mut self) {
        self.session.close(0, b"");
    }
}
