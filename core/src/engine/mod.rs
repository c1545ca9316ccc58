//! The engine below Socket.IO: clients shake hands, send and receive *messages*, and leave,
//! whatever their transport and generation. It never sees a namespace.
//!
//! Usable alone, for raw Engine.IO:
//!
//! ```
//! use std::{future::Future, pin::Pin, task::Context};
//! use tower_socketio::{
//!     Handshake,
//!     engine::{Client, CloseReason, Connection, Engine, Flow, Message, Upper},
//! };
//!
//! struct Echo;
//! struct EchoClient(Connection);
//!
//! impl Upper for Echo {
//!     fn open(&self, connection: &Connection, _handshake: Handshake) -> Box<dyn Client> {
//!         Box::new(EchoClient(connection.clone()))
//!     }
//! }
//!
//! impl Client for EchoClient {
//!     fn message(&mut self, _cx: &mut Context<'_>, message: Message<'_>) -> Flow {
//!         match message {
//!             Message::Text(text) => self.0.send_text(text),
//!             Message::Binary(bytes) => self.0.send_binary(bytes),
//!         }
//!         Flow::Open
//!     }
//! }
//!
//! let service = Engine::builder().path("/engine.io").build(Echo).service();
//! ```
//!
//! A request's way: `http` (and `route`) → `transport` → `driver` → `conn` and `codec` → a
//! [`Client`].

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::Context,
    time::{Duration, Instant},
};

use serde::Serialize;
use tokio::sync::watch;

mod activity;
pub(crate) mod codec;
pub(crate) mod config;
mod conn;
mod connection;
mod driver;
mod generation;
pub(crate) mod hooks;
mod http;
mod meter;
mod outbox;
mod reason;
mod refusal;
mod registry;
pub(crate) mod route;
mod runtime;
mod sid;
pub(crate) mod traffic;
pub(crate) mod transport;

pub use self::transport::websocket::deflate::PerMessageDeflate;
#[cfg(any(fuzzing, test))]
pub(crate) use self::transport::webtransport::codec::read_in_pieces as read_webtransport;
use self::{activity::Activity, config::engine_settings, connection::Sending, meter::Meter, registry::Registry};
#[cfg(any(feature = "__bench", fuzzing, test))]
pub(crate) use self::{codec::Posted, transport::websocket::codec::Decoder};
pub(crate) use self::{
    codec::{PayloadForm, Reader, frame::Frame},
    config::EngineConfig,
    connection::{Flags, Sent, Wake},
    driver::{Alarm, now},
    generation::{Binary, Recovery, Root, SocketId, Strays},
    http::{asks_for_websocket, settings::http_settings},
    route::parameters as query_parameters,
    runtime::Runtime,
    sid::{BySid, MaybeSid},
};
pub use self::{
    connection::Connection,
    generation::Generation,
    http::ResponseBody,
    reason::CloseReason,
    refusal::{ConnectionError, ConnectionErrorKind},
    sid::Sid,
    transport::{Transport, websocket::ticket::Ticket, webtransport::ticket::WebTransportTicket},
};
use crate::{handshake::Handshake, service::Service};

/// One message of a client, at most
/// [`max_payload`](EngineBuilder::max_payload) bytes long. On polling, bytes travel as base64
/// (Engine.IO protocol 4); here they are bytes again.
///
/// ```
/// use tower_socketio::engine::Message;
///
/// fn length(message: Message<'_>) -> usize {
///     match message {
///         Message::Text(text) => text.len(),
///         Message::Binary(bytes) => bytes.len(),
///     }
/// }
/// assert_eq!(length(Message::Text("héllo")), 6);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// Text.
    Text(&'a str),
    /// Bytes.
    Binary(&'a [u8]),
}

/// Whether an application takes further messages of a client.
///
/// ```
/// use tower_socketio::engine::Flow;
///
/// fn flow(waiting: usize) -> Flow {
///     if waiting < 100 { Flow::Open } else { Flow::Full }
/// }
/// assert_eq!(flow(100), Flow::Full);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// It does.
    Open,
    /// Not for now: nothing more is read from the client until [`Client::poll`] returns
    /// [`Flow::Open`]. That time does not count against its heartbeat.
    Full,
}

