//! Wakes those whom a large broadcast is for a few at a time. All at once, they would stand in the runtime's queue
//! before whatever comes meanwhile: a message to a small room would wait until thousands have been written to.

use std::time::{Duration, Instant};

use tokio::{runtime::Handle, task};

use super::local::Group;
use crate::engine::Wake;

/// No more than this are woken as they are sent to.
const FEW: usize = 32;

/// Between two turns of others, each of the runtime's workers is given at least this many to write to.
const AT_LEAST: usize = 4;
/// And several workers together this many: one that sleeps takes as long to wake as to write to two or three.
const AT_LEAST_TOGETHER: usize = 32;
/// One more for each worker where the others took that long, so that a busy server's broadcasts arrive too.
const SHARE: Duration = Duration::from_micros(50);
const AT_MOST: usize = 32;

/// The sockets of a broadcast that have not been woken yet. Those that are left are woken when it is dropped.
pub(super) struct Rousing {
    groups: Vec<Group>,
    /// In the last of the groups.
    roused: usize,
}

impl Rousing {
    pub(super) fn new(groups: Vec<Group>) -> Self {
        Self { groups, roused: 0 }
    }

    pub(super) fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// When those who are sent to are to be woken.
    pub(super) fn wake(&self) -> Wake {
        let count: usize = self.groups.iter().map(|group| group.sockets().len()).sum();
        if count > FEW { Wake::Later } else { Wake::Now }
    }

    /// Nobody is to be woken.
    pub(super) fn end(mut self) {
        self.groups.clear();
    }

    /// Wakes them by and by.
    pub(super) fn begin(mut self, runtime: &Handle) {
        let workers = runtime.metrics().num_workers();
        let at_least = match workers {
            1 => AT_LEAST,
            _ => AT_LEAST_TOGETHER.max(AT_LEAST * workers),
        };
        runtime.spawn(async move {
            let mut at_once = at_least;
            while self.rouse(at_once) {
                let begin = Instant::now();
                // Those who were woken have their turn, and the runtime looks for what came meanwhile.
                task::yield_now().await;
                let shares = begin.elapsed().as_micros() / SHARE.as_micros();
                let share = usize::try_from(shares).unwrap_or(AT_MOST).min(AT_MOST);
                at_once = at_least.max(share * workers);
            }
        });
    }

    /// `false`: those were the last.
    fn rouse(&mut self, at_most: usize) -> bool {
        let Some(group) = self.groups.last() else {
            return false;
        };
        let left = &group.sockets()[self.roused..];
        for socket in left.iter().take(at_most) {
            socket.rouse();
        }
        if left.len() > at_most {
            self.roused += at_most;
        } else {
            self.groups.pop();
            self.roused = 0;
        }
        !self.groups.is_empty()
    }
}

impl Drop for Rousing {
    fn drop(&mut self) {
        while self.rouse(usize::MAX) {}
    }
}
