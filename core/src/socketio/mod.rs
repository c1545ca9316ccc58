//! Socket.IO above the engine: messages to packets to handlers, and back.
//!
//! A message's way in: [`client`] → [`codec`] → [`namespace`] → [`handler`]; out:
//! [`socket`] or [`broadcast`] → [`frames`] → the engine's connection.

pub(crate) mod ack;
pub(crate) mod args;
mod assembly;
pub(crate) mod broadcast;
pub(crate) mod client;
mod codec;
mod connect;
pub(crate) mod extract;
mod frames;
pub(crate) mod handler;
pub(crate) mod namespace;
mod packet;
pub(crate) mod reason;
pub(crate) mod socket;
mod task;
