//! Messages that come back to who sent them, one or several on the way at a time.

use std::{collections::VecDeque, time::Instant};

use super::{Figures, MEMORY, Message, P50, P99, Stopwatch, connect_all, together};
use crate::{
    Fallible,
    check::{self, Numbered},
    client::{Client, Dialect, Role},
    frame,
    process::Running,
    stats::Latencies,
};

#[derive(Clone, Copy)]
pub(super) struct Load {
    pub(super) clients: usize,
    /// How many messages of a client are on the way.
    pub(super) depth: usize,
    /// How many more are connected, and silent.
    pub(super) beside: usize,
}

/// The length of payloads that are text.
pub(super) const SIZE: usize = 64;

/// The frame before an attachment.
const ANNOUNCED: &[u8] = br#"451-["bin",{"_placeholder":true,"num":0}]"#;

pub(super) async fn run(server: &Running, message: Message, load: Load, operations: usize) -> Fallible<Figures> {
    let clients = connect_all(server.target, Role::Echo, load.clients).await?;
    let echoing = clients.into_iter().enumerate();
    let echoing: Vec<_> = echoing
        .map(|(index, client)| Echoing::new(client, message, index))
        .collect();
    let each = operations.div_ceil(load.clients);
    let warm = together(
        echoing
            .into_iter()
            .map(|client| client.run(load.depth, each.div_ceil(10))),
    )
    .await?;

    let before = server.resident()?;
    let silent = connect_all(server.target, Role::Echo, load.beside).await?;
    let memory = (server.resident()? - before) / 1024.0;
    for client in silent {
        tokio::task::spawn_local(hold(client));
    }
    let watch = Stopwatch::start(server)?;
    let warm = warm.into_iter().map(|(client, _)| client.run(load.depth, each));
    let done = together(warm).await?;
    let mut figures = watch.stop(server, each * load.clients)?;

    let mut latencies = Latencies::default();
    let mut clients = Vec::new();
    for (client, some) in done {
        latencies.append(some);
        clients.push(client.client);
    }
    together(clients.into_iter().map(Client::close)).await?;
    figures.extend([(P50, latencies.within(0.5)), (P99, latencies.within(0.99))]);
    if load.beside > 0 {
        figures.push((MEMORY, memory / load.beside as f64));
    }
    Ok(figures)
}

/// Answers pings until the end.
async fn hold(mut client: Client) {
    while client.next().await.is_ok() {}
}

pub(super) struct Echoing {
    client: Client,
    sent: Numbered,
    sent_count: usize,
    awaited: Numbered,
    received_count: usize,
    is_binary: bool,
}

impl Echoing {
    pub(super) fn new(client: Client, message: Message, index: usize) -> Self {
        let payload = check::payload(index, SIZE);
        let is_floor = client.dialect() != Dialect::SocketIo;
        let echo = format!(r#"42["echo","{payload}"]"#);
        let (sent, awaited) = match message {
            Message::Ack if !is_floor => {
                let id = check::NUMBER;
                (
                    format!(r#"42{id}["ack","{payload}"]"#),
                    format!(r#"43{id}["{payload}"]"#),
                )
            }
            Message::Typed => {
                let typed = format!(
                    r#"42["typed",{{"id":{},"name":"bench","text":"{payload}"}}]"#,
                    12_345_678
                );
                (typed.clone(), typed)
            }
            Message::Echo | Message::Ack => (echo.clone(), echo),
            Message::Binary { size } => {
                let bytes = check::payload(index, size);
                (bytes.clone(), bytes)
            }
        };
        let is_binary = matches!(message, Message::Binary { .. });
        Self {
            client,
            sent: Numbered::new(&sent),
            sent_count: 0,
            awaited: Numbered::new(&awaited),
            received_count: 0,
            is_binary,
        }
    }

    /// Has so many messages come back, each checked.
    pub(super) async fn run(mut self, depth: usize, messages: usize) -> Fallible<(Self, Latencies)> {
        let mut latencies = Latencies::default();
        let mut on_the_way = VecDeque::with_capacity(depth);
        let end = self.received_count + messages;
        while self.received_count < end {
            let now = Instant::now();
            while on_the_way.len() < depth && self.sent_count < end {
                self.send();
                on_the_way.push_back(now);
            }
            self.client.flush().await?;
            loop {
                self.receive().await?;
                latencies.add(on_the_way.pop_front().expect("it was sent").elapsed());
                if on_the_way.is_empty() || !self.client.has_more() {
                    break;
                }
            }
        }
        Ok((self, latencies))
    }

    fn send(&mut self) {
        let message = self.sent.message(self.sent_count);
        self.sent_count += 1;
        if self.is_binary {
            self.client.add(frame::TEXT, ANNOUNCED);
            self.client.add(frame::BINARY, message);
        } else {
            self.client.add(frame::TEXT, message);
        }
    }

    async fn receive(&mut self) -> Fallible<()> {
        if self.is_binary && self.client.next().await? != (frame::TEXT, ANNOUNCED) {
            return Err("an attachment was not announced as it was sent".into());
        }
        let (opcode, message) = self.client.next().await?;
        if opcode != if self.is_binary { frame::BINARY } else { frame::TEXT } {
            return Err(format!("a message with the opcode {opcode}"));
        }
        self.awaited.check(self.received_count, message)?;
        self.received_count += 1;
        Ok(())
    }
}
