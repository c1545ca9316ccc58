//! Tic-tac-toe for two, and for those who watch, on actix-web. The ACL is the rule of turns: a socket may call `play`
//! while it is its player's turn, and at no other time; a call out of turn is refused before anything of it is read.
//!
//! Run it, from the root of the repository:
//!
//! ```sh
//! npm ci --prefix examples/chat   # once: the Socket.IO client for the page
//! cargo run --bin tic-tac-toe
//! ```
//!
//! and open <http://127.0.0.1:3000> in two tabs, or three. `PORT` and `HOST` in the environment change the address;
//! port 0 takes a free one. Who is away for longer than `AWAY_SECONDS`, by default 20, loses.

use std::{env, time::Duration};

use actix_files::Files;
use actix_web::{App, HttpServer};

#[actix_web::main]
async fn main() -> start::Outcome {
    let io = tic_tac_toe::socket_io(patience()?)?;
    let stopped = io.close_on_signal();
    let page = || Files::new("/", tic_tac_toe::PAGE).index_file("index.html");
    let app = move || App::new().service(actix_socketio::scope(&io)).service(page());

    HttpServer::new(app)
        .h1_allow_half_closed(false) // So that who leaves during a poll has left at once, not at its end.
        .listen(start::listen()?)?
        .shutdown_signal(stopped)
        .run()
        .await?;
    Ok(())
}

fn patience() -> Result<Duration, start::Failure> {
    let seconds = env::var("AWAY_SECONDS").unwrap_or_else(|_| "20".to_owned());
    let number: u32 = seconds
        .parse()
        .map_err(|_| format!("AWAY_SECONDS is `{seconds}`: give it a whole number"))?;
    Ok(Duration::from_secs(number.into()))
}
