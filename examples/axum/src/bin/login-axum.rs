//! Logging in by an ordinary form, and sockets that know who did: axum with tower-sessions.
//!
//! Run it, from the root of the repository:
//!
//! ```sh
//! npm ci --prefix examples/chat   # once: the Socket.IO client for the page
//! cargo run --bin login-axum
//! ```
//!
//! and open <http://127.0.0.1:3000> in two tabs: the page shows who may log in. `PORT` and `HOST` in
//! the environment change the address; port 0 takes a free one.
//!
//! Here is what the session has to do with the sockets. The users, the page and who is online are in
//! `examples/login`.

use axum::{
    Form, Router,
    extract::State,
    http::StatusCode,
    response::{Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};
use axum_socketio::{Ack, Data, EventError, Extension, Refusal, Socket, SocketIo};
use login::{Colour, Credentials, LOGGED_OUT, Online, USER, User};
use tokio::net::TcpListener;
use tower_http::services::ServeDir;
use tower_sessions::{MemoryStore, Session, SessionManagerLayer, cookie::SameSite};

#[tokio::main]
async fn main() -> start::Outcome {
    let io = login::socket_io()?;
    io.of("/").with(authenticate).on("colour", colour);

    let sessions = SessionManagerLayer::new(MemoryStore::default())
        .with_same_site(SameSite::Lax)
        .with_secure(false); // Here it is plain HTTP. Leave this out behind TLS.
    let app = Router::new()
        .route("/", get(front))
        .route("/login", post(log_in))
        .route("/logout", post(log_out))
        .merge(axum_socketio::mount(&io))
        .layer(sessions)
        .fallback_service(ServeDir::new(login::PUBLIC))
        .with_state(io.clone());

    let listener = TcpListener::from_std(start::listen()?)?;
    axum::serve(listener, app)
        .with_graceful_shutdown(io.close_on_signal())
        .await?;
    Ok(())
}

/// The session is that of the request which the connection began with.
async fn authenticate(socket: Socket, Extension(session): Extension<Session>) -> Result<(), Refusal> {
    login::let_in(&socket, session.get(USER).await?)
}

/// Loaded anew, since requests have changed it meanwhile, and saved here, since no response will.
async fn colour(
    socket: Socket,
    Extension(session): Extension<Session>,
    axum_socketio::State(online): axum_socketio::State<Online>,
    Data(colour): Data<Colour>,
) -> Result<Ack<Colour>, EventError> {
    session.load().await?;
    let mut user: User = session.get(USER).await?.ok_or(EventError::new(LOGGED_OUT))?;
    user.colour = colour;
    session.insert(USER, &user).await?;
    session.save().await?;
    online.recolour(&socket.namespace(), &user);
    Ok(Ack(user.colour))
}

async fn front(session: Session) -> Result<Html<String>, Failure> {
    let user: Option<User> = session.get(USER).await?;
    Ok(Html(login::front(user.as_ref())))
}

async fn log_in(session: Session, Form(credentials): Form<Credentials>) -> Result<Response, Failure> {
    let Some(user) = login::check(&credentials) else {
        return Ok((StatusCode::FORBIDDEN, Html(login::refused())).into_response());
    };
    // A session id that was known before, to whomever, is worth nothing afterwards.
    session.cycle_id().await?;
    session.insert(USER, user).await?;
    Ok(Redirect::to("/").into_response())
}

/// First the session, so that no socket gets in again with it.
async fn log_out(session: Session, State(io): State<SocketIo>) -> Result<Redirect, Failure> {
    let user: Option<User> = session.get(USER).await?;
    session.flush().await?;
    if let Some(user) = user {
        io.to(user.room()).disconnect_sockets(true);
    }
    Ok(Redirect::to("/"))
}

/// The store has failed.
struct Failure(tower_sessions::session::Error);

impl From<tower_sessions::session::Error> for Failure {
    fn from(error: tower_sessions::session::Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        eprintln!("{}", self.0);
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}
