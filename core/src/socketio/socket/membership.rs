//! Whether a socket is in its namespace: it asks to be, is, and has left. What it does before it is let in is held.

use std::sync::Arc;

use super::Socket;
use crate::{
    engine::{CloseReason, Flags, Wake},
    socketio::{
        acks::Question, broadcast::Broadcast, frames::Frames, reason::DisconnectReason, recovery::history::History,
    },
};

pub(super) enum Status {
    /// Not let in yet: what it sends and joins is held until it is.
    Connecting(Held),
    Connected,
    Left {
        reason: DisconnectReason,
        was: Was,
        /// Its last handler has run, and its client does not come back: it keeps nothing of the application's.
        has_ended: bool,
    },
}

/// What a socket was before it left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Was {
    Connecting,
    Connected,
}

/// What a socket does before it is let in.
#[derive(Default)]
pub(super) struct Held {
    pub(super) bytes: usize,
    pub(super) emits: Vec<HeldEmit>,
    pub(super) rooms: Vec<Arc<str>>,
}

pub(super) enum HeldEmit {
    Own(Frames),
    /// With the question that it asks, if it does.
    Broadcast(Broadcast, Frames, Option<Question>),
}

impl Socket {
    /// Lets the socket in: the client is told, then what was held goes out. `false`: it has left
    /// meanwhile.
    pub(crate) fn accept(&self) -> bool {
        let connection = &self.0.connection;
        let connected = Frames::connect(
            self.0.namespace.parser(),
            connection.generation(),
            self.path(),
            self.id(),
            self.pid().as_ref(),
        );
        let mut state = self.lock();
        let Status::Connecting(held) = &mut state.status else {
            return false;
        };
        let held = std::mem::take(held);
        state.status = Status::Connected;
        let history = self.0.namespace.history.as_deref();
        let mut log = history.map(History::lock);
        if let (Some(history), Some(log)) = (history, &mut log) {
            if let Some(lineage) = state.lineage_mut() {
                lineage.enter(history, log, self, &held.rooms);
            }
            log.enter();
        }
        connected.send(connection, Flags::default(), Wake::Now);
        let rooms = &self.0.namespace.rooms;
        rooms.insert(self);
        self.0.client.insert(self);
        // A question is for sockets that have locks of their own.
        let asks = |emit: &HeldEmit| matches!(emit, HeldEmit::Broadcast(_, _, Some(_)));
        let mut emits = held.emits;
        let unlocked = emits.iter().position(asks).map(|at| emits.split_off(at));
        state.rooms = held.rooms.iter().filter_map(|room| rooms.join(self, room)).collect();
        drop(log);
        // With the lock: what another task emits now comes after it.
        self.send_held(&emits);
        drop(state);
        self.0.namespace.meter.let_in(self);
        rooms.tell();
        self.show_held(&emits);
        let unlocked = unlocked.unwrap_or_default();
        self.send_held(&unlocked);
        self.show_held(&unlocked);
        true
    }

    fn send_held(&self, emits: &[HeldEmit]) {
        for emit in emits {
            match emit {
                HeldEmit::Own(frames) => self.transmit(frames, Flags::default()),
                HeldEmit::Broadcast(broadcast, frames, question) => broadcast.send_frames(frames, question.as_ref()),
            }
        }
    }

    /// Listeners are called without a lock, and so were not when it was sent.
    fn show_held(&self, emits: &[HeldEmit]) {
        for emit in emits {
            match emit {
                HeldEmit::Own(frames) => self.show_outgoing(frames),
                HeldEmit::Broadcast(broadcast, frames, _) => broadcast.show(frames),
            }
        }
    }

    /// Takes the socket out of its namespace; the first reason counts. `None`: it was out before.
    pub(crate) fn leave_namespace(&self, reason: DisconnectReason) -> Option<Was> {
        let mut state = self.lock();
        let was = match state.status {
            Status::Connecting(_) => Was::Connecting,
            Status::Connected => Was::Connected,
            Status::Left { .. } => return None,
        };
        state.status = Status::Left {
            reason,
            was,
            has_ended: false,
        };
        let acks = std::mem::take(&mut state.acks);
        let jobs = state.extras.as_mut().map(|extras| extras.jobs.take());
        let remember = state.lineage_mut().and_then(|lineage| lineage.remember(reason, was));
        let namespace = &self.0.namespace;
        let seen_off = match &namespace.history {
            Some(history) if was == Was::Connected || remember.is_some() => {
                Some((history, history.see_off(self, &state.rooms, was, remember)))
            }
            None if was == Was::Connected => {
                namespace.rooms.remove(self.id(), &state.rooms);
                None
            }
            _ => None,
        };
        if was == Was::Connected {
            self.0.client.remove(self);
        }
        drop(state);
        if let Some((history, seen_off)) = seen_off {
            history.finish(seen_off);
        }
        if was == Was::Connected {
            self.0.namespace.meter.left(self, reason);
            namespace.core().watch.tell(|watcher| watcher.left(self, reason));
        }
        // Before the acks: a job that waits for one ends without seeing that nobody answers.
        jobs.unwrap_or_default().abort();
        for (_, asker) in acks {
            asker.tell(self.id(), None);
        }
        namespace.rooms.tell();
        Some(was)
    }

    /// Why it left, once it has, and what it had been.
    pub(crate) fn left(&self) -> Option<(DisconnectReason, Was)> {
        match self.lock().status {
            Status::Left { reason, was, .. } => Some((reason, was)),
            Status::Connecting(_) | Status::Connected => None,
        }
    }

    /// Whether it is or was connected.
    pub(crate) fn was_let_in(&self) -> bool {
        match self.lock().status {
            Status::Connecting(_) => false,
            Status::Connected => true,
            Status::Left { was, .. } => was == Was::Connected,
        }
    }

    pub(crate) fn is_connecting(&self) -> bool {
        matches!(self.lock().status, Status::Connecting(_))
    }

    /// Holds a broadcast until the socket is let in; gives its frames back when it is.
    pub(crate) fn hold(&self, broadcast: &Broadcast, frames: Frames, question: Option<&Question>) -> Option<Frames> {
        let mut state = self.lock();
        match &mut state.status {
            Status::Connecting(held) => {
                let bytes = frames.bytes();
                let emit = HeldEmit::Broadcast(broadcast.clone(), frames, question.cloned());
                self.push_held(held, bytes, emit);
                None
            }
            Status::Connected | Status::Left { .. } => Some(frames),
        }
    }

    pub(super) fn push_held(&self, held: &mut Held, bytes: usize, mut emit: HeldEmit) {
        let (HeldEmit::Own(frames) | HeldEmit::Broadcast(_, frames, _)) = &mut emit;
        frames.is_held = true;
        held.bytes += bytes;
        if held.bytes > self.0.namespace.max_held_bytes() {
            tracing::warn!("a connect handler sends more than an outbox holds before the client is let in");
            self.0.connection.close(CloseReason::TransportError);
            return;
        }
        held.emits.push(emit);
    }
}
