//! What an application gave to a socket: values, rules, jobs, and the value of the type that serves the
//! namespace. Most sockets have none of it.

use std::{any::Any, sync::Arc};

use super::{Socket, Status, recovery::Lineage};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::{RawValue, to_raw_value};

use crate::{
    adapter::Details,
    socketio::{
        acl::Acl,
        controller::Controller,
        jobs::Jobs,
        observe::{Listener, Listeners},
        packet_middleware::AnyPacketMiddleware,
        session::TypeMap,
    },
};

/// One JSON value, which servers may exchange.
pub(crate) type Data = Arc<RawValue>;

/// What an application gave to a socket.
#[derive(Default)]
pub(super) struct Extras {
    values: TypeMap,
    /// What other servers may know.
    data: Option<Data>,
    /// `None`: everything is allowed.
    acl: Option<Acl>,
    pub(super) jobs: Jobs,
    packets: Vec<Arc<dyn AnyPacketMiddleware>>,
    listeners: Listeners,
    /// The value of the type that serves the namespace.
    object: Option<Arc<dyn Any + Send + Sync>>,
    /// If its client can come back.
    pub(super) lineage: Option<Box<Lineage>>,
}

impl Extras {
    pub(super) fn of(lineage: Lineage) -> Self {
        Self {
            lineage: Some(Box::new(lineage)),
            ..Self::default()
        }
    }

    /// What a socket has of them that was another server's.
    pub(super) fn of_session(data: Option<Data>, acl: Acl) -> Self {
        Self {
            data,
            acl: Some(acl),
            ..Self::default()
        }
    }

    /// What a socket has of them whose client has come back.
    pub(super) fn inherited(&self) -> Self {
        Self {
            values: self.values.clone(),
            data: self.data.clone(),
            acl: self.acl.clone(),
            object: self.object.clone(),
            ..Self::default()
        }
    }
}

