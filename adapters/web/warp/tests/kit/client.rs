//! The clients.

use std::net::SocketAddr;

use futures_util::{SinkExt as _, StreamExt as _};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    client::conn,
    ext::Protocol,
    header::{HOST, HeaderName, ORIGIN},
    http::request::Builder,
    upgrade::Upgraded,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinHandle,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error as WebSocketError, Message, client::IntoClientRequest as _, protocol::Role},
};

use super::{Polls, within};

/// Headers of a request, by name and value.
type Headers<'a> = &'a [(&'a str, &'a str)];

fn request(method: Method, url: &str, headers: Headers<'_>) -> Builder {
    let request = Request::builder().method(method).uri(url);
    headers
        .iter()
        .fold(request, |request, (name, value)| request.header(*name, *value))
}

/// Where a server listens; connects clients to it.
#[derive(Clone, Copy)]
pub(crate) struct Server(pub(crate) SocketAddr);

impl Server {
    pub(crate) async fn connect(self) -> TcpStream {
        within(TcpStream::connect(self.0)).await.unwrap()
    }

    pub(crate) async fn ask(self, method: Method, url: &str, headers: Headers<'_>) -> Response<Bytes> {
        self.http1().await.ask(method, url, headers, "").await
    }

    pub(crate) async fn http1(self) -> Http1 {
        let stream = TokioIo::new(self.connect().await);
        let (sender, connection) = conn::http1::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        Http1 { server: self, sender }
    }

    pub(crate) async fn get(self, url: &str) -> Response<Bytes> {
        self.get_with(url, &[]).await
    }

    pub(crate) async fn get_with(self, url: &str, headers: Headers<'_>) -> Response<Bytes> {
        self.ask(Method::GET, url, headers).await
    }

    pub(crate) async fn get_from(self, origin: &str, url: &str) -> Response<Bytes> {
        self.get_with(url, &[(ORIGIN.as_str(), origin)]).await
    }

    pub(crate) async fn post(self, url: &str, headers: Headers<'_>, body: &str) -> Response<Bytes> {
        self.http1().await.ask(Method::POST, url, headers, body).await
    }

    pub(crate) async fn text(self, url: &str) -> String {
        String::from_utf8(self.get(url).await.into_body().into()).unwrap()
    }

