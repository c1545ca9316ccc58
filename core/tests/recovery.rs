//! Connection state recovery: what a client gets back that comes back, what it has missed, and what it cannot make
//! the server keep.

mod kit;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
};

use bytes::Bytes;
use kit::{Gate, Log, Packet, Polling, Received, Ws, idle, millis, secs, sockets};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use tower_socketio::{
    Acl, Args, Auth, DisconnectReason, Generation, Namespace, RawArgs, Recovered, Recovery, Refusal, Socket, SocketIo,
    State, namespace, parser::MsgPack, testing,
};

fn server() -> SocketIo {
    with(Recovery::default())
}

fn with(recovery: Recovery) -> SocketIo {
    watched(recovery, &Log::default(), &Gate::closed())
}

/// A server whose handlers have those two as `State`.
fn watched(recovery: Recovery, log: &Log, gate: &Gate) -> SocketIo {
    SocketIo::builder()
        .connection_state_recovery(recovery)
        .state(log.clone())
        .state(gate.clone())
        .build()
}

/// A client that remembers who it is and what it got last, as socket.io-client 4.6 and later do.
struct Client {
    ws: Option<Ws>,
    sid: String,
    pid: String,
    offset: Option<String>,
    /// Events that came before the answer to its CONNECT.
    missed: Vec<Value>,
}

impl Client {
    async fn join(io: &SocketIo) -> Self {
        Self::connect(io, "/", &json!({})).await
    }

    async fn connect(io: &SocketIo, nsp: &str, auth: &Value) -> Self {
        let mut ws = Ws::open(io).await;
        ws.send(&format!("40{}{auth}", kit::head(nsp))).await;
        let mut client = Self {
            ws: Some(ws),
            sid: String::new(),
            pid: String::new(),
            offset: None,
            missed: Vec::new(),
        };
        let connected = loop {
            let text = client.ws().text().await;
            if let Some(connected) = text.strip_prefix(&format!("40{}", kit::head(nsp))) {
                break connected.to_owned();
            }
            let missed = client.read(&text);
            client.missed.push(missed);
        };
        let connected: BTreeMap<String, String> = serde_json::from_str(&connected).expect("an object");
        client.sid.clone_from(&connected["sid"]);
        client.pid.clone_from(&connected["pid"]);
        client
    }

    /// What it says when it comes back.
    fn claim(&self) -> Value {
        json!({ "pid": self.pid, "offset": self.offset })
    }

    fn ws(&mut self) -> &mut Ws {
        self.ws.as_mut().expect("it is there")
    }

    async fn lose(&mut self) {
        self.ws.take().expect("it is there").vanish().await;
    }

    async fn come_back(&mut self, io: &SocketIo) -> bool {
        let back = Self::connect(io, "/", &self.claim()).await;
        let recovered = back.pid == self.pid;
        assert_eq!(back.sid == self.sid, recovered);
        let offset = self.offset.take();
        *self = back;
        self.offset = self.offset.take().or(offset);
        recovered
    }

    /// Loses its connection and comes back.
    async fn blink(&mut self, io: &SocketIo) -> bool {
        self.lose().await;
        self.come_back(io).await
    }

    /// An event without its offset, which is noted.
    fn read(&mut self, text: &str) -> Value {
        let json = text.strip_prefix("42").unwrap_or_else(|| panic!("no event: {text}"));
        let mut event: Vec<Value> = serde_json::from_str(&json[json.find('[').unwrap()..]).expect("an array");
        let offset = event.pop().expect("an offset");
        self.offset = Some(offset.as_str().expect("a string").to_owned());
        Value::Array(event)
    }

    async fn event(&mut self) -> Value {
        let text = self.ws().text().await;
        self.read(&text)
    }

    /// As [`event`](Self::event), of that namespace.
    async fn event_of(&mut self, nsp: &str) -> Value {
        let text = self.ws().text().await;
        assert!(text.starts_with(&format!("42{}", kit::head(nsp))), "{text}");
        self.read(&text)
    }

    async fn events(&mut self) -> Vec<Value> {
        let texts = self.ws().texts().await;
        texts.iter().map(|text| self.read(text)).collect()
    }
}

/// A server, and a client that has got an event.
async fn begun(io: &SocketIo) -> (Client, Socket, Received<Socket>) {
    let mut found = sockets(&io.of("/"));
    let mut client = Client::join(io).await;
    let socket = found.next().await;
    socket.emit("hello", Args(())).unwrap();
    assert_eq!(client.event().await, json!(["hello"]));
    (client, socket, found)
}

