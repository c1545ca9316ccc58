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
    codec::{Posted, Reader},
    connection::Connection,
    driver::Life,
    generation::Generation,
    meter::Refused,
    reason::CloseReason,
    route::{ByQuery, Refusal, Route, Session},
    transport::{
        Transport,
        dress::{Dress, Wrapping},
        polling::{self, Carrier, Payload},
        stream,
        websocket::{
            handshake::{self, Opening},
            ticket::{Purpose, Ticket},
        },
        webtransport::ticket::WebTransportTicket,
    },
};
use crate::{cors::Verdict, handshake::Handshake};

mod by_path;

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
    Stream(stream::Reader),
}

impl Engine {
    /// Whether a request belongs to no session yet. `tail` is what follows the endpoint's path.
    pub(crate) fn begins_connection(&self, tail: &str, uri: &Uri) -> bool {
        Route::read(tail, uri.query(), &self.0.config).is_ok_and(|route| route.begins_connection())
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
            let answer = match Route::read(tail, parts.uri.query(), config) {
                Ok(Route::ByPath(route)) => Ok(self.0.answer_by_path(route, parts, body, &verdict).await),
                Ok(Route::ByQuery(route)) => self.0.answer(&route, parts, body, &verdict).await,
                Err(refusal) => Err(refusal),
            };
            answer.unwrap_or_else(|refusal| {
                self.0.meter.refused(Refused::Request(refusal));
                refused(refusal)
            })
        };
        config.cors.write_headers(&verdict, response.headers_mut());
        response
    }

    pub(crate) fn accept_websocket(
        &self,
        tail: &str,
        mut parts: Parts,
    ) -> Result<(Response<ResponseBody>, Ticket), Response<ResponseBody>> {
        let cors = &self.0.config.cors;
        let verdict = cors.check(&parts);
        let accepted = self.0.accept(tail, &mut parts, &verdict);
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

impl Engine {
    /// Accepts a session of WebTransport at the endpoint, or says by which status it is refused.
    pub(crate) fn accept_webtransport(&self, mut parts: Parts) -> Result<WebTransportTicket, StatusCode> {
        let config = &self.0.config;
        let generation = Generation::OF_WEBTRANSPORT;
        let is_served =
            config.transports.contains(&Transport::WebTransport) && config.generations.contains(&generation);
        match config.cors.check(&parts) {
            _ if !is_served => Err(StatusCode::BAD_REQUEST),
            Verdict::Malformed => Err(StatusCode::BAD_REQUEST),
            Verdict::Refused => Err(StatusCode::FORBIDDEN),
            Verdict::SameOriginOrNone | Verdict::Allowed(_) if self.0.is_closing() => {
                Err(StatusCode::SERVICE_UNAVAILABLE)
            }
            Verdict::SameOriginOrNone | Verdict::Allowed(_) => Ok(WebTransportTicket {
                server: self.0.clone(),
                handshake: Handshake::new(&mut parts, generation),
            }),
        }
    }
}

impl Shared {
    async fn answer<B>(
        self: &Arc<Self>,
        route: &ByQuery,
        parts: Parts,
        body: B,
        verdict: &Verdict,
    ) -> Result<Response<ResponseBody>, Refusal>
    where
        B: Body<Data: Buf>,
    {
        check_origin(verdict)?;
        if matches!(route.dress.wrapping, Wrapping::Script(_)) && !self.config.cors.admits_script(&parts) {
            return Err(Refusal::Forbidden);
        }
        let Some(connection) = self.session(route)? else {
            return self.shake_hands(parts, route, verdict);
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
                Ok(poll(&connection, route.transport, route.dress).await)
            }
            Method::POST => Ok(
                match post(&connection, &parts, body, route.dress, self.config.max_payload).await {
                    Ok(()) => session_text(StatusCode::OK, "text/html", "ok"),
                    Err(refused) => refused,
                },
            ),
            _ => Err(Refusal::BadRequest),
        }
    }

    fn shake_hands(
        self: &Arc<Self>,
        mut parts: Parts,
        route: &ByQuery,
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
            self.meter.refused(Refused::Closing);
            return Ok(unavailable());
        }
        let handshake = Handshake::new(&mut parts, generation);
        let life = Life::begin(self, Transport::Polling, route.reader, handshake);
        let connection = life.connection.clone();
        let open = polling::open(&connection, route.dress.form);
        self.runtime().spawn(Carrier::new(life));
        Ok(payload_answer(generation, open, route.dress))
    }

    fn accept(
        self: &Arc<Self>,
        tail: &str,
        parts: &mut Parts,
        verdict: &Verdict,
    ) -> Result<(Response<ResponseBody>, Ticket), Response<ResponseBody>> {
        let purpose = self
            .purpose(tail, parts, verdict)
            .map_err(|refusal| self.refuse_upgrade(refusal))?;
        if self.is_closing() {
            self.meter.refused(Refused::Closing);
            return Err(unavailable());
        }
        let opening = match Opening::read(parts, is_extended_connect(parts)) {
            Ok(Some(opening)) => opening,
            Ok(None) => return Err(self.refuse_upgrade(Refusal::BadRequest)),
            Err(refusal) => {
                self.meter.refused(Refused::BadWebSocket);
                let mut response = refused_upgrade(&refusal.to_string());
                response.headers_mut().extend(refusal.response().headers().clone());
                return Err(response);
            }
        };
        let purpose = match purpose {
            Found::New(generation, reader) => Purpose::Begin(Handshake::new(parts, generation), reader),
            Found::Session(purpose) => purpose,
        };
        let server = self.clone();
        let response = opening.response().map(|()| ResponseBody::default());
        Ok((response, Ticket { server, purpose }))
    }

    fn refuse_upgrade(&self, refusal: Refusal) -> Response<ResponseBody> {
        self.meter.refused(Refused::Request(refusal));
        refused_upgrade(refusal.message())
    }

    fn purpose(&self, tail: &str, parts: &Parts, verdict: &Verdict) -> Result<Found, Refusal> {
        let route = match Route::read(tail, parts.uri.query(), &self.config)? {
            Route::ByPath(route) => return self.purpose_by_path(&route, verdict).map(Found::Session),
            Route::ByQuery(route) => route,
        };
        check_origin(verdict)?;
        if route.transport != Transport::WebSocket {
            return Err(Refusal::BadRequest);
        }
        match self.session(&route)? {
            Some(connection) if verdict.admits() => Ok(Found::Session(Purpose::Upgrade(connection, route.dress.form))),
            Some(_) => Err(Refusal::Forbidden),
            None => admit(&route, verdict).map(|generation| Found::New(generation, route.reader)),
        }
    }

    /// The session that a request names, `None` for a handshake.
    fn session(&self, route: &ByQuery) -> Result<Option<Connection>, Refusal> {
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

/// What a WebSocket is for.
enum Found {
    New(Generation, Reader),
    Session(Purpose),
}

fn check_origin(verdict: &Verdict) -> Result<(), Refusal> {
    if *verdict == Verdict::Malformed {
        return Err(Refusal::BadRequest);
    }
    Ok(())
}

/// The last checks of a handshake, in the reference's order.
fn admit(route: &ByQuery, verdict: &Verdict) -> Result<Generation, Refusal> {
    if !verdict.admits() {
        return Err(Refusal::Forbidden);
    }
    route.generation.ok_or(Refusal::UnsupportedProtocol)
}

async fn poll(connection: &Connection, transport: Transport, dress: Dress) -> Response<ResponseBody> {
    match polling::poll(connection, transport, dress.form).await {
        Ok(payload) => payload_answer(connection.generation(), payload, dress),
        Err(polling::Refused) => bad_request(),
    }
}

fn payload_answer(generation: Generation, mut payload: Payload, dress: Dress) -> Response<ResponseBody> {
    payload.wrap(dress.wrapping);
    let media_type = dress.wrapping.media_type();
    let media_type = media_type.unwrap_or_else(|| generation.payload_type(dress.form));
    let length = payload.len();
    let body = ResponseBody(Content::Payload(payload));
    let mut response = session_answer(StatusCode::OK, Some(media_type), length, body);
    allow_script(&mut response, dress);
    response
}

/// As the reference: it is a script by the client's own wish.
fn allow_script(response: &mut Response<ResponseBody>, dress: Dress) {
    if matches!(dress.wrapping, Wrapping::Script(_)) {
        let headers = response.headers_mut();
        headers.insert(X_XSS_PROTECTION, HeaderValue::from_static("0"));
    }
}

/// Hands on what was posted; an error is the response that refuses it.
async fn post<B>(
    connection: &Connection,
    parts: &Parts,
    body: B,
    dress: Dress,
    limit: usize,
) -> Result<(), Response<ResponseBody>>
where
    B: Body<Data: Buf>,
{
    let post = polling::post(connection).map_err(|polling::Refused| bad_request())?;
    let media_type = parts.headers.get(CONTENT_TYPE);
    let is_binary = media_type.is_some_and(|kind| kind == "application/octet-stream");
    let generation = connection.generation();
    if is_binary && !generation.posts_bytes() {
        return Err(bad_request());
    }
    // In a form each byte may be three.
    let is_form = matches!(dress.wrapping, Wrapping::Script(_));
    let body_limit = if is_form { limit.saturating_mul(3) } else { limit };
    let payload = match collect(body, body_limit).await {
        Ok(payload) => payload,
        Err(Incomplete::TooLarge) => {
            post.refuse();
            return Err(too_large());
        }
        Err(Incomplete::Broken) => return Err(bad_request()),
    };
    let posted = if is_binary {
        Some(Posted::Binary(payload))
    } else {
        let text = String::from_utf8(payload).ok();
        let payload = text.and_then(|text| dress.wrapping.unwrap(text));
        if payload.as_ref().is_some_and(|payload| payload.len() > limit) {
            post.refuse();
            return Err(too_large());
        }
        payload.map(|payload| generation.posted(payload))
    };
    let Some(posted) = posted else {
        connection.close(CloseReason::ParseError);
        return Err(bad_request());
    };
    post.handle(posted).await.map_err(|polling::Refused| bad_request())
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

/// A session's answer that is a few words.
fn session_text(status: StatusCode, content_type: &'static str, text: &str) -> Response<ResponseBody> {
    let body = ResponseBody(Content::Bytes(Bytes::copy_from_slice(text.as_bytes())));
    session_answer(status, Some(content_type), text.len(), body)
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

fn too_large() -> Response<ResponseBody> {
    session_answer(StatusCode::PAYLOAD_TOO_LARGE, None, 0, ResponseBody::default())
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
    session_text(status, "application/json", &body)
}

fn refused_upgrade(message: &str) -> Response<ResponseBody> {
    session_text(StatusCode::BAD_REQUEST, "text/html", message)
}

fn unavailable() -> Response<ResponseBody> {
    session_answer(StatusCode::SERVICE_UNAVAILABLE, None, 0, ResponseBody::default())
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Content::Stream(stream) = &mut self.0 {
            return stream
                .poll_next(cx)
                .map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))));
        }
        let bytes = match std::mem::take(&mut self.0) {
            Content::Empty | Content::Stream(_) => return Poll::Ready(None),
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
            Content::Stream(_) => return SizeHint::default(),
        };
        SizeHint::with_exact(length as u64)
    }
}
