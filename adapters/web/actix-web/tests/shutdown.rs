//! The end of the server.

#[macro_use]
mod kit;

use std::time::{Duration, Instant};

use actix_socketio::{SocketIo, scope};
use actix_web::{App, HttpServer, web};
use futures_util::future::join_all;
use http::StatusCode;
use kit::{HANDSHAKE, Server, WebSocket, echo_server, with_leaves, within};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::oneshot,
};

/// actix-web looks once a second whether connections are left, and takes 0.3 s for the end itself;
/// without a word to the clients it waits for 30 s.
const SOON: Duration = Duration::from_secs(5);

#[tokio::test]
async fn closing_ends_connections_and_refuses_new_ones() {
    let (io, mut leaves) = with_leaves(SocketIo::builder());
    let mounted = io.clone();
    let server = serve!(
        App::new()
            .route("/", web::get().to(async || "hello"))
            .service(scope(&mounted))
    );
    let mut websocket = server.websocket("/socket.io/").await;
    let mut polling = server.polling("/socket.io/").await;
    io.emit("last", "words").unwrap();
    let ((), heard, ()) = tokio::join!(within(io.close()), polling.hear(), async {
        assert_eq!(websocket.hear().await, r#"42["last","words"]"#);
        websocket.ends().await;
    });
    assert!(heard.starts_with(r#"42["last","words"]"#), "{heard}");
    for _ in 0..2 {
        assert_eq!(leaves.try_recv().unwrap(), "server shutting down");
    }

    assert_eq!(server.get(HANDSHAKE).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    let refused = server.try_websocket("/socket.io/", &[]).await;
    assert_eq!(refused.unwrap_err(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(server.text("/").await, "hello");
}

/// A connection that is kept for the next request.
async fn idle(server: &Server) -> TcpStream {
    let mut stream = TcpStream::connect(server.0).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"hello") {
        assert_ne!(within(stream.read_buf(&mut answer)).await.unwrap(), 0);
    }
    stream
}

#[tokio::test]
async fn a_shutdown_that_closes_first_is_short_whatever_is_open() {
    let (io, mut leaves) = with_leaves(SocketIo::builder());
    let (stop, stopped) = oneshot::channel::<()>();
    let closing = io.clone();
    let server = serve!(
        App::new()
            .route("/", web::get().to(async || "hello"))
            .service(scope(&io)),
        workers(2),
        shutdown_signal(async move {
            stopped.await.unwrap();
            closing.close().await;
        })
    );
    let mut websockets = Vec::new();
    for _ in 0..4 {
        websockets.push(server.websocket("/socket.io/").await);
    }
    let held = server.polling("/socket.io/").await.poll();
    let mut idle = idle(&server).await;

    let start = Instant::now();
    stop.send(()).unwrap();
    let (took, _) = tokio::join!(
        async {
            within(server.serving).await.unwrap().unwrap();
            start.elapsed()
        },
        join_all(websockets.iter_mut().map(WebSocket::ends))
    );
    println!("the shutdown took {took:?}");
    assert!(took < SOON, "{took:?}");
    assert_eq!(within(held).await.unwrap().body(), "1");
    assert_eq!(within(idle.read(&mut [0])).await.unwrap(), 0);
    for _ in 0..5 {
        assert_eq!(leaves.try_recv().unwrap(), "server shutting down");
    }
}

#[tokio::test]
async fn a_shutdown_that_does_not_close_waits_for_websockets() {
    let io = echo_server();
    let mounted = io.clone();
    let server = serve!(
        App::new()
            .route("/", web::get().to(async || "hello"))
            .service(scope(&mounted))
    );
    let mut websocket = server.websocket("/socket.io/").await;
    let mut idle = idle(&server).await;
    let stopping = tokio::spawn(server.handle.stop(true));
    assert_eq!(within(idle.read(&mut [0])).await.unwrap(), 0);
    assert_eq!(websocket.echo("still here").await, "still here");
    assert!(!stopping.is_finished());
    let ((), stopped, ()) = tokio::join!(io.close(), within(stopping), websocket.ends());
    stopped.unwrap();
}

/// The variable that makes the test below the process that it tells to stop.
#[cfg(unix)]
const AS_SERVER: &str = "SERVE_UNTIL_TOLD_TO_STOP";

#[cfg(unix)]
async fn serve_until_told_to_stop() {
    let (io, mut leaves) = with_leaves(SocketIo::builder());
    let mounted = io.clone();
    let server = HttpServer::new(move || App::new().service(scope(&mounted)))
        .workers(1)
        .shutdown_signal(io.close_on_signal())
        .bind("127.0.0.1:0")
        .unwrap();
    let addr = server.addrs()[0];
    println!("\nlistening on {addr}");
    server.run().await.unwrap();
    println!("left: {}", leaves.try_recv().unwrap());
}

#[cfg(unix)]
#[tokio::test]
async fn a_process_that_is_told_to_stop_says_goodbye_first() {
    use std::{
        io::{BufRead as _, BufReader},
        process::{Command, Stdio},
    };

    if std::env::var_os(AS_SERVER).is_some() {
        return serve_until_told_to_stop().await;
    }
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args([
            "a_process_that_is_told_to_stop_says_goodbye_first",
            "--exact",
            "--nocapture",
        ])
        .env(AS_SERVER, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let mut after = |prefix: &str| {
        let line = lines.find_map(|line| line.unwrap().strip_prefix(prefix).map(str::to_owned));
        line.unwrap_or_else(|| panic!("no line begins with {prefix:?}"))
    };
    let addr = after("listening on ").parse().unwrap();
    let mut websocket = kit::Client(addr).websocket("/socket.io/").await;
    assert_eq!(websocket.echo("hello").await, "hello");

    let start = Instant::now();
    let told = Command::new("kill").args(["-TERM", &process.id().to_string()]).status();
    assert!(told.unwrap().success());
    websocket.ends().await;
    assert_eq!(after("left: "), "server shutting down");
    assert!(process.wait().unwrap().success());
    let took = start.elapsed();
    println!("the process took {took:?}");
    assert!(took < SOON, "{took:?}");
}
