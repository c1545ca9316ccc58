//! A page on one origin, its API and its sockets on another, and a cookie that both know. On axum.
//!
//! Run it, from the root of the repository:
//!
//! ```sh
//! npm ci --prefix examples/chat   # once: the Socket.IO client for the page
//! cargo run -p cross-origin
//! ```
//!
//! and open <http://127.0.0.1:3000>: the page logs in by a `fetch` to <http://127.0.0.1:3001>, which sets a cookie, and
//! the socket is let in by it, over polling and WebSocket alike. <http://localhost:3000> is the same page on an origin
//! that is not allowed: it says why nothing works there. `PORT` is the page's, `API_PORT` the API's; port 0 takes a
//! free one. `HOST` is the address of both, by which browsers know it.
//!
//! What other origins may do is said here; the rest of the API is in `api.rs`, the namespace in `desk.rs`.

mod api;
mod desk;
mod sessions;

use std::{env, net};

use axum::{
    Router,
    http::{Method, header::CONTENT_TYPE},
    response::Html,
    routing::get,
};
use axum_socketio::{Cors, SocketIo};
use tokio::{net::TcpListener, try_join};
use tower_http::{
    cors::{AllowOrigin, CorsLayer},
    services::ServeDir,
};

use crate::{api::Api, desk::Desk, sessions::Sessions};

#[tokio::main]
async fn main() -> start::Outcome {
    start::log();
    let (api, page) = (listen_for_api()?, start::listen()?);
    let address = format!("http://{}", api.local_addr()?);
    let origin = format!("http://{}", page.local_addr()?);

    // The sockets. A page of another origin is refused, on WebSocket too, unless it is listed here; cookies come along
    // only with `credentials`, which the client asks for by `withCredentials: true`.
    let cors = Cors::origins([&*origin]).credentials(true);
    let sessions = Sessions::default();
    let builder = SocketIo::builder().cors(cors).state(sessions.clone());
    let io = start::with_client(builder)?.build();
    io.of("/desk").serve::<Desk>();

    // Ordinary requests: the same for `fetch(…, { credentials: "include" })`.
    let cors = CorsLayer::new()
        .allow_origin(AllowOrigin::list([origin.parse()?]))
        .allow_credentials(true)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([CONTENT_TYPE]);
    let routes = Api::new(io.clone(), sessions, &origin).routes().layer(cors);
    // The endpoint has its own rules: `cors` is not around it.
    let api_app = routes.merge(axum_socketio::mount(&io));

    let html = include_str!("../pages/index.html")
        .replace("{api}", &address)
        .replace("{sockets}", &address.replacen("http", "ws", 1))
        .replace("{origin}", &origin);
    let page_app = Router::new()
        .route("/", get(async || Html(html)))
        .fallback_service(ServeDir::new(concat!(env!("CARGO_MANIFEST_DIR"), "/public")));

    let api = axum::serve(TcpListener::from_std(api)?, api_app).with_graceful_shutdown(io.close_on_signal());
    let page = axum::serve(TcpListener::from_std(page)?, page_app).with_graceful_shutdown(io.close_on_signal());
    try_join!(api.into_future(), page.into_future())?;
    Ok(())
}

fn listen_for_api() -> Result<net::TcpListener, start::Failure> {
    let host = env::var("HOST").unwrap_or_else(|_| "127.0.0.1".to_owned());
    let port = env::var("API_PORT").unwrap_or_else(|_| "3001".to_owned());
    let number: u16 = port
        .parse()
        .map_err(|_| format!("API_PORT is `{port}`: give it a number from 0 to 65535"))?;
    let listener = net::TcpListener::bind((&*host, number)).map_err(|error| {
        format!("cannot listen on {host}:{port}: {error}; HOST and API_PORT choose another address")
    })?;
    listener.set_nonblocking(true)?;
    println!("API and sockets on http://{}", listener.local_addr()?);
    Ok(listener)
}
