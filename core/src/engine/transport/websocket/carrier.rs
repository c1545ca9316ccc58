//! The task of a WebSocket client: owns its life until it ends.

use std::{
    ops::ControlFlow,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    codec::Event,
    wire::{End, Wire},
};
use crate::engine::{
    connection::Fill,
    driver::{Alarm, Life, ROUNDS, Received, Turn},
    reason::CloseReason,
};

/// How many messages are handled before other tasks get their turn.
const MESSAGES_A_TURN: usize = 64;

/// A client and its WebSocket. Ready with the WebSocket when the connection has ended, to say
/// goodbye by it.
pub(super) struct Carrier<IO> {
    life: Box<Life>,
    /// `None` once the connection has ended.
    wire: Option<Wire<IO>>,
    /// Bytes of the outbox that the wire has and has not written.
    taken: usize,
    alarm: Alarm,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Carrier<IO> {
    pub(super) fn new(life: Box<Life>, wire: Wire<IO>) -> Self {
        Self {
            life,
            wire: Some(wire),
            taken: 0,
            alarm: Alarm::default(),
        }
    }

    /// The client's half has ended.
    fn end(&mut self, end: End) -> Poll<Option<(Wire<IO>, End)>> {
        if let End::Violation(violation) = &end {
            tracing::debug!("a client's WebSocket is closed: {violation}");
        }
        self.life.close(match end {
            End::Violation(_) => CloseReason::TransportError,
            End::Lost | End::Closed(_) | End::Refused => CloseReason::TransportClose,
        });
        Poll::Ready(self.wire.take().map(|wire| (wire, end)))
    }

    /// The server has closed the connection: what is queued still goes out.
    fn finish(&mut self) -> Poll<Option<(Wire<IO>, End)>> {
        let connection = &self.life.connection;
        let end = match connection.ending() {
            // A client that does not read, or talks nonsense.
            Some(CloseReason::TransportError) => End::Lost,
            _ => End::Refused,
        };
        Poll::Ready(self.wire.take().map(|mut wire| {
            for frame in connection.take_outbox().iter() {
                wire.push(frame.clone());
            }
            (wire, end)
        }))
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Future for Carrier<IO> {
    type Output = Option<(Wire<IO>, End)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let mut left = MESSAGES_A_TURN;
        for _ in 0..ROUNDS {
            let Some(wire) = &mut this.wire else {
                return Poll::Ready(None);
            };
            // Requests are a polling client's: dropping them refuses them.
            let work = this.life.connection.begin_turn();
            let turn = this.life.turn(cx, work.ending);

            if wire.is_flushed() {
                let outbox = this.life.connection.take_outbox();
                this.taken = outbox.bytes();
                wire.send(outbox);
            }
            let writable = match wire.poll_flush(cx) {
                Poll::Ready(Ok(())) => {
                    match std::mem::take(&mut this.taken) {
                        0 => {}
                        taken => this.life.connection.written(taken),
                    }
                    true
                }
                Poll::Ready(Err(_)) => return this.end(End::Lost),
                Poll::Pending => false,
            };
            if turn == Turn::Closed {
                return this.finish();
            }
            if left == 0 {
                break;
            }

            let life = &mut this.life;
            let read = if turn == Turn::Open {
                wire.poll_read(cx, |cx, event| {
                    left -= 1;
                    let received = receive(life, cx, &event);
                    if received == Received::GoOn && left > 0 && !(writable && life.connection.fill() > Fill::Little) {
                        ControlFlow::Continue(())
                    } else {
                        ControlFlow::Break(())
                    }
                })
            } else {
                Poll::Pending
            };
            match read {
                Poll::Ready(Ok(_)) => continue,
                Poll::Ready(Err(end)) => return this.end(end),
                Poll::Pending => {}
            }

            if this.alarm.poll(cx, this.life.deadline()).is_ready() {
                continue;
            }
            if this.life.connection.park(cx.waker(), writable) {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

fn receive(life: &mut Life, cx: &mut Context<'_>, event: &Event<'_>) -> Received {
    let generation = life.connection.generation();
    let signal = match event {
        Event::Text(packet) => generation.decode(packet),
        Event::Binary(packet) => generation.decode_binary(packet),
        Event::Ping(_) | Event::Pong | Event::Close(_) => return Received::GoOn,
    };
    match signal {
        Ok(signal) => life.receive(cx, &signal),
        Err(malformed) => life.receive_malformed(malformed, CloseReason::ParseError),
    }
}
