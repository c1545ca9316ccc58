//! The server: its settings, its namespaces, and how it is mounted and closed.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use tokio::task::JoinHandle;

use crate::{
    engine::{
        Client, CloseReason, Connection, Engine, EngineConfig, Runtime, Upper,
        config::{bounded, engine_settings},
    },
    error::{ErrorHook, Failure, report},
    handshake::Handshake,
    parser::Parser,
    service::{Layer, Service},
    socketio::{
        MAX_NSP,
        args::{EmitArgs, EncodeError},
        broadcast::Broadcast,
        directory::{Directory, is_path},
        dispatch::SocketClient,
        dynamic::with_slash,
        meter::Failures,
        namespace::Namespace,
        operators::broadcast_operators,
        rate_limit::RateLimit,
        reason::DisconnectReason,
        recovery::{Recovery, history::History},
        watch::WatchPost,
    },
};

/// A Socket.IO server, cheap to clone: the handle that an application keeps.
///
/// It has the namespace `/` from the beginning. Clients are served once [`service`](Self::service)
/// or [`layer`](Self::layer) is mounted; handlers may be added before and after.
///
/// ```
/// use tower_socketio::{Data, SocketIo, Socket};
///
/// let io = SocketIo::builder().build();
/// io.of("/").on("echo", async |socket: Socket, Data(text): Data<String>| socket.emit("echo", text));
/// let service = io.service();
/// ```
#[derive(Clone)]
pub struct SocketIo {
    engine: Engine,
    pub(crate) core: Arc<Core>,
}

/// What all namespaces share.
pub(crate) struct Core {
    pub(crate) config: Config,
    /// `None`: the default one.
    pub(crate) parser: Option<Box<dyn Parser>>,
    pub(crate) state: HashMap<TypeId, Box<dyn Any + Send + Sync>>,
    pub(crate) runtime: Runtime,
    /// What goes wrong before there is a namespace.
    pub(crate) failures: Failures,
    error: RwLock<Option<Arc<ErrorHook>>>,
    pub(crate) directory: Directory,
    pub(crate) watch: WatchPost,
}

/// The settings above the engine.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) connect_timeout: Duration,
    pub(crate) max_attachments: usize,
    pub(crate) max_namespaces: usize,
    pub(crate) max_handlers: usize,
    pub(crate) max_pending_bytes: usize,
    pub(crate) handler_grace: Duration,
    pub(crate) rate_limit: Option<RateLimit>,
    pub(crate) close_timeout: Duration,
    /// What a socket may emit before it is let in: as much as an outbox.
    pub(crate) max_held_bytes: usize,
    /// How long a client may say nothing before it is taken for dead: the engine's.
    pub(crate) silence: Duration,
    pub(crate) recovery: Option<Recovery>,
}

impl Config {
    /// How long the handlers of a client that left so may go on.
    pub(crate) fn handler_grace(&self, reason: DisconnectReason) -> Duration {
        match reason {
            // The rest is for the disconnect handler.
            DisconnectReason::Closed(CloseReason::ServerShuttingDown) => self.handler_grace.min(self.close_timeout / 2),
            _ => self.handler_grace,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(45),
            max_attachments: 10,
            max_namespaces: 100,
            max_handlers: 1024,
            max_pending_bytes: 1_000_000,
            handler_grace: Duration::from_secs(30),
            rate_limit: None,
            close_timeout: Duration::from_secs(5),
            max_held_bytes: 0,
            silence: Duration::ZERO,
            recovery: None,
        }
    }
}

impl Config {
    pub(crate) fn history(&self) -> Option<History> {
        let recovery = self.recovery.clone()?;
        Some(History::new(recovery, self.max_held_bytes))
    }
}

/// Settings of a [`SocketIo`]. Where the reference server has the setting too, the default is the
/// reference's.
///
/// Durations are at least a millisecond and at most a year; others are taken for the nearest.
///
/// ```
/// use std::time::Duration;
/// use tower_socketio::SocketIo;
///
/// let io = SocketIo::builder()
///     .path("/live")
///     .ping_interval(Duration::from_secs(10))
///     .max_payload(100_000)
///     .build();
/// ```
#[derive(Default)]
pub struct SocketIoBuilder {
    engine: EngineConfig,
    config: Config,
    parser: Option<Box<dyn Parser>>,
    state: HashMap<TypeId, Box<dyn Any + Send + Sync>>,
}

