#![doc = include_str!("../README.md")]

use std::net::SocketAddr;

use axum::{
    RequestPartsExt as _, Router,
    extract::{ConnectInfo, FromRequestParts, MatchedPath, OriginalUri, Request},
};
use tower::{
    layer::util::Stack,
    util::{MapRequest, MapRequestLayer},
};
pub use tower_socketio::*;

/// A router that serves the endpoint at its path, to be merged into the application's or nested
/// under a prefix. `io` is a `&SocketIo`, or a `&engine::Engine` for raw Engine.IO.
///
/// Everything that middleware put on a request is in the
/// [`Handshake`]'s extensions, save axum's own notes of the request's path; the peer's address is
/// known where the application is served with `into_make_service_with_connect_info`.
///
/// ```
/// use axum::{Router, routing::get};
/// use axum_socketio::{SocketIo, Socket};
///
/// let io = SocketIo::builder().build();
/// io.of("/").on_connect(async |socket: Socket| println!("{} connected", socket.id()));
///
/// let app: Router = Router::new()
///     .route("/", get(async || "hello"))
///     .merge(axum_socketio::mount(&io));
/// ```
pub fn mount<S>(io: impl Into<Service>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let core = io.into();
    let path = core.path().to_owned();
    let service = service(core);
    let router = Router::new()
        .route_service(&format!("{path}/"), service.clone())
        .route_service(&format!("{path}/{{*tail}}"), service.clone());
    if path.is_empty() {
        router
    } else {
        router.route_service(&path, service)
    }
}

/// The endpoint as a service, for `route_service` and `nest_service`. As
/// [`SocketIo::service`], and knows what axum knows of the request.
///
/// ```
/// use axum::Router;
/// use axum_socketio::SocketIo;
///
/// let io = SocketIo::builder().build();
/// let app: Router = Router::new().nest_service("/socket.io", axum_socketio::service(&io));
/// ```
pub fn service(io: impl Into<Service>) -> MapRequest<Service, TellCore> {
    MapRequest::new(io.into(), tell_core as TellCore)
}

/// The endpoint as a layer, in front of a whole router. As [`SocketIo::layer`], and knows what axum
/// knows of the request.
///
/// ```
/// use axum::{Router, routing::get};
/// use axum_socketio::SocketIo;
///
/// let io = SocketIo::builder().build();
/// let app: Router = Router::new()
///     .route("/", get(async || "hello"))
///     .layer(axum_socketio::layer(&io));
/// ```
pub fn layer(io: &SocketIo) -> Stack<Layer, MapRequestLayer<TellCore>> {
    Stack::new(io.layer(), MapRequestLayer::new(tell_peer as TellCore))
}

/// axum's extractors, for handlers of sockets.
///
/// ```
/// use axum::extract::Query;
/// use axum_socketio::{Handshake, HandshakeExt as _, Refusal, Socket, SocketIo};
///
/// #[derive(serde::Deserialize)]
/// struct Invitation {
///     room: String,
/// }
///
/// let io = SocketIo::builder().build();
/// io.of("/").on_connect(async |socket: Socket, handshake: Handshake| {
///     let invitation: Result<Query<Invitation>, _> = handshake.extract().await;
///     let Query(Invitation { room }) = invitation.map_err(|_| Refusal::new("not invited"))?;
///     Ok::<_, Refusal>(socket.join(room))
/// });
/// ```
pub trait HandshakeExt {
    /// Runs an extractor on the request that the connection began with: a `CookieJar`, a
    /// `TypedHeader`, a `Query`, your own. What it needs beyond the request's headers and query must
    /// be among its extensions. The [trait](Self) has an example.
    ///
    /// # Errors
    /// The extractor's own.
    fn extract<T>(&self) -> impl Future<Output = Result<T, T::Rejection>> + Send
    where
        T: FromRequestParts<()> + Send + 'static,
    {
        self.extract_with_state(&())
    }

    /// As [`extract`](Self::extract), for extractors that need the application's state.
    ///
    /// ```
    /// use axum::extract::{FromRef, State};
    /// use axum_socketio::{Handshake, HandshakeExt as _, SocketIo};
    ///
    /// #[derive(Clone)]
    /// struct Database;
    ///
    /// let io = SocketIo::builder().state(Database).build();
    /// io.of("/").on_connect(
    ///     async |handshake: Handshake, axum_socketio::State(database): axum_socketio::State<Database>| {
    ///         let Ok(State(_database)) = handshake.extract_with_state::<State<Database>, _>(&database).await;
    ///     },
    /// );
    /// ```
    fn extract_with_state<T, S>(&self, state: &S) -> impl Future<Output = Result<T, T::Rejection>> + Send
    where
        T: FromRequestParts<S> + Send + 'static,
        S: Send + Sync;
}

impl HandshakeExt for Handshake {
    async fn extract_with_state<T, S>(&self, state: &S) -> Result<T, T::Rejection>
    where
        T: FromRequestParts<S> + Send + 'static,
        S: Send + Sync,
    {
        let mut parts = self.to_parts();
        if let Some(addr) = self.peer_addr() {
            parts.extensions.insert(ConnectInfo(addr));
        }
        parts.extract_with_state(state).await
    }
}

/// What stands before the core.
type TellCore = fn(Request) -> Request;

/// Says what axum knows in the core's words, and drops what would keep the request's head in
/// memory for as long as the client is connected.
fn tell_core(mut request: Request) -> Request {
    let extensions = request.extensions_mut();
    extensions.remove::<OriginalUri>();
    extensions.remove::<MatchedPath>();
    if let Some(ConnectInfo(addr)) = extensions.remove::<ConnectInfo<SocketAddr>>() {
        extensions.insert(PeerAddr(addr));
    }
    request
}

/// Says who the client is, and leaves everything to the routes behind the layer.
fn tell_peer(mut request: Request) -> Request {
    let extensions = request.extensions_mut();
    if let Some(&ConnectInfo(addr)) = extensions.get::<ConnectInfo<SocketAddr>>() {
        extensions.insert(PeerAddr(addr));
    }
    request
}
