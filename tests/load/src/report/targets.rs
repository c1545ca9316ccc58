//! What is to be reached, by ours on axum.

use crate::{
    catalogue::{OURS, REFERENCE},
    rounds::Measured,
    scenario::{CPU, INSTRUCTIONS, MEMORY, MEMORY_AFTER, P99},
};

const HTTP: &str = "floor-http";
const WEBSOCKET: &str = "floor-websocket";

#[derive(Debug)]
pub struct Target {
    pub what: &'static str,
    scenario: &'static str,
    figure: &'static str,
    against: Against,
    pub at_most: f64,
}

#[derive(Debug)]
enum Against {
    /// As often as that server's in the same round.
    Ratio(&'static str),
    /// More than that server's in that scenario.
    More(&'static str, &'static str),
    /// As often as in that scenario.
    Itself(&'static str),
    Nothing,
}

impl Target {
    /// What was measured for it; `None` if nothing was.
    #[must_use]
    pub fn measured(&self, all: &[Measured]) -> Option<f64> {
        let find = |name: &str| all.iter().find(|measured| measured.scenario.name == name);
        let measured = find(self.scenario)?;
        let own = |measured: &Measured, figure| Some(measured.of(OURS)?.figure(figure)?.median);
        match self.against {
            Against::Ratio(other) => measured.ratio(self.figure, OURS, other).map(|ratio| ratio.median),
            Against::More(scenario, other) => {
                let other = find(scenario)?.of(other)?.figure(self.figure)?.median;
                Some(own(measured, self.figure)? - other)
            }
            Against::Itself(scenario) => Some(own(measured, self.figure)? / own(find(scenario)?, self.figure)?),
            Against::Nothing => own(measured, self.figure),
        }
    }
}

/// All of them.
#[must_use]
pub fn all() -> Vec<Target> {
    let ratio = |what, scenario, at_most| Target {
        what,
        scenario,
        figure: CPU,
        against: Against::Ratio(REFERENCE),
        at_most,
    };
    let floor = |what, scenario| Target {
        what,
        scenario,
        figure: CPU,
        against: Against::Ratio(HTTP),
        at_most: 1.10,
    };
    let limit = |what, scenario| Target {
        what,
        scenario,
        figure: P99,
        against: Against::Nothing,
        at_most: 5.0,
    };
    let memory = |what, figure| Target {
        what,
        scenario: "idle",
        figure,
        against: Against::Ratio(REFERENCE),
        at_most: 0.15,
    };
    let more = |what, scenario, at_most| {
        let against = Against::More("instructions", WEBSOCKET);
        Target {
            what,
            scenario,
            figure: INSTRUCTIONS,
            against,
            at_most,
        }
    };
    let grows = |what, scenario, from| Target {
        what,
        scenario,
        figure: CPU,
        against: Against::Itself(from),
        at_most: 1.25,
    };
    vec![
        ratio("echo, one on the way: CPU × socketioxide", "echo", 0.72),
        ratio("echo, 16 on the way: CPU × socketioxide", "echo-16", 0.30),
        limit("echo, 16 on the way: p99 in ms", "echo-16"),
        ratio("ack, one on the way: CPU × socketioxide", "ack", 0.72),
        ratio("ack, 16 on the way: CPU × socketioxide", "ack-16", 0.30),
        limit("ack, 16 on the way: p99 in ms", "ack-16"),
        ratio("broadcast to 1,000: CPU × socketioxide", "broadcast-1000", 0.65),
        ratio("broadcast to 5,000: CPU × socketioxide", "broadcast-5000", 0.60),
        ratio(
            "broadcast to 1,000, 16 at once: CPU × socketioxide",
            "broadcast-1000-burst-16",
            0.45,
        ),
        ratio(
            "broadcast to 5,000, 16 at once: CPU × socketioxide",
            "broadcast-5000-burst-16",
            0.45,
        ),
        ratio("binary, 1 KB: CPU × socketioxide", "binary-1k", 0.65),
        ratio("binary, 64 KB: CPU × socketioxide", "binary-64k", 0.55),
        floor("polling: CPU × bare axum", "polling"),
        floor("connecting: CPU × bare axum", "connect"),
        floor("upgrading: CPU × bare axum", "upgrade"),
        memory("an idle client: memory × socketioxide", MEMORY),
        memory("an idle client after 30 KB: memory × socketioxide", MEMORY_AFTER),
        more(
            "echo: user instructions beyond a WebSocket's on axum",
            "instructions",
            1_500.0,
        ),
        more(
            "echo through a struct: user instructions beyond that",
            "instructions-typed",
            3_000.0,
        ),
        grows(
            "echo beside 15,000 clients: CPU × beside 100",
            "scale-clients-15000",
            "scale-clients-100",
        ),
        grows(
            "a message to one of 10,000 rooms: CPU × of one room",
            "scale-rooms-10000",
            "scale-rooms-1",
        ),
    ]
}

/// Says of each target whether it is reached, and whether all are of which something was measured.
#[must_use]
pub fn check(measured: &[Measured]) -> bool {
    let mut good = true;
    for target in all() {
        let verdict = match target.measured(measured) {
            Some(value) if value <= target.at_most => format!("reached: {value:.2}"),
            Some(value) => {
                good = false;
                format!("NOT REACHED: {value:.2}")
            }
            None => "not measured".into(),
        };
        println!("{:<58} at most {:>8.2}  {verdict}", target.what, target.at_most);
    }
    good
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{rounds::Series, scenario};

    fn echo(ours: f64) -> Measured {
        let scenario = scenario::all().into_iter().find(|scenario| scenario.name == "echo");
        let series = [(OURS, ours), (REFERENCE, 10.0)].map(|(server, cpu)| Series {
            server,
            rounds: vec![vec![(CPU, cpu)]],
            failure: None,
        });
        Measured {
            scenario: scenario.unwrap(),
            series: series.into(),
        }
    }

    #[test]
    fn a_target_is_reached_or_not() {
        assert!(check(&[echo(7.1)]));
        assert!(!check(&[echo(7.3)]));
    }

    #[test]
    fn every_target_is_of_a_scenario() {
        let names: Vec<_> = scenario::all().iter().map(|scenario| scenario.name).collect();
        assert!(all().iter().all(|target| names.contains(&target.scenario)));
    }
}
