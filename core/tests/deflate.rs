//! Compressed WebSocket messages: whom they are sent to, and what becomes of those that clients send.

mod kit;

use bytes::Bytes;
use http::{Method, request::Parts};
use http_body_util::Full;
use kit::{Answer, Log, Polling, UPGRADE, Ws, millis, request, soon};
use miniz_oxide::{
    DataFormat, MZFlush,
    deflate::{core::CompressorOxide, stream::deflate},
    inflate::stream::{InflateState, inflate},
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tower_socketio::{
    Args, Data, DisconnectReason, Handshake, PerMessageDeflate, RawArgs, Socket, SocketIo, State, Ticket,
    engine::{Client, Connection, Engine, Flow, Message, Upper},
};

const OFFER: &str = "permessage-deflate; client_max_window_bits";

fn server() -> (SocketIo, Log) {
    let log = Log::default();
    let io = SocketIo::builder()
        .per_message_deflate(PerMessageDeflate::default())
        .max_payload(100_000)
        .state(log.clone())
        .build();
    io.of("/")
        .on("echo", async |socket: Socket, args: RawArgs| socket.emit("echo", args))
        .on("length", async |State(log): State<Log>, Data(text): Data<String>| {
            log.add(text.len());
        })
        .on_disconnect(async |State(log): State<Log>, why: DisconnectReason| log.add(why));
    (io, log)
}

/// A request for a WebSocket, with that offer.
fn opening(query: &str, offer: &str) -> Parts {
    let uri = format!("/socket.io/?transport=websocket&{query}");
    let mut headers = UPGRADE.to_vec();
    headers.push(("sec-websocket-extensions", offer));
    request(Method::GET, &uri, &headers)
}

/// A client that offers compression, and what was answered to it.
struct Deflating {
    stream: DuplexStream,
    agreed: Option<String>,
}

impl Deflating {
    async fn begin(io: &SocketIo, parts: Parts) -> Self {
        let (response, ticket) = io.service().accept_websocket(parts).await.expect("a WebSocket");
        let agreed = response.headers().get("sec-websocket-extensions");
        let agreed = agreed.map(|agreed| agreed.to_str().expect("text").to_owned());
        Self::drive(ticket, agreed)
    }

    fn drive(ticket: Ticket, agreed: Option<String>) -> Self {
        let (stream, server) = duplex(1 << 20);
        tokio::spawn(ticket.drive(server));
        Self { stream, agreed }
    }

    async fn join(io: &SocketIo) -> Self {
        let mut client = Self::begin(io, opening("EIO=4", OFFER)).await;
        assert!(client.plain().await.starts_with("0{"));
        client.send("40").await;
        assert!(client.plain().await.starts_with("40{"));
        client
    }

    /// Sends a frame, its mask being 0.
    async fn send_frame(&mut self, first: u8, payload: &[u8]) {
        let mut frame = vec![first, 0xff];
        frame.extend((payload.len() as u64).to_be_bytes());
        if let Ok(short @ 0..126) = u8::try_from(payload.len()) {
            frame = vec![first, 0x80 | short];
        } else if let Ok(medium) = u16::try_from(payload.len()) {
            frame = vec![first, 0xfe];
            frame.extend(medium.to_be_bytes());
        }
        frame.extend([0; 4]);
        frame.extend(payload);
        self.stream.write_all(&frame).await.expect("the server reads");
    }

    async fn send(&mut self, text: &str) {
        self.send_frame(0x81, text.as_bytes()).await;
    }

    /// The first byte of the next frame, and its payload.
    async fn next(&mut self) -> (u8, Vec<u8>) {
        let stream = &mut self.stream;
        soon("a frame", async {
            let (first, short) = (stream.read_u8().await?, stream.read_u8().await?);
            let length = match short {
                126 => stream.read_u16().await?.into(),
                127 => stream.read_u64().await?,
                short => short.into(),
            };
            let mut payload = vec![0; usize::try_from(length).expect("a length")];
            stream.read_exact(&mut payload).await?;
            Ok::<_, std::io::Error>((first, payload))
        })
        .await
        .expect("a whole frame")
    }

    /// The next message, which must not be compressed.
    async fn plain(&mut self) -> String {
        let (first, payload) = self.next().await;
        assert_eq!(first, 0x81);
        String::from_utf8(payload).expect("text")
    }

    /// The next message, which must be compressed and shorter for it.
    async fn compressed(&mut self) -> String {
        let (first, payload) = self.next().await;
        assert_eq!(first, 0xc1);
        let text = inflated(&payload);
        assert!(payload.len() < text.len());
        String::from_utf8(text).expect("text")
    }

    /// The code with which the server closes.
    async fn close_code(&mut self) -> u16 {
        let (first, payload) = self.next().await;
        assert_eq!(first, 0x88);
        u16::from_be_bytes([payload[0], payload[1]])
    }
}

/// As another implementation does it.
fn inflated(payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0; 1 << 20];
    let payload = [payload, &[0, 0, 0xff, 0xff]].concat();
    let result = inflate(
        &mut InflateState::new(DataFormat::Raw),
        &payload,
        &mut out,
        MZFlush::Sync,
    );
    result.status.expect("deflate data");
    out.truncate(result.bytes_written);
    out
}