    /// What it answers to these bytes, until it ends the connection.
    pub(crate) async fn answer_to(self, bytes: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes.as_bytes()).await.unwrap();
        let mut answer = String::new();
        within(stream.read_to_string(&mut answer)).await.unwrap();
        answer
    }

    /// Both transports work there.
    pub(crate) async fn has_endpoint(self, path: &str) {
        let mut websocket = self.websocket(path).await;
        websocket.say(r#"420["echo","a websocket's"]"#).await;
        assert_eq!(websocket.hear().await, r#"430["a websocket's"]"#);
        let mut polling = self.polling(path).await;
        polling.say(r#"421["echo","a poll's"]"#).await;
        assert_eq!(polling.hear().await, r#"431["a poll's"]"#);
    }

    pub(crate) async fn lacks_endpoint(self, path: &str) {
        let handshake = self.get(&format!("{path}?EIO=4&transport=polling")).await;
        assert_eq!(handshake.status(), StatusCode::NOT_FOUND);
        let refused = self.try_websocket(path, &[]).await;
        assert_eq!(refused.unwrap_err(), StatusCode::NOT_FOUND);
    }

    /// A client in the namespace `/`.
    pub(crate) async fn polling(self, path: &str) -> Polling {
        self.polling_with(path, &[]).await
    }

    pub(crate) async fn polling_with(self, path: &str, headers: Headers<'_>) -> Polling {
        let mut client = self.open_polling(path, headers).await;
        client.say("40").await;
        let joined = client.hear().await;
        assert!(joined.starts_with("40{"), "{joined}");
        client
    }

    /// A client in no namespace yet.
    pub(crate) async fn open_polling(self, path: &str, headers: Headers<'_>) -> Polling {
        let mark = if path.contains('?') { '&' } else { '?' };
        let url = format!("{path}{mark}EIO=4&transport=polling");
        let handshake = self.get_with(&url, headers).await;
        assert_eq!(handshake.status(), StatusCode::OK, "{handshake:?}");
        let url = format!("{url}&sid={}", sid(handshake.body()));
        Polling { server: self, url }
    }

    /// A client in the namespace `/`.
    pub(crate) async fn websocket(self, path: &str) -> WebSocket<TcpStream> {
        self.websocket_with(path, &[]).await
    }

    pub(crate) async fn websocket_with(self, path: &str, headers: Headers<'_>) -> WebSocket<TcpStream> {
        let mut client = self.try_websocket(path, headers).await.unwrap();
        assert!(client.hear().await.starts_with("0{"));
        client.join().await;
        client
    }

    pub(crate) async fn try_websocket(
        self,
        path: &str,
        headers: Headers<'_>,
    ) -> Result<WebSocket<TcpStream>, StatusCode> {
        let mark = if path.contains('?') { '&' } else { '?' };
        let url = format!("{path}{mark}EIO=4&transport=websocket");
        self.raw_websocket(&url, headers).await.map(|(client, _)| client)
    }

    /// The client and the headers of the answer.
    pub(crate) async fn raw_websocket(
        self,
        url: &str,
        headers: Headers<'_>,
    ) -> Result<(WebSocket<TcpStream>, HeaderMap), StatusCode> {
        let mut request = format!("ws://{}{url}", self.0).into_client_request().unwrap();
        for (name, value) in headers {
            let name: HeaderName = name.parse().unwrap();
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        match within(client_async(request, self.connect().await)).await {
            Ok((inner, answer)) => Ok((WebSocket { inner }, answer.into_parts().0.headers)),
            Err(WebSocketError::Http(response)) => Err(response.status()),
            Err(error) => panic!("{error}"),
        }
    }

    /// A connection that speaks HTTP/2 from its first byte.
    pub(crate) async fn http2(self) -> Http2 {
        let stream = TokioIo::new(self.connect().await);
        let handshake = conn::http2::handshake(TokioExecutor::new(), stream).await;
        let (sender, connection) = handshake.unwrap();
        tokio::spawn(connection);
        Http2 { server: self, sender }
    }
}

/// The session's id in the answer to a handshake.
fn sid(open: &[u8]) -> String {
    let open: Value = serde_json::from_slice(&open[1..]).unwrap();
    open["sid"].as_str().unwrap().to_owned()
}

pub(crate) struct Polling {
    server: Server,
    pub(crate) url: String,
}

impl Polling {
    /// Posts a packet.
    pub(crate) async fn say(&mut self, packet: &str) {
        let response = self.server.post(&self.url, &[], packet).await;
        assert_eq!((response.status(), &response.body()[..]), (StatusCode::OK, &b"ok"[..]));
    }

    /// Polls once.
    pub(crate) async fn hear(&mut self) -> String {
        let response = self.server.get(&self.url).await;
        assert_eq!(response.status(), StatusCode::OK);
        String::from_utf8(response.into_body().into()).unwrap()
    }

    /// Polls once more, and goes on when the server has the poll.
    pub(crate) async fn poll_on(&self, polls: &mut Polls) -> JoinHandle<Response<Bytes>> {
        let url = format!("{}&held", self.url);
        while polls.try_recv().is_ok() {}
        let (server, query) = (self.server, url.split_once('?').unwrap().1.to_owned());
        let poll = tokio::spawn(async move { server.get(&url).await });
        assert_eq!(within(polls.recv()).await.unwrap(), query);
        poll
    }

    /// Where a WebSocket takes it over.
    pub(crate) fn upgrade_url(&self) -> String {
        self.url.replace("transport=polling", "transport=websocket")
    }
}

/// A connection that may serve several requests.
pub(crate) struct Http1 {
    server: Server,
    sender: conn::http1::SendRequest<Full<Bytes>>,
}

impl Http1 {
    pub(crate) async fn ask(&mut self, method: Method, url: &str, headers: Headers<'_>, body: &str) -> Response<Bytes> {
        let request = request(method, url, headers).header(HOST, self.server.0.to_string());
        let request = request.body(Full::from(body.to_owned())).unwrap();
        read(within(self.sender.send_request(request)).await.unwrap()).await
    }
}

async fn read(response: Response<Incoming>) -> Response<Bytes> {
    let (parts, body) = response.into_parts();
    Response::from_parts(parts, within(body.collect()).await.unwrap().to_bytes())
}

pub(crate) struct Http2 {
    server: Server,
    sender: conn::http2::SendRequest<Full<Bytes>>,
}

impl Http2 {
    pub(crate) async fn ask(
        &mut self,
        method: Method,
        path: &str,
        headers: Headers<'_>,
        body: &str,
    ) -> Response<Bytes> {
        let request = request(method, &format!("http://{}{path}", self.server.0), headers);
        let request = request.body(Full::from(body.to_owned())).unwrap();
        read(within(self.sender.send_request(request)).await.unwrap()).await
    }

    pub(crate) async fn get(&mut self, path: &str, headers: Headers<'_>) -> Response<Bytes> {
        self.ask(Method::GET, path, headers, "").await
    }

    /// A polling client's handshake; gives its address from then on.
    pub(crate) async fn open_polling(&mut self, path: &str, headers: Headers<'_>) -> String {
        let url = format!("{path}?EIO=4&transport=polling");
        let handshake = self.get(&url, headers).await;
        assert_eq!(handshake.status(), StatusCode::OK, "{handshake:?}");
        format!("{url}&sid={}", sid(handshake.body()))
    }

    /// RFC 8441: a stream of the connection becomes the WebSocket. The server's settings, which allow that, must
    /// have come: with the answer to an earlier request, for instance.
    pub(crate) async fn websocket(&mut self, path: &str, headers: Headers<'_>) -> WebSocket<TokioIo<Upgraded>> {
        let url = format!("http://{}{path}?EIO=4&transport=websocket", self.server.0);
        let mut connect = request(Method::CONNECT, &url, headers)
            .header("sec-websocket-version", "13")
            .body(Full::default())
            .unwrap();
        connect.extensions_mut().insert(Protocol::from_static("websocket"));
        let response = within(self.sender.send_request(connect)).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let stream = TokioIo::new(within(hyper::upgrade::on(response)).await.unwrap());
        let inner = WebSocketStream::from_raw_socket(stream, Role::Client, None).await;
        WebSocket { inner }
    }
}

#[derive(Debug)]
pub(crate) struct WebSocket<S> {
    pub(crate) inner: WebSocketStream<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    pub(crate) async fn say(&mut self, packet: &str) {
        within(self.inner.send(Message::text(packet))).await.unwrap();
    }

    pub(crate) async fn hear(&mut self) -> String {
        match within(self.inner.next()).await {
            Some(Ok(Message::Text(text))) => text.as_str().to_owned(),
            other => panic!("{other:?} instead of text"),
        }
    }

    /// Joins the namespace `/`.
    pub(crate) async fn join(&mut self) {
        self.say("40").await;
        let joined = self.hear().await;
        assert!(joined.starts_with("40{"), "{joined}");
    }

    /// Nothing but the end comes, be it with a close frame or without.
    pub(crate) async fn ends(&mut self) {
        while let Some(Ok(message)) = within(self.inner.next()).await {
            assert!(!message.is_text() || message == Message::text("1"), "{message}");
        }
    }
}
