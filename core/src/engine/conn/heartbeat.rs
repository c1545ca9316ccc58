//! Heartbeats: the server asks and the client answers, or the client is dead when it says nothing of
//! itself.

use std::time::{Duration, Instant};

use super::{Asks, CloseReason, Step, Timing};

/// How long a session that no transport carries yet waits for one. As the 0.9 server.
const UNUSED: Duration = Duration::from_secs(30);

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
    /// It is the client that asks, or polls: without a word from it, it is dead at that time.
    Listening { dead_at: Instant },
}

impl Heartbeat {
    pub(super) fn new(now: Instant, asks: Asks, timing: Timing) -> Self {
        let Timing {
            ping_interval: interval,
            ping_timeout: timeout,
        } = timing;
        Self {
            interval,
            timeout,
            phase: match asks {
                Asks::Server => Phase::Quiet(now + interval),
                Asks::Client => Phase::Listening {
                    dead_at: now + interval + timeout,
                },
                Asks::ServerUnlessPolled => Phase::Listening { dead_at: now + UNUSED },
            },
        }
    }

    pub(super) fn interval(&self) -> Duration {
        self.interval
    }

    /// From now on the client polls, or does not.
    pub(super) fn handle_switch(&mut self, now: Instant, polls: bool) {
        self.phase = if polls {
            Phase::Listening {
                dead_at: now + self.interval + self.timeout,
            }
        } else {
            Phase::Quiet(now + self.interval)
        };
    }

    /// The client asks: it is answered, unless that is not for it to do.
    pub(super) fn handle_ping(&mut self, now: Instant) -> Step {
        match self.phase {
            Phase::Listening { .. } => {
                self.handle_activity(now);
                Step::Pong
            }
            Phase::Quiet(_) | Phase::Asked { .. } => Step::Close(CloseReason::TransportError),
        }
    }

    pub(super) fn handle_pong(&mut self, now: Instant) {
        match self.phase {
            Phase::Quiet(_) | Phase::Asked { .. } => self.phase = Phase::Quiet(now + self.interval),
            Phase::Listening { .. } => self.handle_activity(now),
        }
    }

    /// Any other packet: a client that talks is alive, so the wait starts anew, once.
    pub(super) fn handle_activity(&mut self, now: Instant) {
        match &mut self.phase {
            Phase::Asked { dead_at, extended } if !*extended => {
                *extended = true;
                *dead_at = now + self.timeout;
            }
            Phase::Listening { dead_at } => *dead_at = now + self.interval + self.timeout,
            Phase::Quiet(_) | Phase::Asked { .. } => {}
        }
    }

    /// Nothing was read for that long, so nothing could be heard.
    pub(super) fn postpone(&mut self, by: Duration) {
        if let Phase::Asked { dead_at, .. } | Phase::Listening { dead_at } = &mut self.phase {
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
            Phase::Asked { dead_at, .. } | Phase::Listening { dead_at } if dead_at <= now && !stalled => {
                Step::Close(CloseReason::PingTimeout)
            }
            Phase::Quiet(_) | Phase::Asked { .. } | Phase::Listening { .. } => Step::Nothing,
        }
    }

    pub(super) fn deadline(&self, stalled: bool) -> Option<Instant> {
        match self.phase {
            Phase::Asked { .. } | Phase::Listening { .. } if stalled => None,
            Phase::Quiet(at) | Phase::Asked { dead_at: at, .. } | Phase::Listening { dead_at: at } => Some(at),
        }
    }
}
