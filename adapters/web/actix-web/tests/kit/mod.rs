//! A real actix-web server on a port of its own ([`serve!`]), and clients that speak raw HTTP and
//! WebSocket.
//!
//! Every wait is bounded, so that what never comes is a failure and not a hang.

#![allow(dead_code, reason = "every test crate has its own copy and uses a part of it")]

mod clients;

use std::{net::TcpListener, ops::Deref, thread, time::Duration};

use actix_socketio::{Ack, DisconnectReason, RawArgs, SocketIo, SocketIoBuilder, State};
use actix_web::dev::ServerHandle;
use tokio::{sync::mpsc, task::JoinHandle};

pub(crate) use self::clients::*;

/// Longer than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Where a poll begins a session at the usual path.
pub(crate) const HANDSHAKE: &str = "/socket.io/?EIO=4&transport=polling";

/// Serves an application, given as the expression that makes it, by one worker; or with settings of
/// the `HttpServer`.
macro_rules! serve {
    ($app:expr) => { serve!($app, workers(1)) };
    ($app:expr, $($setting:ident($($value:expr)?)),+) => {
        $crate::kit::Server::start(|listener| {
            let server = actix_web::HttpServer::new(move || $app).disable_signals();
            server$(.$setting($($value)?))+.listen(listener).map(|server| server.run())
        })
    };
}

/// A server that runs, and where clients find it.
pub(crate) struct Server {
    client: Client,
    pub(crate) handle: ServerHandle,
    pub(crate) serving: JoinHandle<std::io::Result<()>>,
}

impl Server {
    pub(crate) fn start(run: impl FnOnce(TcpListener) -> std::io::Result<actix_web::dev::Server>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let server = run(listener).unwrap();
        Self {
            client: Client(addr),
            handle: server.handle(),
            serving: tokio::spawn(server),
        }
    }
}

impl Deref for Server {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("in time")
}

/// Looks again and again until it is so.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let looking = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let seen = tokio::time::timeout(PATIENCE, looking).await;
    seen.unwrap_or_else(|_| panic!("{what}: never"));
}

// ---- Applications ----

pub(crate) async fn echo(args: RawArgs) -> Ack<RawArgs> {
    Ack(args)
}

pub(crate) fn echo_server() -> SocketIo {
    with_echo(SocketIo::builder())
}

pub(crate) fn with_echo(builder: SocketIoBuilder) -> SocketIo {
    let io = builder.build();
    io.of("/").on("echo", echo);
    io
}

/// Why sockets of `/` left, as they do.
pub(crate) type Leaves = mpsc::UnboundedReceiver<String>;

/// As [`with_echo`], and tells who leaves.
pub(crate) fn with_leaves(builder: SocketIoBuilder) -> (SocketIo, Leaves) {
    let (left, leaves) = mpsc::unbounded_channel();
    let io = with_echo(builder.state(left));
    io.of("/").on_disconnect(tell_leave);
    (io, leaves)
}

async fn tell_leave(why: DisconnectReason, State(left): State<mpsc::UnboundedSender<String>>) {
    left.send(why.to_string()).unwrap();
}

/// The worker that runs this, by its thread.
pub(crate) fn worker() -> String {
    format!("{:?}", thread::current().id())
}
