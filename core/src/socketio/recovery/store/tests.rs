//! A store that two servers share, slow as one behind a network is: what it keeps is written and read again, and it has
//! the events that both are given.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::{FutureExt as _, future::BoxFuture};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use super::{Absent, MissedEvent, Restored, Session, SessionStore, StoreError};
use crate::{
    Ack, Acl, Data, Namespace, Refusal, Socket, SocketIo, SocketIoBuilder,
    adapter::{Adapter as _, Selection},
    engine::Flags,
    socketio::{
        args::RawArgs,
        frames::Frames,
        recovery::{Claim, Recovery, history::To},
    },
};

/// How long the store takes.
const DELAY: Duration = Duration::from_millis(100);

/// The store, and what carries events between the servers.
#[derive(Debug, Default)]
struct Cluster {
    /// By namespace and pid, as JSON.
    sessions: Mutex<HashMap<(String, String), String>>,
    events: Mutex<Vec<Event>>,
    offsets: AtomicU64,
    fault: Mutex<Option<Fault>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Fails,
    Hangs,
    Panics,
}

#[derive(Debug, Clone)]
struct Event {
    offset: String,
    name: &'static str,
    args: Value,
    rooms: Option<Vec<Box<str>>>,
}

impl Event {
    fn is_for(&self, session: &Session) -> bool {
        let own = session.rooms.iter().map(|room| &**room).chain([session.id.as_str()]);
        let own: Vec<_> = own.collect();
        self.rooms
            .as_ref()
            .is_none_or(|rooms| rooms.iter().any(|room| own.contains(&&**room)))
    }
}

#[derive(Debug, Clone, Default)]
struct Store(Arc<Cluster>);

impl SessionStore for Store {
    fn remember(&self, absent: Absent, max_absence: Duration) {
        assert_eq!(max_absence, Duration::from_secs(120));
        let session = absent.session();
        let key = (absent.socket.path().to_owned(), session.pid.reveal().to_owned());
        let session = serde_json::to_string(&session).unwrap();
        self.0.sessions.lock().unwrap().insert(key, session);
    }

    fn restore(&self, nsp: &str, claim: &Claim) -> BoxFuture<'static, Result<Option<Restored>, StoreError>> {
        let cluster = self.0.clone();
        let key = (nsp.to_owned(), claim.pid.reveal().to_owned());
        let offset = claim.offset.clone();
        Box::pin(async move {
            sleep(DELAY / 2).await;
            let fault = *cluster.fault.lock().unwrap();
            match fault {
                Some(Fault::Fails) => return Err("the store is not there".into()),
                Some(Fault::Hangs) => std::future::pending().await,
                Some(Fault::Panics) => panic!("the store is broken"),
                None => {}
            }
            let session = cluster.sessions.lock().unwrap().remove(&key);
            sleep(DELAY / 2).await;
            let Some(session) = session else { return Ok(None) };
            let session: Session = serde_json::from_str(&session)?;
            let events = cluster.events.lock().unwrap();
            let Some(last) = events.iter().position(|event| event.offset == offset) else {
                return Ok(None);
            };
            let missed = events[last + 1..].iter().filter(|event| event.is_for(&session));
            let missed = missed.map(|event| MissedEvent {
                offset: event.offset.as_str().into(),
                name: event.name.into(),
                args: RawArgs::encode(&event.args).unwrap(),
            });
            let missed = missed.collect();
            Ok(Some(Restored::Session { session, missed }))
        })
    }
}

impl Store {
    fn builder(&self) -> SocketIoBuilder {
        let recovery = Recovery {
            store: Some(Arc::new(self.clone())),
            ..Recovery::default()
        };
        SocketIo::builder().connection_state_recovery(recovery)
    }

    fn server(&self) -> SocketIo {
        self.builder().build()
    }

    /// An event for all servers, in an order that is not theirs.
    fn publish(&self, servers: &[&SocketIo], name: &'static str, args: Value, rooms: Option<&[&str]>) {
        let number = self.0.offsets.fetch_add(1, Ordering::Relaxed);
        let rooms = rooms.map(|rooms| rooms.iter().map(|room| (*room).into()).collect());
        let offset = format!("1526919030474-{number}");
        let event = Event {
            offset: offset.clone(),
            name,
            args,
            rooms,
        };
        self.0.events.lock().unwrap().push(event.clone());
        for io in servers {
            let namespace = io.of("/").shared().clone();
            let frames = Frames::recoverable_event("/", name, &event.args, &offset).unwrap();
            let selection = Selection {
                rooms: event.rooms.clone(),
                ..Selection::default()
            };
            let to = To::Selected(selection.clone());
            let history = namespace.history.as_ref().unwrap();
            history.send(&namespace.rooms, &frames, Flags::default(), to, || {
                namespace.rooms.broadcast(&frames, &selection, Flags::default());
            });
        }
    }
}

