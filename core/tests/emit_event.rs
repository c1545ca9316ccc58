//! Events as values: `#[derive(EmitEvent)]` and `emit_event`.

mod kit;

use bytes::Bytes;
use kit::{Log, Ws, idle, secs};
use serde::Serialize;
use tower_socketio::{Args, EmitEvent, EncodeError, EventError, Socket, SocketIo};

#[derive(Debug, Serialize)]
struct Message {
    nick: &'static str,
    #[serde(rename = "saidAt")]
    said_at: u64,
}

#[derive(EmitEvent)]
enum ServerToClient {
    Said(Message),
    UserMoved(i32, Option<i32>),
    Typing {
        nick: &'static str,
        r#type: u8,
    },
    Cleared,
    #[event("room:closed")]
    Closed(),
    Image(String, Bytes),
    Never(std::collections::HashMap<(u8, u8), u8>),
}

#[derive(EmitEvent)]
#[event(rename_all = "camelCase")]
enum Camel {
    UserLeft,
    #[event("As It Is")]
    Renamed,
}

#[derive(Serialize, EmitEvent)]
#[event("user typing")]
struct Typing<'a> {
    nick: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<u64>,
}

#[derive(EmitEvent)]
#[event(rename_all = "kebab-case")]
struct ManyValues<T: Serialize>(T, T);

#[derive(EmitEvent)]
struct Restarting;

#[tokio::test(start_paused = true)]
async fn a_value_is_sent_by_its_name_with_its_fields_as_arguments() {
    let io = SocketIo::builder().build();
    let mut ws = Ws::join(&io, "/").await;
    let said = Message {
        nick: "ada",
        said_at: 7,
    };
    io.emit_event(ServerToClient::Said(said)).unwrap();
    io.emit_event(ServerToClient::UserMoved(-1, None)).unwrap();
    io.emit_event(ServerToClient::Typing { nick: "ada", r#type: 2 })
        .unwrap();
    io.emit_event(&ServerToClient::Cleared).unwrap();
    io.emit_event(ServerToClient::Closed()).unwrap();
    io.emit_event(Camel::UserLeft).unwrap();
    io.emit_event(Camel::Renamed).unwrap();
    io.emit_event(Typing {
        nick: &String::from("ben"),
        at: None,
    })
    .unwrap();
    io.emit_event(ManyValues(1.5, 2.5)).unwrap();
    io.emit_event(Restarting).unwrap();
    let expected = [
        r#"42["said",{"nick":"ada","saidAt":7}]"#,
        r#"42["user_moved",-1,null]"#,
        r#"42["typing",{"nick":"ada","type":2}]"#,
        r#"42["cleared"]"#,
        r#"42["room:closed"]"#,
        r#"42["userLeft"]"#,
        r#"42["As It Is"]"#,
        r#"42["user typing",{"nick":"ben"}]"#,
        r#"42["many-values",1.5,2.5]"#,
        r#"42["restarting"]"#,
    ];
    assert_eq!(ws.texts().await, expected);
}

#[tokio::test(start_paused = true)]
async fn bytes_among_the_fields_travel_beside_the_packet() {
    let io = SocketIo::builder().build();
    let mut ws = Ws::join(&io, "/").await;
    let image = ServerToClient::Image("a".into(), Bytes::from_static(b"\x89PNG"));
    io.emit_event(image).unwrap();
    assert_eq!(ws.text().await, r#"451-["image","a",{"_placeholder":true,"num":0}]"#);
    assert_eq!(ws.binary().await, b"\x89PNG");
}

#[tokio::test(start_paused = true)]
async fn whatever_emits_takes_values() {
    let io = SocketIo::builder().build();
    io.of("/").on("go", async |socket: Socket| {
        socket.emit_event(Camel::UserLeft)?;
        socket.volatile().emit_event(Restarting)?;
        socket.broadcast().emit_event(ServerToClient::Cleared)
    });
    let (mut one, mut other) = (Ws::join(&io, "/").await, Ws::join(&io, "/").await);
    one.send(r#"42["go"]"#).await;
    idle().await;
    io.of("/").emit_event(ServerToClient::Closed()).unwrap();
    for socket in io.fetch_sockets().await {
        socket.emit_event(ServerToClient::Cleared).unwrap();
    }
    let to_all = [r#"42["room:closed"]"#, r#"42["cleared"]"#];
    assert_eq!(
        one.texts().await,
        [&[r#"42["userLeft"]"#, r#"42["restarting"]"#], &to_all[..]].concat()
    );
    assert_eq!(other.texts().await, [&[r#"42["cleared"]"#], &to_all[..]].concat());
}

#[derive(EmitEvent)]
#[event(ack = Args<(String, u8)>)]
struct AskName(u8);

#[tokio::test(start_paused = true)]
async fn a_value_that_knows_its_answer_asks_for_it() {
    let io = SocketIo::builder().build();
    let log = Log::default();
    let of_handler = log.clone();
    io.of("/").on("go", move |socket: Socket| {
        let log = of_handler.clone();
        async move {
            log.add(format!("{:?}", socket.emit_event_with_ack(AskName(1)).await?));
            log.add(format!(
                "{:?}",
                socket.timeout(secs(1)).emit_event_with_ack(&AskName(2)).await
            ));
            Ok::<_, EventError>(())
        }
    });
    let mut ws = Ws::join(&io, "/").await;
    ws.send(r#"42["go"]"#).await;
    assert_eq!(ws.text().await, r#"420["ask_name",1]"#);
    ws.send(r#"430["ada",7]"#).await;
    assert_eq!(ws.text().await, r#"421["ask_name",2]"#);
    ws.quiet(secs(2)).await;
    assert_eq!(log.take(), [r#"Args(("ada", 7))"#, "Err(Timeout)"]);

    let answers = io.emit_event_with_ack(AskName(3)).unwrap();
    assert_eq!(ws.text().await, r#"422["ask_name",3]"#);
    ws.send(r#"432["ben",8]"#).await;
    let answers = answers.collect_all().await.answers;
    assert_eq!(
        answers.into_iter().map(|(_, answer)| answer).collect::<Vec<_>>(),
        [Args(("ben".to_owned(), 8))]
    );
    let [remote] = &io.fetch_sockets().await[..] else {
        panic!("one socket");
    };
    let (answer, ()) = tokio::join!(remote.emit_event_with_ack(AskName(4)), async {
        assert_eq!(ws.text().await, r#"423["ask_name",4]"#);
        ws.send(r#"433["cleo",9]"#).await;
    });
    assert_eq!(answer.unwrap(), Args(("cleo".to_owned(), 9)));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_written_is_said_and_nothing_is_sent() {
    let io = SocketIo::builder().build();
    let mut ws = Ws::join(&io, "/").await;
    let never = ServerToClient::Never([((1, 2), 3)].into());
    let error = io.emit_event(&never).unwrap_err();
    assert!(matches!(error, EncodeError::Arguments(_)), "{error}");
    assert_eq!(ws.texts().await, Vec::<String>::new());
}
