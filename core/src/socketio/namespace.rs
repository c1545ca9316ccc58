//! A namespace: its handlers, its sockets, and the handle that applications hold.

use std::{
    any::{Any, TypeId, type_name},
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use super::{
    acl::Acl,
    broadcast::Broadcast,
    call::{Call, Next, Occasion, Wrapper},
    controller::Controller,
    directory::Family,
    frames::OwnParser,
    handler::{
        AnyConnectHandler, AnyDisconnectHandler, AnyEventHandler, ConnectHandler, DisconnectHandler, Erased,
        EventHandler, HandlerFuture,
    },
    meter::{Meter, Timer},
    observe::Listener,
    operators::broadcast_operators,
    packet::is_reserved,
    packet_middleware::AnyPacketMiddleware,
    recovery::history::History,
    socket::Socket,
};
use crate::{
    adapter::{Adapter, local::Rooms},
    engine::Runtime,
    error::{ErrorHook, Failure, FailureKind, report},
    handshake::Handshake,
    server::Core,
};

mod hooks;
mod server_side;
#[cfg(test)]
mod tests;

use self::{hooks::UpgradeHook, server_side::ServerSideHandler};

type InitialAcl = dyn Fn(&Handshake) -> Acl + Send + Sync;

/// A namespace, cheap to clone. Made by [`SocketIo::of`](crate::SocketIo::of); clients can connect
/// to it from then on.
///
/// Its handlers are async closures or functions. Their parameters are extractors: [`Socket`],
/// [`Data`](crate::Data), [`State`](crate::State), and the others that
/// [`Extract`](crate::Extract) lists. Handlers of one client start in the order in which its
/// events came, and interleave where they await.
///
/// ```
/// use tower_socketio::{Ack, Data, DisconnectReason, SocketIo, Socket};
///
/// let io = SocketIo::builder().build();
/// io.of("/chat")
///     .on_connect(async |socket: Socket| socket.join("lobby"))
///     .on("say", async |socket: Socket, Data(text): Data<String>| {
///         socket.to("lobby").emit("said", &text)?;
///         Ok::<_, tower_socketio::EventError>(Ack(true))
///     })
///     .on_disconnect(async |socket: Socket, why: DisconnectReason| {
///         println!("{} left {:?}: {why}", socket.id(), socket.rooms());
///     });
/// ```
#[derive(Clone)]
pub struct Namespace(Arc<Shared>);

/// What the sockets of a namespace share.
pub(crate) struct Shared {
    pub(crate) path: Box<str>,
    /// What is on this server; nothing of a parent.
    pub(crate) rooms: Arc<Rooms>,
    /// What is on all servers.
    pub(crate) adapter: Arc<dyn Adapter>,
    /// A child's is its parent's: clients do not make up what is counted.
    pub(crate) meter: Arc<Meter>,
    /// What it remembers for clients that may come back.
    pub(crate) history: Option<Box<History>>,
    pub(crate) family: Family,
    core: Arc<Core>,
    /// A child's are its parent's.
    registry: Arc<Registry>,
}

/// What is registered, with the namespace or with any of its sockets; and whether there is anything of what
/// most have none of, so that an event need not look.
#[derive(Default)]
pub(crate) struct Registry {
    handlers: RwLock<Handlers>,
    /// A parent's questions are for sockets of its children: no id may be used twice among them.
    ack_ids: AtomicU64,
    wraps_calls: AtomicBool,
    screens_packets: AtomicBool,
    listens_to_incoming: AtomicBool,
    listens_to_outgoing: AtomicBool,
}

impl Registry {
    pub(crate) fn screens_packets(&self) -> bool {
        self.screens_packets.load(Ordering::Relaxed)
    }

    pub(super) fn screen_packets(&self) {
        self.screens_packets.store(true, Ordering::Relaxed);
    }

    pub(crate) fn listens_to_incoming(&self) -> bool {
        self.listens_to_incoming.load(Ordering::Relaxed)
    }

    pub(super) fn listen_incoming(&self) {
        self.listens_to_incoming.store(true, Ordering::Relaxed);
    }

    pub(crate) fn listens_to_outgoing(&self) -> bool {
        self.listens_to_outgoing.load(Ordering::Relaxed)
    }

    pub(super) fn listen_outgoing(&self) {
        self.listens_to_outgoing.store(true, Ordering::Relaxed);
    }
}

#[derive(Default)]
pub(crate) struct Handlers {
    pub(crate) middleware: Vec<Arc<dyn AnyConnectHandler>>,
    pub(crate) packets: Vec<Arc<dyn AnyPacketMiddleware>>,
    pub(crate) connect: Option<Arc<dyn AnyConnectHandler>>,
    pub(crate) disconnect: Option<Arc<dyn AnyDisconnectHandler>>,
    pub(crate) events: BTreeMap<Arc<str>, Timed>,
    pub(crate) any: Option<Arc<dyn AnyEventHandler>>,
    /// For events that have no handler of their own.
    pub(crate) other: Option<Arc<dyn AnyEventHandler>>,
    pub(crate) outgoing: Vec<Arc<Listener>>,
    error: Option<Arc<ErrorHook>>,
    acl: Option<Arc<InitialAcl>>,
    upgrade: Option<Arc<UpgradeHook>>,
    /// For events of other servers.
    server_side: HashMap<Box<str>, Arc<ServerSideHandler>>,
    /// The first is the outermost.
    pub(crate) wrappers: Vec<Arc<Wrapper>>,
}

/// A handler of an event, and what measures it.
#[derive(Clone)]
pub(crate) struct Timed {
    pub(crate) handler: Arc<dyn AnyEventHandler>,
    pub(crate) timer: Timer,
}

/// A handler is being registered: extractors may find mistakes, as [`State`](crate::State) does.
///
/// ```should_panic
/// use tower_socketio::{SocketIo, State};
///
/// let io = SocketIo::builder().build();
/// // The server has no such state: a mistake that shows at once.
/// io.of("/").on("hi", async |_: State<String>| {});
/// ```
#[derive(Debug)]
pub struct Registration<'a> {
    namespace: &'a Shared,
}

