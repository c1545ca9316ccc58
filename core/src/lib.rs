#![doc = include_str!("../README.md")]

mod adapter;
mod client_bundle;
mod cors;
pub mod engine;
mod error;
mod flash_policy;
#[cfg(any(fuzzing, test))]
#[doc(hidden)]
#[allow(missing_docs, clippy::missing_panics_doc, reason = "for fuzzers only")]
pub mod fuzzing;
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
    flash_policy::serve_flash_policy,
    handshake::{Handshake, PeerAddr},
    headers::Headers,
    server::{SocketIo, SocketIoBuilder},
    service::{Layer, Layered, LayeredBody, LayeredFuture, ResponseFuture, Service},
    socketio::{
        ack::{Ack, AckFuture, AckSender},
        args::{Args, ArgsError, EmitArgs, EncodeError, FromArgs, RawArgs},
        broadcast::Broadcast,
        emitter::Emitter,
        extract::{
            Auth, ConnectContext, Context, Data, DisconnectContext, EventContext, EventName, Extension, Extract, State,
        },
        handler::{ConnectHandler, ConnectResponse, DisconnectHandler, EventHandler, EventResponse},
        namespace::{Namespace, Registration},
        reason::DisconnectReason,
        socket::Socket,
    },
};
