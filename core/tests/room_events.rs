//! What is told of rooms: all that happens, in its order, and in nobody's way.

mod kit;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use kit::{Log, Ws, idle};
use proptest::{prelude::*, test_runner::TestRunner};
use tower_socketio::{DisconnectReason, Namespace, RoomEvent, Socket, SocketIo, State};

/// A server whose events are noted, ids by the names that the test gives them.
fn watched() -> (SocketIo, Log) {
    let log = Log::default();
    let io = SocketIo::builder().state(log.clone()).build();
    let events = log.clone();
    io.of("/").on_room_event(move |event| {
        events.add(match event {
            RoomEvent::Create { room } => format!("create {room}"),
            RoomEvent::Join { room, id } => format!("join {room} {id}"),
            RoomEvent::Leave { room, id } => format!("leave {room} {id}"),
            RoomEvent::Delete { room } => format!("delete {room}"),
        });
    });
    (io, log)
}

/// The events since the last call, with the sockets' ids as `#0`, `#1`, ….
fn told(log: &Log, sockets: &[&Socket]) -> Vec<String> {
    let name = |line: String| {
        let named = |line: String, (n, socket): (usize, &&Socket)| line.replace(socket.id().as_str(), &format!("#{n}"));
        sockets.iter().enumerate().fold(line, named)
    };
    log.take().into_iter().map(name).collect()
}

