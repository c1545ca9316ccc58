//! The namespace `/chat`.
//!
//! | gevent-socketio | here |
//! |---|---|
//! | `class ChatNamespace(BaseNamespace, …)` | `#[namespace] impl Chat` |
//! | `self.session['nickname']` | a field of `Chat`: there is one value for each socket |
//! | `nicknames = []`, in the class | [`People`], the server's state |
//! | `def on_nickname(self, nickname)` | `#[event] async fn nickname(&self, Data(nickname): Data<String>)` |
//! | `def on_user_message(self, msg)` for `user message` | `#[event] async fn user_message(…)` |
//! | `get_initial_acl`, `add_acl_method` | `#[acl]`, `socket.acl().allow(…)` |
//! | `broadcast_event('nicknames', …)` | `socket.namespace().emit("nicknames", …)` |
//! | `emit_to_room('main_room', …)` | `socket.to("main_room").emit(…)` |
//! | `recv_disconnect` | `#[disconnect]` |
//! | what a method returns is the ack | the same, as `Ack(…)` |

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use axum_socketio::{
    Ack, Acl, Args, Data, EncodeError, EventError, Failure, Generation, Handshake, Socket, State, namespace,
};

const ROOM: &str = "main_room";
const MAX_NICKNAME: usize = 20;
const MAX_TEXT: usize = 2000;

/// Who has a nickname, in the order of coming. Whoever changes it tells the clients before unlocking
/// it, so that all hear of all changes in the same order.
#[derive(Debug, Clone, Default)]
pub(crate) struct People(Arc<Mutex<Vec<String>>>);

impl People {
    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One socket's part in the chat.
#[derive(Debug, Default)]
pub(crate) struct Chat {
    nickname: OnceLock<String>,
}

#[namespace]
impl Chat {
    /// Nobody speaks without a nickname.
    #[acl]
    fn acl(_: &Handshake) -> Acl {
        Acl::only([ChatEvent::Nickname])
    }

    /// Asks for a nickname. The ack says whether it is taken.
    #[event]
    async fn nickname(
        &self,
        socket: Socket,
        State(people): State<People>,
        Data(nickname): Data<String>,
    ) -> Result<Ack<bool>, EventError> {
        let nickname = tidy(&nickname, "A nickname", MAX_NICKNAME)?;
        let mut people = people.lock();
        if people
            .iter()
            .any(|other| other.to_lowercase() == nickname.to_lowercase())
        {
            return Ok(Ack(true));
        }
        people.push(nickname.clone());
        socket.acl().deny(ChatEvent::Nickname);
        socket.acl().allow(ChatEvent::UserMessage);
        socket.join(ROOM);
        let announcement = format!("{nickname} has come, with {}", client(socket.handshake().generation()));
        self.nickname.get_or_init(|| nickname);
        socket.namespace().emit("announcement", announcement)?;
        socket.namespace().emit("nicknames", &*people)?;
        Ok(Ack(false))
    }

    /// Says something to the others. The ack, which has no arguments, says that it has been sent.
    #[event]
    async fn user_message(&self, socket: Socket, Data(text): Data<String>) -> Result<Ack<Args<()>>, EventError> {
        let text = tidy(&text, "A message", MAX_TEXT)?;
        socket.to(ROOM).emit("msg_to_room", Args((self.nickname.get(), text)))?;
        Ok(Ack(Args(())))
    }

    #[disconnect]
    async fn left(&self, socket: Socket, State(people): State<People>) -> Result<(), EncodeError> {
        let Some(nickname) = self.nickname.get() else {
            return Ok(());
        };
        let mut people = people.lock();
        people.retain(|other| other != nickname);
        socket
            .namespace()
            .emit("announcement", format!("{nickname} has left"))?;
        socket.namespace().emit("nicknames", &*people)
    }

    #[error]
    fn failed(failure: &Failure<'_>) {
        if !failure.kind.is_clients_fault() {
            eprintln!("{failure}");
        }
    }
}

fn client(generation: Generation) -> &'static str {
    match generation {
        Generation::V0_9 => "a client before 1.0",
        Generation::Eio3 => "a client 1 or 2",
        _ => "today’s client",
    }
}

/// The text without space around it, if there is some and not too much.
fn tidy(text: &str, what: &str, max: usize) -> Result<String, EventError> {
    let text = text.trim();
    if (1..=max).contains(&text.chars().count()) {
        Ok(text.to_owned())
    } else {
        Err(EventError::new(format!("{what} has 1 to {max} characters.")))
    }
}
