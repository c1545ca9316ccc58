//! The clients of `testing`, each of every generation, in virtual time and in real time.

use std::{error::Error, time::Duration};

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};
use tower_socketio::{
    Ack, Args, Auth, CloseReason, Cors, Data, DisconnectReason, EventError, Extension, Generation, Handshake, PeerAddr,
    RawArgs, Refusal, Socket, SocketIo, State,
    testing::{self, Parting, TestClient, TestError},
};

mod kit;

use kit::{Log, millis, secs};

const ALL: [Generation; 3] = [Generation::V0_9, Generation::Eio3, Generation::Eio4];

type Passed = Result<(), Box<dyn Error>>;

/// An application, and what its handlers noted.
fn app() -> (SocketIo, Log) {
    let log = Log::default();
    let io = SocketIo::builder().state(log.clone()).build();
    for path in ["/", "/chat"] {
        io.of(path)
            .on("join", async |socket: Socket, Data(room): Data<String>| {
                socket.join(room);
            })
            .on("say", async |socket: Socket, Data(text): Data<String>| {
                socket.to("lobby").emit("said", text)
            })
            .on("echo", async |socket: Socket, args: RawArgs| socket.emit("echo", args))
            .on("sum", async |Data(Args((a, b))): Data<Args<(i64, i64)>>| Ack(a + b))
            .on("back", async |args: RawArgs| Ack(args))
            .on("hi", async |socket: Socket| {
                let name: String = socket.emit_with_ack("name?", "please").await?;
                socket.emit("hello", name)?;
                Ok::<_, EventError>(())
            })
            .on("message", async |socket: Socket, args: RawArgs| socket.send(args))
            .on("quit", async |socket: Socket| {
                socket.emit("bye", "")?;
                socket.disconnect();
                Ok::<_, EventError>(())
            })
            .on_disconnect(async |State(log): State<Log>, why: DisconnectReason| log.add(why));
    }
    (io, log)
}

async fn connect(io: &SocketIo, generation: Generation, nsp: &str) -> Result<TestClient, TestError> {
    testing::client(io).generation(generation).connect(nsp).await
}

/// A client that is in a room.
async fn in_lobby(io: &SocketIo, generation: Generation) -> Result<TestClient, TestError> {
    let client = connect(io, generation, "/chat").await?;
    client.emit("join", "lobby")?;
    client.flush().await?;
    Ok(client)
}

/// Waits for what a handler notes.
async fn noted(log: &Log) -> Vec<String> {
    let noted = async {
        loop {
            let noted = log.take();
            if !noted.is_empty() {
                return noted;
            }
            sleep(millis(1)).await;
        }
    };
    timeout(secs(5), noted).await.expect("nothing was noted")
}

