//! Arguments of events and acks: what applications send ([`EmitArgs`]) and what they are given
//! ([`FromArgs`]).
//!
//! Owns the rule "one value is one argument, `Args` is several, `RawArgs` is all as they came" and
//! the errors of both directions. Never sees a packet's header: that is `codec/sio.rs`. Next:
//! `codec/binary_ser.rs`, `codec/binary_de.rs`.

use std::{error::Error, fmt, sync::Arc};

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use super::codec::{binary_de::from_arg, binary_ser::write_json, scan::split};
use crate::parser::ParserError;

/// Several arguments, one, or none.
///
/// A value alone is one argument, so `Args` is for the other cases: `Args((a, b))` is two,
/// `Args(())` is none. A tuple without `Args` is one argument, an array. Up to eight arguments;
/// more belong into a struct.
///
/// Received, it takes as many arguments as it has places and leaves the rest, as a JavaScript
/// function does.
///
/// Bytes travel beside the JSON if their type says that it is bytes: [`bytes::Bytes`] does, and so
/// do the wrappers of the crate `serde_bytes`. A `Vec<u8>` is sent as an array of numbers, but is
/// received from either. Inside enums that are untagged or internally tagged and inside
/// `#[serde(flatten)]`, receive into `Bytes`. A `serde_json::Value` holds no bytes: it shows the
/// placeholder that stood for them.
///
/// ```
/// use tower_socketio::{Args, RawArgs};
///
/// let sent = RawArgs::encode(&Args(("a", 1)))?;
/// assert_eq!(sent.json(), r#""a",1"#);
///
/// let Args((text, number)) = sent.read::<Args<(String, u8)>>()?;
/// assert_eq!((text.as_str(), number), ("a", 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Args<T>(pub T);

/// All arguments of an event or ack as they came, binary included.
///
/// Opaque until read, cheap to clone, and sent again without being decoded: for echoes, forwarding
/// and logs.
///
/// ```
/// use tower_socketio::{Args, RawArgs};
///
/// let args = RawArgs::encode(&Args(("hello", [1, 2])))?;
/// assert_eq!(args.len(), 2);
/// assert_eq!(args.get::<String>(0)?.as_deref(), Some("hello"));
/// assert_eq!(args.get::<Vec<u8>>(1)?, Some(vec![1, 2]));
/// assert_eq!(args.get::<bool>(2)?, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawArgs {
    /// Values with commas between: valid JSON once in brackets.
    json: Arc<str>,
    /// `None` if there are none: all threads would count the references to one empty slice.
    attachments: Option<Arc<[Bytes]>>,
}

impl RawArgs {
    /// Encodes arguments now, to send them several times or to read them in a test.
    ///
    /// # Errors
    /// A value that cannot be written as JSON.
    ///
    /// ```
    /// use tower_socketio::RawArgs;
    ///
    /// assert_eq!(RawArgs::encode("hi")?.json(), r#""hi""#);
    /// # Ok::<(), tower_socketio::EncodeError>(())
    /// ```
    pub fn encode(args: &(impl EmitArgs + ?Sized)) -> Result<Self, EncodeError> {
        let (mut json, mut attachments) = (Vec::new(), Vec::new());
        args.write(&mut json, &mut attachments)?;
        let json = String::from_utf8(json)
            .map_err(serde::ser::Error::custom)
            .map_err(EncodeError::Arguments)?;
        Ok(Self {
            json: json.into(),
            attachments: shared(&attachments),
        })
    }

