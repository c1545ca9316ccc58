//! WebTransport: the page begins by polling and changes to HTTP/3. On axum, with a listener for HTTP/3 beside it.
//!
//! Run it, from the root of the repository:
//!
//! ```sh
//! npm ci --prefix examples/chat   # once: the Socket.IO client for the page
//! cargo run -p webtransport
//! ```
//!
//! and open <http://127.0.0.1:3000> in Chromium, Chrome or Edge. No switch of the browser is needed: the page is given
//! the hash of the certificate, which is made anew whenever the program starts, and tells its browser to accept that.
//! `PORT` and `HOST` in the environment change the address; port 0 takes a free one. Both TCP and UDP are listened on.
//!
//! On a public host, the page is served over HTTPS, its browser knows the certificate
//! (`Certificate::from_pem_files`), and the client needs no hashes.

use std::{net::SocketAddr, time::Duration};

use axum::{Json, Router, routing::get};
use axum_socketio::{Ack, Args, Data, EncodeError, Socket, SocketIo, Transport};
use tokio::net::TcpListener;
use tower_http::services::ServeDir;
use webtransport_socketio::{Certificate, Listener};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/public");

#[tokio::main]
async fn main() -> start::Outcome {
    start::log();
    let transports = [Transport::Polling, Transport::WebSocket, Transport::WebTransport];
    let builder = SocketIo::builder()
        .transports(transports)
        .ping_interval(Duration::from_secs(5));
    let io = start::with_client(builder)?.build();
    io.of("/")
        .on("transport", async |transport: Transport| Ack(transport.as_str()))
        .on("say", say);

    let tcp = TcpListener::from_std(start::listen()?)?;
    let address = tcp.local_addr()?;
    let certificate = Certificate::self_signed(["localhost".to_owned(), address.ip().to_string()])?;
    let hash = certificate.sha256();
    tokio::spawn(webtransport_socketio::serve(
        &io,
        Listener::bind(address, &certificate)?,
    ));

    let app = Router::new()
        .route("/certificate", get(async move || Json(hash)))
        .fallback_service(ServeDir::new(PAGE))
        .merge(axum_socketio::mount(&io))
        .into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(tcp, app)
        .with_graceful_shutdown(io.close_on_signal())
        .await?;
    Ok(())
}

async fn say(socket: Socket, Data(text): Data<String>) -> Result<(), EncodeError> {
    let text: String = text.chars().take(200).collect();
    socket
        .namespace()
        .emit("said", Args((text, socket.transport().as_str())))
}
