//! What the server counts: each thing once, and gauges that come back to nothing.

mod counts;
#[path = "../kit/mod.rs"]
mod kit;

use bytes::Bytes;
use counts::Counts;
use http::Method;
use http_body_util::Full;
use kit::{Answer, Gate, Polling, UPGRADE, Ws, idle, millis, request, secs, soon};
use metrics::with_local_recorder;
use tokio::{
    io::{AsyncWriteExt as _, duplex},
    time::sleep,
};
use tower_socketio::{
    Ack, Data, EventError, Refusal, Socket, SocketIo, SocketIoBuilder, State, Transport, observability::METRICS,
};

/// A server that counts.
fn counting(builder: SocketIoBuilder, handlers: impl FnOnce(&SocketIo)) -> (SocketIo, Counts) {
    let counts = Counts::default();
    let io = with_local_recorder(&counts, || {
        let io = builder.build();
        handlers(&io);
        io
    });
    (io, counts)
}

fn plain() -> (SocketIo, Counts) {
    counting(SocketIo::builder(), |_| {})
}

async fn call(io: &SocketIo, method: Method, tail: &str) -> Answer {
    let parts = request(method, &format!("/socket.io/{tail}"), &[]);
    let response = soon("a response", io.service().handle(parts, Full::<Bytes>::default())).await;
    Answer::of(response).await
}

