//! Clients in memory, for tests in virtual time: a WebSocket over a pipe ([`Ws`]), long-polling by
//! plain calls ([`Polling`]), and what handlers are watched ([`Log`]) and held ([`Gate`]) by.
//!
//! Every wait is bounded in virtual time, so that what never comes is a failure and not a hang.

#![allow(dead_code, reason = "every test crate has its own copy and uses a part of it")]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{Method, Request, Response, request::Parts};
use http_body_util::{BodyExt as _, Full};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    sync::{Semaphore, mpsc},
    task::JoinHandle,
    time::{Instant, timeout},
};
use tower_socketio::{Failure, Namespace, ResponseBody, Socket, SocketIo, Ticket};

/// What a pipe holds: larger than what any test but those of slow readers sends at once.
const PIPE: usize = 1 << 20;

/// Longer than any deadline of the server.
const NEVER: Duration = Duration::from_secs(600);

/// The future's output, which must come.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let output = timeout(NEVER, future).await;
    output.unwrap_or_else(|_| panic!("{what} never came"))
}

/// Ready when every task waits: the clock, being paused, moves only then.
pub(crate) async fn idle() {
    tokio::time::sleep(Duration::from_nanos(1)).await;
}

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) const fn millis(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// A request for that path and query.
pub(crate) fn request(method: Method, uri: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).expect("a request").into_parts().0
}

