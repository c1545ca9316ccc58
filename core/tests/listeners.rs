//! Listeners that see every event of a socket pass by.

mod kit;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use kit::{Log, Polling, Ws, idle, sockets};
use tower_socketio::{Ack, Acl, Args, Data, Packet, PassingEvent, Refusal, Socket, SocketIo, State};

fn server() -> (SocketIo, Log) {
    let log = Log::default();
    let io = SocketIo::builder().state(log.clone()).build();
    io.of("/").on_error(log.failures());
    (io, log)
}

/// A listener that notes what passes.
fn noting(log: &Log, who: &'static str) -> impl Fn(&PassingEvent<'_>) + Send + Sync + use<> {
    let log = log.clone();
    move |event| log.add(format!("{who}: {} [{}]", event.name(), event.args().json()))
}

#[tokio::test(start_paused = true)]
async fn every_event_that_is_sent_is_seen_once_a_recipient() {
    let (io, log) = server();
    let nsp = io.of("/");
    nsp.on("ask", async |socket: Socket| {
        socket.emit("own", Args((1, "a")))?;
        socket.broadcast().emit("others", ())?;
        socket.volatile().emit("volatile", 2)?;
        let answer: u8 = socket.emit_with_ack("question", 3).await?;
        Ok::<_, tower_socketio::EventError>(Ack(answer))
    });
    let (mut one, _other, _third) = (
        Ws::join(&io, "/").await,
        Ws::join(&io, "/").await,
        Ws::join(&io, "/").await,
    );
    nsp.on_any_outgoing(noting(&log, "nsp"));
    one.send(r#"421["ask"]"#).await;
    assert_eq!(one.texts().await.len(), 3);
    one.send("430[7]").await;
    assert_eq!(one.texts().await, ["431[7]"], "and an ack is no event");
    let expected = [
        r#"nsp: own [1,"a"]"#,
        "nsp: others [null]",
        "nsp: others [null]",
        "nsp: volatile [2]",
        "nsp: question [3]",
    ];
    assert_eq!(log.take(), expected);
    nsp.to("nobody").emit("x", ()).unwrap();
    assert_eq!(log.take(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn bytes_are_readable_and_the_name_is_as_it_was_emitted() {
    let (io, _) = server();
    let nsp = io.of("/");
    let seen = Arc::new(Mutex::new(Vec::new()));
    let list = seen.clone();
    nsp.on_any_outgoing(move |event| {
        let bytes: Vec<u8> = event.args().read().unwrap();
        list.lock().unwrap().push((event.name().to_owned(), bytes));
    });
    let _ws = Ws::join(&io, "/").await;
    nsp.emit("\"é\u{1f600}\n", bytes::Bytes::from_static(b"\x00\xff"))
        .unwrap();
    assert_eq!(*seen.lock().unwrap(), [("\"é\u{1f600}\n".to_owned(), vec![0, 255])]);
}

#[tokio::test(start_paused = true)]
async fn what_is_held_before_a_socket_is_let_in_is_seen_when_it_is_sent_and_without_a_lock() {
    let (io, log) = server();
    let nsp = io.of("/");
    let listener = log.clone();
    nsp.on_any_outgoing(move |event| {
        // All of it takes locks.
        let socket = event.socket();
        let count = socket.namespace().sockets_count();
        listener.add(format!("{} {} {count}", event.name(), socket.rooms().len()));
        socket.join("seen");
    });
    nsp.on_connect(async |socket: Socket| {
        socket.emit("own", ())?;
        socket.broadcast().emit("joined", ())?;
        match socket.auth_json() {
            Some(_) => Err(Refusal::new("no")),
            None => Ok(()),
        }
    });
    let _one = Ws::join(&io, "/").await;
    idle().await;
    assert_eq!(log.take(), ["own 1 1"]);
    let _other = Ws::join(&io, "/").await;
    idle().await;
    assert_eq!(log.take(), ["own 1 2", "joined 2 2"]);
    let mut refused = Ws::open(&io).await;
    refused.send("40{}").await;
    assert!(refused.text().await.starts_with("44"));
    assert_eq!(log.take(), ["None no"]);
    // Questions wait, too.
    io.of("/asks").on_connect(async |socket: Socket| {
        drop(socket.broadcast().emit_with_ack::<u8>("asked", ())?);
        Ok::<_, tower_socketio::EncodeError>(())
    });
    io.of("/asks").on_any_outgoing(noting(&log, "asks"));
    let _one = Ws::join(&io, "/asks").await;
    let _other = Ws::join(&io, "/asks").await;
    idle().await;
    assert_eq!(log.take(), ["asks: asked [null]"]);
}

#[tokio::test(start_paused = true)]
async fn a_socket_has_listeners_of_its_own_after_the_namespaces() {
    let (io, log) = server();
    let nsp = io.of("/");
    let found = sockets(&nsp);
    let (_one, _other, mut found) = (Ws::join(&io, "/").await, Ws::join(&io, "/").await, found);
    let socket = found.next().await;
    socket
        .on_any_outgoing(noting(&log, "first"))
        .on_any_outgoing(noting(&log, "second"));
    nsp.emit("x", 1).unwrap();
    assert_eq!(log.take(), ["first: x [1]", "second: x [1]"]);
    nsp.on_any_outgoing(noting(&log, "nsp"));
    socket.emit("y", 2).unwrap();
    assert_eq!(log.take(), ["nsp: y [2]", "first: y [2]", "second: y [2]"]);
    socket.off_any_outgoing();
    socket.emit("z", 3).unwrap();
    assert_eq!(log.take(), ["nsp: z [3]"]);
}

#[tokio::test(start_paused = true)]
async fn incoming_events_are_seen_after_the_rules_and_before_middleware_and_handlers() {
    let (io, log) = server();
    let nsp = io.of("/");
    nsp.acl(|_| Acl::all().deny("secret"))
        .on("say", async |Data(text): Data<String>, State(log): State<Log>| {
            log.add(format!("handled {text}"));
        })
        .on_packet(async |packet: Packet| match packet.event() {
            "old" => packet.with_event("say"),
            _ => packet,
        });
    let found = sockets(&nsp);
    let (mut ws, mut other, mut found) = (Ws::join(&io, "/").await, Ws::join(&io, "/").await, found);
    let socket = found.next().await;
    socket.on_any(noting(&log, "first")).on_any(noting(&log, "second"));
    ws.send_all(&[r#"42["old","a"]"#, r#"42["secret"]"#, r#"42["what",1]"#])
        .await;
    idle().await;
    other.send(r#"42["say","b"]"#).await;
    idle().await;
    let expected = [
        r#"first: old ["a"]"#,
        r#"second: old ["a"]"#,
        "handled a",
        r#"Some("secret") the client may not call this event"#,
        "first: what [1]",
        "second: what [1]",
        r#"Some("what") no handler for this event"#,
        "handled b",
    ];
    assert_eq!(log.take(), expected);
    socket.off_any();
    ws.send(r#"42["say","c"]"#).await;
    idle().await;
    assert_eq!(log.take(), ["handled c"]);
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_changes_the_rules_is_obeyed() {
    let (io, log) = server();
    let nsp = io.of("/");
    nsp.on("say", async |State(log): State<Log>| log.add("handled"));
    let found = sockets(&nsp);
    let (mut ws, mut found) = (Ws::join(&io, "/").await, found);
    found
        .next()
        .await
        .on_any(|event| event.socket().acl().deny(event.name()));
    ws.send(r#"42["say"]"#).await;
    idle().await;
    assert_eq!(log.take(), [r#"Some("say") the client may not call this event"#]);
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_a_listener_is_reported_and_harms_nothing() {
    let (io, log) = server();
    let nsp = io.of("/");
    nsp.on("say", async |socket: Socket| socket.emit("said", ()));
    nsp.on_any_outgoing(|_| panic!("out"));
    let found = sockets(&nsp);
    let (mut ws, mut found) = (Ws::join(&io, "/").await, found);
    found.next().await.on_any(|_| panic!("in"));
    ws.send(r#"42["say"]"#).await;
    assert_eq!(ws.texts().await, [r#"42["said",null]"#]);
    assert_eq!(
        log.take(),
        [r#"Some("say") panicked: in"#, r#"Some("said") panicked: out"#]
    );
}

#[tokio::test(start_paused = true)]
async fn listeners_of_a_parent_see_what_its_children_are_sent() {
    let (io, log) = server();
    let orders = io.of_pattern("/orders-{id}");
    let listener = log.clone();
    orders.on_any_outgoing(move |event| listener.add(event.socket().namespace().path()));
    let mut ws = Ws::join(&io, "/orders-1").await;
    ws.connect("/orders-2").await;
    orders.emit("x", ()).unwrap();
    let mut paths = log.take();
    paths.sort();
    assert_eq!(paths, ["/orders-1", "/orders-2"]);
}

#[tokio::test(start_paused = true)]
async fn a_listener_goes_with_its_socket() {
    let (io, _) = server();
    let nsp = io.of("/");
    let alive = Arc::new(AtomicUsize::new(0));
    let found = sockets(&nsp);
    let (client, mut found) = (Polling::join(&io, "/").await, found);
    let socket = found.next().await;
    let (held, count) = (socket.clone(), alive.clone());
    // It holds the very socket that it is kept by.
    socket.on_any(move |_| {
        count.fetch_add(held.rooms().len(), Ordering::SeqCst);
    });
    drop(socket);
    assert_eq!(Arc::strong_count(&alive), 2);
    client.posted("41").await;
    idle().await;
    assert_eq!(Arc::strong_count(&alive), 1);
}
