//! Raw Engine.IO that echoes every message, for the engine protocol's own suite.

use std::task::Context;

use tower_socketio::{
    Generation, Handshake,
    engine::{Client, Connection, Engine, Flow, Message, Upper},
};

use crate::milliseconds;

/// The server of the contracts `engine` and `engine3`, of that generation alone.
pub fn server(generation: Generation) -> Engine {
    Engine::builder()
        .path("/engine.io")
        .generations([generation])
        .jsonp(generation == Generation::Eio3)
        .ping_interval(milliseconds("PING_INTERVAL_MS", 300))
        .ping_timeout(milliseconds("PING_TIMEOUT_MS", 200))
        .max_payload(1_000_000)
        .build(Echo)
}

struct Echo;

struct EchoClient(Connection);

impl Upper for Echo {
    fn open(&self, connection: &Connection, _: Handshake) -> Box<dyn Client> {
        Box::new(EchoClient(connection.clone()))
    }
}

impl Client for EchoClient {
    fn message(&mut self, _: &mut Context<'_>, message: Message<'_>) -> Flow {
        match message {
            Message::Text(text) => self.0.send_text(text),
            Message::Binary(bytes) => self.0.send_binary(bytes),
        }
        Flow::Open
    }
}