#[tokio::test(start_paused = true)]
async fn rooms_are_shared_between_generations() -> Passed {
    let (io, _) = app();
    let mut clients = Vec::new();
    for generation in ALL {
        let client = in_lobby(&io, generation).await?;
        assert_eq!(client.generation(), generation);
        clients.push(client);
    }
    for speaker in 0..clients.len() {
        let text = format!("{speaker}: \u{1f642} \"hé\"");
        clients[speaker].emit("say", &text)?;
        for (listener, client) in clients.iter_mut().enumerate() {
            if listener == speaker {
                client.expect_nothing().await?;
            } else {
                assert_eq!(client.recv::<String>("said").await?, text);
            }
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn acks_go_both_ways_and_belong_to_their_namespace() -> Passed {
    let (io, _) = app();
    for generation in ALL {
        let mut chat = connect(&io, generation, "/chat").await?;
        let mut root = chat.of("/").await?;
        for client in [&mut chat, &mut root] {
            assert_eq!(client.emit_with_ack::<i64>("sum", Args((1, 2))).await?, 3);
            let back: Args<(String, Option<u8>)> = client.emit_with_ack("back", Args(("a", 7))).await?;
            assert_eq!(back, Args(("a".to_owned(), Some(7))));
            assert!(client.emit_with_ack::<RawArgs>("back", Args(())).await?.is_empty());

            client.emit("hi", "")?;
            let question = client.recv_question::<String>("name?").await?;
            assert_eq!(question.data, "please");
            question.answer("bob")?;
            assert_eq!(client.recv::<String>("hello").await?, "bob", "{generation}");
        }
        let (sum, other) = tokio::join!(
            chat.emit_with_ack::<i64>("sum", Args((1, 2))),
            root.emit_with_ack::<i64>("sum", Args((3, 4)))
        );
        assert_eq!((sum?, other?), (3, 7));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_event_that_asks_for_nothing_is_no_question_and_every_event_may_be_answered() -> Passed {
    let (io, _) = app();
    for generation in ALL {
        let mut client = connect(&io, generation, "/").await?;
        let socket = io.of("/").socket(client.id()).expect("it is in");
        socket.emit("name?", "a statement")?;
        let answer = socket.emit_with_ack::<Args<(u8, u8)>>("name?", "a question");
        let question = client.recv_question::<String>("name?").await?;
        assert_eq!(question.data, "a question");
        question.answer(Args((1, 2)))?;
        assert_eq!(answer.await?, Args((1, 2)));
        client.next_event().await?.answer("nobody waits for it")?;

        let answer = socket.emit_with_ack::<RawArgs>("more?", "");
        client.next_event().await?.answer(Args(()))?;
        assert!(answer.await?.is_empty());
        client.flush().await?;
        assert!(socket.is_connected(), "{generation}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn names_may_be_asked_for_in_any_order_and_the_order_is_kept() -> Passed {
    let (io, _) = app();
    for generation in ALL {
        let mut client = connect(&io, generation, "/").await?;
        for (name, number) in [("a", 1), ("b", 2), ("a", 3), ("c", 4)] {
            io.emit(name, number)?;
        }
        assert_eq!(client.recv::<u8>("b").await?, 2);
        assert_eq!(client.recv::<u8>("a").await?, 1);
        let next = client.next_event().await?;
        assert_eq!((next.name(), next.read::<u8>()?, next.args().json()), ("a", 3, "3"));
        assert_eq!(client.next_event().await?.name(), "c");
        client.expect_nothing().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn binary_goes_both_ways_where_the_generation_has_it() -> Passed {
    let (io, _) = app();
    let large = Bytes::from(vec![0xfe; 70_000]);
    let args = Args((Bytes::from_static(b"\x00\x04"), "between", large.clone()));
    for generation in [Generation::Eio3, Generation::Eio4] {
        let mut client = connect(&io, generation, "/chat").await?;
        client.emit("echo", &args)?;
        let echo: Args<(Bytes, String, Bytes)> = client.recv("echo").await?;
        assert_eq!(
            (&echo.0.0[..], &*echo.0.1, &echo.0.2),
            (&b"\x00\x04"[..], "between", &large)
        );
        let back: Bytes = client.emit_with_ack("back", &large).await?;
        assert_eq!(back, large);

        let socket = io.of("/chat").socket(client.id()).expect("it is in");
        let answer = socket.emit_with_ack::<Bytes>("file?", "");
        client.recv_question::<String>("file?").await?.answer(&large)?;
        assert_eq!(answer.await?, large);
    }
    let old = connect(&io, Generation::V0_9, "/chat").await?;
    let error = old.emit("echo", &args).unwrap_err();
    assert!(error.to_string().starts_with("arguments hold bytes"), "{error}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn messages_of_every_length_go_both_ways() -> Passed {
    let (io, _) = app();
    for generation in ALL {
        let mut client = connect(&io, generation, "/").await?;
        // Around the lengths where a frame's header grows, packets being a little longer.
        for length in (80..130).chain(65_480..65_540).chain([300_000]) {
            let text = "x".repeat(length);
            client.emit("echo", &text)?;
            assert!(client.recv::<String>("echo").await? == text, "{generation} {length}");
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_as_message_arrives_as_message() -> Passed {
    let (io, _) = app();
    for generation in ALL {
        let mut client = connect(&io, generation, "/").await?;
        for message in [json!("text"), json!(""), json!({"is": "json"})] {
            client.emit("message", &message)?;
            assert_eq!(client.recv::<Value>("message").await?, message, "{generation}");
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn ids_are_those_of_the_server() -> Passed {
    let (io, _) = app();
    for generation in ALL {
        let chat = connect(&io, generation, "/chat").await?;
        let root = chat.of("/").await?;
        for client in [&chat, &root] {
            let socket = io.of(client.namespace()).socket(client.id());
            assert!(socket.is_some(), "{generation} {}", client.id());
        }
        assert_eq!(chat.id() == root.id(), generation == Generation::V0_9);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_request_is_as_it_was_built() -> Passed {
    #[derive(Clone)]
    struct User(&'static str);

    let io = SocketIo::builder().build();
    io.of("/").on_connect(
        async |socket: Socket, handshake: Handshake, Extension(user): Extension<User>| {
            let cookie = handshake.headers().get("cookie").unwrap_or_default().to_owned();
            let room = handshake.query_value("a room").unwrap_or_default().into_owned();
            socket.emit("hello", Args((user.0, cookie, room, handshake.peer_addr())))
        },
    );
    let peer = PeerAddr(([192, 0, 2, 1], 50_000).into());
    for generation in ALL {
        let builder = testing::client(&io).generation(generation);
        let builder = builder.query("a room", "l&b y").header("cookie", "a=b");
        let mut bob = builder.extension(User("bob")).extension(peer).connect("/").await?;
        let told: Args<(String, String, String, String)> = bob.recv("hello").await?;
        let expected = ["bob", "a=b", "l&b y", "192.0.2.1:50000"].map(str::to_owned);
        assert_eq!(<[String; 4]>::from(told.0), expected, "{generation}");
    }
    Ok(())
}

fn guarded() -> SocketIo {
    let io = SocketIo::builder().build();
    io.of("/admin").with(async |Auth(auth): Auth<Value>| {
        // Older clients say everything as text.
        let token = auth["token"].as_str() == Some("let me, in");
        let level = auth["level"].to_string().trim_matches('"') == "7";
        if token && level {
            Ok(())
        } else {
            Err(Refusal::new("unauthorized").with_data(&json!({"code": 7})))
        }
    });
    io.of("/text").with(async || Err::<(), _>(Refusal::new("go away")));
    io
}

#[tokio::test(start_paused = true)]
async fn auth_lets_in() -> Passed {
    let io = guarded();
    let auth = json!({"token": "let me, in", "level": 7});
    for generation in ALL {
        let builder = testing::client(&io).generation(generation);
        let first = builder.auth(&auth).connect("/admin").await?;
        let root = connect(&io, generation, "/").await?;
        let second = root.of_with_auth("/admin", &auth).await?;
        assert_eq!(io.of("/admin").sockets_count(), 2);
        first.close().await?;
        second.close().await?;
    }
    let error = testing::client(&io)
        .auth(&["no object"])
        .connect("/admin")
        .await
        .unwrap_err();
    assert!(matches!(error, TestError::Encode(_)), "{error}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn auth_of_the_main_namespace_is_the_connections_query_in_older_generations() -> Passed {
    let io = SocketIo::builder().build();
    io.of("/")
        .on_connect(async |socket: Socket, Auth(auth): Auth<Value>, handshake: Handshake| {
            let query = handshake.query_value("token").map(std::borrow::Cow::into_owned);
            socket.emit("hello", Args((auth, query)))
        });
    for generation in ALL {
        let builder = testing::client(&io).generation(generation);
        let mut client = builder.auth(&json!({"token": "t"})).connect("/").await?;
        let told: Args<(Value, Option<String>)> = client.recv("hello").await?;
        let expected = match generation {
            Generation::Eio4 => (json!({"token": "t"}), None),
            _ => (json!({}), Some("t".to_owned())),
        };
        assert_eq!(told, Args(expected), "{generation}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn refusals_tell_what_clients_are_told() {
    let io = guarded();
    let code = Some(json!({"code": 7}));
    for (generation, nsp, message, data, text) in [
        (
            Generation::Eio4,
            "/admin",
            "unauthorized",
            code.clone(),
            r#"namespace "/admin" refused: unauthorized {"code":7}"#,
        ),
        (
            Generation::Eio4,
            "/text",
            "go away",
            None,
            r#"namespace "/text" refused: go away"#,
        ),
        (
            Generation::Eio4,
            "/nope",
            "Invalid namespace",
            None,
            r#"namespace "/nope" refused: Invalid namespace"#,
        ),
        (
            Generation::Eio3,
            "/admin",
            "",
            code,
            r#"namespace "/admin" refused: {"code":7}"#,
        ),
        (
            Generation::Eio3,
            "/text",
            "go away",
            None,
            r#"namespace "/text" refused: go away"#,
        ),
        (
            Generation::Eio3,
            "/nope",
            "Invalid namespace",
            None,
            r#"namespace "/nope" refused: Invalid namespace"#,
        ),
        (
            Generation::V0_9,
            "/admin",
            "unauthorized",
            None,
            r#"namespace "/admin" refused: unauthorized"#,
        ),
    ] {
        let error = connect(&io, generation, nsp).await.unwrap_err();
        assert_eq!(
            (error.to_string(), format!("{error:?}")),
            (text.to_owned(), text.to_owned())
        );
        let TestError::Refused {
            namespace,
            message: told,
            data: with,
        } = error
        else {
            panic!("{generation}: {error}");
        };
        assert_eq!((&*namespace, &*told, with), (nsp, message, data), "{generation}");
    }
    let start = Instant::now();
    let error = connect(&io, Generation::V0_9, "/nope").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"no answer of namespace "/nope" within 5s; nothing came"#
    );
    assert_eq!(start.elapsed(), secs(5));
}

#[tokio::test(start_paused = true)]
async fn who_was_not_answered_may_ask_anew() -> Passed {
    let io = SocketIo::builder().build();
    let client = connect(&io, Generation::V0_9, "/").await?;
    let error = client.of("/late").await.unwrap_err();
    assert!(matches!(error, TestError::Timeout { .. }), "{error}");
    io.of("/late");
    client.of("/late").await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_refused_client_may_try_again_and_go_elsewhere() -> Passed {
    let io = guarded();
    io.of("/open");
    for generation in ALL {
        let root = connect(&io, generation, "/").await?;
        for _ in 0..2 {
            let error = root.of("/admin").await.unwrap_err();
            assert!(matches!(error, TestError::Refused { .. }), "{generation}: {error}");
        }
        root.of_with_auth("/admin", &json!({"token": "let me, in", "level": 7}))
            .await?;
        root.of("/open").await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_the_main_namespace_comes_late_before_1_0() -> Passed {
    let io = SocketIo::builder().build();
    io.of("/").with(async || Err::<(), _>(Refusal::new("no")));
    let error = connect(&io, Generation::Eio3, "/").await.unwrap_err();
    assert_eq!(error.to_string(), r#"namespace "/" refused: no"#);
    let mut old = connect(&io, Generation::V0_9, "/").await?;
    for error in [
        old.recv::<Value>("any").await.map(drop),
        old.disconnected().await.map(drop),
    ] {
        assert_eq!(error.unwrap_err().to_string(), r#"namespace "/" refused: unauthorized"#);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn connections_that_are_not_accepted_show_the_response() {
    let io = SocketIo::builder().generations([Generation::Eio4]).build();
    let error = connect(&io, Generation::Eio3, "/").await.unwrap_err();
    let text = "connection not accepted: 400 Bad Request: Unsupported protocol version";
    assert_eq!(error.to_string(), text);
    let error = connect(&io, Generation::V0_9, "/").await.unwrap_err();
    assert!(matches!(error, TestError::NotAccepted { .. }), "{error}");

    let io = SocketIo::builder().cors(Cors::origins(["https://a.example"])).build();
    let stranger = testing::client(&io).header("origin", "https://b.example");
    let error = stranger.connect("/").await.unwrap_err();
    assert!(matches!(error, TestError::NotAccepted { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn who_is_sent_away_is_told_so_and_reads_what_came_before() -> Passed {
    let (io, log) = app();
    for generation in ALL {
        for nsp in ["/", "/chat"] {
            let mut client = connect(&io, generation, nsp).await?;
            client.emit("quit", "")?;
            assert_eq!(client.disconnected().await?, Parting::ByServer, "{generation}");
            assert_eq!(client.recv::<String>("bye").await?, "");
            assert_eq!(noted(&log).await, ["server namespace disconnect"]);

            let text = r#"no way for event "say": disconnected, io server disconnect; nothing came"#;
            assert_eq!(client.emit("say", "").unwrap_err().to_string(), text);
            let text = r#"no event "said": disconnected, io server disconnect; nothing came"#;
            assert_eq!(client.recv::<String>("said").await.unwrap_err().to_string(), text);
            assert!(client.expect_nothing().await.is_err());
            client.close().await?;
            log.take();
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_is_gone_when_it_goes_on_and_may_come_back() -> Passed {
    let (io, log) = app();
    for generation in ALL {
        let mut chat = in_lobby(&io, generation).await?;
        let root = chat.of("/").await?;
        chat.disconnect().await?;
        assert_eq!(io.of("/chat").sockets_count(), 0);
        assert_eq!(chat.disconnected().await?, Parting::ByClient);
        assert_eq!(noted(&log).await, ["client namespace disconnect"]);

        let again = root.of("/chat").await?;
        assert_eq!(again.emit_with_ack::<i64>("sum", Args((1, 2))).await?, 3);
        assert!(chat.emit("say", "").is_err(), "the one that left has left");
        let error = root.of("/chat").await.unwrap_err();
        let text = r#"client is in namespace "/chat" already; use the client that is"#;
        assert_eq!(error.to_string(), text);
        root.close().await?;
        log.take();
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn before_1_0_who_leaves_the_main_namespace_has_left() -> Passed {
    let (io, log) = app();
    let mut root = connect(&io, Generation::V0_9, "/").await?;
    let mut chat = root.of("/chat").await?;
    root.disconnect().await?;
    assert_eq!(root.disconnected().await?, Parting::ByClient);
    assert_eq!(chat.disconnected().await?, Parting::ByClient);
    assert_eq!(noted(&log).await.len(), 2);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn connections_end_with_a_goodbye_or_without() -> Passed {
    let (io, log) = app();
    let gone = [CloseReason::TransportClose.as_str(); 2];
    for generation in ALL {
        let chat = connect(&io, generation, "/chat").await?;
        let mut root = chat.of("/").await?;
        chat.close().await?;
        assert_eq!(io.of("/").sockets_count() + io.of("/chat").sockets_count(), 0);
        assert_eq!(root.disconnected().await?, Parting::ByClient);
        assert_eq!(noted(&log).await, gone);

        let chat = connect(&io, generation, "/chat").await?;
        let mut root = chat.of("/").await?;
        chat.drop_connection().await?;
        assert_eq!(io.of("/").sockets_count() + io.of("/chat").sockets_count(), 0);
        assert_eq!(root.disconnected().await?, Parting::Closed);
        assert_eq!(noted(&log).await, gone);

        let chat = connect(&io, generation, "/chat").await?;
        let root = chat.of("/").await?;
        drop(chat);
        root.flush().await?;
        assert_eq!(log.take().len(), 0, "one handle is left");
        drop(root);
        assert_eq!(noted(&log).await, gone);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_server_that_closes_ends_every_client() -> Passed {
    let (io, _) = app();
    let mut clients = Vec::new();
    for generation in ALL {
        clients.push(connect(&io, generation, "/chat").await?);
    }
    io.close().await;
    for client in &mut clients {
        let parting = client.disconnected().await?;
        assert_eq!(parting, Parting::Closed, "{}", client.generation());
    }
    assert!(matches!(
        testing::connect(&io, "/").await,
        Err(TestError::NotAccepted { .. })
    ));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn heartbeats_are_answered_while_the_test_does_something_else() -> Passed {
    let (io, log) = app();
    let mut clients = Vec::new();
    for generation in ALL {
        clients.push(in_lobby(&io, generation).await?);
    }
    sleep(secs(600)).await;
    assert_eq!(log.take(), Vec::<String>::new());
    clients[0].emit("say", "still here")?;
    for client in &mut clients[1..] {
        assert_eq!(client.recv::<String>("said").await?, "still here");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn errors_say_what_did_not_come_and_what_came() -> Passed {
    let (io, _) = app();
    io.of("/").on("silent", async || ());
    for generation in ALL {
        let builder = testing::client(&io).generation(generation).time_limit(millis(1500));
        let mut client = builder.connect("/").await?;
        let start = Instant::now();
        let error = client.recv::<String>("said").await.unwrap_err();
        assert_eq!(error.to_string(), r#"no event "said" within 1.5s; nothing came"#);
        assert_eq!(start.elapsed(), millis(1500));

        io.emit("left", "bob")?;
        io.emit("moved", Args((1, [2])))?;
        let _answer = io
            .of("/")
            .socket(client.id())
            .expect("it is in")
            .emit_with_ack::<u8>("age?", Args(()));
        let came = r#"this came: "left"("bob"), "moved"(1,[2]), "age?"()?"#;
        let error = client.recv::<String>("said").await.unwrap_err();
        assert_eq!(error.to_string(), format!(r#"no event "said" within 1.5s; {came}"#));
        let error = client.recv_question::<String>("left").await.unwrap_err();
        let text = format!(r#"no event "left" that asks for an ack within 1.5s; {came}"#);
        assert_eq!(error.to_string(), text);
        let error = client.emit_with_ack::<u8>("silent", "").await.unwrap_err();
        assert_eq!(error.to_string(), format!(r#"no ack of "silent" within 1.5s; {came}"#));
        let error = client.disconnected().await.unwrap_err();
        assert_eq!(error.to_string(), format!("no end within 1.5s; {came}"));
        let error = client.expect_nothing().await.unwrap_err();
        assert_eq!(format!("{error:?}"), format!("nothing was expected; {came}"));

        let error = client.recv::<u8>("left").await.unwrap_err();
        let text = r#"event "left" came with ("bob"): argument 1 is not of the type asked for: "#;
        assert!(error.to_string().starts_with(text), "{error}");
        assert!(error.source().is_some());
        let error = client.emit_with_ack::<u8>("sum", "no numbers").await.unwrap_err();
        let text = r#"ack of "sum" came with ({"error":{"#;
        assert!(error.to_string().starts_with(text), "{error}");
        client.recv::<Args<(u8, [u8; 1])>>("moved").await?;
        client.next_event().await?;
        client.expect_nothing().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn nothing_is_expected_for_as_long_as_is_said() -> Passed {
    let (io, _) = app();
    io.of("/").on("later", async |socket: Socket| {
        sleep(millis(200)).await;
        socket.emit("now", "")
    });
    let mut client = testing::connect(&io, "/").await?;
    client.emit("later", "")?;
    client.expect_nothing().await?;
    assert!(client.expect_nothing_for(millis(200)).await.is_err());
    Ok(())
}

/// In real time and on several threads: nothing here may depend on who runs first.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn real_time_and_threads_change_nothing() -> Passed {
    let (io, log) = app();
    for generation in ALL.repeat(10) {
        let mut alice = in_lobby(&io, generation).await?;
        let mut bob = in_lobby(&io, Generation::Eio4).await?;
        for number in 0..50 {
            alice.emit("say", number.to_string())?;
        }
        for number in 0..50 {
            assert_eq!(bob.recv::<String>("said").await?, number.to_string());
        }
        assert_eq!(alice.emit_with_ack::<i64>("sum", Args((1, 2))).await?, 3);
        alice.expect_nothing_for(millis(1)).await?;
        bob.disconnect().await?;
        alice.close().await?;
        assert_eq!(io.of("/chat").sockets_count(), 0);
        log.take();
    }
    let client = testing::client(&io).time_limit(Duration::from_millis(20));
    let error = client.connect("/").await?.recv::<Value>("never").await.unwrap_err();
    assert_eq!(error.to_string(), r#"no event "never" within 20ms; nothing came"#);
    Ok(())
}

#[tokio::test]
async fn waiting_can_be_spawned() -> Passed {
    let (io, _) = app();
    let task = tokio::spawn(async move {
        let mut client = testing::connect(&io, "/chat").await?;
        client.emit("hi", "")?;
        let question = client.recv_question::<String>("name?").await?;
        question.answer(client.id())?;
        let name = client.recv::<String>("hello").await?;
        client.expect_nothing().await?;
        client.close().await?;
        Ok::<_, TestError>(name == client.id())
    });
    assert!(task.await??);
    Ok(())
}
