use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use crate::PollingClient;

/// A client of Socket.IO over WebSocket, that blocks.
#[derive(Debug)]
pub struct Client(TcpStream);

impl Client {
    /// Becomes a WebSocket, with these headers, each ended by a line's end, beside those that make it one.
    ///
    /// # Errors
    /// When the server is not there.
    ///
    /// # Panics
    /// When the server refuses.
    pub fn open(server: SocketAddr, headers: &str) -> io::Result<Self> {
        Self::by_path(server, "/socket.io/?EIO=4&transport=websocket", headers)
    }

    /// Becomes a WebSocket that a polling client upgrades to, and takes its session over.
    ///
    /// # Errors
    /// When the server goes away.
    ///
    /// # Panics
    /// When the server refuses.
    pub fn upgrade(server: SocketAddr, polling: &mut PollingClient) -> io::Result<Self> {
        polling.poll()?;
        let path = format!("/socket.io/?EIO=4&transport=websocket&sid={}", polling.id());
        let mut client = Self::by_path(server, &path, "")?;
        client.send(&frame("2probe"))?;
        assert_eq!(client.receive()?, b"3probe");
        assert_eq!(polling.answer()?, "6");
        client.send(&frame("5"))?;
        Ok(client)
    }

    fn by_path(server: SocketAddr, path: &str, headers: &str) -> io::Result<Self> {
        let mut stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {server}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n",
        );
        stream.write_all(request.as_bytes())?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            head.extend(byte);
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "), "refused");
        Ok(Self(stream))
    }

    /// Becomes a WebSocket, and joins the main namespace.
    ///
    /// # Errors
    /// When the server goes away.
    ///
    /// # Panics
    /// When the server refuses.
    pub fn connect(server: SocketAddr, headers: &str) -> io::Result<Self> {
        let mut client = Self::open(server, headers)?;
        client.receive()?;
        client.send(&frame("40"))?;
        assert!(client.receive()?.starts_with(b"40{"), "not let in");
        Ok(client)
    }

    /// Says goodbye, and waits for the server's and the end of the stream.
    ///
    /// # Errors
    /// When the server goes away without.
    ///
    /// # Panics
    /// When it says something else.
    pub fn close(mut self) -> io::Result<()> {
        self.send(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8])?;
        assert_eq!(self.read()?, [0x03, 0xe8]);
        self.0.read_to_end(&mut Vec::new()).map(drop)
    }

    /// Sends frames at once.
    ///
    /// # Errors
    /// When the server goes away.
    pub fn send(&mut self, frames: &[u8]) -> io::Result<()> {
        self.0.write_all(frames)
    }

    /// Waits for a message. Answers pings.
    ///
    /// # Errors
    /// When the server goes away, or is silent for long.
    pub fn receive(&mut self) -> io::Result<Vec<u8>> {
        loop {
            let message = self.read()?;
            if message != b"2" {
                return Ok(message);
            }
            self.send(&frame("3"))?;
        }
    }

    fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut head = [0; 2];
        self.0.read_exact(&mut head)?;
        let mut length = [0; 8];
        let extended = match head[1] {
            126 => 2,
            127 => 8,
            short => {
                length[7] = short;
                0
            }
        };
        self.0.read_exact(&mut length[8 - extended..])?;
        let mut message = vec![0; u64::from_be_bytes(length).try_into().map_err(io::Error::other)?];
        self.0.read_exact(&mut message)?;
        Ok(message)
    }
}

/// A text message as a client sends it, masked with zeros.
pub fn frame(packet: &str) -> Vec<u8> {
    let length = (packet.len() as u64).to_be_bytes();
    let mut frame = vec![0x81];
    match packet.len() {
        0..126 => frame.push(0x80 | length[7]),
        126..0x1_0000 => {
            frame.push(0xfe);
            frame.extend(&length[6..]);
        }
        _ => {
            frame.push(0xff);
            frame.extend(length);
        }
    }
    frame.extend([0; 4]);
    frame.extend(packet.as_bytes());
    frame
}
