//! A real axum server on a port of its own, and clients that speak raw HTTP and WebSocket: every
//! way to mount the endpoint, and what is usually wrapped around it.

use std::{fs, future::Future, io::Read as _, net::SocketAddr, time::Duration};

use axum::{
    Router,
    extract::{ConnectInfo, MatchedPath, OriginalUri, Request, State as AxumState},
    http::{
        HeaderMap, Method, Response, StatusCode,
        header::{CONTENT_ENCODING, HOST, ORIGIN, VARY},
    },
    middleware::{self, Next},
    routing::{get, post},
};
use axum_socketio::{
    Ack, Cors, DisconnectReason, Extension, Handshake, RawArgs, Refusal, Socket, SocketIo, SocketIoBuilder,
};
use flate2::read::GzDecoder;
use futures_util::{SinkExt as _, StreamExt as _};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Bytes, client::conn, ext::Protocol};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot},
    task::JoinHandle,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error as WebSocketError, Message, client::IntoClientRequest as _, protocol::Role},
};
use tower_http::{
    compression::CompressionLayer,
    cors::{AllowOrigin, CorsLayer},
    timeout::TimeoutLayer,
    trace::TraceLayer,
};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);
const PAGE: &str = "http://page.example";

// ---- Where the endpoint is mounted ----

#[tokio::test]
async fn merged_it_serves_its_path_beside_other_routes() {
    let app = Router::new().route("/", get(async || "hello"));
    let server = serve(app.merge(axum_socketio::mount(&echo_server()))).await;
    server.has_endpoint("/socket.io/").await;
    assert_eq!(server.text("/").await, "hello");
}

#[tokio::test]
async fn nested_it_serves_its_path_under_the_prefix() {
    let server = serve(Router::new().nest("/api", axum_socketio::mount(&echo_server()))).await;
    server.has_endpoint("/api/socket.io/").await;
    server.lacks_endpoint("/socket.io/").await;
}

#[tokio::test]
async fn nested_routers_stack_their_prefixes() {
    let inner = Router::new().nest("/v1", axum_socketio::mount(&echo_server()));
    let server = serve(Router::new().nest("/api", inner)).await;
    server.has_endpoint("/api/v1/socket.io/").await;
}

#[tokio::test]
async fn as_a_nested_service_it_is_served_wherever_it_is_put() {
    let io = echo_server();
    let app = Router::new()
        .nest_service("/socket.io", axum_socketio::service(&io))
        .nest_service("/live", axum_socketio::service(&io));
    let server = serve(app).await;
    server.has_endpoint("/socket.io/").await;
    server.has_endpoint("/live/").await;
}

#[tokio::test]
async fn as_a_routes_service_it_is_served_on_that_route() {
    let server = serve(Router::new().route_service("/socket.io/", echo_server().service())).await;
    server.has_endpoint("/socket.io/").await;
}

#[tokio::test]
async fn as_a_layer_it_goes_in_front_of_a_router() {
    let app = Router::new().route("/", get(async || "hello"));
    let server = serve(app.layer(echo_server().layer())).await;
    server.has_endpoint("/socket.io/").await;
    assert_eq!(server.text("/").await, "hello");
}

#[tokio::test]
async fn a_path_of_its_own_is_served_and_the_default_is_not() {
    let io = with_echo(SocketIo::builder().path("/live/chat"));
    for app in [
        Router::new().merge(axum_socketio::mount(&io)),
        Router::new().layer(axum_socketio::layer(&io)),
    ] {
        let server = serve(app).await;
        server.has_endpoint("/live/chat/").await;
        server.lacks_endpoint("/socket.io/").await;
    }
    let server = serve(Router::new().nest("/api", axum_socketio::mount(&io))).await;
    server.has_endpoint("/api/live/chat/").await;
}

#[tokio::test]
async fn the_root_can_be_the_endpoint() {
    let io = with_echo(SocketIo::builder().path("/"));
    let app = Router::new().route("/health", get(async || "fine"));
    let server = serve(app.merge(axum_socketio::mount(&io))).await;
    server.has_endpoint("/").await;
    assert_eq!(server.text("/health").await, "fine");
}

