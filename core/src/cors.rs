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
//! Patterns and the parts of an origin are in the second half of the file.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, CONTENT_LENGTH, HOST, ORIGIN, VARY,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};

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
    /// Clients of version 0.9 always ask for it across origins, and newer ones when their
    /// `withCredentials` is set; their browsers reject the answer without it. A WebSocket carries
    /// cookies either way.
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
            Self::Predicate(allow) => allow(origin, parts),
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

/// An origin with `*` in its host, or as its port, or both.
#[derive(Clone, Debug)]
struct Pattern {
    scheme: Box<str>,
    /// In lower case. `*` is one or more of [`is_host_byte`].
    host: Box<str>,
    port: PortPattern,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum PortPattern {
    Default,
    Written,
    Exactly(u16),
}

impl Pattern {
    fn configured(pattern: &str) -> Self {
        let reject = |why: &str| -> ! { panic!("cors pattern `{pattern}` {why}") };
        let lower = pattern.to_ascii_lowercase();
        let text = without_slash(&lower);
        if !text.contains('*') {
            reject("has no `*`: give exact origins to `origins` or `or_origins`");
        }
        if text == "*" {
            reject("allows every origin: use `Cors::any()`");
        }
        let Some((scheme, authority)) = text.split_once("://") else {
            reject("has no scheme: write it like `https://*.example.com`");
        };
        if !is_scheme(scheme) {
            reject(
                "has a scheme that is not letters, digits, `+`, `-` or `.`: add one \
                 pattern for each scheme",
            );
        }
        let (host, any_port) = authority
            .strip_suffix(":*")
            .map_or((authority, false), |host| (host, true));
        let Some((host, port)) = split_port(host) else {
            reject("has a port that is neither a number nor `*`");
        };
        let plain = host.bytes().all(|byte| is_host_byte(byte) || byte == b'*');
        if !(plain || is_bracketed(host)) || host.is_empty() || (any_port && port.is_some()) {
            reject(
                "is not `scheme://host` or `scheme://host:port`: leave out paths, \
                 queries and users, and write names outside ASCII as `xn--…`",
            );
        }
        if let Some((_, tail)) = host.rsplit_once('*')
            && host != "*"
            && !(tail.starts_with('.') && tail.len() > 1)
        {
            reject(
                "lets strangers register a host that matches: what follows the last `*` of the \
                 host must begin with `.`; use a predicate for anything else",
            );
        }
        let port = match port {
            _ if any_port => PortPattern::Written,
            Some(port) if default_port(scheme) != Some(port) => PortPattern::Exactly(port),
            _ => PortPattern::Default,
        };
        Self {
            scheme: scheme.into(),
            host: host.into(),
            port,
        }
    }

    fn matches(&self, origin: &str) -> bool {
        let lower = origin.to_ascii_lowercase();
        let Some(origin) = Origin::parse(&lower) else {
            return false;
        };
        let port = match self.port {
            PortPattern::Default => origin.port.is_none(),
            PortPattern::Written => origin.port.is_some(),
            PortPattern::Exactly(port) => origin.port == Some(port),
        };
        port && origin.scheme == &*self.scheme && host_matches(&self.host, origin.host)
    }
}

/// Both in lower case. Looks for the literal pieces from left to right, each as early as possible:
/// as every `*` takes the same characters, an earlier find never spoils a later one.
fn host_matches(pattern: &str, host: &str) -> bool {
    let Some((first, stars)) = pattern.split_once('*') else {
        return pattern == host;
    };
    let (middle, last) = stars
        .rsplit_once('*')
        .map_or((None, stars), |(middle, last)| (Some(middle), last));
    let Some(mut rest) = host.strip_prefix(first) else {
        return false;
    };
    if !host.bytes().all(is_host_byte) {
        return false;
    }
    for piece in middle.into_iter().flat_map(|middle| middle.split('*')) {
        // Host bytes are ASCII, so 1 is a boundary.
        match rest.get(1..).and_then(|after| after.split_once(piece)) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.len() > last.len() && rest.ends_with(last)
}

/// `scheme://host[:port]`, cut up. Schemes and hosts are not checked further.
struct Origin<'a> {
    scheme: &'a str,
    host: &'a str,
    port: Option<u16>,
}

impl<'a> Origin<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let (host, port) = split_port(authority)?;
        Some(Self { scheme, host, port })
    }

    fn default_port(&self) -> Option<u16> {
        default_port(self.scheme)
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    if scheme.eq_ignore_ascii_case("https") {
        Some(443)
    } else if scheme.eq_ignore_ascii_case("http") {
        Some(80)
    } else {
        None
    }
}

