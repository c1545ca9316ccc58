//! What an application may decide about requests and their answers.
//!
//! Its code is called here and nowhere else in the engine's HTTP: a panic of it is contained.

use std::{
    borrow::Cow,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use futures_util::{FutureExt as _, future::BoxFuture};
use http::{HeaderMap, Response, header::SET_COOKIE, request::Parts};

use super::{
    refusal::{ConnectionError, ConnectionErrorKind},
    sid::Sid,
};
use crate::{cookie::Cookie, error::Refusal, handshake::Handshake};

type AllowRequest = dyn Fn(Handshake) -> BoxFuture<'static, Result<(), Refusal>> + Send + Sync;
type GenerateId = dyn Fn(&Handshake) -> String + Send + Sync;
type Headers = dyn Fn(&mut HeaderMap, &Parts) + Send + Sync;
type OnConnectionError = dyn Fn(&ConnectionError<'_>) + Send + Sync;

/// The hooks that an application has set.
#[derive(Clone, Default)]
pub(crate) struct Hooks {
    pub(crate) allow_request: Option<Arc<AllowRequest>>,
    pub(crate) generate_id: Option<Arc<GenerateId>>,
    pub(crate) cookie: Option<Cookie>,
    pub(crate) initial_headers: Option<Arc<Headers>>,
    pub(crate) headers: Option<Arc<Headers>>,
    pub(crate) on_connection_error: Option<Arc<OnConnectionError>>,
}

/// Whether an answer is a session's first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer<'a> {
    /// To a handshake that is no WebSocket's.
    First(&'a Sid),
    FirstOfWebSocket,
    Further,
}

impl Hooks {
    /// Asks whether a client that nothing else refuses may come in.
    pub(super) async fn admit(&self, handshake: &Handshake) -> Result<(), ConnectionErrorKind> {
        let Some(allow) = &self.allow_request else {
            return Ok(());
        };
        let decision = AssertUnwindSafe(async { allow(handshake.clone()).await }).catch_unwind();
        match decision.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(refusal)) => {
                if let Some(error) = refusal.source() {
                    tracing::error!("allow_request failed: {error}");
                }
                Err(ConnectionErrorKind::Forbidden(refusal.message().to_owned().into()))
            }
            Err(_) => {
                tracing::error!("allow_request panicked");
                Err(ConnectionErrorKind::Forbidden(Cow::Borrowed("internal error")))
            }
        }
    }

    /// The id of a new session.
    pub(super) fn session_id(&self, handshake: &Handshake) -> Result<Sid, ConnectionErrorKind> {
        let Some(generate) = &self.generate_id else {
            return Ok(Sid::random());
        };
        let id = catch_unwind(AssertUnwindSafe(|| generate(handshake)));
        let id = id.map_err(|_| ConnectionErrorKind::IdGeneration("generate_id panicked".to_owned()))?;
        Sid::parse(&id).ok_or_else(|| {
            let what = format!("{id:?} is no id: give 1 to 128 letters, digits, `-`, `.`, `_` and `~`");
            ConnectionErrorKind::IdGeneration(what)
        })
    }

    /// The request, where a hook wants it once there is an answer: boxed, since most servers have none.
    pub(super) fn keep(&self, parts: &Parts) -> Option<Box<Parts>> {
        let is_wanted = self.headers.is_some() || self.initial_headers.is_some();
        is_wanted.then(|| Box::new(parts.clone()))
    }

    /// Adds to the headers of a session's answer. `request`, as [`keep`](Self::keep) gave it.
    pub(super) fn write_headers<B>(&self, answer: Answer<'_>, response: &mut Response<B>, request: Option<&Parts>) {
        let headers = response.headers_mut();
        if let (Answer::First(sid), Some(cookie)) = (answer, &self.cookie) {
            headers.append(SET_COOKIE, cookie.with_value(sid.as_str()));
        }
        let Some(request) = request else { return };
        let initial = self.initial_headers.as_ref().filter(|_| answer != Answer::Further);
        for hook in initial.into_iter().chain(&self.headers) {
            if catch_unwind(AssertUnwindSafe(|| hook(headers, request))).is_err() {
                tracing::error!("a hook for headers panicked");
            }
        }
    }

    /// Tells that a request was refused.
    pub(super) fn report(&self, kind: &ConnectionErrorKind, request: &Parts) {
        let Some(hook) = &self.on_connection_error else { return };
        let kind = kind.clone();
        let error = ConnectionError { request, kind };
        if catch_unwind(AssertUnwindSafe(|| hook(&error))).is_err() {
            tracing::error!("an on_connection_error hook panicked");
        }
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("allow_request", &self.allow_request.is_some())
            .field("generate_id", &self.generate_id.is_some())
            .field("cookie", &self.cookie)
            .field("initial_headers", &self.initial_headers.is_some())
            .field("headers", &self.headers.is_some())
            .field("on_connection_error", &self.on_connection_error.is_some())
            .finish()
    }
}