fn deflated(message: &[u8]) -> Vec<u8> {
    let mut out = vec![0; message.len() + 1000];
    let mut state = CompressorOxide::default();
    state.set_format_and_level(DataFormat::Raw, 6);
    let result = deflate(&mut state, message, &mut out, MZFlush::Sync);
    out.truncate(result.bytes_written - 4);
    out
}

fn long() -> String {
    "hello ".repeat(1000)
}

#[tokio::test(start_paused = true)]
async fn it_is_off_unless_it_is_turned_on() {
    let io = SocketIo::builder().build();
    let mut client = Deflating::join(&io).await;
    assert_eq!(client.agreed, None);
    io.emit("news", long()).unwrap();
    assert!(client.plain().await.contains("hello"));
    client.send_frame(0xc1, &deflated(b"42[\"a\"]")).await;
    assert_eq!(client.close_code().await, 1002);
}

#[tokio::test(start_paused = true)]
async fn long_messages_are_compressed_both_ways_and_short_ones_are_sent_as_they_are() {
    let (io, _) = server();
    let mut client = Deflating::join(&io).await;
    let agreed = client.agreed.clone().expect("an answer");
    assert_eq!(
        agreed,
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
    );
    let echo = format!("42[\"echo\",\"{}\"]", long());
    for _ in 0..3 {
        client.send_frame(0xc1, &deflated(echo.as_bytes())).await;
        assert_eq!(client.compressed().await, echo);
    }
    client.send(&echo).await;
    assert_eq!(client.compressed().await, echo);
    client.send_frame(0xc1, &deflated(b"42[\"echo\",1]")).await;
    assert_eq!(client.plain().await, "42[\"echo\",1]");
}

#[tokio::test(start_paused = true)]
async fn a_broadcast_reaches_those_who_take_it_compressed_and_the_others() {
    let (io, _) = server();
    let mut deflating = Deflating::join(&io).await;
    let mut plain = Ws::join(&io, "/").await;
    let polling = Polling::join(&io, "/").await;
    let mut small = Deflating::begin(&io, opening("EIO=4", "permessage-deflate; server_max_window_bits=9")).await;
    assert!(
        small
            .agreed
            .as_deref()
            .expect("an answer")
            .ends_with("; server_max_window_bits=9")
    );
    small.plain().await;
    small.send("40").await;
    small.plain().await;

    io.emit("news", long()).unwrap();
    let news = format!("42[\"news\",\"{}\"]", long());
    assert_eq!(deflating.compressed().await, news);
    assert_eq!(small.compressed().await, news);
    assert_eq!(plain.text().await, news);
    assert_eq!(polling.get().await.packets(), [news]);
}