/// A client's WebSocket.
struct Ws {
    stream: DuplexStream,
    server: JoinHandle<()>,
}

impl Ws {
    async fn open(io: &SocketIo) -> Self {
        let request = http::Request::get("/socket.io/?EIO=4&transport=websocket")
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        let parts = request.body(()).unwrap().into_parts().0;
        let Some(Ok((_, ticket))) = io.service().accept_websocket(parts).now_or_never() else {
            panic!("the WebSocket was refused")
        };
        let (stream, server) = duplex(1 << 16);
        let server = tokio::spawn(ticket.drive(server));
        let mut ws = Self { stream, server };
        assert!(ws.text().await.starts_with("0{"));
        ws
    }

    async fn send(&mut self, text: &str) {
        let len = u8::try_from(text.len()).unwrap();
        assert!(len < 126, "{text}");
        let mut frame = vec![0x81, 0x80 | len, 0, 0, 0, 0];
        frame.extend(text.as_bytes());
        self.stream.write_all(&frame).await.unwrap();
    }

    async fn text(&mut self) -> String {
        let read = async {
            let [_, len] = self.bytes().await;
            let len = match len {
                126 => usize::from(u16::from_be_bytes(self.bytes().await)),
                len => usize::from(len),
            };
            let mut text = vec![0; len];
            self.stream.read_exact(&mut text).await.unwrap();
            String::from_utf8(text).unwrap()
        };
        timeout(Duration::from_secs(20), read).await.expect("a message")
    }

    async fn bytes(&mut self) -> [u8; 2] {
        let mut bytes = [0; 2];
        self.stream.read_exact(&mut bytes).await.unwrap();
        bytes
    }

    /// Nothing has come, and nothing is about to.
    async fn assert_quiet(&mut self) {
        let waited = timeout(Duration::from_secs(1), self.stream.read_u8()).await;
        assert!(waited.is_err(), "there is something");
    }

    async fn vanish(self) {
        drop(self.stream);
        self.server.await.unwrap();
    }
}

/// What a client knows of itself.
#[derive(Clone, Debug, PartialEq)]
struct Identity {
    sid: String,
    pid: String,
}

impl Identity {
    fn read(text: &str) -> Self {
        let json = text.strip_prefix("40").unwrap_or_else(|| panic!("no CONNECT: {text}"));
        let connected: Value = serde_json::from_str(json).unwrap();
        Self {
            sid: connected["sid"].as_str().unwrap().to_owned(),
            pid: connected["pid"].as_str().unwrap().to_owned(),
        }
    }

    fn claim(&self, offset: &str) -> String {
        format!("40{}", json!({ "pid": self.pid, "offset": offset }))
    }
}

