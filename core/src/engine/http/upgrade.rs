//! Requests that want to become WebSockets: which session they are for, and the answers.

use std::sync::Arc;

use http::{
    Method, Response, StatusCode,
    header::{SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL},
    request::Parts,
};
use hyper::ext::Protocol;

use super::{ResponseBody, admit, check_origin, session_text, unavailable};
use crate::{
    cors::Verdict,
    engine::{
        Shared,
        codec::Reader,
        generation::Generation,
        hooks::Answer,
        meter::Refused,
        refusal::ConnectionErrorKind,
        route::Route,
        transport::{
            Transport,
            websocket::{
                handshake::{self, Opening},
                ticket::{Purpose, Ticket},
            },
        },
    },
};

impl Shared {
    pub(super) async fn accept(
        self: &Arc<Self>,
        route: Result<Route, ConnectionErrorKind>,
        parts: &mut Parts,
        verdict: &Verdict,
    ) -> Result<(Response<ResponseBody>, Ticket), Response<ResponseBody>> {
        let purpose = match self.purpose(route, parts, verdict) {
            Ok(purpose) => purpose,
            Err(kind) => return Err(self.refuse_upgrade(&kind, parts)),
        };
        let opening = match Opening::read(parts, is_extended_connect(parts)) {
            Ok(Some(opening)) => opening,
            Ok(None) => return Err(self.refuse_upgrade(&ConnectionErrorKind::TransportHandshake, parts)),
            Err(refusal) => {
                let mut response = self.refuse_opening(&refusal.to_string(), parts);
                response.headers_mut().extend(refusal.response().headers().clone());
                return Err(response);
            }
        };
        let deflate = match self
            .config
            .per_message_deflate
            .map(|settings| settings.agree(&parts.headers))
        {
            Some(Ok(deflate)) => deflate,
            None => None,
            Some(Err(malformed)) => return Err(self.refuse_opening(&malformed.to_string(), parts)),
        };
        let subprotocol = handshake::subprotocol(&parts.headers);
        let request = self.config.hooks.keep(parts);
        let (purpose, answer) = match purpose {
            Found::New(generation, reader) => match self.let_in(parts, generation).await {
                Ok((handshake, sid)) => (Purpose::Begin(handshake, reader, sid), Answer::FirstOfWebSocket),
                Err(kind) => return Err(self.refuse_upgrade(&kind, parts)),
            },
            Found::Session(purpose) => (purpose, Answer::Further),
        };
        let is_refused = match purpose {
            Purpose::Begin(..) => self.refuses_new(),
            _ => self.is_closing(),
        };
        if is_refused {
            self.meter.refused(Refused::Closing);
            return Err(unavailable());
        }
        let server = self.clone();
        let mut response = opening.response().map(|()| ResponseBody::default());
        let hooks = &self.config.hooks;
        hooks.write_headers(answer, &mut response, request.as_deref());
        if let Some(subprotocol) = subprotocol {
            response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, subprotocol);
        }
        let deflate = deflate.map(|(agreed, answer)| {
            response.headers_mut().insert(SEC_WEBSOCKET_EXTENSIONS, answer);
            agreed
        });
        let ticket = Ticket {
            server,
            purpose,
            deflate,
        };
        Ok((response, ticket))
    }

    fn purpose(
        &self,
        route: Result<Route, ConnectionErrorKind>,
        parts: &Parts,
        verdict: &Verdict,
    ) -> Result<Found, ConnectionErrorKind> {
        let route = match route? {
            Route::ByPath(route) => return self.purpose_by_path(&route, parts, verdict).map(Found::Session),
            Route::ByQuery(route) => route,
        };
        check_origin(verdict)?;
        if route.transport != Transport::WebSocket {
            return Err(ConnectionErrorKind::TransportHandshake);
        }
        match self.session(&route)? {
            Some(connection) if verdict.admits() => Ok(Found::Session(Purpose::Upgrade(connection, route.dress.form))),
            Some(_) => Err(ConnectionErrorKind::OriginForbidden),
            None => admit(&route, verdict).map(|generation| Found::New(generation, route.reader)),
        }
    }

    /// Refuses what opens no WebSocket, though it says so.
    fn refuse_opening(&self, why: &str, parts: &Parts) -> Response<ResponseBody> {
        self.meter.refused(Refused::BadWebSocket);
        let hooks = &self.config.hooks;
        hooks.report(&ConnectionErrorKind::TransportHandshake, parts);
        refused_upgrade(why)
    }

    fn refuse_upgrade(&self, kind: &ConnectionErrorKind, parts: &Parts) -> Response<ResponseBody> {
        self.report(kind, parts);
        refused_upgrade(kind.message())
    }
}

/// What a WebSocket is for.
enum Found {
    New(Generation, Reader),
    Session(Purpose),
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

fn refused_upgrade(message: &str) -> Response<ResponseBody> {
    session_text(StatusCode::BAD_REQUEST, "text/html", message.to_owned())
}
