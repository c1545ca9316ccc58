//! What comes from the client: its messages become packets, and each goes to what it is for.

use std::task::Context;

use bytes::Bytes;

use super::{
    ATTACHMENT_TIMEOUT, Event, SocketClient,
    entry::{Entry, Stage, Waiting},
};
use crate::{
    engine::{CloseReason, Message, Strays, now},
    socketio::{
        args::{Args, RawArgs},
        assembly::{Assembly, Content, Incomplete},
        codec::{self, own, placeholder::check_placeholders},
        packet::{Body, Kind, Packet, PacketError},
        reason::DisconnectReason,
    },
};

impl SocketClient {
    pub(super) fn take(&mut self, cx: &mut Context<'_>, message: Message<'_>) -> Result<(), PacketError> {
        match message {
            _ if self.core.parser.is_some() && own::is_for(self.connection.generation()) => self.take_own(cx, message),
            Message::Text(text) => self.take_text(cx, text),
            Message::Binary(bytes) => self.take_binary(cx, bytes),
        }
    }

    fn take_text(&mut self, cx: &mut Context<'_>, text: &str) -> Result<(), PacketError> {
        if self.incomplete.is_some() {
            return Err(PacketError::TextAmongAttachments);
        }
        let packet = codec::decode(self.connection.generation(), text, self.core.config.max_attachments)?;
        if let Some(assembly) = Assembly::begin(&packet, now() + ATTACHMENT_TIMEOUT) {
            check_placeholders(assembly.args(), packet.attachments)?;
            if self.live(packet.nsp).is_none() && self.lookup(packet.nsp).is_none() {
                self.out_of_order(packet.nsp);
            }
            self.incomplete = Some(Box::new(Incomplete::Assembly(assembly)));
            return Ok(());
        }
        self.dispatch(cx, &packet, &[]);
        Ok(())
    }

    fn take_binary(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Result<(), PacketError> {
        let Some(Incomplete::Assembly(assembly)) = self.incomplete.as_deref_mut() else {
            return Err(PacketError::UnexpectedAttachment);
        };
        if !assembly.push(bytes) {
            assembly.deadline = now() + ATTACHMENT_TIMEOUT;
            return Ok(());
        }
        let Some(Incomplete::Assembly(Assembly {
            nsp,
            id,
            content,
            attachments,
            ..
        })) = self.incomplete.take().map(|incomplete| *incomplete)
        else {
            return Ok(());
        };
        match &content {
            Content::Event { name, args } => {
                let event = Event {
                    name,
                    args,
                    attachments: &attachments,
                    stage: Stage::Arrived(id),
                };
                self.take_event(cx, &nsp, &event);
            }
            Content::Ack { args } => self.take_ack(&nsp, id, args, &attachments),
        }
        Ok(())
    }

    /// Takes a message that the server's own parser reads.
    fn take_own(&mut self, cx: &mut Context<'_>, message: Message<'_>) -> Result<(), PacketError> {
        let Some(parser) = &self.core.parser else {
            return Ok(());
        };
        let max_attachments = self.core.config.max_attachments;
        let begin = || Box::new(Incomplete::Own(parser.decoder(max_attachments), None));
        let Incomplete::Own(decoder, deadline) = &mut **self.incomplete.get_or_insert_with(begin) else {
            return Ok(());
        };
        let Some(read) = decoder.decode(message)? else {
            *deadline = Some(now() + ATTACHMENT_TIMEOUT);
            return Ok(());
        };
        *deadline = None;
        let packet = own::check(self.connection.generation(), &read, max_attachments)?;
        self.dispatch(cx, &packet, &read.attachments);
        Ok(())
    }

    fn dispatch(&mut self, cx: &mut Context<'_>, packet: &Packet<'_>, attachments: &[Bytes]) {
        let Packet { nsp, id, receipt, .. } = *packet;
        if let Some(id) = receipt
            && let Some(index) = self.live(nsp)
        {
            // Nothing that could fail.
            let _ = self.entries[index].socket.send_ack(id, &Args(()));
        }
        match (packet.kind, &packet.body) {
            (Kind::Connect, body) => {
                let auth = match body {
                    Body::Object(auth) => Some(&**auth),
                    _ => None,
                };
                if self.may_connect(nsp, auth) {
                    self.take_connect(cx, nsp, auth);
                }
            }
            (Kind::Disconnect, _) => match self.live(nsp) {
                Some(index) => self.entries[index].socket.handle_disconnect(),
                None if self.cancel_lookup(nsp) => {}
                None => self.out_of_order(nsp),
            },
            (_, Body::Event { name, args }) => {
                let event = Event {
                    name,
                    args,
                    attachments,
                    stage: Stage::Arrived(id),
                };
                self.take_event(cx, nsp, &event);
            }
            (_, Body::Args(args)) => self.take_ack(nsp, id, args, attachments),
            (_, Body::None | Body::Object(_) | Body::Reason(_)) => self.out_of_order(nsp),
        }
    }

    fn take_event(&mut self, cx: &mut Context<'_>, nsp: &str, event: &Event<'_>) {
        if !self.may_send(nsp, event) {
            return;
        }
        let index = self.live(nsp);
        if let Some(index) = index {
            self.entries[index].socket.shared().meter.event_received();
        }
        if let Some(index) = index
            && self.has_room()
            && let Entry { socket, .. } = &self.entries[index]
            && !self.entries[index].has_queue()
            && !socket.is_connecting()
        {
            let socket = socket.clone();
            self.start(cx, &socket, event);
            // Middleware may have let it through at once.
            if self.entries[index].has_next() {
                self.start_waiting(cx);
            }
            return;
        }
        let waiting = Waiting {
            name: event.name.into(),
            args: event.args.into(),
            attachments: event.attachments.to_vec(),
            stage: event.stage.clone(),
            counted: None,
        };
        let bytes = waiting.bytes();
        if let Some(index) = index {
            self.entries[index].push(waiting);
        } else if let Some(lookup) = self.lookup(nsp) {
            lookup.push(waiting);
        } else {
            return self.out_of_order(nsp);
        }
        self.pending_bytes += bytes;
    }

    fn take_ack(&mut self, nsp: &str, id: Option<u64>, args: &str, attachments: &[Bytes]) {
        match (self.live(nsp), id) {
            (Some(index), Some(id)) => {
                let socket = &self.entries[index].socket;
                socket.resolve_ack(id, || RawArgs::from_wire(args, attachments));
            }
            _ => self.out_of_order(nsp),
        }
    }

    /// A packet for a namespace that the client is not connected to, or is connected to already.
    pub(super) fn out_of_order(&mut self, nsp: &str) {
        let was_kicked = self.was_kicked(nsp)
            || self.entries.iter().any(|entry| {
                entry.socket.path() == nsp
                    && matches!(
                        entry.socket.left(),
                        Some((DisconnectReason::ServerNamespaceDisconnect, _))
                    )
            });
        if !was_kicked && self.connection.profile().strays == Strays::EndConnection {
            tracing::debug!("a client broke the order of the protocol for namespace {nsp:?}: its connection is closed");
            self.doom(CloseReason::ForcedServerClose);
        }
    }
}
