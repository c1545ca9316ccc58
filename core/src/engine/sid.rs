//! Session ids: what they look like and where their randomness comes from.

use std::{fmt, hash, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::Rng as _;

/// Random bytes in an id: 120 bits, so that an id cannot be guessed.
const RANDOM: usize = 15;
/// Characters in an id. The reference server's ids have this length, and its cluster adapters
/// take any room name of 20 characters for a socket id.
const LENGTH: usize = 20;

/// The longest id that an application may give.
const LONGEST: usize = 128;

/// The id of a connection or of a socket: 20 URL-safe characters that cannot be guessed (120 random
/// bits), in clients 1.x and 2.x behind the namespace (`/chat#…`). A connection may have one of the
/// [application's](crate::SocketIoBuilder::generate_id).
///
/// The id of a socket is public (applications broadcast it); the id of its connection is a
/// session key. They are never the same, save for clients 1.x and 2.x, which know no other id: where
/// these are served, an application that broadcasts socket ids shows their session keys. It is
/// written as a string by serde, and compares with text.
///
/// ```
/// let id = tower_socketio::Sid::random();
/// assert_eq!(id.as_str().len(), 20);
/// assert_eq!(id, *id.to_string().as_str());
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sid(Text);

/// What has the usual length is always in the first form, so that equal texts are equal.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Text {
    Usual([u8; LENGTH]),
    /// The application's; or `/namespace#` and the connection's.
    Other(Arc<str>),
}

impl Sid {
    /// A new id, from a cryptographic generator that the operating system seeds.
    ///
    /// ```
    /// use tower_socketio::Sid;
    ///
    /// assert_ne!(Sid::random(), Sid::random());
    /// ```
    pub fn random() -> Self {
        let mut random = [0; RANDOM];
        rand::rng().fill_bytes(&mut random);
        let mut id = [0; LENGTH];
        URL_SAFE_NO_PAD
            .encode_slice(random, &mut id)
            .unwrap_or_else(|_| unreachable!("15 bytes are 20 characters of base64"));
        Self(Text::Usual(id))
    }

    /// The id of a connection's socket, for clients that derive one from the other.
    pub(crate) fn behind(&self, path: &str) -> Self {
        match path {
            "/" => self.clone(),
            path => Self(Text::Other(format!("{path}#{self}").into())),
        }
    }

    /// Reads the id of a connection; anything that can be none is `None`. Its characters mean
    /// nothing in URLs, cookies, scripts and JSON.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_of_id = |byte: u8| byte.is_ascii_alphanumeric() | matches!(byte, b'-' | b'.' | b'_' | b'~');
        // Not `all`, which looks at one byte after the other.
        let is_id = (1..=LONGEST).contains(&text.len()) && text.bytes().fold(true, |all, byte| all & is_of_id(byte));
        is_id.then(|| match text.as_bytes().try_into() {
            Ok(usual) => Self(Text::Usual(usual)),
            Err(_) => Self(Text::Other(text.into())),
        })
    }

    /// The id as text: also the name of the room that only its socket is in.
    ///
    /// ```
    /// use tower_socketio::{Sid, SocketIo};
    ///
    /// let io = SocketIo::builder().build();
    /// io.to(Sid::random().as_str()).emit("news", "for one")?;
    /// # Ok::<(), tower_socketio::EncodeError>(())
    /// ```
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Text::Usual(id) => std::str::from_utf8(id).unwrap_or_else(|_| unreachable!("an id is ASCII")),
            Text::Other(id) => id,
        }
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sid({self})")
    }
}

impl AsRef<str> for Sid {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq<str> for Sid {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<Sid> for String {
    fn eq(&self, other: &Sid) -> bool {
        other == self.as_str()
    }
}

impl serde::Serialize for Sid {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl hash::Hash for Sid {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash_word());
    }
}

impl Sid {
    /// A number to find the id by.
    pub(crate) fn hash_word(&self) -> u64 {
        match &self.0 {
            Text::Usual(id) => random_word(id),
            Text::Other(id) => hash_word(id),
        }
    }
}

/// Text that may be an id, to look up sockets by.
#[derive(Clone, Copy)]
pub(crate) struct MaybeSid<'a>(pub(crate) &'a str);

