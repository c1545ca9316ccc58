//! Every setting of the engine: its default, its unit, why.

use std::{sync::Arc, time::Duration};

use super::{
    conn::Timing,
    generation::Generation,
    hooks::Hooks,
    runtime::Runtime,
    transport::{Transport, websocket::deflate::PerMessageDeflate},
};
use crate::{client_bundle::ClientBundle, cors::Cors};

/// The engine's settings. The defaults are the reference server's, save
/// [`max_outbox_bytes`](crate::SocketIoBuilder::max_outbox_bytes), which it does not have.
///
/// They are set by the methods of [`SocketIoBuilder`](crate::SocketIoBuilder) and
/// [`EngineBuilder`](super::EngineBuilder), which say what each means:
///
/// | setting | default |
/// |---|---|
/// | `path` | `/socket.io` |
/// | `generations` | all |
/// | `transports` | all but Flash's and WebTransport |
/// | `allow_upgrades` | yes |
/// | `jsonp` | off |
/// | `ping_interval` | 25 s |
/// | `ping_timeout` | 20 s |
/// | `upgrade_timeout` | 10 s |
/// | `max_payload` | 1,000,000 bytes |
/// | `max_outbox_bytes` | 1,000,000 bytes |
/// | `per_message_deflate` | off |
/// | `cors` | pages of the same origin |
/// | `runtime` | the current one |
/// | `serve_client` | off |
/// | `http_compression` | from 1,024 bytes on |
/// | `hooks` | none |
#[derive(Debug, Clone)]
pub(crate) struct EngineConfig {
    pub(crate) path: Box<str>,
    pub(crate) generations: Vec<Generation>,
    pub(crate) transports: Vec<Transport>,
    pub(crate) allow_upgrades: bool,
    pub(crate) jsonp: bool,
    pub(crate) ping_interval: Duration,
    pub(crate) ping_timeout: Duration,
    pub(crate) upgrade_timeout: Duration,
    pub(crate) max_payload: usize,
    pub(crate) max_outbox_bytes: usize,
    pub(crate) per_message_deflate: Option<PerMessageDeflate>,
    pub(crate) cors: Cors,
    pub(crate) runtime: Runtime,
    pub(crate) client_bundle: Option<Arc<ClientBundle>>,
    pub(crate) http_compression: Option<usize>,
    pub(crate) hooks: Hooks,
}

/// A duration that can be added to any time, and that passes.
pub(crate) fn bounded(duration: Duration) -> Duration {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    duration.clamp(Duration::from_millis(1), YEAR)
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            path: "/socket.io".into(),
            generations: Generation::ALL.to_vec(),
            transports: Transport::DEFAULT.to_vec(),
            allow_upgrades: true,
            jsonp: false,
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            upgrade_timeout: Duration::from_secs(10),
            max_payload: 1_000_000,
            max_outbox_bytes: 1_000_000,
            per_message_deflate: None,
            cors: Cors::same_origin(),
            runtime: Runtime::default(),
            client_bundle: None,
            http_compression: Some(1024),
            hooks: Hooks::default(),
        }
    }
}

impl EngineConfig {
    pub(super) fn timing(&self) -> Timing {
        Timing {
            ping_interval: self.ping_interval,
            ping_timeout: self.ping_timeout,
        }
    }

    /// How long a client may hear nothing, in whole seconds, for those who are told so.
    pub(super) fn silence_seconds(&self) -> u64 {
        let silence = self.ping_interval + self.ping_timeout;
        silence.as_secs() + u64::from(silence.subsec_nanos() > 0)
    }

    /// Which of those transports clients may use.
    pub(super) fn offered(&self, among: &[Transport]) -> Vec<Transport> {
        let is_offered = |transport: &Transport| {
            self.transports.contains(transport) && (self.jsonp || *transport != Transport::JsonpPolling)
        };
        among.iter().copied().filter(is_offered).collect()
    }

    /// Which transports a client on this one may upgrade to.
    pub(super) fn upgrades_from(&self, transport: Transport) -> Vec<&'static str> {
        let upgrades: &[_] = match transport {
            Transport::Polling if self.allow_upgrades => &[Transport::WebSocket, Transport::WebTransport],
            _ => &[],
        };
        self.offered(upgrades).into_iter().map(Transport::as_str).collect()
    }
}

