//! Names of types as names of events.

use syn::LitStr;

/// How the words of a name are put together.
#[derive(Clone, Copy, Default)]
pub(crate) enum Case {
    #[default]
    Snake,
    Camel,
    Kebab,
    Pascal,
}

impl Case {
    pub(crate) fn parse(text: &LitStr) -> syn::Result<Self> {
        match &*text.value() {
            "snake_case" => Ok(Self::Snake),
            "camelCase" => Ok(Self::Camel),
            "kebab-case" => Ok(Self::Kebab),
            "PascalCase" => Ok(Self::Pascal),
            _ => Err(syn::Error::new(
                text.span(),
                "unknown case: it is one of \"snake_case\" (as it is without), \"camelCase\", \"kebab-case\", \"PascalCase\"",
            )),
        }
    }

    /// Writes a name in `PascalCase`, as types have it, in this one; a capital begins a word, as for serde.
    pub(crate) fn write(self, name: &str) -> String {
        let separator = match self {
            Self::Pascal => return name.to_owned(),
            Self::Camel => {
                let mut letters = name.chars();
                let first = letters.next().into_iter().flat_map(char::to_lowercase);
                return first.chain(letters).collect();
            }
            Self::Snake => '_',
            Self::Kebab => '-',
        };
        let mut written = String::new();
        for (index, letter) in name.char_indices() {
            if index > 0 && letter.is_uppercase() {
                written.push(separator);
            }
            written.extend(letter.to_lowercase());
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capital_begins_a_word() {
        let written = |name| [Case::Snake, Case::Camel, Case::Kebab, Case::Pascal].map(|case| case.write(name));
        assert_eq!(written("Said"), ["said", "said", "said", "Said"]);
        assert_eq!(
            written("UserLeft2"),
            ["user_left2", "userLeft2", "user-left2", "UserLeft2"]
        );
        assert_eq!(written("ÄÖ"), ["ä_ö", "äÖ", "ä-ö", "ÄÖ"]);
    }
}
