//! The namespace: who is logged in may talk.

use axum_socketio::{Ack, Args, Data, EncodeError, Handshake, Refusal, Socket, State, namespace};
use login::{LOGGED_OUT, User};
use serde::{Deserialize, Serialize};

use crate::sessions::{COOKIE, Sessions};

/// A socket's own state: who it is.
pub(crate) struct Desk {
    user: User,
}

#[namespace]
impl Desk {
    /// The request that the connection began with has the cookie.
    #[connect]
    async fn connect(socket: Socket, handshake: Handshake, State(sessions): State<Sessions>) -> Result<Self, Refusal> {
        let cookie = handshake.headers().cookie(COOKIE);
        let session = cookie.and_then(|cookie| sessions.get(cookie));
        let (token, user) = session.ok_or(Refusal::new(LOGGED_OUT))?;
        socket.join(token.room());
        Ok(Self { user })
    }

    #[event]
    async fn who_am_i(&self) -> Ack<String> {
        Ack(self.user.name.clone())
    }

    #[event]
    async fn say(&self, socket: Socket, Data(text): Data<Text>) -> Result<Ack<bool>, EncodeError> {
        socket.namespace().emit("said", Args((&self.user.name, text)))?;
        Ok(Ack(true))
    }
}

/// What may be said.
#[derive(Debug, Deserialize, Serialize)]
#[serde(try_from = "String")]
struct Text(String);

const MAX_TEXT: usize = 280;

impl TryFrom<String> for Text {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let text = text.trim();
        if (1..=MAX_TEXT).contains(&text.chars().count()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("what is said has 1 to {MAX_TEXT} characters"))
        }
    }
}