impl SocketIoBuilder {
    engine_settings!(engine);

    /// Gives the handlers a value, which they extract as [`State`](crate::State). One of each type:
    /// a second one replaces the first. It is cloned for every handler that asks for it.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use tower_socketio::{SocketIo, State};
    ///
    /// let io = SocketIo::builder().state(Arc::<str>::from("hello")).build();
    /// io.of("/").on("greet", async |State(greeting): State<Arc<str>>| println!("{greeting}"));
    /// ```
    #[must_use]
    pub fn state<T: Clone + Send + Sync + 'static>(mut self, state: T) -> Self {
        self.state.insert(TypeId::of::<T>(), Box::new(state));
        self
    }

    /// How packets look on the wire: see [`parser`](crate::parser). All clients must have the same parser, save those
    /// before 1.0, which know of none. Default: the one that they have unless they are told.
    ///
    /// ```
    /// # #[cfg(feature = "msgpack")] {
    /// use tower_socketio::{SocketIo, parser::MsgPack};
    ///
    /// let io = SocketIo::builder().parser(MsgPack).build();
    /// # }
    /// ```
    #[must_use]
    pub fn parser(mut self, parser: impl Parser) -> Self {
        self.parser = Some(Box::new(parser));
        self
    }

    /// How long a client may be connected without having joined a namespace. Then its connection
    /// is closed. Default 45 s.
    ///
    /// Middleware and connect handlers that may refuse take their time out of it.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_socketio::SocketIo;
    ///
    /// let io = SocketIo::builder().connect_timeout(Duration::from_secs(10)).build();
    /// ```
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.config.connect_timeout = bounded(timeout);
        self
    }

    /// How many binary attachments a client's packet may have (Socket.IO protocol 5). A client that
    /// announces more is disconnected. Default 10.
    ///
    /// ```
    /// use tower_socketio::SocketIo;
    ///
    /// let io = SocketIo::builder().max_attachments(64).build();
    /// ```
    #[must_use]
    pub fn max_attachments(mut self, attachments: usize) -> Self {
        self.config.max_attachments = attachments;
        self
    }

    /// How many namespaces a client may be connected to. A further one is refused with the
    /// `connect_error` `Too many namespaces`. Default 100.
    ///
    /// ```
    /// use tower_socketio::SocketIo;
    ///
    /// let io = SocketIo::builder().max_namespaces(4).build();
    /// ```
    #[must_use]
    pub fn max_namespaces(mut self, namespaces: usize) -> Self {
        self.config.max_namespaces = namespaces;
        self
    }

    /// How many handlers of one client may be in progress. Further events wait; acks do not, so
    /// that a handler may wait for its own client: as long as no more than
    /// [`max_pending_bytes`](Self::max_pending_bytes) wait before the ack. Default 1,024.
    ///
    /// What a handler keeps of its event while it awaits is not counted: 1,024 of them may hold as many messages
    /// of [`max_payload`](Self::max_payload).
    ///
    /// # Panics
    /// When it is 0.
    ///
    /// ```
    /// use tower_socketio::SocketIo;
    ///
    /// // One event of a client after the other.
    /// let io = SocketIo::builder().max_handlers(1).build();
    /// ```
    #[must_use]
    pub fn max_handlers(mut self, handlers: usize) -> Self {
        assert!(handlers > 0, "at least one handler of a client must be able to run");
        self.config.max_handlers = handlers;
        self
    }

    /// How many bytes of events may wait for a client's handlers. When more do, nothing is read
    /// from the client until some have been handled. Default 1,000,000.
    ///
    /// A client for whose ack a handler waits then, while none of its events starts for
    /// [`ping_interval`](Self::ping_interval) and [`ping_timeout`](Self::ping_timeout), is disconnected with
    /// `ping timeout`: its answer lies behind those events.
    ///
    /// An event counts with its name, its arguments, its attachments and some bytes for itself.
    ///
    /// ```
    /// use tower_socketio::SocketIo;
    ///
    /// let io = SocketIo::builder().max_pending_bytes(100_000).build();
    /// ```
    #[must_use]
    pub fn max_pending_bytes(mut self, bytes: usize) -> Self {
        self.config.max_pending_bytes = bytes;
        self
    }

    /// How long handlers may go on after their client has left, and then its disconnect handler.
    /// What is not done by then is dropped where it awaits, and
    /// [`on_error`](Namespace::on_error) is told. Default 30 s.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_socketio::SocketIo;
    ///
    /// let io = SocketIo::builder().handler_grace(Duration::from_secs(5)).build();
    /// ```
    #[must_use]
    pub fn handler_grace(mut self, grace: Duration) -> Self {
        self.config.handler_grace = bounded(grace);
        self
    }

    /// Lets clients 4.6 and later come back that have lost their connection: in time, such a client is the socket
    /// that it was, and is sent the events that it has missed. Default: off, it is a new socket.
    ///
    /// Its new socket has the id, the rooms, the [data](crate::Socket::set_data), the
    /// [values](crate::Socket::insert), the rules of the [`Acl`](crate::Acl) and the value of
    /// [`#[namespace]`](crate::namespace) that the old one had. It may pass by middleware
    /// ([`Recovery::skip_middlewares`]). Its connect handler runs, with [`Socket::recovered`](crate::Socket::recovered).
    /// Its [session](crate::Socket::session) is new, being its connection's. Who left, was sent away, or missed too
    /// much begins anew.
    ///
    /// To clients of the newest generation the server appends a text to the arguments of each event that is neither
    /// volatile nor asks for an ack, as the reference server does.
    ///
    /// ```
    /// use tower_socketio::{Recovery, Socket, SocketIo};
    ///
    /// let io = SocketIo::builder().connection_state_recovery(Recovery::default()).build();
    /// io.of("/").on_connect(async |socket: Socket| {
    ///     if !socket.recovered() {
    ///         socket.join("lobby");
    ///     }
    /// });
    /// ```
    #[must_use]
    pub fn connection_state_recovery(mut self, recovery: Recovery) -> Self {
        self.config.recovery = Some(recovery);
        self
    }

    /// How fast a client may send: see [`RateLimit`]. Default: as fast as its handlers take it.
    ///
    /// ```
    /// use tower_socketio::{RateLimit, SocketIo};
    ///
    /// let io = SocketIo::builder().rate_limit(RateLimit::events_per_second(50).burst(100)).build();
    /// ```
    #[must_use]
    pub fn rate_limit(mut self, limit: RateLimit) -> Self {
        self.config.rate_limit = Some(limit);
        self
    }

    /// How long [`close`](SocketIo::close) takes at most. Default 5 s.
    ///
    /// What is not done by then goes on where the process does.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_socketio::SocketIo;
    ///
    /// let io = SocketIo::builder().close_timeout(Duration::from_secs(20)).build();
    /// ```
    #[must_use]
    pub fn close_timeout(mut self, timeout: Duration) -> Self {
        self.config.close_timeout = bounded(timeout);
        self
    }

    /// The server, with the namespace `/`.
    ///
    /// ```
    /// use tower_socketio::SocketIo;
    ///
    /// let io = SocketIo::builder().build();
    /// assert_eq!((io.path(), io.clients_count()), ("/socket.io", 0));
    /// ```
    pub fn build(mut self) -> SocketIo {
        self.config.max_held_bytes = self.engine.max_outbox_bytes;
        self.config.silence = self.engine.ping_interval + self.engine.ping_timeout;
        let core = Arc::new(Core {
            config: self.config,
            parser: self.parser,
            state: self.state,
            runtime: self.engine.runtime.clone(),
            failures: Failures::new(""),
            error: RwLock::default(),
            directory: Directory::default(),
            watch: WatchPost::default(),
        });
        let io = SocketIo {
            engine: Engine::new(self.engine, Application(core.clone())),
            core,
        };
        io.of("/");
        io
    }
}

