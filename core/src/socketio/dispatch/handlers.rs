//! Handlers: called for events in the order in which those came, polled at once, kept while they are pending.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::Stream;

use super::{Event, SocketClient, entry::Stage};
use crate::{
    error::{ErrorAck, FailureKind, Told},
    socketio::{
        ack::OpenAck,
        call::{Call, Occasion, OwnedOccasion},
        extract::EventContext,
        handler::AnyEventHandler,
        namespace::Timed,
        socket::Socket,
        task::{Called, Task, contain},
    },
};

impl SocketClient {
    pub(super) fn has_room(&self) -> bool {
        self.tasks.as_ref().map_or(0, |tasks| tasks.len()) < self.core.config.max_handlers
    }

    /// Calls the handlers of an event.
    pub(super) fn start(&mut self, cx: &mut Context<'_>, socket: &Socket, event: &Event<'_>) {
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
        let future = contain(|| {
            let call = || Call::new(context.socket, occasion.clone());
            let future = handler.call(context)?;
            Ok(context.socket.shared().wrap(call, future))
        });
        let called = Called {
            socket: context.socket.clone(),
            occasion,
            ack: context.ack.clone(),
        };
        match future {
            Ok(Ok(future)) => self.run(cx, Task::new(called, future, timer.begin())),
            Ok(Err(rejection)) => self.finish(&called, Err(FailureKind::Rejected(rejection))),
            Err(panic) => self.finish(&called, Err(panic)),
        }
    }

    /// Polls a handler once, and keeps it if it is pending.
    pub(super) fn run(&mut self, cx: &mut Context<'_>, mut task: Task) {
        match Pin::new(&mut task).poll(cx) {
            Poll::Ready((called, result)) => self.finish(&called, result),
            Poll::Pending => {
                if let Some(entry) = self.entries.iter_mut().find(|entry| task.belongs_to(&entry.socket)) {
                    entry.running += 1;
                    self.tasks.get_or_insert_default().push(task);
                }
            }
        }
    }

    pub(super) fn finish(&mut self, called: &Called, result: Result<(), FailureKind>) {
        let Called { socket, occasion, ack } = called;
        if matches!(occasion, OwnedOccasion::Connect) && socket.is_connecting() {
            // Nothing let it in, and if it did not fail either, a wrapper kept it from running.
            let failure = result.as_ref().err();
            self.refuse(socket, failure.map_or(Told::internal(), FailureKind::told));
        }
        if let Err(failure) = &result {
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

    pub(super) fn answer_failure(socket: &Socket, ack: &OpenAck, failure: &FailureKind) {
        // Nothing but text and what was JSON already.
        let _ = socket.answer(ack, &ErrorAck { error: failure.told() });
    }

    /// Lets pending handlers go on; `true` when one ended.
    pub(super) fn poll_tasks(&mut self, cx: &mut Context<'_>) -> bool {
        let mut ended = false;
        while let Some(tasks) = &mut self.tasks {
            match Pin::new(&mut **tasks).poll_next(cx) {
                Poll::Pending => break,
                Poll::Ready(None) => self.tasks = None,
                Poll::Ready(Some((called, result))) => {
                    if let Some(entry) = self.entries.iter_mut().find(|entry| entry.socket.is(&called.socket)) {
                        entry.running -= 1;
                    }
                    self.finish(&called, result);
                    ended = true;
                }
            }
        }
        ended
    }

    /// Starts events that waited; `true` when it started one.
    pub(super) fn start_waiting(&mut self, cx: &mut Context<'_>) -> bool {
        let mut started = false;
        for index in 0..self.entries.len() {
            while self.entries[index].has_next() && self.has_room() {
                let entry = &mut self.entries[index];
                if !entry.socket.was_let_in() {
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
        if started && let Some(rare) = &mut self.rare {
            rare.stuck_until = None;
        }
        started
    }
}
