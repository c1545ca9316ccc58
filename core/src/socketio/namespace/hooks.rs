//! What an application is told of beside its clients' events: rooms that come and go, transports that change.

use std::sync::Arc;

use super::{Namespace, Shared, once};
use crate::{
    adapter::room_events::{Hook, RoomEvent},
    socketio::{socket::Socket, task::contain},
};

pub(super) type UpgradeHook = dyn Fn(&Socket) + Send + Sync;

impl Namespace {
    /// Adds a hook that is told when rooms come and go, and who enters and leaves them, on this server. There may be
    /// several; they are called in the order of registration.
    ///
    /// Events come one at a time, in the order in which things happened, and in no socket's or room's way: the hook
    /// may itself join and leave. It is called by whoever changed something, before `join` or `leave` returns, unless
    /// a hook is just being called on another thread, which then goes on with these. It must not block.
    ///
    /// A socket's own room, which is named by its id, counts: it is there from when the socket is let in until it has
    /// left, before its disconnect handler. What was there before the hook was added is not told. Without
    /// hooks, rooms cost nothing more.
    ///
    /// ```
    /// use tower_socketio::{RoomEvent, SocketIo};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/chat").on_room_event(|event| {
    ///     if let RoomEvent::Delete { room } = event {
    ///         println!("nobody is in {room} any more");
    ///     }
    /// });
    /// ```
    pub fn on_room_event(&self, hook: impl Fn(RoomEvent<'_>) + Send + Sync + 'static) -> &Self {
        self.assert_no_child();
        let hook: Arc<Hook> = Arc::new(hook);
        self.0.rooms.watch(hook.clone());
        // A child that comes into being now has it already, and is told once all the same.
        for child in self.0.children().unwrap_or_default() {
            child.rooms.watch(hook.clone());
        }
        self
    }

    /// Sets what is told when a client of the namespace has changed its transport: [`Socket::transport`] is the new
    /// one. Most clients begin with polling and upgrade to WebSocket, once; those before 1.0 may change it any time,
    /// in any direction. A socket that is let in after its client's upgrade is not told of it.
    ///
    /// It runs in the client's task and must not block; [`Socket::spawn`] is for what takes longer.
    ///
    /// # Panics
    /// When there is one already.
    ///
    /// ```
    /// use tower_socketio::SocketIo;
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on_upgrade(|socket| println!("{} comes by {} now", socket.id(), socket.transport().as_str()));
    /// ```
    pub fn on_upgrade(&self, hook: impl Fn(&Socket) + Send + Sync + 'static) -> &Self {
        self.change(|handlers| once(&mut handlers.upgrade, Arc::new(hook) as Arc<UpgradeHook>, "on_upgrade"));
        self
    }
}

impl Shared {
    /// That socket's client has changed its transport.
    pub(crate) fn tell_upgrade(&self, socket: &Socket) {
        let hook = self.handlers().upgrade.clone();
        if let Some(hook) = hook
            && contain(|| hook(socket)).is_err()
        {
            tracing::error!("an on_upgrade hook panicked");
        }
        self.core().watch.tell(|watcher| watcher.changed_transport(socket));
    }
}
