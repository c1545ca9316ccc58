//! How fast a client may send: token buckets, without a clock of their own.
//!
//! What becomes of a client that sends faster is `dispatch/rate.rs`'s.

use std::time::{Duration, Instant};

/// How fast a client may send, all its namespaces together: what
/// [`rate_limit`](crate::SocketIoBuilder::rate_limit) is given.
///
/// Counted are events and requests to join a namespace, in number and in bytes: those of name, arguments,
/// attachments and auth payload. A client has a bucket of tokens for each of the two, filled at a steady rate up to the burst; so in any
/// time it gets at most the burst and what the rate yields in that time.
///
/// ```
/// use tower_socketio::{Excess, RateLimit, SocketIo};
///
/// let limit = RateLimit::events_per_second(50).burst(100).bytes_per_second(20_000).on_excess(Excess::SlowDown);
/// let io = SocketIo::builder().rate_limit(limit).build();
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    events: Rate,
    /// `None`: any number of bytes.
    bytes: Option<Rate>,
    pub(crate) excess: Excess,
}

/// What becomes of a client that sends faster than its [`RateLimit`].
///
/// Each time that one begins to, [`on_error`](crate::Namespace::on_error) is told so once, and again only when its
/// buckets have been full in between.
///
/// ```
/// use tower_socketio::{Excess, RateLimit};
///
/// let limit = RateLimit::events_per_second(10).on_excess(Excess::Disconnect);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Excess {
    /// The event is dropped. If the client waits for an ack, that says
    /// `{"error":{"name":"rate_limited","message":"the client sends faster than it may"}}`; a request to join a
    /// namespace is refused with that message. An event of more bytes than the burst is always dropped.
    #[default]
    Drop,
    /// Its connection is closed.
    Disconnect,
    /// Nothing is read from the client until it has tokens again: its network slows it down, or on polling the
    /// POST that is not answered. Nothing is lost. An event is read before its size is known: the last one may
    /// take more bytes than are left, and the client then waits longer.
    SlowDown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rate {
    per_second: u32,
    burst: u32,
}

impl Rate {
    fn new(per_second: u32) -> Self {
        assert!(per_second > 0, "a rate of 0 a second lets nothing through, ever");
        Self {
            per_second,
            burst: per_second,
        }
    }
}

impl RateLimit {
    /// So many events a second, and as many at once; any number of bytes; what is more is [dropped](Excess::Drop).
    ///
    /// # Panics
    /// When it is 0.
    ///
    /// ```
    /// use tower_socketio::RateLimit;
    ///
    /// let limit = RateLimit::events_per_second(50);
    /// ```
    #[must_use]
    pub fn events_per_second(events: u32) -> Self {
        Self {
            events: Rate::new(events),
            bytes: None,
            excess: Excess::default(),
        }
    }

    /// How many events may come at once after a pause. Default: those of a second.
    ///
    /// # Panics
    /// When it is 0.
    ///
    /// ```
    /// use tower_socketio::RateLimit;
    ///
    /// let limit = RateLimit::events_per_second(50).burst(200);
    /// ```
    #[must_use]
    pub fn burst(mut self, events: u32) -> Self {
        assert!(events > 0, "a burst of 0 events lets nothing through, ever");
        self.events.burst = events;
        self
    }

    /// So many bytes a second, and as many at once. Default: any number.
    ///
    /// # Panics
    /// When it is 0.
    ///
    /// ```
    /// use tower_socketio::RateLimit;
    ///
    /// let limit = RateLimit::events_per_second(50).bytes_per_second(1_000_000);
    /// ```
    #[must_use]
    pub fn bytes_per_second(mut self, bytes: u32) -> Self {
        self.bytes = Some(Rate::new(bytes));
        self
    }

    /// How many bytes may come at once after a pause. Default: those of a second. It should be no less than
    /// [`max_payload`](crate::SocketIoBuilder::max_payload), or the largest events never get through.
    ///
    /// # Panics
    /// When it is 0, or [`bytes_per_second`](Self::bytes_per_second) was not set before.
    ///
    /// ```
    /// use tower_socketio::RateLimit;
    ///
    /// let limit = RateLimit::events_per_second(50).bytes_per_second(20_000).bytes_burst(1_000_000);
    /// ```
    #[must_use]
    pub fn bytes_burst(mut self, bytes: u32) -> Self {
        assert!(bytes > 0, "a burst of 0 bytes lets nothing through, ever");
        let rate = self.bytes.as_mut();
        rate.expect("`bytes_burst` needs a rate: call `bytes_per_second` before")
            .burst = bytes;
        self
    }

