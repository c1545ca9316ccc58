//! The tables: who sits where, who watches, and who is away. They know of no network; `game.rs` asks
//! them and tells the clients.

use std::{collections::BTreeMap, time::Duration};

use actix_socketio::Sid;
use serde::Serialize;
use tokio::time::Instant;

use crate::rules::{Board, End, Illegal, Line, Mark};

const MAX_TABLES: usize = 100;
const MAX_WATCHERS: usize = 100;
const MAX_NAME: usize = 20;

/// The tables.
#[derive(Debug)]
pub(crate) struct Tables {
    by_number: BTreeMap<u32, Table>,
    last: u32,
    /// How long the seat of a player is kept who is away.
    patience: Duration,
}

#[derive(Debug)]
struct Table {
    board: Board,
    /// Of X and of O.
    seats: [Option<Seat>; 2],
    /// Who won because the other did not come back.
    walkover: Option<Mark>,
    watchers: Vec<Sid>,
}

#[derive(Debug)]
struct Seat {
    name: String,
    /// Who knows it may sit down here again.
    token: String,
    player: Player,
    wants_rematch: bool,
}

#[derive(Debug)]
enum Player {
    Here(Sid),
    /// Until then the seat is kept.
    Away(Instant),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Stage {
    /// It waits for a second player.
    Open,
    Playing,
    Over,
}

/// Where somebody is who is not in the lobby.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Place {
    pub(crate) table: u32,
    /// `None` for who watches.
    pub(crate) mark: Option<Mark>,
}

/// How somebody went.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Gone {
    /// To the lobby, by their own will.
    Left,
    /// The connection ended.
    Lost,
}

/// What a player is told who sits down.
#[derive(Debug, Serialize)]
pub(crate) struct Seated {
    pub(crate) table: u32,
    pub(crate) mark: Mark,
    pub(crate) token: String,
}

/// A seat, and who sat there until now.
pub(crate) type Restored = (Seated, Option<Sid>);

/// Why not: a sentence for people.
#[derive(Debug, PartialEq)]
pub(crate) struct Refused(pub(crate) String);

/// A table, as everybody at it sees it.
#[derive(Debug, Serialize)]
pub(crate) struct View<'a> {
    id: u32,
    stage: Stage,
    cells: &'a [Option<Mark>; 9],
    turn: Option<Mark>,
    end: Option<EndView>,
    /// X and O.
    players: [Option<PlayerView<'a>>; 2],
    watchers: usize,
}

#[derive(Debug, Serialize)]
struct EndView {
    winner: Option<Mark>,
    lines: Vec<Line>,
    walkover: bool,
}

#[derive(Debug, Serialize)]
struct PlayerView<'a> {
    name: &'a str,
    /// For who is away: how many milliseconds are left.
    away: Option<u64>,
    rematch: bool,
}

/// A line of the lobby.
#[derive(Debug, Serialize)]
pub(crate) struct Item<'a> {
    id: u32,
    stage: Stage,
    /// Of X and of O.
    names: [Option<&'a str>; 2],
    watchers: usize,
}

impl Tables {
    pub(crate) fn new(patience: Duration) -> Self {
        Self {
            by_number: BTreeMap::new(),
            last: 0,
            patience,
        }
    }

    pub(crate) fn place(&self, id: &Sid) -> Option<Place> {
        self.by_number.iter().find_map(|(&number, table)| {
            let mark = Mark::BOTH.into_iter().find(|&mark| table.sits(mark, id));
            let is_there = mark.is_some() || table.watchers.contains(id);
            is_there.then_some(Place { table: number, mark })
        })
    }

    /// Opens a table, with the player who opens it as X.
    pub(crate) fn create(&mut self, id: &Sid, name: &str) -> Result<Seated, Refused> {
        let name = check_name(name)?;
        self.check_in_lobby(id)?;
        if self.by_number.len() == MAX_TABLES {
            return refuse("All tables are taken. Watch a game until one is free.");
        }
        self.last += 1;
        let mut table = Table {
            board: Board::new(Mark::X),
            seats: [None, None],
            walkover: None,
            watchers: Vec::new(),
        };
        let seated = table.sit(self.last, Mark::X, id, name);
        self.by_number.insert(self.last, table);
        Ok(seated)
    }

    /// Takes the free seat of an open table.
    pub(crate) fn join(&mut self, id: &Sid, number: u32, name: &str) -> Result<Seated, Refused> {
        let name = check_name(name)?;
        self.check_in_lobby(id)?;
        let table = self.find(number)?;
        if table.stage() != Stage::Open {
            return refuse("Somebody was faster: this table has two players.");
        }
        Ok(table.sit(number, Mark::O, id, name))
    }

    pub(crate) fn watch(&mut self, id: &Sid, number: u32) -> Result<(), Refused> {
        self.check_in_lobby(id)?;
        let table = self.find(number)?;
        if table.watchers.len() == MAX_WATCHERS {
            return refuse("This table has too many spectators.");
        }
        table.watchers.push(id.clone());
        Ok(())
    }

