//! Heartbeats: when a client is asked, and when it is taken for dead.

mod kit;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::Context,
};

use http::Method;
use kit::{Gate, Log, Packet, Polling, UPGRADE, Ws, answer, idle, millis, request, secs};
use tokio::time::{Instant, sleep, sleep_until};
use tower_socketio::{
    DisconnectReason, Handshake, SocketIo, SocketIoBuilder, State,
    engine::{Client, CloseReason, Connection, Engine, Flow, Message, Rest, Upper},
};

/// A server whose clients are asked every 25 s and have 20 s to answer.
fn server(builder: SocketIoBuilder) -> (SocketIo, Log) {
    let log = Log::default();
    let io = builder.state(log.clone()).build();
    io.of("/")
        .on("hi", async || ())
        .on_disconnect(async |State(log): State<Log>, why: DisconnectReason| log.add(why));
    (io, log)
}

/// So many seconds after `start`, give or take what the timer rounds.
#[track_caller]
fn assert_at(start: Instant, seconds: u64) {
    let elapsed = start.elapsed();
    let range = secs(seconds)..secs(seconds) + millis(10);
    assert!(range.contains(&elapsed), "{elapsed:?}, not {seconds} s");
}

/// The next packet, which must be a ping.
async fn await_ping(ws: &mut Ws) {
    assert_eq!(ws.next().await, Some(Packet::Text("2".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn a_websocket_is_asked_every_interval() {
    let (io, _) = server(SocketIo::builder());
    let start = Instant::now();
    let mut ws = Ws::join(&io, "/").await;
    for beat in 1..=5 {
        await_ping(&mut ws).await;
        assert_at(start, 25 * beat);
        ws.send("3").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_polling_client_is_asked_every_interval() {
    let (io, _) = server(SocketIo::builder());
    let start = Instant::now();
    let client = Polling::join(&io, "/").await;
    for beat in 1..=5 {
        assert_eq!(client.get().await.packets(), ["2"]);
        assert_at(start, 25 * beat);
        client.posted("3").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_websocket_that_does_not_answer_is_dead_after_interval_and_timeout() {
    let (io, log) = server(SocketIo::builder());
    let start = Instant::now();
    let mut ws = Ws::join(&io, "/").await;
    assert_eq!(ws.end().await, [Packet::Text("2".to_owned())]);
    assert_at(start, 45);
    assert_eq!(log.take(), ["ping timeout"]);
    assert_eq!(io.clients_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_polling_client_that_does_not_answer_is_dead_after_interval_and_timeout() {
    let (io, log) = server(SocketIo::builder());
    let start = Instant::now();
    let client = Polling::join(&io, "/").await;
    assert_eq!(client.get().await.packets(), ["2"]);
    assert_eq!(client.get().await.packets(), ["1"]);
    assert_at(start, 45);
    assert_eq!(log.take(), ["ping timeout"]);
    assert_eq!(client.get().await.status, 400);
}

#[tokio::test(start_paused = true)]
async fn a_message_restarts_the_wait_for_a_pong_once() {
    let (io, log) = server(SocketIo::builder());
    let start = Instant::now();
    let mut ws = Ws::join(&io, "/").await;
    await_ping(&mut ws).await;
    for second in [30, 49] {
        sleep_until(start + secs(second)).await;
        ws.send(r#"42["hi"]"#).await;
    }
    assert_eq!(ws.end().await, []);
    assert_at(start, 50);
    assert_eq!(log.take(), ["ping timeout"]);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_pongs_is_answered_by_nothing_and_only_moves_the_next_ping() {
    let (io, log) = server(SocketIo::builder());
    let mut ws = Ws::join(&io, "/").await;
    sleep(secs(10)).await;
    let start = Instant::now();
    ws.send_all(&vec!["3"; 10_000]).await;
    await_ping(&mut ws).await;
    assert_at(start, 25);
    ws.send("3").await;
    ws.quiet(secs(100)).await;
    assert!(log.take().is_empty());
}

/// A server that handles one event at a time, when told to, and lets none wait.
fn busy_server() -> (SocketIo, Log, Gate) {
    let gate = Gate::closed();
    let builder = SocketIo::builder().max_handlers(1).max_pending_bytes(0);
    let (io, log) = server(builder.state(gate.clone()));
    io.of("/")
        .on("work", async |State(gate): State<Gate>, State(log): State<Log>| {
            gate.pass().await;
            log.add("worked");
        });
    (io, log, gate)
}

#[tokio::test(start_paused = true)]
async fn time_in_which_nothing_is_read_does_not_count_against_a_client() {
    let (io, log, gate) = busy_server();
    let mut ws = Ws::join(&io, "/").await;
    ws.send_all(&[r#"42["work"]"#; 3]).await;
    sleep(secs(500)).await;
    assert!(log.take().is_empty());

    gate.admit(3);
    assert_eq!(ws.texts().await, [""; 0]);
    assert_eq!(log.take(), ["worked"; 3]);
    ws.quiet(secs(100)).await;
    // It is asked again, and dies if it does not answer.
    ws.end().await;
    assert_eq!(log.take(), ["ping timeout"]);
}

#[tokio::test(start_paused = true)]
async fn a_pong_behind_events_that_are_not_read_is_in_time() {
    let (io, log, gate) = busy_server();
    let mut ws = Ws::join(&io, "/").await;
    await_ping(&mut ws).await;
    ws.send_all(&[r#"42["work"]"#; 3]).await;
    ws.send("3").await;
    sleep(secs(500)).await;
    gate.admit(3);
    ws.quiet(secs(100)).await;
    assert_eq!(log.take(), ["worked"; 3]);
}

#[tokio::test(start_paused = true)]
async fn a_polling_client_whose_post_is_held_back_is_not_dead() {
    let (io, log, gate) = busy_server();
    let client = Polling::join(&io, "/").await;
    let get = client.open_get().await;
    let post = client.open_post(&[r#"42["work"]"#; 3].join("\x1e")).await;
    sleep(secs(500)).await;
    assert!(log.take().is_empty() && !post.is_finished());

    gate.admit(3);
    assert_eq!(answer(post).await.status, 200);
    assert_eq!(answer(get).await.packets()[0], "2");
    client.posted("3").await;
    idle().await;
    assert_eq!(log.take(), ["worked"; 3]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_vanishes_while_nothing_is_read_from_it_is_noticed() {
    let log = Log::default();
    let builder = SocketIo::builder().max_handlers(1).max_pending_bytes(0);
    let io = builder.state(log.clone()).build();
    io.of("/")
        .on("ask", async |socket: tower_socketio::Socket, State(log): State<Log>| {
            let answer = socket.emit_with_ack::<u8>("question", 1).await;
            log.add(format!("{answer:?}"));
        })
        .on_disconnect(async |State(log): State<Log>, why: DisconnectReason| log.add(why));
    let mut ws = Ws::join(&io, "/").await;
    ws.send_all(&[r#"42["ask"]"#; 3]).await;
    idle().await;
    drop(ws);
    sleep(secs(100)).await;
    // One was at work and one waited; the third was never read.
    assert_eq!(
        log.take(),
        ["Err(Disconnected)", "Err(Disconnected)", "transport close"]
    );
}

/// Raw Engine.IO whose application is full when it is asked whether it goes on.
struct Busy(Arc<AtomicBool>, Log);

impl Upper for Busy {
    fn open(&self, _: &Connection, _: Handshake) -> Box<dyn Client> {
        Box::new(Self(self.0.clone(), self.1.clone()))
    }
}

impl Client for Busy {
    fn message(&mut self, _: &mut Context<'_>, _: Message<'_>) -> Flow {
        Flow::Open
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Flow {
        if self.0.load(Relaxed) { Flow::Full } else { Flow::Open }
    }

    fn close(self: Box<Self>, reason: CloseReason) -> Option<Rest> {
        self.1.add(reason);
        None
    }
}

#[tokio::test(start_paused = true)]
async fn time_in_which_the_application_says_that_it_is_full_does_not_count() {
    let (full, log) = (Arc::new(AtomicBool::new(false)), Log::default());
    let engine = Engine::builder().build(Busy(full.clone(), log.clone()));
    let parts = request(
        Method::GET,
        &format!("{}/?EIO=4&transport=websocket", engine.service().path()),
        &UPGRADE,
    );
    let accepted = engine.service().accept_websocket(parts).await;
    let mut ws = Ws::redeem(accepted.expect("a WebSocket").1, 1 << 16);
    ws.text().await;
    full.store(true, Relaxed);
    await_ping(&mut ws).await;
    ws.send("3").await; // unread
    sleep(secs(60)).await;
    assert_eq!(log.take(), [""; 0]);
}
