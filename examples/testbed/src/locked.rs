//! The namespace `/locked`: an ACL that its own methods change.

use axum_socketio::{Ack, Acl, Data, Handshake, Socket, namespace};

#[derive(Debug, Default)]
pub(crate) struct Locked;

#[namespace]
impl Locked {
    #[acl]
    fn acl(_: &Handshake) -> Acl {
        Acl::all().deny(LockedEvent::Secret).deny(LockedEvent::Treasure)
    }

    /// Who may not call it is told so, whatever the arguments are.
    #[event]
    async fn secret(&self, Data(number): Data<u8>) -> Ack<String> {
        Ack(format!("secret number {number}"))
    }

    #[event]
    async fn treasure(&self) -> Ack<&'static str> {
        Ack("gold")
    }

    #[event]
    async fn unlock(&self, socket: Socket) -> Ack<bool> {
        socket.acl().allow(LockedEvent::Secret);
        Ack(socket.acl().is_allowed(LockedEvent::Secret))
    }

    #[event]
    async fn lock(&self, socket: Socket) -> Ack<bool> {
        socket.acl().deny(LockedEvent::Secret);
        Ack(socket.acl().is_allowed(LockedEvent::Secret))
    }

    /// No restrictions any more.
    #[event]
    async fn lift(&self, socket: Socket) -> Ack<bool> {
        socket.acl().lift();
        Ack(true)
    }

    /// Back to the rules of the beginning.
    #[event]
    async fn reset(&self, socket: Socket) -> Ack<bool> {
        socket.acl().reset();
        Ack(true)
    }
}
