//! What an application decides about requests: who may come in, under which id, with which headers; and what it is
//! told of those that are refused.

mod kit;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    time::Duration,
};

use http::{HeaderMap, HeaderValue, Method, Response, request::Parts};
use http_body_util::{BodyExt as _, Full};
use tower_socketio::{
    Cookie, Cors, Handshake, PeerAddr, Refusal, ResponseBody, Sid, SocketIo, SocketIoBuilder, Ticket,
};

use kit::{Gate, Log, Packet, UPGRADE, Ws, idle, request, secs, sid_of, soon};

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";
const WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";

async fn handle(io: &SocketIo, parts: Parts, body: &str) -> Response<ResponseBody> {
    let body = Full::<bytes::Bytes>::from(body.to_owned());
    soon("a response", io.service().handle(parts, body)).await
}

async fn get(io: &SocketIo, uri: &str) -> (u16, HeaderMap, String) {
    read(handle(io, request(Method::GET, uri, &[]), "").await).await
}

async fn read(response: Response<ResponseBody>) -> (u16, HeaderMap, String) {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    (
        parts.status.as_u16(),
        parts.headers,
        String::from_utf8(body.into()).expect("text"),
    )
}

type Opened = Result<(Response<ResponseBody>, Ticket), Response<ResponseBody>>;

async fn open(io: &SocketIo, uri: &str) -> Opened {
    let parts = request(Method::GET, uri, &UPGRADE);
    soon("an answer", io.service().accept_websocket(parts)).await
}

async fn refusal(opened: Opened) -> (u16, String) {
    let (status, _, body) = read(opened.expect_err("a refusal")).await;
    (status, body)
}

fn values<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    let values = headers.get_all(name).iter();
    values.map(|value| value.to_str().expect("text")).collect()
}

/// Lets nobody in whose query does not say why.
fn doorman() -> SocketIoBuilder {
    SocketIo::builder()
        .jsonp(true)
        .allow_request(async |request: Handshake| {
            tokio::time::sleep(secs(1)).await;
            match request.query_value("why").as_deref() {
                Some("friend") => Ok(()),
                Some("bug") => Err(std::io::Error::other("the database is down"))?,
                Some("panic") => panic!("the doorman fell asleep"),
                _ => Err(Refusal::new("say \"friend\"").with_data(&1)),
            }
        })
}

