//! A Socket.IO server as a tower service: namespaces, events, acks, rooms and broadcast, for any
//! Rust web framework.
//!
//! ```
//! use tower_socketio::{Ack, Data, SocketIo, Socket};
//!
//! let io = SocketIo::builder().build();
//! io.of("/chat")
//!     .on_connect(async |socket: Socket| socket.join("lobby"))
//!     .on("say", async |socket: Socket, Data(text): Data<String>| {
//!         socket.to("lobby").emit("said", &text)?;
//!         Ok::<_, tower_socketio::EventError>(Ack(true))
//!     });
//!
//! // Any task may emit.
//! io.of("/chat").to("lobby").emit("said", "the server is up")?;
//!
//! // A tower service and a layer; the adapters' crates mount it in one line.
//! let service = io.service();
//! # Ok::<(), tower_socketio::EncodeError>(())
//! ```
//!
//! A program built with `panic = "abort"` loses the containment of panics: a handler that panics
//! then ends the server.

mod adapter;
mod client_bundle;
mod cors;
pub mod engine;
mod error;
mod handshake;
mod headers;
mod server;
mod service;
mod socketio;

pub use self::{
    client_bundle::ClientBundleError,
    cors::Cors,
    engine::{CloseReason, Generation, ResponseBody, Sid, Ticket, Transport},
    error::{AckError, EventError, Failure, FailureKind, Refusal, Rejection},
    handshake::{Handshake, PeerAddr},
    headers::Headers,
    server::{SocketIo, SocketIoBuilder},
    service::{Layer, Layered, LayeredFuture, ResponseFuture, Service},
    socketio::{
        ack::{Ack, AckFuture, AckSender},
        args::{Args, ArgsError, EmitArgs, EncodeError, FromArgs, RawArgs},
        broadcast::Broadcast,
        extract::{
            Auth, ConnectContext, Context, Data, DisconnectContext, EventContext, EventName, Extension, Extract, State,
        },
        handler::{ConnectHandler, ConnectResponse, DisconnectHandler, EventHandler, EventResponse},
        namespace::{Namespace, Registration},
        reason::DisconnectReason,
        socket::{Emitter, Socket},
    },
};
