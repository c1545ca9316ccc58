//! What the admin UI's page may do, and what a server tells of itself.

mod kit;

use std::time::Duration;

use kit::{Ws, idle, secs};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tower_socketio::{
    Ack, Args, RawArgs, Socket, SocketIo,
    admin::{Admin, Mode},
    testing::{self, TestClient, TestError},
};

fn open() -> SocketIo {
    let io = SocketIo::builder().build();
    Admin::without_login().mount(&io);
    io
}

async fn page(io: &SocketIo) -> TestClient {
    testing::connect(io, "/admin").await.expect("let in")
}

/// The names of what a client was sent by now.
async fn names(client: &mut TestClient) -> Vec<String> {
    idle().await;
    let mut names = Vec::new();
    while let Err(TestError::Unexpected { received }) = client.expect_nothing().await {
        for _ in received {
            names.push(client.next_event().await.expect("it is there").name().to_owned());
        }
    }
    names
}

/// Two members of `/chat`, the first in the room `lobby`.
async fn members(io: &SocketIo) -> [TestClient; 2] {
    io.of("/chat").on("echo", async |args: RawArgs| Ack(args));
    let first = testing::connect(io, "/chat").await.expect("let in");
    let second = testing::connect(io, "/chat").await.expect("let in");
    io.of("/chat").socket(first.id()).expect("the first").join("lobby");
    [first, second]
}

