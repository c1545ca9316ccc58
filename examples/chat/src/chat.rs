//! The chat itself: who is here, in which room, and what was said. It knows the rules and no
//! network; `lib.rs` asks it and tells the clients.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::SystemTime,
};

use serde::Serialize;
use tower_socketio::{EventError, Sid};

/// These rooms are always there.
const DEFAULT_ROOMS: [&str; 3] = ["lobby", "rust", "tea-room"];
const MAX_NICK: usize = 20;
const MAX_ROOM: usize = 24;
const MAX_TEXT: usize = 2000;
/// Of what clients make up: keys and the ids of messages.
const MAX_TOKEN: usize = 64;
/// How many messages a room keeps.
const MAX_HISTORY: usize = 50;

/// The people, by the ids of their sockets, and the rooms.
#[derive(Debug)]
pub(crate) struct Chat {
    people: HashMap<Sid, Person>,
    rooms: BTreeMap<String, Room>,
}

#[derive(Debug)]
struct Person {
    nick: String,
    key: String,
    room: Option<String>,
}

#[derive(Debug, Default)]
struct Room {
    /// Names, in the order in which they came.
    people: Vec<String>,
    /// The last messages, oldest first.
    history: VecDeque<Message>,
}

/// Something was said.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Message {
    pub(crate) room: String,
    pub(crate) id: String,
    pub(crate) nick: String,
    pub(crate) text: String,
    pub(crate) at: u64,
}

/// Somebody came into a room or left it; `people` are those who are there now.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Presence {
    pub(crate) room: String,
    pub(crate) nick: String,
    pub(crate) people: Vec<String>,
    pub(crate) at: u64,
}

/// A line in the list of rooms.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct RoomSize {
    pub(crate) name: String,
    pub(crate) people: usize,
}

/// What is to be seen in a room.
#[derive(Debug, Serialize)]
pub(crate) struct RoomView {
    pub(crate) room: String,
    pub(crate) people: Vec<String>,
    pub(crate) history: VecDeque<Message>,
}

/// Why the chat says no: a sentence for people.
#[derive(Debug, PartialEq)]
pub(crate) struct Refused(pub String);

impl From<Refused> for EventError {
    fn from(Refused(why): Refused) -> Self {
        Self::new(why)
    }
}

impl Default for Chat {
    fn default() -> Self {
        Self {
            people: HashMap::new(),
            rooms: DEFAULT_ROOMS.map(|name| (name.to_owned(), Room::default())).into(),
        }
    }
}

impl Chat {
    /// Whether somebody may bear that name, and how the name is spelt.
    pub(crate) fn check_login(&self, nick: &str, key: &str) -> Result<String, Refused> {
        let nick = check_nick(nick)?;
        check_token(key, "A key")?;
        match self.bearer(&nick).map(|bearer| &self.people[bearer]) {
            Some(bearer) if bearer.key != key => refuse(format!(
                "Somebody called {} is here already. Pick another name.",
                bearer.nick
            )),
            _ => Ok(nick),
        }
    }

    /// Who bears that name, in whatever spelling.
    pub(crate) fn bearer(&self, nick: &str) -> Option<&Sid> {
        let nick = nick.to_lowercase();
        let bears_it = |person: &Person| person.nick.to_lowercase() == nick;
        self.people
            .iter()
            .find(|(_, person)| bears_it(person))
            .map(|(id, _)| id)
    }

    /// Lets somebody in whose name has been checked.
    pub(crate) fn log_in(&mut self, id: &Sid, nick: &str, key: &str) {
        let person = Person {
            nick: nick.to_owned(),
            key: key.to_owned(),
            room: None,
        };
        self.people.insert(id.clone(), person);
    }

    /// Forgets somebody who has left the room already; `false` if nobody was logged in.
    pub(crate) fn log_out(&mut self, id: &Sid) -> bool {
        self.people.remove(id).is_some()
    }

    /// The room that `id` is in, and the name they bear.
    pub(crate) fn place_of(&self, id: &Sid) -> Option<(&str, &str)> {
        let person = self.people.get(id)?;
        Some((person.room.as_deref()?, &person.nick))
    }

    /// Puts somebody who is in no room into one whose name has been checked. A room is made by
    /// its first visitor.
    pub(crate) fn enter(&mut self, id: &Sid, room: &str) -> Option<Presence> {
        let person = self.people.get_mut(id)?;
        person.room = Some(room.to_owned());
        let there = self.rooms.entry(room.to_owned()).or_default();
        there.people.push(person.nick.clone());
        Some(presence(room, &person.nick, &there.people))
    }

    /// Takes somebody out of the room they are in, if they are in one. A room is forgotten with
    /// its last visitor, unless it is always there.
    pub(crate) fn leave(&mut self, id: &Sid) -> Option<Presence> {
        let person = self.people.get_mut(id)?;
        let room = person.room.take()?;
        let there = self.rooms.get_mut(&room)?;
        there.people.retain(|nick| *nick != person.nick);
        let left = presence(&room, &person.nick, &there.people);
        if there.people.is_empty() && !DEFAULT_ROOMS.contains(&&*room) {
            self.rooms.remove(&room);
        }
        Some(left)
    }

