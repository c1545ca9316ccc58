//! What goes wrong, who is told of it, and what is wrapped around calls.

mod kit;

use kit::{Log, Ws, idle, sockets};
use tower_socketio::{Ack, Acl, Data, EventError, FailureKind, Next, Occasion, Refusal, Socket, SocketIo, State};

/// A server whose hook notes name, fault and text of each failure.
fn server() -> (SocketIo, Log) {
    let log = Log::default();
    let io = SocketIo::builder().state(log.clone()).build();
    let noted = log.clone();
    io.on_error(move |failure| {
        let fault = if failure.kind.is_clients_fault() {
            "client"
        } else {
            "application"
        };
        let whose = if failure.socket.is_some() { "socket" } else { "-" };
        noted.add(format!("{} {fault} {whose} {failure}", failure.kind.name()));
    });
    (io, log)
}

async fn panics() {
    tokio::task::yield_now().await;
    panic!("out of cheese");
}

#[tokio::test(start_paused = true)]
async fn every_failure_has_its_name_its_place_and_whose_fault_it_is() {
    let (io, log) = server();
    io.of("/chat")
        .acl(|_| Acl::all().deny("denied"))
        .on("number", async |Data(_): Data<u8>| {})
        .on("no", async || Err::<(), _>(EventError::new("no")))
        .on("inner", async || Err::<(), _>(EventError::from("no database")))
        .on("panic", panics)
        .on("unwritable", async || {
            Ack(std::collections::HashMap::from([((1, 2), 3)]))
        });
    io.of("/refusing")
        .on_connect(async || Err::<(), _>(Refusal::new("full")));
    let mut ws = Ws::join(&io, "/chat").await;
    for (packet, expected) in [
        (
            "40/nowhere,",
            "no_such_namespace client - /nowhere: connect: no such namespace",
        ),
        ("40/refusing,", "refused client socket /refusing: connect: full"),
        (
            r#"42/chat,["what"]"#,
            r#"no_such_method client socket /chat: event "what": no handler for this event"#,
        ),
        (
            r#"42/chat,["denied"]"#,
            r#"method_access_denied client socket /chat: event "denied": the client may not call this event"#,
        ),
        (
            r#"42/chat,["number","x"]"#,
            r#"invalid_method_args client socket /chat: event "number": invalid arguments: argument 1 is not of the type asked for: invalid type: string "x", expected u8 at line 1 column 3"#,
        ),
        (
            r#"42/chat,["no"]"#,
            r#"handler_error client socket /chat: event "no": no"#,
        ),
        (
            r#"42/chat,["inner"]"#,
            r#"handler_error application socket /chat: event "inner": no database"#,
        ),
        (
            r#"42/chat,["panic"]"#,
            r#"panic application socket /chat: event "panic": panicked: out of cheese"#,
        ),
        (
            r#"42/chat,1["unwritable"]"#,
            r#"encode_error application socket /chat: event "unwritable": arguments cannot be written as json: key must be a string; change their type"#,
        ),
        (
            "4x",
            "invalid_packet client - invalid packet: packet begins with 'x'; it must begin with a digit from 0 to 6",
        ),
    ] {
        ws.send(packet).await;
        idle().await;
        assert_eq!(log.take(), [expected]);
    }
    ws.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_namespaces_own_hook_goes_before_the_servers() {
    let (io, log) = server();
    let own = log.clone();
    io.of("/own")
        .on_error(move |failure| own.add(format!("own {}", failure.kind.name())));
    io.of("/other");
    let mut ws = Ws::join(&io, "/own").await;
    ws.connect("/other").await;
    ws.send_all(&[r#"42/own,["x"]"#, r#"42/other,["x"]"#]).await;
    idle().await;
    let others = r#"no_such_method client socket /other: event "x": no handler for this event"#;
    assert_eq!(log.take(), ["own no_such_method", others]);
}

#[test]
#[should_panic(expected = "the server has an `on_error` hook already")]
fn a_second_hook_of_the_server_is_a_mistake() {
    SocketIo::builder().build().on_error(|_| {}).on_error(|_| {});
}

#[test]
#[should_panic(expected = "the namespace has an `acl` handler already")]
fn a_second_acl_is_a_mistake() {
    SocketIo::builder()
        .build()
        .of("/")
        .acl(|_| Acl::all())
        .acl(|_| Acl::none());
}

#[tokio::test(start_paused = true)]
async fn every_call_and_job_is_wrapped_the_first_wrapper_outermost() {
    let log = Log::default();
    let io = SocketIo::builder().state(log.clone()).build();
    let nsp = io.of("/");
    for name in ["outer", "inner"] {
        let log = log.clone();
        nsp.wrap(move |call, next: Next| {
            let log = log.clone();
            async move {
                log.add(format!("{name} {}", call.occasion()));
                let outcome = next.await;
                log.add(format!("{name} {} {}", call.occasion(), outcome.is_ok()));
                outcome
            }
        });
    }
    nsp.on_connect(async |State(log): State<Log>| log.add("connect itself"))
        .on("say", async |State(log): State<Log>| {
            log.add("say itself");
            Err::<(), _>(EventError::new("no"))
        })
        .on("work", async |socket: Socket| {
            socket.spawn(async {});
        })
        .on_disconnect(async || ());
    let expected = |occasion: &str, ok: bool, itself: &[&str]| {
        let mut lines = vec![format!("outer {occasion}"), format!("inner {occasion}")];
        lines.extend(itself.iter().map(ToString::to_string));
        lines.extend([format!("inner {occasion} {ok}"), format!("outer {occasion} {ok}")]);
        lines
    };
    let mut ws = Ws::join(&io, "/").await;
    idle().await;
    assert_eq!(log.take(), expected("connect", true, &["connect itself"]));
    ws.send(r#"42["say"]"#).await;
    idle().await;
    assert_eq!(log.take(), expected("event \"say\"", false, &["say itself"]));
    ws.send(r#"42["work"]"#).await;
    idle().await;
    let both = [expected("event \"work\"", true, &[]), expected("job", true, &[])].concat();
    assert_eq!(log.take(), both);
    ws.send("41").await;
    idle().await;
    assert_eq!(log.take(), expected("disconnect", true, &[]));
}

#[tokio::test(start_paused = true)]
async fn a_wrapper_sees_panics_and_may_change_what_the_client_is_told() {
    let (io, log) = server();
    let nsp = io.of("/");
    nsp.wrap(|call, next| async move {
        match next.await {
            Err(FailureKind::Panic(_)) if call.occasion() == Occasion::Event("panic") => {
                Err(FailureKind::Handler(EventError::new("try again")))
            }
            Err(FailureKind::Panic(_)) => Ok(()),
            outcome => outcome,
        }
    });
    nsp.on("panic", panics).on("hush", panics);
    let mut ws = Ws::join(&io, "/").await;
    ws.send_all(&[r#"421["panic"]"#, r#"422["hush"]"#]).await;
    assert_eq!(ws.texts().await, [r#"431[{"error":{"message":"try again"}}]"#]);
    assert_eq!(
        log.take(),
        [r#"handler_error client socket /: event "panic": try again"#]
    );
}

#[tokio::test(start_paused = true)]
async fn who_is_not_connected_by_a_wrapper_is_refused() {
    let (io, log) = server();
    let mut found = sockets(&io.of("/"));
    io.of("/").wrap(|call, next| async move {
        if call.socket().handshake().query_value("lost").is_some() {
            return Ok(());
        }
        next.await
    });
    let mut ws = Ws::redeem(kit::ticket_for(&io, "EIO=4&lost=1"), 1 << 20);
    ws.text().await;
    ws.send("40").await;
    assert_eq!(ws.text().await, r#"44{"message":"internal error"}"#);
    Ws::join(&io, "/").await;
    found.next().await;
    assert_eq!(log.take(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_wrapper_that_panics_fails_its_call_only() {
    let (io, log) = server();
    io.of("/")
        .on("fine", async || Ack(1))
        .on("work", async |socket: Socket| {
            socket.spawn(async {});
        });
    io.of("/").wrap(|call, next| {
        assert_ne!(call.occasion(), Occasion::Job, "no jobs here");
        next
    });
    let mut ws = Ws::join(&io, "/").await;
    ws.send_all(&[r#"42["work"]"#, r#"421["fine"]"#]).await;
    assert_eq!(ws.text().await, "431[1]");
    idle().await;
    let failures = log.take();
    assert_eq!(failures.len(), 1);
    assert!(
        failures[0].starts_with("panic application socket /: job: panicked: "),
        "{failures:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_wrapper_refuses_who_connects_to_a_namespace_without_handlers() {
    let (io, log) = server();
    io.of("/")
        .wrap(|_, _| async { Err(FailureKind::Refused(Refusal::new("not today"))) });
    let mut ws = Ws::open(&io).await;
    ws.send("40").await;
    assert_eq!(ws.text().await, r#"44{"message":"not today"}"#);
    assert_eq!(log.take(), ["refused client socket /: connect: not today"]);
}

#[tokio::test(start_paused = true)]
async fn who_was_let_in_stays_in_whatever_a_wrapper_says_afterwards() {
    let (io, log) = server();
    io.of("/").wrap(|_, next| async {
        next.await?;
        Err(FailureKind::Refused(Refusal::new("too late")))
    });
    Ws::join(&io, "/").await;
    assert_eq!(log.take()[0], "refused client socket /: connect: too late");
}

#[tokio::test(start_paused = true)]
async fn what_a_client_sends_is_one_line_of_a_log() {
    let (io, log) = server();
    let mut ws = Ws::open(&io).await;
    ws.send("40/x\nERROR all is lost,").await;
    idle().await;
    let line = r"no_such_namespace client - /x\nERROR all is lost: connect: no such namespace";
    assert_eq!(log.take(), [line]);
}
