//! An endless response: the client's carrier puts payloads in at one end, the response's body takes
//! them out at the other.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;

use super::{
    dress::{PAGE, Wrapping},
    polling::Payload,
};
use crate::engine::connection::Connection;

/// Both ends of the response that carries a client.
pub(crate) fn channel(connection: &Connection) -> (Writer, Reader) {
    let shared = Arc::new(Mutex::new(State::default()));
    let writer = Writer(shared.clone());
    let reader = Reader {
        shared,
        connection: connection.clone(),
        has_begun: false,
    };
    (writer, reader)
}

#[derive(Debug, Default)]
struct State {
    payloads: VecDeque<Payload>,
    /// Nothing more will come, by the server's will.
    has_ended: bool,
    reader: Option<Waker>,
}

/// The carrier's end. Dropped, it ends the response after what is in it.
#[derive(Debug)]
pub(crate) struct Writer(Arc<Mutex<State>>);

impl Writer {
    /// Whether all that was put in was taken out.
    pub(crate) fn is_ready(&self) -> bool {
        lock(&self.0).payloads.is_empty()
    }

    pub(crate) fn put(&self, payload: Payload) {
        self.change(|state| state.payloads.push_back(payload));
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = lock(&self.0);
        change(&mut state);
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.change(|state| state.has_ended = true);
    }
}

/// The body's end. Dropped before the response has ended, it ends the session: the client has gone.
#[derive(Debug)]
pub(crate) struct Reader {
    shared: Arc<Mutex<State>>,
    connection: Connection,
    has_begun: bool,
}

impl Reader {
    /// The next piece of the page.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if !std::mem::replace(&mut self.has_begun, true) {
            return Poll::Ready(Some(Bytes::from_static(PAGE.as_bytes())));
        }
        let mut state = lock(&self.shared);
        let Some(mut payload) = state.payloads.pop_front() else {
            if state.has_ended {
                return Poll::Ready(None);
            }
            state.reader = Some(cx.waker().clone());
            return Poll::Pending;
        };
        drop(state);
        payload.wrap(Wrapping::Page);
        let bytes = payload.deliver();
        self.connection.wake();
        Poll::Ready(Some(bytes))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if !lock(&self.shared).has_ended {
            self.connection.close(crate::engine::CloseReason::TransportClose);
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // Nothing in here panics half-way through a change.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
