//! Requests that browsers do not send.

use kit::{echo_server, serve, with_echo};
use warp::Filter as _;
use warp_socketio::SocketIo;

mod kit;

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";

#[tokio::test]
async fn an_absolute_uri_names_the_same_endpoint() {
    let server = serve(warp_socketio::filter(&echo_server())).await;
    let answer = server
        .answer_to(&format!(
            "GET http://a.example{POLLING} HTTP/1.1\r\nhost: a.example\r\norigin: http://a.example\r\nconnection: close\r\n\r\n"
        ))
        .await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("\r\n\r\n0{"), "{answer}");
}

#[tokio::test]
async fn http_1_0_polls() {
    let server = serve(warp_socketio::filter(&echo_server())).await;
    let answer = server.answer_to(&format!("GET {POLLING} HTTP/1.0\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.0 200 "), "{answer}");
    assert!(answer.contains("\r\n\r\n0{"), "{answer}");
}

#[tokio::test]
async fn http_1_0_does_not_become_a_websocket() {
    let io = echo_server();
    let server = serve(warp_socketio::filter(&io)).await;
    let answer = server
        .answer_to(
            "GET /socket.io/?EIO=4&transport=websocket HTTP/1.0\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        )
        .await;
    assert!(answer.starts_with("HTTP/1.0 400 "), "{answer}");
    assert_eq!(io.clients_count(), 0);
}

#[tokio::test]
async fn a_host_that_is_none_is_nobodys_own() {
    let server = serve(warp_socketio::filter(&echo_server())).await;
    for (host, origin, status) in [
        ("host: a b\r\n", "", "200"),
        ("host: a b\r\n", "origin: http://a\r\n", "403"),
        ("host: a\r\nhost: b\r\n", "origin: http://a\r\n", "403"),
        ("host: caf\u{e9}\r\n", "origin: http://cafe\r\n", "403"),
        ("", "origin: http://a\r\n", "403"),
        ("host: a\r\n", "origin: http://a\r\n", "200"),
    ] {
        let request = format!("GET {POLLING} HTTP/1.1\r\n{host}{origin}connection: close\r\n\r\n");
        let answer = server.answer_to(&request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}{answer}");
    }
}

#[tokio::test]
async fn requests_for_no_path_are_refused_even_where_the_root_is_the_endpoint() {
    let root = with_echo(SocketIo::builder().path("/"));
    let server = serve(warp_socketio::filter_with(&root, warp::any().map(|| ()))).await;
    for (target, status) in [
        ("OPTIONS *", 400),
        ("GET http://a.example?EIO=4", 400),
        ("CONNECT a.example:80", 404),
    ] {
        let request = format!("{target} HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n\r\n");
        let answer = server.answer_to(&request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}{answer}");
    }
}
