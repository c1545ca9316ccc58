//! What most clients have none of: namespaces that they were made to leave, or that are looked up for them, a limit
//! of their rate, and handlers that wait for what cannot come.

use std::time::Instant;

use tokio::sync::oneshot;

use super::{SocketClient, lookup::Lookup};
use crate::socketio::rate_limit::Limiter;

/// What most clients have none of.
#[derive(Default)]
pub(super) struct Rare {
    /// Namespaces that the application made it leave: what it sends to them until it knows is
    /// ignored.
    kicked: Vec<Box<str>>,
    pub(super) lookups: Vec<Lookup>,
    pub(super) limiter: Option<Limiter>,
    /// They wait until the socket of a namespace is gone.
    pub(super) successors: Vec<(Box<str>, oneshot::Sender<()>)>,
    /// Until when an answer must have come that handlers wait for, if nothing is read meanwhile.
    pub(super) stuck_until: Option<Instant>,
}

impl Rare {
    /// The application has made it leave that namespace.
    pub(super) fn remember_kick(&mut self, nsp: &str, max: usize) {
        // A client can be let into one namespace after the other: it knows of the oldest by now.
        if self.kicked.len() >= max.max(1) {
            self.kicked.remove(0);
        }
        self.kicked.push(nsp.into());
    }
}

impl SocketClient {
    pub(super) fn forget_kick(&mut self, nsp: &str) {
        if let Some(rare) = &mut self.rare {
            rare.kicked.retain(|kicked| **kicked != *nsp);
        }
    }

    pub(super) fn was_kicked(&self, nsp: &str) -> bool {
        let rare = self.rare.as_ref();
        rare.is_some_and(|rare| rare.kicked.iter().any(|kicked| **kicked == *nsp))
    }
}
