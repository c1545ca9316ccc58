//! Events between servers.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures_util::{FutureExt as _, future::BoxFuture};

use super::Namespace;
use crate::{
    error::AckError,
    socketio::args::{EmitArgs, EncodeError, FromArgs, RawArgs},
};

/// Names that mean something else to the namespaces of the reference, which may be among the other servers.
const RESERVED: [&str; 3] = ["connect", "connection", "new_namespace"];

/// What one of these handlers answers, if the arguments were what it takes.
type Answer = BoxFuture<'static, Result<RawArgs, String>>;

/// A handler of an event of other servers.
pub(super) type ServerSideHandler = dyn Fn(RawArgs) -> Answer + Send + Sync;

impl Namespace {
    /// Sends an event to the same namespace of all other servers, where
    /// [`on_server_side_emit`](Self::on_server_side_emit) handles it. A server that is alone has nobody to tell.
    ///
    /// # Errors
    /// As [`Broadcast::emit`](crate::Broadcast::emit). Here these names are reserved: `connect`, `connection`,
    /// `new_namespace`.
    ///
    /// ```
    /// let io = tower_socketio::SocketIo::builder().build();
    /// io.of("/").server_side_emit("forget the cache of", "ada")?;
    /// # Ok::<(), tower_socketio::EncodeError>(())
    /// ```
    pub fn server_side_emit(&self, event: &str, args: impl EmitArgs) -> Result<(), EncodeError> {
        self.0.adapter.server_side_emit(event, &encode(event, &args)?);
        Ok(())
    }

    /// As [`server_side_emit`](Self::server_side_emit), and waits for the answers, one of each other server. It is
    /// sent at once, not when the future is awaited. Of a server that is alone there are none.
    ///
    /// # Errors
    /// [`AckError::Encode`] as there; [`AckError::Timeout`] when not all servers answer in the time that the cluster
    /// gives them; [`AckError::Decode`] when one answers with something else than a `T`.
    ///
    /// ```
    /// # async fn count(io: &tower_socketio::SocketIo) -> Result<(), tower_socketio::AckError> {
    /// let others: Vec<usize> = io.of("/").server_side_emit_with_ack("clients?", "").await?;
    /// println!("{} clients", io.clients_count() + others.iter().sum::<usize>());
    /// # Ok(())
    /// # }
    /// ```
    pub fn server_side_emit_with_ack<T: FromArgs>(
        &self,
        event: &str,
        args: impl EmitArgs,
    ) -> BoxFuture<'static, Result<Vec<T>, AckError>> {
        let answers = encode(event, &args).map(|args| self.0.adapter.server_side_ask(event, &args));
        Box::pin(async {
            let answers = answers.map_err(AckError::Encode)?.await?;
            let read = answers.iter().map(|answer| answer.read().map_err(AckError::Decode));
            read.collect()
        })
    }

    /// Sets the handler of an event that other servers [emit](Self::server_side_emit). It is given the first argument,
    /// or several as [`Args`](crate::Args), and what it returns is its answer, if one is waited for.
    ///
    /// Arguments that it does not take, and its panics, are told to the log; the other server gets no answer then.
    ///
    /// # Panics
    /// When the event has one already, or its name is reserved.
    ///
    /// ```
    /// use tower_socketio::SocketIo;
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on_server_side_emit("forget the cache of", async |name: String| println!("forget {name}"));
    /// let server = io.clone();
    /// io.of("/").on_server_side_emit("clients?", move |_: String| std::future::ready(server.clients_count()));
    /// ```
    pub fn on_server_side_emit<T, Fut, R>(
        &self,
        event: &str,
        handler: impl Fn(T) -> Fut + Send + Sync + 'static,
    ) -> &Self
    where
        T: FromArgs,
        Fut: Future<Output = R> + Send + 'static,
        R: EmitArgs,
    {
        assert!(
            !RESERVED.contains(&event),
            "the event name {event:?} is reserved by Socket.IO; use another name"
        );
        let handler = move |args: RawArgs| -> Answer {
            match args.read() {
                Ok(args) => {
                    let answer = handler(args);
                    Box::pin(async { RawArgs::encode(&answer.await).map_err(|error| error.to_string()) })
                }
                Err(error) => Box::pin(std::future::ready(Err(error.to_string()))),
            }
        };
        self.change(|handlers| {
            assert!(
                !handlers.server_side.contains_key(event),
                "the event {event:?} of other servers has a handler already"
            );
            handlers.server_side.insert(event.into(), Arc::new(handler));
        });
        self
    }

    /// Another server has emitted that event. Its answer, where there is a handler and it does not fail.
    #[doc(hidden)]
    pub async fn handle_server_side_emit(&self, event: &str, args: RawArgs) -> Option<RawArgs> {
        let handler = self.0.handlers().server_side.get(event).cloned()?;
        let answer = AssertUnwindSafe(async move { handler(args).await });
        let answer = answer.catch_unwind().await;
        answer
            .unwrap_or_else(|_| Err("its handler panicked".to_owned()))
            .inspect_err(|error| tracing::error!("the event {event:?} of another server was not handled: {error}"))
            .ok()
    }
}

fn encode(event: &str, args: &impl EmitArgs) -> Result<RawArgs, EncodeError> {
    if RESERVED.contains(&event) {
        return Err(EncodeError::ReservedEvent(event.to_owned()));
    }
    RawArgs::encode(args)
}