impl Socket {
    /// Keeps a value with the socket, one of each type, until its disconnect handler has run; returns the one it had
    /// before.
    ///
    /// ```
    /// # use tower_socketio::{Data, SocketIo, Socket};
    /// #[derive(Clone)]
    /// struct Nick(String);
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/")
    ///     .on("nick", async |socket: Socket, Data(nick): Data<String>| { socket.insert(Nick(nick)); })
    ///     .on("who", async |socket: Socket| println!("{:?}", socket.get::<Nick>().map(|nick| nick.0)));
    /// ```
    pub fn insert<T: Clone + Send + Sync + 'static>(&self, value: T) -> Option<T> {
        if let Some(successor) = self.successor() {
            successor.insert(value.clone());
        }
        let old = self.keep(|extras| extras.values.insert(value));
        old??.into_value()
    }

    /// A copy of the value of that type that was [inserted](Self::insert).
    ///
    /// ```
    /// use tower_socketio::{Ack, SocketIo, Socket};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on("nick", async |socket: Socket| Ack(socket.get::<String>()));
    /// ```
    pub fn get<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        let value = self.lock().extras.as_ref()?.values.get::<T>()?;
        value.into_value()
    }

    /// Takes away the value of that type that was [inserted](Self::insert).
    ///
    /// ```
    /// use tower_socketio::{Ack, SocketIo, Socket};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on("log out", async |socket: Socket| Ack(socket.remove::<String>().is_some()));
    /// ```
    pub fn remove<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        if let Some(successor) = self.successor() {
            successor.remove::<T>();
        }
        let old = self.lock().extras.as_mut()?.values.remove::<T>()?;
        old.into_value()
    }

    /// Gives it one JSON value that other servers, too, can read: what `socket.data` is in the reference. It replaces
    /// the one it had. What only this server needs is better [inserted](Self::insert), as it is.
    ///
    /// # Errors
    /// When it cannot be written as JSON; the socket then keeps what it had.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # use tower_socketio::{Data, SocketIo, Socket};
    /// #[derive(Serialize, Deserialize)]
    /// struct Player {
    ///     name: String,
    ///     level: u32,
    /// }
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on("play", async |socket: Socket, Data(name): Data<String>| {
    ///     socket.set_data(Player { name, level: 1 })?;
    ///     for other in socket.broadcast().fetch_sockets().await {
    ///         let player: Option<Player> = other.data()?;
    ///         println!("{:?}", player.map(|player| (player.name, player.level)));
    ///     }
    ///     Ok::<_, serde_json::Error>(())
    /// });
    /// ```
    pub fn set_data(&self, data: impl Serialize) -> Result<(), serde_json::Error> {
        self.keep_data(to_raw_value(&data)?.into());
        Ok(())
    }

    fn keep_data(&self, data: Data) {
        if let Some(successor) = self.successor() {
            successor.keep_data(data.clone());
        }
        self.keep(|extras| extras.data = Some(data));
        self.shared().core().watch.tell(|watcher| watcher.changed_data(self));
    }

    /// What it was given by [`set_data`](Self::set_data); `None` where it was given none.
    ///
    /// # Errors
    /// When it is no `T`.
    ///
    /// ```
    /// use tower_socketio::{Ack, SocketIo, Socket};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on("level", async |socket: Socket| {
    ///     Ok::<_, serde_json::Error>(Ack(socket.data::<u32>()?.unwrap_or(1)))
    /// });
    /// ```
    pub fn data<T: DeserializeOwned>(&self) -> Result<Option<T>, serde_json::Error> {
        read_data(self.raw_data().as_ref())
    }

    pub(crate) fn raw_data(&self) -> Option<Data> {
        self.lock().extras.as_ref()?.data.clone()
    }

    /// What other servers may be told of it where it comes back there.
    pub(crate) fn data_and_rules(&self) -> (Option<Data>, Option<Acl>) {
        let state = self.lock();
        let extras = state.extras.as_ref();
        extras
            .map(|extras| (extras.data.clone(), extras.acl.clone()))
            .unwrap_or_default()
    }

    pub(crate) fn details(&self) -> Details {
        Details {
            id: self.id().clone(),
            handshake: self.handshake().clone(),
            auth: self.auth_json().map(Into::into),
            rooms: self.rooms(),
            data: self.raw_data(),
        }
    }

    /// Keeps something of the application's; what has ended keeps nothing, as nobody would ever drop it.
    fn keep<T>(&self, keep: impl FnOnce(&mut Extras) -> T) -> Option<T> {
        let mut state = self.lock();
        if let Status::Left { has_ended: true, .. } = state.status {
            // What it holds is dropped without the lock.
            drop(state);
            return None;
        }
        Some(keep(state.extras.get_or_insert_default()))
    }

    fn with_extras<T>(&self, with: impl FnOnce(&mut Extras) -> T) -> T {
        with(self.lock().extras.get_or_insert_default())
    }

    /// Gives it the rules that its namespace begins with.
    pub(crate) fn reset_acl(&self) {
        let initial = self.shared().initial_acl(self.handshake());
        let mut state = self.lock();
        if initial.is_some() || state.extras.is_some() {
            state.extras.get_or_insert_default().acl = initial;
        }
        drop(state);
        if let Some(successor) = self.successor() {
            successor.reset_acl();
        }
    }

    pub(crate) fn change_acl(&self, change: impl Fn(&mut Acl)) {
        self.with_extras(|extras| change(extras.acl.get_or_insert_with(Acl::all)));
        if let Some(successor) = self.successor() {
            successor.change_acl(change);
        }
    }

    /// Whether its rules allow that event.
    pub(crate) fn allows(&self, event: &str) -> bool {
        let state = self.lock();
        let acl = state.extras.as_ref().and_then(|extras| extras.acl.as_ref());
        acl.is_none_or(|acl| acl.is_allowed(event))
    }

    pub(crate) fn push_packet_middleware(&self, middleware: Arc<dyn AnyPacketMiddleware>) {
        self.keep(|extras| extras.packets.push(middleware));
    }

    /// What its events go through: the namespace's, then its own.
    pub(crate) fn packet_middleware(&self) -> Vec<Arc<dyn AnyPacketMiddleware>> {
        let mut middleware = self.shared().handlers().packets.clone();
        if let Some(extras) = &self.lock().extras {
            middleware.extend_from_slice(&extras.packets);
        }
        middleware
    }

    /// `None`: it has ended, and has none.
    pub(crate) fn with_listeners<T>(&self, with: impl FnOnce(&mut Listeners) -> T) -> Option<T> {
        self.keep(|extras| with(&mut extras.listeners))
    }

    /// Some of its listeners, to be called without the lock.
    pub(crate) fn listeners(&self, some: impl FnOnce(&Listeners) -> &Vec<Arc<Listener>>) -> Vec<Arc<Listener>> {
        let state = self.lock();
        let extras = state.extras.as_ref();
        extras.map(|extras| some(&extras.listeners).clone()).unwrap_or_default()
    }

    /// `None`: it has left.
    pub(crate) fn with_jobs<T>(&self, with: impl FnOnce(Option<&mut Jobs>) -> T) -> T {
        let mut state = self.lock();
        if let Status::Left { .. } = state.status {
            return with(None);
        }
        with(Some(&mut state.extras.get_or_insert_default().jobs))
    }

    pub(crate) fn take_jobs(&self) -> Jobs {
        let mut state = self.lock();
        let extras = state.extras.as_mut();
        extras.map(|extras| extras.jobs.take()).unwrap_or_default()
    }

    pub(crate) fn keep_object<T: Controller>(&self, object: Arc<T>) {
        let before = self.keep(|extras| extras.object.replace(object));
        // Its drop is the application's code: without the lock.
        drop(before);
    }

    /// Its last handler has run.
    pub(crate) fn drop_values(&self) {
        let mut state = self.lock();
        if state.lineage_mut().is_some_and(|lineage| !lineage.end()) {
            return;
        }
        if let Status::Left { has_ended, .. } = &mut state.status {
            *has_ended = true;
        }
        let extras = state.extras.as_mut();
        let values = extras.map(|extras| {
            (
                std::mem::take(&mut extras.values),
                extras.object.take(),
                std::mem::take(&mut extras.packets),
                std::mem::take(&mut extras.listeners),
            )
        });
        drop(state);
        // It is the application's code that drops them: without the lock.
        drop(values);
    }

    /// The value of the type that [serves](crate::Namespace::serve) its namespace, from when the client was let in
    /// until its disconnect handler has run. A method has it as `self`; this is for those of others.
    /// Whoever holds the last `Arc` drops the value: do not let one go under a lock that its `Drop` takes.
    ///
    /// ```
    /// use tower_socketio::{Ack, Data, SocketIo, Socket, namespace};
    ///
    /// struct Player(String);
    ///
    /// #[namespace]
    /// impl Player {
    ///     #[connect]
    ///     async fn connect(socket: Socket) -> Self {
    ///         Self(socket.id().to_string())
    ///     }
    ///
    ///     #[event]
    ///     async fn who_is(&self, socket: Socket, Data(id): Data<String>) -> Ack<Option<String>> {
    ///         let other = socket.namespace().socket(id).and_then(|other| other.object::<Player>());
    ///         Ack(other.map(|other| other.0.clone()))
    ///     }
    /// }
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/game").serve::<Player>();
    /// ```
    pub fn object<T: Controller>(&self) -> Option<Arc<T>> {
        let object = self.lock().extras.as_ref()?.object.clone()?;
        object.downcast().ok()
    }
}

pub(crate) fn read_data<T: DeserializeOwned>(data: Option<&Data>) -> Result<Option<T>, serde_json::Error> {
    data.map(|data| serde_json::from_str(data.get())).transpose()
}
