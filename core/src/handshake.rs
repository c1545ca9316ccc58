//! What handlers may know of the request that a connection began with.

use std::{borrow::Cow, fmt, net::SocketAddr, sync::Arc, time::SystemTime};

use http::{Extensions, request::Parts};

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

/// The address of the client, as a request extension that web adapters set.
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

    /// The request's headers.
    pub fn headers(&self) -> &Headers {
        &self.0.headers
    }

    /// The request's query as it came, without the `?`.
    pub fn query(&self) -> &str {
        &self.0.query
    }

    /// The first value of a query parameter, decoded.
    pub fn query_value(&self, name: &str) -> Option<Cow<'_, str>> {
        route::parameter(&self.0.query, name)
    }

    /// All query parameters in order, decoded.
    pub fn query_values(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        route::parameters(&self.0.query)
    }

    /// The address that the request came from, where the web framework tells it.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.0.peer
    }

    /// When the connection began.
    pub fn issued(&self) -> SystemTime {
        self.0.issued
    }

    /// Which generation of the protocol the client speaks.
    pub fn generation(&self) -> Generation {
        self.0.generation
    }

    /// What middleware put on the request: an authenticated user, a session.
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
