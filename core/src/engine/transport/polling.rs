//! HTTP long-polling and streaming: one task carries the client, fed by its GET and POST requests.
//!
//! The two halves: [`poll`], [`stream`] and [`post`], which the HTTP side awaits, and [`Carrier`], the
//! task that owns the client's [`Life`]. They meet in the connection's requests. Bytes of HTTP itself
//! (statuses, headers, limits) are [`http`](super::super::http)'s.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use flate2::Compression;
use tokio::sync::oneshot;

use super::{
    Transport,
    dress::Wrapping,
    duplex::probe::Attempt,
    stream::{self, Reader, Writer},
};
use crate::{
    compression::Coding,
    engine::{
        codec::{PayloadForm, Posted, Signal},
        conn::exchange::RequestKind,
        connection::{Connection, Fill, Request, Writable},
        driver::{Alarm, Life, ROUNDS, Received, Turn, now},
        generation::Switch,
        reason::CloseReason,
    },
};

/// How many packets are handled before other tasks get their turn.
const PACKETS_A_TURN: usize = 64;

/// How long a closed connection waits for the client's next poll, to tell it so. As the reference.
const LINGER: Duration = Duration::from_secs(30);

/// How long a stream that the server closes goes on, so that the answer to a POST is there first.
const PAUSE: Duration = Duration::from_millis(250);

/// How many POSTs of a client may be open at a time, where that is not one.
const POSTS_AT_A_TIME: u8 = 4;

/// A request that the protocol forbids, or whose session ended before it was answered.
#[derive(Debug)]
pub(crate) struct Refused;

/// Why a poll has no payload.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// The protocol forbids it.
    Refused,
    /// Its session ended while it came.
    Ended,
}

/// The answer to a poll. Dropping it undelivered ends the session, since its messages are lost.
#[derive(Debug)]
pub(crate) struct Payload {
    body: Bytes,
    /// What it took in the outbox.
    cost: usize,
    connection: Option<Connection>,
}

impl Payload {
    /// The bytes, to be written now.
    pub(crate) fn deliver(&mut self) -> Bytes {
        if let Some(connection) = self.connection.take() {
            connection.written(self.cost);
        }
        std::mem::take(&mut self.body)
    }

    /// Puts text around them.
    pub(crate) fn wrap(&mut self, wrapping: Wrapping) {
        if wrapping != Wrapping::None {
            let text = std::str::from_utf8(&self.body).unwrap_or_default();
            self.body = wrapping.wrap(text).into();
        }
    }

    /// Makes them fewer, for a client that accepts that.
    pub(crate) fn compress(&mut self, coding: Coding) {
        // Others' messages wait for the thread meanwhile: a third of the default's time for a fifth more bytes.
        self.body = coding.compress(&self.body, Compression::fast()).into();
    }

    /// Their number.
    pub(crate) fn len(&self) -> usize {
        self.body.len()
    }
}

impl Drop for Payload {
    fn drop(&mut self) {
        if let Some(connection) = &self.connection {
            connection.close(CloseReason::TransportError);
        }
    }
}

/// The answer to a handshake: the open packet alone, since there are clients that read no further.
pub(crate) fn open(connection: &Connection, form: PayloadForm) -> Payload {
    let open = connection.take_first();
    Payload {
        body: connection.generation().encode_payload(open.iter(), form).into(),
        cost: open.bytes(),
        connection: Some(connection.clone()),
    }
}

/// Waits for the next payload.
pub(crate) async fn poll(
    connection: &Connection,
    transport: Transport,
    form: PayloadForm,
) -> Result<Payload, Unanswered> {
    // Where the newest poll counts, another may be open, or given up, without harm.
    let open = match connection.profile().switch {
        Switch::Probe => Some(OpenRequest::new(connection, RequestKind::Poll).map_err(|Refused| Unanswered::Refused)?),
        Switch::Newest => None,
    };
    let (sender, answer) = oneshot::channel();
    connection.request(Request::Poll(transport, Outlet::Poll(form, sender)));
    let payload = answer.await.map_err(|_| Unanswered::Ended);
    if let Some(open) = open {
        open.complete();
    }
    payload
}

