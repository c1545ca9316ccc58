//! A client in a namespace.

use std::{fmt, sync::Arc, time::Duration};

use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    codec,
    error::{Parting, TestError},
    inbox::{Arrival, Inbox, Over},
    link::Link,
};
use crate::{
    engine::Generation,
    socketio::args::{ArgsError, EmitArgs, EncodeError, FromArgs, RawArgs},
    socketio::codec::sio,
};

/// How long nothing may come where nothing is expected. Virtual time passes it at once.
const QUIET: Duration = Duration::from_millis(50);

/// A client in one namespace, made by [`connect`](super::connect) or by a
/// [`ClientBuilder`](super::ClientBuilder).
///
/// Dropping a client's handles for all of its namespaces breaks the connection, as
/// [`drop_connection`](Self::drop_connection) does.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tower_socketio::testing::TestError> {
/// use tower_socketio::{Ack, Args, Data, SocketIo, testing};
///
/// let io = SocketIo::builder().build();
/// io.of("/").on("sum", async |Data(Args((a, b))): Data<Args<(i64, i64)>>| Ack(a + b));
///
/// let alice = testing::connect(&io, "/").await?;
/// let sum: i64 = alice.emit_with_ack("sum", Args((1, 2))).await?;
/// assert_eq!(sum, 3);
/// # Ok(())
/// # }
/// ```
pub struct TestClient {
    link: Arc<Link>,
    nsp: String,
    inbox: Arc<Inbox>,
}

impl TestClient {
    pub(super) async fn join(link: Arc<Link>, nsp: &str, auth: Option<&Map<String, Value>>) -> Result<Self, TestError> {
        let inbox = link.join(nsp, auth).await?;
        let nsp = nsp.to_owned();
        Ok(Self { link, nsp, inbox })
    }

    /// The socket's id, as [`Socket::id`](crate::Socket::id) is on the server.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use tower_socketio::{SocketIo, testing};
    /// let io = SocketIo::builder().build();
    /// let alice = testing::connect(&io, "/").await?;
    /// assert!(io.of("/").socket(&alice.id()).is_some());
    /// # Ok(())
    /// # }
    /// ```
    pub fn id(&self) -> String {
        self.inbox.change(|content| content.id.clone()).unwrap_or_default()
    }

    /// Which clients it is like.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tower_socketio::testing::TestError> {
    /// # use tower_socketio::{Generation, SocketIo, testing};
    /// # let io = SocketIo::builder().build();
    /// let alice = testing::connect(&io, "/").await?;
    /// assert_eq!(alice.generation(), Generation::Eio4);
    /// # Ok(())
    /// # }
    /// ```
    pub fn generation(&self) -> Generation {
        self.link.generation
    }

    /// The namespace.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tower_socketio::testing::TestError> {
    /// # use tower_socketio::{SocketIo, testing};
    /// # let io = SocketIo::builder().build();
    /// assert_eq!(testing::connect(&io, "/").await?.namespace(), "/");
    /// # Ok(())
    /// # }
    /// ```
    pub fn namespace(&self) -> &str {
        &self.nsp
    }

