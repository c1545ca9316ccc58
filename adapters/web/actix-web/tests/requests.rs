//! Requests as few clients send them: other versions of HTTP, odd paths and headers.

#[macro_use]
mod kit;

use actix_socketio::{Ack, Handshake, SocketIo, scope};
use actix_web::{App, middleware::Compress, web};
use http::{Method, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Bytes, client::conn::http2, ext::Protocol};
use hyper_util::rt::{TokioExecutor, TokioIo};
use kit::{HANDSHAKE, Server, all, echo_server, request, sid, with_echo, within};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Sends bytes and reads until the connection ends.
async fn exchange(server: &Server, head: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.0).await.unwrap();
    stream.write_all(head).await.unwrap();
    let mut answer = Vec::new();
    within(stream.read_to_end(&mut answer)).await.unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn http_1_0_can_poll() {
    let io = echo_server();
    let server = serve!(App::new().service(scope(&io)));
    let answer = exchange(&server, format!("GET {HANDSHAKE} HTTP/1.0\r\n\r\n").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.0 200 OK\r\n"), "{answer}");
    let (head, payload) = answer.split_once("\r\n\r\n").unwrap();
    assert!(payload.starts_with("0{"), "{payload}");
    assert!(head.contains(&format!("content-length: {}", payload.len())), "{head}");
}

#[tokio::test]
async fn a_uri_may_be_absolute() {
    let io = echo_server();
    let server = serve!(App::new().service(scope(&io)));
    let head = format!("GET http://somewhere{HANDSHAKE} HTTP/1.1\r\nhost: somewhere\r\nconnection: close\r\n\r\n");
    let answer = exchange(&server, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

#[tokio::test]
async fn targets_without_a_path_are_refused() {
    let io = with_echo(SocketIo::builder().path("/"));
    let server = serve!(App::new().service(scope(&io)));
    for (target, status) in [("CONNECT a:80", "400"), ("OPTIONS *", "404")] {
        let head = format!("{target} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        let answer = exchange(&server, head.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{target}: {answer}");
    }
    server.has_endpoint("/").await;
}

#[tokio::test]
async fn an_encoded_path_is_the_endpoints_as_it_is_for_actix_web() {
    let io = echo_server();
    let server = serve!(App::new().service(scope(&io)));
    server.has_endpoint("/socket%2Eio/").await;
    server.lacks_endpoint("/socket.io%2f").await;
}

#[tokio::test]
async fn a_long_query_is_kept_whole() {
    let io = SocketIo::builder().build();
    io.of("/").on("length", async |handshake: Handshake| {
        Ack(handshake.query_value("long").map(|it| it.len()))
    });
    let server = serve!(App::new().service(scope(&io)));
    let url = format!("/socket.io/?long={}", "x".repeat(50_000));
    assert_eq!(server.polling(&url).await.ask("length").await, 50_000);
    assert_eq!(server.websocket(&url).await.ask("length").await, 50_000);
}

#[tokio::test]
async fn headers_are_kept_byte_for_byte() {
    let io = SocketIo::builder().build();
    io.of("/").on("odd", async |handshake: Handshake| {
        let values = handshake.headers().get_all("x-odd").map(<[u8]>::to_vec);
        Ack(values.collect::<Vec<_>>())
    });
    let server = serve!(App::new().service(scope(&io)));
    let headers: [(&str, &[u8]); 2] = [("x-odd", b"\xff\xe4"), ("x-odd", b"a, b")];
    let mut polling = server.polling_with_bytes("/socket.io/", &headers).await;
    assert_eq!(polling.ask("odd").await, serde_json::json!([b"\xff\xe4", b"a, b"]));
}

#[tokio::test]
async fn a_websocket_request_that_is_malformed_is_refused() {
    let io = echo_server();
    let mounted = io.clone();
    let server = serve!(App::new().service(scope(&mounted)));
    let url = "/socket.io/?EIO=4&transport=websocket";
    for broken in [
        "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n",
        "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 8\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    ] {
        let answer = exchange(
            &server,
            format!("GET {url} HTTP/1.1\r\nhost: a\r\n{broken}\r\n").as_bytes(),
        )
        .await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
    assert_eq!(io.clients_count(), 0);
}

// ---- HTTP/2 without TLS ----

/// Begins an HTTP/2 connection, and a session by it: the server's settings are known then.
async fn http2(server: &Server) -> (http2::SendRequest<Full<Bytes>>, Response<Bytes>) {
    let stream = TcpStream::connect(server.0).await.unwrap();
    let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.unwrap();
    tokio::spawn(connection);
    let url = format!("http://{}/api{HANDSHAKE}", server.0);
    let response = send(&mut sender, request(Method::GET, &url).body(String::new()).unwrap()).await;
    (sender, response.unwrap())
}

async fn send(
    sender: &mut http2::SendRequest<Full<Bytes>>,
    request: Request<String>,
) -> hyper::Result<Response<Bytes>> {
    let response = within(sender.send_request(request.map(Full::from))).await?;
    let (parts, body) = response.into_parts();
    Ok(Response::from_parts(parts, within(body.collect()).await?.to_bytes()))
}

fn server_of_both(io: &SocketIo) -> Server {
    let io = io.clone();
    Server::start(|listener| {
        let app = move || {
            App::new()
                .wrap(Compress::default())
                .service(web::scope("/api").service(scope(&io)))
        };
        let server = actix_web::HttpServer::new(app).workers(1).disable_signals();
        Ok(server.listen_auto_h2c(listener)?.run())
    })
}

#[tokio::test]
async fn polls_come_over_http2() {
    let io = echo_server();
    let server = server_of_both(&io);
    let (mut sender, handshake) = http2(&server).await;
    assert_eq!(
        (handshake.status(), handshake.version()),
        (StatusCode::OK, Version::HTTP_2)
    );
    let length = handshake.body().len().to_string();
    assert_eq!(all(handshake.headers(), "content-length"), [length]);

    let url = format!("http://{}/api{HANDSHAKE}&sid={}", server.0, sid(&handshake));
    let join = request(Method::POST, &url).body("40".to_owned()).unwrap();
    assert_eq!(send(&mut sender, join).await.unwrap().body(), "ok");
    let poll = request(Method::GET, &url).body(String::new()).unwrap();
    assert!(send(&mut sender, poll).await.unwrap().body().starts_with(b"40{"));
}

#[tokio::test]
async fn compressed_answers_over_http2_do_not_tell_the_length_that_they_had() {
    let io = echo_server();
    let server = server_of_both(&io);
    let (mut sender, _) = http2(&server).await;
    let url = format!("http://{}/api{HANDSHAKE}", server.0);
    let handshake = request(Method::GET, &url).header("accept-encoding", "gzip");
    let handshake = send(&mut sender, handshake.body(String::new()).unwrap()).await.unwrap();
    assert_eq!(all(handshake.headers(), "content-encoding"), ["gzip"]);
    assert_eq!(all(handshake.headers(), "content-length"), [""; 0]);
}

#[tokio::test]
async fn a_websocket_does_not_come_over_http2() {
    let io = echo_server();
    let server = server_of_both(&io);
    let (mut sender, _) = http2(&server).await;
    let url = format!("http://{}/api/socket.io/?EIO=4&transport=websocket", server.0);
    let mut connect = request(Method::CONNECT, &url)
        .header("sec-websocket-version", "13")
        .body(String::new())
        .unwrap();
    connect.extensions_mut().insert(Protocol::from_static("websocket"));
    assert!(send(&mut sender, connect).await.is_err());
    server.has_endpoint("/api/socket.io/").await;
}
