//! The conferences: who sits where, what is said in their rooms, and who may not.
//!
//! Whoever changes something tells the sockets before unlocking it, so that all of them hear of all changes
//! in the same order. Emitting never waits.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::Serialize;
use tokio::sync::watch;
use warp_socketio::{Args, EncodeError, EventError, Sid, Socket};

use crate::{
    accounts::User,
    board::BoardEvent,
    follow::Following,
    names::Name,
    presence::{People, Person},
    room::{History, Page},
};

/// A conference, with its rooms.
#[derive(Debug, Serialize)]
pub(crate) struct Conference {
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    pub(crate) rooms: &'static [&'static str],
}

pub(crate) static CONFERENCES: [Conference; 3] = [
    Conference {
        id: "harbour",
        title: "Harbour Conf",
        rooms: &["Foyer", "Main stage", "Workshops"],
    },
    Conference {
        id: "types",
        title: "Night of Types",
        rooms: &["Foyer", "Proofs", "Puns"],
    },
    Conference {
        id: "makers",
        title: "Makers’ Day",
        rooms: &["Foyer", "Soldering", "Ask anything"],
    },
];

impl Conference {
    pub(crate) fn find(id: &str) -> Option<&'static Self> {
        CONFERENCES.iter().find(|conference| conference.id == id)
    }

    fn places(&'static self) -> impl Iterator<Item = Place> {
        self.rooms.iter().map(|room| Place {
            conference: self.id,
            room,
        })
    }
}

/// A room of a conference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Place {
    conference: &'static str,
    room: &'static str,
}

/// The room of the sockets that are in it.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "place:{}/{}", self.conference, self.room)
    }
}

/// What a moderator took from somebody, in one conference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Sanction {
    Muted,
    Kicked,
}

/// Who may not do what. Written as pairs: a page need not fear somebody named `error`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sanctions(BTreeMap<Name, Sanction>);

impl Serialize for Sanctions {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&self.0)
    }
}

impl Sanction {
    /// What the socket may no longer call.
    fn apply(self, socket: &Socket) {
        socket.acl().deny(BoardEvent::Say);
        if self == Self::Kicked {
            socket.acl().deny(BoardEvent::Enter);
            socket.acl().deny(BoardEvent::Earlier);
        }
    }

    fn sentence(self, conference: &Conference) -> String {
        match self {
            Self::Muted => format!(
                "A moderator has muted you in {}: you can read, but not write.",
                conference.title
            ),
            Self::Kicked => format!(
                "A moderator has removed you from {}. The other conferences are open to you.",
                conference.title
            ),
        }
    }
}

/// Everything of the board that its sockets share. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Hall(Arc<Mutex<Inner>>);

struct Inner {
    seats: HashMap<Sid, Taken>,
    rooms: HashMap<Place, Room>,
    sanctions: HashMap<&'static str, watch::Sender<Sanctions>>,
    online: watch::Sender<People>,
}

/// A socket, and where it is.
struct Taken {
    socket: Socket,
    user: User,
    conference: &'static Conference,
    place: Option<Place>,
    /// Who else is in that place.
    following: Arc<Following>,
}

#[derive(Default)]
struct Room {
    history: History,
    crowd: watch::Sender<People>,
}

impl Hall {
    pub(crate) fn new() -> Self {
        let places = CONFERENCES.iter().flat_map(Conference::places);
        let ids = CONFERENCES.iter().map(|conference| conference.id);
        Self(Arc::new(Mutex::new(Inner {
            seats: HashMap::new(),
            rooms: places.map(|place| (place, Room::default())).collect(),
            sanctions: ids.map(|id| (id, watch::Sender::default())).collect(),
            online: watch::Sender::default(),
        })))
    }

    /// Everybody who is on the board.
    pub(crate) fn online(&self) -> watch::Receiver<People> {
        self.lock().online.subscribe()
    }

