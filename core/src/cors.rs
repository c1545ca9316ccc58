//! Which pages may talk to the server.
//!
//! Owns the `Cors` setting, the decision on a request's `Origin`, and the headers that tell a
//! browser of it. WebSocket requests are judged like the others: browsers send them to any server,
//! and no preflight protects them.
//!
//! Never answers a request that was not a preflight: the service refuses by the verdict, before it
//! opens or looks up a session, and writes these headers on every answer, refusals too, since a
//! page cannot read an error without them.
//!
//! Patterns and the parts of an origin are in `origin`.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, CONTENT_LENGTH, HOST, ORIGIN, REFERER, VARY,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};

mod origin;

use self::origin::{Origin, Pattern, configured_origin, split_port};

/// Which web pages may open connections: those of the same origin, and those that the rules given
/// here allow.
///
/// A browser names the page's origin in the `Origin` header, and these are the answers:
///
/// - No `Origin` header: allowed. Programs other than browsers send none; this is no
///   authentication.
/// - The page's host and port are those of the request (`Host`, or `:authority` on HTTP/2):
///   allowed, whatever the rules say. The scheme is not compared, as a proxy may have taken TLS
///   off, and a port that is the default of the origin's scheme equals none.
/// - A rule allows it: allowed, and the answer says so to the browser.
/// - Anything else, `null` (sandboxed frames, files), `file://` and `capacitor://localhost`
///   included: refused, unless listed. Several `Origin` headers, or one that is not visible ASCII,
///   are refused as malformed.
///
/// The default is [`Cors::same_origin`]. Rules add up:
///
/// ```
/// use std::time::Duration;
/// use tower_socketio::Cors;
///
/// let cors = Cors::origins(["https://app.example", "capacitor://localhost"])
///     .or_matching("https://*.preview.example")
///     .or_predicate(|_origin, request| request.headers.contains_key("x-partner"))
///     .credentials(true)
///     .max_age(Duration::from_secs(600));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Cors {
    rules: Vec<Rule>,
    credentials: bool,
    allow_headers: Option<HeaderValue>,
    expose_headers: Option<HeaderValue>,
    max_age: Option<HeaderValue>,
    trust_forwarded: bool,
}

impl Cors {
    /// Only pages of the same host and port, and programs that send no `Origin`. The default.
    ///
    /// ```
    /// let cors = tower_socketio::Cors::same_origin();
    /// ```
    #[must_use]
    pub fn same_origin() -> Self {
        Self::default()
    }