    /// How many arguments there are.
    ///
    /// ```
    /// use tower_socketio::{Args, RawArgs};
    ///
    /// assert_eq!(RawArgs::encode(&Args((1, 2, 3)))?.len(), 3);
    /// # Ok::<(), tower_socketio::EncodeError>(())
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        split(&self.json).count()
    }

    /// Whether there are none.
    ///
    /// ```
    /// use tower_socketio::{Args, RawArgs};
    ///
    /// assert!(RawArgs::encode(&Args(()))?.is_empty());
    /// # Ok::<(), tower_socketio::EncodeError>(())
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.json.is_empty()
    }

    /// The argument at `index`, counted from 0; `None` if there are not that many.
    ///
    /// # Errors
    /// An argument that is no `T`.
    ///
    /// ```
    /// use tower_socketio::RawArgs;
    ///
    /// let args = RawArgs::encode(&7)?;
    /// assert_eq!(args.get::<u8>(0)?, Some(7));
    /// assert!(args.get::<String>(0).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn get<T: DeserializeOwned>(&self, index: usize) -> Result<Option<T>, ArgsError> {
        split(&self.json)
            .nth(index)
            .map(|arg| from_arg(arg, self.attachments()).map_err(|error| ArgsError::invalid(index, error)))
            .transpose()
    }

    /// Everything at once, as a handler would extract it: the first argument, or several as
    /// [`Args`].
    ///
    /// # Errors
    /// An argument that is missing or of another type.
    ///
    /// ```
    /// use tower_socketio::{Args, RawArgs};
    ///
    /// let args = RawArgs::encode(&Args(("a", true)))?;
    /// assert_eq!(args.read::<String>()?, "a");
    /// assert_eq!(args.read::<Args<(String, bool)>>()?, Args(("a".to_owned(), true)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read<T: FromArgs>(&self) -> Result<T, ArgsError> {
        T::from_args(&self.json, self.attachments())
    }

    /// The arguments after the first `count`, to forward them. All attachments stay with them, used or not.
    ///
    /// ```
    /// use tower_socketio::{Args, RawArgs};
    ///
    /// let args = RawArgs::encode(&Args(("room", 1, 2)))?;
    /// assert_eq!(args.skip(1).json(), "1,2");
    /// assert!(args.skip(3).is_empty());
    /// # Ok::<(), tower_socketio::EncodeError>(())
    /// ```
    #[must_use]
    pub fn skip(&self, count: usize) -> Self {
        let skipped: usize = split(&self.json).take(count).map(|arg| arg.len() + 1).sum();
        Self {
            json: self.json.get(skipped..).unwrap_or_default().into(),
            attachments: self.attachments.clone(),
        }
    }

    /// The JSON of the arguments, commas between and no brackets around. A placeholder object
    /// stands for bytes.
    ///
    /// ```
    /// use tower_socketio::{Args, RawArgs};
    ///
    /// assert_eq!(RawArgs::encode(&Args((1, "a")))?.json(), r#"1,"a""#);
    /// # Ok::<(), tower_socketio::EncodeError>(())
    /// ```
    #[must_use]
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The bytes that belong to the placeholders, in the order of their `num`.
    ///
    /// ```
    /// use tower_socketio::RawArgs;
    ///
    /// let args = RawArgs::encode(&bytes::Bytes::from_static(b"png"))?;
    /// assert_eq!(args.json(), r#"{"_placeholder":true,"num":0}"#);
    /// assert_eq!(args.attachments(), ["png"]);
    /// # Ok::<(), tower_socketio::EncodeError>(())
    /// ```
    #[must_use]
    pub fn attachments(&self) -> &[Bytes] {
        self.attachments.as_deref().unwrap_or_default()
    }

    /// What a codec has read and checked.
    pub(crate) fn from_wire(args: &str, attachments: &[Bytes]) -> Self {
        Self {
            json: args.into(),
            attachments: shared(attachments),
        }
    }
}

fn shared(attachments: &[Bytes]) -> Option<Arc<[Bytes]>> {
    (!attachments.is_empty()).then(|| attachments.into())
}

/// What can be sent with an event or an ack: any [`Serialize`] value (one argument), [`Args`] of a
/// tuple, or [`RawArgs`].
///
/// Sealed: implement [`Serialize`] for your types instead.
///
/// ```
/// use tower_socketio::{Args, EmitArgs, RawArgs};
///
/// fn json(args: impl EmitArgs) -> String {
///     RawArgs::encode(&args).unwrap().json().to_owned()
/// }
/// assert_eq!(json("one"), r#""one""#);
/// assert_eq!(json(Args(("two", 2))), r#""two",2"#);
/// assert_eq!(json(Args(())), "");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent as arguments",
    label = "not arguments",
    note = "one argument: any type that implements `serde::Serialize`",
    note = "several or none: `Args` of a tuple of up to eight, such as `Args((a, b))` or `Args(())`"
)]
pub trait EmitArgs: private::Emit {
    /// Appends the arguments with commas between. `attachments` must be empty: placeholders count
    /// from 0.
    #[doc(hidden)]
    fn write(&self, out: &mut Vec<u8>, attachments: &mut Vec<Bytes>) -> Result<(), EncodeError>;
}

