//! A chat with rooms, for the browser: all of it that is no web framework's.
//!
//! This file has what a visitor may call. The rules of the chat are in `chat.rs`; the page is in
//! `public`, and `public/chat.js` begins with a list of all events.

mod chat;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use start::Failure;
use tower_socketio::{
    Ack, Acl, Args, Data, EncodeError, EventError, Handshake, Sid, Socket, SocketIo, State, namespace,
};

use crate::chat::{Chat, RoomSize, RoomView};

/// The directory of the page.
pub const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/public");

/// The server with its namespace.
///
/// # Errors
/// When the page's client is not installed.
pub fn socket_io() -> Result<SocketIo, Failure> {
    let io = start::with_client(SocketIo::builder().state(SharedChat::default()))?.build();
    io.of("/").serve::<Visitor>();
    Ok(io)
}

/// The chat, as all visitors share it. Whoever changes it tells the clients before unlocking it,
/// so that all of them hear of all changes in the same order. Emitting never waits.
#[derive(Clone, Default)]
struct SharedChat(Arc<Mutex<Chat>>);

/// A visitor of the page.
struct Visitor {
    socket: Socket,
    chat: SharedChat,
}

#[derive(Deserialize)]
struct Login {
    nick: String,
    key: String,
}

#[derive(Serialize)]
struct Welcome {
    nick: String,
    rooms: Vec<RoomSize>,
}

#[derive(Deserialize)]
struct Join {
    room: String,
}

#[derive(Deserialize)]
struct Say {
    id: String,
    text: String,
}

#[derive(Serialize)]
struct Typing<'a> {
    room: &'a str,
    nick: &'a str,
    on: bool,
}

#[namespace]
impl Visitor {
    /// Whoever has not logged in can do nothing else, and whoever is in no room can say nothing.
    #[acl]
    fn acl(_: &Handshake) -> Acl {
        Acl::only([VisitorEvent::Login, VisitorEvent::Echo])
    }

    #[connect]
    async fn connect(socket: Socket, State(chat): State<SharedChat>) -> Self {
        Self { socket, chat }
    }

    #[event]
    async fn login(&self, Data(Login { nick, key }): Data<Login>) -> Result<Ack<Welcome>, EventError> {
        let mut chat = self.lock();
        let nick = chat.check_login(&nick, &key)?;
        if let Some(old) = chat.bearer(&nick).cloned() {
            self.replace(&old, &mut chat)?;
        }
        chat.log_in(self.socket.id(), &nick, &key);
        self.socket.acl().deny(VisitorEvent::Login);
        self.socket.acl().allow(VisitorEvent::Join);
        let rooms = chat.rooms();
        Ok(Ack(Welcome { nick, rooms }))
    }

    #[event]
    async fn join(&self, Data(Join { room }): Data<Join>) -> Result<Ack<RoomView>, EventError> {
        let mut chat = self.lock();
        let room = chat::check_room(&room)?;
        if chat.place_of(self.socket.id()).is_none_or(|(here, _)| here != room) {
            self.leave_room(self.socket.id(), &mut chat)?;
            self.socket.join(room_of(&room));
            if let Some(joined) = chat.enter(self.socket.id(), &room) {
                self.socket.to(room_of(&room)).emit("joined", joined)?;
            }
            self.socket.namespace().emit("rooms", chat.rooms())?;
        }
        self.socket.acl().allow(VisitorEvent::Say);
        self.socket.acl().allow(VisitorEvent::Typing);
        Ok(Ack(chat.view(&room)))
    }

    #[event]
    async fn say(&self, Data(Say { id, text }): Data<Say>) -> Result<Ack<()>, EventError> {
        let mut chat = self.lock();
        // None: the client says it again after a reconnect, and was heard before.
        if let Some(message) = chat.say(self.socket.id(), &id, &text)? {
            // To the whole room, the speaker included.
            self.socket
                .namespace()
                .to(room_of(&message.room))
                .emit("message", message)?;
        }
        Ok(Ack(()))
    }

    /// To the others in the room. Volatile: it is not worth keeping for a client that is slow.
    #[event]
    async fn typing(&self, Data(on): Data<bool>) -> Result<(), EncodeError> {
        let chat = self.lock();
        let Some((room, nick)) = chat.place_of(self.socket.id()) else {
            return Ok(());
        };
        let others = self.socket.to(room_of(room)).volatile();
        others.emit("typing", Typing { room, nick, on })
    }

    #[event]
    async fn echo(&self) -> Ack<Args<()>> {
        Ack(Args(()))
    }

    #[disconnect]
    async fn left(&self) -> Result<(), EncodeError> {
        self.log_out(self.socket.id(), &mut self.lock())
    }

    /// The same person comes again, in another tab or after a reload: the old connection goes.
    fn replace(&self, old: &Sid, chat: &mut Chat) -> Result<(), EncodeError> {
        self.log_out(old, chat)?;
        if let Some(old) = self.socket.namespace().socket(old) {
            old.emit("replaced", Args(()))?;
            old.close();
        }
        Ok(())
    }

    /// Takes somebody out of the chat; nothing happens if they are not in it (any more).
    fn log_out(&self, id: &Sid, chat: &mut Chat) -> Result<(), EncodeError> {
        self.leave_room(id, chat)?;
        if chat.log_out(id) {
            self.socket.namespace().emit("rooms", chat.rooms())?;
        }
        Ok(())
    }

    fn leave_room(&self, id: &Sid, chat: &mut Chat) -> Result<(), EncodeError> {
        let Some(left) = chat.leave(id) else {
            return Ok(());
        };
        let (namespace, room) = (self.socket.namespace(), room_of(&left.room));
        if let Some(socket) = namespace.socket(id) {
            socket.leave(&room);
        }
        namespace.to(room).emit("left", left)
    }

    fn lock(&self) -> MutexGuard<'_, Chat> {
        self.chat.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The Socket.IO room of a room of the chat: every socket is also in a room named by its id, and
/// nobody shall join that one by its name.
fn room_of(name: &str) -> String {
    format!("room:{name}")
}
