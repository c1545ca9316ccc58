//! What an echoed message costs the server in instructions, on each web framework, counted by
//! callgrind.
//!
//! ```sh
//! cargo bench -p bench --bench instructions
//! ```
//!
//! Exits with 1 when a framework takes too many times axum's. One WebSocket client has messages of 64
//! bytes echoed by a release build of the servers under test, whose start is subtracted. Needs
//! valgrind. What callgrind wrote is kept, to be read with `callgrind_annotate`.

use std::process::ExitCode;

use bench::Table;

mod run;

/// The servers, axum's first, and how many times axum's instructions the others may take.
const SERVERS: [(&str, Option<f64>); 3] = [
    ("server-axum", None),
    ("server-actix-web", Some(3.0)),
    ("server-warp", Some(1.3)),
];
const ECHOES: u16 = 1_600;

fn main() -> ExitCode {
    bench::end(if bench::by_cargo_bench() { measure() } else { Ok(true) })
}

/// `false` when a framework takes too many.
fn measure() -> Result<bool, String> {
    run::build(&SERVERS.map(|(server, _)| server))?;
    let mut table = Table::new("an echo of 64 bytes: instructions");
    for (depth, limited) in [(1, true), (16, false)] {
        let mut axum = None;
        for (server, times) in SERVERS {
            let once = run::instructions(server, depth, ECHOES)?;
            let twice = run::instructions(server, depth, 2 * ECHOES)?;
            let echo = (twice - once) / f64::from(ECHOES);
            let axum = *axum.get_or_insert(echo);
            let figure = format!("{server}, {depth} on the way: {:.2} times axum's", echo / axum);
            table.row(&figure, echo, times.filter(|_| limited).map(|times| times * axum));
        }
    }
    Ok(table.is_good())
}
