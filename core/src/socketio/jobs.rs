//! Tasks that belong to a socket: they end with it.

use tokio::task::AbortHandle;

use super::{
    call::{Call, Occasion, OwnedOccasion},
    handler::{EventResponse, HandlerFuture},
    socket::Socket,
    task::{Caught, contain},
};

/// The jobs of a socket that have not ended.
#[derive(Default)]
pub(super) struct Jobs {
    next: u64,
    running: Vec<(u64, AbortHandle)>,
}

impl Jobs {
    /// Begins a job, of which `make` is told the number.
    fn begin(&mut self, make: impl FnOnce(u64) -> AbortHandle) -> AbortHandle {
        let id = self.next;
        self.next += 1;
        let handle = make(id);
        self.running.push((id, handle.clone()));
        handle
    }

    fn forget(&mut self, id: u64) {
        self.running.retain(|(running, _)| *running != id);
    }

    pub(super) fn abort(self) {
        for (_, job) in self.running {
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
    /// [`on_error`](crate::Namespace::on_error), as a panic is. The job of a socket that has left does not begin; one of
    /// a socket that is not let in yet does, and what it emits is held back.
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
        self.with_jobs(|jobs| {
            if let Some(jobs) = jobs {
                return jobs.begin(|id| runtime.spawn(run(socket, id, job)).abort_handle());
            }
            let never = runtime.spawn(std::future::pending::<()>()).abort_handle();
            never.abort();
            never
        })
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

/// A job from its begin to its end, however it ends.
async fn run(socket: Socket, id: u64, job: HandlerFuture) {
    struct Ended(Socket, u64);

    impl Drop for Ended {
        fn drop(&mut self) {
            self.0.with_jobs(|jobs| {
                if let Some(jobs) = jobs {
                    jobs.forget(self.1);
                }
            });
        }
    }

    let ended = Ended(socket, id);
    let socket = &ended.0;
    let call = Call::new(socket, OwnedOccasion::Job);
    let result = match contain(|| socket.shared().wrap(|| call, job)) {
        Ok(job) => Caught::new(job).await,
        Err(panic) => Err(panic),
    };
    if let Err(failure) = result {
        socket.shared().report(socket, Occasion::Job, &failure);
    }
}
