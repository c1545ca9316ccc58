//! Every scenario against every server, in turns, so that what changes meanwhile changes for all.

use tokio::{runtime, task::LocalSet};

use crate::{
    Fallible,
    catalogue::{REFERENCE, Server},
    scenario::{Figures, Run, Scenario},
    stats::{Middle, middle},
};

/// What was measured of one server in one scenario.
#[derive(Debug)]
pub struct Series {
    pub server: &'static str,
    /// Without a figure where a round failed.
    pub rounds: Vec<Figures>,
    /// Why the first one failed that did.
    pub failure: Option<String>,
}

#[derive(Debug)]
pub struct Measured {
    pub scenario: Scenario,
    pub series: Vec<Series>,
}

/// Runs a scenario so often against each of the servers that can do it.
#[must_use]
pub fn measure(scenario: Scenario, servers: &[Server], rounds: usize, run: &Run) -> Measured {
    let able: Vec<_> = servers.iter().filter(|server| scenario.is_for(server)).collect();
    let mut series: Vec<_> = able
        .iter()
        .map(|server| Series {
            server: server.name,
            rounds: Vec::new(),
            failure: None,
        })
        .collect();
    for round in 1..=rounds {
        // Another begins each round, so that none always comes after the same one.
        let begin = (round - 1) * able.len() / rounds;
        for turn in 0..able.len() {
            let at = (begin + turn) % able.len();
            let (server, series) = (able[at], &mut series[at]);
            match once(&scenario, server, run) {
                Ok(figures) => {
                    let shown: Vec<_> = figures
                        .iter()
                        .map(|(name, value)| format!("{name} {value:.2}"))
                        .collect();
                    eprintln!(
                        "{:<28} {:<16} round {round}: {}",
                        scenario.name,
                        server.name,
                        shown.join("; ")
                    );
                    series.rounds.push(figures);
                }
                Err(failure) => {
                    eprintln!(
                        "{:<28} {:<16} round {round}: FAILED: {failure}",
                        scenario.name, server.name
                    );
                    series.rounds.push(Vec::new());
                    series.failure.get_or_insert(failure);
                }
            }
        }
    }
    Measured { scenario, series }
}

fn once(scenario: &Scenario, server: &Server, run: &Run) -> Fallible<Figures> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("there is no runtime: {error}"))?;
    LocalSet::new().block_on(&runtime, scenario.run(server, run))
}

impl Series {
    /// A round's each.
    fn values(&self, figure: &str) -> impl Iterator<Item = Option<f64>> {
        let find = move |round: &Figures| round.iter().find(|(name, _)| *name == figure).map(|(_, value)| *value);
        self.rounds.iter().map(find)
    }

    /// In how many rounds it failed.
    #[must_use]
    pub fn failures(&self) -> usize {
        self.rounds.iter().filter(|round| round.is_empty()).count()
    }

    /// The median of a figure over the rounds.
    #[must_use]
    pub fn figure(&self, figure: &str) -> Option<Middle> {
        middle(&self.values(figure).flatten().collect::<Vec<_>>())
    }
}

impl Measured {
    #[must_use]
    pub fn of(&self, server: &str) -> Option<&Series> {
        self.series.iter().find(|series| series.server == server)
    }

    /// How often the other's figure a server's is, the two being compared within each round.
    #[must_use]
    pub fn ratio(&self, figure: &str, server: &str, other: &str) -> Option<Middle> {
        let pairs = self.of(server)?.values(figure).zip(self.of(other)?.values(figure));
        middle(
            &pairs
                .filter_map(|(value, other)| Some(value? / other?))
                .collect::<Vec<_>>(),
        )
    }

    /// The first figure's ratio to the reference.
    #[must_use]
    pub fn ratio_to_reference(&self, server: &str) -> Option<Middle> {
        self.ratio(self.figures().first()?, server, REFERENCE)
    }

    /// Which figures there are.
    #[must_use]
    pub fn figures(&self) -> Vec<&'static str> {
        let mut rounds = self.series.iter().flat_map(|series| &series.rounds);
        let round = rounds.find(|round| !round.is_empty());
        round
            .map(|figures| figures.iter().map(|(name, _)| *name).collect())
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(server: &'static str, values: &[f64]) -> Series {
        let rounds = values.iter().map(|value| vec![("cost", *value)]).collect();
        Series {
            server,
            rounds,
            failure: None,
        }
    }

    const HALF: Middle = Middle {
        median: 0.5,
        least: 0.5,
        most: 0.5,
    };

    #[test]
    fn servers_are_compared_within_each_round() {
        let scenario = crate::scenario::all()[0];
        // The machine becomes twice as slow: no ratio changes.
        let series = vec![series("axum", &[1.0, 2.0, 4.0]), series(REFERENCE, &[2.0, 4.0, 8.0])];
        let measured = Measured { scenario, series };
        assert_eq!(measured.ratio_to_reference("axum"), Some(HALF));
        assert_eq!(measured.ratio_to_reference("python"), None);
    }

    #[test]
    fn a_round_that_failed_takes_no_other_with_it() {
        let scenario = crate::scenario::all()[0];
        let mut reference = series(REFERENCE, &[2.0, 4.0, 8.0]);
        reference.rounds[1].clear();
        assert_eq!(reference.failures(), 1);
        let series = vec![reference, series("axum", &[1.0, 9.0, 4.0])];
        let measured = Measured { scenario, series };
        assert_eq!(measured.ratio_to_reference("axum"), Some(HALF));
    }
}
