//! One client's whole life, owned by the transport that carries it: the sans-IO
//! [`Conn`], the application's [`Client`] above it and what both need of the server.
//!
//! A transport feeds it what it read ([`Life::receive`]), gives it its turn ([`Life::turn`]) and
//! writes what the outbox holds. It never does I/O itself, and nobody else touches it: others
//! reach it through its [`Connection`].

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use tracing::span::EnteredSpan;

use super::{
    Client, Flow, Message, Shared,
    activity::Active,
    codec::{PayloadForm, Reader, Signal},
    conn::{Conn, Step},
    connection::Connection,
    generation::Switch,
    reason::CloseReason,
    runtime::Serving,
    sid::Sid,
    transport::Transport,
};
use crate::{handshake::Handshake, observability::Scope};

/// How often a carrier looks for new work before other tasks get their turn, however busy others
/// keep its connection.
pub(super) const ROUNDS: usize = 16;

/// The state of one client, in the hands of its transport.
pub(super) struct Life {
    pub(super) connection: Connection,
    pub(super) conn: Conn,
    /// What a stream that carries it may hold.
    pub(super) form: PayloadForm,
    /// The clock says that an open poll is to be answered, if only with a noop.
    pub(super) release_poll: bool,
    server: Arc<Shared>,
    /// Closing the server waits for this.
    active: Option<Active>,
    above: Above,
    /// As the connection has it, behind a lock.
    transport: Transport,
    /// When its last turn was: reading the clock for each packet costs more than it tells.
    now: Instant,
    scope: Scope,
}

/// The application's side.
enum Above {
    /// It knows nothing yet: the client has shaken hands, and no transport carries it.
    Waiting(Handshake),
    Open(Box<dyn Client>),
    /// It was told that the connection has ended.
    Ended,
}

/// What a transport does after it handed over a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Received {
    GoOn,
    /// The application can take no more: read nothing until a turn says [`Turn::Open`].
    Stalled,
    Closed,
}

/// What a turn found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// The application takes messages.
    Open,
    /// The application can take no more for now.
    Stalled,
    /// The connection has ended: write what is left and go.
    Closed,
}

impl Life {
    /// A client has shaken hands: it is registered, and its application begins. `None`: the id is in use.
    pub(super) fn begin(
        server: &Arc<Shared>,
        transport: Transport,
        reader: Reader,
        handshake: Handshake,
        sid: Sid,
        compressing: bool,
    ) -> Option<Box<Self>> {
        let mut life = Self::reserve(server, transport, reader, handshake, sid)?;
        life.connection.set_compressing(compressing);
        let packet = server.open_packet(&life.connection, transport);
        life.connection.send_control(packet);
        life.open();
        Some(life)
    }

    /// A client has shaken hands and will choose its transport: it is registered, and waits to be
    /// [attached](Self::attach) to one. `None`: the id is in use.
    pub(super) fn reserve(
        server: &Arc<Shared>,
        transport: Transport,
        reader: Reader,
        handshake: Handshake,
        sid: Sid,
    ) -> Option<Box<Self>> {
        // Here is a runtime; where the client's life ends there may be none.
        server.runtime();
        let generation = handshake.generation();
        let connection = Connection::new(
            sid,
            generation,
            transport,
            reader,
            server.sending.clone(),
            server.meter.clone(),
        );
        if !server.registry.insert(&connection) {
            return None;
        }
        let scope = server.meter.opened(generation, transport);
        if server.is_closing() {
            connection.close(CloseReason::ServerShuttingDown);
        }
        let now = now();
        Some(Box::new(Self {
            now,
            conn: Conn::new(now, connection.profile().heartbeat, server.config.timing()),
            connection,
            form: reader.form,
            release_poll: false,
            server: server.clone(),
            active: Some(server.activity.begin()),
            above: Above::Waiting(handshake),
            transport,
            scope,
        }))
    }

    /// The span of all that is done for it, for a turn of its transport.
    #[inline]
    pub(super) fn enter(&self) -> Option<EnteredSpan> {
        self.scope.enter()
    }

    /// That transport carries it from now on. `true`: the open packet goes out by it, before all else.
    pub(super) fn attach(&mut self, transport: Transport) -> bool {
        let _entered = self.scope.enter();
        let before = self.connection.set_transport(transport);
        self.transport = transport;
        if before != transport && !matches!(self.above, Above::Ended) {
            let is_upgrade = matches!(self.above, Above::Open(_));
            self.server
                .meter
                .moved(self.connection.generation(), before, transport, is_upgrade);
        }
        let greets = match (self.connection.profile().switch, &self.above) {
            (Switch::Probe, _) => {
                self.conn.handle_probe_end();
                false
            }
            (Switch::Newest, Above::Waiting(_)) => true,
            // A client that changes its transport was not greeted by the one before.
            (Switch::Newest, Above::Open(_)) => before != transport,
            (Switch::Newest, Above::Ended) => false,
        };
        if greets {
            self.conn.handle_switch(now(), transport.polls());
            let packet = self.server.open_packet(&self.connection, transport);
            self.connection.send_first(packet);
        }
        match &mut self.above {
            Above::Open(client) if before != transport => client.upgraded(),
            Above::Waiting(_) if greets => self.open(),
            _ => {}
        }
        greets
    }

