#![doc = include_str!("../README.md")]

use std::net::SocketAddr;

use axum::{
    Router,
    extract::{ConnectInfo, MatchedPath, OriginalUri, Request},
};
use tower::util::MapRequest;
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
    let service = MapRequest::new(io.service(), tell_core as fn(Request) -> Request);
    let router = Router::new()
        .route_service(&format!("{path}/"), service.clone())
        .route_service(&format!("{path}/{{*tail}}"), service.clone());
    if path.is_empty() {
        router
    } else {
        router.route_service(path, service)
    }
}

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