/// What a client sends to become a WebSocket.
pub(crate) const UPGRADE: [(&str, &str); 4] = [
    ("connection", "Upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

/// The ticket of a WebSocket that begins a session, or takes that one over.
pub(crate) fn ticket(io: &SocketIo, sid: Option<&str>) -> Ticket {
    let sid = sid.map(|sid| format!("&sid={sid}")).unwrap_or_default();
    ticket_for(io, &format!("EIO=4{sid}"))
}

/// As [`ticket`], for that query.
pub(crate) fn ticket_for(io: &SocketIo, query: &str) -> Ticket {
    let uri = format!("/socket.io/?transport=websocket&{query}");
    match accept(io, request(Method::GET, &uri, &UPGRADE)) {
        Ok((response, ticket)) => {
            assert_eq!(response.status(), 101);
            ticket
        }
        Err(refusal) => panic!("the WebSocket was refused: {}", refusal.status()),
    }
}

/// What a request for a WebSocket is answered, of a server that has nothing to wait for.
pub(crate) fn accept(io: &SocketIo, parts: Parts) -> Result<(Response<ResponseBody>, Ticket), Response<ResponseBody>> {
    let answer = io.service().accept_websocket(parts).now_or_never();
    answer.expect("an answer at once")
}

/// A message of a WebSocket.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Packet {
    Text(String),
    Binary(Vec<u8>),
}

/// A WebSocket client.
pub(crate) struct Ws {
    stream: DuplexStream,
    unread: Vec<u8>,
    server: JoinHandle<()>,
}

impl Ws {
    /// A ticket driven in a task, and the other end of its stream.
    pub(crate) fn redeem(ticket: Ticket, pipe: usize) -> Self {
        let (stream, server) = duplex(pipe);
        Self {
            stream,
            unread: Vec::new(),
            server: tokio::spawn(ticket.drive(server)),
        }
    }

    /// A client that has shaken hands.
    pub(crate) async fn open(io: &SocketIo) -> Self {
        Self::open_with(io, PIPE).await
    }

    /// As [`open`](Self::open), through a pipe of that size.
    pub(crate) async fn open_with(io: &SocketIo, pipe: usize) -> Self {
        let mut ws = Self::redeem(ticket(io, None), pipe);
        let open = ws.text().await;
        assert!(open.starts_with("0{"), "{open}");
        ws
    }

    /// A client of protocol 3 that has shaken hands, and the id of its session.
    pub(crate) async fn open_eio3(io: &SocketIo) -> (Self, String) {
        let mut ws = Self::redeem(ticket_for(io, "EIO=3"), PIPE);
        let sid = sid_of(&ws.text().await);
        (ws, sid)
    }

    /// A client of before 1.0 that was greeted.
    pub(crate) async fn open_v0_9(io: &SocketIo) -> Self {
        let reserve = request(Method::GET, "/socket.io/1/?t=1", &[]);
        let line = soon("a handshake", io.service().handle(reserve, Full::<Bytes>::default())).await;
        let line = Answer::of(line).await.body;
        let sid = line.split_once(':').expect("a handshake").0;
        let uri = format!("/socket.io/1/websocket/{sid}");
        let accepted = accept(io, request(Method::GET, &uri, &UPGRADE));
        let (_, ticket) = accepted.unwrap_or_else(|refusal| panic!("the WebSocket was refused: {}", refusal.status()));
        let mut ws = Self::redeem(ticket, PIPE);
        assert_eq!(ws.text().await, "1::");
        ws
    }

    /// A client that has joined the namespace.
    pub(crate) async fn join(io: &SocketIo, nsp: &str) -> Self {
        let mut ws = Self::open(io).await;
        ws.connect(nsp).await;
        ws
    }

    /// Joins a namespace; the socket's id.
    pub(crate) async fn connect(&mut self, nsp: &str) -> String {
        let head = head(nsp);
        self.send(&format!("40{head}")).await;
        let connected = self.text().await;
        let sid = connected.strip_prefix(&format!("40{head}{{\"sid\":\""));
        sid.and_then(|sid| sid.strip_suffix("\"}"))
            .unwrap_or_else(|| panic!("not let in: {connected}"))
            .to_owned()
    }

    /// A WebSocket that is to take a polling client over; it has not probed yet.
    pub(crate) fn upgrade(io: &SocketIo, sid: &str) -> Self {
        Self::redeem(ticket(io, Some(sid)), PIPE)
    }

    /// Sends a text message.
    pub(crate) async fn send(&mut self, packet: &str) {
        self.write(&frame(0x1, packet.as_bytes())).await;
    }

    /// Sends text messages with one write, so that the server reads them at once.
    pub(crate) async fn send_all(&mut self, packets: &[&str]) {
        let bytes: Vec<_> = packets
            .iter()
            .flat_map(|packet| frame(0x1, packet.as_bytes()))
            .collect();
        self.write(&bytes).await;
    }

    pub(crate) async fn send_binary(&mut self, bytes: &[u8]) {
        self.write(&frame(0x2, bytes)).await;
    }

    async fn write(&mut self, bytes: &[u8]) {
        // A server that has gone takes nothing; the test sees it by what it reads.
        let _ = soon("room in the pipe", self.stream.write_all(bytes)).await;
    }

    /// The next message, pings included; `None` when the server has closed.
    pub(crate) async fn next(&mut self) -> Option<Packet> {
        soon("a message", self.receive()).await
    }

    /// The next text message, pings being answered.
    pub(crate) async fn text(&mut self) -> String {
        soon("a text message", async {
            loop {
                match self.receive().await {
                    Some(Packet::Text(ping)) if ping == "2" => self.send("3").await,
                    Some(Packet::Text(text)) => return text,
                    other => panic!("not a text message: {other:?}"),
                }
            }
        })
        .await
    }

    /// The next binary message.
    pub(crate) async fn binary(&mut self) -> Vec<u8> {
        match self.next().await {
            Some(Packet::Binary(bytes)) => bytes,
            other => panic!("not a binary message: {other:?}"),
        }
    }

    /// Answers pings until the server is idle, and returns the other messages that came.
    pub(crate) async fn texts(&mut self) -> Vec<String> {
        let mut texts = Vec::new();
        while let Ok(Some(packet)) = timeout(Duration::from_nanos(1), self.receive()).await {
            match packet {
                Packet::Text(ping) if ping == "2" => self.send("3").await,
                Packet::Text(text) => texts.push(text),
                Packet::Binary(bytes) => panic!("a binary message: {bytes:?}"),
            }
        }
        texts
    }

    /// Whether something has come that was not read.
    pub(crate) fn has_unread(&mut self) -> bool {
        let read = self.stream.read_buf(&mut self.unread).now_or_never();
        read.is_some() || !self.unread.is_empty()
    }

    /// Answers pings for that long, in which nothing else may come.
    pub(crate) async fn quiet(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while let Ok(packet) = tokio::time::timeout_at(end, self.receive()).await {
            assert_eq!(packet, Some(Packet::Text("2".to_owned())));
            self.send("3").await;
        }
    }

    /// Reads until the server has closed; what came before.
    pub(crate) async fn end(&mut self) -> Vec<Packet> {
        let mut packets = Vec::new();
        while let Some(packet) = self.next().await {
            packets.push(packet);
        }
        packets
    }

    /// Drops the client's end of the stream, and waits until the server's task has ended.
    pub(crate) async fn vanish(self) {
        drop(self.stream);
        soon("the end of the server's task", self.server)
            .await
            .expect("no panic");
    }

    async fn receive(&mut self) -> Option<Packet> {
        loop {
            if let Some((opcode, payload)) = take_frame(&mut self.unread) {
                return match opcode {
                    0x1 => Some(Packet::Text(String::from_utf8(payload).expect("text"))),
                    0x2 => Some(Packet::Binary(payload)),
                    0x8 => None,
                    other => panic!("opcode {other}"),
                };
            }
            if self.stream.read_buf(&mut self.unread).await.unwrap_or(0) == 0 {
                return None;
            }
        }
    }
}

/// A whole frame of a client, with a mask as RFC 6455 wants it.
fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x5a, 0x01, 0xff, 0x80];
    let mut frame = vec![0x80 | opcode];
    let length = payload.len();
    // The mask's bit, and 125 at most, or 126 or 127 and the length in 2 or 8 bytes.
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ 0..126), _) => frame.push(0x80 | short),
        (_, Ok(medium)) => {
            frame.push(0xfe);
            frame.extend(medium.to_be_bytes());
        }
        _ => {
            frame.push(0xff);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// Takes a server's frame off the front, once it is there.
fn take_frame(bytes: &mut Vec<u8>) -> Option<(u8, Vec<u8>)> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    assert_eq!((first & 0xf0, second & 0x80), (0x80, 0), "a whole and unmasked frame");
    let (header, length) = match second {
        126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => (
            10,
            usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?,
        ),
        short => (2, usize::from(short)),
    };
    let payload = bytes.get(header..header + length)?.to_vec();
    bytes.drain(..header + length);
    Some((first & 0x0f, payload))
}

