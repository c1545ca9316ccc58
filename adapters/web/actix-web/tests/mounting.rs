//! Where the endpoint is mounted, and what it leaves to others.

#[macro_use]
mod kit;

use std::fs;

use actix_socketio::{
    SocketIo,
    engine::{Client, Connection, Engine, Flow, Message, Upper},
    scope,
};
use actix_web::{App, web};
use http::{Method, StatusCode};
use kit::{HANDSHAKE, echo_server, request, with_echo, within};

#[tokio::test]
async fn it_serves_its_path_beside_other_routes() {
    let io = echo_server();
    let server = serve!(
        App::new()
            .route("/", web::get().to(async || "hello"))
            .service(scope(&io))
            .route("/late", web::get().to(async || "late"))
    );
    server.has_endpoint("/socket.io/").await;
    assert_eq!(server.text("/").await, "hello");
    assert_eq!(server.text("/late").await, "late");
}

#[tokio::test]
async fn in_a_scope_it_serves_its_path_under_the_scopes() {
    let io = echo_server();
    let server = serve!(App::new().service(web::scope("/api").service(scope(&io))));
    server.has_endpoint("/api/socket.io/").await;
    server.lacks_endpoint("/socket.io/").await;
}

#[tokio::test]
async fn nested_scopes_stack_their_prefixes() {
    let io = echo_server();
    let server = serve!(App::new().service(web::scope("/api").service(web::scope("/v1").service(scope(&io)))));
    server.has_endpoint("/api/v1/socket.io/").await;
    server.lacks_endpoint("/api/socket.io/").await;
}

#[tokio::test]
async fn a_configuration_function_can_mount_it() {
    let io = echo_server();
    let configure = move |config: &mut web::ServiceConfig| {
        config.service(scope(&io));
    };
    let server = serve!(App::new().configure(configure.clone()));
    server.has_endpoint("/socket.io/").await;
}

#[tokio::test]
async fn a_path_of_its_own_is_served_and_the_default_is_not() {
    let io = with_echo(SocketIo::builder().path("/live/chat"));
    let server = serve!(
        App::new()
            .service(scope(&io))
            .service(web::scope("/api").service(scope(&io)))
    );
    server.has_endpoint("/live/chat/").await;
    server.has_endpoint("/api/live/chat/").await;
    server.lacks_endpoint("/socket.io/").await;
}

#[tokio::test]
async fn the_root_can_be_the_endpoint_behind_other_routes() {
    let io = with_echo(SocketIo::builder().path("/"));
    let server = serve!(
        App::new()
            .route("/health", web::get().to(async || "fine"))
            .service(scope(&io))
    );
    server.has_endpoint("/").await;
    assert_eq!(server.text("/health").await, "fine");
}

#[tokio::test]
async fn a_scopes_prefix_can_be_the_endpoint() {
    let io = with_echo(SocketIo::builder().path("/"));
    let server = serve!(App::new().service(web::scope("/live").service(scope(&io))));
    server.has_endpoint("/live/").await;
    server.has_endpoint("/live").await;
    server.lacks_endpoint("/").await;
}

#[tokio::test]
async fn the_slash_at_the_end_of_the_path_may_be_missing() {
    let io = echo_server();
    let server = serve!(App::new().service(scope(&io)));
    server.has_endpoint("/socket.io").await;
}

#[tokio::test]
async fn requests_that_are_not_the_endpoints_reach_the_other_routes() {
    let io = echo_server();
    let other = async || "other";
    let server = serve!(App::new().service(scope(&io)).default_service(web::to(other)));
    for path in ["/other", "/socket.iox", "/socket.io-foo", "/a/socket.io/", "/"] {
        assert_eq!(server.text(path).await, "other", "{path}");
    }
    server.has_endpoint("/socket.io/").await;
}

