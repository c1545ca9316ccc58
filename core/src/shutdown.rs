//! The end of a server: at once, or after its clients had time to go elsewhere; by a call, or when the
//! process is asked to stop.

use std::{
    fmt,
    future::IntoFuture,
    pin::{Pin, pin},
    time::Duration,
};

use futures_util::future::{Either, select};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::{
    engine::{CloseReason, config::bounded},
    server::SocketIo,
};

/// How often [spread](Drain::spread) clients are told to go, at most.
const BATCH_EVERY: Duration = Duration::from_millis(100);

/// The end of a server that gives its clients time to go elsewhere, made by
/// [`drain`](SocketIo::drain). It begins when it is awaited.
///
/// New clients are refused from the start, with status 503, so that a load balancer takes them
/// elsewhere. Those who are connected go on as before, and may still upgrade to a WebSocket, until they
/// leave or the time is over. Then the server is [closed](SocketIo::close), also when nobody is left
/// before.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use std::time::Duration;
/// use tower_socketio::SocketIo;
///
/// let io = SocketIo::builder().build();
/// io.drain(Duration::from_secs(30)).spread().await;
/// assert!(io.is_closing());
/// # }
/// ```
#[must_use = "it begins when it is awaited"]
pub struct Drain {
    io: SocketIo,
    within: Duration,
    spread: bool,
}

impl Drain {
    /// Closes the clients' connections one after the other, spread evenly over the time, so that they do
    /// not all come back in one instant. Clients connect again by themselves: elsewhere, where a load
    /// balancer sees to it.
    ///
    /// Without, those who have not left by themselves are closed together when the time is over.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # use std::time::Duration;
    /// # let io = tower_socketio::SocketIo::builder().build();
    /// // Of 10,000 clients, 33 every tenth of a second.
    /// io.drain(Duration::from_secs(30)).spread().await;
    /// # }
    /// ```
    pub fn spread(mut self) -> Self {
        self.spread = true;
        self
    }

    /// Waits until the process is asked to stop, as [`close_on_signal`](SocketIo::close_on_signal), and
    /// begins then. Asked again, it closes the server at once.
    ///
    /// It is the shutdown signal of the web framework's server, which goes on to accept connections
    /// meanwhile. The process must be given that time before it is killed, and 5 seconds more.
    ///
    /// # Panics
    /// When polled outside of a tokio runtime with I/O, or when signals cannot be listened to.
    ///
    /// ```no_run
    /// # async fn serve_until(_: impl Future<Output = ()> + Send + 'static) {}
    /// # async fn main_function() {
    /// use std::time::Duration;
    /// use tower_socketio::SocketIo;
    ///
    /// let io = SocketIo::builder().build();
    /// serve_until(io.drain(Duration::from_secs(30)).spread().on_signal()).await;
    /// # }
    /// ```
    pub async fn on_signal(self) {
        asked_to_stop().await;
        let io = self.io.clone();
        if let Either::Right(_) = select(pin!(self.run()), pin!(asked_to_stop())).await {
            io.close().await;
        }
    }

    async fn run(self) {
        let Self { io, within, spread } = self;
        let end = Instant::now() + within;
        let engine = io.engine();
        engine.refuse_new();
        {
            let time = async {
                if spread {
                    spread_until(&io, end).await;
                }
                sleep_until(end).await;
            };
            select(pin!(time), pin!(engine.idle())).await;
        }
        io.close().await;
    }
}

/// Closes all connections that there are now, evenly until then.
async fn spread_until(io: &SocketIo, end: Instant) {
    let mut connections = io.engine().all_connections();
    let all = connections.len();
    let start = Instant::now();
    let time = end - start;
    let most = u32::try_from(time.as_millis() / BATCH_EVERY.as_millis()).unwrap_or(u32::MAX);
    let batches = most.min(u32::try_from(all).unwrap_or(u32::MAX)).max(1);
    for batch in 1..=batches {
        let left = all as u64 * u64::from(batches - batch) / u64::from(batches);
        for connection in connections.drain(usize::try_from(left).unwrap_or(all)..) {
            connection.close(CloseReason::ServerShuttingDown);
        }
        sleep_until(start + time * batch / batches).await;
    }
}

