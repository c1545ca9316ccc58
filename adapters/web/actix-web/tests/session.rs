//! What handlers know of the request that a connection began with, and the state they share with
//! the rest of the application.

#[macro_use]
mod kit;

use std::{
    collections::HashMap,
    future::ready,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use actix_identity::{Identity, IdentityMiddleware};
use actix_session::{
    Session, SessionMiddleware,
    config::CookieContentSecurity,
    storage::{CookieSessionStore, LoadError, SaveError, SessionKey, SessionStore, UpdateError},
};
use actix_socketio::{Ack, Cors, Data, Extension, Handshake, Socket, SocketIo, State, scope};
use actix_web::{
    App, HttpMessage as _, HttpRequest, HttpResponse, Responder,
    cookie::{Cookie, CookieJar, Key, time::Duration},
    web,
};
use http::{Method, StatusCode};
use kit::{HANDSHAKE, Server, all, echo_server, request, text};

// ---- The request ----

#[tokio::test]
async fn the_handshake_has_the_requests_address_headers_cookies_and_query() {
    let io = SocketIo::builder().build();
    io.of("/").on("head", async |handshake: Handshake| {
        let headers = handshake.headers();
        Ack((
            handshake.peer_addr(),
            headers.get("accept-language").map(str::to_owned),
            [headers.cookie("theme"), headers.cookie("id")].map(|value| value.map(str::to_owned)),
            handshake.query_value("room").map(String::from),
        ))
    });
    let server = serve!(App::new().service(web::scope("/api").service(scope(&io))));
    let headers = [
        ("accept-language", "eo"),
        ("cookie", "theme=dark"),
        ("cookie", "a=b; id=7"),
    ];
    let expected = |addr: String| serde_json::json!([[addr, "eo", ["dark", "7"], "a b"]]);

    let mut websocket = server.websocket_with("/api/socket.io/?room=a%20b", &headers).await;
    let addr = websocket.inner.get_ref().local_addr().unwrap();
    websocket.say(r#"420["head"]"#).await;
    let known = websocket.hear().await;
    assert_eq!(known, format!("430{}", expected(addr.to_string())));

    let mut polling = server.polling_with("/api/socket.io/?room=a%20b", &headers).await;
    polling.say(r#"420["head"]"#).await;
    let known: serde_json::Value = serde_json::from_str(&polling.hear().await[3..]).unwrap();
    let addr = known[0][0].as_str().unwrap();
    assert!(addr.starts_with("127.0.0.1:"), "{addr}");
    assert_eq!(known, expected(addr.to_owned()));
}

// ---- Extensions ----

#[derive(Debug, Clone)]
struct Host(String);

#[derive(Debug, Clone)]
struct Greeting(String);

#[tokio::test]
async fn handlers_see_what_extensions_made_of_the_request_and_of_the_applications_data() {
    let io = SocketIo::builder().build();
    io.of("/").on(
        "ask",
        async |Extension(Host(host)): Extension<Host>, Extension(Greeting(greeting)): Extension<Greeting>| {
            Ack(format!("{greeting}, {host}"))
        },
    );
    let server = serve!(
        App::new().app_data(web::Data::new("welcome to".to_owned())).service(
            scope(&io)
                .extension(async |request: HttpRequest| Host(request.connection_info().host().to_owned()))
                .extension(async |greeting: web::Data<String>| Greeting(greeting.to_string()))
        )
    );
    let headers = [("x-forwarded-host", "here")];
    let mut websocket = server.websocket_with("/socket.io/", &headers).await;
    assert_eq!(websocket.ask("ask").await, "welcome to, here");
    let mut polling = server.polling_with("/socket.io/", &headers).await;
    assert_eq!(polling.ask("ask").await, "welcome to, here");
}

#[tokio::test]
async fn an_extension_runs_once_for_a_connection() {
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = runs.clone();
    let io = echo_server();
    let server = serve!(App::new().service(scope(&io).extension({
        let counted = counted.clone();
        move || ready(counted.fetch_add(1, SeqCst))
    })));
    let mut polling = server.polling("/socket.io/").await;
    assert_eq!(polling.echo("more requests").await, "more requests");
    let mut websocket = server.raw_websocket(&polling.upgrade_url(), &[]).await.unwrap();
    websocket.take_over(&mut polling).await;
    assert_eq!(websocket.echo("upgraded").await, "upgraded");
    assert_eq!(runs.load(SeqCst), 1);

    server.websocket("/socket.io/").await;
    assert_eq!(runs.load(SeqCst), 2);
}

#[tokio::test]
async fn an_extractor_that_fails_refuses_the_handshake_with_its_own_response() {
    #[derive(serde::Deserialize)]
    struct Query {
        token: u32,
    }
    #[derive(Clone)]
    struct Token;
    let io = echo_server();
    let mounted = io.clone();
    let server = serve!(
        App::new()
            .app_data(web::QueryConfig::default().error_handler(|_, _| {
                let refusal = HttpResponse::PaymentRequired()
                    .insert_header(("x-why", "token"))
                    .body("no token");
                actix_web::error::InternalError::from_response("no token", refusal).into()
            }))
            .service(scope(&mounted).extension(async |query: web::Query<Query>| {
                assert_eq!(query.token, 7);
                Token
            }))
    );
    let refused = server.get(HANDSHAKE).await;
    assert_eq!(refused.status(), StatusCode::PAYMENT_REQUIRED);
    assert_eq!(refused.headers()["x-why"], "token");
    assert_eq!(text(refused), "no token");
    let refused = server.try_websocket("/socket.io/", &[]).await;
    assert_eq!(refused.unwrap_err(), StatusCode::PAYMENT_REQUIRED);
    assert_eq!(io.clients_count(), 0);

    server.has_endpoint("/socket.io/?token=7").await;
}

#[tokio::test]
async fn a_preflight_is_answered_without_the_extensions() {
    const PAGE: &str = "http://page.example";
    let io = SocketIo::builder().cors(Cors::origins([PAGE])).build();
    let server = serve!(App::new().service(scope(&io).extension(async |token: web::ReqData<u32>| token.into_inner())));
    let preflight = request(Method::OPTIONS, HANDSHAKE)
        .header("origin", PAGE)
        .header("access-control-request-method", "GET")
        .header("access-control-request-headers", "authorization");
    let preflight = server.send(preflight.body(String::new()).unwrap()).await;
    assert_eq!(preflight.status(), StatusCode::NO_CONTENT);
    assert_eq!(all(preflight.headers(), "access-control-allow-origin"), [PAGE]);
    assert_eq!(
        all(preflight.headers(), "access-control-allow-headers"),
        ["authorization"]
    );
}

// ---- actix-session and actix-identity ----

/// Sessions by their keys, in memory, shared by the workers and by the handlers of sockets.
#[derive(Clone, Default)]
struct Sessions(Arc<Mutex<HashMap<String, HashMap<String, String>>>>);

impl SessionStore for Sessions {
    async fn load(&self, key: &SessionKey) -> Result<Option<HashMap<String, String>>, LoadError> {
        Ok(self.0.lock().unwrap().get(key.as_ref()).cloned())
    }

    async fn save(&self, session: HashMap<String, String>, ttl: &Duration) -> Result<SessionKey, SaveError> {
        let key = format!("session {}", self.0.lock().unwrap().len());
        let saved = self.update(key.try_into().unwrap(), session, ttl).await;
        Ok(saved.unwrap())
    }

    async fn update(
        &self,
        key: SessionKey,
        session: HashMap<String, String>,
        _: &Duration,
    ) -> Result<SessionKey, UpdateError> {
        self.0.lock().unwrap().insert(key.as_ref().to_owned(), session);
        Ok(key)
    }

    async fn update_ttl(&self, _: &SessionKey, _: &Duration) -> Result<(), anyhow::Error> {
        Ok(())
    }

    async fn delete(&self, key: &SessionKey) -> Result<(), anyhow::Error> {
        self.0.lock().unwrap().remove(key.as_ref());
        Ok(())
    }
}

const COOKIE: &str = "id";

fn key() -> Key {
    Key::from(&[7; 64])
}

fn sessions(store: &Sessions) -> SessionMiddleware<Sessions> {
    SessionMiddleware::new(store.clone(), key())
}

async fn log_in(session: Session, name: String) -> impl Responder {
    session.insert("user", name).unwrap();
    HttpResponse::NoContent()
}

/// Logs in by a request as a browser would: the cookie that it is given.
async fn cookie_of(server: &Server, user: &str) -> String {
    let request = request(Method::POST, "/login").body(user.to_owned()).unwrap();
    let response = server.send(request).await;
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    let cookie = response.headers()["set-cookie"].to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

async fn request_with(server: &Server, method: Method, url: &str, cookie: &str) -> String {
    let request = request(method, url).header("cookie", cookie);
    text(server.send(request.body(String::new()).unwrap()).await)
}

#[derive(Debug, Clone)]
struct User(Option<String>);

async fn user(session: Session) -> User {
    User(session.get("user").unwrap())
}

async fn who(Extension(User(name)): Extension<User>) -> Ack<Option<String>> {
    Ack(name)
}

#[tokio::test]
async fn handlers_see_the_session_as_it_was_when_the_connection_began() {
    let io = SocketIo::builder().build();
    io.of("/").on("who", who);
    let store = Sessions::default();
    let server = serve!(
        App::new()
            .wrap(sessions(&store))
            .route("/login", web::post().to(log_in))
            .service(scope(&io).extension(user))
    );
    let cookie = cookie_of(&server, "ada").await;
    let headers = [("cookie", &*cookie)];
    let mut websocket = server.websocket_with("/socket.io/", &headers).await;
    assert_eq!(websocket.ask("who").await, "ada");
    let mut polling = server.polling_with("/socket.io/", &headers).await;
    assert_eq!(polling.ask("who").await, "ada");
    let mut stranger = server.websocket("/socket.io/").await;
    assert_eq!(stranger.ask("who").await, serde_json::Value::Null);

    let login = request(Method::POST, "/login").header("cookie", &cookie);
    server.send(login.body("ben".to_owned()).unwrap()).await;
    assert_eq!(websocket.ask("who").await, "ada");
    let mut later = server.websocket_with("/socket.io/", &headers).await;
    assert_eq!(later.ask("who").await, "ben");
}

#[tokio::test]
async fn what_a_handler_writes_to_the_store_the_next_request_reads() {
    /// The key of a session, from its cookie.
    async fn session_key(request: HttpRequest) -> Option<String> {
        let mut jar = CookieJar::new();
        jar.add_original(request.cookie(COOKIE)?);
        let cookie: Option<Cookie<'_>> = jar.private(&key()).get(COOKIE);
        Some(cookie?.value().to_owned())
    }
    async fn choose(
        Data(colour): Data<String>,
        Extension(key): Extension<Option<String>>,
        State(store): State<Sessions>,
    ) -> Ack<()> {
        let key: SessionKey = key.unwrap().try_into().unwrap();
        let mut session = store.load(&key).await.unwrap().unwrap();
        session.insert("colour".to_owned(), serde_json::to_string(&colour).unwrap());
        store.update(key, session, &Duration::days(1)).await.unwrap();
        Ack(())
    }
    async fn colour(session: Session) -> String {
        session.get("colour").unwrap().unwrap_or_default()
    }
    let store = Sessions::default();
    let io = SocketIo::builder().state(store.clone()).build();
    io.of("/").on("choose", choose);
    let server = serve!(
        App::new()
            .wrap(
                SessionMiddleware::builder(store.clone(), key())
                    .cookie_content_security(CookieContentSecurity::Private)
                    .build()
            )
            .route("/login", web::post().to(log_in))
            .route("/colour", web::get().to(colour))
            .service(scope(&io).extension(session_key))
    );
    let cookie = cookie_of(&server, "ada").await;
    let mut client = server.websocket_with("/socket.io/", &[("cookie", &cookie)]).await;
    client.say(r#"420["choose","green"]"#).await;
    assert_eq!(client.hear().await, "430[null]");
    assert_eq!(request_with(&server, Method::GET, "/colour", &cookie).await, "green");
}

#[tokio::test]
async fn logging_out_disconnects_the_sockets_of_the_user() {
    async fn log_out(session: Session, io: web::Data<SocketIo>) -> impl Responder {
        if let Some(user) = session.get::<String>("user").unwrap() {
            io.to(format!("user:{user}")).disconnect_sockets(true);
        }
        session.purge();
        HttpResponse::NoContent()
    }
    let io = SocketIo::builder().build();
    io.of("/")
        .on("who", who)
        .on_connect(async |socket: Socket, Extension(User(name)): Extension<User>| {
            socket.join(format!("user:{}", name.unwrap_or_default()));
        });
    let store = Sessions::default();
    let server = serve!(
        App::new()
            .app_data(web::Data::new(io.clone()))
            .wrap(sessions(&store))
            .route("/login", web::post().to(log_in))
            .route("/logout", web::post().to(log_out))
            .service(scope(&io).extension(user))
    );
    let (ada, ben) = (cookie_of(&server, "ada").await, cookie_of(&server, "ben").await);
    let mut adas = [
        server.websocket_with("/socket.io/", &[("cookie", &ada)]).await,
        server.websocket_with("/socket.io/", &[("cookie", &ada)]).await,
    ];
    let mut bens = server.websocket_with("/socket.io/", &[("cookie", &ben)]).await;
    request_with(&server, Method::POST, "/logout", &ada).await;
    for client in &mut adas {
        assert_eq!(client.hear().await, "41");
        client.ends().await;
    }
    assert_eq!(bens.ask("who").await, "ben");
    let mut again = server.websocket_with("/socket.io/", &[("cookie", &ada)]).await;
    assert_eq!(again.ask("who").await, serde_json::Value::Null);
}

#[tokio::test]
async fn an_identity_lets_in_who_is_logged_in_and_refuses_others() {
    async fn log_in(request: HttpRequest, name: String) -> impl Responder {
        Identity::login(&request.extensions(), name).unwrap();
        HttpResponse::NoContent()
    }
    let io = SocketIo::builder().build();
    io.of("/").on("who", who);
    let anybody = SocketIo::builder().path("/anybody").build();
    anybody.of("/").on("who", who);
    let server = serve!(
        App::new()
            .wrap(IdentityMiddleware::default())
            .wrap(SessionMiddleware::new(CookieSessionStore::default(), key()))
            .route("/login", web::post().to(log_in))
            .service(scope(&io).extension(async |user: Identity| User(user.id().ok())))
            .service(
                scope(&anybody).extension(async |user: Option<Identity>| User(user.and_then(|user| user.id().ok())))
            )
    );
    let cookie = cookie_of(&server, "ada").await;
    let headers = [("cookie", &*cookie)];
    for path in ["/socket.io/", "/anybody/"] {
        let mut websocket = server.websocket_with(path, &headers).await;
        assert_eq!(websocket.ask("who").await, "ada", "{path}");
        let mut polling = server.polling_with(path, &headers).await;
        assert_eq!(polling.ask("who").await, "ada", "{path}");
    }
    assert_eq!(server.get(HANDSHAKE).await.status(), StatusCode::UNAUTHORIZED);
    let refused = server.try_websocket("/socket.io/", &[]).await;
    assert_eq!(refused.unwrap_err(), StatusCode::UNAUTHORIZED);
    let mut stranger = server.websocket("/anybody/").await;
    assert_eq!(stranger.ask("who").await, serde_json::Value::Null);
}

// ---- Emitting from elsewhere ----

#[tokio::test]
async fn http_handlers_and_background_tasks_emit() {
    async fn publish(io: web::Data<SocketIo>, news: String) -> impl Responder {
        io.emit("news", news).unwrap();
        HttpResponse::NoContent()
    }
    let io = SocketIo::builder().build();
    io.of("/").on_connect(async |socket: Socket| socket.join("readers"));
    let mounted = io.clone();
    let server = serve!(
        App::new()
            .app_data(web::Data::new(mounted.clone()))
            .route("/news", web::post().to(publish))
            .service(scope(&mounted))
    );
    let mut websocket = server.websocket("/socket.io/").await;
    let mut polling = server.polling("/socket.io/").await;
    let request = request(Method::POST, "/news").body("it rains".to_owned()).unwrap();
    assert_eq!(server.send(request).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(websocket.hear().await, r#"42["news","it rains"]"#);
    assert_eq!(polling.hear().await, r#"42["news","it rains"]"#);

    tokio::spawn(async move {
        for page in 1..=3 {
            io.to("readers").emit("page", page).unwrap();
        }
    });
    for page in 1..=3 {
        assert_eq!(websocket.hear().await, format!(r#"42["page",{page}]"#));
    }
}

#[tokio::test]
async fn the_applications_data_and_the_handlers_state_go_together() {
    let io = SocketIo::builder().state(7_u32).build();
    io.of("/").on("state", async |State(n): State<u32>| Ack(n));
    let name = async |name: web::Data<&'static str>| **name;
    let server = serve!(
        App::new()
            .app_data(web::Data::new("the application's"))
            .route("/", web::get().to(name))
            .service(scope(&io))
    );
    assert_eq!(server.text("/").await, "the application's");
    assert_eq!(server.websocket("/socket.io/").await.ask("state").await, 7);
}
