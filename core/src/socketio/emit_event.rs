//! Emitting by value: an event that knows its name and its arguments.

use bytes::Bytes;

use super::{
    args::{EmitArgs, EncodeError, private},
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
}
