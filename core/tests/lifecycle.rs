//! The end of the server, whatever its clients and handlers are at; and an end that gives clients time.

mod kit;

use std::{future::pending, sync::Arc, time::Duration};

use http::{Method, StatusCode};
use http_body_util::Full;
use kit::{Answer, Gate, Log, Packet, Polling, UPGRADE, Ws, answer, idle, millis, request, secs, soon, ticket_for};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};
use tower_socketio::{Data, DisconnectReason, Failure, FailureKind, Socket, SocketIo, SocketIoBuilder, State};

/// How long a WebSocket's client may take to answer the closing handshake, in milliseconds. These here do
/// not.
const FAREWELL: u128 = 1000;

const WHY: &str = "server shutting down";

fn build(builder: SocketIoBuilder) -> (SocketIo, Log) {
    let log = Log::default();
    let io = builder.state(log.clone()).build();
    io.of("/")
        .on("echo", async |socket: Socket, Data(word): Data<String>| {
            socket.emit("echo", word)
        })
        .on("hang", async || pending::<()>().await)
        .on_disconnect(async |State(log): State<Log>, why: DisconnectReason| log.add(why));
    (io, log)
}

fn server() -> (SocketIo, Log) {
    build(SocketIo::builder())
}

/// How long it takes, in milliseconds.
async fn took(what: impl IntoFuture) -> u128 {
    let start = Instant::now();
    what.await;
    start.elapsed().as_millis()
}

async fn get(io: &SocketIo, uri: &str) -> Answer {
    let parts = request(Method::GET, uri, &[]);
    let service = io.service();
    let response = service.handle(parts, Full::<&[u8]>::default());
    Answer::of(soon("a response", response).await).await
}

/// Runs it in a task of its own, which has begun when this returns.
async fn begin(what: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    let task = tokio::spawn(what);
    idle().await;
    task
}

async fn is_refused(io: &SocketIo, query: &str) -> bool {
    let uri = format!("/socket.io/?transport=websocket&EIO=4{query}");
    match io
        .service()
        .accept_websocket(request(Method::GET, &uri, &UPGRADE))
        .await
    {
        Ok(_) => false,
        Err(refusal) => {
            assert_eq!(refusal.status(), StatusCode::SERVICE_UNAVAILABLE);
            true
        }
    }
}

