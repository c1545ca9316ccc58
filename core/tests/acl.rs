//! Rules about what a client may call, attacked: every way to a handler, every generation, early and
//! late events, races of denying and calling.

mod kit;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use http::Method;
use http_body_util::Full;
use kit::{Gate, Log, Polling, UPGRADE, Ws, idle, millis, request, secs, sockets, soon};
use serde::{Deserialize, Deserializer};
use tokio::time::sleep;
use tower_socketio::{
    Ack, AckSender, Acl, Data, EventName, FailureKind, Namespace, Occasion, RawArgs, Refusal, Socket, SocketIo, State,
};

/// What the client is told by an ack.
const DENIED: &str = r#"[{"error":{"name":"method_access_denied","message":"the client may not call this event"}}]"#;

/// A server that notes who is called and what went wrong.
fn server() -> (SocketIo, Namespace, Log) {
    let log = Log::default();
    let io = SocketIo::builder().state(log.clone()).build();
    let nsp = io.of("/");
    nsp.on("free", noted).on("secret", noted).on("user message", noted);
    let failures = log.clone();
    nsp.on_error(move |failure| {
        failures.add(format!(
            "{} {}",
            failure.kind.name(),
            failure.event().unwrap_or_default()
        ));
    });
    (io, nsp, log)
}

async fn noted(State(log): State<Log>, EventName(name): EventName, args: RawArgs) -> Ack<RawArgs> {
    log.add(format!("called {name}"));
    Ack(args)
}

