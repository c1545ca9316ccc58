//! Messages of clients that poll: a poll is open while they are posted, as with released clients.

use std::time::Instant;

use super::{
    Figures, P50, P99, Stopwatch,
    connect::{expect, join},
    echo::SIZE,
    together,
};
use crate::{
    Fallible,
    check::{self, Numbered},
    client::{Dialect, Target},
    http::Http,
    process::Running,
    stats::Latencies,
};

const CLIENTS: usize = 16;

pub(super) async fn run(server: &Running, operations: usize) -> Fallible<Figures> {
    let clients = together((0..CLIENTS).map(|index| Polling::open(server.target, index))).await?;
    let each = operations.div_ceil(CLIENTS);
    let warm = together(clients.into_iter().map(|client| client.run(each.div_ceil(10)))).await?;
    let watch = Stopwatch::start(server)?;
    let done = together(warm.into_iter().map(|(client, _)| client.run(each))).await?;
    let mut figures = watch.stop(server, each * CLIENTS)?;
    let mut latencies = Latencies::default();
    for (_, some) in done {
        latencies.append(some);
    }
    figures.extend([(P50, latencies.within(0.5)), (P99, latencies.within(0.99))]);
    Ok(figures)
}

struct Polling {
    polls: Http,
    posts: Http,
    poll: String,
    post: String,
    messages: Numbered,
    done: usize,
    /// What answers does not know what was posted.
    is_floor: bool,
}

impl Polling {
    async fn open(target: Target, index: usize) -> Fallible<Self> {
        let mut polls = Http::open(target.address).await?;
        let sid = join(&mut polls).await?;
        let post = format!("/socket.io/?EIO=4&transport=polling&sid={sid}");
        Ok(Self {
            polls,
            posts: Http::open(target.address).await?,
            poll: format!("{post}&t=echo"),
            post,
            messages: Numbered::new(&format!(r#"42["echo","{}"]"#, check::payload(index, SIZE))),
            done: 0,
            is_floor: target.dialect == Dialect::Http,
        })
    }

    async fn run(mut self, messages: usize) -> Fallible<(Self, Latencies)> {
        let mut latencies = Latencies::default();
        for _ in 0..messages {
            self.polls.get(&self.poll).await?;
            let message = self.messages.message(self.done);
            let begin = Instant::now();
            let message = std::str::from_utf8(message).expect("it is text");
            self.posts.post(&self.post, message).await?;
            expect(&mut self.posts, |body| body.eq_ignore_ascii_case(b"ok")).await?;
            let came = self.polls.packets(&self.poll).await?;
            latencies.add(begin.elapsed());
            if self.is_floor {
                if came.len() != message.len() {
                    return Err("the floor's answer is not as long as an echo".into());
                }
            } else {
                self.messages.check(self.done, &came)?;
            }
            self.done += 1;
        }
        Ok((self, latencies))
    }
}
