//! Text that arrives in pieces: checks each piece as it comes, also where a character is cut.
//!
//! Pure and without state: the caller keeps how many bytes an open character has.

/// What is not UTF-8, and cannot become it by bytes that follow.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotUtf8;

/// Checks the new end of a text that is still growing, so that bad text is refused with the byte
/// that makes it so (as RFC 6455 §8.1 allows). Returns how many bytes at the end are the start of a
/// character (0 to 3); they are to be given again, in front of what comes next.
pub(super) fn check_end(end: &[u8]) -> Result<u8, NotUtf8> {
    match str::from_utf8(end) {
        Ok(_) => Ok(0),
        Err(e) if e.error_len().is_none() => u8::try_from(end.len() - e.valid_up_to()).or(Err(NotUtf8)),
        Err(_) => Err(NotUtf8),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_character_is_counted() {
        for (end, open) in [
            (&b""[..], 0),
            (b"text", 0),
            ("é€😀".as_bytes(), 0),
            (b"a\xc3", 1),
            (b"a\xe2\x82", 2),
            (b"a\xf0\x9f\x98", 3),
        ] {
            assert_eq!(check_end(end), Ok(open), "{end:?}");
        }
    }

    #[test]
    fn what_can_never_become_a_character_is_refused_at_once() {
        // Not a first byte, overlong, surrogate, above U+10FFFF, cut by another first byte.
        for end in [
            &b"\x80"[..],
            b"\xc0",
            b"\xff",
            b"\xe0\x80",
            b"\xed\xa0",
            b"\xf4\x90",
            b"\xe2a",
        ] {
            assert_eq!(check_end(end), Err(NotUtf8), "{end:?}");
        }
    }
}
