//! The namespace: what a client may ask, and what everybody is told.
//!
//! What may be asked *when* is the ACL of each socket, and [`tell`] sets it whenever a table has changed. A
//! handler runs only when it is its caller's turn to call it; the rules check again, since two sockets may be at it
//! at the same moment.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix_socketio::{
    Ack, Acl, Args, Data, EncodeError, EventError, Failure, Handshake, Namespace, Socket, State, namespace,
};
use serde::Deserialize;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use crate::{
    rules::Mark,
    tables::{Gone, Refused, Seated, Tables, milliseconds},
};

/// The room of all who sit at no table.
const LOBBY: &str = "lobby";

/// What those in the lobby may call, and those who watch.
const IN_LOBBY: &[GameEvent] = &[
    GameEvent::Lobby,
    GameEvent::Create,
    GameEvent::Join,
    GameEvent::Watch,
    GameEvent::Back,
];
const WATCHING: &[GameEvent] = &[GameEvent::Leave];

/// The tables, as all handlers share them. Whoever changes them tells the clients before unlocking them, so that all
/// hear of all changes in the same order. Emitting never waits.
#[derive(Debug, Clone)]
pub(crate) struct Games(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    tables: Mutex<Tables>,
    /// Somebody is away.
    away: Notify,
}

/// A socket keeps nothing of its own: who it is at a table, the table knows.
#[derive(Debug, Default)]
pub(crate) struct Game;

type Answer<T> = Result<Ack<T>, EventError>;

#[derive(Deserialize)]
struct Join {
    table: u32,
    name: String,
}

#[derive(Deserialize)]
struct Play {
    table: u32,
    cell: usize,
}

#[derive(Deserialize)]
struct Back {
    token: String,
    /// Also when somebody sits there: this tab, before it was loaded again.
    replace: bool,
}

#[namespace]
impl Game {
    #[acl]
    fn acl(_: &Handshake) -> Acl {
        Acl::only(IN_LOBBY)
    }

    /// Tells of the tables, now and whenever one changes.
    #[event]
    async fn lobby(&self, socket: Socket, State(games): State<Games>) -> Result<(), EncodeError> {
        let tables = games.lock();
        socket.join(LOBBY);
        socket.emit("tables", tables.list())
    }

    #[event]
    async fn create(&self, socket: Socket, State(games): State<Games>, Data(name): Data<String>) -> Answer<Seated> {
        let mut tables = games.lock();
        let seated = tables.create(socket.id(), &name)?;
        sit_down(&socket, seated.table);
        tell(&socket.namespace(), &mut tables, seated.table)?;
        Ok(Ack(seated))
    }

    #[event]
    async fn join(&self, socket: Socket, State(games): State<Games>, Data(join): Data<Join>) -> Answer<Seated> {
        let mut tables = games.lock();
        let seated = tables.join(socket.id(), join.table, &join.name)?;
        sit_down(&socket, seated.table);
        tell(&socket.namespace(), &mut tables, seated.table)?;
        Ok(Ack(seated))
    }

    #[event]
    async fn watch(&self, socket: Socket, State(games): State<Games>, Data(table): Data<u32>) -> Answer<()> {
        let mut tables = games.lock();
        tables.watch(socket.id(), table)?;
        sit_down(&socket, table);
        permit(&socket, WATCHING);
        tell(&socket.namespace(), &mut tables, table)?;
        Ok(Ack(()))
    }

    /// Sits down again where the token was given; `null` is answered where somebody sits.
    #[event]
    async fn back(&self, socket: Socket, State(games): State<Games>, Data(back): Data<Back>) -> Answer<Option<Seated>> {
        let mut tables = games.lock();
        let Some((seated, before)) = tables.back(socket.id(), &back.token, back.replace)? else {
            return Ok(Ack(None));
        };
        if let Some(before) = before.and_then(|id| socket.namespace().socket(id)) {
            before.emit("replaced", Args(()))?;
            stand_up(&before, seated.table);
        }
        sit_down(&socket, seated.table);
        tell(&socket.namespace(), &mut tables, seated.table)?;
        Ok(Ack(Some(seated)))
    }

