//! Long-polling: which requests a client may have open, and what becomes of messages between polls.

mod kit;

use std::io;

use bytes::Bytes;
use futures_util::stream;
use http::{Method, request::Parts};
use http_body::Frame;
use http_body_util::{Full, StreamBody};
use kit::{Answer, Gate, Log, Polling, answer, idle, request, secs};
use tokio::time::sleep;
use tower_socketio::{Ack, Data, DisconnectReason, Socket, SocketIo, SocketIoBuilder, State};

const UNKNOWN: &str = r#"{"code":1,"message":"Session ID unknown"}"#;

fn server(builder: SocketIoBuilder) -> (SocketIo, Log) {
    let log = Log::default();
    let io = builder.state(log.clone()).build();
    io.of("/")
        .on("note", async |State(log): State<Log>, Data(note): Data<u32>| {
            log.add(note);
            Ack(note)
        })
        .on("close", async |socket: Socket| {
            socket.emit("last", 1)?;
            socket.close();
            Ok::<_, tower_socketio::EventError>(())
        })
        .on_disconnect(async |State(log): State<Log>, why: DisconnectReason| log.add(why));
    (io, log)
}

/// A body of these chunks, `None` being a connection that breaks off.
fn chunks<const N: usize>(chunks: [Option<&'static str>; N]) -> impl http_body::Body<Data = Bytes, Error = io::Error> {
    StreamBody::new(stream::iter(chunks.map(|chunk| {
        let chunk = chunk.ok_or(io::ErrorKind::ConnectionReset)?;
        Ok(Frame::data(Bytes::from_static(chunk.as_bytes())))
    })))
}

async fn assert_unknown(client: &Polling) {
    assert_eq!(
        client.get().await,
        Answer {
            status: 400,
            body: UNKNOWN.into()
        }
    );
}

#[tokio::test(start_paused = true)]
async fn a_second_poll_ends_the_session_and_the_first_is_told() {
    let (io, log) = server(SocketIo::builder());
    let client = Polling::join(&io, "/").await;
    let first = client.open_get().await;
    assert_eq!(client.get().await.status, 400);
    assert_eq!(answer(first).await.packets(), ["1"]);
    assert_eq!(log.take(), ["transport error"]);
    assert_unknown(&client).await;
}

#[tokio::test(start_paused = true)]
async fn a_second_post_ends_the_session_and_the_open_poll_is_told() {
    let (io, log) = server(SocketIo::builder());
    let client = Polling::join(&io, "/").await;
    let get = client.open_get().await;
    let slow = client.clone();
    let first = tokio::spawn(async move {
        let body = StreamBody::new(stream::pending::<Result<Frame<Bytes>, io::Error>>());
        slow.call(Method::POST, body).await.status()
    });
    idle().await;
    assert_eq!(client.post(r#"42["note",1]"#).await.status, 400);
    assert_eq!(answer(get).await.packets(), ["1"]);
    assert_eq!(log.take(), ["transport error"]);
    first.abort();
}

#[tokio::test(start_paused = true)]
async fn a_poll_and_a_post_may_be_open_at_once() {
    let (io, _) = server(SocketIo::builder());
    let client = Polling::join(&io, "/").await;
    let get = client.open_get().await;
    client.posted(r#"427["note",1]"#).await;
    assert_eq!(answer(get).await.packets(), ["437[1]"]);
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_is_given_up_ends_the_session() {
    let (io, log) = server(SocketIo::builder());
    let client = Polling::join(&io, "/").await;
    let get = client.open_get().await;
    get.abort();
    idle().await;
    assert_eq!(log.take(), ["transport error"]);
    assert_unknown(&client).await;
}

#[tokio::test(start_paused = true)]
async fn a_payload_that_is_never_written_ends_the_session() {
    let (io, log) = server(SocketIo::builder());
    let client = Polling::join(&io, "/").await;
    client.posted(r#"427["note",1]"#).await;
    assert_eq!(log.take(), ["1"]);
    drop(client.poll().await);
    idle().await;
    assert_eq!(log.take(), ["transport error"]);
    assert_unknown(&client).await;
}

#[tokio::test(start_paused = true)]
async fn a_post_that_breaks_off_ends_the_session_and_none_of_it_is_handled() {
    let (io, log) = server(SocketIo::builder());
    let client = Polling::join(&io, "/").await;
    let body = chunks([Some("42[\"note\",1]\x1e42[\"no"), None]);
    assert_eq!(client.call(Method::POST, body).await.status(), 400);
    idle().await;
    assert_eq!(log.take(), ["transport error"]);
}

#[tokio::test(start_paused = true)]
async fn a_post_in_pieces_is_one_payload() {
    let (io, log) = server(SocketIo::builder());
    let client = Polling::join(&io, "/").await;
    let body = chunks([Some("42[\"note\",1]\x1e4"), Some("2[\"no"), Some("te\",2]")]);
    assert_eq!(client.call(Method::POST, body).await.status(), 200);
    assert_eq!(log.take(), ["1", "2"]);
}

#[tokio::test(start_paused = true)]
async fn a_post_that_is_too_large_is_refused_and_the_session_survives() {
    let (io, log) = server(SocketIo::builder().max_payload(20));
    let client = Polling::join(&io, "/").await;
    let too_large = Answer {
        status: 413,
        body: String::new(),
    };
    assert_eq!(client.post(&"4".repeat(21)).await, too_large);
    // Where the length is not known before, too.
    let endless = StreamBody::new(stream::repeat_with(|| {
        Ok::<_, io::Error>(Frame::data(Bytes::from_static(b"44444")))
    }));
    assert_eq!(Answer::of(client.call(Method::POST, endless).await).await, too_large);
    client.posted(r#"42["note",1]"#).await;
    assert_eq!(log.take(), ["1"]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_closes_gets_a_noop_for_its_open_poll() {
    let (io, log) = server(SocketIo::builder());
    let client = Polling::join(&io, "/").await;
    let get = client.open_get().await;
    client.posted("1").await;
    assert_eq!(answer(get).await.packets(), ["6"]);
    assert_eq!(log.take(), ["transport close"]);
    assert_unknown(&client).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_a_namespace_is_seen_off_at_once() {
    let (io, log) = server(SocketIo::builder());
    let client = Polling::join(&io, "/").await;
    let get = client.open_get().await;
    client.posted("41").await;
    idle().await;
    assert_eq!(log.take(), ["client namespace disconnect"]);
    assert!(!get.is_finished(), "its connection stays");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_the_server_closes_is_told_by_its_next_poll() {
    let (io, log) = server(SocketIo::builder());
    let client = Polling::join(&io, "/").await;
    client.posted(r#"42["close"]"#).await;
    idle().await;
    assert_eq!(log.take(), ["forced close"]);
    sleep(secs(29)).await;
    assert_eq!(client.get().await.packets(), [r#"42["last",1]"#, "1"]);
    assert_unknown(&client).await;
}

#[tokio::test(start_paused = true)]
async fn a_closed_client_that_does_not_come_back_is_forgotten_after_30_seconds() {
    let (io, _) = server(SocketIo::builder());
    let client = Polling::join(&io, "/").await;
    client.posted(r#"42["close"]"#).await;
    sleep(secs(31)).await;
    assert_eq!(io.clients_count(), 0);
    assert_unknown(&client).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_between_polls_comes_in_one_payload_in_order() {
    let (io, _) = server(SocketIo::builder());
    let client = Polling::join(&io, "/").await;
    for n in 0..100 {
        io.emit("n", n).unwrap();
    }
    let expected: Vec<_> = (0..100).map(|n| format!(r#"42["n",{n}]"#)).collect();
    assert_eq!(client.get().await.packets(), expected);
}

#[tokio::test(start_paused = true)]
async fn volatile_events_are_lost_unless_a_poll_is_open() {
    let (io, _) = server(SocketIo::builder());
    let client = Polling::join(&io, "/").await;
    let volatile = |n: u8| io.of("/").volatile().emit("n", n).unwrap();
    volatile(1);
    let get = client.open_get().await;
    volatile(2);
    assert_eq!(answer(get).await.packets(), [r#"42["n",2]"#]);
    volatile(3);
    io.emit("n", 4).unwrap();
    assert_eq!(client.get().await.packets(), [r#"42["n",4]"#]);
}

#[tokio::test(start_paused = true)]
async fn a_post_of_many_packets_is_handled_in_order_and_then_answered() {
    let (io, log) = server(SocketIo::builder());
    let client = Polling::join(&io, "/").await;
    let packets: Vec<_> = (0..1000).map(|n| format!(r#"42["note",{n}]"#)).collect();
    client.posted(&packets.join("\x1e")).await;
    assert_eq!(log.take(), (0..1000).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_post_is_answered_only_when_its_events_were_taken() {
    let gate = Gate::closed();
    let builder = SocketIo::builder().max_handlers(1).max_pending_bytes(0);
    let (io, _) = server(builder.state(gate.clone()));
    io.of("/")
        .on("work", async |State(gate): State<Gate>| gate.pass().await);
    let client = Polling::join(&io, "/").await;
    let post = client.open_post(&[r#"42["work"]"#; 4].join("\x1e")).await;
    for _ in 0..2 {
        assert!(!post.is_finished());
        gate.admit(1);
        idle().await;
    }
    gate.admit(2);
    assert_eq!(answer(post).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_post_that_makes_no_sense_ends_the_session() {
    let octets: fn() -> Parts = || request(Method::POST, "/", &[("content-type", "application/octet-stream")]);
    let text: fn() -> Parts = || request(Method::POST, "/", &[]);
    for (parts, payload, reason) in [
        (octets, "42[\"note\",1]", "transport error"),
        (text, "x", "parse error"),
        (text, "", "parse error"),
        (text, "42[\"note\",1]\x1e", "parse error"),
        (text, "b*", "parse error"),
        (text, "2", "transport error"),
    ] {
        let (io, log) = server(SocketIo::builder());
        let client = Polling::join(&io, "/").await;
        let get = client.open_get().await;
        let mut parts = parts();
        let uri = format!("/socket.io/?EIO=4&transport=polling&sid={}", client.sid);
        parts.uri = uri.parse().unwrap();
        let response = io.service().handle(parts, Full::<Bytes>::from(payload)).await;
        assert_eq!(response.status(), 400, "{payload:?}");
        assert_eq!(answer(get).await.packets().last(), Some(&"1"), "{payload:?}");
        assert_eq!(log.take().last().map(String::as_str), Some(reason), "{payload:?}");
    }
}

/// The session ends in a task of its own, on another thread: the poll may come before, between and after.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poll_that_meets_the_end_of_its_session_is_told_so() {
    let (io, _) = server(SocketIo::builder());
    for _ in 0..5_000 {
        let client = Polling::open(&io).await;
        assert_eq!(client.post("malformed").await.status, 400);
        let answer = client.get().await;
        let told = (answer.status, &*answer.body);
        assert!(matches!(told, (200, "1") | (400, UNKNOWN)), "{told:?}");
    }
}
