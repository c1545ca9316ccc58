//! `rust_socketio`'s asynchronous client over each of its ways to connect, against contract `app`.
//!
//! What it cannot do, with any server, and so is not asked for: it answers no acks; it takes an event
//! without arguments for a `message`; it loses its connection over binary events, and over polled
//! payloads that reach it in pieces. The last two are asked of its blocking client.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use rust_client::{Member, Refused, Server};
use rust_socketio::TransportType;
use serde_json::{Value, json};

const PING_INTERVAL: Duration = Duration::from_secs(2);

struct Way {
    transport: TransportType,
    name: &'static str,
    server: Server,
}

impl Way {
    async fn open(&self) -> Member {
        self.join("/", None).await.expect("anybody is let in")
    }

    async fn join(&self, namespace: &str, auth: Option<Value>) -> Result<Member, Refused> {
        Member::connect(&self.server.url, self.transport.clone(), namespace, auth).await
    }
}

fn new_room() -> String {
    static ROOMS: AtomicUsize = AtomicUsize::new(0);
    format!("room-{}", ROOMS.fetch_add(1, Ordering::Relaxed))
}

/// A module a way of connecting, with a test a function.
macro_rules! each_way {
    ($($test:ident),* $(,)?) => {
        each_way!(@way polling, Polling, "polling", $($test),*);
        each_way!(@way websocket, Websocket, "websocket", $($test),*);
        each_way!(@way upgrade, WebsocketUpgrade, "websocket", $($test),*);
    };
    (@way $way:ident, $transport:ident, $name:literal, $($test:ident),*) => {
        mod $way {
            use super::{Server, TransportType, Way};
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    let transport = TransportType::$transport;
                    super::$test(&Way { transport, name: $name, server: Server::start(super::PING_INTERVAL) }).await;
                }
            )*
        }
    };
}

each_way!(
    is_welcomed_once_and_says_who_it_is,
    gets_every_argument_back,
    sends_and_gets_1000_events_in_order,
    hears_its_room_and_not_itself,
    namespaces_are_apart,
    admin_wants_the_token,
    an_unknown_namespace_is_refused,
    outlives_a_handler_that_fails,
    is_told_that_it_was_kicked,
    its_room_is_told_once_that_it_left,
    comes_back_when_its_connection_was_cut,
    outlives_two_heartbeats_in_silence,
);

async fn is_welcomed_once_and_says_who_it_is(way: &Way) {
    let mut member = way.open().await;
    let who = &member.call("whoami", vec![]).await[0];
    assert_eq!(who["id"], *member.id);
    assert_eq!(who["nsp"], "/");
    assert_eq!(who["transport"], way.name);
    assert_eq!(who["protocol"], 4);
    assert_eq!(member.heard("welcome").await, 0);
}

async fn gets_every_argument_back(way: &Way) {
    let mut member = way.open().await;
    let lists = [
        json!([null]),
        json!([true, 0, -1.5, 9_007_199_254_740_991_u64]),
        json!(["", [], {}, [[]], [{}], { "nested": { "list": [1, "two", null] } }]),
        json!([
            "NUL \0",
            "\u{2028} \u{2029}",
            "\u{1f600}\u{1d11e}",
            "\u{fffd}\u{feff}",
            "</script>",
            "\r\n\t\\\"\u{1e}",
            "кириллица"
        ]),
    ];
    for list in lists {
        let args = list.as_array().expect("it is a list");
        member.emit("echo", args.clone()).await;
        assert_eq!(member.next("echo").await, *args);
        assert_eq!(member.call("echo-ack", args.clone()).await, *args);
    }
}

async fn sends_and_gets_1000_events_in_order(way: &Way) {
    let mut member = way.open().await;
    for i in 0..1000 {
        member.emit("collect", json!(i)).await;
    }
    assert_eq!(
        member.call("collected", vec![]).await,
        [json!((0..1000).collect::<Vec<_>>())]
    );
    assert_eq!(member.call("burst", vec![json!(1000), json!(1)]).await, [1000]);
    for i in 0..1000 {
        assert_eq!(member.next("tick").await, [i]);
    }
    assert_eq!(member.heard("tick").await, 0);
}

