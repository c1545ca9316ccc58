//! Clients that connect, are let in, and close.

use std::time::Instant;

use super::{Figures, P50, P99, Stopwatch, echo::SIZE, together};
use crate::{
    Fallible,
    check::{self, Numbered},
    client::{Client, Role, Target},
    frame,
    http::Http,
    process::Running,
    stats::Latencies,
};

/// How many connect at a time.
const CLIENTS: usize = 16;

pub(super) async fn run<F>(server: &Running, connect: fn(Target) -> F, operations: usize) -> Fallible<Figures>
where
    F: Future<Output = Fallible<Client>> + 'static,
{
    let each = operations.div_ceil(CLIENTS);
    let target = server.target;
    together((0..CLIENTS).map(|_| again(target, connect, each.div_ceil(10)))).await?;
    let watch = Stopwatch::start(server)?;
    let done = together((0..CLIENTS).map(|_| again(target, connect, each))).await?;
    let mut figures = watch.stop(server, each * CLIENTS)?;
    let (mut latencies, mut closings) = (Latencies::default(), Latencies::default());
    for (some, closed) in done {
        latencies.append(some);
        closings.append(closed);
    }
    figures.extend([(P50, latencies.within(0.5)), (P99, latencies.within(0.99))]);
    figures.push(("closing: p50, ms", closings.within(0.5)));
    Ok(figures)
}

/// How long connecting took, and closing.
async fn again<F>(target: Target, connect: fn(Target) -> F, times: usize) -> Fallible<(Latencies, Latencies)>
where
    F: Future<Output = Fallible<Client>>,
{
    let (mut latencies, mut closings) = (Latencies::default(), Latencies::default());
    for _ in 0..times {
        let begin = Instant::now();
        let client = connect(target).await?;
        latencies.add(begin.elapsed());
        let begin = Instant::now();
        client.close().await?;
        closings.add(begin.elapsed());
    }
    Ok((latencies, closings))
}

pub(super) async fn by_websocket(target: Target) -> Fallible<Client> {
    Client::open(target, Role::Echo).await
}

/// As released clients do it: by polling, from which they upgrade. A message shows that they have.
pub(super) async fn by_upgrade(target: Target) -> Fallible<Client> {
    let mut http = Http::open(target.address).await?;
    let sid = join(&mut http).await?;
    let poll = format!("/socket.io/?EIO=4&transport=polling&sid={sid}&t=probe");
    http.get(&poll).await?;
    let mut client = Client::upgrade(target, &format!("/socket.io/?EIO=4&transport=websocket&sid={sid}")).await?;
    client.add(frame::TEXT, b"2probe");
    client.expect(|packet| packet == b"3probe").await?;
    let released = http.packets(&poll).await?;
    if released != b"6" {
        return Err(format!(
            "the poll was answered by {}",
            String::from_utf8_lossy(&released)
        ));
    }
    client.add(frame::TEXT, b"5");
    let mut message = Numbered::new(&format!(r#"42["echo","{}"]"#, check::payload(0, SIZE)));
    let message = message.message(0);
    client.add(frame::TEXT, message);
    client.expect(|packet| packet == message).await?;
    Ok(client)
}

/// Begins a session by polling, and is let into the main namespace: the session's id.
pub(super) async fn join(http: &mut Http) -> Fallible<String> {
    http.get("/socket.io/?EIO=4&transport=polling&t=open").await?;
    let open = String::from_utf8(http.body().await?).map_err(|error| error.to_string())?;
    let sid = open
        .split_once(r#""sid":""#)
        .and_then(|(_, rest)| rest.split('"').next());
    let sid = sid.ok_or_else(|| format!("no session was begun: {open}"))?;
    http.post(&format!("/socket.io/?EIO=4&transport=polling&sid={sid}"), "40")
        .await?;
    expect(http, |body| body.eq_ignore_ascii_case(b"ok")).await?;
    let poll = format!("/socket.io/?EIO=4&transport=polling&sid={sid}&t=join");
    http.get(&poll).await?;
    let joined = http.packets(&poll).await?;
    if joined.starts_with(b"40{") {
        return Ok(sid.to_owned());
    }
    Err(format!("unexpected: {}", String::from_utf8_lossy(&joined)))
}

pub(super) async fn expect(http: &mut Http, awaited: impl Fn(&[u8]) -> bool) -> Fallible<()> {
    let body = http.body().await?;
    if awaited(&body) {
        return Ok(());
    }
    Err(format!("unexpected: {}", String::from_utf8_lossy(&body)))
}
