//! WebSocket: the server half of RFC 6455 ([`codec`], [`handshake`]), bytes in and out of a duplex
//! stream ([`wire`]), the probe of an upgrade ([`probe`]) and the task that carries a client
//! ([`carrier`]).

pub(crate) mod carrier;
pub(crate) mod codec;
pub(crate) mod handshake;
pub(crate) mod probe;
pub(crate) mod ticket;
mod utf8;
mod wire;

#[cfg(test)]
mod against_tungstenite;
