//! What a namespace remembers for clients that may come back: the latest events, in the order in
//! which they were sent, and the sockets that are absent.
//!
//! An event is put down and queued for everybody who is there under one lock, which is also held while a
//! socket joins, leaves and comes back: so an event is either queued for a socket or put down after the last that
//! was, and never both or neither.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    fmt,
    mem::size_of,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::{Claim, Pid, Recovery};
use crate::{
    adapter::{Selection, local::Rooms},
    engine::{Flags, Sid, now},
    socketio::{frames::Frames, namespace::Shared as Namespace, socket::Socket},
};

/// The memory of one namespace.
pub(crate) struct History {
    settings: Recovery,
    /// What a client may have missed: as much as its outbox holds.
    max_missed_bytes: usize,
    /// Of all offsets: those of another server, and other text that a client takes for one, are none of this.
    prefix: Box<str>,
    next_event: AtomicU64,
    log: Mutex<Log>,
}

/// What a client is told with an event, and says when it comes back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offset<'a> {
    prefix: &'a str,
    pub(crate) event: u64,
}

/// Whom an event was for.
pub(crate) enum To {
    Socket(Sid),
    Selected(Selection),
}

/// The events and the absent. Positions count the events that were put down.
#[derive(Default)]
pub(crate) struct Log {
    /// The position of the first entry.
    start: u64,
    entries: VecDeque<Entry>,
    bytes: usize,
    /// In the order in which they left.
    absent: BTreeMap<u64, Absent>,
    by_pid: HashMap<Pid, u64>,
    /// Somebody waits for the next to expire.
    is_swept: bool,
    /// Those hold it who have come back and are not let in yet.
    returning: Arc<()>,
}

struct Entry {
    event: u64,
    to: To,
    flags: Flags,
    frames: Frames,
}

struct Absent {
    pid: Pid,
    until: Instant,
    socket: Socket,
    member: Member,
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

/// What a client missed that has come back: what comes before it is let in.
#[derive(Debug)]
pub(crate) struct Missed {
    frames: Vec<(Frames, Flags)>,
    /// Where the log has to be read on.
    position: u64,
    _returning: Arc<()>,
}

/// A client that has come back.
pub(crate) struct Recognised {
    /// The socket that it was.
    pub(crate) socket: Socket,
    pub(crate) member: Member,
    pub(crate) missed: Missed,
}

/// What is to be dropped without the lock: it may be the application's.
#[must_use]
#[derive(Default)]
pub(crate) struct Forgotten {
    entries: Vec<Entry>,
    absent: Vec<Socket>,
}

impl History {
    pub(crate) fn new(settings: Recovery, max_missed_bytes: usize) -> Self {
        Self {
            settings,
            max_missed_bytes,
            prefix: Sid::random().as_str()[..6].into(),
            next_event: AtomicU64::new(0),
            log: Mutex::default(),
        }
    }

    pub(crate) fn skips_middlewares(&self) -> bool {
        self.settings.skips_middlewares()
    }

