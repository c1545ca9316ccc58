//! How a client is let into a namespace: middleware in order, then the connect handler.

use super::{extract::ConnectContext, handler::HandlerFuture, socket::Socket};
use crate::error::FailureKind;

/// What decides whether the socket is let in, and lets it in. `None`: nothing stands in its way.
pub(crate) fn connect(socket: &Socket) -> Option<HandlerFuture> {
    let (middleware, handler, is_wrapped) = {
        let handlers = socket.shared().handlers();
        (
            handlers.middleware.clone(),
            handlers.connect.clone(),
            !handlers.wrappers.is_empty(),
        )
    };
    if middleware.is_empty() && handler.is_none() && !is_wrapped {
        return None;
    }
    let skips_middleware = socket.recovered()
        && socket
            .shared()
            .history
            .as_ref()
            .is_some_and(|history| history.skips_middlewares());
    let middleware = if skips_middleware { Vec::new() } else { middleware };
    let socket = socket.clone();
    Some(Box::pin(async move {
        let context = ConnectContext { socket: &socket };
        for middleware in middleware {
            if socket.left().is_some() {
                return Ok(());
            }
            let allowed = middleware.call(&context).map_err(FailureKind::Rejected)?;
            allowed.await.map_err(FailureKind::Refused)?;
        }
        if socket.left().is_some() {
            return Ok(());
        }
        let Some(handler) = handler else {
            socket.accept();
            return Ok(());
        };
        let connected = handler.call(&context).map_err(FailureKind::Rejected)?;
        if !handler.may_refuse() && !socket.accept() {
            // Called, it has sent the client away.
            return Ok(());
        }
        connected.await.map_err(FailureKind::Refused)?;
        socket.accept();
        Ok(())
    }))
}
