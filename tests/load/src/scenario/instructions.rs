//! What a message costs the server in instructions of its own, counted by callgrind.

use std::{fs, path::Path};

use super::{Figures, INSTRUCTIONS, Message, Run, echo::Echoing};
use crate::{
    Fallible,
    catalogue::Server,
    client::{Client, Role},
    process::Running,
};

const MESSAGES: usize = 400;

pub(super) async fn run(server: &Server, message: Message, run: &Run) -> Fallible<Figures> {
    let once = count(server, message, run, MESSAGES).await?;
    let twice = count(server, message, run, 2 * MESSAGES).await?;
    Ok(vec![(INSTRUCTIONS, (twice - once) / MESSAGES as f64)])
}

/// All instructions from the server's start to its end.
async fn count(server: &Server, message: Message, run: &Run, messages: usize) -> Fallible<f64> {
    let name = format!("{}.{message:?}.{messages}", server.name);
    let counts = run.artifacts.join(format!("callgrind.{name}"));
    let out = format!("--callgrind-out-file={}", counts.display());
    let callgrind = ["valgrind", "--quiet", "--tool=callgrind", &out].map(Into::into);
    let running = Running::start(server, 1, &callgrind, &run.artifacts.join(format!("{name}.log")))?;
    let client = Client::open(running.target, Role::Echo).await?;
    // One after the other: who wakes whom would differ from run to run.
    Echoing::new(client, message, 0).run(1, messages).await?;
    running.interrupt()?;
    total(&counts).ok_or_else(|| format!("there is no total in {}", counts.display()))
}

fn total(counts: &Path) -> Option<f64> {
    let text = fs::read_to_string(counts).ok()?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "))?;
    total.trim().parse().ok()
}
