//! Every setting of the engine: its default, its unit, why.

use std::{sync::Arc, time::Duration};

use tokio::runtime::Handle;

use super::{conn::Timing, transport::Transport};
use crate::{client_bundle::ClientBundle, cors::Cors};

/// The engine's settings. The defaults are the reference server's.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    pub(crate) path: Box<str>,
    pub(crate) transports: Vec<Transport>,
    pub(crate) ping_interval: Duration,
    pub(crate) ping_timeout: Duration,
    pub(crate) upgrade_timeout: Duration,
    pub(crate) max_payload: usize,
    pub(crate) max_outbox_bytes: usize,
    pub(crate) cors: Cors,
    pub(crate) runtime: Option<Handle>,
    pub(crate) client_bundle: Option<Arc<ClientBundle>>,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            path: "/socket.io".into(),
            transports: vec![Transport::Polling, Transport::WebSocket],
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            upgrade_timeout: Duration::from_secs(10),
            max_payload: 1_000_000,
            max_outbox_bytes: 1_000_000,
            cors: Cors::same_origin(),
            runtime: None,
            client_bundle: None,
        }
    }
}

impl EngineConfig {
    pub(super) fn timing(&self) -> Timing {
        Timing {
            ping_interval: self.ping_interval,
            ping_timeout: self.ping_timeout,
            upgrade_timeout: self.upgrade_timeout,
        }
    }

    /// Which transports a client on this one may upgrade to.
    pub(super) fn upgrades_from(&self, transport: Transport) -> &'static [&'static str] {
        if transport == Transport::Polling && self.transports.contains(&Transport::WebSocket) {
            &["websocket"]
        } else {
            &[]
        }
    }
}

/// The setters of [`EngineConfig`], for every builder that has one.
macro_rules! engine_settings {
    ($($config:ident).+) => {
        /// The path of the endpoint. Default `/socket.io`.
        ///
        /// # Panics
        /// When it does not begin with a slash.
        #[must_use]
        pub fn path(mut self, path: &str) -> Self {
            assert!(path.starts_with('/'), "the path {path:?} must begin with a slash");
            self.$($config).+.path = path.trim_end_matches('/').into();
            self
        }

        /// The transports that clients may use. Default: polling and WebSocket.
        ///
        /// # Panics
        /// When there are none.
        #[must_use]
        pub fn transports(mut self, transports: impl IntoIterator<Item = $crate::Transport>) -> Self {
            self.$($config).+.transports = transports.into_iter().collect();
            assert!(!self.$($config).+.transports.is_empty(), "at least one transport is needed");
            self
        }

        /// How long after a heartbeat the next one begins. Default 25 s.
        #[must_use]
        pub fn ping_interval(mut self, interval: std::time::Duration) -> Self {
            self.$($config).+.ping_interval = interval;
            self
        }

        /// How long a client may take to answer a heartbeat before it is taken for dead.
        /// Default 20 s.
        #[must_use]
        pub fn ping_timeout(mut self, timeout: std::time::Duration) -> Self {
            self.$($config).+.ping_timeout = timeout;
            self
        }

        /// How long an upgrade from polling to WebSocket may take. Default 10 s.
        #[must_use]
        pub fn upgrade_timeout(mut self, timeout: std::time::Duration) -> Self {
            self.$($config).+.upgrade_timeout = timeout;
            self
        }

        /// The largest message and the largest POST that a client may send, in bytes. Default
        /// 1,000,000. (`maxHttpBufferSize` of the reference server.)
        #[must_use]
        pub fn max_payload(mut self, bytes: usize) -> Self {
            self.$($config).+.max_payload = bytes;
            self
        }

        /// How many bytes may wait for a client that reads slowly. A message is always queued
        /// when fewer wait; when more do, volatile messages are given up, and if that does not
        /// help the client is disconnected. Default 1,000,000.
        #[must_use]
        pub fn max_outbox_bytes(mut self, bytes: usize) -> Self {
            self.$($config).+.max_outbox_bytes = bytes;
            self
        }

        /// Which pages of other origins may connect. Default: none.
        #[must_use]
        pub fn cors(mut self, cors: $crate::Cors) -> Self {
            self.$($config).+.cors = cors;
            self
        }

        /// The runtime that carries polling clients and what handlers leave to do when their
        /// client is gone. Default: the one that builds the server or serves its first request.
        #[must_use]
        pub fn runtime(mut self, runtime: tokio::runtime::Handle) -> Self {
            self.$($config).+.runtime = Some(runtime);
            self
        }

        /// Serves the official browser client from a directory, as `<path>/socket.io.min.js` and
        /// its siblings: the folder `dist` of the npm package `socket.io-client`.
        ///
        /// # Errors
        /// When the directory holds none of the client's files or one of them cannot be read.
        pub fn serve_client(mut self, dir: impl AsRef<std::path::Path>) -> Result<Self, $crate::ClientBundleError> {
            let bundle = $crate::client_bundle::ClientBundle::load(dir.as_ref())?;
            self.$($config).+.client_bundle = Some(std::sync::Arc::new(bundle));
            Ok(self)
        }
    };
}
pub(crate) use engine_settings;