async fn hears_its_room_and_not_itself(way: &Way) {
    let (mut alice, mut bob, mut carol) = (way.open().await, way.open().await, way.open().await);
    let room = new_room();
    for member in [&alice, &bob] {
        assert_eq!(member.call("join", vec![json!(room)]).await, [json!(room)]);
    }
    let news = |text: &str| vec![json!(room), json!("news"), json!(text)];
    assert_eq!(alice.call("to-room", news("from alice")).await, [true]);
    assert_eq!(bob.next("news").await, ["from alice"]);
    assert_eq!(carol.call("to-room", news("from carol")).await, [true]);
    assert_eq!(alice.next("news").await, ["from carol"]);
    assert_eq!(bob.next("news").await, ["from carol"]);
    assert_eq!(bob.call("leave", vec![json!(room)]).await, [json!(room)]);
    assert_eq!(
        carol.call("broadcast-others", vec![json!("all"), json!(1)]).await,
        [true]
    );
    assert_eq!(carol.call("to-room", news("last")).await, [true]);
    assert_eq!(alice.next("news").await, ["last"]);
    assert_eq!(bob.next("all").await, [1]);
    for member in [&mut alice, &mut bob, &mut carol] {
        assert_eq!(member.heard("news").await, 0);
    }
    assert_eq!(carol.heard("all").await, 0);
}

async fn namespaces_are_apart(way: &Way) {
    let mut main = way.open().await;
    let mut chat = way.join("/chat", None).await.expect("anybody is let in");
    let room = new_room();
    main.call("join", vec![json!(room)]).await;
    chat.call("join", vec![json!(room)]).await;
    let other = way.join("/chat", None).await.expect("anybody is let in");
    other.call("to-room", vec![json!(room), json!("news"), json!(1)]).await;
    assert_eq!(chat.next("news").await, [1]);
    assert_eq!(main.heard("news").await, 0);
}

async fn admin_wants_the_token(way: &Way) {
    for auth in [None, Some(json!({ "token": "wrong" }))] {
        let Refused(told) = way.join("/admin", auth).await.err().expect("it is refused");
        assert!(told.contains("unauthorized") && told.contains("E_AUTH"), "{told}");
    }
    let admin = way
        .join("/admin", Some(json!({ "token": "letmein" })))
        .await
        .expect("it has the token");
    assert_eq!(admin.call("whoami", vec![]).await[0]["nsp"], "/admin");
}

async fn an_unknown_namespace_is_refused(way: &Way) {
    let Refused(told) = way.join("/nowhere", None).await.err().expect("it is refused");
    assert!(told.contains("Invalid namespace"), "{told}");
}

async fn outlives_a_handler_that_fails(way: &Way) {
    let member = way.open().await;
    member.emit("throw", json!(1)).await;
    assert_eq!(member.call("echo-ack", vec![json!("still here")]).await, ["still here"]);
}

async fn is_told_that_it_was_kicked(way: &Way) {
    let mut member = way.open().await;
    member.emit("kick-me", json!(1)).await;
    member.next("close").await;
}

async fn its_room_is_told_once_that_it_left(way: &Way) {
    let mut observer = way.open().await;
    let room = new_room();
    observer.call("join", vec![json!(room)]).await;
    let member = way.open().await;
    member.call("join", vec![json!(room)]).await;
    let id = member.id.clone();
    member.close().await;
    assert_eq!(observer.next("left").await, [id]);
    assert_eq!(observer.heard("left").await, 0);
}

async fn comes_back_when_its_connection_was_cut(way: &Way) {
    let mut member = way.open().await;
    member.emit("close-me", json!(1)).await;
    assert_ne!(member.welcome("/").await, member.id);
    assert_eq!(member.call("echo-ack", vec![json!("back")]).await, ["back"]);
}

async fn outlives_two_heartbeats_in_silence(way: &Way) {
    let mut member = way.open().await;
    tokio::time::sleep(Duration::from_secs(2 * 2 + 6 + 1)).await;
    assert_eq!(member.call("echo-ack", vec![json!("still here")]).await, ["still here"]);
    assert_eq!(member.heard("welcome").await, 0, "it has been connected anew");
}
