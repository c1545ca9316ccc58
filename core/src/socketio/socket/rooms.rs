//! A socket and the others of its namespace: its rooms, and broadcasting from it.

use std::sync::Arc;

use super::{Socket, State, Status};
use crate::socketio::{broadcast::Broadcast, recovery::history::History, rooms::IntoRooms};

impl Socket {
    /// Everybody in a room, or in any of several, but this socket.
    ///
    /// ```
    /// use tower_socketio::{SocketIo, Socket};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on("hi", async |socket: Socket| socket.to("lobby").emit("hi", socket.id()));
    /// ```
    pub fn to<M>(&self, rooms: impl IntoRooms<M>) -> Broadcast {
        self.broadcast().to(rooms)
    }

    /// As [`to`](Self::to): Socket.IO's `in`, which is a keyword of Rust.
    ///
    /// ```
    /// use tower_socketio::{SocketIo, Socket};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on("alone", async |socket: Socket| socket.within("room 1").sockets_leave("room 1"));
    /// ```
    pub fn within<M>(&self, rooms: impl IntoRooms<M>) -> Broadcast {
        self.to(rooms)
    }

    /// Everybody in the namespace but this socket and those in a room, or in any of several.
    ///
    /// ```
    /// use tower_socketio::{SocketIo, Socket};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on("hi", async |socket: Socket| socket.except("muted").emit("hi", socket.id()));
    /// ```
    pub fn except<M>(&self, rooms: impl IntoRooms<M>) -> Broadcast {
        self.broadcast().except(rooms)
    }

    /// Everybody in the namespace but this socket.
    ///
    /// ```
    /// use tower_socketio::{SocketIo, Socket};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on("hi", async |socket: Socket| socket.broadcast().emit("hi", socket.id()));
    /// ```
    pub fn broadcast(&self) -> Broadcast {
        Broadcast::new(self.0.namespace.clone()).from(self)
    }

    /// Everybody in the namespace on this server but this socket.
    ///
    /// ```
    /// use tower_socketio::{SocketIo, Socket};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on("hi", async |socket: Socket| socket.local().emit("hi", socket.id()));
    /// ```
    pub fn local(&self) -> Broadcast {
        self.broadcast().local()
    }

    /// Enters a room, or several; one exists while somebody is in it. Any text names a room. A socket that has
    /// left its namespace enters none, unless its client comes back or has; one that is not let in yet enters it then.
    ///
    /// ```
    /// use tower_socketio::{Data, SocketIo, Socket};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on("join", async |socket: Socket, Data(room): Data<String>| socket.join(room));
    /// ```
    pub fn join<M>(&self, rooms: impl IntoRooms<M>) {
        // The application's: it may look at this socket.
        self.join_all(&rooms.into_names());
    }

    fn join_all(&self, rooms: &[Box<str>]) {
        if let Some(successor) = self.successor() {
            return successor.join_all(rooms);
        }
        let mut state = self.lock();
        let namespace = &self.0.namespace;
        // What is sent meanwhile is for the new member, or is not.
        let log = state.lineage().and(namespace.history.as_deref()).map(History::lock);
        let State {
            status,
            rooms: joined,
            extras,
            ..
        } = &mut *state;
        let mut lineage = extras.as_mut().and_then(|extras| extras.lineage.as_mut());
        for room in rooms {
            match status {
                Status::Connecting(held) => held.rooms.push(Arc::from(&**room)),
                Status::Connected => {
                    let room = namespace.rooms.join(self, room);
                    if let (Some(lineage), Some(log), Some(room)) = (&mut lineage, &log, &room) {
                        lineage.join(log, room);
                    }
                    joined.extend(room);
                }
                Status::Left { .. } => {
                    if let (Some(lineage), Some(log)) = (&mut lineage, &log) {
                        lineage.leave(room);
                        lineage.join(log, &Arc::from(&**room));
                    }
                }
            }
        }
        drop(log);
        drop(state);
        namespace.rooms.tell();
    }

    /// Leaves a room, or several. Its own, named by its id, it cannot leave.
    ///
    /// ```
    /// use tower_socketio::{Data, SocketIo, Socket};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on("leave", async |socket: Socket, Data(room): Data<String>| socket.leave(room));
    /// ```
    pub fn leave<M>(&self, rooms: impl IntoRooms<M>) {
        self.leave_all(&rooms.into_names());
    }

    fn leave_all(&self, rooms: &[Box<str>]) {
        if let Some(successor) = self.successor() {
            return successor.leave_all(rooms);
        }
        let mut state = self.lock();
        let State {
            status,
            rooms: joined,
            extras,
            ..
        } = &mut *state;
        let mut lineage = extras.as_mut().and_then(|extras| extras.lineage.as_mut());
        let namespace = &self.0.namespace;
        for room in rooms {
            match status {
                Status::Connecting(held) => held.rooms.retain(|held| **held != **room),
                Status::Connected => {
                    if namespace.rooms.leave(self.id(), room) {
                        joined.retain(|joined| **joined != **room);
                        if let Some(lineage) = &mut lineage {
                            lineage.leave(room);
                        }
                    }
                }
                Status::Left { .. } => {
                    if let Some(lineage) = &mut lineage {
                        lineage.leave(room);
                    }
                }
            }
        }
        drop(state);
        namespace.rooms.tell();
    }

    /// The rooms it is in, its own first. In a disconnect handler and later, those it was in; before
    /// it is let in, only its own.
    ///
    /// ```
    /// use tower_socketio::{Ack, SocketIo, Socket};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on("where", async |socket: Socket| Ack(socket.rooms()));
    /// ```
    pub fn rooms(&self) -> Vec<String> {
        let state = self.lock();
        std::iter::once(self.id().as_str())
            .chain(state.rooms.iter().map(|room| &**room))
            .map(str::to_owned)
            .collect()
    }
}
