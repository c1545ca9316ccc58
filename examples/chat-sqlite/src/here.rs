//! Who is here: in memory, since a restart leaves nobody here.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum_socketio::{EncodeError, Namespace};

use crate::{chat::JOINED, store::Person};

/// The people who have joined, each with the number of their sockets. Whoever changes it tells everybody before the
/// next change, so that all hear of all changes in the same order. Emitting never waits.
#[derive(Debug, Clone, Default)]
pub(crate) struct Here(Arc<Mutex<BTreeMap<i64, (String, usize)>>>);

impl Here {
    pub(crate) fn enter(&self, namespace: &Namespace, person: &Person) -> Result<(), EncodeError> {
        self.change(namespace, |people| {
            let (_, sockets) = people.entry(person.id).or_insert_with(|| (person.nick.clone(), 0));
            *sockets += 1;
        })
    }

    pub(crate) fn leave(&self, namespace: &Namespace, person: &Person) -> Result<(), EncodeError> {
        self.change(namespace, |people| {
            if let Some((_, sockets)) = people.get_mut(&person.id) {
                *sockets -= 1;
            }
            people.retain(|_, (_, sockets)| *sockets > 0);
        })
    }

    fn change(
        &self,
        namespace: &Namespace,
        change: impl FnOnce(&mut BTreeMap<i64, (String, usize)>),
    ) -> Result<(), EncodeError> {
        let mut people = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut people);
        let nicks: Vec<&str> = people.values().map(|(nick, _)| &**nick).collect();
        namespace.to(JOINED).emit("people", nicks)
    }
}