    /// The offset of an event that is about to be encoded.
    pub(crate) fn next_offset(&self) -> Offset<'_> {
        Offset {
            prefix: &self.prefix,
            event: self.next_event.fetch_add(1, Ordering::Relaxed),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Log> {
        // Nothing in here panics half-way through a change.
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends an event that has an offset, and puts it down for those who are not there.
    pub(crate) fn send(&self, rooms: &Rooms, event: u64, frames: &Frames, flags: Flags, to: To, send: impl FnOnce()) {
        let mut log = self.lock();
        send();
        let forgotten = if log.is_deserted(rooms) {
            log.forget_events()
        } else {
            let frames = frames.as_written();
            log.put_down(
                Entry {
                    event,
                    to,
                    flags,
                    frames,
                },
                &self.settings,
            )
        };
        drop(log);
        drop(forgotten);
    }

    /// Takes a socket out of its rooms. It can come back if it is to be remembered.
    pub(crate) fn see_off(
        &self,
        namespace: &Arc<Namespace>,
        socket: &Socket,
        rooms: &[Arc<str>],
        remember: Option<(Pid, Member)>,
    ) -> Forgotten {
        let mut log = self.lock();
        namespace.rooms.remove(socket.id(), rooms);
        let forgotten = match remember {
            Some((pid, member)) => {
                let absent = Absent {
                    pid,
                    until: now() + self.settings.max_disconnection_duration,
                    socket: socket.clone(),
                    member,
                };
                log.remember(absent, &self.settings)
            }
            None if log.is_deserted(&namespace.rooms) => log.forget_events(),
            None => Forgotten::default(),
        };
        let sweeps = !log.absent.is_empty() && !std::mem::replace(&mut log.is_swept, true);
        drop(log);
        if sweeps {
            let sweep = sweep(Arc::downgrade(namespace), self.settings.max_disconnection_duration);
            namespace.runtime().handle().spawn(sweep);
        }
        forgotten
    }

    /// Who a client was, which nobody else can be any more. `None`: it begins anew.
    pub(crate) fn recognise(&self, claim: &Claim) -> Option<Recognised> {
        let mut log = self.lock();
        let Absent { socket, member, .. } = log.take(&claim.pid)?;
        let missed = self.missed(&log, &member, &claim.offset);
        drop(log);
        if missed.is_none() {
            socket.forget();
        }
        let missed = missed?;
        Some(Recognised { socket, member, missed })
    }

    fn missed(&self, log: &Log, member: &Member, offset: &str) -> Option<Missed> {
        let event: u64 = offset.strip_prefix(&*self.prefix)?.strip_prefix('.')?.parse().ok()?;
        let last = log.entries.iter().rposition(|entry| entry.event == event)?;
        let position = log.start + last as u64 + 1;
        let frames: Vec<_> = log
            .since(position, member)?
            .map(|(frames, flags)| (frames.as_written(), flags))
            .collect();
        let bytes: usize = frames
            .iter()
            .map(|(frames, _)| frames.bytes() + size_of::<Entry>())
            .sum();
        (bytes <= self.max_missed_bytes).then_some(Missed {
            frames,
            position: log.end(),
            _returning: log.returning.clone(),
        })
    }

    /// Forgets those who have been away too long; until when the next may be.
    fn expire(&self, rooms: &Rooms) -> Option<Instant> {
        let mut log = self.lock();
        let now = now();
        let mut forgotten = Forgotten::default();
        let next = loop {
            match log.absent.first_entry() {
                Some(first) if first.get().until <= now => {
                    let absent = first.remove();
                    log.by_pid.remove(&absent.pid);
                    forgotten.absent.push(absent.socket);
                }
                Some(first) => break Some(first.get().until),
                None => break None,
            }
        };
        if next.is_none() {
            log.is_swept = false;
        }
        let events = log.is_deserted(rooms).then(|| log.forget_events());
        drop(log);
        drop((forgotten, events));
        next
    }
}

/// Forgets the absent of a namespace in time, until there are none.
async fn sweep(namespace: std::sync::Weak<Namespace>, first: Duration) {
    let mut until = now() + first;
    loop {
        tokio::time::sleep_until(until.into()).await;
        let next = namespace
            .upgrade()
            .and_then(|namespace| namespace.history.as_ref()?.expire(&namespace.rooms));
        match next {
            Some(next) => until = next,
            None => return,
        }
    }
}

impl Log {
    /// The position of what comes next.
    pub(crate) fn end(&self) -> u64 {
        self.start + self.entries.len() as u64
    }

    /// Queues for a client that has come back what it has missed. `false`: part of it has been forgotten
    /// meanwhile.
    pub(crate) fn resume(&self, member: &Member, missed: &Missed, socket: &Socket) -> bool {
        let Some(later) = self.since(missed.position, member) else {
            return false;
        };
        let first = missed.frames.iter().map(|(frames, flags)| (frames, *flags));
        for (frames, flags) in first.chain(later) {
            socket.deliver(frames, flags);
        }
        true
    }

    /// What was for a socket from that position on; `None` where that is not known any more.
    fn since<'a>(&'a self, position: u64, member: &'a Member) -> Option<impl Iterator<Item = (&'a Frames, Flags)>> {
        let first = usize::try_from(position.checked_sub(self.start)?).ok()?;
        let entries = self.entries.iter().enumerate().skip(first);
        Some(entries.filter_map(move |(index, entry)| {
            let position = self.start + index as u64;
            member
                .is_meant(&entry.to, position)
                .then_some((&entry.frames, entry.flags))
        }))
    }

    fn put_down(&mut self, entry: Entry, settings: &Recovery) -> Forgotten {
        self.bytes += entry.bytes();
        self.entries.push_back(entry);
        let mut forgotten = Forgotten::default();
        while self.entries.len() > settings.max_packets || self.bytes > settings.max_bytes {
            let Some(entry) = self.entries.pop_front() else { break };
            self.bytes -= entry.bytes();
            self.start += 1;
            forgotten.entries.push(entry);
        }
        forgotten
    }

    /// Nobody is there who could want to know what was sent.
    fn is_deserted(&self, rooms: &Rooms) -> bool {
        rooms.len() == 0 && self.absent.is_empty() && Arc::strong_count(&self.returning) == 1
    }

    fn forget_events(&mut self) -> Forgotten {
        self.start = self.end();
        self.bytes = 0;
        Forgotten {
            entries: std::mem::take(&mut self.entries).into(),
            absent: Vec::new(),
        }
    }

    fn remember(&mut self, absent: Absent, settings: &Recovery) -> Forgotten {
        let number = self.absent.last_key_value().map_or(0, |(last, _)| last + 1);
        self.by_pid.insert(absent.pid.clone(), number);
        self.absent.insert(number, absent);
        let mut forgotten = Forgotten::default();
        while self.absent.len() > settings.max_sessions {
            let Some((_, absent)) = self.absent.pop_first() else {
                break;
            };
            self.by_pid.remove(&absent.pid);
            forgotten.absent.push(absent.socket);
        }
        forgotten
    }

    fn take(&mut self, pid: &Pid) -> Option<Absent> {
        let number = self.by_pid.remove(pid)?;
        self.absent.remove(&number)
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

impl Drop for Forgotten {
    fn drop(&mut self) {
        for socket in self.absent.drain(..) {
            socket.forget();
        }
    }
}

impl fmt::Display for Offset<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.prefix, self.event)
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("History").finish_non_exhaustive()
    }
}
