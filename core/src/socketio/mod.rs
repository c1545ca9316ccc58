//! Socket.IO above the engine: messages to packets to handlers, and back.
//!
//! A message's way in: [`dispatch`] → [`codec`] → [`namespace`] → [`handler`]; out:
//! [`socket`] or [`broadcast`] → [`frames`] → the engine's connection.

pub(crate) mod ack;
pub(crate) mod acks;
pub(crate) mod acl;
pub(crate) mod args;
mod assembly;
pub(crate) mod broadcast;
pub(crate) mod call;
pub(crate) mod client;
pub(crate) mod codec;
mod connect;
pub(crate) mod controller;
pub(crate) mod directory;
pub(crate) mod dispatch;
pub(crate) mod dynamic;
pub(crate) mod emit_event;
pub(crate) mod emitter;
pub(crate) mod extract;
pub(crate) mod frames;
pub(crate) mod handler;
mod jobs;
pub(crate) mod meter;
pub(crate) mod namespace;
pub(crate) mod observe;
pub(crate) mod operators;
pub(crate) mod packet;
pub(crate) mod packet_middleware;
mod pattern;
pub(crate) mod rate_limit;
pub(crate) mod reason;
pub(crate) mod recovery;
pub(crate) mod remote_socket;
pub(crate) mod rooms;
pub(crate) mod session;
pub(crate) mod socket;
mod task;
pub(crate) mod watch;

pub(crate) use codec::sio::MAX_NSP;

/// Reads a packet and its arguments, for the fuzzer.
#[cfg(any(fuzzing, test))]
pub(crate) fn read_packet(text: &str, attachments: &[bytes::Bytes]) {
    for generation in crate::engine::Generation::ALL {
        if let Ok(packet) = codec::decode(generation, text, attachments.len()) {
            read_args(&packet, attachments);
        }
    }
}

/// Reads what a server's own parser read, and the arguments, for the fuzzer.
#[cfg(all(any(fuzzing, test), feature = "msgpack"))]
pub(crate) fn read_own_packet(read: &crate::parser::Packet<'_>) {
    for generation in crate::engine::Generation::ALL {
        if let Ok(packet) = codec::own::check(generation, read, read.attachments.len()) {
            read_args(&packet, &read.attachments);
        }
    }
}

#[cfg(any(fuzzing, test))]
fn read_args(packet: &packet::Packet<'_>, attachments: &[bytes::Bytes]) {
    let (packet::Body::Event { args, .. } | packet::Body::Args(args)) = &packet.body else {
        return;
    };
    if codec::placeholder::check_placeholders(args, attachments.len()).is_ok() {
        let args = args::RawArgs::from_wire(args, attachments);
        let values: Vec<_> = (0..args.len())
            .map(|index| args.get::<serde_json::Value>(index))
            .collect();
        assert_eq!(values.len(), args.len());
        let _ = args.get::<Vec<u8>>(0);
        assert!(args.skip(1).len() + 1 >= args.len());
    }
}
