//! Messages of one client to all that have joined a room, one or several at a time.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Instant,
};

use tokio::{sync::Notify, task::JoinSet};

use super::{Figures, P50, P99, Stopwatch, connect_all, together};
use crate::{
    Fallible,
    check::{self, Numbered},
    client::{Client, Dialect, ROOM, Role},
    frame,
    process::Running,
    stats::Latencies,
};

#[derive(Clone, Copy)]
pub(super) struct Load {
    pub(super) subscribers: usize,
    pub(super) size: usize,
    pub(super) burst: usize,
}

pub(super) async fn run(server: &Running, load: Load, bursts: usize) -> Fallible<Figures> {
    let clients = connect_all(server.target, Role::Subscribe, load.subscribers).await?;
    let warm = bursts.div_ceil(10);
    let messages = load.burst * (warm + bursts);
    let members = clients.into_iter().map(|client| Member {
        client,
        rooms: vec![ROOM.into()],
        hears: 0..messages,
    });
    let mut audience = Audience::gather(members, load.subscribers, load.size).await?;
    let mut publisher = Publisher::open(server, load.size).await?;
    for _ in 0..warm {
        audience.hear(&mut publisher, ROOM, load.burst).await?;
    }
    audience.take_latencies();
    let watch = Stopwatch::start(server)?;
    for _ in 0..bursts {
        audience.hear(&mut publisher, ROOM, load.burst).await?;
    }
    let mut figures = watch.stop(server, bursts * load.burst * load.subscribers)?;
    let mut latencies = audience.leave().await?;
    publisher.client.close().await?;
    figures.extend([(P50, latencies.within(0.5)), (P99, latencies.within(0.99))]);
    Ok(figures)
}

/// Who publishes.
pub(super) struct Publisher {
    pub(super) client: Client,
    payloads: Numbered,
    published: usize,
}

impl Publisher {
    pub(super) async fn open(server: &Running, size: usize) -> Fallible<Self> {
        let client = Client::open(server.target, Role::Publish).await?;
        Ok(Self {
            client,
            payloads: Numbered::new(&check::payload(0, size)),
            published: 0,
        })
    }

    async fn publish(&mut self, room: &str, messages: usize) -> Fallible<()> {
        for _ in 0..messages {
            let payload = self.payloads.message(self.published);
            let payload = std::str::from_utf8(payload).expect("it is text");
            let message = match self.client.dialect() {
                Dialect::SocketIo => format!(r#"42["publish","{room}","{payload}"]"#),
                // A floor is told what the subscribers get.
                _ => format!(r#"42["msg","{payload}"]"#),
            };
            self.client.add(frame::TEXT, message.as_bytes());
            self.published += 1;
        }
        self.client.flush().await
    }
}

/// Who is to join rooms, and to hear the messages with these numbers.
pub(super) struct Member<I> {
    pub(super) client: Client,
    pub(super) rooms: Vec<String>,
    pub(super) hears: I,
}

/// Subscribers, each of which checks what it hears.
pub(super) struct Audience {
    members: JoinSet<Fallible<()>>,
    /// How many of them hear a message.
    hearers: usize,
    board: Rc<Board>,
}

struct Board {
    awaited: RefCell<Numbered>,
    /// How often something is to be heard yet.
    missing: Cell<usize>,
    published: Cell<Instant>,
    complete: Notify,
    latencies: RefCell<Latencies>,
}

impl Audience {
    /// Has them join their rooms; each message will be for so many of them.
    pub(super) async fn gather<I>(
        members: impl IntoIterator<Item = Member<I>>,
        hearers: usize,
        size: usize,
    ) -> Fallible<Self>
    where
        I: Iterator<Item = usize> + 'static,
    {
        let awaited = Numbered::new(&format!(r#"42["msg","{}"]"#, check::payload(0, size)));
        let board = Rc::new(Board {
            awaited: RefCell::new(awaited),
            missing: Cell::new(0),
            published: Cell::new(Instant::now()),
            complete: Notify::new(),
            latencies: RefCell::default(),
        });
        let joining = members.into_iter().map(async |mut member| {
            for room in &member.rooms {
                member.client.join(room).await?;
            }
            Ok(member)
        });
        let mut members = JoinSet::new();
        for Member { client, hears, .. } in together(joining).await? {
            members.spawn_local(listen(client, hears, board.clone()));
        }
        Ok(Self {
            members,
            hearers,
            board,
        })
    }

    /// Has so many messages published, and waits until they have been heard.
    pub(super) async fn hear(&mut self, publisher: &mut Publisher, room: &str, messages: usize) -> Fallible<()> {
        self.board.published.set(Instant::now());
        self.board.missing.set(messages * self.hearers);
        publisher.publish(room, messages).await?;
        while self.board.missing.get() > 0 {
            tokio::select! {
                () = self.board.complete.notified() => {}
                Some(ended) = self.members.join_next() => ended.map_err(|error| error.to_string())??,
            }
        }
        Ok(())
    }

    /// How long messages took to be heard, since the last time that this was asked.
    pub(super) fn take_latencies(&self) -> Latencies {
        self.board.latencies.take()
    }

    /// Waits until all have closed, which they do after the last message.
    pub(super) async fn leave(mut self) -> Fallible<Latencies> {
        while let Some(ended) = self.members.join_next().await {
            ended.map_err(|error| error.to_string())??;
        }
        Ok(self.board.latencies.take())
    }
}

async fn listen(mut client: Client, hears: impl Iterator<Item = usize>, board: Rc<Board>) -> Fallible<()> {
    for index in hears {
        let (_, message) = client.next().await?;
        board.awaited.borrow_mut().check(index, message)?;
        board.latencies.borrow_mut().add(board.published.get().elapsed());
        let missing = board
            .missing
            .get()
            .checked_sub(1)
            .ok_or("a message came before it was published")?;
        board.missing.set(missing);
        if missing == 0 {
            board.complete.notify_one();
        }
    }
    client.close().await
}
