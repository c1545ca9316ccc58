//! Origins as browsers write them, and patterns that match them. Pure text; what a match means is
//! the parent's.

/// An origin with `*` in its host, or as its port, or both.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
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
    pub(super) fn configured(pattern: &str) -> Self {
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

    pub(super) fn matches(&self, origin: &str) -> bool {
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
pub(super) fn host_matches(pattern: &str, host: &str) -> bool {
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
pub(super) struct Origin<'a> {
    pub(super) scheme: &'a str,
    pub(super) host: &'a str,
    pub(super) port: Option<u16>,
}

impl<'a> Origin<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let (host, port) = split_port(authority)?;
        Some(Self { scheme, host, port })
    }

    pub(super) fn default_port(&self) -> Option<u16> {
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
pub(super) fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
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

pub(super) fn configured_origin(origin: &str) -> Box<str> {
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

pub(super) fn is_host_byte(byte: u8) -> bool {
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
