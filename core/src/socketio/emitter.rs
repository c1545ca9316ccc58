//! Emitting to one socket with a modifier: a timeout, volatile, uncompressed.

use std::time::Duration;

use super::{
    ack::AckFuture,
    args::{EmitArgs, EncodeError, FromArgs},
    socket::Socket,
};
use crate::engine::Flags;

/// Emits to one socket, with a modifier: what [`Socket::timeout`], [`Socket::volatile`] and [`Socket::compress`]
/// return.
///
/// ```
/// use std::time::Duration;
/// use tower_socketio::{SocketIo, Socket};
///
/// let io = SocketIo::builder().build();
/// io.of("/").on("ask", async |socket: Socket| {
///     let patient = socket.timeout(Duration::from_secs(60));
///     println!("{:?}", patient.emit_with_ack::<String>("name?", "").await);
/// });
/// ```
#[derive(Debug, Clone, Copy)]
#[must_use = "it does nothing until it emits"]
pub struct Emitter<'a> {
    socket: &'a Socket,
    timeout: Option<Duration>,
    flags: Flags,
}

impl<'a> Emitter<'a> {
    pub(super) fn new(socket: &'a Socket) -> Self {
        Self {
            socket,
            timeout: None,
            flags: Flags::default(),
        }
    }

    /// As [`Socket::timeout`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tower_socketio::{SocketIo, Socket};
    /// # let io = SocketIo::builder().build();
    /// io.of("/").on("ask", async |socket: Socket| {
    ///     let answer = socket.volatile().timeout(Duration::from_secs(5)).emit_with_ack::<u8>("how many?", "").await;
    ///     println!("{answer:?}");
    /// });
    /// ```
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// As [`Socket::volatile`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tower_socketio::{SocketIo, Socket};
    /// # let io = SocketIo::builder().build();
    /// io.of("/").on("move", async |socket: Socket| {
    ///     socket.timeout(Duration::from_secs(5)).volatile().emit("cursor", [10, 20])
    /// });
    /// ```
    pub fn volatile(mut self) -> Self {
        self.flags.volatile = true;
        self
    }

    /// As [`Socket::compress`].
    ///
    /// ```
    /// # use tower_socketio::{SocketIo, Socket};
    /// # let io = SocketIo::builder().build();
    /// io.of("/").on("look", async |socket: Socket| {
    ///     socket.volatile().compress(false).emit("image", bytes::Bytes::from_static(b"\x89PNG"))
    /// });
    /// ```
    pub fn compress(mut self, compress: bool) -> Self {
        self.flags.compress = compress;
        self
    }

    /// As [`Socket::emit`].
    ///
    /// # Errors
    /// As there.
    ///
    /// ```
    /// # use tower_socketio::{SocketIo, Socket};
    /// # let io = SocketIo::builder().build();
    /// io.of("/").on("move", async |socket: Socket| socket.volatile().emit("cursor", [10, 20]));
    /// ```
    pub fn emit(self, event: &str, args: impl EmitArgs) -> Result<(), EncodeError> {
        let frames = self.socket.event(event, &args, self.flags.volatile)?;
        self.socket.send_frames(frames, self.flags)
    }

    /// As [`Socket::emit_with_ack`]. Never volatile, since an answer is waited for.
    ///
    /// # Panics
    /// With a timeout, outside of a tokio runtime with timers.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tower_socketio::{EventError, SocketIo, Socket};
    /// # let io = SocketIo::builder().build();
    /// io.of("/").on("ask", async |socket: Socket| {
    ///     let age: u8 = socket.timeout(Duration::from_secs(5)).emit_with_ack("age?", "").await?;
    ///     println!("{age}");
    ///     Ok::<_, EventError>(())
    /// });
    /// ```
    pub fn emit_with_ack<T: FromArgs>(self, event: &str, args: impl EmitArgs) -> AckFuture<T> {
        let flags = Flags {
            volatile: false,
            ..self.flags
        };
        self.socket.ask(event, &args, flags, self.timeout)
    }
}
