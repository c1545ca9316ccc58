//! Where clients are kept that may come back: the memory of this server, or a store that several servers share.
//!
//! What a client has missed is another matter. Each server has the events that it has sent in its own
//! [`History`](super::history::History), which is enough for a socket that it has kept itself. A store that several
//! servers share has to be told of events by what carries these between the servers, which also gives them their
//! offsets: [`Frames::recoverable_event`](crate::socketio::frames::Frames) takes any, and a history keeps an event with the
//! offset that it has.
//!
//! It is no part of [`Adapter`](crate::adapter::Adapter), as servers may reach each other by one that keeps nothing.

#[cfg(test)]
mod tests;

use std::{fmt, time::Duration};

use futures_util::future::BoxFuture;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::{
    Claim, Pid,
    history::{Expected, Member},
};
use crate::{
    engine::Sid,
    socketio::{acl::Acl, args::RawArgs, socket::Socket},
};

/// Keeps who may come back. Its methods are called without a lock.
pub(crate) trait SessionStore: fmt::Debug + Send + Sync {
    /// A client is gone that may come back, for that long. It does not wait for it to be kept.
    fn remember(&self, absent: Absent, max_absence: Duration);

    /// Takes whom a claim in that namespace is of: of several who claim it, on whatever server, one gets it, and where it is
    /// not kept nobody.
    ///
    /// What comes with a [`Session`] are the events for it up to some moment, all of which this server has been given if
    /// it is given them: later ones are sent from its history. It is dropped if it takes too long.
    fn restore(&self, nsp: &str, claim: &Claim) -> BoxFuture<'static, Result<Option<Restored>, StoreError>>;
}

/// Why a store does not answer, for the log.
pub(crate) type StoreError = Box<dyn std::error::Error + Send + Sync>;

/// A socket that is gone and whose client may come back.
#[derive(Debug)]
pub(crate) struct Absent {
    pub(super) pid: Pid,
    pub(super) socket: Socket,
    pub(super) member: Member,
    /// Its namespace remembers events for it.
    pub(super) expected: Expected,
}

/// Who has come back.
#[derive(Debug)]
pub(crate) enum Restored {
    /// The socket itself was kept, by this server: with all that is the application's.
    Socket(Absent),
    /// What several servers can exchange was kept, and what came for it meanwhile.
    #[cfg_attr(not(test), expect(dead_code, reason = "no store is shared by servers yet"))]
    Session { session: Session, missed: Vec<MissedEvent> },
}

/// What servers can exchange of a socket. Values of any type are not among it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Session {
    #[serde(rename = "sid", deserialize_with = "read_id")]
    pub(crate) id: Sid,
    pub(crate) pid: Pid,
    /// Without its own.
    pub(crate) rooms: Vec<Box<str>>,
    pub(crate) data: Option<Box<RawValue>>,
    #[serde(with = "Rules")]
    pub(crate) rules: Acl,
}

/// An [`Acl`] as servers exchange it.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Acl")]
struct Rules {
    by_default: bool,
    exceptions: Vec<Box<str>>,
}

/// An event that somebody has missed, as any server can send it.
#[derive(Debug)]
pub(crate) struct MissedEvent {
    pub(super) offset: Box<str>,
    pub(super) name: Box<str>,
    pub(super) args: RawArgs,
}

impl Absent {
    /// Its client does not come back. To be called without a lock.
    pub(super) fn forget(self) {
        let Self { socket, expected, .. } = self;
        drop(expected);
        socket.forget();
        if let Some(history) = &socket.shared().history {
            history.tidy();
        }
    }

    /// What other servers need of it. Rules that change later are not among it.
    #[cfg_attr(not(test), expect(dead_code, reason = "no store is shared by servers yet"))]
    pub(crate) fn session(&self) -> Session {
        let (data, rules) = self.socket.data_and_rules();
        Session {
            id: self.member.id.clone(),
            pid: self.pid.clone(),
            rooms: self.member.rooms.iter().map(|(room, _)| (**room).into()).collect(),
            data: data.map(|data| (*data).to_owned()),
            rules: rules.unwrap_or(Acl::all()),
        }
    }
}

pub(super) fn read_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Sid, D::Error> {
    let id = String::deserialize(deserializer)?;
    Sid::parse(&id)
        .ok_or_else(|| serde::de::Error::custom("an id has other characters than A-Z, a-z, 0-9, -, ., _ and ~"))
}
