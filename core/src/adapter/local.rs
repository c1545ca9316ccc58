//! The sockets and rooms of one namespace on this server.
//!
//! A broadcast takes a snapshot of a room's members and holds no lock while it sends: joining and
//! leaving replace the snapshot, so that a large room that does not change costs nothing to walk.

use std::{
    collections::{HashMap, HashSet},
    future::ready,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::future::BoxFuture;
use indexmap::IndexMap;

use super::{
    Adapter, Details, Selection,
    room_events::{Change, Hook, RoomEvents},
    rousing::Rousing,
};
use crate::{
    engine::{BySid, Flags, MaybeSid, Runtime, Sid, Wake},
    error::AckError,
    observability::instruments::Gauge,
    socketio::{acks::Question, args::RawArgs, frames::Frames, socket::Socket},
};

/// The sockets of a namespace, all of them and by room.
#[derive(Debug)]
pub(crate) struct Rooms {
    state: Mutex<State>,
    /// Whether anybody listens to events.
    is_watched: AtomicBool,
    runtime: Runtime,
}

#[derive(Debug)]
struct State {
    all: Members,
    rooms: HashMap<Arc<str>, Members>,
    /// `None` while nobody listens.
    events: Option<Box<RoomEvents>>,
    /// Tells how many rooms there are.
    count: Gauge,
}

/// Some sockets, and the snapshot that broadcasts walk.
#[derive(Debug, Default)]
struct Members {
    sockets: IndexMap<Sid, Socket, BySid>,
    snapshot: Option<Arc<[Socket]>>,
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
    pub(crate) fn new(count: Gauge, runtime: Runtime) -> Self {
        Self {
            state: Mutex::new(State {
                all: Members::default(),
                rooms: HashMap::new(),
                events: None,
                count,
            }),
            is_watched: AtomicBool::new(false),
            runtime,
        }
    }

    /// A socket has connected to the namespace.
    pub(crate) fn insert(&self, socket: &Socket) {
        let mut state = self.lock();
        if state.all.insert(socket) && state.events.is_some() {
            let own: Arc<str> = socket.id().as_str().into();
            if !state.rooms.contains_key(&own) {
                state.note(|| Change::Create(own.clone()));
            }
            state.note(|| Change::Join(own, socket.id().clone()));
        }
    }

    /// A socket has left the namespace, and with it these rooms.
    pub(crate) fn remove(&self, id: &Sid, rooms: &[Arc<str>]) {
        let mut state = self.lock();
        if state.all.remove(id) && state.events.is_some() {
            let own: Arc<str> = id.as_str().into();
            state.note(|| Change::Leave(own.clone(), id.clone()));
            if !state.rooms.contains_key(&own) {
                state.note(|| Change::Delete(own));
            }
        }
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
        let known = state.rooms.get_key_value(room).map(|(name, _)| name.clone());
        let name = known.unwrap_or_else(|| {
            state.count.increment(1.0);
            let name: Arc<str> = room.into();
            state.note_unless_own(room, || Change::Create(name.clone()));
            name
        });
        let is_new = state.rooms.entry(name.clone()).or_default().insert(socket);
        if is_new {
            state.note(|| Change::Join(name.clone(), socket.id().clone()));
        }
        is_new.then_some(name)
    }

    /// `false`: the socket was not in the room.
    pub(crate) fn leave(&self, id: &Sid, room: &str) -> bool {
        self.lock().leave(id, room)
    }

    pub(crate) fn get(&self, id: &str) -> Option<Socket> {
        self.lock().all.sockets.get(&MaybeSid(id)).cloned()
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().all.sockets.len()
    }

    /// The rooms that are there.
    pub(crate) fn names(&self) -> Vec<String> {
        self.lock().rooms.keys().map(ToString::to_string).collect()
    }

    /// Every socket selected, each once.
    pub(crate) fn select(&self, selection: &Selection, each: impl FnMut(&Socket)) {
        let (groups, excluded) = self.choose(selection);
        each_chosen(&groups, &excluded, selection, each);
    }

    /// Sends to every socket selected, each once. Where they are many, they are woken by and by.
    fn reach(&self, selection: &Selection, mut send: impl FnMut(&Socket, Wake) -> bool) {
        let (groups, excluded) = self.choose(selection);
        let rousing = Rousing::new(groups);
        let wake = rousing.wake();
        let mut anybody_sleeps = false;
        each_chosen(rousing.groups(), &excluded, selection, |socket| {
            anybody_sleeps |= send(socket, wake);
        });
        if !anybody_sleeps {
            rousing.end();
        } else if let Some(runtime) = self.runtime.nearest() {
            rousing.begin(&runtime);
        }
    }

    /// Whom a selection may mean, and who of them is not meant.
    fn choose(&self, selection: &Selection) -> (Vec<Group>, Excluded) {
        let mut state = self.lock();
        let excluded = selection
            .except
            .iter()
            .flat_map(|room| state.room(room))
            .flat_map(Group::ids)
            .collect();
        let groups = match &selection.rooms {
            None => vec![Group::Members(state.all.snapshot())],
            Some(rooms) => rooms.iter().flat_map(|room| state.room(room)).collect(),
        };
        (groups, excluded)
    }

    /// Adds somebody who is told what happens from now on.
    pub(crate) fn watch(&self, hook: Arc<Hook>) {
        let mut state = self.lock();
        state.events.get_or_insert_default().add_hook(hook);
        self.is_watched.store(true, Ordering::Relaxed);
    }

    /// Adds those who are told of others' rooms.
    pub(crate) fn watch_as(&self, other: &Self) {
        let hooks = other.with_events(|events| events.hooks());
        for hook in hooks.iter().flat_map(|hooks| hooks.iter()) {
            self.watch(hook.clone());
        }
    }

    /// Tells those who listen what has happened. To be called without a lock, by whoever changed
    /// something.
    pub(crate) fn tell(&self) {
        if !self.is_watched.load(Ordering::Relaxed) || !self.with_events(RoomEvents::begin).unwrap_or(false) {
            return;
        }
        while let Some(news) = self.with_events(RoomEvents::next).flatten() {
            news.tell();
        }
    }

    fn with_events<T>(&self, with: impl FnOnce(&mut RoomEvents) -> T) -> Option<T> {
        self.lock().events.as_deref_mut().map(with)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Adapter for Rooms {
    fn broadcast(&self, packet: &Frames, to: &Selection, flags: Flags) {
        self.reach(to, |socket, wake| socket.deliver(packet, flags, wake));
    }

    fn ask(&self, event: &Frames, to: &Selection, flags: Flags, question: &Question) {
        self.reach(to, |socket, wake| socket.deliver_question(event, flags, question, wake));
    }

    fn join(&self, who: &Selection, rooms: &[Box<str>]) {
        self.select(who, |socket| socket.join(rooms));
    }

    fn leave(&self, who: &Selection, rooms: &[Box<str>]) {
        self.select(who, |socket| socket.leave(rooms));
    }

    fn disconnect(&self, who: &Selection, close: bool) {
        self.select(who, |socket| {
            if close {
                socket.client().disconnect();
            } else {
                socket.disconnect();
            }
        });
    }

    fn fetch(&self, who: &Selection) -> BoxFuture<'static, Vec<Details>> {
        let mut found = Vec::new();
        self.select(who, |socket| found.push(socket.details()));
        Box::pin(ready(found))
    }

    fn server_side_emit(&self, _event: &str, _args: &RawArgs) {}

    fn server_side_ask(&self, _event: &str, _args: &RawArgs) -> BoxFuture<'static, Result<Vec<RawArgs>, AckError>> {
        Box::pin(ready(Ok(Vec::new())))
    }

    fn server_count(&self) -> BoxFuture<'static, usize> {
        Box::pin(ready(1))
    }

    fn close(&self) -> BoxFuture<'static, ()> {
        Box::pin(ready(()))
    }
}

