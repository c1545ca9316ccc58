//! A chat with rooms, for the browser, on axum.
//!
//! Run it, from the root of the repository:
//!
//! ```sh
//! npm ci --prefix examples/chat   # once: the Socket.IO client for the page
//! cargo run --bin chat-axum
//! ```
//!
//! and open <http://127.0.0.1:3000> in two tabs. `PORT` and `HOST` in the environment change the
//! address; port 0 takes a free one.
//!
//! Here is how a server is mounted on axum. The chat is in `examples/chat`.

use axum::Router;
use tokio::net::TcpListener;
use tower_http::services::ServeDir;

#[tokio::main]
async fn main() -> start::Outcome {
    // These three lines put Socket.IO next to everything else that the application serves.
    let io = chat::socket_io()?;
    let page = Router::new().fallback_service(ServeDir::new(chat::PAGE));
    let app = page.merge(axum_socketio::mount(&io));

    let listener = TcpListener::from_std(start::listen()?)?;
    axum::serve(listener, app)
        .with_graceful_shutdown(io.close_on_signal())
        .await?;
    Ok(())
}