/// The session of a new client of 0.9.
async fn shake_hands_0_9(io: &SocketIo) -> String {
    let answer = get(io, "/socket.io/1/").await;
    assert_eq!(answer.status, 200);
    answer.body.split(':').next().expect("a session").to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_delays_the_end_by_a_second_at_most() {
    let (io, log) = server();
    let mut ws = Ws::open_with(&io, 200).await;
    ws.connect("/").await;
    io.emit("news", "x".repeat(50_000)).unwrap();
    idle().await;
    assert_eq!(took(io.close()).await, FAREWELL);
    assert_eq!(log.take(), [WHY]);
    assert_eq!(io.clients_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_slowly_still_gets_what_was_queued() {
    let (io, _) = server();
    let mut ws = Ws::open_with(&io, 1000).await;
    ws.connect("/").await;
    io.emit("news", "x".repeat(20_000)).unwrap();
    let closing = io.clone();
    let closing = begin(async move { closing.close().await }).await;
    let [Packet::Text(news)] = &ws.end().await[..] else {
        panic!("not what was queued, and nothing else")
    };
    assert_eq!(news.len(), 20_000 + r#"42["news",""]"#.len());
    closing.await.unwrap();
}

/// Has something queued that is larger than its pipe, and a server that disconnects it.
async fn disconnected_with_a_queue() -> (SocketIo, Ws) {
    let (io, _) = server();
    let mut ws = Ws::open_with(&io, 64 * 1024).await;
    ws.connect("/").await;
    io.emit("news", "x".repeat(500_000)).unwrap();
    io.disconnect_sockets(true);
    (io, ws)
}

#[tokio::test(start_paused = true)]
async fn who_is_disconnected_has_half_a_minute_to_read_what_was_queued() {
    for (begins, all) in [(secs(28), true), (secs(32), false)] {
        let (_io, mut ws) = disconnected_with_a_queue().await;
        sleep(begins).await;
        let packets = ws.end().await;
        let told = packets.last() == Some(&Packet::Text("41".to_owned()));
        assert_eq!((packets.len() == 2, told), (all, all), "after {begins:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_was_disconnected_before_and_does_not_read_does_not_delay_the_end() {
    let (io, _ws) = disconnected_with_a_queue().await;
    idle().await;
    assert_eq!(took(io.close()).await, FAREWELL);
}

#[tokio::test(start_paused = true)]
async fn clients_of_every_generation_are_disconnected_without_a_packet_that_says_so() {
    let (io, log) = server();
    let (mut eio3, _) = Ws::open_eio3(&io).await;
    assert_eq!(eio3.text().await, "40");
    let sid = shake_hands_0_9(&io).await;
    let uri = format!("/socket.io/1/websocket/{sid}");
    let accepted = io
        .service()
        .accept_websocket(request(Method::GET, &uri, &UPGRADE))
        .await;
    let mut old = Ws::redeem(accepted.expect("a WebSocket").1, 10_000);
    assert_eq!(old.text().await, "1::");
    let sid = shake_hands_0_9(&io).await;
    let poll = format!("/socket.io/1/xhr-polling/{sid}");
    assert_eq!(get(&io, &poll).await.body, "1::");
    let (polled, uri) = (io.clone(), poll.clone());
    let open = tokio::spawn(async move { get(&polled, &uri).await });
    idle().await;
    io.emit("last", 1).unwrap();
    assert_eq!(took(io.close()).await, FAREWELL);
    assert_eq!(log.take(), [WHY; 3]);
    assert_eq!(eio3.end().await, [Packet::Text(r#"42["last",1]"#.to_owned())]);
    let last = r#"5:::{"name":"last","args":[1]}"#;
    assert_eq!(old.end().await, [Packet::Text(last.to_owned())]);
    let told = answer(open).await.body;
    assert!(told.contains(last) && told.ends_with("8::"), "{told}");
    // Its next poll is refused, which makes it come back.
    assert_eq!(get(&io, &poll).await.status, 400);
    assert_eq!(get(&io, "/socket.io/1/").await.status, 503);
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_in_progress_does_not_delay_the_end() {
    for steps in [&[][..], &["2probe"]] {
        let (io, log) = server();
        let polling = Polling::join(&io, "/").await;
        let open = polling.open_get().await;
        let mut ws = Ws::upgrade(&io, &polling.sid);
        for step in steps {
            ws.send(step).await;
        }
        idle().await;
        let closing = io.clone();
        let closing = begin(async move { closing.close().await }).await;
        assert!(ws.end().await.len() <= steps.len());
        drop(ws);
        assert_eq!(took(closing).await, 0);
        assert_eq!(log.take(), [WHY]);
        let mut told = answer(open).await.body;
        if told == "6" {
            // It was released for the upgrade.
            told = polling.get().await.body;
        }
        assert_eq!(told, "1");
    }
}

#[tokio::test(start_paused = true)]
async fn no_session_is_upgraded_while_the_server_closes() {
    let (io, _) = server();
    let polling = Polling::join(&io, "/").await;
    io.close().await;
    // It has not been told yet, and so is still known.
    assert!(is_refused(&io, &format!("&sid={}", polling.sid)).await);
    assert_eq!(polling.get().await.packets(), ["1"]);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_never_ends_leaves_half_of_the_time_to_the_disconnect_handler() {
    let (io, log) = server();
    let failures = log.clone();
    io.on_error(move |failure: &Failure<'_>| {
        if let FailureKind::GraceExceeded = failure.kind {
            failures.add("dropped");
        }
    });
    let mut ws = Ws::join(&io, "/").await;
    ws.send(r#"42["hang"]"#).await;
    idle().await;
    assert_eq!(took(io.close()).await, 2500);
    assert_eq!(log.take(), ["dropped", WHY]);
}

#[tokio::test(start_paused = true)]
async fn how_long_closing_takes_at_most_is_a_setting() {
    let (io, _) = build(SocketIo::builder().close_timeout(millis(700)));
    io.of("/hangs").on_disconnect(async || pending::<()>().await);
    let _ws = Ws::join(&io, "/hangs").await;
    assert_eq!(took(io.close()).await, 700);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_not_let_in_yet_does_not_hold_the_end_up_for_long() {
    let (io, log) = server();
    io.of("/slow").with(async || {
        pending::<()>().await;
        Ok::<_, tower_socketio::Refusal>(())
    });
    let mut ws = Ws::open(&io).await;
    ws.send("40/slow,").await;
    idle().await;
    assert_eq!(took(io.close()).await, 2500);
    assert_eq!((log.take(), ws.end().await), (Vec::new(), Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn jobs_end_with_the_server() {
    let (io, log) = server();
    let kept = Arc::new(());
    let job = kept.clone();
    io.of("/clock").on_connect(move |socket: Socket| {
        let kept = job.clone();
        socket.spawn(async move {
            pending::<()>().await;
            drop(kept);
        });
        std::future::ready(())
    });
    let _ws = Ws::join(&io, "/clock").await;
    idle().await;
    assert_eq!(Arc::strong_count(&kept), 3);
    assert_eq!(took(io.close()).await, FAREWELL);
    tokio::task::yield_now().await;
    assert_eq!(Arc::strong_count(&kept), 1, "the handler is gone, too");
    assert_eq!(log.take(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn who_is_connected_goes_on_while_the_server_drains_and_who_is_not_is_refused() {
    let (io, log) = server();
    let mut ws = Ws::join(&io, "/").await;
    let polling = Polling::join(&io, "/").await;
    assert!(!io.is_closing() && !is_refused(&io, "").await);
    let draining = io.clone();
    let drained = begin(async move { draining.drain(secs(30)).await }).await;

    assert!(io.is_closing() && is_refused(&io, "").await);
    assert_eq!(get(&io, "/socket.io/?EIO=4&transport=polling").await.status, 503);
    assert_eq!(get(&io, "/socket.io/1/").await.status, 503);
    sleep(secs(10)).await;
    assert_eq!(ws.texts().await, [""; 0]);
    ws.send(r#"42["echo","a"]"#).await;
    assert_eq!(ws.text().await, r#"42["echo","a"]"#);
    polling.posted(r#"42["echo","b"]"#).await;
    assert_eq!(polling.get().await.packets(), [r#"42["echo","b"]"#]);
    let mut upgraded = Ws::upgrade(&io, &polling.sid);
    upgraded.send("2probe").await;
    assert_eq!(upgraded.text().await, "3probe");
    upgraded.send("5").await;
    upgraded.send(r#"42["echo","c"]"#).await;
    assert_eq!(upgraded.text().await, r#"42["echo","c"]"#);
    assert!(!drained.is_finished());

    // It ends when they have left by themselves.
    ws.vanish().await;
    idle().await;
    assert!(!drained.is_finished());
    upgraded.vanish().await;
    assert_eq!(took(drained).await, 0);
    assert_eq!(log.take(), ["transport close"; 2]);
}

#[tokio::test(start_paused = true)]
async fn who_has_not_left_when_the_time_is_over_is_disconnected() {
    let (io, log) = server();
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(Ws::join(&io, "/").await);
    }
    assert_eq!(took(io.drain(secs(20))).await, 20_000 + FAREWELL);
    assert_eq!(log.take(), [WHY; 3]);
    for mut client in clients {
        client.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_drain_without_clients_is_over_at_once() {
    let (io, _) = server();
    assert_eq!(took(io.drain(secs(20)).spread()).await, 0);
    assert!(io.is_closing() && is_refused(&io, "").await);
}

#[tokio::test(start_paused = true)]
async fn a_drain_waits_for_what_clients_that_left_have_begun() {
    let (io, log) = server();
    io.of("/work").on_disconnect(async |State(log): State<Log>| {
        sleep(secs(3)).await;
        log.add("saved");
    });
    let ws = Ws::join(&io, "/work").await;
    ws.vanish().await;
    assert_eq!(took(io.drain(secs(20))).await, 3000);
    assert_eq!(log.take(), ["saved"]);
}

#[tokio::test(start_paused = true)]
async fn clients_are_told_to_go_one_after_the_other() {
    const CLIENTS: usize = 200;
    let (io, log) = server();
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(Ws::join(&io, "/").await);
    }
    let draining = io.clone();
    let start = Instant::now();
    let drained = begin(async move { draining.drain(secs(10)).spread().await }).await;
    let mut left = 0;
    // Two of them every tenth of a second.
    while left < CLIENTS {
        let now = log.take();
        assert!(
            now.iter().all(|why| why == WHY) && now.len() <= 2,
            "{} at once",
            now.len()
        );
        left += now.len();
        let expected = start.elapsed().as_millis() / 50;
        assert!(
            expected.abs_diff(left as u128) < 5,
            "{left} after {:?}",
            start.elapsed()
        );
        sleep(millis(50)).await;
    }
    assert!((secs(9)..=secs(10)).contains(&start.elapsed()), "{:?}", start.elapsed());
    // They have been told, and have gone.
    for client in &mut clients {
        assert_eq!(client.end().await, []);
    }
    drop(clients);
    soon("the end", drained).await.unwrap();
    assert!(start.elapsed() < secs(10));
}

#[tokio::test(start_paused = true)]
async fn few_clients_are_spread_over_the_whole_time() {
    let (io, log) = server();
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(Ws::join(&io, "/").await);
    }
    let draining = io.clone();
    let _drained = begin(async move { draining.drain(secs(40)).spread().await }).await;
    for _ in 0..4 {
        assert_eq!(log.take(), [WHY]);
        for _ in 0..10 {
            assert_eq!(log.take(), [""; 0]);
            for client in &mut clients {
                client.texts().await;
            }
            sleep(millis(999)).await;
        }
        sleep(millis(10)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn closing_ends_a_drain() {
    let (io, log) = server();
    let _ws = Ws::join(&io, "/").await;
    let draining = io.clone();
    let drained = begin(async move { draining.drain(secs(600)).spread().await }).await;
    sleep(secs(1)).await;
    io.close().await;
    assert_eq!(took(drained).await, 0);
    assert_eq!(log.take(), [WHY]);
}

#[tokio::test(start_paused = true)]
async fn who_was_accepted_before_a_drain_is_let_in() {
    let (io, log) = server();
    let ticket = ticket_for(&io, "EIO=4");
    let gate = Gate::closed();
    let (draining, passed) = (io.clone(), gate.clone());
    let other = Ws::join(&io, "/").await;
    let drained = begin(async move {
        draining.drain(Duration::MAX).await;
        passed.admit(1);
    })
    .await;
    let mut ws = Ws::redeem(ticket, 10_000);
    assert!(ws.text().await.starts_with("0{"));
    ws.connect("/").await;
    ws.vanish().await;
    other.vanish().await;
    gate.pass().await;
    assert!(took(drained).await < 10);
    assert_eq!(log.take(), ["transport close"; 2]);
}