impl hash::Hash for MaybeSid<'_> {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        state.write_u64(hash_word(self.0));
    }
}

impl indexmap::Equivalent<Sid> for MaybeSid<'_> {
    fn equivalent(&self, id: &Sid) -> bool {
        *id == *self.0
    }
}

/// Of an id of the usual length, which is random, some of its characters; of others a hash.
fn hash_word(text: &str) -> u64 {
    let text = text.as_bytes();
    let own = text.iter().rposition(|byte| *byte == b'#').map_or(0, |mark| mark + 1);
    if let Ok(id) = text[own..].try_into() {
        return random_word(id);
    }
    let mut hasher = hash::DefaultHasher::new();
    hash::Hasher::write(&mut hasher, text);
    hash::Hasher::finish(&hasher)
}

fn random_word(id: &[u8; LENGTH]) -> u64 {
    let word = |begin: usize| id[begin..].first_chunk().copied().map_or(0, u64::from_le_bytes);
    word(0).rotate_left(32) ^ word(LENGTH - size_of::<u64>())
}

/// Hashes ids by the randomness they are made of.
#[derive(Clone, Copy, Default)]
pub(crate) struct SidHasher(u64);

impl hash::Hasher for SidHasher {
    fn write(&mut self, _: &[u8]) {
        unreachable!("only ids are hashed here, and they are one u64");
    }

    fn write_u64(&mut self, word: u64) {
        // The characters differ in few bits of each byte: one multiplication spreads them.
        self.0 = word.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(26);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A hash state for maps keyed by [`Sid`].
pub(crate) type BySid = hash::BuildHasherDefault<SidHasher>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_back_and_what_can_be_none_is_not() {
        let id = Sid::random();
        assert_eq!(Sid::parse(id.as_str()), Some(id));
        let longest = "x".repeat(LONGEST);
        for text in ["7", "node-7.~_abc", "aaaaaaaaaaaaaaaaaaaa", &longest] {
            assert_eq!(Sid::parse(text).unwrap(), *text);
        }
        let too_long = "x".repeat(LONGEST + 1);
        for text in [
            "",
            "aaaaaaaaaaaaaaaaaaa/",
            "a b",
            "a;b",
            "a:b",
            "\"",
            "/chat#a",
            "ééééé",
            &too_long,
        ] {
            assert_eq!(Sid::parse(text), None, "{text}");
        }
    }

    #[test]
    fn ids_of_sockets_may_be_behind_a_path() {
        let id = Sid::random();
        assert_eq!(id.behind("/"), id);
        let socket = id.behind("/chat#1");
        assert_eq!(socket.as_str(), format!("/chat#1#{id}"));
        assert_eq!(Sid::parse(socket.as_str()), None, "it is no key to a session");
    }

    #[test]
    fn sockets_are_found_by_their_ids_as_text() {
        let given = Sid::parse("7").unwrap();
        let random = Sid::random();
        for id in [given.behind("/chat"), given, random.behind("/chat"), random] {
            let text = id.to_string();
            let mut sockets: indexmap::IndexMap<Sid, u8, BySid> = indexmap::IndexMap::default();
            sockets.insert(id, 1);
            assert_eq!(sockets.get(&MaybeSid(&text)), Some(&1));
            assert_eq!(sockets.get(&MaybeSid("/chat#8")), None);
            assert_eq!(sockets.get(&MaybeSid("")), None);
        }
    }

    #[test]
    fn an_ids_hash_depends_on_all_that_its_maker_may_vary() {
        let words: std::collections::HashSet<_> = (0..1000)
            .map(|n| Sid::parse(&format!("{n}.node")).unwrap().hash_word())
            .collect();
        assert_eq!(words.len(), 1000);
    }

    #[test]
    fn ids_do_not_repeat() {
        let ids: std::collections::HashSet<_> = (0..10_000).map(|_| Sid::random()).collect();
        assert_eq!(ids.len(), 10_000);
    }
}
