//! Why a connection ended.

use std::fmt;

/// Why a connection ended, in the reference server's words.
///
/// ```
/// use tower_socketio::engine::CloseReason;
///
/// assert_eq!(CloseReason::PingTimeout.to_string(), "ping timeout");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// The client broke the rules of its transport, vanished in the middle of a request, or
    /// read so slowly that its outbox overflowed.
    TransportError,
    /// The client closed the connection, or its network did.
    TransportClose,
    /// The application closed the connection, or what the client sent made no sense to it.
    ForcedClose,
    /// The client did not answer a heartbeat in time.
    PingTimeout,
    /// The client sent a packet that is none.
    ParseError,
    /// The server is shutting down.
    ServerShuttingDown,
    /// The client joined no namespace in time, broke the protocol's order, or sent faster than it may.
    ForcedServerClose,
}

impl CloseReason {
    pub(crate) const ALL: [Self; 7] = [
        Self::TransportError,
        Self::TransportClose,
        Self::ForcedClose,
        Self::PingTimeout,
        Self::ParseError,
        Self::ServerShuttingDown,
        Self::ForcedServerClose,
    ];

    /// The reference server's name for it.
    ///
    /// ```
    /// use tower_socketio::CloseReason;
    ///
    /// assert_eq!(CloseReason::ServerShuttingDown.as_str(), "server shutting down");
    /// ```
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TransportError => "transport error",
            Self::TransportClose => "transport close",
            Self::ForcedClose => "forced close",
            Self::PingTimeout => "ping timeout",
            Self::ParseError => "parse error",
            Self::ServerShuttingDown => "server shutting down",
            Self::ForcedServerClose => "forced server close",
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
