//! What a client can do wrong on a WebSocket, and the close code that each earns.
//!
//! Owns the words and the codes (RFC 6455 §7.4.1). It never closes anything: the driver sends
//! a close frame with `close_code()` and ends the connection. `frame` and `codec` decide which
//! violation it is.

use std::fmt;

use super::Opcode;

/// Why a connection must be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Violation {
    /// §5.1: a client masks every frame.
    Unmasked,
    /// §5.2: RSV1 to RSV3 belong to extensions, and none is agreed but RSV1's (RFC 7692), if that. Holds
    /// the bits that were set, 0x10 to 0x70.
    ReservedBits(u8),
    /// RFC 7692 §6: only the first frame of a message says that it is compressed.
    StrayCompression(Opcode),
    /// §5.2: opcodes 3 to 7 and 11 to 15 have no meaning yet.
    ReservedOpcode(u8),
    /// §5.5: control frames are never fragmented.
    FragmentedControl(Opcode),
    /// §5.5: control frames carry at most 125 bytes.
    LongControl(Opcode),
    /// §5.2: lengths are written in the shortest form.
    PaddedLength(u64),
    /// §5.2: the top bit of a 64-bit length is 0.
    LengthTopBit(u64),
    /// §5.4: a continuation frame needs a message to continue.
    LoneContinuation,
    /// §5.4: the fragments of two messages are never interleaved.
    UnfinishedMessage,
    /// §8.1: text is UTF-8.
    BadText,
    /// §5.5.1: a close payload is empty, or begins with a 2-byte code.
    ShortClose,
    /// §7.4: some codes are never sent.
    BadCloseCode(u16),
    /// §5.5.1: a close reason is UTF-8.
    BadCloseReason,
    /// RFC 7692 §7.2.2: a compressed message is DEFLATE's, whole, and refers to no other message.
    BadDeflate,
    /// Larger than the configuration allows.
    TooBig { at_least: u64, max: usize },
    /// In more fragments than anyone sends in good faith.
    TooManyFragments { max: u32 },
}

impl Violation {
    /// The code for the close frame (§7.4.1).
    pub(crate) fn close_code(&self) -> u16 {
        match self {
            // RFC 7692 names no code for the last; this is the reference server's.
            Self::BadText | Self::BadCloseReason | Self::BadDeflate => 1007,
            Self::TooBig { .. } | Self::TooManyFragments { .. } => 1009,
            _ => 1002,
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unmasked => f.write_str("frame without a mask: mask every frame"),
            Self::ReservedBits(bits) => write!(
                f,
                "frame with reserved bits {bits:#04x}: no extension that was agreed has them, leave them 0"
            ),
            Self::StrayCompression(opcode) => write!(
                f,
                "{opcode:?} frame with rsv1: set it in the first frame of a compressed message only"
            ),
            Self::ReservedOpcode(opcode) => write!(f, "frame with reserved opcode {opcode}: use 0, 1, 2, 8, 9 or 10"),
            Self::FragmentedControl(opcode) => {
                write!(f, "fragmented {opcode:?} frame: send it as one final frame")
            }
            Self::LongControl(opcode) => {
                write!(f, "{opcode:?} frame of over 125 bytes: shorten its payload")
            }
            Self::PaddedLength(len) => {
                write!(f, "length {len} in too many bytes: use the shortest form")
            }
            Self::LengthTopBit(len) => {
                write!(f, "length {len:#x} has its top bit set: send smaller frames")
            }
            Self::LoneContinuation => f.write_str("continuation of nothing: begin with a text or binary frame"),
            Self::UnfinishedMessage => {
                f.write_str("message inside a fragmented one: end that with a final frame first")
            }
            Self::BadText => f.write_str("text that is not utf-8: send other bytes as binary"),
            Self::ShortClose => f.write_str("close payload of 1 byte: send a 2-byte code or none"),
            Self::BadCloseCode(code) => write!(f, "close code {code}: use 1000 to 1003, 1007 to 1014 or 3000 to 4999"),
            Self::BadCloseReason => f.write_str("close reason that is not utf-8: send text or leave it out"),
            Self::BadDeflate => {
                f.write_str("compressed message that cannot be inflated: compress each by itself, as was agreed")
            }
            Self::TooBig { at_least, max } => write!(
                f,
                "message of {at_least} bytes or more: send at most {max}, or raise the limit"
            ),
            Self::TooManyFragments { max } => {
                write!(f, "message in more than {max} fragments: send fewer, larger ones")
            }
        }
    }
}

impl std::error::Error for Violation {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_name_the_input_and_the_remedy() {
        for (violation, text) in [
            (
                Violation::ReservedBits(0x10),
                "frame with reserved bits 0x10: no extension that was agreed has them, leave them 0",
            ),
            (
                Violation::LongControl(Opcode::Ping),
                "ping frame of over 125 bytes: shorten its payload",
            ),
            (
                Violation::BadCloseCode(1005),
                "close code 1005: use 1000 to 1003, 1007 to 1014 or 3000 to 4999",
            ),
            (
                Violation::TooBig { at_least: 11, max: 10 },
                "message of 11 bytes or more: send at most 10, or raise the limit",
            ),
        ] {
            assert_eq!(violation.to_string(), text);
        }
    }

    #[test]
    fn codes_tell_protocol_errors_from_bad_text_and_size() {
        assert_eq!(Violation::Unmasked.close_code(), 1002);
        assert_eq!(Violation::BadCloseCode(999).close_code(), 1002);
        assert_eq!(Violation::BadText.close_code(), 1007);
        assert_eq!(Violation::BadCloseReason.close_code(), 1007);
        assert_eq!(Violation::BadDeflate.close_code(), 1007);
        assert_eq!(Violation::StrayCompression(Opcode::Ping).close_code(), 1002);
        assert_eq!(Violation::TooBig { at_least: 2, max: 1 }.close_code(), 1009);
        assert_eq!(Violation::TooManyFragments { max: 1 }.close_code(), 1009);
    }
}
