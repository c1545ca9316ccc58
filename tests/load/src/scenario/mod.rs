//! What is done to a server, and what is measured of it.

use std::{path::PathBuf, rc::Rc, time::Duration};

use tokio::{sync::Semaphore, task::JoinSet, time::timeout};

use crate::{
    Fallible,
    catalogue::{FLOOR, OURS, REFERENCE, Server},
    client::{Client, Dialect, Role, Target},
    process::Running,
};

mod broadcast;
mod busy;
mod connect;
mod echo;
mod idle;
mod in_memory;
mod instructions;
mod list;
mod polling;
mod rooms;

pub use list::all;

/// Named figures; the first is what servers are compared by.
pub type Figures = Vec<(&'static str, f64)>;

pub const CPU: &str = "server CPU, µs";
pub const RATE: &str = "a second";
pub const P50: &str = "p50, ms";
pub const P99: &str = "p99, ms";
pub const MEMORY: &str = "KB a client";
pub const MEMORY_AFTER: &str = "KB after 30 KB";
pub const INSTRUCTIONS: &str = "user instructions";
pub const FEW: &str = "room of 10: p99, ms";
pub const FEW_ALONE: &str = "the same alone, ms";
pub const NEW: &str = "new client: p99, ms";
pub const NEW_ALONE: &str = "that alone, ms";

#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    pub name: &'static str,
    pub what: &'static str,
    pub kind: Kind,
    /// How many operations are measured; `--quick` does a small part of them.
    pub operations: usize,
    pub workers: usize,
}

#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Echo {
        message: Message,
        clients: usize,
        depth: usize,
        beside: usize,
    },
    Broadcast {
        subscribers: usize,
        size: usize,
        burst: usize,
    },
    Connect,
    Upgrade,
    Polling,
    Idle {
        clients: usize,
    },
    Rooms {
        rooms: usize,
    },
    Busy {
        subscribers: usize,
    },
    Instructions {
        message: Message,
    },
    InMemory,
}

/// What comes back of what is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    Echo,
    /// An event of ours only, whose argument is deserialised into a struct and serialised again.
    Typed,
    Ack,
    Binary {
        size: usize,
    },
}

/// How a scenario is run.
#[derive(Debug)]
pub struct Run {
    pub quick: bool,
    /// Where logs are put.
    pub artifacts: PathBuf,
    /// After which a message counts as lost.
    pub limit: Duration,
}

impl Scenario {
    /// Whether this server can do that, and in minutes.
    #[must_use]
    pub fn is_for(&self, server: &Server) -> bool {
        if server.slowness > self.patience() {
            return false;
        }
        let ours = matches!(server.name, "axum" | "actix-web" | "warp");
        match self.kind {
            Kind::Echo {
                message: Message::Typed,
                ..
            } => ours,
            Kind::Echo { beside: 1.., .. } | Kind::Idle { .. } | Kind::Busy { .. } | Kind::Rooms { .. } => {
                server.dialect == Dialect::SocketIo
            }
            Kind::Echo { .. } | Kind::Broadcast { .. } => server.dialect != Dialect::Http,
            Kind::Connect | Kind::Upgrade | Kind::Polling => {
                matches!(server.dialect, Dialect::SocketIo | Dialect::Http)
            }
            Kind::Instructions { message: Message::Echo } => {
                matches!(server.name, OURS | FLOOR | "floor-websocket" | REFERENCE)
            }
            Kind::Instructions { .. } | Kind::InMemory => server.name == "axum",
        }
    }

    /// How slow a server may be. What is scaled compares servers with themselves: of the slow ones it takes long and tells little.
    fn patience(&self) -> usize {
        match self.kind {
            _ if self.name.starts_with("scale-") => 1,
            Kind::Broadcast {
                subscribers: 5_000.., ..
            } => 4,
            _ => usize::MAX,
        }
    }

    /// How many operations are done.
    fn count(&self, run: &Run) -> usize {
        if run.quick {
            (self.operations / 20).max(64)
        } else {
            self.operations
        }
    }

