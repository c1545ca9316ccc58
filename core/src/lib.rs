#![doc = include_str!("../README.md")]

mod adapter;
#[cfg(feature = "admin")]
pub mod admin;
#[cfg(feature = "__bench")]
#[doc(hidden)]
#[allow(missing_docs, clippy::missing_panics_doc, reason = "for benchmarks only")]
pub mod bench;
mod client_bundle;
mod compression;
mod cookie;
mod cors;
#[cfg(any(feature = "admin", feature = "msgpack"))]
mod date;
pub mod engine;
mod error;
mod flash_policy;
#[cfg(any(fuzzing, test))]
#[doc(hidden)]
#[allow(missing_docs, clippy::missing_panics_doc, reason = "for fuzzers only")]
pub mod fuzzing;
#[cfg(any(doc, doctest))]
pub mod guide;
mod handshake;
mod headers;
pub mod observability;
pub mod parser;
mod server;
mod service;
mod shutdown;
mod socketio;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "typescript")]
pub mod typescript;
mod upgraded;

/// What the code that `#[namespace]` writes calls.
#[doc(hidden)]
pub mod __private {
    pub use crate::socketio::controller::{
        Connected, MadeByDefault, answer, in_connect, in_disconnect, in_event, keep, keep_or_make, text_or_json,
    };
    pub use crate::socketio::emit_event::argument;
    pub use {bytes::Bytes, serde};
}

pub use tower_socketio_macros::{EmitEvent, namespace, namespace_methods};

pub use self::engine::PerMessageDeflate;
pub use self::{
    adapter::room_events::RoomEvent,
    client_bundle::ClientBundleError,
    cookie::{Cookie, Priority, SameSite},
    cors::Cors,
    engine::{
        CloseReason, ConnectionError, ConnectionErrorKind, Generation, ResponseBody, Sid, Ticket, Transport,
        WebTransportTicket,
    },
    error::{AckError, EventError, Failure, FailureKind, Refusal, Rejection},
    flash_policy::serve_flash_policy,
    handshake::{Handshake, PeerAddr},
    headers::Headers,
    server::{SocketIo, SocketIoBuilder},
    service::{Layer, Layered, LayeredBody, LayeredFuture, ResponseFuture, Service},
    shutdown::Drain,
    socketio::{
        ack::{Ack, AckFuture, AckSender},
        acks::{AckStream, Acks},
        acl::{Acl, SocketAcl},
        args::{Args, ArgsError, EmitArgs, EncodeError, FromArgs, RawArgs},
        broadcast::Broadcast,
        call::{Call, Next, Occasion},
        client::Client,
        controller::{Controller, This},
        dynamic::{NamespaceRequest, Param},
        emit_event::{EmitEvent, EmitEventWithAck},
        emitter::Emitter,
        extract::{
            Auth, ConnectContext, Context, Data, DisconnectContext, EventContext, EventName, Extension, Extract,
            Recovered, State,
        },
        handler::{ConnectHandler, ConnectResponse, DisconnectHandler, EventHandler, EventResponse},
        namespace::{Namespace, Registration},
        observe::PassingEvent,
        packet_middleware::{Packet, PacketMiddleware, PacketResponse},
        rate_limit::{Excess, RateLimit},
        reason::DisconnectReason,
        recovery::Recovery,
        remote_socket::RemoteSocket,
        rooms::IntoRooms,
        session::Session,
        socket::Socket,
    },
};