impl SocketIo {
    /// Settings, all at their defaults.
    ///
    /// ```
    /// use tower_socketio::SocketIo;
    ///
    /// let io = SocketIo::builder().max_payload(100_000).build();
    /// ```
    pub fn builder() -> SocketIoBuilder {
        SocketIoBuilder::default()
    }

    /// The namespace of that path, made if it is not there. A leading slash may be left out.
    ///
    /// Clients can connect to it from then on, to others not: they are told `Invalid namespace`. A path that matches
    /// a [pattern](Self::of_pattern) and was not named before is that of a child. One that only a
    /// [closure](Self::of_matching) would take is not, as the closure is asked about clients: named here, it is a
    /// namespace of its own, without that parent's handlers, middleware and ACL, and open to everybody. To reach such
    /// a child see [`namespace`](Self::namespace).
    ///
    /// # Panics
    /// When no client could ask for it: a path of more than 256 bytes, or with a `,` or `?`.
    ///
    /// ```
    /// use tower_socketio::SocketIo;
    ///
    /// let io = SocketIo::builder().build();
    /// assert_eq!(io.of("chat").path(), "/chat");
    /// ```
    pub fn of(&self, path: &str) -> Namespace {
        let path = with_slash(path);
        assert!(
            is_path(&path),
            "no client can connect to the namespace {path:?}: its path must have at most {MAX_NSP} bytes, no `,` and no `?`"
        );
        Namespace::new(self.core.named(&path))
    }

