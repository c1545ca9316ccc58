//! What carries a connection's bytes. Each transport drives the connection it carries; which one
//! that is may change once, from polling to WebSocket.

use std::fmt;

pub(crate) mod jsonp;
pub(crate) mod polling;
pub(crate) mod websocket;

/// How a client is connected at this moment.
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
    /// WebSocket.
    WebSocket,
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
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Polling, Self::WebSocket]
            .into_iter()
            .find(|transport| transport.as_str() == name)
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
