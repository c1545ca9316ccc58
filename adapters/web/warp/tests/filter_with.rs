//! What filters find out about the client, told to its handlers.

use std::{
    collections::HashMap,
    convert::Infallible,
    future::ready,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use hyper::{Method, StatusCode};
use kit::{HANDSHAKE, serve};
use warp::{Filter, Rejection, reject::Reject};
use warp_socketio::{Ack, Cors, Extension, SocketIo, SocketIoBuilder};

mod kit;

const PAGE: &str = "http://page.example";

#[derive(Debug, Clone, PartialEq)]
struct User(String);

#[derive(Debug)]
struct NotLoggedIn;

impl Reject for NotLoggedIn {}

/// Its handlers ask who the client is.
fn who_server(builder: SocketIoBuilder) -> SocketIo {
    let io = builder.build();
    io.of("/")
        .on("who", async |Extension(User(name)): Extension<User>| Ack(name));
    io
}

/// A user by the cookie `session`, looked up in a store that takes its time.
fn session() -> impl Filter<Extract = (User,), Error = Rejection> + Clone {
    let store = Arc::new(HashMap::from([("1".to_owned(), User("ada".to_owned()))]));
    warp::cookie::optional("session").and_then(move |id: Option<String>| {
        let store = store.clone();
        async move {
            tokio::task::yield_now().await;
            let user = id.and_then(|id| store.get(&id).cloned());
            user.ok_or_else(|| warp::reject::custom(NotLoggedIn))
        }
    })
}

#[tokio::test]
async fn a_cookie_tells_the_handlers_who_it_is() {
    let io = who_server(SocketIo::builder());
    let user = warp::cookie("user").map(User);
    let server = serve(warp_socketio::filter_with(&io, user)).await;
    let ada: [(&str, &str); 1] = [("cookie", "theme=dark; user=ada")];
    let mut websocket = server.websocket_with("/socket.io/", &ada).await;
    websocket.say(r#"420["who"]"#).await;
    assert_eq!(websocket.hear().await, r#"430["ada"]"#);
    let mut polling = server.polling_with("/socket.io/", &ada).await;
    polling.say(r#"420["who"]"#).await;
    assert_eq!(polling.hear().await, r#"430["ada"]"#);
}

#[tokio::test]
async fn without_the_cookie_a_client_is_refused_and_other_filters_see_the_request() {
    let io = who_server(SocketIo::builder());
    let endpoint = warp_socketio::filter_with(&io, warp::cookie("user").map(User));
    let server = serve(endpoint.clone()).await;
    assert_eq!(server.get(HANDSHAKE).await.status(), StatusCode::BAD_REQUEST);
    let refused = server.try_websocket("/socket.io/", &[]).await;
    assert_eq!(refused.unwrap_err(), StatusCode::BAD_REQUEST);
    assert_eq!(io.clients_count(), 0);

    let login = warp::path!("socket.io").map(|| "log in first");
    assert_eq!(serve(endpoint.or(login)).await.text(HANDSHAKE).await, "log in first");
}

#[tokio::test]
async fn an_optional_cookie_lets_guests_in() {
    let io = SocketIo::builder().build();
    io.of("/")
        .on("who", async |Extension(user): Extension<Option<String>>| Ack(user));
    let server = serve(warp_socketio::filter_with(
        &io,
        warp::cookie::optional::<String>("user"),
    ))
    .await;
    for (cookie, who) in [("user=ada", r#"430["ada"]"#), ("theme=dark", "430[null]")] {
        let mut client = server.websocket_with("/socket.io/", &[("cookie", cookie)]).await;
        client.say(r#"420["who"]"#).await;
        assert_eq!(client.hear().await, who);
    }
}

#[tokio::test]
async fn a_rejection_of_ones_own_becomes_the_answer_that_recover_gives() {
    let io = who_server(SocketIo::builder());
    let explain = |rejection: Rejection| {
        ready(if rejection.find::<NotLoggedIn>().is_some() {
            Ok(warp::reply::with_status("log in first", StatusCode::UNAUTHORIZED))
        } else {
            Err(rejection)
        })
    };
    let server = serve(warp_socketio::filter_with(&io, session()).recover(explain)).await;
    for headers in [&[][..], &[("cookie", "session=2")]] {
        let answer = server.get_with(HANDSHAKE, headers).await;
        assert_eq!(
            (answer.status(), &answer.body()[..]),
            (StatusCode::UNAUTHORIZED, &b"log in first"[..])
        );
        let refused = server.try_websocket("/socket.io/", headers).await;
        assert_eq!(refused.unwrap_err(), StatusCode::UNAUTHORIZED);
    }
    assert_eq!(server.get("/other").await.status(), StatusCode::NOT_FOUND);
    let mut client = server.websocket_with("/socket.io/", &[("cookie", "session=1")]).await;
    client.say(r#"420["who"]"#).await;
    assert_eq!(client.hear().await, r#"430["ada"]"#);
}

#[tokio::test]
async fn it_is_asked_once_a_connection_and_not_for_requests_that_follow() {
    let io = who_server(SocketIo::builder());
    let asked = Arc::new(AtomicUsize::new(0));
    let counting = {
        let asked = asked.clone();
        warp::any().map(move || {
            let nth = asked.fetch_add(1, Ordering::Relaxed) + 1;
            User(format!("number {nth}"))
        })
    };
    let server = serve(warp_socketio::filter_with(&io, counting)).await;

    let mut polling = server.polling("/socket.io/").await;
    let (mut websocket, _) = server.raw_websocket(&polling.upgrade_url(), &[]).await.unwrap();
    websocket.say("2probe").await;
    assert_eq!(websocket.hear().await, "3probe");
    assert_eq!(polling.hear().await, "6");
    websocket.say("5").await;
    websocket.say(r#"420["who"]"#).await;
    assert_eq!(websocket.hear().await, r#"430["number 1"]"#);
    server.get("/other").await;
    assert_eq!(asked.load(Ordering::Relaxed), 1);

    server.websocket("/socket.io/").await;
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn preflights_which_have_no_cookies_are_answered() {
    let io = who_server(SocketIo::builder().cors(Cors::origins([PAGE]).credentials(true)));
    let server = serve(warp_socketio::filter_with(&io, session())).await;
    let headers = [("origin", PAGE), ("access-control-request-method", "GET")];
    let answer = server.ask(Method::OPTIONS, HANDSHAKE, &headers).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert_eq!(answer.headers()["access-control-allow-origin"], PAGE);
}

#[tokio::test]
async fn requests_to_no_transport_are_told_so_whoever_sends_them() {
    let io = who_server(SocketIo::builder());
    let server = serve(warp_socketio::filter_with(&io, session())).await;
    let answer = server.get("/socket.io/?EIO=4&transport=pigeon").await;
    assert_eq!(answer.body(), r#"{"code":0,"message":"Transport unknown"}"#);
}

#[tokio::test]
async fn filters_that_recovered_from_everything_are_taken_too() {
    let io = who_server(SocketIo::builder());
    let guest = |_: Rejection| ready(Ok::<_, Infallible>(User("guest".to_owned())));
    let user = session().or_else(move |rejection| {
        let guest = guest(rejection);
        async move { guest.await.map(|user| (user,)) }
    });
    let server = serve(warp_socketio::filter_with(&io, user)).await;
    let mut client = server.websocket("/socket.io/").await;
    client.say(r#"420["who"]"#).await;
    assert_eq!(client.hear().await, r#"430["guest"]"#);
}
