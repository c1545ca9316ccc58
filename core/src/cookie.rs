//! The cookie that names a client's session, for load balancers: its attributes as a header.

use std::{fmt, fmt::Write as _, time::Duration, time::SystemTime};

use http::HeaderValue;

/// A cookie whose value is the id of a client's session, for a load balancer that sends all requests of
/// a session to the same server: see [`SocketIoBuilder::cookie`](crate::SocketIoBuilder::cookie).
///
/// As the reference server's: unless told otherwise it is of the path `/`, `HttpOnly`, and
/// `SameSite=Lax`, and the browser forgets it when it is closed.
///
/// ```
/// use tower_socketio::{Cookie, SameSite, SocketIo};
///
/// let cookie = Cookie::new("io").secure(true).same_site(SameSite::None);
/// assert_eq!(cookie.to_string(), "io=…; Path=/; HttpOnly; Secure; SameSite=None");
/// let io = SocketIo::builder().cookie(cookie).build();
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cookie {
    name: Box<str>,
    domain: Option<Box<str>>,
    path: Box<str>,
    max_age: Option<Duration>,
    expires: Option<SystemTime>,
    http_only: bool,
    secure: bool,
    partitioned: bool,
    same_site: Option<SameSite>,
    priority: Option<Priority>,
}

/// On which requests from other sites' pages a browser sends a [`Cookie`].
///
/// ```
/// use tower_socketio::{Cookie, SameSite};
///
/// let cookie = Cookie::new("io").same_site(SameSite::Strict);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SameSite {
    /// On none.
    Strict,
    /// On those that follow a link. The default.
    Lax,
    /// On all. The cookie must be `Secure`.
    None,
}

/// Which [`Cookie`]s Chromium forgets first when a site has too many.
///
/// ```
/// use tower_socketio::{Cookie, Priority};
///
/// let cookie = Cookie::new("io").priority(Priority::High);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Priority {
    /// Before the others.
    Low,
    /// What it is where nothing is said.
    Medium,
    /// After the others.
    High,
}

impl Cookie {
    /// A cookie of that name. The reference server's is called `io` unless told otherwise.
    ///
    /// # Panics
    /// When it is no name of a cookie: empty, or with anything but ASCII letters, digits and
    /// ``!#$%&'*+-.^_`|~``.
    ///
    /// ```
    /// use tower_socketio::{Cookie, SocketIo};
    ///
    /// let io = SocketIo::builder().cookie(Cookie::new("io")).build();
    /// ```
    #[must_use]
    pub fn new(name: &str) -> Self {
        let is_name = !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
        assert!(
            is_name,
            "{name:?} is no name of a cookie: use ASCII letters, digits, `-` and `_`"
        );
        Self {
            name: name.into(),
            domain: None,
            path: "/".into(),
            max_age: None,
            expires: None,
            http_only: true,
            secure: false,
            partitioned: false,
            same_site: Some(SameSite::Lax),
            priority: None,
        }
    }

    /// The host that it is sent to, with all its subdomains. Default: the server's own host alone.
    ///
    /// # Panics
    /// When it is no host name.
    ///
    /// ```
    /// use tower_socketio::Cookie;
    ///
    /// let cookie = Cookie::new("io").domain("example.com");
    /// ```
    #[must_use]
    pub fn domain(mut self, domain: &str) -> Self {
        let is_domain = !domain.is_empty()
            && domain
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'));
        assert!(is_domain, "{domain:?} is no domain of a cookie: give a host name");
        self.domain = Some(domain.into());
        self
    }

    /// The path beneath which it is sent. Default `/`.
    ///
    /// # Panics
    /// When it does not begin with a slash, or has a `;`, a space or anything but visible ASCII.
    ///
    /// ```
    /// use tower_socketio::Cookie;
    ///
    /// let cookie = Cookie::new("io").path("/socket.io");
    /// ```
    #[must_use]
    pub fn path(mut self, path: &str) -> Self {
        let is_path = path.starts_with('/') && path.bytes().all(|b| b.is_ascii_graphic() && b != b';');
        assert!(
            is_path,
            "{path:?} is no path of a cookie: begin with a slash, and use visible ASCII without `;`"
        );
        self.path = path.into();
        self
    }

    /// How long the browser keeps it, in whole seconds; zero: not at all. Default: until it is closed.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_socketio::Cookie;
    ///
    /// let cookie = Cookie::new("io").max_age(Duration::from_secs(24 * 60 * 60));
    /// ```
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// Until when the browser keeps it, to the second. Default: until it is closed.
    /// [`max_age`](Self::max_age) counts where both are said.
    ///
    /// # Panics
    /// When it is after the year 9999 or before 1970.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use tower_socketio::Cookie;
    ///
    /// let cookie = Cookie::new("io").expires(SystemTime::UNIX_EPOCH + Duration::from_secs(4_102_444_800));
    /// assert!(cookie.to_string().contains("Expires=Fri, 01 Jan 2100 00:00:00 GMT"));
    /// ```
    #[must_use]
    pub fn expires(mut self, at: SystemTime) -> Self {
        // The seconds from 1970 to the end of 9999: HTTP's years have four digits.
        const LAST: u64 = 253_402_300_799;
        let since = at.duration_since(SystemTime::UNIX_EPOCH);
        let is_date = since.is_ok_and(|since| since.as_secs() <= LAST);
        assert!(is_date, "{at:?} is no time for a cookie: it must be from 1970 to 9999");
        self.expires = Some(at);
        self
    }

    /// Whether scripts of the page are kept from it. Default: yes.
    ///
    /// ```
    /// use tower_socketio::Cookie;
    ///
    /// let cookie = Cookie::new("io").http_only(false);
    /// ```
    #[must_use]
    pub fn http_only(mut self, hidden: bool) -> Self {
        self.http_only = hidden;
        self
    }

