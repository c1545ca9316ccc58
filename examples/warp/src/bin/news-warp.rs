//! News emitted from an ordinary handler of requests and from a background task, beneath the usual
//! middleware, on warp.
//!
//! Run it, from the root of the repository:
//!
//! ```sh
//! npm ci --prefix examples/chat   # once: the Socket.IO client for the page
//! cargo run --bin news-warp
//! ```
//!
//! and open <http://127.0.0.1:3000> in two tabs, or publish by
//! `curl --json '{"text":"hello"}' http://127.0.0.1:3000/news`. `PORT` and `HOST` in the environment
//! change the address; port 0 takes a free one. `DRAIN_SECONDS` is how long readers have to go when it is
//! asked to stop.
//!
//! The readers, the background task and the page are in `examples/news`.

use news::News;
use tokio::net::TcpListener;
use warp::{Filter as _, filters::compression, http::StatusCode};
use warp_socketio::SocketIo;

#[tokio::main]
async fn main() -> start::Outcome {
    start::log();
    let io = news::socket_io()?;
    tokio::spawn(news::tick(io.clone()));
    let listener = TcpListener::from_std(start::listen()?)?;

    // warp refuses every origin that is not listed, and browsers send that of the server's own page, too.
    let port = listener.local_addr()?.port();
    let own = ["localhost", "127.0.0.1"].map(|host| format!("http://{host}:{port}"));
    let cors = warp::cors()
        .allow_origins(own.iter().map(|origin| &**origin))
        .allow_origin(news::FRONT_END)
        .allow_method("POST")
        .allow_header("content-type");

    let state = io.clone();
    let publish = warp::path!("news")
        .and(warp::post())
        .and(warp::any().map(move || state.clone()))
        .and(warp::body::content_length_limit(4096))
        .and(warp::body::json())
        .map(publish)
        .with(cors);
    // warp compresses whether or not the client takes it: so the page only, whose readers are browsers.
    let page = warp::fs::dir(news::PAGE).with(compression::gzip());
    let app = publish.or(warp_socketio::filter(&io)).or(page).with(warp::log("news"));

    // New readers are refused at once, so that a load balancer takes them elsewhere; the others are sent there
    // one after the other.
    let drained = io.drain(start::drain_time()?).spread().on_signal();
    warp::serve(app).incoming(listener).graceful(drained).run().await;
    Ok(())
}

/// A filter clones the server for every request; it is cheap to clone.
fn publish(io: SocketIo, news: News) -> StatusCode {
    io.emit("news", news).expect("text can be sent");
    StatusCode::NO_CONTENT
}
