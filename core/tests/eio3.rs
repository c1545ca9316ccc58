//! Clients 1.x and 2.x (Engine.IO 3): what is different for them, and that they share everything else
//! with those of today.

mod kit;

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt as _, Full};
use kit::{Gate, Log, Packet, Ws, idle, millis, request, secs, sid_of};
use tower::ServiceExt as _;
use tower_socketio::{
    Ack, Auth, Cors, Data, DisconnectReason, Generation, RawArgs, Refusal, Socket, SocketIo, State, Transport,
};

/// A response to an HTTP request of such a client.
struct Answer {
    status: u16,
    media_type: String,
    body: Bytes,
}

async fn call(io: &SocketIo, method: Method, query: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let parts = request(method, &format!("/socket.io/?transport=polling&{query}"), headers);
    let request = Request::from_parts(parts, Full::<Bytes>::from(body.to_vec()));
    let Ok(response) = io.service().oneshot(request).await;
    let (head, body) = response.into_parts();
    let media_type = head.headers.get(header::CONTENT_TYPE);
    Answer {
        status: head.status.as_u16(),
        media_type: media_type
            .map(|kind| kind.to_str().unwrap().to_owned())
            .unwrap_or_default(),
        body: body.collect().await.unwrap().to_bytes(),
    }
}

async fn get(io: &SocketIo, query: &str) -> Answer {
    call(io, Method::GET, query, &[], b"").await
}

async fn post(io: &SocketIo, query: &str, body: &[u8]) -> (u16, Bytes) {
    let answer = call(io, Method::POST, query, &[], body).await;
    (answer.status, answer.body)
}

/// The session's id, and what came after the open packet, as text.
async fn open(io: &SocketIo, query: &str) -> (String, String) {
    let answer = get(io, &format!("EIO=3&b64=1&{query}")).await;
    let text = String::from_utf8(answer.body.into()).unwrap();
    let (length, open) = text.split_once(':').unwrap();
    assert_eq!(open.len().to_string(), length, "the open packet comes alone");
    let sid = sid_of(open);
    let rest = get(io, &format!("EIO=3&b64=1&sid={sid}")).await;
    (sid, String::from_utf8(rest.body.into()).unwrap())
}