/// The payloads from now on.
pub(crate) fn stream(connection: &Connection, transport: Transport) -> Reader {
    let (writer, reader) = stream::channel(connection);
    connection.request(Request::Poll(transport, Outlet::Stream(writer)));
    reader
}

/// A POST that is being received.
#[derive(Debug)]
pub(crate) struct Post<'a>(OpenRequest<'a>);

/// A client begins to post; refused while it has too many POSTs open.
pub(crate) fn post(connection: &Connection) -> Result<Post<'_>, Refused> {
    OpenRequest::new(connection, RequestKind::Post).map(Post)
}

impl Post<'_> {
    /// Hands the packets to the client's task; ready when they have been handled.
    pub(crate) async fn handle(self, payload: Posted) -> Result<(), Refused> {
        let (sender, done) = oneshot::channel();
        self.0.connection.request(Request::Post(payload, sender));
        let handled = done.await.map_err(|_| Refused);
        self.0.complete();
        handled
    }

    /// Leaves the session as it was.
    pub(crate) fn refuse(self) {
        self.0.complete();
    }
}

/// A GET or POST in progress. Dropped before it is complete, it ends the session: the client
/// went away in the middle of it.
#[derive(Debug)]
struct OpenRequest<'a> {
    connection: &'a Connection,
    kind: RequestKind,
    complete: bool,
}

impl<'a> OpenRequest<'a> {
    fn new(connection: &'a Connection, kind: RequestKind) -> Result<Self, Refused> {
        let at_most = match (kind, connection.profile().switch) {
            // A heartbeat is answered whatever else is being posted.
            (RequestKind::Post, Switch::Newest) => POSTS_AT_A_TIME,
            _ => 1,
        };
        match connection.open_request(kind, at_most) {
            Ok(()) => Ok(Self {
                connection,
                kind,
                complete: false,
            }),
            Err(_overlap) => {
                connection.close(CloseReason::TransportError);
                Err(Refused)
            }
        }
    }

    fn complete(mut self) {
        self.complete = true;
    }
}

impl Drop for OpenRequest<'_> {
    fn drop(&mut self) {
        self.connection.close_request(self.kind);
        if !self.complete {
            self.connection.close(CloseReason::TransportError);
        }
    }
}

/// The task of a polling client: owns its life until a duplex stream takes it over or it ends.
pub(crate) struct Carrier {
    /// `None` once a stream has taken over.
    life: Option<Box<Life>>,
    outlet: Option<Outlet>,
    posts: VecDeque<Packets>,
    take_over: Option<(Transport, oneshot::Sender<Box<Life>>)>,
    /// Set when the connection has ended and only waits for a poll to say so.
    lingers_until: Option<Instant>,
    alarm: Alarm,
}

/// Where payloads go.
pub(crate) enum Outlet {
    /// The next one is a poll's answer.
    Poll(PayloadForm, oneshot::Sender<Payload>),
    /// All of them are parts of one response.
    Stream(Writer),
}

impl Outlet {
    /// Whether it takes a payload now.
    fn is_ready(&self) -> bool {
        match self {
            Self::Poll(..) => true,
            Self::Stream(writer) => writer.is_ready(),
        }
    }

    /// Whether the client gave it up, by which nothing is lost.
    fn is_gone(&self) -> bool {
        match self {
            Self::Poll(_, poll) => poll.is_closed(),
            Self::Stream(_) => false,
        }
    }

    fn form(&self) -> PayloadForm {
        match self {
            Self::Poll(form, _) => *form,
            Self::Stream(_) => PayloadForm::Any,
        }
    }

    /// What there is for the next payload. An error is a request that died: the payload's drop ends the
    /// session.
    fn put(self, payload: Payload) -> Option<Self> {
        match self {
            Self::Poll(_, poll) => {
                let _ = poll.send(payload);
                None
            }
            Self::Stream(writer) => {
                writer.put(payload);
                Some(Self::Stream(writer))
            }
        }
    }

    /// Ends the request, for another to go on.
    fn release(self, connection: &Connection) {
        let generation = connection.generation();
        match self {
            Self::Stream(_) => {}
            Self::Poll(form, poll) => {
                let noop = generation.encode_payload([generation.control(&Signal::Noop)].iter(), form);
                let _ = poll.send(Payload {
                    body: noop.into(),
                    cost: 0,
                    connection: None,
                });
            }
        }
    }
}

