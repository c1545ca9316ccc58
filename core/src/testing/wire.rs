//! The client's half of WebSocket framing (RFC 6455), as far as this server asks for it: it sends whole
//! frames, and none with a mask.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _};

pub(super) const TEXT: u8 = 0x1;
pub(super) const BINARY: u8 = 0x2;
pub(super) const CLOSE: u8 = 0x8;
pub(super) const PING: u8 = 0x9;
pub(super) const PONG: u8 = 0xa;

/// Clients must mask; nothing between here and the server can be misled by what is not random.
const MASK: [u8; 4] = [0x5a, 0x01, 0xff, 0x80];

/// A frame of the server.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) opcode: u8,
    pub(super) payload: Bytes,
}

/// A whole frame of the client.
pub(super) fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    let length = payload.len();
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ 0..126), _) => frame.push(0x80 | short),
        (_, Ok(medium)) => {
            frame.push(0x80 | 0x7e);
            frame.put_u16(medium);
        }
        _ => {
            frame.push(0x80 | 0x7f);
            frame.put_u64(length as u64);
        }
    }
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// Reads frames.
pub(super) struct Frames<R> {
    stream: R,
    unread: BytesMut,
}

impl<R: AsyncRead + Unpin> Frames<R> {
    pub(super) fn new(stream: R) -> Self {
        Self {
            stream,
            unread: BytesMut::new(),
        }
    }

    /// The next frame; `None` once the stream has ended.
    pub(super) async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = take(&mut self.unread) {
                return Some(frame);
            }
            if self.stream.read_buf(&mut self.unread).await.unwrap_or(0) == 0 {
                return None;
            }
        }
    }
}

/// Takes a frame off the front, once all of it is there.
fn take(bytes: &mut BytesMut) -> Option<Frame> {
    let mut rest = &bytes[..];
    let opcode = rest.try_get_u8().ok()? & 0x0f;
    let length = match rest.try_get_u8().ok()? {
        126 => rest.try_get_u16().ok()?.into(),
        127 => usize::try_from(rest.try_get_u64().ok()?).ok()?,
        short => short.into(),
    };
    if rest.len() < length {
        return None;
    }
    bytes.advance(bytes.len() - rest.len());
    let payload = bytes.split_to(length).freeze();
    Some(Frame { opcode, payload })
}
