//! A room's messages, in the order they were said, and pages of them.

use std::collections::VecDeque;

use serde::Serialize;

use crate::{names::Name, reports::now};

/// Older ones are forgotten.
const KEPT: usize = 1000;
/// How many messages a page has at most.
pub(crate) const PAGE: usize = 30;
/// How far back a message is looked for that may have been said before.
const REMEMBERED: usize = 100;

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Message {
    /// Counts the messages of the room.
    pub(crate) id: u64,
    pub(crate) from: Name,
    pub(crate) text: String,
    /// In milliseconds since 1970.
    at: u64,
    /// By which its author's page knows whether it has been heard.
    #[serde(skip)]
    key: String,
}

/// A piece of the room's history, the oldest message first.
#[derive(Debug, Serialize)]
pub(crate) struct Page {
    pub(crate) messages: Vec<Message>,
    /// Whether there are messages before these.
    pub(crate) more: bool,
}

#[derive(Debug, Default)]
pub(crate) struct History {
    messages: VecDeque<Message>,
    said: u64,
}

impl History {
    /// The message, unless it has been said before: a page says it again when its connection broke before
    /// the answer came.
    pub(crate) fn say(&mut self, from: &Name, key: String, text: String) -> Option<&Message> {
        let mut newest = self.messages.iter().rev().take(REMEMBERED);
        if newest.any(|message| message.from == *from && message.key == key) {
            return None;
        }
        if self.messages.len() == KEPT {
            self.messages.pop_front();
        }
        self.said += 1;
        self.messages.push_back(Message {
            id: self.said,
            from: from.clone(),
            text,
            at: now(),
            key,
        });
        self.messages.back()
    }

    /// The last page.
    pub(crate) fn newest(&self) -> Page {
        self.page(self.messages.len())
    }

    /// The page that ends before that message.
    pub(crate) fn before(&self, id: u64) -> Page {
        self.page(self.messages.partition_point(|message| message.id < id))
    }

    fn page(&self, end: usize) -> Page {
        let begin = end.saturating_sub(PAGE);
        Page {
            messages: self.messages.range(begin..end).cloned().collect(),
            more: begin > 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> Name {
        Name::parse("Ada").unwrap()
    }

    fn said(count: usize) -> History {
        let mut history = History::default();
        for number in 1..=count {
            history.say(&name(), number.to_string(), format!("message {number}"));
        }
        history
    }

    fn ids(page: &Page) -> Vec<u64> {
        page.messages.iter().map(|message| message.id).collect()
    }

    #[test]
    fn pages_follow_each_other_without_gap_or_overlap() {
        let history = said(PAGE + 5);
        let newest = history.newest();
        assert_eq!(ids(&newest), (6..=35).collect::<Vec<_>>());
        assert!(newest.more);
        let first = history.before(6);
        assert_eq!(ids(&first), [1, 2, 3, 4, 5]);
        assert!(!first.more);
        assert!(ids(&history.before(1)).is_empty() && ids(&history.before(0)).is_empty());
    }

    #[test]
    fn what_was_said_before_is_not_said_again() {
        let mut history = said(3);
        assert!(history.say(&name(), "3".to_owned(), "message 3".to_owned()).is_none());
        let other = Name::parse("Ben").unwrap();
        assert!(history.say(&other, "3".to_owned(), "message 3".to_owned()).is_some());
    }

    #[test]
    fn old_messages_are_forgotten_and_numbers_go_on() {
        let history = said(KEPT + 10);
        assert_eq!(history.messages.len(), KEPT);
        assert_eq!(ids(&history.before(13)), [11, 12]);
        assert!(!history.before(13).more);
    }
}
