//! One client above the engine: its packets to its sockets, its handlers in the order in which
//! its events came.
//!
//! Runs in the task that carries the connection and, once that has ended, on the server's runtime
//! until the handlers have. A handler's future is polled at once, and only kept if it is pending.
//! A socket's entry goes when its handlers have ended and its disconnect handler has run.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{Stream, stream::FuturesUnordered};
use serde_json::value::RawValue;

mod entry;
mod lookup;
mod rare;
mod rate;
mod screening;

use self::{
    entry::{Entry, Phase, Stage, Waiting},
    rare::Rare,
};
use super::{
    ack::OpenAck,
    args::{Args, RawArgs},
    assembly::{Assembly, Content, Incomplete},
    call::{Call, Occasion, OwnedOccasion},
    client::ClientShared,
    codec::{self, own, placeholder::check_placeholders},
    connect::connect,
    directory::is_path,
    extract::{DisconnectContext, EventContext},
    frames::Frames,
    handler::{AnyEventHandler, HandlerFuture},
    namespace::{Shared as Namespace, Timed},
    packet::{Body, Kind, Packet, PacketError},
    reason::DisconnectReason,
    socket::{Socket, Was},
    task::{Done, Task, contain},
};
use crate::{
    engine::{Alarm, Client, CloseReason, Connection, Flags, Flow, Message, Rest, Root, Strays, now},
    error::{ErrorAck, Failure, FailureKind, Told},
    handshake::Handshake,
    server::Core,
};

/// How long a packet may wait for its next attachment, or message.
const ATTACHMENT_TIMEOUT: Duration = Duration::from_secs(30);

/// A client's sockets and handlers.
pub(crate) struct SocketClient {
    core: Arc<Core>,
    connection: Connection,
    shared: Arc<ClientShared>,
    entries: Vec<Entry>,
    /// Handlers that are pending. `None` while there are none: an empty set takes memory.
    tasks: Option<Box<FuturesUnordered<Task>>>,
    /// Events that wait, in bytes.
    pending_bytes: usize,
    incomplete: Option<Box<Incomplete>>,
    rare: Option<Box<Rare>>,
    /// It is to be put into the main namespace.
    awaits_root: bool,
    /// Until when it must have joined a namespace; `None` once it has.
    join_by: Option<Instant>,
    /// It broke the rules: nothing more is taken from it.
    is_doomed: bool,
}

/// An event as it came.
struct Event<'a> {
    name: &'a str,
    args: &'a str,
    attachments: &'a [Bytes],
    stage: Stage,
}

impl SocketClient {
    pub(crate) fn new(core: Arc<Core>, connection: Connection, handshake: Handshake) -> Self {
        let join_by = Some(now() + core.config.connect_timeout);
        Self {
            core,
            awaits_root: connection.profile().root != Root::OnRequest,
            connection,
            shared: ClientShared::new(handshake),
            entries: Vec::new(),
            tasks: None,
            pending_bytes: 0,
            incomplete: None,
            rare: None,
            join_by,
            is_doomed: false,
        }
    }

    fn take(&mut self, cx: &mut Context<'_>, message: Message<'_>) -> Result<(), PacketError> {
        match message {
            _ if self.core.parser.is_some() && own::is_for(self.connection.generation()) => self.take_own(cx, message),
            Message::Text(text) => self.take_text(cx, text),
            Message::Binary(bytes) => self.take_binary(cx, bytes),
        }
    }

    fn take_text(&mut self, cx: &mut Context<'_>, text: &str) -> Result<(), PacketError> {
        if self.incomplete.is_some() {
            return Err(PacketError::TextAmongAttachments);
        }
        let packet = codec::decode(self.connection.generation(), text, self.core.config.max_attachments)?;
        if let Some(assembly) = Assembly::begin(&packet, now() + ATTACHMENT_TIMEOUT) {
            check_placeholders(assembly.args(), packet.attachments)?;
            if self.live(packet.nsp).is_none() && self.lookup(packet.nsp).is_none() {
                self.out_of_order(packet.nsp);
            }
            self.incomplete = Some(Box::new(Incomplete::Assembly(assembly)));
            return Ok(());
        }
        self.dispatch(cx, &packet, &[]);
        Ok(())
    }

