#![doc = include_str!("../README.md")]

use std::net::SocketAddr;

use axum::{
    Router,
    extract::{ConnectInfo, MatchedPath, OriginalUri, Request},
};
use tower::{
    layer::util::Stack,
    util::{MapRequest, MapRequestLayer},
};
pub use tower_socketio::*;

/// A router that serves the endpoint at its path, to be merged into the application's or nested
/// under a prefix.
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
pub fn mount<S>(io: &SocketIo) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let path = io.path();
    let service = service(io);
    let router = Router::new()
        .route_service(&format!("{path}/"), service.clone())
        .route_service(&format!("{path}/{{*tail}}"), service.clone());
    if path.is_empty() {
        router
    } else {
        router.route_service(path, service)
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
pub fn service(io: &SocketIo) -> MapRequest<Service, TellCore> {
    MapRequest::new(io.service(), tell_core as TellCore)
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

/// What stands before the core.
type TellCore = fn(Request) -> Request;

/// Says what axum knows in the core's words, and drops what would keep the request's head in
/// memory for as long as the client is connected.
fn tell_core(request: Request) -> Request {
    let mut request = tell_peer(request);
    let extensions = request.extensions_mut();
    extensions.remove::<ConnectInfo<SocketAddr>>();
    extensions.remove::<OriginalUri>();
    extensions.remove::<MatchedPath>();
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
