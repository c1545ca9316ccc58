//! Clients before 1.0: handshake, polls, streams, WebSockets and the changes between them, packets, acks
//! and endings, in virtual time.

use bytes::Bytes;
use http::Method;
use http_body_util::{BodyExt as _, Full};
use tokio::task::JoinHandle;
use tower_socketio::{
    Ack, Args, Cors, Data, DisconnectReason, EncodeError, EventError, Generation, RawArgs, Refusal, Socket, SocketIo,
    State, Ticket, Transport,
};

mod kit;

use kit::{Log, Packet, UPGRADE, Ws, answer, idle, millis, request, secs, sockets, soon};

const PIPE: usize = 1 << 20;

/// An answer: its status, and its body as text.
type Told = (u16, String);

async fn call(io: &SocketIo, method: Method, tail: &str, headers: &[(&str, &str)], body: &str) -> Told {
    let parts = request(method, &format!("/socket.io{tail}"), headers);
    let response = soon(
        "a response",
        io.service().handle(parts, Full::<Bytes>::from(body.to_owned())),
    )
    .await;
    let told = kit::Answer::of(response).await;
    (told.status, told.body)
}

async fn get(io: &SocketIo, tail: &str) -> String {
    let (status, body) = call(io, Method::GET, tail, &[], "").await;
    assert_eq!(status, 200, "{body}");
    body
}

/// A session that no transport carries yet.
async fn reserve(io: &SocketIo) -> String {
    let line = get(io, "/1/?t=1").await;
    line.split_once(':').expect("a handshake").0.to_owned()
}

/// A client that polls.
#[derive(Clone)]
struct Poller {
    io: SocketIo,
    tail: String,
    sid: String,
}

impl Poller {
    fn new(io: &SocketIo, transport: &str, sid: &str) -> Self {
        Self {
            io: io.clone(),
            tail: format!("/1/{transport}/{sid}?t=2"),
            sid: sid.to_owned(),
        }
    }

    /// A client that was greeted.
    async fn open(io: &SocketIo) -> Self {
        let sid = reserve(io).await;
        let poller = Self::new(io, "xhr-polling", &sid);
        assert_eq!(poller.get().await, "1::");
        poller
    }

    async fn get(&self) -> String {
        get(&self.io, &self.tail).await
    }

    /// A poll in a task of its own, which is open when this returns.
    async fn open_get(&self) -> JoinHandle<kit::Answer> {
        let client = self.clone();
        let get = tokio::spawn(async move {
            let (status, body) = call(&client.io, Method::GET, &client.tail, &[], "").await;
            kit::Answer { status, body }
        });
        idle().await;
        get
    }

    async fn post(&self, payload: &str) -> Told {
        call(&self.io, Method::POST, &self.tail, &[], payload).await
    }

    async fn posted(&self, payload: &str) {
        assert_eq!(self.post(payload).await, (200, "1".to_owned()));
    }
}

fn ticket(io: &SocketIo, tail: &str) -> Ticket {
    let parts = request(Method::GET, &format!("/socket.io{tail}"), &UPGRADE);
    match kit::accept(io, parts) {
        Ok((_, ticket)) => ticket,
        Err(refusal) => panic!("the WebSocket was refused: {}", refusal.status()),
    }
}

/// A WebSocket that takes a session over.
fn websocket(io: &SocketIo, sid: &str) -> Ws {
    Ws::redeem(ticket(io, &format!("/1/websocket/{sid}")), PIPE)
}

/// A WebSocket client that was greeted.
async fn open_websocket(io: &SocketIo) -> (Ws, String) {
    let sid = reserve(io).await;
    let mut ws = websocket(io, &sid);
    assert_eq!(text(&mut ws).await, "1::");
    (ws, sid)
}

/// The next packet, heartbeats included.
async fn text(ws: &mut Ws) -> String {
    match ws.next().await {
        Some(Packet::Text(text)) => text,
        other => panic!("not a text message: {other:?}"),
    }
}

/// All packets that are there.
async fn texts(ws: &mut Ws) -> Vec<String> {
    ws.texts().await
}

fn framed(packets: &[&str]) -> String {
    let framed = |packet: &&str| format!("\u{fffd}{}\u{fffd}{packet}", packet.encode_utf16().count());
    packets.iter().map(framed).collect()
}

