//! tower-sessions around the endpoint and warp's routes: both have the client's session.

use hyper::{StatusCode, header::SET_COOKIE};
use kit::{client::Server, serve_service};
use tower::{Layer as _, ServiceBuilder};
use tower_sessions::{MemoryStore, Session, SessionManagerLayer};
use warp::{Filter, Reply, filters::BoxedFilter};
use warp_socketio::{Ack, Data, EventError, Extension, Refusal, Socket, SocketIo};

mod kit;

#[tokio::test]
async fn who_logged_in_by_a_route_is_known_to_the_connect_handler() {
    let server = serve_with_sessions().await;
    let cookie = log_in(server, "ada").await;
    let headers = [("cookie", &*cookie)];
    let mut websocket = server.websocket_with("/socket.io/", &headers).await;
    websocket.say(r#"420["who"]"#).await;
    assert_eq!(websocket.hear().await, r#"430["ada"]"#);
    let mut polling = server.polling_with("/socket.io/", &headers).await;
    polling.say(r#"420["who"]"#).await;
    assert_eq!(polling.hear().await, r#"430["ada"]"#);
}

#[tokio::test]
async fn who_did_not_log_in_is_refused() {
    let server = serve_with_sessions().await;
    for headers in [&[][..], &[("cookie", "id=AAAAAAAAAAAAAAAAAAAAAA")]] {
        let mut client = server.try_websocket("/socket.io/", headers).await.unwrap();
        assert!(client.hear().await.starts_with("0{"));
        client.say("40").await;
        assert_eq!(client.hear().await, r#"44{"message":"log in first"}"#);
    }
}

#[tokio::test]
async fn what_a_handler_saves_in_the_session_the_next_request_sees() {
    let server = serve_with_sessions().await;
    let cookie = log_in(server, "ada").await;
    let headers = [("cookie", &*cookie)];
    let mut client = server.websocket_with("/socket.io/", &headers).await;
    client.say(r#"420["choose","dark"]"#).await;
    assert_eq!(client.hear().await, "430[true]");
    assert_eq!(server.get_with("/theme", &headers).await.body(), "dark");
}

#[tokio::test]
async fn what_a_route_saves_in_the_session_a_handler_sees_once_it_has_loaded_it() {
    let server = serve_with_sessions().await;
    let cookie = log_in(server, "ada").await;
    let headers = [("cookie", &*cookie)];
    let mut client = server.websocket_with("/socket.io/", &headers).await;
    assert_eq!(server.post("/theme/light", &headers, "").await.status(), StatusCode::OK);
    client.say(r#"420["theme"]"#).await;
    assert_eq!(client.hear().await, r#"430[[null,"light"]]"#);
}

#[tokio::test]
async fn a_session_reaches_the_handlers_by_the_filter_too() {
    let (io, routes) = app();
    let endpoint = warp_socketio::filter_with(&io, warp::ext::get::<Session>());
    let sessions = SessionManagerLayer::new(MemoryStore::default());
    let server = serve_service(sessions.layer(warp::service(endpoint.or(routes)))).await;
    let cookie = log_in(server, "ada").await;
    let headers = [("cookie", &*cookie)];
    let mut client = server.websocket_with("/socket.io/", &headers).await;
    client.say(r#"420["who"]"#).await;
    assert_eq!(client.hear().await, r#"430["ada"]"#);
    client.say(r#"420["choose","dark"]"#).await;
    assert_eq!(client.hear().await, "430[true]");
    assert_eq!(server.get_with("/theme", &headers).await.body(), "dark");
}

/// An endpoint for those who have logged in, and routes that change sessions.
fn app() -> (SocketIo, BoxedFilter<(impl Reply,)>) {
    let io = SocketIo::builder().build();
    io.of("/")
        .on_connect(async |socket: Socket, Extension(session): Extension<Session>| {
            let user: Option<String> = session.get("user").await?;
            socket.insert(user.ok_or_else(|| Refusal::new("log in first"))?);
            Ok::<_, Refusal>(())
        })
        .on("who", async |socket: Socket| Ack(socket.get::<String>()))
        .on(
            "choose",
            async |Extension(session): Extension<Session>, Data(theme): Data<String>| {
                session.insert("theme", theme).await?;
                session.save().await?;
                Ok::<_, EventError>(Ack(true))
            },
        )
        .on("theme", async |Extension(session): Extension<Session>| {
            let before: Option<String> = session.get("theme").await?;
            session.load().await?;
            let after: Option<String> = session.get("theme").await?;
            Ok::<_, EventError>(Ack((before, after)))
        });
    let log_in =
        warp::path!("login" / String)
            .and(warp::ext::get::<Session>())
            .then(async |name: String, session: Session| {
                session.insert("user", name).await.unwrap();
                "welcome"
            });
    let choose = warp::path!("theme" / String)
        .and(warp::post())
        .and(warp::ext::get::<Session>())
        .then(async |theme: String, session: Session| {
            session.insert("theme", theme).await.unwrap();
            "chosen"
        });
    let theme = warp::path!("theme")
        .and(warp::ext::get::<Session>())
        .then(async |session: Session| session.get::<String>("theme").await.unwrap().unwrap_or_default());
    (io, log_in.or(choose).or(theme).boxed())
}

/// The endpoint as a layer, beneath sessions.
async fn serve_with_sessions() -> Server {
    let (io, routes) = app();
    let app = ServiceBuilder::new()
        .layer(SessionManagerLayer::new(MemoryStore::default()))
        .layer(io.layer())
        .service(warp::service(routes));
    serve_service(app).await
}

/// The cookie of a new session.
async fn log_in(server: Server, name: &str) -> String {
    let answer = server.post(&format!("/login/{name}"), &[], "").await;
    assert_eq!(answer.body(), "welcome");
    let cookie = answer.headers()[SET_COOKIE].to_str().unwrap();
    cookie.split_once(';').unwrap().0.to_owned()
}