    /// The same client in another namespace, over the same connection.
    ///
    /// # Errors
    /// When it is refused there, or is there already.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tower_socketio::testing::TestError> {
    /// # use tower_socketio::{SocketIo, testing};
    /// # let io = SocketIo::builder().build();
    /// # io.of("/admin");
    /// let alice = testing::connect(&io, "/").await?;
    /// let admin = alice.of("/admin").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn of(&self, namespace: &str) -> Result<Self, TestError> {
        Self::join(self.link.clone(), namespace, None).await
    }

    /// As [`of`](Self::of), with what the client sends as [`Auth`](crate::Auth): an object.
    ///
    /// # Errors
    /// As with [`of`](Self::of), and when `auth` is no object.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tower_socketio::testing::TestError> {
    /// # use tower_socketio::{SocketIo, testing};
    /// # let io = SocketIo::builder().build();
    /// # io.of("/admin");
    /// let alice = testing::connect(&io, "/").await?;
    /// let admin = alice.of_with_auth("/admin", &serde_json::json!({"token": "t"})).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn of_with_auth(&self, namespace: &str, auth: &impl Serialize) -> Result<Self, TestError> {
        Self::join(self.link.clone(), namespace, Some(&object(auth)?)).await
    }

    /// Emits an event. It does not wait: [`flush`](Self::flush) does, until the server has read it.
    ///
    /// # Errors
    /// When the arguments cannot be sent, or the client has left.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tower_socketio::testing::TestError> {
    /// # use tower_socketio::{Args, SocketIo, testing};
    /// # let io = SocketIo::builder().build();
    /// let alice = testing::connect(&io, "/").await?;
    /// alice.emit("say", "hi")?;
    /// alice.emit("move", Args((3, 4)))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn emit(&self, event: &str, args: impl EmitArgs) -> Result<(), TestError> {
        self.send_event(event, None, &args)
    }

    /// Emits an event and waits for the server's ack.
    ///
    /// # Errors
    /// When the arguments cannot be sent, no ack comes, or it is no `T`: the error shows what it is.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tower_socketio::testing::TestError> {
    /// # use tower_socketio::{Ack, SocketIo, testing};
    /// # let io = SocketIo::builder().build();
    /// io.of("/").on("ping", async || Ack("pong"));
    /// let alice = testing::connect(&io, "/").await?;
    /// assert_eq!(alice.emit_with_ack::<String>("ping", "").await?, "pong");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn emit_with_ack<T: FromArgs>(&self, event: &str, args: impl EmitArgs) -> Result<T, TestError> {
        let id = self.link.next_id();
        self.send_event(event, Some(id), &args)?;
        let waited_for = format!("ack of {event:?}");
        let ack = self
            .inbox
            .wait(&waited_for, self.link.limit, |content| content.acks.remove(&id));
        let ack = ack.await?;
        ack.read().map_err(|error| args_error(waited_for, &ack, error))
    }

    fn send_event(&self, event: &str, id: Option<u64>, args: &impl EmitArgs) -> Result<(), TestError> {
        let frames = codec::packet(self.link.generation, self.link.parser(), |out, attachments| {
            sio::write_event(out, &self.nsp, id, event, args, attachments)
        })?;
        self.inbox.check(&format!("way for event {event:?}"))?;
        self.link.send(frames);
        Ok(())
    }

    /// Waits until the server has read everything that this client has sent, in all of its namespaces. Handlers
    /// have then run as far as they get without waiting.
    ///
    /// # Errors
    /// When the server does not read.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use tower_socketio::{Data, Socket, SocketIo, testing};
    /// # let io = SocketIo::builder().build();
    /// io.of("/").on("join", async |socket: Socket, Data(room): Data<String>| socket.join(room));
    /// let mut alice = testing::connect(&io, "/").await?;
    /// alice.emit("join", "lobby")?;
    /// alice.flush().await?;
    ///
    /// io.to("lobby").emit("news", 1)?;
    /// assert_eq!(alice.recv::<u8>("news").await?, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn flush(&self) -> Result<(), TestError> {
        self.link.flush().await
    }

    /// Waits for the next event of that name, of which it returns the arguments. Events of other names are
    /// kept for later: where the order across names matters, ask for the [`next_event`](Self::next_event).
    ///
    /// # Errors
    /// When none comes, or its arguments are no `T`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use tower_socketio::{Args, SocketIo, testing};
    /// # let io = SocketIo::builder().build();
    /// let mut alice = testing::connect(&io, "/").await?;
    /// io.emit("news", "hello")?;
    /// io.emit("moved", Args((3, 4)))?;
    /// let Args((x, y)) = alice.recv::<Args<(u8, u8)>>("moved").await?;
    /// assert_eq!((x, y), (3, 4));
    /// assert_eq!(alice.recv::<String>("news").await?, "hello");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn recv<T: FromArgs>(&mut self, event: &str) -> Result<T, TestError> {
        let waited_for = format!("event {event:?}");
        let arrival = self.arrival(&waited_for, |arrival| arrival.name == event).await?;
        read(&arrival)
    }

    /// Waits for the next event, whatever its name.
    ///
    /// # Errors
    /// When none comes.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use tower_socketio::{SocketIo, testing};
    /// # let io = SocketIo::builder().build();
    /// let mut alice = testing::connect(&io, "/").await?;
    /// io.emit("first", 1)?;
    /// io.emit("second", 2)?;
    /// assert_eq!(alice.next_event().await?.name(), "first");
    /// assert_eq!(alice.next_event().await?.read::<u8>()?, 2);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn next_event(&mut self) -> Result<Event, TestError> {
        let arrival = self.arrival("event", |_| true).await?;
        Ok(self.event(arrival))
    }

    /// Waits for the next event of that name by which the server asks for an ack.
    ///
    /// # Errors
    /// When none comes, or its arguments are no `T`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tower_socketio::testing::TestError> {
    /// # use tower_socketio::{EventError, SocketIo, Socket, testing};
    /// # let io = SocketIo::builder().build();
    /// io.of("/").on("hi", async |socket: Socket| {
    ///     let name: String = socket.emit_with_ack("name?", "please").await?;
    ///     socket.emit("hello", name)?;
    ///     Ok::<_, EventError>(())
    /// });
    /// let mut bob = testing::connect(&io, "/").await?;
    /// bob.emit("hi", "")?;
    /// let question = bob.recv_question::<String>("name?").await?;
    /// assert_eq!(question.data, "please");
    /// question.answer("bob")?;
    /// assert_eq!(bob.recv::<String>("hello").await?, "bob");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn recv_question<T: FromArgs>(&mut self, event: &str) -> Result<Question<T>, TestError> {
        let waited_for = format!("event {event:?} that asks for an ack");
        let is_such = |arrival: &Arrival| arrival.name == event && arrival.ack.is_some();
        let event = self.event(self.arrival(&waited_for, is_such).await?);
        Ok(Question {
            data: event.read()?,
            event,
        })
    }

    fn event(&self, arrival: Arrival) -> Event {
        Event {
            arrival,
            link: self.link.clone(),
            nsp: self.nsp.clone(),
        }
    }

    async fn arrival(&self, waited_for: &str, is_such: impl Fn(&Arrival) -> bool) -> Result<Arrival, TestError> {
        let arrival = self
            .inbox
            .wait(waited_for, self.link.limit, |content| content.take(&is_such));
        arrival.await
    }

    /// Fails when an event is there that was not asked for, or comes within 50 ms after the server has read
    /// everything that this client has sent. Virtual time passes that at once, when all is idle.
    ///
    /// # Errors
    /// When something comes, or the client has left.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tower_socketio::testing::TestError> {
    /// # use tower_socketio::{SocketIo, Socket, testing};
    /// # let io = SocketIo::builder().build();
    /// io.of("/").on("wave", async |socket: Socket| socket.broadcast().emit("waved", ""));
    /// let mut alice = testing::connect(&io, "/").await?;
    /// alice.emit("wave", "")?;
    /// alice.expect_nothing().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn expect_nothing(&mut self) -> Result<(), TestError> {
        self.expect_nothing_for(QUIET).await
    }

    /// As [`expect_nothing`](Self::expect_nothing), for another time than 50 ms.
    ///
    /// # Errors
    /// When something comes, or the client has left.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tower_socketio::testing::TestError> {
    /// # use std::time::Duration;
    /// # use tower_socketio::{SocketIo, testing};
    /// # let io = SocketIo::builder().build();
    /// let mut alice = testing::connect(&io, "/").await?;
    /// alice.expect_nothing_for(Duration::from_millis(1)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn expect_nothing_for(&mut self, time: Duration) -> Result<(), TestError> {
        self.link.flush().await?;
        let came = self.inbox.wait("event", time, |content| {
            (!content.events.is_empty()).then(|| content.received())
        });
        match came.await {
            Ok(received) => Err(TestError::Unexpected { received }),
            Err(TestError::Timeout { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Waits until the client is no longer in the namespace, and tells why. Events that came before can
    /// still be read.
    ///
    /// # Errors
    /// When it stays.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tower_socketio::testing::TestError> {
    /// # use tower_socketio::{SocketIo, Socket};
    /// use tower_socketio::testing::{self, Parting};
    /// # let io = SocketIo::builder().build();
    ///
    /// io.of("/").on("quit", async |socket: Socket| socket.disconnect());
    /// let mut bob = testing::connect(&io, "/").await?;
    /// bob.emit("quit", "")?;
    /// assert_eq!(bob.disconnected().await?, Parting::ByServer);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn disconnected(&mut self) -> Result<Parting, TestError> {
        let parting = self.inbox.wait("end", self.link.limit, |content| match &content.over {
            Some(Over::Parted(parting)) => Some(parting.clone()),
            Some(Over::Refused(_)) | None => None,
        });
        parting.await
    }

    /// Leaves the namespace, and waits until the server has read it. The connection stays, save for
    /// [`Generation::V0_9`] in `/`, which is the connection.
    ///
    /// # Errors
    /// When the server does not read.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tower_socketio::testing::TestError> {
    /// # use tower_socketio::{SocketIo, testing};
    /// # let io = SocketIo::builder().build();
    /// let alice = testing::connect(&io, "/").await?;
    /// alice.disconnect().await?;
    /// assert_eq!(io.of("/").sockets_count(), 0);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn disconnect(&self) -> Result<(), TestError> {
        self.link.leave(&self.nsp).await
    }

    /// Ends the connection, and waits until the server has.
    ///
    /// # Errors
    /// When the server does not end it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tower_socketio::testing::TestError> {
    /// # use tower_socketio::{SocketIo, testing};
    /// # let io = SocketIo::builder().build();
    /// let alice = testing::connect(&io, "/").await?;
    /// alice.close().await?;
    /// assert_eq!(io.of("/").sockets_count(), 0);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn close(&self) -> Result<(), TestError> {
        self.link.close().await
    }

    /// Breaks the connection off without a word, as a network does, and waits until the server has seen it.
    ///
    /// # Errors
    /// When the server does not end it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tower_socketio::testing::TestError> {
    /// # use tower_socketio::{SocketIo, testing};
    /// # let io = SocketIo::builder().build();
    /// let alice = testing::connect(&io, "/").await?;
    /// alice.drop_connection().await?;
    /// assert_eq!(io.of("/").sockets_count(), 0);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn drop_connection(&self) -> Result<(), TestError> {
        self.link.break_off().await
    }
}

