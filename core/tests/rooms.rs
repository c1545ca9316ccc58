//! Rooms and broadcasts: whom they reach, and whom once.

mod kit;

use std::collections::BTreeSet;

use kit::{Packet, Ws, idle, secs, sockets};
use proptest::{prelude::*, test_runner::TestRunner};
use tower_socketio::{Broadcast, Socket, SocketIo};

/// So many clients and their sockets.
async fn clients<const N: usize>() -> (SocketIo, [Ws; N], [Socket; N]) {
    let io = SocketIo::builder().build();
    let mut connected = kit::sockets(&io.of("/"));
    let (mut clients, mut sockets) = (Vec::new(), Vec::new());
    for _ in 0..N {
        clients.push(Ws::join(&io, "/").await);
        sockets.push(connected.next().await);
    }
    let (Ok(clients), Ok(sockets)) = (clients.try_into(), sockets.try_into()) else {
        unreachable!("N of each")
    };
    (io, clients, sockets)
}

/// Which clients the event reaches, and that each gets it once.
async fn reached<const N: usize>(clients: &mut [Ws; N], broadcast: Broadcast) -> Vec<usize> {
    broadcast.emit("news", 1).expect("json");
    let mut reached = Vec::new();
    for (n, client) in clients.iter_mut().enumerate() {
        let texts = client.texts().await;
        if !texts.is_empty() {
            assert_eq!(texts, [r#"42["news",1]"#]);
            reached.push(n);
        }
    }
    reached
}

#[tokio::test(start_paused = true)]
async fn broadcasts_reach_those_whom_they_name() {
    let (io, mut clients, sockets) = clients::<4>().await;
    for (n, rooms) in [(0, &["a"][..]), (1, &["a", "b"]), (2, &["b"])] {
        for room in rooms {
            sockets[n].join(room);
        }
    }
    let (nsp, socket) = (io.of("/"), &sockets[1]);
    let own = socket.id().as_str();
    for (broadcast, whom) in [
        (nsp.to("a"), &[0, 1][..]),
        (io.to("b"), &[1, 2]),
        (nsp.to("a").to("b"), &[0, 1, 2]),
        (nsp.to("a").to("a"), &[0, 1]),
        (nsp.to("a").except("b"), &[0]),
        (io.except("a"), &[2, 3]),
        (nsp.except("a").except("b"), &[3]),
        (nsp.to("nobody"), &[]),
        (nsp.to("a").to("nobody"), &[0, 1]),
        (nsp.except("nobody"), &[0, 1, 2, 3]),
        (nsp.local(), &[0, 1, 2, 3]),
        (nsp.volatile(), &[0, 1, 2, 3]),
        (nsp.to("a").volatile().local(), &[0, 1]),
        (socket.broadcast(), &[0, 2, 3]),
        (socket.local(), &[0, 2, 3]),
        (socket.to("a"), &[0]),
        (socket.to("a").to("b"), &[0, 2]),
        (socket.except("a"), &[2, 3]),
        (nsp.to(own), &[1]),
        (nsp.to(own).to("a"), &[0, 1]),
        (nsp.except(own), &[0, 2, 3]),
        (socket.to(own), &[]),
    ] {
        let what = format!("{broadcast:?}");
        assert_eq!(reached(&mut clients, broadcast).await, whom, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn sockets_are_disconnected_by_room_with_or_without_their_connections() {
    let (io, [mut first, mut second, mut third], sockets) = clients::<3>().await;
    for socket in &sockets[..2] {
        socket.join("a");
    }
    io.to("a").except(sockets[1].id()).disconnect_sockets(false);
    assert_eq!(first.texts().await, ["41"]);
    io.to("a").disconnect_sockets(true);
    assert_eq!(second.end().await, [Packet::Text("41".to_owned())]);
    assert_eq!(sockets.map(|socket| socket.is_connected()), [false, false, true]);
    assert_eq!(io.clients_count(), 2);
    assert!(third.texts().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn others_may_join_the_room_of_a_sockets_own_id() {
    let (io, mut clients, sockets) = clients::<3>().await;
    let own = sockets[0].id().as_str();
    sockets[1].join(own);
    assert_eq!(reached(&mut clients, io.to(own)).await, [0, 1]);
    assert_eq!(reached(&mut clients, io.except(own)).await, [2]);
    sockets[0].join(own);
    sockets[0].leave(own);
    assert_eq!(reached(&mut clients, io.to(own)).await, [0, 1], "it cannot be left");
    assert_eq!(sockets[0].rooms(), [own]);
}

#[tokio::test(start_paused = true)]
async fn a_room_is_left_once_and_for_all() {
    let (io, mut clients, sockets) = clients::<2>().await;
    for socket in &sockets {
        socket.join("a");
        socket.join("a");
    }
    assert_eq!(sockets[0].rooms(), [sockets[0].id().as_str(), "a"]);
    sockets[0].leave("a");
    sockets[0].leave("never joined");
    assert_eq!(reached(&mut clients, io.to("a")).await, [1]);
    assert_eq!(sockets[0].rooms(), [sockets[0].id().as_str()]);
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_has_left_is_in_no_room_and_remembers_which_they_were() {
    let (io, [mut first, second], [socket, gone]) = clients::<2>().await;
    socket.join("a");
    gone.join("a");
    second.vanish().await;
    assert_eq!(gone.rooms(), [gone.id().as_str(), "a"]);
    gone.join("b");
    assert_eq!(gone.rooms().len(), 2);
    assert_eq!(io.of("/").sockets_count(), 1);
    assert!(io.of("/").socket(gone.id()).is_none());
    for room in ["a", "b", gone.id().as_str()] {
        io.to(room).emit("news", 1).unwrap();
    }
    assert_eq!(first.texts().await, [r#"42["news",1]"#]);
    gone.to("a").emit("last", 1).unwrap();
    assert_eq!(first.texts().await, [r#"42["last",1]"#], "it may still speak");
}

#[tokio::test(start_paused = true)]
async fn any_task_may_broadcast() {
    let (io, mut clients, sockets) = clients::<3>().await;
    for socket in &sockets {
        socket.join("a");
    }
    let emitter = io.clone();
    let emitting = tokio::spawn(async move {
        for n in 0..1000 {
            emitter.to("a").emit("n", n).expect("json");
            tokio::task::yield_now().await;
        }
    });
    emitting.await.expect("no panic");
    let all: Vec<_> = (0..1000).map(|n| format!(r#"42["n",{n}]"#)).collect();
    for client in &mut clients {
        assert_eq!(client.texts().await, all);
    }
}

const CLIENTS: usize = 4;

/// What happens to the clients: numbers are clients and rooms.
#[derive(Debug, Clone)]
enum Step {
    Join(usize, usize),
    Leave(usize, usize),
    Disconnect(usize),
    Broadcast {
        from: Option<usize>,
        to: Vec<usize>,
        except: Vec<usize>,
    },
}

/// Rooms: five by name and the own ones of the clients.
fn name(room: usize, ids: &[String]) -> String {
    ids.get(room).cloned().unwrap_or_else(|| format!("room {room}"))
}

fn step() -> impl Strategy<Value = Step> {
    let rooms = || prop::collection::vec(0..CLIENTS + 5, 0..3);
    let broadcast = (prop::option::of(0..CLIENTS), rooms(), rooms());
    prop_oneof![
        4 => (0..CLIENTS, 0..CLIENTS + 5).prop_map(|(client, room)| Step::Join(client, room)),
        2 => (0..CLIENTS, CLIENTS..CLIENTS + 5).prop_map(|(client, room)| Step::Leave(client, room)),
        1 => (0..CLIENTS).prop_map(Step::Disconnect),
        5 => broadcast.prop_map(|(from, to, except)| Step::Broadcast { from, to, except }),
    ]
}

/// Does the steps to a server and to sets of rooms, and compares what is delivered.
async fn follow(steps: &[Step]) {
    let (io, mut clients, sockets) = clients::<CLIENTS>().await;
    let ids = sockets.each_ref().map(|socket| socket.id().to_string());
    let mut model: [BTreeSet<usize>; CLIENTS] = std::array::from_fn(|client| [client].into());
    let mut expected: [Vec<String>; CLIENTS] = Default::default();
    for (n, step) in steps.iter().enumerate() {
        match step {
            Step::Join(client, room) => {
                sockets[*client].join(name(*room, &ids));
                if !model[*client].is_empty() {
                    model[*client].insert(*room);
                }
            }
            Step::Leave(client, room) => {
                sockets[*client].leave(name(*room, &ids));
                model[*client].remove(room);
            }
            Step::Disconnect(client) => {
                sockets[*client].disconnect();
                if !std::mem::take(&mut model[*client]).is_empty() {
                    expected[*client].push("41".to_owned());
                }
            }
            Step::Broadcast { from, to, except } => {
                let broadcast = match from {
                    Some(from) => sockets[*from].broadcast(),
                    None => io.of("/").local(),
                };
                let broadcast = to.iter().fold(broadcast, |all, room| all.to(name(*room, &ids)));
                let broadcast = except.iter().fold(broadcast, |all, room| all.except(name(*room, &ids)));
                broadcast.emit("n", n).expect("json");
                for (client, rooms) in model.iter().enumerate() {
                    let is_in = |room: &usize| rooms.contains(room);
                    let named = !rooms.is_empty() && (to.is_empty() || to.iter().any(is_in));
                    if named && Some(client) != *from && !except.iter().any(is_in) {
                        expected[client].push(format!(r#"42["n",{n}]"#));
                    }
                }
            }
        }
    }
    idle().await;
    for (client, expected) in clients.iter_mut().zip(&expected) {
        assert_eq!(client.texts().await, *expected);
    }
}

#[test]
fn any_joins_and_broadcasts_deliver_what_sets_of_rooms_would() {
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
async fn a_list_of_rooms_that_is_made_as_it_is_read_may_look_at_the_socket() {
    let (done, is_done) = std::sync::mpsc::channel();
    let io = SocketIo::builder().build();
    let mut found = sockets(&io.of("/"));
    let _ws = Ws::join(&io, "/").await;
    let socket = found.next().await;
    let checked = socket.clone();
    std::thread::spawn(move || {
        socket.join(["a", "b"]);
        let wanted = ["b", "c"];
        socket.join(
            wanted
                .iter()
                .filter(|room| !socket.rooms().contains(&(**room).to_owned())),
        );
        socket.leave(
            ["a", "b"]
                .iter()
                .filter(|room| socket.rooms().contains(&(**room).to_owned())),
        );
        done.send(()).unwrap();
    });
    is_done.recv_timeout(secs(20)).expect("it waits for itself");
    assert_eq!(checked.rooms()[1..], ["c"]);
}

#[tokio::test(start_paused = true)]
async fn rooms_and_who_is_in_them_are_counted() {
    let io = SocketIo::builder().build();
    let chat = io.of("/chat");
    let mut found = sockets(&chat);
    let _clients = [Ws::join(&io, "/chat").await, Ws::join(&io, "/chat").await];
    let [one, two] = [found.next().await, found.next().await];
    one.join(["a", "b"]);
    two.join("b");
    let mut rooms = chat.rooms();
    rooms.sort_unstable();
    assert_eq!(rooms, ["a", "b"]);
    let count = |rooms: &[&str]| chat.within(rooms).sockets_count();
    assert_eq!(
        [count(&["a"]), count(&["b"]), count(&["a", "b"]), count(&["c"])],
        [1, 2, 2, 0]
    );
    assert_eq!(one.to("b").sockets_count(), 1);
    one.leave(["a", "b"]);
    assert_eq!(chat.rooms(), ["b"]);
}
