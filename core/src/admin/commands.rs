//! What the page asks the server to do.

use std::{fmt::Display, sync::Arc};

use serde::de::DeserializeOwned;

use crate::{
    error::EventError,
    server::{Core, SocketIo},
    socketio::{args::RawArgs, broadcast::Broadcast, namespace::Namespace},
};

/// Does what pages in that namespace ask for.
pub(super) fn register(io: &SocketIo, pages: &Namespace) {
    let on = |event: &str, act: fn(&Arc<Core>, &RawArgs) -> Result<(), EventError>| {
        let core = io.core.clone();
        pages.on(event, move |args: RawArgs| {
            let done = act(&core, &args);
            async move { done }
        });
    };
    on("emit", |core, args| {
        let event: String = required(args, 2, "the name of the event")?;
        whom(core, args, 1)?.emit(&event, args.skip(3)).map_err(told)
    });
    on("join", |core, args| {
        let room: String = required(args, 1, "the room")?;
        whom(core, args, 2)?.sockets_join(room);
        Ok(())
    });
    on("leave", |core, args| {
        let room: String = required(args, 1, "the room")?;
        whom(core, args, 2)?.sockets_leave(room);
        Ok(())
    });
    on("_disconnect", |core, args| {
        let close = optional(args, 1)?.unwrap_or(false);
        whom(core, args, 2)?.disconnect_sockets(close);
        Ok(())
    });
}

/// The sockets of the namespace that the first argument names: those of a room, or with that id, or, where none is
/// said, all.
fn whom(core: &Arc<Core>, args: &RawArgs, filter: usize) -> Result<Broadcast, EventError> {
    let path: String = required(args, 0, "the namespace")?;
    // Not made: what a page asks for brings nothing into being.
    let namespace = core.namespace(&path);
    let namespace = namespace.ok_or_else(|| EventError::new(format!("there is no namespace {path:?}")))?;
    let all = Namespace::new(namespace).broadcast();
    let room = optional::<String>(args, filter)?;
    Ok(match room.filter(|room| !room.is_empty()) {
        Some(room) => all.to(room),
        None => all,
    })
}

fn required<T: DeserializeOwned>(args: &RawArgs, index: usize, what: &str) -> Result<T, EventError> {
    let missing = || EventError::new(format!("{what} is missing: it is argument {}", index + 1));
    optional(args, index)?.ok_or_else(missing)
}

/// Left out, or `null`, or that.
fn optional<T: DeserializeOwned>(args: &RawArgs, index: usize) -> Result<Option<T>, EventError> {
    let value: Option<Option<T>> = args.get(index).map_err(told)?;
    Ok(value.flatten())
}

/// What the page did wrong is said to it.
fn told(error: impl Display) -> EventError {
    EventError::new(error.to_string())
}
