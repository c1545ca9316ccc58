//! What the examples of logging in share, whatever keeps their sessions: the users, the pages, and who
//! is online.
//!
//! A session keeps a [`User`] under the name [`USER`]. How a socket's handlers find the session of the
//! request that its connection began with, and write it back, is what each example shows.

mod online;
mod pages;
mod users;

use start::Failure;
use tower_socketio::{Refusal, Socket, SocketIo, State};

pub use crate::{
    online::Online,
    pages::{front, refused},
    users::{Colour, Credentials, User, check},
};

/// The directory of what the pages load.
pub const PUBLIC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/public");

/// What a session calls its user.
pub const USER: &str = "user";

/// Why a socket is refused, and what it asks for.
pub const LOGGED_OUT: &str = "log in first";

/// The server, with the handlers that know of no session. The example adds middleware that
/// [lets users in](let_in), and a handler of `colour`.
///
/// # Errors
/// When the page's client is not installed.
pub fn socket_io() -> Result<SocketIo, Failure> {
    let io = start::with_client(SocketIo::builder().state(Online::default()))?.build();
    io.of("/")
        .on_connect(connected)
        .on_disconnect(disconnected)
        .on_error(|failure| {
            if !failure.kind.is_clients_fault() {
                eprintln!("{failure}");
            }
        });
    Ok(io)
}

/// What middleware ends with, once it knows whose session it is.
///
/// # Errors
/// What the client is told when it is nobody's.
pub fn let_in(socket: &Socket, user: Option<User>) -> Result<(), Refusal> {
    let user = user.ok_or(Refusal::new(LOGGED_OUT))?;
    socket.insert(user);
    Ok(())
}

async fn connected(socket: Socket, State(online): State<Online>) {
    if let Some(user) = socket.get::<User>() {
        // By the room, a log-out finds all sockets of its user.
        socket.join(user.room());
        online.enter(&socket.namespace(), &user);
    }
}

async fn disconnected(socket: Socket, State(online): State<Online>) {
    if let Some(user) = socket.get::<User>() {
        online.leave(&socket.namespace(), &user);
    }
}
