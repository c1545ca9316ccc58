//! The types of events, for clients in TypeScript: one file, generated from the handlers.
//!
//! It holds `ClientToServerEvents`, `ServerToClientEvents` and the types that they need, as `socket.io-client` wants
//! them: `Socket<ServerToClientEvents, ClientToServerEvents>`. A page that emits an event that nobody handles, with
//! arguments that its handler does not take, or that mistakes an answer, does not compile.
//!
//! What clients may emit is read off the methods of `#[namespace(typescript)]`, what they are sent off types with
//! `#[derive(EmitEvent)]` and `#[event(typescript)]`. Types of arguments derive [`TS`](ts_rs::TS) of the crate `ts-rs`,
//! which understands the attributes of serde, too. A test keeps the file up to date:
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use tower_socketio::{Ack, Data, EmitEvent, namespace, typescript};
//! use ts_rs::TS;
//!
//! #[derive(Serialize, Deserialize, TS)]
//! struct Message {
//!     nick: String,
//!     text: String,
//! }
//!
//! #[derive(EmitEvent)]
//! #[event(typescript)]
//! enum ServerToClient {
//!     /// Somebody said something.
//!     Said(Message),
//! }
//!
//! #[derive(Default)]
//! struct Chat;
//!
//! #[namespace(typescript)]
//! impl Chat {
//!     #[event]
//!     async fn say(&self, Data(message): Data<Message>) -> Ack<u64> {
//!         Ack(1)
//!     }
//! }
//!
//! # let path = std::env::temp_dir().join(format!("events-{}.d.ts", std::process::id()));
//! // In a test this is `#[test] fn the_types_of_the_page_are_up_to_date()`, and the path is that of the page.
//! let is_changed = typescript::Events::new()
//!     .receives::<Chat>()
//!     .emits::<ServerToClient>()
//!     .write(&path)?;
//! # assert!(is_changed);
//! # let text = std::fs::read_to_string(&path)?;
//! assert!(text.contains("say: (message: Message, ack: (answer: number | ErrorAck) => void) => void;"));
//! assert!(text.contains("said: (data: Message) => void;"));
//! # std::fs::remove_file(&path)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How Rust reads in TypeScript
//!
//! | Rust | TypeScript |
//! |---|---|
//! | `Data<T>`, `Data<Args<(A, B)>>` | an argument, several; their names are those of the pattern: `Data(text)` |
//! | no `Data` | no arguments |
//! | `RawArgs` | `...args: any[]` |
//! | `Option<T>` | `T \| null`; among the last arguments of an event without an answer it may be left out |
//! | `Ack<T>`, `Result<Ack<T>, E>` | a callback, the last argument, which is given `T` or an `ErrorAck` |
//! | `AckSender` | a callback that is given anything; `#[event(ack = T)]` says what |
//! | an extractor of the application's own | nothing; `#[event(args = T)]` says what it reads, as `Data<T>` would |
//! | `u64`, `i64`, `u128`, `i128` | `number`: what `JSON.parse` gives, exact up to 2^53 |
//! | [`Bytes`](bytes::Bytes) as an argument or answer | `ArrayBuffer` from the server (Node's client gives a `Buffer`), `ArrayBuffer \| ArrayBufferView` to it |
//! | `Bytes` in a struct | [an error](Error::Unclear), until the field says `#[ts(type = "ArrayBuffer")]` |
//! | `Vec<u8>` | `Array<number>`, as which it is sent |
//!
//! Any answer may be an `ErrorAck`, also where the method returns no `Result`: see [`EventError`](crate::EventError). A
//! method that answers needs its callback; who does not want the answer passes an empty function. The types of
//! `emitWithAck` know no optional callback.
//!
//! Events of closures are not in the file: their types are the compiler's alone.

mod describe;
#[doc(hidden)]
pub mod probe;
mod render;

use std::{error, fmt, fs, io, path::Path};

pub use self::describe::{Answer, Arguments};
#[doc(hidden)]
pub use self::describe::{Described, EventTypes, FieldType, Shape, Types, field};

/// What a client may emit: implemented by `#[namespace(typescript)]`.
#[diagnostic::on_unimplemented(
    message = "the types of `{Self}`'s events are not known",
    label = "its events have no types in TypeScript",
    note = "write `#[namespace(typescript)]` above its `impl` block"
)]
pub trait Receives {
    #[doc(hidden)]
    fn describe(events: &mut Described);
}

