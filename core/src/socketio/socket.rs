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

pub(crate) use self::membership::Was;
use self::{
    extras::Extras,
    membership::{Held, HeldEmit, Status},
};
use super::{
    ack::{AckFuture, OpenAck},
    acl::SocketAcl,
    args::{EmitArgs, EncodeError, FromArgs, RawArgs},
    broadcast::Broadcast,
    client::{Client, ClientShared},
    emitter::Emitter,
    frames::Frames,
    namespace::{Namespace, Shared},
    reason::DisconnectReason,
    session::Session,
};
use crate::{
    engine::{CloseReason, Connection, Root, Sid, SocketId, Transport},
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
    acks: Vec<(u64, oneshot::Sender<RawArgs>)>,
    extras: Option<Box<Extras>>,
}

/// A socket that its client knows of, and does not keep.
pub(crate) struct WeakSocket(Weak<Inner>);

impl Socket {
    pub(crate) fn new(
        namespace: Arc<Shared>,
        connection: Connection,
        client: Arc<ClientShared>,
        auth: Option<Box<str>>,
    ) -> Self {
        let id = match connection.profile().socket_id {
            SocketId::Fresh => Sid::random(),
            SocketId::OfConnection => connection.id().behind(&namespace.path),
            SocketId::IsConnections => connection.id().clone(),
        };
        Self(Arc::new(Inner {
            id,
            namespace,
            connection,
            client,
            auth,
            state: Mutex::new(State {
                status: Status::Connecting(Held::default()),
                rooms: Vec::new(),
                acks: Vec::new(),
                extras: None,
            }),
        }))
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

    /// The transport at this moment: it may change once, from polling to WebSocket.
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

    /// Sends an event to the client. A socket that has left ignores it.
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
        let frames = Frames::event(self.path(), None, event, &args)?;
        self.send_frames(frames, false)
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
        self.ask(event, &args, None)
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

    /// Everybody in a room but this socket.
    ///
    /// ```
    /// use tower_socketio::{SocketIo, Socket};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on("hi", async |socket: Socket| socket.to("lobby").emit("hi", socket.id()));
    /// ```
    pub fn to(&self, room: impl AsRef<str>) -> Broadcast {
        self.broadcast().to(room)
    }

    /// Everybody in the namespace but this socket and those in a room.
    ///
    /// ```
    /// use tower_socketio::{SocketIo, Socket};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on("hi", async |socket: Socket| socket.except("muted").emit("hi", socket.id()));
    /// ```
    pub fn except(&self, room: impl AsRef<str>) -> Broadcast {
        self.broadcast().except(room)
    }

    /// Everybody in the namespace but this socket.
    ///
    /// ```
    /// use tower_socketio::{SocketIo, Socket};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on("hi", async |socket: Socket| socket.broadcast().emit("hi", socket.id()));
    /// ```
    pub fn broadcast(&self) -> Broadcast {
        Broadcast::new(self.0.namespace.clone()).from(self)
    }

    /// Everybody in the namespace on this server but this socket.
    ///
    /// ```
    /// use tower_socketio::{SocketIo, Socket};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on("hi", async |socket: Socket| socket.local().emit("hi", socket.id()));
    /// ```
    pub fn local(&self) -> Broadcast {
        self.broadcast().local()
    }

    /// Enters a room, which exists while somebody is in it. Any text names a room. A socket that has
    /// left its namespace enters none; one that is not let in yet enters it then.
    ///
    /// ```
    /// use tower_socketio::{Data, SocketIo, Socket};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on("join", async |socket: Socket, Data(room): Data<String>| socket.join(room));
    /// ```
    pub fn join(&self, room: impl AsRef<str>) {
        let room = room.as_ref();
        let mut state = self.lock();
        let State { status, rooms, .. } = &mut *state;
        match status {
            Status::Connecting(held) => held.rooms.push(room.into()),
            Status::Connected => rooms.extend(self.0.namespace.rooms.join(self, room)),
            Status::Left { .. } => {}
        }
    }

    /// Leaves a room. Its own, named by its id, it cannot leave.
    ///
    /// ```
    /// use tower_socketio::{Data, SocketIo, Socket};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on("leave", async |socket: Socket, Data(room): Data<String>| socket.leave(room));
    /// ```
    pub fn leave(&self, room: impl AsRef<str>) {
        let room = room.as_ref();
        let mut state = self.lock();
        let State { status, rooms, .. } = &mut *state;
        match status {
            Status::Connecting(held) => held.rooms.retain(|held| **held != *room),
            Status::Connected => {
                if self.0.namespace.rooms.leave(self.id(), room) {
                    rooms.retain(|joined| **joined != *room);
                }
            }
            Status::Left { .. } => {}
        }
    }

    /// The rooms it is in, its own first. In a disconnect handler and later, those it was in; before
    /// it is let in, only its own.
    ///
    /// ```
    /// use tower_socketio::{Ack, SocketIo, Socket};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on("where", async |socket: Socket| Ack(socket.rooms()));
    /// ```
    pub fn rooms(&self) -> Vec<String> {
        let state = self.lock();
        std::iter::once(self.id().as_str())
            .chain(state.rooms.iter().map(|room| &**room))
            .map(str::to_owned)
            .collect()
    }

    /// Makes the client leave the namespace. Its connection and its other namespaces stay. What it
    /// has sent and nobody has handled yet is dropped.
    ///
    /// A socket that is not let in yet is refused with `disconnected`.
    ///
    /// ```
    /// use tower_socketio::{SocketIo, Socket};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on("bye", async |socket: Socket| socket.disconnect());
    /// ```
    pub fn disconnect(&self) {
        let frames = match self.leave_namespace(DisconnectReason::ServerNamespaceDisconnect) {
            Some(Was::Connected) => Frames::disconnect(self.path()),
            Some(Was::Connecting) => {
                let generation = self.0.connection.generation();
                Frames::connect_error(generation, self.path(), "disconnected", None)
            }
            None => return,
        };
        frames.send(&self.0.connection, false);
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
            Frames::disconnect(self.path()).send(&self.0.connection, false);
            self.0.connection.close(CloseReason::TransportClose);
        }
        self.0.connection.wake();
    }

