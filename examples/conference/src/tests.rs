//! The rules of the board, with clients in memory.

use std::time::Duration;

use serde_json::{Value, json};
use warp_socketio::{
    SocketIo,
    testing::{self, Parting, TestClient, TestError},
};

use crate::accounts::{Accounts, LOGGED_OUT, Session};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// The server, where Ada moderates.
fn server() -> (SocketIo, Accounts, Session) {
    let accounts = Accounts::new(None);
    let ada = accounts.logged_in("Ada");
    (crate::socket_io(SocketIo::builder(), &accounts), accounts, ada)
}

async fn visit(io: &SocketIo, session: &Session, conference: &str) -> Result<TestClient, TestError> {
    let client = testing::client(io).extension(session.clone());
    let mut client = client
        .auth(&json!({ "conference": conference }))
        .connect("/board")
        .await?;
    client.recv::<Value>("welcome").await?;
    Ok(client)
}

async fn enter(io: &SocketIo, session: &Session) -> Result<TestClient, TestError> {
    let client = visit(io, session, "harbour").await?;
    ask(&client, "enter", "Foyer").await?;
    Ok(client)
}

async fn ask(client: &TestClient, event: &str, argument: impl serde::Serialize) -> Result<Value, TestError> {
    client.emit_with_ack(event, argument).await
}

async fn say(client: &TestClient, key: &str, text: &str) -> Result<Value, TestError> {
    ask(client, "say", json!({ "key": key, "text": text })).await
}

/// The names of those in a list of people.
fn names(people: &Value) -> Vec<&str> {
    let people = people.as_array().into_iter().flatten();
    people.filter_map(|person| person["name"].as_str()).collect()
}

const DENIED: &str = "method_access_denied";

