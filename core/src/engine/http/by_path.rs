//! Clients before 1.0: their session is named in the path, begins before it has a transport, and is
//! carried by whichever request is the newest.
//!
//! Statuses and bodies are the 0.9.19 server's. "The session is unknown, shake hands anew" is no status
//! but a packet, in whatever the transport wraps packets in.

use std::sync::Arc;

use bytes::Buf;
use http::{
    HeaderValue, Method, Response, StatusCode,
    header::{ACCESS_CONTROL_ALLOW_CREDENTIALS, CACHE_CONTROL, CONTENT_TYPE},
    request::Parts,
};
use http_body::Body;
use tokio::sync::oneshot;

use super::{Content, Packing, ResponseBody, allow_script, bad_request, id_taken, poll, post, session_text};
use crate::{
    cors::Verdict,
    engine::{
        Shared,
        codec::{Reader, Signal},
        connection::{Connection, Request},
        driver::Life,
        generation::{Generation, Switch},
        hooks::Answer,
        meter::Refused,
        reason::CloseReason,
        refusal::ConnectionErrorKind,
        route::{ByPath, Wish},
        sid::Sid,
        transport::{
            Transport,
            dress::{self, Dress, Wrapping},
            polling::{self, Carrier},
            websocket::ticket::Purpose,
        },
    },
};

const TEXT: &str = "text/plain; charset=UTF-8";