    /// The namespace of that path, if it is there: named before, or a child that somebody is in. Makes none.
    ///
    /// ```
    /// use tower_socketio::SocketIo;
    ///
    /// let io = SocketIo::builder().build();
    /// io.of_matching(async |request| request.path().starts_with("/tenant-"));
    /// if let Some(tenant) = io.namespace("/tenant-7") {
    ///     tenant.emit("invoice", 1)?;
    /// }
    /// # Ok::<(), tower_socketio::EncodeError>(())
    /// ```
    pub fn namespace(&self, path: &str) -> Option<Namespace> {
        self.core.namespace(&with_slash(path)).map(Namespace::new)
    }

    /// All namespaces that are there, children included, by their paths.
    ///
    /// ```
    /// let io = tower_socketio::SocketIo::builder().build();
    /// io.of("/chat");
    /// for namespace in io.namespaces() {
    ///     println!("{}: {} sockets", namespace.path(), namespace.sockets_count());
    /// }
    /// ```
    pub fn namespaces(&self) -> Vec<Namespace> {
        let mut namespaces = self.core.all_namespaces();
        namespaces.sort_by(|a, b| a.path.cmp(&b.path));
        namespaces.into_iter().map(Namespace::new).collect()
    }

    /// Sets what is told of everything that goes wrong and that no namespace's own
    /// [hook](Namespace::on_error) is told of; also of packets that cannot be read, and of namespaces that
    /// the server does not have. Without it, the log is told, as there.
    ///
    /// It runs in the task of what failed, the client's or a job's, and must not block.
    ///
    /// # Panics
    /// When there is one already.
    ///
    /// ```
    /// let io = tower_socketio::SocketIo::builder().build();
    /// io.on_error(|failure| {
    ///     eprintln!("{} from {:?}: {failure}", failure.kind.name(), failure.handshake.peer_addr());
    /// });
    /// ```
    pub fn on_error(&self, hook: impl Fn(&Failure<'_>) + Send + Sync + 'static) -> &Self {
        let mut slot = self.core.error.write().unwrap_or_else(PoisonError::into_inner);
        assert!(slot.is_none(), "the server has an `on_error` hook already");
        *slot = Some(Arc::new(hook));
        drop(slot);
        self
    }

    broadcast_operators!("the namespace `/`", "");

    /// Sends an event to all other servers: see [`Namespace::server_side_emit`], for the namespace `/`.
    ///
    /// # Errors
    /// As there.
    ///
    /// ```
    /// let io = tower_socketio::SocketIo::builder().build();
    /// io.server_side_emit("forget the cache of", "ada")?;
    /// # Ok::<(), tower_socketio::EncodeError>(())
    /// ```
    pub fn server_side_emit(&self, event: &str, args: impl EmitArgs) -> Result<(), EncodeError> {
        self.of("/").server_side_emit(event, args)
    }

    /// How many servers there are together with this one: 1 for a server that is alone.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let io = tower_socketio::SocketIo::builder().build();
    /// assert_eq!(io.servers_count().await, 1);
    /// # }
    /// ```
    pub async fn servers_count(&self) -> usize {
        let main = self.of("/");
        main.adapter().server_count().await
    }

    /// Spawns a task on the server's runtime, from any thread: for what serves all clients, as a clock does that
    /// emits. What belongs to one client is better [spawned on its socket](crate::Socket::spawn), and ends with it.
    ///
    /// The task is the application's own: [`close`](Self::close) neither ends it nor waits for it.
    ///
    /// # Panics
    /// Outside of a tokio runtime, when the server was given none and has not been used in one yet.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use std::time::Duration;
    /// use tower_socketio::{EncodeError, SocketIo};
    ///
    /// let io = SocketIo::builder().build();
    /// let clock = io.clone();
    /// let ticking = io.spawn(async move {
    ///     loop {
    ///         tokio::time::sleep(Duration::from_secs(1)).await;
    ///         clock.emit("tick", clock.clients_count())?;
    ///     }
    /// #   #[allow(unreachable_code)]
    ///     Ok::<(), EncodeError>(())
    /// });
    /// io.close().await;
    /// ticking.abort();
    /// # }
    /// ```
    pub fn spawn<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.core.runtime.handle().spawn(task)
    }

