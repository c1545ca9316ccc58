//! Clients over QUIC against a server: who is let in, and how sessions end.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};
use tower_socketio::{DisconnectReason, Handshake, SocketIo, SocketIoBuilder, Transport};
use web_transport_quinn::{ClientBuilder, ClientError, RecvStream, SendStream, Session};
use webtransport_socketio::{Certificate, Listener, serve};

const SOON: Duration = Duration::from_secs(20);

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let output = timeout(SOON, future).await;
    output.unwrap_or_else(|_| panic!("{what} never came"))
}

struct Server {
    io: SocketIo,
    address: SocketAddr,
    listener: Listener,
    certificate: Certificate,
    left: mpsc::UnboundedReceiver<String>,
}

fn server(builder: SocketIoBuilder) -> Server {
    let io = builder
        .transports([Transport::Polling, Transport::WebTransport])
        .build();
    let (leave, left) = mpsc::unbounded_channel();
    io.of("/").on_disconnect(move |why: DisconnectReason| {
        let _ = leave.send(why.to_string());
        std::future::ready(())
    });
    let certificate = Certificate::self_signed(["127.0.0.1"]).expect("a certificate");
    let listener = Listener::bind(([127, 0, 0, 1], 0).into(), &certificate).expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(serve(&io, listener.clone()));
    Server {
        io,
        address,
        listener,
        certificate,
        left,
    }
}

impl Server {
    async fn ask(&self, path: &str, certificate: &Certificate) -> Result<Session, ClientError> {
        let client = ClientBuilder::new()
            .with_server_certificate_hashes(vec![certificate.sha256().to_vec()])
            .expect("a client");
        let url: url::Url = format!("https://{}{path}", self.address).parse().expect("a URL");
        soon("an answer", client.connect(url)).await
    }

    async fn session(&self) -> Session {
        self.ask("/socket.io/", &self.certificate).await.expect("a session")
    }

    /// A client that has joined the main namespace.
    async fn join(&self) -> Client {
        let session = self.session().await;
        let (send, recv) = session.open_bi().await.expect("a stream");
        let mut client = Client { session, send, recv };
        client.send("0").await;
        assert!(client.text().await.starts_with("0{"));
        client.send("40").await;
        assert!(client.text().await.starts_with("40{"));
        client
    }

    async fn left(&mut self) -> String {
        soon("the end of a client", self.left.recv()).await.expect("a server")
    }
}

struct Client {
    session: Session,
    send: SendStream,
    recv: RecvStream,
}

impl Client {
    async fn send(&mut self, packet: &str) {
        let length = u8::try_from(packet.len()).expect("a short packet");
        let message = [&[length], packet.as_bytes()].concat();
        self.send.write_all(&message).await.expect("a stream");
    }

    async fn text(&mut self) -> String {
        let text = async {
            let mut length = [0];
            self.recv.read_exact(&mut length).await.expect("a message");
            let mut message = vec![0; length[0].into()];
            self.recv.read_exact(&mut message).await.expect("a message");
            String::from_utf8(message).expect("text")
        };
        soon("a message", text).await
    }
}

/// Its session has been closed by the server in the manner of WebTransport, not only its connection lost.
async fn assert_closed(session: &Session) {
    let why = soon("the end of the session", session.closed()).await;
    assert!(why.to_string().contains("closed"), "{why}");
    assert!(format!("{why:?}").contains("WebTransportError(Closed(0"), "{why:?}");
}

#[tokio::test]
async fn a_client_is_let_in_and_known_by_its_address() {
    let server = server(SocketIo::builder());
    let (told, mut peers) = mpsc::unbounded_channel();
    server.io.of("/").on_connect(move |handshake: Handshake| {
        let _ = told.send(handshake.peer_addr());
        std::future::ready(())
    });
    let _client = server.join().await;
    let peer = soon("a peer", peers.recv()).await.flatten().expect("an address");
    assert_eq!(peer.ip(), server.address.ip());
    assert_ne!(peer.port(), server.address.port());
    assert_eq!(server.io.clients_count(), 1);
}

#[tokio::test]
async fn sessions_at_other_paths_are_refused_with_status_404() {
    let server = server(SocketIo::builder());
    let refusal = server.ask("/other", &server.certificate).await.map(drop).unwrap_err();
    assert!(format!("{refusal:?}").contains("404"), "{refusal:?}");
}