fn echo() -> (SocketIo, Log) {
    let log = Log::default();
    let io = SocketIo::builder().state(log.clone()).jsonp(true).build();
    for path in ["/", "/chat"] {
        io.of(path)
            .on("echo", async |socket: Socket, args: RawArgs| socket.emit("echo", args))
            .on("echo-ack", async |args: RawArgs| Ack(args))
            .on("message", async |socket: Socket, args: RawArgs| socket.send(args))
            .on("kick", async |socket: Socket| socket.disconnect())
            .on("close", async |socket: Socket| socket.close())
            .on_disconnect(async |socket: Socket, State(log): State<Log>, why: DisconnectReason| {
                log.add(format!("{} {why}", socket.namespace().path()));
            });
    }
    (io, log)
}

#[tokio::test(start_paused = true)]
async fn a_handshake_tells_the_session_the_times_and_the_transports() {
    let io = SocketIo::builder()
        .ping_interval(millis(2_500))
        .ping_timeout(secs(6))
        .build();
    let line = get(&io, "/1/?t=1").await;
    let (sid, rest) = line.split_once(':').unwrap();
    assert_eq!((sid.len(), rest), (20, "9:9:websocket,htmlfile,xhr-polling"));
    assert_eq!(get(&io, "/1").await.len(), line.len());
    let io = SocketIo::builder()
        .jsonp(true)
        .transports([Transport::JsonpPolling, Transport::FlashSocket, Transport::Polling])
        .build();
    assert!(get(&io, "/1/").await.ends_with(":45:45:flashsocket,jsonp-polling"));
    let script = get(&io, "/1/?jsonp=7").await;
    assert!(script.starts_with("io.j[7](\"") && script.ends_with(":45:45:flashsocket,jsonp-polling\");"));
}

#[tokio::test(start_paused = true)]
async fn handshakes_that_cannot_be_are_refused() {
    let io = SocketIo::builder().build();
    let told = |status, text: &str| (status, text.to_owned());
    assert_eq!(
        call(&io, Method::GET, "/2/?t=1", &[], "").await,
        told(500, "Protocol version not supported.")
    );
    let foreign = [("host", "here.example"), ("origin", "http://there.example")];
    assert_eq!(
        call(&io, Method::GET, "/1/", &foreign, "").await,
        told(403, "handshake bad origin")
    );
    assert_eq!(call(&io, Method::POST, "/1/", &[], "").await.0, 400);
    let refusal = r#"io.j[1](new Error("handshake unauthorized"));"#;
    assert_eq!(call(&io, Method::GET, "/1/?jsonp=1", &[], "").await, told(200, refusal));
    let scripts = SocketIo::builder().jsonp(true).build();
    let foreign = [("sec-fetch-site", "cross-site")];
    let refusal = r#"io.j[1](new Error("handshake bad origin"));"#;
    assert_eq!(
        call(&scripts, Method::GET, "/1/?jsonp=1", &foreign, "").await,
        told(200, refusal)
    );
    let newer = SocketIo::builder()
        .generations([Generation::Eio3, Generation::Eio4])
        .build();
    assert_eq!(call(&newer, Method::GET, "/1/", &[], "").await.0, 400);
    let none = SocketIo::builder().transports([Transport::Polling]).build();
    assert_eq!(call(&none, Method::GET, "/1/", &[], "").await.0, 400);
    io.close().await;
    assert_eq!(
        call(&io, Method::GET, "/1/", &[], "").await,
        told(503, "handshake error")
    );
}

#[tokio::test(start_paused = true)]
async fn pages_of_other_origins_are_told_that_they_may_send_cookies() {
    let io = SocketIo::builder().cors(Cors::origins(["http://app.example"])).build();
    let headers = [("host", "here.example"), ("origin", "http://app.example")];
    let parts = request(Method::GET, "/socket.io/1/", &headers);
    let response = io.service().handle(parts, Full::<Bytes>::default()).await;
    let header = |name: &str| response.headers()[name].to_str().unwrap();
    assert_eq!(header("access-control-allow-origin"), "http://app.example");
    assert_eq!(header("access-control-allow-credentials"), "true");
}

