//! One question to many clients, and their answers.

mod kit;

use std::collections::HashMap;

use bytes::Bytes;
use kit::{Gate, Log, Polling, Ws, idle, secs};
use tokio::time::Instant;
use tower_socketio::{AckError, Acks, Args, Refusal, Sid, Socket, SocketIo, State};

/// So many clients and their sockets, in a server that notes failures.
async fn clients<const N: usize>() -> (SocketIo, [Ws; N], [Socket; N], Log) {
    let log = Log::default();
    let io = SocketIo::builder().build();
    io.on_error(log.failures());
    let mut connected = kit::sockets(&io.of("/"));
    let (mut clients, mut sockets) = (Vec::new(), Vec::new());
    for _ in 0..N {
        clients.push(Ws::join(&io, "/").await);
        sockets.push(connected.next().await);
    }
    let (Ok(clients), Ok(sockets)) = (clients.try_into(), sockets.try_into()) else {
        unreachable!("N of each")
    };
    (io, clients, sockets, log)
}

/// The id of a question `42<id>[…` or `5:<id>+::…`.
fn id_of(question: &str) -> String {
    let id = question.trim_start_matches("42").trim_start_matches("5:");
    id.chars().take_while(char::is_ascii_digit).collect()
}

/// Reads a question and answers it.
async fn answer(client: &mut Ws, answer: &str) -> String {
    let question = client.text().await;
    let id = id_of(&question);
    let packet = if question.starts_with("5:") {
        format!("6:::{id}+[{answer}]")
    } else {
        format!("43{id}[{answer}]")
    };
    client.send(&packet).await;
    id
}

fn ids(sockets: &[Socket]) -> Vec<Sid> {
    sockets.iter().map(|socket| socket.id().clone()).collect()
}

/// Who did not answer, and whether that was because of the time.
fn missing<T>(acks: &Acks<T>) -> Vec<(Sid, bool)> {
    let why = |error: &AckError| match error {
        AckError::Timeout => true,
        AckError::Disconnected => false,
        other => panic!("{other}"),
    };
    let mut missing: Vec<_> = acks
        .missing
        .iter()
        .map(|(id, error)| (id.clone(), why(error)))
        .collect();
    missing.sort();
    missing
}

