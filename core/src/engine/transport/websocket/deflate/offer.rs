//! What a client offers by `Sec-WebSocket-Extensions` (RFC 6455 §9.1, RFC 7692 §7.1).
//!
//! Pure, and linear in the header's length.

use std::{borrow::Cow, fmt};

/// An offer that can be accepted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Offer {
    /// The server is to refer no further back than 2 to the power of this.
    pub(crate) server_window_bits: Option<u8>,
}

/// A header that does not follow its grammar, which ends the handshake (RFC 6455 §9.1).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("malformed sec-websocket-extensions: send names with parameters, as `a; b=1, c`")
    }
}

/// The first offer that can be accepted, of all the header's lines: clients name the one first that
/// they like best. Others, unknown parameters among them, are declined.
pub(crate) fn find<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Result<Option<Offer>, Malformed> {
    let mut found = None;
    for line in lines {
        let mut rest = Rest(line);
        loop {
            // An empty element is allowed.
            while rest.skip(b',') {}
            if rest.is_at_end() {
                break;
            }
            let offer = extension(&mut rest)?;
            found = found.or(offer);
            if !rest.is_at_end() && !rest.skip(b',') {
                return Err(Malformed);
            }
        }
    }
    Ok(found)
}

/// One extension, to its end; `None` where it is another or cannot be accepted.
fn extension(rest: &mut Rest<'_>) -> Result<Option<Offer>, Malformed> {
    let is_ours = rest.token()?.eq_ignore_ascii_case(b"permessage-deflate");
    let mut terms = Terms::default();
    let mut is_acceptable = is_ours;
    while rest.skip(b';') {
        let name = rest.token()?;
        let value = if rest.skip(b'=') { Some(rest.value()?) } else { None };
        is_acceptable = is_acceptable && terms.add(name, value.as_deref());
    }
    Ok(is_acceptable.then_some(terms.offer))
}

/// The parameters so far.
#[derive(Default)]
struct Terms {
    offer: Offer,
    seen: [bool; 4],
}

impl Terms {
    /// Whether the offer can still be accepted.
    fn add(&mut self, name: &[u8], value: Option<&[u8]>) -> bool {
        const NAMES: [&[u8]; 4] = [
            b"server_no_context_takeover",
            b"client_no_context_takeover",
            b"server_max_window_bits",
            b"client_max_window_bits",
        ];
        let Some(index) = NAMES.iter().position(|known| name.eq_ignore_ascii_case(known)) else {
            return false;
        };
        if std::mem::replace(&mut self.seen[index], true) {
            return false;
        }
        match (index, value) {
            (0 | 1 | 3, None) => true,
            (2, Some(value)) => {
                self.offer.server_window_bits = window_bits(value).filter(|bits| super::WINDOWS.contains(bits));
                self.offer.server_window_bits.is_some()
            }
            (3, Some(value)) => window_bits(value).is_some(),
            _ => false,
        }
    }
}

/// A number from 8 to 15, without a zero before it (RFC 7692 §7.1.2).
fn window_bits(value: &[u8]) -> Option<u8> {
    match value {
        [digit @ b'8'..=b'9'] => Some(digit - b'0'),
        [b'1', digit @ b'0'..=b'5'] => Some(10 + digit - b'0'),
        _ => None,
    }
}

/// What is left of a line.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn is_at_end(&mut self) -> bool {
        self.0 = self.0.trim_ascii_start();
        self.0.is_empty()
    }

    /// Whether that comes next, which is then done with.
    fn skip(&mut self, byte: u8) -> bool {
        self.0 = self.0.trim_ascii_start();
        let rest = self.0.strip_prefix(&[byte]);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn token(&mut self) -> Result<&'a [u8], Malformed> {
        self.0 = self.0.trim_ascii_start();
        let end = self.0.iter().position(|byte| !is_token(*byte));
        let (token, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = rest;
        if token.is_empty() { Err(Malformed) } else { Ok(token) }
    }

    /// A token, which may be quoted.
    fn value(&mut self) -> Result<Cow<'a, [u8]>, Malformed> {
        if !self.skip(b'"') {
            return self.token().map(Cow::Borrowed);
        }
        let mut unquoted = Vec::new();
        loop {
            let (&byte, rest) = self.0.split_first().ok_or(Malformed)?;
            self.0 = rest;
            match byte {
                b'"' if unquoted.is_empty() => return Err(Malformed),
                b'"' => return Ok(unquoted.into()),
                b'\\' => {
                    let (&quoted, rest) = self
                        .0
                        .split_first()
                        .filter(|(byte, _)| is_token(**byte))
                        .ok_or(Malformed)?;
                    self.0 = rest;
                    unquoted.push(quoted);
                }
                byte if is_token(byte) => unquoted.push(byte),
                _ => return Err(Malformed),
            }
        }
    }
}

/// RFC 9110 §5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests;
