//! The application of the Socket.IO protocol's own suite.

use std::time::Duration;

use serde_json::value::RawValue;
use tower_socketio::{Ack, Auth, Generation, RawArgs, Socket, SocketIo, SocketIoBuilder, Transport};

use crate::webtransport;

/// The server of the contract `socket`.
pub fn server(builder: SocketIoBuilder) -> SocketIo {
    let io = builder
        .generations([Generation::Eio4])
        .transports(webtransport::and(&[Transport::Polling, Transport::WebSocket]))
        .ping_interval(Duration::from_millis(300))
        .ping_timeout(Duration::from_millis(200))
        .max_payload(1_000_000)
        .connect_timeout(Duration::from_secs(1))
        .build();
    for path in ["/", "/custom"] {
        io.of(path)
            .on_connect(async |socket: Socket, Auth(auth): Auth<Box<RawValue>>| socket.emit("auth", auth));
    }
    io.of("/")
        .on("message", async |socket: Socket, args: RawArgs| {
            socket.emit("message-back", args)
        })
        .on("message-with-ack", async |args: RawArgs| Ack(args));
    io
}
