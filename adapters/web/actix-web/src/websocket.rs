//! A WebSocket inside of a response: actix-web hands over no connection, but writes what a response's
//! body yields, and offers what comes in as the request's payload.
//!
//! So the body is a coroutine. Polled by actix-web, it polls the client's whole life, which reads the
//! payload and writes into a buffer, and yields that buffer. No task, channel or wake-up lies
//! between the client and its handlers, and when the connection breaks, actix-web drops the body and
//! the client's life with it.
//!
//! actix-web polls no body whose last yield it could not write yet. A client that does not read would
//! live on unwatched, so a task takes over from the body until it is polled again.

use std::{
    cell::RefCell,
    convert::Infallible,
    future::poll_fn,
    pin::Pin,
    rc::{Rc, Weak},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Poll, Wake, Waker, ready},
};

use actix_http::ConnectionType;
use actix_web::{
    HttpResponse,
    body::{BodySize, MessageBody},
    web,
};
use bytes::Bytes;
use futures_util::task::AtomicWaker;
use tokio::task::AbortHandle;
use tower_socketio::{ResponseBody, Ticket};

use crate::{
    convert,
    stream::{Stream, Written},
};

pub(crate) fn response(response: http::Response<ResponseBody>, ticket: Ticket, payload: web::Payload) -> HttpResponse {
    let written = Written::default();
    let life = ticket.drive(Stream::new(payload.into_inner(), written.clone()));
    let body = Body {
        carried: Carried::new(life, written),
        yielded: 0,
        stand_in: None,
    };
    let mut response = convert::head(response.into_parts().0, body);
    response.head_mut().set_connection_type(ConnectionType::Upgrade);
    response
}

/// A stand-in is made once so much was yielded: until then the system's buffers take it.
const SURELY_WRITTEN: usize = 4 * 1024;

struct Body<F> {
    carried: Rc<Carried<F>>,
    yielded: usize,
    stand_in: Option<AbortHandle>,
}

impl<F: Future<Output = ()> + 'static> MessageBody for Body<F> {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let poller = &self.carried.poller;
        poller.body.register(cx.waker());
        poller.set_body_waits(false);
        // It is polled again for having yielded something: mostly nothing else has happened.
        if !poller.woken() && self.carried.written.is_empty() {
            return Poll::Pending;
        }
        let life = self.carried.poll();
        if self.carried.written.is_full() {
            poller.woken.store(true, SeqCst);
        }
        let written = self.carried.written.take();
        if written.is_empty() {
            return life.map(|()| None);
        }
        poller.set_body_waits(true);
        self.yielded += written.len();
        if self.yielded > SURELY_WRITTEN && self.stand_in.is_none() {
            let stand_in = stand_in(Rc::downgrade(&self.carried));
            self.stand_in = Some(tokio::task::spawn_local(stand_in).abort_handle());
        }
        Poll::Ready(Some(Ok(written)))
    }
}

impl<F> Drop for Body<F> {
    fn drop(&mut self) {
        if let Some(stand_in) = &self.stand_in {
            stand_in.abort();
        }
    }
}

async fn stand_in<F: Future<Output = ()>>(carried: Weak<Carried<F>>) {
    poll_fn(|cx| match carried.upgrade() {
        None => Poll::Ready(()),
        Some(carried) => {
            carried.poller.stand_in.register(cx.waker());
            if carried.poller.body_waits() {
                carried.poll()
            } else {
                Poll::Pending
            }
        }
    })
    .await;
}

/// The client's life, for whoever polls it.
struct Carried<F> {
    /// `None` once it has ended.
    life: RefCell<Option<Pin<Box<F>>>>,
    written: Written,
    poller: Arc<Poller>,
    waker: Waker,
}

impl<F: Future<Output = ()>> Carried<F> {
    fn new(life: F, written: Written) -> Rc<Self> {
        let poller = Arc::new(Poller {
            woken: true.into(),
            ..Poller::default()
        });
        Rc::new(Self {
            life: RefCell::new(Some(Box::pin(life))),
            written,
            waker: poller.clone().into(),
            poller,
        })
    }

    fn poll(&self) -> Poll<()> {
        let mut slot = self.life.borrow_mut();
        let Some(life) = &mut *slot else {
            return Poll::Ready(());
        };
        self.poller.woken.store(false, SeqCst);
        ready!(life.as_mut().poll(&mut Context::from_waker(&self.waker)));
        // For whoever polls next, to hear of it.
        self.poller.woken.store(true, SeqCst);
        *slot = None;
        Poll::Ready(())
    }
}

/// Knows who is to poll the client's life when there is something for it to do.
#[derive(Default)]
struct Poller {
    body: AtomicWaker,
    stand_in: AtomicWaker,
    /// Whether the body may wait for what it yielded to be written.
    body_waits: AtomicBool,
    /// Whether there may be something to do since the life was polled.
    woken: AtomicBool,
}

impl Poller {
    fn body_waits(&self) -> bool {
        self.body_waits.load(SeqCst)
    }

    fn woken(&self) -> bool {
        self.woken.load(SeqCst)
    }

    fn set_body_waits(&self, waits: bool) {
        self.body_waits.store(waits, SeqCst);
        // The body was woken just before, and may not come.
        if waits && self.woken() {
            self.stand_in.wake();
        }
    }
}

impl Wake for Poller {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, SeqCst);
        let poller = if self.body_waits() { &self.stand_in } else { &self.body };
        poller.wake();
    }
}

#[cfg(test)]
mod tests;
