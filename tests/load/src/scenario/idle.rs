//! Memory of clients that are connected and silent, and after a large message to all of them.

use std::time::Duration;

use tokio::time::sleep;

use super::{
    Figures, MEMORY, MEMORY_AFTER,
    broadcast::{Audience, Member, Publisher},
    connect_all,
};
use crate::{
    Fallible,
    client::{Client, ROOM, Role},
    process::Running,
};

const SIZE: usize = 30 * 1024;
/// Clients that are let in before the first look, so that what all share is there.
const FIRST: usize = 20;

pub(super) async fn run(server: &Running, count: usize) -> Fallible<Figures> {
    let first = connect_all(server.target, Role::Subscribe, FIRST).await?;
    let before = settled(server).await?;
    let clients = connect_all(server.target, Role::Subscribe, count).await?;
    let per_client = |bytes: f64| bytes / 1024.0 / count as f64;
    let idle = per_client(settled(server).await? - before);

    let members = clients.into_iter().map(|client| Member {
        client,
        rooms: vec![ROOM.into()],
        hears: 0..2,
    });
    let mut audience = Audience::gather(members, count, SIZE).await?;
    let mut publisher = Publisher::open(server, SIZE).await?;
    audience.hear(&mut publisher, ROOM, 1).await?;
    let after = per_client(settled(server).await? - before);
    // With the second message they close.
    audience.hear(&mut publisher, ROOM, 1).await?;
    audience.leave().await?;
    publisher.client.close().await?;
    super::together(first.into_iter().map(Client::close)).await?;
    Ok(vec![(MEMORY, idle), (MEMORY_AFTER, after)])
}

/// What is resident when it changes no more: collectors of garbage take a while.
async fn settled(server: &Running) -> Fallible<f64> {
    let mut before = server.resident()?;
    for _ in 0..10 {
        sleep(Duration::from_millis(500)).await;
        let now = server.resident()?;
        if (now - before).abs() < 64.0 * 1024.0 {
            return Ok(now);
        }
        before = now;
    }
    Ok(before)
}
