//! The server's side of Socket.IO's [admin UI](https://socket.io/docs/v4/admin-ui/): who is connected, in which
//! rooms, what is sent; and buttons that emit, move and disconnect. Feature `admin`, which the adapters have, too.
//!
//! The page is the official one: <https://admin.socket.io>, or the files in `ui/dist` of the npm package
//! `@socket.io/admin-ui` 0.5, served from anywhere. It is told the server's address and connects to a namespace,
//! `/admin`, as a client with credentials. So where the page is on another origin than the server, the server's
//! [`Cors`](crate::Cors) must admit that origin with credentials.
//!
//! ```
//! # fn main() -> Result<(), tower_socketio::admin::InvalidHash> {
//! use tower_socketio::{Cors, SocketIo, admin::Admin};
//!
//! let io = SocketIo::builder()
//!     .cors(Cors::origins(["https://admin.socket.io"]).credentials(true))
//!     .build();
//! // The password is `changeit`, as `htpasswd -bnBC 10 "" changeit` hashes it.
//! let hash = "$2b$10$heqvAkYMez.Va6Et2uXInOnkCT6/uQj1brkrbyG3LpopDklcq7ZOS";
//! Admin::with_login("admin", hash)?.mount(&io);
//! # Ok(())
//! # }
//! ```
//!
//! # What it costs
//!
//! Nothing where nobody looks but some loads; while somebody does, bytes and messages are counted. In
//! [`Mode::Development`], every event is sent to each page as well, and rooms are watched: for servers that have
//! much to do, [`Mode::Production`] tells numbers only. A page that reads too slowly is cut off as any client is,
//! comes back, and is told anew what there is.
//!
//! # What it shows
//!
//! Who is let in sees the headers, queries and [data](crate::Socket::set_data) of all sockets and what they are sent,
//! and, unless it is [read-only](Admin::read_only), is as mighty as the application. What clients sent as `auth`, and
//! the headers `authorization`, `cookie` and `proxy-authorization`, are never shown.

use std::{error::Error, fmt, sync::Arc};

use crate::{server::SocketIo, socketio::socket::Socket};

mod commands;
mod feed;
mod login;
mod snapshot;
mod stats;
mod wire;

use self::{feed::Feed, login::Login, stats::Reporter, wire::Config};

/// How much is told.
///
/// ```
/// use tower_socketio::admin::{Admin, Mode};
///
/// let admin = Admin::without_login().mode(Mode::Production);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Everything: each socket, room and event.
    #[default]
    Development,
    /// Numbers: of clients, of the sockets of each namespace, of messages and bytes.
    Production,
}

/// The settings of the admin UI's namespace. Defaults are the reference's.
///
/// ```
/// # fn main() -> Result<(), tower_socketio::admin::InvalidHash> {
/// use tower_socketio::{SocketIo, admin::{Admin, Mode}};
///
/// let io = SocketIo::builder().build();
/// Admin::with_login("admin", "$2b$10$heqvAkYMez.Va6Et2uXInOnkCT6/uQj1brkrbyG3LpopDklcq7ZOS")?
///     .mode(Mode::Production)
///     .read_only()
///     .mount(&io);
/// # Ok(())
/// # }
/// ```
#[must_use = "it does nothing until it is mounted"]
pub struct Admin {
    namespace: String,
    login: Option<Login>,
    mode: Mode,
    is_read_only: bool,
    server_id: Option<String>,
}

/// The text is no bcrypt hash, so that no password could ever match it.
///
/// ```
/// use tower_socketio::admin::Admin;
///
/// let error = Admin::with_login("admin", "changeit").unwrap_err();
/// assert!(error.to_string().contains("bcrypt hash"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidHash(());

impl fmt::Display for InvalidHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the password of the admin ui must be given as a bcrypt hash, 60 characters that begin with `$2b$10$` or \
             similar: make one with `htpasswd -bnBC 10 \"\" PASSWORD`, without the colon",
        )
    }
}

impl Error for InvalidHash {}

impl Admin {
    /// Lets in who knows the name and the password whose bcrypt hash is given (`$2a$`, `$2b$`, `$2x$` or `$2y$`). Of a
    /// password, bcrypt reads the first 72 bytes.
    ///
    /// Who is let in gets a session, with which the page comes back without the password, for a day and at most until
    /// the server ends. The server keeps 1,000 of them; then the oldest goes.
    ///
    /// Passwords are checked on threads for blocking work, two at a time, and 30 may wait; whoever comes then is refused
    /// at once. An unknown name takes as long as a wrong password. Every refusal reads `invalid credentials`.
    ///
    /// # Errors
    /// When it is no bcrypt hash.
    ///
    /// ```
    /// # fn main() -> Result<(), tower_socketio::admin::InvalidHash> {
    /// use tower_socketio::{SocketIo, admin::Admin};
    ///
    /// let hash = "$2b$10$heqvAkYMez.Va6Et2uXInOnkCT6/uQj1brkrbyG3LpopDklcq7ZOS";
    /// Admin::with_login("admin", hash)?.mount(&SocketIo::builder().build());
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_login(username: impl Into<String>, password_hash: impl Into<String>) -> Result<Self, InvalidHash> {
        let login = Login::new(username.into(), password_hash.into()).ok_or(InvalidHash(()))?;
        Ok(Self::new(Some(login)))
    }

