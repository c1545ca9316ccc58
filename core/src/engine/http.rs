//! Requests in, responses out: the reference server's statuses, headers and messages.
//!
//! Decides what a request is (by [`route`](super::route)) and which part of the engine answers
//! it; what a session does is [`transport`](super::transport)'s.

use std::{
    convert::Infallible,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use http::{
    HeaderValue, Method, Response, StatusCode, Uri,
    header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, X_XSS_PROTECTION},
    request::Parts,
};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::ext::Protocol;

use super::{
    Engine, Shared,
    codec::Posted,
    connection::Connection,
    driver::Life,
    generation::Generation,
    reason::CloseReason,
    route::{Dress, Refusal, Route, Session},
    transport::{
        Transport, jsonp,
        polling::{self, Carrier, Payload},
        websocket::{
            handshake::{self, Opening},
            ticket::{Purpose, Ticket},
        },
    },
};
use crate::{cors::Verdict, handshake::Handshake};

/// The body of a response: a few bytes, or the answer to a poll. An answer that is dropped before it
/// was read ends the client's session, since its messages are lost.
///
/// ```
/// use http_body::Body as _;
/// use tower_socketio::ResponseBody;
///
/// assert!(ResponseBody::default().is_end_stream());
/// ```
#[derive(Debug, Default)]
pub struct ResponseBody(Content);

#[derive(Debug, Default)]
enum Content {
    #[default]
    Empty,
    Bytes(Bytes),
    /// Ends the session when it is dropped before it was written.
    Payload(Payload),
}

impl Engine {
    /// Whether a request belongs to no session yet.
    pub(crate) fn begins_connection(&self, uri: &Uri) -> bool {
        Route::read(uri.query(), &self.0.config).is_ok_and(|route| route.session == Session::New)
    }

    /// Answers a request that is no WebSocket's. `tail` is what follows the endpoint's path.
    pub(crate) async fn handle<B>(&self, tail: &str, parts: Parts, body: B) -> Response<ResponseBody>
    where
        B: Body<Data: Buf>,
    {
        let config = &self.0.config;
        if let Some(preflight) = config.cors.preflight(&parts) {
            return preflight.map(|()| ResponseBody::default());
        }
        let verdict = config.cors.check(&parts);
        let file = config
            .client_bundle
            .as_ref()
            .and_then(|bundle| bundle.respond(tail, &parts.method, &parts.headers));
        let mut response = if let Some(file) = file {
            file.map(|bytes| ResponseBody(Content::Bytes(bytes)))
        } else {
            match self.0.answer(parts, body, &verdict).await {
                Ok(response) => response,
                Err(refusal) => refused(refusal),
            }
        };
        config.cors.write_headers(&verdict, response.headers_mut());
        response
    }

    pub(crate) fn accept_websocket(
        &self,
        mut parts: Parts,
    ) -> Result<(Response<ResponseBody>, Ticket), Response<ResponseBody>> {
        let cors = &self.0.config.cors;
        let verdict = cors.check(&parts);
        let accepted = self.0.accept(&mut parts, &verdict);
        let (mut response, ticket) = match accepted {
            Ok((response, ticket)) => (response, Ok(ticket)),
            Err(response) => (response, Err(())),
        };
        cors.write_headers(&verdict, response.headers_mut());
        match ticket {
            Ok(ticket) => Ok((response, ticket)),
            Err(()) => Err(response),
        }
    }
}

impl Shared {
    async fn answer<B>(
        self: &Arc<Self>,
        parts: Parts,
        body: B,
        verdict: &Verdict,
    ) -> Result<Response<ResponseBody>, Refusal>
    where
        B: Body<Data: Buf>,
    {
        let route = self.route(&parts, verdict)?;
        if route.dress.jsonp.is_some() && !self.config.cors.admits_script(&parts) {
            return Err(Refusal::Forbidden);
        }
        let Some(connection) = self.session(&route)? else {
            return self.shake_hands(parts, &route, verdict).await;
        };
        if !verdict.admits() {
            return Err(Refusal::Forbidden);
        }
        if route.transport != Transport::Polling || connection.transport() != Transport::Polling {
            return Err(Refusal::BadRequest);
        }
        match parts.method {
            Method::GET => {
                // Nothing of the request is kept while the poll is held.
                drop((parts, body));
                Ok(poll(&connection, route.dress).await)
            }
            Method::POST => Ok(post(&connection, &parts, body, route.dress, self.config.max_payload).await),
            _ => Err(Refusal::BadRequest),
        }
    }

