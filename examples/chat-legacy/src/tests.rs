//! The chat with clients in memory: what is the same for all generations, and what nobody may.

use axum_socketio::{
    Args, Generation, SocketIo,
    testing::{self, TestClient, TestError},
};
use serde::Deserialize;

type Outcome = Result<(), TestError>;

/// What an ack tells of an error.
#[derive(Debug, Deserialize)]
struct Told {
    error: Error,
}

#[derive(Debug, Deserialize)]
struct Error {
    name: Option<String>,
    message: String,
}

fn chat() -> SocketIo {
    crate::serve(SocketIo::builder())
}

/// Somebody who has come in.
async fn come(io: &SocketIo, generation: Generation, nickname: &str) -> Result<TestClient, TestError> {
    let client = testing::client(io).generation(generation).connect("/chat").await?;
    let taken: bool = client.emit_with_ack("nickname", nickname).await?;
    assert!(!taken, "{nickname} is taken");
    Ok(client)
}

#[tokio::test(start_paused = true)]
async fn clients_of_all_generations_talk_in_one_room() -> Outcome {
    let io = chat();
    let mut ada = come(&io, Generation::V0_9, "Ada").await?;
    let mut ben = come(&io, Generation::Eio3, "Ben").await?;
    let mut cy = come(&io, Generation::Eio4, "Cy").await?;
    for people in [vec!["Ada"], vec!["Ada", "Ben"], vec!["Ada", "Ben", "Cy"]] {
        assert_eq!(ada.recv::<Vec<String>>("nicknames").await?, people);
    }
    for (name, client) in [
        ("Ada", "a client before 1.0"),
        ("Ben", "a client 1 or 2"),
        ("Cy", "today’s client"),
    ] {
        let announcement = format!("{name} has come, with {client}");
        assert_eq!(ada.recv::<String>("announcement").await?, announcement);
    }

    let Args(()) = ben.emit_with_ack("user message", " hello ").await?;
    for other in [&mut ada, &mut cy] {
        let Args((who, text)): Args<(String, String)> = other.recv("msg_to_room").await?;
        assert_eq!((&*who, &*text), ("Ben", "hello"));
    }
    ada.expect_nothing().await?;

    let Args(()) = cy.emit_with_ack("user message", "hello, Ben").await?;
    let Args((who, _)): Args<(String, String)> = ben.recv("msg_to_room").await?;
    assert_eq!(who, "Cy", "Ben does not hear himself");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_leaves_is_missed_and_the_nickname_is_free() -> Outcome {
    let io = chat();
    let mut ada = come(&io, Generation::Eio4, "Ada").await?;
    let ben = come(&io, Generation::V0_9, "Ben").await?;
    let cy = testing::connect(&io, "/chat").await?;
    assert!(cy.emit_with_ack::<bool>("nickname", "BEN").await?);
    ben.drop_connection().await?;
    for people in [vec!["Ada"], vec!["Ada", "Ben"], vec!["Ada"]] {
        assert_eq!(ada.recv::<Vec<String>>("nicknames").await?, people);
    }
    assert!(!cy.emit_with_ack::<bool>("nickname", "BEN").await?);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn nobody_speaks_without_a_nickname_or_has_two() -> Outcome {
    let io = chat();
    let mut ada = come(&io, Generation::Eio4, "Ada").await?;
    ada.recv::<Vec<String>>("nicknames").await?;
    ada.recv::<String>("announcement").await?;
    for generation in [Generation::V0_9, Generation::Eio3, Generation::Eio4] {
        let guest = testing::client(&io).generation(generation).connect("/chat").await?;
        for event in ["user message", "user_message"] {
            let Told { error } = guest.emit_with_ack(event, "hello").await?;
            assert_eq!(error.name.as_deref(), Some("method_access_denied"));
        }
        let Told { error } = guest.emit_with_ack("nickname", &"x".repeat(21)).await?;
        assert_eq!(error.message, "A nickname has 1 to 20 characters.");
    }
    let Told { error } = ada.emit_with_ack("nickname", "Eve").await?;
    assert_eq!(error.name.as_deref(), Some("method_access_denied"));
    ada.expect_nothing().await
}
