//! Operators of broadcasts, whatever they begin with and whatever generations hear them; sockets that are
//! found, moved and disconnected from afar.

mod kit;

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use kit::{Log, Packet, Ws, idle, secs};
use serde_json::{Value, json};
use tokio::time::Instant;
use tower_socketio::{AckError, Broadcast, DisconnectReason, RemoteSocket, Socket, SocketIo, State};

/// A client of each generation, of the main namespace, and their sockets.
async fn generations() -> (SocketIo, [Ws; 3], [Socket; 3]) {
    let io = SocketIo::builder().build();
    let mut connected = kit::sockets(&io.of("/"));
    let current = Ws::join(&io, "/").await;
    let (mut third, _) = Ws::open_eio3(&io).await;
    assert_eq!(third.text().await, "40");
    let oldest = Ws::open_v0_9(&io).await;
    let sockets = [connected.next().await, connected.next().await, connected.next().await];
    (io, [current, third, oldest], sockets)
}

/// What each client got: `.` for nothing, and for events their name and arguments without spaces.
async fn heard(clients: &mut [Ws; 3]) -> [String; 3] {
    let mut all: [String; 3] = Default::default();
    for (heard, client) in all.iter_mut().zip(clients) {
        *heard = client.texts().await.join(" ");
    }
    all
}

const NEWS: [&str; 3] = [
    r#"42["news",1]"#,
    r#"42["news",1]"#,
    r#"5:::{"name":"news","args":[1]}"#,
];

