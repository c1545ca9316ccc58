//! What hyper hands over for a WebSocket: where that is TCP, the connection itself. Hyper's layers around it would cost
//! each read and write some calls, and each client an allocation.

use bytes::Bytes;
use futures_util::future::Either;
use hyper::upgrade::Upgraded;
use hyper_util::{rt::TokioIo, server::conn::auto};
use tokio::net::TcpStream;

use crate::engine::Ticket;

type Tcp = TokioIo<TcpStream>;

/// Carries the client of a ticket until its connection ends.
pub(crate) fn drive(ticket: Ticket, upgraded: Upgraded) -> impl Future<Output = ()> {
    match unwrap_tcp(upgraded) {
        Ok((tcp, read)) => {
            // As Node's servers do: a message must not wait for the answer to the one before. It fails where the
            // client has gone, which the first read tells.
            let _ = tcp.set_nodelay(true);
            Either::Left(ticket.drive_from(read, tcp))
        }
        Err(upgraded) => Either::Right(ticket.drive(TokioIo::new(upgraded))),
    }
}

/// The TCP connection, and what was read of it already.
fn unwrap_tcp(upgraded: Upgraded) -> Result<(TcpStream, Bytes), Upgraded> {
    let upgraded = match upgraded.downcast::<Tcp>() {
        Ok(parts) => return Ok((parts.io.into_inner(), parts.read_buf)),
        Err(upgraded) => upgraded,
    };
    let parts = auto::upgrade::downcast::<Tcp>(upgraded)?;
    Ok((parts.io.into_inner(), parts.read_buf))
}
