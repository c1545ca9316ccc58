//! What waits to be written to one client. The first frame sits inline, so that a queue of one
//! costs no allocation; an empty queue holds none.

use std::collections::VecDeque;

use super::codec::frame::Frame;

#[derive(Debug)]
struct Entry {
    frame: Frame,
    volatile: bool,
}

/// Frames in the order they were sent, and how many bytes they are.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    first: Option<Entry>,
    rest: VecDeque<Entry>,
    bytes: usize,
}

impl Outbox {
    pub(crate) fn push(&mut self, frame: Frame, volatile: bool) {
        self.bytes += cost(&frame);
        let entry = Entry { frame, volatile };
        if self.first.is_none() {
            self.first = Some(entry);
        } else {
            self.rest.push_back(entry);
        }
    }

    /// Before all others.
    pub(crate) fn push_first(&mut self, frame: Frame) {
        self.bytes += cost(&frame);
        let first = self.first.replace(Entry { frame, volatile: false });
        if let Some(second) = first {
            self.rest.push_front(second);
        }
    }

    pub(crate) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.rest.len()
    }

    pub(crate) fn front(&self) -> Option<&Frame> {
        self.first.as_ref().map(|entry| &entry.frame)
    }

    pub(crate) fn pop_front(&mut self) -> Option<Frame> {
        let entry = self.first.take()?;
        self.first = self.rest.pop_front();
        if self.rest.is_empty() {
            self.rest = VecDeque::new();
        }
        self.bytes -= cost(&entry.frame);
        Some(entry.frame)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Frame> + Clone {
        self.first.iter().chain(&self.rest).map(|entry| &entry.frame)
    }

    /// Gives up the messages that may be lost, to make room for those that may not; how
    /// many they were.
    pub(crate) fn drop_volatile(&mut self) -> usize {
        let queued = std::mem::take(self);
        let mut dropped = 0;
        for entry in queued.first.into_iter().chain(queued.rest) {
            if entry.volatile {
                dropped += 1;
            } else {
                self.push(entry.frame, false);
            }
        }
        dropped
    }

    /// How much memory it takes, about.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }
}

/// A queue of tiny frames takes more memory than their bytes.
fn cost(frame: &Frame) -> usize {
    size_of::<Entry>() + frame.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packets(outbox: &Outbox) -> Vec<&str> {
        outbox
            .iter()
            .map(|frame| std::str::from_utf8(frame.packet()).unwrap())
            .collect()
    }

    #[test]
    fn frames_leave_in_the_order_they_came() {
        let mut outbox = Outbox::default();
        for text in ["a", "b", "c"] {
            outbox.push(Frame::text(text), false);
        }
        assert_eq!(packets(&outbox), ["4a", "4b", "4c"]);
        assert_eq!(outbox.bytes(), 3 * cost(&Frame::text("a")));
        for text in ["4a", "4b", "4c"] {
            assert_eq!(outbox.front().unwrap().packet(), text.as_bytes());
            assert_eq!(outbox.pop_front().unwrap().packet(), text.as_bytes());
        }
        assert!(outbox.is_empty() && outbox.pop_front().is_none());
        assert_eq!((outbox.bytes(), outbox.rest.capacity()), (0, 0));
    }

    #[test]
    fn a_frame_may_go_first() {
        let mut outbox = Outbox::default();
        for text in ["c", "b", "a"] {
            outbox.push_first(Frame::text(text));
        }
        outbox.push(Frame::text("d"), true);
        assert_eq!(packets(&outbox), ["4a", "4b", "4c", "4d"]);
        assert_eq!(outbox.bytes(), 4 * cost(&Frame::text("a")));
    }

    #[test]
    fn volatile_frames_are_given_up_and_the_others_kept_in_order() {
        let mut outbox = Outbox::default();
        for (text, volatile) in [("a", true), ("b", false), ("c", true), ("d", false)] {
            outbox.push(Frame::text(text), volatile);
        }
        assert_eq!(outbox.drop_volatile(), 2);
        assert_eq!(packets(&outbox), ["4b", "4d"]);
        assert_eq!(outbox.bytes(), 2 * cost(&Frame::text("a")));
    }
}
