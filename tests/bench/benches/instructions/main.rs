//! What an echoed message costs the server in instructions, on each web framework, and on axum what a client's
//! requests cost; counted by callgrind.
//!
//! ```sh
//! cargo bench -p bench --bench instructions
//! ```
//!
//! Exits with 1 when anything takes more than its limit, which is what it took when that was written and 5 %. One
//! client has messages of 64 bytes echoed by a release build of the servers under test, or many connect, one after the
//! other; the servers' start is subtracted. Needs valgrind. What callgrind wrote is kept, to be read with
//! `callgrind_annotate`.

use std::process::ExitCode;

use bench::Table;

mod load;
mod run;

/// The servers, axum's first, and how many instructions an echo may take that is sent alone, or with 15 others.
const SERVERS: [(&str, [f64; 2]); 3] = [
    ("server-axum", [9_990.0, 5_640.0]),
    ("server-actix-web", [13_440.0, 5_870.0]),
    ("server-warp", [9_950.0, 5_650.0]),
];
const ECHOES: u16 = 1_600;

/// What clients do over HTTP, and how many instructions of axum's server that may take.
const REQUESTS: [(&str, run::Load, f64); 3] = [
    ("connect", load::connect, 87_800.0),
    ("poll", load::poll, 54_500.0),
    ("upgrade", load::upgrade, 237_000.0),
];
const REQUESTED: u16 = 400;

fn main() -> ExitCode {
    bench::end(if bench::by_cargo_bench() { measure() } else { Ok(true) })
}

/// `false` when a framework takes too many.
fn measure() -> Result<bool, String> {
    run::build(&SERVERS.map(|(server, _)| server))?;
    let mut table = Table::new("an echo of 64 bytes: instructions");
    let depths: [(u16, run::Load); 2] = [(1, load::echo::<1>), (16, load::echo::<16>)];
    for (nth, (depth, load)) in depths.into_iter().enumerate() {
        let mut axum = None;
        for (server, limits) in SERVERS {
            let echo = run::each(server, &format!("echo-{depth}"), load, ECHOES)?;
            let axum = *axum.get_or_insert(echo);
            let figure = format!("{server}, {depth} on the way: {:.2} times axum's", echo / axum);
            table.row(&figure, echo, limits[nth]);
        }
    }
    let (server, _) = SERVERS[0];
    let mut requests = Table::new("what clients do over HTTP: instructions");
    for (name, load, limit) in REQUESTS {
        let each = run::each(server, name, load, REQUESTED)?;
        requests.row(&format!("{server}, {name}"), each, limit);
    }
    Ok(table.is_good() && requests.is_good())
}
