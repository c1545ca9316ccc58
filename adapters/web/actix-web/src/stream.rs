//! A WebSocket's bytes as a stream: read from the request's payload, written for the response's body.

use std::{
    cell::RefCell,
    io::{self, IoSlice},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use actix_web::dev::Payload;
use bytes::{Buf as _, Bytes, BytesMut};
use futures_util::StreamExt as _;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What may be written and not yet yielded by the body.
const WRITE: usize = 64 * 1024;

/// What is written and not yet yielded by the body.
#[derive(Clone, Default)]
pub(crate) struct Written(Rc<RefCell<BytesMut>>);

thread_local! {
    /// For whoever writes next: a client keeps no buffer while it is idle.
    static SPARE: RefCell<BytesMut> = RefCell::default();
}

impl Written {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// Whether the life has to wait until it is taken.
    pub(crate) fn is_full(&self) -> bool {
        self.0.borrow().len() == WRITE
    }

    pub(crate) fn take(&self) -> Bytes {
        let mut buffer = self.0.take();
        let bytes = buffer.split().freeze();
        if !bytes.is_empty() {
            // actix-web copies what is yielded, and drops it: then all of this buffer is free again.
            SPARE.set(buffer);
        }
        bytes
    }

    /// As much as there is room for; returns how much that is.
    pub(crate) fn put(&self, slices: &[IoSlice<'_>]) -> usize {
        let mut written = self.0.borrow_mut();
        if written.is_empty() {
            *written = SPARE.take();
        }
        let before = written.len();
        for slice in slices {
            let room = WRITE - written.len();
            written.extend_from_slice(&slice[..slice.len().min(room)]);
        }
        written.len() - before
    }
}

pub(crate) struct Stream {
    payload: Payload,
    unread: Bytes,
    written: Written,
}

impl Stream {
    pub(crate) fn new(payload: Payload, written: Written) -> Self {
        Self {
            payload,
            unread: Bytes::new(),
            written,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.unread.is_empty() {
            match ready!(self.payload.poll_next_unpin(cx)) {
                Some(Ok(bytes)) => self.unread = bytes,
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                None => return Poll::Ready(Ok(())),
            }
        }
        let length = self.unread.len().min(buffer.remaining());
        buffer.put_slice(&self.unread[..length]);
        self.unread.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    /// Pending without a waker: the body polls again once it has yielded what is in the way.
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.written.put(slices) {
            0 => Poll::Pending,
            written => Poll::Ready(Ok(written)),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
