//! Messages to rooms of ten, of which there are few or many.

use super::{
    Figures, P50, P99, Stopwatch,
    broadcast::{Audience, Member, Publisher},
    connect_all,
};
use crate::{Fallible, client::Role, process::Running};

const CLIENTS: usize = 1_000;
pub(super) const MEMBERS: usize = 10;
pub(super) const SIZE: usize = 32;

pub(super) async fn run(server: &Running, rooms: usize, deliveries: usize) -> Fallible<Figures> {
    let messages = deliveries.div_ceil(MEMBERS);
    let warm = messages.div_ceil(10);
    let clients = connect_all(server.target, Role::Subscribe, CLIENTS)
        .await?
        .into_iter()
        .enumerate();
    let members = clients.map(|(index, client)| {
        let is_in = move |room: &usize| (index + CLIENTS - room * MEMBERS % CLIENTS) % CLIENTS < MEMBERS;
        let joined = (0..rooms).filter(is_in).map(name).collect();
        let hears = (0..warm + messages).filter(move |message| is_in(&(message % rooms)));
        Member {
            client,
            rooms: joined,
            hears,
        }
    });
    let mut audience = Audience::gather(members, MEMBERS, SIZE).await?;
    let mut publisher = Publisher::open(server, SIZE).await?;
    for message in 0..warm {
        audience.hear(&mut publisher, &name(message % rooms), 1).await?;
    }
    audience.take_latencies();
    let watch = Stopwatch::start(server)?;
    for message in warm..warm + messages {
        audience.hear(&mut publisher, &name(message % rooms), 1).await?;
    }
    let mut figures = watch.stop(server, messages * MEMBERS)?;
    let mut latencies = audience.leave().await?;
    publisher.client.close().await?;
    figures.extend([(P50, latencies.within(0.5)), (P99, latencies.within(0.99))]);
    Ok(figures)
}

fn name(room: usize) -> String {
    format!("room-{room}")
}
