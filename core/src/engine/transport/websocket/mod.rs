//! WebSocket: the server half of RFC 6455 ([`codec`], [`handshake`]) as a [framing](framing) of a duplex
//! stream, compression ([`deflate`]), and what is done with an accepted request ([`ticket`]).

pub(crate) mod codec;
pub(crate) mod deflate;
mod framing;
pub(crate) mod handshake;
pub(crate) mod ticket;
mod utf8;

#[cfg(test)]
mod against_tungstenite;
