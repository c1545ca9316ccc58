//! Spans that cost next to nothing while no subscriber wants them. All are of level `DEBUG`.

use std::pin::Pin;

use tracing::{Instrument as _, Span, level_filters::LevelFilter, span::EnteredSpan};

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A span that somebody wants, or none.
#[derive(Debug, Default)]
pub(crate) struct Scope(Option<Box<Span>>);

impl Scope {
    pub(crate) fn new(span: Span) -> Self {
        Self((!span.is_disabled()).then(|| Box::new(span)))
    }

    /// Until what it returns is dropped.
    #[inline]
    pub(crate) fn enter(&self) -> Option<EnteredSpan> {
        let span = self.0.as_deref()?;
        Some(span.clone().entered())
    }

    /// What is left to do when its owner has gone.
    pub(crate) fn around<T: 'static>(&self, rest: Boxed<T>) -> Boxed<T> {
        match &self.0 {
            Some(span) => Box::pin(rest.instrument((**span).clone())),
            None => rest,
        }
    }
}

/// The future within the span, which is not even made where nobody can want it.
#[inline]
pub(crate) fn within<T: 'static>(span: impl FnOnce() -> Span, future: Boxed<T>) -> Boxed<T> {
    if LevelFilter::current() < LevelFilter::DEBUG {
        return future;
    }
    Scope::new(span()).around(future)
}
