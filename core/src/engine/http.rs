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

use super::{
    Engine, Shared,
    codec::Posted,
    connection::Connection,
    driver::Life,
    generation::Generation,
    hooks::Answer,
    meter::Refused,
    reason::CloseReason,
    refusal::ConnectionErrorKind,
    route::{ByQuery, Route, Session},
    sid::Sid,
    transport::{
        Transport,
        dress::{Dress, Wrapping},
        polling::{self, Carrier, Payload},
        stream,
        websocket::ticket::Ticket,
        webtransport::ticket::WebTransportTicket,
    },
};
use crate::{
    compression::{self, Packing},
    cors::Verdict,
    handshake::Handshake,
};

mod by_path;
pub(crate) mod settings;
mod upgrade;

pub(crate) use self::upgrade::asks_for_websocket;

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
    /// Whether a request belongs to no session yet.
    pub(crate) fn begins_connection(&self, uri: &Uri) -> bool {
        Route::read(self.tail(uri.path()), uri.query(), &self.0.config).is_ok_and(|route| route.begins_connection())
    }

    /// Answers a request that is no WebSocket's. Its head is boxed, as a future holds what it is given once for each
    /// function that passes it on.
    pub(crate) async fn handle<B>(&self, parts: Box<Parts>, body: B) -> Response<ResponseBody>
    where
        B: Body<Data: Buf>,
    {
        let config = &self.0.config;
        if let Some(preflight) = config.cors.preflight(&parts) {
            return preflight.map(|()| ResponseBody::default());
        }
        let verdict = config.cors.check(&parts);
        let tail = self.tail(parts.uri.path());
        let file = config
            .client_bundle
            .as_ref()
            .and_then(|bundle| bundle.respond(tail, &parts.method, &parts.headers));
        let mut response = if let Some(file) = file {
            file.map(|bytes| ResponseBody(Content::Bytes(bytes)))
        } else {
            match Route::read(tail, parts.uri.query(), config) {
                // Boxed, so that others' requests need no room for it.
                Ok(Route::ByPath(route)) => Box::pin(self.0.answer_by_path(route, parts, body, &verdict)).await,
                Ok(Route::ByQuery(route)) => self.0.answer(&route, parts, body, &verdict).await,
                Err(kind) => self.0.refuse(&kind, &parts),
            }
        };
        config.cors.write_headers(&verdict, response.headers_mut());
        response
    }

    pub(crate) async fn accept_websocket(
        &self,
        mut parts: Box<Parts>,
    ) -> Result<(Response<ResponseBody>, Ticket), Response<ResponseBody>> {
        let cors = &self.0.config.cors;
        let verdict = cors.check(&parts);
        let route = Route::read(self.tail(parts.uri.path()), parts.uri.query(), &self.0.config);
        let accepted = self.0.accept(route, &mut parts, &verdict).await;
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

    /// What follows the endpoint's path.
    fn tail<'a>(&self, path: &'a str) -> &'a str {
        let endpoint = &*self.0.config.path;
        if endpoint.is_empty() {
            // Whatever stands before it is a prefix of the application's; where clients before 1.0 ask for
            // more than a file, they name their protocol.
            let last = path.rfind('/').unwrap_or(0);
            return &path[path.rfind("/1/").unwrap_or(last)..];
        }
        if let Some(tail @ ("" | "/")) = path.strip_prefix(endpoint) {
            return tail;
        }
        path.match_indices(endpoint)
            .map(|(at, endpoint)| &path[at + endpoint.len()..])
            .filter(|tail| tail.is_empty() || tail.starts_with('/'))
            .last()
            .unwrap_or(path)
    }
}

impl Engine {
    /// Accepts a session of WebTransport at the endpoint, or says by which status it is refused.
    pub(crate) fn accept_webtransport(&self, mut parts: Parts) -> Result<WebTransportTicket, StatusCode> {
        let config = &self.0.config;
        let generation = Generation::OF_WEBTRANSPORT;
        let is_served =
            config.transports.contains(&Transport::WebTransport) && config.generations.contains(&generation);
        let (status, kind) = match config.cors.check(&parts) {
            _ if !is_served => (StatusCode::BAD_REQUEST, ConnectionErrorKind::TransportUnknown),
            Verdict::Malformed => (StatusCode::BAD_REQUEST, ConnectionErrorKind::InvalidOrigin),
            Verdict::Refused => (StatusCode::FORBIDDEN, ConnectionErrorKind::OriginForbidden),
            Verdict::SameOriginOrNone | Verdict::Allowed(_) if self.0.is_closing() => {
                self.0.meter.refused(Refused::Closing);
                return Err(StatusCode::SERVICE_UNAVAILABLE);
            }
            Verdict::SameOriginOrNone | Verdict::Allowed(_) => {
                return Ok(WebTransportTicket {
                    server: self.0.clone(),
                    handshake: Handshake::new(&mut parts, generation),
                });
            }
        };
        self.0.report(&kind, &parts);
        Err(status)
    }
}