    /// Lets everybody in who can reach the server. For development on one's own machine, or where something else
    /// decides who connects, such as [`allow_request`](crate::SocketIoBuilder::allow_request) or middleware of
    /// the namespace.
    ///
    /// ```
    /// use tower_socketio::{SocketIo, admin::Admin};
    ///
    /// Admin::without_login().mount(&SocketIo::builder().build());
    /// ```
    pub fn without_login() -> Self {
        Self::new(None)
    }

    fn new(login: Option<Login>) -> Self {
        Self {
            namespace: "/admin".to_owned(),
            login,
            mode: Mode::default(),
            is_read_only: false,
            server_id: None,
        }
    }

    /// The path of the namespace. Default `/admin`.
    ///
    /// ```
    /// use tower_socketio::{SocketIo, admin::Admin};
    ///
    /// Admin::without_login().namespace("/backstage").mount(&SocketIo::builder().build());
    /// ```
    pub fn namespace(mut self, path: impl Into<String>) -> Self {
        self.namespace = path.into();
        self
    }

    /// How much is told. Default: everything.
    ///
    /// ```
    /// use tower_socketio::{SocketIo, admin::{Admin, Mode}};
    ///
    /// Admin::without_login().mode(Mode::Production).mount(&SocketIo::builder().build());
    /// ```
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Does nothing that the page asks for: no emitting, no moving, no disconnecting. The page then has no such buttons.
    /// Default: it does.
    ///
    /// ```
    /// use tower_socketio::{SocketIo, admin::Admin};
    ///
    /// Admin::without_login().read_only().mount(&SocketIo::builder().build());
    /// ```
    pub fn read_only(mut self) -> Self {
        self.is_read_only = true;
        self
    }

    /// What the page calls this server; another for each of several. Default: the name of the machine.
    ///
    /// ```
    /// use tower_socketio::{SocketIo, admin::Admin};
    ///
    /// Admin::without_login().server_id("chat-1").mount(&SocketIo::builder().build());
    /// ```
    pub fn server_id(mut self, id: impl Into<String>) -> Self {
        self.server_id = Some(id.into());
        self
    }

    /// Makes the namespace, for all that happens on that server from now on. Best before the server has clients: those that
    /// are in such a namespace already, and would have to log in, are disconnected from it.
    ///
    /// # Panics
    /// When the server has one already, the namespace has handlers already, or no client could ask for that path.
    ///
    /// ```
    /// use tower_socketio::{SocketIo, admin::Admin};
    ///
    /// let io = SocketIo::builder().build();
    /// Admin::without_login().mount(&io);
    /// assert_eq!(io.of("/admin").sockets_count(), 0);
    /// ```
    pub fn mount(self, io: &SocketIo) {
        let traffic = io.engine().traffic();
        assert!(traffic.claim(), "the server has an admin ui already");
        let namespace = io.of(&self.namespace);
        let feed = (self.mode == Mode::Development).then(|| Feed::new(io, &namespace));
        if let Some(feed) = &feed {
            io.core.be_watched(Box::new(feed.clone()));
        }
        if let Some(login) = self.login {
            let login = Arc::new(login);
            namespace.with(move |socket: Socket| {
                let login = login.clone();
                async move { login.let_in(&socket).await }
            });
            // Whoever was asked nothing.
            namespace.disconnect_sockets(false);
        }
        let config = Config::new(self.mode, self.is_read_only);
        let reporter = Reporter::new(io, &namespace, self.server_id);
        let welcome = Arc::new((config, feed, reporter));
        namespace.on_connect(move |page: Socket| {
            let welcome = welcome.clone();
            // Polled when the page is in: what there is may be more than may be held for one that is not.
            async move {
                let (config, feed, reporter) = &*welcome;
                wire::emit(&page, "config", &(config,));
                if let Some(feed) = feed {
                    feed.show_all(&page);
                }
                reporter.report_to(&page);
            }
        });
        if !self.is_read_only {
            commands::register(io, &namespace);
        }
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin")
            .field("namespace", &self.namespace)
            .field("mode", &self.mode)
            .field("read_only", &self.is_read_only)
            .finish_non_exhaustive()
    }
}
