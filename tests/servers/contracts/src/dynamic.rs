//! Namespaces that clients bring into being, middleware of packets, and a limit of clients' rates.

use std::{env, time::Duration};

use serde_json::Value;
use tokio::time::sleep;
use tower_socketio::{
    Ack, Args, Cors, Data, EncodeError, EventError, Excess, Packet, Param, RateLimit, Socket, SocketIo, Transport,
};

/// The server of the contract `dynamic`. `EXCESS` in the environment limits its clients to 20 events a second.
pub fn server() -> SocketIo {
    let mut builder = SocketIo::builder()
        .transports([Transport::Polling, Transport::WebSocket, Transport::XhrPolling])
        .cors(Cors::any().credentials(true));
    if let Ok(excess) = env::var("EXCESS") {
        let excess = match excess.as_str() {
            "disconnect" => Excess::Disconnect,
            "slow-down" => Excess::SlowDown,
            _ => Excess::Drop,
        };
        builder = builder.rate_limit(RateLimit::events_per_second(20).on_excess(excess));
    }
    let io = builder.build();
    io.of("/").on("message", async || Ack(()));
    orders(&io);
    io.of_matching(async |request| {
        sleep(Duration::from_millis(20)).await;
        let auth: Value = request.auth().unwrap_or_default();
        request.path().starts_with("/tenant-") && auth["token"] == "letmein"
    })
    .on_connect(async |socket: Socket| socket.emit("welcome", socket.namespace().path()));
    io
}

fn orders(io: &SocketIo) {
    let parent = io.of_pattern("/orders-{id}");
    let (for_news, for_children) = (parent.clone(), parent.clone());
    parent
        .on_packet(async |packet: Packet| match packet.event() {
            "secret" => Err(EventError::new("not for you")),
            "old say" => Ok(packet.with_event("say")),
            "slow" => {
                sleep(Duration::from_millis(50)).await;
                Ok(packet.with_event("say"))
            }
            _ => Ok(packet),
        })
        .on_connect(async |socket: Socket, Param(id): Param<u32>| {
            socket.emit("welcome", Args((socket.namespace().path(), id)))?;
            Ok::<_, EncodeError>(())
        })
        .on("say", async |socket: Socket, Data(text): Data<Value>| {
            socket.broadcast().emit("said", &text)?;
            Ok::<_, EncodeError>(Ack(text))
        })
        .on("news", move |Data(text): Data<Value>| {
            std::future::ready(for_news.emit("news", text))
        })
        .on("children", move || {
            let mut paths: Vec<_> = for_children
                .children()
                .iter()
                .map(|child| child.path().to_owned())
                .collect();
            paths.sort_unstable();
            std::future::ready(Ack(paths))
        });
}
