//! The tower [`Service`] of an endpoint and the [`Layer`] that puts it in front of another service.
//!
//! Decides whether a request is ours and what follows the endpoint's path in it; takes WebSockets
//! over from hyper. The rest is [`engine`](crate::engine)'s.

use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use futures_util::{FutureExt as _, future::OptionFuture};
use http::{Method, Request, Response, StatusCode, Uri, request::Parts};
use http_body::{Body, Frame, SizeHint};
use hyper::upgrade::OnUpgrade;
use pin_project_lite::pin_project;
use tower_service::Service as TowerService;

use crate::{
    engine::{Engine, ResponseBody, Ticket, WebTransportTicket, asks_for_websocket},
    upgraded,
};

/// The future of a [`Service`]'s response. It never fails.
///
/// ```
/// use tower_socketio::{ResponseBody, ResponseFuture};
///
/// async fn status(future: ResponseFuture) -> http::StatusCode {
///     let Ok(response) = future.await;
///     response.status()
/// }
/// ```
pub type ResponseFuture = Pin<Box<dyn Future<Output = Result<Response<ResponseBody>, Infallible>> + Send>>;

/// The endpoint as a tower service, wherever it is mounted; and as the plain functions by which
/// adapters mount it on web frameworks that are not tower's.
///
/// It answers every request it is given, and is always ready. What follows the endpoint's path in
/// a request's URI tells what is asked for; a router may have stripped that path or a prefix of it.
/// A WebSocket's stream is taken over from hyper, in a task of the current tokio runtime: serve the
/// connection with upgrades.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tower::ServiceExt as _;
/// use tower_socketio::SocketIo;
///
/// let service = SocketIo::builder().build().service();
/// let request = http::Request::get("/socket.io/?EIO=4&transport=polling").body(String::new())?;
/// let response = service.oneshot(request).await?;
/// assert_eq!(response.status(), 200);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Service {
    engine: Engine,
}

impl Service {
    pub(crate) fn new(engine: Engine) -> Self {
        Self { engine }
    }

    /// The path of the endpoint, without a slash at its end.
    ///
    /// ```
    /// use tower_socketio::SocketIo;
    ///
    /// assert_eq!(SocketIo::builder().path("/live").build().service().path(), "/live");
    /// ```
    pub fn path(&self) -> &str {
        &self.engine.config().path
    }

    /// Whether a request begins a connection, rather than being one of those that an earlier one
    /// has begun, or a preflight: when middleware need look at who it is from, and what it finds is
    /// kept in the [`Handshake`](crate::Handshake).
    ///
    /// ```
    /// use tower_socketio::SocketIo;
    ///
    /// let service = SocketIo::builder().build().service();
    /// let begins = |uri: &str| service.begins_connection(&http::Method::GET, &uri.parse().unwrap());
    /// assert!(begins("/socket.io/?EIO=4&transport=polling"));
    /// assert!(!begins("/socket.io/?EIO=4&transport=polling&sid=abc"));
    /// ```
    pub fn begins_connection(&self, method: &Method, uri: &Uri) -> bool {
        // A WebSocket over HTTP/2 is a CONNECT.
        matches!(*method, Method::GET | Method::CONNECT) && self.engine.begins_connection(uri)
    }

    /// Whether a request wants to become a WebSocket, by HTTP/1.1 (RFC 6455) or HTTP/2 (RFC 8441):
    /// rightly or not, it is for [`accept_websocket`](Self::accept_websocket) to answer.
    ///
    /// ```
    /// use tower_socketio::Service;
    ///
    /// let (parts, ()) = http::Request::get("/socket.io/").body(())?.into_parts();
    /// assert!(!Service::asks_for_websocket(&parts));
    /// # Ok::<(), http::Error>(())
    /// ```
    pub fn asks_for_websocket(parts: &Parts) -> bool {
        asks_for_websocket(parts)
    }

    /// Answers a request that is no WebSocket's: for adapters to web frameworks that are not
    /// tower's.
    ///
    /// A poll is answered when there is something to say. Dropping this future, or the response's
    /// body before it was read, ends the client's session.
    ///
    /// # Panics
    /// When there is no current tokio runtime, unless the server has
    /// [its own](crate::SocketIoBuilder::runtime).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), http::Error> {
    /// use tower_socketio::SocketIo;
    ///
    /// let service = SocketIo::builder().build().service();
    /// let request = http::Request::get("/socket.io/?EIO=4&transport=polling").body(String::new())?;
    /// let (parts, body) = request.into_parts();
    /// let response = service.handle(parts, body).await;
    /// assert_eq!(response.status(), 200);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn handle<B>(&self, parts: Parts, body: B) -> Response<ResponseBody>
    where
        B: Body<Data: Buf>,
    {
        self.engine.handle(Box::new(parts), body).await
    }

