//! The server half of WebSocket framing (RFC 6455): a client's bytes in, whole messages out, in the
//! order they came.
//!
//! Owns what is between frames: fragments, limits, UTF-8 across reads, and the bytes of whatever is
//! incomplete. It never reads a socket or a clock, never answers (the driver sends pongs and
//! closes) and holds no memory while nothing is incomplete. One frame's bits are `frame`'s, what
//! can be wrong is `violation`'s, the HTTP that comes before is `handshake`'s.

use std::{mem, ops::ControlFlow};

use self::frame::Header;
use super::{
    deflate::{Agreed, inflate},
    utf8::{self, NotUtf8},
};

mod frame;
mod violation;

pub(crate) use frame::put_compressed_header_before;
pub(crate) use frame::{MAX_HEADER, Opcode, control_frame, header, put_header_before};
pub(crate) use violation::Violation;

/// The most fragments of one message. Fragments are joined as they arrive and cost no memory, so
/// this bounds the work and the patience that a message of empty or tiny ones can ask for. The
/// number is the default of `ws` (16 × 1024), which the reference server runs on, so no client that
/// works there is refused here.
const MAX_FRAGMENTS: u32 = 16 * 1024;

/// What a client sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
    /// To be answered by `control_frame(Opcode::Pong, payload)`.
    Ping(&'a [u8]),
    /// Its payload is not even unmasked: nobody asks for it, so a flood of them costs next to
    /// nothing.
    Pong,
    /// Nothing follows: what the client sends after this is discarded (§1.4).
    Close(Option<CloseFrame<'a>>),
}

/// Why a client closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CloseFrame<'a> {
    pub(crate) code: u16,
    pub(crate) reason: &'a str,
}

/// Decodes what a client sends. Holds memory only while a message or a frame is incomplete.
#[derive(Debug)]
pub(crate) struct Decoder {
    max_message: usize,
    /// Whether messages may be compressed.
    deflate: Option<Agreed>,
    /// Bytes as they came: the start of a header or of a control frame, or all that followed a
    /// `Break`.
    kept: Vec<u8>,
    /// How many of `kept` are decoded already.
    kept_start: usize,
    /// The message of which a part has come.
    message: Option<Message>,
    state: State,
}

impl Decoder {
    /// A decoder for one connection, that refuses messages of more than `max_message` bytes.
    pub(crate) fn new(max_message: usize, deflate: Option<Agreed>) -> Self {
        Self {
            max_message,
            deflate,
            kept: Vec::new(),
            kept_start: 0,
            message: None,
            state: State::Open,
        }
    }

    /// The same, when those bytes have come already.
    pub(super) fn after(mut self, bytes: &[u8]) -> Self {
        let _flow = self.pause(bytes);
        self
    }