#[test]
fn every_metric_is_described_and_there_from_the_beginning() {
    let (_, counts) = plain();
    let described = counts.described();
    let listed = METRICS
        .iter()
        .map(|metric| (metric.name.to_owned(), (metric.kind, metric.help.to_owned())));
    assert_eq!(described, listed.collect());
    let series = counts.series();
    for metric in METRICS {
        let short = metric.name.trim_start_matches("socketio_").trim_end_matches("_total");
        let begin = format!("{short}{{");
        assert!(series.iter().any(|series| series.starts_with(&begin)), "{begin}");
    }
    assert!(counts.changes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_client_counts_where_its_transport_is_from_its_handshake_until_it_has_gone() {
    let (io, counts) = plain();
    let ws = Ws::open(&io).await;
    let polling = Polling::open(&io).await;
    let (old, _) = Ws::open_eio3(&io).await;
    let came = [
        "connections{Engine.IO 3,websocket} 1",
        "connections{Engine.IO 4,polling} 1",
        "connections{Engine.IO 4,websocket} 1",
        "connects{/} 1",
        "handshakes{Engine.IO 3,websocket} 1",
        "handshakes{Engine.IO 4,polling} 1",
        "handshakes{Engine.IO 4,websocket} 1",
        "messages_sent{Engine.IO 3,websocket} 1",
        "bytes_sent{Engine.IO 3,websocket} 1",
        "sockets{/} 1",
    ];
    let mut came = came.map(str::to_owned);
    came.sort();
    assert_eq!(counts.changes(), came);

    ws.vanish().await;
    old.vanish().await;
    polling.posted("1").await;
    idle().await;
    let went = [
        "connections_closed{transport close} 3",
        "connections{Engine.IO 3,websocket} 0",
        "connections{Engine.IO 4,polling} 0",
        "connections{Engine.IO 4,websocket} 0",
        "disconnects{/,transport close} 1",
        "sockets{/} 0",
    ];
    assert_eq!(counts.changes(), went);
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_moves_a_client_and_one_that_fails_does_not() {
    let (io, counts) = counting(SocketIo::builder().upgrade_timeout(secs(5)), |_| {});
    let polling = Polling::open(&io).await;
    counts.changes();

    let mut silent = Ws::upgrade(&io, &polling.sid);
    assert_eq!(silent.end().await, []);
    assert_eq!(counts.changes(), ["upgrade_failures{} 1"]);

    let mut ws = Ws::upgrade(&io, &polling.sid);
    ws.send("2probe").await;
    assert_eq!(ws.text().await, "3probe");
    ws.send("5").await;
    idle().await;
    let moved = [
        "connections{Engine.IO 4,polling} 0",
        "connections{Engine.IO 4,websocket} 1",
        "upgrades{Engine.IO 4,websocket} 1",
    ];
    assert_eq!(counts.changes(), moved);

    ws.vanish().await;
    let went = [
        "connections_closed{transport close} 1",
        "connections{Engine.IO 4,websocket} 0",
    ];
    assert_eq!(counts.changes(), went);
}

#[tokio::test(start_paused = true)]
async fn a_client_before_1_0_counts_as_polling_until_it_has_chosen_and_its_choice_is_no_upgrade() {
    let (io, counts) = plain();
    let line = call(&io, Method::GET, "1/").await.body;
    let sid = line.split_once(':').expect("a handshake").0.to_owned();
    let reserved = [
        "connections{Socket.IO 0.9,xhr-polling} 1",
        "handshakes{Socket.IO 0.9,xhr-polling} 1",
    ];
    assert_eq!(counts.changes(), reserved);

    let parts = request(Method::GET, &format!("/socket.io/1/websocket/{sid}"), &UPGRADE);
    let (_, ticket) = kit::accept(&io, parts).expect("a WebSocket");
    let mut ws = Ws::redeem(ticket, 1 << 16);
    assert_eq!(ws.text().await, "1::");
    idle().await;
    let mut chosen = counts.changes();
    chosen.retain(|change| !change.contains("{/"));
    let carried = [
        "connections{Socket.IO 0.9,websocket} 1",
        "connections{Socket.IO 0.9,xhr-polling} 0",
    ];
    assert_eq!(chosen, carried);

    let polled = call(&io, Method::GET, &format!("1/xhr-polling/{sid}")).await;
    assert_eq!(polled.body, "1::");
    let fell_back = [
        "connections{Socket.IO 0.9,websocket} 0",
        "connections{Socket.IO 0.9,xhr-polling} 1",
        "upgrades{Socket.IO 0.9,xhr-polling} 1",
    ];
    assert_eq!(counts.changes(), fell_back);
    sleep(secs(200)).await;
    assert!(counts.left_over().is_empty(), "{:?}", counts.left_over());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_changes_to_webtransport_counts_there() {
    let transports = [Transport::Polling, Transport::WebTransport];
    let (io, counts) = counting(SocketIo::builder().transports(transports), |_| {});
    let session = || {
        let parts = request(Method::CONNECT, "https://here/socket.io/", &[]);
        io.service().accept_webtransport(parts).expect("a session")
    };
    let polling = Polling::open(&io).await;
    counts.changes();
    let frame = |packet: &str| [&[u8::try_from(packet.len()).unwrap()], packet.as_bytes()].concat();
    let greeting = frame(&format!(r#"0{{"sid":"{}"}}"#, polling.sid));

    let (mut client, stream) = duplex(1 << 16);
    tokio::spawn(session().drive(stream));
    client.write_all(&greeting).await.unwrap();
    drop(client);
    idle().await;
    assert_eq!(counts.changes(), ["upgrade_failures{} 1"]);

    let (mut client, stream) = duplex(1 << 16);
    tokio::spawn(session().drive(stream));
    client.write_all(&greeting).await.unwrap();
    client.write_all(&frame("2probe")).await.unwrap();
    idle().await;
    client.write_all(&frame("5")).await.unwrap();
    idle().await;
    let moved = [
        "connections{Engine.IO 4,polling} 0",
        "connections{Engine.IO 4,webtransport} 1",
        "upgrades{Engine.IO 4,webtransport} 1",
    ];
    assert_eq!(counts.changes(), moved);

    let elsewhere = [("origin", "https://elsewhere")];
    let parts = request(Method::CONNECT, "https://here/socket.io/", &elsewhere);
    assert!(io.service().accept_webtransport(parts).is_err());
    assert_eq!(counts.changes(), ["refusals{forbidden} 1"]);
}

#[tokio::test(start_paused = true)]
async fn refusals_count_by_why() {
    let (io, counts) = plain();
    for (method, tail, reason) in [
        (Method::GET, "?EIO=4&transport=pigeon", "transport_unknown"),
        (Method::GET, "?EIO=4&transport=polling&sid=none", "session_unknown"),
        (Method::POST, "?EIO=4&transport=polling", "bad_handshake_method"),
        (Method::GET, "?EIO=4&transport=websocket", "bad_request"),
        (Method::GET, "7/", "unsupported_protocol"),
        (Method::GET, "1/pigeon/none", "transport_unknown"),
        (Method::GET, "1/xhr-polling/none", "session_unknown"),
        (Method::POST, "1/xhr-polling/none", "session_unknown"),
        (Method::POST, "1/", "bad_handshake_method"),
    ] {
        let before = counts.seen(&format!("refusals{{{reason}}}"));
        call(&io, method, tail).await;
        assert_eq!(
            counts.changes(),
            [format!("refusals{{{reason}}} {}", before + 1)],
            "{tail}"
        );
    }

    let mut headers = UPGRADE;
    headers[2].1 = "7";
    let parts = request(Method::GET, "/socket.io/?EIO=4&transport=websocket", &headers);
    assert!(kit::accept(&io, parts).is_err());
    assert_eq!(counts.changes(), ["refusals{bad_websocket} 1"]);
    let parts = request(Method::GET, "/socket.io/?EIO=4&transport=websocket&sid=none", &UPGRADE);
    assert!(kit::accept(&io, parts).is_err());
    assert_eq!(counts.changes(), ["refusals{session_unknown} 4"]);
    let parts = request(
        Method::GET,
        "/socket.io/?EIO=4&transport=polling",
        &[("origin", "http://elsewhere"), ("host", "here")],
    );
    let refused = io.service().handle(parts, Full::<Bytes>::default()).await;
    assert_eq!(refused.status(), 403);
    assert_eq!(counts.changes(), ["refusals{forbidden} 1"]);

    io.close().await;
    call(&io, Method::GET, "?EIO=4&transport=polling").await;
    assert_eq!(counts.changes(), ["refusals{closing} 1"]);
}

#[tokio::test(start_paused = true)]
async fn messages_and_their_bytes_count_on_the_transport_that_has_them() {
    let (io, counts) = counting(SocketIo::builder(), |io| {
        io.of("/").on("echo", async |socket: Socket, Data(text): Data<String>| {
            socket.emit("echo", text)
        });
    });
    let mut ws = Ws::join(&io, "/").await;
    let polling = Polling::join(&io, "/").await;
    counts.changes();

    let text = r#"2["echo","é"]"#; // 14 bytes
    ws.send(&format!("4{text}")).await;
    assert_eq!(ws.text().await, format!("4{text}"));
    polling.posted(&format!("4{text}\x1e4{text}\x1e3")).await;
    assert_eq!(polling.get().await.packets().len(), 2);
    let mut traffic = counts.changes();
    traffic.retain(|change| change.contains("Engine"));
    let bytes = text.len();
    let expected = [
        format!("bytes_received{{Engine.IO 4,polling}} {}", "0".len() + 2 * bytes),
        format!("bytes_received{{Engine.IO 4,websocket}} {}", "0".len() + bytes),
        format!("bytes_sent{{Engine.IO 4,polling}} {}", CONNECTED + 2 * bytes),
        format!("bytes_sent{{Engine.IO 4,websocket}} {}", CONNECTED + bytes),
        "messages_received{Engine.IO 4,polling} 3".to_owned(),
        "messages_received{Engine.IO 4,websocket} 2".to_owned(),
        "messages_sent{Engine.IO 4,polling} 3".to_owned(),
        "messages_sent{Engine.IO 4,websocket} 2".to_owned(),
    ];
    assert_eq!(traffic, expected);

    // A heartbeat is no message.
    sleep(secs(30)).await;
    ws.quiet(secs(1)).await;
    let is_traffic = |change: &String| change.starts_with("messages") || change.starts_with("bytes");
    assert!(!counts.changes().iter().any(is_traffic));
}

/// `0{"sid":"…"}`, with an id of 20 characters.
const CONNECTED: usize = r#"0{"sid":""}"#.len() + 20;

#[tokio::test(start_paused = true)]
async fn binary_counts_with_its_attachments() {
    let (io, counts) = counting(SocketIo::builder(), |io| {
        io.of("/").on("echo", async |socket: Socket, Data(bytes): Data<Bytes>| {
            socket.emit("echo", bytes)
        });
    });
    let mut ws = Ws::join(&io, "/").await;
    counts.changes();
    let head = r#"51-["echo",{"_placeholder":true,"num":0}]"#;
    ws.send(&format!("4{head}")).await;
    ws.send_binary(&[7; 100]).await;
    ws.text().await;
    assert_eq!(ws.binary().await, [7; 100]);
    let changes = counts.changes();
    for expected in [
        "messages_received{Engine.IO 4,websocket} 3".to_owned(),
        "messages_sent{Engine.IO 4,websocket} 3".to_owned(),
        format!("bytes_received{{Engine.IO 4,websocket}} {}", 1 + head.len() + 100),
        format!("bytes_sent{{Engine.IO 4,websocket}} {}", CONNECTED + head.len() + 100),
        "events_received{/} 1".to_owned(),
        "events_sent{/} 1".to_owned(),
    ] {
        assert!(changes.contains(&expected), "{expected} in {changes:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn volatile_messages_and_clients_that_do_not_read_count_as_lost() {
    let (io, counts) = counting(SocketIo::builder().max_outbox_bytes(10_000), |_| {});
    let polling = Polling::join(&io, "/").await;
    counts.changes();
    // No poll is open.
    io.volatile().emit("lost", ()).unwrap();
    assert_eq!(counts.changes(), ["volatile_dropped{Engine.IO 4,polling} 1"]);

    let poll = polling.open_get().await;
    // Nothing is written meanwhile: the second drops the first, the last ones are too many.
    io.volatile().emit("lost", "x".repeat(12_000)).unwrap();
    for _ in 0..3 {
        io.emit("news", "x".repeat(12_000)).unwrap();
    }
    let changes = counts.changes();
    let sent: Vec<_> = changes.iter().filter(|change| !change.starts_with("bytes")).collect();
    let cut_off = [
        "events_sent{/} 3",
        "messages_sent{Engine.IO 4,polling} 4",
        "slow_readers{Engine.IO 4,polling} 1",
        "volatile_dropped{Engine.IO 4,polling} 2",
    ];
    assert_eq!(sent, cut_off);
    idle().await;
    let went = counts.changes();
    assert!(
        went.contains(&"connections_closed{transport error} 1".to_owned()),
        "{went:?}"
    );
    assert!(
        went.contains(&"disconnects{/,transport error} 1".to_owned()),
        "{went:?}"
    );
    drop(poll);
    assert!(counts.left_over().is_empty(), "{:?}", counts.left_over());
}

#[tokio::test(start_paused = true)]
async fn sockets_and_rooms_count_in_their_namespace_while_they_are_in_it() {
    let (io, counts) = counting(SocketIo::builder(), |io| {
        io.of("/chat")
            .on_connect(async |socket: Socket| {
                socket.join("a");
                if socket.auth_json() == Some("{}") {
                    return Err(Refusal::new("no"));
                }
                Ok(())
            })
            .on("join", async |socket: Socket, Data(room): Data<String>| {
                socket.join(room);
            })
            .on("leave", async |socket: Socket, Data(room): Data<String>| {
                socket.leave(room);
            });
    });
    let of_the_namespace = |counts: &Counts| -> Vec<_> {
        let changes = counts.changes().into_iter();
        changes
            .filter(|change| ["conn", "disc", "room", "sock"].contains(&&change[..4]))
            .collect()
    };
    let mut refused = Ws::open(&io).await;
    refused.send("40/chat,{}").await;
    assert_eq!(refused.text().await, r#"44/chat,{"message":"no"}"#);
    refused.vanish().await;
    let gone = ["connections_closed{transport close} 1"];
    assert_eq!(of_the_namespace(&counts), gone, "one that is refused was never in");

    let mut first = Ws::join(&io, "/chat").await;
    let second = Ws::join(&io, "/chat").await;
    let let_in = [
        "connections{Engine.IO 4,websocket} 2",
        "connects{/chat} 2",
        "rooms{/chat} 1",
        "sockets{/chat} 2",
    ];
    assert_eq!(of_the_namespace(&counts), let_in);
    first
        .send_all(&[
            r#"42/chat,["join","b"]"#,
            r#"42/chat,["join","b"]"#,
            r#"42/chat,["leave","a"]"#,
        ])
        .await;
    idle().await;
    assert_eq!(of_the_namespace(&counts), ["rooms{/chat} 2"]);
    first.send(r#"42/chat,["leave","b"]"#).await;
    idle().await;
    assert_eq!(of_the_namespace(&counts), ["rooms{/chat} 1"]);

    first.send("41/chat,").await;
    second.vanish().await;
    let left = [
        "connections_closed{transport close} 2",
        "connections{Engine.IO 4,websocket} 1",
        "disconnects{/chat,client namespace disconnect} 1",
        "disconnects{/chat,transport close} 1",
        "rooms{/chat} 0",
        "sockets{/chat} 0",
    ];
    assert_eq!(of_the_namespace(&counts), left);
    first.connect("/chat").await;
    io.of("/chat").to("a").disconnect_sockets(false);
    idle().await;
    let kicked = ["connects{/chat} 3", "disconnects{/chat,server namespace disconnect} 1"];
    assert_eq!(of_the_namespace(&counts), kicked);
}

#[tokio::test(start_paused = true)]
async fn an_event_counts_for_every_client_that_it_is_queued_for() {
    let (io, counts) = counting(SocketIo::builder(), |io| {
        io.of("/")
            .on_connect(async |socket: Socket| socket.join("room"))
            .on("ask", async || Ack(1))
            .on("say", async |socket: Socket| socket.emit("said", 1));
    });
    let mut clients = [
        Ws::join(&io, "/").await,
        Ws::join(&io, "/").await,
        Ws::join(&io, "/").await,
    ];
    counts.changes();
    io.to("room").to("other").emit("news", 1).unwrap();
    io.to("nobody").emit("news", 1).unwrap();
    let changes = counts.changes();
    assert!(changes.contains(&"events_sent{/} 3".to_owned()), "{changes:?}");

    clients[0].send_all(&[r#"421["ask"]"#, r#"42["say"]"#]).await;
    idle().await;
    let changes = counts.changes();
    assert!(
        changes.contains(&"events_sent{/} 4".to_owned()),
        "an answer is no event: {changes:?}"
    );
    assert!(
        changes.contains(&"messages_sent{Engine.IO 4,websocket} 8".to_owned()),
        "{changes:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn handlers_are_measured_by_the_names_that_the_application_gave_however_they_end() {
    let (gate, builder) = (Gate::closed(), SocketIo::builder().max_handlers(1));
    let (io, counts) = counting(builder.state(gate.clone()), |io| {
        io.of("/")
            .on_connect(async |_: Socket| sleep(millis(250)).await)
            .on("work", async |State(gate): State<Gate>| {
                sleep(millis(500)).await;
                gate.pass().await;
                Ack(1)
            })
            .on("fail", async || Err::<(), _>(EventError::new("no")))
            .on("panic", async || -> () { panic!("as the test wants it") })
            .on_other(async || sleep(secs(2)).await)
            .on_disconnect(async || sleep(secs(1)).await);
    });
    let series = counts.series();
    let mut ws = Ws::join(&io, "/").await;
    let handlers = |counts: &Counts| -> Vec<_> {
        let changes = counts.changes().into_iter();
        changes
            .filter(|change| ["handler", "events_", "failure"].contains(&&change[..7]))
            .collect()
    };
    assert_eq!(handlers(&counts), ["handlers_running{/,connect} 1"]);
    sleep(millis(300)).await;
    let connected = ["handler_seconds{/,connect} [0.25]", "handlers_running{/,connect} 0"];
    assert_eq!(handlers(&counts), connected);

    ws.send_all(&[
        r#"421["work"]"#,
        r#"42["fail"]"#,
        r#"42["panic"]"#,
        r#"42["a client's own",1]"#,
        r#"42["fail"]"#,
    ])
    .await;
    idle().await;
    let waiting = [
        "events_received{/} 5",
        "events_waiting{/} 4",
        "handlers_running{/,work} 1",
    ];
    assert_eq!(handlers(&counts), waiting);
    gate.admit(1);
    sleep(millis(600)).await;
    let went_on = [
        "events_waiting{/} 1",
        "failures{/,handler_error} 1",
        "failures{/,panic} 1",
        "handler_seconds{/,fail} [0.0]",
        "handler_seconds{/,panic} [0.0]",
        "handler_seconds{/,work} [0.5]",
        "handlers_running{/,*} 1",
        "handlers_running{/,work} 0",
    ];
    assert_eq!(handlers(&counts), went_on);

    // What waits when its client is gone is still handled, then the disconnect handler runs.
    ws.vanish().await;
    sleep(secs(10)).await;
    let ended = [
        "events_waiting{/} 0",
        "failures{/,handler_error} 2",
        "handler_seconds{/,*} [2.0]",
        "handler_seconds{/,disconnect} [1.0]",
        "handler_seconds{/,fail} [0.0, 0.0]",
        "handlers_running{/,*} 0",
    ];
    assert_eq!(handlers(&counts), ended);
    assert!(counts.left_over().is_empty(), "{:?}", counts.left_over());
    assert_eq!(counts.series(), series, "no client makes a label");
}

#[tokio::test(start_paused = true)]
async fn what_goes_wrong_counts_once_by_its_kind() {
    let (io, counts) = counting(SocketIo::builder().handler_grace(secs(5)), |io| {
        io.of("/")
            .on("number", async |Data(_): Data<u32>| {})
            .on("never", async || {
                std::future::pending::<()>().await;
            });
        io.of("/own").on_error(|_| panic!("as the test wants it"));
    });
    let series = counts.series();
    let failures = |counts: &Counts| -> Vec<_> {
        let changes = counts.changes().into_iter();
        changes.filter(|change| change.starts_with("failures")).collect()
    };
    let mut ws = Ws::join(&io, "/").await;
    ws.connect("/own").await;
    ws.send_all(&[
        r#"42["number","one"]"#,
        r#"42["nobody's"]"#,
        r#"42/own,["nobody's"]"#,
        "40/nowhere,",
        r#"42["never"]"#,
    ])
    .await;
    ws.text().await;
    ws.send("4what").await;
    ws.vanish().await;
    sleep(secs(10)).await;
    let failed = [
        "failures{,invalid_packet} 1",
        "failures{,no_such_namespace} 1",
        "failures{/,grace_exceeded} 1",
        "failures{/,invalid_method_args} 1",
        "failures{/,no_such_method} 1",
        "failures{/own,no_such_method} 1",
    ];
    assert_eq!(failures(&counts), failed);
    assert!(counts.left_over().is_empty(), "{:?}", counts.left_over());
    assert_eq!(counts.series(), series, "no client makes a label");
}

#[tokio::test(start_paused = true)]
async fn after_a_shutdown_nothing_is_left() {
    let (io, counts) = counting(SocketIo::builder().max_handlers(1), |io| {
        io.of("/")
            .on_connect(async |socket: Socket| socket.join("room"))
            .on("slow", async || sleep(secs(2)).await);
    });
    let mut ws = Ws::join(&io, "/").await;
    let polling = Polling::join(&io, "/").await;
    for _ in 0..3 {
        ws.send(r#"42["slow"]"#).await;
        polling.posted(r#"42["slow"]"#).await;
    }
    idle().await;
    assert_eq!(counts.left_over().len(), 6, "{:?}", counts.left_over());
    io.close().await;
    sleep(secs(60)).await;
    assert!(counts.left_over().is_empty(), "{:?}", counts.left_over());
    let changes = counts.changes();
    for expected in [
        "connections_closed{server shutting down} 2",
        "disconnects{/,server shutting down} 2",
    ] {
        assert!(changes.contains(&expected.to_owned()), "{expected} in {changes:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn children_of_a_pattern_count_as_their_parent_so_that_clients_make_no_series() {
    let (io, counts) = counting(SocketIo::builder(), |io| {
        io.of_pattern("/orders-{id}").on("say", async || Ack(()));
    });
    let before = counts.series().len();
    let mut ws = Ws::join(&io, "/orders-1").await;
    ws.connect("/orders-2").await;
    ws.send_all(&[r#"42/orders-1,1["say"]"#, r#"42/orders-2,2["say"]"#])
        .await;
    assert_eq!(ws.texts().await.len(), 2);
    let changes = counts.changes();
    assert!(changes.contains(&"sockets{/orders-{id}} 2".to_owned()), "{changes:?}");
    assert!(!changes.iter().any(|change| change.contains("orders-1")), "{changes:?}");
    assert_eq!(counts.series().len(), before);
}
