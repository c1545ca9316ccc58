//! The sockets of a parent: those of its children, each of which is reached by its own adapter.

use std::sync::{Arc, Weak};

use futures_util::future::{BoxFuture, join_all, try_join_all};

use super::{Adapter, Details, Selection};
use crate::{
    engine::Flags,
    error::AckError,
    socketio::{acks::Question, args::RawArgs, frames::Frames, namespace::Shared},
};

/// The children of a parent.
#[derive(Debug, Clone)]
pub(crate) struct Children {
    parent: Weak<Shared>,
    /// Only their sockets on this server.
    is_local: bool,
}

impl Children {
    pub(crate) fn new(parent: &Weak<Shared>) -> Self {
        Self {
            parent: parent.clone(),
            is_local: false,
        }
    }

    pub(crate) fn local(self) -> Self {
        Self { is_local: true, ..self }
    }

    fn all(&self) -> Vec<Arc<Shared>> {
        let children = self.parent.upgrade().and_then(|parent| parent.children());
        children.unwrap_or_default()
    }

    fn each(&self, mut tell: impl FnMut(&dyn Adapter)) {
        for child in self.all() {
            tell(child.adapter(self.is_local));
        }
    }

    /// With the packet as each of them has it.
    fn each_packet(&self, packet: &Frames, mut tell: impl FnMut(&dyn Adapter, &Frames)) {
        let Some(parent) = self.parent.upgrade() else {
            return;
        };
        for child in self.all() {
            match packet.moved(child.parser(), &parent.path, &child.path) {
                Ok(packet) => tell(child.adapter(self.is_local), &packet),
                Err(error) => tracing::error!("{:?} is not told what its parent emits: {error}", child.path),
            }
        }
    }
}

impl Adapter for Children {
    fn broadcast(&self, packet: &Frames, to: &Selection, flags: Flags) {
        self.each_packet(packet, |child, packet| child.broadcast(packet, to, flags));
    }

    fn ask(&self, event: &Frames, to: &Selection, flags: Flags, question: &Question) {
        self.each_packet(event, |child, event| child.ask(event, to, flags, question));
    }

    fn join(&self, who: &Selection, rooms: &[Box<str>]) {
        self.each(|child| child.join(who, rooms));
    }

    fn leave(&self, who: &Selection, rooms: &[Box<str>]) {
        self.each(|child| child.leave(who, rooms));
    }

    fn disconnect(&self, who: &Selection, close: bool) {
        self.each(|child| child.disconnect(who, close));
    }

    fn fetch(&self, who: &Selection) -> BoxFuture<'static, Vec<Details>> {
        let mut found = Vec::new();
        self.each(|child| found.push(child.fetch(who)));
        Box::pin(async { join_all(found).await.into_iter().flatten().collect() })
    }

    fn server_side_emit(&self, event: &str, args: &RawArgs) {
        self.each(|child| child.server_side_emit(event, args));
    }

    fn server_side_ask(&self, event: &str, args: &RawArgs) -> BoxFuture<'static, Result<Vec<RawArgs>, AckError>> {
        let mut answers = Vec::new();
        self.each(|child| answers.push(child.server_side_ask(event, args)));
        Box::pin(async { Ok(try_join_all(answers).await?.into_iter().flatten().collect()) })
    }

    fn server_count(&self) -> BoxFuture<'static, usize> {
        let mut counts = Vec::new();
        self.each(|child| counts.push(child.server_count()));
        Box::pin(async { join_all(counts).await.into_iter().max().unwrap_or(1) })
    }

    fn close(&self) -> BoxFuture<'static, ()> {
        let mut closed = Vec::new();
        self.each(|child| closed.push(child.close()));
        Box::pin(async { drop(join_all(closed).await) })
    }
}
