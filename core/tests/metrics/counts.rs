//! A recorder of the crate `metrics` that tells what has changed.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use metrics::{Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use tower_socketio::observability::{METRICS, MetricKind};

/// Keeps what is counted.
#[derive(Clone, Default)]
pub(crate) struct Counts(Arc<Mutex<Kept>>);

/// Of each name.
pub(crate) type Described = BTreeMap<String, (MetricKind, String)>;

#[derive(Default)]
struct Kept {
    counters: BTreeMap<String, Arc<AtomicU64>>,
    gauges: BTreeMap<String, Arc<AtomicU64>>,
    histograms: BTreeMap<String, Arc<Measured>>,
    described: Described,
    seen: BTreeMap<String, String>,
}

#[derive(Default)]
struct Measured(Mutex<Vec<f64>>);

impl HistogramFn for Measured {
    fn record(&self, value: f64) {
        self.0.lock().unwrap().push(value);
    }
}

/// `name{label values}`, the name without what all have in common.
fn name(key: &Key) -> String {
    let metric = METRICS.iter().find(|metric| metric.name == key.name());
    let metric = metric.unwrap_or_else(|| panic!("{} is not listed", key.name()));
    let labels: Vec<_> = key.labels().map(metrics::Label::key).collect();
    assert_eq!(labels, metric.labels, "{}", metric.name);
    let values: Vec<_> = key.labels().map(metrics::Label::value).collect();
    let name = metric.name.strip_prefix("socketio_").expect("the prefix of all");
    format!("{}{{{}}}", name.trim_end_matches("_total"), values.join(","))
}

impl Counts {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn described(&self) -> Described {
        self.lock().described.clone()
    }

    /// What a series was when [`changes`](Self::changes) was asked last.
    pub(crate) fn seen(&self, series: &str) -> u64 {
        let seen = self.lock().seen.get(series).cloned();
        seen.map_or(0, |seen| seen.parse().expect("a counter"))
    }

    fn describe(&self, key: &KeyName, kind: MetricKind, description: &SharedString) {
        let described = (kind, description.to_string());
        self.lock().described.insert(key.as_str().to_owned(), described);
    }

    pub(crate) fn series(&self) -> Vec<String> {
        let kept = self.lock();
        let numbers = kept.counters.keys().chain(kept.gauges.keys());
        numbers.chain(kept.histograms.keys()).cloned().collect()
    }

    /// What has changed since this was asked last, and how it stands now: all of it, so that nothing is counted that
    /// should not be.
    pub(crate) fn changes(&self) -> Vec<String> {
        let mut kept = self.lock();
        let mut now = BTreeMap::new();
        for (name, counter) in &kept.counters {
            now.insert(name.clone(), counter.load(Ordering::Relaxed).to_string());
        }
        for (name, gauge) in &kept.gauges {
            now.insert(name.clone(), f64::from_bits(gauge.load(Ordering::Relaxed)).to_string());
        }
        for (name, histogram) in &kept.histograms {
            now.insert(name.clone(), format!("{:?}", histogram.0.lock().unwrap()));
        }
        let begins = |value: &str| matches!(value, "0" | "[]");
        let is_new = |name: &String, value: &String| match kept.seen.get(name) {
            Some(before) => before != value,
            None => !begins(value),
        };
        let changes = now
            .iter()
            .filter(|(name, value)| is_new(name, value))
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        kept.seen = now;
        changes
    }

    /// Gauges that are not 0.
    pub(crate) fn left_over(&self) -> Vec<String> {
        let kept = self.lock();
        let left = |gauge: &AtomicU64| f64::from_bits(gauge.load(Ordering::Relaxed));
        let gauges = kept.gauges.iter().filter(|(_, gauge)| left(gauge) != 0.0);
        gauges.map(|(name, gauge)| format!("{name} {}", left(gauge))).collect()
    }
}

impl Recorder for Counts {
    fn describe_counter(&self, key: KeyName, _: Option<Unit>, description: SharedString) {
        self.describe(&key, MetricKind::Counter, &description);
    }

    fn describe_gauge(&self, key: KeyName, _: Option<Unit>, description: SharedString) {
        self.describe(&key, MetricKind::Gauge, &description);
    }

    fn describe_histogram(&self, key: KeyName, _: Option<Unit>, description: SharedString) {
        self.describe(&key, MetricKind::Histogram, &description);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let mut kept = self.lock();
        Counter::from_arc(kept.counters.entry(name(key)).or_default().clone())
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        let mut kept = self.lock();
        Gauge::from_arc(kept.gauges.entry(name(key)).or_default().clone())
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        let mut kept = self.lock();
        Histogram::from_arc(kept.histograms.entry(name(key)).or_default().clone())
    }
}
