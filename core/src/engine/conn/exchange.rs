//! Which HTTP requests of a polling client are open: at most one GET and one POST at a time.

/// The open requests of one client. A second one of a kind breaks the protocol.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    polling: bool,
    posting: bool,
}

/// The client opened a request while it had one of the kind open.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Overlap;

/// The two kinds of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestKind {
    Poll,
    Post,
}

impl Exchange {
    pub(crate) fn open(&mut self, kind: RequestKind) -> Result<(), Overlap> {
        let open = self.slot(kind);
        if *open {
            return Err(Overlap);
        }
        *open = true;
        Ok(())
    }

    pub(crate) fn close(&mut self, kind: RequestKind) {
        *self.slot(kind) = false;
    }

    fn slot(&mut self, kind: RequestKind) -> &mut bool {
        match kind {
            RequestKind::Poll => &mut self.polling,
            RequestKind::Post => &mut self.posting,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{RequestKind::*, *};

    #[test]
    fn a_second_request_of_a_kind_overlaps_until_the_first_is_closed() {
        let mut exchange = Exchange::default();
        for (kind, other) in [(Poll, Post), (Post, Poll)] {
            assert_eq!(exchange.open(kind), Ok(()));
            assert_eq!(exchange.open(kind), Err(Overlap));
            assert_eq!(exchange.open(other), Ok(()));
            exchange.close(kind);
            assert_eq!(exchange.open(kind), Ok(()));
            exchange.close(kind);
            exchange.close(other);
        }
    }
}