    /// Takes bytes read from the wire, unmasks them in place and hands every event to `sink`, in
    /// order. A message that lies whole in `input` in one frame is lent from there, neither copied
    /// nor allocated.
    ///
    /// When `sink` breaks, the bytes not yet decoded are kept; the next call goes on with them,
    /// also with an empty `input`. They are kept without a limit: feed no more than one read before
    /// the backlog is gone.
    ///
    /// After a violation, and after `Event::Close`, everything further is discarded (§7.1.7, §1.4).
    pub(crate) fn feed(
        &mut self,
        input: &mut [u8],
        mut sink: impl FnMut(Event<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Violation> {
        let result = self.decode_all(input, &mut sink);
        if result.is_err() {
            self.end();
        }
        result
    }

    /// What was agreed of compression.
    pub(super) fn deflate(&self) -> Option<Agreed> {
        self.deflate
    }

    /// Whether bytes that followed a `Break` wait for the next call of `feed`.
    pub(crate) fn has_backlog(&self) -> bool {
        self.state == State::Paused
    }

    fn decode_all(
        &mut self,
        mut input: &mut [u8],
        sink: &mut impl FnMut(Event<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Violation> {
        while !self.kept.is_empty() {
            if self.state != State::Paused {
                // Only what was cut off is completed here: what follows is read where it lies, in
                // `input`.
                let missing = frame::missing(&self.kept[self.kept_start..]).min(input.len());
                if missing == 0 {
                    return Ok(ControlFlow::Continue(()));
                }
                self.kept
                    .extend_from_slice(input.split_off_mut(..missing).unwrap_or_default());
            }
            let mut kept = mem::take(&mut self.kept);
            let (used, flow) = self.decode(&mut kept[self.kept_start..], sink)?;
            if self.state == State::Ended {
                return Ok(flow);
            }
            self.put_back(kept, used);
            if flow.is_break() {
                return Ok(self.pause(input));
            }
            self.state = State::Open;
        }
        let (used, flow) = self.decode(input, sink)?;
        if self.state == State::Ended {
            return Ok(flow);
        }
        let rest = &input[used..];
        if flow.is_break() {
            return Ok(self.pause(rest));
        }
        self.kept.extend_from_slice(rest);
        Ok(ControlFlow::Continue(()))
    }

    /// Decodes `bytes` until they end, the rest is too short to be read, or `sink` breaks. Returns
    /// how many are done with.
    fn decode(
        &mut self,
        bytes: &mut [u8],
        sink: &mut impl FnMut(Event<'_>) -> ControlFlow<()>,
    ) -> Result<(usize, ControlFlow<()>), Violation> {
        let mut used = 0;
        let mut flow = ControlFlow::Continue(());
        while flow.is_continue() && self.state != State::Ended {
            let Some((step, then)) = self.step(&mut bytes[used..], sink)? else {
                break;
            };
            used += step;
            flow = then;
        }
        Ok((used, flow))
    }

    /// Decodes one thing: a control frame, a message in one frame, the header of any other data
    /// frame, or as much as there is of such a frame's payload. `None` when `bytes` are too short
    /// for it.
    fn step(
        &mut self,
        bytes: &mut [u8],
        sink: &mut impl FnMut(Event<'_>) -> ControlFlow<()>,
    ) -> Result<Option<(usize, ControlFlow<()>)>, Violation> {
        if let Some(message) = self.message.as_mut().filter(|message| message.frame.is_some()) {
            return match message.take_payload(bytes, self.max_message)? {
                Payload::Incomplete => Ok(None),
                Payload::Gathered(used) => Ok(Some((used, ControlFlow::Continue(())))),
                Payload::Ended(used) => {
                    let Some(whole) = self.message.take() else {
                        return Ok(None);
                    };
                    let payload = if whole.bytes.is_empty() {
                        &bytes[..used]
                    } else {
                        &whole.bytes
                    };
                    Ok(Some((used, self.hand_on(whole.text, whole.compressed, payload, sink)?)))
                }
            };
        }
        let Some(header) = Header::read(bytes, self.deflate.is_some())? else {
            return Ok(None);
        };
        if header.opcode.is_control() {
            return self.control(&header, bytes, sink);
        }
        let len = self.admit(&header)?;
        let text = header.opcode == Opcode::Text;
        if header.last
            && self.message.is_none()
            && let Some(payload) = bytes.get_mut(header.size..).and_then(|rest| rest.get_mut(..len))
        {
            frame::unmask(payload, header.mask);
            return Ok(Some((
                header.size + len,
                self.hand_on(text, header.compressed, payload, sink)?,
            )));
        }
        let message = self
            .message
            .get_or_insert_with(|| Message::new(text, header.compressed));
        message.fragments += 1;
        message.frame = Some(Frame {
            missing: len,
            mask: header.mask,
            last: header.last,
        });
        Ok(Some((header.size, ControlFlow::Continue(()))))
    }

    /// Hands on a whole message.
    fn hand_on(
        &self,
        text: bool,
        compressed: bool,
        payload: &[u8],
        sink: &mut impl FnMut(Event<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Violation> {
        if compressed {
            return inflate(payload, self.max_message, |payload| {
                Ok(sink(data_event(text, payload)?))
            });
        }
        Ok(sink(data_event(text, payload)?))
    }

    /// Whether a data frame may come now, and be this long: its length.
    fn admit(&self, header: &Header) -> Result<usize, Violation> {
        let held = match (&self.message, header.opcode) {
            (None, Opcode::Continuation) => return Err(Violation::LoneContinuation),
            (None, _) => 0,
            (Some(message), Opcode::Continuation) => {
                if message.fragments == MAX_FRAGMENTS {
                    return Err(Violation::TooManyFragments { max: MAX_FRAGMENTS });
                }
                message.bytes.len()
            }
            (Some(_), _) => return Err(Violation::UnfinishedMessage),
        };
        let len = usize::try_from(header.len)
            .ok()
            .filter(|len| *len <= self.max_message - held);
        // No overflow: the top bit of a frame's length is 0, and so is that of a `Vec`'s.
        len.ok_or(Violation::TooBig {
            at_least: held as u64 + header.len,
            max: self.max_message,
        })
    }

    /// Hands on a control frame; also in the midst of a fragmented message (§5.4).
    fn control(
        &mut self,
        header: &Header,
        bytes: &mut [u8],
        sink: &mut impl FnMut(Event<'_>) -> ControlFlow<()>,
    ) -> Result<Option<(usize, ControlFlow<()>)>, Violation> {
        // Not over 14 + 125: no control frame is longer.
        let end = header.size + usize::try_from(header.len).unwrap_or(frame::MAX_CONTROL);
        let Some(payload) = bytes.get_mut(header.size..end) else {
            return Ok(None);
        };
        if header.opcode == Opcode::Pong {
            return Ok(Some((end, sink(Event::Pong))));
        }
        frame::unmask(payload, header.mask);
        let event = if header.opcode == Opcode::Ping {
            Event::Ping(payload)
        } else {
            self.end();
            Event::Close(read_close(payload)?)
        };
        Ok(Some((end, sink(event))))
    }

    /// Keeps what is left of `kept` after `used` more bytes. What is done with is thrown away once
    /// it is half of it, so that a backlog decoded event by event is moved in linear time, and
    /// gives its memory back as it shrinks.
    fn put_back(&mut self, mut kept: Vec<u8>, used: usize) {
        self.kept_start += used;
        if self.kept_start >= kept.len() - self.kept_start {
            kept.drain(..self.kept_start);
            kept.shrink_to_fit();
            self.kept_start = 0;
        }
        self.kept = kept;
    }

    /// Keeps `rest` for the call after a `Break`.
    fn pause(&mut self, rest: &[u8]) -> ControlFlow<()> {
        self.kept.extend_from_slice(rest);
        self.state = if self.kept.is_empty() {
            State::Open
        } else {
            State::Paused
        };
        ControlFlow::Break(())
    }

    fn end(&mut self) {
        *self = Self {
            state: State::Ended,
            ..Self::new(self.max_message, self.deflate)
        };
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// `kept` is a backlog: it may hold whole frames.
    Paused,
    /// A close or a violation came.
    Ended,
}

/// A message of which a part has come: fragments, or one frame over several reads.
#[derive(Debug)]
struct Message {
    /// Unmasked, and compressed if it came so.
    bytes: Vec<u8>,
    /// The frame whose payload is coming; `None` between two frames.
    frame: Option<Frame>,
    fragments: u32,
    text: bool,
    compressed: bool,
    /// How many bytes at the end are the start of a character that the next ones must complete (0
    /// to 3).
    open_character: u8,
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    missing: usize,
    /// Turned so that it fits the next byte.
    mask: [u8; 4],
    last: bool,
}

/// What became of the bytes given to a message.
enum Payload {
    Incomplete,
    /// This many were gathered; there is more to come.
    Gathered(usize),
    /// This many ended the message. They are not gathered when nothing was gathered before.
    Ended(usize),
}

impl Message {
    fn new(text: bool, compressed: bool) -> Self {
        Self {
            bytes: Vec::new(),
            frame: None,
            fragments: 0,
            text,
            compressed,
            open_character: 0,
        }
    }

    fn take_payload(&mut self, bytes: &mut [u8], max_message: usize) -> Result<Payload, Violation> {
        let Some(frame) = &mut self.frame else {
            return Ok(Payload::Incomplete);
        };
        let used = frame.missing.min(bytes.len());
        if used == 0 && frame.missing > 0 {
            return Ok(Payload::Incomplete);
        }
        // How long the message can become, as far as the headers that came tell.
        let max_len = if frame.last {
            self.bytes.len() + frame.missing
        } else {
            max_message
        };
        let payload = &mut bytes[..used];
        frame::unmask(payload, frame.mask);
        frame.mask.rotate_left(used % 4);
        frame.missing -= used;
        let frame_ended = frame.missing == 0;
        let ended = frame_ended && frame.last;
        if frame_ended {
            self.frame = None;
        }
        if !(ended && self.bytes.is_empty()) {
            self.gather(payload, max_len)?;
        }
        Ok(if ended {
            Payload::Ended(used)
        } else {
            Payload::Gathered(used)
        })
    }

    fn gather(&mut self, payload: &[u8], max_len: usize) -> Result<(), Violation> {
        let len = self.bytes.len() + payload.len();
        if len > self.bytes.capacity() {
            // Doubled, so that many small reads stay linear; never more than can come, and never
            // what a mere header announces: memory follows what has arrived.
            let capacity = (2 * self.bytes.capacity()).clamp(len, max_len);
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
        let unchecked = self.bytes.len() - usize::from(self.open_character);
        self.bytes.extend_from_slice(payload);
        if self.text && !self.compressed {
            self.open_character = utf8::check_end(&self.bytes[unchecked..]).map_err(|NotUtf8| Violation::BadText)?;
        }
        Ok(())
    }
}

fn data_event(text: bool, payload: &[u8]) -> Result<Event<'_>, Violation> {
    if text {
        read_text(payload, Violation::BadText).map(Event::Text)
    } else {
        Ok(Event::Binary(payload))
    }
}

fn read_close(payload: &[u8]) -> Result<Option<CloseFrame<'_>>, Violation> {
    match payload {
        [] => Ok(None),
        [_] => Err(Violation::ShortClose),
        [a, b, reason @ ..] => match u16::from_be_bytes([*a, *b]) {
            // §7.4.1 and the registry that it set up (1012 to 1014), then §7.4.2: libraries and
            // applications.
            code @ (1000..=1003 | 1007..=1014 | 3000..=4999) => Ok(Some(CloseFrame {
                code,
                reason: read_text(reason, Violation::BadCloseReason)?,
            })),
            code => Err(Violation::BadCloseCode(code)),
        },
    }
}

fn read_text(bytes: &[u8], otherwise: Violation) -> Result<&str, Violation> {
    str::from_utf8(bytes).or(Err(otherwise))
}

#[cfg(test)]
mod tests;