/// What arguments can be received as: any [`DeserializeOwned`] value (the first argument), [`Args`]
/// of a tuple, or [`RawArgs`].
///
/// An argument that was not sent reads as `null`: an `Option` becomes `None`, other types fail.
/// Sealed: implement `serde::Deserialize` for your types instead.
///
/// ```
/// use tower_socketio::{Args, RawArgs};
///
/// let args = RawArgs::encode("only one")?;
/// let Args((first, second)) = args.read::<Args<(String, Option<String>)>>()?;
/// assert_eq!((first.as_str(), second), ("only one", None));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "arguments cannot be received as `{Self}`",
    label = "not arguments",
    note = "the first argument: any type that implements `serde::Deserialize` and borrows nothing",
    note = "several or none: `Args` of a tuple of up to eight, such as `Args<(A, B)>` or `Args<()>`"
)]
pub trait FromArgs: private::From + Sized {
    /// Reads text that a codec has checked.
    #[doc(hidden)]
    fn from_args(args: &str, attachments: &[Bytes]) -> Result<Self, ArgsError>;
}

/// Why something could not be sent. The application is at fault: nothing has left the server.
///
/// ```
/// use std::collections::HashMap;
/// use tower_socketio::{EncodeError, RawArgs};
///
/// let error = RawArgs::encode(&HashMap::from([((1, 2), 3)])).unwrap_err();
/// assert!(matches!(error, EncodeError::Arguments(_)));
/// let text = "arguments cannot be written as json: key must be a string; change their type";
/// assert_eq!(error.to_string(), text);
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum EncodeError {
    /// The event's name means something to the client libraries.
    ReservedEvent(String),
    /// The arguments' `Serialize` failed, or they hold what JSON cannot: a map with keys that are
    /// not strings.
    Arguments(serde_json::Error),
    /// The arguments hold bytes, and the client is of [`Generation::V0_9`](crate::Generation::V0_9),
    /// which has no binary. A broadcast goes to the others.
    BinaryUnsupported,
    /// The server's own [parser](crate::parser) cannot write them.
    Parser(ParserError),
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReservedEvent(name) => {
                write!(f, "event name {name:?} is reserved by socket.io; use another name")
            }
            Self::Arguments(error) => {
                write!(f, "arguments cannot be written as json: {error}; change their type")
            }
            Self::BinaryUnsupported => {
                f.write_str("arguments hold bytes, which clients before 1.0 cannot be sent; send them as base64")
            }
            Self::Parser(error) => write!(f, "the server's parser cannot write the packet: {error}"),
        }
    }
}

impl Error for EncodeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::ReservedEvent(_) | Self::BinaryUnsupported => None,
            Self::Arguments(error) => Some(error),
            Self::Parser(error) => Some(error),
        }
    }
}

/// Why arguments could not be received as the type that was asked for. The client sent something
/// else.
///
/// ```
/// use tower_socketio::{Args, RawArgs};
///
/// let args = RawArgs::encode("a")?;
/// let error = args.read::<Args<(String, u8)>>().unwrap_err();
/// assert_eq!((error.index(), error.is_missing()), (1, true));
/// let text = "argument 2 is missing; ask for an `Option` if it may be left out";
/// assert_eq!(error.to_string(), text);
/// # Ok::<(), tower_socketio::EncodeError>(())
/// ```
#[derive(Debug)]
pub struct ArgsError {
    index: usize,
    missing: bool,
    error: serde_json::Error,
}

impl ArgsError {
    /// Which argument, counted from 0. The message counts from 1, as people do.
    ///
    /// ```
    /// use tower_socketio::RawArgs;
    ///
    /// assert_eq!(RawArgs::encode("a")?.read::<u8>().unwrap_err().index(), 0);
    /// # Ok::<(), tower_socketio::EncodeError>(())
    /// ```
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// Whether it was not sent at all.
    ///
    /// ```
    /// use tower_socketio::{Args, RawArgs};
    ///
    /// assert!(RawArgs::encode(&Args(()))?.read::<u8>().unwrap_err().is_missing());
    /// # Ok::<(), tower_socketio::EncodeError>(())
    /// ```
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.missing
    }

    fn invalid(index: usize, error: serde_json::Error) -> Self {
        Self {
            index,
            missing: false,
            error,
        }
    }
}

impl fmt::Display for ArgsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.index + 1;
        if self.missing {
            write!(
                f,
                "argument {place} is missing; ask for an `Option` if it may be left out"
            )
        } else {
            write!(f, "argument {place} is not of the type asked for: {}", self.error)
        }
    }
}

impl Error for ArgsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}

