//! How a server with clients ends.

use std::time::{Duration, Instant};

use hyper::Method;
use kit::{
    client::{Http1, Http2, Server},
    echo_server, listen, telling_of_leaves, telling_of_polls, within,
};
use tokio::{net::TcpStream, sync::oneshot};

mod kit;

#[tokio::test]
async fn a_graceful_shutdown_that_closes_ends_while_clients_are_connected() {
    let (io, mut leaves) = telling_of_leaves();
    let (filter, mut polls) = telling_of_polls(&io);
    let (listener, server) = listen().await;
    let (stop, stopped) = oneshot::channel::<()>();
    let closing = io.clone();
    let serving = warp::serve(filter).incoming(listener).graceful(async move {
        stopped.await.unwrap();
        closing.close().await;
    });
    let serving = tokio::spawn(serving.run());

    let mut websocket = server.websocket("/socket.io/").await;
    let polling = server.polling("/socket.io/").await;
    let idle = idle_connections(server).await;
    let poll = polling.poll_on(&mut polls).await;

    io.emit("last", "words").unwrap();
    let begin = Instant::now();
    stop.send(()).unwrap();
    let end = async {
        assert_eq!(websocket.hear().await, r#"42["last","words"]"#);
        websocket.ends().await;
    };
    tokio::join!(end, async { within(serving).await.unwrap() });
    assert!(begin.elapsed() < Duration::from_millis(1500), "{:?}", begin.elapsed());
    let answer = within(poll).await.unwrap();
    assert!(
        answer.body().starts_with(br#"42["last","words"]"#),
        "{:?}",
        answer.body()
    );
    for _ in 0..2 {
        assert_eq!(leaves.try_recv().unwrap(), "server shutting down");
    }
    drop(idle);
}

#[tokio::test]
async fn a_graceful_shutdown_that_does_not_close_waits_for_polls() {
    let io = echo_server();
    let (filter, mut polls) = telling_of_polls(&io);
    let (listener, server) = listen().await;
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = warp::serve(filter)
        .incoming(listener)
        .graceful(async move { stopped.await.unwrap() });
    let serving = tokio::spawn(serving.run());
    let poll = server.polling("/socket.io/").await.poll_on(&mut polls).await;
    stop.send(()).unwrap();
    let refused = async {
        while TcpStream::connect(server.0).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    within(refused).await;
    assert!(!serving.is_finished());
    io.emit("now", "go").unwrap();
    within(serving).await.unwrap();
    assert_eq!(within(poll).await.unwrap().body(), r#"42["now","go"]"#);
}

/// One on which nothing was sent yet, and two that have served a request and stay open.
async fn idle_connections(server: Server) -> (TcpStream, Http1, Http2) {
    let silent = server.connect().await;
    let mut http1 = server.http1().await;
    http1.ask(Method::GET, "/socket.io/?t=idle", &[], "").await;
    let mut http2 = server.http2().await;
    http2.get("/socket.io/?t=idle", &[]).await;
    (silent, http1, http2)
}
