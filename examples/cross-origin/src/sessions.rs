//! Who is logged in: a token, which the cookie holds, and a user.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use login::User;

/// The cookie's name. Cookies know no ports: on one host this one is shared with all its servers.
pub(crate) const COOKIE: &str = "cross-origin-session";

/// The oldest is forgotten for one more.
const MOST: usize = 1_000;

/// In memory: a restart logs everybody out.
#[derive(Clone, Default)]
pub(crate) struct Sessions(Arc<Mutex<VecDeque<(Token, User)>>>);

/// Whoever knows it is logged in.
#[derive(Clone, PartialEq)]
pub(crate) struct Token(String);

impl Sessions {
    pub(crate) fn begin(&self, user: User) -> Token {
        let token = Token(format!("{:032x}", rand::random::<u128>()));
        let mut sessions = self.lock();
        if sessions.len() == MOST {
            sessions.pop_front();
        }
        sessions.push_back((token.clone(), user));
        token
    }

    /// The session that the value of a cookie names.
    pub(crate) fn get(&self, cookie: &str) -> Option<(Token, User)> {
        self.lock().iter().find(|(token, _)| token.0 == cookie).cloned()
    }

    pub(crate) fn end(&self, ended: &Token) {
        self.lock().retain(|(token, _)| token != ended);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(Token, User)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Token {
    /// `Lax` suffices while page and API are of one site: the same host, or `app.example.com` and `api.example.com`.
    /// Sites of their own need `SameSite=None; Secure`, and a browser that allows such cookies. `Secure` belongs to every
    /// cookie where TLS is.
    pub(crate) fn cookie(&self) -> String {
        format!("{COOKIE}={}; HttpOnly; SameSite=Lax; Path=/", self.0)
    }

    /// Makes the browser forget it.
    pub(crate) fn no_cookie() -> String {
        format!("{COOKIE}=; HttpOnly; SameSite=Lax; Path=/; Max-Age=0")
    }

    /// The room of the session's sockets.
    pub(crate) fn room(&self) -> String {
        format!("session:{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use login::Credentials;

    use super::*;

    fn ada() -> User {
        let ada = r#"{"name":"Ada","password":"engine"}"#;
        let credentials: Credentials = serde_json::from_str(ada).unwrap();
        login::check(&credentials).unwrap()
    }

    #[test]
    fn a_session_is_found_by_its_token_until_it_ends() {
        let sessions = Sessions::default();
        let (token, other) = (sessions.begin(ada()), sessions.begin(ada()));
        assert_eq!(sessions.get(&token.0).unwrap().1.name, "Ada");
        assert!(sessions.get("").is_none());
        sessions.end(&token);
        assert!(sessions.get(&token.0).is_none());
        assert!(sessions.get(&other.0).is_some());
    }

    #[test]
    fn the_oldest_is_forgotten_for_one_too_many() {
        let sessions = Sessions::default();
        let oldest = sessions.begin(ada());
        let next = sessions.begin(ada());
        for _ in 2..=MOST {
            sessions.begin(ada());
        }
        assert!(sessions.get(&oldest.0).is_none());
        assert!(sessions.get(&next.0).is_some());
        assert_eq!(sessions.lock().len(), MOST);
    }
}
