//! Every operator and query, as clients ask for them: one event `do` that says what to do.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde::Deserialize;
use serde_json::{Value, json};
use tower_socketio::{
    Ack, Acks, Args, Broadcast, Cors, Data, EventError, Namespace, RawArgs, RemoteSocket, RoomEvent, Socket, SocketIo,
    Transport,
};

/// What a client asks the server to do.
#[derive(Debug, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Order {
    /// What it begins with: `io`, `namespace`, `socket`, or the id of a socket that is found first.
    from: String,
    to: Option<Vec<String>>,
    except: Vec<String>,
    local: bool,
    volatile: bool,
    compress: bool,
    timeout_ms: Option<u64>,
    act: Act,
    event: String,
    /// Rooms to enter or to leave.
    rooms: Vec<String>,
}

impl Default for Order {
    fn default() -> Self {
        Self {
            from: "io".to_owned(),
            to: None,
            except: Vec::new(),
            local: false,
            volatile: false,
            compress: true,
            timeout_ms: None,
            act: Act::Emit,
            event: String::new(),
            rooms: Vec::new(),
        }
    }
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Act {
    Emit,
    Send,
    Ask,
    Fetch,
    Join,
    Leave,
    Disconnect,
    /// Disconnects, with the connections.
    Close,
}

/// What happened to rooms.
type Events = Arc<Mutex<Vec<Value>>>;

/// The server of the contract `operators`.
pub fn server() -> SocketIo {
    let transports = [Transport::Polling, Transport::WebSocket, Transport::XhrPolling];
    let cors = Cors::any().credentials(true);
    let io = SocketIo::builder().transports(transports).cors(cors).build();
    for path in ["/", "/second"] {
        namespace(&io, &io.of(path));
    }
    io
}

fn namespace(io: &SocketIo, nsp: &Namespace) {
    let (io, events) = (io.clone(), Events::default());
    let (noted, noting) = (events.clone(), events);
    nsp.on_room_event(move |event| note(&noting, event))
        .on_upgrade(|socket| {
            // Text can be written.
            let _ = socket.emit("upgraded", socket.transport().as_str());
        })
        .on_connect(async |socket: Socket| socket.emit("welcome", Args((socket.namespace().path(), socket.id()))))
        .on("room-events", move || {
            let events = std::mem::take(&mut *noted.lock().unwrap_or_else(PoisonError::into_inner));
            async move { Ack(events) }
        })
        .on("set-data", async |socket: Socket, Data(data): Data<Value>| {
            socket.set_data(&data)?;
            Ok::<_, EventError>(Ack(socket.data::<Value>()?))
        })
        .on("join", async |socket: Socket, Data(rooms): Data<Vec<String>>| {
            socket.join(&rooms);
            Ack(socket.rooms())
        })
        .on("leave", async |socket: Socket, Data(rooms): Data<Vec<String>>| {
            socket.leave(&rooms);
            Ack(socket.rooms())
        })
        .on("close-me", async |socket: Socket| socket.client().disconnect())
        .on("do", move |socket: Socket, Data(order): Data<Order>, args: RawArgs| {
            let io = io.clone();
            async move {
                let args = args.skip(1);
                let nsp = socket.namespace();
                let broadcast = match &*order.from {
                    "io" => io.compress(order.compress),
                    "namespace" => nsp.compress(order.compress),
                    "socket" => socket.broadcast().compress(order.compress),
                    id => {
                        let found = nsp.to(id).fetch_sockets().await;
                        let remote = found.first().ok_or("no such socket")?;
                        return obey_by_remote(remote, &order, args).await.map(Ack);
                    }
                };
                obey(&chosen(broadcast, &order), &order, args).await.map(Ack)
            }
        });
}

fn note(events: &Events, event: RoomEvent<'_>) {
    let event = match event {
        RoomEvent::Create { room } => json!(["create", room]),
        RoomEvent::Join { room, id } => json!(["join", room, id]),
        RoomEvent::Leave { room, id } => json!(["leave", room, id]),
        RoomEvent::Delete { room } => json!(["delete", room]),
    };
    events.lock().unwrap_or_else(PoisonError::into_inner).push(event);
}

/// The sockets that an order names.
fn chosen(mut broadcast: Broadcast, order: &Order) -> Broadcast {
    if let Some(rooms) = &order.to {
        broadcast = broadcast.to(rooms);
    }
    broadcast = broadcast.except(&order.except);
    if order.local {
        broadcast = broadcast.local();
    }
    if order.volatile {
        broadcast = broadcast.volatile();
    }
    if let Some(timeout) = order.timeout_ms {
        broadcast = broadcast.timeout(Duration::from_millis(timeout));
    }
    broadcast
}

async fn obey(broadcast: &Broadcast, order: &Order, args: RawArgs) -> Result<Value, EventError> {
    match order.act {
        Act::Emit => broadcast.emit(&order.event, args)?,
        Act::Send => broadcast.send(args)?,
        Act::Ask => {
            let answers = broadcast.emit_with_ack::<Value>(&order.event, args)?;
            return Ok(told(&answers.collect_all().await));
        }
        Act::Fetch => return broadcast.fetch_sockets().await.iter().map(described).collect(),
        Act::Join => broadcast.sockets_join(&order.rooms),
        Act::Leave => broadcast.sockets_leave(&order.rooms),
        Act::Disconnect => broadcast.disconnect_sockets(false),
        Act::Close => broadcast.disconnect_sockets(true),
    }
    Ok(json!(true))
}

async fn obey_by_remote(remote: &RemoteSocket, order: &Order, args: RawArgs) -> Result<Value, EventError> {
    match order.act {
        Act::Emit | Act::Send => remote.emit(&order.event, args)?,
        Act::Ask => {
            let patience = Duration::from_millis(order.timeout_ms.unwrap_or(10_000));
            let answer = remote
                .timeout(patience)
                .emit_with_ack::<Value>(&order.event, args)
                .await;
            return Ok(answer.unwrap_or_else(|error| json!({ "error": error.to_string() })));
        }
        Act::Fetch => return described(remote),
        Act::Join => remote.join(&order.rooms),
        Act::Leave => remote.leave(&order.rooms),
        Act::Disconnect => remote.disconnect(false),
        Act::Close => remote.disconnect(true),
    }
    Ok(json!(true))
}

/// Answers by who gave them, and who did not answer and why.
fn told(acks: &Acks<Value>) -> Value {
    let answers = acks.answers.iter().map(|(id, answer)| (id.to_string(), answer.clone()));
    let missing = acks
        .missing
        .iter()
        .map(|(id, error)| (id.to_string(), error.to_string().into()));
    json!({
        "answers": answers.collect::<serde_json::Map<_, _>>(),
        "missing": missing.collect::<serde_json::Map<_, _>>(),
    })
}

fn described(socket: &RemoteSocket) -> Result<Value, EventError> {
    let handshake = socket.handshake();
    Ok(json!({
        "id": socket.id(),
        "rooms": socket.rooms(),
        "data": socket.data::<Value>()?,
        "agent": handshake.headers().get("user-agent"),
        "address": handshake.peer_addr().map(|address| address.ip()),
        "query": handshake.query(),
    }))
}
