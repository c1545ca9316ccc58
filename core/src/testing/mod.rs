//! Clients in memory, for tests of an application's handlers: no ports, no browser. Feature `testing`, which the
//! adapters have, too.
//!
//! A client goes through the whole server as a released one does, of any [`Generation`]: handshake,
//! WebSocket, packets, which are those of the server's [parser](crate::parser). It answers heartbeats by itself. Whatever it waits for must come within a
//! [time limit](ClientBuilder::time_limit), or a [`TestError`] says what did not come and what came instead.
//!
//! In virtual time (`start_paused`, of tokio's feature `test-util`) a test takes no longer than its work: waits end
//! when all is idle, minutes of timers and heartbeats pass at once.
//!
//! ```toml
//! [dev-dependencies]
//! tokio = { version = "1", features = ["macros", "rt", "test-util"] }
//! tower-socketio = { version = "0.1", features = ["testing"] }
//! ```
//!
//! ```
//! use tower_socketio::{Data, EventError, Socket, SocketIo, testing};
//!
//! // The application.
//! fn mount(io: &SocketIo) {
//!     io.of("/chat")
//!         .on("join", async |socket: Socket, Data(room): Data<String>| socket.join(room))
//!         .on("say", async |socket: Socket, Data(text): Data<String>| {
//!             socket.to("lobby").emit("said", text)?;
//!             Ok::<_, EventError>(())
//!         });
//! }
//!
//! # const _: &str = stringify! {
//! #[tokio::test(start_paused = true)]
//! # };
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! #     what_is_said_is_heard_in_the_lobby().await
//! # }
//! async fn what_is_said_is_heard_in_the_lobby() -> Result<(), Box<dyn std::error::Error>> {
//!     let io = SocketIo::builder().build();
//!     mount(&io);
//!     let mut alice = testing::connect(&io, "/chat").await?;
//!     let mut bob = testing::connect(&io, "/chat").await?;
//!     bob.emit("join", "lobby")?;
//!     bob.flush().await?; // the server has read it
//!
//!     alice.emit("say", "hi")?;
//!     assert_eq!(bob.recv::<String>("said").await?, "hi");
//!     alice.expect_nothing().await?;
//!     Ok(())
//! }
//! ```

#[cfg(doc)]
use crate::engine::Generation;
use crate::server::SocketIo;

mod builder;
mod client;
mod codec;
mod error;
mod inbox;
mod link;
mod wire;

pub use self::{
    builder::ClientBuilder,
    client::{Event, Question, TestClient},
    error::{Parting, TestError},
};

/// Connects a client of today to a namespace, over a WebSocket.
///
/// # Errors
/// When the connection or the namespace is refused, or nothing answers.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tower_socketio::testing::TestError> {
/// use tower_socketio::{SocketIo, testing};
///
/// let io = SocketIo::builder().build();
/// let alice = testing::connect(&io, "/").await?;
/// assert_eq!(io.of("/").sockets_count(), 1);
/// # Ok(())
/// # }
/// ```
pub async fn connect(io: &SocketIo, namespace: &str) -> Result<TestClient, TestError> {
    client(io).connect(namespace).await
}

/// A client that differs from that in what the builder says.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tower_socketio::testing::TestError> {
/// use tower_socketio::{Generation, SocketIo, testing};
///
/// let io = SocketIo::builder().build();
/// let bob = testing::client(&io).generation(Generation::Eio3).connect("/").await?;
/// # Ok(())
/// # }
/// ```
pub fn client(io: &SocketIo) -> ClientBuilder {
    ClientBuilder::new(io)
}
