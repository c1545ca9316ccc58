//! Logging in by an ordinary form, and sockets that know who did: warp with tower-sessions.
//!
//! Run it, from the root of the repository:
//!
//! ```sh
//! npm ci --prefix examples/chat   # once: the Socket.IO client for the page
//! cargo run --bin login-warp-tower
//! ```
//!
//! and open <http://127.0.0.1:3000> in two tabs: the page shows who may log in. `PORT` and `HOST` in
//! the environment change the address; port 0 takes a free one.
//!
//! warp's own server takes no layers of tower's. But its filters are a tower service, and so is what
//! layers make of it; hyper-util serves that. The users, the page and who is online are in
//! `examples/login`.

use std::{pin::pin, time::Duration};

use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use login::{Colour, Credentials, LOGGED_OUT, Online, USER, User};
use tokio::{net::TcpListener, time::timeout};
use tower::ServiceBuilder;
use tower_sessions::{MemoryStore, Session, SessionManagerLayer, cookie::SameSite, session};
use warp::{
    Filter, Reply,
    filters::BoxedFilter,
    http::{StatusCode, Uri},
    reply::{Response, html, with_status},
};
use warp_socketio::{Ack, Data, EventError, Extension, Refusal, Socket, SocketIo, State};

/// For requests to end after the signal.
const GRACE: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> start::Outcome {
    let io = login::socket_io()?;
    io.of("/").with(authenticate).on("colour", colour);

    let sessions = SessionManagerLayer::new(MemoryStore::default())
        .with_same_site(SameSite::Lax)
        .with_secure(false); // Here it is plain HTTP. Leave this out behind TLS.
    let app = ServiceBuilder::new()
        .layer(sessions)
        .layer(io.layer())
        .service(warp::service(pages(io.clone()).or(warp::fs::dir(login::PUBLIC))));

    let listener = TcpListener::from_std(start::listen()?)?;
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()); // Heads of requests that never end are given up.
    server.http2().enable_connect_protocol(); // WebSocket over HTTP/2.
    let connections = GracefulShutdown::new();
    let mut stopped = pin!(io.close_on_signal());
    loop {
        let (stream, _) = tokio::select! {
            accepted = start::accept(&listener) => accepted,
            () = &mut stopped => break,
        };
        let app = TowerToHyperService::new(app.clone());
        let connection = server.serve_connection_with_upgrades(TokioIo::new(stream), app);
        tokio::spawn(connections.watch(connection.into_owned()));
    }
    // Sockets are closed and polls answered: what goes on now is other requests.
    let _ = timeout(GRACE, connections.shutdown()).await;
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
    State(online): State<Online>,
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

fn pages(io: SocketIo) -> BoxedFilter<(impl Reply,)> {
    let session = warp::ext::get::<Session>();

    let front = warp::path::end()
        .and(warp::get())
        .and(session)
        .then(async |session| answer(front(session).await));

    let log_in = warp::path!("login")
        .and(warp::post())
        .and(session)
        .and(warp::body::content_length_limit(1024))
        .and(warp::body::form())
        .then(async |session, credentials| answer(log_in(session, credentials).await));

    let log_out = warp::path!("logout")
        .and(warp::post())
        .and(session)
        .and(warp::any().map(move || io.clone()))
        .then(async |session, io| answer(log_out(session, io).await));

    front.or(log_in).or(log_out).boxed()
}

async fn front(session: Session) -> Result<Response, session::Error> {
    let user: Option<User> = session.get(USER).await?;
    Ok(html(login::front(user.as_ref())).into_response())
}

async fn log_in(session: Session, credentials: Credentials) -> Result<Response, session::Error> {
    let Some(user) = login::check(&credentials) else {
        return Ok(with_status(html(login::refused()), StatusCode::FORBIDDEN).into_response());
    };
    // A session id that was known before, to whomever, is worth nothing afterwards.
    session.cycle_id().await?;
    session.insert(USER, user).await?;
    Ok(home())
}

/// First the session, so that no socket gets in again with it.
async fn log_out(session: Session, io: SocketIo) -> Result<Response, session::Error> {
    let user: Option<User> = session.get(USER).await?;
    session.flush().await?;
    if let Some(user) = user {
        io.to(user.room()).disconnect_sockets(true);
    }
    Ok(home())
}

fn home() -> Response {
    warp::redirect::see_other(Uri::from_static("/")).into_response()
}

fn answer(result: Result<Response, session::Error>) -> Response {
    result.unwrap_or_else(|error| {
        eprintln!("{error}");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    })
}