    /// Closes the client's connection, and with it all of its namespaces, once what is queued has
    /// been sent. The reason is `forced close`.
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
        let frames = self.admit(Frames::ack(self.path(), ack.id(), args)?)?;
        if ack.take() {
            self.queue(frames, false);
        }
        Ok(())
    }

    pub(crate) fn send_ack(&self, id: u64, args: &impl EmitArgs) -> Result<(), EncodeError> {
        let frames = Frames::ack(self.path(), id, args)?;
        self.send_frames(frames, false)
    }

    /// A broadcast's frames, for a socket that is connected.
    pub(crate) fn deliver(&self, frames: &Frames, volatile: bool) {
        frames.send(&self.0.connection, volatile);
    }

    /// The client answered; an answer that nobody waits for is not even read.
    pub(crate) fn resolve_ack(&self, id: u64, args: impl FnOnce() -> RawArgs) {
        let mut state = self.lock();
        if let Some(at) = state.acks.iter().position(|(waiting, _)| *waiting == id) {
            let (_, answer) = state.acks.swap_remove(at);
            drop(state);
            let _ = answer.send(args());
        }
    }

    /// Nobody waits for this answer any more.
    pub(crate) fn forget_ack(&self, id: u64) {
        let mut state = self.lock();
        state.acks.retain(|(waiting, _)| *waiting != id);
        if state.acks.is_empty() {
            state.acks = Vec::new();
        }
    }

    pub(super) fn ask<T: FromArgs>(
        &self,
        event: &str,
        args: &impl EmitArgs,
        timeout: Option<Duration>,
    ) -> AckFuture<T> {
        let id = self.0.namespace.next_ack_id();
        let frames = Frames::event(self.path(), Some(id), event, args).and_then(|frames| self.admit(frames));
        let frames = match frames {
            Ok(frames) => frames,
            Err(error) => return AckFuture::unsent(error),
        };
        let (sender, answer) = oneshot::channel();
        let mut state = self.lock();
        if !matches!(state.status, Status::Left { .. }) {
            state.acks.push((id, sender));
        }
        drop(state);
        self.queue(frames, false);
        AckFuture::sent(self.clone(), id, answer, timeout)
    }

    pub(super) fn send_frames(&self, frames: Frames, volatile: bool) -> Result<(), EncodeError> {
        let frames = self.admit(frames)?;
        self.queue(frames, volatile);
        Ok(())
    }

    /// What this client can be sent.
    fn admit(&self, frames: Frames) -> Result<Frames, EncodeError> {
        if frames.is_for(&self.0.connection) {
            Ok(frames)
        } else {
            Err(EncodeError::BinaryUnsupported)
        }
    }

    fn queue(&self, frames: Frames, volatile: bool) {
        let mut state = self.lock();
        match &mut state.status {
            Status::Connected => {
                drop(state);
                frames.send(&self.0.connection, volatile);
            }
            Status::Connecting(held) if !volatile => self.push_held(held, frames.bytes(), HeldEmit::Own(frames)),
            Status::Connecting(_) | Status::Left { .. } => {}
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
