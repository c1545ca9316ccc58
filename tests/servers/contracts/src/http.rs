//! What a server may do around requests: a cookie, headers, refusals, ids of its own, compression.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::HeaderValue;
use serde_json::{Value, json};
use tower_socketio::{Ack, Cookie, Cors, Data, Handshake, Refusal, Sid, Socket, SocketIo, State};

/// What was refused, by the names of who asked.
type Refused = Arc<Mutex<Vec<(String, Value)>>>;

/// The server of the contract `http`. It tells by the event `refused` what was refused since it was last asked, of
/// the requests whose query says `note=` and the name that comes with the event.
pub fn server() -> SocketIo {
    let refused = Refused::default();
    let noted = refused.clone();
    let io = SocketIo::builder()
        .state(refused)
        .jsonp(true)
        .cors(Cors::any().credentials(true))
        .cookie(Cookie::new("sticky").max_age(Duration::from_secs(60)))
        .generate_id(|_| format!("node7.{}", Sid::random()))
        .allow_request(
            async |request: Handshake| match request.query_value("token").as_deref() {
                Some("wrong") => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    Err(Refusal::new("ask for a \"token\" first"))
                }
                _ => Ok(()),
            },
        )
        .initial_headers(|headers, _| {
            headers.append("set-cookie", HeaderValue::from_static("first=1; Path=/"));
            headers.append("set-cookie", HeaderValue::from_static("second=2; Path=/"));
        })
        .headers(|headers, request| {
            if let Ok(method) = HeaderValue::from_str(request.method.as_str()) {
                headers.insert("x-answer-to", method);
            }
        })
        .on_connection_error(move |error| {
            let query = error.request.uri.query().unwrap_or_default();
            if let Some(name) = query.split('&').find_map(|pair| pair.strip_prefix("note=")) {
                let told = json!({ "code": error.code(), "message": error.message(), "context": error.context() });
                let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
                noted.push((name.to_owned(), told));
            }
        })
        .build();
    io.of("/")
        .on("cookies", async |handshake: Handshake| {
            Ack(handshake.headers().get("cookie").unwrap_or_default().to_owned())
        })
        .on("text", async |socket: Socket, Data(length): Data<usize>| {
            socket.emit("text", "a".repeat(length))
        })
        .on(
            "refused",
            async |Data(name): Data<String>, State(refused): State<Refused>| {
                let mut refused = refused.lock().unwrap_or_else(PoisonError::into_inner);
                let told: Vec<_> = refused
                    .extract_if(.., |(of, _)| *of == name)
                    .map(|(_, told)| told)
                    .collect();
                Ack(told)
            },
        );
    io
}
