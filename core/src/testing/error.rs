//! What a test is told when a client does not get what it waits for.

use std::{error::Error, fmt, time::Duration};

use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use crate::socketio::args::{ArgsError, EncodeError};

/// Why a client did not get what it waited for. `Debug` shows the same text as `Display`, so that
/// `unwrap` and a test that returns it read well.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use tower_socketio::{Refusal, SocketIo, testing::{self, TestError}};
///
/// let io = SocketIo::builder().build();
/// io.of("/admin").with(async || Err::<(), _>(Refusal::new("unauthorized")));
///
/// let error = testing::connect(&io, "/admin").await.unwrap_err();
/// assert!(matches!(&error, TestError::Refused { message, .. } if message == "unauthorized"));
/// assert_eq!(error.to_string(), r#"namespace "/admin" refused: unauthorized"#);
/// # }
/// ```
#[non_exhaustive]
pub enum TestError {
    /// The server did not accept the connection: a generation that it does not serve, an origin that it does
    /// not allow.
    NotAccepted {
        /// The response's status.
        status: StatusCode,
        /// The response's body.
        body: String,
    },
    /// The namespace did not let the client in: `connect_error`, or what it was in the client's
    /// generation.
    Refused {
        /// The namespace.
        namespace: String,
        /// What the client was told. Empty where it was told the data alone, as with Engine.IO 3.
        message: String,
        /// What came with it.
        data: Option<Value>,
    },
    /// The client is in the namespace already: one client is enough.
    AlreadyJoined {
        /// The namespace.
        namespace: String,
    },
    /// It did not come in time.
    Timeout {
        /// What did not come, in words.
        waited_for: String,
        /// The [time limit](super::ClientBuilder::time_limit).
        limit: Duration,
        /// The events that are there and were not asked for.
        received: Vec<String>,
    },
    /// The client is not in the namespace, or no longer.
    Disconnected {
        /// Why.
        parting: Parting,
        /// What cannot come or go, in words.
        waited_for: String,
        /// The events that are there and were not asked for.
        received: Vec<String>,
    },
    /// Something came where nothing was expected.
    Unexpected {
        /// The events.
        received: Vec<String>,
    },
    /// The arguments are not of the type asked for.
    Args {
        /// What they came with, in words.
        of: String,
        /// The arguments, as JSON.
        received: String,
        /// What is wrong with them.
        error: ArgsError,
    },
    /// What was to be sent cannot be.
    Encode(EncodeError),
}

impl fmt::Display for TestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAccepted { status, body } => write!(f, "connection not accepted: {status}: {body}"),
            Self::Refused {
                namespace,
                message,
                data,
            } => {
                write!(f, "namespace {namespace:?} refused: {message}")?;
                match data {
                    Some(data) if message.is_empty() => write!(f, "{data}"),
                    Some(data) => write!(f, " {data}"),
                    None => Ok(()),
                }
            }
            Self::AlreadyJoined { namespace } => {
                write!(
                    f,
                    "client is in namespace {namespace:?} already; use the client that is"
                )
            }
            Self::Timeout {
                waited_for,
                limit,
                received,
            } => write!(f, "no {waited_for} within {limit:?}; {}", Received(received)),
            Self::Disconnected {
                parting,
                waited_for,
                received,
            } => write!(f, "no {waited_for}: disconnected, {parting}; {}", Received(received)),
            Self::Unexpected { received } => write!(f, "nothing was expected; {}", Received(received)),
            Self::Args { of, received, error } => write!(f, "{of} came with ({received}): {error}"),
            Self::Encode(error) => error.fmt(f),
        }
    }
}

impl fmt::Debug for TestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for TestError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Args { error, .. } => Some(error),
            Self::Encode(error) => Some(error),
            _ => None,
        }
    }
}

impl From<EncodeError> for TestError {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}

struct Received<'a>(&'a [String]);

impl fmt::Display for Received<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => f.write_str("nothing came"),
            received => write!(f, "this came: {}", received.join(", ")),
        }
    }
}

/// Why a client is no longer in a namespace, in the words of the official clients.
///
/// ```
/// use tower_socketio::testing::Parting;
///
/// assert_eq!(Parting::ByServer.to_string(), "io server disconnect");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Parting {
    /// The server made it leave.
    ByServer,
    /// It left.
    ByClient,
    /// The connection ended.
    Closed,
    /// The server sent what no client reads.
    Unreadable(String),
}

impl fmt::Display for Parting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByServer => f.write_str("io server disconnect"),
            Self::ByClient => f.write_str("io client disconnect"),
            Self::Closed => f.write_str("transport close"),
            Self::Unreadable(why) => write!(f, "parse error: {why}"),
        }
    }
}

/// What a refused client is told.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Told {
    pub(super) message: String,
    pub(super) data: Option<Value>,
}

impl Told {
    pub(super) fn message(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            data: None,
        }
    }

    /// Both, the message, or any data.
    pub(super) fn read(json: &str) -> Self {
        let text = || serde_json::from_str(json).map(|message: String| Self::message(message));
        serde_json::from_str(json).or_else(|_| text()).unwrap_or_else(|_| Self {
            data: serde_json::from_str(json).ok(),
            ..Self::default()
        })
    }
}
