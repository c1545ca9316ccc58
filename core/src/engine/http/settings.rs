//! The settings of what stands around a session's requests: who may come in, which headers the answers have.

/// The setters of [`Hooks`](crate::engine::hooks::Hooks) and of compression, a part of `engine_settings!`.
macro_rules! http_settings {
    ($($config:ident).+) => {
        /// Decides which clients may come in, before anything is kept of them: by what is in their
        /// headers, query and extensions. Default: all that [`cors`](Self::cors) allows. (`allowRequest`
        /// of the reference server.)
        ///
        /// It is asked about requests that begin a connection and that nothing else refuses. A client that
        /// is refused is answered 403 with the refusal's message, or, as it opens a WebSocket,
        /// 400; data of the refusal are not sent. Of an error that came by `?`, and of a
        /// panic, it is told `internal error`, and the log what happened. Others are served
        /// meanwhile, and a client that goes away before the answer is forgotten.
        ///
        /// ```
        /// use tower_socketio::{Handshake, Refusal, SocketIo};
        ///
        /// async fn is_banned(_user_agent: &str) -> std::io::Result<bool> {
        ///     Ok(false) // after a look into the database
        /// }
        ///
        /// let io = SocketIo::builder()
        ///     .allow_request(async |request: Handshake| {
        ///         let user_agent = request.headers().get("user-agent").unwrap_or_default();
        ///         if is_banned(user_agent).await? {
        ///             return Err(Refusal::new("go away"));
        ///         }
        ///         Ok(())
        ///     })
        ///     .build();
        /// ```
        #[must_use]
        pub fn allow_request<F, Fut>(mut self, allow: F) -> Self
        where
            F: Fn($crate::Handshake) -> Fut + Send + Sync + 'static,
            Fut: Future<Output = Result<(), $crate::Refusal>> + Send + 'static,
        {
            let allow = move |request| -> futures_util::future::BoxFuture<'static, _> { Box::pin(allow(request)) };
            self.$($config).+.hooks.allow_request = Some(std::sync::Arc::new(allow));
            self
        }

        /// Makes the ids of connections. Default: [`Sid::random`]($crate::Sid::random). (`generateId` of the
        /// reference server, called once a connection.)
        ///
        /// That id is a session key: whoever knows it can read and send in the client's name. It must never repeat
        /// and be impossible to guess, which is the application's care now. One that is in use, or
        /// that is not 1 to 128 letters, digits, `-`, `.`, `_` and `~`, refuses the client with status
        /// 400 and `Bad request`. The ids of sockets are others, save for clients before 3.0.
        ///
        /// ```
        /// use tower_socketio::{Sid, SocketIo};
        ///
        /// // Tells a load balancer which server the session is at.
        /// let io = SocketIo::builder().generate_id(|_request| format!("node7.{}", Sid::random())).build();
        /// ```
        #[must_use]
        pub fn generate_id(mut self, generate: impl Fn(&$crate::Handshake) -> String + Send + Sync + 'static) -> Self {
            self.$($config).+.hooks.generate_id = Some(std::sync::Arc::new(generate));
            self
        }

        /// A cookie with the connection's id, which the answer to a handshake sets unless it opens a WebSocket:
        /// for load balancers that send all requests of a session to one server. Default: none.
        ///
        /// # Panics
        /// When browsers would drop it: `SameSite=None` or `Partitioned` without `Secure`.
        ///
        /// ```
        /// use tower_socketio::{Cookie, SocketIo};
        ///
        /// let io = SocketIo::builder().cookie(Cookie::new("io")).build();
        /// ```
        #[must_use]
        pub fn cookie(mut self, cookie: $crate::Cookie) -> Self {
            self.$($config).+.hooks.cookie = Some(cookie.checked());
            self
        }

        /// Changes the headers of a connection's first answer: the one to its handshake, which may be the
        /// 101 that opens a WebSocket. Comes before [`headers`](Self::headers). Default: nothing.
        /// (`initial_headers` of the reference server.)
        ///
        /// It is given the headers as they are, and the request; it must not block. Refusals are not shown to it.
        ///
        /// ```
        /// use http::{HeaderValue, header::SET_COOKIE};
        /// use tower_socketio::SocketIo;
        ///
        /// let io = SocketIo::builder()
        ///     .initial_headers(|headers, _request| {
        ///         headers.append(SET_COOKIE, HeaderValue::from_static("a=1; Path=/"));
        ///         headers.append(SET_COOKIE, HeaderValue::from_static("b=2; Path=/"));
        ///     })
        ///     .build();
        /// ```
        #[must_use]
        pub fn initial_headers(
            mut self,
            hook: impl Fn(&mut ::http::HeaderMap, &::http::request::Parts) + Send + Sync + 'static,
        ) -> Self {
            self.$($config).+.hooks.initial_headers = Some(std::sync::Arc::new(hook));
            self
        }

        /// Changes the headers of every answer to a session's requests: handshakes, polls, POSTs, and the 101
        /// that opens a WebSocket. Default: nothing. (`headers` of the reference server.)
        ///
        /// It is given the headers as they are, and the request, whose head is kept in memory for that while
        /// a poll is open; it must not block. Refusals are not shown to it.
        ///
        /// ```
        /// use http::HeaderValue;
        /// use tower_socketio::SocketIo;
        ///
        /// let io = SocketIo::builder()
        ///     .headers(|headers, request| {
        ///         if let Some(id) = request.headers.get("x-request-id") {
        ///             headers.insert("x-request-id", id.clone());
        ///         }
        ///         headers.insert("x-served-by", HeaderValue::from_static("node7"));
        ///     })
        ///     .build();
        /// ```
        #[must_use]
        pub fn headers(
            mut self,
            hook: impl Fn(&mut ::http::HeaderMap, &::http::request::Parts) + Send + Sync + 'static,
        ) -> Self {
            self.$($config).+.hooks.headers = Some(std::sync::Arc::new(hook));
            self
        }

        /// Is told of every request that the server refuses, and why. Default: the log is, at the level `debug`.
        /// (`connection_error` of the reference server.)
        ///
        /// It runs before the client is answered, and must not block. Sessions that end because of what
        /// their requests bring are not among it, nor clients that come while the server closes.
        ///
        /// ```
        /// use tower_socketio::SocketIo;
        ///
        /// let io = SocketIo::builder()
        ///     .on_connection_error(|error| {
        ///         eprintln!("{} {}: {} {}", error.request.method, error.request.uri, error.message(), error.context());
        ///     })
        ///     .build();
        /// ```
        #[must_use]
        pub fn on_connection_error(
            mut self,
            hook: impl Fn(&$crate::ConnectionError<'_>) + Send + Sync + 'static,
        ) -> Self {
            self.$($config).+.hooks.on_connection_error = Some(std::sync::Arc::new(hook));
            self
        }

        /// From how many bytes on the answer to a poll is compressed, for clients that accept gzip or deflate; `None`:
        /// none is. Default 1,024. (`httpCompression` of the reference server.)
        ///
        /// Switch it off where a proxy compresses, or where secrets travel together with what an attacker
        /// can choose (BREACH).
        ///
        /// ```
        /// use tower_socketio::SocketIo;
        ///
        /// let io = SocketIo::builder().http_compression(8 * 1024).build();
        /// let io = SocketIo::builder().http_compression(None).build();
        /// ```
        #[must_use]
        pub fn http_compression(mut self, from_bytes: impl Into<Option<usize>>) -> Self {
            self.$($config).+.http_compression = from_bytes.into();
            self
        }
    };
}
pub(crate) use http_settings;
