//! Why a socket left its namespace.

use std::fmt;

use crate::engine::CloseReason;

/// Why a socket left its namespace, in the reference server's words.
///
/// ```
/// use tower_socketio::DisconnectReason;
///
/// let reason = DisconnectReason::ClientNamespaceDisconnect;
/// assert_eq!(reason.to_string(), "client namespace disconnect");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The client left the namespace.
    ClientNamespaceDisconnect,
    /// The application made it leave.
    ServerNamespaceDisconnect,
    /// Its connection ended.
    Closed(CloseReason),
}

impl DisconnectReason {
    /// The reference server's name for it.
    ///
    /// ```
    /// use tower_socketio::{CloseReason, DisconnectReason};
    ///
    /// let reason = DisconnectReason::Closed(CloseReason::PingTimeout);
    /// assert_eq!(reason.as_str(), "ping timeout");
    /// ```
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientNamespaceDisconnect => "client namespace disconnect",
            Self::ServerNamespaceDisconnect => "server namespace disconnect",
            Self::Closed(reason) => reason.as_str(),
        }
    }
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
