//! What carries a connection's bytes. Each transport drives the connection it carries; which one
//! that is may change, in most generations once, from polling to WebSocket.

use std::fmt;

pub(crate) mod dress;
pub(crate) mod duplex;
pub(crate) mod polling;
pub(crate) mod stream;
pub(crate) mod websocket;
pub(crate) mod webtransport;

/// How a client is connected at this moment. Clients before 1.0 have names of their own for most ways.
///
/// ```
/// use tower_socketio::Transport;
///
/// assert_eq!(Transport::WebSocket.to_string(), "websocket");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Transport {
    /// HTTP long-polling.
    Polling,
    /// WebSocket, of all generations.
    WebSocket,
    /// WebTransport, of clients 4.7 and newer: HTTP/3 on a listener of its own. Not offered unless asked
    /// for, together with that listener (the crate `webtransport-socketio`).
    WebTransport,
    /// A WebSocket that Adobe Flash opens for a client before 1.0. Not offered unless asked for: where
    /// Flash is installed and finds no [policy](crate::serve_flash_policy), such a client loses 10 s
    /// with it.
    FlashSocket,
    /// An endless page in a hidden frame, for Internet Explorer and clients before 1.0.
    HtmlFile,
    /// HTTP long-polling of clients before 1.0.
    XhrPolling,
    /// The same by `<script>` and form: only where [JSONP](crate::SocketIoBuilder::jsonp) is allowed.
    JsonpPolling,
}

impl Transport {
    /// Its name in URLs.
    ///
    /// ```
    /// use tower_socketio::Transport;
    ///
    /// assert_eq!(Transport::Polling.as_str(), "polling");
    /// ```
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Polling => "polling",
            Self::WebSocket => "websocket",
            Self::WebTransport => "webtransport",
            Self::FlashSocket => "flashsocket",
            Self::HtmlFile => "htmlfile",
            Self::XhrPolling => "xhr-polling",
            Self::JsonpPolling => "jsonp-polling",
        }
    }

    pub(crate) const ALL: [Self; 7] = [
        Self::Polling,
        Self::WebSocket,
        Self::WebTransport,
        Self::FlashSocket,
        Self::HtmlFile,
        Self::XhrPolling,
        Self::JsonpPolling,
    ];

    /// All that are on unless the application says otherwise.
    pub(crate) const DEFAULT: [Self; 5] = [
        Self::Polling,
        Self::WebSocket,
        Self::HtmlFile,
        Self::XhrPolling,
        Self::JsonpPolling,
    ];

    /// Those of clients that are asked for theirs in the query.
    pub(crate) const IN_QUERY: [Self; 2] = [Self::Polling, Self::WebSocket];

    /// Those of clients that are asked for theirs in the path, best first.
    pub(crate) const IN_PATH: [Self; 5] = [
        Self::WebSocket,
        Self::FlashSocket,
        Self::HtmlFile,
        Self::XhrPolling,
        Self::JsonpPolling,
    ];

    pub(crate) fn named(name: &str, among: &[Self]) -> Option<Self> {
        among.iter().copied().find(|transport| transport.as_str() == name)
    }

    pub(crate) const fn is_websocket(self) -> bool {
        matches!(self, Self::WebSocket | Self::FlashSocket)
    }

    /// Whether it is one stream both ways.
    pub(crate) const fn is_duplex(self) -> bool {
        self.is_websocket() || matches!(self, Self::WebTransport)
    }

    /// Whether each answer ends a request of the client's.
    pub(crate) const fn polls(self) -> bool {
        matches!(self, Self::Polling | Self::XhrPolling | Self::JsonpPolling)
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
