//! Servers that know nothing of Socket.IO, and send the same bytes: `load-floors tcp|websocket|http`, on `PORT`.

use std::{env, net::Ipv4Addr};

use tokio::net::TcpListener;

mod http;
mod tcp;
mod websocket;

#[tokio::main]
async fn main() {
    let port = env::var("PORT").ok().and_then(|port| port.parse().ok());
    let address = (Ipv4Addr::LOCALHOST, port.expect("PORT is a port"));
    let listener = TcpListener::bind(address).await.expect("the port is free");
    match env::args().nth(1).as_deref() {
        Some("tcp") => tcp::serve(listener).await,
        Some("websocket") => axum::serve(listener, websocket::app()).await,
        Some("http") => axum::serve(listener, http::app()).await,
        _ => panic!("tcp, websocket or http?"),
    }
    .expect("it serves");
}
