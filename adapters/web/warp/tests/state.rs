//! What handlers are given, and emitting from elsewhere.

use hyper::StatusCode;
use kit::{echo_server, serve};
use tokio::sync::oneshot;
use warp::Filter;
use warp_socketio::{Ack, Socket, SocketIo, State};

mod kit;

#[tokio::test]
async fn handlers_have_the_state_that_the_server_was_built_with() {
    let io = SocketIo::builder().state(7_u32).build();
    io.of("/").on("state", async |State(n): State<u32>| Ack(n));
    let server = serve(warp_socketio::filter(&io)).await;
    let mut client = server.websocket("/socket.io/").await;
    client.say(r#"420["state"]"#).await;
    assert_eq!(client.hear().await, "430[7]");
}

#[tokio::test]
async fn routes_emit() {
    let io = echo_server();
    let with_io = {
        let io = io.clone();
        warp::any().map(move || io.clone())
    };
    let news = warp::path!("news" / String)
        .and(warp::post())
        .and(with_io)
        .map(|news: String, io: SocketIo| {
            io.emit("news", news).unwrap();
            StatusCode::NO_CONTENT
        });
    let server = serve(warp_socketio::filter(&io).or(news)).await;
    let mut websocket = server.websocket("/socket.io/").await;
    let mut polling = server.polling("/socket.io/").await;
    let answer = server.post("/news/rain", &[], "").await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert_eq!(websocket.hear().await, r#"42["news","rain"]"#);
    assert_eq!(polling.hear().await, r#"42["news","rain"]"#);
}

#[tokio::test]
async fn a_background_task_emits_to_a_room() {
    let io = SocketIo::builder().build();
    io.of("/").on_connect(async |socket: Socket| socket.join("readers"));
    let server = serve(warp_socketio::filter(&io)).await;
    let mut client = server.websocket("/socket.io/").await;
    let (start, started) = oneshot::channel();
    tokio::spawn(async move {
        started.await.unwrap();
        io.to("readers").emit("page", 1).unwrap();
        io.to("writers").emit("page", 2).unwrap();
        io.to("readers").emit("page", 3).unwrap();
    });
    start.send(()).unwrap();
    for page in [1, 3] {
        assert_eq!(client.hear().await, format!(r#"42["page",{page}]"#));
    }
}
