//! How busy the CPU is, as Linux tells it in `/proc/stat`.

use std::{collections::BTreeMap, fmt, fs, path::PathBuf};

use serde::Serialize;

/// The file that tells it.
#[derive(Debug, Clone)]
pub(crate) struct Stat(pub(crate) PathBuf);

/// Compares each reading with the one before.
#[derive(Debug)]
pub(crate) struct Meter {
    stat: Stat,
    before: Times,
}

/// How busy the CPU was between two readings, in percent.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Load {
    mean: f64,
    cores: Vec<f64>,
}

/// Nothing tells how busy the CPU is.
#[derive(Debug)]
pub(crate) struct Unreadable(String);

impl Meter {
    pub(crate) fn new(stat: &Stat) -> Result<Self, Unreadable> {
        let before = stat.read()?;
        let stat = stat.clone();
        Ok(Self { stat, before })
    }

    pub(crate) fn read(&mut self) -> Result<Load, Unreadable> {
        let now = self.stat.read()?;
        let load = now.since(&self.before);
        self.before = now;
        Ok(load)
    }
}

impl Stat {
    /// The kernel writes this file when it is read: no disk is waited for.
    fn read(&self) -> Result<Times, Unreadable> {
        let path = self.0.display();
        let text = fs::read_to_string(&self.0).map_err(|error| {
            Unreadable(format!(
                "this machine does not tell how busy its CPU is: {path}: {error}"
            ))
        })?;
        Times::parse(&text).ok_or_else(|| Unreadable(format!("{path} does not tell how busy the CPU is")))
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the kernel has counted since it began.
#[derive(Debug)]
struct Times {
    all: Ticks,
    /// By number: a core may come and go.
    cores: BTreeMap<u32, Ticks>,
}

#[derive(Debug, Clone, Copy)]
struct Ticks {
    idle: u64,
    total: u64,
}

impl Times {
    fn parse(text: &str) -> Option<Self> {
        let mut all = None;
        let mut cores = BTreeMap::new();
        for line in text.lines() {
            let Some((name, ticks)) = line.split_once(' ') else {
                continue;
            };
            match name.strip_prefix("cpu") {
                Some("") => all = Some(Ticks::parse(ticks)?),
                Some(number) => _ = cores.insert(number.parse().ok()?, Ticks::parse(ticks)?),
                None => {}
            }
        }
        Some(Self { all: all?, cores })
    }

    fn since(&self, before: &Self) -> Load {
        let both = self.cores.iter().filter_map(|(number, now)| {
            let before = before.cores.get(number)?;
            Some(now.busy_since(*before))
        });
        Load {
            mean: self.all.busy_since(before.all),
            cores: both.collect(),
        }
    }
}

impl Ticks {
    /// user, nice, system, idle, iowait, irq, softirq, steal; the time of guests is in the first two already.
    fn parse(text: &str) -> Option<Self> {
        let counts = text.split_ascii_whitespace().take(8).map(str::parse);
        let counts: Vec<u64> = counts.collect::<Result<_, _>>().ok()?;
        let idle = counts.get(3)? + counts.get(4).unwrap_or(&0);
        let total = counts.iter().sum();
        Some(Self { idle, total })
    }

    /// In percent, to a tenth. Some counts may go back a little, and none need have changed.
    #[allow(clippy::cast_precision_loss, reason = "ticks of seconds are small numbers")]
    fn busy_since(self, before: Self) -> f64 {
        let total = self.total.saturating_sub(before.total);
        let idle = self.idle.saturating_sub(before.idle).min(total);
        let permille = 1000.0 * (total - idle) as f64 / total.max(1) as f64;
        permille.round() / 10.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str =
        "cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 50 0 50 400 0 0 0 0 0 0\ncpu1 50 0 50 400 0 0 0 0 0 0\nintr 7 8\n";
    const AFTER: &str =
        "cpu  130 5 115 840 10 0 0 0 30 5\ncpu0 80 5 65 400 0 0 0 0 30 5\ncpu1 50 0 50 440 10 0 0 0 0 0\nintr 9 9\n";

    fn load(before: &str, after: &str) -> Load {
        Times::parse(after).unwrap().since(&Times::parse(before).unwrap())
    }

    #[test]
    fn a_load_is_what_was_not_idle_between_two_readings() {
        let cores = vec![100.0, 0.0];
        assert_eq!(load(BEFORE, AFTER), Load { mean: 50.0, cores });
    }

    #[test]
    fn no_time_between_two_readings_is_no_load() {
        let cores = vec![0.0, 0.0];
        assert_eq!(load(BEFORE, BEFORE), Load { mean: 0.0, cores });
        let back = BEFORE.replace("800", "790");
        assert!((load(BEFORE, &back).mean).abs() < 0.1);
    }

    #[test]
    fn a_core_that_was_not_there_before_is_left_out_once() {
        let before = BEFORE.replace("cpu1", "cpu7");
        assert_eq!(load(&before, AFTER).cores, [100.0]);
    }

    #[test]
    fn what_is_no_such_file_is_said_to_be_unreadable() {
        for text in [
            "",
            "intr 1 2",
            "cpu  1 2 3",
            "cpu  1 2 3 x",
            "cpu  1 2 3 4\ncpux 1 2 3 4",
        ] {
            assert!(Times::parse(text).is_none(), "{text:?}");
        }
        let stat = Stat("/no/such/file".into());
        let error = Meter::new(&stat).unwrap_err().to_string();
        assert!(error.contains("/no/such/file"), "{error}");
    }
}
