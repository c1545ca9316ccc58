//! gevent-socketio's chat, carried over: a page with the client 0.9, as it was written for the Python
//! server, and a page with today's client, in one room.
//!
//! Run it, from the root of the repository:
//!
//! ```sh
//! npm ci --prefix examples/chat-legacy   # once: the client 0.9
//! npm ci --prefix examples/chat          # once: today's client
//! cargo run --bin chat-legacy
//! ```
//!
//! and open <http://127.0.0.1:3000>, which is the page with the client 0.9, and in another tab
//! <http://127.0.0.1:3000/modern.html>. `?transport=xhr-polling` behind either address of the first
//! picks a transport. `PORT` and `HOST` in the environment change the address; port 0 takes a free one.
//!
//! The namespace is in `chat.rs`, which says what became of each part of the original. It knows
//! nothing of generations: the server translates.

mod chat;
#[cfg(test)]
mod tests;

use std::path::Path;

use axum::Router;
use axum_socketio::{SocketIo, SocketIoBuilder};
use tokio::net::TcpListener;
use tower_http::services::ServeDir;

use crate::chat::{Chat, People};

const PAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/public");
/// The bundle of the client 0.9, which `serve_client` does not know: today's has the path of the endpoint.
const CLIENT_0_9: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/node_modules/socket.io-client/dist");

#[tokio::main]
async fn main() -> start::Outcome {
    if !Path::new(CLIENT_0_9).is_dir() {
        return Err("the client 0.9 is missing: run `npm ci --prefix examples/chat-legacy`".into());
    }
    let io = serve(start::with_client(SocketIo::builder())?);
    let app = Router::new()
        .nest_service("/socket.io-client", ServeDir::new(CLIENT_0_9))
        .fallback_service(ServeDir::new(PAGES))
        .merge(axum_socketio::mount(&io));
    let listener = TcpListener::from_std(start::listen()?)?;
    axum::serve(listener, app)
        .with_graceful_shutdown(io.close_on_signal())
        .await?;
    Ok(())
}

fn serve(builder: SocketIoBuilder) -> SocketIo {
    let io = builder.state(People::default()).build();
    io.of("/chat").serve::<Chat>();
    io
}
