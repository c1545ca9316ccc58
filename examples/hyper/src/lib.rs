//! What the examples on bare hyper share: a small page that shows who the server thinks it is talking to.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    net::SocketAddr,
};

use http::{Request, Response, StatusCode, Version, header::CONTENT_TYPE};
use hyper::body::Incoming;
use serde::Serialize;
use start::Failure;
use tower_socketio::{Ack, Extension, Handshake, Socket, SocketIo};

/// By which version of HTTP a connection began. A handshake does not keep it by itself.
#[derive(Debug, Clone, Copy)]
pub struct By(pub Version);

/// What a page is told when it has connected.
#[derive(Serialize)]
struct Welcome {
    peer: Option<SocketAddr>,
    version: String,
}

/// The server with its handlers.
///
/// # Errors
/// When the page's client is not installed.
pub fn socket_io() -> Result<SocketIo, Failure> {
    let io = start::with_client(SocketIo::builder())?.build();
    io.of("/")
        .on_connect(welcome)
        .on("echo", async |socket: Socket| Ack(socket.is_connected()))
        .on_error(|failure| eprintln!("{failure}"));
    Ok(io)
}

async fn welcome(socket: Socket, handshake: Handshake, Extension(By(version)): Extension<By>) {
    let (peer, version) = (handshake.peer_addr(), format!("{version:?}"));
    socket
        .emit("welcome", Welcome { peer, version })
        .expect("an address can be sent");
}

/// Everything that the application serves beside Socket.IO.
pub fn site(request: Request<Incoming>) -> Ready<Result<Response<String>, Infallible>> {
    let (status, kind, body) = match request.uri().path() {
        "/" => (StatusCode::OK, "text/html", include_str!("../public/index.html")),
        "/page.css" => (StatusCode::OK, "text/css", include_str!("../public/page.css")),
        "/page.js" => (StatusCode::OK, "text/javascript", include_str!("../public/page.js")),
        _ => (StatusCode::NOT_FOUND, "text/plain", "not found"),
    };
    let mut response = Response::new(body.to_owned());
    *response.status_mut() = status;
    let kind = http::HeaderValue::from_static(kind);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    ready(Ok(response))
}
