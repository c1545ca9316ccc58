//! The neutral words and the packets of a server's [own parser](crate::parser). What `sio` wrote is what the parser is
//! given; what it read is checked as `sio` checks a client's.

use bytes::Bytes;

use super::{placeholder::check_placeholders, query_as_auth, sio};
use crate::{
    engine::{Frame, Generation, Message},
    parser::{self, PacketKind, Parser, ParserError},
    socketio::packet::{Body, Kind, Packet, PacketError},
};

/// Whether clients of that generation have the server's parser: those before 1.0 have packets of their own.
pub(crate) fn is_for(generation: Generation) -> bool {
    match generation {
        Generation::V0_9 => false,
        Generation::Eio3 | Generation::Eio4 => true,
    }
}

/// A packet that `sio` wrote, as the parser does, in frames for Engine.IO 4.
pub(crate) fn encode(parser: &dyn Parser, head: &Frame, attachments: &[Bytes]) -> Result<Box<[Frame]>, ParserError> {
    let text = std::str::from_utf8(&head.packet()[1..]).unwrap_or_default();
    let Ok(sio::Parts {
        kind, nsp, id, payload, ..
    }) = sio::parts(text, usize::MAX)
    else {
        return Ok(Box::default());
    };
    let mut packet = parser::Packet::new(public(kind), nsp).with_id(id);
    packet.attachments = attachments.into();
    if !payload.is_empty() {
        packet.data = Some(payload.into());
    }
    let mut frames = Vec::with_capacity(1);
    parser.encode(&packet, &mut |message| {
        frames.push(match message {
            Message::Text(text) => Frame::text(text),
            Message::Binary(bytes) => Frame::binary(&[], bytes),
        });
    })?;
    Ok(frames.into())
}

/// What the parser read from a client, as if `sio` had.
pub(crate) fn check<'a>(
    generation: Generation,
    read: &'a parser::Packet<'_>,
    max_attachments: usize,
) -> Result<Packet<'a>, PacketError> {
    let nsp = &*read.namespace;
    if !nsp.starts_with('/') || nsp.contains(',') {
        return Err(PacketError::Namespace);
    }
    sio::check_namespace(nsp)?;
    let attachments = read.attachments.len();
    if attachments > max_attachments {
        return Err(PacketError::TooManyAttachments { max: max_attachments });
    }
    let kind = neutral(read.kind);
    let payload = read.data.as_deref().unwrap_or_default().trim_ascii_start();
    let body = sio::body(kind, read.id, payload)?;
    match &body {
        _ if attachments == 0 => {}
        Body::Event { args, .. } | Body::Args(args) => check_placeholders(args, attachments)?,
        Body::None | Body::Object(_) | Body::Reason(_) => return Err(PacketError::AttachmentsUnexpected),
    }
    let packet = Packet {
        kind,
        attachments: 0,
        nsp,
        id: read.id,
        receipt: None,
        body,
    };
    Ok(query_as_auth(generation, packet))
}

fn public(kind: Kind) -> PacketKind {
    match kind {
        Kind::Connect => PacketKind::Connect,
        Kind::Disconnect => PacketKind::Disconnect,
        Kind::Event | Kind::BinaryEvent => PacketKind::Event,
        Kind::Ack | Kind::BinaryAck => PacketKind::Ack,
        Kind::ConnectError => PacketKind::ConnectError,
    }
}

fn neutral(kind: PacketKind) -> Kind {
    match kind {
        PacketKind::Connect => Kind::Connect,
        PacketKind::Disconnect => Kind::Disconnect,
        PacketKind::Event => Kind::Event,
        PacketKind::Ack => Kind::Ack,
        PacketKind::ConnectError => Kind::ConnectError,
    }
}
