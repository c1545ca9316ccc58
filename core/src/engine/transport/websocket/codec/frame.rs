//! One WebSocket frame on the wire (RFC 6455 §5): reads a client's header and mask, writes a
//! server's header.
//!
//! Owns bits and lengths. It never sees two frames at once (fragments and order are `codec`'s) and
//! never allocates, but for the control frames it builds. What is wrong with a frame is said by
//! `violation`.

use std::fmt;

use super::Violation;

/// RSV1: the message is compressed (RFC 7692 §6).
const COMPRESSED: u8 = 0x40;

/// The longest header that a server writes: 2 bytes and a 64-bit length (§5.2), no mask.
pub(crate) const MAX_HEADER: usize = 10;

/// The longest payload of a control frame (§5.5).
pub(super) const MAX_CONTROL: usize = 125;

/// What a frame is (§5.2). `Debug` writes the name in lower case, as messages to people want it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opcode {
    Continuation = 0,
    Text = 1,
    Binary = 2,
    Close = 8,
    Ping = 9,
    Pong = 10,
}

/// The header of a client's frame, checked for all that can be said without its neighbours.
#[derive(Debug)]
pub(super) struct Header {
    /// Nothing of this message follows.
    pub(super) last: bool,
    pub(super) opcode: Opcode,
    /// The message that it begins is compressed (RFC 7692).
    pub(super) compressed: bool,
    pub(super) mask: [u8; 4],
    /// Where the payload begins: 6, 8 or 14.
    pub(super) size: usize,
    /// The payload's length.
    pub(super) len: u64,
}

impl Header {
    /// Reads the header that `bytes` begin with; `None` when it is incomplete. What two bytes show
    /// to be wrong is refused at two bytes. `inflates`: messages may be compressed.
    pub(super) fn read(bytes: &[u8], inflates: bool) -> Result<Option<Self>, Violation> {
        let &[first, second, ..] = bytes else {
            return Ok(None);
        };
        let (last, reserved) = (first & 0x80 != 0, first & 0x70);
        if reserved != 0 && !(inflates && reserved == COMPRESSED) {
            return Err(Violation::ReservedBits(reserved));
        }
        let compressed = reserved != 0;
        let opcode = Opcode::read(first & 0x0f)?;
        if compressed && !matches!(opcode, Opcode::Text | Opcode::Binary) {
            return Err(Violation::StrayCompression(opcode));
        }
        if second & 0x80 == 0 {
            return Err(Violation::Unmasked);
        }
        let short = second & 0x7f;
        if opcode.is_control() {
            if !last {
                return Err(Violation::FragmentedControl(opcode));
            }
            if usize::from(short) > MAX_CONTROL {
                return Err(Violation::LongControl(opcode));
            }
        }
        let size = masked_header_size(short);
        let Some(header) = bytes.get(..size) else {
            return Ok(None);
        };
        let (Some(&mask), Some(len)) = (header.last_chunk(), read_length(header)) else {
            return Ok(None);
        };
        // The longest length that the next shorter form can say; two bytes need no check.
        let shorter_form_reaches = match short {
            126 => Some(125),
            127 => Some(u64::from(u16::MAX)),
            _ => None,
        };
        if shorter_form_reaches.is_some_and(|reach| len <= reach) {
            return Err(Violation::PaddedLength(len));
        }
        if len >> 63 != 0 {
            return Err(Violation::LengthTopBit(len));
        }
        Ok(Some(Self {
            last,
            opcode,
            compressed,
            mask,
            size,
            len,
        }))
    }
}

impl Opcode {
    pub(super) fn is_control(self) -> bool {
        self as u8 & 0x08 != 0
    }

    fn read(nibble: u8) -> Result<Self, Violation> {
        Ok(match nibble {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            reserved => return Err(Violation::ReservedOpcode(reserved)),
        })
    }
}

impl fmt::Debug for Opcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Continuation => "continuation",
            Self::Text => "text",
            Self::Binary => "binary",
            Self::Close => "close",
            Self::Ping => "ping",
            Self::Pong => "pong",
        })
    }
}

/// How many bytes must follow `start`, the beginning of a client's frame, until a data frame's
/// header or a whole control frame is there. It may take two calls: the first two bytes tell the
/// rest.
pub(super) fn missing(start: &[u8]) -> usize {
    let &[first, second, ..] = start else {
        return 2 - start.len();
    };
    let short = second & 0x7f;
    let payload = if first & 0x08 == 0 { 0 } else { usize::from(short) };
    (masked_header_size(short) + payload).saturating_sub(start.len())
}

/// Takes the mask off (§5.3), eight bytes at a time, which the compiler turns into vector
/// instructions.
pub(super) fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let twice = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, tail) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ twice).to_ne_bytes();
    }
    for (byte, mask) in tail.iter_mut().zip(twice.to_ne_bytes()) {
        *byte ^= mask;
    }
}