#[tokio::test(start_paused = true)]
async fn a_page_emits_to_all_to_a_room_or_to_a_socket() {
    let io = open();
    let [mut first, mut second] = members(&io).await;
    let page = page(&io).await;
    for (filter, is_first_told, is_second_told) in [
        (json!(null), true, true),
        (json!(""), true, true),
        (json!("lobby"), true, false),
        (json!(second.id()), false, true),
        (json!("nobody's"), false, false),
    ] {
        page.emit("emit", Args(("/chat", &filter, "news", 1, json!({ "two": 2 }))))
            .expect("it goes");
        page.flush().await.expect("handled");
        for (member, is_told) in [(&mut first, is_first_told), (&mut second, is_second_told)] {
            if is_told {
                assert_eq!(
                    member.next_event().await.expect("the news").args().json(),
                    r#"1,{"two":2}"#,
                    "{filter}"
                );
            }
            member.expect_nothing().await.expect("nothing else");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_moves_and_disconnects_whom_it_names() {
    let io = open();
    let [first, second] = members(&io).await;
    let chat = io.of("/chat");
    let sockets = [&first, &second].map(|member| chat.socket(member.id()).expect("a member"));
    let rooms = || sockets.each_ref().map(|socket| socket.rooms()[1..].to_vec());
    let page = page(&io).await;

    page.emit("join", Args(("/chat", "all"))).expect("it goes");
    page.emit("join", Args(("/chat", "some", "lobby"))).expect("it goes");
    page.emit("join", Args(("/chat", "one", second.id()))).expect("it goes");
    page.flush().await.expect("handled");
    assert_eq!(rooms(), [vec!["lobby", "all", "some"], vec!["all", "one"]]);
    page.emit("leave", Args(("/chat", "all", json!(null))))
        .expect("it goes");
    page.emit("leave", Args(("/chat", "some", first.id())))
        .expect("it goes");
    page.flush().await.expect("handled");
    assert_eq!(rooms(), [vec!["lobby"], vec!["one"]]);

    page.emit("_disconnect", Args(("/chat", false, second.id())))
        .expect("it goes");
    page.flush().await.expect("handled");
    idle().await;
    assert_eq!(
        (chat.sockets_count(), io.clients_count()),
        (1, 3),
        "its connection stays"
    );
    page.emit("_disconnect", Args(("/chat", true))).expect("it goes");
    page.flush().await.expect("handled");
    idle().await;
    assert_eq!((chat.sockets_count(), io.clients_count()), (0, 2));
}

#[tokio::test(start_paused = true)]
async fn what_a_page_asks_for_wrongly_does_nothing_and_is_answered() {
    let io = open();
    let [mut first, _second] = members(&io).await;
    let page = page(&io).await;
    for (event, args, why) in [
        (
            "_disconnect",
            json!(["/nowhere", true]),
            "there is no namespace \"/nowhere\"",
        ),
        ("_disconnect", json!([]), "the namespace is missing: it is argument 1"),
        (
            "_disconnect",
            json!(["/chat", true, ["lobby"]]),
            "argument 3 is not of the type",
        ),
        ("_disconnect", json!(["/chat", "yes"]), "argument 2 is not of the type"),
        ("join", json!(["/chat"]), "the room is missing: it is argument 2"),
        ("leave", json!([1, "lobby"]), "argument 1 is not of the type"),
        (
            "emit",
            json!(["/chat", null]),
            "the name of the event is missing: it is argument 3",
        ),
        (
            "emit",
            json!(["/chat", null, "connect"]),
            "event name \"connect\" is reserved",
        ),
    ] {
        let args = args.as_array().expect("a list").clone();
        let json = serde_json::to_string(&args).expect("json");
        let asked = format!(
            "42/admin,1[{:?}{}{}",
            event,
            if args.is_empty() { "" } else { "," },
            &json[1..]
        );
        let mut raw = Ws::join(&io, "/admin").await;
        raw.texts().await;
        raw.send(&asked).await;
        let answers = raw.texts().await;
        let is_answer = |text: &&String| text.starts_with("43/admin,1[");
        let answer = answers
            .iter()
            .find(is_answer)
            .unwrap_or_else(|| panic!("{asked}: {answers:?}"));
        assert!(answer.contains(&why.replace('"', "\\\"")), "{asked}: {answer}");
        raw.vanish().await;
    }
    assert_eq!(io.of("/chat").sockets_count(), 2);
    assert_eq!(names(&mut first).await, [""; 0]);
    drop(page);
}

#[tokio::test(start_paused = true)]
async fn a_page_that_may_only_read_is_told_so_and_changes_nothing() {
    let io = SocketIo::builder().build();
    Admin::without_login().read_only().mount(&io);
    io.on_error(|_| {});
    let [mut first, second] = members(&io).await;
    let mut page = page(&io).await;
    let config: Value = page.recv("config").await.expect("a config");
    assert_eq!(
        config,
        json!({ "supportedFeatures": ["AGGREGATED_EVENTS", "ALL_EVENTS"] })
    );
    page.emit("emit", Args(("/chat", json!(null), "news")))
        .expect("it goes");
    page.emit("join", Args(("/chat", "all"))).expect("it goes");
    page.emit("leave", Args(("/chat", "lobby"))).expect("it goes");
    page.emit("_disconnect", Args(("/chat", true))).expect("it goes");
    page.flush().await.expect("handled");
    assert_eq!(names(&mut first).await, [""; 0]);
    let rooms = |member: &TestClient| {
        io.of("/chat")
            .socket(member.id())
            .map(|socket| socket.rooms()[1..].to_vec())
    };
    assert_eq!(
        [rooms(&first), rooms(&second)],
        [Some(vec!["lobby".to_owned()]), Some(vec![])]
    );
}

#[tokio::test(start_paused = true)]
async fn in_production_a_page_is_told_numbers_only() {
    let io = SocketIo::builder().build();
    Admin::without_login()
        .mode(Mode::Production)
        .server_id("one")
        .namespace("/numbers")
        .mount(&io);
    let mut page = testing::connect(&io, "/numbers").await.expect("let in");
    let config: Value = page.recv("config").await.expect("a config");
    assert_eq!(
        config["supportedFeatures"].as_array().and_then(|all| all.last()),
        Some(&json!("AGGREGATED_EVENTS"))
    );
    let [first, _second] = members(&io).await;
    first.emit_with_ack::<u8>("echo", 1).await.expect("an answer");
    io.of("/chat")
        .socket(first.id())
        .expect("the first")
        .set_data(1)
        .expect("json");
    first.close().await.expect("it goes");
    sleep(secs(2)).await;
    let told = names(&mut page).await;
    assert!(
        told.len() >= 2 && told.iter().all(|name| name == "server_stats"),
        "{told:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_tells_how_it_is_at_once_and_every_two_seconds() {
    let io = SocketIo::builder().build();
    Admin::without_login()
        .mode(Mode::Production)
        .server_id("one")
        .mount(&io);
    let _members = members(&io).await;
    let _polling = kit::Polling::open(&io).await;
    let mut page = page(&io).await;
    let begun = Instant::now();
    let mut stats: Value = page.recv("server_stats").await.expect("statistics");
    assert!(begun.elapsed() < Duration::from_millis(10));
    assert!(stats["hostname"].take().as_str().is_some_and(|name| !name.is_empty()));
    assert_eq!(stats["pid"].take(), json!(std::process::id()));
    assert!(stats["uptime"].take().as_f64().is_some_and(|seconds| seconds < 1.0));
    let namespaces = json!([
        { "name": "/", "socketsCount": 0 }, { "name": "/admin", "socketsCount": 1 }, { "name": "/chat", "socketsCount": 2 },
    ]);
    let expected = json!({
        "serverId": "one", "hostname": null, "pid": null, "uptime": null, "clientsCount": 4, "pollingClientsCount": 1,
        "aggregatedEvents": [], "namespaces": namespaces,
    });
    assert_eq!(stats, expected);
    for seconds in [2.0, 4.0, 6.0] {
        let stats: Value = page.recv("server_stats").await.expect("statistics");
        assert!(
            (begun.elapsed().as_secs_f64() - seconds).abs() < 0.1,
            "{:?}",
            begun.elapsed()
        );
        assert!(
            stats["uptime"]
                .as_f64()
                .is_some_and(|uptime| (uptime - seconds).abs() < 1.0),
            "{stats}"
        );
    }
}

/// What the reports of some seconds counted, by type.
async fn counted(page: &mut TestClient, what: &str, sub_type: Option<&str>) -> u64 {
    let stats: Value = page.recv("server_stats").await.expect("statistics");
    let events = stats["aggregatedEvents"].as_array().expect("a list").clone();
    assert!(
        events
            .iter()
            .all(|event| event["timestamp"].as_u64().is_some_and(|at| at % 1000 == 0)),
        "{events:?}"
    );
    let is_it = |event: &&Value| event["type"] == what && event["subType"].as_str() == sub_type;
    events
        .iter()
        .filter(is_it)
        .filter_map(|event| event["count"].as_u64())
        .sum()
}

#[tokio::test(start_paused = true)]
async fn what_passes_is_counted_while_somebody_looks() {
    let io = SocketIo::builder().build();
    Admin::without_login().mode(Mode::Production).mount(&io);
    let [first, second] = members(&io).await;
    let mut looking = page(&io).await;
    assert_eq!(counted(&mut looking, "rawConnection", None).await, 0, "what was before");

    for _ in 0..3 {
        first.emit_with_ack::<String>("echo", "ü").await.expect("an answer");
    }
    assert_eq!(counted(&mut looking, "packetsIn", None).await, 3);
    first.emit_with_ack::<String>("echo", "ü").await.expect("an answer");
    assert_eq!(
        counted(&mut looking, "bytesIn", None).await,
        r#"2/chat,3["echo","ü"]"#.len() as u64
    );
    first.close().await.expect("it goes");
    assert_eq!(
        counted(&mut looking, "rawDisconnection", Some("transport close")).await,
        1
    );
    let third = testing::connect(&io, "/chat").await.expect("let in");
    assert_eq!(counted(&mut looking, "rawConnection", None).await, 1);

    // Nobody looks: nothing is kept for who comes next.
    looking.close().await.expect("it goes");
    sleep(secs(5)).await;
    second.emit_with_ack::<u8>("echo", 1).await.expect("an answer");
    let mut later = page(&io).await;
    assert_eq!(counted(&mut later, "packetsIn", None).await, 0);
    assert_eq!(counted(&mut later, "packetsIn", None).await, 0);
    third.emit_with_ack::<u8>("echo", 1).await.expect("an answer");
    assert_eq!(
        counted(&mut later, "packetsIn", None).await,
        1,
        "and from then on, again"
    );
}

#[tokio::test(start_paused = true)]
async fn a_page_that_does_not_read_is_cut_off_and_nobody_else() {
    let io = SocketIo::builder().max_outbox_bytes(20_000).build();
    Admin::without_login().mount(&io);
    let mut reading = page(&io).await;
    let mut slow = Ws::open_with(&io, 1000).await;
    slow.send("40/admin,").await;
    idle().await;
    assert_eq!(io.of("/admin").sockets_count(), 2);
    let member = testing::connect(&io, "/").await.expect("let in");
    for _ in 0..100 {
        member.emit("much", "x".repeat(1000)).expect("it goes");
        member.flush().await.expect("handled");
        names(&mut reading).await;
    }
    assert_eq!(io.of("/admin").sockets_count(), 1);
    member.emit("more", 1).expect("it goes");
    member.flush().await.expect("handled");
    assert!(names(&mut reading).await.contains(&"event_received".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn namespaces_that_come_later_are_shown_children_included() {
    let io = SocketIo::builder().build();
    let orders = io.of_pattern("/orders-{id}");
    orders.on("pay", async |socket: Socket| socket.emit("paid", ()));
    Admin::without_login().mount(&io);
    let tenants = io.of_matching(async |request| request.path().starts_with("/tenant-"));
    tenants.on("pay", async |socket: Socket| socket.emit("paid", ()));
    let mut page = page(&io).await;
    names(&mut page).await;
    for path in ["/orders-7", "/tenant-a"] {
        let client = testing::connect(&io, path).await.expect("let in");
        client.emit("pay", ()).expect("it goes");
        client.flush().await.expect("handled");
        let told = names(&mut page).await;
        let told: Vec<_> = told.iter().filter(|name| *name != "server_stats").collect();
        assert_eq!(
            told,
            ["room_joined", "socket_connected", "event_received", "event_sent"],
            "{path}"
        );
        client.close().await.expect("it goes");
        let told = names(&mut page).await;
        let told: Vec<_> = told.iter().filter(|name| *name != "server_stats").collect();
        assert_eq!(told, ["socket_disconnected", "room_left"], "{path}");
    }
    assert!(orders.children().is_empty(), "what is watched is not kept");
}

#[tokio::test(start_paused = true)]
async fn a_change_of_transport_is_shown() {
    let io = open();
    let mut page = page(&io).await;
    let polling = kit::Polling::join(&io, "/").await;
    let mut stream = Ws::upgrade(&io, &polling.sid);
    names(&mut page).await;
    stream.send("2probe").await;
    assert_eq!(stream.text().await, "3probe");
    stream.send("5").await;
    idle().await;
    let event = page.next_event().await.expect("an event");
    assert_eq!(event.name(), "socket_updated");
    let told: Value = event.read().expect("an object");
    assert_eq!(
        (&told["nsp"], &told["transport"], &told["data"]),
        (&json!("/"), &json!("websocket"), &Value::Null)
    );
}
