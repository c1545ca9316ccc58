//! Listeners that see every event of a socket pass by, in or out.
//!
//! Where there is none, an event costs one relaxed load. They are called without a lock.

use std::{fmt, sync::Arc};

use bytes::Bytes;

use super::{
    args::RawArgs, call::Occasion, frames::Frames, namespace::Namespace, socket::Socket, task::contain, watch::Watcher,
};

/// An event that passes by: what the listeners of [`Socket::on_any`], [`Socket::on_any_outgoing`] and
/// [`Namespace::on_any_outgoing`] are given.
///
/// ```
/// use tower_socketio::SocketIo;
///
/// let io = SocketIo::builder().build();
/// io.of("/").on_any_outgoing(|event| {
///     println!("{} to {}: [{}]", event.name(), event.socket().id(), event.args().json());
/// });
/// ```
pub struct PassingEvent<'a> {
    socket: &'a Socket,
    name: &'a str,
    args: &'a str,
    attachments: &'a [Bytes],
}

impl PassingEvent<'_> {
    /// The socket that sent it, or that it is sent to.
    ///
    /// ```
    /// fn path(event: &tower_socketio::PassingEvent<'_>) -> String {
    ///     event.socket().namespace().path().to_owned()
    /// }
    /// ```
    pub fn socket(&self) -> &Socket {
        self.socket
    }

    /// Its name.
    ///
    /// ```
    /// fn is_news(event: &tower_socketio::PassingEvent<'_>) -> bool {
    ///     event.name() == "news"
    /// }
    /// ```
    pub fn name(&self) -> &str {
        self.name
    }

    /// Its arguments, copied.
    ///
    /// ```
    /// fn text(event: &tower_socketio::PassingEvent<'_>) -> Option<String> {
    ///     event.args().read().ok()
    /// }
    /// ```
    pub fn args(&self) -> RawArgs {
        RawArgs::from_wire(self.args, self.attachments)
    }
}

impl fmt::Debug for PassingEvent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PassingEvent")
            .field("socket", self.socket)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