    /// A poll came, by that transport, or a stream's request. `true`: the open packet is its answer.
    pub(super) fn handle_poll(&mut self, transport: Transport) -> bool {
        if self.connection.profile().switch == Switch::Probe {
            return false;
        }
        let greets = self.attach(transport);
        if transport.polls() {
            self.conn.handle_poll(now());
        }
        self.release_poll = false;
        greets
    }

    /// The application begins.
    fn open(&mut self) {
        self.above = match std::mem::replace(&mut self.above, Above::Ended) {
            Above::Waiting(handshake) => Above::Open(self.server.upper.open(&self.connection, handshake)),
            above => above,
        };
    }

    /// A packet came over the transport, in its turn.
    pub(super) fn receive(&mut self, cx: &mut Context<'_>, signal: &Signal<'_>) -> Received {
        let step = self.conn.handle_packet(self.now, signal);
        let client = match &mut self.above {
            Above::Open(client) => client,
            Above::Waiting(_) => {
                return self.receive_malformed("a packet before it had a transport", CloseReason::TransportError);
            }
            Above::Ended => return Received::Closed,
        };
        let message = match (step, signal) {
            (Step::Deliver, Signal::Text(text)) => Message::Text(text),
            (Step::Deliver, Signal::Binary(bytes)) => Message::Binary(bytes),
            (step, _) => return self.take_step(step),
        };
        let bytes = match message {
            Message::Text(text) => text.len(),
            Message::Binary(bytes) => bytes.len(),
        };
        let generation = self.connection.generation();
        self.server.meter.received(generation, self.transport, bytes);
        let _serving = Serving::begin();
        match client.message(cx, message) {
            Flow::Open => Received::GoOn,
            Flow::Full => {
                self.conn.handle_stall(self.now);
                Received::Stalled
            }
        }
    }

    /// The transport cannot make sense of what came.
    pub(super) fn receive_malformed(&mut self, what: impl std::fmt::Display, reason: CloseReason) -> Received {
        tracing::debug!("a client sent {what}: its connection is closed with `{reason}`");
        self.close(reason);
        Received::Closed
    }

    /// Lets the application go on and does what is due by the clock.
    pub(super) fn turn(&mut self, cx: &mut Context<'_>, ending: Option<CloseReason>) -> Turn {
        if let Some(reason) = ending {
            self.close(reason);
        }
        let flow = match &mut self.above {
            Above::Open(client) => {
                let _serving = Serving::begin();
                client.poll(cx)
            }
            Above::Waiting(_) => Flow::Open,
            Above::Ended => return Turn::Closed,
        };
        let now = now();
        self.now = now;
        match flow {
            Flow::Open => self.conn.handle_resume(now),
            Flow::Full => self.conn.handle_stall(now),
        }
        while let Some(due) = self.conn.poll_timeout()
            && due <= now
        {
            let step = self.conn.handle_timeout(now);
            if self.take_step(step) == Received::Closed {
                return Turn::Closed;
            }
        }
        match flow {
            Flow::Open => Turn::Open,
            Flow::Full => Turn::Stalled,
        }
    }

    pub(super) fn server(&self) -> &Arc<Shared> {
        &self.server
    }

    /// When the transport must give it a turn even if nothing happens.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let client = match &self.above {
            Above::Open(client) => client.deadline(),
            Above::Waiting(_) | Above::Ended => None,
        };
        self.conn.poll_timeout().into_iter().chain(client).min()
    }

    /// Closing the server need not wait for what is left to do with the transport.
    pub(super) fn linger(&mut self) {
        self.active = None;
    }

    /// Ends the connection for the application; what it still has to do goes on without us.
    pub(super) fn close(&mut self, reason: CloseReason) {
        let above = std::mem::replace(&mut self.above, Above::Ended);
        if matches!(above, Above::Ended) {
            return;
        }
        let _entered = self.scope.enter();
        self.connection.close(reason);
        self.server
            .meter
            .closed(self.connection.generation(), self.transport, reason);
        if let Above::Open(client) = above
            && let Some(rest) = client.close(reason)
        {
            self.server.finish(self.scope.around(rest));
        }
    }

    fn send_control(&self, signal: &Signal<'_>) {
        self.connection
            .send_control(self.connection.generation().control(signal));
    }

    fn take_step(&mut self, step: Step) -> Received {
        match step {
            Step::Nothing | Step::Deliver => {}
            Step::Ping => self.send_control(&Signal::Ping("")),
            Step::Pong => self.send_control(&Signal::Pong("")),
            Step::ReleasePoll => self.release_poll = true,
            Step::Close(reason) => {
                self.close(reason);
                return Received::Closed;
            }
        }
        Received::GoOn
    }
}

impl Drop for Life {
    /// Also when a web framework drops the transport without a word.
    fn drop(&mut self) {
        self.close(CloseReason::TransportClose);
        self.server.registry.remove(self.connection.id());
        self.connection.retire();
    }
}

/// The time, which tests may stop and move.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// A timer that is armed anew only when it fired: a deadline that moves away, as a heartbeat's
/// does with every packet, costs nothing.
#[derive(Debug, Default)]
pub(crate) struct Alarm(Option<std::pin::Pin<Box<tokio::time::Sleep>>>);

impl Alarm {
    /// Ready once `deadline` has passed.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, deadline: Option<Instant>) -> Poll<()> {
        let Some(deadline) = deadline.map(tokio::time::Instant::from_std) else {
            self.0 = None;
            return Poll::Pending;
        };
        let sleep = self
            .0
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        loop {
            std::task::ready!(sleep.as_mut().poll(cx));
            if sleep.deadline() >= deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
    }
}
