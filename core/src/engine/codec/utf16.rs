//! Lengths in UTF-16 code units, as JavaScript counts text.

/// Digits of a length that are read: more are longer than any payload.
pub(super) const MAX_DIGITS: usize = 10;

/// How many code units a text has: one for each character, and one more for those of four bytes.
pub(super) fn units(text: &[u8]) -> usize {
    let units = |byte: &u8| usize::from(*byte & 0xc0 != 0x80) + usize::from(*byte >= 0xf0);
    text.iter().map(units).sum()
}

/// How many bytes of a text hold that many code units; `None` where it is shorter, or a character would
/// be split.
pub(super) fn prefix(text: &str, units: usize) -> Option<usize> {
    // One unit is at most three bytes, and at least one: most texts are long enough, or ASCII.
    if text.len() < units {
        return None;
    }
    if text.as_bytes()[..units].is_ascii() {
        return Some(units);
    }
    let mut left = units;
    for (at, character) in text.char_indices() {
        if left == 0 {
            return Some(at);
        }
        left = left.checked_sub(character.len_utf16())?;
    }
    (left == 0).then_some(text.len())
}

/// A number of decimal digits, each the byte that it is.
pub(super) fn number(digits: impl ExactSizeIterator<Item = u8>) -> Option<usize> {
    if digits.len() == 0 {
        return None;
    }
    let mut number = 0_usize;
    for digit in digits {
        if digit > 9 {
            return None;
        }
        number = number.checked_mul(10)?.checked_add(digit.into())?;
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn units_are_counted_as_javascript_counts_them(text: String) {
            prop_assert_eq!(units(text.as_bytes()), text.encode_utf16().count());
        }

        #[test]
        fn prefixes_end_between_characters(text: String, wanted in 0..40_usize) {
            let at = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            let expected = at.into_iter().find(|at| text[..*at].encode_utf16().count() == wanted);
            prop_assert_eq!(prefix(&text, wanted), expected);
        }
    }
}