    async fn shake_hands(
        self: &Arc<Self>,
        mut parts: Parts,
        route: &Route,
        verdict: &Verdict,
    ) -> Result<Response<ResponseBody>, Refusal> {
        if parts.method != Method::GET {
            return Err(Refusal::BadHandshakeMethod);
        }
        if route.transport != Transport::Polling {
            return Err(Refusal::BadRequest);
        }
        let generation = admit(route, verdict)?;
        if self.is_closing() {
            return Ok(unavailable());
        }
        let life = Life::begin(self, Transport::Polling, Handshake::new(&mut parts, generation));
        let connection = life.connection.clone();
        self.runtime().spawn(Carrier::new(life));
        Ok(poll(&connection, route.dress).await)
    }

    fn accept(
        self: &Arc<Self>,
        parts: &mut Parts,
        verdict: &Verdict,
    ) -> Result<(Response<ResponseBody>, Ticket), Response<ResponseBody>> {
        let purpose = self
            .purpose(parts, verdict)
            .map_err(|refusal| refused_upgrade(refusal.message()))?;
        if self.is_closing() {
            return Err(unavailable());
        }
        let opening = match Opening::read(parts, is_extended_connect(parts)) {
            Ok(Some(opening)) => opening,
            Ok(None) => return Err(refused_upgrade(Refusal::BadRequest.message())),
            Err(refusal) => {
                let mut response = refused_upgrade(&refusal.to_string());
                response.headers_mut().extend(refusal.response().headers().clone());
                return Err(response);
            }
        };
        let purpose = match purpose {
            Ok(connection) => Purpose::Upgrade(connection),
            Err(generation) => Purpose::Begin(Handshake::new(parts, generation)),
        };
        let server = self.clone();
        let response = opening.response().map(|()| ResponseBody::default());
        Ok((response, Ticket { server, purpose }))
    }

    /// The session that a WebSocket is to take over, or the generation of the one it begins.
    fn purpose(&self, parts: &Parts, verdict: &Verdict) -> Result<Result<Connection, Generation>, Refusal> {
        let route = self.route(parts, verdict)?;
        if route.transport != Transport::WebSocket {
            return Err(Refusal::BadRequest);
        }
        match self.session(&route)? {
            Some(connection) if verdict.admits() => Ok(Ok(connection)),
            Some(_) => Err(Refusal::Forbidden),
            None => admit(&route, verdict).map(Err),
        }
    }

    fn route(&self, parts: &Parts, verdict: &Verdict) -> Result<Route, Refusal> {
        let route = Route::read(parts.uri.query(), &self.config)?;
        if *verdict == Verdict::Malformed {
            return Err(Refusal::BadRequest);
        }
        Ok(route)
    }

    /// The session that a request names, `None` for a handshake.
    fn session(&self, route: &Route) -> Result<Option<Connection>, Refusal> {
        let connection = match &route.session {
            Session::New => return Ok(None),
            Session::Impossible => None,
            Session::Known(id) => self.registry.get(id),
        };
        let connection = connection.ok_or(Refusal::SessionUnknown)?;
        if route.generation != Some(connection.generation()) {
            return Err(Refusal::BadRequest);
        }
        Ok(Some(connection))
    }
}

/// The last checks of a handshake, in the reference's order.
fn admit(route: &Route, verdict: &Verdict) -> Result<Generation, Refusal> {
    if !verdict.admits() {
        return Err(Refusal::Forbidden);
    }
    route.generation.ok_or(Refusal::UnsupportedProtocol)
}

async fn poll(connection: &Connection, Dress { form, jsonp }: Dress) -> Response<ResponseBody> {
    let Ok(mut payload) = polling::poll(connection, form).await else {
        return bad_request();
    };
    let mut media_type = connection.generation().payload_type(form);
    if let Some(index) = jsonp {
        payload.wrap(|payload| jsonp::wrap(index, payload));
        media_type = "text/javascript; charset=UTF-8";
    }
    let length = payload.len();
    let body = ResponseBody(Content::Payload(payload));
    let mut response = session_answer(StatusCode::OK, Some(media_type), length, body);
    if jsonp.is_some() {
        // As the reference: it is a script by the client's own wish.
        response
            .headers_mut()
            .insert(X_XSS_PROTECTION, HeaderValue::from_static("0"));
    }
    response
}

