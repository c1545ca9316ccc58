#![allow(unused_variables)]

use tower_socketio::{Data, DisconnectReason, Socket, namespace, namespace_methods};

struct NotDeserialize;

#[derive(Default)]
struct Chat;

#[namespace]
impl Chat {
    #[event]
    async fn not_an_extractor(&self, socket: Socket, number: u32) {}

    #[event]
    async fn not_deserialize(&self, data: Data<NotDeserialize>) {}

    #[event]
    async fn not_of_events(&self, why: DisconnectReason) {}

    #[disconnect]
    async fn not_of_disconnects(&self, data: Data<u8>) {}
}

struct Connecting;

#[namespace]
impl Connecting {
    #[connect]
    async fn not_of_connects(data: Data<u8>) -> Self {
        Self
    }
}

#[namespace_methods]
trait Presence {
    #[event]
    async fn not_an_extractor(&self, socket: Socket, name: &str) {}
}

fn main() {}
