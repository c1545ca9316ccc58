//! Emitting by value: an event that knows its name and its arguments.

use bytes::Bytes;
use serde::Serialize;

use super::{
    ack::AckFuture,
    acks::AckStream,
    args::{EmitArgs, EncodeError, FromArgs, private},
    broadcast::Broadcast,
    emitter::Emitter,
    remote_socket::RemoteSocket,
    socket::Socket,
};

/// An event as a value, made by [`#[derive(EmitEvent)]`](macro@crate::EmitEvent): its name and its arguments, which
/// `emit_event` sends as `emit` would.
///
/// ```
/// use tower_socketio::{EmitEvent, SocketIo};
///
/// #[derive(EmitEvent)]
/// enum ServerToClient {
///     Said(String),
///     UserLeft { name: String },
/// }
///
/// let left = ServerToClient::UserLeft { name: "Ada".into() };
/// assert_eq!(left.event_name(), "user_left");
///
/// let io = SocketIo::builder().build();
/// io.emit_event(left)?;
/// io.to("lobby").emit_event(ServerToClient::Said("hello".into()))?;
/// # Ok::<(), tower_socketio::EncodeError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event",
    label = "not an event",
    note = "write `#[derive(EmitEvent)]` above the type, or emit it by name: `emit(\"name\", value)`"
)]
pub trait EmitEvent {
    /// What the client listens to.
    ///
    /// ```
    /// use tower_socketio::EmitEvent;
    ///
    /// #[derive(EmitEvent)]
    /// struct RoomClosed;
    ///
    /// assert_eq!(RoomClosed.event_name(), "room_closed");
    /// ```
    fn event_name(&self) -> &'static str;

    /// As [`EmitArgs::write`].
    #[doc(hidden)]
    fn write_args(&self, out: &mut Vec<u8>, attachments: &mut Vec<Bytes>) -> Result<(), EncodeError>;
}

impl<E: EmitEvent + ?Sized> EmitEvent for &E {
    fn event_name(&self) -> &'static str {
        (**self).event_name()
    }

    fn write_args(&self, out: &mut Vec<u8>, attachments: &mut Vec<Bytes>) -> Result<(), EncodeError> {
        (**self).write_args(out, attachments)
    }
}

/// An event that the client answers: [`#[derive(EmitEvent)]`](macro@crate::EmitEvent) on a struct with
/// `#[event(ack = T)]`.
///
/// ```
/// use tower_socketio::{AckError, EmitEvent, Socket};
///
/// #[derive(EmitEvent)]
/// #[event(ack = bool)]
/// struct Confirm(&'static str);
///
/// async fn is_sure(socket: &Socket) -> Result<bool, AckError> {
///     socket.emit_event_with_ack(Confirm("Are you sure?")).await
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event with an answer",
    label = "no answer",
    note = "write `#[derive(EmitEvent)]` and `#[event(ack = T)]` above a struct"
)]
pub trait EmitEventWithAck: EmitEvent {
    /// What the client answers.
    type Ack: FromArgs;
}

impl<E: EmitEventWithAck + ?Sized> EmitEventWithAck for &E {
    type Ack = E::Ack;
}

/// One argument, if it is one.
pub fn argument(value: &impl Serialize) -> impl Serialize {
    value
}

/// The arguments of an event.
struct ArgsOf<'a, E>(&'a E);

impl<E> private::Emit for ArgsOf<'_, E> {}
impl<E: EmitEvent> EmitArgs for ArgsOf<'_, E> {
    fn write(&self, out: &mut Vec<u8>, attachments: &mut Vec<Bytes>) -> Result<(), EncodeError> {
        self.0.write_args(out, attachments)
    }
}

impl Socket {
    /// As [`emit`](Self::emit), of an event that is a value.
    ///
    /// # Errors
    /// As there.
    ///
    /// ```
    /// use tower_socketio::{EmitEvent, SocketIo, Socket};
    ///
    /// #[derive(EmitEvent)]
    /// struct Moved(i32, i32);
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on("hi", async |socket: Socket| socket.emit_event(Moved(10, 20)));
    /// ```
    pub fn emit_event(&self, event: impl EmitEvent) -> Result<(), EncodeError> {
        self.emit(event.event_name(), ArgsOf(&event))
    }

