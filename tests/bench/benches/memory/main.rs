//! What a client and a message cost the server in memory, on each web framework: exact counts, each
//! with the limit that it must not exceed.
//!
//! ```sh
//! cargo bench -p bench --bench memory                  # all three
//! cargo bench -p bench --bench memory -- axum warp     # only these
//! ```
//!
//! Exits with 1 when a limit is exceeded. Every framework's server runs in a process of its own,
//! whose allocator counts; the clients in a child process of that one, so that nothing of theirs is
//! counted. 5,100 open files must be allowed (`ulimit -n`).

use std::{
    env,
    process::{Command, ExitCode},
};

mod clients;
mod commander;
mod figures;
mod frameworks;
mod rest;

use frameworks::Framework;

const OPEN_FILES: usize = figures::CLIENTS + 100;

/// The argument that makes this program the clients, before the server's address.
const AS_CLIENTS: &str = "as-clients";
/// The argument that makes this program the server, before the framework's name.
const AS_SERVER: &str = "as-server";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words = arguments.iter().map(String::as_str);
    let words: Vec<&str> = words.filter(|word| *word != "--bench").collect();
    bench::end(match *words {
        [AS_CLIENTS, server] => clients::obey(server).map(|()| true),
        [AS_SERVER, name] => Framework::named(name).map(figures::measure),
        _ if bench::by_cargo_bench() => measure(&words),
        _ => Ok(true),
    })
}

/// `false` when a figure exceeds its limit.
fn measure(names: &[&str]) -> Result<bool, String> {
    let allowed = rest::proc_number("/proc/self/limits", "Max open files");
    if allowed < OPEN_FILES {
        return Err(format!(
            "{OPEN_FILES} open files are needed and {allowed} allowed: run `ulimit -n {OPEN_FILES}` before"
        ));
    }
    let frameworks = match names {
        [] => frameworks::ALL.iter().collect(),
        names => names
            .iter()
            .map(|name| Framework::named(name))
            .collect::<Result<Vec<_>, _>>()?,
    };
    // The others are measured even if the first exceeds a limit.
    let exceeded = frameworks
        .into_iter()
        .filter(|framework| !measure_in_fresh_process(framework));
    Ok(exceeded.count() == 0)
}

fn measure_in_fresh_process(framework: &Framework) -> bool {
    Command::new(env::current_exe().expect("this program has a path"))
        .args([AS_SERVER, framework.name])
        .status()
        .expect("this program can be run again")
        .success()
}
