//! What handlers may know of the request that a connection began with.

use std::{borrow::Cow, fmt, net::SocketAddr, sync::Arc, time::SystemTime};

use http::{Extensions, Request, Uri, request::Parts};

use crate::{
    engine::{Generation, route},
    headers::Headers,
};

/// The request that a connection began with: its headers, query, peer address, and what
/// middleware put on it. Cheap to clone; every namespace of a connection shares it.
///
/// ```
/// use tower_socketio::{Handshake, SocketIo, Socket};
///
/// let io = SocketIo::builder().build();
/// io.of("/").on_connect(async |_socket: Socket, handshake: Handshake| {
///     let language = handshake.headers().get("accept-language").unwrap_or("en").to_owned();
///     let room = handshake.query_value("room");
///     println!("{:?} speaks {language} and asks for {room:?}", handshake.peer_addr());
/// });
/// ```
#[derive(Clone)]
pub struct Handshake(Arc<Inner>);

struct Inner {
    generation: Generation,
    headers: Headers,
    query: Box<str>,
    peer: Option<SocketAddr>,
    issued: SystemTime,
    extensions: Extensions,
}

/// The address of the client, as a request extension that web adapters set before the endpoint sees
/// the request. Handlers read it as [`Handshake::peer_addr`].
///
/// ```
/// use tower_socketio::PeerAddr;
///
/// let mut request = http::Request::new(());
/// let address = ([192, 0, 2, 1], 50_000).into();
/// request.extensions_mut().insert(PeerAddr(address));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddr(pub SocketAddr);

impl Handshake {
    /// Copies what is kept of the request, so that nothing of the server's buffers is.
    pub(crate) fn new(parts: &mut Parts, generation: Generation) -> Self {
        let mut extensions = std::mem::take(&mut parts.extensions);
        let peer = extensions.remove::<PeerAddr>().map(|PeerAddr(addr)| addr);
        // An empty map still holds its table.
        if extensions.is_empty() {
            extensions = Extensions::new();
        }
        Self(Arc::new(Inner {
            generation,
            headers: Headers::from(&parts.headers),
            query: parts.uri.query().unwrap_or_default().into(),
            peer,
            issued: SystemTime::now(),
            extensions,
        }))
    }

    /// The request, made anew of what was kept of it: for a web framework's own extractors. Its path
    /// is `/` and its version the default, whatever they were.
    ///
    /// ```
    /// use tower_socketio::{Handshake, SocketIo};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on_connect(async |handshake: Handshake| {
    ///     let parts: http::request::Parts = handshake.to_parts();
    ///     assert_eq!(parts.uri.query(), Some(handshake.query()));
    /// });
    /// ```
    pub fn to_parts(&self) -> Parts {
        let (mut parts, ()) = Request::new(()).into_parts();
        parts.uri = Uri::try_from(format!("/?{}", self.0.query)).unwrap_or_default();
        parts.headers = self.0.headers.to_header_map();
        parts.extensions = self.0.extensions.clone();
        if let Some(addr) = self.0.peer {
            parts.extensions.insert(PeerAddr(addr));
        }
        parts
    }

    /// The request's headers.
    ///
    /// ```
    /// use tower_socketio::{Handshake, SocketIo};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on_connect(async |request: Handshake| println!("{:?}", request.headers().get("user-agent")));
    /// ```
    pub fn headers(&self) -> &Headers {
        &self.0.headers
    }

    /// The request's query as it came, without the `?`. It is that of the connection, and holds the
    /// protocol's own parameters too.
    ///
    /// ```
    /// use tower_socketio::{Handshake, SocketIo};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on_connect(async |request: Handshake| assert!(request.query().contains("EIO=4")));
    /// ```
    pub fn query(&self) -> &str {
        &self.0.query
    }

    /// The first value of a query parameter, decoded as forms are; what is no UTF-8 is replaced.
    ///
    /// ```
    /// use tower_socketio::{Handshake, SocketIo};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on_connect(async |request: Handshake| println!("{:?}", request.query_value("room")));
    /// ```
    pub fn query_value(&self, name: &str) -> Option<Cow<'_, str>> {
        route::parameter(&self.0.query, name)
    }

    /// All query parameters in order, decoded.
    ///
    /// ```
    /// use tower_socketio::{Handshake, SocketIo};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on_connect(async |request: Handshake| {
    ///     let tags = request.query_values().filter(|(name, _)| name == "tag");
    ///     println!("{} tags", tags.count());
    /// });
    /// ```
    pub fn query_values(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        route::parameters(&self.0.query)
    }

    /// The address that the request came from, where the web framework tells it by [`PeerAddr`].
    /// Behind a proxy it is the proxy's.
    ///
    /// ```
    /// use tower_socketio::{Handshake, SocketIo};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on_connect(async |request: Handshake| println!("{:?}", request.peer_addr()));
    /// ```
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.0.peer
    }

    /// When the connection began.
    ///
    /// ```
    /// use tower_socketio::{Handshake, SocketIo};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on("uptime", async |request: Handshake| println!("{:?}", request.issued().elapsed()));
    /// ```
    pub fn issued(&self) -> SystemTime {
        self.0.issued
    }

    /// Which generation of the protocol the client speaks.
    ///
    /// ```
    /// use tower_socketio::{Handshake, SocketIo};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on_connect(async |request: Handshake| println!("{}", request.generation()));
    /// ```
    pub fn generation(&self) -> Generation {
        self.0.generation
    }

    /// What middleware put on the request: an authenticated user, a session. Handlers extract them
    /// as [`Extension`](crate::Extension).
    ///
    /// ```
    /// use tower_socketio::{Handshake, SocketIo};
    ///
    /// #[derive(Clone)]
    /// struct User(String);
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on_connect(async |request: Handshake| {
    ///     println!("{:?}", request.extensions().get::<User>().map(|user| &user.0));
    /// });
    /// ```
    pub fn extensions(&self) -> &Extensions {
        &self.0.extensions
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake")
            .field("generation", &self.0.generation)
            .field("headers", &self.0.headers)
            .field("peer", &self.0.peer)
            .finish_non_exhaustive()
    }
}