    /// How many clients are connected, whatever their namespaces. A polling client that the server
    /// has closed counts until it was told so, for at most 30 s.
    ///
    /// ```
    /// use tower_socketio::SocketIo;
    ///
    /// let io = SocketIo::builder().build();
    /// assert_eq!(io.clients_count(), 0);
    /// ```
    pub fn clients_count(&self) -> usize {
        self.engine.connections()
    }

    /// The path of the endpoint, without a slash at its end.
    ///
    /// ```
    /// use tower_socketio::SocketIo;
    ///
    /// assert_eq!(SocketIo::builder().build().path(), "/socket.io");
    /// ```
    pub fn path(&self) -> &str {
        &self.engine.config().path
    }

    #[cfg(feature = "testing")]
    pub(crate) fn parser(&self) -> Option<&dyn Parser> {
        self.core.parser.as_deref()
    }

    /// The endpoint, as a tower service or for an adapter to a web framework: see [`Service`].
    ///
    /// ```
    /// use tower_socketio::SocketIo;
    ///
    /// let io = SocketIo::builder().build();
    /// let service = io.service();
    /// ```
    pub fn service(&self) -> Service {
        self.engine.service()
    }

    /// A tower layer that puts the endpoint in front of another service: see [`Layer`].
    ///
    /// ```
    /// use tower_socketio::SocketIo;
    ///
    /// let io = SocketIo::builder().build();
    /// let layer = io.layer();
    /// ```
    pub fn layer(&self) -> Layer {
        Layer::new(self.engine.clone())
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn close_timeout(&self) -> Duration {
        self.core.config.close_timeout
    }

    pub(crate) async fn close_adapters(&self) {
        for namespace in self.core.all_namespaces() {
            namespace.adapter.close().await;
        }
    }

    /// They hold the server.
    pub(crate) fn forget_namespaces(&self) {
        self.core.forget_namespaces();
    }

    fn broadcast(&self) -> Broadcast {
        self.of("/").broadcast()
    }
}

impl Core {
    pub(crate) fn report(&self, failure: &Failure<'_>) {
        let hook = self.error.read().unwrap_or_else(PoisonError::into_inner).clone();
        report(hook.as_deref(), failure);
    }
}

/// Socket.IO as an application of the engine.
struct Application(Arc<Core>);

impl Upper for Application {
    fn open(&self, connection: &Connection, handshake: Handshake) -> Box<dyn Client> {
        Box::new(SocketClient::new(self.0.clone(), connection.clone(), handshake))
    }
}

impl From<&SocketIo> for Service {
    fn from(io: &SocketIo) -> Self {
        io.service()
    }
}

impl fmt::Debug for SocketIo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketIo")
            .field("engine", &self.engine)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SocketIoBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketIoBuilder")
            .field("engine", &self.engine)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
