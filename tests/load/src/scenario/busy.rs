//! What a small room and new clients notice of broadcasts to thousands that never cease.

use std::time::{Duration, Instant};

use tokio::task;

use super::{
    FEW, FEW_ALONE, Figures, NEW, NEW_ALONE,
    broadcast::{Audience, Member, Publisher},
    connect, connect_all,
    rooms::{MEMBERS, SIZE},
};
use crate::{
    Fallible,
    client::{Client, ROOM, Role},
    process::Running,
    stats::Latencies,
};

const SMALL: &str = "a few";
/// Where each takes long, fewer operations do.
const LONG: Duration = Duration::from_secs(10);

pub(super) async fn run(server: &Running, subscribers: usize, operations: usize) -> Fallible<Figures> {
    let mut few = audience(server, MEMBERS, SMALL).await?;
    let mut everybody = audience(server, subscribers, ROOM).await?;
    let mut publisher = Publisher::open(server, SIZE).await?;
    let mut few_publisher = Publisher::open(server, SIZE).await?;

    let (mut room_alone, mut new_alone) = measure(server, &mut few, &mut few_publisher, operations).await?;
    let broadcasts = task::spawn_local(async move {
        loop {
            everybody.hear(&mut publisher, ROOM, 1).await?;
        }
    });
    let (mut room, mut new) = measure(server, &mut few, &mut few_publisher, operations).await?;
    if broadcasts.is_finished() {
        let ended: Fallible<()> = broadcasts.await.map_err(|error| error.to_string())?;
        return ended.map(|()| Vec::new());
    }
    broadcasts.abort();
    Ok(vec![
        (FEW, room.within(0.99)),
        (FEW_ALONE, room_alone.within(0.99)),
        (NEW, new.within(0.99)),
        (NEW_ALONE, new_alone.within(0.99)),
    ])
}

async fn audience(server: &Running, count: usize, room: &str) -> Fallible<Audience> {
    let clients = connect_all(server.target, Role::Subscribe, count).await?.into_iter();
    let members = clients.map(|client| Member {
        client,
        rooms: vec![room.into()],
        hears: 0..,
    });
    Audience::gather(members, count, SIZE).await
}

/// How long messages to a few take, and how long new clients.
async fn measure(
    server: &Running,
    few: &mut Audience,
    publisher: &mut Publisher,
    operations: usize,
) -> Fallible<(Latencies, Latencies)> {
    let mut new = Latencies::default();
    few.take_latencies();
    let end = Instant::now() + LONG;
    for _ in 0..operations {
        if Instant::now() > end {
            break;
        }
        few.hear(publisher, SMALL, 1).await?;
        let begin = Instant::now();
        let client: Client = connect::by_websocket(server.target).await?;
        new.add(begin.elapsed());
        client.close().await?;
    }
    Ok((few.take_latencies(), new))
}
