//! What the tests of socket.io-client talk to.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json, value::RawValue};
use time::{OffsetDateTime, format_description::BorrowedFormatItem as Format, macros::format_description};
use tokio::time::sleep;
use tower_socketio::{
    Ack, AckError, Args, Data, EncodeError, EventError, Handshake, Namespace, RawArgs, Recovery, Refusal, Socket,
    SocketIo,
};

/// As `JSON.stringify(new Date())` writes it.
const ISO: &[Format<'_>] = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
/// As `new Date().toString()` does.
const LONG: &[Format<'_>] = format_description!(
    "[weekday repr:short] [month repr:short] [day] [year] [hour]:[minute]:[second] GMT+0000 (Coordinated Universal Time)"
);

/// The server of the contract `socket-client`.
pub fn server() -> SocketIo {
    let io = SocketIo::builder()
        .ping_interval(Duration::from_secs(2))
        .connection_state_recovery(Recovery::default())
        .allow_request(async |_: Handshake| {
            // Clients that have no patience are to lose it.
            sleep(Duration::from_millis(10)).await;
            Ok(())
        })
        .build();
    for path in ["/timeout_socket", "/valid", "/asd"] {
        io.of(path);
    }
    io.of("/foo")
        .on("getId", async |socket: Socket| Ack(socket.id().to_string()));
    // A client may be the only one of its namespace, and come back to it.
    io.of_pattern("/orders-{id}")
        .on("hi", async |socket: Socket| socket.emit("hi", Args(())));
    io.of("/abc")
        .on_connect(async |socket: Socket| socket.emit("handshake", handshake(&socket)));
    io.of("/no")
        .with(async || Err::<(), _>(Refusal::new("Auth failed (custom namespace)")));
    let main = io.of("/");
    main.with(
        async |request: Handshake| match request.query_value("fail").as_deref() {
            None | Some("") => Ok(()),
            Some(_) => Err(Refusal::new("Auth failed (main namespace)")),
        },
    );
    words(&main);
    bytes(&main);
    io
}

fn words(main: &Namespace) {
    main.on("hi", async |socket: Socket| socket.emit("hi", Args(())))
        .on("echo", async |args: RawArgs| Ack(args))
        .on("ack", async |socket: Socket| {
            let answer: Result<RawArgs, AckError> = socket.emit_with_ack("ack", Args(())).await;
            let Ok(answer) = answer else { return Ok(()) };
            match (answer.get::<Value>(0)?, answer.get::<Value>(1)?) {
                (Some(number), Some(object)) if number == 5 && object["test"] == true => {
                    Ok::<_, EventError>(socket.emit("got it", Args(()))?)
                }
                _ => Ok(()),
            }
        })
        .on("getAckDate", async || Ack(now(ISO)))
        .on("getDate", async |socket: Socket| socket.emit("takeDate", now(ISO)))
        .on("getDateObj", async |socket: Socket| {
            socket.emit("takeDateObj", json!({ "date": now(ISO) }))
        })
        .on("getUtf8", async |socket: Socket| {
            for text in ["てすと", "Я Б Г Д Ж Й", "Ä ä Ü ü ß", "utf8 — string", "utf8 — string"] {
                socket.emit("takeUtf8", text)?;
            }
            Ok::<_, EncodeError>(())
        })
        .on("false", async |socket: Socket| socket.emit("false", false))
        .on("getHandshake", async |socket: Socket| Ack(handshake(&socket)))
        .on("getId", async |socket: Socket| Ack(socket.id().to_string()));
}

/// What came before an event that is answered only after it.
#[derive(Clone, Copy, Default)]
struct Before {
    abuff1: bool,
    blob1: bool,
    blob2: bool,
}

fn bytes(main: &Namespace) {
    const BYTES: Bytes = Bytes::from_static(b"asdfasdf");

    #[derive(Deserialize)]
    struct Mixed {
        hello: String,
        #[serde(rename = "message")]
        _message: Bytes,
        goodbye: String,
    }

    fn answer_mixed(socket: &Socket, mixed: &Mixed, event: &str) -> Result<(), EncodeError> {
        if (&*mixed.hello, &*mixed.goodbye) == ("lol", "gotcha") {
            socket.emit(event, Args(()))?;
        }
        Ok(())
    }

    fn note(socket: &Socket, change: impl FnOnce(&mut Before)) -> Before {
        let mut before = socket.get().unwrap_or_default();
        change(&mut before);
        socket.insert(before);
        before
    }

    main.on("doge", async |socket: Socket| socket.emit("doge", BYTES))
        .on("getbin", async |socket: Socket| socket.emit("takebin", BYTES))
        .on("buffa", async |socket: Socket, Data(_): Data<Bytes>| {
            socket.emit("buffack", Args(()))
        })
        .on("blob", async |socket: Socket, Data(_): Data<Bytes>| {
            socket.emit("back", Args(()))
        })
        .on("jsonbuff", async |socket: Socket, Data(mixed): Data<Mixed>| {
            answer_mixed(&socket, &mixed, "jsonbuff-ack")
        })
        .on("jsonblob", async |socket: Socket, Data(mixed): Data<Mixed>| {
            answer_mixed(&socket, &mixed, "jsonblob-ack")
        })
        .on("abuff1", async |socket: Socket, Data(_): Data<Bytes>| {
            note(&socket, |before| before.abuff1 = true);
        })
        .on("abuff2", async |socket: Socket| match socket.get::<Before>() {
            Some(Before { abuff1: true, .. }) => socket.emit("abuff2-ack", Args(())),
            _ => Ok(()),
        })
        .on("blob1", async |socket: Socket, Data(_): Data<Bytes>| {
            note(&socket, |before| before.blob1 = true);
        })
        .on("blob2", async |socket: Socket, Data(text): Data<String>| {
            note(&socket, |before| before.blob2 = before.blob1 && text == "second");
        })
        .on("blob3", async |socket: Socket, Data(_): Data<Bytes>| {
            match socket.get::<Before>() {
                Some(Before { blob2: true, .. }) => socket.emit("blob3-ack", Args(())),
                _ => Ok(()),
            }
        });
}

/// The reference's `socket.handshake`.
#[derive(Serialize)]
struct Shown {
    headers: BTreeMap<String, String>,
    time: String,
    address: Option<String>,
    xdomain: bool,
    secure: bool,
    issued: u128,
    url: String,
    query: BTreeMap<String, String>,
    auth: Option<Box<RawValue>>,
}

fn handshake(socket: &Socket) -> Shown {
    let request = socket.handshake();
    let headers = request.headers();
    let lossy = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let auth = socket.auth_json().unwrap_or("{}");
    let query = request.query_values();
    Shown {
        headers: headers
            .iter()
            .map(|(name, value)| (name.to_owned(), lossy(value)))
            .collect(),
        time: text(request.issued(), LONG),
        address: request.peer_addr().map(|peer| peer.ip().to_string()),
        xdomain: headers.get("origin").is_some(),
        secure: false,
        issued: request
            .issued()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default()
            .as_millis(),
        url: format!("/socket.io/?{}", request.query()),
        query: query
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect(),
        auth: RawValue::from_string(auth.to_owned()).ok(),
    }
}

fn now(format: &[Format<'_>]) -> String {
    text(SystemTime::now(), format)
}

fn text(time: SystemTime, format: &[Format<'_>]) -> String {
    OffsetDateTime::from(time)
        .format(format)
        .expect("a format of date and time")
}
