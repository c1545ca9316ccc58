//! A client: frames written by hand over TCP, and read back.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use crate::{Fallible, frame};

/// What a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Socket.IO 5 over Engine.IO 4.
    SocketIo,
    /// The same bytes in WebSocket frames, without any packet of Engine.IO or Socket.IO.
    WebSocket,
    /// The same bytes, not even in frames.
    Tcp,
    /// The same requests, with ready-made answers.
    Http,
}

/// What a client is for: the floors have to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Echo,
    Subscribe,
    Publish,
}

/// Where a server listens, and what it speaks.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    pub address: SocketAddr,
    pub dialect: Dialect,
}

#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    dialect: Dialect,
    /// What was read; the first `taken` bytes of it are done with.
    unread: Vec<u8>,
    taken: usize,
    /// Frames to be written.
    unsent: Vec<u8>,
}

/// The room of all subscribers.
pub const ROOM: &str = "everybody";

/// How long a closing handshake may take: the contract's second, and what a machine under load adds.
const CLOSING: Duration = Duration::from_secs(3);

/// Connects from one of several addresses, so that one address's ports are not used up.
///
/// # Errors
/// When the server does not listen.
pub async fn connect(address: SocketAddr) -> Fallible<TcpStream> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let last = 2 + COUNT.fetch_add(1, Relaxed) % 8;
    let source = Ipv4Addr::from_bits(Ipv4Addr::LOCALHOST.to_bits() - 1 + last);
    let open = async {
        let socket = TcpSocket::new_v4()?;
        // No port waits for a minute after its connection has ended.
        socket.set_zero_linger()?;
        socket.bind((source, 0).into())?;
        let stream = socket.connect(address).await?;
        stream.set_nodelay(true)?;
        Ok::<_, std::io::Error>(stream)
    };
    open.await.map_err(|error| format!("cannot connect: {error}"))
}

impl Client {
    /// Connects, and is let in.
    ///
    /// # Errors
    /// When the server answers otherwise than its contract says.
    pub async fn open(target: Target, role: Role) -> Fallible<Self> {
        match (target.dialect, role) {
            (Dialect::SocketIo | Dialect::Http, _) => {
                let mut client = Self::upgrade(target, "/socket.io/?EIO=4&transport=websocket").await?;
                client.expect(|packet| packet.starts_with(b"0{")).await?;
                client.say("40");
                client.expect(|packet| packet.starts_with(b"40{")).await?;
                Ok(client)
            }
            (Dialect::WebSocket, Role::Echo) => Self::upgrade(target, "/echo").await,
            (Dialect::WebSocket, Role::Publish) => Self::upgrade(target, "/publish").await,
            (Dialect::WebSocket, Role::Subscribe) => {
                let mut client = Self::upgrade(target, "/subscribe").await?;
                client.expect(|packet| packet == b"subscribed").await?;
                Ok(client)
            }
            (Dialect::Tcp, role) => {
                let mut client = Self::over(connect(target.address).await?, target.dialect);
                match role {
                    Role::Echo => client.unsent.push(b'e'),
                    Role::Publish => client.unsent.push(b'p'),
                    Role::Subscribe => {
                        client.unsent.push(b's');
                        client.flush().await?;
                        client.fill().await?;
                        client.taken = 1;
                    }
                }
                Ok(client)
            }
        }
    }

    fn over(stream: TcpStream, dialect: Dialect) -> Self {
        let (unread, unsent) = (Vec::with_capacity(512), Vec::new());
        Self {
            stream,
            dialect,
            unread,
            taken: 0,
            unsent,
        }
    }

