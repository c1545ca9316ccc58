//! Servers that know nothing of Socket.IO, and send the same bytes: `load-floors tcp|websocket|websocket-lean|http`, on `PORT`.

use std::{env, net::Ipv4Addr};

use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;

mod http;
mod tcp;
mod websocket;

/// What a lean WebSocket reads at once: axum's default of 128 KB is made and filled with zeros again and again.
const LEAN: usize = 4 * 1024;

#[tokio::main]
async fn main() {
    let port = env::var("PORT").ok().and_then(|port| port.parse().ok());
    let address = (Ipv4Addr::LOCALHOST, port.expect("PORT is a port"));
    let listener = TcpListener::bind(address).await.expect("the port is free");
    let mut listener = listener.tap_io(|stream| stream.set_nodelay(true).expect("it is TCP"));
    match env::args().nth(1).as_deref() {
        Some("tcp") => tcp::serve(&mut listener).await,
        Some("websocket") => axum::serve(listener, websocket::app(None)).await,
        Some("websocket-lean") => axum::serve(listener, websocket::app(Some(LEAN))).await,
        Some("http") => axum::serve(listener, http::app()).await,
        _ => panic!("tcp, websocket, websocket-lean or http?"),
    }
    .expect("it serves");
}
