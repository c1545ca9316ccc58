//! Packets as frames: encoded once, for one recipient or many.

use std::{convert::Infallible, fmt, sync::OnceLock};

use bytes::Bytes;

use super::{
    args::{EmitArgs, EncodeError},
    codec::{self, Form, own, sio},
    recovery::Pid,
};
use crate::{
    engine::{Binary, Connection, Flags, Frame, Generation, Sent, Sid, Wake},
    parser::{Parser, ParserError},
};

/// One packet: its text and the binary messages that belong to it.
#[derive(Debug, Clone)]
pub(crate) struct Frames {
    /// As most generations have it.
    head: Frame,
    attachments: Box<[Bytes]>,
    /// The whole as the server's own parser has it, if the server has one.
    own: Option<Own>,
    is_event: bool,
    /// Whether its last argument is its offset, for clients that may come back.
    has_offset: bool,
    /// The whole in each form, where that differs, once there is a recipient of it.
    recoded: OnceLock<Box<[Recoded; Form::ALL.len()]>>,
    /// The same in each form, for those to whom it is sent compressed.
    compressible: OnceLock<Box<[Recoded; Form::ALL.len()]>>,
    /// It was held until its socket was let in: who sends it shows it to listeners.
    pub(crate) is_held: bool,
}

/// The server's own parser; `None`: it has none.
pub(crate) type OwnParser<'a> = Option<&'a dyn Parser>;

type Recoded = OnceLock<Box<[Frame]>>;

/// What a server's own parser wrote.
#[derive(Debug, Clone, Default)]
struct Own {
    frames: Box<[Frame]>,
    /// Without the offset, where there is one: made beforehand, since a parser is the application's.
    plain: Option<Box<[Frame]>>,
}

impl Own {
    fn to(&self, is_plain: bool) -> &[Frame] {
        match &self.plain {
            Some(plain) if is_plain => plain,
            _ => &self.frames,
        }
    }

    fn bytes(&self) -> usize {
        let frames = self.frames.iter().chain(self.plain.iter().flatten());
        frames.map(Frame::len).sum()
    }
}

impl Frames {
    pub(crate) fn event(
        nsp: &str,
        id: Option<u64>,
        name: &str,
        args: &(impl EmitArgs + ?Sized),
    ) -> Result<Self, EncodeError> {
        let mut attachments = Vec::new();
        let ((), head) = Frame::write_text(|out| sio::write_event(out, nsp, id, name, args, &mut attachments))?;
        let mut frames = Self::with(head, attachments);
        frames.is_event = true;
        Ok(frames)
    }

    /// As [`event`](Self::event), with an offset for clients that may come back. Neither `,` nor `"` nor `\` may be
    /// in that.
    pub(crate) fn recoverable_event(
        nsp: &str,
        name: &str,
        args: &(impl EmitArgs + ?Sized),
        offset: impl fmt::Display,
    ) -> Result<Self, EncodeError> {
        let mut attachments = Vec::new();
        let ((), head) = Frame::write_text(|out| {
            sio::write_event(out, nsp, None, name, args, &mut attachments)?;
            sio::append_offset(out, offset);
            Ok(())
        })?;
        let mut frames = Self::with(head, attachments);
        frames.is_event = true;
        frames.has_offset = true;
        Ok(frames)
    }

    pub(crate) fn ack(nsp: &str, id: u64, args: &(impl EmitArgs + ?Sized)) -> Result<Self, EncodeError> {
        let mut attachments = Vec::new();
        let ((), head) = Frame::write_text(|out| sio::write_ack(out, nsp, id, args, &mut attachments))?;
        Ok(Self::with(head, attachments))
    }

    pub(crate) fn connect(
        parser: OwnParser<'_>,
        generation: Generation,
        nsp: &str,
        id: &Sid,
        pid: Option<&Pid>,
    ) -> Self {
        Self::text(parser, |out| {
            codec::write_connect(generation, out, nsp, id.as_str(), pid.map(Pid::reveal));
        })
    }

    pub(crate) fn connect_error(
        parser: OwnParser<'_>,
        generation: Generation,
        nsp: &str,
        message: &str,
        data: Option<&str>,
    ) -> Self {
        Self::text(parser, |out| {
            codec::write_connect_error(generation, out, nsp, message, data);
        })
    }

    pub(crate) fn disconnect(parser: OwnParser<'_>, nsp: &str) -> Self {
        Self::text(parser, |out| sio::write_disconnect(out, nsp))
    }

    /// Has the server's own parser write them, too. It is the application's: no lock may be held.
    pub(crate) fn be_written_by(&mut self, parser: OwnParser<'_>) -> Result<(), EncodeError> {
        self.write_own(parser).map_err(EncodeError::Parser)
    }

