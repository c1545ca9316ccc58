//! The namespace: a job a socket, which the client may pause, resume and set the pace of.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use axum_socketio::{Ack, Data, EventError, Socket, State, namespace};
use serde::{Deserialize, Serialize};
use tokio::time::{MissedTickBehavior, interval};

use crate::meter::{Load, Meter, Stat};

/// A socket's own state.
pub(crate) struct Cpu {
    pace: AtomicU64,
    paused: AtomicBool,
    stat: Stat,
    jobs: Jobs,
}

#[namespace]
impl Cpu {
    #[connect]
    async fn connect(socket: Socket, State(stat): State<Stat>, State(jobs): State<Jobs>) -> Self {
        let cpu = Self {
            pace: AtomicU64::new(500),
            paused: AtomicBool::new(false),
            stat,
            jobs,
        };
        cpu.begin(&socket);
        cpu
    }

    #[event]
    async fn pause(&self, socket: Socket) -> Ack<Status> {
        self.paused.store(true, Ordering::Relaxed);
        socket.abort_jobs();
        Ack(self.status())
    }

    #[event]
    async fn resume(&self, socket: Socket) -> Ack<Status> {
        self.paused.store(false, Ordering::Relaxed);
        self.begin(&socket);
        Ack(self.status())
    }

    /// Who has paused stays so.
    #[event]
    async fn interval(&self, socket: Socket, Data(Pace(pace)): Data<Pace>) -> Ack<Status> {
        self.pace.store(pace, Ordering::Relaxed);
        if !self.paused.load(Ordering::Relaxed) {
            self.begin(&socket);
        }
        Ack(self.status())
    }

    /// Begins the job, in place of the one that runs.
    fn begin(&self, socket: &Socket) {
        socket.abort_jobs();
        let pace = Duration::from_millis(self.pace.load(Ordering::Relaxed));
        let running = self.jobs.enter();
        let graph = graph(socket.clone(), self.stat.clone(), pace);
        socket.spawn(async move {
            let _running = running; // Dropped with the job, however it ends.
            graph.await
        });
    }

    fn status(&self) -> Status {
        Status {
            paused: self.paused.load(Ordering::Relaxed),
            interval: self.pace.load(Ordering::Relaxed),
        }
    }
}

/// The job.
async fn graph(socket: Socket, stat: Stat, pace: Duration) -> Result<(), EventError> {
    let mut meter = match Meter::new(&stat) {
        Ok(meter) => meter,
        Err(unreadable) => return Ok(socket.emit("unreadable", unreadable.to_string())?),
    };
    let mut ticks = interval(pace);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await; // The first comes at once, when there is nothing to compare yet.
    loop {
        ticks.tick().await;
        match meter.read() {
            // Volatile: who is too slow for one gets the next one.
            Ok(load) => socket.volatile().emit("point", Point::now(load))?,
            Err(unreadable) => return Ok(socket.emit("unreadable", unreadable.to_string())?),
        }
    }
}

/// The event `point`.
#[derive(Debug, Serialize)]
struct Point {
    /// Milliseconds since 1970.
    at: u64,
    #[serde(flatten)]
    load: Load,
}

impl Point {
    fn now(load: Load) -> Self {
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let at = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        Self { at, load }
    }
}

/// Milliseconds between points.
#[derive(Debug, Deserialize)]
#[serde(try_from = "u64")]
struct Pace(u64);

const FASTEST: u64 = 100;
const SLOWEST: u64 = 5000;

impl TryFrom<u64> for Pace {
    type Error = String;

    fn try_from(pace: u64) -> Result<Self, String> {
        if (FASTEST..=SLOWEST).contains(&pace) {
            Ok(Self(pace))
        } else {
            Err(format!(
                "the interval is {pace} ms: take one from {FASTEST} to {SLOWEST} ms"
            ))
        }
    }
}

/// What every event answers.
#[derive(Debug, Serialize)]
struct Status {
    paused: bool,
    interval: u64,
}

/// How many jobs run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Jobs(Arc<AtomicUsize>);

