//! Telling a socket of what changes, at a pace that it can follow.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use serde::Serialize;
use tokio::{sync::watch, task::AbortHandle, time::sleep};
use warp_socketio::{EncodeError, Socket};

/// Between two events: however much changes, a socket is told the latest.
const PACE: Duration = Duration::from_millis(100);

/// What a socket is being told of: one thing at a time.
#[derive(Debug, Default)]
pub(crate) struct Following(Mutex<Option<AbortHandle>>);

impl Following {
    /// How it is now. From here on `event` tells of its changes, until something else is followed or the
    /// socket leaves.
    pub(crate) fn follow<T>(&self, socket: &Socket, event: &'static str, mut source: watch::Receiver<T>) -> T
    where
        T: Clone + Serialize + Send + Sync + 'static,
    {
        let now = source.borrow_and_update().clone();
        let follower = socket.clone();
        self.replace(Some(socket.spawn(async move {
            while source.changed().await.is_ok() {
                let latest = source.borrow_and_update().clone();
                follower.emit(event, latest)?;
                sleep(PACE).await;
            }
            Ok::<_, EncodeError>(())
        })));
        now
    }

    pub(crate) fn stop(&self) {
        self.replace(None);
    }

    fn replace(&self, job: Option<AbortHandle>) {
        let old = std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), job);
        if let Some(old) = old {
            old.abort();
        }
    }
}
