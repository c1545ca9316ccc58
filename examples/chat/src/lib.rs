//! A chat with rooms, for the browser: all of it that is no web framework's.
//!
//! This file has the handlers of its sockets. The rules of the chat are in `chat.rs`; the page is in
//! `public`, and `public/chat.js` begins with a list of all events.

mod chat;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use start::Failure;
use tower_socketio::{Ack, Args, Data, EncodeError, EventError, Namespace, Sid, Socket, SocketIo, State};

use crate::chat::{Chat, Refused, RoomSize, RoomView};

/// The directory of the page.
pub const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/public");

/// The server with its handlers. Every handler asks for what it needs by its parameters.
///
/// # Errors
/// When the page's client is not installed.
pub fn socket_io() -> Result<SocketIo, Failure> {
    let io = start::with_client(SocketIo::builder().state(SharedChat::default()))?.build();
    io.of("/")
        .on("login", login)
        .on("join", join)
        .on("say", say)
        .on("typing", typing)
        .on("echo", async || Ack(Args(())))
        .on_disconnect(disconnected)
        .on_error(|failure| {
            if !failure.kind.is_clients_fault() {
                eprintln!("{failure}");
            }
        });
    Ok(io)
}

/// The chat, as all handlers share it. Whoever changes it tells the clients before unlocking it,
/// so that all of them hear of all changes in the same order. Emitting never waits.
#[derive(Clone, Default)]
struct SharedChat(Arc<Mutex<Chat>>);

impl SharedChat {
    fn lock(&self) -> MutexGuard<'_, Chat> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
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

async fn login(
    socket: Socket,
    State(chat): State<SharedChat>,
    Data(Login { nick, key }): Data<Login>,
) -> Answer<Welcome> {
    let mut chat = chat.lock();
    let nick = match chat.check_login(socket.id(), &nick, &key) {
        Ok(nick) => nick,
        Err(refused) => return Ok(Reply::no(refused)),
    };
    if let Some(old) = chat.bearer(&nick).cloned() {
        replace(&socket.namespace(), &old, &mut chat)?;
    }
    chat.log_in(socket.id(), &nick, &key);
    let rooms = chat.rooms();
    Ok(Reply::yes(Welcome { nick, rooms }))
}

/// The same person comes again, in another tab or after a reload: the old connection goes.
fn replace(namespace: &Namespace, old: &Sid, chat: &mut Chat) -> Result<(), EncodeError> {
    log_out(namespace, old, chat)?;
    if let Some(old) = namespace.socket(old) {
        old.emit("replaced", Args(()))?;
        old.close();
    }
    Ok(())
}

#[derive(Deserialize)]
struct Join {
    room: String,
}

async fn join(socket: Socket, State(chat): State<SharedChat>, Data(Join { room }): Data<Join>) -> Answer<RoomView> {
    let mut chat = chat.lock();
    let room = match chat.check_join(socket.id(), &room) {
        Ok(room) => room,
        Err(refused) => return Ok(Reply::no(refused)),
    };
    if chat.place_of(socket.id()).is_none_or(|(here, _)| here != room) {
        leave_room(&socket.namespace(), socket.id(), &mut chat)?;
        socket.join(room_of(&room));
        if let Some(joined) = chat.enter(socket.id(), &room) {
            socket.to(room_of(&room)).emit("joined", joined)?;
        }
        socket.namespace().emit("rooms", chat.rooms())?;
    }
    Ok(Reply::yes(chat.view(&room)))
}

#[derive(Deserialize)]
struct Say {
    id: String,
    text: String,
}

async fn say(socket: Socket, State(chat): State<SharedChat>, Data(Say { id, text }): Data<Say>) -> Answer<()> {
    let mut chat = chat.lock();
    match chat.say(socket.id(), &id, &text) {
        // To the whole room, the speaker included.
        Ok(Some(message)) => socket.namespace().to(room_of(&message.room)).emit("message", message)?,
        Ok(None) => {} // The client says it again after a reconnect, and was heard before.
        Err(refused) => return Ok(Reply::no(refused)),
    }
    Ok(Reply::yes(()))
}

#[derive(Serialize)]
struct Typing<'a> {
    room: &'a str,
    nick: &'a str,
    on: bool,
}

/// To the others in the room. Volatile: it is not worth keeping for a client that is slow.
async fn typing(socket: Socket, State(chat): State<SharedChat>, Data(on): Data<bool>) -> Result<(), EncodeError> {
    let chat = chat.lock();
    match chat.place_of(socket.id()) {
        Some((room, nick)) => {
            let others = socket.to(room_of(room)).volatile();
            others.emit("typing", Typing { room, nick, on })
        }
        None => Ok(()),
    }
}

async fn disconnected(socket: Socket, State(chat): State<SharedChat>) -> Result<(), EncodeError> {
    log_out(&socket.namespace(), socket.id(), &mut chat.lock())
}

/// Takes somebody out of the chat; nothing happens if they are not in it (any more).
fn log_out(namespace: &Namespace, id: &Sid, chat: &mut Chat) -> Result<(), EncodeError> {
    leave_room(namespace, id, chat)?;
    if chat.log_out(id) {
        namespace.emit("rooms", chat.rooms())?;
    }
    Ok(())
}

fn leave_room(namespace: &Namespace, id: &Sid, chat: &mut Chat) -> Result<(), EncodeError> {
    let Some(left) = chat.leave(id) else {
        return Ok(());
    };
    let room = room_of(&left.room);
    if let Some(socket) = namespace.socket(id) {
        socket.leave(&room);
    }
    namespace.to(room).emit("left", left)
}

/// The Socket.IO room of a room of the chat: every socket is also in a room named by its id, and
/// nobody shall join that one by its name.
fn room_of(name: &str) -> String {
    format!("room:{name}")
}

/// How a request is acknowledged: `{ ok: true, … }` or `{ ok: false, error }`.
#[derive(Serialize)]
struct Reply<T> {
    ok: bool,
    #[serde(flatten)]
    value: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// What the handlers of requests return: the reply, or what went wrong on the server's side.
type Answer<T> = Result<Ack<Reply<T>>, EventError>;

impl<T> Reply<T> {
    fn yes(value: T) -> Ack<Self> {
        Ack(Self {
            ok: true,
            value: Some(value),
            error: None,
        })
    }

    fn no(Refused(why): Refused) -> Ack<Self> {
        Ack(Self {
            ok: false,
            value: None,
            error: Some(why),
        })
    }
}
