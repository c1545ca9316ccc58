//! One client in one namespace: the handle that handlers and any other task hold.
//!
//! Nothing here waits for the network. What has to be done in the order of the client's own
//! events (its disconnect handler) is left to [`dispatch`](super::dispatch), which is woken.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use tokio::sync::oneshot;

mod extras;
mod membership;
mod recovery;
mod rooms;

use self::{
    extras::Extras,
    membership::{Held, HeldEmit, Status},
    recovery::Lineage,
};
pub(crate) use self::{
    extras::{Data, read_data},
    membership::Was,
};
use super::{
    ack::{AckFuture, OpenAck},
    acks::{Asker, Question},
    acl::SocketAcl,
    args::{EmitArgs, EncodeError, FromArgs, RawArgs},
    client::{Client, ClientShared},
    emitter::Emitter,
    frames::Frames,
    namespace::{Namespace, Shared},
    reason::DisconnectReason,
    recovery::restore::Recognised,
    session::Session,
};
use crate::{
    engine::{CloseReason, Connection, Flags, Root, Sid, SocketId, Transport, Wake},
    handshake::Handshake,
};

/// One client in one namespace. Cheap to clone; emitting never waits for the network.
///
/// ```
/// use tower_socketio::{Ack, Data, SocketIo, Socket};
///
/// let io = SocketIo::builder().build();
/// io.of("/").on("join", async |socket: Socket, Data(room): Data<String>| {
///     socket.join(&room);
///     socket.to(&room).emit("joined", socket.id())?;
///     Ok::<_, tower_socketio::EventError>(Ack(room))
/// });
/// ```
#[derive(Clone)]
pub struct Socket(Arc<Inner>);

struct Inner {
    id: Sid,
    namespace: Arc<Shared>,
    connection: Connection,
    client: Arc<ClientShared>,
    auth: Option<Box<str>>,
    state: Mutex<State>,
}

struct State {
    status: Status,
    /// The rooms it is in; after it has left, those it was in.
    rooms: Vec<Arc<str>>,
    /// Acks that the client owes.
    acks: Vec<(u64, Asker)>,
    extras: Option<Box<Extras>>,
}

/// A socket that its client knows of, and does not keep.
#[derive(Debug)]
pub(crate) struct WeakSocket(Weak<Inner>);

impl Socket {
    pub(crate) fn new(
        namespace: Arc<Shared>,
        connection: Connection,
        client: Arc<ClientShared>,
        auth: Option<Box<str>>,
        recognised: Option<Recognised>,
    ) -> Self {
        let id = match (&recognised, connection.profile().socket_id) {
            (Some(recognised), _) => recognised.member.id.clone(),
            (None, SocketId::Fresh) => Sid::random(),
            (None, SocketId::OfConnection) => connection.id().behind(&namespace.path),
            (None, SocketId::IsConnections) => connection.id().clone(),
        };
        let lineage = match recognised {
            Some(_) => None,
            None => Lineage::begin(&namespace, &connection, &id),
        };
        let socket = Self(Arc::new(Inner {
            id,
            namespace,
            connection,
            client,
            auth,
            state: Mutex::new(State {
                status: Status::Connecting(Held::default()),
                rooms: Vec::new(),
                acks: Vec::new(),
                extras: lineage.map(Extras::of).map(Box::new),
            }),
        }));
        if let Some(recognised) = recognised {
            socket.inherit(recognised);
        }
        socket
    }

    /// Its id: also the name of a room that only it is in. Not a secret, and another in each
    /// namespace.
    ///
    /// ```
    /// use tower_socketio::{SocketIo, Socket};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on_connect(async |socket: Socket| socket.broadcast().emit("joined", socket.id()).unwrap());
    /// ```
    pub fn id(&self) -> &Sid {
        &self.0.id
    }

    /// Its namespace.
    ///
    /// ```
    /// use tower_socketio::{SocketIo, Socket};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on_connect(async |socket: Socket| println!("{} are here", socket.namespace().sockets_count()));
    /// ```
    pub fn namespace(&self) -> Namespace {
        Namespace::new(self.0.namespace.clone())
    }

    /// The request that its connection began with.
    ///
    /// ```
    /// use tower_socketio::{SocketIo, Socket};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on_connect(async |socket: Socket| println!("from {:?}", socket.handshake().peer_addr()));
    /// ```
    pub fn handshake(&self) -> &Handshake {
        self.0.client.handshake()
    }

    /// Its client as a whole, with the sockets of its other namespaces.
    ///
    /// ```
    /// use tower_socketio::{SocketIo, Socket};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on("log out", async |socket: Socket| {
    ///     if let Some(admin) = socket.client().of("/admin") {
    ///         admin.disconnect();
    ///     }
    /// });
    /// ```
    pub fn client(&self) -> Client {
        Client::new(self.0.connection.clone(), self.0.client.clone())
    }

