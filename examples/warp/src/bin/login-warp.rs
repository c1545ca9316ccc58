//! Logging in by an ordinary form, and sockets that know who did: warp with a cookie and a table.
//!
//! Run it, from the root of the repository:
//!
//! ```sh
//! npm ci --prefix examples/chat   # once: the Socket.IO client for the page
//! cargo run --bin login-warp
//! ```
//!
//! and open <http://127.0.0.1:3000> in two tabs: the page shows who may log in. `PORT` and `HOST` in
//! the environment change the address; port 0 takes a free one.
//!
//! Here is what the session has to do with the sockets. The users, the page and who is online are in
//! `examples/login`. `login-warp-tower` does the same with tower-sessions.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use login::{Colour, Credentials, LOGGED_OUT, Online, User};
use tokio::net::TcpListener;
use warp::{
    Filter, Reply,
    filters::BoxedFilter,
    http::{StatusCode, Uri, header::SET_COOKIE},
    reply::{Response, html, with_header, with_status},
};
use warp_socketio::{Ack, Data, EventError, Extension, Refusal, Socket, SocketIo, State};

#[tokio::main]
async fn main() -> start::Outcome {
    let io = login::socket_io()?;
    io.of("/").with(authenticate).on("colour", colour);

    let session = Sessions::default().filter();
    let app = warp_socketio::filter_with(&io, session.clone())
        .or(pages(io.clone(), session))
        .or(warp::fs::dir(login::PUBLIC));

    let listener = TcpListener::from_std(start::listen()?)?;
    warp::serve(app)
        .incoming(listener)
        .graceful(io.close_on_signal())
        .run()
        .await;
    Ok(())
}

/// The session is that of the request which the connection began with.
async fn authenticate(socket: Socket, Extension(session): Extension<Session>) -> Result<(), Refusal> {
    login::let_in(&socket, session.user())
}

async fn colour(
    socket: Socket,
    Extension(session): Extension<Session>,
    State(online): State<Online>,
    Data(colour): Data<Colour>,
) -> Result<Ack<Colour>, EventError> {
    let user = session.recolour(colour).ok_or(EventError::new(LOGGED_OUT))?;
    online.recolour(&socket.namespace(), &user);
    Ok(Ack(user.colour))
}

fn pages(io: SocketIo, session: BoxedFilter<(Session,)>) -> BoxedFilter<(impl Reply,)> {
    let front = warp::path::end()
        .and(warp::get())
        .and(session.clone())
        .map(|session: Session| html(login::front(session.user().as_ref())));

    let log_in = warp::path!("login")
        .and(warp::post())
        .and(session.clone())
        .and(warp::body::content_length_limit(1024))
        .and(warp::body::form())
        .map(log_in);

    let log_out = warp::path!("logout")
        .and(warp::post())
        .and(session)
        .map(move |session| log_out(session, &io));

    front.or(log_in).or(log_out).boxed()
}

fn log_in(session: Session, credentials: Credentials) -> Response {
    let Some(user) = login::check(&credentials) else {
        return with_status(html(login::refused()), StatusCode::FORBIDDEN).into_response();
    };
    // A token that was known before, to whomever, is worth nothing afterwards.
    session.end();
    let token = session.sessions.begin(user);
    // Behind TLS it is `Secure`, too.
    let cookie = format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Lax");
    with_header(home(), SET_COOKIE, cookie).into_response()
}

/// First the session, so that no socket gets in again with it.
fn log_out(session: Session, io: &SocketIo) -> Response {
    if let Some(user) = session.end() {
        io.to(user.room()).disconnect_sockets(true);
    }
    let cookie = format!("{COOKIE}=; Path=/; Max-Age=0");
    with_header(home(), SET_COOKIE, cookie).into_response()
}

fn home() -> impl Reply {
    warp::redirect::see_other(Uri::from_static("/"))
}

const COOKIE: &str = "session";

/// Who is logged in, by the tokens in the cookies. Here sessions end by logging out only; a real table
/// also forgets them after their time.
#[derive(Clone, Default)]
struct Sessions(Arc<Mutex<HashMap<String, User>>>);

impl Sessions {
    /// The session of a request.
    fn filter(self) -> BoxedFilter<(Session,)> {
        let session = move |token| Session {
            sessions: self.clone(),
            token,
        };
        warp::cookie::optional(COOKIE).map(session).boxed()
    }

    fn begin(&self, user: User) -> String {
        let token = format!("{:032x}", rand::random::<u128>());
        self.lock().insert(token.clone(), user);
        token
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, User>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session in the table, or none.
#[derive(Clone)]
struct Session {
    sessions: Sessions,
    token: Option<String>,
}

impl Session {
    fn user(&self) -> Option<User> {
        self.sessions.lock().get(self.token.as_ref()?).cloned()
    }

    fn recolour(&self, colour: Colour) -> Option<User> {
        let mut sessions = self.sessions.lock();
        let user = sessions.get_mut(self.token.as_ref()?)?;
        user.colour = colour;
        Some(user.clone())
    }

    fn end(&self) -> Option<User> {
        self.sessions.lock().remove(self.token.as_ref()?)
    }
}
