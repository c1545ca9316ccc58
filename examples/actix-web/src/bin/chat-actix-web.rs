//! A chat with rooms, for the browser, on actix-web.
//!
//! Run it, from the root of the repository:
//!
//! ```sh
//! npm ci --prefix examples/chat   # once: the Socket.IO client for the page
//! cargo run --bin chat-actix-web
//! ```
//!
//! and open <http://127.0.0.1:3000> in two tabs. `PORT` and `HOST` in the environment change the
//! address; port 0 takes a free one.
//!
//! Here is how a server is mounted on actix-web. The chat is in `examples/chat`.

use actix_files::Files;
use actix_web::{App, HttpServer};

#[actix_web::main]
async fn main() -> start::Outcome {
    // These three lines put Socket.IO next to everything else that the application serves.
    let io = chat::socket_io()?;
    let stopped = io.close_on_signal();
    let page = || Files::new("/", chat::PAGE).index_file("index.html");
    let app = move || App::new().service(actix_socketio::scope(&io)).service(page());

    HttpServer::new(app)
        .h1_allow_half_closed(false) // So that who leaves during a poll has left at once, not at its end.
        .listen(start::listen()?)?
        .shutdown_signal(stopped)
        .run()
        .await?;
    Ok(())
}