    /// As [`emit_with_ack`](Self::emit_with_ack), of an event that is a value and knows its answer.
    ///
    /// ```
    /// use tower_socketio::{EmitEvent, EventError, SocketIo, Socket};
    ///
    /// #[derive(EmitEvent)]
    /// #[event(ack = String)]
    /// struct AskName;
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on("hi", async |socket: Socket| {
    ///     println!("{}", socket.emit_event_with_ack(AskName).await?);
    ///     Ok::<_, EventError>(())
    /// });
    /// ```
    pub fn emit_event_with_ack<E: EmitEventWithAck>(&self, event: E) -> AckFuture<E::Ack> {
        self.emit_with_ack(event.event_name(), ArgsOf(&event))
    }
}

impl Emitter<'_> {
    /// As [`Socket::emit_event`].
    ///
    /// # Errors
    /// As there.
    ///
    /// ```
    /// # use tower_socketio::{EmitEvent, SocketIo, Socket};
    /// # #[derive(EmitEvent)]
    /// # struct Moved(i32, i32);
    /// # let io = SocketIo::builder().build();
    /// io.of("/").on("move", async |socket: Socket| socket.volatile().emit_event(Moved(10, 20)));
    /// ```
    pub fn emit_event(self, event: impl EmitEvent) -> Result<(), EncodeError> {
        self.emit(event.event_name(), ArgsOf(&event))
    }

    /// As [`Socket::emit_event_with_ack`]. Never volatile, since an answer is waited for.
    ///
    /// # Panics
    /// With a timeout, outside of a tokio runtime with timers.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tower_socketio::{AckError, EmitEvent, Socket};
    /// # #[derive(EmitEvent)]
    /// # #[event(ack = String)]
    /// # struct AskName;
    /// async fn ask(socket: &Socket) -> Result<String, AckError> {
    ///     socket.timeout(Duration::from_secs(5)).emit_event_with_ack(AskName).await
    /// }
    /// ```
    pub fn emit_event_with_ack<E: EmitEventWithAck>(self, event: E) -> AckFuture<E::Ack> {
        self.emit_with_ack(event.event_name(), ArgsOf(&event))
    }
}

impl Broadcast {
    /// As [`emit`](Self::emit), of an event that is a value.
    ///
    /// # Errors
    /// As there.
    ///
    /// ```
    /// use tower_socketio::{EmitEvent, SocketIo};
    ///
    /// #[derive(EmitEvent)]
    /// struct Said(&'static str);
    ///
    /// let io = SocketIo::builder().build();
    /// io.to("lobby").except("muted").emit_event(Said("hello"))?;
    /// # Ok::<(), tower_socketio::EncodeError>(())
    /// ```
    pub fn emit_event(&self, event: impl EmitEvent) -> Result<(), EncodeError> {
        self.emit(event.event_name(), ArgsOf(&event))
    }

    /// As [`emit_with_ack`](Self::emit_with_ack), of an event that is a value and knows its answer.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Panics
    /// As there.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_socketio::{EmitEvent, EncodeError, SocketIo};
    ///
    /// #[derive(EmitEvent)]
    /// #[event(ack = bool)]
    /// struct Poll(&'static str);
    ///
    /// # async fn ask(io: &SocketIo) -> Result<(), EncodeError> {
    /// let votes = io.to("voters").timeout(Duration::from_secs(10)).emit_event_with_ack(Poll("tea?"))?;
    /// println!("{} answers", votes.collect_all().await.answers.len());
    /// # Ok(())
    /// # }
    /// ```
    pub fn emit_event_with_ack<E: EmitEventWithAck>(&self, event: E) -> Result<AckStream<E::Ack>, EncodeError> {
        self.emit_with_ack(event.event_name(), ArgsOf(&event))
    }
}

impl RemoteSocket {
    /// As [`emit`](Self::emit), of an event that is a value.
    ///
    /// # Errors
    /// As there.
    ///
    /// ```
    /// use tower_socketio::{EmitEvent, EncodeError, RemoteSocket};
    ///
    /// #[derive(EmitEvent)]
    /// struct Said(&'static str);
    ///
    /// fn greet(socket: &RemoteSocket) -> Result<(), EncodeError> {
    ///     socket.emit_event(Said("hello"))
    /// }
    /// ```
    pub fn emit_event(&self, event: impl EmitEvent) -> Result<(), EncodeError> {
        self.emit(event.event_name(), ArgsOf(&event))
    }

    /// As [`emit_with_ack`](Self::emit_with_ack), of an event that is a value and knows its answer.
    ///
    /// # Panics
    /// As there.
    ///
    /// ```
    /// use tower_socketio::{AckError, EmitEvent, RemoteSocket};
    ///
    /// #[derive(EmitEvent)]
    /// #[event(ack = String)]
    /// struct AskName;
    ///
    /// async fn ask(socket: &RemoteSocket) -> Result<String, AckError> {
    ///     socket.emit_event_with_ack(AskName).await
    /// }
    /// ```
    pub fn emit_event_with_ack<E: EmitEventWithAck>(&self, event: E) -> AckFuture<E::Ack> {
        self.emit_with_ack(event.event_name(), ArgsOf(&event))
    }
}
