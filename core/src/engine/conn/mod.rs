//! One client's life, without I/O or a clock: the time comes in, [`Step`]s come out.
//!
//! **Call `handle_*` with what happened, do the [`Step`] it returns, then ask `poll_timeout` when
//! to call [`Conn::handle_timeout`].** Never blocks, never allocates. What carries the bytes is
//! [`transport`](super::transport); who calls it is [`driver`](super::driver).

use std::time::{Duration, Instant};

use super::{codec::Signal, generation::Asks, reason::CloseReason};

pub(crate) mod exchange;
mod heartbeat;

use heartbeat::Heartbeat;

/// How often the reference server releases the open poll of a client that is upgrading.
const RELEASE_EVERY: Duration = Duration::from_millis(100);

/// What the owner of a connection must do next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Nothing,
    /// The signal was a message: it is the application's.
    Deliver,
    /// Queue a ping.
    Ping,
    /// Queue the answer to the client's ping.
    Pong,
    /// Answer the open poll, if there is one, with a noop: the client waits for that to upgrade.
    ReleasePoll,
    Close(CloseReason),
}

/// The durations that rule a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    pub(crate) ping_interval: Duration,
    pub(crate) ping_timeout: Duration,
}

/// The state of one open connection.
#[derive(Debug)]
pub(crate) struct Conn {
    heartbeat: Heartbeat,
    release: Release,
    /// Since when nothing is read because the application is busy.
    stalled_since: Option<Instant>,
}

/// When the open poll is to be released.
#[derive(Debug)]
enum Release {
    Never,
    At(Instant),
    /// A second transport is probed: again and again.
    Upgrading(Instant),
}

impl Conn {
    pub(crate) fn new(now: Instant, asks: Asks, timing: Timing) -> Self {
        Self {
            heartbeat: Heartbeat::new(now, asks, timing),
            release: Release::Never,
            stalled_since: None,
        }
    }

    /// Another transport carries the client from now on, in a generation where that may be any.
    pub(crate) fn handle_switch(&mut self, now: Instant, polls: bool) {
        self.release = Release::Never;
        self.heartbeat.handle_switch(now, polls);
    }

    /// A poll came, which is a sign of life in such a generation, and is to be released after a while.
    pub(crate) fn handle_poll(&mut self, now: Instant) {
        self.heartbeat.handle_activity(now);
        self.release = Release::At(now + self.heartbeat.interval());
    }

    /// A packet came over the transport in use.
    pub(crate) fn handle_packet(&mut self, now: Instant, signal: &Signal<'_>) -> Step {
        match signal {
            Signal::Text(_) | Signal::Binary(_) => {
                self.heartbeat.handle_activity(now);
                Step::Deliver
            }
            Signal::Pong(_) => {
                self.heartbeat.handle_pong(now);
                Step::Nothing
            }
            Signal::Close => Step::Close(CloseReason::TransportClose),
            Signal::Ping(_) => self.heartbeat.handle_ping(now),
            // As the reference: of no meaning here, and no harm.
            Signal::Open | Signal::Upgrade | Signal::Noop => {
                self.heartbeat.handle_activity(now);
                Step::Nothing
            }
        }
    }

    /// A stream began to probe. `false`: one does already, the newcomer is refused.
    pub(crate) fn handle_probe(&mut self, now: Instant) -> bool {
        if self.is_upgrading() {
            return false;
        }
        self.release = Release::Upgrading(now);
        true
    }

    /// The probing stream was accepted as the transport, or is gone.
    pub(crate) fn handle_probe_end(&mut self) {
        self.release = Release::Never;
    }

    /// Whether one probes.
    pub(crate) fn is_upgrading(&self) -> bool {
        matches!(self.release, Release::Upgrading(_))
    }

    /// The application can take no more: nothing is read until [`handle_resume`](Self::handle_resume).
    pub(crate) fn handle_stall(&mut self, now: Instant) {
        self.stalled_since.get_or_insert(now);
    }

    /// Reading goes on. The time it stood still does not count against the client's heartbeat.
    pub(crate) fn handle_resume(&mut self, now: Instant) {
        if let Some(since) = self.stalled_since.take() {
            self.heartbeat.postpone(now - since);
        }
    }

