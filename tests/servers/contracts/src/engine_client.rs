//! What the tests of engine.io-client talk to: an echo with a few questions, which sets cookies.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    task::Context,
    time::SystemTime,
};

use http::{HeaderMap, HeaderValue, Method, header::SET_COOKIE, request::Parts};
use tower_socketio::{
    Cors, Handshake, Refusal,
    engine::{Client, Connection, Engine, Flow, Message, Upper},
};

use crate::milliseconds;

/// The server of the contract `engine-client`.
pub fn server() -> Engine {
    let curious = Curious::default();
    let told = curious.clone();
    Engine::builder()
        .path("/engine.io")
        .ping_interval(milliseconds("PING_INTERVAL_MS", 500))
        .max_payload(100)
        .cors(Cors::any().credentials(true))
        .allow_request(async |request: Handshake| match request.query_value("deny") {
            Some(_) => Err(Refusal::new("Forbidden")),
            None => Ok(()),
        })
        .initial_headers(set_cookies)
        .headers(move |_, request| told.tell(request))
        .build(Talker(curious))
}

fn set_cookies(headers: &mut HeaderMap, _: &Parts) {
    let now = httpdate::fmt_http_date(SystemTime::now());
    for cookie in [
        "1=1; Max-Age=86400",
        "2=2; Path=/; HttpOnly; Secure; SameSite=Strict",
        "3=3; Max-Age=0",
        &format!("4=4; Expires={now}"),
    ] {
        headers.append(SET_COOKIE, HeaderValue::from_str(cookie).expect("visible ASCII"));
    }
}

/// Who wants to know the headers of the POST that is being handled.
#[derive(Clone, Default)]
struct Curious(Arc<Mutex<HashMap<String, Connection>>>);

impl Curious {
    fn add(&self, connection: &Connection) {
        let mut curious = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        curious.insert(connection.id().to_string(), connection.clone());
    }

    /// Called when the packets of a POST have been handled.
    fn tell(&self, request: &Parts) {
        let query = request.uri.query().unwrap_or_default();
        let Some(sid) = query.split('&').find_map(|pair| pair.strip_prefix("sid=")) else {
            return;
        };
        if request.method != Method::POST {
            return;
        }
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(sid);
        if let Some(connection) = connection {
            let headers: BTreeMap<_, _> = request
                .headers
                .iter()
                .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())))
                .collect();
            connection.send_text(&serde_json::to_string(&headers).expect("a map of text is json"));
        }
    }
}

struct Talker(Curious);

struct TalkerClient {
    connection: Connection,
    curious: Curious,
}

impl Upper for Talker {
    fn open(&self, connection: &Connection, _: Handshake) -> Box<dyn Client> {
        connection.send_text("hi");
        Box::new(TalkerClient {
            connection: connection.clone(),
            curious: self.0.clone(),
        })
    }
}

impl Client for TalkerClient {
    fn message(&mut self, _: &mut Context<'_>, message: Message<'_>) -> Flow {
        match message {
            Message::Text("give binary") => self.connection.send_binary(&[0, 1, 2, 3, 4]),
            Message::Text("give utf8") => self.connection.send_text("пойду спать всем спокойной ночи"),
            Message::Text("sendHeaders") => self.curious.add(&self.connection),
            Message::Text(text) => self.connection.send_text(text),
            Message::Binary(bytes) => self.connection.send_binary(bytes),
        }
        Flow::Open
    }
}
