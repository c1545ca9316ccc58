//! One client above the engine: its packets to its sockets, its handlers in the order in which
//! its events came.
//!
//! Runs in the task that carries the connection and, once that has ended, on the server's runtime
//! until the handlers have. A handler's future is polled at once, and only kept if it is pending.
//! A socket's entry goes when its handlers have ended and its disconnect handler has run.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::stream::FuturesUnordered;

mod connecting;
mod entry;
mod handlers;
mod incoming;
mod leaving;
mod lookup;
mod rare;
mod rate;
mod screening;

use self::{
    entry::{Entry, Phase, Stage},
    rare::Rare,
};
use super::{
    assembly::Incomplete,
    call::Occasion,
    client::ClientShared,
    reason::DisconnectReason,
    task::{Task, contain},
};
use crate::{
    engine::{Alarm, Client, CloseReason, Connection, Flow, Message, Rest, Root, now},
    error::{Failure, FailureKind},
    handshake::Handshake,
    server::Core,
};

/// How long a packet may wait for its next attachment, or message.
const ATTACHMENT_TIMEOUT: Duration = Duration::from_secs(30);

/// A client's sockets and handlers.
pub(crate) struct SocketClient {
    core: Arc<Core>,
    connection: Connection,
    shared: Arc<ClientShared>,
    entries: Vec<Entry>,
    /// Handlers that are pending. `None` while there are none: an empty set takes memory.
    tasks: Option<Box<FuturesUnordered<Task>>>,
    /// Events that wait, in bytes.
    pending_bytes: usize,
    incomplete: Option<Box<Incomplete>>,
    rare: Option<Box<Rare>>,
    /// It is to be put into the main namespace.
    awaits_root: bool,
    /// Until when it must have joined a namespace; `None` once it has.
    join_by: Option<Instant>,
    /// It broke the rules: nothing more is taken from it.
    is_doomed: bool,
}

/// An event as it came.
struct Event<'a> {
    name: &'a str,
    args: &'a str,
    attachments: &'a [Bytes],
    stage: Stage,
}

impl SocketClient {
    pub(crate) fn new(core: Arc<Core>, connection: Connection, handshake: Handshake) -> Self {
        let join_by = Some(now() + core.config.connect_timeout);
        Self {
            core,
            awaits_root: connection.profile().root != Root::OnRequest,
            connection,
            shared: ClientShared::new(handshake),
            entries: Vec::new(),
            tasks: None,
            pending_bytes: 0,
            incomplete: None,
            rare: None,
            join_by,
            is_doomed: false,
        }
    }

    fn doom(&mut self, reason: CloseReason) {
        self.is_doomed = true;
        self.connection.close(reason);
    }

    fn live(&self, nsp: &str) -> Option<usize> {
        self.entries.iter().position(|entry| {
            matches!(entry.phase, Phase::Live) && entry.socket.path() == nsp && entry.socket.left().is_none()
        })
    }

    /// Something went wrong before there was a socket.
    fn report(&self, namespace: Option<&str>, kind: &FailureKind) {
        self.core.failures.count(kind);
        self.core.report(&Failure {
            handshake: self.shared.handshake(),
            namespace,
            socket: None,
            occasion: namespace.map(|_| Occasion::Connect),
            kind,
        });
    }

    fn advance(&mut self, cx: &mut Context<'_>) {
        loop {
            let ended = self.poll_tasks(cx) | self.poll_lookups(cx);
            let started = self.start_waiting(cx);
            let changed = self.see_off(cx);
            if !(ended || started || changed) {
                break;
            }
        }
    }
}

impl Drop for SocketClient {
    /// What an application keeps may hold the sockets that it is kept by.
    fn drop(&mut self) {
        let _ = contain(|| self.shared.end());
    }
}

