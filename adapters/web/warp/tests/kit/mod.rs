//! A real warp server on a port of its own, and [clients](client) that speak raw HTTP and WebSocket.

#![allow(dead_code, reason = "every test crate has its own copy and uses a part of it")]

use std::{error::Error, future::Future, time::Duration};

use hyper::{
    HeaderMap, Method, Request, Response as HttpResponse,
    body::{Body, Incoming},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{net::TcpListener, sync::mpsc};
use tower::{Service, ServiceExt as _};
use warp::{Filter, Rejection, Reply, filters::BoxedFilter, reply::Response};
use warp_socketio::{Ack, DisconnectReason, PeerAddr, RawArgs, SocketIo, SocketIoBuilder, State};

use client::Server;

pub(crate) mod client;

/// Longer than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The address of a polling handshake.
pub(crate) const HANDSHAKE: &str = "/socket.io/?EIO=4&transport=polling";

pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("in time")
}

/// Serves a filter on a port of its own.
pub(crate) async fn serve<F, R>(filter: F) -> Server
where
    F: Filter<Extract = (R,), Error: Into<Rejection>> + Send + Sync + 'static,
    R: Reply + 'static,
{
    let (listener, server) = listen().await;
    tokio::spawn(warp::serve(filter.boxed()).incoming(listener).run());
    server
}

/// Serves a service as `warp::serve` serves filters, and allows for WebSockets over HTTP/2.
pub(crate) async fn serve_service<S, B>(app: S) -> Server
where
    S: Service<Request<Incoming>, Response = HttpResponse<B>, Error: Into<Box<dyn Error + Send + Sync>>, Future: Send>
        + Clone
        + Send
        + 'static,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    let (listener, server) = listen().await;
    tokio::spawn(async move {
        loop {
            let (stream, peer) = listener.accept().await.unwrap();
            let app = app.clone().map_request(move |mut request: Request<Incoming>| {
                request.extensions_mut().insert(PeerAddr(peer));
                request
            });
            tokio::spawn(async move {
                let mut builder = auto::Builder::new(TokioExecutor::new());
                builder.http2().enable_connect_protocol();
                builder
                    .serve_connection_with_upgrades(TokioIo::new(stream), TowerToHyperService::new(app))
                    .await
            });
        }
    });
    server
}

pub(crate) async fn listen() -> (TcpListener, Server) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server(listener.local_addr().unwrap());
    (listener, server)
}

pub(crate) fn echo_server() -> SocketIo {
    with_echo(SocketIo::builder())
}

pub(crate) fn with_echo(builder: SocketIoBuilder) -> SocketIo {
    let io = builder.build();
    io.of("/").on("echo", async |args: RawArgs| Ack(args));
    io
}

/// Who is told why clients left.
pub(crate) type Leaves = mpsc::UnboundedReceiver<String>;

/// A server that tells of every run of its disconnect handler.
pub(crate) fn telling_of_leaves() -> (SocketIo, Leaves) {
    let (left, leaves) = mpsc::unbounded_channel::<String>();
    let io = with_echo(SocketIo::builder().state(left));
    io.of("/").on_disconnect(
        async |reason: DisconnectReason, State(left): State<mpsc::UnboundedSender<String>>| {
            left.send(reason.to_string()).unwrap();
        },
    );
    (io, leaves)
}

/// What tells that a poll has come, by its query.
pub(crate) type Polls = mpsc::UnboundedReceiver<String>;

/// The endpoint, and what tells of its polls.
pub(crate) fn telling_of_polls(io: &SocketIo) -> (BoxedFilter<(Response,)>, Polls) {
    let (tell, polls) = mpsc::unbounded_channel();
    let telling = warp::method()
        .and(warp::query::raw())
        .map(move |method, query| {
            if method == Method::GET {
                tell.send(query).unwrap();
            }
        })
        .untuple_one();
    (telling.and(warp_socketio::filter(io)).boxed(), polls)
}

/// Every value of a header.
pub(crate) fn all<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    headers
        .get_all(name)
        .iter()
        .map(|value| value.to_str().unwrap())
        .collect()
}