impl Shared {
    pub(super) async fn answer_by_path<B>(
        self: &Arc<Self>,
        route: ByPath,
        parts: Box<Parts>,
        body: B,
        verdict: &Verdict,
    ) -> Response<ResponseBody>
    where
        B: Body<Data: Buf>,
    {
        let mut response = self.fulfil(route, parts, body, verdict).await;
        if matches!(verdict, Verdict::Allowed(_)) {
            // Its XHR sends cookies, and reads nothing without this; its WebSocket sends them anyway.
            let headers = response.headers_mut();
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        response
    }

    async fn fulfil<B>(
        self: &Arc<Self>,
        route: ByPath,
        parts: Box<Parts>,
        body: B,
        verdict: &Verdict,
    ) -> Response<ResponseBody>
    where
        B: Body<Data: Buf>,
    {
        let dress = route.dress;
        let is_script = matches!(dress.wrapping, Wrapping::Script(_));
        let refuse = |status, why: &str, kind: ConnectionErrorKind, parts: &Parts| {
            self.report(&kind, parts);
            refused(status, why, dress)
        };
        if route.wish == Wish::Unsupported {
            let why = "Protocol version not supported.";
            let kind = ConnectionErrorKind::UnsupportedProtocol;
            return refuse(StatusCode::INTERNAL_SERVER_ERROR, why, kind, &parts);
        }
        if is_script && !self.config.jsonp {
            let kind = ConnectionErrorKind::TransportUnknown;
            return refuse(StatusCode::FORBIDDEN, "handshake unauthorized", kind, &parts);
        }
        if !verdict.admits() || (is_script && !self.config.cors.admits_script(&parts)) {
            let kind = ConnectionErrorKind::OriginForbidden;
            return refuse(StatusCode::FORBIDDEN, "handshake bad origin", kind, &parts);
        }
        match route.wish {
            Wish::Handshake | Wish::Unsupported => self.reserve(parts, route.generation, dress).await,
            Wish::Leave { session } => {
                if let Some(connection) = self.known(session.as_ref()) {
                    leave(&connection).await;
                }
                session_text(StatusCode::OK, TEXT, "")
            }
            Wish::Carry { session, transport } => match (transport, self.known(session.as_ref())) {
                (None, _) => {
                    let kind = ConnectionErrorKind::TransportUnknown;
                    refuse(StatusCode::BAD_REQUEST, "transport not supported", kind, &parts)
                }
                (Some(transport), Some(connection)) => self.carry(&connection, transport, parts, body, dress).await,
                (Some(_), None) => {
                    let kind = ConnectionErrorKind::SessionUnknown;
                    self.report(&kind, &parts);
                    match parts.method {
                        Method::GET => session_unknown(route.generation, dress),
                        _ => bad_request(),
                    }
                }
            },
        }
    }

    /// What a WebSocket is for.
    pub(super) fn purpose_by_path(
        &self,
        route: &ByPath,
        parts: &Parts,
        verdict: &Verdict,
    ) -> Result<Purpose, ConnectionErrorKind> {
        let Wish::Carry { session, transport } = &route.wish else {
            return Err(ConnectionErrorKind::TransportHandshake);
        };
        let transport = transport.filter(|transport| transport.is_websocket());
        let transport = transport.ok_or(ConnectionErrorKind::TransportUnknown)?;
        if !verdict.admits() {
            return Err(ConnectionErrorKind::OriginForbidden);
        }
        let Some(connection) = self.known(session.as_ref()) else {
            self.report(&ConnectionErrorKind::SessionUnknown, parts);
            return Ok(Purpose::UnknownSession(route.generation));
        };
        Ok(Purpose::TakeOver(connection, transport))
    }

    /// The session of that id, if it is one whose newest request carries it.
    fn known(&self, id: Option<&Sid>) -> Option<Connection> {
        let connection = self.registry.get(id?)?;
        (connection.profile().switch == Switch::Newest).then_some(connection)
    }

    async fn reserve(
        self: &Arc<Self>,
        mut parts: Box<Parts>,
        generation: Generation,
        dress: Dress,
    ) -> Response<ResponseBody> {
        let hooks = &self.config.hooks;
        if parts.method != Method::GET {
            self.report(&ConnectionErrorKind::BadHandshakeMethod, &parts);
            return bad_request();
        }
        let offered = self.config.offered(&Transport::IN_PATH);
        if offered.is_empty() {
            self.report(&ConnectionErrorKind::TransportUnknown, &parts);
            return bad_request();
        }
        let refuse = |kind: &ConnectionErrorKind, parts: &Parts| {
            self.report(kind, parts);
            match kind {
                ConnectionErrorKind::Forbidden(why) => refused(StatusCode::FORBIDDEN, why, dress),
                _ => refused(StatusCode::INTERNAL_SERVER_ERROR, "handshake error", dress),
            }
        };
        let request = hooks.keep(&parts);
        let (handshake, sid) = match self.let_in(&mut parts, generation).await {
            Ok(let_in) => let_in,
            Err(kind) => return refuse(&kind, &parts),
        };
        if self.refuses_new() {
            self.meter.refused(Refused::Closing);
            return refused(StatusCode::SERVICE_UNAVAILABLE, "handshake error", dress);
        }
        let reader = Reader {
            form: dress.form,
            decodes_twice: false,
        };
        let Some(life) = Life::reserve(self, Transport::XhrPolling, reader, handshake, sid.clone()) else {
            return refuse(&id_taken(), &parts);
        };
        let names: Vec<_> = offered.iter().map(|transport| transport.as_str()).collect();
        let answer = generation.handshake(&sid, self.config.silence_seconds(), &names.join(","));
        self.runtime().spawn(Carrier::new(life));
        let mut response = match dress.wrapping {
            Wrapping::Script(script) => script_answer(script.call(&dress::string(&answer)), dress),
            Wrapping::None | Wrapping::Page => session_text(StatusCode::OK, TEXT, answer),
        };
        hooks.write_headers(Answer::First(&sid), &mut response, request.as_deref());
        response
    }

    async fn carry<B>(
        self: &Arc<Self>,
        connection: &Connection,
        transport: Transport,
        parts: Box<Parts>,
        body: B,
        dress: Dress,
    ) -> Response<ResponseBody>
    where
        B: Body<Data: Buf>,
    {
        let hooks = &self.config.hooks;
        let request = hooks.keep(&parts);
        let mut response = match parts.method {
            Method::GET if !transport.is_websocket() => {
                let packing = Packing::of(&parts, self.config.http_compression);
                // Nothing of the request is kept while it is open, unless a hook wants it.
                drop((parts, body));
                self.take_from_websocket(connection, transport);
                if transport.polls() {
                    poll(connection, transport, dress, packing, bad_request).await
                } else {
                    stream_answer(connection, transport, dress)
                }
            }
            Method::POST if !connection.transport().is_websocket() => {
                match post(connection, &parts, body, dress, self.config.max_payload).await {
                    Ok(()) => session_text(StatusCode::OK, TEXT, "1"),
                    Err(refused) => refused,
                }
            }
            _ => {
                let kind = match parts.method {
                    Method::POST => ConnectionErrorKind::TransportMismatch {
                        previous: connection.transport(),
                    },
                    _ => ConnectionErrorKind::BadMethod,
                };
                self.report(&kind, &parts);
                bad_request()
            }
        };
        if response.status() == StatusCode::OK {
            hooks.write_headers(Answer::Further, &mut response, request.as_deref());
        }
        response
    }

    /// Lets a task carry the client that a WebSocket carries now.
    fn take_from_websocket(&self, connection: &Connection, transport: Transport) {
        if connection.transport().is_websocket() {
            let (to, life) = oneshot::channel();
            connection.request(Request::TakeOver(transport, to));
            self.runtime().spawn(async move {
                // An error is a session that has ended.
                if let Ok(life) = life.await {
                    Carrier::new(life).await;
                }
            });
        }
    }
}

async fn leave(connection: &Connection) {
    let goodbye = connection.generation().goodbye();
    let told = match (polling::post(connection), goodbye) {
        (Ok(post), Some(goodbye)) => post.handle(goodbye).await.is_ok(),
        _ => false,
    };
    if !told {
        connection.close(CloseReason::TransportClose);
    }
}

fn stream_answer(connection: &Connection, transport: Transport, dress: Dress) -> Response<ResponseBody> {
    let stream = polling::stream(connection, transport);
    let mut response = Response::new(ResponseBody(Content::Stream(stream)));
    let headers = response.headers_mut();
    let media_type = dress.wrapping.media_type().unwrap_or(TEXT);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn session_unknown(generation: Generation, dress: Dress) -> Response<ResponseBody> {
    let close = generation.control(&Signal::Close);
    let payload = dress.wrapping.wrap(&String::from_utf8_lossy(close.packet()));
    match dress.wrapping {
        Wrapping::None => session_text(StatusCode::OK, TEXT, payload),
        Wrapping::Script(_) => script_answer(payload, dress),
        Wrapping::Page => session_text(
            StatusCode::OK,
            "text/html; charset=UTF-8",
            format!("{}{payload}", dress::PAGE),
        ),
    }
}

/// A script has no status: the page is told by an error that the script makes.
fn refused(status: StatusCode, why: &str, dress: Dress) -> Response<ResponseBody> {
    match dress.wrapping {
        Wrapping::Script(script) => script_answer(script.call(&format!("new Error({})", dress::string(why))), dress),
        Wrapping::None | Wrapping::Page => session_text(status, TEXT, why.to_owned()),
    }
}

fn script_answer(script: String, dress: Dress) -> Response<ResponseBody> {
    let mut response = session_text(StatusCode::OK, "text/javascript; charset=UTF-8", script);
    allow_script(&mut response, dress);
    response
}
