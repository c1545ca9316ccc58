//! Counts what still runs, so that closing the server can wait for it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::Notify;

/// How many connections and unfinished handlers there are.
#[derive(Debug, Clone, Default)]
pub(super) struct Activity(Arc<Counter>);

#[derive(Debug, Default)]
struct Counter {
    active: AtomicUsize,
    idle: Notify,
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub(super) struct Active(Arc<Counter>);

impl Activity {
    pub(super) fn begin(&self) -> Active {
        self.0.active.fetch_add(1, Ordering::Relaxed);
        Active(self.0.clone())
    }

    /// Waits until nothing is active.
    pub(super) async fn idle(&self) {
        loop {
            let idle = self.0.idle.notified();
            if self.0.active.load(Ordering::Acquire) == 0 {
                return;
            }
            idle.await;
        }
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        if self.0.active.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.idle.notify_waiters();
        }
    }
}