#[tokio::test]
async fn a_session_without_a_stream_or_a_packet_is_closed_in_time() {
    let server = server(SocketIo::builder().upgrade_timeout(Duration::from_millis(300)));
    let start = Instant::now();
    let session = server.session().await;
    assert_closed(&session).await;
    assert!(start.elapsed() >= Duration::from_millis(300));

    let session = server.session().await;
    let _stream = session.open_bi().await.expect("a stream");
    assert_closed(&session).await;
    assert_eq!(server.io.clients_count(), 0);
}

#[tokio::test]
async fn what_was_emitted_is_delivered_before_the_server_closes_the_session() {
    let mut server = server(SocketIo::builder());
    let mut client = server.join().await;
    for n in 0..100 {
        server.io.emit("n", n).expect("json");
    }
    let io = server.io.clone();
    let closing = tokio::spawn(async move { io.close().await });
    for n in 0..100 {
        assert_eq!(client.text().await, format!(r#"42["n",{n}]"#));
    }
    assert_closed(&client.session).await;
    soon("the end", closing).await.expect("no panic");
    assert_eq!(server.left().await, "server shutting down");
    let refused = server.ask("/socket.io/", &server.certificate).await;
    assert!(refused.is_err(), "a closed server lets nobody in");
}

#[tokio::test]
async fn a_client_that_closes_its_session_or_its_stream_is_gone_at_once() {
    let mut server = server(SocketIo::builder());
    let client = server.join().await;
    client.session.close(0, b"");
    assert_eq!(server.left().await, "transport close");

    let mut client = server.join().await;
    client.send.finish().expect("a stream");
    assert_eq!(server.left().await, "transport close");
    assert_closed(&client.session).await;
}

#[tokio::test]
async fn a_client_that_never_reads_is_cut_off_when_its_outbox_is_full_and_others_are_not() {
    let mut server = server(SocketIo::builder().max_outbox_bytes(100_000));
    let slow = server.join().await;
    let mut other = server.join().await;
    let (most, read) = (200, Arc::new(AtomicUsize::new(0)));
    let counter = read.clone();
    let reading = tokio::spawn(async move {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(Some(length)) = other.recv.read(&mut buffer).await {
            counter.fetch_add(length, Ordering::SeqCst);
        }
    });
    let mut sent = 0;
    let left = loop {
        server.io.emit("n", "x".repeat(50_000)).expect("json");
        sent += 1;
        // The other one reads all, the slow one nothing.
        let all = async {
            while read.load(Ordering::SeqCst) < sent * 50_000 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        soon("what was sent", all).await;
        if let Ok(left) = server.left.try_recv() {
            break left;
        }
        assert!(sent < most, "{sent} messages wait for a client that reads nothing");
    };
    assert_eq!(left, "transport error");
    // What QUIC holds on both sides, and the outbox.
    assert!(sent * 50_000 < 3_000_000, "{sent} messages");
    assert_eq!(server.io.clients_count(), 1);
    drop((slow, reading));
}

#[tokio::test]
async fn streams_beyond_the_first_are_not_looked_at() {
    let server = server(SocketIo::builder());
    let mut client = server.join().await;
    let (mut second, _recv) = client.session.open_bi().await.expect("a stream");
    second.write_all(b"\x010").await.expect("a stream");
    client.session.send_datagram(vec![1, 2, 3].into()).expect("a datagram");
    server.io.emit("still", "here").expect("json");
    assert_eq!(client.text().await, r#"42["still","here"]"#);
    assert_eq!(server.io.clients_count(), 1);
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_to_who_comes_next() {
    let server = server(SocketIo::builder());
    let mut before = server.join().await;
    let renewed = Certificate::self_signed(["127.0.0.1"]).expect("a certificate");
    assert_ne!(renewed.sha256(), server.certificate.sha256());
    server.listener.set_certificate(&renewed);
    assert!(server.ask("/socket.io/", &server.certificate).await.is_err());
    assert!(server.ask("/socket.io/", &renewed).await.is_ok());
    server.io.emit("still", "here").expect("json");
    assert_eq!(before.text().await, r#"42["still","here"]"#);
}

#[tokio::test]
async fn many_clients_come_and_go() {
    let mut server = server(SocketIo::builder());
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(server.join().await);
    }
    assert_eq!(server.io.clients_count(), 20);
    drop(clients);
    for _ in 0..20 {
        assert_eq!(server.left().await, "transport close");
    }
    assert_eq!(server.io.clients_count(), 0);
}
