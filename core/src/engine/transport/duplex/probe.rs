//! The upgrade from polling: a second transport proves that it works, then takes the client over.
//!
//! The client sends `2probe`, is answered `3probe`, waits until its open poll is released and
//! sends `5`. Until then polling is the transport, and a stream that dies harms nothing.

use std::{future::poll_fn, ops::ControlFlow};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::oneshot,
};

use super::{
    Event, Framing,
    wire::{End, Wire},
};
use crate::engine::{
    codec::Signal,
    connection::{Connection, Request},
    driver::Life,
    generation::Generation,
};

/// The client's life, once it has moved here; an error when the probe came to nothing.
pub(in crate::engine::transport) async fn probe<IO, F>(
    wire: &mut Wire<IO, F>,
    connection: &Connection,
) -> Result<Box<Life>, End<F::Violation>>
where
    IO: AsyncRead + AsyncWrite + Unpin,
    F: Framing,
{
    let (accepted, accept) = oneshot::channel();
    connection.request(Request::Probe(accepted));
    let attempt = accept.await.map_err(|_| End::Refused)?;

    match next(wire, connection.generation()).await? {
        Step::Probe => wire.push(connection.generation().control(&Signal::Pong("probe"))),
        Step::Upgrade | Step::Other => return Err(End::Refused),
    }
    poll_fn(|cx| wire.poll_flush(cx)).await.map_err(|_| End::Lost)?;
    match next(wire, connection.generation()).await? {
        Step::Upgrade => {}
        Step::Probe | Step::Other => return Err(End::Refused),
    }

    let (take_over, life) = oneshot::channel();
    connection.request(Request::TakeOver(F::TRANSPORT, take_over));
    let life = life.await.map_err(|_| End::Refused)?;
    drop(attempt);
    Ok(life)
}

/// Tells the connection that the probe is over, however it ended.
#[derive(Debug)]
pub(crate) struct Attempt(Connection);

impl Attempt {
    pub(crate) fn new(connection: &Connection) -> Self {
        Self(connection.clone())
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.0.request(Request::ProbeGone);
    }
}

enum Step {
    Probe,
    Upgrade,
    Other,
}

async fn next<IO, F>(wire: &mut Wire<IO, F>, generation: Generation) -> Result<Step, End<F::Violation>>
where
    IO: AsyncRead + AsyncWrite + Unpin,
    F: Framing,
{
    let mut step = None;
    while step.is_none() {
        let _ = poll_fn(|cx| {
            // Pings of the framing itself are answered meanwhile.
            let _ = wire.poll_flush(cx);
            wire.poll_read(cx, |_, event| {
                step = match event {
                    Event::Control(_) => None,
                    Event::Text(packet) => Some(match generation.decode(packet) {
                        Ok(Signal::Ping("probe")) => Step::Probe,
                        Ok(Signal::Upgrade) => Step::Upgrade,
                        _ => Step::Other,
                    }),
                    _ => Some(Step::Other),
                };
                ControlFlow::Break(())
            })
        })
        .await?;
    }
    step.ok_or(End::Lost)
}