/// Host and port; an IPv6 host keeps its brackets. `None` if the port is not one, or if what is
/// left has a colon outside brackets.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let after_address = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    let Some(colon) = authority[after_address..].find(':') else {
        return Some((authority, None));
    };
    let (host, port) = authority.split_at(after_address + colon);
    let port = &port[1..];
    // RFC 3986 lets the port be empty. `parse` alone would take a `+`.
    if !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some((
        host,
        if port.is_empty() {
            None
        } else {
            Some(port.parse().ok()?)
        },
    ))
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

/// What the browser asks for, if it is a list of header names.
fn requested_headers(headers: &HeaderMap) -> Option<HeaderValue> {
    let asked = headers.get(ACCESS_CONTROL_REQUEST_HEADERS)?.as_bytes();
    let listed = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~, ".contains(byte);
    if !asked.iter().all(listed) {
        return None;
    }
    HeaderValue::from_bytes(asked).ok()
}

fn configured_origin(origin: &str) -> Box<str> {
    let reject = |why: &str| -> ! { panic!("cors origin `{origin}` {why}") };
    let lower = origin.to_ascii_lowercase();
    let text = without_slash(&lower);
    if text == "null" {
        return text.into();
    }
    if text == "*" {
        reject("allows every origin: use `Cors::any()`");
    }
    if text.contains('*') {
        reject("has a `*`: use `Cors::matching` or `or_matching`");
    }
    let Some((scheme, authority)) = text.split_once("://") else {
        reject("has no scheme: write it like `https://app.example`");
    };
    let Some((host, port)) = split_port(authority) else {
        reject("has a port that is not a number up to 65535");
    };
    let named = is_bracketed(host) || host.bytes().all(is_host_byte);
    // Browsers send `file://` with an empty host for files.
    let empty = host.is_empty() && (default_port(scheme).is_some() || port.is_some());
    if !is_scheme(scheme) || !named || empty {
        reject(
            "is not `scheme://host` or `scheme://host:port`: leave out paths, \
                 queries and users, and write names outside ASCII as `xn--…`",
        );
    }
    match port.filter(|&port| default_port(scheme) != Some(port)) {
        Some(port) => format!("{scheme}://{host}:{port}").into(),
        None => format!("{scheme}://{host}").into(),
    }
}

/// Without the slash that people copy from the address bar; those of `file://` stay.
fn without_slash(text: &str) -> &str {
    text.strip_suffix('/')
        .filter(|text| !text.ends_with(":/"))
        .unwrap_or(text)
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._".contains(&byte)
}

