//! What the examples of emitting from elsewhere share: the readers, a background task, the page.
//!
//! How an ordinary handler of requests comes by the server, and what other middleware is around it, is
//! what each example shows.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use start::Failure;
use tower_socketio::{Cors, SocketIo};

/// The directory of the page.
pub const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/public");

/// Another origin, whose pages may read and publish, too: a front end's development server, say.
pub const FRONT_END: &str = "http://localhost:5173";

/// The server. Its sockets only listen.
///
/// # Errors
/// When the page's client is not installed.
pub fn socket_io() -> Result<SocketIo, Failure> {
    let builder = SocketIo::builder().cors(Cors::origins([FRONT_END]));
    Ok(start::with_client(builder)?.build())
}

/// Tells all readers every second how many they are. A background task like any other.
///
/// # Panics
/// Never: a number can be sent.
pub async fn tick(io: SocketIo) {
    let mut second = tokio::time::interval(Duration::from_secs(1));
    loop {
        second.tick().await;
        let readers = io.of("/").sockets_count();
        // Volatile: who is too slow for it gets the next one.
        io.volatile().emit("readers", readers).expect("a number can be sent");
    }
}

/// The body of `POST /news`, and the event `news`.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct News {
    text: Text,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(try_from = "String")]
struct Text(String);

const MAX_TEXT: usize = 280;

impl TryFrom<String> for Text {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let text = text.trim();
        if (1..=MAX_TEXT).contains(&text.chars().count()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("the text of news has 1 to {MAX_TEXT} characters"))
        }
    }
}
