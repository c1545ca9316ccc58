//! Logging in by an ordinary form, and sockets that know who did: actix-web with actix-session.
//!
//! Run it, from the root of the repository:
//!
//! ```sh
//! npm ci --prefix examples/chat   # once: the Socket.IO client for the page
//! cargo run --bin login-actix-web
//! ```
//!
//! and open <http://127.0.0.1:3000> in two tabs: the page shows who may log in. `PORT` and `HOST` in
//! the environment change the address; port 0 takes a free one.
//!
//! Here is what the session has to do with the sockets. A `Session` lives as long as its request, on
//! that request's thread; so handlers of sockets go to the store instead. That is in `sessions.rs`; the
//! users, the page and who is online are in `examples/login`.

mod sessions;

use actix_files::Files;
use actix_session::{Session, SessionMiddleware};
use actix_socketio::{Ack, Data, EventError, Extension, Refusal, Socket, SocketIo, State};
use actix_web::{
    App, Either, HttpServer, Responder, Result,
    cookie::Key,
    get,
    http::StatusCode,
    post,
    web::{self, Form, Html, Redirect},
};
use login::{Colour, Credentials, LOGGED_OUT, Online, USER, User};

use crate::sessions::{Sessions, Stored};

#[actix_web::main]
async fn main() -> start::Outcome {
    let io = login::socket_io()?;
    io.of("/").with(authenticate).on("colour", colour);

    let stopped = io.close_on_signal();
    let sessions = Sessions::default();
    let key = Key::generate();
    let app = move || {
        // The cookie is HttpOnly and SameSite=Lax by default.
        let cookies = SessionMiddleware::builder(sessions.clone(), key.clone())
            .cookie_secure(false) // Here it is plain HTTP. Leave this out behind TLS.
            .build();
        App::new()
            .app_data(web::Data::new(io.clone()))
            .app_data(web::Data::new(sessions.clone()))
            .service(front)
            .service(log_in)
            .service(log_out)
            .service(actix_socketio::scope(&io).extension(stored))
            .service(Files::new("/", login::PUBLIC))
            .wrap(cookies)
    };

    HttpServer::new(app)
        .h1_allow_half_closed(false) // So that who leaves during a poll has left at once, not at its end.
        .listen(start::listen()?)?
        .shutdown_signal(stopped)
        .run()
        .await?;
    Ok(())
}

/// From the request that a connection begins with, for the connection's handlers.
async fn stored(session: Session, sessions: web::Data<Sessions>) -> Stored {
    sessions.find(&session)
}

async fn authenticate(socket: Socket, Extension(session): Extension<Stored>) -> Result<(), Refusal> {
    login::let_in(&socket, session.user()?)
}

/// Written to the store, since no response will.
async fn colour(
    socket: Socket,
    Extension(session): Extension<Stored>,
    State(online): State<Online>,
    Data(colour): Data<Colour>,
) -> Result<Ack<Colour>, EventError> {
    let mut user = session.user()?.ok_or(EventError::new(LOGGED_OUT))?;
    user.colour = colour;
    session.save(&user)?;
    online.recolour(&socket.namespace(), &user);
    Ok(Ack(user.colour))
}

#[get("/")]
async fn front(session: Session) -> Result<Html> {
    let user: Option<User> = session.get(USER)?;
    Ok(Html::new(login::front(user.as_ref())))
}

#[post("/login")]
async fn log_in(session: Session, Form(credentials): Form<Credentials>) -> Result<impl Responder> {
    let Some(user) = login::check(&credentials) else {
        let page = Html::new(login::refused()).customize();
        return Ok(Either::Left(page.with_status(StatusCode::FORBIDDEN)));
    };
    // A session key that was known before, to whomever, is worth nothing afterwards.
    session.renew();
    session.insert(USER, user)?;
    Ok(Either::Right(Redirect::to("/").see_other()))
}

/// First the session, so that no socket gets in again with it. `purge` alone deletes it after this.
#[post("/logout")]
async fn log_out(session: Session, sessions: web::Data<Sessions>, io: web::Data<SocketIo>) -> Result<impl Responder> {
    let stored = sessions.find(&session);
    session.purge();
    if let Some(user) = stored.end()? {
        io.to(user.room()).disconnect_sockets(true);
    }
    Ok(Redirect::to("/").see_other())
}
