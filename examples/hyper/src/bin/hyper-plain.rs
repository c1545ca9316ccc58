//! No web framework at all: hyper-util, and a function that answers requests.
//!
//! Run it, from the root of the repository:
//!
//! ```sh
//! npm ci --prefix examples/chat   # once: the Socket.IO client for the page
//! cargo run --bin hyper-plain
//! ```
//!
//! and open <http://127.0.0.1:3000>. `PORT` and `HOST` in the environment change the address; port 0
//! takes a free one.
//!
//! The page and the handlers are in `src/lib.rs`. The same over TLS is `hyper-tls`.

use std::{pin::pin, time::Duration};

use examples_hyper::{By, site};
use http::Request;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::{net::TcpListener, time::timeout};
use tower::ServiceBuilder;
use tower_socketio::PeerAddr;

/// For requests to end after the signal.
const GRACE: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> start::Outcome {
    let io = examples_hyper::socket_io()?;
    let listener = TcpListener::from_std(start::listen()?)?;
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()); // Heads of requests that never end are given up.
    server.http2().enable_connect_protocol(); // WebSocket over HTTP/2.
    let connections = GracefulShutdown::new();
    let mut stopped = pin!(io.close_on_signal());
    loop {
        let (stream, peer) = tokio::select! {
            accepted = start::accept(&listener) => accepted,
            () = &mut stopped => break,
        };
        // What handlers may know of a connection, hyper leaves to whom accepted it.
        let app = ServiceBuilder::new()
            .map_request(move |mut request: Request<_>| {
                let by = By(request.version());
                request.extensions_mut().insert(by);
                request.extensions_mut().insert(PeerAddr(peer));
                request
            })
            .layer(io.layer())
            .service_fn(site);
        let app = TowerToHyperService::new(app);
        // Upgrades are how a WebSocket is handed over.
        let connection = server.serve_connection_with_upgrades(TokioIo::new(stream), app);
        tokio::spawn(connections.watch(connection.into_owned()));
    }
    // Sockets are closed and polls answered: what goes on now is other requests.
    let _ = timeout(GRACE, connections.shutdown()).await;
    Ok(())
}
