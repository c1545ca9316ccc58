//! Packets as frames: encoded once, for one recipient or many.

use std::convert::Infallible;

use super::{
    args::{EmitArgs, EncodeError},
    codec::sio,
};
use crate::engine::{Frame, Sid};

/// One packet: its text and the binary messages that belong to it.
#[derive(Debug, Clone)]
pub(crate) struct Frames {
    head: Frame,
    attachments: Vec<Frame>,
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
        Ok(Self::with(head, &attachments))
    }

    pub(crate) fn ack(nsp: &str, id: u64, args: &(impl EmitArgs + ?Sized)) -> Result<Self, EncodeError> {
        let mut attachments = Vec::new();
        let ((), head) = Frame::write_text(|out| sio::write_ack(out, nsp, id, args, &mut attachments))?;
        Ok(Self::with(head, &attachments))
    }

    pub(crate) fn connect(nsp: &str, id: &Sid) -> Self {
        Self::text(|out| sio::write_connect(out, nsp, id.as_str()))
    }

    pub(crate) fn connect_error(nsp: &str, message: &str, data: Option<&str>) -> Self {
        Self::text(|out| sio::write_connect_error(out, nsp, message, data))
    }

    pub(crate) fn disconnect(nsp: &str) -> Self {
        Self::text(|out| sio::write_disconnect(out, nsp))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Frame> {
        std::iter::once(&self.head).chain(&self.attachments)
    }

    /// Bytes it occupies in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.iter().map(Frame::len).sum()
    }

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> Self {
        let written: Result<_, Infallible> = Frame::write_text(|out| {
            write(out);
            Ok(())
        });
        let Ok(((), head)) = written;
        Self::with(head, &[])
    }

    fn with(head: Frame, attachments: &[bytes::Bytes]) -> Self {
        Self {
            head,
            attachments: attachments.iter().map(|bytes| Frame::binary(bytes)).collect(),
        }
    }
}
