//! A server under test, run by callgrind.

use std::{
    env, fs,
    io::{self, BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// Where `cargo build` puts the servers' release builds: beside this program's.
fn release() -> PathBuf {
    let program = env::current_exe().expect("this program has a path");
    let folder = program.ancestors().nth(2).expect("it is in `deps`");
    folder.to_owned()
}

pub(crate) fn build(servers: &[&str]) -> Result<(), String> {
    let status = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()))
        .args(["build", "--release"])
        .args(servers.iter().flat_map(|server| ["-p", server]))
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        _ => Err("the servers cannot be built".to_owned()),
    }
}

/// What clients do, so many times.
pub(crate) type Load = fn(SocketAddr, u16) -> io::Result<()>;

/// The instructions that a server takes each time.
pub(crate) fn each(server: &str, name: &str, load: Load, times: u16) -> Result<f64, String> {
    let once = instructions(server, name, load, times)?;
    let twice = instructions(server, name, load, 2 * times)?;
    Ok((twice - once) / f64::from(times))
}

/// All that it takes, from its start to its end.
fn instructions(server: &str, name: &str, load: Load, times: u16) -> Result<f64, String> {
    let counts = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("callgrind.{server}.{name}"));
    let process = Command::new("valgrind")
        .args(["--quiet", "--tool=callgrind"])
        .arg(format!("--callgrind-out-file={}", counts.display()))
        .arg(release().join(server))
        .args(["--contract", "load", "--port", "0"])
        // Who wakes whom would differ from run to run.
        .env("TOKIO_WORKER_THREADS", "1")
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("valgrind does not run: {error}; install it"))?;
    let mut running = Running(process);
    let address = running.address().ok_or_else(|| format!("{server} does not listen"))?;
    load(address, times).map_err(|error| format!("{server} fails at {name}: {error}"))?;
    running
        .stop()
        .map_err(|error| format!("{server} does not stop: {error}"))?;
    total(&counts).ok_or_else(|| format!("there is no total in {}", counts.display()))
}

fn total(counts: &Path) -> Option<f64> {
    let text = fs::read_to_string(counts).ok()?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "))?;
    total.trim().parse().ok()
}

struct Running(Child);

impl Running {
    fn address(&mut self) -> Option<SocketAddr> {
        let mut line = String::new();
        BufReader::new(self.0.stdout.take()?).read_line(&mut line).ok()?;
        line.trim_end().strip_prefix("listening on http://")?.parse().ok()
    }

    /// Interrupts it: killed, it would leave no counts.
    fn stop(&mut self) -> io::Result<()> {
        Command::new("kill").args(["-INT", &self.0.id().to_string()]).status()?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already unless something failed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
