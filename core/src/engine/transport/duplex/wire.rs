//! Bytes in and out of the stream: decoded as they come, written with as few system calls as
//! possible. Holds no buffer while nothing is under way.

use std::{
    cell::Cell,
    future::poll_fn,
    io::{self, IoSlice},
    ops::ControlFlow,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::future::select;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{sleep, timeout},
};

use super::{Event, Framing};
use crate::engine::{Shared, codec::frame::Frame, outbox::Outbox};

/// Bytes read with one system call, into a buffer that the connections of a thread share.
const READ: usize = 32 * 1024;

/// Slices written with one system call.
const SLICES: usize = 16;

/// Frames up to this length are put together to be written: a slice of its own costs more than the copy.
const JOINED: usize = 2048;

/// How long a client may take to answer the closing handshake, and to read what is left where it or the
/// server has no more time.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a client may take to read what was queued when the application closed its connection: as
/// long as the reference's WebSockets wait.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(30);

/// One stream and its framing.
pub(in crate::engine::transport) struct Wire<IO, F> {
    io: IO,
    framing: F,
    outbox: Outbox,
    /// Bytes of the outbox's first frame that are written.
    written: usize,
    /// The newest ping's answer: a client that does not read gets no second one.
    answer: Option<Frame>,
    /// The stream may hold back what was written to it.
    is_dirty: bool,
}

/// Why no more can be read.
#[derive(Debug)]
pub(in crate::engine::transport) enum End<V> {
    /// The client is gone, with or without a word.
    Lost,
    /// The client asked to close; that is the answer.
    Closed(Frame),
    /// The client broke the rules of the framing.
    Violation(V),
    /// The client did not keep to the probe of an upgrade, came too late with it, or fell silent.
    Refused,
    /// The application closed the connection: what is queued goes out first, if that server goes on.
    Finished(Arc<Shared>),
}

impl<IO: AsyncRead + AsyncWrite + Unpin, F: Framing> Wire<IO, F> {
    pub(in crate::engine::transport) fn new(io: IO, framing: F) -> Self {
        Self {
            io,
            framing,
            outbox: Outbox::default(),
            written: 0,
            answer: None,
            is_dirty: false,
        }
    }

    /// Reads once and hands on every event but the last; controls need no more answer. After a
    /// [`ControlFlow::Break`] what is left waits for the next call, which begins with it.
    pub(in crate::engine::transport) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        mut message: impl FnMut(&mut Context<'_>, Event<'_>) -> ControlFlow<()>,
    ) -> Poll<Result<ControlFlow<()>, End<F::Violation>>> {
        let Self {
            io, framing, answer, ..
        } = self;
        let mut closed = None;
        let mut sink = |cx: &mut Context<'_>, event: Event<'_>| match event {
            Event::Close(goodbye) => {
                closed = Some(goodbye);
                ControlFlow::Break(())
            }
            Event::Control(Some(newest)) => {
                *answer = Some(newest);
                message(cx, Event::Control(None))
            }
            Event::Text(_) | Event::Binary(_) | Event::Control(None) => message(cx, event),
        };
        let fed = if framing.has_backlog() {
            framing.feed(&mut [], |event| sink(cx, event))
        } else {
            let mut scratch = Scratch::take();
            let mut buffer = ReadBuf::new(&mut scratch.0);
            match ready!(Pin::new(io).poll_read(cx, &mut buffer)) {
                Ok(()) if buffer.filled().is_empty() => return Poll::Ready(Err(End::Lost)),
                Ok(()) => framing.feed(buffer.filled_mut(), |event| sink(cx, event)),
                Err(_) => return Poll::Ready(Err(End::Lost)),
            }
        };
        Poll::Ready(match (closed, fed) {
            (Some(goodbye), _) => Err(End::Closed(goodbye)),
            (None, fed) => fed.map_err(End::Violation),
        })
    }

    /// Whether messages may be written compressed.
    pub(super) fn is_compressing(&self) -> bool {
        self.framing.is_compressing()
    }

    /// Whether everything handed over has been written.
    pub(super) fn is_flushed(&self) -> bool {
        self.outbox.is_empty() && self.answer.is_none()
    }

    /// Hands over what is to be written next. Only for a wire that has written all before.
    pub(super) fn send(&mut self, outbox: Outbox) {
        debug_assert!(self.outbox.is_empty());
        self.outbox = outbox;
    }

    /// Queues one frame behind the others.
    pub(in crate::engine::transport) fn push(&mut self, frame: Frame) {
        self.outbox.push(frame, false);
    }

    pub(in crate::engine::transport) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.outbox.is_empty() {
                match self.answer.take() {
                    Some(answer) => self.outbox.push(answer, false),
                    None if self.is_dirty => {
                        ready!(Pin::new(&mut self.io).poll_flush(cx))?;
                        self.is_dirty = false;
                        return Poll::Ready(Ok(()));
                    }
                    None => return Poll::Ready(Ok(())),
                }
            }
            let Self {
                io,
                framing,
                outbox,
                written,
                ..
            } = self;
            let parts = outbox.iter().flat_map(|frame| framing.parts(frame));
            let io = Pin::new(io);
            let written = ready!(
                if outbox.len() > 1 && parts.clone().take(SLICES).all(|part| part.len() <= JOINED) {
                    let mut scratch = Scratch::take();
                    let joined = join(&mut scratch.0, parts);
                    io.poll_write(cx, &scratch.0[*written..joined])
                } else {
                    write_slices(io, cx, parts, *written)
                }
            )?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.is_dirty = true;
            self.advance(written);
        }
    }

    /// The packets that are not wholly written, and how to say goodbye then.
    pub(super) fn give_up(&mut self) -> (Outbox, End<F::Violation>) {
        let end = if self.written > 0 { End::Lost } else { End::Refused };
        let mut unwritten = Outbox::default();
        while let Some(frame) = self.outbox.pop_front() {
            // The framing's own frames are no packets.
            if !frame.packet().is_empty() {
                unwritten.push(frame, false);
            }
        }
        self.written = 0;
        (unwritten, end)
    }

    fn advance(&mut self, written: usize) {
        self.written += written;
        while let Some(frame) = self.outbox.front() {
            let length = self.framing.parts(frame).map(<[u8]>::len).sum();
            if self.written < length {
                break;
            }
            self.written -= length;
            self.outbox.pop_front();
        }
    }

    /// Says goodbye as the end demands it.
    pub(in crate::engine::transport) async fn end(self, end: End<F::Violation>) {
        match end {
            End::Lost => {}
            End::Closed(answer) => self.close(Some(answer), true, sleep(CLOSE_TIMEOUT)).await,
            End::Violation(violation) => {
                self.close(F::goodbye(Some(&violation)), false, sleep(CLOSE_TIMEOUT))
                    .await;
            }
            End::Refused => self.close(F::goodbye(None), false, sleep(CLOSE_TIMEOUT)).await,
            End::Finished(server) => {
                let patience = async {
                    let _ = timeout(FLUSH_TIMEOUT, server.closing()).await;
                    sleep(CLOSE_TIMEOUT).await;
                };
                self.close(F::goodbye(None), false, patience).await;
            }
        }
    }

    /// Writes what is left and the last frame while there is `patience`, and waits a moment for the client's
    /// unless that is what is being `answered`.
    async fn close(mut self, last: Option<Frame>, answered: bool, patience: impl Future<Output = ()>) {
        let waits = last.is_some() && !answered;
        if let Some(last) = last {
            self.push(last);
        }
        let farewell = async {
            poll_fn(|cx| self.poll_flush(cx)).await?;
            poll_fn(|cx| Pin::new(&mut self.io).poll_shutdown(cx)).await?;
            if waits {
                let answer = async {
                    let mut more = true;
                    while more {
                        let read = poll_fn(|cx| self.poll_read(cx, |_, _| ControlFlow::Continue(())));
                        more = read.await.is_ok();
                    }
                };
                let _ = timeout(CLOSE_TIMEOUT, answer).await;
            }
            Ok::<_, io::Error>(())
        };
        // Whatever goes wrong, the connection is over.
        let _ = select(pin!(farewell), pin!(patience)).await;
    }
}

