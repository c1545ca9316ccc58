//! The testbed with clients in memory, in virtual time: what the page's buttons cannot show.

use axum_socketio::{
    Args, EmitArgs, SocketIo,
    testing::{self, TestClient, TestError},
};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Value, json};

type Outcome = Result<(), TestError>;

#[derive(Debug, Deserialize)]
struct Told {
    error: Error,
}

#[derive(Debug, Deserialize)]
struct Error {
    name: Option<String>,
    message: String,
}

fn io() -> SocketIo {
    crate::serve(crate::builder())
}

/// What is wrong with a call: the name of the error, else its message.
async fn wrong(client: &TestClient, event: &str, args: impl EmitArgs) -> Result<String, TestError> {
    let Told { error } = client.emit_with_ack(event, args).await?;
    Ok(error.name.unwrap_or(error.message))
}

#[tokio::test(start_paused = true)]
async fn a_counter_counts_in_time_and_ends_with_its_socket() -> Outcome {
    let io = io();
    let mut ada = testing::connect(&io, "/testbed").await?;
    let mut log = ada.of("/log").await?;
    ada.emit("start", Args(()))?;
    let begin = tokio::time::Instant::now();
    for number in 1..=21 {
        assert_eq!(ada.recv::<u64>("tick").await?, number);
    }
    assert!(
        (900..1100).contains(&begin.elapsed().as_millis()),
        "{:?}",
        begin.elapsed()
    );
    assert_eq!(ada.emit_with_ack::<usize>("jobs", Args(())).await?, 1);
    assert_eq!(wrong(&ada, "start", Args(())).await?, "The counter runs already.");

    ada.disconnect().await?;
    loop {
        let line: Value = log.recv("call").await?;
        if line["call"] == "job" {
            assert_eq!(line["outcome"], "aborted");
            return Ok(());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_log_tells_a_client_of_its_own_calls_alone() -> Outcome {
    let io = io();
    let mut log = testing::connect(&io, "/log").await?;
    let mut other = testing::connect(&io, "/log").await?;
    let locked = log.of("/locked").await?;
    assert_eq!(wrong(&locked, "secret", "no number").await?, "method_access_denied");
    let made: Value = log.recv("call").await?;
    assert_eq!(
        (&made["namespace"], &made["call"], &made["outcome"]),
        (&json!("/locked"), &json!("connect"), &json!("ok"))
    );
    assert!(made["micros"].is_u64());
    let unmade: Value = log.recv("call").await?;
    assert_eq!(
        unmade,
        json!({
            "namespace": "/locked", "call": "event \"secret\"", "micros": null, "outcome": "method_access_denied",
        })
    );
    other.expect_nothing().await
}

#[tokio::test(start_paused = true)]
async fn doors_open_to_who_has_the_key() -> Outcome {
    let io = io();
    let ada = testing::connect(&io, "/second").await?;
    let Err(TestError::Refused { message, data, .. }) = ada.of("/closed").await else {
        panic!("let in without a key");
    };
    assert_eq!(message, "The door is closed.");
    assert_eq!(data, Some(json!({ "code": "E_CLOSED", "retry": 30 })));
    ada.of_with_auth("/closed", &json!({ "key": "open sesame" })).await?;
    assert!(matches!(ada.of("/members").await, Err(TestError::Refused { message, .. }) if message == "Members only."));
    ada.of_with_auth("/members", &json!({ "key": "" })).await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_word_has_at_most_32_characters() -> Outcome {
    let io = io();
    let ada = testing::connect(&io, "/testbed").await?;
    ada.emit_with_ack::<IgnoredAny>("remember", "é".repeat(32)).await?;
    for word in [String::new(), "é".repeat(33)] {
        assert_eq!(wrong(&ada, "remember", word).await?, "invalid_method_args");
    }
    let second = ada.of("/second").await?;
    assert_eq!(
        second.emit_with_ack::<Option<String>>("recall", Args(())).await?,
        Some("é".repeat(32))
    );
    Ok(())
}
