//! One socket of a client: where it is in its life, and its events that wait.

use std::{collections::VecDeque, mem::size_of, time::Instant};

use bytes::Bytes;

use crate::socketio::{ack::OpenAck, meter::InProgress, socket::Socket};

/// One socket of the client.
pub(super) struct Entry {
    pub(super) socket: Socket,
    pub(super) phase: Phase,
    /// Its handlers among the tasks.
    pub(super) running: usize,
    /// `None` while no event waits.
    pub(super) queue: Option<Box<Queue>>,
}

/// The events of a socket that wait for their turn.
#[derive(Default)]
pub(super) struct Queue {
    pub(super) events: VecDeque<Waiting>,
    /// Middleware has the event before them.
    pub(super) is_screening: bool,
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
    pub(super) stage: Stage,
    /// `None` until it waits for a socket.
    pub(super) counted: Option<InProgress>,
}

/// How far an event has come.
#[derive(Clone)]
pub(super) enum Stage {
    /// As it came, with the id of the ack that the client waits for.
    Arrived(Option<u64>),
    /// Middleware has let it through.
    Screened(Option<OpenAck>),
}

impl Stage {
    pub(super) fn ack(&self) -> Option<OpenAck> {
        match self {
            Self::Arrived(id) => id.map(OpenAck::new),
            Self::Screened(ack) => ack.clone(),
        }
    }
}

impl Entry {
    pub(super) fn new(socket: Socket) -> Self {
        Self {
            socket,
            phase: Phase::Live,
            running: 0,
            queue: None,
        }
    }

    /// Whether an event that comes now has to wait for others.
    pub(super) fn has_queue(&self) -> bool {
        self.queue.is_some()
    }

    /// Whether one of the events that wait has its turn: not while middleware has one.
    pub(super) fn has_next(&self) -> bool {
        let queue = self.queue.as_ref();
        queue.is_some_and(|queue| !queue.is_screening && !queue.events.is_empty())
    }

    pub(super) fn push(&mut self, mut event: Waiting) {
        event.counted = Some(self.socket.shared().meter.event_waits());
        self.queue.get_or_insert_default().events.push_back(event);
    }

    pub(super) fn pop(&mut self) -> Option<Waiting> {
        let event = self.queue.as_mut()?.events.pop_front();
        self.drop_empty_queue();
        event
    }

    pub(super) fn begin_screening(&mut self) {
        self.queue.get_or_insert_default().is_screening = true;
    }

    /// Middleware has done with the event that it had; what it let through is the next.
    pub(super) fn end_screening(&mut self, passed: Option<Waiting>) {
        let queue = self.queue.get_or_insert_default();
        queue.is_screening = false;
        if let Some(passed) = passed {
            queue.events.push_front(passed);
        }
        self.drop_empty_queue();
    }

    /// Events that waited for their turn get none.
    pub(super) fn drop_waiting(&mut self, pending_bytes: &mut usize) {
        if let Some(queue) = &mut self.queue {
            let waiting = std::mem::take(&mut queue.events);
            *pending_bytes -= waiting.iter().map(Waiting::bytes).sum::<usize>();
            self.drop_empty_queue();
        }
    }

    fn drop_empty_queue(&mut self) {
        self.queue
            .take_if(|queue| queue.events.is_empty() && !queue.is_screening);
    }
}

impl Waiting {
    pub(super) fn bytes(&self) -> usize {
        let attachments: usize = self.attachments.iter().map(Bytes::len).sum();
        size_of::<Self>() + self.name.len() + self.args.len() + attachments
    }
}
