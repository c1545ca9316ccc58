//! Clients and server in one process: what further cores give the server itself.

use super::{Figures, RATE};
use crate::{Fallible, catalogue, process};

const CLIENTS: usize = 200;

pub(super) fn run(workers: usize, echoes: usize) -> Fallible<Figures> {
    let each = echoes.div_ceil(CLIENTS);
    let mut command = process::pinned(workers);
    command
        .arg(catalogue::in_memory())
        .args([CLIENTS, each].map(|number| number.to_string()));
    let output = command
        .output()
        .map_err(|error| format!("taskset does not run: {error}"))?;
    let nanoseconds: Option<f64> = String::from_utf8(output.stdout)
        .ok()
        .and_then(|text| text.trim().parse().ok());
    let nanoseconds = nanoseconds.filter(|_| output.status.success());
    let nanoseconds = nanoseconds.ok_or_else(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    Ok(vec![(RATE, (each * CLIENTS) as f64 * 1e9 / nanoseconds)])
}
