//! The namespace `/testbed`: a method for each feature that the page tries. All that visitors send is
//! bounded: words, rooms, and, by `max_payload`, the rest.

use std::{sync::Arc, time::Duration};

use axum_socketio::{
    Ack, AckError, AckSender, Args, Data, DisconnectReason, EncodeError, EventError, EventName, RawArgs, Socket,
    Transport, namespace,
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const MAX_WORD: usize = 32;
const MAX_ROOMS: usize = 8;
const MAX_BURST: u16 = 1000;
const TICK: Duration = Duration::from_millis(50);
/// How long the page may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long the server waits for an answer that does not come.
const IN_VAIN: Duration = Duration::from_millis(200);

/// A short text: what visitors say to each other, and names of rooms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Word(String);

impl TryFrom<String> for Word {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if (1..=MAX_WORD).contains(&text.chars().count()) {
            Ok(Self(text))
        } else {
            Err(format!("a word has 1 to {MAX_WORD} characters"))
        }
    }
}

impl AsRef<str> for Word {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// What a client's namespaces share.
#[derive(Debug, Clone)]
pub(crate) struct Remembered(pub(crate) Word);

/// Who is told by `tell`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Whom {
    All,
    Others,
    /// The others that are not in this room.
    Except(Word),
}

#[derive(Debug, Serialize)]
struct Reversed {
    bytes: Bytes,
    length: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Testbed {
    /// Each job holds a copy.
    jobs: Arc<()>,
}

#[namespace]
impl Testbed {
    #[connect]
    async fn joined(socket: Socket, transport: Transport) -> Result<Self, EncodeError> {
        socket.emit("hello", transport.to_string())?;
        Ok(Self::default())
    }

    // Events and acks.

    #[event]
    async fn echo(&self, socket: Socket, args: RawArgs) -> Result<(), EncodeError> {
        socket.emit("echo", args)
    }

    /// Also `turn around`.
    #[event]
    async fn turn_around(
        &self,
        socket: Socket,
        Data(Args((a, b, c))): Data<Args<(Value, Value, Value)>>,
    ) -> Result<(), EncodeError> {
        socket.emit("turned around", Args((c, b, a)))
    }

    #[event]
    async fn sum(&self, Data(Args((a, b))): Data<Args<(i64, i64)>>) -> Result<Ack<i64>, EventError> {
        let sum = a.checked_add(b);
        sum.map(Ack).ok_or(EventError::new("The sum is too large."))
    }

    #[event]
    async fn ask_me(&self, socket: Socket) -> Result<Ack<Word>, EventError> {
        let question = socket.timeout(PATIENCE).emit_with_ack("question", Args((6, 7)));
        Ok(Ack(question.await?))
    }

    #[event]
    async fn ask_in_vain(&self, socket: Socket) -> Result<Ack<&'static str>, EventError> {
        let question = socket
            .timeout(IN_VAIN)
            .emit_with_ack::<RawArgs>("hard question", Args(()));
        match question.await {
            Err(AckError::Timeout) => Ok(Ack("timeout")),
            Err(error) => Err(error.into()),
            Ok(_) => Ok(Ack("an answer")),
        }
    }

    #[event]
    async fn keep_silent(&self, ack: AckSender) {
        drop(ack);
    }

    #[event]
    async fn reverse(&self, socket: Socket, Data(bytes): Data<Bytes>) -> Result<Ack<Bytes>, EventError> {
        let bytes: Bytes = bytes.iter().rev().copied().collect();
        let length = bytes.len();
        socket.emit(
            "reversed",
            &Reversed {
                bytes: bytes.clone(),
                length,
            },
        )?;
        Ok(Ack(bytes))
    }

    #[message]
    async fn text(&self, socket: Socket, Data(text): Data<String>) -> Result<(), EncodeError> {
        socket.send(json!({ "text": text }))
    }

    #[json]
    async fn json(&self, socket: Socket, Data(json): Data<Value>) -> Result<(), EncodeError> {
        socket.send(json!({ "json": json }))
    }

    #[any]
    async fn other(&self, EventName(name): EventName, args: RawArgs) -> Ack<Value> {
        Ack(json!({ "event": name, "arguments": args.len() }))
    }

