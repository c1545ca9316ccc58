//! RFC 6455 as the framing of a duplex stream.

use std::ops::ControlFlow;

use super::codec::{self, Decoder, Opcode, Violation, control_frame};
use crate::engine::{
    codec::frame::Frame,
    reason::CloseReason,
    transport::{
        Transport,
        duplex::{Event, Framing},
    },
};

impl Framing for Decoder {
    type Violation = Violation;

    const TRANSPORT: Transport = Transport::WebSocket;
    const VIOLATED: CloseReason = CloseReason::TransportError;

    fn feed(
        &mut self,
        input: &mut [u8],
        mut sink: impl FnMut(Event<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Violation> {
        Self::feed(self, input, |event| {
            sink(match event {
                codec::Event::Text(text) => Event::Text(text),
                codec::Event::Binary(bytes) => Event::Binary(bytes),
                codec::Event::Ping(payload) => Event::Control(Some(control(Opcode::Pong, payload))),
                codec::Event::Pong => Event::Control(None),
                codec::Event::Close(frame) => Event::Close(close(frame.map(|frame| frame.code))),
            })
        })
    }

    fn has_backlog(&self) -> bool {
        Self::has_backlog(self)
    }

    fn parts<'a>(&self, frame: &'a Frame) -> impl Iterator<Item = &'a [u8]> + Clone {
        let parts = frame.websocket(self.deflate());
        parts.into_iter().filter(|part| !part.is_empty())
    }

    fn is_compressing(&self) -> bool {
        self.deflate().is_some()
    }

    fn goodbye(violation: Option<&Violation>) -> Option<Frame> {
        Some(close(violation.map(Violation::close_code)))
    }
}

fn close(code: Option<u16>) -> Frame {
    let code = code.map(u16::to_be_bytes);
    control(Opcode::Close, code.as_ref().map_or(&[], |code| &code[..]))
}

fn control(opcode: Opcode, payload: &[u8]) -> Frame {
    Frame::from_websocket(&control_frame(opcode, payload))
}
