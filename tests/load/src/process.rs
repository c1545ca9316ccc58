//! A server in a process of its own, pinned to cores of its own: what it takes of them and of memory.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use nix::{
    sched::{CpuSet, sched_setaffinity},
    sys::signal::{Signal, kill},
    time::{clock_getcpuclockid, clock_gettime},
    unistd::Pid,
};

use crate::{Fallible, catalogue::Server, client::Target};

/// How long a server may take to listen; callgrind slows it down.
const START: Duration = Duration::from_secs(30);

/// A server that runs; it is killed when dropped.
#[derive(Debug)]
pub struct Running {
    pid: Pid,
    /// `None` if somebody else started it.
    child: Option<Child>,
    pub target: Target,
}

/// Keeps this process to the last core, which is returned; servers have the first ones.
///
/// # Errors
/// When there is one only.
pub fn pin() -> Fallible<usize> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if cores < 2 {
        return Err("two cores are needed: one for the servers, one for their load".into());
    }
    let mut own = CpuSet::new();
    let pinned = own
        .set(cores - 1)
        .and_then(|()| sched_setaffinity(Pid::from_raw(0), &own));
    pinned
        .map(|()| cores - 1)
        .map_err(|error| format!("cannot stay on core {}: {error}", cores - 1))
}

impl Running {
    /// Starts a server on the first cores, with as many workers.
    ///
    /// # Errors
    /// When it does not listen soon.
    pub fn start(server: &Server, workers: usize, under: &[String], log: &Path) -> Fallible<Self> {
        let port = free_port()?;
        let log = fs::File::create(log).map_err(|error| format!("cannot write {}: {error}", log.display()))?;
        let mut command = pinned(workers);
        command.args(under).arg(&server.program).args(&server.arguments);
        command
            .env("PORT", port.to_string())
            .env("WORKERS", workers.to_string());
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(|error| error.to_string())?)
            .stderr(log);
        let child = command
            .spawn()
            .map_err(|error| format!("taskset does not run: {error}"))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let target = Target {
            address,
            dialect: server.dialect,
        };
        let pid = Pid::from_raw(child.id().cast_signed());
        let mut running = Self {
            pid,
            child: Some(child),
            target,
        };
        running.wait_until_it_listens()?;
        Ok(running)
    }

    /// A server that is a part of this process.
    #[must_use]
    pub fn here(target: Target) -> Self {
        Self {
            pid: Pid::this(),
            child: None,
            target,
        }
    }

    /// Which process it is.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.pid
    }

    fn wait_until_it_listens(&mut self) -> Fallible<()> {
        let begin = Instant::now();
        while begin.elapsed() < START {
            if let Some(Ok(Some(status))) = self.child.as_mut().map(Child::try_wait) {
                return Err(format!("the server ended: {status}"));
            }
            if TcpStream::connect(self.target.address).is_ok() {
                return Ok(());
            }
            sleep(Duration::from_millis(10));
        }
        Err("the server does not listen".into())
    }

    /// The time that it has taken of its cores, in user and kernel mode, children included.
    ///
    /// # Errors
    /// When it has ended.
    pub fn cpu(&self) -> Fallible<Duration> {
        let times = self.family().into_iter().map(|pid| {
            let clock = clock_getcpuclockid(pid)?;
            clock_gettime(clock).map(Duration::from)
        });
        times
            .sum::<nix::Result<Duration>>()
            .map_err(|_| "the server has ended".into())
    }

    /// The memory that it has, in bytes, children included.
    ///
    /// # Errors
    /// When it has ended.
    pub fn resident(&self) -> Fallible<f64> {
        let sizes = self.family().into_iter().map(|pid| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
            let kilobytes: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
            Some(kilobytes * 1024.0)
        });
        sizes.sum::<Option<f64>>().ok_or_else(|| "the server has ended".into())
    }

    /// Interrupts it, and waits for its end.
    ///
    /// # Errors
    /// When it has ended already.
    pub fn interrupt(mut self) -> Fallible<()> {
        kill(self.pid, Signal::SIGINT).map_err(|error| error.to_string())?;
        let ended = self.child.as_mut().map(Child::wait);
        ended.transpose().map(drop).map_err(|error| error.to_string())
    }

    fn family(&self) -> Vec<Pid> {
        let mut family = vec![self.pid];
        let mut at = 0;
        while at < family.len() {
            let pid = family[at];
            let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
            family.extend(
                children
                    .split_whitespace()
                    .filter_map(|pid| pid.parse().ok())
                    .map(Pid::from_raw),
            );
            at += 1;
        }
        family
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What is to run on the first cores: its arguments are a program and the program's.
#[must_use]
pub fn pinned(workers: usize) -> Command {
    let cores: Vec<String> = (0..workers).map(|core| core.to_string()).collect();
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", &cores.join(",")]);
    command.env("TOKIO_WORKER_THREADS", workers.to_string());
    command
}

fn free_port() -> Fallible<u16> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    port.map(|address| address.port())
        .map_err(|error| format!("there is no free port: {error}"))
}
