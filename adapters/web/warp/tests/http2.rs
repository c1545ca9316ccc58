//! HTTP/2 from the first byte, as `warp::serve` speaks it: long-polling. A WebSocket over HTTP/2 needs a server of
//! one's own.

use hyper::{Method, StatusCode, header::ORIGIN};
use kit::{HANDSHAKE, echo_server, serve};
use warp_socketio::{Ack, Handshake, SocketIo};

mod kit;

#[tokio::test]
async fn long_polling_works() {
    let server = serve(warp_socketio::filter(&echo_server())).await;
    let mut client = server.http2().await;
    let url = client.open_polling("/socket.io/", &[]).await;
    let post = client.ask(Method::POST, &url, &[], "40\x1e420[\"echo\",1]").await;
    assert_eq!(post.body(), "ok");
    let poll = client.get(&url, &[]).await;
    let payload = str::from_utf8(poll.body()).unwrap();
    let (joined, echo) = payload.split_once('\x1e').unwrap();
    assert!(joined.starts_with("40{"), "{joined}");
    assert_eq!(echo, "430[1]");
}

#[tokio::test]
async fn pages_of_the_requests_authority_are_the_servers_own() {
    let io = echo_server();
    let server = serve(warp_socketio::filter(&io)).await;
    let mut client = server.http2().await;
    let own = format!("http://{}", server.0);
    for (origin, status) in [
        (&*own, StatusCode::OK),
        ("http://page.example", StatusCode::FORBIDDEN),
        ("http://127.0.0.1", StatusCode::FORBIDDEN),
    ] {
        let handshake = client.get(HANDSHAKE, &[(ORIGIN.as_str(), origin)]).await;
        assert_eq!(handshake.status(), status, "{origin}");
    }
    assert_eq!(io.clients_count(), 1);
}

#[tokio::test]
async fn cookies_in_headers_of_their_own_are_all_seen() {
    let io = SocketIo::builder().build();
    io.of("/").on("cookies", async |handshake: Handshake| {
        let cookie = |name| handshake.headers().cookie(name).map(str::to_owned);
        Ack((cookie("theme"), cookie("user")))
    });
    let server = serve(warp_socketio::filter(&io)).await;
    let mut client = server.http2().await;
    let headers = [("cookie", "theme=dark"), ("cookie", "user=ada")];
    let url = client.open_polling("/socket.io/", &headers).await;
    client.ask(Method::POST, &url, &[], "40\x1e420[\"cookies\"]").await;
    let poll = client.get(&url, &[]).await;
    assert!(poll.body().ends_with(br#"430[["dark","ada"]]"#), "{:?}", poll.body());
}
