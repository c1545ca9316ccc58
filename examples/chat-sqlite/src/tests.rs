//! The chat as clients use it, in virtual time.

use std::error::Error;

use axum_socketio::testing::{self, TestClient, TestError};
use serde_json::{Value, json};

use super::*;

type Outcome = Result<(), Box<dyn Error>>;

fn server() -> Result<SocketIo, Box<dyn Error>> {
    let io = SocketIo::builder()
        .state(Store::in_memory()?)
        .state(Here::default())
        .build();
    io.of("/chat").serve::<Chat>();
    Ok(io)
}

async fn connect(io: &SocketIo) -> Result<TestClient, TestError> {
    testing::connect(io, "/chat").await
}

async fn join(client: &TestClient, nick: &str, key: &str) -> Result<Value, TestError> {
    client.emit_with_ack("join", json!({ "nick": nick, "key": key })).await
}

async fn joined(io: &SocketIo, nick: &str) -> Result<TestClient, TestError> {
    let mut client = connect(io).await?;
    assert_eq!(join(&client, nick, "key").await?["nick"], nick);
    client.recv::<Value>("people").await?;
    Ok(client)
}

async fn say(client: &TestClient, token: &str, text: &str) -> Result<Value, TestError> {
    client
        .emit_with_ack("say", json!({ "token": token, "text": text }))
        .await
}

fn is_denied(answer: &Value) -> bool {
    answer["error"]["name"] == "method_access_denied"
}

#[tokio::test(start_paused = true)]
async fn who_has_not_joined_may_only_join() -> Outcome {
    let io = server()?;
    let client = connect(&io).await?;
    assert!(is_denied(&say(&client, "t1", "hello").await?));
    assert!(is_denied(&client.emit_with_ack("history", 9).await?));
    assert!(!is_denied(&join(&client, "", "key").await?));
    assert!(is_denied(&say(&client, "t1", "hello").await?));
    assert_eq!(join(&client, "Ada", "key").await?["nick"], "Ada");
    assert_eq!(say(&client, "t1", "hello").await?["text"], "hello");
    assert!(is_denied(&join(&client, "Ben", "key").await?));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn of_two_who_ask_for_a_name_at_once_one_gets_it() -> Outcome {
    let io = server()?;
    let (one, other) = (connect(&io).await?, connect(&io).await?);
    let (first, second) = tokio::join!(join(&one, "Ada", "k1"), join(&other, "ADA", "k2"));
    assert_eq!(first?["nick"], "Ada");
    assert_eq!(
        second?["error"]["message"],
        "Ada is somebody else’s name. Pick another one."
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_joins_twice_at_once_is_here_once() -> Outcome {
    let io = server()?;
    let mut watcher = joined(&io, "Ben").await?;
    let client = connect(&io).await?;
    let (first, second) = tokio::join!(join(&client, "Ada", "key"), join(&client, "Eve", "key"));
    assert_eq!(first?["nick"], "Ada");
    assert!(is_denied(&second?));
    assert_eq!(watcher.recv::<Value>("people").await?, json!(["Ben", "Ada"]));
    client.close().await?;
    assert_eq!(watcher.recv::<Value>("people").await?, json!(["Ben"]));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_is_said_twice_is_heard_and_kept_once() -> Outcome {
    let io = server()?;
    let ada = joined(&io, "Ada").await?;
    let mut ben = joined(&io, "Ben").await?;
    let first = say(&ada, "t1", " hello ").await?;
    assert_eq!(say(&ada, "t1", "hello").await?, first);
    assert_eq!(ben.recv::<Value>("message").await?, first);

    // After the connection broke, on the next one.
    ada.drop_connection().await?;
    let ada = joined(&io, "Ada").await?;
    assert_eq!(say(&ada, "t1", "hello").await?, first);
    assert_eq!(say(&ada, "t2", "again").await?["text"], "again");
    assert_eq!(ben.recv::<Value>("message").await?["text"], "again");
    let history = join(&connect(&io).await?, "Eve", "key").await?["history"].clone();
    assert_eq!(
        (history["messages"].as_array().map(Vec::len), &history["more"]),
        (Some(2), &json!(false))
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn history_comes_in_pages_from_the_newest_up() -> Outcome {
    let io = server()?;
    let ada = joined(&io, "Ada").await?;
    for i in 1..=70 {
        say(&ada, &format!("t{i}"), &i.to_string()).await?;
    }
    let mut page = join(&connect(&io).await?, "Ben", "key").await?["history"].clone();
    for (first, last, more) in [("41", "70", true), ("11", "40", true), ("1", "10", false)] {
        let messages = page["messages"].as_array().ok_or("a page has messages")?.clone();
        let ends = messages.first().zip(messages.last()).ok_or("a page is not empty")?;
        assert_eq!(
            (&ends.0["text"], &ends.1["text"], &page["more"]),
            (&json!(first), &json!(last), &json!(more))
        );
        page = ada.emit_with_ack("history", &ends.0["id"]).await?;
    }
    assert_eq!(page, json!({ "messages": [], "more": false }));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_is_bounded() -> Outcome {
    let io = server()?;
    let client = connect(&io).await?;
    for (nick, key, why) in [
        (" ", "key", "A name has 1 to 20 characters."),
        ("<b>", "key", "A name has letters, digits, spaces and . _ - ' only."),
        ("Ada", "", "A key has 1 to 64 characters."),
        ("Ada", &"k".repeat(65), "A key has 1 to 64 characters."),
    ] {
        assert_eq!(join(&client, nick, key).await?["error"]["message"], why);
    }
    join(&client, "Ada", "key").await?;
    for (token, text, why) in [
        ("", "hello", "A token has 1 to 64 characters."),
        ("t", " \n", "Write something first."),
        ("t", &"x".repeat(2001), "A message has at most 2000 characters."),
    ] {
        assert_eq!(say(&client, token, text).await?["error"]["message"], why);
    }
    assert_eq!(say(&client, "t", &"é".repeat(2000)).await?["nick"], "Ada");
    Ok(())
}