async fn post<B>(connection: &Connection, parts: &Parts, body: B, dress: Dress, limit: usize) -> Response<ResponseBody>
where
    B: Body<Data: Buf>,
{
    let Ok(post) = polling::post(connection) else {
        return bad_request();
    };
    let media_type = parts.headers.get(CONTENT_TYPE);
    let is_binary = media_type.is_some_and(|kind| kind == "application/octet-stream");
    let generation = connection.generation();
    if is_binary && !generation.posts_bytes() {
        return bad_request();
    }
    let payload = match collect(body, limit).await {
        Ok(payload) => payload,
        Err(Incomplete::TooLarge) => {
            post.refuse();
            return session_answer(StatusCode::PAYLOAD_TOO_LARGE, None, 0, ResponseBody::default());
        }
        Err(Incomplete::Broken) => return bad_request(),
    };
    let posted = if is_binary {
        Some(Posted::Binary(payload))
    } else {
        let text = String::from_utf8(payload).ok();
        let text = match dress.jsonp {
            Some(_) => text.and_then(|form| jsonp::unwrap(&form)),
            None => text,
        };
        text.map(Posted::Text)
    };
    let handled = if let Some(posted) = posted {
        post.handle(posted).await
    } else {
        connection.close(CloseReason::ParseError);
        Err(polling::Refused)
    };
    match handled {
        Ok(()) => {
            let ok = Bytes::from_static(b"ok");
            session_answer(
                StatusCode::OK,
                Some("text/html"),
                ok.len(),
                ResponseBody(Content::Bytes(ok)),
            )
        }
        Err(polling::Refused) => bad_request(),
    }
}

enum Incomplete {
    TooLarge,
    Broken,
}

/// The whole body, or nothing of one that is too large. Up to as much again is read and dropped,
/// since a client that is still writing when its connection is closed may not see why.
async fn collect<B>(body: B, limit: usize) -> Result<Vec<u8>, Incomplete>
where
    B: Body<Data: Buf>,
{
    let patience = limit.saturating_mul(2);
    if body.size_hint().lower() > patience as u64 {
        return Err(Incomplete::TooLarge);
    }
    let mut body = pin!(body);
    let mut collected = Vec::new();
    let mut received = 0;
    while let Some(frame) = body.frame().await {
        let Ok(mut data) = frame.map_err(|_| Incomplete::Broken)?.into_data() else {
            continue;
        };
        received += data.remaining();
        if received > patience {
            return Err(Incomplete::TooLarge);
        }
        if received > limit {
            collected = Vec::new();
            continue;
        }
        while data.has_remaining() {
            let chunk = data.chunk();
            collected.extend_from_slice(chunk);
            let length = chunk.len();
            data.advance(length);
        }
    }
    if received > limit {
        return Err(Incomplete::TooLarge);
    }
    Ok(collected)
}

fn session_answer(
    status: StatusCode,
    content_type: Option<&'static str>,
    length: usize,
    body: ResponseBody,
) -> Response<ResponseBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if let Some(content_type) = content_type {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    headers.insert(CONTENT_LENGTH, length.into());
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Whether a request wants to become a WebSocket, by HTTP/1.1 or by HTTP/2 (RFC 8441).
pub(crate) fn asks_for_websocket(parts: &Parts) -> bool {
    handshake::asks(parts, is_extended_connect(parts))
}

fn is_extended_connect(parts: &Parts) -> bool {
    parts.method == Method::CONNECT
        && parts
            .extensions
            .get::<Protocol>()
            .is_some_and(|protocol| protocol.as_str() == "websocket")
}

/// A request that breaks the rules of its session.
fn bad_request() -> Response<ResponseBody> {
    session_answer(StatusCode::BAD_REQUEST, None, 0, ResponseBody::default())
}

fn refused(refusal: Refusal) -> Response<ResponseBody> {
    let status = match refusal {
        Refusal::Forbidden => StatusCode::FORBIDDEN,
        _ => StatusCode::BAD_REQUEST,
    };
    let body = format!(r#"{{"code":{},"message":"{}"}}"#, refusal.code(), refusal.message());
    let length = body.len();
    let body = ResponseBody(Content::Bytes(body.into()));
    session_answer(status, Some("application/json"), length, body)
}

fn refused_upgrade(message: &str) -> Response<ResponseBody> {
    let body = ResponseBody(Content::Bytes(Bytes::copy_from_slice(message.as_bytes())));
    session_answer(StatusCode::BAD_REQUEST, Some("text/html"), message.len(), body)
}

fn unavailable() -> Response<ResponseBody> {
    session_answer(StatusCode::SERVICE_UNAVAILABLE, None, 0, ResponseBody::default())
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let bytes = match std::mem::take(&mut self.0) {
            Content::Empty => return Poll::Ready(None),
            Content::Bytes(bytes) => bytes,
            Content::Payload(mut payload) => payload.deliver(),
        };
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.0, Content::Empty)
    }

    fn size_hint(&self) -> SizeHint {
        let length = match &self.0 {
            Content::Empty => 0,
            Content::Bytes(bytes) => bytes.len(),
            Content::Payload(payload) => payload.len(),
        };
        SizeHint::with_exact(length as u64)
    }
}
