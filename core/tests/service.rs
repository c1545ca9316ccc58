//! The endpoint as a tower service and layer: which requests are ours, and how HTTP is answered.

mod kit;

use std::{convert::Infallible, fs};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, header};
use http_body_util::Full;
use kit::{Answer, Log, Polling, UPGRADE, accept, request};
use tower::{Layer as _, Service, ServiceExt as _, service_fn};
use tower_socketio::{Cors, Extension, Generation, Handshake, PeerAddr, SocketIo, SocketIoBuilder, Transport};

const PEER: PeerAddr = PeerAddr(std::net::SocketAddr::V4(std::net::SocketAddrV4::new(
    std::net::Ipv4Addr::LOCALHOST,
    9,
)));

const HANDSHAKE: &str = "/socket.io/?EIO=4&transport=polling";

fn get(uri: &str) -> Request<Full<Bytes>> {
    Request::from_parts(request(Method::GET, uri, &[]), Full::default())
}

/// A server, and a page of `https://app.example` that may talk to it.
fn server() -> SocketIoBuilder {
    SocketIo::builder().cors(Cors::origins(["https://app.example"]).credentials(true))
}

/// The response's head and body.
async fn call<S, B>(service: S, request: Request<Full<Bytes>>) -> (HeaderMap, Answer)
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>, Error = Infallible>,
    B: http_body::Body<Error: std::fmt::Debug>,
{
    let Ok(response) = service.oneshot(request).await;
    (response.headers().clone(), Answer::of(response).await)
}

