//! The namespace `/second`: it reads what `/testbed` has put into the client's session, and is told
//! by it.

use axum_socketio::{Ack, Socket, namespace};

use crate::testbed::{Remembered, Word};

#[derive(Debug, Default)]
pub(crate) struct Second;

#[namespace]
impl Second {
    #[event]
    async fn recall(&self, socket: Socket) -> Ack<Option<Word>> {
        Ack(socket.session().get::<Remembered>().map(|Remembered(word)| word))
    }
}
