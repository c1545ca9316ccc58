//! The clients of a [`Server`].

use std::net::SocketAddr;

use futures_util::{SinkExt as _, StreamExt as _};
use http::{
    HeaderMap, Method, Request, Response, StatusCode,
    header::{HOST, ORIGIN},
    request::Builder,
};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Bytes, client::conn};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{
    net::{TcpSocket, TcpStream},
    task::JoinHandle,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, client::IntoClientRequest as _},
};

use super::{Server, within};

pub(crate) fn request(method: Method, url: &str) -> Builder {
    Request::builder().method(method).uri(url)
}

pub(crate) fn all<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    let values = headers.get_all(name).iter();
    values.map(|value| value.to_str().unwrap()).collect()
}

pub(crate) fn text(response: Response<Bytes>) -> String {
    String::from_utf8(response.into_body().into()).unwrap()
}

/// Where a server listens; connects clients to it, and sends requests, each by a connection of its
/// own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Client(pub(crate) SocketAddr);

impl Client {
    pub(crate) async fn send(self, mut request: Request<String>) -> Response<Bytes> {
        let host = self.0.to_string().parse().unwrap();
        request.headers_mut().entry(HOST).or_insert(host);
        let stream = TcpStream::connect(self.0).await.unwrap();
        let (mut sender, connection) = conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let response = within(sender.send_request(request.map(Full::<Bytes>::from))).await;
        let (parts, body) = response.unwrap().into_parts();
        Response::from_parts(parts, within(body.collect()).await.unwrap().to_bytes())
    }

    pub(crate) async fn get(self, url: &str) -> Response<Bytes> {
        self.send(request(Method::GET, url).body(String::new()).unwrap()).await
    }

    pub(crate) async fn text(&self, url: &str) -> String {
        text(self.get(url).await)
    }

    pub(crate) async fn get_from(&self, origin: &str, url: &str) -> Response<Bytes> {
        let request = request(Method::GET, url).header(ORIGIN, origin);
        self.send(request.body(String::new()).unwrap()).await
    }

    /// Both transports work there, and a poll is held until there is something to say.
    pub(crate) async fn has_endpoint(&self, path: &str) {
        let mut websocket = self.websocket(path).await;
        assert_eq!(websocket.echo("a websocket's").await, "a websocket's");
        let mut polling = self.polling(path).await;
        assert_eq!(polling.echo("a poll's").await, "a poll's");
    }

    pub(crate) async fn lacks_endpoint(&self, path: &str) {
        let handshake = self.get(&format!("{path}?EIO=4&transport=polling")).await;
        assert_eq!(handshake.status(), StatusCode::NOT_FOUND, "{path}");
        let refused = self.try_websocket(path, &[]).await;
        assert_eq!(refused.unwrap_err(), StatusCode::NOT_FOUND, "{path}");
    }

    /// A client in the namespace `/`.
    pub(crate) async fn polling(&self, path: &str) -> Polling {
        self.polling_with(path, &[]).await
    }

    pub(crate) async fn polling_with(&self, path: &str, headers: &[(&str, &str)]) -> Polling {
        let headers = headers.iter().map(|(name, value)| (*name, value.as_bytes()));
        self.polling_with_bytes(path, &headers.collect::<Vec<_>>()).await
    }

    pub(crate) async fn polling_with_bytes(&self, path: &str, headers: &[(&str, &[u8])]) -> Polling {
        let mark = if path.contains('?') { '&' } else { '?' };
        let url = format!("{path}{mark}EIO=4&transport=polling");
        let mut handshake = request(Method::GET, &url);
        for (name, value) in headers {
            handshake = handshake.header(*name, *value);
        }
        let handshake = self.send(handshake.body(String::new()).unwrap()).await;
        assert_eq!(handshake.status(), StatusCode::OK, "{handshake:?}");
        let mut polling = Polling {
            client: *self,
            url: format!("{url}&sid={}", sid(&handshake)),
            handshake: handshake.headers().clone(),
        };
        polling.say("40").await;
        let joined = polling.hear().await;
        assert!(joined.starts_with("40{"), "{joined}");
        polling
    }

    /// A client in the namespace `/`.
    pub(crate) async fn websocket(&self, path: &str) -> WebSocket {
        self.websocket_with(path, &[]).await
    }

    pub(crate) async fn websocket_with(&self, path: &str, headers: &[(&str, &str)]) -> WebSocket {
        let mut client = self.try_websocket(path, headers).await.unwrap();
        assert!(client.hear().await.starts_with("0{"));
        client.join().await;
        client
    }

    pub(crate) async fn try_websocket(&self, path: &str, headers: &[(&str, &str)]) -> Result<WebSocket, StatusCode> {
        let mark = if path.contains('?') { '&' } else { '?' };
        let url = format!("{path}{mark}EIO=4&transport=websocket");
        self.raw_websocket(&url, headers).await
    }

    pub(crate) async fn raw_websocket(&self, url: &str, headers: &[(&str, &str)]) -> Result<WebSocket, StatusCode> {
        let stream = TcpStream::connect(self.0).await.unwrap();
        self.websocket_over(stream, url, headers).await
    }

    /// A client in the namespace `/` whose system takes little that it does not read.
    pub(crate) async fn websocket_of_little_room(&self) -> WebSocket {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let stream = within(socket.connect(self.0)).await.unwrap();
        let url = "/socket.io/?EIO=4&transport=websocket";
        let mut client = self.websocket_over(stream, url, &[]).await.unwrap();
        assert!(client.hear().await.starts_with("0{"));
        client.join().await;
        client
    }

