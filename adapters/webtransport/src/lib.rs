#![doc = include_str!("../README.md")]

use std::{fmt, io, net::SocketAddr, sync::Arc, time::Duration};

use http::{Method, request::Parts};
use tokio::{sync::Semaphore, time::timeout};
use tower_socketio::{PeerAddr, Service, WebTransportTicket};
use web_transport_quinn::{
    Request, ServerError, Session,
    quinn::{Endpoint, Incoming},
};

mod certificate;
mod stream;

pub use certificate::{Certificate, CertificateError};
use stream::Stream;

/// How long a client may take from its first packet of QUIC to its session.
const OPENING: Duration = Duration::from_secs(10);

/// How long one that is refused may take to read that.
const REFUSED: Duration = Duration::from_secs(1);

/// How many clients may be about to, so that many of them take little memory.
const MOST_OPENING: usize = 1000;

/// A UDP socket that clients come to by HTTP/3. Cheap to clone.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use webtransport_socketio::{Certificate, Listener};
///
/// let certificate = Certificate::self_signed(["localhost"])?;
/// let listener = Listener::bind(([127, 0, 0, 1], 0).into(), &certificate)?;
/// assert_ne!(listener.local_addr()?.port(), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Listener(Endpoint);

impl Listener {
    /// Listens on that address, whose port should be that of the HTTP server: for an upgrade, clients
    /// use the host and port that they poll.
    ///
    /// # Errors
    /// When the port is taken, and what else the system refuses a socket for.
    ///
    /// # Panics
    /// When called outside of a tokio runtime with I/O and timers.
    ///
    /// ```no_run
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use webtransport_socketio::{Certificate, Listener};
    ///
    /// let certificate = Certificate::from_pem_files("fullchain.pem", "privkey.pem")?;
    /// let listener = Listener::bind(([0, 0, 0, 0], 443).into(), &certificate)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn bind(address: SocketAddr, certificate: &Certificate) -> io::Result<Self> {
        Endpoint::server(certificate.config.clone(), address).map(Self)
    }

    /// The address that it listens on.
    ///
    /// # Errors
    /// When the system does not tell.
    ///
    /// ```
    /// # use webtransport_socketio::Listener;
    /// fn print(listener: &Listener) -> std::io::Result<()> {
    ///     println!("{}", listener.local_addr()?);
    ///     Ok(())
    /// }
    /// ```
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Shows another certificate to clients that come from now on: the renewed one, before the one in
    /// use has expired.
    ///
    /// ```no_run
    /// # use webtransport_socketio::{Certificate, CertificateError, Listener};
    /// fn renewed(listener: &Listener) -> Result<(), CertificateError> {
    ///     listener.set_certificate(&Certificate::from_pem_files("fullchain.pem", "privkey.pem")?);
    ///     Ok(())
    /// }
    /// ```
    pub fn set_certificate(&self, certificate: &Certificate) {
        self.0.set_server_config(Some(certificate.config.clone()));
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").finish_non_exhaustive()
    }
}

/// Accepts the clients that come to the listener, for the server `io` (a `&SocketIo`, or a
/// `&engine::Engine` for raw Engine.IO). [`Transport::WebTransport`](tower_socketio::Transport) must be
/// among its transports.
///
/// It goes on until it is dropped; clients that are connected then stay so, each in a task of its own.
/// Once the server is closed, nobody is let in any more.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tower_socketio::{SocketIo, Transport};
/// use webtransport_socketio::{Certificate, Listener};
///
/// let io = SocketIo::builder()
///     .transports([Transport::Polling, Transport::WebSocket, Transport::WebTransport])
///     .build();
/// let certificate = Certificate::self_signed(["localhost"])?;
/// let listener = Listener::bind(([127, 0, 0, 1], 0).into(), &certificate)?;
/// tokio::spawn(webtransport_socketio::serve(&io, listener));
/// # Ok(())
/// # }
/// ```
pub fn serve(io: impl Into<Service>, listener: Listener) -> impl Future<Output = ()> + Send + 'static {
    accept_all(io.into(), listener.0)
}

async fn accept_all(service: Service, endpoint: Endpoint) {
    let opening = Arc::new(Semaphore::new(MOST_OPENING));
    while let Some(incoming) = endpoint.accept().await {
        let Ok(permit) = opening.clone().try_acquire_owned() else {
            tracing::debug!("a client over WebTransport is refused: {MOST_OPENING} others are shaking hands");
            incoming.refuse();
            continue;
        };
        // While many shake hands, those who come have to show that the address is theirs: forged ones take no
        // place of others.
        if opening.available_permits() < MOST_OPENING / 2 && !incoming.remote_address_validated() {
            // It fails only where the address is validated.
            let _ = incoming.retry();
            continue;
        }
        let service = service.clone();
        tokio::spawn(async move {
            let opened = timeout(OPENING, open(&service, incoming)).await;
            drop(permit);
            match opened {
                Ok(Ok(Some((ticket, session)))) => ticket.drive(Stream::new(session)).await,
                Ok(Ok(None)) => {}
                Ok(Err(error)) => tracing::debug!("a client over WebTransport did not shake hands: {error}"),
                Err(_) => tracing::debug!("a client over WebTransport took too long to shake hands"),
            }
        });
    }
}

/// The session that a client asks for; `None` when it was refused.
async fn open(service: &Service, incoming: Incoming) -> Result<Option<(WebTransportTicket, Session)>, ServerError> {
    let request = Request::accept(incoming.await?).await?;
    match parts(&request).and_then(|parts| service.accept_webtransport(parts)) {
        Ok(ticket) => Ok(Some((ticket, request.ok().await?))),
        Err(status) => {
            let connection = request.conn().clone();
            request.reject(status).await?;
            // Dropped at once, it would take the answer with it.
            let _ = timeout(REFUSED, connection.closed()).await;
            Ok(None)
        }
    }
}

/// The request in the words of other transports.
fn parts(request: &Request) -> Result<Parts, http::StatusCode> {
    let parts = http::Request::builder()
        .method(Method::CONNECT)
        .uri(request.url.as_str());
    let (mut parts, ()) = parts.body(()).or(Err(http::StatusCode::BAD_REQUEST))?.into_parts();
    parts.headers.clone_from(&request.headers);
    parts.extensions.insert(PeerAddr(request.conn().remote_address()));
    Ok(parts)
}