/// A client that has got an event, whose offset this is.
async fn begun(store: &Store, io: &SocketIo, others: &[&SocketIo]) -> (Ws, Identity, Socket) {
    let mut ws = Ws::open(io).await;
    ws.send("40").await;
    let identity = Identity::read(&ws.text().await);
    let socket = io.of("/").socket(&identity.sid).expect("it is there");
    store.publish(&[&[io], others].concat(), "hello", json!(1), Some(&[&identity.sid]));
    let hello = ws.text().await;
    assert_eq!(hello, format!(r#"42["hello",1,"{}"]"#, store.last_offset()));
    (ws, identity, socket)
}

impl Store {
    fn last_offset(&self) -> String {
        self.0.events.lock().unwrap().last().unwrap().offset.clone()
    }

    fn is_empty(&self) -> bool {
        self.0.sessions.lock().unwrap().is_empty()
    }
}

fn serve(nsp: &Namespace) {
    nsp.acl(|_| Acl::only(["free"]));
    for event in ["free", "secret"] {
        nsp.on(event, async |Data(number): Data<u8>| Ack(number));
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_lost_on_one_server_comes_back_on_another() {
    let store = Store::default();
    let (a, b) = (store.server(), store.server());
    serve(&a.of("/"));
    serve(&b.of("/"));
    let (ws, identity, socket) = begun(&store, &a, &[&b]).await;
    let offset = store.last_offset();
    socket.join(["room", "left"]);
    socket.leave("left");
    socket.set_data(json!({ "score": 3 })).unwrap();
    socket.acl().allow("secret");
    socket.acl().deny("free");
    ws.vanish().await;
    store.publish(&[&a, &b], "missed", json!("in its room"), Some(&["room"]));
    store.publish(&[&a, &b], "-", json!("in another"), Some(&["left"]));
    store.publish(&[&a, &b], "missed", json!("everybody's"), None);

    let mut ws = Ws::open(&b).await;
    ws.send(&identity.claim(&offset)).await;
    // While the store is asked.
    sleep(DELAY / 2).await;
    store.publish(&[&a, &b], "missed", json!("meanwhile"), None);
    for expected in ["in its room", "everybody's", "meanwhile"] {
        let text = ws.text().await;
        assert!(text.starts_with(&format!(r#"42["missed","{expected}",""#)), "{text}");
    }
    assert_eq!(Identity::read(&ws.text().await), identity);
    let back = b.of("/").socket(&identity.sid).expect("it is there");
    assert!(back.recovered());
    assert_eq!(back.rooms(), [&*identity.sid, "room"]);
    assert_eq!(back.data::<Value>().unwrap(), Some(json!({ "score": 3 })));
    assert!(back.acl().is_allowed("secret") && !back.acl().is_allowed("free"));
    store.publish(&[&a, &b], "later", json!(0), Some(&["room"]));
    assert!(ws.text().await.starts_with(r#"42["later",0,""#));
    ws.assert_quiet().await;
    // And back again.
    let offset = store.last_offset();
    ws.vanish().await;
    let mut ws = Ws::open(&a).await;
    ws.send(&identity.claim(&offset)).await;
    assert_eq!(Identity::read(&ws.text().await), identity);
    assert!(store.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_after_the_store_has_answered_comes_once_and_after_what_it_told() {
    let store = Store::default();
    let (a, b) = (store.server(), store.server());
    let let_in = Arc::new(tokio::sync::Notify::new());
    let gate = let_in.clone();
    b.of("/").on_connect(move || {
        let gate = gate.clone();
        async move {
            gate.notified().await;
            Ok::<_, Refusal>(())
        }
    });
    let (ws, identity, _socket) = begun(&store, &a, &[&b]).await;
    let offset = store.last_offset();
    ws.vanish().await;
    store.publish(&[&a, &b], "n", json!(1), None);
    let mut ws = Ws::open(&b).await;
    ws.send(&identity.claim(&offset)).await;
    sleep(2 * DELAY).await;
    store.publish(&[&a, &b], "n", json!(2), None);
    ws.assert_quiet().await;
    let_in.notify_one();
    for number in 1..=2 {
        assert!(ws.text().await.starts_with(&format!(r#"42["n",{number},""#)));
    }
    assert_eq!(Identity::read(&ws.text().await), identity);
    ws.assert_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn of_two_who_claim_it_on_two_servers_at_once_one_is_it() {
    let store = Store::default();
    let (a, b) = (store.server(), store.server());
    let (ws, identity, _socket) = begun(&store, &a, &[&b]).await;
    let claim = identity.claim(&store.last_offset());
    ws.vanish().await;
    let (mut one, mut other) = (Ws::open(&a).await, Ws::open(&b).await);
    one.send(&claim).await;
    other.send(&claim).await;
    let (one, other) = (Identity::read(&one.text().await), Identity::read(&other.text().await));
    assert!((one == identity) != (other == identity), "{one:?} {other:?}");
    assert!(one.sid != other.sid && one.pid != other.pid);
}

#[tokio::test(start_paused = true)]
async fn where_the_store_does_not_answer_the_client_begins_anew_in_time() {
    for (fault, takes) in [
        (Fault::Fails, DELAY / 2),
        (Fault::Hangs, Duration::from_secs(5)),
        (Fault::Panics, DELAY / 2),
    ] {
        let store = Store::default();
        let io = store.server();
        let (ws, identity, _socket) = begun(&store, &io, &[]).await;
        ws.vanish().await;
        *store.0.fault.lock().unwrap() = Some(fault);
        let mut ws = Ws::open(&io).await;
        let began = Instant::now();
        ws.send(&identity.claim(&store.last_offset())).await;
        let anew = Identity::read(&ws.text().await);
        assert!(anew.sid != identity.sid && anew.pid != identity.pid);
        let took = began.elapsed();
        assert!(took >= takes && took < takes + DELAY, "{fault:?}: {took:?}");
        assert!(!io.of("/").socket(&anew.sid).expect("it is there").recovered());
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_client_sends_while_the_store_is_asked_is_handled_then_in_order() {
    let store = Store::default();
    let io = store.server();
    io.of("/").on("n", async |socket: Socket, Data(number): Data<u8>| {
        Ack((socket.recovered(), number))
    });
    let (ws, identity, _socket) = begun(&store, &io, &[]).await;
    ws.vanish().await;
    let mut ws = Ws::open(&io).await;
    ws.send(&identity.claim(&store.last_offset())).await;
    for number in 1..=3 {
        ws.send(&format!(r#"42{number}["n",{number}]"#)).await;
    }
    assert_eq!(Identity::read(&ws.text().await), identity);
    for number in 1..=3 {
        assert_eq!(ws.text().await, format!("43{number}[[true,{number}]]"));
    }
}

#[tokio::test(start_paused = true)]
async fn who_leaves_while_the_store_is_asked_is_not_let_in_and_begins_anew() {
    let store = Store::default();
    let io = store.server();
    let (ws, identity, _socket) = begun(&store, &io, &[]).await;
    let claim = identity.claim(&store.last_offset());
    ws.vanish().await;
    let mut ws = Ws::open(&io).await;
    ws.send(&claim).await;
    ws.send("41").await;
    ws.assert_quiet().await;
    assert_eq!(io.of("/").sockets_count(), 0);
    assert!(store.is_empty());
    // The connection is as it was.
    ws.send(&claim).await;
    assert_ne!(Identity::read(&ws.text().await), identity);
}

#[tokio::test(start_paused = true)]
async fn who_is_lost_again_while_the_store_is_asked_comes_back_still() {
    let store = Store::default();
    let io = store.server();
    let (ws, identity, _socket) = begun(&store, &io, &[]).await;
    let claim = identity.claim(&store.last_offset());
    ws.vanish().await;
    let mut ws = Ws::open(&io).await;
    ws.send(&claim).await;
    sleep(DELAY * 3 / 4).await;
    assert!(store.is_empty(), "taken, and not told yet");
    ws.vanish().await;
    sleep(DELAY).await;
    assert_eq!(io.of("/").sockets_count(), 0);
    let mut ws = Ws::open(&io).await;
    ws.send(&claim).await;
    assert_eq!(Identity::read(&ws.text().await), identity);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_closes_waits_for_the_store_as_long_as_any_client_would() {
    for (fault, takes) in [
        (None, Duration::from_secs(1)),
        (Some(Fault::Hangs), Duration::from_secs(5)),
    ] {
        let store = Store::default();
        let io = store.builder().close_timeout(Duration::from_secs(20)).build();
        let (ws, identity, _socket) = begun(&store, &io, &[]).await;
        ws.vanish().await;
        *store.0.fault.lock().unwrap() = fault;
        let mut ws = Ws::open(&io).await;
        ws.send(&identity.claim(&store.last_offset())).await;
        sleep(DELAY / 2).await;
        let began = Instant::now();
        io.close().await;
        let took = began.elapsed();
        assert!(took <= takes && took + DELAY > takes, "{took:?}");
        assert_eq!(io.of("/").sockets_count(), 0);
        assert_eq!(store.is_empty(), fault.is_none(), "taken, if there was an answer");
    }
}

#[tokio::test(start_paused = true)]
async fn who_missed_more_than_an_outbox_holds_begins_anew_on_another_server_too() {
    for (bytes, recovered) in [(90_000, true), (100_000, false)] {
        let store = Store::default();
        let server = || store.builder().max_outbox_bytes(100_000).build();
        let (a, b) = (server(), server());
        let (ws, identity, _socket) = begun(&store, &a, &[&b]).await;
        let offset = store.last_offset();
        ws.vanish().await;
        let parts = bytes / 10_000;
        for _ in 0..parts {
            store.publish(&[], "big", json!("x".repeat(10_000)), None);
        }
        let mut ws = Ws::open(&b).await;
        ws.send(&identity.claim(&offset)).await;
        for _ in 0..parts * usize::from(recovered) {
            assert!(ws.text().await.starts_with(r#"42["big","#));
        }
        assert_eq!(Identity::read(&ws.text().await) == identity, recovered);
    }
}

#[test]
fn a_session_is_read_as_it_was_written() {
    let written = r#"{"sid":"aaaaaaaaaaaaaaaaaaaa","pid":"bbbbbbbbbbbbbbbbbbbb","rooms":["a\"b",""],"data":{"x":[1.0]},"rules":{"by_default":false,"exceptions":["say"]}}"#;
    let session: Session = serde_json::from_str(written).unwrap();
    assert!(session.rules.is_allowed("say") && !session.rules.is_allowed("x"));
    assert_eq!(serde_json::to_string(&session).unwrap(), written);
    for broken in [
        written.replace("aaaaaaaaaaaaaaaaaaaa", "no id"),
        written.replace("bbbbbbbbbbbbbbbbbbbb", ""),
    ] {
        let error = serde_json::from_str::<Session>(&broken).unwrap_err().to_string();
        assert!(error.starts_with("an id "), "{error}");
    }
    assert!(!format!("{session:?}").contains("bbbb"), "a pid is a secret");
}
