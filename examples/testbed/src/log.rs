//! The namespace `/log`: a client that is in it is told of each call that the server makes for it, in
//! all its namespaces, when the call has ended.

use std::time::Instant;

use axum_socketio::{Call, Failure, FailureKind, Namespace, Socket};
use serde::Serialize;

#[derive(Serialize)]
struct Line<'a> {
    namespace: &'a str,
    call: &'a str,
    /// How long it took; `None` if it was not made at all.
    micros: Option<u64>,
    outcome: &'a str,
}

/// Logs every call of that namespace's handlers and jobs.
pub(crate) fn watch(namespace: &Namespace) {
    namespace.wrap(|call, next| async move {
        let mut running = Running::begin(&call);
        let outcome = next.await;
        running.outcome = match &outcome {
            Ok(()) => "ok",
            Err(failure) => failure.name(),
        };
        outcome
    });
}

/// Logs a call that was not made: the wrapper has not seen it.
pub(crate) fn failed(failure: &Failure<'_>) {
    let unmade = matches!(
        failure.kind,
        FailureKind::AccessDenied | FailureKind::NoHandler | FailureKind::Rejected(_)
    );
    if let (true, Some(socket), Some(occasion)) = (unmade, failure.socket, failure.occasion) {
        tell(socket, &occasion.to_string(), None, failure.kind.name());
    }
    if !failure.kind.is_clients_fault() {
        eprintln!("{failure}");
    }
}

/// A call under way. It is logged when it ends, also if it is aborted, as jobs are.
struct Running {
    socket: Socket,
    call: String,
    since: Instant,
    outcome: &'static str,
}

impl Running {
    fn begin(call: &Call) -> Self {
        Self {
            socket: call.socket().clone(),
            call: call.occasion().to_string(),
            since: Instant::now(),
            outcome: "aborted",
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let micros = self.since.elapsed().as_micros().try_into().unwrap_or(u64::MAX);
        tell(&self.socket, &self.call, Some(micros), self.outcome);
    }
}

fn tell(socket: &Socket, call: &str, micros: Option<u64>, outcome: &str) {
    let Some(log) = socket.client().of("/log") else { return };
    let namespace = socket.namespace();
    let line = Line {
        namespace: namespace.path(),
        call,
        micros,
        outcome,
    };
    if let Err(error) = log.emit("call", &line) {
        eprintln!("{error}");
    }
}
