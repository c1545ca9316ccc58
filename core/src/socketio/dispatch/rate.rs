//! A client that sends faster than its limit allows: what it is told, and how it is stopped.

use std::time::Instant;

use bytes::Bytes;

use super::{Event, SocketClient};
use crate::{
    engine::{CloseReason, now},
    error::FailureKind,
    socketio::{
        call::Occasion,
        rate_limit::{Excess, Limiter, RateLimit, Verdict},
    },
};

impl SocketClient {
    /// Whether the client may send that event now.
    pub(super) fn may_send(&mut self, nsp: &str, event: &Event<'_>) -> bool {
        let Some(limit) = self.core.config.rate_limit else {
            return true;
        };
        let attachments = event.attachments.iter().map(Bytes::len).sum::<usize>();
        let bytes = event.name.len() + event.args.len() + attachments;
        let (is_within, is_news) = self.take_tokens(&limit, bytes);
        let Some(index) = self.live(nsp) else {
            return is_within;
        };
        let socket = &self.entries[index].socket;
        let occasion = Occasion::Event(event.name);
        if !is_within
            && limit.excess == Excess::Drop
            && let Some(ack) = event.stage.ack()
        {
            Self::answer_failure(socket, &ack, &FailureKind::RateLimited);
        }
        if is_news {
            socket.shared().report(socket, occasion, &FailureKind::RateLimited);
        }
        is_within
    }

    /// Whether the client may ask for a namespace now.
    pub(super) fn may_connect(&mut self, nsp: &str, auth: Option<&str>) -> bool {
        let Some(limit) = self.core.config.rate_limit else {
            return true;
        };
        let (is_within, is_news) = self.take_tokens(&limit, auth.map_or(0, str::len));
        if !is_within && limit.excess == Excess::Drop {
            self.refuse_namespace(nsp, &FailureKind::RateLimited.to_string());
        }
        if is_news {
            self.report(Some(nsp), &FailureKind::RateLimited);
        }
        is_within
    }

    /// Until when nothing is read from it.
    pub(super) fn slowed_until(&self) -> Option<Instant> {
        self.rare.as_ref()?.limiter.as_ref()?.slowed_until
    }

    /// It may send again, if it had to wait until now.
    pub(super) fn end_slowness(&mut self, now: Instant) {
        let limiter = self.rare.as_mut().and_then(|rare| rare.limiter.as_mut());
        if let Some(limiter) = limiter {
            limiter.slowed_until.take_if(|until| *until <= now);
        }
    }

    /// Whether the tokens were there, and whether the application is to be told.
    fn take_tokens(&mut self, limit: &RateLimit, bytes: usize) -> (bool, bool) {
        let now = now();
        let limiter = &mut self.rare.get_or_insert_default().limiter;
        let limiter = limiter.get_or_insert_with(|| Limiter::new(limit, now));
        match limiter.take(limit, now, bytes) {
            Verdict::Pass => (true, false),
            Verdict::PassAndWait { is_news } => (true, is_news),
            Verdict::Excess { is_news } => {
                if limit.excess == Excess::Disconnect {
                    self.doom(CloseReason::ForcedServerClose);
                }
                (false, is_news)
            }
        }
    }
}
