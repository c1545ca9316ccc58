//! The handle of one connection: what any task may do to it. Everything here is short and never
//! waits; the task that owns the connection ([`driver`](super::driver)) is woken to do the rest.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::Waker,
};

use tokio::sync::oneshot;

use super::{
    codec::{Posted, Reader, frame::Frame},
    conn::exchange::{Exchange, Overlap, RequestKind},
    driver::Life,
    generation::{Generation, Profile},
    meter::{Meter, Queued},
    outbox::Outbox,
    reason::CloseReason,
    sid::Sid,
    transport::{Transport, duplex::probe::Attempt, polling::Outlet, websocket::deflate::PerMessageDeflate},
};

/// A handle of one connection, cheap to clone; sending never waits for the network.
///
/// What is sent waits in an outbox that is bounded in bytes
/// ([`max_outbox_bytes`](super::EngineBuilder::max_outbox_bytes)): a client that reads too slowly
/// loses volatile messages first and is then disconnected.
///
/// ```
/// use std::time::Duration;
/// use tower_socketio::engine::Connection;
///
/// async fn tick(connection: Connection) {
///     tokio::time::sleep(Duration::from_secs(1)).await;
///     connection.send_text("tick");
/// }
/// ```
#[derive(Clone)]
pub struct Connection(Arc<Shared>);

struct Shared {
    sid: Sid,
    generation: Generation,
    reader: Reader,
    /// The transport takes compressed messages.
    is_compressing: AtomicBool,
    sending: Arc<Sending>,
    meter: Meter,
    state: Mutex<State>,
}

/// What all connections of a server know of sending.
#[derive(Debug)]
pub(super) struct Sending {
    /// Bytes that may wait before a further message cuts the client off.
    pub(super) outbox_limit: usize,
    pub(super) deflate: Option<PerMessageDeflate>,
}

struct State {
    outbox: Outbox,
    /// Bytes that the transport has taken from the outbox and not written yet.
    taken: usize,
    /// The largest message that waits or is being written: what one message needs is not counted.
    largest: usize,
    requests: Vec<Request>,
    exchange: Exchange,
    transport: Transport,
    writable: Writable,
    ending: Option<CloseReason>,
    retired: bool,
    /// Something changed since the owner began its turn.
    dirty: bool,
    /// The owner's, while it sleeps.
    waker: Option<Waker>,
}

/// Bytes that are written before more messages are handled, so that a client that reads is never
/// taken for one that does not.
const FLUSH_AT: usize = 64 * 1024;

/// How frames are to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flags {
    /// Dropped unless the transport can write at once.
    pub(crate) volatile: bool,
    /// May be compressed where the transport does that.
    pub(crate) compress: bool,
}

impl Default for Flags {
    fn default() -> Self {
        Self {
            volatile: false,
            compress: true,
        }
    }
}

/// When the owner of a connection is woken for what is queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wake {
    Now,
    /// By [`Connection::rouse`], which the caller sees to.
    Later,
}

/// What became of frames.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sent {
    pub(crate) is_queued: bool,
    /// They are the first for an owner that still sleeps.
    pub(crate) owner_sleeps: bool,
}

/// When the transport could write what is queued, as its owner goes to sleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writable {
    /// It has written all it took.
    Now,
    /// Once the client polls, of which the owner need not know before there is something to answer with.
    AtPoll,
    Later,
}

/// How full an outbox is, beyond its largest message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fill {
    Little,
    /// Write it if that is possible.
    WorthFlushing,
    /// Half of what cuts the client off.
    Half,
}

/// What others ask of the task that owns the connection.
pub(super) enum Request {
    /// A GET by that transport wants the next payload, or all of them.
    Poll(Transport, Outlet),
    /// A POST brought packets; answered when they have been handled.
    Post(Posted, oneshot::Sender<()>),
    /// A duplex stream wants to be the next transport.
    Probe(oneshot::Sender<Attempt>),
    ProbeGone,
    /// Another task is to carry the client now, by that transport.
    TakeOver(Transport, oneshot::Sender<Box<Life>>),
}

