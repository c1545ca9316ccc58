//! The one pass over a client's JSON: is it JSON, how deep, what is the event called, where are its
//! arguments.
//!
//! Owns the grammar (RFC 8259, exactly what `JSON.parse` takes), the depth limit and the repair of
//! lone surrogates. It never builds values, never recurses, and allocates only for what must
//! change: an escaped name, a lone surrogate. Everything behind it may rely on the text being
//! valid. Next: `sio.rs` calls it; `args.rs` deserialises what it found.

use std::{borrow::Cow, fmt};

/// How deep one value may nest. `serde_json` reads 127 levels and refuses the 128th, but its
/// `RawValue` and `IgnoredAny` do not count, so that a deeper argument could be stored and
/// forwarded to a peer whose parser recurses.
pub(crate) const MAX_DEPTH: u32 = 127;

/// Where the text stops being JSON that is accepted here, in bytes from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ScanError {
    pub(crate) at: usize,
    pub(crate) why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    Expected(&'static str),
    ControlCharacter,
    TooDeep,
}

impl fmt::Display for ScanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.why {
            Why::Expected(what) => write!(f, "expected {what}")?,
            Why::ControlCharacter => f.write_str("control character in a string; escape it")?,
            Why::TooDeep => write!(f, "value nests deeper than {MAX_DEPTH} levels")?,
        }
        write!(f, " at byte {}", self.at)
    }
}

/// First element of an array, and the text of the others.
pub(crate) struct Event<'a> {
    /// `None` when the array is empty or begins with something else than a string or a number.
    pub(crate) name: Option<Cow<'a, str>>,
    pub(crate) args: Cow<'a, str>,
}

/// Reads `["name",…]`.
pub(crate) fn event(text: &str) -> Result<Event<'_>, ScanError> {
    let mut scan = Scan::new(text);
    scan.expect(b'[', "`[`")?;
    scan.space();
    if scan.eat(b']') {
        scan.end()?;
        return Ok(Event {
            name: None,
            args: Cow::Borrowed(""),
        });
    }
    let start = scan.at;
    scan.value()?;
    let name = scan.name(start);
    scan.lone.clear();
    scan.space();
    let args = if scan.eat(b',') {
        scan.elements()?
    } else {
        scan.close_empty()?
    };
    scan.end()?;
    Ok(Event { name, args })
}

/// Reads `[…]` and gives back what is between the brackets.
pub(crate) fn array(text: &str) -> Result<Cow<'_, str>, ScanError> {
    let mut scan = Scan::new(text);
    scan.expect(b'[', "`[`")?;
    scan.space();
    let inner = if scan.eat(b']') {
        Cow::Borrowed("")
    } else {
        scan.elements()?
    };
    scan.end()?;
    Ok(inner)
}

/// Reads one value and gives it back without the space around it.
pub(crate) fn value(text: &str) -> Result<Cow<'_, str>, ScanError> {
    let mut scan = Scan::new(text);
    scan.space();
    let start = scan.at;
    scan.value()?;
    let value = scan.repaired(start, scan.at);
    scan.end()?;
    Ok(value)
}

/// Splits what [`event`] and [`array`](fn@array) found into single arguments. The text must have passed one
/// of them.
pub(crate) fn split(args: &str) -> Split<'_> {
    Split { rest: args }
}

pub(crate) struct Split<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Split<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        let bytes = self.rest.as_bytes();
        let (mut at, mut depth) = (0, 0_usize);
        while let Some(&byte) = bytes.get(at) {
            match byte {
                b'"' => {
                    at = string_end(bytes, at);
                    continue;
                }
                b'[' | b'{' => depth += 1,
                b']' | b'}' => depth = depth.saturating_sub(1),
                b',' if depth == 0 => break,
                _ => {}
            }
            at += 1;
        }
        let arg = &self.rest[..at];
        self.rest = self.rest.get(at + 1..).unwrap_or("");
        Some(arg)
    }
}

/// The index after the closing quote of the valid string whose opening quote is at `at`.
pub(crate) fn string_end(bytes: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    loop {
        at = skip_plain(bytes, at);
        match bytes.get(at) {
            Some(b'\\') => at += 2,
            Some(b'"') | None => return (at + 1).min(bytes.len()),
            Some(_) => at += 1,
        }
    }
}

struct Scan<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// Where escapes of surrogates without their other half begin. Six bytes of input each, so
    /// bounded by it.
    lone: Vec<usize>,
}

