//! Emitting to many sockets: whom, and how.

use std::{fmt, sync::Arc, time::Duration};

use futures_util::{FutureExt as _, future::join_all};

use super::{
    acks::{AckStream, Question},
    args::{EmitArgs, EncodeError, FromArgs, RawArgs},
    frames::Frames,
    namespace::Shared as Namespace,
    packet::is_reserved,
    recovery::history::To,
    remote_socket::RemoteSocket,
    rooms::IntoRooms,
    socket::Socket,
};
use crate::{
    adapter::{Adapter, Selection},
    engine::Flags,
};

/// The sockets of a namespace, chosen by rooms: to emit to, to ask, to find, to move, to disconnect. Each operator
/// returns a narrower choice, save [`to`](Self::to), which adds rooms; a socket that is in several of the rooms is
/// reached once.
///
/// It can be kept, and used again. Of a socket that is not let in yet, what it emits and asks is held back until it is;
/// the rest is done at once.
///
/// ```
/// use tower_socketio::SocketIo;
///
/// let io = SocketIo::builder().build();
/// io.to("a").to("b").except("muted").emit("news", "hello")?;
/// let lobby = io.within("lobby");
/// lobby.emit("said", "hello")?;
/// lobby.sockets_join("greeted");
/// # Ok::<(), tower_socketio::EncodeError>(())
/// ```
#[derive(Clone)]
#[must_use = "it does nothing until it emits"]
pub struct Broadcast {
    namespace: Arc<Namespace>,
    selection: Selection,
    from: Option<Socket>,
    flags: Flags,
    is_local: bool,
    timeout: Option<Duration>,
}

impl Broadcast {
    pub(crate) fn new(namespace: Arc<Namespace>) -> Self {
        Self {
            namespace,
            selection: Selection::default(),
            from: None,
            flags: Flags::default(),
            is_local: false,
            timeout: None,
        }
    }

    pub(crate) fn from(mut self, socket: &Socket) -> Self {
        self.selection.except_socket = Some(socket.id().clone());
        self.from = Some(socket.clone());
        self
    }

    /// Those in that room, or in any of several, besides those in the rooms named before. Without any,
    /// everybody; an empty list names nobody.
    ///
    /// ```
    /// let io = tower_socketio::SocketIo::builder().build();
    /// io.to("a").to(["b", "c"]).emit("news", "hello")?;
    /// # Ok::<(), tower_socketio::EncodeError>(())
    /// ```
    pub fn to<M>(mut self, rooms: impl IntoRooms<M>) -> Self {
        let named = self.selection.rooms.get_or_insert_default();
        rooms.for_each(|room| named.push(room.into()));
        self
    }

    /// As [`to`](Self::to), under the name that reads better before what is no message. Socket.IO calls it `in`, which
    /// is a keyword of Rust.
    ///
    /// ```
    /// let io = tower_socketio::SocketIo::builder().build();
    /// io.within("a").within("b").disconnect_sockets(false);
    /// ```
    pub fn within<M>(self, rooms: impl IntoRooms<M>) -> Self {
        self.to(rooms)
    }

    /// None of those in that room, or in any of several, whatever else they are in.
    ///
    /// ```
    /// let io = tower_socketio::SocketIo::builder().build();
    /// io.to("a").except(["muted", "away"]).emit("news", "hello")?;
    /// # Ok::<(), tower_socketio::EncodeError>(())
    /// ```
    pub fn except<M>(mut self, rooms: impl IntoRooms<M>) -> Self {
        let except = &mut self.selection.except;
        rooms.for_each(|room| except.push(room.into()));
        self
    }

    /// Only those on this server. The same as without, as long as there is one server.
    ///
    /// ```
    /// let io = tower_socketio::SocketIo::builder().build();
    /// io.to("a").local().emit("news", "hello")?;
    /// # Ok::<(), tower_socketio::EncodeError>(())
    /// ```
    pub fn local(mut self) -> Self {
        self.is_local = true;
        self
    }

    /// Lost to those who cannot take it at once: whose network is busy, or, on polling, who have no
    /// poll open. Not for [questions](Self::emit_with_ack), since their answers are waited for.
    ///
    /// ```
    /// let io = tower_socketio::SocketIo::builder().build();
    /// io.to("map").volatile().emit("cursor", [10, 20])?;
    /// # Ok::<(), tower_socketio::EncodeError>(())
    /// ```
    pub fn volatile(mut self) -> Self {
        self.flags.volatile = true;
        self
    }

