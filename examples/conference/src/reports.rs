//! What went wrong, for moderators to see: the last of it.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::Serialize;
use tokio::sync::watch;
use warp_socketio::{FailureKind, Occasion};

use crate::names::Name;

const KEPT: usize = 50;
const LONGEST: usize = 200;

/// The newest reports, the oldest of them first. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Reports(Arc<watch::Sender<VecDeque<Report>>>);

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Report {
    /// In milliseconds since 1970.
    at: u64,
    who: Option<Name>,
    occasion: String,
    /// As `method_access_denied`.
    kind: &'static str,
    message: String,
    /// How long the call took; one that was denied was not made.
    millis: Option<f64>,
}

impl Reports {
    pub(crate) fn add(&self, who: Option<Name>, occasion: Occasion<'_>, failure: &FailureKind, took: Option<Duration>) {
        let report = Report {
            at: now(),
            who,
            occasion: shortened(&occasion.to_string()),
            kind: failure.name(),
            message: shortened(&failure.to_string()),
            millis: took.map(|took| took.as_secs_f64() * 1000.0),
        };
        self.0.send_modify(|reports| {
            if reports.len() == KEPT {
                reports.pop_front();
            }
            reports.push_back(report);
        });
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<VecDeque<Report>> {
        self.0.subscribe()
    }
}

impl Default for Reports {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::default()))
    }
}

/// In milliseconds since 1970, as pages count.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A client chooses the names of events, and arguments appear in messages.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_are_kept_and_none_is_long() {
        let reports = Reports::default();
        for number in 0..60 {
            let event = format!("{number} {}", "é".repeat(1000));
            reports.add(None, Occasion::Event(&event), &FailureKind::NoHandler, None);
        }
        let kept = reports.subscribe().borrow().clone();
        assert_eq!(kept.len(), KEPT);
        assert!(kept[0].occasion.starts_with("event \"10 "));
        assert!(kept.iter().all(|report| report.occasion.chars().count() <= LONGEST + 1));
    }
}
