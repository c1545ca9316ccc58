//! `tests/load/profile` builds the server and runs this: `profile SCENARIO FILE` draws where the time of server-axum goes.

use std::{
    env, fs,
    io::BufReader,
    path::Path,
    process::{Child, Command, ExitCode, Stdio},
    time::Duration,
};

use load::{
    Fallible, catalogue,
    flame::Flame,
    process::{self, Running},
    scenario::{self, Run, Scenario},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{runtime, task::LocalSet};

/// So many times as long as usual, so that connecting hardly counts.
const TIMES: usize = 5;

fn main() -> ExitCode {
    let words: Vec<_> = env::args().skip(1).collect();
    let done = match &words[..] {
        [scenario, file] => profile(scenario, Path::new(file)),
        _ => Err("profile SCENARIO FILE".into()),
    };
    if let Err(error) = done {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn profile(name: &str, file: &Path) -> Fallible<()> {
    let scenario = scenario::all().into_iter().find(|scenario| scenario.name == name);
    let scenario = scenario.ok_or_else(|| format!("{name} is unknown: tests/load/run --list says which there are"))?;
    let servers = catalogue::servers().into_iter();
    let mut server = servers
        .into_iter()
        .find(|server| server.name == catalogue::OURS)
        .ok_or("there is no server")?;
    server.program = catalogue::root().join("target/profile/release/server-axum");
    let artifacts = catalogue::folder().join("artifacts");
    fs::create_dir_all(&artifacts).map_err(|error| format!("cannot make {}: {error}", artifacts.display()))?;
    let (log, samples) = (artifacts.join("profile.log"), artifacts.join("profile.data"));
    process::pin()?;

    let running = Running::start(&server, scenario.workers, &[], &log)?;
    let perf = record(running.pid(), &samples)?;
    let loaded = load(scenario, &running, artifacts);
    end(perf)?;
    drop(running);
    let (figure, value) = loaded?;
    let flame = read(&samples)?;
    if flame.kernel() == 0.0 {
        eprintln!("the kernel's part is not there: it takes root, or a kernel.perf_event_paranoid of 1 or less");
    }
    let title = format!("{name}: {}; {figure} {value:.1}", scenario.what);
    fs::write(file, flame.svg(&title)).map_err(|error| format!("cannot write {}: {error}", file.display()))
}

/// What was measured first.
fn load(scenario: Scenario, server: &Running, artifacts: std::path::PathBuf) -> Fallible<(&'static str, f64)> {
    let longer = Scenario {
        operations: TIMES * scenario.operations,
        ..scenario
    };
    let run = Run {
        quick: false,
        artifacts,
        limit: Duration::from_mins(5),
    };
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("there is no runtime: {error}"))?;
    let figures = LocalSet::new().block_on(&runtime, longer.measure(server, &run))?;
    figures.first().copied().ok_or_else(|| "nothing was measured".into())
}

/// Samples by the clock, as virtual machines have no counters.
fn record(pid: Pid, samples: &Path) -> Fallible<Child> {
    let mut perf = Command::new("perf");
    perf.args(["record", "--quiet", "--event", "cpu-clock", "--freq", "1999"]);
    perf.args(["--call-graph", "fp", "--pid", &pid.to_string(), "--output"]);
    let perf = perf.arg(samples).spawn();
    perf.map_err(|error| format!("perf does not run: {error}"))
}

fn end(mut perf: Child) -> Fallible<()> {
    let interrupted = kill(Pid::from_raw(perf.id().cast_signed()), Signal::SIGINT);
    interrupted.map_err(|error| format!("perf has ended: {error}"))?;
    perf.wait().map(drop).map_err(|error| error.to_string())
}

fn read(samples: &Path) -> Fallible<Flame> {
    let mut perf = Command::new("perf");
    perf.args(["script", "--no-inline", "--fields", "ip,sym,dso", "--input"]);
    let perf = perf.arg(samples).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut perf = perf.map_err(|error| format!("perf does not run: {error}"))?;
    let script = perf.stdout.take().ok_or("perf says nothing")?;
    let flame =
        Flame::read(BufReader::new(script)).map_err(|error| format!("cannot read what perf sampled: {error}"))?;
    perf.wait().map_err(|error| error.to_string())?;
    if flame.samples() == 0 {
        return Err("perf sampled nothing".into());
    }
    Ok(flame)
}
