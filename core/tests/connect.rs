//! How clients enter and leave namespaces, and what packets they may send when.

mod kit;

use std::future::pending;

use kit::{Gate, Log, Packet, Polling, Ws, head, idle, secs};
use serde::Deserialize;
use tokio::time::{Instant, sleep};
use tower_socketio::{Auth, Data, DisconnectReason, Refusal, Socket, SocketIo, SocketIoBuilder, State};

/// A server that notes what happens in `/`, whose `/gated` decides at a gate: by `auth.ok`.
fn server(builder: SocketIoBuilder) -> (SocketIo, Log, Gate) {
    let (log, gate) = (Log::default(), Gate::closed());
    let io = builder.state(log.clone()).state(gate.clone()).build();
    for nsp in ["/", "/gated"] {
        io.of(nsp)
            .on(
                "note",
                async |socket: Socket, State(log): State<Log>, Data(n): Data<u32>| {
                    log.add(format!("{}{n}", head(socket.namespace().path())));
                },
            )
            .on_disconnect(async |socket: Socket, State(log): State<Log>, why: DisconnectReason| {
                log.add(format!("{}{why}", head(socket.namespace().path())));
            })
            .on_error(log.failures());
    }
    io.of("/gated").on_connect(
        async |socket: Socket, State(gate): State<Gate>, Auth(pass): Auth<Pass>| {
            socket.join("inside");
            socket.emit("welcome", 1)?;
            socket.to("inside").emit("news", 1)?;
            gate.pass().await;
            if pass.ok { Ok(()) } else { Err(Refusal::new("not you")) }
        },
    );
    (io, log, gate)
}

#[derive(Deserialize)]
struct Pass {
    ok: bool,
}

const YES: &str = r#"40/gated,{"ok":true}"#;
const NO: &str = r#"40/gated,{"ok":false}"#;
const EARLY: &str = r#"42/gated,["note",1]"#;
const REFUSED: &str = r#"44/gated,{"message":"not you"}"#;

