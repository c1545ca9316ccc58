//! The live connections by session id.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{
    connection::Connection,
    sid::{BySid, Sid},
};

/// Locks, so that a handshake on one core seldom waits for one on another.
const SHARDS: usize = 32;

/// Session ids to connections.
pub(super) struct Registry([Mutex<HashMap<Sid, Connection, BySid>>; SHARDS]);

impl Registry {
    pub(super) fn new() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }

    /// `false`: another connection has that id.
    pub(super) fn insert(&self, connection: &Connection) -> bool {
        let mut shard = self.shard(connection.id());
        let slot = shard.entry(connection.id().clone());
        let is_free = matches!(slot, Entry::Vacant(_));
        slot.or_insert_with(|| connection.clone());
        is_free
    }

    pub(super) fn get(&self, id: &Sid) -> Option<Connection> {
        self.shard(id).get(id).cloned()
    }

    pub(super) fn remove(&self, id: &Sid) {
        self.shard(id).remove(id);
    }

    /// Every connection at this moment.
    pub(super) fn all(&self) -> Vec<Connection> {
        self.0
            .iter()
            .flat_map(|shard| lock(shard).values().cloned().collect::<Vec<_>>())
            .collect()
    }

    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|shard| lock(shard).len()).sum()
    }

    fn shard(&self, id: &Sid) -> MutexGuard<'_, HashMap<Sid, Connection, BySid>> {
        let shard = id.hash_word() % SHARDS as u64;
        lock(&self.0[usize::try_from(shard).expect("below SHARDS")])
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("connections", &self.len()).finish()
    }
}
