//! Clients that do not read what they are sent: what waits for them is bounded.

mod kit;

use kit::{Log, Polling, Ws, idle, secs};
use tokio::time::{Instant, sleep};
use tower_socketio::{DisconnectReason, Socket, SocketIo, State};

const OUTBOX: usize = 10_000;
const PIPE: usize = 1000;

/// A server that puts everybody into a room and notes who leaves.
fn server() -> (SocketIo, Log) {
    let log = Log::default();
    let io = SocketIo::builder().max_outbox_bytes(OUTBOX).state(log.clone()).build();
    io.of("/")
        .on_connect(async |socket: Socket| socket.join("room"))
        .on_disconnect(async |State(log): State<Log>, why: DisconnectReason| log.add(why));
    (io, log)
}

fn event(n: usize) -> String {
    format!(r#"42["n",{n},"{}"]"#, "x".repeat(980))
}

fn emit(io: &SocketIo, n: usize, volatile: bool) {
    let room = io.to("room");
    let room = if volatile { room.volatile() } else { room };
    room.emit("n", tower_socketio::Args((n, "x".repeat(980))))
        .expect("json");
}

/// Emits until somebody has left; how many events that took.
async fn emit_until_left(io: &SocketIo, log: &Log) -> usize {
    for n in 0..1000 {
        emit(io, n, false);
        idle().await;
        let left = log.take();
        if !left.is_empty() {
            assert_eq!(left, ["transport error"]);
            return n;
        }
    }
    panic!("a client that never reads was never cut off")
}

#[tokio::test(start_paused = true)]
async fn a_websocket_that_never_reads_is_cut_off_when_its_outbox_is_full_and_nobody_else() {
    let (io, log) = server();
    let mut other = Ws::join(&io, "/").await;
    let mut slow = Ws::open_with(&io, PIPE).await;
    slow.connect("/").await;
    let emitted = emit_until_left(&io, &log).await;
    let most = (OUTBOX + PIPE) / event(0).len() + 2;
    assert!((OUTBOX / event(99).len()..=most).contains(&emitted), "{emitted} events");

    sleep(secs(10)).await;
    assert_eq!(io.clients_count(), 1);
    assert_eq!(other.texts().await, (0..=emitted).map(event).collect::<Vec<_>>());
    slow.vanish().await;
    assert!(log.take().is_empty(), "it left once");
}

#[tokio::test(start_paused = true)]
async fn a_websocket_that_reads_late_gets_at_once_what_was_sent_meanwhile() {
    let (io, log) = server();
    let mut late = Ws::open_with(&io, PIPE).await;
    late.connect("/").await;
    for n in 0..5 {
        emit(&io, n, false);
        idle().await;
    }
    let start = Instant::now();
    for n in 0..5 {
        assert_eq!(late.text().await, event(n));
    }
    assert!(start.elapsed() < secs(1), "nothing had to wake it");
    assert!(log.take().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_polling_client_that_never_polls_is_cut_off_when_its_outbox_is_full() {
    let (io, log) = server();
    let mut other = Ws::join(&io, "/").await;
    let slow = Polling::join(&io, "/").await;
    let emitted = emit_until_left(&io, &log).await;
    let most = OUTBOX / event(0).len() + 2;
    assert!((OUTBOX / event(99).len()..=most).contains(&emitted), "{emitted} events");
    assert_eq!(io.clients_count(), 1);
    assert_eq!(slow.get().await.status, 400);
    assert_eq!(other.texts().await.len(), emitted + 1);
}

#[tokio::test(start_paused = true)]
async fn volatile_events_are_given_up_before_the_client_is() {
    let (io, log) = server();
    let mut ws = Ws::join(&io, "/").await;
    idle().await;
    // All at once, so that nothing is written meanwhile.
    (0..11).for_each(|n| emit(&io, n, true));
    (11..16).for_each(|n| emit(&io, n, false));
    assert_eq!(ws.texts().await, (11..16).map(event).collect::<Vec<_>>());
    assert!(log.take().is_empty());
}

#[tokio::test(start_paused = true)]
async fn volatile_events_are_lost_while_a_websocket_does_not_read() {
    let (io, log) = server();
    let mut ws = Ws::open_with(&io, PIPE).await;
    ws.connect("/").await;
    emit(&io, 0, false);
    emit(&io, 1, false);
    idle().await;
    for n in 2..100 {
        emit(&io, n, true);
        idle().await;
    }
    assert_eq!(ws.texts().await, [event(0), event(1)]);
    emit(&io, 100, true);
    assert_eq!(ws.texts().await, [event(100)]);
    assert!(log.take().is_empty());
}

#[tokio::test(start_paused = true)]
async fn one_message_may_be_larger_than_the_outbox() {
    let (io, log) = server();
    let mut ws = Ws::open_with(&io, PIPE).await;
    ws.connect("/").await;
    let polling = Polling::join(&io, "/").await;
    let huge = "x".repeat(100 * OUTBOX);
    io.emit("huge", &huge).unwrap();
    let expected = format!(r#"42["huge","{huge}"]"#);
    assert_eq!(ws.text().await, expected);
    assert_eq!(polling.get().await.packets(), [expected]);
    ws.quiet(secs(20)).await;
    assert!(log.take().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_slow_client_that_reads_in_time_loses_nothing() {
    let (io, log) = server();
    let mut ws = Ws::open_with(&io, PIPE).await;
    ws.connect("/").await;
    for n in 0..100 {
        (0..5).for_each(|part| emit(&io, 5 * n + part, false));
        idle().await;
        for part in 0..5 {
            assert_eq!(ws.text().await, event(5 * n + part));
        }
    }
    assert!(log.take().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_a_polling_client_was_given_does_not_count_any_more() {
    let (io, log) = server();
    let client = Polling::join(&io, "/").await;
    for _ in 0..5 {
        for _ in 0..2 {
            io.to("room").emit("big", "x".repeat(3 * OUTBOX)).expect("json");
        }
        assert_eq!(client.get().await.status, 200);
    }
    idle().await;
    assert!(log.take().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_one_large_message_needs_is_not_counted() {
    let (io, log) = server();
    let client = Polling::join(&io, "/").await;
    io.to("room").emit("big", "x".repeat(9 * OUTBOX)).expect("json");
    (0..8).for_each(|n| emit(&io, n, false));
    idle().await;
    assert!(log.take().is_empty());
    assert_eq!(client.get().await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_is_not_cut_off_however_much_it_asks_for_at_once() {
    let io = SocketIo::builder().max_outbox_bytes(OUTBOX).build();
    io.of("/")
        .on("get", async || tower_socketio::Ack("x".repeat(OUTBOX / 4)));
    let asked: Vec<String> = (0..64).map(|id| format!(r#"42{id}["get"]"#)).collect();
    let mut ws = Ws::join(&io, "/").await;
    ws.send_all(&asked.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for id in 0..64 {
        assert!(ws.text().await.starts_with(&format!("43{id}[")), "answer {id}");
    }

    let polling = Polling::join(&io, "/").await;
    let post = asked.join("\x1e");
    let (posted, answers) = tokio::join!(polling.post(&post), async {
        let mut answers = 0;
        while answers < 64 {
            answers += polling.get().await.packets().len();
        }
        answers
    });
    assert_eq!((posted.status, answers), (200, 64));
}

#[tokio::test(start_paused = true)]
async fn tiny_messages_fill_an_outbox_by_the_memory_they_take() {
    let (io, log) = server();
    let _slow = Polling::join(&io, "/").await;
    for _ in 0..OUTBOX / 40 {
        io.to("room").emit("n", 1).expect("json");
    }
    idle().await;
    assert_eq!(log.take(), ["transport error"]);
}
