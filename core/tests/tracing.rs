//! What the server says by `tracing`: spans and events by the names that are documented, and nothing secret.

mod kit;

use std::{
    fmt::{self, Write as _},
    sync::{Arc, Mutex},
};

use http::Method;
use http_body_util::Full;
use kit::{Polling, Ws, idle, request};
use tokio::time::sleep;
use tower_socketio::{Ack, Socket, SocketIo};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id},
    subscriber::{DefaultGuard, set_default},
};
use tracing_subscriber::{
    layer::{Context, Layer, SubscriberExt as _},
    registry::{LookupSpan, Registry},
};

/// Keeps what is said of the server: `the spans around it > name field=value`.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<String>>>);

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() != "message" {
            write!(self.0, " {}={value:?}", field.name()).unwrap();
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Said {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields(attributes.metadata().name().to_owned());
        attributes.record(&mut fields);
        context.span(id).unwrap().extensions_mut().insert(fields);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let spans = context
            .event_scope(event)
            .into_iter()
            .flat_map(tracing_subscriber::registry::Scope::from_root);
        let mut line = String::new();
        for span in spans {
            let fields = span.extensions();
            let fields = &fields.get::<Fields>().unwrap().0;
            write!(line, "{fields} > ").unwrap();
        }
        let mut fields = Fields(line + event.metadata().name());
        event.record(&mut fields);
        if event.metadata().target().starts_with("tower_socketio") || event.metadata().target() == "application" {
            self.0.lock().unwrap().push(fields.0);
        }
    }
}

impl Said {
    /// Listens in this thread, which is all of a test.
    fn listen() -> (Self, DefaultGuard) {
        let said = Self::default();
        let guard = set_default(Registry::default().with(said.clone()));
        (said, guard)
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

const CLIENT: &str = "socketio.connection generation=Engine.IO 4 transport=websocket >";

#[tokio::test(start_paused = true)]
async fn a_client_is_followed_from_its_handshake_to_its_end_within_a_span_of_its_own() {
    let (said, _guard) = Said::listen();
    let io = SocketIo::builder().build();
    let mut ws = Ws::open(&io).await;
    assert_eq!(
        said.take(),
        [format!(
            "{CLIENT} socketio.connection.open generation=Engine.IO 4 transport=websocket"
        )]
    );
    let socket = ws.connect("/").await;
    let connected = format!("{CLIENT} socketio.connect namespace=\"/\" socket=\"{socket}\"");
    assert_eq!(said.take(), [connected]);
    ws.vanish().await;
    let left = [
        format!("{CLIENT} socketio.connection.close reason=transport close"),
        format!("{CLIENT} socketio.disconnect namespace=\"/\" socket=\"{socket}\" reason=transport close"),
    ];
    assert_eq!(said.take(), left);
}

#[tokio::test(start_paused = true)]
async fn what_handlers_say_is_within_their_span_also_after_they_awaited_and_when_the_client_has_gone() {
    let (said, _guard) = Said::listen();
    let io = SocketIo::builder().build();
    io.of("/chat")
        .on_connect(async |socket: Socket| {
            tracing::info!(target: "application", "in connect");
            socket.spawn(async { tracing::info!(target: "application", "in job") });
        })
        .on("work", async || {
            sleep(kit::secs(1)).await;
            tracing::info!(target: "application", "in work");
            Ack(1)
        })
        .on_disconnect(async || tracing::info!(target: "application", "in disconnect"));
    let mut ws = Ws::open(&io).await;
    let id = ws.connect("/chat").await;
    ws.send(r#"42/chat,["work"]"#).await;
    idle().await;
    ws.vanish().await;
    sleep(kit::secs(2)).await;
    let mut said = said.take();
    said.retain(|line| line.contains("> event "));
    let spans: Vec<_> = said
        .iter()
        .map(|line| line.rsplit_once(" > ").expect("a span").0.to_owned())
        .collect();
    let handler = |event| format!("socketio.handler namespace=\"/chat\" event=\"{event}\" socket=\"{id}\"");
    let expected = [
        format!("{CLIENT} {}", handler("connect")),
        handler("job"),
        format!("{CLIENT} {}", handler("work")),
        format!("{CLIENT} {}", handler("disconnect")),
    ];
    assert_eq!(spans, expected);
}

#[tokio::test(start_paused = true)]
async fn upgrades_refusals_and_slow_readers_are_said() {
    let (said, _guard) = Said::listen();
    let io = SocketIo::builder().max_outbox_bytes(1000).build();
    let polling = Polling::join(&io, "/").await;
    said.take();
    Ws::upgrade(&io, &polling.sid).vanish().await;
    let failed = "socketio.connection.upgrade_failed".to_owned();
    assert_eq!(said.take(), [failed]);

    let mut ws = Ws::upgrade(&io, &polling.sid);
    ws.send("2probe").await;
    assert_eq!(ws.text().await, "3probe");
    ws.send("5").await;
    idle().await;
    let client = "socketio.connection generation=Engine.IO 4 transport=polling >";
    let upgraded = format!("{client} socketio.connection.upgrade from=polling to=websocket");
    assert_eq!(said.take(), [upgraded]);

    let parts = request(Method::GET, "/socket.io/?EIO=4&transport=pigeon", &[]);
    let refused = io.service().handle(parts, Full::<bytes::Bytes>::default()).await;
    assert_eq!(refused.status(), 400);
    assert_eq!(said.take()[0], "socketio.refusal reason=\"transport_unknown\"");

    for _ in 0..10 {
        io.emit("news", "x".repeat(2000)).unwrap();
    }
    let slow = said.take();
    assert!(slow[0].starts_with("socketio.connection.slow waiting="), "{slow:?}");
    idle().await;
    assert_eq!(
        said.take()[0],
        format!("{client} socketio.connection.close reason=transport error")
    );
}

#[tokio::test(start_paused = true)]
async fn neither_the_key_to_a_session_nor_auth_is_ever_said() {
    let (said, _guard) = Said::listen();
    let io = SocketIo::builder().build();
    io.of("/")
        .on_connect(async || tracing::info!(target: "application", "in connect"));
    let (old, key) = Ws::open_eio3(&io).await;
    old.vanish().await;
    let polling = Polling::open(&io).await;
    polling.posted(r#"40{"token":"secret"}"#).await;
    assert_eq!(polling.post("4nonsense").await.status, 400);
    idle().await;
    let said = said.take();
    assert!(said.iter().any(|line| line.contains("generation=Engine.IO 3")));
    assert!(said.len() >= 8, "{said:?}");
    for secret in [&*key, &*polling.sid, "secret"] {
        assert!(!said.iter().any(|line| line.contains(secret)), "{secret} in {said:?}");
    }
}
