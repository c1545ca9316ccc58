//! The game as clients play it, in virtual time.

use std::error::Error;

use actix_socketio::testing::{self, TestClient, TestError};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::*;

type Outcome = Result<(), Box<dyn Error>>;

const PATIENCE: Duration = Duration::from_secs(20);
const DENIED: &str = "method_access_denied";

/// A player: the client, and what it was told when it sat down.
struct Player {
    client: TestClient,
    seat: Value,
}

fn server() -> SocketIo {
    let games = Games::new(Tables::new(PATIENCE));
    let io = SocketIo::builder().state(games.clone()).build();
    mount(&io, games);
    io
}

/// A client that waits longer than a seat is kept.
async fn connect(io: &SocketIo) -> Result<TestClient, TestError> {
    testing::client(io).time_limit(2 * PATIENCE).connect("/game").await
}

/// X and O at a table.
async fn two(io: &SocketIo) -> Result<(Player, Player), Box<dyn Error>> {
    let client = connect(io).await?;
    let seat: Value = client.emit_with_ack("create", "Ada").await?;
    let x = Player { client, seat };
    let client = connect(io).await?;
    let seat = client
        .emit_with_ack("join", json!({ "table": x.seat["table"], "name": "Ben" }))
        .await?;
    Ok((x, Player { client, seat }))
}

impl Player {
    async fn play(&self, cell: u8) -> Result<Value, Box<dyn Error>> {
        self.play_at(&self.seat["table"], cell).await
    }

    async fn play_at(&self, table: &Value, cell: u8) -> Result<Value, Box<dyn Error>> {
        Ok(self
            .client
            .emit_with_ack("play", json!({ "table": table, "cell": cell }))
            .await?)
    }

    async fn ask(&self, event: &str) -> Result<Value, Box<dyn Error>> {
        Ok(self.client.emit_with_ack(event, &self.seat["table"]).await?)
    }

    /// The table, as this player was last told of it.
    async fn table(&mut self) -> Result<Value, Box<dyn Error>> {
        let mut last = self.client.recv("table").await?;
        self.client.flush().await?;
        while let Ok(event) = tokio::time::timeout(Duration::ZERO, self.client.recv("table")).await {
            last = event?;
        }
        Ok(last)
    }
}

fn is_denied(answer: &Value) -> bool {
    answer["error"]["name"] == DENIED
}