    /// Whether it is sent over TLS only. Default: no.
    ///
    /// ```
    /// use tower_socketio::Cookie;
    ///
    /// let cookie = Cookie::new("io").secure(true);
    /// ```
    #[must_use]
    pub fn secure(mut self, secure: bool) -> Self {
        self.secure = secure;
        self
    }

    /// On which requests from other sites' pages it is sent. Default [`SameSite::Lax`]; `None`: not said,
    /// which browsers take for what they like.
    ///
    /// ```
    /// use tower_socketio::{Cookie, SameSite};
    ///
    /// let cookie = Cookie::new("io").same_site(SameSite::Strict);
    /// ```
    #[must_use]
    pub fn same_site(mut self, same_site: impl Into<Option<SameSite>>) -> Self {
        self.same_site = same_site.into();
        self
    }

    /// Whether each site that embeds the page has a cookie of its own (`Partitioned`). Default: no.
    ///
    /// ```
    /// use tower_socketio::Cookie;
    ///
    /// let cookie = Cookie::new("io").secure(true).partitioned(true);
    /// ```
    #[must_use]
    pub fn partitioned(mut self, partitioned: bool) -> Self {
        self.partitioned = partitioned;
        self
    }

    /// Which cookies are forgotten first. Default: not said.
    ///
    /// ```
    /// use tower_socketio::{Cookie, Priority};
    ///
    /// let cookie = Cookie::new("io").priority(Priority::Low);
    /// ```
    #[must_use]
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = Some(priority);
        self
    }

    /// Panics where browsers would drop it.
    pub(crate) fn checked(self) -> Self {
        let needs_tls = self.partitioned || self.same_site == Some(SameSite::None);
        assert!(
            self.secure || !needs_tls,
            "browsers drop the cookie {self}: `SameSite=None` and `Partitioned` want `.secure(true)`"
        );
        self
    }

    /// The value of `Set-Cookie`. `value` must have no character that means something there.
    pub(crate) fn with_value(&self, value: &str) -> HeaderValue {
        let cookie = self.written(value);
        HeaderValue::from_str(&cookie).unwrap_or_else(|_| unreachable!("all parts of a cookie are visible ASCII"))
    }

    fn written(&self, value: &str) -> String {
        let mut cookie = format!("{}={value}", self.name);
        let mut add = |name: &str, value: &dyn fmt::Display| {
            let _ = write!(cookie, "; {name}={value}");
        };
        if let Some(age) = self.max_age {
            add("Max-Age", &age.as_secs());
        }
        if let Some(domain) = &self.domain {
            add("Domain", domain);
        }
        add("Path", &self.path);
        if let Some(at) = self.expires {
            add("Expires", &httpdate::HttpDate::from(at));
        }
        let flags = [
            (self.http_only, "; HttpOnly"),
            (self.secure, "; Secure"),
            (self.partitioned, "; Partitioned"),
        ];
        cookie.extend(flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| flag));
        if let Some(priority) = self.priority {
            let _ = write!(cookie, "; Priority={priority:?}");
        }
        if let Some(same_site) = self.same_site {
            let _ = write!(cookie, "; SameSite={same_site:?}");
        }
        cookie
    }
}

/// As the header has it, with `…` for the value.
impl fmt::Display for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written("…"))
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    #[test]
    fn every_attribute_is_written() {
        let cookie = Cookie::new("io");
        assert_eq!(cookie.with_value("abc"), "io=abc; Path=/; HttpOnly; SameSite=Lax");
        let cookie = Cookie::new("sticky")
            .domain("example.com")
            .path("/live")
            .max_age(Duration::from_secs(86_400))
            .expires(SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777))
            .secure(true)
            .partitioned(true)
            .priority(Priority::High)
            .same_site(SameSite::None);
        assert_eq!(
            cookie.checked().with_value("abc"),
            "sticky=abc; Max-Age=86400; Domain=example.com; Path=/live; Expires=Sun, 06 Nov 1994 08:49:37 GMT; \
             HttpOnly; Secure; Partitioned; Priority=High; SameSite=None"
        );
        let bare = Cookie::new("io").http_only(false).same_site(None);
        assert_eq!(bare.with_value("abc"), "io=abc; Path=/");
    }

    #[test]
    fn what_would_break_the_header_is_refused() {
        let far = SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_800);
        let early = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        let bad: [fn() -> Cookie; 9] = [
            || Cookie::new(""),
            || Cookie::new("a=b"),
            || Cookie::new("a\r\nx: y"),
            || Cookie::new("io").path("live"),
            || Cookie::new("io").path("/a; Secure"),
            || Cookie::new("io").path("/é"),
            || Cookie::new("io").domain(""),
            || Cookie::new("io").domain("a;b"),
            || Cookie::new("io").domain("a b"),
        ];
        for (number, cookie) in bad.into_iter().enumerate() {
            assert!(catch_unwind(cookie).is_err(), "{number}");
        }
        for at in [far, early] {
            assert!(catch_unwind(|| Cookie::new("io").expires(at)).is_err(), "{at:?}");
        }
        let last = far - Duration::from_secs(1);
        let cookie = Cookie::new("io").expires(last).with_value("abc");
        assert!(
            cookie
                .to_str()
                .unwrap()
                .contains("Expires=Fri, 31 Dec 9999 23:59:59 GMT")
        );
    }

    #[test]
    fn what_browsers_would_drop_is_refused() {
        for cookie in [
            Cookie::new("io").same_site(SameSite::None),
            Cookie::new("io").partitioned(true),
        ] {
            assert!(catch_unwind(|| cookie.clone().checked()).is_err());
            assert_eq!(cookie.clone().secure(true).checked(), cookie.secure(true));
        }
    }
}
