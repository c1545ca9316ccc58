//! Spans that cost a pointer, and nothing else while no subscriber wants them.

use std::pin::Pin;

use tracing::{Instrument as _, Span, span::EnteredSpan};

/// A span that somebody wants, or none.
#[derive(Debug, Default)]
pub(crate) struct Scope(Option<Box<Span>>);

impl Scope {
    pub(crate) fn new(span: Span) -> Self {
        Self((!span.is_disabled()).then(|| Box::new(span)))
    }

    /// Until what it returns is dropped.
    pub(crate) fn enter(&self) -> Option<EnteredSpan> {
        let span = self.0.as_deref()?;
        Some(span.clone().entered())
    }

    /// What is left to do when its owner has gone.
    pub(crate) fn around<T>(
        &self,
        rest: Pin<Box<dyn Future<Output = T> + Send>>,
    ) -> Pin<Box<dyn Future<Output = T> + Send>>
    where
        T: 'static,
    {
        match &self.0 {
            Some(span) => Box::pin(rest.instrument((**span).clone())),
            None => rest,
        }
    }
}
