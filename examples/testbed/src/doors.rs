//! The namespaces `/closed` and `/members`: two ways to refuse a client.

use axum_socketio::{Auth, Refusal, namespace};
use serde::Deserialize;
use serde_json::json;

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Key {
    key: Option<String>,
}

/// A namespace whose connect handler lets in who has the key, and tells the others when to come again.
#[derive(Debug)]
pub(crate) struct Closed;

#[namespace]
impl Closed {
    #[connect]
    async fn enter(Auth(Key { key }): Auth<Key>) -> Result<Self, Refusal> {
        if key.as_deref() == Some("open sesame") {
            return Ok(Self);
        }
        Err(Refusal::new("The door is closed.").with_data(&json!({ "code": "E_CLOSED", "retry": 30 })))
    }
}

/// Middleware: a namespace needs no handlers to have some.
pub(crate) async fn members_only(Auth(Key { key }): Auth<Key>) -> Result<(), Refusal> {
    match key {
        Some(_) => Ok(()),
        None => Err(Refusal::new("Members only.")),
    }
}
