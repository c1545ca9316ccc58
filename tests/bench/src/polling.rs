use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

const PATH: &str = "/socket.io/?EIO=4&transport=polling";

/// A client of Socket.IO that polls, and blocks. It posts over a second connection, as a poll takes the first.
#[derive(Debug)]
pub struct PollingClient {
    polls: Http,
    posts: Http,
    path: String,
    id: String,
}

impl PollingClient {
    /// Begins a session, and joins the main namespace.
    ///
    /// # Errors
    /// When the server goes away, or refuses the session.
    ///
    /// # Panics
    /// When it refuses the namespace.
    pub fn connect(server: SocketAddr) -> io::Result<Self> {
        let (mut polls, posts) = (Http::open(server)?, Http::open(server)?);
        polls.get(PATH)?;
        let open = polls.answer()?;
        let id = open.split(r#""sid":""#).nth(1).and_then(|rest| rest.split('"').next());
        let id = id.ok_or_else(|| io::Error::other(open.clone()))?.to_owned();
        let path = format!("{PATH}&sid={id}");
        let mut client = Self { polls, posts, path, id };
        client.post("40")?;
        client.poll()?;
        let joined = client.answer()?;
        assert!(joined.starts_with("40{"), "not let in");
        Ok(client)
    }

    /// The id of its session.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Begins a poll.
    ///
    /// # Errors
    /// When the server goes away.
    pub fn poll(&mut self) -> io::Result<()> {
        self.polls.get(&self.path)
    }

    /// Waits for the poll's answer.
    ///
    /// # Errors
    /// When the server goes away, refuses, or is silent for long.
    pub fn answer(&mut self) -> io::Result<String> {
        self.polls.answer()
    }

    /// Posts packets.
    ///
    /// # Errors
    /// When the server goes away, or refuses.
    pub fn post(&mut self, packets: &str) -> io::Result<()> {
        let (path, length) = (&self.path, packets.len());
        self.posts.send(&format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{packets}"
        ))?;
        self.posts.answer().map(drop)
    }
}

#[derive(Debug)]
struct Http(TcpStream);

impl Http {
    fn open(server: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Self(stream))
    }

    fn get(&mut self, path: &str) -> io::Result<()> {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
    }

    fn send(&mut self, request: &str) -> io::Result<()> {
        self.0.write_all(request.as_bytes())
    }

    fn answer(&mut self) -> io::Result<String> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte)?;
            head.extend(byte);
        }
        let head = String::from_utf8(head).map_err(io::Error::other)?;
        let length = head
            .split("content-length: ")
            .nth(1)
            .and_then(|rest| rest.lines().next());
        let length = length.and_then(|length| length.parse().ok());
        let Some(length) = length.filter(|_| head.starts_with("HTTP/1.1 200 ")) else {
            return Err(io::Error::other(head));
        };
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        String::from_utf8(body).map_err(io::Error::other)
    }
}
