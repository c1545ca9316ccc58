//! Handlers of events: their order, how many there may be, and what becomes of them when they
//! fail or their client leaves.

mod kit;

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
};

use kit::{Gate, Log, Polling, Ws, answer, idle, millis, secs, sockets};
use serde::{Deserialize, Deserializer};
use tokio::time::sleep;
use tower_socketio::{
    Ack, Args, Data, DisconnectReason, EventError, EventName, RawArgs, Socket, SocketIo, SocketIoBuilder, State,
};

/// A server that notes disconnections and failures, and whose event `work` waits at a gate.
fn server(builder: SocketIoBuilder) -> (SocketIo, Log, Gate) {
    let (log, gate) = (Log::default(), Gate::closed());
    let io = builder.state(log.clone()).state(gate.clone()).build();
    io.of("/")
        .on(
            "work",
            async |State(gate): State<Gate>, State(log): State<Log>, Data(n): Data<Option<u32>>| {
                gate.pass().await;
                log.add(format!("worked {}", n.unwrap_or_default()));
            },
        )
        .on("note", async |State(log): State<Log>, Data(n): Data<u32>| {
            log.add(n);
            Ack(n)
        })
        .on_disconnect(async |State(log): State<Log>, why: DisconnectReason| log.add(why))
        .on_error(log.failures());
    (io, log, gate)
}

