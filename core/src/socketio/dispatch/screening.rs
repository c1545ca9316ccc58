//! An event in the hands of middleware: those behind it wait until it is let through or refused.

use std::{sync::Arc, task::Context};

use super::{
    Event, SocketClient,
    entry::{Stage, Waiting},
};
use crate::socketio::{
    ack::OpenAck,
    args::RawArgs,
    call::OwnedOccasion,
    packet_middleware::{AnyPacketMiddleware, Packet, Screening},
    reason::DisconnectReason,
    socket::Socket,
    task::{Called, Task},
};

impl SocketClient {
    /// Sends an event through middleware, as a task like a handler's.
    pub(super) fn screen(
        &mut self,
        cx: &mut Context<'_>,
        socket: &Socket,
        event: &Event<'_>,
        ack: Option<OpenAck>,
        middleware: Vec<Arc<dyn AnyPacketMiddleware>>,
    ) {
        let Some(entry) = self.entries.iter_mut().find(|entry| entry.socket.is(socket)) else {
            return;
        };
        entry.begin_screening();
        let screening = Screening::new(event.name);
        let packet = Packet::new(event.name, RawArgs::from_wire(event.args, event.attachments));
        let future = screening.clone().run(middleware, socket.clone(), packet, ack.clone());
        let running = socket.shared().meter.unnamed.begin();
        let called = Called {
            socket: socket.clone(),
            occasion: OwnedOccasion::Packet(screening),
            ack,
        };
        self.run(cx, Task::new(called, Box::pin(future), running));
    }

    /// What middleware has let through is the next event of its socket.
    pub(super) fn end_screening(&mut self, socket: &Socket, screening: &Screening, ack: Option<&OpenAck>) {
        let was_kicked = matches!(socket.left(), Some((DisconnectReason::ServerNamespaceDisconnect, _)));
        let Some(entry) = self.entries.iter_mut().find(|entry| entry.socket.is(socket)) else {
            return;
        };
        let passed = screening.take().filter(|_| !was_kicked).map(|packet| Waiting {
            name: packet.event().into(),
            args: packet.args().json().into(),
            attachments: packet.args().attachments().to_vec(),
            stage: Stage::Screened(ack.cloned()),
            counted: Some(socket.shared().meter.event_waits()),
        });
        self.pending_bytes += passed.as_ref().map_or(0, Waiting::bytes);
        entry.end_screening(passed);
    }
}
