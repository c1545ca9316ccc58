//! HTTP as axum has it, with ready-made answers: what the requests of Socket.IO's clients cost at least. A request's `t`,
//! which servers of Socket.IO ignore, says which answer it wants. As in any server, a poll for a message is answered once
//! there is one, and requests say who sent them.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State, connect_info::IntoMakeServiceWithConnectInfo},
    http::{StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use sha1::{Digest as _, Sha1};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::Notify,
};

const JOINED: &str = r#"40{"sid":"BBBBBBBBBBBBBBBBBBBB"}"#;
/// As long as an echo of the generator, 64 bytes of payload.
const ECHO: &str = r#"42["echo","0000000000000000000000000000000000000000000000000000000000000000"]"#;

/// What tells a session's poll that there is a message.
#[derive(Default)]
struct Sessions {
    count: AtomicU64,
    polls: Mutex<HashMap<u64, Arc<Notify>>>,
}

impl Sessions {
    fn begin(&self) -> String {
        let id = self.count.fetch_add(1, Relaxed);
        let poll = Arc::new(Notify::new());
        self.polls.lock().expect("nobody panicked").insert(id, poll);
        open(id)
    }

    fn poll(&self, query: &str) -> Option<Arc<Notify>> {
        let id = query.split_once("&sid=")?.1.get(..20)?.parse().ok()?;
        self.polls.lock().expect("nobody panicked").get(&id).cloned()
    }
}

fn open(id: u64) -> String {
    format!(
        r#"0{{"sid":"{id:020}","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}}"#
    )
}

pub(crate) fn app() -> IntoMakeServiceWithConnectInfo<Router, SocketAddr> {
    Router::new()
        .route("/socket.io/", get(answer).post(post))
        .with_state(Arc::<Sessions>::default())
        .into_make_service_with_connect_info()
}

async fn answer(State(sessions): State<Arc<Sessions>>, mut request: Request) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let poll = sessions.poll(query);
    if query.contains("transport=websocket") {
        return accept(&mut request, poll);
    }
    let wanted = query.rsplit_once("&t=").map(|(_, wanted)| wanted);
    let (body, poll) = match (wanted, poll) {
        (Some("join"), _) => return text(JOINED),
        (Some("echo"), Some(poll)) => (ECHO, poll),
        (Some("probe"), Some(poll)) => ("6", poll),
        _ => return text(sessions.begin()),
    };
    drop(request);
    poll.notified().await;
    text(body)
}

async fn post(State(sessions): State<Arc<Sessions>>, uri: Uri, packet: String) -> Response {
    if packet != "40"
        && let Some(poll) = sessions.poll(uri.query().unwrap_or_default())
    {
        poll.notify_one();
    }
    text("ok")
}

fn text(body: impl Into<Body>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=UTF-8"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, body.into()).into_response()
}

/// Becomes a WebSocket: a new client's, or that of one that polls.
fn accept(request: &mut Request, poll: Option<Arc<Notify>>) -> Response {
    let key = request
        .headers()
        .get(header::SEC_WEBSOCKET_KEY)
        .map_or(&b""[..], |key| key.as_bytes());
    let mut hash = Sha1::new();
    hash.update(key);
    hash.update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let accept = STANDARD.encode(hash.finalize());
    let Some(upgrade) = request.extensions_mut().remove::<OnUpgrade>() else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    tokio::spawn(carry(upgrade, poll));
    Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_ACCEPT, accept)
        .body(Body::empty())
        .expect("it is a response")
}

async fn carry(upgrade: OnUpgrade, poll: Option<Arc<Notify>>) -> Option<()> {
    let mut stream = TokioIo::new(upgrade.await.ok()?);
    let mut buffer = Vec::with_capacity(1024);
    if poll.is_none() {
        stream.write_all(&frame(0x1, open(0).as_bytes())).await.ok()?;
    }
    loop {
        if stream.read_buf(&mut buffer).await.ok()? == 0 {
            return None;
        }
        while let Some((opcode, message, taken)) = read(&buffer) {
            buffer.drain(..taken);
            let answer = match (opcode, &*message) {
                (0x8, code) => frame(0x8, code),
                (_, b"2probe") => {
                    poll.iter().for_each(|poll| poll.notify_one());
                    frame(0x1, b"3probe")
                }
                (_, b"40") => frame(0x1, JOINED.as_bytes()),
                (_, b"5") => continue,
                (_, echo) => frame(0x1, echo),
            };
            stream.write_all(&answer).await.ok()?;
            if opcode == 0x8 {
                return stream.shutdown().await.ok();
            }
        }
    }
}

/// A whole frame of a client that is as short as those of these scenarios: its opcode, its payload, its length.
fn read(bytes: &[u8]) -> Option<(u8, Vec<u8>, usize)> {
    let length = usize::from(*bytes.get(1)? & 0x7f);
    let mask: [u8; 4] = bytes.get(2..6)?.try_into().ok()?;
    let payload = bytes.get(6..6 + length)?.iter().zip(mask.iter().cycle());
    Some((
        bytes[0] & 0x0f,
        payload.map(|(byte, mask)| byte ^ mask).collect(),
        6 + length,
    ))
}

fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match u8::try_from(payload.len()) {
        Ok(short @ 0..126) => frame.push(short),
        _ => {
            let length = u16::try_from(payload.len()).expect("it is short");
            frame.push(126);
            frame.extend(length.to_be_bytes());
        }
    }
    frame.extend(payload);
    frame
}