fn work(n: u32) -> String {
    format!(r#"42["work",{n}]"#)
}

#[tokio::test(start_paused = true)]
async fn handlers_start_in_the_order_of_their_events_and_interleave_where_they_await() {
    let (io, log, _) = server(SocketIo::builder());
    io.of("/")
        .on("slow", async |State(log): State<Log>, Data(n): Data<u64>| {
            log.add(format!("start {n}"));
            sleep(millis(100 * (4 - n))).await;
            log.add(format!("end {n}"));
        });
    let mut ws = Ws::join(&io, "/").await;
    let events = [1, 2, 3].map(|n| format!(r#"42["slow",{n}]"#));
    ws.send_all(&events.each_ref().map(String::as_str)).await;
    ws.send(r#"42["note",7]"#).await;
    sleep(secs(1)).await;
    let order = ["start 1", "start 2", "start 3", "7", "end 3", "end 2", "end 1"];
    assert_eq!(log.take(), order);
}

#[tokio::test(start_paused = true)]
async fn handlers_at_the_cap_and_beyond_may_await_acks_of_their_own_client() {
    let (io, log, _) = server(SocketIo::builder().max_handlers(4));
    io.of("/").on("ask", async |socket: Socket, Data(n): Data<u32>| {
        let answer: u32 = socket.emit_with_ack("question", n).await?;
        Ok::<_, EventError>(Ack(answer))
    });
    let mut ws = Ws::join(&io, "/").await;
    for n in 0..5 {
        ws.send(&format!(r#"42{n}["ask",{n}]"#)).await;
    }
    let mut answers = Vec::new();
    while answers.len() < 5 {
        let text = ws.text().await;
        match text.strip_prefix("42").and_then(|rest| rest.split_once('[')) {
            Some((id, question)) => {
                let n = question.strip_prefix(r#""question","#).expect("a question");
                ws.send(&format!("43{id}[{n}")).await;
            }
            None => answers.push(text),
        }
    }
    assert_eq!(answers, ["430[0]", "431[1]", "432[2]", "433[3]", "434[4]"]);
    assert!(log.take().is_empty());
}

#[tokio::test(start_paused = true)]
async fn events_beyond_the_cap_wait_for_their_turn() {
    let (io, log, gate) = server(SocketIo::builder().max_handlers(2));
    let mut ws = Ws::join(&io, "/").await;
    for n in 1..=3 {
        ws.send(&work(n)).await;
    }
    ws.send(r#"42["note",4]"#).await;
    idle().await;
    assert!(log.take().is_empty());
    gate.admit(1);
    idle().await;
    // `note` came after the third `work`, whose turn it was.
    assert_eq!(log.take(), ["worked 1"]);
    gate.admit(1);
    idle().await;
    assert_eq!(log.take(), ["worked 2", "4"]);
}

#[tokio::test(start_paused = true)]
async fn a_client_at_the_cap_still_acknowledges_and_is_alive_and_leaves() {
    let (io, log, gate) = server(SocketIo::builder().max_handlers(1));
    let mut sockets = sockets(&io.of("/"));
    let mut ws = Ws::join(&io, "/").await;
    let socket = sockets.next().await;
    for n in 1..=3 {
        ws.send(&work(n)).await;
    }
    let question = tokio::spawn(socket.emit_with_ack::<u32>("question", Args(())));
    let id = ws.text().await.replace("42", "").replace(r#"["question"]"#, "");
    ws.send(&format!("43{id}[5]")).await;
    assert_eq!(question.await.unwrap().unwrap(), 5);
    ws.quiet(secs(200)).await;
    ws.send("41").await;
    idle().await;
    assert!(!socket.is_connected());
    assert!(log.take().is_empty(), "its handlers come first");
    gate.admit(3);
    idle().await;
    assert_eq!(
        log.take(),
        ["worked 1", "worked 2", "worked 3", "client namespace disconnect"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_websocket_that_floods_is_not_read_while_its_handlers_are_full() {
    const PIPE: usize = 4096;
    const PENDING: usize = 1000;
    let (io, log, gate) = server(SocketIo::builder().max_handlers(1).max_pending_bytes(PENDING));
    let mut ws = Ws::open_with(&io, PIPE).await;
    ws.connect("/").await;
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = sent.clone();
    let flooding = tokio::spawn(async move {
        for n in 0..1000 {
            ws.send(&work(n)).await;
            counter.fetch_add(1, Ordering::Relaxed);
        }
        ws
    });
    sleep(secs(60)).await;
    let taken = sent.load(Ordering::Relaxed);
    // What waits in the pipe, what was read of it at once, and what waits for its turn.
    let most = (2 * PIPE + PENDING) / work(0).len();
    assert!((1..most).contains(&taken), "{taken} events");

    sleep(secs(60)).await;
    assert_eq!(sent.load(Ordering::Relaxed), taken);
    gate.admit(1000);
    let _ws = flooding.await.expect("no panic");
    idle().await;
    let all: Vec<_> = (0..1000).map(|n| format!("worked {n}")).collect();
    assert_eq!(log.take(), all);
}

#[tokio::test(start_paused = true)]
async fn a_polling_client_that_floods_waits_for_the_answer_of_its_post() {
    let (io, log, gate) = server(SocketIo::builder().max_handlers(1).max_pending_bytes(1000));
    let client = Polling::join(&io, "/").await;
    let events: Vec<_> = (0..1000).map(work).collect();
    let post = client.open_post(&events.join("\x1e")).await;
    gate.admit(900);
    idle().await;
    assert_eq!(log.take().len(), 900);
    assert!(!post.is_finished());
    gate.admit(100);
    assert_eq!(answer(post).await.status, 200);
    assert_eq!(log.take().last().map(String::as_str), Some("worked 999"));
}

#[tokio::test(start_paused = true)]
async fn a_handler_ends_its_work_after_its_client_vanished_and_then_comes_the_disconnect_handler() {
    let (io, log, gate) = server(SocketIo::builder());
    io.of("/rooms")
        .on_connect(async |socket: Socket| {
            socket.join("a");
            socket.join("b");
        })
        .on("work", async |State(gate): State<Gate>, State(log): State<Log>| {
            gate.pass().await;
            log.add("worked");
        })
        .on_disconnect(async |socket: Socket, State(log): State<Log>| {
            assert!(!socket.is_connected());
            log.add(format!("left {:?}", &socket.rooms()[1..]));
        });
    let mut ws = Ws::join(&io, "/rooms").await;
    ws.send(r#"42/rooms,["work"]"#).await;
    idle().await;
    ws.vanish().await;
    sleep(secs(20)).await;
    assert!(log.take().is_empty());
    assert_eq!(io.of("/rooms").sockets_count(), 0);
    gate.admit(1);
    sleep(secs(100)).await;
    assert_eq!(log.take(), ["worked", r#"left ["a", "b"]"#]);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_outlives_its_client_for_too_long_is_dropped_and_reported() {
    let (io, log, _) = server(SocketIo::builder().handler_grace(secs(5)));
    let alive = Arc::new(());
    let held = alive.clone();
    io.of("/").on("hang", move || {
        let held = held.clone();
        async move {
            pending::<()>().await;
            drop(held);
        }
    });
    let mut ws = Ws::join(&io, "/").await;
    ws.send_all(&[r#"42["hang"]"#, r#"42["hang"]"#]).await;
    idle().await;
    assert_eq!(Arc::strong_count(&alive), 4);
    ws.vanish().await;
    sleep(millis(4900)).await;
    assert!(log.take().is_empty());
    sleep(millis(200)).await;
    let dropped = r#"Some("hang") the handler did not end in time after its client was gone"#;
    assert_eq!(log.take(), [dropped, dropped, "transport close"]);
    assert_eq!(Arc::strong_count(&alive), 2);
}

#[tokio::test(start_paused = true)]
async fn grace_ends_while_the_connection_goes_on_in_other_namespaces() {
    let (io, log, _) = server(SocketIo::builder().handler_grace(secs(5)));
    io.of("/").on("hang", async || pending::<()>().await);
    io.of("/other");
    let mut ws = Ws::join(&io, "/").await;
    ws.connect("/other").await;
    ws.send_all(&[r#"42["hang"]"#, "41"]).await;
    sleep(secs(6)).await;
    let dropped = r#"Some("hang") the handler did not end in time after its client was gone"#;
    assert_eq!(log.take(), [dropped, "client namespace disconnect"]);
    ws.connect("/").await;
    ws.quiet(secs(100)).await;
}

#[tokio::test(start_paused = true)]
async fn grace_ends_for_events_that_never_got_their_turn() {
    let (io, log, _) = server(SocketIo::builder().handler_grace(secs(5)).max_handlers(1));
    io.of("/other").on("hang", async || pending::<()>().await);
    let mut ws = Ws::join(&io, "/").await;
    ws.connect("/other").await;
    ws.send_all(&[r#"42/other,["hang"]"#, r#"42["waits"]"#, "41"]).await;
    sleep(secs(6)).await;
    assert_eq!(log.take(), ["client namespace disconnect"]);
    ws.quiet(secs(20)).await;
}

#[tokio::test(start_paused = true)]
async fn a_disconnect_handler_that_hangs_is_dropped_and_reported() {
    let log = Log::default();
    let io = SocketIo::builder().handler_grace(secs(5)).build();
    io.of("/")
        .on_disconnect(async || pending::<()>().await)
        .on_error(log.failures());
    Ws::join(&io, "/").await.vanish().await;
    sleep(millis(4900)).await;
    assert!(log.take().is_empty());
    sleep(millis(200)).await;
    assert_eq!(
        log.take(),
        ["None the handler did not end in time after its client was gone"]
    );
}

/// Unlike `panic!`, it seems to return, which a handler must.
fn explode(message: &str) {
    panic!("{message}")
}

/// Arguments that cannot even be looked at.
struct Explosive;

impl<'de> Deserialize<'de> for Explosive {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        panic!("in an extractor")
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_caught_and_reported_wherever_it_happens_and_harms_nobody_else() {
    let log = Log::default();
    let io = SocketIo::builder().state(log.clone()).build();
    io.of("/")
        .on_connect(async |socket: Socket| {
            socket.join("room");
            explode("in connect");
        })
        .on("at once", async || explode("at once"))
        .on("later", async || {
            sleep(millis(1)).await;
            explode("later");
        })
        .on("made", || -> std::future::Ready<()> { panic!("while it was made") })
        .on("extracted", async |Data(Explosive): Data<Explosive>| ())
        .on("fine", async || Ack(1))
        .on_disconnect(async || explode("in disconnect"))
        .on_error(log.failures());
    let mut other = Ws::join(&io, "/").await;
    let mut ws = Ws::join(&io, "/").await;
    log.take();
    for event in ["at once", "later", "made", "extracted"] {
        ws.send(&format!(r#"421["{event}",1]"#)).await;
        sleep(millis(10)).await;
        let message = match event {
            "made" => "while it was made",
            "extracted" => "in an extractor",
            event => event,
        };
        assert_eq!(log.take(), [format!("Some({event:?}) panicked: {message}")]);
        assert_eq!(ws.text().await, r#"431[{"error":{"message":"internal error"}}]"#);
    }
    ws.send(r#"422["fine"]"#).await;
    assert_eq!(ws.text().await, "432[1]", "the socket lives on");
    ws.vanish().await;
    idle().await;
    assert_eq!(log.take(), ["None panicked: in disconnect"]);
    assert_eq!(io.of("/").sockets_count(), 1);
    io.to("room").emit("news", 1).unwrap();
    assert_eq!(other.text().await, r#"42["news",1]"#);
    // A third finds a server as good as new.
    Ws::join(&io, "/").await;
    assert_eq!(log.take(), ["None panicked: in connect"]);
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_connect_handler_that_may_refuse_refuses() {
    let log = Log::default();
    let io = SocketIo::builder().state(log.clone()).build();
    io.of("/")
        .on_connect(async |socket: Socket| -> Result<(), tower_socketio::Refusal> {
            socket.join("room");
            panic!("in connect")
        })
        .on_disconnect(async |State(log): State<Log>| log.add("left"))
        .on_error(log.failures());
    let mut ws = Ws::open(&io).await;
    ws.send("40").await;
    assert_eq!(ws.text().await, r#"44{"message":"internal error"}"#);
    assert_eq!(log.take(), ["None panicked: in connect"]);
    assert_eq!(io.of("/").sockets_count(), 0);
    ws.vanish().await;
    idle().await;
    assert!(log.take().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_error_hook_harms_nothing() {
    let io = SocketIo::builder().build();
    io.of("/")
        .on("fine", async || Ack(1))
        .on("fails", async || Err::<(), _>(EventError::new("no")))
        .on_error(|_| panic!("in the hook"));
    let mut ws = Ws::join(&io, "/").await;
    ws.send_all(&[r#"42["nobody handles this"]"#, r#"420["fails"]"#, r#"421["fine"]"#])
        .await;
    assert_eq!(ws.text().await, r#"430[{"error":{"message":"no"}}]"#);
    assert_eq!(ws.text().await, "431[1]");
}

#[tokio::test(start_paused = true)]
async fn an_event_that_nobody_handles_is_reported() {
    let (io, log, _) = server(SocketIo::builder());
    let mut ws = Ws::join(&io, "/").await;
    ws.send_all(&[r#"421["x"]"#, r#"42["note",1]"#]).await;
    idle().await;
    assert_eq!(log.take(), [r#"Some("x") no handler for this event"#, "1"]);
}

#[tokio::test(start_paused = true)]
async fn on_any_is_given_every_event_first_and_leaves_the_ack_to_the_events_own_handler() {
    let (io, log, _) = server(SocketIo::builder());
    io.of("/").on_any(
        async |State(log): State<Log>, EventName(name): EventName, args: RawArgs| {
            log.add(format!("{name} [{}]", args.json()));
        },
    );
    let mut ws = Ws::join(&io, "/").await;
    ws.send_all(&[r#"421["note",1]"#, r#"42["other","a",[2]]"#]).await;
    idle().await;
    assert_eq!(log.take(), ["note [1]", "1", r#"other ["a",[2]]"#]);
    assert_eq!(ws.texts().await, ["431[1]"]);
}

#[tokio::test(start_paused = true)]
async fn on_any_answers_events_that_have_no_handler_of_their_own() {
    let io = SocketIo::builder().build();
    io.of("/").on_any(async |EventName(name): EventName| Ack(name));
    let mut ws = Ws::join(&io, "/").await;
    ws.send(r#"421["x"]"#).await;
    assert_eq!(ws.text().await, r#"431["x"]"#);
}

#[derive(Clone)]
struct Database;

#[test]
#[should_panic(expected = "Database")]
fn a_handler_that_asks_for_state_that_is_missing_is_refused_at_registration() {
    let io = SocketIo::builder().build();
    io.of("/").on("x", async |State(_): State<Database>| ());
}

#[test]
#[should_panic(expected = "the event \"x\" has a handler already")]
fn a_second_handler_of_an_event_is_refused() {
    let io = SocketIo::builder().build();
    io.of("/").on("x", async || ()).on("x", async || ());
}

#[test]
#[should_panic(expected = "`on_disconnect` handler already")]
fn a_second_disconnect_handler_is_refused() {
    let io = SocketIo::builder().build();
    io.of("/").on_disconnect(async || ()).on_disconnect(async || ());
}

#[test]
#[should_panic(expected = "\"disconnecting\" is reserved")]
fn a_handler_of_a_reserved_event_is_refused() {
    let io = SocketIo::builder().build();
    io.of("/").on("disconnecting", async || ());
}

#[test]
fn a_reserved_event_is_not_emitted() {
    let io = SocketIo::builder().build();
    let error = io.emit("connect_error", 1).unwrap_err();
    assert!(error.to_string().contains("\"connect_error\" is reserved"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn events_that_waited_are_handled_in_turns() {
    let (log, gate) = (Log::default(), Gate::closed());
    let io = SocketIo::builder().state(log.clone()).state(gate.clone()).build();
    io.of("/").with(async |State(gate): State<Gate>| gate.pass().await).on(
        "x",
        async |socket: Socket, State(log): State<Log>| {
            log.add("x");
            socket.emit("x", Args(()))
        },
    );
    let mut ws = Ws::open(&io).await;
    ws.send("40").await;
    for _ in 0..20 {
        ws.send_all(&[r#"42["x"]"#; 64]).await;
    }
    idle().await;
    gate.admit(1);
    let another = tokio::spawn(async move {
        let mut turns = Vec::new();
        // Not tokio's `yield_now`, which comes back only when nobody else has anything to do.
        std::future::poll_fn(|cx| {
            turns.push(log.take().len());
            cx.waker().wake_by_ref();
            if turns.iter().sum::<usize>() < 20 * 64 {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
        turns
    });
    // 128 is tokio's budget of a poll.
    let most = another.await.expect("no panic").into_iter().max();
    assert!(
        most <= Some(128),
        "{most:?} handlers ran before another task got its turn"
    );
}

/// A handler that wakes itself again and again, within its poll.
async fn restless() {
    let mut polls = 0;
    std::future::poll_fn(|cx| {
        polls += 1;
        cx.waker().wake_by_ref();
        if polls < 100_000 {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn handlers_of_a_client_that_left_are_dropped_once_however_busy_the_others_are() {
    let (io, log, _) = server(SocketIo::builder().handler_grace(secs(5)));
    io.of("/").on("hang", async || pending::<()>().await);
    io.of("/other").on("busy", restless);
    let mut ws = Ws::join(&io, "/").await;
    ws.connect("/other").await;
    ws.send_all(&[r#"42["hang"]"#, "41"]).await;
    sleep(millis(4900)).await;
    ws.send_all(&[r#"42/other,["busy"]"#; 6]).await;
    sleep(secs(1)).await;
    let dropped = r#"Some("hang") the handler did not end in time after its client was gone"#;
    assert_eq!(log.take(), [dropped, "client namespace disconnect"]);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_panics_as_it_is_dropped_after_its_grace_harms_nobody() {
    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            assert!(std::thread::panicking(), "dropped");
        }
    }

    let (io, log, _) = server(SocketIo::builder());
    io.of("/").on("hang", async || {
        let _bomb = Bomb;
        pending::<()>().await;
    });
    let mut ws = Ws::join(&io, "/").await;
    ws.send(r#"42["hang"]"#).await;
    idle().await;
    ws.vanish().await;
    sleep(secs(60)).await;
    let grace = "the handler did not end in time after its client was gone";
    assert_eq!(
        log.take(),
        [format!("Some(\"hang\") {grace}"), "transport close".to_owned()]
    );
}
