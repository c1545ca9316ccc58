//! What is told of sockets, events and handlers: to the log, and to the metrics that
//! [`observability`](crate::observability) lists.

use std::array;

use tracing::Span;

use super::{call::Occasion, handler::HandlerFuture, reason::DisconnectReason, socket::Socket};
use crate::{
    engine::CloseReason,
    error::FailureKind,
    observability::{
        self, TARGET,
        instruments::{Begin, Counter, Gauge, Histogram, Shared, counter, gauge, histogram, share},
        within,
    },
};

/// The counts of a namespace.
pub(crate) struct Meter {
    sockets: Gauge,
    connects: Counter,
    disconnects: [Counter; DisconnectReason::ALL.len()],
    events_received: Counter,
    events_sent: Counter,
    events_waiting: Gauge,
    failures: Failures,
    pub(crate) rooms: Gauge,
    /// Of what lets sockets in.
    pub(crate) connect: Timer,
    pub(crate) disconnect: Timer,
    /// Of handlers of events that have none of their own.
    pub(crate) unnamed: Timer,
}

impl Meter {
    /// `namespace` is the application's word, never a client's.
    pub(crate) fn new(namespace: &str) -> Self {
        let labels = &[namespace];
        let left = |reason: DisconnectReason| counter(&observability::DISCONNECTS, &[namespace, reason.as_str()]);
        Self {
            sockets: gauge(&observability::SOCKETS, labels),
            connects: counter(&observability::CONNECTS, labels),
            disconnects: DisconnectReason::ALL.map(left),
            events_received: counter(&observability::EVENTS_RECEIVED, labels),
            events_sent: counter(&observability::EVENTS_SENT, labels),
            events_waiting: gauge(&observability::EVENTS_WAITING, labels),
            failures: Failures::new(namespace),
            rooms: gauge(&observability::ROOMS, labels),
            connect: Timer::new(namespace, "connect"),
            disconnect: Timer::new(namespace, "disconnect"),
            unnamed: Timer::new(namespace, "*"),
        }
    }

    pub(crate) fn let_in(&self, socket: &Socket) {
        self.sockets.increment(1.0);
        self.connects.increment(1);
        tracing::debug!(
            name: "socketio.connect",
            target: TARGET,
            namespace = socket.path(),
            socket = socket.public_id(),
            "a socket has connected"
        );
    }

    pub(crate) fn left(&self, socket: &Socket, reason: DisconnectReason) {
        self.sockets.decrement(1.0);
        self.disconnects[reason.index()].increment(1);
        tracing::debug!(
            name: "socketio.disconnect",
            target: TARGET,
            namespace = socket.path(),
            socket = socket.public_id(),
            %reason,
            "a socket has left"
        );
    }

    pub(crate) fn event_received(&self) {
        self.events_received.increment(1);
    }

    pub(crate) fn event_sent(&self) {
        self.events_sent.increment(1);
    }

    /// An event waits for as long as what this returns is kept.
    pub(crate) fn event_waits(&self) -> InProgress {
        InProgress::new(&self.events_waiting)
    }

    pub(crate) fn failed(&self, kind: &FailureKind) {
        self.failures.count(kind);
    }
}

/// Counts what goes wrong.
pub(crate) struct Failures([Counter; FailureKind::NAMES.len()]);

impl Failures {
    /// Of a namespace, or, where its name is empty, before there is one.
    pub(crate) fn new(namespace: &str) -> Self {
        let failure = |index: usize| counter(&observability::FAILURES, &[namespace, FailureKind::NAMES[index]]);
        Self(array::from_fn(failure))
    }

    pub(crate) fn count(&self, kind: &FailureKind) {
        let index = FailureKind::NAMES.iter().position(|name| *name == kind.name());
        debug_assert!(index.is_some(), "{} is not among the names", kind.name());
        if let Some(index) = index {
            self.0[index].increment(1);
        }
    }
}

/// What is in progress as long as it is kept, however it ends.
pub(crate) struct InProgress(Gauge);

impl InProgress {
    fn new(gauge: &Gauge) -> Self {
        gauge.increment(1.0);
        Self(gauge.clone())
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

/// Measures a handler.
#[derive(Clone)]
pub(crate) struct Timer(Shared<Timed>);

#[derive(Clone)]
struct Timed {
    running: Gauge,
    seconds: Histogram,
}

impl Timer {
    /// `event` has a handler: it is the application's word.
    pub(crate) fn new(namespace: &str, event: &str) -> Self {
        let labels = &[namespace, event];
        Self(share(Timed {
            running: gauge(&observability::HANDLERS_RUNNING, labels),
            seconds: histogram(&observability::HANDLER_SECONDS, labels),
        }))
    }

    pub(crate) fn begin(&self) -> Running {
        Running {
            _in_progress: InProgress::new(&self.0.running),
            timer: self.clone(),
            begin: Begin::now(),
        }
    }
}

/// A handler is in progress.
pub(crate) struct Running {
    timer: Timer,
    begin: Begin,
    _in_progress: InProgress,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.timer.0.seconds.record(self.begin.seconds());
    }
}

/// A handler within its span.
#[inline]
pub(crate) fn in_span(socket: &Socket, occasion: Occasion<'_>, future: HandlerFuture) -> HandlerFuture {
    within(|| span(socket, occasion), future)
}

#[cold]
fn span(socket: &Socket, occasion: Occasion<'_>) -> Span {
    let event = match occasion {
        Occasion::Connect => "connect",
        Occasion::Event(name) => name,
        Occasion::Disconnect => "disconnect",
        Occasion::Job => "job",
    };
    tracing::debug_span!(
        target: TARGET,
        "socketio.handler",
        namespace = socket.path(),
        event,
        socket = socket.public_id(),
    )
}

impl DisconnectReason {
    const ALL: [Self; 2 + CloseReason::ALL.len()] = {
        let mut all = [Self::ClientNamespaceDisconnect; 2 + CloseReason::ALL.len()];
        all[1] = Self::ServerNamespaceDisconnect;
        let mut at = 0;
        while at < CloseReason::ALL.len() {
            all[2 + at] = Self::Closed(CloseReason::ALL[at]);
            at += 1;
        }
        all
    };

    fn index(self) -> usize {
        match self {
            Self::ClientNamespaceDisconnect => 0,
            Self::ServerNamespaceDisconnect => 1,
            Self::Closed(reason) => 2 + reason as usize,
        }
    }
}

const _: () = assert!(
    size_of::<Counter>() > 0 || size_of::<Meter>() + size_of::<Running>() == 0,
    "where nothing is counted, nothing is kept"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_place_of_its_own() {
        assert!(
            DisconnectReason::ALL
                .iter()
                .enumerate()
                .all(|(at, reason)| reason.index() == at)
        );
    }
}