impl IntoFuture for Drain {
    type Output = ();
    type IntoFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl fmt::Debug for Drain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drain")
            .field("within", &self.within)
            .field("spread", &self.spread)
            .finish_non_exhaustive()
    }
}

impl SocketIo {
    /// Waits until the process is asked to stop, by Ctrl-C or by the signal that process managers
    /// send (SIGTERM), and [closes](Self::close) the server: the shutdown signal of the web
    /// framework's server, which then finds all its requests answered.
    ///
    /// Closing takes no longer than [`close_timeout`](crate::SocketIoBuilder::close_timeout). For
    /// another signal, await it and then `close()`. To give clients time, see [`drain`](Self::drain).
    ///
    /// # Panics
    /// When polled outside of a tokio runtime with I/O, or when signals cannot be listened to.
    ///
    /// ```no_run
    /// # async fn serve_until(_: impl Future<Output = ()> + Send + 'static) {}
    /// # async fn main_function() {
    /// use tower_socketio::SocketIo;
    ///
    /// let io = SocketIo::builder().build();
    /// serve_until(io.close_on_signal()).await;
    /// # }
    /// ```
    pub fn close_on_signal(&self) -> impl Future<Output = ()> + Send + use<> {
        let io = self.clone();
        async move {
            asked_to_stop().await;
            io.close().await;
        }
    }

    /// Refuses new clients, sends the others what is queued and disconnects them with `server
    /// shutting down`, and waits until all handlers and disconnect handlers have ended, for at most
    /// [`close_timeout`](crate::SocketIoBuilder::close_timeout), 5 seconds by default.
    ///
    /// Handlers that are still at work after half of that time are dropped where they await, so that
    /// disconnect handlers have the other half; [jobs](crate::Socket::spawn) are aborted at once. No
    /// packet tells clients of it, as with the reference server: they see their connection end, and
    /// connect again by themselves.
    ///
    /// It cannot be undone; a server that is never closed is kept for as long as the process runs. Call it from a task of its own, not from a handler, which it would wait
    /// for.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use tower_socketio::SocketIo;
    ///
    /// let io = SocketIo::builder().build();
    /// io.close().await;
    /// assert_eq!(io.clients_count(), 0);
    /// # }
    /// ```
    pub async fn close(&self) {
        let end = Instant::now() + self.close_timeout();
        self.engine().close(self.close_timeout()).await;
        if timeout_at(end, self.close_adapters()).await.is_err() {
            tracing::warn!("the server closed before all of its adapters had");
        }
        self.forget_namespaces();
    }

    /// Closes the server after its clients had so much time to leave: see [`Drain`]. At most a year.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use std::time::Duration;
    /// use tower_socketio::SocketIo;
    ///
    /// let io = SocketIo::builder().build();
    /// io.drain(Duration::from_secs(30)).await;
    /// # }
    /// ```
    pub fn drain(&self, within: Duration) -> Drain {
        Drain {
            io: self.clone(),
            within: bounded(within),
            spread: false,
        }
    }

    /// Whether the server is [closed](Self::close) or [drained](Self::drain), or about to be, and so
    /// takes no new clients: for a health check that tells a load balancer.
    ///
    /// ```
    /// use tower_socketio::SocketIo;
    ///
    /// let io = SocketIo::builder().build();
    /// let status = if io.is_closing() { 503 } else { 200 };
    /// assert_eq!(status, 200);
    /// ```
    pub fn is_closing(&self) -> bool {
        self.engine().refuses_new()
    }
}

async fn asked_to_stop() {
    let interrupt = async { tokio::signal::ctrl_c().await.expect(LISTENING) };
    #[cfg(unix)]
    let terminate = async {
        use tokio::signal::unix::{SignalKind, signal};
        signal(SignalKind::terminate()).expect(LISTENING).recv().await;
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    select(pin!(interrupt), pin!(terminate)).await;
}

const LISTENING: &str = "signals can be listened to";
