//! Long-polling, WebSocket, and the way from the one to the other.

use hyper::{
    StatusCode,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
};
use kit::{HANDSHAKE, echo_server, serve, telling_of_leaves, telling_of_polls, within};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use warp::Filter as _;

mod kit;

#[tokio::test]
async fn a_held_poll_is_answered_by_what_is_emitted() {
    let io = echo_server();
    let (filter, mut polls) = telling_of_polls(&io);
    let client = serve(filter).await.polling("/socket.io/").await;
    let poll = client.poll_on(&mut polls).await;
    io.emit("news", "it rains").unwrap();
    assert_eq!(within(poll).await.unwrap().body(), r#"42["news","it rains"]"#);
}

#[tokio::test]
async fn answers_to_polling_have_a_length_and_are_not_chunked() {
    let io = echo_server();
    let server = serve(warp_socketio::filter(&io)).await;
    let client = server.polling("/socket.io/").await;
    io.emit("news", "it rains").unwrap();
    for answer in [
        server.get(HANDSHAKE).await,
        server.get(&client.url).await,
        server.post(&client.url, &[], "3").await,
        server.get("/socket.io/").await,
    ] {
        assert_eq!(answer.headers()[CONTENT_LENGTH], answer.body().len().to_string());
        assert!(!answer.body().is_empty());
        assert!(!answer.headers().contains_key(TRANSFER_ENCODING));
    }
}

#[tokio::test]
async fn a_polling_client_upgrades_to_websocket() {
    let io = echo_server();
    let server = serve(warp::path("api").and(warp_socketio::filter(&io))).await;
    let mut polling = server.polling("/api/socket.io/").await;
    let (mut websocket, _) = server.raw_websocket(&polling.upgrade_url(), &[]).await.unwrap();
    websocket.say("2probe").await;
    assert_eq!(websocket.hear().await, "3probe");
    // The poll that is open meanwhile is let go.
    assert_eq!(polling.hear().await, "6");
    websocket.say("5").await;
    websocket.say(r#"420["echo","upgraded"]"#).await;
    assert_eq!(websocket.hear().await, r#"430["upgraded"]"#);
    assert_eq!(io.clients_count(), 1);
}

/// A WebSocket's request.
const UPGRADE: &str = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\n\
    upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// A masked text frame, with a mask of zeros.
fn frame(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).unwrap();
    assert!(length < 126);
    [&[0x81, 0x80 | length, 0, 0, 0, 0], text.as_bytes()].concat()
}

#[tokio::test]
async fn frames_in_the_packet_of_the_upgrade_are_not_lost() {
    let server = serve(warp_socketio::filter(&echo_server())).await;
    let mut stream = server.connect().await;
    let mut packet = UPGRADE.as_bytes().to_vec();
    packet.extend(frame("40"));
    packet.extend(frame(r#"420["echo","early"]"#));
    stream.write_all(&packet).await.unwrap();
    let mut heard = Vec::new();
    let echo = br#"430["early"]"#;
    while !heard.ends_with(echo) {
        let read = within(stream.read_buf(&mut heard)).await.unwrap();
        assert_ne!(read, 0, "{}", heard.escape_ascii());
    }
    assert!(heard.starts_with(b"HTTP/1.1 101 "));
}

#[tokio::test]
async fn a_connection_reset_in_the_middle_of_a_message_ends_its_client_once() {
    let (io, mut leaves) = telling_of_leaves();
    let server = serve(warp_socketio::filter(&io)).await;
    let mut client = server.websocket("/socket.io/").await;
    let stream = client.inner.get_mut();
    let mut packet = frame(r#"420["echo","whole"]"#);
    packet.extend(&frame(r#"420["echo","never whole"]"#)[..10]);
    stream.write_all(&packet).await.unwrap();
    // What came in the same packet has been read too.
    assert_eq!(client.hear().await, r#"430["whole"]"#);
    client.inner.get_ref().set_zero_linger().unwrap();
    drop(client);
    assert_eq!(within(leaves.recv()).await.unwrap(), "transport close");
    within(io.close()).await;
    assert_eq!(leaves.try_recv().ok(), None);
}

#[tokio::test]
async fn requests_without_a_query_are_told_what_they_lack() {
    let server = serve(warp_socketio::filter(&echo_server())).await;
    for path in ["/socket.io", "/socket.io/", "/socket.io/?"] {
        let answer = server.get(path).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
        assert_eq!(answer.body(), r#"{"code":0,"message":"Transport unknown"}"#);
    }
}
