//! What `cargo bench -p bench --bench codecs` times: one function a codec, compiled for it only.

use std::ops::ControlFlow;

use bytes::Bytes;

use crate::{
    EmitArgs, Generation, RawArgs,
    engine::{Decoder, Frame, PayloadForm, Posted, Reader, codec::Signal},
    socketio::{
        codec::{Form, decode, placeholder::check_placeholders},
        frames::Frames,
        packet::Body,
    },
};

/// The frames of a WebSocket, read.
#[derive(Debug)]
pub struct WebSocket(Decoder);

impl WebSocket {
    pub fn new(max_message: usize) -> Self {
        Self(Decoder::new(max_message, None))
    }

    /// How many messages there are in what was read; it is unmasked in place.
    pub fn read(&mut self, wire: &mut [u8]) -> usize {
        let mut messages = 0;
        let fed = self.0.feed(wire, |_| {
            messages += 1;
            ControlFlow::Continue(())
        });
        assert!(fed.is_ok(), "a violation");
        messages
    }
}

/// A message, written as the frame that it leaves in.
#[derive(Debug)]
pub struct Message(Frame);

impl Message {
    pub fn text(text: &str) -> Self {
        Self(Frame::text(text))
    }

    pub fn bytes(bytes: &Bytes) -> Self {
        Self(Frame::bytes(bytes))
    }

    /// A packet as clients of that generation have it.
    pub fn recode(&self, generation: Generation) -> Option<Self> {
        let reader = Reader {
            form: PayloadForm::Any,
            decodes_twice: false,
        };
        let recoded = Form::of(generation, reader).recode(&self.0, &[]);
        recoded.into_iter().next().map(Self)
    }
}

/// An event or an ack, written.
#[derive(Debug)]
pub struct Packet(#[expect(dead_code, reason = "that it was written is all")] Frames);

/// Reads a packet of the engine: how long its message is.
pub fn read_message(generation: Generation, packet: &str) -> usize {
    len(&generation.decode(packet).expect("a packet"))
}

/// Reads a polling payload of text: how long its messages are together.
pub fn read_text_payload(generation: Generation, body: String) -> usize {
    read_payload(generation, &generation.posted(body))
}

/// The same of one of bytes.
pub fn read_binary_payload(generation: Generation, body: Vec<u8>) -> usize {
    read_payload(generation, &Posted::Binary(body))
}

fn read_payload(generation: Generation, payload: &Posted) -> usize {
    let (mut at, mut sum) = (0, 0);
    while let Some((signal, next)) = generation.decode_next(payload, at) {
        sum += len(&signal.expect("a packet"));
        at = next;
    }
    sum
}

fn len(signal: &Signal<'_>) -> usize {
    match signal {
        Signal::Text(text) => text.len(),
        Signal::Binary(bytes) => bytes.len(),
        _ => panic!("no message"),
    }
}

/// Writes a polling payload, of bytes where the generation has such.
pub fn write_payload(generation: Generation, messages: &[Message]) -> Vec<u8> {
    generation.encode_payload(messages.iter().map(|message| &message.0), PayloadForm::Any)
}

/// Reads an event or an ack: its arguments.
pub fn read_packet(generation: Generation, text: &str, attachments: &[Bytes]) -> RawArgs {
    let packet = decode(generation, text, attachments.len()).expect("a packet");
    let (Body::Event { args, .. } | Body::Args(args)) = &packet.body else {
        panic!("neither an event nor an ack");
    };
    if !attachments.is_empty() {
        check_placeholders(args, attachments.len()).expect("the attachments that were announced");
    }
    RawArgs::from_wire(args, attachments)
}

pub fn write_event(name: &str, args: &(impl EmitArgs + ?Sized)) -> Packet {
    Packet(Frames::event("/", None, name, args).expect("an event"))
}

pub fn write_ack(id: u64, args: &(impl EmitArgs + ?Sized)) -> Packet {
    Packet(Frames::ack("/", id, args).expect("an ack"))
}
