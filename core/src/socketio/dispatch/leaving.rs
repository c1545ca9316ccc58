//! Sockets that have left: their handlers' grace, their disconnect handlers, their end.

use std::{task::Context, time::Instant};

use tokio::sync::oneshot;

use super::{SocketClient, entry::Phase};
use crate::{
    engine::{SocketId, now},
    error::FailureKind,
    socketio::{
        call::{Call, Occasion, OwnedOccasion},
        extract::DisconnectContext,
        handler::HandlerFuture,
        reason::DisconnectReason,
        socket::{Socket, Was},
        task::{Called, Task, contain},
    },
};

impl SocketClient {
    /// Sees those off who have left; `true` when something changed.
    pub(super) fn see_off(&mut self, cx: &mut Context<'_>) -> bool {
        let mut changed = false;
        let mut index = 0;
        while let Some(entry) = self.entries.get_mut(index) {
            index += 1;
            let Some((reason, was)) = entry.socket.left() else {
                continue;
            };
            if let Phase::Live = entry.phase {
                entry.phase = Phase::Leaving(Some(now() + self.core.config.handler_grace(reason)));
                // Events of a client that was never let in are never handled.
                match (reason, was) {
                    (_, Was::Connecting) => entry.drop_waiting(&mut self.pending_bytes),
                    (DisconnectReason::ServerNamespaceDisconnect, Was::Connected) => {
                        entry.drop_waiting(&mut self.pending_bytes);
                        let rare = self.rare.get_or_insert_default();
                        rare.remember_kick(entry.socket.path(), self.core.config.max_namespaces);
                    }
                    (_, Was::Connected) => {}
                }
                changed = true;
            }
            let (Phase::Leaving(grace_ends) | Phase::Disconnecting(grace_ends)) = &mut entry.phase else {
                continue;
            };
            if grace_ends.is_some_and(|at| at <= now()) {
                *grace_ends = None;
                entry.drop_waiting(&mut self.pending_bytes);
                let socket = entry.socket.clone();
                self.abort(&socket);
                changed = true;
            }
            let entry = &mut self.entries[index - 1];
            if let Phase::Leaving(_) = entry.phase
                && entry.running == 0
                && !entry.has_queue()
            {
                entry.phase = Phase::Disconnecting(Some(now() + self.core.config.handler_grace));
                let socket = entry.socket.clone();
                match (was == Was::Connected).then(|| disconnect(&socket, reason)).flatten() {
                    Some(future) => {
                        let running = socket.shared().meter.disconnect.begin();
                        let called = Called {
                            socket,
                            occasion: OwnedOccasion::Disconnect,
                            ack: None,
                        };
                        self.run(cx, Task::new(called, future, running));
                    }
                    None => self.remove(&socket),
                }
                index = 0;
                changed = true;
            }
        }
        changed
    }

    /// Drops the handlers of a socket where they stand. A set polls those that were woken and those
    /// that are new to it, hence a new one.
    fn abort(&mut self, socket: &Socket) {
        for mut task in self.tasks.take().into_iter().flat_map(|tasks| *tasks) {
            if task.belongs_to(socket) {
                task.abort();
            }
            self.tasks.get_or_insert_default().push(task);
        }
    }

    /// Forgets a socket that has left, and whose handlers have ended.
    pub(super) fn remove(&mut self, socket: &Socket) {
        self.entries.retain(|entry| !entry.socket.is(socket));
        if let Some(rare) = &mut self.rare {
            rare.successors.retain(|(path, _)| **path != *socket.path());
        }
        if let Err(panic) = contain(|| socket.drop_values()) {
            socket.shared().report(socket, Occasion::Disconnect, &panic);
        }
    }

    /// Ready when the socket is gone that would share its id with one that the client asks for now, if there is such a
    /// one: it is seen off first.
    pub(super) fn predecessor(&mut self, nsp: &str) -> Option<oneshot::Receiver<()>> {
        let has_fresh_ids = self.connection.profile().socket_id == SocketId::Fresh;
        if has_fresh_ids || !self.entries.iter().any(|entry| entry.socket.path() == nsp) {
            return None;
        }
        let (successor, gone) = oneshot::channel();
        let rare = self.rare.get_or_insert_default();
        rare.successors.push((nsp.into(), successor));
        Some(gone)
    }

    pub(super) fn grace_deadline(&self) -> Option<Instant> {
        let deadlines = self.entries.iter().filter_map(|entry| match entry.phase {
            Phase::Leaving(grace_ends) | Phase::Disconnecting(grace_ends) => grace_ends,
            Phase::Live => None,
        });
        deadlines.min()
    }
}

/// Calls the disconnect handler, if there is one.
fn disconnect(socket: &Socket, reason: DisconnectReason) -> Option<HandlerFuture> {
    let handler = socket.shared().handlers().disconnect.clone()?;
    let context = DisconnectContext { socket, reason };
    let called = contain(|| {
        let call = || Call::new(socket, OwnedOccasion::Disconnect);
        let future = handler.call(&context)?;
        Ok(socket.shared().wrap(call, future))
    });
    let failure = match called {
        Ok(Ok(future)) => return Some(future),
        Ok(Err(rejection)) => FailureKind::Rejected(rejection),
        Err(panic) => panic,
    };
    socket.shared().report(socket, Occasion::Disconnect, &failure);
    None
}
