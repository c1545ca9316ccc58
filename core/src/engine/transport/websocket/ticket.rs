//! An accepted WebSocket request, to be redeemed with the stream it became.

use std::sync::Arc;

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::oneshot,
};

use super::{codec::Decoder, deflate::Agreed};
use crate::{
    engine::{
        Shared,
        codec::{PayloadForm, Reader, Signal, frame::Frame},
        connection::{Connection, Request},
        driver::Life,
        generation::Generation,
        sid::Sid,
        transport::{
            Transport,
            duplex::{
                self,
                carrier::Carrier,
                probe::probe,
                wire::{End, Wire},
            },
        },
    },
    handshake::Handshake,
};

/// A WebSocket request that was accepted: [`drive`](Ticket::drive) it with the stream that the
/// connection became once the response was sent, RFC 6455's handshake being done.
///
/// Dropped, it takes no client in; a polling client whose upgrade it was stays on polling.
///
/// ```
/// use tower_socketio::Ticket;
///
/// fn carry(ticket: Ticket, stream: tokio::net::TcpStream) {
///     tokio::spawn(ticket.drive(stream));
/// }
/// ```
#[derive(Debug)]
#[must_use = "the client's connection ends when its ticket is dropped"]
pub struct Ticket {
    pub(crate) server: Arc<Shared>,
    pub(crate) purpose: Purpose,
    /// What is agreed of compression.
    pub(crate) deflate: Option<Agreed>,
}

#[derive(Debug)]
pub(crate) enum Purpose {
    Begin(Handshake, Reader, Sid),
    Upgrade(Connection, PayloadForm),
    /// Carry the client from now on, by that transport.
    TakeOver(Connection, Transport),
    /// Tell the client so.
    UnknownSession(Generation),
}

impl Ticket {
    /// Carries the client until its connection ends. Spawns nothing with the stream, and is
    /// `Send` where the stream is. Dropping the future ends the connection with `transport close`.
    ///
    /// # Panics
    /// When polled outside of a tokio runtime with timers.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # use tower_socketio::SocketIo;
    /// use tokio::io::AsyncReadExt as _;
    /// # let io = SocketIo::builder().build();
    /// # let request = http::Request::get("/socket.io/?EIO=4&transport=websocket")
    /// #     .header("connection", "Upgrade")
    /// #     .header("upgrade", "websocket")
    /// #     .header("sec-websocket-version", "13")
    /// #     .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
    /// #     .body(())
    /// #     .unwrap();
    /// # let parts = request.into_parts().0;
    ///
    /// let (_response, ticket) = io.service().accept_websocket(parts).await.expect("a WebSocket");
    /// let (mut client, stream) = tokio::io::duplex(1024);
    /// tokio::spawn(ticket.drive(stream));
    /// assert_eq!(client.read_u8().await?, 0x81); // a text frame: the handshake of Engine.IO
    /// # Ok(())
    /// # }
    /// ```
    pub fn drive<IO>(self, io: IO) -> impl Future<Output = ()>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        self.drive_from(Bytes::new(), io)
    }

    /// As [`drive`](Self::drive), of a stream from which that was read already.
    pub(crate) fn drive_from<IO>(self, read: Bytes, io: IO) -> impl Future<Output = ()>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        duplex::drive(self.server.activity.begin(), self.begin(read, io))
    }

    /// What carries the client; `None` when the upgrade failed.
    async fn begin<IO>(self, read: Bytes, io: IO) -> Option<Carrier<IO, Decoder>>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let Self {
            server,
            purpose,
            deflate,
        } = self;
        let decoder = Decoder::new(server.config.max_payload, deflate).after(&read);
        let mut wire = Wire::new(io, decoder);
        let life = match purpose {
            Purpose::Begin(handshake, reader, sid) => {
                let compressing = deflate.is_some();
                let life = Life::begin(&server, Transport::WebSocket, reader, handshake, sid, compressing);
                let Some(life) = life else {
                    // Another client was given the same id since this one was let in.
                    wire.end(End::Refused).await;
                    return None;
                };
                life
            }
            Purpose::Upgrade(connection, form) => {
                let probe = probe(&mut wire, &connection);
                match duplex::in_time(&server, server.config.upgrade_timeout, probe).await {
                    Ok(mut life) => {
                        life.form = form;
                        life
                    }
                    Err(end) => {
                        server.meter.upgrade_failed();
                        wire.end(end).await;
                        return None;
                    }
                }
            }
            Purpose::TakeOver(connection, transport) => {
                let (take_over, life) = oneshot::channel();
                connection.request(Request::TakeOver(transport, take_over));
                let Ok(life) = life.await else {
                    refuse(wire, connection.generation().control(&Signal::Close)).await;
                    return None;
                };
                life
            }
            Purpose::UnknownSession(generation) => {
                refuse(wire, generation.control(&Signal::Close)).await;
                return None;
            }
        };
        Some(Carrier::new(life, wire))
    }
}

async fn refuse<IO: AsyncRead + AsyncWrite + Unpin>(mut wire: Wire<IO, Decoder>, why: Frame) {
    wire.push(why);
    wire.end(End::Refused).await;
}