    /// Takes a seat in a conference for a socket that is about to be let in.
    pub(crate) fn sit(
        &self,
        socket: &Socket,
        user: &User,
        conference: &'static Conference,
    ) -> Result<Seat, EncodeError> {
        let following = Arc::new(Following::default());
        let mut hall = self.lock();
        if let Some(sanction) = hall.sanction(conference, &user.name) {
            sanction.apply(socket);
            socket.emit(NOTICE, Args((sanction, sanction.sentence(conference))))?;
        }
        let taken = Taken {
            socket: socket.clone(),
            user: user.clone(),
            conference,
            place: None,
            following: following.clone(),
        };
        hall.seats.insert(socket.id().clone(), taken);
        hall.tell_online();
        Ok(Seat {
            hall: self.clone(),
            id: socket.id().clone(),
            conference,
            following,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells somebody what a moderator has done: `muted`, `kicked` or `null`, and a sentence.
const NOTICE: &str = "notice";

/// A socket's seat in a conference. It is free again when this is dropped.
pub(crate) struct Seat {
    hall: Hall,
    id: Sid,
    pub(crate) conference: &'static Conference,
    pub(crate) following: Arc<Following>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut hall = self.hall.lock();
        let left = hall.seats.remove(&self.id);
        if let Some(place) = left.and_then(|taken| taken.place) {
            hall.tell_crowd(place);
        }
        hall.tell_online();
    }
}

impl Seat {
    /// Goes into a room of the conference, out of the one before: the last page of what was said there.
    pub(crate) fn enter(&self, room: &str) -> Result<Page, EventError> {
        let place = self.conference.places().find(|place| place.room == room);
        let place = place.ok_or(EventError::new("there is no such room"))?;
        let mut hall = self.hall.lock();
        let taken = hall.taken(&self.id)?;
        let name = taken.user.name.clone();
        // This call may have been let through just before the sanction.
        if hall.sanction(self.conference, &name) == Some(Sanction::Kicked) {
            return Err(EventError::new("you were removed from this conference"));
        }
        let taken = hall.taken(&self.id)?;
        let before = taken.leave();
        taken.socket.join(place.to_string());
        taken.place = Some(place);
        for place in before.into_iter().chain([place]) {
            hall.tell_crowd(place);
        }
        Ok(hall.room(place).history.newest())
    }

    /// The people in the room that it is in.
    pub(crate) fn crowd(&self) -> Option<watch::Receiver<People>> {
        let mut hall = self.hall.lock();
        let place = hall.seats.get(&self.id)?.place?;
        Some(hall.room(place).crowd.subscribe())
    }

    /// Says something to the room that it is in.
    pub(crate) fn say(&self, key: String, text: String) -> Result<(), EventError> {
        let mut hall = self.hall.lock();
        let taken = hall.taken(&self.id)?;
        let (place, name) = (taken.here()?, taken.user.name.clone());
        let everybody = taken.socket.namespace().to(place.to_string());
        if let Some(message) = hall.room(place).history.say(&name, key, text) {
            everybody.emit("message", message)?;
        }
        Ok(())
    }

    /// The page before that message.
    pub(crate) fn before(&self, id: u64) -> Result<Page, EventError> {
        let mut hall = self.hall.lock();
        let place = hall.taken(&self.id)?.here()?;
        Ok(hall.room(place).history.before(id))
    }

    /// Who may not do what in this conference.
    pub(crate) fn sanctions(&self) -> watch::Receiver<Sanctions> {
        let hall = self.hall.lock();
        hall.sanctions[self.conference.id].subscribe()
    }

    /// Takes something from somebody in this conference, in all of their tabs, and in those to come.
    pub(crate) fn punish(&self, name: &Name, sanction: Sanction) -> Result<(), EncodeError> {
        let mut hall = self.hall.lock();
        hall.change_sanctions(self.conference, |sanctions| {
            sanctions.0.insert(name.clone(), sanction);
        });
        for taken in hall.seats_of(self.conference, name) {
            taken.socket.acl().reset(); // Who is muted instead of removed may enter again.
            sanction.apply(&taken.socket);
            if sanction == Sanction::Kicked {
                taken.leave();
            }
            let sentence = sanction.sentence(taken.conference);
            taken.socket.emit(NOTICE, Args((sanction, sentence)))?;
        }
        hall.tell_crowds(self.conference);
        Ok(())
    }

    /// Gives it back.
    pub(crate) fn pardon(&self, name: &Name) -> Result<(), EncodeError> {
        let mut hall = self.hall.lock();
        if hall.sanction(self.conference, name).is_none() {
            return Ok(());
        }
        hall.change_sanctions(self.conference, |sanctions| {
            sanctions.0.remove(name);
        });
        for taken in hall.seats_of(self.conference, name) {
            taken.socket.acl().reset();
            let sentence = format!(
                "A moderator has pardoned you: welcome back to {}.",
                taken.conference.title
            );
            taken.socket.emit(NOTICE, Args((None::<Sanction>, sentence)))?;
        }
        hall.tell_crowds(self.conference);
        Ok(())
    }
}

impl Taken {
    fn here(&self) -> Result<Place, EventError> {
        self.place.ok_or(EventError::new("enter a room first"))
    }

    /// Leaves the room it is in, which is returned.
    fn leave(&mut self) -> Option<Place> {
        let left = self.place.take()?;
        self.following.stop();
        self.socket.leave(left.to_string());
        Some(left)
    }
}

impl Inner {
    fn taken(&mut self, id: &Sid) -> Result<&mut Taken, EventError> {
        self.seats.get_mut(id).ok_or(EventError::new("you have left"))
    }

    fn room(&mut self, place: Place) -> &mut Room {
        self.rooms.entry(place).or_default()
    }

    fn seats_of(&mut self, conference: &Conference, name: &Name) -> impl Iterator<Item = &mut Taken> {
        let is_theirs = |taken: &&mut Taken| taken.conference.id == conference.id && taken.user.name == *name;
        self.seats.values_mut().filter(is_theirs)
    }

    fn sanction(&self, conference: &Conference, name: &Name) -> Option<Sanction> {
        self.sanctions.get(conference.id)?.borrow().0.get(name).copied()
    }

    fn change_sanctions(&mut self, conference: &Conference, change: impl FnOnce(&mut Sanctions)) {
        if let Some(sanctions) = self.sanctions.get(conference.id) {
            sanctions.send_modify(change);
        }
    }

    fn tell_crowds(&mut self, conference: &'static Conference) {
        for place in conference.places() {
            self.tell_crowd(place);
        }
    }

    fn tell_crowd(&mut self, place: Place) {
        let muted = |user: &User| match self.sanctions.get(place.conference) {
            Some(sanctions) => sanctions.borrow().0.contains_key(&user.name),
            None => false,
        };
        let here = self.seats.values().filter(|taken| taken.place == Some(place));
        let people = people(here.map(|taken| (&taken.user, muted(&taken.user))));
        tell(&self.room(place).crowd, people);
    }

    fn tell_online(&self) {
        let people = people(self.seats.values().map(|taken| (&taken.user, false)));
        tell(&self.online, people);
    }
}

/// Everybody once, by name.
fn people<'a>(users: impl Iterator<Item = (&'a User, bool)>) -> People {
    let person = |(user, muted): (&User, bool)| Person {
        name: user.name.clone(),
        moderator: user.is_moderator,
        muted,
    };
    let by_name: BTreeMap<_, _> = users.map(|user| (&user.0.name, user)).collect();
    by_name.into_values().map(person).collect()
}

/// Who follows is told if it is another crowd than before.
fn tell(crowd: &watch::Sender<People>, people: People) {
    crowd.send_if_modified(|known| {
        let is_new = *known != people;
        *known = people;
        is_new
    });
}
