//! Jobs: they live as long as their socket is in its namespace.

mod kit;

use std::{future::pending, time::Duration};

use kit::{Gate, Log, Received, Ws, idle, secs, sockets};
use tokio::time::sleep;
use tower_socketio::{EncodeError, EventError, Refusal, Socket, SocketIo, testing};

/// Notes that it was dropped.
struct Dropped(Log, &'static str);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.add(format!("{} ended", self.1));
    }
}

async fn forever(log: &Log, name: &'static str) {
    let _dropped = Dropped(log.clone(), name);
    pending::<()>().await;
}

fn server() -> (SocketIo, Received<Socket>, Log) {
    let log = Log::default();
    let io = SocketIo::builder().state(log.clone()).build();
    let failures = log.clone();
    io.of("/").on_error(move |failure| failures.add(failure));
    let found = sockets(&io.of("/"));
    (io, found, log)
}

fn spawn_forever(socket: &Socket, log: &Log, name: &'static str) -> tokio::task::AbortHandle {
    let log = log.clone();
    socket.spawn(async move { forever(&log, name).await })
}

#[tokio::test(start_paused = true)]
async fn a_job_emits_until_its_socket_leaves() {
    let (io, mut found, log) = server();
    let mut ws = Ws::join(&io, "/").await;
    let socket = found.next().await;
    let (clock, noted) = (socket.clone(), log.clone());
    socket.spawn(async move {
        let _dropped = Dropped(noted, "clock");
        for tick in 0.. {
            clock.emit("tick", tick)?;
            sleep(secs(1)).await;
        }
        Ok::<_, EncodeError>(())
    });
    sleep(Duration::from_millis(2_500)).await;
    assert_eq!(
        ws.texts().await,
        [r#"42["tick",0]"#, r#"42["tick",1]"#, r#"42["tick",2]"#]
    );
    ws.send("41").await;
    idle().await;
    assert_eq!(log.take(), ["clock ended"]);
}

#[tokio::test(start_paused = true)]
async fn jobs_of_other_sockets_and_namespaces_go_on() {
    let (io, mut found, log) = server();
    let mut other = sockets(&io.of("/other"));
    let mut ws = Ws::join(&io, "/").await;
    ws.connect("/other").await;
    let _second = Ws::join(&io, "/").await;
    spawn_forever(&found.next().await, &log, "first");
    spawn_forever(&found.next().await, &log, "second");
    spawn_forever(&other.next().await, &log, "other");
    idle().await;
    ws.send("41").await;
    idle().await;
    assert_eq!(log.take(), ["first ended"]);
    ws.vanish().await;
    idle().await;
    assert_eq!(log.take(), ["other ended"]);
}

fn sorted(log: &Log) -> Vec<String> {
    let mut entries = log.take();
    entries.sort();
    entries
}

#[tokio::test(start_paused = true)]
async fn jobs_are_aborted_one_by_one_or_all_at_once() {
    let (io, mut found, log) = server();
    let ws = Ws::join(&io, "/").await;
    let socket = found.next().await;
    let first = spawn_forever(&socket, &log, "first");
    spawn_forever(&socket, &log, "second");
    spawn_forever(&socket, &log, "third");
    idle().await;
    first.abort();
    idle().await;
    assert_eq!(log.take(), ["first ended"]);
    socket.abort_jobs();
    spawn_forever(&socket, &log, "fourth");
    spawn_forever(&socket, &log, "fifth");
    idle().await;
    assert_eq!(sorted(&log), ["second ended", "third ended"]);
    assert!(socket.is_connected());
    ws.vanish().await;
    idle().await;
    assert_eq!(
        sorted(&log),
        ["fifth ended", "fourth ended"],
        "later jobs run, and end as all do"
    );
}

async fn panics() {
    tokio::task::yield_now().await;
    panic!("out of cheese");
}

#[tokio::test(start_paused = true)]
async fn panics_and_errors_of_jobs_are_reported_and_harm_nobody() {
    let (io, mut found, log) = server();
    let mut ws = Ws::join(&io, "/").await;
    let socket = found.next().await;
    socket.spawn(panics());
    socket.spawn(async { Err::<(), _>(std::fmt::Error) });
    idle().await;
    let failures = sorted(&log);
    let error = std::fmt::Error.to_string();
    assert_eq!(
        failures,
        [format!("/: job: {error}"), "/: job: panicked: out of cheese".to_owned()]
    );
    socket.emit("alive", 1).unwrap();
    assert_eq!(ws.text().await, r#"42["alive",1]"#);
}

#[tokio::test(start_paused = true)]
async fn a_job_of_a_socket_that_has_left_does_not_begin() {
    let (io, mut found, log) = server();
    let ws = Ws::join(&io, "/").await;
    let socket = found.next().await;
    ws.vanish().await;
    let noted = log.clone();
    let job = socket.spawn(async move { noted.add("begun") });
    idle().await;
    assert_eq!(log.take(), [""; 0]);
    assert!(job.is_finished());
}

#[tokio::test(start_paused = true)]
async fn jobs_of_a_socket_that_is_refused_end_and_their_emits_are_never_sent() {
    let log = Log::default();
    let io = SocketIo::builder().build();
    let (noted, gate) = (log.clone(), Gate::closed());
    let held = gate.clone();
    io.of("/").on_connect(move |socket: Socket| {
        let (log, gate) = (noted.clone(), held.clone());
        async move {
            let early = socket.clone();
            socket.spawn(async move {
                early.emit("early", ()).unwrap();
                log.add("emitted");
                forever(&log, "job").await;
            });
            gate.pass().await;
            Err::<(), _>(Refusal::new("no"))
        }
    });
    let mut ws = Ws::open(&io).await;
    ws.send("40").await;
    idle().await;
    assert_eq!(log.take(), ["emitted"]);
    gate.admit(1);
    assert_eq!(ws.text().await, r#"44{"message":"no"}"#);
    idle().await;
    assert_eq!(log.take(), ["job ended"]);
    assert_eq!(ws.texts().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_end_without_a_word_when_their_client_leaves() {
    let failures = Log::default();
    let io = SocketIo::builder().build();
    let noted = failures.clone();
    io.of("/").on_error(move |failure| noted.add(failure));
    io.of("/").on_connect(async |socket: Socket| {
        for _ in 0..20 {
            let asked = socket.clone();
            socket.spawn(async move {
                let _: u8 = asked.emit_with_ack("question", 1).await?;
                Ok::<_, EventError>(())
            });
        }
    });
    for _ in 0..20 {
        let mut client = testing::connect(&io, "/").await.unwrap();
        let _unanswered = client.recv_question::<u8>("question").await.unwrap();
        client.disconnect().await.unwrap();
        client.close().await.unwrap();
    }
    io.close().await;
    assert_eq!(failures.take(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn emits_of_a_job_keep_their_order_when_its_socket_is_let_in() {
    const EMITS: u32 = 4_000;
    let io = SocketIo::builder().build();
    io.of("/").on_connect(async |socket: Socket| {
        let early = socket.clone();
        socket.spawn(async move {
            for number in 0..EMITS {
                early.emit("number", number)?;
            }
            Ok::<_, EncodeError>(())
        });
        // The job is in the midst of it, on another thread than the one that the timer wakes.
        sleep(Duration::from_millis(1)).await;
        Ok::<_, Refusal>(())
    });
    for _ in 0..20 {
        let mut client = testing::connect(&io, "/").await.unwrap();
        for number in 0..EMITS {
            assert_eq!(client.recv::<u32>("number").await.unwrap(), number);
        }
        client.close().await.unwrap();
    }
}