    /// What becomes of a client that sends faster. Default: what is too much is [dropped](Excess::Drop).
    ///
    /// ```
    /// use tower_socketio::{Excess, RateLimit};
    ///
    /// let limit = RateLimit::events_per_second(50).on_excess(Excess::SlowDown);
    /// ```
    #[must_use]
    pub fn on_excess(mut self, excess: Excess) -> Self {
        self.excess = excess;
        self
    }
}

/// A client's buckets.
#[derive(Debug)]
pub(crate) struct Limiter {
    events: Bucket,
    bytes: Option<Bucket>,
    filled_at: Instant,
    /// It has sent too fast since its buckets were full, and that has been told.
    is_over: bool,
    /// It has to wait until then.
    pub(crate) slowed_until: Option<Instant>,
}

/// What a limiter says of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Pass,
    /// It is the last for a while.
    PassAndWait {
        is_news: bool,
    },
    Excess {
        is_news: bool,
    },
}

impl Limiter {
    pub(crate) fn new(limit: &RateLimit, now: Instant) -> Self {
        Self {
            events: Bucket::full(limit.events),
            bytes: limit.bytes.map(Bucket::full),
            filled_at: now,
            is_over: false,
            slowed_until: None,
        }
    }

    /// Takes an event's tokens out of the buckets; of one that is too much only where it slows the client down.
    pub(crate) fn take(&mut self, limit: &RateLimit, now: Instant, bytes: usize) -> Verdict {
        let elapsed = now.saturating_duration_since(self.filled_at);
        self.filled_at = now;
        let (mut is_full, mut fits) = (true, true);
        let bytes = i128::try_from(bytes).unwrap_or(i128::MAX / TOKEN);
        for (bucket, tokens) in self.buckets(bytes) {
            bucket.fill(elapsed);
            is_full &= bucket.is_full();
            fits &= bucket.level >= tokens * TOKEN;
        }
        self.is_over &= !is_full;
        if !fits && limit.excess != Excess::SlowDown {
            let is_news = !std::mem::replace(&mut self.is_over, true);
            return Verdict::Excess { is_news };
        }
        for (bucket, tokens) in self.buckets(bytes) {
            bucket.level -= tokens * TOKEN;
        }
        let wait = self.buckets(bytes).map(|(bucket, _)| bucket.until_one()).max();
        let wait = wait.filter(|wait| !wait.is_zero() && limit.excess == Excess::SlowDown);
        self.slowed_until = wait.map(|wait| now + wait);
        match wait {
            Some(_) => Verdict::PassAndWait {
                is_news: !std::mem::replace(&mut self.is_over, true),
            },
            None => Verdict::Pass,
        }
    }

    /// With what an event takes from each.
    fn buckets(&mut self, bytes: i128) -> impl Iterator<Item = (&mut Bucket, i128)> {
        let of_bytes = self.bytes.as_mut().map(|bucket| (bucket, bytes));
        std::iter::once((&mut self.events, 1)).chain(of_bytes)
    }
}

/// So much is a token: a rate a second is then one a nanosecond, and nothing is rounded.
const TOKEN: i128 = 1_000_000_000;

#[derive(Debug)]
struct Bucket {
    rate: Rate,
    /// Below zero: more has been taken than was there.
    level: i128,
}

impl Bucket {
    fn full(rate: Rate) -> Self {
        Self {
            rate,
            level: i128::from(rate.burst) * TOKEN,
        }
    }

    fn fill(&mut self, elapsed: Duration) {
        let nanoseconds = i128::try_from(elapsed.as_nanos()).unwrap_or(i128::MAX >> 64);
        let level = self
            .level
            .saturating_add(nanoseconds.saturating_mul(i128::from(self.rate.per_second)));
        self.level = level.min(i128::from(self.rate.burst) * TOKEN);
    }

    fn is_full(&self) -> bool {
        self.level == i128::from(self.rate.burst) * TOKEN
    }

    /// How long until a token is there, at most a year.
    fn until_one(&self) -> Duration {
        let missing = u128::try_from(TOKEN - self.level).unwrap_or_default();
        let nanoseconds = missing.div_ceil(u128::from(self.rate.per_second));
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX)).min(YEAR)
    }
}

