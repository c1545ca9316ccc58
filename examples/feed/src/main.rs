//! A feed: one background producer for all, told to the rooms of those who have subscribed. On warp.
//!
//! Run it, from the root of the repository:
//!
//! ```sh
//! npm ci --prefix examples/chat   # once: the Socket.IO client for the page
//! cargo run -p feed
//! ```
//!
//! and open <http://127.0.0.1:3000> in two tabs, with other topics. `GET /producer` tells whether it runs: it
//! begins with the first subscriber and ends with the last. `SEED` and `RATE` in the environment say which
//! posts are invented and how many a second; `PORT` and `HOST` change the address; port 0 takes a free one.
//!
//! The namespace is in `reader.rs`, the producer in `feed.rs`. What it produces comes from a `Source`, in
//! `source.rs`: a real one fits in there.

mod feed;
mod invented;
mod post;
mod reader;
mod source;

use std::env;

use tokio::net::TcpListener;
use warp::Filter as _;
use warp_socketio::SocketIo;

use crate::{feed::Feed, invented::Invented, reader::Reader};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/public");

#[tokio::main]
async fn main() -> start::Outcome {
    start::log();
    let source = Invented::new(number("SEED", 7)?, number("RATE", 3)?);
    let feed = Feed::new(source);
    let io = start::with_client(SocketIo::builder().state(feed.clone()))?.build();
    io.of("/feed").serve::<Reader>();

    let producer = warp::path!("producer").map(move || warp::reply::json(&feed.is_running()));
    let app = warp_socketio::filter(&io).or(producer).or(warp::fs::dir(PAGE));
    let listener = TcpListener::from_std(start::listen()?)?;
    warp::serve(app)
        .incoming(listener)
        .graceful(io.close_on_signal())
        .run()
        .await;
    Ok(())
}

/// What the environment says, from 1 to 1000.
fn number(name: &str, default: u16) -> Result<u16, String> {
    let Ok(text) = env::var(name) else {
        return Ok(default);
    };
    let number = text.parse().ok().filter(|number| (1..=1000).contains(number));
    number.ok_or_else(|| format!("{name} is `{text}`: give it a number from 1 to 1000"))
}
