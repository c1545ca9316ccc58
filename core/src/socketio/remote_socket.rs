//! A socket as other servers see it.

use std::{fmt, sync::Arc, time::Duration};

use serde::de::DeserializeOwned;

use super::{
    ack::AckFuture,
    args::{EmitArgs, EncodeError, FromArgs},
    broadcast::Broadcast,
    namespace::Shared as Namespace,
    rooms::IntoRooms,
    socket,
};
use crate::{adapter::Details, engine::Sid, handshake::Handshake};

/// A socket on this server or another: what [`Broadcast::fetch_sockets`] finds. Cheap to clone.
///
/// What it tells is as it was when it was found; what it is told reaches the socket wherever it is, by the room of
/// its id.
///
/// ```
/// use tower_socketio::SocketIo;
///
/// # async fn print(io: &SocketIo) {
/// for socket in io.to("lobby").fetch_sockets().await {
///     println!("{} is in {:?}", socket.id(), socket.rooms());
///     socket.join("seen");
/// }
/// # }
/// ```
#[derive(Clone)]
pub struct RemoteSocket {
    namespace: Arc<Namespace>,
    details: Arc<Details>,
    timeout: Option<Duration>,
}

impl RemoteSocket {
    pub(super) fn new(namespace: Arc<Namespace>, details: Details) -> Self {
        Self {
            namespace,
            details: Arc::new(details),
            timeout: None,
        }
    }

    /// Its id, as [`Socket::id`](crate::Socket::id).
    ///
    /// ```
    /// fn own_room(socket: &tower_socketio::RemoteSocket) -> &str {
    ///     socket.id().as_str()
    /// }
    /// ```
    pub fn id(&self) -> &Sid {
        &self.details.id
    }

    /// The request that its connection began with. Of a socket on another server, it has no
    /// [extensions](Handshake::extensions).
    ///
    /// ```
    /// fn language(socket: &tower_socketio::RemoteSocket) -> Option<&str> {
    ///     socket.handshake().headers().get("accept-language")
    /// }
    /// ```
    pub fn handshake(&self) -> &Handshake {
        &self.details.handshake
    }

    /// The JSON object that the client sent as `auth`, if it sent any. It may hold secrets.
    ///
    /// ```
    /// fn has_auth(socket: &tower_socketio::RemoteSocket) -> bool {
    ///     socket.auth_json().is_some()
    /// }
    /// ```
    pub fn auth_json(&self) -> Option<&str> {
        self.details.auth.as_deref()
    }

    /// The rooms it was in, its own first.
    ///
    /// ```
    /// fn is_in_lobby(socket: &tower_socketio::RemoteSocket) -> bool {
    ///     socket.rooms().iter().any(|room| room == "lobby")
    /// }
    /// ```
    pub fn rooms(&self) -> &[String] {
        &self.details.rooms
    }

    /// What it was given as [`Socket::set_data`](crate::Socket::set_data); `None` where it was given none.
    ///
    /// # Errors
    /// When it is no `T`.
    ///
    /// ```
    /// fn nick(socket: &tower_socketio::RemoteSocket) -> Option<String> {
    ///     socket.data().ok().flatten()
    /// }
    /// ```
    pub fn data<T: DeserializeOwned>(&self) -> Result<Option<T>, serde_json::Error> {
        socket::read_data(self.details.data.as_ref())
    }

    /// The same socket, whose acks are waited for that long. Default: until it leaves.
    ///
    /// ```
    /// # use tower_socketio::{AckError, RemoteSocket};
    /// use std::time::Duration;
    ///
    /// async fn ask(socket: &RemoteSocket) -> Result<String, AckError> {
    ///     socket.timeout(Duration::from_secs(5)).emit_with_ack("name?", "").await
    /// }
    /// ```
    #[must_use = "it does nothing until it emits"]
    pub fn timeout(&self, timeout: Duration) -> Self {
        Self {
            timeout: Some(timeout),
            ..self.clone()
        }
    }

    /// Sends it an event. One that has left is not there to get it.
    ///
    /// # Errors
    /// As [`Broadcast::emit`].
    ///
    /// ```
    /// # use tower_socketio::{EncodeError, RemoteSocket};
    /// fn greet(socket: &RemoteSocket) -> Result<(), EncodeError> {
    ///     socket.emit("hello", "you")
    /// }
    /// ```
    pub fn emit(&self, event: &str, args: impl EmitArgs) -> Result<(), EncodeError> {
        self.room().emit(event, args)
    }

    /// Sends it an event and waits for its ack, as [`Socket::emit_with_ack`](crate::Socket::emit_with_ack). The event
    /// is sent at once, not when the future is awaited.
    ///
    /// # Panics
    /// With a timeout, outside of a tokio runtime with timers.
    ///
    /// ```
    /// # use tower_socketio::{AckError, RemoteSocket};
    /// async fn ask(socket: &RemoteSocket) -> Result<String, AckError> {
    ///     socket.emit_with_ack("name?", "").await
    /// }
    /// ```
    pub fn emit_with_ack<T: FromArgs>(&self, event: &str, args: impl EmitArgs) -> AckFuture<T> {
        let room = match self.timeout {
            Some(timeout) => self.room().timeout(timeout),
            None => self.room(),
        };
        match room.emit_with_ack(event, args) {
            Ok(answers) => AckFuture::first(answers),
            Err(error) => AckFuture::unsent(error),
        }
    }

    /// Makes it enter a room, or several.
    ///
    /// ```
    /// fn welcome(socket: &tower_socketio::RemoteSocket) {
    ///     socket.join(["lobby", "new"]);
    /// }
    /// ```
    pub fn join<M>(&self, rooms: impl IntoRooms<M>) {
        self.room().sockets_join(rooms);
    }

    /// Makes it leave a room, or several.
    ///
    /// ```
    /// fn promote(socket: &tower_socketio::RemoteSocket) {
    ///     socket.leave("new");
    /// }
    /// ```
    pub fn leave<M>(&self, rooms: impl IntoRooms<M>) {
        self.room().sockets_leave(rooms);
    }

    /// Disconnects it, as [`Broadcast::disconnect_sockets`].
    ///
    /// ```
    /// fn kick(socket: &tower_socketio::RemoteSocket) {
    ///     socket.disconnect(true);
    /// }
    /// ```
    pub fn disconnect(&self, close: bool) {
        self.room().disconnect_sockets(close);
    }

    fn room(&self) -> Broadcast {
        Broadcast::new(self.namespace.clone()).to(self.id())
    }
}

impl fmt::Debug for RemoteSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteSocket")
            .field("namespace", &self.namespace.path)
            .field("id", self.id())
            .field("rooms", &self.rooms())
            .finish_non_exhaustive()
    }
}