    /// Gives a kept seat back to who knows its token. Who still sits there is replaced, if `replace` says so, and
    /// returned; else nothing happens.
    pub(crate) fn back(&mut self, id: &Sid, token: &str, replace: bool) -> Result<Option<Restored>, Refused> {
        self.check_in_lobby(id)?;
        for (&number, table) in &mut self.by_number {
            for mark in Mark::BOTH {
                let Some(seat) = table.seat_mut(mark).filter(|seat| seat.token == token) else {
                    continue;
                };
                let before = match &seat.player {
                    Player::Here(_) if !replace => return Ok(None),
                    Player::Here(before) => Some(before.clone()),
                    Player::Away(_) => None,
                };
                seat.player = Player::Here(id.clone());
                let token = token.to_owned();
                let table = number;
                return Ok(Some((Seated { table, mark, token }, before)));
            }
        }
        refuse("You were away for too long, and your seat is gone.")
    }

    pub(crate) fn play(&mut self, id: &Sid, number: u32, cell: usize) -> Result<(), Refused> {
        let (table, mark) = self.find_mine(id, number)?;
        if table.stage() == Stage::Open {
            return refuse("Nobody plays against you yet.");
        }
        if table.walkover.is_some() {
            return refuse("The game is over.");
        }
        table.board.play(mark, cell).or_else(|illegal| {
            refuse(match illegal {
                Illegal::Over => "The game is over.",
                Illegal::NotYourTurn => "It is not your turn.",
                Illegal::NoSuchCell => "The board has nine cells, 0 to 8.",
                Illegal::Taken => "This cell is taken.",
            })
        })
    }

    /// Asks for another game; it begins when both have asked. Who was second begins.
    pub(crate) fn rematch(&mut self, id: &Sid, number: u32) -> Result<(), Refused> {
        let (table, mark) = self.find_mine(id, number)?;
        if !table.has_rematch() {
            return refuse("There is no rematch now.");
        }
        if let Some(seat) = table.seat_mut(mark) {
            seat.wants_rematch = true;
        }
        if table.seats.iter().flatten().all(|seat| seat.wants_rematch) {
            table.board = Board::new(table.board.first().other());
            for seat in table.seats.iter_mut().flatten() {
                seat.wants_rematch = false;
            }
        }
        Ok(())
    }

    /// Somebody goes: the number of the table they were at, and for how long their seat is kept. It is where the
    /// game goes on, or a connection was lost.
    pub(crate) fn leave(&mut self, id: &Sid, how: Gone, now: Instant) -> Option<(u32, Option<Duration>)> {
        let place = self.place(id)?;
        let patience = self.patience;
        let table = self.by_number.get_mut(&place.table)?;
        let stage = table.stage();
        match place.mark {
            None => table.watchers.retain(|watcher| watcher != id),
            Some(mark) if how == Gone::Lost || stage == Stage::Playing => {
                if let Some(seat) = table.seat_mut(mark) {
                    seat.player = Player::Away(now + patience);
                }
                return Some((place.table, Some(patience)));
            }
            Some(mark) => table.seats[mark as usize] = None,
        }
        Some((place.table, None))
    }

