//! Session ids: what they look like and where their randomness comes from.

use std::{fmt, hash, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::Rng as _;

/// Random bytes in an id: 120 bits, so that an id cannot be guessed.
const RANDOM: usize = 15;
/// Characters in an id. The reference server's ids have this length, and its cluster adapters
/// take any room name of 20 characters for a socket id.
const LENGTH: usize = 20;

/// The id of a connection or of a socket: 20 URL-safe characters that cannot be guessed (120 random
/// bits), in clients 1.x and 2.x behind the namespace (`/chat#…`).
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

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Text {
    Own([u8; LENGTH]),
    /// `/namespace#` and the connection's.
    Behind(Arc<str>),
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
        Self(Text::Own(id))
    }

    /// The id of a connection's socket, for clients that derive one from the other.
    pub(crate) fn behind(&self, path: &str) -> Self {
        match path {
            "/" => self.clone(),
            path => Self(Text::Behind(format!("{path}#{self}").into())),
        }
    }

    /// Reads the id of a socket; anything that no server of this kind handed out is `None`.
    pub(crate) fn parse_socket(text: &str) -> Option<Self> {
        match text.rsplit_once('#') {
            Some((path, own)) if path.starts_with('/') => {
                Self::parse(own)?;
                Some(Self(Text::Behind(text.into())))
            }
            _ => Self::parse(text),
        }
    }

    /// Reads an id as a client sends it; anything that no server of this kind handed out is `None`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; LENGTH] = text.as_bytes().try_into().ok()?;
        bytes
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
            .then_some(Self(Text::Own(bytes)))
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
            Text::Own(id) => std::str::from_utf8(id).unwrap_or_else(|_| unreachable!("an id is ASCII")),
            Text::Behind(id) => id,
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
    /// Eight of the id's characters as a number: 48 random bits, enough to spread a table.
    pub(crate) fn hash_word(&self) -> u64 {
        let text = self.as_str().as_bytes();
        let word = text.last_chunk().expect("an id is longer than 8");
        u64::from_le_bytes(*word)
    }
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
    fn an_id_is_read_back_and_nothing_else_is() {
        let id = Sid::random();
        assert_eq!(Sid::parse(id.as_str()), Some(id));
        for text in [
            "",
            "__proto__",
            "short",
            "aaaaaaaaaaaaaaaaaaa/",
            "aaaaaaaaaaaaaaaaaaaaa",
            "ééééé",
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
        assert_eq!(Sid::parse_socket(socket.as_str()), Some(socket.clone()));
        assert_eq!(Sid::parse_socket(id.as_str()), Some(id));
        assert_eq!(Sid::parse(socket.as_str()), None, "it is no key to a session");
        for text in [
            "/chat#",
            "/chat#short",
            "chat#aaaaaaaaaaaaaaaaaaaa",
            "#aaaaaaaaaaaaaaaaaaaa",
        ] {
            assert_eq!(Sid::parse_socket(text), None, "{text}");
        }
    }

    #[test]
    fn ids_do_not_repeat() {
        let ids: std::collections::HashSet<_> = (0..10_000).map(|_| Sid::random()).collect();
        assert_eq!(ids.len(), 10_000);
    }
}
