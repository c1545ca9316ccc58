//! Counters, gauges, histograms and the clock they need; without the feature `metrics` the same words for
//! nothing. The only file that asks for the feature.
//!
//! They are made once, where what they count is made, and kept: counting looks nothing up.

#[cfg(feature = "metrics")]
mod kept {
    use std::{sync::Arc, time::Instant};

    pub(crate) use metrics::{Counter, Gauge, Histogram};
    use metrics::{Label, describe_counter, describe_gauge, describe_histogram};

    use crate::observability::{Metric, MetricKind};

    /// Instruments that many keep.
    pub(crate) type Shared<T> = Arc<T>;

    pub(crate) fn share<T>(instruments: T) -> Shared<T> {
        Arc::new(instruments)
    }

    pub(crate) fn counter(metric: &Metric, labels: &[&str]) -> Counter {
        describe(metric);
        metrics::counter!(metric.name, named(metric, labels))
    }

    pub(crate) fn gauge(metric: &Metric, labels: &[&str]) -> Gauge {
        describe(metric);
        metrics::gauge!(metric.name, named(metric, labels))
    }

    pub(crate) fn histogram(metric: &Metric, labels: &[&str]) -> Histogram {
        describe(metric);
        metrics::histogram!(metric.name, named(metric, labels))
    }

    fn named(metric: &Metric, labels: &[&str]) -> Vec<Label> {
        debug_assert_eq!(metric.labels.len(), labels.len(), "{}", metric.name);
        let labels = metric.labels.iter().zip(labels);
        labels
            .map(|(&name, &value)| Label::new(name, value.to_owned()))
            .collect()
    }

    fn describe(metric: &Metric) {
        match metric.kind {
            MetricKind::Counter => describe_counter!(metric.name, metric.help),
            MetricKind::Gauge => describe_gauge!(metric.name, metric.help),
            MetricKind::Histogram => describe_histogram!(metric.name, metric.help),
        }
    }

    /// When something began.
    #[derive(Debug, Clone, Copy)]
    pub(crate) struct Begin(Instant);

    impl Begin {
        pub(crate) fn now() -> Self {
            Self(crate::engine::now())
        }

        pub(crate) fn seconds(self) -> f64 {
            crate::engine::now().duration_since(self.0).as_secs_f64()
        }
    }
}

#[cfg(not(feature = "metrics"))]
#[expect(clippy::unused_self, reason = "they stand for those that are something")]
mod kept {
    use crate::observability::Metric;

    pub(crate) type Shared<T> = T;

    pub(crate) fn share<T>(instruments: T) -> Shared<T> {
        instruments
    }

    #[derive(Debug, Clone)]
    pub(crate) struct Counter;

    #[derive(Debug, Clone)]
    pub(crate) struct Gauge;

    #[derive(Debug, Clone)]
    pub(crate) struct Histogram;

    #[derive(Debug, Clone, Copy)]
    pub(crate) struct Begin;

    impl Counter {
        pub(crate) fn noop() -> Self {
            Self
        }

        pub(crate) fn increment(&self, _by: u64) {}
    }

    impl Gauge {
        pub(crate) fn noop() -> Self {
            Self
        }

        pub(crate) fn increment(&self, _by: f64) {}

        pub(crate) fn decrement(&self, _by: f64) {}
    }

    impl Histogram {
        pub(crate) fn record(&self, _value: f64) {}
    }

    impl Begin {
        pub(crate) fn now() -> Self {
            Self
        }

        pub(crate) fn seconds(self) -> f64 {
            0.0
        }
    }

    pub(crate) fn counter(_: &Metric, _: &[&str]) -> Counter {
        Counter
    }

    pub(crate) fn gauge(_: &Metric, _: &[&str]) -> Gauge {
        Gauge
    }

    pub(crate) fn histogram(_: &Metric, _: &[&str]) -> Histogram {
        Histogram
    }
}

pub(crate) use self::kept::{Begin, Counter, Gauge, Histogram, Shared, counter, gauge, histogram, share};
