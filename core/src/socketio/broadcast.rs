//! Emitting to many sockets: whom, and how.

use std::{fmt, sync::Arc};

use super::{
    args::{EmitArgs, EncodeError},
    frames::Frames,
    namespace::Shared as Namespace,
    socket::Socket,
};
use crate::adapter::local::Selection;

/// Emits to the sockets of a namespace, chosen by rooms. Each operator returns a narrower one, save
/// [`to`](Self::to), which adds a room; a socket that is in several of the rooms is reached once.
///
/// It can be kept and cloned, to emit to the same rooms again.
///
/// ```
/// use tower_socketio::SocketIo;
///
/// let io = SocketIo::builder().build();
/// io.to("a").to("b").except("muted").emit("news", "hello")?;
/// # Ok::<(), tower_socketio::EncodeError>(())
/// ```
#[derive(Clone)]
#[must_use = "it does nothing until it emits"]
pub struct Broadcast {
    namespace: Arc<Namespace>,
    selection: Selection,
    from: Option<Socket>,
    volatile: bool,
}

impl Broadcast {
    pub(crate) fn new(namespace: Arc<Namespace>) -> Self {
        Self {
            namespace,
            selection: Selection::default(),
            from: None,
            volatile: false,
        }
    }

    pub(crate) fn from(mut self, socket: &Socket) -> Self {
        self.selection.except_socket = Some(socket.id().clone());
        self.from = Some(socket.clone());
        self
    }

    /// Those in that room, besides those in the rooms named before. Without any, everybody.
    ///
    /// ```
    /// let io = tower_socketio::SocketIo::builder().build();
    /// io.to("a").to("b").emit("news", "hello")?;
    /// # Ok::<(), tower_socketio::EncodeError>(())
    /// ```
    pub fn to(mut self, room: impl AsRef<str>) -> Self {
        self.selection.rooms.push(room.as_ref().into());
        self
    }

    /// None of those in that room, whatever else they are in.
    ///
    /// ```
    /// let io = tower_socketio::SocketIo::builder().build();
    /// io.to("a").except("muted").emit("news", "hello")?;
    /// # Ok::<(), tower_socketio::EncodeError>(())
    /// ```
    pub fn except(mut self, room: impl AsRef<str>) -> Self {
        self.selection.except.push(room.as_ref().into());
        self
    }

    /// Only those on this server. The same as without, as long as there is one server.
    ///
    /// ```
    /// let io = tower_socketio::SocketIo::builder().build();
    /// io.to("a").local().emit("news", "hello")?;
    /// # Ok::<(), tower_socketio::EncodeError>(())
    /// ```
    pub fn local(self) -> Self {
        self
    }

    /// Lost to those who cannot take it at once: whose network is busy, or, on polling, who have no
    /// poll open.
    ///
    /// ```
    /// let io = tower_socketio::SocketIo::builder().build();
    /// io.to("map").volatile().emit("cursor", [10, 20])?;
    /// # Ok::<(), tower_socketio::EncodeError>(())
    /// ```
    pub fn volatile(mut self) -> Self {
        self.volatile = true;
        self
    }

    /// Sends the event. It is encoded once, whatever the number of recipients, and waits for none
    /// of them. It goes to those who are connected now.
    ///
    /// # Errors
    /// When the arguments cannot be written as JSON or the event's name is reserved. Then nobody
    /// gets anything.
    ///
    /// ```
    /// use tower_socketio::{Args, SocketIo};
    ///
    /// let io = SocketIo::builder().build();
    /// let lobby = io.to("lobby");
    /// lobby.clone().emit("said", Args(("ada", "hello")))?;
    /// assert!(lobby.emit("connect", "hello").is_err());
    /// # Ok::<(), tower_socketio::EncodeError>(())
    /// ```
    pub fn emit(self, event: &str, args: impl EmitArgs) -> Result<(), EncodeError> {
        let frames = Frames::event(&self.namespace.path, None, event, &args)?;
        match self.from.clone() {
            Some(socket) => {
                if let Some((broadcast, frames)) = socket.hold(self, frames) {
                    broadcast.send(&frames);
                }
            }
            None => self.send(&frames),
        }
        Ok(())
    }

    /// Disconnects them from the namespace, with `server namespace disconnect`, so that they do not
    /// come back by themselves; with `close`, ends their connections too, whatever other namespaces
    /// they are in.
    ///
    /// ```
    /// let io = tower_socketio::SocketIo::builder().build();
    /// // She has logged out: in all of her tabs.
    /// io.to("user:ada").disconnect_sockets(true);
    /// ```
    pub fn disconnect_sockets(self, close: bool) {
        self.namespace.rooms.select(&self.selection, |socket| {
            socket.disconnect();
            if close {
                socket.close();
            }
        });
    }

    pub(crate) fn send(&self, frames: &Frames) {
        self.namespace
            .rooms
            .select(&self.selection, |socket| socket.deliver(frames, self.volatile));
    }
}

impl fmt::Debug for Broadcast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broadcast")
            .field("namespace", &self.namespace.path)
            .field("selection", &self.selection)
            .field("volatile", &self.volatile)
            .finish_non_exhaustive()
    }
}
