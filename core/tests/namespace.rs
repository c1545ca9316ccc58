//! A namespace as a type: `#[namespace]`, `#[namespace_methods]`, and what becomes of a socket's value.

mod kit;

use std::sync::{
    Arc, Weak,
    atomic::{AtomicU32, Ordering},
};

use bytes::Bytes;
use http::Method;
use http_body_util::Full;
use kit::{Gate, Log, Packet, UPGRADE, Ws, idle, request, secs, soon};
use tower_socketio::{
    Ack, AckSender, Acl, Args, Auth, Data, DisconnectReason, EventError, EventName, Failure, Handshake, RawArgs,
    Refusal, Socket, SocketIo, State, This, namespace, namespace_methods,
};

/// A server with a log.
fn server() -> (SocketIo, Log) {
    let log = Log::default();
    let io = SocketIo::builder().state(log.clone()).state(Gate::closed()).build();
    (io, log)
}

/// Sends an event that asks for an ack, and returns the packet that answers.
async fn ask(ws: &mut Ws, event: &str) -> String {
    ws.send(&format!("421{event}")).await;
    ws.text().await
}

/// Counts for one socket.
#[derive(Default)]
struct Counter {
    count: AtomicU32,
}

#[namespace]
impl Counter {
    #[event]
    async fn count(&self, Data(step): Data<u32>) -> Ack<u32> {
        Ack(self.add(step))
    }

    #[event]
    async fn count_by_one(&self) -> Ack<u32> {
        Ack(self.add(1))
    }

    #[event("how_many")]
    async fn what_is_it(&self) -> Ack<u32> {
        Ack(self.add(0))
    }

    fn add(&self, step: u32) -> u32 {
        self.count.fetch_add(step, Ordering::Relaxed) + step
    }
}

