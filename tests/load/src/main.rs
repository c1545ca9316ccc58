//! `tests/load/run` builds the servers and runs this.

use std::{env, fs, process::ExitCode, time::Duration};

use load::{Fallible, catalogue, options::Options, process, report, rounds, scenario::Run};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// 15,000 clients and some.
const OPEN_FILES: u64 = 16_000;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every message was right, and every target reached if that was asked.
fn run() -> Fallible<bool> {
    let Some(options) = Options::read(env::args().skip(1))? else {
        return Ok(true);
    };
    allow_open_files(if options.quick { OPEN_FILES / 10 } else { OPEN_FILES })?;
    let core = process::pin()?;
    let artifacts = catalogue::folder().join("artifacts");
    fs::create_dir_all(&artifacts).map_err(|error| format!("cannot make {}: {error}", artifacts.display()))?;
    let run = Run {
        quick: options.quick,
        artifacts,
        limit: Duration::from_mins(5),
    };

    let missing: Vec<_> = options.servers.iter().filter_map(catalogue::Server::missing).collect();
    for line in &missing {
        eprintln!("{line}");
    }
    let servers: Vec<_> = options
        .servers
        .into_iter()
        .filter(|server| server.missing().is_none())
        .collect();
    let measured = options
        .scenarios
        .into_iter()
        .map(|scenario| rounds::measure(scenario, &servers, options.rounds, &run));
    let measured: Vec<_> = measured.collect();

    report::write(&measured, &missing, options.quick, core)?;
    let failed = measured
        .iter()
        .flat_map(|measured| &measured.series)
        .filter(|series| series.failure.is_some())
        .count();
    if failed > 0 {
        eprintln!("{failed} runs failed");
    }
    let reached = !options.check || report::targets::check(&measured);
    Ok(failed == 0 && reached)
}

fn allow_open_files(needed: u64) -> Fallible<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(|error| error.to_string())?;
    if hard < needed {
        return Err(format!(
            "{needed} open files are needed and {hard} allowed: raise the hard limit (`ulimit -Hn`)"
        ));
    }
    let raised = setrlimit(Resource::RLIMIT_NOFILE, needed.max(soft), hard);
    raised.map_err(|error| format!("{needed} open files are not allowed: {error}"))
}