impl State {
    fn leave(&mut self, id: &Sid, room: &str) -> bool {
        let Some(members) = self.rooms.get_mut(room) else {
            return false;
        };
        let was_in = members.remove(id);
        let is_empty = members.sockets.is_empty();
        if was_in {
            self.note(|| Change::Leave(room.into(), id.clone()));
        }
        if is_empty {
            self.rooms.remove(room);
            self.note_unless_own(room, || Change::Delete(room.into()));
            self.count.decrement(1.0);
        }
        was_in
    }

    fn note(&mut self, change: impl FnOnce() -> Change) {
        if let Some(events) = &mut self.events {
            events.push(change());
        }
    }

    /// The room of a socket's own id is there as long as the socket is, whoever else enters it.
    fn note_unless_own(&mut self, room: &str, change: impl FnOnce() -> Change) {
        let is_own = || self.all.sockets.contains_key(&MaybeSid(room));
        if self.events.is_some() && !is_own() {
            self.note(change);
        }
    }

    /// The members of a room: those who joined it, and the socket whose id is the room's name,
    /// which takes no memory.
    fn room(&mut self, room: &str) -> impl Iterator<Item = Group> + use<> {
        let joined = self
            .rooms
            .get_mut(room)
            .map(|members| Group::Members(members.snapshot()));
        let own = self.all.sockets.get(&MaybeSid(room)).cloned();
        joined.into_iter().chain(own.map(Group::One))
    }
}

type Excluded = HashSet<Sid, BySid>;

fn each_chosen(groups: &[Group], excluded: &Excluded, selection: &Selection, mut each: impl FnMut(&Socket)) {
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

/// What a room's name stands for.
pub(super) enum Group {
    Members(Arc<[Socket]>),
    One(Socket),
}

impl Group {
    pub(super) fn sockets(&self) -> &[Socket] {
        match self {
            Self::Members(sockets) => sockets,
            Self::One(socket) => std::slice::from_ref(socket),
        }
    }

    fn ids(self) -> Vec<Sid> {
        self.sockets().iter().map(|socket| socket.id().clone()).collect()
    }
}
