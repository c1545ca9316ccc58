//! What the admin UI's page is told, and who is let in.

mod kit;

use std::time::Duration;

use kit::{Ws, idle, secs};
use serde_json::{Value, json};
use tokio::time::sleep;
use tower_socketio::{
    Ack, Args, Cors, Data, EventError, RawArgs, Refusal, Socket, SocketIo,
    admin::{Admin, Mode},
    testing::{self, TestClient, TestError},
};

/// Of `changeit`, with the least cost there is.
const HASH: &str = "$2a$04$d00c26BESNeKcscteDS1y.hl5AMD40dyK0BNzSGwODcgIEHOZ7Qoa";

/// A page that stops waiting when the server is idle.
async fn page_with(io: &SocketIo, auth: &Value) -> Result<TestClient, TestError> {
    let page = testing::client(io).time_limit(secs(60)).auth(auth);
    page.connect("/admin").await
}

async fn page(io: &SocketIo) -> TestClient {
    page_with(io, &json!({})).await.expect("let in")
}

/// What a page has been told by now: names and arguments, moments as `now`.
async fn told(page: &mut TestClient) -> Vec<(String, Value)> {
    idle().await;
    let mut told = Vec::new();
    loop {
        let received = match page.expect_nothing().await {
            Ok(()) => return told,
            Err(TestError::Unexpected { received }) => received.len(),
            Err(other) => panic!("{other}"),
        };
        for _ in 0..received {
            let event = page.next_event().await.expect("it is there");
            let mut args: Vec<Value> = serde_json::from_str(&format!("[{}]", event.args().json())).expect("json");
            for arg in &mut args {
                if arg.as_str().is_some_and(is_moment) {
                    *arg = "now".into();
                }
            }
            told.push((event.name().to_owned(), args.into()));
        }
    }
}

/// As [`told`], without the statistics.
async fn news(page: &mut TestClient) -> Vec<(String, Value)> {
    let mut told = told(page).await;
    told.retain(|(name, _)| name != "server_stats");
    told
}

/// A page that was told what there is.
async fn looking(io: &SocketIo) -> TestClient {
    let mut page = page(io).await;
    told(&mut page).await;
    page
}

fn is_moment(text: &str) -> bool {
    let form = text.chars().map(|one| if one.is_ascii_digit() { '0' } else { one });
    form.eq("0000-00-00T00:00:00.000Z".chars())
}

fn is_refused(page: Result<TestClient, TestError>) -> bool {
    matches!(page, Err(TestError::Refused { message, data: None, .. }) if message == "invalid credentials")
}

fn event(name: &str, args: Value) -> (String, Value) {
    (name.to_owned(), args)
}

fn open() -> SocketIo {
    let io = SocketIo::builder().build();
    Admin::without_login().mount(&io);
    io
}

fn locked() -> SocketIo {
    let io = SocketIo::builder().build();
    Admin::with_login("admin", HASH).expect("a hash").mount(&io);
    io
}