#[tokio::test(start_paused = true)]
async fn attachments_are_compressed_each_by_itself() {
    let (io, _) = server();
    let mut client = Deflating::join(&io).await;
    let (long, short) = (Bytes::from(vec![7; 5000]), Bytes::from_static(&[1, 2]));
    io.emit("bytes", Args((&long, &short))).unwrap();
    assert!(client.plain().await.starts_with("452-[\"bytes\""));
    let (first, payload) = client.next().await;
    assert_eq!((first, inflated(&payload)), (0xc2, long.to_vec()));
    assert_eq!(client.next().await, (0x82, short.to_vec()));
    // And back: the head plain, the bytes compressed.
    client.send("451-[\"echo\",{\"_placeholder\":true,\"num\":0}]").await;
    client.send_frame(0xc2, &deflated(&long)).await;
    client.plain().await;
    assert_eq!(inflated(&client.next().await.1), long);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_upgrades_is_sent_compressed_messages_from_then_on() {
    let (io, _) = server();
    let polling = Polling::join(&io, "/").await;
    let mut client = Deflating::begin(&io, opening(&format!("EIO=4&sid={}", polling.sid), OFFER)).await;
    assert!(client.agreed.is_some());
    client.send("2probe").await;
    assert_eq!(client.plain().await, "3probe");
    client.send("5").await;
    kit::idle().await;
    io.emit("news", long()).unwrap();
    assert!(client.compressed().await.contains("hello"));
}

#[tokio::test(start_paused = true)]
async fn clients_of_0_9_take_part() {
    let (io, _) = server();
    let handshake = request(Method::GET, "/socket.io/1/", &[]);
    let response = io.service().handle(handshake, Full::<&[u8]>::default()).await;
    let body = Answer::of(response).await.body;
    let sid = body.split(':').next().expect("a session");
    let mut headers = UPGRADE.to_vec();
    headers.push(("sec-websocket-extensions", OFFER));
    let parts = request(Method::GET, &format!("/socket.io/1/websocket/{sid}"), &headers);
    let mut client = Deflating::begin(&io, parts).await;
    assert!(client.agreed.is_some());
    assert_eq!(client.plain().await, "1::");
    let echo = format!("5:::{{\"name\":\"echo\",\"args\":[\"{}\"]}}", long());
    client.send_frame(0xc1, &deflated(echo.as_bytes())).await;
    assert_eq!(client.compressed().await, echo);
    // By polling it goes on as it would have without.
    let service = io.service();
    let poll = async || {
        let poll = request(Method::GET, &format!("/socket.io/1/xhr-polling/{sid}"), &[]);
        let response = service.handle(poll, Full::<&[u8]>::default());
        Answer::of(soon("a response", response).await).await.body
    };
    assert_eq!(poll().await, "1::");
    io.emit("news", long()).unwrap();
    assert!(poll().await == format!("5:::{{\"name\":\"news\",\"args\":[\"{}\"]}}", long()));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_to_be_compressed_is_not() {
    let (io, _) = server();
    let mut client = Deflating::join(&io).await;
    io.compress(false).emit("news", long()).unwrap();
    assert!(client.plain().await.contains("hello"));
    io.emit("news", long()).unwrap();
    assert!(client.compressed().await.contains("hello"));
}

#[tokio::test(start_paused = true)]
async fn a_bomb_ends_its_connection_with_1009() {
    let (io, log) = server();
    let mut client = Deflating::join(&io).await;
    let message = |length| format!("42[\"length\",\"{}\"]", "a".repeat(length));
    client.send_frame(0xc1, &deflated(message(99_000).as_bytes())).await;
    kit::idle().await;
    assert_eq!(log.take(), ["99000"]);
    client.send_frame(0xc1, &deflated(message(100_000).as_bytes())).await;
    assert_eq!(client.close_code().await, 1009);
    assert_eq!(log.take(), ["transport error"]);
    // One that is too long before it is inflated is not even read.
    let mut client = Deflating::join(&io).await;
    client.send_frame(0xc1, &vec![0; 100_001]).await;
    assert_eq!(client.close_code().await, 1009);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_inflated_ends_its_connection_with_1007() {
    let (io, log) = server();
    let mut client = Deflating::join(&io).await;
    client.send_frame(0xc1, b"\xff\xff\xff").await;
    assert_eq!(client.close_code().await, 1007);
    assert_eq!(log.take(), ["transport error"]);
}

#[tokio::test(start_paused = true)]
async fn a_malformed_header_is_refused_and_an_unknown_offer_is_declined() {
    let (io, _) = server();
    let Err(refused) = io
        .service()
        .accept_websocket(opening("EIO=4", "permessage-deflate; a=\""))
        .await
    else {
        panic!("let in")
    };
    let answer = Answer::of(refused).await;
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("sec-websocket-extensions"), "{}", answer.body);
    let mut client = Deflating::begin(&io, opening("EIO=4", "permessage-deflate; unknown, other")).await;
    assert_eq!(client.agreed, None);
    assert!(client.plain().await.starts_with("0{"));
}

#[tokio::test(start_paused = true)]
async fn it_is_agreed_over_http_2() {
    let (io, _) = server();
    let headers = [("sec-websocket-version", "13"), ("sec-websocket-extensions", OFFER)];
    let mut parts = request(Method::CONNECT, "/socket.io/?transport=websocket&EIO=4", &headers);
    parts.version = http::Version::HTTP_2;
    parts.extensions.insert(hyper::ext::Protocol::from_static("websocket"));
    let mut client = Deflating::begin(&io, parts).await;
    assert!(client.agreed.is_some());
    assert!(client.plain().await.starts_with("0{"));
    client.send("40").await;
    client.plain().await;
    io.emit("news", long()).unwrap();
    assert!(client.compressed().await.contains("hello"));
}

struct Echo;
struct EchoClient(Connection);

impl Upper for Echo {
    fn open(&self, connection: &Connection, _: Handshake) -> Box<dyn Client> {
        connection.send_text(&long());
        Box::new(EchoClient(connection.clone()))
    }
}

impl Client for EchoClient {
    fn message(&mut self, _: &mut std::task::Context<'_>, message: Message<'_>) -> Flow {
        match message {
            Message::Text(text) => self.0.send_text(text),
            Message::Binary(bytes) => self.0.send_binary(bytes),
        }
        Flow::Open
    }
}

#[tokio::test(start_paused = true)]
async fn the_engine_alone_compresses_too() {
    let deflate = PerMessageDeflate::default().threshold(100);
    let engine = Engine::builder()
        .path("/engine.io")
        .per_message_deflate(deflate)
        .build(Echo);
    let mut parts = opening("EIO=4", OFFER);
    parts.uri = "/engine.io/?EIO=4&transport=websocket".parse().unwrap();
    let (_, ticket) = engine.service().accept_websocket(parts).await.expect("a WebSocket");
    let mut client = Deflating::drive(ticket, None);
    client.plain().await;
    // What was sent as it connected.
    assert_eq!(client.compressed().await, format!("4{}", long()));
    client.send_frame(0xc2, &deflated(&[9; 500])).await;
    let (first, payload) = client.next().await;
    assert_eq!((first, inflated(&payload)), (0xc2, vec![9; 500]));
    client.send(&format!("4{}", "b".repeat(98))).await;
    assert_eq!(client.plain().await, format!("4{}", "b".repeat(98)));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_cut_off_by_the_length_of_what_it_is_sent() {
    let (io, log) = server();
    let _client = Deflating::join(&io).await;
    // A mebibyte fits into the pipe, compressed or not; what is queued at once counts as it is.
    for _ in 0..300 {
        io.emit("news", long()).unwrap();
    }
    tokio::time::sleep(millis(1)).await;
    assert_eq!(log.take(), ["transport error"]);
}