    fn write_own(&mut self, parser: OwnParser<'_>) -> Result<(), ParserError> {
        let Some(parser) = parser else { return Ok(()) };
        let encode = |head: &Frame| own::encode(parser, head, &self.attachments);
        self.own = Some(Own {
            frames: encode(&self.head)?,
            plain: if self.has_offset {
                Some(encode(&sio::without_offset(&self.head))?)
            } else {
                None
            },
        });
        Ok(())
    }

    /// Whether its offset is nothing for clients of that form.
    fn is_plain_to(&self, form: Form) -> bool {
        self.has_offset && !form.has_offsets()
    }

    /// The event's name and arguments; `None` of any other packet.
    pub(crate) fn as_event(&self) -> Option<(String, &str)> {
        let text = std::str::from_utf8(self.head.packet().get(1..)?).ok()?;
        let (name, args) = sio::split_event(text)?;
        let args = if self.has_offset {
            // It holds no comma.
            args.rsplit_once(',').map_or("", |(args, _)| args)
        } else {
            args
        };
        Some((name, args))
    }

    pub(crate) fn attachments(&self) -> &[Bytes] {
        &self.attachments
    }

    /// Queues them for a client, in its generation's form.
    pub(crate) fn send(&self, connection: &Connection, flags: Flags, wake: Wake) -> Sent {
        let form = Form::of(connection.generation(), connection.reader());
        let mut frames = self.in_form(form, connection);
        if flags.compress
            && let Some(deflate) = connection.deflate()
            && frames.iter().any(|frame| deflate.covers(frame.packet().len()))
        {
            let compressible = &self.compressible.get_or_init(Box::default)[form as usize];
            frames = compressible.get_or_init(|| frames.iter().map(|frame| frame.compressible(deflate)).collect());
        }
        if frames.is_empty() {
            return Sent::default();
        }
        connection.send_frames(frames.iter(), flags, wake)
    }

    fn in_form(&self, form: Form, connection: &Connection) -> &[Frame] {
        let is_plain = self.is_plain_to(form);
        match &self.own {
            None if self.attachments.is_empty() && form.is_as_written() && !is_plain => {
                return std::slice::from_ref(&self.head);
            }
            Some(own) if form.is_as_parsed() => return &own.frames,
            _ => {}
        }
        let recoded = &self.recoded.get_or_init(Box::default)[form as usize];
        recoded.get_or_init(|| {
            if !self.is_for(connection) {
                tracing::warn!(
                    "clients of {} have no binary, and are left out of a packet that holds some",
                    connection.generation()
                );
            }
            let own = self.own.as_ref().and_then(|own| form.recode_own(own.to(is_plain)));
            own.unwrap_or_else(|| {
                if is_plain {
                    form.recode(&sio::without_offset(&self.head), &self.attachments)
                } else {
                    form.recode(&self.head, &self.attachments)
                }
            })
        })
    }

    /// Whether the client can be sent it.
    pub(crate) fn is_for(&self, connection: &Connection) -> bool {
        self.attachments.is_empty() || connection.profile().binary == Binary::Sent
    }

    pub(crate) fn is_event(&self) -> bool {
        self.is_event
    }

    /// Whether it is remembered for clients that may come back.
    pub(crate) fn has_offset(&self) -> bool {
        self.has_offset
    }

    /// Whether that is its offset.
    pub(crate) fn has_offset_of(&self, offset: &str) -> bool {
        self.has_offset && sio::ends_with_offset(&self.head, offset)
    }

    /// The same, to be kept: without what was made of it for those who are there.
    pub(crate) fn as_written(&self) -> Self {
        Self {
            recoded: OnceLock::new(),
            compressible: OnceLock::new(),
            head: self.head.clone(),
            attachments: self.attachments.clone(),
            own: self.own.clone(),
            ..*self
        }
    }

    /// Bytes it occupies in memory, about.
    pub(crate) fn bytes(&self) -> usize {
        let own = self.own.as_ref().map_or(0, Own::bytes);
        self.head.len() + self.attachments.iter().map(Bytes::len).sum::<usize>() + own
    }

    fn text(parser: OwnParser<'_>, write: impl FnOnce(&mut Vec<u8>)) -> Self {
        let written: Result<_, Infallible> = Frame::write_text(|out| {
            write(out);
            Ok(())
        });
        let Ok(((), head)) = written;
        let mut frames = Self::with(head, Vec::new());
        if let Err(error) = frames.write_own(parser) {
            tracing::error!("clients that have the server's parser are not told what it cannot write: {error}");
            frames.own = Some(Own::default());
        }
        frames
    }

    fn with(head: Frame, attachments: Vec<Bytes>) -> Self {
        Self {
            head,
            attachments: attachments.into(),
            own: None,
            is_event: false,
            has_offset: false,
            recoded: OnceLock::new(),
            is_held: false,
            compressible: OnceLock::new(),
        }
    }
}
