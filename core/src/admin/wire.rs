//! What the page is told, as it reads it: arguments as JSON, and times.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde::Serialize;

use super::Mode;
use crate::{
    date::to_iso,
    socketio::{
        args::{EncodeError, RawArgs},
        namespace::Namespace,
        socket::Socket,
    },
};

/// What the page asks a server before it shows buttons and tables.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Config {
    supported_features: Vec<&'static str>,
}

/// What the page's buttons need. `M…`: of many sockets at once.
const BUTTONS: [&str; 7] = ["EMIT", "JOIN", "LEAVE", "DISCONNECT", "MJOIN", "MLEAVE", "MDISCONNECT"];

impl Config {
    pub(super) fn new(mode: Mode, is_read_only: bool) -> Self {
        let buttons = if is_read_only { &[][..] } else { &BUTTONS };
        let tables = match mode {
            Mode::Development => &["AGGREGATED_EVENTS", "ALL_EVENTS"][..],
            Mode::Production => &["AGGREGATED_EVENTS"],
        };
        Self {
            supported_features: [buttons, tables].concat(),
        }
    }
}

/// Tells one page. `args` is a tuple, an argument each.
pub(super) fn emit(page: &Socket, event: &str, args: &impl Serialize) {
    check(encode(args).and_then(|args| page.emit(event, args)));
}

/// Tells every page.
pub(super) fn emit_to_all(pages: &Namespace, event: &str, args: &impl Serialize) {
    check(encode(args).and_then(|args| pages.emit(event, args)));
}

/// Tells every page what a socket was sent or sent itself.
pub(super) fn emit_event(pages: &Namespace, event: &str, nsp: &str, id: &str, passing: (&str, &RawArgs)) {
    let (name, args) = passing;
    let told = encode(&(nsp, id)).and_then(|socket| {
        let (name, time) = (encode(&(name,))?, encode(&(now(),))?);
        let comma = if args.is_empty() { "" } else { "," };
        let (socket, name, time) = (socket.json(), name.json(), time.json());
        let json = format!("{socket},[{name}{comma}{}],{time}", args.json());
        pages.emit(event, RawArgs::from_wire(&json, args.attachments()))
    });
    check(told);
}

/// The arguments that a tuple's fields are. Not by the core's own serialiser, which looks for bytes and knows no
/// JSON that was written before.
fn encode(args: &impl Serialize) -> Result<RawArgs, EncodeError> {
    let array = serde_json::to_string(args).map_err(EncodeError::Arguments)?;
    let args = array.strip_prefix('[').and_then(|array| array.strip_suffix(']'));
    debug_assert!(args.is_some(), "{array} is no list of arguments");
    Ok(RawArgs::from_wire(args.unwrap_or_default(), NO_BYTES))
}

const NO_BYTES: &[Bytes] = &[];

fn check(told: Result<(), EncodeError>) {
    if let Err(error) = told {
        tracing::warn!("the admin ui could not be told something: {error}");
    }
}

/// The time, as the page reads it.
pub(super) fn now() -> String {
    let now = i64::try_from(milliseconds(SystemTime::now())).unwrap_or(i64::MAX);
    to_iso(now).unwrap_or_default()
}

/// Since 1970.
pub(super) fn milliseconds(time: SystemTime) -> u128 {
    let since = time.duration_since(UNIX_EPOCH);
    since.unwrap_or(Duration::ZERO).as_millis()
}
