//! A namespace that is looked up: the parents' closures may await, and so may a store that is asked who a client was, or
//! the socket that has its id still. What the client sends to the namespace waits meanwhile.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::future::BoxFuture;
use tokio::sync::oneshot;

use super::{SocketClient, entry::Waiting};
use crate::{
    engine::{Flags, Wake},
    error::{FailureKind, Told},
    socketio::{
        codec,
        directory::resolve,
        dynamic::NamespaceRequest,
        frames::Frames,
        namespace::Shared,
        reason::DisconnectReason,
        recovery::{
            Claim,
            restore::{Recognised, restore},
        },
        socket::Socket,
        task::contain,
    },
};

/// A namespace that a client has asked for and that cannot be told yet whether it comes to.
pub(super) struct Lookup {
    nsp: Box<str>,
    auth: Option<Box<str>>,
    question: Question,
    events: Vec<Waiting>,
    /// The client has left meanwhile.
    left: Option<DisconnectReason>,
}

/// What is waited for.
enum Question {
    /// Whose namespace it is: of a parent that has not decided yet, or nobody's. Or when it can be had.
    Namespace(BoxFuture<'static, Option<Arc<Shared>>>),
    /// Who the client was that says that it was here.
    Client(Arc<Shared>, BoxFuture<'static, Option<Recognised>>),
}

enum Answer {
    Namespace(Option<Arc<Shared>>),
    Client(Arc<Shared>, Option<Recognised>),
}

impl SocketClient {
    /// Looks up a namespace that nobody has named. It is there at once unless a closure awaits.
    pub(super) fn look_up(&mut self, cx: &mut Context<'_>, nsp: &str, auth: Option<&str>) {
        let request = NamespaceRequest::new(nsp, auth, self.shared.handshake());
        let question = Question::Namespace(Box::pin(resolve(self.core.clone(), request)));
        self.begin_lookup(cx, nsp.into(), auth.map(Into::into), question);
    }

    /// Finds out who a client was. It is known at once unless a store is asked.
    pub(super) fn restore(
        &mut self,
        cx: &mut Context<'_>,
        namespace: Arc<Shared>,
        auth: Option<Box<str>>,
        claim: Claim,
    ) {
        let nsp = namespace.path.clone();
        let question = Question::Client(namespace.clone(), Box::pin(restore(namespace, claim)));
        self.begin_lookup(cx, nsp, auth, question);
    }

    /// Lets the client into a namespace once it has left it.
    pub(super) fn wait_for(
        &mut self,
        cx: &mut Context<'_>,
        namespace: Arc<Shared>,
        auth: Option<Box<str>>,
        gone: oneshot::Receiver<()>,
    ) {
        let nsp = namespace.path.clone();
        let namespace = async move {
            // The sender is dropped when it is.
            let _ = gone.await;
            Some(namespace)
        };
        self.begin_lookup(cx, nsp, auth, Question::Namespace(Box::pin(namespace)));
    }

    fn begin_lookup(&mut self, cx: &mut Context<'_>, nsp: Box<str>, auth: Option<Box<str>>, question: Question) {
        let mut lookup = Lookup {
            nsp,
            auth,
            question,
            events: Vec::new(),
            left: None,
        };
        match lookup.poll(cx) {
            Poll::Ready(answer) => self.end_lookup(cx, lookup, answer),
            Poll::Pending => self.rare.get_or_insert_default().lookups.push(lookup),
        }
    }

    pub(super) fn lookups(&self) -> usize {
        self.rare.as_ref().map_or(0, |rare| rare.lookups.len())
    }

    pub(super) fn lookup(&mut self, nsp: &str) -> Option<&mut Lookup> {
        let mut lookups = self.rare.as_mut()?.lookups.iter_mut();
        lookups.find(|lookup| lookup.is_for(nsp))
    }

    /// Lets those go on that are waited for; `true` when one has decided.
    pub(super) fn poll_lookups(&mut self, cx: &mut Context<'_>) -> bool {
        let (mut ended, mut index) = (false, 0);
        while let Some(lookup) = self.rare.as_mut().and_then(|rare| rare.lookups.get_mut(index)) {
            match lookup.poll(cx) {
                Poll::Pending => index += 1,
                Poll::Ready(answer) => {
                    if let Some(lookup) = self.take_lookup(index) {
                        self.end_lookup(cx, lookup, answer);
                    }
                    ended = true;
                }
            }
        }
        ended
    }

    /// The client does not want the namespace any more. `false`: it was not looked up.
    pub(super) fn cancel_lookup(&mut self, nsp: &str) -> bool {
        let lookups = self.rare.as_ref().map(|rare| &rare.lookups);
        let index = lookups.and_then(|lookups| lookups.iter().position(|lookup| lookup.is_for(nsp)));
        if let Some(index) = index {
            self.abandon_lookup(index, DisconnectReason::ClientNamespaceDisconnect);
        }
        index.is_some()
    }

    /// The client is gone. Whether there are any that go on, until what a store answers can be given back.
    pub(super) fn cancel_lookups(&mut self, reason: DisconnectReason) {
        for index in (0..self.lookups()).rev() {
            self.abandon_lookup(index, reason);
        }
    }

    fn abandon_lookup(&mut self, index: usize, reason: DisconnectReason) {
        let Some(mut lookup) = self.take_lookup(index) else {
            return;
        };
        if let Question::Client(..) = lookup.question {
            lookup.left.get_or_insert(reason);
            lookup.events = Vec::new();
            self.rare.get_or_insert_default().lookups.insert(index, lookup);
        } else {
            // It is the application's code that drops what its closure holds.
            let _ = contain(|| drop(lookup));
        }
    }

    fn take_lookup(&mut self, index: usize) -> Option<Lookup> {
        let rare = self.rare.as_mut().filter(|rare| index < rare.lookups.len())?;
        let lookup = rare.lookups.remove(index);
        self.pending_bytes -= lookup.events.iter().map(Waiting::bytes).sum::<usize>();
        Some(lookup)
    }

    fn end_lookup(&mut self, cx: &mut Context<'_>, lookup: Lookup, answer: Result<Answer, FailureKind>) {
        let Lookup {
            nsp,
            auth,
            events,
            left,
            ..
        } = lookup;
        let (failure, message) = match answer {
            Ok(Answer::Namespace(Some(namespace))) => {
                self.join(cx, namespace, auth);
                return self.await_turn(&nsp, events);
            }
            Ok(Answer::Client(namespace, recognised)) => {
                match left {
                    None => {
                        self.let_in(cx, namespace, auth, recognised);
                        self.await_turn(&nsp, events);
                    }
                    Some(reason) if recognised.is_some() => {
                        let (connection, client) = (self.connection.clone(), self.shared.clone());
                        let socket = Socket::new(namespace, connection, client, auth, recognised);
                        socket.leave_namespace(reason);
                        self.remove(&socket);
                    }
                    Some(_) => {}
                }
                return;
            }
            Ok(Answer::Namespace(None)) => (FailureKind::NoNamespace, codec::INVALID_NAMESPACE.into()),
            Err(panic) => (panic, Told::internal().message),
        };
        self.refuse_namespace(&nsp, &message);
        self.report(Some(&nsp), &failure);
    }

    /// Events that came while the namespace was looked up.
    fn await_turn(&mut self, nsp: &str, events: Vec<Waiting>) {
        for event in events {
            let bytes = event.bytes();
            if let Some(index) = self.live(nsp) {
                self.entries[index].socket.shared().meter.event_received();
                self.entries[index].push(event);
            } else if let Some(lookup) = self.lookup(nsp) {
                lookup.push(event);
            } else {
                return;
            }
            self.pending_bytes += bytes;
        }
    }

    pub(super) fn refuse_namespace(&self, nsp: &str, message: &str) {
        let parser = self.core.parser.as_deref();
        let frames = Frames::connect_error(parser, self.connection.generation(), nsp, message, None);
        frames.send(&self.connection, Flags::default(), Wake::Now);
    }
}

impl Lookup {
    pub(super) fn push(&mut self, event: Waiting) {
        self.events.push(event);
    }

    fn is_for(&self, nsp: &str) -> bool {
        *self.nsp == *nsp && self.left.is_none()
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Answer, FailureKind>> {
        match &mut self.question {
            Question::Namespace(future) => match contain(|| future.as_mut().poll(cx)) {
                Ok(polled) => polled.map(|found| Ok(Answer::Namespace(found))),
                Err(panic) => Poll::Ready(Err(panic)),
            },
            Question::Client(namespace, future) => {
                let polled = contain(|| future.as_mut().poll(cx)).unwrap_or_else(|panic| {
                    tracing::error!("a client of {:?} begins anew: {panic}", namespace.path);
                    Poll::Ready(None)
                });
                polled.map(|client| Ok(Answer::Client(namespace.clone(), client)))
            }
        }
    }
}