    /// A deadline of [`poll_timeout`](Self::poll_timeout) may have passed.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Step {
        match self.release {
            Release::At(at) if at <= now => {
                self.release = Release::Never;
                return Step::ReleasePoll;
            }
            Release::Upgrading(at) if at <= now => {
                self.release = Release::Upgrading(now + RELEASE_EVERY);
                return Step::ReleasePoll;
            }
            Release::Never | Release::At(_) | Release::Upgrading(_) => {}
        }
        self.heartbeat.handle_timeout(now, self.stalled_since.is_some())
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), at the latest.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let heartbeat = self.heartbeat.deadline(self.stalled_since.is_some());
        let release = match self.release {
            Release::Never => None,
            Release::At(at) | Release::Upgrading(at) => Some(at),
        };
        heartbeat.into_iter().chain(release).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMING: Timing = Timing {
        ping_interval: Duration::from_secs(25),
        ping_timeout: Duration::from_secs(20),
    };

    /// A connection and a clock that moves only when told to.
    struct Pair {
        conn: Conn,
        start: Instant,
        now: Instant,
    }

    impl Pair {
        fn new() -> Self {
            Self::with(Asks::Server)
        }

        fn with(asks: Asks) -> Self {
            let now = Instant::now();
            Self {
                conn: Conn::new(now, asks, TIMING),
                start: now,
                now,
            }
        }

        fn at(&mut self, milliseconds: u64) -> Step {
            self.now = self.start + Duration::from_millis(milliseconds);
            self.conn.handle_timeout(self.now)
        }

        fn receive(&mut self, signal: &Signal<'_>) -> Step {
            self.conn.handle_packet(self.now, signal)
        }

        fn deadline(&self) -> u128 {
            (self.conn.poll_timeout().unwrap() - self.start).as_millis()
        }
    }

    #[test]
    fn the_first_ping_goes_out_after_one_interval() {
        let mut pair = Pair::new();
        assert_eq!(pair.deadline(), 25_000);
        assert_eq!(pair.at(24_900), Step::Nothing);
        assert_eq!(pair.at(25_000), Step::Ping);
        assert_eq!(pair.deadline(), 45_000);
    }

    #[test]
    fn a_missed_pong_ends_the_connection() {
        let mut pair = Pair::new();
        pair.at(25_000);
        assert_eq!(pair.at(44_900), Step::Nothing);
        assert_eq!(pair.at(45_000), Step::Close(CloseReason::PingTimeout));
    }

    #[test]
    fn a_pong_starts_the_next_interval() {
        let mut pair = Pair::new();
        for beat in 0..1000 {
            let base = beat * 26_000;
            assert_eq!(pair.at(base + 25_000), Step::Ping);
            pair.at(base + 26_000);
            assert_eq!(pair.receive(&Signal::Pong("")), Step::Nothing);
        }
    }

    #[test]
    fn one_message_restarts_the_wait_for_a_pong_and_a_second_does_not() {
        let mut pair = Pair::new();
        pair.at(25_000);
        pair.at(30_000);
        assert_eq!(pair.receive(&Signal::Text("a")), Step::Deliver);
        assert_eq!(pair.deadline(), 50_000);
        pair.at(49_000);
        pair.receive(&Signal::Text("b"));
        assert_eq!(pair.deadline(), 50_000);
        assert_eq!(pair.at(50_000), Step::Close(CloseReason::PingTimeout));
    }

    #[test]
    fn pongs_that_nobody_asked_for_change_no_more_than_the_next_ping() {
        let mut pair = Pair::new();
        pair.at(10_000);
        for _ in 0..1000 {
            assert_eq!(pair.receive(&Signal::Pong("")), Step::Nothing);
        }
        assert_eq!(pair.deadline(), 35_000);
    }

    #[test]
    fn a_client_that_pings_or_closes_is_closed() {
        for (signal, reason) in [
            (Signal::Ping(""), CloseReason::TransportError),
            (Signal::Close, CloseReason::TransportClose),
        ] {
            assert_eq!(Pair::new().receive(&signal), Step::Close(reason));
        }
    }

    #[test]
    fn polls_are_released_at_once_and_then_every_100_ms_while_a_client_upgrades() {
        let mut pair = Pair::new();
        pair.at(1_000);
        assert!(pair.conn.handle_probe(pair.now));
        assert_eq!(pair.at(1_000), Step::ReleasePoll);
        assert_eq!(pair.at(1_050), Step::Nothing);
        assert_eq!(pair.at(1_100), Step::ReleasePoll);
        pair.conn.handle_probe_end();
        assert_eq!(pair.at(1_200), Step::Nothing);
        assert_eq!(pair.deadline(), 25_000);
    }

    #[test]
    fn a_second_probe_is_refused_until_the_first_one_ends() {
        let mut pair = Pair::new();
        assert!(pair.conn.handle_probe(pair.now));
        assert!(!pair.conn.handle_probe(pair.now));
        pair.conn.handle_probe_end();
        assert!(pair.conn.handle_probe(pair.now));
    }

    #[test]
    fn heartbeats_go_on_during_a_probe() {
        let mut pair = Pair::new();
        pair.at(24_950);
        pair.conn.handle_probe(pair.now);
        assert_eq!(pair.at(24_960), Step::ReleasePoll);
        assert_eq!(pair.at(25_000), Step::Ping);
    }

    #[test]
    fn time_spent_stalled_does_not_count_against_the_client() {
        let mut pair = Pair::new();
        pair.at(25_000);
        pair.at(30_000);
        pair.conn.handle_stall(pair.now);
        assert_eq!(pair.conn.poll_timeout(), None);
        assert_eq!(pair.at(1_000_000), Step::Nothing);
        pair.conn.handle_resume(pair.now);
        assert_eq!(pair.deadline(), 45_000 + 970_000);
    }

    #[test]
    fn pings_go_out_while_stalled_and_nobody_dies_of_them() {
        let mut pair = Pair::new();
        pair.conn.handle_stall(pair.now);
        for beat in 1..100 {
            assert_eq!(pair.at(beat * 25_000), Step::Ping);
        }
        pair.conn.handle_resume(pair.now);
        assert_eq!(pair.deadline(), 2_500_000);
    }

    #[test]
    fn a_client_that_is_to_ask_is_answered_and_dies_of_silence() {
        let mut pair = Pair::with(Asks::Client);
        assert_eq!(pair.deadline(), 45_000);
        for beat in 1..100 {
            assert_eq!(pair.at(beat * 25_000), Step::Nothing);
            assert_eq!(pair.receive(&Signal::Ping("")), Step::Pong);
        }
        assert_eq!(pair.at(99 * 25_000 + 44_999), Step::Nothing);
        assert_eq!(pair.at(99 * 25_000 + 45_000), Step::Close(CloseReason::PingTimeout));
    }

    #[test]
    fn whatever_a_client_says_that_is_to_ask_counts() {
        for signal in [
            Signal::Text("a"),
            Signal::Binary((&[][..]).into()),
            Signal::Pong(""),
            Signal::Noop,
        ] {
            let mut pair = Pair::with(Asks::Client);
            pair.at(40_000);
            pair.receive(&signal);
            assert_eq!(pair.deadline(), 85_000);
        }
    }

    #[test]
    fn a_session_that_nothing_carries_ends_after_thirty_seconds() {
        let mut pair = Pair::with(Asks::ServerUnlessPolled);
        assert_eq!(pair.at(29_999), Step::Nothing);
        assert_eq!(pair.at(30_000), Step::Close(CloseReason::PingTimeout));
    }

    #[test]
    fn a_client_shows_by_its_polls_that_it_is_alive() {
        let mut pair = Pair::with(Asks::ServerUnlessPolled);
        pair.at(1_000);
        pair.conn.handle_switch(pair.now, true);
        assert_eq!(pair.deadline(), 46_000);
        for poll in 1..100 {
            pair.at(poll * 26_000);
            pair.conn.handle_poll(pair.now);
            assert_eq!(pair.at(poll * 26_000 + 24_999), Step::Nothing);
            assert_eq!(pair.at(poll * 26_000 + 25_000), Step::ReleasePoll);
        }
        assert_eq!(pair.deadline(), 99 * 26_000 + 45_000);
        assert_eq!(pair.at(99 * 26_000 + 45_000), Step::Close(CloseReason::PingTimeout));
    }

    #[test]
    fn a_client_that_no_longer_polls_is_asked_and_the_other_way_round() {
        let mut pair = Pair::with(Asks::ServerUnlessPolled);
        pair.conn.handle_switch(pair.now, false);
        assert_eq!(pair.at(25_000), Step::Ping);
        assert_eq!(pair.receive(&Signal::Pong("")), Step::Nothing);
        assert_eq!(pair.deadline(), 50_000);
        pair.conn.handle_switch(pair.now, true);
        assert_eq!(pair.at(69_999), Step::Nothing);
        pair.conn.handle_poll(pair.now);
        pair.conn.handle_switch(pair.now, false);
        assert_eq!(pair.deadline(), 94_999);
        assert_eq!(pair.at(94_999), Step::Ping);
        assert_eq!(pair.at(114_999), Step::Close(CloseReason::PingTimeout));
    }

    #[test]
    fn a_client_that_is_to_ask_does_not_die_while_it_is_not_heard() {
        let mut pair = Pair::with(Asks::Client);
        pair.at(10_000);
        pair.conn.handle_stall(pair.now);
        assert_eq!((pair.conn.poll_timeout(), pair.at(1_000_000)), (None, Step::Nothing));
        pair.conn.handle_resume(pair.now);
        assert_eq!(pair.deadline(), 45_000 + 990_000);
    }
}
