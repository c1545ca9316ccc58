//! The server at rest: what it has allocated, and what of it is left.

use std::{fs, thread::sleep, time::Duration};

use stats_alloc::{INSTRUMENTED_SYSTEM, Stats, StatsAlloc};

use crate::figures::CLIENTS;

#[global_allocator]
static HEAP: &StatsAlloc<std::alloc::System> = &INSTRUMENTED_SYSTEM;

/// In bytes, save the allocations: those are all since the process began.
pub(crate) struct Rest {
    heap: usize,
    resident: usize,
    allocations: usize,
}

/// What one of the clients has brought.
pub(crate) struct Cost {
    pub(crate) heap: f64,
    pub(crate) resident: f64,
    pub(crate) allocations: f64,
}

impl Rest {
    /// Waits until that many clients are connected and nothing changes any more.
    pub(crate) fn with(clients: usize, connected: impl Fn() -> usize) -> Self {
        let mut before = usize::MAX;
        for _ in 0..100 {
            sleep(Duration::from_millis(200));
            let stats = stats();
            let heap = stats.bytes_allocated - stats.bytes_deallocated;
            if connected() == clients && heap == before {
                return Self {
                    heap,
                    resident: 1024 * proc_number("/proc/self/status", "VmRSS:"),
                    allocations: allocations(&stats),
                };
            }
            before = heap;
        }
        let connected = connected();
        panic!("the server does not come to rest with {clients} clients: it has {connected}");
    }

    pub(crate) fn since(&self, start: &Self) -> Cost {
        Cost {
            heap: per(self.heap.saturating_sub(start.heap), CLIENTS),
            resident: per(self.resident.saturating_sub(start.resident), CLIENTS),
            allocations: per(self.allocations - start.allocations, CLIENTS),
        }
    }
}

pub(crate) fn stats() -> Stats {
    HEAP.stats()
}

pub(crate) fn allocations(stats: &Stats) -> usize {
    stats.allocations + stats.reallocations
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
pub(crate) fn per(total: usize, count: usize) -> f64 {
    total as f64 / count as f64
}

/// A number of a file of `/proc`, in whatever unit it is written there.
pub(crate) fn proc_number(file: &str, name: &str) -> usize {
    let text = fs::read_to_string(file).expect("this is Linux");
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(usize::MAX)
}
