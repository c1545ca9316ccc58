//! What is told of rooms that come and go, and of who enters and leaves them.

use std::{
    collections::VecDeque,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use crate::engine::Sid;

/// Something happened to a room: what [`Namespace::on_room_event`](crate::Namespace::on_room_event) tells.
///
/// The names are those of the reference's adapter events: `create-room`, `delete-room`, `join-room`,
/// `leave-room`.
///
/// ```
/// use tower_socketio::{RoomEvent, SocketIo};
///
/// let io = SocketIo::builder().build();
/// io.of("/").on_room_event(|event| match event {
///     RoomEvent::Create { room } => println!("{room} begins"),
///     RoomEvent::Join { room, id } => println!("{id} enters {room}"),
///     RoomEvent::Leave { room, id } => println!("{id} leaves {room}"),
///     RoomEvent::Delete { room } => println!("{room} ends"),
/// });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoomEvent<'a> {
    /// A room has its first member. Its [`Join`](Self::Join) follows.
    Create {
        /// The room.
        room: &'a str,
    },
    /// A socket has entered a room.
    Join {
        /// The room.
        room: &'a str,
        /// The socket.
        id: &'a Sid,
    },
    /// A socket has left a room, by itself or with its namespace.
    Leave {
        /// The room.
        room: &'a str,
        /// The socket.
        id: &'a Sid,
    },
    /// The last member has left a room.
    Delete {
        /// The room.
        room: &'a str,
    },
}

pub(crate) type Hook = dyn Fn(RoomEvent<'_>) + Send + Sync;

/// Who listens, and what was not told yet.
#[derive(Default)]
pub(super) struct RoomEvents {
    hooks: Arc<Vec<Arc<Hook>>>,
    untold: VecDeque<Change>,
    /// Somebody tells; what is added meanwhile is told by the same, so that the order holds.
    is_telling: bool,
}

/// What happened.
pub(super) enum Change {
    Create(Arc<str>),
    Join(Arc<str>, Sid),
    Leave(Arc<str>, Sid),
    Delete(Arc<str>),
}

/// One change, and whom to tell.
pub(super) struct News {
    hooks: Arc<Vec<Arc<Hook>>>,
    change: Change,
}

impl RoomEvents {
    /// Each is told once, however often it is added.
    pub(super) fn add_hook(&mut self, hook: Arc<Hook>) {
        if !self.hooks.iter().any(|other| Arc::ptr_eq(other, &hook)) {
            Arc::make_mut(&mut self.hooks).push(hook);
        }
    }

    pub(super) fn hooks(&self) -> Arc<Vec<Arc<Hook>>> {
        self.hooks.clone()
    }

    pub(super) fn push(&mut self, change: Change) {
        self.untold.push_back(change);
    }

    /// `false`: somebody else tells.
    pub(super) fn begin(&mut self) -> bool {
        !std::mem::replace(&mut self.is_telling, true)
    }

    /// The next to tell. After the last, others may.
    pub(super) fn next(&mut self) -> Option<News> {
        let change = self.untold.pop_front();
        if change.is_none() {
            self.is_telling = false;
            self.untold = VecDeque::new();
        }
        Some(News {
            hooks: self.hooks.clone(),
            change: change?,
        })
    }
}

impl News {
    pub(super) fn tell(&self) {
        for hook in &*self.hooks {
            let hook = AssertUnwindSafe(|| hook(self.change.as_event()));
            if catch_unwind(hook).is_err() {
                tracing::error!("an on_room_event hook panicked");
            }
        }
    }
}

impl Change {
    fn as_event(&self) -> RoomEvent<'_> {
        match self {
            Self::Create(room) => RoomEvent::Create { room },
            Self::Join(room, id) => RoomEvent::Join { room, id },
            Self::Leave(room, id) => RoomEvent::Leave { room, id },
            Self::Delete(room) => RoomEvent::Delete { room },
        }
    }
}

impl fmt::Debug for RoomEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RoomEvents").finish_non_exhaustive()
    }
}
