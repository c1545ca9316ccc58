//! `rust_socketio`'s blocking client: what its asynchronous one cannot do. Once its connection has ended, a thread of
//! it polls without rest, so that little is asked of it.

use std::{sync::mpsc, time::Duration};

use rust_client::Server;
use rust_socketio::{ClientBuilder, Payload, TransportType};
use serde_json::json;

const PATIENCE: Duration = Duration::from_secs(30);
/// Longer than a test: it answers a ping at once, also amid a POST, and no session has two of them.
const PING_INTERVAL: Duration = Duration::from_mins(1);
const BIG: usize = 900 * 1024;

fn gets_back(transport: TransportType, payloads: impl IntoIterator<Item = Payload>) {
    let server = Server::start(PING_INTERVAL);
    let (sender, events) = mpsc::channel();
    let client = ClientBuilder::new(&*server.url)
        .transport_type(transport)
        .on_any(move |event, payload, _| {
            let _ = sender.send((event.to_string(), payload));
        })
        .connect()
        .expect("the server lets clients connect");
    let next = || events.recv_timeout(PATIENCE).expect("an event comes in time");
    assert_eq!(next().0, "welcome");
    for payload in payloads {
        client
            .emit("echo", payload.clone())
            .expect("a connected client can emit");
        assert!(next() == ("echo".into(), payload), "it came back changed");
    }
    client.disconnect().expect("a connected client can leave");
}

fn binary() -> [Payload; 3] {
    // It cuts what comes over a WebSocket at the byte that separates packets of a payload.
    let others_than_separators = (0..=255).filter(|byte| *byte != 0x1e).collect();
    [vec![1, 2, 3], others_than_separators, vec![7; BIG]].map(Payload::from)
}

fn long_texts() -> [Payload; 2] {
    ["x".repeat(BIG), "é€\u{1f600}".repeat(BIG / 9)].map(|text| Payload::from(json!(text)))
}

#[test]
fn gets_binary_back_over_polling() {
    gets_back(TransportType::Polling, binary());
}

#[test]
fn gets_binary_back_over_websocket() {
    gets_back(TransportType::Websocket, binary());
}

#[test]
fn gets_binary_back_after_an_upgrade() {
    gets_back(TransportType::WebsocketUpgrade, binary());
}

#[test]
fn gets_900_kb_of_text_back_over_polling() {
    gets_back(TransportType::Polling, long_texts());
}

#[test]
fn gets_900_kb_of_text_back_over_websocket() {
    gets_back(TransportType::Websocket, long_texts());
}

#[test]
fn gets_900_kb_of_text_back_after_an_upgrade() {
    gets_back(TransportType::WebsocketUpgrade, long_texts());
}
