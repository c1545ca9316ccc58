//! The file that tells TypeScript of events.

#![allow(dead_code, reason = "types whose values nobody needs")]

use std::{collections::HashMap, fs};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tower_socketio::{
    Ack, AckSender, Args, Data, DisconnectReason, EmitEvent, EncodeError, EventContext, EventError, EventName, Extract,
    RawArgs, Rejection, Sid, Socket, State, namespace, namespace_methods,
    typescript::{Emits, Error, Events, Receives},
};
use ts_rs::TS;

/// The members of an interface of the file, without indentation.
fn members(text: &str, interface: &str) -> Vec<String> {
    let begin = format!("export interface {interface} {{\n");
    let (_, rest) = text.split_once(&begin).expect(text);
    let (members, _) = rest.split_once("\n}\n").or(rest.split_once("}\n")).expect(text);
    members.lines().map(|line| line.trim_start().to_owned()).collect()
}

fn received<T: Receives>() -> Vec<String> {
    members(&Events::new().receives::<T>().text().unwrap(), "ClientToServerEvents")
}

fn emitted<T: Emits>() -> Vec<String> {
    members(&Events::new().emits::<T>().text().unwrap(), "ServerToClientEvents")
}

fn problems(events: Events) -> Vec<String> {
    match events.text().unwrap_err() {
        Error::Unclear(problems) => problems,
        error => panic!("{error}"),
    }
}

/// Something that a person says.
#[derive(Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
struct Message {
    room: Room,
    said_at: u64,
    /// Who else is meant.
    mentions: Vec<Person>,
    #[serde(skip)]
    secret: u8,
}

#[derive(Serialize, Deserialize, TS)]
struct Person {
    nick: Option<String>,
}

#[derive(Serialize, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Room {
    TeaRoom,
    Private { with: Person },
}

#[derive(Serialize, Deserialize, TS)]
struct Page<T> {
    items: Vec<T>,
    next: Option<u32>,
}

type Search = Args<(Option<u8>, String, Option<u8>)>;

#[derive(Default)]
struct Chat;

#[namespace(typescript)]
impl Chat {
    #[event]
    async fn nothing(&self, _: Socket, _: State<u8>) {}

    /// Says it.
    ///
    /// To all */ others.
    #[event]
    async fn say(&self, _: Socket, Data(_message): Data<Message>) -> Result<Ack<bool>, EventError> {
        Ok(Ack(true))
    }

    #[event("user:move")]
    async fn moved(&self, Data(Args((_x, _y))): Data<Args<(f32, i64)>>) {}

    /// May leave the last out.
    #[event]
    async fn search(&self, Data(Args((_a, _b, _c))): Data<Search>) {}

    #[event]
    async fn find(&self, Data(Args((_text, _limit))): Data<Args<(String, Option<u8>)>>) -> Ack<Page<Person>> {
        unreachable!("only its types are asked")
    }

    #[event]
    async fn pattern(&self, Data(Person { nick: _ }): Data<Person>) -> Result<(), EncodeError> {
        Ok(())
    }

    #[event]
    async fn odd_names(&self, Data(Args((_delete, _type))): Data<Args<(u8, u8)>>) {}

    #[event]
    async fn pair(&self, Data(_): Data<Option<Bytes>>) -> Ack<Args<(String, Bytes)>> {
        unreachable!("only its types are asked")
    }

    #[event]
    async fn done(&self) -> Ack<Args<()>> {
        Ack(Args(()))
    }

    #[event]
    async fn unit(&self) -> Ack<()> {
        Ack(())
    }

    #[event]
    async fn raw(&self, _: RawArgs, _: EventName) {}

    #[event]
    async fn raw_echo(&self, args: RawArgs) -> Ack<RawArgs> {
        Ack(args)
    }

    #[event]
    async fn first_and_rest(&self, Data(_first): Data<u8>, _: RawArgs) {}

    #[event]
    async fn later(&self, _: AckSender) {}

    #[event("later-typed", ack = Args<(u8, Sid)>)]
    async fn later_typed(&self, _: AckSender, Data(_n): Data<u8>) {}

    #[event(args = String)]
    async fn own_extractor(&self, _: Trimmed) {}

    #[event(args = u8)]
    async fn told(&self, _: Data<Args<(u8, u8)>>) {}

    #[cfg(false)]
    #[event]
    async fn left_out(&self) {}

    #[any]
    async fn other(&self, _: RawArgs) {}

    #[disconnect]
    async fn left(&self, _: DisconnectReason) {}
}

struct Trimmed(String);

impl Extract<EventContext<'_>> for Trimmed {
    fn extract(context: &EventContext<'_>) -> Result<Self, Rejection> {
        let Data(text) = Data::<String>::extract(context)?;
        Ok(Self(text.trim().to_owned()))
    }
}