    /// Whether the transport may compress it, where it does that at all. Default: it may. To be turned off for what
    /// is compressed already.
    ///
    /// ```
    /// let io = tower_socketio::SocketIo::builder().build();
    /// io.to("viewers").compress(false).emit("image", bytes::Bytes::from_static(b"\x89PNG"))?;
    /// # Ok::<(), tower_socketio::EncodeError>(())
    /// ```
    pub fn compress(mut self, compress: bool) -> Self {
        self.flags.compress = compress;
        self
    }

    /// How long answers to a [question](Self::emit_with_ack) are waited for. Default: until everybody has answered
    /// or left.
    ///
    /// ```
    /// # use tower_socketio::{EncodeError, SocketIo};
    /// use std::time::Duration;
    ///
    /// # fn ask(io: &SocketIo) -> Result<(), EncodeError> {
    /// let answers = io.to("a").timeout(Duration::from_secs(5)).emit_with_ack::<String>("name?", "")?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sends the event. It is encoded once, whatever the number of recipients, and waits for none
    /// of them. It goes to those who are connected now.
    ///
    /// # Errors
    /// When the arguments cannot be written as JSON or the event's name is reserved. Then nobody
    /// gets anything.
    ///
    /// ```
    /// use tower_socketio::{Args, SocketIo};
    ///
    /// let io = SocketIo::builder().build();
    /// let lobby = io.to("lobby");
    /// lobby.emit("said", Args(("ada", "hello")))?;
    /// assert!(lobby.emit("connect", "hello").is_err());
    /// # Ok::<(), tower_socketio::EncodeError>(())
    /// ```
    pub fn emit(&self, event: &str, args: impl EmitArgs) -> Result<(), EncodeError> {
        self.send_event(event, &args, None)
    }

    /// Sends a `message`, as [`Socket::send`].
    ///
    /// # Errors
    /// As [`emit`](Self::emit).
    ///
    /// ```
    /// let io = tower_socketio::SocketIo::builder().build();
    /// io.to("lobby").send("hello")?;
    /// # Ok::<(), tower_socketio::EncodeError>(())
    /// ```
    pub fn send(&self, args: impl EmitArgs) -> Result<(), EncodeError> {
        self.emit("message", args)
    }

    /// Sends the event and asks everybody for an ack. It is encoded once and sent at once; the answers come as an
    /// [`AckStream`], or [all together](AckStream::collect_all).
    ///
    /// Without a [`timeout`](Self::timeout) they are waited for until everybody has answered or left (where the
    /// reference then gives up after a millisecond). Clients that cannot be sent it, those before 1.0 if it holds
    /// bytes, are not asked.
    ///
    /// # Errors
    /// As [`emit`](Self::emit).
    ///
    /// # Panics
    /// With a timeout, outside of a tokio runtime with timers.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_socketio::{EncodeError, SocketIo};
    ///
    /// # async fn ask(io: &SocketIo) -> Result<(), EncodeError> {
    /// let votes = io.to("voters").timeout(Duration::from_secs(10)).emit_with_ack::<bool>("poll", "tea?")?;
    /// let votes = votes.collect_all().await;
    /// println!("{} answers", votes.answers.len());
    /// # Ok(())
    /// # }
    /// ```
    pub fn emit_with_ack<T: FromArgs>(&self, event: &str, args: impl EmitArgs) -> Result<AckStream<T>, EncodeError> {
        let id = self.namespace.next_ack_id();
        let (question, answers) = Question::new(id, self.timeout);
        self.send_event(event, &args, Some(&question))?;
        Ok(answers)
    }

    /// How many they are on this server, now.
    ///
    /// ```
    /// let io = tower_socketio::SocketIo::builder().build();
    /// assert_eq!(io.within("lobby").sockets_count(), 0);
    /// ```
    pub fn sockets_count(&self) -> usize {
        let mut count = 0;
        self.each(|one| one.namespace.rooms.select(&one.selection, |_| count += 1));
        count
    }

    /// Finds them, on all servers.
    ///
    /// ```
    /// # async fn print(io: &tower_socketio::SocketIo) {
    /// for socket in io.within("lobby").fetch_sockets().await {
    ///     println!("{} came {:?}", socket.id(), socket.handshake().issued());
    /// }
    /// # }
    /// ```
    pub async fn fetch_sockets(&self) -> Vec<RemoteSocket> {
        let mut found = Vec::new();
        self.each(|one| {
            let namespace = one.namespace.clone();
            let remote = move |details| RemoteSocket::new(namespace.clone(), details);
            found.push(
                one.adapter()
                    .fetch(&one.selection)
                    .map(|found| found.into_iter().map(remote)),
            );
        });
        join_all(found).await.into_iter().flatten().collect()
    }

