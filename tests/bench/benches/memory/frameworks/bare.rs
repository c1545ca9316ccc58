//! A WebSocket that a server on hyper has accepted and holds, with nothing above it: what the
//! framework's own connection costs.

use std::{
    cell::RefCell,
    future::poll_fn,
    pin::Pin,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    task::{Poll, ready},
};

use futures_util::FutureExt as _;
use http::{Response, StatusCode, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, ReadBuf};

/// Counts as a connection that is held.
pub(crate) struct Held(());

static HELD: AtomicUsize = AtomicUsize::new(0);

impl Held {
    pub(crate) fn new() -> Self {
        HELD.fetch_add(1, Relaxed);
        Self(())
    }

    pub(crate) fn count() -> usize {
        HELD.load(Relaxed)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        HELD.fetch_sub(1, Relaxed);
    }
}

pub(super) fn accept(upgrade: OnUpgrade) -> Response<String> {
    tokio::spawn(upgrade.then(|io| hold(TokioIo::new(io.expect("a connection is handed over")))));
    Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "upgrade")
        .header(header::UPGRADE, "websocket")
        .body(String::new())
        .expect("it is a response")
}

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; 32 * 1024]);
}

/// Reads until the client is gone.
async fn hold(mut io: impl AsyncRead + Unpin) {
    let _held = Held::new();
    poll_fn(|cx| {
        BUFFER.with_borrow_mut(|buffer| {
            loop {
                let mut buffer = ReadBuf::new(buffer);
                let read = ready!(Pin::new(&mut io).poll_read(cx, &mut buffer));
                if read.is_err() || buffer.filled().is_empty() {
                    return Poll::Ready(());
                }
            }
        })
    })
    .await;
}