/// Which of the clients get the event, each in its generation's form.
async fn reached(clients: &mut [Ws; 3], broadcast: &Broadcast) -> Vec<usize> {
    broadcast.emit("news", 1).expect("json");
    let heard = heard(clients).await;
    (0..3)
        .filter(|n| !heard[*n].is_empty())
        .inspect(|n| assert_eq!(heard[*n], NEWS[*n]))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn every_operator_reaches_every_generation_whatever_it_begins_with() {
    let (io, mut clients, sockets) = generations().await;
    sockets[0].join(["a", "all"]);
    sockets[1].join(["b", "all"]);
    sockets[2].join(["c", "all"]);
    let (nsp, middle) = (io.of("/"), &sockets[1]);
    let own = [sockets[0].id(), sockets[2].id()];
    for (broadcast, whom) in [
        (io.to(["a", "b"]), &[0, 1][..]),
        (nsp.to(["a", "b"]), &[0, 1]),
        (middle.to(["a", "b"]), &[0]),
        (io.within("c"), &[2]),
        (nsp.within(["c", "nobody"]), &[2]),
        (middle.within(["b", "c"]), &[2]),
        (io.except(["a", "c"]), &[1]),
        (nsp.except(["a", "c"]), &[1]),
        (middle.except(["a"]), &[2]),
        (io.local(), &[0, 1, 2]),
        (nsp.local().to("all"), &[0, 1, 2]),
        (middle.local(), &[0, 2]),
        (io.volatile(), &[0, 1, 2]),
        (nsp.volatile().except("b"), &[0, 2]),
        (middle.broadcast().volatile(), &[0, 2]),
        (io.compress(false), &[0, 1, 2]),
        (nsp.compress(true).to("a"), &[0]),
        (middle.broadcast().compress(false), &[0, 2]),
        (io.timeout(secs(1)), &[0, 1, 2]),
        (nsp.timeout(secs(1)).to("c"), &[2]),
        (io.to(own), &[0, 2]),
        (io.to("all").except(own), &[1]),
    ] {
        assert_eq!(reached(&mut clients, &broadcast).await, whom, "{broadcast:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn rooms_are_named_by_any_text_and_by_whatever_gives_several() {
    let (io, mut clients, sockets) = generations().await;
    for (socket, room) in sockets.iter().zip(["a", "b", ""]) {
        socket.join(room);
    }
    let (text, list) = (String::from("a"), vec!["a".to_owned(), "b".to_owned()]);
    for (broadcast, whom) in [
        (io.to(&text), &[0][..]),
        (io.to(text.clone()), &[0]),
        (io.to(&*text), &[0]),
        (io.to(&list), &[0, 1]),
        (io.to(&list[1..]), &[1]),
        (io.to(list.clone()), &[0, 1]),
        (io.to(list.iter().filter(|room| *room == "b")), &[1]),
        (io.to(BTreeSet::from(["a", "b"])), &[0, 1]),
        (io.to(Some("a")), &[0]),
        (io.to(""), &[2]),
        (io.to(["a", "a"]).to("a"), &[0]),
        // A list that happens to be empty must not become everybody.
        (io.to([""; 0]), &[]),
        (io.to([""; 0]).to("a"), &[0]),
        (io.except([""; 0]), &[0, 1, 2]),
    ] {
        assert_eq!(reached(&mut clients, &broadcast).await, whom, "{broadcast:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_broadcast_is_kept_and_used_again_and_its_operators_leave_it_as_it_was() {
    let (io, mut clients, sockets) = generations().await;
    sockets[0].join("a");
    sockets[1].join("b");
    let room = io.to("a");
    let both = room.clone().to("b");
    let none = both.clone().except(["a", "b"]);
    for _ in 0..2 {
        assert_eq!(reached(&mut clients, &room).await, [0]);
        assert_eq!(reached(&mut clients, &both).await, [0, 1]);
        assert_eq!(reached(&mut clients, &none).await, [0; 0]);
    }
    sockets[2].join("a");
    assert_eq!(
        reached(&mut clients, &room).await,
        [0, 2],
        "rooms are looked up when it emits"
    );
}

#[tokio::test(start_paused = true)]
async fn messages_are_sent_to_all_and_to_rooms() {
    let (io, mut clients, sockets) = generations().await;
    sockets[2].join("a");
    io.send("hi").unwrap();
    io.of("/").send("hi").unwrap();
    io.to("a").send("you").unwrap();
    sockets[2].broadcast().send("others").unwrap();
    let event = |text| format!(r#"42["message","{text}"]"#);
    let current = [event("hi"), event("hi"), event("others")].join(" ");
    assert_eq!(
        heard(&mut clients).await,
        [&*current, &*current, "3:::hi 3:::hi 3:::you"]
    );
}

#[tokio::test(start_paused = true)]
async fn volatile_and_uncompressed_emits_of_one_socket_reach_it() {
    let (_io, mut clients, sockets) = generations().await;
    for socket in &sockets {
        socket.compress(false).emit("news", 1).unwrap();
        socket.volatile().compress(false).emit("news", 1).unwrap();
    }
    assert_eq!(heard(&mut clients).await, NEWS.map(|news| format!("{news} {news}")));
}

#[tokio::test(start_paused = true)]
async fn sockets_enter_and_leave_rooms_from_afar() {
    let (io, _clients, sockets) = generations().await;
    sockets[0].join("a");
    sockets[1].join("a");
    io.within("a").except(sockets[1].id()).sockets_join(["x", "y"]);
    io.sockets_join("all");
    sockets[1].broadcast().sockets_join("not me");
    io.of("/").within("x").sockets_leave(["y", "never joined"]);
    io.of("/").sockets_leave("a");
    let rooms = sockets.each_ref().map(|socket| socket.rooms().split_off(1));
    assert_eq!(rooms, [vec!["x", "all", "not me"], vec!["all"], vec!["all", "not me"]]);
}

/// A client's namespaces with their ends, in the order in which they came.
async fn ends(log: &Log) -> Vec<String> {
    idle().await;
    let mut ends = log.take();
    ends.sort();
    ends
}

/// A client of `/` and `/chat`, in a server that notes who leaves and why.
async fn of_two() -> (SocketIo, Ws, Socket, Log) {
    let log = Log::default();
    let io = SocketIo::builder().state(log.clone()).build();
    for path in ["/", "/chat"] {
        io.of(path)
            .on_disconnect(async |socket: Socket, State(log): State<Log>, why: DisconnectReason| {
                log.add(format!("{} {why}", socket.namespace().path()));
            });
    }
    let mut sockets = kit::sockets(&io.of("/"));
    let mut ws = Ws::join(&io, "/").await;
    ws.connect("/chat").await;
    (io, ws, sockets.next().await, log)
}

#[tokio::test(start_paused = true)]
async fn disconnecting_with_the_connection_tells_every_namespace_of_the_client() {
    let by_broadcast = async |io: &SocketIo, _: &Socket| io.disconnect_sockets(true);
    let by_room = async |io: &SocketIo, socket: &Socket| io.within(socket.id()).disconnect_sockets(true);
    let by_client = async |_: &SocketIo, socket: &Socket| socket.client().disconnect();
    let by_remote = async |io: &SocketIo, _: &Socket| io.fetch_sockets().await[0].disconnect(true);
    for way in 0..4 {
        let (io, mut ws, socket, log) = of_two().await;
        match way {
            0 => by_broadcast(&io, &socket).await,
            1 => by_room(&io, &socket).await,
            2 => by_client(&io, &socket).await,
            _ => by_remote(&io, &socket).await,
        }
        let packets = ["41", "41/chat,"].map(|packet| Packet::Text(packet.to_owned()));
        assert_eq!(ws.end().await, packets, "way {way}");
        let ended = ["/ server namespace disconnect", "/chat server namespace disconnect"];
        assert_eq!(ends(&log).await, ended, "way {way}");
    }
}

#[tokio::test(start_paused = true)]
async fn disconnecting_from_one_namespace_leaves_the_others() {
    let (io, mut ws, socket, log) = of_two().await;
    io.of("/chat").fetch_sockets().await[0].disconnect(false);
    assert_eq!(ws.texts().await, ["41/chat,"]);
    assert_eq!(ends(&log).await, ["/chat server namespace disconnect"]);
    assert!(socket.is_connected());
    // Without a word, as a network that fails.
    socket.close();
    assert_eq!(ws.end().await, []);
    assert_eq!(ends(&log).await, ["/ forced close"]);
}

fn find<'a>(sockets: &'a [RemoteSocket], socket: &Socket) -> &'a RemoteSocket {
    let mut found = sockets.iter().filter(|remote| remote.id() == socket.id());
    let one = found.next().expect("the socket");
    assert!(found.next().is_none(), "found once");
    one
}

#[tokio::test(start_paused = true)]
async fn sockets_are_found_with_all_that_is_known_of_them() {
    let (io, _clients, sockets) = generations().await;
    sockets[0].join(["a", "b"]);
    sockets[0].set_data(json!({ "name": "ada" })).unwrap();
    sockets[1].join("b");
    let found = io.fetch_sockets().await;
    assert_eq!(found.len(), 3);
    let (first, last) = (find(&found, &sockets[0]), find(&found, &sockets[2]));
    assert_eq!(first.rooms(), [first.id().as_str(), "a", "b"]);
    assert_eq!(first.data::<Value>().unwrap(), Some(json!({ "name": "ada" })));
    assert!(first.data::<u8>().is_err());
    assert_eq!(first.handshake().query_value("EIO").as_deref(), Some("4"));
    assert_eq!(first.auth_json(), None);
    assert_eq!(
        (last.rooms(), last.data::<Value>().unwrap()),
        (&[last.id().to_string()][..], None)
    );

    // As it was when it was found.
    sockets[0].leave("a");
    sockets[0].set_data("changed").unwrap();
    assert_eq!((first.rooms().len(), first.data::<String>().is_err()), (3, true));

    let ids = async |broadcast: Broadcast| {
        let found = broadcast.fetch_sockets().await;
        let position = |remote: &RemoteSocket| sockets.iter().position(|socket| socket.id() == remote.id());
        found
            .iter()
            .map(|remote| position(remote).expect("known"))
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(ids(io.to("b")).await, [0, 1].into());
    assert_eq!(ids(io.to(["a", "b"]).except("b")).await, [].into());
    assert_eq!(ids(sockets[0].broadcast()).await, [1, 2].into());
    assert_eq!(ids(io.local()).await, [0, 1, 2].into());
    assert_eq!(ids(io.to(sockets[2].id())).await, [2].into());
}

#[tokio::test(start_paused = true)]
async fn the_auth_of_a_socket_is_found_with_it() {
    let io = SocketIo::builder().build();
    let mut ws = Ws::open(&io).await;
    ws.send(r#"40{"token":"secret"}"#).await;
    ws.text().await;
    let found = io.of("/").fetch_sockets().await;
    assert_eq!(found[0].auth_json(), Some(r#"{"token":"secret"}"#));
    assert!(!format!("{found:?}").contains("secret"));
}

#[tokio::test(start_paused = true)]
async fn a_found_socket_is_told_asked_and_moved() {
    let (io, mut clients, sockets) = generations().await;
    let found = io.fetch_sockets().await;
    for socket in &sockets {
        let remote = find(&found, socket);
        remote.emit("news", 1).unwrap();
        remote.join(["a", "b"]);
        remote.leave("a");
        assert_eq!(socket.rooms().split_off(1), ["b"]);
    }
    assert_eq!(heard(&mut clients).await, NEWS);

    let remote = find(&found, &sockets[2]);
    let answer = remote.timeout(secs(5)).emit_with_ack::<String>("name?", 1);
    let question = clients[2].text().await;
    let id = question
        .strip_prefix("5:")
        .and_then(|rest| rest.split_once('+'))
        .expect("a question")
        .0;
    clients[2].send(&format!(r#"6:::{id}+["ada"]"#)).await;
    assert_eq!(answer.await.unwrap(), "ada");

    let start = Instant::now();
    let answer = remote.timeout(secs(5)).emit_with_ack::<String>("name?", 1).await;
    assert!(matches!(answer, Err(AckError::Timeout)), "{answer:?}");
    assert_eq!(start.elapsed(), secs(5));

    let unwritable = HashMap::from([((1, 2), 3)]);
    let answer = remote.emit_with_ack::<u8>("x", unwritable).await;
    assert!(matches!(answer, Err(AckError::Encode(_))), "{answer:?}");

    let waiting = remote.emit_with_ack::<u8>("x", 1);
    remote.disconnect(false);
    assert!(matches!(waiting.await, Err(AckError::Disconnected)));
    assert!(matches!(
        remote.emit_with_ack::<u8>("x", 1).await,
        Err(AckError::Disconnected)
    ));
    remote.emit("nobody", 1).unwrap();
    remote.join("a");
    assert_eq!(io.fetch_sockets().await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn data_is_one_json_value_that_is_kept_until_the_end() {
    let log = Log::default();
    let io = SocketIo::builder().state(log.clone()).build();
    io.of("/")
        .on_disconnect(async |socket: Socket, State(log): State<Log>| {
            log.add(format!("{:?}", socket.data::<Vec<u8>>().unwrap()));
        });
    let mut sockets = kit::sockets(&io.of("/"));
    let client = Ws::join(&io, "/").await;
    let socket = sockets.next().await;
    assert_eq!(socket.data::<String>().unwrap(), None);
    socket.insert(String::from("typed values are others"));
    assert_eq!(socket.data::<String>().unwrap(), None);
    socket.set_data("text").unwrap();
    assert_eq!(socket.data::<String>().unwrap().as_deref(), Some("text"));
    assert!(socket.data::<u8>().is_err());
    assert!(socket.set_data(HashMap::from([((1, 2), 3)])).is_err());
    assert_eq!(
        socket.data::<String>().unwrap().as_deref(),
        Some("text"),
        "what it had is kept"
    );
    socket.set_data([1, 2]).unwrap();
    assert_eq!(socket.get::<String>().as_deref(), Some("typed values are others"));
    client.vanish().await;
    assert_eq!(log.take(), ["Some([1, 2])"]);
}

#[tokio::test(start_paused = true)]
async fn a_binary_broadcast_goes_to_those_who_have_binary() {
    let (io, [mut current, mut third, mut oldest], sockets) = generations().await;
    for socket in &sockets {
        socket.join("a");
    }
    io.to(["a"]).emit("b", Bytes::from_static(b"x")).unwrap();
    for (client, bytes) in [(&mut current, &b"x"[..]), (&mut third, b"\x04x")] {
        assert_eq!(client.text().await, r#"451-["b",{"_placeholder":true,"num":0}]"#);
        assert_eq!(client.binary().await, bytes);
    }
    assert!(oldest.texts().await.is_empty());
}
