//! Upgrades from polling to WebSocket: probes that fail harm nothing, and no message is lost,
//! repeated or overtaken.

mod kit;

use std::{future::poll_fn, task::Poll, thread, time::Duration};

use kit::{Answer, Gate, Log, Packet, Polling, Ws, answer, idle, millis, secs};
use tokio::{
    runtime::{Builder, Runtime},
    sync::mpsc::{UnboundedSender, unbounded_channel},
    time::{Instant, sleep},
};
use tower_socketio::{Data, DisconnectReason, Socket, SocketIo, SocketIoBuilder, State, Transport};

fn server(builder: SocketIoBuilder) -> (SocketIo, Log) {
    let log = Log::default();
    let io = builder.state(log.clone()).build();
    io.of("/")
        .on("note", async |State(log): State<Log>, Data(note): Data<u32>| {
            log.add(note);
        })
        .on("transport", async |socket: Socket, transport: Transport| {
            socket.emit("transport", transport.as_str())
        })
        .on_disconnect(async |State(log): State<Log>, why: DisconnectReason| log.add(why));
    (io, log)
}

/// Probes, and is answered.
async fn probed(io: &SocketIo, client: &Polling) -> Ws {
    let mut ws = Ws::upgrade(io, &client.sid);
    ws.send("2probe").await;
    assert_eq!(ws.text().await, "3probe");
    ws
}

async fn upgraded(io: &SocketIo, client: &Polling) -> Ws {
    let mut ws = probed(io, client).await;
    ws.send("5").await;
    idle().await;
    ws
}