    /// Accepts a request that [asks for a WebSocket](Self::asks_for_websocket): for adapters to web
    /// frameworks that are not tower's. Send the response, then [drive](Ticket::drive) the ticket
    /// with the stream that the connection has become.
    ///
    /// # Errors
    /// The response that refuses it, to be sent instead: 503 while the server closes, else 400.
    ///
    /// ```
    /// use tower_socketio::SocketIo;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), http::Error> {
    /// let service = SocketIo::builder().build().service();
    /// let request = http::Request::get("/socket.io/?EIO=4&transport=websocket")
    ///     .header("connection", "Upgrade")
    ///     .header("upgrade", "websocket")
    ///     .header("sec-websocket-version", "13")
    ///     .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
    ///     .body(())?;
    /// let (response, ticket) = service.accept_websocket(request.into_parts().0).await.expect("a WebSocket");
    /// assert_eq!(response.status(), 101);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn accept_websocket(
        &self,
        parts: Parts,
    ) -> Result<(Response<ResponseBody>, Ticket), Response<ResponseBody>> {
        self.engine.accept_websocket(Box::new(parts)).await
    }

    /// Accepts a request for a session of WebTransport, a CONNECT over HTTP/3: for listeners. Accept the
    /// session, then [drive](WebTransportTicket::drive) the ticket with the first bidirectional
    /// stream that the client opens.
    ///
    /// # Errors
    /// The status that refuses it: 404 for another path than the endpoint's, 503 while the server closes,
    /// 403 for an origin that may not connect, else 400, also where
    /// [`WebTransport`](crate::Transport::WebTransport) is not among the
    /// [`transports`](crate::SocketIoBuilder::transports).
    ///
    /// ```
    /// use tower_socketio::{SocketIo, Transport};
    ///
    /// let io = SocketIo::builder().transports([Transport::Polling, Transport::WebTransport]).build();
    /// let request = |uri| http::Request::connect(uri).body(()).map(|request| request.into_parts().0);
    /// let session = io.service().accept_webtransport(request("https://example.com/socket.io/?EIO=4")?);
    /// assert!(session.is_ok());
    /// let session = io.service().accept_webtransport(request("https://example.com/other")?);
    /// assert_eq!(session.unwrap_err(), 404);
    /// # Ok::<(), http::Error>(())
    /// ```
    pub fn accept_webtransport(&self, parts: Parts) -> Result<WebTransportTicket, StatusCode> {
        match parts.uri.path().strip_prefix(self.path()) {
            Some("" | "/") => self.engine.accept_webtransport(parts),
            _ => Err(StatusCode::NOT_FOUND),
        }
    }

    fn answer<B>(&self, request: Request<B>) -> ResponseFuture
    where
        B: Body<Data: Buf + Send> + Send + 'static,
    {
        let (mut parts, body) = request.into_parts();
        let upgrade = parts.extensions.remove::<OnUpgrade>();
        let (service, parts) = (self.clone(), Box::new(parts));
        if !asks_for_websocket(&parts) {
            return Box::pin(async move { Ok(service.engine.handle(parts, body).await) });
        }
        drop(body);
        Box::pin(async move { Ok(service.open_websocket(parts, upgrade).await) })
    }

    async fn open_websocket(&self, parts: Box<Parts>, upgrade: Option<OnUpgrade>) -> Response<ResponseBody> {
        match self.engine.accept_websocket(parts).await {
            Ok((response, ticket)) => {
                // Without it the server below cannot hand over its stream; then the ticket's drop
                // ends what had begun.
                if let Some(upgrade) = upgrade {
                    // Not an async block: that would have room for both stages at once.
                    tokio::spawn(upgrade.then(|io| {
                        let drive = io
                            .inspect_err(cannot_be_taken_over)
                            .map(|io| upgraded::drive(ticket, io));
                        OptionFuture::from(drive.ok())
                    }));
                }
                response
            }
            Err(response) => response,
        }
    }
}

/// A client that has gone is no news; a server that is set up without upgrades is.
fn cannot_be_taken_over(error: &hyper::Error) {
    if error.is_user() {
        tracing::warn!("WebSockets fail: the HTTP server must serve connections with upgrades ({error})");
    }
}

impl<B> TowerService<Request<B>> for Service
where
    B: Body<Data: Buf + Send> + Send + 'static,
{
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture {
        self.answer(request)
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("path", &self.path())
            .finish_non_exhaustive()
    }
}