    /// Also pages of exactly these origins: see [`or_origins`](Self::or_origins).
    ///
    /// # Panics
    ///
    /// If one of them is not an origin.
    ///
    /// ```
    /// use tower_socketio::Cors;
    ///
    /// let cors = Cors::origins(["https://app.example", "http://localhost:5173", "null"]);
    /// ```
    #[must_use]
    pub fn origins<I>(origins: I) -> Self
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        Self::same_origin().or_origins(origins)
    }

    /// Also pages whose origin matches `pattern`: see [`or_matching`](Self::or_matching).
    ///
    /// # Panics
    ///
    /// If `pattern` cannot be used, or could match what its author did not mean.
    ///
    /// ```
    /// let cors = tower_socketio::Cors::matching("https://*.example.com");
    /// ```
    #[must_use]
    pub fn matching(pattern: &str) -> Self {
        Self::same_origin().or_matching(pattern)
    }

    /// Also pages for which `allow` says yes: see [`or_predicate`](Self::or_predicate).
    ///
    /// ```
    /// use tower_socketio::Cors;
    ///
    /// let cors = Cors::predicate(|origin, _request| origin.starts_with("chrome-extension://"));
    /// ```
    #[must_use]
    pub fn predicate<F>(allow: F) -> Self
    where
        F: Fn(&str, &Parts) -> bool + Send + Sync + 'static,
    {
        Self::same_origin().or_predicate(allow)
    }

    /// Pages of every origin, `null` included. The answer names the page's own origin, never `*`.
    ///
    /// Together with [`credentials`](Self::credentials), any page on the web may act with the
    /// cookies of its visitor: only for servers that authenticate by a token in the handshake.
    ///
    /// ```
    /// let cors = tower_socketio::Cors::any();
    /// ```
    #[must_use]
    pub fn any() -> Self {
        Self {
            rules: vec![Rule::Any],
            ..Self::default()
        }
    }

    /// Adds exact origins: `scheme://host`, with `:port` unless it is the scheme's default; or
    /// `null`; or `file://`.
    ///
    /// They are compared without regard to case. One slash at the end (`https://app.example/`) and
    /// a default port (`https://app.example:443`), which browsers never send, are taken off.
    ///
    /// # Panics
    ///
    /// If one of them is not an origin: with a path, a query, a user, a `*`, characters outside
    /// ASCII, or no scheme.
    ///
    /// ```
    /// use tower_socketio::Cors;
    ///
    /// let cors = Cors::matching("https://*.example.com").or_origins(["https://partner.example"]);
    /// ```
    #[must_use]
    pub fn or_origins<I>(mut self, origins: I) -> Self
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        self.rules.extend(
            origins
                .into_iter()
                .map(|origin| Rule::Exact(configured_origin(origin.as_ref()))),
        );
        self
    }

    /// Adds a pattern for origins: `https://*.example.com`, `https://preview-*.example.com`,
    /// `http://localhost:*`, `https://*`.
    ///
    /// In the host, `*` stands for one or more letters, digits, `-`, `_` and `.`, so for several
    /// labels too; as the port, for any port that is written out. Everything else is literal,
    /// without regard to case, and must match from the first character to the last:
    /// `https://*.example.com` allows `https://a.b.example.com`, and neither `https://example.com`,
    /// `https://evil-example.com`, `https://a.example.com.evil.org` nor
    /// `https://a.example.com:8443`.
    ///
    /// # Panics
    ///
    /// If `pattern` has no `*`, is not an origin otherwise, or does not pin down the end of the
    /// host: strangers can register names that match `https://*example.com` (`evil-example.com`) or
    /// `http://10.0.0.*` (`10.0.0.evil.org`). A predicate can say what such a pattern cannot.
    ///
    /// ```
    /// use tower_socketio::Cors;
    ///
    /// let cors = Cors::origins(["https://example.com"])
    ///     .or_matching("https://*.example.com")
    ///     .or_matching("http://localhost:*");
    /// ```
    #[must_use]
    pub fn or_matching(mut self, pattern: &str) -> Self {
        self.rules.push(Rule::Matching(Pattern::configured(pattern)));
        self
    }

    /// Adds a rule in code. It is given the `Origin` as it came (visible ASCII) and the request's
    /// head, for every request whose origin no rule before it allowed, and must not block.
    ///
    /// Pages of the same origin are let in even if it says no.
    ///
    /// ```
    /// use std::collections::HashSet;
    /// use tower_socketio::Cors;
    ///
    /// let tenants = HashSet::from(["https://a.example".to_owned()]);
    /// let cors = Cors::origins(["https://app.example"])
    ///     .or_predicate(move |origin, _request| tenants.contains(origin));
    /// ```
    #[must_use]
    pub fn or_predicate<F>(mut self, allow: F) -> Self
    where
        F: Fn(&str, &Parts) -> bool + Send + Sync + 'static,
    {
        self.rules.push(Rule::Predicate(Arc::new(allow)));
        self
    }

    /// Whether pages of allowed other origins may send cookies and read the answer. Default: false.
    ///
    /// Newer clients ask for it when their `withCredentials` is set; their browsers reject the answer
    /// without it. Clients before 1.0 always ask, and are always told so. A WebSocket carries cookies
    /// either way.
    ///
    /// ```
    /// use tower_socketio::Cors;
    ///
    /// let cors = Cors::origins(["https://app.example"]).credentials(true);
    /// ```
    #[must_use]
    pub fn credentials(mut self, allow: bool) -> Self {
        self.credentials = allow;
        self
    }

    /// The request headers that pages of allowed other origins may send (`extraHeaders` of the
    /// client). Default: those that the browser asks for. An empty list allows none beyond what
    /// browsers always allow.
    ///
    /// # Panics
    ///
    /// If one of them is not a header name.
    ///
    /// ```
    /// use tower_socketio::Cors;
    ///
    /// let cors = Cors::any().allow_headers(["authorization", "x-tenant"]);
    /// ```
    #[must_use]
    pub fn allow_headers<I>(mut self, names: I) -> Self
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        self.allow_headers = Some(name_list(names));
        self
    }

    /// The response headers that scripts of allowed other origins may read. Default: none beyond
    /// what browsers always allow.
    ///
    /// # Panics
    ///
    /// If one of them is not a header name.
    ///
    /// ```
    /// use tower_socketio::Cors;
    ///
    /// let cors = Cors::origins(["https://app.example"]).expose_headers(["x-request-id"]);
    /// ```
    #[must_use]
    pub fn expose_headers<I>(mut self, names: I) -> Self
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        self.expose_headers = Some(name_list(names)).filter(|list| !list.is_empty());
        self
    }

    /// How long a browser may remember the answer to a preflight, in whole seconds; zero for not at
    /// all. Default: not said, which browsers take as 5 s. Firefox caps it at 24 h, Chrome at 2 h.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_socketio::Cors;
    ///
    /// let cors = Cors::any().max_age(Duration::from_secs(600));
    /// ```
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age.as_secs().into());
        self
    }

    /// Whether the host of the same-origin check is the first one of `X-Forwarded-Host`, where
    /// there is one. Default: false. `X-Forwarded-Proto` plays no part, as the scheme is not
    /// compared.
    ///
    /// Only for servers behind a proxy that sets that header and removes one sent by the client.
    ///
    /// ```
    /// let cors = tower_socketio::Cors::same_origin().trust_forwarded(true);
    /// ```
    #[must_use]
    pub fn trust_forwarded(mut self, trust: bool) -> Self {
        self.trust_forwarded = trust;
        self
    }

    /// Judges the request. Rules come before the same-origin check: a page of the same host but
    /// another scheme passes the latter, and its browser still wants the headers if a rule names
    /// it.
    pub(crate) fn check(&self, parts: &Parts) -> Verdict {
        let mut origins = parts.headers.get_all(ORIGIN).iter();
        let Some(origin) = origins.next() else {
            return Verdict::SameOriginOrNone;
        };
        let text = match (origin.to_str(), origins.next()) {
            (Ok(text), None) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) => text,
            _ => return Verdict::Malformed,
        };
        if self.rules.iter().any(|rule| rule.allows(text, parts)) {
            // A copy: a clone would keep the buffer of the whole request head alive for as long as
            // a poll is pending.
            return HeaderValue::from_bytes(text.as_bytes()).map_or(Verdict::Malformed, Verdict::Allowed);
        }
        if self.is_same_origin(text, parts) {
            Verdict::SameOriginOrNone
        } else {
            Verdict::Refused
        }
    }

    /// Whether a request that may be a `<script>` or a form of another page may be answered. It names no
    /// origin: a browser tells by its referrer of which page it is, and newer ones whether that is
    /// another site's.
    pub(crate) fn admits_script(&self, parts: &Parts) -> bool {
        let referrer = parts.headers.get(REFERER).and_then(|referrer| referrer.to_str().ok());
        if let Some(origin) = referrer.and_then(origin_of) {
            return self.rules.iter().any(|rule| rule.allows(origin, parts)) || self.is_same_origin(origin, parts);
        }
        let site = parts.headers.get("sec-fetch-site");
        site.is_none_or(|site| site == "same-origin" || site == "none")
            || self.rules.iter().any(|rule| rule.allows("null", parts))
    }

    /// Writes what the browser must know on any answer to the request that `verdict` is about,
    /// errors included.
    pub(crate) fn write_headers(&self, verdict: &Verdict, headers: &mut HeaderMap) {
        if !self.rules.is_empty() {
            // Whatever this origin was told, caches must not tell it to another.
            headers.append(VARY, HeaderValue::from_static("Origin"));
        }
        if let Verdict::Allowed(origin) = verdict {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            if self.credentials {
                headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            }
            if let Some(names) = &self.expose_headers {
                headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, names.clone());
            }
        }
    }

    /// The whole answer, without a body, if the request is a preflight (`OPTIONS` with
    /// `Access-Control-Request-Method`).
    ///
    /// Always 204. An origin that is not allowed gets no allow headers: browsers then stop, and say
    /// in the console which header is missing, whereas for a 403 they name only the status.
    pub(crate) fn preflight(&self, parts: &Parts) -> Option<Response<()>> {
        if parts.method != Method::OPTIONS || !parts.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
            return None;
        }
        let verdict = self.check(parts);
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        self.write_headers(&verdict, headers);
        // What a script may read is a matter of the answer to come.
        headers.remove(ACCESS_CONTROL_EXPOSE_HEADERS);
        if self.allow_headers.is_none() && !self.rules.is_empty() {
            headers.append(VARY, HeaderValue::from_static("Access-Control-Request-Headers"));
        }
        if let Verdict::Allowed(_) = verdict {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
            let names = self.allow_headers.clone().or_else(|| requested_headers(&parts.headers));
            if let Some(names) = names.filter(|names| !names.is_empty()) {
                headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, names);
            }
            if let Some(age) = &self.max_age {
                headers.insert(ACCESS_CONTROL_MAX_AGE, age.clone());
            }
        }
        Some(response)
    }

    fn is_same_origin(&self, origin: &str, parts: &Parts) -> bool {
        let Some(origin) = Origin::parse(origin) else {
            return false;
        };
        // Pages of an application's own scheme (`capacitor://localhost`) share a host name with
        // servers by accident.
        let Some(default_port) = origin.default_port() else {
            return false;
        };
        let served = if self.trust_forwarded {
            forwarded_host(&parts.headers)
        } else {
            None
        };
        let Some((host, port)) = served.or_else(|| requested_host(parts)).and_then(split_port) else {
            return false;
        };
        // Without a port, the request came to the default port of its scheme, and the scheme is not
        // compared.
        let port = port.filter(|&port| port != default_port);
        let origin_port = origin.port.filter(|&port| port != default_port);
        !host.is_empty() && host.eq_ignore_ascii_case(origin.host) && port == origin_port
    }
}

