//! The applications that the servers under test mount, whatever their web framework, and the
//! command line that chooses one.

pub mod admin;
pub mod app;
/// The example of a parser in the core's documentation.
#[path = "../../../../core/docs/parser.rs"]
pub mod big_integers;
pub mod dynamic;
pub mod engine;
pub mod engine_client;
pub mod http;
pub mod load;
pub mod operators;
pub mod socket;
pub mod socket_client;
mod webtransport;

use std::{env, io, net::TcpListener, process::ExitCode, str::FromStr, time::Duration};

use futures_util::future::try_join_all;
use tower_socketio::{Generation, Service, SocketIo, parser::MsgPack};

use self::big_integers::BigIntegers;

const CONTRACTS: [&str; 11] = [
    "admin",
    "engine",
    "engine3",
    "engine-client",
    "http",
    "socket",
    "app",
    "dynamic",
    "load",
    "operators",
    "socket-client",
];

/// What a server under test is asked to serve on one of its ports.
#[derive(Debug)]
pub struct Command {
    /// What it serves.
    pub service: Service,
    /// The port to listen on; 0 for any.
    pub port: u16,
    /// What stands before its path: `/api`, or nothing.
    pub prefix: String,
}

impl Command {
    fn new(service: Service, port: u16) -> Self {
        let prefix = env::var("PREFIX").unwrap_or_default();
        Self { service, port, prefix }
    }

    /// Reads `--contract NAME --port N --parser NAME`; `PORT` in the environment is the default port, and `PREFIX` the
    /// prefix. The contract `app` has a second port, that of clients with the msgpack parser.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the command line.
    pub fn from_args() -> Result<Vec<Self>, String> {
        let mut contract = None;
        let mut port = env::var("PORT").ok();
        let mut parser = "default".to_owned();
        let mut args = env::args().skip(1);
        while let Some(arg) = args.next() {
            let value = args.next().ok_or_else(|| format!("{arg} wants a value"))?;
            match arg.as_str() {
                "--contract" => contract = Some(value),
                "--port" => port = Some(value),
                "--parser" => parser = value,
                _ => return Err(format!("unknown argument {arg}")),
            }
        }
        let port = port.unwrap_or_else(|| "0".to_owned());
        let port = port.parse().map_err(|_| format!("{port} is no port"))?;
        let one = |service| Ok(vec![Self::new(service, port)]);
        match (contract.as_deref(), &*parser) {
            (Some("admin"), "default" | "msgpack") => {
                let builder = match &*parser {
                    "msgpack" => SocketIo::builder().parser(MsgPack),
                    _ => SocketIo::builder(),
                };
                let io = admin::server(builder).map_err(|error| error.to_string())?;
                one(io.service())
            }
            (Some("engine"), "default") => one(engine::server(Generation::Eio4).service()),
            (Some("engine3"), "default") => one(engine::server(Generation::Eio3).service()),
            (Some("engine-client"), "default") => one(engine_client::server().service()),
            (Some("http"), "default") => one(http::server().service()),
            (Some("socket"), "default") => one(socket::server(SocketIo::builder()).service()),
            (Some("socket"), "msgpack") => one(socket::server(SocketIo::builder().parser(MsgPack)).service()),
            (Some("socket"), "big-integers") => one(socket::server(SocketIo::builder().parser(BigIntegers)).service()),
            (Some("app"), "default") => {
                let mut commands = one(app::server(SocketIo::builder()).service())?;
                if let Some(port) = msgpack_port(port)? {
                    let service = app::server(SocketIo::builder().parser(MsgPack)).service();
                    commands.push(Self::new(service, port));
                }
                Ok(commands)
            }
            (Some("dynamic"), "default") => one(dynamic::server().service()),
            (Some("load"), "default") => one(load::server().service()),
            (Some("operators"), "default") => one(operators::server().service()),
            (Some("socket-client"), "default") => one(socket_client::server().service()),
            (Some(contract), parser) => Err(format!("unknown contract {contract} with the parser {parser}")),
            (None, _) => Err(format!("--contract {} is needed", CONTRACTS.join("|"))),
        }
    }
}

/// The second port of the contract `app`: `MSGPACK_PORT`, else the one after the first, if that is said.
fn msgpack_port(first: u16) -> Result<Option<u16>, String> {
    match env::var("MSGPACK_PORT") {
        Ok(port) => port.parse().map(Some).map_err(|_| format!("{port} is no port")),
        Err(_) if first == 0 => Ok(None),
        Err(_) => Ok(first.checked_add(1)),
    }
}

/// What a server under test does: serves on each of its ports, and reports what stops it.
pub async fn run<F>(serve: impl Fn(Command) -> F) -> ExitCode
where
    F: Future<Output = io::Result<()>>,
{
    let result = match Command::from_args() {
        Ok(commands) => try_join_all(commands.into_iter().map(serve))
            .await
            .map_err(|error| error.to_string()),
        Err(error) => Err(error),
    };
    match result {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Listens on that port, and tells which it is to who started the server. Clients over WebTransport, where
/// there are to be any, are served from now on.
///
/// # Errors
/// When the port is taken.
pub fn listen(service: &Service, port: u16) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    listener.set_nonblocking(true)?;
    if webtransport::is_asked_for() {
        webtransport::serve(service, listener.local_addr()?)?;
    }
    println!("listening on http://{}", listener.local_addr()?);
    Ok(listener)
}

/// A duration from the environment, in milliseconds.
fn milliseconds(variable: &str, default: u64) -> Duration {
    Duration::from_millis(number(variable).unwrap_or(default))
}

/// A number from the environment.
fn number<T: FromStr>(variable: &str) -> Option<T> {
    env::var(variable).ok().and_then(|value| value.parse().ok())
}

/// The repository's README, so that its code is compiled.
#[cfg(doctest)]
#[doc = include_str!("../../../../README.md")]
struct Readme;