/// What is sent as auth.
pub(super) fn object(auth: &impl Serialize) -> Result<Map<String, Value>, EncodeError> {
    serde_json::to_value(auth)
        .and_then(serde_json::from_value)
        .map_err(EncodeError::Arguments)
}

fn read<T: FromArgs>(Arrival { name, args, .. }: &Arrival) -> Result<T, TestError> {
    args.read()
        .map_err(|error| args_error(format!("event {name:?}"), args, error))
}

fn args_error(of: String, args: &RawArgs, error: ArgsError) -> TestError {
    TestError::Args {
        of,
        received: args.json().to_owned(),
        error,
    }
}

impl fmt::Debug for TestClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestClient")
            .field("namespace", &self.nsp)
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}

/// An event as a client received it. [`TestClient::next_event`] has an example.
pub struct Event {
    arrival: Arrival,
    link: Arc<Link>,
    nsp: String,
}

impl Event {
    /// Its name. [`TestClient::next_event`] has an example.
    pub fn name(&self) -> &str {
        &self.arrival.name
    }

    /// Its arguments, undecoded.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use tower_socketio::{SocketIo, testing};
    /// # let io = SocketIo::builder().build();
    /// let mut alice = testing::connect(&io, "/").await?;
    /// io.emit("news", [1, 2])?;
    /// assert_eq!(alice.next_event().await?.args().json(), "[1,2]");
    /// # Ok(())
    /// # }
    /// ```
    pub fn args(&self) -> &RawArgs {
        &self.arrival.args
    }

