//! Namespaces that come into being when clients ask for them: patterns, closures, what children share with
//! their parent, and that what clients ask for keeps nothing alive.

mod kit;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use kit::{Gate, Log, Polling, Ws, idle, millis, secs, soon};
use tokio::time::sleep;
use tower_socketio::{
    Ack, Acl, Data, DisconnectReason, EventName, Handshake, Namespace, Param, RawArgs, Refusal, Socket, SocketIo,
    State, namespace,
};

fn server() -> (SocketIo, Log) {
    let log = Log::default();
    let io = SocketIo::builder().state(log.clone()).build();
    io.on_error(log.failures());
    (io, log)
}

/// Asks for a namespace; the answer.
async fn ask(ws: &mut Ws, nsp: &str) -> String {
    ws.send(&format!("40{nsp},")).await;
    ws.text().await
}

fn paths(namespaces: &[Namespace]) -> Vec<&str> {
    let mut paths: Vec<_> = namespaces.iter().map(Namespace::path).collect();
    paths.sort_unstable();
    paths
}

const INVALID: &str = r#"{"message":"Invalid namespace"}"#;

#[tokio::test(start_paused = true)]
async fn a_path_that_matches_a_pattern_is_a_namespace_and_others_are_not() {
    let (io, log) = server();
    let orders = io.of_pattern("orders-{id}");
    assert_eq!(orders.path(), "/orders-{id}");
    let mut ws = Ws::open(&io).await;
    assert_eq!(ask(&mut ws, "/orders-").await, format!("44/orders-,{INVALID}"));
    assert_eq!(ask(&mut ws, "/orders-7/x").await, format!("44/orders-7/x,{INVALID}"));
    assert_eq!(log.take().len(), 2);
    let sid = ws.connect("/orders-7").await;
    assert_eq!(paths(&orders.children()), ["/orders-7"]);
    assert_eq!(orders.sockets_count(), 1);
    let socket = orders.socket(sid).expect("the parent finds its children's sockets");
    assert_eq!(socket.namespace().path(), "/orders-7");
    assert_eq!(socket.namespace().param("id"), Some("7"));
    assert_eq!(socket.namespace().param("name"), None);
}