/// What the owner finds to do at the start of a turn.
pub(super) struct Work {
    pub(super) requests: Vec<Request>,
    pub(super) ending: Option<CloseReason>,
}

impl State {
    /// Bytes that are not written yet.
    fn waiting(&self) -> usize {
        self.taken + self.outbox.bytes()
    }

    /// The owner sleeps, and a poll would be no reason to wake it.
    fn has_nothing_to_poll(&self) -> bool {
        let sleeps = self.waker.is_some() && !self.dirty && self.ending.is_none();
        sleeps && self.writable == Writable::AtPoll && self.outbox.is_empty()
    }

    /// Queues frames, together or not at all.
    #[inline]
    fn queue<'a>(
        &mut self,
        frames: impl Iterator<Item = &'a Frame>,
        flags: Flags,
        outbox_limit: usize,
        generation: Generation,
    ) -> Queued {
        let volatile = flags.volatile;
        let mut queued = Queued::default();
        if self.ending.is_some() {
            return queued;
        }
        if volatile && self.writable != Writable::Now {
            queued.dropped = frames.count();
            return queued;
        }
        if self.waiting() == 0 {
            self.largest = 0;
        }
        let limit = outbox_limit.saturating_add(self.largest);
        if self.waiting() > limit {
            queued.dropped = self.outbox.drop_volatile();
        }
        let waiting = self.waiting();
        if waiting > limit {
            if volatile {
                queued.dropped += frames.count();
            } else {
                queued.cut_off_at = Some(waiting);
                self.outbox = Outbox::default();
                self.ending = Some(CloseReason::TransportError);
            }
            return queued;
        }
        for frame in frames {
            queued.messages += 1;
            queued.bytes += generation.message_len(frame);
            self.outbox.push(frame.clone(), volatile);
        }
        self.largest = self.largest.max(self.waiting() - waiting);
        queued
    }
}

impl Connection {
    pub(super) fn new(
        sid: Sid,
        generation: Generation,
        transport: Transport,
        reader: Reader,
        sending: Arc<Sending>,
        meter: Meter,
    ) -> Self {
        Self(Arc::new(Shared {
            sid,
            generation,
            reader,
            is_compressing: AtomicBool::new(false),
            sending,
            meter,
            state: Mutex::new(State {
                outbox: Outbox::default(),
                taken: 0,
                largest: 0,
                requests: Vec::new(),
                exchange: Exchange::default(),
                transport,
                writable: Writable::Later,
                ending: None,
                retired: false,
                dirty: false,
                waker: None,
            }),
        }))
    }

    /// The connection's id. It is the key to the session: never show it to other clients.
    ///
    /// ```
    /// # use tower_socketio::engine::Connection;
    /// fn is_same(a: &Connection, b: &Connection) -> bool {
    ///     a.id() == b.id()
    /// }
    /// ```
    pub fn id(&self) -> &Sid {
        &self.0.sid
    }

    /// Which generation of the protocol the client speaks.
    ///
    /// ```
    /// # use tower_socketio::engine::{Connection, Generation};
    /// fn is_current(connection: &Connection) -> bool {
    ///     connection.generation() == Generation::Eio4
    /// }
    /// ```
    pub fn generation(&self) -> Generation {
        self.0.generation
    }

    pub(crate) fn reader(&self) -> Reader {
        self.0.reader
    }

    pub(crate) fn profile(&self) -> Profile {
        self.0.generation.profile()
    }

    /// The transport in use at this moment: it may change, in most generations once, from polling to
    /// another.
    ///
    /// ```
    /// # use tower_socketio::engine::{Connection, Transport};
    /// fn is_upgraded(connection: &Connection) -> bool {
    ///     connection.transport() == Transport::WebSocket
    /// }
    /// ```
    pub fn transport(&self) -> Transport {
        self.lock().transport
    }

