//! Clients over HTTP/3, on the same port as the web framework's, where `WEBTRANSPORT` is in the environment.

use std::{env, io, net::SocketAddr};

use tower_socketio::{Service, Transport};
use webtransport_socketio::{Certificate, Listener};

pub(crate) fn is_asked_for() -> bool {
    env::var_os("WEBTRANSPORT").is_some()
}

/// Those transports, and WebTransport where it is asked for.
pub(crate) fn and(transports: &[Transport]) -> impl Iterator<Item = Transport> {
    let asked = is_asked_for().then_some(Transport::WebTransport);
    transports.iter().copied().chain(asked)
}

/// Serves clients at that address, and prints the hash by which they know the certificate.
pub(crate) fn serve(service: &Service, address: SocketAddr) -> io::Result<()> {
    let certificate = Certificate::self_signed(["127.0.0.1"]).map_err(io::Error::other)?;
    let listener = Listener::bind(address, &certificate)?;
    println!("certificate {:?}", certificate.sha256());
    tokio::spawn(webtransport_socketio::serve(service.clone(), listener));
    Ok(())
}
