//! What has come for a client in one namespace, and waiting for more of it.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::timeout};

use super::error::{Parting, TestError, Told};
use crate::socketio::args::RawArgs;

/// An event as it came.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) name: String,
    pub(super) args: RawArgs,
    /// The id of the ack that the server asks for.
    pub(super) ack: Option<u64>,
}

#[derive(Debug)]
pub(super) struct Inbox {
    nsp: String,
    content: Mutex<Content>,
    changed: Notify,
}

#[derive(Debug, Default)]
pub(super) struct Content {
    /// The socket's id, once the client is in.
    pub(super) id: Option<String>,
    pub(super) events: VecDeque<Arrival>,
    pub(super) acks: HashMap<u64, RawArgs>,
    /// The client is not in, or no longer.
    pub(super) over: Option<Over>,
}

#[derive(Debug, Clone)]
pub(super) enum Over {
    Refused(Told),
    Parted(Parting),
}

impl Inbox {
    pub(super) fn new(nsp: &str) -> Self {
        Self {
            nsp: nsp.to_owned(),
            content: Mutex::default(),
            changed: Notify::new(),
        }
    }

    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Content) -> T) -> T {
        let changed = change(&mut self.content());
        self.changed.notify_waiters();
        changed
    }

    /// Nothing more comes; the first reason counts.
    pub(super) fn end(&self, over: Over) {
        self.change(|content| content.over.get_or_insert(over).clone());
    }

    /// Waits until `find` finds something, which it may take.
    pub(super) async fn wait<T>(
        &self,
        waited_for: &str,
        limit: Duration,
        mut find: impl FnMut(&mut Content) -> Option<T>,
    ) -> Result<T, TestError> {
        let found = timeout(limit, async {
            loop {
                // Before the look, so that no change after it is missed.
                let changed = self.changed.notified();
                {
                    let mut content = self.content();
                    if let Some(found) = find(&mut content) {
                        return Ok(found);
                    }
                    self.still_in(&content, waited_for)?;
                }
                changed.await;
            }
        });
        found.await.unwrap_or_else(|_| {
            Err(TestError::Timeout {
                waited_for: waited_for.to_owned(),
                limit,
                received: self.content().received(),
            })
        })
    }

    /// An error once the client has left.
    pub(super) fn check(&self, wanted: &str) -> Result<(), TestError> {
        self.still_in(&self.content(), wanted)
    }

    fn still_in(&self, content: &Content, wanted: &str) -> Result<(), TestError> {
        match content.over.clone() {
            None => Ok(()),
            Some(Over::Refused(Told { message, data })) => Err(TestError::Refused {
                namespace: self.nsp.clone(),
                message,
                data,
            }),
            Some(Over::Parted(parting)) => Err(TestError::Disconnected {
                parting,
                waited_for: wanted.to_owned(),
                received: content.received(),
            }),
        }
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Content {
    /// Takes the first event that is such.
    pub(super) fn take(&mut self, is_such: impl Fn(&Arrival) -> bool) -> Option<Arrival> {
        let at = self.events.iter().position(is_such)?;
        self.events.remove(at)
    }

    /// The events that are there, for people.
    pub(super) fn received(&self) -> Vec<String> {
        self.events.iter().map(Arrival::to_string).collect()
    }
}

impl fmt::Display for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let asks = if self.ack.is_some() { "?" } else { "" };
        write!(f, "{:?}({}){asks}", self.name, self.args.json())
    }
}
