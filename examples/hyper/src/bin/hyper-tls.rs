//! TLS with rustls, HTTP/2 by ALPN, and WebSockets over either version, on bare hyper-util.
//!
//! Run it, from the root of the repository:
//!
//! ```sh
//! npm ci --prefix examples/chat   # once: the Socket.IO client for the page
//! cargo run --bin hyper-tls
//! ```
//!
//! and open <https://127.0.0.1:3000>. `PORT` and `HOST` in the environment change the address; port 0
//! takes a free one. The certificate is made at the start and signed by nobody, so browsers warn.
//!
//! The page and the handlers are in `src/lib.rs`. What the TLS has no part in is explained in
//! `hyper-plain`.

use std::{pin::pin, sync::Arc, time::Duration};

use examples_hyper::{By, site};
use http::Request;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use start::Failure;
use tokio::{net::TcpListener, time::timeout};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, pki_types::PrivateKeyDer},
};
use tower::ServiceBuilder;
use tower_socketio::PeerAddr;

/// For a client to say hello in TLS.
const PATIENCE: Duration = Duration::from_secs(10);
/// For requests to end after the signal.
const GRACE: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> start::Outcome {
    let io = examples_hyper::socket_io()?;
    let tls = TlsAcceptor::from(Arc::new(tls()?));
    let listener = TcpListener::from_std(start::listen_as("https")?)?;
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()); // Heads of requests that never end are given up.
    server.http2().enable_connect_protocol();
    let connections = GracefulShutdown::new();
    let mut stopped = pin!(io.close_on_signal());
    loop {
        let (stream, peer) = tokio::select! {
            accepted = start::accept(&listener) => accepted,
            () = &mut stopped => break,
        };
        let app = ServiceBuilder::new()
            .map_request(move |mut request: Request<_>| {
                let by = By(request.version());
                request.extensions_mut().insert(by);
                request.extensions_mut().insert(PeerAddr(peer));
                request
            })
            .layer(io.layer())
            .service_fn(site);
        let (tls, server, connections) = (tls.clone(), server.clone(), connections.watcher());
        // In a task of its own: other clients need not wait for this one's hello.
        tokio::spawn(async move {
            if let Ok(Ok(stream)) = timeout(PATIENCE, tls.accept(stream)).await {
                let app = TowerToHyperService::new(app);
                let connection = server.serve_connection_with_upgrades(TokioIo::new(stream), app);
                let _ = connections.watch(connection.into_owned()).await;
            }
        });
    }
    // Sockets are closed and polls answered: what goes on now is other requests.
    let _ = timeout(GRACE, connections.shutdown()).await;
    Ok(())
}

/// A real server reads certificate and key from files.
fn tls() -> Result<ServerConfig, Failure> {
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names)?;
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
