//! Middleware of packets: what comes between a client's event and its handler.
//!
//! The events of a socket go through it one after the other, so that their order is kept. When, and what becomes of
//! them, is `dispatch/screening.rs`'s.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    ack::OpenAck,
    args::{EmitArgs, EncodeError, RawArgs},
    extract::{EventContext, Extract},
    handler::Erased,
    namespace::{Namespace, Registration},
    socket::Socket,
};
use crate::error::{EventError, FailureKind, Rejection};

/// An event on its way to its handler, in the hands of [middleware](Namespace::on_packet): its name and arguments.
///
/// ```
/// use tower_socketio::{EncodeError, Packet, SocketIo};
///
/// let io = SocketIo::builder().build();
/// io.of("/").on_packet(async |packet: Packet| {
///     // What older clients call it.
///     Ok::<_, EncodeError>(match packet.event() {
///         "msg" => packet.with_event("message"),
///         _ => packet,
///     })
/// });
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    event: String,
    args: RawArgs,
}

impl Packet {
    pub(crate) fn new(event: &str, args: RawArgs) -> Self {
        let event = event.to_owned();
        Self { event, args }
    }

    /// The event's name.
    ///
    /// ```
    /// fn is_private(packet: &tower_socketio::Packet) -> bool {
    ///     packet.event().starts_with('_')
    /// }
    /// ```
    pub fn event(&self) -> &str {
        &self.event
    }

    /// The event's arguments, undecoded.
    ///
    /// ```
    /// fn is_long(packet: &tower_socketio::Packet) -> bool {
    ///     packet.args().json().len() > 1_000
    /// }
    /// ```
    pub fn args(&self) -> &RawArgs {
        &self.args
    }

    /// The same with another name.
    ///
    /// ```
    /// fn lower_case(packet: tower_socketio::Packet) -> tower_socketio::Packet {
    ///     let name = packet.event().to_lowercase();
    ///     packet.with_event(name)
    /// }
    /// ```
    #[must_use]
    pub fn with_event(self, name: impl Into<String>) -> Self {
        let event = name.into();
        Self { event, ..self }
    }

    /// The same with other arguments.
    ///
    /// # Errors
    /// When they cannot be written as JSON.
    ///
    /// ```
    /// use tower_socketio::{EventError, Packet};
    ///
    /// fn trimmed(packet: Packet) -> Result<Packet, EventError> {
    ///     let text: String = packet.args().read()?;
    ///     Ok(packet.with_args(text.trim())?)
    /// }
    /// ```
    pub fn with_args(self, args: impl EmitArgs) -> Result<Self, EncodeError> {
        let args = RawArgs::encode(&args)?;
        Ok(Self { args, ..self })
    }
}

impl Extract<EventContext<'_>> for Packet {
    fn extract(context: &EventContext<'_>) -> Result<Self, Rejection> {
        Ok(Self::new(context.name, RawArgs::extract(context)?))
    }
}

/// What middleware of packets may return: a [`Packet`], for the event to go on as that; nothing, for it to go on as it
/// came; or a `Result` of one of them, whose error refuses it.
///
/// ```
/// use tower_socketio::{EventError, Packet, SocketIo};
///
/// let io = SocketIo::builder().build();
/// io.of("/")
///     .on_packet(async |packet: Packet| println!("{}", packet.event()))
///     .on_packet(async |packet: Packet| match packet.args().len() {
///         0..4 => Ok(packet),
///         _ => Err(EventError::new("too many arguments")),
///     });
/// ```
#[diagnostic::on_unimplemented(
    message = "middleware of packets cannot return `{Self}`",
    label = "neither a packet nor nothing",
    note = "return `Packet`, nothing, or a `Result` of one of them"
)]
pub trait PacketResponse: Send {
    #[doc(hidden)]
    fn into_packet(self) -> Result<Option<Packet>, EventError>;
}

impl PacketResponse for () {
    fn into_packet(self) -> Result<Option<Packet>, EventError> {
        Ok(None)
    }
}

impl PacketResponse for Packet {
    fn into_packet(self) -> Result<Option<Packet>, EventError> {
        Ok(Some(self))
    }
}

impl<T: PacketResponse, E: Into<EventError> + Send> PacketResponse for Result<T, E> {
    fn into_packet(self) -> Result<Option<Packet>, EventError> {
        self.map_err(Into::into)?.into_packet()
    }
}

type PacketFuture = Pin<Box<dyn Future<Output = Result<Option<Packet>, EventError>> + Send>>;

