//! Ordinary requests: logging in and out.

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{
        HeaderMap, StatusCode,
        header::{COOKIE, ORIGIN, SET_COOKIE},
    },
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use axum_socketio::SocketIo;
use login::{Credentials, User};

use crate::sessions::{self, Sessions, Token};

#[derive(Clone)]
pub(crate) struct Api {
    io: SocketIo,
    sessions: Sessions,
    origin: String,
}

impl Api {
    pub(crate) fn new(io: SocketIo, sessions: Sessions, origin: &str) -> Self {
        let origin = origin.to_owned();
        Self { io, sessions, origin }
    }

    pub(crate) fn routes(self) -> Router {
        Router::new()
            .route("/me", get(me))
            .route("/login", post(log_in))
            .route("/logout", post(log_out))
            .layer(DefaultBodyLimit::max(1_000))
            .layer(middleware::from_fn_with_state(self.clone(), refuse_strangers))
            .with_state(self)
    }

    fn session(&self, headers: &HeaderMap) -> Option<(Token, User)> {
        let cookies = headers.get_all(COOKIE).iter().filter_map(|header| header.to_str().ok());
        let pairs = cookies.flat_map(|header| header.split(';'));
        let mut values = pairs.filter_map(|pair| pair.trim().strip_prefix(sessions::COOKIE)?.strip_prefix('='));
        values.find_map(|value| self.sessions.get(value))
    }

    /// Ends the session, and its sockets with it: first the session, so that no socket gets in again by it.
    fn end(&self, headers: &HeaderMap) {
        if let Some((token, _)) = self.session(headers) {
            self.sessions.end(&token);
            self.io.of("/desk").to(token.room()).disconnect_sockets(true);
        }
    }
}

/// CORS keeps answers from a stranger's page; this keeps the page from acting in the user's name, since a cookie comes
/// along with simple requests whatever CORS says.
async fn refuse_strangers(State(api): State<Api>, request: Request, next: Next) -> Response {
    match request.headers().get(ORIGIN) {
        Some(origin) if *origin != api.origin => {
            let why = format!("only pages of {} may use this", api.origin);
            (StatusCode::FORBIDDEN, why).into_response()
        }
        _ => next.run(request).await,
    }
}

async fn me(State(api): State<Api>, headers: HeaderMap) -> Result<Json<String>, StatusCode> {
    let (_, user) = api.session(&headers).ok_or(StatusCode::UNAUTHORIZED)?;
    Ok(Json(user.name))
}

async fn log_in(State(api): State<Api>, headers: HeaderMap, Json(credentials): Json<Credentials>) -> Response {
    let Some(user) = login::check(&credentials) else {
        return (StatusCode::FORBIDDEN, "No user has this name and this password.").into_response();
    };
    api.end(&headers);
    let name = Json(user.name.clone());
    let cookie = api.sessions.begin(user).cookie();
    ([(SET_COOKIE, cookie)], name).into_response()
}

async fn log_out(State(api): State<Api>, headers: HeaderMap) -> impl IntoResponse {
    api.end(&headers);
    (StatusCode::NO_CONTENT, [(SET_COOKIE, Token::no_cookie())])
}