/// What happens after a connection has ended: the rest of an application's work, as
/// [`Client::close`] returns it.
///
/// ```
/// use tower_socketio::engine::Rest;
///
/// let rest: Rest = Box::pin(async { println!("saved") });
/// ```
pub type Rest = Pin<Box<dyn Future<Output = ()> + Send>>;

/// An application of the engine: makes a [`Client`] of every connection. The
/// [module](self) has a complete example.
///
/// ```
/// use tower_socketio::{Handshake, engine::{Client, Connection, Upper}};
/// # use tower_socketio::engine::{Flow, Message};
/// # struct Greeted;
/// # impl Client for Greeted {
/// #     fn message(&mut self, _: &mut std::task::Context<'_>, _: Message<'_>) -> Flow { Flow::Open }
/// # }
///
/// struct Greeter;
///
/// impl Upper for Greeter {
///     fn open(&self, connection: &Connection, _handshake: Handshake) -> Box<dyn Client> {
///         connection.send_text("hello");
///         Box::new(Greeted)
///     }
/// }
/// ```
pub trait Upper: Send + Sync + 'static {
    /// A client has shaken hands. What is sent to it now comes right after the handshake. It must
    /// neither block nor panic. The [trait](Self) has an example.
    fn open(&self, connection: &Connection, handshake: Handshake) -> Box<dyn Client>;
}

/// An application's side of one connection, called only by the task that carries it. Nothing in it
/// may block. Panics are not caught here: one ends the connection.
///
/// ```
/// use std::task::Context;
/// use tower_socketio::engine::{Client, CloseReason, Flow, Message, Rest};
///
/// struct Counter(usize);
///
/// impl Client for Counter {
///     fn message(&mut self, _cx: &mut Context<'_>, _message: Message<'_>) -> Flow {
///         self.0 += 1;
///         Flow::Open
///     }
///
///     fn close(self: Box<Self>, reason: CloseReason) -> Option<Rest> {
///         Some(Box::pin(async move { println!("{} messages, then {reason}", self.0) }))
///     }
/// }
/// ```
pub trait Client: Send + 'static {
    /// A message came. It counts as taken even when the answer is [`Flow::Full`]. The [trait](Self)
    /// has an example.
    fn message(&mut self, cx: &mut Context<'_>, message: Message<'_>) -> Flow;

    /// Called whenever the connection's task is woken, through `cx` or by the [`Connection`].
    /// Default: [`Flow::Open`].
    ///
    /// ```
    /// # use std::{pin::Pin, task::Context};
    /// # use tower_socketio::engine::{Client, Flow, Message};
    /// struct Slow(Pin<Box<tokio::time::Sleep>>);
    ///
    /// impl Client for Slow {
    /// #     fn message(&mut self, _: &mut Context<'_>, _: Message<'_>) -> Flow { Flow::Full }
    ///     fn poll(&mut self, cx: &mut Context<'_>) -> Flow {
    ///         let pause_is_over = self.0.is_elapsed() || self.0.as_mut().poll(cx).is_ready();
    ///         if pause_is_over { Flow::Open } else { Flow::Full }
    ///     }
    /// }
    /// ```
    fn poll(&mut self, _cx: &mut Context<'_>) -> Flow {
        Flow::Open
    }

    /// The connection goes on by another transport, [`Connection::transport`]. Default: nothing.
    ///
    /// ```
    /// # use std::task::Context;
    /// # use tower_socketio::engine::{Client, Connection, Flow, Message};
    /// struct Watched(Connection);
    ///
    /// impl Client for Watched {
    /// #     fn message(&mut self, _: &mut Context<'_>, _: Message<'_>) -> Flow { Flow::Open }
    ///     fn upgraded(&mut self) {
    ///         println!("by {}", self.0.transport().as_str());
    ///     }
    /// }
    /// ```
    fn upgraded(&mut self) {}

    /// When [`poll`](Self::poll) is to be called at the latest. Default: whenever. By the clock of
    /// tokio, which tests may stop.
    ///
    /// ```
    /// # use std::{task::Context, time::Instant};
    /// # use tower_socketio::engine::{Client, Flow, Message};
    /// struct Timed(Instant);
    ///
    /// impl Client for Timed {
    /// #     fn message(&mut self, _: &mut Context<'_>, _: Message<'_>) -> Flow { Flow::Open }
    ///     fn deadline(&self) -> Option<Instant> {
    ///         Some(self.0)
    ///     }
    /// }
    /// ```
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// The connection has ended; called once. What is left to do runs on the server's runtime; it
    /// must end by itself. Default: nothing. The [trait](Self) has an example.
    fn close(self: Box<Self>, _reason: CloseReason) -> Option<Rest> {
        None
    }
}