impl<'a> Registration<'a> {
    pub(super) fn new(namespace: &'a Shared) -> Self {
        Self { namespace }
    }

    pub(crate) fn namespace(&self) -> &Shared {
        self.namespace
    }

    #[track_caller]
    pub(crate) fn require_state<T: Clone + Send + Sync + 'static>(&self) {
        assert!(
            self.namespace.state::<T>().is_some(),
            "a handler of namespace {:?} asks for State<{name}>, which the server does not have: add `.state(…)` with a \
             `{name}` to its builder",
            self.namespace.path,
            name = type_name::<T>(),
        );
    }
}

impl Namespace {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0
    }

    /// Its path, with the leading slash; a parent's is its pattern.
    ///
    /// ```
    /// let io = tower_socketio::SocketIo::builder().build();
    /// assert_eq!(io.of("chat").path(), "/chat");
    /// ```
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// Adds middleware: it runs when a client asks to connect, in the order of registration, and
    /// may refuse. A client that is refused gets `connect_error`; nothing after it runs.
    ///
    /// Until the client is let in, what the socket emits and joins is held back, at most
    /// [`max_outbox_bytes`](crate::SocketIoBuilder::max_outbox_bytes), and what the client sends
    /// waits.
    ///
    /// # Panics
    /// When it asks for a [`State`](crate::State) that the server does not have.
    ///
    /// ```
    /// use tower_socketio::{Handshake, Refusal, SocketIo};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/admin").with(async |handshake: Handshake| match handshake.headers().cookie("session") {
    ///     Some(_) => Ok(()),
    ///     None => Err(Refusal::new("log in first")),
    /// });
    /// ```
    pub fn with<A: 'static, H: ConnectHandler<A>>(&self, middleware: H) -> &Self {
        H::check(&self.registration());
        self.change(|handlers| handlers.middleware.push(Arc::new(Erased::new(middleware))));
        self
    }

    /// Sets the handler of connections.
    ///
    /// One that returns nothing runs when the client has been let in, and the client's events are
    /// handled as soon as it first awaits. One that returns a `Result` decides whether the client
    /// is let in: until then what it emits and joins is held back, and what the client sends waits.
    ///
    /// # Panics
    /// When there is one already, or it asks for a [`State`](crate::State) that the server does
    /// not have.
    ///
    /// ```
    /// use tower_socketio::{Auth, Refusal, SocketIo, Socket};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on_connect(async |socket: Socket| socket.join("lobby"));
    /// io.of("/admin").on_connect(async |socket: Socket, Auth(name): Auth<Option<String>>| {
    ///     socket.insert(name.ok_or(Refusal::new("who are you?"))?);
    ///     Ok::<_, Refusal>(())
    /// });
    /// ```
    pub fn on_connect<A: 'static, H: ConnectHandler<A>>(&self, handler: H) -> &Self {
        H::check(&self.registration());
        self.change(|handlers| once(&mut handlers.connect, Arc::new(Erased::new(handler)), "on_connect"));
        self
    }

    /// Sets the handler of an event. What it may return is [`EventResponse`](crate::EventResponse).
    ///
    /// An event that has no handler is reported to [`on_error`](Self::on_error), and its client
    /// gets no ack.
    ///
    /// # Panics
    /// When the event has one already, its name is reserved by Socket.IO (`connect`,
    /// `connect_error`, `disconnect`, `disconnecting`, `newListener`, `removeListener`), or the
    /// handler asks for a [`State`](crate::State) that the server does not have.
    ///
    /// ```
    /// use tower_socketio::{Ack, Data, EncodeError, SocketIo, Socket};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on("say", async |socket: Socket, Data(text): Data<String>| {
    ///     socket.broadcast().emit("said", text)?;
    ///     Ok::<_, EncodeError>(Ack("sent"))
    /// });
    /// ```
    pub fn on<A: 'static, H: EventHandler<A>>(&self, event: &str, handler: H) -> &Self {
        H::check(&self.registration());
        assert!(
            !is_reserved(event),
            "the event name {event:?} is reserved by Socket.IO; use another name"
        );
        self.change(|handlers| {
            assert!(
                !handlers.events.contains_key(event),
                "the event {event:?} has a handler already"
            );
            let handler = Timed {
                handler: Arc::new(Erased::new(handler)),
                timer: Timer::new(self.path(), event),
            };
            handlers.events.insert(event.into(), handler);
        });
        self
    }

    /// Sets a handler that is given every event, before the event's own handler. While there is
    /// one, no event is without a handler.
    ///
    /// # Panics
    /// When there is one already, or it asks for a [`State`](crate::State) that the server does
    /// not have.
    ///
    /// ```
    /// use tower_socketio::{EventName, RawArgs, SocketIo};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on_any(async |EventName(name): EventName, args: RawArgs| {
    ///     println!("{name} with {} arguments", args.len());
    /// });
    /// ```
    pub fn on_any<A: 'static, H: EventHandler<A>>(&self, handler: H) -> &Self {
        H::check(&self.registration());
        self.change(|handlers| once(&mut handlers.any, Arc::new(Erased::new(handler)), "on_any"));
        self
    }

    /// Sets the handler of events that have none of their own: what `#[any]` of
    /// [`#[namespace]`](crate::namespace) names.
    ///
    /// # Panics
    /// As [`on_any`](Self::on_any).
    ///
    /// ```
    /// use tower_socketio::{EventName, SocketIo};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on_other(async |EventName(name): EventName| println!("{name}: what is that?"));
    /// ```
    pub fn on_other<A: 'static, H: EventHandler<A>>(&self, handler: H) -> &Self {
        H::check(&self.registration());
        self.change(|handlers| once(&mut handlers.other, Arc::new(Erased::new(handler)), "on_other"));
        self
    }

    /// Sets the handler of disconnections. It runs once for every socket that was let in, when
    /// all its other handlers have ended; the socket's rooms are still readable.
    ///
    /// It may take as long as [`handler_grace`](crate::SocketIoBuilder::handler_grace).
    ///
    /// # Panics
    /// When there is one already, or it asks for a [`State`](crate::State) that the server does
    /// not have.
    ///
    /// ```
    /// use tower_socketio::{DisconnectReason, SocketIo, Socket};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on_disconnect(async |socket: Socket, why: DisconnectReason| {
    ///     println!("{} left {:?}: {why}", socket.id(), socket.rooms());
    /// });
    /// ```
    pub fn on_disconnect<A: 'static, H: DisconnectHandler<A>>(&self, handler: H) -> &Self {
        H::check(&self.registration());
        self.change(|handlers| {
            once(
                &mut handlers.disconnect,
                Arc::new(Erased::new(handler)),
                "on_disconnect",
            );
        });
        self
    }

    /// Registers the methods of a type that [`#[namespace]`](crate::namespace) stands on: a value of it
    /// is made for each client that connects, and lives until its disconnect handler has run.
    ///
    /// # Panics
    /// Where one of its methods' handlers is registered already, or asks for a
    /// [`State`](crate::State) that the server does not have.
    ///
    /// ```
    /// use tower_socketio::{Ack, Data, SocketIo, namespace};
    ///
    /// #[derive(Default)]
    /// struct Calculator;
    ///
    /// #[namespace]
    /// impl Calculator {
    ///     #[event]
    ///     async fn double(&self, Data(number): Data<i64>) -> Ack<i64> {
    ///         Ack(2 * number)
    ///     }
    /// }
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/calculator").serve::<Calculator>();
    /// ```
    pub fn serve<T: Controller>(&self) -> &Self {
        T::register(self);
        self
    }

    /// Sets the rules about what a client may call, made for each of its sockets before its first
    /// event can arrive: see [`Acl`](crate::Acl). Without it, a client may call everything.
    ///
    /// A closure that panics lets nobody in.
    ///
    /// # Panics
    /// When there is one already.
    ///
    /// ```
    /// use tower_socketio::{Acl, SocketIo};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/chat").acl(|handshake| match handshake.headers().cookie("session") {
    ///     Some(_) => Acl::all().deny("kick"),
    ///     None => Acl::only(["login"]),
    /// });
    /// ```
    pub fn acl(&self, initial: impl Fn(&Handshake) -> Acl + Send + Sync + 'static) -> &Self {
        self.change(|handlers| once(&mut handlers.acl, Arc::new(initial), "acl"));
        self
    }

    /// Wraps every call of the namespace's handlers, its connecting (middleware and connect handler
    /// together) and its jobs: to measure them, to put them into a span, to report or change what they
    /// return. What is wrapped first is outermost.
    ///
    /// An error that the wrapper returns is reported and told to the client as if the handler had
    /// returned it; one that it does not return is not, and an ack is then left unanswered. What is done stays done: an
    /// ack that the handler has answered, and a client that has been let in, which happens inside the call. A client
    /// whose connecting the wrapper did not let run is refused.
    ///
    /// A call that an [`Acl`](crate::Acl) denies, that no handler takes, or whose arguments are not those of
    /// the handler, is not made, and so not wrapped: [`on_error`](Self::on_error) is told of it.
    ///
    /// ```
    /// use std::time::Instant;
    /// use tower_socketio::SocketIo;
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/chat").wrap(|call, next| async move {
    ///     let begin = Instant::now();
    ///     let outcome = next.await;
    ///     println!("{} took {:?}, ok: {}", call.occasion(), begin.elapsed(), outcome.is_ok());
    ///     outcome
    /// });
    /// ```
    pub fn wrap<F, Fut>(&self, wrapper: F) -> &Self
    where
        F: Fn(Call, Next) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), FailureKind>> + Send + 'static,
    {
        let wrapper = move |call, next| -> HandlerFuture { Box::pin(wrapper(call, next)) };
        self.change(|handlers| handlers.wrappers.push(Arc::new(wrapper)));
        self.0.registry.wraps_calls.store(true, Ordering::Relaxed);
        self
    }

    /// Sets what is told of everything that goes wrong: events that nobody handles, arguments
    /// that a handler does not take, calls that are denied, clients that are refused, handlers and jobs that fail
    /// or panic. Without it, the server's hook is told ([`SocketIo::on_error`](crate::SocketIo::on_error)), and without
    /// that the log, by `tracing`: at level `debug` where the client is at fault, else `error`.
    ///
    /// It runs in the task of what failed, the client's or a job's, and must not block.
    ///
    /// # Panics
    /// When there is one already.
    ///
    /// ```
    /// let io = tower_socketio::SocketIo::builder().build();
    /// io.of("/").on_error(|failure| {
    ///     if !failure.kind.is_clients_fault() {
    ///         eprintln!("{failure}");
    ///     }
    /// });
    /// ```
    pub fn on_error(&self, hook: impl Fn(&Failure<'_>) + Send + Sync + 'static) -> &Self {
        self.change(|handlers| once(&mut handlers.error, Arc::new(hook) as Arc<ErrorHook>, "on_error"));
        self
    }

    broadcast_operators!("the namespace", ".of(\"/chat\")");

    /// The socket with that id, if it is connected to this namespace on this server.
    ///
    /// ```
    /// let io = tower_socketio::SocketIo::builder().build();
    /// assert!(io.of("/").socket("nobody's").is_none());
    /// ```
    pub fn socket(&self, id: impl AsRef<str>) -> Option<Socket> {
        let id = id.as_ref();
        let mut found = None;
        self.0
            .each_local(|namespace| found = found.take().or_else(|| namespace.rooms.get(id)));
        found
    }

    /// How many sockets are connected to this namespace on this server.
    ///
    /// ```
    /// let io = tower_socketio::SocketIo::builder().build();
    /// assert_eq!(io.of("/").sockets_count(), 0);
    /// ```
    pub fn sockets_count(&self) -> usize {
        let mut count = 0;
        self.0.each_local(|namespace| count += namespace.rooms.len());
        count
    }

    /// The rooms in which somebody is on this server, without those that every socket has by its id. In no
    /// order.
    ///
    /// How many are in one: [`Broadcast::sockets_count`].
    ///
    /// ```
    /// let io = tower_socketio::SocketIo::builder().build();
    /// assert!(io.of("/").rooms().is_empty());
    /// ```
    pub fn rooms(&self) -> Vec<String> {
        let mut rooms = HashSet::new();
        self.0.each_local(|namespace| rooms.extend(namespace.rooms.names()));
        rooms.into_iter().collect()
    }

    pub(crate) fn adapter(&self) -> &dyn Adapter {
        &*self.0.adapter
    }

    pub(crate) fn broadcast(&self) -> Broadcast {
        Broadcast::new(self.0.clone())
    }

    pub(super) fn registration(&self) -> Registration<'_> {
        Registration::new(&self.0)
    }

    fn assert_no_child(&self) {
        assert!(
            self.0.parent().is_none(),
            "the handlers of namespace {:?} are its parent's: register them with what `of_pattern` or `of_matching` returned",
            self.0.path,
        );
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Handlers)) {
        self.assert_no_child();
        change(&mut self.0.registry.handlers.write().unwrap_or_else(PoisonError::into_inner));
    }
}

