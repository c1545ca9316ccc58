//! Which events a client may call: checked before anything else of an event is looked at.

use super::socket::Socket;

/// Rules about which events of a namespace a client may call.
///
/// A namespace gives each socket its first rules, made from the handshake
/// ([`Namespace::acl`](crate::Namespace::acl)), before its first event can arrive. [`Socket::acl`]
/// changes them. An event that they do not allow reaches no handler, not even
/// [`on_any`](crate::Namespace::on_any), whether it has one or not; none of its arguments is read.
///
/// Events are named by text, or by the enum that [`#[namespace]`](crate::namespace) makes, with
/// which a typing error does not compile. A space and an underscore are the same in names here, as
/// they are in names of methods: the rule for `user_message` is also that for `user message`.
///
/// ```
/// use tower_socketio::Acl;
///
/// let acl = Acl::only(["login", "help"]).allow("user message");
/// assert!(acl.is_allowed("login") && acl.is_allowed("user_message"));
/// assert!(!acl.is_allowed("say"));
/// ```
#[derive(Debug, Clone)]
pub struct Acl {
    /// What goes for those that are not among the exceptions.
    pub(super) by_default: bool,
    pub(super) exceptions: Vec<Box<str>>,
}

impl Acl {
    /// Every event is allowed: as without an ACL.
    ///
    /// ```
    /// use tower_socketio::Acl;
    ///
    /// let acl = Acl::all().deny("delete");
    /// assert!(acl.is_allowed("say") && !acl.is_allowed("delete"));
    /// ```
    pub const fn all() -> Self {
        Self {
            by_default: true,
            exceptions: Vec::new(),
        }
    }

    /// No event is allowed.
    ///
    /// ```
    /// use tower_socketio::Acl;
    ///
    /// assert!(!Acl::none().is_allowed("say"));
    /// ```
    pub const fn none() -> Self {
        Self {
            by_default: false,
            exceptions: Vec::new(),
        }
    }

    /// Only these events are allowed.
    ///
    /// ```
    /// use tower_socketio::Acl;
    ///
    /// let acl = Acl::only(["login"]);
    /// assert!(acl.is_allowed("login") && !acl.is_allowed("say"));
    /// ```
    pub fn only<E: AsRef<str>>(events: impl IntoIterator<Item = E>) -> Self {
        events.into_iter().fold(Self::none(), Self::allow)
    }

    /// The same, with that event allowed.
    ///
    /// ```
    /// use tower_socketio::Acl;
    ///
    /// assert!(Acl::none().allow("login").is_allowed("login"));
    /// ```
    #[must_use]
    pub fn allow(mut self, event: impl AsRef<str>) -> Self {
        self.set(event.as_ref(), true);
        self
    }

    /// The same, with that event denied.
    ///
    /// ```
    /// use tower_socketio::Acl;
    ///
    /// assert!(!Acl::all().deny("delete").is_allowed("delete"));
    /// ```
    #[must_use]
    pub fn deny(mut self, event: impl AsRef<str>) -> Self {
        self.set(event.as_ref(), false);
        self
    }

    /// Whether an event of that name is allowed.
    ///
    /// ```
    /// use tower_socketio::Acl;
    ///
    /// assert!(Acl::only(["user message"]).is_allowed("user_message"));
    /// ```
    pub fn is_allowed(&self, event: impl AsRef<str>) -> bool {
        let is_exception = self.exceptions.iter().any(|name| is_same(name, event.as_ref()));
        is_exception != self.by_default
    }

    fn set(&mut self, event: &str, allowed: bool) {
        self.exceptions.retain(|name| !is_same(name, event));
        if allowed != self.by_default {
            self.exceptions.push(event.into());
        }
    }
}

/// Whether two names are those of one method.
fn is_same(one: &str, other: &str) -> bool {
    let letters = |name| str::bytes(name).map(|byte| if byte == b' ' { b'_' } else { byte });
    one.len() == other.len() && letters(one).eq(letters(other))
}