/// A server of raw Engine.IO, cheap to clone. The [module](self) has a complete example.
///
/// Nothing is closed when the last handle is dropped while clients are connected: see
/// [`close`](Self::close).
///
/// ```
/// use tower_socketio::engine::Engine;
///
/// fn is_idle(engine: &Engine) -> bool {
///     engine.connections() == 0
/// }
/// ```
#[derive(Clone)]
pub struct Engine(Arc<Shared>);

/// Whom the server lets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Admission {
    Open,
    /// Those who are connected already, by another transport.
    NoNewClients,
    /// Nobody: it closes.
    Closed,
}

/// What all connections of a server share.
pub(crate) struct Shared {
    pub(crate) config: EngineConfig,
    sending: Arc<Sending>,
    upper: Box<dyn Upper>,
    registry: Registry,
    activity: Activity,
    meter: Meter,
    admission: watch::Sender<Admission>,
}

/// Settings of an [`Engine`], made by [`Engine::builder`].
///
/// Durations are at least a millisecond and at most a year; others are taken for the nearest.
///
/// ```
/// use std::time::Duration;
/// use tower_socketio::engine::Engine;
///
/// let builder = Engine::builder().path("/engine.io").ping_interval(Duration::from_secs(10));
/// ```
#[derive(Debug)]
pub struct EngineBuilder {
    config: EngineConfig,
}

impl Default for EngineBuilder {
    fn default() -> Self {
        Self {
            config: EngineConfig {
                generations: Generation::OF_THE_ENGINE.to_vec(),
                ..EngineConfig::default()
            },
        }
    }
}

impl EngineBuilder {
    engine_settings!(config);

    /// The server of that application.
    ///
    /// ```
    /// # use tower_socketio::{Handshake, engine::{Client, Connection, Engine, Flow, Message, Upper}};
    /// # struct Silent;
    /// # impl Client for Silent {
    /// #     fn message(&mut self, _: &mut std::task::Context<'_>, _: Message<'_>) -> Flow { Flow::Open }
    /// # }
    /// # struct Silence;
    /// # impl Upper for Silence {
    /// #     fn open(&self, _: &Connection, _: Handshake) -> Box<dyn Client> { Box::new(Silent) }
    /// # }
    /// // `Silence` implements `Upper`.
    /// let engine = Engine::builder().path("/engine.io").build(Silence);
    /// assert_eq!(engine.connections(), 0);
    /// ```
    pub fn build(self, upper: impl Upper) -> Engine {
        Engine::new(self.config, upper)
    }
}

/// Reads a URL's path and query, for the fuzzer.
#[cfg(any(fuzzing, test))]
pub(crate) fn read_route(url: &str) {
    let (tail, query) = url.split_once('?').unwrap_or(("", url));
    let _ = route::Route::read(tail, Some(query), &EngineConfig::default());
    assert!(route::parameters(query).count() <= query.len());
}

impl Engine {
    /// Settings, all at their defaults.
    ///
    /// ```
    /// use tower_socketio::engine::Engine;
    ///
    /// let builder = Engine::builder().max_payload(1_000);
    /// ```
    pub fn builder() -> EngineBuilder {
        EngineBuilder::default()
    }

    pub(crate) fn new(config: EngineConfig, upper: impl Upper) -> Self {
        config.runtime.adopt_current();
        let sending = Sending {
            outbox_limit: config.max_outbox_bytes,
            deflate: config.per_message_deflate,
        };
        Self(Arc::new(Shared {
            meter: Meter::new(&config),
            config,
            sending: Arc::new(sending),
            upper: Box::new(upper),
            registry: Registry::new(),
            activity: Activity::default(),
            admission: watch::Sender::new(Admission::Open),
        }))
    }