#[tokio::test(start_paused = true)]
async fn what_is_denied_reaches_no_handler_and_its_ack_says_so() {
    let (io, nsp, log) = server();
    nsp.acl(|_| Acl::only(["free"]));
    let mut ws = Ws::join(&io, "/").await;
    ws.send_all(&[
        r#"421["free",1]"#,
        r#"422["secret",2]"#,
        r#"42["secret"]"#,
        r#"423["nonsense"]"#,
    ])
    .await;
    let answers = ["431[1]".to_owned(), format!("432{DENIED}"), format!("433{DENIED}")];
    assert_eq!(ws.texts().await, answers);
    assert_eq!(
        log.take(),
        [
            "called free",
            "method_access_denied secret",
            "method_access_denied secret",
            // Whether there is such an event is not the client's business.
            "method_access_denied nonsense",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn no_argument_of_a_denied_event_is_read() {
    struct Tripwire;

    impl<'de> Deserialize<'de> for Tripwire {
        fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
            READ.store(true, Ordering::SeqCst);
            Ok(Self)
        }
    }

    static READ: AtomicBool = AtomicBool::new(false);
    let (io, nsp, log) = server();
    nsp.acl(|_| Acl::all().deny("trip"))
        .on("trip", async |Data(_): Data<Tripwire>| {});
    let found = sockets(&nsp);
    let (mut ws, mut found) = (Ws::join(&io, "/").await, found);
    ws.send(r#"42["trip",1]"#).await;
    idle().await;
    assert!(!READ.load(Ordering::SeqCst));
    assert_eq!(log.take(), ["method_access_denied trip"]);
    found.next().await.acl().allow("trip");
    ws.send(r#"42["trip",1]"#).await;
    idle().await;
    assert!(READ.load(Ordering::SeqCst), "and it would have been noticed");
}

#[tokio::test(start_paused = true)]
async fn handlers_of_any_and_of_other_events_see_nothing_that_is_denied() {
    let (io, nsp, log) = server();
    nsp.acl(|_| Acl::only(["free", "unheard"]))
        .on_any(async |State(log): State<Log>, EventName(name): EventName| log.add(format!("any {name}")))
        .on_other(async |State(log): State<Log>, EventName(name): EventName| log.add(format!("other {name}")));
    let mut ws = Ws::join(&io, "/").await;
    ws.send_all(&[
        r#"42["secret"]"#,
        r#"42["hidden"]"#,
        r#"42["free"]"#,
        r#"42["unheard"]"#,
    ])
    .await;
    idle().await;
    let expected = [
        "method_access_denied secret",
        "method_access_denied hidden",
        "any free",
        "called free",
        "any unheard",
        "other unheard",
    ];
    assert_eq!(log.take(), expected);
}

#[tokio::test(start_paused = true)]
async fn binary_events_are_checked_when_their_last_attachment_is_there() {
    let (io, nsp, log) = server();
    nsp.acl(|_| Acl::only(["free"]));
    let mut ws = Ws::join(&io, "/").await;
    for event in ["secret", "free"] {
        ws.send(&format!(r#"451-7["{event}",{{"_placeholder":true,"num":0}}]"#))
            .await;
        ws.send_binary(&[1, 2, 3]).await;
        idle().await;
    }
    assert_eq!(log.take(), ["method_access_denied secret", "called free"]);
    assert_eq!(ws.text().await, format!("437{DENIED}"));
}

#[tokio::test(start_paused = true)]
async fn other_spellings_of_a_name_are_no_way_around() {
    let (io, nsp, log) = server();
    nsp.acl(|_| Acl::all().deny("user_message")).on("user_message", noted);
    let mut ws = Ws::join(&io, "/").await;
    ws.send_all(&[
        r#"42["user message"]"#,
        r#"42["user_message"]"#,
        r#"42["user\u0020message"]"#,
        r#"42["\u0075ser_message"]"#,
    ])
    .await;
    idle().await;
    let denied = ["user message", "user_message", "user message", "user_message"];
    assert_eq!(log.take(), denied.map(|name| format!("method_access_denied {name}")));
}

#[tokio::test(start_paused = true)]
async fn rules_are_in_force_before_the_first_event_that_comes_with_the_connect_packet() {
    let (io, nsp, log) = server();
    nsp.acl(|handshake| {
        let has_key = handshake.query_value("key").is_some();
        if has_key { Acl::all() } else { Acl::none() }
    });
    let mut ws = Ws::open(&io).await;
    ws.send_all(&["40", r#"42["free"]"#]).await;
    let polling = Polling::open(&io).await;
    polling.posted("40\x1e42[\"free\"]").await;
    assert_eq!(log.take(), ["method_access_denied free", "method_access_denied free"]);
    let mut admitted = Ws::redeem(kit::ticket_for(&io, "EIO=4&key=1"), 1 << 20);
    admitted.text().await;
    admitted.send_all(&["40", r#"42["free"]"#]).await;
    idle().await;
    assert_eq!(log.take(), ["called free"]);
}

#[tokio::test(start_paused = true)]
async fn events_that_waited_are_judged_when_their_turn_comes() {
    let (io, nsp, log) = server();
    let gate = Gate::closed();
    let held = gate.clone();
    nsp.on_connect(move |socket: Socket| {
        let gate = held.clone();
        async move {
            gate.pass().await;
            socket.acl().deny("secret");
            Ok::<_, Refusal>(())
        }
    });
    let mut ws = Ws::open(&io).await;
    ws.send_all(&["40", r#"42["secret"]"#, r#"42["free"]"#]).await;
    idle().await;
    assert_eq!(log.take(), [""; 0]);
    gate.admit(1);
    idle().await;
    assert_eq!(log.take(), ["method_access_denied secret", "called free"]);
}

#[tokio::test(start_paused = true)]
async fn events_behind_the_cap_of_handlers_are_judged_when_their_turn_comes() {
    let (log, gate) = (Log::default(), Gate::closed());
    let io = SocketIo::builder()
        .max_handlers(1)
        .state(log.clone())
        .state(gate.clone())
        .build();
    io.of("/").on(
        "vote",
        async |socket: Socket, State(gate): State<Gate>, State(log): State<Log>| {
            log.add("voted");
            gate.pass().await;
            socket.acl().deny("vote");
        },
    );
    let mut ws = Ws::join(&io, "/").await;
    ws.send_all(&[r#"42["vote"]"#, r#"427["vote"]"#]).await;
    idle().await;
    gate.admit(2);
    assert_eq!(ws.text().await, format!("437{DENIED}"));
    assert_eq!(log.take(), ["voted"]);
}

#[tokio::test(start_paused = true)]
async fn one_socket_opens_and_closes_a_method_of_another() {
    let (io, nsp, log) = server();
    nsp.acl(|_| Acl::none());
    let mut found = sockets(&nsp);
    let mut ada = Ws::join(&io, "/").await;
    let mut ben = Ws::join(&io, "/").await;
    let [of_ada, of_ben] = [found.next().await, found.next().await];
    of_ben.acl().allow("secret");
    assert!(of_ben.acl().is_allowed("secret") && !of_ada.acl().is_allowed("secret"));
    for (ws, outcome) in [(&mut ada, "method_access_denied secret"), (&mut ben, "called secret")] {
        ws.send(r#"42["secret"]"#).await;
        idle().await;
        assert_eq!(log.take(), [outcome]);
    }
    of_ben.acl().deny("secret");
    of_ada.acl().lift();
    for (ws, outcome) in [(&mut ada, "called secret"), (&mut ben, "method_access_denied secret")] {
        ws.send(r#"42["secret"]"#).await;
        idle().await;
        assert_eq!(log.take(), [outcome]);
    }
    of_ada.acl().reset();
    assert!(!of_ada.acl().is_allowed("secret"));
}

#[tokio::test(start_paused = true)]
async fn without_rules_everything_is_allowed_until_something_is_denied() {
    let (io, nsp, log) = server();
    let mut found = sockets(&nsp);
    let mut ws = Ws::join(&io, "/").await;
    let socket = found.next().await;
    socket.acl().reset();
    assert!(socket.acl().is_allowed("secret"));
    socket.acl().deny("secret");
    ws.send_all(&[r#"42["secret"]"#, r#"42["free"]"#]).await;
    idle().await;
    assert_eq!(log.take(), ["method_access_denied secret", "called free"]);
    socket.acl().reset();
    assert!(socket.acl().is_allowed("secret"));
}

#[tokio::test(start_paused = true)]
async fn what_was_allowed_to_one_connection_is_not_to_the_next() {
    let (io, nsp, log) = server();
    nsp.acl(|_| Acl::none());
    let mut found = sockets(&nsp);
    let mut ws = Ws::join(&io, "/").await;
    found.next().await.acl().lift();
    // Out of the namespace and in again on the same connection, then on another.
    ws.send("41").await;
    ws.connect("/").await;
    ws.send(r#"42["secret"]"#).await;
    idle().await;
    assert_eq!(log.take(), ["method_access_denied secret"]);
    found.next().await.acl().lift();
    ws.vanish().await;
    let mut again = Ws::join(&io, "/").await;
    again.send(r#"42["secret"]"#).await;
    idle().await;
    assert_eq!(log.take(), ["method_access_denied secret"]);
}

#[tokio::test(start_paused = true)]
async fn rules_of_one_namespace_are_not_those_of_another() {
    let (io, nsp, log) = server();
    nsp.acl(|_| Acl::none());
    io.of("/open").on("secret", noted);
    let mut ws = Ws::join(&io, "/").await;
    ws.connect("/open").await;
    ws.send_all(&[r#"42["secret"]"#, r#"42/open,["secret"]"#]).await;
    idle().await;
    assert_eq!(log.take(), ["method_access_denied secret", "called secret"]);
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_panics_lets_nobody_in() {
    let (io, nsp, log) = server();
    nsp.acl(|_| panic!("no rules today"));
    let mut ws = Ws::open(&io).await;
    ws.send_all(&["40", r#"42["free"]"#]).await;
    assert_eq!(ws.text().await, r#"44{"message":"internal error"}"#);
    assert_eq!(log.take(), ["panic "]);
}

#[tokio::test(start_paused = true)]
async fn clients_of_engine_io_3_are_under_the_same_rules() {
    let (io, nsp, log) = server();
    nsp.acl(|_| Acl::only(["free"]));
    let (mut ws, _) = Ws::open_eio3(&io).await;
    ws.send_all(&[r#"421["secret"]"#, r#"42["free"]"#]).await;
    ws.send(r#"451-2["secret",{"_placeholder":true,"num":0}]"#).await;
    ws.send_binary(&[4, 1]).await;
    idle().await;
    let expected = [
        "method_access_denied secret",
        "called free",
        "method_access_denied secret",
    ];
    assert_eq!(log.take(), expected);
    assert_eq!(ws.texts().await[1..], [format!("431{DENIED}"), format!("432{DENIED}")]);
}

#[tokio::test(start_paused = true)]
async fn clients_before_1_0_are_under_the_same_rules_with_events_and_messages() {
    let (io, nsp, log) = server();
    nsp.acl(|_| Acl::only(["free"])).on("message", noted);
    let (service, body) = (io.service(), Full::<bytes::Bytes>::default());
    let handshake = service.handle(request(Method::GET, "/socket.io/1/", &[]), body);
    let line = kit::Answer::of(soon("a handshake", handshake).await).await.body;
    let sid = line.split(':').next().expect("a session");
    let parts = request(Method::GET, &format!("/socket.io/1/websocket/{sid}"), &UPGRADE);
    let (_, ticket) = kit::accept(&io, parts).expect("a WebSocket");
    let mut ws = Ws::redeem(ticket, 1 << 20);
    assert_eq!(ws.text().await, "1::");
    ws.send_all(&[
        r#"5:1+::{"name":"secret"}"#,
        r#"5:::{"name":"free"}"#,
        "3:::text",
        "4:::[1]",
    ])
    .await;
    idle().await;
    let expected = [
        "method_access_denied secret",
        "called free",
        "method_access_denied message",
        "method_access_denied message",
    ];
    assert_eq!(log.take(), expected);
    assert_eq!(ws.texts().await, [format!("6:::1+{DENIED}")]);
}

#[tokio::test(start_paused = true)]
async fn what_is_denied_while_a_wrapper_awaits_is_not_called() {
    let (io, nsp, log) = server();
    nsp.wrap(|_, next| async move {
        sleep(secs(1)).await;
        next.await
    });
    nsp.on("once", async |socket: Socket, State(log): State<Log>| {
        socket.acl().deny("once");
        log.add("called once");
    });
    let mut ws = Ws::join(&io, "/").await;
    ws.send_all(&[r#"421["once"]"#, r#"422["once"]"#]).await;
    assert_eq!(ws.text().await, format!("432{DENIED}"));
    assert_eq!(log.take(), ["called once", "method_access_denied once"]);
}

/// Numbers that look random, the same for the same seed.
struct Dice(u64);

impl Dice {
    /// A number below `sides`.
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// Events arrive, wait at the cap of handlers and are called, while the method is denied and allowed:
/// what happens in which order is the seed's. Returns how many calls were made and how many denied.
async fn race(seed: u64) -> (usize, usize) {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let denied = Arc::new(AtomicBool::new(false));
    let (log, is_denied) = (Log::default(), denied.clone());
    let cap = usize::try_from(1 + dice.roll(4)).expect("a small number");
    let io = SocketIo::builder().max_handlers(cap).state(log.clone()).build();
    let nsp = io.of("/");
    nsp.on("call", move |State(log): State<Log>, Data(pause): Data<u64>| {
        let begun_after_deny = is_denied.load(Ordering::SeqCst);
        async move {
            assert!(!begun_after_deny, "a call began after `deny` had returned");
            log.add("call");
            sleep(millis(pause)).await;
        }
    });
    let failures = log.clone();
    nsp.on_error(move |failure| match failure.kind {
        FailureKind::AccessDenied => failures.add("denied"),
        other => failures.add(format!("seed {seed}: {other}")),
    });
    let mut found = sockets(&nsp);
    let mut ws = Ws::join(&io, "/").await;
    let socket = found.next().await;
    let mut moderator = Dice(seed | 1);
    let rules = async {
        for _ in 0..12 {
            match moderator.roll(3) {
                0 => sleep(millis(moderator.roll(4))).await,
                1 => tokio::task::yield_now().await,
                _ => {}
            }
            // Known as denied only once `deny` has returned, as allowed before it is.
            if moderator.roll(2) == 0 {
                socket.acl().deny("call");
                denied.store(true, Ordering::SeqCst);
            } else {
                denied.store(false, Ordering::SeqCst);
                socket.acl().allow("call");
            }
        }
    };
    let calls = async {
        for _ in 0..12 {
            let burst: Vec<_> = (0..=dice.roll(3))
                .map(|_| format!(r#"42["call",{}]"#, dice.roll(5)))
                .collect();
            ws.send_all(&burst.iter().map(String::as_str).collect::<Vec<_>>()).await;
            match dice.roll(3) {
                0 => sleep(millis(dice.roll(4))).await,
                1 => tokio::task::yield_now().await,
                _ => {}
            }
        }
    };
    tokio::join!(rules, calls);
    sleep(secs(1)).await;
    let outcome = log.take();
    let count = |what: &str| outcome.iter().filter(|entry| *entry == what).count();
    assert_eq!(count("call") + count("denied"), outcome.len(), "{outcome:?}");
    (count("call"), count("denied"))
}

#[tokio::test(start_paused = true)]
async fn no_call_starts_after_deny_returned_in_a_thousand_interleavings() {
    let (mut calls, mut denied) = (0, 0);
    for seed in 1..=1_000 {
        let (called, refused) = race(seed).await;
        calls += called;
        denied += refused;
    }
    assert!(
        calls > 1_000 && denied > 1_000,
        "both happened often: {calls} calls, {denied} denied"
    );
}

#[tokio::test(start_paused = true)]
async fn what_the_handler_of_any_event_denies_is_not_called() {
    let (io, nsp, log) = server();
    nsp.on_any(async |socket: Socket, EventName(name): EventName| socket.acl().deny(name));
    let mut ws = Ws::join(&io, "/").await;
    ws.send(r#"427["free"]"#).await;
    assert_eq!(ws.text().await, format!("437{DENIED}"));
    assert_eq!(log.take(), ["method_access_denied free"]);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_answers_itself_is_denied_as_others_are() {
    let (io, nsp, log) = server();
    let gate = Gate::closed();
    let held = gate.clone();
    nsp.on("late", async |ack: AckSender| ack.send(1))
        .wrap(move |call, next| {
            let gate = held.clone();
            async move {
                if let Occasion::Event(_) = call.occasion() {
                    gate.pass().await;
                }
                next.await
            }
        });
    let mut found = sockets(&nsp);
    let mut ws = Ws::join(&io, "/").await;
    let socket = found.next().await;
    ws.send(r#"427["late"]"#).await;
    idle().await;
    socket.acl().deny("late");
    gate.admit(1);
    assert_eq!(ws.text().await, format!("437{DENIED}"));
    assert_eq!(log.take(), ["method_access_denied late"]);
}

/// A name that depends on the socket whose rules it is for.
struct Name(Socket);

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        if self.0.is_connected() { "secret" } else { "free" }
    }
}

#[tokio::test(start_paused = true)]
async fn names_are_made_before_anything_is_locked() {
    let (io, nsp, _) = server();
    let mut found = sockets(&nsp);
    let _ws = Ws::join(&io, "/").await;
    let socket = found.next().await;
    // In a thread of its own: the test would hang with it.
    let (done, is_done) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        socket.acl().allow(Name(socket.clone()));
        socket.acl().deny(Name(socket.clone()));
        done.send(socket.acl().is_allowed(Name(socket.clone())))
    });
    assert_eq!(is_done.recv_timeout(secs(10)), Ok(false));
}