fn once<T: ?Sized>(slot: &mut Option<Arc<T>>, handler: Arc<T>, name: &str) {
    assert!(slot.is_none(), "the namespace has an `{name}` handler already");
    *slot = Some(handler);
}

impl Shared {
    pub(crate) fn new(path: &str, core: Arc<Core>, family: Family) -> Self {
        let (meter, registry) = match &family {
            Family::Child(parent) => (parent.meter.clone(), parent.registry.clone()),
            Family::Alone | Family::Parent(_) => (Arc::new(Meter::new(path)), Arc::default()),
        };
        let history = match &family {
            Family::Child(parent) => parent.history.as_ref().map(|history| history.of_child()),
            Family::Alone | Family::Parent(_) => core.config.history(),
        };
        let rooms = Arc::new(Rooms::new(meter.rooms.clone(), core.runtime.clone()));
        if let Family::Child(parent) = &family {
            rooms.watch_as(&parent.rooms);
        }
        Self {
            path: path.into(),
            adapter: rooms.clone(),
            rooms,
            meter,
            history: history.map(Box::new),
            family,
            core,
            registry,
        }
    }

    pub(crate) fn core(&self) -> &Core {
        &self.core
    }

    pub(crate) fn handlers(&self) -> RwLockReadGuard<'_, Handlers> {
        self.registry.handlers.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    pub(crate) fn next_ack_id(&self) -> u64 {
        self.registry.ack_ids.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn parser(&self) -> OwnParser<'_> {
        self.core.parser.as_deref()
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        &self.core.runtime
    }

