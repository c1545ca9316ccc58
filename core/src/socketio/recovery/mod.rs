//! Connection state recovery: a client that comes back in time is the socket that it was.
//!
//! Here are its settings and what clients are told; [`history`] is what the server remembers of events, [`absent`] of
//! sockets, and [`socket::recovery`](super::socket) what passes from one socket to the next.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

mod absent;
pub(crate) mod history;
pub(crate) mod restore;
mod store;

use self::store::{SessionStore, read_id};
use super::{
    args::{EmitArgs, EncodeError},
    frames::Frames,
    namespace::Shared as Namespace,
};
use crate::engine::{self, Connection, Sid, config::bounded};

/// Settings of connection state recovery: for
/// [`SocketIoBuilder::connection_state_recovery`](crate::SocketIoBuilder::connection_state_recovery), which says what it
/// does.
///
/// | setting | default |
/// |---|---|
/// | [`max_disconnection_duration`](Self::max_disconnection_duration) | 120 s |
/// | [`skip_middlewares`](Self::skip_middlewares) | yes |
/// | [`max_sessions`](Self::max_sessions) | 10,000 a namespace |
/// | [`max_packets`](Self::max_packets) | 10,000 a namespace |
/// | [`max_bytes`](Self::max_bytes) | 10,000,000 a namespace |
///
/// The children of a [parent](crate::SocketIo::of_pattern) count as one namespace here. A child lives as long as it
/// remembers somebody.
///
/// What is remembered is the socket itself, in the memory of its server: [values](crate::Socket::insert) of any
/// type and that of [`#[namespace]`](crate::namespace) come back because of that.
///
/// ```
/// use std::time::Duration;
/// use tower_socketio::{Recovery, SocketIo};
///
/// let recovery = Recovery::default().max_disconnection_duration(Duration::from_secs(30));
/// let io = SocketIo::builder().connection_state_recovery(recovery).build();
/// ```
#[derive(Debug, Clone)]
pub struct Recovery {
    max_disconnection_duration: Duration,
    skip_middlewares: bool,
    max_sessions: usize,
    max_packets: usize,
    max_bytes: usize,
    /// Where sockets are kept that are absent. `None`: in the memory of this server.
    store: Option<Arc<dyn SessionStore>>,
}

impl Default for Recovery {
    fn default() -> Self {
        Self {
            max_disconnection_duration: Duration::from_secs(120),
            skip_middlewares: true,
            max_sessions: 10_000,
            max_packets: 10_000,
            max_bytes: 10_000_000,
            store: None,
        }
    }
}

impl Recovery {
    /// How long a client may be away, counted from when the server noticed that it was gone. Default 120 s.
    ///
    /// At least a millisecond and at most a year; others are taken for the nearest.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_socketio::Recovery;
    ///
    /// let recovery = Recovery::default().max_disconnection_duration(Duration::from_secs(30));
    /// ```
    #[must_use]
    pub fn max_disconnection_duration(mut self, duration: Duration) -> Self {
        self.max_disconnection_duration = bounded(duration);
        self
    }

    /// Whether a client that is recovered passes by the [middleware](crate::Namespace::with) of connecting. Default: yes,
    /// it passed when it first came.
    ///
    /// ```
    /// use tower_socketio::Recovery;
    ///
    /// let recovery = Recovery::default().skip_middlewares(false);
    /// ```
    #[must_use]
    pub fn skip_middlewares(mut self, skip: bool) -> Self {
        self.skip_middlewares = skip;
        self
    }

    /// How many absent sockets a namespace remembers. The one that has been away longest is forgotten first. An absent
    /// socket takes less memory than a connected one, and what the application keeps with it. Default 10,000.
    ///
    /// ```
    /// use tower_socketio::Recovery;
    ///
    /// let recovery = Recovery::default().max_sessions(1_000);
    /// ```
    #[must_use]
    pub fn max_sessions(mut self, sessions: usize) -> Self {
        self.max_sessions = sessions;
        self
    }

    /// How many events a namespace remembers, the latest. A client whose last event is not among them begins anew.
    /// Default 10,000.
    ///
    /// ```
    /// use tower_socketio::Recovery;
    ///
    /// let recovery = Recovery::default().max_packets(1_000);
    /// ```
    #[must_use]
    pub fn max_packets(mut self, packets: usize) -> Self {
        self.max_packets = packets;
        self
    }

