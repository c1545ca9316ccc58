//! The sockets that are gone and may come back, in the memory of this server: of one namespace, or of all children
//! of a parent.

use std::{
    collections::{BTreeMap, HashMap},
    future::ready,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, Instant},
};

use futures_util::future::BoxFuture;

use super::{
    Claim, Pid,
    store::{Absent, Restored, SessionStore, StoreError},
};
use crate::engine::now;

#[derive(Debug)]
pub(super) struct AbsentSockets {
    max: usize,
    list: Arc<Mutex<List>>,
}

#[derive(Debug, Default)]
struct List {
    /// In the order in which they left.
    absent: BTreeMap<u64, Kept>,
    by_pid: HashMap<Pid, u64>,
    /// Somebody waits for the next to expire.
    is_swept: bool,
}

#[derive(Debug)]
struct Kept {
    absent: Absent,
    until: Instant,
}

impl AbsentSockets {
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            list: Arc::default(),
        }
    }
}

impl SessionStore for AbsentSockets {
    fn remember(&self, absent: Absent, max_absence: Duration) {
        let runtime = absent.socket.shared().runtime().clone();
        let until = now() + max_absence;
        let (evicted, begins) = with(&self.list, |list| {
            list.insert(Kept { absent, until });
            let surplus = list.absent.len().saturating_sub(self.max);
            let evicted: Vec<_> = (0..surplus).filter_map(|_| list.take_first()).collect();
            let begins = !list.absent.is_empty() && !std::mem::replace(&mut list.is_swept, true);
            (evicted, begins)
        });
        evicted.into_iter().for_each(Absent::forget);
        if begins {
            runtime.handle().spawn(sweep(Arc::downgrade(&self.list), until));
        }
    }

    fn restore(&self, nsp: &str, claim: &Claim) -> BoxFuture<'static, Result<Option<Restored>, StoreError>> {
        let absent = with(&self.list, |list| list.take(nsp, &claim.pid));
        Box::pin(ready(Ok(absent.map(Restored::Socket))))
    }
}

/// Forgets the absent in time, until there are none.
async fn sweep(list: Weak<Mutex<List>>, first: Instant) {
    let mut until = first;
    loop {
        tokio::time::sleep_until(until.into()).await;
        let Some(list) = list.upgrade() else { return };
        let (expired, next) = with(&list, List::expire);
        expired.into_iter().for_each(Absent::forget);
        match next {
            Some(next) => until = next,
            None => return,
        }
    }
}

fn with<T>(list: &Mutex<List>, with: impl FnOnce(&mut List) -> T) -> T {
    // Nothing in here panics half-way through a change.
    with(&mut list.lock().unwrap_or_else(PoisonError::into_inner))
}

impl List {
    fn insert(&mut self, kept: Kept) {
        let number = self.absent.last_key_value().map_or(0, |(last, _)| last + 1);
        self.by_pid.insert(kept.absent.pid.clone(), number);
        self.absent.insert(number, kept);
    }

    fn take(&mut self, nsp: &str, pid: &Pid) -> Option<Absent> {
        let number = *self.by_pid.get(pid)?;
        if self.absent.get(&number)?.absent.socket.path() != nsp {
            return None;
        }
        self.by_pid.remove(pid);
        Some(self.absent.remove(&number)?.absent)
    }

    fn take_first(&mut self) -> Option<Absent> {
        let (_, Kept { absent, .. }) = self.absent.pop_first()?;
        self.by_pid.remove(&absent.pid);
        Some(absent)
    }

    /// Those who have been away too long, and until when the next may be.
    fn expire(&mut self) -> (Vec<Absent>, Option<Instant>) {
        let now = now();
        let mut expired = Vec::new();
        loop {
            match self.absent.first_key_value() {
                Some((_, first)) if first.until > now => return (expired, Some(first.until)),
                Some(_) => expired.extend(self.take_first()),
                None => {
                    self.is_swept = false;
                    return (expired, None);
                }
            }
        }
    }
}