#[tokio::test(start_paused = true)]
async fn without_it_nothing_of_it_is_on_the_wire() {
    let io = SocketIo::builder().build();
    let mut found = sockets(&io.of("/"));
    let mut ws = Ws::join(&io, "/").await;
    found.next().await.emit("hello", "you").unwrap();
    assert_eq!(ws.text().await, r#"42["hello","you"]"#);
    ws.vanish().await;
    let mut ws = Ws::open(&io).await;
    ws.send(r#"40{"pid":"aaaaaaaaaaaaaaaaaaaa","offset":"x"}"#).await;
    assert!(!ws.text().await.contains("pid"));
    let socket = found.next().await;
    assert!(!socket.recovered());
    assert_eq!(
        socket.auth_json(),
        Some(r#"{"pid":"aaaaaaaaaaaaaaaaaaaa","offset":"x"}"#)
    );
}

#[tokio::test(start_paused = true)]
async fn events_carry_an_offset_unless_they_may_be_lost_or_ask() {
    let io = server();
    let (mut client, socket, _found) = begun(&io).await;
    let last = client.offset.clone();
    io.emit("a", Args((1, "x"))).unwrap();
    assert_eq!(client.event().await, json!(["a", 1, "x"]));
    assert_ne!(client.offset, last);
    io.to(socket.id()).emit("b", Args(())).unwrap();
    assert_eq!(client.event().await, json!(["b"]));
    idle().await;
    io.volatile().emit("c", 1).unwrap();
    assert_eq!(client.ws().text().await, r#"42["c",1]"#);
    idle().await;
    socket.volatile().emit("d", Args(())).unwrap();
    assert_eq!(client.ws().text().await, r#"42["d"]"#);
    drop(socket.emit_with_ack::<RawArgs>("e", 2));
    assert_eq!(client.ws().text().await, r#"420["e",2]"#);
    socket.emit("f", Bytes::from_static(b"\x01")).unwrap();
    let head = client.ws().text().await;
    assert!(
        head.starts_with(r#"451-["f",{"_placeholder":true,"num":0},""#),
        "{head}"
    );
    assert_eq!(client.ws().binary().await, [1]);
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_is_who_it_was() {
    #[derive(Clone, Debug, PartialEq)]
    struct Nick(&'static str);

    let io = server();
    let (mut client, socket, mut found) = begun(&io).await;
    socket.join("a");
    socket.join("b");
    socket.leave("b");
    socket.insert(Nick("alice"));
    socket.set_data(json!({ "score": 3 })).unwrap();
    assert!(!socket.recovered());
    client.lose().await;
    assert_eq!(io.of("/").sockets_count(), 0);
    assert!(io.of("/").socket(&client.sid).is_none(), "it is not there");
    assert!(client.come_back(&io).await);
    let back = found.next().await;
    assert!(back.recovered());
    assert_eq!(back.id(), socket.id());
    assert_eq!(back.rooms(), [socket.id().as_str(), "a"]);
    assert_eq!(back.get(), Some(Nick("alice")));
    assert_eq!(back.data().unwrap(), Some(json!({ "score": 3 })));
    assert_eq!(io.of("/").sockets_count(), 1);
    io.to("a").emit("to a", Args(())).unwrap();
    back.emit("to it", Args(())).unwrap();
    assert_eq!(client.events().await, [json!(["to a"]), json!(["to it"])]);
    assert!(client.blink(&io).await, "and again");
    assert_eq!(found.next().await.get(), Some(Nick("alice")));
}

#[tokio::test(start_paused = true)]
async fn what_it_missed_comes_before_it_is_let_in_and_nothing_else() {
    let io = server();
    let (mut client, socket, mut found) = begun(&io).await;
    socket.join("in");
    let other = Client::join(&io).await;
    let other_socket = found.next().await;
    client.lose().await;
    io.emit("1", Args(("everybody", json!({ "deep": [null] })))).unwrap();
    io.to("in").to("out").emit("2", "its room").unwrap();
    io.to("out").emit("-", "another room").unwrap();
    io.to(&client.sid).emit("3", "its own room").unwrap();
    io.to(&other.sid).emit("-", "somebody else").unwrap();
    io.except("in").emit("-", "all but its room").unwrap();
    io.except(&client.sid).emit("-", "all but it").unwrap();
    io.except("out").emit("4", "all but others").unwrap();
    other_socket.broadcast().emit("5", "of another").unwrap();
    socket.broadcast().emit("-", "its own").unwrap();
    socket.to("in").emit("-", "its own").unwrap();
    socket.emit("6", "to who it was").unwrap();
    io.volatile().emit("-", "may be lost").unwrap();
    drop(socket.emit_with_ack::<RawArgs>("-", "asks"));
    assert!(client.come_back(&io).await);
    let expected = [
        json!(["1", "everybody", { "deep": [null] }]),
        json!(["2", "its room"]),
        json!(["3", "its own room"]),
        json!(["4", "all but others"]),
        json!(["5", "of another"]),
        json!(["6", "to who it was"]),
    ];
    assert_eq!(client.missed, expected);
    assert_eq!(client.events().await, [] as [Value; 0]);
}

#[tokio::test(start_paused = true)]
async fn bytes_that_it_missed_come_whole() {
    let io = server();
    let (mut client, ..) = begun(&io).await;
    client.lose().await;
    io.emit(
        "bytes",
        Args((Bytes::from_static(b"\x00\xff"), 7, Bytes::from_static(b""))),
    )
    .unwrap();
    let mut ws = Ws::open(&io).await;
    ws.send(&format!("40{}", client.claim())).await;
    let head = ws.text().await;
    let placeholders = r#"452-["bytes",{"_placeholder":true,"num":0},7,{"_placeholder":true,"num":1},""#;
    assert!(head.starts_with(placeholders), "{head}");
    assert_eq!((ws.binary().await, ws.binary().await), (vec![0, 255], vec![]));
    assert!(ws.text().await.contains(&client.sid));
}

#[tokio::test(start_paused = true)]
async fn what_was_on_its_way_when_the_connection_was_lost_comes_again() {
    let io = server();
    let (mut client, socket, _found) = begun(&io).await;
    for number in 0..3 {
        socket.emit("n", number).unwrap();
    }
    // It read the first of them.
    assert_eq!(client.event().await, json!(["n", 0]));
    assert!(client.blink(&io).await);
    assert_eq!(client.missed, [json!(["n", 1]), json!(["n", 2])]);
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_before_it_joined_is_not_missed() {
    let io = server();
    let mut found = sockets(&io.of("/"));
    let mut client = Client::join(&io).await;
    found.next().await.emit("hello", Args(())).unwrap();
    client.event().await;
    io.emit("-", "before it came").unwrap();
    let mut second = Client::join(&io).await;
    io.to("late").emit("-", "before it joined").unwrap();
    let socket = found.next().await;
    socket.join("late");
    io.to("late").emit("1", "since it joined").unwrap();
    second.lose().await;
    // An offset from before it was there, of another client: it gets what it missed since it came.
    second.offset = client.offset.clone();
    assert!(second.come_back(&io).await);
    assert_eq!(second.missed, [json!(["1", "since it joined"])]);
}

#[tokio::test(start_paused = true)]
async fn events_of_others_in_the_same_rooms_have_no_offset_in_older_generations() {
    let io = server();
    let mut found = sockets(&io.of("/"));
    let (mut eio3, sid) = Ws::open_eio3(&io).await;
    assert_eq!(eio3.text().await, "40");
    let old = found.next().await;
    assert_eq!(old.id(), &*sid);
    let mut client = Client::join(&io).await;
    for (args, text) in [
        (json!("a,b"), r#"42["e","a,b"]"#),
        (json!([1, [","]]), r#"42["e",[1,[","]]]"#),
    ] {
        io.emit("e", &args).unwrap();
        assert_eq!(eio3.text().await, text);
        assert_eq!(client.event().await, json!(["e", args]));
    }
    io.emit("none", Args(())).unwrap();
    assert_eq!(eio3.text().await, r#"42["none"]"#);
    io.emit("é", Bytes::from_static(b"\x07")).unwrap();
    assert_eq!(eio3.text().await, r#"451-["é",{"_placeholder":true,"num":0}]"#);
    assert_eq!(eio3.next().await, Some(Packet::Binary(vec![4, 7])));
    old.emit("own", 1).unwrap();
    assert_eq!(eio3.text().await, r#"42["own",1]"#);
    assert!(!old.recovered());
}

#[tokio::test(start_paused = true)]
async fn with_a_parser_of_its_own_only_the_newest_generation_sees_offsets() {
    let builder = SocketIo::builder().connection_state_recovery(Recovery::default());
    let io = builder.parser(MsgPack).build();
    for (generation, arguments) in [(Generation::V0_9, 1), (Generation::Eio3, 1), (Generation::Eio4, 2)] {
        let mut client = testing::client(&io).generation(generation).connect("/").await.unwrap();
        io.emit("news", "a,b").unwrap();
        let news: RawArgs = client.recv("news").await.unwrap();
        assert_eq!(
            (news.len(), news.get(0).unwrap()),
            (arguments, Some("a,b".to_owned())),
            "{generation}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_polling_client_comes_back() {
    let io = server();
    let mut found = sockets(&io.of("/"));
    let polling = Polling::open(&io).await;
    polling.posted("40").await;
    let answer = polling.get().await;
    let connected: BTreeMap<String, String> = serde_json::from_str(&answer.body[2..]).unwrap();
    found.next().await.emit("hello", Args(())).unwrap();
    let hello = polling.get().await;
    let offset = hello
        .body
        .trim_start_matches(r#"42["hello",""#)
        .trim_end_matches(r#""]"#);
    polling.posted("1").await;
    idle().await;
    io.emit("missed", 1).unwrap();
    let back = Polling::open(&io).await;
    back.posted(&format!(r#"40{{"pid":"{}","offset":"{offset}"}}"#, connected["pid"]))
        .await;
    let answer = back.get().await;
    let packets = answer.packets();
    assert!(packets[0].starts_with(r#"42["missed",1,""#), "{packets:?}");
    assert_eq!(packets[1], answer_of(&connected));
    assert!(found.next().await.recovered());
}

fn answer_of(connected: &BTreeMap<String, String>) -> String {
    format!(r#"40{{"sid":"{}","pid":"{}"}}"#, connected["sid"], connected["pid"])
}

#[tokio::test(start_paused = true)]
async fn it_comes_back_in_time_or_begins_anew() {
    for (away, recovered) in [(secs(119), true), (secs(120), false)] {
        let io = server();
        let (mut client, ..) = begun(&io).await;
        client.lose().await;
        tokio::time::sleep(away).await;
        assert_eq!(client.come_back(&io).await, recovered, "{away:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_was_silent_for_long_comes_back_by_an_old_offset() {
    let io = server();
    let (mut client, ..) = begun(&io).await;
    client.ws().quiet(secs(3600)).await;
    assert!(client.blink(&io).await);
}

#[tokio::test(start_paused = true)]
async fn who_knows_no_offset_or_no_pid_begins_anew() {
    let io = server();
    let (mut client, ..) = begun(&io).await;
    let (pid, offset) = (client.pid.clone(), client.offset.clone().unwrap());
    let prefix = offset.split_once('.').unwrap().0.to_owned();
    client.lose().await;
    for claim in [
        json!({ "pid": "aaaaaaaaaaaaaaaaaaaa", "offset": offset }),
        json!({ "pid": "a", "offset": offset }),
        json!({ "pid": client.sid, "offset": offset }),
        json!({ "pid": [pid], "offset": offset }),
        json!({ "pid": pid }),
        json!({ "pid": pid, "offset": 1 }),
        json!({ "offset": offset }),
    ] {
        let stranger = Client::connect(&io, "/", &claim).await;
        assert!(stranger.pid != pid && stranger.sid != client.sid, "{claim}");
    }
    assert!(client.come_back(&io).await, "none of them was it");
    for offset in [
        "",
        "x",
        "hello",
        ".",
        &prefix,
        &format!("{prefix}.9"),
        &format!("{prefix}.-0"),
        "other1.0",
    ] {
        let (mut client, ..) = begun_again(&io).await;
        client.offset = Some(offset.to_owned());
        assert!(!client.blink(&io).await, "{offset:?}");
    }
}

/// As [`begun`], where the connect handler is there.
async fn begun_again(io: &SocketIo) -> (Client, Socket) {
    let mut client = Client::join(io).await;
    let socket = io.of("/").socket(&client.sid).expect("it is there");
    socket.emit("hello", Args(())).unwrap();
    client.event().await;
    (client, socket)
}

#[tokio::test(start_paused = true)]
async fn of_two_who_say_that_they_are_it_one_is() {
    let io = server();
    let (mut client, ..) = begun(&io).await;
    // It is still there: who says that it is it is not.
    let stranger = Client::connect(&io, "/", &client.claim()).await;
    assert!(stranger.pid != client.pid && stranger.sid != client.sid);
    client.lose().await;
    let claim = client.claim();
    assert!(client.come_back(&io).await);
    let stranger = Client::connect(&io, "/", &claim).await;
    assert!(stranger.pid != client.pid && stranger.sid != client.sid);
    assert!(client.blink(&io).await);
}

#[tokio::test(start_paused = true)]
async fn who_was_sent_away_or_went_begins_anew() {
    let io = server();
    let (mut client, socket, mut found) = begun(&io).await;
    client.ws().send("41").await;
    idle().await;
    assert!(!client.come_back(&io).await, "it left its namespace");
    assert!(!socket.is_connected());
    for close in [Socket::disconnect as fn(&Socket), Socket::close] {
        let (mut client, socket) = begun_again(&io).await;
        close(&socket);
        idle().await;
        assert!(!client.come_back(&io).await, "it was sent away");
    }
    let (mut client, _) = begun_again(&io).await;
    client.ws().send("nonsense").await;
    client.ws().end().await;
    assert!(!client.come_back(&io).await, "it sent nonsense");
    while tokio::time::timeout(millis(1), found.next()).await.is_ok() {}
}

#[tokio::test(start_paused = true)]
async fn who_closes_its_connection_or_does_not_answer_comes_back() {
    let io = server();
    let (mut client, _, mut found) = begun(&io).await;
    client.ws().send("1").await;
    idle().await;
    assert!(client.come_back(&io).await, "closed by a packet");
    found.next().await.emit("hello", Args(())).unwrap();
    client.event().await;
    client.ws().end().await;
    io.emit("missed", 1).unwrap();
    assert!(client.come_back(&io).await, "ping timeout");
    assert_eq!(client.missed, [json!(["missed", 1])]);
}

#[tokio::test(start_paused = true)]
async fn each_namespace_comes_back_by_itself() {
    let io = server();
    let (root, chat) = (io.of("/"), io.of("/chat"));
    let (mut in_root, mut in_chat) = (sockets(&root), sockets(&chat));
    let mut a = Client::join(&io).await;
    let mut b = Client::connect(&io, "/chat", &json!({})).await;
    assert_ne!(a.pid, b.pid);
    in_root.next().await.emit("hello", Args(())).unwrap();
    in_chat.next().await.emit("hello", Args(())).unwrap();
    a.event().await;
    b.event().await;
    b.lose().await;
    chat.emit("missed", 1).unwrap();
    let claim = b.claim();
    let wrong = Client::connect(&io, "/", &claim).await;
    assert_ne!(wrong.pid, b.pid, "it is no socket of that namespace");
    let back = Client::connect(&io, "/chat", &claim).await;
    assert_eq!((back.pid, back.missed), (b.pid, vec![json!(["missed", 1])]));
}

#[tokio::test(start_paused = true)]
async fn the_applications_auth_has_no_secret_of_recovery() {
    let log = Log::default();
    let io = watched(Recovery::default(), &log, &Gate::closed());
    io.of("/")
        .with(
            async |State(log): State<Log>, Auth(auth): Auth<Value>, Recovered(recovered): Recovered| {
                log.add(format!("{auth} {recovered}"));
                Ok::<_, Refusal>(())
            },
        )
        .on_connect(async |State(log): State<Log>, socket: Socket| {
            log.add(format!("{:?} {}", socket.auth_json(), socket.recovered()));
            socket.emit("hello", Args(())).unwrap();
        });
    let mut client = Client::connect(&io, "/", &json!({ "token": "t" })).await;
    client.event().await;
    client.lose().await;
    let mut claim = client.claim();
    claim["token"] = json!("t");
    let back = Client::connect(&io, "/", &claim).await;
    idle().await;
    let auth = r#"{"token":"t"}"#;
    let expected = [
        format!("{auth} false"),
        format!("{:?} false", Some(auth)),
        format!("{:?} true", Some(auth)),
    ];
    assert_eq!(log.take(), expected);
    let socket = io.of("/").socket(&back.sid).expect("it is there");
    assert!(!format!("{socket:?} {:?} {:?}", socket.client(), io.of("/")).contains(&back.pid));
}

#[tokio::test(start_paused = true)]
async fn middleware_is_skipped_unless_it_is_not_to_be() {
    for skips in [true, false] {
        let (log, gate) = (Log::default(), Gate::closed());
        let io = watched(Recovery::default().skip_middlewares(skips), &log, &gate);
        io.of("/").with(
            async |State(log): State<Log>, socket: Socket, Auth(auth): Auth<Value>| {
                log.add(socket.recovered());
                if auth["enough"] == true {
                    Err(Refusal::new("enough"))
                } else {
                    Ok(())
                }
            },
        );
        let (mut client, ..) = begun(&io).await;
        assert!(client.blink(&io).await);
        assert_eq!(log.take(), if skips { vec!["false"] } else { vec!["false", "true"] });
        client.lose().await;
        if !skips {
            io.emit("secret", 1).unwrap();
            let mut claim = client.claim();
            claim["enough"] = json!(true);
            let mut ws = Ws::open(&io).await;
            ws.send(&format!("40{claim}")).await;
            assert_eq!(
                ws.text().await,
                r#"44{"message":"enough"}"#,
                "and nothing that it missed"
            );
        }
    }
}

/// What a client may call, asked by calling it.
async fn may(client: &mut Client, event: &str) -> bool {
    client.ws().send(&format!(r#"421["{event}"]"#)).await;
    let answer = client.ws().text().await;
    assert!(answer.starts_with("431["), "{answer}");
    answer == "431[]"
}

/// A server whose clients may log in, and nothing else at first.
fn guarded() -> (SocketIo, Namespace) {
    let io = server();
    let nsp = io.of("/");
    nsp.acl(|_| Acl::only(["log in", "free"]));
    for event in ["log in", "free", "secret"] {
        nsp.on(event, async || tower_socketio::Ack(Args(())));
    }
    (io, nsp)
}

#[tokio::test(start_paused = true)]
async fn what_was_denied_stays_denied_and_what_was_allowed_allowed() {
    let (io, _nsp) = guarded();
    let (mut client, socket, mut found) = begun(&io).await;
    assert!(!may(&mut client, "secret").await);
    socket.acl().allow("secret");
    socket.acl().deny("free");
    assert!(client.blink(&io).await);
    assert!(may(&mut client, "secret").await && !may(&mut client, "free").await);
    let back = found.next().await;
    back.acl().reset();
    assert!(!may(&mut client, "secret").await && may(&mut client, "free").await);
    assert!(client.blink(&io).await);
    assert!(!may(&mut client, "secret").await, "what was reset stays so");
    found.next().await.acl().lift();
    assert!(client.blink(&io).await);
    assert!(may(&mut client, "secret").await);
    // Who begins anew begins with the rules of the namespace.
    client.lose().await;
    tokio::time::sleep(secs(120)).await;
    assert!(!client.come_back(&io).await);
    assert!(!may(&mut client, "secret").await && may(&mut client, "free").await);
}

#[tokio::test(start_paused = true)]
async fn what_is_denied_to_the_absent_and_to_who_it_was_is_denied() {
    let (io, _nsp) = guarded();
    let (mut client, first, mut found) = begun(&io).await;
    client.lose().await;
    first.acl().deny("free");
    assert!(client.come_back(&io).await);
    assert!(!may(&mut client, "free").await, "denied while it was away");
    found.next().await;
    first.acl().deny("log in");
    assert!(!may(&mut client, "log in").await, "denied to the socket that it was");
    assert!(client.blink(&io).await);
    found.next().await;
    first.acl().allow("free");
    assert!(may(&mut client, "free").await, "and to the one before that");
    first.acl().reset();
    assert!(may(&mut client, "log in").await);
}

#[tokio::test(start_paused = true)]
async fn rules_whose_closure_panics_let_nobody_back_in() {
    let io = server();
    let calls = AtomicUsize::new(0);
    io.of("/").on_error(|_| {}).acl(move |_| {
        assert_eq!(calls.fetch_add(1, Ordering::SeqCst), 0, "only once");
        Acl::all()
    });
    let (mut client, ..) = begun(&io).await;
    client.lose().await;
    let mut ws = Ws::open(&io).await;
    ws.send(&format!("40{}", client.claim())).await;
    assert!(ws.text().await.starts_with("44{"));
}

#[derive(Default)]
struct Counter(AtomicUsize);

#[namespace]
impl Counter {
    #[event]
    async fn count(&self, socket: Socket) {
        let count = self.0.fetch_add(1, Ordering::SeqCst) + 1;
        socket.emit("count", count).unwrap();
    }
}

struct Made {
    before: Option<usize>,
}

#[namespace]
impl Made {
    #[connect]
    async fn connect(socket: Socket) -> Self {
        let before = socket.object::<Self>();
        Self {
            before: before.map(|made| made.before.map_or(1, |before| before + 1)),
        }
    }

    #[event]
    async fn which(&self, socket: Socket) {
        socket.emit("which", self.before).unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn the_value_of_a_namespaces_type_is_kept_or_made_from_the_old_one() {
    let io = server();
    io.of("/").serve::<Counter>();
    let mut client = Client::join(&io).await;
    client.ws().send(r#"42["count"]"#).await;
    assert_eq!(client.event().await, json!(["count", 1]));
    assert!(client.blink(&io).await);
    client.ws().send(r#"42["count"]"#).await;
    assert_eq!(client.event().await, json!(["count", 2]));

    let io = server();
    io.of("/").serve::<Made>();
    let mut client = Client::join(&io).await;
    for before in [json!(null), json!(1), json!(2)] {
        client.ws().send(r#"42["which"]"#).await;
        assert_eq!(client.event().await, json!(["which", before]));
        assert!(client.blink(&io).await);
    }
}

#[derive(Clone)]
struct Counted {
    _alive: Arc<()>,
    /// The very socket that it is kept by.
    _socket: Socket,
}

#[tokio::test(start_paused = true)]
async fn what_the_application_keeps_with_a_socket_goes_when_its_client_does_not_come_back() {
    let io = with(Recovery::default().max_sessions(2));
    let alive = Arc::new(());
    let keep = |socket: &Socket| {
        socket.insert(Counted {
            _alive: alive.clone(),
            _socket: socket.clone(),
        });
    };
    let (mut client, socket, mut found) = begun(&io).await;
    keep(&socket);
    assert_eq!(Arc::strong_count(&alive), 2);
    client.lose().await;
    idle().await;
    assert_eq!(Arc::strong_count(&alive), 2, "it may come back");
    drop(socket);
    assert!(client.come_back(&io).await);
    idle().await;
    assert_eq!(Arc::strong_count(&alive), 2, "it is kept once");
    found.next().await;
    client.lose().await;
    tokio::time::sleep(secs(121)).await;
    assert_eq!(Arc::strong_count(&alive), 1, "it has been away too long");
    // More than the server remembers.
    for _ in 0..5 {
        let (mut client, socket) = begun_again(&io).await;
        keep(&socket);
        client.lose().await;
    }
    idle().await;
    assert_eq!(Arc::strong_count(&alive), 3);
    tokio::time::sleep(secs(121)).await;
    assert_eq!(Arc::strong_count(&alive), 1);
}

#[tokio::test(start_paused = true)]
async fn the_disconnect_handler_finds_what_was_kept_and_a_returning_client_does_not_wait_for_it() {
    let (log, gate) = (Log::default(), Gate::closed());
    let io = watched(Recovery::default(), &log, &gate);
    io.of("/").on_disconnect(
        async |socket: Socket, why: DisconnectReason, State(log): State<Log>, State(gate): State<Gate>| {
            gate.pass().await;
            log.add(format!("{why} {:?}", socket.get::<u8>()));
        },
    );
    let (mut client, socket, mut found) = begun(&io).await;
    socket.insert(7_u8);
    client.ws = None;
    idle().await;
    assert!(client.come_back(&io).await);
    let back = found.next().await;
    assert_eq!((log.take(), back.get::<u8>()), (vec![], Some(7)));
    gate.admit(1);
    idle().await;
    assert_eq!(log.take(), ["transport close Some(7)"]);
    assert_eq!((socket.get::<u8>(), back.get::<u8>()), (None, Some(7)));
}

#[tokio::test(start_paused = true)]
async fn who_is_lost_again_before_it_is_let_in_comes_back_still() {
    let gate = Gate::closed();
    let io = watched(Recovery::default(), &Log::default(), &gate);
    io.of("/").on_connect(async |socket: Socket, State(gate): State<Gate>| {
        if socket.recovered() {
            gate.pass().await;
        } else {
            socket.join("room");
            socket.emit("hello", Args(())).unwrap();
        }
        Ok::<_, Refusal>(())
    });
    let mut client = Client::join(&io).await;
    client.event().await;
    client.lose().await;
    io.to("room").emit("n", 1).unwrap();
    let mut ws = Ws::open(&io).await;
    ws.send(&format!("40{}", client.claim())).await;
    idle().await;
    io.to("room").emit("n", 2).unwrap();
    assert_eq!(ws.texts().await, [] as [String; 0], "nothing comes before it is let in");
    ws.vanish().await;
    io.to("room").emit("n", 3).unwrap();
    gate.admit(2);
    assert!(client.come_back(&io).await);
    assert_eq!(client.missed, [json!(["n", 1]), json!(["n", 2]), json!(["n", 3])]);
    assert_eq!(io.of("/").socket(&client.sid).unwrap().rooms(), [&*client.sid, "room"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_while_it_is_let_in_comes_once() {
    let gate = Gate::closed();
    let io = watched(Recovery::default(), &Log::default(), &gate);
    io.of("/").on_connect(async |socket: Socket, State(gate): State<Gate>| {
        socket.emit("hello", socket.recovered()).unwrap();
        if socket.recovered() {
            gate.pass().await;
        }
        Ok::<_, Refusal>(())
    });
    let mut client = Client::join(&io).await;
    client.event().await;
    client.lose().await;
    io.emit("n", 1).unwrap();
    let claim = client.claim();
    let (back, ()) = tokio::join!(Client::connect(&io, "/", &claim), async {
        idle().await;
        io.emit("n", 2).unwrap();
        gate.admit(2);
    });
    client = back;
    assert_eq!(client.missed, [json!(["n", 1]), json!(["n", 2])]);
    assert_eq!(
        client.events().await,
        [json!(["hello", true])],
        "what it emitted comes after"
    );
    assert!(client.blink(&io).await);
    assert_eq!(client.missed, [] as [Value; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_ends_it() {
    let io = server();
    io.of("/").on_connect(async |socket: Socket| {
        socket.emit("hello", Args(())).unwrap();
        if socket.recovered() {
            Err(Refusal::new("not you"))
        } else {
            Ok(())
        }
    });
    let mut client = Client::join(&io).await;
    client.event().await;
    client.lose().await;
    io.emit("secret", 1).unwrap();
    let mut ws = Ws::open(&io).await;
    ws.send(&format!("40{}", client.claim())).await;
    assert_eq!(
        ws.text().await,
        r#"44{"message":"not you"}"#,
        "and nothing that it missed"
    );
    assert!(!client.come_back(&io).await);
}

#[tokio::test(start_paused = true)]
async fn events_are_forgotten_by_number_and_by_size() {
    let io = with(Recovery::default().max_packets(10));
    let (mut client, ..) = begun(&io).await;
    client.lose().await;
    for number in 0..9 {
        io.emit("n", number).unwrap();
    }
    assert!(client.come_back(&io).await);
    assert_eq!(client.missed.len(), 9);
    client.lose().await;
    for number in 0..10 {
        io.emit("n", number).unwrap();
    }
    assert!(
        !client.come_back(&io).await,
        "the eleventh event is forgotten, its last"
    );

    let io = with(Recovery::default().max_bytes(100_000));
    let big = "x".repeat(30_000);
    let (mut client, ..) = begun(&io).await;
    client.lose().await;
    io.emit("a", &big).unwrap();
    io.emit("b", &big).unwrap();
    assert!(client.come_back(&io).await);
    assert_eq!(client.missed.len(), 2);
    client.lose().await;
    for _ in 0..4 {
        io.to("nobody").emit("c", Bytes::from(big.clone())).unwrap();
    }
    assert!(!client.come_back(&io).await);
}

#[tokio::test(start_paused = true)]
async fn who_missed_more_than_an_outbox_holds_begins_anew() {
    for (events, recovered) in [(3, true), (4, false)] {
        let io = SocketIo::builder()
            .max_outbox_bytes(100_000)
            .connection_state_recovery(Recovery::default())
            .build();
        let (mut client, ..) = begun(&io).await;
        client.lose().await;
        for _ in 0..events {
            io.emit("big", "x".repeat(30_000)).unwrap();
        }
        assert_eq!(client.come_back(&io).await, recovered);
    }
}

#[tokio::test(start_paused = true)]
async fn the_longest_absent_are_forgotten_first() {
    let io = with(Recovery::default().max_sessions(2));
    let _found = sockets(&io.of("/"));
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(begun_again(&io).await.0);
    }
    for client in &mut clients {
        client.lose().await;
    }
    let mut back = Vec::new();
    for client in &mut clients {
        back.push(client.come_back(&io).await);
    }
    assert_eq!(back, [false, true, true]);
}

#[tokio::test(start_paused = true)]
async fn a_namespace_without_anybody_remembers_nothing() {
    let io = server();
    let (mut client, ..) = begun(&io).await;
    let offset = client.offset.clone();
    client.lose().await;
    tokio::time::sleep(secs(121)).await;
    let (mut other, _) = begun_again(&io).await;
    // The socket's own, with an offset from before.
    other.offset = offset;
    assert!(!other.blink(&io).await);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_closes_remembers_nobody() {
    let io = server();
    let alive = Arc::new(());
    let (_client, socket, _found) = begun(&io).await;
    socket.insert(Counted {
        _alive: alive.clone(),
        _socket: socket.clone(),
    });
    drop(socket);
    io.close().await;
    idle().await;
    assert_eq!(Arc::strong_count(&alive), 1);
}

/// What a client has got, and what it must have got.
struct Story {
    got: Vec<Value>,
    due: Vec<Value>,
}

/// Clients in rooms lose their connections and come back, at any moment between the events: each of them gets each
/// event that was for it once, in order.
#[tokio::test(start_paused = true)]
async fn each_event_comes_once_and_in_order_whatever_happens() {
    for seed in 0..1_000 {
        let mut rng = StdRng::seed_from_u64(seed);
        let io = server();
        let _found = sockets(&io.of("/"));
        let mut clients = Vec::new();
        for _ in 0..3 {
            let (client, socket) = begun_again(&io).await;
            let hello = json!(["hello"]);
            let story = Story {
                got: vec![hello.clone()],
                due: vec![hello],
            };
            let rooms: Vec<_> = ["a", "b", "c"].into_iter().filter(|_| rng.random_bool(0.5)).collect();
            for room in &rooms {
                socket.join(room);
            }
            clients.push((client, story, rooms, true));
        }
        for number in 0..rng.random_range(5..25) {
            match rng.random_range(0..10) {
                0..=1 => {
                    let (client, story, _, is_there) = one_of(&mut clients, &mut rng);
                    if *is_there {
                        // What it has read is part of what it was sent.
                        if rng.random_bool(0.5) {
                            story.got.extend(client.events().await);
                        }
                        client.lose().await;
                        *is_there = false;
                    }
                }
                2..=4 => {
                    let (client, story, _, is_there) = one_of(&mut clients, &mut rng);
                    if !*is_there {
                        assert!(client.come_back(&io).await, "seed {seed}");
                        story.got.append(&mut client.missed);
                        *is_there = true;
                    }
                }
                5 => {
                    let (client, story, ..) = one_of(&mut clients, &mut rng);
                    io.to(&client.sid).emit("own", number).unwrap();
                    story.due.push(json!(["own", number]));
                }
                _ => {
                    let to: Vec<_> = ["a", "b", "c"].into_iter().filter(|_| rng.random_bool(0.4)).collect();
                    let except = ["a", "b", "c"].into_iter().find(|_| rng.random_bool(0.15));
                    let mut broadcast = io.local();
                    for room in to.iter().chain(&except) {
                        broadcast = if Some(*room) == except {
                            broadcast.except(room)
                        } else {
                            broadcast.to(room)
                        };
                    }
                    let to: Vec<_> = to.into_iter().filter(|room| Some(*room) != except).collect();
                    broadcast.emit("n", number).unwrap();
                    for (_, story, rooms, _) in &mut clients {
                        let is_meant = to.is_empty() || to.iter().any(|room| rooms.contains(room));
                        if is_meant && !except.is_some_and(|except| rooms.contains(&except)) {
                            story.due.push(json!(["n", number]));
                        }
                    }
                }
            }
        }
        for (client, story, _, is_there) in &mut clients {
            if !*is_there {
                assert!(client.come_back(&io).await, "seed {seed}");
                story.got.append(&mut client.missed);
            }
            story.got.extend(client.events().await);
            assert_eq!(story.got, story.due, "seed {seed}");
        }
    }
}

/// Two threads emit while a client goes and comes: of each it gets every event, in the order of the thread.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_several_threads_come_once_and_in_order() {
    const EACH: u64 = 1_000;
    let io = server();
    let _found = sockets(&io.of("/"));
    let (mut client, _) = begun_again(&io).await;
    let emitters = ["a", "b"].map(|name| {
        let io = io.clone();
        std::thread::spawn(move || (0..EACH).for_each(|number| io.emit(name, number).unwrap()))
    });
    let mut got = BTreeMap::<String, Vec<u64>>::new();
    let mut count = 0;
    let mut rng = StdRng::seed_from_u64(1);
    while count < 2 * EACH {
        let mut events = Vec::new();
        for _ in 0..rng.random_range(0..50.min(2 * EACH - count)) {
            events.push(client.event().await);
        }
        assert!(client.blink(&io).await);
        events.append(&mut client.missed);
        for event in events {
            let (name, number) = serde_json::from_value(event).expect("an event of a thread");
            got.entry(name).or_default().push(number);
            count += 1;
        }
    }
    for emitter in emitters {
        emitter.join().unwrap();
    }
    let all: Vec<_> = (0..EACH).collect();
    assert_eq!(
        got,
        BTreeMap::from([("a".to_owned(), all.clone()), ("b".to_owned(), all)])
    );
}

fn one_of<'a, T>(list: &'a mut [T], rng: &mut StdRng) -> &'a mut T {
    let index = rng.random_range(0..list.len());
    &mut list[index]
}

/// A client of a namespace that has got an event, where the connect handler is there.
async fn begun_in(io: &SocketIo, nsp: &str) -> Client {
    let mut client = Client::connect(io, nsp, &json!({})).await;
    let socket = io.of(nsp).socket(&client.sid).expect("it is there");
    socket.emit("hello", Args(())).unwrap();
    assert_eq!(client.event_of(nsp).await, json!(["hello"]));
    client
}

#[tokio::test(start_paused = true)]
async fn the_only_client_of_a_child_comes_back_to_it_and_the_child_goes_if_it_does_not() {
    let io = server();
    let orders = io.of_pattern("/orders-{id}");
    let mut client = begun_in(&io, "/orders-7").await;
    io.of("/orders-7").socket(&client.sid).unwrap().join("room");
    client.lose().await;
    idle().await;
    assert_eq!(
        (orders.children().len(), orders.sockets_count()),
        (1, 0),
        "it remembers somebody"
    );
    orders.to("room").emit("n", 1).unwrap();
    io.of("/orders-7").emit("n", 2).unwrap();
    io.of("/orders-8").emit("-", 3).unwrap();
    let other = Client::connect(&io, "/orders-8", &client.claim()).await;
    assert_ne!(other.pid, client.pid, "it is no socket of that child");
    let mut back = Client::connect(&io, "/orders-7", &client.claim()).await;
    assert_eq!((&back.pid, &back.sid), (&client.pid, &client.sid));
    assert_eq!(back.missed, [json!(["n", 1]), json!(["n", 2])]);
    drop(other);
    back.lose().await;
    tokio::time::sleep(secs(121)).await;
    assert!(orders.children().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_absent_of_all_children_count_together() {
    let io = with(Recovery::default().max_sessions(2));
    let orders = io.of_pattern("/orders-{id}");
    let mut clients = Vec::new();
    for number in 0..5 {
        let mut client = begun_in(&io, &format!("/orders-{number}")).await;
        client.lose().await;
        clients.push(client);
    }
    idle().await;
    assert_eq!(orders.children().len(), 2, "the other three remember nobody");
    let mut back = Vec::new();
    for (number, client) in clients.iter().enumerate() {
        back.push(Client::connect(&io, &format!("/orders-{number}"), &client.claim()).await);
    }
    let recovered = back.iter().zip(&clients).map(|(back, client)| back.pid == client.pid);
    assert_eq!(recovered.collect::<Vec<_>>(), [false, false, false, true, true]);
    let mut alone = begun(&io).await.0;
    assert!(alone.blink(&io).await, "a namespace that is no child has its own");
}

#[tokio::test(start_paused = true)]
async fn the_events_of_all_children_count_together_by_number_and_by_size() {
    let big = "x".repeat(30_000);
    for (recovery, args) in [
        (Recovery::default().max_packets(3), ""),
        (Recovery::default().max_bytes(100_000), &*big),
    ] {
        let io = with(recovery);
        let _orders = io.of_pattern("/orders-{id}");
        let mut a = begun_in(&io, "/orders-a").await;
        let mut b = begun_in(&io, "/orders-b").await;
        // The latest three begin with what the client has got last.
        for _ in 0..2 {
            io.of("/orders-b").emit("n", args).unwrap();
            b.event_of("/orders-b").await;
        }
        a.lose().await;
        b.lose().await;
        io.of("/orders-b").emit("n", args).unwrap();
        io.of("/orders-b").emit("n", args).unwrap();
        io.of("/orders-c").emit("-", args).unwrap();
        let back = Client::connect(&io, "/orders-b", &b.claim()).await;
        assert_eq!(back.pid, b.pid, "an event for nobody was not remembered");
        assert_eq!(back.missed.len(), 2);
        let back = Client::connect(&io, "/orders-a", &a.claim()).await;
        assert_ne!(
            back.pid, a.pid,
            "what it has got last was forgotten for those of the other child"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn listeners_see_neither_offsets_nor_missed_events_and_are_called_without_a_lock() {
    let log = Log::default();
    let io = watched(Recovery::default(), &log, &Gate::closed());
    let (seen, again) = (log.clone(), io.clone());
    io.of("/").on_any_outgoing(move |event| {
        seen.add(format!("{} {}", event.name(), event.args().json()));
        if event.name() == "n" {
            let (io, socket, (done, is_done)) = (again.clone(), event.socket().clone(), mpsc::channel());
            std::thread::spawn(move || {
                io.to("nobody").emit("from a listener", 1).unwrap();
                socket.join("another room");
                done.send(())
            });
            if is_done.recv_timeout(secs(10)).is_err() {
                seen.add("under a lock");
            }
        }
    });
    let (mut client, socket, mut found) = begun(&io).await;
    socket.join("room");
    io.to("room").emit("n", Args(("a,b", 1))).unwrap();
    socket.emit("n", 2).unwrap();
    assert_eq!(log.take(), ["hello ", r#"n "a,b",1"#, "n 2"]);
    client.events().await;
    client.lose().await;
    io.to("room").emit("n", 3).unwrap();
    socket.emit("n", 4).unwrap();
    assert!(client.come_back(&io).await);
    assert_eq!(client.missed, [json!(["n", 3]), json!(["n", 4])]);
    idle().await;
    assert_eq!(
        log.take(),
        [] as [String; 0],
        "as in the reference: they were sent when it was away"
    );
    found.next().await.emit("n", 5).unwrap();
    assert_eq!(log.take(), ["n 5"]);
}

#[tokio::test(start_paused = true)]
async fn an_old_handle_acts_on_the_client_that_has_come_back() {
    let io = server();
    let (mut client, old, mut found) = begun(&io).await;
    old.join("secret");
    assert!(client.blink(&io).await);
    let new = found.next().await;
    old.leave("secret");
    old.join("public");
    old.insert(7_u8);
    old.insert("gone");
    old.remove::<&str>();
    old.set_data("x").unwrap();
    assert_eq!(new.rooms()[1..], ["public"]);
    assert_eq!((new.get::<u8>(), new.get::<&str>()), (Some(7), None));
    assert_eq!(new.data::<String>().unwrap().as_deref(), Some("x"));
    old.disconnect();
    idle().await;
    assert!(!new.is_connected());
}

#[tokio::test(start_paused = true)]
async fn an_absent_client_is_put_in_rooms_and_out_by_its_handle() {
    let io = server();
    let (mut client, old, mut found) = begun(&io).await;
    old.join("secret");
    client.lose().await;
    io.to("public").emit("n", 1).unwrap();
    old.leave("secret");
    old.join("public");
    io.to("secret").emit("n", 2).unwrap();
    io.to("public").emit("n", 3).unwrap();
    assert!(client.come_back(&io).await);
    assert_eq!(client.missed, [json!(["n", 3])]);
    assert_eq!(found.next().await.rooms()[1..], ["public"]);
}

#[tokio::test(start_paused = true)]
async fn an_absent_client_is_sent_away_by_its_handle() {
    let io = server();
    let (mut client, old, _found) = begun(&io).await;
    client.lose().await;
    old.disconnect();
    assert!(!client.come_back(&io).await);
}

struct Panics(Arc<AtomicUsize>);

impl Drop for Panics {
    fn drop(&mut self) {
        assert!(self.0.fetch_add(1, Ordering::SeqCst) > 0, "asked for");
    }
}

#[tokio::test(start_paused = true)]
async fn the_absent_are_forgotten_in_time_though_the_value_of_one_panics() {
    let io = server();
    let _found = sockets(&io.of("/"));
    let (mut first, one) = begun_again(&io).await;
    one.insert(Arc::new(Panics(Arc::default())));
    first.lose().await;
    drop(one);
    tokio::time::sleep(secs(60)).await;
    let kept = Arc::new(());
    let (mut second, two) = begun_again(&io).await;
    two.insert(kept.clone());
    second.lose().await;
    drop(two);
    tokio::time::sleep(secs(200)).await;
    assert_eq!(Arc::strong_count(&kept), 1);
}

/// Whoever sat here may not vote any more.
struct Seat(Socket);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.acl().deny("vote");
    }
}

#[namespace(crate = tower_socketio)]
impl Seat {
    #[connect]
    async fn connect(socket: Socket) -> Self {
        Self(socket)
    }

    #[event]
    async fn vote(&self) {}
}

#[test]
fn a_value_that_is_replaced_may_look_at_its_socket_when_it_is_dropped() {
    let (done, is_done) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let io = server();
            io.of("/").serve::<Seat>();
            let mut client = Client::join(&io).await;
            io.emit("hello", Args(())).unwrap();
            client.event().await;
            assert!(client.blink(&io).await);
        });
        done.send(()).unwrap();
    });
    is_done.recv_timeout(secs(20)).expect("it waits for itself");
}
