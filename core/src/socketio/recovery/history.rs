//! What is remembered for clients that may come back: the latest events, in the order in which they were sent.
//!
//! An event is put down and queued for everybody who is there under one lock, which is also held while a
//! socket joins, leaves and comes back: so an event is either queued for a socket or put down after the last that
//! was, and never both or neither.
//!
//! The children of a parent have one book together, so that what clients ask for decides the size of nothing.

use std::{
    collections::VecDeque,
    fmt,
    mem::size_of,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::future::BoxFuture;

use super::{
    Claim, Pid, Recovery,
    absent::AbsentSockets,
    restore::{Before, Recognised},
    store::{Absent, MissedEvent, Restored, Session, SessionStore, StoreError},
};
use crate::{
    adapter::{Selection, local::Rooms},
    engine::{Flags, Sid, Wake},
    socketio::{
        args::EncodeError,
        frames::Frames,
        namespace::Shared as Namespace,
        socket::{Socket, Was},
    },
};

/// The memory of one namespace.
pub(crate) struct History {
    /// Which of those it is that have the book together.
    page: u64,
    book: Arc<Book>,
    /// Those hold it who are expected back here.
    expected: Arc<()>,
}

struct Book {
    settings: Recovery,
    /// What a client may have missed: as much as its outbox holds.
    max_missed_bytes: usize,
    /// Of all offsets that it gives: those of another server, and other text that a client takes for one, are none of this.
    prefix: Box<str>,
    next_event: AtomicU64,
    next_page: AtomicU64,
    sessions: Arc<dyn SessionStore>,
    log: Mutex<Log>,
}

/// An offset that this server gives.
struct Offset<'a> {
    prefix: &'a str,
    number: u64,
}

/// Whom an event was for.
pub(crate) enum To {
    Socket(Sid),
    Selected(Selection),
}

/// The events. Positions count those that were put down.
#[derive(Default)]
pub(crate) struct Log {
    /// The position of the first entry.
    start: u64,
    entries: VecDeque<Entry>,
    bytes: usize,
    /// How many sockets are there.
    present: usize,
    /// Those hold it who are expected back.
    expected: Arc<()>,
}

struct Entry {
    page: u64,
    to: To,
    flags: Flags,
    frames: Frames,
}

/// What a socket is known by to the history.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) id: Sid,
    /// Its position when it was let in first.
    pub(crate) since: u64,
    /// Its rooms, and the positions at which it joined them.
    pub(crate) rooms: Vec<(Arc<str>, u64)>,
}

/// Somebody is absent, or has come back and is not let in yet: events are remembered for it.
#[derive(Debug)]
pub(crate) struct Expected {
    _in_namespace: Arc<()>,
    _in_book: Arc<()>,
}

/// Where the log was when a client came back.
pub(super) struct Since {
    position: u64,
    expected: Expected,
}

/// What a client missed that has come back: what comes before it is let in.
#[derive(Debug)]
pub(crate) struct Missed {
    frames: Vec<(Frames, Flags)>,
    /// Where the log has to be read on.
    position: u64,
    _expected: Expected,
}

/// A socket that was taken out of its namespace, and what is to be done without a lock.
#[must_use]
pub(crate) struct SeenOff {
    absent: Option<Absent>,
    _forgotten: Vec<Entry>,
}

impl History {
    pub(crate) fn new(settings: Recovery, max_missed_bytes: usize) -> Self {
        let sessions = match &settings.store {
            Some(store) => store.clone(),
            None => Arc::new(AbsentSockets::new(settings.max_sessions)),
        };
        let book = Book {
            settings,
            max_missed_bytes,
            prefix: Sid::random().as_str()[..6].into(),
            next_event: AtomicU64::new(0),
            next_page: AtomicU64::new(0),
            sessions,
            log: Mutex::default(),
        };
        Self::page(&Arc::new(book))
    }

    /// That of a child whose parent's this is: what is remembered of all children is bounded together.
    pub(crate) fn of_child(&self) -> Self {
        Self::page(&self.book)
    }

    fn page(book: &Arc<Book>) -> Self {
        Self {
            page: book.next_page.fetch_add(1, Ordering::Relaxed),
            book: book.clone(),
            expected: Arc::default(),
        }
    }

    pub(crate) fn skips_middlewares(&self) -> bool {
        self.book.settings.skips_middlewares()
    }