#[tokio::test(start_paused = true)]
async fn only_whose_turn_it_is_may_play() -> Outcome {
    let io = server();
    let (mut x, o) = two(&io).await?;
    assert!(is_denied(&o.play(0).await?));
    for cell in [0, 1, 2] {
        assert_eq!(x.play(2 * cell).await?, Value::Null);
        assert!(is_denied(&x.play(8).await?));
        if cell < 2 {
            assert_eq!(o.play(2 * cell + 1).await?, Value::Null);
            assert!(is_denied(&o.play(8).await?));
        }
    }
    let cells = json!(["X", "O", "X", "O", "X", null, null, null, null]);
    assert_eq!(x.table().await?["cells"], cells);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn of_two_moves_at_once_the_second_is_denied() -> Outcome {
    let io = server();
    let (mut x, _o) = two(&io).await?;
    let (first, second) = tokio::join!(x.play(0), x.play(1));
    assert_eq!(first?, Value::Null);
    assert!(is_denied(&second?));
    let table = x.table().await?;
    assert_eq!(
        (&table["cells"][0], &table["cells"][1], &table["turn"]),
        (&json!("X"), &Value::Null, &json!("O"))
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn nobody_plays_at_the_table_of_others() -> Outcome {
    let io = server();
    let (mut x, _o) = two(&io).await?;
    let (other, _) = two(&io).await?;
    // It is their turn, but at their own table.
    let answer = other.play_at(&x.seat["table"], 4).await?;
    assert_eq!(answer["error"]["message"], "You do not play at this table.");
    let stranger = connect(&io).await?;
    let answer: Value = stranger
        .emit_with_ack("play", json!({ "table": x.seat["table"], "cell": 4 }))
        .await?;
    assert!(is_denied(&answer));
    assert_eq!(x.table().await?["cells"][4], Value::Null);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_watches_may_only_leave() -> Outcome {
    let io = server();
    let (x, _o) = two(&io).await?;
    let mut eve = connect(&io).await?;
    assert_eq!(
        eve.emit_with_ack::<Value>("watch", &x.seat["table"]).await?,
        Value::Null
    );
    for event in ["play", "rematch", "create", "join", "watch", "back", "lobby"] {
        assert!(is_denied(&eve.emit_with_ack(event, "x").await?), "{event}");
    }
    eve.recv::<Value>("table").await?;
    x.play(4).await?;
    assert_eq!(eve.recv::<Value>("table").await?["cells"][4], "X");
    assert_eq!(eve.emit_with_ack::<Value>("leave", "").await?, Value::Null);
    assert_eq!(eve.emit_with_ack::<Value>("create", "Eve").await?["mark"], "X");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_before_the_time_is_up_has_seat_and_turn_again() -> Outcome {
    let io = server();
    let (x, mut o) = two(&io).await?;
    x.play(0).await?;
    o.play(1).await?;
    x.client.drop_connection().await?;
    assert_eq!(o.table().await?["players"][0]["away"], 20_000);

    sleep(Duration::from_millis(19_990)).await;
    let client = connect(&io).await?;
    let back = json!({ "token": x.seat["token"], "replace": false });
    let seat: Value = client.emit_with_ack("back", back).await?;
    assert_eq!(seat, x.seat);
    let x = Player { client, seat };
    assert_eq!(x.play(2).await?, Value::Null);
    assert!(is_denied(&x.play(3).await?));
    sleep(PATIENCE).await;
    assert_eq!(o.table().await?["stage"], "playing");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_does_not_come_back_loses_when_the_time_is_up() -> Outcome {
    let io = server();
    let (x, mut o) = two(&io).await?;
    assert_eq!(x.client.emit_with_ack::<Value>("leave", "").await?, 20_000);
    let left = Instant::now();
    o.table().await?;
    let end: Value = loop {
        let table: Value = o.client.recv("table").await?;
        if table["stage"] == "over" {
            break table["end"].clone();
        }
    };
    assert_eq!(left.elapsed().as_secs(), PATIENCE.as_secs());
    assert_eq!((&end["winner"], &end["walkover"]), (&json!("O"), &json!(true)));
    for event in ["play", "rematch"] {
        assert!(is_denied(&o.ask(event).await?), "{event}");
    }
    let back = json!({ "token": x.seat["token"], "replace": true });
    let answer: Value = x.client.emit_with_ack("back", back).await?;
    assert_eq!(
        answer["error"]["message"],
        "You were away for too long, and your seat is gone."
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_seat_that_is_taken_over_leaves_the_first_tab_in_the_lobby() -> Outcome {
    let io = server();
    let (mut x, _o) = two(&io).await?;
    let client = connect(&io).await?;
    let back = |replace| json!({ "token": x.seat["token"], "replace": replace });
    assert_eq!(client.emit_with_ack::<Value>("back", back(false)).await?, Value::Null);
    let seat: Value = client.emit_with_ack("back", back(true)).await?;
    let tab = Player { client, seat };
    x.client.recv::<Value>("replaced").await?;
    assert!(is_denied(&x.play(0).await?));
    assert_eq!(tab.play(0).await?, Value::Null);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_rematch_may_be_asked_for_when_the_game_is_over() -> Outcome {
    let io = server();
    let (mut x, o) = two(&io).await?;
    assert!(is_denied(&x.ask("rematch").await?));
    for (player, cell) in [(&x, 0), (&o, 3), (&x, 1), (&o, 4), (&x, 2)] {
        assert_eq!(player.play(cell).await?, Value::Null);
    }
    for player in [&x, &o] {
        assert!(is_denied(&player.play(8).await?));
    }
    assert_eq!(x.ask("rematch").await?, Value::Null);
    assert!(is_denied(&o.play(8).await?));
    assert_eq!(o.ask("rematch").await?, Value::Null);
    assert!(is_denied(&x.play(8).await?)); // The other begins.
    assert_eq!(o.play(8).await?, Value::Null);
    assert_eq!(x.table().await?["cells"][8], "O");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn spectators_go_to_the_lobby_when_the_players_have_gone() -> Outcome {
    let io = server();
    let mut ada = connect(&io).await?;
    let seat: Value = ada.emit_with_ack("create", "Ada").await?;
    let mut eve = connect(&io).await?;
    eve.emit_with_ack::<Value>("watch", &seat["table"]).await?;
    assert_eq!(ada.emit_with_ack::<Value>("leave", "").await?, Value::Null);
    eve.recv::<Value>("closed").await?;
    eve.recv::<Value>("tables").await?;
    ada.emit("lobby", "")?;
    while ada.recv::<Value>("tables").await? != json!([]) {}
    Ok(())
}
