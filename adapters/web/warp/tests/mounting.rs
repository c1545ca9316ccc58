//! Where the endpoint can be mounted, and what is left to other filters.

use std::fs;

use hyper::{Method, StatusCode};
use kit::{HANDSHAKE, echo_server, serve, with_echo};
use warp::Filter;
use warp_socketio::SocketIo;

mod kit;

#[tokio::test]
async fn alone_it_serves_its_path() {
    let server = serve(warp_socketio::filter(&echo_server())).await;
    server.has_endpoint("/socket.io/").await;
    server.lacks_endpoint("/").await;
}

#[tokio::test]
async fn it_goes_before_or_after_other_filters() {
    let hello = warp::path::end().map(|| "hello");
    let endpoint = warp_socketio::filter(&echo_server());
    for server in [serve(endpoint.clone().or(hello)).await, serve(hello.or(endpoint)).await] {
        server.has_endpoint("/socket.io/").await;
        assert_eq!(server.text("/").await, "hello");
    }
}

#[tokio::test]
async fn behind_a_prefix_it_is_served_there_only() {
    let endpoint = warp_socketio::filter(&echo_server());
    let server = serve(warp::path("api").and(endpoint.clone())).await;
    server.has_endpoint("/api/socket.io/").await;
    server.lacks_endpoint("/socket.io/").await;
    let server = serve(warp::path!("api" / "v1" / ..).and(endpoint)).await;
    server.has_endpoint("/api/v1/socket.io/").await;
    server.lacks_endpoint("/api/socket.io/").await;
}

#[tokio::test]
async fn a_path_of_its_own_is_served_and_the_default_is_not() {
    for path in ["/live", "/live/chat"] {
        let endpoint = warp_socketio::filter(&with_echo(SocketIo::builder().path(path)));
        let server = serve(endpoint.clone()).await;
        server.has_endpoint(&format!("{path}/")).await;
        server.lacks_endpoint("/socket.io/").await;
        let server = serve(warp::path("api").and(endpoint)).await;
        server.has_endpoint(&format!("/api{path}/")).await;
    }
}

#[tokio::test]
async fn as_the_root_it_takes_what_the_filters_before_it_leave() {
    let endpoint = warp_socketio::filter(&with_echo(SocketIo::builder().path("/")));
    let health = warp::path!("health").map(|| "fine");
    let server = serve(health.or(endpoint.clone())).await;
    server.has_endpoint("/").await;
    assert_eq!(server.text("/health").await, "fine");
    let server = serve(endpoint.or(health)).await;
    assert_eq!(server.get("/health").await.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_slash_at_the_end_of_the_path_may_be_missing() {
    let server = serve(warp_socketio::filter(&echo_server())).await;
    server.has_endpoint("/socket.io").await;
}

#[tokio::test]
async fn what_is_not_the_endpoints_reaches_the_other_filters() {
    let other = warp::any().map(|| "other");
    let server = serve(warp_socketio::filter(&echo_server()).or(other)).await;
    for path in [
        "/other",
        "/socket",
        "/socket.iox",
        "/socket.io-foo",
        "/socket%2Eio/",
        "//socket.io/",
        "/a/socket.io/",
        "/",
    ] {
        let url = format!("{path}?EIO=4&transport=polling");
        assert_eq!(server.text(&url).await, "other", "{path}");
    }
    server.has_endpoint("/socket.io/").await;
}

#[tokio::test]
async fn the_browsers_client_is_served_beside_the_endpoint_wherever_it_is_mounted() {
    let dir = format!("{}/dist-{}", env!("CARGO_TARGET_TMPDIR"), std::process::id());
    fs::create_dir_all(&dir).unwrap();
    fs::write(format!("{dir}/socket.io.min.js"), "let io;").unwrap();
    let io = SocketIo::builder().serve_client(&dir).unwrap().build();
    fs::remove_dir_all(dir).unwrap();
    let endpoint = warp_socketio::filter(&io);
    let server = serve(endpoint.clone().or(warp::path("api").and(endpoint))).await;
    for prefix in ["", "/api"] {
        let script = server.get(&format!("{prefix}/socket.io/socket.io.min.js")).await;
        let content_type = &script.headers()["content-type"];
        assert_eq!(content_type, "application/javascript; charset=utf-8");
        assert_eq!(script.body(), "let io;");
    }
}

#[tokio::test]
async fn methods_of_no_use_are_refused_and_begin_nothing() {
    let io = echo_server();
    let server = serve(warp_socketio::filter(&io)).await;
    for method in [Method::HEAD, Method::OPTIONS, Method::PUT, Method::DELETE] {
        let response = server.ask(method.clone(), HANDSHAKE, &[]).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{method}");
    }
    assert_eq!(io.clients_count(), 0);
}