impl<'a> Scan<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            at: 0,
            lone: Vec::new(),
        }
    }

    /// Elements up to and including the `]`; gives back their text. At least one must follow.
    fn elements(&mut self) -> Result<Cow<'a, str>, ScanError> {
        self.space();
        let start = self.at;
        loop {
            self.value()?;
            let end = self.at;
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(self.repaired(start, end));
                }
                _ => return self.fail("`,` or `]`"),
            }
        }
    }

    fn close_empty(&mut self) -> Result<Cow<'a, str>, ScanError> {
        self.expect(b']', "`,` or `]`")?;
        Ok(Cow::Borrowed(""))
    }

    /// One value, containers inside it included. A bit of `objects` says what the container at that
    /// depth is.
    fn value(&mut self) -> Result<(), ScanError> {
        let (mut objects, mut depth) = (0_u128, 0_u32);
        loop {
            self.space();
            match self.peek() {
                Some(b'"') => self.string()?,
                Some(open @ (b'{' | b'[')) => {
                    if depth == MAX_DEPTH {
                        return Err(ScanError {
                            at: self.at,
                            why: Why::TooDeep,
                        });
                    }
                    self.at += 1;
                    self.space();
                    // `}` and `]` come two after `{` and `[` in ASCII. An empty container has ended
                    // already.
                    if !self.eat(open + 2) {
                        depth += 1;
                        objects = objects << 1 | u128::from(open == b'{');
                        if open == b'{' {
                            self.key()?;
                        }
                        continue;
                    }
                }
                Some(b'-' | b'0'..=b'9') => self.number()?,
                Some(b't') => self.literal("true")?,
                Some(b'f') => self.literal("false")?,
                Some(b'n') => self.literal("null")?,
                _ => return self.fail("a value"),
            }
            // A value has ended, and perhaps containers with it.
            loop {
                if depth == 0 {
                    return Ok(());
                }
                self.space();
                let object = objects & 1 == 1;
                match (self.peek(), object) {
                    (Some(b','), _) => {
                        self.at += 1;
                        if object {
                            self.space();
                            self.key()?;
                        }
                        break;
                    }
                    (Some(b'}'), true) | (Some(b']'), false) => {
                        self.at += 1;
                        depth -= 1;
                        objects >>= 1;
                    }
                    (_, true) => return self.fail("`,` or `}`"),
                    (_, false) => return self.fail("`,` or `]`"),
                }
            }
        }
    }

    /// `"key":`
    fn key(&mut self) -> Result<(), ScanError> {
        if self.peek() != Some(b'"') {
            return self.fail("a key in quotes");
        }
        self.string()?;
        self.space();
        self.expect(b':', "`:`")
    }

    /// A string whose opening quote is next.
    fn string(&mut self) -> Result<(), ScanError> {
        self.at += 1;
        loop {
            self.at = skip_plain(self.bytes, self.at);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                Some(_) => {
                    return Err(ScanError {
                        at: self.at,
                        why: Why::ControlCharacter,
                    });
                }
                None => return self.fail("a closing quote"),
            }
        }
    }

    /// An escape whose backslash is next; both halves of a surrogate pair.
    fn escape(&mut self) -> Result<(), ScanError> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                let Some(unit) = self.unit(self.at) else {
                    return self.fail("four hex digits after `\\u`");
                };
                let low = 0xdc00..=0xdfff;
                if (0xd800..=0xdbff).contains(&unit) && self.unit(self.at + 6).is_some_and(|next| low.contains(&next)) {
                    self.at += 6;
                } else if (0xd800..=0xdfff).contains(&unit) {
                    self.lone.push(self.at);
                }
                self.at += 6;
            }
            _ => return self.fail("an escape that json knows"),
        }
        Ok(())
    }

    /// The UTF-16 unit that the escape (`\u` and four digits) at `at` stands for, if there is one.
    fn unit(&self, at: usize) -> Option<u32> {
        let hex = self.bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
        hex.iter()
            .try_fold(0, |unit, &digit| Some(unit << 4 | char::from(digit).to_digit(16)?))
    }

    fn number(&mut self) -> Result<(), ScanError> {
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _sign = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), ScanError> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { self.fail("a digit") } else { Ok(()) }
    }

    fn literal(&mut self, word: &'static str) -> Result<(), ScanError> {
        if self.bytes[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(())
        } else {
            self.fail(word)
        }
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn end(&mut self) -> Result<(), ScanError> {
        self.space();
        if self.at == self.bytes.len() {
            Ok(())
        } else {
            self.fail("nothing after the value")
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), ScanError> {
        if self.eat(byte) { Ok(()) } else { self.fail(what) }
    }

    fn fail<T>(&self, what: &'static str) -> Result<T, ScanError> {
        Err(ScanError {
            at: self.at,
            why: Why::Expected(what),
        })
    }

    /// The event name that begins at `start` and ends here. A number is a name too:
    /// `socket.emit(1)` sends one, and Node's emitter files it under its digits.
    fn name(&self, start: usize) -> Option<Cow<'a, str>> {
        let raw = &self.text[start..self.at];
        match raw.as_bytes().first()? {
            b'"' if raw.contains('\\') => serde_json::from_str::<String>(&self.repaired(start, self.at))
                .ok()
                .map(Cow::Owned),
            b'"' => Some(Cow::Borrowed(&raw[1..raw.len() - 1])),
            b'-' | b'0'..=b'9' => Some(Cow::Borrowed(raw)),
            _ => None,
        }
    }

    /// The text from `start` to `end`, lone surrogates (all of which must lie inside) replaced:
    /// Rust's strings cannot hold them, `serde_json` refuses them, and U+FFFD is what a browser
    /// sends for one in UTF-8.
    fn repaired(&self, start: usize, end: usize) -> Cow<'a, str> {
        if self.lone.is_empty() {
            return Cow::Borrowed(&self.text[start..end]);
        }
        let mut text = String::with_capacity(end - start);
        let mut done = start;
        for &lone in &self.lone {
            text.push_str(&self.text[done..lone]);
            text.push_str("\\ufffd");
            done = lone + 6;
        }
        text.push_str(&self.text[done..end]);
        Cow::Owned(text)
    }
}

/// The first index from `at` on that holds a quote, a backslash or a control character; eight bytes
/// at a time.
fn skip_plain(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGH: u64 = ONES * 0x80;
    // The high bit of each byte that is zero, and perhaps of some above the first such one: only
    // the first is used.
    let zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*chunk);
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
        let found = control | zero(word ^ (ONES * 0x22)) | zero(word ^ (ONES * 0x5c));
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while let Some(byte) = bytes.get(at) {
        if matches!(byte, b'"' | b'\\' | 0..0x20) {
            break;
        }
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests;