/// The rules of one socket: what [`Socket::acl`] returns. A change holds for every event that has
/// not been admitted yet, also for those that have arrived and wait; a handler that has begun goes
/// on.
///
/// ```
/// use tower_socketio::{Acl, Data, EventError, SocketIo, Socket};
///
/// let io = SocketIo::builder().build();
/// io.of("/")
///     .acl(|_| Acl::only(["login"]))
///     .on("login", async |socket: Socket, Data(password): Data<String>| {
///         if password != "letmein" {
///             return Err(EventError::new("wrong password"));
///         }
///         socket.acl().allow("say");
///         Ok(())
///     })
///     .on("say", async |socket: Socket, Data(text): Data<String>| socket.broadcast().emit("said", text));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct SocketAcl<'a>(&'a Socket);

impl<'a> SocketAcl<'a> {
    pub(super) fn new(socket: &'a Socket) -> Self {
        Self(socket)
    }

    /// Allows an event.
    ///
    /// ```
    /// # use tower_socketio::{Data, SocketIo, Socket};
    /// # let io = SocketIo::builder().build();
    /// // A moderator lets somebody else speak.
    /// io.of("/").on("give voice", async |socket: Socket, Data(id): Data<String>| {
    ///     if let Some(other) = socket.namespace().socket(id) {
    ///         other.acl().allow("say");
    ///     }
    /// });
    /// ```
    pub fn allow(&self, event: impl AsRef<str>) {
        let event = event.as_ref();
        self.0.change_acl(|acl| acl.set(event, true));
    }

    /// Denies an event: when this returns, no further event of that name is admitted to a handler. It holds for
    /// this socket: a client that joins anew begins with the namespace's rules.
    ///
    /// ```
    /// # use tower_socketio::{SocketIo, Socket};
    /// # let io = SocketIo::builder().build();
    /// io.of("/").on("vote", async |socket: Socket| socket.acl().deny("vote"));
    /// ```
    pub fn deny(&self, event: impl AsRef<str>) {
        let event = event.as_ref();
        self.0.change_acl(|acl| acl.set(event, false));
    }

    /// Lifts all restrictions: every event is allowed.
    ///
    /// ```
    /// # use tower_socketio::{SocketIo, Socket};
    /// # let io = SocketIo::builder().build();
    /// io.of("/").on("become admin", async |socket: Socket| socket.acl().lift());
    /// ```
    pub fn lift(&self) {
        self.0.change_acl(|acl| *acl = Acl::all());
    }

    /// Goes back to the rules that the namespace makes from the handshake. Where its closure panics, so does this,
    /// and the rules stay as they are.
    ///
    /// ```
    /// # use tower_socketio::{SocketIo, Socket};
    /// # let io = SocketIo::builder().build();
    /// io.of("/").on("log out", async |socket: Socket| socket.acl().reset());
    /// ```
    pub fn reset(&self) {
        self.0.reset_acl();
    }

    /// Whether an event of that name is allowed.
    ///
    /// ```
    /// # use tower_socketio::{Ack, SocketIo, Socket};
    /// # let io = SocketIo::builder().build();
    /// io.of("/").on("may I?", async |socket: Socket| Ack(socket.acl().is_allowed("say")));
    /// ```
    pub fn is_allowed(&self, event: impl AsRef<str>) -> bool {
        self.0.allows(event.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_a_default_and_its_exceptions() {
        let rules = |acl: &Acl| (acl.by_default, acl.exceptions.concat());
        let acl = Acl::all().deny("a").deny("a").allow("b");
        assert_eq!(rules(&acl), (true, "a".to_owned()));
        assert_eq!(rules(&acl.allow("a")), (true, String::new()));
        assert_eq!(rules(&Acl::only(["a", "b"]).deny("a")), (false, "b".to_owned()));
        assert_eq!(rules(&Acl::none().deny("a")), (false, String::new()));
    }

    #[test]
    fn a_space_is_an_underscore() {
        let acl = Acl::only(["user message"]);
        assert!(acl.is_allowed("user_message") && acl.is_allowed("user message"));
        assert!(!acl.is_allowed("user-message") && !acl.is_allowed("user messages"));
        assert!(!acl.deny("user_message").is_allowed("user message"));
    }
}
