//! Beneath warp's wrapping filters.

use std::{future::ready, io::Read as _};

use flate2::read::GzDecoder;
use hyper::{
    Method, StatusCode,
    header::{CONTENT_ENCODING, VARY},
};
use kit::{HANDSHAKE, all, echo_server, serve, with_echo, within};
use tokio::sync::mpsc;
use warp::{Filter, Rejection, filters::cors, reject::Reject};
use warp_socketio::{Cors, SocketIo};

mod kit;

const PAGE: &str = "http://page.example";

/// As an application writes it for its other routes.
fn cors_filter() -> cors::Builder {
    warp::cors()
        .allow_origin(PAGE)
        .allow_credentials(true)
        .allow_methods([Method::GET, Method::POST])
}

#[tokio::test]
async fn next_to_warps_cors_no_header_is_doubled() {
    let io = with_echo(SocketIo::builder().cors(Cors::origins([PAGE]).credentials(true)));
    let server = serve(warp_socketio::filter(&io).with(cors_filter())).await;
    let handshake = server.get_from(PAGE, HANDSHAKE).await;
    assert_eq!(handshake.status(), StatusCode::OK);
    let refusal = server.get_from(PAGE, "/socket.io/?EIO=4&transport=pigeon").await;
    assert_eq!(refusal.status(), StatusCode::BAD_REQUEST);
    let asking = [("origin", PAGE), ("access-control-request-method", "POST")];
    let preflight = server.ask(Method::OPTIONS, HANDSHAKE, &asking).await;
    assert_eq!(preflight.status(), StatusCode::OK);
    for headers in [handshake.headers(), refusal.headers(), preflight.headers()] {
        assert_eq!(all(headers, "access-control-allow-origin"), [PAGE]);
        assert_eq!(all(headers, "access-control-allow-credentials"), ["true"]);
    }
    assert_eq!(all(handshake.headers(), VARY.as_str()), ["Origin"]);
    assert_eq!(all(preflight.headers(), "access-control-allow-methods").len(), 1);

    let mut client = server.websocket_with("/socket.io/", &[("origin", PAGE)]).await;
    client.say(r#"420["echo",1]"#).await;
    assert_eq!(client.hear().await, "430[1]");
}

#[tokio::test]
async fn a_page_is_refused_that_only_warps_cors_allows() {
    let io = echo_server();
    let server = serve(warp_socketio::filter(&io).with(cors_filter())).await;
    let response = server.get_from(PAGE, HANDSHAKE).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    let refused = server.try_websocket("/socket.io/", &[("origin", PAGE)]).await;
    assert_eq!(refused.unwrap_err(), StatusCode::BAD_REQUEST);
    assert_eq!(io.clients_count(), 0);
}

#[tokio::test]
async fn beneath_warps_cors_the_servers_own_pages_are_refused_unless_it_lists_them() {
    let endpoint = warp_socketio::filter(&echo_server());
    let server = serve(endpoint.clone().with(cors_filter())).await;
    let own = format!("http://{}", server.0);
    let refused = server.try_websocket("/socket.io/", &[("origin", &own)]).await;
    assert_eq!(refused.unwrap_err(), StatusCode::FORBIDDEN);

    let hello = warp::path!("hello").map(|| "hello").with(cors_filter());
    let server = serve(endpoint.or(hello)).await;
    let own = format!("http://{}", server.0);
    let mut client = server.websocket_with("/socket.io/", &[("origin", &own)]).await;
    client.say(r#"420["echo",1]"#).await;
    assert_eq!(client.hear().await, "430[1]");
}

#[tokio::test]
async fn a_log_tells_of_requests_and_their_statuses() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let custom = warp::log::custom(move |info| {
        let line = format!("{} {} {}", info.method(), info.path(), info.status().as_u16());
        tell.send(line).unwrap();
    });
    let endpoint = warp_socketio::filter(&echo_server());
    let server = serve(endpoint.with(warp::log("requests")).with(custom)).await;
    server.get(HANDSHAKE).await;
    assert_eq!(within(told.recv()).await.unwrap(), "GET /socket.io/ 200");
    server.websocket("/socket.io/").await;
    assert_eq!(within(told.recv()).await.unwrap(), "GET /socket.io/ 101");
    server.has_endpoint("/socket.io/").await;
}

#[tokio::test]
async fn beneath_compression_polls_are_answered_compressed_asked_for_or_not() {
    let endpoint = warp_socketio::filter(&echo_server());
    let server = serve(endpoint.with(warp::compression::gzip())).await;
    let handshake = server.get(HANDSHAKE).await;
    assert_eq!(handshake.headers()[CONTENT_ENCODING], "gzip");
    let mut open = String::new();
    GzDecoder::new(&handshake.body()[..]).read_to_string(&mut open).unwrap();
    assert!(open.starts_with("0{"), "{open}");
}

#[tokio::test]
async fn beneath_compression_a_websocket_is_as_without() {
    let endpoint = warp_socketio::filter(&echo_server());
    let server = serve(endpoint.with(warp::compression::gzip())).await;
    let mut client = server.websocket("/socket.io/").await;
    client.say(r#"420["echo",1]"#).await;
    assert_eq!(client.hear().await, "430[1]");
}

#[tokio::test]
async fn beside_compressed_routes_polls_are_answered_plain() {
    let hello = warp::path!("hello").map(|| "hello").with(warp::compression::gzip());
    let server = serve(warp_socketio::filter(&echo_server()).or(hello)).await;
    server.has_endpoint("/socket.io/").await;
    assert_eq!(server.get("/hello").await.headers()[CONTENT_ENCODING], "gzip");
}

#[derive(Debug)]
struct Teapot;

impl Reject for Teapot {}

#[tokio::test]
async fn recover_sees_other_filters_rejections_and_not_the_endpoints_answers() {
    let teapot = warp::path!("teapot").and_then(|| ready(Err::<&str, _>(warp::reject::custom(Teapot))));
    let recover = |rejection: Rejection| {
        let status = match rejection.find::<Teapot>() {
            Some(Teapot) => StatusCode::IM_A_TEAPOT,
            None => StatusCode::NOT_FOUND,
        };
        ready(Ok::<_, Rejection>(warp::reply::with_status("recovered", status)))
    };
    let endpoint = warp_socketio::filter(&echo_server());
    let server = serve(endpoint.or(teapot).recover(recover)).await;
    server.has_endpoint("/socket.io/").await;
    for (path, status) in [("/teapot", 418), ("/other", 404)] {
        let answer = server.get(path).await;
        assert_eq!(
            (answer.status().as_u16(), &answer.body()[..]),
            (status, &b"recovered"[..])
        );
    }
    let refusal = server.get("/socket.io/").await;
    assert_eq!(refusal.status(), StatusCode::BAD_REQUEST);
    assert_eq!(refusal.body(), r#"{"code":0,"message":"Transport unknown"}"#);
}
