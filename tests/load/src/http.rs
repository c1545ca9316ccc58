//! Requests of a polling client over a connection that is kept.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{Fallible, client};

/// Between packets of one body.
const SEPARATOR: u8 = 0x1e;

#[derive(Debug)]
pub struct Http {
    stream: TcpStream,
    host: SocketAddr,
    unread: Vec<u8>,
}

impl Http {
    /// # Errors
    /// When the server does not listen.
    pub async fn open(host: SocketAddr) -> Fallible<Self> {
        let stream = client::connect(host).await?;
        Ok(Self {
            stream,
            host,
            unread: Vec::with_capacity(1024),
        })
    }

    /// Sends a GET.
    ///
    /// # Errors
    /// When the server is gone.
    pub async fn get(&mut self, path: &str) -> Fallible<()> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nAccept: */*\r\n\r\n", self.host);
        self.write(&request).await
    }

    /// Sends a POST.
    ///
    /// # Errors
    /// When the server is gone.
    pub async fn post(&mut self, path: &str, body: &str) -> Fallible<()> {
        let (host, length) = (self.host, body.len());
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\nContent-Type: text/plain;charset=UTF-8\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        self.write(&request).await
    }

    async fn write(&mut self, request: &str) -> Fallible<()> {
        let written = self.stream.write_all(request.as_bytes()).await;
        written.map_err(|error| format!("cannot write: {error}"))
    }

    /// Waits for the packets that a poll brings, and polls again if these are pings only: socketioxide sends one at once.
    /// They are answered, as clients do.
    ///
    /// # Errors
    /// When a status is not 200, or a poll brings nothing at all.
    pub async fn packets(&mut self, poll: &str) -> Fallible<Vec<u8>> {
        loop {
            let body = self.body().await?;
            if body.is_empty() {
                return Err("a poll brought nothing".into());
            }
            let all = body.split(|byte| *byte == SEPARATOR);
            let (pings, packets): (Vec<_>, Vec<_>) = all.partition(|packet| *packet == b"2");
            if pings.is_empty() {
                return Ok(body);
            }
            self.post(poll, "3").await?;
            self.body().await?;
            if !packets.is_empty() {
                return Ok(packets.join(&SEPARATOR));
            }
            self.get(poll).await?;
        }
    }

    /// Waits for the answer's body.
    ///
    /// # Errors
    /// When its status is not 200.
    pub async fn body(&mut self) -> Fallible<Vec<u8>> {
        loop {
            if let Some((body, end)) = answer(&self.unread)? {
                self.unread.drain(..end);
                return Ok(body);
            }
            match self.stream.read_buf(&mut self.unread).await {
                Ok(0) => return Err("the server ended the connection".into()),
                Ok(_) => {}
                Err(error) => return Err(format!("cannot read: {error}")),
            }
        }
    }
}

/// The body of a whole answer at the beginning of these bytes, and where the answer ends.
fn answer(bytes: &[u8]) -> Fallible<Option<(Vec<u8>, usize)>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&bytes[..end]).map_err(|_| "the head of an answer is no text")?;
    let rest = &bytes[end + 4..];
    if !head.starts_with("HTTP/1.1 200 ") {
        return Err(format!(
            "{}: {}",
            head.lines().next().unwrap_or_default(),
            String::from_utf8_lossy(rest)
        ));
    }
    let header = |wanted: &str| {
        let mut headers = head.lines().filter_map(|line| line.split_once(':'));
        headers.find_map(|(name, value)| name.eq_ignore_ascii_case(wanted).then_some(value.trim()))
    };
    if header("transfer-encoding") == Some("chunked") {
        return Ok(chunks(rest)?.map(|(body, length)| (body, end + 4 + length)));
    }
    let length: usize = header("content-length")
        .and_then(|length| length.parse().ok())
        .ok_or("an answer has no length")?;
    Ok(rest.get(..length).map(|body| (body.to_vec(), end + 4 + length)))
}

/// The body that comes in chunks, and how many bytes these are, once all of them are there.
fn chunks(bytes: &[u8]) -> Fallible<Option<(Vec<u8>, usize)>> {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let Some(line) = bytes[at..].windows(2).position(|two| two == b"\r\n") else {
            return Ok(None);
        };
        let size = std::str::from_utf8(&bytes[at..at + line]).ok();
        let size = size
            .and_then(|size| usize::from_str_radix(size, 16).ok())
            .ok_or("a chunk has no size")?;
        at += line + 2;
        let Some(chunk) = bytes.get(at..at + size + 2) else {
            return Ok(None);
        };
        body.extend(&chunk[..size]);
        at += size + 2;
        if size == 0 {
            return Ok(Some((body, at)));
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    const PLAIN: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n";
    const CHUNKED: &[u8] =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\nHTTP/1.1";

    #[test]
    fn an_answer_ends_where_its_length_or_last_chunk_says() {
        assert_eq!(answer(PLAIN), Ok(Some((b"ok".to_vec(), 40))));
        assert_eq!(answer(CHUNKED), Ok(Some((b"ok".to_vec(), CHUNKED.len() - 8))));
    }

    #[test]
    fn an_incomplete_answer_is_waited_for() {
        for length in 0..40 {
            assert_eq!(answer(&PLAIN[..length]), Ok(None));
        }
        for length in 0..CHUNKED.len() - 8 {
            assert_eq!(answer(&CHUNKED[..length]), Ok(None));
        }
    }

    /// What a poll yields when a server answers one request after the other with these bodies, and what it was asked.
    async fn polled(bodies: &'static [&'static str]) -> (Fallible<Vec<u8>>, Vec<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut http = Http::open(listener.local_addr().unwrap()).await.unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        let server = async {
            let mut asked = Vec::new();
            for body in bodies {
                let mut bytes = [0; 1024];
                let length = stream.read(&mut bytes).await.unwrap();
                let request = std::str::from_utf8(&bytes[..length]).unwrap();
                let (head, posted) = request.split_once("\r\n\r\n").unwrap();
                asked.push(format!("{} {posted}", head.split(' ').next().unwrap()));
                let length = body.len();
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            asked
        };
        let client = async {
            http.get("/").await?;
            http.packets("/").await
        };
        tokio::join!(client, server)
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(future)
    }

    #[test]
    fn a_poll_that_brings_a_ping_only_is_followed_by_another() {
        let (packets, asked) = run(polled(&["2", "ok", "4a\x1e4b"]));
        assert_eq!(packets, Ok(b"4a\x1e4b".to_vec()));
        assert_eq!(asked, ["GET ", "POST 3", "GET "]);
    }

    #[test]
    fn a_ping_beside_other_packets_is_answered_and_left_out() {
        let (packets, asked) = run(polled(&["2\x1e4a", "ok"]));
        assert_eq!(packets, Ok(b"4a".to_vec()));
        assert_eq!(asked, ["GET ", "POST 3"]);
    }

    #[test]
    fn a_poll_that_brings_nothing_is_an_error() {
        assert_eq!(run(polled(&[""])).0, Err("a poll brought nothing".into()));
    }

    #[test]
    fn a_refusal_is_an_error_that_says_why() {
        let refused = answer(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nwhy");
        assert_eq!(refused, Err("HTTP/1.1 400 Bad Request: why".into()));
    }
}
