//! Clients and server in one process, without sockets: what more cores give the server itself.
//!
//! `load-in-memory CLIENTS ECHOES` has every client send so many messages, each when the last one has come back, and
//! prints how many nanoseconds all of them took. `TOKIO_WORKER_THREADS` says on how many threads.

use std::{env, sync::Arc, time::Instant};

use http::Request;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream},
    sync::Barrier,
    task::JoinSet,
};
use tower_socketio::{RawArgs, Socket, SocketIo};

const MASK: [u8; 4] = [0x5a, 0x01, 0xff, 0x80];

#[tokio::main]
async fn main() {
    let mut numbers = env::args().skip(1).map(|number| number.parse().expect("a number"));
    let (clients, echoes) = (numbers.next().unwrap_or(100), numbers.next().unwrap_or(1000));
    let io = SocketIo::builder().build();
    io.of("/")
        .on("echo", async |socket: Socket, args: RawArgs| socket.emit("echo", args));

    let connected = Arc::new(Barrier::new(clients + 1));
    let mut tasks = JoinSet::new();
    for _ in 0..clients {
        let stream = connect(&io).await;
        tasks.spawn(echo(stream, echoes, connected.clone()));
    }
    connected.wait().await;
    let begin = Instant::now();
    while let Some(done) = tasks.join_next().await {
        done.expect("every message comes back");
    }
    println!("{}", begin.elapsed().as_nanos());
}

async fn connect(io: &SocketIo) -> DuplexStream {
    let request = Request::get("/socket.io/?EIO=4&transport=websocket")
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .body(())
        .expect("it is a request");
    let accepted = io.service().accept_websocket(request.into_parts().0).await;
    let (_, ticket) = accepted.expect("it is a WebSocket");
    let (client, server) = tokio::io::duplex(4096);
    tokio::spawn(ticket.drive(server));
    client
}

async fn echo(mut stream: DuplexStream, echoes: usize, connected: Arc<Barrier>) {
    receive(&mut stream).await;
    stream.write_all(&frame("40")).await.expect("it is connected");
    receive(&mut stream).await;
    connected.wait().await;
    for number in 0..echoes {
        let packet = format!(r#"42["echo","{number:064}"]"#);
        stream.write_all(&frame(&packet)).await.expect("it is connected");
        assert_eq!(receive(&mut stream).await, packet.as_bytes());
    }
}

fn frame(packet: &str) -> Vec<u8> {
    let length = u8::try_from(packet.len()).expect("it is short");
    let mut frame = vec![0x81, 0x80 | length];
    frame.extend(MASK);
    frame.extend(
        packet
            .bytes()
            .zip(MASK.into_iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    frame
}

async fn receive(stream: &mut DuplexStream) -> Vec<u8> {
    let mut head = [0; 2];
    stream.read_exact(&mut head).await.expect("it is connected");
    let length = match head[1] {
        126 => usize::from(stream.read_u16().await.expect("it is connected")),
        short => usize::from(short),
    };
    let mut message = vec![0; length];
    stream.read_exact(&mut message).await.expect("it is connected");
    message
}