#[tokio::test(start_paused = true)]
async fn only_moderators_moderate_and_hear_of_who_tries() -> Outcome {
    let (io, accounts, ada) = server();
    let ben = enter(&io, &accounts.logged_in("Ben")).await?;
    let mut ada = enter(&io, &ada).await?;
    assert_eq!(ask(&ada, "reports", ()).await?, json!([]));
    for event in ["mute", "kick", "pardon", "sanctions", "reports"] {
        assert_eq!(ask(&ben, event, "Ada").await?["error"]["name"], DENIED, "{event}");
    }
    let reports: Value = ada.recv("reports").await?;
    assert_eq!(reports[0]["who"], "Ben");
    assert_eq!(reports[0]["kind"], DENIED);
    assert_eq!(
        ask(&ada, "kick", "Ada").await?["error"]["message"],
        "nobody moderates a moderator"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_a_handler_fails_with_is_reported_with_its_time() -> Outcome {
    let (io, accounts, ada) = server();
    let ben = enter(&io, &accounts.logged_in("Ben")).await?;
    let ada = enter(&io, &ada).await?;
    let answer = say(&ben, "1", &"x".repeat(1001)).await?;
    assert_eq!(answer["error"]["message"], "a message has at most 1000 characters");
    let reports = ask(&ada, "reports", ()).await?;
    assert_eq!(reports[0]["occasion"], "event \"say\"");
    assert!(reports[0]["millis"].is_number(), "{reports}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn somebody_with_two_tabs_is_here_once_until_both_are_closed() -> Outcome {
    let (io, accounts, ada) = server();
    let mut ada = enter(&io, &ada).await?;
    assert_eq!(names(&ask(&ada, "people", ()).await?), ["Ada"]);
    let visitor = testing::connect(&io, "/status").await?;
    assert_eq!(names(&ask(&visitor, "people", ()).await?), ["Ada"]);

    let ben = accounts.logged_in("Ben");
    let first = enter(&io, &ben).await?;
    assert_eq!(names(&ada.recv("people").await?), ["Ada", "Ben"]);
    let second = enter(&io, &ben).await?;
    first.close().await?;
    ada.expect_nothing_for(Duration::from_secs(1)).await?; // More than what is told of changes waits.
    second.close().await?;
    assert_eq!(names(&ada.recv("people").await?), ["Ada"]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_is_online_is_told_to_who_has_not_logged_in() -> Outcome {
    let (io, _, ada) = server();
    let mut visitor = testing::connect(&io, "/status").await?;
    assert_eq!(ask(&visitor, "people", ()).await?, json!([]));
    let ada = visit(&io, &ada, "types").await?;
    assert_eq!(names(&visitor.recv("people").await?), ["Ada"]);
    ada.drop_connection().await?;
    assert_eq!(names(&visitor.recv("people").await?), [""; 0]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_is_muted_reads_and_does_not_write_in_that_conference() -> Outcome {
    let (io, accounts, ada) = server();
    let ben = accounts.logged_in("Ben");
    let mut tab = enter(&io, &ben).await?;
    let elsewhere = visit(&io, &ben, "makers").await?;
    ask(&elsewhere, "enter", "Foyer").await?;
    let ada = enter(&io, &ada).await?;
    ask(&ada, "mute", "ben").await?;
    let notice: (String, String) = tab.recv::<warp_socketio::Args<_>>("notice").await?.0;
    assert_eq!(notice.0, "muted");
    assert_eq!(say(&tab, "1", "hello").await?["error"]["name"], DENIED);
    say(&ada, "1", "listen").await?;
    assert_eq!(tab.recv::<Value>("message").await?["text"], "listen");

    let another = enter(&io, &ben).await?;
    assert_eq!(say(&another, "2", "hello").await?["error"]["name"], DENIED);
    assert_eq!(say(&elsewhere, "3", "hello").await?, Value::Null);

    ask(&ada, "pardon", "Ben").await?;
    assert_eq!(say(&tab, "4", "hello").await?, Value::Null);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_is_kicked_hears_nothing_more_and_enters_nowhere_until_pardoned() -> Outcome {
    let (io, accounts, ada) = server();
    let ben = accounts.logged_in("Ben");
    let mut tab = enter(&io, &ben).await?;
    ask(&tab, "people", ()).await?;
    let mut ada = enter(&io, &ada).await?;
    ask(&ada, "people", ()).await?;
    tab.recv::<Value>("people").await?;

    ask(&ada, "kick", "Ben").await?;
    let (what, sentence): (String, String) = tab.recv::<warp_socketio::Args<_>>("notice").await?.0;
    assert_eq!(what, "kicked");
    assert!(
        sentence.starts_with("A moderator has removed you from Harbour Conf."),
        "{sentence}"
    );
    assert_eq!(names(&ada.recv("people").await?), ["Ada"]);
    say(&ada, "1", "peace").await?;
    tab.expect_nothing().await?;
    for event in ["enter", "earlier", "say"] {
        assert_eq!(ask(&tab, event, "Foyer").await?["error"]["name"], DENIED, "{event}");
    }
    let later = visit(&io, &ben, "harbour").await?;
    assert_eq!(ask(&later, "enter", "Foyer").await?["error"]["name"], DENIED);
    let elsewhere = visit(&io, &ben, "types").await?;
    assert!(ask(&elsewhere, "enter", "Foyer").await?["messages"].is_array());

    ask(&ada, "pardon", "Ben").await?;
    for tab in [&tab, &later] {
        assert_eq!(ask(tab, "enter", "Foyer").await?["messages"][0]["text"], "peace");
    }
    assert_eq!(ask(&tab, "kick", "Ada").await?["error"]["name"], DENIED); // A pardon gives no more than that back.
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_seat_needs_a_session_that_has_not_ended() -> Outcome {
    let (io, accounts, _) = server();
    let ben = accounts.logged_in("Ben");
    let mut tab = visit(&io, &ben, "harbour").await?;
    ben.end();
    let answer = ask(&tab, "enter", "Foyer").await;
    assert!(
        !matches!(&answer, Ok(page) if page["messages"].is_array()),
        "{answer:?}"
    );
    assert_eq!(tab.disconnected().await?, Parting::ByServer);
    match visit(&io, &ben, "harbour").await {
        Err(TestError::Refused { message, .. }) => assert_eq!(message, LOGGED_OUT),
        other => panic!("{other:?}"),
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_is_said_twice_is_heard_once() -> Outcome {
    let (io, accounts, ada) = server();
    let ben = enter(&io, &accounts.logged_in("Ben")).await?;
    let mut ada = enter(&io, &ada).await?;
    for _ in 0..2 {
        assert_eq!(say(&ben, "same", " hello ").await?, Value::Null);
    }
    assert_eq!(ada.recv::<Value>("message").await?["text"], "hello");
    ada.expect_nothing().await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_page_is_of_the_room_that_was_entered() -> Outcome {
    let (io, _, ada) = server();
    let ada = visit(&io, &ada, "harbour").await?;
    for event in ["say", "earlier", "people"] {
        let answer = match event {
            "say" => say(&ada, "1", "hello").await?,
            _ => ask(&ada, event, 1).await?,
        };
        assert_eq!(answer["error"]["message"], "enter a room first", "{event}");
    }
    assert_eq!(
        ask(&ada, "enter", "Cellar").await?["error"]["message"],
        "there is no such room"
    );
    ask(&ada, "enter", "Foyer").await?;
    say(&ada, "1", "hello").await?;
    assert_eq!(
        ask(&ada, "enter", "Workshops").await?,
        json!({ "messages": [], "more": false })
    );
    assert_eq!(ask(&ada, "enter", "Foyer").await?["messages"][0]["id"], 1);
    Ok(())
}
