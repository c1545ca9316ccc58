//! Which sockets are in which room: the part of a namespace that a cluster has to share.
//!
//! Whatever is for a selection of sockets goes through an [`Adapter`]. [`local`] is the one of a server
//! that is alone; one of a cluster does what it is told here, by `local`, and tells the other servers.

pub(crate) mod local;
pub(crate) mod room_events;
mod rousing;

use std::fmt;

use futures_util::future::BoxFuture;

use crate::{
    engine::{Flags, Sid},
    error::AckError,
    handshake::Handshake,
    socketio::{acks::Question, args::RawArgs, frames::Frames, socket::Data},
};

/// Whom a broadcast is for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selection {
    /// Sockets in any of these rooms; `None`: in the whole namespace.
    pub(crate) rooms: Option<Vec<Box<str>>>,
    /// But in none of these.
    pub(crate) except: Vec<Box<str>>,
    /// And not this one.
    pub(crate) except_socket: Option<Sid>,
}

/// What other servers may know of a socket.
#[derive(Debug)]
pub(crate) struct Details {
    pub(crate) id: Sid,
    pub(crate) handshake: Handshake,
    pub(crate) auth: Option<Box<str>>,
    /// Its own first.
    pub(crate) rooms: Vec<String>,
    pub(crate) data: Option<Data>,
}

/// How a namespace reaches its sockets, on whatever server they are. Nothing here waits, save the
/// futures, which do not borrow.
pub(crate) trait Adapter: fmt::Debug + Send + Sync {
    /// Sends a packet, which is encoded already.
    fn broadcast(&self, packet: &Frames, to: &Selection, flags: Flags);

    /// Sends an event that asks for answers. The question is over when nobody holds it any more.
    fn ask(&self, event: &Frames, to: &Selection, flags: Flags, question: &Question);

    fn join(&self, who: &Selection, rooms: &[Box<str>]);

    fn leave(&self, who: &Selection, rooms: &[Box<str>]);

    /// `close`: with their connections.
    fn disconnect(&self, who: &Selection, close: bool);

    fn fetch(&self, who: &Selection) -> BoxFuture<'static, Vec<Details>>;

    /// Sends an event to the other servers.
    fn server_side_emit(&self, event: &str, args: &RawArgs);

    /// Sends an event to the other servers, which answer, each once.
    fn server_side_ask(&self, event: &str, args: &RawArgs) -> BoxFuture<'static, Result<Vec<RawArgs>, AckError>>;

    /// How many servers there are, with this one.
    fn server_count(&self) -> BoxFuture<'static, usize>;

    /// This server leaves the others.
    fn close(&self) -> BoxFuture<'static, ()>;
}