impl Shared {
    async fn answer<B>(
        self: &Arc<Self>,
        route: &ByQuery,
        mut parts: Box<Parts>,
        body: B,
        verdict: &Verdict,
    ) -> Response<ResponseBody>
    where
        B: Body<Data: Buf>,
    {
        let hooks = &self.config.hooks;
        let packing = Packing::of(&parts, self.config.http_compression);
        let connection = match self.find(route, &parts, verdict) {
            Ok(Some(connection)) => connection,
            Ok(None) => {
                let answer = self.shake_hands(&mut parts, route, verdict, packing).await;
                return answer.unwrap_or_else(|kind| self.refuse(&kind, &parts));
            }
            Err(kind) => return self.refuse(&kind, &parts),
        };
        let request = hooks.keep(&parts);
        let mut response = if parts.method == Method::GET {
            // Nothing of the request is kept while the poll is held, unless a hook wants it.
            drop((parts, body));
            let ended = || refusal(&ConnectionErrorKind::SessionUnknown);
            poll(&connection, route.transport, route.dress, packing, ended).await
        } else {
            match post(&connection, &parts, body, route.dress, self.config.max_payload).await {
                Ok(()) => session_text(StatusCode::OK, "text/html", "ok"),
                Err(refused) => refused,
            }
        };
        if response.status() == StatusCode::OK {
            hooks.write_headers(Answer::Further, &mut response, request.as_deref());
        }
        response
    }

    /// The session of a request that is no WebSocket's; `None` for a handshake.
    fn find(
        &self,
        route: &ByQuery,
        parts: &Parts,
        verdict: &Verdict,
    ) -> Result<Option<Connection>, ConnectionErrorKind> {
        check_origin(verdict)?;
        if matches!(route.dress.wrapping, Wrapping::Script(_)) && !self.config.cors.admits_script(parts) {
            return Err(ConnectionErrorKind::OriginForbidden);
        }
        let Some(connection) = self.session(route)? else {
            return Ok(None);
        };
        if !verdict.admits() {
            return Err(ConnectionErrorKind::OriginForbidden);
        }
        let previous = connection.transport();
        if route.transport != Transport::Polling || previous != Transport::Polling {
            return Err(ConnectionErrorKind::TransportMismatch { previous });
        }
        if !matches!(parts.method, Method::GET | Method::POST) {
            return Err(ConnectionErrorKind::BadMethod);
        }
        Ok(Some(connection))
    }

    async fn shake_hands(
        self: &Arc<Self>,
        parts: &mut Parts,
        route: &ByQuery,
        verdict: &Verdict,
        packing: Packing,
    ) -> Result<Response<ResponseBody>, ConnectionErrorKind> {
        if parts.method != Method::GET {
            return Err(ConnectionErrorKind::BadHandshakeMethod);
        }
        if route.transport != Transport::Polling {
            return Err(ConnectionErrorKind::TransportHandshake);
        }
        let generation = admit(route, verdict)?;
        let hooks = &self.config.hooks;
        let request = hooks.keep(parts);
        let (handshake, sid) = self.let_in(parts, generation).await?;
        if self.refuses_new() {
            self.meter.refused(Refused::Closing);
            return Ok(unavailable());
        }
        let life = Life::begin(self, Transport::Polling, route.reader, handshake, sid.clone(), false);
        let life = life.ok_or_else(id_taken)?;
        let connection = life.connection.clone();
        let open = polling::open(&connection, route.dress.form);
        self.runtime().spawn(Carrier::new(life));
        let mut response = payload_answer(generation, open, route.dress, packing);
        hooks.write_headers(Answer::First(&sid), &mut response, request.as_deref());
        Ok(response)
    }

    /// Asks the application whether a client may come in, and for the id of its session.
    async fn let_in(&self, parts: &mut Parts, generation: Generation) -> Result<(Handshake, Sid), ConnectionErrorKind> {
        let handshake = Handshake::new(parts, generation);
        match self.new_session(&handshake).await {
            Ok(sid) => Ok((handshake, sid)),
            Err(kind) => {
                // For whoever is told of the refused request.
                parts.extensions = handshake.to_parts().extensions;
                Err(kind)
            }
        }
    }

