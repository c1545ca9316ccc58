//! Bytes in and out of a duplex stream: decoded as they come, written with as few system calls as
//! possible. Holds no buffer while nothing is under way.

use std::{
    cell::Cell,
    io::{self, IoSlice},
    ops::ControlFlow,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::codec::{Decoder, Event, Opcode, Violation, control_frame};
use crate::engine::{codec::frame::Frame, outbox::Outbox};

/// Bytes read with one system call, into a buffer that the connections of a thread share.
const READ: usize = 32 * 1024;

/// Frames written with one system call.
const SLICES: usize = 16;

/// How long a client may take to read what is left and to answer the closing handshake.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// One WebSocket.
pub(super) struct Wire<IO> {
    io: IO,
    decoder: Decoder,
    outbox: Outbox,
    /// Bytes of the outbox's first frame that are written.
    written: usize,
    /// The newest ping's answer: a client that does not read gets no second one.
    pong: Option<Frame>,
}

/// Why no more can be read.
#[derive(Debug)]
pub(super) enum End {
    /// The client is gone, with or without a word.
    Lost,
    /// The client asked to close, with that code.
    Closed(Option<u16>),
    /// The client broke RFC 6455.
    Violation(Violation),
    /// The client did not keep to the probe of an upgrade, or came too late with it.
    Refused,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Wire<IO> {
    pub(super) fn new(io: IO, max_message: usize) -> Self {
        Self {
            io,
            decoder: Decoder::new(max_message),
            outbox: Outbox::default(),
            written: 0,
            pong: None,
        }
    }

    /// Reads once and hands on every message, and pings and pongs, which need no more answer. After a [`ControlFlow::Break`] what is left waits
    /// for the next call, which begins with it.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        mut message: impl FnMut(&mut Context<'_>, Event<'_>) -> ControlFlow<()>,
    ) -> Poll<Result<ControlFlow<()>, End>> {
        let Self { io, decoder, pong, .. } = self;
        let mut closed = None;
        let mut sink = |cx: &mut Context<'_>, event: Event<'_>| match event {
            Event::Close(frame) => {
                closed = Some(frame.map(|frame| frame.code));
                ControlFlow::Break(())
            }
            Event::Ping(payload) => {
                *pong = Some(control(Opcode::Pong, payload));
                message(cx, event)
            }
            Event::Text(_) | Event::Binary(_) | Event::Pong => message(cx, event),
        };
        let fed = if decoder.has_backlog() {
            decoder.feed(&mut [], |event| sink(cx, event))
        } else {
            let mut scratch = Scratch::take();
            let mut buffer = ReadBuf::new(&mut scratch.0);
            match ready!(Pin::new(io).poll_read(cx, &mut buffer)) {
                Ok(()) if buffer.filled().is_empty() => return Poll::Ready(Err(End::Lost)),
                Ok(()) => decoder.feed(buffer.filled_mut(), |event| sink(cx, event)),
                Err(_) => return Poll::Ready(Err(End::Lost)),
            }
        };
        Poll::Ready(match (closed, fed) {
            (Some(code), _) => Err(End::Closed(code)),
            (None, fed) => fed.map_err(End::Violation),
        })
    }

    /// Whether everything handed over has been written.
    pub(super) fn is_flushed(&self) -> bool {
        self.outbox.is_empty() && self.pong.is_none()
    }

    /// Hands over what is to be written next. Only for a wire that has written all before.
    pub(super) fn send(&mut self, outbox: Outbox) {
        debug_assert!(self.outbox.is_empty());
        self.outbox = outbox;
    }

    /// Queues one frame behind the others.
    pub(super) fn push(&mut self, frame: Frame) {
        self.outbox.push(frame, false);
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.outbox.is_empty() {
                match self.pong.take() {
                    Some(pong) => self.outbox.push(pong, false),
                    None => return Pin::new(&mut self.io).poll_flush(cx),
                }
            }
            let mut slices = [IoSlice::new(&[]); SLICES];
            let mut count = 0;
            for (slice, frame) in slices.iter_mut().zip(self.outbox.iter()) {
                let skip = if count == 0 { self.written } else { 0 };
                *slice = IoSlice::new(&frame.websocket()[skip..]);
                count += 1;
            }
            let io = Pin::new(&mut self.io);
            let written = ready!(match &slices[..count] {
                [one] => io.poll_write(cx, one),
                several => io.poll_write_vectored(cx, several),
            })?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(written);
        }
    }

    /// The packets that are not wholly written, and how to say goodbye then.
    pub(super) fn give_up(&mut self) -> (Outbox, End) {
        let end = if self.written > 0 { End::Lost } else { End::Refused };
        let mut unwritten = Outbox::default();
        while let Some(frame) = self.outbox.pop_front() {
            // The WebSocket's own frames are no packets.
            if !frame.packet().is_empty() {
                unwritten.push(frame, false);
            }
        }
        self.written = 0;
        (unwritten, end)
    }

    fn advance(&mut self, written: usize) {
        self.written += written;
        while let Some(frame) = self.outbox.front()
            && self.written >= frame.len()
        {
            self.written -= frame.len();
            self.outbox.pop_front();
        }
    }

    /// Says goodbye as the end demands it.
    pub(super) async fn end(self, end: End) {
        match end {
            End::Lost => {}
            End::Closed(code) => self.close(code, true).await,
            End::Violation(violation) => self.close(Some(violation.close_code()), false).await,
            End::Refused => self.close(None, false).await,
        }
    }

    /// Writes what is left and a close frame with that code, and waits a moment for the client's
    /// unless it is what is being `answered`.
    async fn close(mut self, code: Option<u16>, answered: bool) {
        let payload = code.map(u16::to_be_bytes);
        self.push(control(Opcode::Close, payload.as_ref().map_or(&[], |code| &code[..])));
        let farewell = async {
            std::future::poll_fn(|cx| self.poll_flush(cx)).await?;
            std::future::poll_fn(|cx| Pin::new(&mut self.io).poll_shutdown(cx)).await?;
            if !answered {
                let mut more = true;
                while more {
                    let read = std::future::poll_fn(|cx| self.poll_read(cx, |_, _| ControlFlow::Continue(())));
                    more = read.await.is_ok();
                }
            }
            Ok::<_, io::Error>(())
        };
        // Whatever goes wrong, the connection is over.
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, farewell).await;
    }
}

fn control(opcode: Opcode, payload: &[u8]) -> Frame {
    Frame::from_websocket(&control_frame(opcode, payload))
}

/// The thread's read buffer, given back when dropped. One that is in use, as by a handler that
/// drives another connection in memory, is replaced by a new one.
struct Scratch(Box<[u8]>);

thread_local! {
    static SCRATCH: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
}

impl Scratch {
    fn take() -> Self {
        Self(SCRATCH.take().unwrap_or_else(|| vec![0; READ].into()))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        SCRATCH.set(Some(std::mem::take(&mut self.0)));
    }
}
