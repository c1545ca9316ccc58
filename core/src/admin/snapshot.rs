//! A socket as the page shows it. Never what lets its client in elsewhere: `auth`, and headers with credentials.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer, ser::SerializeMap as _};
use serde_json::Value;

use super::wire::milliseconds;
use crate::{
    engine::Sid,
    handshake::Handshake,
    headers::Headers,
    socketio::socket::{Data, Socket},
};

/// As much of a connection's id as the page needs to see which sockets are one client's. All of it would be the key
/// to the session.
const CLIENT_ID: usize = 12;

/// Headers that would let the page's reader in as somebody else.
const SECRET: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

/// One socket.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Snapshot<'a> {
    id: &'a Sid,
    client_id: &'a str,
    transport: &'static str,
    nsp: &'a str,
    data: GivenData,
    handshake: Request<'a>,
    rooms: Vec<String>,
}

/// The request that its connection began with, in Node's words.
#[derive(Serialize)]
struct Request<'a> {
    address: Option<String>,
    headers: BTreeMap<&'a str, String>,
    query: BTreeMap<String, Value>,
    issued: u128,
    secure: bool,
    time: String,
    url: String,
    xdomain: bool,
}

impl<'a> Snapshot<'a> {
    /// `path`: the endpoint's.
    pub(super) fn new(socket: &'a Socket, rooms: Vec<String>, path: &str) -> Self {
        let connection = socket.connection();
        let id = connection.id().as_str();
        Self {
            id: socket.id(),
            client_id: id.get(..CLIENT_ID).unwrap_or(id),
            transport: socket.transport().as_str(),
            nsp: socket.path(),
            data: GivenData::of(socket),
            handshake: Request::new(socket.handshake(), path),
            rooms,
        }
    }
}

impl<'a> Request<'a> {
    fn new(handshake: &'a Handshake, path: &str) -> Self {
        let headers = handshake.headers();
        let peer = || handshake.peer_addr().map(|peer| peer.ip().to_string());
        let proxied = headers
            .get("cf-connecting-ip")
            .or_else(|| headers.get("x-forwarded-for"));
        Self {
            address: proxied.map(str::to_owned).or_else(peer),
            headers: in_one(headers),
            query: query(handshake),
            issued: milliseconds(handshake.issued()),
            secure: headers.get("x-forwarded-proto") == Some("https"),
            time: httpdate::fmt_http_date(handshake.issued()),
            url: format!("{path}/?{}", handshake.query()),
            xdomain: headers.get("origin").is_some(),
        }
    }
}

/// The values of a name together.
fn in_one(headers: &Headers) -> BTreeMap<&str, String> {
    let mut all = BTreeMap::<_, String>::new();
    for (name, value) in headers.iter().filter(|(name, _)| !SECRET.contains(name)) {
        let value = String::from_utf8_lossy(value);
        all.entry(name)
            .and_modify(|values| *values = format!("{values}, {value}"))
            .or_insert_with(|| value.into_owned());
    }
    all
}

/// A text a name, or a list of those that came more than once.
fn query(handshake: &Handshake) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for (name, value) in handshake.query_values() {
        let value = Value::from(value);
        match all.get_mut(&*name) {
            None => drop(all.insert(name.into_owned(), value)),
            Some(Value::Array(values)) => values.push(value),
            Some(one) => *one = Value::Array(vec![one.take(), value]),
        }
    }
    all
}

/// What the application gave to a socket; nothing is an empty object.
pub(super) struct GivenData(Option<Data>);

impl GivenData {
    pub(super) fn of(socket: &Socket) -> Self {
        Self(socket.raw_data())
    }
}

impl Serialize for GivenData {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(data) => data.as_ref().serialize(serializer),
            None => serializer.serialize_map(Some(0))?.end(),
        }
    }
}