/// The setters of [`EngineConfig`], for every builder that has one.
macro_rules! engine_settings {
    ($($config:ident).+) => {
        /// The path of the endpoint, which clients are told by their option `path`. Default
        /// `/socket.io`. Slashes at its end are taken off.
        ///
        /// # Panics
        /// When it does not begin with a slash.
        ///
        /// ```
        /// use tower_socketio::SocketIo;
        ///
        /// let io = SocketIo::builder().path("/live/").build();
        /// assert_eq!(io.path(), "/live");
        /// ```
        #[must_use]
        pub fn path(mut self, path: &str) -> Self {
            assert!(path.starts_with('/'), "the path {path:?} must begin with a slash");
            self.$($config).+.path = path.trim_end_matches('/').into();
            self
        }

        /// The transports that clients may use, in any order. Default: all but
        /// [`FlashSocket`]($crate::Transport::FlashSocket) and
        /// [`WebTransport`]($crate::Transport::WebTransport).
        ///
        /// A request for another is refused with status 400 and `Transport unknown`, as the
        /// reference server does. Clients begin with polling unless their option `transports` says
        /// otherwise. Clients before 1.0 are told which of theirs there are, and refused
        /// if there are none.
        ///
        /// # Panics
        /// When there are none.
        ///
        /// ```
        /// use tower_socketio::{SocketIo, Transport};
        ///
        /// let io = SocketIo::builder().transports([Transport::WebSocket]).build();
        /// ```
        #[must_use]
        pub fn transports(mut self, transports: impl IntoIterator<Item = $crate::Transport>) -> Self {
            self.$($config).+.transports = transports.into_iter().collect();
            assert!(!self.$($config).+.transports.is_empty(), "at least one transport is needed");
            self
        }

        /// The generations of clients that are served. Default: all; for the engine alone, which
        /// knows no messages of Socket.IO 0.9, the others.
        ///
        /// Clients of another are refused with status 400, as the reference server does.
        ///
        /// # Panics
        /// When there are none.
        ///
        /// ```
        /// use tower_socketio::{Generation, SocketIo};
        ///
        /// let io = SocketIo::builder().generations([Generation::Eio4]).build();
        /// ```
        #[must_use]
        pub fn generations(mut self, generations: impl IntoIterator<Item = $crate::Generation>) -> Self {
            self.$($config).+.generations = generations.into_iter().collect();
            assert!(!self.$($config).+.generations.is_empty(), "at least one generation is needed");
            self
        }

        /// Whether clients may poll by JSONP: the last resort of clients before 3.0 in browsers without
        /// CORS (`forceJSONP`, `jsonp-polling`). Default: no.
        ///
        /// Any page can load a script with its visitor's cookies and without an `Origin`. So the page
        /// that the browser names as the referrer must be one of the server's own or of
        /// [`cors`](Self::cors)'s, and where it names none it must not say that the request is
        /// another site's.
        ///
        /// ```
        /// use tower_socketio::SocketIo;
        ///
        /// let io = SocketIo::builder().jsonp(true).build();
        /// ```
        #[must_use]
        pub fn jsonp(mut self, allowed: bool) -> Self {
            self.$($config).+.jsonp = allowed;
            self
        }

        /// How long after a client's last answer the next heartbeat begins. Default 25 s.
        ///
        /// The server pings and the client answers; clients 1.x and 2.x ping and the server answers. The
        /// client is told the interval in whole milliseconds. A poll is held for no longer.
        ///
        /// ```
        /// use std::time::Duration;
        /// use tower_socketio::SocketIo;
        ///
        /// let io = SocketIo::builder().ping_interval(Duration::from_secs(10)).build();
        /// ```
        #[must_use]
        pub fn ping_interval(mut self, interval: std::time::Duration) -> Self {
            self.$($config).+.ping_interval = $crate::engine::config::bounded(interval);
            self
        }

        /// How long a client may take to answer a heartbeat. Then it is taken for dead, and its
        /// connection ends with `ping timeout`. Default 20 s.
        ///
        /// The first other packet that comes meanwhile starts the wait anew. With the default
        /// [`ping_interval`](Self::ping_interval), a broken network is noticed within 45 s. The
        /// client, which is told both, closes by itself when it hears nothing for as long; clients
        /// before 1.0 are told the sum of both, in whole seconds.
        ///
        /// ```
        /// use std::time::Duration;
        /// use tower_socketio::SocketIo;
        ///
        /// let io = SocketIo::builder().ping_timeout(Duration::from_secs(5)).build();
        /// ```
        #[must_use]
        pub fn ping_timeout(mut self, timeout: std::time::Duration) -> Self {
            self.$($config).+.ping_timeout = $crate::engine::config::bounded(timeout);
            self
        }

        /// Whether clients that poll are told what they may upgrade to. Default: yes. If not, each stays on the
        /// transport that it begins with: polling, unless its option `transports` says otherwise.
        ///
        /// Clients before 1.0 do not upgrade; they choose from [`transports`](Self::transports).
        ///
        /// ```
        /// use tower_socketio::SocketIo;
        ///
        /// let io = SocketIo::builder().allow_upgrades(false).build();
        /// ```
        #[must_use]
        pub fn allow_upgrades(mut self, allow: bool) -> Self {
            self.$($config).+.allow_upgrades = allow;
            self
        }

        /// How long an upgrade from polling may take. Then the WebSocket or the session of WebTransport
        /// is closed and the client stays on polling. Also, how long a client over WebTransport may take
        /// to send its first packet. Default 10 s.
        ///
        /// ```
        /// use std::time::Duration;
        /// use tower_socketio::SocketIo;
        ///
        /// let io = SocketIo::builder().upgrade_timeout(Duration::from_secs(3)).build();
        /// ```
        #[must_use]
        pub fn upgrade_timeout(mut self, timeout: std::time::Duration) -> Self {
            self.$($config).+.upgrade_timeout = $crate::engine::config::bounded(timeout);
            self
        }

        /// The largest message and the largest POST that a client may send, in bytes. Default
        /// 1,000,000. (`maxHttpBufferSize` of the reference server.)
        ///
        /// A longer POST is answered with status 413, and the session goes on. A longer WebSocket
        /// message closes the connection with code 1009 (RFC 6455), one over WebTransport closes it
        /// without a word. The client is told the number, and
        /// divides its polling payloads accordingly. What the server sends is not limited by it.
        ///
        /// ```
        /// use tower_socketio::SocketIo;
        ///
        /// let io = SocketIo::builder().max_payload(10_000_000).build();
        /// ```
        #[must_use]
        pub fn max_payload(mut self, bytes: usize) -> Self {
            self.$($config).+.max_payload = bytes;
            self
        }

        /// How many bytes may wait for a client that reads slowly, beyond its largest message. Default
        /// 1,000,000.
        ///
        /// A message is queued, whatever its size, as long as no more than that wait. When more do,
        /// volatile messages are given up, and if that does not help the client is disconnected with
        /// `transport error`. It is also how much a socket may emit before it is let in.
        ///
        /// ```
        /// use tower_socketio::SocketIo;
        ///
        /// let io = SocketIo::builder().max_outbox_bytes(64 * 1024).build();
        /// ```
        #[must_use]
        pub fn max_outbox_bytes(mut self, bytes: usize) -> Self {
            self.$($config).+.max_outbox_bytes = bytes;
            self
        }

        /// Compresses messages over WebSockets (`permessage-deflate`, RFC 7692) for clients that offer it,
        /// as browsers do, and takes theirs. Default: off, since it costs more time than all else that
        /// is done with a message.
        ///
        /// A client's message may have [`max_payload`](Self::max_payload) bytes compressed and as
        /// many when it is not. With it, a client whose `Sec-WebSocket-Extensions` is malformed is refused.
        ///
        /// ```
        /// use tower_socketio::{PerMessageDeflate, SocketIo};
        ///
        /// let io = SocketIo::builder().per_message_deflate(PerMessageDeflate::default()).build();
        /// ```
        #[must_use]
        pub fn per_message_deflate(mut self, deflate: $crate::PerMessageDeflate) -> Self {
            self.$($config).+.per_message_deflate = Some(deflate);
            self
        }

        /// Which pages of other origins may connect. Default: none, which is
        /// [`Cors::same_origin`](crate::Cors::same_origin).
        ///
        /// ```
        /// use tower_socketio::{Cors, SocketIo};
        ///
        /// let cors = Cors::origins(["https://app.example"]).credentials(true);
        /// let io = SocketIo::builder().cors(cors).build();
        /// ```
        #[must_use]
        pub fn cors(mut self, cors: $crate::Cors) -> Self {
            self.$($config).+.cors = cors;
            self
        }

        /// The runtime that carries polling clients and what handlers leave to do when their
        /// client is gone. Default: the one that builds the server or serves its first request.
        ///
        /// It must have tokio's timers and outlive the server. Needed where requests are served by
        /// runtimes of their own, which may end while clients are connected.
        ///
        /// ```
        /// use tower_socketio::SocketIo;
        ///
        /// let background = tokio::runtime::Runtime::new()?;
        /// let io = SocketIo::builder().runtime(background.handle().clone()).build();
        /// # Ok::<(), std::io::Error>(())
        /// ```
        #[must_use]
        pub fn runtime(mut self, runtime: tokio::runtime::Handle) -> Self {
            self.$($config).+.runtime = $crate::engine::Runtime::given(runtime);
            self
        }

        /// Serves the official browser client from a directory, as `<path>/socket.io.min.js` and
        /// its siblings: the folder `dist` of the npm package `socket.io-client`. Default: off.
        ///
        /// The files are read now, which blocks, and kept in memory: about 1.2 MB for version 4.8.
        ///
        /// # Errors
        /// When the directory holds none of the client's files or one of them cannot be read.
        ///
        /// ```
        /// use tower_socketio::{ClientBundleError, SocketIo};
        ///
        /// fn server() -> Result<SocketIo, ClientBundleError> {
        ///     let builder = SocketIo::builder().serve_client("node_modules/socket.io-client/dist")?;
        ///     Ok(builder.build())
        /// }
        /// # assert!(server().is_err());
        /// ```
        pub fn serve_client(mut self, dir: impl AsRef<std::path::Path>) -> Result<Self, $crate::ClientBundleError> {
            let bundle = $crate::client_bundle::ClientBundle::load(dir.as_ref())?;
            self.$($config).+.client_bundle = Some(std::sync::Arc::new(bundle));
            Ok(self)
        }

        $crate::engine::http_settings!($($config).+);
    };
}
pub(crate) use engine_settings;