#[tokio::test(start_paused = true)]
async fn parameters_are_read_by_handlers_and_a_connect_handler_refuses_what_is_none() {
    let (io, log) = server();
    io.of_pattern("/{shop}/orders-{id}")
        .on("shop", async |Param(shop): Param<String>, socket: Socket| {
            Ack([shop, socket.namespace().param("id").unwrap_or_default().to_owned()])
        });
    io.of_pattern("/users-{id}")
        .on_connect(async |Param(id): Param<u64>, State(log): State<Log>| log.add(id));
    let mut ws = Ws::join(&io, "/x/orders-7").await;
    ws.send(r#"42/x/orders-7,1["shop"]"#).await;
    assert_eq!(ws.text().await, r#"43/x/orders-7,1[["x","7"]]"#);
    let answer = ask(&mut ws, "/users-ada").await;
    let refused = r#"44/users-ada,{"message":"invalid id in the namespace's path: invalid digit found in string"}"#;
    assert_eq!(answer, refused);
    ws.connect("/users-12").await;
    idle().await;
    assert_eq!(log.take()[1..], ["12"]);
}

#[test]
#[should_panic(expected = "asks for Param, which only namespaces of a pattern have")]
fn a_parameter_of_a_namespace_without_a_pattern_is_noticed_when_it_is_asked_for() {
    SocketIo::builder().build().of("/").on("x", async |_: Param<String>| {});
}

#[test]
#[should_panic(expected = "\"/orders\" is no pattern of namespaces: it has no parameter")]
fn a_bad_pattern_panics_where_it_is_registered() {
    SocketIo::builder().build().of_pattern("/orders");
}

#[test]
#[should_panic(expected = "no client can ask for a namespace of the pattern")]
fn a_pattern_that_no_client_can_ask_for_panics() {
    SocketIo::builder().build().of_pattern("/orders,{id}");
}

#[test]
#[should_panic(expected = "the handlers of namespace \"/orders-7\" are its parent's")]
fn a_child_has_no_handlers_of_its_own() {
    let io = SocketIo::builder().build();
    io.of_pattern("/orders-{id}");
    io.of("/orders-7").on("x", async || {});
}

#[tokio::test(start_paused = true)]
async fn what_is_registered_with_a_parent_goes_for_children_that_are_there_and_that_come() {
    let (io, log) = server();
    let nsp = io.of_pattern("/orders-{id}");
    let mut ws = Ws::join(&io, "/orders-1").await;
    let denied = log.clone();
    nsp.acl(|_| Acl::all().deny("secret"))
        .with(async |_: Handshake, State(log): State<Log>| log.add("with"))
        .with(async |Param(id): Param<u8>| if id == 9 { Err(Refusal::new("not nine")) } else { Ok(()) })
        .wrap(|call, next| async move {
            println!("{} in {}", call.occasion(), call.socket().namespace().path());
            next.await
        })
        .on_connect(async |socket: Socket, State(log): State<Log>| log.add(format!("in {}", socket.namespace().path())))
        .on("say", async |Data(text): Data<String>| Ack(text))
        .on_other(async |EventName(name): EventName, State(log): State<Log>| log.add(format!("other {name}")))
        .on_error(move |failure| denied.add(format!("{:?} {}", failure.namespace, failure.kind.name())))
        .on_disconnect(async |socket: Socket, why: DisconnectReason, State(log): State<Log>| {
            log.add(format!("{} left: {why}", socket.namespace().path()));
        });
    ws.connect("/orders-2").await;
    assert_eq!(ask(&mut ws, "/orders-9").await, r#"44/orders-9,{"message":"not nine"}"#);
    ws.send_all(&[
        r#"42/orders-1,1["say","one"]"#,
        r#"42/orders-2,2["say","two"]"#,
        r#"42/orders-2,["secret"]"#,
        r#"42/orders-1,["what"]"#,
        "41/orders-2,",
    ])
    .await;
    assert_eq!(ws.texts().await, [r#"43/orders-1,1["one"]"#, r#"43/orders-2,2["two"]"#]);
    let expected = [
        "with",
        "in /orders-2",
        "with",
        r#"Some("/orders-9") refused"#,
        r#"Some("/orders-2") method_access_denied"#,
        "other what",
        "/orders-2 left: client namespace disconnect",
    ];
    assert_eq!(log.take(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_type_serves_all_children_with_a_value_for_each_socket() {
    struct Order(u64);

    #[namespace]
    impl Order {
        #[connect]
        async fn connect(Param(id): Param<u64>) -> Self {
            Self(id)
        }

        #[event]
        async fn number(&self) -> Ack<u64> {
            Ack(self.0)
        }
    }

    let (io, _) = server();
    io.of_pattern("/orders-{id}").serve::<Order>();
    let mut ws = Ws::join(&io, "/orders-1").await;
    ws.connect("/orders-2").await;
    ws.send_all(&[r#"42/orders-2,1["number"]"#, r#"42/orders-1,2["number"]"#])
        .await;
    assert_eq!(ws.texts().await, ["43/orders-2,1[2]", "43/orders-1,2[1]"]);
}

#[tokio::test(start_paused = true)]
async fn what_a_parent_emits_reaches_all_children_by_their_paths() {
    let (io, _) = server();
    let orders = io.of_pattern("/orders-{id}");
    orders.on_connect(async |socket: Socket| {
        socket.join(if socket.namespace().param("id") == Some("2") {
            "even"
        } else {
            "odd"
        });
    });
    let others = io.of_pattern("/users-{id}");
    let mut ws = Ws::join(&io, "/orders-1").await;
    ws.connect("/orders-2").await;
    ws.connect("/users-1").await;
    let sorted = async |ws: &mut Ws| {
        let mut texts = ws.texts().await;
        texts.sort();
        texts
    };
    orders.emit("all", RawArgs::encode("x").unwrap()).unwrap();
    assert_eq!(
        sorted(&mut ws).await,
        [r#"42/orders-1,["all","x"]"#, r#"42/orders-2,["all","x"]"#]
    );
    orders.to("even").emit("some", 1).unwrap();
    orders.except("even").volatile().emit("rest", 2).unwrap();
    assert_eq!(
        sorted(&mut ws).await,
        [r#"42/orders-1,["rest",2]"#, r#"42/orders-2,["some",1]"#]
    );
    others.emit("bytes", bytes::Bytes::from_static(b"x")).unwrap();
    assert_eq!(
        ws.text().await,
        r#"451-/users-1,["bytes",{"_placeholder":true,"num":0}]"#
    );
    assert_eq!(ws.binary().await, b"x");
    orders.to("odd").disconnect_sockets(false);
    assert_eq!(ws.texts().await, ["41/orders-1,"]);
    assert!(
        io.of_pattern("/none-{x}").emit("disconnect", ()).is_err(),
        "reserved, also where nobody hears it"
    );
}

#[tokio::test(start_paused = true)]
async fn the_operators_of_a_parent_reach_all_children() {
    let (io, _) = server();
    let parents = [io.of_pattern("/orders-{id}"), io.of_matching(async |_| true)];
    for (parent, [one, other]) in parents.iter().zip([["/orders-1", "/orders-2"], ["/a", "/b"]]) {
        let mut ws = Ws::join(&io, one).await;
        ws.connect(other).await;
        assert_eq!(parent.fetch_sockets().await.len(), 2);
        parent.sockets_join("room");
        assert_eq!(parent.within("room").fetch_sockets().await.len(), 2);
        // An id that a child asks by is none that its parent does.
        let own = io.of(one).emit_with_ack::<u8>("own?", ()).unwrap();
        let all = parent.to("room").emit_with_ack::<u8>("all?", ()).unwrap();
        let mut asked = ws.texts().await;
        asked.sort();
        let id = |text: &str| text.split_once(',').unwrap().1.split_once('[').unwrap().0.to_owned();
        let (first, second) = (id(&asked[0]), id(&asked[1]));
        assert_ne!(first, second);
        assert_eq!(id(&asked[2]), second, "{asked:?}");
        ws.send_all(&[
            &format!("43{one},{second}[2]"),
            &format!("43{other},{second}[3]"),
            &format!("43{one},{first}[1]"),
        ])
        .await;
        let answers = |acks: tower_socketio::Acks<u8>| {
            assert!(acks.missing.is_empty());
            acks.answers.into_iter().map(|(_, answer)| answer).collect::<Vec<_>>()
        };
        assert_eq!(answers(own.collect_all().await), [1]);
        assert_eq!(answers(all.collect_all().await), [2, 3]);
        parent.sockets_leave("room");
        parent.to("room").emit("nobody", ()).unwrap();
        parent.local().emit("local", ()).unwrap();
        assert_eq!(ws.texts().await.len(), 2);
        parent.disconnect_sockets(true);
        idle().await;
        assert_eq!(parent.sockets_count(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_parent_emits_is_written_by_the_servers_own_parser() {
    let io = SocketIo::builder().parser(tower_socketio::parser::MsgPack).build();
    let parents = [io.of_pattern("/orders-{id}"), io.of_matching(async |_| true)];
    for (parent, path) in parents.iter().zip(["/orders-1", "/x"]) {
        let mut client = tower_socketio::testing::connect(&io, path).await.unwrap();
        parent.emit("news", bytes::Bytes::from_static(b"x")).unwrap();
        assert_eq!(client.recv::<Vec<u8>>("news").await.unwrap(), b"x");
    }
}

#[tokio::test(start_paused = true)]
async fn a_parent_that_asks_gives_up_in_time_and_forgets() {
    let (io, _) = server();
    let orders = io.of_pattern("/orders-{id}");
    let mut ws = Ws::join(&io, "/orders-1").await;
    let question = orders.timeout(secs(5)).emit_with_ack::<u8>("x?", ()).unwrap();
    let acks = question.collect_all().await;
    assert_eq!((acks.answers.len(), acks.missing.len()), (0, 1));
    assert!(matches!(acks.missing[0].1, tower_socketio::AckError::Timeout));
    assert_eq!(ws.texts().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn rooms_of_all_children_are_told_to_their_parents_hook_once() {
    let (io, log) = server();
    let orders = io.of_pattern("/orders-{id}");
    let _there = Ws::join(&io, "/orders-1").await;
    let told = log.clone();
    orders.on_room_event(move |event| {
        if let tower_socketio::RoomEvent::Create { room: "x" } = event {
            told.add("created");
        }
    });
    let _comes = Ws::join(&io, "/orders-2").await;
    orders.sockets_join("x");
    assert_eq!(log.take(), ["created", "created"]);
}

#[tokio::test(start_paused = true)]
async fn children_part_their_sockets_and_rooms() {
    let (io, _) = server();
    io.of_pattern("/orders-{id}")
        .on_connect(async |socket: Socket| socket.join("room"))
        .on("say", async |socket: Socket| {
            socket.to("room").emit("said", socket.namespace().path())
        });
    let mut one = Ws::join(&io, "/orders-1").await;
    let mut other = Ws::join(&io, "/orders-1").await;
    let mut elsewhere = Ws::join(&io, "/orders-2").await;
    one.send(r#"42/orders-1,["say"]"#).await;
    assert_eq!(other.texts().await, [r#"42/orders-1,["said","/orders-1"]"#]);
    assert_eq!((one.texts().await, elsewhere.texts().await), (vec![], vec![]));
    assert_eq!(
        (io.of("/orders-1").sockets_count(), io.of("/orders-2").sockets_count()),
        (2, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn the_first_parent_that_matches_has_the_child_and_a_named_namespace_comes_before_all() {
    let (io, log) = server();
    let note = |nsp: &Namespace, name: &'static str| {
        nsp.on_connect(move |State(log): State<Log>, socket: Socket| {
            log.add(format!("{name} {}", socket.namespace().path()));
            std::future::ready(())
        });
    };
    note(&io.of("/orders-0"), "named");
    note(
        &io.of_matching(async |request| request.path().ends_with('1')),
        "closure",
    );
    let orders = io.of_pattern("/orders-{id}");
    note(&orders, "orders");
    note(&io.of_pattern("/{any}"), "any");
    assert_eq!(io.of_pattern("/orders-{id}").sockets_count(), 0);
    let mut ws = Ws::open(&io).await;
    for path in ["/orders-0", "/orders-1", "/orders-2", "/x", "/x1"] {
        ws.connect(path).await;
    }
    idle().await;
    let expected = [
        "named /orders-0",
        "closure /orders-1",
        "orders /orders-2",
        "any /x",
        "closure /x1",
    ];
    assert_eq!(log.take(), expected);
    assert_eq!(paths(&orders.children()), ["/orders-2"]);
}

#[tokio::test(start_paused = true)]
async fn an_empty_child_goes_unless_the_application_holds_it() {
    let (io, _) = server();
    let orders = io.of_pattern("/orders-{id}");
    let mut ws = Ws::join(&io, "/orders-1").await;
    ws.connect("/orders-2").await;
    let held = io.of("/orders-2");
    assert_eq!(paths(&orders.children()), ["/orders-1", "/orders-2"]);
    ws.send_all(&["41/orders-1,", "41/orders-2,"]).await;
    idle().await;
    assert_eq!(paths(&orders.children()), ["/orders-2"]);
    // The same one, not another of its path.
    ws.connect("/orders-2").await;
    assert_eq!(held.sockets_count(), 1);
    drop(held);
    assert_eq!(paths(&orders.children()), ["/orders-2"]);
    ws.vanish().await;
    idle().await;
    assert!(orders.children().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_child_lives_until_its_last_handler_has_ended() {
    let gate = Gate::closed();
    let io = SocketIo::builder().state(gate.clone()).build();
    let orders = io.of_pattern("/orders-{id}");
    orders.on_disconnect(async |State(gate): State<Gate>| gate.pass().await);
    let ws = Ws::join(&io, "/orders-1").await;
    ws.vanish().await;
    idle().await;
    assert_eq!(orders.children().len(), 1);
    gate.admit(1);
    idle().await;
    assert!(orders.children().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_client_makes_no_more_children_than_it_may_have_namespaces() {
    let io = SocketIo::builder().max_namespaces(3).build();
    let orders = io.of_pattern("/orders-{id}");
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    io.of_matching(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        std::future::pending::<bool>()
    });
    let mut ws = Ws::open(&io).await;
    ws.connect("/orders-1").await;
    // These are looked up forever, and count.
    ws.send_all(&["40/x,", "40/y,", "40/z,", "40/orders-2,"]).await;
    let refused = |nsp| format!(r#"44{nsp},{{"message":"Too many namespaces"}}"#);
    assert_eq!(ws.texts().await, [refused("/z"), refused("/orders-2")]);
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    // And end when the client does not want them any more.
    ws.send("41/x,").await;
    ws.connect("/orders-3").await;
    assert_eq!(orders.children().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_made_to_leave_one_child_after_the_other_keeps_none_alive() {
    let (io, _) = server();
    let orders = io.of_pattern("/orders-{id}");
    orders.on_connect(async |socket: Socket| socket.disconnect());
    let mut ws = Ws::open(&io).await;
    for id in 0..300 {
        ws.send(&format!("40/orders-{id},")).await;
    }
    assert_eq!(ws.texts().await.len(), 600);
    assert!(orders.children().is_empty());
    // What it sends to the newest is still ignored.
    ws.send(r#"42/orders-299,["x"]"#).await;
    ws.connect("/orders-7").await;
}

#[tokio::test(start_paused = true)]
async fn a_closure_that_awaits_lets_the_clients_events_wait() {
    let (io, log) = server();
    let gate = Gate::closed();
    let door = gate.clone();
    io.of_matching(move |request| {
        let door = door.clone();
        async move {
            door.pass().await;
            request
                .auth::<serde_json::Value>()
                .is_ok_and(|auth| auth["token"] == "letmein")
        }
    })
    .on("say", async |Data(text): Data<String>, State(log): State<Log>| {
        log.add(text);
    });
    let mut ws = Ws::join(&io, "/").await;
    ws.send_all(&[
        r#"40/a,{"token":"letmein"}"#,
        r#"42/a,["say","first"]"#,
        r#"451-/a,["say",{"_placeholder":true,"num":0}]"#,
    ])
    .await;
    ws.send_binary(b"x").await;
    ws.send_all(&[
        r#"42/a,["say","last"]"#,
        r#"40/b,{"token":"no"}"#,
        r#"42/b,["say","lost"]"#,
    ])
    .await;
    assert_eq!(ws.texts().await, Vec::<String>::new());
    gate.admit(2);
    let answers = ws.texts().await;
    assert!(answers[0].starts_with(r#"40/a,{"sid":"#), "{answers:?}");
    assert_eq!(answers[1..], [format!("44/b,{INVALID}")]);
    let log = log.take();
    assert_eq!([&log[0], &log[1], &log[3]], ["None no such namespace", "first", "last"]);
    assert!(log[2].starts_with(r#"Some("say") invalid arguments"#), "{log:?}");
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_closure_is_bounded() {
    let io = SocketIo::builder().max_pending_bytes(1_000).build();
    io.of_matching(async |_| {
        sleep(secs(60)).await;
        true
    })
    .on("say", async |Data(text): Data<String>| drop(text));
    let client = Polling::join(&io, "/").await;
    let text = "x".repeat(600);
    client.posted("40/a,").await;
    client.posted(&format!(r#"42/a,["say","{text}"]"#)).await;
    let post = client
        .open_post(&format!("42/a,[\"say\",\"{text}\"]\u{1e}42/a,[\"say\"]"))
        .await;
    let poll = client.open_get().await;
    sleep(secs(50)).await;
    assert!(!post.is_finished(), "it is not read while more than the cap waits");
    sleep(secs(11)).await;
    assert!(post.is_finished());
    poll.abort();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_while_a_closure_awaits_leaves_nothing() {
    struct Dropped(Arc<AtomicUsize>);

    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    let (io, _) = server();
    let dropped = Arc::new(AtomicUsize::new(0));
    let count = dropped.clone();
    let parent = io.of_matching(move |_| {
        let guard = Dropped(count.clone());
        async move {
            let _guard = guard;
            std::future::pending().await
        }
    });
    let mut ws = Ws::join(&io, "/").await;
    ws.send_all(&["40/a,", r#"42/a,["x"]"#]).await;
    idle().await;
    ws.vanish().await;
    idle().await;
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
    assert_eq!((io.clients_count(), parent.children().len()), (0, 0));
    soon("the end", io.close()).await;
}

#[tokio::test(start_paused = true)]
async fn a_closure_that_panics_refuses_and_is_reported() {
    let (io, log) = server();
    io.of_matching(async |request| {
        if request.path() == "/now" {
            panic!("at once")
        } else {
            false
        }
    });
    io.of_matching(async |_| {
        sleep(millis(1)).await;
        panic!("later")
    });
    let mut ws = Ws::join(&io, "/").await;
    assert_eq!(ask(&mut ws, "/now").await, r#"44/now,{"message":"internal error"}"#);
    assert_eq!(ask(&mut ws, "/later").await, r#"44/later,{"message":"internal error"}"#);
    assert_eq!(log.take(), ["None panicked: at once", "None panicked: later"]);
}

#[tokio::test(start_paused = true)]
async fn two_clients_that_ask_at_once_meet_in_one_child() {
    let (io, _) = server();
    let parent = io.of_matching(async |_| {
        sleep(secs(1)).await;
        true
    });
    let (mut one, mut other) = (Ws::open(&io).await, Ws::open(&io).await);
    one.send("40/a,").await;
    other.send("40/a,").await;
    sleep(secs(2)).await;
    assert_eq!((one.texts().await.len(), other.texts().await.len()), (1, 1));
    let children = parent.children();
    assert_eq!((paths(&children), children[0].sockets_count()), (vec!["/a"], 2));
}

#[test]
fn a_child_that_goes_while_others_come_has_never_a_twin() {
    const ROUNDS: usize = 20_000;
    let io = SocketIo::builder().build();
    let orders = io.of_pattern("/orders-{id}");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..ROUNDS {
                    let (one, other) = (io.of("/orders-1"), io.of("/orders-1"));
                    // Whoever holds a namespace sees the one that others see.
                    assert_eq!(one.path(), other.path());
                    assert_eq!(orders.children().len(), 1);
                }
            });
        }
    });
    assert!(orders.children().is_empty());
}

#[tokio::test(start_paused = true)]
async fn new_namespaces_are_told_of_once_each() {
    let (io, log) = server();
    let (told, elsewhere) = (log.clone(), io.clone());
    io.on_new_namespace(move |namespace| {
        told.add(format!("{} {:?}", namespace.path(), namespace.param("id")));
        // No lock is held.
        elsewhere.of("/");
        assert_ne!(namespace.path(), "/bad", "of the application");
    });
    io.of_pattern("/orders-{id}");
    io.of("/named");
    io.of("/named");
    io.of("/bad");
    let _one = Ws::join(&io, "/orders-1").await;
    let _other = Ws::join(&io, "/orders-1").await;
    assert_eq!(log.take(), ["/named None", "/bad None", r#"/orders-1 Some("1")"#]);
}

#[tokio::test(start_paused = true)]
async fn clients_of_every_generation_join_children() {
    let (io, log) = server();
    io.of_pattern("/orders-{id}")
        .on_connect(async |Param(id): Param<u8>, State(log): State<Log>| log.add(id))
        .on("say", async |Data(text): Data<String>, socket: Socket| {
            socket.emit("said", text)
        });
    let (mut third, _) = Ws::open_eio3(&io).await;
    assert_eq!(third.text().await, "40");
    third.send_all(&["40/orders-3?a=b", r#"42/orders-3,["say","x"]"#]).await;
    assert_eq!(third.texts().await, ["40/orders-3,", r#"42/orders-3,["said","x"]"#]);
    let mut fourth = Ws::join(&io, "/orders-4").await;
    fourth.send(r#"42/orders-4,["say","x"]"#).await;
    assert_eq!(fourth.texts().await, [r#"42/orders-4,["said","x"]"#]);
    assert_eq!(log.take(), ["3", "4"]);
}

#[tokio::test(start_paused = true)]
async fn only_the_newest_namespaces_that_a_client_was_made_to_leave_are_remembered() {
    let io = SocketIo::builder().max_namespaces(2).build();
    let orders = io.of_pattern("/orders-{id}");
    orders.on_connect(async |socket: Socket| socket.disconnect());
    let mut ws = Ws::open(&io).await;
    for id in 1..=3 {
        ws.send(&format!("40/orders-{id},")).await;
        assert_eq!(ws.texts().await.len(), 2);
    }
    ws.send_all(&[r#"42/orders-2,["x"]"#, r#"42/orders-3,["x"]"#]).await;
    idle().await;
    assert_eq!(io.clients_count(), 1);
    ws.send(r#"42/orders-1,["x"]"#).await;
    idle().await;
    assert_eq!(io.clients_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn nobody_joins_whose_connection_has_ended_meanwhile() {
    let gate = Gate::closed();
    let io = SocketIo::builder().state(gate.clone()).build();
    io.of("/")
        .on_disconnect(async |State(gate): State<Gate>| gate.pass().await);
    let parent = io.of_matching(async |_| {
        sleep(secs(1)).await;
        true
    });
    let mut ws = Ws::join(&io, "/").await;
    ws.send("40/late,").await;
    idle().await;
    ws.vanish().await;
    // The client's disconnect handler is still in progress.
    sleep(secs(2)).await;
    assert!(parent.children().is_empty());
    gate.admit(1);
    soon("the end", io.close()).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_parent_emits_is_recovered_by_clients_that_come_back() {
    let io = SocketIo::builder()
        .connection_state_recovery(tower_socketio::Recovery::default())
        .build();
    let orders = io.of_pattern("/orders-{id}");
    let told = Log::default();
    let seen = told.clone();
    orders.on_any_outgoing(move |event| {
        // It takes locks.
        event.socket().join("seen");
        seen.add(format!("{} [{}]", event.name(), event.args().json()));
    });
    let mut ws = Ws::open(&io).await;
    let connected = ask(&mut ws, "/orders-1").await;
    let (_, pid) = connected.split_once(r#""pid":""#).expect("a pid");
    let pid = pid.trim_end_matches("\"}").to_owned();
    orders.emit("first", "a").unwrap();
    let first = ws.text().await;
    let (_, offset) = first.split_once(r#"["first","a",""#).expect("an offset");
    let offset = offset.trim_end_matches("\"]").to_owned();
    ws.vanish().await;
    idle().await;
    orders.emit("missed", ()).unwrap();
    let mut ws = Ws::open(&io).await;
    ws.send(&format!(r#"40/orders-1,{{"pid":"{pid}","offset":"{offset}"}}"#))
        .await;
    let texts = ws.texts().await;
    assert!(
        texts
            .iter()
            .any(|text| text.starts_with(r#"42/orders-1,["missed",null,"#)),
        "{texts:?}"
    );
    assert_eq!(told.take(), [r#"first ["a"]"#]);
    io.of("/orders-1").emit("later", 1).unwrap();
    assert_eq!(told.take(), ["later [1]"]);
}

#[tokio::test(start_paused = true)]
async fn a_namespace_can_be_looked_for_without_being_made() {
    let io = SocketIo::builder().build();
    io.of_matching(async |request| request.path().starts_with("/tenant-"))
        .with(async || Err::<(), _>(Refusal::new("who are you?")));
    assert!(io.namespace("/tenant-1").is_none());
    let mut ws = Ws::open(&io).await;
    ws.send("40/tenant-1,").await;
    assert_eq!(ws.texts().await, [r#"44/tenant-1,{"message":"who are you?"}"#]);

    io.of_pattern("/orders-{id}");
    let orders = io.of("/orders-7");
    let paths = || {
        io.namespaces()
            .iter()
            .map(|namespace| namespace.path().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(io.namespace("orders-7").expect("it is held").path(), "/orders-7");
    assert_eq!(paths(), ["/", "/orders-7"]);
    drop(orders);
    assert!(io.namespace("/orders-7").is_none());
    assert_eq!(paths(), ["/"]);
}