#[tokio::test(start_paused = true)]
async fn whom_the_application_does_not_want_is_refused_before_a_session_begins() {
    let io = doorman().build();
    let no = r#"{"code":4,"message":"say \"friend\""}"#;
    let (status, headers, body) = get(&io, POLLING).await;
    assert_eq!((status, &*body), (403, no));
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(get(&io, "/socket.io/?EIO=3&transport=polling").await.0, 403);
    assert_eq!(
        refusal(open(&io, WEBSOCKET).await).await,
        (400, "say \"friend\"".to_owned())
    );
    for why in ["bug", "panic"] {
        let internal = r#"{"code":4,"message":"internal error"}"#;
        let (status, _, body) = get(&io, &format!("{POLLING}&why={why}")).await;
        assert_eq!((status, &*body), (403, internal), "{why}");
    }
    assert_eq!(io.clients_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn clients_before_1_0_are_told_that_they_are_not_wanted() {
    let io = doorman().build();
    let (status, _, body) = get(&io, "/socket.io/1/?t=1").await;
    assert_eq!((status, &*body), (403, "say \"friend\""));
    let (status, _, body) = get(&io, "/socket.io/1/?t=1&jsonp=0").await;
    assert_eq!((status, &*body), (200, r#"io.j[0](new Error("say \"friend\""));"#));
    let (status, _, body) = get(&io, "/socket.io/1/?t=1&why=friend").await;
    assert_eq!((status, body.split(':').count()), (200, 4), "{body}");
}

#[tokio::test(start_paused = true)]
async fn whom_it_wants_comes_in_and_is_not_asked_about_again() {
    let asked = Arc::new(AtomicU32::new(0));
    let counter = asked.clone();
    let io = SocketIo::builder()
        .allow_request(move |request: Handshake| {
            counter.fetch_add(1, SeqCst);
            let is_known = request.peer_addr().is_some_and(|addr| addr.port() == 7);
            std::future::ready(is_known.then_some(()).ok_or_else(|| Refusal::new("who are you")))
        })
        .build();
    let mut parts = request(Method::GET, POLLING, &[]);
    parts.extensions.insert(PeerAddr(SocketAddr::from(([192, 0, 2, 1], 7))));
    let (_, _, body) = read(handle(&io, parts, "").await).await;
    let session = format!("{POLLING}&sid={}", sid_of(&body));
    let (status, _, body) = read(handle(&io, request(Method::POST, &session, &[]), "40").await).await;
    assert_eq!((status, &*body), (200, "ok"));
    assert!(get(&io, &session).await.2.starts_with("40{"));
    let upgrade = open(&io, &session.replace("polling", "websocket")).await;
    assert!(upgrade.is_ok());
    assert_eq!(asked.load(SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_the_decision_about_another_client() {
    let gate = Gate::closed();
    let held = gate.clone();
    let io = SocketIo::builder()
        .allow_request(move |request: Handshake| {
            let gate = held.clone();
            async move {
                if request.query_value("slow").is_some() {
                    gate.pass().await;
                }
                Ok(())
            }
        })
        .build();
    let slow = {
        let io = io.clone();
        tokio::spawn(async move { get(&io, &format!("{POLLING}&slow=1")).await.0 })
    };
    idle().await;
    assert_eq!(get(&io, POLLING).await.0, 200);
    assert_eq!(io.clients_count(), 1);
    gate.admit(1);
    assert_eq!(soon("the decision", slow).await.expect("no panic"), 200);
    assert_eq!(io.clients_count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_away_before_the_decision_leaves_nothing() {
    let io = doorman().build();
    let uri = format!("{POLLING}&why=friend");
    let service = io.service();
    let waiting = service.handle(request(Method::GET, &uri, &[]), Full::<bytes::Bytes>::default());
    assert!(tokio::time::timeout(Duration::from_millis(1), waiting).await.is_err());
    tokio::time::sleep(secs(10)).await;
    assert_eq!(io.clients_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_is_let_in_while_the_server_closes_is_refused() {
    let io = doorman().build();
    let uri = format!("{POLLING}&why=friend");
    let polling = tokio::spawn({
        let (io, uri) = (io.clone(), uri.clone());
        async move { get(&io, &uri).await.0 }
    });
    let websocket = tokio::spawn({
        let (io, uri) = (io.clone(), uri.replace("polling", "websocket"));
        async move { refusal(open(&io, &uri).await).await.0 }
    });
    idle().await;
    io.close().await;
    assert_eq!(polling.await.expect("no panic"), 503);
    assert_eq!(websocket.await.expect("no panic"), 503);
}

#[tokio::test(start_paused = true)]
async fn what_else_is_wrong_is_found_before_the_application_is_asked() {
    let io = SocketIo::builder()
        .allow_request(async |_: Handshake| -> Result<(), Refusal> { panic!("it was asked") })
        .build();
    for (method, uri, headers, code) in [
        (Method::GET, "/socket.io/?EIO=4&transport=abc", &[][..], 0),
        (Method::GET, &format!("{POLLING}&sid=abc"), &[], 1),
        (Method::POST, POLLING, &[], 2),
        (Method::GET, WEBSOCKET, &[], 3),
        (Method::GET, POLLING, &[("origin", "http://elsewhere.example")], 4),
    ] {
        let (_, _, body) = read(handle(&io, request(method, uri, headers), "").await).await;
        assert!(body.starts_with(&format!(r#"{{"code":{code},"#)), "{uri}: {body}");
        assert!(!body.contains("internal"), "{uri}: {body}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_cookie_names_the_session_on_handshakes_that_are_no_websockets() {
    let io = SocketIo::builder().cookie(Cookie::new("io")).build();
    for uri in [POLLING, "/socket.io/?EIO=3&transport=polling&b64=1"] {
        let (_, headers, body) = get(&io, uri).await;
        let sid = body.split("\"sid\":\"").nth(1).and_then(|rest| rest.split('"').next());
        let cookie = format!("io={}; Path=/; HttpOnly; SameSite=Lax", sid.expect("a sid"));
        assert_eq!(values(&headers, "set-cookie"), [cookie]);
    }
    let (_, headers, line) = get(&io, "/socket.io/1/").await;
    let sid = line.split(':').next().expect("an id");
    assert!(
        headers["set-cookie"]
            .to_str()
            .unwrap()
            .starts_with(&format!("io={sid};"))
    );

    let (_, _, open_packet) = get(&io, POLLING).await;
    let session = format!("{POLLING}&sid={}", sid_of(&open_packet));
    let (_, headers, _) = read(handle(&io, request(Method::POST, &session, &[]), "40").await).await;
    assert!(!headers.contains_key("set-cookie"), "it is told once");
    let (response, _ticket) = open(&io, WEBSOCKET).await.expect("a WebSocket");
    assert!(!response.headers().contains_key("set-cookie"));

    let (_, headers, _) = get(&SocketIo::builder().build(), POLLING).await;
    assert!(!headers.contains_key("set-cookie"), "there is none by default");
}

/// Marks all answers, and says which is a session's first.
fn marking() -> SocketIo {
    SocketIo::builder()
        .cookie(Cookie::new("io"))
        .initial_headers(|headers, request| {
            headers.append("set-cookie", HeaderValue::from_static("a=1"));
            headers.append("set-cookie", HeaderValue::from_static("b=2"));
            headers.insert("x-marks", HeaderValue::from_static("first"));
            let peer = request.extensions.get::<PeerAddr>();
            assert!(
                peer.is_some_and(|PeerAddr(addr)| addr.port() == 7),
                "the whole request is shown"
            );
        })
        .headers(|headers, request| {
            let before = headers.get("x-marks").map_or("", |marks| marks.to_str().unwrap());
            let marks = format!("{before}+{}", request.method);
            headers.insert("x-marks", HeaderValue::from_str(&marks).unwrap());
            let may_go_on = !request.uri.query().is_some_and(|query| query.contains("panic"));
            assert!(may_go_on, "asked for");
        })
        .build()
}

fn from_peer(method: Method, uri: &str, headers: &[(&str, &str)]) -> Parts {
    let mut parts = request(method, uri, headers);
    parts.extensions.insert(PeerAddr(SocketAddr::from(([192, 0, 2, 1], 7))));
    parts
}

#[tokio::test(start_paused = true)]
async fn hooks_for_headers_see_first_answers_and_all_answers_of_sessions() {
    let io = marking();
    let (_, headers, body) = read(handle(&io, from_peer(Method::GET, POLLING, &[]), "").await).await;
    assert_eq!(headers["x-marks"], "first+GET");
    let cookies = values(&headers, "set-cookie");
    assert!(
        cookies[0].starts_with("io=") && cookies[1..] == ["a=1", "b=2"],
        "{cookies:?}"
    );

    let session = format!("{POLLING}&sid={}", sid_of(&body));
    let (_, headers, _) = read(handle(&io, from_peer(Method::POST, &session, &[]), "40").await).await;
    assert_eq!(headers["x-marks"], "+POST");
    let (_, headers, _) = get(&io, &session).await;
    assert_eq!(headers["x-marks"], "+GET");
    let upgrade = session.replace("polling", "websocket");
    let (response, _) = open(&io, &upgrade).await.expect("a WebSocket");
    assert_eq!(response.headers()["x-marks"], "+GET");
    assert_eq!(response.headers()["upgrade"], "websocket");

    let opened = kit::accept(&io, from_peer(Method::GET, WEBSOCKET, &UPGRADE));
    let (response, ticket) = opened.expect("a WebSocket");
    assert_eq!(response.headers()["x-marks"], "first+GET");
    assert_eq!(values(response.headers(), "set-cookie"), ["a=1", "b=2"]);
    let mut ws = Ws::redeem(ticket, 1 << 20);
    assert!(ws.text().await.starts_with("0{"));
}

#[tokio::test(start_paused = true)]
async fn hooks_for_headers_see_the_answers_of_clients_before_1_0() {
    let io = marking();
    let (_, headers, line) = read(handle(&io, from_peer(Method::GET, "/socket.io/1/", &[]), "").await).await;
    assert_eq!(headers["x-marks"], "first+GET");
    let sid = line.split(':').next().expect("an id");
    for transport in ["htmlfile", "xhr-polling"] {
        let answer = handle(
            &io,
            request(Method::GET, &format!("/socket.io/1/{transport}/{sid}"), &[]),
            "",
        );
        assert_eq!(answer.await.headers()["x-marks"], "+GET", "{transport}");
    }
    let (_, _, line) = read(handle(&io, from_peer(Method::GET, "/socket.io/1/", &[]), "").await).await;
    let sid = line.split(':').next().expect("an id");
    let post = request(Method::POST, &format!("/socket.io/1/xhr-polling/{sid}"), &[]);
    let poll = tokio::spawn({
        let (io, uri) = (io.clone(), format!("/socket.io/1/xhr-polling/{sid}"));
        async move { get(&io, &uri).await }
    });
    idle().await;
    assert_eq!(handle(&io, post, "2::").await.headers()["x-marks"], "+POST");
    assert_eq!(soon("a poll", poll).await.expect("no panic").1["x-marks"], "+GET");
    let opened = open(&io, &format!("/socket.io/1/websocket/{sid}")).await;
    assert_eq!(opened.expect("a WebSocket").0.headers()["x-marks"], "+GET");
}

#[tokio::test(start_paused = true)]
async fn refusals_are_not_shown_to_hooks_for_headers_and_their_panics_harm_nobody() {
    let io = marking();
    let (status, headers, _) = get(&io, &format!("{POLLING}&sid=abc")).await;
    assert_eq!((status, headers.contains_key("x-marks")), (400, false));
    let uri = format!("{POLLING}&panic=1");
    let (status, headers, body) = read(handle(&io, from_peer(Method::GET, &uri, &[]), "").await).await;
    assert_eq!((status, headers["x-marks"].to_str().unwrap()), (200, "first+GET"));
    assert!(body.starts_with("0{"));
}

#[tokio::test(start_paused = true)]
async fn sessions_have_the_ids_that_the_application_makes() {
    let number = AtomicU32::new(0);
    let io = SocketIo::builder()
        .generate_id(move |request| {
            let tenant = request.query_value("tenant").unwrap_or_default();
            format!("{tenant}.{}", number.fetch_add(1, SeqCst))
        })
        .build();
    io.of("/chat");
    let uri = format!("{POLLING}&tenant=acme");
    let (_, _, body) = get(&io, &uri).await;
    assert_eq!(sid_of(&body), "acme.0");
    let session = format!("{POLLING}&sid=acme.0");
    assert_eq!(
        read(handle(&io, request(Method::POST, &session, &[]), "40").await)
            .await
            .0,
        200
    );
    let (_, _, connected) = get(&io, &session).await;
    let socket = connected.split('"').nth(3).expect("a sid");
    assert_eq!(socket.len(), 20, "the ids of sockets are others: {connected}");

    let opened = open(&io, &format!("{WEBSOCKET}&tenant=b")).await;
    let mut ws = Ws::redeem(opened.expect("a WebSocket").1, 1 << 20);
    assert_eq!(sid_of(&ws.text().await), "b.1");
    let (_, _, line) = get(&io, "/socket.io/1/?tenant=old").await;
    assert!(line.starts_with("old.2:"), "{line}");
    let (_, _, greeting) = get(&io, "/socket.io/1/xhr-polling/old.2").await;
    assert_eq!(greeting, "1::");
}

#[tokio::test(start_paused = true)]
async fn sockets_whose_ids_derive_from_such_an_id_are_found_by_it() {
    let io = SocketIo::builder().generate_id(|_| "seven".to_owned()).build();
    io.of("/chat");
    let (mut ws, sid) = Ws::open_eio3(&io).await;
    assert_eq!((&*sid, &*ws.text().await), ("seven", "40"));
    ws.send("40/chat,").await;
    assert_eq!(ws.text().await, "40/chat,");
    assert!(io.of("/chat").socket("/chat#seven").is_some());
    assert!(io.of("/chat").socket("seven").is_none());
    io.of("/chat").to("/chat#seven").emit("for", "one").unwrap();
    assert_eq!(ws.text().await, r#"42/chat,["for","one"]"#);
    io.to("seven").emit("for", "root").unwrap();
    assert_eq!(ws.text().await, r#"42["for","root"]"#);
}

#[tokio::test(start_paused = true)]
async fn ids_that_are_in_use_or_cannot_be_sent_refuse_the_client_and_harm_no_other() {
    let log = Log::default();
    let noted = log.clone();
    let io = SocketIo::builder()
        .generate_id(|request| match request.query_value("id") {
            Some(id) if id == "panic" => panic!("asked for"),
            id => id.unwrap_or_default().into_owned(),
        })
        .on_connection_error(move |error| noted.add(error.context()["error"].as_str().unwrap_or("")))
        .build();
    let (_, _, body) = get(&io, &format!("{POLLING}&id=twin")).await;
    assert_eq!(sid_of(&body), "twin");
    let bad = r#"{"code":3,"message":"Bad request"}"#;
    for id in ["twin", "a%20b", "", "panic"] {
        let (status, _, body) = get(&io, &format!("{POLLING}&id={id}")).await;
        assert_eq!((status, &*body), (400, bad), "{id}");
    }
    let errors = log.take();
    assert_eq!(errors[0], "the id is in use");
    assert!(errors[1].starts_with("\"a b\" is no id"), "{errors:?}");
    assert_eq!(errors[3], "generate_id panicked");

    let opened = open(&io, &format!("{WEBSOCKET}&id=twin")).await;
    assert_eq!(refusal(opened).await, (400, "Bad request".to_owned()));
    let (status, _, body) = get(&io, "/socket.io/1/?id=twin").await;
    assert_eq!((status, &*body), (500, "handshake error"));

    let mut tickets = Vec::new();
    for _ in 0..2 {
        let (_, ticket) = open(&io, &format!("{WEBSOCKET}&id=late")).await.expect("a WebSocket");
        tickets.push(ticket);
    }
    let mut second = Ws::redeem(tickets.pop().unwrap(), 1 << 20);
    assert_eq!(sid_of(&second.text().await), "late");
    let mut first = Ws::redeem(tickets.pop().unwrap(), 1 << 20);
    assert_eq!(
        first.end().await,
        [],
        "two were let in under one id: the slower one is closed"
    );

    let session = format!("{POLLING}&sid=twin");
    let (status, ..) = read(handle(&io, request(Method::POST, &session, &[]), "40").await).await;
    assert_eq!((status, io.clients_count()), (200, 2));
    second.send("40").await;
    assert!(matches!(second.next().await, Some(Packet::Text(text)) if text.starts_with("40{")));
}

#[tokio::test(start_paused = true)]
async fn every_refusal_is_reported_with_the_reference_servers_code_message_and_context() {
    let log = Log::default();
    let noted = log.clone();
    let io = SocketIo::builder()
        .generations([tower_socketio::Generation::Eio4])
        .cors(Cors::origins(["https://app.example"]))
        .jsonp(true)
        .allow_request(async |request: Handshake| match request.query_value("deny") {
            Some(why) => Err(Refusal::new(why.into_owned())),
            None => Ok(()),
        })
        .on_connection_error(move |error| {
            let method = &error.request.method;
            let peer = error.request.extensions.get::<PeerAddr>();
            assert!(peer.is_some(), "the whole request is shown");
            noted.add(format!("{method} {} {error}", error.code()));
        })
        .build();
    let (_, _, body) = read(handle(&io, from_peer(Method::GET, POLLING, &[]), "").await).await;
    let polled = sid_of(&body);
    let (_, ticket) = io
        .service()
        .accept_websocket(from_peer(Method::GET, WEBSOCKET, &UPGRADE))
        .await
        .expect("a WebSocket");
    let mut ws = Ws::redeem(ticket, 1 << 20);
    let carried = sid_of(&ws.text().await);

    let origin = |origin| [("origin", origin)];
    let elsewhere = origin("https://elsewhere.example");
    let twice = [("origin", "https://a.example"), ("origin", "https://b.example")];
    #[rustfmt::skip]
    let cases: Vec<(_, String, &[_], _)> = vec![
        (Method::GET, "/socket.io/?EIO=4&transport=abc".into(), &[], r#"0 Transport unknown {"transport":"abc"}"#),
        (Method::GET, "/socket.io/".into(), &[], r#"0 Transport unknown {"transport":null}"#),
        (Method::GET, format!("{POLLING}&sid=abc"), &[], r#"1 Session ID unknown {"sid":"abc"}"#),
        (Method::POST, POLLING.into(), &[], r#"2 Bad handshake method {"method":"POST"}"#),
        (Method::DELETE, format!("{POLLING}&sid={polled}"), &[], r#"3 Bad request {"method":"DELETE","name":"BAD_METHOD"}"#),
        (Method::GET, POLLING.into(), &twice, r#"3 Bad request {"name":"INVALID_ORIGIN","origin":"https://a.example, https://b.example"}"#),
        (Method::GET, format!("{POLLING}&sid={carried}"), &[], r#"3 Bad request {"name":"TRANSPORT_MISMATCH","previousTransport":"websocket","transport":"polling"}"#),
        (Method::GET, format!("/socket.io/?EIO=3&transport=polling&sid={polled}"), &[], r#"3 Bad request {"name":"PROTOCOL_MISMATCH","previousProtocol":4,"protocol":3}"#),
        (Method::GET, WEBSOCKET.into(), &[], r#"3 Bad request {"name":"TRANSPORT_HANDSHAKE_ERROR"}"#),
        (Method::GET, format!("{POLLING}&j=x"), &[], r#"3 Bad request {"j":"x","name":"INVALID_INDEX"}"#),
        (Method::GET, POLLING.into(), &elsewhere, r#"4 Forbidden {"message":"Forbidden"}"#),
        (Method::GET, format!("{POLLING}&deny=go+away"), &[], r#"4 go away {"message":"go away"}"#),
        (Method::GET, "/socket.io/?EIO=3&transport=polling".into(), &[], r#"5 Unsupported protocol version {"protocol":3}"#),
    ];
    for (method, uri, headers, told) in cases {
        let response = handle(&io, from_peer(method.clone(), &uri, headers), "").await;
        assert!(response.status().is_client_error(), "{uri}");
        assert_eq!(log.take(), [format!("{method} {told}")], "{uri}");
    }
    let upgrades = [
        (WEBSOCKET.to_owned() + "&deny=no", r#"4 no {"message":"no"}"#),
        (format!("{WEBSOCKET}&sid=abc"), r#"1 Session ID unknown {"sid":"abc"}"#),
        (
            POLLING.to_owned(),
            r#"3 Bad request {"name":"TRANSPORT_HANDSHAKE_ERROR"}"#,
        ),
    ];
    for (uri, told) in upgrades {
        let opened = io
            .service()
            .accept_websocket(from_peer(Method::GET, &uri, &UPGRADE))
            .await;
        assert_eq!(refusal(opened).await.0, 400);
        assert_eq!(log.take(), [format!("GET {told}")], "{uri}");
    }
    let keyless = from_peer(Method::GET, WEBSOCKET, &UPGRADE[..3]);
    assert!(io.service().accept_websocket(keyless).await.is_err());
    assert_eq!(
        log.take(),
        [r#"GET 3 Bad request {"name":"TRANSPORT_HANDSHAKE_ERROR"}"#]
    );
}

#[tokio::test(start_paused = true)]
async fn refusals_of_clients_before_1_0_are_reported_too() {
    let log = Log::default();
    let noted = log.clone();
    let io = SocketIo::builder()
        .allow_request(async |request: Handshake| match request.query_value("deny") {
            Some(_) => Err(Refusal::new("no")),
            None => Ok(()),
        })
        .on_connection_error(move |error| noted.add(format!("{} {}", error.code(), error.message())))
        .build();
    let unknown = Sid::random();
    for (method, uri, told) in [
        (
            Method::GET,
            "/socket.io/2/".to_owned(),
            "5 Unsupported protocol version",
        ),
        (Method::GET, "/socket.io/1/?jsonp=0".to_owned(), "0 Transport unknown"),
        (Method::GET, "/socket.io/1/?deny=1".to_owned(), "4 no"),
        (Method::POST, "/socket.io/1/".to_owned(), "2 Bad handshake method"),
        (
            Method::GET,
            format!("/socket.io/1/xhr-polling/{unknown}"),
            "1 Session ID unknown",
        ),
        (
            Method::GET,
            format!("/socket.io/1/avian/{unknown}"),
            "0 Transport unknown",
        ),
    ] {
        handle(&io, request(method, &uri, &[]), "").await;
        assert_eq!(log.take(), [told], "{uri}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_who_is_told_harms_nobody() {
    let io = SocketIo::builder().on_connection_error(|_| panic!("asked for")).build();
    let (status, _, body) = get(&io, &format!("{POLLING}&sid=abc")).await;
    assert_eq!((status, &*body), (400, r#"{"code":1,"message":"Session ID unknown"}"#));
}

#[tokio::test(start_paused = true)]
async fn a_predicate_of_origins_that_panics_refuses_them() {
    let io = SocketIo::builder()
        .cors(Cors::predicate(|_, _| panic!("asked for")))
        .build();
    let parts = request(
        Method::GET,
        POLLING,
        &[("origin", "http://there.example"), ("host", "here.example")],
    );
    assert_eq!(handle(&io, parts, "").await.status(), 403);
}

#[tokio::test]
async fn a_refusal_in_a_log_shows_no_headers_and_no_query() {
    let log = Log::default();
    let noted = log.clone();
    let io = SocketIo::builder()
        .on_connection_error(move |error| noted.add(format!("{error:?}")))
        .build();
    let parts = request(
        Method::GET,
        "/socket.io/?EIO=4&transport=none&token=secret",
        &[("cookie", "secret")],
    );
    handle(&io, parts, "").await;
    assert_eq!(
        log.take(),
        [r#"ConnectionError { method: GET, path: "/socket.io/", kind: TransportUnknown, .. }"#]
    );
}