#[tokio::test(start_paused = true)]
async fn the_layer_takes_its_own_path_and_passes_on_the_others() {
    let io = SocketIo::builder().build();
    let layered = io.layer().layer(service_fn(async |request: Request<Full<Bytes>>| {
        let passed = format!("passed {}", request.uri().path());
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(passed))))
    }));
    for path in ["/", "/socket.iox/", "/a/socket.io/", "/socket.i", "/Socket.IO/"] {
        let (_, answer) = call(layered.clone(), get(&format!("{path}?EIO=4&transport=polling"))).await;
        assert_eq!(answer.body, format!("passed {path}"));
    }
    assert_eq!(io.clients_count(), 0);
    for path in ["/socket.io", "/socket.io/", "/socket.io/x"] {
        let (_, answer) = call(layered.clone(), get(&format!("{path}?EIO=4&transport=polling"))).await;
        assert!(answer.body.starts_with("0{"), "{path}: {}", answer.body);
    }
    assert_eq!(io.clients_count(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_service_finds_what_follows_its_path_below_any_prefix() {
    let dist = concat!(env!("CARGO_TARGET_TMPDIR"), "/dist");
    fs::create_dir_all(dist).unwrap();
    fs::write(format!("{dist}/socket.io.min.js"), "the client").unwrap();
    let io = SocketIo::builder().serve_client(dist).unwrap().build();
    for path in [
        "/socket.io/socket.io.min.js",
        "/api/socket.io/socket.io.min.js",
        "/socket.io/socket.io/socket.io.min.js",
        "/api/v1/socket.io/socket.io.min.js?x=1",
        // A router took the endpoint's path off.
        "/socket.io.min.js",
    ] {
        let (headers, answer) = call(io.service(), get(path)).await;
        assert_eq!((answer.status, &*answer.body), (200, "the client"), "{path}");
        assert_eq!(headers[header::CONTENT_TYPE], "application/javascript; charset=utf-8");
    }
    for path in [
        "/socket.io/package.json",
        "/socket.iox/socket.io.min.js",
        "/x/socket.io.min.js",
    ] {
        assert_eq!(call(io.service(), get(path)).await.1.status, 400, "{path}");
    }
    let root = SocketIo::builder().path("/").serve_client(dist).unwrap().build();
    for path in ["/socket.io.min.js", "/api/v1/socket.io.min.js"] {
        assert_eq!(call(root.service(), get(path)).await.1.status, 200, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_path_of_ones_own_is_the_only_one() {
    let io = SocketIo::builder().path("/live/").build();
    assert_eq!(io.path(), "/live");
    let inner = service_fn(async |_: Request<Full<Bytes>>| Ok::<_, Infallible>(Response::new(String::from("passed"))));
    let layered = io.layer().layer(inner);
    assert_eq!(call(layered.clone(), get(HANDSHAKE)).await.1.body, "passed");
    let (_, answer) = call(layered, get("/live/?EIO=4&transport=polling")).await;
    assert!(answer.body.starts_with("0{"), "{}", answer.body);
}

#[tokio::test(start_paused = true)]
async fn a_handshake_says_what_the_client_must_know() {
    let io = SocketIo::builder().build();
    let (headers, answer) = call(io.service(), get(HANDSHAKE)).await;
    assert_eq!(headers[header::CONTENT_TYPE], "text/plain; charset=UTF-8");
    assert_eq!(headers[header::CACHE_CONTROL], "no-store");
    assert_eq!(headers[header::CONTENT_LENGTH], answer.body.len().to_string());
    let mut open: serde_json::Value = serde_json::from_str(answer.body.strip_prefix('0').unwrap()).unwrap();
    let sid = open["sid"].take();
    assert_eq!(sid.as_str().unwrap().len(), 20);
    let expected = serde_json::json!({
        "sid": null,
        "upgrades": ["websocket"],
        "pingInterval": 25_000,
        "pingTimeout": 20_000,
        "maxPayload": 1_000_000,
    });
    assert_eq!(open, expected);
}

#[tokio::test(start_paused = true)]
async fn requests_that_break_the_rules_are_refused_with_the_reference_servers_codes() {
    let io = SocketIo::builder().generations([Generation::Eio4]).build();
    let client = Polling::open(&io).await;
    let session = |query: &str| format!("/socket.io/?{query}&sid={}", client.sid);
    let unknown = |sid: &str| format!("{HANDSHAKE}&sid={sid}");
    let foreign = [("host", "here.example"), ("origin", "https://there.example")];
    let two = [("origin", "https://a.example"), ("origin", "https://b.example")];
    for (method, uri, headers, code, message) in [
        (Method::GET, "/socket.io/".to_owned(), &[][..], 0, "Transport unknown"),
        (
            Method::GET,
            "/socket.io/?EIO=4&transport=tcp".to_owned(),
            &[],
            0,
            "Transport unknown",
        ),
        (
            Method::GET,
            "/socket.io/?EIO=4&transport=__proto__".to_owned(),
            &[],
            0,
            "Transport unknown",
        ),
        (
            Method::GET,
            unknown("AAAAAAAAAAAAAAAAAAAA"),
            &[],
            1,
            "Session ID unknown",
        ),
        (Method::POST, unknown("__proto__"), &[], 1, "Session ID unknown"),
        (Method::POST, HANDSHAKE.to_owned(), &[], 2, "Bad handshake method"),
        (Method::DELETE, HANDSHAKE.to_owned(), &[], 2, "Bad handshake method"),
        (
            Method::GET,
            "/socket.io/?EIO=4&transport=websocket".to_owned(),
            &[],
            3,
            "Bad request",
        ),
        (Method::GET, session("EIO=3&transport=polling"), &[], 3, "Bad request"),
        (Method::GET, session("EIO=4&transport=websocket"), &[], 3, "Bad request"),
        (Method::PUT, session("EIO=4&transport=polling"), &[], 3, "Bad request"),
        (Method::GET, HANDSHAKE.to_owned(), &two, 3, "Bad request"),
        (Method::GET, HANDSHAKE.to_owned(), &foreign, 4, "Forbidden"),
        (
            Method::GET,
            session("EIO=4&transport=polling"),
            &foreign,
            4,
            "Forbidden",
        ),
        (
            Method::GET,
            "/socket.io/?transport=polling".to_owned(),
            &[],
            5,
            "Unsupported protocol version",
        ),
        (
            Method::GET,
            "/socket.io/?EIO=3&transport=polling".to_owned(),
            &[],
            5,
            "Unsupported protocol version",
        ),
    ] {
        let what = format!("{method} {uri} {headers:?}");
        let parts = request(method, &uri, headers);
        let (headers, answer) = call(io.service(), Request::from_parts(parts, Full::default())).await;
        let status = if code == 4 { 403 } else { 400 };
        let body = format!(r#"{{"code":{code},"message":"{message}"}}"#);
        assert_eq!(answer, Answer { status, body }, "{what}");
        assert_eq!(headers[header::CONTENT_TYPE], "application/json", "{what}");
        assert_eq!(headers[header::CACHE_CONTROL], "no-store", "{what}");
    }
    assert_eq!(io.clients_count(), 1);
    client.posted("40").await;
    assert!(
        client.get().await.body.starts_with("40{"),
        "the session survives it all"
    );
}

#[tokio::test(start_paused = true)]
async fn answers_of_a_session_are_never_cached() {
    let io = SocketIo::builder().max_payload(100).build();
    let client = Polling::open(&io).await;
    for (payload, status, kind) in [("40", 200, Some("text/html")), (&*"4".repeat(101), 413, None)] {
        let response = client.call(Method::POST, Full::from(payload.to_owned())).await;
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        let found = response
            .headers()
            .get(header::CONTENT_TYPE)
            .map(|kind| kind.to_str().unwrap());
        assert_eq!(found, kind);
    }
    let response = client.poll().await;
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/plain; charset=UTF-8");
    Answer::of(response).await;
}

#[tokio::test(start_paused = true)]
async fn the_first_subprotocol_that_a_client_offers_is_agreed() {
    let io = SocketIo::builder().build();
    for (offered, agreed) in [
        (Some("chat"), Some("chat")),
        (Some(" a.1 , b"), Some("a.1")),
        (None, None),
        (Some(""), None),
        (Some(", b"), None),
        (Some("a b"), None),
        (Some("a/b"), None),
    ] {
        let mut headers = UPGRADE.to_vec();
        headers.extend(offered.map(|offered| ("sec-websocket-protocol", offered)));
        let parts = request(Method::GET, "/socket.io/?EIO=4&transport=websocket", &headers);
        let (response, _ticket) = accept(&io, parts).expect("a WebSocket");
        let answered = response.headers().get("sec-websocket-protocol");
        assert_eq!(answered.map(|value| value.to_str().unwrap()), agreed, "{offered:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_websocket_that_breaks_the_rules_is_refused_in_plain_words() {
    const WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";
    let io = SocketIo::builder().generations([Generation::Eio4]).build();
    let with = |name: &'static str, value: &'static str| {
        let mut headers = UPGRADE.to_vec();
        headers.retain(|(kept, _)| *kept != name);
        headers.push((name, value));
        headers
    };
    for (uri, headers, message) in [
        ("/socket.io/?EIO=4", UPGRADE.to_vec(), "Transport unknown"),
        (HANDSHAKE, UPGRADE.to_vec(), "Bad request"),
        (
            "/socket.io/?EIO=4&transport=websocket&sid=AAAAAAAAAAAAAAAAAAAA",
            UPGRADE.to_vec(),
            "Session ID unknown",
        ),
        (
            "/socket.io/?EIO=3&transport=websocket",
            UPGRADE.to_vec(),
            "Unsupported protocol version",
        ),
        (WEBSOCKET, with("origin", "https://there.example"), "Forbidden"),
        (WEBSOCKET, with("origin", "null"), "Forbidden"),
        (
            WEBSOCKET,
            with("sec-websocket-key", "x"),
            "missing or malformed sec-websocket-key: send 16 random bytes as base64",
        ),
    ] {
        let parts = request(Method::GET, uri, &headers);
        let (headers, answer) = call(io.service(), Request::from_parts(parts, Full::default())).await;
        let refused = Answer {
            status: 400,
            body: message.to_owned(),
        };
        assert_eq!(answer, refused, "{uri}");
        assert_eq!(headers[header::CONTENT_TYPE], "text/html");
    }
}

#[tokio::test(start_paused = true)]
async fn pages_of_other_origins_are_refused_unless_allowed_and_told_so_on_errors_too() {
    let io = server().build();
    let ask = |uri: &'static str, origin: &'static str| {
        let headers = [("host", "here.example"), ("origin", origin)];
        let request = Request::from_parts(request(Method::GET, uri, &headers), Full::default());
        call(io.service(), request)
    };
    for (uri, origin, status) in [
        (HANDSHAKE, "https://app.example", 200),
        (HANDSHAKE, "https://here.example", 200),
        (HANDSHAKE, "https://there.example", 403),
        (HANDSHAKE, "null", 403),
        ("/socket.io/?EIO=4&transport=tcp", "https://app.example", 400),
        ("/socket.io/?EIO=4&transport=polling&sid=x", "https://app.example", 400),
    ] {
        let (headers, answer) = ask(uri, origin).await;
        assert_eq!(answer.status, status, "{uri} {origin}");
        let told = headers.get(header::ACCESS_CONTROL_ALLOW_ORIGIN);
        let expected = (origin == "https://app.example").then_some(origin);
        assert_eq!(told.map(|told| told.to_str().unwrap()), expected, "{uri} {origin}");
        assert_eq!(headers[header::VARY], "Origin");
        let credentials = headers.get(header::ACCESS_CONTROL_ALLOW_CREDENTIALS);
        assert_eq!(credentials.is_some(), expected.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn a_preflight_is_answered_without_a_session() {
    let io = server().build();
    let headers = [
        ("host", "here.example"),
        ("origin", "https://app.example"),
        ("access-control-request-method", "POST"),
    ];
    let preflight = Request::from_parts(request(Method::OPTIONS, HANDSHAKE, &headers), Full::default());
    let (headers, answer) = call(io.service(), preflight).await;
    assert_eq!(answer.status, 204);
    assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "https://app.example");
    assert!(headers.contains_key(header::ACCESS_CONTROL_ALLOW_METHODS));
    assert_eq!(io.clients_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_transport_that_is_not_configured_is_unknown() {
    let io = SocketIo::builder().transports([Transport::Polling]).build();
    let parts = request(Method::GET, "/socket.io/?EIO=4&transport=websocket", &UPGRADE);
    let (_, answer) = call(io.service(), Request::from_parts(parts, Full::default())).await;
    assert_eq!((answer.status, &*answer.body), (400, "Transport unknown"));
    let (_, answer) = call(io.service(), get(HANDSHAKE)).await;
    assert!(answer.body.contains(r#""upgrades":[]"#), "{}", answer.body);
}

#[tokio::test(start_paused = true)]
async fn clients_are_not_told_of_upgrades_where_there_are_to_be_none() {
    for (allowed, told) in [(true, r#""upgrades":["websocket"]"#), (false, r#""upgrades":[]"#)] {
        let io = SocketIo::builder().allow_upgrades(allowed).build();
        for handshake in [HANDSHAKE, "/socket.io/?EIO=3&transport=polling&b64=1"] {
            let (_, answer) = call(io.service(), get(handshake)).await;
            assert!(answer.body.contains(told), "{}", answer.body);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn handlers_see_the_request_and_what_middleware_put_on_it() {
    let log = Log::default();
    let seen = log.clone();
    let io = SocketIo::builder().build();
    io.of("/")
        .on_connect(move |handshake: Handshake, Extension(user): Extension<u32>| {
            let room = handshake.query_value("room").unwrap_or_default().into_owned();
            seen.add(format!("{user} {room} {:?}", handshake.headers().get("x-a")));
            let again = handshake.to_parts();
            seen.add(format!("{} {:?}", again.uri, again.headers));
            seen.add(again.extensions.get::<u32>() == Some(&7) && again.extensions.get() == Some(&PEER));
            std::future::ready(())
        });
    let uri = format!("{HANDSHAKE}&room=a%20b");
    let mut handshake = Request::from_parts(request(Method::GET, &uri, &[("x-a", "1")]), Full::default());
    handshake.extensions_mut().insert(7_u32);
    handshake.extensions_mut().insert(PEER);
    let (_, answer) = call(io.service(), handshake).await;
    let open: serde_json::Value = serde_json::from_str(&answer.body[1..]).unwrap();
    let uri = format!("{HANDSHAKE}&sid={}", open["sid"].as_str().unwrap());
    let connect = Request::from_parts(request(Method::POST, &uri, &[]), Full::from("40"));
    assert_eq!(call(io.service(), connect).await.1.status, 200);
    let again = r#"/?EIO=4&transport=polling&room=a%20b {"x-a": "1"}"#;
    assert_eq!(log.take(), [r#"7 a b Some("1")"#, again, "true"]);
}

#[tokio::test(start_paused = true)]
async fn requests_that_begin_a_connection_are_told_from_those_of_one() {
    let service = SocketIo::builder().transports([Transport::Polling]).build().service();
    for (query, begins) in [
        ("?EIO=4&transport=polling", true),
        ("?EIO=4&transport=polling&sid=", true),
        ("?EIO=4&transport=polling&sid=x", false),
        ("?EIO=4&transport=websocket", false),
        ("?EIO=4", false),
        ("", false),
    ] {
        let uri = format!("/socket.io/{query}").parse().unwrap();
        for (method, may) in [(Method::GET, true), (Method::CONNECT, true), (Method::OPTIONS, false)] {
            let found = service.begins_connection(&method, &uri);
            assert_eq!(found, begins && may, "{method} {query}");
        }
    }
}