impl Jobs {
    pub(crate) fn running(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn enter(&self) -> Running {
        self.0.fetch_add(1, Ordering::Relaxed);
        Running(self.clone())
    }
}

/// A job that runs.
struct Running(Jobs);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use axum_socketio::{
        SocketIo,
        testing::{self, TestError},
    };
    use serde_json::{Value, json};
    use tokio::time::{Instant, sleep};

    use super::*;

    /// A server of whose machine the CPU never does anything.
    struct Idle {
        io: SocketIo,
        jobs: Jobs,
        stat: PathBuf,
    }

    impl Idle {
        fn new(test: &str) -> Self {
            let stat = std::env::temp_dir().join(format!("cpu-graph-{}-{test}", std::process::id()));
            fs::write(&stat, "cpu  1 1 1 1\ncpu0 1 1 1 1\n").unwrap();
            let jobs = Jobs::default();
            let io = SocketIo::builder()
                .state(jobs.clone())
                .state(Stat(stat.clone()))
                .build();
            io.of("/cpu").serve::<Cpu>();
            Self { io, jobs, stat }
        }

        /// In virtual time: all that is to be done has been done then.
        async fn running(&self) -> usize {
            sleep(Duration::from_millis(1)).await;
            self.jobs.running()
        }
    }

    impl Drop for Idle {
        fn drop(&mut self) {
            _ = fs::remove_file(&self.stat);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn points_come_at_the_sockets_own_pace() -> Result<(), TestError> {
        let idle = Idle::new("pace");
        let mut others = Vec::new();
        for pace in [100, 2_000, 100] {
            let mut client = testing::connect(&idle.io, "/cpu").await?;
            let status: Value = client.emit_with_ack("interval", pace).await?;
            assert_eq!(status, json!({ "paused": false, "interval": pace }));
            let begin = Instant::now();
            for _ in 0..10 {
                let point: Value = client.recv("point").await?;
                assert_eq!((&point["mean"], &point["cores"]), (&json!(0.0), &json!([0.0])));
            }
            let took = begin.elapsed().as_millis();
            assert!(
                (pace * 10 - 10..pace * 10 + 10).contains(&took),
                "{took} ms for {pace} ms"
            );
            others.push(client);
        }
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_ends_when_it_is_paused_replaced_or_left() -> Result<(), TestError> {
        let idle = Idle::new("jobs");
        let (stays, leaves) = (
            testing::connect(&idle.io, "/cpu").await?,
            testing::connect(&idle.io, "/cpu").await?,
        );
        assert_eq!(idle.running().await, 2);
        for event in ["resume", "pause", "resume", "resume"] {
            let _: Value = leaves.emit_with_ack(event, ()).await?;
        }
        assert_eq!(idle.running().await, 2);
        let _: Value = stays.emit_with_ack("pause", ()).await?;
        let _: Value = stays.emit_with_ack("interval", 200).await?;
        assert_eq!(idle.running().await, 1);
        leaves.close().await?;
        assert_eq!(idle.running().await, 0);
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_read_any_more_is_told_and_ends_the_job() -> Result<(), TestError> {
        let idle = Idle::new("unreadable");
        let mut client = testing::connect(&idle.io, "/cpu").await?;
        let _: Value = client.recv("point").await?;
        fs::write(&idle.stat, "intr 1 2\n").unwrap();
        let why: String = client.recv("unreadable").await?;
        assert!(why.ends_with("does not tell how busy the CPU is"), "{why}");
        assert_eq!(idle.running().await, 0);
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn an_interval_has_bounds() -> Result<(), TestError> {
        let idle = Idle::new("bounds");
        let client = testing::connect(&idle.io, "/cpu").await?;
        for pace in [
            json!(99),
            json!(5_001),
            json!(-1),
            json!(150.5),
            json!("200"),
            json!(null),
        ] {
            let answer: Value = client.emit_with_ack("interval", &pace).await?;
            assert!(answer["error"]["message"].is_string(), "{pace}: {answer}");
        }
        for pace in [100, 5_000] {
            let answer: Value = client.emit_with_ack("interval", pace).await?;
            assert_eq!(answer["interval"], pace);
        }
        Ok(())
    }
}
