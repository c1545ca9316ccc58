//! A namespace that is looked up: the parents' closures may await, and what the client sends to it waits meanwhile.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use super::{SocketClient, entry::Waiting};
use crate::{
    engine::Flags,
    error::{FailureKind, Told},
    socketio::{
        codec, directory::resolve, dynamic::NamespaceRequest, frames::Frames, namespace::Shared, task::contain,
    },
};

/// A namespace that a client has asked for, and whose parents have not decided yet.
pub(super) struct Lookup {
    nsp: Box<str>,
    auth: Option<Box<str>>,
    namespace: Pin<Box<dyn Future<Output = Option<Arc<Shared>>> + Send>>,
    events: Vec<Waiting>,
}

impl SocketClient {
    /// Looks up a namespace that nobody has named. It is there at once unless a closure awaits.
    pub(super) fn look_up(&mut self, cx: &mut Context<'_>, nsp: &str, auth: Option<&str>) {
        let request = NamespaceRequest::new(nsp, auth, self.shared.handshake());
        let mut lookup = Lookup {
            nsp: nsp.into(),
            auth: auth.map(Into::into),
            namespace: Box::pin(resolve(self.core.clone(), request)),
            events: Vec::new(),
        };
        match lookup.poll(cx) {
            Poll::Ready(found) => self.end_lookup(cx, lookup, found),
            Poll::Pending => self.rare.get_or_insert_default().lookups.push(lookup),
        }
    }

    pub(super) fn lookups(&self) -> usize {
        self.rare.as_ref().map_or(0, |rare| rare.lookups.len())
    }

    pub(super) fn lookup(&mut self, nsp: &str) -> Option<&mut Lookup> {
        let mut lookups = self.rare.as_mut()?.lookups.iter_mut();
        lookups.find(|lookup| *lookup.nsp == *nsp)
    }

    /// Lets the closures go on; `true` when one has decided.
    pub(super) fn poll_lookups(&mut self, cx: &mut Context<'_>) -> bool {
        let (mut ended, mut index) = (false, 0);
        while let Some(lookup) = self.rare.as_mut().and_then(|rare| rare.lookups.get_mut(index)) {
            match lookup.poll(cx) {
                Poll::Pending => index += 1,
                Poll::Ready(found) => {
                    if let Some(lookup) = self.take_lookup(index) {
                        self.end_lookup(cx, lookup, found);
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
        let index = lookups.and_then(|lookups| lookups.iter().position(|lookup| *lookup.nsp == *nsp));
        index.is_some_and(|index| self.drop_lookup(index))
    }

    pub(super) fn cancel_lookups(&mut self) {
        while self.drop_lookup(0) {}
    }

    /// `false`: there is none.
    fn drop_lookup(&mut self, index: usize) -> bool {
        let lookup = self.take_lookup(index);
        let is_there = lookup.is_some();
        // It is the application's code that drops what its closure holds.
        let _ = contain(|| drop(lookup));
        is_there
    }

    fn take_lookup(&mut self, index: usize) -> Option<Lookup> {
        let rare = self.rare.as_mut().filter(|rare| index < rare.lookups.len())?;
        let lookup = rare.lookups.remove(index);
        self.pending_bytes -= lookup.events.iter().map(Waiting::bytes).sum::<usize>();
        Some(lookup)
    }

    fn end_lookup(&mut self, cx: &mut Context<'_>, lookup: Lookup, found: Result<Option<Arc<Shared>>, FailureKind>) {
        let nsp = &*lookup.nsp;
        let (failure, message) = match found {
            Ok(Some(namespace)) => {
                self.join(cx, namespace, lookup.auth);
                if let Some(index) = self.live(nsp) {
                    for event in lookup.events {
                        self.entries[index].socket.shared().meter.event_received();
                        self.pending_bytes += event.bytes();
                        self.entries[index].push(event);
                    }
                }
                return;
            }
            Ok(None) => (FailureKind::NoNamespace, codec::INVALID_NAMESPACE.into()),
            Err(panic) => (panic, Told::internal().message),
        };
        self.refuse_namespace(nsp, &message);
        self.report(Some(nsp), &failure);
    }

    pub(super) fn refuse_namespace(&self, nsp: &str, message: &str) {
        let parser = self.core.parser.as_deref();
        let frames = Frames::connect_error(parser, self.connection.generation(), nsp, message, None);
        frames.send(&self.connection, Flags::default());
    }
}

impl Lookup {
    pub(super) fn push(&mut self, event: Waiting) {
        self.events.push(event);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Arc<Shared>>, FailureKind>> {
        let polled = contain(|| self.namespace.as_mut().poll(cx));
        polled.map_or_else(|panic| Poll::Ready(Err(panic)), |polled| polled.map(Ok))
    }
}