pub(super) mod private {
    /// Seals [`super::EmitArgs`].
    pub trait Emit {}
    /// Seals [`super::FromArgs`].
    pub trait From {}
}

impl<T: Serialize + ?Sized> private::Emit for T {}
impl<T: Serialize + ?Sized> EmitArgs for T {
    fn write(&self, out: &mut Vec<u8>, attachments: &mut Vec<Bytes>) -> Result<(), EncodeError> {
        write_json(out, self, attachments)
    }
}

impl<T> private::Emit for &Args<T> {}
impl<T> EmitArgs for &Args<T>
where
    Args<T>: EmitArgs,
{
    fn write(&self, out: &mut Vec<u8>, attachments: &mut Vec<Bytes>) -> Result<(), EncodeError> {
        (**self).write(out, attachments)
    }
}

impl private::Emit for RawArgs {}
impl EmitArgs for RawArgs {
    fn write(&self, out: &mut Vec<u8>, attachments: &mut Vec<Bytes>) -> Result<(), EncodeError> {
        out.extend_from_slice(self.json.as_bytes());
        attachments.extend_from_slice(self.attachments());
        Ok(())
    }
}

impl private::Emit for &RawArgs {}
impl EmitArgs for &RawArgs {
    fn write(&self, out: &mut Vec<u8>, attachments: &mut Vec<Bytes>) -> Result<(), EncodeError> {
        (**self).write(out, attachments)
    }
}

impl<T: DeserializeOwned> private::From for T {}
impl<T: DeserializeOwned> FromArgs for T {
    fn from_args(args: &str, attachments: &[Bytes]) -> Result<Self, ArgsError> {
        // What follows the first argument need not be split off: it is not looked at.
        at(0, (!args.is_empty()).then_some(args), attachments)
    }
}

impl private::From for RawArgs {}
impl FromArgs for RawArgs {
    fn from_args(args: &str, attachments: &[Bytes]) -> Result<Self, ArgsError> {
        Ok(Self::from_wire(args, attachments))
    }
}

fn at<T: DeserializeOwned>(index: usize, arg: Option<&str>, attachments: &[Bytes]) -> Result<T, ArgsError> {
    let missing = arg.is_none();
    from_arg(arg.unwrap_or("null"), attachments).map_err(|error| ArgsError { index, missing, error })
}

/// `Args` of a tuple, both ways. `$comma` is empty before the first place.
macro_rules! places {
    ($($comma:literal $index:tt $T:ident),*) => {
        impl<$($T),*> private::Emit for Args<($($T,)*)> {}
        impl<$($T: Serialize),*> EmitArgs for Args<($($T,)*)> {
            #[allow(unused_variables, reason = "no arguments: nothing to write")]
            fn write(&self, out: &mut Vec<u8>, attachments: &mut Vec<Bytes>) -> Result<(), EncodeError> {
                $(
                    out.extend_from_slice($comma);
                    write_json(out, &self.0.$index, attachments)?;
                )*
                Ok(())
            }
        }

        impl<$($T),*> private::From for Args<($($T,)*)> {}
        impl<$($T: DeserializeOwned),*> FromArgs for Args<($($T,)*)> {
            #[allow(unused_variables, unused_mut, clippy::unused_unit, reason = "no arguments: nothing to read")]
            fn from_args(args: &str, attachments: &[Bytes]) -> Result<Self, ArgsError> {
                let mut args = split(args);
                Ok(Self(($(at::<$T>($index, args.next(), attachments)?,)*)))
            }
        }
    };
}

places!();
places!(b"" 0 A);
places!(b"" 0 A, b"," 1 B);
places!(b"" 0 A, b"," 1 B, b"," 2 C);
places!(b"" 0 A, b"," 1 B, b"," 2 C, b"," 3 D);
places!(b"" 0 A, b"," 1 B, b"," 2 C, b"," 3 D, b"," 4 E);
places!(b"" 0 A, b"," 1 B, b"," 2 C, b"," 3 D, b"," 4 E, b"," 5 F);
places!(b"" 0 A, b"," 1 B, b"," 2 C, b"," 3 D, b"," 4 E, b"," 5 F, b"," 6 G);
places!(b"" 0 A, b"," 1 B, b"," 2 C, b"," 3 D, b"," 4 E, b"," 5 F, b"," 6 G, b"," 7 H);

#[cfg(test)]
mod tests {
    use serde_json::{Value, json, value::RawValue};

    use super::*;

    #[allow(clippy::needless_pass_by_value, reason = "applications pass by value, too")]
    fn emit(args: impl EmitArgs) -> String {
        by_ref(&args)
    }

