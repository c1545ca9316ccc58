//! Broadcasts to many: who else is served meanwhile does not wait until all of them are written to.

mod kit;

use std::future::ready;

use kit::Ws;
use tokio::runtime::{self, Handle};
use tower_socketio::{Ack, Socket, SocketIo, SocketIoBuilder};

const MANY: usize = 200;

struct Many {
    io: SocketIo,
    clients: Vec<Ws>,
    sockets: Vec<Socket>,
}

impl Many {
    async fn connect(builder: SocketIoBuilder) -> Self {
        let io = builder.build();
        let mut connected = kit::sockets(&io.of("/many"));
        let (mut clients, mut sockets) = (Vec::new(), Vec::new());
        for _ in 0..MANY {
            clients.push(Ws::join(&io, "/many").await);
            sockets.push(connected.next().await);
        }
        Self { io, clients, sockets }
    }

    fn emit(&self, news: usize) {
        self.io.of("/many").emit("news", news).expect("json");
    }

    /// How many have been written to.
    fn reached(&mut self) -> usize {
        self.clients
            .iter_mut()
            .map(|client| usize::from(client.has_unread()))
            .sum()
    }

    async fn all_hear(&mut self, news: &[usize]) {
        let news: Vec<_> = news.iter().map(|n| event(*n)).collect();
        for client in &mut self.clients {
            assert_eq!(client.texts().await, news);
        }
    }
}

fn event(news: usize) -> String {
    format!(r#"42/many,["news",{news}]"#)
}

#[tokio::test(start_paused = true)]
async fn an_event_is_answered_before_all_of_them_are_written_to() {
    let mut many = Many::connect(SocketIo::builder()).await;
    many.io.of("/").on("hello", async || Ack("hello"));
    let mut other = Ws::join(&many.io, "/").await;

    many.emit(1);
    other.send(r#"421["hello"]"#).await;
    assert_eq!(other.text().await, r#"431["hello"]"#);
    let reached = many.reached();
    assert!(
        (1..MANY / 2).contains(&reached),
        "{reached} of {MANY} were written to before"
    );
    many.all_hear(&[1]).await;
}

#[tokio::test(start_paused = true)]
async fn what_one_of_them_is_sent_besides_is_not_held_back() {
    let mut many = Many::connect(SocketIo::builder()).await;
    for n in [0, MANY - 1] {
        many.emit(1);
        many.sockets[n].emit("news", 2).expect("json");
        let client = &mut many.clients[n];
        assert_eq!([client.text().await, client.text().await], [event(1), event(2)]);
        assert!(many.reached() < MANY / 2);
        for (other, client) in many.clients.iter_mut().enumerate() {
            let news = if other == n { vec![] } else { vec![event(1)] };
            assert_eq!(client.texts().await, news);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn broadcasts_of_which_nobody_knows_yet_arrive_in_order() {
    let mut many = Many::connect(SocketIo::builder()).await;
    many.emit(1);
    many.emit(2);
    tokio::task::yield_now().await;
    many.emit(3);
    many.all_hear(&[1, 2, 3]).await;
    many.emit(4);
    many.all_hear(&[4]).await;
}

/// The handle of a runtime that has ended.
fn ended() -> Handle {
    let runtime = runtime::Builder::new_current_thread().build().expect("a runtime");
    let handle = runtime.handle().clone();
    runtime.shutdown_background();
    handle
}

#[tokio::test(start_paused = true)]
async fn a_broadcast_arrives_where_the_servers_runtime_has_ended() {
    let mut many = Many::connect(SocketIo::builder().runtime(ended())).await;
    many.emit(1);
    many.all_hear(&[1]).await;
}

#[tokio::test(start_paused = true)]
async fn a_handlers_broadcast_keeps_to_the_pace_of_the_runtime_that_the_handler_is_in() {
    let mut many = Many::connect(SocketIo::builder().runtime(ended())).await;
    let audience = many.io.of("/many");
    many.io.of("/").on("publish", move || {
        audience.emit("news", 1).expect("json");
        ready(Ack("done"))
    });
    many.io.of("/").on("hello", async || Ack("hello"));
    let mut publisher = Ws::join(&many.io, "/").await;
    publisher.send(r#"421["publish"]"#).await;
    assert_eq!(publisher.text().await, r#"431["done"]"#);
    publisher.send(r#"422["hello"]"#).await;
    assert_eq!(publisher.text().await, r#"432["hello"]"#);
    let reached = many.reached();
    assert!(reached < MANY / 2, "{reached} of {MANY} were written to before");
    many.all_hear(&[1]).await;
}
