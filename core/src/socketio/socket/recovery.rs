//! What passes from a socket whose connection was lost to the one that its client has when it comes
//! back: its id, rooms, rules and values.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Socket, State, Status, WeakSocket, extras::Extras, membership::Was};
use crate::{
    engine::{CloseReason, Connection, Flags, Recovery, Sid, Wake},
    socketio::{
        args::{EmitArgs, EncodeError},
        frames::Frames,
        namespace::Shared,
        reason::DisconnectReason,
        recovery::{
            Pid,
            history::{History, Log, Member, Missed, To},
            restore::{Before, Recognised},
        },
        task::contain,
    },
};

/// What a socket has that can come back.
pub(super) struct Lineage {
    pid: Pid,
    member: Member,
    /// Until it is let in: what it missed.
    missed: Option<Missed>,
    recovered: bool,
    /// Its client may come back: what the application keeps with it is not to be dropped.
    is_remembered: bool,
    /// Its last handler has run.
    has_ended: bool,
    /// Who it has become in the end, where that is not itself: one place for all of the line.
    newest: Arc<Mutex<Option<WeakSocket>>>,
}

impl Lineage {
    /// Of a client that has never been here, if clients like it can come back.
    pub(super) fn begin(namespace: &Shared, connection: &Connection, id: &Sid) -> Option<Self> {
        let new = || Self::new(Pid::random(), Member::new(id.clone()));
        namespace.can_come_back(connection).then(new)
    }

    fn new(pid: Pid, member: Member) -> Self {
        Self {
            pid,
            member,
            missed: None,
            recovered: false,
            is_remembered: false,
            has_ended: false,
            newest: Arc::default(),
        }
    }

    /// The socket is let in, and is to join those rooms.
    pub(super) fn enter(&mut self, history: &History, log: &Log, socket: &Socket, rooms: &[Arc<str>]) {
        match self.missed.take() {
            None => self.member.since = log.end(),
            Some(missed) if !history.resume(log, &self.member, &missed, socket) => {
                tracing::debug!("a client came back, and was let in too late: what it missed is forgotten");
                socket.0.connection.close(CloseReason::TransportError);
            }
            Some(_) => {}
        }
        self.member.rooms.retain(|(room, _)| rooms.contains(room));
        for room in rooms {
            if !self.member.rooms.iter().any(|(joined, _)| joined == room) {
                self.join(log, room);
            }
        }
    }

    pub(super) fn join(&mut self, log: &Log, room: &Arc<str>) {
        self.member.rooms.push((room.clone(), log.end()));
    }

    pub(super) fn leave(&mut self, room: &str) {
        self.member.rooms.retain(|(joined, _)| **joined != *room);
    }

    /// The socket leaves: what is to be remembered of it if its client may come back. Whom somebody sent away begins
    /// anew.
    pub(super) fn remember(&mut self, reason: DisconnectReason, was: Was) -> Option<(Pid, Member)> {
        let is_lost = matches!(
            reason,
            DisconnectReason::Closed(
                CloseReason::TransportError | CloseReason::TransportClose | CloseReason::PingTimeout
            )
        );
        self.is_remembered = is_lost && (was == Was::Connected || self.recovered);
        self.missed = None;
        self.is_remembered.then(|| (self.pid.clone(), self.member.clone()))
    }

    fn remembered(&self) -> Option<Member> {
        self.is_remembered.then(|| self.member.clone())
    }

    /// The socket's last handler has run; whether what the application keeps with it can be dropped.
    pub(super) fn end(&mut self) -> bool {
        self.has_ended = true;
        !self.is_remembered
    }
}

impl Socket {
    /// Whether its client had lost its connection and came back: it is the socket that it was, see
    /// [`connection_state_recovery`](crate::SocketIoBuilder::connection_state_recovery).
    ///
    /// ```
    /// use tower_socketio::{SocketIo, Socket};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on_connect(async |socket: Socket| {
    ///     if !socket.recovered() {
    ///         socket.join("lobby");
    ///     }
    /// });
    /// ```
    pub fn recovered(&self) -> bool {
        self.lock().lineage().is_some_and(|lineage| lineage.recovered)
    }

    /// For its client only.
    pub(in crate::socketio) fn pid(&self) -> Option<Pid> {
        Some(self.lock().lineage()?.pid.clone())
    }

    /// Gives it the rules that it begins with.
    pub(crate) fn begin(&self) {
        if self.recovered() {
            // It has those that it had. The closure may still let nobody in.
            let _ = self.shared().initial_acl(self.handshake());
        } else {
            self.reset_acl();
        }
    }

