//! HTTP as axum has it, with ready-made answers: what the requests of Socket.IO's clients cost at least. A request's `t`,
//! which servers of Socket.IO ignore, says which answer it wants.

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use sha1::{Digest as _, Sha1};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const OPEN: &str = concat!(
    r#"0{"sid":"AAAAAAAAAAAAAAAAAAAA","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"#,
    r#""maxPayload":1000000}"#
);
const JOINED: &str = r#"40{"sid":"BBBBBBBBBBBBBBBBBBBB"}"#;
/// As long as an echo of the generator, 64 bytes of payload.
const ECHO: &str = r#"42["echo","0000000000000000000000000000000000000000000000000000000000000000"]"#;

pub(crate) fn app() -> Router {
    Router::new().route("/socket.io/", get(answer).post(async |_: String| text("ok")))
}

async fn answer(mut request: Request) -> Response {
    let query = request.uri().query().unwrap_or_default();
    if query.contains("transport=websocket") {
        let is_new = !query.contains("&sid=");
        return accept(&mut request, is_new);
    }
    text(match query.rsplit_once("&t=").map(|(_, wanted)| wanted) {
        Some("join") => JOINED,
        Some("echo") => ECHO,
        Some("probe") => "6",
        _ => OPEN,
    })
}

fn text(body: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=UTF-8"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, body).into_response()
}

fn accept(request: &mut Request, is_new: bool) -> Response {
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
    tokio::spawn(carry(upgrade, is_new));
    Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_ACCEPT, accept)
        .body(Body::empty())
        .expect("it is a response")
}

async fn carry(upgrade: OnUpgrade, is_new: bool) -> Option<()> {
    let mut stream = TokioIo::new(upgrade.await.ok()?);
    let mut buffer = Vec::with_capacity(1024);
    if is_new {
        stream.write_all(&frame(0x1, OPEN.as_bytes())).await.ok()?;
    }
    loop {
        if stream.read_buf(&mut buffer).await.ok()? == 0 {
            return None;
        }
        while let Some((opcode, message, taken)) = read(&buffer) {
            buffer.drain(..taken);
            let answer = match (opcode, &*message) {
                (0x8, code) => frame(0x8, code),
                (_, b"2probe") => frame(0x1, b"3probe"),
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
