//! A client says that it was here: who it was, and what it has missed.

use std::{sync::Arc, time::Duration};

use serde_json::value::RawValue;

use super::{
    Claim, Pid,
    history::{Member, Missed},
};
use crate::{
    engine::Connection,
    socketio::{acl::Acl, namespace::Shared as Namespace, socket::Socket},
};

/// How long a store may take to answer; then the client begins anew.
const PATIENCE: Duration = Duration::from_secs(5);

/// A client that has come back, as nobody else can any more.
#[derive(Debug)]
pub(crate) struct Recognised {
    pub(crate) pid: Pid,
    pub(crate) member: Member,
    pub(crate) before: Before,
    pub(crate) missed: Missed,
}

/// What there is of the socket that it was.
#[derive(Debug)]
pub(crate) enum Before {
    Socket(Socket),
    /// It was another server's.
    Session {
        data: Option<Box<RawValue>>,
        rules: Acl,
    },
}

/// What a client of that namespace says about who it was, and the rest of what it sent as `auth`.
pub(crate) fn take_claim(
    namespace: &Namespace,
    connection: &Connection,
    auth: Option<Box<str>>,
) -> (Option<Box<str>>, Option<Claim>) {
    match auth {
        Some(auth) if namespace.can_come_back(connection) => {
            let (auth, claim) = super::split_auth(&auth);
            (Some(auth), claim)
        }
        auth => (auth, None),
    }
}

/// Who a client was. `None`: it begins anew.
pub(crate) async fn restore(namespace: Arc<Namespace>, claim: Claim) -> Option<Recognised> {
    let history = namespace.history.as_ref()?;
    let since = history.expect_somebody();
    match tokio::time::timeout(PATIENCE, history.ask_store(&namespace.path, &claim)).await {
        Ok(Ok(restored)) => history.recognise(&namespace, restored?, &claim, since),
        Ok(Err(error)) => {
            tracing::warn!(
                "the store of sessions failed, a client of {:?} begins anew: {error}",
                namespace.path
            );
            None
        }
        Err(_) => {
            tracing::warn!(
                "the store of sessions has not answered for {PATIENCE:?}, a client of {:?} begins anew",
                namespace.path
            );
            None
        }
    }
}