    fn take_binary(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Result<(), PacketError> {
        let Some(Incomplete::Assembly(assembly)) = self.incomplete.as_deref_mut() else {
            return Err(PacketError::UnexpectedAttachment);
        };
        if !assembly.push(bytes) {
            assembly.deadline = now() + ATTACHMENT_TIMEOUT;
            return Ok(());
        }
        let Some(Incomplete::Assembly(Assembly {
            nsp,
            id,
            content,
            attachments,
            ..
        })) = self.incomplete.take().map(|incomplete| *incomplete)
        else {
            return Ok(());
        };
        match &content {
            Content::Event { name, args } => {
                let event = Event {
                    name,
                    args,
                    attachments: &attachments,
                    stage: Stage::Arrived(id),
                };
                self.take_event(cx, &nsp, &event);
            }
            Content::Ack { args } => self.take_ack(&nsp, id, args, &attachments),
        }
        Ok(())
    }

    /// Takes a message that the server's own parser reads.
    fn take_own(&mut self, cx: &mut Context<'_>, message: Message<'_>) -> Result<(), PacketError> {
        let Some(parser) = &self.core.parser else {
            return Ok(());
        };
        let max_attachments = self.core.config.max_attachments;
        let begin = || Box::new(Incomplete::Own(parser.decoder(max_attachments), None));
        let Incomplete::Own(decoder, deadline) = &mut **self.incomplete.get_or_insert_with(begin) else {
            return Ok(());
        };
        let Some(read) = decoder.decode(message)? else {
            *deadline = Some(now() + ATTACHMENT_TIMEOUT);
            return Ok(());
        };
        *deadline = None;
        let packet = own::check(self.connection.generation(), &read, max_attachments)?;
        self.dispatch(cx, &packet, &read.attachments);
        Ok(())
    }

    fn dispatch(&mut self, cx: &mut Context<'_>, packet: &Packet<'_>, attachments: &[Bytes]) {
        let Packet { nsp, id, receipt, .. } = *packet;
        if let (Some(id), Some(index)) = (receipt, self.live(nsp)) {
            // Nothing that could fail.
            let _ = self.entries[index].socket.send_ack(id, &Args(()));
        }
        match (packet.kind, &packet.body) {
            (Kind::Connect, body) => {
                let auth = match body {
                    Body::Object(auth) => Some(&**auth),
                    _ => None,
                };
                if self.may_connect(nsp, auth) {
                    self.take_connect(cx, nsp, auth);
                }
            }
            (Kind::Disconnect, _) => match self.live(nsp) {
                Some(index) => self.entries[index].socket.handle_disconnect(),
                None if self.cancel_lookup(nsp) => {}
                None => self.out_of_order(nsp),
            },
            (_, Body::Event { name, args }) => {
                let event = Event {
                    name,
                    args,
                    attachments,
                    stage: Stage::Arrived(id),
                };
                self.take_event(cx, nsp, &event);
            }
            (_, Body::Args(args)) => self.take_ack(nsp, id, args, attachments),
            (_, Body::None | Body::Object(_) | Body::Reason(_)) => self.out_of_order(nsp),
        }
    }

    fn take_connect(&mut self, cx: &mut Context<'_>, nsp: &str, auth: Option<&str>) {
        if self.live(nsp).is_some() {
            // Asking for what it was given does no harm.
            if nsp == "/" && self.connection.profile().root != Root::OnRequest {
                return;
            }
            return self.out_of_order(nsp);
        }
        if self.lookup(nsp).is_some() {
            return self.out_of_order(nsp);
        }
        let namespace = self.core.namespace(nsp);
        if namespace.is_none() && !(self.core.has_parents() && is_path(nsp)) {
            self.refuse_namespace(nsp, codec::INVALID_NAMESPACE);
            return self.report(Some(nsp), &FailureKind::NoNamespace);
        }
        if self.entries.len() + self.lookups() >= self.core.config.max_namespaces {
            return self.refuse_namespace(nsp, "Too many namespaces");
        }
        match namespace {
            Some(namespace) => self.join(cx, namespace, auth.map(Into::into)),
            None => self.look_up(cx, nsp, auth),
        }
    }

    /// Lets the client into a namespace, or begins to.
    fn join(&mut self, cx: &mut Context<'_>, namespace: Arc<Namespace>, auth: Option<Box<str>>) {
        self.forget_kick(&namespace.path);
        let socket = Socket::new(namespace, self.connection.clone(), self.shared.clone(), auth);
        if self.entries.is_empty() {
            // Most clients join one namespace, where a vector would make room for four.
            self.entries.reserve_exact(1);
        }
        self.entries.push(Entry::new(socket.clone()));
        // It has its rules before anything can be called.
        let connecting = contain(|| {
            socket.begin();
            let call = || Call::new(&socket, OwnedOccasion::Connect);
            connect(&socket).map(|future| socket.shared().wrap(call, future))
        });
        match connecting {
            Ok(Some(future)) => {
                let running = socket.shared().meter.connect.begin();
                self.run(cx, Task::new(socket, OwnedOccasion::Connect, future, running));
            }
            Ok(None) => {
                socket.accept();
            }
            Err(panic) => self.finish(&Done {
                socket,
                occasion: OwnedOccasion::Connect,
                ack: None,
                result: Err(panic),
            }),
        }
    }

    fn take_event(&mut self, cx: &mut Context<'_>, nsp: &str, event: &Event<'_>) {
        if !self.may_send(nsp, event) {
            return;
        }
        let index = self.live(nsp);
        if let Some(index) = index {
            self.entries[index].socket.shared().meter.event_received();
        }
        if let Some(index) = index
            && self.has_room()
            && let Entry { socket, .. } = &self.entries[index]
            && !self.entries[index].has_queue()
            && !socket.is_connecting()
        {
            let socket = socket.clone();
            self.start(cx, &socket, event);
            // Middleware may have let it through at once.
            if self.entries[index].has_next() {
                self.start_waiting(cx);
            }
            return;
        }
        let waiting = Waiting {
            name: event.name.into(),
            args: event.args.into(),
            attachments: event.attachments.to_vec(),
            stage: event.stage.clone(),
            counted: None,
        };
        let bytes = waiting.bytes();
        if let Some(index) = index {
            self.entries[index].push(waiting);
        } else if let Some(lookup) = self.lookup(nsp) {
            lookup.push(waiting);
        } else {
            return self.out_of_order(nsp);
        }
        self.pending_bytes += bytes;
    }

    fn take_ack(&mut self, nsp: &str, id: Option<u64>, args: &str, attachments: &[Bytes]) {
        match (self.live(nsp), id) {
            (Some(index), Some(id)) => {
                let socket = &self.entries[index].socket;
                socket.resolve_ack(id, || RawArgs::from_wire(args, attachments));
            }
            _ => self.out_of_order(nsp),
        }
    }

    /// A packet for a namespace that the client is not connected to, or is connected to already.
    fn out_of_order(&mut self, nsp: &str) {
        let was_kicked = self.was_kicked(nsp)
            || self.entries.iter().any(|entry| {
                entry.socket.path() == nsp
                    && matches!(
                        entry.socket.left(),
                        Some((DisconnectReason::ServerNamespaceDisconnect, _))
                    )
            });
        if !was_kicked && self.connection.profile().strays == Strays::EndConnection {
            tracing::debug!("a client broke the order of the protocol for namespace {nsp:?}: its connection is closed");
            self.doom(CloseReason::ForcedServerClose);
        }
    }

    fn doom(&mut self, reason: CloseReason) {
        self.is_doomed = true;
        self.connection.close(reason);
    }

    fn live(&self, nsp: &str) -> Option<usize> {
        self.entries.iter().position(|entry| {
            matches!(entry.phase, Phase::Live) && entry.socket.path() == nsp && entry.socket.left().is_none()
        })
    }

    fn has_room(&self) -> bool {
        self.tasks.as_ref().map_or(0, |tasks| tasks.len()) < self.core.config.max_handlers
    }

    /// Calls the handlers of an event.
    fn start(&mut self, cx: &mut Context<'_>, socket: &Socket, event: &Event<'_>) {
        let namespace = socket.shared();
        let ack = event.stage.ack();
        let occasion = Occasion::Event(event.name);
        let deny = || Self::fail(socket, occasion, ack.as_ref(), &FailureKind::AccessDenied);
        if !socket.allows(event.name) {
            return deny();
        }
        if let Stage::Arrived(_) = event.stage {
            if namespace.registry().listens_to_incoming() {
                socket.show_incoming(event.name, event.args, event.attachments);
                // A listener may have changed the rules.
                if !socket.allows(event.name) {
                    return deny();
                }
            }
            if namespace.registry().screens_packets() {
                let middleware = socket.packet_middleware();
                if !middleware.is_empty() {
                    return self.screen(cx, socket, event, ack, middleware);
                }
            }
        }
        let (any, own) = {
            let handlers = namespace.handlers();
            let own = handlers.events.get_key_value(event.name);
            let own = own.map(|(name, handler)| (name.clone(), handler.clone()));
            let unnamed = |handler: &Arc<dyn AnyEventHandler>| Timed {
                handler: handler.clone(),
                timer: namespace.meter.unnamed.clone(),
            };
            let other = || Some((event.name.into(), handlers.other.as_ref().map(unnamed)?));
            (handlers.any.as_ref().map(unnamed), own.or_else(other))
        };
        if any.is_none() && own.is_none() {
            return namespace.report(socket, occasion, &FailureKind::NoHandler);
        }
        let context = |ack| EventContext {
            socket,
            name: event.name,
            args: event.args,
            attachments: event.attachments,
            ack,
        };
        if let Some(any) = any {
            // The event's own handler is the one to answer.
            let context = context(ack.clone().filter(|_| own.is_none()));
            self.call(cx, &context, OwnedOccasion::Event(event.name.into()), &any);
            // It may have changed the rules.
            if own.is_some() && !socket.allows(event.name) {
                return deny();
            }
        }
        if let Some((name, handler)) = own {
            self.call(cx, &context(ack), OwnedOccasion::Event(name), &handler);
        }
    }

    fn call(
        &mut self,
        cx: &mut Context<'_>,
        context: &EventContext<'_>,
        occasion: OwnedOccasion,
        Timed { handler, timer }: &Timed,
    ) {
        let socket = context.socket.clone();
        let called = contain(|| {
            let call = || Call::new(context.socket, occasion.clone());
            let future = handler.call(context)?;
            Ok(context.socket.shared().wrap(call, future))
        });
        let ack = context.ack.clone();
        let failure = match called {
            Ok(Ok(future)) => {
                let task = Task::new(socket, occasion, future, timer.begin());
                return self.run(cx, task.acked_by(ack));
            }
            Ok(Err(rejection)) => FailureKind::Rejected(rejection),
            Err(panic) => panic,
        };
        self.finish(&Done {
            socket,
            occasion,
            ack,
            result: Err(failure),
        });
    }

    /// Polls a handler once, and keeps it if it is pending.
    fn run(&mut self, cx: &mut Context<'_>, mut task: Task) {
        match Pin::new(&mut task).poll(cx) {
            Poll::Ready(done) => self.finish(&done),
            Poll::Pending => {
                if let Some(entry) = self.entries.iter_mut().find(|entry| task.belongs_to(&entry.socket)) {
                    entry.running += 1;
                    self.tasks.get_or_insert_default().push(task);
                }
            }
        }
    }

    fn finish(&mut self, done: &Done) {
        let Done {
            socket,
            occasion,
            ack,
            result,
        } = done;
        if matches!(occasion, OwnedOccasion::Connect) && socket.is_connecting() {
            // Nothing let it in, and if it did not fail either, a wrapper kept it from running.
            let failure = result.as_ref().err();
            self.refuse(socket, failure.map_or(Told::internal(), FailureKind::told));
        }
        if let Err(failure) = result {
            Self::fail(socket, occasion.as_occasion(), ack.as_ref(), failure);
        }
        match occasion {
            OwnedOccasion::Disconnect => self.remove(socket),
            OwnedOccasion::Packet(screening) => self.end_screening(socket, screening, ack.as_ref()),
            OwnedOccasion::Connect | OwnedOccasion::Event(_) | OwnedOccasion::Job => {}
        }
    }

    /// Tells the client, if it waits for an ack, and the application.
    fn fail(socket: &Socket, occasion: Occasion<'_>, ack: Option<&OpenAck>, failure: &FailureKind) {
        if let Some(ack) = ack {
            Self::answer_failure(socket, ack, failure);
        }
        socket.shared().report(socket, occasion, failure);
    }

    fn answer_failure(socket: &Socket, ack: &OpenAck, failure: &FailureKind) {
        // Nothing but text and what was JSON already.
        let _ = socket.answer(ack, &ErrorAck { error: failure.told() });
    }

    /// Something went wrong before there was a socket.
    fn report(&self, namespace: Option<&str>, kind: &FailureKind) {
        self.core.failures.count(kind);
        self.core.report(&Failure {
            handshake: self.shared.handshake(),
            namespace,
            socket: None,
            occasion: namespace.map(|_| Occasion::Connect),
            kind,
        });
    }

    /// Forgets a socket that has left, and whose handlers have ended.
    fn remove(&mut self, socket: &Socket) {
        self.entries.retain(|entry| !entry.socket.is(socket));
        if let Err(panic) = contain(|| socket.drop_values()) {
            socket.shared().report(socket, Occasion::Disconnect, &panic);
        }
    }

    fn refuse(&self, socket: &Socket, told: Told<'_>) {
        let nsp = socket.path();
        let generation = self.connection.generation();
        let data = told.data.map(RawValue::get);
        let frames = Frames::connect_error(self.core.parser.as_deref(), generation, nsp, &told.message, data);
        if socket
            .leave_namespace(DisconnectReason::ServerNamespaceDisconnect)
            .is_some()
        {
            frames.send(&self.connection, Flags::default());
        }
    }

    /// Lets pending handlers go on; `true` when one ended.
    fn poll_tasks(&mut self, cx: &mut Context<'_>) -> bool {
        let mut ended = false;
        while let Some(tasks) = &mut self.tasks {
            match Pin::new(&mut **tasks).poll_next(cx) {
                Poll::Pending => break,
                Poll::Ready(None) => self.tasks = None,
                Poll::Ready(Some(done)) => {
                    if let Some(entry) = self.entries.iter_mut().find(|entry| entry.socket.is(&done.socket)) {
                        entry.running -= 1;
                    }
                    self.finish(&done);
                    ended = true;
                }
            }
        }
        ended
    }

    /// Starts events that waited; `true` when it started one.
    fn start_waiting(&mut self, cx: &mut Context<'_>) -> bool {
        let mut started = false;
        for index in 0..self.entries.len() {
            while self.has_room() {
                let entry = &mut self.entries[index];
                if !entry.has_next() || !entry.socket.was_let_in() {
                    break;
                }
                // Other tasks get their turn, too: this one is woken for its next.
                let Poll::Ready(turn) = tokio::task::coop::poll_proceed(cx) else {
                    return false;
                };
                turn.made_progress();
                let Some(waiting) = entry.pop() else {
                    break;
                };
                self.pending_bytes -= waiting.bytes();
                let socket = entry.socket.clone();
                let event = Event {
                    name: &waiting.name,
                    args: &waiting.args,
                    attachments: &waiting.attachments,
                    stage: waiting.stage,
                };
                self.start(cx, &socket, &event);
                started = true;
            }
        }
        started
    }

    /// Sees those off who have left; `true` when something changed.
    fn see_off(&mut self, cx: &mut Context<'_>) -> bool {
        let mut changed = false;
        let mut index = 0;
        while let Some(entry) = self.entries.get_mut(index) {
            index += 1;
            let Some((reason, was)) = entry.socket.left() else {
                continue;
            };
            if let Phase::Live = entry.phase {
                entry.phase = Phase::Leaving(Some(now() + self.core.config.handler_grace(reason)));
                // Events of a client that was never let in are never handled.
                match (reason, was) {
                    (_, Was::Connecting) => entry.drop_waiting(&mut self.pending_bytes),
                    (DisconnectReason::ServerNamespaceDisconnect, Was::Connected) => {
                        entry.drop_waiting(&mut self.pending_bytes);
                        let rare = self.rare.get_or_insert_default();
                        rare.remember_kick(entry.socket.path(), self.core.config.max_namespaces);
                    }
                    (_, Was::Connected) => {}
                }
                changed = true;
            }
            let (Phase::Leaving(grace_ends) | Phase::Disconnecting(grace_ends)) = &mut entry.phase else {
                continue;
            };
            if grace_ends.is_some_and(|at| at <= now()) {
                *grace_ends = None;
                entry.drop_waiting(&mut self.pending_bytes);
                let socket = entry.socket.clone();
                self.abort(&socket);
                changed = true;
            }
            let entry = &mut self.entries[index - 1];
            if let Phase::Leaving(_) = entry.phase
                && entry.running == 0
                && !entry.has_queue()
            {
                entry.phase = Phase::Disconnecting(Some(now() + self.core.config.handler_grace));
                let socket = entry.socket.clone();
                match (was == Was::Connected).then(|| disconnect(&socket, reason)).flatten() {
                    Some(future) => {
                        let running = socket.shared().meter.disconnect.begin();
                        self.run(cx, Task::new(socket, OwnedOccasion::Disconnect, future, running));
                    }
                    None => self.remove(&socket),
                }
                index = 0;
                changed = true;
            }
        }
        changed
    }

    /// Drops the handlers of a socket where they stand. A set polls those that were woken and those
    /// that are new to it, hence a new one.
    fn abort(&mut self, socket: &Socket) {
        for mut task in self.tasks.take().into_iter().flat_map(|tasks| *tasks) {
            if task.belongs_to(socket) {
                task.abort();
            }
            self.tasks.get_or_insert_default().push(task);
        }
    }

    fn advance(&mut self, cx: &mut Context<'_>) {
        loop {
            let ended = self.poll_tasks(cx) | self.poll_lookups(cx);
            let started = self.start_waiting(cx);
            let changed = self.see_off(cx);
            if !(ended || started || changed) {
                break;
            }
        }
    }
}

/// Calls the disconnect handler, if there is one.
fn disconnect(socket: &Socket, reason: DisconnectReason) -> Option<HandlerFuture> {
    let handler = socket.shared().handlers().disconnect.clone()?;
    let context = DisconnectContext { socket, reason };
    let called = contain(|| {
        let call = || Call::new(socket, OwnedOccasion::Disconnect);
        let future = handler.call(&context)?;
        Ok(socket.shared().wrap(call, future))
    });
    let failure = match called {
        Ok(Ok(future)) => return Some(future),
        Ok(Err(rejection)) => FailureKind::Rejected(rejection),
        Err(panic) => panic,
    };
    socket.shared().report(socket, Occasion::Disconnect, &failure);
    None
}

impl Drop for SocketClient {
    /// What an application keeps may hold the sockets that it is kept by.
    fn drop(&mut self) {
        let _ = contain(|| self.shared.end());
    }
}

impl Client for SocketClient {
    fn message(&mut self, cx: &mut Context<'_>, message: Message<'_>) -> Flow {
        if let Err(error) = self.take(cx, message) {
            self.report(None, &FailureKind::InvalidPacket(error.to_string()));
            self.doom(CloseReason::ForcedClose);
        }
        self.flow()
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Flow {
        if std::mem::take(&mut self.awaits_root) {
            self.take_connect(cx, "/", None);
        }
        self.advance(cx);
        if self.join_by.is_some() && self.entries.iter().any(|entry| entry.socket.is_connected()) {
            self.join_by = None;
        }
        let now = now();
        self.end_slowness(now);
        if self.join_by.is_some_and(|by| by <= now) {
            self.join_by = None;
            self.doom(CloseReason::ForcedServerClose);
        }
        if self.incomplete_deadline().is_some_and(|deadline| deadline <= now) {
            tracing::debug!("a client did not send the rest of a packet: its connection is closed");
            self.incomplete = None;
            self.doom(CloseReason::ForcedClose);
        }
        self.flow()
    }

    fn upgraded(&mut self) {
        for socket in self.entries.iter().map(|entry| &entry.socket) {
            if socket.is_connected() {
                socket.shared().tell_upgrade(socket);
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.join_by
            .into_iter()
            .chain(self.incomplete_deadline())
            .chain(self.grace_deadline())
            .chain(self.slowed_until())
            .min()
    }

    fn close(mut self: Box<Self>, reason: CloseReason) -> Option<Rest> {
        for entry in &self.entries {
            entry.socket.leave_namespace(DisconnectReason::Closed(reason));
        }
        self.incomplete = None;
        self.join_by = None;
        self.cancel_lookups();
        if self.entries.is_empty() {
            return None;
        }
        let mut alarm = Alarm::default();
        Some(Box::pin(poll_fn(move |cx| {
            loop {
                self.advance(cx);
                if self.entries.is_empty() {
                    return Poll::Ready(());
                }
                if alarm.poll(cx, self.grace_deadline()).is_pending() {
                    return Poll::Pending;
                }
            }
        })))
    }
}

impl SocketClient {
    fn flow(&self) -> Flow {
        if self.is_doomed || self.slowed_until().is_some() || self.pending_bytes > self.core.config.max_pending_bytes {
            Flow::Full
        } else {
            Flow::Open
        }
    }

    fn incomplete_deadline(&self) -> Option<Instant> {
        self.incomplete.as_deref()?.deadline()
    }

    fn grace_deadline(&self) -> Option<Instant> {
        let deadlines = self.entries.iter().filter_map(|entry| match entry.phase {
            Phase::Leaving(grace_ends) | Phase::Disconnecting(grace_ends) => grace_ends,
            Phase::Live => None,
        });
        deadlines.min()
    }
}
