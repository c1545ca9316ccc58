//! The command line.

use crate::{Fallible, catalogue, catalogue::Server, scenario, scenario::Scenario};

pub const HELP: &str = "\
tests/load/run [--quick] [--check] [--rounds N] [--scenarios A,B,…] [--servers A,B,…]

  --quick      a small part of the operations, one round: whether everything works
  --check      says which targets are reached, and fails unless all are
  --rounds     how often each scenario is run against each server, in turns (3)
  --scenarios  only those whose names begin with one of these
  --servers    only these
  --list       says which scenarios and servers there are";

#[derive(Debug)]
pub struct Options {
    pub quick: bool,
    pub check: bool,
    pub rounds: usize,
    pub scenarios: Vec<Scenario>,
    pub servers: Vec<Server>,
}

impl Options {
    /// Reads the command line; `None` if it asks for help.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn read(mut words: impl Iterator<Item = String>) -> Fallible<Option<Self>> {
        let (mut quick, mut check, mut rounds) = (false, false, None);
        let (mut scenarios, mut servers) = (scenario::all(), catalogue::servers());
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} wants a value"));
            match &*word {
                "--quick" => quick = true,
                "--check" => check = true,
                "--rounds" => rounds = Some(value()?.parse().map_err(|_| "--rounds wants a number")?),
                "--scenarios" => {
                    let wanted = value()?;
                    let wanted = wanted.split(',').collect();
                    known(&wanted, |prefix| {
                        scenarios.iter().any(|scenario| scenario.name.starts_with(prefix))
                    })?;
                    scenarios.retain(|scenario| wanted.iter().any(|prefix| scenario.name.starts_with(prefix)));
                }
                "--servers" => {
                    let wanted = value()?;
                    let wanted = wanted.split(',').collect();
                    known(&wanted, |name| servers.iter().any(|server| server.name == name))?;
                    servers.retain(|server| wanted.contains(&server.name));
                }
                "--list" => {
                    for scenario in &scenarios {
                        println!("{:<28} {}", scenario.name, scenario.what);
                    }
                    println!();
                    for server in &servers {
                        println!("{}", server.name);
                    }
                    return Ok(None);
                }
                "--help" => {
                    println!("{HELP}");
                    return Ok(None);
                }
                _ => return Err(format!("unknown argument {word}\n{HELP}")),
            }
        }
        let rounds = rounds.unwrap_or(if quick { 1 } else { 3 }).max(1);
        Ok(Some(Self {
            quick,
            check,
            rounds,
            scenarios,
            servers,
        }))
    }
}

fn known(names: &Vec<&str>, is_known: impl Fn(&str) -> bool) -> Fallible<()> {
    match names.iter().find(|name| !is_known(name)) {
        Some(name) => Err(format!("{name} is unknown: --list says which there are")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &str) -> Fallible<Option<Options>> {
        Options::read(words.split_whitespace().map(Into::into))
    }

    #[test]
    fn everything_is_measured_unless_less_is_asked_for() {
        let all = read("").unwrap().unwrap();
        assert_eq!((all.rounds, all.quick), (3, false));
        assert!(all.scenarios.len() > 30 && all.servers.len() == 12);
        let some = read("--quick --scenarios ack,polling --servers axum,python")
            .unwrap()
            .unwrap();
        let names: Vec<_> = some.scenarios.iter().map(|scenario| scenario.name).collect();
        assert_eq!(names, ["ack", "ack-16", "polling"]);
        assert_eq!((some.servers.len(), some.rounds), (2, 1));
    }

    #[test]
    fn what_is_unknown_is_said() {
        for (words, why) in [
            ("--rounds", "--rounds wants a value"),
            ("--servers rocket", "rocket is unknown"),
            ("--scenarios tea", "tea is unknown"),
            ("--slow", "unknown argument --slow"),
        ] {
            assert!(read(words).unwrap_err().starts_with(why), "{words}");
        }
    }
}
