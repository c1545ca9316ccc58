//! The heartbeat of a generation in which the server asks and the client answers.

use std::time::{Duration, Instant};

use super::{CloseReason, Step};

#[derive(Debug)]
pub(super) struct Heartbeat {
    interval: Duration,
    timeout: Duration,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    /// The next ping is due at that time.
    Quiet(Instant),
    /// A ping is out: without a pong the client is dead at that time.
    Asked { dead_at: Instant, extended: bool },
}

impl Heartbeat {
    pub(super) fn new(now: Instant, interval: Duration, timeout: Duration) -> Self {
        Self {
            interval,
            timeout,
            phase: Phase::Quiet(now + interval),
        }
    }

    pub(super) fn handle_pong(&mut self, now: Instant) {
        self.phase = Phase::Quiet(now + self.interval);
    }

    /// Any other packet: a client that talks is alive, so the wait starts anew, once.
    pub(super) fn handle_activity(&mut self, now: Instant) {
        if let Phase::Asked { dead_at, extended } = &mut self.phase
            && !*extended
        {
            *extended = true;
            *dead_at = now + self.timeout;
        }
    }

    /// Nothing was read for that long, so nothing could be heard.
    pub(super) fn postpone(&mut self, by: Duration) {
        if let Phase::Asked { dead_at, .. } = &mut self.phase {
            *dead_at += by;
        }
    }

    /// A client that is not listened to is pinged still: that is how a broken network shows.
    pub(super) fn handle_timeout(&mut self, now: Instant, stalled: bool) -> Step {
        match self.phase {
            Phase::Quiet(ping_at) if ping_at <= now && stalled => {
                self.phase = Phase::Quiet(now + self.interval);
                Step::Ping
            }
            Phase::Quiet(ping_at) if ping_at <= now => {
                self.phase = Phase::Asked {
                    dead_at: now + self.timeout,
                    extended: false,
                };
                Step::Ping
            }
            Phase::Asked { dead_at, .. } if dead_at <= now && !stalled => Step::Close(CloseReason::PingTimeout),
            Phase::Quiet(_) | Phase::Asked { .. } => Step::Nothing,
        }
    }

    pub(super) fn deadline(&self, stalled: bool) -> Option<Instant> {
        match self.phase {
            Phase::Asked { .. } if stalled => None,
            Phase::Quiet(at) | Phase::Asked { dead_at: at, .. } => Some(at),
        }
    }
}