const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn excess() -> impl Strategy<Value = Excess> {
        prop_oneof![Just(Excess::Drop), Just(Excess::Disconnect), Just(Excess::SlowDown)]
    }

    proptest! {
        /// Whatever comes when, no more passes in any window than the burst and what the rate yields in it; where the client is
        /// slowed down, one event may overdraw its bytes.
        #[test]
        fn no_window_lets_more_pass_than_burst_and_rate(
            (rate, burst, bytes_rate, bytes_burst) in (1_u32..200, 1_u32..50, 1_u32..5_000, 1_u32..5_000),
            excess in excess(),
            events in prop::collection::vec((0_u64..200_000_000, 0_usize..2_000), 1..120),
        ) {
            let limit = RateLimit::events_per_second(rate)
                .burst(burst)
                .bytes_per_second(bytes_rate)
                .bytes_burst(bytes_burst)
                .on_excess(excess);
            let mut now = Instant::now();
            let mut limiter = Limiter::new(&limit, now);
            let mut passed: Vec<(Instant, usize)> = Vec::new();
            for (pause, bytes) in events {
                now += Duration::from_nanos(pause);
                // Nothing is read from who has to wait.
                now = now.max(limiter.slowed_until.unwrap_or(now));
                if !matches!(limiter.take(&limit, now, bytes), Verdict::Excess { .. }) {
                    passed.push((now, bytes));
                }
            }
            for (index, (start, _)) in passed.iter().enumerate() {
                let (mut count, mut sum) = (0_u128, 0_u128);
                for (at, bytes) in &passed[index..] {
                    let nanoseconds = (*at - *start).as_nanos();
                    let yields = |rate: u32, burst: u32| (u128::from(burst) * 1_000_000_000 + nanoseconds * u128::from(rate)) / 1_000_000_000;
                    let before = sum;
                    (count, sum) = (count + 1, sum + *bytes as u128);
                    prop_assert!(count <= yields(rate, burst));
                    let overdrawn = if excess == Excess::SlowDown { before + 1 } else { sum };
                    prop_assert!(overdrawn <= yields(bytes_rate, bytes_burst).max(u128::from(excess == Excess::SlowDown)));
                }
            }
        }

        /// Who keeps to the rate loses nothing and never waits.
        #[test]
        fn who_keeps_to_the_rate_is_let_through(rate in 1_u32..1_000, burst in 2_u32..50, excess in excess(), count in 1..100) {
            let limit = RateLimit::events_per_second(rate).burst(burst).on_excess(excess);
            let mut now = Instant::now();
            let mut limiter = Limiter::new(&limit, now);
            for _ in 0..count {
                prop_assert_eq!(limiter.take(&limit, now, 1_000_000), Verdict::Pass);
                now += Duration::from_nanos(1_000_000_000_u64.div_ceil(u64::from(rate)));
            }
        }
    }

    #[test]
    fn an_overrun_is_news_once_until_the_bucket_has_been_full() {
        let limit = RateLimit::events_per_second(10).burst(2);
        let mut now = Instant::now();
        let mut limiter = Limiter::new(&limit, now);
        let mut take = |pause| {
            now += Duration::from_millis(pause);
            limiter.take(&limit, now, 0)
        };
        let excess = |is_news| Verdict::Excess { is_news };
        assert_eq!(
            [take(0), take(0), take(0), take(0)],
            [Verdict::Pass, Verdict::Pass, excess(true), excess(false)]
        );
        assert_eq!(
            [take(100), take(0), take(0)],
            [Verdict::Pass, excess(false), excess(false)]
        );
        assert_eq!(
            [take(199), take(0), take(2)],
            [Verdict::Pass, excess(false), Verdict::Pass]
        );
        assert_eq!(
            [take(200), take(0), take(0)],
            [Verdict::Pass, Verdict::Pass, excess(true)]
        );
    }

    #[test]
    fn who_is_slowed_down_waits_for_the_next_token_of_both_kinds() {
        let limit = RateLimit::events_per_second(10)
            .burst(1)
            .bytes_per_second(100)
            .on_excess(Excess::SlowDown);
        let begin = Instant::now();
        let mut limiter = Limiter::new(&limit, begin);
        assert_eq!(limiter.take(&limit, begin, 50), Verdict::PassAndWait { is_news: true });
        assert_eq!(limiter.slowed_until, Some(begin + Duration::from_millis(100)));
        let next = begin + Duration::from_millis(100);
        assert_eq!(limiter.take(&limit, next, 159), Verdict::PassAndWait { is_news: false });
        // 60 were left, and one must be there.
        assert_eq!(limiter.slowed_until, Some(next + Duration::from_secs(1)));
    }

    #[test]
    fn sizes_and_times_beyond_all_measure_are_taken() {
        let limit = RateLimit::events_per_second(u32::MAX)
            .bytes_per_second(1)
            .on_excess(Excess::SlowDown);
        let now = Instant::now();
        let mut limiter = Limiter::new(&limit, now);
        limiter.take(&limit, now, usize::MAX);
        assert_eq!(limiter.slowed_until, Some(now + YEAR));
        limiter.take(&limit, now + YEAR * 100, usize::MAX);
    }

    #[test]
    #[should_panic(expected = "call `bytes_per_second` before")]
    fn a_burst_without_a_rate_panics() {
        let _ = RateLimit::events_per_second(1).bytes_burst(1);
    }

    #[test]
    #[should_panic(expected = "a rate of 0")]
    fn a_rate_of_nothing_panics() {
        let _ = RateLimit::events_per_second(0);
    }
}
