//! The namespace `/board`, for who has logged in: one conference, its rooms, and what a moderator does there.
//!
//! `public/board.js` begins with a list of all events.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use warp_socketio::{
    Ack, Acl, Auth, Data, EventError, Extension, Failure, FailureKind, Handshake, Refusal, Socket, State, namespace,
};

use crate::{
    accounts::{Accounts, LOGGED_OUT, Session, User},
    follow::Following,
    hall::{CONFERENCES, Conference, Hall, Sanction, Sanctions, Seat},
    names::Name,
    presence::{People, Presence},
    reports::{Report, Reports},
    room::Page,
};

const LONGEST_MESSAGE: usize = 1000;
const LONGEST_KEY: usize = 40;

/// What only a moderator may call.
const MODERATION: [BoardEvent; 5] = [
    BoardEvent::Mute,
    BoardEvent::Kick,
    BoardEvent::Pardon,
    BoardEvent::Sanctions,
    BoardEvent::Reports,
];

/// A tab of somebody, in one conference.
pub(crate) struct Board {
    user: User,
    session: Session,
    seat: Seat,
    reports: Reports,
    sanctioned: Following,
    reported: Following,
}

/// What a page connects with.
#[derive(Deserialize)]
struct Visit {
    conference: String,
}

#[derive(Serialize)]
struct Welcome<'a> {
    name: &'a Name,
    moderator: bool,
    conference: &'static str,
    conferences: &'static [Conference],
}

#[derive(Deserialize)]
struct Said {
    /// The page's own word for the message, by which it may say it again unheard.
    key: String,
    text: String,
}

#[namespace(Presence)]
impl Board {
    /// The session says who moderates: nobody else's calls of these reach a method.
    #[acl]
    fn acl(handshake: &Handshake) -> Acl {
        let user = handshake.extensions().get().and_then(Session::user);
        if user.is_some_and(|user| user.is_moderator) {
            Acl::all()
        } else {
            MODERATION.into_iter().fold(Acl::all(), Acl::deny)
        }
    }

    /// Whoever has logged in takes a seat. Sanctions are in force from here on.
    #[connect]
    async fn sit_down(
        socket: Socket,
        Extension(session): Extension<Session>,
        Auth(visit): Auth<Visit>,
        State(hall): State<Hall>,
        State(reports): State<Reports>,
    ) -> Result<Self, Refusal> {
        let user = session.user().ok_or(Refusal::new(LOGGED_OUT))?;
        let conference = Conference::find(&visit.conference).ok_or(Refusal::new("there is no such conference"))?;
        // By this room, a log-out finds all sockets of its user.
        socket.join(user.name.room());
        let seat = hall.sit(&socket, &user, conference)?;
        let welcome = Welcome {
            name: &user.name,
            moderator: user.is_moderator,
            conference: conference.id,
            conferences: &CONFERENCES,
        };
        socket.emit("welcome", welcome)?;
        Ok(Self {
            user,
            session,
            seat,
            reports,
            sanctioned: Following::default(),
            reported: Following::default(),
        })
    }

    #[event]
    async fn enter(&self, socket: Socket, Data(room): Data<String>) -> Result<Ack<Page>, EventError> {
        // A log-out finds no socket that is about to be let in.
        if self.session.user().is_none() {
            socket.disconnect();
            return Err(EventError::new(LOGGED_OUT));
        }
        Ok(Ack(self.seat.enter(&room)?))
    }

    #[event]
    async fn say(&self, Data(Said { key, text }): Data<Said>) -> Result<Ack<()>, EventError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(EventError::new("a message says something"));
        }
        if text.chars().count() > LONGEST_MESSAGE || key.len() > LONGEST_KEY {
            return Err(EventError::new("a message has at most 1000 characters"));
        }
        self.seat.say(key, text.to_owned())?;
        Ok(Ack(()))
    }

    /// What was said before that message.
    #[event]
    async fn earlier(&self, Data(id): Data<u64>) -> Result<Ack<Page>, EventError> {
        Ok(Ack(self.seat.before(id)?))
    }

    #[event]
    async fn mute(&self, State(accounts): State<Accounts>, Data(name): Data<String>) -> Result<Ack<()>, EventError> {
        self.seat.punish(&punishable(&accounts, &name)?, Sanction::Muted)?;
        Ok(Ack(()))
    }

    #[event]
    async fn kick(&self, State(accounts): State<Accounts>, Data(name): Data<String>) -> Result<Ack<()>, EventError> {
        self.seat.punish(&punishable(&accounts, &name)?, Sanction::Kicked)?;
        Ok(Ack(()))
    }

    #[event]
    async fn pardon(&self, State(accounts): State<Accounts>, Data(name): Data<String>) -> Result<Ack<()>, EventError> {
        self.seat.pardon(&punishable(&accounts, &name)?)?;
        Ok(Ack(()))
    }

    /// Who is muted or removed, now and whenever that changes.
    #[event]
    async fn sanctions(&self, socket: Socket) -> Ack<Sanctions> {
        Ack(self.sanctioned.follow(&socket, "sanctions", self.seat.sanctions()))
    }

    /// What went wrong lately, and from now on.
    #[event]
    async fn reports(&self, socket: Socket) -> Ack<VecDeque<Report>> {
        Ack(self.reported.follow(&socket, "reports", self.reports.subscribe()))
    }

    /// Calls that were not made: nothing is wrapped around those.
    #[error]
    fn failed(failure: &Failure<'_>) {
        let board = failure.socket.and_then(Socket::object::<Self>);
        if let (Some(board), Some(occasion)) = (board, failure.occasion)
            && let FailureKind::AccessDenied | FailureKind::NoHandler | FailureKind::Rejected(_) = failure.kind
        {
            board.reports.add(Some(board.name()), occasion, failure.kind, None);
        }
    }

    pub(crate) fn name(&self) -> Name {
        self.user.name.clone()
    }
}

impl Presence for Board {
    fn crowd(&self) -> Option<watch::Receiver<People>> {
        self.seat.crowd()
    }

    fn following(&self) -> &Following {
        &self.seat.following
    }
}

fn punishable(accounts: &Accounts, name: &str) -> Result<Name, EventError> {
    match accounts.find(name) {
        Some(user) if user.is_moderator => Err(EventError::new("nobody moderates a moderator")),
        Some(user) => Ok(user.name),
        None => Err(EventError::new("there is nobody of that name")),
    }
}
