//! The generations of the protocol, and which one a client speaks.

use std::fmt;

/// A generation of the protocol, named by what users know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Generation {
    /// Engine.IO 4 and Socket.IO 5: clients 3.x and 4.x.
    Eio4,
}

impl Generation {
    /// Reads the `EIO` parameter of a URL.
    pub(crate) fn from_query(eio: Option<&str>) -> Option<Self> {
        match eio {
            Some("4") => Some(Self::Eio4),
            _ => None,
        }
    }

    /// The number that clients send as `EIO`.
    pub const fn protocol(self) -> u8 {
        match self {
            Self::Eio4 => 4,
        }
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Engine.IO {}", self.protocol())
    }
}
