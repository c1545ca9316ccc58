//! An accepted WebSocket request, to be redeemed with the stream it became.

use std::sync::Arc;

use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};

use super::{
    carrier::Carrier,
    probe::probe,
    wire::{End, Wire},
};
use crate::{
    engine::{Shared, connection::Connection, driver::Life, transport::Transport},
    handshake::Handshake,
};

/// A WebSocket request that was accepted: [`drive`](Ticket::drive) it with the stream that the
/// connection became once the response was sent.
#[derive(Debug)]
#[must_use = "the client's connection ends when its ticket is dropped"]
pub struct Ticket {
    pub(crate) server: Arc<Shared>,
    pub(crate) purpose: Purpose,
}

#[derive(Debug)]
pub(crate) enum Purpose {
    Begin(Handshake),
    Upgrade(Connection),
}

impl Ticket {
    /// Carries the client until its connection ends. Spawns nothing with the stream, and is
    /// `Send` where the stream is.
    pub async fn drive<IO>(self, io: IO)
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let Self { server, purpose } = self;
        // Closing the server waits for the goodbye too.
        let _active = server.activity.begin();
        let mut wire = Wire::new(io, server.config.max_payload);
        let life = match purpose {
            Purpose::Begin(handshake) => Life::begin(&server, Transport::WebSocket, handshake),
            Purpose::Upgrade(connection) => {
                let upgrade = timeout(server.config.upgrade_timeout, probe(&mut wire, &connection));
                match upgrade.await.unwrap_or(Err(End::Refused)) {
                    Ok(life) => life,
                    Err(end) => return wire.end(end).await,
                }
            }
        };
        if let Some((wire, end)) = Carrier::new(life, wire).await {
            wire.end(end).await;
        }
    }
}
