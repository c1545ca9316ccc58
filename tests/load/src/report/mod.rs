//! What is written of a run into `results`: a table to read, a plot, and every figure of every round.

use std::{fmt::Write as _, fs};

use crate::{Fallible, catalogue::folder, rounds::Measured};

mod plot;
mod table;
pub mod targets;

/// Writes them; a quick run's beside what it measured by the way, as its figures mean nothing.
///
/// # Errors
/// When a file cannot be written.
pub fn write(measured: &[Measured], missing: &[String], quick: bool, core: usize) -> Fallible<()> {
    let results = folder().join(if quick { "artifacts" } else { "results" });
    let text = table::markdown(measured, missing, quick, core);
    println!("{text}");
    let files = [
        ("results.md", text),
        ("results.svg", plot::svg(measured)),
        ("results.tsv", every_figure(measured)),
    ];
    for (name, text) in files {
        let path = results.join(name);
        let written = fs::create_dir_all(&results).and_then(|()| fs::write(&path, text));
        written.map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        eprintln!("wrote {}", path.display());
    }
    Ok(())
}

fn every_figure(measured: &[Measured]) -> String {
    let mut text = "scenario\tserver\tround\tfigure\tvalue\n".to_owned();
    for Measured { scenario, series } in measured {
        for series in series {
            for (round, figures) in series.rounds.iter().enumerate() {
                for (figure, value) in figures {
                    let _ = writeln!(
                        text,
                        "{}\t{}\t{}\t{figure}\t{value}",
                        scenario.name,
                        series.server,
                        round + 1
                    );
                }
            }
        }
    }
    text
}
