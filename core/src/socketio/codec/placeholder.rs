//! `{"_placeholder":true,"num":n}`: what stands in JSON where attachment `n` belongs.
//!
//! Owns the words of that object and the check of a complete packet. Never touches the bytes:
//! `binary_ser.rs` takes them out of values, `binary_de.rs` puts them back.

use crate::socketio::packet::PacketError;

use super::scan::string_end;

pub(crate) const FLAG: &str = "_placeholder";
pub(crate) const NUM: &str = "num";

/// The attachment that `num`'s JSON text points to, if there are that many.
///
/// Digits only: `1.0` and `-0` are integers to the reference, but no client writes one so.
pub(crate) fn index(num: &str, attachments: usize) -> Option<usize> {
    num.parse().ok().filter(|&n| n < attachments)
}

/// Refuses a packet with a placeholder that points nowhere, or twice to the same attachment.
///
/// Attachments without a placeholder pass, as they do in the reference. It lets two placeholders
/// share one, too; here each would be a copy, and a message of a megabyte could ask for 30,000
/// copies of an attachment of a megabyte. No known client does it: they number every occurrence
/// anew. `args` must have passed the scanner.
pub(crate) fn check_placeholders(args: &str, attachments: usize) -> Result<(), PacketError> {
    let bytes = args.as_bytes();
    let mut used = vec![false; attachments];
    let mut open: Vec<Container<'_>> = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let start = at;
        at += 1;
        match byte {
            b'{' => open.push(Container::object()),
            b'[' => open.push(Container::array()),
            b'}' | b']' => {
                if let Some(container) = open.pop() {
                    container.check(&mut used)?;
                }
            }
            b':' | b',' | b' ' | b'\n' | b'\r' | b'\t' => {
                if let (b',', Some(container)) = (byte, open.last_mut()) {
                    container.key = Key::Due;
                }
            }
            _ => {
                at = if byte == b'"' {
                    string_end(bytes, start)
                } else {
                    word_end(bytes, start)
                };
                if let Some(container) = open.last_mut() {
                    container.see(&args[start..at]);
                }
            }
        }
    }
    Ok(())
}

/// An open array or object, and what it has said so far about being a placeholder. The last of
/// equal keys counts.
struct Container<'a> {
    object: bool,
    key: Key,
    flag: bool,
    num: &'a str,
}

#[derive(Clone, Copy)]
enum Key {
    Due,
    Flag,
    Num,
    Other,
}

impl<'a> Container<'a> {
    fn object() -> Self {
        Self {
            object: true,
            key: Key::Due,
            flag: false,
            num: "",
        }
    }

    fn array() -> Self {
        Self {
            object: false,
            ..Self::object()
        }
    }

    /// A key, or a scalar that is a value.
    fn see(&mut self, token: &'a str) {
        if !self.object {
            return;
        }
        match self.key {
            Key::Due => {
                self.key = Key::of(token);
                // Until its value is seen it is not known; a container as the value leaves it so.
                match self.key {
                    Key::Flag => self.flag = false,
                    Key::Num => self.num = "",
                    Key::Due | Key::Other => {}
                }
            }
            Key::Flag => self.flag = token == "true",
            Key::Num => self.num = token,
            Key::Other => {}
        }
    }

    fn check(self, used: &mut [bool]) -> Result<(), PacketError> {
        if !self.flag {
            return Ok(());
        }
        let Some(num) = index(self.num, used.len()) else {
            return Err(PacketError::Placeholder {
                attachments: used.len(),
            });
        };
        if std::mem::replace(&mut used[num], true) {
            return Err(PacketError::PlaceholderRepeated { num });
        }
        Ok(())
    }
}

impl Key {
    fn of(token: &str) -> Self {
        let plain = token.trim_matches('"');
        let decoded: String;
        let name = if plain.contains('\\') {
            decoded = serde_json::from_str(token).unwrap_or_default();
            &decoded
        } else {
            plain
        };
        match name {
            FLAG => Self::Flag,
            NUM => Self::Num,
            _ => Self::Other,
        }
    }
}

/// The end of a number or literal.
fn word_end(bytes: &[u8], start: usize) -> usize {
    let is_end = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t');
    bytes[start..]
        .iter()
        .position(is_end)
        .map_or(bytes.len(), |length| start + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ILLEGAL: Result<(), PacketError> = Err(PacketError::Placeholder { attachments: 2 });

    #[test]
    fn placeholders_in_range_pass_at_any_depth() {
        for args in [
            r#"{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}"#,
            r#"[{"a":{"num":1,"_placeholder":true}},{ "_placeholder" : true , "num" : 0 }]"#,
            r#"{"_placeholder":true,"num":5,"num":1,"more":{"_placeholder":true,"num":0}}"#,
        ] {
            assert_eq!(check_placeholders(args, 2), Ok(()), "{args}");
        }
    }

    #[test]
    fn num_that_is_no_index_is_refused() {
        for num in [
            r#""splice""#,
            "-1",
            "1e9",
            "1.5",
            "2",
            "99999999999999999999",
            "null",
            "[0]",
            "{}",
            r#""0""#,
            "true",
        ] {
            let args = format!(r#"1,[{{"_placeholder":true,"num":{num}}}]"#);
            assert_eq!(check_placeholders(&args, 2), ILLEGAL, "{num}");
        }
        assert_eq!(check_placeholders(r#"{"_placeholder":true}"#, 2), ILLEGAL);
        assert_eq!(check_placeholders(r#"{"\u005fplaceholder":true,"num":2}"#, 2), ILLEGAL);
        assert_eq!(
            check_placeholders(r#"{"_placeholder":1,"_placeholder":true}"#, 2),
            ILLEGAL
        );
        assert_eq!(
            check_placeholders(r#"{"num":0,"_placeholder":true,"num":[1]}"#, 2),
            ILLEGAL
        );
    }

    #[test]
    fn what_is_no_placeholder_passes() {
        for args in [
            "",
            r#"{"_placeholder":false,"num":9}"#,
            r#"{"_placeholder":"true","num":9}"#,
            r#"{"_placeholder":{"x":true},"num":9}"#,
            r#"{"_placeholder":true,"_placeholder":null,"num":9}"#,
            r#"["_placeholder",true],"_placeholder",true,{"a":"_placeholder","b":true}"#,
            r#"{"a":"{\"_placeholder\":true}","1":1e400}"#,
        ] {
            assert_eq!(check_placeholders(args, 2), Ok(()), "{args}");
        }
    }

    #[test]
    fn unused_attachment_passes() {
        assert_eq!(check_placeholders(r#"{"_placeholder":true,"num":1}"#, 3), Ok(()));
    }

    #[test]
    fn attachment_used_twice_is_refused() {
        let args = r#"{"_placeholder":true,"num":1},{"_placeholder":true,"num":1}"#;
        let twice = Err(PacketError::PlaceholderRepeated { num: 1 });
        assert_eq!(check_placeholders(args, 2), twice);
    }
}
