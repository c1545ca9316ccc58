//! Packets as frames: encoded once, for one recipient or many.

use std::{convert::Infallible, sync::OnceLock};

use bytes::Bytes;

use super::{
    args::{EmitArgs, EncodeError},
    codec::{self, Form, sio},
};
use crate::engine::{Binary, Connection, Flags, Frame, Generation, Sid};

/// One packet: its text and the binary messages that belong to it.
#[derive(Debug, Clone)]
pub(crate) struct Frames {
    /// As most generations have it.
    head: Frame,
    attachments: Box<[Bytes]>,
    /// The whole in each form, where that differs, once there is a recipient of it.
    recoded: OnceLock<Box<[Recoded; Form::ALL.len()]>>,
}

type Recoded = OnceLock<Box<[Frame]>>;

impl Frames {
    pub(crate) fn event(
        nsp: &str,
        id: Option<u64>,
        name: &str,
        args: &(impl EmitArgs + ?Sized),
    ) -> Result<Self, EncodeError> {
        let mut attachments = Vec::new();
        let ((), head) = Frame::write_text(|out| sio::write_event(out, nsp, id, name, args, &mut attachments))?;
        Ok(Self::with(head, attachments))
    }

    pub(crate) fn ack(nsp: &str, id: u64, args: &(impl EmitArgs + ?Sized)) -> Result<Self, EncodeError> {
        let mut attachments = Vec::new();
        let ((), head) = Frame::write_text(|out| sio::write_ack(out, nsp, id, args, &mut attachments))?;
        Ok(Self::with(head, attachments))
    }

    pub(crate) fn connect(generation: Generation, nsp: &str, id: &Sid) -> Self {
        Self::text(|out| codec::write_connect(generation, out, nsp, id.as_str()))
    }

    pub(crate) fn connect_error(generation: Generation, nsp: &str, message: &str, data: Option<&str>) -> Self {
        Self::text(|out| codec::write_connect_error(generation, out, nsp, message, data))
    }

    pub(crate) fn disconnect(nsp: &str) -> Self {
        Self::text(|out| sio::write_disconnect(out, nsp))
    }

    /// Queues them for a client, in its generation's form.
    pub(crate) fn send(&self, connection: &Connection, flags: Flags) {
        let form = Form::of(connection.generation(), connection.reader());
        if self.attachments.is_empty() && form.is_as_written() {
            return connection.send_frames(std::iter::once(&self.head), flags);
        }
        let recoded = &self.recoded.get_or_init(Box::default)[form as usize];
        let recoded = recoded.get_or_init(|| {
            if !self.is_for(connection) {
                tracing::warn!(
                    "clients of {} have no binary, and are left out of a packet that holds some",
                    connection.generation()
                );
            }
            form.recode(&self.head, &self.attachments)
        });
        if !recoded.is_empty() {
            connection.send_frames(recoded.iter(), flags);
        }
    }

    /// Whether the client can be sent it.
    pub(crate) fn is_for(&self, connection: &Connection) -> bool {
        self.attachments.is_empty() || connection.profile().binary == Binary::Sent
    }

    /// Bytes it occupies in memory, about.
    pub(crate) fn bytes(&self) -> usize {
        self.head.len() + self.attachments.iter().map(Bytes::len).sum::<usize>()
    }

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> Self {
        let written: Result<_, Infallible> = Frame::write_text(|out| {
            write(out);
            Ok(())
        });
        let Ok(((), head)) = written;
        Self::with(head, Vec::new())
    }

    fn with(head: Frame, attachments: Vec<Bytes>) -> Self {
        Self {
            head,
            attachments: attachments.into(),
            recoded: OnceLock::new(),
        }
    }
}
