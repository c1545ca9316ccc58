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

    pub(super) fn postpone(&mut self, by: Duration) {
        match &mut self.phase {
            Phase::Quiet(at) | Phase::Asked { dead_at: at, .. } => *at += by,
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) -> Step {
        match self.phase {
            Phase::Quiet(ping_at) if ping_at <= now => {
                self.phase = Phase::Asked {
                    dead_at: now + self.timeout,
                    extended: false,
                };
                Step::Ping
            }
            Phase::Asked { dead_at, .. } if dead_at <= now => Step::Close(CloseReason::PingTimeout),
            Phase::Quiet(_) | Phase::Asked { .. } => Step::Nothing,
        }
    }

    pub(super) fn deadline(&self) -> Instant {
        match self.phase {
            Phase::Quiet(at) | Phase::Asked { dead_at: at, .. } => at,
        }
    }
}
