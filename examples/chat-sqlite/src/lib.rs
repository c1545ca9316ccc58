//! A chat whose names and messages are kept: all of it that is no web framework's.
//!
//! `store.rs` has the database, `here.rs` who is here, `chat.rs` the namespace. The page is in `public`, and
//! `public/chat.js` begins with a list of all events.

mod chat;
mod here;
mod store;

use std::path::Path;

use axum_socketio::SocketIo;
use start::Failure;

use crate::{chat::Chat, here::Here, store::Store};

/// The directory of the page.
pub const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/public");

/// The server, with its database in that file.
///
/// # Errors
/// When the page's client is not installed, or the file cannot be used.
pub fn socket_io(database: &Path) -> Result<SocketIo, Failure> {
    let store = Store::open(database)
        .map_err(|error| format!("{}: {error}; DATABASE chooses another file", database.display()))?;
    let builder = SocketIo::builder().state(store).state(Here::default());
    let io = start::with_client(builder)?.build();
    io.of("/chat").serve::<Chat>();
    Ok(io)
}

#[cfg(test)]
mod tests;
