//! Who the client is: sessions of tower-sessions, shared by axum's routes and sockets, and axum's own extractors in
//! handlers of sockets.

use std::{collections::HashMap, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Form, Router,
    body::Bytes,
    extract::{ConnectInfo, FromRef, FromRequestParts, Path, Query, State},
    http::{
        Request, StatusCode,
        header::{CONTENT_TYPE, COOKIE, HOST, SET_COOKIE},
        request::Parts,
    },
    routing::{get, post},
};
use axum_extra::extract::CookieJar;
use axum_socketio::{
    Ack, Data, EventError, Extension, Handshake, HandshakeExt as _, Refusal, Socket, SocketIo, State as IoState,
};
use futures_util::{SinkExt as _, StreamExt as _};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::RwLock,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest as _},
};
use tower_sessions::{MemoryStore, Session, SessionManagerLayer};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// The key of a session's user.
const USER: &str = "user";

// ---- Sessions ----

#[tokio::test]
async fn who_logged_in_by_a_form_is_known_to_the_connect_handler() {
    let server = serve(site()).await;
    let cookie = server.log_in("ada").await;
    let mut client = server.join(&cookie).await;
    client.say(r#"420["who"]"#).await;
    assert_eq!(client.hear().await, r#"430["ada"]"#);
}

#[tokio::test]
async fn who_did_not_log_in_is_refused() {
    let server = serve(site()).await;
    for cookie in ["", "id=AAAAAAAAAAAAAAAAAAAAAA"] {
        let mut client = server.connect("/socket.io/", cookie).await;
        client.say("40").await;
        assert_eq!(client.hear().await, r#"44{"message":"log in first"}"#);
    }
}

#[tokio::test]
async fn what_a_handler_saves_in_the_session_the_next_request_sees() {
    let server = serve(site()).await;
    let cookie = server.log_in("ada").await;
    let mut client = server.join(&cookie).await;
    assert_eq!(server.get("/theme", &cookie).await, "");
    client.say(r#"420["choose","dark"]"#).await;
    assert_eq!(client.hear().await, "430[true]");
    assert_eq!(server.get("/theme", &cookie).await, "dark");
}

#[tokio::test]
async fn what_a_request_saves_in_the_session_a_handler_sees_once_it_has_loaded_it() {
    let server = serve(site()).await;
    let cookie = server.log_in("ada").await;
    let mut client = server.join(&cookie).await;
    server.post("/theme", &cookie, "name=light").await;
    client.say(r#"420["theme"]"#).await;
    assert_eq!(client.hear().await, r#"430[["","light"]]"#);
}

#[tokio::test]
async fn logging_out_disconnects_all_sockets_of_that_user_and_of_no_other() {
    let server = serve(site()).await;
    let (ada, ben) = (server.log_in("ada").await, server.log_in("ben").await);
    let mut tabs = [server.join(&ada).await, server.join(&ada).await];
    let mut other = server.join(&ben).await;
    server.post("/logout", &ada, "").await;
    for tab in &mut tabs {
        assert_eq!(tab.hear().await, "41");
        tab.ends().await;
    }
    other.say(r#"420["who"]"#).await;
    assert_eq!(other.hear().await, r#"430["ben"]"#);
    let mut again = server.connect("/socket.io/", &ada).await;
    again.say("40").await;
    assert_eq!(again.hear().await, r#"44{"message":"log in first"}"#);
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Clone)]
struct User(String);

/// Routes that log in and out and keep a setting, beside sockets that do so too.
fn site() -> Router {
    let io = SocketIo::builder().build();
    io.of("/")
        .on_connect(async |socket: Socket, Extension(session): Extension<Session>| {
            let user: Option<String> = session.get(USER).await?;
            let user = user.ok_or_else(|| Refusal::new("log in first"))?;
            socket.join(format!("user:{user}"));
            socket.insert(User(user));
            Ok::<_, Refusal>(())
        })
        .on("who", async |socket: Socket| {
            Ack(socket.get::<User>().map(|user| user.0))
        })
        .on(
            "choose",
            async |Extension(session): Extension<Session>, Data(name): Data<String>| {
                session.insert("theme", name).await?;
                session.save().await?;
                Ok::<_, EventError>(Ack(true))
            },
        )
        .on("theme", async |Extension(session): Extension<Session>| {
            let before = theme(&session).await;
            session.load().await?;
            Ok::<_, EventError>(Ack((before, theme(&session).await)))
        });

    Router::new()
        .route("/login", post(log_in))
        .route("/logout", post(log_out))
        .route(
            "/theme",
            get(async |session: Session| theme(&session).await).post(choose),
        )
        .merge(axum_socketio::mount(&io))
        .layer(SessionManagerLayer::new(MemoryStore::default()))
        .with_state(io)
}

async fn log_in(session: Session, Form(user): Form<Named>) {
    session.insert(USER, user.name).await.unwrap();
}

async fn log_out(session: Session, State(io): State<SocketIo>) {
    let user: String = session.get(USER).await.unwrap().unwrap();
    session.flush().await.unwrap();
    io.to(format!("user:{user}")).disconnect_sockets(true);
}

async fn theme(session: &Session) -> String {
    session.get("theme").await.unwrap().unwrap_or_default()
}

async fn choose(session: Session, Form(theme): Form<Named>) {
    session.insert("theme", theme.name).await.unwrap();
}

// ---- axum's extractors ----

#[tokio::test]
async fn extractors_read_the_request_that_the_connection_began_with() {
    let io = SocketIo::builder().build();
    io.of("/").on("all", async |request: Handshake| {
        let Ok(jar) = request.extract::<CookieJar>().await;
        let Query(query): Query<HashMap<String, String>> = request.extract().await?;
        let ConnectInfo(peer): ConnectInfo<SocketAddr> = request.extract().await?;
        let session: Result<Session, _> = request.extract().await;
        let theme = jar.get("theme").map(|cookie| cookie.value().to_owned());
        Ok::<_, EventError>(Ack((theme, query["room"].clone(), peer, session.is_ok())))
    });
    let sessions = SessionManagerLayer::new(MemoryStore::default());
    let server = serve(axum_socketio::mount(&io).layer(sessions)).await;
    let mut client = server.connect("/socket.io/?room=a%20b", "user=ada; theme=dark").await;
    client.join().await;
    client.say(r#"420["all"]"#).await;
    let peer = client.0.get_ref().local_addr().unwrap();
    assert_eq!(client.hear().await, format!(r#"430[["dark","a b","{peer}",true]]"#));
}

#[tokio::test]
async fn an_extractor_that_rejects_tells_the_handler_why() {
    let io = SocketIo::builder().build();
    io.of("/").on_connect(async |_: Socket, request: Handshake| {
        let named: Result<Query<Named>, _> = request.extract().await;
        match named {
            Ok(_) => Ok(()),
            Err(rejection) => Err(Refusal::new(rejection.body_text())),
        }
    });
    let server = serve(axum_socketio::mount(&io)).await;
    server.connect("/socket.io/?name=ada", "").await.join().await;
    let mut client = server.connect("/socket.io/", "").await;
    client.say("40").await;
    let refusal = client.hear().await;
    assert!(
        refusal.starts_with("44{") && refusal.contains("missing field `name`"),
        "{refusal}"
    );
}

/// Names of users by token, which take their time.
#[derive(Clone, Default)]
struct Tokens(Arc<RwLock<HashMap<String, String>>>);

#[derive(Clone)]
struct AppState {
    tokens: Tokens,
}

impl FromRef<AppState> for Tokens {
    fn from_ref(state: &AppState) -> Self {
        state.tokens.clone()
    }
}

/// As applications write extractors: whoever has the right token.
struct Authenticated(String);

impl<S> FromRequestParts<S> for Authenticated
where
    S: Send + Sync,
    Tokens: FromRef<S>,
{
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, StatusCode> {
        let Query(query): Query<HashMap<String, String>> =
            Query::try_from_uri(&parts.uri).map_err(|_| StatusCode::BAD_REQUEST)?;
        let token = query.get("token").ok_or(StatusCode::UNAUTHORIZED)?;
        tokio::task::yield_now().await;
        let tokens = Tokens::from_ref(state);
        let name = tokens.0.read().await.get(token).cloned();
        name.map(Self).ok_or(StatusCode::FORBIDDEN)
    }
}

#[tokio::test]
async fn an_extractor_that_awaits_and_needs_state_serves_routes_and_sockets_alike() {
    let state = AppState {
        tokens: Tokens::default(),
    };
    state.tokens.0.write().await.insert("1".into(), "ada".into());
    let io = SocketIo::builder().state(state.clone()).build();
    io.of("/")
        .on_connect(
            async |socket: Socket, request: Handshake, IoState(state): IoState<AppState>| {
                let user: Result<Authenticated, _> = request.extract_with_state(&state).await;
                let Authenticated(name) = user.map_err(|status| Refusal::new(status.as_str().to_owned()))?;
                socket.insert(User(name));
                Ok::<_, Refusal>(())
            },
        )
        .on("who", async |socket: Socket| {
            Ack(socket.get::<User>().map(|user| user.0))
        });
    let app = Router::new()
        .route("/who", get(async |user: Authenticated| user.0))
        .merge(axum_socketio::mount(&io))
        .with_state(state);
    let server = serve(app).await;
    assert_eq!(server.get("/who?token=1", "").await, "ada");

    let mut client = server.connect("/socket.io/?token=1", "").await;
    client.join().await;
    client.say(r#"420["who"]"#).await;
    assert_eq!(client.hear().await, r#"430["ada"]"#);
    for (path, refusal) in [("/socket.io/", "401"), ("/socket.io/?token=2", "403")] {
        let mut client = server.connect(path, "").await;
        client.say("40").await;
        assert_eq!(client.hear().await, format!(r#"44{{"message":"{refusal}"}}"#));
    }
}

#[tokio::test]
async fn a_parameter_of_the_path_that_it_is_nested_under_can_be_extracted() {
    let io = SocketIo::builder().build();
    io.of("/").on("tenant", async |request: Handshake| {
        let Path(tenant): Path<String> = request.extract().await?;
        Ok::<_, EventError>(Ack(tenant))
    });
    let server = serve(Router::new().nest("/{tenant}", axum_socketio::mount(&io))).await;
    let mut client = server.connect("/acme/socket.io/", "").await;
    client.join().await;
    client.say(r#"420["tenant"]"#).await;
    assert_eq!(client.hear().await, r#"430["acme"]"#);
}

// ---- The server and its clients ----

/// Serves an application on a port of its own.
async fn serve(app: Router) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server(listener.local_addr().unwrap());
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });
    server
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("in time")
}

#[derive(Clone, Copy)]
struct Server(SocketAddr);

impl Server {
    /// The cookie that a client's later requests have.
    async fn log_in(self, name: &str) -> String {
        let cookie = self
            .post("/login", "", &format!("name={name}"))
            .await
            .expect("a session");
        cookie.split_once(';').unwrap().0.to_owned()
    }

    /// Sends a form, and gives the cookie that it sets.
    async fn post(self, path: &str, cookie: &str, form: &str) -> Option<String> {
        let request = Request::post(path).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let (head, _) = self.send(request.header(COOKIE, cookie), form).await;
        let cookie = head.headers.get(SET_COOKIE)?;
        Some(cookie.to_str().unwrap().to_owned())
    }

    async fn get(self, path: &str, cookie: &str) -> Bytes {
        self.send(Request::get(path).header(COOKIE, cookie), "").await.1
    }

    async fn send(self, request: axum::http::request::Builder, body: &str) -> (axum::http::response::Parts, Bytes) {
        let stream = TokioIo::new(TcpStream::connect(self.0).await.unwrap());
        let (mut sender, connection) = conn::http1::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        let request = request.header(HOST, self.0.to_string());
        let request = request.body(Full::new(Bytes::from(body.to_owned()))).unwrap();
        let (head, body) = within(sender.send_request(request)).await.unwrap().into_parts();
        assert_eq!(head.status, StatusCode::OK);
        (head, within(body.collect()).await.unwrap().to_bytes())
    }

    /// A client in no namespace yet.
    async fn connect(self, path: &str, cookie: &str) -> WebSocket {
        let mark = if path.contains('?') { '&' } else { '?' };
        let url = format!("ws://{}{path}{mark}EIO=4&transport=websocket", self.0);
        let mut request = url.into_client_request().unwrap();
        request.headers_mut().insert(COOKIE, cookie.parse().unwrap());
        let stream = TcpStream::connect(self.0).await.unwrap();
        let mut client = WebSocket(within(client_async(request, stream)).await.unwrap().0);
        assert!(client.hear().await.starts_with("0{"));
        client
    }

    /// A client in the namespace `/`.
    async fn join(self, cookie: &str) -> WebSocket {
        let mut client = self.connect("/socket.io/", cookie).await;
        client.join().await;
        client
    }
}

struct WebSocket(WebSocketStream<TcpStream>);

impl WebSocket {
    async fn say(&mut self, packet: &str) {
        within(self.0.send(Message::text(packet))).await.unwrap();
    }

    async fn hear(&mut self) -> String {
        match within(self.0.next()).await {
            Some(Ok(Message::Text(text))) => text.as_str().to_owned(),
            other => panic!("{other:?} instead of text"),
        }
    }

    async fn join(&mut self) {
        self.say("40").await;
        let joined = self.hear().await;
        assert!(joined.starts_with("40{"), "{joined}");
    }

    /// Nothing but the end comes.
    async fn ends(&mut self) {
        while let Some(Ok(message)) = within(self.0.next()).await {
            assert!(!message.is_text() || message == Message::text("1"), "{message}");
        }
    }
}
