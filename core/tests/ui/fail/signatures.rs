#![allow(unused_variables)]

use tower_socketio::{Acl, Data, Failure, Handshake, Socket, namespace, namespace_methods};

#[derive(Default)]
struct Chat;

#[namespace]
impl Chat {
    #[acl]
    async fn acl(_: &Handshake) -> Acl {
        Acl::all()
    }

    #[connect]
    async fn connect(&self) -> Self {
        Self
    }

    #[event]
    fn not_async(&self) {}

    #[event]
    async fn not_a_method(socket: Socket) {}

    #[event]
    async fn not_shared(&mut self) {}

    #[event]
    async fn consumed(self) {}

    #[event]
    async fn generic<T>(&self, data: Data<T>) {}

    #[event]
    async fn not_named(&self, data: impl Sized) {}

    #[event]
    async fn nine(
        &self,
        a: Socket,
        b: Socket,
        c: Socket,
        d: Socket,
        e: Socket,
        f: Socket,
        g: Socket,
        h: Socket,
        i: Socket,
    ) {
    }

    #[error]
    fn error(&self, _: &Failure<'_>) {}
}

#[namespace_methods]
trait Presence {
    #[event]
    fn people(&self) {}
}

fn main() {}
