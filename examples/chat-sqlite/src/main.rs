//! A chat that is still there after a restart, on axum: names and messages are in `SQLite`, and who sees an old
//! message reads upwards, page by page.
//!
//! Run it, from the root of the repository:
//!
//! ```sh
//! npm ci --prefix examples/chat   # once: the Socket.IO client for the page
//! cargo run --bin chat-sqlite
//! ```
//!
//! and open <http://127.0.0.1:3000> in two browsers. `PORT` and `HOST` in the environment change the address; port 0
//! takes a free one. `DATABASE` is the file; without it, `chat-sqlite.db` in the temporary directory. Stop the server
//! and start it again: pages come back by themselves, and what was said while it was away is said then, once.

use std::{env, path::PathBuf};

use axum::Router;
use tokio::net::TcpListener;
use tower_http::services::ServeDir;

#[tokio::main]
async fn main() -> start::Outcome {
    let database = env::var_os("DATABASE").map_or_else(|| env::temp_dir().join("chat-sqlite.db"), PathBuf::from);
    println!("the database is {}", database.display());
    let io = chat_sqlite::socket_io(&database)?;
    let page = Router::new().fallback_service(ServeDir::new(chat_sqlite::PAGE));
    let app = page.merge(axum_socketio::mount(&io));

    let listener = TcpListener::from_std(start::listen()?)?;
    axum::serve(listener, app)
        .with_graceful_shutdown(io.close_on_signal())
        .await?;
    Ok(())
}
