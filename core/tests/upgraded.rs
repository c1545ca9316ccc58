//! WebSockets that hyper hands over: of TCP connections, served by either of its ways, and of other streams.

use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, duplex},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tower_socketio::{Data, Service, Socket, SocketIo};

const REQUEST: &str = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n\
    host: example\r\n\
    connection: Upgrade\r\n\
    upgrade: websocket\r\n\
    sec-websocket-version: 13\r\n\
    sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

#[derive(Clone, Copy, Debug)]
enum Serving {
    Http1,
    Auto,
}

async fn serve<IO: AsyncRead + AsyncWrite + Unpin + Send + 'static>(serving: Serving, io: IO, service: Service) {
    let (io, service) = (TokioIo::new(io), TowerToHyperService::new(service));
    match serving {
        Serving::Http1 => http1::Builder::new()
            .serve_connection(io, service)
            .with_upgrades()
            .await
            .unwrap(),
        Serving::Auto => auto::Builder::new(TokioExecutor::new())
            .serve_connection_with_upgrades(io, service)
            .await
            .unwrap(),
    }
}

fn echo() -> SocketIo {
    let io = SocketIo::builder().build();
    io.of("/").on("echo", async |socket: Socket, Data(text): Data<String>| {
        socket.emit("echo", text)
    });
    io
}

/// Text as a client's frame, whose mask changes nothing.
fn frame(packet: &str) -> Vec<u8> {
    let length = u8::try_from(packet.len()).unwrap();
    [&[0x81, 0x80 | length, 0, 0, 0, 0], packet.as_bytes()].concat()
}

/// Sends its first packets with its request, before it can know that it may, and the last byte later.
async fn is_answered_early(mut client: impl AsyncRead + AsyncWrite + Unpin) {
    let early = [REQUEST.as_bytes(), &frame("40"), &frame(r#"42["echo","early"]"#)].concat();
    let (most, last) = early.split_at(early.len() - 1);
    client.write_all(most).await.unwrap();
    let answered = async {
        until(&mut client, r#"40{"sid":"#).await;
        client.write_all(last).await.unwrap();
        until(&mut client, r#"42["echo","early"]"#).await;
    };
    timeout(Duration::from_secs(10), answered).await.unwrap();
}

async fn until(client: &mut (impl AsyncRead + Unpin), text: &str) {
    let mut read = Vec::new();
    while !String::from_utf8_lossy(&read).contains(text) {
        assert_ne!(client.read_buf(&mut read).await.unwrap(), 0, "{read:?}");
    }
}

#[tokio::test]
async fn what_came_with_the_request_is_read_and_tcp_does_not_delay() {
    for serving in [Serving::Http1, Serving::Auto] {
        let io = echo();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let accepted = listener.accept().await.unwrap().0.into_std().unwrap();
        let same = accepted.try_clone().unwrap();
        assert!(!same.nodelay().unwrap());
        tokio::spawn(serve(serving, TcpStream::from_std(accepted).unwrap(), io.service()));
        is_answered_early(client).await;
        assert!(same.nodelay().unwrap(), "{serving:?}");
    }
}

#[tokio::test]
async fn streams_that_are_not_tcp_are_served_as_well() {
    for serving in [Serving::Http1, Serving::Auto] {
        let io = echo();
        let (client, server) = duplex(1024);
        tokio::spawn(serve(serving, server, io.service()));
        is_answered_early(client).await;
    }
}
