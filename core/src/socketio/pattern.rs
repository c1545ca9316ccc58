//! Patterns of namespaces' paths: `/orders-{id}`.
//!
//! Pure: reads a pattern once, and paths against it. What becomes of a path that matches is
//! `directory.rs`'s.

use std::collections::HashSet;

/// A path with parameters, each of which stands for one or more characters but `/`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    /// What is between the slashes: there are as many in every path that matches.
    segments: Box<[Segment]>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Segment {
    parameters: Vec<Parameter>,
    /// What follows the last parameter.
    tail: Box<str>,
}

#[derive(Debug, PartialEq, Eq)]
struct Parameter {
    /// What stands before it.
    before: Box<str>,
    name: Box<str>,
}

impl Pattern {
    /// Reads a pattern that begins with a slash. The error says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let segments: Vec<_> = text.split('/').map(Segment::parse).collect::<Result<_, _>>()?;
        let mut names = HashSet::new();
        for Parameter { name, .. } in segments.iter().flat_map(|segment| &segment.parameters) {
            if !names.insert(name) {
                return Err(format!(
                    "it has two parameters `{{{name}}}`; give each a name of its own"
                ));
            }
        }
        if names.is_empty() {
            return Err("it has no parameter such as `{id}`; use `of` for a single namespace".to_owned());
        }
        Ok(Self {
            segments: segments.into(),
        })
    }

    /// The name of its first parameter.
    pub(crate) fn first(&self) -> Option<&str> {
        let mut parameters = self.segments.iter().flat_map(|segment| &segment.parameters);
        Some(&parameters.next()?.name)
    }

    /// The parameters' names and values, in order. `None`: the path does not match.
    pub(crate) fn read<'a>(&'a self, path: &'a str) -> Option<Vec<(&'a str, &'a str)>> {
        let mut values = Vec::new();
        let mut parts = path.split('/');
        for segment in &self.segments {
            segment.read(parts.next()?, &mut values)?;
        }
        parts.next().is_none().then_some(values)
    }
}

impl Segment {
    fn parse(text: &str) -> Result<Self, String> {
        let mut segment = Self::default();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after
                .split_once('}')
                .ok_or("it has a `{` without a `}` in the same segment; close it")?;
            let is_name = |letter: char| letter.is_alphanumeric() || letter == '_';
            if name.is_empty() || !name.chars().all(is_name) {
                return Err(format!(
                    "`{{{name}}}` is no parameter; name it by letters, digits and `_`"
                ));
            }
            if before.contains('}') {
                break;
            }
            if before.is_empty() && !segment.parameters.is_empty() {
                return Err(format!(
                    "nothing parts `{{{name}}}` from the parameter before it; put a `-` between"
                ));
            }
            segment.parameters.push(Parameter {
                before: before.into(),
                name: name.into(),
            });
            rest = after;
        }
        if rest.contains('}') {
            return Err("it has a `}` without a `{`; remove it".to_owned());
        }
        segment.tail = rest.into();
        Ok(segment)
    }

    /// Each parameter is as short as it can be, the last takes the rest: what follows it is then found if
    /// it can be found at all.
    fn read<'a>(&'a self, text: &'a str, values: &mut Vec<(&'a str, &'a str)>) -> Option<()> {
        let Some(first) = self.parameters.first() else {
            return (*text == *self.tail).then_some(());
        };
        let mut rest = text.strip_prefix(&*first.before)?;
        for (index, Parameter { name, .. }) in self.parameters.iter().enumerate() {
            let one = rest.chars().next()?.len_utf8();
            let end = match self.parameters.get(index + 1) {
                Some(Parameter { before, .. }) => one + rest[one..].find(&**before)?,
                None => one + rest[one..].strip_suffix(&*self.tail)?.len(),
            };
            values.push((name, &rest[..end]));
            let after = self.parameters.get(index + 1).map_or(&*self.tail, |next| &*next.before);
            rest = &rest[end + after.len()..];
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read<'a>(pattern: &'a Pattern, path: &'a str) -> Option<Vec<&'a str>> {
        let values = pattern.read(path)?;
        Some(values.into_iter().map(|(_, value)| value).collect())
    }

    #[test]
    fn a_parameter_is_one_or_more_characters_but_a_slash() {
        let pattern = Pattern::parse("/orders-{id}").unwrap();
        assert_eq!(pattern.read("/orders-7"), Some(vec![("id", "7")]));
        assert_eq!(read(&pattern, "/orders-é-ß"), Some(vec!["é-ß"]));
        for other in [
            "/orders-",
            "/orders",
            "/orders-7/x",
            "/order-7",
            "orders-7",
            "/x/orders-7",
            "/orders-/",
            "",
        ] {
            assert_eq!(pattern.read(other), None, "{other}");
        }
    }

    #[test]
    fn parameters_may_be_several_and_end_where_the_next_text_begins() {
        let pattern = Pattern::parse("/{shop}/orders-{year}-{id}.json").unwrap();
        assert_eq!(read(&pattern, "/x/orders-2026-7.json"), Some(vec!["x", "2026", "7"]));
        assert_eq!(
            read(&pattern, "/x/orders-2026-7-8.json"),
            Some(vec!["x", "2026", "7-8"])
        );
        assert_eq!(read(&pattern, "/x/orders---.json"), None);
        assert_eq!(read(&pattern, "/x/orders----.json"), Some(vec!["x", "-", "-"]));
        assert_eq!(read(&pattern, "/x/orders-2026-.json"), None);
        assert_eq!(read(&pattern, "//orders-2026-7.json"), None);
        assert_eq!(read(&Pattern::parse("/{a}x{b}").unwrap(), "/xxx"), Some(vec!["x", "x"]));
        assert_eq!(pattern.first(), Some("shop"));
    }

    #[test]
    fn a_bad_pattern_is_told_what_is_wrong() {
        for (bad, what) in [
            ("/orders", "no parameter"),
            ("/{id", "`{` without a `}`"),
            ("/{a/b}", "`{` without a `}`"),
            ("/id}", "`}` without a `{`"),
            ("/}{id}", "`}` without a `{`"),
            ("/{}", "`{}` is no parameter"),
            ("/{a b}", "`{a b}` is no parameter"),
            ("/{{a}}", "`{{a}` is no parameter"),
            ("/{a}{b}", "nothing parts `{b}`"),
            ("/{a}/{a}", "two parameters `{a}`"),
        ] {
            let error = Pattern::parse(bad).unwrap_err();
            assert!(error.contains(what), "{bad}: {error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_put_together_is_read_again(a in "[^/-]{1,9}", b in "[^/]{1,9}", c in "[^/]{1,9}") {
            let pattern = Pattern::parse("/x{a}-{b}/{c}y").unwrap();
            let path = format!("/x{a}-{b}/{c}y");
            prop_assert_eq!(read(&pattern, &path), Some(vec![&*a, &b, &c]));
        }

        #[test]
        fn any_pattern_and_path_are_read_without_a_panic(text in "[/{}a-]{0,12}", path in "[/aé-]{0,12}") {
            if let Ok(pattern) = Pattern::parse(&text) && let Some(values) = pattern.read(&path) {
                let mut again = text.clone();
                for (name, value) in values {
                    prop_assert!(!value.is_empty() && !value.contains('/'));
                    again = again.replace(&format!("{{{name}}}"), value);
                }
                prop_assert_eq!(again, path);
            }
        }
    }
}
