//! A chat with rooms, for the browser, on warp.
//!
//! Run it, from the root of the repository:
//!
//! ```sh
//! npm ci --prefix examples/chat   # once: the Socket.IO client for the page
//! cargo run --bin chat-warp
//! ```
//!
//! and open <http://127.0.0.1:3000> in two tabs. `PORT` and `HOST` in the environment change the
//! address; port 0 takes a free one.
//!
//! Here is how a server is mounted on warp. The chat is in `examples/chat`.

use tokio::net::TcpListener;
use warp::Filter as _;

#[tokio::main]
async fn main() -> start::Outcome {
    // These three lines put Socket.IO next to everything else that the application serves.
    let io = chat::socket_io()?;
    let page = warp::fs::dir(chat::PAGE);
    let app = warp_socketio::filter(&io).or(page);

    let listener = TcpListener::from_std(start::listen()?)?;
    warp::serve(app)
        .incoming(listener)
        .graceful(io.close_on_signal())
        .run()
        .await;
    Ok(())
}
