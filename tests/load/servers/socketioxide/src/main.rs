//! The contract `load` by socketioxide on axum, as its documentation has it: everything at its default but `TCP_NODELAY`.

use std::{env, future::ready, net::Ipv4Addr};

use axum::{Router, serve::ListenerExt as _};
use bytes::Bytes;
use futures_util::FutureExt as _;
use serde_json::value::RawValue;
use socketioxide::{
    SocketIo,
    extract::{AckSender, Data, SocketRef},
};
use tokio::net::TcpListener;

/// Any payload, passed through unread: the cheapest that its handlers can take.
type Payload = Box<RawValue>;

#[tokio::main]
async fn main() {
    let (layer, io) = SocketIo::new_layer();
    io.ns("/", connected);
    let port = env::var("PORT").ok().and_then(|port| port.parse().ok());
    let address = (Ipv4Addr::LOCALHOST, port.expect("PORT is a port"));
    let listener = TcpListener::bind(address).await.expect("the port is free");
    let listener = listener.tap_io(|stream| stream.set_nodelay(true).expect("it is TCP"));
    axum::serve(listener, Router::new().layer(layer))
        .await
        .expect("it serves");
}

/// It spawns the future of each handler, and of several that are spawned at once the last runs first. The contract wants the
/// order of the events, so that all is done before there is a future.
async fn connected(socket: SocketRef) {
    socket.on("echo", |socket: SocketRef, Data((payload,)): Data<(Payload,)>| {
        socket.emit("echo", &payload).expect("there is room for an answer");
        ready(())
    });
    socket.on("bin", |socket: SocketRef, Data(bytes): Data<Bytes>| {
        socket.emit("bin", &bytes).expect("there is room for an answer");
        ready(())
    });
    socket.on("ack", |Data((payload,)): Data<(Payload,)>, ack: AckSender| {
        ack.send(&payload).expect("there is room for an answer");
        ready(())
    });
    socket.on("join", |socket: SocketRef, Data(room): Data<String>, ack: AckSender| {
        socket.join(room);
        ack.send("ok").expect("there is room for an answer");
        ready(())
    });
    socket.on(
        "publish",
        |socket: SocketRef, Data((room, payload)): Data<(String, Payload)>| {
            let published = socket.within(room).emit("msg", &payload).now_or_never();
            let published = published.expect("a broadcast on one server waits for nothing");
            published.expect("there is room for a message");
            ready(())
        },
    );
}
