//! What is wrapped around every call of the board: a span, a clock, and somebody who is told of errors.

use std::time::Instant;

use tracing::Instrument as _;
use warp_socketio::{Call, FailureKind, Next, Occasion};

use crate::{board::Board, reports::Reports};

/// Handlers need no code for any of this: what they log is in the span, and how they fail is reported.
pub(crate) async fn watched(call: Call, next: Next, reports: Reports) -> Result<(), FailureKind> {
    let who = call.socket().object::<Board>().map(|board| board.name());
    let who_is_it = who.as_deref().unwrap_or("a visitor");
    let span = tracing::info_span!("board", who = who_is_it, occasion = %call.occasion());
    let begin = Instant::now();
    let outcome = next.instrument(span.clone()).await;
    let took = begin.elapsed();

    let _within = span.enter();
    match &outcome {
        Ok(()) => tracing::info!(?took, "done"),
        Err(failure) => {
            tracing::warn!(?took, "{failure}");
            // Who has no session is refused: that is no error.
            if call.occasion() != Occasion::Connect || !failure.is_clients_fault() {
                reports.add(who, call.occasion(), failure, Some(took));
            }
        }
    }
    outcome
}
