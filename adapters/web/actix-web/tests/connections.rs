//! Connections that break, block, or carry too much.

#[macro_use]
mod kit;

use std::{fs, time::Duration};

use actix_socketio::{Socket, SocketIo, SocketIoBuilder, State, scope};
use actix_web::{App, dev::Service as _, http::Method};
use futures_util::StreamExt as _;
use http::StatusCode;
use kit::{Leaves, Server, UPGRADE, WebSocket, echo_server, text_frame, until, with_echo, with_leaves, within};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::mpsc,
};
use tokio_tungstenite::tungstenite::{Message, protocol::frame::coding::CloseCode};

/// Everybody is in one room, and who leaves is told.
fn room(builder: SocketIoBuilder) -> (SocketIo, Leaves) {
    let (io, leaves) = with_leaves(builder);
    io.of("/").on_connect(async |socket: Socket| socket.join("room"));
    (io, leaves)
}

async fn left(leaves: &mut Leaves) -> String {
    within(leaves.recv()).await.unwrap()
}

/// More than the system takes for a client that does not read.
const MUCH: usize = 10_000_000;
const MESSAGE: usize = 100_000;

// ---- The end ----

#[tokio::test]
async fn a_reset_in_the_middle_of_a_message_ends_the_client_once_and_nobody_else() {
    let (io, mut leaves) = with_leaves(SocketIo::builder());
    let mounted = io.clone();
    let server = serve!(App::new().service(scope(&mounted)));
    let mut other = server.websocket("/socket.io/").await;
    let mut client = server.websocket("/socket.io/").await;
    let half = &text_frame(&format!(r#"42["echo","{}"]"#, "x".repeat(1000)))[..500];
    client.inner.get_mut().write_all(half).await.unwrap();
    assert_eq!(other.echo("before").await, "before");
    client.stream().set_zero_linger().unwrap();
    drop(client);

    assert_eq!(left(&mut leaves).await, "transport close");
    assert_eq!(other.echo("after").await, "after");
    assert_eq!(io.clients_count(), 1);
    tokio::join!(within(io.close()), other.ends());
    assert_eq!(left(&mut leaves).await, "server shutting down");
    assert!(leaves.try_recv().is_err());
}

#[tokio::test]
async fn a_websocket_that_is_closed_or_hung_up_ends_its_client() {
    let (io, mut leaves) = with_leaves(SocketIo::builder());
    let server = serve!(App::new().service(scope(&io)));
    let mut client = server.websocket("/socket.io/").await;
    client.inner.close(None).await.unwrap();
    client.ends().await;
    assert_eq!(left(&mut leaves).await, "transport close");

    drop(server.websocket("/socket.io/").await);
    assert_eq!(left(&mut leaves).await, "transport close");
}

/// A polling client and the connection that its poll is held on.
async fn held_poll(server: &Server, polls: &mut mpsc::UnboundedReceiver<()>) -> TcpStream {
    let polling = server.polling("/socket.io/").await;
    while polls.try_recv().is_ok() {}
    let mut stream = TcpStream::connect(server.0).await.unwrap();
    let poll = format!("GET {} HTTP/1.1\r\nhost: a\r\n\r\n", polling.url);
    stream.write_all(poll.as_bytes()).await.unwrap();
    within(polls.recv()).await.unwrap();
    stream
}

/// The endpoint, with what tells of its polls.
macro_rules! telling_of_polls {
    ($io:expr, $tell:expr) => {
        App::new().service(scope(&$io)).wrap_fn({
            let tell = $tell.clone();
            move |request, service| {
                if request.method() == Method::GET {
                    tell.send(()).unwrap();
                }
                service.call(request)
            }
        })
    };
}

#[tokio::test]
async fn a_poll_that_is_reset_ends_its_client() {
    let (io, mut leaves) = with_leaves(SocketIo::builder());
    let (tell, mut polls) = mpsc::unbounded_channel();
    let server = serve!(telling_of_polls!(io, tell));
    held_poll(&server, &mut polls).await.set_zero_linger().unwrap();
    assert_eq!(left(&mut leaves).await, "transport error");
}

#[tokio::test]
async fn a_poll_that_is_hung_up_ends_its_client_at_once_only_where_half_closed_connections_are_not_allowed() {
    let heartbeat = Duration::from_secs(1);
    let builder = SocketIo::builder().ping_interval(heartbeat).ping_timeout(heartbeat);
    let (tell, mut polls) = mpsc::unbounded_channel();
    let (io, mut leaves) = with_leaves(builder);
    let server = serve!(telling_of_polls!(io, tell));
    drop(held_poll(&server, &mut polls).await);
    assert_eq!(left(&mut leaves).await, "ping timeout");

    let (io, mut leaves) = with_leaves(SocketIo::builder());
    let (tell, mut polls) = mpsc::unbounded_channel();
    let server = serve!(telling_of_polls!(io, tell), h1_allow_half_closed(false));
    drop(held_poll(&server, &mut polls).await);
    assert_eq!(left(&mut leaves).await, "transport error");
}

// ---- Clients that do not read ----

#[tokio::test]
async fn a_client_that_never_reads_is_cut_off_when_its_room_is_flooded_and_nobody_else() {
    let (io, mut leaves) = room(SocketIo::builder());
    let mounted = io.clone();
    let server = serve!(App::new().service(scope(&mounted)));
    let mut other = server.websocket("/socket.io/").await;
    let deaf = server.websocket_of_little_room().await;
    let flooding = async {
        while leaves.is_empty() {
            io.to("room").emit("flood", "x".repeat(MESSAGE)).unwrap();
            other.hear().await;
        }
    };
    within(flooding).await;
    assert_eq!(left(&mut leaves).await, "transport error");
    assert_is_open(&server, &deaf);
    assert_eq!(io.clients_count(), 1);
    assert_eq!(other.echo("still here").await, "still here");
}

#[tokio::test]
async fn a_client_that_asks_and_never_reads_is_cut_off() {
    let (io, mut leaves) = with_leaves(SocketIo::builder());
    let server = serve!(App::new().service(scope(&io)));
    let mut deaf = server.websocket_of_little_room().await;
    let question = text_frame(&format!(r#"420["echo","{}"]"#, "x".repeat(100)));
    let questions = question.repeat(500);
    let asking = async { while deaf.inner.get_mut().write_all(&questions).await.is_ok() {} };
    let why = tokio::select! {
        why = left(&mut leaves) => why,
        () = asking => left(&mut leaves).await,
    };
    assert_eq!(why, "transport error");
    assert_is_open(&server, &deaf);
}

/// The server's half of the connection is neither closed nor closing.
fn assert_is_open(server: &Server, client: &WebSocket) {
    if cfg!(not(target_os = "linux")) {
        return;
    }
    let port = client.stream().local_addr().unwrap().port();
    let ends = format!(":{:04X} 0100007F:{port:04X} 01 ", server.0.port());
    assert!(fs::read_to_string("/proc/net/tcp").unwrap().contains(&ends));
}

#[tokio::test]
async fn the_heartbeat_of_a_client_that_does_not_read_times_out() {
    let heartbeat = Duration::from_secs(1);
    let builder = SocketIo::builder().ping_interval(heartbeat).ping_timeout(heartbeat);
    let (io, mut leaves) = room(builder.max_outbox_bytes(2 * MUCH));
    let mounted = io.clone();
    let server = serve!(App::new().service(scope(&mounted)));
    let deaf = server.websocket_of_little_room().await;
    for _ in 0..MUCH / MESSAGE {
        io.to("room").emit("flood", "x".repeat(MESSAGE)).unwrap();
    }
    assert_eq!(left(&mut leaves).await, "ping timeout");
    drop(deaf);
}

#[tokio::test]
async fn a_client_that_reads_late_is_heard_meanwhile_and_misses_nothing() {
    let (tell, mut told) = mpsc::unbounded_channel::<()>();
    let (io, mut leaves) = room(SocketIo::builder().max_outbox_bytes(2 * MUCH).state(tell));
    io.of("/")
        .on("heard", async |State(tell): State<mpsc::UnboundedSender<()>>| {
            tell.send(()).unwrap();
        });
    let mounted = io.clone();
    let server = serve!(App::new().service(scope(&mounted)));
    let mut late = server.websocket_of_little_room().await;
    for _ in 0..2 {
        for n in 0..MUCH / MESSAGE {
            io.to("room").emit(&n.to_string(), "x".repeat(MESSAGE)).unwrap();
        }
        late.say(r#"42["heard"]"#).await;
        within(told.recv()).await.unwrap();
        for n in 0..MUCH / MESSAGE {
            assert!(late.hear().await.starts_with(&format!(r#"42["{n}","#)));
        }
        assert_eq!(late.echo("all of it").await, "all of it");
    }
    assert!(leaves.try_recv().is_err());
}

// ---- Sizes ----

#[tokio::test]
async fn a_payload_that_is_too_large_is_refused() {
    let io = with_echo(SocketIo::builder().max_payload(10_000));
    let server = serve!(App::new().service(scope(&io)));
    let long = format!(r#"42["echo","{}"]"#, "x".repeat(10_000));
    let mut polling = server.polling("/socket.io/").await;
    let refused = polling.post(long.clone()).await;
    assert_eq!(refused.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(polling.echo("and on").await, "and on");

    let mut websocket = server.websocket("/socket.io/").await;
    websocket.say(&long).await;
    match within(websocket.inner.next()).await {
        Some(Ok(Message::Close(Some(frame)))) => assert_eq!(frame.code, CloseCode::Size),
        other => panic!("{other:?} instead of a close frame"),
    }
}

#[tokio::test]
async fn large_messages_go_each_way() {
    let io = echo_server();
    let server = serve!(App::new().service(scope(&io)));
    let long = "long ".repeat(180_000);
    assert!(server.websocket("/socket.io/").await.echo(&long).await == long);
    assert!(server.polling("/socket.io/").await.echo(&long).await == long);
}

#[tokio::test]
async fn frames_that_come_with_the_request_are_not_lost() {
    let io = echo_server();
    let mounted = io.clone();
    let server = serve!(App::new().service(scope(&mounted)));
    let mut stream = TcpStream::connect(server.0).await.unwrap();
    let packet = [UPGRADE.as_bytes(), &text_frame("40"), &text_frame(r#"420["echo",1]"#)].concat();
    stream.write_all(&packet).await.unwrap();
    let mut answer = Vec::new();
    let answered = async {
        while !answer.windows(6).any(|bytes| bytes == b"430[1]") {
            assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0);
        }
    };
    within(answered).await;
    drop(stream);
    until("the client is gone", || io.clients_count() == 0).await;
}