#[tokio::test]
async fn the_slash_at_the_end_of_the_path_may_be_missing() {
    let server = serve(axum_socketio::mount(&echo_server())).await;
    server.has_endpoint("/socket.io").await;
}

#[tokio::test]
async fn the_browsers_client_is_served_beside_the_endpoint_however_it_is_mounted() {
    let dir = format!("{}/dist-{}", env!("CARGO_TARGET_TMPDIR"), std::process::id());
    fs::create_dir_all(&dir).unwrap();
    fs::write(format!("{dir}/socket.io.min.js"), "let io;").unwrap();
    let io = SocketIo::builder().serve_client(&dir).unwrap().build();
    fs::remove_dir_all(dir).unwrap();
    for (path, app) in [
        ("/socket.io", axum_socketio::mount(&io)),
        ("/api/socket.io", Router::new().nest("/api", axum_socketio::mount(&io))),
        (
            "/live",
            Router::new().nest_service("/live", axum_socketio::service(&io)),
        ),
        ("/socket.io", Router::new().layer(axum_socketio::layer(&io))),
    ] {
        let script = serve(app).await.get(&format!("{path}/socket.io.min.js")).await;
        let content_type = &script.headers()["content-type"];
        assert_eq!(content_type, "application/javascript; charset=utf-8", "{path}");
        assert_eq!(script.body(), "let io;");
    }
}

#[tokio::test]
async fn requests_that_are_not_the_endpoints_reach_the_other_routes() {
    let io = echo_server();
    let app = || Router::new().fallback(async || "other");
    for app in [
        app().merge(axum_socketio::mount(&io)),
        app().layer(axum_socketio::layer(&io)),
    ] {
        let server = serve(app).await;
        for path in ["/other", "/socket.iox", "/socket.io-foo", "/a/socket.io/", "/"] {
            assert_eq!(server.text(path).await, "other", "{path}");
        }
        server.has_endpoint("/socket.io/").await;
    }
}

#[tokio::test]
async fn methods_of_no_use_are_refused_and_begin_nothing() {
    let io = echo_server();
    let server = serve(axum_socketio::mount(&io)).await;
    for method in [Method::HEAD, Method::OPTIONS, Method::PUT, Method::DELETE] {
        let request = request(method.clone(), "/socket.io/?EIO=4&transport=polling");
        let response = server.send(request.body(Full::default()).unwrap()).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{method}");
    }
    assert_eq!(io.clients_count(), 0);
}

// ---- What handlers know of the request ----

