//! Who is told of all that happens on a server, in all of its namespaces: at most one, and by default nobody.
//!
//! Told without a lock, in the task of what happened. Rooms and events cost more where somebody watches; the rest
//! costs one load.

use std::sync::{
    Arc, OnceLock, Weak,
    atomic::{AtomicBool, Ordering},
};

use super::{
    directory::Family, namespace::Shared, observe::PassingEvent, reason::DisconnectReason, socket::Socket,
    task::contain,
};
use crate::adapter::room_events::RoomEvent;

/// What is told. Sockets that were never let in do not count.
pub(crate) trait Watcher: Send + Sync {
    /// One thing after the other, as [`on_room_event`](crate::Namespace::on_room_event) has it. A socket's own room
    /// tells when it was let in.
    fn room(&self, namespace: &Arc<Shared>, event: RoomEvent<'_>);

    fn left(&self, socket: &Socket, reason: DisconnectReason);

    fn changed_transport(&self, socket: &Socket);

    fn changed_data(&self, socket: &Socket);

    /// Whether the events of that namespace are to be told now.
    fn wants_events(&self, namespace: &Shared) -> bool;

    fn received(&self, event: &PassingEvent<'_>);

    fn sent(&self, event: &PassingEvent<'_>);
}

/// The place of a server's watcher.
#[derive(Default)]
pub(crate) struct WatchPost {
    watcher: OnceLock<Box<dyn Watcher>>,
    failed: AtomicBool,
}

impl WatchPost {
    /// `false`: it is taken.
    #[cfg(feature = "admin")]
    pub(crate) fn take(&self, watcher: Box<dyn Watcher>) -> bool {
        self.watcher.set(watcher).is_ok()
    }

    pub(crate) fn is_taken(&self) -> bool {
        self.watcher.get().is_some()
    }

    pub(crate) fn wants_events(&self, namespace: &Shared) -> bool {
        let watcher = self.watcher.get();
        watcher.is_some_and(|watcher| watcher.wants_events(namespace))
    }

    pub(crate) fn tell(&self, tell: impl FnOnce(&dyn Watcher)) {
        // What it sends is written by the server's parser, which may be the application's.
        if let Some(watcher) = self.watcher.get()
            && let Err(panic) = contain(|| tell(&**watcher))
            && !self.failed.swap(true, Ordering::Relaxed)
        {
            tracing::error!("what happens cannot be told to the server's watcher: {panic}");
        }
    }
}

impl Shared {
    /// Its events and rooms are told from now on. Once.
    pub(crate) fn be_watched(self: &Arc<Self>) {
        self.registry().listen_incoming();
        self.registry().listen_outgoing();
        if let Family::Parent(_) = self.family {
            // Its children are told of by themselves, and would have its hook besides.
            return;
        }
        let namespace: Weak<Self> = Arc::downgrade(self);
        self.rooms.watch(Arc::new(move |event| {
            if let Some(namespace) = namespace.upgrade() {
                namespace.core().watch.tell(|watcher| watcher.room(&namespace, event));
            }
        }));
    }
}
