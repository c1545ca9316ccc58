//! Questions and answers, both ways, and binary arguments.

mod kit;

use std::collections::HashMap;

use bytes::Bytes;
use kit::{Log, Packet, Ws, idle, secs, sockets};
use tokio::time::{Instant, sleep};
use tower_socketio::{
    Ack, AckError, AckSender, Args, Data, DisconnectReason, EventError, Extension, FailureKind, Occasion, RawArgs,
    Socket, SocketIo, State,
};

/// A client and its socket, in a server that notes failures and disconnections.
async fn pair() -> (Ws, Socket, Log, SocketIo) {
    let log = Log::default();
    let io = SocketIo::builder().state(log.clone()).build();
    io.of("/")
        .on_disconnect(async |State(log): State<Log>, why: DisconnectReason| log.add(why))
        .on_error(log.failures());
    let mut sockets = sockets(&io.of("/"));
    let ws = Ws::join(&io, "/").await;
    (ws, sockets.next().await, log, io)
}

/// The id of a question `42<id>["question"…`.
fn id_of(question: &str) -> &str {
    let (head, _) = question.split_once('[').expect("an event");
    head.strip_prefix("42").expect("an event")
}

#[tokio::test(start_paused = true)]
async fn a_client_answers() {
    let (mut ws, socket, ..) = pair().await;
    let ack = socket.emit_with_ack::<Args<(String, u8)>>("question", Args((1, "a")));
    // It was sent before anybody awaited it.
    let question = ws.text().await;
    let id = id_of(&question);
    assert_eq!(question, format!(r#"42{id}["question",1,"a"]"#));
    ws.send(&format!(r#"43{id}["yes",2]"#)).await;
    assert_eq!(ack.await.unwrap(), Args(("yes".to_owned(), 2)));
}

#[tokio::test(start_paused = true)]
async fn answers_find_their_questions_in_any_order() {
    let (mut ws, socket, ..) = pair().await;
    let acks = [0, 1, 2].map(|n| socket.emit_with_ack::<u32>("question", n));
    let mut questions = ws.texts().await;
    questions.rotate_left(1);
    for question in questions {
        let n = question.trim_end_matches(']').rsplit(',').next().expect("a number");
        ws.send(&format!("43{}[1{n}]", id_of(&question))).await;
    }
    for (n, ack) in (10..).zip(acks) {
        assert_eq!(ack.await.unwrap(), n);
    }
}

#[tokio::test(start_paused = true)]
async fn a_question_times_out_and_a_late_answer_is_ignored() {
    let (mut ws, socket, log, _) = pair().await;
    let start = Instant::now();
    let ack = socket.timeout(secs(5)).emit_with_ack::<u8>("question", 1).await;
    assert!(matches!(ack, Err(AckError::Timeout)));
    assert_eq!(start.elapsed().as_secs(), 5);
    let question = ws.text().await;
    ws.send(&format!("43{}[1]", id_of(&question))).await;
    ws.quiet(secs(100)).await;
    assert!(log.take().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_question_that_nobody_awaits_any_more_may_be_answered() {
    let (mut ws, socket, log, _) = pair().await;
    drop(socket.emit_with_ack::<u8>("question", 1));
    let question = ws.text().await;
    ws.send(&format!("43{}[1]", id_of(&question))).await;
    ws.quiet(secs(100)).await;
    assert!(log.take().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_question_is_answered_once() {
    let (mut ws, socket, ..) = pair().await;
    let ack = socket.emit_with_ack::<u8>("question", 1);
    let question = ws.text().await;
    let id = id_of(&question);
    ws.send_all(&[&format!("43{id}[1]"), &format!("43{id}[2]")]).await;
    assert_eq!(ack.await.unwrap(), 1);
    ws.quiet(secs(100)).await;
}

#[tokio::test(start_paused = true)]
async fn a_question_ends_when_its_client_leaves() {
    for packet in ["41", "1"] {
        let (mut ws, socket, ..) = pair().await;
        let ack = socket.emit_with_ack::<u8>("question", 1);
        let start = Instant::now();
        ws.send(packet).await;
        assert!(matches!(ack.await, Err(AckError::Disconnected)));
        assert_eq!(start.elapsed().as_secs(), 0);
        // A question to one who has left.
        let ack = socket.emit_with_ack::<u8>("question", 1).await;
        assert!(matches!(ack, Err(AckError::Disconnected)));
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_another_type_and_a_question_that_cannot_be_written_are_errors() {
    let (mut ws, socket, ..) = pair().await;
    let ack = socket.emit_with_ack::<u8>("question", 1);
    let question = ws.text().await;
    ws.send(&format!(r#"43{}["a"]"#, id_of(&question))).await;
    assert!(matches!(ack.await, Err(AckError::Decode(error)) if error.index() == 0));

    let unwritable = HashMap::from([((1, 2), 3)]);
    let ack = socket.emit_with_ack::<u8>("question", unwritable).await;
    assert!(matches!(ack, Err(AckError::Encode(_))));
    assert_eq!(ws.texts().await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_handler_answers_with_what_it_returns() {
    let (mut ws, _, log, io) = pair().await;
    io.of("/")
        .on("one", async || Ack("a"))
        .on("two", async || Ack(Args((1, 2))))
        .on("none", async || Ack(Args(())))
        .on("ok", async || Ok::<_, EventError>(Ack(1)))
        .on("nothing", async || ());
    for (event, ack) in [
        ("one", r#"437["a"]"#),
        ("two", "437[1,2]"),
        ("none", "437[]"),
        ("ok", "437[1]"),
    ] {
        ws.send(&format!(r#"427["{event}"]"#)).await;
        assert_eq!(ws.text().await, ack);
        ws.send(&format!(r#"42["{event}"]"#)).await;
    }
    ws.send(r#"427["nothing"]"#).await;
    assert_eq!(ws.texts().await, [""; 0]);
    assert!(log.take().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_waits_is_told_of_an_error() {
    let (mut ws, _, log, io) = pair().await;
    io.of("/")
        .on("new", async || Err::<(), _>(EventError::new("no").with_data(&[1])))
        .on("inner", async || {
            let n: u8 = "x".parse()?;
            Ok::<_, EventError>(Ack(n))
        })
        .on("args", async |Data(Args((_, _))): Data<Args<(u8, u8)>>| ())
        .on("extension", async |Extension(_): Extension<u8>| ())
        .on("unwritable", async || Ack(HashMap::from([((1, 2), 3)])));
    let told = |error: &str| format!(r#"437[{{"error":{error}}}]"#);
    for (event, error, report) in [
        ("new", r#"{"message":"no","data":[1]}"#, "no"),
        (
            "inner",
            r#"{"message":"internal error"}"#,
            "invalid digit found in string",
        ),
        (
            "args",
            r#"{"name":"invalid_method_args","message":"invalid arguments: argument 2 is missing; ask for an `Option` if it may be left out"}"#,
            "invalid arguments: argument 2 is missing; ask for an `Option` if it may be left out",
        ),
        (
            "extension",
            r#"{"message":"internal error"}"#,
            "the request carries no `u8`; is the middleware that sets it missing?",
        ),
    ] {
        ws.send(&format!(r#"427["{event}",1]"#)).await;
        assert_eq!(ws.text().await, told(error));
        assert_eq!(log.take(), [format!("Some({event:?}) {report}")]);
        ws.send(&format!(r#"42["{event}",1]"#)).await;
        assert_eq!(ws.texts().await, [""; 0]);
        assert_eq!(log.take().len(), 1, "{event} is reported to the server all the same");
    }
    ws.send(r#"427["unwritable"]"#).await;
    idle().await;
    let report = "arguments cannot be written as json: key must be a string; change their type";
    assert_eq!(log.take(), [format!("Some(\"unwritable\") {report}")]);
}

#[tokio::test(start_paused = true)]
async fn an_ack_may_be_sent_later_by_any_task() {
    let (mut ws, _, log, io) = pair().await;
    io.of("/").on("later", async |State(log): State<Log>, ack: AckSender| {
        log.add(ack.is_wanted());
        tokio::spawn(async move {
            sleep(secs(3)).await;
            ack.send("done")
        });
    });
    ws.send_all(&[r#"42["later"]"#, r#"427["later"]"#]).await;
    let start = Instant::now();
    assert_eq!(ws.text().await, r#"437["done"]"#);
    assert_eq!(start.elapsed().as_secs(), 3);
    assert_eq!(log.take(), ["false", "true"]);
    assert_eq!(ws.texts().await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn binary_arguments_travel_both_ways() {
    let (mut ws, socket, log, io) = pair().await;
    io.of("/").on("echo", async |args: RawArgs| Ack(args));
    let event = r#"["echo",{"_placeholder":true,"num":1},"a",[{"_placeholder":true,"num":0}]]"#;
    ws.send(&format!("452-7{event}")).await;
    ws.send_binary(&[1, 2, 3]).await;
    ws.send_binary(&[]).await;
    let ack = r#"[{"_placeholder":true,"num":1},"a",[{"_placeholder":true,"num":0}]]"#;
    assert_eq!(ws.text().await, format!("462-7{ack}"));
    assert_eq!((ws.binary().await, ws.binary().await), (vec![1, 2, 3], vec![]));

    let ack = socket.emit_with_ack::<Bytes>("question", Bytes::from_static(&[7]));
    let question = ws.text().await;
    let (id, rest) = question
        .strip_prefix("451-")
        .and_then(|rest| rest.split_once('['))
        .unwrap();
    assert_eq!(rest, r#""question",{"_placeholder":true,"num":0}]"#);
    assert_eq!(ws.binary().await, [7]);
    ws.send(&format!(r#"461-{id}[{{"_placeholder":true,"num":0}}]"#)).await;
    ws.send_binary(&vec![8; 70_000]).await;
    assert_eq!(ack.await.unwrap(), vec![8; 70_000]);
    assert!(log.take().is_empty());
}

#[tokio::test(start_paused = true)]
async fn attachments_that_do_not_come_close_the_connection_after_30_seconds() {
    let (mut ws, _, log, _) = pair().await;
    let start = Instant::now();
    ws.send(r#"452-["x",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#)
        .await;
    sleep(secs(10)).await;
    ws.send_binary(&[1]).await;
    ws.end().await;
    assert_eq!(start.elapsed().as_secs(), 40);
    assert_eq!(log.take(), ["forced close"]);
}

#[tokio::test(start_paused = true)]
async fn text_where_an_attachment_was_due_closes_the_connection_and_so_does_one_that_was_not() {
    let (mut ws, _, log, _) = pair().await;
    ws.send(r#"451-["x",{"_placeholder":true,"num":0}]"#).await;
    ws.send(r#"42["x"]"#).await;
    assert_eq!(ws.end().await, []);
    assert_eq!(log.take(), ["forced close"]);

    let (mut ws, _, log, _) = pair().await;
    ws.send_binary(&[1]).await;
    assert_eq!(ws.end().await, []);
    assert_eq!(log.take(), ["forced close"]);
}

#[tokio::test(start_paused = true)]
async fn an_ack_is_answered_once_whatever_a_wrapper_returns() {
    let io = SocketIo::builder().build();
    io.of("/").on("x", async || Ack(1)).wrap(|call, next| async move {
        next.await?;
        match call.occasion() {
            Occasion::Event(_) => Err(FailureKind::Handler(EventError::new("too late"))),
            _ => Ok(()),
        }
    });
    let mut ws = Ws::join(&io, "/").await;
    ws.send(r#"427["x"]"#).await;
    assert_eq!(ws.texts().await, ["437[1]"]);
}

#[tokio::test(start_paused = true)]
async fn wrong_arguments_are_told_in_whatever_order_a_handler_asks_for_things() {
    let io = SocketIo::builder().build();
    io.of("/")
        .on("first", async |_: AckSender, Data(_): Data<u8>| {})
        .on("last", async |Data(_): Data<u8>, _: AckSender| {});
    let mut ws = Ws::join(&io, "/").await;
    for event in ["first", "last"] {
        ws.send(&format!(r#"427["{event}","no"]"#)).await;
        let told = ws.texts().await;
        assert!(
            told[0].starts_with(r#"437[{"error":{"name":"invalid_method_args""#),
            "{told:?}"
        );
        assert_eq!(told.len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_fails_with_the_ack_in_its_hands_tells_the_client() {
    let io = SocketIo::builder().build();
    io.of("/")
        .on("unanswered", async |_: AckSender| Err::<(), _>(EventError::new("no")))
        .on("answered", async |ack: AckSender| {
            ack.send(1)?;
            Err::<(), _>(EventError::new("no"))
        });
    let mut ws = Ws::join(&io, "/").await;
    ws.send_all(&[r#"421["unanswered"]"#, r#"422["answered"]"#]).await;
    assert_eq!(ws.texts().await, [r#"431[{"error":{"message":"no"}}]"#, "432[1]"]);
}

/// Answers each question, but reads and writes one thing after the other: its answers come behind all of its events.
async fn asked_for_each_event(io: &SocketIo, events: usize) -> usize {
    let mut ws = Ws::join(io, "/").await;
    let event = format!(r#"42["chunk","{}"]"#, "x".repeat(50_000));
    for _ in 0..events {
        ws.send(&event).await;
    }
    let mut answered = 0;
    while let Some(Packet::Text(text)) = ws.next().await {
        if text == "2" {
            ws.send("3").await;
        } else if let Some(question) = text.strip_prefix("42") {
            let (id, _) = question.split_once('[').expect("an event");
            ws.send(&format!("43{id}[1]")).await;
            answered += 1;
            if answered == events {
                break;
            }
        }
    }
    idle().await;
    answered
}

#[tokio::test(start_paused = true)]
async fn a_client_whose_answer_is_behind_too_many_events_is_disconnected_in_time() {
    for (events, answered, end) in [(18, 18, None), (24, 1, Some("ping timeout"))] {
        let log = Log::default();
        let io = SocketIo::builder().max_handlers(1).state(log.clone()).build();
        io.of("/")
            .on("chunk", async |socket: Socket| {
                let _: Result<u8, _> = socket.emit_with_ack("got it?", 1).await;
            })
            .on_disconnect(async |State(log): State<Log>, why: DisconnectReason| log.add(why));
        let start = Instant::now();
        assert_eq!(asked_for_each_event(&io, events).await, answered);
        assert_eq!(log.take(), Vec::from_iter(end), "{events} events");
        assert!(start.elapsed() < secs(47), "{:?}", start.elapsed());
    }
}
