//! How much passes, counted while somebody looks: for the admin UI. Without the feature `admin` it has no size.

#[cfg(feature = "admin")]
pub(crate) use self::counted::{Traffic, Volume};
#[cfg(not(feature = "admin"))]
pub(crate) use self::uncounted::Traffic;

#[cfg(feature = "admin")]
mod counted {
    use std::{
        array,
        sync::{
            Arc,
            atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        },
    };

    use crate::engine::CloseReason;

    /// The counts of an engine, cheap to clone.
    #[derive(Debug, Clone)]
    pub(crate) struct Traffic(Arc<Counts>);

    #[derive(Debug, Default)]
    struct Counts {
        is_claimed: AtomicBool,
        is_counting: AtomicBool,
        opened: AtomicU64,
        closed: [AtomicU64; CloseReason::ALL.len()],
        messages_in: AtomicU64,
        bytes_in: AtomicU64,
        messages_out: AtomicU64,
        bytes_out: AtomicU64,
    }

    /// What has passed since it was asked before.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) struct Volume {
        pub(crate) opened: u64,
        /// In the order of [`CloseReason::ALL`].
        pub(crate) closed: [u64; CloseReason::ALL.len()],
        pub(crate) messages_in: u64,
        pub(crate) bytes_in: u64,
        pub(crate) messages_out: u64,
        pub(crate) bytes_out: u64,
    }

    impl Traffic {
        pub(crate) fn new() -> Self {
            Self(Arc::default())
        }

        pub(crate) fn opened(&self) {
            self.add(|counts| &counts.opened, 1);
        }

        pub(crate) fn closed(&self, reason: CloseReason) {
            self.add(|counts| &counts.closed[reason as usize], 1);
        }

        pub(crate) fn received(&self, bytes: usize) {
            self.add(|counts| &counts.messages_in, 1);
            self.add(|counts| &counts.bytes_in, bytes);
        }

        pub(crate) fn sent(&self, messages: usize, bytes: usize) {
            self.add(|counts| &counts.messages_out, messages);
            self.add(|counts| &counts.bytes_out, bytes);
        }

        /// For one who will look; `false`: there is one.
        pub(crate) fn claim(&self) -> bool {
            !self.0.is_claimed.swap(true, Relaxed)
        }

        /// Counts from now on, or no more.
        pub(crate) fn count(&self, count: bool) {
            self.0.is_counting.store(count, Relaxed);
        }

        /// What has passed since it was asked before.
        pub(crate) fn take(&self) -> Volume {
            let take = |count: &AtomicU64| count.swap(0, Relaxed);
            let counts = &*self.0;
            Volume {
                opened: take(&counts.opened),
                closed: array::from_fn(|reason| take(&counts.closed[reason])),
                messages_in: take(&counts.messages_in),
                bytes_in: take(&counts.bytes_in),
                messages_out: take(&counts.messages_out),
                bytes_out: take(&counts.bytes_out),
            }
        }

        fn add(&self, count: impl FnOnce(&Counts) -> &AtomicU64, more: usize) {
            if self.0.is_counting.load(Relaxed) {
                count(&self.0).fetch_add(more as u64, Relaxed);
            }
        }
    }
}

#[cfg(not(feature = "admin"))]
#[expect(clippy::unused_self, reason = "it stands for one that counts")]
mod uncounted {
    use crate::engine::CloseReason;

    #[derive(Debug, Clone)]
    pub(crate) struct Traffic;

    impl Traffic {
        pub(crate) fn new() -> Self {
            Self
        }

        pub(crate) fn opened(&self) {}

        pub(crate) fn closed(&self, _reason: CloseReason) {}

        pub(crate) fn received(&self, _bytes: usize) {}

        pub(crate) fn sent(&self, _messages: usize, _bytes: usize) {}
    }
}
