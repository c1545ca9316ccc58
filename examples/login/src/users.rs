//! The users: who may log in, and what a session keeps of who did.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A user, as a session keeps them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct User {
    /// The name, which is nobody else's.
    pub name: String,
    /// Their favourite colour.
    pub colour: Colour,
}

impl User {
    /// The room of all of their sockets.
    pub fn room(&self) -> String {
        format!("user:{}", self.name)
    }
}

/// A colour, as pages write it: `#0f766e`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Colour(String);

impl TryFrom<String> for Colour {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6);
        if digits.is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit())) {
            Ok(Self(text))
        } else {
            Err(format!("`{text}` is no colour: write it as `#0f766e`"))
        }
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the form of the page sends.
#[derive(Deserialize)]
pub struct Credentials {
    name: String,
    password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Names, passwords and first colours: the page shows them. Real passwords are kept as hashes made for
/// the purpose, such as Argon2's, and compared by its library.
pub(crate) const USERS: [(&str, &str, &str); 3] = [
    ("Ada", "engine", "#7c3aed"),
    ("Alan", "enigma", "#2563eb"),
    ("Grace", "moth", "#db2777"),
];

/// Who it is, if name and password belong together.
pub fn check(credentials: &Credentials) -> Option<User> {
    let (name, password) = (credentials.name.trim(), &*credentials.password);
    let known = USERS
        .iter()
        .find(|user| user.0.eq_ignore_ascii_case(name) && user.1 == password);
    known.map(|&(name, _, colour)| User {
        name: name.to_owned(),
        colour: Colour(colour.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(name: &str, password: &str) -> Option<String> {
        let (name, password) = (name.to_owned(), password.to_owned());
        check(&Credentials { name, password }).map(|user| user.name)
    }

    #[test]
    fn a_name_in_any_case_and_its_own_password_log_in() {
        assert_eq!(who(" ada ", "engine").as_deref(), Some("Ada"));
        for (name, password) in [
            ("Ada", "moth"),
            ("Ada", ""),
            ("Ada", "Engine"),
            ("", ""),
            ("Eve", "engine"),
        ] {
            assert_eq!(who(name, password), None, "{name} {password}");
        }
    }

    #[test]
    fn a_colour_is_a_hash_and_six_digits() {
        let colour = |text: &str| Colour::try_from(text.to_owned()).is_ok();
        assert!(colour("#0f766e") && colour("#ABCDEF"));
        for text in ["", "0f766e", "#0f7", "#0f766e0", "#0f766g", "red", "#\"/><b>", "#ééé"] {
            assert!(!colour(text), "{text}");
        }
    }
}
