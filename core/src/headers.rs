//! A request's headers, kept for as long as a connection lives.
//!
//! Owns one block of bytes: for every header a name length (2 bytes), a value length (4 bytes), the
//! name and the value. A server keeps one for every connected client, so it is one exact
//! allocation, and the buffer that the HTTP library had read the request into is free to go.
//!
//! Never changes once made, and never prints a cookie or a credential. What else a handler may know
//! of the request is the handshake's.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

/// The headers of the request that opened a connection, as a compact and immutable copy.
///
/// Names are compared without regard to case and come back in lower case. The order is that of the
/// [`HeaderMap`] it was made from. It costs the length of all names and values and 6 bytes a
/// header, in one allocation. A value of 4 GiB or more is left out; no HTTP server accepts one.
///
/// `Debug` prints `<redacted>` in place of the values of `cookie`, `authorization` and
/// `proxy-authorization`.
///
/// ```
/// use tower_socketio::Headers;
///
/// let mut map = http::HeaderMap::new();
/// map.insert("user-agent", "curl/8".parse()?);
/// map.insert("cookie", "theme=dark; id=7".parse()?);
///
/// let headers = Headers::from(&map);
/// assert_eq!(headers.get("User-Agent"), Some("curl/8"));
/// assert_eq!(headers.cookie("id"), Some("7"));
/// # Ok::<(), http::header::InvalidHeaderValue>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers {
    block: Box<[u8]>,
}

impl Headers {
    /// The first value under `name`, or `None` if there is none or it is not UTF-8
    /// ([`get_bytes`](Self::get_bytes) reads that one too).
    ///
    /// ```
    /// # use tower_socketio::Headers;
    /// let mut map = http::HeaderMap::new();
    /// map.insert("accept-language", "de".parse()?);
    /// let headers = Headers::from(&map);
    /// assert_eq!(headers.get("Accept-Language"), Some("de"));
    /// assert_eq!(headers.get("referer"), None);
    /// # Ok::<(), http::header::InvalidHeaderValue>(())
    /// ```
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.get_bytes(name)?).ok()
    }

    /// The first value under `name`, as it came.
    ///
    /// ```
    /// # use tower_socketio::Headers;
    /// let mut map = http::HeaderMap::new();
    /// map.insert("x-name", http::HeaderValue::from_bytes(b"caf\xe9")?);
    /// let headers = Headers::from(&map);
    /// assert_eq!(headers.get("x-name"), None);
    /// assert_eq!(headers.get_bytes("x-name"), Some(&b"caf\xe9"[..]));
    /// # Ok::<(), http::header::InvalidHeaderValue>(())
    /// ```
    #[must_use]
    pub fn get_bytes(&self, name: &str) -> Option<&[u8]> {
        self.get_all(name).next()
    }

    /// Every value under `name`, as they came.
    ///
    /// ```
    /// # use tower_socketio::Headers;
    /// let mut map = http::HeaderMap::new();
    /// map.append("x-forwarded-for", "192.0.2.1".parse()?);
    /// map.append("x-forwarded-for", "192.0.2.2".parse()?);
    /// let headers = Headers::from(&map);
    /// assert!(headers.get_all("x-forwarded-for").eq([b"192.0.2.1", b"192.0.2.2"]));
    /// # Ok::<(), http::header::InvalidHeaderValue>(())
    /// ```
    pub fn get_all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.iter()
            .filter(move |(held, _)| held.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// Every header with its value. A name with several values comes once for each.
    ///
    /// ```
    /// # use tower_socketio::Headers;
    /// let mut map = http::HeaderMap::new();
    /// map.insert("Host", "a.example".parse()?);
    /// let headers = Headers::from(&map);
    /// assert!(headers.iter().eq([("host", &b"a.example"[..])]));
    /// # Ok::<(), http::header::InvalidHeaderValue>(())
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        Records { rest: &self.block }
    }

    /// The value of the cookie called exactly `name`, or `None` if there is none or it is not
    /// UTF-8.
    ///
    /// Reads every `Cookie` header, since HTTP/2 may send one for each cookie, and takes the first
    /// match: browsers put the cookie of the most specific path first. One pair of double quotes
    /// around the value is stripped; nothing is percent-decoded.
    ///
    /// ```
    /// # use tower_socketio::Headers;
    /// let mut map = http::HeaderMap::new();
    /// map.insert("cookie", "id=\"7\"; theme=dark".parse()?);
    /// let headers = Headers::from(&map);
    /// assert_eq!(headers.cookie("id"), Some("7"));
    /// assert_eq!(headers.cookie("ID"), None);
    /// # Ok::<(), http::header::InvalidHeaderValue>(())
    /// ```
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let mut pairs = self.get_all("cookie").flat_map(|line| line.split(|&byte| byte == b';'));
        let value = pairs.find_map(|pair| {
            let equals = pair.iter().position(|&byte| byte == b'=')?;
            let (held, value) = (pair[..equals].trim_ascii(), pair[equals + 1..].trim_ascii());
            (held == name.as_bytes()).then_some(value)
        })?;
        let bare = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
        std::str::from_utf8(bare.unwrap_or(value)).ok()
    }

    /// A [`HeaderMap`] of the same headers, for libraries that read one. All its values share one
    /// allocation; those that `Debug` hides here are marked sensitive there.
    ///
    /// ```
    /// # use tower_socketio::Headers;
    /// let mut map = http::HeaderMap::new();
    /// map.insert("host", "a.example".parse()?);
    /// assert_eq!(Headers::from(&map).to_header_map(), map);
    /// # Ok::<(), http::header::InvalidHeaderValue>(())
    /// ```
    #[must_use]
    pub fn to_header_map(&self) -> HeaderMap {
        let shared = Bytes::copy_from_slice(&self.block);
        let mut map = HeaderMap::new();
        for (name, value) in (Records { rest: &shared }) {
            // Both were valid in the map they came from, so nothing is left out here.
            let value = HeaderValue::from_maybe_shared(shared.slice_ref(value));
            if let (Ok(held), Ok(mut value)) = (HeaderName::from_bytes(name.as_bytes()), value) {
                value.set_sensitive(is_secret(name));
                map.append(held, value);
            }
        }
        map
    }
}

