//! Which HTTP requests of a polling client are open: at most one GET, and in most generations one POST.

/// The open requests of one client. More of a kind than may be open break the protocol.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    polls: u8,
    posts: u8,
}

/// The client opened a request while it had enough of the kind open.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Overlap;

/// The two kinds of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestKind {
    Poll,
    Post,
}

impl Exchange {
    pub(crate) fn open(&mut self, kind: RequestKind, at_most: u8) -> Result<(), Overlap> {
        let open = self.slot(kind);
        if *open >= at_most {
            return Err(Overlap);
        }
        *open += 1;
        Ok(())
    }

    pub(crate) fn close(&mut self, kind: RequestKind) {
        *self.slot(kind) -= 1;
    }

    fn slot(&mut self, kind: RequestKind) -> &mut u8 {
        match kind {
            RequestKind::Poll => &mut self.polls,
            RequestKind::Post => &mut self.posts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{RequestKind::*, *};

    #[test]
    fn one_request_too_many_of_a_kind_overlaps_until_another_is_closed() {
        let mut exchange = Exchange::default();
        for (kind, other) in [(Poll, Post), (Post, Poll)] {
            assert_eq!(exchange.open(kind, 1), Ok(()));
            assert_eq!(exchange.open(kind, 1), Err(Overlap));
            assert_eq!(exchange.open(other, 1), Ok(()));
            assert_eq!(exchange.open(kind, 2), Ok(()));
            assert_eq!(exchange.open(kind, 2), Err(Overlap));
            exchange.close(kind);
            exchange.close(kind);
            assert_eq!(exchange.open(kind, 1), Ok(()));
            exchange.close(kind);
            exchange.close(other);
        }
    }
}