    /// Becomes a WebSocket.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn upgrade(target: Target, path: &str) -> Fallible<Self> {
        let mut client = Self::over(connect(target.address).await?, target.dialect);
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            target.address,
        );
        client.unsent.extend(request.as_bytes());
        client.flush().await?;
        loop {
            client.fill().await?;
            let end = client.unread.windows(4).position(|four| four == b"\r\n\r\n");
            if let Some(end) = end {
                client.taken = end + 4;
                break;
            }
        }
        if client.unread.starts_with(b"HTTP/1.1 101 ") {
            return Ok(client);
        }
        let head = String::from_utf8_lossy(&client.unread[..client.taken]);
        Err(format!("no WebSocket: {}", head.lines().next().unwrap_or_default()))
    }

    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Joins a room; the floors have none.
    ///
    /// # Errors
    /// When that is not acknowledged.
    pub async fn join(&mut self, room: &str) -> Fallible<()> {
        if self.dialect == Dialect::SocketIo {
            self.say(&format!(r#"420["join","{room}"]"#));
            self.expect(|packet| packet == br#"430["ok"]"#).await?;
        }
        Ok(())
    }

    /// Adds a message to what the next [`flush`](Self::flush) sends.
    pub fn add(&mut self, opcode: u8, message: &[u8]) {
        if self.dialect == Dialect::Tcp {
            frame::bare(&mut self.unsent, opcode, message);
        } else {
            frame::masked(&mut self.unsent, opcode, message);
        }
    }

    fn say(&mut self, packet: &str) {
        self.add(frame::TEXT, packet.as_bytes());
    }

    /// Writes what was added.
    ///
    /// # Errors
    /// When the server is gone.
    pub async fn flush(&mut self) -> Fallible<()> {
        let written = self.stream.write_all(&self.unsent).await;
        self.unsent.clear();
        written.map_err(|error| format!("cannot write: {error}"))
    }

    /// Waits for a message: its opcode and its payload. Answers pings.
    ///
    /// # Errors
    /// When the server closes.
    pub async fn next(&mut self) -> Fallible<(u8, &[u8])> {
        loop {
            let (opcode, begin, end) = self.frame().await?;
            match opcode {
                frame::TEXT if self.unread[begin..end] == *b"2" => {
                    self.say("3");
                    self.flush().await?;
                }
                frame::PING => {
                    let payload = self.unread[begin..end].to_vec();
                    self.add(frame::PONG, &payload);
                    self.flush().await?;
                }
                frame::CLOSE => return Err("the server closed the connection".into()),
                _ => return Ok((opcode, &self.unread[begin..end])),
            }
        }
    }

    /// Whether a message is there already.
    pub fn has_more(&self) -> bool {
        matches!(frame::find(&self.unread[self.taken..]), Ok(Some(_)))
    }

    /// Waits for one packet, which must be as awaited, after sending what was added.
    ///
    /// # Errors
    /// When it is another.
    pub async fn expect(&mut self, awaited: impl Fn(&[u8]) -> bool) -> Fallible<()> {
        self.flush().await?;
        let (_, packet) = self.next().await?;
        if awaited(packet) {
            return Ok(());
        }
        Err(format!("unexpected: {}", String::from_utf8_lossy(packet)))
    }

    /// Closes, with the handshake that WebSockets have for it: nothing may come before the server's goodbye, nor after it.
    ///
    /// # Errors
    /// When something came, or the server does not close soon.
    pub async fn close(mut self) -> Fallible<()> {
        if self.dialect == Dialect::Tcp {
            return if self.taken == self.unread.len() {
                Ok(())
            } else {
                Err("a message too many".into())
            };
        }
        self.add(frame::CLOSE, &1000_u16.to_be_bytes());
        let closing = async {
            self.flush().await?;
            loop {
                match self.frame().await? {
                    (frame::CLOSE, ..) => break,
                    (frame::PING, ..) => {}
                    (frame::TEXT, begin, end) if matches!(&self.unread[begin..end], b"2" | b"41" | b"1") => {}
                    (_, begin, end) => {
                        let message = String::from_utf8_lossy(&self.unread[begin..end.min(begin + 100)]);
                        return Err(format!("a message too many: {message}"));
                    }
                }
            }
            // This half ends, as with Node's `ws`: actix-web waits a second for that before it ends the other.
            // A reset is an end, too.
            let _ = self.stream.shutdown().await;
            match self.stream.read_buf(&mut self.unread).await {
                Ok(0) | Err(_) => Ok(()),
                Ok(_) => Err("something came after the closing handshake".into()),
            }
        };
        timeout(CLOSING, closing)
            .await
            .unwrap_or_else(|_| Err("closing took too long".into()))
    }

    async fn frame(&mut self) -> Fallible<(u8, usize, usize)> {
        loop {
            if let Some(found) = frame::find(&self.unread[self.taken..])? {
                let (begin, end) = (self.taken + found.payload.start, self.taken + found.payload.end);
                self.taken = end;
                return Ok((found.opcode, begin, end));
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Fallible<()> {
        self.unread.drain(..self.taken);
        self.taken = 0;
        match self.stream.read_buf(&mut self.unread).await {
            Ok(0) => Err("the server ended the connection".into()),
            Ok(_) => Ok(()),
            Err(error) => Err(format!("cannot read: {error}")),
        }
    }
}
