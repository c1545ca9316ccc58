//! The applications that the servers under test mount, whatever their web framework, and the
//! command line that chooses one.

pub mod app;
pub mod engine;
pub mod load;
pub mod operators;
pub mod socket;

use std::{env, io, net::TcpListener, process::ExitCode, time::Duration};

use tower_socketio::{Generation, Service};

/// What a server under test is asked to be.
#[derive(Debug)]
pub struct Command {
    /// What it serves.
    pub service: Service,
    /// The port to listen on; 0 for any.
    pub port: u16,
}

impl Command {
    /// Reads `--contract NAME --port N`; `PORT` in the environment is the default port.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the command line.
    pub fn from_args() -> Result<Self, String> {
        let mut contract = None;
        let mut port = env::var("PORT").ok();
        let mut args = env::args().skip(1);
        while let Some(arg) = args.next() {
            let value = args.next().ok_or_else(|| format!("{arg} wants a value"))?;
            match arg.as_str() {
                "--contract" => contract = Some(value),
                "--port" => port = Some(value),
                "--parser" if value == "default" => {}
                "--parser" => return Err(format!("parser {value}: this server has only the default one yet")),
                _ => return Err(format!("unknown argument {arg}")),
            }
        }
        let service = match contract.as_deref() {
            Some("engine") => engine::server(Generation::Eio4).service(),
            Some("engine3") => engine::server(Generation::Eio3).service(),
            Some("socket") => socket::server().service(),
            Some("app") => {
                if env::var_os("MSGPACK_PORT").is_some() {
                    eprintln!("MSGPACK_PORT is set, but this server has no msgpack parser yet: nobody listens there");
                }
                app::server().service()
            }
            Some("load") => load::server().service(),
            Some("operators") => operators::server().service(),
            Some(known @ ("socket-client" | "engine-client")) => {
                return Err(format!("contract {known} needs what this server does not have yet"));
            }
            Some(other) => return Err(format!("unknown contract {other}")),
            None => return Err("--contract engine|engine3|socket|app|load|operators is needed".to_owned()),
        };
        let port = port.unwrap_or_else(|| "0".to_owned());
        let port = port.parse().map_err(|_| format!("{port} is no port"))?;
        Ok(Self { service, port })
    }
}

/// What a server under test does: reports what stops it.
pub async fn run<F>(serve: impl FnOnce(Command) -> F) -> ExitCode
where
    F: Future<Output = io::Result<()>>,
{
    let result = match Command::from_args() {
        Ok(command) => serve(command).await.map_err(|error| error.to_string()),
        Err(error) => Err(error),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Listens on that port, and tells which it is to who started the server.
///
/// # Errors
/// When the port is taken.
pub fn listen(port: u16) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    listener.set_nonblocking(true)?;
    println!("listening on http://{}", listener.local_addr()?);
    Ok(listener)
}

/// A duration from the environment, in milliseconds.
fn milliseconds(variable: &str, default: u64) -> Duration {
    let value = env::var(variable).ok().and_then(|value| value.parse().ok());
    Duration::from_millis(value.unwrap_or(default))
}

/// The repository's README, so that its code is compiled.
#[cfg(doctest)]
#[doc = include_str!("../../../../README.md")]
struct Readme;
