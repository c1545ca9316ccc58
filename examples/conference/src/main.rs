//! A conference board on warp: accounts, conferences with rooms, messages with history, and a moderator.
//!
//! Run it, from the root of the repository:
//!
//! ```sh
//! npm ci --prefix examples/chat   # once: the Socket.IO client for the page
//! cargo run -p conference
//! ```
//!
//! and open <http://127.0.0.1:3000> in two browsers. Who registers first moderates, or whom `MODERATOR` in
//! the environment names. `PORT` and `HOST` change the address; port 0 takes a free one. Everything is kept
//! in memory, and gone when this ends.
//!
//! It shows namespaces as types (`board.rs`, `status.rs`), the methods that both share (`presence.rs`), what
//! each socket may call (`Board::acl`), what is wrapped around every call (`watch.rs`), and sockets that know
//! who has logged in over HTTP (`accounts.rs`, `web.rs`).

mod accounts;
mod board;
mod follow;
mod hall;
mod names;
mod presence;
mod reports;
mod room;
mod status;
mod watch;
mod web;

#[cfg(test)]
mod tests;

use tokio::net::TcpListener;
use warp::Filter as _;
use warp_socketio::{SocketIo, SocketIoBuilder};

use crate::{accounts::Accounts, board::Board, hall::Hall, reports::Reports, status::Status};

const PUBLIC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/public");

#[tokio::main]
async fn main() -> start::Outcome {
    start::log();
    let accounts = Accounts::new(std::env::var("MODERATOR").ok());
    let io = socket_io(start::with_client(SocketIo::builder())?, &accounts);
    let app = warp_socketio::filter_with(&io, accounts.session())
        .or(web::pages(&io, &accounts))
        .or(warp::fs::dir(PUBLIC));

    let listener = TcpListener::from_std(start::listen()?)?;
    warp::serve(app)
        .incoming(listener)
        .graceful(io.close_on_signal())
        .run()
        .await;
    Ok(())
}

/// The two namespaces, and what their handlers share.
fn socket_io(builder: SocketIoBuilder, accounts: &Accounts) -> SocketIo {
    let reports = Reports::default();
    let io = builder
        .state(accounts.clone())
        .state(Hall::new())
        .state(reports.clone())
        .build();
    io.of("/board")
        .serve::<Board>()
        .wrap(move |call, next| watch::watched(call, next, reports.clone()));
    io.of("/status").serve::<Status>();
    io
}