/// What stands between a packet's type and its data.
pub(crate) fn head(nsp: &str) -> String {
    if nsp == "/" { String::new() } else { format!("{nsp},") }
}

/// The session's id in the open packet.
pub(crate) fn sid_of(open: &str) -> String {
    let json = open.strip_prefix('0').expect("an open packet");
    let json: serde_json::Value = serde_json::from_str(json).expect("json");
    json["sid"].as_str().expect("a sid").to_owned()
}

/// A polling client that has shaken hands; clones are the same client.
#[derive(Clone)]
pub(crate) struct Polling {
    io: SocketIo,
    pub(crate) sid: String,
}

/// A response, read to its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) async fn of<B>(response: Response<B>) -> Self
    where
        B: http_body::Body<Error: std::fmt::Debug>,
    {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        Self {
            status: parts.status.as_u16(),
            body: String::from_utf8(body.into()).expect("text"),
        }
    }

    /// The packets of a payload.
    pub(crate) fn packets(&self) -> Vec<&str> {
        assert_eq!(self.status, 200, "{}", self.body);
        self.body.split('\x1e').collect()
    }
}

impl Polling {
    /// A client that has shaken hands.
    pub(crate) async fn open(io: &SocketIo) -> Self {
        let (io, sid) = (io.clone(), String::new());
        let mut client = Self { io, sid };
        client.sid = sid_of(client.get().await.packets()[0]);
        client
    }

