//! Accounts and sessions: who has registered, and whose the cookies are.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use argon2::{
    Argon2,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use serde::Deserialize;
use tokio::sync::Semaphore;
use warp::{Filter as _, filters::BoxedFilter};

use crate::names::Name;

pub(crate) const COOKIE: &str = "session";
/// What keeps a socket out, as the page knows it.
pub(crate) const LOGGED_OUT: &str = "log in first";

const MOST_ACCOUNTS: usize = 1000;
/// Of one account: who logs in once more, ends the oldest.
const MOST_SESSIONS: usize = 8;
/// A hash takes 19 MB while it is made.
const HASHES_AT_ONCE: usize = 2;
const PASSWORD_BYTES: std::ops::RangeInclusive<usize> = 8..=200;

/// Somebody with an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: Name,
    pub(crate) is_moderator: bool,
}

/// What the form of the page sends.
#[derive(Deserialize)]
pub(crate) struct Credentials {
    pub(crate) name: String,
    password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Everybody who has an account. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Accounts(Arc<Shared>);

struct Shared {
    /// Who moderates, if that is not the first.
    moderator: Option<String>,
    hashes: Semaphore,
    tables: Mutex<Tables>,
}

#[derive(Default)]
struct Tables {
    accounts: HashMap<String, Account>,
    /// By the tokens in the cookies: the keys of accounts.
    sessions: HashMap<String, String>,
}

struct Account {
    user: User,
    hash: String,
    /// The oldest first.
    tokens: Vec<String>,
}

impl Accounts {
    pub(crate) fn new(moderator: Option<String>) -> Self {
        Self(Arc::new(Shared {
            moderator,
            hashes: Semaphore::new(HASHES_AT_ONCE),
            tables: Mutex::default(),
        }))
    }

    /// Makes an account and logs in: the session's token, or a sentence for who cannot have it.
    pub(crate) async fn register(&self, credentials: Credentials) -> Result<String, &'static str> {
        let name = Name::parse(&credentials.name)?;
        if !PASSWORD_BYTES.contains(&credentials.password.len()) {
            return Err("A password has 8 to 200 characters.");
        }
        let key = Name::key(&name);
        self.lock().has_place_for(&key)?; // Before the work of a hash.
        let hash = self
            .hashing(move || {
                let hash = Argon2::default().hash_password(credentials.password.as_bytes());
                hash.map(|hash| hash.to_string())
            })
            .await?;
        let mut tables = self.lock();
        tables.has_place_for(&key)?; // Somebody else may have been faster.
        let is_moderator = match &self.0.moderator {
            Some(moderator) => Name::key(moderator) == key,
            None => tables.accounts.is_empty(),
        };
        let account = Account {
            user: User { name, is_moderator },
            hash,
            tokens: Vec::new(),
        };
        tables.accounts.insert(key.clone(), account);
        tables.begin(key).ok_or(UNKNOWN)
    }