pub(crate) type Listener = dyn Fn(&PassingEvent<'_>) + Send + Sync;

/// A socket's own listeners.
#[derive(Default)]
pub(crate) struct Listeners {
    pub(crate) incoming: Vec<Arc<Listener>>,
    pub(crate) outgoing: Vec<Arc<Listener>>,
}

impl Namespace {
    /// Adds a listener that sees every event that is sent to a socket of the namespace: once for each recipient, be it by
    /// the socket or by a broadcast, and right after it was queued for the client. Acks are no events. An event that a
    /// socket emits before it is let in is seen when it is. What a client
    /// [missed](crate::SocketIoBuilder::connection_state_recovery) while it was away is not seen, as in the reference.
    ///
    /// Listeners are called in the order of registration, the namespace's before those of the
    /// [socket](Socket::on_any_outgoing), in the task that emits. They must not block, and what they emit is seen
    /// in turn. A panic of theirs is told to [`on_error`](Self::on_error).
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU64, Ordering};
    /// use tower_socketio::SocketIo;
    ///
    /// static SENT: AtomicU64 = AtomicU64::new(0);
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on_any_outgoing(|_| {
    ///     SENT.fetch_add(1, Ordering::Relaxed);
    /// });
    /// ```
    pub fn on_any_outgoing(&self, listener: impl Fn(&PassingEvent<'_>) + Send + Sync + 'static) -> &Self {
        self.change(|handlers| handlers.outgoing.push(Arc::new(listener)));
        self.shared().registry().listen_outgoing();
        self
    }
}

impl Socket {
    /// Adds a listener that sees every event of this client that its [`Acl`](crate::Acl) allows, as it came: before
    /// [middleware](Namespace::on_packet) and the event's handlers, whether it has any or not. Several are
    /// called in the order of registration. They must not block. A panic of theirs is told to
    /// [`on_error`](Namespace::on_error).
    ///
    /// They go with the socket, also where its client [comes back](crate::SocketIoBuilder::connection_state_recovery) as
    /// another. A handler of any event of any client is [`Namespace::on_any`].
    ///
    /// ```
    /// use tower_socketio::{SocketIo, Socket};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on("watch me", async |socket: Socket| {
    ///     socket.on_any(|event| println!("{} called {}", event.socket().id(), event.name()));
    /// });
    /// ```
    pub fn on_any(&self, listener: impl Fn(&PassingEvent<'_>) + Send + Sync + 'static) -> &Self {
        self.with_listeners(|listeners| listeners.incoming.push(Arc::new(listener)));
        self.shared().registry().listen_incoming();
        self
    }

    /// Removes its listeners of [`on_any`](Self::on_any).
    ///
    /// ```
    /// use tower_socketio::{SocketIo, Socket};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on("leave me alone", async |socket: Socket| socket.off_any());
    /// ```
    pub fn off_any(&self) {
        let removed = self.with_listeners(|listeners| std::mem::take(&mut listeners.incoming));
        // It is the application's code that drops them: without the lock.
        drop(removed);
    }

    /// Adds a listener that sees every event that is sent to this socket, as
    /// [`Namespace::on_any_outgoing`] does for all of a namespace.
    ///
    /// ```
    /// use tower_socketio::{SocketIo, Socket};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on_connect(async |socket: Socket| {
    ///     socket.on_any_outgoing(|event| println!("{} [{}]", event.name(), event.args().json()));
    /// });
    /// ```
    pub fn on_any_outgoing(&self, listener: impl Fn(&PassingEvent<'_>) + Send + Sync + 'static) -> &Self {
        self.with_listeners(|listeners| listeners.outgoing.push(Arc::new(listener)));
        self.shared().registry().listen_outgoing();
        self
    }

    /// Removes its listeners of [`on_any_outgoing`](Self::on_any_outgoing); the namespace's stay.
    ///
    /// ```
    /// use tower_socketio::{SocketIo, Socket};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on("quiet", async |socket: Socket| socket.off_any_outgoing());
    /// ```
    pub fn off_any_outgoing(&self) {
        let removed = self.with_listeners(|listeners| std::mem::take(&mut listeners.outgoing));
        drop(removed);
    }

    /// The client sent that event.
    pub(crate) fn show_incoming(&self, name: &str, args: &str, attachments: &[Bytes]) {
        let listeners = self.listeners(|listeners| &listeners.incoming);
        self.show(
            &listeners,
            |watcher, event| watcher.received(event),
            name,
            args,
            attachments,
        );
    }

    /// It was sent these frames.
    pub(crate) fn show_outgoing(&self, frames: &Frames) {
        if !self.shared().registry().listens_to_outgoing() || !self.takes(frames) {
            return;
        }
        let mut listeners = self.shared().handlers().outgoing.clone();
        listeners.extend(self.listeners(|listeners| &listeners.outgoing));
        if listeners.is_empty() && !self.shared().core().watch.wants_events(self.shared()) {
            return;
        }
        let Some((name, args)) = frames.as_event() else {
            return;
        };
        self.show(
            &listeners,
            |watcher, event| watcher.sent(event),
            &name,
            args,
            frames.attachments(),
        );
    }

    fn show(
        &self,
        listeners: &[Arc<Listener>],
        watch: fn(&dyn Watcher, &PassingEvent<'_>),
        name: &str,
        args: &str,
        attachments: &[Bytes],
    ) {
        let event = PassingEvent {
            socket: self,
            name,
            args,
            attachments,
        };
        for listener in listeners {
            if let Err(panic) = contain(|| listener(&event)) {
                self.shared().report(self, Occasion::Event(event.name), &panic);
            }
        }
        let post = &self.shared().core().watch;
        if post.wants_events(self.shared()) {
            post.tell(|watcher| watch(watcher, &event));
        }
    }
}