    async fn websocket_over(
        &self,
        stream: TcpStream,
        url: &str,
        headers: &[(&str, &str)],
    ) -> Result<WebSocket, StatusCode> {
        let mut request = format!("ws://{}{url}", self.0).into_client_request().unwrap();
        for (name, value) in headers {
            let name: http::HeaderName = name.parse().unwrap();
            request.headers_mut().append(name, value.parse().unwrap());
        }
        match within(client_async(request, stream)).await {
            Ok((inner, response)) => Ok(WebSocket {
                inner,
                handshake: response.headers().clone(),
            }),
            Err(Error::Http(response)) => Err(response.status()),
            Err(error) => panic!("{error}"),
        }
    }
}

/// A polling client.
#[derive(Debug)]
pub(crate) struct Polling {
    client: Client,
    pub(crate) url: String,
    /// The headers of the answer to its handshake.
    pub(crate) handshake: HeaderMap,
}

impl Polling {
    /// Posts a packet.
    pub(crate) async fn say(&mut self, packet: &str) {
        let response = self.post(packet.to_owned()).await;
        assert_eq!((response.status(), &response.body()[..]), (StatusCode::OK, &b"ok"[..]));
    }

    pub(crate) async fn post(&self, payload: String) -> Response<Bytes> {
        self.client
            .send(request(Method::POST, &self.url).body(payload).unwrap())
            .await
    }

    /// Polls once.
    pub(crate) async fn hear(&mut self) -> String {
        let response = self.client.get(&self.url).await;
        assert_eq!(response.status(), StatusCode::OK);
        text(response)
    }

    pub(crate) async fn echo(&mut self, words: &str) -> String {
        self.say(&format!(r#"420["echo","{words}"]"#)).await;
        echoed(&self.hear().await)
    }

    /// What a handler's ack says.
    pub(crate) async fn ask(&mut self, event: &str) -> Value {
        self.say(&format!(r#"420["{event}"]"#)).await;
        answer(&self.hear().await)
    }

    /// Polls, in a task of its own.
    pub(crate) fn poll(&self) -> JoinHandle<Response<Bytes>> {
        let (client, url) = (self.client, self.url.clone());
        tokio::spawn(async move { client.get(&url).await })
    }

    /// The same client, whose next requests another server gets.
    pub(crate) fn at(mut self, server: &Server) -> Self {
        self.client = **server;
        self
    }

    /// Where a WebSocket takes it over.
    pub(crate) fn upgrade_url(&self) -> String {
        self.url.replace("transport=polling", "transport=websocket")
    }
}

/// A WebSocket client.
#[derive(Debug)]
pub(crate) struct WebSocket {
    pub(crate) inner: WebSocketStream<TcpStream>,
    /// The headers of the answer to its handshake.
    pub(crate) handshake: HeaderMap,
}

impl WebSocket {
    pub(crate) async fn say(&mut self, packet: &str) {
        within(self.inner.send(Message::text(packet))).await.unwrap();
    }

    /// The next packet that is no heartbeat: those are answered.
    pub(crate) async fn hear(&mut self) -> String {
        loop {
            match within(self.inner.next()).await {
                Some(Ok(Message::Text(text))) if text.as_str() == "2" => self.say("3").await,
                Some(Ok(Message::Text(text))) => return text.as_str().to_owned(),
                other => panic!("{other:?} instead of text"),
            }
        }
    }

    pub(crate) async fn echo(&mut self, words: &str) -> String {
        self.say(&format!(r#"420["echo","{words}"]"#)).await;
        echoed(&self.hear().await)
    }

    /// What a handler's ack says.
    pub(crate) async fn ask(&mut self, event: &str) -> Value {
        self.say(&format!(r#"420["{event}"]"#)).await;
        answer(&self.hear().await)
    }

    /// Joins the namespace `/`.
    pub(crate) async fn join(&mut self) {
        self.say("40").await;
        let joined = self.hear().await;
        assert!(joined.starts_with("40{"), "{joined}");
    }

    /// Takes a polling client over.
    pub(crate) async fn take_over(&mut self, polling: &mut Polling) {
        self.say("2probe").await;
        assert_eq!(self.hear().await, "3probe");
        // The poll that is open meanwhile is let go.
        assert_eq!(polling.hear().await, "6");
        self.say("5").await;
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        self.inner.get_ref()
    }

    /// Nothing but the end comes, be it with a close frame or without.
    pub(crate) async fn ends(&mut self) {
        while let Some(Ok(message)) = within(self.inner.next()).await {
            assert!(!message.is_text() || message == Message::text("1"), "{message}");
        }
    }
}

/// The session that a handshake has begun.
pub(crate) fn sid(handshake: &Response<Bytes>) -> String {
    let open: Value = serde_json::from_slice(&handshake.body()[1..]).unwrap();
    open["sid"].as_str().unwrap().to_owned()
}

/// The request of a WebSocket client, byte for byte.
pub(crate) const UPGRADE: &str = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nhost: a\r\n\
    connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
    sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// A client's frame of less than 64 KB, masked by zeros.
pub(crate) fn text_frame(text: &str) -> Vec<u8> {
    let head = match (u8::try_from(text.len()), u16::try_from(text.len())) {
        (Ok(length @ 0..126), _) => vec![0x81, 0x80 | length],
        (_, length) => [&[0x81, 0xfe][..], &length.unwrap().to_be_bytes()].concat(),
    };
    [&head, &[0; 4][..], text.as_bytes()].concat()
}

fn answer(ack: &str) -> Value {
    let json = ack.strip_prefix("430").unwrap_or_else(|| panic!("{ack} is no ack"));
    let mut args: Vec<Value> = serde_json::from_str(json).unwrap();
    args.remove(0)
}

fn echoed(ack: &str) -> String {
    answer(ack).as_str().expect("text").to_owned()
}