    /// The token of a new session, if name and password belong together.
    pub(crate) async fn log_in(&self, credentials: Credentials) -> Result<String, &'static str> {
        let key = Name::key(&credentials.name);
        let hash = self.lock().accounts.get(&key).map(|account| account.hash.clone());
        let hash = hash.ok_or(UNKNOWN)?;
        if !PASSWORD_BYTES.contains(&credentials.password.len()) {
            return Err(UNKNOWN);
        }
        let is_right = self
            .hashing(move || {
                let hash = PasswordHash::new(&hash)?;
                let verified = Argon2::default().verify_password(credentials.password.as_bytes(), &hash);
                Ok(verified.is_ok())
            })
            .await?;
        if !is_right {
            return Err(UNKNOWN);
        }
        self.lock().begin(key).ok_or(UNKNOWN)
    }

    /// Somebody by any spelling of the name.
    pub(crate) fn find(&self, name: &str) -> Option<User> {
        let tables = self.lock();
        tables
            .accounts
            .get(&Name::key(name))
            .map(|account| account.user.clone())
    }

    /// The session of a request, as a filter.
    pub(crate) fn session(&self) -> BoxedFilter<(Session,)> {
        let accounts = self.clone();
        let session = move |token| Session {
            accounts: accounts.clone(),
            token,
        };
        warp::cookie::optional(COOKIE).map(session).boxed()
    }

    /// Hashing takes long: away from the threads of the sockets, and few at once.
    async fn hashing<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, argon2::password_hash::Error> + Send + 'static,
    ) -> Result<T, &'static str> {
        let permit = self.0.hashes.acquire().await;
        let done = tokio::task::spawn_blocking(work).await;
        drop(permit);
        match done {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => {
                tracing::error!("a password cannot be hashed: {error}");
                Err("Something went wrong here. Try again.")
            }
            Err(error) => {
                tracing::error!("a password cannot be hashed: {error}");
                Err("Something went wrong here. Try again.")
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.0.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const UNKNOWN: &str = "No account has this name and this password.";

impl Tables {
    fn has_place_for(&self, key: &str) -> Result<(), &'static str> {
        if self.accounts.contains_key(key) {
            return Err("This name is taken. If it is yours, log in; if not, choose another.");
        }
        if self.accounts.len() >= MOST_ACCOUNTS {
            return Err("There is no place for more accounts.");
        }
        Ok(())
    }

    fn begin(&mut self, key: String) -> Option<String> {
        let account = self.accounts.get_mut(&key)?;
        if account.tokens.len() >= MOST_SESSIONS {
            self.sessions.remove(&account.tokens.remove(0));
        }
        let token = format!("{:032x}", rand::random::<u128>());
        account.tokens.push(token.clone());
        self.sessions.insert(token.clone(), key);
        Some(token)
    }

    fn end(&mut self, token: &str) -> Option<User> {
        let key = self.sessions.remove(token)?;
        let account = self.accounts.get_mut(&key)?;
        account.tokens.retain(|own| own != token);
        Some(account.user.clone())
    }
}

/// The session that a request's cookie names, or none.
#[derive(Clone)]
pub(crate) struct Session {
    accounts: Accounts,
    token: Option<String>,
}

impl Session {
    /// Whose it is, as long as it has not ended.
    pub(crate) fn user(&self) -> Option<User> {
        let tables = self.accounts.lock();
        let key = tables.sessions.get(self.token.as_ref()?)?;
        Some(tables.accounts.get(key)?.user.clone())
    }

    pub(crate) fn end(&self) -> Option<User> {
        self.accounts.lock().end(self.token.as_ref()?)
    }
}

#[cfg(test)]
impl Accounts {
    /// An account that nobody can log in to, and its session: tests of sockets need no hash.
    pub(crate) fn logged_in(&self, name: &str) -> Session {
        let mut tables = self.lock();
        let user = User {
            name: Name::parse(name).unwrap(),
            is_moderator: tables.accounts.is_empty(),
        };
        let key = Name::key(name);
        tables.accounts.entry(key.clone()).or_insert(Account {
            user,
            hash: String::new(),
            tokens: Vec::new(),
        });
        let token = tables.begin(key);
        Session {
            accounts: self.clone(),
            token,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(name: &str, password: &str) -> Credentials {
        Credentials {
            name: name.to_owned(),
            password: password.to_owned(),
        }
    }

    fn session(accounts: &Accounts, token: String) -> Session {
        Session {
            accounts: accounts.clone(),
            token: Some(token),
        }
    }

    #[tokio::test]
    async fn who_registers_first_moderates_and_a_name_is_taken_once() {
        let accounts = Accounts::new(None);
        let (one, other) = tokio::join!(
            accounts.register(credentials("Ada", "a password")),
            accounts.register(credentials(" ADA ", "another one")),
        );
        assert_ne!(one.is_ok(), other.is_ok());
        assert!(accounts.find("ada").unwrap().is_moderator);
        accounts.register(credentials("Ben", "a password")).await.unwrap();
        assert!(!accounts.find("Ben").unwrap().is_moderator);
    }

    #[tokio::test]
    async fn only_the_password_logs_in() {
        let accounts = Accounts::new(Some("ben".to_owned()));
        accounts.register(credentials("Ada", "a password")).await.unwrap();
        for (name, password) in [("Ada", "no password"), ("Ada", ""), ("Eve", "a password")] {
            assert_eq!(
                accounts.log_in(credentials(name, password)).await,
                Err(UNKNOWN),
                "{name} {password}"
            );
        }
        let token = accounts.log_in(credentials("ada", "a password")).await.unwrap();
        let user = session(&accounts, token).user().unwrap();
        assert_eq!((&*user.name, user.is_moderator), ("Ada", false));
    }

    #[tokio::test]
    async fn a_password_is_kept_as_its_hash() {
        let accounts = Accounts::new(None);
        accounts.register(credentials("Ada", "a password")).await.unwrap();
        let hash = accounts.lock().accounts["ada"].hash.clone();
        assert!(hash.starts_with("$argon2id$") && !hash.contains("a password"), "{hash}");
    }

    #[test]
    fn the_oldest_session_ends_when_there_are_too_many() {
        let accounts = Accounts::new(None);
        let sessions: Vec<_> = (0..=MOST_SESSIONS).map(|_| accounts.logged_in("Ada")).collect();
        assert!(sessions[0].user().is_none());
        assert!(sessions[1..].iter().all(|session| session.user().is_some()));
        assert_eq!(accounts.lock().sessions.len(), MOST_SESSIONS);
        sessions[1].end();
        assert!(sessions[1].user().is_none() && sessions[2].user().is_some());
    }
}