#[tokio::test(start_paused = true)]
async fn clients_of_every_generation_answer_one_question_as_they_come() {
    let io = SocketIo::builder().build();
    let mut connected = kit::sockets(&io.of("/"));
    let mut current = Ws::join(&io, "/").await;
    let (mut third, _) = Ws::open_eio3(&io).await;
    assert_eq!(third.text().await, "40");
    let mut oldest = Ws::open_v0_9(&io).await;
    let sockets = [connected.next().await, connected.next().await, connected.next().await];

    let mut answers = io
        .emit_with_ack::<Args<(String, u8)>>("question", Args((1, "a")))
        .unwrap();
    let mut asked = Vec::new();
    for (n, client) in [(2, &mut oldest), (0, &mut current), (1, &mut third)] {
        asked.push(answer(client, &format!(r#""yes",{n}"#)).await);
        let (id, answer) = answers.next().await.expect("an answer");
        assert_eq!(id, *sockets[n].id());
        assert_eq!(answer.unwrap(), Args(("yes".to_owned(), u8::try_from(n).unwrap())));
    }
    assert_eq!(asked[0], asked[1], "one id for all");
    assert_eq!(asked[0], asked[2], "one id for all");
    // All have answered.
    assert!(answers.next().await.is_none());
    assert!(answers.next().await.is_none(), "and it stays so");
}

#[tokio::test(start_paused = true)]
async fn those_who_do_not_answer_in_time_are_named_at_the_end() {
    let (io, mut clients, sockets, log) = clients::<3>().await;
    let start = Instant::now();
    let answers = io.timeout(secs(5)).emit_with_ack::<u8>("question", 1).unwrap();
    answer(&mut clients[1], "7").await;
    let acks = answers.collect_all().await;
    assert_eq!(start.elapsed(), secs(5));
    assert_eq!(acks.answers, [(sockets[1].id().clone(), 7)]);
    let mut late = ids(&[sockets[0].clone(), sockets[2].clone()]);
    late.sort();
    assert_eq!(
        missing(&acks),
        late.into_iter().map(|id| (id, true)).collect::<Vec<_>>()
    );
    // Nobody waits for it any more.
    answer(&mut clients[0], "8").await;
    clients[0].quiet(secs(100)).await;
    assert!(log.take().is_empty());
}

#[tokio::test(start_paused = true)]
async fn those_who_leave_are_named_when_they_do_and_without_a_timeout_the_others_are_waited_for() {
    let (io, clients, sockets, _) = clients::<3>().await;
    let [first, mut second, mut third] = clients;
    let mut answers = io.emit_with_ack::<u8>("question", 1).unwrap();
    first.vanish().await;
    let (id, error) = answers.next().await.expect("one who left");
    assert_eq!(id, *sockets[0].id());
    assert!(matches!(error, Err(AckError::Disconnected)), "{error:?}");
    sockets[1].disconnect();
    let (id, error) = answers.next().await.expect("one who left");
    assert_eq!(id, *sockets[1].id());
    assert!(matches!(error, Err(AckError::Disconnected)), "{error:?}");
    second.texts().await;
    let id = id_of(&third.text().await);
    third.quiet(secs(1000)).await;
    third.send(&format!("43{id}[9]")).await;
    let (_, answer) = answers.next().await.expect("the last");
    assert_eq!(answer.unwrap(), 9);
    assert!(answers.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_question_to_nobody_is_answered_at_once() {
    let (io, [mut client], [socket], _) = clients::<1>().await;
    let start = Instant::now();
    for nobody in [io.to("nobody"), socket.broadcast(), io.to("nobody").timeout(secs(5))] {
        let acks = nobody.emit_with_ack::<u8>("question", 1).unwrap().collect_all().await;
        assert_eq!((acks.answers.len(), acks.missing.len()), (0, 0));
    }
    assert_eq!(start.elapsed(), secs(0));
    assert!(client.texts().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn only_those_are_asked_whom_the_broadcast_names_when_it_is_sent() {
    let (_io, mut clients, sockets, _) = clients::<4>().await;
    for socket in &sockets[..3] {
        socket.join("voters");
    }
    let others = sockets[0].to("voters").except(sockets[2].id());
    let answers = others.emit_with_ack::<u8>("question", 1).unwrap();
    sockets[3].join("voters");
    answer(&mut clients[1], "1").await;
    assert_eq!(answers.collect_all().await.answers, [(sockets[1].id().clone(), 1)]);
    for client in [0, 2, 3] {
        assert!(clients[client].texts().await.is_empty(), "client {client}");
    }
}

#[tokio::test(start_paused = true)]
async fn answers_of_another_type_are_missing_and_a_question_that_cannot_be_written_is_not_sent() {
    let (io, mut clients, sockets, _) = clients::<2>().await;
    let answers = io.emit_with_ack::<u8>("question", 1).unwrap();
    answer(&mut clients[0], r#""text""#).await;
    answer(&mut clients[1], "1").await;
    let acks = answers.collect_all().await;
    assert_eq!(acks.answers, [(sockets[1].id().clone(), 1)]);
    assert!(
        matches!(&acks.missing[..], [(id, AckError::Decode(_))] if id == sockets[0].id()),
        "{acks:?}"
    );
    assert!(
        io.emit_with_ack::<u8>("question", HashMap::from([((1, 2), 3)]))
            .is_err()
    );
    assert!(io.emit_with_ack::<u8>("connect", 1).is_err());
    for client in &mut clients {
        assert!(client.texts().await.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_cannot_be_sent_a_question_is_not_waited_for() {
    let io = SocketIo::builder().build();
    let mut oldest = Ws::open_v0_9(&io).await;
    let mut current = Ws::join(&io, "/").await;
    let answers = io.emit_with_ack::<u8>("question", Bytes::from_static(b"x")).unwrap();
    let question = current.text().await;
    let id = question
        .strip_prefix("451-")
        .and_then(|rest| rest.split_once('['))
        .expect("a question")
        .0;
    current.binary().await;
    current.send(&format!("43{id}[3]")).await;
    let acks = answers.collect_all().await;
    assert_eq!((acks.answers.len(), acks.missing.len()), (1, 0));
    assert!(oldest.texts().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_question_is_not_lost_even_if_it_is_volatile() {
    let io = SocketIo::builder().build();
    let client = Polling::join(&io, "/").await;
    io.volatile().emit("lost", 1).unwrap();
    let answers = io.volatile().emit_with_ack::<u8>("question", 1).unwrap();
    let poll = client.get().await;
    let [question] = poll.packets()[..] else {
        panic!("{poll:?}")
    };
    client.posted(&format!("43{}[2]", id_of(question))).await;
    assert_eq!(answers.collect_all().await.answers.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_question_that_nobody_waits_for_any_more_may_be_answered() {
    let (io, mut clients, _, log) = clients::<2>().await;
    let mut answers = io.emit_with_ack::<u8>("question", 1).unwrap();
    answer(&mut clients[0], "1").await;
    assert!(answers.next().await.is_some());
    drop(answers);
    answer(&mut clients[1], "1").await;
    clients[1].quiet(secs(100)).await;
    assert!(log.take().is_empty());
}

#[tokio::test(start_paused = true)]
async fn questions_to_one_and_to_many_do_not_mix() {
    let (io, [mut client], [socket], _) = clients::<1>().await;
    let many = io.emit_with_ack::<u8>("many", 1).unwrap();
    let one = socket.emit_with_ack::<u8>("one", 1);
    let again = io.emit_with_ack::<u8>("again", 1).unwrap();
    let asked: Vec<_> = client.texts().await.iter().map(|question| id_of(question)).collect();
    for (id, answer) in asked.iter().zip([1, 2, 3]).rev() {
        client.send(&format!("43{id}[{answer}]")).await;
    }
    assert_eq!(one.await.unwrap(), 2);
    assert_eq!(many.collect_all().await.answers[0].1, 1);
    assert_eq!(again.collect_all().await.answers[0].1, 3);
}

/// A server whose sockets ask and tell the others before they are let in, or refused when told so.
fn asking(gate: &Gate, log: &Log) -> SocketIo {
    let io = SocketIo::builder().state((gate.clone(), log.clone())).build();
    io.of("/ask")
        .on_connect(async |socket: Socket, State((gate, log)): State<(Gate, Log)>| {
            socket.broadcast().emit("first", 1)?;
            let answers = socket.broadcast().emit_with_ack::<u8>("question", 1)?;
            socket.broadcast().emit("last", 1)?;
            socket.emit("own", 1)?;
            tokio::spawn(async move {
                let acks = answers.collect_all().await;
                log.add(format!(
                    "{} answers, {} missing",
                    acks.answers.len(),
                    acks.missing.len()
                ));
            });
            gate.pass().await;
            match socket.auth_json() {
                Some(_) => Err(Refusal::new("no")),
                None => Ok::<_, Refusal>(()),
            }
        });
    io
}

#[tokio::test(start_paused = true)]
async fn a_question_of_a_socket_that_is_not_let_in_yet_is_put_when_it_is() {
    let (gate, log) = (Gate::closed(), Log::default());
    let io = asking(&gate, &log);
    gate.admit(1);
    let mut first = Ws::join(&io, "/ask").await;
    idle().await;
    first.texts().await;
    assert_eq!(log.take(), ["0 answers, 0 missing"]);

    let mut second = Ws::open(&io).await;
    second.send("40/ask,").await;
    assert!(first.texts().await.is_empty(), "it is held");
    gate.admit(1);
    let heard = first.texts().await;
    let id = heard[1].strip_prefix("42/ask,").map(id_of).expect("a question");
    let question = format!(r#"42/ask,{id}["question",1]"#);
    assert_eq!(heard, [r#"42/ask,["first",1]"#, &question, r#"42/ask,["last",1]"#]);
    let own = second.texts().await;
    assert_eq!((own.len(), &*own[1]), (2, r#"42/ask,["own",1]"#));
    first.send(&format!("43/ask,{id}[5]")).await;
    idle().await;
    assert_eq!(log.take(), ["1 answers, 0 missing"]);
}

#[tokio::test(start_paused = true)]
async fn a_question_of_a_socket_that_is_refused_is_put_to_nobody() {
    let (gate, log) = (Gate::closed(), Log::default());
    let io = asking(&gate, &log);
    gate.admit(2);
    let mut first = Ws::join(&io, "/ask").await;
    first.texts().await;
    log.take();
    let mut second = Ws::open(&io).await;
    second.send("40/ask,{}").await;
    assert_eq!(second.texts().await, [r#"44/ask,{"message":"no"}"#]);
    assert!(first.texts().await.is_empty());
    assert_eq!(log.take(), ["0 answers, 0 missing"]);
}

#[tokio::test(start_paused = true)]
async fn sockets_that_are_let_in_while_they_ask_each_other_all_get_their_answers() {
    const CLIENTS: usize = 20;
    let (gate, log) = (Gate::closed(), Log::default());
    let io = asking(&gate, &log);
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut client = Ws::open(&io).await;
        client.send("40/ask,").await;
        clients.push(client);
    }
    idle().await;
    gate.admit(CLIENTS);
    for client in &mut clients {
        for text in client.texts().await {
            if text.contains("question") {
                let id = id_of(text.strip_prefix("42/ask,").expect("a question"));
                client.send(&format!("43/ask,{id}[1]")).await;
            }
        }
    }
    idle().await;
    let mut told = log.take();
    told.sort_by_key(|line| line.split_once(' ').and_then(|(n, _)| n.parse::<usize>().ok()));
    let expected: Vec<_> = (0..CLIENTS).map(|n| format!("{n} answers, 0 missing")).collect();
    assert_eq!(told, expected);
}

/// Not in virtual time: threads are what could lock each other out.
#[test]
fn sockets_that_are_let_in_at_once_on_several_threads_do_not_wait_for_each_other() {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(4).enable_time().build().expect("a runtime");
    let (done, joined) = std::sync::mpsc::channel();
    runtime.spawn(async move {
        for _ in 0..30 {
            join_at_once().await;
        }
        done.send(())
    });
    // Threads that wait for each other keep no timer of their runtime, and cannot be waited for.
    let joined = joined.recv_timeout(secs(60));
    runtime.shutdown_background();
    joined.expect("they do not wait for each other");
}

async fn join_at_once() {
    const CLIENTS: usize = 16;
    let (gate, log) = (Gate::closed(), Log::default());
    let io = asking(&gate, &log);
    gate.admit(CLIENTS);
    let mut joining = tokio::task::JoinSet::new();
    for _ in 0..CLIENTS {
        let io = io.clone();
        joining.spawn(async move {
            let mut client = Ws::open(&io).await;
            client.send("40/ask,").await;
            while client.text().await != r#"42/ask,["own",1]"# {}
        });
    }
    joining.join_all().await;
}