/// What a client may be sent: implemented by `#[derive(EmitEvent)]` with `#[event(typescript)]`.
#[diagnostic::on_unimplemented(
    message = "the types of `{Self}`'s events are not known",
    label = "its events have no types in TypeScript",
    note = "write `#[derive(EmitEvent)]` and `#[event(typescript)]` above the type"
)]
pub trait Emits {
    #[doc(hidden)]
    fn describe(events: &mut Described);
}

/// The events of one namespace, to be written as a file. The [module](self) has an example.
///
/// The text depends on nothing but the types: events are in the order of their methods and variants, types in that of
/// their names. An event that is described twice, with different arguments, may have either.
#[derive(Debug)]
#[must_use = "it does nothing until it is written"]
pub struct Events {
    received: Described,
    emitted: Described,
}

impl Default for Events {
    fn default() -> Self {
        Self {
            received: Described::new(describe::Direction::ToServer),
            emitted: Described::new(describe::Direction::ToClient),
        }
    }
}

impl Events {
    /// No events.
    ///
    /// ```
    /// let text = tower_socketio::typescript::Events::new().text()?;
    /// assert!(text.contains("export interface ClientToServerEvents {\n}"));
    /// # Ok::<(), tower_socketio::typescript::Error>(())
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the events that the methods of a namespace handle.
    ///
    /// ```
    /// use tower_socketio::{namespace, typescript::Events};
    ///
    /// #[derive(Default)]
    /// struct Chat;
    ///
    /// #[namespace(typescript)]
    /// impl Chat {
    ///     #[event]
    ///     async fn hello(&self) {}
    /// }
    ///
    /// assert!(Events::new().receives::<Chat>().text()?.contains("hello: () => void;"));
    /// # Ok::<(), tower_socketio::typescript::Error>(())
    /// ```
    pub fn receives<T: Receives>(mut self) -> Self {
        T::describe(&mut self.received);
        self
    }

    /// Adds an event, or those of an enum, that the server emits.
    ///
    /// ```
    /// use tower_socketio::{EmitEvent, typescript::Events};
    ///
    /// #[derive(EmitEvent)]
    /// #[event(typescript)]
    /// struct Moved(i32, i32);
    ///
    /// let text = Events::new().emits::<Moved>().text()?;
    /// assert!(text.contains("moved: (arg1: number, arg2: number) => void;"));
    /// # Ok::<(), tower_socketio::typescript::Error>(())
    /// ```
    pub fn emits<T: Emits>(mut self) -> Self {
        T::describe(&mut self.emitted);
        self
    }

    /// The text of the file.
    ///
    /// # Errors
    /// [`Error::Unclear`].
    ///
    /// ```
    /// let text = tower_socketio::typescript::Events::new().text()?;
    /// assert!(text.starts_with("// Generated"));
    /// # Ok::<(), tower_socketio::typescript::Error>(())
    /// ```
    pub fn text(&self) -> Result<String, Error> {
        render::file(&self.received, &self.emitted).map_err(Error::Unclear)
    }

    /// Writes the file if it is not as it should be, and says whether it was written. A test that fails then keeps it
    /// up to date, also where nobody but a machine looks at changes:
    ///
    /// ```
    /// use tower_socketio::typescript::Events;
    ///
    /// # let path = std::env::temp_dir().join(format!("none-{}.d.ts", std::process::id()));
    /// assert!(Events::new().write(&path)?);
    /// assert!(!Events::new().write(&path)?, "events.d.ts was out of date: commit it as it is now");
    /// # std::fs::remove_file(path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Unclear`], or [`Error::Io`] where the file cannot be read or written. Its directory must be there.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<bool, Error> {
        let (path, text) = (path.as_ref(), self.text()?);
        let failed = |error| Error::Io {
            path: path.display().to_string(),
            error,
        };
        match fs::read_to_string(path) {
            // Line ends are the checkout's.
            Ok(old) if old.replace("\r\n", "\n") == text => return Ok(false),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        fs::write(path, text).map_err(failed)?;
        Ok(true)
    }
}

/// Why there is no file.
///
/// ```
/// use tower_socketio::typescript::{Error, Events};
///
/// let error = Events::new().write("no such directory/events.d.ts").unwrap_err();
/// assert!(matches!(error, Error::Io { .. }));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// Types that cannot be written as they are, a sentence each with its remedy: two of one name, bytes in a struct,
    /// events whose arguments are read twice.
    Unclear(Vec<String>),
    /// The file cannot be read or written.
    #[non_exhaustive]
    Io {
        /// Which.
        path: String,
        /// Why.
        error: io::Error,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unclear(problems) => f.write_str(&problems.join("; ")),
            Self::Io { path, error } => write!(f, "cannot write {path}: {error}"),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Unclear(_) => None,
            Self::Io { error, .. } => Some(error),
        }
    }
}