#[tokio::test(start_paused = true)]
async fn each_socket_has_a_value_of_its_own_made_by_default() {
    let (io, _) = server();
    io.of("/").serve::<Counter>();
    let (mut one, mut other) = (Ws::join(&io, "/").await, Ws::join(&io, "/").await);
    assert_eq!(ask(&mut one, r#"["count",5]"#).await, "431[5]");
    assert_eq!(ask(&mut other, r#"["count",1]"#).await, "431[1]");
    assert_eq!(ask(&mut one, r#"["count",1]"#).await, "431[6]");
}

#[tokio::test(start_paused = true)]
async fn a_method_handles_the_event_of_its_name_with_underscores_or_spaces() {
    let (io, log) = server();
    io.of("/").serve::<Counter>().on_error(log.failures());
    let mut ws = Ws::join(&io, "/").await;
    assert_eq!(ask(&mut ws, r#"["count_by_one"]"#).await, "431[1]");
    assert_eq!(ask(&mut ws, r#"["count by one"]"#).await, "431[2]");
    ws.send(r#"42["count_by one"]"#).await;
    idle().await;
    assert_eq!(log.take(), [r#"Some("count_by one") no handler for this event"#]);
}

#[tokio::test(start_paused = true)]
async fn a_name_in_the_attribute_is_the_only_one() {
    let (io, log) = server();
    io.of("/").serve::<Counter>().on_error(log.failures());
    let mut ws = Ws::join(&io, "/").await;
    assert_eq!(ask(&mut ws, r#"["how_many"]"#).await, "431[0]");
    ws.send(r#"42["what_is_it"]"#).await;
    ws.send(r#"42["how many"]"#).await;
    idle().await;
    assert_eq!(log.take().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn closures_of_the_namespace_have_the_same_value() {
    let (io, _) = server();
    io.of("/").serve::<Counter>().on("peek", async |this: This<Counter>| {
        Ack(this.count.load(Ordering::Relaxed))
    });
    let mut ws = Ws::join(&io, "/").await;
    assert_eq!(ask(&mut ws, r#"["count",7]"#).await, "431[7]");
    assert_eq!(ask(&mut ws, r#"["peek"]"#).await, "431[7]");
}

#[test]
fn events_are_an_enum_with_names() {
    let names: Vec<&str> = CounterEvent::ALL.iter().map(AsRef::as_ref).collect();
    assert_eq!(names, ["count", "count_by_one", "how_many"]);
    assert_eq!(CounterEvent::CountByOne.to_string(), "count_by_one");
    assert_eq!(MessengerEvent::ALL, [MessengerEvent::Message]);
    assert_eq!(PresenceEvent::ALL, [PresenceEvent::SetName, PresenceEvent::Forget]);
}

/// Lets in who knows the password, and notes what it lives through.
struct Guarded {
    name: String,
    log: Log,
}

#[derive(serde::Deserialize)]
struct Login {
    name: String,
    password: String,
}

#[namespace]
impl Guarded {
    #[connect]
    async fn enter(socket: Socket, Auth(login): Auth<Login>, State(log): State<Log>) -> Result<Self, Refusal> {
        let guarded = Self { name: login.name, log };
        if login.password != "letmein" {
            return Err(Refusal::new("wrong password").with_data(&guarded.name));
        }
        socket.join("members");
        Ok(guarded)
    }

    #[event]
    async fn work(&self, State(gate): State<Gate>) {
        gate.pass().await;
        self.log.add(format!("{} worked", self.name));
    }

    #[event]
    async fn fail(&self) -> Result<Ack<u8>, EventError> {
        Err(EventError::new("no room").with_data(&8))
    }

    #[disconnect]
    async fn leave(&self, why: DisconnectReason) {
        self.log.add(format!("{} left: {why}", self.name));
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.log.add(format!("{} dropped", self.name));
    }
}

#[tokio::test(start_paused = true)]
async fn a_connect_method_refuses_with_message_and_data_and_leaves_no_value() {
    let (io, log) = server();
    io.of("/").serve::<Guarded>();
    let mut ws = Ws::open(&io).await;
    ws.send(r#"40{"name":"eve","password":"?"}"#).await;
    assert_eq!(ws.text().await, r#"44{"message":"wrong password","data":"eve"}"#);
    idle().await;
    assert_eq!(log.take(), ["eve dropped"]);
    assert_eq!(io.of("/").sockets_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_value_is_dropped_when_handlers_and_the_disconnect_method_have_ended() {
    let log = Log::default();
    let gate = Gate::closed();
    let io = SocketIo::builder().state(log.clone()).state(gate.clone()).build();
    io.of("/").serve::<Guarded>();
    let mut ws = Ws::open(&io).await;
    ws.send(r#"40{"name":"ann","password":"letmein"}"#).await;
    assert!(ws.text().await.starts_with(r#"40{"sid""#));
    ws.send(r#"42["work"]"#).await;
    ws.send("41").await;
    idle().await;
    assert_eq!(log.take(), [""; 0]);
    gate.admit(1);
    idle().await;
    let order = ["ann worked", "ann left: client namespace disconnect", "ann dropped"];
    assert_eq!(log.take(), order);
}

#[tokio::test(start_paused = true)]
async fn an_error_of_a_method_answers_with_what_it_says() {
    let (io, _) = server();
    io.of("/").serve::<Guarded>();
    let mut ws = Ws::open(&io).await;
    ws.send(r#"40{"name":"ann","password":"letmein"}"#).await;
    ws.text().await;
    let answer = ask(&mut ws, r#"["fail"]"#).await;
    assert_eq!(answer, r#"431[{"error":{"message":"no room","data":8}}]"#);
}

/// What a value was given when it was made, weakly.
#[derive(Clone, Default)]
struct Made(Arc<std::sync::Mutex<Vec<Weak<()>>>>);

/// A value that is made slowly.
struct Slow(Arc<()>);

#[namespace]
impl Slow {
    #[connect]
    async fn connect(State(gate): State<Gate>, State(made): State<Made>) -> Self {
        gate.pass().await;
        let token = Arc::new(());
        made.0.lock().expect("no panic").push(Arc::downgrade(&token));
        Self(token)
    }

    #[event]
    async fn here(&self) -> Ack<usize> {
        Ack(Arc::strong_count(&self.0))
    }
}

#[tokio::test(start_paused = true)]
async fn events_wait_until_the_value_is_made() {
    let (gate, made) = (Gate::closed(), Made::default());
    let io = SocketIo::builder().state(gate.clone()).state(made.clone()).build();
    io.of("/").serve::<Slow>();
    let mut ws = Ws::open(&io).await;
    ws.send_all(&["40", r#"421["here"]"#]).await;
    ws.quiet(secs(1)).await;
    gate.admit(1);
    assert!(ws.text().await.starts_with(r#"40{"sid""#));
    assert_eq!(ws.text().await, "431[1]");
    ws.vanish().await;
    idle().await;
    let made = made.0.lock().expect("no panic");
    assert!(matches!(&made[..], [token] if token.upgrade().is_none()));
}

/// Takes messages, and notes all else.
#[derive(Default)]
struct Messenger;

#[namespace]
impl Messenger {
    #[message]
    async fn text(&self, socket: Socket, Data(text): Data<String>, State(log): State<Log>) -> Ack<usize> {
        log.add(format!("text {text} of {}", socket.namespace().path()));
        Ack(text.len())
    }

    #[json]
    async fn json(&self, args: RawArgs, State(log): State<Log>) {
        log.add(format!("json {}", args.json()));
    }

    #[any]
    async fn other(&self, EventName(name): EventName, args: RawArgs, ack: AckSender, State(log): State<Log>) {
        log.add(format!("{name} {}", args.json()));
        // There is no answer to those that did not ask.
        let _ = ack.send(Args((name, "?")));
    }
}

#[tokio::test(start_paused = true)]
async fn messages_are_text_or_anything_else_and_other_events_go_elsewhere() {
    let (io, log) = server();
    io.of("/").serve::<Messenger>();
    let mut ws = Ws::join(&io, "/").await;
    assert_eq!(ask(&mut ws, r#"["message", "hello"]"#).await, "431[5]");
    for event in [
        r#"["message",{"a":1}]"#,
        r#"["message"]"#,
        r#"["message",["x"]]"#,
        r#"["unknown",1]"#,
    ] {
        ws.send(&format!("42{event}")).await;
    }
    idle().await;
    let seen = [
        "text hello of /",
        r#"json {"a":1}"#,
        "json ",
        r#"json ["x"]"#,
        "unknown 1",
    ];
    assert_eq!(log.take(), seen);
    assert_eq!(ask(&mut ws, r#"["what"]"#).await, r#"431["what","?"]"#);
}

#[tokio::test(start_paused = true)]
async fn messages_of_clients_before_1_0_reach_the_methods() {
    let (io, log) = server();
    io.of("/").serve::<Messenger>();
    let shake = request(Method::GET, "/socket.io/1/?t=1", &[]);
    let answer = soon("a response", io.service().handle(shake, Full::<Bytes>::default())).await;
    let answer = kit::Answer::of(answer).await;
    let sid = answer.body.split(':').next().expect("a sid");
    let upgrade = request(Method::GET, &format!("/socket.io/1/websocket/{sid}"), &UPGRADE);
    let Ok((_, ticket)) = kit::accept(&io, upgrade) else {
        panic!("the WebSocket was refused");
    };
    let mut ws = Ws::redeem(ticket, 1 << 16);
    assert_eq!(ws.next().await, Some(Packet::Text("1::".to_owned())));
    ws.send_all(&[
        "3:::hello",
        r#"4:::{"a":1}"#,
        r#"5:::{"name":"unknown","args":[1]}"#,
        "3:1+::four",
    ])
    .await;
    assert_eq!(ws.next().await, Some(Packet::Text("6:::1+[4]".to_owned())));
    let seen = ["text hello of /", r#"json {"a":1}"#, "unknown 1", "text four of /"];
    assert_eq!(log.take(), seen);
}

/// Takes all messages by one method.
#[derive(Default)]
struct Collector;

#[namespace]
impl Collector {
    #[json]
    async fn all(&self, args: RawArgs) -> Ack<String> {
        Ack(args.json().to_owned())
    }
}

#[tokio::test(start_paused = true)]
async fn one_of_the_two_methods_of_messages_takes_them_all() {
    let (io, _) = server();
    io.of("/").serve::<Collector>();
    let mut ws = Ws::join(&io, "/").await;
    assert_eq!(ask(&mut ws, r#"["message",[1]]"#).await, r#"431["[1]"]"#);
    assert_eq!(ask(&mut ws, r#"["message","a"]"#).await, r#"431["\"a\""]"#);
}

/// Names of sockets, for any namespace.
#[namespace_methods]
trait Presence {
    fn names(&self) -> &std::sync::Mutex<Vec<String>>;

    #[event]
    async fn set_name(&self, socket: Socket, Data(name): Data<String>) -> Result<Ack<usize>, EventError> {
        if name.is_empty() {
            return Err(EventError::new("no name"));
        }
        let count = self.remember(name).await;
        socket.join("named");
        Ok(Ack(count))
    }

    #[event]
    async fn forget(&self) -> Ack<&'static str> {
        self.names().lock().expect("no panic").clear();
        Ack("forgotten")
    }

    async fn remember(&self, name: String) -> usize {
        tokio::task::yield_now().await;
        let mut names = self.names().lock().expect("no panic");
        names.push(name);
        names.len()
    }
}

#[derive(Default)]
struct Hall(std::sync::Mutex<Vec<String>>);

impl Presence for Hall {
    fn names(&self) -> &std::sync::Mutex<Vec<String>> {
        &self.0
    }
}

#[namespace(Presence)]
impl Hall {
    #[event]
    async fn own(&self) -> Ack<u8> {
        Ack(1)
    }
}

#[derive(Default)]
struct Attic(std::sync::Mutex<Vec<String>>);

impl Presence for Attic {
    fn names(&self) -> &std::sync::Mutex<Vec<String>> {
        &self.0
    }

    async fn forget(&self) -> Ack<&'static str> {
        Ack("never")
    }
}

#[namespace(Presence)]
impl Attic {}

#[tokio::test(start_paused = true)]
async fn methods_of_a_trait_are_those_of_each_namespace_that_names_it() {
    let (io, _) = server();
    io.of("/").serve::<Hall>();
    io.of("/attic").serve::<Attic>();
    let mut ws = Ws::join(&io, "/").await;
    assert_eq!(ask(&mut ws, r#"["set_name","ann"]"#).await, "431[1]");
    assert_eq!(ask(&mut ws, r#"["set name","bob"]"#).await, "431[2]");
    assert_eq!(
        ask(&mut ws, r#"["set_name",""]"#).await,
        r#"431[{"error":{"message":"no name"}}]"#
    );
    assert_eq!(ask(&mut ws, r#"["own"]"#).await, "431[1]");
    assert_eq!(ask(&mut ws, r#"["forget"]"#).await, r#"431["forgotten"]"#);
    ws.connect("/attic").await;
    ws.send(r#"42/attic,1["set_name","ann"]"#).await;
    assert_eq!(ws.text().await, "43/attic,1[1]");
    ws.send(r#"42/attic,1["forget"]"#).await;
    assert_eq!(ws.text().await, r#"43/attic,1["never"]"#);
}

/// Lets one log in first.
#[derive(Default)]
struct Restricted;

#[namespace]
impl Restricted {
    #[acl]
    fn rules(handshake: &Handshake) -> Acl {
        match handshake.query_value("role") {
            Some(_) => Acl::all(),
            None => Acl::only([RestrictedEvent::LogIn]),
        }
    }

    #[event]
    async fn log_in(&self, socket: Socket) -> Ack<bool> {
        socket.acl().allow(RestrictedEvent::Say);
        Ack(true)
    }

    #[event]
    async fn say(&self) -> Ack<u8> {
        Ack(1)
    }

    #[error]
    fn failed(failure: &Failure<'_>) {
        let log = failure.handshake.extensions().get::<Log>();
        if let Some(log) = log {
            log.add(format!("{:?} {}", failure.event(), failure.kind));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rules_hold_for_the_first_event_and_the_error_function_sees_who_broke_them() {
    let (io, log) = server();
    io.of("/").serve::<Restricted>();
    let mut parts = request(Method::GET, "/socket.io/?transport=websocket&EIO=4", &UPGRADE);
    parts.extensions.insert(log.clone());
    let Ok((_, ticket)) = kit::accept(&io, parts) else {
        panic!("the WebSocket was refused");
    };
    let mut ws = Ws::redeem(ticket, 1 << 16);
    assert!(ws.text().await.starts_with("0{"));
    ws.send_all(&["40", r#"421["say"]"#, r#"422["log in"]"#, r#"423["say"]"#])
        .await;
    assert!(ws.text().await.starts_with(r#"40{"sid""#));
    let denied = ws.text().await;
    assert!(
        denied.starts_with(r#"431[{"error":{"name":"method_access_denied""#),
        "{denied}"
    );
    assert_eq!(ws.text().await, "432[true]");
    assert_eq!(ws.text().await, "433[1]");
    let failures = log.take();
    assert!(
        matches!(&failures[..], [one] if one.starts_with(r#"Some("say") "#)),
        "{failures:?}"
    );
}

/// A namespace of any type.
#[derive(Default)]
struct Shelf<T>(std::sync::Mutex<Vec<T>>);

#[namespace]
impl<T> Shelf<T>
where
    T: serde::de::DeserializeOwned + Default + Send + 'static,
{
    #[event]
    async fn put(&self, Data(thing): Data<T>) -> Ack<usize> {
        let mut things = self.0.lock().expect("no panic");
        things.push(thing);
        Ack(things.len())
    }
}

#[tokio::test(start_paused = true)]
async fn a_namespace_may_be_generic() {
    let (io, _) = server();
    io.of("/numbers").serve::<Shelf<u8>>();
    let mut ws = Ws::join(&io, "/numbers").await;
    ws.send(r#"42/numbers,1["put",7]"#).await;
    assert_eq!(ws.text().await, "43/numbers,1[1]");
    ws.send(r#"42/numbers,1["put","seven"]"#).await;
    assert!(ws.text().await.contains("invalid_method_args"));
    assert_eq!(ShelfEvent::ALL, [ShelfEvent::Put]);
}

#[test]
#[should_panic(expected = "the event \"count\" has a handler already")]
fn an_event_of_a_closure_and_of_a_method_is_a_mistake() {
    let (io, _) = server();
    io.of("/").on("count", async || {}).serve::<Counter>();
}
