//! Middleware of packets: what it sees, changes and refuses, its place between the rules and the handlers, and
//! the order of events while it awaits.

mod kit;

use kit::{Gate, Log, Polling, Ws, idle, secs, sockets, soon};
use tokio::time::sleep;
use tower_socketio::{
    Ack, AckSender, Acl, Data, EncodeError, EventError, EventName, Namespace, Packet, RawArgs, Socket, SocketIo, State,
};

fn server() -> (SocketIo, Namespace, Log) {
    server_with(SocketIo::builder())
}

fn server_with(builder: tower_socketio::SocketIoBuilder) -> (SocketIo, Namespace, Log) {
    let log = Log::default();
    let io = builder.state(log.clone()).build();
    let nsp = io.of("/");
    nsp.on("say", said).on("tell", said).on_error(log.failures());
    (io, nsp, log)
}

async fn said(State(log): State<Log>, EventName(name): EventName, args: RawArgs) -> Ack<RawArgs> {
    log.add(format!("{name} {}", args.json()));
    Ack(args)
}

#[tokio::test(start_paused = true)]
async fn it_sees_changes_and_refuses_events_in_the_order_of_registration() {
    let (io, nsp, log) = server();
    nsp.on_packet(async |State(log): State<Log>, packet: Packet| log.add(format!("sees {}", packet.event())))
        .on_packet(async |packet: Packet| match packet.event() {
            "old" => packet.with_event("say"),
            _ => packet,
        })
        .on_packet(async |packet: Packet| match packet.args().get::<String>(0) {
            Ok(Some(text)) if text == "bad" => Err(EventError::new("mind your words").with_data(&1)),
            Ok(Some(text)) => Ok(packet.with_args(text.to_uppercase())?),
            _ => Ok(packet),
        });
    let mut ws = Ws::join(&io, "/").await;
    ws.send_all(&[
        r#"421["say","a"]"#,
        r#"422["old","b"]"#,
        r#"423["say","bad"]"#,
        r#"42["say","bad"]"#,
        r#"424["tell",5]"#,
    ])
    .await;
    assert_eq!(
        ws.texts().await,
        [
            r#"431["A"]"#,
            r#"432["B"]"#,
            r#"433[{"error":{"message":"mind your words","data":1}}]"#,
            "434[5]",
        ]
    );
    assert_eq!(
        log.take(),
        [
            "sees say",
            r#"say "A""#,
            "sees old",
            r#"say "B""#,
            "sees say",
            r#"Some("say") mind your words"#,
            "sees say",
            r#"Some("say") mind your words"#,
            "sees tell",
            "tell 5",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn an_event_goes_on_by_polling_too_where_nothing_else_wakes_the_server() {
    let (io, nsp, log) = server();
    nsp.on_packet(async |_: Packet| {});
    let client = Polling::join(&io, "/").await;
    client.posted("421[\"say\",1]\u{1e}422[\"say\",2]").await;
    idle().await;
    assert_eq!(log.take(), ["say 1", "say 2"]);
    assert_eq!(client.get().await.packets(), ["431[1]", "432[2]"]);
}

#[tokio::test(start_paused = true)]
async fn binary_arguments_pass_and_may_be_put_in() {
    let (io, nsp, _) = server();
    nsp.on_packet(async |packet: Packet| match packet.event() {
        "say" => Ok::<_, EncodeError>(packet),
        _ => packet.with_args(bytes::Bytes::from_static(b"new")),
    });
    let mut ws = Ws::join(&io, "/").await;
    ws.send(r#"451-1["say",{"_placeholder":true,"num":0}]"#).await;
    ws.send_binary(b"old").await;
    assert_eq!(ws.text().await, r#"461-1[{"_placeholder":true,"num":0}]"#);
    assert_eq!(ws.binary().await, b"old");
    ws.send(r#"422["tell",1]"#).await;
    assert_eq!(ws.text().await, r#"461-2[{"_placeholder":true,"num":0}]"#);
    assert_eq!(ws.binary().await, b"new");
}

#[tokio::test(start_paused = true)]
async fn rules_are_asked_before_it_for_what_came_and_after_it_for_what_it_made_of_that() {
    let (io, nsp, log) = server();
    nsp.acl(|_| Acl::all().deny("say").deny("hidden"))
        .on_packet(async |State(log): State<Log>, packet: Packet| {
            log.add(format!("sees {}", packet.event()));
            match packet.event() {
                "disguise" => packet.with_event("hidden"),
                _ => packet.with_event("tell"),
            }
        });
    let mut ws = Ws::join(&io, "/").await;
    ws.send_all(&[r#"42["say"]"#, r#"421["disguise"]"#, r#"42["tell"]"#])
        .await;
    let denied = r#"431[{"error":{"name":"method_access_denied","message":"the client may not call this event"}}]"#;
    assert_eq!(ws.texts().await, [denied]);
    let expected = [
        r#"Some("say") the client may not call this event"#,
        "sees disguise",
        r#"Some("hidden") the client may not call this event"#,
        "sees tell",
        "tell ",
    ];
    assert_eq!(log.take(), expected);
}

#[tokio::test(start_paused = true)]
async fn what_is_denied_while_it_awaits_is_denied() {
    let (io, nsp, log) = server();
    nsp.on_packet(async |_: Packet| sleep(secs(1)).await);
    let found = sockets(&nsp);
    let (mut ws, mut found) = (Ws::join(&io, "/").await, found);
    let socket = found.next().await;
    ws.send(r#"42["say"]"#).await;
    idle().await;
    socket.acl().deny("say");
    sleep(secs(2)).await;
    assert_eq!(log.take(), [r#"Some("say") the client may not call this event"#]);
}

#[tokio::test(start_paused = true)]
async fn events_of_a_socket_keep_their_order_while_it_awaits_and_others_go_on() {
    let (io, nsp, log) = server();
    io.of("/other").on("say", said);
    nsp.on_packet(async |packet: Packet| {
        let millis: u64 = packet.args().get(0).unwrap_or_default().unwrap_or_default();
        sleep(std::time::Duration::from_millis(millis)).await;
    });
    let mut ws = Ws::join(&io, "/").await;
    ws.connect("/other").await;
    ws.send_all(&[
        r#"42["say",300]"#,
        r#"42["say",0]"#,
        r#"42["tell",200]"#,
        r#"42/other,["say",7]"#,
        r#"42["say",100]"#,
    ])
    .await;
    sleep(secs(1)).await;
    assert_eq!(log.take(), ["say 7", "say 300", "say 0", "tell 200", "say 100"]);
}

#[tokio::test(start_paused = true)]
async fn it_may_ask_its_own_client() {
    let (io, nsp, log) = server_with(SocketIo::builder().max_handlers(1));
    nsp.on_packet(async |socket: Socket| {
        let may: bool = socket.emit_with_ack("may I?", ()).await?;
        may.then_some(()).ok_or(EventError::new("no"))
    });
    let mut ws = Ws::join(&io, "/").await;
    ws.send_all(&[r#"42["say",1]"#, r#"42["say",2]"#]).await;
    assert_eq!(ws.texts().await, [r#"420["may I?",null]"#]);
    ws.send("430[true]").await;
    assert_eq!(ws.texts().await, [r#"421["may I?",null]"#]);
    ws.send("431[false]").await;
    idle().await;
    assert_eq!(log.take(), ["say 1", r#"Some("say") no"#]);
}

#[tokio::test(start_paused = true)]
async fn one_that_never_ends_counts_as_a_handler_and_what_waits_is_bounded() {
    let builder = SocketIo::builder().max_handlers(1).max_pending_bytes(1_000);
    let (io, nsp, log) = server_with(builder.handler_grace(secs(1)));
    io.of("/other").on("say", said);
    nsp.on_packet(async |_: Packet| std::future::pending::<()>().await);
    let mut ws = Ws::join(&io, "/").await;
    ws.connect("/other").await;
    ws.send_all(&[r#"42["say",1]"#, r#"42/other,["say",2]"#]).await;
    sleep(secs(5)).await;
    assert_eq!(
        log.take(),
        Vec::<String>::new(),
        "the one handler that may be in progress is the middleware"
    );
    let text = format!(r#"42["say","{}"]"#, "x".repeat(600));
    ws.send_all(&[&text, &text, "41/other,"]).await;
    idle().await;
    assert_eq!(io.of("/other").sockets_count(), 1, "nothing more is read");
    ws.vanish().await;
    sleep(secs(2)).await;
    let ended = r#"Some("say") the handler did not end in time after its client was gone"#;
    assert_eq!(log.take(), [ended]);
    soon("the end", io.close()).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_client_sent_before_it_left_is_handled_unless_it_was_made_to_leave() {
    let gate = Gate::closed();
    let (io, nsp, log) = server_with(SocketIo::builder().state(gate.clone()));
    nsp.on_packet(async |State(gate): State<Gate>| gate.pass().await);
    let found = sockets(&nsp);
    let (mut ws, mut found) = (Ws::join(&io, "/").await, found);
    found.next().await;
    ws.send_all(&[r#"42["say",1]"#, r#"42["say",2]"#, "41"]).await;
    idle().await;
    gate.admit(2);
    idle().await;
    assert_eq!(log.take(), ["say 1", "say 2"]);
    ws.connect("/").await;
    let socket = found.next().await;
    ws.send_all(&[r#"42["say",3]"#, r#"42["say",4]"#]).await;
    idle().await;
    socket.disconnect();
    gate.admit(2);
    idle().await;
    assert_eq!(log.take(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_panic_refuses_the_event_and_the_next_goes_on() {
    let (io, nsp, log) = server();
    nsp.on_packet(async |packet: Packet| {
        assert!(packet.args().len() < 2, "too many");
        let _: u8 = packet.args().get(0).unwrap().unwrap();
    });
    let mut ws = Ws::join(&io, "/").await;
    ws.send_all(&[r#"421["say",1,2]"#, r#"422["say",3]"#]).await;
    let internal = r#"431[{"error":{"message":"internal error"}}]"#;
    assert_eq!(ws.texts().await, [internal, "432[3]"]);
    assert_eq!(log.take(), [r#"Some("say") panicked: too many"#, "say 3"]);
}

#[tokio::test(start_paused = true)]
async fn extractors_that_fail_refuse_the_event() {
    let (io, nsp, log) = server();
    nsp.on_packet(async |_: Data<u8>| {});
    let mut ws = Ws::join(&io, "/").await;
    ws.send(r#"421["say","x"]"#).await;
    assert!(ws.text().await.contains(r#""name":"invalid_method_args""#));
    assert_eq!(log.take().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn one_that_has_answered_the_ack_itself_is_not_answered_over() {
    let (io, nsp, _) = server();
    nsp.on_packet(async |ack: AckSender, packet: Packet| {
        if packet.event() == "tell" {
            ack.send("from middleware")?;
            return Err(EventError::new("done"));
        }
        Ok(())
    });
    let mut ws = Ws::join(&io, "/").await;
    ws.send_all(&[r#"421["tell",1]"#, r#"422["say",1]"#]).await;
    assert_eq!(ws.texts().await, [r#"431["from middleware"]"#, "432[1]"]);
}

#[tokio::test(start_paused = true)]
async fn that_of_a_socket_is_its_own_and_comes_after_the_namespaces() {
    let (io, nsp, log) = server();
    let found = sockets(&nsp);
    let (mut one, mut found) = (Ws::join(&io, "/").await, found);
    let mut other = Ws::join(&io, "/").await;
    found.next().await.on_packet(async |packet: Packet| {
        let event = format!("{}!", packet.event());
        packet.with_event(event)
    });
    one.send(r#"42["say",1]"#).await;
    idle().await;
    other.send(r#"42["say",2]"#).await;
    idle().await;
    assert_eq!(log.take(), [r#"Some("say!") no handler for this event"#, "say 2"]);
    nsp.on_packet(async |packet: Packet| packet.with_event("tell"));
    one.send(r#"42["say",3]"#).await;
    idle().await;
    assert_eq!(log.take(), [r#"Some("tell!") no handler for this event"#]);
}

#[tokio::test(start_paused = true)]
async fn children_of_a_pattern_have_their_parents() {
    let (io, _, log) = server();
    let orders = io.of_pattern("/orders-{id}");
    orders.on("say", said);
    let mut ws = Ws::join(&io, "/orders-1").await;
    orders.on_packet(async |packet: Packet| packet.with_args(1));
    ws.send(r#"42/orders-1,["say","x"]"#).await;
    idle().await;
    assert_eq!(log.take(), ["say 1"]);
}

#[test]
#[should_panic(expected = "asks for State<u8>")]
fn a_state_that_is_missing_panics_where_it_is_registered() {
    SocketIo::builder().build().of("/").on_packet(async |_: State<u8>| {});
}