#[tokio::test]
async fn an_outer_routers_state_and_the_handlers_state_go_together() {
    let io = SocketIo::builder().state(7_u32).build();
    io.of("/")
        .on("state", async |axum_socketio::State(n): axum_socketio::State<u32>| {
            Ack(n)
        });
    let app: Router<&'static str> = Router::new()
        .route("/", get(async |AxumState(name): AxumState<&'static str>| name))
        .merge(axum_socketio::mount(&io));
    let server = serve(app.with_state("the router's")).await;
    assert_eq!(server.text("/").await, "the router's");
    let mut client = server.websocket("/socket.io/").await;
    client.say(r#"420["state"]"#).await;
    assert_eq!(client.hear().await, "430[7]");
}

#[derive(Debug, Clone, PartialEq)]
struct User(String);

/// Authentication as applications have it: a header becomes a user.
async fn authenticate(mut request: Request, next: Next) -> axum::response::Response {
    if let Some(name) = request.headers().get("x-user") {
        let user = User(name.to_str().unwrap().to_owned());
        request.extensions_mut().insert(user);
    }
    next.run(request).await
}

#[tokio::test]
async fn what_middleware_puts_on_the_request_reaches_the_handlers() {
    let io = SocketIo::builder().build();
    io.of("/")
        .on_connect(async |socket: Socket, Extension(user): Extension<User>| {
            assert_eq!(socket.handshake().extensions().get::<User>(), Some(&user));
            socket.insert(user);
            Ok::<_, Refusal>(())
        })
        .on("who", async |socket: Socket| {
            Ack(socket.get::<User>().map(|user| user.0))
        });
    let mounts: [(&str, Router); 3] = [
        ("merge", axum_socketio::mount(&io)),
        (
            "nest_service",
            Router::new().nest_service("/socket.io", axum_socketio::service(&io)),
        ),
        ("layer", Router::new().layer(axum_socketio::layer(&io))),
    ];
    for (mount, app) in mounts {
        let server = serve(app.layer(middleware::from_fn(authenticate))).await;
        let mut client = server.websocket_with("/socket.io/", "x-user", "ada").await;
        client.say(r#"420["who"]"#).await;
        assert_eq!(client.hear().await, r#"430["ada"]"#, "{mount}");

        let mut polling = server.polling_with("/socket.io/", "x-user", "ben").await;
        polling.say(r#"420["who"]"#).await;
        assert_eq!(polling.hear().await, r#"430["ben"]"#, "{mount}");
    }
}

#[tokio::test]
async fn a_client_without_what_a_connect_handler_asks_for_is_not_let_in() {
    let io = SocketIo::builder().build();
    io.of("/a").on_connect(async |_: Extension<User>| {});
    io.of("/b").on_connect(async |_: Extension<User>| Ok::<_, Refusal>(()));
    let app = axum_socketio::mount(&io).layer(middleware::from_fn(authenticate));
    let mut client = serve(app).await.try_websocket("/socket.io/", &[]).await.unwrap();
    assert!(client.hear().await.starts_with("0{"));
    for namespace in ["/a", "/b"] {
        client.say(&format!("40{namespace},")).await;
        let refusal = format!(r#"44{namespace},{{"message":"internal error"}}"#);
        assert_eq!(client.hear().await, refusal);
    }
}

#[tokio::test]
async fn the_handshake_has_the_requests_headers_and_query() {
    let io = SocketIo::builder().build();
    io.of("/").on("head", async |handshake: Handshake| {
        let language = handshake.headers().get("accept-language").map(str::to_owned);
        Ack((language, handshake.query_value("room").map(String::from)))
    });
    let server = serve(Router::new().nest("/api", axum_socketio::mount(&io))).await;
    let mut client = server
        .websocket_with("/api/socket.io/?room=a%20b", "accept-language", "eo")
        .await;
    client.say(r#"420["head"]"#).await;
    assert_eq!(client.hear().await, r#"430[["eo","a b"]]"#);
}

#[tokio::test]
async fn the_peers_address_is_known_where_axum_tells_it() {
    let io = SocketIo::builder().build();
    io.of("/")
        .on("peer", async |handshake: Handshake| Ack(handshake.peer_addr()));
    let app = axum_socketio::mount(&io)
        .nest_service("/nested", axum_socketio::service(&io))
        .nest_service("/bare", io.service());
    let untold = serve(app.clone()).await;

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let told = Server(listener.local_addr().unwrap());
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });

    for (server, path, is_known) in [
        (told, "/socket.io/", true),
        (told, "/nested/", true),
        (told, "/bare/", false),
        (untold, "/socket.io/", false),
    ] {
        let mut client = server.websocket(path).await;
        client.say(r#"420["peer"]"#).await;
        let address = client.inner.get_ref().local_addr().unwrap();
        let answer = if is_known {
            format!(r#"430["{address}"]"#)
        } else {
            "430[null]".to_owned()
        };
        assert_eq!(client.hear().await, answer);
    }
}

#[tokio::test]
async fn routes_behind_the_layer_keep_what_axum_tells_them() {
    let ask = async |ConnectInfo(addr): ConnectInfo<SocketAddr>, path: MatchedPath, uri: OriginalUri| {
        assert!(addr.ip().is_loopback());
        format!("{} {}", path.as_str(), uri.0)
    };
    let app = Router::new()
        .route("/{name}", get(ask))
        .layer(axum_socketio::layer(&echo_server()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server(listener.local_addr().unwrap());
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });
    assert_eq!(server.text("/other?a=b").await, "/{name} /other?a=b");
}

// ---- Beneath other people's layers ----

#[tokio::test]
async fn it_works_beneath_the_usual_layers() {
    let app = axum_socketio::mount(&echo_server())
        .layer(CorsLayer::permissive())
        .layer(CompressionLayer::new())
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, PATIENCE))
        .layer(TraceLayer::new_for_http());
    serve(app).await.has_endpoint("/socket.io/").await;
}

#[tokio::test]
async fn a_compressed_answer_to_a_poll_holds_the_payload() {
    let io = echo_server();
    let server = serve(axum_socketio::mount(&io).layer(CompressionLayer::new())).await;
    let mut client = server.polling("/socket.io/").await;
    let long = "a long story, ".repeat(100);
    io.emit("story", &long).unwrap();

    let request = request(Method::GET, &client.url).header("accept-encoding", "gzip");
    let response = server.send(request.body(Full::default()).unwrap()).await;
    assert_eq!(response.headers()[CONTENT_ENCODING], "gzip");
    assert!(response.body().len() < long.len() / 2);
    let mut payload = String::new();
    GzDecoder::new(&response.body()[..])
        .read_to_string(&mut payload)
        .unwrap();
    assert_eq!(payload, format!(r#"42["story","{long}"]"#));

    client.say(r#"420["echo",1]"#).await;
    assert_eq!(client.hear().await, "430[1]");
}

#[tokio::test]
async fn a_timeout_longer_than_the_ping_interval_spares_polls() {
    let io = SocketIo::builder().ping_interval(Duration::from_millis(100)).build();
    let timeout = TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, PATIENCE);
    let server = serve(axum_socketio::mount(&io).layer(timeout)).await;
    let mut client = server.polling("/socket.io/").await;
    assert_eq!(client.hear().await, "2");
}

#[tokio::test]
async fn a_timeout_shorter_than_the_ping_interval_ends_polling_clients_but_no_websocket() {
    let (left, mut leaves) = mpsc::unbounded_channel::<String>();
    let io = SocketIo::builder().ping_interval(PATIENCE).state(left).build();
    io.of("/").on("echo", echo).on_disconnect(tell_leave);
    let short = Duration::from_millis(100);
    let timeout = TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, short);
    let server = serve(axum_socketio::mount(&io).layer(timeout)).await;
    let mut websocket = server.websocket("/socket.io/").await;

    let client = server.polling("/socket.io/").await;
    let response = server.get(&client.url).await;
    assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
    assert_eq!(within(leaves.recv()).await.unwrap(), "transport error");

    // Meanwhile the layer's time has passed for the WebSocket too.
    websocket.say(r#"420["echo","still here"]"#).await;
    assert_eq!(websocket.hear().await, r#"430["still here"]"#);
}

/// As an application writes it for its other routes.
fn cors_layer() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::exact(PAGE.parse().unwrap()))
        .allow_credentials(true)
        .allow_methods([Method::GET, Method::POST])
}

#[tokio::test]
async fn next_to_a_cors_layer_no_header_is_doubled() {
    let io = with_echo(SocketIo::builder().cors(Cors::origins([PAGE]).credentials(true)));
    for app in [
        axum_socketio::mount(&io).layer(cors_layer()),
        Router::new().layer(axum_socketio::layer(&io)).layer(cors_layer()),
        Router::new().layer(cors_layer()).merge(axum_socketio::mount(&io)),
    ] {
        let server = serve(app).await;
        let handshake = server.get_from(PAGE, "/socket.io/?EIO=4&transport=polling").await;
        assert_eq!(handshake.status(), StatusCode::OK);
        let refusal = server.get_from(PAGE, "/socket.io/?EIO=4&transport=pigeon").await;
        assert_eq!(refusal.status(), StatusCode::BAD_REQUEST);
        for headers in [handshake.headers(), refusal.headers()] {
            assert_eq!(all(headers, "access-control-allow-origin"), [PAGE]);
            assert_eq!(all(headers, "access-control-allow-credentials"), ["true"]);
        }
        let vary = all(handshake.headers(), VARY.as_str()).join(",").to_lowercase();
        assert!(vary.contains("origin"), "{vary}");

        let preflight = request(Method::OPTIONS, "/socket.io/?EIO=4&transport=polling")
            .header(ORIGIN, PAGE)
            .header("access-control-request-method", "POST");
        let preflight = server.send(preflight.body(Full::default()).unwrap()).await;
        assert!(preflight.status().is_success(), "{}", preflight.status());
        for name in ["origin", "credentials", "methods"] {
            let name = format!("access-control-allow-{name}");
            assert_eq!(all(preflight.headers(), &name).len(), 1, "{name}");
        }
    }
}

#[tokio::test]
async fn an_origin_is_refused_unless_the_endpoint_lists_it_whatever_a_cors_layer_says() {
    let io = echo_server();
    let server = serve(axum_socketio::mount(&io).layer(cors_layer())).await;
    let response = server.get_from(PAGE, "/socket.io/?EIO=4&transport=polling").await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    let refused = server.try_websocket("/socket.io/", &[("origin", PAGE)]).await;
    assert_eq!(refused.unwrap_err(), StatusCode::BAD_REQUEST);
    assert_eq!(io.clients_count(), 0);

    let same = format!("http://{}", server.0);
    let response = server.get_from(&same, "/socket.io/?EIO=4&transport=polling").await;
    assert_eq!(response.status(), StatusCode::OK);
}

// ---- Emitting from elsewhere ----

#[tokio::test]
async fn ordinary_axum_handlers_emit() {
    let io = echo_server();
    let announce = async |AxumState(io): AxumState<SocketIo>, news: String| {
        io.emit("news", news).unwrap();
        StatusCode::NO_CONTENT
    };
    let app = Router::new()
        .route("/news", post(announce))
        .merge(axum_socketio::mount(&io))
        .with_state(io);
    let server = serve(app).await;
    let mut websocket = server.websocket("/socket.io/").await;
    let mut polling = server.polling("/socket.io/").await;
    let body = Full::from("it rains");
    let response = server.send(request(Method::POST, "/news").body(body).unwrap()).await;
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    assert_eq!(websocket.hear().await, r#"42["news","it rains"]"#);
    assert_eq!(polling.hear().await, r#"42["news","it rains"]"#);
}

#[tokio::test]
async fn a_background_task_emits_to_a_room() {
    let io = SocketIo::builder().build();
    io.of("/").on_connect(async |socket: Socket| socket.join("readers"));
    let server = serve(axum_socketio::mount(&io)).await;
    let mut client = server.websocket("/socket.io/").await;
    let (start, started) = oneshot::channel();
    tokio::spawn(async move {
        started.await.unwrap();
        for page in 1..=3 {
            io.to("readers").emit("page", page).unwrap();
        }
    });
    start.send(()).unwrap();
    for page in 1..=3 {
        assert_eq!(client.hear().await, format!(r#"42["page",{page}]"#));
    }
}

// ---- Transports ----

#[tokio::test]
async fn a_polling_client_upgrades_to_websocket() {
    let io = echo_server();
    let server = serve(Router::new().nest("/api", axum_socketio::mount(&io))).await;
    let mut polling = server.polling("/api/socket.io/").await;

    let mut websocket = server.raw_websocket(&polling.upgrade_url(), &[]).await.unwrap();
    websocket.say("2probe").await;
    assert_eq!(websocket.hear().await, "3probe");
    // The poll that is open meanwhile is let go.
    assert_eq!(polling.hear().await, "6");
    websocket.say("5").await;
    websocket.say(r#"420["echo","upgraded"]"#).await;
    assert_eq!(websocket.hear().await, r#"430["upgraded"]"#);
    assert_eq!(io.clients_count(), 1);
}

#[tokio::test]
async fn a_websocket_comes_over_http2() {
    for (path, app) in [
        ("/socket.io/", axum_socketio::mount(&echo_server())),
        ("/socket.io/", Router::new().layer(echo_server().layer())),
        ("/live/", Router::new().nest_service("/live", echo_server().service())),
        (
            "/api/socket.io/",
            Router::new().nest("/api", axum_socketio::mount(&echo_server())),
        ),
    ] {
        let server = serve(app).await;
        let mut client = server.http2_websocket(path).await;
        assert!(client.hear().await.starts_with("0{"));
        client.join().await;
        client.say(r#"420["echo","over http2"]"#).await;
        assert_eq!(client.hear().await, r#"430["over http2"]"#);
    }
}

// ---- The end ----

#[tokio::test]
async fn closing_ends_connections_and_refuses_new_ones() {
    let (left, mut leaves) = mpsc::unbounded_channel::<String>();
    let io = SocketIo::builder().state(left).build();
    io.of("/").on_disconnect(tell_leave);
    let app = Router::new().route("/", get(async || "hello"));
    let (app, mut polls) = telling_of_polls(app.merge(axum_socketio::mount(&io)));
    let server = serve(app).await;
    let mut websocket = server.websocket("/socket.io/").await;
    let poll = server.polling("/socket.io/").await.poll_until_the_end(&mut polls).await;

    tokio::join!(websocket.ends(), async {
        within(io.close()).await;
        for _ in 0..2 {
            assert_eq!(leaves.try_recv().unwrap(), "server shutting down");
        }
    });
    assert_eq!(within(poll).await.unwrap().body(), "1");

    let handshake = server.get("/socket.io/?EIO=4&transport=polling").await;
    assert_eq!(handshake.status(), StatusCode::SERVICE_UNAVAILABLE);
    let refused = server.try_websocket("/socket.io/", &[]).await;
    assert_eq!(refused.unwrap_err(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(server.text("/").await, "hello");
}

#[tokio::test]
async fn closing_sends_what_was_emitted_before() {
    let io = echo_server();
    let server = serve(axum_socketio::mount(&io)).await;
    let mut websocket = server.websocket("/socket.io/").await;
    let mut polling = server.polling("/socket.io/").await;
    io.emit("last", "words").unwrap();
    tokio::join!(within(io.close()), async {
        assert_eq!(websocket.hear().await, r#"42["last","words"]"#);
        websocket.ends().await;
    });
    assert!(polling.hear().await.starts_with(r#"42["last","words"]"#));
}

#[tokio::test]
async fn a_graceful_shutdown_that_closes_first_ends_while_clients_are_connected() {
    let io = echo_server();
    let closing = io.clone();
    let (server, mut polls, stop, serving) = serve_until_stopped(&io, async move || closing.close().await).await;
    let mut websocket = server.websocket("/socket.io/").await;
    let polling = server.polling("/socket.io/").await;
    let poll = polling.poll_until_the_end(&mut polls).await;
    stop.send(()).unwrap();
    tokio::join!(websocket.ends(), async { within(serving).await.unwrap().unwrap() });
    assert_eq!(within(poll).await.unwrap().body(), "1");
}

#[tokio::test]
async fn a_graceful_shutdown_that_does_not_close_waits_for_polls() {
    let io = echo_server();
    let (server, mut polls, stop, serving) = serve_until_stopped(&io, async || {}).await;
    let polling = server.polling("/socket.io/").await;
    let poll = polling.poll_until_the_end(&mut polls).await;
    stop.send(()).unwrap();
    while TcpStream::connect(server.0).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!serving.is_finished());
    io.emit("now", "go").unwrap();
    within(serving).await.unwrap().unwrap();
    assert_eq!(within(poll).await.unwrap().body(), r#"42["now","go"]"#);
}

// ---- The server ----

async fn echo(args: RawArgs) -> Ack<RawArgs> {
    Ack(args)
}

async fn tell_leave(
    reason: DisconnectReason,
    axum_socketio::State(left): axum_socketio::State<mpsc::UnboundedSender<String>>,
) {
    left.send(reason.to_string()).unwrap();
}

fn echo_server() -> SocketIo {
    with_echo(SocketIo::builder())
}

fn with_echo(builder: SocketIoBuilder) -> SocketIo {
    let io = builder.build();
    io.of("/").on("echo", echo);
    io
}

/// Serves an application on a port of its own.
async fn serve(app: Router) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server(listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    server
}

/// What tells that a poll has come, by its URL.
type Polls = mpsc::UnboundedReceiver<String>;

fn telling_of_polls(app: Router) -> (Router, Polls) {
    let (tell, polls) = mpsc::unbounded_channel();
    let layer = middleware::from_fn(move |request: Request, next: Next| {
        if request.method() == Method::GET {
            tell.send(request.uri().to_string()).unwrap();
        }
        next.run(request)
    });
    (app.layer(layer), polls)
}

/// Serves the endpoint until told to stop, and then does `first` before axum shuts down.
async fn serve_until_stopped<F: Future<Output = ()> + Send>(
    io: &SocketIo,
    first: impl FnOnce() -> F + Send + 'static,
) -> (Server, Polls, oneshot::Sender<()>, JoinHandle<std::io::Result<()>>) {
    let (app, polls) = telling_of_polls(axum_socketio::mount(io));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server(listener.local_addr().unwrap());
    let (stop, stopped) = oneshot::channel();
    let serving = axum::serve(listener, app).with_graceful_shutdown(async move {
        stopped.await.unwrap();
        first().await;
    });
    (server, polls, stop, tokio::spawn(async move { serving.await }))
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("in time")
}

fn request(method: Method, url: &str) -> axum::http::request::Builder {
    Request::builder().method(method).uri(url)
}

fn all<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    headers
        .get_all(name)
        .iter()
        .map(|value| value.to_str().unwrap())
        .collect()
}

// ---- The clients ----

/// Where a server listens; connects clients to it.
#[derive(Clone, Copy)]
struct Server(SocketAddr);

impl Server {
    async fn send(self, mut request: Request<Full<Bytes>>) -> Response<Bytes> {
        let host = self.0.to_string().parse().unwrap();
        request.headers_mut().insert(HOST, host);
        let stream = TcpStream::connect(self.0).await.unwrap();
        let (mut sender, connection) = conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let response = within(sender.send_request(request)).await.unwrap();
        let (parts, body) = response.into_parts();
        Response::from_parts(parts, within(body.collect()).await.unwrap().to_bytes())
    }

    async fn get(self, url: &str) -> Response<Bytes> {
        self.send(request(Method::GET, url).body(Full::default()).unwrap())
            .await
    }

    async fn get_from(self, origin: &str, url: &str) -> Response<Bytes> {
        let request = request(Method::GET, url).header(ORIGIN, origin);
        self.send(request.body(Full::default()).unwrap()).await
    }

    async fn text(self, url: &str) -> String {
        String::from_utf8(self.get(url).await.into_body().into()).unwrap()
    }

    /// Both transports work there.
    async fn has_endpoint(self, path: &str) {
        let mut websocket = self.websocket(path).await;
        websocket.say(r#"420["echo","a websocket's"]"#).await;
        assert_eq!(websocket.hear().await, r#"430["a websocket's"]"#);
        let mut polling = self.polling(path).await;
        polling.say(r#"421["echo","a poll's"]"#).await;
        assert_eq!(polling.hear().await, r#"431["a poll's"]"#);
    }

    async fn lacks_endpoint(self, path: &str) {
        let handshake = self.get(&format!("{path}?EIO=4&transport=polling")).await;
        assert_eq!(handshake.status(), StatusCode::NOT_FOUND);
        let refused = self.try_websocket(path, &[]).await;
        assert_eq!(refused.unwrap_err(), StatusCode::NOT_FOUND);
    }

    async fn polling(self, path: &str) -> Polling {
        self.polling_with(path, "x-nothing", "0").await
    }

    /// A client in the namespace `/`.
    async fn polling_with(self, path: &str, header: &str, value: &str) -> Polling {
        let url = format!("{path}?EIO=4&transport=polling");
        let handshake = request(Method::GET, &url).header(header, value);
        let handshake = self.send(handshake.body(Full::default()).unwrap()).await;
        assert_eq!(handshake.status(), StatusCode::OK, "{handshake:?}");
        let open: Value = serde_json::from_slice(&handshake.body()[1..]).unwrap();
        let url = format!("{url}&sid={}", open["sid"].as_str().unwrap());
        let mut client = Polling { server: self, url };
        client.say("40").await;
        let joined = client.hear().await;
        assert!(joined.starts_with("40{"), "{joined}");
        client
    }

    /// A client in the namespace `/`.
    async fn websocket(self, path: &str) -> WebSocket<TcpStream> {
        self.websocket_with(path, "x-nothing", "0").await
    }

    async fn websocket_with(self, path: &str, header: &str, value: &str) -> WebSocket<TcpStream> {
        let mut client = self.try_websocket(path, &[(header, value)]).await.unwrap();
        assert!(client.hear().await.starts_with("0{"));
        client.join().await;
        client
    }

    async fn try_websocket(self, path: &str, headers: &[(&str, &str)]) -> Result<WebSocket<TcpStream>, StatusCode> {
        let mark = if path.contains('?') { '&' } else { '?' };
        self.raw_websocket(&format!("{path}{mark}EIO=4&transport=websocket"), headers)
            .await
    }

    async fn raw_websocket(self, url: &str, headers: &[(&str, &str)]) -> Result<WebSocket<TcpStream>, StatusCode> {
        let mut request = format!("ws://{}{url}", self.0).into_client_request().unwrap();
        for (name, value) in headers {
            let name: axum::http::HeaderName = name.parse().unwrap();
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        let stream = TcpStream::connect(self.0).await.unwrap();
        match within(client_async(request, stream)).await {
            Ok((inner, _)) => Ok(WebSocket { inner }),
            Err(WebSocketError::Http(response)) => Err(response.status()),
            Err(error) => panic!("{error}"),
        }
    }

    /// RFC 8441: a stream of an HTTP/2 connection becomes the WebSocket.
    async fn http2_websocket(self, path: &str) -> WebSocket<TokioIo<hyper::upgrade::Upgraded>> {
        let stream = TcpStream::connect(self.0).await.unwrap();
        let handshake = conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.unwrap();
        tokio::spawn(connection);
        let base = format!("http://{}{path}?EIO=4&transport", self.0);
        // Its answer comes after the server's settings, which allow extended CONNECT.
        let first = request(Method::GET, &format!("{base}=polling")).body(Full::<Bytes>::default());
        let first = within(sender.send_request(first.unwrap())).await.unwrap();
        assert_eq!(first.status(), StatusCode::OK);

        let mut connect = request(Method::CONNECT, &format!("{base}=websocket"))
            .header("sec-websocket-version", "13")
            .body(Full::default())
            .unwrap();
        let protocol = Protocol::from_static("websocket");
        connect.extensions_mut().insert(protocol);
        let response = within(sender.send_request(connect)).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let stream = TokioIo::new(within(hyper::upgrade::on(response)).await.unwrap());
        let inner = WebSocketStream::from_raw_socket(stream, Role::Client, None).await;
        WebSocket { inner }
    }
}

struct Polling {
    server: Server,
    url: String,
}

impl Polling {
    /// Posts a packet.
    async fn say(&mut self, packet: &str) {
        let request = request(Method::POST, &self.url).body(Full::from(packet.to_owned()));
        let response = self.server.send(request.unwrap()).await;
        assert_eq!((response.status(), &response.body()[..]), (StatusCode::OK, &b"ok"[..]));
    }

    /// Polls once.
    async fn hear(&mut self) -> String {
        let response = self.server.get(&self.url).await;
        assert_eq!(response.status(), StatusCode::OK);
        String::from_utf8(response.into_body().into()).unwrap()
    }

    /// Polls once more, and goes on when the server has the poll.
    async fn poll_until_the_end(self, polls: &mut Polls) -> JoinHandle<Response<Bytes>> {
        let url = format!("{}&last", self.url);
        while polls.try_recv().is_ok() {}
        let poll = tokio::spawn({
            let url = url.clone();
            async move { self.server.get(&url).await }
        });
        assert_eq!(within(polls.recv()).await.unwrap(), url);
        poll
    }

    /// Where a WebSocket takes it over.
    fn upgrade_url(&self) -> String {
        self.url.replace("transport=polling", "transport=websocket")
    }
}

#[derive(Debug)]
struct WebSocket<S> {
    inner: WebSocketStream<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    async fn say(&mut self, packet: &str) {
        within(self.inner.send(Message::text(packet))).await.unwrap();
    }

    async fn hear(&mut self) -> String {
        match within(self.inner.next()).await {
            Some(Ok(Message::Text(text))) => text.as_str().to_owned(),
            other => panic!("{other:?} instead of text"),
        }
    }

    /// Joins the namespace `/`.
    async fn join(&mut self) {
        self.say("40").await;
        let joined = self.hear().await;
        assert!(joined.starts_with("40{"), "{joined}");
    }

    /// Nothing but the end comes, be it with a close frame or without.
    async fn ends(&mut self) {
        while let Some(Ok(message)) = within(self.inner.next()).await {
            assert!(!message.is_text() || message == Message::text("1"), "{message}");
        }
    }
}