    /// It is the one that its client had before.
    pub(super) fn inherit(&self, recognised: Recognised) {
        let Recognised {
            pid,
            member,
            before,
            missed,
        } = recognised;
        let lineage = Lineage {
            missed: Some(missed),
            recovered: true,
            ..Lineage::new(pid, member)
        };
        match before {
            Before::Socket(before) => {
                // Both: a rule that changes now is inherited, or changes for both.
                let from = before.lock();
                let mut state = self.lock();
                let newest = from.lineage().map(|lineage| lineage.newest.clone()).unwrap_or_default();
                *newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.downgrade());
                let extras = from.extras.as_ref().map(|extras| extras.inherited());
                // As it is now: it may have left rooms since it was recognised.
                let member = from.lineage().and_then(Lineage::remembered);
                let was_sent_away = member.is_none();
                let member = member.unwrap_or(lineage.member);
                let lineage = Lineage {
                    member,
                    newest,
                    ..lineage
                };
                state.become_recovered(extras.unwrap_or_default(), lineage);
                drop(state);
                drop(from);
                before.forget();
                if was_sent_away {
                    self.disconnect();
                }
            }
            Before::Session { data, rules } => {
                let extras = Extras::of_session(data.map(Into::into), rules);
                self.lock().become_recovered(extras, lineage);
            }
        }
    }

    /// An event for its client, encoded: with an offset if the client can come back.
    pub(in crate::socketio) fn event(
        &self,
        name: &str,
        args: &(impl EmitArgs + ?Sized),
        volatile: bool,
    ) -> Result<Frames, EncodeError> {
        match self.0.connection.profile().recovery {
            Recovery::Known => self.0.namespace.event(name, args, volatile),
            Recovery::Unknown => Frames::event(self.path(), None, name, args),
        }
    }

    /// Sends it to its client, who may be another socket by now.
    pub(super) fn transmit(&self, frames: &Frames, flags: Flags) {
        let Shared { rooms, history, .. } = &*self.0.namespace;
        match history {
            Some(history) if frames.has_offset() => {
                history.send(rooms, frames, flags, To::Socket(self.id().clone()), || {
                    if let Some(socket) = rooms.get(self.id().as_str()) {
                        socket.deliver(frames, flags, Wake::Now);
                    }
                });
                if !frames.is_held
                    && let Some(socket) = rooms.get(self.id().as_str())
                {
                    socket.show_outgoing(frames);
                }
            }
            _ => {
                self.deliver(frames, flags, Wake::Now);
            }
        }
    }

    /// Its client does not come back, or has.
    pub(crate) fn forget(&self) {
        let mut state = self.lock();
        let has_ended = state.lineage_mut().is_some_and(|lineage| {
            lineage.is_remembered = false;
            lineage.has_ended
        });
        drop(state);
        if has_ended && let Err(panic) = contain(|| self.drop_values()) {
            tracing::error!("what was kept with a socket of {:?}: {panic}", self.path());
        }
    }

    /// What it is known by to its namespace's history, if its client may come back.
    pub(in crate::socketio) fn remembered(&self) -> Option<Member> {
        self.lock().lineage()?.remembered()
    }

    /// It has left, and its client is sent away that may come back, or has.
    pub(super) fn disconnect_client(&self) {
        if self.successor().is_none() {
            self.forget();
        }
        // It may have come back meanwhile.
        if let Some(successor) = self.successor() {
            successor.disconnect();
        }
    }

    /// Who its client is now, where that is somebody else.
    pub(super) fn successor(&self) -> Option<Socket> {
        let newest = self.lock().lineage()?.newest.clone();
        let newest = newest
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()?
            .upgrade()?;
        (!newest.is(self)).then_some(newest)
    }
}

impl State {
    fn become_recovered(&mut self, extras: Extras, lineage: Lineage) {
        if let Status::Connecting(held) = &mut self.status {
            held.rooms = lineage.member.rooms.iter().map(|(room, _)| room.clone()).collect();
        }
        self.extras.insert(Box::new(extras)).lineage = Some(Box::new(lineage));
    }

    pub(super) fn lineage(&self) -> Option<&Lineage> {
        self.extras.as_ref()?.lineage.as_deref()
    }

    pub(super) fn lineage_mut(&mut self) -> Option<&mut Lineage> {
        self.extras.as_mut()?.lineage.as_deref_mut()
    }
}