/// The packets of a POST that are not handled yet.
struct Packets {
    payload: Posted,
    /// Bytes of it that are.
    handled: usize,
    done: oneshot::Sender<()>,
}

/// The first POST is handled.
fn accept_first(posts: &mut VecDeque<Packets>) {
    if let Some(post) = posts.pop_front() {
        // An error is a client that did not wait for the answer.
        let _ = post.done.send(());
    }
    if posts.is_empty() {
        *posts = VecDeque::new();
    }
}

impl Carrier {
    pub(in crate::engine) fn new(life: Box<Life>) -> Self {
        Self {
            life: Some(life),
            outlet: None,
            posts: VecDeque::new(),
            take_over: None,
            lingers_until: None,
            alarm: Alarm::default(),
        }
    }

    fn take_request(&mut self, request: Request) {
        let Some(life) = &mut self.life else { return };
        match request {
            Request::Poll(transport, outlet) => {
                if let Some(older) = self.outlet.take() {
                    older.release(&life.connection);
                }
                let greets = life.handle_poll(transport) && !outlet.is_gone();
                self.outlet = if greets {
                    let payload = open(&life.connection, outlet.form());
                    outlet.put(payload)
                } else {
                    Some(outlet)
                };
            }
            Request::Post(payload, done) => {
                self.posts.push_back(Packets {
                    payload,
                    handled: 0,
                    done,
                });
            }
            Request::Probe(accepted) => {
                if life.conn.handle_probe(now()) {
                    // An error is a stream that died: the attempt's drop ends the probe.
                    let _ = accepted.send(Attempt::new(&life.connection));
                }
            }
            Request::ProbeGone => life.conn.handle_probe_end(),
            // From a stream, for requests to carry the client, as this task does.
            Request::TakeOver(transport, _) if !transport.is_duplex() => {}
            Request::TakeOver(transport, to) => self.take_over = Some((transport, to)),
        }
    }

    /// Handles what was posted, as far as there is room for the answers; `false` when it should be
    /// called again after the others' turn.
    fn handle_packets(&mut self, cx: &mut Context<'_>) -> bool {
        let Self {
            life: Some(life),
            posts,
            outlet,
            ..
        } = self
        else {
            return true;
        };
        let generation = life.connection.generation();
        for _ in 0..PACKETS_A_TURN {
            let Some(post) = posts.front_mut() else {
                return true;
            };
            // The open poll takes what waits, or the next one; a client that upgrades polls no more.
            let has_outlet = outlet.as_ref().is_some_and(Outlet::is_ready);
            let patience = if has_outlet { Fill::Little } else { Fill::WorthFlushing };
            let is_full = life.connection.fill() > patience && !life.conn.is_upgrading();
            if is_full && post.handled < post.payload.len() {
                return !has_outlet;
            }
            let Some((signal, handled)) = generation.decode_next(&post.payload, post.handled) else {
                accept_first(posts);
                continue;
            };
            let closed_by_client = matches!(signal, Ok(Signal::Close));
            let received = match signal {
                Ok(signal) => life.receive(cx, &signal),
                Err(malformed) => life.receive_malformed(malformed, CloseReason::ParseError),
            };
            post.handled = handled;
            match received {
                Received::GoOn => {}
                Received::Stalled => return true,
                Received::Closed => {
                    if closed_by_client {
                        accept_first(posts);
                    }
                    return true;
                }
            }
        }
        posts.is_empty()
    }

    fn answer(&mut self, closing: Option<&Signal<'_>>) {
        let (Some(life), Some(outlet)) = (&mut self.life, self.outlet.take()) else {
            return;
        };
        if !outlet.is_ready() && closing.is_none() {
            self.outlet = Some(outlet);
            return;
        }
        let release = std::mem::take(&mut life.release_poll);
        let mut outbox = life.connection.take_outbox();
        let cost = outbox.bytes();
        let generation = life.connection.generation();
        match closing {
            Some(signal) => outbox.push(generation.control(signal), false),
            None if outbox.is_empty() && release => outbox.push(generation.control(&Signal::Noop), false),
            None => {}
        }
        if outbox.is_empty() {
            self.outlet = Some(outlet);
            return;
        }
        let payload = Payload {
            body: generation.encode_payload(outbox.iter(), outlet.form()).into(),
            cost,
            connection: Some(life.connection.clone()),
        };
        self.outlet = outlet.put(payload);
    }

