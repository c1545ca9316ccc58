//! The task of a client on a duplex stream: owns its life until it ends, or another transport takes it over.

use std::{
    ops::ControlFlow,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::oneshot,
};

use super::{
    Event, Framing,
    wire::{End, Wire},
};
use crate::engine::{
    Shared,
    codec::{Malformed, PayloadForm, Signal},
    connection::{Connection, Fill, Request, Writable},
    driver::{Alarm, Life, ROUNDS, Received, Turn},
    outbox::Outbox,
    reason::CloseReason,
    transport::Transport,
};

/// How many messages are handled before other tasks get their turn.
const MESSAGES_A_TURN: usize = 64;

/// A client and its stream. Ready with the stream when the connection has ended, to say goodbye by
/// it.
pub(in crate::engine::transport) struct Carrier<IO, F> {
    /// `None` once another transport carries it.
    life: Option<Box<Life>>,
    /// `None` once the connection has ended.
    wire: Option<Wire<IO, F>>,
    /// Bytes of the outbox that the wire has and has not written.
    taken: usize,
    alarm: Alarm,
}

/// What is left of a client that is gone.
type Gone<IO, F> = (Wire<IO, F>, End<<F as Framing>::Violation>);

impl<IO: AsyncRead + AsyncWrite + Unpin, F: Framing> Carrier<IO, F> {
    pub(in crate::engine::transport) fn new(life: Box<Life>, wire: Wire<IO, F>) -> Self {
        life.connection.set_compressing(wire.is_compressing());
        Self {
            life: Some(life),
            wire: Some(wire),
            taken: 0,
            alarm: Alarm::default(),
        }
    }

    /// The client's half has ended.
    fn end(&mut self, end: End<F::Violation>) -> Poll<Option<Gone<IO, F>>> {
        if let End::Violation(violation) = &end {
            tracing::debug!("a client's {} is closed: {violation}", F::TRANSPORT);
        }
        if let Some(life) = &mut self.life {
            life.close(match end {
                End::Violation(_) => F::VIOLATED,
                End::Lost | End::Closed(_) | End::Refused | End::Finished(_) => CloseReason::TransportClose,
            });
        }
        Poll::Ready(self.wire.take().map(|wire| (wire, end)))
    }

    /// The connection was not closed by the client: what is queued still goes out.
    fn finish(&mut self, connection: &Connection, server: Arc<Shared>, form: PayloadForm) -> Poll<Option<Gone<IO, F>>> {
        let end = match connection.ending() {
            // A client that does not read, or talks nonsense.
            Some(CloseReason::TransportError) => End::Lost,
            Some(CloseReason::PingTimeout) => End::Refused,
            _ => End::Finished(server),
        };
        Poll::Ready(self.wire.take().map(|mut wire| {
            for frame in in_form(connection, form, connection.take_outbox()).iter() {
                wire.push(frame.clone());
            }
            (wire, end)
        }))
    }

    /// Another task carries the client from now on; the rest of what was asked is for that one.
    fn hand_over(
        &mut self,
        transport: Transport,
        to: oneshot::Sender<Box<Life>>,
        rest: impl Iterator<Item = Request>,
    ) -> Poll<Option<Gone<IO, F>>> {
        let (Some(mut life), Some(mut wire)) = (self.life.take(), self.wire.take()) else {
            return Poll::Ready(None);
        };
        let (unwritten, end) = wire.give_up();
        life.connection.written(std::mem::take(&mut self.taken));
        life.connection.put_back(unwritten);
        life.connection.set_compressing(false);
        life.attach(transport);
        for request in rest {
            life.connection.request(request);
        }
        // An error is a transport that died: the life's drop ends the session.
        let _ = to.send(life);
        Poll::Ready(Some((wire, end)))
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin, F: Framing> Future for Carrier<IO, F> {
    type Output = Option<Gone<IO, F>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let _entered = this.life.as_ref().and_then(|life| life.enter());
        let mut left = MESSAGES_A_TURN;
        for _ in 0..ROUNDS {
            let (Some(life), Some(wire)) = (&mut this.life, &mut this.wire) else {
                return Poll::Ready(None);
            };
            let work = life.connection.begin_turn();
            if !work.requests.is_empty() {
                let mut requests = work.requests.into_iter();
                // All others are a polling client's: dropping them refuses them.
                if let Some(Request::TakeOver(transport, to)) =
                    requests.find(|request| matches!(request, Request::TakeOver(..)))
                {
                    return this.hand_over(transport, to, requests);
                }
            }
            let turn = life.turn(cx, work.ending);

            if wire.is_flushed() {
                let outbox = life.connection.take_outbox();
                if !outbox.is_empty() {
                    this.taken = outbox.bytes();
                    wire.send(in_form(&life.connection, life.form, outbox));
                }
            }
            let writable = match wire.poll_flush(cx) {
                Poll::Ready(Ok(())) => {
                    match std::mem::take(&mut this.taken) {
                        0 => {}
                        taken => life.connection.written(taken),
                    }
                    Writable::Now
                }
                Poll::Ready(Err(_)) => return this.end(End::Lost),
                Poll::Pending => Writable::Later,
            };
            if turn == Turn::Closed {
                let (connection, server, form) = (life.connection.clone(), life.server().clone(), life.form);
                return this.finish(&connection, server, form);
            }
            if left == 0 {
                break;
            }

            let read = if turn == Turn::Open {
                wire.poll_read(cx, |cx, event| {
                    left -= 1;
                    let received = receive(life, cx, &event);
                    let flushes = writable == Writable::Now && life.connection.fill() > Fill::Little;
                    if received == Received::GoOn && left > 0 && !flushes {
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

            if this.alarm.poll(cx, life.deadline()).is_ready() {
                continue;
            }
            if life.connection.park(cx.waker(), writable) {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// What a client that reads no bytes is sent instead.
fn in_form(connection: &Connection, form: PayloadForm, outbox: Outbox) -> Outbox {
    match form {
        PayloadForm::Any => outbox,
        PayloadForm::Text => {
            let mut texts = Outbox::default();
            for frame in outbox.iter() {
                texts.push(connection.generation().as_text(frame), false);
            }
            texts
        }
    }
}

fn receive(life: &mut Life, cx: &mut Context<'_>, event: &Event<'_>) -> Received {
    let generation = life.connection.generation();
    let signal = match event {
        Event::Text(packet) if life.connection.reader().decodes_twice => {
            let decoded = generation.decode_again(packet);
            return take(life, cx, generation.decode(decoded.as_deref().unwrap_or(packet)));
        }
        Event::Text(packet) => generation.decode(packet),
        Event::Binary(packet) => generation.decode_binary(packet),
        Event::Control(_) | Event::Close(_) => return Received::GoOn,
    };
    take(life, cx, signal)
}

fn take(life: &mut Life, cx: &mut Context<'_>, signal: Result<Signal<'_>, Malformed>) -> Received {
    match signal {
        Ok(signal) => life.receive(cx, &signal),
        Err(malformed) => life.receive_malformed(malformed, CloseReason::ParseError),
    }
}
