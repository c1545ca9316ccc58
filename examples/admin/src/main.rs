//! Socket.IO's admin UI: the chat, and the page that watches it. On axum.
//!
//! Run it, from the root of the repository:
//!
//! ```sh
//! npm ci --prefix examples/chat    # once: the Socket.IO client for the chat's page
//! npm ci --prefix examples/admin   # once: the page of the admin UI
//! cargo run --bin admin
//! ```
//!
//! It prints where the page is, and what to type in. Chat on <http://127.0.0.1:3000> in another tab, and see who comes,
//! what is said, and how somebody leaves whom the page disconnects. `ADMIN_PASSWORD` in the environment is the password;
//! without it there is a new one each time. `PORT` and `HOST` change the address; port 0 takes a free one.
//!
//! The page may also be that of <https://admin.socket.io>, or on any other origin that the server's CORS admits with
//! credentials.

use std::{env, path::Path};

use axum::Router;
use axum_socketio::{Sid, admin::Admin};
use tokio::net::TcpListener;
use tower_http::services::ServeDir;

/// The page, as its package has it.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/node_modules/@socket.io/admin-ui/ui/dist");

/// How much work a guess is: 2 to the power of it.
const COST: u32 = 10;

#[tokio::main]
async fn main() -> start::Outcome {
    if !Path::new(PAGE).exists() {
        return Err("the page is missing: run `npm ci --prefix examples/admin`".into());
    }
    // Ids are made of 120 random bits.
    let password = env::var("ADMIN_PASSWORD").unwrap_or_else(|_| Sid::random().to_string());

    let io = chat::socket_io()?;
    Admin::with_login("admin", bcrypt::hash(&password, COST)?)?.mount(&io);

    let app = Router::new()
        .nest_service("/admin-ui", ServeDir::new(PAGE))
        .fallback_service(ServeDir::new(chat::PAGE))
        .merge(axum_socketio::mount(&io));
    let listener = TcpListener::from_std(start::listen()?)?;
    let server = format!("http://{}", listener.local_addr()?);
    println!(
        "the admin UI is on {server}/admin-ui/\n  server URL: {server}\n  username: admin\n  password: {password}"
    );
    axum::serve(listener, app)
        .with_graceful_shutdown(io.close_on_signal())
        .await?;
    Ok(())
}
