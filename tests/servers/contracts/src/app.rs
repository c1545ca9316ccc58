//! The application that every client is run against.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde::Serialize;
use serde_json::{Value, json};
use tower_socketio::{
    Ack, AckSender, Args, Auth, Cors, Data, EventError, Handshake, PerMessageDeflate, RawArgs, Refusal, Sid, Socket,
    SocketIo, SocketIoBuilder, Transport,
};

use crate::{milliseconds, number, webtransport};

/// All that a web framework can have.
const TRANSPORTS: [Transport; 6] = [
    Transport::Polling,
    Transport::WebSocket,
    Transport::FlashSocket,
    Transport::HtmlFile,
    Transport::XhrPolling,
    Transport::JsonpPolling,
];

/// The server of the contract `app`. With `DEFLATE_THRESHOLD` in the environment it compresses messages of as
/// many bytes.
pub fn server(mut builder: SocketIoBuilder) -> SocketIo {
    if let Some(threshold) = number("DEFLATE_THRESHOLD") {
        builder = builder.per_message_deflate(PerMessageDeflate::default().threshold(threshold));
    }
    let io = builder
        .ping_interval(milliseconds("PING_INTERVAL_MS", 2000))
        .ping_timeout(milliseconds("PING_TIMEOUT_MS", 6000))
        .max_payload(4_000_000)
        .transports(webtransport::and(&TRANSPORTS))
        .jsonp(true)
        .cors(Cors::any().credentials(true))
        .build();
    for path in ["/", "/chat", "/admin"] {
        handlers(&io, path);
    }
    io.of("/admin").with(authorize);
    io
}

/// The list that `collect` appends to.
type Collected = Arc<Mutex<Vec<Value>>>;

fn handlers(io: &SocketIo, path: &str) {
    io.of(path)
        .on_connect(async |socket: Socket| {
            socket.insert(Collected::default());
            socket.emit("welcome", Args((socket.namespace().path(), socket.id())))
        })
        .on("echo", async |socket: Socket, args: RawArgs| socket.emit("echo", args))
        .on("echo-ack", async |args: RawArgs| Ack(args))
        .on("ask-me", async |socket: Socket, args: RawArgs| {
            let answer: RawArgs = socket.emit_with_ack("question", args).await?;
            socket.emit("answer-received", answer)?;
            Ok::<_, EventError>(())
        })
        .on("join", async |socket: Socket, Data(room): Data<String>| {
            socket.join(&room);
            Ack(room)
        })
        .on("leave", async |socket: Socket, Data(room): Data<String>| {
            socket.leave(&room);
            Ack(room)
        })
        .on("to-room", to_room)
        .on("broadcast-others", broadcast_others)
        .on("whoami", async |socket: Socket, Auth(auth): Auth<Value>| {
            Ack(whoami(&socket, auth))
        })
        .on("kick-me", async |socket: Socket| socket.disconnect())
        .on("close-me", async |socket: Socket| socket.close())
        .on("throw", async || -> () {
            panic!("thrown because the client asked for it")
        })
        .on("collect", async |socket: Socket, Data(value): Data<Value>| {
            collected(&socket, |list| list.push(value));
        })
        .on("collected", async |socket: Socket| {
            Ack(collected(&socket, std::mem::take))
        })
        .on("burst", burst)
        .on("message", async |socket: Socket, args: RawArgs| socket.send(args))
        .on_disconnect(async |socket: Socket| {
            for room in socket.rooms().iter().filter(|room| *room != socket.id()) {
                socket.to(room).emit("left", socket.id())?;
            }
            Ok::<_, EventError>(())
        });
}

async fn authorize(handshake: Handshake, Auth(auth): Auth<Value>) -> Result<(), Refusal> {
    let in_query = handshake.query_value("token");
    if in_query.as_deref().or(auth["token"].as_str()) == Some("letmein") {
        return Ok(());
    }
    Err(Refusal::new("unauthorized").with_data(&json!({ "code": "E_AUTH" })))
}

async fn to_room(
    socket: Socket,
    ack: AckSender,
    Data(Args((room, event))): Data<Args<(String, String)>>,
    args: RawArgs,
) -> Result<(), EventError> {
    socket.to(room).emit(&event, args.skip(2))?;
    Ok(ack.send(true)?)
}

async fn broadcast_others(
    socket: Socket,
    ack: AckSender,
    Data(event): Data<String>,
    args: RawArgs,
) -> Result<(), EventError> {
    socket.broadcast().emit(&event, args.skip(1))?;
    Ok(ack.send(true)?)
}

#[derive(Serialize)]
struct WhoAmI {
    id: Sid,
    nsp: String,
    transport: &'static str,
    protocol: u8,
    query: BTreeMap<String, String>,
    auth: Value,
}

fn whoami(socket: &Socket, auth: Value) -> WhoAmI {
    let handshake = socket.handshake();
    // Clients 1.0 send a 2, and are of the same generation as those that send a 3.
    let in_query = handshake.query_value("EIO").and_then(|number| number.parse().ok());
    WhoAmI {
        id: socket.id().clone(),
        nsp: socket.namespace().path().to_owned(),
        transport: socket.transport().as_str(),
        protocol: in_query.unwrap_or_else(|| handshake.generation().protocol()),
        query: handshake
            .query_values()
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect(),
        auth,
    }
}

/// Emits `tick` 0 … n − 1, with a pause after every 20.
async fn burst(socket: Socket, Data(Args((n, delay))): Data<Args<(u32, u64)>>) -> Result<Ack<u32>, EventError> {
    for i in 0..n {
        socket.emit("tick", i)?;
        if delay > 0 && i % 20 == 19 {
            tokio::time::sleep(Duration::from_millis(delay)).await;
        }
    }
    Ok(Ack(n))
}

fn collected<R>(socket: &Socket, change: impl FnOnce(&mut Vec<Value>) -> R) -> R {
    let list = socket.get::<Collected>().unwrap_or_default();
    change(&mut list.lock().unwrap_or_else(PoisonError::into_inner))
}
