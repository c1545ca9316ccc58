//! What is made of measured values.

/// How long each operation took, in nanoseconds.
#[derive(Debug, Default)]
pub struct Latencies(Vec<u32>);

impl Latencies {
    /// Up to four seconds; what took longer counts as that.
    pub fn add(&mut self, latency: std::time::Duration) {
        self.0.push(u32::try_from(latency.as_nanos()).unwrap_or(u32::MAX));
    }

    pub fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// Within how many milliseconds that share of the operations ended; 0 if there were none.
    pub fn within(&mut self, share: f64) -> f64 {
        if self.0.is_empty() {
            return 0.0;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rank is an index"
        )]
        let rank = (share * self.0.len() as f64).ceil() as usize;
        let index = rank.clamp(1, self.0.len()) - 1;
        f64::from(*self.0.select_nth_unstable(index).1) / 1e6
    }
}

/// The middle of several rounds, and how far apart they are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Middle {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

/// `None` without a value.
#[must_use]
pub fn middle(values: &[f64]) -> Option<Middle> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (least, most) = (*sorted.first()?, *sorted.last()?);
    let half = sorted.len() / 2;
    let median = if sorted.len().is_multiple_of(2) {
        f64::midpoint(sorted[half - 1], sorted[half])
    } else {
        sorted[half]
    };
    Some(Middle { median, least, most })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_share_of_the_operations_ended_within_its_percentile() {
        let mut latencies = Latencies::default();
        for milliseconds in (1..=200).rev() {
            latencies.add(Duration::from_millis(milliseconds));
        }
        let shares = [0.0, 0.5, 0.99, 1.0].map(|share| latencies.within(share));
        let rounded = shares.map(|milliseconds| format!("{milliseconds:.0}"));
        assert_eq!(rounded, ["1", "100", "198", "200"]);
        assert_eq!(Latencies::default().within(0.5).to_bits(), 0.0_f64.to_bits());
    }

    #[test]
    fn the_middle_of_rounds_is_their_median() {
        assert_eq!(middle(&[]), None);
        let (least, most) = (1.0, 9.0);
        assert_eq!(
            middle(&[9.0, 1.0, 2.0]),
            Some(Middle {
                median: 2.0,
                least,
                most
            })
        );
        assert_eq!(
            middle(&[9.0, 1.0, 2.0, 4.0]),
            Some(Middle {
                median: 3.0,
                least,
                most
            })
        );
    }
}
