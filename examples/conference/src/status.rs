//! The namespace `/status`, for everybody: who is online.

use tokio::sync::watch;
use warp_socketio::{State, namespace};

use crate::{
    follow::Following,
    hall::Hall,
    presence::{People, Presence},
};

pub(crate) struct Status {
    hall: Hall,
    following: Following,
}

#[namespace(Presence)]
impl Status {
    #[connect]
    async fn look(State(hall): State<Hall>) -> Self {
        Self {
            hall,
            following: Following::default(),
        }
    }
}

impl Presence for Status {
    fn crowd(&self) -> Option<watch::Receiver<People>> {
        Some(self.hall.online())
    }

    fn following(&self) -> &Following {
        &self.following
    }
}
