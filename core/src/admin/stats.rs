//! How the server is, told to every page every 2 s for as long as there is one.

use std::{
    process,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use gethostname::gethostname;
use serde::Serialize;
use tokio::time::{MissedTickBehavior, interval};

use super::wire::{emit, emit_to_all, milliseconds};
use crate::{
    engine::{CloseReason, Connection, Transport, now, traffic::Volume},
    server::SocketIo,
    socketio::{
        namespace::{Namespace, Shared},
        socket::Socket,
    },
};

/// What the page draws is counted by the second.
const TICK: Duration = Duration::from_secs(1);

const TICKS_A_REPORT: u32 = 2;

/// Reports while there are pages; cheap to clone.
#[derive(Clone)]
pub(super) struct Reporter(Arc<Inner>);

struct Inner {
    io: SocketIo,
    /// Weakly: their handlers hold this.
    pages: Weak<Shared>,
    server_id: String,
    hostname: String,
    began: Instant,
    is_running: AtomicBool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    server_id: &'a str,
    hostname: &'a str,
    pid: u32,
    /// In seconds.
    uptime: f64,
    clients_count: usize,
    polling_clients_count: usize,
    aggregated_events: &'a [Aggregate],
    namespaces: Vec<Population>,
}

/// How much of something there was in one second.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Aggregate {
    timestamp: u128,
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_type: Option<&'static str>,
    count: u64,
}

#[derive(PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
struct Population {
    name: Box<str>,
    sockets_count: usize,
}

impl Reporter {
    pub(super) fn new(io: &SocketIo, pages: &Namespace, server_id: Option<String>) -> Self {
        let hostname = gethostname().to_string_lossy().into_owned();
        Self(Arc::new(Inner {
            io: io.clone(),
            pages: Arc::downgrade(pages.shared()),
            server_id: server_id.unwrap_or_else(|| hostname.clone()),
            hostname,
            began: now(),
            is_running: AtomicBool::new(false),
        }))
    }

    /// Tells a new page at once, and all of them from now on.
    pub(super) fn report_to(&self, page: &Socket) {
        emit(page, "server_stats", &(self.report(&[]),));
        if !self.0.is_running.swap(true, Ordering::AcqRel) {
            self.0.io.spawn(self.clone().run());
        }
    }

    async fn run(self) {
        let traffic = self.0.io.engine().traffic();
        traffic.count(true);
        traffic.take();
        let mut clock = interval(TICK);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        clock.tick().await;
        let mut counts = Vec::new();
        let mut ticks = 0;
        while self.goes_on() {
            clock.tick().await;
            collect(&mut counts, SystemTime::now() - TICK, &traffic.take());
            ticks += 1;
            if ticks % TICKS_A_REPORT == 0 {
                if let Some(pages) = self.0.pages.upgrade() {
                    emit_to_all(&Namespace::new(pages), "server_stats", &(self.report(&counts),));
                }
                counts.clear();
            }
        }
    }

    /// `false`: nobody looks, and whoever comes next starts it again.
    fn goes_on(&self) -> bool {
        let has_pages = || self.0.pages.upgrade().is_some_and(|pages| pages.rooms.len() > 0);
        if has_pages() {
            return true;
        }
        self.0.io.engine().traffic().count(false);
        self.0.is_running.store(false, Ordering::Release);
        // One may have come that took it for running.
        let goes_on = has_pages() && !self.0.is_running.swap(true, Ordering::AcqRel);
        if goes_on {
            self.0.io.engine().traffic().count(true);
        }
        goes_on
    }

    fn report<'a>(&'a self, counts: &'a [Aggregate]) -> Report<'a> {
        let Inner { io, began, .. } = &*self.0;
        let connections = io.engine().all_connections();
        let is_polling = |one: &&Connection| {
            let by = one.transport();
            matches!(by, Transport::Polling | Transport::XhrPolling | Transport::JsonpPolling)
        };
        let namespaces = io.core.all_namespaces();
        let population = namespaces.iter().map(|namespace| Population {
            name: namespace.path.clone(),
            sockets_count: namespace.rooms.len(),
        });
        let mut namespaces: Vec<_> = population.collect();
        namespaces.sort();
        Report {
            server_id: &self.0.server_id,
            hostname: &self.0.hostname,
            pid: process::id(),
            uptime: now().duration_since(*began).as_secs_f64(),
            clients_count: connections.len(),
            polling_clients_count: connections.iter().filter(is_polling).count(),
            aggregated_events: counts,
            namespaces,
        }
    }
}

/// What has passed in a second, without what has not.
fn collect(counts: &mut Vec<Aggregate>, second: SystemTime, volume: &Volume) {
    let timestamp = milliseconds(second) / 1000 * 1000;
    let closed = CloseReason::ALL.iter().zip(volume.closed);
    let closed = closed.map(|(reason, count)| ("rawDisconnection", Some(reason.as_str()), count));
    let rest = [
        ("rawConnection", None, volume.opened),
        ("packetsIn", None, volume.messages_in),
        ("bytesIn", None, volume.bytes_in),
        ("packetsOut", None, volume.messages_out),
        ("bytesOut", None, volume.bytes_out),
    ];
    let all = rest.into_iter().chain(closed);
    counts.extend(
        all.filter(|(_, _, count)| *count > 0)
            .map(|(r#type, sub_type, count)| Aggregate {
                timestamp,
                r#type,
                sub_type,
                count,
            }),
    );
}
