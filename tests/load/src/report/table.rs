//! The table to read.

use std::fmt::Write as _;

use super::targets;
use crate::{
    machine,
    rounds::{Measured, Series},
};

pub(super) fn markdown(measured: &[Measured], missing: &[String], quick: bool, core: usize) -> String {
    let mut text = String::new();
    if quick {
        text.push_str("**A quick run: the figures mean nothing.**\n\n");
    }
    for line in machine::description(core) {
        let _ = writeln!(text, "- {line}");
    }
    for line in missing {
        let _ = writeln!(text, "- {line}");
    }
    let rounds = measured
        .iter()
        .flat_map(|measured| &measured.series)
        .map(|series| series.rounds.len())
        .max();
    let _ = writeln!(
        text,
        "\nMedians of {} rounds in turns. × is the first figure's ratio to socketioxide's in the same round, with the least \
         and the most of all rounds.",
        rounds.unwrap_or_default()
    );
    summary(&mut text, measured);
    for measured in measured {
        scenario(&mut text, measured);
    }
    text.push_str("\n### Targets\n\n| | | at most | |\n| --- | --- | --- | --- |\n");
    for target in targets::all() {
        let Some(measured) = target.measured(measured) else {
            continue;
        };
        let verdict = if measured <= target.at_most {
            "reached"
        } else {
            "**not reached**"
        };
        let _ = writeln!(
            text,
            "| {} | {measured:.2} | {:.2} | {verdict} |",
            target.what, target.at_most
        );
    }
    text
}

/// The first figure of all servers, a line a scenario.
fn summary(text: &mut String, all: &[Measured]) {
    let mut servers = Vec::new();
    for series in all.iter().flat_map(|measured| &measured.series) {
        if !servers.contains(&series.server) {
            servers.push(series.server);
        }
    }
    let _ = writeln!(text, "\n| | {} |", servers.join(" | "));
    let _ = writeln!(text, "| --- |{}", " --- |".repeat(servers.len()));
    for measured in all {
        let Some(figure) = measured.figures().first().copied() else {
            continue;
        };
        let _ = write!(text, "| {}: {figure} |", measured.scenario.name);
        for server in &servers {
            match measured.of(server) {
                Some(series) => cell(text, series, figure),
                None => text.push_str(" |"),
            }
        }
        text.push('\n');
    }
}

fn scenario(text: &mut String, measured: &Measured) {
    let figures = measured.figures();
    let _ = writeln!(text, "\n### {}\n\n{}\n", measured.scenario.name, measured.scenario.what);
    let _ = writeln!(text, "| | × | {} |", figures.join(" | "));
    let _ = writeln!(text, "| --- | --- |{}", " --- |".repeat(figures.len()));
    for series in &measured.series {
        let ratio = measured.ratio_to_reference(series.server);
        let ratio = ratio.map(|ratio| format!("{:.2} ({:.2}–{:.2})", ratio.median, ratio.least, ratio.most));
        let _ = write!(text, "| {} | {} |", series.server, ratio.unwrap_or_default());
        if let Some(failure) = series
            .failure
            .as_ref()
            .filter(|_| series.failures() == series.rounds.len())
        {
            let rest = " |".repeat(figures.len().saturating_sub(1));
            let _ = writeln!(text, " failed: {} |{rest}", failure.replace('|', "\\|"));
            continue;
        }
        for figure in &figures {
            cell(text, series, figure);
        }
        text.push('\n');
    }
    for series in &measured.series {
        if let Some(failure) = &series.failure {
            let (failed, rounds) = (series.failures(), series.rounds.len());
            let _ = writeln!(
                text,
                "\n{} failed in {failed} of {rounds} rounds: {failure}",
                series.server
            );
        }
    }
}

fn cell(text: &mut String, series: &Series, figure: &str) {
    let median = series.figure(figure).map(|middle| middle.median);
    let digits =
        usize::from(median.is_some_and(|value| value < 1000.0)) + usize::from(median.is_some_and(|value| value < 10.0));
    let _ = match median {
        Some(median) => write!(text, " {median:.digits$} |"),
        None => write!(text, " |"),
    };
}
