//! What happens on the server, told to every page. Nothing is kept for pages that are not there, and for those that
//! are no more than their outboxes hold.

use std::sync::{
    Arc, Weak,
    atomic::{AtomicU64, Ordering},
};

use serde::Serialize;

use super::{
    snapshot::{GivenData, Snapshot},
    wire::{emit, emit_event, emit_to_all, now},
};
use crate::{
    adapter::{Selection, room_events::RoomEvent},
    engine::Sid,
    server::SocketIo,
    socketio::{
        namespace::{Namespace, Shared},
        observe::PassingEvent,
        reason::DisconnectReason,
        socket::Socket,
        watch::Watcher,
    },
};

/// How often all sockets are shown anew where they change meanwhile.
const ATTEMPTS: usize = 3;

/// Tells the pages.
#[derive(Clone)]
pub(super) struct Feed(Arc<Inner>);

struct Inner {
    /// The endpoint's.
    path: String,
    /// Weakly: they hold the server, which holds this.
    pages: Weak<Shared>,
    /// How often sockets and rooms have changed.
    changes: AtomicU64,
}

#[derive(Serialize)]
struct Update<'a> {
    id: &'a Sid,
    nsp: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    transport: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<GivenData>,
}

impl Feed {
    pub(super) fn new(io: &SocketIo, pages: &Namespace) -> Self {
        Self(Arc::new(Inner {
            path: io.path().to_owned(),
            pages: Arc::downgrade(pages.shared()),
            changes: AtomicU64::new(0),
        }))
    }

    /// Shows a page all sockets of this server.
    pub(super) fn show_all(&self, page: &Socket) {
        for _ in 0..ATTEMPTS {
            let before = self.0.changes.load(Ordering::Acquire);
            let mut sockets = Vec::new();
            for namespace in page.shared().core().all_namespaces() {
                let everybody = Selection::default();
                namespace
                    .rooms
                    .select(&everybody, |socket| sockets.push(socket.clone()));
            }
            let all: Vec<_> = sockets
                .iter()
                .map(|socket| Snapshot::new(socket, socket.rooms(), &self.0.path))
                .collect();
            emit(page, "all_sockets", &(all,));
            // What was told meanwhile, the page has forgotten now.
            if self.0.changes.load(Ordering::Acquire) == before {
                break;
            }
        }
    }

    /// Where the pages are, if there are any.
    fn pages(&self) -> Option<Namespace> {
        let pages = self.0.pages.upgrade().filter(|pages| pages.rooms.len() > 0);
        pages.map(Namespace::new)
    }

    fn has_pages(&self) -> bool {
        self.pages().is_some()
    }

    /// Tells of a change of what [`show_all`](Self::show_all) shows.
    fn tell_change(&self, event: &str, args: &impl Serialize) {
        self.0.changes.fetch_add(1, Ordering::Release);
        if let Some(pages) = self.pages() {
            emit_to_all(&pages, event, args);
        }
    }

    fn tell_disconnected(&self, socket: &Socket, reason: DisconnectReason) {
        let args = (socket.path(), socket.id(), reason.as_str(), now());
        self.tell_change("socket_disconnected", &args);
    }

    /// With its own room only: of the others it is told next, and the page would have it in them twice.
    fn tell_connected(&self, socket: &Socket) {
        let snapshot = Snapshot::new(socket, vec![socket.id().to_string()], &self.0.path);
        self.tell_change("socket_connected", &(snapshot, now()));
        // On another thread that may have been told before.
        if let Some((reason, _)) = socket.left() {
            self.tell_disconnected(socket, reason);
        }
    }
}

impl Watcher for Feed {
    fn room(&self, namespace: &Arc<Shared>, event: RoomEvent<'_>) {
        if !self.has_pages() {
            return;
        }
        let tell = |event, room, id| self.tell_change(event, &(&namespace.path, room, id, now()));
        match event {
            RoomEvent::Join { room, id } => {
                tell("room_joined", room, id);
                if *id == *room
                    && let Some(socket) = namespace.rooms.get(room)
                {
                    self.tell_connected(&socket);
                }
            }
            RoomEvent::Leave { room, id } => tell("room_left", room, id),
            RoomEvent::Create { .. } | RoomEvent::Delete { .. } => {}
        }
    }

    fn left(&self, socket: &Socket, reason: DisconnectReason) {
        if self.has_pages() {
            self.tell_disconnected(socket, reason);
        }
    }

    fn changed_transport(&self, socket: &Socket) {
        let update = Update {
            id: socket.id(),
            nsp: socket.path(),
            transport: Some(socket.transport().as_str()),
            data: None,
        };
        self.tell_update(&update);
    }

    fn changed_data(&self, socket: &Socket) {
        let update = Update {
            id: socket.id(),
            nsp: socket.path(),
            transport: None,
            data: Some(GivenData::of(socket)),
        };
        self.tell_update(&update);
    }

    fn wants_events(&self, namespace: &Shared) -> bool {
        !std::ptr::eq(namespace, self.0.pages.as_ptr()) && self.has_pages()
    }

    fn received(&self, event: &PassingEvent<'_>) {
        self.tell_event("event_received", event);
    }

    fn sent(&self, event: &PassingEvent<'_>) {
        self.tell_event("event_sent", event);
    }
}

impl Feed {
    fn tell_update(&self, update: &Update<'_>) {
        if self.has_pages() {
            self.tell_change("socket_updated", &(update,));
        }
    }

    fn tell_event(&self, way: &str, event: &PassingEvent<'_>) {
        let socket = event.socket();
        let passing = (event.name(), &event.args());
        if let Some(pages) = self.pages() {
            emit_event(&pages, way, socket.path(), socket.id().as_str(), passing);
        }
    }
}
