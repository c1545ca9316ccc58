//! A server with a parser of its own: when it is called, and what becomes of what it says.

mod kit;

use std::{
    error::Error,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use kit::{Log, Packet as Sent, Ws, idle, secs};
use serde_json::{Value, value::RawValue};
use tokio::time::Instant;
use tower_socketio::{
    Ack, AckError, Args, Data, EncodeError, Generation, RawArgs, Refusal, Socket, SocketIo, State,
    engine::Message,
    parser::{Decoder, Packet, PacketKind, Parser, ParserError},
    testing,
};

type Passed = Result<(), Box<dyn Error>>;

/// What is called when a packet is written.
type OnEncode = Arc<dyn Fn(&Packet<'_>) + Send + Sync>;

/// A packet is an array in JSON, and each of its attachments a message that follows.
#[derive(Clone)]
struct Lines {
    on_encode: OnEncode,
}

/// A packet that misses that many attachments.
#[derive(Default)]
struct Reader(Option<(Packet<'static>, usize)>);

impl Lines {
    fn new(on_encode: impl Fn(&Packet<'_>) + Send + Sync + 'static) -> Self {
        Self {
            on_encode: Arc::new(on_encode),
        }
    }

    fn counting() -> (Self, Arc<AtomicUsize>) {
        let count = Arc::<AtomicUsize>::default();
        let counted = count.clone();
        let count_event = move |packet: &Packet<'_>| {
            counted.fetch_add(usize::from(packet.kind == PacketKind::Event), Ordering::SeqCst);
        };
        (Self::new(count_event), count)
    }
}

impl Parser for Lines {
    fn encode(&self, packet: &Packet<'_>, send: &mut dyn FnMut(Message<'_>)) -> Result<(), ParserError> {
        (self.on_encode)(packet);
        let data = packet.data.as_deref().unwrap_or("null");
        if data.contains("unspeakable") {
            return Err(ParserError::new("that is not said"));
        }
        let data: &RawValue = serde_json::from_str(data).map_err(ParserError::new)?;
        let line = (
            packet.kind.code(),
            &packet.namespace,
            packet.id,
            packet.attachments.len(),
            data,
        );
        send(Message::Text(&serde_json::to_string(&line).map_err(ParserError::new)?));
        for attachment in &*packet.attachments {
            send(Message::Binary(attachment));
        }
        Ok(())
    }

    fn decoder(&self, max_attachments: usize) -> Box<dyn Decoder> {
        assert!(max_attachments >= 10);
        Box::new(Reader::default())
    }
}

impl Decoder for Reader {
    fn decode<'a>(&mut self, message: Message<'a>) -> Result<Option<Packet<'a>>, ParserError> {
        let (packet, missing) = match (message, self.0.take()) {
            (Message::Text(text), None) => {
                let line = serde_json::from_str::<(u8, String, Option<u64>, usize, Value)>(text);
                let (code, nsp, id, missing, data) = line.map_err(ParserError::new)?;
                let kind = PacketKind::from_code(code).ok_or_else(|| ParserError::new("no such kind"))?;
                let mut packet = Packet::new(kind, nsp).with_id(id);
                packet.data = Some(data)
                    .filter(|data| !data.is_null())
                    .map(|data| data.to_string().into());
                (packet, missing)
            }
            (Message::Binary(bytes), Some((mut packet, missing))) => {
                packet.attachments.to_mut().push(Bytes::copy_from_slice(bytes));
                (packet, missing - 1)
            }
            _ => return Err(ParserError::new("not its turn")),
        };
        if missing > 0 {
            self.0 = Some((packet, missing));
            return Ok(None);
        }
        Ok(Some(packet))
    }
}

fn app(parser: Lines) -> (SocketIo, Log) {
    let log = Log::default();
    let io = SocketIo::builder().state(log.clone()).parser(parser).build();
    io.of("/")
        .on("echo", async |socket: Socket, args: RawArgs| socket.emit("echo", args))
        .on("note", async |State(log): State<Log>, args: RawArgs| {
            log.add(args.json());
        })
        .on("sum", async |Data(Args((a, b))): Data<Args<(i64, i64)>>| Ack(a + b));
    io.on_error(log.failures());
    (io, log)
}

async fn joined(io: &SocketIo) -> Ws {
    let mut ws = Ws::open(io).await;
    ws.send(r#"4[0,"/",null,0,null]"#).await;
    assert!(ws.text().await.starts_with(r#"4[0,"/",null,0,{"sid":"#));
    ws
}

#[tokio::test(start_paused = true)]
async fn packets_are_written_and_read_by_it() -> Passed {
    let (io, _) = app(Lines::counting().0);
    let mut ws = joined(&io).await;
    ws.send(r#"4[2,"/",3,0,["sum",1,2]]"#).await;
    assert_eq!(ws.text().await, r#"4[3,"/",3,0,[3]]"#);
    ws.send(r#"4[2,"/",null,2,["echo",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]]"#)
        .await;
    ws.send_binary(b"a").await;
    ws.send_binary(b"b").await;
    let head = r#"4[2,"/",null,2,["echo",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]]"#;
    assert_eq!(ws.next().await, Some(Sent::Text(head.to_owned())));
    assert_eq!((ws.binary().await, ws.binary().await), (b"a".to_vec(), b"b".to_vec()));
    ws.send(r#"4[1,"/",null,0,null]"#).await;
    idle().await;
    assert_eq!(io.of("/").sockets_count(), 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn clients_for_tests_have_it() -> Passed {
    let (io, _) = app(Lines::counting().0);
    for generation in [Generation::V0_9, Generation::Eio3, Generation::Eio4] {
        let client = testing::client(&io).generation(generation).connect("/").await?;
        assert_eq!(client.emit_with_ack::<i64>("sum", Args((1, 2))).await?, 3);
    }
    let mut client = testing::connect(&io, "/").await?;
    client.emit("echo", Bytes::from_static(b"x"))?;
    assert_eq!(client.recv::<Bytes>("echo").await?, "x");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_broadcast_is_written_once_for_all() -> Passed {
    let (parser, count) = Lines::counting();
    let (io, _) = app(parser);
    let mut clients = Vec::new();
    for generation in [
        Generation::Eio3,
        Generation::Eio4,
        Generation::Eio4,
        Generation::Eio3,
        Generation::V0_9,
    ] {
        clients.push(testing::client(&io).generation(generation).connect("/").await?);
    }
    io.emit("news", Args((1, "a")))?;
    for client in &mut clients {
        assert_eq!(
            client.recv::<Args<(i32, String)>>("news").await?,
            Args((1, "a".to_owned()))
        );
    }
    assert_eq!(count.load(Ordering::SeqCst), 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_emits_what_it_cannot_write_is_told_and_nobody_gets_it() -> Passed {
    let (io, _) = app(Lines::counting().0);
    let mut client = testing::connect(&io, "/").await?;
    let socket = io.of("/").socket(client.id()).expect("connected");
    let why = "the server's parser cannot write the packet: that is not said";
    for sent in [
        socket.emit("unspeakable", 1),
        io.emit("unspeakable", 1),
        socket.volatile().emit("unspeakable", 1),
    ] {
        assert!(matches!(sent, Err(EncodeError::Parser(_))), "{sent:?}");
        assert_eq!(sent.unwrap_err().to_string(), why);
    }
    let asked = socket.emit_with_ack::<()>("unspeakable", 1).await;
    assert!(
        matches!(asked, Err(AckError::Encode(EncodeError::Parser(_)))),
        "{asked:?}"
    );
    client.expect_nothing().await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn no_lock_is_held_while_it_writes() -> Passed {
    let seen = Arc::new(Mutex::new(None::<Socket>));
    let looks = seen.clone();
    let parser = Lines::new(move |_| {
        let Some(socket) = looks.lock().unwrap().clone() else {
            return;
        };
        // In a thread of its own: were a lock held, it would wait for it for ever.
        let (done, is_done) = std::sync::mpsc::channel();
        std::thread::spawn(move || done.send((socket.rooms(), socket.namespace().sockets_count())));
        let asked = is_done.recv_timeout(secs(10));
        assert!(asked.is_ok(), "a lock is held");
    });
    let (io, log) = app(parser);
    io.of("/").with(move |socket: Socket| {
        *seen.lock().unwrap() = Some(socket);
        async { Ok::<(), Refusal>(()) }
    });
    io.of("/").on_connect(async |socket: Socket| {
        socket.join("room");
        socket.emit("held", 1)?;
        socket.broadcast().emit("held", 2)?;
        socket.namespace().emit("held", 3)?;
        Ok::<_, EncodeError>(())
    });
    let mut first = testing::connect(&io, "/").await?;
    let second = testing::connect(&io, "/").await?;
    for held in [1, 3, 2] {
        assert_eq!(first.recv::<u8>("held").await?, held);
    }
    io.of("/").socket(second.id()).expect("connected").disconnect();
    io.close().await;
    assert!(log.take().is_empty());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_packet_that_stays_incomplete_ends_the_connection_after_30_seconds() {
    let (io, _) = app(Lines::counting().0);
    let mut ws = joined(&io).await;
    ws.quiet(secs(100)).await;
    ws.send(r#"4[2,"/",null,2,["note",{"_placeholder":true,"num":0}]]"#)
        .await;
    let begin = Instant::now();
    ws.quiet(secs(20)).await;
    ws.send_binary(b"a").await;
    ws.quiet(secs(29)).await;
    while ws.next().await.is_some() {}
    assert_eq!(begin.elapsed().as_secs(), 50);
}

#[tokio::test(start_paused = true)]
async fn what_it_reads_is_checked_as_a_clients_packet_is() {
    for (line, why) in [
        (r#"4[2,"/",null,0,["disconnect"]]"#, "reserved"),
        (
            r#"4[2,"/",null,0,{"no":"array"}]"#,
            "an array that begins with the event's name",
        ),
        (r#"4[2,"/",null,0,null]"#, "an array that begins with the event's name"),
        (r#"4[3,"/",null,0,[]]"#, "ack has no id"),
        (r#"4[0,"chat",null,0,null]"#, "does not begin with `/`"),
        (r#"4[9,"/",null,0,null]"#, "no such kind"),
        ("4no json", "expected"),
    ] {
        let (io, log) = app(Lines::counting().0);
        let mut ws = joined(&io).await;
        ws.send(line).await;
        assert_eq!(ws.end().await, []);
        let told = log.take().join(" ");
        assert!(told.contains(why), "{line}: {told}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_placeholder_points_to_an_attachment_or_the_connection_ends() {
    let (io, log) = app(Lines::counting().0);
    let mut ws = joined(&io).await;
    ws.send(r#"4[2,"/",null,1,["note",{"_placeholder":true,"num":1}]]"#)
        .await;
    ws.send_binary(b"a").await;
    assert_eq!(ws.end().await, []);
    let told = log.take().join(" ");
    assert!(told.contains("placeholder's num"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn each_client_has_a_decoder_of_its_own() {
    let (io, log) = app(Lines::counting().0);
    let (mut one, mut two) = (joined(&io).await, joined(&io).await);
    one.send(r#"4[2,"/",null,1,["note",1,{"_placeholder":true,"num":0}]]"#)
        .await;
    two.send(r#"4[2,"/",null,0,["note",2]]"#).await;
    idle().await;
    one.send_binary(b"a").await;
    idle().await;
    assert_eq!(log.take(), ["2", r#"1,{"_placeholder":true,"num":0}"#]);
}
