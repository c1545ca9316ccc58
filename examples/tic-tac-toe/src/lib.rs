//! Tic-tac-toe for two in the browser, and for those who watch: all of it that is no web framework's.
//!
//! `rules.rs` has the game, `tables.rs` who sits where, `game.rs` the namespace. The page is in `public`, and
//! `public/game.js` begins with a list of all events.

mod game;
mod rules;
mod tables;

use std::time::Duration;

use actix_socketio::SocketIo;
use start::Failure;

use crate::{
    game::{Game, Games},
    tables::Tables,
};

/// The directory of the page.
pub const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/public");

/// The server, in a runtime of tokio. Who is away for longer than `patience` loses.
///
/// # Errors
/// When the page's client is not installed.
pub fn socket_io(patience: Duration) -> Result<SocketIo, Failure> {
    let games = Games::new(Tables::new(patience));
    let io = start::with_client(SocketIo::builder().state(games.clone()))?.build();
    mount(&io, games);
    Ok(io)
}

fn mount(io: &SocketIo, games: Games) {
    let namespace = io.of("/game");
    namespace.serve::<Game>();
    tokio::spawn(games.watch_the_clock(namespace));
}

#[cfg(test)]
mod tests;
