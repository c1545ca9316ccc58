//! The store of the sessions, in memory: a `SessionStore` of actix-session's, which handlers of sockets
//! can use, too. Here sessions end by logging out only; a real store also forgets them after their time.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use actix_session::{
    Session,
    storage::{LoadError, SaveError, SessionKey, SessionStore, UpdateError, generate_session_key},
};
use actix_web::cookie::time::Duration;
use login::{USER, User};

/// All sessions by their keys, which actix-session signs and puts into the cookie.
#[derive(Clone, Default)]
pub(crate) struct Sessions(Arc<Mutex<HashMap<String, State>>>);

/// Names and JSON.
type State = HashMap<String, String>;

/// The name under which a session shows its own key, of which a `Session` does not tell.
const KEY: &str = "key";

impl Sessions {
    /// The session of a request, for longer than that lasts.
    pub(crate) fn find(&self, session: &Session) -> Stored {
        Stored {
            sessions: self.clone(),
            key: session.get(KEY).ok().flatten(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, State>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session in the store, or none.
#[derive(Clone)]
pub(crate) struct Stored {
    sessions: Sessions,
    key: Option<String>,
}

impl Stored {
    /// Who is logged in.
    pub(crate) fn user(&self) -> serde_json::Result<Option<User>> {
        let sessions = self.sessions.lock();
        read_user(self.key.as_ref().and_then(|key| sessions.get(key)))
    }

    /// Changes the user, unless the session has ended.
    pub(crate) fn save(&self, user: &User) -> serde_json::Result<()> {
        let mut sessions = self.sessions.lock();
        if let Some(state) = self.key.as_ref().and_then(|key| sessions.get_mut(key)) {
            state.insert(USER.to_owned(), serde_json::to_string(user)?);
        }
        Ok(())
    }

    /// Ends it; returns who was logged in.
    pub(crate) fn end(&self) -> serde_json::Result<Option<User>> {
        let mut sessions = self.sessions.lock();
        read_user(self.key.as_ref().and_then(|key| sessions.remove(key)).as_ref())
    }
}

fn read_user(state: Option<&State>) -> serde_json::Result<Option<User>> {
    let user = state.and_then(|state| state.get(USER));
    user.map(|json| serde_json::from_str(json)).transpose()
}

impl SessionStore for Sessions {
    async fn load(&self, key: &SessionKey) -> Result<Option<State>, LoadError> {
        let mut state = self.lock().get(key.as_ref()).cloned();
        if let Some(state) = &mut state {
            let json = serde_json::to_string(key.as_ref()).map_err(|error| LoadError::Other(error.into()))?;
            state.insert(KEY.to_owned(), json);
        }
        Ok(state)
    }

    async fn save(&self, state: State, _: &Duration) -> Result<SessionKey, SaveError> {
        let key = generate_session_key();
        self.lock().insert(key.as_ref().to_owned(), state);
        Ok(key)
    }

    async fn update(&self, key: SessionKey, state: State, _: &Duration) -> Result<SessionKey, UpdateError> {
        // One that has ended meanwhile stays so.
        if let Some(old) = self.lock().get_mut(key.as_ref()) {
            *old = state;
        }
        Ok(key)
    }

    async fn update_ttl(&self, _: &SessionKey, _: &Duration) -> Result<(), anyhow::Error> {
        Ok(())
    }

    async fn delete(&self, key: &SessionKey) -> Result<(), anyhow::Error> {
        self.lock().remove(key.as_ref());
        Ok(())
    }
}
