//! What handlers know of the request.

use kit::serve;
use warp_socketio::{Ack, Handshake, SocketIo};

mod kit;

#[tokio::test]
async fn its_headers_cookies_query_and_peer_are_known() {
    let io = SocketIo::builder().build();
    io.of("/").on("who", async |request: Handshake| {
        let language = request.headers().get("accept-language").map(str::to_owned);
        let user = request.headers().cookie("user").map(str::to_owned);
        let room = request.query_value("room").map(String::from);
        Ack((language, user, room, request.peer_addr()))
    });
    let server = serve(warp_socketio::filter(&io)).await;
    let headers = [("accept-language", "eo"), ("cookie", "theme=dark; user=ada")];
    let mut websocket = server.websocket_with("/socket.io/?room=a%20b", &headers).await;
    websocket.say(r#"420["who"]"#).await;
    let peer = websocket.inner.get_ref().local_addr().unwrap();
    assert_eq!(websocket.hear().await, format!(r#"430[["eo","ada","a b","{peer}"]]"#));

    let mut polling = server.polling_with("/socket.io/?room=a%20b", &headers).await;
    polling.say(r#"420["who"]"#).await;
    let answer = polling.hear().await;
    let known = r#"430[["eo","ada","a b","127.0.0.1:"#;
    assert!(answer.starts_with(known), "{answer}");
}

#[tokio::test]
async fn values_that_are_no_text_are_known_as_bytes() {
    let io = SocketIo::builder().build();
    io.of("/").on("name", async |request: Handshake| {
        Ack(request.headers().get_bytes("x-name").map(<[u8]>::to_vec))
    });
    let server = serve(warp_socketio::filter(&io)).await;
    let mut client = server.websocket_with("/socket.io/", &[("x-name", "café")]).await;
    client.say(r#"420["name"]"#).await;
    assert_eq!(client.hear().await, "430[[99,97,102,195,169]]");
}