    /// The offset of an event that is about to be encoded: what a client is told with it, and says when it comes back.
    pub(crate) fn next_offset(&self) -> impl fmt::Display {
        Offset {
            prefix: &self.book.prefix,
            number: self.book.next_event.fetch_add(1, Ordering::Relaxed),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Log> {
        // Nothing in here panics half-way through a change.
        self.book.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends an event that has an offset, and puts it down for those who are not there.
    pub(crate) fn send(&self, rooms: &Rooms, frames: &Frames, flags: Flags, to: To, send: impl FnOnce()) {
        let mut log = self.lock();
        send();
        let is_deserted = rooms.len() == 0 && Arc::strong_count(&self.expected) == 1;
        let forgotten = if is_deserted {
            log.tidy()
        } else {
            let frames = frames.as_written();
            let entry = Entry {
                page: self.page,
                to,
                flags,
                frames,
            };
            log.put_down(entry, &self.book.settings)
        };
        drop(log);
        drop(forgotten);
    }

    /// Takes a socket out of its rooms. What is returned is for [`finish`](Self::finish).
    pub(crate) fn see_off(
        &self,
        socket: &Socket,
        rooms: &[Arc<str>],
        was: Was,
        remember: Option<(Pid, Member)>,
    ) -> SeenOff {
        let mut log = self.lock();
        if was == Was::Connected {
            socket.shared().rooms.remove(socket.id(), rooms);
            log.present -= 1;
        }
        let absent = remember.map(|(pid, member)| Absent {
            pid,
            socket: socket.clone(),
            member,
            expected: self.expect(&log),
        });
        let forgotten = log.tidy();
        SeenOff {
            absent,
            _forgotten: forgotten,
        }
    }

    /// Remembers who was seen off, if it is to be. To be called without a lock.
    pub(crate) fn finish(&self, seen_off: SeenOff) {
        if let Some(absent) = seen_off.absent {
            let Book { settings, sessions, .. } = &*self.book;
            sessions.remember(absent, settings.max_disconnection_duration);
        }
    }

    /// Forgets what nobody can want to know any more.
    pub(super) fn tidy(&self) {
        let forgotten = self.lock().tidy();
        drop(forgotten);
    }

    /// From now on, events are remembered for somebody who says that it was here.
    pub(super) fn expect_somebody(&self) -> Since {
        let log = self.lock();
        Since {
            position: log.end(),
            expected: self.expect(&log),
        }
    }

    fn expect(&self, log: &Log) -> Expected {
        Expected {
            _in_namespace: self.expected.clone(),
            _in_book: log.expected.clone(),
        }
    }

    pub(super) fn ask_store(
        &self,
        nsp: &str,
        claim: &Claim,
    ) -> BoxFuture<'static, Result<Option<Restored>, StoreError>> {
        self.book.sessions.restore(nsp, claim)
    }

    /// Who a client was. `None`: it is not known what it has missed, or that is too much.
    pub(super) fn recognise(
        &self,
        namespace: &Namespace,
        restored: Restored,
        claim: &Claim,
        since: Since,
    ) -> Option<Recognised> {
        match restored {
            Restored::Socket(absent) => {
                let known = absent.socket.remembered().and_then(|member| {
                    let missed = self.missed(&member, &claim.offset)?;
                    Some((member, missed))
                });
                let Some((member, missed)) = known else {
                    absent.forget();
                    return None;
                };
                Some(Recognised {
                    pid: absent.pid,
                    member,
                    before: Before::Socket(absent.socket),
                    missed,
                })
            }
            Restored::Session { session, missed } => self.recognise_session(namespace, session, &missed, since),
        }
    }

    fn missed(&self, member: &Member, offset: &str) -> Option<Missed> {
        let log = self.lock();
        let position = log.position_after(self.page, offset)?;
        let frames = log.since(self.page, position, member)?;
        let frames = frames.map(|(frames, flags)| (frames.as_written(), flags)).collect();
        let since = Since {
            position: log.end(),
            expected: self.expect(&log),
        };
        drop(log);
        self.bounded(frames, since)
    }

    fn recognise_session(
        &self,
        namespace: &Namespace,
        session: Session,
        missed: &[MissedEvent],
        mut since: Since,
    ) -> Option<Recognised> {
        let frames = missed.iter().map(|event| event.encode(namespace));
        let frames = frames.collect::<Result<_, _>>();
        let frames =
            frames.inspect_err(|error| tracing::warn!("an event that a client missed cannot be sent: {error}"));
        if let Some(last) = missed.last()
            && let Some(position) = self.lock().position_after(self.page, &last.offset)
        {
            since.position = position;
        }
        Some(Recognised {
            pid: session.pid,
            member: Member {
                rooms: session.rooms.iter().map(|room| ((**room).into(), 0)).collect(),
                ..Member::new(session.id)
            },
            before: Before::Session {
                data: session.data,
                rules: session.rules,
            },
            missed: self.bounded(frames.ok()?, since)?,
        })
    }

    fn bounded(&self, frames: Vec<(Frames, Flags)>, Since { position, expected }: Since) -> Option<Missed> {
        let bytes = frames.iter().map(|(frames, _)| frames.bytes() + size_of::<Entry>());
        (bytes.sum::<usize>() <= self.book.max_missed_bytes).then_some(Missed {
            frames,
            position,
            _expected: expected,
        })
    }

    /// Queues for a client that has come back what it has missed. `false`: part of it has been forgotten
    /// meanwhile.
    pub(crate) fn resume(&self, log: &Log, member: &Member, missed: &Missed, socket: &Socket) -> bool {
        let Some(later) = log.since(self.page, missed.position, member) else {
            return false;
        };
        let first = missed.frames.iter().map(|(frames, flags)| (frames, *flags));
        for (frames, flags) in first.chain(later) {
            socket.deliver(frames, flags, Wake::Now);
        }
        true
    }
}

impl MissedEvent {
    fn encode(&self, namespace: &Namespace) -> Result<(Frames, Flags), EncodeError> {
        let mut frames = Frames::recoverable_event(&namespace.path, &self.name, &self.args, &self.offset)?;
        frames.be_written_by(namespace.parser())?;
        Ok((frames, Flags::default()))
    }
}

impl Log {
    /// The position of what comes next.
    pub(crate) fn end(&self) -> u64 {
        self.start + self.entries.len() as u64
    }

    /// A socket is let in.
    pub(crate) fn enter(&mut self) {
        self.present += 1;
    }

    fn position_after(&self, page: u64, offset: &str) -> Option<u64> {
        let is_it = |entry: &Entry| entry.page == page && entry.frames.has_offset_of(offset);
        let index = self.entries.iter().rposition(is_it)?;
        Some(self.start + index as u64 + 1)
    }

    /// What was for a socket from that position on; `None` where that is not known any more.
    fn since<'a>(
        &'a self,
        page: u64,
        position: u64,
        member: &'a Member,
    ) -> Option<impl Iterator<Item = (&'a Frames, Flags)>> {
        let first = usize::try_from(position.checked_sub(self.start)?).ok()?;
        let entries = self.entries.iter().enumerate().skip(first);
        Some(entries.filter_map(move |(index, entry)| {
            let position = self.start + index as u64;
            let is_its = entry.page == page && member.is_meant(&entry.to, position);
            is_its.then_some((&entry.frames, entry.flags))
        }))
    }

    fn put_down(&mut self, entry: Entry, settings: &Recovery) -> Vec<Entry> {
        self.bytes += entry.bytes();
        self.entries.push_back(entry);
        let mut forgotten = Vec::new();
        while self.entries.len() > settings.max_packets || self.bytes > settings.max_bytes {
            let Some(entry) = self.entries.pop_front() else { break };
            self.bytes -= entry.bytes();
            self.start += 1;
            forgotten.push(entry);
        }
        forgotten
    }

    /// Forgets everything where nobody is there who could want to know what was sent.
    fn tidy(&mut self) -> Vec<Entry> {
        if self.present > 0 || Arc::strong_count(&self.expected) > 1 {
            return Vec::new();
        }
        self.start = self.end();
        self.bytes = 0;
        std::mem::take(&mut self.entries).into()
    }
}

impl Member {
    pub(crate) fn new(id: Sid) -> Self {
        Self {
            id,
            since: 0,
            rooms: Vec::new(),
        }
    }

    fn is_meant(&self, to: &To, position: u64) -> bool {
        if position < self.since {
            return false;
        }
        let is_in = |name: &str| {
            self.id == *name
                || self
                    .rooms
                    .iter()
                    .any(|(room, joined)| **room == *name && position >= *joined)
        };
        match to {
            To::Socket(id) => *id == self.id,
            To::Selected(selection) => {
                selection.except_socket.as_ref() != Some(&self.id)
                    && selection
                        .rooms
                        .as_ref()
                        .is_none_or(|rooms| rooms.iter().any(|room| is_in(room)))
                    && !selection.except.iter().any(|room| is_in(room))
            }
        }
    }
}

impl Entry {
    fn bytes(&self) -> usize {
        let names: usize = match &self.to {
            To::Socket(_) => 0,
            To::Selected(Selection { rooms, except, .. }) => {
                rooms.iter().flatten().chain(except).map(|name| name.len() + 16).sum()
            }
        };
        size_of::<Self>() + self.frames.bytes() + names
    }
}

impl fmt::Display for Offset<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.prefix, self.number)
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("History").finish_non_exhaustive()
    }
}