/// Writes the first parts, without so many bytes.
fn write_slices<'a>(
    io: Pin<&mut impl AsyncWrite>,
    cx: &mut Context<'_>,
    parts: impl Iterator<Item = &'a [u8]>,
    mut skip: usize,
) -> Poll<io::Result<usize>> {
    let mut slices = [IoSlice::new(&[]); SLICES];
    let mut count = 0;
    for (slice, part) in slices.iter_mut().zip(parts) {
        let skipped = skip.min(part.len());
        skip -= skipped;
        *slice = IoSlice::new(&part[skipped..]);
        count += 1;
    }
    match &slices[..count] {
        [one] => io.poll_write(cx, one),
        several => io.poll_write_vectored(cx, several),
    }
}

/// Puts the short parts together that come first, as long as there is room; how many bytes they are.
fn join<'a>(buffer: &mut [u8], parts: impl Iterator<Item = &'a [u8]>) -> usize {
    let mut joined = 0;
    for part in parts.take_while(|part| part.len() <= JOINED) {
        let Some(room) = buffer.get_mut(joined..joined + part.len()) else {
            break;
        };
        room.copy_from_slice(part);
        joined += part.len();
    }
    joined
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

#[cfg(test)]
mod tests {
    use futures_util::task::noop_waker_ref;
    use proptest::prelude::*;

    use super::*;
    use crate::engine::transport::websocket::codec::Decoder;

    /// A stream that takes so many bytes at a time.
    struct Narrow {
        at_once: usize,
        taken: Vec<u8>,
        calls: usize,
    }

    impl AsyncRead for Narrow {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    impl AsyncWrite for Narrow {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            let some = &bytes[..bytes.len().min(self.at_once)];
            self.taken.extend_from_slice(some);
            self.calls += 1;
            Poll::Ready(Ok(some.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn written(frames: &[Frame], at_once: usize) -> Narrow {
        let stream = Narrow {
            at_once,
            taken: Vec::new(),
            calls: 0,
        };
        let mut wire = Wire::new(stream, Decoder::new(1, None));
        for frame in frames {
            wire.push(frame.clone());
        }
        let done = wire.poll_flush(&mut Context::from_waker(noop_waker_ref()));
        assert!(matches!(done, Poll::Ready(Ok(()))) && wire.is_flushed());
        wire.io
    }

    proptest! {
        #[test]
        fn every_byte_is_written_once_in_order_whatever_the_stream_takes(
            lengths in prop::collection::vec(prop_oneof![0..200_usize, JOINED - 10..JOINED + 10, 5_000..70_000_usize], 1..40),
            at_once in prop_oneof![1_000..3_000_usize, Just(usize::MAX)],
        ) {
            let frames: Vec<_> = lengths.iter().map(|length| Frame::bytes(&vec![length.to_le_bytes()[0]; *length].into())).collect();
            let expected: Vec<u8> = frames.iter().flat_map(|frame| frame.websocket(None)).flatten().copied().collect();
            prop_assert!(written(&frames, at_once).taken == expected);
        }
    }

    #[test]
    fn short_frames_are_written_together() {
        let frames: Vec<_> = (0..200).map(|_| Frame::text("short")).collect();
        assert_eq!(written(&frames, usize::MAX).calls, 1);
    }
}
