//! What is told of clients: to the log, and to the metrics that [`observability`](crate::observability) lists.
//! Never called while a connection's state is locked.

use std::array;

use super::{
    config::EngineConfig,
    generation::{Generation, Switch},
    reason::CloseReason,
    traffic::Traffic,
    transport::Transport,
};
use crate::observability::{
    self, Scope, TARGET,
    instruments::{Counter, Gauge, Shared, counter, gauge, share},
};

/// The counts of an engine, cheap to clone.
#[derive(Clone)]
pub(super) struct Meter(Shared<Instruments>);

#[derive(Clone)]
struct Instruments {
    links: [[Link; Transport::ALL.len()]; Generation::ALL.len()],
    closed: [Counter; CloseReason::ALL.len()],
    refused: [Counter; REFUSALS.len()],
    upgrade_failures: Counter,
    traffic: Traffic,
}

/// Clients of one generation on one transport.
#[derive(Clone)]
struct Link {
    connections: Gauge,
    handshakes: Counter,
    upgrades: Counter,
    messages_received: Counter,
    bytes_received: Counter,
    messages_sent: Counter,
    bytes_sent: Counter,
    volatile_dropped: Counter,
    slow_readers: Counter,
}

/// What became of messages for a client.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Queued {
    pub(super) messages: usize,
    pub(super) bytes: usize,
    /// Volatile ones that are lost.
    pub(super) dropped: usize,
    /// How many bytes waited when it was cut off.
    pub(super) cut_off_at: Option<usize>,
}

/// Why a request was refused.
#[derive(Debug, Clone, Copy)]
pub(super) enum Refused {
    Request { code: u8 },
    Closing,
    BadWebSocket,
}

/// The first ones by the code of a [`ConnectionErrorKind`](super::ConnectionErrorKind).
const REFUSALS: [&str; 8] = [
    "transport_unknown",
    "session_unknown",
    "bad_handshake_method",
    "bad_request",
    "forbidden",
    "unsupported_protocol",
    "closing",
    "bad_websocket",
];

impl Refused {
    fn index(self) -> usize {
        match self {
            Self::Request { code } => code.into(),
            Self::Closing => 6,
            Self::BadWebSocket => 7,
        }
    }
}

impl Meter {
    pub(super) fn new(config: &EngineConfig) -> Self {
        let link = |generation: Generation, transport: Transport| {
            let transports: &[Transport] = match generation.profile().switch {
                Switch::Probe => &Transport::IN_QUERY,
                Switch::Newest => &Transport::IN_PATH,
            };
            let is_webtransport = transport == Transport::WebTransport && generation == Generation::OF_WEBTRANSPORT;
            let may_be = transports.contains(&transport) || is_webtransport && config.transports.contains(&transport);
            if config.generations.contains(&generation) && may_be {
                Link::new(&generation.to_string(), transport.as_str())
            } else {
                Link::none()
            }
        };
        Self(share(Instruments {
            links: Generation::ALL.map(|generation| Transport::ALL.map(|transport| link(generation, transport))),
            closed: CloseReason::ALL.map(|reason| counter(&observability::CONNECTIONS_CLOSED, &[reason.as_str()])),
            refused: array::from_fn(|index| counter(&observability::REFUSALS, &[REFUSALS[index]])),
            upgrade_failures: counter(&observability::UPGRADE_FAILURES, &[]),
            traffic: Traffic::new(),
        }))
    }

    /// What is counted while somebody looks.
    #[cfg(feature = "admin")]
    pub(super) fn traffic(&self) -> &Traffic {
        &self.0.traffic
    }

    fn link(&self, generation: Generation, transport: Transport) -> &Link {
        &self.0.links[generation as usize][transport as usize]
    }

    /// A client has shaken hands: the span of all that is done for it.
    pub(super) fn opened(&self, generation: Generation, transport: Transport) -> Scope {
        let link = self.link(generation, transport);
        link.handshakes.increment(1);
        link.connections.increment(1.0);
        self.0.traffic.opened();
        let span = tracing::debug_span!(target: TARGET, parent: None, "socketio.connection", %generation, %transport);
        let scope = Scope::new(span);
        let entered = scope.enter();
        tracing::debug!(
            name: "socketio.connection.open",
            target: TARGET,
            %generation,
            %transport,
            "a client has connected"
        );
        drop(entered);
        scope
    }