    /// Says something in the room that `id` is in: the message, or `None` if it was said before.
    pub(crate) fn say(&mut self, id: &Sid, message_id: &str, text: &str) -> Result<Option<Message>, Refused> {
        let Some((name, nick)) = self.place_of(id) else {
            return refuse("Join a room first.");
        };
        check_token(message_id, "An id")?;
        let message = Message {
            room: name.to_owned(),
            id: message_id.to_owned(),
            nick: nick.to_owned(),
            text: check_text(text)?,
            at: now(),
        };
        let room = self.rooms.entry(message.room.clone()).or_default();
        if room.history.iter().any(|said| said.id == message.id) {
            return Ok(None);
        }
        room.history.push_back(message.clone());
        if room.history.len() > MAX_HISTORY {
            room.history.pop_front();
        }
        Ok(Some(message))
    }

    /// The list of rooms: first those that are always there.
    pub(crate) fn rooms(&self) -> Vec<RoomSize> {
        let others = self.rooms.keys().map(|name| &**name);
        let others = others.filter(|name| !DEFAULT_ROOMS.contains(name));
        DEFAULT_ROOMS
            .into_iter()
            .chain(others)
            .map(|name| RoomSize {
                name: name.to_owned(),
                people: self.rooms[name].people.len(),
            })
            .collect()
    }

    /// Who is in a room and what was said there.
    pub(crate) fn view(&self, room: &str) -> RoomView {
        let there = self.rooms.get(room);
        RoomView {
            room: room.to_owned(),
            people: there.map(|room| room.people.clone()).unwrap_or_default(),
            history: there.map(|room| room.history.clone()).unwrap_or_default(),
        }
    }
}

fn check_nick(nick: &str) -> Result<String, Refused> {
    let nick = nick.split_whitespace().collect::<Vec<_>>().join(" ");
    if !(1..=MAX_NICK).contains(&nick.chars().count()) {
        return refuse(format!("A name has 1 to {MAX_NICK} characters."));
    }
    if !nick.chars().all(|c| c.is_alphanumeric() || " ._-'".contains(c)) {
        return refuse("A name has letters, digits, spaces and . _ - ' only.");
    }
    Ok(nick)
}

/// How the name of a room is spelt.
pub(crate) fn check_room(room: &str) -> Result<String, Refused> {
    let room = room.trim().to_lowercase();
    if !(1..=MAX_ROOM).contains(&room.chars().count()) {
        return refuse(format!("A room name has 1 to {MAX_ROOM} characters."));
    }
    if !room.chars().all(|c| c.is_alphanumeric() || "-_".contains(c)) {
        return refuse("A room name has letters, digits, - and _ only.");
    }
    Ok(room)
}

fn check_text(text: &str) -> Result<String, Refused> {
    let text = text.trim();
    if text.is_empty() {
        return refuse("Write something first.");
    }
    if text.chars().count() > MAX_TEXT {
        return refuse(format!("A message has at most {MAX_TEXT} characters."));
    }
    Ok(text.to_owned())
}

fn check_token(token: &str, what: &str) -> Result<(), Refused> {
    if token.chars().count() > MAX_TOKEN {
        return refuse(format!("{what} has at most {MAX_TOKEN} characters."));
    }
    Ok(())
}

fn refuse<T>(why: impl Into<String>) -> Result<T, Refused> {
    Err(Refused(why.into()))
}

fn presence(room: &str, nick: &str, people: &[String]) -> Presence {
    Presence {
        room: room.to_owned(),
        nick: nick.to_owned(),
        people: people.to_vec(),
        at: now(),
    }
}