/// What [`Cors::check`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Let in; the browser needs to be told nothing.
    SameOriginOrNone,
    /// Let in by a rule; the browser must be told this origin.
    Allowed(HeaderValue),
    /// To be refused: an origin that no rule allows.
    Refused,
    /// To be refused: no browser sends such an `Origin`.
    Malformed,
}

impl Verdict {
    /// Whether the request may go on.
    pub(crate) fn admits(&self) -> bool {
        matches!(self, Self::SameOriginOrNone | Self::Allowed(_))
    }
}

/// As the Node server's `cors` package answers by default. Polling needs `GET` and `POST` only.
const METHODS: &str = "GET,HEAD,PUT,PATCH,POST,DELETE";

#[derive(Clone)]
enum Rule {
    Any,
    Exact(Box<str>),
    Matching(Pattern),
    Predicate(Predicate),
}

type Predicate = Arc<dyn Fn(&str, &Parts) -> bool + Send + Sync>;

impl Rule {
    fn allows(&self, origin: &str, parts: &Parts) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(listed) => listed.eq_ignore_ascii_case(origin),
            Self::Matching(pattern) => pattern.matches(origin),
            Self::Predicate(allow) => catch_unwind(AssertUnwindSafe(|| allow(origin, parts))).unwrap_or_else(|_| {
                tracing::error!("the predicate of Cors panicked: the origin is refused");
                false
            }),
        }
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("Any"),
            Self::Exact(origin) => f.debug_tuple("Exact").field(origin).finish(),
            Self::Matching(pattern) => f.debug_tuple("Matching").field(pattern).finish(),
            Self::Predicate(_) => f.write_str("Predicate"),
        }
    }
}