#[tokio::test(start_paused = true)]
async fn the_application_begins_when_the_first_transport_does() {
    let io = SocketIo::builder().build();
    io.of("/").on_connect(async |socket: Socket| {
        let generation = socket.handshake().generation();
        socket.emit(
            "you",
            Args((generation.to_string(), socket.transport().as_str(), socket.id())),
        )
    });
    let unused = reserve(&io).await;
    assert_eq!(io.of("/").sockets_count(), 0);
    for transport in ["xhr-polling", "websocket"] {
        let sid = reserve(&io).await;
        let you = format!(r#"5:::{{"name":"you","args":["Socket.IO 0.9","{transport}","{sid}"]}}"#);
        if transport == "websocket" {
            let mut ws = websocket(&io, &sid);
            assert_eq!((text(&mut ws).await, text(&mut ws).await), ("1::".to_owned(), you));
            std::mem::forget(ws);
        } else {
            let poller = Poller::new(&io, transport, &sid);
            assert_eq!((poller.get().await, poller.get().await), ("1::".to_owned(), you));
        }
    }
    assert_eq!(io.clients_count(), 3);
    tokio::time::sleep(secs(31)).await;
    assert_eq!(get(&io, &format!("/1/xhr-polling/{unused}")).await, "7:::1+0");
}

#[tokio::test(start_paused = true)]
async fn events_messages_and_acks_go_both_ways() {
    let (io, _) = echo();
    let mut sockets = sockets(&io.of("/"));
    let (mut ws, _) = open_websocket(&io).await;
    let socket = sockets.next().await;
    #[rustfmt::skip]
    let exchanges = [
        (r#"5:::{"name":"echo","args":["é😀",{"a":[null]}]}"#, r#"5:::{"name":"echo","args":["é😀",{"a":[null]}]}"#),
        (r#"5:::{"name":"echo"}"#, r#"5:::{"name":"echo"}"#),
        (r#"5:1+::{"name":"echo-ack","args":[1,"two"]}"#, r#"6:::1+[1,"two"]"#),
        (r#"5:2+::{"name":"echo-ack"}"#, "6:::2"),
        ("3:::a:b", "3:::a:b"),
        ("3::", "3::"),
        (r#"4:::{"a":1}"#, r#"4:::{"a":1}"#),
        ("4:::[]", "4:::[]"),
    ];
    for (sent, received) in exchanges {
        ws.send(sent).await;
        assert_eq!(text(&mut ws).await, received, "{sent}");
    }
    // Without a plus the server answers by itself, and before the application.
    ws.send("3:3::hi").await;
    assert_eq!(
        (text(&mut ws).await, text(&mut ws).await),
        ("6:::3".into(), "3:::hi".into())
    );
    ws.send(r#"5:4::{"name":"echo-ack"}"#).await;
    assert_eq!(texts(&mut ws).await, ["6:::4"]);
    // With one, an application that does not answer does not.
    ws.send("3:5+::hi").await;
    assert_eq!(texts(&mut ws).await, ["3:::hi"]);

    let question = tokio::spawn(async move { socket.emit_with_ack::<Args<(i32, String)>>("sum", Args((1, 2))).await });
    let asked = text(&mut ws).await;
    let id = asked
        .strip_prefix("5:")
        .and_then(|rest| rest.split_once("+::"))
        .unwrap()
        .0;
    assert_eq!(asked, format!(r#"5:{id}+::{{"name":"sum","args":[1,2]}}"#));
    ws.send(&format!(r#"6:::{id}+[3,"three"]"#)).await;
    assert_eq!(question.await.unwrap().unwrap().0, (3, "three".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn polls_are_answered_at_once_or_when_there_is_something() {
    let (io, _) = echo();
    let poller = Poller::open(&io).await;
    let held = poller.open_get().await;
    poller.posted(r#"5:::{"name":"echo","args":[1]}"#).await;
    assert_eq!(answer(held).await.body, r#"5:::{"name":"echo","args":[1]}"#);
    // What comes between two polls waits, and goes out together.
    let several = ["3:::é😀\u{fffd}", r#"5:1+::{"name":"echo-ack","args":["\ud83d"]}"#];
    poller.posted(&framed(&several)).await;
    let together = [several[0], r#"6:::1+["\ufffd"]"#];
    assert_eq!(poller.get().await, framed(&together));
    poller.posted("").await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_poll_is_answered_after_the_interval_and_a_client_that_polls_lives() {
    let (io, log) = echo();
    let poller = Poller::open(&io).await;
    for _ in 0..10 {
        let start = tokio::time::Instant::now();
        assert_eq!(poller.get().await, "8::");
        assert_eq!(start.elapsed().as_secs(), 25);
    }
    tokio::time::sleep(secs(18)).await;
    assert_eq!(log.take(), [""; 0]);
    tokio::time::sleep(secs(4)).await;
    assert_eq!(log.take(), ["/ ping timeout"]);
    assert_eq!(poller.get().await, "7:::1+0");
    assert_eq!(poller.post("3:::a").await.0, 400);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_posts_is_alive() {
    let (io, log) = echo();
    let poller = Poller::open(&io).await;
    for _ in 0..10 {
        tokio::time::sleep(secs(30)).await;
        poller.posted(r#"5:1+::{"name":"echo-ack"}"#).await;
    }
    assert_eq!(log.take(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_client_may_post_while_it_posts() {
    let log = Log::default();
    let gate = kit::Gate::closed();
    let io = SocketIo::builder()
        .state(log.clone())
        .state(gate.clone())
        .max_handlers(1)
        .max_pending_bytes(1)
        .build();
    io.of("/").on(
        "say",
        async |State(log): State<Log>, State(gate): State<kit::Gate>, Data(text): Data<String>| {
            gate.pass().await;
            log.add(text);
        },
    );
    let poller = Poller::open(&io).await;
    let say = |text: &str| format!(r#"5:::{{"name":"say","args":["{text}"]}}"#);
    let first = framed(&[&say("a"), &say("b"), &say("c")]);
    let mut posts = Vec::new();
    for payload in [&*first, "2::", &say("d"), &say("e"), &say("f")] {
        let (poller, payload) = (poller.clone(), payload.to_owned());
        posts.push(tokio::spawn(async move { poller.post(&payload).await.0 }));
        idle().await;
    }
    // The client waits for none of the answers: one more is too many, as from whoever fills memory.
    assert_eq!(posts.pop().unwrap().await.unwrap(), 400);
    assert_eq!(io.clients_count(), 0);
    gate.admit(2);
    idle().await;
    assert_eq!(log.take(), ["a", "b"]);

    let poller = Poller::open(&io).await;
    let busy = {
        let (poller, first) = (poller.clone(), first.clone());
        tokio::spawn(async move { poller.post(&first).await.0 })
    };
    idle().await;
    let heartbeat = {
        let poller = poller.clone();
        tokio::spawn(async move { poller.post("2::").await.0 })
    };
    idle().await;
    gate.admit(3);
    assert_eq!((busy.await.unwrap(), heartbeat.await.unwrap()), (200, 200));
    idle().await;
    assert_eq!(log.take(), ["a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn a_newer_poll_replaces_the_older() {
    let (io, log) = echo();
    let poller = Poller::open(&io).await;
    let older = poller.open_get().await;
    let newer = poller.open_get().await;
    assert_eq!(answer(older).await.body, "8::");
    // A poll that is given up loses nothing.
    newer.abort();
    idle().await;
    poller.posted("3:::a").await;
    assert_eq!(poller.get().await, "3:::a");
    // Another transport is greeted anew.
    let script = Poller::new(&io, "jsonp-polling", &poller.sid);
    let held = poller.open_get().await;
    assert_eq!(get(&io, &format!("{}&i=4", script.tail)).await, r#"io.j[4]("1::");"#);
    assert_eq!(answer(held).await.body, "8::");
    assert_eq!(log.take(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn heartbeats_are_the_servers_on_a_websocket() {
    let (io, log) = echo();
    let (mut ws, _) = open_websocket(&io).await;
    for _ in 0..10 {
        assert_eq!(text(&mut ws).await, "2::");
        ws.send("2::").await;
    }
    assert_eq!(text(&mut ws).await, "2::");
    tokio::time::sleep(secs(19)).await;
    assert_eq!(log.take(), [""; 0]);
    tokio::time::sleep(secs(2)).await;
    assert_eq!(log.take(), ["/ ping timeout"]);
}

#[tokio::test(start_paused = true)]
async fn a_poll_takes_over_from_a_websocket_that_is_stuck_and_the_other_way_round() {
    let (io, log) = echo();
    let changes = Log::default();
    let noted = changes.clone();
    io.of("/")
        .on_upgrade(move |socket| noted.add(socket.transport().as_str()));
    let sid = reserve(&io).await;
    // Nobody reads it: a proxy swallows what it carries.
    let mut stuck = Ws::redeem(ticket(&io, &format!("/1/websocket/{sid}")), 64);
    idle().await;
    let filler = "x".repeat(100);
    for number in 0..3 {
        io.emit("news", Args((number, &filler))).unwrap();
    }
    idle().await;
    let poller = Poller::new(&io, "xhr-polling", &sid);
    let news = |number: u32| format!(r#"5:::{{"name":"news","args":[{number},"{filler}"]}}"#);
    assert_eq!(poller.get().await, framed(&["1::", &news(0), &news(1), &news(2)]));
    poller.posted("3:::by xhr").await;
    assert_eq!(poller.get().await, "3:::by xhr");
    stuck.end().await;

    let held = poller.open_get().await;
    let mut ws = websocket(&io, &sid);
    assert_eq!(text(&mut ws).await, "1::");
    assert_eq!(answer(held).await.body, "8::");
    ws.send("3:::by websocket").await;
    assert_eq!(text(&mut ws).await, "3:::by websocket");
    assert_eq!(poller.post("3:::late").await.0, 400, "it no longer polls");

    let mut newest = websocket(&io, &sid);
    assert_eq!(ws.end().await, []);
    newest.send("3:::by the newest").await;
    assert_eq!(text(&mut newest).await, "3:::by the newest");
    assert_eq!(log.take(), [""; 0]);
    assert_eq!(changes.take(), ["xhr-polling", "websocket"], "each is told once");
}

#[tokio::test(start_paused = true)]
async fn no_message_is_lost_or_doubled_however_often_the_transport_changes() {
    let (io, _) = echo();
    let sid = reserve(&io).await;
    let poller = Poller::new(&io, "xhr-polling", &sid);
    let mut received = Vec::new();
    for round in 0..20 {
        assert_eq!(poller.get().await, "1::");
        io.emit("n", 3 * round).unwrap();
        let held = poller.open_get().await;
        received.push(answer(held).await.body);
        io.emit("n", 3 * round + 1).unwrap();
        let mut ws = websocket(&io, &sid);
        io.emit("n", 3 * round + 2).unwrap();
        assert_eq!(text(&mut ws).await, "1::");
        received.extend([text(&mut ws).await, text(&mut ws).await]);
        std::mem::forget(ws);
    }
    let expected: Vec<_> = (0..60).map(|n| format!(r#"5:::{{"name":"n","args":[{n}]}}"#)).collect();
    assert_eq!(received, expected);
}

#[tokio::test(start_paused = true)]
async fn jsonp_wraps_payloads_in_scripts_and_reads_forms() {
    let (io, _) = echo();
    let sid = reserve(&io).await;
    let tail = |index: &str| format!("/1/jsonp-polling/{sid}?t=1&i={index}");
    assert_eq!(get(&io, &tail("0")).await, r#"io.j[0]("1::");"#);
    let form = "d=%223%3A%3A%3Aa+b%5Cr%5Cn%5Cu2028%22";
    assert_eq!(
        call(&io, Method::POST, &tail("0"), &[], form).await,
        (200, "1".to_owned())
    );
    assert_eq!(get(&io, &tail("12")).await, r#"io.j[12]("3:::a b\r\n\u2028");"#);
    assert_eq!(get(&io, &tail("alert(1)")).await, r#"io.j[0]("8::");"#);
    assert_eq!(get(&io, "/1/jsonp-polling/unknown?i=1").await, r#"io.j[1]("7:::1+0");"#);
    call(&io, Method::POST, &tail("0"), &[], "d=3%3A%3A%3Aas+it+is").await;
    assert_eq!(get(&io, &tail("0")).await, r#"io.j[0]("3:::as it is");"#);
    assert_eq!(call(&io, Method::POST, &tail("0"), &[], "d=%223:::a").await.0, 400);
}

#[tokio::test(start_paused = true)]
async fn an_endless_page_brings_every_packet_and_heartbeats() {
    let (io, log) = echo();
    let sid = reserve(&io).await;
    let parts = request(Method::GET, &format!("/socket.io/1/htmlfile/{sid}?t=1"), &[]);
    let response = io.service().handle(parts, Full::<Bytes>::default()).await;
    assert_eq!(response.headers()["content-type"], "text/html; charset=UTF-8");
    assert!(response.headers().get("content-length").is_none());
    let mut page = response.into_body();
    let mut piece = async || {
        let frame = soon("a piece of the page", page.frame()).await?.unwrap();
        Some(String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap())
    };
    let head = piece().await.unwrap();
    assert!(head.starts_with("<html><body><script>var _ = function (msg)") && head.len() > 256);
    assert_eq!(piece().await.unwrap(), r#"<script>_("1::");</script>"#);
    let poller = Poller::new(&io, "htmlfile", &sid);
    poller.posted("3:::</script>").await;
    assert_eq!(piece().await.unwrap(), r#"<script>_("3:::<\/script>");</script>"#);
    for _ in 0..5 {
        assert_eq!(piece().await.unwrap(), r#"<script>_("2::");</script>"#);
        poller.posted("2::").await;
    }
    poller.posted(r#"5:::{"name":"kick"}"#).await;
    assert_eq!(piece().await.unwrap(), r#"<script>_("0::");</script>"#);
    assert_eq!(piece().await.unwrap(), r#"<script>_("7:::1+0");</script>"#);
    assert_eq!(piece().await, None);
    assert_eq!(log.take(), ["/ server namespace disconnect"]);
    let page = get(&io, &format!("/1/htmlfile/{sid}")).await;
    assert!(page.ends_with(r#"<script>_("7:::1+0");</script>"#), "{page}");
}

#[tokio::test(start_paused = true)]
async fn a_page_that_is_not_read_or_goes_away_ends_the_session() {
    let log = Log::default();
    let io = SocketIo::builder().state(log.clone()).max_outbox_bytes(10_000).build();
    io.of("/")
        .on_disconnect(async |State(log): State<Log>, why: DisconnectReason| log.add(why));
    let open = async || {
        let sid = reserve(&io).await;
        let parts = request(Method::GET, &format!("/socket.io/1/htmlfile/{sid}"), &[]);
        let mut page = io.service().handle(parts, Full::<Bytes>::default()).await.into_body();
        for _ in ["its head", "the open packet"] {
            soon("a piece of the page", page.frame()).await;
        }
        page
    };
    drop(open().await);
    idle().await;
    assert_eq!(log.take(), ["transport close"]);
    let _unread = open().await;
    for _ in 0..20 {
        io.emit("news", "x".repeat(1_000)).unwrap();
        idle().await;
    }
    assert_eq!(log.take(), ["transport error"]);
}

#[tokio::test(start_paused = true)]
async fn endpoints_are_namespaces() {
    let (io, log) = echo();
    io.of("/admin").with(
        async |tower_socketio::Auth(auth): tower_socketio::Auth<serde_json::Value>| {
            if auth["token"] == "letmein" {
                return Ok(());
            }
            Err(Refusal::new("unauthorized"))
        },
    );
    let (mut ws, sid) = open_websocket(&io).await;
    ws.send("1::/chat").await;
    assert_eq!(text(&mut ws).await, "1::/chat");
    assert!(io.of("/chat").socket(&sid).is_some());
    ws.send(r#"5:1+:/chat:{"name":"echo-ack","args":["x"]}"#).await;
    assert_eq!(text(&mut ws).await, r#"6::/chat:1+["x"]"#);
    ws.send("3::/chat:hi").await;
    assert_eq!(text(&mut ws).await, "3::/chat:hi");

    ws.send("1::/admin").await;
    assert_eq!(text(&mut ws).await, "7::/admin:2");
    ws.send("1::/admin:?token=letmein").await;
    assert_eq!(text(&mut ws).await, "1::/admin");
    // One that is not there does not answer, and what is sent to it harms nothing.
    ws.send("1::/nowhere").await;
    ws.send(r#"5:1+:/nowhere:{"name":"echo-ack"}"#).await;
    ws.send("1::/chat").await;
    ws.send("6::/chat:99").await;
    ws.send("0::/nowhere").await;
    assert_eq!(texts(&mut ws).await, [""; 0]);

    ws.send(r#"5::/chat:{"name":"kick"}"#).await;
    assert_eq!(text(&mut ws).await, "0::/chat");
    ws.send("0::/admin").await;
    ws.send("3:::still here").await;
    assert_eq!(text(&mut ws).await, "3:::still here");
    assert_eq!(log.take(), ["/chat server namespace disconnect"]);
}

#[tokio::test(start_paused = true)]
async fn who_is_kicked_is_told_and_the_session_ends() {
    let (io, log) = echo();
    let (mut ws, _) = open_websocket(&io).await;
    ws.send("1::/chat").await;
    assert_eq!(text(&mut ws).await, "1::/chat");
    ws.send(r#"5:::{"name":"kick"}"#).await;
    assert_eq!(ws.end().await, [Packet::Text("0::".to_owned())]);
    let mut ends = log.take();
    ends.sort();
    assert_eq!(ends, ["/ server namespace disconnect", "/chat forced close"]);

    // Polling: by the open poll, or the next.
    for is_open in [true, false] {
        let poller = Poller::open(&io).await;
        let held = if is_open { Some(poller.open_get().await) } else { None };
        poller.posted(r#"5:::{"name":"kick"}"#).await;
        let told = match held {
            Some(held) => answer(held).await.body,
            None => poller.get().await,
        };
        assert_eq!(told, "0::");
        let (status, _) = call(&io, Method::GET, &poller.tail, &[], "").await;
        assert_eq!(status, 400);
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_closed_on_comes_back_by_itself() {
    let (io, log) = echo();
    let (mut ws, _) = open_websocket(&io).await;
    ws.send(r#"5:::{"name":"close"}"#).await;
    assert_eq!(ws.end().await, []);
    let poller = Poller::open(&io).await;
    let held = poller.open_get().await;
    poller.posted(r#"5:::{"name":"close"}"#).await;
    assert_eq!(answer(held).await.status, 400);
    assert_eq!(poller.get().await, "7:::1+0");
    // What is queued goes out first.
    let poller = Poller::open(&io).await;
    let held = poller.open_get().await;
    let last = [r#"5:::{"name":"echo"}"#, r#"5:::{"name":"close"}"#];
    poller.posted(&framed(&last)).await;
    assert_eq!(answer(held).await.body, framed(&[last[0], "8::"]));
    let (status, _) = call(&io, Method::GET, &poller.tail, &[], "").await;
    assert_eq!(status, 400);
    assert_eq!(log.take(), ["/ forced close"; 3]);
}

#[tokio::test(start_paused = true)]
async fn clients_leave_by_packet_or_url() {
    let (io, log) = echo();
    let (mut ws, _) = open_websocket(&io).await;
    ws.send("0::").await;
    assert_eq!(ws.end().await, [Packet::Text("0::".to_owned())]);
    for leave in ["/1//SID/?disconnect=1", "/1/xhr-polling/SID?t=1&disconnect=True"] {
        let poller = Poller::open(&io).await;
        let held = poller.open_get().await;
        let tail = leave.replace("SID", &poller.sid);
        assert_eq!(call(&io, Method::GET, &tail, &[], "").await, (200, String::new()));
        assert_eq!(answer(held).await.body, "0::");
        assert_eq!(poller.get().await, "7:::1+0");
        assert_eq!(call(&io, Method::GET, &tail, &[], "").await, (200, String::new()));
    }
    assert_eq!(log.take(), ["/ client namespace disconnect"; 3]);
    let (mut ws, sid) = open_websocket(&io).await;
    get(&io, &format!("/1//{sid}/?disconnect=1")).await;
    assert_eq!(ws.end().await, []);
    assert_eq!(log.take(), ["/ transport close"]);
}

#[tokio::test(start_paused = true)]
async fn a_websocket_for_an_unknown_session_is_told_so() {
    let (io, _) = echo();
    for sid in ["unknown", "AAAAAAAAAAAAAAAAAAAA"] {
        let mut ws = websocket(&io, sid);
        assert_eq!(ws.end().await, [Packet::Text("7:::1+0".to_owned())]);
    }
    // The session of another generation is unknown, too.
    let newer = kit::Polling::open(&io).await;
    assert_eq!(get(&io, &format!("/1/xhr-polling/{}", newer.sid)).await, "7:::1+0");
    let older = Poller::open(&io).await;
    let parts = request(
        Method::GET,
        &format!("/socket.io/?EIO=4&transport=polling&sid={}", older.sid),
        &[],
    );
    let response = io.service().handle(parts, Full::<Bytes>::default()).await;
    assert_eq!(response.status(), 400);
    older.posted("3:::still here").await;
}

#[tokio::test(start_paused = true)]
async fn three_generations_are_in_one_room() {
    let io = SocketIo::builder().build();
    io.of("/").on_connect(async |socket: Socket| socket.join("room"));
    let (mut oldest, _) = open_websocket(&io).await;
    let poller = Poller::open(&io).await;
    let (mut old, _) = Ws::open_eio3(&io).await;
    let mut new = Ws::join(&io, "/").await;
    assert_eq!(old.texts().await, ["40"]);
    io.to("room").emit("news", Args(("é\u{2028}", 1))).unwrap();
    let by_0_9 = r#"5:::{"name":"news","args":["é\u2028",1]}"#;
    assert_eq!(texts(&mut oldest).await, [by_0_9]);
    assert_eq!(poller.get().await, by_0_9);
    let later = "42[\"news\",\"é\u{2028}\",1]";
    assert_eq!(old.texts().await, [later]);
    assert_eq!(new.texts().await, [later]);

    io.to("room").emit("bytes", Bytes::from_static(b"abc")).unwrap();
    io.to("room").emit("after", ()).unwrap();
    assert_eq!(texts(&mut oldest).await, [r#"5:::{"name":"after","args":[null]}"#]);
    for ws in [&mut old, &mut new] {
        ws.text().await;
        ws.binary().await;
        assert_eq!(ws.text().await, r#"42["after",null]"#);
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_for_one_client_that_has_none_are_an_error() {
    let log = Log::default();
    let io = SocketIo::builder().build();
    io.of("/")
        .on("bytes", async || Ack(Bytes::from_static(b"abc")))
        .on_error(log.failures());
    let mut sockets = sockets(&io.of("/"));
    let (mut ws, _) = open_websocket(&io).await;
    let socket = sockets.next().await;
    let bytes = Bytes::from_static(b"abc");
    let unsupported =
        Err("arguments hold bytes, which clients before 1.0 cannot be sent; send them as base64".to_owned());
    let told = |result: Result<(), EncodeError>| result.map_err(|error| error.to_string());
    assert_eq!(told(socket.emit("raw", bytes.clone())), unsupported);
    assert_eq!(told(socket.volatile().emit("raw", [bytes.clone()])), unsupported);
    let asked = socket.emit_with_ack::<()>("raw", bytes).await;
    assert!(asked.unwrap_err().to_string().contains("before 1.0"));
    ws.send(r#"5:1+::{"name":"bytes"}"#).await;
    let answer = text(&mut ws).await;
    assert!(answer.starts_with(r#"6:::1+[{"error":"#), "{answer}");
    let failures = log.take();
    assert!(failures[0].contains("before 1.0"), "{failures:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_packet_ends_the_session_and_no_other() {
    let (io, log) = echo();
    let other = Poller::open(&io).await;
    for (payload, reason) in [
        ("9::", "parse error"),
        ("\u{fffd}9\u{fffd}3:::a", "parse error"),
        ("\u{fffd}5\u{fffd}3:::😀", "parse error"),
        ("\u{fffd}18446744073709551616\u{fffd}3:::a", "parse error"),
        ("5:::{", "forced close"),
        (r#"5:::{"name":"disconnect"}"#, "forced close"),
        ("6:::18446744073709551616", "forced close"),
    ] {
        let poller = Poller::open(&io).await;
        let (status, _) = poller.post(payload).await;
        idle().await;
        let ended = log.take();
        assert_eq!(ended, [format!("/ {reason}")], "{payload}: {status}");
        if !payload.starts_with('\u{fffd}') {
            let (mut ws, _) = open_websocket(&io).await;
            ws.send(payload).await;
            assert_eq!(ws.end().await, []);
            assert_eq!(log.take(), [format!("/ {reason}")], "{payload}");
        }
    }
    let (mut ws, _) = open_websocket(&io).await;
    ws.send_binary(b"3:::a").await;
    ws.end().await;
    // A packet before there is a transport.
    let sid = reserve(&io).await;
    let early = Poller::new(&io, "xhr-polling", &sid);
    assert_eq!(early.post("3:::a").await.0, 400);
    other.posted("3:::still here").await;
    assert_eq!(other.get().await, "3:::still here");
}

#[tokio::test(start_paused = true)]
async fn rooms_middleware_and_refusals_are_those_of_all_clients() {
    let io = SocketIo::builder().build();
    io.of("/").with(async |socket: Socket| {
        let token = socket
            .handshake()
            .query_value("token")
            .map(std::borrow::Cow::into_owned);
        token.map(|_| ()).ok_or_else(|| Refusal::new("no token"))
    });
    io.of("/").on("join", async |socket: Socket, Data(room): Data<String>| {
        socket.join(&room);
        Ok::<_, EventError>(Ack(room))
    });
    let line = get(&io, "/1/?token=x&t=1").await;
    let poller = Poller::new(&io, "xhr-polling", line.split(':').next().unwrap());
    assert_eq!(poller.get().await, "1::");
    poller.posted(r#"5:1+::{"name":"join","args":["a"]}"#).await;
    assert_eq!(poller.get().await, r#"6:::1+["a"]"#);
    io.to("a").emit("news", "for a").unwrap();
    assert_eq!(poller.get().await, r#"5:::{"name":"news","args":["for a"]}"#);

    let refused = Poller::open(&io).await;
    assert_eq!(refused.get().await, "7:::2");
    let start = tokio::time::Instant::now();
    while call(&io, Method::GET, &refused.tail, &[], "").await == (200, "8::".to_owned()) {}
    assert_eq!(start.elapsed().as_secs(), 45, "who joined nothing is let go");
}
