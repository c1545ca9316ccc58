//! Names of people.

use std::{fmt, ops::Deref, sync::Arc};

use serde::Serialize;

const LONGEST: usize = 20;

/// A name as its bearer writes it. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Name(Arc<str>);

impl Name {
    /// A name that is fit to be shown to others.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let name = text.trim();
        let is_fit = |letter: char| letter.is_alphanumeric() || " -_.'".contains(letter);
        if !(2..=LONGEST).contains(&name.chars().count()) {
            return Err("A name has 2 to 20 characters.");
        }
        if !name.chars().all(is_fit) {
            return Err("A name is made of letters, digits, spaces and - _ . '");
        }
        Ok(Self(name.into()))
    }

    /// The same for all names that people would take for each other.
    pub(crate) fn key(text: &str) -> String {
        text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
    }

    /// The room of all sockets of its bearer.
    pub(crate) fn room(&self) -> String {
        format!("user:{self}")
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Name {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_trimmed_short_and_of_letters() {
        assert_eq!(&*Name::parse("  Ada King ").unwrap(), "Ada King");
        assert_eq!(&*Name::parse("Žoë-9").unwrap(), "Žoë-9");
        for text in ["", " ", "a", "<b>", "a\nb", "a\u{202e}b", &"x".repeat(21)] {
            assert!(Name::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn names_that_differ_in_case_and_spaces_are_one() {
        assert_eq!(Name::key(" ADA  king"), Name::key("Ada King"));
        assert_ne!(Name::key("Ada"), Name::key("Adam"));
    }
}
