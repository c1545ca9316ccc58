//! What the benchmarks share: clients that block, and a table of figures with their limits.

use std::process::ExitCode;

mod client;
mod polling;
mod table;

pub use client::{Client, frame};
pub use polling::PollingClient;
pub use table::Table;

/// Whether `cargo bench` runs this program: `cargo test --benches` does too, but does not say so.
pub fn by_cargo_bench() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}

/// The end of a benchmark: whether no limit was exceeded, or why nothing could be measured.
pub fn end(result: Result<bool, String>) -> ExitCode {
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
