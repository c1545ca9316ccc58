//! The namespace: what a client may ask, and what everybody is told.

use std::{sync::OnceLock, time::SystemTime};

use axum_socketio::{Ack, Acl, Data, EncodeError, EventError, Failure, Handshake, Socket, State, namespace};
use serde::{Deserialize, Serialize};

use crate::{
    here::Here,
    store::{Message, NoName, Page, Person, Said, Store},
};

/// The room of all who have a name.
pub(crate) const JOINED: &str = "joined";

const MAX_NICK: usize = 20;
const MAX_TEXT: usize = 2000;
/// Of what clients make up: keys, and their names of messages.
const MAX_TOKEN: usize = 64;
const PAGE: usize = 30;

/// What a socket keeps: who it is, once it has joined.
#[derive(Debug, Default)]
pub(crate) struct Chat {
    person: OnceLock<Person>,
}

type Answer<T> = Result<Ack<T>, EventError>;

#[derive(Deserialize)]
struct Join {
    nick: String,
    /// Whoever has it has the name.
    key: String,
}

#[derive(Serialize)]
struct Joined {
    nick: String,
    history: Page,
}

#[derive(Deserialize)]
struct Say {
    token: String,
    text: String,
}

#[namespace]
impl Chat {
    /// Nothing but joining, until one has.
    #[acl]
    fn acl(_: &Handshake) -> Acl {
        Acl::only([ChatEvent::Join])
    }

    #[event]
    async fn join(
        &self,
        socket: Socket,
        State(store): State<Store>,
        State(here): State<Here>,
        Data(join): Data<Join>,
    ) -> Answer<Joined> {
        socket.acl().deny(ChatEvent::Join); // not twice at once
        let joined = self.enter(&socket, &store, &here, join).await;
        if joined.is_ok() {
            socket.acl().allow(ChatEvent::Say);
            socket.acl().allow(ChatEvent::History);
        } else {
            socket.acl().allow(ChatEvent::Join);
        }
        joined.map(Ack)
    }

    /// The message as it is kept. Who says it again, not knowing whether it was heard, gets what was kept then.
    #[event]
    async fn say(
        &self,
        socket: Socket,
        State(store): State<Store>,
        Data(Say { token, text }): Data<Say>,
    ) -> Answer<Message> {
        let person = self.person()?;
        check_token(&token, "A token")?;
        let text = check_text(&text)?;
        match store.say(person.id, &token, &text, now()).await? {
            Said::New(message) => {
                socket.to(JOINED).emit("message", &message)?;
                Ok(Ack(message))
            }
            Said::Before(message) => Ok(Ack(message)),
        }
    }

    /// A page of messages older than one.
    #[event]
    async fn history(&self, State(store): State<Store>, Data(before): Data<i64>) -> Answer<Page> {
        Ok(Ack(store.history(Some(before), PAGE).await?))
    }

    #[disconnect]
    async fn left(&self, socket: Socket, State(here): State<Here>) -> Result<(), EncodeError> {
        match self.person.get() {
            Some(person) => here.leave(&socket.namespace(), person),
            None => Ok(()),
        }
    }

    #[error]
    fn failed(failure: &Failure<'_>) {
        if !failure.kind.is_clients_fault() {
            eprintln!("{failure}");
        }
    }

    async fn enter(&self, socket: &Socket, store: &Store, here: &Here, join: Join) -> Result<Joined, EventError> {
        let nick = check_nick(&join.nick)?;
        check_token(&join.key, "A key")?;
        let person = store.name(&nick, &join.key).await?.map_err(|no| match no {
            NoName::Taken(nick) => EventError::new(format!("{nick} is somebody else’s name. Pick another one.")),
            NoName::Full => EventError::new("All names are given away."),
        })?;
        // First the room, then the history: what is said between them comes twice rather than never, and the page
        // shows it once.
        socket.join(JOINED);
        let history = store.history(None, PAGE).await?;
        let person = self.person.get_or_init(|| person);
        here.enter(&socket.namespace(), person)?;
        let nick = person.nick.clone();
        Ok(Joined { nick, history })
    }

    fn person(&self) -> Result<&Person, EventError> {
        self.person.get().ok_or_else(|| EventError::new("Join first."))
    }
}

fn check_nick(nick: &str) -> Result<String, EventError> {
    let nick = nick.split_whitespace().collect::<Vec<_>>().join(" ");
    if !(1..=MAX_NICK).contains(&nick.chars().count()) {
        return Err(EventError::new(format!("A name has 1 to {MAX_NICK} characters.")));
    }
    if !nick.chars().all(|c| c.is_alphanumeric() || " ._-'".contains(c)) {
        return Err(EventError::new("A name has letters, digits, spaces and . _ - ' only."));
    }
    Ok(nick)
}

fn check_text(text: &str) -> Result<String, EventError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(EventError::new("Write something first."));
    }
    if text.chars().count() > MAX_TEXT {
        return Err(EventError::new(format!("A message has at most {MAX_TEXT} characters.")));
    }
    Ok(text.to_owned())
}

fn check_token(token: &str, what: &str) -> Result<(), EventError> {
    if !(1..=MAX_TOKEN).contains(&token.chars().count()) {
        return Err(EventError::new(format!("{what} has 1 to {MAX_TOKEN} characters.")));
    }
    Ok(())
}

/// Milliseconds since 1970, as the page's `Date` counts.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis().try_into().unwrap_or(i64::MAX))
}