    /// The endpoint, as a tower service or for an adapter to a web framework: see [`Service`].
    ///
    /// ```
    /// # use tower_socketio::{Service, engine::Engine};
    /// fn mount(engine: &Engine) -> Service {
    ///     engine.service()
    /// }
    /// ```
    pub fn service(&self) -> Service {
        Service::new(self.clone())
    }

    /// How many connections there are. A polling client that the server has closed counts until it
    /// was told so, for at most 30 s.
    ///
    /// ```
    /// # use tower_socketio::engine::Engine;
    /// fn report(engine: &Engine) {
    ///     println!("{} clients", engine.connections());
    /// }
    /// ```
    pub fn connections(&self) -> usize {
        self.0.registry.len()
    }

    /// Refuses new connections, ends all others with [`CloseReason::ServerShuttingDown`], and
    /// waits until what they left to do is done, for at most that long. It cannot be undone.
    ///
    /// ```
    /// # use tower_socketio::engine::Engine;
    /// use std::time::Duration;
    ///
    /// async fn stop(engine: &Engine) {
    ///     engine.close(Duration::from_secs(5)).await;
    /// }
    /// ```
    pub async fn close(&self, within: Duration) {
        self.0.restrict(Admission::Closed);
        for connection in self.all_connections() {
            connection.close(CloseReason::ServerShuttingDown);
        }
        if tokio::time::timeout(within, self.0.activity.idle()).await.is_err() {
            tracing::warn!("the server closed before all of its handlers had finished");
        }
    }

    /// Refuses new connections from now on.
    pub(crate) fn refuse_new(&self) {
        self.0.restrict(Admission::NoNewClients);
    }

    pub(crate) fn refuses_new(&self) -> bool {
        self.0.refuses_new()
    }

    /// Every connection at this moment.
    pub(crate) fn all_connections(&self) -> Vec<Connection> {
        self.0.registry.all()
    }

    /// Waits until nobody is connected and all they left to do is done.
    pub(crate) async fn idle(&self) {
        self.0.activity.idle().await;
    }

    pub(crate) fn config(&self) -> &EngineConfig {
        &self.0.config
    }

    #[cfg(feature = "admin")]
    pub(crate) fn traffic(&self) -> &traffic::Traffic {
        self.0.meter.traffic()
    }
}

impl From<&Engine> for Service {
    fn from(engine: &Engine) -> Self {
        engine.service()
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Shared {
    fn refuses_new(&self) -> bool {
        *self.admission.borrow() >= Admission::NoNewClients
    }

    fn is_closing(&self) -> bool {
        *self.admission.borrow() == Admission::Closed
    }

    /// Ready when the server closes.
    async fn closing(&self) {
        // It cannot fail: the sender is here.
        let _ = self
            .admission
            .subscribe()
            .wait_for(|admission| *admission == Admission::Closed)
            .await;
    }

    fn restrict(&self, to: Admission) {
        self.admission.send_if_modified(|admission| {
            let is_stricter = to > *admission;
            *admission = to.max(*admission);
            is_stricter
        });
    }

    /// The runtime for what outlives a request.
    fn runtime(&self) -> &tokio::runtime::Handle {
        self.config.runtime.handle()
    }

    /// Lets a client's remaining work go on.
    fn finish(&self, rest: Rest) {
        let active = self.activity.begin();
        self.runtime().spawn(async move {
            rest.await;
            drop(active);
        });
    }

    /// What a new client is told first.
    fn open_packet(&self, connection: &Connection, transport: Transport) -> Frame {
        let config = &self.config;
        connection.generation().open(&OpenPacket {
            sid: connection.id(),
            upgrades: config.upgrades_from(transport),
            ping_interval: config.ping_interval.as_millis(),
            ping_timeout: config.ping_timeout.as_millis(),
            max_payload: config.max_payload,
        })
    }
}

/// What a client must know of its connection.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OpenPacket<'a> {
    sid: &'a Sid,
    upgrades: Vec<&'static str>,
    ping_interval: u128,
    ping_timeout: u128,
    max_payload: usize,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("config", &self.config)
            .field("registry", &self.registry)
            .finish_non_exhaustive()
    }
}