impl From<&HeaderMap> for Headers {
    fn from(map: &HeaderMap) -> Self {
        let sized = || {
            map.iter().filter_map(|(name, value)| {
                let name_length = u16::try_from(name.as_str().len()).ok()?;
                let value_length = u32::try_from(value.len()).ok()?;
                Some((name, name_length, value, value_length))
            })
        };
        let total = sized()
            .map(|(name, _, value, _)| LENGTHS + name.as_str().len() + value.len())
            .sum();
        let mut block = Vec::with_capacity(total);
        for (name, name_length, value, value_length) in sized() {
            block.extend_from_slice(&name_length.to_le_bytes());
            block.extend_from_slice(&value_length.to_le_bytes());
            block.extend_from_slice(name.as_str().as_bytes());
            block.extend_from_slice(value.as_bytes());
        }
        Self {
            block: block.into_boxed_slice(),
        }
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.iter().map(|(name, value)| {
                let shown = if is_secret(name) {
                    "<redacted>".to_owned()
                } else {
                    value.escape_ascii().to_string()
                };
                (name, shown)
            }))
            .finish()
    }
}

/// Bytes of the two lengths before each name.
const LENGTHS: usize = 2 + 4;

/// Walks the block. Ends at the first record that does not fit, which a block made by `From` never
/// has.
struct Records<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Records<'a> {
    type Item = (&'a str, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (name_length, rest) = self.rest.split_first_chunk::<2>()?;
        let (value_length, rest) = rest.split_first_chunk::<4>()?;
        let (name, rest) = rest.split_at_checked(u16::from_le_bytes(*name_length).into())?;
        let (value, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*value_length)).ok()?)?;
        self.rest = rest;
        Some((std::str::from_utf8(name).ok()?, value))
    }
}

