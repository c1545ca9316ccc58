//! A client asks for a namespace: whether there is one, and what becomes of the socket.

use std::{sync::Arc, task::Context};

use serde_json::value::RawValue;

use super::{SocketClient, entry::Entry};
use crate::{
    engine::{Flags, Root, Wake},
    error::{FailureKind, Told},
    socketio::{
        call::{Call, OwnedOccasion},
        codec,
        connect::connect,
        directory::is_path,
        frames::Frames,
        namespace::Shared as Namespace,
        reason::DisconnectReason,
        recovery::restore::{Recognised, take_claim},
        socket::Socket,
        task::{Called, Task, contain},
    },
};

impl SocketClient {
    pub(super) fn take_connect(&mut self, cx: &mut Context<'_>, nsp: &str, auth: Option<&str>) {
        if self.live(nsp).is_some() {
            // Asking for what it was given does no harm.
            if nsp == "/" && self.connection.profile().root != Root::OnRequest {
                return;
            }
            return self.out_of_order(nsp);
        }
        if self.lookup(nsp).is_some() {
            return self.out_of_order(nsp);
        }
        let namespace = self.core.namespace(nsp);
        if namespace.is_none() && !(self.core.has_parents() && is_path(nsp)) {
            self.refuse_namespace(nsp, codec::INVALID_NAMESPACE);
            return self.report(Some(nsp), &FailureKind::NoNamespace);
        }
        if self.entries.len() + self.lookups() >= self.core.config.max_namespaces {
            self.refuse_namespace(nsp, "Too many namespaces");
            return self.report(Some(nsp), &FailureKind::TooManyNamespaces);
        }
        match namespace {
            Some(namespace) => self.join(cx, namespace, auth.map(Into::into)),
            None => self.look_up(cx, nsp, auth),
        }
    }

    /// Lets the client into a namespace, or begins to: it may say that it was here before.
    pub(super) fn join(&mut self, cx: &mut Context<'_>, namespace: Arc<Namespace>, auth: Option<Box<str>>) {
        if let Some(gone) = self.predecessor(&namespace.path) {
            return self.wait_for(cx, namespace, auth, gone);
        }
        match take_claim(&namespace, &self.connection, auth) {
            (auth, Some(claim)) => self.restore(cx, namespace, auth, claim),
            (auth, None) => self.let_in(cx, namespace, auth, None),
        }
    }

    pub(super) fn let_in(
        &mut self,
        cx: &mut Context<'_>,
        namespace: Arc<Namespace>,
        auth: Option<Box<str>>,
        recognised: Option<Recognised>,
    ) {
        self.forget_kick(&namespace.path);
        let (connection, client) = (self.connection.clone(), self.shared.clone());
        let socket = Socket::new(namespace, connection, client, auth, recognised);
        if self.entries.is_empty() {
            // Most clients join one namespace, where a vector would make room for four.
            self.entries.reserve_exact(1);
        }
        self.entries.push(Entry::new(socket.clone()));
        // It has its rules before anything can be called.
        let connecting = contain(|| {
            socket.begin();
            let call = || Call::new(&socket, OwnedOccasion::Connect);
            connect(&socket).map(|future| socket.shared().wrap(call, future))
        });
        let called = Called {
            socket,
            occasion: OwnedOccasion::Connect,
            ack: None,
        };
        match connecting {
            Ok(Some(future)) => {
                let running = called.socket.shared().meter.connect.begin();
                self.run(cx, Task::new(called, future, running));
            }
            Ok(None) => {
                called.socket.accept();
            }
            Err(panic) => self.finish(&called, Err(panic)),
        }
    }

    pub(super) fn refuse(&self, socket: &Socket, told: Told<'_>) {
        let nsp = socket.path();
        let generation = self.connection.generation();
        let data = told.data.map(RawValue::get);
        let frames = Frames::connect_error(self.core.parser.as_deref(), generation, nsp, &told.message, data);
        if socket
            .leave_namespace(DisconnectReason::ServerNamespaceDisconnect)
            .is_some()
        {
            frames.send(&self.connection, Flags::default(), Wake::Now);
        }
    }
}
