//! Events between servers, as a server that is alone has them, and tasks of the server.

mod kit;

use std::{collections::HashMap, thread};

use kit::{Log, secs, soon};
use tower_socketio::{AckError, Args, EncodeError, RawArgs, SocketIo};

fn args(args: impl tower_socketio::EmitArgs) -> RawArgs {
    RawArgs::encode(&args).expect("json")
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_alone_tells_nobody_and_has_all_answers_at_once() {
    let (io, log) = (SocketIo::builder().build(), Log::default());
    let told = log.clone();
    io.of("/").on_server_side_emit("event", move |_: u8| {
        told.add("itself");
        std::future::ready(())
    });
    let start = tokio::time::Instant::now();
    io.server_side_emit("event", 1).unwrap();
    io.of("/").server_side_emit("event", 1).unwrap();
    let answers: Vec<u8> = io.of("/").server_side_emit_with_ack("event", 1).await.unwrap();
    assert!(answers.is_empty());
    assert_eq!(start.elapsed(), secs(0));
    assert_eq!(io.servers_count().await, 1);
    assert!(log.take().is_empty(), "who sends does not get it");
}

#[tokio::test(start_paused = true)]
async fn an_event_of_another_server_is_handled_and_answered() {
    let io = SocketIo::builder().build();
    let nsp = io.of("/chat");
    nsp.on_server_side_emit("sum", async |Args((a, b)): Args<(i32, i32)>| a + b)
        .on_server_side_emit("raw", async |args: RawArgs| args)
        .on_server_side_emit("nothing", async |_: Args<()>| Args(()))
        .on_server_side_emit("panic", async |_: RawArgs| -> u8 { panic!("on purpose") })
        .on_server_side_emit("unwritable", async |_: RawArgs| HashMap::from([((1, 2), 3)]));
    let handle = async |event, args| nsp.handle_server_side_emit(event, args).await;
    assert_eq!(handle("sum", args(Args((1, 2)))).await, Some(args(3)));
    assert_eq!(handle("raw", args(Args(("a", 1)))).await, Some(args(Args(("a", 1)))));
    assert_eq!(handle("nothing", args(1)).await, Some(args(Args(()))));
    for event in ["panic", "unwritable", "unknown"] {
        assert_eq!(handle(event, args(1)).await, None, "{event}");
    }
    assert_eq!(handle("sum", args("a")).await, None, "not what the handler takes");
    assert_eq!(
        io.of("/").handle_server_side_emit("sum", args(Args((1, 2)))).await,
        None,
        "another namespace's"
    );
}

#[tokio::test(start_paused = true)]
async fn names_that_mean_something_to_other_servers_and_what_cannot_be_written_are_refused() {
    let io = SocketIo::builder().build();
    for name in ["connect", "connection", "new_namespace"] {
        assert!(
            matches!(io.server_side_emit(name, 1), Err(EncodeError::ReservedEvent(_))),
            "{name}"
        );
        let answers = io.of("/").server_side_emit_with_ack::<u8>(name, 1).await;
        assert!(matches!(answers, Err(AckError::Encode(_))), "{name}");
    }
    let unwritable = HashMap::from([((1, 2), 3)]);
    assert!(matches!(
        io.server_side_emit("event", unwritable),
        Err(EncodeError::Arguments(_))
    ));
}

#[test]
#[should_panic(expected = "has a handler already")]
fn an_event_of_other_servers_has_one_handler() {
    let io = SocketIo::builder().build();
    io.of("/")
        .on_server_side_emit("event", async |_: u8| {})
        .on_server_side_emit("event", async |_: u8| {});
}

#[test]
#[should_panic(expected = "is reserved by Socket.IO")]
fn a_reserved_name_has_no_handler() {
    SocketIo::builder()
        .build()
        .of("/")
        .on_server_side_emit("connection", async |_: u8| {});
}

#[tokio::test(start_paused = true)]
async fn a_task_is_spawned_from_any_thread_and_outlives_the_server() {
    let io = SocketIo::builder().runtime(tokio::runtime::Handle::current()).build();
    let server = io.clone();
    let task = thread::spawn(move || {
        let clock = server.clone();
        server.spawn(async move {
            tokio::time::sleep(secs(60)).await;
            clock.clients_count()
        })
    });
    let task = task.join().expect("no panic");
    io.close().await;
    assert_eq!(soon("the task", task).await.expect("no panic"), 0);
}
