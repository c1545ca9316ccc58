//! The web frameworks: how each serves the endpoint, how each holds a connection by itself, and what
//! a client may cost there.

use std::{io, net::TcpListener};

use tower_socketio::Service;

mod actix_web;
mod axum;
pub(crate) mod bare;
mod warp;

pub(crate) struct Framework {
    pub(crate) name: &'static str,
    /// Serves the endpoint, until the process ends.
    pub(crate) serve: fn(TcpListener, Service) -> io::Result<()>,
    /// Accepts every request as a WebSocket's, and holds what it becomes without anything above it.
    pub(crate) serve_bare: fn(TcpListener) -> io::Result<()>,
    pub(crate) limits: Limits,
}

/// What a client may cost there.
pub(crate) struct Limits {
    pub(crate) idle_heap: f64,
    pub(crate) idle_resident: f64,
    pub(crate) browser_heap: f64,
    pub(crate) echo_allocations: f64,
    pub(crate) recipient_allocations: f64,
    pub(crate) recipient_bytes: f64,
    /// In percent of the heap of an idle client.
    pub(crate) growth: f64,
}

pub(crate) const ALL: [Framework; 3] = [axum::FRAMEWORK, actix_web::FRAMEWORK, warp::FRAMEWORK];

impl Framework {
    pub(crate) fn named(name: &str) -> Result<&'static Self, String> {
        const { &ALL }
            .iter()
            .find(|framework| framework.name == name)
            .ok_or_else(|| format!("no framework is named {name}: axum, actix-web and warp are measured"))
    }
}
