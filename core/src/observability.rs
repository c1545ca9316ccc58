//! Seeing inside: what the server says by [`tracing`], and what it counts.
//!
//! # Spans and events
//!
//! All have the target `tower_socketio` and the level `DEBUG`: `RUST_LOG=tower_socketio=debug` shows them. While no
//! subscriber asks for them, they are not made.
//!
//! | span | around | fields |
//! | --- | --- | --- |
//! | `socketio.connection` | what is done for a client: reading, handlers, timers | `generation`, `transport` (that it began with) |
//! | `socketio.handler` | each time that a handler goes on; inside of its client's span | `namespace`, `event`, `socket` |
//!
//! | event | when | fields |
//! | --- | --- | --- |
//! | `socketio.connection.open` | a client has shaken hands | `generation`, `transport` |
//! | `socketio.connection.upgrade` | it has another transport | `from`, `to` |
//! | `socketio.connection.upgrade_failed` | a WebSocket did not become its transport | |
//! | `socketio.connection.slow` | it reads too slowly and is cut off | `waiting` (bytes) |
//! | `socketio.connection.close` | it has gone | `reason` |
//! | `socketio.refusal` | a request was refused | `reason` |
//! | `socketio.connect` | a socket was let in | `namespace`, `socket` |
//! | `socketio.disconnect` | a socket that was let in has left | `namespace`, `socket`, `reason` |
//!
//! What goes wrong in handlers is told to [`on_error`](crate::SocketIo::on_error), and by default logged.
//!
//! `event` is `connect`, `disconnect` or `job` for what is no event's handler. `socket` is the socket's id, and left out
//! where that is also the key to the client's session, as it is in Engine.IO 3 and Socket.IO 0.9. Neither that key
//! nor what the client sent as `auth` is ever in a span or event. A job's span has no client's around it.
//!
//! # Metrics
//!
//! With the feature `metrics`, off by default and in the adapters, too, the server counts by the crate `metrics`, for
//! whatever exporter the application installs. Install it first: a server and its namespaces count for the one that is
//! there when they are made.
//!
//! ```toml
//! [dependencies]
//! tower-socketio = { version = "0.1", features = ["metrics"] }
//! metrics-exporter-prometheus = { version = "0.18", default-features = false }
//! ```
//!
//! The example `metrics` of the repository is such a server, with a dashboard for Grafana.
//!
//! | metric | kind | labels | what |
//! | --- | --- | --- | --- |
//! | `socketio_connections` | gauge | `generation`, `transport` | clients that are connected |
//! | `socketio_handshakes_total` | counter | `generation`, `transport` | clients that have shaken hands |
//! | `socketio_connections_closed_total` | counter | `reason` | clients that have gone, as [`CloseReason`](crate::CloseReason) names it |
//! | `socketio_refusals_total` | counter | `reason` | requests refused, below |
//! | `socketio_upgrades_total` | counter | `generation`, `transport` | changes of transport, to that one |
//! | `socketio_upgrade_failures_total` | counter | | WebSockets and sessions of WebTransport that did not become their client's transport |
//! | `socketio_messages_received_total` | counter | `generation`, `transport` | messages of clients |
//! | `socketio_bytes_received_total` | counter | `generation`, `transport` | their bytes |
//! | `socketio_messages_sent_total` | counter | `generation`, `transport` | messages queued for clients |
//! | `socketio_bytes_sent_total` | counter | `generation`, `transport` | their bytes |
//! | `socketio_volatile_dropped_total` | counter | `generation`, `transport` | volatile messages that a client could not take; some of them had been queued |
//! | `socketio_slow_readers_total` | counter | `generation`, `transport` | clients cut off because their outbox was full |
//! | `socketio_sockets` | gauge | `namespace` | sockets that are connected |
//! | `socketio_connects_total` | counter | `namespace` | sockets let in |
//! | `socketio_disconnects_total` | counter | `namespace`, `reason` | sockets that have left, as [`DisconnectReason`](crate::DisconnectReason) names it |
//! | `socketio_rooms` | gauge | `namespace` | rooms with somebody in them, without every socket's own |
//! | `socketio_events_received_total` | counter | `namespace` | events of clients |
//! | `socketio_events_sent_total` | counter | `namespace` | events queued for clients, once for each of them |
//! | `socketio_events_waiting` | gauge | `namespace` | events of clients that wait for a handler's turn |
//! | `socketio_handlers_running` | gauge | `namespace`, `event` | handlers in progress |
//! | `socketio_handler_seconds` | histogram | `namespace`, `event` | how long they took, awaiting included |
//! | `socketio_failures_total` | counter | `namespace`, `kind` | what [`on_error`](crate::SocketIo::on_error) is told, as [`FailureKind::name`](crate::FailureKind::name) has it |
//!
//! No client can make labels: `event` is an event's name only where it has a handler of its own. It is `*` for handlers of
//! all or all other events, and `connect` and `disconnect`, which no event may be called, for what lets a socket
//! in, middleware included, and for disconnect handlers. A failure before there is a namespace has an empty
//! `namespace`.
//!
//! `reason` of a refusal is one of `transport_unknown`, `session_unknown`, `bad_handshake_method`, `bad_request`,
//! `forbidden`, `unsupported_protocol` (the reference's codes 0 to 5), `closing` and `bad_websocket`, a request that is
//! not as RFC 6455 wants it.
//!
//! Bytes are those of messages: text as UTF-8 or binary, without heartbeats, the framing of a transport, or HTTP.
//! A broadcast counts for each client that it is queued for. A client before 1.0 chooses its transport after its
//! handshake and is one of `xhr-polling` until then. A polling client that the server has closed is gone
//! at once here, and in [`clients_count`](crate::SocketIo::clients_count) when it was told so.
//!
//! How many bytes wait in outboxes is not counted: the gauge would change twice a message. What comes of
//! it is, by `socketio_volatile_dropped_total` and `socketio_slow_readers_total`.

