//! WebSockets as axum has them: `/echo` sends back, `/subscribe` gets what each `/publish` sends.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    extract::{
        State, WebSocketUpgrade,
        ws::{Message, WebSocket},
    },
    routing::any,
};
use futures_util::SinkExt as _;
use tokio::sync::mpsc;

type Subscribers = Arc<Mutex<Vec<mpsc::UnboundedSender<Message>>>>;

/// With another size of what is read at once than axum's default.
#[derive(Clone, Copy)]
struct Reads(Option<usize>);

impl Reads {
    fn of(self, ws: WebSocketUpgrade) -> WebSocketUpgrade {
        match self.0 {
            Some(size) => ws.read_buffer_size(size),
            None => ws,
        }
    }
}

pub(crate) fn app(reads: Option<usize>) -> Router {
    let reads = Reads(reads);
    Router::new()
        .route(
            "/echo",
            any(async move |ws: WebSocketUpgrade| reads.of(ws).on_upgrade(echo)),
        )
        .route(
            "/subscribe",
            any(async move |ws: WebSocketUpgrade, State(all)| reads.of(ws).on_upgrade(|socket| subscribe(socket, all))),
        )
        .route(
            "/publish",
            any(async move |ws: WebSocketUpgrade, State(all)| reads.of(ws).on_upgrade(|socket| publish(socket, all))),
        )
        .with_state(Subscribers::default())
}

async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if matches!(message, Message::Text(_) | Message::Binary(_)) && socket.send(message).await.is_err() {
            return;
        }
    }
}

async fn subscribe(mut socket: WebSocket, all: Subscribers) {
    let (sender, mut messages) = mpsc::unbounded_channel();
    all.lock().expect("nobody panicked").push(sender);
    if socket.send("subscribed".into()).await.is_err() {
        return;
    }
    loop {
        tokio::select! {
            Some(message) = messages.recv() => {
                let mut message = Some(message);
                while let Some(next) = message {
                    if socket.feed(next).await.is_err() {
                        return;
                    }
                    message = messages.try_recv().ok();
                }
                if socket.flush().await.is_err() {
                    return;
                }
            }
            received = socket.recv() => {
                // A goodbye is answered while the next message is waited for, of which there is none.
                if !matches!(received, Some(Ok(_))) {
                    return;
                }
            }
        }
    }
}

async fn publish(mut socket: WebSocket, all: Subscribers) {
    while let Some(Ok(message)) = socket.recv().await {
        if matches!(message, Message::Text(_)) {
            let mut all = all.lock().expect("nobody panicked");
            all.retain(|subscriber| subscriber.send(message.clone()).is_ok());
        }
    }
}