impl Client for SocketClient {
    fn message(&mut self, cx: &mut Context<'_>, message: Message<'_>) -> Flow {
        if let Err(error) = self.take(cx, message) {
            self.report(None, &FailureKind::InvalidPacket(error.to_string()));
            self.doom(CloseReason::ForcedClose);
        }
        self.flow()
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Flow {
        if std::mem::take(&mut self.awaits_root) {
            self.take_connect(cx, "/", None);
        }
        self.advance(cx);
        if self.join_by.is_some() && self.entries.iter().any(|entry| entry.socket.is_connected()) {
            self.join_by = None;
        }
        if self.watches_clock() {
            self.keep_time(now());
        }
        self.flow()
    }

    fn upgraded(&mut self) {
        for socket in self.entries.iter().map(|entry| &entry.socket) {
            if socket.is_connected() {
                socket.shared().tell_upgrade(socket);
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let grace = self.grace_deadline();
        if !self.watches_clock() {
            return grace;
        }
        let stuck_until = self.rare.as_ref().and_then(|rare| rare.stuck_until);
        let others = [
            self.join_by,
            self.incomplete_deadline(),
            self.slowed_until(),
            stuck_until,
        ];
        others.into_iter().flatten().chain(grace).min()
    }

    fn close(mut self: Box<Self>, reason: CloseReason) -> Option<Rest> {
        for entry in &self.entries {
            entry.socket.leave_namespace(DisconnectReason::Closed(reason));
        }
        self.incomplete = None;
        self.join_by = None;
        self.cancel_lookups(DisconnectReason::Closed(reason));
        if self.is_over() {
            return None;
        }
        let mut alarm = Alarm::default();
        Some(Box::pin(poll_fn(move |cx| {
            loop {
                self.advance(cx);
                if self.is_over() {
                    return Poll::Ready(());
                }
                if alarm.poll(cx, self.grace_deadline()).is_pending() {
                    return Poll::Pending;
                }
            }
        })))
    }
}

impl SocketClient {
    /// Nothing goes on any more.
    fn is_over(&self) -> bool {
        self.entries.is_empty() && self.lookups() == 0
    }

    /// Whether anything but a socket's end may be due.
    fn watches_clock(&self) -> bool {
        self.join_by.is_some() || self.incomplete.is_some() || self.rare.is_some() || self.is_stuffed()
    }

    /// Does what is due.
    fn keep_time(&mut self, now: Instant) {
        self.end_slowness(now);
        if self.join_by.is_some_and(|by| by <= now) {
            self.join_by = None;
            self.doom(CloseReason::ForcedServerClose);
        }
        if self.incomplete_deadline().is_some_and(|deadline| deadline <= now) {
            tracing::debug!("a client did not send the rest of a packet: its connection is closed");
            self.incomplete = None;
            self.doom(CloseReason::ForcedClose);
        }
        self.end_deadlock(now);
    }

    fn flow(&self) -> Flow {
        if self.is_doomed || self.slowed_until().is_some() || self.is_stuffed() {
            Flow::Full
        } else {
            Flow::Open
        }
    }

    /// More waits for its handlers than may.
    fn is_stuffed(&self) -> bool {
        self.pending_bytes > self.core.config.max_pending_bytes
    }

    /// Handlers that wait for the client's answer wait for ever if that is behind what cannot be read before they have
    /// ended.
    fn end_deadlock(&mut self, now: Instant) {
        if !self.is_stuffed() || !self.entries.iter().any(|entry| entry.socket.awaits_answer()) {
            if let Some(rare) = &mut self.rare {
                rare.stuck_until = None;
            }
            return;
        }
        let until = now + self.core.config.silence;
        let until = *self.rare.get_or_insert_default().stuck_until.get_or_insert(until);
        if until <= now {
            tracing::debug!("a client's answer is behind more events than may wait: its connection is closed");
            self.doom(CloseReason::PingTimeout);
        }
    }

    fn incomplete_deadline(&self) -> Option<Instant> {
        self.incomplete.as_deref()?.deadline()
    }
}