pub(crate) mod instruments;
mod scope;

pub(crate) use self::scope::{Scope, within};

/// The target of the server's spans and events.
pub(crate) const TARGET: &str = "tower_socketio";

/// One of the [metrics](self#metrics).
///
/// ```
/// use tower_socketio::observability::{METRICS, MetricKind};
///
/// let timed: Vec<_> = METRICS.iter().filter(|metric| metric.kind == MetricKind::Histogram).collect();
/// assert_eq!(timed[0].name, "socketio_handler_seconds");
/// assert_eq!(timed[0].labels, ["namespace", "event"]);
/// println!("{}", timed[0].help);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metric {
    /// Its name, with its unit, by the conventions of Prometheus.
    pub name: &'static str,
    /// What it does.
    pub kind: MetricKind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it counts or measures.
    pub help: &'static str,
}

/// What a [`Metric`] does.
///
/// ```
/// use tower_socketio::observability::{METRICS, MetricKind};
///
/// assert!(METRICS.iter().any(|metric| metric.kind == MetricKind::Gauge));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricKind {
    /// It only grows.
    Counter,
    /// It grows and shrinks.
    Gauge,
    /// It measures each of many.
    Histogram,
}

macro_rules! metrics {
    ($($id:ident: $kind:ident $name:literal [$($label:literal),*] $help:literal)*) => {
        $(
            pub(crate) const $id: Metric = Metric {
                name: $name,
                kind: MetricKind::$kind,
                labels: &[$($label),*],
                help: $help,
            };
        )*

        /// Every [metric](self#metrics) that there is.
        ///
        /// ```
        /// use tower_socketio::observability::METRICS;
        ///
        /// for metric in METRICS {
        ///     println!("{} {:?}: {}", metric.name, metric.labels, metric.help);
        /// }
        /// ```
        pub const METRICS: &[Metric] = &[$($id),*];
    };
}

metrics! {
    CONNECTIONS: Gauge "socketio_connections" ["generation", "transport"]
        "Clients that are connected."
    HANDSHAKES: Counter "socketio_handshakes_total" ["generation", "transport"]
        "Clients that have shaken hands."
    CONNECTIONS_CLOSED: Counter "socketio_connections_closed_total" ["reason"]
        "Clients that have gone."
    REFUSALS: Counter "socketio_refusals_total" ["reason"]
        "Requests that were refused."
    UPGRADES: Counter "socketio_upgrades_total" ["generation", "transport"]
        "Changes of a client's transport, to that one."
    UPGRADE_FAILURES: Counter "socketio_upgrade_failures_total" []
        "WebSockets and sessions of WebTransport that did not become their client's transport."
    MESSAGES_RECEIVED: Counter "socketio_messages_received_total" ["generation", "transport"]
        "Messages of clients."
    BYTES_RECEIVED: Counter "socketio_bytes_received_total" ["generation", "transport"]
        "Bytes of clients' messages."
    MESSAGES_SENT: Counter "socketio_messages_sent_total" ["generation", "transport"]
        "Messages queued for clients."
    BYTES_SENT: Counter "socketio_bytes_sent_total" ["generation", "transport"]
        "Bytes of messages queued for clients."
    VOLATILE_DROPPED: Counter "socketio_volatile_dropped_total" ["generation", "transport"]
        "Volatile messages that a client could not take."
    SLOW_READERS: Counter "socketio_slow_readers_total" ["generation", "transport"]
        "Clients cut off because their outbox was full."
    SOCKETS: Gauge "socketio_sockets" ["namespace"]
        "Sockets that are connected."
    CONNECTS: Counter "socketio_connects_total" ["namespace"]
        "Sockets that were let in."
    DISCONNECTS: Counter "socketio_disconnects_total" ["namespace", "reason"]
        "Sockets that have left."
    ROOMS: Gauge "socketio_rooms" ["namespace"]
        "Rooms with somebody in them, without every socket's own."
    EVENTS_RECEIVED: Counter "socketio_events_received_total" ["namespace"]
        "Events of clients."
    EVENTS_SENT: Counter "socketio_events_sent_total" ["namespace"]
        "Events queued for clients, once for each of them."
    EVENTS_WAITING: Gauge "socketio_events_waiting" ["namespace"]
        "Events of clients that wait for a handler's turn."
    HANDLERS_RUNNING: Gauge "socketio_handlers_running" ["namespace", "event"]
        "Handlers in progress."
    HANDLER_SECONDS: Histogram "socketio_handler_seconds" ["namespace", "event"]
        "How long handlers took, awaiting included."
    FAILURES: Counter "socketio_failures_total" ["namespace", "kind"]
        "What went wrong."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_a_row_for_every_metric() {
        let page = include_str!("observability.rs");
        for metric in METRICS {
            let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
            let labels = format!(" {} |", labels.join(", ")).replace("  ", " ");
            let kind = format!("{:?}", metric.kind).to_lowercase();
            let row = format!("//! | `{}` | {kind} |{labels} ", metric.name);
            assert!(page.contains(&row), "no row begins with {row:?}");
        }
        let rows = page.lines().filter(|line| line.starts_with("//! | `socketio_"));
        assert_eq!(rows.count(), METRICS.len());
    }
}