fn is_secret(name: &str) -> bool {
    matches!(name, "cookie" | "authorization" | "proxy-authorization")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(pairs: &[(&'static str, &[u8])]) -> Headers {
        let mut map = HeaderMap::new();
        for &(name, value) in pairs {
            map.append(name, HeaderValue::from_bytes(value).unwrap());
        }
        Headers::from(&map)
    }

    #[test]
    fn costs_its_text_and_six_bytes_a_header() {
        #[rustfmt::skip]
        let pairs: [(&'static str, &[u8]); 15] = [
            ("host", b"app.example"),
            ("connection", b"Upgrade"),
            ("pragma", b"no-cache"),
            ("cache-control", b"no-cache"),
            ("user-agent", b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"),
            ("upgrade", b"websocket"),
            ("origin", b"https://app.example"),
            ("sec-websocket-version", b"13"),
            ("accept-encoding", b"gzip, deflate, br, zstd"),
            ("accept-language", b"de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7"),
            ("cookie", b"session=0123456789abcdef0123456789abcdef; theme=dark; _ga=GA1.1.1234567890.1234567890"),
            ("sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
            ("sec-websocket-extensions", b"permessage-deflate; client_max_window_bits"),
            ("sec-fetch-site", b"same-origin"),
            ("sec-fetch-mode", b"websocket"),
        ];
        let text: usize = pairs.iter().map(|(name, value)| name.len() + value.len()).sum();
        assert_eq!(size_of_val(&*headers(&pairs).block), text + 6 * pairs.len());
        assert!(size_of::<Headers>() <= 32);
    }

    #[test]
    fn no_headers_allocate_nothing() {
        let none = Headers::from(&HeaderMap::new());
        assert_eq!(none.block.len(), 0);
        assert_eq!(none, Headers::default());
        assert_eq!(none.iter().count(), 0);
        assert_eq!(none.cookie(""), None);
    }

    #[test]
    fn order_and_repeats_are_kept() {
        let held = headers(&[("b", b"1"), ("a", b"2"), ("c", b""), ("a", b"3")]);
        let all: Vec<_> = held.iter().collect();
        assert_eq!(all, [("b", &b"1"[..]), ("a", b"2"), ("a", b"3"), ("c", b"")]);
        assert!(held.get_all("A").eq([b"2", b"3"]));
    }

    #[test]
    fn names_are_compared_whole_and_without_case() {
        let held = headers(&[("x-token-id", b"1"), ("x-token", b"2")]);
        assert_eq!(held.get("X-Token"), Some("2"));
        assert_eq!(held.get("x-toke"), None);
        assert_eq!(held.get(""), None);
    }

    #[test]
    fn a_value_that_is_not_utf8_is_only_there_as_bytes() {
        let held = headers(&[("x", b"\xff"), ("x", b"ok"), ("y", "é".as_bytes())]);
        assert_eq!(held.get("x"), None);
        assert_eq!(held.get_bytes("x"), Some(&b"\xff"[..]));
        assert_eq!(held.get("y"), Some("é"));
    }

    #[test]
    fn long_names_and_values_are_kept() {
        let value = vec![b'v'; 100_000];
        let name = "n".repeat(20_000);
        let mut map = HeaderMap::new();
        map.insert(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_bytes(&value).unwrap(),
        );
        assert_eq!(Headers::from(&map).get_bytes(&name), Some(&value[..]));
    }

    #[test]
    fn cookies_are_found_by_exact_name() {
        type Case<'a> = (&'a [&'a [u8]], &'a str, Option<&'a str>);
        #[rustfmt::skip]
        let cases: &[Case<'_>] = &[
            (&[b"a=1"], "a", Some("1")),
            (&[b"a=1; b=2"], "b", Some("2")),
            (&[b"a=1;b=2"], "b", Some("2")),
            (&[b"a=1", b"b=2"], "b", Some("2")),
            (&[b"a=1; a=2", b"a=3"], "a", Some("1")),
            (&[b"  a = 1  ; b=2"], "a", Some("1")),
            (&[b"xa=1; a=2"], "a", Some("2")),
            (&[b"A=1"], "a", None),
            (&[b"a=x=y=="], "a", Some("x=y==")),
            (&[b"a=\"1 2\""], "a", Some("1 2")),
            (&[b"a=\""], "a", Some("\"")),
            (&[b"a=\"1"], "a", Some("\"1")),
            (&[b"a="], "a", Some("")),
            (&[b"a; b=2"], "a", None),
            (&[b"a; b=2"], "b", Some("2")),
            (&[b"x=\xff; a=1"], "a", Some("1")),
            (&[b"a=\xff; b=1"], "a", None),
            (&[b";;=;"], "a", None),
            (&[b"a=%20"], "a", Some("%20")),
            (&[], "a", None),
        ];
        for (lines, name, expected) in cases {
            let pairs: Vec<_> = lines.iter().map(|line| ("cookie", *line)).collect();
            assert_eq!(headers(&pairs).cookie(name), *expected, "{name} in {pairs:?}");
        }
    }

    #[test]
    fn debug_hides_cookies_and_credentials() {
        let held = headers(&[
            ("cookie", b"id=SECRET"),
            ("cookie", b"b=SECRET"),
            ("authorization", b"Bearer SECRET"),
            ("proxy-authorization", b"Basic SECRET"),
            ("host", b"a.example"),
            ("x", b"\xff"),
        ]);
        for text in [
            format!("{held:?}"),
            format!("{held:#?}"),
            format!("{:?}", held.to_header_map()),
        ] {
            assert!(!text.contains("SECRET"), "{text}");
            assert!(text.contains("a.example"), "{text}");
        }
        assert!(format!("{held:?}").contains(r#""cookie": "<redacted>""#));
    }

    #[test]
    fn header_map_of_a_copy_shares_one_buffer() {
        let map = headers(&[("a", b"12345"), ("bc", b"678")]).to_header_map();
        let at = |name: &str| map[name].as_bytes().as_ptr().addr();
        // From the first value on: 5 bytes of it, 6 of lengths, 2 of name.
        assert_eq!(at("bc") - at("a"), 5 + 6 + 2);
    }

    #[test]
    fn a_block_that_lies_about_a_length_ends_early() {
        for block in [
            &[1][..],
            &[1, 0, 0, 0, 0, 0],
            &[1, 0, 2, 0, 0, 0, b'a', b'b'],
            &[0, 0, 255, 255, 255, 255],
        ] {
            assert_eq!(Records { rest: block }.count(), 0, "{block:?}");
        }
    }

    proptest! {
        #[test]
        fn any_header_map_comes_back_the_same(
            pairs in prop::collection::vec(
                ("[!#$%&'*+.^_`|~0-9A-Za-z-]{1,20}", prop::collection::vec(any::<u8>(), 0..40)),
                0..20,
            )
        ) {
            let mut map = HeaderMap::new();
            for (name, value) in &pairs {
                if let Ok(value) = HeaderValue::from_bytes(value) {
                    map.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value);
                }
            }
            let held = Headers::from(&map);
            prop_assert_eq!(&held.to_header_map(), &map);
            let pairs = map.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
            prop_assert!(held.iter().eq(pairs));
            for name in map.keys() {
                let first = map.get(name).map(HeaderValue::as_bytes);
                prop_assert_eq!(held.get_bytes(name.as_str()), first);
            }
        }

        #[test]
        fn any_cookie_line_is_read_without_panic(
            line in prop::collection::vec(prop_oneof![b' '..=b'~', 0x80..=0xffu8], 0..40),
            name: String,
        ) {
            let _ = headers(&[("cookie", &line)]).cookie(&name);
        }
    }
}
