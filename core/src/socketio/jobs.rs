//! Tasks that belong to a socket: they end with it.

use tokio::task::AbortHandle;

use super::{
    call::{Call, Occasion, OwnedOccasion},
    handler::{EventResponse, HandlerFuture},
    meter,
    socket::Socket,
    task::{Caught, contain},
};
use crate::error::FailureKind;

/// The jobs of a socket that have not ended.
#[derive(Default)]
pub(crate) struct Jobs {
    next: u64,
    /// Without a handle: it is just being spawned.
    running: Vec<(u64, Option<AbortHandle>)>,
}

impl Jobs {
    /// The number of a job that is about to be spawned.
    fn announce(&mut self) -> u64 {
        let id = self.next;
        self.next += 1;
        self.running.push((id, None));
        id
    }

    /// `false`: it has ended, or was aborted before it had a handle.
    fn keep(&mut self, id: u64, handle: &AbortHandle) -> bool {
        let job = self.running.iter_mut().find(|(running, _)| *running == id);
        job.is_some_and(|(_, kept)| kept.replace(handle.clone()).is_none())
    }

    fn forget(&mut self, id: u64) {
        self.running.retain(|(running, _)| *running != id);
    }

    /// All of them, to be aborted. Numbers are not used again: some have not ended yet.
    pub(crate) fn take(&mut self) -> Self {
        Self {
            next: self.next,
            running: std::mem::take(&mut self.running),
        }
    }

    pub(crate) fn abort(self) {
        for job in self.running.into_iter().filter_map(|(_, handle)| handle) {
            job.abort();
        }
    }
}

impl Socket {
    /// Runs a job for as long as the client is in the namespace: a task of its own on the server's
    /// runtime, which is aborted where it awaits when the socket leaves, or by
    /// [`abort_jobs`](Self::abort_jobs), or by the handle that this returns.
    ///
    /// What it returns is that of a handler: nothing, or a `Result` whose error is reported to
    /// [`on_error`](crate::Namespace::on_error), as a panic is (an error is not where the client has left: the job was to
    /// end). The job of a socket that has left does not begin; one of
    /// a socket that is not let in yet does, and what it emits is held back.
    ///
    /// Jobs are not counted by [`max_handlers`](crate::SocketIoBuilder::max_handlers), and the disconnect handler does
    /// not wait for them: one that is just running on another thread goes on to where it next awaits.
    ///
    /// ```
    /// # use std::time::Duration;
    /// use tower_socketio::{SocketIo, Socket};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/clock").on_connect(async |socket: Socket| {
    ///     let clock = socket.clone();
    ///     socket.spawn(async move {
    ///         for seconds in 0_u64.. {
    ///             clock.emit("tick", seconds)?;
    ///             tokio::time::sleep(Duration::from_secs(1)).await;
    ///         }
    ///         Ok::<_, tower_socketio::EncodeError>(())
    ///     });
    /// });
    /// ```
    pub fn spawn<R: EventResponse>(&self, job: impl Future<Output = R> + Send + 'static) -> AbortHandle {
        let socket = self.clone();
        let job: HandlerFuture = Box::pin(async move { job.await.respond(None) });
        let runtime = self.shared().runtime().handle();
        let id = self.with_jobs(|jobs| jobs.map(Jobs::announce)).unwrap_or_default();
        // Not under the lock: a runtime that has been shut down drops the job at once.
        let handle = runtime.spawn(run(Ending(socket, id), job)).abort_handle();
        if !self.with_jobs(|jobs| jobs.is_some_and(|jobs| jobs.keep(id, &handle))) {
            handle.abort();
        }
        handle
    }

    /// Aborts all jobs of the socket.
    ///
    /// ```
    /// use tower_socketio::{SocketIo, Socket};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/clock").on("stop", async |socket: Socket| socket.abort_jobs());
    /// ```
    pub fn abort_jobs(&self) {
        self.take_jobs().abort();
    }
}

/// What is dropped when a job ends, even one that never began.
struct Ending(Socket, u64);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.with_jobs(|jobs| {
            if let Some(jobs) = jobs {
                jobs.forget(self.1);
            }
        });
    }
}

async fn run(ending: Ending, job: HandlerFuture) {
    let socket = &ending.0;
    if socket.left().is_some() {
        return;
    }
    let job = meter::in_span(socket, Occasion::Job, job);
    let call = || Call::new(socket, OwnedOccasion::Job);
    let result = match contain(|| socket.shared().wrap(call, job)) {
        Ok(job) => Caught::new(job).await,
        Err(panic) => Err(panic),
    };
    match result {
        // It was about to be aborted, and failed because its client had left.
        Err(FailureKind::Handler(_)) if socket.left().is_some() => {}
        Err(failure) => socket.shared().report(socket, Occasion::Job, &failure),
        Ok(()) => {}
    }
}
