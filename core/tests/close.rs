//! Closing the server: everybody is told, handlers end, and nobody new is let in.

mod kit;

use std::future::pending;

use http::{Method, StatusCode};
use http_body_util::Full;
use kit::{Gate, Log, Packet, Polling, UPGRADE, Ws, answer, millis, request, secs, ticket};
use tokio::time::{Instant, sleep};
use tower_socketio::{DisconnectReason, Socket, SocketIo, State};

fn server() -> (SocketIo, Log) {
    let log = Log::default();
    let io = SocketIo::builder().state(log.clone()).build();
    io.of("/")
        .on("work", async |socket: Socket, State(log): State<Log>| {
            sleep(secs(2)).await;
            log.add("worked");
            socket.emit("too late", 1)
        })
        .on_disconnect(async |State(log): State<Log>, why: DisconnectReason| {
            sleep(secs(1)).await;
            log.add(why);
        });
    (io, log)
}

const WHY: &str = "server shutting down";

#[tokio::test(start_paused = true)]
async fn everybody_is_told_and_disconnect_handlers_have_run_when_it_is_closed() {
    let (io, log) = server();
    let mut ws = Ws::join(&io, "/").await;
    let polling = Polling::join(&io, "/").await;
    let get = polling.open_get().await;
    let start = Instant::now();
    io.emit("last", 1).unwrap();
    io.close().await;
    assert_eq!(start.elapsed().as_secs(), 1);
    assert_eq!(log.take(), [WHY, WHY]);
    assert_eq!(ws.end().await, [Packet::Text(r#"42["last",1]"#.to_owned())]);
    assert_eq!(answer(get).await.packets(), [r#"42["last",1]"#, "1"]);
    assert_eq!(io.clients_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_client_between_two_polls_is_told_by_the_next() {
    let (io, log) = server();
    let polling = Polling::join(&io, "/").await;
    let closing = io.clone();
    let closing = tokio::spawn(async move { closing.close().await });
    sleep(secs(2)).await;
    assert_eq!(log.take(), [WHY]);
    assert_eq!(polling.get().await.packets(), ["1"]);
    closing.await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn handlers_that_are_at_work_are_waited_for() {
    let (io, log) = server();
    let mut ws = Ws::join(&io, "/").await;
    ws.send(r#"42["work"]"#).await;
    kit::idle().await;
    let start = Instant::now();
    io.close().await;
    // Two seconds of work, and then the disconnect handler's one.
    assert!((millis(2990)..millis(3010)).contains(&start.elapsed()));
    assert_eq!(log.take(), ["worked", WHY]);
    assert_eq!(ws.end().await, []);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_hangs_is_waited_for_5_seconds() {
    let (io, _) = server();
    io.of("/hangs").on_disconnect(async || pending::<()>().await);
    let mut ws = Ws::join(&io, "/hangs").await;
    let start = Instant::now();
    io.close().await;
    assert_eq!(start.elapsed().as_secs(), 5);
    assert_eq!(ws.end().await, []);
}

#[tokio::test(start_paused = true)]
async fn new_clients_are_refused_from_the_start() {
    let gate = Gate::closed();
    let io = SocketIo::builder().state(gate.clone()).build();
    io.of("/")
        .on_disconnect(async |State(gate): State<Gate>| gate.pass().await);
    let _ws = Ws::join(&io, "/").await;
    let closing = io.clone();
    let closing = tokio::spawn(async move { closing.close().await });
    kit::idle().await;
    assert!(!closing.is_finished());
    for _ in 0..2 {
        let handshake = request(Method::GET, "/socket.io/?EIO=4&transport=polling", &[]);
        let response = io.service().handle(handshake, Full::<&[u8]>::default()).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        let handshake = request(Method::GET, "/socket.io/?EIO=4&transport=websocket", &UPGRADE);
        let Err(refusal) = kit::accept(&io, handshake) else {
            panic!("let in")
        };
        assert_eq!(refusal.status(), StatusCode::SERVICE_UNAVAILABLE);
        gate.admit(1);
        kit::idle().await;
    }
    kit::soon("the end of closing", closing).await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn a_websocket_that_was_accepted_before_and_begins_after_is_closed_at_once() {
    let (io, _) = server();
    let ticket = ticket(&io, None);
    io.close().await;
    let mut ws = Ws::redeem(ticket, 1000);
    let told = ws.end().await;
    assert!(told.len() <= 1, "{told:?}");
    ws.vanish().await;
    assert_eq!(io.clients_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn closing_twice_is_closing_once() {
    let (io, log) = server();
    let _ws = Ws::join(&io, "/").await;
    tokio::join!(io.close(), io.close());
    let start = Instant::now();
    io.close().await;
    assert_eq!(start.elapsed().as_secs(), 0);
    assert_eq!(log.take(), [WHY]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_closed_and_let_go_of_is_gone() {
    let state = std::sync::Arc::new(());
    let io = SocketIo::builder().state(state.clone()).build();
    io.of("/chat").on("hi", async || {});
    io.of_pattern("/{any}").on("hi", async || {});
    let ws = Ws::join(&io, "/chat").await;
    io.close().await;
    drop((io, ws));
    kit::idle().await;
    assert_eq!(std::sync::Arc::strong_count(&state), 1);
}
