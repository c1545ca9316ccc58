//! The sockets and rooms of one namespace on this server.
//!
//! A broadcast takes a snapshot of a room's members and holds no lock while it sends: joining and
//! leaving replace the snapshot, so that a large room that does not change costs nothing to walk.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use indexmap::IndexMap;

use crate::{
    engine::{BySid, Sid},
    socketio::socket::Socket,
};

/// The sockets of a namespace, all of them and by room.
#[derive(Debug, Default)]
pub(crate) struct Rooms(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    all: Members,
    rooms: HashMap<Arc<str>, Members>,
}

/// Some sockets, and the snapshot that broadcasts walk.
#[derive(Debug, Default)]
struct Members {
    sockets: IndexMap<Sid, Socket, BySid>,
    snapshot: Option<Arc<[Socket]>>,
}

/// Whom a broadcast is for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selection {
    /// Sockets in any of these rooms; in the whole namespace when there are none.
    pub(crate) rooms: Vec<Box<str>>,
    /// But in none of these.
    pub(crate) except: Vec<Box<str>>,
    /// And not this one.
    pub(crate) except_socket: Option<Sid>,
}

impl Members {
    /// `false`: it was in.
    fn insert(&mut self, socket: &Socket) -> bool {
        let is_new = self.sockets.insert(socket.id().clone(), socket.clone()).is_none();
        if is_new {
            self.snapshot = None;
        }
        is_new
    }

    /// `false`: it was not in.
    fn remove(&mut self, id: &Sid) -> bool {
        let was_in = self.sockets.swap_remove(id).is_some();
        if was_in {
            self.snapshot = None;
            if self.sockets.len() * 4 < self.sockets.capacity() {
                self.sockets.shrink_to(self.sockets.len() * 2);
            }
        }
        was_in
    }

    fn snapshot(&mut self) -> Arc<[Socket]> {
        let Self { sockets, snapshot } = self;
        snapshot
            .get_or_insert_with(|| sockets.values().cloned().collect())
            .clone()
    }
}

impl Rooms {
    /// A socket has connected to the namespace.
    pub(crate) fn insert(&self, socket: &Socket) {
        self.lock().all.insert(socket);
    }

    /// A socket has left the namespace, and with it these rooms.
    pub(crate) fn remove(&self, id: &Sid, rooms: &[Arc<str>]) {
        let mut state = self.lock();
        state.all.remove(id);
        for room in rooms {
            state.leave(id, room);
        }
    }

    /// The name as the room keeps it; `None` when the socket is in the room already.
    pub(crate) fn join(&self, socket: &Socket, room: &str) -> Option<Arc<str>> {
        if *socket.id() == *room {
            return None;
        }
        let mut state = self.lock();
        let name = match state.rooms.get_key_value(room) {
            Some((name, _)) => name.clone(),
            None => room.into(),
        };
        let is_new = state.rooms.entry(name.clone()).or_default().insert(socket);
        is_new.then_some(name)
    }

    /// `false`: the socket was not in the room.
    pub(crate) fn leave(&self, id: &Sid, room: &str) -> bool {
        self.lock().leave(id, room)
    }

    pub(crate) fn get(&self, id: &Sid) -> Option<Socket> {
        self.lock().all.sockets.get(id).cloned()
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().all.sockets.len()
    }

    /// Every socket selected, each once.
    pub(crate) fn select(&self, selection: &Selection, mut each: impl FnMut(&Socket)) {
        let mut state = self.lock();
        let excluded: HashSet<Sid, BySid> = selection
            .except
            .iter()
            .flat_map(|room| state.room(room))
            .flat_map(Group::ids)
            .collect();
        let groups: Vec<Group> = match &selection.rooms[..] {
            [] => vec![Group::Members(state.all.snapshot())],
            rooms => rooms.iter().flat_map(|room| state.room(room)).collect(),
        };
        drop(state);
        let mut seen = (groups.len() > 1).then(HashSet::<Sid, BySid>::default);
        for socket in groups.iter().flat_map(Group::sockets) {
            let id = socket.id();
            if selection.except_socket.as_ref() != Some(id)
                && !excluded.contains(id)
                && seen.as_mut().is_none_or(|seen| seen.insert(id.clone()))
            {
                each(socket);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn leave(&mut self, id: &Sid, room: &str) -> bool {
        let Some(members) = self.rooms.get_mut(room) else {
            return false;
        };
        let was_in = members.remove(id);
        if members.sockets.is_empty() {
            self.rooms.remove(room);
        }
        was_in
    }

    /// The members of a room: those who joined it, and the socket whose id is the room's name,
    /// which takes no memory.
    fn room(&mut self, room: &str) -> impl Iterator<Item = Group> + use<> {
        let joined = self
            .rooms
            .get_mut(room)
            .map(|members| Group::Members(members.snapshot()));
        let own = Sid::parse_socket(room).and_then(|id| self.all.sockets.get(&id).cloned());
        joined.into_iter().chain(own.map(Group::One))
    }
}

/// What a room's name stands for.
enum Group {
    Members(Arc<[Socket]>),
    One(Socket),
}

impl Group {
    fn sockets(&self) -> &[Socket] {
        match self {
            Self::Members(sockets) => sockets,
            Self::One(socket) => std::slice::from_ref(socket),
        }
    }

    fn ids(self) -> Vec<Sid> {
        self.sockets().iter().map(|socket| socket.id().clone()).collect()
    }
}