#[test]
fn each_method_is_an_event_with_its_arguments_and_its_answer() {
    assert_eq!(
        received::<Chat>(),
        [
            "nothing: () => void;",
            "/**",
            "* Says it.",
            "*",
            "* To all *\\/ others.",
            "*/",
            "say: (message: Message, ack: (answer: boolean | ErrorAck) => void) => void;",
            r#""user:move": (x: number, y: number) => void;"#,
            "/** May leave the last out. */",
            "search: (a: number | null, b: string, c?: number | null) => void;",
            "find: (text: string, limit: number | null, ack: (answer: Page<Person> | ErrorAck) => void) => void;",
            "pattern: (data: Person) => void;",
            "odd_names: (arg1: number, arg2: number) => void;",
            "pair: (data: ArrayBuffer | ArrayBufferView | null, ack: (...answer: [string, ArrayBuffer] | [ErrorAck]) => void) => void;",
            "done: (ack: (error?: ErrorAck) => void) => void;",
            "unit: (ack: (answer: null | ErrorAck) => void) => void;",
            "raw: (...args: any[]) => void;",
            "raw_echo: (...args: [...args: any[], ack: (...answer: any[]) => void]) => void;",
            "first_and_rest: (first: number) => void;",
            "later: (ack: (...answer: any[]) => void) => void;",
            r#""later-typed": (n: number, ack: (...answer: [number, string] | [ErrorAck]) => void) => void;"#,
            "own_extractor: (data: string) => void;",
            "told: (data: number) => void;",
        ]
    );
}

#[test]
fn all_types_that_are_needed_are_there_once_by_name_with_serdes_names_and_their_docs() {
    let events = || Events::new().receives::<Chat>().emits::<Said>();
    let text = events().text().unwrap();
    let types = text.split_once("\n/**\n * Something").expect(&text).1;
    assert_eq!(
        types,
        " that a person says.\n */\n\
         export type Message = { room: Room, saidAt: number, \n/**\n * Who else is meant.\n */\nmentions: Array<Person>, };\n\
         \nexport type Page<T> = { items: Array<T>, next: number | null, };\n\
         \nexport type Person = { nick: string | null, };\n\
         \nexport type Room = { \"kind\": \"tea_room\" } | { \"kind\": \"private\", with: Person, };\n"
    );
    assert_eq!(text, events().text().unwrap(), "and the text is always the same");
}

#[derive(EmitEvent)]
#[event(typescript)]
struct Said(Message);

#[derive(EmitEvent)]
#[event(typescript, rename_all = "camelCase")]
enum ServerToClient {
    /// Somebody came.
    UserCame(Person),
    Moved(i8, Option<u64>),
    Typing {
        nick: String,
        r#type: Option<Bytes>,
    },
    Cleared,
    #[event("room:closed")]
    Closed(Vec<u8>, serde_json::Value),
    Image(Bytes),
    Who(Sid),
}

/// Asks a person.
#[derive(EmitEvent)]
#[event("confirm", typescript, ack = bool)]
struct Confirm(String);

#[derive(EmitEvent)]
#[event(typescript, ack = Args<(String, Bytes)>)]
struct GetFile;

#[derive(EmitEvent)]
#[event(typescript, ack = Args<()>)]
struct Flush;

#[derive(Serialize, EmitEvent, TS)]
#[event(typescript)]
struct UserTyping<'a> {
    nick: &'a str,
}

#[derive(EmitEvent)]
#[event(typescript)]
struct Borrowed<'a>(&'a str, HashMap<&'a str, u8>);

#[test]
fn each_variant_and_struct_is_an_event() {
    assert_eq!(
        emitted::<ServerToClient>(),
        [
            "/** Somebody came. */",
            "userCame: (data: Person) => void;",
            "moved: (arg1: number, arg2: number | null) => void;",
            "typing: (data: { nick: string, type: ArrayBuffer | null }) => void;",
            "cleared: () => void;",
            r#""room:closed": (arg1: Array<number>, arg2: JsonValue) => void;"#,
            "image: (data: ArrayBuffer) => void;",
            "who: (data: string) => void;",
        ]
    );
    assert_eq!(
        emitted::<UserTyping<'_>>(),
        ["user_typing: (data: UserTyping) => void;"]
    );
    assert_eq!(
        emitted::<Borrowed<'_>>(),
        ["borrowed: (arg1: string, arg2: { [key in string]: number }) => void;"]
    );
}

#[test]
fn what_the_server_asks_has_the_answer_that_the_client_gives() {
    assert_eq!(
        emitted::<Confirm>(),
        [
            "/** Asks a person. */",
            "confirm: (data: string, ack: (answer: boolean) => void) => void;"
        ]
    );
    assert_eq!(
        emitted::<GetFile>(),
        ["get_file: (ack: (...answer: [string, ArrayBuffer | ArrayBufferView]) => void) => void;"]
    );
    assert_eq!(emitted::<Flush>(), ["flush: (ack: () => void) => void;"]);
}

#[namespace_methods(typescript)]
trait Rooms {
    #[event]
    async fn enter(&self, Data(room): Data<String>) -> Ack<bool> {
        Ack(room.is_empty())
    }
}

