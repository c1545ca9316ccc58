//! Namespaces that come into being when clients ask for them: what applications see of them.
//!
//! Parents and their children are [`Namespace`]s; which there are is `directory.rs`'s.

use std::{borrow::Cow, fmt, str::FromStr, sync::Arc};

use serde::de::DeserializeOwned;

use super::{
    MAX_NSP,
    directory::{Family, Rule, is_path},
    extract::{Context, Extract, read_auth},
    namespace::{Namespace, Registration, Shared},
    pattern::Pattern,
};
use crate::{error::Rejection, handshake::Handshake, server::SocketIo};

/// A client asks for a namespace that nobody has named: what
/// [`SocketIo::of_matching`] decides by.
///
/// ```
/// use tower_socketio::SocketIo;
///
/// let io = SocketIo::builder().build();
/// io.of_matching(async |request| request.path().starts_with("/tenant-"));
/// ```
#[derive(Clone)]
pub struct NamespaceRequest {
    path: Arc<str>,
    auth: Option<Arc<str>>,
    handshake: Handshake,
}

impl NamespaceRequest {
    pub(crate) fn new(path: &str, auth: Option<&str>, handshake: &Handshake) -> Self {
        Self {
            path: path.into(),
            auth: auth.map(Into::into),
            handshake: handshake.clone(),
        }
    }

    /// The path, with the leading slash; at most 256 bytes.
    ///
    /// ```
    /// use tower_socketio::NamespaceRequest;
    ///
    /// fn tenant(request: &NamespaceRequest) -> Option<&str> {
    ///     request.path().strip_prefix("/tenant-")
    /// }
    /// ```
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What the client sent as `auth`, read as [`Auth`](crate::Auth) reads it.
    ///
    /// # Errors
    /// When it is something else.
    ///
    /// ```
    /// use tower_socketio::NamespaceRequest;
    ///
    /// fn is_known(request: &NamespaceRequest) -> bool {
    ///     request.auth::<String>().is_ok_and(|token| token == "letmein")
    /// }
    /// ```
    pub fn auth<T: DeserializeOwned>(&self) -> Result<T, Rejection> {
        read_auth(self.auth.as_deref())
    }

    /// The request that its connection began with.
    ///
    /// ```
    /// use tower_socketio::NamespaceRequest;
    ///
    /// fn host(request: &NamespaceRequest) -> Option<&str> {
    ///     request.handshake().headers().get("host")
    /// }
    /// ```
    pub fn handshake(&self) -> &Handshake {
        &self.handshake
    }
}

impl fmt::Debug for NamespaceRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NamespaceRequest")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl SocketIo {
    /// The parent of all namespaces whose paths match a pattern, such as `/orders-{id}`: a `{name}` stands for
    /// one or more characters but `/`. A leading slash may be left out.
    ///
    /// What is registered with the parent goes for all of its children, also for those that are there. What it emits,
    /// by itself or by its operators, reaches the sockets of all of them.
    ///
    /// A child is made when the first client asks for it and no namespace of that path is there; of several parents that
    /// match, the one that was registered first has it. A child is a namespace with its own path, sockets and rooms.
    /// It goes when its last socket has, unless the application holds it. So there are never more children than
    /// sockets, and a client has at most [`max_namespaces`](crate::SocketIoBuilder::max_namespaces) of those. A socket
    /// whose client [may come back](crate::SocketIoBuilder::connection_state_recovery) is one of them; of such, all
    /// children together remember at most [`max_sessions`](crate::Recovery::max_sessions).
    ///
    /// Handlers find the parameters by [`Param`] or [`Namespace::param`].
    ///
    /// # Panics
    /// When no path could match, or the pattern has no parameter, one without a name, two of one name, or two with nothing
    /// between.
    ///
    /// ```
    /// use tower_socketio::{Param, SocketIo, Socket};
    ///
    /// let io = SocketIo::builder().build();
    /// let orders = io.of_pattern("/orders-{id}");
    /// orders.on_connect(async |socket: Socket, Param(id): Param<u64>| {
    ///     println!("{} watches order {id}", socket.id());
    /// });
    /// orders.emit("closing", "in a minute")?;
    /// # Ok::<(), tower_socketio::EncodeError>(())
    /// ```
    pub fn of_pattern(&self, pattern: &str) -> Namespace {
        let text = with_slash(pattern);
        let pattern =
            Pattern::parse(&text).unwrap_or_else(|error| panic!("{text:?} is no pattern of namespaces: {error}"));
        assert!(
            is_path(&text),
            "no client can ask for a namespace of the pattern {text:?}: it must have at most {MAX_NSP} bytes, no `,` and no `?`"
        );
        Namespace::new(self.core.parent(&text, Rule::Pattern(pattern)))
    }

    /// The parent of all namespaces that a closure takes: as [`of_pattern`](Self::of_pattern), for what patterns
    /// cannot say. Its path reads `/*`.
    ///
    /// The closure is asked when a client asks for a path that is not there and no parent before has taken. Until it has
    /// answered, the client is neither in nor refused, and what it sends to the namespace waits. Where it
    /// panics, the client is refused. The application reaches a child by [`namespace`](Self::namespace) or
    /// [`children`](Namespace::children): [`of`](Self::of) would make a namespace of its own.
    ///
    /// ```
    /// use tower_socketio::{SocketIo, Socket};
    ///
    /// # async fn is_tenant(_: &str) -> bool { true }
    /// let io = SocketIo::builder().build();
    /// io.of_matching(async |request| match request.path().strip_prefix("/tenant-") {
    ///     Some(tenant) => is_tenant(tenant).await,
    ///     None => false,
    /// })
    /// .on_connect(async |socket: Socket| println!("somebody is in {}", socket.namespace().path()));
    /// ```
    pub fn of_matching<F, Fut>(&self, matcher: F) -> Namespace
    where
        F: Fn(NamespaceRequest) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = bool> + Send + 'static,
    {
        let matcher = move |request| -> super::directory::Matching { Box::pin(matcher(request)) };
        Namespace::new(self.core.parent("/*", Rule::Matcher(Box::new(matcher))))
    }

    /// Sets what is told of every namespace that comes into being from now on: by [`of`](Self::of), or because a client
    /// asked for a child. It runs in the task of who made it, before anybody is let in there by that task, and must
    /// not block.
    ///
    /// # Panics
    /// When there is one already.
    ///
    /// ```
    /// let io = tower_socketio::SocketIo::builder().build();
    /// io.on_new_namespace(|namespace| println!("{} is new", namespace.path()));
    /// ```
    pub fn on_new_namespace(&self, hook: impl Fn(&Namespace) + Send + Sync + 'static) -> &Self {
        self.core.set_new_namespace_hook(Arc::new(hook));
        self
    }
}

