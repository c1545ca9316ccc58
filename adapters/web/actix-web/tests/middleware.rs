//! Beneath what is usually wrapped around an application.

#[macro_use]
mod kit;

use std::io::Read as _;

use actix_cors::Cors as ActixCors;
use actix_socketio::{Ack, Cors, Extension, SocketIo, scope};
use actix_web::{
    App, HttpMessage as _,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    middleware::{Compress, Logger, Next, NormalizePath, TrailingSlash, from_fn},
    web::{self, ReqData},
};
use flate2::read::GzDecoder;
use http::{Method, StatusCode};
use kit::{HANDSHAKE, all, echo_server, request, text, with_echo, within};

const PAGE: &str = "http://page.example";

#[tokio::test]
async fn it_works_beneath_the_usual_middleware() {
    let io = echo_server();
    let server = serve!(
        App::new()
            .wrap(Logger::default())
            .wrap(Compress::default())
            .wrap(ActixCors::permissive())
            .wrap(NormalizePath::trim())
            .service(web::scope("/api").wrap(Logger::default()).service(scope(&io)))
    );
    server.has_endpoint("/api/socket.io/").await;
}

// ---- Sizes and compression ----

#[tokio::test]
async fn answers_to_polls_tell_their_length_and_are_not_chunked() {
    let io = echo_server();
    let emitting = io.clone();
    let server = serve!(App::new().wrap(Logger::default()).service(scope(&io)));
    let handshake = server.get(HANDSHAKE).await;
    let polling = server.polling("/socket.io/").await;
    emitting.emit("story", "long ".repeat(10_000)).unwrap();
    let poll = within(polling.poll()).await.unwrap();
    let post = polling.post(r#"42["echo"]"#.to_owned()).await;
    let refusal = server.get("/socket.io/?EIO=4&transport=pigeon").await;
    for response in [handshake, poll, post, refusal] {
        let length = response.body().len().to_string();
        assert_eq!(all(response.headers(), "content-length"), [length]);
        assert_eq!(all(response.headers(), "transfer-encoding"), [""; 0]);
    }
}

#[tokio::test]
async fn compressed_answers_to_polls_hold_the_payload() {
    let io = with_echo(SocketIo::builder().http_compression(None));
    let emitting = io.clone();
    let server = serve!(App::new().wrap(Compress::default()).service(scope(&io)));
    let mut polling = server.polling("/socket.io/").await;
    let long = "a long story, ".repeat(100);
    emitting.emit("story", &long).unwrap();

    let poll = request(Method::GET, &polling.url).header("accept-encoding", "gzip");
    let response = server.send(poll.body(String::new()).unwrap()).await;
    assert_eq!(response.headers()["content-encoding"], "gzip");
    assert_eq!(all(response.headers(), "content-length"), [""; 0]);
    assert!(response.body().len() < long.len() / 2);
    let mut payload = String::new();
    GzDecoder::new(&response.body()[..])
        .read_to_string(&mut payload)
        .unwrap();
    assert_eq!(payload, format!(r#"42["story","{long}"]"#));
    assert_eq!(polling.echo("and on").await, "and on");
}

#[tokio::test]
async fn websockets_are_not_compressed() {
    let io = echo_server();
    let server = serve!(App::new().wrap(Compress::default()).service(scope(&io)));
    let headers = [("accept-encoding", "gzip")];
    let mut websocket = server.websocket_with("/socket.io/", &headers).await;
    assert_eq!(all(&websocket.handshake, "content-encoding"), [""; 0]);
    let long = "a long story, ".repeat(1000);
    assert_eq!(websocket.echo(&long).await, long);
}

// ---- Paths ----

#[tokio::test]
async fn normalised_paths_reach_the_endpoint() {
    let dir = format!("{}/normalised-{}", env!("CARGO_TARGET_TMPDIR"), std::process::id());
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(format!("{dir}/socket.io.js"), "let io;").unwrap();
    let io = with_echo(SocketIo::builder().serve_client(&dir).unwrap());
    std::fs::remove_dir_all(dir).unwrap();
    for mode in [TrailingSlash::Trim, TrailingSlash::MergeOnly, TrailingSlash::Always] {
        let io = io.clone();
        let server = serve!(
            App::new()
                .wrap(NormalizePath::new(mode))
                .service(scope(&io))
                .service(web::scope("/api").service(scope(&io)))
        );
        for path in ["/socket.io/", "/socket.io", "/api/socket.io/", "//socket.io//"] {
            server.has_endpoint(path).await;
        }
        let script = match mode {
            // A slash is added to it, too, and no file is called so.
            TrailingSlash::Always => StatusCode::BAD_REQUEST,
            _ => StatusCode::OK,
        };
        assert_eq!(server.get("/socket.io/socket.io.js").await.status(), script, "{mode:?}");
    }
}

// ---- Origins ----

/// As an application writes it for its other routes.
fn actix_cors() -> ActixCors {
    ActixCors::default()
        .allowed_origin(PAGE)
        .allowed_methods(["GET", "POST"])
        .supports_credentials()
}

#[tokio::test]
async fn next_to_actix_cors_no_header_is_doubled() {
    let io = with_echo(SocketIo::builder().cors(Cors::origins([PAGE]).credentials(true)));
    let server = serve!(App::new().wrap(actix_cors()).service(scope(&io)));
    let handshake = server.get_from(PAGE, HANDSHAKE).await;
    assert_eq!(handshake.status(), StatusCode::OK);
    let refusal = server.get_from(PAGE, "/socket.io/?EIO=4&transport=pigeon").await;
    assert_eq!(refusal.status(), StatusCode::BAD_REQUEST);
    let websocket = server.websocket_with("/socket.io/", &[("origin", PAGE)]).await;
    for headers in [handshake.headers(), refusal.headers(), &websocket.handshake] {
        assert_eq!(all(headers, "access-control-allow-origin"), [PAGE]);
        assert_eq!(all(headers, "access-control-allow-credentials"), ["true"]);
        let vary = all(headers, "vary").join(",").to_lowercase();
        assert!(vary.contains("origin"), "{vary}");
    }

    let preflight = request(Method::OPTIONS, HANDSHAKE)
        .header("origin", PAGE)
        .header("access-control-request-method", "POST");
    let preflight = server.send(preflight.body(String::new()).unwrap()).await;
    assert_eq!(preflight.status(), StatusCode::OK);
    for name in ["origin", "credentials", "methods"] {
        let name = format!("access-control-allow-{name}");
        assert_eq!(all(preflight.headers(), &name).len(), 1, "{name}");
    }
}

#[tokio::test]
async fn an_origin_is_refused_unless_the_endpoint_lists_it_whatever_actix_cors_says() {
    let io = echo_server();
    let mounted = io.clone();
    let server = serve!(App::new().wrap(actix_cors()).service(scope(&mounted)));
    let refused = server.get_from(PAGE, HANDSHAKE).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    // So that the page can read why.
    assert_eq!(all(refused.headers(), "access-control-allow-origin"), [PAGE]);
    let refused = server.try_websocket("/socket.io/", &[("origin", PAGE)]).await;
    assert_eq!(refused.unwrap_err(), StatusCode::BAD_REQUEST);
    assert_eq!(io.clients_count(), 0);

    let same = format!("http://{}", server.0);
    assert_eq!(server.get_from(&same, HANDSHAKE).await.status(), StatusCode::OK);
}

// ---- What middleware knows ----

#[derive(Debug, Clone)]
struct User(String);

/// Authentication as applications have it: a header becomes a user.
async fn authenticate(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> actix_web::Result<ServiceResponse<impl MessageBody>> {
    if let Some(name) = request.headers().get("x-user") {
        let user = User(name.to_str().unwrap().to_owned());
        request.extensions_mut().insert(user);
    }
    next.call(request).await
}

#[tokio::test]
async fn what_middleware_puts_on_the_request_reaches_the_handlers() {
    let io = SocketIo::builder().build();
    io.of("/")
        .on("who", async |Extension(User(name)): Extension<User>| Ack(name));
    let server = serve!(
        App::new()
            .wrap(from_fn(authenticate))
            .service(scope(&io).extension(async |user: ReqData<User>| user.into_inner()))
    );
    let mut websocket = server.websocket_with("/socket.io/", &[("x-user", "ada")]).await;
    assert_eq!(websocket.ask("who").await, "ada");
    let mut polling = server.polling_with("/socket.io/", &[("x-user", "ben")]).await;
    assert_eq!(polling.ask("who").await, "ben");
}

#[tokio::test]
async fn middleware_that_refuses_lets_nobody_in() {
    let io = echo_server();
    let mounted = io.clone();
    let guard = async |request: ServiceRequest, next: Next<_>| {
        if request.headers().contains_key("authorization") {
            next.call(request).await
        } else {
            Err(actix_web::error::ErrorUnauthorized("say who you are"))
        }
    };
    let server = serve!(App::new().wrap(from_fn(guard)).service(scope(&mounted)));
    let refused = server.get(HANDSHAKE).await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(text(refused), "say who you are");
    let refused = server.try_websocket("/socket.io/", &[]).await;
    assert_eq!(refused.unwrap_err(), StatusCode::UNAUTHORIZED);
    assert_eq!(io.clients_count(), 0);
}