    /// Runs it against a server of its own.
    ///
    /// # Errors
    /// When a message was lost, doubled, changed or out of order, or the server failed otherwise.
    pub async fn run(&self, server: &Server, run: &Run) -> Fallible<Figures> {
        match self.kind {
            Kind::InMemory => return in_memory::run(self.workers, self.count(run)),
            Kind::Instructions { message } => {
                return timeout(run.limit, instructions::run(server, message, run))
                    .await
                    .map_err(|_| stalled(run))?;
            }
            _ => {}
        }
        let log = run.artifacts.join(format!("{}.{}.log", server.name, self.name));
        let running = Running::start(server, self.workers, &[], &log)?;
        let operations = (self.operations / server.slowness).max(64);
        Self { operations, ..*self }.measure(&running, run).await
    }

    /// Runs it against a server that listens.
    ///
    /// # Errors
    /// When a message was lost, doubled, changed or out of order, or the server failed otherwise.
    pub async fn measure(&self, server: &Running, run: &Run) -> Fallible<Figures> {
        timeout(run.limit, self.load(server, run))
            .await
            .map_err(|_| stalled(run))?
    }

    async fn load(&self, server: &Running, run: &Run) -> Fallible<Figures> {
        let operations = self.count(run);
        match self.kind {
            Kind::Echo {
                message,
                clients,
                depth,
                beside,
            } => {
                let beside = if run.quick { beside / 10 } else { beside };
                echo::run(server, message, echo::Load { clients, depth, beside }, operations).await
            }
            Kind::Broadcast {
                subscribers,
                size,
                burst,
            } => {
                let subscribers = if run.quick { subscribers / 10 } else { subscribers };
                let load = broadcast::Load {
                    subscribers,
                    size,
                    burst,
                };
                let deliveries = subscribers * burst;
                broadcast::run(server, load, operations.div_ceil(deliveries).max(3)).await
            }
            Kind::Connect => connect::run(server, connect::by_websocket, operations).await,
            Kind::Upgrade => connect::run(server, connect::by_upgrade, operations).await,
            Kind::Polling => polling::run(server, operations).await,
            Kind::Idle { clients } => idle::run(server, if run.quick { clients / 10 } else { clients }).await,
            Kind::Rooms { rooms } => {
                rooms::run(server, if run.quick { rooms.div_ceil(10) } else { rooms }, operations).await
            }
            Kind::Busy { subscribers } => {
                busy::run(
                    server,
                    if run.quick { subscribers / 10 } else { subscribers },
                    operations,
                )
                .await
            }
            Kind::Instructions { .. } | Kind::InMemory => unreachable!("they start what they measure"),
        }
    }
}

fn stalled(run: &Run) -> String {
    format!("not everything came within {} s", run.limit.as_secs())
}

/// What the operations between two moments took.
struct Stopwatch {
    cpu: Duration,
    begin: std::time::Instant,
}

impl Stopwatch {
    fn start(server: &Running) -> Fallible<Self> {
        Ok(Self {
            cpu: server.cpu()?,
            begin: std::time::Instant::now(),
        })
    }

    fn stop(self, server: &Running, operations: usize) -> Fallible<Figures> {
        let elapsed = self.begin.elapsed();
        let cpu = server.cpu()?.saturating_sub(self.cpu);
        let operations = operations as f64;
        Ok(vec![
            (CPU, cpu.as_secs_f64() * 1e6 / operations),
            (RATE, operations / elapsed.as_secs_f64()),
        ])
    }
}

/// Runs tasks at once, until all have ended or one has failed.
async fn together<T: 'static>(
    tasks: impl IntoIterator<Item = impl Future<Output = Fallible<T>> + 'static>,
) -> Fallible<Vec<T>> {
    let mut set = JoinSet::new();
    for task in tasks {
        set.spawn_local(task);
    }
    let mut results = Vec::with_capacity(set.len());
    while let Some(result) = set.join_next().await {
        results.push(result.map_err(|error| error.to_string())??);
    }
    Ok(results)
}

/// Connects so many clients, some at a time.
async fn connect_all(target: Target, role: Role, count: usize) -> Fallible<Vec<Client>> {
    /// As many as a backlog of 128 can hold.
    const AT_ONCE: usize = 64;
    let turns = Rc::new(Semaphore::new(AT_ONCE));
    together((0..count).map(|_| {
        let turns = turns.clone();
        async move {
            let _turn = turns.acquire().await;
            Client::open(target, role).await
        }
    }))
    .await
}