#[tokio::test(start_paused = true)]
async fn rooms_are_created_with_their_first_member_and_deleted_with_their_last() {
    let (io, log) = watched();
    let mut sockets = kit::sockets(&io.of("/"));
    let _clients = [Ws::join(&io, "/").await, Ws::join(&io, "/").await];
    let (first, second) = (sockets.next().await, sockets.next().await);
    let both = [&first, &second];
    assert_eq!(
        told(&log, &both),
        ["create #0", "join #0 #0", "create #1", "join #1 #1"]
    );
    first.join(["a", "b", "a"]);
    assert_eq!(told(&log, &both), ["create a", "join a #0", "create b", "join b #0"]);
    second.join("a");
    first.join("a");
    assert_eq!(told(&log, &both), ["join a #1"]);
    first.leave("a");
    first.leave(["a", "never joined"]);
    assert_eq!(told(&log, &both), ["leave a #0"]);
    io.sockets_leave("a");
    assert_eq!(told(&log, &both), ["leave a #1", "delete a"]);
    // Its own room it is always in.
    first.join(first.id());
    first.leave(first.id());
    assert!(told(&log, &both).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_socket_leaves_all_of_its_rooms_before_its_disconnect_handler() {
    let (io, log) = watched();
    io.of("/")
        .on_disconnect(async |State(log): State<Log>, why: DisconnectReason| log.add(why));
    let mut sockets = kit::sockets(&io.of("/"));
    let client = Ws::join(&io, "/").await;
    let socket = sockets.next().await;
    socket.join(["a", "b"]);
    log.take();
    client.vanish().await;
    let events = [
        "leave #0 #0",
        "delete #0",
        "leave a #0",
        "delete a",
        "leave b #0",
        "delete b",
        "transport close",
    ];
    assert_eq!(told(&log, &[&socket]), events);
    socket.join("a");
    assert!(log.take().is_empty());
}

#[tokio::test(start_paused = true)]
async fn rooms_that_were_entered_before_the_socket_was_let_in_are_told_when_it_is() {
    let (io, log) = watched();
    io.of("/").on_connect(async |socket: Socket, State(log): State<Log>| {
        socket.join("a");
        log.add("deciding");
        match socket.auth_json() {
            Some(_) => Err(tower_socketio::Refusal::new("no")),
            None => Ok(()),
        }
    });
    let mut client = Ws::open(&io).await;
    client.send(r#"40{"refuse":true}"#).await;
    idle().await;
    assert_eq!(log.take(), ["deciding"], "one that is refused was never there");
    let mut client = Ws::open(&io).await;
    let id = client.connect("/").await;
    let events = [
        "deciding".to_owned(),
        format!("create {id}"),
        format!("join {id} {id}"),
        "create a".to_owned(),
    ];
    assert_eq!(log.take()[..4], events);
}

#[tokio::test(start_paused = true)]
async fn the_room_of_a_sockets_id_is_there_with_it_and_with_others_after_it() {
    let (io, log) = watched();
    let mut sockets = kit::sockets(&io.of("/"));
    let mut clients = [Ws::join(&io, "/").await, Ws::join(&io, "/").await];
    let (first, second) = (sockets.next().await, sockets.next().await);
    let both = [&first, &second];
    log.take();
    second.join(first.id());
    second.leave(first.id());
    assert_eq!(told(&log, &both), ["join #0 #1", "leave #0 #1"]);
    second.join(first.id());
    first.disconnect();
    assert_eq!(told(&log, &both), ["join #0 #1", "leave #0 #0"]);
    second.leave(first.id());
    assert_eq!(told(&log, &both), ["leave #0 #1", "delete #0"]);
    clients[0].texts().await;
}

#[tokio::test(start_paused = true)]
async fn a_hook_may_do_with_sockets_and_rooms_what_it_likes() {
    let (io, log) = watched();
    let server = io.clone();
    io.of("/").on_room_event(move |event| {
        if let RoomEvent::Join { room: "a", id } = event {
            let socket = server.of("/").socket(id).expect("it is there");
            assert!(socket.rooms().contains(&"a".to_owned()));
            socket.join("b");
            server.to("b").emit("joined", id).expect("json");
            server.within(id).sockets_leave("a");
        }
    });
    let mut sockets = kit::sockets(&io.of("/"));
    let mut client = Ws::join(&io, "/").await;
    let socket = sockets.next().await;
    log.take();
    socket.join("a");
    let events = [
        "create a",
        "join a #0",
        "create b",
        "join b #0",
        "leave a #0",
        "delete a",
    ];
    assert_eq!(told(&log, &[&socket]), events);
    assert_eq!(client.texts().await, [format!(r#"42["joined","{}"]"#, socket.id())]);
}

#[tokio::test(start_paused = true)]
async fn hooks_are_called_in_order_and_one_that_panics_harms_nobody() {
    let log = Log::default();
    let io = SocketIo::builder().build();
    let add = |nsp: &Namespace, name: &'static str| {
        let log = log.clone();
        nsp.on_room_event(move |_| log.add(name));
    };
    add(&io.of("/"), "first");
    io.of("/").on_room_event(|_| panic!("on purpose"));
    add(&io.of("/"), "third");
    add(&io.of("/other"), "another namespace's");
    let mut sockets = kit::sockets(&io.of("/"));
    let _client = Ws::join(&io, "/").await;
    let socket = sockets.next().await;
    log.take();
    socket.leave("a");
    socket.join("a");
    assert_eq!(log.take(), ["first", "third", "first", "third"]);
    assert_eq!(socket.rooms().len(), 2);
}

/// Rooms as one who only listens knows them. Panics where an event does not fit what came before.
#[derive(Default)]
struct Listener(BTreeMap<String, BTreeSet<String>>);

impl Listener {
    fn hear(&mut self, event: RoomEvent<'_>) {
        match event {
            RoomEvent::Create { room } => assert!(self.0.insert(room.into(), BTreeSet::new()).is_none(), "{room}"),
            RoomEvent::Join { room, id } => {
                let members = self.0.get_mut(room).expect("it was created");
                assert!(members.insert(id.to_string()), "{id} was in {room}");
            }
            RoomEvent::Leave { room, id } => {
                let members = self.0.get_mut(room).expect("it was created");
                assert!(members.remove(id.as_str()), "{id} was not in {room}");
            }
            RoomEvent::Delete { room } => {
                assert_eq!(self.0.remove(room).map(|members| members.len()), Some(0), "{room}");
            }
        }
    }
}

/// A listener of the server's main namespace.
fn listener(io: &SocketIo) -> Arc<Mutex<Listener>> {
    let listener = Arc::<Mutex<Listener>>::default();
    let heard = listener.clone();
    io.of("/")
        .on_room_event(move |event| heard.lock().expect("no event was out of order").hear(event));
    listener
}

/// Rooms as their members know them.
fn rooms_of(sockets: &[Socket]) -> BTreeMap<String, BTreeSet<String>> {
    let mut rooms = BTreeMap::<_, BTreeSet<_>>::new();
    for socket in sockets.iter().filter(|socket| socket.is_connected()) {
        for room in socket.rooms() {
            rooms.entry(room).or_default().insert(socket.id().to_string());
        }
    }
    rooms
}

const CLIENTS: usize = 3;

#[derive(Debug, Clone)]
enum Step {
    Join(usize, usize),
    Leave(usize, usize),
    Disconnect(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0..CLIENTS, 0..CLIENTS + 3).prop_map(|(client, room)| Step::Join(client, room)),
        4 => (0..CLIENTS, 0..CLIENTS + 3).prop_map(|(client, room)| Step::Leave(client, room)),
        1 => (0..CLIENTS).prop_map(Step::Disconnect),
    ]
}

async fn follow(steps: &[Step]) {
    let io = SocketIo::builder().build();
    let listener = listener(&io);
    let mut connected = kit::sockets(&io.of("/"));
    let (mut clients, mut sockets) = (Vec::new(), Vec::new());
    for _ in 0..CLIENTS {
        clients.push(Ws::join(&io, "/").await);
        sockets.push(connected.next().await);
    }
    let name = |room: usize| {
        sockets
            .get(room)
            .map_or(format!("room {room}"), |socket| socket.id().to_string())
    };
    for step in steps {
        match *step {
            Step::Join(client, room) => sockets[client].join(name(room)),
            Step::Leave(client, room) => sockets[client].leave(name(room)),
            Step::Disconnect(client) => sockets[client].disconnect(),
        }
        assert_eq!(
            listener.lock().expect("no event was out of order").0,
            rooms_of(&sockets)
        );
    }
}

#[test]
fn who_listens_knows_all_rooms_and_members_at_any_time() {
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let runtime = || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_time().start_paused(true).build().expect("a runtime")
    };
    runner
        .run(&prop::collection::vec(step(), 1..40), |steps| {
            runtime().block_on(follow(&steps));
            Ok(())
        })
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn events_of_many_threads_are_told_one_at_a_time_and_in_order() {
    let io = SocketIo::builder().build();
    let listener = listener(&io);
    let (calls, most) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    let most_calls = most.clone();
    io.of("/").on_room_event(move |_| {
        most_calls.fetch_max(calls.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        thread::yield_now();
        calls.fetch_sub(1, Ordering::SeqCst);
    });
    let mut connected = kit::sockets(&io.of("/"));
    let (mut clients, mut sockets) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        clients.push(Ws::join(&io, "/").await);
        sockets.push(connected.next().await);
    }
    thread::scope(|scope| {
        for socket in &sockets {
            scope.spawn(move || {
                for n in 0..500 {
                    socket.join(["a", "b"]);
                    socket.leave(if n % 3 == 0 { "a" } else { "b" });
                }
            });
        }
    });
    assert_eq!(most.load(Ordering::SeqCst), 1);
    assert_eq!(
        listener.lock().expect("no event was out of order").0,
        rooms_of(&sockets)
    );
}