#[tokio::test(start_paused = true)]
async fn early_events_wait_until_the_client_is_let_in() {
    let (io, log, gate) = server(SocketIo::builder());
    let mut ws = Ws::open(&io).await;
    ws.send_all(&[YES, EARLY]).await;
    assert_eq!(ws.texts().await, [""; 0]);
    assert!(log.take().is_empty());
    gate.admit(1);
    let texts = ws.texts().await;
    assert!(texts[0].starts_with(r#"40/gated,{"sid":"#), "{texts:?}");
    assert_eq!(texts[1..], [r#"42/gated,["welcome",1]"#]);
    assert_eq!(log.take(), ["/gated,1"]);
}

#[tokio::test(start_paused = true)]
async fn early_events_of_a_client_that_is_refused_are_never_handled() {
    let (io, log, gate) = server(SocketIo::builder());
    let mut ws = Ws::open(&io).await;
    ws.send_all(&[NO, EARLY]).await;
    idle().await;
    gate.admit(1);
    assert_eq!(ws.texts().await, [REFUSED]);
    assert_eq!(log.take(), ["None not you"]);
}

#[tokio::test(start_paused = true)]
async fn early_events_of_a_client_that_leaves_before_it_is_let_in_are_never_handled() {
    for leaves in [&["41/gated,"][..], &["1"], &["4x"]] {
        let (io, log, gate) = server(SocketIo::builder());
        let mut ws = Ws::join(&io, "/").await;
        ws.send_all(&[NO, EARLY]).await;
        ws.send_all(leaves).await;
        idle().await;
        gate.admit(1);
        idle().await;
        let mut log = log.take();
        log.retain(|entry| entry.contains("gated"));
        assert_eq!(log, [""; 0], "{leaves:?}");
    }
    let (io, log, gate) = server(SocketIo::builder());
    let mut ws = Ws::open(&io).await;
    ws.send_all(&[NO, EARLY]).await;
    ws.vanish().await;
    gate.admit(1);
    idle().await;
    assert_eq!(log.take(), ["None not you"]);
}

#[tokio::test(start_paused = true)]
async fn what_a_connect_handler_emits_and_joins_is_held_until_the_client_is_let_in() {
    let (io, _, gate) = server(SocketIo::builder());
    let mut inside = Ws::open(&io).await;
    gate.admit(1);
    inside.send(YES).await;
    assert_eq!(inside.texts().await.len(), 2);

    let mut ws = Ws::open(&io).await;
    ws.send(YES).await;
    idle().await;
    assert_eq!(io.of("/gated").sockets_count(), 1);
    io.of("/gated").to("inside").emit("missed", 1).unwrap();
    assert_eq!(inside.texts().await, [r#"42/gated,["missed",1]"#]);
    gate.admit(1);
    assert_eq!(inside.texts().await, [r#"42/gated,["news",1]"#]);
    assert_eq!(ws.texts().await[1..], [r#"42/gated,["welcome",1]"#]);
    io.of("/gated").to("inside").emit("seen", 1).unwrap();
    assert_eq!(ws.texts().await, [r#"42/gated,["seen",1]"#]);
}

#[tokio::test(start_paused = true)]
async fn what_a_connect_handler_emits_and_joins_is_discarded_when_it_refuses() {
    let (io, log, gate) = server(SocketIo::builder());
    let mut inside = Ws::open(&io).await;
    gate.admit(2);
    inside.send(YES).await;
    assert_eq!(inside.texts().await.len(), 2);

    let mut ws = Ws::open(&io).await;
    ws.send(NO).await;
    assert_eq!(ws.texts().await, [REFUSED]);
    io.of("/gated").to("inside").emit("seen", 1).unwrap();
    assert_eq!(inside.texts().await, [r#"42/gated,["seen",1]"#]);
    assert_eq!(ws.texts().await, [""; 0]);
    ws.vanish().await;
    idle().await;
    assert_eq!(log.take(), ["None not you"], "no disconnect handler runs");
}

#[tokio::test(start_paused = true)]
async fn a_refused_client_may_try_again() {
    let (io, _, gate) = server(SocketIo::builder());
    let mut ws = Ws::open(&io).await;
    gate.admit(2);
    ws.send(NO).await;
    assert_eq!(ws.text().await, REFUSED);
    ws.send(YES).await;
    assert!(ws.text().await.starts_with(r#"40/gated,{"sid":"#));
}

#[tokio::test(start_paused = true)]
async fn a_connect_handler_that_cannot_refuse_holds_nobody_up() {
    let (io, log, _) = server(SocketIo::builder());
    io.of("/").on_connect(async |socket: Socket, State(log): State<Log>| {
        let answer: Result<u32, _> = socket.emit_with_ack("who", tower_socketio::Args(())).await;
        log.add(format!("{answer:?}"));
        pending::<()>().await;
    });
    let mut ws = Ws::join(&io, "/").await;
    let question = ws.text().await;
    assert!(question.ends_with(r#"["who"]"#), "{question}");
    ws.send(r#"42["note",1]"#).await;
    idle().await;
    assert_eq!(log.take(), ["1"]);
    let id = question.trim_start_matches("42").trim_end_matches(r#"["who"]"#);
    ws.send(&format!("43{id}[9]")).await;
    idle().await;
    assert_eq!(log.take(), ["Ok(9)"]);
}

#[tokio::test(start_paused = true)]
async fn middleware_runs_in_order_and_may_refuse() {
    let (io, log, _) = server(SocketIo::builder());
    let chat = io.of("/chat");
    chat.with(async |State(log): State<Log>| {
        sleep(secs(1)).await;
        log.add("first");
    })
    .with(async |socket: Socket, State(log): State<Log>| {
        log.add("second");
        if socket.auth_json().is_some() {
            return Ok(());
        }
        Err(Refusal::new("who \"are\" you?").with_data(&serde_json::json!({ "code": 7 })))
    })
    .with(async |State(log): State<Log>| log.add("third"))
    .on_connect(async |State(log): State<Log>| log.add("connected"));
    let mut ws = Ws::open(&io).await;
    ws.send("40/chat,").await;
    let refused = r#"44/chat,{"message":"who \"are\" you?","data":{"code":7}}"#;
    assert_eq!(ws.text().await, refused);
    assert_eq!(log.take(), ["first", "second"]);
    ws.send("40/chat,{}").await;
    assert!(ws.text().await.starts_with("40/chat,"));
    idle().await;
    assert_eq!(log.take(), ["first", "second", "third", "connected"]);
}

#[tokio::test(start_paused = true)]
async fn no_connect_handler_runs_for_a_client_that_left_during_middleware() {
    for may_refuse in [false, true] {
        let (io, log, gate) = server(SocketIo::builder());
        let chat = io.of("/chat");
        chat.with(async |State(gate): State<Gate>| gate.pass().await)
            .on_disconnect(async |State(log): State<Log>| log.add("left"));
        if may_refuse {
            chat.on_connect(async |State(log): State<Log>| -> Result<(), Refusal> {
                log.add("connected");
                Ok(())
            });
        } else {
            chat.on_connect(async |State(log): State<Log>| log.add("connected"));
        }
        let mut ws = Ws::open(&io).await;
        ws.send("40/chat,").await;
        idle().await;
        ws.vanish().await;
        gate.admit(1);
        idle().await;
        assert_eq!(log.take(), [""; 0], "no disconnect handler would match it");
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_extractor_rejects_is_refused_with_its_message() {
    let (io, log, _) = server(SocketIo::builder());
    let mut ws = Ws::open(&io).await;
    ws.send("40/gated,").await;
    let message = "invalid auth payload: missing field `ok` at line 1 column 2";
    assert_eq!(ws.text().await, format!(r#"44/gated,{{"message":"{message}"}}"#));
    assert_eq!(log.take(), [format!("None {message}")]);
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_is_not_there_and_one_too_many_are_refused() {
    let (io, _, _) = server(SocketIo::builder().max_namespaces(2));
    for nsp in ["/a", "/b"] {
        io.of(nsp);
    }
    let mut ws = Ws::join(&io, "/").await;
    ws.send("40/nowhere,").await;
    assert_eq!(ws.text().await, r#"44/nowhere,{"message":"Invalid namespace"}"#);
    ws.connect("/a").await;
    ws.send("40/b,").await;
    assert_eq!(ws.text().await, r#"44/b,{"message":"Too many namespaces"}"#);
    ws.send("41/a,").await;
    idle().await;
    ws.connect("/b").await;
    ws.quiet(secs(100)).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_leaves_a_namespace_and_comes_back_as_another_socket() {
    let (io, log, _) = server(SocketIo::builder());
    let mut ws = Ws::open(&io).await;
    let first = ws.connect("/").await;
    ws.send("41").await;
    let second = ws.connect("/").await;
    assert_ne!(first, second);
    ws.send(r#"42["note",1]"#).await;
    idle().await;
    assert_eq!(log.take(), ["client namespace disconnect", "1"]);
    assert_eq!(io.of("/").sockets_count(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_a_client_sends_to_a_namespace_it_was_made_to_leave_is_ignored() {
    let (io, log, _) = server(SocketIo::builder());
    io.of("/chat")
        .on("kick me", async |socket: Socket| socket.disconnect())
        .on("note", async |State(log): State<Log>| log.add("noted"))
        .on_disconnect(async |State(log): State<Log>, why: DisconnectReason| log.add(why));
    let mut ws = Ws::join(&io, "/").await;
    for _ in 0..2 {
        ws.connect("/chat").await;
        let sends = [
            r#"42/chat,["note"]"#,
            r#"42/chat,["kick me"]"#,
            r#"42/chat,["note"]"#,
            r#"42/chat,9["note"]"#,
            "43/chat,1[]",
        ];
        ws.send_all(&sends).await;
        assert_eq!(ws.text().await, "41/chat,");
        idle().await;
        ws.send_all(&[r#"42/chat,["note"]"#, "41/chat,"]).await;
        ws.quiet(secs(50)).await;
        assert_eq!(log.take(), ["noted", "server namespace disconnect"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_packet_out_of_order_closes_the_connection() {
    for packet in [
        "40",
        "41/gated,",
        EARLY,
        "43/gated,1[]",
        "44/gated,{}",
        "44",
        "41/nowhere,",
        r#"42/nowhere,["x"]"#,
    ] {
        let (io, log, _) = server(SocketIo::builder());
        let mut ws = Ws::join(&io, "/").await;
        // What came with it is not handled any more.
        ws.send_all(&[packet, r#"42["note",1]"#]).await;
        assert_eq!(ws.end().await, [], "{packet}");
        idle().await;
        assert_eq!(log.take(), ["forced server close"], "{packet}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_packet_that_makes_no_sense_closes_the_connection() {
    for packet in [
        "4",
        "47",
        "42",
        "42{}",
        "42[]",
        "42[null]",
        r#"42["note",1"#,
        r#"42["disconnect"]"#,
        "43[]",
        "42/",
        r#"451-["x",{"_placeholder":true,"num":1}]"#,
        r#"4511-["x"]"#,
        r#"450-["x"]"#,
    ] {
        let (io, log, _) = server(SocketIo::builder());
        let mut ws = Ws::join(&io, "/").await;
        ws.send_all(&[packet, r#"42["note",1]"#]).await;
        assert_eq!(ws.end().await, [], "{packet}");
        idle().await;
        assert_eq!(log.take(), ["forced close"], "{packet}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_joins_no_namespace_in_time_is_closed() {
    let (io, _, _) = server(SocketIo::builder().connect_timeout(secs(15)));
    let start = Instant::now();
    let mut joined = Ws::join(&io, "/").await;
    let polling = Polling::open(&io).await;
    let mut undecided = Ws::open(&io).await;
    undecided.send(YES).await;
    let mut ws = Ws::open(&io).await;
    assert_eq!(ws.end().await, [] as [Packet; 0]);
    assert_eq!(start.elapsed().as_secs(), 15);
    assert_eq!(undecided.end().await, []);
    assert_eq!(polling.get().await.packets(), ["1"]);
    assert_eq!(start.elapsed().as_secs(), 15);
    joined.quiet(secs(100)).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_in_stays_however_long_its_connect_handler_runs() {
    let io = SocketIo::builder().build();
    io.of("/")
        .with(async || sleep(secs(1)).await)
        .on_connect(async || pending::<()>().await);
    let mut ws = Ws::join(&io, "/").await;
    ws.quiet(secs(120)).await;
}

#[tokio::test(start_paused = true)]
async fn attachments_of_a_client_that_joined_nothing_are_not_waited_for() {
    let io = SocketIo::builder().build();
    let mut ws = Ws::open(&io).await;
    ws.send(r#"451-["x",{"_placeholder":true,"num":0}]"#).await;
    sleep(secs(1)).await;
    assert_eq!(io.clients_count(), 0);
}

#[test]
fn a_client_dropped_outside_of_a_runtime_leaves_all_the_same() {
    let io = SocketIo::builder().build();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let client = runtime.block_on(async {
        use tokio::io::AsyncWriteExt as _;
        let (mut client, server) = tokio::io::duplex(1000);
        client.write_all(&[0x81, 0x82, 0, 0, 0, 0, b'4', b'0']).await.unwrap();
        let mut drive = Box::pin(kit::ticket(&io, None).drive(server));
        std::future::poll_fn(|cx| {
            assert!(drive.as_mut().poll(cx).is_pending());
            std::task::Poll::Ready(())
        })
        .await;
        [drive]
    });
    assert_eq!(io.of("/").sockets_count(), 1);
    drop(client);
    assert_eq!(io.of("/").sockets_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_namespace_too_many_is_told_to_the_hook() {
    let log = Log::default();
    let io = SocketIo::builder().max_namespaces(1).build();
    io.on_error(log.failures());
    io.of("/chat");
    let mut ws = Ws::join(&io, "/").await;
    ws.send("40/chat,").await;
    assert_eq!(ws.text().await, r#"44/chat,{"message":"Too many namespaces"}"#);
    assert_eq!(log.take().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_connect_handler_that_sends_the_client_away_as_it_is_called_does_not_run() {
    let log = Log::default();
    let io = SocketIo::builder().state(log.clone()).build();
    io.of("/")
        .on_connect(|socket: Socket, State(log): State<Log>| {
            socket.disconnect();
            async move { log.add("came") }
        })
        .on_disconnect(async |State(log): State<Log>| log.add("went"));
    let mut ws = Ws::open(&io).await;
    ws.send("40").await;
    idle().await;
    assert_eq!(log.take(), [""; 0]);
}
