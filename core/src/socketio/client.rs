//! A client as a whole: what its sockets in several namespaces share.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    session::{Session, TypeMap},
    socket::{Socket, WeakSocket},
};
use crate::{
    engine::{CloseReason, Connection},
    handshake::Handshake,
};

/// A client, with all of its namespaces: what [`Socket::client`] returns. Cheap to clone.
///
/// ```
/// use tower_socketio::{SocketIo, Socket};
///
/// let io = SocketIo::builder().build();
/// io.of("/admin").on_connect(async |socket: Socket| {
///     if let Some(chat) = socket.client().of("/chat") {
///         chat.acl().allow("kick");
///         chat.emit("promoted", "you may kick now").unwrap();
///     }
/// });
/// ```
#[derive(Clone)]
pub struct Client {
    connection: Connection,
    shared: Arc<ClientShared>,
}

/// What a client's sockets share.
pub(crate) struct ClientShared {
    handshake: Handshake,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Its sockets that are connected.
    sockets: Vec<WeakSocket>,
    session: Option<Box<TypeMap>>,
}

impl ClientShared {
    pub(crate) fn new(handshake: Handshake) -> Arc<Self> {
        Arc::new(Self {
            handshake,
            state: Mutex::default(),
        })
    }

    pub(crate) fn handshake(&self) -> &Handshake {
        &self.handshake
    }

    pub(crate) fn insert(&self, socket: &Socket) {
        let sockets = &mut self.lock().sockets;
        if sockets.is_empty() {
            // Most clients join one namespace, where a vector would make room for four.
            sockets.reserve_exact(1);
        }
        sockets.push(socket.downgrade());
    }

    pub(crate) fn remove(&self, socket: &Socket) {
        self.lock().sockets.retain(|other| !other.is(socket));
    }

    /// Its connection has ended, and its handlers: the session goes.
    pub(crate) fn end(&self) {
        let session = self.lock().session.take();
        drop(session);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Client {
    pub(super) fn new(connection: Connection, shared: Arc<ClientShared>) -> Self {
        Self { connection, shared }
    }

    /// Its socket in that namespace, if it is connected to it. A leading slash may be left out.
    ///
    /// ```
    /// # use tower_socketio::{SocketIo, Socket};
    /// # let io = SocketIo::builder().build();
    /// io.of("/").on("log out", async |socket: Socket| {
    ///     if let Some(admin) = socket.client().of("/admin") {
    ///         admin.disconnect();
    ///     }
    /// });
    /// ```
    pub fn of(&self, path: &str) -> Option<Socket> {
        let path = path.strip_prefix('/').unwrap_or(path);
        let sockets = self.sockets();
        sockets.into_iter().find(|socket| socket.path()[1..] == *path)
    }

    /// Its sockets, one for each namespace that it is connected to, in the order of connecting.
    ///
    /// ```
    /// # use tower_socketio::{SocketIo, Socket};
    /// # let io = SocketIo::builder().build();
    /// io.of("/").on("where am I", async |socket: Socket| {
    ///     for socket in socket.client().sockets() {
    ///         println!("{}", socket.namespace().path());
    ///     }
    /// });
    /// ```
    pub fn sockets(&self) -> Vec<Socket> {
        self.shared
            .lock()
            .sockets
            .iter()
            .filter_map(WeakSocket::upgrade)
            .collect()
    }

    /// Its session: values that its namespaces share.
    ///
    /// ```
    /// # use tower_socketio::{SocketIo, Socket};
    /// # let io = SocketIo::builder().build();
    /// io.of("/").on("seen", async |socket: Socket| {
    ///     socket.client().session().insert(std::time::Instant::now());
    /// });
    /// ```
    pub fn session(&self) -> Session {
        Session::new(self.clone())
    }

    /// The request that its connection began with.
    ///
    /// ```
    /// # use tower_socketio::{SocketIo, Socket};
    /// # let io = SocketIo::builder().build();
    /// io.of("/").on_connect(async |socket: Socket| {
    ///     println!("{:?}", socket.client().handshake().peer_addr());
    /// });
    /// ```
    pub fn handshake(&self) -> &Handshake {
        self.shared.handshake()
    }

    /// Disconnects it from all of its namespaces, with `server namespace disconnect`, and closes its connection once
    /// what is queued has been sent: what `socket.disconnect(true)` is in the reference. Unlike after
    /// [`close`](Self::close), it does not come back by itself.
    ///
    /// ```
    /// # use tower_socketio::{SocketIo, Socket};
    /// # let io = SocketIo::builder().build();
    /// io.of("/").on("log out", async |socket: Socket| socket.client().disconnect());
    /// ```
    pub fn disconnect(&self) {
        for socket in self.sockets() {
            socket.disconnect();
        }
        self.close();
    }

    /// Closes its connection, and with it all of its namespaces, once what is queued has been sent.
    /// The reason is `forced close`; the client is told nothing else, and comes back by itself.
    ///
    /// ```
    /// # use tower_socketio::{SocketIo, Socket};
    /// # let io = SocketIo::builder().build();
    /// io.of("/").on("bye", async |socket: Socket| socket.client().close());
    /// ```
    pub fn close(&self) {
        self.connection.close(CloseReason::ForcedClose);
    }

    pub(super) fn with_session<T>(&self, with: impl FnOnce(&mut Option<Box<TypeMap>>) -> T) -> T {
        with(&mut self.shared.lock().session)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sockets = self.sockets();
        f.debug_struct("Client")
            .field("sockets", &sockets)
            .finish_non_exhaustive()
    }
}