    #[event]
    async fn transport(&self, transport: Transport) -> Ack<String> {
        Ack(transport.to_string())
    }

    // Rooms and broadcasts.

    #[event]
    async fn join(&self, socket: Socket, Data(room): Data<Word>) -> Result<Ack<bool>, EventError> {
        // One of them is the socket's own.
        if socket.rooms().len() > MAX_ROOMS {
            return Err(EventError::new(format!(
                "You are in {MAX_ROOMS} rooms. Leave one first."
            )));
        }
        socket.join(room);
        Ok(Ack(true))
    }

    #[event]
    async fn leave(&self, socket: Socket, Data(room): Data<Word>) -> Ack<bool> {
        socket.leave(room);
        Ack(true)
    }

    #[event]
    async fn shout(
        &self,
        socket: Socket,
        Data(Args((room, word))): Data<Args<(Word, Word)>>,
    ) -> Result<(), EncodeError> {
        socket.to(room).emit("shouted", word)
    }

    #[event]
    async fn tell(
        &self,
        socket: Socket,
        Data(Args((whom, word))): Data<Args<(Whom, Word)>>,
    ) -> Result<(), EncodeError> {
        match whom {
            Whom::All => socket.namespace().emit("told", word),
            Whom::Others => socket.broadcast().emit("told", word),
            Whom::Except(room) => socket.except(room).emit("told", word),
        }
    }

    /// Many that may be lost, and one that may not.
    #[event]
    async fn burst(&self, socket: Socket, Data(count): Data<u16>) -> Result<(), EventError> {
        if count > MAX_BURST {
            return Err(EventError::new(format!("A burst has at most {MAX_BURST} events.")));
        }
        for number in 1..=count {
            socket.volatile().emit("drop", number)?;
        }
        Ok(socket.emit("burst over", count)?)
    }

    // What a client's namespaces share.

    #[event]
    async fn remember(&self, socket: Socket, Data(word): Data<Word>) -> Ack<bool> {
        socket.session().insert(Remembered(word));
        Ack(true)
    }

    #[event]
    async fn tell_second(&self, socket: Socket, Data(word): Data<Word>) -> Result<Ack<bool>, EventError> {
        let second = socket.client().of("/second");
        second
            .ok_or(EventError::new("You are not in /second."))?
            .emit("told", word)?;
        Ok(Ack(true))
    }

    // Jobs.

    #[event]
    async fn start(&self, socket: Socket) -> Result<Ack<bool>, EventError> {
        if self.running() > 0 {
            return Err(EventError::new("The counter runs already."));
        }
        let running = self.jobs.clone();
        let counter = socket.clone();
        socket.spawn(async move {
            for number in 1_u64.. {
                counter.emit("tick", number)?;
                tokio::time::sleep(TICK).await;
            }
            drop(running);
            Ok::<_, EncodeError>(())
        });
        Ok(Ack(true))
    }

    #[event]
    async fn stop(&self, socket: Socket) -> Ack<bool> {
        socket.abort_jobs();
        Ack(true)
    }

    #[event]
    async fn jobs(&self) -> Ack<usize> {
        Ack(self.running())
    }

    fn running(&self) -> usize {
        Arc::strong_count(&self.jobs) - 1
    }

    // What goes wrong.

    #[event]
    async fn fail(&self) -> Result<(), EventError> {
        Err(EventError::new("The kettle is empty.").with_data(&json!({ "code": "E_KETTLE" })))
    }

    /// An error that is none of the client's business.
    #[event]
    async fn break_down(&self) -> Result<(), EventError> {
        "not a number".parse::<u8>()?;
        Ok(())
    }

    #[event]
    async fn panic(&self) {
        panic!("asked to");
    }

    // Leaving.

    #[event]
    async fn send_me_away(&self, socket: Socket) {
        socket.disconnect();
    }

    #[event]
    async fn hang_up(&self, socket: Socket) {
        socket.close();
    }

    #[disconnect]
    async fn left(&self, socket: Socket, why: DisconnectReason) -> Result<(), EncodeError> {
        socket.namespace().emit("left", Args((socket.id(), why.as_str())))
    }
}
