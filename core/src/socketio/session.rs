//! Typed values that an application keeps: with a socket, or with a client.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
    sync::Arc,
};

use super::client::Client;

/// Values, one of each type.
#[derive(Default, Clone)]
pub(crate) struct TypeMap(HashMap<TypeId, Arc<dyn Any + Send + Sync>>);

/// A value that is still shared with its map: copied when no lock is held, since it is the
/// application's code that copies.
pub(crate) struct Kept(Arc<dyn Any + Send + Sync>);

impl TypeMap {
    pub(crate) fn insert<T: Any + Send + Sync>(&mut self, value: T) -> Option<Kept> {
        self.0.insert(TypeId::of::<T>(), Arc::new(value)).map(Kept)
    }

    pub(crate) fn get<T: Any>(&self) -> Option<Kept> {
        self.0.get(&TypeId::of::<T>()).cloned().map(Kept)
    }

    pub(crate) fn remove<T: Any>(&mut self) -> Option<Kept> {
        self.0.remove(&TypeId::of::<T>()).map(Kept)
    }
}

impl Kept {
    pub(crate) fn into_value<T: Clone + Send + Sync + 'static>(self) -> Option<T> {
        self.0.downcast().ok().map(Arc::unwrap_or_clone)
    }
}

/// Values of a client, shared by all of its namespaces: what
/// [`Socket::session`](crate::Socket::session) returns. They go with the connection, when its last handler has
/// ended; what is to outlive it belongs into the web framework's session or a database.
///
/// One value of each type; give yours types of their own.
///
/// ```
/// use tower_socketio::{Auth, SocketIo, Socket};
///
/// #[derive(Clone)]
/// struct User(String);
///
/// let io = SocketIo::builder().build();
/// io.of("/").on_connect(async |socket: Socket, Auth(name): Auth<Option<String>>| {
///     socket.session().insert(User(name.unwrap_or_default()));
/// });
/// io.of("/chat").on("who am I", async |socket: Socket| {
///     tower_socketio::Ack(socket.session().get::<User>().map(|user| user.0))
/// });
/// ```
#[derive(Clone)]
pub struct Session(Client);

impl Session {
    pub(super) fn new(client: Client) -> Self {
        Self(client)
    }

    /// Keeps a value; returns the one of that type that was there before.
    ///
    /// ```
    /// # use tower_socketio::{Data, SocketIo, Socket};
    /// # let io = SocketIo::builder().build();
    /// io.of("/").on("nick", async |socket: Socket, Data(nick): Data<String>| {
    ///     let before: Option<String> = socket.session().insert(nick);
    /// });
    /// ```
    pub fn insert<T: Clone + Send + Sync + 'static>(&self, value: T) -> Option<T> {
        let old = self
            .0
            .with_session(|values| values.get_or_insert_default().insert(value));
        old?.into_value()
    }

    /// A copy of the value of that type.
    ///
    /// ```
    /// # use tower_socketio::{Ack, SocketIo, Socket};
    /// # let io = SocketIo::builder().build();
    /// io.of("/").on("nick", async |socket: Socket| Ack(socket.session().get::<String>()));
    /// ```
    pub fn get<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        self.0.with_session(|values| values.as_ref()?.get::<T>())?.into_value()
    }

    /// Takes the value of that type away.
    ///
    /// ```
    /// # use tower_socketio::{Ack, SocketIo, Socket};
    /// # let io = SocketIo::builder().build();
    /// io.of("/").on("log out", async |socket: Socket| Ack(socket.session().remove::<String>().is_some()));
    /// ```
    pub fn remove<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        self.0
            .with_session(|values| values.as_mut()?.remove::<T>())?
            .into_value()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}
