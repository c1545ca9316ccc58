//! What is to be reached: by ours on axum, unless another is named.

use crate::{
    catalogue::{FLOOR, OURS, REFERENCE},
    rounds::Measured,
    scenario::{CPU, FEW, FEW_ALONE, INSTRUCTIONS, MEMORY, MEMORY_AFTER, NEW, NEW_ALONE, P99, RATE},
};

const HTTP: &str = "floor-http";
/// How many KB an idle client may take.
const IDLE: f64 = 4.0;

#[derive(Debug)]
pub struct Target {
    pub what: String,
    server: &'static str,
    scenario: &'static str,
    figure: &'static str,
    against: Against,
    pub at_most: f64,
}

#[derive(Debug)]
enum Against {
    /// As often as that server's in the same round.
    Ratio(&'static str),
    /// More than that server's.
    More(&'static str, &'static str),
    /// As often as in that scenario.
    Itself(&'static str),
    /// How often it is contained in that scenario's: what is a rate is to grow.
    Grown(&'static str),
    /// As often as that figure of the same scenario.
    Figure(&'static str),
    Nothing,
}

impl Target {
    /// What was measured for it; `None` if nothing was.
    #[must_use]
    pub fn measured(&self, all: &[Measured]) -> Option<f64> {
        let find = |name: &str| all.iter().find(|measured| measured.scenario.name == name);
        let measured = find(self.scenario)?;
        let own = |measured: &Measured, figure| Some(measured.of(self.server)?.figure(figure)?.median);
        let value = own(measured, self.figure)?;
        match self.against {
            Against::Ratio(other) => measured
                .ratio(self.figure, self.server, other)
                .map(|ratio| ratio.median),
            Against::More(scenario, other) => Some(value - find(scenario)?.of(other)?.figure(self.figure)?.median),
            Against::Itself(scenario) => Some(value / own(find(scenario)?, self.figure)?),
            Against::Grown(scenario) => Some(own(find(scenario)?, self.figure)? / value),
            Against::Figure(other) => Some(value / own(measured, other)?),
            Against::Nothing => Some(value),
        }
    }

    /// Of the server's CPU, against the reference's.
    fn new(what: impl Into<String>, scenario: &'static str, at_most: f64) -> Self {
        Self {
            what: what.into(),
            server: OURS,
            scenario,
            figure: CPU,
            against: Against::Ratio(REFERENCE),
            at_most,
        }
    }

    fn of(self, server: &'static str) -> Self {
        Self { server, ..self }
    }

    fn figure(self, figure: &'static str) -> Self {
        Self { figure, ..self }
    }

    fn against(self, against: Against) -> Self {
        Self { against, ..self }
    }
}

/// All of them.
#[must_use]
pub fn all() -> Vec<Target> {
    let mut all = costs();
    all.extend(floors());
    all.extend(adapters());
    all.extend(memory());
    all.extend(scale());
    all
}

fn costs() -> Vec<Target> {
    let mut all: Vec<_> = [
        ("echo, one on the way", "echo", 0.72),
        ("echo, 16 on the way", "echo-16", 0.30),
        ("ack, one on the way", "ack", 0.72),
        ("ack, 16 on the way", "ack-16", 0.30),
        ("broadcast to 1,000", "broadcast-1000", 0.65),
        ("broadcast to 5,000", "broadcast-5000", 0.60),
        ("broadcast to 1,000, 16 at once", "broadcast-1000-burst-16", 0.45),
        ("broadcast to 5,000, 16 at once", "broadcast-5000-burst-16", 0.45),
        ("binary, 1 KB", "binary-1k", 0.65),
        ("binary, 64 KB", "binary-64k", 0.55),
    ]
    .into_iter()
    .map(|(what, scenario, at_most)| Target::new(format!("{what}: CPU × socketioxide"), scenario, at_most))
    .collect();
    for (what, scenario) in [("echo", "echo-16"), ("ack", "ack-16")] {
        let what = format!("{what}, 16 on the way: p99 in ms");
        all.push(Target::new(what, scenario, 5.0).figure(P99).against(Against::Nothing));
    }
    all
}

fn floors() -> Vec<Target> {
    let http = [
        ("polling", "polling"),
        ("connecting", "connect"),
        ("upgrading", "upgrade"),
    ];
    let http = http.map(|(what, scenario)| {
        Target::new(format!("{what}: CPU × bare axum"), scenario, 1.10).against(Against::Ratio(HTTP))
    });
    let never_slower = [
        "echo",
        "ack",
        "broadcast-1000",
        "broadcast-5000",
        "binary-1k",
        "binary-64k",
    ];
    let never_slower = never_slower.map(|name| {
        Target::new(format!("{name}: CPU × a WebSocket on axum"), name, 1.0).against(Against::Ratio(FLOOR))
    });
    let more = [
        ("echo", "instructions", 1_500.0),
        ("echo through a struct", "instructions-typed", 3_000.0),
    ];
    let more = more.map(|(what, scenario, at_most)| {
        Target::new(
            format!("{what}: user instructions beyond a WebSocket on axum"),
            scenario,
            at_most,
        )
        .figure(INSTRUCTIONS)
        .against(Against::More("instructions", FLOOR))
    });
    http.into_iter().chain(never_slower).chain(more).collect()
}

fn adapters() -> Vec<Target> {
    ["echo", "broadcast-1000"]
        .into_iter()
        .flat_map(|name| {
            [
                Target::new(format!("warp, {name}: CPU × axum"), name, 1.1)
                    .of("warp")
                    .against(Against::Ratio(OURS)),
                Target::new(format!("actix-web, {name}: CPU × socketioxide"), name, 0.85).of("actix-web"),
            ]
        })
        .collect()
}

fn memory() -> Vec<Target> {
    vec![
        Target::new("an idle client: memory × socketioxide", "idle", 0.15).figure(MEMORY),
        Target::new("an idle client after 30 KB: memory × socketioxide", "idle", 0.15).figure(MEMORY_AFTER),
        Target::new("an idle client: memory in KB", "idle", IDLE)
            .figure(MEMORY)
            .against(Against::Nothing),
    ]
}

fn scale() -> Vec<Target> {
    let grows =
        |what: &str, scenario, from, at_most| Target::new(what, scenario, at_most).against(Against::Itself(from));
    let busy = |what: &str, figure, alone| {
        Target::new(what, "scale-busy", 2.0)
            .figure(figure)
            .against(Against::Figure(alone))
    };
    vec![
        grows(
            "echo beside 15,000 clients: CPU × beside 100",
            "scale-clients-15000",
            "scale-clients-100",
            1.25,
        ),
        grows(
            "a message to one of 10,000 rooms: CPU × of one room",
            "scale-rooms-10000",
            "scale-rooms-1",
            1.25,
        ),
        grows(
            "echo, two workers: CPU × one's",
            "scale-workers-2-echo",
            "scale-workers-1-echo",
            1.15,
        ),
        grows(
            "broadcast, two workers: CPU × one's",
            "scale-workers-2-broadcast",
            "scale-workers-1-broadcast",
            1.15,
        ),
        // 1.6 times as many a second.
        Target::new(
            "echo in memory: time on two cores × on one",
            "scale-in-memory-2",
            1.0 / 1.6,
        )
        .figure(RATE)
        .against(Against::Grown("scale-in-memory-1")),
        busy("a room of 10 beside broadcasts: p99 × alone", FEW, FEW_ALONE),
        busy("a new client beside broadcasts: p99 × alone", NEW, NEW_ALONE),
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
        println!("{:<62} at most {:>8.2}  {verdict}", target.what, target.at_most);
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

    fn figures(name: &str, server: &'static str, figures: &[(&'static str, f64)]) -> Measured {
        let scenario = scenario::all().into_iter().find(|scenario| scenario.name == name);
        Measured {
            scenario: scenario.unwrap(),
            series: vec![Series {
                server,
                rounds: vec![figures.to_vec()],
                failure: None,
            }],
        }
    }

    #[test]
    fn a_wait_beside_broadcasts_is_held_against_the_same_wait_alone() {
        let busy = |room, new| {
            let waits = [(FEW, room), (FEW_ALONE, 1.0), (NEW, new), (NEW_ALONE, 1.0)];
            check(&[figures("scale-busy", OURS, &waits)])
        };
        assert!(busy(2.0, 2.0));
        assert!(!busy(2.1, 2.0));
        assert!(!busy(2.0, 2.1));
    }

    #[test]
    fn a_second_core_has_to_give_more_echoes_in_memory() {
        let two = |rate| {
            let one = figures("scale-in-memory-1", OURS, &[(RATE, 100.0)]);
            check(&[one, figures("scale-in-memory-2", OURS, &[(RATE, rate)])])
        };
        assert!(two(161.0));
        assert!(!two(159.0));
    }

    #[test]
    fn a_second_worker_may_not_make_messages_dearer() {
        let two = |cpu| {
            let one = figures("scale-workers-1-echo", OURS, &[(CPU, 10.0)]);
            check(&[one, figures("scale-workers-2-echo", OURS, &[(CPU, cpu)])])
        };
        assert!(two(11.4));
        assert!(!two(11.6));
    }

    #[test]
    fn an_idle_client_has_a_limit_of_its_own() {
        assert!(check(&[figures("idle", OURS, &[(MEMORY, 3.9)])]));
        assert!(!check(&[figures("idle", OURS, &[(MEMORY, 4.1)])]));
    }

    #[test]
    fn ours_are_held_against_the_floor_and_against_each_other() {
        let both = |one: &'static str, ours, other: &'static str, theirs| {
            let mut measured = figures("echo", one, &[(CPU, ours)]);
            measured.series.extend(figures("echo", other, &[(CPU, theirs)]).series);
            check(&[measured])
        };
        assert!(both(OURS, 10.0, FLOOR, 10.0));
        assert!(!both(OURS, 10.1, FLOOR, 10.0));
        assert!(both("warp", 10.9, OURS, 10.0));
        assert!(!both("warp", 11.1, OURS, 10.0));
        assert!(both("actix-web", 8.4, REFERENCE, 10.0));
        assert!(!both("actix-web", 8.6, REFERENCE, 10.0));
    }

    #[test]
    fn every_target_is_of_a_scenario() {
        let names: Vec<_> = scenario::all().iter().map(|scenario| scenario.name).collect();
        assert!(all().iter().all(|target| names.contains(&target.scenario)));
    }
}