#[tokio::test]
async fn the_browsers_client_is_served_beside_the_endpoint_however_it_is_mounted() {
    let dir = format!("{}/dist-{}", env!("CARGO_TARGET_TMPDIR"), std::process::id());
    fs::create_dir_all(&dir).unwrap();
    fs::write(format!("{dir}/socket.io.min.js"), "let io;").unwrap();
    let io = SocketIo::builder().serve_client(&dir).unwrap().build();
    let root = SocketIo::builder().path("/").serve_client(&dir).unwrap().build();
    fs::remove_dir_all(dir).unwrap();
    let server = serve!(
        App::new()
            .service(scope(&io))
            .service(web::scope("/api").service(scope(&io)))
            .service(scope(&root))
    );
    for path in ["/socket.io", "/api/socket.io", ""] {
        let url = format!("{path}/socket.io.min.js");
        let script = server.get(&url).await;
        let content_type = &script.headers()["content-type"];
        assert_eq!(content_type, "application/javascript; charset=utf-8", "{path}");
        assert_eq!(script.body(), "let io;");

        let etag = script.headers()["etag"].to_str().unwrap();
        let again = request(Method::GET, &url).header("if-none-match", etag);
        let again = server.send(again.body(String::new()).unwrap()).await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        let head = server
            .send(request(Method::HEAD, &url).body(String::new()).unwrap())
            .await;
        assert_eq!(head.headers()["content-length"], "7");
    }
}

#[tokio::test]
async fn methods_of_no_use_are_refused_and_begin_nothing() {
    let io = echo_server();
    let mounted = io.clone();
    let server = serve!(App::new().service(scope(&mounted)));
    for method in [Method::HEAD, Method::OPTIONS, Method::PUT, Method::DELETE] {
        let refused = server.send(request(method.clone(), HANDSHAKE).body(String::new()).unwrap());
        assert_eq!(refused.await.status(), StatusCode::BAD_REQUEST, "{method}");
    }
    assert_eq!(io.clients_count(), 0);
}

#[tokio::test]
async fn a_poll_is_held_until_something_is_emitted() {
    let io = echo_server();
    let mounted = io.clone();
    let server = serve!(App::new().service(scope(&mounted)));
    let mut polling = server.polling("/socket.io/").await;
    let mut held = polling.poll();
    assert_eq!(server.polling("/socket.io/").await.echo("meanwhile").await, "meanwhile");
    assert!(!held.is_finished());
    io.emit("now", "go").unwrap();
    assert_eq!(within(&mut held).await.unwrap().body(), r#"42["now","go"]"#);
    assert_eq!(polling.echo("and on").await, "and on");
}

#[tokio::test]
async fn a_polling_client_upgrades_to_websocket() {
    let io = echo_server();
    let mounted = io.clone();
    let server = serve!(App::new().service(web::scope("/api").service(scope(&mounted))));
    let mut polling = server.polling("/api/socket.io/").await;
    let mut websocket = server.raw_websocket(&polling.upgrade_url(), &[]).await.unwrap();
    websocket.take_over(&mut polling).await;
    assert_eq!(websocket.echo("upgraded").await, "upgraded");
    assert_eq!(io.clients_count(), 1);
}

#[tokio::test]
async fn raw_engine_io_is_mounted_alike() {
    struct Echo;
    struct EchoClient(Connection);
    impl Upper for Echo {
        fn open(&self, connection: &Connection, _: actix_socketio::Handshake) -> Box<dyn Client> {
            Box::new(EchoClient(connection.clone()))
        }
    }
    impl Client for EchoClient {
        fn message(&mut self, _: &mut std::task::Context<'_>, message: Message<'_>) -> Flow {
            if let Message::Text(text) = message {
                self.0.send_text(text);
            }
            Flow::Open
        }
    }
    let engine = Engine::builder().path("/engine.io").build(Echo);
    let server = serve!(App::new().service(scope(&engine)));
    let mut client = server.try_websocket("/engine.io/", &[]).await.unwrap();
    assert!(client.hear().await.starts_with("0{"));
    client.say("4hello").await;
    assert_eq!(client.hear().await, "4hello");
}
