//! Who is online, told to everybody who is.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use serde::Serialize;
use tower_socketio::Namespace;

use crate::users::{Colour, User};

/// The users who are online. Every change is told before the next one is made, so that all clients
/// hear of all changes in the same order. Emitting never waits.
#[derive(Debug, Clone, Default)]
pub struct Online(Arc<Mutex<BTreeMap<String, Person>>>);

#[derive(Debug)]
struct Person {
    colour: Colour,
    sockets: usize,
}

/// An item of the event `online`.
#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    colour: &'a Colour,
}

impl Online {
    pub(crate) fn enter(&self, namespace: &Namespace, user: &User) {
        self.change(namespace, |people| {
            let person = people.entry(user.name.clone()).or_insert(Person {
                colour: user.colour.clone(),
                sockets: 0,
            });
            person.sockets += 1;
        });
    }

    pub(crate) fn leave(&self, namespace: &Namespace, user: &User) {
        self.change(namespace, |people| {
            if let Some(person) = people.get_mut(&user.name) {
                person.sockets -= 1;
            }
            people.retain(|_, person| person.sockets > 0);
        });
    }

    /// Shows a user's new colour.
    pub fn recolour(&self, namespace: &Namespace, user: &User) {
        self.change(namespace, |people| {
            if let Some(person) = people.get_mut(&user.name) {
                person.colour = user.colour.clone();
            }
        });
    }

    fn change(&self, namespace: &Namespace, change: impl FnOnce(&mut BTreeMap<String, Person>)) {
        let mut people = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut people);
        let shown: Vec<Shown<'_>> = people
            .iter()
            .map(|(name, person)| Shown {
                name,
                colour: &person.colour,
            })
            .collect();
        namespace.emit("online", shown).expect("names can be sent");
    }
}