    /// Sends a text message. A closed connection ignores it.
    ///
    /// ```
    /// # use tower_socketio::engine::Connection;
    /// fn greet(connection: &Connection) {
    ///     connection.send_text("hello");
    /// }
    /// ```
    pub fn send_text(&self, text: &str) {
        if let Some(frame) = self.generation().text(text) {
            self.send_frame(frame);
        }
    }

    /// Sends a binary message. A closed connection ignores it, and a client of
    /// [`Generation::V0_9`], which cannot be sent any.
    ///
    /// ```
    /// # use tower_socketio::engine::Connection;
    /// fn greet(connection: &Connection) {
    ///     connection.send_binary(&[1, 2, 3]);
    /// }
    /// ```
    pub fn send_binary(&self, bytes: &[u8]) {
        if let Some(frame) = self.generation().binary(bytes) {
            self.send_frame(frame);
        }
    }

    fn send_frame(&self, frame: Frame) {
        let frame = match self.deflate() {
            Some(settings) => frame.compressible(settings),
            None => frame,
        };
        self.send_frames([frame].iter(), Flags::default(), Wake::Now);
    }

    /// Sends what is queued, then closes the connection with that reason. Only the first reason
    /// counts. With [`CloseReason::TransportError`], only what can be written at once is sent.
    ///
    /// ```
    /// # use tower_socketio::engine::{CloseReason, Connection};
    /// fn kick(connection: &Connection) {
    ///     connection.close(CloseReason::ForcedClose);
    /// }
    /// ```
    pub fn close(&self, reason: CloseReason) {
        self.change(|state| {
            state.ending.get_or_insert(reason);
        });
    }

    /// How messages to it are compressed, if they are.
    pub(crate) fn deflate(&self) -> Option<PerMessageDeflate> {
        let is_compressing = self.0.is_compressing.load(Ordering::Relaxed);
        self.0.sending.deflate.filter(|_| is_compressing)
    }

    /// Whether the transport that carries it takes compressed messages.
    pub(super) fn set_compressing(&self, compressing: bool) {
        self.0.is_compressing.store(compressing, Ordering::Relaxed);
    }