/// Puts the endpoint in front of another service, which gets every request that is not ours.
///
/// A request is ours when its path is the endpoint's, or begins with it and a slash. Readiness and
/// errors are the other service's.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tower::{Layer as _, ServiceExt as _, service_fn};
/// use tower_socketio::SocketIo;
///
/// let io = SocketIo::builder().build();
/// let site = service_fn(async |_| Ok::<_, std::io::Error>(http::Response::new(String::from("hello"))));
/// let request = http::Request::get("/").body(String::new())?;
/// let response = io.layer().layer(site).oneshot(request).await?;
/// assert_eq!(response.status(), 200);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Layer {
    service: Service,
}

impl Layer {
    pub(crate) fn new(engine: Engine) -> Self {
        Self {
            service: Service::new(engine),
        }
    }
}

impl<S> tower_layer::Layer<S> for Layer {
    type Service = Layered<S>;

    fn layer(&self, inner: S) -> Layered<S> {
        Layered {
            service: self.service.clone(),
            inner,
        }
    }
}

/// A service with the endpoint in front of it, made by a [`Layer`].
///
/// ```
/// use tower::Layer as _;
/// use tower_socketio::{Layered, SocketIo};
///
/// fn in_front_of<S>(site: S, io: &SocketIo) -> Layered<S> {
///     io.layer().layer(site)
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Layered<S> {
    service: Service,
    inner: S,
}

impl<S, B, C> TowerService<Request<B>> for Layered<S>
where
    S: TowerService<Request<B>, Response = Response<C>>,
    B: Body<Data: Buf + Send> + Send + 'static,
{
    type Response = Response<LayeredBody<C>>;
    type Error = S::Error;
    type Future = LayeredFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let ours = request
            .uri()
            .path()
            .strip_prefix(self.service.path())
            .is_some_and(|tail| tail.is_empty() || tail.starts_with('/'));
        if ours {
            LayeredFuture::Ours {
                future: self.service.answer(request),
            }
        } else {
            LayeredFuture::Inner {
                future: self.inner.call(request),
            }
        }
    }
}

pin_project! {
    /// The future of a [`Layered`] service: that of the endpoint's response, or the other service's. It
    /// fails where the latter does.
    ///
    /// ```
    /// # use http::{Method, Request, Response, StatusCode, Uri, request::Parts};
    /// use tower::Service;
    /// use tower_socketio::{Layered, LayeredFuture};
    ///
    /// fn call<S>(app: &mut Layered<S>, request: Request<String>) -> LayeredFuture<S::Future>
    /// where
    ///     S: Service<Request<String>, Response = Response<String>>,
    /// {
    ///     app.call(request)
    /// }
    /// ```
    #[project = FutureProjection]
    pub enum LayeredFuture<F> {
        #[doc(hidden)]
        Ours { future: ResponseFuture },
        #[doc(hidden)]
        Inner { #[pin] future: F },
    }
}

impl<F, C, E> Future for LayeredFuture<F>
where
    F: Future<Output = Result<Response<C>, E>>,
{
    type Output = Result<Response<LayeredBody<C>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            FutureProjection::Ours { future } => future.as_mut().poll(cx).map(|response| {
                let Ok(response) = response;
                Ok(response.map(|body| LayeredBody::Ours { body }))
            }),
            FutureProjection::Inner { future } => future
                .poll(cx)
                .map_ok(|response| response.map(|body| LayeredBody::Inner { body })),
        }
    }
}

impl<F> fmt::Debug for LayeredFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LayeredFuture").finish_non_exhaustive()
    }
}

pin_project! {
    /// The body of a [`Layered`] service's response: the endpoint's, or the other service's.
    ///
    /// ```
    /// use http_body::Body as _;
    /// use tower_socketio::LayeredBody;
    ///
    /// assert!(LayeredBody::<String>::default().is_end_stream());
    /// ```
    #[project = BodyProjection]
    #[derive(Debug)]
    pub enum LayeredBody<B> {
        #[doc(hidden)]
        Ours { body: ResponseBody },
        #[doc(hidden)]
        Inner { #[pin] body: B },
    }
}

/// Empty: middleware makes responses of its own of it.
impl<B> Default for LayeredBody<B> {
    fn default() -> Self {
        let body = ResponseBody::default();
        Self::Ours { body }
    }
}

impl<B: Body<Data = Bytes>> Body for LayeredBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project() {
            BodyProjection::Ours { body } => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
            BodyProjection::Inner { body } => body.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Ours { body } => body.is_end_stream(),
            Self::Inner { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Ours { body } => body.size_hint(),
            Self::Inner { body } => body.size_hint(),
        }
    }
}