    /// When the next seat is no longer kept.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let seats = self.by_number.values().flat_map(|table| table.seats.iter().flatten());
        seats.filter_map(Seat::kept_until).min()
    }

    /// Takes away the seats that are no longer kept, and with them the games: the numbers of their tables.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<u32> {
        let late = |seat: &Seat| seat.kept_until().is_some_and(|until| until <= now);
        let mut changed = Vec::new();
        for (&number, table) in &mut self.by_number {
            for mark in Mark::BOTH {
                if !table.seat(mark).is_some_and(late) {
                    continue;
                }
                if table.stage() == Stage::Playing {
                    table.walkover = Some(mark.other());
                }
                table.seats[mark as usize] = None;
                changed.push(number);
            }
        }
        changed.dedup();
        changed
    }

    /// Takes a table away that nobody sits at: those who watched it.
    pub(crate) fn clear(&mut self, number: u32) -> Vec<Sid> {
        let is_empty = |table: &Table| table.seats.iter().all(Option::is_none);
        if !self.by_number.get(&number).is_some_and(is_empty) {
            return Vec::new();
        }
        let table = self.by_number.remove(&number);
        table.map(|table| table.watchers).unwrap_or_default()
    }

    pub(crate) fn view(&self, number: u32, now: Instant) -> Option<View<'_>> {
        let table = self.by_number.get(&number)?;
        let player = |mark| {
            table.seat(mark).map(|seat| PlayerView {
                name: &seat.name,
                away: seat
                    .kept_until()
                    .map(|until| milliseconds(until.saturating_duration_since(now))),
                rematch: seat.wants_rematch,
            })
        };
        Some(View {
            id: number,
            stage: table.stage(),
            cells: table.board.cells(),
            turn: table.turn(),
            end: table.end(),
            players: Mark::BOTH.map(player),
            watchers: table.watchers.len(),
        })
    }

    pub(crate) fn list(&self) -> Vec<Item<'_>> {
        let item = |(&id, table)| Item::new(id, table);
        self.by_number.iter().map(item).collect()
    }

    /// The sockets of the players who are here.
    pub(crate) fn players(&self, number: u32) -> impl Iterator<Item = (Mark, &Sid)> {
        let table = self.by_number.get(&number);
        let sitting = move |mark| match &table?.seat(mark)?.player {
            Player::Here(id) => Some((mark, id)),
            Player::Away(_) => None,
        };
        Mark::BOTH.into_iter().filter_map(sitting)
    }

    /// Whether that player may move.
    pub(crate) fn has_turn(&self, number: u32, mark: Mark) -> bool {
        self.by_number
            .get(&number)
            .is_some_and(|table| table.turn() == Some(mark))
    }

    pub(crate) fn has_rematch(&self, number: u32) -> bool {
        self.by_number.get(&number).is_some_and(Table::has_rematch)
    }

    fn check_in_lobby(&self, id: &Sid) -> Result<(), Refused> {
        match self.place(id) {
            None => Ok(()),
            Some(_) => refuse("Leave your table first."),
        }
    }

    fn find(&mut self, number: u32) -> Result<&mut Table, Refused> {
        let gone = || Refused("This table is gone.".to_owned());
        self.by_number.get_mut(&number).ok_or_else(gone)
    }

    /// The table with that number, if it is the one at which `id` plays.
    fn find_mine(&mut self, id: &Sid, number: u32) -> Result<(&mut Table, Mark), Refused> {
        match self.place(id) {
            Some(Place {
                table,
                mark: Some(mark),
            }) if table == number => Ok((self.find(number)?, mark)),
            _ => refuse("You do not play at this table."),
        }
    }
}

impl Table {
    fn stage(&self) -> Stage {
        if self.walkover.is_some() || self.board.end().is_some() {
            Stage::Over
        } else if self.seats.iter().all(Option::is_some) {
            Stage::Playing
        } else {
            Stage::Open
        }
    }

    fn turn(&self) -> Option<Mark> {
        self.board.turn().filter(|_| self.stage() == Stage::Playing)
    }

    fn end(&self) -> Option<EndView> {
        let (winner, lines) = match (self.walkover, self.board.end()) {
            (Some(winner), _) => (Some(winner), Vec::new()),
            (None, Some(End::Won { by, lines })) => (Some(by), lines),
            (None, Some(End::Draw)) => (None, Vec::new()),
            (None, None) => return None,
        };
        let walkover = self.walkover.is_some();
        Some(EndView {
            winner,
            lines,
            walkover,
        })
    }

    fn has_rematch(&self) -> bool {
        self.stage() == Stage::Over && self.seats.iter().all(Option::is_some)
    }

    fn sit(&mut self, number: u32, mark: Mark, id: &Sid, name: String) -> Seated {
        let token = format!("{:032x}", rand::random::<u128>());
        self.seats[mark as usize] = Some(Seat {
            name,
            token: token.clone(),
            player: Player::Here(id.clone()),
            wants_rematch: false,
        });
        let table = number;
        Seated { table, mark, token }
    }

    fn seat(&self, mark: Mark) -> Option<&Seat> {
        self.seats[mark as usize].as_ref()
    }

    fn seat_mut(&mut self, mark: Mark) -> Option<&mut Seat> {
        self.seats[mark as usize].as_mut()
    }

    fn sits(&self, mark: Mark, id: &Sid) -> bool {
        self.seat(mark)
            .is_some_and(|seat| matches!(&seat.player, Player::Here(there) if there == id))
    }
}

impl<'a> Item<'a> {
    fn new(id: u32, table: &'a Table) -> Self {
        Self {
            id,
            stage: table.stage(),
            names: Mark::BOTH.map(|mark| table.seat(mark).map(|seat| &*seat.name)),
            watchers: table.watchers.len(),
        }
    }
}

impl Seat {
    fn kept_until(&self) -> Option<Instant> {
        match self.player {
            Player::Here(_) => None,
            Player::Away(until) => Some(until),
        }
    }
}

fn check_name(name: &str) -> Result<String, Refused> {
    let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
    if !(1..=MAX_NAME).contains(&name.chars().count()) {
        return refuse(format!("A name has 1 to {MAX_NAME} characters."));
    }
    if !name.chars().all(|c| c.is_alphanumeric() || " ._-'".contains(c)) {
        return refuse("A name has letters, digits, spaces and . _ - ' only.");
    }
    Ok(name)
}

fn refuse<T>(why: impl Into<String>) -> Result<T, Refused> {
    Err(Refused(why.into()))
}

pub(crate) fn milliseconds(time: Duration) -> u64 {
    time.as_millis().try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