fn is_bracketed(host: &str) -> bool {
    host.strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .is_some_and(|address| {
            !address.is_empty()
                && address
                    .bytes()
                    .all(|byte| byte.is_ascii_hexdigit() || b":.".contains(&byte))
        })
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
mod tests {
    use std::panic::catch_unwind;

    use http::Request;
    use proptest::prelude::*;

    use super::*;

    fn request(headers: &[(&str, &str)]) -> Parts {
        let mut builder = Request::builder().uri("/socket.io/?EIO=4");
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        builder.body(()).unwrap().into_parts().0
    }

    fn from(origin: &str) -> Parts {
        request(&[("host", "server.example"), ("origin", origin)])
    }

    fn allows(cors: &Cors, origin: &str) -> bool {
        cors.check(&from(origin)) == Verdict::Allowed(origin.parse().unwrap())
    }

    fn written(cors: &Cors, parts: &Parts) -> HeaderMap {
        let mut headers = HeaderMap::new();
        cors.write_headers(&cors.check(parts), &mut headers);
        headers
    }

    fn map(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, value.parse().unwrap());
        }
        map
    }

    #[test]
    fn same_origin_is_host_and_port_whatever_the_scheme() {
        #[rustfmt::skip]
        let cases = [
            // Origin, Host, same?
            ("https://a.example", "a.example", true),
            ("http://a.example", "a.example", true),
            ("https://a.example", "a.example:443", true),
            ("https://a.example:443", "a.example", true),
            ("http://a.example", "a.example:80", true),
            ("https://a.example", "a.example:", true),
            ("https://a.example", "a.example:80", false),
            ("http://a.example", "a.example:443", false),
            ("http://a.example:443", "a.example", false),
            ("http://localhost:3000", "localhost:3000", true),
            ("http://localhost:3000", "localhost:3001", false),
            ("http://localhost:3000", "localhost", false),
            ("http://localhost", "localhost:3000", false),
            ("https://A.Example", "a.eXAMPLE", true),
            ("http://[::1]:3000", "[::1]:3000", true),
            ("http://[::1]", "[::1]", true),
            ("https://[2001:DB8::1]", "[2001:db8::1]:443", true),
            ("http://[::1]", "[::2]", false),
            ("http://[::1]:3000", "[::1]", false),
            ("https://a.example.evil.org", "a.example", false),
            ("https://a.example", "a.example.evil.org", false),
            ("https://evil.org", "a.example", false),
            ("https://sub.a.example", "a.example", false),
            ("https://a.example@evil.org", "a.example", false),
            ("https://a.example/", "a.example", false),
            ("https://a.example:99999", "a.example:99999", false),
            ("https://a.example:+443", "a.example", false),
            ("https://a.example:1:2", "a.example:1:2", false),
            ("https://", "", false),
            ("https://:443", ":443", false),
            ("a.example", "a.example", false),
            ("null", "null", false),
            ("file://", "", false),
            ("capacitor://localhost", "localhost", false),
            ("http://a.example, http://a.example", "a.example", false),
        ];
        for (origin, host, same) in cases {
            let parts = request(&[("host", host), ("origin", origin)]);
            assert_eq!(Cors::default().check(&parts).admits(), same, "{origin} on {host}");
        }
    }

    #[test]
    fn http2_authority_counts_as_the_host() {
        let mut parts = request(&[("origin", "https://a.example"), ("host", "evil.org")]);
        parts.uri = "https://a.example/socket.io/".parse().unwrap();
        assert_eq!(Cors::default().check(&parts), Verdict::SameOriginOrNone);
        parts.uri = "https://b.example/socket.io/".parse().unwrap();
        assert_eq!(Cors::default().check(&parts), Verdict::Refused);
    }

    #[test]
    fn no_origin_passes_and_no_host_does_not_match() {
        assert_eq!(Cors::default().check(&request(&[])), Verdict::SameOriginOrNone);
        assert_eq!(
            Cors::default().check(&request(&[("origin", "http://a.example")])),
            Verdict::Refused
        );
        let twice = request(&[
            ("host", "a.example"),
            ("host", "a.example"),
            ("origin", "http://a.example"),
        ]);
        assert_eq!(Cors::default().check(&twice), Verdict::Refused);
    }

    #[test]
    fn several_or_unreadable_origins_are_malformed_whatever_the_rules() {
        for cors in [Cors::same_origin(), Cors::any(), Cors::origins(["null"])] {
            let twice = request(&[
                ("host", "a.example"),
                ("origin", "http://a.example"),
                ("origin", "http://a.example"),
            ]);
            assert_eq!(cors.check(&twice), Verdict::Malformed);
            for bytes in [
                &b""[..],
                b"http://a.example http://b",
                b"http://a\tb",
                b"http://caf\xe9.example",
                b"\xff",
            ] {
                let mut parts = request(&[("host", "a.example")]);
                parts.headers.insert(ORIGIN, HeaderValue::from_bytes(bytes).unwrap());
                assert_eq!(cors.check(&parts), Verdict::Malformed, "{bytes:?}");
                assert!(!cors.check(&parts).admits());
            }
        }
    }

    #[test]
    fn forwarded_host_counts_only_if_trusted() {
        #[rustfmt::skip]
        let cases = [
            ("a.example", true),
            ("a.example, proxy", true),
            ("proxy, a.example", false),
            ("a.example:8443", false),
        ];
        for (forwarded, same) in cases {
            let parts = request(&[
                ("host", "inner:80"),
                ("x-forwarded-host", forwarded),
                ("origin", "https://a.example"),
            ]);
            assert!(!Cors::same_origin().check(&parts).admits(), "{forwarded}");
            assert_eq!(
                Cors::same_origin().trust_forwarded(true).check(&parts).admits(),
                same,
                "{forwarded}"
            );
        }
        let inner = request(&[
            ("host", "inner"),
            ("x-forwarded-host", "a.example"),
            ("origin", "https://inner"),
        ]);
        assert!(!Cors::same_origin().trust_forwarded(true).check(&inner).admits());
        let direct = request(&[("host", "a.example"), ("origin", "https://a.example")]);
        assert!(Cors::same_origin().trust_forwarded(true).check(&direct).admits());
    }

    #[test]
    fn listed_origins_are_exact_but_for_case() {
        let cors = Cors::origins([
            "https://App.example/",
            "http://localhost:3000",
            "https://b.example:443",
            "null",
            "file://",
        ])
        .or_origins(["capacitor://localhost", "http://[::1]:8080", "file:///"]);
        for origin in [
            "https://app.example",
            "https://APP.EXAMPLE",
            "http://localhost:3000",
            "https://b.example",
            "null",
            "file://",
            "capacitor://localhost",
            "http://[::1]:8080",
        ] {
            assert!(allows(&cors, origin), "{origin}");
        }
        for origin in [
            "http://app.example",
            "https://app.example:8443",
            "https://app.example.evil.org",
            "https://x.app.example",
            "https://app.example/",
            "http://localhost",
            "capacitor://localhost:1",
            "file:///etc/passwd",
            "nul",
            "*",
        ] {
            assert_eq!(cors.check(&from(origin)), Verdict::Refused, "{origin}");
        }
        assert!(cors.check(&from("https://server.example")).admits());
    }

    #[test]
    fn patterns_match_whole_origins() {
        #[rustfmt::skip]
        let cases = [
            ("https://*.example.com", "https://a.example.com", true),
            ("https://*.example.com", "https://a.b.example.com", true),
            ("https://*.example.com", "https://A.EXAMPLE.com", true),
            ("HTTPS://*.Example.com/", "https://a.example.com", true),
            ("https://*.example.com:443", "https://a.example.com", true),
            ("https://*.example.com", "https://example.com", false),
            ("https://*.example.com", "https://.example.com", false),
            ("https://*.example.com", "https://evil-example.com", false),
            ("https://*.example.com", "https://example.com.evil.org", false),
            ("https://*.example.com", "https://a.example.com.evil.org", false),
            ("https://*.example.com", "https://evil.org/.example.com", false),
            ("https://*.example.com", "https://evil.org?.example.com", false),
            ("https://*.example.com", "https://evil.org#.example.com", false),
            ("https://*.example.com", "https://evil.org@a.example.com", false),
            ("https://*.example.com", "https://evil.org:1.example.com", false),
            ("https://*.example.com", "https://evil.org\\.example.com", false),
            ("https://*.example.com", "https://[::1].example.com", false),
            ("https://*.example.com", "http://a.example.com", false),
            ("https://*.example.com", "https://a.example.com:8443", false),
            ("https://*.example.com", "xhttps://a.example.com", false),
            ("https://*.example.com", "null", false),
            ("https://*.example.com:8443", "https://a.example.com:8443", true),
            ("https://*.example.com:8443", "https://a.example.com", false),
            ("https://*.example.com:*", "https://a.example.com:1", true),
            ("https://*.example.com:*", "https://a.example.com", false),
            ("http://localhost:*", "http://localhost:5173", true),
            ("http://localhost:*", "http://localhost:evil.org", false),
            ("http://localhost:*", "http://localhost.evil.org:80", false),
            ("http://[::1]:*", "http://[::1]:5173", true),
            ("https://pr-*.a.example", "https://pr-7.a.example", true),
            ("https://pr-*.a.example", "https://pr-.a.example", false),
            ("https://pr-*.a.example", "https://xpr-7.a.example", false),
            ("https://*.eu.*.a.example", "https://x.eu.y.a.example", true),
            ("https://*.eu.*.a.example", "https://x.eu.eu.a.example", true),
            ("https://*.eu.*.a.example", "https://x.eu.a.example", false),
            ("https://**.a.example", "https://xy.a.example", true),
            ("https://**.a.example", "https://x.a.example", false),
            ("https://*", "https://anything.example", true),
            ("https://*", "https://anything.example:8443", false),
            ("https://*", "https://[::1]", false),
            ("chrome-extension://*", "chrome-extension://abcdef", true),
        ];
        for (pattern, origin, expected) in cases {
            assert_eq!(
                allows(&Cors::matching(pattern), origin),
                expected,
                "{pattern} on {origin}"
            );
        }
    }

    #[test]
    fn a_predicate_sees_the_origin_and_the_request_but_cannot_refuse_the_same_origin() {
        let cors = Cors::predicate(|origin, parts| origin.ends_with(".example") && parts.uri.path() == "/socket.io/");
        assert!(allows(&cors, "https://a.example"));
        assert_eq!(cors.check(&from("https://a.org")), Verdict::Refused);
        let never = Cors::predicate(|_, _| false);
        assert_eq!(never.check(&from("https://server.example")), Verdict::SameOriginOrNone);
    }

    #[test]
    fn rules_add_up() {
        let cors = Cors::matching("https://*.a.example")
            .or_origins(["https://b.example"])
            .or_predicate(|origin, _| origin == "c:");
        for origin in ["https://x.a.example", "https://b.example", "c:"] {
            assert!(allows(&cors, origin), "{origin}");
        }
        assert!(!allows(&cors, "https://c.example"));
        assert!(allows(&Cors::any(), "null"));
    }

    #[test]
    fn useless_settings_panic_with_the_input_and_the_remedy() {
        type Case = (fn() -> Cors, &'static [&'static str]);
        #[rustfmt::skip]
        let cases: &[Case] = &[
            (|| Cors::origins(["*"]), &["`*`", "Cors::any()"]),
            (|| Cors::origins(["https://*.a"]), &["`https://*.a`", "or_matching"]),
            (|| Cors::origins(["app.example"]), &["`app.example`", "no scheme"]),
            (|| Cors::origins([""]), &["``", "no scheme"]),
            (|| Cors::origins(["https://"]), &["leave out"]),
            (|| Cors::origins(["https://a/b"]), &["`https://a/b`", "leave out paths"]),
            (|| Cors::origins(["https://a//"]), &["leave out paths"]),
            (|| Cors::origins(["https://u@a"]), &["leave out"]),
            (|| Cors::origins(["https://a?b"]), &["leave out"]),
            (|| Cors::origins(["https://bücher.example"]), &["bücher", "xn--"]),
            (|| Cors::origins(["https://a:b"]), &["port"]),
            (|| Cors::origins(["https://a:65536"]), &["65535"]),
            (|| Cors::origins(["https://a b"]), &["leave out"]),
            (|| Cors::origins(["1x://a"]), &["scheme"]),
            (|| Cors::origins(["https://[::1"]), &["port"]),
            (|| Cors::origins(["https://::1"]), &["port"]),
            (|| Cors::matching("*"), &["Cors::any()"]),
            (|| Cors::matching("https://a.example"), &["no `*`", "or_origins"]),
            (|| Cors::matching("*.example.com"), &["no scheme"]),
            (|| Cors::matching("*://a.example"), &["each scheme"]),
            (|| Cors::matching("https://*example.com"), &["strangers", "predicate"]),
            (|| Cors::matching("https://*.a.*"), &["strangers"]),
            (|| Cors::matching("http://10.0.0.*"), &["strangers"]),
            (|| Cors::matching("https://*."), &["strangers"]),
            (|| Cors::matching("https://*.a/b"), &["leave out"]),
            (|| Cors::matching("https://*.a:8*"), &["port"]),
            (|| Cors::matching("https://*.a:1:*"), &["leave out"]),
            (|| Cors::matching("https://:*"), &["leave out"]),
            (|| Cors::any().allow_headers(["a b"]), &["`a b`", "header name"]),
            (|| Cors::any().expose_headers([""]), &["``", "header name"]),
        ];
        for (index, (configure, texts)) in cases.iter().enumerate() {
            let panic = catch_unwind(configure).expect_err(&format!("case {index}"));
            let message = panic.downcast_ref::<String>().unwrap();
            for text in *texts {
                assert!(message.contains(text), "{text} in {message}");
            }
        }
    }

    #[test]
    fn answers_name_the_origin_and_vary_by_it() {
        let allowed = from("https://a.example");
        let refused = from("https://b.example");
        let plain = Cors::origins(["https://a.example"]);
        let full = plain.clone().credentials(true).expose_headers(["X-A", "x-b"]);
        let vary = map(&[("vary", "Origin")]);

        assert_eq!(written(&Cors::same_origin(), &allowed), map(&[]));
        assert_eq!(
            written(&plain, &allowed),
            map(&[("vary", "Origin"), ("access-control-allow-origin", "https://a.example")])
        );
        assert_eq!(
            written(&full, &allowed),
            map(&[
                ("vary", "Origin"),
                ("access-control-allow-origin", "https://a.example"),
                ("access-control-allow-credentials", "true"),
                ("access-control-expose-headers", "x-a,x-b"),
            ])
        );
        for parts in [
            refused,
            request(&[]),
            from("https://server.example"),
            request(&[("origin", "")]),
        ] {
            assert_eq!(written(&full, &parts), vary, "{parts:?}");
        }
        assert_eq!(
            written(&Cors::any(), &allowed)[ACCESS_CONTROL_ALLOW_ORIGIN],
            "https://a.example"
        );
        // Same host, other scheme: let in anyway, and its browser is told if it is listed.
        assert!(allows(&Cors::any(), "http://server.example"));
    }

    #[test]
    fn another_vary_is_kept() {
        let cors = Cors::any();
        let mut headers = map(&[("vary", "Accept-Encoding")]);
        cors.write_headers(&cors.check(&from("https://a.example")), &mut headers);
        assert!(headers.get_all(VARY).iter().eq(["Accept-Encoding", "Origin"]));
    }

    fn preflight(cors: &Cors, headers: &[(&str, &str)]) -> HeaderMap {
        let mut parts = request(headers);
        parts.method = Method::OPTIONS;
        parts
            .headers
            .insert(ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("POST"));
        let response = cors.preflight(&parts).unwrap();
        assert_eq!(response.status(), StatusCode::NO_CONTENT);
        response.headers().clone()
    }

    #[test]
    fn an_allowed_preflight_gets_everything_the_browser_asks() {
        let asked = [
            ("origin", "https://a.example"),
            ("access-control-request-headers", "x-foo, content-type"),
        ];
        assert_eq!(
            preflight(&Cors::origins(["https://a.example"]).credentials(true), &asked),
            map(&[
                ("content-length", "0"),
                ("vary", "Origin"),
                ("vary", "Access-Control-Request-Headers"),
                ("access-control-allow-origin", "https://a.example"),
                ("access-control-allow-credentials", "true"),
                ("access-control-allow-methods", "GET,HEAD,PUT,PATCH,POST,DELETE"),
                ("access-control-allow-headers", "x-foo, content-type"),
            ])
        );
        let fixed = Cors::any()
            .allow_headers(["X-B", "x-c"])
            .expose_headers(["x-d"])
            .max_age(Duration::from_millis(1500));
        assert_eq!(
            preflight(&fixed, &asked),
            map(&[
                ("content-length", "0"),
                ("vary", "Origin"),
                ("access-control-allow-origin", "https://a.example"),
                ("access-control-allow-methods", "GET,HEAD,PUT,PATCH,POST,DELETE"),
                ("access-control-allow-headers", "x-b,x-c"),
                ("access-control-max-age", "1"),
            ])
        );
        assert!(!preflight(&Cors::any().allow_headers([""; 0]), &asked).contains_key(ACCESS_CONTROL_ALLOW_HEADERS));
    }

    #[test]
    fn a_refused_preflight_gets_no_allow_header() {
        let asked = [
            ("origin", "https://evil.org"),
            ("access-control-request-headers", "x-foo"),
        ];
        assert_eq!(preflight(&Cors::same_origin(), &asked), map(&[("content-length", "0")]));
        let listed = Cors::origins(["https://a.example"])
            .allow_headers(["x-a"])
            .credentials(true);
        assert_eq!(
            preflight(&listed, &asked),
            map(&[("content-length", "0"), ("vary", "Origin")])
        );
    }

    #[test]
    fn odd_requested_headers_are_not_reflected() {
        for odd in ["x-a: b", "<script>", "x\"y", "caf\u{e9}"] {
            let headers = preflight(
                &Cors::any(),
                &[("origin", "https://a.example"), ("access-control-request-headers", odd)],
            );
            assert!(!headers.contains_key(ACCESS_CONTROL_ALLOW_HEADERS), "{odd}");
        }
    }

    #[test]
    fn only_options_with_a_requested_method_is_a_preflight() {
        let mut parts = from("https://a.example");
        parts
            .headers
            .insert(ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("POST"));
        assert!(Cors::any().preflight(&parts).is_none());
        parts.method = Method::OPTIONS;
        assert!(Cors::any().preflight(&parts).is_some());
        parts.headers.remove(ACCESS_CONTROL_REQUEST_METHOD);
        assert!(Cors::any().preflight(&parts).is_none());
    }

    #[test]
    fn debug_shows_the_rules() {
        let text = format!("{:?}", Cors::origins(["https://a.example"]).or_predicate(|_, _| true));
        assert!(
            text.contains("https://a.example") && text.contains("Predicate"),
            "{text}"
        );
    }

    /// What a host pattern means, said by trying every split.
    fn naive(pattern: &[u8], host: &[u8]) -> bool {
        match pattern {
            [] => host.is_empty(),
            [b'*', rest @ ..] => {
                (1..=host.len()).any(|n| host[..n].iter().all(|&b| is_host_byte(b)) && naive(rest, &host[n..]))
            }
            [byte, rest @ ..] => host.first() == Some(byte) && naive(rest, &host[1..]),
        }
    }

    proptest! {
        #[test]
        fn host_patterns_mean_what_they_say(pattern in "[ab.*]{1,8}", host in "[ab./]{0,10}") {
            prop_assert_eq!(
                host_matches(&pattern, &host),
                naive(pattern.as_bytes(), host.as_bytes()),
                "{} on {}", pattern, host
            );
        }

        #[test]
        fn any_bytes_are_judged_without_panic(
            values in prop::array::uniform4(
                prop::collection::vec(prop_oneof![b' '..=b'~', 0x80..=0xffu8], 0..40)
            )
        ) {
            let mut parts = request(&[("access-control-request-method", "POST")]);
            parts.method = Method::OPTIONS;
            let names = ["origin", "host", "x-forwarded-host", "access-control-request-headers"];
            for (name, value) in names.into_iter().zip(&values) {
                parts.headers.insert(name, HeaderValue::from_bytes(value).unwrap());
            }
            let forwarded = Cors::matching("https://*.a.example:*").trust_forwarded(true);
            for cors in [Cors::any(), forwarded, Cors::origins(["null"])] {
                written(&cors, &parts);
                prop_assert!(cors.preflight(&parts).is_some());
            }
        }

        #[test]
        fn origins_close_to_real_ones_are_judged_without_panic(
            origin in "(https?|capacitor)?(://)?[a-b.:@/\\[\\]*0-9]{0,12}",
            host in "[a-b.:@/\\[\\]0-9]{0,12}",
        ) {
            let parts = request(&[("origin", &origin), ("host", &host)]);
            written(&Cors::matching("http://*.b:*"), &parts);
        }

        #[test]
        fn no_stranger_matches_a_pattern_for_a_domain(
            host in "[a-z.:/@_-]{0,12}(example\\.com)?[a-z.:/@-]{0,6}"
        ) {
            let cors = Cors::matching("https://*.example.com");
            let origin = format!("https://{host}");
            if allows(&cors, &origin) {
                prop_assert!(host.ends_with(".example.com"));
                prop_assert!(!host.contains(['/', ':', '@']));
            }
        }
    }
}