    pub(crate) fn initial_acl(&self, handshake: &Handshake) -> Option<Acl> {
        let acl = self.handlers().acl.clone()?;
        Some(acl(handshake))
    }

    /// A call with all that is wrapped around it.
    pub(crate) fn wrap(&self, call: impl FnOnce() -> Call, future: HandlerFuture) -> HandlerFuture {
        if !self.registry.wraps_calls.load(Ordering::Relaxed) {
            return future;
        }
        let wrappers = self.handlers().wrappers.clone();
        let call = call();
        // Wrappers may await, and the rules change meanwhile.
        let socket = call.socket().clone();
        let event = call.occasion().event().map(str::to_owned);
        let future: HandlerFuture = Box::pin(async move {
            match event {
                Some(event) if !socket.allows(&event) => Err(FailureKind::AccessDenied),
                _ => future.await,
            }
        });
        let around = |inner, wrapper: &Arc<Wrapper>| wrapper(call.clone(), Next::new(inner));
        wrappers.iter().rev().fold(future, around)
    }

    pub(crate) fn max_held_bytes(&self) -> usize {
        self.core.config.max_held_bytes
    }

    pub(crate) fn state<T: Any>(&self) -> Option<&T> {
        self.core.state.get(&TypeId::of::<T>())?.downcast_ref()
    }

    /// Something went wrong for that socket.
    pub(crate) fn report(&self, socket: &Socket, occasion: Occasion<'_>, kind: &FailureKind) {
        let failure = Failure {
            handshake: socket.handshake(),
            namespace: Some(&self.path),
            socket: Some(socket),
            occasion: Some(occasion),
            kind,
        };
        self.meter.failed(kind);
        let own = self.handlers().error.clone();
        match own {
            Some(hook) => report(Some(&*hook), &failure),
            None => self.core.report(&failure),
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Family::Child(_) = self.family {
            self.core.forget(self);
        }
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Namespace")
            .field("path", &self.path)
            .field("sockets", &self.rooms.len())
            .finish_non_exhaustive()
    }
}
