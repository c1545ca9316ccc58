//! Clients over WebTransport, by the stream that a listener hands over: new ones, and upgrades from
//! polling.

mod kit;

use std::time::Duration;

use http::Method;
use kit::{Gate, Log, Packet, Polling, Ws, idle, millis, request, secs, sockets, soon};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    task::JoinHandle,
    time::{Instant, timeout},
};
use tower_socketio::{
    Cors, Data, DisconnectReason, Generation, Handshake, PeerAddr, Refusal, Socket, SocketIo, SocketIoBuilder, State,
    Transport, WebTransportTicket,
};

const ALL: [Transport; 3] = [Transport::Polling, Transport::WebSocket, Transport::WebTransport];
const URL: &str = "https://chat.example/socket.io/?EIO=4&transport=webtransport";

fn server(builder: SocketIoBuilder) -> (SocketIo, Log) {
    let log = Log::default();
    let io = builder.transports(ALL).state(log.clone()).build();
    io.of("/")
        .on("note", async |State(log): State<Log>, Data(note): Data<u32>| {
            log.add(note);
        })
        .on("transport", async |socket: Socket, transport: Transport| {
            socket.emit("transport", transport.as_str())
        })
        .on("bytes", async |socket: Socket, Data(bytes): Data<bytes::Bytes>| {
            socket.emit("bytes", bytes)
        })
        .on_disconnect(async |State(log): State<Log>, why: DisconnectReason| log.add(why));
    (io, log)
}

fn ticket(io: &SocketIo) -> WebTransportTicket {
    let parts = request(Method::CONNECT, URL, &[("origin", "https://chat.example")]);
    io.service().accept_webtransport(parts).expect("a session")
}

fn status(io: &SocketIo, url: &str, headers: &[(&str, &str)]) -> u16 {
    let session = io.service().accept_webtransport(request(Method::CONNECT, url, headers));
    session.map_or_else(|status| status.as_u16(), |_| 200)
}

/// The client's end of the first stream.
struct Wt {
    stream: DuplexStream,
    unread: Vec<u8>,
    server: JoinHandle<()>,
}

impl Wt {
    fn open_with(io: &SocketIo, pipe: usize) -> Self {
        let (stream, server) = duplex(pipe);
        Self {
            stream,
            unread: Vec::new(),
            server: tokio::spawn(ticket(io).drive(server)),
        }
    }

    fn open(io: &SocketIo) -> Self {
        Self::open_with(io, 1 << 20)
    }

    /// A client that has joined the main namespace.
    async fn join(io: &SocketIo) -> Self {
        let mut wt = Self::open(io);
        wt.send("0").await;
        wt.text().await;
        wt.send("40").await;
        assert!(wt.text().await.starts_with("40{"));
        wt
    }

    /// A client that is to take a polling one over, and has proved that it works.
    async fn probe(io: &SocketIo, sid: &str) -> Self {
        let mut wt = Self::open(io);
        wt.send(&format!(r#"0{{"sid":"{sid}"}}"#)).await;
        wt.send("2probe").await;
        assert_eq!(wt.text().await, "3probe");
        wt
    }

    async fn write(&mut self, bytes: &[u8]) {
        // A server that has gone takes nothing; the test sees it by what it reads.
        let _ = soon("room in the pipe", self.stream.write_all(bytes)).await;
    }

    async fn send(&mut self, packet: &str) {
        self.write(&message(0, packet.as_bytes())).await;
    }

    async fn send_binary(&mut self, bytes: &[u8]) {
        self.write(&message(0x80, bytes)).await;
    }

    /// The next message; `None` when the server has shut the stream down.
    async fn next(&mut self) -> Option<Packet> {
        soon("a message", self.receive()).await
    }

    /// The next text message, pings being answered.
    async fn text(&mut self) -> String {
        loop {
            match self.next().await {
                Some(Packet::Text(ping)) if ping == "2" => self.send("3").await,
                Some(Packet::Text(text)) => return text,
                other => panic!("not a text message: {other:?}"),
            }
        }
    }

    /// Answers pings for that long, in which nothing else may come.
    async fn quiet(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while let Ok(packet) = tokio::time::timeout_at(end, self.receive()).await {
            assert_eq!(packet, Some(Packet::Text("2".to_owned())));
            self.send("3").await;
        }
    }

    /// Reads until the server has shut the stream down; what came before.
    async fn end(&mut self) -> Vec<Packet> {
        let mut packets = Vec::new();
        while let Some(packet) = self.next().await {
            packets.push(packet);
        }
        packets
    }

    async fn receive(&mut self) -> Option<Packet> {
        loop {
            if let Some(packet) = take_message(&mut self.unread) {
                return Some(packet);
            }
            if self.stream.read_buf(&mut self.unread).await.unwrap_or(0) == 0 {
                assert!(self.unread.is_empty(), "the stream ends within a message");
                return None;
            }
        }
    }

    /// The client closes its session.
    async fn vanish(self) {
        drop(self.stream);
        soon("the end of the server's task", self.server)
            .await
            .expect("no panic");
    }
}

/// A message as the official client writes it.
fn message(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = payload.len();
    let header = match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ 0..126), _) => vec![kind | short],
        (_, Ok(medium)) => [&[kind | 0x7e][..], &medium.to_be_bytes()].concat(),
        _ => [&[kind | 0x7f][..], &(length as u64).to_be_bytes()].concat(),
    };
    [header, payload.to_vec()].concat()
}

