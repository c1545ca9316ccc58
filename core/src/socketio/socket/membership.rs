//! Whether a socket is in its namespace: it asks to be, is, and has left. What it does before it is let in is held.

use std::sync::Arc;

use super::Socket;
use crate::{
    engine::CloseReason,
    socketio::{broadcast::Broadcast, frames::Frames, reason::DisconnectReason},
};

pub(super) enum Status {
    /// Not let in yet: what it sends and joins is held until it is.
    Connecting(Held),
    Connected,
    Left {
        reason: DisconnectReason,
        was: Was,
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
    Broadcast(Broadcast, Frames),
}

impl Socket {
    /// Lets the socket in: the client is told, then what was held goes out. `false`: it has left
    /// meanwhile.
    pub(crate) fn accept(&self) -> bool {
        let mut state = self.lock();
        let Status::Connecting(held) = &mut state.status else {
            return false;
        };
        let held = std::mem::take(held);
        state.status = Status::Connected;
        let connection = &self.0.connection;
        Frames::connect(connection.generation(), self.path(), self.id()).send(connection, false);
        let rooms = &self.0.namespace.rooms;
        rooms.insert(self);
        self.0.client.insert(self);
        state.rooms = held.rooms.iter().filter_map(|room| rooms.join(self, room)).collect();
        // With the lock: what another task emits now comes after it.
        for emit in held.emits {
            match emit {
                HeldEmit::Own(frames) => frames.send(connection, false),
                HeldEmit::Broadcast(broadcast, frames) => broadcast.send(&frames),
            }
        }
        true
    }

    /// Takes the socket out of its namespace; the first reason counts. `None`: it was out before.
    pub(crate) fn leave_namespace(&self, reason: DisconnectReason) -> Option<Was> {
        let mut state = self.lock();
        let was = match state.status {
            Status::Connecting(_) => Was::Connecting,
            Status::Connected => Was::Connected,
            Status::Left { .. } => return None,
        };
        state.status = Status::Left { reason, was };
        // Whoever waits for one is told by the drop.
        let acks = std::mem::take(&mut state.acks);
        let jobs = state.extras.as_mut().map(|extras| extras.jobs.take());
        if was == Was::Connected {
            self.0.namespace.rooms.remove(self.id(), &state.rooms);
            self.0.client.remove(self);
        }
        drop(state);
        // Before the acks: a job that waits for one ends without seeing that nobody answers.
        jobs.unwrap_or_default().abort();
        drop(acks);
        Some(was)
    }

    /// Why it left, once it has, and what it had been.
    pub(crate) fn left(&self) -> Option<(DisconnectReason, Was)> {
        match self.lock().status {
            Status::Left { reason, was } => Some((reason, was)),
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

    /// Holds a broadcast until the socket is let in; gives it back when it is.
    pub(crate) fn hold(&self, broadcast: Broadcast, frames: Frames) -> Option<(Broadcast, Frames)> {
        let mut state = self.lock();
        match &mut state.status {
            Status::Connecting(held) => {
                self.push_held(held, frames.bytes(), HeldEmit::Broadcast(broadcast, frames));
                None
            }
            Status::Connected | Status::Left { .. } => Some((broadcast, frames)),
        }
    }

    pub(super) fn push_held(&self, held: &mut Held, bytes: usize, emit: HeldEmit) {
        held.bytes += bytes;
        if held.bytes > self.0.namespace.max_held_bytes() {
            tracing::warn!("a connect handler sends more than an outbox holds before the client is let in");
            self.0.connection.close(CloseReason::TransportError);
            return;
        }
        held.emits.push(emit);
    }
}