/// Milliseconds since 1970, as the page's `Date` counts.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs() * 1000 + u64::from(since.subsec_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ada and Ben in the lobby.
    fn two_in_the_lobby() -> (Chat, Sid, Sid) {
        let mut chat = Chat::default();
        let [ada, ben] = ["Ada", "Ben"].map(|nick| {
            let id = Sid::random();
            chat.log_in(&id, nick, "key");
            chat.enter(&id, "lobby");
            id
        });
        (chat, ada, ben)
    }

    fn names(chat: &Chat) -> Vec<String> {
        chat.rooms().into_iter().map(|room| room.name).collect()
    }

    fn refusal<T: std::fmt::Debug>(result: Result<T, Refused>) -> String {
        result.unwrap_err().0
    }

    #[test]
    fn a_name_is_tidied_and_has_few_kinds_of_characters() {
        assert_eq!(check_nick("  Eve \t of\nTest ").unwrap(), "Eve of Test");
        assert_eq!(check_nick("Zoë O'Neil-4_x.").unwrap(), "Zoë O'Neil-4_x.");
        assert_eq!(check_nick(&"ä".repeat(20)).unwrap(), "ä".repeat(20));
        for nick in ["", " \n ", &"x".repeat(21)] {
            assert_eq!(refusal(check_nick(nick)), "A name has 1 to 20 characters.");
        }
        for nick in ["<b>", "a\u{7}b", "a\u{202e}b", "a@b"] {
            let error = refusal(check_nick(nick));
            assert_eq!(error, "A name has letters, digits, spaces and . _ - ' only.");
        }
    }

    #[test]
    fn a_room_name_is_lower_case() {
        assert_eq!(check_room(" Book-Club_2 ").unwrap(), "book-club_2");
        assert_eq!(refusal(check_room(" ")), "A room name has 1 to 24 characters.");
        assert_eq!(
            refusal(check_room(&"x".repeat(25))),
            "A room name has 1 to 24 characters."
        );
        assert_eq!(
            refusal(check_room("no spaces")),
            "A room name has letters, digits, - and _ only."
        );
    }

    #[test]
    fn a_name_is_borne_once_and_its_key_takes_it_over() {
        let (chat, _, _) = two_in_the_lobby();
        let taken = "Somebody called Ada is here already. Pick another name.";
        assert_eq!(refusal(chat.check_login("aDA", "another key")), taken);
        assert_eq!(chat.check_login("aDA", "key").unwrap(), "aDA");
        assert_eq!(
            refusal(chat.check_login("Eve", &"k".repeat(65))),
            "A key has at most 64 characters."
        );
    }

    #[test]
    fn who_is_in_no_room_can_say_nothing() {
        let mut chat = Chat::default();
        let ada = Sid::random();
        assert_eq!(refusal(chat.say(&ada, "m1", "hello")), "Join a room first.");
        chat.log_in(&ada, "Ada", "key");
        assert_eq!(refusal(chat.say(&ada, "m1", "hello")), "Join a room first.");
        assert_eq!(chat.leave(&ada), None);
    }

    #[test]
    fn those_who_stay_are_told_who_stays() {
        let (mut chat, ada, _) = two_in_the_lobby();
        let left = chat.leave(&ada).unwrap();
        assert_eq!((&*left.room, &*left.nick), ("lobby", "Ada"));
        assert_eq!(left.people, ["Ben"]);
        let joined = chat.enter(&ada, "lobby").unwrap();
        assert_eq!(joined.people, ["Ben", "Ada"]);
    }

    #[test]
    fn an_empty_room_is_forgotten_unless_it_is_always_there() {
        let (mut chat, ada, ben) = two_in_the_lobby();
        for (id, room) in [(&ada, "zoo"), (&ben, "art")] {
            chat.leave(id);
            chat.enter(id, room);
            chat.say(id, "m1", "hello").unwrap();
        }
        assert_eq!(names(&chat), ["lobby", "rust", "tea-room", "art", "zoo"]);
        chat.leave(&ada);
        assert_eq!(names(&chat), ["lobby", "rust", "tea-room", "art"]);
        assert!(chat.view("zoo").history.is_empty());
    }

    #[test]
    fn a_message_is_said_once() {
        let (mut chat, ada, _) = two_in_the_lobby();
        let said = chat.say(&ada, "m1", " once ").unwrap().unwrap();
        assert_eq!((&*said.nick, &*said.text), ("Ada", "once"));
        assert_eq!(chat.say(&ada, "m1", "twice").unwrap(), None);
        assert_eq!(chat.view("lobby").history, [said]);
    }

    #[test]
    fn a_message_has_something_in_it_and_not_too_much() {
        let (mut chat, ada, _) = two_in_the_lobby();
        assert_eq!(refusal(chat.say(&ada, "m1", " \n ")), "Write something first.");
        let text = "\u{1F600}".repeat(2000);
        assert!(chat.say(&ada, "m1", &text).unwrap().is_some());
        assert_eq!(
            refusal(chat.say(&ada, "m2", &(text + "x"))),
            "A message has at most 2000 characters."
        );
        assert_eq!(
            refusal(chat.say(&ada, &"m".repeat(65), "hello")),
            "An id has at most 64 characters."
        );
    }

    #[test]
    fn a_room_keeps_its_last_fifty_messages() {
        let (mut chat, ada, _) = two_in_the_lobby();
        for i in 1..=53 {
            chat.say(&ada, &format!("m{i}"), "hello").unwrap();
        }
        let history = chat.view("lobby").history;
        assert_eq!((history.len(), &*history[0].id), (50, "m4"));
    }

    #[test]
    fn whoever_logs_out_frees_the_name() {
        let (mut chat, ada, ben) = two_in_the_lobby();
        chat.leave(&ada);
        assert!(chat.log_out(&ada));
        assert!(!chat.log_out(&ada));
        assert_eq!(chat.bearer("ada"), None);
        assert_eq!(chat.bearer("BEN"), Some(&ben));
    }
}
