//! The namespace: who subscribes to which topics.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use warp_socketio::{Ack, Data, EncodeError, Socket, State, namespace};

use crate::{feed::Feed, post::Topic};

/// A socket's own state: what it is subscribed to.
#[derive(Debug, Default)]
pub(crate) struct Reader(Mutex<BTreeSet<Topic>>);

#[namespace]
impl Reader {
    /// Answers what the client is subscribed to then. The last posts of the topic come before the answer.
    #[event]
    async fn subscribe(
        &self,
        socket: Socket,
        State(feed): State<Feed>,
        Data(topic): Data<Topic>,
    ) -> Result<Ack<BTreeSet<Topic>>, EncodeError> {
        let mut topics = self.topics();
        if topics.insert(topic) {
            if topics.len() == 1 {
                feed.enter(&socket.namespace());
            }
            feed.subscribe(&socket, topic)?;
        }
        Ok(Ack(topics.clone()))
    }

    #[event]
    async fn unsubscribe(
        &self,
        socket: Socket,
        State(feed): State<Feed>,
        Data(topic): Data<Topic>,
    ) -> Ack<BTreeSet<Topic>> {
        let mut topics = self.topics();
        if topics.remove(&topic) {
            socket.leave(topic.name());
            if topics.is_empty() {
                feed.leave(&socket.namespace());
            }
        }
        Ack(topics.clone())
    }

    /// It runs when all other handlers of the client have ended.
    #[disconnect]
    async fn left(&self, socket: Socket, State(feed): State<Feed>) {
        if !self.topics().is_empty() {
            feed.leave(&socket.namespace());
        }
    }

    fn topics(&self) -> MutexGuard<'_, BTreeSet<Topic>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
