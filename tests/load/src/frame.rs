//! WebSocket frames (RFC 6455), by hand: a client's, masked, and a server's.

use std::ops::Range;

pub const TEXT: u8 = 0x1;
pub const BINARY: u8 = 0x2;
pub const CLOSE: u8 = 0x8;
pub const PING: u8 = 0x9;
pub const PONG: u8 = 0xa;

/// Clients must mask; nothing between here and the server can be misled by what is not random.
const MASK: [u8; 8] = [0x5a, 0x01, 0xff, 0x80, 0x5a, 0x01, 0xff, 0x80];

/// A whole frame that was found at the beginning of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    pub opcode: u8,
    pub payload: Range<usize>,
}

/// Adds a client's frame.
pub fn masked(frames: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    head(frames, opcode, payload.len(), 0x80);
    frames.extend(&MASK[..4]);
    let begin = frames.len();
    frames.extend(payload);
    for eight in frames[begin..].chunks_mut(8) {
        for (byte, mask) in eight.iter_mut().zip(MASK) {
            *byte ^= mask;
        }
    }
}

/// Adds a server's frame.
pub fn bare(frames: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    head(frames, opcode, payload.len(), 0);
    frames.extend(payload);
}

fn head(frames: &mut Vec<u8>, opcode: u8, length: usize, mask: u8) {
    frames.push(0x80 | opcode);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ 0..126), _) => frames.push(mask + short),
        (_, Ok(medium)) => {
            frames.push(mask + 126);
            frames.extend(medium.to_be_bytes());
        }
        _ => {
            frames.push(mask + 127);
            frames.extend((length as u64).to_be_bytes());
        }
    }
}

/// Looks for a whole frame of a server.
///
/// # Errors
/// When it has several parts, is compressed or masked: servers have no reason for that here.
pub fn find(bytes: &[u8]) -> Result<Option<Found>, String> {
    let [first, second, rest @ ..] = bytes else {
        return Ok(None);
    };
    if first & 0xf0 != 0x80 || second & 0x80 != 0 {
        return Err(format!("a frame begins with {first:#x} {second:#x}"));
    }
    let (head, length) = match second {
        126 => (4, rest.first_chunk().map(|bytes| u16::from_be_bytes(*bytes).into())),
        127 => (10, rest.first_chunk().map(|bytes| u64::from_be_bytes(*bytes))),
        short => (2, Some(u64::from(*short))),
    };
    let Some(length) = length else {
        return Ok(None);
    };
    let end = usize::try_from(length).ok().and_then(|length| length.checked_add(head));
    let end = end.ok_or_else(|| format!("a frame of {length} bytes"))?;
    let opcode = first & 0x0f;
    Ok((bytes.len() >= end).then_some(Found {
        opcode,
        payload: head..end,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_frame_is_found_once_all_of_it_is_there() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let mut frame = Vec::new();
            bare(&mut frame, TEXT, &vec![b'x'; length]);
            for cut in [0, 1, frame.len() - 1] {
                assert_eq!(find(&frame[..cut]), Ok(None), "{cut} bytes of a frame of {length}");
            }
            let payload = frame.len() - length..frame.len();
            frame.push(0x81);
            assert_eq!(find(&frame), Ok(Some(Found { opcode: TEXT, payload })));
        }
    }

    #[test]
    fn a_clients_frame_is_masked() {
        let mut frame = Vec::new();
        masked(&mut frame, BINARY, b"0123456789");
        assert_eq!(frame[..6], [0x82, 0x8a, 0x5a, 0x01, 0xff, 0x80]);
        let unmasked: Vec<u8> = frame[6..]
            .iter()
            .zip(MASK.iter().cycle())
            .map(|(byte, mask)| byte ^ mask)
            .collect();
        assert_eq!(unmasked, b"0123456789");
    }

    #[test]
    fn what_no_server_has_reason_to_send_is_refused() {
        assert!(find(&[0x01, 0]).is_err(), "a part of a message");
        assert!(find(&[0xc1, 0]).is_err(), "a compressed one");
        assert!(find(&[0x81, 0x80]).is_err(), "a masked one");
        assert!(
            find(&[0x81, 127, 255, 255, 255, 255, 255, 255, 255, 255]).is_err(),
            "an endless one"
        );
    }
}