fn requested_host(parts: &Parts) -> Option<&str> {
    if let Some(authority) = parts.uri.authority() {
        return Some(authority.as_str());
    }
    let mut hosts = parts.headers.get_all(HOST).iter();
    let host = hosts.next()?.to_str().ok()?;
    // Two hosts are a request that was tampered with.
    hosts.next().is_none().then(|| host.trim())
}

/// Proxies append, so the first one is what the browser asked for.
fn forwarded_host(headers: &HeaderMap) -> Option<&str> {
    let hosts = headers.get("x-forwarded-host")?.to_str().ok()?;
    let first = hosts.split(',').next()?.trim();
    (!first.is_empty()).then_some(first)
}

/// The origin of a URL.
fn origin_of(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    Some(&url[..scheme.len() + "://".len() + authority.len()])
}

/// What the browser asks for, if it is a list of header names.
fn requested_headers(headers: &HeaderMap) -> Option<HeaderValue> {
    let asked = headers.get(ACCESS_CONTROL_REQUEST_HEADERS)?.as_bytes();
    let listed = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~, ".contains(byte);
    if !asked.iter().all(listed) {
        return None;
    }
    HeaderValue::from_bytes(asked).ok()
}

fn name_list<I>(names: I) -> HeaderValue
where
    I: IntoIterator<Item: AsRef<str>>,
{
    let names: Vec<_> = names
        .into_iter()
        .map(|name| {
            let Ok(name) = HeaderName::from_bytes(name.as_ref().as_bytes()) else {
                panic!("cors header `{}` is not a header name", name.as_ref())
            };
            name
        })
        .collect();
    let list = names.iter().map(HeaderName::as_str).collect::<Vec<_>>().join(",");
    HeaderValue::try_from(list).unwrap_or_else(|_| unreachable!("header names and commas are a header value"))
}

#[cfg(test)]
mod tests;
