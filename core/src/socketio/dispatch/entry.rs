//! One socket of a client: where it is in its life, and its events that wait.

use std::{collections::VecDeque, mem::size_of, time::Instant};

use bytes::Bytes;

use crate::socketio::{meter::InProgress, socket::Socket};

/// One socket of the client.
pub(super) struct Entry {
    pub(super) socket: Socket,
    pub(super) phase: Phase,
    /// Its handlers among the tasks.
    pub(super) running: usize,
    pub(super) waiting: VecDeque<Waiting>,
}

pub(super) enum Phase {
    Live,
    /// It has left; its handlers may go on until then.
    Leaving(Grace),
    /// Its disconnect handler may go on until then.
    Disconnecting(Grace),
}

/// Until when handlers may go on; `None` once they have been aborted.
pub(super) type Grace = Option<Instant>;

/// An event that waits for its turn.
pub(super) struct Waiting {
    pub(super) name: Box<str>,
    pub(super) args: Box<str>,
    pub(super) attachments: Vec<Bytes>,
    pub(super) id: Option<u64>,
    pub(super) _counted: InProgress,
}

impl Entry {
    /// Events that waited for their turn get none.
    pub(super) fn drop_waiting(&mut self, pending_bytes: &mut usize) {
        let waiting = std::mem::take(&mut self.waiting);
        *pending_bytes -= waiting.iter().map(Waiting::bytes).sum::<usize>();
    }
}

impl Waiting {
    pub(super) fn bytes(&self) -> usize {
        let attachments: usize = self.attachments.iter().map(Bytes::len).sum();
        size_of::<Self>() + self.name.len() + self.args.len() + attachments
    }
}