    /// Queues frames, together or not at all, and says which.
    pub(crate) fn send_frames<'a>(&self, frames: impl Iterator<Item = &'a Frame>, flags: Flags, wake: Wake) -> Sent {
        let generation = self.generation();
        let mut state = self.lock();
        let queued = state.queue(frames, flags, self.0.sending.outbox_limit, generation);
        let transport = state.transport;
        // An owner that is awake looks into its outbox before it sleeps.
        let matters = state.waker.is_some() || state.ending.is_some();
        let is_first = matters && !std::mem::replace(&mut state.dirty, true);
        let waker = match wake {
            Wake::Now => state.waker.take(),
            Wake::Later => None,
        };
        let owner_sleeps = is_first && state.waker.is_some();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        self.0.meter.queued(generation, transport, queued);
        Sent {
            is_queued: queued.messages > 0,
            owner_sleeps,
        }
    }

    /// Wakes the owner if it sleeps although something was queued.
    pub(crate) fn rouse(&self) {
        self.update(|_| ());
    }

    /// Wakes the owner, to look at its application's state anew.
    pub(crate) fn wake(&self) {
        self.change(|_| ());
    }

    /// Queues a packet of the engine itself, whatever waits already.
    pub(super) fn send_control(&self, frame: Frame) {
        self.change(|state| state.outbox.push(frame, false));
    }

    /// Queues such a packet before all that waits.
    pub(super) fn send_first(&self, frame: Frame) {
        self.change(|state| state.outbox.push_first(frame));
    }

    /// Queues again, before all that waits, what a transport has taken and cannot write any more.
    pub(super) fn put_back(&self, mut unwritten: Outbox) {
        self.change(|state| {
            let mut frames = Vec::new();
            while let Some(frame) = unwritten.pop_front() {
                frames.push(frame);
            }
            for frame in frames.into_iter().rev() {
                state.outbox.push_first(frame);
            }
        });
    }

    /// Asks the owner; the request is dropped, and so refused, when there is none any more. A poll that there is nothing
    /// for yet waits without waking it.
    pub(super) fn request(&self, request: Request) {
        let refused = self.update(|state| {
            if state.retired {
                return Some(request);
            }
            if matches!(request, Request::Poll(..)) && state.has_nothing_to_poll() {
                state.writable = Writable::Now;
            } else {
                state.dirty = true;
            }
            // One is the usual number, and may be there for as long as the client is idle.
            state.requests.reserve_exact(1);
            state.requests.push(request);
            None
        });
        drop(refused);
    }

    /// The owner is gone, and with it what was asked of it and what it had to write.
    pub(super) fn retire(&self) {
        let left = self.change(|state| {
            state.retired = true;
            (std::mem::take(&mut state.requests), std::mem::take(&mut state.outbox))
        });
        drop(left);
    }

    pub(super) fn open_request(&self, kind: RequestKind, at_most: u8) -> Result<(), Overlap> {
        self.lock().exchange.open(kind, at_most)
    }

    pub(super) fn close_request(&self, kind: RequestKind) {
        self.lock().exchange.close(kind);
    }

    /// The owner begins a turn: until it parks, nobody wakes it.
    pub(super) fn begin_turn(&self) -> Work {
        let mut state = self.lock();
        state.waker = None;
        state.dirty = false;
        Work {
            requests: std::mem::take(&mut state.requests),
            ending: state.ending,
        }
    }

    /// Takes all that is queued, for a transport that has written all it took before.
    pub(super) fn take_outbox(&self) -> Outbox {
        let mut state = self.lock();
        let outbox = std::mem::take(&mut state.outbox);
        state.taken += outbox.bytes();
        outbox
    }

    pub(super) fn has_queued(&self) -> bool {
        !self.lock().outbox.is_empty()
    }

    /// Takes the first of what is queued, as [`take_outbox`](Self::take_outbox) takes all.
    pub(super) fn take_first(&self) -> Outbox {
        let mut state = self.lock();
        let mut first = Outbox::default();
        if let Some(frame) = state.outbox.pop_front() {
            first.push(frame, false);
        }
        state.taken += first.bytes();
        first
    }

    /// The transport has written that many of the bytes it took.
    pub(super) fn written(&self, bytes: usize) {
        self.lock().taken -= bytes;
    }

    /// How full the outbox is, to a transport that could empty it before more is handled.
    pub(super) fn fill(&self) -> Fill {
        let half = self.0.sending.outbox_limit / 2;
        let state = self.lock();
        match state.waiting().saturating_sub(state.largest) {
            counted if counted >= half => Fill::Half,
            counted if counted >= FLUSH_AT => Fill::WorthFlushing,
            _ => Fill::Little,
        }
    }

    /// The owner goes to sleep, to be woken by the next change; `false` when something changed
    /// during its turn, or when it could write what waits.
    pub(super) fn park(&self, waker: &Waker, writable: Writable) -> bool {
        let mut state = self.lock();
        state.writable = writable;
        if state.dirty || (writable == Writable::Now && !state.outbox.is_empty()) {
            return false;
        }
        state.waker = Some(waker.clone());
        true
    }

    pub(super) fn ending(&self) -> Option<CloseReason> {
        self.lock().ending
    }

    /// The one it had before.
    pub(super) fn set_transport(&self, transport: Transport) -> Transport {
        std::mem::replace(&mut self.lock().transport, transport)
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        self.update(|state| {
            state.dirty = true;
            change(state)
        })
    }

    /// Wakes the owner where something changed. What `update` returns is the caller's to drop: dropping requests wakes
    /// others.
    fn update<T>(&self, update: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let updated = update(&mut state);
        let waker = if state.dirty { state.waker.take() } else { None };
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        updated
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half-way through a change.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the id: it is the key to the session.
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}
