//! Where posts come from.

use std::pin::Pin;

use crate::post::Draft;

/// Where posts come from: a generator here; elsewhere a client of another service, a queue, a database.
pub(crate) trait Source: Send + Sync + 'static {
    /// Publishes posts as they come. It is dropped where it awaits when nobody is subscribed any more,
    /// called again when somebody is, and also a second after it has returned.
    fn run<'a>(&'a self, publish: &'a (dyn Fn(Draft) + Send + Sync)) -> Running<'a>;
}

pub(crate) type Running<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;
