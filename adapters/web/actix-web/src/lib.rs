#![doc = include_str!("../README.md")]

use std::{fmt, rc::Rc};

use actix_web::{
    FromRequest, Handler, HttpRequest, HttpResponse,
    dev::{AppService, HttpServiceFactory},
    web,
};
use futures_util::future::LocalBoxFuture;
use http::Extensions;
pub use tower_socketio::*;

mod convert;
mod stream;
mod websocket;

/// The endpoint at its path, to be registered with an [`App`](actix_web::App), a scope, or a
/// `ServiceConfig`. `io` is a `&SocketIo`, or a `&engine::Engine` for raw Engine.IO.
///
/// Make the `SocketIo` outside of the closure that makes the `App`: that closure runs once for
/// every worker, and all of them shall serve the same one.
///
/// ```
/// use actix_socketio::{SocketIo, Socket};
/// use actix_web::App;
///
/// let io = SocketIo::builder().build();
/// io.of("/").on_connect(async |socket: Socket| println!("{} connected", socket.id()));
///
/// let app = move || App::new().service(actix_socketio::scope(&io));
/// # let _ = app;
/// ```
pub fn scope(io: impl Into<Service>) -> Scope {
    Scope {
        service: io.into(),
        extensions: Vec::new(),
    }
}

/// The endpoint as a service of actix-web, made by [`scope`].
pub struct Scope {
    service: Service,
    extensions: Vec<Extend>,
}

/// Adds to what the handlers of sockets may know of a request.
type Extend = Rc<dyn Fn(HttpRequest, Extensions) -> LocalBoxFuture<'static, actix_web::Result<Extensions>>>;

impl Scope {
    /// Runs a handler of actix-web's on every request that begins a connection, with all of
    /// actix-web's extractors. What it returns, the connection's handlers extract as
    /// [`Extension<T>`](Extension).
    ///
    /// When one of its extractors fails, the client is refused with that error's response.
    ///
    /// ```
    /// use actix_socketio::{Extension, Socket, SocketIo};
    /// use actix_web::{App, HttpRequest};
    ///
    /// #[derive(Clone)]
    /// struct Tenant(String);
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on_connect(async |socket: Socket, Extension(Tenant(name)): Extension<Tenant>| socket.join(name));
    ///
    /// let app = move || {
    ///     App::new().service(
    ///         actix_socketio::scope(&io)
    ///             .extension(async |request: HttpRequest| Tenant(request.connection_info().host().to_owned())),
    ///     )
    /// };
    /// # let _ = app;
    /// ```
    #[must_use]
    pub fn extension<F, Args>(mut self, handler: F) -> Self
    where
        F: Handler<Args, Output: Clone + Send + Sync + 'static>,
        Args: FromRequest + 'static,
    {
        self.extensions.push(Rc::new(move |request, mut extensions| {
            let handler = handler.clone();
            Box::pin(async move {
                let args = Args::extract(&request).await.map_err(Into::into)?;
                extensions.insert(handler.call(args).await);
                Ok(extensions)
            })
        }));
        self
    }

    async fn answer(self: Rc<Self>, request: HttpRequest, payload: web::Payload) -> actix_web::Result<HttpResponse> {
        let mut parts = convert::request(&request)?;
        if self.service.begins_connection(&parts.method, &parts.uri) {
            for extend in &self.extensions {
                parts.extensions = extend(request.clone(), parts.extensions).await?;
            }
        }
        if !Service::asks_for_websocket(&parts) {
            let body = convert::request_body(payload);
            return Ok(convert::response(self.service.handle(parts, body).await));
        }
        Ok(match self.service.accept_websocket(parts).await {
            Ok((response, ticket)) => websocket::response(response, ticket, payload),
            Err(refusal) => convert::response(refusal),
        })
    }
}

impl HttpServiceFactory for Scope {
    fn register(self, config: &mut AppService) {
        let path = self.service.path();
        let patterns = [path.to_owned(), format!("{path}/{{tail:.*}}")];
        let scope = Rc::new(self);
        web::resource(patterns.to_vec())
            .to(move |request, payload| scope.clone().answer(request, payload))
            .register(config);
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}