/// The header of an unmasked, final frame, and how many of its bytes count.
pub(crate) fn header(opcode: Opcode, len: usize) -> ([u8; MAX_HEADER], usize) {
    let mut header = [0; MAX_HEADER];
    header[0] = 0x80 | opcode as u8;
    let size = if let Some(short) = u8::try_from(len).ok().filter(|short| *short < 126) {
        header[1] = short;
        2
    } else if let Ok(len) = u16::try_from(len) {
        header[1] = 126;
        header[2..4].copy_from_slice(&len.to_be_bytes());
        4
    } else {
        header[1] = 127;
        header[2..10].copy_from_slice(&(len as u64).to_be_bytes());
        10
    };
    (header, size)
}

/// Writes the header just before the payload, which runs from `payload_start` to the end of `buf`;
/// at least `MAX_HEADER` bytes must lie before it. Returns where the frame begins.
pub(crate) fn put_header_before(buf: &mut [u8], payload_start: usize, opcode: Opcode) -> usize {
    let (header, size) = header(opcode, buf.len() - payload_start);
    let frame_start = payload_start - size;
    buf[frame_start..payload_start].copy_from_slice(&header[..size]);
    frame_start
}

/// As [`put_header_before`], for a payload that is compressed.
pub(crate) fn put_compressed_header_before(buf: &mut [u8], payload_start: usize, opcode: Opcode) -> usize {
    let frame_start = put_header_before(buf, payload_start, opcode);
    buf[frame_start] |= COMPRESSED;
    frame_start
}

/// A whole control frame: a pong that echoes a ping's payload, or a close with its code and reason.
/// A payload over 125 bytes is cut, at any byte: a longer one would break the connection (§5.5). No
/// ping that the decoder lets through is longer; close reasons are the caller's to keep short.
pub(crate) fn control_frame(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let payload = &payload[..payload.len().min(MAX_CONTROL)];
    let (header, size) = header(opcode, payload.len());
    [&header[..size], payload].concat()
}

/// Two bytes, the longer length if there is one, four bytes of mask (§5.2).
fn masked_header_size(short: u8) -> usize {
    match short {
        126 => 2 + 2 + 4,
        127 => 2 + 8 + 4,
        _ => 2 + 4,
    }
}

/// The length in a whole header, in whichever form its size says.
fn read_length(header: &[u8]) -> Option<u64> {
    match header {
        [_, short, _, _, _, _] => Some(u64::from(short & 0x7f)),
        [_, _, a, b, _, _, _, _] => Some(u64::from(u16::from_be_bytes([*a, *b]))),
        [_, _, long @ .., _, _, _, _] => long.first_chunk().copied().map(u64::from_be_bytes),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unmask_agrees_with_the_definition_at_every_length() {
        let mask = [0x37, 0xfa, 0x21, 0x3d];
        for len in 0..70u8 {
            let masked: Vec<u8> = (0..len).collect();
            let expected: Vec<u8> = (0..len).map(|i| i ^ mask[usize::from(i) % 4]).collect();
            let mut bytes = masked;
            unmask(&mut bytes, mask);
            assert_eq!(bytes, expected);
        }
    }

    #[test]
    fn headers_take_the_shortest_form() {
        let cases: [(usize, &[u8]); 6] = [
            (0, &[0x81, 0]),
            (125, &[0x81, 125]),
            (126, &[0x81, 126, 0, 126]),
            (65_535, &[0x81, 126, 0xff, 0xff]),
            (65_536, &[0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
            (1 << 24, &[0x81, 127, 0, 0, 0, 0, 1, 0, 0, 0]),
        ];
        for (len, expected) in cases {
            let (bytes, size) = header(Opcode::Text, len);
            assert_eq!(&bytes[..size], expected);
        }
    }

    #[test]
    fn header_is_put_right_before_the_payload() {
        for len in [0, 5, 126, 70_000] {
            let mut buf = vec![0xaa; MAX_HEADER + len];
            let start = put_header_before(&mut buf, MAX_HEADER, Opcode::Binary);
            let (expected, size) = header(Opcode::Binary, len);
            assert_eq!(&buf[start..MAX_HEADER], &expected[..size]);
            assert!(buf[..start].iter().chain(&buf[MAX_HEADER..]).all(|b| *b == 0xaa));
        }
    }

    #[test]
    fn pong_echoes_no_more_than_what_came() {
        assert_eq!(control_frame(Opcode::Pong, b"hi"), b"\x8a\x02hi");
        assert_eq!(control_frame(Opcode::Close, b""), b"\x88\x00");
        assert_eq!(control_frame(Opcode::Close, b"\x03\xeano"), b"\x88\x04\x03\xeano");
        assert_eq!(control_frame(Opcode::Pong, &[7; 200]).len(), 2 + MAX_CONTROL);
    }

    #[test]
    fn missing_counts_up_to_a_data_header_or_a_whole_control_frame() {
        let cases: [(&[u8], usize); 9] = [
            (&[], 2),
            (&[0x81], 1),
            (&[0x81, 0x85], 4),
            (&[0x81, 0xfe, 0], 5),
            (&[0x81, 0xff], 12),
            (&[0x81, 0x85, 1, 2, 3, 4], 0),
            (&[0x89, 0x85], 9),
            (&[0x89, 0x85, 1, 2, 3, 4, b'h'], 4),
            (&[0x8a, 0x80, 1, 2, 3, 4], 0),
        ];
        for (start, expected) in cases {
            assert_eq!(missing(start), expected, "{start:?}");
        }
    }
}