#[tokio::test(start_paused = true)]
async fn the_main_namespace_is_joined_at_once_and_ids_are_the_connections() {
    let io = SocketIo::builder().build();
    io.of("/")
        .on_connect(async |socket: Socket| socket.emit("id", socket.id()));
    io.of("/chat")
        .on_connect(async |socket: Socket| socket.emit("id", socket.id()));
    let (mut ws, sid) = Ws::open_eio3(&io).await;
    assert_eq!(ws.texts().await, ["40".to_owned(), format!(r#"42["id","{sid}"]"#)]);
    ws.send("40/chat").await;
    let id = format!("/chat#{sid}");
    assert_eq!(
        ws.texts().await,
        ["40/chat,".to_owned(), format!(r#"42/chat,["id","{id}"]"#)]
    );
    io.to(&sid).emit("to", "root").unwrap();
    io.of("/chat").to(&id).emit("to", "chat").unwrap();
    assert_eq!(ws.texts().await, [r#"42["to","root"]"#, r#"42/chat,["to","chat"]"#]);
    assert!(io.of("/chat").socket(&id).is_some());
}

#[tokio::test(start_paused = true)]
async fn asking_for_what_was_given_does_no_harm() {
    let io = SocketIo::builder().build();
    let (mut ws, _) = Ws::open_eio3(&io).await;
    ws.send("40").await;
    assert_eq!(ws.texts().await, ["40"]);
    assert_eq!(io.of("/").sockets_count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_namespaces_query_is_its_auth() {
    let io = SocketIo::builder().build();
    io.of("/admin").with(
        async |Auth(auth): Auth<serde_json::Value>| match auth["token"].as_str() {
            Some("let me in") => Ok(()),
            _ => Err(Refusal::new("unauthorized")),
        },
    );
    let (mut ws, _) = Ws::open_eio3(&io).await;
    ws.texts().await;
    ws.send("40/admin?x=1&token=let%20me+in,").await;
    assert_eq!(ws.texts().await, ["40/admin,"]);
    ws.send("41/admin").await;
    ws.texts().await;
    ws.send("40/admin?token=x").await;
    assert_eq!(ws.texts().await, [r#"44/admin,"unauthorized""#]);
}

#[tokio::test(start_paused = true)]
async fn refusals_are_the_data_or_the_message() {
    let io = SocketIo::builder().build();
    io.of("/data")
        .with(async || Err::<(), _>(Refusal::new("no").with_data(&serde_json::json!({"code": 7}))));
    io.of("/text").with(async || Err::<(), _>(Refusal::new("no \"entry\"")));
    let (mut ws, _) = Ws::open_eio3(&io).await;
    ws.texts().await;
    for (nsp, told) in [
        ("/data", r#"{"code":7}"#),
        ("/text", r#""no \"entry\"""#),
        ("/none", r#"{"message":"Invalid namespace"}"#),
    ] {
        ws.send(&format!("40{nsp}")).await;
        assert_eq!(ws.texts().await, [format!("44{nsp},{told}")]);
    }
    ws.send(r#"42["anything"]"#).await;
    assert!(ws.texts().await.is_empty(), "the main namespace is unharmed");
}

#[tokio::test(start_paused = true)]
async fn one_that_the_main_namespace_refuses_is_told_so_and_cut_off_in_time() {
    let io = SocketIo::builder().build();
    io.of("/").with(async || Err::<(), _>(Refusal::new("no")));
    let (mut ws, _) = Ws::open_eio3(&io).await;
    assert_eq!(ws.texts().await, [r#"44"no""#]);
    for _ in 0..4 {
        tokio::time::sleep(secs(11)).await;
        ws.send("2").await;
    }
    tokio::time::sleep(secs(2)).await;
    ws.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_client_asks_and_is_dead_when_it_does_not() {
    let log = Log::default();
    let io = SocketIo::builder().state(log.clone()).build();
    io.of("/")
        .on_disconnect(async |State(log): State<Log>, why: DisconnectReason| log.add(why));
    let (mut ws, _) = Ws::open_eio3(&io).await;
    ws.texts().await;
    for _ in 0..10 {
        tokio::time::sleep(secs(25)).await;
        ws.send("2").await;
        assert_eq!(ws.texts().await, ["3"]);
    }
    tokio::time::sleep(millis(44_900)).await;
    assert!(log.take().is_empty());
    tokio::time::sleep(millis(200)).await;
    assert_eq!(log.take(), ["ping timeout"]);
    ws.end().await;
}

#[tokio::test(start_paused = true)]
async fn binary_on_a_websocket_has_its_type_before_it() {
    let io = SocketIo::builder().build();
    io.of("/")
        .on("echo", async |socket: Socket, args: RawArgs| socket.emit("echo", args))
        .on("ack", async |args: RawArgs| Ack(args));
    let (mut ws, _) = Ws::open_eio3(&io).await;
    ws.texts().await;
    let placeholder = r#"{"_placeholder":true,"num":0}"#;
    ws.send(&format!(r#"451-["echo",{placeholder}]"#)).await;
    ws.send_binary(&[4, 1, 2, 3]).await;
    assert_eq!(ws.text().await, format!(r#"451-["echo",{placeholder}]"#));
    assert_eq!(ws.binary().await, [4, 1, 2, 3]);
    ws.send(&format!(r#"451-7["ack",{placeholder}]"#)).await;
    ws.send_binary(&[4]).await;
    assert_eq!(ws.text().await, format!("461-7[{placeholder}]"));
    assert_eq!(ws.binary().await, [4]);
    ws.send_binary(&[1, 2, 3]).await;
    assert!(ws.end().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn one_broadcast_reaches_both_generations_in_their_own_form() {
    let io = SocketIo::builder().build();
    io.of("/").on_connect(async |socket: Socket| socket.join("room"));
    let (mut old, _) = Ws::open_eio3(&io).await;
    let mut new = Ws::join(&io, "/").await;
    old.texts().await;
    io.to("room").emit("news", "é").unwrap();
    assert_eq!(old.texts().await, [r#"42["news","é"]"#]);
    assert_eq!(new.texts().await, [r#"42["news","é"]"#]);
    io.to("room").emit("bytes", Bytes::from_static(b"abc")).unwrap();
    let head = r#"451-["bytes",{"_placeholder":true,"num":0}]"#;
    assert_eq!(
        (old.text().await, old.binary().await),
        (head.to_owned(), b"\x04abc".to_vec())
    );
    assert_eq!(
        (new.text().await, new.binary().await),
        (head.to_owned(), b"abc".to_vec())
    );
}

#[tokio::test(start_paused = true)]
async fn polls_are_answered_in_bytes_unless_the_client_reads_text_only() {
    let io = SocketIo::builder().build();
    let (sid, rest) = open(&io, "").await;
    assert_eq!(rest, "2:40");
    io.emit("news", "é😀").unwrap();
    io.emit("bytes", Bytes::from_static(b"abc")).unwrap();
    let answer = get(&io, &format!("EIO=3&sid={sid}&b64=1")).await;
    let head = r#"451-["bytes",{"_placeholder":true,"num":0}]"#;
    let expected = format!(r#"31:42["news","\u00e9\ud83d\ude00"]{}:{head}6:b4YWJj"#, head.len());
    assert_eq!(std::str::from_utf8(&answer.body), Ok(&*expected));
    assert_eq!(answer.media_type, "text/plain; charset=UTF-8");

    let answer = get(&io, "EIO=3").await;
    let start = answer.body.iter().position(|byte| *byte == 0xff).unwrap() + 1;
    let sid = sid_of(std::str::from_utf8(&answer.body[start..]).unwrap());
    get(&io, &format!("EIO=3&sid={sid}")).await;
    io.emit("news", "é😀").unwrap();
    let answer = get(&io, &format!("EIO=3&sid={sid}")).await;
    assert_eq!(answer.media_type, "application/octet-stream");
    let mut expected = b"\0\x01\x09\xff".to_vec();
    expected.extend(r#"42["news","é😀"]"#.as_bytes());
    assert_eq!(answer.body, expected);
}

#[tokio::test(start_paused = true)]
async fn posts_are_read_in_text_and_in_bytes() {
    let log = Log::default();
    let io = SocketIo::builder().state(log.clone()).build();
    io.of("/")
        .on("say", async |State(log): State<Log>, Data(text): Data<String>| {
            log.add(text);
        })
        .on("raw", async |State(log): State<Log>, Data(bytes): Data<Bytes>| {
            log.add(format!("{bytes:?}"));
        });
    let (sid, _) = open(&io, "").await;
    let query = format!("EIO=3&sid={sid}");
    let head = r#"451-["raw",{"_placeholder":true,"num":0}]"#;
    let text = format!(r#"15:42["say","é😀"]{}:{head}6:b4YWJj"#, head.len());
    assert_eq!(post(&io, &query, text.as_bytes()).await, (200, "ok".into()));
    let mut bytes = b"\0\x01\x08\xff".to_vec();
    bytes.extend(r#"42["say","é😀"]"#.as_bytes());
    bytes.extend([0, 4, 1, 0xff]);
    bytes.extend(head.as_bytes());
    bytes.extend(b"\x01\x04\xff\x04abc");
    let octets = [("content-type", "application/octet-stream")];
    let answer = call(&io, Method::POST, &query, &octets, &bytes).await;
    assert_eq!(answer.status, 200);
    idle().await;
    assert_eq!(log.take(), ["é😀", "b\"abc\"", "é😀", "b\"abc\""]);
    let (status, _) = post(&io, &query, b"9:lies").await;
    assert_eq!(status, 400);
    assert_eq!(io.clients_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn text_that_a_client_encodes_twice_is_read_as_it_was_meant() {
    let log = Log::default();
    let io = SocketIo::builder().state(log.clone()).build();
    io.of("/")
        .on("say", async |State(log): State<Log>, Data(text): Data<String>| {
            log.add(text);
        });
    let (sid, _) = open(&io, "").await;
    let packet = r#"42["say","é😀"]"#;
    let garbled: String = packet.bytes().map(char::from).collect();
    let payload = format!("{}:{garbled}", packet.len());
    assert_eq!(
        post(&io, &format!("EIO=3&sid={sid}"), payload.as_bytes()).await,
        (200, "ok".into())
    );
    assert_eq!(log.take(), ["é😀"]);
}

#[tokio::test(start_paused = true)]
async fn clients_that_decode_all_text_twice_are_sent_ascii() {
    let io = SocketIo::builder().build();
    io.of("/ä")
        .on("echo", async |socket: Socket, args: RawArgs| socket.emit("echo", args));
    let mut ws = Ws::redeem(kit::ticket_for(&io, "EIO=2"), 1 << 20);
    ws.text().await;
    assert_eq!(ws.text().await, "40");
    let garbled = |packet: &str| packet.bytes().map(char::from).collect::<String>();
    ws.send(&garbled("40/ä")).await;
    ws.text().await;
    ws.send(&garbled(r#"42/ä,["echo","é😀"]"#)).await;
    assert!(ws.text().await.ends_with(r#",["echo","\u00e9\ud83d\ude00"]"#));
}

#[tokio::test(start_paused = true)]
async fn pings_are_answered_by_the_open_poll() {
    let io = SocketIo::builder().build();
    let (sid, _) = open(&io, "").await;
    let query = format!("EIO=3&b64=1&sid={sid}");
    let held = {
        let (io, query) = (io.clone(), query.clone());
        tokio::spawn(async move { get(&io, &query).await.body })
    };
    idle().await;
    assert_eq!(post(&io, &query, b"1:2").await, (200, "ok".into()));
    assert_eq!(held.await.unwrap(), "1:3");
}

#[tokio::test(start_paused = true)]
async fn a_polling_client_is_upgraded() {
    let io = SocketIo::builder().build();
    let (sid, _) = open(&io, "").await;
    let mut ws = Ws::redeem(kit::ticket_for(&io, &format!("EIO=3&sid={sid}")), 1 << 20);
    ws.send("2probe").await;
    assert_eq!(ws.text().await, "3probe");
    assert_eq!(get(&io, &format!("EIO=3&b64=1&sid={sid}")).await.body, "1:6");
    ws.send("5").await;
    idle().await;
    io.emit("news", 1).unwrap();
    assert_eq!(ws.next().await, Some(Packet::Text(r#"42["news",1]"#.to_owned())));
    ws.send("2").await;
    assert_eq!(ws.next().await, Some(Packet::Text("3".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_text_only_does_so_on_a_websocket_too() {
    let io = SocketIo::builder().build();
    io.of("/").on("raw", async |socket: Socket, Data(bytes): Data<Bytes>| {
        socket.emit("raw", bytes)
    });
    let head = r#"451-["raw",{"_placeholder":true,"num":0}]"#;
    let (sid, _) = open(&io, "").await;
    let mut upgraded = Ws::redeem(kit::ticket_for(&io, &format!("EIO=3&b64=1&sid={sid}")), 1 << 20);
    upgraded.send("2probe").await;
    assert_eq!(upgraded.text().await, "3probe");
    get(&io, &format!("EIO=3&b64=1&sid={sid}")).await;
    upgraded.send("5").await;
    let mut begun = Ws::redeem(kit::ticket_for(&io, "EIO=3&b64=1"), 1 << 20);
    begun.text().await;
    assert_eq!(begun.text().await, "40");
    for ws in [&mut upgraded, &mut begun] {
        ws.send(head).await;
        ws.send("b4YWJj").await;
        assert_eq!(
            (ws.text().await, ws.text().await),
            (head.to_owned(), "b4YWJj".to_owned())
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_of_another_generation_than_its_sessions_is_bad() {
    let io = SocketIo::builder().build();
    let (sid, _) = open(&io, "").await;
    assert_eq!(get(&io, &format!("EIO=4&sid={sid}")).await.status, 400);
    assert_eq!(
        post(&io, &format!("EIO=3&sid={sid}"), b"1:2").await.0,
        200,
        "it goes on"
    );
}

#[tokio::test(start_paused = true)]
async fn handlers_may_know_the_generation() {
    let io = SocketIo::builder().generations([Generation::Eio3]).build();
    io.of("/").on_connect(async |socket: Socket, transport: Transport| {
        let handshake = socket.handshake().clone();
        socket.emit("you", format!("{} by {transport}", handshake.generation()))
    });
    let (_, rest) = open(&io, "").await;
    assert!(rest.contains(r#"["you","Engine.IO 3 by polling"]"#), "{rest}");
}

#[tokio::test(start_paused = true)]
async fn jsonp_wraps_polls_in_scripts_and_posts_in_forms() {
    let log = Log::default();
    let io = SocketIo::builder().state(log.clone()).jsonp(true).build();
    io.of("/")
        .on("say", async |State(log): State<Log>, Data(text): Data<String>| {
            log.add(text);
        });
    let answer = get(&io, "EIO=3&j=2").await;
    assert_eq!(answer.media_type, "text/javascript; charset=UTF-8");
    let script = String::from_utf8(answer.body.into()).unwrap();
    let payload = script
        .strip_prefix("___eio[2](")
        .and_then(|rest| rest.strip_suffix(");"))
        .unwrap();
    let payload: String = serde_json::from_str(payload).unwrap();
    let sid = sid_of(payload.split_once(':').unwrap().1);
    let answer = get(&io, &format!("EIO=3&j=0&sid={sid}")).await;
    assert_eq!(answer.body, r#"___eio[0]("2:40");"#);
    io.emit("news", "\u{2028}").unwrap();
    let answer = get(&io, &format!("EIO=3&j=3&sid={sid}")).await;
    assert_eq!(answer.body, r#"___eio[3]("19:42[\"news\",\"\\u2028\"]");"#);
    let form = "d=13%3A42%5B%22say%22%2C%22%C3%A9%22%5D";
    assert_eq!(
        post(&io, &format!("EIO=3&j=4&sid={sid}"), form.as_bytes()).await,
        (200, "ok".into())
    );
    assert_eq!(log.take(), ["é"]);
    let (status, _) = post(&io, &format!("EIO=3&j=4&sid={sid}"), b"x=1").await;
    assert_eq!(status, 400);
}

#[tokio::test(start_paused = true)]
async fn scripts_of_other_sites_are_refused_unless_allowed() {
    let io = SocketIo::builder()
        .jsonp(true)
        .cors(Cors::origins(["https://app.example"]))
        .build();
    let site = |site: &'static str, referrer: &'static str| {
        [
            ("host", "here.example"),
            ("sec-fetch-site", site),
            ("referer", referrer),
        ]
    };
    for (headers, status) in [
        (site("same-origin", "https://here.example/"), 200),
        (site("none", ""), 200),
        (site("cross-site", "https://app.example/page?x"), 200),
        (site("cross-site", "https://evil.example/"), 403),
        (site("cross-site", "https://app.example.evil.example/"), 403),
        (site("cross-site", "https://app.example@evil.example/"), 403),
        (site("cross-site", ""), 403),
    ] {
        let answer = call(&io, Method::GET, "EIO=3&j=0", &headers, b"").await;
        assert_eq!(answer.status, status, "{headers:?}");
        let answer = call(&io, Method::GET, "EIO=3", &headers, b"").await;
        assert_eq!(answer.status, 200, "only scripts are judged by it");
    }
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_under_its_id_is_seen_off_first() {
    let (log, gate) = (Log::default(), Gate::closed());
    let io = SocketIo::builder().state(log.clone()).state(gate.clone()).build();
    io.of("/chat")
        .on_connect(async |State(log): State<Log>| log.add("came"))
        .on("slow", async |State(gate): State<Gate>| gate.pass().await)
        .on("note", async |State(log): State<Log>, Data(note): Data<u32>| {
            log.add(note);
        })
        .on_disconnect(async |socket: Socket, State(log): State<Log>| {
            let successor = socket.namespace().socket(socket.id());
            log.add(if successor.is_some() {
                "went, though it is there"
            } else {
                "went"
            });
        });
    let (mut ws, _) = Ws::open_eio3(&io).await;
    for packet in [
        "40/chat,",
        r#"42/chat,["slow"]"#,
        "41/chat,",
        "40/chat,",
        r#"42/chat,["note",1]"#,
    ] {
        ws.send(packet).await;
    }
    idle().await;
    assert_eq!(log.take(), ["came"]);
    gate.admit(1);
    idle().await;
    assert_eq!(log.take(), ["went", "came", "1"]);
    for packet in ["41/chat,", "40/chat,", "41/chat,", "40/chat,"] {
        ws.send(packet).await;
    }
    idle().await;
    assert_eq!(log.take(), ["went", "came"], "it left again before it was let in");
}