    /// Another task carries the client from now on, once what came before is handled.
    fn hand_over(&mut self) -> bool {
        if !self.posts.is_empty() {
            return false;
        }
        let Some((transport, to)) = self.take_over.take() else {
            return false;
        };
        let Some(mut life) = self.life.take() else {
            return false;
        };
        life.attach(transport);
        if let Some(outlet) = self.outlet.take() {
            outlet.release(&life.connection);
        }
        // An error is a transport that died: the life's drop ends the session.
        let _ = to.send(life);
        true
    }
}

impl Future for Carrier {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let _entered = this.life.as_ref().and_then(|life| life.enter());
        let Some(connection) = this.life.as_ref().map(|life| life.connection.clone()) else {
            return Poll::Ready(());
        };
        for _ in 0..ROUNDS {
            let work = connection.begin_turn();
            for request in work.requests {
                this.take_request(request);
            }
            this.outlet.take_if(|outlet| outlet.is_gone());
            let Some(life) = &mut this.life else {
                return Poll::Ready(());
            };
            match life.turn(cx, work.ending) {
                Turn::Stalled => {}
                Turn::Open => {
                    if !this.handle_packets(cx) {
                        this.answer(None);
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                }
                Turn::Closed => {
                    if this.end(connection.ending()) {
                        return Poll::Ready(());
                    }
                }
            }
            if this.lingers_until.is_none() {
                if this.hand_over() {
                    return Poll::Ready(());
                }
                // The last payload also says that it is the last.
                if connection.ending().is_none() {
                    this.answer(None);
                }
            }
            if this.alarm.poll(cx, this.deadline()).is_ready() {
                if this.lingers_until.is_some() {
                    // Nobody notices the end of a stream.
                    this.answer(Some(&Signal::Close));
                    return Poll::Ready(());
                }
                continue;
            }
            if connection.park(cx.waker(), this.writable()) {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Carrier {
    fn writable(&self) -> Writable {
        match (&self.outlet, &self.life) {
            (Some(outlet), _) if outlet.is_ready() => Writable::Now,
            (None, Some(life))
                if life.connection.profile().switch == Switch::Probe
                    && !life.release_poll
                    && self.posts.is_empty()
                    && self.lingers_until.is_none() =>
            {
                Writable::AtPoll
            }
            _ => Writable::Later,
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.lingers_until.or_else(|| self.life.as_ref()?.deadline())
    }

    /// The connection has ended: tells the client with its open poll, or, where it was the server
    /// that closed, with its next one. `true`: nothing is left to do.
    fn end(&mut self, reason: Option<CloseReason>) -> bool {
        self.posts.clear();
        self.take_over = None;
        let by_server = matches!(
            reason,
            Some(CloseReason::ForcedClose | CloseReason::ForcedServerClose | CloseReason::ServerShuttingDown)
        );
        let by_client = reason == Some(CloseReason::TransportClose);
        let Some(life) = &mut self.life else {
            return true;
        };
        let has_queued = life.connection.has_queued();
        let may_linger = match (life.connection.profile().switch, &self.outlet) {
            (_, None) => true,
            (Switch::Probe, Some(_)) => {
                self.answer(Some(if by_client { &Signal::Noop } else { &Signal::Close }));
                false
            }
            // Its next poll is refused: a client that is told that its session is unknown says goodbye, and,
            // while it posts, to its next session.
            (Switch::Newest, Some(Outlet::Poll(..))) if has_queued || by_client => {
                self.answer(Some(&Signal::Noop));
                true
            }
            (Switch::Newest, Some(Outlet::Poll(..))) => {
                self.outlet = None;
                false
            }
            (Switch::Newest, Some(Outlet::Stream(_))) => {
                if has_queued {
                    self.answer(Some(&Signal::Noop));
                }
                true
            }
        };
        if !(by_server && may_linger) {
            return true;
        }
        let lingers = if self.outlet.is_some() { PAUSE } else { LINGER };
        if let (None, Some(life)) = (self.lingers_until, &mut self.life) {
            life.linger();
            self.lingers_until = Some(now() + lingers);
        }
        false
    }
}