    #[event]
    async fn play(&self, socket: Socket, State(games): State<Games>, Data(play): Data<Play>) -> Answer<()> {
        let mut tables = games.lock();
        tables.play(socket.id(), play.table, play.cell)?;
        tell(&socket.namespace(), &mut tables, play.table)?;
        Ok(Ack(()))
    }

    #[event]
    async fn rematch(&self, socket: Socket, State(games): State<Games>, Data(table): Data<u32>) -> Answer<()> {
        let mut tables = games.lock();
        tables.rematch(socket.id(), table)?;
        tell(&socket.namespace(), &mut tables, table)?;
        Ok(Ack(()))
    }

    /// Back to the lobby. The seat of a game that goes on is kept for so many milliseconds.
    #[event]
    async fn leave(&self, socket: Socket, State(games): State<Games>) -> Answer<Option<u64>> {
        Ok(Ack(games.leave(&socket, Gone::Left)?))
    }

    #[disconnect]
    async fn disconnected(&self, socket: Socket, State(games): State<Games>) -> Result<(), EncodeError> {
        games.leave(&socket, Gone::Lost)?;
        Ok(())
    }

    #[error]
    fn failed(failure: &Failure<'_>) {
        if !failure.kind.is_clients_fault() {
            eprintln!("{failure}");
        }
    }
}

impl Games {
    pub(crate) fn new(tables: Tables) -> Self {
        let tables = Mutex::new(tables);
        let away = Notify::new();
        Self(Arc::new(Shared { tables, away }))
    }

    /// Ends the games of players who do not come back. Runs for as long as the server.
    pub(crate) async fn watch_the_clock(self, namespace: Namespace) {
        loop {
            let deadline = self.lock().next_deadline();
            let Some(deadline) = deadline else {
                self.0.away.notified().await;
                continue;
            };
            sleep_until(deadline).await;
            let mut tables = self.lock();
            for table in tables.expire(Instant::now()) {
                tell(&namespace, &mut tables, table).expect("tables can be sent");
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.0.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leave(&self, socket: &Socket, how: Gone) -> Result<Option<u64>, EncodeError> {
        let mut tables = self.lock();
        let Some((table, kept)) = tables.leave(socket.id(), how, Instant::now()) else {
            return Ok(None);
        };
        stand_up(socket, table);
        tell(&socket.namespace(), &mut tables, table)?;
        self.0.away.notify_one();
        Ok(kept.map(milliseconds))
    }
}

/// Tells everybody of a table that has changed, and lets each player call what is theirs to call now. This is
/// the rule of turns.
fn tell(namespace: &Namespace, tables: &mut Tables, number: u32) -> Result<(), EncodeError> {
    for id in tables.clear(number) {
        if let Some(watcher) = namespace.socket(id) {
            watcher.emit("closed", Args(()))?;
            stand_up(&watcher, number);
        }
    }
    for (mark, id) in tables.players(number) {
        if let Some(socket) = namespace.socket(id) {
            permit(&socket, &playing(tables, number, mark));
        }
    }
    if let Some(view) = tables.view(number, Instant::now()) {
        namespace.to(room_of(number)).emit("table", view)?;
    }
    namespace.to(LOBBY).emit("tables", tables.list())
}

/// What a player may call.
fn playing(tables: &Tables, number: u32, mark: Mark) -> Vec<GameEvent> {
    let mut events = vec![GameEvent::Leave];
    if tables.has_turn(number, mark) {
        events.push(GameEvent::Play);
    }
    if tables.has_rematch(number) {
        events.push(GameEvent::Rematch);
    }
    events
}

/// Allows these events and denies all others.
fn permit(socket: &Socket, events: &[GameEvent]) {
    for event in GameEvent::ALL {
        if events.contains(event) {
            socket.acl().allow(event);
        } else {
            socket.acl().deny(event);
        }
    }
}

fn sit_down(socket: &Socket, table: u32) {
    socket.leave(LOBBY);
    socket.join(room_of(table));
}

fn stand_up(socket: &Socket, table: u32) {
    socket.leave(room_of(table));
    socket.join(LOBBY);
    permit(socket, IN_LOBBY);
}

/// The Socket.IO room of a table.
fn room_of(table: u32) -> String {
    format!("table:{table}")
}

impl From<Refused> for EventError {
    fn from(Refused(why): Refused) -> Self {
        Self::new(why)
    }
}
