//! A client's connection: a task that carries it, so that heartbeats are answered whatever the test does,
//! and what the clients of its namespaces share.

use std::{
    collections::HashMap,
    fmt,
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::{Either, select};
use serde_json::{Map, Value};
use tokio::{
    io::{AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadHalf, split},
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::{
    codec::{self, Heard, Packet, Says},
    error::{Parting, TestError},
    inbox::{Arrival, Inbox, Over},
    wire::{self, Frame, Frames},
};
use crate::{
    engine::{Generation, Message, Root, SocketId},
    parser::Decoder,
    server::SocketIo,
    socketio::{args::RawArgs, frames::OwnParser},
};

/// A connection, held by its clients. When the last of them is dropped, it breaks.
pub(super) struct Link {
    io: SocketIo,
    pub(super) generation: Generation,
    pub(super) limit: Duration,
    shared: Arc<Shared>,
    orders: mpsc::UnboundedSender<Order>,
    /// Ids of acks, and of pings.
    ids: AtomicU64,
}

/// What the carrying task shares with the clients.
struct Shared {
    generation: Generation,
    session: String,
    inboxes: Mutex<HashMap<String, Arc<Inbox>>>,
    /// The inbox of the main namespace where the client is put into it unasked, until it is asked for.
    given: Mutex<Option<Arc<Inbox>>>,
    /// The newest ping that the server has answered, or [`ENDED`].
    progress: watch::Sender<u64>,
}

/// The server's side of the connection is no more.
const ENDED: u64 = u64::MAX;

enum Order {
    Send(Vec<u8>),
    /// Break the connection off.
    Break,
}

impl Link {
    /// Waits for the server's first packet, then carries the connection in a task. `session` is its id, in
    /// generations where it is known before; `server` drives the other end of the stream.
    pub(super) async fn open(
        io: SocketIo,
        generation: Generation,
        limit: Duration,
        session: String,
        stream: DuplexStream,
        server: JoinHandle<()>,
    ) -> Result<Self, TestError> {
        let (read, write) = split(stream);
        let mut frames = Frames::new(read);
        let greeting = timeout(limit, frames.next()).await.ok().flatten();
        let greeting = greeting.and_then(|frame| codec::greeting(generation, &frame.payload));
        let greeting = greeting.ok_or_else(|| TestError::Disconnected {
            parting: Parting::Closed,
            waited_for: "greeting of the server".to_owned(),
            received: Vec::new(),
        })?;

        let shared = Arc::new(Shared::new(generation, greeting.session.unwrap_or(session)));
        let (orders, received) = mpsc::unbounded_channel();
        let reader = Reader {
            shared: shared.clone(),
            orders: orders.downgrade(),
            incomplete: None,
            decoder: codec::own_parser(&io, generation).map(|parser| parser.decoder(usize::MAX)),
        };
        let carried = shared.clone();
        tokio::spawn(async move {
            let parting = {
                let read = pin!(reader.run(frames));
                let write = pin!(self::write(write, received, greeting.heartbeat));
                match select(read, write).await {
                    Either::Left((parting, _)) => parting,
                    Either::Right(((), _)) => Parting::Closed,
                }
            };
            carried.end(&Over::Parted(parting));
            // A panic there is on the test's screen already.
            let _ = server.await;
            carried.progress.send_replace(ENDED);
        });
        Ok(Self {
            io,
            generation,
            limit,
            shared,
            orders,
            ids: AtomicU64::default(),
        })
    }

    /// Joins a namespace, or takes over the main one that the client was put into.
    pub(super) async fn join(&self, nsp: &str, auth: Option<&Map<String, Value>>) -> Result<Arc<Inbox>, TestError> {
        let given = self.shared.take_given(nsp);
        let was_given = given.is_some();
        let inbox = given.map_or_else(|| self.shared.add_inbox(nsp), Ok)?;
        if !was_given {
            self.send(codec::join(self.generation, self.parser(), nsp, auth)?);
        }
        let waited_for = format!("answer of namespace {nsp:?}");
        let joined = inbox.wait(&waited_for, self.limit, |content| content.id.as_ref().map(drop));
        let joined = joined.await;
        // Who gives up may ask anew.
        joined.inspect_err(|_| inbox.end(Over::Parted(Parting::ByClient)))?;
        Ok(inbox)
    }

    pub(super) fn parser(&self) -> OwnParser<'_> {
        codec::own_parser(&self.io, self.generation)
    }

    pub(super) fn next_id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(super) fn send(&self, frames: Vec<u8>) {
        // A connection that has ended takes nothing; the inboxes say so.
        let _ = self.orders.send(Order::Send(frames));
    }

    /// Waits until the server has read everything that was sent before.
    pub(super) async fn flush(&self) -> Result<(), TestError> {
        let ping = self.next_id();
        self.send(wire::frame(wire::PING, &ping.to_be_bytes()));
        self.reached(ping, "sign that the server has read everything").await
    }

    /// Leaves one namespace; in generations where that is the connection, all.
    pub(super) async fn leave(&self, nsp: &str) -> Result<(), TestError> {
        self.shared.part(nsp, &Over::Parted(Parting::ByClient));
        self.send(codec::leave(self.generation, self.parser(), nsp)?);
        self.flush().await
    }

    /// Ends the connection as a client does, with a goodbye, and waits until the server has ended it.
    pub(super) async fn close(&self) -> Result<(), TestError> {
        self.shared.end(&Over::Parted(Parting::ByClient));
        self.send(wire::frame(wire::CLOSE, &[]));
        self.reached(ENDED, "end of the server's side").await
    }

    /// Ends it without a word.
    pub(super) async fn break_off(&self) -> Result<(), TestError> {
        let _ = self.orders.send(Order::Break);
        self.reached(ENDED, "end of the server's side").await
    }

    async fn reached(&self, point: u64, waited_for: &str) -> Result<(), TestError> {
        let mut progress = self.shared.progress.subscribe();
        let reached = timeout(self.limit, progress.wait_for(|at| *at >= point)).await;
        reached.map(drop).map_err(|_| TestError::Timeout {
            waited_for: waited_for.to_owned(),
            limit: self.limit,
            received: Vec::new(),
        })
    }
}

impl Shared {
    fn new(generation: Generation, session: String) -> Self {
        let root = Arc::new(Inbox::new("/"));
        let root_of = generation.profile().root;
        if root_of == Root::IsConnection {
            root.change(|content| content.id = Some(session.clone()));
        }
        let given = (root_of != Root::OnRequest).then_some(root);
        let inboxes = given.iter().map(|root| ("/".to_owned(), root.clone())).collect();
        Self {
            generation,
            session,
            inboxes: Mutex::new(inboxes),
            given: Mutex::new(given),
            progress: watch::Sender::default(),
        }
    }

    fn take_given(&self, nsp: &str) -> Option<Arc<Inbox>> {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        given.take_if(|_| nsp == "/")
    }

    fn add_inbox(&self, nsp: &str) -> Result<Arc<Inbox>, TestError> {
        self.with_inboxes(|inboxes| {
            if inboxes.get(nsp).is_some_and(|inbox| inbox.check("").is_ok()) {
                let namespace = nsp.to_owned();
                return Err(TestError::AlreadyJoined { namespace });
            }
            let inbox = Arc::new(Inbox::new(nsp));
            inboxes.insert(nsp.to_owned(), inbox.clone());
            Ok(inbox)
        })
    }

    fn with_inboxes<T>(&self, with: impl FnOnce(&mut HashMap<String, Arc<Inbox>>) -> T) -> T {
        with(&mut self.inboxes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What the server says of a namespace.
    fn take(&self, packet: Packet, attachments: &[Bytes]) {
        let Some(inbox) = self.with_inboxes(|inboxes| inboxes.get(&packet.nsp).cloned()) else {
            return;
        };
        match packet.says {
            Says::Joined(id) => {
                let id = id.unwrap_or_else(|| self.id_in(&packet.nsp));
                inbox.change(|content| content.id = Some(id));
            }
            Says::Refused(told) => inbox.end(Over::Refused(told)),
            Says::Left => self.part(&packet.nsp, &Over::Parted(Parting::ByServer)),
            Says::Event { name, args, id } => {
                let args = RawArgs::from_wire(&args, attachments);
                inbox.change(|content| content.events.push_back(Arrival { name, args, ack: id }));
            }
            Says::Ack { id, args } => {
                let args = RawArgs::from_wire(&args, attachments);
                inbox.change(|content| content.acks.insert(id, args));
            }
        }
    }

    /// The id of the client's socket, where the server does not tell it.
    fn id_in(&self, nsp: &str) -> String {
        match self.generation.profile().socket_id {
            SocketId::OfConnection if nsp != "/" => format!("{nsp}#{}", self.session),
            SocketId::Fresh | SocketId::OfConnection | SocketId::IsConnections => self.session.clone(),
        }
    }

    /// The client has left a namespace; with the main one, in generations where that is the connection, all.
    fn part(&self, nsp: &str, over: &Over) {
        if nsp == "/" && self.generation.profile().root == Root::IsConnection {
            self.end(over);
        } else if let Some(inbox) = self.with_inboxes(|inboxes| inboxes.get(nsp).cloned()) {
            inbox.end(over.clone());
        }
    }

    fn end(&self, over: &Over) {
        self.with_inboxes(|inboxes| inboxes.values().for_each(|inbox| inbox.end(over.clone())));
    }
}

/// The carrying task's reading half.
struct Reader {
    shared: Arc<Shared>,
    /// Not to be held: without clients the connection is to end.
    orders: mpsc::WeakUnboundedSender<Order>,
    /// A packet that waits for attachments, and those that have come.
    incomplete: Option<(Packet, Vec<Bytes>)>,
    /// Where packets are the server's own parser's.
    decoder: Option<Box<dyn Decoder>>,
}

impl Reader {
    /// Reads until the connection ends.
    async fn run(mut self, mut frames: Frames<ReadHalf<DuplexStream>>) -> Parting {
        while let Some(frame) = frames.next().await {
            if let Err(parting) = self.take(&frame) {
                return parting;
            }
        }
        Parting::Closed
    }

    fn take(&mut self, Frame { opcode, payload }: &Frame) -> Result<(), Parting> {
        let generation = self.shared.generation;
        match *opcode {
            wire::TEXT => match codec::hear(generation, payload).map_err(unreadable)? {
                Heard::Packet(packet) if self.decoder.is_some() => self.take_own(Message::Text(packet))?,
                Heard::Packet(packet) => {
                    let packet = codec::read(generation, packet).map_err(unreadable)?;
                    self.take_part(packet, Vec::new());
                }
                Heard::Heartbeat => {
                    if let Some(orders) = self.orders.upgrade() {
                        let _ = orders.send(Order::Send(codec::heartbeat_answer(generation)));
                    }
                }
                Heard::Open(_) | Heard::Nothing => {}
                Heard::End => return Err(Parting::Closed),
            },
            wire::BINARY => {
                let bytes = codec::attachment(generation, payload).map_err(unreadable)?;
                if self.decoder.is_some() {
                    return self.take_own(Message::Binary(&bytes));
                }
                let incomplete = self.incomplete.take();
                let (packet, mut parts) = incomplete.ok_or_else(|| unreadable("bytes that no packet announced"))?;
                parts.push(bytes);
                self.take_part(packet, parts);
            }
            wire::PONG => {
                let pong = payload.first_chunk().map_or(0, |id| u64::from_be_bytes(*id));
                self.shared.progress.send_replace(pong);
            }
            _ => return Err(Parting::Closed),
        }
        Ok(())
    }

    /// Takes a message of the server's own parser.
    fn take_own(&mut self, message: Message<'_>) -> Result<(), Parting> {
        let Some(decoder) = &mut self.decoder else {
            return Ok(());
        };
        if let Some(read) = decoder.decode(message).map_err(unreadable)? {
            let packet = codec::read_own(self.shared.generation, &read).map_err(unreadable)?;
            self.shared.take(packet, &read.attachments);
        }
        Ok(())
    }

    fn take_part(&mut self, packet: Packet, attachments: Vec<Bytes>) {
        if attachments.len() < packet.attachments {
            self.incomplete = Some((packet, attachments));
        } else {
            self.shared.take(packet, &attachments);
        }
    }
}

fn unreadable(why: impl fmt::Display) -> Parting {
    Parting::Unreadable(why.to_string())
}

/// The carrying task's writing half: ready when the connection is to break, or nobody holds it any more.
/// It sends a heartbeat that often, in generations where it is the client that asks.
async fn write(
    mut stream: impl AsyncWrite + Unpin,
    mut orders: mpsc::UnboundedReceiver<Order>,
    heartbeat: Option<Duration>,
) {
    let mut beat = pin!(sleep(heartbeat.unwrap_or_default()));
    loop {
        let order = pin!(orders.recv());
        let order = match heartbeat {
            Some(_) => select(order, beat.as_mut()).await,
            None => Either::Left((order.await, beat.as_mut())),
        };
        let frames = match order {
            Either::Left((Some(Order::Send(frames)), _)) => frames,
            Either::Left((Some(Order::Break) | None, _)) => return,
            Either::Right(_) => {
                beat.set(sleep(heartbeat.unwrap_or_default()));
                codec::heartbeat()
            }
        };
        if stream.write_all(&frames).await.is_err() {
            // What the server said before it went is still to be read.
            std::future::pending::<()>().await;
        }
    }
}