async fn assert_polls(client: &Polling) {
    client.posted(r#"42["transport"]"#).await;
    let mut packets = Vec::new();
    // A noop that a probe left behind may come first.
    while !packets.contains(&r#"42["transport","polling"]"#.to_owned()) {
        packets.extend(client.get().await.packets().iter().map(ToString::to_string));
    }
    packets.retain(|packet| packet != "6");
    assert_eq!(packets.len(), 1, "{packets:?}");
}

#[tokio::test(start_paused = true)]
async fn a_probed_websocket_takes_over() {
    let (io, log) = server(SocketIo::builder());
    let client = Polling::join(&io, "/").await;
    let mut ws = upgraded(&io, &client).await;
    ws.send(r#"42["transport"]"#).await;
    assert_eq!(ws.text().await, r#"42["transport","websocket"]"#);
    assert_eq!(io.clients_count(), 1);
    ws.quiet(secs(200)).await;
    ws.vanish().await;
    assert_eq!(log.take(), ["transport close"]);
}

#[tokio::test(start_paused = true)]
async fn polls_are_released_while_a_client_upgrades() {
    let (io, _) = server(SocketIo::builder());
    let client = Polling::join(&io, "/").await;
    let before = client.open_get().await;
    let mut ws = probed(&io, &client).await;
    assert_eq!(answer(before).await.packets(), ["6"]);
    let start = Instant::now();
    for _ in 0..5 {
        assert_eq!(client.get().await.packets(), ["6"]);
    }
    assert!(start.elapsed() <= millis(510), "{:?}", start.elapsed());
    ws.send("5").await;
    ws.send(r#"42["transport"]"#).await;
    assert_eq!(ws.text().await, r#"42["transport","websocket"]"#);
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_is_open_when_the_websocket_takes_over_is_released() {
    let (io, log) = server(SocketIo::builder());
    let client = Polling::join(&io, "/").await;
    let mut ws = probed(&io, &client).await;
    assert_eq!(client.get().await.packets(), ["6"]);
    let get = client.open_get().await;
    assert!(!get.is_finished());
    ws.send("5").await;
    assert_eq!(answer(get).await.packets(), ["6"]);
    assert!(log.take().is_empty());
}

#[tokio::test(start_paused = true)]
async fn requests_of_the_old_transport_are_refused_and_the_session_survives() {
    let (io, log) = server(SocketIo::builder());
    let client = Polling::join(&io, "/").await;
    let mut ws = upgraded(&io, &client).await;
    let refused = Answer {
        status: 400,
        body: r#"{"code":3,"message":"Bad request"}"#.to_owned(),
    };
    assert_eq!(client.get().await, refused);
    assert_eq!(client.post(r#"42["note",1]"#).await, refused);
    ws.send(r#"42["note",2]"#).await;
    idle().await;
    assert_eq!(log.take(), ["2"]);
}

#[tokio::test(start_paused = true)]
async fn of_two_probes_the_second_is_refused() {
    let (io, _) = server(SocketIo::builder());
    let client = Polling::join(&io, "/").await;
    let mut first = Ws::upgrade(&io, &client.sid);
    let mut second = Ws::upgrade(&io, &client.sid);
    second.send("2probe").await;
    assert_eq!(second.end().await, []);
    first.send("2probe").await;
    assert_eq!(first.text().await, "3probe");
    first.send("5").await;
    first.send(r#"42["transport"]"#).await;
    assert_eq!(first.text().await, r#"42["transport","websocket"]"#);
    // A session that has been taken over is not taken over again.
    assert_eq!(Ws::upgrade(&io, &client.sid).end().await, []);
    first.quiet(secs(100)).await;
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_falls_silent_is_given_up_after_10_seconds_and_polling_goes_on() {
    for said in [&[][..], &["2probe"]] {
        let (io, log) = server(SocketIo::builder());
        let client = Polling::join(&io, "/").await;
        let start = Instant::now();
        let mut ws = Ws::upgrade(&io, &client.sid);
        ws.send_all(said).await;
        let answers = ws.end().await;
        assert_eq!(answers.len(), said.len());
        assert!(
            (secs(10)..millis(11_010)).contains(&start.elapsed()),
            "{:?}",
            start.elapsed()
        );
        assert_polls(&client).await;
        upgraded(&io, &client).await.quiet(secs(100)).await;
        assert!(!log.take().contains(&"transport error".to_owned()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_dies_harms_nothing() {
    let (io, log) = server(SocketIo::builder());
    let client = Polling::join(&io, "/").await;
    probed(&io, &client).await.vanish().await;
    assert_polls(&client).await;
    Ws::upgrade(&io, &client.sid).vanish().await;
    assert_polls(&client).await;
    upgraded(&io, &client).await.quiet(secs(100)).await;
    assert!(log.take().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_says_something_else_is_closed_and_polling_goes_on() {
    for words in [
        &["5"][..],
        &["42[\"note\",1]"],
        &["2"],
        &["2probe", "2probe"],
        &["2probe", "3"],
    ] {
        let (io, log) = server(SocketIo::builder());
        let client = Polling::join(&io, "/").await;
        let mut ws = Ws::upgrade(&io, &client.sid);
        ws.send_all(words).await;
        let answers = ws.end().await;
        assert!(answers.iter().all(|answer| *answer == Packet::Text("3probe".into())));
        assert_polls(&client).await;
        assert!(log.take().is_empty(), "{words:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_dropped_before_it_learns_that_it_may_begin_makes_room_for_the_next() {
    let (io, _) = server(SocketIo::builder());
    let client = Polling::join(&io, "/").await;
    let mut probe = Box::pin(kit::ticket(&io, Some(&client.sid)).drive(tokio::io::duplex(64).0));
    assert!(poll_fn(|cx| Poll::Ready(probe.as_mut().poll(cx))).await.is_pending());
    idle().await;
    drop(probe);
    upgraded(&io, &client).await.quiet(secs(100)).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_posted_is_handled_before_the_websocket_takes_over() {
    let gate = Gate::closed();
    let builder = SocketIo::builder().max_handlers(1).max_pending_bytes(0);
    let (io, log) = server(builder.state(gate.clone()));
    io.of("/")
        .on("work", async |State(gate): State<Gate>| gate.pass().await);
    let client = Polling::join(&io, "/").await;
    let mut packets = vec![r#"42["work"]"#.to_owned(); 3];
    packets.extend((0..100).map(|n| format!(r#"42["note",{n}]"#)));
    let post = client.open_post(&packets.join("\x1e")).await;
    let mut ws = probed(&io, &client).await;
    ws.send_all(&["5", r#"42["note",100]"#]).await;
    idle().await;
    assert!(!post.is_finished());
    gate.admit(3);
    assert_eq!(answer(post).await.status, 200);
    idle().await;
    assert_eq!(log.take(), (0..=100).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_websocket_that_dies_right_after_it_took_over_ends_the_session() {
    let (io, log) = server(SocketIo::builder());
    let client = Polling::join(&io, "/").await;
    let mut ws = probed(&io, &client).await;
    ws.send("5").await;
    ws.vanish().await;
    idle().await;
    assert_eq!(log.take(), ["transport close"]);
    assert_eq!(io.clients_count(), 0);
    assert_eq!(client.get().await.status, 400);
}

/// Numerical Recipes' generator, for interleavings that can be repeated by their seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    async fn wait(&mut self, below: u64) {
        sleep(millis(self.below(below))).await;
    }
}

/// Messages both ways during an upgrade: the client polls, posts and probes at the dice's pace.
async fn upgrade_under_load(seed: u64) {
    const MESSAGES: u32 = 60;
    let (io, log) = server(SocketIo::builder());
    let client = Polling::join(&io, "/").await;
    let mut dice = Dice(seed);
    let emitter = io.clone();
    let emitting = tokio::spawn(async move {
        for n in 0..MESSAGES {
            emitter.emit("n", n).expect("json");
            sleep(millis(1)).await;
        }
    });

    let mut received = Vec::new();
    let mut posted = 0..;
    let note = |n: u32| format!(r#"42["note",{n}]"#);
    let take = |received: &mut Vec<String>, answer: &Answer| {
        let packets = answer.packets().into_iter().filter(|packet| *packet != "6");
        received.extend(packets.map(str::to_owned));
    };
    for _ in 0..dice.below(6) {
        take(&mut received, &client.get().await);
        client.posted(&note(posted.next().expect("endless"))).await;
        dice.wait(4).await;
    }
    let mut ws = Ws::upgrade(&io, &client.sid);
    for _ in 0..dice.below(3) {
        take(&mut received, &client.get().await);
        dice.wait(3).await;
    }
    ws.send("2probe").await;
    for _ in 0..dice.below(3) {
        take(&mut received, &client.get().await);
        client.posted(&note(posted.next().expect("endless"))).await;
        dice.wait(3).await;
    }
    assert_eq!(ws.text().await, "3probe");
    dice.wait(3).await;
    // Some clients wait for their poll before they say that they are ready, others do not.
    let open = if dice.below(2) == 0 {
        None
    } else {
        Some(client.open_get().await)
    };
    dice.wait(3).await;
    ws.send("5").await;
    if dice.below(2) == 0 {
        ws.send(&note(posted.next().expect("endless"))).await;
    }
    if let Some(open) = open {
        take(&mut received, &answer(open).await);
    }
    while received.len() < MESSAGES as usize {
        received.push(ws.text().await);
    }
    ws.send(&note(posted.next().expect("endless"))).await;
    assert_eq!(ws.texts().await, [""; 0], "seed {seed}");
    emitting.await.expect("no panic");

    let expected: Vec<_> = (0..MESSAGES).map(|n| format!(r#"42["n",{n}]"#)).collect();
    assert_eq!(received, expected, "seed {seed}");
    let noted: Vec<_> = (0..posted.start).map(|n| n.to_string()).collect();
    assert_eq!(log.take(), noted, "seed {seed}");
    ws.vanish().await;
}

#[tokio::test(start_paused = true)]
async fn messages_arrive_once_and_in_order_however_an_upgrade_interleaves_with_them() {
    for seed in 0..400 {
        upgrade_under_load(seed).await;
    }
}

fn runtime(name: &str) -> Runtime {
    let mut runtime = Builder::new_multi_thread();
    runtime.worker_threads(1).thread_name(name).enable_all();
    runtime.build().expect("a runtime")
}

/// In real time: the clocks of two runtimes cannot be paused as one.
#[test]
fn a_websocket_whose_runtime_dies_leaves_its_disconnect_handler_to_the_servers() {
    let (home, worker) = (runtime("home"), runtime("worker"));
    let (left, mut leaving) = unbounded_channel::<String>();
    let io = SocketIo::builder().runtime(home.handle().clone()).state(left).build();
    io.of("/")
        .on("where", async |socket: Socket| {
            socket.emit("thread", thread::current().name())
        })
        .on_disconnect(
            async |State(left): State<UnboundedSender<String>>, why: DisconnectReason| {
                tokio::task::yield_now().await;
                let _ = left.send(format!("{why}, on {:?}", thread::current().name()));
            },
        );
    let mut ws = home.block_on(async {
        let client = Polling::join(&io, "/").await;
        client.posted(r#"42["where"]"#).await;
        assert_eq!(client.get().await.packets(), [r#"42["thread","home"]"#]);
        let entered = worker.enter();
        let mut ws = Ws::upgrade(&io, &client.sid);
        drop(entered);
        ws.send("2probe").await;
        assert_eq!(ws.text().await, "3probe");
        ws.send("5").await;
        ws.send(r#"42["where"]"#).await;
        assert_eq!(ws.text().await, r#"42["thread","worker"]"#);
        ws
    });
    drop(worker);
    let left = home.block_on(async {
        let left = tokio::time::timeout(Duration::from_secs(60), leaving.recv()).await;
        assert_eq!(ws.next().await, None);
        left.expect("a disconnect handler that runs").expect("a sender")
    });
    assert_eq!(left, r#"transport close, on Some("home")"#);
    assert_eq!(io.clients_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_is_told_once_to_each_socket_of_the_client() {
    let (io, log) = server(SocketIo::builder());
    for path in ["/", "/chat"] {
        let log = log.clone();
        io.of(path).on_upgrade(move |socket| {
            log.add(format!("{} {}", socket.namespace().path(), socket.transport().as_str()));
            socket.emit("upgraded", 1).expect("json");
        });
    }
    let client = Polling::join(&io, "/").await;
    client.posted("40/chat,").await;
    client.get().await;
    let mut ws = upgraded(&io, &client).await;
    ws.send(r#"42["transport"]"#).await;
    let packets = [
        r#"42["upgraded",1]"#,
        r#"42/chat,["upgraded",1]"#,
        r#"42["transport","websocket"]"#,
    ];
    assert_eq!(ws.texts().await, packets);
    assert_eq!(log.take(), ["/ websocket", "/chat websocket"]);
    // No change: a WebSocket from the beginning, and a poll after a poll.
    Ws::join(&io, "/").await.vanish().await;
    Polling::join(&io, "/").await.posted("41").await;
    assert_eq!(log.take(), ["transport close", "client namespace disconnect"]);
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_hook_of_upgrades_harms_nobody() {
    let (io, log) = server(SocketIo::builder());
    io.of("/").on_upgrade(|_| panic!("on purpose"));
    let client = Polling::join(&io, "/").await;
    let mut ws = upgraded(&io, &client).await;
    ws.send(r#"42["note",1]"#).await;
    idle().await;
    assert_eq!(log.take(), ["1"]);
}
