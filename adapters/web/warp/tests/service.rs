//! In front of `warp::service`, on a hyper server of one's own: what `warp::serve` does not give.

use hyper::{Request, StatusCode, body::Incoming};
use kit::{echo_server, serve_service};
use tower::{Layer as _, ServiceExt as _};
use warp::Filter;
use warp_socketio::{Ack, Extension, Handshake, SocketIo};

mod kit;

#[tokio::test]
async fn both_transports_and_the_routes_behind_are_served() {
    let hello = warp::path::end().map(|| "hello");
    let server = serve_service(echo_server().layer().layer(warp::service(hello))).await;
    server.has_endpoint("/socket.io/").await;
    assert_eq!(server.text("/").await, "hello");
    assert_eq!(server.get("/socket.iox").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_websocket_comes_over_http2() {
    let io = echo_server();
    let hello = warp::path::end().map(|| "hello");
    for server in [
        serve_service(io.layer().layer(warp::service(hello))).await,
        serve_service(warp::service(warp_socketio::filter(&io).or(hello))).await,
    ] {
        let mut connection = server.http2().await;
        assert_eq!(connection.get("/", &[]).await.body(), "hello");
        let mut client = connection.websocket("/socket.io/", &[]).await;
        assert!(client.hear().await.starts_with("0{"));
        client.join().await;
        client.say(r#"420["echo","over http2"]"#).await;
        assert_eq!(client.hear().await, r#"430["over http2"]"#);
    }
}

#[tokio::test]
async fn handlers_see_all_that_layers_put_on_the_request() {
    #[derive(Clone)]
    struct Tenant(&'static str);

    let io = SocketIo::builder().build();
    io.of("/").on(
        "who",
        async |Extension(Tenant(name)): Extension<Tenant>, request: Handshake| Ack((name, request.peer_addr())),
    );
    let app = io.layer().layer(warp::service(warp::any().map(warp::reply)));
    let app = app.map_request(|mut request: Request<Incoming>| {
        request.extensions_mut().insert(Tenant("acme"));
        request
    });
    let server = serve_service(app).await;
    let mut client = server.websocket("/socket.io/").await;
    let peer = client.inner.get_ref().local_addr().unwrap();
    client.say(r#"420["who"]"#).await;
    assert_eq!(client.hear().await, format!(r#"430[["acme","{peer}"]]"#));
}
