//! Who is let in: a name and a password, or the session of who was let in before.

use std::{
    str::FromStr as _,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use indexmap::IndexMap;
use serde::Deserialize;
use tokio::{sync::Semaphore, task::spawn_blocking};

use crate::{
    engine::{BySid, MaybeSid, Sid, now},
    error::Refusal,
    socketio::socket::Socket,
};

/// Passwords that are checked at the same time: each keeps a core busy.
const CHECKS: usize = 2;

/// Passwords that are checked or wait for it.
const PLACES: usize = 32;

const SESSIONS: usize = 1000;

const SESSION_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// What the page sends as `auth`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Credentials {
    session_id: Option<String>,
    username: Option<String>,
    password: Option<String>,
}

pub(super) struct Login {
    username: String,
    hash: Arc<str>,
    places: Semaphore,
    checks: Arc<Semaphore>,
    sessions: Mutex<Sessions>,
}

impl Login {
    /// `None`: it is no hash.
    pub(super) fn new(username: String, hash: String) -> Option<Self> {
        bcrypt::HashParts::from_str(&hash).ok()?;
        Some(Self {
            username,
            hash: hash.into(),
            places: Semaphore::new(PLACES),
            checks: Arc::new(Semaphore::new(CHECKS)),
            sessions: Mutex::default(),
        })
    }

    /// Middleware of the pages' namespace.
    pub(super) async fn let_in(&self, socket: &Socket) -> Result<(), Refusal> {
        let refused = || Refusal::new("invalid credentials");
        let auth = socket.auth_json().ok_or_else(refused)?;
        let credentials: Credentials = serde_json::from_str(auth).map_err(|_| refused())?;
        if credentials.session_id.is_some_and(|id| self.sessions().knows(&id)) {
            return Ok(());
        }
        let (Some(username), Some(password)) = (credentials.username, credentials.password) else {
            return Err(refused());
        };
        if !self.is_password(password).await || username != self.username {
            return Err(refused());
        }
        let id = self.sessions().begin();
        socket.emit("session", id)?;
        Ok(())
    }

    async fn is_password(&self, password: String) -> bool {
        let Ok(_place) = self.places.try_acquire() else {
            return false;
        };
        let Ok(check) = self.checks.clone().acquire_owned().await else {
            return false;
        };
        let hash = self.hash.clone();
        // The check goes on when its client has gone, and counts for as long.
        let checked = spawn_blocking(move || {
            let is_it = bcrypt::verify(password, &hash).unwrap_or(false);
            drop(check);
            is_it
        });
        checked.await.unwrap_or(false)
    }

    fn sessions(&self) -> std::sync::MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Those who were let in, the oldest first, and when.
#[derive(Default)]
struct Sessions(IndexMap<Sid, Instant, BySid>);

impl Sessions {
    fn begin(&mut self) -> Sid {
        if self.0.len() == SESSIONS {
            self.0.shift_remove_index(0);
        }
        let id = Sid::random();
        self.0.insert(id.clone(), now());
        id
    }

    fn knows(&mut self, id: &str) -> bool {
        let began = self.0.get(&MaybeSid(id));
        began.is_some_and(|began| now().duration_since(*began) < SESSION_LIFE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `changeit`, with the least cost there is.
    const HASH: &str = "$2a$04$d00c26BESNeKcscteDS1y.hl5AMD40dyK0BNzSGwODcgIEHOZ7Qoa";

    #[tokio::test]
    async fn who_finds_too_many_waiting_is_refused_at_once() {
        let login = Login::new("admin".to_owned(), HASH.to_owned()).expect("a hash");
        let others = login.places.acquire_many(32).await.expect("places");
        assert!(!login.is_password("changeit".to_owned()).await);
        drop(others);
        assert!(login.is_password("changeit".to_owned()).await);
    }

    #[test]
    fn of_too_many_sessions_the_oldest_goes() {
        let mut sessions = Sessions::default();
        let ids: Vec<_> = (0..=SESSIONS).map(|_| sessions.begin()).collect();
        assert_eq!(sessions.0.len(), SESSIONS);
        assert!(!sessions.knows(ids[0].as_str()));
        assert!(ids[1..].iter().all(|id| sessions.knows(id.as_str())));
    }
}
