//! How a client connects: what it is like, and the request that it begins with.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, Request, Response, header, request::Parts};
use http_body_util::{BodyExt as _, Empty};
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::io::duplex;

use super::{
    client::{TestClient, object},
    codec,
    error::TestError,
    link::Link,
};
use crate::{
    engine::{Generation, ResponseBody, Root, Ticket},
    server::SocketIo,
    socketio::args::EncodeError,
};

/// What the pipe between client and server holds.
const PIPE: usize = 1 << 20;

/// How long a client waits for anything, unless it is told.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// A client that is about to connect, made by [`client`](super::client).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tower_socketio::testing::TestError> {
/// use tower_socketio::{Generation, SocketIo, testing};
///
/// let io = SocketIo::builder().build();
/// io.of("/chat");
/// let bob = testing::client(&io)
///     .generation(Generation::V0_9)
///     .query("room", "lobby")
///     .header("cookie", "a=b")
///     .connect("/chat")
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "it connects once `connect` is awaited"]
pub struct ClientBuilder {
    io: SocketIo,
    generation: Generation,
    time_limit: Duration,
    auth: Result<Option<Map<String, Value>>, EncodeError>,
    query: Map<String, Value>,
    headers: HeaderMap,
    extensions: Extensions,
}

impl ClientBuilder {
    pub(super) fn new(io: &SocketIo) -> Self {
        Self {
            io: io.clone(),
            generation: codec::NEWEST,
            time_limit: TIME_LIMIT,
            auth: Ok(None),
            query: Map::new(),
            headers: HeaderMap::new(),
            extensions: Extensions::new(),
        }
    }

    /// Which clients it is like. Default: [`Generation::Eio4`]. The [type](Self) has an example.
    pub fn generation(self, generation: Generation) -> Self {
        Self { generation, ..self }
    }

    /// How long it waits for anything before that is an error. Default: 5 seconds. Virtual time passes
    /// it at once, when all is idle.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tower_socketio::testing::TestError> {
    /// # use tower_socketio::{SocketIo, testing};
    /// # let io = SocketIo::builder().build();
    /// use std::time::Duration;
    ///
    /// let patient = testing::client(&io).time_limit(Duration::from_secs(60)).connect("/").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn time_limit(self, time_limit: Duration) -> Self {
        Self { time_limit, ..self }
    }

    /// What it sends as [`Auth`](crate::Auth): an object. Clients before 3.0 have a query instead: behind the
    /// name of a namespace, where handlers find it as `Auth`, too, its values being text; for `/` it is
    /// the connection's, in the [`Handshake`](crate::Handshake).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tower_socketio::testing::TestError> {
    /// use tower_socketio::{Auth, Refusal, SocketIo, testing};
    ///
    /// #[derive(serde::Serialize, serde::Deserialize)]
    /// struct Login {
    ///     token: String,
    /// }
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/admin").with(async |Auth(login): Auth<Login>| match &*login.token {
    ///     "letmein" => Ok(()),
    ///     _ => Err(Refusal::new("unauthorized")),
    /// });
    /// let login = Login { token: "letmein".to_owned() };
    /// testing::client(&io).auth(&login).connect("/admin").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn auth(self, auth: &impl Serialize) -> Self {
        Self {
            auth: object(auth).map(Some),
            ..self
        }
    }

    /// Adds a parameter to the query of the request that the connection begins with. The
    /// [type](Self) has an example.
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.query.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a header to that request. The [type](Self) has an example.
    ///
    /// # Panics
    /// When name or value cannot be a header's.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let parsed = (name.parse::<HeaderName>().ok()).zip(value.parse::<HeaderValue>().ok());
        let (name, value) = parsed.unwrap_or_else(|| panic!("no header can be {name:?}: {value:?}; use visible ASCII"));
        self.headers.append(name, value);
        self
    }

    /// Adds an extension to that request, as middleware leaves it there; a
    /// [`PeerAddr`](crate::PeerAddr) is the client's address.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tower_socketio::testing::TestError> {
    /// use tower_socketio::{Extension, Socket, SocketIo, testing};
    ///
    /// #[derive(Clone)]
    /// struct User(&'static str);
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on_connect(async |socket: Socket, Extension(user): Extension<User>| {
    ///     socket.emit("hello", user.0)
    /// });
    /// let mut bob = testing::client(&io).extension(User("bob")).connect("/").await?;
    /// assert_eq!(bob.recv::<String>("hello").await?, "bob");
    /// # Ok(())
    /// # }
    /// ```
    pub fn extension(mut self, extension: impl Clone + Send + Sync + 'static) -> Self {
        self.extensions.insert(extension);
        self
    }

    /// Connects, and joins a namespace. Its server runs in tasks of the current runtime.
    ///
    /// Clients of [`Generation::V0_9`] are in `/` before its handlers have decided: a refusal there comes
    /// with whatever is waited for next. To a namespace that does not exist they get no answer.
    ///
    /// # Errors
    /// When the connection or the namespace is refused, or nothing answers. The [type](Self) has an example.
    pub async fn connect(mut self, namespace: &str) -> Result<TestClient, TestError> {
        let mut auth = self.auth?;
        if namespace == "/" && self.generation.profile().root != Root::OnRequest {
            self.query.extend(auth.take().unwrap_or_default());
        }
        self.auth = Ok(None);
        let (session, ticket) = self.shake_hands().await?;
        let (stream, server) = duplex(PIPE);
        let server = tokio::spawn(ticket.drive(server));
        let link = Link::open(
            self.io.clone(),
            self.generation,
            self.time_limit,
            session,
            stream,
            server,
        )
        .await?;
        TestClient::join(Arc::new(link), namespace, auth.as_ref()).await
    }

    /// Shakes hands. The session's id is known where that is a request of its own.
    async fn shake_hands(&self) -> Result<(String, Ticket), TestError> {
        let service = self.io.service();
        let query = codec::query(&self.query);
        let session = match codec::reservation(self.generation, service.path(), &query) {
            Some(uri) => self.reserve(&uri).await?,
            None => String::new(),
        };
        let mut parts = self.request(&codec::websocket(self.generation, service.path(), &session, &query));
        for (name, value) in [
            (header::CONNECTION, "Upgrade"),
            (header::UPGRADE, "websocket"),
            (header::SEC_WEBSOCKET_VERSION, "13"),
            (header::SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ=="),
        ] {
            parts.headers.insert(name, HeaderValue::from_static(value));
        }
        match service.accept_websocket(parts).await {
            Ok((_, ticket)) => Ok((session, ticket)),
            Err(response) => Err(not_accepted(response).await),
        }
    }

    async fn reserve(&self, uri: &str) -> Result<String, TestError> {
        let response = self.io.service().handle(self.request(uri), Empty::<Bytes>::new()).await;
        if !response.status().is_success() {
            return Err(not_accepted(response).await);
        }
        let line = text(response).await;
        Ok(line.split(':').next().unwrap_or_default().to_owned())
    }

    fn request(&self, uri: &str) -> Parts {
        let mut request = Request::new(());
        *request.method_mut() = Method::GET;
        *request.uri_mut() = uri.parse().expect("a path of the server's and an encoded query");
        *request.headers_mut() = self.headers.clone();
        *request.extensions_mut() = self.extensions.clone();
        request.into_parts().0
    }
}

async fn not_accepted(response: Response<ResponseBody>) -> TestError {
    TestError::NotAccepted {
        status: response.status(),
        body: text(response).await,
    }
}

async fn text(response: Response<ResponseBody>) -> String {
    let Ok(body) = response.into_body().collect().await;
    String::from_utf8_lossy(&body.to_bytes()).into_owned()
}
