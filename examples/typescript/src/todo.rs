//! The list, what visitors may call, and what they are told.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum_socketio::{Ack, Args, Data, EmitEvent, EncodeError, EventError, Socket, State, namespace};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

const MAX_ITEMS: usize = 100;
const MAX_TEXT: usize = 80;

/// Something to be done.
#[derive(Debug, Clone, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Item {
    id: u32,
    text: String,
    urgency: Urgency,
    is_done: bool,
}

/// How soon.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Urgency {
    Today,
    Soon,
    Someday,
}

/// What the page is told.
#[derive(EmitEvent)]
#[event(typescript)]
pub(crate) enum ServerToClient {
    /// The whole list, when the page comes.
    Items(Vec<Item>),
    Added(Item),
    Changed(Item),
    /// The ids of those that are gone.
    Removed(Vec<u32>),
    /// Somebody else is about to add something, or no longer.
    Writing {
        visitor: String,
        on: bool,
    },
}

#[derive(Debug, Clone, Default)]
pub(crate) struct SharedList(Arc<Mutex<List>>);

#[derive(Debug, Default)]
struct List {
    items: Vec<Item>,
    last_id: u32,
}

/// Somebody who looks at the list.
pub(crate) struct Visitor {
    socket: Socket,
    list: SharedList,
}

#[namespace(typescript)]
impl Visitor {
    #[connect]
    async fn connect(socket: Socket, State(list): State<SharedList>) -> Result<Self, EncodeError> {
        let visitor = Self { socket, list };
        let list = visitor.lock();
        visitor.socket.emit_event(ServerToClient::Items(list.items.clone()))?;
        drop(list);
        Ok(visitor)
    }

    /// Adds something to the list; `soon` unless it is said otherwise.
    #[event]
    async fn add(
        &self,
        Data(Args((text, urgency))): Data<Args<(String, Option<Urgency>)>>,
    ) -> Result<Ack<Item>, EventError> {
        let text = text.trim();
        if text.is_empty() || text.chars().count() > MAX_TEXT {
            return Err(EventError::new(format!("Write 1 to {MAX_TEXT} characters.")));
        }
        let mut list = self.lock();
        if list.items.len() == MAX_ITEMS {
            return Err(EventError::new("The list is full: do something first."));
        }
        list.last_id += 1;
        let item = Item {
            id: list.last_id,
            text: text.to_owned(),
            urgency: urgency.unwrap_or(Urgency::Soon),
            is_done: false,
        };
        list.items.push(item.clone());
        self.tell_all(ServerToClient::Added(item.clone()))?;
        Ok(Ack(item))
    }

    /// Ticks something off, or not.
    #[event("setDone")]
    async fn set_done(&self, Data(Args((id, done))): Data<Args<(u32, bool)>>) -> Result<(), EventError> {
        let mut list = self.lock();
        let Some(item) = list.items.iter_mut().find(|item| item.id == id) else {
            return Ok(()); // somebody else was quicker to clear it
        };
        item.is_done = done;
        Ok(self.tell_all(ServerToClient::Changed(item.clone()))?)
    }

    /// Removes all that is done; answers how much that was.
    #[event("clearDone")]
    async fn clear_done(&self) -> Result<Ack<usize>, EventError> {
        let mut list = self.lock();
        let done: Vec<u32> = list
            .items
            .extract_if(.., |item| item.is_done)
            .map(|item| item.id)
            .collect();
        let count = done.len();
        if count > 0 {
            self.tell_all(ServerToClient::Removed(done))?;
        }
        Ok(Ack(count))
    }

    #[event]
    async fn writing(&self, Data(on): Data<bool>) -> Result<(), EncodeError> {
        self.tell_others(on)
    }

    #[disconnect]
    async fn leave(&self) -> Result<(), EncodeError> {
        self.tell_others(false)
    }

    fn tell_all(&self, event: ServerToClient) -> Result<(), EncodeError> {
        self.socket.namespace().emit_event(event)
    }

    fn tell_others(&self, on: bool) -> Result<(), EncodeError> {
        let visitor = self.socket.id().to_string();
        self.socket
            .broadcast()
            .emit_event(ServerToClient::Writing { visitor, on })
    }

    /// Changes are told while the list is locked, so that all are told them in one order.
    fn lock(&self) -> MutexGuard<'_, List> {
        self.list.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