#[tokio::test(start_paused = true)]
async fn only_the_right_name_and_password_are_let_in_and_all_others_told_the_same() {
    let io = locked();
    for wrong in [
        json!({}),
        json!({ "username": "admin", "password": "changeit " }),
        json!({ "username": "admin", "password": "" }),
        json!({ "username": "Admin", "password": "changeit" }),
        json!({ "username": "admin", "password": HASH }),
        json!({ "username": "admin" }),
        json!({ "password": "changeit" }),
        json!({ "username": ["admin"], "password": { "$ne": 1 } }),
        json!({ "sessionId": "AAAAAAAAAAAAAAAAAAAA" }),
        json!({ "sessionId": "" }),
        json!({ "sessionId": null, "username": null, "password": null }),
        json!({ "sessionId": 1, "username": "admin", "password": "changeit" }),
    ] {
        assert!(is_refused(page_with(&io, &wrong).await), "{wrong}");
    }
    assert!(is_refused(testing::connect(&io, "/admin").await), "no auth at all");
    assert_eq!(io.of("/admin").sockets_count(), 0);

    let mut page = page_with(&io, &json!({ "username": "admin", "password": "changeit" }))
        .await
        .expect("let in");
    let names: Vec<_> = told(&mut page).await.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names[..1], ["session"]);
    for name in ["config", "all_sockets", "server_stats"] {
        assert!(names.iter().any(|told| told == name), "{name} is not among {names:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_lets_in_without_the_password_for_a_day() {
    let io = locked();
    let mut first = page_with(&io, &json!({ "username": "admin", "password": "changeit" }))
        .await
        .expect("let in");
    let id: String = first.recv("session").await.expect("a session");
    assert_eq!(id.len(), 20);
    first.disconnect().await.expect("it leaves");

    sleep(Duration::from_secs(24 * 3600 - 60)).await;
    let mut second = page_with(&io, &json!({ "sessionId": id })).await.expect("let in again");
    let names: Vec<_> = told(&mut second).await.into_iter().map(|(name, _)| name).collect();
    assert!(
        names.contains(&"config".to_owned()) && !names.contains(&"session".to_owned()),
        "{names:?}"
    );
    // The page of 0.5 sends what the form holds, too.
    let both = json!({ "sessionId": id, "username": "", "password": "" });
    assert!(page_with(&io, &both).await.is_ok());

    sleep(secs(61)).await;
    assert!(is_refused(page_with(&io, &json!({ "sessionId": id })).await));
}

#[tokio::test(start_paused = true)]
async fn who_was_in_the_namespace_before_has_to_log_in() {
    let io = SocketIo::builder().build();
    io.of("/admin");
    let mut early = testing::connect(&io, "/admin").await.expect("let in");
    Admin::with_login("admin", HASH).expect("a hash").mount(&io);
    early.disconnected().await.expect("disconnected");
    assert_eq!(io.of("/admin").sockets_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_server_with_an_admin_ui_is_gone_when_it_is_closed_and_let_go_of() {
    let state = std::sync::Arc::new(());
    let io = SocketIo::builder().state(state.clone()).build();
    Admin::with_login("admin", HASH).expect("a hash").mount(&io);
    let login = json!({ "username": "admin", "password": "changeit" });
    let page = page_with(&io, &login).await.expect("let in");
    io.close().await;
    drop((io, page));
    sleep(secs(5)).await;
    assert_eq!(std::sync::Arc::strong_count(&state), 1);
}

#[test]
fn a_password_must_be_a_hash() {
    for text in [
        "changeit",
        "",
        "$2b$10$short",
        "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA",
    ] {
        let error = Admin::with_login("admin", text).expect_err(text);
        assert!(error.to_string().contains("must be given as a bcrypt hash"), "{error}");
    }
    let debug = format!("{:?}", Admin::with_login("admin", HASH).expect("a hash"));
    assert!(!debug.contains("$2a$"), "{debug}");
}

#[test]
#[should_panic(expected = "the server has an admin ui already")]
fn a_server_has_one_admin_ui() {
    let io = SocketIo::builder().build();
    Admin::without_login().mode(Mode::Production).mount(&io);
    Admin::without_login().namespace("/other").mount(&io);
}

#[tokio::test(start_paused = true)]
async fn a_page_is_told_what_it_may_do_and_who_is_there() {
    let io = SocketIo::builder().cors(Cors::any()).build();
    Admin::without_login().mount(&io);
    io.of("/chat").on_connect(async |socket: Socket| {
        socket.set_data(json!({ "name": "Ada" })).expect("json");
        socket.join(["lobby", "chess"]);
    });
    let ada = testing::client(&io)
        .query("tag", "a b")
        .header("user-agent", "a test")
        .header("cookie", "session=secret")
        .header("authorization", "Bearer secret")
        .header("proxy-authorization", "secret")
        .header("x-forwarded-for", "192.0.2.1")
        .header("x-forwarded-proto", "https")
        .header("origin", "https://example.com")
        .auth(&json!({ "token": "secret" }));
    let ada = ada.connect("/chat").await.expect("let in");

    let mut page = page(&io).await;
    let told = told(&mut page).await;
    let features = [
        "EMIT",
        "JOIN",
        "LEAVE",
        "DISCONNECT",
        "MJOIN",
        "MLEAVE",
        "MDISCONNECT",
        "AGGREGATED_EVENTS",
        "ALL_EVENTS",
    ];
    let of = |name| {
        told.iter()
            .find(|(told, _)| told == name)
            .map(|(_, args)| args[0].clone())
    };
    assert_eq!(of("config"), Some(json!({ "supportedFeatures": features })));

    let all = of("all_sockets").expect("all sockets");
    assert!(!all.to_string().contains("secret"), "{all}");
    let of_nsp = |nsp: &str| all.as_array()?.iter().find(|one| one["nsp"] == nsp).cloned();
    let own = of_nsp("/admin").expect("the page's own");
    assert_eq!(own["id"], json!(page.id()));
    assert_eq!(own["data"], json!({}));
    let mut shown = of_nsp("/chat").expect("Ada's socket");
    let mut request = shown["handshake"].take();
    assert_eq!(shown["clientId"].take().as_str().map(str::len), Some(12));
    assert_eq!(
        shown,
        json!({
            "id": ada.id(), "clientId": null, "transport": "websocket", "nsp": "/chat", "data": { "name": "Ada" },
            "handshake": null, "rooms": [ada.id(), "lobby", "chess"],
        })
    );
    assert!(request["issued"].take().is_u64() && request["time"].take().is_string());
    let headers = request["headers"].take();
    assert_eq!(
        (&headers["user-agent"], &headers["origin"]),
        (&json!("a test"), &json!("https://example.com"))
    );
    assert!(
        ["cookie", "authorization", "proxy-authorization"]
            .iter()
            .all(|name| headers[name].is_null())
    );
    let query = request["query"].take();
    assert_eq!((&query["tag"], &query["EIO"]), (&json!("a b"), &json!("4")));
    let url = request["url"].take();
    assert!(
        url.as_str()
            .is_some_and(|url| url.starts_with("/socket.io/?") && url.contains("EIO=4")),
        "{url}"
    );
    let rest = json!({
        "address": "192.0.2.1", "headers": null, "query": null, "issued": null, "secure": true, "time": null, "url": null,
        "xdomain": true,
    });
    assert_eq!(request, rest);
}

#[tokio::test(start_paused = true)]
async fn what_there_is_may_be_more_than_an_outbox_holds() {
    let io = SocketIo::builder().max_outbox_bytes(10_000).build();
    Admin::without_login().mount(&io);
    let mut members = Vec::new();
    for _ in 0..100 {
        members.push(testing::connect(&io, "/").await.expect("let in"));
    }
    let mut page = page(&io).await;
    let all: Vec<Value> = page.recv("all_sockets").await.expect("all sockets");
    assert_eq!(all.len(), 101);
    io.to(members[0].id()).emit("news", 1).expect("json");
    page.recv::<Args<(String, String, Value, String)>>("event_sent")
        .await
        .expect("it is still there");
}

#[tokio::test(start_paused = true)]
async fn a_page_sees_sockets_come_and_go_with_their_rooms() {
    let io = open();
    // Before it is let in: it is in the room when it is shown.
    io.of("/").on_connect(async |socket: Socket| {
        socket.join("lobby");
        Ok::<_, Refusal>(())
    });
    io.of("/")
        .on("rename", async |socket: Socket, Data(name): Data<String>| {
            socket.set_data(json!({ "name": name }))?;
            Ok::<_, EventError>(Ack(()))
        });
    let mut page = looking(&io).await;
    let mut other = looking(&io).await;
    news(&mut page).await;

    let ada = testing::client(&io)
        .auth(&json!({ "token": "secret" }))
        .connect("/")
        .await
        .expect("let in");
    let id = ada.id();
    let mut come = news(&mut page).await;
    assert_eq!(come, news(&mut other).await, "every page is told");
    let shown = come[1].1[0].take();
    assert!(!shown.to_string().contains("secret"), "{shown}");
    assert_eq!(
        (&shown["id"], &shown["nsp"], &shown["rooms"]),
        (&json!(id), &json!("/"), &json!([id]))
    );
    assert_eq!(
        come,
        [
            event("room_joined", json!(["/", id, id, "now"])),
            event("socket_connected", json!([null, "now"])),
            event("room_joined", json!(["/", "lobby", id, "now"])),
        ]
    );

    ada.emit_with_ack::<()>("rename", "Ada").await.expect("an answer");
    io.of("/").socket(&id).expect("Ada").leave("lobby");
    ada.close().await.expect("it goes");
    assert_eq!(
        news(&mut page).await,
        [
            event("event_received", json!(["/", id, ["rename", "Ada"], "now"])),
            event(
                "socket_updated",
                json!([{ "id": id, "nsp": "/", "data": { "name": "Ada" } }])
            ),
            event("room_left", json!(["/", "lobby", id, "now"])),
            event("socket_disconnected", json!(["/", id, "transport close", "now"])),
            event("room_left", json!(["/", id, id, "now"])),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_page_sees_every_event_without_its_ack_and_none_of_a_page() {
    let io = open();
    let handler = async |socket: Socket, args: RawArgs| {
        socket.emit("back", args)?;
        Ok::<_, EventError>(Ack("an answer"))
    };
    io.of("/").on("there", handler);
    let mut page = looking(&io).await;
    let mut old = Ws::open_v0_9(&io).await;
    let ada = testing::connect(&io, "/").await.expect("let in");
    let id = ada.id();
    news(&mut page).await;

    ada.emit_with_ack::<String>("there", Args((1, json!({ "a": [] }))))
        .await
        .expect("an answer");
    ada.emit("there", Args(())).expect("it goes");
    ada.emit("nobody handles it", "ü😀").expect("it goes");
    assert_eq!(
        news(&mut page).await,
        [
            event("event_received", json!(["/", id, ["there", 1, { "a": [] }], "now"])),
            event("event_sent", json!(["/", id, ["back", 1, { "a": [] }], "now"])),
            event("event_received", json!(["/", id, ["there"], "now"])),
            event("event_sent", json!(["/", id, ["back"], "now"])),
            event("event_received", json!(["/", id, ["nobody handles it", "ü😀"], "now"])),
        ]
    );

    io.emit("news", "to all").expect("json");
    let sent = news(&mut page).await;
    assert_eq!(sent.len(), 2, "once for each recipient: {sent:?}");
    assert!(
        old.texts()
            .await
            .contains(&r#"5:::{"name":"news","args":["to all"]}"#.to_owned())
    );

    io.of("/")
        .emit("bytes", bytes::Bytes::from_static(&[1, 2]))
        .expect("json");
    let bytes = page.next_event().await.expect("an event");
    assert_eq!(bytes.name(), "event_sent");
    assert_eq!(bytes.args().attachments(), [&[1, 2][..]]);
    assert!(
        bytes
            .args()
            .json()
            .contains(r#"["bytes",{"_placeholder":true,"num":0}]"#),
        "{:?}",
        bytes.args()
    );
}
