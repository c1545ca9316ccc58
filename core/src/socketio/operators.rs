//! The operators of [`Broadcast`](super::broadcast::Broadcast), as methods of what they begin with.

/// Methods of a type that has `fn broadcast(&self) -> Broadcast`. `$nsp` names its namespace in sentences, `$of` in
/// examples.
macro_rules! broadcast_operators {
    ($nsp:literal, $of:literal) => {
        #[doc = concat!("Sends an event to every socket of ", $nsp, ".")]
        ///
        /// # Errors
        /// As [`Broadcast::emit`](crate::Broadcast::emit).
        ///
        /// ```
        /// use tower_socketio::{Args, SocketIo};
        ///
        /// let io = SocketIo::builder().build();
        #[doc = concat!("io", $of, ".emit(\"said\", Args((\"the server\", \"hello\")))?;")]
        #[doc = concat!("assert!(io", $of, ".emit(\"disconnect\", ()).is_err());")]
        /// # Ok::<(), tower_socketio::EncodeError>(())
        /// ```
        pub fn emit(&self, event: &str, args: impl crate::EmitArgs) -> Result<(), crate::EncodeError> {
            self.broadcast().emit(event, args)
        }

        #[doc = concat!("Sends an event that is a value to every socket of ", $nsp, ".")]
        ///
        /// # Errors
        /// As [`Broadcast::emit`](crate::Broadcast::emit).
        ///
        /// ```
        /// use tower_socketio::{EmitEvent, SocketIo};
        ///
        /// #[derive(EmitEvent)]
        /// struct Restarting;
        ///
        /// let io = SocketIo::builder().build();
        #[doc = concat!("io", $of, ".emit_event(Restarting)?;")]
        /// # Ok::<(), tower_socketio::EncodeError>(())
        /// ```
        pub fn emit_event(&self, event: impl crate::EmitEvent) -> Result<(), crate::EncodeError> {
            self.broadcast().emit_event(event)
        }

        #[doc = concat!("Asks every socket of ", $nsp, ", by an event that is a value and knows its answer.")]
        ///
        /// # Errors
        /// As [`Broadcast::emit_with_ack`](crate::Broadcast::emit_with_ack).
        ///
        /// ```
        /// use tower_socketio::{EmitEvent, EncodeError, SocketIo};
        ///
        /// #[derive(EmitEvent)]
        /// #[event(ack = String)]
        /// struct AskName;
        ///
        /// # async fn ask(io: &SocketIo) -> Result<(), EncodeError> {
        #[doc = concat!("let names = io", $of, ".emit_event_with_ack(AskName)?.collect_all().await;")]
        /// println!("{} are here", names.answers.len());
        /// # Ok(())
        /// # }
        /// ```
        pub fn emit_event_with_ack<E: crate::EmitEventWithAck>(
            &self,
            event: E,
        ) -> Result<crate::AckStream<E::Ack>, crate::EncodeError> {
            self.broadcast().emit_event_with_ack(event)
        }

        #[doc = concat!("Sends a `message` to every socket of ", $nsp, ", as [`Socket::send`](crate::Socket::send).")]
        ///
        /// # Errors
        /// As [`Broadcast::emit`](crate::Broadcast::emit).
        ///
        /// ```
        /// let io = tower_socketio::SocketIo::builder().build();
        #[doc = concat!("io", $of, ".send(\"hello\")?;")]
        /// # Ok::<(), tower_socketio::EncodeError>(())
        /// ```
        pub fn send(&self, args: impl crate::EmitArgs) -> Result<(), crate::EncodeError> {
            self.broadcast().send(args)
        }

        #[doc = concat!("Asks every socket of ", $nsp, ": see [`Broadcast::emit_with_ack`](crate::Broadcast::emit_with_ack).")]
        ///
        /// # Errors
        /// As there.
        ///
        /// ```
        /// # use tower_socketio::{EncodeError, SocketIo};
        /// # async fn ask(io: &SocketIo) -> Result<(), EncodeError> {
        #[doc = concat!("let names = io", $of, ".emit_with_ack::<String>(\"name?\", \"\")?.collect_all().await;")]
        /// println!("{} are here", names.answers.len());
        /// # Ok(())
        /// # }
        /// ```
        pub fn emit_with_ack<T: crate::FromArgs>(
            &self,
            event: &str,
            args: impl crate::EmitArgs,
        ) -> Result<crate::AckStream<T>, crate::EncodeError> {
            self.broadcast().emit_with_ack(event, args)
        }

        #[doc = concat!("Everybody in a room of ", $nsp, ", or in any of several. A socket's id is the name of its own room.")]
        ///
        /// ```
        /// let io = tower_socketio::SocketIo::builder().build();
        #[doc = concat!("io", $of, ".to(\"lobby\").emit(\"said\", \"hello\")?;")]
        /// # Ok::<(), tower_socketio::EncodeError>(())
        /// ```
        pub fn to<M>(&self, rooms: impl crate::IntoRooms<M>) -> crate::Broadcast {
            self.broadcast().to(rooms)
        }

        /// As [`to`](Self::to): Socket.IO's `in`, which is a keyword of Rust.
        ///
        /// ```
        /// let io = tower_socketio::SocketIo::builder().build();
        #[doc = concat!("io", $of, ".within(\"lobby\").sockets_join(\"game 1\");")]
        /// ```
        pub fn within<M>(&self, rooms: impl crate::IntoRooms<M>) -> crate::Broadcast {
            self.to(rooms)
        }

        #[doc = concat!("Everybody in ", $nsp, " but those in a room, or in any of several.")]
        ///
        /// ```
        /// let io = tower_socketio::SocketIo::builder().build();
        #[doc = concat!("io", $of, ".except(\"muted\").emit(\"said\", \"hello\")?;")]
        /// # Ok::<(), tower_socketio::EncodeError>(())
        /// ```
        pub fn except<M>(&self, rooms: impl crate::IntoRooms<M>) -> crate::Broadcast {
            self.broadcast().except(rooms)
        }

        #[doc = concat!("Everybody in ", $nsp, " on this server. The same as everybody, as long as there is one server.")]
        ///
        /// ```
        /// let io = tower_socketio::SocketIo::builder().build();
        #[doc = concat!("io", $of, ".local().emit(\"restarting\", \"in a minute\")?;")]
        /// # Ok::<(), tower_socketio::EncodeError>(())
        /// ```
        pub fn local(&self) -> crate::Broadcast {
            self.broadcast().local()
        }

        #[doc = concat!("Everybody in ", $nsp, " who can take it at once: see [`Broadcast::volatile`](crate::Broadcast::volatile).")]
        ///
        /// ```
        /// let io = tower_socketio::SocketIo::builder().build();
        #[doc = concat!("io", $of, ".volatile().emit(\"cursor\", [10, 20])?;")]
        /// # Ok::<(), tower_socketio::EncodeError>(())
        /// ```
        pub fn volatile(&self) -> crate::Broadcast {
            self.broadcast().volatile()
        }

        #[doc = concat!("Everybody in ", $nsp, ", compressed or not: see [`Broadcast::compress`](crate::Broadcast::compress).")]
        ///
        /// ```
        /// let io = tower_socketio::SocketIo::builder().build();
        #[doc = concat!("io", $of, ".compress(false).emit(\"image\", bytes::Bytes::from_static(b\"\\x89PNG\"))?;")]
        /// # Ok::<(), tower_socketio::EncodeError>(())
        /// ```
        pub fn compress(&self, compress: bool) -> crate::Broadcast {
            self.broadcast().compress(compress)
        }

        #[doc = concat!("Everybody in ", $nsp, ", whose acks are waited for that long.")]
        ///
        /// ```
        /// # use tower_socketio::{EncodeError, SocketIo};
        /// use std::time::Duration;
        ///
        /// # fn ask(io: &SocketIo) -> Result<(), EncodeError> {
        #[doc = concat!("let names = io", $of, ".timeout(Duration::from_secs(5)).emit_with_ack::<String>(\"name?\", \"\")?;")]
        /// # Ok(())
        /// # }
        /// ```
        pub fn timeout(&self, timeout: std::time::Duration) -> crate::Broadcast {
            self.broadcast().timeout(timeout)
        }

        #[doc = concat!("Finds every socket of ", $nsp, ", on all servers.")]
        ///
        /// ```
        /// # async fn print(io: &tower_socketio::SocketIo) {
        #[doc = concat!("for socket in io", $of, ".fetch_sockets().await {")]
        ///     println!("{} is in {:?}", socket.id(), socket.rooms());
        /// }
        /// # }
        /// ```
        pub async fn fetch_sockets(&self) -> Vec<crate::RemoteSocket> {
            self.broadcast().fetch_sockets().await
        }

        #[doc = concat!("Makes every socket of ", $nsp, " enter a room, or several.")]
        ///
        /// ```
        /// let io = tower_socketio::SocketIo::builder().build();
        #[doc = concat!("io", $of, ".sockets_join([\"all\", \"today\"]);")]
        /// ```
        pub fn sockets_join<M>(&self, rooms: impl crate::IntoRooms<M>) {
            self.broadcast().sockets_join(rooms);
        }

        #[doc = concat!("Makes every socket of ", $nsp, " leave a room, or several.")]
        ///
        /// ```
        /// let io = tower_socketio::SocketIo::builder().build();
        #[doc = concat!("io", $of, ".sockets_leave(\"today\");")]
        /// ```
        pub fn sockets_leave<M>(&self, rooms: impl crate::IntoRooms<M>) {
            self.broadcast().sockets_leave(rooms);
        }

        #[doc = concat!("Disconnects every socket of ", $nsp, ": see [`Broadcast::disconnect_sockets`](crate::Broadcast::disconnect_sockets).")]
        ///
        /// ```
        /// let io = tower_socketio::SocketIo::builder().build();
        #[doc = concat!("io", $of, ".disconnect_sockets(true);")]
        /// ```
        pub fn disconnect_sockets(&self, close: bool) {
            self.broadcast().disconnect_sockets(close);
        }
    };
}

pub(crate) use broadcast_operators;