    /// Its first transport, too, may be another than that of its handshake; that is no upgrade.
    pub(super) fn moved(&self, generation: Generation, from: Transport, to: Transport, is_upgrade: bool) {
        self.link(generation, from).connections.decrement(1.0);
        self.link(generation, to).connections.increment(1.0);
        if is_upgrade {
            self.link(generation, to).upgrades.increment(1);
            tracing::debug!(
                name: "socketio.connection.upgrade",
                target: TARGET,
                %from,
                %to,
                "a client has changed its transport"
            );
        }
    }

    pub(super) fn upgrade_failed(&self) {
        self.0.upgrade_failures.increment(1);
        tracing::debug!(
            name: "socketio.connection.upgrade_failed",
            target: TARGET,
            "a WebSocket did not become its client's transport"
        );
    }

    pub(super) fn closed(&self, generation: Generation, transport: Transport, reason: CloseReason) {
        self.link(generation, transport).connections.decrement(1.0);
        self.0.closed[reason as usize].increment(1);
        self.0.traffic.closed(reason);
        tracing::debug!(name: "socketio.connection.close", target: TARGET, %reason, "a client has gone");
    }

    pub(super) fn refused(&self, why: Refused) {
        let index = why.index();
        self.0.refused[index].increment(1);
        tracing::debug!(
            name: "socketio.refusal",
            target: TARGET,
            reason = REFUSALS[index],
            "a request was refused"
        );
    }

    #[inline]
    pub(super) fn received(&self, generation: Generation, transport: Transport, bytes: usize) {
        let link = self.link(generation, transport);
        link.messages_received.increment(1);
        link.bytes_received.increment(bytes as u64);
        self.0.traffic.received(bytes);
    }

    #[inline]
    pub(super) fn queued(&self, generation: Generation, transport: Transport, queued: Queued) {
        let link = self.link(generation, transport);
        if queued.messages > 0 {
            link.messages_sent.increment(queued.messages as u64);
            link.bytes_sent.increment(queued.bytes as u64);
            self.0.traffic.sent(queued.messages, queued.bytes);
        }
        if queued.dropped > 0 {
            link.volatile_dropped.increment(queued.dropped as u64);
        }
        if let Some(waiting) = queued.cut_off_at {
            link.slow_readers.increment(1);
            cut_off(waiting);
        }
    }
}

#[cold]
fn cut_off(waiting: usize) {
    tracing::debug!(
        name: "socketio.connection.slow",
        target: TARGET,
        waiting,
        "a client reads too slowly and is cut off"
    );
}

impl Link {
    fn new(generation: &str, transport: &str) -> Self {
        let labels = [generation, transport];
        let counter = |metric| counter(metric, &labels);
        Self {
            connections: gauge(&observability::CONNECTIONS, &labels),
            handshakes: counter(&observability::HANDSHAKES),
            upgrades: counter(&observability::UPGRADES),
            messages_received: counter(&observability::MESSAGES_RECEIVED),
            bytes_received: counter(&observability::BYTES_RECEIVED),
            messages_sent: counter(&observability::MESSAGES_SENT),
            bytes_sent: counter(&observability::BYTES_SENT),
            volatile_dropped: counter(&observability::VOLATILE_DROPPED),
            slow_readers: counter(&observability::SLOW_READERS),
        }
    }

    /// No client can be on it.
    fn none() -> Self {
        Self {
            connections: Gauge::noop(),
            handshakes: Counter::noop(),
            upgrades: Counter::noop(),
            messages_received: Counter::noop(),
            bytes_received: Counter::noop(),
            messages_sent: Counter::noop(),
            bytes_sent: Counter::noop(),
            volatile_dropped: Counter::noop(),
            slow_readers: Counter::noop(),
        }
    }
}

const _: () = assert!(
    size_of::<Counter>() > 0 || size_of::<Meter>() == size_of::<Traffic>(),
    "where nothing is counted, nothing is kept"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instruments_are_found_by_what_they_are_for() {
        assert!(Generation::ALL.iter().enumerate().all(|(at, one)| *one as usize == at));
        assert!(Transport::ALL.iter().enumerate().all(|(at, one)| *one as usize == at));
        assert!(CloseReason::ALL.iter().enumerate().all(|(at, one)| *one as usize == at));
        let forbidden = Refused::Request { code: 4 };
        let names = [forbidden, Refused::Closing, Refused::BadWebSocket].map(|why| REFUSALS[why.index()]);
        assert_eq!(names, ["forbidden", "closing", "bad_websocket"]);
    }
}