fn take_message(bytes: &mut Vec<u8>) -> Option<Packet> {
    let first = *bytes.first()?;
    let (header, length) = match first & 0x7f {
        126 => (3, usize::from(u16::from_be_bytes(bytes.get(1..3)?.try_into().ok()?))),
        127 => (
            9,
            usize::try_from(u64::from_be_bytes(bytes.get(1..9)?.try_into().ok()?)).ok()?,
        ),
        short => (1, usize::from(short)),
    };
    assert_ne!(length, 0, "the official client takes that for an error");
    let payload = bytes.get(header..header + length)?.to_vec();
    bytes.drain(..header + length);
    Some(match first & 0x80 {
        0 => Packet::Text(String::from_utf8(payload).expect("text")),
        _ => Packet::Binary(payload),
    })
}

async fn assert_polls(client: &Polling) {
    client.posted(r#"42["transport"]"#).await;
    let mut packets = Vec::new();
    // A noop that a probe left behind may come first.
    while !packets.contains(&r#"42["transport","polling"]"#.to_owned()) {
        packets.extend(client.get().await.packets().iter().map(ToString::to_string));
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_client_shakes_hands_joins_and_is_answered() {
    let (io, log) = server(SocketIo::builder());
    let mut wt = Wt::open(&io);
    wt.send("0").await;
    let open = wt.text().await;
    assert!(open.contains(r#""upgrades":[]"#), "{open}");
    assert!(open.contains(r#""pingInterval":25000"#), "{open}");
    wt.send("40").await;
    assert!(wt.text().await.starts_with("40{\"sid\":"));
    wt.send(r#"42["transport"]"#).await;
    assert_eq!(wt.text().await, r#"42["transport","webtransport"]"#);
    assert_eq!(io.clients_count(), 1);
    wt.quiet(secs(200)).await;
    wt.vanish().await;
    assert_eq!(log.take(), ["transport close"]);
    assert_eq!(io.clients_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_comes_right_behind_the_first_packet_is_not_lost() {
    let (io, log) = server(SocketIo::builder());
    let mut wt = Wt::open(&io);
    let packets = ["0", "40", r#"42["note",1]"#, r#"42["note",2]"#];
    let packets: Vec<_> = packets
        .iter()
        .flat_map(|packet| message(0, packet.as_bytes()))
        .collect();
    wt.write(&packets).await;
    assert!(wt.text().await.starts_with("0{"));
    assert!(wt.text().await.starts_with("40{"));
    idle().await;
    assert_eq!(log.take(), ["1", "2"]);
}

#[tokio::test(start_paused = true)]
async fn bytes_of_all_lengths_come_and_go() {
    let (io, _) = server(SocketIo::builder());
    let mut wt = Wt::join(&io).await;
    for length in [0, 1, 125, 126, 65_535, 65_536, 900_000] {
        let bytes = vec![7; length];
        wt.send(r#"451-["bytes",{"_placeholder":true,"num":0}]"#).await;
        wt.send_binary(&bytes).await;
        assert_eq!(wt.text().await, r#"451-["bytes",{"_placeholder":true,"num":0}]"#);
        // Clients take no length of 0, but base64 of it.
        let answer = match length {
            0 => Packet::Text("b".to_owned()),
            _ => Packet::Binary(bytes),
        };
        assert!(wt.next().await == Some(answer), "{length} bytes");
    }
}

#[tokio::test(start_paused = true)]
async fn handlers_know_the_request_that_the_session_began_with() {
    let (io, log) = server(SocketIo::builder());
    io.of("/")
        .on_connect(async |State(log): State<Log>, handshake: Handshake| {
            let origin = handshake.headers().get("origin").unwrap_or_default();
            let (query, peer) = (handshake.query(), handshake.peer_addr());
            log.add(format!("{origin} {query} {} {peer:?}", handshake.generation()));
        });
    let mut parts = request(Method::CONNECT, URL, &[("origin", "https://chat.example")]);
    parts.extensions.insert(PeerAddr(([192, 0, 2, 1], 5000).into()));
    let (mut client, stream) = duplex(1000);
    tokio::spawn(
        io.service()
            .accept_webtransport(parts)
            .expect("a session")
            .drive(stream),
    );
    client.write_all(b"\x010\x0240").await.expect("room");
    idle().await;
    assert_eq!(
        log.take(),
        ["https://chat.example EIO=4&transport=webtransport Engine.IO 4 Some(192.0.2.1:5000)"]
    );
}

#[tokio::test(start_paused = true)]
async fn it_is_offered_to_clients_that_poll_where_it_is_served() {
    let upgrades = async |transports: &[Transport]| {
        let io = SocketIo::builder().transports(transports.iter().copied()).build();
        let parts = request(Method::GET, "/socket.io/?EIO=4&transport=polling", &[]);
        let answer = kit::Answer::of(io.service().handle(parts, String::new()).await).await;
        let open: serde_json::Value = serde_json::from_str(&answer.body[1..]).expect("json");
        (open["upgrades"].to_string(), status(&io, URL, &[]))
    };
    assert_eq!(
        upgrades(&ALL).await,
        (r#"["websocket","webtransport"]"#.to_owned(), 200)
    );
    assert_eq!(
        upgrades(&[Transport::WebTransport, Transport::Polling]).await,
        (r#"["webtransport"]"#.to_owned(), 200)
    );
    assert_eq!(
        upgrades(&[Transport::Polling, Transport::WebSocket]).await,
        (r#"["websocket"]"#.to_owned(), 400)
    );
}

#[tokio::test(start_paused = true)]
async fn requests_over_http_cannot_have_it() {
    let (io, _) = server(SocketIo::builder());
    let uri = "/socket.io/?EIO=4&transport=webtransport";
    let response = io.service().handle(request(Method::GET, uri, &[]), String::new()).await;
    let answer = kit::Answer::of(response).await;
    assert_eq!(answer.body, r#"{"code":0,"message":"Transport unknown"}"#);
    let refused = kit::accept(&io, request(Method::GET, uri, &kit::UPGRADE));
    assert_eq!(refused.expect_err("no WebSocket").status(), 400);
}

#[tokio::test(start_paused = true)]
async fn sessions_for_other_paths_of_other_origins_or_while_closing_are_refused() {
    let cors = Cors::origins(["https://app.example"]);
    let (io, _) = server(SocketIo::builder().cors(cors));
    for (url, expected) in [
        ("https://chat.example/socket.io", 200),
        ("https://chat.example/socket.io/", 200),
        ("https://chat.example/socket.io/x", 404),
        ("https://chat.example/socket.iox", 404),
        ("https://chat.example/", 404),
        ("https://chat.example/x/socket.io/", 404),
    ] {
        assert_eq!(status(&io, url, &[]), expected, "{url}");
    }
    for (origin, expected) in [
        ("https://chat.example", 200),
        ("https://app.example", 200),
        ("https://chat.example:444", 403),
        ("https://evil.example", 403),
        ("null", 403),
        ("", 400),
    ] {
        assert_eq!(status(&io, URL, &[("origin", origin)]), expected, "{origin}");
    }
    let twice = [("origin", "https://chat.example"), ("origin", "https://chat.example")];
    assert_eq!(status(&io, URL, &twice), 400);
    io.close().await;
    assert_eq!(status(&io, URL, &[]), 503);
}

#[tokio::test(start_paused = true)]
async fn it_is_refused_where_its_generation_is() {
    let (io, _) = server(SocketIo::builder().generations([Generation::Eio3]));
    assert_eq!(status(&io, URL, &[]), 400);
}

#[tokio::test(start_paused = true)]
async fn a_polling_client_that_has_proved_it_is_carried_by_it() {
    let (io, log) = server(SocketIo::builder());
    let mut sockets = sockets(&io.of("/"));
    let client = Polling::join(&io, "/").await;
    let socket = sockets.next().await;
    let open = client.open_get().await;
    socket.emit("n", 0).expect("json");
    assert_eq!(kit::answer(open).await.packets(), [r#"42["n",0]"#]);

    let mut wt = Wt::probe(&io, &client.sid).await;
    // The client waits for its last poll to be released, and may be told more by it.
    socket.emit("n", 1).expect("json");
    assert_eq!(client.get().await.packets(), [r#"42["n",1]"#]);
    socket.emit("n", 2).expect("json");
    client.posted(r#"42["note",1]"#).await;
    wt.send("5").await;
    wt.send(r#"42["note",2]"#).await;
    wt.send(r#"42["transport"]"#).await;
    assert_eq!(wt.text().await, r#"42["n",2]"#);
    assert_eq!(wt.text().await, r#"42["transport","webtransport"]"#);
    socket.emit("n", 3).expect("json");
    assert_eq!(wt.text().await, r#"42["n",3]"#);
    assert_eq!(
        (log.take(), io.clients_count()),
        (vec!["1".to_owned(), "2".to_owned()], 1)
    );
    assert_eq!(client.get().await.status, 400, "polling is over");
    wt.quiet(secs(200)).await;
    wt.vanish().await;
    assert_eq!(log.take(), ["transport close"]);
}

#[tokio::test(start_paused = true)]
async fn of_a_websocket_and_a_session_that_probe_the_second_is_refused() {
    let (io, _) = server(SocketIo::builder());
    let client = Polling::join(&io, "/").await;
    let mut wt = Wt::probe(&io, &client.sid).await;
    assert_eq!(Ws::upgrade(&io, &client.sid).end().await, []);
    wt.send("5").await;
    wt.send(r#"42["transport"]"#).await;
    assert_eq!(wt.text().await, r#"42["transport","webtransport"]"#);

    let client = Polling::join(&io, "/").await;
    let mut ws = Ws::upgrade(&io, &client.sid);
    ws.send("2probe").await;
    assert_eq!(ws.text().await, "3probe");
    let mut wt = Wt::open(&io);
    wt.send(&format!(r#"0{{"sid":"{}"}}"#, client.sid)).await;
    assert_eq!(wt.end().await, []);
    ws.send("5").await;
    ws.send(r#"42["transport"]"#).await;
    assert_eq!(ws.text().await, r#"42["transport","websocket"]"#);
    // What is carried already is not taken over again.
    let mut wt = Wt::open(&io);
    wt.send(&format!(r#"0{{"sid":"{}"}}"#, client.sid)).await;
    assert_eq!(wt.end().await, []);
    ws.quiet(secs(100)).await;
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_falls_silent_breaks_off_or_talks_nonsense_leaves_the_client_on_polling() {
    let (io, log) = server(SocketIo::builder());
    let client = Polling::join(&io, "/").await;
    let start = Instant::now();
    let mut silent = Wt::probe(&io, &client.sid).await;
    assert_eq!(silent.end().await, []);
    assert!((secs(10)..secs(11)).contains(&start.elapsed()), "{:?}", start.elapsed());
    assert_polls(&client).await;

    Wt::probe(&io, &client.sid).await.vanish().await;
    assert_polls(&client).await;

    let mut nonsense = Wt::probe(&io, &client.sid).await;
    nonsense.send("4hello").await;
    assert_eq!(nonsense.end().await, []);
    assert_polls(&client).await;
    assert!(log.take().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_session_without_a_first_packet_is_given_up_in_time() {
    let (io, _) = server(SocketIo::builder().upgrade_timeout(secs(3)));
    for start_of_packet in [&b""[..], b"\x05", b"\x050{"] {
        let start = Instant::now();
        let mut wt = Wt::open(&io);
        wt.write(start_of_packet).await;
        assert_eq!(wt.end().await, []);
        assert!((secs(3)..secs(4)).contains(&start.elapsed()), "{:?}", start.elapsed());
    }
    assert_eq!(io.clients_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_first_packet_that_asks_for_nothing_that_there_is_ends_the_session_at_once() {
    let (io, _) = server(SocketIo::builder());
    let parts = request(Method::GET, "/socket.io/?EIO=3&transport=polling&b64=1", &[]);
    let open = kit::Answer::of(io.service().handle(parts, String::new()).await).await;
    let eio3 = open
        .body
        .split("\"sid\":\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    let eio3 = eio3.expect("a sid");
    let unknown = "A".repeat(20);
    let named = |sid: &str| message(0, format!(r#"0{{"sid":"{sid}"}}"#).as_bytes());
    for first in [
        message(0, b"40"),
        message(0, b"2probe"),
        message(0, b"0{}"),
        message(0, b"0{\"sid\":1}"),
        message(0, b"0abc"),
        message(0x80, b"0"),
        message(0x80, b""),
        message(0, b""),
        message(0, b"\xff"),
        vec![127, 0xff, 0, 0, 0, 0, 0, 0, 0],
        named("__proto__"),
        named(&unknown),
        named(eio3),
    ] {
        let start = Instant::now();
        let mut wt = Wt::open(&io);
        wt.write(&first).await;
        assert_eq!(wt.end().await, [], "{first:?}");
        assert!(start.elapsed() < millis(1), "{first:?}");
    }
    assert_eq!(io.clients_count(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_empty_or_too_long_message_or_one_that_is_no_packet_ends_the_connection_with_parse_error() {
    for bad in [
        message(0, b""),
        vec![126, 0, 101],
        vec![0xfe, 0, 101],
        vec![127, 0, 0, 0, 0, 0, 0, 0, 101],
        vec![127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        message(0, b"4\xff"),
        message(0, b"9"),
    ] {
        let (io, log) = server(SocketIo::builder().max_payload(100));
        let mut wt = Wt::join(&io).await;
        wt.write(&bad).await;
        assert_eq!(wt.end().await, [], "{bad:?}");
        assert_eq!(log.take(), ["parse error"], "{bad:?}");
    }
    let (io, log) = server(SocketIo::builder().max_payload(100));
    let mut wt = Wt::join(&io).await;
    let longest = format!(r#"42["none","{}"]"#, "x".repeat(87));
    assert_eq!(longest.len(), 100);
    wt.send(&longest).await;
    wt.send(r#"42["note",1]"#).await;
    idle().await;
    assert_eq!(log.take(), ["1"], "100 bytes are not too many");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_answer_heartbeats_is_gone_after_45_seconds() {
    let (io, log) = server(SocketIo::builder());
    let mut wt = Wt::join(&io).await;
    let start = Instant::now();
    assert_eq!(wt.end().await, [Packet::Text("2".to_owned())]);
    assert!((secs(45)..secs(46)).contains(&start.elapsed()), "{:?}", start.elapsed());
    assert_eq!(log.take(), ["ping timeout"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_queued_is_written_before_the_server_closes() {
    let (io, log) = server(SocketIo::builder());
    let mut wt = Wt::join(&io).await;
    io.emit("last", "word").expect("json");
    let closing = tokio::spawn({
        let io = io.clone();
        async move { io.close().await }
    });
    assert_eq!(wt.end().await, [Packet::Text(r#"42["last","word"]"#.to_owned())]);
    soon("the end", closing).await.expect("no panic");
    assert_eq!(log.take(), ["server shutting down"]);
}

#[tokio::test(start_paused = true)]
async fn a_session_without_a_first_packet_or_in_a_probe_does_not_delay_the_end() {
    let (io, _) = server(SocketIo::builder());
    let client = Polling::join(&io, "/").await;
    let probing = Wt::probe(&io, &client.sid).await;
    let silent = Wt::open(&io);
    kit::idle().await;
    let start = Instant::now();
    io.close().await;
    assert!(start.elapsed() < secs(1), "{:?}", start.elapsed());
    for mut wt in [probing, silent] {
        assert_eq!(wt.end().await, []);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_drains_takes_upgrades_and_no_new_clients() {
    let (io, _) = server(SocketIo::builder());
    let client = Polling::join(&io, "/").await;
    let draining = io.clone();
    let drained = tokio::spawn(async move { draining.drain(secs(60)).await });
    kit::idle().await;
    let mut new = Wt::open(&io);
    new.send("0").await;
    assert_eq!(new.end().await, []);
    let mut upgraded = Wt::probe(&io, &client.sid).await;
    upgraded.send("5").await;
    upgraded.send(r#"42["transport"]"#).await;
    assert_eq!(upgraded.text().await, r#"42["transport","webtransport"]"#);
    upgraded.vanish().await;
    soon("the end", drained).await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_reads_is_cut_off_when_its_outbox_is_full() {
    let (io, log) = server(SocketIo::builder().max_outbox_bytes(10_000));
    let mut wt = Wt::open_with(&io, 1000);
    wt.write(b"\x010\x0240").await;
    assert!(wt.text().await.starts_with("0{"));
    assert!(wt.text().await.starts_with("40{"));
    let mut emitted = 0;
    let left = timeout(secs(20), async {
        loop {
            io.emit("n", "x".repeat(980)).expect("json");
            emitted += 1;
            idle().await;
            let left = log.take();
            if !left.is_empty() {
                break left;
            }
        }
    });
    assert_eq!(left.await.expect("it is cut off"), ["transport error"]);
    assert!((10..15).contains(&emitted), "{emitted} events");
}

fn reporting(builder: SocketIoBuilder) -> (SocketIo, Log) {
    let log = Log::default();
    let noted = log.clone();
    let builder = builder.on_connection_error(move |error| noted.add(error.message()));
    (server(builder).0, log)
}

#[tokio::test(start_paused = true)]
async fn its_refusals_are_reported() {
    let (io, log) = reporting(SocketIo::builder());
    assert_eq!(status(&io, URL, &[("origin", "https://evil.example")]), 403);
    assert_eq!(log.take(), ["Forbidden"]);
    assert_eq!(status(&io, URL, &[("origin", "no origin")]), 400);
    assert_eq!(log.take(), ["Bad request"]);
    let mut wt = Wt::open(&io);
    wt.send(r#"0{"sid":"AAAAAAAAAAAAAAAAAAAA"}"#).await;
    idle().await;
    assert_eq!(log.take(), ["Session ID unknown"]);
    let parts = request(Method::GET, "/socket.io/?EIO=3&transport=polling&b64=1", &[]);
    let open = kit::Answer::of(io.service().handle(parts, String::new()).await).await;
    let mut wt = Wt::open(&io);
    let (_, sid) = open.body.split_once(r#""sid":""#).expect("a session");
    let sid = &sid[..20];
    wt.send(&format!(r#"0{{"sid":"{sid}"}}"#)).await;
    idle().await;
    assert_eq!(log.take(), ["Bad request"]);
}

/// A client about whom the application has not decided.
async fn undecided(gate: &Gate) -> (SocketIo, Wt) {
    let held = gate.clone();
    let (io, _) = server(SocketIo::builder().allow_request(move |_: Handshake| {
        let held = held.clone();
        async move {
            held.pass().await;
            Ok::<(), Refusal>(())
        }
    }));
    let mut wt = Wt::open(&io);
    wt.send("0").await;
    idle().await;
    (io, wt)
}

#[tokio::test(start_paused = true)]
async fn who_is_let_in_when_the_server_drains_already_is_refused() {
    let gate = Gate::closed();
    let (io, mut wt) = undecided(&gate).await;
    let drain = io.drain(secs(30));
    let drain = tokio::spawn(async move { drain.await });
    idle().await;
    gate.admit(1);
    assert!(soon("an end", wt.stream.read_u8()).await.is_err());
    drain.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_end_does_not_wait_for_a_decision() {
    let (io, _wt) = undecided(&Gate::closed()).await;
    let start = Instant::now();
    io.close().await;
    assert!(start.elapsed() <= secs(1), "{:?}", start.elapsed());
}
