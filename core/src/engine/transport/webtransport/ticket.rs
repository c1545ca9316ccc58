//! An accepted session, to be redeemed with the first stream that its client opens.

use std::{future::poll_fn, ops::ControlFlow, pin::pin, sync::Arc};

use futures_util::future::{Either, select};
use tokio::io::{AsyncRead, AsyncWrite};

use super::codec::Decoder;
use crate::{
    engine::{
        Shared,
        codec::{PayloadForm, Reader},
        driver::Life,
        generation::{Generation, Greeting},
        meter::Refused,
        refusal::ConnectionErrorKind,
        transport::{
            Transport,
            duplex::{
                self, Event, Framing,
                carrier::Carrier,
                probe::probe,
                wire::{End, Wire},
            },
        },
    },
    handshake::Handshake,
};

/// A session of WebTransport that was accepted: [`drive`](Self::drive) it with the first bidirectional
/// stream that its client opens. What it is for, a new client or the upgrade of one that polls, is
/// told by the first packet.
///
/// Dropped, it takes no client in; a polling client whose upgrade it was stays on polling.
///
/// ```
/// use tokio::io::{AsyncRead, AsyncWrite};
/// use tower_socketio::WebTransportTicket;
///
/// fn carry(ticket: WebTransportTicket, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
///     tokio::spawn(ticket.drive(stream));
/// }
/// ```
#[derive(Debug)]
#[must_use = "the client's session ends when its ticket is dropped"]
pub struct WebTransportTicket {
    pub(crate) server: Arc<Shared>,
    pub(crate) handshake: Handshake,
}

type ClientWire<IO> = Wire<IO, Decoder>;
type ClientEnd = End<<Decoder as Framing>::Violation>;

impl WebTransportTicket {
    /// Carries the client until its connection ends. Spawns nothing with the stream, and is `Send`
    /// where the stream is. Dropping the future ends the connection with `transport close`.
    ///
    /// It reads before it writes, and the first packet must come within
    /// [`upgrade_timeout`](crate::SocketIoBuilder::upgrade_timeout): a stream may be opened by its first
    /// read. The last thing it does, unless the stream has failed, is to shut the stream down, for
    /// which there is a second: that should end the session once all has been delivered.
    ///
    /// # Panics
    /// When polled outside of a tokio runtime with timers.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    /// use tower_socketio::{SocketIo, Transport};
    ///
    /// let io = SocketIo::builder().transports([Transport::WebTransport]).build();
    /// let (parts, ()) = http::Request::connect("https://example.com/socket.io/").body(()).unwrap().into_parts();
    /// let ticket = io.service().accept_webtransport(parts).expect("a session");
    /// let (mut client, stream) = tokio::io::duplex(1024);
    /// tokio::spawn(ticket.drive(stream));
    /// client.write_all(b"\x010").await?; // one byte, a zero: a new client
    /// assert_eq!(client.read_u8().await?, 107); // so long is the handshake of Engine.IO
    /// # Ok(())
    /// # }
    /// ```
    pub fn drive<IO>(self, io: IO) -> impl Future<Output = ()>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        duplex::drive(self.server.activity.begin(), self.begin(io))
    }

    /// What carries the client; `None` when it was refused.
    async fn begin<IO>(self, io: IO) -> Option<Carrier<IO, Decoder>>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let mut wire = Wire::new(io, Decoder::new(self.server.config.max_payload));
        match self.life(&mut wire).await {
            Ok(life) => Some(Carrier::new(life, wire)),
            Err(end) => {
                wire.end(end).await;
                None
            }
        }
    }

    async fn life<IO>(self, wire: &mut ClientWire<IO>) -> Result<Box<Life>, ClientEnd>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let Self { server, handshake } = self;
        let patience = server.config.upgrade_timeout;
        let greeting = greeting(wire, handshake.generation());
        let sid = match duplex::in_time(&server, patience, greeting).await? {
            Greeting::New if server.refuses_new() => return Err(closing(&server)),
            Greeting::New => {
                let reader = Reader {
                    form: PayloadForm::Any,
                    decodes_twice: false,
                };
                // The end of the server does not wait for the application.
                let sid = match select(pin!(server.new_session(&handshake)), pin!(server.closing())).await {
                    Either::Left((Ok(sid), _)) if !server.refuses_new() => sid,
                    Either::Left((Err(kind), _)) => return Err(refused(&server, &kind, &handshake)),
                    Either::Left((Ok(_), _)) | Either::Right(_) => return Err(closing(&server)),
                };
                // Another client may have been given the same id since.
                let life = Life::begin(&server, Transport::WebTransport, reader, handshake, sid, false);
                return life.ok_or(End::Refused);
            }
            Greeting::Known(sid) => sid,
        };
        let Some(connection) = server.registry.get(&sid) else {
            return Err(refused(&server, &ConnectionErrorKind::SessionUnknown, &handshake));
        };
        let previous = connection.generation();
        if previous != handshake.generation() {
            let kind = ConnectionErrorKind::ProtocolMismatch { previous };
            return Err(refused(&server, &kind, &handshake));
        }
        let upgraded = duplex::in_time(&server, patience, probe(wire, &connection)).await;
        upgraded.inspect_err(|_| server.meter.upgrade_failed())
    }
}

fn refused(server: &Shared, kind: &ConnectionErrorKind, handshake: &Handshake) -> ClientEnd {
    server.report(kind, &handshake.to_parts());
    End::Refused
}

fn closing(server: &Shared) -> ClientEnd {
    server.meter.refused(Refused::Closing);
    End::Refused
}

/// The first packet.
async fn greeting<IO>(wire: &mut ClientWire<IO>, generation: Generation) -> Result<Greeting, ClientEnd>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let mut greeting = None;
    while greeting.is_none() {
        let read = poll_fn(|cx| {
            wire.poll_read(cx, |_, event| {
                greeting = Some(match event {
                    Event::Text(packet) => generation.greeting(packet),
                    Event::Binary(_) | Event::Control(_) | Event::Close(_) => None,
                });
                ControlFlow::Break(())
            })
        });
        let _ = read.await?;
    }
    greeting.flatten().ok_or(End::Refused)
}
