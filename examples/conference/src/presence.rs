//! Who is there: a method that namespaces share.

use serde::Serialize;
use tokio::sync::watch;
use warp_socketio::{Ack, EventError, Socket, namespace_methods};

use crate::{follow::Following, names::Name};

/// Everybody in one place, by name; somebody with several tabs is there once.
pub(crate) type People = Vec<Person>;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Person {
    pub(crate) name: Name,
    pub(crate) moderator: bool,
    pub(crate) muted: bool,
}

/// For namespaces whose clients see who else is there.
#[namespace_methods]
pub(crate) trait Presence {
    /// The people whom this socket sees at the moment.
    fn crowd(&self) -> Option<watch::Receiver<People>>;

    /// What it keeps of whom it follows.
    fn following(&self) -> &Following;

    /// Who is there. From now on the event of the same name tells who has come and gone.
    #[event]
    async fn people(&self, socket: Socket) -> Result<Ack<People>, EventError> {
        let crowd = self.crowd().ok_or(EventError::new("enter a room first"))?;
        Ok(Ack(self.following().follow(&socket, "people", crowd)))
    }
}