    pub(in crate::engine) async fn new_session(&self, handshake: &Handshake) -> Result<Sid, ConnectionErrorKind> {
        let hooks = &self.config.hooks;
        hooks.admit(handshake).await?;
        let sid = hooks.session_id(handshake)?;
        match self.registry.get(&sid) {
            None => Ok(sid),
            Some(_) => Err(id_taken()),
        }
    }

    /// The session that a request names, `None` for a handshake.
    fn session(&self, route: &ByQuery) -> Result<Option<Connection>, ConnectionErrorKind> {
        let connection = match &route.session {
            Session::New => return Ok(None),
            Session::Impossible => None,
            Session::Known(id) => self.registry.get(id),
        };
        let connection = connection.ok_or(ConnectionErrorKind::SessionUnknown)?;
        let previous = connection.generation();
        if route.generation != Some(previous) {
            return Err(ConnectionErrorKind::ProtocolMismatch { previous });
        }
        Ok(Some(connection))
    }

    fn refuse(&self, kind: &ConnectionErrorKind, parts: &Parts) -> Response<ResponseBody> {
        self.report(kind, parts);
        refusal(kind)
    }

    /// A request was refused: counts it, and tells the application.
    pub(in crate::engine) fn report(&self, kind: &ConnectionErrorKind, parts: &Parts) {
        self.meter.refused(Refused::Request { code: kind.code() });
        self.config.hooks.report(kind, parts);
    }
}

fn refusal(kind: &ConnectionErrorKind) -> Response<ResponseBody> {
    let code = kind.code();
    let status = match code {
        4 => StatusCode::FORBIDDEN,
        _ => StatusCode::BAD_REQUEST,
    };
    let message = serde_json::Value::from(kind.message());
    session_text(
        status,
        "application/json",
        format!(r#"{{"code":{code},"message":{message}}}"#),
    )
}

fn id_taken() -> ConnectionErrorKind {
    ConnectionErrorKind::IdGeneration("the id is in use".to_owned())
}

fn check_origin(verdict: &Verdict) -> Result<(), ConnectionErrorKind> {
    if *verdict == Verdict::Malformed {
        return Err(ConnectionErrorKind::InvalidOrigin);
    }
    Ok(())
}

/// The last checks of a handshake, in the reference's order.
fn admit(route: &ByQuery, verdict: &Verdict) -> Result<Generation, ConnectionErrorKind> {
    if !verdict.admits() {
        return Err(ConnectionErrorKind::OriginForbidden);
    }
    route.generation.ok_or(ConnectionErrorKind::UnsupportedProtocol)
}

/// `ended` answers whoever comes as the session ends.
async fn poll(
    connection: &Connection,
    transport: Transport,
    dress: Dress,
    packing: Packing,
    ended: impl FnOnce() -> Response<ResponseBody>,
) -> Response<ResponseBody> {
    match polling::poll(connection, transport, dress.form).await {
        Ok(payload) => payload_answer(connection.generation(), payload, dress, packing),
        Err(polling::Unanswered::Refused) => bad_request(),
        Err(polling::Unanswered::Ended) => ended(),
    }
}

fn payload_answer(
    generation: Generation,
    mut payload: Payload,
    dress: Dress,
    packing: Packing,
) -> Response<ResponseBody> {
    payload.wrap(dress.wrapping);
    let media_type = dress.wrapping.media_type();
    let media_type = media_type.unwrap_or_else(|| generation.payload_type(dress.form));
    let is_long = packing.from_bytes.is_some_and(|from| payload.len() >= from);
    let coding = packing.coding.filter(|_| is_long);
    if let Some(coding) = coding {
        payload.compress(coding);
    }
    let length = payload.len();
    let body = ResponseBody(Content::Payload(payload));
    let mut response = session_answer(StatusCode::OK, Some(media_type), length, body);
    if is_long {
        compression::write_headers(coding, response.headers_mut());
    }
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
fn session_text(status: StatusCode, content_type: &'static str, text: impl Into<Bytes>) -> Response<ResponseBody> {
    let text = text.into();
    let length = text.len();
    session_answer(status, Some(content_type), length, ResponseBody(Content::Bytes(text)))
}

fn too_large() -> Response<ResponseBody> {
    session_answer(StatusCode::PAYLOAD_TOO_LARGE, None, 0, ResponseBody::default())
}

/// A request that breaks the rules of its session.
fn bad_request() -> Response<ResponseBody> {
    session_answer(StatusCode::BAD_REQUEST, None, 0, ResponseBody::default())
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