#[derive(Default)]
struct Mixed;

impl Rooms for Mixed {}

#[namespace(typescript, Rooms)]
impl Mixed {
    #[message]
    async fn text(&self, Data(text): Data<String>) -> Ack<u8> {
        Ack(u8::from(text.is_empty()))
    }

    #[json]
    async fn json(&self, Data(person): Data<Person>) {
        let _ = person;
    }
}

#[test]
fn methods_of_traits_are_events_too_and_messages_of_two_kinds_are_either() {
    assert_eq!(
        received::<Mixed>(),
        [
            "message: (...args: [text: string, ack: (answer: number | ErrorAck) => void] | [person: Person]) => void;",
            "enter: (room: string, ack: (answer: boolean | ErrorAck) => void) => void;",
        ]
    );
}

/// `tests/clients/typescript.test.mjs` uses it as clients do.
#[test]
fn the_file_that_is_tried_with_the_compiler_is_up_to_date() {
    let events = Events::new()
        .receives::<Chat>()
        .receives::<Mixed>()
        .emits::<ServerToClient>()
        .emits::<Confirm>()
        .emits::<GetFile>()
        .emits::<Flush>();
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/typescript");
    fs::create_dir_all(directory).unwrap();
    let is_changed = events.write(format!("{directory}/events.d.ts")).unwrap();
    assert!(!is_changed, "the file has been written anew: look at it");
}

#[test]
fn an_event_that_is_described_twice_is_there_once() {
    let text = Events::new().emits::<Confirm>().emits::<Confirm>().text().unwrap();
    assert_eq!(members(&text, "ServerToClientEvents"), emitted::<Confirm>());
}

#[test]
fn nobody_answers_no_error_ack() {
    let text = Events::new().emits::<ServerToClient>().text().unwrap();
    assert!(!text.contains("ErrorAck"), "{text}");
}

mod other {
    use super::*;

    #[derive(Serialize, TS)]
    pub(super) struct Person {
        pub(super) age: u8,
    }

    #[derive(Serialize, TS)]
    pub(super) struct ErrorAck {
        pub(super) code: u8,
    }
}

#[derive(EmitEvent)]
#[event(typescript)]
enum Clashes {
    Ours(Person),
    Theirs(other::Person),
    Error(other::ErrorAck),
}

#[derive(Default)]
struct Asks;

#[namespace(typescript)]
impl Asks {
    #[event]
    async fn ask(&self) -> Ack<u8> {
        Ack(1)
    }

    #[event]
    async fn twice(&self, Data(_): Data<String>, Data(_): Data<Args<(String, u8)>>) {}
}

#[derive(Serialize, TS)]
struct Image {
    name: String,
    data: Option<Bytes>,
}

#[derive(Serialize, TS)]
struct ToldImage {
    #[ts(type = "ArrayBuffer")]
    data: Bytes,
}

#[derive(EmitEvent)]
#[event(typescript)]
enum Images {
    One(Image),
    Told(ToldImage),
    Many(Vec<Bytes>),
}

#[test]
fn what_cannot_be_told_is_an_error_that_says_what_to_do() {
    assert_eq!(
        problems(Events::new().receives::<Asks>().emits::<Clashes>()),
        [
            "`typescript::Person` and `typescript::other::Person` are both called `Person`: say `#[ts(rename = \"…\")]` above one of them",
            "`typescript::other::ErrorAck` is called `ErrorAck`, which means something else in the file: say `#[ts(rename = \"…\")]` above it",
            "the event \"twice\" reads its arguments twice: take them by one `Data<Args<(…)>>`",
        ]
    );
    assert_eq!(
        problems(Events::new().emits::<Images>()),
        [
            "`typescript::Image` holds `Bytes`, which ts-rs takes for numbers: say `#[ts(type = \"ArrayBuffer\")]` above that field",
            "the event \"many\" has `Bytes` within another type: put it into a struct, and say `#[ts(type = \"…\")]` above its field",
        ]
    );
}

#[test]
fn the_file_is_written_when_it_is_not_as_it_should_be() {
    let directory = std::env::temp_dir().join(format!("typescript-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let path = directory.join("events.d.ts");
    let events = || Events::new().receives::<Mixed>();
    assert!(events().write(&path).unwrap(), "it was not there");
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text, events().text().unwrap());
    assert!(!events().write(&path).unwrap());
    fs::write(&path, text.replace('\n', "\r\n")).unwrap();
    assert!(!events().write(&path).unwrap(), "line ends are the checkout's");
    assert!(events().emits::<Said>().write(&path).unwrap(), "there is another event");
    assert!(fs::read_to_string(&path).unwrap().contains("said: "));
    fs::remove_dir_all(&directory).unwrap();

    let error = events().write(&path).unwrap_err();
    assert!(matches!(error, Error::Io { .. }));
    assert!(
        error
            .to_string()
            .starts_with(&format!("cannot write {}: ", path.display())),
        "{error}"
    );
}