    /// How many bytes of events a namespace remembers, the latest. Default 10,000,000.
    ///
    /// A client that missed more than
    /// [`max_outbox_bytes`](crate::SocketIoBuilder::max_outbox_bytes) begins anew, too.
    ///
    /// ```
    /// use tower_socketio::Recovery;
    ///
    /// let recovery = Recovery::default().max_bytes(1_000_000);
    /// ```
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    pub(crate) fn skips_middlewares(&self) -> bool {
        self.skip_middlewares
    }
}

impl Namespace {
    /// Whether clients like that one are recognised.
    pub(crate) fn can_come_back(&self, connection: &Connection) -> bool {
        self.history.is_some() && connection.profile().recovery == engine::Recovery::Known
    }

    /// An event, encoded: with an offset for clients that may come back, unless it may be lost.
    pub(crate) fn event(
        &self,
        name: &str,
        args: &(impl EmitArgs + ?Sized),
        volatile: bool,
    ) -> Result<Frames, EncodeError> {
        match &self.history {
            Some(history) if !volatile => Frames::recoverable_event(&self.path, name, args, history.next_offset()),
            _ => Frames::event(&self.path, None, name, args),
        }
    }
}

/// What only a socket's own client knows: by this it is recognised.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Pid(#[serde(deserialize_with = "read_id")] Sid);

impl Pid {
    pub(crate) fn random() -> Self {
        Self(Sid::random())
    }

    /// For the client itself, and nobody else.
    pub(crate) fn reveal(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Debug for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pid(…)")
    }
}

/// What a client says that comes back: which socket it was, and the offset of the last event that it got.
#[derive(Debug)]
pub(crate) struct Claim {
    pid: Pid,
    offset: String,
}

/// Splits what a client sent as `auth` into what is the application's and what is recovery's: a pid is nobody's
/// business. A claim that makes no sense is none.
pub(crate) fn split_auth(auth: &str) -> (Box<str>, Option<Claim>) {
    let Ok(mut fields) = serde_json::from_str::<BTreeMap<String, &RawValue>>(auth) else {
        return (auth.into(), None);
    };
    let (pid, offset) = (fields.remove("pid"), fields.remove("offset"));
    if pid.is_none() && offset.is_none() {
        return (auth.into(), None);
    }
    let text = |value: Option<&RawValue>| serde_json::from_str::<String>(value?.get()).ok();
    let claim = || {
        Some(Claim {
            pid: Pid(Sid::parse(&text(pid)?)?),
            offset: text(offset)?,
        })
    };
    let rest = serde_json::to_string(&fields).unwrap_or_default();
    (rest.into(), claim())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PID: &str = "aaaaaaaaaaaaaaaaaaaa";

    #[test]
    fn a_claim_is_taken_out_of_auth() {
        let (rest, claim) = split_auth(&format!(r#"{{"pid":"{PID}","offset":"x.1","b": [1.0],"a":"\u00e9"}}"#));
        assert_eq!(&*rest, r#"{"a":"\u00e9","b":[1.0]}"#);
        let claim = claim.expect("a claim");
        assert_eq!((claim.pid.reveal(), &*claim.offset), (PID, "x.1"));
        assert!(!format!("{claim:?}").contains(PID), "a pid is a secret");
    }

    #[test]
    fn what_makes_no_sense_is_no_claim() {
        for auth in [
            "{}".to_owned(),
            format!(r#"{{"pid":"{PID}"}}"#),
            r#"{"offset":"x.1"}"#.to_owned(),
            r#"{"pid":"no id","offset":"x.1"}"#.to_owned(),
            r#"{"pid":1,"offset":"x.1"}"#.to_owned(),
            format!(r#"{{"pid":"{PID}","offset":7}}"#),
            format!(r#"{{"pid":["{PID}"],"offset":null}}"#),
            "[]".to_owned(),
        ] {
            assert!(split_auth(&auth).1.is_none(), "{auth}");
        }
        assert_eq!(&*split_auth(r#"{ "token" : 1 }"#).0, r#"{ "token" : 1 }"#);
    }
}
