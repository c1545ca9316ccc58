//! What all examples begin with, and no example is about: the address to listen on, the official
//! client for their pages, and errors as sentences.

use std::{
    env,
    error::Error,
    fmt,
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use tokio::net::TcpStream;
use tower_socketio::SocketIoBuilder;

/// The one copy of the official client is the chat's.
const CLIENT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../chat/node_modules/socket.io-client/dist"
);

/// Serves the official client to the page, beneath the endpoint's path.
///
/// # Errors
/// When it is not installed.
pub fn with_client(builder: SocketIoBuilder) -> Result<SocketIoBuilder, Failure> {
    builder.serve_client(CLIENT).map_err(|error| {
        Failure::from(format!(
            "the page's client is missing: run `npm ci --prefix examples/chat`\n({error})"
        ))
    })
}

/// Listens on the address that `HOST` and `PORT` in the environment say, by default
/// <http://127.0.0.1:3000>, and prints it. Port 0 takes a free one.
///
/// # Errors
/// When it cannot be listened on.
pub fn listen() -> Result<TcpListener, Failure> {
    listen_as("http")
}

/// As [`listen`], printed as an address of that scheme.
///
/// # Errors
/// When it cannot be listened on.
pub fn listen_as(scheme: &str) -> Result<TcpListener, Failure> {
    let host = env::var("HOST").unwrap_or_else(|_| "127.0.0.1".to_owned());
    let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let number: u16 = port
        .parse()
        .map_err(|_| format!("PORT is `{port}`: give it a number from 0 to 65535"))?;
    let listener = TcpListener::bind((&*host, number))
        .map_err(|error| format!("cannot listen on {host}:{port}: {error}; HOST and PORT choose another address"))?;
    listener.set_nonblocking(true)?;
    println!("listening on {scheme}://{}", listener.local_addr()?);
    Ok(listener)
}

/// How long clients have to go elsewhere when the process is asked to stop: `DRAIN_SECONDS` in the
/// environment. None without it, as nobody else serves them here.
///
/// # Errors
/// When it is no number of seconds.
pub fn drain_time() -> Result<Duration, Failure> {
    let seconds = env::var("DRAIN_SECONDS").unwrap_or_else(|_| "0".to_owned());
    let number = seconds.parse();
    number
        .map(Duration::from_secs)
        .map_err(|_| format!("DRAIN_SECONDS is `{seconds}`: give it a whole number").into())
}

/// The next connection. Most errors are that connection's own; where the process has too many files
/// open, some may be closed a moment later.
pub async fn accept(listener: &tokio::net::TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => eprintln!("cannot accept a connection: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Prints what middleware logs, `tracing`'s events and `log`'s records alike.
pub fn log() {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
}

/// What `main` returns.
pub type Outcome = Result<(), Failure>;

/// Why an example ends. `main` shows an error by `Debug`, and this one is then a sentence.
pub struct Failure(Box<dyn Error>);

impl<E: Into<Box<dyn Error>>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