/// Middleware of packets: an async closure or function whose parameters can be [extracted](Extract) from an
/// [`EventContext`], [`Packet`] among them, and whose output is a [`PacketResponse`]. Up to four parameters.
///
/// ```
/// use tower_socketio::{EventError, Packet, SocketIo, Socket};
///
/// async fn only_lower_case(socket: Socket, packet: Packet) -> Result<(), EventError> {
///     match packet.event().chars().any(char::is_uppercase) {
///         true => Err(EventError::new(format!("{}: do not shout", socket.id()))),
///         false => Ok(()),
///     }
/// }
///
/// let io = SocketIo::builder().build();
/// io.of("/").on_packet(only_lower_case);
/// ```
#[diagnostic::on_unimplemented(
    message = "this is not middleware of packets",
    label = "not middleware of packets",
    note = "it is an async closure or function of up to four extractors (`Packet`, `Socket`, `State<T>`, …)",
    note = "it returns a `Packet`, nothing, or a `Result` of one of them; it may borrow nothing that it captures"
)]
pub trait PacketMiddleware<A>: Send + Sync + 'static {
    #[doc(hidden)]
    fn call(&self, context: &EventContext<'_>) -> Result<PacketFuture, Rejection>;
    #[doc(hidden)]
    fn check(registration: &Registration<'_>);
}

macro_rules! impl_middleware {
    ($($extractor:ident)*) => {
        #[allow(non_snake_case, unused_variables, clippy::allow_attributes, reason = "one macro for any number")]
        impl<F, Fut, R, $($extractor,)*> PacketMiddleware<($($extractor,)*)> for F
        where
            F: Fn($($extractor),*) -> Fut + Send + Sync + 'static,
            Fut: Future<Output = R> + Send + 'static,
            R: PacketResponse,
            $(for<'a> $extractor: Extract<EventContext<'a>>,)*
        {
            fn call(&self, context: &EventContext<'_>) -> Result<PacketFuture, Rejection> {
                $(let $extractor = $extractor::extract(context)?;)*
                let future = self($($extractor),*);
                Ok(Box::pin(async move { future.await.into_packet() }))
            }

            fn check(registration: &Registration<'_>) {
                $(<$extractor as Extract<EventContext<'_>>>::check(registration);)*
            }
        }
    };
}

impl_middleware!();
impl_middleware!(A);
impl_middleware!(A B);
impl_middleware!(A B C);
impl_middleware!(A B C D);

/// Middleware whose parameters' types are forgotten.
pub(crate) trait AnyPacketMiddleware: Send + Sync {
    fn call(&self, context: &EventContext<'_>) -> Result<PacketFuture, Rejection>;
}

impl<A, H: PacketMiddleware<A>> AnyPacketMiddleware for Erased<H, A> {
    fn call(&self, context: &EventContext<'_>) -> Result<PacketFuture, Rejection> {
        self.handler().call(context)
    }
}

impl Namespace {
    /// Adds middleware of packets: it runs for every event that a client sends, in the order of registration, before the
    /// event's handlers. It may look at the event, change its name and arguments, or refuse it. A client that waits for an
    /// ack is told of a refusal as of a handler's error, [`on_error`](Self::on_error) too, and nothing after it
    /// runs.
    ///
    /// What an [`Acl`](crate::Acl) denies does not get here; and it is asked again for what the event is called
    /// afterwards. So a client must be allowed to call both names of an event that is renamed.
    ///
    /// The events of a socket go through it one after the other: while it awaits, those that came later wait, and at most
    /// [`max_pending_bytes`](crate::SocketIoBuilder::max_pending_bytes) of them. It counts as a handler in progress.
    ///
    /// For a single socket: [`Socket::on_packet`]. What decides whether a client may connect: [`with`](Self::with). What
    /// is around handlers: [`wrap`](Self::wrap).
    ///
    /// # Panics
    /// When it asks for a [`State`](crate::State) that the server does not have.
    ///
    /// ```
    /// use tower_socketio::{EventError, Packet, SocketIo, Socket};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/chat").on_packet(async |socket: Socket, packet: Packet| {
    ///     if packet.event() == "say" && socket.rooms().len() == 1 {
    ///         return Err(EventError::new("join a room first"));
    ///     }
    ///     Ok(packet)
    /// });
    /// ```
    pub fn on_packet<A: 'static, M: PacketMiddleware<A>>(&self, middleware: M) -> &Self {
        M::check(&self.registration());
        self.change(|handlers| handlers.packets.push(Arc::new(Erased::new(middleware))));
        self.shared().registry().screen_packets();
        self
    }
}

impl Socket {
    /// Adds middleware of packets for this socket alone, after that of its
    /// [namespace](Namespace::on_packet). Events that have arrived and wait for their turn go through it, too. It goes with
    /// the socket: one whose client has [come back](crate::SocketIoBuilder::connection_state_recovery) has none.
    ///
    /// # Panics
    /// When it asks for a [`State`](crate::State) that the server does not have.
    ///
    /// ```
    /// use tower_socketio::{EventError, SocketIo, Socket};
    ///
    /// let io = SocketIo::builder().build();
    /// io.of("/").on("mute me", async |socket: Socket| {
    ///     socket.on_packet(async || Err::<(), _>(EventError::new("you are muted")));
    /// });
    /// ```
    pub fn on_packet<A: 'static, M: PacketMiddleware<A>>(&self, middleware: M) -> &Self {
        M::check(&Registration::new(self.shared()));
        self.push_packet_middleware(Arc::new(Erased::new(middleware)));
        self.shared().registry().screen_packets();
        self
    }
}

/// An event that middleware has.
pub(crate) struct Screening {
    pub(crate) event: Arc<str>,
    /// What it let through.
    passed: Mutex<Option<Packet>>,
}

impl Screening {
    pub(crate) fn new(event: &str) -> Arc<Self> {
        Arc::new(Self {
            event: event.into(),
            passed: Mutex::default(),
        })
    }

    /// `None`: it was refused, or nothing came of it.
    pub(crate) fn take(&self) -> Option<Packet> {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Sends the event through middleware.
    pub(crate) async fn run(
        self: Arc<Self>,
        middleware: Vec<Arc<dyn AnyPacketMiddleware>>,
        socket: Socket,
        mut packet: Packet,
        ack: Option<OpenAck>,
    ) -> Result<(), FailureKind> {
        for middleware in middleware {
            let screened = middleware.call(&EventContext {
                socket: &socket,
                name: &packet.event,
                args: packet.args.json(),
                attachments: packet.args.attachments(),
                ack: ack.clone(),
            });
            let screened = screened.map_err(FailureKind::Rejected)?.await;
            if let Some(changed) = screened.map_err(FailureKind::Handler)? {
                packet = changed;
            }
        }
        *self.passed.lock().unwrap_or_else(PoisonError::into_inner) = Some(packet);
        Ok(())
    }
}

impl fmt::Debug for Screening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.event.fmt(f)
    }
}