/// A path, which begins with a slash whether the application wrote it or not.
pub(crate) fn with_slash(path: &str) -> Cow<'_, str> {
    if path.starts_with('/') {
        path.into()
    } else {
        format!("/{path}").into()
    }
}

impl Namespace {
    /// What stands for a parameter of the [pattern](SocketIo::of_pattern) in its path. `None`: it is no child of a
    /// pattern, or that has no such parameter.
    ///
    /// ```
    /// let io = tower_socketio::SocketIo::builder().build();
    /// io.of_pattern("/orders-{id}");
    /// assert_eq!(io.of("/orders-7").param("id"), Some("7"));
    /// assert_eq!(io.of("/").param("id"), None);
    /// ```
    pub fn param(&self, name: &str) -> Option<&str> {
        self.shared().param(name)
    }

    /// The namespaces that are there of those whose parent it is, in no order; none where it is no parent.
    ///
    /// ```
    /// let io = tower_socketio::SocketIo::builder().build();
    /// let orders = io.of_pattern("/orders-{id}");
    /// let order = io.of("/orders-7");
    /// assert_eq!(orders.children().len(), 1);
    /// drop(order); // nobody else holds it
    /// assert!(orders.children().is_empty());
    /// ```
    pub fn children(&self) -> Vec<Self> {
        let children = self.shared().children().unwrap_or_default();
        children.into_iter().map(Self::new).collect()
    }
}

impl Shared {
    /// A parent's children; `None` of a namespace that is none.
    pub(crate) fn children(&self) -> Option<Vec<Arc<Self>>> {
        matches!(self.family, Family::Parent(_)).then(|| self.core().children(self))
    }

    /// A parent's children, or the namespace itself.
    pub(crate) fn each_local(&self, mut each: impl FnMut(&Self)) {
        match self.children() {
            Some(children) => children.iter().for_each(|child| each(child)),
            None => each(self),
        }
    }

    pub(crate) fn parent(&self) -> Option<&Arc<Self>> {
        match &self.family {
            Family::Child(parent) => Some(parent),
            Family::Alone | Family::Parent(_) => None,
        }
    }

    /// The pattern of a parent.
    pub(crate) fn pattern(&self) -> Option<&Pattern> {
        match &self.family {
            Family::Parent(Rule::Pattern(pattern)) => Some(pattern),
            Family::Parent(Rule::Matcher(_)) | Family::Alone | Family::Child(_) => None,
        }
    }

    /// The parameters in a path that matches this parent's pattern.
    pub(crate) fn parameters<'a>(&'a self, path: &'a str) -> Option<Vec<(&'a str, &'a str)>> {
        self.pattern()?.read(path)
    }

    fn param(&self, name: &str) -> Option<&str> {
        let parameters = self.parent()?.parameters(&self.path)?;
        let mut parameters = parameters.into_iter();
        parameters.find_map(|(other, value)| (other == name).then_some(value))
    }
}

/// The first parameter of a namespace's [pattern](SocketIo::of_pattern), read by [`FromStr`]: an extractor. Others are
/// found by [`Namespace::param`].
///
/// Where it cannot be read, the handler does not run. A connect handler that asks for a number lets nobody in
/// whose path has another text there.
///
/// A handler that asks for one panics when it is registered with a namespace that has no pattern.
///
/// ```
/// use tower_socketio::{Param, SocketIo, Socket};
///
/// let io = SocketIo::builder().build();
/// io.of_pattern("/orders-{id}")
///     .on_connect(async |Param(id): Param<u64>| println!("order {id}"))
///     .on("pay", async |socket: Socket, Param(id): Param<u64>| socket.emit("paid", id));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Param<T>(pub T);

impl<C: Context, T: FromStr<Err: fmt::Display>> Extract<C> for Param<T> {
    fn extract(context: &C) -> Result<Self, Rejection> {
        let namespace = context.socket().shared();
        let parameters = namespace.parent().and_then(|parent| parent.parameters(&namespace.path));
        let first = parameters.and_then(|parameters| parameters.first().copied());
        let (name, value) = first.ok_or(Rejection::Custom("the namespace has no parameters".into()))?;
        let read = value.parse().map(Self);
        read.map_err(|error| Rejection::Custom(format!("invalid {name} in the namespace's path: {error}").into()))
    }

    fn check(registration: &Registration<'_>) {
        assert!(
            registration.namespace().pattern().and_then(Pattern::first).is_some(),
            "a handler of namespace {:?} asks for Param, which only namespaces of a pattern have: register it with \
             `of_pattern`",
            registration.namespace().path,
        );
    }
}