    /// Makes them enter a room, or several.
    ///
    /// ```
    /// let io = tower_socketio::SocketIo::builder().build();
    /// io.within("waiting").sockets_join(["game 1", "players"]);
    /// ```
    pub fn sockets_join<M>(&self, rooms: impl IntoRooms<M>) {
        let rooms = rooms.into_names();
        self.each(|one| one.adapter().join(&one.selection, &rooms));
    }

    /// Makes them leave a room, or several.
    ///
    /// ```
    /// let io = tower_socketio::SocketIo::builder().build();
    /// io.within("game 1").sockets_leave("waiting");
    /// ```
    pub fn sockets_leave<M>(&self, rooms: impl IntoRooms<M>) {
        let rooms = rooms.into_names();
        self.each(|one| one.adapter().leave(&one.selection, &rooms));
    }

    /// Disconnects them from the namespace, with `server namespace disconnect`, so that they do not
    /// come back by themselves; with `close`, from their other namespaces too, and ends their connections: see
    /// [`Client::disconnect`](crate::Client::disconnect).
    ///
    /// ```
    /// let io = tower_socketio::SocketIo::builder().build();
    /// // She has logged out: in all of her tabs.
    /// io.within("user:ada").disconnect_sockets(true);
    /// ```
    pub fn disconnect_sockets(&self, close: bool) {
        self.each(|one| one.adapter().disconnect(&one.selection, close));
    }

    /// Of a parent: the same to each of its children. `None`: it is for one namespace.
    fn over_children(&self) -> Option<Vec<Self>> {
        let children = self.namespace.children()?;
        let to = |namespace| Self {
            namespace,
            ..self.clone()
        };
        Some(children.into_iter().map(to).collect())
    }

    fn each(&self, tell: impl FnMut(&Self)) {
        match self.over_children() {
            Some(children) => children.iter().for_each(tell),
            None => std::iter::once(self).for_each(tell),
        }
    }

    fn send_event(&self, event: &str, args: &impl EmitArgs, question: Option<&Question>) -> Result<(), EncodeError> {
        if let Some(children) = self.over_children() {
            // Each child has its own path and, where clients may come back, its own offsets.
            let args = encode(event, args)?;
            return children
                .iter()
                .try_for_each(|child| child.send_event(event, &args, question));
        }
        let mut frames = match question {
            Some(question) => Frames::event(&self.namespace.path, Some(question.id()), event, args)?,
            None => self.namespace.event(event, args, self.flags.volatile)?,
        };
        frames.be_written_by(self.namespace.parser())?;
        let frames = match &self.from {
            Some(socket) => socket.hold(self, frames, question),
            None => Some(frames),
        };
        if let Some(frames) = frames {
            self.send_frames(&frames, question);
        }
        Ok(())
    }

    pub(crate) fn send_frames(&self, frames: &Frames, question: Option<&Question>) {
        let adapter = self.adapter();
        let lasting = Flags {
            volatile: false,
            ..self.flags
        };
        match question {
            Some(question) => adapter.ask(frames, &self.selection, lasting, question),
            None => self.broadcast(frames),
        }
    }

    fn broadcast(&self, frames: &Frames) {
        let send = |selection: &Selection| self.adapter().broadcast(frames, selection, self.flags);
        let Namespace { rooms, history, .. } = &*self.namespace;
        match history {
            Some(history) if frames.has_offset() => {
                let to = To::Selected(self.selection.clone());
                history.send(rooms, frames, self.flags, to, || send(&self.selection));
                if !frames.is_held {
                    self.show(frames);
                }
            }
            _ => send(&self.selection),
        }
    }

    /// Shows listeners what was held, and has been sent.
    pub(crate) fn show(&self, frames: &Frames) {
        if self.namespace.registry().listens_to_outgoing() {
            let show = |socket: &Socket| socket.show_outgoing(frames);
            self.namespace.rooms.select(&self.selection, show);
        }
    }

    fn adapter(&self) -> &dyn Adapter {
        if self.is_local {
            &*self.namespace.rooms
        } else {
            &*self.namespace.adapter
        }
    }
}

/// The arguments of an event, for several namespaces.
fn encode(event: &str, args: &impl EmitArgs) -> Result<RawArgs, EncodeError> {
    if is_reserved(event) {
        return Err(EncodeError::ReservedEvent(event.to_owned()));
    }
    RawArgs::encode(args)
}

impl fmt::Debug for Broadcast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broadcast")
            .field("namespace", &self.namespace.path)
            .field("selection", &self.selection)
            .field("volatile", &self.flags.volatile)
            .field("compress", &self.flags.compress)
            .field("local", &self.is_local)
            .finish_non_exhaustive()
    }
}