    fn by_ref(args: &(impl EmitArgs + ?Sized)) -> String {
        RawArgs::encode(args).unwrap().json().to_owned()
    }

    #[test]
    fn anything_serializable_is_one_argument() {
        let item = json!({"a": 1});
        assert_eq!(emit("hi"), r#""hi""#);
        assert_eq!(emit(String::from("hi")), r#""hi""#);
        assert_eq!(by_ref("hi"), r#""hi""#);
        assert_eq!(emit(&item), r#"{"a":1}"#);
        assert_eq!(emit((1, 2)), "[1,2]");
        assert_eq!(by_ref(&[1, 2][..]), "[1,2]");
        assert_eq!(emit(()), "null");
    }

    #[test]
    fn args_are_several_or_none() {
        let args = Args((String::from("a"), 1, Some([true])));
        assert_eq!(emit(&args), r#""a",1,[true]"#);
        assert_eq!(emit(args), r#""a",1,[true]"#);
        assert_eq!(emit(Args(())), "");
        assert_eq!(emit(Args((1,))), "1");
        assert_eq!(emit(Args((1, 2, 3, 4, 5, 6, 7, 8))), "1,2,3,4,5,6,7,8");
    }

    #[test]
    fn raw_args_are_sent_on_unchanged() {
        let raw = RawArgs::encode(&Args((Bytes::from_static(b"x"), 1.0))).unwrap();
        assert_eq!(RawArgs::encode(&raw).unwrap(), raw);
        assert_eq!(emit(&raw), r#"{"_placeholder":true,"num":0},1.0"#);
        assert_eq!(raw.read::<RawArgs>().unwrap(), raw);
    }

    #[test]
    fn raw_args_are_counted_and_read_one_by_one() {
        let raw = RawArgs::from_wire(r#"[1,","] , {"a":"}"},3"#, &[]);
        assert_eq!(raw.len(), 3);
        assert_eq!(raw.get::<Value>(0).unwrap(), Some(json!([1, ","])));
        assert_eq!(raw.get::<Box<RawValue>>(1).unwrap().unwrap().get(), r#"{"a":"}"}"#);
        assert_eq!(raw.get::<u8>(2).unwrap(), Some(3));
        assert_eq!(raw.get::<u8>(3).unwrap(), None);
        assert_eq!(raw.get::<u8>(0).unwrap_err().index(), 0);
        assert_eq!((RawArgs::default().len(), RawArgs::default().is_empty()), (0, true));
    }

    #[test]
    fn first_argument_is_taken_and_the_rest_left() {
        assert_eq!(u8::from_args("1,2,3", &[]).unwrap(), 1);
        assert_eq!(String::from_args(r#""a,b",2"#, &[]).unwrap(), "a,b");
        assert_eq!(Args::<(u8,)>::from_args("1,2", &[]).unwrap(), Args((1,)));
        assert_eq!(Args::<()>::from_args("1,2", &[]).unwrap(), Args(()));
    }

    #[test]
    fn absent_argument_reads_as_null() {
        assert_eq!(Option::<u8>::from_args("", &[]).unwrap(), None);
        assert_eq!(Value::from_args("", &[]).unwrap(), Value::Null);
        let error = u8::from_args("", &[]).unwrap_err();
        assert_eq!((error.index(), error.is_missing()), (0, true));
        let read = Args::<(u8, Option<u8>, Option<Bytes>)>::from_args("1", &[]);
        assert_eq!(read.unwrap(), Args((1, None, None)));
    }

    #[test]
    fn error_names_the_argument() {
        let error = Args::<(u8, u8)>::from_args(r#"1,"x""#, &[]).unwrap_err();
        assert!(!error.is_missing());
        let text = error.to_string();
        assert!(
            text.starts_with("argument 2 is not of the type asked for: invalid type: string"),
            "{text}"
        );
        assert!(error.source().is_some());
    }

    #[test]
    fn attachments_reach_every_argument() {
        let attachments = [Bytes::from_static(b"a"), Bytes::from_static(b"b")];
        let args = r#"{"_placeholder":true,"num":1},[{"_placeholder":true,"num":0}]"#;
        let Args((second, list)) = Args::<(Bytes, Vec<Vec<u8>>)>::from_args(args, &attachments).unwrap();
        assert_eq!((second, list), (Bytes::from_static(b"b"), vec![b"a".to_vec()]));
    }
}
