//! Names of rooms, one or several: what operators take.

/// Room names: one, or several. What [`Broadcast::to`](crate::Broadcast::to),
/// [`Socket::join`](crate::Socket::join) and the like take.
///
/// One is any text: `&str`, `String`, a socket's [id](crate::Socket::id). Several are whatever can be
/// iterated over and gives text: an array, a slice, a `Vec`, an iterator. `M` tells the two apart and is
/// always inferred.
///
/// ```
/// use tower_socketio::SocketIo;
///
/// let io = SocketIo::builder().build();
/// let rooms = vec!["b".to_owned(), "c".to_owned()];
/// io.to("a").to(&rooms).except(["muted", "away"]).emit("news", "hello")?;
/// io.to((1..=3).map(|n| format!("floor {n}"))).emit("news", "hello")?;
/// # Ok::<(), tower_socketio::EncodeError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither the name of a room nor several",
    label = "no room names",
    note = "one room: any text, such as `\"lobby\"`; several: an array, slice, `Vec` or iterator of text"
)]
pub trait IntoRooms<M> {
    /// Calls `each` with every name.
    #[doc(hidden)]
    fn for_each(self, each: impl FnMut(&str));

    /// All names.
    #[doc(hidden)]
    fn into_names(self) -> Vec<Box<str>>
    where
        Self: Sized,
    {
        let mut names = Vec::new();
        self.for_each(|name| names.push(name.into()));
        names
    }
}

/// Marks one room.
#[doc(hidden)]
#[derive(Debug)]
pub enum One {}

/// Marks several rooms.
#[doc(hidden)]
#[derive(Debug)]
pub enum Several {}

impl<T: AsRef<str>> IntoRooms<One> for T {
    fn for_each(self, mut each: impl FnMut(&str)) {
        each(self.as_ref());
    }
}

impl<I: IntoIterator<Item: AsRef<str>>> IntoRooms<Several> for I {
    fn for_each(self, mut each: impl FnMut(&str)) {
        for name in self {
            each(name.as_ref());
        }
    }
}