    /// A client that has joined the namespace.
    pub(crate) async fn join(io: &SocketIo, nsp: &str) -> Self {
        let client = Self::open(io).await;
        let connect = format!("40{}", head(nsp));
        client.posted(&connect).await;
        let answer = client.get().await;
        assert!(
            answer.body.starts_with(&format!("{connect}{{\"sid\":")),
            "{}",
            answer.body
        );
        client
    }

    /// A poll's response, its body not read.
    pub(crate) async fn poll(&self) -> Response<ResponseBody> {
        self.call(Method::GET, Full::default()).await
    }

    /// A poll, answered.
    pub(crate) async fn get(&self) -> Answer {
        Answer::of(self.poll().await).await
    }

    pub(crate) async fn post(&self, payload: &str) -> Answer {
        Answer::of(self.call(Method::POST, Full::from(payload.to_owned())).await).await
    }

    /// A post that must be accepted.
    pub(crate) async fn posted(&self, payload: &str) {
        let answer = self.post(payload).await;
        assert_eq!((answer.status, &*answer.body), (200, "ok"));
    }

    /// A poll in a task of its own, which is open when this returns.
    pub(crate) async fn open_get(&self) -> JoinHandle<Answer> {
        let client = self.clone();
        let get = tokio::spawn(async move { client.get().await });
        idle().await;
        get
    }

    /// A post in a task of its own, which has been received when this returns.
    pub(crate) async fn open_post(&self, payload: &str) -> JoinHandle<Answer> {
        let (client, payload) = (self.clone(), payload.to_owned());
        let post = tokio::spawn(async move { client.post(&payload).await });
        idle().await;
        post
    }

    pub(crate) async fn call<B>(&self, method: Method, body: B) -> Response<ResponseBody>
    where
        B: http_body::Body<Data = Bytes>,
    {
        let sid = Some(&self.sid).filter(|sid| !sid.is_empty());
        let sid = sid.map(|sid| format!("&sid={sid}")).unwrap_or_default();
        let uri = format!("/socket.io/?EIO=4&transport=polling{sid}");
        soon("a response", self.io.service().handle(request(method, &uri, &[]), body)).await
    }
}

/// The output of a request's task.
pub(crate) async fn answer(request: JoinHandle<Answer>) -> Answer {
    soon("an answer", request).await.expect("no panic")
}

/// What handlers did, in order: a `State` of the server under test.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn add(&self, entry: impl ToString) {
        self.0.lock().expect("no panic").push(entry.to_string());
    }

    /// Everything since the last call.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("no panic"))
    }

    /// A hook for `on_error` that notes the event and what went wrong.
    pub(crate) fn failures(&self) -> impl Fn(&Failure<'_>) + Send + Sync + use<> {
        let log = self.clone();
        move |failure| log.add(format!("{:?} {}", failure.event(), failure.kind))
    }
}

/// Holds handlers until they are let through: a `State` of the server under test.
#[derive(Clone)]
pub(crate) struct Gate(Arc<Semaphore>);

impl Gate {
    pub(crate) fn closed() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    /// Waits to be let through.
    pub(crate) async fn pass(&self) {
        self.0.acquire().await.expect("the gate is there").forget();
    }

    /// Lets so many through.
    pub(crate) fn admit(&self, handlers: usize) {
        self.0.add_permits(handlers);
    }
}

/// The sockets that connect to the namespace.
pub(crate) fn sockets(nsp: &Namespace) -> Received<Socket> {
    let (sender, sockets) = mpsc::unbounded_channel();
    nsp.on_connect(move |socket: Socket| {
        let _ = sender.send(socket);
        std::future::ready(())
    });
    Received(sockets)
}

/// Values that handlers hand to the test.
pub(crate) struct Received<T>(mpsc::UnboundedReceiver<T>);

impl<T> Received<T> {
    pub(crate) async fn next(&mut self) -> T {
        soon("a value", self.0.recv()).await.expect("a sender")
    }
}
