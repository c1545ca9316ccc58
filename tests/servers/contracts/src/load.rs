//! The application that is measured.

use serde::{Deserialize, Serialize};
use tower_socketio::{Ack, Args, Data, RawArgs, Socket, SocketIo};

/// The server of the contract `load`: everything at its default.
pub fn server() -> SocketIo {
    let io = SocketIo::builder().build();
    io.of("/")
        .on("echo", async |socket: Socket, args: RawArgs| socket.emit("echo", args))
        .on("typed", async |socket: Socket, Data(row): Data<Row>| {
            socket.emit("typed", row)
        })
        .on("bin", async |socket: Socket, args: RawArgs| socket.emit("bin", args))
        .on("ack", async |args: RawArgs| Ack(args))
        .on("join", async |socket: Socket, Data(room): Data<String>| {
            socket.join(room);
            Ack("ok")
        })
        .on("publish", publish);
    io
}

/// An argument that is not passed through: it is deserialised, and serialised again.
#[derive(Deserialize, Serialize)]
struct Row {
    id: u64,
    name: String,
    text: String,
}

async fn publish(
    socket: Socket,
    Data(Args((room, payload))): Data<Args<(String, Box<serde_json::value::RawValue>)>>,
) -> Result<(), tower_socketio::EncodeError> {
    socket.namespace().to(room).emit("msg", payload)
}
