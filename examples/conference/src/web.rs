//! What is ordinary HTTP: the two pages, and the forms that begin and end a session.

use warp::{
    Filter, Reply,
    filters::BoxedFilter,
    http::{StatusCode, Uri, header::SET_COOKIE},
    reply::{Response, html, with_header, with_status},
};
use warp_socketio::SocketIo;

use crate::accounts::{Accounts, COOKIE, Credentials, Session};

/// A name and a password of the longest, with every letter escaped.
const LONGEST_FORM: u64 = 4096;

pub(crate) fn pages(io: &SocketIo, accounts: &Accounts) -> BoxedFilter<(impl Reply + use<>,)> {
    let session = accounts.session();
    let form = accounts
        .session()
        .and(with(io))
        .and(with(accounts))
        .and(warp::body::content_length_limit(LONGEST_FORM))
        .and(warp::body::form());

    let front = warp::path::end().and(warp::get()).and(session.clone()).map(front);
    let register = warp::path!("register")
        .and(warp::post())
        .and(form.clone())
        .then(register);
    let log_in = warp::path!("login").and(warp::post()).and(form).then(log_in);
    let log_out = warp::path!("logout")
        .and(warp::post())
        .and(session)
        .and(with(io))
        .map(log_out);
    front.or(register).or(log_in).or(log_out).boxed()
}

fn with<T: Clone + Send + Sync + 'static>(value: &T) -> BoxedFilter<(T,)> {
    let value = value.clone();
    warp::any().map(move || value.clone()).boxed()
}

/// The board for who has logged in, and the form for who has not.
fn front(session: Session) -> Response {
    let page = match session.user() {
        Some(user) => format!(include_str!("../pages/board.html"), name = escaped(&user.name)),
        None => form("", ""),
    };
    // It is another one after a log-out.
    with_header(html(page), "cache-control", "no-store").into_response()
}

async fn register(session: Session, io: SocketIo, accounts: Accounts, credentials: Credentials) -> Response {
    let name = credentials.name.clone();
    match accounts.register(credentials).await {
        Ok(token) => begun(&session, &io, &token),
        Err(why) => with_status(html(form(why, &name)), StatusCode::UNPROCESSABLE_ENTITY).into_response(),
    }
}

async fn log_in(session: Session, io: SocketIo, accounts: Accounts, credentials: Credentials) -> Response {
    let name = credentials.name.clone();
    match accounts.log_in(credentials).await {
        Ok(token) => begun(&session, &io, &token),
        Err(why) => with_status(html(form(why, &name)), StatusCode::FORBIDDEN).into_response(),
    }
}

fn begun(old: &Session, io: &SocketIo, token: &str) -> Response {
    // A token that was known before, to whomever, is worth nothing afterwards.
    end(old, io);
    // Behind TLS it is `Secure`, too.
    let cookie = format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Lax");
    with_header(home(), SET_COOKIE, cookie).into_response()
}

fn log_out(session: Session, io: SocketIo) -> Response {
    end(&session, &io);
    let cookie = format!("{COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
    with_header(home(), SET_COOKIE, cookie).into_response()
}

/// First the session, so that no socket gets in again with it. Who has another one, in another browser,
/// gets in again with that.
fn end(session: &Session, io: &SocketIo) {
    if let Some(user) = session.end() {
        io.of("/board").to(user.name.room()).disconnect_sockets(true);
    }
}

fn home() -> impl Reply {
    warp::redirect::see_other(Uri::from_static("/"))
}

fn form(error: &str, name: &str) -> String {
    format!(
        include_str!("../pages/login.html"),
        error = escaped(error),
        name = escaped(name)
    )
}

/// As text of a page, or of an attribute in quotes.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_comes_back_as_text() {
        let page = form("no <b>", r#""><script>&"#);
        assert!(page.contains("&quot;&gt;&lt;script&gt;&amp;") && page.contains("no &lt;b&gt;"));
        assert!(!page.contains("><script>&"));
    }
}
