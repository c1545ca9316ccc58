//! Packets that come in several messages. Those of the default parser: a header, then its attachments one message each.

use std::time::Instant;

use bytes::Bytes;

use super::packet::{Body, Kind, Packet};
use crate::parser::Decoder;

/// What a client has begun to send.
pub(crate) enum Incomplete {
    Assembly(Assembly),
    /// The decoder of the server's own parser, and when it is given up; `None` between packets.
    Own(Box<dyn Decoder>, Option<Instant>),
}

impl Incomplete {
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Assembly(assembly) => Some(assembly.deadline),
            Self::Own(_, deadline) => *deadline,
        }
    }
}

/// A binary packet that waits for its attachments.
#[derive(Debug)]
pub(crate) struct Assembly {
    pub(crate) nsp: Box<str>,
    pub(crate) id: Option<u64>,
    pub(crate) content: Content,
    pub(crate) attachments: Vec<Bytes>,
    missing: usize,
    /// When it is given up.
    pub(crate) deadline: Instant,
}

/// What the packet is.
#[derive(Debug)]
pub(crate) enum Content {
    Event { name: Box<str>, args: Box<str> },
    Ack { args: Box<str> },
}

impl Assembly {
    /// `None` for a packet that has no attachments.
    pub(crate) fn begin(packet: &Packet<'_>, deadline: Instant) -> Option<Self> {
        let content = match (packet.kind, &packet.body) {
            (Kind::BinaryEvent, Body::Event { name, args }) => Content::Event {
                name: (**name).into(),
                args: (**args).into(),
            },
            (Kind::BinaryAck, Body::Args(args)) => Content::Ack { args: (**args).into() },
            _ => return None,
        };
        Some(Self {
            nsp: packet.nsp.into(),
            id: packet.id,
            content,
            attachments: Vec::new(),
            missing: packet.attachments,
            deadline,
        })
    }

    /// Takes the next attachment; `true` when it was the last.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> bool {
        self.attachments.push(Bytes::copy_from_slice(bytes));
        self.missing -= 1;
        self.missing == 0
    }

    /// The arguments' JSON.
    pub(crate) fn args(&self) -> &str {
        match &self.content {
            Content::Event { args, .. } | Content::Ack { args } => args,
        }
    }
}