    /// Its client's session: values that all of the client's namespaces share. What is the socket's
    /// alone is [inserted](Self::insert) into it.
    ///
    /// ```
    /// use tower_socketio::{SocketIo, Socket};
    ///
    /// #[derive(Clone)]
    /// struct Language(&'static str);
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on_connect(async |socket: Socket| { socket.session().insert(Language("en")); });
    /// ```
    pub fn session(&self) -> Session {
        self.client().session()
    }

    /// What it may call: see [`Acl`](crate::Acl).
    ///
    /// ```
    /// use tower_socketio::{SocketIo, Socket};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on("vote", async |socket: Socket| socket.acl().deny("vote"));
    /// ```
    pub fn acl(&self) -> SocketAcl<'_> {
        SocketAcl::new(self)
    }

    /// The JSON object that the client sent as `auth`, if it sent any. Handlers extract it as
    /// [`Auth`](crate::Auth).
    ///
    /// ```
    /// use tower_socketio::{SocketIo, Socket};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on_connect(async |socket: Socket| println!("{}", socket.auth_json().unwrap_or("no auth")));
    /// ```
    pub fn auth_json(&self) -> Option<&str> {
        self.0.auth.as_deref()
    }

    /// The transport at this moment: a client that polls may change to another, once; one before 1.0 at any time. See
    /// [`Namespace::on_upgrade`].
    ///
    /// ```
    /// use tower_socketio::{SocketIo, Socket, Transport};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on("how", async |socket: Socket| println!("{}", socket.transport() == Transport::WebSocket));
    /// ```
    pub fn transport(&self) -> Transport {
        self.0.connection.transport()
    }

    /// Whether it is connected to its namespace: it has been let in and has not left.
    ///
    /// ```
    /// use tower_socketio::{SocketIo, Socket};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on_disconnect(async |socket: Socket| assert!(!socket.is_connected()));
    /// ```
    pub fn is_connected(&self) -> bool {
        matches!(self.lock().status, Status::Connected)
    }

    /// Sends an event to the client. A socket that has left ignores it, unless its client
    /// [comes back](crate::SocketIoBuilder::connection_state_recovery): then that gets it.
    ///
    /// One value is one argument; several are [`Args`](crate::Args). Before the socket is let in
    /// the event is held back.
    ///
    /// # Errors
    /// When the arguments cannot be written as JSON, hold bytes that this client cannot be sent, or the
    /// event's name is reserved.
    ///
    /// ```
    /// use tower_socketio::{Args, SocketIo, Socket};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on("hi", async |socket: Socket| socket.emit("hello", Args(("you", 1))));
    /// ```
    pub fn emit(&self, event: &str, args: impl EmitArgs) -> Result<(), EncodeError> {
        let frames = self.event(event, &args, false)?;
        self.send_frames(frames, Flags::default())
    }

    /// Sends a `message`, as clients do with `send`: `emit("message", args)`. Clients before 1.0, which
    /// have messages beside events, get text as text and one other value as JSON.
    ///
    /// # Errors
    /// As [`emit`](Self::emit).
    ///
    /// ```
    /// use tower_socketio::{RawArgs, SocketIo, Socket};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on("message", async |socket: Socket, args: RawArgs| socket.send(args));
    /// ```
    pub fn send(&self, args: impl EmitArgs) -> Result<(), EncodeError> {
        self.emit("message", args)
    }

    /// Sends an event and waits for the client's ack: until the client leaves, or for as long as
    /// [`timeout`](Self::timeout) said. The event is sent at once, not when the future is awaited;
    /// errors are the future's, see [`AckError`](crate::AckError).
    ///
    /// ```
    /// # use tower_socketio::{SocketIo, Socket};
    /// use std::time::Duration;
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on("add", async |socket: Socket| {
    ///     let sum: i64 = socket
    ///         .timeout(Duration::from_secs(5))
    ///         .emit_with_ack("sum", tower_socketio::Args((1, 2)))
    ///         .await?;
    ///     println!("{sum}");
    ///     Ok::<_, tower_socketio::EventError>(())
    /// });
    /// ```
    pub fn emit_with_ack<T: FromArgs>(&self, event: &str, args: impl EmitArgs) -> AckFuture<T> {
        self.ask(event, &args, Flags::default(), None)
    }

    /// An emitter whose acks are waited for that long. Default: until the client leaves.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_socketio::{AckError, SocketIo, Socket};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on("ask", async |socket: Socket| {
    ///     match socket.timeout(Duration::from_secs(5)).emit_with_ack::<String>("name?", "").await {
    ///         Err(AckError::Timeout) => println!("no answer"),
    ///         answer => println!("{answer:?}"),
    ///     }
    /// });
    /// ```
    pub fn timeout(&self, timeout: Duration) -> Emitter<'_> {
        Emitter::new(self).timeout(timeout)
    }

    /// An emitter whose events are lost when the client cannot take them at once: its network is
    /// busy, or, on polling, no poll is open.
    ///
    /// ```
    /// use tower_socketio::{SocketIo, Socket};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on("move", async |socket: Socket| socket.volatile().emit("cursor", [10, 20]));
    /// ```
    pub fn volatile(&self) -> Emitter<'_> {
        Emitter::new(self).volatile()
    }

    /// An emitter whose events the transport may compress or not, where it does that at all. Default: it may.
    ///
    /// ```
    /// use tower_socketio::{SocketIo, Socket};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on("look", async |socket: Socket| {
    ///     socket.compress(false).emit("image", bytes::Bytes::from_static(b"\x89PNG"))
    /// });
    /// ```
    pub fn compress(&self, compress: bool) -> Emitter<'_> {
        Emitter::new(self).compress(compress)
    }

    /// Makes the client leave the namespace. Its connection and its other namespaces stay. What it
    /// has sent and nobody has handled yet is dropped.
    ///
    /// A socket that is not let in yet is refused with `disconnected`. The client of one whose connection was lost does
    /// not [come back](crate::SocketIoBuilder::connection_state_recovery) as that socket, and leaves if it has already.
    ///
    /// ```
    /// use tower_socketio::{SocketIo, Socket};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on("bye", async |socket: Socket| socket.disconnect());
    /// ```
    pub fn disconnect(&self) {
        let frames = match self.leave_namespace(DisconnectReason::ServerNamespaceDisconnect) {
            Some(Was::Connected) => Frames::disconnect(self.0.namespace.parser(), self.path()),
            Some(Was::Connecting) => {
                let generation = self.0.connection.generation();
                Frames::connect_error(self.0.namespace.parser(), generation, self.path(), "disconnected", None)
            }
            None => return self.disconnect_client(),
        };
        frames.send(&self.0.connection, Flags::default(), Wake::Now);
        if self.is_connection() {
            self.0.connection.close(CloseReason::ForcedClose);
        }
        self.0.connection.wake();
    }

    /// Whether the connection ends when it leaves.
    fn is_connection(&self) -> bool {
        self.path() == "/" && self.0.connection.profile().root == Root::IsConnection
    }

    /// The client has left.
    pub(crate) fn handle_disconnect(&self) {
        self.leave_namespace(DisconnectReason::ClientNamespaceDisconnect);
        if self.is_connection() {
            Frames::disconnect(self.0.namespace.parser(), self.path()).send(
                &self.0.connection,
                Flags::default(),
                Wake::Now,
            );
            self.0.connection.close(CloseReason::TransportClose);
        }
        self.0.connection.wake();
    }

    /// Closes the client's connection, and with it all of its namespaces, once what is queued has
    /// been sent. The reason is `forced close`; the client is told nothing else, and comes back by itself. For what
    /// `socket.disconnect(true)` is in the reference, see [`Client::disconnect`].
    ///
    /// ```
    /// use tower_socketio::{SocketIo, Socket};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on("bye", async |socket: Socket| socket.close());
    /// ```
    pub fn close(&self) {
        self.0.connection.close(CloseReason::ForcedClose);
    }

    pub(crate) fn state<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        self.0.namespace.state::<T>().cloned()
    }

    pub(crate) fn path(&self) -> &str {
        &self.0.namespace.path
    }

    /// Its id, unless that is the key to its client's session.
    pub(crate) fn public_id(&self) -> Option<&str> {
        let is_public = self.0.connection.profile().socket_id == SocketId::Fresh;
        is_public.then(|| self.id().as_str())
    }

    #[cfg(feature = "admin")]
    pub(crate) fn connection(&self) -> &Connection {
        &self.0.connection
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0.namespace
    }

    /// Whether it is the very same, not only one that has its id.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(crate) fn downgrade(&self) -> WeakSocket {
        WeakSocket(Arc::downgrade(&self.0))
    }

    pub(crate) fn answer(&self, ack: &OpenAck, args: &impl EmitArgs) -> Result<(), EncodeError> {
        let mut frames = Frames::ack(self.path(), ack.id(), args)?;
        self.admit(&mut frames)?;
        if ack.take() {
            self.queue(frames, Flags::default());
        }
        Ok(())
    }

    pub(crate) fn send_ack(&self, id: u64, args: &impl EmitArgs) -> Result<(), EncodeError> {
        let frames = Frames::ack(self.path(), id, args)?;
        self.send_frames(frames, Flags::default())
    }

    /// A broadcast's frames, for a socket that is connected. `true`: for later, to be [roused](Self::rouse).
    pub(crate) fn deliver(&self, frames: &Frames, flags: Flags, wake: Wake) -> bool {
        let sent = frames.send(&self.0.connection, flags, wake);
        if sent.is_queued && frames.is_event() {
            self.0.namespace.meter.event_sent();
        }
        // Whoever sends those does so with a lock.
        if !frames.is_held && !frames.has_offset() {
            self.show_outgoing(frames);
        }
        sent.owner_sleeps
    }

    /// What was queued for later is to be sent.
    pub(crate) fn rouse(&self) {
        self.0.connection.rouse();
    }

    /// Whether its client can be sent that.
    pub(crate) fn takes(&self, frames: &Frames) -> bool {
        frames.is_for(&self.0.connection)
    }

    /// A broadcast's question, as [`deliver`](Self::deliver). Not under another socket's lock.
    pub(crate) fn deliver_question(&self, frames: &Frames, flags: Flags, question: &Question, wake: Wake) -> bool {
        if !frames.is_for(&self.0.connection) {
            return false;
        }
        let mut state = self.lock();
        if let Status::Connected = state.status {
            state.acks.extend(question.ask(self));
            drop(state);
            return self.deliver(frames, flags, wake);
        }
        false
    }

    /// The client answered; an answer that nobody waits for is not even read.
    pub(crate) fn resolve_ack(&self, id: u64, args: impl FnOnce() -> RawArgs) {
        if let Some(asker) = self.take_ack(id) {
            asker.tell(self.id(), Some(args()));
        }
    }

    /// Whether somebody waits for an answer of its client.
    pub(crate) fn awaits_answer(&self) -> bool {
        !self.lock().acks.is_empty()
    }

    /// Nobody waits for this answer any more.
    pub(crate) fn forget_ack(&self, id: u64) {
        if let Some(asker) = self.take_ack(id) {
            asker.tell(self.id(), None);
        }
    }

    fn take_ack(&self, id: u64) -> Option<Asker> {
        let mut state = self.lock();
        let at = state.acks.iter().position(|(waiting, _)| *waiting == id)?;
        let (_, asker) = state.acks.swap_remove(at);
        if state.acks.is_empty() {
            state.acks = Vec::new();
        }
        Some(asker)
    }

    pub(super) fn ask<T: FromArgs>(
        &self,
        event: &str,
        args: &impl EmitArgs,
        flags: Flags,
        timeout: Option<Duration>,
    ) -> AckFuture<T> {
        let id = self.0.namespace.next_ack_id();
        let frames = Frames::event(self.path(), Some(id), event, args);
        let frames = frames.and_then(|mut frames| self.admit(&mut frames).map(|()| frames));
        let frames = match frames {
            Ok(frames) => frames,
            Err(error) => return AckFuture::unsent(error),
        };
        let (sender, answer) = oneshot::channel();
        let mut state = self.lock();
        if !matches!(state.status, Status::Left { .. }) {
            state.acks.push((id, Asker::One(sender)));
        }
        drop(state);
        self.queue(frames, flags);
        AckFuture::sent(self.clone(), id, answer, timeout)
    }

    pub(super) fn send_frames(&self, mut frames: Frames, flags: Flags) -> Result<(), EncodeError> {
        self.admit(&mut frames)?;
        self.queue(frames, flags);
        Ok(())
    }

    /// As this client can be sent it.
    fn admit(&self, frames: &mut Frames) -> Result<(), EncodeError> {
        if frames.is_for(&self.0.connection) {
            frames.be_written_by(self.0.namespace.parser())
        } else {
            Err(EncodeError::BinaryUnsupported)
        }
    }

    fn queue(&self, frames: Frames, flags: Flags) {
        let mut state = self.lock();
        match &mut state.status {
            Status::Left { .. } if !frames.has_offset() => {}
            // Where its client may come back, or has, it is for the client.
            Status::Connected | Status::Left { .. } => {
                drop(state);
                self.transmit(&frames, flags);
            }
            Status::Connecting(held) if !flags.volatile => self.push_held(held, frames.bytes(), HeldEmit::Own(frames)),
            Status::Connecting(_) => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half-way through a change.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WeakSocket {
    pub(crate) fn upgrade(&self) -> Option<Socket> {
        self.0.upgrade().map(Socket)
    }

    pub(crate) fn is(&self, socket: &Socket) -> bool {
        self.0.as_ptr() == Arc::as_ptr(&socket.0)
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("namespace", &self.path())
            .field("id", self.id())
            .finish_non_exhaustive()
    }
}