    /// Its arguments, as [`TestClient::recv`] returns them. [`TestClient::next_event`] has an example.
    ///
    /// # Errors
    /// When they are no `T`.
    pub fn read<T: FromArgs>(&self) -> Result<T, TestError> {
        read(&self.arrival)
    }

    /// Answers the server. Where it did not ask for an ack, it gets none.
    ///
    /// # Errors
    /// When the arguments cannot be sent.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use tower_socketio::{SocketIo, testing};
    /// # let io = SocketIo::builder().build();
    /// let mut alice = testing::connect(&io, "/").await?;
    /// let socket = io.of("/").socket(&alice.id()).expect("alice is in");
    /// let answer = socket.emit_with_ack::<u8>("age?", "");
    /// alice.next_event().await?.answer(33)?;
    /// assert_eq!(answer.await?, 33);
    /// # Ok(())
    /// # }
    /// ```
    pub fn answer(self, args: impl EmitArgs) -> Result<(), TestError> {
        if let Some(id) = self.arrival.ack {
            let frames = codec::packet(self.link.generation, self.link.parser(), |out, attachments| {
                sio::write_ack(out, &self.nsp, id, &args, attachments)
            })?;
            self.link.send(frames);
        }
        Ok(())
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.arrival)
    }
}

/// An event by which the server asks for an ack. [`TestClient::recv_question`] has an example.
#[derive(Debug)]
#[must_use = "the server waits for an answer"]
pub struct Question<T> {
    /// The event's arguments.
    pub data: T,
    event: Event,
}

impl<T> Question<T> {
    /// Answers. [`TestClient::recv_question`] has an example.
    ///
    /// # Errors
    /// When the arguments cannot be sent.
    pub fn answer(self, args: impl EmitArgs) -> Result<(), TestError> {
        self.event.answer(args)
    }
}
